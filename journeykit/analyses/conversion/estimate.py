"""From counts to the tables of a conversion curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.counts import (
    CURVE,
    OVERALL,
    PAIR,
    VALUE,
    Request,
    count_entries,
    key_of,
    sum_clusters,
)
from journeykit.analyses.conversion.curves import SIDES, Curve, make_curve, pooled_table, tables
from journeykit.analyses.conversion.entries import CONVERTED
from journeykit.analyses.conversion.grid import choose_horizon, choose_times, ticks
from journeykit.analyses.conversion.plan import Plan
from journeykit.estimators.clustered_tests import logrank_scores
from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.differences import holm, newcombe, pairs_of
from journeykit.estimators.influence import incidence_influence, independent_variance
from journeykit.estimators.logrank import logrank, score_test
from journeykit.estimators.proportions import divide, z_value
from journeykit.schema import SECOND

RATE, AREA = 0, 1
"""Values that are read off each curve: the share at the horizon, and the area under it until then."""

MOST_PAIRED = 20
"""With more groups than this, each is compared with the first alone: pairs would be thousands."""


@dataclass(frozen=True)
class Estimates:
    """What a conversion curve is made of; see `ConversionCurve`."""

    table: pd.DataFrame
    summary: pd.DataFrame
    comparison: pd.DataFrame
    overall_test: pd.DataFrame
    incidence: pd.DataFrame
    horizon: float
    entered: int
    watched: pd.DataFrame


def estimate(log: Any, plan: Plan, times: Any) -> Estimates:
    """Count, and estimate everything that a conversion curve shows; count again where customers have several clocks."""
    key = key_of(log, plan)
    counts = key.unpack(log.tally(count_entries, plan=plan))
    people = counts[counts["kind"] == key.people]
    entered = int(people.loc[people["duration"] == 1, "n"].sum())
    by_group = people[people["duration"] == 0].groupby("group")["n"].sum()
    risk = tables(counts, plan)
    horizon = float(plan.within) if plan.within is not None else choose_horizon(list(risk.values()))
    tests = pooled_table(counts, plan, key.shadow) if risk else pd.DataFrame()
    sums = _cluster_sums(log, plan, risk, tests, horizon) if plan.clustered and risk else None
    curves = {}
    for group, rows in risk.items():
        independent = aalen_johansen(rows, plan.confidence) if sums is None else None
        for end in range(CONVERTED, CONVERTED + len(plan.ends)):
            changes = None if sums is None else _changes(sums, group, end)
            curves[group, end] = make_curve(group, end, rows, plan.confidence, independent=independent, changes=changes)
    main = {group: curves[group, CONVERTED] for group in risk}
    read_at = choose_times(list(main.values()), horizon, plan.within) if times is None else times
    several = len(main) > 1
    return Estimates(
        table=_labelled([_reading(curve, read_at) for curve in main.values()], main, plan),
        summary=_labelled(
            [_summary(curve, plan, horizon, int(by_group.get(group, 0)), sums) for group, curve in main.items()],
            main,
            plan,
        ),
        comparison=_comparison(main, plan, horizon, tests, sums) if several else pd.DataFrame(),
        overall_test=_overall(main, plan, tests, sums) if several else pd.DataFrame(),
        incidence=_incidence(curves, plan, read_at),
        horizon=horizon,
        entered=entered,
        watched=_labelled([_watched(curve, ticks(list(main.values()))) for curve in main.values()], main, plan),
    )


def _cluster_sums(log: Any, plan: Plan, risk: dict[int, pd.DataFrame], tests: pd.DataFrame, horizon: float) -> Any:
    """Sum within customers what their clocks add to every curve, value and test."""
    groups = tuple(risk)
    curves = {
        (group, end): incidence_influence(rows, f"events_{end}")
        for group, rows in risk.items()
        for end in range(CONVERTED, CONVERTED + len(plan.ends))
    }
    values = [{group: getattr(curves[group, CONVERTED], how)(horizon) for group in groups} for how in ("at", "area")]
    pairs = {(a, b): logrank_scores(tests[tests["group"].isin((a, b))], [a, b]) for a, b in _pairs(groups)}
    overall = logrank_scores(tests, list(groups)) if len(groups) > 1 else None
    return log.tally(sum_clusters, plan=plan, request=Request(curves, values, groups, overall, pairs)).sort_index()


def _changes(sums: pd.DataFrame, group: int, end: int) -> pd.DataFrame:
    return pd.DataFrame(sums.xs((CURVE, group, end)))


def _product(sums: pd.DataFrame, what: int, a: int, b: int, number: int = 0) -> float:
    return float(sums["mm"].get((what, a, b, number), 0.0))


def _covariance(curve: Curve, other: Curve, value: int, horizon: float, sums: Any) -> float:
    """Variance of a value read off a curve, or its covariance with another group's."""
    if sums is None:
        if curve is not other:
            return 0.0
        how = curve.influence.at if value == RATE else curve.influence.area
        return independent_variance(curve.rows, curve.column, how(horizon))
    c = min(curve.watched.max(), other.watched.max())
    return _product(sums, VALUE, curve.group, other.group, value) * float(divide(c, c - 1))


