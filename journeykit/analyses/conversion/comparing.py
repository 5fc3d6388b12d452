"""Conversion beside conversion: curves read at the same times, trends period by period, and who is behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.clocks import find_clocks
from journeykit.analyses.conversion.counts import count_entries, key_of, ways
from journeykit.analyses.conversion.curves import tables
from journeykit.analyses.conversion.entries import CONVERTED, find_entries
from journeykit.analyses.conversion.estimate import estimate
from journeykit.analyses.conversion.grid import HORIZONS
from journeykit.analyses.conversion.plan import Plan
from journeykit.analyses.conversion.trend_plan import TrendPlan
from journeykit.estimators.influence import Influence, incidence_influence
from journeykit.log import InteractionLog
from journeykit.results.comparable import Comparable, rows_of, scores_of_parts, stack_rows
from journeykit.schema import SECOND

if TYPE_CHECKING:
    from journeykit.analyses.conversion.curve import ConversionCurve
    from journeykit.analyses.conversion.trend import FunnelTrend

OVERALL = ""
"""Stands where a row is about all periods together."""


def of_curve(result: ConversionCurve, other: ConversionCurve) -> Comparable:
    """Lay out the share converted at familiar times and at the nearer horizon; with a window, the mean time too."""
    keys = [*(["segment"] if result.params["by"] is not None else []), "time_seconds"]
    horizons = [each.params["horizon_seconds"] for each in (result, other)]
    whole = result.summary.rename(columns={"horizon_seconds": "time_seconds"})
    same = horizons[0] == horizons[1]
    measures = ["conversion_rate", "mean_seconds"] if same else ["conversion_rate"]
    nobody = result.table.empty or other.table.empty
    if nobody or result.log is None or result.plan is None or None in horizons:
        return Comparable(rows_of(whole, keys, measures), tuple(keys))
    horizon = int(min(horizons) * SECOND)
    both = pd.concat([each.table.loc[each.table["events"] > 0, "time_seconds"] for each in (result, other)])
    times = np.array([*(time for time in HORIZONS if both.min() * SECOND <= time < horizon), horizon])
    read = estimate(result.log, result.plan, times).table.rename(columns={"converted_rate": "conversion_rate"})
    for end in ("low", "high"):
        read = read.rename(columns={f"converted_rate_{end}": f"conversion_rate_{end}"})
    parts = [rows_of(read, keys, ["conversion_rate"])]
    if same:
        parts.append(rows_of(whole, keys, ["mean_seconds"]))
    rows = stack_rows(parts)
    look = _CurveLookup(result.log, result.plan, rows)
    main = int(np.flatnonzero(rows["time_seconds"] == horizon / SECOND)[0])
    return Comparable(rows, tuple(keys), look.scores, customers=look.customers, main=main)


class _CurveLookup:
    """The customers behind the rows of a curve."""

    def __init__(self, log: Any, plan: Plan, rows: pd.DataFrame) -> None:
        self._log, self._plan, self._rows = log, plan, rows
        self._curves: dict[int, Influence] = {}

    def customers(self) -> pd.Index:
        """Ids of all who entered."""
        ids: pd.Index = self._log.tally(score_owners, plan=self._plan, asked=[]).index
        return ids

    def scores(self, rows: Sequence[int]) -> pd.DataFrame:
        """Each customer's score: what their entries add to the share at a time, or to the mean up to it."""
        if not self._curves:
            risk = tables(
                key_of(self._log, self._plan).unpack(self._log.tally(count_entries, plan=self._plan)), self._plan
            )
            self._curves = {group: incidence_influence(each, f"events_{CONVERTED}") for group, each in risk.items()}
        asked = []
        for row in rows:
            at = self._rows.iloc[row]
            group = self._plan.labels.index(at["segment"]) if "segment" in at else next(iter(self._curves))
            time, influence = at["time_seconds"] * SECOND, self._curves[group]
            # The mean time without converting is the horizon less the area under the share: in seconds.
            rate = at["measure"] == "conversion_rate"
            asked.append((group, influence, influence.at(time) if rate else -influence.area(time) / SECOND))
        found = self._log.tally(score_owners, plan=self._plan, asked=asked)
        columns = {row: np.where(found[f"n{i}"] > 0, found[f"u{i}"], np.nan) for i, row in enumerate(rows)}
        return pd.DataFrame(columns, index=found.index)


