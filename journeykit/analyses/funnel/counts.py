"""What a funnel counts over any set of whole customers, as one additive frame: key → number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.funnel.kinds import stage_steps
from journeykit.analyses.funnel.matching import Attempts, match, segments_of, stopped, with_first_value
from journeykit.analyses.funnel.plan import FOREVER, Plan
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers
from journeykit.loops.funnel_stages import NOTHING, STAYED

Longs = npt.NDArray[np.int64]


class Part(IntEnum):
    """What is counted, by group and step."""

    STOPPED = 0  # attempts that went no further than this step (0: no entry), all entries
    STOPPED_MATURE = 1  # the same, mature entries
    FILLED = 2  # attempts that filled an optional step
    FILLED_MATURE = 3
    SPOILT = 4
    SPOILT_MATURE = 5
    OPEN = 6  # attempts before their last step whose window is still running
    ONLY_IMMATURE = 7  # entered, though not with a mature entry
    NO_GROUP = 8  # did not reach the step that decides the group, of those that rates are over
    REACHED = 9  # was in the stage at all
    SKIPPED = 10
    CAME_BACK = 11
    NEXT = 12  # what who stopped did next (value: code of the touchpoint, after those of OUTCOMES)
    FROM_BASE = 13  # time since the required step before (value: microseconds)
    FROM_ENTRY = 14  # time since step 1 (value: microseconds)


@dataclass(frozen=True)
class Key:
    """Pack (group, part, step, value) into one number, where it fits.

    Tens of millions of rows with a MultiIndex would take longer than the
    matching itself.
    """

    n_groups: int
    n_steps: int
    largest: int

    @property
    def bits(self) -> int:
        """Bits for the value."""
        return self.largest.bit_length()

    @property
    def fits(self) -> bool:
        """Whether group, part, step and value fit into 63 bits."""
        return (self.n_groups * len(Part) * (self.n_steps + 1)).bit_length() + self.bits <= 63

    def place(self, group: Any, part: Part, step: Any) -> Any:
        """Number of (group, part, step)."""
        return (np.asarray(group, np.int64) * len(Part) + int(part)) * (self.n_steps + 1) + step

    def index(self, places: Longs, values: Longs) -> pd.Index:
        """Return the frame's index."""
        if self.fits:
            packed: pd.Index = pd.Index((places << self.bits) | values, name="key")
            return packed
        return pd.MultiIndex.from_arrays([places, values], names=["place", "value"])

    def unpack(self, index: pd.Index) -> tuple[Longs, Longs]:
        """Return places and values."""
        if isinstance(index, pd.MultiIndex):
            return index.get_level_values(0).to_numpy(), index.get_level_values(1).to_numpy()
        keys = index.to_numpy()
        return keys >> self.bits, keys & ((1 << self.bits) - 1)


def key_of(log: InteractionLog, plan: Plan) -> Key:
    """Return the key of a log's counts: the same for the whole and each bucket."""
    observed = max(log.observed_until - log.start, 1)
    longest = observed if plan.within is None else min(observed, plan.within)
    return Key(max(1, len(plan.labels)), plan.n_steps, max(longest, len(log.touchpoints) + len(OUTCOMES)))


