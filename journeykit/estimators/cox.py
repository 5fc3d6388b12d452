"""Cox's model of proportional hazards: the coefficients that fit best who left when, of those at risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.bounded import refuse_collinear, refuse_unbounded
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk_sets import Ints, RiskSets
from journeykit.schema import check_one_of

Ties = Literal["efron", "breslow"]

TIES = ("efron", "breslow")
MOST_STEPS = 50


@dataclass(frozen=True, eq=False)
class Walk:
    """What one walk over the risk sets sums up, for coefficients of the scaled covariates."""

    likelihood: float
    gradient: Floats
    information: Floats
    with_clock: Floats
    with_clock2: Floats


@dataclass(frozen=True, eq=False)
class Steps:
    """The times with events in each stratum, rising: what happens to the baseline there; covariates scaled.

    Attributes
    ----------
    stratum, number : arrays of int64
        Which stratum, and which event time, counted from 1.
    hazard, variance : arrays
        Steps of the baseline's cumulative hazard (of a customer with mean
        covariates) and of its variance, as if the coefficients were known.
    tied_hazard : array
        By how much less the hazard is of those who leave there, under Efron.
    weight : array
        Of the events.
    means, tied_means : arrays, shape (steps, covariates)
        Σ w x̄/c and Σ w f x̄/c.
    averages : array, shape (steps, covariates)
        Mean covariates of those at risk.
    """

    stratum: Ints
    number: Ints
    hazard: Floats
    tied_hazard: Floats
    variance: Floats
    weight: Floats
    means: Floats
    tied_means: Floats
    averages: Floats


def walk(
    risk: RiskSets, coefficients: Floats, ties: Ties, clock: Floats | None = None, *, detailed: bool = False
) -> tuple[Walk, Steps | None]:
    """Pass over the risk sets once, at coefficients of the scaled covariates."""
    from journeykit.loops.cox import walk_risk_sets

    p = len(risk.names)
    score = risk.x @ coefficients + risk.offset
    score -= score.max() if len(score) else 0.0  # cancels in the likelihood, and nothing overflows
    sums = [np.zeros((p, p)) for _ in range(3)]
    gradient = np.zeros(p)
    rows = 0
    if detailed:
        with_events = np.repeat(np.arange(len(risk.strata)), np.diff(risk.starts))[risk.event]
        rows = len(pd.unique(with_events * (len(risk.times) + 1) + risk.last[risk.event]))
    cells, steps = np.zeros(rows, np.int32), np.zeros((rows, 7))
    moments = [np.zeros((rows, p)) for _ in range(3)]
    likelihood = walk_risk_sets(
        risk.x,
        score,
        risk.weight * np.exp(score),
        risk.weight,
        risk.event,
        risk.first,
        risk.last,
        risk.by_first,
        risk.starts,
        ties == "efron",
        np.zeros(0) if clock is None else clock,
        gradient,
        *sums,
        cells,
        steps,
        *moments,
    )
    found = Walk(likelihood, gradient, *(lower + np.tril(lower, -1).T for lower in sums))
    if not detailed:
        return found, None
    # The greatest score was taken off: hazards are those of somebody with mean covariates and no offset.
    shift = (risk.x @ coefficients + risk.offset).max() if len(score) else 0.0
    back = np.exp(-shift)
    falls = np.diff(cells.astype(np.int64), prepend=0) > 0  # a new stratum begins where numbers stop falling
    falls[:1] = False
    stratum = _strata_with_events(risk)[np.cumsum(falls)] if rows else np.zeros(0, np.int64)
    order = np.lexsort((cells, stratum))
    one = steps[order] * np.array([back, back, back**2, back**2, back**2, 1, 1])
    return found, Steps(
        stratum[order],
        cells[order].astype(np.int64),
        one[:, 0],
        one[:, 1],
        one[:, 2],
        one[:, 5],
        moments[0][order] * back,
        moments[1][order] * back,
        moments[2][order],
    )


def _strata_with_events(risk: RiskSets) -> Ints:
    return np.flatnonzero(np.bincount(risk.stratum[risk.event], minlength=len(risk.strata)))


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fitted model.

    Attributes
    ----------
    coefficients : array
        Logarithms of the hazard ratios, one per covariate.
    covariance : array
        Their covariance: the inverse of the (penalised) information.
    log_likelihood, null_log_likelihood : float
        Of the partial likelihood, without the penalty; with coefficients and with none.
    score_statistic : float
        Of Rao's test that all coefficients are 0.
    n, events : int
        Rows, and events with company.
    steps : int
        Newton's.
    """

    names: list[str]
    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    score_statistic: float
    n: int
    events: int
    steps: int
    ties: Ties
    penalty: Floats

    @property
    def likelihood_ratio(self) -> float:
        """Statistic of the likelihood-ratio test that all coefficients are 0."""
        return 2 * (self.log_likelihood - self.null_log_likelihood)

    @property
    def wald_statistic(self) -> float:
        """Statistic of Wald's test that all coefficients are 0."""
        return float(self.coefficients @ np.linalg.solve(self.covariance, self.coefficients))

    def tests(self) -> pd.DataFrame:
        """Test that all coefficients are 0, in three ways: `test`, `statistic`, `degrees_of_freedom`, `p_value`."""
        from scipy.special import chdtrc

        found = {
            "likelihood_ratio": self.likelihood_ratio,
            "score": self.score_statistic,
            "wald": self.wald_statistic,
        }
        statistic = np.array(list(found.values()))
        degrees = len(self.coefficients)
        return pd.DataFrame(
            {
                "test": list(found),
                "statistic": statistic,
                "degrees_of_freedom": degrees,
                "p_value": chdtrc(degrees, statistic),
            }
        )


