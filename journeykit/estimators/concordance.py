"""Do those leave first who were said to: concordance, after Harrell and after Uno."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.brier import censoring_curve
from journeykit.estimators.proportions import Floats, z_value
from journeykit.schema import check_one_of

METHODS = ("harrell", "uno")


@dataclass(frozen=True, eq=False)
class Concordance:
    """Share of comparable pairs in which the one at higher risk left first; ½ is chance.

    Attributes
    ----------
    concordance, low, high, se : float
        NaN without a comparable pair.
    pairs : float
        Weight of the comparable pairs.
    influence : array
        What each row adds to the estimate: their squares sum up to its variance.
    """

    concordance: float
    low: float
    high: float
    se: float
    pairs: float
    influence: Floats


def concordance(
    duration: Any,
    event: Any,
    risk: Any,
    *,
    enters: Any = None,
    method: str = "harrell",
    until: float | None = None,
    clusters: Any = None,
    confidence: float = 0.95,
) -> Concordance:
    """Compare the order in which customers left with the order of their risks.

    Parameters
    ----------
    duration, event : array
        Time of the end or of censoring, and whether it is an end.
    risk : array
        Higher for those said to leave sooner.
    enters : array, optional
        Time since which each is watched; only with Harrell's.
    method : {"harrell", "uno"}
        Every comparable pair alike; or each by the inverse chance that nothing
        kept it from being compared, which does not depend on how long customers
        were followed.
    until : float, optional
        Only events before this time count. Uno's needs it where follow-up
        thins out.
    clusters : array, optional
        To whom each row belongs, where customers repeat.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Concordance
        With its infinitesimal jackknife.

    Notes
    -----
    A pair is comparable if one left while the other was watched and stayed;
    two who left at one time are not. Equal risks count one half. Harrell,
    Califf, Pryor, Lee & Rosati (1982); Uno, Cai, Pencina, D'Agostino & Wei
    (2011), eq. 6, with the chance of being uncensored just before the event.

    Examples
    --------
    >>> concordance([1, 2, 3, 4], [1, 1, 0, 1], [9, 2, 5, 1]).concordance
    0.8
    """
    from journeykit.loops.concordance import count_pairs

    check_one_of("method", method, METHODS)
    time, ended = np.asarray(duration, dtype=np.float64), np.asarray(event).astype(bool)
    score = np.asarray(risk, dtype=np.float64)
    if not (len(time) == len(ended) == len(score)) or not np.isfinite(score).all():
        raise ParameterError("durations, events and risks must be of one length, and risks not missing")
    since = np.full(len(time), -np.inf) if enters is None else np.asarray(enters, dtype=np.float64)
    if method == "uno" and enters is not None:
        raise ParameterError("Uno's concordance weighs by the chance to be censored, from one clock: without enters")
    weight = np.ones(len(time))
    if method == "uno":
        weight = uno_weights(time, ended)
    if until is not None:
        weight = np.where(time < until, weight, 0.0)
    rank = np.unique(score, return_inverse=True)[1].astype(np.int64)
    both = np.unique(np.concatenate([time, since]), return_inverse=True)[1].astype(np.int64)
    ends, enter = both[: len(time)], both[len(time) :]
    right, pairs = np.zeros(len(time)), np.zeros(len(time))
    count_pairs(
        rank,
        weight,
        np.ascontiguousarray(enter),
        np.ascontiguousarray(ends),
        ended,
        np.argsort(ends, kind="stable"),
        np.argsort(enter, kind="stable"),
        int(rank.max(initial=0)) + 1,
        right,
        pairs,
    )
    comparable = float(pairs.sum()) / 2  # each pair was counted at both of its rows
    if comparable <= 0:
        return Concordance(np.nan, np.nan, np.nan, np.nan, 0.0, np.zeros(len(time)))
    value = float(right.sum()) / 2 / comparable
    influence = (right - value * pairs) / comparable
    se = standard_error(influence, clusters)
    low, high = np.clip([value - z_value(confidence) * se, value + z_value(confidence) * se], 0, 1).tolist()
    return Concordance(value, low, high, se, comparable, influence)


def uno_weights(time: Floats, ended: Any) -> Floats:
    """Inverse squared chance of being watched until just before each event."""
    there = censoring_curve(time, ended).before(time)
    with np.errstate(divide="ignore"):
        return np.where(ended & (there > 0), 1 / there**2, 0.0)


def standard_error(influence: Floats, clusters: Any = None) -> float:
    """Square root of the sum of squared influences, summed by cluster first."""
    if clusters is not None:
        codes, unique = pd.factorize(np.asarray(clusters))
        influence = np.bincount(codes, influence, len(unique)).astype(np.float64)
    return float(np.sqrt((influence**2).sum()))
