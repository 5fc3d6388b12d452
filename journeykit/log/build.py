"""Put clean columns in order: the step from rows in any order to an InteractionLog."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.encode import Codes
from journeykit.loops import over_customers


@dataclass(frozen=True)
class Columns:
    """Clean columns in the source's order, one entry a row; codes are never negative but for a missing channel."""

    customers: Codes
    times: NDArray[np.int64]
    touchpoints: Codes
    channels: Codes | None = None
    values: NDArray[np.float64] | None = None
    sequence: pd.Series | None = None
    properties: dict[str, pd.Series] = field(default_factory=dict)

    def take(self, rows: NDArray[np.int64]) -> Columns:
        """Choose rows, in this order; customers left without a row leave the dictionary."""
        codes, ids = self.customers[0][rows], self.customers[1]
        used = np.zeros(len(ids), dtype=bool)
        used[codes] = True
        if not used.all():
            codes, ids = (np.cumsum(used, dtype=np.int32) - np.int32(1))[codes], ids[used]
        return Columns(
            customers=(codes, ids),
            times=self.times[rows],
            touchpoints=(self.touchpoints[0][rows], self.touchpoints[1]),
            channels=None if self.channels is None else (self.channels[0][rows], self.channels[1]),
            values=None if self.values is None else self.values[rows],
            sequence=None if self.sequence is None else self.sequence.take(rows),
            properties={name: column.take(rows).reset_index(drop=True) for name, column in self.properties.items()},
        )


def order_rows(columns: Columns) -> NDArray[np.int64]:
    """Order of the rows by customer, time, then the sequence column, then as they came."""
    from journeykit.loops.sorting import order_by_customer, sort_inside_customers

    codes, ids = columns.customers
    if columns.sequence is None:
        order, offsets = order_by_customer(codes, len(ids))
    else:  # a stable sort by the least important key first
        by_sequence = np.argsort(columns.sequence.rank(method="dense", na_option="bottom").to_numpy(), kind="stable")
        order, offsets = order_by_customer(np.ascontiguousarray(codes[by_sequence]), len(ids))
        order = by_sequence[order]
    times = columns.times
    if not bool((times[1:] >= times[:-1]).all()) or columns.sequence is not None:
        over_customers(lambda first, last: sort_inside_customers(order, times, offsets, first, last), offsets)
    return order


def repeated_rows(columns: Columns) -> NDArray[np.bool_]:
    """Mark rows that repeat an earlier row in every column; rows are sorted by customer and time."""
    codes, times = columns.customers[0], columns.times
    repeated = np.zeros(len(times), dtype=bool)
    # Only rows that share customer and time with a neighbour can be repeats.
    same = (codes[1:] == codes[:-1]) & (times[1:] == times[:-1])
    rows = np.flatnonzero(np.concatenate([same, [False]]) | np.concatenate([[False], same])) if len(times) else []
    if not len(rows):
        return repeated
    tied = columns.take(np.asarray(rows))
    frame = pd.DataFrame({"customer": tied.customers[0], "time": tied.times, "touchpoint": tied.touchpoints[0]})
    if tied.channels is not None:
        frame["channel"] = tied.channels[0]
    if tied.values is not None:
        frame["value"] = tied.values
    if tied.sequence is not None:
        frame["sequence"] = tied.sequence.to_numpy()
    frame.columns = pd.RangeIndex(frame.shape[1])
    for column in tied.properties.values():
        frame[frame.shape[1]] = _comparable(column)
    repeated[rows] = frame.duplicated(keep="first").to_numpy()
    return repeated


def _comparable(column: pd.Series) -> NDArray[np.int64]:
    """Code a column so that equal entries have equal codes, lists and dicts too."""
    try:
        codes, _ = pd.factorize(column)
    except TypeError:
        codes, _ = pd.factorize(column.map(repr))
    return codes


def offsets_of(codes: NDArray[np.int32], n_customers: int) -> NDArray[np.int64]:
    """Where each customer's rows begin, in rows sorted by customer."""
    counts = np.bincount(codes, minlength=n_customers) if len(codes) else np.zeros(n_customers, np.int64)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
