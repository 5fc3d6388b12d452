"""From counts to a funnel's tables: rates, times, differences."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.funnel.clusters import joint_of, own_sums
from journeykit.analyses.funnel.counts import REASONS
from journeykit.analyses.funnel.keys import Counts, Part
from journeykit.analyses.funnel.plan import Plan
from journeykit.estimators.differences import clustered_difference, holm, rate_differences
from journeykit.estimators.proportions import clustered_n, divide, wilson, wilson_rate
from journeykit.schema import SECOND

Longs = npt.NDArray[np.int64]


def step_table(counts: Counts, plan: Plan) -> pd.DataFrame:
    """Lay out one row a step (and group with anyone in it)."""
    frames = []
    for group, label in enumerate(plan.labels or ("",)):
        frame = _one_group(counts, plan, group)
        if plan.by is None:
            return frame
        anyone = frame[[plan.counted, f"{plan.counted}_mature"]].to_numpy().max() > 0
        if anyone or any(counts.number(Part.REACHED, k, group) for k in range(1, plan.n_steps + 1)):
            frame.insert(0, "segment", label)
            frames.append(frame)
    if not frames:  # nobody entered at all: the columns stand, without a row
        empty = _one_group(counts, plan, 0).iloc[:0]
        empty.insert(0, "segment", pd.Series(dtype=object))
        return empty
    return pd.concat(frames, ignore_index=True)


def _one_group(counts: Counts, plan: Plan, group: int) -> pd.DataFrame:
    every = reached(counts, plan, Part.STOPPED, Part.FILLED, group)
    mature = reached(counts, plan, Part.STOPPED_MATURE, Part.FILLED_MATURE, group)
    stopped = _by_step(counts, plan, Part.STOPPED_MATURE if plan.base == "mature" else Part.STOPPED, group)
    still_open = _by_step(counts, plan, Part.OPEN, group)
    if plan.base != "mature":
        stopped = stopped - still_open
    stopped[plan.last_required :] = 0  # who converted dropped nowhere
    base = mature if plan.base == "mature" else every
    before = np.array(plan.base_steps)
    n_before = np.where(before > 0, base[before], 0)
    shown = np.arange(1, plan.n_steps + 1) >= plan.first_shown
    steps = range(1, plan.n_steps + 1)
    columns: dict[str, Any] = {"step": plan.names}
    if plan.repeats:
        columns["customers"] = [counts.number(Part.PEOPLE, k, group) for k in steps]
        columns["customers_mature"] = [counts.number(Part.PEOPLE_MATURE, k, group) for k in steps]
    columns |= {plan.counted: every[1:], f"{plan.counted}_mature": mature[1:]}
    step_known = before[1:] >= plan.first_shown
    columns |= _rate("step", base[1:], n_before[1:], known=step_known, size=_sizes(counts, plan, base, group, "step"),
                     confidence=plan.confidence)  # fmt: skip
    columns |= _rate("reach", base[1:], base[plan.first_shown], known=shown,
                     size=_sizes(counts, plan, base, group, "reach"), confidence=plan.confidence)  # fmt: skip
    table = pd.DataFrame({**columns, **_times(counts, plan, group), "dropped": stopped[1:], "open": still_open[1:]})
    first = plan.first_shown - 1
    if base[plan.first_shown] > 0:  # all who are there are there: nothing is estimated
        table.loc[first, ["reach_rate_low", "reach_rate_high"]] = np.nan
    return table.iloc[first:].reset_index(drop=True)


def _sizes(counts: Counts, plan: Plan, base: Longs, group: int, rate: str) -> Any:
    """Return the number behind the interval of each step's rate: the effective one where customers repeat."""
    sizes = []
    for k in range(1, plan.n_steps + 1):
        n = plan.base_steps[k] if rate == "step" else plan.first_shown
        cross = Part.CROSS_BASE if rate == "step" else Part.CROSS_FIRST
        if not plan.repeats:
            sizes.append(float(base[n]) if n else 0.0)
        elif not n or not base[n]:
            sizes.append(0.0)
        else:
            sizes.append(float(clustered_n(**own_sums(counts, k, n, cross, int(base[k]), int(base[n]), group))))
    return np.array(sizes)


def reached(counts: Counts, plan: Plan, stopped: Part, filled: Part, group: int) -> Longs:
    """Customers at each step, from 1 (position 0: all who entered)."""
    there = np.cumsum(_by_step(counts, plan, stopped, group)[::-1])[::-1].copy()
    for k in plan.optional:
        there[k] = counts.number(filled, k, group)
    there[0] = there[1]
    return there


