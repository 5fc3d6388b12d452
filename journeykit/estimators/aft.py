"""Accelerated failure times: covariates stretch or shrink the time until the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.bounded import refuse_collinear, refuse_unbounded
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk_sets import numbers
from journeykit.schema import check_one_of

DISTRIBUTIONS = ("weibull", "lognormal", "loglogistic")
MOST_STEPS = 100


@dataclass(frozen=True, eq=False)
class AftFit:
    """A fitted model: log T = intercept + x β + scale · W.

    Attributes
    ----------
    coefficients : array
        Logarithms of the time ratios, one per covariate.
    intercept, log_scale : float
        At covariates of 0.
    covariance : array
        Of (intercept, coefficients, log scale); robust where clusters were given.
    log_likelihood : float
        Of the times, without the penalty.
    """

    names: list[str]
    distribution: str
    coefficients: Floats
    intercept: float
    log_scale: float
    covariance: Floats
    log_likelihood: float
    n: int
    events: int

    def hazard(self, x: Any, begins: Any, ends: Any, *, errors: bool = True) -> tuple[Floats, Floats]:
        """Cumulative hazard from one time to another, row by row, and its standard error (NaN if not wanted)."""
        values = np.asarray(x, dtype=np.float64)
        centre = self.intercept + values @ self.coefficients
        upto, slopes = self._hazard_until(values, centre, np.broadcast_to(ends, len(values)).astype(np.float64))
        before, less = self._hazard_until(values, centre, np.broadcast_to(begins, len(values)).astype(np.float64))
        if not errors:
            return upto - before, np.full(len(values), np.nan)
        slopes -= less
        variance = np.einsum("ij,jk,ik->i", slopes, self.covariance, slopes, optimize=True)
        return upto - before, np.sqrt(np.maximum(variance, 0))

    def _hazard_until(self, x: Floats, centre: Floats, time: Floats) -> tuple[Floats, Floats]:
        """Cumulative hazard until a time, and its derivatives by the parameters; nothing until time 0."""
        scale = np.exp(self.log_scale)
        z = (np.log(np.where(time > 0, time, 1.0)) - centre) / scale
        log_survival, slope, _ = _log_survival(self.distribution, z)
        there = time > 0
        by_centre = np.where(there, slope / scale, 0.0)
        by_scale = np.where(there, slope * z, 0.0)
        return np.where(there, -log_survival, 0.0), np.column_stack([by_centre, by_centre[:, np.newaxis] * x, by_scale])


def aft_fit(
    duration: Any,
    event: Any,
    x: Any,
    *,
    distribution: str = "weibull",
    enters: Any = None,
    weight: Any = None,
    penalty: float | Sequence[float] = 0.0,
    clusters: Any = None,
) -> AftFit:
    """Find the time ratios with the greatest likelihood, by Newton's method.

    Parameters
    ----------
    duration, event : array
        Time of the end or of censoring, above 0, and whether it is an end.
    x : DataFrame or array, shape (rows, covariates)
        Numbers, none missing.
    distribution : {"weibull", "lognormal", "loglogistic"}
        Of the times.
    enters : array, optional
        Time since which each row is watched: what it survived until then says
        nothing of it.
    weight : array, optional
        Case weights.
    penalty : float or one per covariate
        Half of it times the square of each coefficient is taken off the
        logarithm of the likelihood.
    clusters : array, optional
        To whom each row belongs: then the covariance is robust.

    Notes
    -----
    Kalbfleisch & Prentice (2002), section 3.6.1: a row adds log f of its end or
    log S where censored, less log S where it entered.

    Examples
    --------
    >>> fit = aft_fit([1, 2, 3, 4, 5, 9], [1, 1, 1, 1, 0, 1], [0, 0, 0, 1, 1, 1])
    >>> round(float(np.exp(fit.coefficients[0])), 2)
    3.37
    """
    check_one_of("distribution", distribution, DISTRIBUTIONS)
    names, values = numbers(x)
    time, ended = np.asarray(duration, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if not (time > 0).all():
        raise ParameterError("an accelerated-failure-time model needs durations above 0")
    if not ended.any():
        raise ParameterError("nobody leaves: there is nothing to fit")
    if (time[ended > 0] == time.max()).all():
        raise ParameterError(
            f"all who leave do so at {time.max():g}, and nobody was watched longer: that tells no distribution of times"
        )
    since = None if enters is None else np.asarray(enters, dtype=np.float64)
    w = np.ones(len(time)) if weight is None else np.asarray(weight, dtype=np.float64)
    means = np.average(values, axis=0, weights=w)
    scales = np.sqrt(np.average((values - means) ** 2, axis=0, weights=w))
    constant = [name for name, scale, mean in zip(names, scales, means, strict=True) if scale <= 1e-12 * abs(mean)]
    if constant:
        raise ParameterError(f"covariates that are the same for everybody explain nothing: {constant}")
    design = np.column_stack([np.ones(len(time)), (values - means) / scales])
    p = design.shape[1]
    penalties = np.zeros(p + 1)
    penalties[1:p] = np.broadcast_to(np.asarray(penalty, dtype=np.float64), (p - 1,)) / scales**2
    if not penalties.any():
        refuse_collinear(["the level", *names], (design * w[:, np.newaxis]).T @ design)
    at = np.zeros(p + 1)
    at[0] = np.average(np.log(time), weights=w) + np.log(w.sum() / (w @ ended)) / 2
    rows = _Rows(distribution, np.log(time), ended, since, design, w)
    worth, gradient, bend = rows.sums(at)
    worth -= 0.5 * float(penalties @ at**2)
    for _ in range(MOST_STEPS):
        slope = gradient - penalties * at
        step = _uphill(bend + np.diag(penalties), slope)
        rise, before = float(slope @ step), worth
        for _ in range(40):
            there = at + step
            worth, gradient, bend = rows.sums(there)
            worth -= 0.5 * float(penalties @ there**2)
            if worth >= before - 1e-11 * abs(before):
                break
            step /= 2
        at = there
        if abs(rise) < 1e-11:
            break
    level = ["the level", *names, "the scale"]
    refuse_unbounded(level, np.diag(np.append((w @ design**2), w @ ended)), bend + np.diag(penalties))
    covariance = np.linalg.inv(bend + np.diag(penalties))
    if clusters is not None:
        covariance = rows.robust(at, covariance, clusters)
    back = np.zeros((p + 1, p + 1))  # from the centred, scaled covariates to those given
    back[0, 0], back[0, 1:p] = 1.0, -means / scales
    back[1:p, 1:p] = np.diag(1 / scales)
    back[p, p] = 1.0
    found = back @ at
    likelihood = worth + 0.5 * float(penalties @ at**2)
    return AftFit(
        names,
        distribution,
        found[1:p],
        float(found[0]),
        float(found[p]),
        back @ covariance @ back.T,
        likelihood,
        len(time),
        int(ended.sum()),
    )


def _uphill(bend: Floats, slope: Floats) -> Floats:
    """Newton's step where the likelihood is bent like a hill, else a step that surely rises."""
    values, vectors = np.linalg.eigh(bend)
    if values[0] <= 1e-12 * abs(values[-1]):
        values = np.maximum(np.abs(values), 1e-6 * np.abs(values).max())
    return np.asarray(vectors @ ((vectors.T @ slope) / values))


