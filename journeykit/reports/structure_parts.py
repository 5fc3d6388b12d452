"""What the structures of several analyses are written with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from journeykit.reports.ledger import Ledger

_NOT_COUNTS: Final = (
    "days",
    "seconds",
    "age",
    "age_last",
    "periods",
    "cohorts",
    "step",
    "year",
    "longest_streak",
    "rank",
    "page",
)


def part_of_share(ledger: Ledger, whole: int | None, table: pd.DataFrame, row: int, name: str) -> int | None:
    """About how many a share stands for: with a published whole it is as good as printed."""
    share = float(table[name].iloc[row])
    if whole is None or np.isnan(share):
        return None
    part = ledger.counts.add(round(share * ledger.counts.values[whole]))
    ledger.relate(whole, [part])
    return part


def all_or_nothing(ledger: Ledger, frame: str) -> None:
    """A frame of differences that rests on everything."""
    table = ledger.frames[frame]
    names = [str(name) for name in table if table[name].dtype.kind == "f" and not str(name).endswith(("_low", "_high"))]
    for row in range(len(table)):
        ledger.rest(frame, row, names, ledger.places.values())


def whole_rows(ledger: Ledger, frame: str) -> None:
    """Of a frame that is not known: a row with a small count goes whole, and never one row alone."""
    table = ledger.frames[frame]
    numbers = [
        str(name)
        for name in table
        if pd.api.types.is_numeric_dtype(table[name].dtype) and table[name].dtype.kind != "b"
    ]
    estimates = {name for name in numbers if f"{name}_low" in table}
    counts = [
        name for name in numbers if table[name].dtype.kind in "iu" and not _is_measure(name) and name not in estimates
    ]
    for rows in group_rows(table):
        for name in counts:
            known = [cell for row in rows if (cell := ledger.cell(frame, row, name, (frame, row))) is not None]
            if known:  # their sum is taken as known
                total = ledger.counts.add(sum(ledger.counts.values[cell] for cell in known), fixed=True)
                ledger.relate(total, known)
        for row in rows:
            here = [ledger.places.get((frame, row, name)) for name in counts]
            ledger.rest(frame, row, [name for name in numbers if not _is_measure(name)], here)


def same_cell(ledger: Ledger, frame: str, row: int, column: str, of: tuple[str, int, str]) -> int | None:
    """Say that a place holds the very cell of another place."""
    if column in ledger.frames[frame] and of in ledger.places:
        ledger.places[(frame, row, column)] = ledger.places[of]
        return ledger.places[of]
    return None


def group_rows(table: pd.DataFrame) -> Iterator[list[int]]:
    """The rows of each group, in the table's order."""
    if "segment" not in table:
        yield list(range(len(table)))
        return
    places = pd.Series(range(len(table)))
    for _, rows in places.groupby(table["segment"].to_numpy(), sort=False):
        yield rows.tolist()


def ending(table: pd.DataFrame, with_what: str) -> list[str]:
    """Name the columns of a table that end in this way."""
    return [str(name) for name in table if str(name).endswith(with_what)]


def _is_measure(name: str) -> bool:
    return name.endswith(_NOT_COUNTS)
