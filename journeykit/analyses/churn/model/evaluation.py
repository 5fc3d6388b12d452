"""How well a model would have done: learned before a date, judged by what happened afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.model.prediction import ahead_words
from journeykit.analyses.churn.shared import ChurnResult, records
from journeykit.errors import ParameterError
from journeykit.estimators.brier import (
    Brier,
    brier_score,
    censoring_curve,
    integrated_brier_score,
    ipcw_weights,
    paired_difference,
)
from journeykit.estimators.calibration import calibration_curve, calibration_table
from journeykit.estimators.concordance import Concordance, concordance, standard_error
from journeykit.estimators.differences import holm
from journeykit.estimators.proportions import Floats, z_value
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier
from journeykit.results.base import metric_table
from journeykit.text import html_result, html_table, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL, NULL, RULE = "churn_model", "kaplan_meier", "recency_rule"
SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class ChurnEvaluation(ChurnResult):
    """How predictions made at a date compare with what happened within the horizon after it.

    Attributes
    ----------
    table : DataFrame
        Calibration: one row per tenth of the customers, by rising prediction:
        `bin`, `n`, `predicted_rate` (mean), `observed_rate` with interval.
    summary : DataFrame
        One row a predictor — the model, the Kaplan–Meier curve that takes all
        customers alike, and a simple rule of recency (where a log tells it): `method`,
        `customers`, `leavers`, `predicted_rate` and `observed_rate` overall,
        `concordance` (Uno's, ½ is chance) with interval, `harrell`, `brier` (0
        is perfect) and `integrated_brier` over the horizon with standard
        errors, and `calibration_index`: the mean distance of predicted from
        observed shares.
    comparison : DataFrame
        The model against each of the others: `against`, `measure` (`brier`,
        `integrated_brier`, `concordance`), `difference` (negative is better
        for the first two) with interval and `difference_se`, `p_value`, `p_value_holm`.
    gain : DataFrame
        Of the list by falling prediction: `listed_rate`, the share of customers
        listed; `found_rate`, the share of all who left that is among them;
        `lift`, their ratio; `left_rate`, the share of the listed who left.
    curve : DataFrame
        The smooth calibration curve: `predicted_rate`, `observed_rate`.
    predictions : DataFrame
        One row a customer: `customer`, `leave_probability`, `bin`, and what
        became of it: `duration_days` since the split (of a contract,
        `duration_terms`), `event`. Not kept when pickled.
    left_out : DataFrame
        `reason`, `customers`.
    """

    gain: pd.DataFrame = field(default_factory=pd.DataFrame)
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without customers."""
        return {**super().__getstate__(), "predictions": pd.DataFrame()}

    def customers(self, row: int, log: Any = None) -> pd.Index:
        """Return the customers of a group of the calibration table.

        Parameters
        ----------
        row : int
            Position in `table`.
        log : ChurnEvaluation, optional
            An evaluation that still knows them, if this came from a file.
        """
        source = self if log is None else log
        if not isinstance(source, ChurnEvaluation) or source.predictions.empty:
            raise ParameterError("this evaluation was stored without its customers: evaluate again")
        if not 0 <= row < len(self.table):
            raise ParameterError(f"row == {row}, must be from 0 to {len(self.table) - 1}")
        inside = source.predictions["bin"] == self.table["bin"].iloc[row]
        found: pd.Index = pd.Index(source.predictions.loc[inside, "customer"])
        return found

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw observed against predicted shares; return the axes."""
        from journeykit.plots.churn_model import plot_calibration

        return plot_calibration(self, ax=ax)

    def plot_gain(self, ax: Axes | None = None) -> Axes:
        """Draw which share of those who left the list finds; return the axes."""
        from journeykit.plots.churn_model import plot_gain

        return plot_gain(self, ax=ax)

    def figure(self) -> Figure:
        """Draw calibration and gain side by side."""
        from journeykit.plots.churn_model import evaluation_figure

        return evaluation_figure(self)

    def metrics(self) -> pd.DataFrame:
        """Flat records of each predictor."""
        found = []
        within = f"{self.params['horizon']:g} {self.params['unit']}"
        for row in records(self.summary):
            for name in ("concordance", "brier", "integrated_brier", "calibration_index", "observed_rate"):
                record = {"name": name, "value": row[name], "n": row["customers"], "unit": "share", "period": within}
                record |= {"low": row.get(f"{name}_low"), "high": row.get(f"{name}_high")}
                record["segment"] = str(row["method"])
                found.append(record)
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say how many left, how well that was foreseen, and whether better than by simple means."""
        rows = {row["method"]: row for row in records(self.summary)}
        sentences = [say("churn_model.judged", **rows[MODEL], within=ahead_words(self.params), **self._off())]
        for row in records(self.comparison):
            if row["measure"] == "brier":
                better = "better" if row["difference_high"] < 0 else "worse" if row["difference_low"] > 0 else "alike"
                sentences.append(say(f"churn_model.{better}", **row, other=word(f"churn_model.of_{row['against']}")))
        return " ".join(sentences)

    def _off(self) -> dict[str, Any]:
        off = (self.table["predicted_rate"] - self.table["observed_rate"]).abs().max()
        return {"most_points": round(100 * float(off), 1)}

    def shown(self) -> pd.DataFrame:
        """Return how each predictor did."""
        names = ["method", "customers", "leavers", "concordance", "concordance_low", "concordance_high", "brier"]
        return self.summary[[*names, "integrated_brier", "calibration_index"]]

    def _repr_html_(self) -> str:
        tables = [html_table(self.shown(), words=("method",)), html_table(self.table)]
        return str(
            html_result(word("churn_model.evaluation_title"), [self.describe(), *self.left_out_sentences()], tables)
        )