def cox_fit(risk: RiskSets, *, ties: Ties = "efron", penalty: float | Sequence[float] = 0.0) -> CoxFit:
    """Find the coefficients with the greatest partial likelihood, by Newton's method.

    Parameters
    ----------
    risk : RiskSets
        As `risk_sets` makes them.
    ties : {"efron", "breslow"}
        How events at one time share it.
    penalty : float or one per covariate
        Half of it times the square of each coefficient is taken off the
        logarithm of the likelihood.

    Raises
    ------
    ParameterError
        If there is no greatest: a covariate tells exactly who leaves first,
        or is made of the others.

    Notes
    -----
    Cox (1972); tied events as Efron (1977) or Breslow (1974). Late entry, and
    covariates that change, as counting processes: Andersen & Gill (1982).

    Examples
    --------
    >>> from journeykit.estimators.risk_sets import risk_sets
    >>> fit = cox_fit(risk_sets([1, 1, 6, 6, 8, 9], [1, 0, 1, 1, 0, 1], [1, 1, 1, 0, 0, 0]))
    >>> fit.coefficients.round(4).tolist()
    [1.6769]
    """
    check_one_of("ties", ties, TIES)
    if not risk.event.any():
        raise ParameterError("nobody leaves while others are watched: there is nothing to fit")
    p = len(risk.names)
    # Penalties are of the covariates as given; inside, coefficients are of the scaled ones.
    penalties = np.broadcast_to(np.asarray(penalty, dtype=np.float64), (p,)) / risk.scales**2
    if (penalties < 0).any():
        raise ParameterError(f"penalty must be 0 or more, got {penalty!r}")
    at = np.zeros(p)
    now, _ = walk(risk, at, ties)
    null = now
    if p == 0:
        nothing = np.zeros((0, 0))
        return CoxFit(
            [], at, nothing, null.likelihood, null.likelihood, 0.0, risk.n, int(risk.event.sum()), 0, ties, at
        )
    refuse_collinear(risk.names, null.information + np.diag(penalties))
    worth = now.likelihood
    count = 0
    while count < MOST_STEPS:
        count += 1
        gradient = now.gradient - penalties * at
        step = np.linalg.solve(now.information + np.diag(penalties), gradient)
        rise = float(gradient @ step)
        then, there = now, at
        for _ in range(30):
            there = at + step
            then, _ = walk(risk, there, ties)
            after = then.likelihood - 0.5 * float(penalties @ there**2)
            if after >= worth - 1e-11 * abs(worth):
                break
            step /= 2
        now, at, worth = then, there, after
        if rise < 1e-11:  # the step now taken left an error of that order squared
            break
    information = now.information + np.diag(penalties)
    refuse_unbounded(risk.names, null.information + np.diag(penalties), information)
    covariance = np.linalg.inv(information) / np.outer(risk.scales, risk.scales)
    statistic = float(null.gradient @ np.linalg.pinv(null.information, hermitian=True) @ null.gradient)
    return CoxFit(
        risk.names,
        at / risk.scales,
        covariance,
        now.likelihood,
        null.likelihood,
        statistic,
        risk.n,
        int(risk.event.sum()),
        count,
        ties,
        penalties * risk.scales**2,
    )
