"""The model of the hazard of leaving: Cox's, or an accelerated failure time, behind one face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.aft import AftFit, aft_fit
from journeykit.estimators.cox import CoxFit, cox_fit
from journeykit.estimators.cox_prediction import Baseline, baseline, predicted_hazard
from journeykit.estimators.cox_residuals import proportional_hazards_test, robust_covariance
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk_sets import RiskSets, risk_sets

METHODS = ("cox", "weibull_aft", "lognormal_aft", "loglogistic_aft")
WELL_WATCHED = 25
"""Rows at risk (or a twentieth, where they are few) until which a baseline is trusted; beyond, its last stretch is
taken to go on."""


@dataclass(frozen=True, eq=False)
class Data:
    """Rows that a model is fitted to."""

    duration: Floats
    event: npt.NDArray[np.bool_]
    enters: Floats
    design: pd.DataFrame
    strata: npt.NDArray[Any] | None
    clusters: npt.NDArray[Any] | None

    def reach(self) -> dict[Any, float]:
        """Find the age until which each stratum is well watched."""
        labels = np.zeros(len(self.duration), np.int64) if self.strata is None else self.strata
        found = {}
        for label in np.unique(labels):
            ends = np.sort(self.duration[labels == label])
            enough = min(WELL_WATCHED, max(1, len(ends) // 20))
            found[label] = float(ends[len(ends) - enough])
        return found


@dataclass(frozen=True, eq=False)
class Hazard:
    """A fitted model of the hazard.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    names : list of str
        Columns of the design.
    coefficients, covariance : array
        Of the logarithm of the hazard under Cox, of the time otherwise.
    origin : float
        Age that is time 0 of an accelerated model.
    """

    method: str
    names: list[str]
    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    robust: bool
    base: Baseline | None = None
    aft: AftFit | None = None
    origin: float = 0.0
    reach: float = np.inf

    @property
    def strata(self) -> list[Any]:
        """Names of the strata; one without a name where there are none."""
        return [""] if self.base is None else self.base.strata

    def left_any(self, stratum: int) -> bool:
        """Say whether anybody left in a stratum that was learned from."""
        return self.base is None or bool(self.base.starts[stratum + 1] > self.base.starts[stratum])

    def between(
        self, design: Any, begins: Any, ends: Any, stratum: Any = None, *, errors: bool = True
    ) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
        """Cumulative hazard over (begins, ends] of ages, its standard error, and whether it is beyond what was watched.

        Beyond the age until which a baseline is well watched, the rate of its
        last stretch (as long as the time asked for, or half of what was
        watched) goes on.
        """
        x = np.asarray(design, dtype=np.float64)
        n = len(x)
        first, last = np.broadcast_to(begins, n).astype(float), np.broadcast_to(ends, n).astype(float)
        if self.aft is not None:
            hazard, se = self.aft.hazard(x, first - self.origin, last - self.origin, errors=errors)
            return hazard, se, last > self.reach
        assert self.base is not None
        place = np.zeros(n, np.int64) if stratum is None else np.asarray(stratum, dtype=np.int64)
        hazard, se = np.full(n, np.nan), np.full(n, np.nan)
        known = place >= 0
        reach = np.where(known, self.base.reach[np.maximum(place, 0)], np.nan)
        arguments = (self.base, self.coefficients, self.covariance)
        inside = known & (last <= reach)
        if inside.any():
            hazard[inside], se[inside] = predicted_hazard(
                *arguments, x[inside], first[inside], last[inside], place[inside], errors=errors
            )
        beyond = known & ~inside
        if beyond.any():
            some, limit = x[beyond], reach[beyond]
            asked = last[beyond] - np.minimum(first[beyond], limit)
            stretch = np.minimum(np.maximum(asked, 1.0), np.maximum(limit / 2, 1.0))
            stretch = np.minimum(stretch, np.maximum(limit, 1e-9))
            tail, tail_se = predicted_hazard(
                *arguments, some, np.maximum(limit - stretch, 0), limit, place[beyond], errors=errors
            )
            tail, tail_se = tail / stretch, tail_se / stretch
            start = np.minimum(first[beyond], limit)
            seen, seen_se = predicted_hazard(*arguments, some, start, limit, place[beyond], errors=errors)
            after = last[beyond] - np.maximum(first[beyond], limit)
            hazard[beyond], se[beyond] = seen + after * tail, seen_se + after * tail_se
        return hazard, se, beyond


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model, and what tells how well it fits.

    Attributes
    ----------
    hazard : Hazard
        The model.
    checks : DataFrame
        Of Cox's: the test of proportional hazards. Of an accelerated failure
        time: how likely the times are under each distribution.
    tests : DataFrame
        Whether the covariates explain anything; empty unless Cox's.
    """

    hazard: Hazard
    checks: pd.DataFrame
    tests: pd.DataFrame


def fit_hazard(data: Data, method: str, *, ties: str, penalizer: float, limit: int, dated: Any) -> Fitted:
    """Fit a model; the penalizer is per row and squared standard deviation, as in lifelines."""
    penalty: Any = penalizer * len(data.event) * data.design.to_numpy().var(axis=0) if penalizer else 0.0
    if method == "cox":
        return _fit_cox(data, ties, penalty)
    if data.strata is not None:
        raise ParameterError("strata are for Cox's model: an accelerated failure time has one curve for all")
    # Under inactivity nobody can leave before the silence has passed once: time begins where one can.
    origin = limit - 1.0 if limit and dated == "known" else min(0.0, float(data.enters.min(initial=0.0)))
    time = data.duration - origin
    watched = time > 0  # rows that were not watched where one can leave say nothing, exactly
    since = np.maximum(data.enters - origin, 0)[watched]
    clusters = data.clusters[watched] if data.clusters is not None else None
    fits = {
        each: aft_fit(
            time[watched],
            data.event[watched],
            data.design[watched],
            distribution=each.removesuffix("_aft"),
            enters=since if since.any() else None,
            penalty=penalty,
            clusters=clusters,
        )
        for each in METHODS[1:]
    }
    fit = fits[method]
    hazard = Hazard(
        method,
        fit.names,
        fit.coefficients,
        fit.covariance[1:-1, 1:-1],
        fit.log_likelihood,
        clusters is not None,
        aft=fit,
        origin=origin,
        reach=float(data.duration.max(initial=0.0)),
    )
    likelihood = np.array([each.log_likelihood for each in fits.values()])
    checks = pd.DataFrame({"method": list(fits), "log_likelihood": likelihood, "behind": likelihood.max() - likelihood})
    return Fitted(hazard, checks, pd.DataFrame())


def _fit_cox(data: Data, ties: str, penalty: Any) -> Fitted:
    enters = data.enters if data.enters.any() else None
    risk = risk_sets(data.duration, data.event, data.design, enters=enters, strata=data.strata)
    fit = cox_fit(risk, ties=ties, penalty=penalty)  # type: ignore[arg-type]  # it checks
    covariance = fit.covariance if data.clusters is None else robust_covariance(risk, fit, data.clusters)
    reach = data.reach()
    base = baseline(risk, fit, [reach[0] if data.strata is None else reach[label] for label in risk.strata])
    hazard = Hazard(
        "cox", fit.names, fit.coefficients, covariance, fit.log_likelihood, data.clusters is not None, base=base
    )
    return Fitted(hazard, _checked(risk, fit), fit.tests())


def _checked(risk: RiskSets, fit: CoxFit) -> pd.DataFrame:
    if not len(fit.coefficients):
        return pd.DataFrame()
    return proportional_hazards_test(risk, fit, "rank")
