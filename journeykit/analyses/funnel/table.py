"""From counts to a funnel's tables: rates, times, differences."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.funnel.counts import Counts, Part
from journeykit.analyses.funnel.plan import Plan
from journeykit.estimators.differences import holm, rate_differences
from journeykit.estimators.proportions import divide, wilson
from journeykit.results.base import left_out_table
from journeykit.schema import SECOND

Longs = npt.NDArray[np.int64]


def step_table(counts: Counts, plan: Plan) -> pd.DataFrame:
    """Lay out one row a step (and group with anyone in it)."""
    frames = []
    for group, label in enumerate(plan.labels or ("",)):
        frame = _one_group(counts, plan, group)
        if plan.by is None:
            return frame
        anyone = frame["customers"].max() > 0 or frame["customers_mature"].max() > 0
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
    table = pd.DataFrame(
        {
            "step": plan.names,
            "customers": every[1:],
            "customers_mature": mature[1:],
            **_rate("step", base[1:], n_before[1:], known=before[1:] >= plan.first_shown, confidence=plan.confidence),
            **_rate("reach", base[1:], base[plan.first_shown], known=shown, confidence=plan.confidence),
            **_times(counts, plan, group),
            "dropped": stopped[1:],
            "open": still_open[1:],
        }
    )
    first = plan.first_shown - 1
    if base[plan.first_shown] > 0:  # all who are there are there: nothing is estimated
        table.loc[first, ["reach_rate_low", "reach_rate_high"]] = np.nan
    return table.iloc[first:].reset_index(drop=True)


def reached(counts: Counts, plan: Plan, stopped: Part, filled: Part, group: int) -> Longs:
    """Customers at each step, from 1 (position 0: all who entered)."""
    there = np.cumsum(_by_step(counts, plan, stopped, group)[::-1])[::-1].copy()
    for k in plan.optional:
        there[k] = counts.number(filled, k, group)
    there[0] = there[1]
    return there


def _by_step(counts: Counts, plan: Plan, part: Part, group: int) -> Longs:
    return np.array([0, *(counts.number(part, k, group) for k in range(1, plan.n_steps + 1))], dtype=np.int64)


def _rate(name: str, count: Longs, n: Any, *, known: Any, confidence: float) -> dict[str, Any]:
    size, count = np.where(known, n, 0), np.where(known, count, 0)
    low, high = wilson(count, size, confidence)
    return {f"{name}_rate": divide(count, size), f"{name}_rate_low": low, f"{name}_rate_high": high}


def _times(counts: Counts, plan: Plan, group: int) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for prefix, part in (("", Part.FROM_BASE), ("entry_", Part.FROM_ENTRY)):
        found = [duration_summary(*counts.durations(part, k, group)) for k in range(1, plan.n_steps + 1)]
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


def summary_table(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Lay out one row a group: entered, converted, time, and the biggest leak."""
    if plan.by is None:
        return pd.DataFrame([_headline(table, plan)])
    rows = [{"segment": segment, **_headline(part, plan)} for segment, part in table.groupby("segment", sort=False)]
    return pd.DataFrame(rows, columns=["segment", *_headline(table.iloc[:0], plan)])


def _headline(table: pd.DataFrame, plan: Plan) -> dict[str, Any]:
    rows = {str(row["step"]): row for row in table.to_dict("records")}
    shown = [k for k in range(plan.first_shown, plan.last_required + 1) if k not in plan.optional]
    names = [plan.names[k - 1] for k in shown]
    base_column = "customers_mature" if plan.base == "mature" else "customers"
    sizes = [int(rows[name][base_column]) if rows else 0 for name in names]
    lost = [a - b for a, b in pairwise(sizes)]
    worst = int(np.argmax(lost)) if any(lost) else None
    first, last = (rows[names[0]], rows[names[-1]]) if rows else (None, None)
    low, high = wilson(lost[worst], sizes[worst], plan.confidence) if worst is not None else (np.nan, np.nan)
    return {
        "customers": 0 if first is None else int(first["customers"]),
        "customers_mature": 0 if first is None else int(first["customers_mature"]),
        "converted": sizes[-1],
        "conversion_rate": np.nan if last is None else last["reach_rate"],
        "conversion_rate_low": np.nan if last is None else last["reach_rate_low"],
        "conversion_rate_high": np.nan if last is None else last["reach_rate_high"],
        "median_seconds": np.nan if last is None else last["entry_median_seconds"],
        "leak_step": None if worst is None else names[worst],
        "leak_next_step": None if worst is None else names[worst + 1],
        "leak_customers": 0 if worst is None else lost[worst],
        "leak_rate": np.nan if worst is None else lost[worst] / sizes[worst],
        "leak_rate_low": low,
        "leak_rate_high": high,
    }


def comparison_table(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Compare every group with the first: each step's rate, and the reach of the last step; one family."""
    columns = ["step", "rate", "a", "b", "difference_rate", "difference_rate_low", "difference_rate_high"]
    columns += ["p_value", "p_value_holm"]
    base_column = "customers_mature" if plan.base == "mature" else "customers"
    frames = []
    if plan.by is not None and len(table["segment"].unique()) > 1:
        shown = [k for k in range(plan.first_shown + 1, plan.n_steps + 1) if plan.base_steps[k] >= plan.first_shown]
        asked = [(k, plan.base_steps[k], "step_rate") for k in shown]
        if plan.last_required in shown and plan.base_steps[plan.last_required] != plan.first_shown:
            asked.append((plan.last_required, plan.first_shown, "reach_rate"))
        by_step = {step: rows for step, rows in table.groupby("step", sort=False)}
        for k, base, rate in asked:
            rows, n = by_step[plan.names[k - 1]], by_step[plan.names[base - 1]][base_column].to_numpy()
            found = rate_differences(rows, rate, group="segment", n=n)
            frames.append(found.assign(step=plan.names[k - 1], rate=rate))
    if not frames:
        return pd.DataFrame(columns=columns)
    together = pd.concat(frames, ignore_index=True)
    together["p_value_holm"] = holm(together["p_value"])
    return together[columns]


def left_out(counts: Counts, plan: Plan) -> pd.DataFrame:
    """Count who is in no row that rates are over, by reason."""
    over_mature = plan.base == "mature"
    entered = counts.number(Part.STOPPED_MATURE if over_mature else Part.STOPPED, 0)
    immature = counts.number(Part.ONLY_IMMATURE, 0) if over_mature else 0
    return left_out_table(
        {
            "funnel.not_entered": entered - immature,
            "funnel.immature": immature,
            "funnel.no_group": counts.number(Part.NO_GROUP, 0),
            "funnel.spoilt": counts.number(Part.SPOILT_MATURE if over_mature else Part.SPOILT, 0),
        }
    )
