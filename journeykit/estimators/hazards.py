"""How fast people end: the cumulative hazard, per period, and smoothed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats, divide, wilson_rate, z_value
from journeykit.estimators.risk import group_columns, over_groups
from journeykit.estimators.survival import fewest_at_risk


def nelson_aalen(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Estimate the cumulative hazard at every time of the table.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it.
    confidence : float
        Coverage of the pointwise interval.

    Returns
    -------
    DataFrame
        The table with `cumulative_hazard`, `cumulative_hazard_low`,
        `cumulative_hazard_high`, `cumulative_hazard_se`.

    Notes
    -----
    H(t) = Σ d/n with variance Σ d/n²: Aalen (1978); ties are simultaneous.
    The interval is H · exp(±z σ/H): Klein & Moeschberger (2003), eq. 4.3.5.
    Before the first event its upper bound is that of Kaplan–Meier's, −log S.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> curve = nelson_aalen(risk_table([1, 2, 2, 4], [1, 1, 0, 1]))
    >>> curve["cumulative_hazard"].round(4).tolist()
    [0.0, 0.25, 0.5833, 1.5833]
    """
    z = z_value(confidence)

    def accumulate(rows: pd.DataFrame) -> pd.DataFrame:
        steps, variances = _steps(rows)
        total, se = np.cumsum(steps), np.sqrt(np.cumsum(variances))
        some = total > 0
        factor = np.exp(z * se / np.where(some, total, 1))
        fewest = fewest_at_risk(rows["at_risk"].to_numpy(dtype=float))
        none_yet = -np.log(wilson_rate(1.0, np.maximum(fewest, 1), confidence)[0])
        low = np.where(some, total / factor, 0.0)
        high = np.where(some, total * factor, np.where(fewest > 0, none_yet, 0.0))
        columns = {"": total, "_low": low, "_high": high, "_se": se}
        plain = rows.drop(columns=group_columns(rows))
        return plain.assign(**{f"cumulative_hazard{ending}": values for ending, values in columns.items()})

    return over_groups(table, accumulate)


def period_hazard(table: pd.DataFrame, edges: Any, confidence: float = 0.95) -> pd.DataFrame:
    """Estimate the rate of ending in each period: events by time at risk.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it.
    edges : array
        Where periods begin and end, rising: `[0, 30, 60]` makes (0, 30] and
        (30, 60].
    confidence : float
        Coverage of the interval.

    Returns
    -------
    DataFrame
        One row per group and period: `period_start`, `period_end`, `events`,
        `person_time`, `hazard` (events per unit of time), `hazard_low`,
        `hazard_high`; NaN where nobody was at risk.

    Notes
    -----
    The events are Poisson given the time at risk, whose exact interval is
    Garwood's (1936): ½ χ²(α/2; 2d) to ½ χ²(1 − α/2; 2d + 2).

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> rates = period_hazard(risk_table([1, 3, 4], [True, True, False]), [0, 2, 4])
    >>> rates[["period_end", "person_time", "hazard", "hazard_low", "hazard_high"]].round(3)
       period_end  person_time  hazard  hazard_low  hazard_high
    0           2          5.0   0.200       0.005        1.114
    1           4          3.0   0.333       0.008        1.857
    """
    from scipy.special import gammaincinv

    alpha = 1 - confidence if z_value(confidence) else 0.0
    limits = np.asarray(edges)
    if limits.ndim != 1 or len(limits) < 2 or (np.diff(limits) <= 0).any():
        raise ParameterError(f"edges must be at least two rising times, got {edges!r}")

    def rates(rows: pd.DataFrame) -> pd.DataFrame:
        time = rows["time"].to_numpy(dtype=float)
        # At risk is constant between the table's times, so time at risk is piecewise linear.
        spent = np.append(0, np.cumsum(rows["at_risk"].to_numpy(dtype=float)[1:] * np.diff(time)))
        person_time = np.diff(np.interp(limits, time, spent))
        before = np.append(0, np.cumsum(rows["events"].to_numpy()))
        events = np.diff(before[np.searchsorted(time, limits, side="right")])
        low = np.where(events > 0, gammaincinv(np.maximum(events, 1e-9), alpha / 2), 0.0)
        high = gammaincinv(events + 1, 1 - alpha / 2)
        return pd.DataFrame(
            {
                "period_start": limits[:-1],
                "period_end": limits[1:],
                "events": events,
                "person_time": person_time,
                "hazard": divide(events, person_time),
                "hazard_low": divide(low, person_time),
                "hazard_high": divide(high, person_time),
            }
        )

    return over_groups(table, rates)


