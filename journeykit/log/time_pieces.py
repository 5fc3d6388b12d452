"""Read one piece of a column of times: Arrow and pandas times, numbers, texts of ISO 8601 or of a stated format."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.pieces import Piece, as_series, is_arrow
from journeykit.schema import DAY, SECOND

# Epoch numbers are told apart by size: from 1973 to 5138, seconds, milliseconds, microseconds and nanoseconds since
# 1970 occupy four ranges that do not overlap.
_EPOCHS = (
    ("epoch_seconds", 1e8, 1e11, SECOND),
    ("epoch_milliseconds", 1e11, 1e14, 1_000),
    ("epoch_microseconds", 1e14, 1e17, 1),
    ("epoch_nanoseconds", 1e17, 1e20, 1e-3),
)
# Days since 1899-12-30, as spreadsheets count, from 2000 to 2099: as seconds they would all be in January 1970.
_SHEET_DAYS = (36_526, 73_050)
_SHEET_ZERO = -25_569 * DAY

_FIRST = 16
_ISO = r"^\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?$|^\d{8}(?:T\d{4,6})?(?:[+-]\d{2}(?::?\d{2})?|Z)?$"
_ISO_LOCAL = r"^\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)?$"
_OFFSET = r"(?:Z|[+-]\d{2}(?::?\d{2})?)$"


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
    ambiguous : int
        Rows that are bad only because they could be two dates (03/04/2024).
    """

    microseconds: NDArray[np.int64]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    notes: dict[str, int] = field(default_factory=dict)
    ambiguous: int = 0


def add_notes(notes: Iterable[dict[str, int]]) -> dict[str, int]:
    """Add up the rows of notes of several pieces."""
    total: dict[str, int] = {}
    for each in notes:
        for what, rows in each.items():
            total[what] = total.get(what, 0) + rows
    return total


def read_piece(column: Piece, timezone: str) -> ReadTimes:
    """Read a piece, whatever it holds; texts that are not ISO 8601 or numbers are marked bad."""
    if is_arrow(column) and (read := _from_arrow(column, timezone)) is not None:
        return read
    series = as_series(column)
    missing = series.isna().to_numpy(dtype=bool)
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(series.dtype) or _is_arrow_time(series):
        return _from_datetimes(pd.DatetimeIndex(series), missing, timezone)
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        return _from_numbers(series, missing, timezone)
    return from_texts(as_texts(column if is_arrow(column) else series), missing, timezone)


def _is_arrow_time(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.ArrowDtype) and column.dtype.kind == "M"


def _from_arrow(column: Any, timezone: str) -> ReadTimes | None:
    """Read an Arrow array of times, or of texts that are all alike; None if it is neither."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("us"))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        cast = _cast_texts(column)
        if cast is None:
            return None
        column = cast
    elif not pa.types.is_timestamp(kind):
        return None
    missing = column.is_null().to_numpy(zero_copy_only=False)
    stamps = pc.fill_null(column, pa.scalar(0, pa.int64()).cast(column.type)) if column.null_count else column
    raw = stamps.cast(pa.int64()).to_numpy(zero_copy_only=False)
    index = pd.DatetimeIndex(raw.view(f"M8[{column.type.unit}]"))
    return _from_datetimes(index if column.type.tz is None else index.tz_localize("UTC"), missing, timezone)


def _cast_texts(column: Any) -> Any | None:
    """Turn texts into Arrow times if they are all ISO 8601, all with an offset or all without, but for empty ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            column[:_FIRST].cast(kind)  # Arrow is slow to find that nothing fits
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    empty = pc.equal(column, "")
    if not pc.any(empty).as_py():
        return None
    return _cast_texts(pc.if_else(empty, pa.scalar(None, column.type), column))


def _from_datetimes(stamps: pd.DatetimeIndex, missing: NDArray[np.bool_], timezone: str) -> ReadTimes:
    notes: dict[str, int] = {}
    if stamps.tz is None and timezone != "UTC":
        stamps, notes = _localize(stamps, missing, timezone)
    raw = stamps.asi8
    unit = stamps.unit
    if unit == "ns":
        whole = raw // 1_000
        finer = int(((raw != whole * 1_000) & ~missing).sum())
        if finer:
            notes["finer_than_microseconds"] = finer
    elif unit == "us":
        whole = raw
    else:
        whole = raw * {"ms": 1_000, "s": SECOND}[unit]
    if missing.any():
        whole = np.where(missing, 0, whole)
    return ReadTimes(whole.astype(np.int64, copy=False), missing, np.zeros_like(missing), notes)


