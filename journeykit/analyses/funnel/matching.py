"""Match a set of whole units with the steps: which attempts got how far, by which events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from journeykit.analyses.funnel.kinds import Kinds, find_kinds
from journeykit.analyses.funnel.plan import FOREVER, Plan, by_step
from journeykit.analyses.funnel.split import Split, split_units
from journeykit.log.interactions import InteractionLog, label_codes
from journeykit.loops import over_customers

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
SpanKeys = tuple[Longs, Longs]


@dataclass(frozen=True)
class Attempts:
    """The attempts that are counted: the best of each unit (and group), or all.

    Attributes
    ----------
    levels : array of int16
        Steps reached; 0 without an entry, below 0 where it is spoilt.
    rows : array of int32, shape (attempts, steps) or (0, steps)
        The event that filled each step, counted from the unit's first; -1 for
        none. Empty where nobody asked.
    units : array of int32, or None
        Whose each is; None if each unit has one, in their order.
    groups : array of int32, or None
        Its group, with `by_value="all"`.
    """

    levels: npt.NDArray[np.int16]
    rows: Ints
    units: Ints | None = None
    groups: Ints | None = None

    def starts(self, log: InteractionLog) -> Longs:
        """Where the events of each attempt's unit begin."""
        return log.offsets[:-1] if self.units is None else log.offsets[self.units]

    def stops(self, log: InteractionLog) -> Longs:
        """Where they end."""
        return log.offsets[1:] if self.units is None else log.offsets[self.units + 1]

    def owners(self, log: InteractionLog) -> Ints:
        """Position of each attempt's customer in `log.owners`."""
        return log.owner_codes if self.units is None else log.owner_codes[self.units]

    def spread(self, log: InteractionLog) -> Longs:
        """Offsets that split the work evenly over threads."""
        if self.units is None:
            return log.offsets
        n = len(self.units)
        return np.arange(n + 1, dtype=np.int64) * max(1, log.n_events // max(1, n))

    def late(self, log: InteractionLog, plan: Plan) -> Bools:
        """Mark attempts whose window is still running; rows are needed."""
        late = np.zeros(len(self.levels), dtype=bool)
        some = np.flatnonzero(self.levels > 0)
        late[some] = log.times[self.starts(log)[some] + self.rows[some, 0]] >= plan.opens(log)[1]
        return late


@dataclass(frozen=True)
class Matched:
    """Both matchings of a set of units.

    `late` marks who has, among all, an attempt that is not mature; `codes` is
    each event's group, if there are any, `kinds` its kind; `split` how events were laid out, if
    they were. `spans` has the packed times between steps of those that rates are over, if they were
    found on the way; otherwise there are rows to find them by.
    """

    mature: Attempts
    every: Attempts
    late: npt.NDArray[Any]
    codes: Ints | None
    kinds: Kinds
    split: Split | None = None
    spans: list[Longs] | None = None

    def of(self, base: str) -> Attempts:
        """Return the matching that rates are over."""
        return self.mature if base == "mature" else self.every


@dataclass(frozen=True)
class Pieces:
    """The events that a loop runs over, put together by unit or by piece of one."""

    codes: Ints
    times: Longs
    tie_keys: Ints
    offsets: Longs

    @property
    def number(self) -> int:
        """How many pieces."""
        return len(self.offsets) - 1


def match(
    log: InteractionLog, plan: Plan, *, mature_rows: bool, every_rows: bool, span_keys: SpanKeys | None = None
) -> Matched:
    """Match all units of a log, keeping the rows that are asked for.

    With `span_keys` (of the steps, for the times from the step before and those
    from entry) rows are needed only for the times between steps: a loop that
    can find those on its way then keeps none.
    """
    kinds = find_kinds(log, plan)
    codes = None if plan.by is None else segment_codes(log, plan)
    split = split_units(log, plan, kinds, codes)
    # Which of several events of one instant and kind is taken matters only for what else it carries.
    tie_keys = np.zeros(0, np.int32) if plan.ties == "stored" else _tie_keys(log, plan, codes)
    if split is None:
        pieces = Pieces(kinds.codes, log.times, tie_keys, log.offsets)
    else:
        keys = tie_keys if not len(tie_keys) else tie_keys[split.rows]
        pieces = Pieces(kinds.codes[split.rows], log.times[split.rows], keys, split.offsets)
    if plan.count == "attempts":
        mature, every = (_all_attempts(log, plan, kinds, pieces, until) for until in plan.opens(log)[1:])
        if split is not None:
            mature, every = _of_units(log, split, mature), _of_units(log, split, every)
        return Matched(mature, every, every.late(log, plan), codes, kinds, split)
    if split is None:
        mature, every, late, spans = _best(log, plan, kinds, pieces, mature_rows, every_rows, span_keys)
        return Matched(mature, every, late, codes, kinds, spans=spans)
    mature, every, _, _ = _best(log, plan, kinds, pieces, True, True)
    mature, every = (_chosen(log, plan, split, _of_units(log, split, each)) for each in (mature, every))
    return Matched(mature, every, every.late(log, plan), codes, kinds, split)


def _tie_keys(log: InteractionLog, plan: Plan, codes: Ints | None) -> Ints:
    """What tells tied events of one kind apart, so that their stored order has no say in what is shown of them."""
    if plan.value is None:
        return np.zeros(0, np.int32) if codes is None else codes
    amounts = log.column(plan.value).to_numpy(dtype=np.float64, na_value=np.nan)
    ranks = np.unique(amounts, return_inverse=True)[1].ravel()
    if codes is not None:
        ranks = np.unique(codes.astype(np.int64) * (int(ranks.max(initial=0)) + 1) + ranks, return_inverse=True)[1]
    return ranks.astype(np.int32)


def _best(
    log: InteractionLog,
    plan: Plan,
    kinds: Kinds,
    pieces: Pieces,
    mature_rows: bool,
    every_rows: bool,
    span_keys: SpanKeys | None = None,
) -> tuple[Attempts, Attempts, npt.NDArray[np.uint8], list[Longs] | None]:
    """Find the best attempt of each piece, among mature entries and among all; who is late; the times between steps."""
    from journeykit.loops.funnel import match_best
    from journeykit.loops.funnel_any import match_any_order
    from journeykit.loops.funnel_plain import match_plain

    n, n_steps = pieces.number, plan.n_steps
    plain = plan.is_plain and bool((kinds.has_step.sum(axis=1) <= 1).all())
    on_the_way = plain and span_keys is not None
    mature, every = (
        Attempts(np.empty(n, np.int16), np.empty((n if rows and not on_the_way else 0, n_steps), np.int32))
        for rows in (mature_rows, every_rows)
    )
    late = np.empty(n, np.uint8)
    out = (mature.levels, mature.rows, every.levels, every.rows, late)
    events = (pieces.codes, kinds.kind_of, pieces.times, pieces.tie_keys, pieces.offsets)
    opens = plan.opens(log)
    first_only = plan.entry == "first"
    if plain:
        step_of = np.where(kinds.has_step.any(axis=1), kinds.has_step.argmax(axis=1), n_steps + 2)[kinds.kind_of]
        rules = (n_steps, _within(plan), *opens, plan.ties == "any", first_only)
        spans_of = 0 if not on_the_way else 1 if plan.base == "mature" else 2
        keys = (np.zeros(0, np.int64),) * 2 if span_keys is None else span_keys
        spans = over_customers(
            lambda a, b: match_plain(
                pieces.codes, step_of.astype(np.int32), *events[2:], *rules, *out, spans_of, *keys, a, b
            ),
            pieces.offsets,
        )
        return mature, every, late, spans if on_the_way else None
    if plan.order == "any":
        steps = (kinds.steps_from, kinds.steps_of, kinds.has_step)
        over_customers(
            lambda a, b: match_any_order(*events, *steps, _within(plan), *opens, first_only, *out, a, b),
            pieces.offsets,
        )
    else:
        rules = _rules(plan, kinds)
        flags = (plan.order == "strict", plan.ties == "any", first_only, plan.exclude_effect == "drop")
        over_customers(
            lambda a, b: match_best(*events, *rules, _within(plan), *opens, *flags, *out, a, b), pieces.offsets
        )
    return mature, every, late, None


def _all_attempts(log: InteractionLog, plan: Plan, kinds: Kinds, pieces: Pieces, opens_until: int) -> Attempts:
    """Find all attempts of each piece that begin before an instant."""
    from journeykit.loops.funnel import match_attempts
    from journeykit.loops.funnel_any import match_any_attempts

    events = (pieces.codes, kinds.kind_of, pieces.times, pieces.tie_keys, pieces.offsets)
    opens = (plan.opens(log)[0], opens_until)
    first_only = plan.entry == "first"
    if plan.order == "any":
        found = over_customers(
            lambda a, b: match_any_attempts(
                *events, kinds.steps_from, kinds.has_step, _within(plan), *opens, first_only, a, b
            ),
            pieces.offsets,
        )
    else:
        rules = _rules(plan, kinds)
        flags = (plan.order == "strict", plan.ties == "any", first_only, plan.exclude_effect == "drop")
        found = over_customers(
            lambda a, b: match_attempts(*events, *rules, plan.last_required, _within(plan), *opens, *flags, a, b),
            pieces.offsets,
        )
    units, levels, rows = (np.concatenate(each) for each in zip(*found, strict=True))
    return Attempts(levels, rows, units)


def _within(plan: Plan) -> int:
    return FOREVER if plan.within is None else plan.within


def _rules(plan: Plan, kinds: Kinds) -> tuple[Any, ...]:
    """Arrays that say what the steps and exclusions are, for the loops."""
    optional = np.zeros(plan.n_steps + 1, np.uint8)
    optional[list(plan.optional)] = 1
    step_within = np.full(plan.n_steps + 1, _within(plan), np.int64)
    for k, window in plan.step_within:
        step_within[k] = window
    after, before = (np.array([rule[i] for rule in plan.exclude], np.int32) for i in (1, 2))
    steps = (kinds.steps_from, kinds.steps_of, kinds.has_step)
    ordered = (np.array(plan.base_steps, np.int32), optional, step_within)
    return (*steps, *ordered, kinds.excludes, kinds.spoils, after, before)


def _of_units(log: InteractionLog, split: Split, found: Attempts) -> Attempts:
    """Say of attempts of pieces whose unit they are, and their events as that unit's."""
    pieces = np.arange(len(found.levels)) if found.units is None else found.units
    units = split.units[pieces]
    rows = np.full_like(found.rows, -1)
    filled = found.rows >= 0
    at = (split.offsets[pieces][:, None] + found.rows)[filled]
    rows[filled] = (split.rows[at] - np.broadcast_to(log.offsets[units][:, None], filled.shape)[filled]).astype(
        np.int32
    )
    return Attempts(found.levels, rows, units, None if split.groups is None else split.groups[pieces])


def _chosen(log: InteractionLog, plan: Plan, split: Split, found: Attempts) -> Attempts:
    """Keep the best of each unit (and group): the furthest, of equals one that is not spoilt, the first to get there.

    Of equals at one instant it is that of the value that comes first.
    """
    assert found.units is not None
    whose = split.owner_of_choice(max(1, len(plan.labels)))
    levels = found.levels
    entered = np.flatnonzero(levels > 0)
    reached = np.zeros(len(levels), np.int64)
    last = found.rows[entered, levels[entered] - 1].astype(np.int64)
    reached[entered] = log.times[log.offsets[found.units[entered]] + last]
    order = np.lexsort((reached, levels < 0, -np.abs(levels), whose))
    kept = order[np.flatnonzero(np.diff(whose[order], prepend=-1))]
    groups = None if found.groups is None else found.groups[kept]
    return Attempts(levels[kept], found.rows[kept], found.units[kept], groups)


def segment_codes(log: InteractionLog, plan: Plan) -> Ints:
    """Position of each event's value in `plan.labels`; the last is for missing values."""
    assert plan.by is not None
    codes, labels = label_codes(log, plan.by)
    if tuple(labels) == plan.labels:
        return codes
    # A bucket may have its own dictionary.
    place = {label: i for i, label in enumerate(plan.labels)}
    return np.array([place[label] for label in labels], np.int32)[codes]


def segments_of(log: InteractionLog, plan: Plan, attempts: Attempts, codes: Ints) -> Ints:
    """Position in `plan.labels` of each attempt's group, by the events that filled its steps; -1 where it has none."""
    if attempts.groups is not None:
        return np.where(attempts.levels > 0, attempts.groups, np.int32(-1)).astype(np.int32)
    start = attempts.starts(log)
    step = by_step(plan.by_value)
    if step is not None:
        from journeykit.loops.funnel_spans import segments_at

        segments = np.empty(len(attempts.levels), np.int32)
        over_customers(
            lambda a, b: segments_at(attempts.levels, attempts.rows, start, codes, step, segments, a, b),
            attempts.spread(log),
        )
        return segments
    missing = np.int32(len(plan.labels) - 1)
    entered = attempts.levels > 0
    segments = np.where(entered, missing, np.int32(-1)).astype(np.int32)
    order = range(plan.n_steps) if plan.by_value == "first" else range(plan.n_steps - 1, -1, -1)
    for k in order:
        row = attempts.rows[:, k]
        ask = np.flatnonzero(entered & (row >= 0) & (segments == missing))
        segments[ask] = codes[start[ask] + row[ask]]
    return segments


def stopped(plan: Plan, found: Matched) -> Bools:
    """Mark who went no further than some step: dropped; without `within`, where nobody is known to have, so far."""
    levels = found.of(plan.base).levels
    short = (levels > 0) & (levels < plan.last_required)
    return short & (found.late == 0) if plan.base == "all" else short


def with_first_value(log: InteractionLog, plan: Plan, attempts: Attempts, groups: Ints, codes: Ints) -> Ints:
    """Give each unit a group: that of its first attempt, or else of its first event with a value."""
    missing = np.int32(len(plan.labels) - 1)
    known = np.flatnonzero(codes != missing)
    place = np.searchsorted(known, log.offsets[:-1])
    row = np.append(known, log.n_events)[place]
    own = row < log.offsets[1:]
    first = np.full(log.n_customers, missing, np.int32)
    first[own] = codes[row[own]]
    if plan.ties == "any":  # of several at one instant that of the first by name
        whose = log.customer_codes[known]
        tied = log.times[known] == log.times[np.minimum(row, log.n_events - 1)][whose]
        np.minimum.at(first, whose[tied], codes[known[tied]])
    some = np.flatnonzero(groups >= 0)[::-1]  # where several are written, the last one stands
    units = some if attempts.units is None else attempts.units[some]
    first[units] = groups[some]
    return first
