"""From a log to spans, one a customer or a spell: when it begins to be watched, how long it lasts, how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from journeykit.analyses.churn.known import find_known
from journeykit.analyses.churn.question import CODE, KEPT, Days, Query, Spans, Starts
from journeykit.analyses.churn.rules import Cancel, Contract, Inactivity
from journeykit.analyses.churn.starts import first_starts, outside
from journeykit.analyses.churn.terms import Calendar, lengths_of
from journeykit.errors import ParameterError
from journeykit.journey.observed import Observed, observed_days
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers
from journeykit.loops.contracts import find_contracts
from journeykit.loops.tenures import NEVER, find_spells, first_silences, no_marks


def measure(log: InteractionLog, query: Query) -> tuple[Starts, Iterator[Spans]]:
    """Measure every span: for each silence of the query, or once."""
    observed = observed_days(log)
    starts = first_starts(log, query, observed)
    if isinstance(query.churn, Inactivity):
        starts = _settled(log, query, starts)
        return starts, _silences(log, query, observed, starts)
    if isinstance(query.churn, Cancel):
        starts, spans = _cancellations(log, query, observed, starts)
    else:
        starts, spans = _contracts(log, query, observed, starts)
    return starts, iter([spans])


def _settled(log: InteractionLog, query: Query, starts: Starts) -> Starts:
    """Leave out what begins outside the range, and find since when segments are known."""
    reason = starts.reason.copy()
    reason[(reason == KEPT) & outside(query.between_days, starts.day)] = CODE["churn.not_between"]
    if query.needs_history:
        reason[(reason == KEPT) & starts.late] = CODE["churn.history_not_observed"]
    columns = {each for each in (query.by, *query.covariates.values()) if isinstance(each, str)} & set(log.segments)
    same_day = isinstance(query.churn, Inactivity)
    known = tuple(
        find_known(log, column, starts, same_day=same_day, by_activity=column in query.known_by_activity)
        for column in sorted(columns)
    )
    return replace(starts, reason=reason, known=known)


# -- a silence -------------------------------------------------------------------------------


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
        reason[(reason == KEPT) & unseen] = CODE["churn.not_seen_at_entry"]
        duration = exits[:, j] - starts.day
        if query.dated == "last_activity":  # the same curve, d days earlier; -1 lets an end on day 0 count
            enters, duration = np.maximum(enters - limit, -1).astype(np.int32), (duration - limit).astype(np.int32)
        # On this clock, what is read until a day tells of activity until then: entering sooner would know it before.
        enters = _postpone(query, observed, starts, enters, duration, query.wait(limit), reason)
        ends = ended[:, j].astype(np.int8)
        yield _spans(limit, starts.day, enters, duration, ends, exits[:, j], back[:, j], last, reason)


# -- an event that ends ----------------------------------------------------------------------


def _cancellations(log: InteractionLog, query: Query, observed: Observed, starts: Starts) -> tuple[Starts, Spans]:
    days, offsets, last = log.days, log.offsets, observed.last_full
    kinds = _kinds(log, query)
    place, size = _places(log, kinds == 1, several=query.several)
    row, begins, exits, back = _empty(size, np.int64), *(_empty(size, np.int32) for _ in range(3))
    ends = np.zeros(size, np.int8)
    # Only what is stored after the start can end it; without a start event, all on its day and later.
    after_row = starts.row if query.signed_up is None else np.full(log.n_customers, -1, np.int64)
    over_customers(
        lambda a, b: find_spells(
            days, kinds, offsets, after_row, starts.active_from, last, query.several, place, row, begins, exits, ends,
            back, a, b,
        ),
        offsets,
    )  # fmt: skip
    starts, written = _as_spells(starts, place, row, begins, exits)
    starts = _settled(log, query, starts)
    exits, back = exits[written], back[written]
    # Watched from before its first day if that day is in the log: who cancels on it counts. Otherwise from when seen.
    enters = np.where(starts.late, starts.active_from - starts.day, -1).astype(np.int32)
    ends = np.maximum(ends[written] - 1, 0).astype(np.int8)
    duration = (exits - starts.day).astype(np.int32)
    reason = starts.reason.copy()
    enters = _postpone(query, observed, starts, enters, duration, 0, reason)
    return starts, _spans(0, starts.day, enters, duration, ends, exits, back, last, reason)


def _kinds(log: InteractionLog, query: Query) -> npt.NDArray[np.int8]:
    """Kind of each event: 0 none, 1 a start (again), 2 and on the ends."""
    kinds = np.zeros(log.n_events, np.int8)
    starting = [(1, name, step) for name, step in (("start", query.start), ("again", query.again)) if step is not None]
    for code, name, step in starting + [(code, *end) for code, end in enumerate(query.ends.items(), start=2)]:
        marked = step.mask(log)
        if (marked & (kinds != 0) & (kinds != code)).any():
            raise ParameterError(f"an event can't be two of start and ends at once: {name!r} overlaps another")
        kinds[marked] = code
    if query.again is not None:  # then a start that is not one again begins nothing new
        kinds[(kinds == 1) & ~query.again.mask(log)] = 0
    return kinds


# -- a term that is not renewed --------------------------------------------------------------


def _contracts(log: InteractionLog, query: Query, observed: Observed, starts: Starts) -> tuple[Starts, Spans]:
    rule = query.churn
    assert isinstance(rule, Contract)
    days, offsets, last = log.days, log.offsets, observed.last_full
    kinds = np.zeros(log.n_events, np.int8)
    for code, step in ((1, query.start), (2, query.again)):
        if step is not None:
            kinds[step.mask(log)] = code
    place, size = _places(log, kinds > 0, several=query.several)
    row = _empty(size, np.int64)
    begins, exits, enters, terms, back = (_empty(size, np.int32) for _ in range(5))
    ends = np.zeros(size, np.int8)
    lengths = lengths_of(rule, log)
    starts = _with_known_length(starts, lengths)
    kept = starts.reason == KEPT
    months, length = (np.array(each, np.int32) for each in rule.months_and_days)
    calendar = Calendar.over(rule, int(min(starts.day[kept].min(initial=last), observed.begins)), last)
    # Renewals are those stored after the start; of contracts from before the log, after the first that is seen.
    over_customers(
        lambda a, b: find_contracts(
            days, kinds, lengths, offsets, starts.row, starts.day, starts.active_from, calendar.month_of,
            calendar.month_first, calendar.base, months, length, rule.grace_days, last, query.several, place, row,
            begins, exits, enters, terms, ends, back, a, b,
        ),
        offsets,
    )  # fmt: skip
    starts, written = _as_spells(starts, place, row, begins, exits)
    starts = _settled(log, query, _with_known_length(starts, lengths))
    for known in starts.known:
        if (known.late & (known.day != NEVER) & (starts.reason == KEPT)).any():
            raise ParameterError(
                "a contract is counted in terms, and a segment that becomes known within one can't split it: "
                "take what is known at the start"
            )
    exits, enters, terms, back = (each[written] for each in (exits, enters, terms, back))
    reason = starts.reason.copy()
    reason[(reason == KEPT) & np.logical_or.reduce([known.late for known in starts.known], initial=False)] = CODE[
        "churn.segment_not_known"
    ]
    reason[(reason == KEPT) & (terms <= enters)] = CODE["churn.no_decision_yet"]
    return starts, _spans(0, starts.day, enters, terms, ends[written], exits, back, last, reason)


def _with_known_length(starts: Starts, lengths: Days) -> Starts:
    """Leave out contracts where nothing is known of how long their first term is."""
    if not len(lengths):
        return starts
    reason = starts.reason.copy()
    unknown = (starts.row < 0) | (lengths[np.maximum(starts.row, 0)] < 0)
    reason[(reason == KEPT) & unknown] = CODE["churn.unknown_period"]
    return replace(starts, reason=reason, active_from=np.where(reason == KEPT, starts.active_from, np.int32(NEVER)))


# -- what all rules share --------------------------------------------------------------------


def _places(log: InteractionLog, opens: npt.NDArray[np.bool_], *, several: bool) -> tuple[npt.NDArray[np.int64], int]:
    """Reserve a place for each customer's first spell, and one for each event that may open another."""
    if not several:
        return np.arange(log.n_customers), log.n_customers
    before = np.append(0, np.cumsum(opens))
    return before[log.offsets[:-1]] + np.arange(log.n_customers), int(before[-1]) + log.n_customers


