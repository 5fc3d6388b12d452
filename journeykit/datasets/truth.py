"""The true answers, computed from the parameters and never from the drawn events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from journeykit.datasets.clock import MINUTE, Clock, make_clock
from journeykit.datasets.entries import best_of_mature, from_first_touch
from journeykit.datasets.lattice import until
from journeykit.datasets.opinions import friction_table, satisfaction_table
from journeykit.datasets.parameters import Segment, ShopParameters
from journeykit.datasets.returning import first_order_days, retention_table, subscriptions
from journeykit.datasets.silences import cancel_survival, inactivity_survival
from journeykit.datasets.spine import BRANCHES, Reach, branches, joined, stages
from journeykit.errors import ParameterError
from journeykit.schema import check_one_of, duration_us

ALL = "all"


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated shop.

    Every number is a sum or convolution of the parameters' probabilities, on
    whole minutes or days; none is drawn. Tables have the columns of the
    analyses, and a row for each `segment` and for all of them (`"all"`) where
    a method takes `by="segment"`.

    Attributes
    ----------
    parameters : ShopParameters
        The shop.
    months : int
        The log's length, which decides what is mature and how cohorts are
        mixed.

    Examples
    --------
    >>> _, truth = jk.simulate_journeys(50, rng=1)
    >>> truth.friction()[["touchpoint", "step", "odds_ratio"]].head(2)
                  touchpoint  step  odds_ratio
    0              slow_page  cart    0.496585
    1  search_without_result  cart    0.606531
    """

    parameters: ShopParameters
    months: int = 18

    # -- funnels ---------------------------------------------------------------------------

    def stage_funnel(self, *, within: str = "30d", entry: str = "any", by: str | None = None) -> pd.DataFrame:
        """Reach the five digital stages in order, of customers with a mature entry.

        The ordered funnel of DEFINITIONS ("Funnels") over
        `StageModel.digital()`: awareness, consideration (the product page),
        purchase (an order or a subscription), retention (the first visit,
        answer or ticket after the delivery, or the first lesson), advocacy.

        Parameters
        ----------
        within : str
            The window, from the entry.
        entry : {"any", "first"}
            Best attempt, or the customer's first touch only. With "any", it is
            the expectation over all arrivals, of whose later attempts only some
            are mature at the log's end.
        by : {None, "segment"}
            One table for all, or each segment's rows as well.

        Returns
        -------
        DataFrame
            `stage`, `reach_rate`, `step_rate`, with `by` also `segment`.
        """
        names = ["awareness", "consideration", "purchase", "retention", "advocacy"]
        return self._funnel("stage", names, self._stage_reach, within, entry, by)

    def funnel(
        self, steps: Iterable[str], *, within: str = "30d", entry: str = "any", by: str | None = None
    ) -> pd.DataFrame:
        """Reach touchpoints in order, of customers with a mature entry.

        Parameters
        ----------
        steps : iterable of str
            `"awareness"` (the stage: any of the sources' touchpoints), then any
            of product_page, cart, checkout, store_visit, order, delivery, in
            this order.
        within, entry, by
            As in `stage_funnel`.

        Returns
        -------
        DataFrame
            `step`, `reach_rate`, `step_rate`, with `by` also `segment`.
        """
        names = list(steps)
        known = ["product_page", "cart", "checkout", "store_visit", "order", "delivery"]
        if names[:1] != ["awareness"] or not set(names[1:]) <= set(known) or len(set(names)) < len(names):
            raise ParameterError(f'steps must be "awareness", then some of {known} in this order, got {names}')

        def reach(segment: Segment, position: int) -> Reach:
            return self._touchpoint_reach(segment, names[1 : position + 1])

        return self._funnel("step", names, reach, within, entry, by)

    def _stage_reach(self, segment: Segment, position: int) -> Reach:
        return list(stages(self.parameters, segment).values())[position - 1]

    def _touchpoint_reach(self, segment: Segment, steps: list[str]) -> Reach:
        reaches = []
        for name, way in branches(self.parameters, segment).items():
            order = BRANCHES[name]
            if all(step in order for step in steps) and [s for s in order if s in steps] == steps:
                reaches.append(way[steps[-1]])
        return joined(reaches) if reaches else Reach(np.zeros(1), 0.0)

    def _funnel(
        self,
        column: str,
        names: list[str],
        reach: Callable[[Segment, int], Reach],
        within: str,
        entry: str,
        by: str | None,
    ) -> pd.DataFrame:
        check_one_of("entry", entry, ("any", "first"))
        window = duration_us(within, name="within") // MINUTE
        limit = 1440 * self.parameters.again_from_day - (
            (len(self.parameters.more_touches) - 1) * self.parameters.touch_gap.max_minutes
        )
        if entry == "any" and window > limit:
            raise ParameterError(
                f'within == {within!r}: attempts are told apart only up to {limit / 1440:.1f} days; say entry="first"'
            )

        def rates(segment: Segment) -> np.ndarray:
            reached = [1.0]
            for position in range(1, len(names)):
                each = reach(segment, position)
                if entry == "first":
                    reached.append(until(from_first_touch(self.parameters, segment, each), window))
                else:
                    base, best = best_of_mature(self.parameters, segment, each, self.clock, window)
                    reached.append(best / base)
            return np.array(reached)

        def table(reached: np.ndarray) -> pd.DataFrame:
            before = np.concatenate([reached[:1], reached[:-1]])
            return pd.DataFrame({column: names, "reach_rate": reached, "step_rate": reached / before})

        # Segment and arrival are independent, so that every mature base has the same mix.
        return self._each_segment(rates, table, by)

    # -- times -----------------------------------------------------------------------------

    def conversion_curve(
        self, *, to: str = "order", days: Iterable[float] = range(1, 181), by: str | None = None
    ) -> pd.DataFrame:
        """Share of customers converted by each time after their first touch.

        Columns: `time_days`, `converted_rate`, with `by` also `segment`.

        Parameters
        ----------
        to : str
            A touchpoint of `funnel`, or a stage after awareness.
        days : iterable of float
            Times after the first touch; exactly that time counts.
        by : {None, "segment"}
            As in `stage_funnel`.
        """
        times = list(days)

        def rates(segment: Segment) -> np.ndarray:
            mass = from_first_touch(self.parameters, segment, self._goal(segment, to))
            return np.array([until(mass, int(day * 1440)) for day in times])

        def table(converted: np.ndarray) -> pd.DataFrame:
            return pd.DataFrame({"time_days": times, "converted_rate": converted})

        return self._each_segment(rates, table, by)

    def time_to_convert(self, *, to: str = "order", by: str | None = None) -> pd.DataFrame:
        """Days from the first touch to the conversion, of those who ever convert.

        Columns: `converted_rate` (ever), `mean_days`, `median_days`,
        `p90_days`. Parameters as in `conversion_curve`.
        """
        length = 1440 * 365 * 5

        def mass(segment: Segment) -> np.ndarray:
            padded = np.zeros(length)
            found = from_first_touch(self.parameters, segment, self._goal(segment, to))[:length]
            padded[: len(found)] = found
            return padded

        def table(minutes: np.ndarray) -> pd.DataFrame:
            total = minutes.sum()
            reached = np.cumsum(minutes) / total
            mean = float(minutes @ np.arange(length)) / total
            quantiles = [float(np.searchsorted(reached, q)) / 1440 for q in (0.5, 0.9)]
            row = {"converted_rate": total, "mean_days": mean / 1440, "median_days": quantiles[0]}
            return pd.DataFrame([{**row, "p90_days": quantiles[1]}])

        return self._each_segment(mass, table, by)

    def _goal(self, segment: Segment, to: str) -> Reach:
        names = ["consideration", "purchase", "retention", "advocacy"]
        if to in names:
            return stages(self.parameters, segment)[to]
        known = ["product_page", "cart", "checkout", "store_visit", "order", "delivery"]
        check_one_of("to", to, [*known, *names])
        return self._touchpoint_reach(segment, [to])

    # -- coming back, leaving ----------------------------------------------------------------

    def retention(self, *, period: str = "month", back: str = "product_page", by: str | None = None) -> pd.DataFrame:
        """Expected retention after the first order, of finished cells.

        Cohorts by the calendar period of the first order (`cohort="first"`,
        `start="order"`), mode "on": who does `back` in a later period. Column
        0 is the cohort itself.

        Parameters
        ----------
        period : {"day", "week", "month", "quarter", "year"}
            The calendar period; weeks begin on Monday.
        back : {"product_page", "order"}
            What counts as back.
        by : {None, "segment"}
            As in `stage_funnel`.

        Returns
        -------
        DataFrame
            `cohort` (a Period), `age`, `cohort_rate` (share of all
            customers of the log who are in the cohort), `back_rate`.
        """
        check_one_of("period", period, ("day", "week", "month", "quarter", "year"))
        check_one_of("back", back, ("product_page", "order"))
        check_one_of("by", by, (None, "segment"))

        def table(segments: tuple[Segment, ...]) -> pd.DataFrame:
            return retention_table(self.parameters, self.clock, period=period, back=back, segments=segments)

        if by is None:
            return table(self.parameters.segments)
        parts = {each.name: table((each,)) for each in self.parameters.segments}
        return _stack({**parts, ALL: table(self.parameters.segments)})

    def survival_curve(
        self,
        *,
        churn: str = "inactivity",
        silence: str = "90d",
        activity: str = "order",
        horizon: int = 365,
        by: str | None = "segment",
    ) -> pd.DataFrame:
        """Survival past each day: `time_days`, `survival`, with `by` also `segment`.

        Parameters
        ----------
        churn : {"inactivity", "cancel"}
            `"inactivity"`: from the day of the first order to the first
            crossing of `silence` days without `activity` (`Inactivity`).
            `"cancel"`: from subscription_started to subscription_cancelled
            (`Cancel`), every subscription a spell.
        silence : str
            Whole days.
        activity : {"order", "product_page"}
            What ends a silence. With "product_page" the first order counts as
            the first activity.
        horizon : int
            The last day.
        by : {"segment", None}
            Each segment's curve, and all of them mixed as their first orders
            (or subscriptions) in the log are expected to be; or the mix alone.

        Notes
        -----
        A pooled curve from a log drifts from the mix where segments are
        censored differently; the segments' own curves do not.
        """
        check_one_of("churn", churn, ("inactivity", "cancel"))
        check_one_of("activity", activity, ("order", "product_page"))
        days = duration_us(silence, name="silence") // (1440 * MINUTE)

        def curve(segment: Segment) -> np.ndarray:
            if churn == "cancel":
                return cancel_survival(self.parameters, segment, horizon)
            return inactivity_survival(self.parameters, segment, activity=activity, silence=int(days), horizon=horizon)

        def table(survival: np.ndarray) -> pd.DataFrame:
            return pd.DataFrame({"time_days": np.arange(horizon + 1), "survival": survival})

        weights = [segment.share * self._starts(segment, churn) for segment in self.parameters.segments]
        return self._each_segment(curve, table, by, weights=weights)

    def _starts(self, segment: Segment, churn: str) -> float:
        """Share of a segment's customers who start, in the log, what can end."""
        if churn == "cancel":
            return subscriptions(self.parameters, segment, self.clock)
        return float(first_order_days(self.parameters, segment, self.clock).sum())

    # -- experience --------------------------------------------------------------------------

    def friction(self) -> pd.DataFrame:
        """Each friction, how often it is met, and what it does by construction.

        Returns
        -------
        DataFrame
            `touchpoint`; `step` (what it hinders) and `base` (who can meet it:
            first attempts on the web after the product page, or after the
            checkout); `prevalence_rate`; `step_with_rate`, `step_without_rate`
            and their `step_difference`; `odds_ratio` (conditional: given the
            segment and all other frictions); `order_difference`, its effect on
            ordering in the attempt. The last row is the pure-noise exposure,
            with no effect.
        """
        return friction_table(self.parameters)

    def satisfaction(self) -> pd.DataFrame:
        """Expected answers to surveys that belong to an order, by the delivery's punctuality.

        Returns
        -------
        DataFrame
            `punctuality`, `days_late_low` and `days_late_high`, `delivery_rate`
            (share of deliveries), `nps` (−100 to 100), `promoter_rate`,
            `detractor_rate`, `csat_rate` (top two of 1–5), `csat_mean`.
        """
        return satisfaction_table(self.parameters)

    def trial_conversion(self) -> pd.DataFrame:
        """Share of trials that become a subscription on day `trial_days`, by segment: `segment`, `converted_rate`."""
        rows = [(each.name, each.paid) for each in self.parameters.segments]
        return pd.DataFrame(rows, columns=["segment", "converted_rate"])

    # -- help --------------------------------------------------------------------------------

    @cached_property
    def clock(self) -> Clock:
        """The observed days and their arrivals."""
        return make_clock(self.parameters, self.months)

    def _each_segment(
        self,
        rates: Callable[[Segment], np.ndarray],
        table: Callable[[np.ndarray], pd.DataFrame],
        by: str | None,
        *,
        weights: Iterable[float] | None = None,
    ) -> pd.DataFrame:
        """Make a table of the mix, and with `by` one of each segment."""
        check_one_of("by", by, (None, "segment"))
        each = {segment.name: rates(segment) for segment in self.parameters.segments}
        shares = np.array([segment.share for segment in self.parameters.segments] if weights is None else list(weights))
        mixed = table(np.asarray((shares / shares.sum()) @ np.stack(list(each.values()))))
        if by is None:
            return mixed
        return _stack({**{name: table(values) for name, values in each.items()}, ALL: mixed})


def _stack(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Put tables under each other, with the name of each in the first column."""
    for name, table in tables.items():
        table.insert(0, "segment", name)
    return pd.concat(tables.values(), ignore_index=True)
