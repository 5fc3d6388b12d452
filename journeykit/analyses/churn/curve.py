"""Survival curves: how many customers are still there after how long, and what is read off the curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.churn.counts import counts_of_silences, has_silences
from journeykit.analyses.churn.estimate import log_rank_row, sensitivity
from journeykit.analyses.churn.listing import Tenures, customers_of
from journeykit.analyses.churn.measured import tenures_of
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.renewals import renewal_rates
from journeykit.analyses.churn.sentences import headline, most_and_fewest
from journeykit.analyses.churn.shared import (
    NOT_INTERACTIONS,
    ChurnResult,
    age,
    by_segment,
    in_unit,
    records,
    rule_sentences,
    segment,
    unit_of,
)
from journeykit.errors import ParameterError
from journeykit.estimators.conditional import conditional_survival
from journeykit.estimators.hazards import period_hazard, smoothed_hazard
from journeykit.estimators.repeats import Repeats
from journeykit.estimators.risk import number_at_risk
from journeykit.estimators.survival import curve_at, kaplan_meier
from journeykit.results.base import Result, metric_table
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable


@dataclass(frozen=True, eq=False, repr=False)
class SurvivalCurve(ChurnResult):
    """How many customers are still there after how long.

    Under `Contract` ages are terms, and the names of their columns end in
    `_terms` where they here end in `_days`. Under `Cancel` and `Contract` a
    customer may have several spells: curves are of spells, and intervals and
    tests take those of one customer together (but for the hazards').

    Attributes
    ----------
    table : DataFrame
        One row per day on which anybody enters or leaves (and `segment`, with
        `by`): `time_days`, `at_risk`, `events`,
        `censored`, `entered`; `survival` (the share still there, 0 to 1)
        with `survival_low`, `survival_high`; `cumulative_hazard`, likewise.
    summary : DataFrame
        One row a segment, or one: `customers`, `spells` (where customers may
        have several), `events`, `censored`, `followed_days`
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
    """

    overall_test: pd.DataFrame = field(default_factory=pd.DataFrame)
    incidence: pd.DataFrame = field(default_factory=pd.DataFrame)
    comeback: pd.DataFrame = field(default_factory=pd.DataFrame)
    risk: pd.DataFrame = field(default_factory=pd.DataFrame)
    repeats: Repeats | None = None
    query: Query | None = None

    @property
    def unit(self) -> str:
        """What ages are counted in: `"days"`, or the `"terms"` of a contract."""
        return unit_of(self.params)

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """The same with shorter and longer silences, for inactivity measured from a log; else empty.

        `limit_days`, `segment`, `customers`, `events`, `median_days`,
        `survival` (at the horizon), `comeback_rate` (within the summary's
        `comeback_days`), each with interval. Under `dated="known"` curves of
        different silences are also shifted against each other. It is counted
        when it is first asked for.
        """
        source, query = self.log, self.query
        if isinstance(source, Tenures):
            source, query = source.log, source.query
        if query is None or not has_silences(source, query):
            return pd.DataFrame()
        found = sensitivity(counts_of_silences(source, query), self.params["horizon_days"], self.params["confidence"])
        return by_segment(found, self.params["by"])

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the log, but with what was to be counted from it."""
        return super().__getstate__() | {"sensitivity": self.sensitivity}

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
        curve = kaplan_meier(self.risk, confidence, repeats=self.repeats)
        read = curve_at(curve, [age(time, self.unit) for time in times], confidence)
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
        first, *ages = [age(time, self.unit) for time in (active, *times)]
        read = conditional_survival(self.risk, first, ages, self.params["confidence"], repeats=self.repeats)
        return self._shaped(read.rename(columns={"given": "given_days"})).drop(columns="survival_se")

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
        step = age(every, self.unit)
        if not step > 0:
            raise ParameterError(f"every must be longer than zero, got {every!r}")
        edges = np.arange(0, max(self.risk["time"].max(), step) + step, step)
        edges = edges[: max(2, int(np.searchsorted(edges, self.risk["time"].max())) + 1)]
        # Who may leave on day 0 is watched from -1 on: that day belongs to the first period.
        begin = min(0, self.risk["time"].min())
        rates = period_hazard(self.risk, np.append(begin, edges[1:]), self.params["confidence"])
        rates["period_start"] = rates["period_start"].clip(lower=0)
        names = {"period_start": "from_days", "period_end": "to_days", "person_time": "at_risk_days"}
        return self._shaped(rates.rename(columns=names))

    def renewals(self) -> pd.DataFrame:
        """Tell the renewal rate of each term of a contract.

        Returns
        -------
        DataFrame
            `segment`, `term`, `decided` (spells whose term ended), `renewed`,
            `renewal_rate` with interval.
        """
        if self.unit != "terms":
            raise ParameterError("renewals are those of a Contract")
        return by_segment(renewal_rates(self.risk, self.repeats, self.params["confidence"]), self.params["by"])

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
        width = None if bandwidth is None else age(bandwidth, self.unit)
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
        return log_rank_row(self.risk, self.repeats, weights=weights, rho=rho, gamma=gamma)

    def at_risk(self, times: Any) -> pd.DataFrame:
        """Count who is watched at chosen ages: `segment`, `time_days`, `at_risk`."""
        return self._shaped(number_at_risk(self.risk, times))

    def _shaped(self, frame: pd.DataFrame) -> pd.DataFrame:
        return in_unit(by_segment(frame, self.params["by"]).rename(columns={"time": "time_days"}), self.unit)

    # -- the same for all results ------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share still there by age, or where there are several ends the share of each; return the axes."""
        from journeykit.plots.churn import plot_survival

        return plot_survival(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the curves with the numbers at risk under them."""
        from journeykit.plots.churn import survival_figure

        return survival_figure(self)

    def plot_hazard(self, every: Any = None, ax: Axes | None = None) -> Axes:
        """Draw the rate of leaving by age, per period (a month, or a term, if not given) and smoothed; return the axes.

        Parameters
        ----------
        every : str, timedelta or number, optional
            Length of the periods.
        ax : Axes, optional
            Where to draw.
        """
        from journeykit.plots.churn_curve import plot_hazard

        step = (30 if self.unit == "days" else 1) if every is None else every
        return plot_hazard(self, self.hazard(step), self.smoothed_hazard(), ax=ax)

    def plot_given(self, *active: Any, ax: Axes | None = None) -> Axes:
        """Draw how much longer customers stay who are still there at an age, a line for each; return the axes.

        Parameters
        ----------
        *active : str, timedelta or number
            Ages at which customers are known to be there.
        ax : Axes, optional
            Where to draw.
        """
        from journeykit.plots.churn_curve import plot_given

        if "segment" in self.summary and len(self.summary) > 1:
            raise ParameterError(
                "plot_given draws a line for each age: choose a segment with log.customers_where first"
            )
        last = self.risk["time"].max()
        curves = []
        for each in (age(one, self.unit) for one in active or (0,)):
            times = self.risk["time"][self.risk["time"] >= each].tolist()
            curves.append((each, self.given(each, *times)))
        if not any(len(rows) for _, rows in curves):
            raise ParameterError(f"nobody is watched at {active}: the longest watched age is {last}")
        return plot_given(self, curves, ax=ax)

    def plot_sensitivity(self, ax: Axes | None = None) -> Axes:
        """Draw what other silences would have said: who is still there, and who came back; return the axes."""
        from journeykit.plots.churn_curve import plot_sensitivity

        if self.sensitivity.empty:
            raise ParameterError("there are no other silences: sensitivity is for Inactivity, measured from a log")
        return plot_sensitivity(self, ax=ax)

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
        there = (rows[f"duration_{self.unit}"] == wanted[f"time_{self.unit}"]) & rows["event"]
        if "segment" in rows:
            there &= rows["segment"] == wanted["segment"]
        ids: pd.Index = pd.Index(rows.loc[there, "customer"])
        return ids

    may_differ: ClassVar[tuple[str, ...]] = ("horizon_days", "horizon_terms")

    def comparable(self, other: Result) -> Comparable:
        """Read both curves at the same ages: see `compare`."""
        from journeykit.analyses.churn.comparing import comparable

        assert isinstance(other, SurvivalCurve)
        return comparable(self, other)

    def metrics(self) -> pd.DataFrame:
        """Flat records of each segment: median, survival and mean at the horizon, share who came back, counts."""
        found = []
        for row in records(self.summary):
            unit = self.unit
            within = f"{row[f'horizon_{unit}']:g} {unit}"
            again = f"{row['comeback_days']:g} days"
            for name, base, kind, period in (
                ("customers", None, "customers", ""),
                ("events", None, "customers", ""),
                (f"median_{unit}", "customers", unit, ""),
                ("survival", "customers", "share", within),
                (f"mean_{unit}", "customers", unit, within),
                ("comeback_rate", "events", "share", again),
            ):
                record = {"name": name, "value": row[name], "unit": kind, "period": period}
                record |= {"low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}
                record |= {"n": row[base or name], "segment": segment(row)}
                found.append(record)
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say when half are gone, how many are there at the horizon, and how many of the gone came back."""
        rows = records(self.summary)
        sentences = [headline(row, self.unit) for row in rows] if len(rows) <= 3 else [most_and_fewest(rows, self.unit)]
        if self.overall_test.get("p_value", pd.Series()).notna().any():
            sentences.append(say("churn.segments_test", **records(self.overall_test)[0]))
        sentences += rule_sentences(self.params, int(self.summary["seen_at_start"].sum()))
        if not self.params["by"] and np.isfinite(rows[0]["comeback_rate"]):
            sentences.append(say("churn.comeback", **rows[0]))
        return " ".join(sentences)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        columns = ["segment", "customers", "spells", "events"]
        columns += [f"median_{self.unit}", f"horizon_{self.unit}", "survival", f"mean_{self.unit}"]
        columns.append("comeback_rate")
        ended = [f"{name}_{side}" for name in columns for side in ("low", "high")]
        shown = self.summary[[name for name in self.summary if name in {*columns, *ended}]]
        return shown.rename(columns=NOT_INTERACTIONS)
