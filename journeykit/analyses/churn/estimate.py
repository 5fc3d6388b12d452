"""From counts of spans to curves, medians, comparisons: everything estimated, nothing measured here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.hazards import nelson_aalen
from journeykit.estimators.logrank import logrank, pairwise_logrank, restricted_mean_differences
from journeykit.estimators.risk import number_at_risk, risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier, median_time, restricted_mean

HORIZONS = (7, 14, 30, 60, 90, 180, 365, 730, 1095)
WATCHED = 25
"""Customers that each group must have at risk at a horizon that we choose."""

_RISK = ["at_risk", "events", "censored", "entered"]


@dataclass(frozen=True)
class Counts:
    """Spans of equal kind with their number, and of those who ended the waits until they came back.

    Attributes
    ----------
    spans : DataFrame
        `limit`, `group` (categorical), `enters_days`, `duration_days`, `end` (categorical), `customers`.
    back : DataFrame or None
        `limit`, `group`, `duration_days`, `event`, `customers`.
    old : Series
        Group → customers whose clock may start too late.
    groups, ends : list
        Names, in order.
    limit : int
        The silence that the result is about; 0 for other rules.
    others : Counts, optional
        The same with other silences, if they are not among the spans.
    """

    spans: pd.DataFrame
    back: pd.DataFrame | None
    old: Any
    groups: list[str]
    ends: list[str]
    limit: int
    others: Counts | None = None

    def with_limit(self, limit: int) -> Counts:
        """Keep what was counted with one silence."""
        back = None if self.back is None else self.back[self.back["limit"] == limit]
        return Counts(self.spans[self.spans["limit"] == limit], back, self.old, self.groups, self.ends, limit)

    def risk(self) -> pd.DataFrame:
        """Make the risk table of each group."""
        spans = self.spans
        event = spans["end"] if len(self.ends) > 1 else spans["end"].notna()
        table = risk_table(
            spans["duration_days"], event, enters=spans["enters_days"], weight=spans["customers"], by=spans["group"]
        )
        return table.astype({"group": str})

    def back_risk(self) -> pd.DataFrame | None:
        """Make the risk table of the time from the end until coming back; None if nobody ended."""
        if self.back is None or self.back.empty:
            return None
        rows = self.back
        return risk_table(
            rows["duration_days"].astype(np.int64), rows["event"], enters=-1, weight=rows["customers"], by=rows["group"]
        ).astype({"group": str})


@dataclass(frozen=True)
class Estimates:
    """What a survival curve is made of; see `SurvivalCurve`."""

    table: pd.DataFrame
    summary: pd.DataFrame
    horizon: float
    risk: pd.DataFrame
    comparison: pd.DataFrame = field(default_factory=pd.DataFrame)
    overall_test: pd.DataFrame = field(default_factory=pd.DataFrame)
    incidence: pd.DataFrame = field(default_factory=pd.DataFrame)
    comeback: pd.DataFrame = field(default_factory=pd.DataFrame)
    sensitivity: pd.DataFrame = field(default_factory=pd.DataFrame)


def estimate(counts: Counts, horizon: float | None, confidence: float) -> Estimates:
    """Estimate everything that a survival curve shows."""
    main = counts.with_limit(counts.limit)
    risk = main.risk()
    at = _horizon(risk, counts.limit) if horizon is None else horizon
    curve = kaplan_meier(risk, confidence)
    hazard = nelson_aalen(risk, confidence)
    bounds = ["survival", "survival_low", "survival_high"]
    steps = ["cumulative_hazard", "cumulative_hazard_low", "cumulative_hazard_high"]
    table = pd.concat([curve[["group", "time", *_RISK, *bounds]], hazard[steps]], axis=1)
    back = main.back_risk()
    several = len(risk["group"].unique()) > 1
    others = counts if counts.others is None else counts.others
    return Estimates(
        table=table.rename(columns={"time": "time_days"}),
        summary=_summary(main, risk, back, at, confidence, again=counts.limit or at),
        horizon=at,
        risk=risk,
        comparison=_comparison(risk, at, confidence) if several else pd.DataFrame(),
        overall_test=_overall_test(risk) if several else pd.DataFrame(),
        incidence=_incidence(risk, confidence) if len(counts.ends) > 1 else pd.DataFrame(),
        comeback=_comeback(back, confidence),
        sensitivity=_sensitivity(others, at, confidence, again=counts.limit),
    )


def _horizon(risk: pd.DataFrame, limit: int) -> float:
    """Choose the longest familiar age at which every group is still well watched."""
    for age in reversed(HORIZONS):
        if age > limit and number_at_risk(risk, [age])["at_risk"].min() >= WATCHED:
            return age
    shortest: float = risk.groupby("group", sort=False)["time"].max().min()
    return max(shortest, 1)


def _summary(
    counts: Counts, risk: pd.DataFrame, back: pd.DataFrame | None, at: float, confidence: float, *, again: float
) -> pd.DataFrame:
    curve = kaplan_meier(risk, confidence)
    rows = risk.groupby("group", sort=False)
    summary = rows[["entered", "events", "censored"]].sum().rename(columns={"entered": "customers"})
    summary["followed_days"] = rows["time"].max()
    median = median_time(curve).set_index("group")
    for ending in ("", "_low", "_high"):
        summary[f"median_days{ending}"] = median[f"time{ending}"]
    summary["horizon_days"] = at
    survival = curve_at(curve, at).set_index("group")
    mean = restricted_mean(risk, at, confidence).set_index("group")
    for ending in ("", "_low", "_high"):
        summary[f"survival{ending}"] = survival[f"survival{ending}"]
    for ending in ("", "_low", "_high"):
        summary[f"mean_days{ending}"] = mean[f"mean{ending}"]
    summary["comeback_days"] = again
    came = _came_back(back, again, confidence)
    for column in came:
        summary[column] = came[column].reindex(summary.index)
    summary["seen_at_start"] = counts.old.reindex(summary.index).fillna(0).astype(np.int64)
    return summary.reset_index()


def _came_back(back: pd.DataFrame | None, within: float, confidence: float) -> pd.DataFrame:
    """Share of each group's ended who came back within a time."""
    columns = ["comeback_rate", "comeback_rate_low", "comeback_rate_high"]
    if back is None:
        return pd.DataFrame(columns=columns, dtype=float)
    at = curve_at(kaplan_meier(back, confidence), within).set_index("group")
    found = 1 - at[["survival", "survival_high", "survival_low"]] + 0.0
    return found.set_axis(columns, axis=1)


