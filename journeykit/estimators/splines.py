"""Smooth curves of one covariate that run straight at both ends."""

from __future__ import annotations

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
    columns = [x]
    if len(k) >= 3:
        wide = k[-1] - k[-2]
        tails = [np.maximum(x - knot, 0) ** 3 for knot in k]
        for j in range(len(k) - 2):
            bend = tails[j] - tails[-2] * (k[-1] - k[j]) / wide + tails[-1] * (k[-2] - k[j]) / wide
            columns.append(bend / (k[-1] - k[0]) ** 2)
    return np.column_stack(columns)
