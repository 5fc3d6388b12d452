"""What a line of steps hides: who was in a stage at all, skipped it, came back; and what came next or before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from journeykit.analyses.funnel.clusters import shares_by_customer
from journeykit.analyses.funnel.keys import Ints, Key, Longs, Part, Piece
from journeykit.analyses.funnel.kinds import Kinds
from journeykit.analyses.funnel.matching import Attempts, Matched, stopped, with_first_value
from journeykit.analyses.funnel.plan import FOREVER, Plan
from journeykit.analyses.funnel.split import split_units
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers
from journeykit.loops.funnel_stages import NOTHING, STAYED

OUTCOMES = (STAYED, NOTHING)
"""What may have come next other than a touchpoint."""
WORDS = ("funnel.stayed", "funnel.nothing")
"""How these are called."""


def count_moves(log: InteractionLog, key: Key, plan: Plan, found: Matched, groups: Ints | None) -> list[Piece]:
    """Count who was in each stage, skipped it, and came back to it."""
    from journeykit.loops.funnel_stages import stage_moves

    kinds = found.kinds
    codes, step_of = kinds.codes, kinds.has_step.argmax(axis=1).astype(np.int32)[kinds.kind_of]  # 0 without a step
    times, offsets = log.times, log.offsets
    # Each group may be a funnel of its own, of the events with it; where a customer was has no part in what is held.
    split = split_units(log, replace(plan, hold=()), kinds, found.codes) if plan.hold else found.split
    if split is not None:
        codes, times, offsets = codes[split.rows], times[split.rows], split.offsets
    whose = None if split is None else split.groups
    if groups is not None and found.codes is not None and whose is None:
        whose = with_first_value(log, plan, found.every, groups, found.codes)
    marks = [np.empty((len(offsets) - 1, plan.n_steps), np.uint8) for _ in range(3)]
    begins, any_order = plan.opens(log)[0], plan.ties == "any"
    over_customers(
        lambda a, b: stage_moves(codes, step_of, times, offsets, plan.n_steps, begins, any_order, *marks, a, b), offsets
    )
    steps = np.arange(1, plan.n_steps + 1)
    pieces = []
    for part, marked in zip((Part.REACHED, Part.SKIPPED, Part.CAME_BACK), marks, strict=True):
        if whose is None:
            numbers = np.array([np.count_nonzero(marked[:, k]) for k in range(plan.n_steps)])
            pieces.append((key.place(0, part, steps), np.zeros(plan.n_steps, np.int64), numbers))
            continue
        for k in range(plan.n_steps):
            numbers = np.bincount(whose[marked[:, k] > 0], minlength=key.n_groups)
            places = key.place(np.arange(key.n_groups), part, k + 1)
            pieces.append((places, np.zeros(key.n_groups, np.int64), numbers))
    return pieces


def count_next(log: InteractionLog, key: Key, plan: Plan, found: Matched, groups: Ints | None) -> list[Piece]:
    """Count what those did next who went no further than each step."""
    asked = stopped(plan, found)
    if groups is not None:
        asked &= groups >= 0
    attempts = found.of(plan.base)
    some = np.flatnonzero(asked)
    if not len(some):
        return []
    group = np.zeros(len(some), np.int64) if groups is None else groups[some].astype(np.int64)
    step = attempts.levels[some].astype(np.int64)
    values = next_codes(log, plan, attempts, found.kinds, asked)[some].astype(np.int64) + len(OUTCOMES)
    places = key.place(group, Part.NEXT, step)
    if not plan.repeats:
        width = len(log.touchpoints) + len(OUTCOMES)
        pairs, numbers = np.unique(places * width + values, return_counts=True)
        return [(pairs // width, pairs % width, numbers)]
    by_value, by_place = shares_by_customer(attempts.owners(log)[some], places, values)
    place, value = (by_value.index.get_level_values(i).to_numpy() for i in (0, 1))
    at, zero = by_place.index.to_numpy(), np.zeros(len(by_place), np.int64)
    width = key.n_steps + 1  # from one part to the next
    return [
        (place, value, by_value["x"].to_numpy()),
        (place + (Part.NEXT_SQUARES - Part.NEXT) * width, value, by_value["xx"].to_numpy()),
        (place + (Part.NEXT_CROSS - Part.NEXT) * width, value, by_value["xn"].to_numpy()),
        (at + (Part.STOPPERS - Part.NEXT) * width, zero, by_place["customers"].to_numpy()),
        (at + (Part.STOPPED_SQUARES - Part.NEXT) * width, zero, by_place["nn"].to_numpy()),
    ]


def next_codes(log: InteractionLog, plan: Plan, attempts: Attempts, kinds: Kinds, asked: npt.NDArray[np.bool_]) -> Ints:
    """Code of what came next after the last step of each attempt that is asked for, or one of OUTCOMES."""
    from journeykit.loops.funnel_stages import next_touchpoints

    own: npt.NDArray[np.uint8] = kinds.has_step
    if plan.order == "any":  # there a row is of no step: all of them are what one stopped at
        own = np.repeat(np.asarray(own.any(axis=1))[:, None], plan.n_steps + 1, axis=1).astype(np.uint8)
    found = np.empty(len(attempts.levels), np.int32)
    starts, stops = attempts.starts(log), attempts.stops(log)
    within, any_order = FOREVER if plan.within is None else plan.within, plan.ties == "any"
    marked = asked.astype(np.uint8)
    over_customers(
        lambda a, b: next_touchpoints(
            marked, attempts.levels, attempts.rows, starts, stops, kinds.codes, kinds.kind_of, own,
            log.touchpoint_codes, log.times, within, any_order, found, a, b,
        ),
        attempts.spread(log),
    )  # fmt: skip
    return found


def previous_codes(
    log: InteractionLog, plan: Plan, attempts: Attempts, asked: npt.NDArray[np.bool_], step: int, n: int, within: Any
) -> Ints:
    """Codes of the n touchpoints before the event that filled a step, the nearest first; or NOTHING."""
    from journeykit.loops.funnel_stages import previous_touchpoints

    found = np.empty((len(attempts.levels), n), np.int32)
    marked = asked.astype(np.uint8)
    at = np.ascontiguousarray(attempts.rows[:, step - 1])
    starts, any_order = attempts.starts(log), plan.ties == "any"
    over_customers(
        lambda a, b: previous_touchpoints(
            marked, at, starts, log.touchpoint_codes, log.times, within, any_order, found, a, b
        ),
        attempts.spread(log),
    )
    return found


def rows_of(attempts: Attempts, log: InteractionLog, step: int) -> Longs:
    """Position in the log of the event that filled a step of each attempt; -1 where none did."""
    at = attempts.rows[:, step - 1]
    rows: Longs = np.where((attempts.levels >= step) & (at >= 0), attempts.starts(log) + at, -1)
    return rows
