"""Customers with several rows in a risk table: what their rows have in common, added to variances that take rows apart.

The influence of a row on an estimate is its derivative by the row's weight
(`influence`). Rows of different customers are independent, so the variance of
an estimate is the sum over customers of their rows' influence, added up and
squared. What this has more than the sum over rows comes from customers with
several rows alone: it is computed from them, and added to Greenwood's
variance, Dinse and Larson's, or that of the log-rank test, which are left as
they are where every customer has one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.estimators.influence import ENDED, OTHER, Influence, incidence_influence
from journeykit.estimators.logrank import aligned, weigh
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk import group_columns, groups_of


@dataclass(frozen=True)
class Repeats:
    """The rows of customers who have several.

    Attributes
    ----------
    rows : DataFrame
        One row each: `cluster` (the customer), `group` (the name in the risk
        table, if it has groups), `enters`, `duration`, `end` (the name of the
        end, or "event"; missing where it did not end).
    """

    rows: pd.DataFrame

    def curve(self, table: pd.DataFrame, end: str | None = None) -> Floats:
        """Variance to be added to that of a curve at each row of a risk table: of one end's incidence, or of any.

        Examples
        --------
        >>> from journeykit.estimators.risk import risk_table
        >>> rows = pd.DataFrame({"cluster": [1, 1], "enters": 0, "duration": [1, 2], "end": "event"})
        >>> Repeats(rows).curve(risk_table([1, 2, 3], [True, True, False])).round(4).tolist()
        [0.0, -0.0494, 0.0247, 0.0247]
        """
        column = "events" if end is None else f"events_{end}"
        parts = []
        for name, rows in groups_of(table):
            own = self._of(name)
            if own.empty:
                parts.append(np.zeros(len(rows)))
                continue
            influence = incidence_influence(rows, column)
            together, alone = (
                _variance(influence, _walk(influence, own, own_cluster, end))
                for own_cluster in (own["cluster"].to_numpy(), np.arange(len(own)))
            )
            parts.append(together - alone)
        return np.concatenate(parts)

    def area(self, table: pd.DataFrame, horizon: float) -> Floats:
        """Covariance to be added to that of restricted means: groups × groups."""
        groups = list(groups_of(table))
        sums: list[pd.Series] = []
        squares = []
        for name, rows in groups:
            own = self._of(name)
            influence = incidence_influence(rows)
            value = _of_rows(influence, influence.area(horizon), own, None)
            sums.append(pd.Series(value).groupby(own["cluster"].to_numpy()).sum())
            squares.append(float((value**2).sum()))
        return _products(sums) - np.diag(squares)

    def score(self, table: pd.DataFrame, groups: list[Any], weights: str, rho: float, gamma: float) -> Floats:
        """Covariance to be added to that of the log-rank score of groups: groups × groups."""
        (column,) = group_columns(table)
        place = {name: i for i, name in enumerate(groups)}
        time, n, d = aligned(table, column, place)
        w = weigh(n.sum(axis=0), d.sum(axis=0), weights, rho, gamma)
        own = self.rows[self.rows["group"].isin(groups)]
        group = own["group"].astype(object).map(place).to_numpy(dtype=np.int64)
        until, since = (np.searchsorted(time, own[name].to_numpy(), side="right") for name in ("duration", "enters"))
        ended = own["end"].notna().to_numpy()
        rate = np.append(0.0, np.cumsum(w * d.sum(axis=0) / n.sum(axis=0)))
        value = np.empty((len(groups), len(own)))
        for j in range(len(groups)):
            share = n[j] / n.sum(axis=0)
            mine = (group == j).astype(float)
            expected = np.append(0.0, np.cumsum(w * share * d.sum(axis=0) / n.sum(axis=0)))
            seen = np.where(ended, np.append(0.0, w)[until] * (mine - np.append(0.0, share)[until]), 0.0)
            value[j] = seen - mine * (rate[until] - rate[since]) + (expected[until] - expected[since])
        sums = [pd.Series(row).groupby(own["cluster"].to_numpy()).sum() for row in value]
        found: Floats = _products(sums) - value @ value.T
        return found

    def after(self, given: float) -> Repeats:
        """Keep what follows an age, as if everybody had entered there or later."""
        later = self.rows[self.rows["duration"] > given]
        return Repeats(later.assign(enters=np.maximum(later["enters"], given)))

    def _of(self, name: pd.DataFrame) -> pd.DataFrame:
        """Rows of one group of a table; those of customers with one row there cancel out."""
        if not len(name.columns):
            return self.rows
        return self.rows[self.rows["group"].astype(object) == name.iloc[0, -1]]


def _products(sums: list[pd.Series]) -> Floats:
    """Sum the products of what customers add to each pair of estimates."""
    together = pd.concat(sums, axis=1).fillna(0.0).to_numpy()
    found: Floats = together.T @ together
    return found


def _ways(own: pd.DataFrame, end: str | None) -> npt.NDArray[np.int64]:
    """How each row ends: not, in the way that is estimated, or in another."""
    ended = own["end"].notna().to_numpy()
    in_this = ended if end is None else own["end"].astype(object).eq(end).to_numpy()
    return np.where(in_this, ENDED, np.where(ended, OTHER, 0))


def _places(influence: Influence, own: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where entries and ends stand among the times of the table; -1 before the first."""
    entered = np.searchsorted(influence.time, own["enters"].to_numpy(), side="right") - 1
    return entered, influence.places(own["duration"].to_numpy())


