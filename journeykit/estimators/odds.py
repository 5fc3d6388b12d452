"""Odds ratios: of one table of two by two, of many at once, and pooled over strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats, divide, z_value

CELLS = ("exposed_converted", "exposed_lost", "other_converted", "other_lost")
"""The four numbers of a table of two by two, in the order in which they are called a, b, c, d."""

_WIDE = 40.0  # standard deviations beyond which a hypergeometric probability is below any float
_LEAST_EXPECTED = 1.0  # in each cell of a stratum, for the test that strata are alike


def smoothed_odds_ratio(successes: Any, n: Any, other_successes: Any, other_n: Any, confidence: float = 0.95) -> Any:
    """Odds ratio of those who have something against those who have not, pulled slightly to 1.

    Parameters
    ----------
    successes, n : number or array
        S of the F + S who have it.
    other_successes, other_n : number or array
        The same of those who have it not.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    odds_ratio, low, high : float or ndarray
        NaN where a group is empty.

    Notes
    -----
    (S + 1)(F_tot − F + 1) / ((S_tot − S + 1)(F + 1)): one is added to each of
    the four numbers, so that small tables are not the most striking. The
    interval is Gart's (1966): exp(log of the odds ratio with ½ added
    ± z √(Σ 1/(each + ½))); Agresti (1999), Biometrics 55:597, finds it covers
    at least as often as it says. From a confidence of 0.6 on it always holds
    the smoothed odds ratio.

    Examples
    --------
    >>> [round(x, 2) for x in smoothed_odds_ratio(30, 100, 20, 100)]
    [1.68, 0.89, 3.24]
    """
    z = z_value(confidence)
    cells = two_by_two(successes, n, other_successes, other_n)
    a, b, c, d = (each + 1 for each in cells)
    ratio = a * d / (b * c)
    a, b, c, d = (each + 0.5 for each in cells)
    centre, half = np.log(a * d / (b * c)), z * np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    known = (cells[0] + cells[1] > 0) & (cells[2] + cells[3] > 0)
    found = [np.where(known, each, np.nan) for each in (ratio, np.exp(centre - half), np.exp(centre + half))]
    return tuple(float(each) if each.ndim == 0 else each for each in found)


def fisher_exact(successes: Any, n: Any, other_successes: Any, other_n: Any) -> Any:
    """Fisher's exact p-value of no association, two-sided, of one table or many.

    Parameters
    ----------
    successes, n, other_successes, other_n : number or array
        As for `smoothed_odds_ratio`.

    Returns
    -------
    float or ndarray
        1 where nothing can differ.

    Notes
    -----
    The sum of the hypergeometric probabilities that are no larger than the
    observed one (Fisher 1935; the rule of Freeman & Halton 1951), as
    scipy.stats.fisher_exact, which takes one table at a time.

    Examples
    --------
    >>> round(fisher_exact(8, 10, 1, 6), 4)
    0.035
    """
    a, b, c, d = two_by_two(successes, n, other_successes, other_n)
    tables = np.stack([np.ravel(each) for each in (a, b, c, d)], axis=1).astype(np.int64)
    values = np.array([_fisher(*table) for table in tables.tolist()])
    return float(values[0]) if np.ndim(a) == 0 else values.reshape(np.shape(a))


def _fisher(a: int, b: int, c: int, d: int) -> float:
    from scipy.special import gammaln, logsumexp

    have, converted, total = a + b, a + c, a + b + c + d
    if total == 0:
        return 1.0
    centre = have * converted / total
    spread = np.sqrt(centre * (total - have) / total * (total - converted) / max(total - 1, 1))
    low = max(0, have + converted - total, min(a, int(centre - _WIDE * spread) - 1))
    high = min(have, converted, max(a, int(centre + _WIDE * spread) + 1))
    x = np.arange(low, high + 1, dtype=float)

    def log_choose(size: float, of: Any) -> Any:
        return gammaln(size + 1) - gammaln(of + 1) - gammaln(size - of + 1)

    weights = log_choose(have, x) + log_choose(total - have, converted - x)
    rare = weights <= weights[a - low] + 1e-7
    return float(min(1.0, np.exp(logsumexp(weights[rare]) - logsumexp(weights))))


def two_by_two(successes: Any, n: Any, other_successes: Any, other_n: Any) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the four cells a, b, c, d of each table."""
    s, size, t, other = np.broadcast_arrays(*(np.asarray(x, float) for x in (successes, n, other_successes, other_n)))
    if (s < 0).any() or (s > size).any() or (t < 0).any() or (t > other).any():
        raise ParameterError("successes must lie between 0 and n in both groups")
    return s, size - s, t, other - t


