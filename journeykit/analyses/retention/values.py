"""Values instead of customers: what those who came back brought, as sums, or as means per customer of the cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.retention.cells import Cells
from journeykit.analyses.retention.counting import Floats, as_frame, find_starts, group_customers, mask_of
from journeykit.analyses.retention.design import Design, Grid, Ints, make_grid
from journeykit.errors import ParameterError
from journeykit.estimators.differences import comparison, newcombe
from journeykit.estimators.proportions import clustered_mean, divide
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
    for option, usual in (("mode", "on"), ("base", "cohort"), ("min_events", 1)):
        if getattr(design, option) != usual:
            raise ParameterError(f"measure={measure!r} goes with {option}={usual!r}, got {getattr(design, option)!r}")
    if design.cohort == "every":
        raise ParameterError(f'measure={measure!r} goes with cohort="first" or "first_ever": else values count twice')
    return column


def count_values(log: InteractionLog, *, design: Design, value: str) -> pd.DataFrame:
    """Sums of values of back events by segment, row, cohort and column, from each customer's start event on."""
    grid = make_grid(log, design)
    starts = find_starts(log, design, grid)
    groups, names = group_customers(log, design, starts)
    cells = np.zeros((len(KINDS), len(names) * grid.n_rows * grid.n_columns))
    who, column, amount = _by_customer(log, design, grid, groups, starts.rows, value)
    period = _period(log, grid, np.maximum(starts.rows, 0))
    known = _columns_known(log, design, grid, starts.rows, period)
    place = ((groups[who] * grid.n_rows) + period[who] - grid.first_period) * grid.n_columns + column
    elapsed = column < known[who]
    for kind, weight in enumerate((amount * elapsed, amount**2 * elapsed, amount)):
        cells[kind] = np.bincount(place, weight, minlength=cells.shape[1])
    shape = (len(KINDS), len(names), grid.n_rows, grid.n_columns)
    return as_frame(cells.reshape(shape), names, grid, KINDS)  # type: ignore[arg-type]


def _by_customer(
    log: InteractionLog, design: Design, grid: Grid, groups: NDArray[np.int32], starts: Ints, value: str
) -> tuple[Ints, Ints, Floats]:
    """Customer, column and sum of values, for every column that a customer came back in; column 0 among them."""
    marked = mask_of(log, design.back)
    customers = log.customer_codes
    counted = (groups[customers] >= 0) & (np.arange(log.n_events) >= starts[customers])
    rows = np.flatnonzero(counted & marked) if marked.size else np.flatnonzero(counted)
    who = customers[rows].astype(np.int64)
    if design.length:
        unit = (log.times[rows] - log.times[starts[who]]) // design.length
    else:
        periods = log.positions(grid.edges)
        unit = periods[rows].astype(np.int64) - periods[starts[who]]
    places = np.append(grid.column_of, -1)  # beyond the last column: nowhere
    column = places[np.minimum(unit, len(places) - 1)].astype(np.int64)
    inside = column >= 0
    who, column = who[inside], column[inside]
    amount = np.nan_to_num(log.column(value).to_numpy(dtype=float, na_value=np.nan)[rows[inside]])
    # Events are sorted by customer and time, so the columns of a customer follow one another.
    new = np.flatnonzero(np.append(True, (who[1:] != who[:-1]) | (column[1:] != column[:-1])))[: len(who)]
    return who[new], column[new], np.add.reduceat(amount, new) if len(new) else amount


def _period(log: InteractionLog, grid: Grid, rows: Ints) -> Ints:
    if not log.n_events:
        return np.zeros(len(rows), dtype=np.int64)
    return np.asarray(np.searchsorted(grid.edges, log.times[rows], side="right") - 1)


def _columns_known(log: InteractionLog, design: Design, grid: Grid, rows: Ints, period: Ints) -> Ints:
    """How many columns of each customer have fully elapsed."""
    if design.length:
        units = (log.observed_until - log.times[np.maximum(rows, 0)]) // design.length if log.n_events else period
    else:
        units = np.maximum(0, grid.n_finished - period)
    within = grid.columns_within(grid.highs)
    return np.asarray(within[np.minimum(units, len(within) - 1)], dtype=np.int64)


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
        means = _means(values.total, values.squares, cells.base, confidence)
        parts |= {name: each.ravel() for name, each in zip(_ends("mean_value"), means, strict=True)}
    columns = {name: np.where(unknown, np.nan, part) for name, part in parts.items()}
    columns["so_far_value"] = np.where(table["back_so_far"].isna(), np.nan, values.so_far.ravel())
    place = list(table.columns).index("status")
    return pd.concat([table.iloc[:, :place], pd.DataFrame(columns, index=table.index), table.iloc[:, place:]], axis=1)


def _ends(name: str) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"]


def _means(total: Any, squares: Any, base: Any, confidence: float) -> tuple[Floats, Floats, Floats]:
    return clustered_mean(base, total, base, squares, total, base, confidence=confidence)


def value_summary(
    summary: pd.DataFrame, cells: Cells, values: Values, design: Design, measure: str, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the overall values to the summary; also return the differences of means between segments."""
    numbers = cells.numbers & (cells.base > 0)
    total, squares, base = (np.where(numbers, each, 0) for each in (values.total, values.squares, cells.base))
    if design.mean == "simple":
        n = numbers.sum(axis=1)
        sums = divide(total.sum(axis=1), n)
        cell = [np.where(numbers, each, 0.0) for each in _means(total, squares, base, confidence)]
        mean = divide(cell[0].sum(axis=1), n)
        low, high = (
            mean + side * divide(np.sqrt(((cell[0] - bound) ** 2).sum(axis=1)), n)
            for side, bound in ((-1, cell[1]), (1, cell[2]))
        )
    else:
        sums = np.where(numbers.any(axis=1), total.sum(axis=1), np.nan)
        mean, low, high = _means(total.sum(axis=1), squares.sum(axis=1), base.sum(axis=1), confidence)
    added = summary.assign(sum_value=sums.ravel())
    if measure == "sum":
        return _method_last(added), comparison([], [], [], *(np.zeros(0),) * 4)
    for name, each in zip(_ends("mean_value"), (mean, low, high), strict=True):
        added[name] = each.ravel()
    return _method_last(added), _differences(cells, summary, (mean, low, high), confidence)


def _method_last(summary: pd.DataFrame) -> pd.DataFrame:
    return summary[[*(name for name in summary if name != "method"), "method"]]


def _differences(cells: Cells, summary: pd.DataFrame, means: tuple[Floats, ...], confidence: float) -> pd.DataFrame:
    """Every segment against the first, age by age: the intervals of two means combined (Zou & Donner 2008)."""
    from scipy.special import ndtr, ndtri

    ages, names = summary["age"].unique()[1:], cells.segments
    pairs = [(i, c) for i in range(1, len(names)) for c in range(1, len(ages) + 1)]
    other = tuple(np.array([each[i, c] for i, c in pairs]) for each in means)
    first = tuple(np.array([each[0, c] for _, c in pairs]) for each in means)
    difference, low, high = newcombe(other, first)  # type: ignore[arg-type]
    half = np.where(difference > 0, difference - low, high - difference)
    p_value = 2 * ndtr(-np.abs(divide(difference, half)) * float(ndtri((1 + confidence) / 2)))
    table = comparison(names, [0] * len(pairs), [i for i, _ in pairs], difference, low, high, p_value)
    table.insert(0, "age", [ages[c - 1] for _, c in pairs])
    table.insert(0, "kind", "age")
    return table[table["difference"].notna()].reset_index(drop=True)