def score_owners(log: InteractionLog, plan: Plan, asked: list[tuple[int, Influence, Any]]) -> pd.DataFrame:
    """Tally: what the entries of each owner add to values that are read off curves, and how many there are."""
    found = find_entries(log, plan)
    owners = log.owner_codes[found.customers].astype(np.int64)
    n_owners = len(log.owners)
    columns: dict[str, Any] = {}
    for i, (group, influence, value) in enumerate(asked):
        own = found.groups == group
        rows = value[ways(found.ends[own], CONVERTED), influence.places(found.durations[own])]
        columns[f"u{i}"] = np.bincount(owners[own], rows, n_owners)
        columns[f"n{i}"] = np.bincount(owners[own], minlength=n_owners).astype(np.int64)
    there = np.sort(pd.unique(owners))
    frame = pd.DataFrame({"entries": np.bincount(owners, minlength=n_owners).astype(np.int64), **columns})
    return frame.iloc[there].set_axis(log.owners[there].rename("customer"))


def of_trend(result: FunnelTrend, other: FunnelTrend) -> Comparable:
    """Lay out the rate over all finished periods, and in those that both results have."""
    keys = [*(["segment"] if result.params["by"] is not None else []), "period"]
    if result.summary.empty or other.summary.empty:
        return Comparable(rows_of(pd.DataFrame(), keys, []), tuple(keys))
    whole = rows_of(result.summary.assign(period=OVERALL), keys, ["conversion_rate"])  # customers may repeat
    observed = [each.table[each.table["method"] == "observed"] for each in (result, other)]
    labels = observed[0]["period"].map(str)
    shared = set(observed[1]["period"].map(str))
    table = observed[0].assign(period=labels)[labels.isin(shared)]
    rows = stack_rows([whole, rows_of(table, keys, ["conversion_rate"], "customers")])
    log, plan = result.log, result.plan
    if log is None or plan is None:
        return Comparable(rows, tuple(keys))
    order = {str(name): place for place, name in enumerate(plan.period_names(log))}
    places = [-1] * len(whole) + [order[str(name)] for name in table["period"]]
    groups = [plan.labels.index(name) for name in rows["segment"]] if "segment" in rows else [0] * len(rows)

    def parts(wanted: Sequence[int]) -> pd.DataFrame:
        asked = [(groups[row], places[row]) for row in wanted]
        found = log.tally(count_owners, plan=plan, asked=asked)
        columns = [found[f"{what}{i}"].rename((row, what)) for i, row in enumerate(wanted) for what in "xn"]
        together: pd.DataFrame = pd.concat(columns, axis=1)
        return together

    def customers() -> pd.Index:
        found = parts(range(len(whole)))
        n: Any = found.xs("n", axis=1, level=1).to_numpy()
        ids: pd.Index = found.index[np.flatnonzero(n.any(axis=1))]
        return ids

    return Comparable(rows, tuple(keys), scores_of_parts(parts), parts, customers)


def count_owners(log: InteractionLog, plan: TrendPlan, asked: list[tuple[int, int]]) -> pd.DataFrame:
    """Tally: clocks of each owner that came to `from_step`, and converted, by (group, period; -1: all finished)."""
    found = find_clocks(log, plan)
    came = found.reached >= plan.from_step
    owners = log.owner_codes[found.customers].astype(np.int64)
    columns: dict[str, Any] = {}
    for i, (group, period) in enumerate(asked):
        inside = came & (found.groups == group)
        inside &= plan.finished[found.periods] if period < 0 else found.periods == period
        for what, mask in (("x", inside & found.converted), ("n", inside)):
            columns[f"{what}{i}"] = np.bincount(owners[mask], minlength=len(log.owners)).astype(np.int64)
    return pd.DataFrame(columns, index=log.owners.rename("customer"))
