"""A column comes in pieces: pandas Series, or Arrow arrays. What both can answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Piece = Any
"""A pandas Series or an Arrow array: one column of one batch of rows."""

Batch = Any
"""A pandas DataFrame or an Arrow record batch: some rows, all columns."""


def is_arrow(column: object) -> bool:
    """Whether this is an Arrow array or record batch."""
    return not isinstance(column, pd.Series | pd.DataFrame)


def n_rows(batch: Batch) -> int:
    """Rows of a batch."""
    return int(batch.num_rows) if is_arrow(batch) else len(batch)


def column_of(batch: Batch, name: Any) -> Piece:
    """One column of a batch; all missing if this batch lacks it."""
    if not is_arrow(batch):
        return batch[name]
    import pyarrow as pa

    place = batch.schema.get_field_index(name)
    return batch.column(place) if place >= 0 else pa.nulls(batch.num_rows, pa.string())


def as_series(column: Piece) -> pd.Series:
    """See a piece as a pandas Series, numbered from 0."""
    if not is_arrow(column):
        series: pd.Series = column.reset_index(drop=True)
        return series
    import pyarrow as pa

    whole: dict[Any, Any] = {}
    if pa.types.is_integer(column.type) and column.null_count:
        whole[column.type] = pd.UInt64Dtype() if column.type == pa.uint64() else pd.Int64Dtype()
    series = column.to_pandas(types_mapper=whole.get, date_as_object=False)
    return series


def join(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    """Put pieces of an array together, letting go of each as it is copied."""
    if len(pieces) == 1:
        return pieces.pop()
    whole = np.empty(sum(map(len, pieces)), dtype=np.result_type(*{piece.dtype for piece in pieces}))
    end = len(whole)
    while pieces:
        piece = pieces.pop()
        whole[end - len(piece) : end] = piece
        end -= len(piece)
    return whole


def rows_of(batch: Batch, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Choose rows of a batch, whole, as a DataFrame."""
    frame: pd.DataFrame
    if not is_arrow(batch):
        frame = batch.iloc[rows].reset_index(drop=True)
        return frame
    import pyarrow as pa

    table = pa.Table.from_batches([batch]).take(rows)
    frame = table.to_pandas(ignore_metadata=True, integer_object_nulls=True)
    return frame
