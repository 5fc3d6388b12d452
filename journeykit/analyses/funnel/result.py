"""What a funnel returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.funnel.matching import match, segments_of
from journeykit.analyses.funnel.plan import Plan
from journeykit.log.interactions import InteractionLog
from journeykit.results.base import Result, find_row, metric_table
from journeykit.schema import check_one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable

COUNTED = ("customers", "mature", "dropped", "open")
_NEVER = np.iinfo(np.int64).min


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
        - `step_rate`, `step_rate_low`, `step_rate_high`: share (0 to 1) of those
          at the required step before; NaN at the first.
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
        Why a customer is not among those that rates are over.
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
        check_one_of("counted", counted, COUNTED)
        assert self.plan is not None
        steps = pd.DataFrame({"step": self.plan.names})
        step = self.plan.names.index(find_row(steps, row, "step")) + 1
        if segment is not None:
            check_one_of("segment", segment, self.plan.labels)
        group = -1 if segment is None else self.plan.labels.index(segment)
        found = self._log(log).tally(find_customers, plan=self.plan, step=step, group=group, counted=counted)
        ids: pd.Index = found.index.sort_values()
        return ids

    def dropped(self, row: Any, log: Any = None, *, segment: str | None = None) -> pd.Index:
        """List the customers who reached a step and, in the time they had, went no further."""
        return self.customers(row, log, segment=segment, counted="dropped")

    def attempts(self, log: Any = None) -> pd.DataFrame:
        """Lay out one row per customer: the best attempt of those that rates are over.

        Returns
        -------
        DataFrame
            `customer`, `segment` (with `by`), `steps` (how far it came), and
            for each step a column of its name with the time at which it was
            filled, in the log's zone; NaT where it was not.
        """
        assert self.plan is not None
        whole = self._log(log)
        found = whole.tally(find_attempts, plan=self.plan)
        table = pd.DataFrame({"customer": found.index})
        if self.plan.by is not None:
            labels = np.array([*self.plan.labels, None], dtype=object)
            table["segment"] = labels[found["segment"].to_numpy()]
        table["steps"] = found["steps"].to_numpy()
        for k, name in enumerate(self.plan.names):
            times = found[f"time_{k + 1}"].to_numpy().astype("M8[us]")  # the smallest number is NaT
            table[name] = pd.DatetimeIndex(times, tz="UTC").tz_convert(whole.timezone)
        return table.sort_values("customer", ignore_index=True)

    # -- words and numbers ---------------------------------------------------------------------

    def metrics(self) -> pd.DataFrame:
        """Flat records: for each step its customers, rates and median time, and the conversion of the whole."""
        assert self.plan is not None
        names, base_steps = self.plan.names, self.plan.base_steps
        records = []
        for segment, rows in self._by_segment():
            n = dict(zip(rows[self.step_column], rows[self.base_column], strict=True))
            for at in rows.to_dict("records"):
                step = at[self.step_column]
                before = base_steps[names.index(step) + 1]
                n_before = n.get(names[before - 1], 0) if before else 0
                records.append(_record(f"{step}.customers", at["customers"], unit="customers", segment=segment))
                if n_before:
                    records.append(_rate_record(at, "step_rate", step, n_before, segment))
                    records.append(_rate_record(at, "reach_rate", step, rows[self.base_column].iloc[0], segment))
                if not np.isnan(at["entry_median_seconds"]):
                    seconds, reached = at["entry_median_seconds"], at[self.base_column]
                    records.append(
                        _record(f"{step}.entry_median_seconds", seconds, n=reached, unit="seconds", segment=segment)
                    )
        for at in self.summary.to_dict("records"):
            records.append(_rate_record(at, "conversion_rate", "", at[self.base_column], at.get("segment", "")))
        return metric_table(records, self.definition)

    @property
    def base_column(self) -> str:
        """The column that rates are over."""
        return "customers_mature" if self.params["rates_over"] == "mature" else "customers"

    def _by_segment(self) -> list[tuple[str, pd.DataFrame]]:
        if "segment" not in self.table:
            return [("", self.table)]
        return [(str(segment), rows) for segment, rows in self.table.groupby("segment", sort=False)]

    def describe(self) -> str:
        """Two or three sentences: how many converted, where most were lost, who is still on the way."""
        from journeykit.analyses.funnel.words import describe_funnel

        return describe_funnel(self)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        columns = [
            "segment",
            self.step_column,
            "customers",
            "customers_mature",
            "step_rate",
            "step_rate_low",
            "step_rate_high",
        ]
        columns += ["reach_rate", "reach_rate_low", "reach_rate_high", "median_seconds", "dropped", "open"]
        hidden = {"mature": (), "all": ("customers_mature",), "so_far": ("customers_mature", "dropped")}
        return self.table[[c for c in columns if c in self.table and c not in hidden[self.params["rates_over"]]]]

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


def _rate_record(at: Mapping[Any, Any], rate: str, step: str, n: Any, segment: str) -> dict[str, Any]:
    name = f"{step}.{rate}" if step else rate
    return _record(name, at[rate], at[f"{rate}_low"], at[f"{rate}_high"], n, "share", segment)


def _record(
    name: str,
    value: float,
    low: float = np.nan,
    high: float = np.nan,
    n: Any = np.nan,
    unit: str = "",
    segment: str = "",
) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "unit": unit,
        "segment": segment,
        "period": "",
    }


def find_customers(log: InteractionLog, plan: Plan, step: int, group: int, counted: str) -> pd.DataFrame:
    """Tally: the customers behind one number of the table."""
    found = match(log, plan, mature_rows=True, every_rows=True)
    mature = counted == "mature" or (counted == "dropped" and plan.base == "mature")
    attempts = found.mature if mature else found.every
    chosen = attempts.levels >= step
    if step in plan.optional:
        chosen &= attempts.rows[:, step - 1] >= 0
    if counted in ("dropped", "open"):
        still_open = found.late > 0
        chosen = (attempts.levels == step) & (step < plan.last_required)
        if counted == "open":
            chosen &= still_open
        elif plan.base != "mature":
            chosen &= ~still_open
    if group >= 0 and found.codes is not None:
        chosen &= segments_of(log, plan, attempts, found.codes) == group
    ids = log.customers[chosen]
    return pd.DataFrame({"n": np.ones(len(ids), np.int64)}, index=ids.rename("customer"))


def find_attempts(log: InteractionLog, plan: Plan) -> pd.DataFrame:
    """Tally: the chosen attempt of every customer that rates are over."""
    found = match(log, plan, mature_rows=True, every_rows=True)
    attempts = found.of(plan.base)
    entered = np.flatnonzero(attempts.levels > 0)
    columns = {"steps": attempts.levels[entered].astype(np.int64)}
    if found.codes is not None:
        columns["segment"] = segments_of(log, plan, attempts, found.codes)[entered].astype(np.int64)
    for k in range(plan.n_steps):
        row = attempts.rows[entered, k]
        times = np.full(len(entered), _NEVER)
        times[row >= 0] = log.times[log.offsets[entered][row >= 0] + row[row >= 0]]
        columns[f"time_{k + 1}"] = times
    return pd.DataFrame(columns, index=log.customers[entered].rename("customer"))
