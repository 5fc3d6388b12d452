"""Read a column of times, however it is written, as microseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.schema import DAY, SECOND

# Epoch numbers are told apart by size: from 1973 to 5138, seconds, milliseconds,
# microseconds and nanoseconds since 1970 occupy four ranges that do not overlap.
_EPOCHS = (
    ("epoch seconds", 1e8, 1e11, SECOND),
    ("epoch milliseconds", 1e11, 1e14, 1_000),
    ("epoch microseconds", 1e14, 1e17, 1),
    ("epoch nanoseconds", 1e17, 1e20, 1e-3),
)


@dataclass(frozen=True)
class ReadTimes:
    """A column of times as read.

    Attributes
    ----------
    microseconds : array of int64
        Since 1970, UTC; 0 where missing or bad.
    missing, bad : array of bool
        Rows without a time, and rows whose time could not be read.
    notes : dict
        What was assumed or changed → how many rows.
    """

    microseconds: NDArray[np.int64]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    notes: dict[str, int] = field(default_factory=dict)


def read_times(column: pd.Series, timezone: str) -> ReadTimes:
    """Read times; those without an offset are local to `timezone`.

    Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970,
    recognised by their size. A local time that daylight saving repeats is read
    as the earlier of the two, one that it skips as the first instant after the
    gap; both are noted.
    """
    missing = column.isna().to_numpy(dtype=bool)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or _is_arrow_time(column):
        return _from_datetimes(column, missing, timezone)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return _from_numbers(column.to_numpy(dtype=np.float64, na_value=np.nan), column, missing)
    return _from_texts(column, missing, timezone)


def _is_arrow_time(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.ArrowDtype) and column.dtype.kind == "M"


def _from_datetimes(column: pd.Series, missing: NDArray[np.bool_], timezone: str) -> ReadTimes:
    stamps = pd.DatetimeIndex(column)
    notes: dict[str, int] = {}
    if stamps.tz is None and timezone != "UTC":
        stamps, notes = _localize(stamps, timezone)
    raw = stamps.asi8
    unit = stamps.unit
    if unit == "ns":
        whole = raw // 1_000
        finer = int(((raw != whole * 1_000) & ~missing).sum())
        if finer:
            notes["finer than a microsecond"] = finer
    else:
        whole = raw * {"us": 1, "ms": 1_000, "s": SECOND}[unit]
    return ReadTimes(np.where(missing, 0, whole).astype(np.int64, copy=False), missing, np.zeros_like(missing), notes)


def _localize(stamps: pd.DatetimeIndex, timezone: str) -> tuple[pd.DatetimeIndex, dict[str, int]]:
    """Give local stamps their zone; count those that daylight saving repeats or skips."""
    first = np.ones(len(stamps), dtype=bool)
    local = stamps.tz_localize(timezone, ambiguous=first, nonexistent="shift_forward")
    second = stamps.tz_localize(timezone, ambiguous=~first, nonexistent="shift_forward")
    repeated = int((local.asi8 != second.asi8).sum())
    skipped = int(((local.tz_localize(None) != stamps) & stamps.notna()).sum())
    notes = {"repeated local time": repeated, "skipped local time": skipped}
    return local, {what: rows for what, rows in notes.items() if rows}


def _from_numbers(numbers: NDArray[np.float64], column: pd.Series, missing: NDArray[np.bool_]) -> ReadTimes:
    sizes = np.abs(numbers)
    micros = np.zeros(len(numbers), np.int64)
    known = missing.copy()
    notes: dict[str, int] = {}
    integers = pd.api.types.is_integer_dtype(column.dtype) and not missing.any()
    exact = column.to_numpy(dtype=np.int64) if integers else None
    for name, low, high, factor in _EPOCHS:
        rows = (sizes >= low) & (sizes < high)
        if not rows.any():
            continue
        if exact is not None:
            micros[rows] = exact[rows] // 1_000 if factor < 1 else exact[rows] * int(factor)
        else:
            micros[rows] = np.round(numbers[rows] * factor).astype(np.int64)
        known |= rows
        notes[name] = int(rows.sum())
    return ReadTimes(micros, missing, ~known, notes)


def _from_texts(column: pd.Series, missing: NDArray[np.bool_], timezone: str) -> ReadTimes:
    """Read texts: ISO 8601 first (with or without offsets, mixed), then numbers, then what dateutil understands."""
    texts = column.astype("string").str.strip()
    missing = missing | (texts.isna() | (texts == "")).to_numpy(dtype=bool)
    micros = np.zeros(len(texts), np.int64)
    left = ~missing
    notes: dict[str, int] = {}
    with_offset = texts.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", case=False, regex=True, na=False).to_numpy(dtype=bool)
    # A date alone, 2024-01-31, ends like an offset of -31 hours would: it needs a clock time before it.
    with_offset &= texts.str.contains(":", regex=False, na=False).to_numpy(dtype=bool)
    for rows, zone in ((left & with_offset, "UTC"), (left & ~with_offset, timezone)):
        if not rows.any():
            continue
        parsed = pd.to_datetime(texts[rows].astype(object), format="ISO8601", errors="coerce", utc=zone == "UTC")
        some = _from_datetimes(parsed, parsed.isna().to_numpy(dtype=bool), zone)
        micros[rows] = some.microseconds
        left[np.flatnonzero(rows)[~some.missing]] = False
        _add(notes, some.notes)
    if left.any():
        numbers = pd.to_numeric(texts[left].astype(object), errors="coerce")
        some = _from_numbers(numbers.to_numpy(np.float64), numbers, numbers.isna().to_numpy(dtype=bool))
        micros[left] = some.microseconds
        left[np.flatnonzero(left)[~some.missing & ~some.bad]] = False
        _add(notes, some.notes)
    return ReadTimes(micros, missing, left, notes)


def _add(notes: dict[str, int], more: dict[str, int]) -> None:
    for what, rows in more.items():
        notes[what] = notes.get(what, 0) + rows


def resolution_us(times: NDArray[np.int64], timezone: str) -> int:
    """Find the step in which times are written: a day, a minute, a second, a millisecond or a microsecond.

    A day only if every time is a local midnight.
    """
    for step in (60 * SECOND, SECOND, 1_000):
        if not (times % step).any():
            break
    else:
        return 1
    if step == 60 * SECOND and not (times % (15 * 60 * SECOND)).any():  # zones are offset by quarters of an hour
        local = pd.DatetimeIndex(np.unique(times).astype("M8[us]"), tz="UTC").tz_convert(timezone)
        if (local.normalize() == local).all():
            return DAY
    return step
