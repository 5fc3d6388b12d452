"""Kinds of events: which steps of a funnel each event matches, and which exclusions it triggers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeykit.analyses.funnel.plan import Plan
from journeykit.journey import Step
from journeykit.log.interactions import InteractionLog

Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Kinds:
    """What the loops need to know of events.

    Attributes
    ----------
    codes : array of int32
        A code of each event.
    kind_of : array of int32
        Kind of each code; kind 0 means nothing.
    has_step, spoils : array of uint8, shape (kinds, steps + 1), (kinds, exclusions)
        Which steps a kind matches, which exclusions it triggers.
    """

    codes: Ints
    kind_of: Ints
    has_step: Bytes
    spoils: Bytes

    @property
    def steps_from(self) -> Ints:
        """Where the steps of each kind begin in `steps_of`."""
        return np.concatenate([[0], np.cumsum(self.has_step.sum(axis=1))]).astype(np.int32)

    @property
    def steps_of(self) -> Ints:
        """The steps of each kind, the highest first."""
        return np.concatenate([np.flatnonzero(row)[::-1] for row in self.has_step]).astype(np.int32)

    @property
    def excludes(self) -> Bytes:
        """Whether a kind triggers any exclusion; empty without exclusions."""
        if not self.spoils.shape[1]:
            return np.zeros(0, np.uint8)
        return np.asarray(self.spoils.any(axis=1), dtype=np.uint8)


def find_kinds(log: InteractionLog, plan: Plan) -> Kinds:
    """Sort a log's events into kinds."""
    wanted = [*plan.steps, *(step for step, _, _ in plan.exclude)]
    if all(_is_touchpoint(step) for step in wanted):
        flags = np.array([log.touchpoints.isin(_names(step)) for step in wanted], dtype=np.uint8).T
        codes = log.touchpoint_codes
    elif log.stage_codes is not None and all(_is_stage(step) for step in wanted):
        # Codes are never below 0: the loops need no sign. An event without a stage (-1) has the last one.
        n_codes = 1 << len(log.stages).bit_length()
        codes = np.bitwise_and(log.stage_codes, n_codes - 1, dtype=np.int32)
        names = (*log.stages, *[None] * (n_codes - len(log.stages)))
        flags = np.array([[name in _names(step) for name in names] for step in wanted], np.uint8).T
    else:
        codes, flags = _combine([step.mask(log) for step in wanted], log.n_events)
    # Kind 0 first, whether it occurs or not.
    patterns, kind_of = np.unique(np.vstack([np.zeros((1, len(wanted)), np.uint8), flags]), axis=0, return_inverse=True)
    steps = np.hstack([np.zeros((len(patterns), 1), np.uint8), patterns[:, : plan.n_steps]])
    return Kinds(
        codes=codes,
        kind_of=np.ascontiguousarray(kind_of.ravel()[1:], dtype=np.int32),
        has_step=np.ascontiguousarray(steps),
        spoils=np.ascontiguousarray(patterns[:, plan.n_steps :]),
    )


def _combine(masks: list[npt.NDArray[np.bool_]], n_events: int) -> tuple[Ints, Bytes]:
    """Give each event a code for the masks it meets, and each code its masks; only combinations that occur."""
    codes = np.zeros(n_events, dtype=np.int32)
    flags = np.zeros((1, 0), dtype=np.uint8)
    for mask in masks:
        codes = codes * 2 + mask
        occurs = np.flatnonzero(np.bincount(codes, minlength=2 * len(flags)))
        place = np.zeros(2 * len(flags), dtype=np.int32)
        place[occurs] = np.arange(len(occurs), dtype=np.int32)
        codes = place[codes]
        flags = np.hstack([flags[occurs // 2], (occurs % 2)[:, None].astype(np.uint8)])
    return codes, flags


def _is_touchpoint(step: Step) -> bool:
    return step.touchpoint is not None and step == Step(step.touchpoint)


def _is_stage(step: Step) -> bool:
    return step.stage is not None and step == Step(stage=step.stage)


def _names(step: Step) -> tuple[str, ...]:
    names = step.touchpoint if step.touchpoint is not None else step.stage
    assert names is not None
    return (names,) if isinstance(names, str) else tuple(names)
