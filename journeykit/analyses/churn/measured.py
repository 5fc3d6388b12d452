"""Measure tenures: from a log and what is asked of it to a row a customer, a spell, or a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.listing import Tenures, laid_out
from journeykit.analyses.churn.query import definition_of, described, settle, sign_ups_without_events
from journeykit.analyses.churn.question import COVARIATE, KEPT, Query
from journeykit.analyses.churn.rules import Cancel, Contract, Inactivity
from journeykit.analyses.churn.tally import left_out_reasons, list_spans
from journeykit.errors import ParameterError
from journeykit.journey.groups import in_order
from journeykit.log.calendar import as_timestamp

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

MOST_CUSTOMERS = 50_000_000
"""One row a customer: beyond this, `survival_curve(log, …)` counts without listing them."""


def tenures(
    log: InteractionLog,
    *,
    churn: Inactivity | Cancel | Contract | None = None,
    start: Any = None,
    activity: Any = None,
    dated: str = "known",
    signed_up: Any = None,
    late_entry: bool | None = None,
    washout: Any = None,
    between: tuple[Any, Any] | None = None,
    by: str | None = None,
    covariates: Any = None,
    covariate_window: Any = None,
    changing: Any = None,
) -> Tenures:
    """Measure how long each customer stayed: one row a customer, at day grain.

    Under `Cancel` and `Contract` who starts again has another row, a spell;
    and where covariates change a tenure is several rows.

    Entry, duration and end come together, so that an event rule and a
    censoring rule can't be mixed. Days are dates in the log's timezone; only
    days that are observed whole count. Cutting the log at any day changes
    nothing that was decided before the cut.

    Parameters
    ----------
    log : InteractionLog
        The interactions.
    churn : Inactivity, Cancel or Contract, optional
        What counts as leaving; `jk.Inactivity("90d")` if not given.
    start : str, collection of str or Step, optional
        The event that starts the clock: the customer's first. Any first
        activity if not given; `Cancel` and `Contract` need it, or `signed_up`.
    activity : str, collection of str or Step, optional
        What counts as activity; every event if not given. The start counts
        in any case.
    dated : {"known", "last_activity"}
        When a silence of d days ends the tenure: on the day it is known (d
        days after the last activity), or at the last activity. The second
        curve is the first shifted by d days, and watches until d days before
        the end of observation: to date the end at the last activity and
        censor at the end would be wrong.
    signed_up : Series, mapping or str, optional
        The day each customer signed up (customer → date, or a column of the
        log, read at the customer's first event): the clock starts then,
        whatever was done before. Customers of the mapping who never appear in
        the log signed up and did nothing; they count.
    late_entry : bool, optional
        With `signed_up`: whether customers who signed up before the log's
        first full day τ₀ are watched from when they are first seen. Under
        `Cancel` (default True) that is their first activity in the log; under
        `Contract` (default True) the first renewal, and the terms after it.
        Under `Inactivity` of d days (default False: who left before the log
        and came back can't be told from who never left) it is τ₀ + d, for
        those seen between τ₀ and then.
    washout : str or timedelta, optional
        Leave out customers first seen within this time after the log's
        begin: they may have started before. As long as the silence, at least.
    between : tuple of two dates, optional
        Only tenures that start on the first date or later, and before the
        second (None leaves a side open); observation runs on to the end of
        the log. A customer's start is the first in the whole log, not in the
        range (under `Cancel` and `Contract`, that of each spell): others are
        left out, and counted.
    by : str, optional
        Column that splits customers, read where it is known at the start: on
        the start event (or the first activity); with `signed_up`, on the
        first event of that day, or when the customer is first seen if it
        enters late. Missing is a segment of its own. What is known later (of
        `log.with_segment`, or `with_customers(known_at=…)`) is late entry: the
        customer is watched from that day on, and under `Inactivity` from d
        days later if an activity of their own made it known, since nobody can
        be seen to leave in between. Who left before is left out, and counted.
    covariates : str, Step, collection of them or mapping, optional
        What to know of each customer: columns, read as `by` is; and events,
        counted in `covariate_window`. A mapping gives them names. Values
        without times are refused, since they may have been read after the
        start, and so is behaviour without a window.
    covariate_window : str or timedelta, optional
        How long from the start on events are counted, in whole days, that
        many days after it included; nothing later is read. Customers are
        watched from its end on; who left before is left out, and counted.
    changing : str, Step, collection of them or mapping, optional
        What changes while customers stay, so that each tenure is cut into
        rows with one value each: events, counted since the start, and columns,
        with their last value so far. A mapping gives names, and ways: `("count",
        event)`, `("ever", event)` (0, and 1 once it happened), `("last",
        column)`. What happens on a day is in force from the day after, so that
        no end can be told by what came with it; under `Inactivity`, whose ends
        are known d days late, d days later still: until then an activity rules
        out that the customer left.

    Returns
    -------
    Tenures
        Who is in the table, and in `left_out` who is not, and why.

    Raises
    ------
    ParameterError
        If a duration is no whole number of days, or options contradict.

    Notes
    -----
    With active days a₁ < a₂ < … from the start t₀ on, and τ the last full
    day, k* is the first k with aₖ₊₁ − aₖ > d (the last gap is infinite) and
    aₖ + d ≤ τ. If there is one, the tenure ends on day aₖ* + d; else it is
    censored on day τ.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob", "cleo"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-05", "2024-03-01"]),
    ...     "touchpoint": "visit",
    ... }), observed_until="2024-03-11")
    >>> jk.tenures(log, churn=jk.Inactivity("30d")).table[["customer", "duration_days", "event"]]
      customer  duration_days  event
    0      ann             49   True
    1      bob             30   True
    2     cleo              9  False
    """
    query = settle(
        log,
        churn=churn,
        start=start,
        activity=activity,
        dated=dated,
        signed_up=signed_up,
        late_entry=late_entry,
        washout=washout,
        between=between,
        by=by,
        covariates=covariates,
        covariate_window=covariate_window,
        changing=changing,
    )
    return tenures_of(log, query)


def tenures_of(log: Any, query: Query) -> Tenures:
    """Measure what a settled query asks."""
    if log.n_customers > MOST_CUSTOMERS:
        raise ParameterError(
            f"{log.n_customers:,} customers are too many to list, at most {MOST_CUSTOMERS:,}: "
            "jk.survival_curve(log, …) counts them without"
        )
    listed = log.tally(list_spans, query=query)
    absent = sign_ups_without_events(log, query, listed)
    listed = pd.concat([listed, absent]) if len(absent) else listed
    reason = listed["reason"].to_numpy()
    kept = reason == KEPT
    out = reason[~kept]
    reasons = left_out_reasons(out, np.ones(len(out), np.int64))
    rows = listed[kept] if len(out) else listed
    ends = rows["ends"].to_numpy()
    ended = ends > 0
    last = rows["last"].to_numpy() > 0 if "last" in rows else None
    started = rows["start_day"].to_numpy().astype(np.int64)
    started *= 86_400
    columns: dict[str, Any] = {"customer": _level(rows.index, "customer")}
    if query.by is not None:
        columns["segment"] = _groups(rows.index, log.stages)
    if query.spells:
        columns["spell"] = _level(rows.index, "spell").to_numpy(np.int64)
    columns |= {
        "started_at": started.view("M8[s]"),
        f"enters_{query.unit}": rows["enters_days"].to_numpy(np.int64),
        f"duration_{query.unit}": rows["duration_days"].to_numpy(np.int64),
        "event": ended,
        "end": pd.Categorical.from_codes(ends - 1, categories=pd.Index(query.end_names)),
    }
    if query.back_is_seen:
        columns["came_back"] = rows["came_back"].to_numpy() > 0
        columns["comeback_days"] = np.where(ended, rows["back_wait"].to_numpy(), np.nan)
    columns |= {name: _covariate(rows, name) for name in (*query.covariates, *query.changing)}
    params = described(query) | {
        "observed_until": as_timestamp(log.observed_until, log.timezone),
        "definition": definition_of(query, "tenures"),
    }
    table = pd.DataFrame(columns, copy=False)
    return laid_out(Tenures, table, reasons, params, rows["seen_at_start"].to_numpy(), last=last, log=log, query=query)


def _level(index: pd.MultiIndex, name: str) -> pd.Index:
    """Take a level of an index, as it is."""
    place = index.names.index(name)
    level: pd.Index = index.levels[place].take(index.codes[place])
    return level


def _covariate(rows: pd.DataFrame, name: str) -> Any:
    """Take a covariate out of a tally: a count of events, a number or a name."""
    key = f"{COVARIATE}{name}"
    if key in rows:
        return rows[key].to_numpy()
    values = rows.index.get_level_values(key)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy()
    return pd.Categorical(values, in_order(values.unique()))


def _groups(index: pd.MultiIndex, stages: tuple[str, ...]) -> pd.Categorical[Any]:
    """Take the groups off the index, as an ordered categorical of those that occur."""
    place = index.names.index("group")
    labels, codes = index.levels[place], np.asarray(index.codes[place])
    order = in_order([labels[code] for code in np.unique(codes).tolist()], stages)
    ranks = np.array([order.index(label) if label in order else -1 for label in labels], dtype=np.int32)
    return pd.Categorical.from_codes(ranks[codes], categories=pd.Index(order), ordered=True)
