"""Whether customers were divided among the arms of an experiment as they should have been."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats

EXACT_UP_TO = 1000
"""Customers up to which the test of two arms is exact."""


def expected_sizes(sizes: Sequence[int], ratio: Sequence[float]) -> Floats:
    """Return the sizes that a ratio gives the same customers.

    Examples
    --------
    >>> expected_sizes([60, 30], (1, 1)).tolist()
    [45.0, 45.0]
    """
    shares = np.asarray(ratio, dtype=float)
    if shares.ndim != 1 or len(shares) != len(sizes) or not (np.isfinite(shares) & (shares > 0)).all():
        raise ParameterError(f"expected_ratio must be {len(sizes)} numbers above 0 such as (1, 1), got {ratio!r}")
    return np.asarray(np.sum(sizes) * shares / shares.sum(), dtype=float)


def sample_ratio_test(sizes: Sequence[int], ratio: Sequence[float]) -> float:
    """p-value that customers fall into arms with an expected ratio.

    Parameters
    ----------
    sizes : sequence of int
        Customers in each arm.
    ratio : sequence of number
        Expected sizes, in any unit: `(1, 1)`, `(9, 1)`.

    Returns
    -------
    float
        Two-sided; NaN where nobody is in any arm.

    Notes
    -----
    Two arms of up to 1,000 customers: the exact binomial test (the sum of all
    outcomes no likelier than the one seen); else Pearson's chi-squared test
    with one degree of freedom fewer than arms. That a ratio is off is
    customarily said below p = 0.001: Fabijan et al. (2019), Diagnosing sample
    ratio mismatch in online controlled experiments.

    Examples
    --------
    >>> round(sample_ratio_test([60, 40], (1, 1)), 4)
    0.0569
    >>> sample_ratio_test([50_600, 49_400], (1, 1)) < 0.001
    True
    """
    from scipy.special import chdtrc, gammaln

    expected = expected_sizes(sizes, ratio)
    n = int(np.sum(sizes))
    if n == 0:
        return float("nan")
    if len(sizes) != 2 or n > EXACT_UP_TO:
        statistic = float((((np.asarray(sizes, dtype=float) - expected) ** 2) / expected).sum())
        return float(chdtrc(len(sizes) - 1, statistic))
    k, p = np.arange(n + 1), float(expected[0]) / n
    log_chance = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + k * np.log(p) + (n - k) * np.log1p(-p)
    # Outcomes as likely as the one seen count; rounding must not decide.
    as_rare = log_chance <= log_chance[int(sizes[0])] + 1e-7
    return min(1.0, float(np.exp(log_chance[as_rare]).sum()))
