"""Who is next: each customer who is there, the chance to leave, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.model.ahead import Ahead
from journeykit.analyses.churn.shared import ChurnResult
from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats
from journeykit.journey.observed import observed_days
from journeykit.log.interactions import InteractionLog
from journeykit.results.base import metric_table
from journeykit.schema import check_one_of
from journeykit.text import html_result, html_table, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REASONS = 3


@dataclass(frozen=True, eq=False, repr=False)
class ChurnPrediction(ChurnResult):
    """The chance of each customer who is there to leave within a horizon.

    Attributes
    ----------
    table : DataFrame
        One row a customer, the most likely to leave first: `customer`;
        `age_days` (`age_terms` of a contract); `recency_days`, days since the
        last activity, where a log tells; `leave_probability` within the
        horizon, given that the customer is there now, with interval;
        `expected_active_days` (`expected_active_terms` of a contract) until
        leaving, up to the horizon; the three
        covariates that contribute most, `reason_1` to `reason_3`, with the
        customer's value, `reason_1_value` …, and `reason_1_ratio` …: how many
        times the hazard is that of the median active customer because of it;
        `beyond`, whether the age ahead is beyond what was watched; where the
        log has values, `value_per_day` (of a contract, a term) since the customer
        last began, of the days that the log watched, and `value_at_stake`, the
        value of the days within the horizon that are expected to be lost.
    summary : DataFrame
        One row: `customers`, `expected_leavers` within the horizon,
        `leave_probability` on average, `expected_active_days` (or `_terms`),
        `value_at_stake` in all.
    left_out : DataFrame
        `reason`, `customers`: who is there and not in the table.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> model = jk.churn_model(jk.tenures(log, churn=jk.Inactivity("60d"), covariates="device"))
    >>> model.predict(horizon="30d").at_risk(3).columns[:3].tolist()
    ['customer', 'age_days', 'recency_days']
    """

    def at_risk(self, n: int = 20, *, by: str = "probability") -> pd.DataFrame:
        """List the customers to look after first.

        Parameters
        ----------
        n : int
            How many.
        by : {"probability", "value"}
            The most likely to leave, or those with most value at stake.
        """
        check_one_of("by", by, ("probability", "value"))
        if n != int(n) or n < 1:
            raise ParameterError(f"n == {n!r}, must be a whole number, 1 or more")
        if by == "probability":
            return self.table.head(n)
        if "value_at_stake" not in self.table:
            raise ParameterError("nothing is known of values: the log has none")
        return self.table.sort_values("value_at_stake", ascending=False, ignore_index=True, kind="stable").head(n)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how many customers have which chance to leave; return the axes."""
        from journeykit.plots.churn_model import plot_chances

        return plot_chances(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the chances, and which share of those expected to leave is among the most likely."""
        from journeykit.plots.churn_model import chances_figure

        return chances_figure(self)

    def concentration(self) -> pd.DataFrame:
        """Say which share of those expected to leave the most likely are: `listed_rate`, `found_rate`."""
        chance = self.table["leave_probability"].fillna(0.0).to_numpy()
        shares = np.linspace(0.05, 1.0, 20)
        upto = np.concatenate([[0.0], np.cumsum(chance)])
        found = np.interp(shares * len(chance), np.arange(len(upto)), upto)
        with np.errstate(invalid="ignore", divide="ignore"):
            return pd.DataFrame({"listed_rate": shares, "found_rate": found / chance.sum()})

    def customers(self, row: int, log: Any = None) -> pd.Index:
        """Return the customer of a row."""
        if not 0 <= row < len(self.table):
            raise ParameterError(f"row == {row}, must be from 0 to {len(self.table) - 1}")
        found: pd.Index = pd.Index(self.table["customer"].iloc[[row]])
        return found

    def metrics(self) -> pd.DataFrame:
        """Flat records: customers, expected leavers, value at stake."""
        row = self.summary.iloc[0]
        active = self.params["unit"]
        unit = {"customers": "customers", "expected_leavers": "customers", "leave_probability": "share",
                f"expected_active_{active}": active, "value_at_stake": "value"}  # fmt: skip
        within = f"{self.params['horizon']:g} {self.params['unit']}"
        found = [
            {"name": name, "value": row[name], "n": row["customers"], "unit": unit[name], "period": within}
            for name in row.index
        ]
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say how many are expected to leave, and what is at stake."""
        row = {str(name): value for name, value in self.summary.iloc[0].items()}
        names = {"within": ahead_words(self.params)}
        sentences = [say("churn_model.prediction", **row, **names)]
        if "value_at_stake" in row:
            sentences.append(say("churn_model.at_stake", **row, **names))
        if "beyond" in self.table and self.table["beyond"].any():
            sentences.append(say("churn_model.beyond_note", customers=int(self.table["beyond"].sum())))
        if self.params["unseen"]:
            sentences.append(say("churn_model.unseen_note", customers=self.params["unseen"]))
        return " ".join(sentences)

    def shown(self) -> pd.DataFrame:
        """Return the first of the list, without how far each reason goes."""
        hidden = [f"reason_{i}_{what}" for i in range(1, REASONS + 1) for what in ("value", "ratio")]
        return self.table.drop(columns=[*hidden, "beyond", "value_per_day"], errors="ignore").head(20)

    def _repr_html_(self) -> str:
        words = tuple(f"reason_{i}" for i in range(1, REASONS + 1))
        shown = html_table(self.shown(), words=words)
        sentences = [self.describe(), *self.left_out_sentences()]
        return str(html_result(word("churn_model.prediction_title"), sentences, [shown]))


def ahead_words(params: Any) -> Any:
    """Say the horizon in its unit."""
    if params["unit"] == "terms":
        return say("churn_model.within_terms", terms=int(params["horizon"]))
    return say("churn_model.within_days", horizon_days=params["horizon"])


def list_customers(rows: pd.DataFrame, ahead: Ahead, horizon: float, per_day: Floats | None) -> pd.DataFrame:
    """Lay out what lies ahead of each customer, the most likely to leave first."""
    age = "age_terms" if "age_terms" in rows else "age_days"
    table = rows[["customer", age, *(["recency_days"] if "recency_days" in rows else [])]].copy()
    table["leave_probability"] = ahead.probability
    table["leave_probability_low"], table["leave_probability_high"] = ahead.low, ahead.high
    table["expected_active_days" if age == "age_days" else "expected_active_terms"] = ahead.active_days
    if per_day is not None:
        table["value_per_day"] = per_day
        table["value_at_stake"] = np.maximum(per_day, 0.0) * (horizon - ahead.active_days)
    _add_reasons(table, rows, ahead.reasons)
    table["beyond"] = ahead.beyond
    order = np.argsort(-np.nan_to_num(ahead.probability, nan=-1.0), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _add_reasons(table: pd.DataFrame, rows: pd.DataFrame, reasons: pd.DataFrame) -> None:
    size = min(REASONS, reasons.shape[1])
    if not size or rows.empty:
        return
    names = reasons.columns.to_numpy()
    values = reasons.to_numpy()
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :size]
    given = [rows[name if name in rows else "recency_days"].astype(object).to_numpy() for name in names]
    for i in range(size):
        place = order[:, i]
        value = np.empty(len(rows), dtype=object)
        for code, source in enumerate(given):
            at = np.flatnonzero(place == code)
            value[at] = source[at]
        table[f"reason_{i + 1}"], table[f"reason_{i + 1}_value"] = names[place], value
        table[f"reason_{i + 1}_ratio"] = np.exp(np.take_along_axis(values, place[:, np.newaxis], axis=1)[:, 0])


def sum_values(log: InteractionLog, *, since: pd.Series) -> pd.DataFrame:
    """Add up the values of each customer from a day on (days since 1970, by customer); a tally."""
    assert log.values is not None
    codes = log.customer_codes
    first = since.reindex(log.customers).to_numpy(dtype=np.float64)  # NaN, and so nothing, of who is not asked for
    amounts = np.where(log.days >= first[codes], np.nan_to_num(log.values, nan=0.0), 0.0)
    sums = np.bincount(codes, amounts, log.n_customers)
    return pd.DataFrame({"value": sums}, index=pd.Index(log.customers, name="customer"))


def values_per_day(log: Any, rows: pd.DataFrame) -> Floats | None:
    """Value a day, or term, since each customer last began, of the time that the log watched; None without values."""
    if log is None or log.values is None:
        return None
    began = rows["started_at"].to_numpy().astype("M8[D]").astype(np.int64)
    since = pd.Series(began, index=rows["customer"]).groupby(level=0, observed=True).min()
    sums = log.tally(sum_values, since=since)["value"].reindex(rows["customer"]).fillna(0.0).to_numpy()
    if "age_terms" in rows:
        return np.asarray(sums / (rows["age_terms"].to_numpy() + 1))
    observed = observed_days(log)
    return np.asarray(sums / (observed.last_full - np.maximum(began, observed.begins) + 1))
