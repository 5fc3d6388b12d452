"""Are curves different: log-rank and its weighted forms, and differences at a time or up to a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.differences import Against, comparison, holm, newcombe, pairs_of
from journeykit.estimators.proportions import Floats, z_value
from journeykit.estimators.risk import group_columns, groups_of
from journeykit.estimators.survival import curve_at, kaplan_meier, restricted_mean
from journeykit.schema import check_one_of

if TYPE_CHECKING:
    from journeykit.estimators.repeats import Repeats

Weights = Literal["logrank", "gehan", "tarone-ware", "peto", "fleming-harrington"]
WEIGHTS = ("logrank", "gehan", "tarone-ware", "peto", "fleming-harrington")


@dataclass(frozen=True, eq=False)
class LogRank:
    """What a log-rank test found.

    Attributes
    ----------
    statistic : float
        Chi-squared.
    degrees_of_freedom : int
        Groups − 1.
    p_value : float
        Two-sided; NaN where there was nothing to compare.
    groups : DataFrame
        One row a group: its name, `observed` and `expected` (weighted) events.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    groups: pd.DataFrame


def logrank(
    table: pd.DataFrame,
    *,
    group: str | None = None,
    strata: Sequence[str] = (),
    weights: Weights = "logrank",
    rho: float = 0.0,
    gamma: float = 0.0,
    repeats: Repeats | None = None,
) -> LogRank:
    """Test whether groups end at the same rate at every time.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it with two groups or more.
    group : str, optional
        The column that is compared; the only group column that is not among
        the strata, if not given.
    strata : sequence of str
        Group columns within which the comparison is made.
    weights : str
        `"logrank"` (all times alike), `"gehan"` (by the number at risk),
        `"tarone-ware"` (its square root), `"peto"` (by the survival so far),
        `"fleming-harrington"` (S^rho (1 − S)^gamma just before).
    rho, gamma : float
        Powers of Fleming and Harrington's weights, 0 or more.
    repeats : Repeats, optional
        The rows of customers who have several, also in different groups; not
        with strata. The products of what rows of one customer add to the
        score are added to its variance: Lin & Wei (1989).

    Returns
    -------
    LogRank
        Statistic, degrees of freedom, p-value, observed and expected events.

    Notes
    -----
    At each time the events of a group are hypergeometric given all events and
    all at risk; U = Σ w (dⱼ − nⱼ d/n), and the statistic is Uᵀ V⁻¹ U: Mantel
    (1966); Klein & Moeschberger (2003), eq. 7.3.3–7.3.5 and table 7.3. Entry
    counts through the numbers at risk. Peto's S is Π (1 − d/(n + 1)).

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table([3, 5, 7, 2, 1, 2], [1, 1, 0, 1, 1, 1], by=["a", "a", "a", "b", "b", "b"])
    >>> test = logrank(table)
    >>> round(test.statistic, 3), round(test.p_value, 3)
    (4.738, 0.03)
    >>> test.groups.round(2)
      group  observed  expected
    0     a       2.0       3.7
    1     b       3.0       1.3
    """
    check_one_of("weights", weights, WEIGHTS)
    if rho < 0 or gamma < 0:
        raise ParameterError(f"rho and gamma must be 0 or more, got {rho} and {gamma}")
    column = _group_column(table, group, strata)
    names = table[column].drop_duplicates().tolist()
    if len(names) < 2:
        raise ParameterError(f"a log-rank test compares two groups or more, {column!r} has {names}")
    place = {_key(name): i for i, name in enumerate(names)}
    observed, expected, score = (np.zeros(len(names)) for _ in range(3))
    variance = np.zeros((len(names), len(names)))
    for stratum in _strata(table, column, strata):
        _, n, d = aligned(stratum, column, place)
        w = weigh(n.sum(axis=0), d.sum(axis=0), weights, rho, gamma)
        share = n / n.sum(axis=0)
        events, at_risk = d.sum(axis=0), n.sum(axis=0)
        observed += (w * d).sum(axis=1)
        expected += (w * share * events).sum(axis=1)
        score += (w * (d - share * events)).sum(axis=1)
        # Nothing is random where all at risk end, or only one is.
        spread = w**2 * np.divide(events * (at_risk - events), at_risk - 1, out=np.zeros_like(w), where=at_risk > 1)
        variance += np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    if repeats is not None:
        if strata:
            raise ParameterError("customers with several rows are not taken together within strata")
        variance += repeats.score(table, names, weights, rho, gamma)
    statistic, degrees, p_value = score_test(score, variance)
    found = pd.DataFrame({column: names, "observed": observed, "expected": expected})
    return LogRank(statistic, degrees, p_value, found)


