"""Which steps each event matches, as a code of each event and a table of codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from journeykit.journey.steps import Step, stage_numbers

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


def step_kinds(log: InteractionLog, steps: Sequence[Step]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Give events codes by the steps that they match.

    Parameters
    ----------
    log : InteractionLog
        The events.
    steps : sequence of Step
        What may be matched.

    Returns
    -------
    codes : array of int32
        A code of each event.
    has_step : array of uint8, shape (codes, steps + 1)
        Whether events of a code match step k, from 1; column 0 whether any.
    """
    if all(step.touchpoint is not None and step == Step(step.touchpoint) for step in steps):
        codes = log.touchpoint_codes
        flags = np.array([log.touchpoints.isin(_touchpoints(step)) for step in steps], dtype=np.uint8).T
    elif log.stage_codes is not None and all(_is_stage(step) for step in steps):
        # Codes are never below 0: the loops need no sign. An event without a stage (-1) has the last one.
        n_codes = 1 << len(log.stages).bit_length()
        codes = np.bitwise_and(log.stage_codes, n_codes - 1, dtype=np.int32)
        flags = np.zeros((n_codes, len(steps)), np.uint8)
        for i, step in enumerate(steps):
            flags[stage_numbers(step, log), i] = 1
    else:
        codes, flags = _combine([step.mask(log) for step in steps], log.n_events)
    flags = flags.reshape(-1, len(steps))
    return codes, np.ascontiguousarray(np.hstack([flags.max(axis=1, initial=0, keepdims=True), flags]))


def _is_stage(step: Step) -> bool:
    return step.stage is not None and step == Step(stage=step.stage)


def _touchpoints(step: Step) -> list[str]:
    names = step.touchpoint
    assert names is not None
    return [names] if isinstance(names, str) else list(names)


def _combine(masks: Sequence[NDArray[np.bool_]], n_events: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Number the combinations of masks that occur."""
    codes, flags = np.zeros(n_events, np.int32), np.zeros((1, 0), np.uint8)
    for mask in masks:
        # After each mask codes are made small again: thirty masks have too many combinations to number them all.
        doubled = 2 * codes + mask
        used = np.asarray(np.bincount(doubled, minlength=2 * len(flags)) > 0)
        codes = (np.cumsum(used) - 1).astype(np.int32)[doubled]
        both = np.column_stack([np.repeat(flags, 2, axis=0), np.tile(np.array([0, 1], np.uint8), len(flags))])
        flags = both[used]
    return codes, flags
