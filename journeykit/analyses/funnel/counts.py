"""What a funnel counts over any set of whole customers, as one additive frame: key → number."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.funnel.clusters import count_people
from journeykit.analyses.funnel.keys import Key, Part, Piece, number, total
from journeykit.analyses.funnel.matching import Attempts, Ints, Matched, SpanKeys, match, segments_of
from journeykit.analyses.funnel.moves import OUTCOMES, count_moves, count_next, rows_of
from journeykit.analyses.funnel.plan import Plan
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers

REASONS = ("funnel.not_entered", "funnel.no_held_value", "funnel.immature", "funnel.spoilt", "funnel.no_group")
"""Why someone is not among those that rates are over; the last that fits is given."""


def key_of(log: InteractionLog, plan: Plan) -> Key:
    """Return the key of a log's counts: the same for the whole and each bucket."""
    observed = max(log.observed_until - log.start, 1)
    longest = observed if plan.within is None else min(observed, plan.within)
    n_groups = max(1, len(plan.labels))
    return Key(n_groups, plan.n_steps, max(longest, len(log.touchpoints) + len(OUTCOMES), n_groups, len(REASONS)))


def count(log: InteractionLog, plan: Plan, stages: bool = False) -> pd.DataFrame:
    """Tally: how many are counted per group, part, step and value.

    Parameters
    ----------
    log : InteractionLog
        Whole customers, keyed by the unit that is counted.
    plan : Plan
        What is asked.
    stages : bool
        Whether the steps are stages, of which more is counted.
    """
    key = key_of(log, plan)
    rows = plan.by is not None or bool(plan.optional) or stages
    over_all = plan.base != "mature"
    found = match(
        log,
        plan,
        mature_rows=rows or not over_all,
        every_rows=rows or over_all,
        span_keys=span_keys(key) if key.packing.fits and not rows else None,
    )
    groups, groups_mature = (
        None if found.codes is None else segments_of(log, plan, each, found.codes)
        for each in (found.every, found.mature)
    )
    chosen = groups if over_all else groups_mature
    levels = found.every.levels
    still_open = (found.late > 0) & (levels > 0) & (levels < plan.last_required)
    pieces = [
        *_levels(key, plan, found.every, groups, Part.STOPPED, Part.FILLED),
        *_levels(key, plan, found.mature, groups_mature, Part.STOPPED_MATURE, Part.FILLED_MATURE),
        number(key, Part.OPEN, levels, groups, still_open),
        *_left_out(log, key, plan, found, chosen),
        *count_people(log, key, plan, found, groups, groups_mature),
    ]
    if stages:
        pieces += count_moves(log, key, plan, found, groups)
        pieces += count_next(log, key, plan, found, chosen)
    if not key.packing.fits:
        pieces += _spans(log, key, plan, found.of(plan.base), chosen)
    places, values, numbers = (np.concatenate(each) for each in zip(*pieces, strict=True))
    index = key.packing.index(places, values)
    if not key.packing.fits:
        return pd.DataFrame({"n": numbers}, index=index)
    # Times between steps are nearly all of the tally: they are packed as they are found, each counts once.
    times = found.spans if found.spans is not None else _packed_spans(log, key, plan, found.of(plan.base), chosen)
    keys = np.concatenate([index.to_numpy(), *times])
    once = np.ones(len(keys), np.int64)
    once[: len(numbers)] = numbers
    return pd.DataFrame({"n": once}, index=pd.Index(keys, name=index.name))


def _levels(key: Key, plan: Plan, attempts: Attempts, groups: Ints | None, stopped: Part, filled: Part) -> list[Piece]:
    levels, n_steps = attempts.levels, key.n_steps
    if groups is None:
        steps = np.arange(1, n_steps + 1)
        each = np.array([np.count_nonzero(levels == step) for step in steps.astype(levels.dtype)], np.int64)
        pieces = [(key.place(0, stopped, steps), np.zeros(n_steps, np.int64), each)]
    else:
        pieces = [number(key, stopped, levels, groups, levels > 0)]
    for k in plan.optional:
        pieces.append(
            number(key, filled, np.full(len(levels), k), groups, (levels > 0) & (attempts.rows[:, k - 1] >= 0))
        )
    return pieces


