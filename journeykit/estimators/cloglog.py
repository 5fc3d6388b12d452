"""Whether something happens within a time, explained: regression on the logarithm of the cumulative hazard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.bounded import refuse_collinear, refuse_unbounded
from journeykit.estimators.proportions import Floats

MOST_STEPS = 60


@dataclass(frozen=True, eq=False)
class CloglogFit:
    """A fitted model: P = 1 − exp(−exp(x β)).

    Attributes
    ----------
    coefficients : array
        One per column.
    covariance : array
        Robust, clustered where clusters were given.
    n, events : int
        Rows, and rows in which it happened.
    """

    coefficients: Floats
    covariance: Floats
    n: int
    events: int

    def score(self, x: Floats) -> tuple[Floats, Floats]:
        """Logarithm of the cumulative hazard of each row, and its standard error."""
        variance = np.einsum("ij,jk,ik->i", x, self.covariance, x, optimize=True)
        return x @ self.coefficients, np.sqrt(np.maximum(variance, 0))


def cloglog_fit(
    x: Any,
    happened: Any,
    *,
    weight: Any = None,
    clusters: Any = None,
    penalty: Any = 0.0,
    names: list[str] | None = None,
) -> CloglogFit:
    """Fit a complementary log–log regression by Newton's method.

    Parameters
    ----------
    x : array, shape (rows, columns)
        A column of ones among them if the level is free.
    happened : array
        Booleans or 0/1.
    weight : array, optional
        Case weights, 0 or more.
    clusters : array, optional
        To whom each row belongs; every row to itself if not given.
    penalty : float or one per column
        Half of it times the square of each coefficient is taken off the
        logarithm of the likelihood.
    names : list of str, optional
        Of the columns, for errors.

    Raises
    ------
    ParameterError
        If it always happened, or never, or columns are made of one another.

    Notes
    -----
    Under proportional hazards the coefficients are those of a Cox model:
    Prentice & Gloeckler (1978). Covariance as Liang & Zeger (1986), eq. 2.7.

    Examples
    --------
    >>> fit = cloglog_fit(np.ones((4, 1)), [1, 0, 0, 0])
    >>> (1 - np.exp(-np.exp(fit.coefficients))).round(6).tolist()
    [0.25]
    """
    design, y = np.asarray(x, dtype=np.float64), np.asarray(happened).astype(bool)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    share = float(np.average(y, weights=w)) if w.sum() > 0 else np.nan
    if not 0 < share < 1:
        raise ParameterError("it happened to nobody, or to everybody: there is nothing to explain")
    p = design.shape[1]
    scales = np.sqrt(np.einsum("i,ij,ij->j", w, design, design) / w.sum())  # without a copy of very many rows
    scales[(scales == 0) | (np.abs(scales - 1) < 1e-9)] = 1.0
    penalties = np.broadcast_to(np.asarray(penalty, dtype=np.float64), (p,)) / scales**2
    rows = np.ascontiguousarray(design if (scales == 1).all() else design / scales)
    few = slice(None, None, len(rows) // 20_000 + 1)
    at = np.linalg.lstsq(rows[few], np.full(len(rows[few]), np.log(-np.log1p(-share))), rcond=None)[0]
    worth, gradient, information = _sums(rows, y, w, at)
    worth -= 0.5 * float(penalties @ at**2)
    columns = names or [f"column {i + 1}" for i in range(p)]
    first = information + np.diag(penalties)
    refuse_collinear(columns, first)
    for _ in range(MOST_STEPS):
        bent = information + np.diag(penalties)
        step = np.linalg.solve(bent, gradient - penalties * at)
        rise = float((gradient - penalties * at) @ step)
        before = worth
        for _ in range(30):
            there = at + step
            worth, gradient, information = _sums(rows, y, w, there)
            worth -= 0.5 * float(penalties @ there**2)
            if worth >= before - 1e-11 * abs(before):
                break
            step /= 2
        at = there
        if rise < 1e-11 or not np.isfinite(worth):
            break
    refuse_unbounded(columns, first, information + np.diag(penalties))
    inverse = np.linalg.inv(information + np.diag(penalties))
    slope = _first_derivative(rows, y, w, at)
    if clusters is None:
        influence = rows * slope[:, np.newaxis]
    else:
        codes, unique = pd.factorize(np.asarray(clusters))
        influence = np.column_stack([np.bincount(codes, each * slope, len(unique)) for each in rows.T])
    spread = inverse @ (influence.T @ influence) @ inverse / np.outer(scales, scales)
    return CloglogFit(at / scales, spread, len(y), int(y.sum()))


def _sums(rows: Floats, happened: Any, weight: Floats, at: Floats) -> tuple[float, Floats, Floats]:
    """Log-likelihood, gradient and information."""
    from journeykit.loops.cloglog import sum_cloglog

    gradient, lower = np.zeros(len(at)), np.zeros((len(at), len(at)))
    likelihood = sum_cloglog(rows, happened, weight, at, gradient, lower)
    return likelihood, gradient, lower + np.tril(lower, -1).T


def _first_derivative(rows: Floats, happened: Any, weight: Floats, at: Floats) -> Floats:
    """By its score x · at, of what each row adds to the log-likelihood."""
    hazard = np.exp(np.clip(rows @ at, -700, 30))
    with np.errstate(over="ignore"):
        first = np.where(happened, hazard / np.expm1(hazard), -hazard)
    return np.asarray(weight * first)
