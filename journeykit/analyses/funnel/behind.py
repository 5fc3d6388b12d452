"""What stands behind a funnel's numbers: customers, attempts, what came next or before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.funnel.clusters import shares_by_customer
from journeykit.analyses.funnel.counts import count, key_of
from journeykit.analyses.funnel.keys import Counts
from journeykit.analyses.funnel.matching import Attempts, Bools, Matched, match, segments_of, stopped
from journeykit.analyses.funnel.moves import OUTCOMES, WORDS, next_codes, previous_codes, rows_of
from journeykit.analyses.funnel.plan import Plan
from journeykit.analyses.funnel.table import quantile_table
from journeykit.estimators.proportions import clustered_n, with_rate
from journeykit.journey.steps import distinct
from journeykit.log.interactions import InteractionLog
from journeykit.loops.funnel_stages import NOTHING

NEVER = np.iinfo(np.int64).min
"""The time of a step that an attempt did not fill."""
_NOTHING_BEFORE = "funnel.nothing_before"


def find_units(log: InteractionLog, plan: Plan, step: int, group: int, counted: str) -> pd.DataFrame:
    """Tally: the customers, and units, behind one number of the table."""
    found = match(log, plan, mature_rows=True, every_rows=True)
    mature = counted == "mature" or (counted == "dropped" and plan.base == "mature")
    attempts = found.mature if mature else found.every
    chosen = rows_of(attempts, log, step) >= 0
    if counted in ("dropped", "open"):
        still_open = found.late > 0
        chosen = (attempts.levels == step) & (step < plan.last_required)
        if counted == "open":
            chosen &= still_open
        elif plan.base != "mature":
            chosen &= ~still_open
    chosen &= _in_group(log, plan, found, attempts, group)
    index: pd.Index = pd.Index(log.owners.take(attempts.owners(log)[chosen]), name="customer")
    if plan.unit != "customer":
        units = np.arange(log.n_customers) if attempts.units is None else attempts.units
        index = pd.MultiIndex.from_arrays([index, log.customers.take(units[chosen])], names=["customer", "unit"])
    return pd.DataFrame({"n": np.ones(len(index), np.int64)}, index=index)


def _in_group(log: InteractionLog, plan: Plan, found: Matched, attempts: Attempts, group: int) -> Bools:
    """Mark the attempts of a group; with -1, all that have one."""
    if found.codes is None:
        return np.ones(len(attempts.levels), dtype=bool)
    groups = segments_of(log, plan, attempts, found.codes)
    return groups >= 0 if group < 0 else groups == group


def find_attempts(log: InteractionLog, plan: Plan) -> pd.DataFrame:
    """Tally: every attempt that rates are over, by customer, unit, and its number within the unit."""
    found = match(log, plan, mature_rows=True, every_rows=True)
    attempts = found.of(plan.base)
    units = np.arange(len(attempts.levels)) if attempts.units is None else attempts.units
    entered = np.flatnonzero(attempts.levels > 0)
    begun = log.times[rows_of(attempts, log, 1)[entered]]
    groups = np.zeros(len(entered), np.int64)
    if found.codes is not None:
        groups = segments_of(log, plan, attempts, found.codes)[entered].astype(np.int64)
    order = np.lexsort((groups, begun, units[entered]))
    entered, groups, own = entered[order], groups[order], units[entered][order]
    position = np.arange(len(own))
    news = np.concatenate([[True], own[1:] != own[:-1]])[: len(own)]
    numbers = position - np.maximum.accumulate(np.where(news, position, 0)) + 1
    columns = {"steps": attempts.levels[entered].astype(np.int64), "segment": groups}
    for k in range(1, plan.n_steps + 1):
        row = rows_of(attempts, log, k)[entered]
        columns[f"time_{k}"] = np.where(row >= 0, log.times[row], NEVER)
    ids: list[Any] = [log.owners.take(log.owner_codes[own]), log.customers.take(own), numbers]
    return pd.DataFrame(columns, index=pd.MultiIndex.from_arrays(ids, names=["customer", "unit", "attempt"]))


def attempt_table(found: pd.DataFrame, plan: Plan, timezone: str) -> pd.DataFrame:
    """Lay out attempts with their step times."""
    found = found.sort_index()
    columns: list[tuple[str, Any]] = [("customer", found.index.get_level_values("customer"))]
    if plan.unit != "customer":
        columns.append((plan.unit, found.index.get_level_values("unit")))
    if plan.count == "attempts":
        columns.append(("attempt", found.index.get_level_values("attempt")))
    if plan.by is not None:
        labels = np.array([*plan.labels, None], dtype=object)
        columns.append(("segment", labels[found["segment"].to_numpy()]))
    columns.append(("steps", found["steps"].to_numpy()))
    for k, name in enumerate(plan.names, start=1):
        times = found[f"time_{k}"].to_numpy().astype("M8[us]")  # the smallest number is NaT
        columns.append((name, pd.DatetimeIndex(times, tz="UTC").tz_convert(timezone)))
    # A step may be called as one of the columns before it.
    return pd.DataFrame(dict(zip(distinct(name for name, _ in columns), (each for _, each in columns), strict=True)))


def find_around(log: InteractionLog, plan: Plan, what: str, step: int, group: int, n: int, within: int) -> pd.DataFrame:
    """Tally: what came next, or before, with the sums over customers behind each share.

    Index `back`, `value` (code of a touchpoint, after those of OUTCOMES; -1: all
    of them, with `n`, `nn` and `customers` in the place of the sums).
    """
    found = match(log, plan, mature_rows=True, every_rows=True)
    attempts = found.of(plan.base)
    asked = _in_group(log, plan, found, attempts, group)
    if what == "next":
        asked &= stopped(plan, found) & (attempts.levels == step)
        codes = next_codes(log, plan, attempts, found.kinds, asked)[:, None]
    else:
        asked &= rows_of(attempts, log, step) >= 0
        codes = previous_codes(log, plan, attempts, asked, step, n, within)
    some = np.flatnonzero(asked)
    frames = []
    for back in range(codes.shape[1]):
        values = codes[some, back].astype(np.int64) + len(OUTCOMES)
        place = np.full(len(some), back + 1)
        by_value, by_place = shares_by_customer(attempts.owners(log)[some], place, values)
        whole = by_place.rename(columns={"n": "x", "nn": "xx", "customers": "xn"}).assign(value=-1)
        frames += [by_value, whole.set_index("value", append=True)[["x", "xx", "xn"]]]
    return pd.concat(frames).rename_axis(["back", "value"])


def around_table(found: pd.DataFrame, plan: Plan, touchpoints: list[str], what: str, n: int) -> pd.DataFrame:
    """Lay out what came next or before, most frequent first."""
    words = np.array([*WORDS, *touchpoints], dtype=object)
    if what == "previous":
        words[OUTCOMES.index(NOTHING)] = _NOTHING_BEFORE
    rows = found.reset_index().sort_values(["back", "x", "value"], ascending=[True, False, True], kind="stable")
    whole = rows[rows["value"] < 0].set_index("back").reindex(range(1, n + 1))
    rows = rows[rows["value"] >= 0]
    base = whole.loc[rows["back"]]
    size = base["x"].to_numpy()
    if plan.repeats:
        size = clustered_n(
            customers=base["xn"].to_numpy(), x=rows["x"].to_numpy(), n=base["x"].to_numpy(), xx=rows["xx"].to_numpy(),
            xn=rows["xn"].to_numpy(), nn=base["xx"].to_numpy(),
        )  # fmt: skip
    table = pd.DataFrame(
        {
            "steps_back": rows["back"].to_numpy(),
            f"{what}_touchpoint": words[rows["value"].to_numpy()],
            plan.counted: rows["x"].to_numpy(np.int64),
        }
    )
    return with_rate(
        table, what, count=plan.counted, base=base["x"].to_numpy(), effective=size, confidence=plan.confidence
    )


def times_table(log: InteractionLog, plan: Plan, shares: list[float]) -> pd.DataFrame:
    """Count again, and lay out percentiles of the times."""
    return quantile_table(Counts(log.tally(count, plan=plan), key_of(log, plan)), plan, shares)
