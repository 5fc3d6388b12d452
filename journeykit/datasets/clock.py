"""When things happen: local days, the season of arrivals, the hours of a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.datasets.parameters import ShopParameters
from journeykit.log.calendar import instant_us, period_edges

MINUTE = 60_000_000
DAY = 1440 * MINUTE
# Weights of the hours in which people begin; all within 7:00–22:59, so that daylight saving moves none of them.
_HOURS = (1, 2, 3, 4, 4, 5, 5, 4, 4, 5, 6, 7, 8, 9, 7, 4)
_FIRST_HOUR = 7


@dataclass(frozen=True)
class Clock:
    """The observed days.

    Attributes
    ----------
    start, end : int
        Begin and (exclusive) end of the log, microseconds since 1970, UTC.
    edges : array of int64
        Begin of each local day; one more than there are days, the last is the
        end.
    day_weights : array of float
        Share of all arrivals on each day.
    burst : tuple of int
        First day of the campaign, and the first day after it.
    """

    start: int
    end: int
    edges: NDArray[np.int64]
    day_weights: NDArray[np.float64]
    burst: tuple[int, int]

    @property
    def n_days(self) -> int:
        """Days observed."""
        return len(self.edges) - 1

    def day_of(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Local day of each instant, 0 is the first day."""
        return np.searchsorted(self.edges, time, side="right") - 1

    def at(self, day: NDArray[np.int64], time_of_day: NDArray[np.int64]) -> NDArray[np.int64]:
        """Instant on a local day; days after the end are 24 hours long."""
        last = self.n_days
        beyond = np.maximum(day - last, 0) * DAY
        return np.asarray(self.edges[np.minimum(day, last)] + beyond + time_of_day)


def make_clock(parameters: ShopParameters, months: int) -> Clock:
    """Lay out the days and how many customers arrive on each."""
    zone = parameters.timezone
    first = pd.Timestamp(parameters.start)
    start = instant_us(first, zone, name="start")
    end = instant_us(first + pd.DateOffset(months=months), zone, name="end")
    edges = period_edges(start, end, period="day", timezone=zone)
    days = pd.date_range(first, periods=len(edges) - 1, freq="D")
    weights = np.asarray(parameters.weekdays)[days.dayofweek] * np.asarray(parameters.months_of_year)[days.month - 1]
    weights = weights * parameters.growth ** (np.arange(len(days)) / 365)
    begin = int((pd.Timestamp(parameters.burst[0]) - first).days)
    burst = (max(0, begin), min(len(days), begin + parameters.burst[1]))
    weights[burst[0] : burst[1]] *= parameters.burst[2]
    return Clock(start, end, edges, np.asarray(weights / weights.sum()), burst)


def minute_weights() -> NDArray[np.float64]:
    """Probability of each minute of the day for whoever begins something: uniform within the hour."""
    hours = np.zeros(24)
    hours[_FIRST_HOUR : _FIRST_HOUR + len(_HOURS)] = _HOURS
    return np.repeat(hours / hours.sum() / 60, 60)


def draw_minutes(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Draw minutes of the day with these weights."""
    edges = np.cumsum(np.asarray(_HOURS) / sum(_HOURS))
    hour = np.minimum(np.searchsorted(edges, rng.random(n), side="right"), len(_HOURS) - 1) + _FIRST_HOUR
    return np.asarray(60 * hour + rng.integers(0, 60, n))