@dataclass(frozen=True, eq=False)
class _Rows:
    """The data of a fit, and the sums over it."""

    distribution: str
    log_time: Floats
    ended: Floats
    since: Floats | None
    design: Floats
    weight: Floats

    def sums(self, at: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, gradient, and the negative of its second derivatives."""
        with np.errstate(all="ignore"):  # where a step went too far, it is taken back
            worth, centre, scale, centre2, cross, scale2 = self._derivatives(at)
        gradient = np.append(self.design.T @ centre, scale.sum())
        bend = np.empty((len(at), len(at)))
        bend[:-1, :-1] = -(self.design.T @ (self.design * centre2[:, np.newaxis]))
        bend[-1, :-1] = bend[:-1, -1] = -(self.design.T @ cross)
        bend[-1, -1] = -scale2.sum()
        return worth, gradient, bend

    def robust(self, at: Floats, covariance: Floats, clusters: Any) -> Floats:
        """Sandwich of the clusters' sums of the gradient."""
        _, centre, scale, *_ = self._derivatives(at)
        score = np.column_stack([self.design * centre[:, np.newaxis], scale])
        codes, unique = pd.factorize(np.asarray(clusters))
        influence = np.column_stack([np.bincount(codes, each, len(unique)) for each in score.T]) @ covariance
        return np.asarray(influence.T @ influence)

    def _derivatives(self, at: Floats) -> tuple[float, Floats, Floats, Floats, Floats, Floats]:
        """Log-likelihood; and row by row its derivatives by the centre and the log scale, first and second."""
        scale = np.exp(at[-1])
        middle = self.design @ at[:-1]
        z = (self.log_time - middle) / scale
        log_survival, s1, s2 = _log_survival(self.distribution, z)
        log_density, f1, f2 = _log_density(self.distribution, z)
        g = self.ended * (log_density - at[-1] - self.log_time) + (1 - self.ended) * log_survival
        parts = _by_parameters(
            self.ended * f1 + (1 - self.ended) * s1, self.ended * f2 + (1 - self.ended) * s2, z, scale
        )
        parts[1] -= self.ended
        if self.since is not None:
            late = self.since > 0
            before = (np.log(np.where(late, self.since, 1.0)) - middle) / scale
            survived, b1, b2 = (np.where(late, each, 0.0) for each in _log_survival(self.distribution, before))
            g = g - survived
            parts = [ours - theirs for ours, theirs in zip(parts, _by_parameters(b1, b2, before, scale), strict=True)]
        centre, by_scale, centre2, cross, scale2 = (self.weight * each for each in parts)
        return float(self.weight @ g), centre, by_scale, centre2, cross, scale2


def _by_parameters(first: Floats, second: Floats, z: Floats, scale: float) -> list[Floats]:
    """Derivatives by centre and log scale of a function of z = (log t − centre)/scale."""
    return [
        -first / scale,
        -z * first,
        second / scale**2,
        (second * z + first) / scale,
        second * z**2 + first * z,
    ]


def _log_survival(distribution: str, z: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log S(z) of the standard distribution of log T, and its first and second derivative."""
    if distribution == "weibull":
        grown = np.exp(np.minimum(z, 500))
        return -grown, -grown, -grown
    if distribution == "loglogistic":
        share = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        return -np.logaddexp(0, z), -share, -share * (1 - share)
    from scipy.special import log_ndtr

    log_there = log_ndtr(-z)
    ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_there)  # of density to survival
    return log_there, -ratio, -ratio * (ratio - z)


def _log_density(distribution: str, z: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log f(z) of the standard distribution of log T, and its first and second derivative."""
    if distribution == "weibull":
        grown = np.exp(np.minimum(z, 500))
        return z - grown, 1 - grown, -grown
    if distribution == "loglogistic":
        share = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        return z - 2 * np.logaddexp(0, z), 1 - 2 * share, -2 * share * (1 - share)
    return -0.5 * z**2 - 0.5 * np.log(2 * np.pi), -z, -np.ones_like(z)
