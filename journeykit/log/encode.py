"""Turn columns into integer codes with a sorted dictionary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = tuple[NDArray[np.int32], pd.Index]


def encode_names(column: pd.Series) -> Codes:
    """Code a column of names (touchpoints, channels); a missing or blank name is -1.

    Returns
    -------
    codes : array of int32
        Position of each row's name in `names`, or -1.
    names : Index of str
        The distinct names, sorted.
    """
    codes, raw = _factorize(column)
    texts = [_as_name(value) for value in raw]
    names = sorted({text for text in texts if text.strip()})
    position = {name: i for i, name in enumerate(names)}
    lookup = np.array([*(position.get(text, -1) for text in texts), -1], dtype=np.int32)  # the last is for code -1
    return lookup[codes], pd.Index(names, dtype=object)


def encode_customers(column: pd.Series) -> Codes:
    """Code a column of customer ids; whole numbers stay numbers, all else becomes text; missing or blank is -1.

    Returns
    -------
    codes : array of int32
        Position of each row's customer in `customers`, or -1.
    customers : Index
        The distinct ids, sorted.
    """
    whole = _whole_numbers(column)
    if whole is not None:
        numbers, present = whole
        return _encode_numbers(numbers, present)
    return encode_names(column)


def _factorize(column: pd.Series) -> tuple[NDArray[np.int64], list[Any]]:
    """Code any column, whatever it holds; missing is -1."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.int64), column.cat.categories.tolist()
    codes, raw = pd.factorize(column, use_na_sentinel=True)
    return codes, list(raw.tolist() if hasattr(raw, "tolist") else raw)


def _as_name(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _whole_numbers(column: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Read a numeric column as int64 with a mask of the rows present; None if it is not one of whole numbers."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return None
    if pd.api.types.is_complex_dtype(column.dtype):
        return None
    present = column.notna().to_numpy(dtype=bool)
    if pd.api.types.is_integer_dtype(column.dtype):
        filled = column.to_numpy() if present.all() else column.fillna(0).to_numpy()
        if filled.dtype == np.uint64 and filled.size and filled.max() > np.iinfo(np.int64).max:
            return None
        return filled.astype(np.int64, copy=False), present
    floats = column.to_numpy(dtype=np.float64, na_value=np.nan)
    present &= np.isfinite(floats)
    numbers = np.where(present, floats, 0)
    if (np.abs(numbers) >= 2**53).any() or (numbers != np.floor(numbers)).any():
        return None
    return numbers.astype(np.int64), present


def _encode_numbers(numbers: NDArray[np.int64], present: NDArray[np.bool_]) -> Codes:
    every = bool(present.all())
    known = numbers if every else numbers[present]
    if not known.size:
        return np.full(numbers.size, -1, np.int32), pd.Index([], dtype=np.int64)
    low, high = int(known.min()), int(known.max())
    if high - low < 4 * known.size + 1000:  # dense ids: a table is faster than hashing
        seen = np.zeros(high - low + 1, bool)
        seen[known - low] = True
        lookup = np.cumsum(seen, dtype=np.int32) - np.int32(1)
        customers: pd.Index = pd.Index(np.flatnonzero(seen) + low)
        coded = lookup[known - low]
    else:
        coded, distinct = pd.factorize(known)
        rank = np.argsort(np.argsort(distinct))
        customers = pd.Index(np.sort(distinct))
        coded = rank.astype(np.int32)[coded]
    if every:
        return coded, customers
    codes = np.full(numbers.size, -1, np.int32)
    codes[present] = coded
    return codes, customers
