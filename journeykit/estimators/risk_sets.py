"""Who is at risk when: the rows of a model of survival in the order in which its likelihood passes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Rows in the order in which the partial likelihood passes them: by stratum, the last time first.

    Attributes
    ----------
    names : list of str
        The covariates.
    x : array, shape (rows, covariates)
        Covariates less `means`, divided by `scales`.
    row : array of int64
        Where each row stood in the data; rows never at risk at a time with
        an event are not here.
    event, weight, offset : arrays
        As given.
    first, last : arrays of int32
        At risk at the event times number first + 1 … last.
    by_first : array of int64
        Rows by stratum and falling `first`; empty where nobody enters after
        the first event.
    starts : array of int64
        Where each stratum begins.
    times : array
        The event times, rising, over all strata.
    strata : list
        Names of the strata.
    n : int
        Rows of the data, whether ever at risk or not.
    """

    names: list[str]
    x: Floats
    means: Floats
    scales: Floats
    row: Ints
    event: npt.NDArray[np.bool_]
    weight: Floats
    offset: Floats
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]
    by_first: Ints
    starts: Ints
    times: Floats
    strata: list[Any]
    n: int

    @property
    def stratum(self) -> Ints:
        """Number of each row's stratum."""
        return np.repeat(np.arange(len(self.strata)), np.diff(self.starts))


def risk_sets(
    duration: Any,
    event: Any,
    x: Any,
    *,
    enters: Any = None,
    strata: Any = None,
    weight: Any = None,
    offset: Any = None,
) -> RiskSets:
    """Sort out who is at risk at which event times: enters < t ≤ duration.

    Parameters
    ----------
    duration, event : array
        Time of the end or of censoring, and whether it is an end.
    x : DataFrame or array, shape (rows, covariates)
        Numbers, none missing.
    enters : array, optional
        Time since which each row is watched; from before all events if not
        given. Several rows of one customer, one after another, with
        covariates that change, are as good as one.
    strata : array, optional
        Rows are compared only within a stratum: each has its own baseline.
    weight : array, optional
        Case weights, above 0. Under Efron they are not the same as copies.
    offset : array, optional
        Added to the logarithm of the hazard, with coefficient 1.

    Raises
    ------
    ParameterError
        If a covariate is constant or not a number, or no event has company.
    """
    names, values = numbers(x)
    time, ended = np.asarray(duration, dtype=np.float64), np.asarray(event).astype(bool)
    n = len(time)
    if len(values) != n or len(ended) != n:
        raise ParameterError(f"durations, events and covariates differ in length: {n}, {len(ended)}, {len(values)}")
    if not np.isfinite(time).all():
        raise ParameterError("durations must be numbers, none missing")
    w = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    if not (np.isfinite(w) & (w > 0)).all():
        raise ParameterError("weights must be above 0, none missing")
    times = np.unique(time[ended])
    last = np.searchsorted(times, time, side="right").astype(np.int32)
    first = np.zeros(n, np.int32)
    if enters is not None:
        since = np.broadcast_to(np.asarray(enters, dtype=np.float64), time.shape)
        if not (since < time).all():
            raise ParameterError("each row must enter before it ends; leave out and count those that don't")
        first = np.searchsorted(times, since, side="right").astype(np.int32)
    codes, labels = (
        (np.zeros(n, np.int64), pd.Index([""])) if strata is None else pd.factorize(pd.Series(strata), sort=True)
    )
    if (codes < 0).any():
        raise ParameterError("strata must not be missing")
    means = np.average(values, axis=0, weights=w) if n else np.zeros(len(names))
    scales = np.sqrt(np.average((values - means) ** 2, axis=0, weights=w)) if n else np.zeros(len(names))
    constant = [name for name, scale, mean in zip(names, scales, means, strict=True) if scale <= 1e-12 * abs(mean)]
    if constant:
        raise ParameterError(f"covariates that are the same for everybody explain nothing: {constant}")
    wide = len(times) + 1
    order = _order(codes * wide + (len(times) - last))
    if first.any():
        order = order[last[order] > first[order]]
    counts = np.bincount(codes[order], minlength=len(labels))
    by_first = np.zeros(0, np.int64)
    if first.any():
        by_first = _order((codes * wide + (len(times) - first))[order])
    return RiskSets(
        names,
        np.ascontiguousarray((values[order] - means) / scales),
        means,
        scales,
        order,
        ended[order],
        w[order],
        (np.zeros(n) if offset is None else np.asarray(offset, dtype=np.float64))[order],
        first[order],
        last[order],
        by_first,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        times,
        list(labels),
        n,
    )


def _order(key: Ints) -> Ints:
    """Sort small numbers, 0 or more: few enough of them are sorted digit by digit, in one pass over each."""
    small = len(key) > 0 and key.max() < 2**16
    return np.argsort(key.astype(np.uint16) if small else key, kind="stable")


def numbers(x: Any) -> tuple[list[str], Floats]:
    """Read covariates: their names, and their values as numbers."""
    names = [str(name) for name in x.columns] if isinstance(x, pd.DataFrame) else None
    values = np.asarray(x, dtype=np.float64)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    names = names or [f"x{i + 1}" for i in range(values.shape[1])]
    missing = [name for name, column in zip(names, values.T, strict=True) if not np.isfinite(column).all()]
    if missing:
        raise ParameterError(f"covariates must be numbers, none missing: {missing}")
    return names, values
