"""Counting who came back: over any set of whole customers, so that the counts of several sets add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.retention.design import Design, Grid, Ints, check_size, make_grid
from journeykit.estimators.proportions import SUMS
from journeykit.journey import Step
from journeykit.journey.groups import FIRST_OF, labels_at
from journeykit.log import InteractionLog
from journeykit.loops import over_customers

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

REASONS = ("retention.no_start", "retention.first_fails", "retention.washout", "retention.outside")
COUNTS = ("so_far", "back", "again", "previous", "elapsed", "begun")
_ALL = np.zeros(0, dtype=bool)
_NO_SCORES = np.zeros((0, 0))


@dataclass(frozen=True)
class Starts:
    """The start of each customer: row of the event (-1: none), and whether the customer counts, or why not."""

    rows: Ints
    reasons: dict[str, Bools]

    @property
    def counted(self) -> Bools:
        """Who counts: the customers without a reason to be left out."""
        left_out = np.zeros(len(self.rows), dtype=bool)
        for who in self.reasons.values():
            left_out |= who
        return ~left_out


def find_starts(log: InteractionLog, design: Design, grid: Grid) -> Starts:
    """Find each customer's start event, and who is left out for which reason (the first that fits)."""
    begins = start_mask(log, design)
    rows = _first_rows(log, begins)
    reasons = {"retention.no_start": rows < 0}
    if design.cohort == "first_ever" and design.start is not None:
        named = Step(design.start.touchpoint, design.start.stage)
        reasons["retention.first_fails"] = (rows < 0) & (_first_rows(log, mask_of(log, named)) >= 0)
        reasons["retention.no_start"] &= ~reasons["retention.first_fails"]
    if design.washout:
        early = log.times[log.offsets[:-1]] < log.start + design.washout
        reasons["retention.washout"] = early & (rows >= 0)
    if design.cohort == "every":  # the first that counts: it decides the group
        inside = (log.times >= grid.starts_from) & (log.times < grid.starts_until)
        first_inside = _first_rows(log, inside if begins.size == 0 else inside & begins)
        outside = (rows >= 0) & (first_inside < 0)
        rows = np.where(first_inside >= 0, first_inside, rows)
    elif design.between == (None, None) and not design.washout:
        outside = np.zeros(len(rows), dtype=bool)
    else:
        started = log.times[np.maximum(rows, 0)] if log.n_events else rows
        outside = (rows >= 0) & ((started < grid.starts_from) | (started >= grid.starts_until))
    if "retention.washout" in reasons:
        outside &= ~reasons["retention.washout"]
    return Starts(rows, reasons | {"retention.outside": outside})


def start_mask(log: InteractionLog, design: Design) -> Bools:
    """Mark the events that can start a customer; empty stands for all."""
    step = design.start
    if step is not None and design.cohort == "first_ever":
        step = Step(step.touchpoint, step.stage, step.where, step.contains, first="ever")
    return mask_of(log, step)


def mask_of(log: InteractionLog, step: Step | None) -> Bools:
    """Mark the events that count as a step; empty stands for all."""
    if step is None or step == Step():
        return _ALL
    return np.ascontiguousarray(step.mask(log))


def _first_rows(log: InteractionLog, marked: Bools) -> Ints:
    if marked.size == 0:
        return log.offsets[:-1]
    from journeykit.loops.retention import first_marked

    rows = np.empty(log.n_customers, np.int64)
    over_customers(lambda first, last: first_marked(log.offsets, marked, rows, first, last), log.offsets)
    return rows


def count_left_out(log: InteractionLog, *, design: Design) -> pd.DataFrame:
    """Customers left out, by reason."""
    reasons = find_starts(log, design, make_grid(log, design)).reasons
    return pd.DataFrame({"customers": {reason: int(who.sum()) for reason, who in reasons.items()}})


def count_cells(log: InteractionLog, *, design: Design) -> pd.DataFrame:
    """Customers by segment, row, cohort and column: the counts of `loops.retention`.

    Rows with cohort -1 hold the sums over all cohorts behind a pooled rate
    (`customers`, `x`, …), where a customer can stand in several.
    """
    grid = make_grid(log, design)
    starts = find_starts(log, design, grid)
    groups, names = group_customers(log, design, starts)
    check_size(grid, len(names))
    if _is_usual(design):
        return as_frame(_count_usual(log, design, grid, starts, groups, len(names)), names, grid, COUNTS)
    counts, sums, _ = follow(log, design, grid, starts, groups, len(names))
    cells = as_frame(counts, names, grid, COUNTS)
    if design.cohort != "every":
        return cells
    together = pd.concat([cells, as_frame(sums, names, grid, SUMS)])
    return together.fillna(0).astype(np.int64)