def judge(
    predictions: dict[str, tuple[Floats, Floats]],
    times: Floats,
    duration: Floats,
    event: Any,
    horizon: float,
    clusters: Any,
    confidence: float,
    bins: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Judge predictors by what happened; return table, summary, comparison, gain and curve of the first.

    `predictions` gives for each the chance to leave within the horizon, and
    the chances to be there still at `times`.
    """
    censoring = censoring_curve(duration, event)
    leavers = int((event & (duration <= horizon)).sum())
    weight = ipcw_weights(duration, event, horizon, censoring)
    left = (event & (duration <= horizon)).astype(float)
    observed = float(weight @ left / weight.sum())
    until = np.nextafter(horizon, np.inf)  # who leaves at the very end of the horizon counts
    rows, scores, orders, curves = [], {}, {}, {}
    for name, (chance, staying) in predictions.items():
        brier = brier_score(duration, event, 1 - chance, horizon, censoring=censoring)
        whole = integrated_brier_score(duration, event, staying, times, censoring=censoring)
        uno = concordance(duration, event, chance, method="uno", until=until, clusters=clusters, confidence=confidence)
        harrell = concordance(duration, event, chance, until=until)
        curves[name] = calibration_curve(chance, duration, event, horizon, censoring=censoring)
        scores[name], orders[name] = (brier, whole), uno
        rows.append(
            {
                "method": name,
                "customers": len(chance),
                "leavers": leavers,
                "predicted_rate": float(chance.mean()),
                "observed_rate": observed,
                "concordance": uno.concordance,
                "concordance_low": uno.low,
                "concordance_high": uno.high,
                "harrell": harrell.concordance,
                "brier": brier.score,
                "brier_se": brier.se,
                "integrated_brier": whole.score,
                "integrated_brier_se": whole.se,
                "calibration_index": curves[name].index,
            }
        )
    first = next(iter(predictions))
    chance = predictions[first][0]
    table = calibration_table(
        chance, duration, event, horizon, bins=bins, clusters=clusters, confidence=confidence, censoring=censoring
    )
    comparison = _compared(first, scores, orders, clusters, confidence)
    return table, pd.DataFrame(rows), comparison, gain_table(chance, left, weight), curves[first].curve


def _compared(
    first: str,
    scores: dict[str, tuple[Brier, Brier]],
    orders: dict[str, Concordance],
    clusters: Any,
    confidence: float,
) -> pd.DataFrame:
    from scipy.special import ndtr

    z = z_value(confidence)
    rows = []
    for name in scores:
        if name == first:
            continue
        differences = {
            "brier": paired_difference(scores[first][0].losses, scores[name][0].losses, clusters),
            "integrated_brier": paired_difference(scores[first][1].losses, scores[name][1].losses, clusters),
            "concordance": (
                orders[first].concordance - orders[name].concordance,
                standard_error(orders[first].influence - orders[name].influence, clusters),
            ),
        }
        for measure, (difference, se) in differences.items():
            p_value = float(2 * ndtr(-abs(difference) / se)) if se > 0 else np.nan
            rows.append((name, measure, difference, difference - z * se, difference + z * se, se, p_value))
    columns = ["against", "measure", "difference", "difference_low", "difference_high", "difference_se", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_value_holm=holm(table["p_value"]) if len(table) else [])


def gain_table(chance: Floats, left: Floats, weight: Floats) -> pd.DataFrame:
    """Say for lists of rising length which share of all who left they find; equal chances share what they found."""
    order = np.argsort(-chance, kind="stable")
    values, place = np.unique(-chance, return_inverse=True)
    customers = np.bincount(place, minlength=len(values)).astype(float)
    found = np.bincount(place, weight * left, len(values))
    there = np.bincount(place, weight, len(values))
    upto = np.concatenate([[0.0], np.cumsum(customers)])
    shares = np.array(SHARES)
    listed = shares * len(order)
    found_upto = np.interp(listed, upto, np.concatenate([[0.0], np.cumsum(found)]))
    there_upto = np.interp(listed, upto, np.concatenate([[0.0], np.cumsum(there)]))
    total = found.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        found_rate = found_upto / total
        return pd.DataFrame(
            {
                "listed_rate": shares,
                "found_rate": found_rate,
                "lift": found_rate / shares,
                "left_rate": found_upto / there_upto,
            }
        )


# -- simple means ----------------------------------------------------------------------------


def staying_alike(duration: Any, event: Any, times: Floats, enters: Any = None) -> Floats:
    """Read the Kaplan–Meier curve of everybody at times; its last value where it ends before."""
    curve = kaplan_meier(risk_table(duration, event, enters=enters))
    survival = curve_at(curve, times)["survival"].to_numpy(dtype=np.float64)
    return np.asarray(pd.Series(survival).ffill().fillna(1.0).to_numpy())


@dataclass(frozen=True, eq=False)
class RecencyRule:
    """Two kinds of customers, by whether they were silent for longer than a number of days."""

    cut_days: float
    staying: tuple[Floats, Floats]

    def predict(self, recency: Floats) -> tuple[Floats, Floats]:
        """Chance to leave, and chances to be there at the times."""
        late = recency > self.cut_days
        staying = np.where(late[:, np.newaxis], self.staying[1], self.staying[0])
        return 1 - staying[:, -1], staying


def learn_recency_rule(past: pd.DataFrame, times: Floats) -> RecencyRule:
    """Choose the cut that tells best, among earlier dates, who left within the horizon."""
    recency = past["recency_days"].to_numpy(dtype=np.float64)
    left = (past["event"] & (past["duration_days"] <= times[-1])).to_numpy(dtype=np.float64)
    best, cut = -1.0, float(np.median(recency))
    for candidate in np.unique(np.quantile(recency, np.linspace(0.05, 0.95, 19))).tolist():
        late = recency > candidate
        if late.any() and not late.all():
            # The more the two shares differ, the smaller the Brier score that they leave.
            between = late.mean() * (1 - late.mean()) * (left[late].mean() - left[~late].mean()) ** 2
            if between > best:
                best, cut = float(between), float(candidate)
    sides = []
    for late in (False, True):
        side = past[(recency > cut) == late]
        sides.append(
            staying_alike(np.maximum(side["duration_days"], 0.5), side["event"], times)
            if len(side)
            else np.ones(len(times))
        )
    return RecencyRule(cut, (sides[0], sides[1]))
