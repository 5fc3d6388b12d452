"""The shifted-beta-geometric model of contracts that are renewed or not, fitted to counts by age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from journeykit.errors import ParameterError

Floats = NDArray[np.float64]

DIRECTIONS = 720
"""Points on the edge of the region of likely parameters."""


@dataclass(frozen=True)
class Sbg:
    """A fitted model.

    The share lost at age t of those still there is h(t) = 1 / (a + k (t − 1)), with a = (α + β)/α and k = 1/α. So k = 0
    is the geometric model, in which all customers are alike: α and β are then infinite.

    Attributes
    ----------
    a, k : float
        The maximum of the likelihood.
    log_likelihood : float
        Its logarithm there.
    region_a, region_k : array
        The edge of the region in which twice the logarithm is within the
        chi-squared quantile (one degree of freedom) of the maximum.
    """

    a: float
    k: float
    log_likelihood: float
    region_a: Floats
    region_k: Floats

    @property
    def alpha(self) -> float:
        """First parameter of the beta distribution of the shares lost."""
        return 1 / self.k if self.k > 0 else np.inf

    @property
    def beta(self) -> float:
        """Second parameter of the beta distribution of the shares lost."""
        return (self.a - 1) / self.k if self.k > 0 else np.inf

    def interval(self, quantity: Callable[[Floats, Floats], Floats]) -> tuple[Floats, Floats, Floats]:
        """Return a quantity of (a, k) with its profile-likelihood interval.

        The values that a quantity takes inside the region are its profile-
        likelihood interval, and its extremes lie on the edge.

        Parameters
        ----------
        quantity : callable
            `quantity(a, k)` with arrays of shape (points, 1); returns shape
            (points, m).
        """
        a, k = np.append(self.a, self.region_a), np.append(self.k, self.region_k)
        points = quantity(a[:, np.newaxis], k[:, np.newaxis])
        return points[0], points.min(axis=0), points.max(axis=0)


def lost_share(a: Floats, k: Floats, ages: Floats) -> Floats:
    """Share lost at each age, of those still there at the age before."""
    return np.asarray(1 / (a + k * (ages - 1)))


def survival(a: Floats, k: Floats, ages: Floats) -> Floats:
    """Share still there at each age; `ages` are 0, 1, 2 … in order."""
    stay = 1 - lost_share(a, k, np.maximum(ages, 1.0))
    return np.asarray(np.cumprod(np.where(ages == 0, 1.0, stay), axis=-1))


def residual_mean(a: Floats, k: Floats, ages: Floats) -> Floats:
    """Further periods that a customer who is still there at an age is expected to stay, its own included.

    (α + β + age − 1) / (α − 1); infinite unless α > 1.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (a + k * (ages - 1)) / (1 - k)
    return np.asarray(np.where(k < 1, mean, np.inf))


def log_likelihood(a: ArrayLike, k: ArrayLike, at_risk: ArrayLike, lost: ArrayLike) -> Floats:
    """Logarithm of the likelihood of counts by age 1, 2, …; `a` and `k` may be arrays of one shape."""
    n, d = (np.asarray(each, dtype=float) for each in (at_risk, lost))
    ages = np.arange(1, len(n) + 1)
    one_in = np.asarray(a)[..., np.newaxis] + np.asarray(k)[..., np.newaxis] * (ages - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(n > d, (n - d) * np.log(one_in - 1), 0.0)
    return np.asarray((np.nan_to_num(kept, nan=-np.inf) - n * np.log(one_in)).sum(axis=-1))


def fit_sbg(at_risk: ArrayLike, lost: ArrayLike, confidence: float = 0.95) -> Sbg:
    """Fit the model by maximum likelihood.

    Customers who are still there at their last observed age are censored
    there: they stand in `at_risk` up to it, and never in `lost`.

    Parameters
    ----------
    at_risk : array of int, shape (ages,)
        Customers still there at the age before, whose age 1, 2, … is known.
    lost : array of int, shape (ages,)
        Those of them lost at that age.
    confidence : float
        Coverage of the intervals.

    Raises
    ------
    ParameterError
        With fewer than two ages, or if nobody or everybody was lost.

    References
    ----------
    Fader & Hardie (2007), How to project customer retention, Journal of
    Interactive Marketing 21(1), appendix B (equation B3).

    Examples
    --------
    >>> from journeykit.estimators.sbg import fit_sbg
    >>> still = [1000, 869, 743, 653, 593, 551, 517, 491]
    >>> fit = fit_sbg(still[:-1], [a - b for a, b in zip(still, still[1:])])
    >>> round(fit.alpha, 3), round(fit.beta, 3)
    (0.668, 3.806)
    """
    n, d = np.asarray(at_risk, dtype=float), np.asarray(lost, dtype=float)
    if (n > 0).sum() < 2:
        raise ParameterError(f"two ages or more must be finished to tell how a curve goes on, got {(n > 0).sum()}")
    if d.sum() in (0, n.sum()) or (d > n).any():
        raise ParameterError(f"some but not all must be lost, got {d.sum():g} of {n.sum():g}")
    a, k = _maximum(n, d)
    best = float(log_likelihood(a, k, n, d))
    return Sbg(a, k, best, *_edge(a, k, best, n, d, confidence))


def _maximum(n: Floats, d: Floats) -> tuple[float, float]:
    from scipy.optimize import minimize

    def loss(point: Floats) -> float:
        value = float(log_likelihood(1 + np.exp(point[0]), abs(point[1]), n, d))
        return -value if np.isfinite(value) else 1e300

    start = np.array([np.log(max(n.sum() / d.sum() - 1, 1e-3)), 0.5])
    found: Any = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-10, "maxiter": 5000})
    flat = float(1 + np.exp(start[0]))  # all alike: the share lost, over all ages
    if float(log_likelihood(flat, 0.0, n, d)) >= -found.fun - 1e-9:
        return flat, 0.0
    return float(1 + np.exp(found.x[0])), float(abs(found.x[1]))


def _edge(a: float, k: float, best: float, n: Floats, d: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Walk from the maximum in every direction to where the likelihood has fallen by the chi-squared quantile."""
    from scipy.special import ndtri

    drop = float(ndtri((1 + confidence) / 2)) ** 2 / 2
    x, ages = np.log(a - 1), np.arange(len(n))
    # By the Fisher information the region is an ellipse in (log(a − 1), k): walk as if it were a circle.
    slopes = np.stack([np.full(len(n), a - 1), ages])
    information = (n / ((a + k * ages) ** 2 * (a - 1 + k * ages)) * slopes) @ slopes.T
    angle = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    right, up = np.linalg.solve(np.linalg.cholesky(information).T, np.stack([np.cos(angle), np.sin(angle)]))

    def at(step: Floats) -> tuple[Floats, Floats]:
        with np.errstate(over="ignore"):
            return 1 + np.exp(np.clip(x + step * right, -30, 30)), np.maximum(k + step * up, 0.0)

    def inside(step: Floats) -> NDArray[np.bool_]:
        return np.asarray(log_likelihood(*at(step), n, d) >= best - drop)

    far = np.full(DIRECTIONS, 0.1)
    for _ in range(40):
        far = np.where(inside(far) & (far < 1e4), far * 2, far)
    near = np.zeros(DIRECTIONS)
    for _ in range(60):
        middle = (near + far) / 2
        within = inside(middle)
        near, far = np.where(within, middle, near), np.where(within, far, middle)
    # Beyond k = 0 there is nothing: a walk that got there slides along it, and ends where the likelihood ends.
    return at(near)
