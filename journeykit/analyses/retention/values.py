"""Values instead of customers: what those who came back brought, as sums, or as means per customer of the cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.retention.brought import (
    bring,
    columns_known,
    counted_columns,
    customer_breaks,
    entries_of,
)
from journeykit.analyses.retention.cells import SO_FAR, Cells
from journeykit.analyses.retention.counting import Floats, as_frame, find_starts, group_customers
from journeykit.analyses.retention.design import Design, Grid, make_grid
from journeykit.analyses.retention.estimates import (
    Weights,
    curve_weights,
    last_shared_column,
    pooled_weights,
    simple_weights,
)
from journeykit.errors import ParameterError
from journeykit.estimators.differences import comparison, holm, newcombe
from journeykit.estimators.proportions import clustered_mean, divide, t_value
from journeykit.estimators.shared import implied_p_value
from journeykit.log import InteractionLog

KINDS = ("total", "squares", "so_far")
MAIN = {"customers": "back_rate", "sum": "sum_value", "mean": "mean_value"}
"""The column that a measure is about."""


@dataclass(frozen=True)
class Values:
    """Arrays of shape (segments, rows, columns): over customers whose column has elapsed, and over all so far.

    Attributes
    ----------
    total, squares : array
        Sum of the customers' values, and of their squares.
    so_far : array
        Sum over everybody, elapsed or not.
    """

    total: Floats
    squares: Floats
    so_far: Floats


def check_value(log: InteractionLog, measure: str, value: str | None, design: Design) -> str | None:
    """Return the column whose values are counted; None where customers are."""
    if measure == "customers":
        if value is not None:
            raise ParameterError(f'value={value!r} is for measure="sum" or "mean", got measure="customers"')
        return None
    column = "value" if value is None else value
    log.require(column)
    if not pd.api.types.is_numeric_dtype(log.column(column)):
        raise ParameterError(f"value must name a column of numbers, {column!r} holds {log.column(column).dtype}")
    if design.base != "cohort":
        raise ParameterError(
            f"measure={measure!r} goes with base='cohort', got {design.base!r}: its sum would hold what customers "
            f"brought who are not in that base"
        )
    return column


def count_values(log: InteractionLog, *, design: Design, value: str) -> pd.DataFrame:
    """Sums of values of back events by segment, row, cohort and column, from each start event on."""
    grid = make_grid(log, design)
    groups, names = group_customers(log, design, find_starts(log, design, grid))
    entries = entries_of(log, design, grid, groups)
    brought = bring(log, design, grid, entries, value)
    counted_until = columns_known(log, design, grid, entries)
    place = groups[entries["customer"]].astype(np.int64) * grid.n_rows + entries["period"] - grid.first_period
    rows = place.to_numpy(dtype=np.int64)
    cells = np.zeros((len(KINDS), len(names) * grid.n_rows, grid.n_columns))
    if design.or_after:
        breaks = np.arange(len(entries) + 1)  # one after the other: nothing is summed within a customer here
        for part, amounts in brought.laid_out(len(entries), grid.n_columns, True, breaks):
            counted = counted_columns(design, grid, counted_until[part])
            for kind, each in enumerate((amounts * counted, amounts**2 * counted, amounts)):
                np.add.at(cells[kind], rows[part], each)
    else:
        flat = rows[brought.entry] * grid.n_columns + brought.column
        elapsed = brought.column < counted_until[brought.entry]
        amount = brought.amount
        for kind, weight in enumerate((amount * elapsed, amount**2 * elapsed, amount)):
            cells[kind] = np.bincount(flat, weight, minlength=cells[kind].size).reshape(cells[kind].shape)
    shape = (len(KINDS), len(names), grid.n_rows, grid.n_columns)
    return as_frame(cells.reshape(shape), names, grid, KINDS)  # type: ignore[arg-type]


def score_values(log: InteractionLog, *, design: Design, value: str, weights: Weights) -> pd.DataFrame:
    """Tally: squared scores of customers, and how many have one, by segment, row and column.

    `weights` holds for each (segment, row) the weight of each cell in a
    customer's score, and the mean expected there. The last column holds the
    scores of all columns together.
    """
    grid = make_grid(log, design)
    groups, names = group_customers(log, design, find_starts(log, design, grid))
    entries = entries_of(log, design, grid, groups)
    brought = bring(log, design, grid, entries, value)
    known, breaks = columns_known(log, design, grid, entries), customer_breaks(entries)
    none = (np.zeros((grid.n_rows, grid.n_columns)),) * 2
    weight, expected = (np.stack([weights.get(name, none)[i] for name in names]) for i in (0, 1))
    group = groups[entries["customer"]].astype(np.int64)
    cohort = (entries["period"] - grid.first_period).to_numpy(dtype=np.int64)
    sums = np.zeros((2, len(names), grid.n_columns + 1))
    for part, amounts in brought.laid_out(len(entries), grid.n_columns, design.or_after, breaks):
        place = (group[part], cohort[part])
        own = weight[place] * counted_columns(design, grid, known[part])
        starts = breaks[(breaks >= part.start) & (breaks < part.stop)] - part.start
        scores = np.add.reduceat(own * (amounts - expected[place]), starts)
        there = np.add.reduceat(own > 0, starts)
        scores, there = (np.column_stack([each, each.sum(axis=1)]) for each in (scores, there))
        who = group[part][starts]
        for i, each in enumerate((scores**2, there > 0)):
            np.add.at(sums[i], who, each)
    index = pd.MultiIndex.from_tuples(
        [(*name, column) for name in names for column in range(grid.n_columns + 1)], names=["segment", "row", "age"]
    )
    return pd.DataFrame({"squares": sums[0].ravel(), "customers": sums[1].ravel()}, index=index)


def lay_out(tally: pd.DataFrame, cells: Cells, design: Design, grid: Grid) -> Values:
    """Turn a tally into arrays over the same segments, rows and columns as the cells."""
    index = tally.index
    segment = pd.Index(cells.segments).get_indexer(index.get_level_values("segment"))
    cohort, age = (index.get_level_values(name).to_numpy() for name in ("cohort", "age"))
    row = cohort
    if design.cohorts_by is not None:
        row = pd.Index(cells.rows).get_indexer(index.get_level_values("row"))
    arrays = {name: np.zeros((len(cells.segments), len(cells.rows), grid.n_columns)) for name in KINDS}
    for name, array in arrays.items():
        np.add.at(array, (segment, row, age), tally[name].to_numpy())
    return Values(**arrays)


def value_table(table: pd.DataFrame, cells: Cells, values: Values, measure: str, confidence: float) -> pd.DataFrame:
    """Add the values to the tidy table; missing where nothing is known yet."""
    unknown = table["back"].isna().to_numpy()
    parts = {"sum_value": values.total.ravel()}
    if measure == "mean":
        mean, low, high = _means(values.total, values.squares, cells.base, confidence)
        for bound in (low, high):  # so far: no interval
            bound[cells.status == SO_FAR] = np.nan
        parts |= {name: each.ravel() for name, each in zip(_ends("mean_value"), (mean, low, high), strict=True)}
    columns = {name: np.where(unknown, np.nan, part) for name, part in parts.items()}
    columns["so_far_value"] = np.where(table["back_so_far"].isna(), np.nan, values.so_far.ravel())
    place = list(table.columns).index("status")
    return pd.concat([table.iloc[:, :place], pd.DataFrame(columns, index=table.index), table.iloc[:, place:]], axis=1)


def _ends(name: str) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"]


def _means(total: Any, squares: Any, base: Any, confidence: float) -> tuple[Floats, Floats, Floats]:
    return clustered_mean(base, total, base, squares, total, base, confidence=confidence)


@dataclass(frozen=True)
class Overall:
    """Overall means by segment and column, and of whole curves, each with its interval.

    Attributes
    ----------
    sums : array
        The overall sums.
    means : tuple of arrays
        Mean, low, high.
    last : int
        Last column of the curves; 0 where there is nothing to compare.
    curves : tuple of arrays
        Mean, low, high by segment.
    """

    sums: Floats
    means: tuple[Floats, Floats, Floats]
    last: int
    curves: tuple[Floats, Floats, Floats]


def overall_values(
    log: Any, cells: Cells, values: Values, design: Design, grid: Grid, value: str, measure: str, confidence: float
) -> Overall:
    """Estimate the overall means; the customers are gone through again where they repeat, or for whole curves."""
    numbers = cells.numbers & (cells.base > 0)
    total, squares, base = (np.where(numbers, each, 0) for each in (values.total, values.squares, cells.base))
    n = numbers.sum(axis=1)
    simple = design.mean == "simple"
    sums = divide(total.sum(axis=1), n) if simple else np.where(n > 0, total.sum(axis=1), np.nan)
    none = (np.zeros(0),) * 3
    if measure == "sum":
        return Overall(sums, none, 0, none)

    def spread(weights: Weights) -> tuple[Floats, Floats]:
        found = log.tally(score_values, design=design, value=value, weights=weights)
        by_segment = found.groupby(level=["segment", "age"]).sum()
        index = pd.MultiIndex.from_product([cells.segments, range(grid.n_columns + 1)])
        shape = (len(cells.segments), grid.n_columns + 1)
        full = by_segment.reindex(index, fill_value=0)
        squared, customers = (full[name].to_numpy(dtype=float).reshape(shape) for name in ("squares", "customers"))
        half = t_value(customers, confidence) * np.sqrt(divide(customers, customers - 1) * squared)
        return half[:, :-1], half[:, -1]

    if design.cohort == "every":
        weights = (simple_weights if simple else pooled_weights)(cells, grid, design, values.total)
        cell_mean = np.nan_to_num(divide(total, base))
        mean = divide(cell_mean.sum(axis=1), n) if simple else divide(total.sum(axis=1), base.sum(axis=1))
        half = spread(weights)[0]
        means = (mean, mean - half, mean + half)
    elif simple:
        cell = [np.where(numbers, each, 0.0) for each in _means(total, squares, base, confidence)]
        mean = divide(cell[0].sum(axis=1), n)
        low, high = (
            mean + side * divide(np.sqrt(((cell[0] - bound) ** 2).sum(axis=1)), n)
            for side, bound in ((-1, cell[1]), (1, cell[2]))
        )
        means = (mean, low, high)
    else:
        means = _means(total.sum(axis=1), squares.sum(axis=1), base.sum(axis=1), confidence)
    last = last_shared_column(cells) if len(cells.segments) > 1 else 0
    if last == 0:
        return Overall(sums, means, 0, none)
    weights, curve = curve_weights(cells, grid, design, last, values.total)
    half = spread(weights)[1]
    return Overall(sums, means, last, (curve, curve - half, curve + half))


def value_summary(
    summary: pd.DataFrame, cells: Cells, overall: Overall, grid: Grid, measure: str, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the overall values to the summary; also return the differences of means between segments."""
    added = summary.assign(sum_value=overall.sums.ravel())
    if measure == "sum":
        return _method_last(added), comparison([], [], [], *(np.zeros(0),) * 4)
    for name, each in zip(_ends("mean_value"), overall.means, strict=True):
        added[name] = each.ravel()
    return _method_last(added), _differences(cells, overall, grid, confidence)