def _localize(
    stamps: pd.DatetimeIndex, missing: NDArray[np.bool_], timezone: str
) -> tuple[pd.DatetimeIndex, dict[str, int]]:
    """Take local stamps for the zone's, in UTC; count those that daylight saving repeats or skips."""
    unit, raw = f"M8[{stamps.unit}]", stamps.asi8
    # Before 1677 pandas reads past its table of a zone's offsets: the offset of 1700 is the first that a zone has.
    early = np.datetime64("1700-01-01").astype(unit).astype(np.int64)
    back = np.where((raw < early) & ~missing, raw - early, 0)
    stamps = pd.DatetimeIndex((raw - back).view(unit))
    first = np.ones(len(stamps), dtype=bool)
    local = stamps.tz_localize(timezone, ambiguous=first, nonexistent="shift_forward")
    second = stamps.tz_localize(timezone, ambiguous=~first, nonexistent="shift_forward")
    repeated = int(((local.asi8 != second.asi8) & ~missing).sum())
    skipped = int(((local.tz_localize(None).asi8 != stamps.asi8) & ~missing).sum())
    notes = {"repeated_local_time": repeated, "skipped_local_time": skipped}
    moved = pd.DatetimeIndex((local.asi8 + back).view(unit), tz="UTC")
    return moved, {what: rows for what, rows in notes.items() if rows}


def _from_numbers(column: pd.Series, missing: NDArray[np.bool_], timezone: str) -> ReadTimes:
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    exact = None
    if pd.api.types.is_integer_dtype(column.dtype):
        exact = (column.fillna(0) if missing.any() else column).to_numpy().astype(np.int64, copy=False)
    micros = np.zeros(len(numbers), np.int64)
    bad = ~missing
    notes: dict[str, int] = {}
    bad &= ~_read_digits(numbers, micros, bad, timezone, notes)
    for name, low, high, factor in _EPOCHS:
        rows = bad & (numbers >= low) & (numbers < high)
        if not rows.any():
            continue
        if exact is not None:
            micros[rows] = exact[rows] // 1_000 if factor < 1 else exact[rows] * int(factor)
        else:
            micros[rows] = np.round(numbers[rows] * factor).astype(np.int64)
        bad &= ~rows
        notes[name] = int(rows.sum())
    return ReadTimes(micros, missing, bad, notes)


def _read_digits(
    numbers: NDArray[np.float64], out: NDArray[np.int64], open_: NDArray[np.bool_], timezone: str, notes: dict[str, int]
) -> NDArray[np.bool_]:
    """Read numbers that are local wall times: 20240131, 202401312359, 20240131235959, and the days of spreadsheets.

    Those of twelve digits would as milliseconds all lie in 1976.
    """
    read = np.zeros(len(numbers), bool)
    for low, high, pattern in (
        (19000101, 21001231, "%Y%m%d"),
        (19000101e4, 210012312359, "%Y%m%d%H%M"),
        (19000101e6, 21001231235959, "%Y%m%d%H%M%S"),
    ):
        rows = np.flatnonzero(open_ & (numbers >= low) & (numbers <= high) & (numbers == np.floor(numbers)))
        if not rows.size:
            continue
        texts = pd.Series(numbers[rows].astype(np.int64)).astype(str)
        stamps = pd.to_datetime(texts, format=pattern, errors="coerce")
        valid = stamps.notna().to_numpy()
        _put(out, read, rows[valid], pd.DatetimeIndex(stamps[valid]), timezone, "digits_as_date", notes)
    rows = np.flatnonzero(open_ & (numbers >= _SHEET_DAYS[0]) & (numbers < _SHEET_DAYS[1]))
    if rows.size:
        # A day's fraction is kept to about a microsecond: whole milliseconds are meant.
        micros = np.round(numbers[rows] * (DAY / 1_000)).astype(np.int64) * 1_000 + _SHEET_ZERO
        _put(out, read, rows, pd.DatetimeIndex(micros.view("M8[us]")), timezone, "spreadsheet_days", notes)
    return read


def _put(
    out: NDArray[np.int64],
    read: NDArray[np.bool_],
    rows: NDArray[np.int64],
    stamps: pd.DatetimeIndex,
    timezone: str,
    name: str,
    notes: dict[str, int],
) -> None:
    some = _from_datetimes(stamps, np.zeros(len(stamps), bool), timezone)
    out[rows] = some.microseconds
    read[rows] = True
    if rows.size:
        for what, count in {name: int(rows.size), **some.notes}.items():
            notes[what] = notes.get(what, 0) + count


