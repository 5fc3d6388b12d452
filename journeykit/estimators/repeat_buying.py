"""Models of repeat buying without a contract, fitted by maximum likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from journeykit.errors import ParameterError
from journeykit.estimators.beta_geometric import BetaGeometric
from journeykit.estimators.buyers import Buyers
from journeykit.estimators.maximum import Maximum, NoMaximumError, maximise
from journeykit.estimators.pareto_nbd import ParetoNbd

Floats = npt.NDArray[np.float64]

COARSE_ABOVE = 1_000
"""Combinations above which the way up is looked for with rounded times."""

STEPS = 50
"""To so many steps they are rounded then."""


class Model(Protocol):
    """What each model tells, of parameters in the order of `names`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""

    def starts(self, rate: float, age: float) -> list[Floats]:
        """Parameters to start from."""

    def log_likelihood(self, theta: Floats, buyers: Buyers) -> float:
        """Logarithm of the likelihood."""

    def alive(self, theta: Floats, buyers: Buyers) -> Floats:
        """Probability that a customer has not left."""

    def future(self, theta: Floats, x: Floats, age: Floats, horizon: Floats | float) -> Floats:
        """Purchases expected within a horizon of a customer who has not left."""

    def since_start(self, theta: Floats, ages: Floats) -> Floats:
        """Repeat purchases expected of a new customer by an age."""

    def count_shares(self, theta: Floats, ages: Floats, most: int) -> Floats:
        """Probability of 0 … `most` repeat purchases by each age."""


MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {"pareto_nbd": ParetoNbd(), "mbg_nbd": BetaGeometric(first=1), "bg_nbd": BetaGeometric(first=0)}
)
"""Name of a method → its model."""

_TOLD = (
    ": customers may all be alike, in how often they buy or in when they leave. A longer log, another method, or a "
    "small penalizer (0.001) may help"
)

NO_LEAVING = (1e-9, 1.0)
"""Third and fourth parameter of each model with which nobody leaves, for all that can be seen."""

NO_BETTER = 0.01
"""A model that is no better than one without leaving, by the logarithm of the likelihood, has learnt nothing of it."""

UNSURE = 3.0
"""Standard error of the logarithm of a parameter above which we look whether it has."""


def expected_purchases(model: Model, theta: Floats, buyers: Buyers, horizon: float) -> Floats:
    """Purchases expected of each customer within a horizon after the end of observation: P(alive) times `future`."""
    pairs = model.future(theta, buyers.counts[buyers.pair_x], buyers.times[buyers.pair_t], horizon)
    return np.asarray(model.alive(theta, buyers) * pairs[buyers.x_age_at])


def fit_repeat_buying(buyers: Buyers, method: str = "pareto_nbd", penalizer: float = 0.0) -> Maximum:
    """Fit a model by maximum likelihood.

    Parameters
    ----------
    buyers : Buyers
        Repeat purchases, the last of them, and the age.
    method : {"pareto_nbd", "mbg_nbd", "bg_nbd"}
        The model.
    penalizer : float
        Times the sum of the squared parameters, this is taken off the mean
        logarithm of the likelihood.

    Raises
    ------
    ParameterError
        If nobody buys again, nobody seems to leave, or the likelihood has
        no maximum.

    Examples
    --------
    >>> from journeykit.estimators.buyers import buyers
    >>> x, last, age = [0, 0, 0, 1, 2, 7, 4, 1], [0, 0, 0, 3, 9, 20, 4, 22], [24, 24, 30, 30, 28, 20, 25, 30]
    >>> fit = fit_repeat_buying(buyers(x, last, age, [400, 300, 300, 150, 100, 50, 70, 60]), "bg_nbd")
    >>> fit.names
    ('r', 'alpha', 'a', 'b')
    """
    total, time = float(buyers.weight @ buyers.x), float(buyers.weight @ buyers.age)
    customers = float(buyers.weight.sum())
    if total == 0 or time == 0:
        raise ParameterError(
            f"nobody of {customers:g} customers bought again: there is nothing that a model of repeat buying could "
            "learn from"
        )
    model, starts = MODELS[method], MODELS[method].starts(total / time, time / customers)
    rough = buyers.coarse(STEPS) if len(buyers.x) > COARSE_ABOVE else None
    try:
        fit = maximise(
            lambda theta: model.log_likelihood(theta, buyers),
            starts,
            model.names,
            coarse=None if rough is None else lambda theta: model.log_likelihood(theta, rough),
            penalty=(lambda theta: customers * penalizer * float(theta @ theta)) if penalizer else None,
            told=_TOLD,
        )
    except NoMaximumError as error:
        _refuse_no_leaving(model, buyers, starts, error.log_likelihood)
        raise
    if np.sqrt(np.diag(fit.covariance)).max() > UNSURE:
        _refuse_no_leaving(model, buyers, starts, fit.log_likelihood)
    return fit


def _refuse_no_leaving(model: Model, buyers: Buyers, starts: list[Floats], reached: float) -> None:
    """Raise ParameterError if customers are as likely to have never left: then no model of leaving can be told."""
    try:
        fit = maximise(
            lambda theta: model.log_likelihood(np.array([*theta, *NO_LEAVING]), buyers),
            [start[:2] for start in starts[:2]],
            model.names[:2],
        )
    except NoMaximumError:
        return
    if reached < fit.log_likelihood + NO_BETTER:
        r, alpha = fit.values
        raise ParameterError(
            "nobody seems to leave: those who have been silent for long come back as often as their pace of buying "
            f"(r = {r:.3g}, alpha = {alpha:.3g}) says. The log may be too short for anybody to have left, sales may "
            "be rising, or its first customers may be old ones (a washout leaves them out)"
        )
