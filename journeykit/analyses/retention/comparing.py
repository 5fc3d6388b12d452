"""Retention beside retention: the overall row's estimates, and what each customer adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.retention.brought import bring, columns_known, counted_columns, customer_breaks, entries_of
from journeykit.analyses.retention.counting import Floats, find_starts, group_customers
from journeykit.analyses.retention.design import Design, Grid, make_grid
from journeykit.analyses.retention.who import columns_back
from journeykit.estimators.proportions import divide, t_value, wilson_rate
from journeykit.estimators.shared import deviations, ratio_scores
from journeykit.log import InteractionLog
from journeykit.results.comparable import ESTIMATE, Comparable, by_owner, rows_of, stack_rows

if TYPE_CHECKING:
    from journeykit.analyses.retention.result import RetentionResult

CURVE = {"back_rate": "curve_rate", "mean_value": "curve_value"}
"""What the mean of an overall row over its ages is called."""


@dataclass(frozen=True)
class Asked:
    """What the parts of customers are made of; it pickles.

    Attributes
    ----------
    finished : dict
        By segment: which cells (rows × columns) enter the overall row.
    rows : list of str or None
        The rows' names, where they are no cohorts.
    columns : tuple of int
        The columns asked for.
    value : str or None
        The column whose values are summed; None counts who came back.
    """

    design: Design
    finished: dict[str, Any]
    rows: list[str] | None
    columns: tuple[int, ...]
    value: str | None


def comparable(result: RetentionResult, other: RetentionResult) -> Comparable:
    """Lay out the overall rates (or means) by age, and their mean over the ages that both results have."""
    theirs = set(other.summary.loc[other.summary["cohorts"] > 0, "age"])
    summary = result.summary[(result.summary["age"] > 0) & (result.summary["cohorts"] > 0)]
    summary = summary[summary["age"].isin(theirs)]
    keys = ["segment", "age"] if "segment" in summary else ["age"]
    rows = rows_of(summary, keys, [result.main], "base")
    if result.params["cohort"] == "every" or result.params["mean"] == "simple" or result.params["base"] == "previous":
        rows["n"] = np.nan  # customers repeat, or the rate is no share of one base: its interval says how sure it is
    look = None if result.log is None or result.design is None else Lookup(result, rows)
    if result.main == "sum_value":
        look = None
    curves = _curves(result, rows, keys, look)
    rows = stack_rows([rows, curves])
    return Comparable(
        rows,
        tuple(keys),
        None if look is None else look.scores,
        None if look is None or result.params["mean"] == "simple" or result.main != "back_rate" else look.parts,
        None if look is None else look.customers,
        main=len(rows) - len(curves) if len(curves) else 0,
    )


def _curves(result: RetentionResult, rows: pd.DataFrame, keys: list[str], look: Lookup | None) -> pd.DataFrame:
    """The mean over ages 1 to the last that both have, a row a segment; it needs the log for its interval."""
    if look is None or result.params["base"] == "previous" or result.main not in CURVE:
        return pd.DataFrame()
    shared = rows[rows["estimate"].notna()]
    found: list[dict[str, Any]] = []
    for segment, ages in shared.groupby(shared["segment"] if "segment" in keys else np.zeros(len(shared)), sort=False):
        if len(ages) < 2:
            continue
        look.curve_of[len(rows) + len(found)] = tuple(ages.index)
        value = float(ages["estimate"].mean())
        scores = look.scores([len(rows) + len(found)]).iloc[:, 0].to_numpy()
        customers = int((~np.isnan(scores)).sum())
        variance = float(np.nansum(scores**2)) * (customers / (customers - 1) if customers > 1 else np.nan)
        low, high, n = _interval(result, value, variance, customers)
        name = {"segment": segment} if "segment" in keys else {}
        estimates = dict(zip(ESTIMATE, (value, low, high, n), strict=True))
        found.append({**name, "age": int(ages["age"].max()), "measure": CURVE[result.main], **estimates})
    return pd.DataFrame(found)


def _interval(result: RetentionResult, value: float, variance: float, customers: int) -> tuple[float, float, float]:
    confidence = result.params["confidence"]
    if result.main == "back_rate":
        # What rounding leaves of no spread must not become a tiny interval.
        n = float(divide(value * (1 - value), variance)) if variance > 1e-20 else float(customers)
        return *wilson_rate(value, n, confidence), n
    half = float(t_value(customers, confidence)) * variance**0.5
    return value - half, value + half, float("nan")


class Lookup:
    """The customers behind the rows of a result, looked up in its log.

    Parameters
    ----------
    result : RetentionResult
        With its log.
    rows : DataFrame
        `segment` where it is split, `age`.
    """

    def __init__(self, result: RetentionResult, rows: pd.DataFrame) -> None:
        self._result, self._log = result, result.log
        assert result.design is not None
        self._design: Design = result.design
        self._grid = make_grid(self._log, self._design)
        self._segments = list(rows["segment"]) if "segment" in rows else [""] * len(rows)
        self._columns = np.searchsorted(self._grid.lows, rows["age"].to_numpy()).tolist()
        self._estimates = rows["estimate"].to_numpy(dtype=float)
        self.curve_of: dict[int, tuple[int, ...]] = {}

    def customers(self) -> pd.Index:
        """Ids of all who are in the base of a finished cell."""
        first = min(self._columns, default=0)
        found = self._cells((first,))
        units = found.index.get_level_values("customer").unique()
        return by_owner(self._log, pd.DataFrame(index=units)).index

    def parts(self, rows: Sequence[int]) -> pd.DataFrame:
        """Each customer's x and n in rows of one column."""
        plain = [row for row in rows if row not in self.curve_of]
        if not plain:
            return pd.DataFrame(index=pd.Index([], name="customer"))
        cells = self._cells(tuple(sorted({self._columns[row] for row in plain})))
        ids = pd.Index(cells.index.get_level_values("customer").unique(), name="customer")
        found: dict[Any, Any] = {}
        for row in plain:
            own = self._of_row(cells, row).groupby(level="customer")[["x", "n"]].sum().reindex(ids, fill_value=0)
            found |= {(row, "x"): own["x"].to_numpy(), (row, "n"): own["n"].to_numpy()}
        return by_owner(self._log, pd.DataFrame(found, index=ids))

    def scores(self, rows: Sequence[int]) -> pd.DataFrame:
        """Each customer's score in rows of one column, or in their mean."""
        wanted = [(row, self.curve_of.get(row, (row,))) for row in rows]
        columns = tuple(sorted({self._columns[one] for _, several in wanted for one in several}))
        cells = self._cells(columns)
        ids = pd.Index(cells.index.get_level_values("customer").unique(), name="customer")
        found = {}
        for row, several in wanted:
            total = np.full(len(ids), np.nan)
            for one in several:
                own = self._row_scores(self._of_row(cells, one)).reindex(ids).to_numpy()
                total = np.where(np.isnan(own), total, np.nan_to_num(total) + own / len(several))
            found[row] = total
        return by_owner(self._log, pd.DataFrame(found, index=ids))

    def _of_row(self, cells: pd.DataFrame, row: int) -> pd.DataFrame:
        ages: Any = cells.index.get_level_values("age")
        inside = np.asarray(ages == self._columns[row])
        if self._design.by is not None:
            segments: Any = cells.index.get_level_values("segment")
            inside &= np.asarray(segments == self._segments[row])
        chosen: pd.DataFrame = cells[inside]
        return chosen

    def _row_scores(self, cells: pd.DataFrame) -> pd.Series:
        """Scores of a pooled rate, or of the plain mean of its cells' rates."""
        if self._result.params["mean"] == "pooled":
            own = cells.groupby(level="customer")[["x", "n"]].sum()
            return pd.Series(ratio_scores(own["x"], own["n"]), index=own.index)
        sums = cells.groupby(level="cell")[["x", "n"]].transform("sum")
        known = cells["n"].groupby(level="cell").sum() > 0
        rate = divide(sums["x"], sums["n"])
        scores = divide(deviations(cells["x"], rate * cells["n"]), sums["n"]) / int(known.sum())
        return pd.Series(scores, index=cells.index).groupby(level="customer").sum(min_count=1)

    def _cells(self, columns: tuple[int, ...]) -> pd.DataFrame:
        value = self._result.params["value"] if self._result.main == "mean_value" else None
        finished = finished_cells(self._result, self._grid)
        asked = Asked(self._design, finished, row_names(self._result, self._grid), columns, value)
        cells: pd.DataFrame = self._log.tally(customer_cells, asked=asked)
        return cells


