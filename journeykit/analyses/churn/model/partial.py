"""What one covariate does, the others being usual: curves of who is still there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.model.covariates import Term
from journeykit.analyses.churn.model.hazard import Hazard
from journeykit.analyses.churn.shared import ChurnResult, records
from journeykit.errors import ParameterError
from journeykit.estimators.cox_prediction import leaving_interval
from journeykit.estimators.proportions import z_value
from journeykit.results.base import left_out_table, metric_table
from journeykit.schema import did_you_mean
from journeykit.text import format_value, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 120


@dataclass(frozen=True, eq=False, repr=False)
class PartialEffects(ChurnResult):
    """Who is still there at values of one covariate, the others being usual.

    Attributes
    ----------
    table : DataFrame
        `value`, `time_days` (`time_terms` of a contract), `survival` with interval.
    summary : DataFrame
        One row a value: `value`, `hazard_ratio` against the usual customer
        (`time_ratio` of an accelerated model) with interval.
    """

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve of each value; return the axes."""
        from journeykit.plots.churn_model import plot_partial

        return plot_partial(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the same on a figure of its own."""
        from journeykit.plots.churn_model import partial_figure

        return partial_figure(self)

    def metrics(self) -> pd.DataFrame:
        """Flat records: the ratio of each value."""
        ratio = self.params["ratio"]
        found = [
            {
                "name": ratio,
                "value": row[ratio],
                "low": row[f"{ratio}_low"],
                "high": row[f"{ratio}_high"],
                "unit": "ratio",
                "segment": f"{self.params['covariate']} = {row['value']}",
            }
            for row in records(self.summary)
        ]
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say the least and the greatest ratio."""
        ratio = self.params["ratio"]
        rows = sorted(records(self.summary), key=lambda row: row[ratio])
        least, most = rows[0], rows[-1]
        values = {
            "least": str(least["value"]),
            "most": str(most["value"]),
            "least_ratio": format_value("ratio", least[ratio]),
            "most_ratio": format_value("ratio", most[ratio]),
        }
        return say(f"churn_model.partial_{ratio}", covariate=word(self.params["covariate"]), **values)

    def shown(self) -> pd.DataFrame:
        """Return the ratio of each value."""
        return self.summary


def partial_effects(
    hazard: Hazard,
    terms: tuple[Term, ...],
    usual: dict[str, float],
    covariate: str,
    values: Any,
    params: Any,
    table: pd.DataFrame | None,
) -> PartialEffects:
    """Lay out curves at values of a covariate."""
    known = {term.name: term for term in terms}
    if covariate not in known:
        raise ParameterError(
            f"covariate must be one of the model's, got {covariate!r}: {did_you_mean(covariate, known)}"
        )
    term = known[covariate]
    chosen = list(values) if values is not None else _values(term, table)
    if not chosen:
        raise ParameterError("values must name at least one")
    own, unseen = term.design(pd.Series(chosen))
    if unseen.any():
        odd = [value for value, new in zip(chosen, unseen.tolist(), strict=True) if new]
        raise ParameterError(f"values must be those that the model knows of {covariate!r}, got {odd}")
    names = [column for each in terms for column in each.columns]
    base = np.array([usual[name] for name in names])
    design = np.repeat(base[np.newaxis], len(chosen), axis=0)
    place = names.index(term.columns[0])
    design[:, place : place + len(term.columns)] = own
    away = design - base
    z = z_value(params["confidence"])
    sign = away @ hazard.coefficients
    se = np.sqrt(np.einsum("ij,jk,ik->i", away, hazard.covariance, away))
    ratio = "hazard_ratio" if hazard.method == "cox" else "time_ratio"
    summary = pd.DataFrame(
        {
            "value": chosen,
            ratio: np.exp(sign),
            f"{ratio}_low": np.exp(sign - z * se),
            f"{ratio}_high": np.exp(sign + z * se),
        }
    )
    reach = float(hazard.base.reach.max()) if hazard.base is not None else hazard.reach
    times = np.unique(np.linspace(0, reach, POINTS).round()) if reach > POINTS else np.linspace(0, reach, POINTS)
    unit = "terms" if params.get("churn") == "contract" else "days"
    parts = []
    for value, row in zip(chosen, design, strict=True):
        grown, error, _ = hazard.between(np.repeat(row[np.newaxis], len(times), axis=0), 0.0, times)
        left, low, high = leaving_interval(grown, error, z)
        parts.append(
            pd.DataFrame(
                {
                    "value": [value] * len(times),
                    f"time_{unit}": times,
                    "survival": 1 - left,
                    "survival_low": 1 - high,
                    "survival_high": 1 - low,
                }
            )
        )
    used = {**params, "covariate": covariate, "values": chosen, "ratio": ratio}
    used["definition"] = f"partial_effects_{params['definition']}"
    return PartialEffects(pd.concat(parts, ignore_index=True), summary, pd.DataFrame(), left_out_table({}), used)


def _values(term: Term, table: pd.DataFrame | None) -> list[Any]:
    """Choose values to show: all levels (six at most), or quantiles of a number."""
    if not term.is_number:
        return [term.reference, *term.levels][:6]
    if table is None:
        return [term.usual - term.step, term.usual, term.usual + term.step]
    numbers = table[term.name].dropna()
    there = np.unique(numbers)
    if len(there) <= 5:
        return [float(value) for value in there]
    return [float(value) for value in np.unique(np.quantile(numbers, [0.1, 0.5, 0.9], method="nearest"))]