def as_texts(column: Piece) -> Any:
    """See a piece as Arrow texts, without spaces around them; over those, patterns run many times faster."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_arrow(column):
        texts = (column.dictionary_decode() if pa.types.is_dictionary(column.type) else column).cast(pa.string())
    else:
        objects = column.astype("string").to_numpy(dtype=object, na_value=None)
        try:
            texts = pa.array(objects, pa.string())
        except UnicodeEncodeError:  # half a surrogate pair: no date, but to be shown
            texts = pa.array([None if each is None else each.encode("utf-8", "replace").decode() for each in objects])
    return pc.utf8_trim_whitespace(texts)


def from_texts(texts: Any, missing: NDArray[np.bool_], timezone: str) -> ReadTimes:
    """Read texts: ISO 8601 (with or without offsets, mixed), then numbers."""
    import pyarrow.compute as pc

    missing = missing | pc.fill_null(pc.equal(texts, ""), True).to_numpy(zero_copy_only=False)
    micros = np.zeros(len(texts), np.int64)
    left = ~missing
    notes: dict[str, int] = {}
    zulu = pc.replace_substring_regex(texts, " ?(?:UTC|GMT|z)$", "Z")
    iso = left & _matches(texts, _ISO)
    # A date alone, 2024-01-31, ends like an offset of -31 hours would: an offset needs a clock time before it.
    with_offset = iso & _matches(zulu, _OFFSET) & _matches(texts, "[:T]")
    for rows, zone in ((with_offset, "UTC"), (iso & ~with_offset, timezone)):
        if not rows.any():
            continue
        some = _from_iso(zulu.filter(rows), zone)
        micros[rows] = some.microseconds
        left[np.flatnonzero(rows)[~some.bad]] = False
        notes = add_notes([notes, some.notes])
    numeric = left & _matches(texts, r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
    # Whole numbers apart: a float would lose the last digits of nanoseconds.
    whole = numeric & _matches(texts, r"^\d{1,18}$|^[1-8]\d{18}$")
    for rows in (whole, numeric & ~whole):
        if not rows.any():
            continue
        numbers = pd.to_numeric(texts.filter(rows).to_pandas(), errors="coerce")
        some = _from_numbers(numbers, numbers.isna().to_numpy(dtype=bool), timezone)
        micros[rows] = some.microseconds
        left[np.flatnonzero(rows)[~some.missing & ~some.bad]] = False
        notes = add_notes([notes, some.notes])
    return ReadTimes(micros, missing, left, notes)


def _matches(texts: Any, pattern: str) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    found: NDArray[np.bool_] = pc.fill_null(pc.match_substring_regex(texts, pattern), False).to_numpy(
        zero_copy_only=False
    )
    return found


def _from_iso(texts: Any, timezone: str) -> ReadTimes:
    """Read ISO texts: the strict ones as far as the calendar goes, the looser ones with pandas, 1678 to 2261."""
    import pyarrow as pa

    strict = _matches(texts, _ISO_LOCAL)
    if strict.any():
        try:
            column = texts.filter(strict).cast(pa.timestamp("us"))
        except pa.ArrowInvalid:  # 31 June: the others are read as if it were not there
            strict &= _on_a_day(texts)
            column = texts.filter(strict).cast(pa.timestamp("us"))
    micros = np.zeros(len(texts), np.int64)
    bad = np.zeros(len(texts), bool)
    notes: dict[str, int] = {}
    if strict.any():
        some = _from_datetimes(pd.DatetimeIndex(column.to_numpy()), np.zeros(len(column), bool), timezone)
        micros[strict], notes = some.microseconds, some.notes
    if not strict.all():
        loose = texts.filter(~strict).to_pandas()
        parsed = pd.to_datetime(loose, format="ISO8601", errors="coerce", utc=timezone == "UTC")
        unread = parsed.isna().to_numpy(dtype=bool)
        some = _from_datetimes(pd.DatetimeIndex(parsed), unread, timezone)
        micros[~strict], bad[~strict] = some.microseconds, unread
        notes = add_notes([notes, some.notes])
    return ReadTimes(micros, np.zeros(len(texts), bool), bad, notes)


def _on_a_day(texts: Any) -> NDArray[np.bool_]:
    """Which texts begin with a day of the calendar, such as 2024-02-29."""
    import pyarrow.compute as pc

    coded = pc.utf8_slice_codeunits(texts, 0, 10).dictionary_encode()
    known = np.zeros(len(coded.dictionary), bool)
    for i, text in enumerate(coded.dictionary.to_pylist()):
        with suppress(ValueError):
            known[i] = bool(date.fromisoformat(text))
    return np.asarray(known[coded.indices.to_numpy()], dtype=bool)


def read_by_format(column: pd.Series, timezone: str, time_format: str) -> ReadTimes:
    """Read texts that are all written in one stated way; a column that holds times already is taken as it is."""
    missing = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or _is_arrow_time(column):
        return _from_datetimes(pd.DatetimeIndex(column), missing, timezone)
    if pd.api.types.is_float_dtype(column.dtype):  # digits of a date, beside missing ones
        column = column.astype("Int64")
    texts = as_texts(column).to_pandas()
    missing |= (texts.isna() | (texts == "")).to_numpy(dtype=bool)
    stamps = pd.to_datetime(texts, format=time_format, errors="coerce", utc="%z" in time_format)
    bad = stamps.isna().to_numpy(dtype=bool) & ~missing
    read = _from_datetimes(pd.DatetimeIndex(stamps), missing | bad, timezone)
    return ReadTimes(read.microseconds, missing, bad, read.notes)
