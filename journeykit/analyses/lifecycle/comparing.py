"""Activity beside activity: what is compared, and what each customer adds to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.lifecycle.activity import Activity, Ints, see
from journeykit.estimators.proportions import clustered_mean, customer_sums, divide
from journeykit.log import InteractionLog
from journeykit.results.comparable import Comparable, by_owner, rows_of, scores_of_parts, stack_rows

if TYPE_CHECKING:
    from journeykit.analyses.lifecycle.active import ActiveResult
    from journeykit.analyses.lifecycle.base import ActivityResult
    from journeykit.analyses.lifecycle.flow import LifecycleResult
    from journeykit.analyses.lifecycle.sticky import StickinessResult

OVERALL = ""
"""Stands where a row is about all periods together."""

Count = Callable[..., tuple[Ints, Ints]]


def of_flow(result: LifecycleResult, other: Any) -> Comparable:
    """Lay out the returning rate over all periods, and in those finished ones that both results have."""
    overall = result.summary.assign(period=OVERALL)
    keys = [*_segment(result.table), "period"]
    rows = [rows_of(overall, keys, ["returning_rate"])]  # customers repeat: its interval says how sure it is
    places = [-1] * len(overall)
    if result.params["new"] == "active":  # who is new by creation is not returning, whoever was active before
        labels = result.table["period"].map(str)
        shared = set(other.table.loc[other.table["returning_rate"].notna(), "period"].map(str))
        table = result.table.assign(period=labels)[labels.isin(shared) & result.table["returning_rate"].notna()]
        rows.append(rows_of(table, keys, ["returning_rate"], "base"))
        order = {label: place for place, label in enumerate(labels.unique())}
        places += [order[label] for label in table["period"]]
    return _looked_up(result, stack_rows(rows), keys, places, _returning)


def of_stickiness(result: StickinessResult, other: Any) -> Comparable:
    """Lay out the stickiness and, in windows of as many periods, the shares active in so many or more."""
    keys = [*_segment(result.table), "active_periods"]
    rows = [rows_of(result.summary.assign(active_periods=OVERALL), keys, ["stickiness_rate"])]
    places = [0] * len(result.summary)
    if result.span[1] - result.span[0] == other.span[1] - other.span[0]:
        several = result.table["active_periods"] > 1  # in one or more: everybody
        n = result.summary.set_index(keys[:-1])["customers"] if keys[:-1] else result.summary["customers"].iloc[0]
        table = result.table[several].assign(n=result.table["segment"].map(n) if keys[:-1] else n)
        places += table["active_periods"].tolist()
        table["active_periods"] = table["active_periods"].map(str)
        rows.append(rows_of(table, keys, ["at_least_rate"], "n"))
    return _looked_up(result, stack_rows(rows), keys, places, _sticky, span=result.span)


def of_active(result: ActiveResult, other: Any) -> Comparable:
    """Lay out the stickiness over all finished windows, in those that both results have, and the mean number active."""
    keys = [*_segment(result.table), "window"]
    finished = result.summary[result.summary["status"] == "finished"]
    labels = finished["window"].map(str)
    shared = set(other.summary.loc[other.summary["status"] == "finished", "window"].map(str))
    names: Any = finished["segment"] if keys[:-1] else pd.Series("", index=finished.index)
    sums = pd.DataFrame(
        {
            "active": (finished["mean_active"] * finished["periods"]).groupby(names, sort=False).sum(),
            "base": (finished["customers"] * finished["periods"]).groupby(names, sort=False).sum(),
        }
    )
    whole = sums.assign(stickiness_rate=divide(sums["active"], sums["base"]), window=OVERALL)
    whole = whole.rename_axis("segment").reset_index()
    table = finished.assign(window=labels)[labels.isin(shared)]
    rows = [rows_of(whole, keys, ["stickiness_rate"]), rows_of(table, keys, ["stickiness_rate"])]
    order = {str(label): place for place, label in enumerate(result.summary["window"].map(str).unique())}
    places = [-1] * len(whole) + [order[label] for label in table["window"]]
    counted = result.table[result.table["status"] == "finished"]
    of: Any = counted["segment"] if keys[:-1] else pd.Series("", index=counted.index)
    plain = whole.assign(mean_active=whole["segment"].map(counted["active"].groupby(of, sort=False).mean()))
    rows.append(rows_of(plain, keys, ["mean_active"]))
    together = stack_rows(rows)
    found = _looked_up(result, together, keys, places, _in_windows, window=result.window)
    if found.parts is not None:
        _give_intervals(found, len(whole), result.params["confidence"])
    return found


def _give_intervals(found: Comparable, rows: int, confidence: float) -> None:
    """Add the intervals of the first rows, over their customers."""
    assert found.parts is not None
    parts = found.parts(range(rows))
    for row in range(rows):
        sums = customer_sums(parts[row, "x"], parts[row, "n"])
        sums["customers"] = int((parts[row, "n"] > 0).sum())
        _, low, high = (np.atleast_1d(each)[0] for each in clustered_mean(**sums, confidence=confidence))
        found.rows.loc[row, ["low", "high"]] = np.clip([low, high], 0, 1)


def _segment(table: pd.DataFrame) -> list[str]:
    return ["segment"] if "segment" in table else []


def _looked_up(
    result: ActivityResult, rows: pd.DataFrame, keys: list[str], places: list[int], count: Count, **asked: Any
) -> Comparable:
    """Make a comparable whose customers are looked up in the log; rows beyond `places` are plain numbers."""
    log, activity = result.log, result.activity
    if log is None or activity is None:
        return Comparable(rows, tuple(keys))
    segments = rows["segment"].tolist() if "segment" in rows else [""] * len(rows)

    def parts(wanted: Sequence[int]) -> pd.DataFrame:
        own = sorted({places[row] for row in wanted})
        found = log.tally(customer_parts, activity=activity, part=count, places=own, **asked)
        ids = pd.Index(found.index.get_level_values("customer"), name="customer")
        columns: dict[Any, Any] = {}
        for row in wanted:
            inside = found.index.get_level_values("segment") == segments[row]
            for what in "xn":
                columns[row, what] = np.where(inside, found[f"{what}{places[row]}"].to_numpy(), 0)
        return by_owner(log, pd.DataFrame(columns, index=ids))

    def customers() -> pd.Index:
        first = parts([row for row in range(len(places)) if places[row] == places[0]] or [0])
        n: Any = first.xs("n", axis=1, level=1).to_numpy()
        ids: pd.Index = first.index[np.flatnonzero(n.any(axis=1))]
        return ids

    return Comparable(rows, tuple(keys), scores_of_parts(parts), parts, customers)


def customer_parts(
    log: InteractionLog, *, activity: Activity, part: Count, places: list[int], **asked: Any
) -> pd.DataFrame:
    """Tally: each customer's x and n in each place, by customer and segment."""
    seen = see(log, activity)
    rows = np.flatnonzero(seen.marked) if seen.marked.size else np.arange(log.n_events)
    who, period = log.customer_codes[rows].astype(np.int64), seen.periods[rows].astype(np.int64)
    new = np.flatnonzero(np.append(True, (who[1:] != who[:-1]) | (period[1:] != period[:-1])))[: len(who)]
    who, period = who[new], period[new]  # each active period of each customer once
    names = np.array([*seen.names, ""], dtype=object)
    there = np.flatnonzero(seen.groups >= 0)
    columns: dict[str, Any] = {}
    for place in places:
        x, n = part(log, activity, who, period, place, **asked)
        columns |= {f"x{place}": x[there], f"n{place}": n[there]}
    index = pd.MultiIndex.from_arrays([log.customers[there], names[seen.groups[there]]], names=["customer", "segment"])
    return pd.DataFrame(columns, index=index)


