"""Turn columns into integer codes with a sorted dictionary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError
from journeykit.log.pieces import Piece, is_arrow, join

Codes = tuple[NDArray[np.int32], pd.Index]


def encode_names(column: Piece) -> Codes:
    """Code a column of names (touchpoints, channels); a missing or blank name is -1.

    Returns
    -------
    codes : array of int32
        Position of each row's name in `names`, or -1.
    names : Index of str
        The distinct names, sorted.
    """
    coder = NameCoder()
    coder.add(column)
    return coder.finish()


def encode_customers(column: Piece) -> Codes:
    """Code a column of customer ids; whole numbers stay numbers, all else becomes text; missing or blank is -1.

    Returns
    -------
    codes : array of int32
        Position of each row's customer in `customers`, or -1.
    customers : Index
        The distinct ids, sorted.
    """
    coder = CustomerCoder()
    coder.add(column)
    return coder.finish()


class NameCoder:
    """Codes a column of names piece by piece.

    Parameters
    ----------
    keep_blank : bool
        Whether an empty text, or one of spaces, is a name like any other.
    """

    def __init__(self, keep_blank: bool = False) -> None:
        self._keep_blank = keep_blank
        self._codes: list[NDArray[np.int32]] = []
        self._names: list[Any] = []  # distinct names of each piece, as Arrow texts

    def add(self, column: Piece) -> NDArray[np.bool_]:
        """Take in one piece; return which of its rows have no name."""
        codes, names = _distinct(column)
        self._codes.append(codes)
        self._names.append(names)
        blank = self._blank(names)
        if blank.any():
            codes[np.append(blank, False)[codes]] = -1
        return codes < 0

    def finish(self) -> Codes:
        """Return the codes of the whole column, and its names in order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        # Arrow drops pieces without a name; their codes are -1 throughout.
        named = [(codes, names) for codes, names in zip(self._codes, self._names, strict=True) if len(names)]
        if not named:
            return join(self._codes), pd.Index([], dtype=object)
        coded = pa.chunked_array([names for _, names in named], pa.string()).dictionary_encode().unify_dictionaries()
        distinct = coded.chunk(0).dictionary
        # Sorted by their UTF-8 bytes, which is the order of Python's texts.
        order = pc.sort_indices(distinct).to_numpy().astype(np.int64)
        used = (_occurring(named, coded.chunks, len(distinct)) & ~self._blank(distinct))[order]
        rank = np.empty(len(order), np.int32)
        rank[order] = np.where(used, np.cumsum(used) - 1, -1)
        names = pd.Index(distinct.take(order[used]).to_numpy(zero_copy_only=False), dtype=object)
        for (codes, _), chunk in zip(named, coded.chunks, strict=True):
            lookup = np.append(rank[chunk.indices.to_numpy()], np.int32(-1))  # the last is for code -1
            codes[:] = lookup.take(codes)
        named.clear()
        return join(self._codes), names

    def _blank(self, names: Any) -> NDArray[np.bool_]:
        import pyarrow.compute as pc

        if self._keep_blank:
            return np.zeros(len(names), bool)
        blank = pc.equal(pc.utf8_trim_whitespace(names), "").to_numpy(zero_copy_only=False)
        return np.asarray(blank, dtype=bool)


def _occurring(named: list[tuple[NDArray[np.int32], Any]], chunks: list[Any], n_names: int) -> NDArray[np.bool_]:
    """Say which names any row has: a categorical column may know more."""
    occurring = np.zeros(n_names, bool)
    for (codes, names), chunk in zip(named, chunks, strict=True):
        seen = np.zeros(len(names) + 1, bool)  # the last is for code -1
        seen[codes] = True
        occurring[chunk.indices.to_numpy()[seen[:-1]]] = True
    return occurring


def _distinct(column: Piece) -> tuple[NDArray[np.int32], Any]:
    """Code one piece, whatever it holds; return codes (-1 missing) and its distinct names as Arrow texts."""
    import pyarrow as pa

    if is_arrow(column):
        if not pa.types.is_dictionary(column.type) and not pa.types.is_nested(column.type):
            column = column.dictionary_encode()
        if pa.types.is_dictionary(column.type):
            indices = column.indices
            if indices.null_count:
                indices = (
                    indices.fill_null(-1)
                    if pa.types.is_signed_integer(indices.type)
                    else indices.cast(pa.int32()).fill_null(-1)
                )
            codes = indices.to_numpy(zero_copy_only=False).astype(np.int32)  # a copy: the batch goes its own way
            values = column.dictionary
            if values.null_count:
                codes[np.append(values.is_null().to_numpy(zero_copy_only=False), False)[codes]] = -1
                values = values.fill_null("") if _is_text(values.type) else values
            return codes, values.cast(pa.string()) if _is_text(values.type) else _as_texts(values.to_pylist())
        column = column.to_pandas()
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.int32), _as_texts(column.cat.categories.tolist())
    try:
        codes, raw = pd.factorize(column, use_na_sentinel=True)
    except TypeError:  # lists, dicts
        codes, raw = pd.factorize(column.map(repr, na_action="ignore"), use_na_sentinel=True)
    return codes.astype(np.int32), _as_texts(list(raw.tolist() if hasattr(raw, "tolist") else raw))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _as_texts(values: list[Any]) -> Any:
    import pyarrow as pa

    texts = [as_name(value) for value in values]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:  # half a surrogate pair, from a text that was cut in the middle of an emoji
        return pa.array([text.encode("utf-8", "backslashreplace").decode() for text in texts], pa.string())