def score_test(score: Any, variance: Any) -> tuple[float, int, float]:
    """Test that a score is 0, given its variance (singular as it may be): chi-squared, degrees of freedom, p-value.

    Examples
    --------
    >>> statistic, degrees, p_value = score_test([-2.0, 2.0], [[1.0, -1.0], [-1.0, 1.0]])
    >>> round(statistic, 6), degrees, round(p_value, 3)
    (4.0, 1, 0.046)
    """
    from scipy.special import chdtrc

    u, v = np.atleast_1d(np.asarray(score, dtype=float)), np.atleast_2d(np.asarray(variance, dtype=float))
    degrees = int(np.linalg.matrix_rank(v, tol=1e-9 * max(float(v.max(initial=0.0)), 1e-300), hermitian=True))
    if degrees == 0:
        return float("nan"), 0, float("nan")
    inverse: Floats = np.linalg.pinv(v, rcond=1e-9, hermitian=True)
    statistic = float(u @ inverse @ u)
    return statistic, degrees, float(chdtrc(degrees, statistic))


def pairwise_logrank(
    table: pd.DataFrame,
    *,
    group: str | None = None,
    strata: Sequence[str] = (),
    weights: Weights = "logrank",
    rho: float = 0.0,
    gamma: float = 0.0,
    repeats: Repeats | None = None,
) -> pd.DataFrame:
    """Test every pair of groups, with Holm's correction over the pairs.

    Parameters
    ----------
    table, group, strata, weights, rho, gamma, repeats
        As for `logrank`.

    Returns
    -------
    DataFrame
        One row a pair: `a`, `b`, `statistic`, `p_value`, `p_value_holm`.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table([3, 5, 2, 1, 4, 6], [1] * 6, by=["a", "a", "b", "b", "c", "c"])
    >>> pairwise_logrank(table)[["a", "b"]].values.tolist()
    [['a', 'b'], ['a', 'c'], ['b', 'c']]
    """
    column = _group_column(table, group, strata)
    names = table[column].drop_duplicates().tolist()
    rows = []
    for a, b in combinations(names, 2):
        pair = table[_is(table[column], a) | _is(table[column], b)]
        test = logrank(pair, group=column, strata=strata, weights=weights, rho=rho, gamma=gamma, repeats=repeats)
        rows.append((a, b, test.statistic, test.p_value))
    found = pd.DataFrame(rows, columns=["a", "b", "statistic", "p_value"])
    return found.assign(p_value_holm=holm(found["p_value"]))


def survival_differences(
    table: pd.DataFrame, time: float, *, against: Against = "first", confidence: float = 0.95
) -> pd.DataFrame:
    """Compare the share still there at one time between groups.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it with two groups or more.
    time : float
        Chosen before looking at the curves.
    against : {"first", "pairs"}
        Every group against the first, or all pairs.
    confidence : float
        Coverage of each interval (unadjusted).

    Returns
    -------
    DataFrame
        `a`, `b`, `time`, `difference_rate` (b − a), `difference_rate_low`,
        `difference_rate_high`, `p_value`, `p_value_holm`; NaN where a group
        was not observed until then.

    Notes
    -----
    The interval joins those of the two curves as Newcombe's does (Zou &
    Donner 2008). The test compares log(−log S): Klein, Logan, Harhoff &
    Andersen (2007), eq. 3, who find it the best kept of five; NaN where a
    curve is at 1 or 0.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table([3, 5, 7, 2, 1, 4], [1, 1, 0, 1, 1, 1], by=["a", "a", "a", "b", "b", "b"])
    >>> survival_differences(table, 3)["difference_rate"].round(3).tolist()
    [-0.333]
    """
    from scipy.special import ndtr

    curve = kaplan_meier(table, confidence)
    names = _group_names(table)
    at = curve_at(curve, time, confidence)
    s, low, high, se = (at[f"survival{ending}"].to_numpy() for ending in ("", "_low", "_high", "_se"))
    first, second = pairs_of(len(names), against)
    difference, lower, upper = newcombe((s[second], low[second], high[second]), (s[first], low[first], high[first]))
    inside = np.where((s > 0) & (s < 1), s, np.nan)
    scale, error = np.log(-np.log(inside)), se / (inside * np.log(inside))
    z = (scale[second] - scale[first]) / np.sqrt(error[second] ** 2 + error[first] ** 2)
    found = comparison(names, first, second, difference, lower, upper, 2 * ndtr(-np.abs(z)), unit="_rate")
    found.insert(2, "time", time)
    return found


