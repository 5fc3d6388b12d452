"""Maximum likelihood of a few positive parameters, and intervals of whatever is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import z_value

Floats = NDArray[np.float64]

STEP = 5e-3
"""Step of differences of second order, on the scale of logarithms."""

SHORT_STEP = 1e-4
"""Step of differences of first order."""

NEAR, NEAR_RIDGE = 1e-8, 1e-4
"""How much higher the logarithm of the likelihood may still be, by its slope and curvature, where we stop; the second
on a ridge."""

RIDGE = 0.1
"""Curvature below which it is a ridge: the standard error of a logarithm is then above 3."""

FLAT = 1e-8
"""Curvature, as a share of the largest, below which differences cannot tell it from none."""

FIRST_STEPS, MOST_STEPS = 10, 200
"""Steps up from each start, and from where the hopeful of these led."""

HOPELESS = 0.02
"""Share of the best start's loss by which another may be worse after the first steps, and still overtake it."""

EDGE = 15.0
"""Logarithm of a parameter beyond which it is on its way to 0 or to infinity."""


class NoMaximumError(ParameterError):
    """The likelihood has no maximum that could be found; how high it was seen stands in `log_likelihood`."""

    def __init__(self, message: str, log_likelihood: float) -> None:
        super().__init__(message)
        self.log_likelihood = log_likelihood


