"""The chance to leave within a horizon, for customers as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.model.covariates import Term, contributions, design_of, most_frequent, usual_of
from journeykit.analyses.churn.model.hazard import Hazard
from journeykit.analyses.churn.model.landmark import HABITS, Landmark
from journeykit.errors import ParameterError
from journeykit.estimators.cox_prediction import leaving_interval
from journeykit.estimators.proportions import Floats, z_value

SURE = 30.0
"""Logarithm of a cumulative hazard above which a chance is 1, whatever it is."""

PARTS = 30
"""Steps in which a horizon is passed where other ends compete, or days are counted."""


@dataclass(frozen=True, eq=False)
class Ahead:
    """What lies ahead of each customer.

    Attributes
    ----------
    probability, low, high : array
        To leave within the horizon; NaN where the model says nothing.
    times : array
        Days ahead, rising, the last of them the horizon.
    staying : array, shape (customers, times)
        Chance not to have left: to be there still, or to have ended otherwise.
    active_days : array
        Expected days until leaving, up to the horizon.
    reasons : DataFrame
        Contribution of each covariate to the logarithm of the hazard.
    beyond : array of bool
        Whether the prediction goes beyond what was watched.
    unseen : array of bool
        Whether a level was never seen.
    """

    probability: Floats
    low: Floats
    high: Floats
    times: Floats
    staying: Floats
    active_days: Floats
    reasons: pd.DataFrame
    beyond: npt.NDArray[np.bool_]
    unseen: npt.NDArray[np.bool_]


def grid_of(horizon: float) -> Floats:
    """Days at which chances are read: whole ones where the horizon is long."""
    if horizon >= PARTS:
        return np.unique(np.round(np.linspace(0, horizon, PARTS + 1))[1:])
    if float(horizon).is_integer():
        return np.arange(1, horizon + 1, dtype=float)
    return np.linspace(0, horizon, PARTS + 1)[1:]


# -- by the hazard at an age -----------------------------------------------------------------


def ahead_by_age(
    hazard: Hazard,
    others: Hazard | None,
    terms: tuple[Term, ...],
    rows: pd.DataFrame,
    age: Floats,
    stratum: npt.NDArray[Any] | None,
    horizon: float,
    confidence: float,
) -> Ahead:
    """Take the hazard over the ages that lie ahead: P = 1 − exp(−(Λ(age + h) − Λ(age)))."""
    design, unseen = design_of(terms, rows)
    place = None
    if stratum is not None:
        names = [str(name) for name in hazard.strata]
        # Of a stratum that nobody left nothing is known, not that nobody ever will.
        known = {name: i if hazard.left_any(i) else -1 for i, name in enumerate(names)}
        place = np.array([known.get(str(each), -1) for each in stratum], dtype=np.int64)
        unseen |= place < 0
    x = design.to_numpy()
    z = z_value(confidence)
    times = grid_of(horizon)
    total, se, beyond = hazard.between(x, age, age + horizon, place)
    grown = np.column_stack([hazard.between(x, age, age + time, place, errors=False)[0] for time in times])
    if others is None:
        all_ends, staying = grown, np.exp(-grown)
        probability, low, high = leaving_interval(total, se, z)
    else:
        # With other ends the chance is the cumulative incidence: leaving now, of those who ended in no way before.
        other_place = None
        if place is not None:
            other_names = [str(name) for name in others.strata]
            chosen = np.array([other_names.index(name) if name in other_names else -1 for name in names])
            other_place = np.where(place >= 0, chosen[np.maximum(place, 0)], -1)
        competing = np.column_stack(
            [others.between(x, age, age + time, other_place, errors=False)[0] for time in times]
        )
        competing = np.nan_to_num(competing, nan=0.0)
        left = _incidence(grown, competing)
        probability, staying = left[:, -1], 1 - left
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.exp(np.where(total > 0, z * se / total, 0.0))[:, np.newaxis]
        low, high = (_incidence(each, competing)[:, -1] for each in (grown / factor, grown * factor))
        all_ends = grown + competing
    sign = 1.0 if hazard.aft is None else -1.0 / np.exp(hazard.aft.log_scale)
    usual = usual_of(terms, rows) if len(rows) else {}
    reasons = contributions(terms, design, hazard.coefficients * sign, usual)
    return Ahead(probability, low, high, times, staying, _area(times, all_ends), reasons, beyond, unseen)


def _incidence(grown: Floats, competing: Floats) -> Floats:
    """Sum up to each step: the share of the step's ends that are leaving, of those who end in it."""
    zero = np.zeros((len(grown), 1))
    own, all_ends = np.diff(grown, axis=1, prepend=zero), np.diff(grown + competing, axis=1, prepend=zero)
    before = np.exp(-(grown + competing) + all_ends)
    share = np.divide(own, all_ends, out=np.zeros_like(own), where=all_ends > 0)
    return np.asarray(np.cumsum(before * -np.expm1(-all_ends) * share, axis=1))


