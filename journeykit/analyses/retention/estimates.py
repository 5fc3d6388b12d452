"""From cells to rates with intervals: the table, the overall row, and differences between segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.retention.cells import STATUSES, UNFINISHED, Cells
from journeykit.analyses.retention.counting import Floats
from journeykit.analyses.retention.design import Design, Grid, Ints
from journeykit.estimators.differences import holm, newcombe, two_rate_test
from journeykit.estimators.proportions import (
    SUMS,
    clustered_mean,
    clustered_n,
    divide,
    t_value,
    wilson,
    wilson_rate,
)
from journeykit.estimators.shared import implied_p_value

REPLICATES = 1000
"""Bootstrap replicates behind the interval of a ratio that may exceed 1."""

Triple = tuple[Floats, Floats, Floats]
Weights = dict[tuple[str, str], tuple[Floats, Floats]]


def cell_rates(cells: Cells, design: Design, confidence: float) -> Triple:
    """Rate of each cell with its interval; NaN where the cell is no number (no interval where it is so far)."""
    rate, low, high = _with_interval(cells.back, cells.base, cells.again, design, confidence)
    if design.or_after and design.horizon is None:
        low, high = np.full(rate.shape, np.nan), np.full(rate.shape, np.nan)
    # Column 0 is the cohort itself: all of it, and no estimate.
    for bound in (low, high):
        bound[:, :, 0] = rate[:, :, 0]
    return rate, low, high


def _with_interval(back: Ints, base: Ints, again: Ints, design: Design, confidence: float) -> Triple:
    rate = divide(back, base)
    if design.base == "previous":
        return rate, *ratio_interval(back, base, again, confidence)
    low, high = wilson(back, base, confidence)
    return rate, np.asarray(low), np.asarray(high)


def ratio_interval(back: Ints, base: Ints, again: Ints, confidence: float) -> tuple[Floats, Floats]:
    """Customer bootstrap of back / base, where `again` of them are in both.

    With a Poisson(1) weight for each customer, the weight of the customers who
    are in both, only in the numerator, only in the denominator are independent
    Poisson numbers with these counts as their means. So they are drawn
    directly: the same bootstrap, without a pass over the customers.
    """
    low, high = np.full(back.shape, np.nan), np.full(back.shape, np.nan)
    rng = np.random.default_rng(20070)
    tail = (1 - confidence) / 2
    flat = [part.ravel() for part in (again, back - again, base - again)]
    known = np.flatnonzero(base.ravel() > 0)
    for part in (known[i : i + 2000] for i in range(0, len(known), 2000)):
        both, only_back, only_base = (rng.poisson(each[part], (REPLICATES, len(part))) for each in flat)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = (both + only_back) / (both + only_base)
        # A replicate without a base has no ratio.
        bounds = np.nanquantile(np.where(np.isfinite(ratios), ratios, np.nan), [tail, 1 - tail], axis=0)
        low.ravel()[part], high.ravel()[part] = bounds
    return low, high


def tidy_table(cells: Cells, grid: Grid, design: Design, notes: list[str], confidence: float) -> pd.DataFrame:
    """Lay out one row per segment, cohort and column."""
    n_segments, n_rows, n_columns = cells.base.shape
    rate, low, high = cell_rates(cells, design, confidence)
    unfinished = cells.status == UNFINISHED
    # Of an unfinished calendar cell nobody's column has elapsed; nothing is known of a future one.
    no_number = (unfinished & (cells.base == 0)) | (cells.status == 0)
    columns: dict[str, Any] = {}
    if design.by is not None:
        columns["segment"] = np.repeat(np.array(cells.segments, dtype=object), n_rows * n_columns)
    rows = pd.Index(cells.rows)
    columns["cohort"] = rows.take(np.tile(np.repeat(np.arange(n_rows), n_columns), n_segments))
    columns |= _ages(grid, design, n_segments * n_rows)
    columns |= {
        "customers": np.repeat(cells.customers.ravel(), n_columns),
        "base": cells.base.ravel(),
        "back": _nullable(cells.back, no_number),
        "back_rate": rate.ravel(),
        "back_rate_low": low.ravel(),
        "back_rate_high": high.ravel(),
        "back_so_far": _nullable(cells.so_far, cells.status == 0),
        "status": np.array(STATUSES, dtype=object)[cells.status].ravel(),
        "note": np.tile(np.repeat(np.array(notes, dtype=object), n_columns), n_segments),
    }
    return pd.DataFrame(columns)


def _ages(grid: Grid, design: Design, times: int) -> dict[str, Ints]:
    ages = {"age": np.tile(grid.lows, times)}
    return ages if design.columns is None else ages | {"age_last": np.tile(grid.highs, times)}


def _nullable(counts: Ints, missing: Any) -> Any:
    return pd.arrays.IntegerArray(counts.ravel().astype(np.int64), missing.ravel())


def pooled(cells: Cells, design: Design, confidence: float) -> Triple:
    """Σ back / Σ base over finished cells of rows that have somebody, by segment and column, with its interval."""
    numbers = cells.numbers
    base, back, again = ((each * numbers).sum(axis=1) for each in (cells.base, cells.back, cells.again))
    rate = divide(back, base)
    if design.cohort != "every":
        return _with_interval(back, base, again, design, confidence)
    if design.base == "previous":
        _, low, high = clustered_mean(**dict(zip(SUMS, cells.sums, strict=True)), confidence=confidence)
    else:
        low, high = wilson_rate(rate, clustered_n(*cells.sums), confidence)
    return rate, low, high


def simple(cells: Cells, design: Design, confidence: float, squares: Floats | None) -> Triple:
    """Mean of the finished cells' rates, each cohort counting the same, with its interval.

    Where cohorts share no customer, the cells' intervals are combined (Zou &
    Donner 2008, eq. 5); else `squares` has the squared scores of the customers.
    """
    rate, low, high = cell_rates(cells, design, confidence)
    known = cells.numbers & ~np.isnan(rate)
    n = known.sum(axis=1)

    def total(values: Floats) -> Floats:
        return np.asarray(np.where(known, values, 0.0).sum(axis=1))

    mean = divide(total(rate), n)
    if squares is None:
        below, above = (divide(np.sqrt(total((rate - bound) ** 2)), n) for bound in (low, high))
        return mean, mean - below, mean + above
    customers = cells.sums[0]
    variance = divide(customers, customers - 1) * squares
    if design.base == "previous":
        half = t_value(customers, confidence) * np.sqrt(variance)
        return mean, mean - half, mean + half
    return mean, *wilson_rate(mean, _effective(mean, variance, customers), confidence)


def _effective(rate: Floats, variance: Floats, customers: Ints) -> Floats:
    """n_eff = p(1 − p)/V; the customers themselves where nothing varies."""
    effective = np.where(variance > 0, divide(rate * (1 - rate), variance), customers)
    return np.asarray(np.where(customers > 1, effective, customers), dtype=float)


def summary_table(cells: Cells, grid: Grid, design: Design, rates: Triple) -> pd.DataFrame:
    """Lay out one row per segment and column: the rate over all cohorts, and how many are behind it."""
    numbers = cells.numbers
    n_segments, _, n_columns = cells.base.shape
    columns: dict[str, Any] = {}
    if design.by is not None:
        columns["segment"] = np.repeat(np.array(cells.segments, dtype=object), n_columns)
    columns |= _ages(grid, design, n_segments)
    columns["cohorts"] = numbers.sum(axis=1).ravel()
    for name, counts in (("base", cells.base), ("back", cells.back)):
        columns[name] = (counts * numbers).sum(axis=1).ravel()
    low, high = rates[1].copy(), rates[2].copy()
    low[:, 0], high[:, 0] = rates[0][:, 0], rates[0][:, 0]
    bounds = zip(("", "_low", "_high"), (rates[0], low, high), strict=True)
    columns |= {f"back_rate{end}": values.ravel() for end, values in bounds}
    return pd.DataFrame(columns | {"method": design.mean})


def curve_weights(
    cells: Cells, grid: Grid, design: Design, last: int, counted: Floats | None = None
) -> tuple[Weights, Floats]:
    """Weight and expectation of each cell in a segment's curve, the mean of its overall rates over columns 1 … last.

    Rates are of those back; of `counted`, where it is given.
    """
    back = cells.back if counted is None else counted
    numbers = cells.numbers
    numbers[:, :, 0] = False
    numbers[:, :, last + 1 :] = False
    base = np.where(numbers, cells.base, 0)
    rate = divide(back, cells.base)
    if design.mean == "simple":
        weight = divide(1.0, base * numbers.sum(axis=1, keepdims=True) * last)
        expected = np.where(numbers, rate, 0.0)
    else:
        total = base.sum(axis=1, keepdims=True)
        weight = np.where(numbers, divide(1.0, total * last), 0.0)
        expected = np.broadcast_to(divide((back * numbers).sum(axis=1, keepdims=True), total), base.shape)
    weight, expected = np.nan_to_num(weight), np.nan_to_num(expected)
    value = (weight * np.where(numbers, back, 0)).sum(axis=(1, 2))
    return _by_group(cells, design, grid, weight, expected), value


def simple_weights(cells: Cells, grid: Grid, design: Design, counted: Floats | None = None) -> Weights:
    """Weight and expectation of each cell in the simple mean of its column; of those back, or of `counted`."""
    numbers = cells.numbers & (cells.base > 0)
    weight = np.nan_to_num(divide(1.0, np.where(numbers, cells.base, 0) * numbers.sum(axis=1, keepdims=True)))
    back = cells.back if counted is None else counted
    return _by_group(cells, design, grid, weight, np.nan_to_num(divide(back, cells.base)))


def pooled_weights(cells: Cells, grid: Grid, design: Design, counted: Floats) -> Weights:
    """Weight and expectation of each cell in its column's pooled mean of `counted`."""
    numbers = cells.numbers & (cells.base > 0)
    total = np.where(numbers, cells.base, 0).sum(axis=1, keepdims=True)
    weight = np.where(numbers, np.nan_to_num(divide(1.0, total)), 0.0)
    mean = np.nan_to_num(divide(np.where(numbers, counted, 0).sum(axis=1, keepdims=True), total))
    return _by_group(cells, design, grid, weight, np.broadcast_to(mean, weight.shape))