def _is_usual(design: Design) -> bool:
    asked = (design.mode, design.windows, design.min_events, design.base)
    return design.cohort != "every" and asked == ("on", "calendar", 1, "cohort")


def _count_usual(
    log: InteractionLog, design: Design, grid: Grid, starts: Starts, groups: NDArray[np.int32], n_groups: int
) -> Ints:
    """Count what `follow` does where the calendar alone says what is elapsed: so the loop needn't."""
    from journeykit.loops.retention import count_back

    backs = mask_of(log, design.back)
    shape = (n_groups * grid.n_rows, grid.n_columns)
    slices, beyond = grid.slices(), np.int32(grid.n_columns)
    column_of = np.append(grid.column_of, beyond)

    def run(first: int, last: int) -> tuple[Ints, Ints]:
        sizes, so_far = np.zeros(shape[0], np.int64), np.zeros((shape[0], beyond + 1), np.int64)
        count_back(
            *(log.times, log.offsets, starts.rows, groups, backs, *slices, grid.first_period, grid.n_rows),
            *(column_of, sizes, so_far, first, last),
        )
        return sizes, so_far[:, :beyond]

    parts = over_customers(run, log.offsets)
    sizes, so_far = (sum(part[1:], part[0]) for part in zip(*parts, strict=True))
    period = grid.first_period + np.arange(grid.n_rows)
    column = np.arange(grid.n_columns)
    units = len(grid.column_of)
    known = grid.columns_within(grid.highs)[np.clip(grid.n_finished - period, 0, units)]
    opened = grid.columns_within(grid.lows)[np.clip(len(grid.edges) - 1 - period, 0, units)]
    elapsed, begun = (np.tile(column < ends[:, np.newaxis], (n_groups, 1)) for ends in (known, opened))
    nothing = np.zeros(shape, np.int64)  # what only a ratio to the previous column needs
    counts = (so_far, so_far * elapsed, nothing, nothing, sizes[:, np.newaxis] * elapsed, sizes[:, np.newaxis] * begun)
    return np.stack(counts).reshape(len(COUNTS), n_groups, grid.n_rows, grid.n_columns)


def count_scores(
    log: InteractionLog, *, design: Design, weights: dict[tuple[str, str], tuple[Floats, Floats]]
) -> pd.DataFrame:
    """Squared scores of customers by segment, row and column: they make the variance of a weighted sum of cells.

    `weights` holds for each (segment, row) the weight of each cell in a
    customer's score, and the rate expected there; a customer's score is the
    sum of weight × (came back − expected) over the cells they are in.
    """
    grid = make_grid(log, design)
    starts = find_starts(log, design, grid)
    groups, names = group_customers(log, design, starts)
    shape = (grid.n_rows, grid.n_columns)
    none = (np.zeros(shape), np.zeros(shape))
    weight = np.concatenate([weights.get(name, none)[0] for name in names])
    expected = np.concatenate([weights.get(name, none)[0] * weights.get(name, none)[1] for name in names])
    _, _, squares = follow(log, design, grid, starts, groups, len(names), (weight, expected))
    index = pd.MultiIndex.from_tuples(
        [(*name, column) for name in names for column in range(squares.shape[1])], names=["segment", "row", "age"]
    )
    return pd.DataFrame({"squares": squares.ravel()}, index=index)


