"""Differences between groups, and what many comparisons do to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import SUMS, Floats, clustered_variance, divide, t_value
from journeykit.schema import check_confidence, check_one_of

Against = Literal["first", "pairs"]


def newcombe(a: tuple[Any, Any, Any], b: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Difference of two independent estimates, from the interval of each.

    Parameters
    ----------
    a, b : tuple of (estimate, low, high)
        Numbers or arrays; the intervals share one confidence.

    Returns
    -------
    difference, low, high : number or ndarray
        a − b. With Wilson's intervals this is Newcombe's method 10.

    Notes
    -----
    d − √((a − a_low)² + (b_high − b)²), d + √((a_high − a)² + (b − b_low)²):
    Newcombe (1998), Statistics in Medicine 17:873, method 10; for any two
    intervals Zou & Donner (2008), Statistics in Medicine 27:1693.

    Examples
    --------
    >>> from journeykit.estimators.proportions import wilson
    >>> [round(x, 4) for x in newcombe((56 / 70, *wilson(56, 70)), (48 / 80, *wilson(48, 80)))]
    [0.2, 0.0524, 0.3339]
    """
    (p, p_low, p_high), (q, q_low, q_high) = a, b
    difference = p - q
    below = np.sqrt((p - p_low) ** 2 + (q_high - q) ** 2)
    above = np.sqrt((p_high - p) ** 2 + (q - q_low) ** 2)
    if np.ndim(below) == 0:
        below, above = float(below), float(above)
    return difference, difference - below, difference + above


def two_rate_test(rate_a: Any, n_a: Any, rate_b: Any, n_b: Any) -> Any:
    """p-value of no difference between two independent rates.

    Parameters
    ----------
    rate_a, n_a, rate_b, n_b : number or array
        Rates 0 to 1 and the number behind each; the effective one where
        customers repeat.

    Returns
    -------
    float or ndarray
        Two-sided p-value; 1 where both rates are 0 or both are 1; NaN where
        a group is empty.

    Notes
    -----
    The score test, as Newcombe's interval is made of score intervals, with
    E. S. Pearson's factor (N − 1)/N: Campbell (2007), Statistics in Medicine
    26:3661, finds it right down to expected counts of 1, where Fisher's exact
    test loses power; and it takes fractional n, which Fisher's does not.

    Examples
    --------
    >>> round(two_rate_test(56 / 70, 70, 48 / 80, 80), 4)
    0.0083
    """
    from scipy.special import ndtr

    p, n, q, m = (np.asarray(v, dtype=float) for v in (rate_a, n_a, rate_b, n_b))
    total = n + m
    pooled = divide(n * p + m * q, total)
    variance = pooled * (1 - pooled) * (divide(1, n) + divide(1, m)) * divide(total, np.maximum(total - 1, 0))
    z = np.where(p == q, 0.0, divide(p - q, np.sqrt(np.maximum(variance, 0))))
    value = np.where(np.isnan(pooled) | (n == 0) | (m == 0), np.nan, 2 * ndtr(-np.abs(z)))
    return float(value) if value.ndim == 0 else value