def _by_group(cells: Cells, design: Design, grid: Grid, weight: Floats, expected: Floats) -> Weights:
    """Key weights as the tally groups customers; a row that is no cohort has the same in all of its cohorts."""
    if design.cohorts_by is None:
        return {(name, ""): (weight[i], expected[i]) for i, name in enumerate(cells.segments)}
    shape = (grid.n_rows, grid.n_columns)
    return {
        (name, row): (np.broadcast_to(weight[i, j], shape), np.broadcast_to(expected[i, j], shape))
        for i, name in enumerate(cells.segments)
        for j, row in enumerate(cells.rows)
    }


def last_shared_column(cells: Cells) -> int:
    """Last column in which every segment with finished cells has some; 0 if there is none."""
    has = (cells.base * cells.numbers).sum(axis=1) > 0
    has = has[has[:, 1:].any(axis=1)] if has.shape[1] > 1 else has[:0]
    shared = np.flatnonzero(has.all(axis=0)) if len(has) else np.zeros(1)
    return int(shared.max(initial=0))


def comparison_table(
    cells: Cells, grid: Grid, design: Design, rates: Triple, curve: tuple[int, Floats, Floats] | None, confidence: float
) -> pd.DataFrame:
    """Lay out each segment against the first: column by column, then the curves as a whole."""
    columns = ["kind", "age", "a", "b", "difference_rate", "difference_rate_low", "difference_rate_high", "p_value"]
    segments = len(cells.segments)
    parts = [
        _differences(cells, grid, "age", i, rates, _numbers(cells, design, rates), confidence)
        for i in range(1, segments)
    ]
    if curve is not None and segments > 1:
        last, value, squares = curve
        customers = (cells.base * cells.numbers)[:, :, 1].sum(axis=1)
        if design.cohort == "every":
            customers = cells.sums[0][:, 1]
        effective = _effective(value, divide(customers, customers - 1) * squares, customers)
        low, high = wilson_rate(value, effective, confidence)
        whole = (value[:, np.newaxis], low[:, np.newaxis], high[:, np.newaxis])
        for i in range(1, segments):
            row = _differences(cells, grid, "curve", i, whole, effective[:, np.newaxis], confidence)
            parts.append(row.assign(age=grid.lows[last]))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    table = table[table["difference_rate"].notna()].reset_index(drop=True)
    table["p_value_holm"] = holm(table["p_value"].to_numpy(dtype=float))
    return table


