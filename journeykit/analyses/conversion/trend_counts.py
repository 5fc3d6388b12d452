"""What a trend of conversion counts over any set of whole customers: key → number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.clocks import Clocks, find_clocks
from journeykit.analyses.conversion.entries import Longs, count_equal_keys
from journeykit.analyses.conversion.trend_plan import TrendPlan
from journeykit.journey.packing import Packing
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers

Piece = tuple[Longs, Longs, Longs]
"""Places, values and numbers."""
N_VALUES = 6
"""Values that stand for something other than a time."""


class Part(IntEnum):
    """What is counted, by group and period; up to NA_NB in the order of `sum_clocks`."""

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


@dataclass(frozen=True)
class Key:
    """Number (part, group, period), the place of a value in a tally."""

    n_groups: int
    n_periods: int
    largest: int

    @property
    def packing(self) -> Packing:
        """How places and values are packed."""
        return Packing(len(Part) * self.n_groups * self.n_periods, self.largest)

    def frame(self, pieces: list[Piece]) -> pd.DataFrame:
        """Lay out pieces as a tally."""
        places, values, numbers = (np.concatenate(each) for each in zip(*pieces, strict=True))
        return pd.DataFrame({"n": numbers}, index=self.packing.index(places, values))

    def unpack(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Lay out `part`, `group`, `period`, `value`, `n`."""
        places, values = self.packing.split(frame.index)
        groups, periods = np.divmod(places, self.n_periods)
        parts, groups = np.divmod(groups, self.n_groups)
        columns = {"part": parts, "group": groups, "period": periods, "value": values}
        return pd.DataFrame({**columns, "n": frame["n"].to_numpy()})


def key_of(plan: TrendPlan) -> Key:
    """Return the key of a trend's counts: the same for the whole and each bucket."""
    return Key(len(plan.labels), plan.n_periods, max(plan.within, N_VALUES))


def count_trend(log: InteractionLog, plan: TrendPlan) -> pd.DataFrame:
    """Tally: numbers of clocks and owners by part, group and period."""
    found, key = find_clocks(log, plan), key_of(plan)
    counts, pool = _sums(log, plan, found)
    pieces = [_piece(key, Part(part), np.flatnonzero(numbers), numbers) for part, numbers in enumerate(counts)]
    for value, numbers in enumerate(pool):
        of_groups = np.zeros(key.n_groups * key.n_periods, np.int64)
        of_groups[:: key.n_periods] = numbers
        pieces.append(_piece(key, Part.POOL, np.flatnonzero(of_groups), of_groups, value))
    pieces.append(_timed(key, Part.CONVERTED, found, found.converted))
    if plan.clock == "first":
        pieces.append(_timed(key, Part.WATCHED, found, (found.reached >= plan.from_step) & ~found.converted))
    first = found.begin[:-1][np.diff(found.begin) > 0]  # a finished period is never after one that is not
    judged = np.count_nonzero(plan.finished[found.periods[first]])
    for value, people in enumerate((len(first), judged)):
        pieces.append(_piece(key, Part.PEOPLE, np.zeros(1, np.int64), np.array([people], np.int64), value))
    return key.frame(pieces)


def _sums(log: InteractionLog, plan: TrendPlan, found: Clocks) -> tuple[Longs, Longs]:
    """Add up clocks by group and period, and over finished periods by group: see `sum_clocks`."""
    from journeykit.loops.clocks import N_POOLED, N_SUMS, sum_clocks

    n_groups, n = len(plan.labels), len(found.customers)
    owners, groups, periods, reached = found.customers, np.zeros(0, np.int32), found.periods, found.reached
    in_order = plan.by is None and log.rekeyed is None  # by owner and period
    if not in_order:
        owners = log.owner_codes[found.customers]
        small = np.int16 if n_groups <= np.iinfo(np.int16).max else np.int32  # of these numpy sorts by counting
        groups = found.groups.astype(small)
        one_each = log.rekeyed is None
        order = np.argsort(groups, kind="stable") if one_each else np.lexsort((periods, owners, groups))
        owners, groups, periods, reached = owners[order], groups[order].astype(np.int32), periods[order], reached[order]

    def add_up(first: int, last: int) -> tuple[Longs, Longs]:
        counts = np.zeros((N_SUMS, n_groups * plan.n_periods), np.int64)
        pool = np.zeros((N_POOLED, n_groups), np.int64)
        sum_clocks(
            owners, groups, periods, reached, plan.finished, plan.from_step, plan.to_step, counts, pool, first, last
        )
        return counts, pool

    if not in_order:
        return add_up(0, n)
    parts = over_customers(lambda a, b: add_up(int(found.begin[a]), int(found.begin[b])), found.begin)
    counts, pools = zip(*parts, strict=True)
    return sum(counts[1:], counts[0]), sum(pools[1:], pools[0])


def _piece(key: Key, part: Part, places: Longs, numbers: Longs, value: int = 0) -> Piece:
    """Return numbers of some places, each group × periods + period."""
    return places + int(part) * key.n_groups * key.n_periods, np.full(len(places), value, np.int64), numbers[places]


def _timed(key: Key, part: Part, found: Clocks, which: Any) -> Piece:
    """Count clocks by group, period and duration."""
    rows = np.flatnonzero(which)
    places, durations = found.groups[rows] * key.n_periods + found.periods[rows], found.durations[rows]
    places += int(part) * key.n_groups * key.n_periods
    packing = key.packing
    if packing.fits:
        keys, numbers = count_equal_keys((places << packing.bits) | durations)
        return *packing.split_keys(keys), numbers
    counted = pd.DataFrame({"place": places, "value": durations}).groupby(["place", "value"]).size().reset_index()
    return counted["place"].to_numpy(), counted["value"].to_numpy(), counted[0].to_numpy()


class TrendCounts:
    """A merged tally, read by part.

    Parameters
    ----------
    frame : DataFrame
        What `count_trend` returned, or several merged.
    key : Key
        How it is packed.
    """

    def __init__(self, frame: pd.DataFrame, key: Key) -> None:
        self._parts = {int(str(part)): rows for part, rows in key.unpack(frame).groupby("part")}
        self._shape = (key.n_groups, key.n_periods)

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
    ids = log.customers[np.sort(pd.unique(found.customers[chosen]))]
    return pd.DataFrame({"n": np.ones(len(ids), np.int64)}, index=ids.rename("customer"))
