"""Entries of a set of whole customers: when each clock starts, how it ends, and after how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.conversion.plan import Plan
from journeykit.journey.conversions import NOT_REACHED, conversions
from journeykit.journey.groups import labels_at
from journeykit.journey.steps import Step
from journeykit.log.interactions import InteractionLog

Longs = NDArray[np.int64]

RUNNING, CONVERTED = 0, 1
"""How an entry ends: not in the time that it was watched; as asked. Other ends are 2, 3, …"""


@dataclass(frozen=True)
class Entries:
    """Clocks, one entry each.

    Attributes
    ----------
    customers : array of int32
        Their customers' codes.
    groups : array of int64
        Place of each one's group among the plan's labels.
    ends, durations : array of int64
        How it ends (RUNNING, CONVERTED, 2 …) and after how long, in microseconds.
    limits : array of int64
        The longest that it could be watched: until the window's end, or until observation ends.
    """

    customers: NDArray[np.int32]
    groups: Longs
    ends: Longs
    durations: Longs
    limits: Longs


def find_entries(log: InteractionLog, plan: Plan) -> Entries:
    """Find all entries of a log, and follow each until its end."""
    found = conversions(log, plan.steps, between=plan.between, entries=plan.entries, ties=plan.ties)
    customers, rows = found["customer_code"].to_numpy(), found["entry_event"].to_numpy()
    entered, converted = found["entered_at"].to_numpy(), found["converted_at"].to_numpy()
    # Watched at age a is who entered a before observation ended, which is exclusive.
    limits = log.observed_until - 1 - entered
    if plan.within is not None:
        limits = np.minimum(limits, plan.within)
    ended_at, ends = converted.copy(), np.full(len(rows), CONVERTED)
    stored = plan.ties == "stored"
    ended = found["converted_event"].to_numpy().copy() if stored else ended_at  # what is compared: events or times
    for kind, (_, step) in enumerate(plan.others, start=CONVERTED + 1):
        event = first_after(log, step, rows, customers, same_instant=stored)
        at = np.where(event == NOT_REACHED, NOT_REACHED, log.times[np.where(event == NOT_REACHED, 0, event)])
        other = event if stored else at
        sooner = other < ended  # at one instant conversion counts, and then the end that is named first
        ended[sooner], ended_at[sooner], ends[sooner] = other[sooner], at[sooner], kind
    durations = np.where(ended_at == NOT_REACHED, NOT_REACHED, ended_at - entered)
    late = durations > limits
    return Entries(
        customers,
        entry_groups(
            log, plan.by, plan.labels, plan.steps[0], rows, customers, tied=plan.entries == "first" and not stored
        ),
        np.where(late, RUNNING, ends),
        np.minimum(durations, limits),
        limits,
    )


def first_after(
    log: InteractionLog, step: Step, rows: Longs, customers: NDArray[np.int32], *, same_instant: bool
) -> Longs:
    """Find each customer's first matching event after the event in a row, at a later instant unless `same_instant`."""
    marked = np.flatnonzero(step.mask(log))
    if not len(marked):
        return np.full(len(rows), NOT_REACHED)
    stops, times = log.offsets[customers.astype(np.int64) + 1], log.times
    place = np.searchsorted(marked, rows, side="right")
    while True:  # pass over those of the same instant, if who comes first is not known
        event = np.append(marked, log.n_events)[place]
        inside = event < stops
        same = inside & (times[np.where(inside, event, 0)] == times[rows])
        if same_instant or not same.any():
            return np.where(inside, event, NOT_REACHED)
        place = place + same


def entry_groups(
    log: InteractionLog,
    by: str | None,
    labels: tuple[str, ...],
    step: Step,
    rows: Longs,
    customers: NDArray[np.int32],
    *,
    tied: bool,
) -> Longs:
    """Place each entry's group among the labels: its value at the entry event.

    If `tied`, the value that comes first among the labels is taken of several
    step 1s at the instant of a customer's one entry, so that the stored order
    has no say.
    """
    if by is None:
        return np.zeros(len(rows), np.int64)

    def places(events: Longs, of: NDArray[np.int32]) -> Longs:
        codes, names = labels_at(log, by, events, log.offsets[of.astype(np.int64)])
        return pd.Index(labels).get_indexer(pd.Index(names))[codes].astype(np.int64)

    found = places(rows, customers)
    if not tied:
        return found
    starts = step.mask(log)
    here, ahead = np.arange(len(rows)), 1
    while len(here):
        event = rows[here] + ahead
        inside = event < log.offsets[customers[here].astype(np.int64) + 1]
        here, event = here[inside], event[inside]
        same = log.times[event] == log.times[rows[here]]
        here, event = here[same], event[same]
        also = starts[event]
        found[here[also]] = np.minimum(found[here[also]], places(event[also], customers[here[also]]))
        ahead += 1
    return found


def n_distinct(customers: NDArray[np.int32]) -> int:
    """Count distinct customers among codes in order."""
    return int(np.count_nonzero(np.diff(customers))) + 1 if len(customers) else 0


def count_equal_keys(keys: Longs) -> tuple[Longs, Longs]:
    """Return the different keys in order, and how often each occurs: np.unique, which is slower where most differ."""
    ordered = np.sort(keys)
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    return ordered[starts], np.diff(starts, append=len(ordered)).astype(np.int64)