def count(log: InteractionLog, plan: Plan, stages: bool = False) -> pd.DataFrame:
    """Tally: number of customers per group, part, step and value.

    Parameters
    ----------
    log : InteractionLog
        Whole customers.
    plan : Plan
        What is asked.
    stages : bool
        Whether the steps are stages, of which more is counted.
    """
    key = key_of(log, plan)
    rows = plan.by is not None or bool(plan.optional) or stages
    over_all = plan.base != "mature"
    found = match(log, plan, mature_rows=rows or not over_all, every_rows=rows or over_all)
    groups, groups_mature = (
        None if found.codes is None else segments_of(log, plan, each, found.codes)
        for each in (found.every, found.mature)
    )
    chosen = groups if over_all else groups_mature
    levels = found.every.levels
    still_open = (found.late > 0) & (levels > 0) & (levels < plan.last_required)
    pieces = [
        *_levels(key, plan, found.every, groups, Part.STOPPED, Part.SPOILT, Part.FILLED),
        *_levels(key, plan, found.mature, groups_mature, Part.STOPPED_MATURE, Part.SPOILT_MATURE, Part.FILLED_MATURE),
        _number(key, Part.OPEN, levels, groups, still_open),
        _total(key, Part.ONLY_IMMATURE, np.count_nonzero((found.every.levels != 0) & (found.mature.levels == 0))),
        *_spans(log, key, plan, found.of(plan.base), chosen),
    ]
    if chosen is not None:
        pieces.append(_total(key, Part.NO_GROUP, np.count_nonzero((found.of(plan.base).levels > 0) & (chosen < 0))))
    if stages:
        everyone = groups
        if groups is not None and found.codes is not None:
            everyone = with_first_value(log, plan, groups, found.codes)
        pieces += _moves(log, key, plan, everyone)
        pieces.append(_next(log, key, plan, found.of(plan.base), chosen, stopped(plan, found)))
    places, values, numbers = (np.concatenate(each) for each in zip(*pieces, strict=True))
    return pd.DataFrame({"n": numbers}, index=key.index(places, values))


OUTCOMES = (STAYED, NOTHING)
"""What may have come next other than a touchpoint."""

Piece = tuple[Longs, Longs, Longs]
"""Places, values and numbers."""


def _levels(
    key: Key,
    plan: Plan,
    attempts: Attempts,
    groups: npt.NDArray[np.int32] | None,
    stopped: Part,
    spoilt: Part,
    filled: Part,
) -> list[Piece]:
    levels, n_steps = attempts.levels, key.n_steps
    each = np.bincount(levels.astype(np.int64) + n_steps, minlength=2 * n_steps + 1)  # from -n_steps to n_steps
    pieces = [_total(key, stopped, each[n_steps]), _total(key, spoilt, each[:n_steps].sum())]
    if groups is None:
        steps = np.arange(1, n_steps + 1)
        pieces.append((key.place(0, stopped, steps), np.zeros(n_steps, np.int64), each[n_steps + 1 :]))
    else:
        pieces.append(_number(key, stopped, levels, groups, levels > 0))
    for k in plan.optional:
        pieces.append(
            _number(key, filled, np.full(len(levels), k), groups, (levels > 0) & (attempts.rows[:, k - 1] >= 0))
        )
    return pieces


def _total(key: Key, part: Part, number: Any) -> Piece:
    """Write down a number that no group and no step has a part in."""
    return np.array([key.place(0, part, 0)]), np.zeros(1, np.int64), np.array([number], dtype=np.int64)


