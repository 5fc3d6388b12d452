"""Whether a column has a wanted value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.calendar import read_instant


def matches(column: pd.Series, wanted: Any) -> NDArray[np.bool_]:
    """Mark the entries that equal the value, or one of a collection of values; None stands for a missing entry."""
    one = isinstance(wanted, str) or not isinstance(wanted, Iterable)
    values = [wanted] if one else list(wanted)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        values = [None if pd.isna(value) else _as_time(value, column) for value in values]
    marked: NDArray[np.bool_] = column.isin([value for value in values if value is not None]).to_numpy()
    return marked | column.isna().to_numpy() if any(value is None for value in values) else marked


def _as_time(value: Any, column: pd.Series) -> pd.Timestamp:
    """Read a time as one of the column's zone; local to it without an offset."""
    zone = column.dt.tz
    stamp = read_instant(value, zone, name=str(column.name))
    return stamp if zone is None else stamp.tz_convert(zone)


def glob_regex(pattern: str) -> str:
    """Translate a pattern with `*` and `?`; everything else stands for itself, brackets too."""
    parts = {"*": r"[\s\S]*", "?": r"[\s\S]"}
    return "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
