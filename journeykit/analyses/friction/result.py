"""What `friction` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from journeykit.analyses.friction.counts import Asked, list_met
from journeykit.results.base import Result, find_row, metric_table
from journeykit.text import say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = (
    "cause",
    "customers",
    "met_rate",
    "median_seconds",
    "exit_rate",
    "difference_rate",
    "odds_ratio",
    "lost_conversions",
)


@dataclass(frozen=True, eq=False, repr=False)
class FrictionResult(Result):
    """What stands in customers' way, how long, and what goes with it.

    Attributes
    ----------
    table : DataFrame
        One row a cause that the log holds, most customers lost first:

        - `cause`; `customers` who met it in their first attempt, of `base`
          (mature attempts), and their `met_rate` (0 to 1) with interval;
          `converted` of them and `with_rate` with interval, unadjusted;
        - `exits`: customers with no further interaction within the visit, of
          the `watched` of whom that is known; `exit_rate` with interval;
        - `median_seconds` with interval: time until the next step,
          Kaplan–Meier; NaN where fewer than half move on inside their window;
        - `odds_ratio` and `difference_rate` (of converting, who meets it less
          who is at the same page and does not), pooled over strata, with
          intervals; `p_value`, `p_value_bh` (adjusted over the causes);
          `p_homogeneous` (of one odds ratio in all strata);
        - `strata` compared, `strata_dropped` (only one kind in them), and
          `not_compared`, the customers who met it there;
        - `lost_conversions` with `_low`, `_high`: conversions fewer among those
          who met it (in strata compared), if the whole difference were causal;
          below 0 they convert more often.
    summary : DataFrame
        One row: `customers` who entered, `customers_mature`, `converted` and
        `conversion_rate` with interval.
    comparison : DataFrame
        Empty.
    by_step : DataFrame
        `cause`, `step` (the last one reached when it was met), `base`
        (customers at the step), `customers` who met it there, `met_rate`,
        `converted`, `with_rate`, with intervals.
    steps : DataFrame
        `step`, `next_step`, `customers`, `moved_on` with `moved_on_rate`,
        `median_seconds` and `median_pages` (interactions) of those who moved
        on inside their window, `abandoned` (never came to the last step) with
        `abandoned_rate`, with intervals.
    pages : DataFrame
        `step`, `page` (interactions since it, the step itself being 0),
        `customers` who came so far without the next step, `moved_on` (who took
        it after that) and `moved_on_rate` with interval: where there are too many
        steps it falls.
    """

    by_step: pd.DataFrame = field(default_factory=pd.DataFrame)
    steps: pd.DataFrame = field(default_factory=pd.DataFrame)
    pages: pd.DataFrame = field(default_factory=pd.DataFrame)
    asked: Asked | None = field(default=None)

    topic: ClassVar[str] = "friction"
    may_differ: ClassVar[tuple[str, ...]] = ("not_in_log", "in_steps")

    def customers(self, row: Any, log: Any = None, *, converted: bool | None = None) -> pd.Index:
        """List the customers who met a cause.

        Parameters
        ----------
        row : str or int
            The cause, by its name or in words, or its position in the table.
        log : InteractionLog, optional
            Needed if the result was stored without its log.
        converted : bool, optional
            Only those who converted after it, or who did not.

        Returns
        -------
        Index
            Their ids, sorted.
        """
        names = {self.name_of(cause): cause for cause in self.table["cause"]}
        cause = str(find_row(self.table, names.get(row, row), "cause"))
        found = self._log(log).tally(list_met, asked=self.asked, cause=cause, converted=converted)
        ids: pd.Index = found.index.sort_values()
        return ids

    @staticmethod
    def name_of(cause: str) -> str:
        """Say a cause: one of those that ship in words, any other as it was named."""
        key = f"friction.{cause}"
        known = word(key)
        return cause if known == key else known

    @classmethod
    def not_looked_at(cls, params: Mapping[str, Any]) -> list[str]:
        """Say which causes were not looked at, and why."""
        return [
            say(f"friction.{reason}", causes=[cls.name_of(cause) for cause in params[reason]])
            for reason in ("not_in_log", "in_steps")
            if params[reason]
        ]

    @property
    def clear(self) -> pd.Series:
        """Which causes go with a difference beyond chance, all of them counted."""
        return self.table["p_value_bh"].astype(float) < 1 - float(self.params["confidence"])

    def metrics(self) -> pd.DataFrame:
        """Flat records: conversion, and for each cause how often it is met, its odds ratio and the customers lost."""
        total = self.summary.iloc[0]
        records = [_record("conversion_rate", total, total["customers_mature"], "share", "conversion_rate")]
        for _, row in self.table.iterrows():
            for column, n, unit in (
                ("met_rate", row["base"], "share"),
                ("odds_ratio", row["customers"], "ratio"),
                ("lost_conversions", row["customers"], "customers"),
            ):
                records.append(_record(f"{row['cause']}.{column}", row, n, unit, column))
        return metric_table(records, self.definition)

    def describe(self) -> str:
        """Say what is lost most to, how sure that is, and what the log does not hold."""
        total = self._words(self.summary.iloc[0])
        if not total["customers_mature"]:
            return say("friction.nobody", **total)
        sentences = [say("friction.headline", **total)]
        clear = self.table[self.clear & (self.table["lost_conversions"] > 0)] if len(self.table) else self.table
        for i, (_, row) in enumerate(clear.head(2).iterrows()):
            sentences.append(say("friction.worst" if i == 0 else "friction.next", **self._words(row)))
        if clear.empty and len(self.table):
            sentences.append(say("friction.none"))
        better = self.table[self.clear & (self.table["lost_conversions"] < 0)] if len(self.table) else self.table
        if len(better):
            sentences.append(say("friction.better", causes=[self.name_of(name) for name in better["cause"]]))
        last = self._words(self.steps.iloc[-1])
        if last["moved_on"]:
            names = {name: word(last[name]) for name in ("step", "next_step")}
            sentences.append(say("friction.last_step", **last | names))
        sentences += self.not_looked_at(self.params)
        if len(self.table):
            sentences.append(say("friction.causal"))
        return " ".join(sentences)

    def _words(self, row: pd.Series[Any]) -> dict[str, Any]:
        words = {str(name): value for name, value in row.items()}
        steps = self.params["steps"]
        words |= {name: round(words[name], 1) for name in words if name.startswith("lost_conversions")}
        words |= {"first": word(steps[0]), "last": word(steps[-1])}
        if "cause" in words:
            words["cause"] = self.name_of(words["cause"])
        return words | {"within_seconds": self.params["within"].total_seconds()}

    def shown(self) -> pd.DataFrame:
        """The columns that a reader wants to see first."""
        names = [each for name in _SHOWN for each in (name, f"{name}_low", f"{name}_high") if each in self.table]
        return self.table[names].assign(cause=[self.name_of(cause) for cause in self.table["cause"]])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the difference of conversion rates that goes with each cause; return the axes."""
        from journeykit.plots.friction import plot_friction

        return plot_friction(self, ax=ax)

    def plot_pages(self, ax: Axes | None = None) -> Axes:
        """Draw how many still move on after so many pages, a line a step: where it falls there are too many of them."""
        from journeykit.plots.friction import plot_pages

        return plot_pages(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the differences, how often each cause is met, and at which step."""
        from journeykit.plots.friction import friction_figure

        return friction_figure(self)


def _record(name: str, row: Any, n: Any, unit: str, column: str) -> dict[str, Any]:
    bounds = {"low": row[f"{column}_low"], "high": row[f"{column}_high"]}
    return {"name": name, "value": row[column], "n": n, "unit": unit} | bounds
