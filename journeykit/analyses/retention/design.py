"""How retention is asked: options that pickle, and the grid of cohorts and columns that they make of a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.journey import Step
from journeykit.journey.periods import n_finished, period_labels
from journeykit.schema import DAY

Ints = NDArray[np.int64]

UNIT_LENGTH = {
    "hour": DAY // 24,
    "day": DAY,
    "week": 7 * DAY,
    "month": 30 * DAY,
    "quarter": 90 * DAY,
    "year": 365 * DAY,
}
"""Length of a rolling unit, in microseconds."""

MAX_CELLS = 4_000_000
"""Cells above this can neither be read nor drawn, and would fill the memory."""


@dataclass(frozen=True)
class Design:
    """Every option that decides who is counted where; it pickles."""

    start: Step | None
    back: Step | None
    period: str
    cohort: str
    mode: str
    horizon: int | None
    columns: tuple[int, ...] | None
    windows: str
    min_events: int
    base: str
    mean: str
    washout: int
    between: tuple[int | None, int | None]
    by: str | None
    cohorts_by: str | None
    week_start: str

    @property
    def or_after(self) -> bool:
        """Whether a customer counts in every column up to the last time they came back."""
        return self.mode == "on_or_after"

    @property
    def length(self) -> int:
        """Length of a rolling unit in microseconds; 0 for calendar periods."""
        return UNIT_LENGTH[self.period] if self.windows == "rolling" else 0


@dataclass(frozen=True)
class Grid:
    """Cohorts and columns, from the log's dates alone: the same for any part of its customers.

    Attributes
    ----------
    edges : array of int64
        Where the periods begin that cover the observation.
    n_finished : int
        How many of them have fully elapsed before `observed_until`.
    first_period, n_rows : int
        Periods whose cohorts are rows: those in which a customer who counts can start.
    starts_from, starts_until : int
        A start event counts inside these instants; half-open.
    lows, highs : array of int64
        First and last unit after the start of each column; column 0 is unit 0.
    """

    edges: Ints
    observed_until: int
    n_finished: int
    first_period: int
    n_rows: int
    starts_from: int
    starts_until: int
    lows: Ints
    highs: Ints

    @property
    def n_columns(self) -> int:
        """How many columns there are, column 0 among them."""
        return len(self.lows)

    @property
    def column_of(self) -> NDArray[np.int32]:
        """Column of each unit after the start."""
        return np.repeat(np.arange(self.n_columns, dtype=np.int32), self.highs - self.lows + 1)

    def slices(self) -> tuple[int, int, Ints, NDArray[np.int32], NDArray[np.int32]]:
        """Cut time into slices of 2 ** shift microseconds, none longer than a period: at most one begins inside.

        Returns the first instant, the shift, and by slice: when the next
        period begins, the period before that, and the one from then on.
        """
        lengths = np.diff(self.edges)
        shift = int(lengths[lengths > 0].min()).bit_length() - 1
        begins = np.arange(self.edges[0], self.edges[-1] + 1, 1 << shift)
        before = np.searchsorted(self.edges, begins, side="right") - 1
        changes = np.append(self.edges, np.iinfo(np.int64).max)[before + 1]
        after = np.searchsorted(self.edges, changes, side="right") - 1  # a local day that never was is passed over
        return int(self.edges[0]), shift, changes, before.astype(np.int32), after.astype(np.int32)

    def columns_within(self, ends: Ints) -> NDArray[np.int32]:
        """For u = 0, 1, …: how many columns have their unit (`highs`: last, `lows`: first) among the first u."""
        return np.searchsorted(ends, np.arange(self.highs[-1] + 2), side="left").astype(np.int32)


def make_grid(log: Any, design: Design) -> Grid:
    """Lay out the rows and columns of a design over what a log observes."""
    edges = log.period_edges(design.period, week_start=design.week_start)
    begin, end = design.between
    starts_from = max(log.start + design.washout, log.start if begin is None else begin)
    starts_until = log.observed_until if end is None else min(end, log.observed_until)
    if starts_from >= starts_until:
        raise ParameterError(
            f"no start can count: the log runs from {log.starts_at} to {log.ends_at}, "
            f"between and washout leave nothing of it"
        )
    # Nobody is observed before the log's start, so its period is the first even where `edges` begins earlier.
    first_period = int(np.searchsorted(edges, starts_from, side="right")) - 1
    last_period = int(np.searchsorted(edges, starts_until - 1, side="right")) - 1
    rolling_units = -(-(log.observed_until - starts_from) // design.length) if design.length else 0
    lows, highs = _columns(design, rolling_units or len(edges) - 1 - first_period)
    return Grid(
        edges=edges,
        observed_until=log.observed_until,
        n_finished=n_finished(edges, log.observed_until),
        first_period=first_period,
        n_rows=last_period - first_period + 1,
        starts_from=starts_from,
        starts_until=starts_until,
        lows=lows,
        highs=highs,
    )


def _columns(design: Design, units: int) -> tuple[Ints, Ints]:
    """First and last unit of each column; without `columns`, each unit that has begun for somebody is one."""
    if design.columns is not None:
        highs = np.cumsum([0, *design.columns])
        return np.concatenate([[0], highs[:-1] + 1]), highs
    each = np.arange(units if design.horizon is None else design.horizon + 1)
    return each, each


def check_size(grid: Grid, groups: int) -> None:
    """Refuse a grid that nobody can read."""
    if grid.n_rows * grid.n_columns * groups > MAX_CELLS:
        raise ParameterError(
            f"{grid.n_rows} cohorts × {grid.n_columns} columns × {groups} groups are more than {MAX_CELLS} cells: "
            f"say horizon=, between= or a longer period"
        )


def cohort_labels(log: Any, design: Design, grid: Grid) -> pd.Index:
    """Name the cohorts."""
    labels = period_labels(log, grid.edges, design.period, design.week_start)
    return labels[grid.first_period : grid.first_period + grid.n_rows]


def check_columns(columns: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the widths of the columns after column 0."""
    if columns is None:
        return None
    widths = tuple(columns)
    if not widths or any(isinstance(width, bool) or int(width) != width or width < 1 for width in widths):
        raise ParameterError(f"columns must be widths in whole periods such as [1, 7, 30], got {columns!r}")
    return tuple(int(width) for width in widths)
