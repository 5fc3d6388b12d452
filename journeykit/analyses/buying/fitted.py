"""Models of buying and spending, fitted, and what they expect of customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.buyers import Buyers, buyers
from journeykit.estimators.gamma_gamma import expected_spend
from journeykit.estimators.maximum import Floats, Maximum, with_interval
from journeykit.estimators.repeat_buying import MODELS, Model, expected_purchases

Triple = tuple[Floats, Floats, Floats]


@dataclass(frozen=True)
class Fitted:
    """A model of buying, and one of spending or none; times of customers are in days, inside in periods.

    Attributes
    ----------
    method : str
        Name of the model of buying.
    period_days : int
        The unit of time of its parameters.
    buying : Maximum
        Its parameters.
    spending : Maximum, optional
        Parameters of the Gamma–Gamma model.
    confidence : float
        Coverage of the intervals.
    """

    method: str
    period_days: int
    buying: Maximum
    spending: Maximum | None
    confidence: float

    @property
    def model(self) -> Model:
        """The formulas of the model of buying."""
        return MODELS[self.method]

    def buyers(self, state: pd.DataFrame) -> Buyers:
        """Lay out customers for the model, from columns `repeats`, `last_days`, `age_days` and perhaps `customers`."""
        last, age = (state[name].to_numpy(dtype=float) / self.period_days for name in ("last_days", "age_days"))
        return buyers(state["repeats"], last, age, state.get("customers"))

    def alive(self, who: Buyers, *, total: bool = False) -> Triple:
        """Probability of each still being a customer, or how many are: as a share of all, never more than there are."""
        customers = float(who.weight.sum()) if total else 1.0

        def quantity(theta: Floats) -> Floats:
            each = self.model.alive(theta, who)
            return np.atleast_1d(min(who.total(each) / customers, 1.0)) if total else each

        value, low, high = with_interval(quantity, [self.buying], self.confidence, share=True)
        return value * customers, low * customers, high * customers

    def purchases(self, who: Buyers, horizon_days: float, *, total: bool = False) -> Triple:
        """Purchases expected within a horizon, of each or of all."""

        def quantity(theta: Floats) -> Floats:
            each = expected_purchases(self.model, theta, who, horizon_days / self.period_days)
            return np.atleast_1d(who.total(each)) if total else each

        return with_interval(quantity, [self.buying], self.confidence)

    def value(self, who: Buyers, state: pd.DataFrame, horizon_days: float, *, total: bool = False) -> Triple:
        """Value of the purchases expected within a horizon: purchases times spend, as if independent.

        What a customer is expected to spend is linear in what was spent, so
        that the `spend` of equal customers may be given as their sum.
        """
        assert self.spending is not None
        spent, n = state["spend"].to_numpy(dtype=float) / who.weight, state["valued"].to_numpy(dtype=float)

        def quantity(theta: Floats, phi: Floats) -> Floats:
            each = expected_purchases(self.model, theta, who, horizon_days / self.period_days)
            each = each * expected_spend(phi, n, spent)
            return np.atleast_1d(who.total(each)) if total else each

        return with_interval(quantity, [self.buying, self.spending], self.confidence)

    def since_start(self, days: Floats, weights: Floats) -> Triple:
        """Repeat purchases expected of new customers, summed: weights (rows, days) times those by each age."""
        ages = days / self.period_days
        return with_interval(
            lambda theta: weights @ self.model.since_start(theta, ages), [self.buying], self.confidence
        )

    def mean_spend(self) -> Triple:
        """Mean that somebody is expected to spend on a purchase of whom nothing is known."""
        assert self.spending is not None
        nothing = np.zeros(1)
        return with_interval(lambda phi: expected_spend(phi, nothing, nothing), [self.spending], self.confidence)

    def pace(self) -> Triple:
        """Mean number of purchases in a period of somebody who is a customer: r/α."""
        return with_interval(lambda theta: theta[:1] / theta[1], [self.buying], self.confidence)

    def to_dict(self) -> dict[str, Any]:
        """Lay the fits out as plain data."""
        return {
            "method": self.method,
            "period_days": self.period_days,
            "buying": self.buying.to_dict(),
            "spending": None if self.spending is None else self.spending.to_dict(),
            "confidence": self.confidence,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Fitted:
        """Read what `to_dict` laid out."""
        spending = None if data["spending"] is None else Maximum.from_dict(data["spending"])
        buying = Maximum.from_dict(data["buying"])
        return cls(data["method"], int(data["period_days"]), buying, spending, float(data["confidence"]))
