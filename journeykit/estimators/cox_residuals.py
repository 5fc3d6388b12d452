"""What a fitted Cox model leaves over: robust variance, and whether its hazards are proportional."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.cox import CoxFit, Steps, walk
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk_sets import Ints, RiskSets
from journeykit.schema import check_one_of

CLOCKS = ("km", "rank", "log", "identity")


def score_residuals(risk: RiskSets, fit: CoxFit) -> Floats:
    """Contribution of each row of the data to the gradient of the likelihood, before weights.

    Parameters
    ----------
    risk, fit
        The rows, and the model fitted to them.

    Returns
    -------
    array, shape (rows of the data, covariates)
        Zeros for rows that were never at risk when somebody left.

    Notes
    -----
    Lᵢ = ∫ (xᵢ − x̄) dMᵢ: Lin & Wei (1989), eq. 2.4. Of events at one time under
    Efron, the k-th meets the share k/d less of its own group.
    """
    steps = detailed_steps(risk, fit)
    began, ended, own = _places(risk, steps)
    scaled = fit.coefficients * risk.scales
    hazard = risk.x @ scaled + risk.offset
    np.exp(hazard, out=hazard)
    since = np.concatenate([[0.0], np.cumsum(steps.hazard)])
    met = since[ended] - since[began]
    found = np.empty((risk.n, len(risk.names)))
    found[:] = 0.0
    dead = risk.event
    for j in range(len(risk.names)):
        x = risk.x[:, j]
        moment = np.concatenate([[0.0], np.cumsum(steps.means[:, j])])
        residual = -hazard * (x * met - (moment[ended] - moment[began]))
        residual[dead] += x[dead] - steps.averages[own, j]
        residual[dead] += hazard[dead] * (x[dead] * steps.tied_hazard[own] - steps.tied_means[own, j])
        found[risk.row, j] = residual * risk.scales[j]
    return found


def robust_covariance(risk: RiskSets, fit: CoxFit, clusters: Any = None) -> Floats:
    """Covariance of the coefficients that holds also where rows of a customer depend on each other.

    Parameters
    ----------
    risk, fit
        The rows, and the model fitted to them.
    clusters : array, optional
        To whom each row of the data belongs; every row to itself if not given.

    Notes
    -----
    The sandwich of the clusters' sums of score residuals: Lin & Wei (1989),
    eq. 2.6; without a correction for few clusters.
    """
    residuals = score_residuals(risk, fit)
    weight = np.ones(risk.n)
    weight[risk.row] = risk.weight
    residuals *= weight[:, np.newaxis]
    if clusters is not None:
        codes, unique = pd.factorize(np.asarray(clusters))
        if len(codes) != risk.n:
            raise ParameterError(f"clusters must be one a row, got {len(codes)} for {risk.n} rows")
        sums = [np.bincount(codes, each, len(unique)) for each in residuals.T]
        residuals = np.array(sums, dtype=np.float64).reshape(len(sums), len(unique)).T
    influence = residuals @ fit.covariance
    return np.asarray(influence.T @ influence)


def schoenfeld_residuals(risk: RiskSets, fit: CoxFit, *, scaled: bool = False) -> pd.DataFrame:
    """Covariates of each who left, less the average of those at risk then.

    Parameters
    ----------
    risk, fit
        The rows, and the model fitted to them.
    scaled : bool
        Times the number of events and the covariance, plus the coefficients:
        a picture of how each coefficient moves with time (Grambsch & Therneau
        1994).

    Returns
    -------
    DataFrame
        One row an event, in the order of time: `time`, `stratum`, `row` (of
        the data), then a column for each covariate.
    """
    steps = detailed_steps(risk, fit)
    *_, own = _places(risk, steps)
    dead = risk.event
    residuals = (risk.x[dead] - steps.averages[own]) * risk.scales
    if scaled:
        residuals = fit.coefficients + fit.events * residuals @ fit.covariance
    found = pd.DataFrame(
        {
            "time": risk.times[risk.last[dead] - 1],
            "stratum": np.array(risk.strata, dtype=object)[risk.stratum[dead]],
            "row": risk.row[dead],
        }
    )
    found[risk.names] = residuals
    return found.sort_values(["time", "row"], ignore_index=True)


def proportional_hazards_test(risk: RiskSets, fit: CoxFit, clock: str = "km") -> pd.DataFrame:
    """Test whether each effect stays the same as time passes.

    Parameters
    ----------
    risk, fit
        The rows, and the model fitted to them.
    clock : {"km", "rank", "log", "identity"}
        What the effect may grow with: the share gone so far, the number of the
        event, the logarithm of the time, or the time.

    Returns
    -------
    DataFrame
        One row a covariate, and one for all of them (`covariate` "all"):
        `covariate`, `statistic`, `degrees_of_freedom`, `p_value`, `slope` (by
        how much the coefficient grows over one unit of the clock; NaN for all).

    Notes
    -----
    Rao's test of adding x · g(t): Grambsch & Therneau (1994), with the
    information of each time instead of its average.
    """
    from scipy.special import chdtrc

    check_one_of("clock", clock, CLOCKS)
    g = _clock(risk, clock)
    dead = risk.event
    g = g - np.average(g[risk.last[dead] - 1], weights=risk.weight[dead])
    sums, steps = walk(risk, fit.coefficients * risk.scales, fit.ties, g, detailed=True)
    assert steps is not None
    *_, own = _places(risk, steps)
    residuals = risk.x[dead] - steps.averages[own]
    score = (risk.weight[dead] * g[risk.last[dead] - 1]) @ residuals
    solved = np.linalg.solve(sums.information + np.diag(fit.penalty / risk.scales**2), sums.with_clock)
    spread = sums.with_clock2 - sums.with_clock @ solved
    each = np.diag(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(each > 1e-12, score**2 / each, np.nan)
        slope = np.where(each > 1e-12, score / each / risk.scales, np.nan)
    degrees = int(np.linalg.matrix_rank(spread, tol=1e-10 * max(each.max(), 1e-300), hermitian=True))
    together = float(score @ np.linalg.pinv(spread, rcond=1e-10, hermitian=True) @ score) if degrees else np.nan
    statistics, freedom = np.append(statistic, together), np.append(np.ones(len(each), np.int64), degrees)
    return pd.DataFrame(
        {
            "covariate": [*risk.names, "all"],
            "statistic": statistics,
            "degrees_of_freedom": freedom,
            "p_value": np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), statistics), np.nan),
            "slope": np.append(slope, np.nan),
        }
    )


def detailed_steps(risk: RiskSets, fit: CoxFit) -> Steps:
    """Walk over the risk sets once more, at the fitted coefficients, and keep what is seen at each time."""
    _, steps = walk(risk, fit.coefficients * risk.scales, fit.ties, detailed=True)
    assert steps is not None
    return steps


def _places(risk: RiskSets, steps: Steps) -> tuple[Ints, Ints, Ints]:
    """Locate each row's first and last step (exclusive) in its stratum, and the step of each event."""
    wide = len(risk.times) + 1
    key = steps.stratum * wide + steps.number
    stratum = risk.stratum * wide
    ended = np.searchsorted(key, stratum + risk.last, side="right")
    began = np.searchsorted(key, stratum + risk.first, side="right")
    return began, ended, ended[risk.event] - 1


def _clock(risk: RiskSets, clock: str) -> Floats:
    """Value of the clock at each event time."""
    if clock == "identity":
        return risk.times.copy()
    if clock == "log":
        low = risk.times.min() if len(risk.times) else 1.0
        return np.asarray(np.log(risk.times - min(low, 1.0) + 1.0 if low <= 0 else risk.times))
    events = np.bincount(risk.last[risk.event] - 1, risk.weight[risk.event], len(risk.times))
    if clock == "rank":
        return np.asarray(np.cumsum(events) - events / 2)
    entered = np.bincount(risk.first, risk.weight, len(risk.times) + 1)[: len(risk.times)]
    gone = np.bincount(risk.last, risk.weight, len(risk.times) + 1)[: len(risk.times)]  # after the time before
    at_risk = np.cumsum(entered) - np.cumsum(gone)
    share = np.cumprod(1 - events / at_risk)
    return np.asarray(1 - np.concatenate([[1.0], share[:-1]]))  # just before each time
