"""Do predicted shares come true: by groups of like predictions, and as a smooth curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.brier import CensoringCurve, censoring_curve, ipcw_weights
from journeykit.estimators.cloglog import cloglog_fit
from journeykit.estimators.proportions import Floats, wilson_rate
from journeykit.estimators.risk_sets import Ints
from journeykit.estimators.splines import spline_basis, spline_knots

SMALLEST = 1e-12
FEW = 10
"""Up to so many different predictions are compared one by one: there is nothing to smooth."""


def calibration_table(
    predicted: Any,
    duration: Any,
    event: Any,
    horizon: float,
    *,
    bins: int = 10,
    clusters: Any = None,
    confidence: float = 0.95,
    censoring: CensoringCurve | None = None,
) -> pd.DataFrame:
    """Compare predicted with observed shares of leaving within a horizon, in groups of like predictions.

    Parameters
    ----------
    predicted : array
        Chance to leave within the horizon, 0 to 1.
    duration, event : array
        Time of the end or of censoring, and whether it is an end.
    horizon : float
        In the unit of the durations.
    bins : int
        Groups of about equal size by rising prediction; equal predictions stay
        together, so that there may be fewer.
    clusters : array, optional
        To whom each row belongs, where customers repeat.
    confidence : float
        Coverage of each interval.
    censoring : CensoringCurve, optional
        From the same rows if not given.

    Returns
    -------
    DataFrame
        `bin` (1 the lowest), `n`, `predicted_rate` (mean), `observed_rate` with
        interval: weighted where some were lost before the horizon.

    Notes
    -----
    Wilson's interval with the number of customers that has the variance of
    the (weighted, clustered) share.

    Examples
    --------
    >>> found = calibration_table([0.1, 0.1, 0.6, 0.6], [9, 9, 2, 9], [0, 0, 1, 0], 5, bins=2)
    >>> found[["n", "predicted_rate", "observed_rate"]].values.tolist()
    [[2.0, 0.1, 0.0], [2.0, 0.6, 0.5]]
    """
    chance, left, weight = _outcomes(predicted, duration, event, horizon, censoring)
    place = calibration_bins(chance, bins)
    who = np.arange(len(chance)) if clusters is None else pd.factorize(np.asarray(clusters))[0]
    rows = []
    for code in range(place.max(initial=-1) + 1):
        inside = place == code
        n, predicted = int(inside.sum()), float(chance[inside].mean())
        inside &= weight > 0  # of the others nothing was observed
        w = weight[inside]
        total = float(w.sum())
        observed = float(w @ left[inside] / total) if total > 0 else np.nan
        scores = np.bincount(np.unique(who[inside], return_inverse=True)[1], w * (left[inside] - observed))
        variance = float((scores**2).sum()) / total**2 if total > 0 else np.nan
        effective = observed * (1 - observed) / variance if 0 < observed < 1 and variance > 0 else len(scores)
        low, high = wilson_rate(observed, effective, confidence) if total > 0 else (np.nan, np.nan)
        rows.append((code + 1, n, predicted, observed, low, high))
    columns = ["bin", "n", "predicted_rate", "observed_rate", "observed_rate_low", "observed_rate_high"]
    return pd.DataFrame(rows, columns=columns)


def _outcomes(
    predicted: Any, duration: Any, event: Any, horizon: float, censoring: CensoringCurve | None
) -> tuple[Floats, Floats, Floats]:
    chance = np.asarray(predicted, dtype=np.float64)
    if not ((chance >= 0) & (chance <= 1)).all():
        raise ParameterError("predicted chances must be between 0 and 1, none missing")
    ends, ended = np.asarray(duration, dtype=np.float64), np.asarray(event).astype(bool)
    curve = censoring_curve(ends, ended) if censoring is None else censoring
    return chance, (ended & (ends <= horizon)).astype(float), ipcw_weights(ends, ended, horizon, curve)


def calibration_bins(chance: Any, bins: int = 10) -> Ints:
    """Number groups of about equal size by rising chance, from 0; equal chances are in one.

    Examples
    --------
    >>> calibration_bins([0.5, 0.1, 0.1, 0.9], 2).tolist()
    [1, 0, 0, 1]
    """
    if bins < 1:
        raise ParameterError(f"bins == {bins}, must be 1 or more")
    values, place, counts = np.unique(np.asarray(chance), return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    group = np.minimum((middle / max(counts.sum(), 1) * bins).astype(np.int64), bins - 1)
    found: Ints = (np.unique(group, return_inverse=True)[1][place] if len(values) else place).astype(np.int64)
    return found


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """Observed share as a smooth function of the predicted one, and how far the two are apart.

    Attributes
    ----------
    curve : DataFrame
        `predicted_rate`, `observed_rate`, over the middle 98% of predictions.
    index : float
        Mean distance of the two over all rows: the integrated calibration index.
    median_distance, distance_90 : float
        Its median and 90th percentile.
    """

    curve: pd.DataFrame
    index: float
    median_distance: float
    distance_90: float


def calibration_curve(
    predicted: Any,
    duration: Any,
    event: Any,
    horizon: float,
    *,
    censoring: CensoringCurve | None = None,
    points: int = 100,
) -> CalibrationCurve:
    """Smooth what was observed over what was predicted.

    Parameters
    ----------
    predicted, duration, event, horizon, censoring
        As for `calibration_table`.
    points : int
        Of the curve.

    Notes
    -----
    Austin, Harrell & van Klaveren (2020), section 2.3: the outcome explained by
    a natural spline (4 knots) of log(−log(1 − P)). In place of a hazard model
    of all times the outcome at the horizon itself is explained, weighted where
    some were lost, so that nothing is assumed of hazards. Predictions of 0 are
    taken by themselves, and so is each of few different ones.
    """
    chance, left, weight = _outcomes(predicted, duration, event, horizon, censoring)
    inside = chance > 0
    scale = np.log(-np.log1p(-np.clip(chance, SMALLEST, 1 - SMALLEST)))
    smooth = np.zeros(len(chance))
    impossible = ~inside
    if impossible.any() and weight[impossible].sum() > 0:
        smooth[impossible] = weight[impossible] @ left[impossible] / weight[impossible].sum()
    curve = pd.DataFrame({"predicted_rate": [], "observed_rate": []})
    distinct = np.unique(chance[inside])
    if 0 < len(distinct) <= FEW:
        place = np.searchsorted(distinct, chance[inside])
        shares = np.bincount(place, weight[inside] * left[inside]) / np.maximum(
            np.bincount(place, weight[inside]), 1e-12
        )
        smooth[inside] = shares[place]
        curve = pd.DataFrame({"predicted_rate": distinct, "observed_rate": shares})
    elif inside.any():
        smooth[inside], curve = _smoothed(scale[inside], left[inside], weight[inside], points)
    distance = np.abs(smooth - chance)
    return CalibrationCurve(
        curve, float(distance.mean()), float(np.median(distance)), float(np.quantile(distance, 0.9))
    )


def _smoothed(scale: Floats, left: Floats, weight: Floats, points: int) -> tuple[Floats, pd.DataFrame]:
    share = float(weight @ left / weight.sum())
    low, high = np.quantile(scale, [0.01, 0.99]).tolist()
    grid = np.linspace(low, high, points)
    if not 0 < share < 1:
        smooth, observed = np.full(len(scale), share), np.full(points, share)
    else:
        knots = spline_knots(scale)
        design = _design(scale, knots)
        # As of half an observation a coefficient: where nobody left among the lowest, the curve stays finite.
        penalty = np.r_[0.0, 0.5 * design[:, 1:].var(axis=0)]
        fit = cloglog_fit(design, left, weight=weight, penalty=penalty)
        smooth = -np.expm1(-np.exp(design @ fit.coefficients))
        observed = -np.expm1(-np.exp(_design(grid, knots) @ fit.coefficients))
    return smooth, pd.DataFrame({"predicted_rate": -np.expm1(-np.exp(grid)), "observed_rate": observed})


def _design(scale: Floats, knots: Floats) -> Floats:
    return np.column_stack([np.ones(len(scale)), spline_basis(scale, knots if len(knots) >= 3 else [0, 1])])