def _empty(size: int, kind: Any) -> Any:
    return np.full(size, -NEVER, kind)


def _as_spells(
    starts: Starts, place: npt.NDArray[np.int64], row: Any, begins: Days, exits: Days
) -> tuple[Starts, npt.NDArray[np.int64]]:
    """Make an entry for each spell that was found, and for each customer without one."""
    written = exits != -NEVER
    written[place] = True
    kept = np.flatnonzero(written)
    customer = np.searchsorted(place, kept, side="right") - 1
    spell = kept - place[customer] + 1
    first = spell == 1
    later = np.zeros(len(kept), np.int8)
    day = np.where(first, starts.day[customer], begins[kept]).astype(np.int32)
    return replace(
        starts,
        customer=customer,
        spell=spell.astype(np.int32),
        day=day,
        row=np.where(first, starts.row[customer], row[kept]),
        active_from=np.where(first, starts.active_from[customer], day).astype(np.int32),
        late=starts.late[customer] & first,
        reason=np.where(first, starts.reason[customer], later).astype(np.int8),
        seen_at_start=starts.seen_at_start[customer] & first,
    ), kept


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
        reason[over] = CODE["churn.segment_not_known"]
        enters = postponed
    if query.window_days is None:
        return enters
    reason[(reason == KEPT) & (starts.day < observed.first_full)] = CODE["churn.window_not_observed"]
    postponed = np.maximum(enters, query.window_days).astype(np.int32)
    over = (reason == KEPT) & (duration > enters) & (duration <= postponed)
    reason[over] = CODE["churn.ended_in_window"]
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
    reason[(reason == KEPT) & (duration <= enters)] = CODE["churn.no_time_at_risk"]
    wait = (np.minimum(back, last) - exits).astype(np.int32)
    return Spans(limit, start_day, enters, duration, ends, wait, (ends > 0) & (back != NEVER), reason)