def _area(times: Floats, grown: Floats) -> Floats:
    """Days under the curve exp(−Λ) that begins with everybody; between two times the rate of leaving is the same."""
    until = np.column_stack([np.zeros(len(grown)), grown])
    rise = np.diff(until, axis=1)
    lost = -np.expm1(-rise)  # of those who were there at the step's beginning
    mean = np.divide(lost, rise, out=1 - rise / 2, where=rise > 1e-9)
    return np.asarray((np.exp(-until[:, :-1]) * mean * np.diff(times, prepend=0.0)).sum(axis=1))


# -- by how customers stand ------------------------------------------------------------------


def parts_of(limit: int, horizon: int) -> list[int]:
    """Cut a horizon where it is longer than the silence: who is active tomorrow can leave within it, too."""
    if horizon <= limit:
        return [horizon]
    step = max(limit, -(-horizon // 5))
    return [*range(step, horizon, step), horizon]


def ahead_by_standing(landmarks: list[Landmark], rows: pd.DataFrame, confidence: float) -> Ahead:
    """Take the chances of the landmark models of rising horizons; the last is the one asked for."""
    last = landmarks[-1]
    z = z_value(confidence)
    chances = np.zeros((len(rows), len(landmarks)))
    for i, landmark in enumerate(landmarks):
        score, se = landmark.predict(rows)
        chances[:, i] = -np.expm1(-np.exp(np.minimum(score, SURE)))
    chances = np.minimum.accumulate(chances[:, ::-1], axis=1)[:, ::-1]  # who leaves sooner also leaves within longer
    probability = chances[:, -1]
    able = np.isfinite(score)
    low, high = np.zeros(len(rows)), np.zeros(len(rows))
    low[able] = -np.expm1(-np.exp(np.minimum(score[able] - z * se[able], SURE)))
    high[able] = -np.expm1(-np.exp(np.minimum(score[able] + z * se[able], SURE)))
    times = grid_of(last.horizon)
    # In the first part everybody who leaves does so on one day: when the silence that now lasts has lasted too long.
    wait = np.maximum(last.limit - rows["recency_days"].to_numpy(dtype=np.float64), 0.0)
    ends = np.array([0.0, *(landmark.horizon for landmark in landmarks)])
    staying = np.empty((len(rows), len(times)))
    for j, time in enumerate(times.tolist()):
        part = int(np.searchsorted(ends[1:], time))
        if part == 0:
            staying[:, j] = 1 - chances[:, 0] * (wait <= time)
        else:
            share = (time - ends[part]) / (ends[part + 1] - ends[part])
            staying[:, j] = 1 - chances[:, part - 1] - share * (chances[:, part] - chances[:, part - 1])
    first = ends[1]
    days = first - chances[:, 0] * np.maximum(first - wait, 0.0)
    for part in range(1, len(landmarks)):
        days += (ends[part + 1] - ends[part]) * (1 - (chances[:, part - 1] + chances[:, part]) / 2)
    reasons = last.contributions(rows, usual_row(rows, last.terms)) if len(rows) else pd.DataFrame()
    unseen = design_of(last.terms, rows)[1] if last.terms else np.zeros(len(rows), bool)
    return Ahead(probability, low, high, times, staying, days, reasons, np.zeros(len(rows), bool), unseen)


def usual_row(rows: pd.DataFrame, terms: tuple[Term, ...]) -> pd.DataFrame:
    """Make the usual customer: the median of each number, the most frequent of each category."""
    if rows.empty:
        raise ParameterError("nobody is there")
    values: dict[str, Any] = {name: [float(rows[name].median())] for name in HABITS if name in rows}
    for term in terms:
        column = rows[term.name]
        values[term.name] = [float(column.median())] if term.is_number else [most_frequent(column)]
    return pd.DataFrame(values)
