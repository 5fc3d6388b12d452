"""From a log to one span a customer: when it begins to be watched, how long it lasts, how it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.known import Known, find_known
from journeykit.analyses.churn.rules import INACTIVITY, Cancel, Inactivity
from journeykit.errors import ParameterError
from journeykit.journey.observed import Observed, observed_days
from journeykit.journey.steps import Step
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers
from journeykit.loops.tenures import NEVER, first_ends, first_rows_from, first_silences, no_marks

Days = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

COVARIATE = "covariate "
"""Before the names of covariates in tallies: they may be called as a tally's own columns are."""

# Why a customer has no span; the place in this list is the code. They are keys of messages.
KEPT = 0
REASONS = (
    "",
    "churn.no_start",
    "churn.no_activity",
    "churn.no_sign_up",
    "churn.in_washout",
    "churn.started_before",
    "churn.started_after",
    "churn.not_seen_at_entry",
    "churn.no_time_at_risk",
    "churn.segment_not_known",
    "churn.window_not_observed",
    "churn.ended_in_window",
)
_CODE = {reason: code for code, reason in enumerate(REASONS)}


@dataclass(frozen=True)
class Query:
    """How spans are to be measured: every option, settled, and able to travel to wherever a bucket is counted."""

    churn: Inactivity | Cancel
    ends: dict[str, Step]
    start: Step | None = None
    activity: Step | None = None
    dated: str = "known"
    signed_up: Any = None
    late_entry: bool = False
    washout_days: int | None = None
    by: str | None = None
    limits: tuple[int, ...] = ()
    covariates: Mapping[str, str | Step] = field(default_factory=dict)
    window_days: int | None = None
    known_by_activity: frozenset[str] = frozenset()

    @property
    def end_names(self) -> list[str]:
        """Names of the ends; code 1 is the first."""
        return list(self.ends) or [INACTIVITY]

    def only(self, limit: int) -> Query:
        """Ask for one silence alone."""
        return replace(self, limits=(limit,))


@dataclass(frozen=True)
class Spans:
    """One entry a customer, in the log's order; what is said of those with a `reason` means nothing.

    Attributes
    ----------
    limit : int
        The silence in days, 0 if the rule is none.
    start_day : array
        First day of the tenure, since 1970.
    enters, duration : array
        Days since the start: watched after `enters`, until `duration`.
    ends : array
        0 censored, else 1 + the place of the end in `Query.end_names`.
    back_wait, came_back : array
        For those who ended: days until they came back, or until the end of
        observation.
    reason : array
        Place in `REASONS`.
    """

    limit: int
    start_day: Days
    enters: Days
    duration: Days
    ends: npt.NDArray[np.int8]
    back_wait: Days
    came_back: Flags
    reason: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Starts:
    """When each customer starts; `row` is the event at which the groups are read, -1 if there is none."""

    day: Days
    row: npt.NDArray[np.int64]
    active_from: Days
    late: Flags
    reason: npt.NDArray[np.int8]
    seen_at_start: Flags
    known: tuple[Known, ...] = ()


def measure(log: InteractionLog, query: Query) -> tuple[Starts, Iterator[Spans]]:
    """Measure every customer's span: for each silence of the query, or once."""
    observed = observed_days(log)
    starts = _starts(log, query, observed)
    silence = isinstance(query.churn, Inactivity)
    columns = {each for each in (query.by, *query.covariates.values()) if isinstance(each, str)} & set(log.segments)
    starts = replace(
        starts,
        known=tuple(
            find_known(
                log, column, starts.day, starts.row, same_day=silence, by_activity=column in query.known_by_activity
            )
            for column in sorted(columns)
        ),
    )
    if isinstance(query.churn, Inactivity):
        return starts, _silences(log, query, observed, starts)
    return starts, iter([_cancellations(log, query, observed, starts)])


# -- where a tenure begins -------------------------------------------------------------------


def _starts(log: InteractionLog, query: Query, observed: Observed) -> Starts:
    starts = _starts_in_log(log, query) if query.signed_up is None else _starts_by_sign_up(log, query, observed)
    reason = starts.reason.copy()
    first_seen = log.days[log.offsets[:-1]]
    if query.washout_days is not None:
        early = first_seen < observed.begins + query.washout_days
        reason[(reason == KEPT) & early] = _CODE["churn.in_washout"]
    reason[(reason == KEPT) & (starts.day > observed.last_full)] = _CODE["churn.started_after"]
    active_from = np.where(reason == KEPT, starts.active_from, NEVER).astype(np.int32)
    may_be_old = np.zeros(log.n_customers, bool)
    if query.signed_up is None and isinstance(query.churn, Inactivity):
        # Who was active before the log and had not gone silent must show within d days of its beginning.
        may_be_old = first_seen < observed.begins + query.churn.days
    return replace(starts, reason=reason, active_from=active_from, seen_at_start=may_be_old)