def _reading(curve: Curve, times: Any) -> pd.DataFrame:
    read = curve.read(times)
    frame = pd.DataFrame({"time_seconds": read["time"] / SECOND, "at_risk": read["at_risk"]})
    for name, column in (("events", curve.column), ("censored", "censored")):
        frame[name] = np.diff(curve.passed(times, column), prepend=0)
    if curve.end == CONVERTED and len([name for name in curve.rows if str(name).startswith("events_")]) > 1:
        others = curve.passed(times, "events") - curve.passed(times, curve.column)
        frame.insert(3, "ended_otherwise", np.diff(others, prepend=0))
    for side in SIDES:
        frame[f"converted_rate{side}"] = read[f"rate{side}"]
    return frame


def _watched(curve: Curve, times: Any) -> pd.DataFrame:
    return pd.DataFrame({"time_seconds": times / SECOND, "at_risk": curve.read(times)["at_risk"]})


def _incidence(curves: dict[tuple[int, int], Curve], plan: Plan, times: Any) -> pd.DataFrame:
    if not plan.others:
        return pd.DataFrame()
    parts = []
    for (group, end), curve in curves.items():
        frame = _reading(curve, times).drop(columns=["censored", "ended_otherwise"], errors="ignore")
        frame.columns = pd.Index([str(name).replace("converted_rate", "incidence") for name in frame])
        frame.insert(0, "end", plan.ends[end - CONVERTED])
        if plan.by is not None:
            frame.insert(0, "segment", plan.labels[group])
        parts.append(frame)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _labelled(frames: list[pd.DataFrame], main: dict[int, Curve], plan: Plan) -> pd.DataFrame:
    if plan.by is not None:
        for frame, group in zip(frames, main, strict=True):
            frame.insert(0, "segment", plan.labels[group])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _summary(curve: Curve, plan: Plan, horizon: float, customers: int, sums: Any) -> pd.DataFrame:
    rows = curve.rows
    last = rows["time"].to_numpy() == plan.within
    whole = int(rows.loc[last, "censored"].sum())
    row: dict[str, Any] = {"customers": customers}
    if plan.count == "attempts":
        row["entries"] = int(rows["entered"].sum())
    row["converted"] = int(rows[curve.column].sum())
    if plan.others:
        row["ended_otherwise"] = int(rows["events"].sum()) - row["converted"]
    row["unconverted"], row["censored"] = whole, int(rows["censored"].sum()) - whole
    row["followed_seconds"] = float(rows["time"].iloc[-1]) / SECOND
    row["horizon_seconds"] = horizon / SECOND
    at = curve.read([horizon])
    for side in SIDES:
        row[f"conversion_rate{side}"] = float(at[f"rate{side}"].iloc[0])
    for name, share in (("median", 0.5), ("p90", 0.9)):
        for side, time in zip(SIDES, curve.quantile(share), strict=True):
            row[f"{name}_seconds{side}"] = time / SECOND
    for side, value in zip(SIDES, _mean(curve, horizon, sums), strict=True):
        row[f"mean_seconds{side}"] = value / SECOND
    return pd.DataFrame([row])


def _mean(curve: Curve, horizon: float, sums: Any) -> list[float]:
    """Mean time without having converted, counting no more than the horizon, with its interval."""
    if horizon > curve.until:
        return [np.nan] * 3
    edges = np.append(np.clip(curve.influence.time, 0, horizon), horizon)
    mean = horizon - float((curve.share * np.diff(edges)).sum())
    half = z_value(curve.confidence) * np.sqrt(_covariance(curve, curve, AREA, horizon, sums))
    return [mean, *np.clip([mean - half, mean + half], 0, horizon).tolist()]


