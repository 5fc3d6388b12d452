"""What the rules look at: the log as it was built, and what was said about its end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from journeykit.log.calendar import as_timestamp

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog


@dataclass(frozen=True)
class Seen:
    """A log under examination.

    Attributes
    ----------
    log : InteractionLog
        The log, sorted.
    times : array of int64
        Its times as they came: mostly in order, and so quicker to go through.
    end_given : bool
        Whether somebody said until when the log observes.
    """

    log: InteractionLog
    times: NDArray[np.int64]
    end_given: bool

    @cached_property
    def day_edges(self) -> NDArray[np.int64]:
        """Where the local days of the observation begin."""
        return self.log.period_edges("day")

    @cached_property
    def per_day(self) -> NDArray[np.int64]:
        """Events of each local day."""
        return self.count(self.day_edges)

    def count(self, edges: NDArray[np.int64]) -> NDArray[np.int64]:
        """Events in each period between two edges."""
        from journeykit.loops.checking import count_in_periods

        counts = np.zeros(len(edges) - 1, np.int64)
        count_in_periods(self.times, edges, counts)
        return counts

    @cached_property
    def per_touchpoint(self) -> NDArray[np.int64]:
        """Events of each touchpoint."""
        return np.bincount(self.log.touchpoint_codes, minlength=len(self.log.touchpoints))

    def day(self, i: int) -> str:
        """The date of the i-th local day."""
        return str(as_timestamp(int(self.day_edges[i]), self.log.timezone).date())

    def event(self, i: int) -> str:
        """One event as an example, without its customer."""
        name = self.log.touchpoints[self.log.touchpoint_codes[i]]
        return f"{name} at {as_timestamp(int(self.log.times[i]), self.log.timezone)}"
