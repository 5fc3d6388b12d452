"""What a trend of conversion counts over any set of whole customers: key → number."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.clocks import Clocks, find_clocks
from journeykit.analyses.conversion.entries import Longs, count_equal_keys, n_distinct
from journeykit.analyses.conversion.trend_plan import TrendPlan
from journeykit.log.interactions import InteractionLog

NAMES = ["part", "group", "period", "value"]


class Part(IntEnum):
    """What is counted, by group and period."""

    ENTERED = 0
    CUSTOMERS = 1  # owners who came to from_step
    N = 2  # clocks that came to from_step; X: to to_step; and their squares and products within owners
    X = 3
    NN = 4
    XN = 5
    XX = 6
    BOTH = 7  # owners who also came to from_step in the period before, and products of the two periods
    XA_XB = 8
    XA_NB = 9
    NA_XB = 10
    NA_NB = 11
    POOL = 12  # over all finished periods of a group (period 0), value: 0 owners, 1 x, 2 n, 3 xx, 4 xn, 5 nn
    CONVERTED = 13  # value: microseconds
    WATCHED = 14  # not converted; value: microseconds for which it was watched
    PEOPLE = 15  # group 0, period 0; value 0: entered at all, 1: entered in a finished period


def count_trend(log: InteractionLog, plan: TrendPlan) -> pd.DataFrame:
    """Tally: numbers of clocks and owners by part, group and period."""
    found = find_clocks(log, plan)
    places = found.groups * plan.n_periods + found.periods
    came = found.reached >= plan.from_step
    pieces = [_number(plan, Part.ENTERED, places), *_sums(log, plan, found, came)]
    pieces.append(_timed(plan, Part.CONVERTED, places[found.converted], found.durations[found.converted]))
    if plan.clock == "first":
        waiting = came & ~found.converted
        pieces.append(_timed(plan, Part.WATCHED, places[waiting], found.durations[waiting]))
    finished = plan.finished[found.periods] if len(found.periods) else np.zeros(0, dtype=bool)
    for value, customers in ((0, found.customers), (1, found.customers[finished])):
        pieces.append(_frame(Part.PEOPLE, plan, np.zeros(1, np.int64), [n_distinct(customers)], value))
    return pd.concat(pieces, ignore_index=True).set_index(NAMES)


def _sums(log: InteractionLog, plan: TrendPlan, found: Clocks, came: Any) -> list[pd.DataFrame]:
    """Add up, within each owner, the clocks of a period; then squares, and products with the period before."""
    if not came.any():
        return []
    n_periods = plan.n_periods
    owners = log.owner_codes[found.customers[came]]
    # One number for (group, owner, period), in this order: clocks of one owner follow each other by period.
    keys = (found.groups[came] * len(log.owners) + owners) * n_periods + found.periods[came]
    converted = found.converted[came].astype(np.int64)
    if (np.diff(keys) < 0).any():
        order = np.argsort(keys, kind="stable")
        keys, converted = keys[order], converted[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    n = np.diff(starts, append=len(keys))
    x = np.add.reduceat(converted, starts)
    whose, periods = np.divmod(keys[starts], n_periods)
    groups = whose // len(log.owners)
    places = groups * n_periods + periods
    parts = {Part.CUSTOMERS: None, Part.N: n, Part.X: x, Part.NN: n * n, Part.XN: x * n, Part.XX: x * x}
    pieces = [_number(plan, part, places, value) for part, value in parts.items()]
    after = np.flatnonzero((np.diff(whose, prepend=-1) == 0) & (np.diff(periods, prepend=-2) == 1))
    before = after - 1
    products = {
        Part.BOTH: None, Part.XA_XB: x[before] * x[after], Part.XA_NB: x[before] * n[after],
        Part.NA_XB: n[before] * x[after], Part.NA_NB: n[before] * n[after],
    }  # fmt: skip
    pieces += [_number(plan, part, places[after], value) for part, value in products.items()]
    kept = plan.finished[periods]
    return [*pieces, *_pool(plan, whose[kept], groups[kept], x[kept], n[kept])]


def _pool(plan: TrendPlan, whose: Longs, groups: Longs, x: Longs, n: Longs) -> list[pd.DataFrame]:
    """Add up within each owner over all finished periods."""
    starts = np.flatnonzero(np.diff(whose, prepend=-1))
    if not len(starts):
        return []
    places, of_x, of_n = (
        groups[starts] * plan.n_periods, np.add.reduceat(x, starts), np.add.reduceat(n, starts)
    )  # fmt: skip
    values = (None, of_x, of_n, of_x * of_x, of_x * of_n, of_n * of_n)
    return [_number(plan, Part.POOL, places, weight, value) for value, weight in enumerate(values)]


def _number(plan: TrendPlan, part: Part, places: Longs, weight: Any = None, value: int = 0) -> pd.DataFrame:
    """Add up a weight (1 each) by place, which is group × periods + period."""
    numbers = np.bincount(places, weight, minlength=1)  # whole numbers, exact as floats
    some = np.flatnonzero(numbers)
    return _frame(part, plan, some, numbers[some], value)


def _timed(plan: TrendPlan, part: Part, places: Longs, durations: Longs) -> pd.DataFrame:
    """Count by place and duration."""
    bits = plan.within.bit_length()
    if int(places.max(initial=0)).bit_length() + bits <= 63:
        keys, numbers = count_equal_keys((places << bits) | durations)
        return _frame(part, plan, keys >> bits, numbers, keys & ((1 << bits) - 1))
    counted = pd.DataFrame({"place": places, "value": durations}).groupby(["place", "value"]).size().reset_index()
    return _frame(part, plan, counted["place"].to_numpy(), counted[0].to_numpy(), counted["value"].to_numpy())


def _frame(part: Part, plan: TrendPlan, places: Longs, numbers: Any, values: Any) -> pd.DataFrame:
    groups, periods = np.divmod(places, plan.n_periods)
    columns = {"part": int(part), "group": groups, "period": periods, "value": values, "n": numbers}
    return pd.DataFrame(columns).astype(np.int64)


class TrendCounts:
    """A merged tally, read by part.

    Parameters
    ----------
    frame : DataFrame
        What `count_trend` returned, or several merged.
    n_groups, n_periods : int
        How many there are.
    """

    def __init__(self, frame: pd.DataFrame, n_groups: int, n_periods: int) -> None:
        self._parts = {int(str(part)): rows for part, rows in frame.reset_index().groupby("part")}
        self._shape = (n_groups, n_periods)

    def numbers(self, part: Part) -> Longs:
        """Return numbers by group and period."""
        found = np.zeros(self._shape, np.int64)
        rows = self._parts.get(int(part))
        if rows is not None:
            found[rows["group"].to_numpy(), rows["period"].to_numpy()] = rows["n"].to_numpy()
        return found

    def values(self, part: Part, group: int | None = None) -> pd.DataFrame:
        """Return `group`, `period`, `value`, `n`."""
        rows = self._parts.get(int(part))
        if rows is None:
            return pd.DataFrame(np.zeros((0, 4), np.int64), columns=["group", "period", "value", "n"])
        return rows if group is None else rows[rows["group"] == group]


def list_trend_customers(log: InteractionLog, plan: TrendPlan, period: int, group: int, who: str) -> pd.DataFrame:
    """Tally: the customers behind a number of a period, one row each."""
    found = find_clocks(log, plan)
    chosen = found.periods == period
    if who != "started":
        chosen &= found.reached >= (plan.from_step if who == "customers" else plan.to_step)
    if group >= 0:
        chosen &= found.groups == group
    ids = log.customers[np.unique(found.customers[chosen])]
    return pd.DataFrame({"n": np.ones(len(ids), np.int64)}, index=ids.rename("customer"))