def _by_step(counts: Counts, plan: Plan, part: Part, group: int) -> Longs:
    return np.array([0, *(counts.number(part, k, group) for k in range(1, plan.n_steps + 1))], dtype=np.int64)


def _rate(name: str, count: Longs, n: Any, *, known: Any, size: Any, confidence: float) -> dict[str, Any]:
    n, count = np.where(known, n, 0), np.where(known, count, 0)
    rate = divide(count, n)
    low, high = wilson_rate(rate, np.where(known, size, 0), confidence)
    return {f"{name}_rate": rate, f"{name}_rate_low": low, f"{name}_rate_high": high}


def _times(counts: Counts, plan: Plan, group: int) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for prefix, part in (("", Part.FROM_BASE), ("entry_", Part.FROM_ENTRY)):
        found = [duration_summary(*counts.values(part, k, group)) for k in range(1, plan.n_steps + 1)]
        for i, name in enumerate(("median", "mean", "p90")):
            columns[f"{prefix}{name}_seconds"] = [each[i] for each in found]
    return columns


def duration_summary(values: Longs, numbers: Longs) -> tuple[float, float, float]:
    """Return median, mean and 90th percentile in seconds; NaN of nothing.

    Quantiles lie between the two nearest values, in proportion (Hyndman & Fan
    1996, type 7: numpy's and Excel's).
    """
    n = int(numbers.sum())
    if not n:
        return np.nan, np.nan, np.nan
    mean = int(values @ numbers) / n
    if n == len(values):  # one customer each: select, don't sort
        return _quantile_by_selection(values, 0.5) / SECOND, mean / SECOND, _quantile_by_selection(values, 0.9) / SECOND
    order = np.argsort(values)
    upto = np.cumsum(numbers[order])
    median, p90 = (_quantile_of_sorted(values[order], upto, n, share) for share in (0.5, 0.9))
    return median / SECOND, mean / SECOND, p90 / SECOND


def _quantile_by_selection(values: Longs, share: float) -> float:
    rank = (len(values) - 1) * share
    below = int(rank)
    parted = np.partition(values, below)
    low = float(parted[below])
    high = float(parted[below + 1 :].min()) if below + 1 < len(values) else low
    return low + (high - low) * (rank - below)


def _quantile_of_sorted(values: Longs, upto: Longs, n: int, share: float) -> float:
    rank = (n - 1) * share
    below = int(rank)
    low, high = (float(values[np.searchsorted(upto, min(r, n - 1), side="right")]) for r in (below, below + 1))
    return low + (high - low) * (rank - below)


def quantile_table(counts: Counts, plan: Plan, shares: list[float]) -> pd.DataFrame:
    """Lay out the times by which shares of those who came to a step had come there."""
    rows = []
    for group, label in enumerate(plan.labels or ("",)):
        for k in range(max(2, plan.first_shown), plan.n_steps + 1):
            own = {} if plan.by is None else {"segment": label}
            from_base, from_entry = (
                _sorted(*counts.values(part, k, group)) for part in (Part.FROM_BASE, Part.FROM_ENTRY)
            )
            n = int(from_entry[1][-1]) if len(from_entry[1]) else 0
            if plan.by is not None and not n:
                continue
            for share in shares:
                seconds, entry_seconds = (
                    _quantile_of_sorted(values, upto, n, share) / SECOND if n else np.nan
                    for values, upto in (from_base, from_entry)
                )
                rows.append(
                    {**own, "step": plan.names[k - 1], "share": share, plan.base_counted: n, "seconds": seconds,
                     "entry_seconds": entry_seconds}
                )  # fmt: skip
    columns = [*(["segment"] if plan.by is not None else []), "step", "share", plan.base_counted]
    return pd.DataFrame(rows, columns=[*columns, "seconds", "entry_seconds"])


def _sorted(values: Longs, numbers: Longs) -> tuple[Longs, Longs]:
    order = np.argsort(values)
    return values[order], np.cumsum(numbers[order])


