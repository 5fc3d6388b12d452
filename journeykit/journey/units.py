"""What a customer's events are cut into: sessions and journeys, with the table of them and each event's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.loops import over_customers
from journeykit.loops.sessions import mark_begins
from journeykit.schema import SECOND
from journeykit.text import html_result, html_table, label, text_table

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


@dataclass(frozen=True, eq=False, repr=False)
class Units:
    """Sessions or journeys of a log.

    Attributes
    ----------
    unit : str
        `"session"` or `"journey"`.
    table : DataFrame
        One row a unit, by customer and then by first event.
    codes : array of int32
        The row of `table` that each event of the log belongs to; -1 if none.
    params : mapping
        How they were found.
    unnamed : bool
        Whether ids are personal: they stand in `table`, but are not shown.
    """

    unit: str
    table: pd.DataFrame
    codes: NDArray[np.int32]
    params: Mapping[str, Any]
    unnamed: bool = False

    def __len__(self) -> int:
        """How many there are."""
        return len(self.table)

    @property
    def numbers(self) -> NDArray[np.int32]:
        """Each event's unit as its number within the customer, from 1; 0 if it has none."""
        numbers = np.append(self.table[self.unit].to_numpy(np.int32), np.int32(0))
        return numbers[self.codes]

    def __repr__(self) -> str:
        """The first rows of the table."""
        return text_table(self._shown())

    def _repr_html_(self) -> str:
        return str(html_result(label(f"{self.unit}s"), (), [html_table(self._shown(), max_rows=20)]))

    def _shown(self) -> pd.DataFrame:
        return self.table.drop(columns="customer") if self.unnamed else self.table


def cut(log: InteractionLog, gap: int, ends: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    """Number the units of a log, through all customers: cut at a silence of `gap` (0: never) and after `ends`."""
    begins = np.empty(log.n_events, dtype=bool)
    marked = np.zeros(0, dtype=bool) if ends is None else ends
    over_customers(
        lambda first, last: mark_begins(log.times, marked, log.offsets, gap, begins, first, last), log.offsets
    )
    return np.cumsum(begins, dtype=np.int32) - np.int32(1)


def outline(log: InteractionLog, codes: NDArray[np.int32], unit: str) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Describe units by their first and last event.

    Parameters
    ----------
    log : InteractionLog
        The events.
    codes : array of int32
        Each event's unit, numbered by customer and first event; -1 for none.
    unit : str
        The name of the column with the unit's number within its customer.

    Returns
    -------
    table : DataFrame
        `customer`, the number, `start`, `end`, `duration_seconds`, `events`,
        `first_touchpoint`, `last_touchpoint`.
    last : array of int64
        The position in the log of each unit's last event.
    """
    rows = np.flatnonzero(codes >= 0)
    own = codes[rows]
    n_units = int(own.max()) + 1 if len(own) else 0
    first, last = np.empty(n_units, np.int64), np.empty(n_units, np.int64)
    first[own[::-1]], last[own] = rows[::-1], rows  # where several are written, the last one stands
    customers = log.customer_codes[first]
    begins = np.concatenate([[True], customers[1:] != customers[:-1]]) if n_units else np.zeros(0, dtype=bool)
    position = np.arange(n_units)
    table = pd.DataFrame(
        {
            "customer": log.customers.take(customers),
            unit: (position - np.maximum.accumulate(np.where(begins, position, 0)) + 1).astype(np.int32),
            "start": stamps(log, log.times[first]),
            "end": stamps(log, log.times[last]),
            "duration_seconds": (log.times[last] - log.times[first]) / SECOND,
            "events": np.bincount(own, minlength=n_units),
            "first_touchpoint": pd.Categorical.from_codes(log.touchpoint_codes[first], log.touchpoints),
            "last_touchpoint": pd.Categorical.from_codes(log.touchpoint_codes[last], log.touchpoints),
        }
    )
    return table, last


def stamps(log: InteractionLog, instants: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Show instants in the log's zone; those before all time (the least integer) are missing."""
    return pd.DatetimeIndex(instants.view("M8[us]"), tz="UTC").tz_convert(log.timezone)
