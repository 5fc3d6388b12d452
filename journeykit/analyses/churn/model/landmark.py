"""Who crosses the limit of silence within a time, learned from how customers stood at earlier dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.model.covariates import Term, design_of
from journeykit.errors import ParameterError
from journeykit.estimators.cloglog import CloglogFit, cloglog_fit
from journeykit.estimators.proportions import Floats
from journeykit.estimators.splines import spline_basis, spline_knots

HABITS = ("recency_days", "rhythm_days", "active_days", "age_days", "comebacks")
"""What is known of every customer at any date, beside the covariates."""

FEWEST_CROSSINGS = 50
ENOUGH = 5000
"""Who left, and who stayed, from which on finer curves are learned."""

PENALTY = 1.0
"""A slight penalty, as of one observation a coefficient: splines of few customers stay calm."""


Habits = Mapping[str, Floats]
SHARED = ("recency_days", "rhythm_days", "active_days")
"""Habits that act together: what each contributes is averaged over the orders in which they could be told."""


@dataclass(frozen=True, eq=False)
class Bends:
    """The columns that habits make: smooth curves whose knots were set by the customers learned from."""

    limit: int
    knots: Mapping[str, Floats]
    with_comebacks: bool
    rich: bool = False

    def columns(self, habits: Habits) -> dict[str, Floats]:
        """Lay out each habit's columns; those of `SHARED` stand together, under one name."""
        scales = scales_of(habits, self.limit)
        shared = [
            *(self._bend(name, scales) for name in ("recency", "left", "overdue", "rhythm", "active")),
            scales["once"][:, np.newaxis],
            (scales["rhythm"] * scales["left"])[:, np.newaxis],
            (scales["active"] * scales["recency"])[:, np.newaxis],
        ]
        if self.rich:  # silence means another thing for who came once or twice, often or seldom
            recency = self._bend("recency", scales)
            for each in ("once", "twice", "active", "rhythm"):
                shared.append(recency * scales[each][:, np.newaxis])
            shared.append(scales["twice"][:, np.newaxis])
        found = {"": np.column_stack(shared), "age_days": self._bend("age", scales)}
        if self.with_comebacks:
            found["comebacks"] = scales["comebacks"][:, np.newaxis]
        return found

    def _bend(self, name: str, scales: Mapping[str, Floats]) -> Floats:
        return spline_basis(scales[name], self.knots[name])


def habits_of(snapshots: pd.DataFrame, limit: int) -> dict[str, Floats]:
    """Read the habits as numbers."""
    habits = {name: snapshots[name].to_numpy(dtype=np.float64) for name in HABITS if name != "rhythm_days"}
    return habits | {"rhythm_days": rhythm_of(snapshots, limit)}


def scales_of(habits: Habits, limit: int) -> dict[str, Floats]:
    """Put habits on scales on which they act: logarithms of days, and of silence in units of the usual gap."""
    recency, gap, active = (habits[name] for name in SHARED)
    return {
        "recency": np.log1p(recency),
        "rhythm": np.log(gap),
        "left": np.log1p(np.maximum(limit - recency, 0.0) / gap),
        "overdue": np.log1p(recency / gap),
        "active": np.log(np.maximum(active, 1)),
        "age": np.log1p(habits["age_days"]),
        "once": (active <= 1).astype(float),
        "twice": (active == 2).astype(float),
        "comebacks": np.minimum(habits["comebacks"], 5),
    }


def rhythm_of(snapshots: pd.DataFrame, limit: int) -> Floats:
    """Mean days between active days until now, drawn towards the limit where there are few."""
    age, active = (snapshots[name].to_numpy(dtype=np.float64) for name in ("age_days", "active_days"))
    span = np.maximum(age - snapshots["recency_days"].to_numpy(dtype=np.float64), 0.0)
    # One gap of a third of the limit is put beside the customer's own: who was active once has no other.
    return np.asarray((span + limit / 3) / np.maximum(active, 1))


def settle_bends(snapshots: pd.DataFrame, limit: int, *, rich: bool) -> Bends:
    """Set the knots: more of them, and products, where there is much to learn from."""
    scales = scales_of(habits_of(snapshots, limit), limit)
    counts = {"recency": 4, "left": 5, "overdue": 4, "rhythm": 4, "active": 4, "age": 3}
    if rich:
        counts |= {"recency": 7, "rhythm": 7, "active": 7, "age": 5}
    knots = {name: spline_knots(scales[name], count) for name, count in counts.items()}
    return Bends(limit, knots, bool((scales["comebacks"] > 0).mean() > 0.01), rich)