def rate_differences(
    table: pd.DataFrame,
    rate: str,
    *,
    group: str | Sequence[str],
    n: str | Any,
    against: Against = "first",
) -> pd.DataFrame:
    """Compare a rate between disjoint groups, one row each.

    Parameters
    ----------
    table : DataFrame
        One row a group, with `{rate}`, `{rate}_low`, `{rate}_high`.
    rate : str
        The rate's column, such as `"reach_rate"`.
    group : str or list of str
        Column (or columns) that name the group.
    n : str or array
        The number behind each rate.
    against : {"first", "pairs"}
        Every group against the first, or all pairs.

    Returns
    -------
    DataFrame
        `a`, `b`, `difference_rate` (b − a), `difference_rate_low`,
        `difference_rate_high` (unadjusted), `p_value`, `p_value_holm`
        (the family is this table).

    Examples
    --------
    >>> from journeykit.estimators.proportions import with_rate
    >>> counts = pd.DataFrame({"plan": ["old", "new"], "customers": [48, 56], "all": [80, 70]})
    >>> rates = with_rate(counts, "stay", base="all")
    >>> rate_differences(rates, "stay_rate", group="plan", n="all").round(4).T
                               0
    a                        old
    b                        new
    difference_rate          0.2
    difference_rate_low   0.0524
    difference_rate_high  0.3339
    p_value               0.0083
    p_value_holm          0.0083
    """
    names = _names(table, group)
    size = table[n].to_numpy(dtype=float) if isinstance(n, str) else np.asarray(n, dtype=float)
    first, second = pairs_of(len(table), against)
    triple = [table[f"{rate}{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high")]
    difference, low, high = newcombe(
        (triple[0][second], triple[1][second], triple[2][second]),
        (triple[0][first], triple[1][first], triple[2][first]),
    )
    p_value = two_rate_test(triple[0][second], size[second], triple[0][first], size[first])
    return comparison(names, first, second, difference, low, high, p_value, unit="_rate")


def pairs_of(groups: int, against: Against) -> tuple[list[int], list[int]]:
    """Positions of the two groups of each comparison."""
    check_one_of("against", against, ("first", "pairs"))
    pairs = [(0, i) for i in range(1, groups)] if against == "first" else list(combinations(range(groups), 2))
    return [i for i, _ in pairs], [j for _, j in pairs]


def comparison(
    names: Sequence[Any],
    first: list[int],
    second: list[int],
    difference: Floats,
    low: Floats,
    high: Floats,
    p_value: Floats,
    *,
    unit: str = "",
) -> pd.DataFrame:
    """Lay out differences, one row a pair, with Holm's p-values beside the plain ones."""
    return pd.DataFrame(
        {
            "a": [names[i] for i in first],
            "b": [names[i] for i in second],
            f"difference{unit}": difference,
            f"difference{unit}_low": low,
            f"difference{unit}_high": high,
            "p_value": p_value,
            "p_value_holm": holm(p_value),
        }
    )


def _names(table: pd.DataFrame, group: str | Sequence[str]) -> list[Any]:
    if isinstance(group, str):
        return table[group].tolist()
    return list(table[list(group)].itertuples(index=False, name=None))


JOINT_SUMS = (
    "customers",
    *(f"{sum_}_{side}" for side in "ab" for sum_ in SUMS[1:]),
    *("xa_xb", "xa_nb", "na_xb", "na_nb"),
)
"""The additive sums over customers for two groups that share customers."""


def joint_sums(x_a: Any, n_a: Any, x_b: Any, n_b: Any) -> pd.DataFrame:
    """Sum per-customer counts of two groups that may share customers.

    Parameters
    ----------
    x_a, n_a, x_b, n_b : array
        One entry per customer: successes (or a total) and units in each
        group; 0 and 0 where the customer is not in it.

    Returns
    -------
    DataFrame
        One row; its columns add up over disjoint sets of whole customers.

    Examples
    --------
    >>> joint_sums(x_a=[1, 0], n_a=[1, 1], x_b=[1, 1], n_b=[1, 2])[["customers", "x_a", "x_b", "xa_xb"]]
       customers  x_a  x_b  xa_xb
    0          2  1.0  2.0    1.0
    """
    a, n, b, m = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (x_a, n_a, x_b, n_b)))
    products = [a, n, a * a, a * n, n * n, b, m, b * b, b * m, m * m, a * b, a * m, n * b, n * m]
    values = [len(a), *(float(product.sum()) for product in products)]
    return pd.DataFrame({name: [value] for name, value in zip(JOINT_SUMS, values, strict=True)})


