"""Kinds of events: which steps of a funnel each event matches, and which exclusions it triggers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeykit.analyses.funnel.plan import Plan
from journeykit.journey.kinds import step_kinds
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
    codes, flags = step_kinds(log, wanted)
    # Kind 0 first, whether it occurs or not.
    nothing = np.zeros((1, flags.shape[1]), np.uint8)  # without events there may be no code
    patterns, kind_of = np.unique(np.vstack([nothing, flags]), axis=0, return_inverse=True)
    steps = patterns[:, : plan.n_steps + 1]
    steps[:, 0] = 0
    return Kinds(
        codes=codes,
        kind_of=np.ascontiguousarray(kind_of.ravel()[1:], dtype=np.int32),
        has_step=np.ascontiguousarray(steps),
        spoils=np.ascontiguousarray(patterns[:, plan.n_steps + 1 :]),
    )
