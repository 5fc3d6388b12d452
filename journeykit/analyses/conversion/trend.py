"""Conversion by entrance period: each period's customers, and how many of them converted in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.trend_counts import Part, list_trend_customers
from journeykit.analyses.conversion.trend_estimate import SIDES, Trend
from journeykit.analyses.conversion.trend_plan import TrendPlan, make_trend_plan
from journeykit.log.calendar import as_timestamp, range_shown
from journeykit.results.base import Result, left_out_table, metric_table
from journeykit.schema import SECOND, check_one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog
    from journeykit.results.comparable import Comparable

COUNTED = ("started", "customers", "converted")


@dataclass(frozen=True, eq=False, repr=False)
class FunnelTrend(Result):
    """Conversion of the customers of each entrance period.

    Attributes
    ----------
    table : DataFrame
        One row a period (and `segment`, with `by`), also where nobody entered:

        - `period`: a calendar period of the log's zone (for hours, when it begins).
        - `started`: customers with step 1 in it; `customers`: those who came to
          `from_step` (the same, if that is step 1); `converted`: those who came
          to `to_step`, each within the window from their step 1. In a period
          that is unfinished they are so far; one that has not begun has none.
        - `conversion_rate` = converted / customers with `conversion_rate_low`
          and `conversion_rate_high`; NaN where nobody came. `method` says
          whether it was `"observed"`, or is an `"estimate"` of what an
          unfinished period will come to; `""` is neither: there is no rate.
        - `so_far_rate`: the share so far in an unfinished period; it will only
          grow, and is no estimate of anything.
        - `median_seconds`, `p90_seconds` (with bounds): the time from step 1
          within which half, and nine tenths, of those who converted did; NaN
          unless the period is finished, and a bound where so few converted
          that it is not reached.
        - `status`: `"finished"` (every window that began in it is over),
          `"unfinished"`, `"future"`; `note`: `"partial"` where the log or
          `between` begins or ends inside it.
    summary : DataFrame
        One row (a segment): `periods` that are finished, and in these
        `customers`, `converted`, `conversion_rate` with interval (clustered: a
        customer may enter in several); `latest_period`, the last finished one
        that anybody entered, `latest_conversion_rate`, `latest_median_seconds`
        with intervals; `change_difference_rate` from the period before it, with
        interval and `change_p_value`.
    comparison : DataFrame
        Each period against the one before: `a`, `b` (the later),
        `difference_rate` (b − a) with interval (unadjusted), `p_value`,
        `method`, `p_value_holm` (all rows are one family). Periods share
        customers: the interval is that of per-customer differences.
    """

    plan: TrendPlan | None = field(default=None)

    topic: ClassVar[str] = "funnel_trend"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the rate of each period with its interval, unfinished ones apart; return the axes."""
        from journeykit.plots.funnel_trend import plot_funnel_trend

        return plot_funnel_trend(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the rates above the customers who entered; with segments, a panel each."""
        from journeykit.plots.funnel_trend import funnel_trend_figure

        return funnel_trend_figure(self)

    def customers(
        self, period: Any, log: Any = None, *, counted: str = "customers", segment: str | None = None
    ) -> pd.Index:
        """List the customers behind a number of a period.

        Parameters
        ----------
        period : str, Period or Timestamp
            A period of the table.
        log : InteractionLog, optional
            Needed if the result was stored without its log.
        counted : {"customers", "converted", "started"}
            Which number: the column of that name.
        segment : str, optional
            The group, if the trend was split; all groups by default.

        Returns
        -------
        Index
            Their ids, sorted.
        """
        assert self.plan is not None
        source = self._log(log)
        shown = [str(name) for name in self.plan.period_names(source)]
        check_one_of("period", str(period), shown)
        check_one_of("counted", counted, COUNTED)
        if segment is not None:
            check_one_of("segment", segment, self.plan.labels)
        group = -1 if segment is None else self.plan.labels.index(segment)
        place = shown.index(str(period))
        found = source.tally(list_trend_customers, plan=self.plan, period=place, group=group, who=counted)
        ids: pd.Index = found.index.sort_values()
        return ids

    def describe(self) -> str:
        """Say the latest finished period's rate, its change, and which periods are unfinished."""
        from journeykit.analyses.conversion.words import describe_trend

        return describe_trend(self)

    def comparable(self, other: Result) -> Comparable:
        """Lay out the rate over all finished periods, and in those that both have: see `compare`."""
        from journeykit.analyses.conversion.comparing import of_trend

        assert isinstance(other, FunnelTrend)
        return of_trend(self, other)

    def metrics(self) -> pd.DataFrame:
        """Each period's rate and median time, and the change of the latest finished one."""
        records: list[dict[str, Any]] = []
        for row in self.table.to_dict("records"):
            where = {"segment": row.get("segment", ""), "period": str(row["period"])}
            if row["method"]:
                name = "conversion_rate" if row["method"] == "observed" else "conversion_rate_estimate"
                ends = {"value": row["conversion_rate"], "low": row["conversion_rate_low"]}
                ends |= {"high": row["conversion_rate_high"], "n": row["customers"], "unit": "share"}
                records.append({"name": name} | ends | where)
            if np.isfinite(row["median_seconds"]):
                ends = {"value": row["median_seconds"], "low": row["median_seconds_low"]}
                ends |= {"high": row["median_seconds_high"], "n": row["converted"], "unit": "seconds"}
                records.append({"name": "median_seconds"} | ends | where)
        for row in self.summary.to_dict("records"):
            if np.isfinite(row["change_difference_rate"]):
                where = {"segment": row.get("segment", ""), "period": str(row["latest_period"])}
                ends = {
                    end: row[f"change_difference_rate{side}"]
                    for end, side in zip(("value", "low", "high"), SIDES, strict=True)
                }
                own = self.table[self.table["segment"] == row["segment"]] if "segment" in row else self.table
                latest = int(np.flatnonzero(own["period"] == row["latest_period"])[0])
                n = int(own["customers"].iloc[latest - 1 : latest + 1].sum())  # of the two periods
                records.append({"name": "conversion_rate_change", "n": n, "unit": "share"} | ends | where)
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        rates = [f"conversion_rate{side}" for side in SIDES]
        columns = ["segment", "period", "customers", "converted", *rates, "method", "median_seconds", "status"]
        return self.table[[name for name in columns if name in self.table]]


def funnel_trend(
    log: InteractionLog,
    steps: Any,
    *,
    within: Any,
    period: str = "week",
    from_step: int = 1,
    to_step: int | None = None,
    clock: str = "last",
    ties: str = "any",
    by: str | None = None,
    between: tuple[object, object] | None = None,
    week_start: str = "monday",
    confidence: float = 0.95,
) -> FunnelTrend:
    """Follow conversion over time: by the period in which customers entered.

    A customer counts once in each period in which they have a step 1, whatever
    period they convert in. A period has a rate when every window that began in
    it is over; before, those who were quick would be counted and those who are
    slow not yet.

    Parameters
    ----------
    log : InteractionLog
        Interactions.
    steps : list
        Two or more steps: touchpoints, sets of them, stages or `jk.Step`, in
        order.
    within : str or timedelta
        The window, from step 1; exactly then counts.
    period : {"hour", "day", "week", "month", "quarter", "year"}
        Calendar period, in the log's time zone.
    from_step, to_step : int
        The rate is over the customers who came to `from_step`, of those who came
        to `to_step` (by default the last); numbers from 1.
    clock : {"last", "first"}
        `"last"`: a second step 1 restarts the clock of a period that has not
        converted (an attempt that is past step 1 runs on); a converted period
        is closed. This is `jk.funnel` of the period's step 1s. `"first"`: the
        period's first step 1 keeps the clock; then unfinished periods are
        estimated, if `from_step` is 1.
    ties : {"any", "stored"}
        Events of one customer at one instant: `"any"`, their order is unknown,
        and they may match in ascending order of the steps; `"stored"` trusts the
        order of the log.
    by : str, optional
        Split by a column: its value at the step 1 that the clock belongs to.
    between : (start, end), optional
        Only step 1s inside count; windows run on.
    week_start : {"monday", "sunday"}
        First day of a week.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    FunnelTrend
        A row a period in `.table`, changes from each to the next in `.comparison`.

    Notes
    -----
    Wilson's interval (a customer is in a period once). The estimate of an
    unfinished period is F(u) + (1 − F(u)) · P(convert in (u, w] | not by u): F is
    Kaplan–Meier up to u, the largest age at which anybody of the period was
    watched, and the rest is the share among the entries of finished periods.
    Its interval joins those of the two (Zou & Donner 2008), with what the same
    customers do to both, and with the variance of the second from period to
    period beyond chance: it promises only that the period goes on as finished
    ones did.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob", "ann"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-02", "2024-01-10"]),
    ...     "touchpoint": ["visit", "order", "visit", "visit"],
    ... }), observed_until="2024-01-16")
    >>> trend = jk.funnel_trend(log, ["visit", "order"], within="7d")
    >>> trend.table[["period", "customers", "converted", "conversion_rate", "status"]]
                      period  customers  converted  conversion_rate      status
    0  2024-01-01/2024-01-07          2          1              0.5    finished
    1  2024-01-08/2024-01-14          1          0              NaN  unfinished
    2  2024-01-15/2024-01-21          0          0              NaN  unfinished
    """
    plan = make_trend_plan(
        log, steps, within=within, period=period, from_step=from_step, to_step=to_step, clock=clock, ties=ties, by=by,
        between=between, week_start=week_start, confidence=confidence,
    )  # fmt: skip
    trend = Trend(log, plan)
    people = trend.counts.values(Part.PEOPLE).set_index("value")["n"]
    entered, judged = int(people.get(0, 0)), int(people.get(1, 0))
    return FunnelTrend(
        table=trend.table,
        summary=trend.summary,
        comparison=trend.comparison,
        left_out=left_out_table(
            {"funnel_trend.not_entered": log.n_customers - entered, "funnel_trend.only_unfinished": entered - judged}
        ),
        params=_params(log, plan),
        log=log,
        plan=plan,
    )


def _params(log: Any, plan: TrendPlan) -> dict[str, Any]:
    return {
        "steps": list(plan.names),
        "from_step": plan.from_step,
        "to_step": plan.to_step,
        "within": pd.Timedelta(plan.within, unit="us"),
        "within_seconds": plan.within / SECOND,
        "period": plan.period,
        "week_start": plan.week_start,
        "clock": plan.clock,
        "ties": plan.ties,
        "unit": log.unit,
        "by": plan.by,
        "between": range_shown(plan.between, log.timezone),
        "timezone": log.timezone,
        "confidence": plan.confidence,
        "observed_until": as_timestamp(log.observed_until, log.timezone),
        "definition": f"funnel_trend_{plan.clock}/1",
    }
