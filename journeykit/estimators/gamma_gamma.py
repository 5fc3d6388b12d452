"""The Gamma–Gamma model of what customers spend on a purchase."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from journeykit.errors import ParameterError
from journeykit.estimators.maximum import Maximum, maximise

Floats = npt.NDArray[np.float64]

NAMES = ("p", "q", "gamma")

COARSE_ABOVE = 5_000
"""Customers who spend differently above which the way up is looked for with rounded amounts."""

STEPS = 200
"""To so many classes of the mean spend they are rounded then."""


def likelihood_of(n: Floats, total: Floats, weight: Floats) -> Callable[[Floats], float]:
    """Prepare the logarithm of the likelihood of the mean of each customer's purchases (equation 1a of 2013).

    The mean z of n purchases has the density Γ(pn + q)/(Γ(pn)Γ(q)) γ^q z^(pn − 1) n^(pn) / (γ + nz)^(pn + q). What does
    not depend on the parameters is summed once.
    """
    from scipy.special import gammaln

    counts, at = np.unique(n, return_inverse=True)
    customers = np.bincount(at.ravel(), weights=weight)
    log_mean = np.log(total / n)
    once, by_purchase = float(weight @ log_mean), float((weight * n) @ log_mean)

    def log_likelihood(theta: Floats) -> float:
        p, q, gamma = theta
        pn = p * counts
        by_n = gammaln(pn + q) - gammaln(pn) - gammaln(q) + q * np.log(gamma) + pn * np.log(counts)
        whole = np.log(gamma + total)
        return float(np.sum(customers * by_n) + p * by_purchase - once - np.sum(weight * (p * n + q) * whole))

    return log_likelihood


def expected_spend(theta: Floats, n: Floats, total: Floats) -> Floats:
    """Mean that a customer is expected to spend on a purchase, after n that came to a total (equation 5 of 2013).

    p(γ + total)/(pn + q − 1): between the customer's own mean and that of all, pγ/(q − 1), which is also what
    somebody is expected to spend of whom nothing is known (n = 0).
    """
    p, q, gamma = theta
    return np.asarray(p * (gamma + total) / (p * n + q - 1))


def fit_gamma_gamma(
    n: npt.ArrayLike, total: npt.ArrayLike, weight: npt.ArrayLike | None = None, penalizer: float = 0.0
) -> Maximum:
    """Fit what customers spend on a purchase by maximum likelihood.

    Each purchase of a customer is Gamma(p, ν), and ν differs between customers
    as Gamma(q, γ), whatever they buy how often.

    Parameters
    ----------
    n : array
        Purchases of each customer with a known amount, above 0.
    total : array
        What they came to, above 0.
    weight : array, optional
        Customers with each combination; 1 if not given.
    penalizer : float
        Times the sum of the squared parameters, this is taken off the mean
        logarithm of the likelihood.

    Raises
    ------
    ParameterError
        With fewer than 10 customers, if all spend the same, or if the mean
        over customers has no bound (q ≤ 1).

    References
    ----------
    Colombo & Jiang (1999), A stochastic RFM model, Journal of Interactive
    Marketing 13(3); Fader & Hardie (2013), The Gamma–Gamma model of monetary
    value.

    Examples
    --------
    >>> from journeykit.estimators.gamma_gamma import fit_gamma_gamma
    >>> spent = [[9, 11], [35, 40], [5, 4], [22, 30], [60, 41], [15, 13], [80, 95], [12, 9], [33, 28], [18, 25]]
    >>> fit = fit_gamma_gamma([2] * 10, [sum(each) for each in spent])
    >>> fit.names
    ('p', 'q', 'gamma')
    """
    n, total = np.asarray(n, dtype=float), np.asarray(total, dtype=float)
    weight = np.ones(len(n)) if weight is None else np.asarray(weight, dtype=float)
    customers = float(weight.sum())
    if customers < 10:
        raise ParameterError(f"10 customers with an amount on a repeat purchase are needed, got {customers:g}")
    mean = total / n
    if np.ptp(mean) <= 1e-9 * mean.max():
        raise ParameterError(f"all of {customers:g} customers spend {mean[0]:g} a purchase: there is nothing to model")
    unit = float(weight @ mean) / customers
    scaled = total / unit  # gamma is then near 1, whatever the currency
    starts = [np.array([p, q, (q - 1) / p]) for p, q in ((1.5, 3.0), (6.0, 4.0), (3.0, 1.5))]

    def penalty(theta: Floats) -> float:
        p, q, gamma = theta
        return customers * penalizer * float(p**2 + q**2 + (gamma * unit) ** 2)

    found = maximise(
        likelihood_of(n, scaled, weight),
        starts,
        NAMES,
        coarse=likelihood_of(*_rounded(n, scaled, weight)) if len(n) > COARSE_ABOVE else None,
        penalty=penalty if penalizer else None,
        told=": customers may all spend alike, or one purchase may tell all. Give spend=None to leave it out",
    )
    q = float(found.values[1])
    if q <= 1:
        raise ParameterError(
            f"q = {q:.3g}: by this model the mean spend over all customers has no bound, as a few spend very much; "
            "look for amounts that are wrong, or give spend=None"
        )
    logs = found.logs + np.array([0, 0, np.log(unit)])
    return Maximum(NAMES, logs, found.covariance, likelihood_of(n, total, weight)(np.exp(logs)))


def _rounded(n: Floats, total: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Take customers with as many purchases, and nearly the same mean of them, for equal: at their geometric mean."""
    logs = np.log(total / n)
    edges = np.quantile(logs, np.linspace(0, 1, STEPS + 1)[1:-1])
    counts, which = np.unique(n, return_inverse=True)
    place = which.ravel() * STEPS + np.searchsorted(edges, logs)
    customers: Floats = np.bincount(place, weight, len(counts) * STEPS).astype(np.float64)
    there = np.flatnonzero(customers)
    mean = np.bincount(place, weight * logs, len(customers))[there] / customers[there]
    many = counts[there // STEPS]
    return many, many * np.exp(mean), customers[there]
