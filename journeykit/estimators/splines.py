"""Smooth curves of one covariate that run straight at both ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats

PLACES = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.50, 0.6583, 0.8167, 0.975),
}
"""Harrell (2015), table 2.3: quantiles at which to put so many knots."""


def spline_knots(values: Any, count: int = 4) -> Floats:
    """Choose knots at quantiles; fewer where values repeat so often that quantiles coincide.

    Examples
    --------
    >>> spline_knots(range(101), 3).tolist()
    [10.0, 50.0, 90.0]
    """
    if count not in PLACES:
        raise ParameterError(f"count == {count}, must be one of {list(PLACES)}")
    return np.unique(np.quantile(np.asarray(values, dtype=np.float64), PLACES[count]))


def spline_basis(values: Any, knots: Any) -> Floats:
    """Return the columns of a natural cubic spline: the value itself, then one per knot but two.

    Notes
    -----
    Harrell (2015), eq. 2.25, over the squared distance of the outer knots. With
    fewer than three knots the curve is a straight line.

    Examples
    --------
    >>> spline_basis([0, 2, 4], [1, 2, 3]).round(3).tolist()
    [[0.0, 0.0], [2.0, 0.25], [4.0, 3.0]]
    """
    x, k = np.asarray(values, dtype=np.float64), np.asarray(knots, dtype=np.float64)
    columns = np.empty((len(x), spline_size(k)))
    columns[:, 0] = x
    for j, bend in enumerate(_bends(x, k), start=1):
        columns[:, j] = bend
    return columns


def spline_size(knots: Any) -> int:
    """Number of columns of a spline."""
    return max(1, len(knots) - 1)


def spline_sum(values: Any, knots: Any, coefficients: Any) -> Floats:
    """Add up the columns of a spline times their coefficients, without laying them out.

    Examples
    --------
    >>> spline_sum([0, 2, 4], [1, 2, 3], [1, 2]).tolist()
    [0.0, 2.5, 10.0]
    """
    x, k = np.asarray(values, dtype=np.float64), np.asarray(knots, dtype=np.float64)
    total: Floats = x * coefficients[0]
    for coefficient, bend in zip(coefficients[1:], _bends(x, k), strict=True):
        total += bend * coefficient
    return total


def _bends(x: Floats, knots: Floats) -> Iterator[Floats]:
    """Yield what each knot but two adds to a straight line."""
    if len(knots) < 3:
        return
    wide, whole = knots[-1] - knots[-2], (knots[-1] - knots[0]) ** 2
    last, before = _tail(x, knots[-1]), _tail(x, knots[-2])
    for knot in knots[:-2]:
        bend = _tail(x, knot)
        bend -= before * ((knots[-1] - knot) / wide)
        bend += last * ((knots[-2] - knot) / wide)
        bend /= whole
        yield bend


def _tail(x: Floats, knot: float) -> Floats:
    beyond = np.maximum(x - knot, 0.0)
    return np.asarray(beyond * beyond * beyond)