def finished_cells(result: RetentionResult, grid: Grid) -> dict[str, Any]:
    """By segment: which cells enter the overall row, as an array of rows × columns."""
    table = result.table
    numbers = (table["status"] == "finished") & (table["customers"] > 0)
    names = table["segment"] if "segment" in table else pd.Series("", index=table.index)
    parts = numbers.groupby(names, sort=False)
    return {str(segment): part.to_numpy().reshape(-1, grid.n_columns) for segment, part in parts}


def row_names(result: RetentionResult, grid: Grid) -> list[str] | None:
    """Names of the rows, where they are no cohorts."""
    if result.params["cohorts_by"] is None:
        return None
    return list(map(str, result.table["cohort"].iloc[:: grid.n_columns].unique()))


def customer_cells(log: InteractionLog, *, asked: Asked) -> pd.DataFrame:
    """Tally: x and n by customer, segment, cell (cohort or row) and column, for the columns asked for."""
    design, grid = asked.design, make_grid(log, asked.design)
    groups, names = group_customers(log, design, find_starts(log, design, grid))
    entries = entries_of(log, design, grid, groups)
    counted = counted_columns(design, grid, columns_known(log, design, grid, entries))
    back = _came_back(log, design, grid, entries)
    amount = None if asked.value is None else _brought(log, design, grid, entries, asked.value)
    group = groups[entries["customer"]].astype(np.int64)
    segment = np.array([name[0] for name in names], dtype=object)[group]
    cell = (entries["period"] - grid.first_period).to_numpy(dtype=np.int64)
    if asked.rows is not None:
        place = {name: row for row, name in enumerate(asked.rows)}
        cell = np.array([place.get(name[1], 0) for name in names])[group]
    nothing = np.zeros((int(cell.max(initial=0)) + 1, grid.n_columns), dtype=bool)
    finished = np.zeros(counted.shape, dtype=bool)
    for name in {name[0] for name in names}:
        inside = segment == name
        finished[inside] = asked.finished.get(name, nothing)[cell[inside]]
    segments = list(dict.fromkeys(name[0] for name in names))
    of = np.array([segments.index(name[0]) for name in names])[group]
    who = entries["customer"].to_numpy()
    codes: Any = [[], [], [], []]
    x_parts, n_parts = [], []
    for column in asked.columns:
        elapsed = counted[:, column] & finished[:, column]
        n = elapsed & back[:, column - 1] if design.base == "previous" and column > 1 else elapsed
        x = (elapsed & back[:, column]).astype(np.int64) if amount is None else amount[:, column] * elapsed
        there = np.flatnonzero(n | (x != 0))
        for level, own in enumerate((who[there], of[there], cell[there], np.full(len(there), column))):
            codes[level].append(own)
        x_parts.append(x[there])
        n_parts.append(n[there].astype(np.int64))
    levels: list[Any] = [log.customers, segments, range(len(nothing)), range(grid.n_columns)]
    joined: Any = [np.concatenate(several).astype(np.int64) for several in codes]
    # A customer with several starts can have several rows under one key: whoever reads them adds them up.
    index = pd.MultiIndex(levels=levels, codes=joined, names=["customer", "segment", "cell", "age"])
    return pd.DataFrame({"x": np.concatenate(x_parts), "n": np.concatenate(n_parts)}, index=index)


def _came_back(log: InteractionLog, design: Design, grid: Grid, entries: pd.DataFrame) -> Any:
    """Mark for each entry the columns in which its customer came back (on or after: up to the last of them)."""
    found = columns_back(log, design, grid, entries.assign(entry=np.arange(len(entries))))
    back = np.zeros((len(entries), grid.n_columns), dtype=bool)
    back[:, 0] = True
    back[found["entry"], found["column"]] = True
    return np.logical_or.accumulate(back[:, ::-1], axis=1)[:, ::-1] if design.or_after else back


def _brought(log: InteractionLog, design: Design, grid: Grid, entries: pd.DataFrame, value: str) -> Floats:
    """Sum of values of each entry in each column."""
    found = bring(log, design, grid, entries, value)
    breaks = customer_breaks(entries)
    parts = [each for _, each in found.laid_out(len(entries), grid.n_columns, design.or_after, breaks)]
    return np.concatenate(parts) if parts else np.zeros((0, grid.n_columns))