def _of_rows(influence: Influence, values: Floats, own: pd.DataFrame, end: str | None) -> Floats:
    """Influence of rows, given that of rows from the origin: what they would have added before they entered is not."""
    entered, at = _places(influence, own)
    before = np.where(entered < 0, 0.0, values[0, np.maximum(entered, 0)])
    value: Floats = values[_ways(own, end), at] - before
    return value


def _walk(influence: Influence, own: pd.DataFrame, cluster: Any, end: str | None) -> Floats:
    """Sum over clusters, at every time, the squares and products of m (rows running), A and E; see `influence`."""
    entered, at = _places(influence, own)
    way = _ways(own, end)
    codes, _ = pd.factorize(np.asarray(cluster))
    here = np.maximum(entered, 0)
    none = entered < 0
    ones = np.ones(len(own))
    place = np.concatenate([here, at])
    who = np.concatenate([codes, codes])
    moves = np.stack(
        [
            np.concatenate([ones, -ones]),
            np.concatenate([np.where(none, 0.0, -influence.a[here]), influence.ended_a[way, at]]),
            np.concatenate([np.where(none, 0.0, -influence.e[here]), influence.ended_e[way, at]]),
        ]
    )
    order = np.lexsort((place, who))
    place, who, moves = place[order], who[order], moves[:, order]
    begins = np.append(True, who[1:] != who[:-1])[: len(who)]
    first = np.flatnonzero(begins)
    state = np.cumsum(moves, axis=1)
    lengths = np.diff(np.append(first, len(who)))
    state -= np.repeat(state[:, first] - moves[:, first], lengths, axis=1)  # each cluster from 0 on
    before = np.where(begins, 0.0, np.roll(state, 1, axis=1))
    found = np.zeros((len(influence.time), 6))
    for k, (i, j) in enumerate(((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))):
        change = state[i] * state[j] - before[i] * before[j]
        found[:, k] = np.cumsum(np.bincount(place, change, minlength=len(found)))
    return found


def _variance(influence: Influence, sums: Floats) -> Floats:
    mm, ma, me, aa, ae, ee = sums.T
    f = influence.incidence
    p = f * influence.a + influence.e
    value: Floats = p * p * mm + 2 * p * (f * ma + me) + f * f * aa + 2 * f * ae + ee
    return value
