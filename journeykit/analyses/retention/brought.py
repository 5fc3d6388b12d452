"""What customers brought after each of their starts: the values of their back events, by column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.retention.counting import Bools, Floats, mask_of
from journeykit.analyses.retention.design import Design, Grid, Ints
from journeykit.analyses.retention.who import list_entries
from journeykit.log import InteractionLog

AT_ONCE = 4_000_000
"""Entries × columns that are laid out at a time."""


@dataclass(frozen=True)
class Brought:
    """Sums of values, one of each entry and column in which there were any; sorted by entry and column."""

    entry: Ints
    column: Ints
    amount: Floats

    def laid_out(self, n_entries: int, n_columns: int, or_after: bool, breaks: Ints) -> Iterator[tuple[slice, Floats]]:
        """Lay sums out as entries × columns, some entries at a time; never between two of the same customer.

        Parameters
        ----------
        n_entries, n_columns : int
            The whole shape.
        or_after : bool
            Whether a column holds what came in it or in any later one.
        breaks : array of int
            Where the entries of a customer begin, and the end of them all.
        """
        size = max(1, AT_ONCE // max(n_columns, 1))
        first = 0
        while first < n_entries:
            last = int(breaks[np.searchsorted(breaks, first + size, side="right") - 1])
            if last <= first:  # a single customer has more entries than that
                last = int(breaks[np.searchsorted(breaks, first, side="right")])
            part = slice(*np.searchsorted(self.entry, [first, last]))
            amounts = np.zeros((last - first, n_columns))
            amounts[self.entry[part] - first, self.column[part]] = self.amount[part]
            if or_after:
                amounts = np.cumsum(amounts[:, ::-1], axis=1)[:, ::-1]
            yield slice(first, last), amounts
            first = last


def bring(log: InteractionLog, design: Design, grid: Grid, entries: pd.DataFrame, value: str) -> Brought:
    """Sum the values of back events by entry and column, from the entry's start event on.

    A period after the start's own counts only if it has `min_events` back
    events. On or after without a horizon has no end: what came after the last
    column counts there.
    """
    rows = _back_rows(log, design, entries)
    amount = np.nan_to_num(log.column(value).to_numpy(dtype=float, na_value=np.nan)[rows])
    together = _every(log, grid, entries, rows, amount) if design.cohort == "every" else None
    entry, unit, amount = together if together is not None else _first(log, design, grid, entries, rows, amount)
    entry, unit, amount, events = _sum_runs(entry, unit, amount)
    enough = (unit == 0) | (events >= design.min_events)
    beyond = grid.n_columns - 1 if design.or_after and design.horizon is None else -1
    places = np.append(grid.column_of, beyond)
    column = np.where(enough, places[np.minimum(unit, len(places) - 1)], -1).astype(np.int64)
    inside = column >= 0
    entry, column, amount, _ = _sum_runs(entry[inside], column[inside], amount[inside])
    return Brought(entry, column, amount)


def _back_rows(log: InteractionLog, design: Design, entries: pd.DataFrame) -> Ints:
    """Rows of back events of the customers with an entry, none before their first."""
    marked = mask_of(log, design.back)
    begins = np.full(log.n_customers, log.n_events, dtype=np.int64)
    np.minimum.at(begins, entries["customer"].to_numpy(), entries["row"].to_numpy())
    counted = np.arange(log.n_events) >= np.repeat(begins, np.diff(log.offsets))
    return np.flatnonzero(counted & marked) if marked.size else np.flatnonzero(counted)


def _first(
    log: InteractionLog, design: Design, grid: Grid, entries: pd.DataFrame, rows: Ints, amount: Floats
) -> tuple[Ints, Ints, Floats]:
    """Entry and unit of each event, where a customer has one entry."""
    entry_of = np.full(log.n_customers, -1, dtype=np.int64)
    entry_of[entries["customer"]] = np.arange(len(entries))
    entry = entry_of[log.customer_codes[rows]]
    start = entries["row"].to_numpy()[entry]
    if design.length:
        return entry, (log.times[rows] - log.times[start]) // design.length, amount
    periods = log.positions(grid.edges)
    return entry, periods[rows].astype(np.int64) - periods[start], amount


def _every(
    log: InteractionLog, grid: Grid, entries: pd.DataFrame, rows: Ints, amount: Floats
) -> tuple[Ints, Ints, Floats]:
    """Entry and unit of each event and each entry of its customer that it comes after."""
    events = pd.DataFrame(
        {"customer": log.customer_codes[rows], "now": log.positions(grid.edges)[rows], "at": rows, "amount": amount}
    )
    numbered = entries.assign(entry=np.arange(len(entries)))[["customer", "period", "row", "entry"]]
    pairs = events.merge(numbered, on="customer")
    unit = (pairs["now"] - pairs["period"]).to_numpy(dtype=np.int64)
    counted = (unit > 0) | ((unit == 0) & (pairs["at"] >= pairs["row"]).to_numpy())
    order = np.lexsort((unit[counted], pairs["entry"].to_numpy()[counted]))
    return tuple(each[counted][order] for each in (pairs["entry"].to_numpy(), unit, pairs["amount"].to_numpy()))


def _sum_runs(entry: Ints, place: Ints, amount: Floats) -> tuple[Ints, Ints, Floats, Ints]:
    """Sum what stands under the same entry and place, one after the other; and count it."""
    new = np.flatnonzero(np.append(True, (entry[1:] != entry[:-1]) | (place[1:] != place[:-1])))[: len(entry)]
    if not len(new):
        return entry, place, amount, np.zeros(0, dtype=np.int64)
    return entry[new], place[new], np.add.reduceat(amount, new), np.diff(np.append(new, len(entry)))


def columns_known(log: InteractionLog, design: Design, grid: Grid, entries: pd.DataFrame) -> Ints:
    """How many columns of each entry have fully elapsed."""
    if design.length:
        units = (log.observed_until - entries["started"].to_numpy()) // design.length
    else:
        units = np.maximum(0, grid.n_finished - entries["period"].to_numpy())
    within = grid.columns_within(grid.highs)
    return np.asarray(within[np.minimum(units, len(within) - 1)], dtype=np.int64)


def counted_columns(design: Design, grid: Grid, known: Ints) -> Bools:
    """Mark the columns of each entry that count: elapsed ones; on or after, all of them once the last is."""
    if not design.or_after:
        return np.asarray(np.arange(grid.n_columns) < known[:, np.newaxis])
    whole = np.ones(len(known), dtype=bool) if design.horizon is None else known == grid.n_columns
    return np.repeat(whole[:, np.newaxis], grid.n_columns, axis=1)


def customer_breaks(entries: pd.DataFrame) -> NDArray[np.int64]:
    """Where the entries of a customer begin, and the end of them all."""
    who = entries["customer"].to_numpy()
    new = np.flatnonzero(np.append(True, who[1:] != who[:-1]))[: len(who)]
    return np.append(new, len(who)).astype(np.int64)


def entries_of(log: InteractionLog, design: Design, grid: Grid, groups: Any) -> pd.DataFrame:
    """One row per customer and cohort, of those who have a group: `customer`, `row`, `started`, `period`."""
    return list_entries(log, design, grid, groups >= 0).reset_index(drop=True)
