"""What `conversion_drivers` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from journeykit.analyses.drivers.counts import Question, list_customers
from journeykit.results.base import Result, find_row, metric_table
from journeykit.text import say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = ("driver", "customers", "with_rate", "without_rate", "odds_ratio", "p_value_bh")


@dataclass(frozen=True, eq=False, repr=False)
class DriversResult(Result):
    """What goes with converting more, or less, often.

    Attributes
    ----------
    table : DataFrame
        One row a driver that enough customers have, largest odds ratio first:
        `driver`; `customers` who have it, and of them `converted` and
        `with_rate` (0 to 1) with `with_rate_low` and `with_rate_high`;
        `without` (customers who have it not) and their `without_rate` with its
        interval; `difference_rate` (with less without) with its interval;
        `odds_ratio` with its interval; `p_value` (Fisher's exact) and
        `p_value_bh` (adjusted over all rows).
    summary : DataFrame
        One row: `customers` who entered; `customers_mature` (whose window was
        observed whole); `converted_before` (the landmark, left out); `base`
        (customers compared), `converted` of them and `conversion_rate` with
        its interval; `landmark_seconds` after the entry; `drivers` tested;
        `too_rare` (not tested: fewer than `min_n` customers have them).
    comparison : DataFrame
        Empty.
    """

    question: Question | None = field(default=None)

    topic: ClassVar[str] = "drivers"

    def customers(self, row: Any, log: Any = None, *, converted: bool | None = None) -> pd.Index:
        """List the customers who have a driver, of those compared.

        Parameters
        ----------
        row : str or int
            The driver, or its position in the table.
        log : InteractionLog, optional
            Needed if the result was stored without its log.
        converted : bool, optional
            Only those who converted, or who did not.

        Returns
        -------
        Index
            Their ids, sorted.
        """
        driver = str(find_row(self.table, row, "driver"))
        found = self._log(log).tally(list_customers, question=self.question, driver=driver, outcome=converted)
        ids: pd.Index = found.index.sort_values()
        return ids

    @property
    def clear(self) -> pd.Series:
        """Which rows differ beyond chance, all rows accounted for."""
        return self.table["p_value_bh"] < 1 - float(self.params["confidence"])

    def metrics(self) -> pd.DataFrame:
        """Flat records: the conversion of those compared, and each driver's odds ratio and difference of rates."""
        total = self.summary.iloc[0]
        rate = {"name": "conversion_rate", "value": total["conversion_rate"], "unit": "share", "n": total["base"]}
        records = [rate | {"low": total["conversion_rate_low"], "high": total["conversion_rate_high"]}]
        for row in self.table.to_dict("records"):
            for name, unit in (("odds_ratio", "ratio"), ("difference_rate", "share")):
                bounds = {"low": row[f"{name}_low"], "high": row[f"{name}_high"]}
                key = {"name": f"{row['driver']}.{name}", "value": row[name], "unit": unit, "n": row["customers"]}
                records.append(key | bounds)
        return metric_table(records, self.definition)

    def describe(self) -> str:
        """Say who is compared, what goes most clearly with converting, and that it is no proof."""
        total = self._words()
        if not total["base"]:
            return say("drivers.nobody", **total)
        whole = self.params["method"] == "whole_attempt"
        sentences = [say("drivers.headline_whole" if whole else "drivers.headline", **total)]
        found = self.table[self.clear]
        helps, hinders = found[found["odds_ratio"] > 1], found[found["odds_ratio"] < 1]
        if len(helps):
            sentences.append(say("drivers.most", **_words(helps.iloc[0])))
        if len(hinders):
            sentences.append(say("drivers.least", **_words(hinders.iloc[-1])))
        if found.empty:
            sentences.append(say("drivers.none" if len(self.table) else "drivers.too_few", **total))
        sentences.append(say("drivers.biased") if whole else say("core.association"))
        return " ".join(sentences)

    def _words(self) -> dict[str, Any]:
        steps, within = self.params["steps"], self.params["within"].total_seconds()
        row = {str(name): value for name, value in self.summary.iloc[0].items()}
        return row | {"first": word(steps[0]), "last": word(steps[-1]), "within_seconds": within}

    def shown(self) -> pd.DataFrame:
        """The columns that a reader wants to see first."""
        names = [each for name in _SHOWN for each in (name, f"{name}_low", f"{name}_high") if each in self.table]
        return self.table[names]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the odds ratios with their intervals, one below the other; return the axes."""
        from journeykit.plots.drivers import plot_drivers

        return plot_drivers(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the odds ratios and, beside them, the rates with and without each driver."""
        from journeykit.plots.drivers import drivers_figure

        return drivers_figure(self)


def _words(row: pd.Series[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()} | {"driver": word(row["driver"])}
