"""The analysis: `retention`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from journeykit.analyses.retention.cells import Cells, make_cells
from journeykit.analyses.retention.counting import REASONS, Floats, count_cells, count_left_out, count_scores
from journeykit.analyses.retention.design import Design, Grid, check_columns, cohort_labels, make_grid
from journeykit.analyses.retention.estimates import (
    Weights,
    comparison_table,
    curve_weights,
    last_shared_column,
    pooled,
    simple,
    simple_weights,
    summary_table,
    tidy_table,
)
from journeykit.analyses.retention.result import RetentionResult
from journeykit.analyses.retention.values import (
    MAIN,
    check_value,
    count_values,
    lay_out,
    overall_values,
    value_summary,
    value_table,
)
from journeykit.errors import ParameterError
from journeykit.journey import Step
from journeykit.journey.groups import require_group
from journeykit.journey.steps import as_step
from journeykit.log import InteractionLog
from journeykit.log.calendar import range_us
from journeykit.results.base import left_out_table
from journeykit.schema import PERIODS, WEEK_STARTS, check_confidence, check_one_of, duration_us

VERSION = "retention/1"
_VARIANTS = {
    "start": "any",
    "back": "any",
    "cohort": "first",
    "mode": "on",
    "horizon": None,
    "windows": "calendar",
    "min_events": 1,
    "measure": "customers",
    "value": None,
    "base": "cohort",
    "mean": "pooled",
    "washout": None,
    "cohorts_by": None,
    "between": None,
    "week_start": "monday",
}
"""Options that decide what a metric's number is, with their usual values."""