@dataclass(frozen=True)
class Maximum:
    """Parameters at the maximum of a likelihood.

    Attributes
    ----------
    names : tuple of str
        Of the parameters, all positive.
    logs : array
        Their logarithms.
    covariance : array
        Of the logarithms: the inverse of the curvature of the likelihood.
    log_likelihood : float
        Its logarithm there, without a penalty.
    """

    names: tuple[str, ...]
    logs: Floats
    covariance: Floats
    log_likelihood: float

    @property
    def values(self) -> Floats:
        """The parameters."""
        return np.asarray(np.exp(self.logs))

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """Bounds of the parameters, exp(log θ ± z · standard error) after Wald; 0 or infinite beyond `EDGE`."""
        spread = z_value(confidence) * np.sqrt(np.diag(self.covariance))
        low, high = self.logs - spread, self.logs + spread
        return np.where(low < -EDGE, 0.0, np.exp(low)), np.where(high > EDGE, np.inf, np.exp(np.minimum(high, EDGE)))

    def to_dict(self) -> dict[str, Any]:
        """Lay the parameters out as plain data."""
        return {
            "names": list(self.names),
            "logs": self.logs.tolist(),
            "covariance": self.covariance.tolist(),
            "log_likelihood": self.log_likelihood,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Maximum:
        """Read what `to_dict` laid out."""
        logs, covariance = np.array(data["logs"], dtype=float), np.array(data["covariance"], dtype=float)
        return cls(tuple(data["names"]), logs, covariance, float(data["log_likelihood"]))


def maximise(
    log_likelihood: Callable[[Floats], float],
    starts: Sequence[Floats],
    names: Sequence[str],
    *,
    coarse: Callable[[Floats], float] | None = None,
    penalty: Callable[[Floats], float] | None = None,
    told: str = "",
) -> Maximum:
    """Find the parameters that make a likelihood largest.

    From each start the way up is looked for by some steps of the quasi-Newton
    method of Broyden, Fletcher, Goldfarb and Shanno, on the scale of
    logarithms, and from where that was not hopeless by more of them; on from
    the best end by Newton's, until by slope and curvature less than
    `NEAR` is left to gain; or `NEAR_RIDGE` where two parameters run away
    together and it hardly matters. What ends elsewhere is an error.

    Parameters
    ----------
    log_likelihood : callable
        Logarithm of the likelihood of an array of parameters.
    starts : sequence of array
        Parameters to start from.
    names : sequence of str
        Names of the parameters.
    coarse : callable, optional
        A quicker function, nearly the same, for the way up.
    penalty : callable, optional
        What is taken off the logarithm of the likelihood.
    told : str
        What it may mean that there is no maximum, for the error.

    Raises
    ------
    NoMaximumError
        If there is none inside, or it could not be found; a ParameterError.
    """
    from scipy.optimize import minimize

    def loss(of: Callable[[Floats], float]) -> Callable[[Floats], float]:
        def fall(logs: Floats) -> float:
            with np.errstate(all="ignore"):
                theta = np.exp(np.clip(logs, -60, 60))
                value = of(theta) - (penalty(theta) if penalty else 0.0)
            return -value if np.isfinite(value) else 1e300

        return fall

    first, exact = loss(coarse or log_likelihood), loss(log_likelihood)

    def ends_of(starts: Sequence[Floats], steps: int) -> list[Floats]:
        """Go up from each start, and say where they came to, the best first."""
        ends = []
        for start in starts:
            scale = max(1.0, abs(first(start)))  # the sum over many customers would drown the step's tolerance
            options: Any = {"maxiter": steps, "gtol": 1e-6}
            found: Any = minimize(partial(_scaled, first, scale), start, method="BFGS", options=options)
            ends.append(np.asarray(found.x))
        return sorted(ends, key=first)

    soon = ends_of([np.log(start) for start in starts], FIRST_STEPS)
    hopeful = [end for end in soon if first(end) - first(soon[0]) <= HOPELESS * abs(first(soon[0]))]
    climbs = (_climb(exact, first, end) for end in ends_of(hopeful, MOST_STEPS))
    logs, curvature = next(climbs)
    while curvature is None and (another := next(climbs, None)):  # the best may have run up a ridge without an end
        logs, curvature = another
    if curvature is None:
        reached = float(log_likelihood(np.exp(np.clip(logs, -60, 60))))
        far = ", ".join(f"{name} = {np.exp(log):.3g}" for name, log in zip(names, logs, strict=True))
        raise NoMaximumError(f"the likelihood has no maximum that could be found ({far}){told}", reached)
    covariance: Floats = np.asarray(np.linalg.inv(curvature), dtype=np.float64)
    return Maximum(tuple(names), logs, covariance, float(log_likelihood(np.exp(logs))))


def _scaled(function: Callable[[Floats], float], scale: float, logs: Floats) -> float:
    return function(logs) / scale


def _climb(
    loss: Callable[[Floats], float], coarse: Callable[[Floats], float], logs: Floats
) -> tuple[Floats, Floats | None]:
    """Go on by Newton's method, with the quicker function's curvature; return where it ends, and the curvature.

    Without a maximum there is no curvature.
    """
    for _ in range(40):
        if np.abs(logs).max() > EDGE:
            break
        slope = _slope(loss, logs)
        values, directions = np.linalg.eigh(_curvature(coarse, logs))
        # Where it is not yet a bowl: down the slope along each direction, by the size of its curvature.
        bent = np.maximum(np.abs(values), 1e-3 * np.abs(values).max() + 1e-12)
        step = directions @ ((directions.T @ slope) / bent)
        if values[0] > -FLAT * values[-1] and slope @ step / 2 < (NEAR if values[0] > RIDGE else NEAR_RIDGE):
            values, directions = np.linalg.eigh(_curvature(loss, logs))
            if values[0] > -FLAT * values[-1]:
                # A ridge that rises for ever, by less and less, is as good as flat: then the intervals are endless.
                return logs, (directions * np.maximum(values, FLAT * values[-1])) @ directions.T
            coarse = loss
        step *= min(1.0, 1.0 / max(np.abs(step).max(), 1e-12))
        here = loss(logs)
        for _ in range(30):
            if loss(logs - step) <= here:
                break
            step = step / 2
        logs = logs - step
    return logs, None


def _slope(function: Callable[[Floats], float], at: Floats) -> Floats:
    """First derivatives by central differences."""
    moves = np.eye(len(at)) * SHORT_STEP
    return np.array([(function(at + move) - function(at - move)) / (2 * SHORT_STEP) for move in moves])


def _curvature(function: Callable[[Floats], float], at: Floats) -> Floats:
    """Second derivatives by central differences."""
    n = len(at)
    moves = np.eye(n) * STEP
    middle = function(at)
    up, down = (np.array([function(at + sign * move) for move in moves]) for sign in (1, -1))
    curvature = np.diag((up - 2 * middle + down) / STEP**2)
    for i in range(n):
        for j in range(i):
            both = function(at + moves[i] + moves[j]) + function(at - moves[i] - moves[j])
            mixed = (both - up[i] - up[j] - down[i] - down[j] + 2 * middle) / (2 * STEP**2)
            curvature[i, j] = curvature[j, i] = mixed
    return curvature


def with_interval(
    quantity: Callable[..., Floats], fits: Sequence[Maximum], confidence: float, *, share: bool = False
) -> tuple[Floats, Floats, Floats]:
    """Compute a positive quantity of the parameters with its interval, by the delta method.

    Parameters
    ----------
    quantity : callable
        `quantity(parameters of the first fit, parameters of the second, …)`;
        returns an array.
    fits : sequence of Maximum
        Independent of each other.
    confidence : float
        Coverage of the intervals.
    share : bool
        Whether it lies between 0 and 1: then the interval is symmetric on the
        scale of log-odds, else of logarithms.
    """
    points = [fit.logs for fit in fits]

    def at(moved: Sequence[Floats]) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.asarray(quantity(*(np.exp(logs) for logs in moved)), dtype=float)
            return np.asarray(np.log(value) - np.log1p(-value) if share else np.log(value))

    value = np.asarray(quantity(*(np.exp(logs) for logs in points)), dtype=float)
    variance = np.zeros(value.shape)
    for which, fit in enumerate(fits):
        size = np.minimum(STEP, np.sqrt(np.diag(fit.covariance)) / 10)
        slopes = []
        for i, step in enumerate(size):
            move = np.zeros(len(size))
            move[i] = step
            up, down = (
                at([*points[:which], points[which] + sign * move, *points[which + 1 :]]) for sign in (1.0, -1.0)
            )
            with np.errstate(invalid="ignore"):
                slopes.append((up - down) / (2 * step))
        for i, left in enumerate(slopes):
            for j, right in enumerate(slopes):
                variance = variance + fit.covariance[i, j] * left * right
    spread = z_value(confidence) * np.sqrt(np.maximum(variance, 0))
    middle = at(points)
    with np.errstate(over="ignore"):
        low, high = middle - spread, middle + spread
        if share:
            low, high = 1 / (1 + np.exp(-low)), 1 / (1 + np.exp(-high))
        else:
            low, high = np.exp(low), np.exp(high)
    sure = (value == 0) | (share & (value == 1))  # 0 or 1 whatever the parameters are
    return value, np.where(sure, value, low), np.where(sure, value, high)
