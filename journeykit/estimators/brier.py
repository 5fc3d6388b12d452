"""How far predicted shares were from what happened: Brier scores, weighted where customers were lost from sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats


@dataclass(frozen=True, eq=False)
class CensoringCurve:
    """Chance of not having been censored: at `times`, rising, it falls to `values`."""

    times: Floats
    values: Floats

    def at(self, time: Any) -> Floats:
        """Chance of being watched after a time."""
        place = np.searchsorted(self.times, np.asarray(time, dtype=np.float64), side="right")
        return np.asarray(np.concatenate([[1.0], self.values])[place])

    def before(self, time: Any) -> Floats:
        """Chance of being watched until just before a time, so that an end at it was seen."""
        place = np.searchsorted(self.times, np.asarray(time, dtype=np.float64), side="left")
        return np.asarray(np.concatenate([[1.0], self.values])[place])


def censoring_curve(duration: Any, event: Any) -> CensoringCurve:
    """Kaplan–Meier of the time to censoring; who leaves at a time can't be censored at it any more.

    Examples
    --------
    >>> curve = censoring_curve([1, 2, 2, 3], [True, False, True, False])
    >>> curve.at([1, 2, 3]).tolist(), curve.before([2, 3]).tolist()
    ([1.0, 0.5, 0.0], [1.0, 0.5])
    """
    time, ended = np.asarray(duration, dtype=np.float64), np.asarray(event).astype(bool)
    times, place = np.unique(time, return_inverse=True)
    lost = np.bincount(place, ~ended, len(times))
    left = np.bincount(place, ended, len(times))
    there = len(time) - np.concatenate([[0], np.cumsum(lost + left)])[:-1] - left
    shares = np.divide(lost, there, out=np.zeros(len(times)), where=there > 0)
    drops = lost > 0
    return CensoringCurve(times[drops], np.cumprod(1 - shares)[drops])


@dataclass(frozen=True, eq=False)
class Brier:
    """Mean squared difference between what was predicted and what happened; 0 is perfect.

    Attributes
    ----------
    score, se : float
        The weights are taken as known.
    losses : array
        Weighted squared difference of each row; their mean is the score.
    """

    score: float
    se: float
    losses: Floats


def brier_score(
    duration: Any, event: Any, staying: Any, time: float, *, censoring: CensoringCurve | None = None
) -> Brier:
    """Score predictions of who stays longer than a time.

    Parameters
    ----------
    duration, event : array
        Time of the end or of censoring, and whether it is an end.
    staying : array
        Predicted chance to stay longer than `time`.
    time : float
        The horizon.
    censoring : CensoringCurve, optional
        From the same rows if not given. Where nobody is censored before the
        horizon all weights are 1.

    Notes
    -----
    Who left by t counts (0 − S)²/G(T−), who stayed (1 − S)²/G(t), who was lost
    before t nothing: Graf, Schmoor, Sauerbrei & Schumacher (1999), section 3.

    Examples
    --------
    >>> brier_score([1, 2, 9], [True, True, False], [0.5, 0.0, 1.0], 5).score
    0.08333333333333333
    """
    curve = censoring_curve(duration, event) if censoring is None else censoring
    losses = _losses(duration, event, np.asarray(staying, dtype=np.float64), time, curve)
    n = len(losses)
    se = float(losses.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return Brier(float(losses.mean()) if n else np.nan, se, losses)


def integrated_brier_score(
    duration: Any, event: Any, staying: Any, times: Any, *, censoring: CensoringCurve | None = None
) -> Brier:
    """Average the Brier scores between the first and the last of several times.

    Parameters
    ----------
    duration, event : array
        As for `brier_score`.
    staying : array, shape (rows, times)
        Predicted chance to stay longer than each time.
    times : array
        Rising; two or more.
    censoring : CensoringCurve, optional
        As for `brier_score`.

    Notes
    -----
    By trapezes over the times, divided by their span: Graf et al. (1999), section 5.
    """
    grid, chances = np.asarray(times, dtype=np.float64), np.asarray(staying, dtype=np.float64)
    if len(grid) < 2 or not (np.diff(grid) > 0).all():
        raise ParameterError("times must rise, and be two or more")
    curve = censoring_curve(duration, event) if censoring is None else censoring
    widths = np.diff(grid) / (grid[-1] - grid[0])
    share = np.concatenate([widths, [0]]) / 2 + np.concatenate([[0], widths]) / 2
    losses = np.zeros(len(chances))
    for i, time in enumerate(grid.tolist()):
        losses += share[i] * _losses(duration, event, chances[:, i], time, curve)
    n = len(losses)
    se = float(losses.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return Brier(float(losses.mean()) if n else np.nan, se, losses)


def ipcw_weights(duration: Any, event: Any, time: float, curve: CensoringCurve) -> Floats:
    """Inverse chance that what became of each row by a time was seen; 0 for those of whom it was not."""
    ends, ended = np.asarray(duration, dtype=np.float64), np.asarray(event).astype(bool)
    left, stayed = ended & (ends <= time), ends > time
    there = np.where(left, curve.before(ends), curve.at(time))
    known = left | stayed
    if (there[known] <= 0).any():
        raise ParameterError(f"nobody is watched as long as {time:g}: choose a shorter horizon")
    return np.divide(1.0, there, out=np.zeros(len(ends)), where=known)


def _losses(duration: Any, event: Any, staying: Floats, time: float, curve: CensoringCurve) -> Floats:
    ends = np.asarray(duration, dtype=np.float64)
    happened: npt.NDArray[np.bool_] = ends > time
    return np.asarray(ipcw_weights(ends, event, time, curve) * (happened - staying) ** 2)


def paired_difference(a: Floats, b: Floats, clusters: Any = None) -> tuple[float, float]:
    """Mean of a − b over the same rows, and its standard error; customers may repeat."""
    difference = np.asarray(a - b)
    n = len(difference)
    if n < 2:
        return (float(difference.mean()) if n else np.nan), np.nan
    mean = float(difference.mean())
    if clusters is None:
        return mean, float(difference.std(ddof=1) / np.sqrt(n))
    codes, unique = pd.factorize(np.asarray(clusters))
    sums = np.bincount(codes, difference - mean, len(unique))
    return mean, float(np.sqrt((sums**2).sum()) / n)
