"""Further columns, kept as they are: gathered from pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.encode import NameCoder, as_name
from journeykit.log.pieces import Piece, as_series, is_arrow

MANY_DISTINCT = 0.5
"""Above this share of distinct texts, a dictionary of them takes more room than the texts."""


class PropertyReader:
    """Gathers one further column: texts as categories, or as texts if most differ; all else by its own type."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._names: NameCoder | None = None

    def add(self, column: Piece) -> None:
        """Take in one piece."""
        if self._names is None and not self._pieces and is_arrow(column) and _is_text(column.type):
            self._names = NameCoder(keep_blank=True)
        if self._names is not None and is_arrow(column) and (_is_text(column.type) or column.null_count == len(column)):
            self._names.add(column)
            return
        self._to_pieces()
        self._pieces.append(column)

    def finish(self) -> pd.Series:
        """Return the whole column, numbered from 0."""
        if self._names is not None:
            return self._texts()
        if all(is_arrow(piece) for piece in self._pieces):
            return _from_arrow(self._pieces)
        if len(self._pieces) == 1:
            return as_series(self._pieces[0])
        return pd.concat([_series(piece) for piece in self._pieces], ignore_index=True)

    def _texts(self) -> pd.Series:
        assert self._names is not None
        codes, names = self._names.finish()
        if len(names) <= max(1000, MANY_DISTINCT * len(codes)):
            return pd.Series(pd.Categorical.from_codes(codes, categories=names))
        texts: pd.Series = pd.Series(_named(codes, names), dtype=text_type())
        return texts

    def _to_pieces(self) -> None:
        """Texts in one file, numbers in another: go on with the pieces themselves."""
        if self._names is not None:
            codes, names = self._names.finish()
            self._pieces.append(pd.Series(_named(codes, names), dtype=object))
            self._names = None


def _named(codes: NDArray[np.int32], names: pd.Index) -> NDArray[np.object_]:
    lookup = np.empty(len(names) + 1, dtype=object)  # the last, None, is for code -1
    lookup[:-1] = names
    return lookup[codes]


def text_type() -> Any:
    """How texts are kept of which most differ: as Arrow keeps them, missing ones NaN."""
    try:
        return pd.StringDtype("pyarrow", na_value=np.nan)
    except TypeError:  # pandas 2.2
        return object


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _from_arrow(pieces: list[Any]) -> pd.Series:
    import pyarrow as pa

    kinds = {piece.type for piece in pieces if piece.null_count < len(piece)} or {pieces[0].type}
    if len(kinds) > 1:
        try:
            pieces = [piece.cast(_wider(kinds)) for piece in pieces]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # numbers and texts: all as texts
            texts = [[None if cell is None else as_name(cell) for cell in piece.to_pylist()] for piece in pieces]
            pieces = [pa.array(each, pa.string()) for each in texts]
    else:
        kind = kinds.pop()
        pieces = [piece if piece.type == kind else piece.cast(kind) for piece in pieces]
    column = pa.chunked_array(pieces)
    series: pd.Series = column.to_pandas(types_mapper=_with_gaps(column)).rename(None)
    return series


def _wider(kinds: set[Any]) -> Any:
    import pyarrow as pa

    numbers = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    if not numbers:
        raise pa.ArrowInvalid("texts")
    return pa.int64() if all(pa.types.is_integer(kind) for kind in kinds) else pa.float64()


def _with_gaps(column: Any) -> Any:
    """Whole numbers and truths keep their type where some are missing."""
    import pyarrow as pa

    if not column.null_count:
        return None
    if pa.types.is_boolean(column.type):
        return {column.type: pd.BooleanDtype()}.get
    if pa.types.is_integer(column.type):
        return {column.type: pd.UInt64Dtype() if column.type == pa.uint64() else pd.Int64Dtype()}.get
    return None


def _series(piece: Piece) -> pd.Series:
    return _from_arrow([piece]) if is_arrow(piece) else as_series(piece)
