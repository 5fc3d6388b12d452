"""What `retention` returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.retention.design import Design, cohort_labels, make_grid
from journeykit.analyses.retention.say import described, metric_records
from journeykit.analyses.retention.values import MAIN
from journeykit.analyses.retention.who import list_customers
from journeykit.errors import ParameterError
from journeykit.estimators.decomposition import separate_patterns, split_change
from journeykit.journey.groups import require_group
from journeykit.results.base import Result, metric_table
from journeykit.schema import check_one_of, did_you_mean
from journeykit.text import format_value, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable

_SHOWN_AGES = 13


@dataclass(frozen=True, eq=False, repr=False)
class RetentionResult(Result):
    """Who came back after they started, by cohort and age.

    Attributes
    ----------
    table : DataFrame
        One row per cohort and age (and `segment`, with `by`), every one of
        them, also where nobody started: `cohort` (a calendar period; the local
        time for hours; a name with `cohorts_by`); `age` (periods after the
        start; the first of the column with `columns`, and then `age_last`);
        `customers` (size of the cohort); `base` (denominator: customers whose
        column has fully elapsed, or with `base="previous"` those of them who
        were back in the column before); `back` (customers of the base, or with
        "previous" of the elapsed, who came back; missing where nobody's column
        has elapsed); `back_rate` with `back_rate_low` and `back_rate_high`;
        `back_so_far` (who came back, whether or not the column has elapsed;
        missing where it has not begun); with `measure="sum"` or `"mean"`:
        `sum_value` (over the base), `so_far_value` (over everybody, whether or
        not the column has elapsed), and for means `mean_value` (per customer
        of the base) with `mean_value_low` and `mean_value_high`; `status` ("finished", "unfinished",
        "future", "so far"); `note` ("seen at start": may have been customers
        before the log began; "partial": only part of its period counts).
    summary : DataFrame
        One row per age (and `segment`), over the finished cells of cohorts
        that have somebody: `cohorts` (how many), `base`, `back`, `back_rate`
        with its interval, `sum_value` and `mean_value` with its interval where
        they were asked for, `method` ("pooled" or "simple").
    comparison : DataFrame
        Every segment `b` against the first, `a`: `kind` ("age": the overall
        rates at that `age`; "curve": their mean over ages 1 to `age`),
        `difference_rate` (b − a; of means, `difference`) with its interval,
        `p_value`, `p_value_holm`.
    """

    design: Design | None = field(default=None)

    topic: ClassVar[str] = "retention"

    # -- cells -----------------------------------------------------------------------------

    @property
    def main(self) -> str:
        """The column that the measure is about: `"back_rate"`, `"sum_value"` or `"mean_value"`."""
        return MAIN[self.params["measure"]]

    def matrix(self, column: str | None = None, *, segment: str | None = None) -> pd.DataFrame:
        """Lay one column of the table out as cohorts × ages.

        Parameters
        ----------
        column : str, optional
            A column of the table, `"back"`, `"status"` …; by default what was
            measured: `"back_rate"`, `"sum_value"` or `"mean_value"`.
        segment : str, optional
            Which segment, where there are several.

        Returns
        -------
        DataFrame
            Cohorts down, ages across. Missing means unfinished or future
            (`matrix("status")` says which); a true zero is 0.
        """
        column = self.main if column is None else column
        check_one_of("column", column, self.table.columns)
        rows = self._of_segment(self.table, segment)
        n_ages = rows["age"].nunique()
        values = rows[column].array
        data = {age: values[place::n_ages] for place, age in enumerate(rows["age"].iloc[:n_ages])}
        matrix = pd.DataFrame(data, index=pd.Index(rows["cohort"].array[::n_ages], name="cohort"))
        return matrix.rename_axis(columns="age")

    def _of_segment(self, table: pd.DataFrame, segment: str | None) -> pd.DataFrame:
        if "segment" not in table:
            if segment is not None:
                raise ParameterError(f"this result has no segments, got segment={segment!r}")
            return table
        known = list(table["segment"].unique())
        if segment is None and len(known) == 1:
            return table
        if segment not in known:
            raise ParameterError(f"say which segment= of {known}, got {segment!r}")
        return table[table["segment"] == segment]

    def split_change(self, a: Any, b: Any, *, age: int = 1) -> pd.DataFrame:
        """Split the change of the rate from cohort `a` to cohort `b` into mix and rate effects, by segment.

        The overall rate is the sum over segments of share × rate. The *mix*
        effect of a segment is what the change of its share adds, at the mean of
        its two rates less the overall one; its *own* effect, what the change of
        its rate adds, at the mean of its two shares. Together they are the
        whole change: nothing is left over (Kitagawa 1955).

        Parameters
        ----------
        a, b : str, Period or Timestamp
            Cohorts whose cell of that age is finished.
        age : int
            Which column.

        Returns
        -------
        DataFrame
            One row a segment and, last, `"overall"`: `base_a`, `a_share`,
            `a_rate`, the same of `b`, `mix_rate_difference`,
            `own_rate_difference` and their sum `rate_difference`, each with
            the interval of a customer bootstrap.
        """
        if "segment" not in self.table:
            raise ParameterError("a change is split by segments: ask retention with by=")
        if self.params["base"] != "cohort" or self.params["cohort"] == "every":
            raise ParameterError('a change is split for base="cohort" and cohorts that share no customer')
        counts = []
        for cohort in (a, b):
            rows = self.table[(self.table["cohort"].map(str) == str(cohort)) & (self.table["age"] == age)]
            if rows.empty or (rows["status"] != "finished").any():
                known = self.table.loc[(self.table["age"] == age) & (self.table["status"] == "finished"), "cohort"]
                shown = list(dict.fromkeys(map(str, known)))
                raise ParameterError(f"{cohort!r} has no finished age {age}: {did_you_mean(str(cohort), shown)}")
            counts.append((rows["base"].to_numpy(), rows["back"].to_numpy(dtype=np.int64)))
        return split_change(list(rows["segment"]), separate_patterns(*counts), self.params["confidence"])

    def customers(
        self, cohort: Any, age: int = 0, *, segment: str | None = None, back: bool = True, log: Any = None
    ) -> pd.Index:
        """List the customers behind a cell.

        Parameters
        ----------
        cohort : str, Period or Timestamp
            The row, for example `"2024-03"`.
        age : int
            The column; 0 is the whole cohort.
        segment : str, optional
            Only this segment.
        back : bool
            Those who came back there so far (`back_so_far` of them), or those
            of the cohort who did not.
        log : InteractionLog, optional
            The log, where the result was stored without it.

        Returns
        -------
        Index
            Ids, sorted.
        """
        source, design = self._log(log), self._design()
        grid = make_grid(source, design)
        ages = grid.lows.tolist()
        if age not in ages:
            raise ParameterError(f"age must be among {ages[:12]}{' …' if len(ages) > 12 else ''}, got {age!r}")
        place = cohort if design.cohorts_by else self._cohort_position(source, cohort)
        if design.cohorts_by:
            check_one_of("cohort", cohort, self.table["cohort"].unique())
        if segment is not None:
            self._of_segment(self.table, segment)
        tally = source.tally(
            list_customers, design=design, segment=segment, cohort=place, column=ages.index(age), back=back
        )
        found: pd.Index = tally.index.sort_values()
        return found

    def _design(self) -> Design:
        assert self.design is not None
        return self.design

    def _cohort_position(self, log: Any, cohort: Any) -> int:
        design = self._design()
        labels = cohort_labels(log, design, make_grid(log, design))
        try:
            wanted: Any = pd.Period(cohort, freq=labels.freqstr) if isinstance(labels, pd.PeriodIndex) else None
            if wanted is None:
                wanted = pd.Timestamp(cohort)
                wanted = wanted.tz_localize(log.timezone) if wanted.tzinfo is None else wanted
            place = int(labels.get_indexer(pd.Index([wanted]))[0])
        except (ValueError, TypeError):
            place = -1
        if place < 0:
            raise ParameterError(f"{cohort!r} is not a cohort: {did_you_mean(cohort, labels)}")
        return place

    # -- beside another: `compare` ---------------------------------------------------------

    def comparable(self, other: Result) -> Comparable:
        """Lay out the overall row by age, and as a curve over the ages that both have."""
        from journeykit.analyses.retention.comparing import comparable

        assert isinstance(other, RetentionResult)
        return comparable(self, other)

    def split_by(self, by: str | None, log: Any = None) -> RetentionResult:
        """Ask the same again of the same log, split by another column (None: not split)."""
        from journeykit.analyses.retention.analysis import finish

        source, params = self._log(log), self.params
        require_group(source, by)
        return finish(source, replace(self._design(), by=by), params["measure"], params["value"], params["confidence"])

    # -- looks -----------------------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the cohorts as a triangle of rates (with segments: their overall curves); return the axes."""
        return self.plot_triangle(ax) if "segment" not in self.table else self.plot_curves(ax)

    def plot_triangle(self, ax: Axes | None = None, *, column: str | None = None, segment: str | None = None) -> Axes:
        """Draw one column of the table as cohorts × ages; return the axes."""
        from journeykit.plots.retention import plot_triangle

        return plot_triangle(self, ax=ax, column=column, segment=segment)

    def plot_curves(self, ax: Axes | None = None, *, segment: str | None = None) -> Axes:
        """Draw each cohort's curve and the overall one with its interval; return the axes."""
        from journeykit.plots.retention_curves import plot_curves

        return plot_curves(self, ax=ax, segment=segment)

    def figure(self) -> Figure:
        """Draw the triangle with the sizes of the cohorts, and the curves; one small triangle a segment."""
        from journeykit.plots.retention import retention_figure

        return retention_figure(self)

    def describe(self) -> str:
        """Say how many came back at first, later on, and what to keep in mind."""
        return described(self)

    def metrics(self) -> pd.DataFrame:
        """Overall rates at the usual ages, by segment."""
        return metric_table(metric_records(self), self.definition)

    def shown(self) -> pd.DataFrame:
        """The triangle of rates, overall row on top; with segments, their overall rows."""
        ages = self.summary["age"].unique()[:_SHOWN_AGES]
        name = "segment" if "segment" in self.table else "cohort"
        overall = self.summary[self.summary["age"].isin(ages)]
        rates = self._as_words(overall[self.main], overall["cohorts"] > 0)
        if name == "segment":
            wide = rates.groupby(overall["segment"], sort=False).agg(list)
            return self._wide(name, wide.index, self._sizes("segment"), np.array(wide.tolist()), ages)
        cells = self.table[self.table["age"].isin(ages)]
        words = self._as_words(cells[self.main], cells["status"]).to_numpy().reshape(-1, len(ages))
        cohorts = cells["cohort"].iloc[:: len(ages)]
        sizes = cells["customers"].iloc[:: len(ages)]
        names = [say("core.overall"), *cohorts]
        return self._wide(name, names, [sizes.sum(), *sizes], np.vstack([rates.to_numpy(), words]), ages)

    def _sizes(self, by: str) -> Any:
        first = self.table.drop_duplicates([by, "cohort"])
        return first.groupby(by, sort=False)["customers"].sum().tolist()

    def _wide(self, name: str, names: Any, sizes: Any, words: Any, ages: Any) -> pd.DataFrame:
        columns = {str(age): words[:, place] for place, age in enumerate(ages)}
        return pd.DataFrame({name: list(names), "customers": list(sizes), **columns})

    def _as_words(self, rates: pd.Series, status: pd.Series) -> pd.Series:
        """Rates as text; unfinished is an ellipsis, the future blank, 0/0 a dash."""
        words = rates.map(lambda rate: format_value(self.main, rate))
        unfinished = (status == "unfinished") & rates.isna()
        nothing = (status == "future") | (status.eq(False) if status.dtype == bool else False)
        return words.mask(unfinished, "…").mask(nothing, "")
