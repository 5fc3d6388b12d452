"""From counts of spans to curves, medians, comparisons: everything estimated, nothing measured here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.hazards import nelson_aalen
from journeykit.estimators.logrank import logrank, pairwise_logrank, restricted_mean_differences
from journeykit.estimators.repeats import Repeats
from journeykit.estimators.risk import number_at_risk, risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier, median_time, restricted_mean

HORIZONS = {"days": (7, 14, 30, 60, 90, 180, 365, 730, 1095), "terms": (1, 2, 3, 6, 12, 24, 36)}
WATCHED = 25
"""Customers that each group must have at risk at a horizon that we choose."""

SIDES = ("", "_low", "_high")
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
    repeats : DataFrame, optional
        The spans of customers who have several: `customer`, `group`,
        `enters_days`, `duration_days`, `end`, `back_wait`, `came_back`.
    unit : str
        What ages are counted in.
    back_within : float, optional
        Days within which coming back is looked for; as long as the silence,
        or up to the horizon, if not given.
    """

    spans: pd.DataFrame
    back: pd.DataFrame | None
    old: Any
    groups: list[str]
    ends: list[str]
    limit: int
    repeats: pd.DataFrame | None = None
    unit: str = "days"
    back_within: float | None = None

    def repeated(self) -> Repeats | None:
        """Say what rows of the same customers there are; None if every customer has one."""
        if self.repeats is None or self.repeats.empty:
            return None
        rows = self.repeats
        end = rows["end"].astype(object)
        named = end if len(self.ends) > 1 else end.where(end.isna(), "event")
        spans = {"enters": rows["enters_days"], "duration": rows["duration_days"], "end": named}
        return Repeats(pd.DataFrame({"cluster": rows["customer"], "group": rows["group"].astype(str), **spans}))

    def repeated_waits(self) -> Repeats | None:
        """Say the same of the time from the end until coming back."""
        if self.repeats is None or self.back is None:
            return None
        rows = self.repeats[self.repeats["end"].notna()]
        rows = rows[rows["customer"].duplicated(keep=False)]
        if rows.empty:
            return None
        back = pd.Series("event", rows.index, dtype=object).where(rows["came_back"].astype(bool))
        waits = {"enters": -1, "duration": rows["back_wait"], "end": back}
        return Repeats(pd.DataFrame({"cluster": rows["customer"], "group": rows["group"].astype(str), **waits}))

    def risk(self, *by: str) -> pd.DataFrame:
        """Make the risk table of each group."""
        spans = self.spans
        event = spans["end"] if len(self.ends) > 1 else spans["end"].notna()
        keys = spans[[*by, "group"]]
        table = risk_table(
            spans["duration_days"], event, enters=spans["enters_days"], weight=spans["customers"], by=keys
        )
        return table.astype({"group": str})

    def back_risk(self, *by: str) -> pd.DataFrame | None:
        """Make the risk table of the time from the end until coming back; None if nobody ended."""
        if self.back is None or self.back.empty:
            return None
        rows = self.back
        waits = rows["duration_days"].astype(np.int64)
        table = risk_table(waits, rows["event"], enters=-1, weight=rows["customers"], by=rows[[*by, "group"]])
        return table.astype({"group": str})


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


def estimate(counts: Counts, horizon: float | None, confidence: float) -> Estimates:
    """Estimate everything that a survival curve shows."""
    risk, repeats = counts.risk(), counts.repeated()
    at = _horizon(risk, counts) if horizon is None else horizon
    curve, hazard = kaplan_meier(risk, confidence, repeats=repeats), nelson_aalen(risk, confidence)
    back = _came_back_curve(counts.back_risk(), confidence, counts.repeated_waits())
    several = len(risk["group"].unique()) > 1
    bounds = [f"survival{side}" for side in SIDES]
    steps = [f"cumulative_hazard{side}" for side in SIDES]
    table = pd.concat([curve[["group", "time", *_RISK, *bounds]], hazard[steps]], axis=1)
    return Estimates(
        table=table.rename(columns={"time": "time_days"}),
        summary=_summary(counts, risk, curve, back, at, confidence),
        horizon=at,
        risk=risk,
        comparison=_comparison(risk, at, confidence, repeats) if several else pd.DataFrame(),
        overall_test=log_rank_row(risk, repeats) if several else pd.DataFrame(),
        incidence=_incidence(risk, confidence, repeats) if len(counts.ends) > 1 else pd.DataFrame(),
        comeback=_comeback(back),
    )


def _horizon(risk: pd.DataFrame, counts: Counts) -> float:
    """Choose the longest familiar age at which every group is still well watched."""
    familiar = HORIZONS[counts.unit]
    watched = number_at_risk(risk, familiar).groupby("time")["at_risk"].min()
    enough = [age for age in familiar if age > counts.limit and watched[age] >= WATCHED]
    shortest: float = risk.groupby("group", sort=False)["time"].max().min()
    return max(enough) if enough else shortest if shortest > 0 else 1


