"""Natural splines, against the printed formula."""

import numpy as np
import pytest

from journeykit.estimators.splines import PLACES, spline_basis, spline_knots, spline_size, spline_sum

X = np.random.default_rng(0).gamma(2, 1, 300)


def printed(x, knots):
    """Harrell (2015), eq. 2.25, term by term."""
    k = list(knots)
    columns = [x]
    for j in range(len(k) - 2):
        total = max(x - k[j], 0) ** 3
        total -= max(x - k[-2], 0) ** 3 * (k[-1] - k[j]) / (k[-1] - k[-2])
        total += max(x - k[-1], 0) ** 3 * (k[-2] - k[j]) / (k[-1] - k[-2])
        columns.append(total / (k[-1] - k[0]) ** 2)
    return columns


@pytest.mark.parametrize("count", list(PLACES))
def test_columns_are_those_of_the_formula(count):
    knots = spline_knots(X, count)
    basis = spline_basis(X, knots)
    np.testing.assert_allclose(basis, [printed(x, knots) for x in X], rtol=1e-12, atol=1e-12)
    assert basis.shape[1] == spline_size(knots) == count - 1


@pytest.mark.parametrize("knots", [[1.0], [1.0, 2.0], [0.5, 1.0, 2.0], [0.1, 0.4, 1.0, 2.0, 5.0]])
def test_the_sum_is_that_of_the_columns(knots):
    coefficients = np.arange(1.0, spline_size(knots) + 1)
    np.testing.assert_allclose(spline_sum(X, knots, coefficients), spline_basis(X, knots) @ coefficients, rtol=1e-12)
