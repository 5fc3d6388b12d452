"""Several ways to end: the cumulative incidence of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from journeykit.estimators.proportions import Floats, z_value
from journeykit.estimators.risk import end_columns, over_groups
from journeykit.estimators.survival import log_log_interval, survival_terms, with_extra

if TYPE_CHECKING:
    from journeykit.estimators.repeats import Repeats


def aalen_johansen(table: pd.DataFrame, confidence: float = 0.95, *, repeats: Repeats | None = None) -> pd.DataFrame:
    """Estimate the share that has ended in each way, at every time of the table.

    The shares of all ends and of those who have not ended add up to 1, which
    1 − Kaplan–Meier of each end alone does not.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it of named ends; with one unnamed end it is
        called `event`.
    confidence : float
        Coverage of the pointwise interval.
    repeats : Repeats, optional
        The rows of customers who have several, as for `kaplan_meier`.

    Returns
    -------
    DataFrame
        One row per group, end and time, in this order: group columns, `end`,
        `time`, `at_risk`, `events` (of this end), `survival` (ended in no
        way), `incidence` (0 to 1), `incidence_low`, `incidence_high`,
        `incidence_se`.

    Notes
    -----
    Fₖ(t) = Σ S(tᵢ₋₁) dₖᵢ/nᵢ: Aalen & Johansen (1978). Ties are simultaneous.
    The variance is that of Dinse & Larson (1986), eq. 6 (the delta method):

    Σ (Fₖ(t) − Fₖ(tᵢ))² dᵢ/(nᵢ(nᵢ − dᵢ)) + Σ S(tᵢ₋₁)² dₖᵢ(nᵢ − dₖᵢ)/nᵢ³
    − 2 Σ (Fₖ(t) − Fₖ(tᵢ)) S(tᵢ₋₁) dₖᵢ/nᵢ²

    which with one end is Greenwood's. The interval is on the scale
    log(−log(1 − F)), so that with one end it is Kaplan–Meier's too; where F
    is 0, as in `kaplan_meier`.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table([1, 2, 3, 4], ["paid", "cancelled", "paid", None])
    >>> curves = aalen_johansen(table)
    >>> curves.loc[curves["time"] == 4, ["end", "incidence", "survival"]].round(3)
             end  incidence  survival
    4  cancelled       0.25      0.25
    9       paid       0.50      0.25
    """
    z = z_value(confidence)
    named = end_columns(table) or ["events"]
    if repeats is not None:
        extra = {f"extra_{column}": repeats.curve(table, _end_of(column)) for column in named}
        table = table.assign(**extra)

    def estimate(rows: pd.DataFrame) -> pd.DataFrame:
        curves = [_incidence(rows, column, z, confidence) for column in named]
        return pd.concat(curves, ignore_index=True)

    return over_groups(table, estimate)


def _incidence(rows: pd.DataFrame, column: str, z: float, confidence: float) -> pd.DataFrame:
    survival, greenwood = survival_terms(rows)
    n, d = rows["at_risk"].to_numpy(dtype=float), rows[column].to_numpy(dtype=float)
    before = np.append(1.0, survival[:-1])
    share = np.divide(d, n, out=np.zeros_like(n), where=d > 0)
    step = before * share
    incidence = np.cumsum(step)
    se = np.sqrt(_variance(step, before, share, n, greenwood))
    if f"extra_{column}" in rows:
        se = with_extra(se, rows[f"extra_{column}"].to_numpy())
    other = 1 - incidence  # the share that has not ended this way
    low, high = log_log_interval(np.where(other > 1e-12, other, 0.0), se, n, z, confidence)
    plain = rows[["time", "at_risk"]].copy()
    plain.insert(0, "end", _end_of(column) or "event")
    return plain.assign(
        events=rows[column],
        survival=survival,
        incidence=incidence,
        incidence_low=1 - high,
        incidence_high=1 - low,
        incidence_se=se,
    )


def _end_of(column: str) -> str | None:
    """Name the end that a column counts; None if it counts all."""
    return None if column == "events" else column.removeprefix("events_")


def _variance(step: Floats, before: Floats, share: Floats, n: Floats, greenwood: Floats) -> Floats:
    """Dinse and Larson's variance at every time, in one pass.

    With F(t) = Σ step, sums such as Σ (F(t) − F(tᵢ))² gᵢ grow by what each
    step adds; so no two large numbers are subtracted.
    """
    weight = _before(np.cumsum(greenwood))
    lag = np.cumsum(step * weight)
    squares = np.cumsum(2 * step * _before(lag) + step**2 * weight)
    own = np.cumsum(before**2 * np.divide(share * (1 - share), n, out=np.zeros_like(n), where=n > 0))
    cross_term = np.divide(before * share, n, out=np.zeros_like(n), where=n > 0)
    cross = np.cumsum(step * _before(np.cumsum(cross_term)))
    return np.maximum(squares + own - 2 * cross, 0)


def _before(values: Floats) -> Floats:
    return np.append(0.0, values[:-1])