def retention(
    log: InteractionLog,
    *,
    start: Any = None,
    back: Any = None,
    period: str = "month",
    cohort: str = "first",
    mode: str = "on",
    horizon: int | None = None,
    columns: Sequence[int] | None = None,
    windows: str = "calendar",
    min_events: int = 1,
    measure: str = "customers",
    value: str | None = None,
    base: str = "cohort",
    mean: str = "pooled",
    washout: object = None,
    by: str | None = None,
    cohorts_by: str | None = None,
    between: tuple[object, object] | None = None,
    week_start: str = "monday",
    confidence: float = 0.95,
) -> RetentionResult:
    """Count, for the customers who started in a period, who came back in each period after it.

    Cell (cohort r, age c) holds the customers of cohort r with a *back* event
    in period r + c; age 0 is the cohort itself, back or not. A cell is
    finished when its period has fully elapsed before `observed_until`: a true
    zero, an unfinished and a future cell are three different things, and only
    finished ones enter the overall row.

    Parameters
    ----------
    log : InteractionLog
        Interactions.
    start, back : str, collection of str or Step, optional
        Events that start a customer, and that count as coming back; any event
        by default.
    period : {"hour", "day", "week", "month", "quarter", "year"}
        Calendar period of the cohorts and columns, in the log's time zone.
    cohort : {"first", "first_ever", "every"}
        `"first"`: the period of the customer's first start event that meets
        its conditions, in the whole log. `"first_ever"`: the customer's first
        event of that name must itself meet them, else the customer is left
        out. `"every"`: every period with a start event, so that a customer can
        stand in several cohorts.
    mode : {"on", "on_or_after"}
        Back in exactly that period, or in it or any later one (up to
        `horizon`; without one such a cell is only ever "so far").
    horizon : int, optional
        Last age; all that have begun by default.
    columns : sequence of int, optional
        Widths of the columns after column 0, in periods: `[1, 7, 30]` gives
        the ages 1, 2 to 8, and 9 to 38. Back in any of them counts.
    windows : {"calendar", "rolling"}
        `"rolling"` runs a clock for each customer from their start event: age
        = whole units elapsed (a month is 30 days, a quarter 90, a year 365).
        The base of a cell is then the customers whose column has elapsed; it
        is unfinished while they are fewer than the cohort.
    min_events : int
        Back events needed in a period for it to count.
    measure : {"customers", "sum", "mean"}
        Besides who came back, what they brought: the sum of `value` over their
        back events in a column, or its mean per customer of the base, back or
        not. Column 0 holds the values of the start's own period, from the
        start event on. With `mode="on_or_after"` a column holds what came in it
        or later, up to the horizon (column 0: all of it); with
        `cohort="every"` a value counts in each cohort of its customer; a
        period short of `min_events` brings nothing. With `base="cohort"`.
    value : str, optional
        For sums and means, a column of numbers: `"value"` by default. Events
        without one add nothing.
    base : {"cohort", "previous"}
        What a rate is over: the cohort, or those back in the previous column
        (a ratio that may exceed 1).
    mean : {"pooled", "simple"}
        Overall row: Σ back / Σ base over finished cells of cohorts that have
        somebody, or the plain mean of those cells' rates.
    washout : str or Timedelta, optional
        Leave out customers first seen within so long after the log's start:
        they may be old ones. Without it the first cohort is marked.
    by : str, optional
        Split by a column (channel, stage, property …) or by
        `"first_touchpoint"` or `"first_channel"`: its value at the customer's
        start event. One table, an overall row and a comparison for all.
    cohorts_by : str, optional
        Rows by such a column instead of time; a cell then pools the finished
        cells of its customers, and `base` says how many they are.
    between : tuple of two dates, optional
        Only customers who start inside `[from, to)`; they are followed on.
    week_start : {"monday", "sunday"}
        First day of a week.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    RetentionResult
        Cells in `.table` and `.matrix(...)`, the overall row in `.summary`.

    Notes
    -----
    Intervals are Wilson's where a customer counts once; the overall row of
    `cohort="every"` uses the effective number of customers, n_eff = p(1 − p)/V
    with V the linearised variance over customers. Ratios to the previous
    column have a customer bootstrap (in that overall row, ± t √V). Differences
    between segments: Newcombe (1998) with Holm's p-values over ages and
    curves; a curve is the mean of the overall rates, or means, over the ages
    that all segments have. Means are ± t √V over customers, and their
    differences combine two such intervals; sums have no interval.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "ann", "bob", "bob", "cid"],
    ...     "time": pd.to_datetime(["2024-01-05", "2024-02-01", "2024-03-09",
    ...                             "2024-01-20", "2024-03-02", "2024-02-10"]),
    ...     "touchpoint": "order",
    ... }), observed_until="2024-03-15")
    >>> jk.retention(log).matrix("back")
    age      0     1     2
    cohort
    2024-01  2     1  <NA>
    2024-02  1  <NA>  <NA>
    2024-03  <NA>  <NA>  <NA>
    """
    check_one_of("period", period, PERIODS)
    check_one_of("cohort", cohort, ("first", "first_ever", "every"))
    check_one_of("mode", mode, ("on", "on_or_after"))
    check_one_of("windows", windows, ("calendar", "rolling"))
    check_one_of("base", base, ("cohort", "previous"))
    check_one_of("mean", mean, ("pooled", "simple"))
    check_one_of("week_start", week_start, WEEK_STARTS)
    check_confidence(confidence)
    _check_count("min_events", min_events)
    if horizon is not None:
        _check_count("horizon", horizon)
        if columns is not None:
            raise ParameterError("horizon and columns both say how far to look: give one of them")
    if windows == "rolling" and cohort == "every":
        raise ParameterError('windows="rolling" runs one clock a customer: cohort must be "first" or "first_ever"')
    require_group(log, by, cohorts_by)
    design = Design(
        start=None if start is None else as_step(start, log),
        back=None if back is None else as_step(back, log),
        period=period,
        cohort=cohort,
        mode=mode,
        horizon=horizon,
        columns=check_columns(columns),
        windows=windows,
        min_events=min_events,
        base=base,
        mean=mean,
        washout=0 if washout is None else duration_us(washout, name="washout"),
        between=range_us(between, log.timezone),
        by=by,
        cohorts_by=cohorts_by,
        week_start=week_start,
    )
    check_one_of("measure", measure, MAIN)
    return finish(log, design, measure, check_value(log, measure, value, design), confidence)


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ParameterError(f"{name} == {value!r}, must be a whole number from 1 on")