def _starts_in_log(log: InteractionLog, query: Query) -> Starts:
    """Begin at the first event that counts as a start."""
    step = query.start or query.activity
    n = log.n_customers
    row = log.offsets[:-1].copy() if step is None else first_rows(log, step, np.full(n, -NEVER, np.int32))
    found = row >= 0
    missing = _CODE["churn.no_start" if query.start is not None else "churn.no_activity"]
    day = np.where(found, log.days[np.maximum(row, 0)], 0).astype(np.int32)
    reason = np.where(found, KEPT, missing).astype(np.int8)
    return Starts(day, row, day, np.zeros(n, bool), reason, np.zeros(n, bool))


def _starts_by_sign_up(log: InteractionLog, query: Query, observed: Observed) -> Starts:
    """Begin at a known day, which may lie before the log: then the customer is watched from when it is seen."""
    given = _sign_up_days(log, query.signed_up)
    known = np.isfinite(given)
    day = np.where(known, given, 0).astype(np.int32)
    reason = np.where(known, KEPT, _CODE["churn.no_sign_up"]).astype(np.int8)
    late = known & (day < observed.first_full)
    if not query.late_entry:
        reason[late] = _CODE["churn.started_before"]
        late &= False
    seen_row = first_rows(log, query.activity, np.where(late, observed.first_full, NEVER).astype(np.int32))
    seen = seen_row >= 0
    reason[late & ~seen & (reason == KEPT)] = _CODE["churn.not_seen_at_entry"]
    seen_day = np.where(seen, log.days[np.maximum(seen_row, 0)], NEVER)
    # A group is known at the start if the customer did something on that very day.
    start_row = first_rows(log, None, day)
    on_the_day = (start_row >= 0) & (log.days[np.maximum(start_row, 0)] == day)
    row = np.where(late, seen_row, np.where(on_the_day, start_row, -1))
    return Starts(day, row, np.where(late, seen_day, day).astype(np.int32), late, reason, np.zeros(len(day), bool))


def _sign_up_days(log: InteractionLog, signed_up: Any) -> npt.NDArray[np.float64]:
    """Day of each customer's sign-up since 1970; NaN if unknown."""
    if isinstance(signed_up, str):
        at_first = log.column(signed_up).iloc[log.offsets[:-1]]
        return days_since_1970(at_first, log.timezone, name=f"column {signed_up!r}")
    return np.asarray(signed_up.reindex(log.customers).to_numpy(dtype=float))


def days_since_1970(dates: Any, timezone: str, *, name: str) -> npt.NDArray[np.float64]:
    """Read dates, or times (local unless they say otherwise), as days since 1970; NaN if missing."""
    series = pd.Series(dates).reset_index(drop=True)
    try:
        if series.dtype == object:
            series = pd.Series(pd.DatetimeIndex([_local(pd.Timestamp(each), timezone) for each in series]))
        zone = series.dt.tz
        series = series if zone is None else series.dt.tz_convert(timezone).dt.tz_localize(None)
    except (ValueError, TypeError, AttributeError) as error:
        raise ParameterError(f"{name} must hold dates, such as 2024-03-31, got {series.head(1).tolist()}") from error
    days = series.to_numpy().astype("M8[D]")
    return np.where(np.isnat(days), np.nan, days.astype(np.int64))


def _local(stamp: pd.Timestamp, timezone: str) -> pd.Timestamp:
    """Take a stamp's zone away, once it shows what the log's clocks showed."""
    return stamp.tz_convert(timezone).tz_localize(None) if stamp.tzinfo is not None else stamp


def first_rows(log: InteractionLog, step: Step | None, from_day: Days) -> npt.NDArray[np.int64]:
    """Find each customer's first event of a step (or any) on a day or later; -1 if there is none."""
    out = np.empty(log.n_customers, np.int64)
    marks = no_marks() if step is None else step.mask(log)
    every, days, offsets = step is None, log.days, log.offsets
    over_customers(lambda a, b: first_rows_from(days, marks, every, offsets, from_day, out, a, b), offsets)
    return out


# -- where it ends ---------------------------------------------------------------------------


