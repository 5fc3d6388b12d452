"""What a funnel returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from journeykit.analyses.funnel.behind import (
    around_table,
    attempt_table,
    find_around,
    find_attempts,
    find_units,
    times_table,
)
from journeykit.analyses.funnel.plan import FOREVER, Plan, by_unit
from journeykit.errors import ParameterError
from journeykit.results.base import Result, find_row, metric_table
from journeykit.schema import check_one_of, duration_us

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable

COUNTED = ("customers", "mature", "dropped", "open")


@dataclass(frozen=True, eq=False, repr=False)
class FunnelResult(Result):
    """How far customers came through the steps of a funnel.

    Attributes
    ----------
    table : DataFrame
        One row per step, in order (and per group, `segment`, with `by`):

        - `step`: its name; a name that repeats is numbered, `order (2)`.
        - `customers`: the plain count of customers who reached the step.
        - `customers_mature`: those by the matching of mature entries alone;
          0 without `within`, since then nothing is mature.
        - `attempts` and `attempts_mature` with `count="attempts"`; `sessions`,
          `journeys` or `units` and the same with `_mature` with `unit=`: what
          rates, times, `dropped` and `open` are then about.
        - `step_rate`, `step_rate_low`, `step_rate_high`: share (0 to 1) of those
          at the required step before; NaN at the first. Where a customer can be
          counted several times, the interval is clustered by customer.
        - `reach_rate`, `reach_rate_low`, `reach_rate_high`: share of those at the
          first step shown (1 there, without interval).
        - `median_seconds`, `mean_seconds`, `p90_seconds`: time from the required
          step before; NaN at the first step and where nobody arrived.
        - `entry_median_seconds`, `entry_mean_seconds`, `entry_p90_seconds`: time
          from step 1.
        - `dropped`: customers, of those that rates are over, whose attempt went
          no further and whose window is over. 0 at the last required step, and
          everywhere without `within`.
        - `open`: customers, of the plain count, whose attempt went no further
          and whose window is still running.
        - With `value=`: `valued`, the events that filled the step and have a
          value; `total_value`, its sum; `mean_value` with `_low` and `_high`,
          per such event; `entry_value` with `_low` and `_high`, per entry at the
          first step shown (an event without a value adds nothing).

        Rates and times are over `customers_mature`; over `customers` with
        `maturity="all"` or without `within` (`params["rates_over"]` says
        which: `"mature"`, `"all"` or `"so_far"`).
    summary : DataFrame
        One row (a group): `customers`, `customers_mature` (who entered),
        `converted` (of those that rates are over), `conversion_rate` with
        `_low` and `_high`, `median_seconds` from step 1 to the last, and the
        biggest leak: `leak_step` and `leak_next_step` (between which two
        required steps), `leak_customers`, `leak_rate` (of those at
        `leak_step`) with `_low` and `_high`.
    comparison : DataFrame
        Every group against the first: `step`, `rate` (`"step_rate"` of each
        step; `"reach_rate"` of the last), `a`, `b`, `difference_rate` (b − a)
        with `_low` and `_high` (unadjusted), `p_value`, `p_value_holm` (all
        rows are one family). Empty without `by`.
    left_out : DataFrame
        Why a customer is not among those that rates are over: `reason`,
        `customers`, and the attempts or units left out where those are counted
        (of a customer with others that count, too).
    """

    plan: Plan | None = field(default=None)

    topic: ClassVar[str] = "funnel"
    step_column: ClassVar[str] = "step"

    # -- who -----------------------------------------------------------------------------------

    def customers(
        self, row: Any, log: Any = None, *, segment: str | None = None, counted: str = "customers"
    ) -> pd.Index:
        """List the customers behind a step.

        Parameters
        ----------
        row : str or int
            The step's name, or its position in the plan, from 0.
        log : InteractionLog, optional
            Needed if the result was stored without its log.
        segment : str, optional
            The group, if the funnel was split; all groups by default.
        counted : {"customers", "mature", "dropped", "open"}
            Which number: the column of that name (`"mature"` is
            `customers_mature`).

        Returns
        -------
        Index
            Their ids, sorted.

        Examples
        --------
        >>> log = jk.read_log(pd.DataFrame({
        ...     "customer": ["ann", "ann", "bob"],
        ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]),
        ...     "touchpoint": ["visit", "order", "visit"],
        ... }), observed_until="2024-02-01")
        >>> result = jk.funnel(log, ["visit", "order"], within="7d")
        >>> result.customers("order").tolist(), result.dropped("visit").tolist()
        (['ann'], ['bob'])
        """
        ids: pd.Index = pd.Index(self._behind(row, log, segment, counted)["customer"].unique(), name="customer")
        return ids.sort_values()

    def units(
        self, row: Any, log: Any = None, *, segment: str | None = None, counted: str = "customers"
    ) -> pd.DataFrame:
        """List the sessions, journeys or other units behind a step, with whose each is; options as in `customers`."""
        found = self._behind(row, log, segment, counted).drop_duplicates(ignore_index=True)
        return found if self.params["unit"] == "customer" else found.rename(columns={"unit": self.params["unit"]})

    def dropped(self, row: Any, log: Any = None, *, segment: str | None = None) -> pd.Index:
        """List the customers who reached a step and, in the time they had, went no further."""
        return self.customers(row, log, segment=segment, counted="dropped")

    def attempts(self, log: Any = None) -> pd.DataFrame:
        """Lay out the attempts that rates are over: one row per best attempt, or per attempt where all are counted.

        Returns
        -------
        DataFrame
            `customer`, the unit (with `unit=`), `attempt` (its number within
            the customer or unit, with `count="attempts"`), `segment` (with
            `by`), `steps` (how far it came), and for each step a column of its
            name with the time at which it was filled, in the log's zone; NaT
            where it was not. A name that is taken is numbered, `steps (2)`.
        """
        assert self.plan is not None
        whole = self._keyed(log)
        return attempt_table(whole.tally(find_attempts, plan=self.plan), self.plan, whole.timezone)

    def instead(self, row: Any, log: Any = None, *, segment: str | None = None) -> pd.DataFrame:
        """Tell what those did next who went no further than a step: `dropped`, or without `within` `open` so far.

        The first touchpoint after the event that filled the step, inside the
        window, that does not match the same step.

        Returns
        -------
        DataFrame
            Most frequent first: `next_touchpoint` (`funnel.stayed`: only more of
            the same step; `funnel.nothing`: nothing more), `customers` (or what
            else is counted), `next_rate` (share of those who stopped) with
            `_low` and `_high`.

        Examples
        --------
        >>> log = jk.read_log(pd.DataFrame({
        ...     "customer": ["ann", "ann", "bob"],
        ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02"]),
        ...     "touchpoint": ["cart", "support_question", "cart"],
        ... }), observed_until="2024-02-01")
        >>> result = jk.funnel(log, ["cart", jk.Step("order")], within="7d")
        >>> result.instead("cart")[["next_touchpoint", "customers", "next_rate"]]
            next_touchpoint  customers  next_rate
        0    funnel.nothing          1        0.5
        1  support_question          1        0.5
        """
        return self._around("next", row, log, segment, 1, FOREVER).drop(columns="steps_back")

    def before(
        self, row: Any, log: Any = None, *, n: int = 1, within: Any = None, segment: str | None = None
    ) -> pd.DataFrame:
        """Tell what came before a step: the funnel read backwards.

        Of the attempts that filled the step, the n touchpoints before the event
        that did, whether they are steps or not. What is tied with that event is
        not before it (with `ties="any"`).

        Parameters
        ----------
        row : str or int
            The step's name, or its position in the plan, from 0.
        log : InteractionLog, optional
            Needed if the result was stored without its log.
        n : int
            How many touchpoints to look back.
        within : str or Timedelta, optional
            How long before the step to look, inclusive; as long as the log goes
            by default.
        segment : str, optional
            The group, if the funnel was split.

        Returns
        -------
        DataFrame
            `steps_back` (1: directly before), then the most frequent first:
            `previous_touchpoint` (`funnel.nothing_before`: none), `customers`
            (or what else is counted), `previous_rate` (share of those who came
            to the step) with `_low` and `_high`.

        Examples
        --------
        >>> log = jk.read_log(pd.DataFrame({
        ...     "customer": ["ann", "ann", "ann", "bob", "bob"],
        ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-01", "2024-01-02"]),
        ...     "touchpoint": ["visit", "chatbot", "order", "visit", "order"],
        ... }), observed_until="2024-02-01")
        >>> result = jk.funnel(log, ["visit", "order"], within="7d")
        >>> result.before("order", n=2)[["steps_back", "previous_touchpoint", "customers"]]
           steps_back    previous_touchpoint  customers
        0           1                chatbot          1
        1           1                  visit          1
        2           2  funnel.nothing_before          1
        3           2                  visit          1
        """
        if n != int(n) or n < 1:
            raise ParameterError(f"n == {n!r}, must be 1 or more")
        window = FOREVER if within is None else duration_us(within, name="within")
        return self._around("previous", row, log, segment, int(n), window)

    def times(self, shares: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9), log: Any = None) -> pd.DataFrame:
        """Lay out percentiles of the times between steps, of those who came to each.

        Returns
        -------
        DataFrame
            One row per step (and `segment`) and share: `step`, `share`, how many
            came there, `seconds` from the required step before and
            `entry_seconds` from step 1 within which that share of them came.

        Examples
        --------
        >>> log = jk.load_sample("guitar_shop")
        >>> result = jk.funnel(log, ["cart", "order"], within="7d")
        >>> result.times([0.5])["seconds"].tolist() == result.table["median_seconds"].tolist()[1:]
        True
        """
        wrong = [share for share in shares if not 0 <= share <= 1]
        if wrong:
            raise ParameterError(f"shares must lie between 0 and 1, got {wrong[0]!r}")
        assert self.plan is not None
        return times_table(self._keyed(log), self.plan, list(shares))

    def _keyed(self, log: Any) -> Any:
        """Return the log, keyed by what is counted."""
        assert self.plan is not None
        found = self._log(log)
        return found if found.unit == self.plan.unit else by_unit(found, self.plan.unit)

    def _place(self, row: Any, segment: str | None) -> tuple[int, int]:
        """Number of a step, and of a group; -1 for all."""
        assert self.plan is not None
        steps = pd.DataFrame({"step": self.plan.names})
        step = self.plan.names.index(find_row(steps, row, "step")) + 1
        if segment is None:
            return step, -1
        check_one_of("segment", segment, self.plan.labels)
        return step, self.plan.labels.index(segment)

    def _behind(self, row: Any, log: Any, segment: str | None, counted: str) -> pd.DataFrame:
        check_one_of("counted", counted, COUNTED)
        step, group = self._place(row, segment)
        found: pd.DataFrame = self._keyed(log).tally(
            find_units, plan=self.plan, step=step, group=group, counted=counted
        )
        table: pd.DataFrame = found.index.to_frame(index=False)
        return table.sort_values(list(table.columns), ignore_index=True)

    def _around(self, what: str, row: Any, log: Any, segment: str | None, n: int, within: int) -> pd.DataFrame:
        assert self.plan is not None
        whole = self._keyed(log)
        step, group = self._place(row, segment)
        found = whole.tally(find_around, plan=self.plan, what=what, step=step, group=group, n=n, within=within)
        return around_table(found, self.plan, list(whole.touchpoints), what, n)

    # -- words and numbers ---------------------------------------------------------------------

    def metrics(self) -> pd.DataFrame:
        """Flat records: for each step its customers, rates and median time, and the conversion of the whole."""
        from journeykit.analyses.funnel.records import funnel_records

        return metric_table(funnel_records(self), self.definition)

    @property
    def base_column(self) -> str:
        """The column that rates are over."""
        assert self.plan is not None
        return self.plan.base_counted

    def describe(self) -> str:
        """Two or three sentences: how many converted, where most were lost, who is still on the way."""
        from journeykit.analyses.funnel.words import describe_funnel

        return describe_funnel(self)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        assert self.plan is not None
        counted = self.plan.counted
        columns = ["segment", self.step_column, "customers", "customers_mature", counted, f"{counted}_mature"]
        columns += [f"{rate}_rate{end}" for rate in ("step", "reach") for end in ("", "_low", "_high")]
        columns += ["median_seconds", "dropped", "open"]
        columns += ["total_value", "mean_value", "mean_value_low", "mean_value_high"]
        over = self.params["rates_over"]
        hidden = {"customers_mature", f"{counted}_mature"} if over != "mature" else set()
        if counted != "customers":
            hidden.add("customers_mature")
        if over == "so_far":
            hidden.add("dropped")
        return self.table[[c for c in dict.fromkeys(columns) if c in self.table and c not in hidden]]

    # -- beside another: `compare` -------------------------------------------------------------

    def comparable(self, other: Result) -> Comparable:
        """Lay out each step's rate, and the reach of the last step."""
        from journeykit.analyses.funnel.comparing import comparable

        return comparable(self)

    def split_by(self, by: str | None, log: Any = None) -> FunnelResult:
        """Ask the same again of the same log, split by another column (None: not split)."""
        from journeykit.analyses.funnel.comparing import asked_again

        return asked_again(self, by, self._log(log))

    # -- pictures ------------------------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the steps as bars with what is lost between them; with groups, their rates side by side."""
        from journeykit.plots.funnel import plot_funnel

        return plot_funnel(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the funnel; with groups, one for each."""
        from journeykit.plots.funnel import funnel_figure

        return funnel_figure(self)
