"""Put clean columns in order: the step from rows in any order to an InteractionLog."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.encode import Codes
from journeykit.loops import over_customers
from journeykit.loops.engine import MIN_EVENTS_PER_THREAD, n_threads


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

    def take(self, rows: NDArray[np.int64], customers: Codes | None = None) -> Columns:
        """Choose rows, in this order; customers left without a row leave the dictionary.

        Parameters
        ----------
        rows : array of int64
            Places of the rows.
        customers : codes and ids, optional
            The customers of these rows, if they are known without a look.
        """
        codes, ids = self.customers if customers is None else customers
        # Gathering is limited by memory, and numpy lets go of the interpreter while it gathers: a thread a column.
        jobs: list[Callable[[], Any]] = [
            lambda: codes[rows] if customers is None else codes,
            lambda: self.times[rows],
            lambda: _take_codes(self.touchpoints, rows),
            lambda: None if self.channels is None else _take_codes(self.channels, rows),
            lambda: None if self.values is None else self.values[rows],
            lambda: None if self.sequence is None else self.sequence.take(rows),
            *((lambda column=column: _take(column, rows)) for column in self.properties.values()),
        ]
        with ThreadPoolExecutor(n_threads()) as pool:
            taken, times, touchpoints, channels, values, sequence, *properties = pool.map(lambda job: job(), jobs)
        if customers is None:
            used = np.zeros(len(ids), dtype=bool)
            used[taken] = True
            if not used.all():
                taken, ids = (np.cumsum(used, dtype=np.int32) - np.int32(1))[taken], ids[used]
        return Columns(
            customers=(taken, ids),
            times=times,
            touchpoints=(touchpoints, self.touchpoints[1]),
            channels=None if self.channels is None else (channels, self.channels[1]),
            values=values,
            sequence=sequence,
            properties=dict(zip(self.properties, properties, strict=True)),
        )


def _take_codes(coded: Codes, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Choose rows of codes; of few names as bytes, of which the processor's cache holds four times as many."""
    codes, names = coded
    if len(names) > np.iinfo(np.int8).max or len(rows) < MIN_EVENTS_PER_THREAD:
        return codes[rows]
    return codes.astype(np.int8)[rows].astype(np.int32)


def _take(column: pd.Series, rows: NDArray[np.int64]) -> pd.Series:
    return column.take(rows).reset_index(drop=True)


def take_in_order(columns: Columns, order: NDArray[np.int64]) -> Columns:
    """Choose rows in an order that puts each customer's together; their codes are left out, as the offsets say them."""
    return columns.take(order, (np.empty(0, np.int32), columns.customers[1]))


def without_places(
    ordered: Columns, offsets: NDArray[np.int64], places: NDArray[np.int64]
) -> tuple[Columns, NDArray[np.int64]]:
    """Leave some places out of columns in order; return them and where each customer then begins."""
    stay = np.ones(len(ordered.times), dtype=bool)
    stay[places] = False
    return take_in_order(ordered, np.flatnonzero(stay)), offsets - np.searchsorted(places, offsets)


def tie_ranks(sequence: pd.Series) -> NDArray[np.float64]:
    """Rank a column that orders ties: by its numbers if it holds nothing else, missing ones last."""
    known = sequence.dropna()
    if isinstance(known.dtype, pd.CategoricalDtype):
        known = known.astype(object)
    numbers = pd.to_numeric(known, errors="coerce")  # beside missing ones, large whole numbers would lose digits
    ranks = np.full(len(sequence), np.inf)
    ranks[sequence.notna().to_numpy()] = (numbers if numbers.notna().all() else known).rank(method="dense")
    return ranks


def order_rows(columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order of the rows by customer, time, then the sequence column, then as they came; where each customer begins."""
    from journeykit.loops.sorting import sort_inside_customers

    codes, ids = columns.customers
    if columns.sequence is None:
        order, offsets = group_rows(codes, len(ids))
    else:  # a stable sort by the least important key first
        by_sequence = np.argsort(tie_ranks(columns.sequence), kind="stable")
        order, offsets = group_rows(np.ascontiguousarray(codes[by_sequence]), len(ids))
        order = by_sequence[order]
    rows: NDArray[np.int64] = order
    times = columns.times
    if not bool((times[1:] >= times[:-1]).all()) or columns.sequence is not None:
        over_customers(lambda first, last: sort_inside_customers(rows, times, offsets, first, last), offsets)
    return rows, offsets


def group_rows(codes: NDArray[np.int32], n_codes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order the rows by code, rows of one code as they came; return the order, and where each code begins in it.

    A counting sort; each thread counts and places a part of the rows.
    """
    from journeykit.loops.grouping import count_codes, counts_to_places, place_rows

    parts = min(n_threads(), max(1, len(codes) // MIN_EVENTS_PER_THREAD))
    counts = np.zeros((parts, n_codes), np.int64)
    offsets = np.empty(n_codes + 1, np.int64)
    order = np.empty(len(codes), np.int64)
    cuts = np.linspace(0, len(codes), parts + 1).astype(np.int64).tolist()
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(lambda part: count_codes(codes, counts, part, cuts[part], cuts[part + 1]), range(parts)))
        counts_to_places(counts, offsets)
        list(pool.map(lambda part: place_rows(codes, counts, order, part, cuts[part], cuts[part + 1]), range(parts)))
    return order, offsets


def repeated_rows(ordered: Columns, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the places, in columns ordered by customer and time, of rows that repeat an earlier one in every column."""
    # Only rows that share time and customer with a neighbour can be repeats.
    times = ordered.times
    tied_with_next = np.append(times[1:] == times[:-1], False)
    tied_with_next[offsets[1:] - 1] = False  # the next one is another customer's
    tied_at_all = tied_with_next.copy()
    tied_at_all[1:] |= tied_with_next[:-1]
    places: NDArray[np.int64] = np.flatnonzero(tied_at_all)
    if not places.size:
        return places
    whose = (np.searchsorted(offsets, places, side="right") - 1).astype(np.int32)
    tied = ordered.take(places, (whose, ordered.customers[1]))
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
    repeated: NDArray[np.int64] = places[frame.duplicated(keep="first").to_numpy()]
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
