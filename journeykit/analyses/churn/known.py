"""Segments of customers, and since when each is known: nobody is watched as one of a segment before that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.rules import OVERALL
from journeykit.errors import ParameterError
from journeykit.journey.groups import labels_at
from journeykit.log.interactions import InteractionLog
from journeykit.loops.tenures import NEVER
from journeykit.schema import MISSING, UNMAPPED

if TYPE_CHECKING:
    from journeykit.analyses.churn.question import Starts

Days = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """Since when each customer's segment is known, where that is after the start.

    Attributes
    ----------
    late : array of bool
        Whether it became known after the start, or never.
    day : array
        The day on which it did, since 1970; NEVER if it did not.
    by_activity : bool
        Whether it was an event of the customer's own that made it known: from
        then on a silence of d days needs d days, so nobody can leave.
    """

    late: npt.NDArray[np.bool_]
    day: npt.NDArray[np.int64]
    by_activity: bool

    def enters(self, start_day: Days, enters: Days, limit: int) -> Days:
        """Postpone the age from which on a customer is watched until the segment is known."""
        age = self.day - start_day + (limit if self.by_activity else 0)
        return np.where(self.late, np.maximum(enters, np.minimum(age, NEVER)), enters).astype(np.int32)


def group_labels(log: InteractionLog, by: str | None, rows: Codes, customer: Codes) -> tuple[Days, pd.Index]:
    """Read the groups of customers at one event each, -1 for none: codes, and the labels of the groups.

    Of a segment (`with_segment`, `with_customers(known_at=…)`) it is the
    label, whenever it became known.
    """
    if by is None:
        return np.zeros(len(rows), np.int32), pd.Index([OVERALL], dtype=object)
    if by in log.segments:
        found = log.segments[by]
        names = [*map(str, found.labels), MISSING]
        one_each, unique = pd.factorize(np.array(names, dtype=object))  # 1 and "1" read the same
        return one_each[found.codes[customer]].astype(np.int32), pd.Index(unique, dtype=object)
    codes, labels = labels_at(log, by, np.maximum(rows, 0), log.offsets[customer])
    missing = labels.index(UNMAPPED if by == "stage" else MISSING)
    return np.where(rows < 0, missing, codes).astype(np.int32), pd.Index(labels, dtype=object)


def find_known(log: InteractionLog, segment: str, starts: Starts, *, same_day: bool, by_activity: bool) -> Known:
    """Find since when a segment is known; with `same_day` what becomes known on the first day is known at once."""
    rows, start_day = starts.row, starts.day
    known_at = log.segments[segment].known_at[starts.customer]
    day = np.where(known_at < log.observed_until, _local_days(log, np.minimum(known_at, log.observed_until)), NEVER)
    at_once = same_day | ((rows >= 0) & (known_at <= log.times[np.maximum(rows, 0)]))
    late = (day > start_day) | ((day == start_day) & ~at_once)
    return Known(late, day, by_activity)


def segments_by_activity(log: Any, names: Iterable[str]) -> frozenset[str]:
    """Choose the segments that became known by an event of the customer's own, wherever they did so after the first."""
    found = []
    for name in names:
        if name in log.segments:
            counted = log.tally(_count_known, segment=name)
            if counted["later"].sum() and counted["later"].sum() == counted["by_event"].sum():
                found.append(name)
    return frozenset(found)


def _count_known(log: InteractionLog, *, segment: str) -> pd.DataFrame:
    """Count customers whose segment became known after their first event; and of these, on another event of theirs."""
    known_at = log.segments[segment].known_at
    later = (known_at > log.times[log.offsets[:-1]]) & (known_at < log.observed_until)
    on_event = np.zeros(log.n_customers, bool)
    on_event[log.customer_codes[log.times == known_at[log.customer_codes]]] = True
    counts = {"later": int(later.sum()), "by_event": int((later & on_event).sum())}
    return pd.DataFrame([counts], index=pd.Index([segment], name="segment"))


def refuse_late_segments(log: Any, by: str | None, rows: npt.NDArray[np.int64]) -> None:
    """Raise ParameterError if a segment became known only after the events at which it is needed."""
    if by is None or by not in log.segments:
        return
    there = rows >= 0
    late = there & (log.segments[by].known_at > log.times[np.maximum(rows, 0)])
    if late.any():
        raise ParameterError(
            f"segment {by!r} is not known when customers are first active, for example of customer "
            f"{log.customers[int(np.argmax(late))]!r}: silences before it was known would be sorted by what came later"
        )


def _local_days(log: InteractionLog, times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Local dates of instants as days since 1970; very early for "always known"."""
    stamps = pd.DatetimeIndex(times.view("M8[us]"), tz="UTC")  # the least integer is a missing time
    local = stamps.tz_convert(log.timezone).tz_localize(None).to_numpy().astype("M8[D]")
    always = np.isnat(local)
    return np.where(always, -NEVER, np.where(always, 0, local.astype(np.int64)))
