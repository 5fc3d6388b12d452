"""The Pareto/NBD model: customers buy at rates of their own, until they leave unseen at rates of their own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from journeykit.estimators.buyers import Buyers, negative_binomial
from journeykit.loops.buying import gauss_fraction

Floats = NDArray[np.float64]

NODES = 96
"""Points of the Gauss–Legendre rule over the time of leaving."""


class ParetoNbd:
    """Purchases come as a Poisson process of rate λ, and the customer leaves at rate μ.

    λ differs between customers as Gamma(r, α), μ as Gamma(s, β), independently:
    Schmittlein, Morrison & Colombo (1987), Counting your customers, Management
    Science 33(1). Equations by the notes of Fader & Hardie (2005), A note on
    deriving the Pareto/NBD model and related expressions.
    """

    names: ClassVar = ("r", "alpha", "s", "beta")

    def starts(self, rate: float, age: float) -> list[Floats]:
        """Propose parameters to start from, near the mean rate of purchases and for lives of about the age."""
        shapes = [(0.5, 0.5), (1.5, 1.5), (0.5, 3.0), (3.0, 0.5)]
        return [np.array([r, r / rate, s, s * age]) for r, s in shapes]

    def log_likelihood(self, theta: Floats, buyers: Buyers) -> float:
        """Logarithm of the likelihood of repeat purchases, the last of them, and the age (equation 18).

        With f(t) = (α + t)^−(r + x) (β + t)^−s and g(t) = s ∫ₜ^∞ (α + τ)^−(r + x) (β + τ)^−(s + 1) dτ / f(t), a share,
        it is Γ(r + x)/Γ(r) α^r β^s (f(T)(1 − g(T)) + f(tₓ) g(tₓ)): a sum of positive terms.
        """
        from scipy.special import gammaln

        r, alpha, s, beta = theta
        last, over = self._relative(theta, buyers)
        by_x = gammaln(r + buyers.counts) - gammaln(r)
        constant = r * np.log(alpha) + s * np.log(beta)
        return buyers.total(by_x[buyers.x_at] + last + np.log(over) + constant)

    def alive(self, theta: Floats, buyers: Buyers) -> Floats:
        """Probability that a customer has not left at the end: f(T) over the likelihood's sum (equation 24)."""
        last, over = self._relative(theta, buyers)
        return np.asarray(np.minimum(np.exp(self._log_f(theta, buyers, buyers.age_at) - last) / over, 1.0))

    def future(self, theta: Floats, x: Floats, age: Floats, horizon: Floats | float) -> Floats:
        """Purchases expected within a horizon of a customer who has not left (equation 41, without P(alive)).

        (r + x)(β + T)/((α + T)(s − 1)) (1 − ((β + T)/(β + T + t))^(s − 1)), whose limit at s = 1 is a logarithm.
        """
        r, alpha, s, beta = theta
        stay = -np.log1p(horizon / (beta + age))
        return np.asarray((r + x) * (beta + age) / (alpha + age) * _shrunk(stay, s - 1))

    def since_start(self, theta: Floats, ages: Floats) -> Floats:
        """Repeat purchases expected of a new customer by an age (equation 17)."""
        return self.future(theta, np.zeros_like(ages), np.zeros_like(ages), ages)

    def count_shares(self, theta: Floats, ages: Floats, most: int) -> Floats:
        """Probability of 0 … `most` repeat purchases by each age, shape (ages, most + 1).

        Negative binomial with the age, or with the time of leaving, averaged over its density s β^s (β + τ)^−(s + 1):
        a Gauss–Legendre rule in log(1 + τ/β), in which it is an exponential.
        """
        r, alpha, s, beta = theta
        counts = np.arange(most + 1)
        stayed = (1 + ages / beta) ** -s
        shares = stayed[:, np.newaxis] * negative_binomial(counts, r, alpha, ages[:, np.newaxis])
        points, weights = np.polynomial.legendre.leggauss(NODES)
        ends = np.log1p(ages / beta)
        for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
            w = point * ends
            left = negative_binomial(counts, r, alpha, (beta * np.expm1(w))[:, np.newaxis])
            shares += (weight * ends * s * np.exp(-s * w))[:, np.newaxis] * left
        return np.asarray(shares)

    def _relative(self, theta: Floats, buyers: Buyers) -> tuple[Floats, Floats]:
        """The likelihood's sum as log f(tₓ) and what it is to be multiplied with."""
        share = self._left(theta, buyers)
        last = self._log_f(theta, buyers, buyers.last_at)
        end = self._log_f(theta, buyers, buyers.age_at)
        there = np.exp(end - last) * np.maximum(1 - share[buyers.x_age_at], 0)
        return last, there + share[buyers.x_last_at]

    def _log_f(self, theta: Floats, buyers: Buyers, at: NDArray[np.int64]) -> Floats:
        r, alpha, s, beta = theta
        by_x = (r + buyers.counts)[buyers.x_at]
        return np.asarray(-by_x * np.log(alpha + buyers.times)[at] - (s * np.log(beta + buyers.times))[at])

    def _left(self, theta: Floats, buyers: Buyers) -> Floats:
        """g(t) for each pair of purchases and time.

        The two forms of the note, for α ≥ β and else, after Euler's transformation of ₂F₁: then the first argument
        is 1, and it is a fraction in which nothing cancels.
        """
        r, alpha, s, beta = theta
        x, t = buyers.counts[buyers.pair_x], buyers.times[buyers.pair_t]
        c = r + s + x + 1
        b, z = (r + x, (alpha - beta) / (alpha + t)) if alpha >= beta else (s + 1 + 0 * x, (beta - alpha) / (beta + t))
        out = np.empty(len(x))
        gauss_fraction(np.ascontiguousarray(b, float), np.ascontiguousarray(c, float), np.ascontiguousarray(z), out)
        factor = 1.0 if alpha >= beta else (alpha + t) / (beta + t)
        return np.asarray(s / (c - 1) * factor * out)


def _shrunk(log_ratio: Floats, power: float) -> Floats:
    """(1 − ratio^power)/power, also where the power is near or at 0."""
    if abs(power) < 1e-9:
        return np.asarray(-log_ratio)
    return np.asarray(-np.expm1(power * log_ratio) / power)
