"""Conversion as survival: who has converted after how long, whoever is still on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.counts import list_customers
from journeykit.analyses.conversion.estimate import estimate
from journeykit.analyses.conversion.grid import read_times
from journeykit.analyses.conversion.plan import RESERVED, Plan, make_plan
from journeykit.log.calendar import as_timestamp, range_shown
from journeykit.results.base import Result, left_out_table, metric_table
from journeykit.schema import SECOND, check_one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog
    from journeykit.results.comparable import Comparable


@dataclass(frozen=True, eq=False, repr=False)
class ConversionCurve(Result):
    """How many have converted after how long, those still on the way counted for the time they were watched.

    Attributes
    ----------
    table : DataFrame
        One row a time (and `segment`, with `by`): `time_seconds` since the
        entry, `at_risk` (entries still on the way just before, and watched
        until then), `events` (conversions since the row before), with
        `competing` `ended_otherwise` likewise, `censored` (entries that
        stopped being watched since the row before), `converted_rate` (0 to 1)
        with `converted_rate_low` and `converted_rate_high`; NaN where nobody
        was watched for so long.
    summary : DataFrame
        One row (a segment): `customers` who entered, `entries` (with
        `count="attempts"`), `converted`, with `competing` `ended_otherwise`,
        `unconverted` (watched for the whole window), `censored` (still on the
        way when observation ended), `followed_seconds` (the longest watched);
        `conversion_rate` at `horizon_seconds` (the window; without one, see
        `conversion_curve`); `median_seconds` and `p90_seconds`, by when half
        and nine tenths of *all* who entered had converted (NaN: not reached);
        `mean_seconds` without having converted, counting no more than the
        horizon. Each with `_low` and `_high`.
    comparison : DataFrame
        One row a pair of segments, empty with one (with more than 20, each
        against the first): `a`, `b`, `horizon_seconds`, `difference_rate` (b − a, at the horizon) with
        interval (unadjusted), `p_value`, `p_value_holm`; `test` of the whole
        curves (`"logrank"`; `"gray"` with `competing`; `"…_robust"` where a
        customer may have several entries), its `statistic`, `test_p_value`,
        `test_p_value_holm`.
    overall_test : DataFrame
        The same test of all segments at once: `test`, `statistic`,
        `degrees_of_freedom`, `p_value`.
    incidence : DataFrame
        With `competing`, one row a time and `end`: `time_seconds`, `at_risk`,
        `events`, `incidence` with interval. The first end is `"converted"`.
    watched : DataFrame
        `at_risk` at round times: the numbers under the picture.
    """

    overall_test: pd.DataFrame = field(default_factory=pd.DataFrame)
    incidence: pd.DataFrame = field(default_factory=pd.DataFrame)
    watched: pd.DataFrame = field(default_factory=pd.DataFrame)
    plan: Plan | None = field(default=None)

    topic: ClassVar[str] = "conversion"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curves with their intervals; return the axes."""
        from journeykit.plots.conversion import plot_conversion

        return plot_conversion(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the curves, with how many were still watched under them."""
        from journeykit.plots.conversion import conversion_figure

        return conversion_figure(self)

    def customers(self, row: str = "converted", log: Any = None, *, segment: str | None = None) -> pd.Index:
        """List the customers behind a number of the summary.

        Parameters
        ----------
        row : str
            `"entered"`, `"converted"`, `"unconverted"`, `"censored"`, or the
            name of a competing end.
        log : InteractionLog, optional
            Needed if the result was stored without its log.
        segment : str, optional
            The group, if the curve was split; all groups by default.

        Returns
        -------
        Index
            Their ids, sorted.
        """
        assert self.plan is not None
        check_one_of("row", row, [*RESERVED[1:], *self.plan.ends[1:]])
        if segment is not None:
            check_one_of("segment", segment, self.plan.labels)
        group = -1 if segment is None else self.plan.labels.index(segment)
        found: pd.Index = self._log(log).tally(list_customers, plan=self.plan, group=group, who=row).index
        return found.sort_values()

    def describe(self) -> str:
        """Say how many converted by the horizon, by when half had, and how the groups differ."""
        from journeykit.analyses.conversion.words import describe_curve

        return describe_curve(self)

    may_differ: ClassVar[tuple[str, ...]] = ("horizon_seconds",)

    def comparable(self, other: Result) -> Comparable:
        """Read both curves at the same times: see `compare`."""
        from journeykit.analyses.conversion.comparing import of_curve

        assert isinstance(other, ConversionCurve)
        return of_curve(self, other)

    def metrics(self) -> pd.DataFrame:
        """Conversion at the horizon, median and mean time, a group each."""
        records = []
        for row in self.summary.to_dict("records"):
            n = row.get("entries", row["customers"])
            for name, unit in (
                ("conversion_rate", "share"),
                ("median_seconds", "seconds"),
                ("mean_seconds", "seconds"),
            ):
                records.append(
                    {"name": name, "value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"], "n": n}
                    | {"unit": unit, "segment": row.get("segment", "")}
                )
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the columns of the summary that a reader wants to see first."""
        columns = ["segment", "customers", "entries", "converted", "ended_otherwise", "unconverted", "censored"]
        for name in ("conversion_rate", "median_seconds", "mean_seconds"):
            columns += [name, f"{name}_low", f"{name}_high"]
        return self.summary[[name for name in columns if name in self.summary]]


def conversion_curve(
    log: InteractionLog,
    steps: Any,
    *,
    within: Any = None,
    competing: Mapping[str, Any] | None = None,
    count: str = "customers",
    ties: str = "any",
    by: str | None = None,
    between: tuple[object, object] | None = None,
    times: Any = None,
    confidence: float = 0.95,
) -> ConversionCurve:
    """Estimate the share of customers who have converted, by the time since they entered.

    The clock starts at the customer's first step 1 and runs to the last step,
    through all steps in order; it is never restarted, so what is seen later
    has no part in when it started. Who has not converted when observation, or
    the window, ends is counted for the time that was watched, and neither as
    lost nor as won.

    Parameters
    ----------
    log : InteractionLog
        Interactions.
    steps : list
        Two or more steps: touchpoints, sets of them, stages or `jk.Step`.
    within : str or timedelta, optional
        The window: a conversion exactly then counts, a later one does not.
    competing : mapping of str to step, optional
        Other ends, by name: the first such event after the entry ends the
        clock unless the customer has converted by then. The shares of all ends
        are then cumulative incidences (Aalen–Johansen), never 1 − Kaplan–Meier.
    count : {"customers", "attempts"}
        Each customer's first step 1 in range, or each step 1 in range with a
        clock of its own; intervals and tests then sum within customers.
    ties : {"any", "stored"}
        Events of one customer at one instant: `"any"`, their order is unknown;
        they may match in ascending order of the steps, another end counts from a
        later instant than the entry's on, and conversion comes before it.
        `"stored"` trusts the order of the log.
    by : str, optional
        Split by a column: its value at the entry event; a value not known by
        then is missing, which is a group of its own.
    between : (start, end), optional
        Only step 1s inside start a clock; observation runs on.
    times : list of str, optional
        Times since the entry at which the table reads the curve. If not given:
        every time of a conversion, or 300 times spread over them.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    ConversionCurve
        The curve in `.table`, headline numbers in `.summary`. Without `within`
        they stand at the longest of 1 and 6 hours, 1, 3, 7, 14, 30, 60, 90 and
        180 days, 1, 2 and 3 years at which every segment has 25 entries watched.

    Notes
    -----
    Kaplan & Meier (1958), Aalen & Johansen (1978) with the variance of Dinse &
    Larson (1986), intervals on the scale log(−log). All censoring is by the
    calendar, so who ended otherwise could have been watched for a known time:
    the log-rank test that keeps them until then compares the incidences
    (Gray's test with known censoring times; Fine & Gray 1999). With attempts,
    each entry's influence is summed within its customer before it is squared
    (Lin & Wei 1989; Greenwood's variance with one entry a customer).

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "ann", "bob", "cy", "cy"],
    ...     "time": [f"2024-01-{day:02}" for day in (1, 10, 11, 6, 2, 4)],
    ...     "touchpoint": ["visit", "visit", "order", "visit", "visit", "order"],
    ... }), observed_until="2024-01-13")
    >>> curve = jk.conversion_curve(log, ["visit", "order"])
    >>> curve.table.loc[curve.table["events"] > 0, ["time_seconds", "at_risk", "converted_rate"]].round(3)
       time_seconds  at_risk  converted_rate
    1      172800.0        3           0.333
    2      864000.0        1           1.000
    """
    plan = make_plan(
        log,
        steps,
        within=within,
        competing=competing,
        count=count,
        ties=ties,
        by=by,
        between=between,
        confidence=confidence,
    )
    found = estimate(log, plan, read_times(times))
    return ConversionCurve(
        table=found.table,
        summary=found.summary,
        comparison=found.comparison,
        left_out=left_out_table({"conversion.not_entered": log.n_customers - found.entered}),
        params=_params(log, plan, found.horizon),
        log=log,
        overall_test=found.overall_test,
        incidence=found.incidence,
        watched=found.watched,
        plan=plan,
    )


def _params(log: Any, plan: Plan, horizon: float) -> dict[str, Any]:
    kind = ("_attempts" if plan.count == "attempts" else "") + ("_competing" if plan.others else "")
    return {
        "steps": [step.name for step in plan.steps],
        "within": None if plan.within is None else pd.Timedelta(plan.within, unit="us"),
        "within_seconds": None if plan.within is None else plan.within / SECOND,
        "horizon_seconds": horizon / SECOND if np.isfinite(horizon) else None,
        "competing": {name: step.name for name, step in plan.others},
        "count": plan.count,
        "ties": plan.ties,
        "unit": log.unit,
        "by": plan.by,
        "between": range_shown(plan.between, log.timezone),
        "confidence": plan.confidence,
        "observed_until": as_timestamp(log.observed_until, log.timezone),
        "definition": f"conversion_curve{kind}/1",
    }
