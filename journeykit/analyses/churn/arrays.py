"""Durations and ends that were measured elsewhere, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError


def read_numbers(values: Any, name: str) -> npt.NDArray[Any]:
    """Read an array of numbers, none missing."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise ParameterError(f"{name} must be numbers, none missing, got {array.dtype}")
    if array.size and name == "durations" and array.min() < 0:
        raise ParameterError(f"durations must be 0 or more, got {array.min()}")
    return array


def read_ends(events: Any, rows: int) -> pd.Series:
    """Read how each tenure ended as a categorical; missing where it did not."""
    given = pd.Series(events).reset_index(drop=True)
    if len(given) != rows:
        raise ParameterError(f"durations and events must have the same length, got {rows} and {len(given)}")
    if given.dtype.kind in "biuf":
        if not given.isin([0, 1]).all():
            raise ParameterError("events must be true/false, 0/1 or the names of ends, none of them missing")
        return pd.Series(pd.Categorical.from_codes(given.astype(int) - 1, categories=pd.Index(["event"])))
    ends = given.where(given.notna() & ~given.isin(["", "censored"]))
    return ends.astype(str).where(ends.notna()).astype("category")
