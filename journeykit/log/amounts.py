"""Read a column of amounts: numbers, or texts of numbers with a decimal point or comma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.pieces import Piece, as_series, is_arrow, join
from journeykit.schema import check_one_of

_POINT = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_COMMA = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$"
_PLAINLY_COMMA = r",(?:\d{1,2}|\d{4,})$"  # 12,5 and 1,2345; but 1,234 may be a thousand


@dataclass(frozen=True)
class ReadAmounts:
    """A column of amounts as read.

    Attributes
    ----------
    numbers : array of float64
        NaN where missing or bad.
    bad : array of bool
        Rows whose amount could not be read, or is infinite.
    commas : int
        Rows read with a decimal comma.
    """

    numbers: NDArray[np.float64]
    bad: NDArray[np.bool_]
    commas: int = 0


class AmountReader:
    """Reads a column of amounts piece by piece.

    A decimal comma is taken only if it is stated, or if the whole column leaves
    no other reading: some amount has a comma with other than three digits
    behind it, and none has a point.

    Parameters
    ----------
    decimal : {".", ","}, optional
        How decimals are written in texts.
    """

    def __init__(self, decimal: str | None = None) -> None:
        if decimal is not None:
            check_one_of("decimal", decimal, (".", ","))
        self.decimal = decimal
        self._pieces: list[ReadAmounts] = []
        self._waiting: list[pd.Series] = []
        self._points = False
        self._rows = 0

    def add(self, column: Piece) -> NDArray[np.bool_]:
        """Read one piece; return the rows that are bad, some of which may still be read in the end."""
        read = self._read(column)
        self._pieces.append(read)
        self._rows += len(read.bad)
        return read.bad

    def _read(self, column: Piece) -> ReadAmounts:
        if is_arrow(column) and (numbers := self._from_arrow(column)) is not None:
            return ReadAmounts(numbers, np.isinf(numbers))
        series = as_series(column)
        if isinstance(series.dtype, pd.CategoricalDtype):
            series = series.astype(series.cat.categories.dtype)
        if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
            numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
            return ReadAmounts(numbers, np.isinf(numbers))
        return self._from_texts(series)

    def _from_arrow(self, column: Any) -> NDArray[np.float64] | None:
        """Read an Arrow array of numbers, or of texts that all are numbers; None if it is neither."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            if self.decimal == ",":
                return None
            empty = pc.equal(column, "")
            column = pc.if_else(empty, pa.scalar(None, kind), column) if pc.any(empty).as_py() else column
            words = pc.match_substring_regex(column, "[A-DF-Za-df-z]")  # "nan" and "inf" are no amounts
            if pc.any(words).as_py():
                return None
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            return None
        try:
            floats = column.cast(pa.float64(), safe=False)
        except pa.ArrowInvalid:
            return None
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            self._points |= bool(pc.any(pc.match_substring(column, ".")).as_py())
        numbers: NDArray[np.float64] = floats.to_numpy(zero_copy_only=False)
        return numbers if numbers.flags.owndata else numbers.copy()

    def _from_texts(self, column: pd.Series) -> ReadAmounts:
        texts = column.astype("string").str.strip()
        blank = (texts.isna() | (texts == "")).to_numpy(dtype=bool)
        if self.decimal == ",":
            return _with_commas(texts, blank)
        plain = texts.str.contains(_POINT, regex=True, na=False).to_numpy(dtype=bool)
        self._points |= bool(texts[plain].str.contains(".", regex=False).any())
        numbers = np.full(len(texts), np.nan)
        numbers[plain] = pd.to_numeric(texts[plain].astype(object)).to_numpy(np.float64)
        bad = (~plain & ~blank) | np.isinf(numbers)
        if self.decimal is None and (~plain & ~blank).any():
            rows = np.flatnonzero(~plain & ~blank)
            self._waiting.append(pd.Series(texts.to_numpy(dtype=object)[rows], index=rows + self._rows))
        return ReadAmounts(numbers, bad)

    def finish(self) -> ReadAmounts:
        """Return the whole column."""
        commas = sum(piece.commas for piece in self._pieces)
        numbers, bad = [piece.numbers for piece in self._pieces], [piece.bad for piece in self._pieces]
        self._pieces.clear()
        return self._with_waiting(join(numbers), join(bad), commas)

    def _with_waiting(self, numbers: NDArray[np.float64], bad: NDArray[np.bool_], commas: int) -> ReadAmounts:
        if not self._waiting or self._points:
            return ReadAmounts(numbers, bad, commas)
        waiting = pd.concat(self._waiting)
        if waiting.str.contains(_PLAINLY_COMMA, regex=True).any():
            read = _with_commas(waiting, np.zeros(len(waiting), bool))
            rows = waiting.index.to_numpy()
            numbers[rows], bad[rows] = read.numbers, read.bad
            commas = read.commas
        return ReadAmounts(numbers, bad, commas)


def _with_commas(texts: pd.Series, blank: NDArray[np.bool_]) -> ReadAmounts:
    fits = texts.str.contains(_COMMA, regex=True, na=False).to_numpy(dtype=bool)
    numbers = np.full(len(texts), np.nan)
    plain = texts[fits].str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    numbers[fits] = pd.to_numeric(plain.astype(object)).to_numpy(np.float64)
    commas = int(texts[fits].str.contains(",", regex=False).sum())
    return ReadAmounts(numbers, ~fits & ~blank, commas)


def read_amounts(column: Piece, decimal: str | None = None) -> ReadAmounts:
    """Read a whole column of amounts."""
    reader = AmountReader(decimal)
    reader.add(column)
    return reader.finish()