def finish(log: InteractionLog, design: Design, measure: str, value: str | None, confidence: float) -> RetentionResult:
    """Count, and make the result, of a design that is checked."""
    grid = make_grid(log, design)
    labels = cohort_labels(log, design, grid)
    tally = log.tally(count_cells, design=design)
    cells = make_cells(tally, design, grid, labels, log.stages)
    if design.mean == "simple":
        squares = _squares(log, design, grid, cells) if design.cohort == "every" else None
        rates = simple(cells, design, confidence, squares)
    else:
        rates = pooled(cells, design, confidence)
    notes = _notes(log, design, grid) if design.cohorts_by is None else [""] * len(cells.rows)
    table = tidy_table(cells, grid, design, notes, confidence)
    summary = summary_table(cells, grid, design, rates)
    if value is None:
        curve = _curve(log, design, grid, cells)
        comparison = comparison_table(cells, grid, design, rates, curve, confidence)
    else:
        values = lay_out(log.tally(count_values, design=design, value=value), cells, design, grid)
        table = value_table(table, cells, values, measure, confidence)
        overall = overall_values(log, cells, values, design, grid, value, measure, confidence)
        summary, comparison = value_summary(summary, cells, overall, grid, measure, confidence)
    return RetentionResult(
        table=table,
        summary=summary,
        comparison=comparison,
        left_out=left_out_table(_left_out(log, design)),
        params=_params(log, design, {"measure": measure, "value": value}, confidence),
        log=log,
        design=design,
    )


def _left_out(log: InteractionLog, design: Design) -> dict[str, int]:
    if design.start is None and design.between == (None, None) and not design.washout:
        return {}  # everybody starts
    counts = log.tally(count_left_out, design=design)["customers"]
    return {reason: int(counts.get(reason, 0)) for reason in REASONS}


def _squares(log: InteractionLog, design: Design, grid: Grid, cells: Cells) -> Floats:
    """Squared scores behind the simple means of `cohort="every"`, by segment and column."""
    return _sum_scores(log, design, cells, simple_weights(cells, grid, design))[:, : grid.n_columns]


def _sum_scores(log: InteractionLog, design: Design, cells: Cells, weights: Weights) -> Floats:
    squares = log.tally(count_scores, design=design, weights=weights).groupby(level=["segment", "age"]).sum()
    table = squares.reset_index().pivot_table(index="segment", columns="age", values="squares")
    return table.reindex(cells.segments).to_numpy(dtype=float)


def _curve(log: InteractionLog, design: Design, grid: Grid, cells: Cells) -> tuple[int, Floats, Floats] | None:
    """Last column, value and squared scores of each segment's whole curve; None if there is nothing to compare."""
    last = last_shared_column(cells) if design.base == "cohort" and len(cells.segments) > 1 else 0
    if last == 0:
        return None
    weights, value = curve_weights(cells, grid, design, last)
    return last, value, _sum_scores(log, design, cells, weights)[:, -1]


def _notes(log: InteractionLog, design: Design, grid: Grid) -> list[str]:
    """What a reader must know of a cohort: who may have been there before, and which is only part of its period."""
    notes = [""] * grid.n_rows
    edges = grid.edges[grid.first_period : grid.first_period + grid.n_rows + 1]
    if grid.starts_from > edges[0]:
        notes[0] = "partial"
    end = design.between[1]
    if end is not None and end < min(edges[-1], log.observed_until):
        notes[-1] = "partial"
    if grid.starts_from == log.start:
        notes[0] = "seen at start"
    return notes


def _params(log: InteractionLog, design: Design, measured: dict[str, Any], confidence: float) -> dict[str, Any]:
    def name(step: Step | None) -> str:
        return "any" if step is None else step.name

    def stamp(instant: int | None) -> Any:
        return None if instant is None else pd.Timestamp(instant, unit="us", tz="UTC").tz_convert(log.timezone)

    asked = {
        "start": name(design.start),
        "back": name(design.back),
        "period": design.period,
        "cohort": design.cohort,
        "mode": design.mode,
        "horizon": design.horizon,
        "columns": None if design.columns is None else list(design.columns),
        "windows": design.windows,
        "min_events": design.min_events,
        **measured,
        "base": design.base,
        "mean": design.mean,
        "washout": pd.Timedelta(design.washout, unit="us") if design.washout else None,
        "by": design.by,
        "cohorts_by": design.cohorts_by,
        "between": None if design.between == (None, None) else tuple(map(stamp, design.between)),
        "week_start": design.week_start,
    }
    # Another variant is another number: its name says so, or two of them would be taken for one.
    variants = [f"{key}={asked[key]}" for key, usual in _VARIANTS.items() if asked[key] != usual]
    return {
        **asked,
        "confidence": confidence,
        "observed_until": log.ends_at,
        "timezone": log.timezone,
        "definition": " ".join([VERSION, *variants]),
    }