def _bincount(who: Ints, log: InteractionLog) -> Ints:
    return np.bincount(who, minlength=log.n_customers).astype(np.int64)


def _returning(log: InteractionLog, activity: Activity, who: Ints, period: Ints, place: int) -> tuple[Ints, Ints]:
    """Of periods after an active one, those that were active: in one place, or (-1) in all finished ones."""
    finished = activity.finished(log)
    again = np.flatnonzero((who[1:] == who[:-1]) & (period[1:] == period[:-1] + 1)) + 1
    if place >= 0:
        return _bincount(who[again[period[again] == place]], log), _bincount(who[period == place - 1], log)
    return _bincount(who[again[period[again] < finished]], log), _bincount(who[period + 1 < finished], log)


def _sticky(
    log: InteractionLog, activity: Activity, who: Ints, period: Ints, place: int, *, span: tuple[int, int]
) -> tuple[Ints, Ints]:
    """Active periods of those in the window (0), or whether there were so many of them (2 …)."""
    active = _bincount(who[(period >= span[0]) & (period < span[1])], log)
    if place == 0:
        return active, np.where(active > 0, span[1] - span[0], 0)
    return (active >= place).astype(np.int64), (active > 0).astype(np.int64)


def _in_windows(
    log: InteractionLog, activity: Activity, who: Ints, period: Ints, place: int, *, window: Activity
) -> tuple[Ints, Ints]:
    """Active periods in one window, or (-1) in all finished ones, of as many as the customer's windows have."""
    from journeykit.analyses.lifecycle.active import window_of_periods

    of = window_of_periods(log, activity, window)
    counted = of == place if place >= 0 else of < window.finished(log)
    sizes = np.bincount(of, minlength=int(of.max(initial=0)) + 1)
    inside = counted[period]
    who, windows = who[inside], of[period[inside]].astype(np.int64)
    new = np.flatnonzero(np.append(True, (who[1:] != who[:-1]) | (windows[1:] != windows[:-1])))[: len(who)]
    n = np.bincount(who[new], sizes[windows[new]], minlength=log.n_customers).astype(np.int64)
    return _bincount(who, log), n