def _summary(
    counts: Counts, risk: pd.DataFrame, curve: pd.DataFrame, back: pd.DataFrame | None, at: float, confidence: float
) -> pd.DataFrame:
    rows = risk.groupby("group", sort=False)
    summary = rows[["entered", "events", "censored"]].sum().rename(columns={"entered": "customers"})
    if counts.repeats is not None:
        summary.insert(1, "spells", summary["customers"])
        again = counts.repeats.groupby(counts.repeats["group"].astype(str))["customer"]
        summary["customers"] -= (again.size() - again.nunique()).reindex(summary.index).fillna(0).astype(np.int64)
    summary["followed_days"] = rows["time"].max()
    summary = summary.join(_median(curve).set_index("group"))
    summary["horizon_days"] = at
    summary = summary.join(_at(curve, at, "survival", confidence).set_index("group"))
    mean = restricted_mean(risk, at, confidence, repeats=counts.repeated()).set_index("group")
    summary = summary.join(
        mean[[f"mean{side}" for side in SIDES]].set_axis([f"mean_days{side}" for side in SIDES], axis=1)
    )
    within = counts.back_within or counts.limit or at
    summary["comeback_days"] = within
    summary = summary.join(_at(back, within, "comeback_rate", confidence).set_index("group"))
    summary["seen_at_start"] = counts.old.reindex(summary.index).fillna(0).astype(np.int64)
    return summary.reset_index()


def _median(curve: pd.DataFrame) -> pd.DataFrame:
    names = {f"time{side}": f"median_days{side}" for side in SIDES}
    return median_time(curve).rename(columns=names).drop(columns="share")


def _at(curve: pd.DataFrame | None, age: float, name: str, confidence: float) -> pd.DataFrame:
    """Read a curve at one age, as columns of a summary."""
    if curve is None:
        return pd.DataFrame(
            {"group": pd.Series(dtype=str)} | {f"{name}{side}": pd.Series(dtype=float) for side in SIDES}
        )
    read = curve_at(curve, age, confidence).drop(columns=["time", "survival_se"])
    if name == "survival":
        return read
    rates = {"": 1 - read["survival"], "_low": 1 - read["survival_high"], "_high": 1 - read["survival_low"]}
    plain = read.drop(columns=[f"survival{side}" for side in SIDES])
    return plain.assign(**{f"{name}{side}": rate + 0.0 for side, rate in rates.items()})


def _came_back_curve(
    back: pd.DataFrame | None, confidence: float, repeats: Repeats | None = None
) -> pd.DataFrame | None:
    """Estimate the share not back yet by the time since the end; None if nobody ended."""
    return None if back is None else kaplan_meier(back, confidence, repeats=repeats)


def _comparison(risk: pd.DataFrame, at: float, confidence: float, repeats: Repeats | None) -> pd.DataFrame:
    risk = _without_ends(risk)
    means = restricted_mean_differences(risk, at, against="pairs", confidence=confidence, repeats=repeats)
    tests = pairwise_logrank(risk, repeats=repeats)
    names = {"difference": "difference_days", "difference_low": "difference_days_low"}
    names |= {"difference_high": "difference_days_high", "horizon": "horizon_days"}
    found = means.rename(columns=names)
    tests = tests.rename(
        columns={"statistic": "logrank"} | {name: f"logrank_{name}" for name in ("p_value", "p_value_holm")}
    )
    return found.merge(tests, on=["a", "b"], how="left")


def log_rank_row(risk: pd.DataFrame, repeats: Repeats | None, **weights: Any) -> pd.DataFrame:
    """Test whether groups differ, on the time to any end."""
    test = logrank(_without_ends(risk), repeats=repeats, **weights)
    row = {"statistic": test.statistic, "degrees_of_freedom": test.degrees_of_freedom, "p_value": test.p_value}
    return pd.DataFrame([row])


def _without_ends(risk: pd.DataFrame) -> pd.DataFrame:
    """Leave out which end it was: groups are compared on the time to any."""
    return risk.drop(columns=[name for name in risk if str(name).startswith("events_")])


def _incidence(risk: pd.DataFrame, confidence: float, repeats: Repeats | None) -> pd.DataFrame:
    found = aalen_johansen(risk, confidence, repeats=repeats).rename(columns={"time": "time_days"})
    return found.drop(columns=["survival", "incidence_se"])


def _comeback(curve: pd.DataFrame | None) -> pd.DataFrame:
    if curve is None:
        return pd.DataFrame()
    curve = curve[curve["time"] >= 0]  # the row at -1 says only that everybody entered
    rates = {
        "comeback_rate": 1 - curve["survival"],
        "comeback_rate_low": 1 - curve["survival_high"],
        "comeback_rate_high": 1 - curve["survival_low"],
    }
    columns = ["group", "time", "at_risk", "events", "censored"]
    return curve[columns].assign(**rates).rename(columns={"time": "time_days"}).reset_index(drop=True)


def sensitivity(counts: Counts, at: float, confidence: float) -> pd.DataFrame:
    """Read the headline numbers for every silence that was counted, in one table of all silences and groups."""
    key = ["limit", "group"]
    risk = counts.risk("limit")
    curve, back = kaplan_meier(risk, confidence), _came_back_curve(counts.back_risk("limit"), confidence)
    found = risk.groupby(key, sort=False)[["entered", "events"]].sum().rename(columns={"entered": "customers"})
    for part in (
        _median(curve),
        _at(curve, at, "survival", confidence),
        _at(back, counts.limit, "comeback_rate", confidence),
    ):
        found = found.join(part.set_index(key)) if "limit" in part else found.join(part.set_index("group"), on="group")
    return found.reset_index().rename(columns={"limit": "limit_days"})