def follow(
    log: InteractionLog,
    design: Design,
    grid: Grid,
    starts: Starts,
    groups: NDArray[np.int32],
    n_groups: int,
    scores: tuple[Floats, Floats] = (_NO_SCORES, _NO_SCORES),
) -> tuple[Ints, Ints, Floats]:
    """Run the loop.

    Returns counts of shape (kind, group, row, column), sums (kind, group, 1,
    column) and squares (group, column).
    """
    from journeykit.loops.retention import follow_every, follow_first

    backs = mask_of(log, design.back)
    shared = (grid.column_of, grid.columns_within(grid.highs), grid.columns_within(grid.lows))
    n_rows, n_columns = n_groups * grid.n_rows, grid.n_columns
    weight, expected = (np.ascontiguousarray(part) for part in scores)
    # "On or after" without a horizon has no end: whoever came back after the last column came back after it.
    beyond = n_columns - 1 if design.or_after and design.horizon is None else -1
    if design.cohort == "every":
        begins = _begins_inside(log, design, grid)
    elif weight.size:  # a customer is in columns 0 … known - 1 of one row
        expected = np.concatenate([np.zeros((n_rows, 1)), np.cumsum(expected, axis=1)], axis=1)

    def run(first: int, last: int) -> tuple[Ints, Ints, Floats]:
        counts = [np.zeros((n_rows, n_columns), np.int64) for _ in COUNTS[:4]]
        counts += [np.zeros((n_rows, n_columns + 1), np.int64) for _ in COUNTS[4:]]
        sums = np.zeros((n_groups * len(SUMS), n_columns), np.int64)
        if design.cohort == "every":
            squares = np.zeros((n_groups, n_columns + 1))
            follow_every(
                *(log.times, log.offsets, begins, groups, backs, grid.edges, grid.first_period, grid.n_rows),
                *(grid.n_finished, *shared, design.min_events, design.or_after, beyond, design.base == "previous"),
                *(weight, expected, *counts, sums, squares, first, last),
            )
        else:
            curve = np.zeros(n_groups)
            follow_first(
                *(log.times, log.offsets, starts.rows, groups, backs, grid.edges, grid.first_period, grid.n_rows),
                *(
                    design.length,
                    log.observed_until,
                    grid.n_finished,
                    *shared,
                    design.min_events,
                    design.or_after,
                    beyond,
                ),
                *(weight, expected, *counts, curve, first, last),
            )
            squares = curve[:, np.newaxis]
        # A customer with m columns elapsed is in columns 0 … m - 1; one whose last column is c was back up to c.
        for kind in (4, 5):
            counts[kind] = _at_least(counts[kind])[:, 1:]
        if design.or_after:
            counts[0], counts[1] = _at_least(counts[0]), _at_least(counts[1])
        together = np.stack(counts).reshape(len(COUNTS), n_groups, grid.n_rows, n_columns)
        return together, sums.reshape(n_groups, len(SUMS), 1, n_columns).swapaxes(0, 1), squares

    parts = over_customers(run, log.offsets)
    counts, sums, squares = (sum(part[1:], part[0]) for part in zip(*parts, strict=True))
    return counts, sums, squares


def _begins_inside(log: InteractionLog, design: Design, grid: Grid) -> Bools:
    begins = start_mask(log, design)
    if grid.starts_from <= log.start and grid.starts_until >= log.observed_until:
        return begins
    inside = (log.times >= grid.starts_from) & (log.times < grid.starts_until)
    return inside if begins.size == 0 else inside & begins


def _at_least(histogram: Ints) -> Ints:
    return np.ascontiguousarray(np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1])


def group_customers(
    log: InteractionLog, design: Design, starts: Starts
) -> tuple[NDArray[np.int32], list[tuple[str, str]]]:
    """Group of each customer (-1: left out) and the (segment, row) that each group is."""
    counted = starts.counted
    if design.by is None and design.cohorts_by is None:
        return np.where(counted, 0, -1).astype(np.int32), [("", "")]
    groups = np.full(log.n_customers, -1, dtype=np.int32)
    who = np.flatnonzero(counted)
    segments, rows, pairs = [""], [""], who
    if design.by is not None:
        pairs, segments = _label(log, design.by, starts, who)
    if design.cohorts_by is not None:
        row, rows = _label(log, design.cohorts_by, starts, who)
        pairs = row if design.by is None else pairs * len(rows) + row
    present = np.flatnonzero(np.bincount(pairs, minlength=len(segments) * len(rows)))
    groups[who] = np.searchsorted(present, pairs)
    names = [(segments[pair // len(rows)], rows[pair % len(rows)]) for pair in present]
    return groups, names or [("", "")]


def _label(log: InteractionLog, column: str, starts: Starts, who: Ints) -> tuple[Ints, list[str]]:
    """Code of each customer's value of a column, and the names of its values."""
    first_events = log.offsets[:-1][who] if column in FIRST_OF else who
    return labels_at(log, column, starts.rows[who], first_events)


def as_frame(counts: Ints, names: list[tuple[str, str]], grid: Grid, columns: tuple[str, ...]) -> pd.DataFrame:
    """Lay counts (kind, group, row, column) out by key; rows without a customer are left out."""
    present = np.argwhere(counts.any(axis=(0, 3)))
    group, cohort = present[:, 0], present[:, 1]
    cohorts = pd.Index([-1]) if columns == SUMS else pd.RangeIndex(grid.n_rows)
    n_columns = counts.shape[3]
    segments, rows = (pd.factorize(np.array([name[i] for name in names], dtype=object)) for i in (0, 1))
    codes: list[Any] = [np.repeat(code, n_columns) for code in (segments[0][group], rows[0][group], cohort)]
    codes.append(np.tile(np.arange(n_columns), len(present)))
    levels: list[Any] = [pd.Index(segments[1]), pd.Index(rows[1]), cohorts, pd.RangeIndex(n_columns)]
    index = pd.MultiIndex(
        levels=levels,
        codes=codes,
        names=["segment", "row", "cohort", "age"],
    )
    flat = counts[:, group, cohort, :].reshape(len(columns), -1)
    return pd.DataFrame(dict(zip(columns, flat, strict=True)), index=index)
