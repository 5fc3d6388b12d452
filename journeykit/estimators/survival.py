"""Kaplan–Meier and what is read off it: quantiles, restricted means, the chance to stay given that one stayed so far.

All of it is computed from `risk.risk_table`, so it is exact with ties, late
entry and weights, and the same for a log in one piece or in buckets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats, wilson_rate, z_value
from journeykit.estimators.risk import group_columns, over_groups

if TYPE_CHECKING:
    from journeykit.estimators.repeats import Repeats


def kaplan_meier(table: pd.DataFrame, confidence: float = 0.95, *, repeats: Repeats | None = None) -> pd.DataFrame:
    """Estimate the share that has not ended yet, at every time of the table.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it; one curve per group.
    confidence : float
        Coverage of the pointwise interval.
    repeats : Repeats, optional
        The rows of customers who have several: what these have in common is
        added to the variance.

    Returns
    -------
    DataFrame
        The table with `survival` (0 to 1), `survival_low`, `survival_high`,
        `survival_se` (Greenwood's).

    Notes
    -----
    S(t) = Π (1 − d/n): Kaplan & Meier (1958), eq. 2b. Greenwood's variance
    S² Σ d/(n(n − d)). The interval is S^exp(±z √(Σ d/(n(n − d))) / log S),
    on the scale log(−log S): Kalbfleisch & Prentice (1980), eq. 1.15.

    That scale has no interval where S is 1 or 0. Where S is 1 (no event so
    far), the bound is Wilson's for no event among the fewest at risk so far,
    since at least those were watched all along. Where S is 0, S cannot be
    above what it was before, so the upper bound is kept (Wilson's for nobody
    left, if all ended at once). At the first row
    nobody was watched yet, and S is 1 by definition.

    With late entry the first few at risk may all end; S is then 0 for good,
    whoever enters later. `conditional_survival` from a time when enough are
    at risk is the way out.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> curve = kaplan_meier(risk_table([1, 2, 2, 4], [1, 1, 0, 1]))
    >>> curve[["time", "at_risk", "survival", "survival_low", "survival_high"]].round(3)
       time  at_risk  survival  survival_low  survival_high
    0     0        0      1.00         1.000          1.000
    1     1        4      0.75         0.128          0.961
    2     2        3      0.50         0.058          0.845
    3     4        1      0.00         0.000          0.845
    """
    z = z_value(confidence)
    if repeats is None:
        return over_groups(table, lambda rows: curve_of(rows, z, confidence))
    extra = table.assign(extra=repeats.curve(table))
    return over_groups(extra, lambda rows: curve_of(rows, z, confidence))


def curve_at(curve: pd.DataFrame, times: Any, confidence: float | None = None) -> pd.DataFrame:
    """Read a curve at chosen times.

    Parameters
    ----------
    curve : DataFrame
        Of `kaplan_meier`, `nelson_aalen` or `aalen_johansen`.
    times : number or array
        Times asked for.
    confidence : float, optional
        That of the curve, of `kaplan_meier` alone: between two of its times,
        with no event so far, the bound is then Wilson's for those watched
        until the second. Without it the bounds are those of the first, which
        after the start, where nobody was watched yet, say nothing.

    Returns
    -------
    DataFrame
        One row per group (and end) and time: `time`, the estimate, its
        bounds and standard error. NaN after the last time observed, unless
        nobody could be left by then: what was not watched is not known.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> curve = kaplan_meier(risk_table([1, 2, 2, 4], [1, 1, 0, 0]))
    >>> curve_at(curve, [0, 3, 5])["survival"].tolist()
    [1.0, 0.5, nan]
    """
    asked = np.atleast_1d(np.asarray(times, dtype=float))
    name = _curve_name(curve)
    columns = [name, *(f"{name}_{ending}" for ending in ("low", "high", "se"))]
    start = 1.0 if name == "survival" else 0.0

    def read(rows: pd.DataFrame) -> pd.DataFrame:
        time = rows["time"].to_numpy(dtype=float)
        row = np.searchsorted(time, asked, side="right") - 1
        values = rows[columns].to_numpy(dtype=float)[np.maximum(row, 0)]
        if confidence is not None:
            values[:, 1] = _unharmed_between(rows, asked, row, values[:, 1], confidence)
        values[row < 0] = [start, start, start, 0.0]
        survival = rows["survival"].to_numpy(dtype=float) if "survival" in rows else np.ones(len(rows))
        values[asked > _until(rows, survival)] = np.nan
        return pd.DataFrame({"time": np.atleast_1d(times)} | dict(zip(columns, values.T, strict=True)))

    return over_groups(curve, read)


def survival_quantile(curve: pd.DataFrame, share: float = 0.5) -> pd.DataFrame:
    """Find the time by which a share had ended, with its interval.

    Parameters
    ----------
    curve : DataFrame
        Of `kaplan_meier`, or of `aalen_johansen` (the share of all that ended
        in that way).
    share : float
        Above 0 and below 1; 0.5 is the median.

    Returns
    -------
    DataFrame
        One row per group (and end): `share`, `time`, `time_low`, `time_high`;
        NaN where the curve, or its bound, does not get there.

    Notes
    -----
    The first time with S ≤ 1 − share; the bounds are the first times at which
    the lower and the upper limit of the curve get there: Brookmeyer & Crowley
    (1982), on the scale log(−log S).

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> curve = kaplan_meier(risk_table(range(1, 21), [True] * 20))
    >>> survival_quantile(curve, 0.5)
       share  time  time_low  time_high
    0    0.5  10.0       5.0       15.0
    """
    if not 0 < share < 1:
        raise ParameterError(f"share == {share!r}, must be above 0 and below 1")
    name = _curve_name(curve)
    if name == "cumulative_hazard":
        raise ParameterError("a quantile is read off kaplan_meier or aalen_johansen, not off a cumulative hazard")

    def find(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows[rows["events"].cumsum() > 0]  # before any event the bounds say only how few were watched
        time = rows["time"].to_numpy(dtype=float)
        s, low, high = (_left(rows, name, ending) for ending in ("", "_low", "_high"))
        found = [_first(time, values, 1 - share) for values in (s, low, high)]
        return pd.DataFrame([[share, *found]], columns=["share", "time", "time_low", "time_high"])

    return over_groups(curve, find)


def median_time(curve: pd.DataFrame) -> pd.DataFrame:
    """Find the time by which half had ended: `survival_quantile` at 0.5.

    Parameters
    ----------
    curve : DataFrame
        Of `kaplan_meier` or `aalen_johansen`.

    Returns
    -------
    DataFrame
        `share`, `time`, `time_low`, `time_high`; NaN where not reached.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> median_time(kaplan_meier(risk_table([1, 2, 3], [True, False, False])))["time"].tolist()
    [nan]
    """
    return survival_quantile(curve, 0.5)


def restricted_mean(
    table: pd.DataFrame, horizon: float, confidence: float = 0.95, *, repeats: Repeats | None = None
) -> pd.DataFrame:
    """Estimate the mean time until the end, counting no more than the horizon.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it.
    horizon : float
        The most that anybody's time counts, above 0.
    confidence : float
        Coverage of the interval.
    repeats : Repeats, optional
        The rows of customers who have several, as for `kaplan_meier`.

    Returns
    -------
    DataFrame
        One row per group: `horizon`, `mean`, `mean_low`, `mean_high`,
        `mean_se`; NaN where the group was not observed until the horizon.

    Notes
    -----
    The area under the Kaplan–Meier curve up to h, with variance
    Σ A(t)² d/(n(n − d)), A(t) the area from t to h: Klein & Moeschberger
    (2003), eq. 4.5.1–4.5.2. The interval is ± z on the scale of the log odds
    of mean/h, so that it lies within 0 and h; with about 10 ends it covers
    94% to 95% where ± z on the plain scale covers 90% to 93%. Without an end
    (or where all end at once) it is the area under the bounds of the curve.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> restricted_mean(risk_table([1, 2, 3], [True, True, True]), 2).round(3)
       horizon   mean  mean_low  mean_high  mean_se
    0        2  1.667     0.846      1.943    0.272
    """
    z = z_value(confidence)
    if not horizon > 0:
        raise ParameterError(f"horizon == {horizon!r}, must be above 0")

    def mean(rows: pd.DataFrame) -> pd.DataFrame:
        survival, greenwood = survival_terms(rows)
        edges = np.append(np.clip(rows["time"].to_numpy(dtype=float), 0, horizon), horizon)
        areas = survival * np.diff(edges)
        before = edges[0]  # nobody ends before the first time
        from_here = np.cumsum(areas[::-1])[::-1]
        value, se = float(before + areas.sum()), np.sqrt(np.sum(from_here**2 * greenwood))
        if repeats is not None:
            se = with_extra(se, next(extra))
        if horizon > _until(rows, survival):
            value, se = np.nan, np.nan
        share = value / horizon
        if se > 0 and 0 < share < 1:
            odds = share / (1 - share) * np.exp(np.array([-z, z]) * se / horizon / (share * (1 - share)))
            bounds = horizon * odds / (1 + odds)
        else:
            bounds = np.array([np.nan, np.nan]) if np.isnan(value) else _areas_of_bounds(rows, horizon, z, confidence)
        columns = ["horizon", "mean", "mean_low", "mean_high", "mean_se"]
        return pd.DataFrame([[horizon, value, *bounds, float(se)]], columns=columns)

    extra = iter(() if repeats is None else np.diag(repeats.area(table, horizon)))
    return over_groups(table, mean)


def _areas_of_bounds(rows: pd.DataFrame, horizon: float, z: float, confidence: float) -> Floats:
    """Areas under the bounds of the curve up to a horizon, the lower with the bound at the end of each step."""
    curve = curve_of(rows, z, confidence)
    edges = np.append(np.clip(rows["time"].to_numpy(dtype=float), 0, horizon), horizon)
    low, high = (curve[f"survival_{side}"].to_numpy() for side in ("low", "high"))
    steps = np.diff(edges)
    value: Floats = edges[0] + np.array([np.sum(np.append(low[1:], low[-1]) * steps), np.sum(high * steps)])
    return value


def _unharmed_between(
    rows: pd.DataFrame, asked: Floats, row: npt.NDArray[np.intp], low: Floats, confidence: float
) -> Floats:
    """Lower bound between a row without an event so far and the next, at which those at risk were watched all along."""
    time, at_risk = (rows[name].to_numpy(dtype=float) for name in ("time", "at_risk"))
    unharmed = (row >= 0) & (row + 1 < len(rows))
    here, after = np.maximum(row, 0), np.minimum(row + 1, len(rows) - 1)
    unharmed &= (rows["survival"].to_numpy(dtype=float)[here] >= 1) & (asked > time[here]) & (at_risk[after] > 0)
    fewest = fewest_at_risk(at_risk)[after]
    return np.where(unharmed, wilson_rate(1.0, np.maximum(fewest, 1), confidence)[0], low)


def with_extra(se: Floats, extra: Floats) -> Floats:
    """Add to a variance what rows of the same customers have in common; it may be negative, but not all of it."""
    value: Floats = np.sqrt(np.maximum(se**2 + extra, 0.01 * se**2))
    return value


def survival_terms(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Kaplan–Meier of one group, and each time's term of Greenwood's sum (0 where all end: nothing follows)."""
    n, d = rows["at_risk"].to_numpy(dtype=float), rows["events"].to_numpy(dtype=float)
    some = d > 0
    share = np.divide(d, n, out=np.zeros_like(n), where=some)
    term = np.divide(d, n * (n - d), out=np.zeros_like(n), where=some & (n > d))
    return np.cumprod(1 - share), term


def log_log_interval(
    survival: Floats, se: Floats, at_risk: Floats, z: float, confidence: float
) -> tuple[Floats, Floats]:
    """Bounds on the scale log(−log S), with those of `kaplan_meier`'s notes where S is 1 or 0."""
    fewest = fewest_at_risk(at_risk)
    inside = (survival > 0) & (survival < 1)
    s = np.where(inside, survival, 0.5)
    theta = z * se / (s * np.log(s))
    low, high = s ** np.exp(-theta), s ** np.exp(theta)
    unharmed = survival >= 1
    none_yet = np.asarray(wilson_rate(1.0, np.maximum(fewest, 1), confidence)[0])
    low = np.where(unharmed, np.where(fewest > 0, none_yet, 1.0), low)
    high = np.where(unharmed, 1.0, high)
    gone = survival <= 0
    if gone.any():
        first = int(gone.argmax())
        from_one = first == 0 or survival[first - 1] >= 1  # all ended at once
        low[gone] = 0.0
        high[gone] = wilson_rate(0.0, at_risk[first], confidence)[1] if from_one else high[first - 1]
    return low, high


def fewest_at_risk(at_risk: Floats) -> Floats:
    """Smallest number at risk up to each time, from the first time at which anybody was; 0 before."""
    watched = np.maximum.accumulate(at_risk) > 0
    return np.where(watched, np.minimum.accumulate(np.where(watched, at_risk, np.inf)), 0.0)


def curve_of(rows: pd.DataFrame, z: float, confidence: float) -> pd.DataFrame:
    """Estimate the curve of one group."""
    survival, greenwood = survival_terms(rows)
    se = survival * np.sqrt(np.cumsum(greenwood))
    if "extra" in rows:
        se = with_extra(se, rows["extra"].to_numpy())
    low, high = log_log_interval(survival, se, rows["at_risk"].to_numpy(dtype=float), z, confidence)
    plain = rows.drop(columns=[*group_columns(rows), *(["extra"] if "extra" in rows else [])])
    return plain.assign(survival=survival, survival_low=low, survival_high=high, survival_se=se)


def _curve_name(curve: pd.DataFrame) -> str:
    for name in ("incidence", "survival", "cumulative_hazard"):
        if name in curve.columns:
            return name
    raise ParameterError(f"a curve has survival, incidence or cumulative_hazard, this frame has {list(curve.columns)}")


def _left(rows: pd.DataFrame, name: str, ending: str) -> Floats:
    """Share that has not ended, or its bound, from either kind of curve."""
    if name == "survival":
        return rows[f"survival{ending}"].to_numpy(dtype=float)
    opposite = {"": "", "_low": "_high", "_high": "_low"}[ending]
    return 1 - rows[f"incidence{opposite}"].to_numpy(dtype=float)


def _first(time: Floats, values: Floats, limit: float) -> float:
    """First time at which the values are at most the limit; a product of fractions may miss it by rounding."""
    there = values <= limit * (1 + 1e-10)
    return float(time[there.argmax()]) if there.any() else np.nan


def _until(rows: pd.DataFrame, survival: Floats) -> float:
    """Last time at which the curve is known: for good once nobody can be left."""
    return np.inf if survival[-1] <= 0 else float(rows["time"].iloc[-1])
