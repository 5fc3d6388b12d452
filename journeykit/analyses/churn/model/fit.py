"""Fit a model of leaving to tenures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.model.covariates import (
    Term,
    design_of,
    refuse_too_few,
    settle_terms,
    stratum_names,
    usual_of,
)
from journeykit.analyses.churn.model.hazard import METHODS, Data, Fitted, fit_hazard
from journeykit.analyses.churn.model.result import ChurnModel
from journeykit.analyses.churn.shared import nobody
from journeykit.errors import ParameterError
from journeykit.estimators.concordance import concordance
from journeykit.estimators.cox import TIES
from journeykit.estimators.differences import holm
from journeykit.estimators.proportions import z_value
from journeykit.schema import check_confidence, check_one_of, check_penalizer, did_you_mean


def churn_model(
    tenures: Tenures,
    *,
    method: str = "cox",
    covariates: str | Iterable[str] | None = None,
    strata: str | Iterable[str] | None = None,
    ties: str = "efron",
    penalizer: float = 0.0,
    confidence: float = 0.95,
) -> ChurnModel:
    """Explain who leaves when, and predict who is next.

    Cox's model: at every age the rate of leaving of a customer is the same
    multiple of that of a usual customer. Or an accelerated failure time: the
    time until leaving is the same multiple. A categorical covariate is
    compared with its largest level; levels with fewer than 10 who left stand
    together as "(other)"; where a number is missing, that it is has an effect
    of its own, so that nobody is dropped.

    Parameters
    ----------
    tenures : Tenures
        With the covariates asked for: `jk.tenures(log, covariates=…)`.
    method : {"cox", "weibull_aft", "lognormal_aft", "loglogistic_aft"}
        Cox's model, or a distribution of the times until leaving.
    covariates : str or collection of str, optional
        Columns of the tenures; all of their covariates, and `segment` where
        something splits them, if not given.
    strata : str or collection of str, optional
        Columns whose groups may differ in any way: each has a baseline of its
        own, and no effect is estimated. For Cox's model.
    ties : {"efron", "breslow"}
        How those share a day who leave on it, in Cox's model.
    penalizer : float
        Draws effects towards none: this, times half the square of each effect
        of one standard deviation, is taken off the mean log-likelihood (as in
        lifelines).
    confidence : float
        Coverage of each interval.

    Returns
    -------
    ChurnModel
        Effects with intervals, checks, and `predict`, `at_risk`, `evaluate`,
        `partial_effects`, `save`; `journeykit.analyses.churn.ChurnModel.load`
        reads it again.

    Raises
    ------
    ParameterError
        If too few left for so many coefficients, or a covariate is constant,
        made of others, or tells exactly who leaves first.

    Notes
    -----
    Cox (1972); Efron (1977); rows of a customer who is there more than once
    are taken together (Lin & Wei 1989). Where tenures can end in several ways
    the first of them is explained, and the others compete.

    Examples
    --------
    >>> weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    >>> relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    >>> weeks += [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    >>> arm = ["6-MP"] * 21 + ["placebo"] * 21
    >>> remissions = jk.Tenures.from_durations(weeks, relapsed + [1] * 21, covariates={"arm": arm})
    >>> model = jk.churn_model(remissions)
    >>> model.table[["covariate", "level", "hazard_ratio"]].round(2).values.tolist()
    [['arm', 'placebo', 4.82]]
    """
    if not isinstance(tenures, Tenures):
        raise ParameterError(f"a model is fitted to jk.tenures(log, covariates=…), got {type(tenures).__name__}")
    check_one_of("method", method, METHODS)
    check_one_of("ties", ties, TIES)
    check_confidence(confidence)
    check_penalizer(penalizer)
    table = tenures.table
    if table.empty:
        raise nobody(tenures.left_out, "to learn from")
    by = _chosen(tenures, strata, "strata")
    names = _chosen(tenures, covariates, "covariates", without=by)
    if method != "cox":
        _refuse_for_times(tenures, by)
    ends = _ends(tenures)
    end = ends[0]
    event = (table["end"] == end).to_numpy() if len(ends) > 1 else table["event"].to_numpy()
    terms = settle_terms(table, names, event)
    design, _ = design_of(terms, table)
    refuse_too_few(int(event.sum()), design.shape[1], penalizer > 0)
    groups = _strata(table, by)
    clusters = table["customer"].to_numpy() if table["customer"].duplicated().any() else None
    enters, duration = tenures.enters.astype(np.float64), tenures.duration.astype(np.float64)
    data = Data(duration, event, enters, design, groups, clusters)
    options: dict[str, Any] = {"ties": ties, "limit": tenures.params["limit_days"], "dated": tenures.params["dated"]}
    found = fit_hazard(data, method, penalizer=penalizer, **options)
    others = _fit_others(table, data, ends, found, method, penalizer, options) if len(ends) > 1 else None
    params = dict(tenures.params) | {
        "method": method,
        "model_covariates": list(names),
        "strata": list(by),
        "ties": ties if method == "cox" else None,
        "penalizer": penalizer,
        "confidence": confidence,
        "end": end if len(ends) > 1 else None,
        "joined": {term.name: list(term.joined) for term in terms if term.joined},
        "robust": clusters is not None,
        "definition": f"churn_model_{method}{str(tenures.definition).removeprefix('tenures')}",
    }
    effects = effects_table(terms, design, event, found, clusters, table, confidence)
    summary = _summary(tenures, data, found, params)
    return ChurnModel(
        effects,
        summary,
        pd.DataFrame(),
        tenures.left_out,
        params,
        tenures.log,
        terms,
        found.hazard,
        others,
        checks_table(terms, found, int(event.sum())),
        found.tests,
        usual_of(terms, table),
        tenures.query,
        tenures,
    )


def _chosen(tenures: Tenures, given: Any, what: str, without: Sequence[str] = ()) -> tuple[str, ...]:
    known = [*tenures.covariates, *(["segment"] if "segment" in tenures.table else [])]
    if given is None:
        return () if what == "strata" else tuple(name for name in known if name not in without)
    names = [given] if isinstance(given, str) else [str(each) for each in given]
    for name in names:
        if name not in known:
            raise ParameterError(
                f"{what} must be among the tenures' covariates, got {name!r}: {did_you_mean(name, known)}"
                if known
                else f"{what} need tenures that have any: jk.tenures(log, covariates=…)"
            )
    return tuple(name for name in dict.fromkeys(names) if name not in without)


def _refuse_for_times(tenures: Tenures, strata: Sequence[str]) -> None:
    if strata:
        raise ParameterError("strata are for Cox's model: an accelerated failure time has one curve for all")
    if tenures.changing:
        raise ParameterError(
            "an accelerated failure time needs covariates that stay as they are: use method='cox', or tenures.whole()"
        )


def _ends(tenures: Tenures) -> list[str]:
    ends = [str(end) for end in tenures.table["end"].cat.categories]
    return ends or ["event"]


def _strata(table: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[Any] | None:
    """Name each row's stratum."""
    if not names:
        return None
    return stratum_names(table, names)


def _fit_others(
    table: pd.DataFrame, data: Data, ends: list[str], found: Fitted, method: str, penalizer: float, options: Any
) -> Any:
    """Fit the hazard of ending in any of the other ways, which competes; None if nobody did."""
    event = table["event"].to_numpy() & (table["end"] != ends[0]).to_numpy()
    if not event.any():
        return None
    other = Data(data.duration, event, data.enters, data.design, data.strata, data.clusters)
    few = event.sum() < 10 * max(data.design.shape[1], 1)
    # With few ends of other kinds only their level is learned: so great a penalty leaves no effects.
    return fit_hazard(other, method, penalizer=100.0 if few else max(penalizer, 1e-4), **options).hazard


def effects_table(
    terms: Sequence[Term],
    design: pd.DataFrame,
    event: npt.NDArray[np.bool_],
    found: Fitted,
    clusters: Any,
    table: pd.DataFrame,
    confidence: float,
) -> pd.DataFrame:
    """Lay out each coefficient as a ratio with its interval."""
    from scipy.special import ndtr

    hazard = found.hazard
    who = pd.factorize(clusters)[0] if clusters is not None else np.arange(len(table))
    rows: list[dict[str, Any]] = []
    for term in terms:
        for column in term.columns:
            number = column == term.name
            mask = np.ones(len(design), bool) if number and not term.has_missing else design[column].to_numpy() == 1
            if number and term.has_missing:
                mask = design[term.columns[1]].to_numpy() == 0
            level = "" if number else column.removeprefix(f"{term.name} = ")
            step = term.step if number else 1.0
            customers = pd.Series(who[mask]).nunique() if clusters is not None else int(mask.sum())
            rows.append(
                {
                    "covariate": term.name,
                    "level": level,
                    "reference": term.reference,
                    "for_each": step,
                    "customers": customers,
                    "events": int(event[mask].sum()),
                }
            )
    z = z_value(confidence)
    ratio = "hazard_ratio" if hazard.method == "cox" else "time_ratio"
    frame = pd.DataFrame(rows, columns=["covariate", "level", "reference", "for_each", "customers", "events"])
    se = np.sqrt(np.diag(hazard.covariance)) if len(rows) else np.zeros(0)
    unit = frame["for_each"].to_numpy(dtype=float)
    at = hazard.coefficients
    with np.errstate(over="ignore"):
        frame[ratio] = np.exp(at * unit)
        frame[f"{ratio}_low"], frame[f"{ratio}_high"] = np.exp((at - z * se) * unit), np.exp((at + z * se) * unit)
    frame["coefficient"], frame["se"] = at, se
    frame["p_value"] = 2 * ndtr(-np.abs(at / se)) if len(rows) else np.zeros(0)
    frame["p_value_holm"] = holm(frame["p_value"]) if len(rows) else np.zeros(0)
    return frame


def checks_table(terms: Sequence[Term], found: Fitted, events: int) -> pd.DataFrame:
    """Say of each effect whether it stays, how large it is early and late, and what to do about it."""
    if found.hazard.method != "cox" or not terms:
        return found.checks
    checks = found.checks.copy()
    columns = {column: term for term in terms for column in term.columns}
    rows = []
    for row in checks.to_dict("records"):
        term = columns.get(row["covariate"])
        column = str(row["covariate"])
        # The clock is the share of those who leave that have left: a quarter of it is half way to either side.
        at = float(found.hazard.coefficients[found.hazard.names.index(column)]) if term else np.nan
        drift = row["slope"] * events / 4
        step = term.step if term is not None and column == term.name else 1.0
        rows.append(
            {
                "covariate": term.name if term else column,
                "level": "" if term is None or column == term.name else column.removeprefix(f"{term.name} = "),
                "early_ratio": np.exp((at - drift) * step),
                "late_ratio": np.exp((at + drift) * step),
                "statistic": row["statistic"],
                "degrees_of_freedom": row["degrees_of_freedom"],
                "p_value": row["p_value"],
            }
        )
    table = pd.DataFrame(rows)
    single = (table["covariate"] != "all") | (table["level"] != "")
    table["p_value_holm"] = np.nan
    table.loc[single, "p_value_holm"] = holm(table.loc[single, "p_value"])
    table["advice"] = [_advice(row, columns) for row in table.to_dict("records")]
    return table


def _advice(row: dict[Any, Any], columns: dict[str, Term]) -> str:
    """Name what to do: nothing, say the two effects, stratify, or let the effect change."""
    if not row["p_value_holm"] < 0.05:
        return ""
    change = abs(np.log(row["late_ratio"] / row["early_ratio"]))
    if change < np.log(1.25):
        return "churn_model.advice_small"
    numbers = {term.name for term in columns.values() if term.is_number}
    return "churn_model.advice_split" if row["covariate"] in numbers else "churn_model.advice_stratify"


def _summary(tenures: Tenures, data: Data, found: Fitted, params: dict[str, Any]) -> pd.DataFrame:
    hazard = found.hazard
    values = data.design.to_numpy()
    score = values @ hazard.coefficients * (1 if hazard.method == "cox" else -1)
    row: dict[str, Any] = {
        "customers": int(tenures.table["customer"].nunique()),
        "events": int(data.event.sum()),
        "coefficients": len(hazard.coefficients),
    }
    enters = data.enters if data.enters.any() else None
    order = concordance(
        data.duration, data.event, score, enters=enters, clusters=data.clusters, confidence=params["confidence"]
    )
    row |= {"concordance": order.concordance, "concordance_low": order.low, "concordance_high": order.high}
    row["log_likelihood"] = hazard.log_likelihood
    row["p_value"] = float(found.tests["p_value"].iloc[0]) if len(found.tests) and len(values.T) else np.nan
    return pd.DataFrame([row])