def smoothed_hazard(
    table: pd.DataFrame, bandwidth: float | None = None, times: Any = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Estimate the hazard as a smooth curve.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it.
    bandwidth : float, optional
        Half the width of the window that is averaged over. If not given:
        the follow-up / (8 · events^0.2), at least two steps of the table.
    times : array, optional
        Where to estimate; 101 times over the follow-up if not given.
    confidence : float
        Coverage of the pointwise interval.

    Returns
    -------
    DataFrame
        One row per group and time: `time`, `hazard`, `hazard_low`,
        `hazard_high`; NaN outside the follow-up and where no event is near.

    Notes
    -----
    (1/b) Σ K((t − tᵢ)/b) dᵢ/nᵢ with Epanechnikov's kernel, and variance
    (1/b²) Σ K² dᵢ/nᵢ²: Ramlau-Hansen (1983). Within b of either edge K is
    the boundary kernel of Gasser & Müller (1979), as in Klein & Moeschberger
    (2003), eq. 6.2.5–6.2.6, so that the curve does not sink there. The
    default bandwidth is the pilot one of Müller & Wang (1994). Events stand
    half of the table's smallest step before their time (a day's events in the
    middle of the day). The interval is
    ĥ · exp(±z σ/ĥ), of the smoothed hazard: smoothing bias is not in it.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table(range(1, 101), [True] * 100)
    >>> smoothed_hazard(table, bandwidth=10, times=[20, 50]).round(4)
       time  hazard  hazard_low  hazard_high
    0    20  0.0125      0.0077       0.0202
    1    50  0.0200      0.0124       0.0323
    """
    z = z_value(confidence)
    if bandwidth is not None and not bandwidth > 0:
        raise ParameterError(f"bandwidth == {bandwidth!r}, must be above 0")

    def smooth(rows: pd.DataFrame) -> pd.DataFrame:
        steps, variances = _steps(rows)
        time = rows["time"].to_numpy(dtype=float)
        asked = np.linspace(time[0], time[-1], 101) if times is None else np.atleast_1d(np.asarray(times))
        b = _bandwidth(time, float(rows["events"].sum())) if bandwidth is None else bandwidth
        some = steps > 0
        # A day's events happened during it: they stand in its middle.
        grain = float(np.diff(time).min()) if len(time) > 1 else 0.0
        kernel = _kernel(asked, time[some] - grain / 2, b, time[0], time[-1])
        hazard = np.maximum(kernel @ steps[some] / b, 0)  # the boundary kernel may dip below 0
        se = np.sqrt(kernel**2 @ variances[some]) / b
        hazard = np.where((hazard > 0) & (asked >= time[0]) & (asked <= time[-1]), hazard, np.nan)
        factor = np.exp(z * se / hazard)
        return pd.DataFrame(
            {"time": asked, "hazard": hazard, "hazard_low": hazard / factor, "hazard_high": hazard * factor}
        )

    return over_groups(table, smooth)


def _steps(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Jumps of the cumulative hazard, d/n, and of its variance, d/n²."""
    n, d = rows["at_risk"].to_numpy(dtype=float), rows["events"].to_numpy(dtype=float)
    steps = np.divide(d, n, out=np.zeros_like(n), where=d > 0)
    return steps, np.divide(steps, n, out=np.zeros_like(n), where=d > 0)


def _bandwidth(time: Floats, events: float) -> float:
    step = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    pilot = float(time[-1] - time[0]) / (8 * math.pow(max(events, 1.0), 0.2))
    return max(pilot, 2 * step)


def _kernel(at: Any, events: Floats, b: float, first: float, last: float) -> Floats:
    """Weigh each event (column) at each time (row)."""
    x = (np.asarray(at, dtype=float)[:, None] - events) / b
    reach_left = np.clip((np.asarray(at, dtype=float) - first) / b, 0, 1)[:, None]
    reach_right = np.clip((last - np.asarray(at, dtype=float)) / b, 0, 1)[:, None]
    # On the right edge the same kernel, mirrored.
    mirrored = reach_right < reach_left
    return boundary_kernel(np.where(mirrored, -x, x), np.where(mirrored, reach_right, reach_left))


def boundary_kernel(x: Floats, q: Floats) -> Floats:
    """Epanechnikov's kernel, reshaped where only the share q of its half lies inside the follow-up.

    Over −1 to q it has area 1 and first moment 0; with q = 1 it is
    ¾(1 − x²).

    Examples
    --------
    >>> float(boundary_kernel(np.array(0.0), np.array(1.0)))
    0.75
    """
    common = (1 + q) ** 4 * (19 - 18 * q + 3 * q**2)
    alpha = 64 * (2 - 4 * q + 6 * q**2 - 3 * q**3) / common
    beta = 240 * (1 - q) ** 2 / common
    return np.where((x >= -1) & (x <= q), 0.75 * (1 - x**2) * (alpha + beta * x), 0.0)
