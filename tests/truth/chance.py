"""What chance may do: written from the formulas, without the package's estimators."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.stats import binom, norm

Z95 = float(norm.isf(0.025))


def wilson(successes: np.ndarray | float, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson (1927), eq. 6; NaN of nobody."""
    successes, n = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = successes / n
        middle = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 / (1 + Z95**2 / n) * np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    return middle - half, middle + half


@cache
def wilson_coverage(n: int, p: float) -> float:
    """Probability that the interval of n customers covers p: summed over all outcomes."""
    low, high = wilson(np.arange(n + 1), n)
    outcomes = np.flatnonzero((low <= p) & (p <= high))
    # They are neighbours, since both bounds grow with the number of successes.
    return float(binom.cdf(outcomes[-1], n, p) - binom.cdf(outcomes[0] - 1, n, p)) if len(outcomes) else 0.0


def family_z(tests: int, level: float = 0.001) -> float:
    """How many standard errors none of so many tests passes, but with this probability (Bonferroni)."""
    return float(norm.isf(level / 2 / tests))


def survival_error(true: np.ndarray, at_risk: np.ndarray, day: int) -> float:
    """Standard error of Kaplan–Meier past a day: Greenwood's sum with the true hazards.

    Parameters
    ----------
    true : array
        Survival past day 0, 1, ….
    at_risk : array
        Customers watched on each of these days.
    day : int
        Where it is read.
    """
    return float(true[day] * np.sqrt(_greenwood(true, at_risk)[: day + 1].sum()))


def mean_error(true: np.ndarray, at_risk: np.ndarray, horizon: int) -> float:
    """Standard error of the mean days up to a horizon: Klein & Moeschberger (2003), eq. 4.5.2, true hazards."""
    left = np.array([true[day:horizon].sum() for day in range(horizon + 1)])
    return float(np.sqrt((left**2 * _greenwood(true, at_risk)[: horizon + 1]).sum()))


def _greenwood(true: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    hazard = 1 - true / np.concatenate([[1.0], true[:-1]])
    return hazard / ((1 - hazard) * np.maximum(at_risk, 1))


def kaplan_meier(durations: np.ndarray, events: np.ndarray, age: float) -> tuple[float, float, float]:
    """Survival past an age with its log(−log) interval, for the routes that get their input wrong."""
    survival, variance = 1.0, 0.0
    for day in np.unique(durations[events & (durations <= age)]):
        risk, gone = (durations >= day).sum(), (events & (durations == day)).sum()
        survival *= 1 - gone / risk
        variance += gone / (risk * (risk - gone)) if risk > gone else np.inf
    if not 0 < survival < 1:
        return survival, np.nan, np.nan
    width = np.exp(Z95 * np.sqrt(variance) / abs(np.log(survival)))
    return survival, survival**width, survival ** (1 / width)


def binomial_chance(successes: np.ndarray | float, n: np.ndarray | float, p: np.ndarray | float) -> np.ndarray:
    """Probability of so many successes of n, or of any as far out on that side; twice, for both sides."""
    return 2 * np.minimum(binom.cdf(successes, n, p), binom.sf(np.asarray(successes) - 1, n, p))
