"""When the terms of a contract end: by the calendar, or after a number of days."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.rules import Contract
from journeykit.loops.contracts import AS_BEFORE, UNKNOWN

Days = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Calendar:
    """Which month each day lies in, and the first day of each month, for loops.

    Attributes
    ----------
    base : int
        The first day, since 1970.
    month_of : array
        Place in `month_first` of the month of each day from `base` on.
    month_first : array
        First day of each month.
    """

    base: int
    month_of: Days
    month_first: Days

    @classmethod
    def over(cls, rule: Contract, first: int, last: int) -> Calendar:
        """Lay out the months of days, and those of the next term."""
        longest = max(rule.months_and_days[0])
        if not longest:
            nothing = np.zeros(0, np.int32)
            return cls(first, nothing, nothing)
        days = np.arange(first, last + 1).astype("M8[D]")
        months = days.astype("M8[M]")
        begin, end = months[0], months[-1] + 2 * longest + 2
        month_first = np.arange(begin, end).astype("M8[D]").astype(np.int64).astype(np.int32)
        return cls(first, (months - begin).astype(np.int64).astype(np.int32), month_first)


def term_ends(rule: Contract, start: npt.NDArray[np.int64], terms: int) -> npt.NDArray[np.int64]:
    """Find the day on which so many terms have passed since a start."""
    if not rule.months:
        return start + terms * rule.days
    days = start.astype("M8[D]")
    month = days.astype("M8[M]")
    target = month + terms * rule.months
    length = ((target + 1).astype("M8[D]") - target.astype("M8[D]")).astype(np.int64)
    of_month = (days - month.astype("M8[D]")).astype(np.int64)
    found: npt.NDArray[np.int64] = target.astype("M8[D]").astype(np.int64) + np.minimum(of_month, length - 1)
    return found


def lengths_of(rule: Contract, log: Any) -> npt.NDArray[np.int32]:
    """Find which length each event says that a term has: the place in `rule.lengths`; nothing where all are alike."""
    if rule.column is None:
        return np.zeros(0, np.int32)
    codes, values = pd.factorize(log.column(rule.column))
    places = {value: place for place, value in enumerate(rule.lengths)}
    known = [places.get(each, UNKNOWN) if isinstance(each, Hashable) else UNKNOWN for each in values]
    found: npt.NDArray[np.int32] = np.array([*known, AS_BEFORE], np.int32)[codes]  # a missing value has the code -1
    return found
