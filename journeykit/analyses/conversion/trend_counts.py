"""What a trend of conversion counts over any set of whole customers: key → number."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.clocks import Clocks, find_clocks
from journeykit.analyses.conversion.entries import Longs
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
    came = found.reached >= plan.from_step
    pieces = [_number(Part.ENTERED, found.groups, found.periods)]
    pieces += _sums(log, plan, found, came)
    for part, mask in ((Part.CONVERTED, found.converted), (Part.WATCHED, came & ~found.converted)):
        if part == Part.WATCHED and plan.clock == "last":
            continue
        pieces.append(_number(part, found.groups[mask], found.periods[mask], found.durations[mask]))
    finished = plan.finished[found.periods] if len(found.periods) else np.zeros(0, dtype=bool)
    for value, customers in ((0, found.customers), (1, found.customers[finished])):
        pieces.append(_row(Part.PEOPLE, 0, 0, value, len(np.unique(customers))))
    frame = pd.concat(pieces, ignore_index=True)
    return frame.set_index(NAMES)


def _sums(log: InteractionLog, plan: TrendPlan, found: Clocks, came: Any) -> list[pd.DataFrame]:
    """Add up, within each owner, the clocks of a period; then squares, and products with the period before."""
    groups, periods = found.groups[came], found.periods[came]
    owners = log.owner_codes[found.customers[came]] if came.any() else np.zeros(0, np.int32)
    order = np.lexsort((periods, owners, groups))
    groups, periods, owners = groups[order], periods[order], owners[order]
    converted = found.converted[came][order].astype(np.int64)
    same_owner = _same(groups, owners)
    starts = np.flatnonzero(~(same_owner & _same(periods)))
    n = np.diff(np.r_[starts, len(groups)])
    x = np.add.reduceat(converted, starts) if len(starts) else converted
    groups, periods, owners = groups[starts], periods[starts], owners[starts]
    parts = {
        Part.CUSTOMERS: np.ones(len(n), np.int64), Part.N: n, Part.X: x, Part.NN: n * n, Part.XN: x * n, Part.XX: x * x
    }  # fmt: skip
    pieces = [_number(part, groups, periods, weight=value) for part, value in parts.items()]
    # Rows of one owner follow each other by period: the one before may be of the period before.
    after = np.flatnonzero(_same(groups, owners) & (np.diff(periods, prepend=-2) == 1))
    before = after - 1
    products = {
        Part.BOTH: np.ones(len(after), np.int64), Part.XA_XB: x[before] * x[after], Part.XA_NB: x[before] * n[after],
        Part.NA_XB: n[before] * x[after], Part.NA_NB: n[before] * n[after],
    }  # fmt: skip
    pieces += [_number(part, groups[after], periods[after], weight=value) for part, value in products.items()]
    kept = plan.finished[periods] if len(periods) else np.zeros(0, dtype=bool)
    return [*pieces, *_pool(groups[kept], owners[kept], x[kept], n[kept])]


def _pool(groups: Longs, owners: Any, x: Longs, n: Longs) -> list[pd.DataFrame]:
    """Add up within each owner over all finished periods."""
    starts = np.flatnonzero(~_same(groups, owners))
    if not len(starts):
        return []
    group, of_x, of_n = groups[starts], np.add.reduceat(x, starts), np.add.reduceat(n, starts)
    values = (np.ones(len(starts), np.int64), of_x, of_n, of_x * of_x, of_x * of_n, of_n * of_n)
    zeros = np.zeros(len(starts), np.int64)
    return [_number(Part.POOL, group, zeros, zeros + place, weight=value) for place, value in enumerate(values)]


def _same(*columns: Any) -> Any:
    """Say of each row whether it is like the one before in all columns."""
    same = np.ones(len(columns[0]), dtype=bool)
    same[:1] = False
    for column in columns:
        same[1:] &= column[1:] == column[:-1]
    return same


def _number(part: Part, groups: Longs, periods: Longs, values: Any = 0, weight: Any = None) -> pd.DataFrame:
    """Add up a weight (1 each) by group, period and value."""
    values = np.broadcast_to(np.asarray(values, np.int64), groups.shape)
    order = np.lexsort((values, periods, groups))
    groups, periods, values = groups[order], periods[order], values[order]
    starts = np.flatnonzero(~_same(groups, periods, values))
    if weight is None:
        numbers = np.diff(np.r_[starts, len(groups)])
    else:
        numbers = np.add.reduceat(weight[order], starts) if len(starts) else np.zeros(0, np.int64)
    return pd.DataFrame(
        {"part": int(part), "group": groups[starts], "period": periods[starts], "value": values[starts], "n": numbers}
    ).astype(np.int64)


def _row(part: Part, group: int, period: int, value: int, n: int) -> pd.DataFrame:
    return pd.DataFrame({"part": [int(part)], "group": [group], "period": [period], "value": [value], "n": [n]})


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