def _comparison(risk: pd.DataFrame, at: float, confidence: float) -> pd.DataFrame:
    means = restricted_mean_differences(_without_ends(risk), at, against="pairs", confidence=confidence)
    tests = pairwise_logrank(_without_ends(risk))
    names = {"difference": "difference_days", "difference_low": "difference_days_low"}
    names |= {"difference_high": "difference_days_high", "horizon": "horizon_days"}
    found = means.rename(columns=names)
    tests = tests.rename(
        columns={"statistic": "logrank"} | {name: f"logrank_{name}" for name in ("p_value", "p_value_holm")}
    )
    return found.merge(tests, on=["a", "b"], how="left")


def _overall_test(risk: pd.DataFrame) -> pd.DataFrame:
    test = logrank(_without_ends(risk))
    row = {"statistic": test.statistic, "degrees_of_freedom": test.degrees_of_freedom, "p_value": test.p_value}
    return pd.DataFrame([row])


def _without_ends(risk: pd.DataFrame) -> pd.DataFrame:
    """Leave out which end it was: groups are compared on the time to any."""
    return risk.drop(columns=[name for name in risk if str(name).startswith("events_")])


def _incidence(risk: pd.DataFrame, confidence: float) -> pd.DataFrame:
    found = aalen_johansen(risk, confidence).rename(columns={"time": "time_days"})
    return found.drop(columns=["survival", "incidence_se"])


def _comeback(back: pd.DataFrame | None, confidence: float) -> pd.DataFrame:
    if back is None:
        return pd.DataFrame()
    curve = kaplan_meier(back, confidence)
    curve = curve[curve["time"] >= 0]  # the row at -1 says only that everybody entered
    rates = {
        "comeback_rate": 1 - curve["survival"],
        "comeback_rate_low": 1 - curve["survival_high"],
        "comeback_rate_high": 1 - curve["survival_low"],
    }
    columns = ["group", "time", "at_risk", "events", "censored"]
    return curve[columns].assign(**rates).rename(columns={"time": "time_days"}).reset_index(drop=True)


def _sensitivity(counts: Counts, at: float, confidence: float, *, again: float) -> pd.DataFrame:
    limits = sorted(counts.spans["limit"].unique())
    if len(limits) < 2:
        return pd.DataFrame()
    parts = []
    for limit in limits:
        one = counts.with_limit(limit)
        summary = _summary(one, one.risk(), one.back_risk(), at, confidence, again=again)
        summary.insert(0, "limit_days", limit)
        parts.append(summary)
    wanted = ["limit_days", "group", "customers", "events", "median_days", "survival", "comeback_rate"]
    bounds = {f"{name}_{side}" for name in wanted for side in ("low", "high")}
    found = pd.concat(parts, ignore_index=True)
    return found[[name for name in found if name in {*wanted, *bounds}]]
