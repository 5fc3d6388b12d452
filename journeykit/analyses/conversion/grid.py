"""Times at which curves are read, where nobody says them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.conversion.curves import Curve
from journeykit.errors import ParameterError
from journeykit.estimators.risk import number_at_risk
from journeykit.schema import DAY, SECOND, duration_us

HOUR = 3600 * SECOND
HORIZONS = tuple(
    [hours * HOUR for hours in (1, 6)] + [days * DAY for days in (1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1095)]
)
"""Familiar ages."""

WATCHED = 25
"""Entries that each group must have at risk at a horizon that we choose."""

MOST_TIMES = 300
"""More distinct times of conversion than this are not all read: times spread over them are."""

_STEPS = tuple(
    [seconds * SECOND for seconds in (1, 5, 15, 30, 60, 300, 900, 1800)]
    + [hours * HOUR for hours in (1, 3, 6, 12)]
    + [days * DAY for days in (1, 2, 7, 14, 30, 90)]
)


def choose_horizon(tables: list[pd.DataFrame]) -> float:
    """Choose the longest familiar age at which every group is still well watched, or the last that all reach."""
    if not tables:
        return float(DAY)
    least = np.min([number_at_risk(rows, HORIZONS)["at_risk"].to_numpy() for rows in tables], axis=0)
    enough = np.flatnonzero(least >= WATCHED)
    shortest = min(int(rows["time"].iloc[-1]) for rows in tables)
    return float(HORIZONS[enough[-1]] if len(enough) else max(shortest, 1))


def choose_times(curves: list[Curve], horizon: float, within: int | None) -> NDArray[np.int64]:
    """Choose where to read: at every conversion, or spread over time and over conversions where those are many."""
    if not curves:
        return np.zeros(0, np.int64)
    last = max(int(curve.rows["time"].iloc[-1]) for curve in curves)
    last = last if within is None else min(last, within)
    fixed = [0, last, min(int(horizon), last)]
    events = [curve.rows.loc[curve.rows["events"] > 0, "time"].to_numpy() for curve in curves]
    moments = np.sort(pd.unique(np.concatenate(events)))  # many times as fast as np.unique
    if len(moments) > MOST_TIMES:
        step = next((each for each in _STEPS if last / each <= MOST_TIMES // 2), DAY * int(np.ceil(last / DAY / 150)))
        spread = np.quantile(moments, np.linspace(0, 1, MOST_TIMES // 3), method="lower")
        moments = np.concatenate([np.arange(0, last, step), spread])
    return np.unique(np.concatenate([fixed, moments]).astype(np.int64))


def ticks(curves: list[Curve]) -> NDArray[np.int64]:
    """Choose about six round times from 0 on, for an axis and the numbers under it."""
    last = max(int(curve.rows["time"].iloc[-1]) for curve in curves) if curves else 1
    step = next((each for each in _STEPS if last / each <= 7), DAY * int(np.ceil(last / DAY / 6)))
    return np.arange(0, max(last, 0) + 1, step)


def read_times(times: Any) -> NDArray[np.int64] | None:
    """Read times as a user says them: durations such as "1h", in any order; 0 may be among them."""
    if times is None:
        return None
    given = [times] if isinstance(times, str) or not hasattr(times, "__iter__") else list(times)
    if not given:
        raise ParameterError('times must be durations such as ["1h", "1d"], got none')
    return np.unique([0 if _is_zero(each) else duration_us(each, name="times") for each in given]).astype(np.int64)


def _is_zero(value: Any) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value == 0
    return not isinstance(value, int | float) and bool(pd.Timedelta(value) == pd.Timedelta(0))
