"""Survival curves: how many customers are still there after how long, and what is read off the curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.churn.counts import counts_of_log, counts_of_tenures
from journeykit.analyses.churn.estimate import estimate
from journeykit.analyses.churn.measured import tenures_of
from journeykit.analyses.churn.query import definition_of, described, settle
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.rules import Cancel, Inactivity, whole_days
from journeykit.analyses.churn.shared import ChurnResult, by_segment, records, rule_sentences, segment
from journeykit.analyses.churn.tenures import Tenures, customers_of
from journeykit.errors import ParameterError
from journeykit.estimators.hazards import period_hazard, smoothed_hazard
from journeykit.estimators.logrank import logrank
from journeykit.estimators.risk import number_at_risk
from journeykit.estimators.survival import conditional_survival, curve_at, kaplan_meier
from journeykit.log.calendar import as_timestamp
from journeykit.results.base import Result, metric_table
from journeykit.schema import check_confidence
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog
    from journeykit.results.comparable import Comparable


_RANGE = ("segment", "survival", "survival_low", "survival_high")


@dataclass(frozen=True, eq=False, repr=False)
class SurvivalCurve(ChurnResult):
    """How many customers are still there after how long.

    Attributes
    ----------
    table : DataFrame
        One row per day on which anybody enters or leaves (and `segment`, with
        `by`): `time_days`, `at_risk`, `events`,
        `censored`, `entered`; `survival` (the share still there, 0 to 1)
        with `survival_low`, `survival_high`; `cumulative_hazard`, likewise.
    summary : DataFrame
        One row a segment, or one: `customers`, `events`, `censored`, `followed_days`
        (the longest watched), `median_days` (NaN: not reached) with interval,
        `horizon_days`, `survival` at the horizon and `mean_days` up to it,
        with intervals; of those who ended, the share who came back within
        `comeback_days` (`comeback_rate`, with interval); `seen_at_start`,
        customers whose clock may start too late (see `Tenures`).
    comparison : DataFrame
        One row a pair of segments, empty with one: `a`, `b`,
        `difference_days` (mean days up to the horizon, b − a) with
        interval (unadjusted), `p_value`, `p_value_holm`; `logrank` (chi-squared
        of the pair's log-rank test), `logrank_p_value`, `logrank_p_value_holm`.
    overall_test : DataFrame
        The log-rank test of all segments at once: `statistic`,
        `degrees_of_freedom`, `p_value`; empty with one.
    incidence : DataFrame
        Where tenures can end in several ways: `segment`, `end`, `time_days`,
        `at_risk`, `events`, `incidence` with interval; else empty.
    comeback : DataFrame
        Of those who ended, how many were there again after how long:
        `segment`, `time_days` since the end, `at_risk`, `events`, `censored`,
        `comeback_rate` with interval. Empty for durations without it.
    sensitivity : DataFrame
        For inactivity measured from a log, the same with shorter and longer
        silences: `limit_days`, `segment`, `customers`, `events`, `median_days`,
        `survival` (at the horizon), `comeback_rate` (within the summary's
        `comeback_days`), each with interval. Under `dated="known"` curves of
        different silences are also shifted against each other.
    """

    overall_test: pd.DataFrame = field(default_factory=pd.DataFrame)
    incidence: pd.DataFrame = field(default_factory=pd.DataFrame)
    comeback: pd.DataFrame = field(default_factory=pd.DataFrame)
    sensitivity: pd.DataFrame = field(default_factory=pd.DataFrame)
    risk: pd.DataFrame = field(default_factory=pd.DataFrame)
    query: Query | None = None

    # -- read off the curve ------------------------------------------------------------------

    def at(self, *times: Any) -> pd.DataFrame:
        """Read the curve at chosen ages.

        Parameters
        ----------
        *times : str, timedelta or number
            Ages, as `"90d"`, or as numbers in the unit of the durations.

        Returns
        -------
        DataFrame
            `segment`, `time_days`, `survival` with interval; NaN after the last
            day that was watched.

        Examples
        --------
        >>> curve = jk.survival_curve(jk.Tenures.from_durations([30, 60, 90, 120], [1, 1, 0, 0]))
        >>> curve.at("45d", "90d")["survival"].tolist()
        [0.75, 0.5]
        """
        confidence = self.params["confidence"]
        read = curve_at(kaplan_meier(self.risk, confidence), [_age(time) for time in times], confidence)
        return self._shaped(read).drop(columns="survival_se")

    def given(self, active: Any, *times: Any) -> pd.DataFrame:
        """Read the curve for those still there at an age: the chance to be there later, too.

        Parameters
        ----------
        active : str, timedelta or number
            The age at which everybody considered is known to be there.
        *times : str, timedelta or number
            Later ages, counted from the start like the first.

        Returns
        -------
        DataFrame
            `segment`, `given_days`, `time_days`, `survival` with interval.

        Examples
        --------
        >>> curve = jk.survival_curve(jk.Tenures.from_durations([30, 60, 90, 120], [1, 1, 1, 0]))
        >>> curve.given("30d", "60d")["survival"].round(3).tolist()
        [0.667]
        """
        ages = [_age(time) for time in times]
        read = conditional_survival(self.risk, _age(active), ages, self.params["confidence"])
        return self._shaped(read).rename(columns={"given": "given_days"}).drop(columns="survival_se")

    def hazard(self, every: Any = "30d") -> pd.DataFrame:
        """Estimate the rate of leaving in each period of age: ends by days at risk.

        Parameters
        ----------
        every : str, timedelta or number
            Length of the periods.

        Returns
        -------
        DataFrame
            `segment`, `from_days`, `to_days`, `events`, `at_risk_days`,
            `hazard` (ends a day) with exact interval.

        Examples
        --------
        >>> curve = jk.survival_curve(jk.Tenures.from_durations([10, 20, 40, 60], [1, 1, 0, 1]))
        >>> curve.hazard("30d")[["from_days", "to_days", "events", "at_risk_days"]].values.tolist()
        [[0.0, 30.0, 2.0, 90.0], [30.0, 60.0, 1.0, 40.0]]
        """
        step = _age(every)
        if not step > 0:
            raise ParameterError(f"every must be longer than zero, got {every!r}")
        edges = np.arange(0, max(self.risk["time"].max(), step) + step, step)
        edges = edges[: max(2, int(np.searchsorted(edges, self.risk["time"].max())) + 1)]
        rates = period_hazard(self.risk, edges, self.params["confidence"])
        names = {"period_start": "from_days", "period_end": "to_days", "person_time": "at_risk_days"}
        return self._shaped(rates).rename(columns=names)

    def smoothed_hazard(self, bandwidth: Any = None) -> pd.DataFrame:
        """Estimate the rate of leaving as a smooth curve of age.

        Parameters
        ----------
        bandwidth : str, timedelta or number, optional
            Half the width of the window averaged over; chosen from the
            number of ends if not given.

        Returns
        -------
        DataFrame
            `segment`, `time_days`, `hazard` (ends a day) with interval.
        """
        width = None if bandwidth is None else _age(bandwidth)
        return self._shaped(smoothed_hazard(self.risk, width, confidence=self.params["confidence"]))

    def logrank(self, weights: str = "logrank", *, rho: float = 0, gamma: float = 0) -> pd.DataFrame:
        """Test whether the segments differ, with weights of your choice.

        Parameters
        ----------
        weights : {"logrank", "gehan", "tarone-ware", "peto", "fleming-harrington"}
            What counts more: early times with all but the first and the last.
        rho, gamma : float
            Powers of Fleming and Harrington's weights.

        Returns
        -------
        DataFrame
            One row: `statistic`, `degrees_of_freedom`, `p_value`.
        """
        test = logrank(self.risk, weights=weights, rho=rho, gamma=gamma)  # type: ignore[arg-type]  # it checks
        row = {"statistic": test.statistic, "degrees_of_freedom": test.degrees_of_freedom, "p_value": test.p_value}
        return pd.DataFrame([row])

    def at_risk(self, times: Any) -> pd.DataFrame:
        """Count who is watched at chosen ages: `segment`, `time_days`, `at_risk`."""
        return self._shaped(number_at_risk(self.risk, times))

    def _shaped(self, frame: pd.DataFrame) -> pd.DataFrame:
        return by_segment(frame, self.params["by"]).rename(columns={"time": "time_days"})

    # -- the same for all results ------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share still there by age, or where there are several ends the share of each; return the axes."""
        from journeykit.plots.churn import plot_survival

        return plot_survival(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the curves with the numbers at risk under them."""
        from journeykit.plots.churn import survival_figure

        return survival_figure(self)

    def customers(self, row: int | str, log: Any = None) -> pd.Index:
        """Return the customers who ended at a row of `table`, or all of a segment; computed again.

        Parameters
        ----------
        row : int or str
            Position in `table`, or a segment's name.
        log : InteractionLog or Tenures, optional
            What the curve was made of, if the result came from a file.
        """
        source = self._log(log)
        found = source if isinstance(source, Tenures) else tenures_of(source, self.query)  # type: ignore[arg-type]
        if isinstance(row, str):
            return customers_of(found, row)
        if not 0 <= row < len(self.table):
            raise ParameterError(f"row == {row}, must be from 0 to {len(self.table) - 1}")
        wanted = self.table.iloc[row]
        rows = found.table
        there = (rows["duration_days"] == wanted["time_days"]) & rows["event"]
        if "segment" in rows:
            there &= rows["segment"] == wanted["segment"]
        ids: pd.Index = pd.Index(rows.loc[there, "customer"])
        return ids

    may_differ: ClassVar[tuple[str, ...]] = ("horizon_days",)

    def comparable(self, other: Result) -> Comparable:
        """Read both curves at the same ages: see `compare`."""
        from journeykit.analyses.churn.comparing import comparable

        assert isinstance(other, SurvivalCurve)
        return comparable(self, other)

    def metrics(self) -> pd.DataFrame:
        """Flat records of each segment: median, survival and mean at the horizon, share who came back, counts."""
        found = []
        for row in records(self.summary):
            within = f"{row['horizon_days']:g} days"
            again = f"{row['comeback_days']:g} days"
            for name, base, unit, period in (
                ("customers", None, "customers", ""),
                ("events", None, "customers", ""),
                ("median_days", "customers", "days", ""),
                ("survival", "customers", "share", within),
                ("mean_days", "customers", "days", within),
                ("comeback_rate", "events", "share", again),
            ):
                record = {"name": name, "value": row[name], "unit": unit, "period": period}
                record |= {"low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}
                record |= {"n": row[base or name], "segment": segment(row)}
                found.append(record)
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say when half are gone, how many are there at the horizon, and how many of the gone came back."""
        rows = records(self.summary)
        sentences = [_headline(row) for row in rows] if len(rows) <= 3 else [_range(rows)]
        if self.overall_test.get("p_value", pd.Series()).notna().any():
            sentences.append(say("churn.segments_test", **records(self.overall_test)[0]))
        sentences += rule_sentences(self.params, int(self.summary["seen_at_start"].sum()))
        if not self.params["by"] and np.isfinite(rows[0]["comeback_rate"]):
            sentences.append(say("churn.comeback", **rows[0]))
        return " ".join(sentences)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        columns = ["segment", "customers", "events", "median_days", "horizon_days", "survival", "mean_days"]
        columns.append("comeback_rate")
        ended = [f"{name}_{side}" for name in columns for side in ("low", "high")]
        return self.summary[[name for name in self.summary if name in {*columns, *ended}]]


def survival_curve(
    source: InteractionLog | Tenures,
    *,
    churn: Inactivity | Cancel | None = None,
    start: Any = None,
    activity: Any = None,
    dated: str | None = None,
    washout: Any = None,
    by: str | None = None,
    horizon: Any = None,
    confidence: float = 0.95,
) -> SurvivalCurve:
    """Estimate how many customers are still there after how long.

    Kaplan–Meier over the tenures: customers still there at the end of
    observation are censored, never dropped and never counted as gone. Where
    tenures can end in several ways, the share of each is its cumulative
    incidence (Aalen–Johansen), and `survival` is the share that ended in none.

    Parameters
    ----------
    source : InteractionLog or Tenures
        A log, whose spans are counted without listing customers; or tenures,
        where sign-up dates, late entry, or durations from elsewhere matter.
    churn, start, activity, dated, washout
        As for `tenures`, when the source is a log.
    by : str, optional
        Column that splits customers, as known at the start. Tenures are
        split already.
    horizon : str, timedelta or number, optional
        Age at which survival and the restricted mean are read. If not given:
        the longest of 1 week, 2 weeks, 30, 60, 90, 180 days, 1, 2 and 3 years
        at which every segment has 25 customers watched, or else the longest age
        that all segments reach.
    confidence : float
        Coverage of each interval.

    Returns
    -------
    SurvivalCurve
        Curve, medians, comparison of segments, come-backs and sensitivity.

    Notes
    -----
    Kaplan & Meier (1958) with log(−log) intervals; medians by Brookmeyer &
    Crowley (1982); segments by log-rank (Mantel 1966) and restricted means
    (Royston & Parmar 2013). The share who came back is 1 − Kaplan–Meier of the
    time from the end until the next activity.

    Examples
    --------
    >>> weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    >>> relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    >>> curve = jk.survival_curve(jk.Tenures.from_durations(weeks, relapsed))
    >>> curve.table.loc[curve.table["events"] > 0, "survival"].round(4).tolist()
    [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    """
    check_confidence(confidence)
    if not hasattr(source, "tally") and not isinstance(source, Tenures):
        raise ParameterError(f"source must be a log or jk.Tenures, got {type(source).__name__}")
    given = {"churn": churn, "start": start, "activity": activity, "dated": dated, "washout": washout, "by": by}
    asked: Query | None = None
    if isinstance(source, Tenures):
        asked_before = source.params if source.query is None else {**source.params, "churn": source.query.churn}
        said = [name for name, value in given.items() if value is not None and value != asked_before.get(name)]
        if said:
            raise ParameterError(f"{', '.join(said)} must be said to jk.tenures: these tenures are measured already")
        counts, params, left_out = counts_of_tenures(source), dict(source.params), source.left_out
        known = source.query
    else:
        known = asked = settle(source, **given | {"dated": dated or "known"})
        counts, left_out = counts_of_log(source, asked)
        params = described(asked) | {"observed_until": as_timestamp(source.observed_until, source.timezone)}
    found = estimate(counts, None if horizon is None else _age(horizon), confidence)
    definition = "survival_curve/1" if known is None else definition_of(known, "survival")
    params |= {"horizon_days": found.horizon, "confidence": confidence, "definition": definition}
    # The query of tenures may know customers' sign-ups, and a result holds no customer.
    frames = (found.table, found.summary, found.incidence, found.comeback, found.sensitivity)
    table, summary, incidence, comeback, sensitivity = (by_segment(frame, params["by"]) for frame in frames)
    return SurvivalCurve(
        table, summary, found.comparison, left_out, params, source, found.overall_test, incidence, comeback,
        sensitivity, found.risk, asked,
    )  # fmt: skip


def _headline(row: dict[Any, Any]) -> str:
    median = "median" if np.isfinite(row["median_days"]) else "no_median"
    there = "there" if np.isfinite(row["survival"]) else "not_followed"
    said = {"half_gone": say(f"churn.{median}", **row), "still_there": say(f"churn.{there}", **row)}
    return say("churn.of_segment", segment=row["segment"], **said) if "segment" in row else say("churn.of_all", **said)


def _range(rows: list[dict[str, Any]]) -> str:
    """Say which of many segments keeps the most and which the fewest."""
    known = [row for row in rows if np.isfinite(row["survival"])] or rows
    most, fewest = (pick(known, key=lambda row: row["survival"]) for pick in (max, min))
    values = {f"{end}_{name}": row[name] for end, row in (("most", most), ("fewest", fewest)) for name in _RANGE}
    return say("churn.segment_range", segments=len(rows), horizon_days=most["horizon_days"], **values)


def _age(value: Any) -> Any:
    """Read an age: a duration of whole days, or a number in the durations' own unit."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        if not 0 <= value < np.inf:
            raise ParameterError(f"an age must be 0 or more, got {value!r}")
        return value
    return whole_days(value, name="age")