def as_name(value: object) -> str:
    """Write a value as a name: 7.0 is 7, as where a column of whole numbers has gaps; what is missing is empty."""
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class CustomerCoder:
    """Codes a column of customer ids piece by piece: as numbers for as long as all of them are whole numbers.

    Parameters
    ----------
    untyped : bool
        Whether the source has texts only, as a CSV has: then texts that are
        written as whole numbers are written, "7" but not "007", are numbers.
    """

    def __init__(self, untyped: bool = False) -> None:
        self._untyped = untyped
        self._numbers: list[NDArray[np.int64]] = []
        self._present: list[NDArray[np.bool_]] = []
        self._names: NameCoder | None = None

    def add(self, column: Piece) -> NDArray[np.bool_]:
        """Take in one piece; return which of its rows have no customer."""
        if self._names is None:
            whole = _whole_numbers(column, self._untyped)
            if whole is not None:
                numbers, present = whole
                self._numbers.append(numbers)
                self._present.append(present)
                return ~present
            self._to_names()
        assert self._names is not None
        return self._names.add(column)

    def finish(self) -> Codes:
        """Return the codes of the whole column, and its customers in order."""
        if self._names is not None:
            return self._names.finish()
        present = None if all(each.all() for each in self._present) else join(self._present)
        return _encode_numbers(join(self._numbers), present)

    def _to_names(self) -> None:
        """Go on as names: numbers seen so far become texts."""
        self._names = NameCoder()
        for numbers, present in zip(self._numbers, self._present, strict=True):
            column = pd.Series(numbers)
            self._names.add(column if present.all() else column.astype("Int64").where(pd.Series(present)))
        self._numbers.clear()
        self._present.clear()


def _whole_numbers(column: Piece, untyped: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Read a column as int64 with a mask of the rows present; None if it is not one of whole numbers."""
    if is_arrow(column):
        import pyarrow as pa

        if _is_text(column.type):
            return _whole_texts(column) if untyped else None
        if pa.types.is_integer(column.type) and not column.null_count and column.type != pa.uint64():
            return column.to_numpy(zero_copy_only=False).astype(np.int64), np.ones(len(column), bool)
        column = column.to_pandas(integer_object_nulls=False)
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
    if (np.abs(numbers) >= 2**53).any():
        example = float(numbers[np.abs(numbers) >= 2**53][0])
        raise LogError(f"customers are numbers too large to be told apart, such as {example!r}: keep them as text")
    if (numbers != np.floor(numbers)).any():
        return None
    return numbers.astype(np.int64), present


def _whole_texts(column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        numbers = column.cast(pa.int64())
    except pa.ArrowInvalid:
        empty = pc.equal(column, "")
        if not pc.any(empty).as_py():
            return None
        return _whole_texts(pc.if_else(empty, pa.scalar(None, column.type), column))
    # Written as a number is written: no leading zero, no 0x1F.
    if not _begin_above_zero(column) and pc.any(pc.not_equal(column, numbers.cast(column.type))).as_py():
        return None
    present = column.is_valid().to_numpy(zero_copy_only=False)
    return numbers.fill_null(0).to_numpy(zero_copy_only=False), present


def _begin_above_zero(column: Any) -> bool:
    """Whether all texts of an array begin with a digit from 1 to 9: the usual case, and quickly seen."""
    import pyarrow as pa

    if column.null_count or not pa.types.is_string(column.type) or not len(column):
        return False
    _, offsets, data = column.buffers()
    begins = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column)]
    if begins[0] == np.frombuffer(offsets, np.int32)[column.offset + len(column)]:
        return False
    letters = np.frombuffer(data, np.uint8)[begins]
    return bool(((letters >= ord("1")) & (letters <= ord("9"))).all())


def _encode_numbers(numbers: NDArray[np.int64], present: NDArray[np.bool_] | None) -> Codes:
    known = numbers if present is None else numbers[present]
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
    if present is None:
        return coded, customers
    codes = np.full(numbers.size, -1, np.int32)
    codes[present] = coded
    return codes, customers


def combine(parts: list[Codes]) -> Codes:
    """Make one customer of several columns: the parts with "/" between them; missing if any part is.

    A "/" or a backslash inside a part gets a backslash before it, so that no
    two different customers become one.
    """
    codes = parts[0][0].astype(np.int64)
    present = codes >= 0
    for more, names in parts[1:]:
        present &= more >= 0
        codes = codes * max(1, len(names)) + more
    distinct, coded = np.unique(codes[present], return_inverse=True)
    columns = []
    for _, names in reversed(parts):
        size = max(1, len(names))
        texts = [as_name(name).replace("\\", "\\\\").replace("/", "\\/") for name in names.tolist()]
        columns.append([texts[place] for place in (distinct % size).tolist()])
        distinct = distinct // size
    joined = ["/".join(pieces) for pieces in zip(*reversed(columns), strict=True)]
    order = np.argsort(np.array(joined, dtype=object), kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    out = np.full(len(codes), -1, np.int32)
    out[present] = rank[coded]
    return out, pd.Index(np.array(joined, dtype=object)[order], dtype=object)
