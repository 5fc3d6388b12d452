"""The analysis `active_customers`: daily, weekly, monthly active customers and their ratios."""

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
from journeykit.analyses.lifecycle.base import ActivityResult, listed, segments_of
from journeykit.errors import ParameterError
from journeykit.estimators.proportions import clustered_mean, divide, with_rate
from journeykit.journey.groups import require_group
from journeykit.log import InteractionLog
from journeykit.loops import over_customers
from journeykit.results.base import Result, left_out_table, metric_table
from journeykit.schema import PERIODS, check_one_of
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable

TREND = {"hour": 24, "day": 7, "week": 4, "month": 3, "quarter": 4, "year": 3}
"""Periods that the trend averages: a whole round of what repeats, where there is one."""


@dataclass(frozen=True, eq=False, repr=False)
class ActiveResult(ActivityResult):
    """Distinct active customers by period, and how much of a longer window they fill.

    Attributes
    ----------
    table : DataFrame
        One row per period (and `segment`, with `by`), also where nobody is
        active: `period`, `active` (distinct customers), `trend` (centred mean
        of `active` over 24 hours, 7 days, 4 weeks, 3 months, 4 quarters or 3
        years, an even number with half weights at both ends; missing where
        one of them is not wholly observed), `status`
        ("finished", "unfinished"), `note` ("partial": the log begins inside
        it). With `rolling`: `trailing` (distinct customers of that period and
        the ones before it; missing where the log does not reach back so far or
        the period is unfinished), `trailing_rate` = active / trailing with
        `trailing_rate_low` and `trailing_rate_high`.
    summary : DataFrame
        One row per calendar window (and `segment`): `window`, `customers`
        (distinct in it), `periods` (in it), `mean_active` (mean of `active`
        over them), `stickiness_rate` = mean_active / customers with its
        interval, `status`, `note`. Unfinished windows have no rate.
    comparison : DataFrame
        Empty: compare segments with `stickiness`.
    """

    window: Activity | None = None

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw active customers over time, with the trailing ones where asked for; return the axes."""
        from journeykit.plots.lifecycle import plot_active

        return plot_active(self, ax=ax)

    def figure(self) -> Figure:
        """Draw active customers above the stickiness of each window."""
        from journeykit.plots.lifecycle import active_figure

        return active_figure(self)

    def customers(self, period: Any, *, segment: str | None = None, log: Any = None) -> pd.Index:
        """List the customers active in a period.

        Parameters
        ----------
        period : str, Period or Timestamp
            A period of the table.
        segment : str, optional
            Only this segment.
        log : InteractionLog, optional
            The log, where the result was stored without it.
        """
        return self._list(_who, segment=segment, log=log, period=period)

    def describe(self) -> str:
        """Say how many are active, and how much of the last finished window they fill."""
        finished = self.table[self.table["status"] == "finished"]
        if finished.empty:
            return say("lifecycle.none_finished")
        period = self.params["period"]
        names = finished["segment"].unique()[:4] if "segment" in finished else [None]
        sentences = []
        for name in names:
            rows = finished if name is None else finished[finished["segment"] == name]
            unit, span = say(f"lifecycle.unit_{period}"), span_words(period, len(rows))
            said = say("lifecycle.active", mean_active=rows["active"].mean(), span=span, unit=unit)
            sentences.append(said if name is None else say("core.list_name", name=name, text=said))
        windows = self.summary[(self.summary["status"] == "finished") & (self.summary["customers"] > 0)]
        if len(windows) and names[0] is None:
            values = {str(key): value for key, value in windows.iloc[-1].items()}
            sentences.append(say("lifecycle.window", **values, span=span_words(period, values["periods"])))
        return " ".join(sentences)

    def metrics(self) -> pd.DataFrame:
        """Active customers of the last finished period, and of the last finished window with its stickiness."""
        records: list[dict[str, Any]] = []
        period, within = self.params["period"], self.params["within"]
        table = self.table[self.table["status"] == "finished"]
        for _, rows in table.groupby(segments_of(table), sort=False):
            row = rows.iloc[-1]
            where = {"segment": row.get("segment", ""), "period": str(row["period"])}
            records.append(
                {"name": f"active_{period}", "value": row["active"], "n": row["active"], "unit": "customers"} | where
            )
        windows = self.summary[self.summary["status"] == "finished"]
        for _, rows in windows.groupby(segments_of(windows), sort=False):
            row = rows.iloc[-1]
            where = {"segment": row.get("segment", ""), "period": str(row["window"]), "n": row["customers"]}
            records.append({"name": f"active_{within}", "value": row["customers"], "unit": "customers"} | where)
            ends = {
                end: row[f"stickiness_rate{tail}"] for end, tail in (("value", ""), ("low", "_low"), ("high", "_high"))
            }
            records.append({"name": f"stickiness_{period}_{within}_rate", "unit": "rate"} | ends | where)
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        return self.summary.drop(columns="note")

    # -- beside another: `compare` -------------------------------------------------------------

    def comparable(self, other: Result) -> Comparable:
        """Lay out the stickiness of all finished windows together, and of those that both have."""
        from journeykit.analyses.lifecycle.comparing import of_active

        return of_active(self, other)

    def split_by(self, by: str | None, log: Any = None) -> ActiveResult:
        """Ask the same again of the same log, split by another column (None: not split)."""
        source = self._log(log)
        require_group(source, by)
        assert self.window is not None
        asked = (replace(self._asked(), by=by), replace(self.window, by=by))
        return _finish(source, *asked, self.params["rolling"], self.params["confidence"])


def active_customers(
    log: InteractionLog,
    *,
    of: Any = None,
    period: str = "day",
    within: str = "month",
    rolling: int | None = None,
    by: str | None = None,
    week_start: str = "monday",
    confidence: float = 0.95,
) -> ActiveResult:
    """Count distinct active customers: a day, a week, a month (DAU, WAU, MAU), and the ratio between them.

    `.table` has a row a calendar period. `.summary` has a row a calendar
    window (`within`): its stickiness is the mean number of customers active a
    period over the distinct customers of the window (DAU/MAU by default).

    Parameters
    ----------
    log : InteractionLog
        Interactions.
    of : str, collection of str or Step, optional
        Which events are activity; any by default.
    period : {"hour", "day", "week", "month", "quarter", "year"}
        Calendar period, in the log's time zone.
    within : {"day", "week", "month", "quarter", "year"}
        The longer calendar window; periods belong to the one they begin in.
    rolling : int, optional
        Also count distinct customers of the last so many periods, each
        included (`rolling=30`: a trailing MAU), and the named variant of the
        ratio, a period's active customers over those.
    by : str, optional
        Split by a column: its value at the customer's first activity.
    week_start : {"monday", "sunday"}
        First day of a week.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    ActiveResult
        By period in `.table`, by window in `.summary`.

    Notes
    -----
    A window's stickiness is the mean over its customers of the share of
    periods in which they are active: Student's interval over customers. The
    trailing ratio is a share of customers: Wilson's.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob", "bob"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-09"]),
    ...     "touchpoint": "visit",
    ... }), observed_until="2024-01-15")
    >>> jk.active_customers(log, within="week").summary[["window", "customers", "periods", "mean_active"]]
                      window  customers  periods  mean_active
    0  2024-01-01/2024-01-07          2        7     0.428571
    1  2024-01-08/2024-01-14          1        7     0.142857
    """
    activity = read_activity(log, of, period, by, week_start, confidence)
    check_one_of("within", within, PERIODS[1:])
    if PERIODS.index(within) <= PERIODS.index(period):
        raise ParameterError(f"within must be longer than period={period!r}, got {within!r}")
    if rolling is not None and (isinstance(rolling, bool) or int(rolling) != rolling or rolling < 2):
        raise ParameterError(f"rolling == {rolling!r}, must be a whole number of periods from 2 on")
    window = Activity(activity.of, within, week_start, by)
    return _finish(log, activity, window, rolling, confidence)


def _finish(
    log: InteractionLog, activity: Activity, window: Activity, rolling: int | None, confidence: float
) -> ActiveResult:
    tally = log.tally(_count, activity=activity, window=window, rolling=rolling or 1)
    places = max(len(activity.edges(log)), len(window.edges(log)))
    names, (active, trailing, in_window, squares) = unstack(tally, activity, places, log.stages)
    n_periods, n_windows = len(activity.edges(log)) - 1, len(window.edges(log)) - 1
    active, trailing = active[:, :n_periods], np.cumsum(trailing[:, :n_periods], axis=1)
    summary = _summary(
        log, activity, window, names, active, in_window[:, :n_windows], squares[:, :n_windows], confidence
    )
    return ActiveResult(
        table=_table(log, activity, names, active, trailing, rolling, confidence),
        summary=summary,
        comparison=pd.DataFrame(),
        left_out=left_out_table(left_out(log, activity)),
        params={
            **activity.params(log),
            "within": window.period,
            "rolling": rolling,
            "confidence": confidence,
            "definition": activity.definition("active_customers/1"),
        },
        log=log,
        activity=activity,
        window=window,
    )


def window_of_periods(log: Any, activity: Activity, window: Activity) -> Any:
    """Window in which each period begins; a first period that begins before all windows counts to the first."""
    begins = activity.edges(log)[:-1]
    return np.maximum(np.searchsorted(window.edges(log), begins, side="right") - 1, 0).astype(np.int32)


def _count(log: InteractionLog, *, activity: Activity, window: Activity, rolling: int) -> pd.DataFrame:
    from journeykit.loops.lifecycle import count_active

    seen = see(log, activity)
    window_of = window_of_periods(log, activity, window)
    places = max(len(activity.edges(log)), len(window.edges(log)))

    def run(first: int, last: int) -> tuple[Ints, ...]:
        counts = tuple(np.zeros((len(seen.names), places), dtype=np.int64) for _ in range(4))
        count_active(*(seen.periods, log.offsets, seen.marked, seen.groups, window_of, rolling, *counts, first, last))
        return counts

    parts = over_customers(run, log.offsets)
    return seen.rows(*(sum(part[1:], part[0]) for part in zip(*parts, strict=True)))


def _table(
    log: Any, activity: Activity, names: list[str], active: Ints, trailing: Ints, rolling: int | None, confidence: float
) -> pd.DataFrame:
    n_periods = active.shape[1]
    labels = activity.labels(log)
    frame = pd.DataFrame(
        segment_column(activity, names, n_periods)
        | {"period": labels.take(np.tile(np.arange(n_periods), len(names))), "active": active.ravel()}
    )
    known = np.array(activity.status(log)) == "finished"
    known &= np.array(activity.notes(log), dtype=object) == ""
    frame["trend"] = np.concatenate([_trend(row, known, TREND[activity.period]) for row in active] or [np.zeros(0)])
    if rolling is not None:
        whole = activity.edges(log)[:-1] >= log.start  # which periods the log observes from their begin
        begins = np.flatnonzero(whole)[0] if whole.any() else n_periods
        place = np.tile(np.arange(n_periods), len(names))
        unknown = (place < begins + rolling - 1) | (place >= activity.finished(log))
        frame["trailing"] = pd.arrays.IntegerArray(trailing.ravel().copy(), unknown)
        base = np.where(unknown, 0, trailing.ravel())
        frame["in_base"] = np.where(unknown, 0, active.ravel())
        frame = with_rate(frame, "trailing", count="in_base", base=base, confidence=confidence).drop(columns="in_base")
    return frame.assign(status=activity.status(log) * len(names), note=activity.notes(log) * len(names))


def _trend(active: Ints, known: Any, span: int) -> Any:
    """Centred moving mean; NaN where a period under it is not wholly observed."""
    weights = np.ones(span) / span if span % 2 else np.r_[0.5, np.ones(span - 1), 0.5] / span
    trend = np.full(len(active), np.nan)
    middle = len(weights) // 2
    if len(active) >= len(weights):
        inside = np.convolve(np.where(known, active, np.nan), weights, mode="valid")
        trend[middle : middle + len(inside)] = inside
    return trend


def _summary(
    log: Any,
    activity: Activity,
    window: Activity,
    names: list[str],
    active: Ints,
    in_window: Ints,
    squares: Ints,
    confidence: float,
) -> pd.DataFrame:
    window_of = window_of_periods(log, activity, window)
    n_windows = in_window.shape[1]
    periods = np.tile(np.bincount(window_of, minlength=n_windows), (len(names), 1))
    total = active @ np.eye(n_windows, dtype=np.int64)[window_of]  # active periods of all its customers, by window
    # A customer's number of active periods is x, and each of them is one: n = 1.
    mean, low, high = clustered_mean(in_window, total, in_window, squares, total, in_window, confidence=confidence)
    status = np.array(window.status(log))
    finished = status == "finished"
    rate, low, high = (np.where(finished, divide(each, periods), np.nan) for each in (mean, low, high))
    return pd.DataFrame(
        segment_column(activity, names, n_windows)
        | {
            "window": window.labels(log).take(np.tile(np.arange(n_windows), len(names))),
            "customers": in_window.ravel(),
            "periods": periods.ravel(),
            "mean_active": divide(total, periods).ravel(),
            "stickiness_rate": rate.ravel(),
            "stickiness_rate_low": np.clip(low, 0, 1).ravel(),
            "stickiness_rate_high": np.clip(high, 0, 1).ravel(),
            "status": np.tile(status, len(names)),
            "note": window.notes(log) * len(names),
        }
    )


def _who(log: InteractionLog, *, activity: Activity, place: int, segment: str | None) -> pd.DataFrame:
    """Customers active in a period."""
    seen = see(log, activity)
    counted = seen.periods == place
    if seen.marked.size:
        counted &= seen.marked
    found = np.zeros(log.n_customers, dtype=bool)
    found[log.customer_codes[counted]] = True
    return listed(log, seen, found, segment)