def clustered_difference(sums: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Difference of two rates or means over groups that share customers.

    Parameters
    ----------
    sums : DataFrame
        Rows of `joint_sums`, added up over the customers.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    DataFrame
        `difference` (a − b), `difference_low`, `difference_high`, `p_value`;
        indexed as the sums. The last three are NaN where the customers show
        no spread at all (both rates 0, for one), or one customer is all.

    Notes
    -----
    Each customer's score is uᵢ = (x_a − p_a n_a)/N_a − (x_b − p_b n_b)/N_b;
    V = C/(C − 1) Σ uᵢ², and the interval is ± t √V with C − 1 degrees of
    freedom. With everybody once in both groups this is the paired t-test.

    Examples
    --------
    >>> before, after = [0, 0, 1, 0, 1, 0], [1, 0, 1, 1, 1, 0]
    >>> clustered_difference(joint_sums(after, [1] * 6, before, [1] * 6)).round(3)
       difference  difference_low  difference_high  p_value
    0       0.333          -0.209            0.875    0.175
    """
    from scipy.special import stdtr

    check_confidence(confidence)
    column = {name: sums[name].to_numpy(dtype=float) for name in JOINT_SUMS}
    c = column["customers"]
    one = {side: {name: column[f"{name}_{side}"] for name in SUMS[1:]} for side in "ab"}
    p, q = (divide(one[side]["x"], one[side]["n"]) for side in "ab")
    own = sum(clustered_variance(c, **one[side]) for side in "ab")
    shared = column["xa_xb"] - q * column["xa_nb"] - p * column["na_xb"] + p * q * column["na_nb"]
    covariance = divide(c, c - 1) * divide(shared, one["a"]["n"] * one["b"]["n"])
    # What rounding leaves of a variance that is 0 must not become a tiny interval.
    variance = np.where(own - 2 * covariance > 1e-12 * own, own - 2 * covariance, np.nan)
    difference, half = p - q, t_value(c, confidence) * np.sqrt(variance)
    p_value = 2 * stdtr(np.maximum(c - 1, 1), -np.abs(difference) / np.sqrt(variance))
    return pd.DataFrame(
        {
            "difference": difference,
            "difference_low": difference - half,
            "difference_high": difference + half,
            "p_value": np.where(c > 1, p_value, np.nan),
        },
        index=sums.index,
    )


def holm(p_values: Any) -> Floats:
    """Holm's p-values: the chance of any false finding in the family is kept.

    Parameters
    ----------
    p_values : array
        Unadjusted p-values; NaN is not a comparison and stays NaN.

    Returns
    -------
    ndarray
        Adjusted p-values in the same order.

    Notes
    -----
    The k-th smallest of m is multiplied by m − k + 1, then made to rise:
    Holm (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p, order = _ranked(p_values)
    raised = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    return _put_back(p, order, raised)


def benjamini_hochberg(p_values: Any) -> Floats:
    """Benjamini and Hochberg's p-values: the share of false findings is kept.

    Parameters
    ----------
    p_values : array
        Unadjusted p-values; NaN is not a comparison and stays NaN.

    Returns
    -------
    ndarray
        Adjusted p-values in the same order.

    Notes
    -----
    The k-th smallest of m is multiplied by m/k, then made to rise from the
    largest down: Benjamini & Hochberg (1995).

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    p, order = _ranked(p_values)
    shares = p[order] * len(order) / np.arange(1, len(order) + 1)
    return _put_back(p, order, np.minimum.accumulate(shares[::-1])[::-1])


def _ranked(p_values: Any) -> tuple[Floats, Any]:
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or (p < 0).any() or (p > 1).any():
        raise ParameterError(f"p-values must be a list of numbers from 0 to 1, got {p_values!r}")
    known = np.flatnonzero(~np.isnan(p))
    return p, known[np.argsort(p[known], kind="stable")]


def _put_back(p: Floats, order: Any, adjusted: Floats) -> Floats:
    result = np.full(len(p), np.nan)
    result[order] = np.minimum(adjusted, 1)
    return result