def restricted_mean_differences(
    table: pd.DataFrame,
    horizon: float,
    *,
    against: Against = "first",
    confidence: float = 0.95,
    repeats: Repeats | None = None,
) -> pd.DataFrame:
    """Compare the mean time until the end, up to a horizon, between groups.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it with two groups or more.
    horizon : float
        The most that anybody's time counts.
    against : {"first", "pairs"}
        Every group against the first, or all pairs.
    confidence : float
        Coverage of each interval (unadjusted).
    repeats : Repeats, optional
        The rows of customers who have several, also in different groups.

    Returns
    -------
    DataFrame
        `a`, `b`, `horizon`, `difference` (b − a, in the table's unit of
        time), `difference_low`, `difference_high`, `p_value`,
        `p_value_holm`; NaN where a group was not observed until then.

    Notes
    -----
    ± z √(V_a + V_b), and the test that goes with it: Royston & Parmar (2013).

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table([3, 5, 7, 2, 1, 4], [1, 1, 0, 1, 1, 1], by=["a", "a", "a", "b", "b", "b"])
    >>> restricted_mean_differences(table, 4)["difference"].round(3).tolist()
    [-1.333]
    """
    from scipy.special import ndtr

    z = z_value(confidence)
    means = restricted_mean(table, horizon, confidence)
    mean, variance = means["mean"].to_numpy(), np.diag(means["mean_se"].to_numpy() ** 2)
    if repeats is not None:
        variance = variance + repeats.area(table, horizon)
    names = _group_names(table)
    first, second = pairs_of(len(names), against)
    spread = variance[first, first] + variance[second, second] - 2 * variance[first, second]
    difference, error = mean[second] - mean[first], np.sqrt(np.maximum(spread, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = np.where(error > 0, 2 * ndtr(-np.abs(difference) / error), np.nan)
    low, high = difference - z * error, difference + z * error
    found = comparison(names, first, second, difference, low, high, p_value)
    found.insert(2, "horizon", horizon)
    return found


def _group_column(table: pd.DataFrame, group: str | None, strata: Sequence[str]) -> str:
    columns = group_columns(table)
    unknown = [name for name in [*strata, *([group] if group else [])] if name not in columns]
    if unknown:
        raise ParameterError(f"group and strata must be among {columns}, got {unknown}")
    free = [name for name in columns if name not in strata]
    if group is None and len(free) != 1:
        raise ParameterError(f"say which column is compared: group must be one of {free}")
    return group or free[0]


def _group_names(table: pd.DataFrame) -> list[Any]:
    names = [tuple(name.iloc[0]) for name, _ in groups_of(table)]
    if len(names) < 2:
        raise ParameterError("a comparison needs two groups or more")
    return [name[0] if len(name) == 1 else name for name in names]


def _strata(table: pd.DataFrame, column: str, strata: Sequence[str]) -> list[pd.DataFrame]:
    """Split the table by stratum; columns that are neither compared nor strata must not remain."""
    other = [name for name in group_columns(table) if name != column and name not in strata]
    if other:
        raise ParameterError(f"{other} are neither compared nor strata: make the risk table without them")
    if not strata:
        return [table]
    return [rows for _, rows in table.groupby(list(strata), observed=True, dropna=False)]


def aligned(rows: pd.DataFrame, column: str, place: dict[Any, int]) -> tuple[Floats, Floats, Floats]:
    """Lay out at risk and events (groups × times) at every time with an event; and these times."""
    times = np.unique(rows.loc[rows["events"] > 0, "time"])
    n, d = np.zeros((len(place), len(times))), np.zeros((len(place), len(times)))
    for name, own in rows.groupby(column, observed=True, dropna=False):
        i, time = place[_key(name)], own["time"].to_numpy()
        n[i] = np.append(own["at_risk"].to_numpy(), 0)[np.searchsorted(time, times)]
        with_events = own["events"].to_numpy() > 0
        d[i, np.searchsorted(times, time[with_events])] = own["events"].to_numpy()[with_events]
    return times, n, d


def weigh(n: Floats, d: Floats, weights: str, rho: float, gamma: float) -> Any:
    """Weigh the times of a log-rank test, given who is at risk and who ends, of all groups."""
    if weights == "gehan":
        return n
    if weights == "tarone-ware":
        return np.sqrt(n)
    if weights == "peto":
        return np.cumprod(1 - d / (n + 1))
    before = np.append(1.0, np.cumprod(1 - d / n))[:-1]
    return before**rho * (1 - before) ** gamma if weights == "fleming-harrington" else np.ones_like(n)


def _key(name: Any) -> Any:
    """Make a missing group's name equal to itself."""
    return "(missing)" if pd.isna(name) else name


def _is(values: pd.Series[Any], name: Any) -> pd.Series[Any]:
    return values.isna() if pd.isna(name) else values == name