def _numbers(cells: Cells, design: Design, rates: Triple) -> Floats | None:
    """Effective number behind each pooled rate; None where only its interval is known."""
    if design.base == "previous" or design.mean == "simple":
        return None
    if design.cohort == "every":
        return np.asarray(clustered_n(*cells.sums))
    return np.asarray((cells.base * cells.numbers).sum(axis=1), dtype=float)


def _differences(
    cells: Cells, grid: Grid, kind: str, i: int, rates: Triple, n: Floats | None, confidence: float
) -> pd.DataFrame:
    """Segment i minus the first, in every column after column 0."""
    from_column = 1 if kind == "age" else 0
    first, other = (tuple(each[j, from_column:] for each in rates) for j in (0, i))
    difference, low, high = newcombe(other, first)  # type: ignore[arg-type]
    if n is None:
        p_value = implied_p_value(difference, low, high, confidence)
    else:
        p_value = two_rate_test(other[0], n[i, from_column:], first[0], n[0, from_column:])
    return pd.DataFrame(
        {
            "kind": kind,
            "age": grid.lows[1:] if kind == "age" else 0,
            "a": cells.segments[0],
            "b": cells.segments[i],
            "difference_rate": difference,
            "difference_rate_low": low,
            "difference_rate_high": high,
            "p_value": p_value,
        }
    )
