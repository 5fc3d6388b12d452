"""Journeys: from a customer's first interaction to a goal, or to silence, or to the end of observation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.journey.steps import as_step
from journeykit.journey.units import Units, cut, outline, stamps
from journeykit.schema import duration_us

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

OUTCOMES = pd.Index(["converted", "dropped", "open"])
_NEVER = np.iinfo(np.int64).min  # how a missing time is written


def find_journeys(log: InteractionLog, end: Any, gap: str | None) -> Units:
    """Find the journeys of a log: see `InteractionLog.journeys`."""
    step = None if end is None else as_step(end, log)
    silence = 0 if gap is None else duration_us(gap, name="gap")
    ends = np.zeros(log.n_events, dtype=bool) if step is None else step.mask(log)
    codes = cut(log, silence, ends)
    table, last = outline(log, codes, "journey")
    converted = ends[last]
    fell_silent = np.zeros(len(last), dtype=bool)
    if silence:  # observed_until is exclusive: all of a silence that ends there has been seen
        fell_silent = log.observed_until - log.times[last] >= silence
    outcome = np.where(converted, 0, np.where(fell_silent, 1, 2))
    known = np.where(converted, log.times[last], np.where(fell_silent, log.times[last] + silence, _NEVER))
    table["outcome"] = pd.Categorical.from_codes(outcome, OUTCOMES)
    table["decided_at"] = stamps(log, known)
    if log.values is not None:
        table["value"] = _sums(log.values, codes, len(table))
    params = {"end": None if step is None else step.name, "gap": gap}
    return Units("journey", table, codes, params, "customer" in log.personal)


def _sums(values: NDArray[np.float64], codes: NDArray[np.int32], n_units: int) -> NDArray[np.float64]:
    """Sum of each unit's values; NaN where it has none."""
    has = ~np.isnan(values)
    sums = np.bincount(codes[has], weights=values[has], minlength=n_units)
    counts = np.bincount(codes[has], minlength=n_units)
    return np.where(counts > 0, sums, np.nan)
