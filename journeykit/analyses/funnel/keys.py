"""Keys of a funnel's counts: group, part, step and value in one number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.journey.packing import Packing

Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]

Piece = tuple[Longs, Longs, Longs]
"""Places, values and numbers."""


class Part(IntEnum):
    """What is counted, by group and step."""

    STOPPED = 0  # attempts that went no further than this step, all entries
    STOPPED_MATURE = 1  # the same, mature entries
    FILLED = 2  # attempts that filled an optional step
    FILLED_MATURE = 3
    OPEN = 4  # attempts before their last step whose window is still running
    LEFT_OUT = 5  # customers whom no rate is over (value: why)
    LEFT_OUT_COUNTED = 6  # attempts or units that no rate is over (value: why)
    REACHED = 7  # was in the stage at all
    SKIPPED = 8
    CAME_BACK = 9
    NEXT = 10  # what who stopped did next (value: code of the touchpoint, after those of OUTCOMES)
    NEXT_SQUARES = 11  # the same, squared per customer
    NEXT_CROSS = 12  # the same, times all that stopped there per customer
    STOPPERS = 13  # customers behind those who stopped
    STOPPED_SQUARES = 14
    FROM_BASE = 15  # time since the required step before (value: microseconds)
    FROM_ENTRY = 16  # time since step 1 (value: microseconds)
    PEOPLE = 17  # customers behind what is counted, at each step, all entries
    PEOPLE_MATURE = 18
    BOTH = 19  # customers at this step both in this group and in another (value: that one), whom rates are over
    SAME = 20  # Σ over customers of their number here × their number at the same step in the other group
    CROSS_BASE = 21  # … × their number at the required step before in the other group
    CROSS_FIRST = 22  # … × their number at the first step shown in the other group


@dataclass(frozen=True)
class Key:
    """Number (group, part, step), the place of a value in a tally."""

    n_groups: int
    n_steps: int
    largest: int

    @property
    def packing(self) -> Packing:
        """How places and values are packed."""
        return Packing(self.n_groups * len(Part) * (self.n_steps + 1), self.largest)

    def place(self, group: Any, part: Part, step: Any) -> Any:
        """Number of (group, part, step)."""
        return (np.asarray(group, np.int64) * len(Part) + int(part)) * (self.n_steps + 1) + step


def total(key: Key, part: Part, numbers: Any) -> Piece:
    """Write down numbers that no group and no step has a part in: position → number."""
    each = np.atleast_1d(np.asarray(numbers, dtype=np.int64))
    return np.full(len(each), key.place(0, part, 0)), np.arange(len(each), dtype=np.int64), each


def number(key: Key, part: Part, steps: npt.NDArray[Any], groups: Ints | None, mask: npt.NDArray[np.bool_]) -> Piece:
    """Count per group and step, of those in the mask that have a group."""
    width = key.n_steps + 1
    if groups is None:
        numbers = np.bincount(steps[mask], minlength=width)
    else:
        from journeykit.loops.funnel_spans import count_steps

        numbers = count_steps(steps.astype(np.int16, copy=False), groups, mask, key.n_groups, width, 0, len(groups))
    some = np.flatnonzero(numbers)
    places = key.place(some // width, part, some % width)
    return places, np.zeros(len(some), np.int64), numbers[some]


class Counts:
    """A merged tally, read by part, group and step.

    Parameters
    ----------
    frame : DataFrame
        What `count` returned, or several merged.
    key : Key
        How it is packed.
    """

    def __init__(self, frame: pd.DataFrame, key: Key) -> None:
        self.key = key
        places, values = key.packing.split(frame.index)
        numbers = frame["n"].to_numpy()
        cuts = np.flatnonzero(places[1:] != places[:-1]) + 1
        if len(cuts) > 10_000:  # groups are mixed: put each together
            order = np.argsort(places, kind="stable")
            places, values, numbers = places[order], values[order], numbers[order]
            cuts = np.flatnonzero(places[1:] != places[:-1]) + 1
        starts, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [len(places)]])
        self._runs: dict[int, list[tuple[Longs, Longs]]] = {}
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
            self._runs.setdefault(int(places[a]), []).append((values[a:b], numbers[a:b]))

    def number(self, part: Part, step: int, group: int = 0) -> int:
        """How many are counted under a part."""
        return sum(int(numbers.sum()) for _, numbers in self._runs.get(int(self.key.place(group, part, step)), []))

    def at(self, part: Part, step: int, group: int, value: int) -> int:
        """How many are counted under a part with a value."""
        values, numbers = self.values(part, step, group)
        return int(numbers[values == value].sum())

    def values(self, part: Part, step: int, group: int = 0) -> tuple[Longs, Longs]:
        """Return values, such as microseconds, and how many are counted with each."""
        runs = self._runs.get(int(self.key.place(group, part, step)), [])
        if not runs:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([values for values, _ in runs]), np.concatenate([numbers for _, numbers in runs])
