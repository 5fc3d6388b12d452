"""The analysis `lifecycle`: who is new, returning, resurrecting and dormant in each period."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.lifecycle.activity import (
    Activity,
    Ints,
    Seen,
    left_out,
    read_activity,
    see,
    segment_column,
    span_words,
    unstack,
)
from journeykit.analyses.lifecycle.base import ActivityResult, listed, segments_of
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.differences import rate_differences
from journeykit.estimators.proportions import SUMS, clustered_n, with_rate
from journeykit.journey.groups import require_group
from journeykit.log import InteractionLog
from journeykit.loops import over_customers
from journeykit.results.base import Result, left_out_table, metric_table
from journeykit.schema import check_one_of
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable

STATES = ("new", "returning", "resurrecting", "dormant")


@dataclass(frozen=True, eq=False, repr=False)
class LifecycleResult(ActivityResult):
    """Customers by state in each period.

    Attributes
    ----------
    table : DataFrame
        One row per period (and `segment`, with `by`), also where nobody is
        active: `period`; `active` = `new` + `returning` + `resurrecting`;
        `dormant` (missing while the period is unfinished: they may still
        come); `change` (new + resurrecting − dormant: the change of `active`);
        `base` (active in the previous period), `returning_rate` = returning /
        base with `returning_rate_low` and `returning_rate_high` (NaN while
        unfinished); `status` ("finished", "unfinished"); `note` ("partial":
        the log begins inside the period; "seen at start": it begins with it,
        and without a creation date who is new then may be an old customer).
    summary : DataFrame
        One row (a segment) over finished periods: `periods`, `mean_active`
        (customers a period), `new`, `resurrecting`, `dormant` (sums, from the
        second period on), `base` (customer-periods followed by a finished
        one), `returning`, `returning_rate` with its interval.
    comparison : DataFrame
        Every segment `b` against the first, `a`: the difference of the
        summary's returning rates with its interval and p-values.
    """

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw returning, resurrecting and new customers above zero, dormant ones below; return the axes."""
        from journeykit.plots.lifecycle import plot_flow

        return plot_flow(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the flow; one picture a segment."""
        from journeykit.plots.lifecycle import flow_figure

        return flow_figure(self)

    def customers(self, period: Any, state: str = "new", *, segment: str | None = None, log: Any = None) -> pd.Index:
        """List the customers who are in a state in a period.

        Parameters
        ----------
        period : str, Period or Timestamp
            A period of the table, for example `"2024-03"`.
        state : {"new", "returning", "resurrecting", "dormant"}
            Which state.
        segment : str, optional
            Only this segment.
        log : InteractionLog, optional
            The log, where the result was stored without it.
        """
        check_one_of("state", state, STATES)
        asked = {"state": STATES.index(state), "created": self.params["created"], "new": self.params["new"]}
        return self._list(_who, segment=segment, log=log, period=period, **asked)

    def describe(self) -> str:
        """Say what the last finished period was made of, and how many return on the whole."""
        rows = self.table[(self.table["status"] == "finished")]
        if rows.empty:
            return say("lifecycle.none_finished")
        sentences = []
        last = rows.drop_duplicates("segment", keep="last") if "segment" in rows else rows.tail(1)
        for record in last.to_dict("records")[:4]:
            said = say("lifecycle.flow", **{str(key): value for key, value in record.items()})
            sentences.append(say("core.list_name", name=record["segment"], text=said) if "segment" in record else said)
        if "segment" not in rows and self.summary["base"].iloc[0] > 0:
            values = {str(key): value for key, value in self.summary.iloc[0].items()}
            span = span_words(self.params["period"], values["periods"])
            sentences.append(say("lifecycle.overall", **values, span=span))
        return " ".join(sentences)

    def metrics(self) -> pd.DataFrame:
        """States of the last finished period, and the returning rate over all, by segment."""
        records: list[dict[str, Any]] = []
        for _, rows in self.table[self.table["status"] == "finished"].groupby(segments_of(self.table), sort=False):
            latest = rows.iloc[-1]
            where = {"segment": latest.get("segment", ""), "period": str(latest["period"])}
            for name in ("active", *STATES):
                number = {
                    "name": f"{name}_customers",
                    "value": latest[name],
                    "n": latest["active"],
                    "unit": "customers",
                }
                records.append({**number, **where})
        for row in self.summary.to_dict("records"):
            ends = {
                end or "value": row[f"returning_rate_{end}" if end else "returning_rate"] for end in ("", "low", "high")
            }
            where = {"segment": row.get("segment", ""), "unit": "rate", "n": row["base"]}
            records.append({"name": f"returning_{self.params['period']}_rate", **ends, **where})
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        first = ["segment"] if "segment" in self.table else []
        bounds = ["returning_rate", "returning_rate_low", "returning_rate_high"]
        return self.table[[*first, "period", "active", *STATES, *bounds, "status"]]

    # -- beside another: `compare` -------------------------------------------------------------

    def comparable(self, other: Result) -> Comparable:
        """Lay out the returning rate of all finished periods together, and of those that both have."""
        from journeykit.analyses.lifecycle.comparing import of_flow

        return of_flow(self, other)

    def split_by(self, by: str | None, log: Any = None) -> LifecycleResult:
        """Ask the same again of the same log, split by another column (None: not split)."""
        source, params = self._log(log), self.params
        require_group(source, by)
        asked = replace(self._asked(), by=by)
        return _finish(source, asked, params["created"], params["new"], params["confidence"])


def lifecycle(
    log: InteractionLog,
    *,
    of: Any = None,
    period: str = "month",
    created: str | None = None,
    new: str = "active",
    by: str | None = None,
    week_start: str = "monday",
    confidence: float = 0.95,
) -> LifecycleResult:
    """Sort each period's customers into new, returning and resurrecting ones, and count the dormant.

    New: active for the first time in the log. Returning: active in the
    previous period too. Resurrecting: active, but neither. Dormant: active in
    the previous period and not in this one (counted once). So active = new +
    returning + resurrecting in every period.

    Parameters
    ----------
    log : InteractionLog
        Interactions.
    of : str, collection of str or Step, optional
        Which events are activity; any by default.
    period : {"hour", "day", "week", "month", "quarter", "year"}
        Calendar period, in the log's time zone.
    created : str, optional
        A column with the date on which the customer was created (its value at
        their first activity). Whoever was created before the log began is
        resurrecting, not new, when first seen.
    new : {"active", "created"}
        `"created"`: new are those active in the period in which they were
        created; whoever is first active later is resurrecting. An inactive
        customer is never new. Where the date is missing, first active counts.
    by : str, optional
        Split by a column: its value at the customer's first activity.
    week_start : {"monday", "sunday"}
        First day of a week.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    LifecycleResult
        Counts by period in `.table`.

    Notes
    -----
    A period's returning rate has Wilson's interval; the one over all periods,
    where a customer counts in several, Wilson's with the effective number of
    customers.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "ann", "bob", "cid"],
    ...     "time": pd.to_datetime(["2024-01-05", "2024-02-01", "2024-04-09", "2024-01-20", "2024-02-10"]),
    ...     "touchpoint": "order",
    ... }), observed_until="2024-05-01")
    >>> jk.lifecycle(log).table[["period", "active", "new", "returning", "resurrecting", "dormant"]]
        period  active  new  returning  resurrecting  dormant
    0  2024-01       2    2          0             0        0
    1  2024-02       2    1          1             0        1
    2  2024-03       0    0          0             0        2
    3  2024-04       1    0          0             1        0
    """
    activity = read_activity(log, of, period, by, week_start, confidence)
    check_one_of("new", new, ("active", "created"))
    if new == "created" and created is None:
        raise ParameterError('new="created" needs the column with the date: created="…"')
    if created is not None:
        log.require(created)
    return _finish(log, activity, created, new, confidence)


def _finish(
    log: InteractionLog, activity: Activity, created: str | None, new: str, confidence: float
) -> LifecycleResult:
    tally = log.tally(_count, activity=activity, created=created, new=new)
    places = len(activity.edges(log)) - 1
    names, counts = unstack(tally, activity, places + 1, log.stages)
    sums = tally_sums(counts, places)
    table = _table(log, activity, names, counts[: len(STATES), :, :places], created, confidence)
    summary = _summary(table, activity, names, sums, confidence)
    return LifecycleResult(
        table=table,
        summary=summary,
        comparison=_comparison(summary, sums),
        left_out=left_out_table(left_out(log, activity)),
        params={
            **activity.params(log),
            "created": created,
            "new": new,
            "confidence": confidence,
            "definition": activity.definition("lifecycle/1", created=created, new=new if new != "active" else None),
        },
        log=log,
        activity=activity,
    )


def _count(log: InteractionLog, *, activity: Activity, created: str | None, new: str) -> pd.DataFrame:
    """States by segment and period; the last place holds the sums behind the pooled rate, in further columns."""
    from journeykit.loops.lifecycle import count_flow

    seen = see(log, activity)
    edges = activity.edges(log)
    places = len(edges) - 1
    born = created_in(log, seen, edges, created, new)

    def run(first: int, last: int) -> tuple[Ints, Ints]:
        states = np.zeros((len(STATES), len(seen.names), places), dtype=np.int64)
        sums = np.zeros((len(seen.names), len(SUMS)), dtype=np.int64)
        count_flow(
            *(seen.periods, log.offsets, seen.marked, seen.groups, born, new == "created", activity.finished(log)),
            *(*states, sums, first, last),
        )
        return states, sums

    parts = over_customers(run, log.offsets)
    states, sums = (sum(part[1:], part[0]) for part in zip(*parts, strict=True))
    together = np.zeros((len(STATES) + len(SUMS), len(seen.names), places + 1), dtype=np.int64)
    together[: len(STATES), :, :places] = states
    together[len(STATES) :, :, places] = sums.T
    return seen.rows(*together)


def tally_sums(counts: Ints, places: int) -> dict[str, Ints]:
    """Sums over customers behind the pooled rate of each segment."""
    return dict(zip(SUMS, counts[len(STATES) :, :, places], strict=True))


def created_in(log: InteractionLog, seen: Seen, edges: Ints, created: str | None, new: str) -> NDArray[np.int32]:
    """Period in which each customer was created; -1 before the log; where unknown, that of the first activity."""
    first_active = seen.periods[np.maximum(seen.first_rows, 0)] if log.n_events else np.zeros(0, np.int32)
    if created is None:
        return np.ascontiguousarray(first_active, dtype=np.int32)
    values = log.column(created).iloc[np.maximum(seen.first_rows, 0)]
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(values.astype(object) if values.dtype == "category" else values))
    except (ValueError, TypeError) as error:
        raise LogError(f"{created!r} must hold dates, for example {values.iloc[0]!r}") from error
    if stamps.tz is None:
        stamps = stamps.tz_localize(log.timezone, ambiguous=np.ones(len(stamps), bool), nonexistent="shift_forward")
    instants = stamps.tz_convert("UTC").as_unit("us").asi8
    born = np.searchsorted(edges, instants, side="right") - 1
    if new == "active":
        born[instants < log.start] = -1
    return np.where(stamps.isna(), first_active, born).astype(np.int32)


def _table(
    log: Any, activity: Activity, names: list[str], counts: Ints, created: str | None, confidence: float
) -> pd.DataFrame:
    new, returning, resurrecting, dormant = counts
    notes = activity.notes(log)
    if created is None and notes[0] == "":
        notes[0] = "seen at start"  # who is new then may be an old customer
    active = new + returning + resurrecting
    places = active.shape[1]
    base = np.concatenate([np.zeros((len(names), 1), dtype=np.int64), active[:, :-1]], axis=1)
    unfinished = np.array(activity.status(log)) == "unfinished"
    labels = activity.labels(log)
    unknown = np.tile(unfinished, len(names))
    frame = pd.DataFrame(
        segment_column(activity, names, places)
        | {
            "period": labels.take(np.tile(np.arange(places), len(names))),
            "active": active.ravel(),
            "new": new.ravel(),
            "returning": returning.ravel(),
            "resurrecting": resurrecting.ravel(),
            "dormant": pd.arrays.IntegerArray(dormant.ravel().copy(), unknown),
            "change": pd.arrays.IntegerArray((new + resurrecting - dormant).ravel(), unknown),
            "base": base.ravel(),
        }
    )
    frame = with_rate(frame, "returning", count="returning", base="base", confidence=confidence)
    rates = [column for column in frame.columns if column.startswith("returning_rate")]
    frame.loc[unknown, rates] = np.nan
    return frame.assign(status=activity.status(log) * len(names), note=notes * len(names))


def _summary(
    table: pd.DataFrame, activity: Activity, names: list[str], sums: dict[str, Ints], confidence: float
) -> pd.DataFrame:
    finished = table[table["status"] == "finished"]
    rows = []
    for name in names:
        own = finished[finished["segment"] == name] if activity.by else finished
        later = own.iloc[1:]
        flow = {state: int(later[state].sum()) for state in ("new", "resurrecting", "dormant")}
        mean = own["active"].mean() if len(own) else np.nan
        rows.append({"periods": len(own), "mean_active": mean, **flow})
    frame = pd.DataFrame(rows, columns=["periods", "mean_active", "new", "resurrecting", "dormant"])
    frame = frame.assign(base=sums["n"], returning=sums["x"])
    frame = with_rate(
        frame, "returning", count="returning", base="base", effective=_effective(sums), confidence=confidence
    )
    if activity.by:
        frame.insert(0, "segment", names)
    return frame


def _effective(sums: dict[str, Ints]) -> Any:
    return np.nan_to_num(np.atleast_1d(clustered_n(**sums)))


def _comparison(summary: pd.DataFrame, sums: dict[str, Ints]) -> pd.DataFrame:
    named = summary if "segment" in summary else summary.assign(segment="")
    return rate_differences(named, "returning_rate", group="segment", n=_effective(sums))


def _who(
    log: InteractionLog,
    *,
    activity: Activity,
    place: int,
    state: int,
    segment: str | None,
    created: str | None,
    new: str,
) -> pd.DataFrame:
    """Customers in a state in a period."""
    seen = see(log, activity)
    born = created_in(log, seen, activity.edges(log), created, new)
    rows = np.flatnonzero(seen.marked) if seen.marked.size else np.arange(log.n_events)
    codes, periods = log.customer_codes[rows], seen.periods[rows]
    now, before, ever_before = (np.zeros(log.n_customers, dtype=bool) for _ in range(3))
    now[codes[periods == place]] = True
    before[codes[periods == place - 1]] = True
    ever_before[codes[periods < place]] = True
    is_new = now & (born == place) if new == "created" else now & ~ever_before & (born != -1)
    returning = now & before & ~is_new
    found = (is_new, returning, now & ~is_new & ~returning, before & ~now)[state] & (seen.groups >= 0)
    return listed(log, seen, found, segment)
