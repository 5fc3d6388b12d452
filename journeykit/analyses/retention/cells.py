"""From counts to cells: who is in the base of each cell, and whether it is finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.retention.counting import COUNTS
from journeykit.analyses.retention.design import Design, Grid, Ints
from journeykit.estimators.proportions import SUMS
from journeykit.journey.groups import in_order

STATUSES = ("future", "unfinished", "so far", "finished")
FUTURE, UNFINISHED, SO_FAR, FINISHED = range(4)


@dataclass(frozen=True)
class Cells:
    """One array of shape (segments, rows, columns) a quantity.

    Attributes
    ----------
    segments, rows : list of str
        Names along the first two axes; rows are cohorts unless `cohorts_by` names them.
    customers : array, without the last axis
        Size of each row.
    base, back : array
        Denominator and numerator of the rate.
    again : array
        Those of the numerator who are in the denominator too.
    so_far : array
        Who came back in the column, whether or not it has elapsed.
    status : array of int8
        Position in `STATUSES`.
    sums : array, shape (6, segments, columns)
        Sums over customers behind the pooled rate, where a customer stands in several cohorts.
    """

    segments: list[str]
    rows: list[Any]
    customers: Ints
    base: Ints
    back: Ints
    again: Ints
    so_far: Ints
    status: NDArray[np.int8]
    sums: Ints

    @property
    def numbers(self) -> NDArray[np.bool_]:
        """Which cells enter an average: finished ones of rows that have somebody."""
        somebody = np.asarray(self.customers > 0)[:, :, np.newaxis]
        return np.asarray((self.status == FINISHED) & somebody)


def make_cells(tally: pd.DataFrame, design: Design, grid: Grid, labels: pd.Index, stages: tuple[str, ...]) -> Cells:
    """Lay a tally out as arrays and decide what each cell is."""
    segments = in_order(tally.index.unique("segment"), stages) if design.by else [""]
    names = in_order(tally.index.unique("row"), stages) if design.cohorts_by else [""]
    counts, sums = _dense(tally, segments, names, grid)
    # Over the cohorts in time, or over the rows' names, of which there is one, "".
    counts = counts.sum(axis=3 if design.cohorts_by is not None else 2)
    so_far, back, again, previous, elapsed, begun = counts
    customers = begun[:, :, 0]
    if design.or_after:
        base, again = _or_after(design, so_far, back, elapsed, begun)
        back = so_far if design.horizon is None else back
    else:
        so_far[:, :, 0], back[:, :, 0], again[:, :, 0] = customers, elapsed[:, :, 0], elapsed[:, :, 0]
        previous[:, :, 0] = elapsed[:, :, 0]
        base = previous if design.base == "previous" else elapsed
    whole = design.or_after and design.horizon is not None  # finished only when the last column is
    known = np.repeat(elapsed[:, :, -1:], grid.n_columns, axis=2) if whole else elapsed
    if design.cohorts_by is not None:
        status = np.where(known > 0, FINISHED, np.where(begun > 0, UNFINISHED, FUTURE))
    else:
        status = _status(design, grid, customers, known, begun)
    if design.or_after and design.horizon is None:
        status = np.where(status == FUTURE, FUTURE, SO_FAR)
    rows = names if design.cohorts_by is not None else list(labels)
    status = np.broadcast_to(status, base.shape).astype(np.int8)
    return Cells(segments, rows, customers, base, back, again, so_far, status, sums)


def _dense(tally: pd.DataFrame, segments: list[str], names: list[str], grid: Grid) -> tuple[Ints, Ints]:
    index = tally.index
    segment = pd.Index(segments).get_indexer(index.get_level_values("segment"))
    row = pd.Index(names).get_indexer(index.get_level_values("row"))
    cohort, age = index.get_level_values("cohort").to_numpy(), index.get_level_values("age").to_numpy()
    shape = (len(segments), len(names), grid.n_rows, grid.n_columns)
    counts = np.zeros((len(COUNTS), *shape), dtype=np.int64)
    sums = np.zeros((len(SUMS), len(segments), grid.n_columns), dtype=np.int64)
    of_cohort = cohort >= 0
    place = (segment[of_cohort], row[of_cohort], cohort[of_cohort], age[of_cohort])
    for i, name in enumerate(COUNTS):
        counts[i][place] = tally[name].to_numpy()[of_cohort]
    if "x" in tally:
        for i, name in enumerate(SUMS):
            np.add.at(sums[i], (segment[~of_cohort], age[~of_cohort]), tally[name].to_numpy()[~of_cohort])
    return counts, sums


def _or_after(design: Design, so_far: Ints, back: Ints, elapsed: Ints, begun: Ints) -> tuple[Ints, Ints]:
    """Return the base of "on or after", and who of those back is in it: all, as its columns are nested."""
    if design.horizon is None:
        counted, base = so_far, begun
    else:  # over those whose whole horizon has elapsed, in every column
        counted, base = back, np.repeat(elapsed[:, :, -1:], elapsed.shape[2], axis=2)
    if design.base == "previous":
        base = np.where(begun > 0, np.concatenate([base[:, :, :1], counted[:, :, :-1]], axis=2), 0)
    return base, counted


def _status(design: Design, grid: Grid, customers: Ints, known: Ints, begun: Ints) -> NDArray[np.int64]:
    """Decide by the calendar; a rolling column, by the clocks of those who are in the cohort."""
    period = grid.first_period + np.arange(grid.n_rows)
    edges, last = grid.edges, -1 if design.or_after and design.horizon is not None else slice(None)
    highs = np.broadcast_to(grid.highs[last], grid.n_columns)
    if not design.length:
        n_periods = len(edges) - 1
        finished = period[:, np.newaxis] + highs < grid.n_finished
        future = period[:, np.newaxis] + grid.lows >= n_periods
        return np.where(finished, FINISHED, np.where(future, FUTURE, UNFINISHED))[np.newaxis]
    closes = edges[period + 1]
    if design.between[1] is not None:
        closes = np.minimum(closes, design.between[1])
    closed = (closes <= grid.observed_until)[:, np.newaxis]
    opens = np.maximum(edges[period], grid.starts_from)[:, np.newaxis]
    # A cohort that nobody is in is judged by whoever might have been.
    nobody = (customers == 0)[:, :, np.newaxis]
    all_elapsed = closes[:, np.newaxis] - 1 + (highs + 1) * design.length <= grid.observed_until
    none_begun = opens + grid.lows * design.length >= grid.observed_until
    finished = closed & np.where(nobody, all_elapsed, known == customers[:, :, np.newaxis])
    future = np.where(nobody, none_begun, begun == 0)
    return np.where(finished, FINISHED, np.where(future, FUTURE, UNFINISHED))
