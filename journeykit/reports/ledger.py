"""The counts of a result, each with its place in a frame, how they add up, and what rests on them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.suppression import Counts, suppressed

Key = tuple[Hashable, ...]
Change = Callable[[pd.DataFrame, str, list[int]], pd.DataFrame]


@dataclass
class Ledger:
    """What is known of a result's counts.

    Attributes
    ----------
    frames : dict
        Name → frame of the result; the frames are not changed.
    counts : Counts
        The cells and how they add up.
    places : dict
        (frame, row, column) → cell.
    alike : dict
        (frame, key, column) → the cells of that place in every group: they
        add up to the same place of the whole.
    rests : list
        (frame, row, columns, cells): estimates, and the counts that they rest
        on.
    """

    frames: dict[str, pd.DataFrame]
    counts: Counts = field(default_factory=Counts)
    places: dict[tuple[str, int, str], int] = field(default_factory=dict)
    alike: dict[tuple[str, Key, str], list[int]] = field(default_factory=dict)
    rests: list[tuple[str, int, list[str], list[int]]] = field(default_factory=list)

    def cell(self, frame: str, row: int, column: str, key: Key = ()) -> int | None:
        """Add a count, and return its cell; None where the column is not there or the count is missing."""
        place = (frame, row, column)
        if place in self.places:
            return self.places[place]
        table = self.frames[frame]
        if column not in table or pd.isna(table[column].iloc[row]):
            return None
        found = self.counts.add(int(table[column].iloc[row]))
        self.places[place] = found
        self.alike.setdefault((frame, key, column), []).append(found)
        return found

    def relate(self, whole: int | None, parts: Iterable[int | None]) -> None:
        """Say that parts add up to a whole, or to a part of it that is printed nowhere."""
        known = [part for part in parts if part is not None]
        if whole is not None and known:
            self.counts.relate(whole, known)

    def rest(self, frame: str, row: int, names: Sequence[str], cells: Iterable[int | None]) -> None:
        """Say that estimates, with their intervals, rest on counts."""
        table = self.frames[frame]
        columns = [each for name in names for each in (name, f"{name}_low", f"{name}_high") if each in table]
        self.rests.append((frame, row, columns, [cell for cell in cells if cell is not None]))

    def is_part_of(self, whole: Ledger, unsaid: set[int]) -> None:
        """Take in the ledger of everybody, whose cells the groups' cells add up to.

        Parameters
        ----------
        whole : Ledger
            Of the same analysis without groups.
        unsaid : set of int
            Cells of it that were not published: they must not come out here.
        """
        moved = {}
        for cell, value in enumerate(whole.counts.values):
            hidden = cell in unsaid or cell in whole.counts.hidden
            moved[cell] = self.counts.add(value, hidden=hidden, fixed=not hidden)
        for of, parts in whole.counts.relations:
            self.counts.relations.append((moved[of], tuple(moved[part] for part in parts)))
        for place, cells in self.alike.items():
            if place in whole.alike:
                self.relate(moved[whole.alike[place][0]], cells)

    def suppressed(self, min_n: int) -> set[int]:
        """Choose the cells that are not to be published."""
        return suppressed(self.counts, min_n)

    def masked(self, unsaid: set[int], change: Change) -> dict[str, pd.DataFrame]:
        """Return the frames with those counts, and what rests on them, changed: as `without` or `disturbed` do."""
        gone: dict[tuple[str, str], list[int]] = {}
        for (frame, row, column), cell in self.places.items():
            if cell in unsaid:
                gone.setdefault((frame, column), []).append(row)
        for frame, row, columns, cells in self.rests:
            if unsaid.intersection(cells):
                for column in columns:
                    gone.setdefault((frame, column), []).append(row)
        frames = dict(self.frames)
        for (frame, column), rows in gone.items():
            frames[frame] = change(frames[frame], column, rows)
        return frames


def without(frame: pd.DataFrame, column: str, rows: list[int]) -> pd.DataFrame:
    """Return a frame with missing values in some rows of a column; of numbers, as floats, which everything can draw."""
    values: Any = frame[column]
    if pd.api.types.is_numeric_dtype(values.dtype):
        values = values.astype("float64") if values.dtype.kind in "iuf" else values.to_numpy(float, na_value=np.nan)
    values = pd.Series(values, index=frame.index, copy=True)
    values.iloc[rows] = np.nan if values.dtype.kind == "f" else None
    return frame.assign(**{column: values})


def disturbed(frame: pd.DataFrame, column: str, rows: list[int]) -> pd.DataFrame:
    """Return a frame with other numbers in some rows of a column: whatever is said of them is said otherwise."""
    values = frame[column].copy()
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return frame
    there = values.iloc[rows]
    shares = values.dtype.kind == "f" and bool(there.dropna().between(0, 1).all())
    values.iloc[rows] = ((there + 0.377) % 1 if shares else there * 3 + 1001).array
    return frame.assign(**{column: values})
