"""The BG/NBD model and its modification: customers may leave after a purchase, each with a probability of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from journeykit.estimators.buyers import Buyers, negative_binomial

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BetaGeometric:
    """Purchases come as a Poisson process of rate λ; after each the customer leaves with probability p.

    λ differs between customers as Gamma(r, α), p as Beta(a, b): Fader, Hardie &
    Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).
    There nobody leaves after the first purchase, so that those who bought
    once are all still there. In the modified model they may have left at
    once: Batislam, Denizel & Filiztekin (2007), Empirical validation and
    comparison of models for customer base analysis, International Journal of
    Research in Marketing 24(3).

    Attributes
    ----------
    first : int
        1 if customers may leave after the first purchase, else 0.
    """

    first: int

    names: ClassVar = ("r", "alpha", "a", "b")

    def starts(self, rate: float, age: float) -> list[Floats]:
        """Propose parameters to start from, near the mean rate of purchases."""
        shapes = [(0.3, 0.8, 2.5), (1.0, 0.5, 5.0), (0.5, 2.0, 2.0), (3.0, 1.0, 3.0)]
        return [np.array([r, 0.5 * r / rate, a, b]) for r, a, b in shapes]

    def log_likelihood(self, theta: Floats, buyers: Buyers) -> float:
        """Logarithm of the likelihood (equation 6 of 2005; 3 of 2007).

        B(a, b + n)/B(a, b) Γ(r + x)/Γ(r) α^r ((α + T)^−(r + x) + a/(b + n − 1) (α + tₓ)^−(r + x)), where n is the
        number of purchases after which the customer could have left; without the second term if it is 0.
        """
        from scipy.special import betaln, gammaln

        r, alpha, a, b = theta
        x, n = buyers.counts, buyers.counts + self.first
        by_x = betaln(a, b + n) - betaln(a, b) + gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        there = -(r + x)[buyers.x_at] * np.log(alpha + buyers.times)[buyers.age_at]
        return buyers.total(by_x[buyers.x_at] + there + np.logaddexp(0, self._log_odds(theta, buyers)))

    def alive(self, theta: Floats, buyers: Buyers) -> Floats:
        """Probability that a customer has not left at the end: 1/(1 + a/(b + n − 1) ((α + T)/(α + tₓ))^(r + x))."""
        from scipy.special import expit

        return np.asarray(expit(-self._log_odds(theta, buyers)))

    def future(self, theta: Floats, x: Floats, age: Floats, horizon: Floats | float) -> Floats:
        """Purchases expected within a horizon of a customer who has not left (equation 10, without P(alive)).

        (a + b + n − 1)/(a − 1) (1 − q^(a − 1) ₂F₁(a − 1, a + b′ − 1 − r; a + b + n − 1; z)) with z = t/(α + T + t),
        q = 1 − z and b′ = b, or b + 1 in the modified model: after Euler's transformation of the printed form, whose
        ₂F₁ grows without bound. At a = 1 it is 0/0, so there we stay a little aside.
        """
        from scipy.special import hyp2f1

        r, alpha, a, b = theta
        if abs(a - 1) < 1e-6:
            sides = (np.array([r, alpha, 1 + side, b]) for side in (-2e-6, 2e-6))
            return np.asarray(np.mean([self.future(each, x, age, horizon) for each in sides], axis=0))
        z = horizon / (alpha + age + horizon)
        c = a + b + x + self.first - 1
        q = (alpha + age) / (alpha + age + horizon)
        return np.asarray(c / (a - 1) * (1 - q ** (a - 1) * hyp2f1(a - 1, a + b + self.first - 1 - r, c, z)))

    def since_start(self, theta: Floats, ages: Floats) -> Floats:
        """Repeat purchases expected of a new customer by an age (equation 9): those of who stays after the first."""
        _, _, a, b = theta
        stays = b / (a + b) if self.first else 1.0
        return np.asarray(stays * self.future(theta, np.zeros_like(ages), np.zeros_like(ages), ages))

    def count_shares(self, theta: Floats, ages: Floats, most: int) -> Floats:
        """Probability of 0 … `most` repeat purchases by each age, shape (ages, most + 1) (equation 8)."""
        from scipy.special import betaln

        r, alpha, a, b = theta
        x = np.arange(most + 1)
        shares = negative_binomial(x, r, alpha, ages[:, np.newaxis])
        before = np.concatenate([np.zeros((len(ages), 1)), np.cumsum(shares, axis=1)[:, :-1]], axis=1)
        stays = np.exp(betaln(a, b + x + self.first) - betaln(a, b))
        leaves = np.exp(betaln(a + 1, b + np.maximum(x + self.first - 1, 0)) - betaln(a, b))
        leaves = np.where(x + self.first > 0, leaves, 0.0)
        return np.asarray(stays * shares + leaves * np.maximum(1 - before, 0))

    def _log_odds(self, theta: Floats, buyers: Buyers) -> Floats:
        """Logarithm of the odds of having left."""
        r, alpha, a, b = theta
        x, n = buyers.counts, buyers.counts + self.first
        times = np.log(alpha + buyers.times)
        with np.errstate(divide="ignore"):
            by_x = np.where(n > 0, np.log(a) - np.log(np.where(n > 0, b + n - 1, 1.0)), -np.inf)
        silent = times[buyers.age_at] - times[buyers.last_at]
        return np.asarray(by_x[buyers.x_at] + (r + x)[buyers.x_at] * silent)
