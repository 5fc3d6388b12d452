"""The days that a log observes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from journeykit.log.calendar import as_timestamp


@dataclass(frozen=True)
class Observed:
    """The days that a log observes: the day it begins on, and the first and last that it observes whole.

    Days are counted from 1970-01-01, in the log's timezone.
    """

    begins: int
    first_full: int
    last_full: int


def observed_days(log: Any) -> Observed:
    """Find the days that a log observes."""
    edges = log.period_edges("day")
    local = as_timestamp(int(edges[0]), log.timezone).tz_localize(None).to_datetime64()
    begins = int(local.astype("M8[D]").astype(np.int64))
    last = begins + len(edges) - 2
    return Observed(begins, begins + int(log.start > edges[0]), last - int(log.observed_until < edges[-1]))
