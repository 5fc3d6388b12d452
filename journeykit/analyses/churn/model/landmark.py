"""Who crosses the limit of silence within a time, learned from how customers stood at earlier dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.model.covariates import Term, contributions, design_of
from journeykit.errors import ParameterError
from journeykit.estimators.cloglog import CloglogFit, cloglog_fit
from journeykit.estimators.proportions import Floats
from journeykit.estimators.splines import spline_basis, spline_knots, spline_size, spline_sum

HABITS = ("recency_days", "rhythm_days", "active_days", "age_days", "comebacks")
"""What is known of every customer at any date, beside the covariates."""

FEWEST_CROSSINGS = 50
ENOUGH = 5000
"""Customers who left, and who stayed, from which on finer curves are learned."""

ENOUGH_A_COLUMN = 100
"""The same, for each column that lets covariates act otherwise for some than for others."""

MOST_ROWS = 1_000_000
"""Rows that are learned from at most: of more, those of a share of the customers, chosen by their ids."""

PENALTY = 1.0
"""A slight penalty, as of one observation a coefficient: splines of few customers stay calm."""


Habits = Mapping[str, Floats]
LEANS_ON = {
    "recency": ("recency_days",),
    "rhythm": ("rhythm_days",),
    "left": ("recency_days", "rhythm_days"),
    "overdue": ("recency_days", "rhythm_days"),
    "active": ("active_days",),
    "once": ("active_days",),
    "twice": ("active_days",),
    "age": ("age_days",),
    "comebacks": ("comebacks",),
}
"""Scale → the habits that it is made of."""

CROSSED = ("recency", "active")
"""Scales on which covariates may act otherwise: what tells apart who just came says less of who is silent."""

ROWS_AT_ONCE = 16_384
"""So few that what is computed of them stays in the processor's cache."""


@dataclass(frozen=True)
class Part:
    """Columns that one scale makes: itself, or a smooth curve of it; times another scale."""

    scale: str
    times: str = ""
    bent: bool = False

    @property
    def habits(self) -> tuple[str, ...]:
        """The habits that it looks at: one or two."""
        return tuple(dict.fromkeys([*LEANS_ON[self.scale], *LEANS_ON.get(self.times, ())]))


@dataclass(frozen=True, eq=False)
class Bends:
    """The columns that habits make: smooth curves whose knots were set by the customers learned from.

    Attributes
    ----------
    ranges : mapping
        Scale → the least and the largest value that was learned from. For
        finer curves and their products what lies beyond counts as that: they
        bend too much to be drawn out straight.
    """

    limit: int
    knots: Mapping[str, Floats]
    ranges: Mapping[str, Floats]
    with_comebacks: bool
    rich: bool = False

    def parts(self) -> list[Part]:
        """List what the columns are made of, in their order."""
        found = [Part(name, bent=True) for name in ("recency", "left", "overdue", "rhythm", "active")]
        found += [Part("once"), Part("rhythm", "left"), Part("active", "recency")]
        if self.rich:  # silence means another thing for who came once or twice, often or seldom
            found += [Part("recency", each, bent=True) for each in ("once", "twice", "active", "rhythm")]
            found.append(Part("twice"))
            # … and age for who came often, is silent, or has a slow rhythm: all that is long ago, or not yet.
            found += [Part("age", each, bent=True) for each in ("active", "recency", "rhythm")]
        return [*found, Part("age", bent=True), *([Part("comebacks")] if self.with_comebacks else [])]

    def scales(self, habits: Habits) -> dict[str, Floats]:
        """Put habits on their scales; for finer curves within the ranges that were learned from."""
        found = scales_of(habits, self.limit)
        return {name: np.clip(each, *self.ranges[name]) for name, each in found.items()} if self.rich else found

    def size(self, part: Part) -> int:
        """Count the columns of a part."""
        return spline_size(self.knots[part.scale]) if part.bent else 1

    def columns(self, habits: Habits) -> Floats:
        """Lay out the columns of customers."""
        scales = self.scales(habits)
        found = []
        for part in self.parts():
            own = scales[part.scale]
            columns = spline_basis(own, self.knots[part.scale]) if part.bent else own[:, np.newaxis]
            found.append(columns * scales[part.times][:, np.newaxis] if part.times else columns)
        return np.column_stack(found)

    def contributions(self, mine: Habits, usual: Habits, coefficients: Floats) -> dict[str, Floats]:
        """What each habit adds to the score, against that of one usual customer.

        What two habits add together is shared as Shapley (1953) does: the mean
        over the two orders in which they could be told.
        """
        worlds: dict[frozenset[str], Mapping[str, Floats]] = {}

        def worth(part: Part, some: Floats, own: frozenset[str]) -> Floats:
            if own not in worlds:
                habits = {name: mine[name] if name in own else usual[name] for name in mine}
                worlds[own] = self.scales(habits)
            scales = worlds[own]
            value = scales[part.scale]
            value = spline_sum(value, self.knots[part.scale], some) if part.bent else value * some[0]
            return value * scales[part.times] if part.times else value

        n = len(mine["recency_days"])
        found = {name: np.zeros(n) for name in HABITS if name != "comebacks" or self.with_comebacks}
        place = 0
        for part in self.parts():
            some = coefficients[place : place + self.size(part)]
            place += len(some)
            whole, nothing = worth(part, some, frozenset(part.habits)), worth(part, some, frozenset())
            if len(part.habits) == 1:
                found[part.habits[0]] += whole - nothing
                continue
            first, second = part.habits
            alone = {name: worth(part, some, frozenset([name])) for name in part.habits}
            found[first] += (alone[first] - nothing + whole - alone[second]) / 2
            found[second] += (alone[second] - nothing + whole - alone[first]) / 2
        return found


