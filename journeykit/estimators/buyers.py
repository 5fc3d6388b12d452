"""Repeat purchases of customers as sufficient statistics, each combination that occurs once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from journeykit.errors import ParameterError

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Buyers:
    """Numbers of customers by repeat purchases x, time of the last one tₓ, and age T; made by `buyers`.

    What depends on one or two of them alone is computed once for each that
    occurs, and looked up by place.

    Attributes
    ----------
    x, last, age : array
        One entry a combination; `last` is 0 where x is.
    weight : array
        Customers with it.
    counts, times : array
        Values of x, and of tₓ and T together.
    x_at, last_at, age_at : array of int
        Places in them.
    pair_x, pair_t : array of int
        Pairs of x with tₓ or T, as places in `counts` and `times`.
    x_last_at, x_age_at : array of int
        Places in the pairs.
    """

    x: Floats
    last: Floats
    age: Floats
    weight: Floats
    counts: Floats
    times: Floats
    x_at: Places
    last_at: Places
    age_at: Places
    pair_x: Places
    pair_t: Places
    x_last_at: Places
    x_age_at: Places

    def total(self, each: Floats) -> float:
        """Sum over customers of what is the same for equal ones; not a product of vectors, which starts threads."""
        return float(np.sum(self.weight * each))

    def coarse(self, steps: int) -> Buyers:
        """Round times to a number of steps, so that a likelihood is quick, and nearly the same."""
        width = max(float(self.age.max()) / steps, 1e-300)
        last, age = (np.round(each / width) * width for each in (self.last, self.age))
        keys = np.stack([self.x, last, age])
        (x, last, age), at = np.unique(keys, axis=1, return_inverse=True)
        return buyers(x, last, age, np.bincount(at.ravel(), weights=self.weight))


def buyers(x: npt.ArrayLike, last: npt.ArrayLike, age: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> Buyers:
    """Lay out customers' purchases for a likelihood.

    Parameters
    ----------
    x : array
        Repeat purchases: those after the first.
    last : array
        Time of the last one since the first purchase; 0 where there is none.
    age : array
        Time from the first purchase to the end of observation.
    weight : array, optional
        Customers with each combination; 1 if not given.

    Raises
    ------
    ParameterError
        If the times cannot be: 0 ≤ last ≤ age, and last is 0 exactly where
        nothing was bought again.

    Examples
    --------
    >>> from journeykit.estimators.buyers import buyers
    >>> float(buyers([0, 2, 2], [0, 3.5, 3.5], [10, 10, 10]).weight.sum())
    3.0
    """
    x, last, age = (np.atleast_1d(np.asarray(each, dtype=float)) for each in (x, last, age))
    weight = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=float)
    wrong = (x < 0) | (x != np.floor(x)) | ~(last >= 0) | ~(last <= age) | ((x == 0) & (last > 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ParameterError(
            "whole repeat purchases and 0 <= last <= age are needed, last being 0 without any; "
            f"got {x[row]:g} purchases, last {last[row]:g}, age {age[row]:g}"
        )
    counts, x_at = np.unique(x, return_inverse=True)
    times, both = np.unique(np.concatenate([last, age]), return_inverse=True)
    last_at, age_at = both[: len(x)], both[len(x) :]
    pairs, pair_at = np.unique(np.concatenate([x_at, x_at]) * len(times) + both, return_inverse=True)
    return Buyers(
        x, last, age, weight, counts, times, x_at, last_at, age_at,
        pairs // len(times), pairs % len(times), pair_at[: len(x)], pair_at[len(x) :],
    )  # fmt: skip


def negative_binomial(counts: npt.ArrayLike, r: float, alpha: float, time: npt.ArrayLike) -> Floats:
    """Probability of x events of a Poisson process, of rate Gamma(r, α), within a time t.

    Γ(r + x)/(Γ(r) x!) (α/(α + t))^r (t/(α + t))^x.
    """
    from scipy.special import gammaln, xlogy

    x, t = np.asarray(counts, dtype=float), np.asarray(time, dtype=float)
    size = gammaln(r + x) - gammaln(r) - gammaln(x + 1)
    return np.asarray(np.exp(size - r * np.log1p(t / alpha) + xlogy(x, t / (alpha + t))))