def _method_last(summary: pd.DataFrame) -> pd.DataFrame:
    return summary[[*(name for name in summary if name != "method"), "method"]]


def _differences(cells: Cells, overall: Overall, grid: Grid, confidence: float) -> pd.DataFrame:
    """Every segment against the first, age by age and as curves: two intervals combined (Zou & Donner 2008)."""
    names, n_ages = cells.segments, len(grid.lows) - 1
    ages = [(i, c) for i in range(1, len(names)) for c in range(1, n_ages + 1)]
    kinds: list[Any] = [("age", *pair, overall.means) for pair in ages]
    if overall.last:
        curves = tuple(each[:, np.newaxis] for each in overall.curves)
        kinds += [("curve", i, 0, curves) for i in range(1, len(names))]
    other = tuple(np.array([triple[end][i, c] for _, i, c, triple in kinds]) for end in range(3))
    first = tuple(np.array([triple[end][0, c] for _, _, c, triple in kinds]) for end in range(3))
    difference, low, high = newcombe(other, first)  # type: ignore[arg-type]
    p_value = implied_p_value(difference, low, high, confidence)
    table = comparison(names, [0] * len(kinds), [i for _, i, _, _ in kinds], difference, low, high, p_value)
    table.insert(0, "age", [int(grid.lows[c if kind == "age" else overall.last]) for kind, _, c, _ in kinds])
    table.insert(0, "kind", [kind for kind, *_ in kinds])
    table = table[table["difference"].notna()].reset_index(drop=True)
    return table.assign(p_value_holm=holm(table["p_value"].to_numpy(dtype=float)))
