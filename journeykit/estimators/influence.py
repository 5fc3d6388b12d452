"""What each row adds to an incidence curve: variances where customers have several clocks, and of what is read off it.

The influence of a row on an estimate is its derivative by the row's weight.
Summed over the rows of a customer and squared, it gives a variance that does
not take a customer's rows for independent; with one row a customer it is
Greenwood's (Aalen–Johansen's with several ends) exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.estimators.proportions import Floats, divide
from journeykit.loops.clusters import walk_clusters

CENSORED, ENDED, OTHER = 0, 1, 2
"""How a row ends: not yet; in the way whose incidence is estimated; in another."""

CHANGES = ("mm", "ma", "me", "aa", "ae", "ee", "clusters")
"""Columns of `cluster_changes`."""


@dataclass(frozen=True)
class Influence:
    """The incidence of one end in one group, and what a row adds to it.

    A row still running at t adds `incidence(t) · a(t) + e(t)`; one that ended
    at T adds `incidence(t) · A + E` from T on, with A and E of `ended`.

    Attributes
    ----------
    time, incidence : array
        The times of the risk table, and the share that has ended in this way.
    a, e : array
        Of rows that are still running.
    ended_a, ended_e : array of float, shape (3, times)
        Of rows that ended at a time: CENSORED, ENDED or OTHER.
    """

    time: Floats
    incidence: Floats
    a: Floats
    e: Floats
    ended_a: Floats
    ended_e: Floats

    def places(self, times: Any) -> npt.NDArray[np.int64]:
        """Return where these times stand among those of the table."""
        found: npt.NDArray[np.int64] = np.searchsorted(self.time, times).astype(np.int64)
        return found

    def at(self, time: float) -> Floats:
        """Influence on the incidence at a time, of rows that end at each time in each way: shape (3, times)."""
        last = int(np.searchsorted(self.time, time, side="right")) - 1
        value: Floats = self.incidence[last] * self.ended_a + self.ended_e
        value[:, last + 1 :] = self.incidence[last] * self.a[last] + self.e[last]
        return value

    def area(self, horizon: float) -> Floats:
        """Influence on the area under the incidence from 0 to a horizon, likewise."""
        edges = np.append(np.clip(self.time, 0, horizon), horizon)
        widths = np.diff(edges)
        running = np.append(0.0, np.cumsum((self.incidence * self.a + self.e) * widths))
        under = np.append(0.0, np.cumsum(self.incidence * widths))
        value: Floats = running[:-1] + (under[-1] - under[:-1]) * self.ended_a + (horizon - edges[:-1]) * self.ended_e
        return value


def incidence_influence(rows: pd.DataFrame, column: str = "events") -> Influence:
    """Find what each row adds to the incidence of one end.

    Parameters
    ----------
    rows : DataFrame
        The risk table of one group.
    column : str
        The column that counts the end: `"events"`, or `"events_…"` of several.

    Returns
    -------
    Influence
        Of rows that still run and of those that ended, at every time.

    Notes
    -----
    F(t) = Σ S(tᵢ₋₁) dₖᵢ/nᵢ moves with S by Σ (F(t) − F(tᵢ)) αᵢ, where
    αᵢ = −(dNᵢ − dᵢ/nᵢ)/(nᵢ − dᵢ) is what a row at risk adds to log S, and with
    its own end by S(tᵢ₋₁)(dNₖᵢ − dₖᵢ/nᵢ)/nᵢ. Squared and summed over
    independent rows this is the variance of Dinse & Larson (1986), eq. 6.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table([1, 2, 3], [True, False, True])
    >>> found = incidence_influence(table)
    >>> bool(abs(found.at(2)[1, 1] - 2 / 9) < 1e-12)  # the first to end, of three
    True
    """
    n, d, own = (rows[name].to_numpy(dtype=float) for name in ("at_risk", "events", column))
    share = np.divide(d, n, out=np.zeros_like(n), where=d > 0)
    before = np.append(1.0, np.cumprod(1 - share)[:-1])
    incidence = np.cumsum(before * np.divide(own, n, out=np.zeros_like(n), where=own > 0))
    left = np.where(n > d, n - d, np.inf)  # where all end, nothing follows that could depend on them
    a = np.cumsum(share / left)
    lost = np.divide(before * own, n * n, out=np.zeros_like(n), where=own > 0)
    e = -np.cumsum(incidence * share / left + lost)
    gained = np.divide(before, n, out=np.zeros_like(n), where=n > 0)
    ended_a = np.stack([a, a - 1 / left, a - 1 / left])
    other = e + incidence / left
    return Influence(rows["time"].to_numpy(dtype=float), incidence, a, e, ended_a, np.stack([e, other + gained, other]))


def independent_variance(rows: pd.DataFrame, column: str, value: Floats) -> float:
    """Variance of an estimate from independent rows: the squares of their influence (3 × times), summed."""
    counts = np.stack([rows["censored"], rows[column], rows["events"] - rows[column]]).astype(float)
    return float((counts * value**2).sum())


def cluster_changes(clusters: Any, places: Any, ways: Any, influence: Influence) -> pd.DataFrame:
    """Sum over customers what their rows add together, as changes at each time of the table.

    Parameters
    ----------
    clusters : array of int
        Each row's customer, numbered from 0.
    places : array of int
        Where its end stands among the times of the table (`Influence.places`).
    ways : array of int
        How it ends: CENSORED, ENDED, OTHER.
    influence : Influence
        Of the group.

    Returns
    -------
    DataFrame
        One row a time at which anything changes, indexed by its place:
        CHANGES. They add up over disjoint sets of whole customers.
    """
    at, how = np.asarray(places, np.int64), np.asarray(ways, np.int64)
    codes, _ = pd.factorize(np.asarray(clusters))
    order = np.argsort(at, kind="stable")
    changes = np.zeros((len(influence.time), len(CHANGES)))
    walk_clusters(
        codes[order].astype(np.int32),
        at[order],
        influence.ended_a[how[order], at[order]],
        influence.ended_e[how[order], at[order]],
        int(codes.max()) + 1 if len(codes) else 0,
        changes,
    )
    some = np.flatnonzero(changes.any(axis=1))
    return pd.DataFrame(changes[some], columns=list(CHANGES), index=pd.Index(some, name="place"))


def clustered_curve_se(changes: pd.DataFrame, influence: Influence) -> tuple[Floats, Floats]:
    """Standard error of the incidence at every time of the table, clustered, and the customers still running.

    Parameters
    ----------
    changes : DataFrame
        `cluster_changes`, added up over all customers.
    influence : Influence
        Of the group.

    Returns
    -------
    se, clusters : ndarray
        With the factor C/(C − 1); the number of customers with a running row
        just before each time.
    """
    full = np.zeros((len(influence.time), len(CHANGES)))
    full[changes.index.to_numpy()] = changes[list(CHANGES)].to_numpy()
    sums = np.cumsum(full, axis=0)
    mm, ma, me, aa, ae, ee, clusters = sums.T
    f = influence.incidence
    p = f * influence.a + influence.e
    variance = p * p * mm + 2 * p * (f * ma + me) + f * f * aa + 2 * f * ae + ee
    c = clusters[0]
    se = np.sqrt(np.maximum(variance, 0) * divide(c, c - 1))
    return se, np.append(0.0, clusters[:-1])
