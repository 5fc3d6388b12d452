"""Rules about one row by itself, as it is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.calendar import instant_us


def out_of_range_time(
    times: NDArray[np.int64], *, earliest: object = "1971-01-01", latest: object = "2100-01-01"
) -> NDArray[np.bool_]:
    """Mark times that stand for "no time": 1970 (zero since the epoch), 1900 (zero in a spreadsheet), 9999.

    Formula: before `earliest` or at or after `latest`, both UTC unless they say
    otherwise. Defaults: 1971 and 2100. One such row would set the log's start
    or end, and with it every "first seen" and every "had its full window".

    Quarantined.
    """
    first, last = (
        instant_us(moment, "UTC", name=f"{name} of out_of_range_time")
        for name, moment in (("earliest", earliest), ("latest", latest))
    )
    if first >= last:
        raise ParameterError(f"earliest of out_of_range_time == {earliest!r}, must be before latest == {latest!r}")
    if times.size and first <= times.min() and times.max() < last:
        return np.zeros(len(times), dtype=bool)
    marked: NDArray[np.bool_] = (times < first) | (times >= last)
    return marked
