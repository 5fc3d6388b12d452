"""Differences between two estimates whose customers may be the same, by customers' scores; ratios of two estimates.

A customer's *score* is what they add to an estimate's error: the estimate less the truth is about the sum of the
scores. So two estimates may be of any kind, and over any two sets of customers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.proportions import Floats, divide, t_value, z_value
from journeykit.schema import check_confidence


def ratio_scores(x: Any, n: Any) -> Floats:
    """Score of each customer in Σx/Σn; NaN for whoever has no part in it.

    Parameters
    ----------
    x, n : array
        One entry per customer: successes, or a total, and the units behind.

    Notes
    -----
    (xᵢ − p nᵢ)/Σn, the linearised ratio: Cochran (1977), Sampling Techniques,
    ch. 6.

    Examples
    --------
    >>> ratio_scores([1, 0, 0], [1, 1, 0])
    array([ 0.25, -0.25,   nan])
    """
    successes, units = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    total = units.sum()
    scores = divide(deviations(successes, divide(successes.sum(), total) * units), total)
    return np.where((units == 0) & (successes == 0), np.nan, scores)


def deviations(seen: Any, expected: Any) -> Floats:
    """Subtract what was expected; what rounding leaves of equal numbers is 0, and must not become a tiny interval.

    Examples
    --------
    >>> deviations([0.3, 1.0], [0.1 + 0.2, 0.5])
    array([0. , 0.5])
    """
    x, e = np.asarray(seen, dtype=float), np.asarray(expected, dtype=float)
    return np.where(np.abs(x - e) <= 1e-12 * (np.abs(x) + np.abs(e)), 0.0, x - e)


def joint_scores(scores_a: pd.DataFrame, scores_b: pd.DataFrame) -> pd.DataFrame:
    """Sums over customers behind two estimates, one row a pair of columns.

    Parameters
    ----------
    scores_a, scores_b : DataFrame
        One row per customer (index: their ids), one column an estimate, in the
        same order; NaN where the customer has no part in it.

    Returns
    -------
    DataFrame
        `customers` (in either), `shared` (in both), `aa`, `bb`, `ab` (sums of
        squares and products).

    Examples
    --------
    >>> a = pd.DataFrame({0: [0.25, -0.25]}, index=["ann", "bob"])
    >>> b = pd.DataFrame({0: [0.5, -0.5]}, index=["bob", "cid"])
    >>> joint_scores(a, b)
       customers  shared     aa   bb     ab
    0          3       1  0.125  0.5 -0.125
    """
    place = scores_b.index.get_indexer(scores_a.index)
    both = np.flatnonzero(place >= 0)
    a, b = scores_a.to_numpy(dtype=float), scores_b.to_numpy(dtype=float)
    in_a, in_b = ~np.isnan(a), ~np.isnan(b)
    shared = (in_a[both] & in_b[place[both]]).sum(axis=0)
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    return pd.DataFrame(
        {
            "customers": in_a.sum(axis=0) + in_b.sum(axis=0) - shared,
            "shared": shared,
            "aa": (a * a).sum(axis=0),
            "bb": (b * b).sum(axis=0),
            "ab": (a[both] * b[place[both]]).sum(axis=0),
        }
    )


def scored_difference(a: Any, b: Any, sums: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Difference and ratio of two estimates from the scores of their customers.

    Parameters
    ----------
    a, b : array
        The estimates.
    sums : DataFrame
        Rows of `joint_scores`, one a pair.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        `difference` (b − a) and `ratio` (b/a), each with `_low` and `_high`;
        `p_value` of no difference. NaN bounds where the customers show no
        spread, or one customer is all; no ratio where a is 0.

    Notes
    -----
    V = C/(C − 1) Σ (uᵢᵇ − uᵢᵃ)² over the C customers in either, and ± t √V
    with C − 1 degrees of freedom: `clustered_difference` for scores of any
    kind. The ratio's interval is the same on the logarithm, with the scores
    uᵢᵇ/b − uᵢᵃ/a.

    Examples
    --------
    >>> scores = pd.DataFrame({0: ratio_scores([0, 0, 1, 0, 1, 0], [1] * 6)})
    >>> later = pd.DataFrame({0: ratio_scores([1, 0, 1, 1, 1, 0], [1] * 6)})
    >>> found = scored_difference([2 / 6], [4 / 6], joint_scores(scores, later))
    >>> found[["difference", "difference_low", "difference_high", "p_value"]].round(3)
       difference  difference_low  difference_high  p_value
    0       0.333          -0.209            0.875    0.175
    """
    from scipy.special import stdtr

    check_confidence(confidence)
    before, after = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    c, aa, bb, ab = (sums[name].to_numpy(dtype=float) for name in ("customers", "aa", "bb", "ab"))
    t = t_value(c, confidence)
    error = np.sqrt(_variance(c, aa, bb, ab))
    difference = after - before
    p_value = 2 * stdtr(np.maximum(c - 1, 1), -np.abs(difference) / error)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_error = np.sqrt(_variance(c, aa / before**2, bb / after**2, ab / (before * after)))
        ratio = np.where(before > 0, after / before, np.nan)
        low, high = ratio * np.exp(-t * log_error), ratio * np.exp(t * log_error)
    return pd.DataFrame(
        {
            "difference": difference,
            "difference_low": difference - t * error,
            "difference_high": difference + t * error,
            "ratio": ratio,
            "ratio_low": np.where(after > 0, low, np.nan),
            "ratio_high": np.where(after > 0, high, np.nan),
            "p_value": np.where(c > 1, p_value, np.nan),
        }
    )