@dataclass(frozen=True)
class Pooled:
    """An association pooled over strata.

    Attributes
    ----------
    odds_ratio, odds_ratio_low, odds_ratio_high : float
        Mantel and Haenszel's; the bounds are NaN where no stratum has both
        kinds of pairs.
    difference, difference_low, difference_high : float
        Likewise the difference of rates, exposed less others.
    p_value : float
        Of no association in any stratum.
    p_homogeneous : float
        Of one odds ratio in all strata.
    strata, strata_dropped : int
        How many compare both groups, and how many have only one and say
        nothing.
    dropped : int
        The exposed in strata that say nothing.
    """

    odds_ratio: float
    odds_ratio_low: float
    odds_ratio_high: float
    difference: float
    difference_low: float
    difference_high: float
    p_value: float
    p_homogeneous: float
    strata: int
    strata_dropped: int
    dropped: int


def mantel_haenszel(
    cells: Any, *, confidence: float = 0.95, inflation: tuple[float, float] = (1.0, 1.0), homogeneity: bool = True
) -> Pooled:
    """Pool tables of two by two over strata.

    Parameters
    ----------
    cells : DataFrame or array, shape (strata, 4)
        In the order of `CELLS`: exposed and converted, exposed and not,
        others who converted, others who did not.
    confidence : float
        Coverage of the intervals.
    inflation : tuple of two numbers
        Of the two variances (odds ratio, difference), where customers stand in
        several strata: `cluster_inflation`.
    homogeneity : bool
        Whether to test that the strata have one odds ratio.

    Returns
    -------
    Pooled
        NaN where no stratum has both groups.

    Notes
    -----
    Σ ad/N ÷ Σ bc/N, Mantel & Haenszel (1959), with the variance of its
    logarithm of Robins, Breslow & Greenland (1986), Biometrics 42:311; the
    difference Σ (ad − bc)/N ÷ Σ n₁n₀/N with the variance of Sato (1989),
    Biometrics 45:1323. Both hold for few large and for many small strata.
    p_value: the score test of Cochran, Mantel and Haenszel, without continuity
    correction. p_homogeneous: Breslow & Day (1980) as corrected by Tarone
    (1985), Biometrika 72:91, over the strata with at least one expected in each
    cell: in smaller ones a single customer would decide it.

    Examples
    --------
    >>> found = mantel_haenszel([[8, 2, 5, 5], [20, 30, 10, 40]])
    >>> round(found.odds_ratio, 2), round(found.difference, 2), found.strata
    (2.86, 0.22, 2)
    """
    z = z_value(confidence)
    table = np.asarray(cells, dtype=float).reshape(-1, 4)
    both = informative(table)
    a, b, c, d = table[both].T
    exposed, other = a + b, c + d
    n = exposed + other
    r, s = (a * d / n), (b * c / n)
    ratio = _ratio(r.sum(), s.sum())
    low, high = _ratio_interval(a, b, c, d, n, r, s, ratio, z, inflation[0])
    weight = (exposed * other / n).sum()
    difference = float(divide((r - s).sum(), weight))
    half = z * np.sqrt(_sato(a, b, c, d, n, difference) * inflation[1]) / weight if weight else np.nan
    half = half if half > 0 else np.nan  # nobody, or everybody, converted: no spread to go by
    seen = table.sum(axis=1) > 0
    return Pooled(
        odds_ratio=ratio,
        odds_ratio_low=low,
        odds_ratio_high=high,
        difference=difference,
        difference_low=float(difference - half),
        difference_high=float(difference + half),
        p_value=_score_test(a, b, c, d, n, inflation[1]),
        p_homogeneous=_homogeneity(a, b, c, d, ratio) if homogeneity else np.nan,
        strata=int(both.sum()),
        strata_dropped=int((seen & ~both).sum()),
        dropped=int(table[~both][:, :2].sum()),
    )


def informative(cells: Any) -> Any:
    """Mark the strata in which both groups are there."""
    table = np.asarray(cells, dtype=float)
    return (table[..., :2].sum(axis=-1) > 0) & (table[..., 2:].sum(axis=-1) > 0)


def pooled_difference(cells: Any) -> Floats:
    """Mantel and Haenszel's difference of rates alone, for many replicates at once.

    Parameters
    ----------
    cells : array, shape (…, strata, 4)
        As for `mantel_haenszel`; numbers may be weighted sums.

    Returns
    -------
    ndarray, shape (…)
        NaN where no stratum has both groups.

    Examples
    --------
    >>> pooled_difference([[[8, 2, 5, 5], [20, 30, 10, 40]]]).round(2).tolist()
    [0.22]
    """
    a, b, c, d = np.moveaxis(np.asarray(cells, dtype=float), -1, 0)
    n = np.where(a + b + c + d > 0, a + b + c + d, np.nan)
    top, weight = (a * d - b * c) / n, (a + b) * (c + d) / n
    return divide(np.nansum(top, axis=-1), np.nansum(weight, axis=-1))