@dataclass(frozen=True, eq=False)
class Landmark:
    """A model of who crosses within a horizon, given how they stand now.

    Attributes
    ----------
    horizon, limit : int
        Days ahead, and days of silence that are leaving.
    names : list of str
        Whose contribution each column is.
    fit : CloglogFit
        Of those who could cross: silent for limit − horizon days or more.
    snapshots, customers, crossings : int
        Learned from so many dates, customers at them, and crossings.
    """

    horizon: int
    limit: int
    bends: Bends
    terms: tuple[Term, ...]
    names: list[str]
    fit: CloglogFit
    snapshots: int
    customers: int
    crossings: int

    def predict(self, at: pd.DataFrame) -> tuple[Floats, Floats]:
        """Logarithm of the cumulative hazard of crossing, and its standard error; −∞ for those who can't yet."""
        able = self.able(at)
        score, se = np.full(len(at), -np.inf), np.zeros(len(at))
        if able.any():
            design, _ = self._design(at[able])
            score[able], se[able] = self.fit.score(design)
        return score, se

    def able(self, at: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Mark who could cross within the horizon."""
        return np.asarray(at["recency_days"].to_numpy() + self.horizon >= self.limit)

    def contributions(self, at: pd.DataFrame, usual: pd.DataFrame) -> pd.DataFrame:
        """Contribution of each habit and covariate to the score, against the usual customer (one row)."""
        mine, base = habits_of(at, self.limit), habits_of(usual, self.limit)
        base["rhythm_days"] = usual["rhythm_days"].to_numpy(dtype=np.float64)
        own, theirs = self.bends.columns(mine), self.bends.columns(base)
        found = _shapley(self, mine, base)
        place = 1 + own[""].shape[1]
        for name, columns in own.items():
            if name:
                found[name] = (columns - theirs[name]) @ self.fit.coefficients[place : place + columns.shape[1]]
                place += columns.shape[1]
        for term in self.terms:
            away = term.design(at[term.name])[0] - term.design(usual[term.name])[0]
            found[term.name] = away @ self.fit.coefficients[place : place + away.shape[1]]
            place += away.shape[1]
        return pd.DataFrame(found)

    def _design(self, at: pd.DataFrame) -> tuple[Floats, list[str]]:
        return lay_out(self.bends, self.terms, at)


def _shapley(model: Landmark, mine: Habits, base: Habits) -> dict[str, Floats]:
    """Share out what habits that act together contribute (Shapley 1953): the mean over all orders."""
    n, size = len(mine["recency_days"]), len(SHARED)
    coefficients = model.fit.coefficients
    worth = []
    for code in range(2**size):
        mixed = {name: mine[name] if code >> i & 1 else np.full(n, base[name][0]) for i, name in enumerate(SHARED)} | {
            name: mine[name] for name in ("age_days", "comebacks")
        }
        columns = model.bends.columns(mixed)[""]
        worth.append(columns @ coefficients[1 : 1 + columns.shape[1]])
    found = {}
    for i, name in enumerate(SHARED):
        total = np.zeros(n)
        for code in range(2**size):
            if not code >> i & 1:
                others = code.bit_count()
                weight = factorial(others) * factorial(size - others - 1) / factorial(size)
                total += weight * (worth[code | 1 << i] - worth[code])
        found[name] = total
    return found


def lay_out(bends: Bends, terms: Sequence[Term], at: pd.DataFrame) -> tuple[Floats, list[str]]:
    """Lay out a column of ones, the habits and the covariates; and whose each column is."""
    parts, names = [np.ones((len(at), 1))], [""]
    for name, columns in bends.columns(habits_of(at, bends.limit)).items():
        parts.append(columns)
        names += [name or "habits"] * columns.shape[1]
    covariates, _ = design_of(terms, at)
    parts.append(covariates.to_numpy())
    names += [term.name for term in terms for _ in term.columns]
    return np.column_stack(parts), names


def fit_landmark(snapshots: pd.DataFrame, terms: Sequence[Term], limit: int, horizon: int) -> Landmark:
    """Learn who crosses within a horizon, from customers as they stood at earlier dates.

    Parameters
    ----------
    snapshots : DataFrame
        One row a customer and date, watched until the horizon; with
        `duration_days` and `event`: when it crossed next.
    terms : sequence of Term
        Covariates.
    limit, horizon : int
        Days.
    """
    able = snapshots[snapshots["recency_days"].to_numpy() + horizon >= limit]
    crossed = (able["event"] & (able["duration_days"] <= horizon)).to_numpy()
    if crossed.sum() < FEWEST_CROSSINGS or (~crossed).sum() < FEWEST_CROSSINGS:
        raise ParameterError(
            f"{int(crossed.sum()):,} left within {horizon} days of the earlier dates and {int((~crossed).sum()):,} "
            f"stayed; {FEWEST_CROSSINGS} of each are needed to learn from: use a longer log or another horizon"
        )
    bends = settle_bends(able, limit, rich=min(crossed.sum(), (~crossed).sum()) >= ENOUGH)
    design, names = lay_out(bends, terms, able)
    fit = _calm_fit(design, crossed, able["customer"].to_numpy(), names)
    return Landmark(
        horizon, limit, bends, tuple(terms), names, fit, int(able["at"].nunique()), len(able), int(crossed.sum())
    )


def _calm_fit(
    design: Floats, crossed: npt.NDArray[np.bool_], customers: npt.NDArray[Any], names: list[str]
) -> CloglogFit:
    """Fit with a slight penalty on columns of one spread; a column that is the same for all has no effect."""
    centres, spreads = design.mean(axis=0), design.std(axis=0)
    centres[0], spreads[0] = 0.0, 1.0
    same = spreads <= 1e-9 * np.maximum(np.abs(centres), 1.0)
    spreads[same] = 1.0
    penalty = np.r_[0.0, np.full(design.shape[1] - 1, PENALTY)]
    fit = cloglog_fit((design - centres) / spreads, crossed, clusters=customers, penalty=penalty, names=names)
    back = np.diag(np.where(same, 0.0, 1 / spreads))
    back[0, 0] = 1.0
    back[0, 1:] -= np.where(same, 0.0, centres / spreads)[1:]
    return CloglogFit(back @ fit.coefficients, back @ fit.covariance @ back.T, fit.n, fit.events)