def _left_out(log: InteractionLog, key: Key, plan: Plan, found: Matched, chosen: Ints | None) -> list[Piece]:
    """Count the customers whom no rate is over, and where something else is counted, that too, by reason."""
    base = found.of(plan.base)
    lacking = np.zeros(0, bool) if found.split is None else found.split.no_value
    if not plan.repeats and found.split is None:
        return [total(key, Part.LEFT_OUT, _numbers_of_reasons(found, base, chosen))]
    owners = _reasons(
        len(log.owners),
        found.every.owners(log),
        base.owners(log),
        found,
        base,
        chosen,
        log.owner_codes[: len(lacking)][lacking],
    )
    pieces = [total(key, Part.LEFT_OUT, np.bincount(owners, minlength=len(REASONS) + 1)[:-1])]
    if not plan.repeats:
        return pieces
    if plan.count == "attempts":
        numbers = np.zeros(len(REASONS), np.int64)
        numbers[2] = np.count_nonzero(found.late) if plan.base == "mature" else 0
        numbers[3] = np.count_nonzero(base.levels < 0)
        numbers[4] = 0 if chosen is None else np.count_nonzero((base.levels > 0) & (chosen < 0))
    else:
        units = _reasons(log.n_customers, found.every.units, base.units, found, base, chosen, np.flatnonzero(lacking))
        numbers = np.bincount(units, minlength=len(REASONS) + 1)[:-1]
    return [*pieces, total(key, Part.LEFT_OUT_COUNTED, numbers)]


def _numbers_of_reasons(found: Matched, base: Attempts, chosen: Ints | None) -> list[int]:
    """Count the customers under each of REASONS, where each has one attempt."""
    counted, spoilt = int(np.count_nonzero(base.levels > 0)), int(np.count_nonzero(base.levels < 0))
    entered = int(np.count_nonzero(found.every.levels))
    immature = entered - counted - spoilt  # who has a mature entry has an entry
    no_group = 0 if chosen is None else int(np.count_nonzero((base.levels > 0) & (chosen < 0)))
    return [len(base.levels) - entered, 0, immature, spoilt, no_group]


def _reasons(
    n: int,
    of_every: Ints | None,
    of_base: Ints | None,
    found: Matched,
    base: Attempts,
    chosen: Ints | None,
    lacking: npt.NDArray[Any],
) -> npt.NDArray[np.int64]:
    """Give each customer (or unit) a position in REASONS, or the one after if it is counted."""
    reason = np.zeros(n, np.int64)
    if len(lacking):
        reason[lacking] = 1

    def mark(of: Ints | None, which: npt.NDArray[np.bool_], why: int) -> None:
        reason[which if of is None else of[which]] = why

    if found.every is not base:
        mark(of_every, found.every.levels != 0, 2)
    mark(of_base, base.levels < 0, 3)
    counted = base.levels > 0
    if chosen is not None:
        mark(of_base, counted & (chosen < 0), 4)
        counted &= chosen >= 0
    mark(of_base, counted, len(REASONS))
    return reason


def span_keys(key: Key) -> SpanKeys:
    """For each step, what is added to a time from the step before and to one from entry to pack it."""
    steps = np.arange(key.n_steps + 1)
    base, entry = (key.place(0, part, steps) << key.packing.bits for part in (Part.FROM_BASE, Part.FROM_ENTRY))
    return base, entry


def _packed_spans(
    log: InteractionLog, key: Key, plan: Plan, attempts: Attempts, groups: Ints | None
) -> list[npt.NDArray[np.int64]]:
    """Return the keys of all times between steps."""
    from journeykit.loops.funnel_spans import packed_spans

    base = np.array(plan.base_steps, np.int32)
    segments = np.zeros(0, np.int32) if groups is None else groups
    base_keys, entry_keys = span_keys(key)
    segment_key = int(key.place(1, Part(0), 0)) << key.packing.bits
    starts, times = attempts.starts(log), log.times
    found = over_customers(
        lambda a, b: packed_spans(
            attempts.levels, attempts.rows, starts, times, base, segments, base_keys, entry_keys, segment_key, a, b
        ),
        attempts.spread(log),
    )
    return [keys for pair in found for keys in pair]


def _spans(log: InteractionLog, key: Key, plan: Plan, attempts: Attempts, groups: Ints | None) -> list[Piece]:
    """Return the same where a key and a time do not fit into one number."""
    whose = np.zeros(len(attempts.levels), np.int32) if groups is None else groups
    pieces = []
    for k in range(2, plan.n_steps + 1):
        rows = rows_of(attempts, log, k)
        there = np.flatnonzero((rows >= 0) & (whose >= 0))
        for part, since in ((Part.FROM_BASE, plan.base_steps[k]), (Part.FROM_ENTRY, 1)):
            spans = log.times[rows[there]] - log.times[rows_of(attempts, log, since)[there]]
            pieces.append((key.place(whose[there], part, k), spans, np.ones(len(there), np.int64)))
    return pieces
