"""Delays on a lattice of whole minutes, so that their sums have exact distributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from journeykit.errors import ParameterError

MINUTES_A_DAY = 1440


@dataclass(frozen=True)
class Delay:
    """How long until the next thing happens: in the same sitting, or some days later at about the same hour.

    Attributes
    ----------
    soon : float
        Probability of the same sitting.
    soon_minutes : tuple of int
        Then the minutes are uniform from the first to the last, both included.
    mean_days : float
        Else whole days from 1 to `max_days`, geometric with weights
        (1 − 1/mean_days)^k …
    max_days : int
        … cut here,
    wobble : tuple of int
        plus minutes, uniform from the first to the last, both included.

    Examples
    --------
    >>> from journeykit.datasets import Delay
    >>> Delay(soon=1, soon_minutes=(5, 6)).pmf()
    array([0. , 0. , 0. , 0. , 0. , 0.5, 0.5])
    """

    soon: float = 0.0
    soon_minutes: tuple[int, int] = (1, 30)
    mean_days: float = 2.0
    max_days: int = 7
    wobble: tuple[int, int] = (-90, 90)

    def __post_init__(self) -> None:
        """Refuse delays that could be negative."""
        if not 0 <= self.soon <= 1:
            raise ParameterError(f"soon == {self.soon}, must be from 0 to 1")
        if not 0 <= self.soon_minutes[0] <= self.soon_minutes[1]:
            raise ParameterError(f"soon_minutes must be two minutes in order, got {self.soon_minutes}")
        if self.mean_days < 1 or self.max_days < 1:
            raise ParameterError(f"mean_days and max_days must be at least 1, got {self.mean_days}, {self.max_days}")
        if not -MINUTES_A_DAY < self.wobble[0] <= self.wobble[1] < MINUTES_A_DAY:
            raise ParameterError(f"wobble must be two minutes in order, within a day, got {self.wobble}")

    @property
    def max_minutes(self) -> int:
        """The longest delay possible."""
        days = MINUTES_A_DAY * self.max_days + self.wobble[1] if self.soon < 1 else 0
        return max(days, self.soon_minutes[1] if self.soon > 0 else 0)

    def day_weights(self) -> NDArray[np.float64]:
        """Probability of 1, 2, … `max_days` days, given that it is not in the same sitting."""
        weights = (1 - 1 / self.mean_days) ** np.arange(self.max_days)
        return np.asarray(weights / weights.sum())

    def pmf(self) -> NDArray[np.float64]:
        """Probability of each number of minutes, from 0 to `max_minutes`."""
        probability = np.zeros(self.max_minutes + 1)
        if self.soon > 0:
            low, high = self.soon_minutes
            probability[low : high + 1] += self.soon / (high - low + 1)
        if self.soon < 1:
            low, high = self.wobble
            for day, weight in enumerate(self.day_weights(), start=1):
                at = MINUTES_A_DAY * day
                probability[at + low : at + high + 1] += (1 - self.soon) * weight / (high - low + 1)
        return probability

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw n delays in minutes."""
        low, high = self.wobble
        days = 1 + pick(rng, self.day_weights(), n)
        later = MINUTES_A_DAY * days + rng.integers(low, high + 1, n)
        soon = rng.integers(self.soon_minutes[0], self.soon_minutes[1] + 1, n)
        return np.where(rng.random(n) < self.soon, soon, later).astype(np.int64)


def exactly(minutes: int) -> Delay:
    """Return the delay that is always this long."""
    return Delay(soon=1.0, soon_minutes=(minutes, minutes))


def pick(rng: np.random.Generator, weights: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Draw n positions with these weights: by inversion, which no version of numpy changes."""
    edges = np.cumsum(weights)
    place = np.searchsorted(edges, rng.random(n) * edges[-1], side="right")
    return np.asarray(np.minimum(place, len(weights) - 1), dtype=np.int64)


def pick_by_row(rng: np.random.Generator, weights: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Draw a position for each entry of `rows` with the weights of that row of a table."""
    edges = np.cumsum(weights, axis=1)
    edges /= edges[:, -1:]
    drawn = (rng.random(len(rows))[:, None] >= edges[rows]).sum(axis=1)
    return np.asarray(np.minimum(drawn, weights.shape[1] - 1), dtype=np.int64)


def geometric(rng: np.random.Generator, chance: NDArray[np.float64] | float, n: int) -> NDArray[np.int64]:
    """Draw days until the first success, 1 or more, when each day has this chance; 0 is never (about 10⁹ days)."""
    chance = np.broadcast_to(np.asarray(chance, dtype=np.float64), (n,))
    with np.errstate(divide="ignore"):
        days = np.ceil(np.log1p(-rng.random(n)) / np.log1p(-chance))
    return np.asarray(np.clip(np.nan_to_num(days, nan=1e9, posinf=1e9), 1, 1e9), dtype=np.int64)
