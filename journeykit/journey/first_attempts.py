"""Each customer's first attempt inside a window: whom effects on conversion are looked for among."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.journey.conversions import NOT_REACHED, conversions
from journeykit.journey.steps import Step, as_step, distinct
from journeykit.log.calendar import range_us
from journeykit.schema import duration_us

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


@dataclass(frozen=True)
class Attempts:
    """Which attempts are asked for, settled and able to travel to wherever a bucket is counted.

    Attributes
    ----------
    steps : tuple of Step
        From the one that enters to the one that converts.
    names : tuple of str
        How they are called; one that repeats is numbered.
    within : int
        The window in microseconds, from the entry, inclusive.
    between : tuple
        Only entries inside, in microseconds.
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    within: int
    between: tuple[int | None, int | None] = (None, None)

    def find(self, log: InteractionLog) -> pd.DataFrame:
        """Find each customer's first entry and what it reached inside its window.

        Returns
        -------
        DataFrame
            Of `conversions`, times after the window being `NOT_REACHED`, with
            `mature` (whether the whole window was observed) and `steps` (how
            many were reached).
        """
        found = conversions(log, self.steps, between=self.between)
        entered = found["entered_at"].to_numpy()
        times = {name: found[name].to_numpy() for name in self.columns}
        late = {name: time > entered + self.within for name, time in times.items()}
        inside = {name: np.where(late[name], NOT_REACHED, time) for name, time in times.items()}
        steps = 1 + sum((~each).astype(np.int64) for each in late.values())
        mature = entered < log.observed_until - self.within
        return found.assign(**inside, converted_at=inside[self.columns[-1]], mature=mature, steps=steps)

    @property
    def columns(self) -> list[str]:
        """Names of the columns with the times of steps 2, 3, …."""
        return [f"reached_{k}_at" for k in range(2, len(self.steps) + 1)]


def read_attempts(log: InteractionLog, steps: Any, within: Any, between: Any) -> Attempts:
    """Read what a user says of steps, window and range."""
    if isinstance(steps, str) or not isinstance(steps, Sequence) or len(steps) < 2:
        raise ParameterError(f'steps must be a list of two or more, such as ["visit", "order"], got {steps!r}')
    read = tuple(as_step(each, log) for each in steps)
    names = distinct(step.name for step in read)
    return Attempts(read, names, duration_us(within, name="within"), range_us(between, log.timezone))