def _silences(log: InteractionLog, query: Query, observed: Observed, starts: Starts) -> Iterator[Spans]:
    days, offsets, shape = log.days, log.offsets, (log.n_customers, len(query.limits))
    exits, back, ended = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, bool)
    marks = no_marks() if query.activity is None else query.activity.mask(log)
    every, limits, last = query.activity is None, np.array(query.limits, np.int32), observed.last_full
    over_customers(
        lambda a, b: first_silences(
            days, marks, every, offsets, starts.active_from, limits, last, exits, ended, back, a, b
        ),
        offsets,
    )
    for j, limit in enumerate(query.limits):
        reason = starts.reason.copy()
        enters = np.where(starts.late, observed.first_full + limit - starts.day, 0).astype(np.int32)
        unseen = starts.late & (starts.active_from > observed.first_full + limit)
        reason[(reason == KEPT) & unseen] = _CODE["churn.not_seen_at_entry"]
        duration = exits[:, j] - starts.day
        if query.dated == "last_activity":  # the same curve, d days earlier; -1 lets an end on day 0 count
            enters, duration = np.maximum(enters - limit, -1).astype(np.int32), (duration - limit).astype(np.int32)
        # On this clock, what is read until a day tells of activity until then: entering sooner would know it before.
        wait = limit if query.dated == "known" else 0
        enters = _postpone(query, observed, starts, enters, duration, wait, reason)
        yield _spans(
            limit, starts.day, enters, duration, ended[:, j].astype(np.int8), exits[:, j], back[:, j], last, reason
        )


def _cancellations(log: InteractionLog, query: Query, observed: Observed, starts: Starts) -> Spans:
    days, offsets, n = log.days, log.offsets, log.n_customers
    exits, ends, back = np.zeros(n, np.int32), np.zeros(n, np.int8), np.zeros(n, np.int32)
    kinds, last = _kinds(log, query), observed.last_full
    # Only what is stored after the start can end it; without a start event, all on its day and later.
    after_row = starts.row if query.signed_up is None else np.full(n, -1, np.int64)
    over_customers(
        lambda a, b: first_ends(days, kinds, offsets, after_row, starts.active_from, last, exits, ends, back, a, b),
        offsets,
    )
    # Watched from before its first day if that day is in the log: who cancels on it counts. Otherwise from when seen.
    enters = np.where(starts.late, starts.active_from - starts.day, -1).astype(np.int32)
    ends = np.maximum(ends - 1, 0).astype(np.int8)
    reason = starts.reason.copy()
    enters = _postpone(query, observed, starts, enters, exits - starts.day, 0, reason)
    return _spans(0, starts.day, enters, (exits - starts.day).astype(np.int32), ends, exits, back, last, reason)


def _kinds(log: InteractionLog, query: Query) -> npt.NDArray[np.int8]:
    """Kind of each event: 0 none, 1 a start, 2 and on the ends."""
    kinds = np.zeros(log.n_events, np.int8)
    steps = ([] if query.start is None else [(1, "start", query.start)]) + [
        (code, name, step) for code, (name, step) in enumerate(query.ends.items(), start=2)
    ]
    for code, name, step in steps:
        marked = step.mask(log)
        if (marked & (kinds != 0)).any():
            raise ParameterError(f"an event can't be two of start and ends at once: {name!r} overlaps another")
        kinds[marked] = code
    return kinds


def _postpone(
    query: Query,
    observed: Observed,
    starts: Starts,
    enters: Days,
    duration: Days,
    wait: int,
    reason: npt.NDArray[np.int8],
) -> Days:
    """Watch customers from when segments are known and windows over; leave out whose tenure was over by then."""
    for known in starts.known:
        postponed = known.enters(starts.day, enters, wait)
        over = (reason == KEPT) & (duration > enters) & (duration <= postponed)
        reason[over] = _CODE["churn.segment_not_known"]
        enters = postponed
    if query.window_days is None:
        return enters
    reason[(reason == KEPT) & (starts.day < observed.first_full)] = _CODE["churn.window_not_observed"]
    postponed = np.maximum(enters, query.window_days).astype(np.int32)
    over = (reason == KEPT) & (duration > enters) & (duration <= postponed)
    reason[over] = _CODE["churn.ended_in_window"]
    return postponed


def _spans(
    limit: int,
    start_day: Days,
    enters: Days,
    duration: Days,
    ends: npt.NDArray[np.int8],
    exits: Days,
    back: Days,
    last: int,
    reason: npt.NDArray[np.int8],
) -> Spans:
    reason[(reason == KEPT) & (duration <= enters)] = _CODE["churn.no_time_at_risk"]
    wait = (np.minimum(back, last) - exits).astype(np.int32)
    return Spans(limit, start_day, enters, duration, ends, wait, (ends > 0) & (back != NEVER), reason)
