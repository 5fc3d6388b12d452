"""The funnel of any steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from journeykit.analyses.funnel.counts import Counts, count, key_of
from journeykit.analyses.funnel.plan import make_plan, plan_params
from journeykit.analyses.funnel.result import FunnelResult
from journeykit.analyses.funnel.table import comparison_table, left_out, step_table, summary_table
from journeykit.log.interactions import InteractionLog

DEFINITION = "funnel/1"


def funnel(
    log: InteractionLog,
    steps: Sequence[Any],
    *,
    within: Any = None,
    order: str = "ordered",
    entry: str = "any",
    ties: str = "any",
    exclude: Iterable[Any] = (),
    exclude_effect: str = "remove",
    optional: Iterable[int] = (),
    step_within: Mapping[int, Any] | None = None,
    by: str | None = None,
    by_value: str = "step 1",
    between: tuple[Any, Any] | None = None,
    maturity: str = "mature",
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
    by : str, optional
        A column to split by: each customer belongs to one group, and a missing
        value is a group of its own.
    by_value : str
        Which value of the chosen attempt: that of the event at `"step k"`, with
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
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    FunnelResult
        With `table`, `summary`, `comparison`.

    Raises
    ------
    ParameterError
        If a step is unknown or an option is not possible.

    Notes
    -----
    Intervals of rates: Wilson (1927), eq. 6; of differences: Newcombe (1998),
    method 10. A rate "of the biggest leak" is chosen for being the biggest: its
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
    plan = make_plan(
        log,
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
    )
    counts = Counts(log.tally(count, plan=plan), key_of(log, plan))
    table = step_table(counts, plan)
    return FunnelResult(
        table=table,
        summary=summary_table(table, plan),
        comparison=comparison_table(table, plan),
        left_out=left_out(counts, plan),
        params=plan_params(plan, log, DEFINITION),
        log=log,
        plan=plan,
    )
