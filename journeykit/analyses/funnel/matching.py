"""Match a set of whole customers with the steps: who got how far, by which events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeykit.analyses.funnel.kinds import find_kinds
from journeykit.analyses.funnel.plan import FOREVER, Plan, by_step
from journeykit.log.interactions import InteractionLog, label_codes
from journeykit.loops import over_customers


@dataclass(frozen=True)
class Attempts:
    """The chosen attempt of each unit, by default of each customer.

    Attributes
    ----------
    levels : array of int16
        Steps reached; 0 without an entry, below 0 where the furthest attempts
        are spoilt.
    rows : array of int32, shape (units, steps) or (0, steps)
        The event that filled each step, counted from the unit's first; -1 for
        none. Empty where nobody asked.
    """

    levels: npt.NDArray[np.int16]
    rows: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Matched:
    """Both matchings of a set of customers; `late` marks who has, among all, an attempt that is not mature."""

    mature: Attempts
    every: Attempts
    late: npt.NDArray[np.uint8]
    codes: npt.NDArray[np.int32] | None
    """Each event's group, if there are any."""

    def of(self, base: str) -> Attempts:
        """Return the matching that rates are over."""
        return self.mature if base == "mature" else self.every


def match(log: InteractionLog, plan: Plan, *, mature_rows: bool, every_rows: bool) -> Matched:
    """Match all customers of a log, keeping the rows that are asked for."""
    from journeykit.loops.funnel import match_best
    from journeykit.loops.funnel_any import match_any_order
    from journeykit.loops.funnel_plain import match_plain

    kinds = find_kinds(log, plan)
    n, n_steps = log.n_customers, plan.n_steps
    mature = Attempts(np.empty(n, np.int16), np.empty((n if mature_rows else 0, n_steps), np.int32))
    every = Attempts(np.empty(n, np.int16), np.empty((n if every_rows else 0, n_steps), np.int32))
    late = np.empty(n, np.uint8)
    out = (mature.levels, mature.rows, every.levels, every.rows, late)
    within = FOREVER if plan.within is None else plan.within
    # Which of several events of one instant and kind is taken matters only for the value that it carries.
    codes = None if plan.by is None else segment_codes(log, plan)
    tie_keys = np.zeros(0, np.int32) if codes is None or plan.ties == "stored" else codes
    events = (kinds.codes, kinds.kind_of, log.times, tie_keys, log.offsets)
    steps = (kinds.steps_from, kinds.steps_of, kinds.has_step)
    first_only = plan.entry == "first"
    if plan.order == "any":
        over_customers(
            lambda a, b: match_any_order(*events, *steps, within, *plan.opens(log), first_only, *out, a, b), log.offsets
        )
        return Matched(mature, every, late, codes)
    if plan.is_plain and (kinds.has_step.sum(axis=1) <= 1).all():
        step_of = np.where(kinds.has_step.any(axis=1), kinds.has_step.argmax(axis=1), n_steps + 2)[kinds.kind_of]
        plain = (
            events[0],
            step_of.astype(np.int32),
            *events[2:],
            n_steps,
            within,
            *plan.opens(log),
            plan.ties == "any",
        )
        over_customers(lambda a, b: match_plain(*plain, first_only, *out, a, b), log.offsets)
        return Matched(mature, every, late, codes)
    optional = np.zeros(n_steps + 1, np.uint8)
    optional[list(plan.optional)] = 1
    step_within = np.full(n_steps + 1, within, np.int64)
    for k, window in plan.step_within:
        step_within[k] = window
    ordered = (*steps, np.array(plan.base_steps, np.int32), optional, step_within)
    after, before = (np.array([rule[i] for rule in plan.exclude], np.int32) for i in (1, 2))
    exclusions = (kinds.excludes, kinds.spoils, after, before)
    rules = (plan.order == "strict", plan.ties == "any", first_only, plan.exclude_effect == "drop")
    over_customers(
        lambda a, b: match_best(*events, *ordered, *exclusions, within, *plan.opens(log), *rules, *out, a, b),
        log.offsets,
    )
    return Matched(mature, every, late, codes)


def segment_codes(log: InteractionLog, plan: Plan) -> npt.NDArray[np.int32]:
    """Position of each event's value in `plan.labels`; the last is for missing values."""
    assert plan.by is not None
    codes, labels = label_codes(log, plan.by)
    if tuple(labels) == plan.labels:
        return codes
    # A bucket may have its own dictionary.
    place = {label: i for i, label in enumerate(plan.labels)}
    return np.array([place[label] for label in labels], np.int32)[codes]


def segments_of(
    log: InteractionLog, plan: Plan, attempts: Attempts, codes: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Position in `plan.labels` of each unit's group, by the events of its attempt; -1 where it has none."""
    missing = np.int32(len(plan.labels) - 1)
    start = log.offsets[:-1]
    entered = attempts.levels > 0
    segments = np.where(entered, missing, np.int32(-1)).astype(np.int32)
    step = by_step(plan.by_value)
    if step is not None:
        row = attempts.rows[:, step - 1]
        reached = entered & (row >= 0)
        segments[~reached] = -1
        segments[reached] = codes[start[reached] + row[reached]]
        return segments
    order = range(plan.n_steps) if plan.by_value == "first" else range(plan.n_steps - 1, -1, -1)
    for k in order:
        row = attempts.rows[:, k]
        ask = np.flatnonzero(entered & (row >= 0) & (segments == missing))
        segments[ask] = codes[start[ask] + row[ask]]
    return segments


def stopped(plan: Plan, found: Matched) -> npt.NDArray[np.bool_]:
    """Mark who went no further than some step: dropped; without `within`, where nobody is known to have, so far."""
    levels = found.of(plan.base).levels
    short = (levels > 0) & (levels < plan.last_required)
    return short & (found.late == 0) if plan.base == "all" else short


def with_first_value(
    log: InteractionLog, plan: Plan, groups: npt.NDArray[np.int32], codes: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Give who has no attempt the group of their first event with a value."""
    missing = np.int32(len(plan.labels) - 1)
    known = np.flatnonzero(codes != missing)
    place = np.searchsorted(known, log.offsets[:-1])
    row = np.append(known, log.n_events)[place]
    own = row < log.offsets[1:]
    first = np.full(log.n_customers, missing, np.int32)
    first[own] = codes[row[own]]
    return np.where(groups < 0, first, groups).astype(np.int32)
