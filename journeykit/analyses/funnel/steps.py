"""The funnel of any steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from journeykit.analyses.funnel.counts import count as count_funnel
from journeykit.analyses.funnel.counts import key_of
from journeykit.analyses.funnel.keys import Counts
from journeykit.analyses.funnel.plan import by_unit, make_plan, plan_params
from journeykit.analyses.funnel.result import FunnelResult
from journeykit.analyses.funnel.table import comparison_table, left_out, step_table, summary_table
from journeykit.analyses.funnel.values import value_sums, with_values
from journeykit.log.interactions import InteractionLog

DEFINITION = "funnel/1"


def funnel(
    log: InteractionLog,
    steps: Sequence[Any],
    *,
    within: Any = None,
    order: str = "ordered",
    entry: str = "any",
    count: str = "best",
    unit: str = "customer",
    ties: str = "any",
    exclude: Iterable[Any] = (),
    exclude_effect: str = "remove",
    optional: Iterable[int] = (),
    step_within: Mapping[int, Any] | None = None,
    hold: str | Iterable[str] = (),
    by: str | None = None,
    by_value: str = "step 1",
    between: tuple[Any, Any] | None = None,
    maturity: str = "mature",
    value: str | bool | None = None,
    confidence: float = 0.95,
) -> FunnelResult:
    """Count how far customers come through steps, and how long they take.

    An event that matches step 1 opens an attempt; an event that matches step k
    moves on the attempt that last reached step k − 1, if it is within the window,
    which counts from that attempt's step 1. So the latest step 1 before a step 2
    is the one it belongs to; later steps take the first event after the previous
    one; and one event never fills two steps of an attempt. A customer counts
    once, with the attempt that came furthest, among equals the first to get
    there. Rates and times come from the same matching with the entries ignored
    whose window was not fully observed.

    Parameters
    ----------
    log : InteractionLog
        The log.
    steps : list
        Each a touchpoint, a stage, a collection of touchpoints, or a `jk.Step`.
    within : str or Timedelta, optional
        Longest time from step 1 to any step, inclusive, for example `"14d"`.
        Without it nothing is ever mature, and rates are so far.
    order : {"ordered", "strict", "any"}
        `"ordered"`: other events may lie between. `"strict"`: an event of the
        customer that is not the next step ends an attempt. `"any"`: row k counts
        who filled k steps in any order, by different events inside one window
        that starts at a matching event; the earliest of the fullest windows
        counts, and its row is named for k steps, not for one of them.
    entry : {"any", "first"}
        Whether every step 1 opens an attempt, or only the customer's first
        step 1 in the whole log.
    count : {"best", "attempts"}
        `"best"`: each customer once. `"attempts"`: every attempt, one at a time:
        a step 1 opens the next attempt and ends the one before, but not while
        that is past step 1, has not reached the last required step, and can
        still go on, inside its window (and that of its next required step).
        An event that moves an attempt on opens none. At one instant, with
        `ties="any"`, at most one attempt opens, and if the one before can move
        on there, only if the new one comes as far. `order="any"`: a window ends
        where a matching event fills no further step of it, unless two steps or
        more are filled and not all; that event begins the next window.
    unit : str
        What is counted once in place of a customer: a `"session"` or a
        `"journey"` as `log.sessions()` and `log.journeys()` find them, or the
        values of a column. Other sessions and journeys: `log.rekey("session",
        gap="2h")` in place of the log. Events without a unit are left out.
    ties : {"any", "stored"}
        Events of one customer at one instant: `"any"`, their order is unknown;
        an attempt moves on as far as different ones of them can carry it, in
        ascending steps, and what is tied with a step neither breaks nor spoils.
        `"stored"` trusts the order of the log.
    exclude : list of Exclude
        Events that spoil an attempt between two of its steps, inside its window.
        An event that fills a step of the attempt does not spoil it.
    exclude_effect : {"remove", "drop"}
        A customer whose furthest attempt is spoilt leaves the funnel, unless
        another attempt that is not comes as far; or stays, counted to the last
        step before.
    optional : list of int
        Numbers of steps, from 2, that may be skipped. An event fills the next
        required step if it can, else the first optional one before it that is
        not yet passed. An attempt's furthest step counts, optional or not.
    step_within : mapping of int to str, optional
        Step number → longest time since the required step before it, beside
        `within`.
    hold : str or list of str
        Columns that must be the same at all steps of an attempt: the funnel is
        matched once per value (of several columns, per combination), and the
        best attempt kept (with `count="attempts"`, all). An event without the
        value belongs to no attempt. `order="strict"` and exclusions look at the
        events with that value; `entry="first"` at the first step 1 of all.
    by : str, optional
        A column to split by; a missing value is a group of its own.
    by_value : str
        `"all"`: the funnel is run once per value, on the events with it alone,
        so that a customer can be in several groups; `entry="first"` is then the
        first of each. Otherwise one value of the attempt counts: that of the event at `"step k"`, with
        rates that start at step k; or the `"first"` or `"last"` that is not
        missing among the events that filled its steps. Those two can be known
        only later: a value that first appears at step 2 makes a group in which
        everybody came to step 2.
    between : tuple of (start, end), optional
        Only step 1s in `[start, end)` open attempts; what follows is observed
        further. With `entry="first"`, the customer's first step 1 in the whole
        log must lie inside. Either end may be None.
    maturity : {"mature", "all"}
        Whether rates and times are over mature entries, or over all, those whose
        window is still running included.
    value : str or True, optional
        A column of numbers (True: the log's value) of which the table then says
        how much of it lies on the events that filled each step.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    FunnelResult
        With `table`, `summary`, `comparison`; `attempts()`, `customers(step)`,
        `dropped(step)`, `instead(step)`, `before(step)`, `times()`.

    Raises
    ------
    ParameterError
        If a step is unknown or an option is not possible.

    Notes
    -----
    Intervals of rates: Wilson (1927), eq. 6, with the effective number of a
    ratio (Cochran 1977, ch. 6) where a customer has several attempts or units;
    of differences: Newcombe (1998), method 10, or from each customer's part in
    both where groups share customers. A rate "of the biggest leak" is chosen for being the biggest: its
    interval does not account for the choice.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob", "cyd", "cyd"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-02", "2024-01-02", "2024-01-05"]),
    ...     "touchpoint": ["visit", "order", "visit", "order", "visit"],
    ... }), observed_until="2024-02-01")
    >>> result = jk.funnel(log, ["visit", "order"], within="7d")
    >>> result.table[["step", "customers", "customers_mature", "reach_rate", "dropped"]].round(3)
        step  customers  customers_mature  reach_rate  dropped
    0  visit          3                 3       1.000        2
    1  order          1                 1       0.333        0
    """
    units = by_unit(log, unit)
    plan = make_plan(
        units,
        steps,
        within=within,
        order=order,
        entry=entry,
        ties=ties,
        maturity=maturity,
        between=between,
        by=by,
        by_value=by_value,
        confidence=confidence,
        exclude=exclude,
        exclude_effect=exclude_effect,
        optional=optional,
        step_within=step_within,
        count=count,
        hold=hold,
        value=value,
    )
    counts = Counts(units.tally(count_funnel, plan=plan), key_of(units, plan))
    table = step_table(counts, plan)
    if plan.value is not None:
        table = with_values(table, units.tally(value_sums, plan=plan), plan)
    return FunnelResult(
        table=table,
        summary=summary_table(counts, table, plan),
        comparison=comparison_table(counts, table, plan),
        left_out=left_out(counts, plan, no_unit=without_unit(log, units)),
        params=plan_params(plan, units, DEFINITION) | rows_without_unit(log, units),
        log=log,
        plan=plan,
    )


def without_unit(log: InteractionLog, units: InteractionLog) -> int:
    """Count the customers none of whose events has a unit."""
    return len(log.owners) - len(units.owners)


def rows_without_unit(log: InteractionLog, units: InteractionLog) -> dict[str, int]:
    """Count the events without a unit, for `params`."""
    return {"rows_without_unit": log.n_events - units.n_events}