def _comparison(main: dict[int, Curve], plan: Plan, horizon: float, tests: pd.DataFrame, sums: Any) -> pd.DataFrame:
    """Compare groups: the shares at the horizon, and the whole curves."""
    from scipy.special import ndtr

    groups = list(main)
    pairs = _pairs(groups)
    first, second = ([groups.index(pair[side]) for pair in pairs] for side in (0, 1))
    at = pd.concat([main[group].read([horizon]) for group in groups], ignore_index=True)
    share, low, high, se = (at[f"rate{name}"].to_numpy(dtype=float) for name in (*SIDES, "_se"))
    if sums is None:
        difference, lower, upper = newcombe(
            (share[second], low[second], high[second]), (share[first], low[first], high[first])
        )
        # On the scale log(−log(1 − F)): Klein, Logan, Harhoff & Andersen (2007), eq. 3.
        left = np.where((share > 0) & (share < 1), 1 - share, np.nan)
        scale, error = np.log(-np.log(left)), se / (left * np.log(left))
        z = (scale[second] - scale[first]) / np.hypot(error[second], error[first])
    else:
        difference = share[second] - share[first]
        variance = np.array(
            [
                _covariance(main[b], main[b], RATE, horizon, sums)
                + _covariance(main[a], main[a], RATE, horizon, sums)
                - 2 * _covariance(main[a], main[b], RATE, horizon, sums)
                for a, b in pairs
            ]
        )
        spread = np.sqrt(np.where(variance > 0, variance, np.nan))
        z = difference / spread
        half = z_value(plan.confidence) * spread
        lower, upper = difference - half, difference + half
    p_value = 2 * ndtr(-np.abs(z))
    names = [plan.labels[group] for group in groups]
    found = pd.DataFrame(
        {
            "a": [names[i] for i in first],
            "b": [names[i] for i in second],
            "horizon_seconds": horizon / SECOND,
            "difference_rate": difference,
            "difference_rate_low": lower,
            "difference_rate_high": upper,
            "p_value": p_value,
            "p_value_holm": holm(p_value),
        }
    )
    statistic, p_test = _pair_tests(groups, tests, sums)
    return found.assign(
        test=name_of_test(plan), statistic=statistic, test_p_value=p_test, test_p_value_holm=holm(p_test)
    )


def name_of_test(plan: Plan) -> str:
    """Name the test of whole curves: log-rank, or Gray's where other ends compete; robust where customers repeat."""
    name = "gray" if plan.others else "logrank"
    return f"{name}_robust" if plan.clustered else name


def _pairs(groups: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs that are compared: all, or each with the first where groups are many."""
    first, second = pairs_of(len(groups), "pairs" if len(groups) <= MOST_PAIRED else "first")
    return [(groups[i], groups[j]) for i, j in zip(first, second, strict=True)]


def _pair_tests(groups: list[int], tests: pd.DataFrame, sums: Any) -> tuple[Any, Any]:
    statistics, p_values = [], []
    for a, b in _pairs(groups):
        pair = tests[tests["group"].isin((a, b))]
        if sums is None:
            test = logrank(pair)
            statistic, p_value = test.statistic, test.p_value
        else:
            score = logrank_scores(pair, [a, b]).score
            statistic, _, p_value = score_test(score[:1], [[_product(sums, PAIR, a, b)]])
        statistics.append(statistic)
        p_values.append(p_value)
    return np.array(statistics), np.array(p_values)


def _overall(main: dict[int, Curve], plan: Plan, tests: pd.DataFrame, sums: Any) -> pd.DataFrame:
    groups = list(main)
    if sums is None:
        test = logrank(tests)
        statistic, degrees, p_value = test.statistic, test.degrees_of_freedom, test.p_value
    else:
        variance = [[_product(sums, OVERALL, a, b) for b in groups] for a in groups]
        statistic, degrees, p_value = score_test(logrank_scores(tests, list(groups)).score, variance)
    row = {"test": name_of_test(plan), "statistic": statistic, "degrees_of_freedom": degrees, "p_value": p_value}
    return pd.DataFrame([row])
