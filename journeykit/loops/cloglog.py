"""The likelihood of a complementary log–log regression, summed over rows."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop


@loop("f8 2d", "b1", "f8", "f8", "out f8", "out f8 2d")
def sum_cloglog(x, happened, weight, at, gradient, information):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sum the log-likelihood, its gradient and the lower triangle of its information; return the first.

    With the hazard h = exp(x · at) it happens with chance 1 − e^−h.
    """
    n = at.size
    likelihood = 0.0
    for i in range(x.shape[0]):
        score = 0.0
        for a in range(n):
            score += x[i, a] * at[a]
        hazard = np.exp(min(max(score, -700.0), 30.0))
        if happened[i]:
            likelihood += weight[i] * np.log(max(-np.expm1(-hazard), 1e-300))
            first = hazard / np.expm1(hazard) if hazard < 700 else 0.0
            second = first * (hazard + first - 1)
        else:
            likelihood -= weight[i] * hazard
            first, second = -hazard, hazard
        first *= weight[i]
        second = max(second, 0.0) * weight[i]
        for a in range(n):
            gradient[a] += first * x[i, a]
            part = second * x[i, a]
            for b in range(a + 1):
                information[a, b] += part * x[i, b]
    return likelihood
