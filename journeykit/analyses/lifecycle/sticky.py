"""The analysis `stickiness`: in how many periods customers are active."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.lifecycle.activity import (
    Activity,
    Ints,
    left_out,
    read_activity,
    see,
    segment_column,
    span_words,
    unstack,
)
from journeykit.analyses.lifecycle.base import ActivityResult, listed
from journeykit.analyses.lifecycle.usage import usage_table
from journeykit.errors import ParameterError
from journeykit.estimators.differences import comparison, newcombe
from journeykit.estimators.proportions import clustered_mean, clustered_variance, divide, with_rate
from journeykit.journey.groups import require_group
from journeykit.log import InteractionLog
from journeykit.log.calendar import range_us
from journeykit.loops import over_customers
from journeykit.results.base import Result, left_out_table, metric_table
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable

Span = tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class StickinessResult(ActivityResult):
    """Customers by the number of periods in which they are active.

    Attributes
    ----------
    table : DataFrame
        One row per number k of periods, from 1 to all of them (and
        `segment`, with `by`): `active_periods` (k), `customers` active in
        exactly k, `exactly_rate` (of all active customers) with
        `exactly_rate_low` and `exactly_rate_high`, `at_least` (customers
        active in k or more), `at_least_rate` with its interval,
        `longest_streak` (customers whose longest run of active periods in a
        row is k).
    summary : DataFrame
        One row (a segment): `customers` (active at all), `periods` (in the
        window), `mean_periods` with `mean_periods_low` and
        `mean_periods_high`, `median_periods`, `stickiness_rate`
        (mean_periods / periods) with its interval.
    comparison : DataFrame
        Every segment `b` against the first, `a`: the difference of the
        stickiness rates with its interval and p-values.
    """

    span: Span = (0, 0)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share of customers by number of active periods; return the axes."""
        from journeykit.plots.lifecycle import plot_stickiness

        return plot_stickiness(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the same as a figure."""
        from journeykit.plots.lifecycle import as_figure

        return as_figure(self.plot)

    def customers(
        self, active_periods: int, *, at_least: bool = False, segment: str | None = None, log: Any = None
    ) -> pd.Index:
        """List the customers active in exactly, or at least, so many periods.

        Parameters
        ----------
        active_periods : int
            How many.
        at_least : bool
            So many or more.
        segment : str, optional
            Only this segment.
        log : InteractionLog, optional
            The log, where the result was stored without it.
        """
        asked = {"span": self.span, "periods": active_periods, "at_least": at_least}
        return self._list(_who, segment=segment, log=log, **asked)

    def usage_interval(self, log: Any = None) -> pd.DataFrame:
        """Tell how many days lie between a customer's active days, to choose a period by.

        A gap is the difference of the local dates of two consecutive active
        days of a customer in the window. The silence since their last day is
        no gap yet: `churn_threshold` tells how long to wait for its end.

        Parameters
        ----------
        log : InteractionLog, optional
            The log, where the result was stored without it.

        Returns
        -------
        DataFrame
            One row (a segment): `gaps`, `customers` (who have one),
            `usage_days` (the median gap) with `usage_days_low` and
            `usage_days_high` (Woodruff's bounds, with the share of gaps up to
            the median clustered by customer), `usage_period` (the shortest
            calendar period at least that long).

        Examples
        --------
        >>> log = jk.read_log(pd.DataFrame({
        ...     "customer": ["ann", "ann", "ann", "bob", "bob"],
        ...     "time": pd.to_datetime(["2024-01-01", "2024-01-06", "2024-01-11", "2024-01-02", "2024-01-04"]),
        ...     "touchpoint": "visit",
        ... }), observed_until="2024-01-15")
        >>> jk.stickiness(log).usage_interval()[["gaps", "customers", "usage_days", "usage_period"]]
           gaps  customers  usage_days usage_period
        0     3          2         5.0         week
        """
        source, activity = self._log(log), self._asked()
        edges = activity.edges(source)
        return usage_table(
            source, activity, (int(edges[self.span[0]]), int(edges[self.span[1]])), self.params["confidence"]
        )

    def describe(self) -> str:
        """Say in how many periods a customer is active on average, and how many in one only."""
        sentences = []
        for row in self.summary.to_dict("records")[:4]:
            own = self.table if "segment" not in row else self.table[self.table["segment"] == row["segment"]]
            if not row["customers"]:
                return say("lifecycle.nobody_active")
            values = {str(key): value for key, value in {**own.iloc[0].to_dict(), **row}.items()}
            said = say("lifecycle.sticky", **values, span=span_words(self.params["period"], row["periods"]))
            sentences.append(say("core.list_name", name=row["segment"], text=said) if "segment" in row else said)
        return " ".join(sentences)

    def metrics(self) -> pd.DataFrame:
        """Mean number of active periods, and the stickiness rate, by segment."""
        records = []
        for row in self.summary.to_dict("records"):
            where = {"segment": row.get("segment", ""), "n": row["customers"]}
            for name, unit in (("mean_periods", "periods"), ("stickiness_rate", "rate")):
                ends = {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
                records.append({"name": f"{name}_{self.params['period']}", **ends, "unit": unit, **where})
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        return self.table.drop(columns="longest_streak")

    # -- beside another: `compare` -------------------------------------------------------------

    def comparable(self, other: Result) -> Comparable:
        """Lay out the stickiness and, in windows of as many periods, the shares active in so many or more."""
        from journeykit.analyses.lifecycle.comparing import of_stickiness

        return of_stickiness(self, other)

    def split_by(self, by: str | None, log: Any = None) -> StickinessResult:
        """Ask the same again of the same log, split by another column (None: not split)."""
        source = self._log(log)
        require_group(source, by)
        return _finish(source, replace(self._asked(), by=by), self.span, self.params["confidence"])


def stickiness(
    log: InteractionLog,
    *,
    of: Any = None,
    period: str = "day",
    between: tuple[object, object] | None = None,
    by: str | None = None,
    week_start: str = "monday",
    confidence: float = 0.95,
) -> StickinessResult:
    """Count customers by the number of distinct periods in which they are active.

    Only customers active at least once in the window are counted; exactly k
    periods, summed over k, gives all of them.

    Parameters
    ----------
    log : InteractionLog
        Interactions.
    of : str, collection of str or Step, optional
        Which events are activity; any by default.
    period : {"hour", "day", "week", "month", "quarter", "year"}
        Calendar period, in the log's time zone.
    between : tuple of two dates, optional
        The window, `[from, to)`: the periods that begin in it. The whole log
        by default, its partly observed periods too.
    by : str, optional
        Split by a column: its value at the customer's first activity in the
        log.
    week_start : {"monday", "sunday"}
        First day of a week.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    StickinessResult
        Counts and shares by number of periods in `.table`.

    Notes
    -----
    Shares have Wilson's interval; the mean has Student's. Differences of
    stickiness: the two intervals combined as Newcombe (1998) does, p-values
    from the normal distribution.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "ann", "bob"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-02"]),
    ...     "touchpoint": "visit",
    ... }), observed_until="2024-01-05")
    >>> jk.stickiness(log).table[["active_periods", "customers", "at_least"]]
       active_periods  customers  at_least
    0               1          1         2
    1               2          0         1
    2               3          1         1
    3               4          0         0
    """
    activity = read_activity(log, of, period, by, week_start, confidence)
    return _finish(log, activity, _span(log, activity, between), confidence)


def _finish(log: InteractionLog, activity: Activity, span: Span, confidence: float) -> StickinessResult:
    periods = span[1] - span[0]
    tally = log.tally(_count, activity=activity, span=span)
    names, (exactly, streaks) = unstack(tally, activity, periods + 1, log.stages)
    summary, deviations = _summary(activity, names, exactly, confidence)
    labels = activity.labels(log)
    return StickinessResult(
        table=_table(activity, names, exactly, streaks, confidence),
        summary=summary,
        comparison=_comparison(summary, deviations),
        left_out=left_out_table(left_out(log, activity)),
        params={
            **activity.params(log),
            "between": (labels[span[0]], labels[span[1] - 1]),
            "confidence": confidence,
            "definition": activity.definition("stickiness/1"),
        },
        log=log,
        activity=activity,
        span=span,
    )


def _span(log: Any, activity: Activity, between: tuple[object, object] | None) -> Span:
    """First and last (exclusive) period of the window."""
    edges = activity.edges(log)
    begin, end = range_us(between, log.timezone)
    first = 0 if begin is None else int(np.searchsorted(edges[:-1], begin))
    last = len(edges) - 1 if end is None else int(np.searchsorted(edges[:-1], end))
    if first >= last:
        raise ParameterError(f"no period of the log begins in between={between}")
    return first, last


def _count(log: InteractionLog, *, activity: Activity, span: Span) -> pd.DataFrame:
    """Customers by segment and number of active periods, and by longest streak."""
    from journeykit.loops.lifecycle import count_active_periods

    seen = see(log, activity)
    shape = (len(seen.names), span[1] - span[0] + 1)

    def run(first: int, last: int) -> tuple[Ints, Ints]:
        exactly, streaks = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        count_active_periods(
            *(seen.periods, log.offsets, seen.marked, seen.groups, *span, exactly, streaks, first, last)
        )
        return exactly, streaks

    parts = over_customers(run, log.offsets)
    return seen.rows(*(sum(part[1:], part[0]) for part in zip(*parts, strict=True)))


def _table(activity: Activity, names: list[str], exactly: Ints, streaks: Ints, confidence: float) -> pd.DataFrame:
    exactly, streaks = exactly[:, 1:], streaks[:, 1:]  # 0: active elsewhere in the log, not in the window
    periods = exactly.shape[1]
    frame = pd.DataFrame(
        segment_column(activity, names, periods)
        | {"active_periods": np.tile(np.arange(1, periods + 1), len(names)), "customers": exactly.ravel()}
    )
    base = np.repeat(exactly.sum(axis=1), periods)
    frame = with_rate(frame, "exactly", count="customers", base=base, confidence=confidence)
    frame["at_least"] = np.cumsum(exactly[:, ::-1], axis=1)[:, ::-1].ravel()
    frame = with_rate(frame, "at_least", count="at_least", base=base, confidence=confidence)
    everybody = (frame["active_periods"] == 1) & (base > 0)  # in one or more: all of them, and no estimate
    frame.loc[everybody, ["at_least_rate_low", "at_least_rate_high"]] = 1.0
    return frame.assign(longest_streak=streaks.ravel())


def _summary(activity: Activity, names: list[str], exactly: Ints, confidence: float) -> tuple[pd.DataFrame, Any]:
    periods = exactly.shape[1] - 1
    k = np.arange(1, periods + 1)
    counts = exactly[:, 1:]
    n = counts.sum(axis=1)
    sums = {"customers": n, "x": counts @ k, "n": n, "xx": counts @ k**2, "xn": counts @ k, "nn": n}
    mean, low, high = (np.atleast_1d(each) for each in clustered_mean(**sums, confidence=confidence))
    # With nobody active a median is not known; else the middle customer's, or the mean of the two.
    medians = [float(np.median(np.repeat(k, row))) if row.sum() else np.nan for row in counts]
    frame = pd.DataFrame(
        segment_column(activity, names, 1)
        | {
            "customers": n,
            "periods": periods,
            "mean_periods": mean,
            "mean_periods_low": np.clip(low, 1, periods),
            "mean_periods_high": np.clip(high, 1, periods),
            "median_periods": medians,
        }
    )
    for end in ("", "_low", "_high"):
        frame[f"stickiness_rate{end}"] = frame[f"mean_periods{end}"] / periods
    return frame, np.sqrt(np.atleast_1d(clustered_variance(**sums))) / periods


def _comparison(summary: pd.DataFrame, deviations: Any) -> pd.DataFrame:
    from scipy.special import ndtr

    names = summary["segment"].tolist() if "segment" in summary else [""]
    others = list(range(1, len(names)))
    first = [0] * len(others)
    rate, low, high = (summary[f"stickiness_rate{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high"))
    difference, below, above = newcombe(
        (rate[others], low[others], high[others]), (rate[first], low[first], high[first])
    )
    p_value = 2 * ndtr(-np.abs(divide(difference, np.hypot(deviations[others], deviations[first]))))
    return comparison(names, first, others, difference, below, above, p_value, unit="_rate")


def _who(
    log: InteractionLog, *, activity: Activity, span: Span, segment: str | None, periods: int, at_least: bool
) -> pd.DataFrame:
    """Customers active in exactly, or at least, so many periods."""
    seen = see(log, activity)
    counted = (seen.periods >= span[0]) & (seen.periods < span[1])
    if seen.marked.size:
        counted &= seen.marked
    pairs = pd.DataFrame({"customer": log.customer_codes[counted], "period": seen.periods[counted]}).drop_duplicates()
    active = np.bincount(pairs["customer"], minlength=log.n_customers)
    found = (active >= max(periods, 1)) if at_least else (active == periods) & (active > 0)
    return listed(log, seen, found, segment)