def influences(cells: Any) -> tuple[Floats, Floats]:
    """How much one more customer in a cell moves the two pooled estimates, up to a factor.

    Parameters
    ----------
    cells : array, shape (strata, 4)
        As for `mantel_haenszel`.

    Returns
    -------
    of_ratio, of_difference : ndarray, shape (strata, 4)
        Derivatives of Σ (ad − ψ bc)/N and of Σ (ad − bc − δ n₁n₀)/N; 0 in
        strata that say nothing.
    """
    table = np.asarray(cells, dtype=float).reshape(-1, 4)
    both = informative(table)
    of_ratio, of_difference = np.zeros_like(table), np.zeros_like(table)
    a, b, c, d = table[both].T
    n, exposed, other = a + b + c + d, a + b, c + d
    psi = _ratio((a * d / n).sum(), (b * c / n).sum())
    delta = float(divide(((a * d - b * c) / n).sum(), (exposed * other / n).sum()))
    if np.isfinite(psi):
        moved = np.stack([d, -psi * c, -psi * b, a], axis=1) / n[:, None]
        of_ratio[both] = moved - ((a * d - psi * b * c) / n**2)[:, None]
    if np.isfinite(delta):
        moved = np.stack([d - delta * other, -c - delta * other, -b - delta * exposed, a - delta * exposed], axis=1)
        of_difference[both] = moved / n[:, None] - ((a * d - b * c - delta * exposed * other) / n**2)[:, None]
    return of_ratio, of_difference


def cluster_inflation(own: float, by_customer: float) -> float:
    """How much wider a variance is for customers standing in several strata; never below 1.

    Parameters
    ----------
    own : float
        Σ over rows of the squared influence of each.
    by_customer : float
        Σ over customers of the square of the sum of theirs.

    Returns
    -------
    float
        Their ratio; 1 where nothing has an influence.

    Notes
    -----
    A design effect in the sense of Kish (1965), from the linearised pooled
    estimate. It is not let go below 1: rows that cancel by luck would promise
    more than independent ones.
    """
    return max(1.0, by_customer / own) if own > 0 else 1.0


def _ratio(r: float, s: float) -> float:
    if s > 0:
        return float(r / s)
    return np.inf if r > 0 else np.nan


def _ratio_interval(
    a: Floats, b: Floats, c: Floats, d: Floats, n: Floats, r: Floats, s: Floats, ratio: float, z: float, wider: float
) -> tuple[float, float]:
    """Robins, Breslow and Greenland's interval; NaN where the odds ratio is 0, infinite or unknown."""
    if not np.isfinite(ratio) or ratio == 0:
        return np.nan, np.nan
    p, q = (a + d) / n, (b + c) / n
    total_r, total_s = r.sum(), s.sum()
    variance = (
        (p * r).sum() / (2 * total_r**2)
        + (p * s + q * r).sum() / (2 * total_r * total_s)
        + (q * s).sum() / (2 * total_s**2)
    )
    half = z * np.sqrt(variance * wider)
    return float(ratio * np.exp(-half)), float(ratio * np.exp(half))


def _sato(a: Floats, b: Floats, c: Floats, d: Floats, n: Floats, difference: float) -> float:
    """Sato's variance of the numerator of the pooled difference."""
    exposed, other = a + b, c + d
    p = (exposed**2 * c - other**2 * a + exposed * other * (other - exposed) / 2) / n**2
    q = (a * d + b * c) / (2 * n)
    return max(0.0, float(difference * p.sum() + q.sum())) if len(n) else np.nan


def _score_test(a: Floats, b: Floats, c: Floats, d: Floats, n: Floats, wider: float) -> float:
    from scipy.special import ndtr

    large = n > 1
    a, b, c, d, n = (each[large] for each in (a, b, c, d, n))
    exposed, converted = a + b, a + c
    variance = (exposed * (n - exposed) * converted * (n - converted) / (n**2 * (n - 1))).sum()
    if not variance > 0:
        return 1.0 if len(n) else np.nan
    gap = abs((a - exposed * converted / n).sum())
    return float(2 * ndtr(-gap / np.sqrt(variance * wider)))


def _homogeneity(a: Floats, b: Floats, c: Floats, d: Floats, ratio: float) -> float:
    from scipy.special import chdtrc

    inside = (a + c > 0) & (b + d > 0)  # where all or none converted, any odds ratio fits
    a, b, c, d = (each[inside] for each in (a, b, c, d))
    if len(a) < 2 or not np.isfinite(ratio) or ratio == 0:
        return np.nan
    exposed, converted, n = a + b, a + c, a + b + c + d
    # The expected a is the root of (ψ − 1)x² − (ψ(n₁ + m₁) + n₀ − m₁)x + ψ n₁ m₁ that a table can have.
    linear = ratio * (exposed + converted) + (n - exposed) - converted
    root = np.sqrt(np.maximum(linear**2 - 4 * (ratio - 1) * ratio * exposed * converted, 0))
    x = 2 * ratio * exposed * converted / (linear + root)
    expected = np.stack([x, exposed - x, converted - x, n - exposed - converted + x])
    enough = expected.min(axis=0) >= _LEAST_EXPECTED
    if enough.sum() < 2:
        return np.nan
    gap, variance = (a - x)[enough], 1 / (1 / expected[:, enough]).sum(axis=0)
    statistic = (gap**2 / variance).sum() - gap.sum() ** 2 / variance.sum()
    return float(chdtrc(enough.sum() - 1, max(statistic, 0.0)))