def habits_of(snapshots: pd.DataFrame, limit: int) -> dict[str, Floats]:
    """Read the habits as numbers."""
    habits = {name: snapshots[name].to_numpy(dtype=np.float64) for name in HABITS if name != "rhythm_days"}
    return habits | {"rhythm_days": rhythm_of(snapshots, limit)}


def scales_of(habits: Habits, limit: int) -> dict[str, Floats]:
    """Put habits on scales on which they act: logarithms of days, and of silence in units of the usual gap."""
    recency, gap, active = (habits[name] for name in ("recency_days", "rhythm_days", "active_days"))
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
    ranges = {name: np.array([each.min(), each.max()]) for name, each in scales.items()}
    return Bends(limit, knots, ranges, bool((scales["comebacks"] > 0).mean() > 0.01), rich)


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
    crossed : tuple of str
        Scales of habits with which the effects of covariates change.
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
    crossed: tuple[str, ...] = ()

    def predict(self, at: pd.DataFrame) -> tuple[Floats, Floats]:
        """Logarithm of the cumulative hazard of crossing, and its standard error; −∞ for those who can't yet."""
        able = self.able(at)
        rows = at if able.all() else at[able]
        own = [self.fit.score(lay_out(self.bends, self.terms, self.crossed, rows.iloc[some])[0])
               for some in pieces(len(rows))]  # fmt: skip
        score, se = np.full(len(at), -np.inf), np.zeros(len(at))
        score[able], se[able] = (np.concatenate(each) for each in zip(*own, strict=True))
        return score, se

    def able(self, at: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Mark who could cross within the horizon."""
        return np.asarray(at["recency_days"].to_numpy() + self.horizon >= self.limit)

    def contributions(self, at: pd.DataFrame, usual: pd.DataFrame) -> pd.DataFrame:
        """Contribution of each habit and covariate to the score, against the usual customer (one row)."""
        base = habits_of(usual, self.limit)
        base["rhythm_days"] = usual["rhythm_days"].to_numpy(dtype=np.float64)
        usual_design, _ = design_of(self.terms, usual)
        usual_values = dict(zip(usual_design.columns, usual_design.to_numpy()[0].tolist(), strict=True))
        place = 1 + sum(map(self.bends.size, self.bends.parts()))
        parts = []
        for some in pieces(len(at)):
            rows = at.iloc[some]
            habits = habits_of(rows, self.limit)
            found = self.bends.contributions(habits, base, self.fit.coefficients[1:place])
            design, _ = design_of(self.terms, rows)
            effects = self.fit.coefficients[place : place + design.shape[1]]
            own = contributions(self.terms, design, effects, usual_values)
            self._share_crossed(found, own, (habits, base), (design.to_numpy(), usual_design.to_numpy()))
            parts.append(pd.DataFrame(found).join(own))
        return pd.concat(parts, ignore_index=True)

    def _share_crossed(
        self, found: dict[str, Floats], own: pd.DataFrame, habits: tuple[Habits, Habits], designs: tuple[Floats, Floats]
    ) -> None:
        """Share what habits and covariates add together between the two, as above."""
        mine, usual = (self.bends.scales(each) for each in habits)
        x, x0 = designs
        end = len(self.fit.coefficients) - x.shape[1] * len(self.crossed)
        for scale in self.crossed:
            effect = self.fit.coefficients[end : end + x.shape[1]]
            end += x.shape[1]
            found[LEANS_ON[scale][0]] += (mine[scale] - usual[scale]) * ((x + x0) @ effect) / 2
            column = 0
            for term in self.terms:
                some = slice(column, column + len(term.columns))
                own[term.name] += (mine[scale] + usual[scale]) * ((x[:, some] - x0[:, some]) @ effect[some]) / 2
                column += len(term.columns)


def pieces(n: int) -> list[slice]:
    """Cut n rows into pieces of at most `ROWS_AT_ONCE`; one, empty, of none."""
    return [slice(begin, begin + ROWS_AT_ONCE) for begin in range(0, max(n, 1), ROWS_AT_ONCE)]


def lay_out(bends: Bends, terms: Sequence[Term], crossed: Sequence[str], at: pd.DataFrame) -> tuple[Floats, list[str]]:
    """Lay out a column of ones, the habits, the covariates, and these times scales of habits; and whose each is."""
    whose = [term.name for term in terms for _ in term.columns]
    names = ["", *("habits" for part in bends.parts() for _ in range(bends.size(part))), *whose]
    names += whose * len(crossed)
    design = np.empty((len(at), len(names)))
    for some in pieces(len(at)):
        rows = at.iloc[some]
        habits, covariates = habits_of(rows, bends.limit), design_of(terms, rows)[0].to_numpy()
        parts = [np.ones((len(rows), 1)), bends.columns(habits), covariates]
        if crossed:
            scales = bends.scales(habits)
            parts += [covariates * scales[name][:, np.newaxis] for name in crossed]
        design[some] = np.column_stack(parts)
    return design, names


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
    able = some_customers(snapshots[snapshots["recency_days"].to_numpy() + horizon >= limit])
    crossed = (able["event"] & (able["duration_days"] <= horizon)).to_numpy()
    if crossed.sum() < FEWEST_CROSSINGS or (~crossed).sum() < FEWEST_CROSSINGS:
        raise ParameterError(
            f"{int(crossed.sum()):,} left within {horizon} days of the earlier dates and {int((~crossed).sum()):,} "
            f"stayed; {FEWEST_CROSSINGS} of each are needed to learn from: use a longer log or another horizon"
        )
    # The same customer at several dates says little more than at one: CDNOW's would be told too much.
    fewer = int(min(able.loc[each, "customer"].nunique() for each in (crossed, ~crossed)))
    bends = settle_bends(able, limit, rich=fewer >= ENOUGH)
    columns = sum(len(term.columns) for term in terms) * len(CROSSED)
    with_habits = CROSSED if bends.rich and fewer >= ENOUGH_A_COLUMN * columns else ()
    design, names = lay_out(bends, terms, with_habits, able)
    fit = _calm_fit(design, crossed, able["customer"].to_numpy(), names)
    seen = int(able["at"].nunique()), len(able), int(crossed.sum())
    return Landmark(horizon, limit, bends, tuple(terms), names, fit, *seen, with_habits)


def some_customers(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of so large a share of the customers that they are about `MOST_ROWS`; the same ones every time."""
    if len(rows) <= MOST_ROWS:
        return rows
    chosen = pd.util.hash_array(rows["customer"].to_numpy()) < MOST_ROWS / len(rows) * 2.0**64
    return rows[chosen]


def _calm_fit(
    design: Floats, crossed: npt.NDArray[np.bool_], customers: npt.NDArray[Any], names: list[str]
) -> CloglogFit:
    """Fit with a slight penalty on columns of one spread; a column that is the same for all has no effect."""
    centres = design.mean(axis=0)
    centres[0] = 0.0
    design -= centres  # in place, as all below: there may be very many rows
    spreads = np.sqrt(np.einsum("ij,ij->j", design, design) / len(design))
    same = spreads <= 1e-9 * np.maximum(np.abs(centres), 1.0)
    spreads[same] = 1.0
    design /= spreads
    penalty = np.r_[0.0, np.full(design.shape[1] - 1, PENALTY)]
    fit = cloglog_fit(design, crossed, clusters=customers, penalty=penalty, names=names)
    back = np.diag(np.where(same, 0.0, 1 / spreads))
    back[0, 0] = 1.0
    back[0, 1:] -= np.where(same, 0.0, centres / spreads)[1:]
    return CloglogFit(back @ fit.coefficients, back @ fit.covariance @ back.T, fit.n, fit.events)
