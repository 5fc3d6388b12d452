"""What `retention_forecast` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.retention.result import RetentionResult
from journeykit.errors import ParameterError
from journeykit.results.base import Result, metric_table
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class ForecastResult(Result):
    """How cohorts of contracts go on beyond their last finished age.

    Attributes
    ----------
    table : DataFrame
        One row per cohort and age (and `segment`, with `by`): `cohort`, `age`,
        `customers` (size of the cohort), `back` (customers there: counted
        where `status` is "finished", expected where it is "forecast") with
        `back_low` and `back_high` (prediction interval of a forecast),
        `back_rate` = back / customers with its bounds, `status`.
    curve : DataFrame
        One row per age (and `segment`), over all cohorts: `at_risk`, `lost`,
        `seen_rate` (product of the shares renewed that were seen),
        `survival_rate` (the model's share of customers still there),
        `renewal_rate` (of those at the age before), `residual_periods`
        (further periods that who is still there is expected to stay; missing
        where that is infinite), each with its interval, `status`.
    summary : DataFrame
        One row (a segment): `customers`, `ages` (last finished one), `lost`,
        `alpha` and `beta` (missing where all customers are alike: the model is
        then the geometric one), `churn_rate` (expected to be lost at age 1),
        `mean_periods` (that a customer stays; missing where infinite),
        `mean_within` (the same, counted up to age `within`),
        `median_periods` (age at which at most half are there), each with its
        interval; `log_likelihood`.
    comparison : DataFrame
        Every segment `b` against the first, `a`: `age` (the last that both
        have), difference of the survival rates there with its interval,
        `p_value` of the curves being one (likelihood ratio), `p_value_holm`.
    """

    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    retention: RetentionResult | None = field(default=None)

    topic: ClassVar[str] = "retention_forecast"

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the log: its cohorts are kept as counts."""
        return {**self.__dict__, "log": None}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve that was seen, and the model's with its interval, on into the future; return the axes."""
        from journeykit.plots.retention_forecast import plot_forecast

        return plot_forecast(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the curve, and beside it each cohort's own forecast."""
        from journeykit.plots.retention_forecast import forecast_figure

        return forecast_figure(self)

    def customers(self, cohort: Any, age: int = 0, *, segment: str | None = None, log: Any = None) -> pd.Index:
        """List the customers of a cohort who are there at a finished age.

        Parameters
        ----------
        cohort : str or Period
            The row.
        age : int
            A finished age; nobody is behind a forecast yet.
        segment : str, optional
            Only this segment.
        log : InteractionLog, optional
            The log, where the result was stored without it.
        """
        if self.retention is None:
            raise ParameterError("this forecast was made from counts: there are no customers to look up")
        return self.retention.customers(cohort, age, segment=segment, log=self._log(log))

    def describe(self) -> str:
        """Say what share renews, how many are expected at the end, and how long a customer stays."""
        sentences = [
            said if "segment" not in row else say("core.list_name", name=row["segment"], text=said)
            for row in self.summary.to_dict("records")[:4]
            for said in [self._said(row)]
        ]
        sentences.append(say("retention_forecast.assumes"))
        return " ".join(sentences)

    def _said(self, row: dict[Any, Any]) -> str:
        curve = self.curve if "segment" not in row else self.curve[self.curve["segment"] == row["segment"]]
        last, end = curve[curve["age"] == row["ages"]].iloc[0], curve.iloc[-1]
        period = self.params["period"]
        values = {str(key): value for key, value in row.items()} | {
            "seen_age": say(f"retention.column_{period}", age=int(last["age"])),
            "seen_rate": last["seen_rate"],
            "age": say(f"retention.column_{period}", age=int(end["age"])),
            **{f"survival_rate{bound}": end[f"survival_rate{bound}"] for bound in ("", "_low", "_high")},
        }
        sentences = [say("retention_forecast.headline", **values)]
        if np.isfinite(row["median_periods"]):
            sentences.append(
                say("retention_forecast.median", median=say(f"lifecycle.count_{period}", n=int(row["median_periods"])))
            )
        if np.isnan(row["alpha"]):
            sentences.append(say("retention_forecast.alike"))
        kind = "mean" if np.isfinite(row["mean_periods"]) else "no_mean"
        return " ".join([*sentences, say(f"retention_forecast.{kind}", **values)])

    def metrics(self) -> pd.DataFrame:
        """Rates of the first loss and at the last forecast age, and the mean time within it, by segment."""
        records = []
        for row in self.summary.to_dict("records"):
            curve = self.curve if "segment" not in row else self.curve[self.curve["segment"] == row["segment"]]
            end = curve.iloc[-1]
            where = {"segment": row.get("segment", ""), "n": row["customers"]}
            shown = [
                ("forecast_churn_rate", "rate", row, "churn_rate"),
                (f"forecast_{self.params['period']}_{end['age']}_rate", "rate", end, "survival_rate"),
                (f"forecast_mean_within_{row['within']}", "periods", row, "mean_within"),
            ]
            for name, unit, source, column in shown:
                ends = {"value": source[column], "low": source[f"{column}_low"], "high": source[f"{column}_high"]}
                records.append({"name": name, **ends, "unit": unit, **where})
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        named = ["segment"] if "segment" in self.curve else []
        shown = self.curve[[*named, "age", "seen_rate", *_ends("survival_rate"), *_ends("renewal_rate"), "status"]]
        return shown[shown["age"] > 0].reset_index(drop=True)


def _ends(name: str) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"]
