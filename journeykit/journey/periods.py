"""Names of the calendar periods that a log covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

_FREQUENCY = {"day": "D", "month": "M", "quarter": "Q", "year": "Y"}
_WEEK = {"monday": "W-SUN", "sunday": "W-SAT"}  # pandas names a week by its last day


def period_labels(log: InteractionLog, edges: NDArray[np.int64], period: str, week_start: str) -> pd.Index:
    """Name the periods between the edges: calendar periods; for hours, the local time at which they begin."""
    if period == "hour":
        return pd.DatetimeIndex(edges[:-1].view("M8[us]"), tz="UTC").tz_convert(log.timezone)
    frequency = _WEEK[week_start] if period == "week" else _FREQUENCY[period]
    # From the start's own date: a local day that never was (Samoa, 30 December 2011) still has its name.
    first = log.starts_at.tz_localize(None).to_period(frequency)
    return pd.period_range(first, periods=len(edges) - 1, freq=frequency)


def n_finished(edges: NDArray[np.int64], observed_until: int) -> int:
    """How many of the periods between the edges have fully elapsed."""
    return int(np.searchsorted(edges, observed_until, side="right")) - 1
