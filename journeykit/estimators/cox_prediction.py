"""The baseline of a Cox model, and the cumulative hazards that it predicts, with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from journeykit.errors import ParameterError
from journeykit.estimators.cox import CoxFit
from journeykit.estimators.cox_residuals import detailed_steps
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk_sets import Ints, RiskSets

MOST_PAIRS = 20_000_000
"""Numbers that are held at once while predicting."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """Steps of the cumulative hazard of somebody with mean covariates, stratum by stratum.

    Attributes
    ----------
    strata : list
        Names.
    starts : array of int64
        Where each stratum's steps begin; one more at the end.
    times : array
        Rising within a stratum.
    hazard, variance : array
        Cumulative hazard up to and including each time, and its variance were
        the coefficients known.
    moments : array, shape (steps, covariates)
        Cumulative Σ (x̄ − mean) · hazard.
    means : array
        Of the covariates.
    reach : array
        The longest time that anybody was watched in each stratum.
    """

    strata: list[Any]
    starts: Ints
    times: Floats
    hazard: Floats
    variance: Floats
    moments: Floats
    means: Floats
    reach: Floats


def baseline(risk: RiskSets, fit: CoxFit, reach: Any = None) -> Baseline:
    """Estimate the baseline's cumulative hazard, with the same ties as the coefficients.

    Parameters
    ----------
    risk, fit
        The rows, and the model fitted to them.
    reach : array, optional
        The longest duration in each stratum; the last event if not given.

    Notes
    -----
    Breslow (1974), and with Efron's ties as Therneau & Grambsch (2000),
    section 10.2.2; at covariates as averaged over rows, and no offset.
    """
    steps = detailed_steps(risk, fit)
    starts = np.searchsorted(steps.stratum, np.arange(len(risk.strata) + 1)).astype(np.int64)
    times = risk.times[steps.number - 1]
    sums = [_cumulate(each, starts) for each in (steps.hazard, steps.variance, steps.means * risk.scales)]
    ends = np.array([times[a:b].max(initial=0.0) for a, b in pairwise(starts.tolist())])
    return Baseline(
        risk.strata,
        starts,
        times,
        sums[0],
        sums[1],
        sums[2],
        risk.means,
        ends if reach is None else np.asarray(reach, dtype=np.float64),
    )


def _cumulate(steps: Floats, starts: Ints) -> Floats:
    found = steps.copy()
    for a, b in pairwise(starts.tolist()):
        np.cumsum(steps[a:b], axis=0, out=found[a:b])
    return found


def predicted_hazard(
    base: Baseline,
    coefficients: Floats,
    covariance: Floats,
    x: Any,
    begins: Any,
    ends: Any,
    stratum: Any = None,
    *,
    errors: bool = True,
) -> tuple[Floats, Floats]:
    """Cumulative hazard from one age to another, row by row, and its standard error.

    Parameters
    ----------
    base, coefficients, covariance
        The model.
    x : array, shape (rows, covariates)
        Covariates as given to the model.
    begins, ends : array or number
        Ages: hazard over (begins, ends].
    stratum : array of int, optional
        Place of each row's stratum in `base.strata`.
    errors : bool
        Whether standard errors are wanted: most of the work. NaN if not.

    Returns
    -------
    hazard, se : array
        NaN where `ends` is beyond what was watched.

    Notes
    -----
    r² (V + qᵀ Σ q) with q = ∫ (x̄ − x) dΛ₀: Therneau & Grambsch (2000), eq. 10.9.
    """
    values = np.asarray(x, dtype=np.float64) - base.means
    n = len(values)
    place = np.zeros(n, np.int64) if stratum is None else np.asarray(stratum, dtype=np.int64)
    first, last = np.broadcast_to(begins, n).astype(np.float64), np.broadcast_to(ends, n).astype(np.float64)
    if (last < first).any():
        raise ParameterError("ages must not end before they begin")
    hazard, se = np.empty(n), np.full(n, np.nan)
    ratio = np.exp(values @ coefficients)
    for code in np.unique(place).tolist():
        rows = np.flatnonzero(place == code)
        a, b = base.starts[code], base.starts[code + 1]
        zero = np.zeros((1, base.moments.shape[1]))
        grown = np.concatenate([[0.0], base.hazard[a:b]])
        spread = np.concatenate([[0.0], base.variance[a:b]])
        moment = np.concatenate([zero, base.moments[a:b]])
        for some in np.array_split(rows, max(1, len(rows) * values.shape[1] // MOST_PAIRS + 1)):
            i = np.searchsorted(base.times[a:b], first[some], side="right")
            j = np.searchsorted(base.times[a:b], last[some], side="right")
            rise = grown[j] - grown[i]
            seen = last[some] <= base.reach[code]
            hazard[some] = np.where(seen, ratio[some] * rise, np.nan)
            if not errors:
                continue
            q = moment[j] - moment[i] - values[some] * rise[:, np.newaxis]
            variance = spread[j] - spread[i] + np.einsum("ij,jk,ik->i", q, covariance, q, optimize=True)
            se[some] = np.where(seen, ratio[some] * np.sqrt(np.maximum(variance, 0)), np.nan)
    return hazard, se


def leaving_interval(hazard: Floats, se: Floats, z: float) -> tuple[Floats, Floats, Floats]:
    """Chance to leave, from a cumulative hazard, with an interval that is symmetric for its logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(np.where(hazard > 0, z * se / hazard, 0.0))
    return -np.expm1(-hazard), -np.expm1(-hazard / factor), -np.expm1(-hazard * factor)