def _variance(c: Floats, aa: Floats, bb: Floats, ab: Floats) -> Floats:
    squares = aa + bb - 2 * ab
    # What rounding leaves of a variance that is 0 must not become a tiny interval.
    known = squares > 1e-12 * (aa + bb)
    return np.where(known, divide(c, c - 1) * squares, np.nan)


def separate_ratio(a: tuple[Any, Any, Any], b: tuple[Any, Any, Any]) -> tuple[Floats, Floats, Floats]:
    """Ratio b/a of two independent estimates that are not negative, from the interval of each.

    Parameters
    ----------
    a, b : tuple of (estimate, low, high)
        Arrays; the intervals share one confidence.

    Returns
    -------
    ratio, low, high : ndarray
        NaN where a is 0, or a bound of a says that it might be (no upper
        bound then).

    Notes
    -----
    Donner & Zou (2012), Statistical Methods in Medical Research 21:347,
    eq. 7, for independent estimates: the bounds of b − r·a that just hold 0.

    Examples
    --------
    >>> ratio, low, high = separate_ratio((0.5, 0.4, 0.6), (0.6, 0.5, 0.7))
    >>> round(float(ratio), 2), round(float(low), 2), round(float(high), 2)
    (1.2, 0.93, 1.57)
    """
    p, p_low, p_high = (np.asarray(each, dtype=float) for each in a)
    q, q_low, q_high = (np.asarray(each, dtype=float) for each in b)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(p > 0, q / p, np.nan)
        below = (p * q) ** 2 - q_low * p_high * (2 * q - q_low) * (2 * p - p_high)
        above = (p * q) ** 2 - q_high * p_low * (2 * q - q_high) * (2 * p - p_low)
        low = (p * q - np.sqrt(np.maximum(below, 0))) / (p_high * (2 * p - p_high))
        high = (p * q + np.sqrt(np.maximum(above, 0))) / (p_low * (2 * p - p_low))
        # Where a's upper bound is twice a, the quadratic is a line.
        line = q_low * (2 * q - q_low) / (2 * p * q)
    low = np.where(np.isclose(p_high, 2 * p), line, low)
    low = np.where(p > 0, np.maximum(low, 0), np.nan)
    return ratio, low, np.where((p > 0) & (p_low > 0), high, np.nan)


def implied_p_value(difference: Any, low: Any, high: Any, confidence: float) -> Floats:
    """Two-sided p-value that a difference's own interval implies, on its side towards 0.

    Examples
    --------
    >>> round(float(implied_p_value(0.1, 0.0, 0.2, 0.95)), 3)
    0.05
    """
    from scipy.special import ndtr

    given, below, above = (np.asarray(each, dtype=float) for each in (difference, low, high))
    half = np.where(given > 0, given - below, above - given)
    p: Floats = 2 * ndtr(-np.abs(given) * z_value(confidence) / np.where(half > 0, half, np.nan))
    return p