def _number(
    key: Key, part: Part, steps: npt.NDArray[Any], groups: npt.NDArray[np.int32] | None, mask: npt.NDArray[np.bool_]
) -> Piece:
    """Count customers per group and step, of those in the mask that have a group."""
    width = key.n_steps + 1
    if groups is None:
        numbers = np.bincount(steps[mask], minlength=width)
    else:
        mask = mask & (groups >= 0)
        numbers = np.bincount(groups[mask].astype(np.int64) * width + steps[mask], minlength=key.n_groups * width)
    some = np.flatnonzero(numbers)
    places = key.place(some // width, part, some % width)
    return places, np.zeros(len(some), np.int64), numbers[some]


def _spans(
    log: InteractionLog, key: Key, plan: Plan, attempts: Attempts, groups: npt.NDArray[np.int32] | None
) -> list[Piece]:
    from journeykit.loops.funnel_spans import step_spans

    base = np.array(plan.base_steps, np.int32)
    segments = np.zeros(0, np.int32) if groups is None else groups
    pieces = []
    for segment, step, from_base, from_entry in over_customers(
        lambda a, b: step_spans(attempts.levels, attempts.rows, log.offsets, log.times, base, segments, a, b),
        log.offsets,
    ):
        ones = np.ones(len(step), np.int64)
        for part, values in ((Part.FROM_BASE, from_base), (Part.FROM_ENTRY, from_entry)):
            pieces.append((key.place(segment.astype(np.int64), part, step), values, ones))
    return pieces


def _moves(log: InteractionLog, key: Key, plan: Plan, groups: npt.NDArray[np.int32] | None) -> list[Piece]:
    from journeykit.loops.funnel_stages import stage_moves

    codes, step_of = stage_steps(log, plan)
    marks = [np.empty((log.n_customers, plan.n_steps), np.uint8) for _ in range(3)]
    begins, any_order = plan.opens(log)[0], plan.ties == "any"
    over_customers(
        lambda a, b: stage_moves(codes, step_of, log.times, log.offsets, plan.n_steps, begins, any_order, *marks, a, b),
        log.offsets,
    )
    steps = np.arange(1, plan.n_steps + 1)
    pieces = []
    for part, marked in zip((Part.REACHED, Part.SKIPPED, Part.CAME_BACK), marks, strict=True):
        if groups is None:
            pieces.append(
                (key.place(0, part, steps), np.zeros(plan.n_steps, np.int64), marked.sum(axis=0, dtype=np.int64))
            )
            continue
        for k in range(plan.n_steps):
            numbers = np.bincount(groups[marked[:, k] > 0], minlength=key.n_groups)
            places = key.place(np.arange(key.n_groups), part, k + 1)
            pieces.append((places, np.zeros(key.n_groups, np.int64), numbers))
    return pieces


def _next(
    log: InteractionLog,
    key: Key,
    plan: Plan,
    attempts: Attempts,
    groups: npt.NDArray[np.int32] | None,
    asked: npt.NDArray[np.bool_],
) -> Piece:
    from journeykit.loops.funnel_stages import next_touchpoints

    codes, step_of = stage_steps(log, plan)
    within = FOREVER if plan.within is None else plan.within
    found = np.empty(log.n_customers, np.int32)
    marked, any_order = asked.astype(np.uint8), plan.ties == "any"
    over_customers(
        lambda a, b: next_touchpoints(
            marked, attempts.levels, attempts.rows, codes, step_of, log.touchpoint_codes, log.times, log.offsets,
            within, any_order, found, a, b,
        ),
        log.offsets,
    )  # fmt: skip
    asked = asked if groups is None else asked & (groups >= 0)
    if not asked.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    place = np.zeros(int(asked.sum()), np.int64) if groups is None else groups[asked].astype(np.int64)
    places = key.place(place, Part.NEXT, attempts.levels[asked].astype(np.int64))
    values = found[asked].astype(np.int64) + len(OUTCOMES)
    width = len(log.touchpoints) + len(OUTCOMES)
    pairs, numbers = np.unique(places * width + values, return_counts=True)
    return pairs // width, pairs % width, numbers


class Counts:
    """A merged tally, read by part, group and step.

    Parameters
    ----------
    frame : DataFrame
        What `count` returned, or several merged.
    key : Key
        How it is packed.
    """

    def __init__(self, frame: pd.DataFrame, key: Key) -> None:
        self.key = key
        places, values = key.unpack(frame.index)
        numbers = frame["n"].to_numpy()
        cuts = np.flatnonzero(places[1:] != places[:-1]) + 1
        if len(cuts) > 10_000:  # groups are mixed: put each together
            order = np.argsort(places, kind="stable")
            places, values, numbers = places[order], values[order], numbers[order]
            cuts = np.flatnonzero(places[1:] != places[:-1]) + 1
        starts, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [len(places)]])
        self._runs: dict[int, list[tuple[Longs, Longs]]] = {}
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
            self._runs.setdefault(int(places[a]), []).append((values[a:b], numbers[a:b]))

    def number(self, part: Part, step: int, group: int = 0) -> int:
        """Customers counted under a part."""
        return sum(int(numbers.sum()) for _, numbers in self._runs.get(int(self.key.place(group, part, step)), []))

    def durations(self, part: Part, step: int, group: int = 0) -> tuple[Longs, Longs]:
        """Return microseconds, and how many customers took them."""
        runs = self._runs.get(int(self.key.place(group, part, step)), [])
        if not runs:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([values for values, _ in runs]), np.concatenate([numbers for _, numbers in runs])
