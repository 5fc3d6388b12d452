"""Tenures: how long each customer stayed, whether it ended, and since when it was watched, together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.arrays import read_ends, read_numbers
from journeykit.analyses.churn.query import definition_of, described, settle, sign_ups_without_events
from journeykit.analyses.churn.rules import OVERALL, Cancel, Inactivity
from journeykit.analyses.churn.shared import ChurnResult, by_segment, records, rule_sentences, segment
from journeykit.analyses.churn.spans import COVARIATE, KEPT, Query
from journeykit.analyses.churn.tally import left_out_reasons, list_spans
from journeykit.errors import ParameterError
from journeykit.estimators.risk import at_risk_rows
from journeykit.journey.groups import in_order
from journeykit.log.calendar import as_timestamp
from journeykit.results.base import left_out_table, metric_table
from journeykit.schema import MISSING
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog

MOST_CUSTOMERS = 50_000_000
"""One row a customer: beyond this, `survival_curve(log, …)` counts without listing them."""


@dataclass(frozen=True, eq=False, repr=False)
class Tenures(ChurnResult):
    """One row a customer: how long it stayed, since when it was watched, and how it ended.

    Attributes
    ----------
    table : DataFrame
        `customer`; `segment`, with `by`; `started_at`, the first
        day; `enters_days`, the age since which the customer is watched: at
        risk at t means enters < t ≤ duration, so -1 lets an end on day 0
        count; `duration_days`; `event`, whether the tenure ended;
        `end`, how (missing where it did not); `came_back`, whether the
        customer was there again after the end; `comeback_days`, after how
        many days, or for how many days it was looked for (NaN without an end);
        then the covariates.
    summary : DataFrame
        One row a segment, or one: `customers`, `events`, `censored`, `followed_days`
        (the longest duration), `seen_at_start`: customers whose clock may
        start too late, because they are first seen where customers from
        before the log show first (`washout` leaves them out).
    left_out : DataFrame
        `reason`, `customers`.
    params : mapping
        Every option as used, `observed_until`, `definition`.

    Examples
    --------
    >>> remissions = jk.Tenures.from_durations([6, 6, 6, 6, 7], [True, True, True, False, True])
    >>> remissions.table[["duration_days", "event"]].values.tolist()[-1]
    [7, True]
    """

    query: Query | None = None

    @classmethod
    def from_durations(
        cls, durations: Any, events: Any, enters: Any = None, segments: Any = None, *, customers: Any = None
    ) -> Tenures:
        """Take durations that were measured elsewhere.

        Parameters
        ----------
        durations : array of numbers
            How long each customer stayed, or has stayed so far. Days, or any
            unit that is used throughout.
        events : array
            Whether the tenure ended: booleans or 0/1; or the name of its
            end, missing where it did not.
        enters : array, optional
            Age since which each was watched; 0 if not given.
        segments : array, optional
            Segments to compare, known at the start.
        customers : array, optional
            Ids; row numbers if not given.

        Returns
        -------
        Tenures
            Rows that end at or before their entry are left out, and counted.

        Examples
        --------
        >>> jk.Tenures.from_durations([5, 2, 0], ["cancelled", None, "moved"]).left_out["customers"].tolist()
        [1]
        """
        duration = read_numbers(durations, "durations")
        enter = np.broadcast_to(read_numbers(0 if enters is None else enters, "enters"), duration.shape)
        end = read_ends(events, len(duration))
        ids = pd.RangeIndex(len(duration)) if customers is None else pd.Index(customers)
        group = pd.Series([OVERALL] * len(duration) if segments is None else np.asarray(segments), dtype=object)
        group = group.where(group.notna(), MISSING).astype(str)
        for name, each in (("customers", ids), ("segments", group)):
            if len(each) != len(duration):
                raise ParameterError(
                    f"durations and {name} must have the same length, got {len(duration)}, {len(each)}"
                )
        table = pd.DataFrame(
            {
                "customer": ids,
                "group": pd.Categorical(group, in_order(group.unique()), ordered=True),
                "enters_days": enter,
                "duration_days": duration,
                "event": end.notna(),
                "end": end.array,
            }
        )
        kept = at_risk_rows(duration, enter)
        params: dict[str, Any] = {
            "definition": "tenures/1",
            "by": None if segments is None else "segment",
            "observed_until": None,
        }
        params |= {"churn": None, "limit_days": 0, "dated": None}
        return _made(cls, table[kept].reset_index(drop=True), {"churn.no_time_at_risk": int((~kept).sum())}, params)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how many customers stayed how long, those who left apart from those still there; return the axes."""
        from journeykit.plots.churn import plot_tenures

        return plot_tenures(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the same on a figure of its own."""
        from journeykit.plots.churn import tenures_figure

        return tenures_figure(self)

    def customers(self, row: int | str, log: Any = None) -> pd.Index:
        """Return the customer of a row, or all of a segment.

        Parameters
        ----------
        row : int or str
            Position in `table`, or a segment's name.
        log : InteractionLog, optional
            Not needed: tenures know their customers.
        """
        return customers_of(self, row)

    def metrics(self) -> pd.DataFrame:
        """Flat records: customers and events of each segment."""
        found = [
            {
                "name": name,
                "value": row[name],
                "n": row["customers"],
                "unit": "customers",
                "segment": segment(row),
            }
            for row in records(self.summary)
            for name in ("customers", "events")
        ]
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say how many there are, how many left, and what leaving means."""
        totals: dict[str, Any] = {name: int(self.summary[name].sum()) for name in ("customers", "events", "censored")}
        counts = say("churn.tenures_headline", **totals)
        return " ".join([counts, *rule_sentences(self.params, int(self.summary["seen_at_start"].sum()))])

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        return self.table


def tenures(
    log: InteractionLog,
    *,
    churn: Inactivity | Cancel | None = None,
    start: Any = None,
    activity: Any = None,
    dated: str = "known",
    signed_up: Any = None,
    late_entry: bool | None = None,
    washout: Any = None,
    by: str | None = None,
    covariates: Any = None,
    covariate_window: Any = None,
) -> Tenures:
    """Measure how long each customer stayed: one row a customer, at day grain.

    Entry, duration and end come together, so that an event rule and a
    censoring rule can't be mixed. Days are dates in the log's timezone; only
    days that are observed whole count. Cutting the log at any day changes
    nothing that was decided before the cut.

    Parameters
    ----------
    log : InteractionLog
        The interactions.
    churn : Inactivity or Cancel, optional
        What counts as leaving; `jk.Inactivity("90d")` if not given.
    start : str, collection of str or Step, optional
        The event that starts the clock: the customer's first. Any first
        activity if not given; `Cancel` needs it, or `signed_up`.
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
        `Cancel` (default True) that is their first activity in the log.
        Under `Inactivity` of d days (default False: who left before the log
        and came back can't be told from who never left) it is τ₀ + d, for
        those seen between τ₀ and then.
    washout : str or timedelta, optional
        Leave out customers first seen within this time after the log's
        begin: they may have started before. As long as the silence, at least.
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
        by=by,
        covariates=covariates,
        covariate_window=covariate_window,
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
    reasons = left_out_reasons(listed["reason"].to_numpy(), np.ones(len(listed), np.int64))
    rows = listed[listed["reason"].to_numpy() == KEPT]
    ended = rows["ends"].to_numpy() > 0
    table = pd.DataFrame(
        {
            "customer": rows.index.levels[0].take(rows.index.codes[0]),
            "group": _groups(rows.index, log.stages),
            "started_at": rows["start_day"].to_numpy().astype("M8[D]").astype("M8[s]"),
            "enters_days": rows["enters_days"].to_numpy(np.int64),
            "duration_days": rows["duration_days"].to_numpy(np.int64),
            "event": ended,
            "end": pd.Categorical.from_codes(rows["ends"].to_numpy() - 1, categories=pd.Index(query.end_names)),
            "came_back": rows["came_back"].to_numpy() > 0,
            "comeback_days": np.where(ended, rows["back_wait"].to_numpy(), np.nan),
        }
        | {name: _covariate(rows, name) for name in query.covariates},
        copy=False,
    )
    params = described(query) | {
        "observed_until": as_timestamp(log.observed_until, log.timezone),
        "definition": definition_of(query, "tenures"),
    }
    return _made(Tenures, table, reasons, params, rows["seen_at_start"].to_numpy(), log=log, query=query)


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
    labels, codes = index.levels[1], np.asarray(index.codes[1])
    order = in_order([labels[code] for code in np.unique(codes).tolist()], stages)
    place = np.array([order.index(label) if label in order else -1 for label in labels], dtype=np.int32)
    return pd.Categorical.from_codes(place[codes], categories=pd.Index(order), ordered=True)


def _made(
    kind: type[Tenures],
    table: pd.DataFrame,
    reasons: Mapping[str, int],
    params: Mapping[str, Any],
    seen_at_start: Any = None,
    **more: Any,
) -> Tenures:
    group = table["group"]
    groups = group.cat.categories
    codes, event = group.cat.codes.to_numpy(), table["event"].to_numpy()
    old = np.zeros(len(table)) if seen_at_start is None else seen_at_start

    def count(of: Any = None) -> npt.NDArray[np.int64]:
        return np.bincount(codes, weights=of, minlength=len(groups)).astype(np.int64)

    longest = table["duration_days"].groupby(group, observed=False).max().to_numpy()
    columns = {"group": groups, "customers": count(), "events": count(event), "censored": count(~event)}
    summary = pd.DataFrame(columns | {"followed_days": longest, "seen_at_start": count(old)})
    table, summary = by_segment(table, params["by"]), by_segment(summary, params["by"])
    return kind(table, summary, pd.DataFrame(), left_out_table(reasons), params, **more)


def customers_of(found: Tenures, row: int | str) -> pd.Index:
    """Return the ids of one row, or of a whole segment."""
    if isinstance(row, str):
        segments = found.summary["segment"].tolist() if "segment" in found.summary else []
        if row not in segments:
            among = f" or one of the segments {segments}" if segments else ": nothing splits these"
            raise ParameterError(f"row must be a position{among}, got {row!r}")
        chosen = found.table[found.table["segment"] == row]
    elif not 0 <= row < len(found.table):
        raise ParameterError(f"row == {row}, must be from 0 to {len(found.table) - 1}")
    else:
        chosen = found.table.iloc[[row]]
    ids: pd.Index = pd.Index(chosen["customer"])
    return ids