def summary_table(counts: Counts, table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Lay out one row a group: entered, converted, time, and the biggest leak."""
    if plan.by is None:
        return pd.DataFrame([_headline(counts, table, plan, 0)])
    rows = [
        {"segment": segment, **_headline(counts, part, plan, plan.labels.index(segment))}
        for segment, part in table.groupby("segment", sort=False)
    ]
    return pd.DataFrame(rows, columns=["segment", *_headline(counts, table.iloc[:0], plan, 0)])


def _headline(counts: Counts, table: pd.DataFrame, plan: Plan, group: int) -> dict[str, Any]:
    rows = {str(row["step"]): row for row in table.to_dict("records")}
    shown = [k for k in range(plan.first_shown, plan.last_required + 1) if k not in plan.optional]
    names = [plan.names[k - 1] for k in shown]
    sizes = [int(rows[name][plan.base_counted]) if rows else 0 for name in names]
    lost = [a - b for a, b in pairwise(sizes)]
    worst = int(np.argmax(lost)) if any(lost) else None
    first, last = (rows[names[0]], rows[names[-1]]) if rows else (None, None)
    low = high = np.nan
    if worst is not None and plan.repeats:  # what is lost is what does not go on: the same spread between customers
        going_on = rows[names[worst + 1]]
        low, high = 1 - going_on["step_rate_high"], 1 - going_on["step_rate_low"]
    elif worst is not None:
        low, high = wilson(lost[worst], sizes[worst], plan.confidence)
    entered = dict.fromkeys(["customers", "customers_mature", plan.counted, f"{plan.counted}_mature"])
    return {
        **{name: 0 if first is None else int(first[name]) for name in entered},
        "converted": sizes[-1],
        "conversion_rate": np.nan if last is None else last["reach_rate"],
        "conversion_rate_low": np.nan if last is None else last["reach_rate_low"],
        "conversion_rate_high": np.nan if last is None else last["reach_rate_high"],
        "median_seconds": np.nan if last is None else last["entry_median_seconds"],
        "leak_step": None if worst is None else names[worst],
        "leak_next_step": None if worst is None else names[worst + 1],
        f"leak_{plan.counted}": 0 if worst is None else lost[worst],
        "leak_rate": np.nan if worst is None else lost[worst] / sizes[worst],
        "leak_rate_low": low,
        "leak_rate_high": high,
    }


def comparison_table(counts: Counts, table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Compare every group with the first: each step's rate, and the reach of the last step; one family."""
    columns = ["step", "rate", "a", "b", "difference_rate", "difference_rate_low", "difference_rate_high"]
    columns += ["p_value", "p_value_holm"]
    frames = []
    if plan.by is not None and len(table["segment"].unique()) > 1:
        by_step = {step: rows for step, rows in table.groupby("step", sort=False)}
        for k, base, rate in plan.compared:
            rows, before = by_step[plan.names[k - 1]], by_step[plan.names[base - 1]]
            found = _differences(counts, plan, rows, before[plan.base_counted].to_numpy(), k, base, rate)
            frames.append(found.assign(step=plan.names[k - 1], rate=rate))
    if not frames:
        return pd.DataFrame(columns=columns)
    together = pd.concat(frames, ignore_index=True)
    together["p_value_holm"] = holm(together["p_value"])
    return together[columns]


def _differences(
    counts: Counts, plan: Plan, rows: pd.DataFrame, n: Longs, k: int, base: int, rate: str
) -> pd.DataFrame:
    """Compare a rate with that of the first group; where groups share customers, by each customer's part in it."""
    if not plan.repeats and not plan.all_values:
        return rate_differences(rows, rate, group="segment", n=n)
    cross = Part.CROSS_BASE if rate == "step_rate" else Part.CROSS_FIRST
    groups = [plan.labels.index(segment) for segment in rows["segment"]]
    sums = [
        own_sums(counts, k, base, cross, int(x), int(size), group)
        for x, size, group in zip(rows[plan.base_counted], n, groups, strict=True)
    ]
    size = np.array([float(clustered_n(**each)) for each in sums]) if plan.repeats else n
    found = rate_differences(rows, rate, group="segment", n=size)
    for i in range(1, len(groups)):
        if counts.at(Part.BOTH, base, groups[0], groups[i]):
            joint = joint_of(counts, k, base, cross, sums[i], sums[0], (groups[i], groups[0]))
            names = ["difference_rate", "difference_rate_low", "difference_rate_high", "p_value"]
            found.loc[i - 1, names] = clustered_difference(joint, plan.confidence).iloc[0].to_numpy()
    return found


def left_out(counts: Counts, plan: Plan, *, no_unit: int = 0) -> pd.DataFrame:
    """Count who is in no row that rates are over, by reason; where something else is counted, that too."""
    order = ["funnel.no_unit", REASONS[0], REASONS[1], REASONS[2], REASONS[4], REASONS[3]]
    columns = {"customers": Part.LEFT_OUT} | ({plan.counted: Part.LEFT_OUT_COUNTED} if plan.repeats else {})
    table = pd.DataFrame({"reason": order})
    for name, part in columns.items():
        values, numbers = counts.values(part, 0)
        found = np.bincount(values, numbers, minlength=len(REASONS)).astype(np.int64)
        table[name] = [0 if reason not in REASONS else int(found[REASONS.index(reason)]) for reason in order]
    table.loc[0, "customers"] = no_unit
    return table[table[list(columns)].any(axis=1)].reset_index(drop=True)
