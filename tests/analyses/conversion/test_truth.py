"""Simulated truth is recovered, and 95% intervals cover it about 95% of the time; the usual shortcuts do not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier
from tests.analyses.conversion.simulation import many_entries, one_entry, to_log, weeks

pytestmark = pytest.mark.slow

LOGS = 250
CHANCE = 3 * np.sqrt(0.95 * 0.05 / LOGS)
"""How far from 95% chance alone takes the coverage."""


def assert_covers(found: np.ndarray, truth: float, known: float = 0.01) -> None:
    """Rows of (estimate, low, high): unbiased, and covering the truth as often as promised."""
    estimate, low, high = np.asarray(found, dtype=float).T
    assert np.isfinite(estimate).all()
    assert abs(estimate.mean() - truth) < 3.5 * estimate.std() / np.sqrt(len(estimate))
    coverage = ((low <= truth) & (truth <= high)).mean()
    assert abs(coverage - 0.95) < CHANCE + known, coverage


def read(frame, name: str) -> list[float]:
    return [frame[f"{name}{side}"].item() for side in ("", "_low", "_high")]


def test_the_curve_its_mean_and_its_quantiles_cover_the_truth():
    rng = np.random.default_rng(11)
    at, mean, naive = {2: [], 8: [], 20: []}, [], []
    for _ in range(LOGS):
        log = one_entry(rng, 150)
        curve = jk.conversion_curve(log, ["A", "B"], within="20d", times=[f"{day}d" for day in at])
        for day, found in at.items():
            found.append(read(curve.table[curve.table["time_seconds"] == day * 86_400], "converted_rate"))
        mean.append([each / 86_400 for each in read(curve.summary, "mean_seconds")])
        naive.append(curve.summary["converted"].item() / curve.summary["customers"].item())
    for day, found in at.items():
        assert_covers(found, 0.6 * (1 - np.exp(-day / 8)))
    assert_covers(mean, 0.4 * 20 + 0.6 * 8 * (1 - np.exp(-20 / 8)))
    assert np.mean(naive) < 0.6 * (1 - np.exp(-20 / 8)) - 0.05  # who has time left is not lost


def test_the_median_covers_the_truth():
    rng = np.random.default_rng(12)
    truth = 8 * np.log(0.9 / 0.4) * 86_400  # 0.9 ever convert: half of all by then
    low, high = [], []
    for _ in range(LOGS):
        row = jk.conversion_curve(one_entry(rng, 200, ever=0.9), ["A", "B"]).summary.iloc[0]
        low.append(row["median_seconds_low"])
        high.append(np.nan_to_num(row["median_seconds_high"], nan=np.inf))
    coverage = ((np.array(low) <= truth) & (truth <= np.array(high))).mean()
    assert abs(coverage - 0.95) < CHANCE + 0.01


def test_with_other_ends_the_incidence_covers_the_truth_and_one_minus_kaplan_meier_does_not():
    rng = np.random.default_rng(13)
    # Converting (of the 0.8 who ever would) at 1/8 a day against giving up at 0.1 a day.
    truth = 0.8 * (1 / 8) / (1 / 8 + 0.1) * (1 - np.exp(-(1 / 8 + 0.1) * 10))
    found, naive = [], []
    for _ in range(LOGS):
        log = one_entry(rng, 200, ever=0.8, lost=0.1)
        found.append(
            read(jk.conversion_curve(log, ["A", "B"], within="10d", competing={"lost": "X"}).summary, "conversion_rate")
        )
        days = (log.frame(["time"])["time"] - log.starts_at).dt.total_seconds().to_numpy() / 86_400
        first = pd.DataFrame({"day": days, "who": log.customer_codes, "what": log.column("touchpoint").astype(str)})
        first = first.pivot_table(index="who", columns="what", values="day").reindex(columns=list("ABX"))
        waits = first.sub(first["A"], axis=0).fillna(np.inf).assign(end=40 - first["A"] - 1e-6)
        curve = kaplan_meier(
            risk_table(waits[["B", "X", "end"]].min(axis=1), waits["B"] == waits.iloc[:, 1:].min(axis=1))
        )
        naive.append(1 - curve_at(curve, 10)["survival"].item())
    assert_covers(found, truth)
    assert np.mean(naive) > truth + 0.08  # as if nobody gave up


@cache
def true_attempts() -> tuple[float, float]:
    """Share of attempts converted by 5 days, and their mean time up to 10, in half a million customers."""
    rng = np.random.default_rng(1)
    who, entered, converts = many_entries(rng, 500_000)
    wait = earliest(who, entered, converts)
    return float((wait <= 5).mean()), float(np.minimum(wait, 10).mean())


def earliest(who: np.ndarray, entered: np.ndarray, converts: np.ndarray) -> np.ndarray:
    """Days from each entry to the customer's next conversion of any entry."""
    done = np.sort(who * 1e4 + entered + converts)
    done = np.append(done[np.isfinite(done)], np.inf)
    own = who * 1e4 + entered
    wait = done[np.searchsorted(done, own)] - own
    return np.where(wait < 5_000, wait, np.inf)


def test_attempts_of_customers_cover_the_truth_and_as_if_independent_do_not():
    rng = np.random.default_rng(14)
    truth, mean = true_attempts()
    found, means, naive = [], [], []
    for _ in range(LOGS):
        who, entered, converts = many_entries(rng, 120)
        names = np.repeat(np.array(["A", "B"], dtype=object), len(who))
        days = np.r_[entered, entered + converts]
        curve = jk.conversion_curve(
            to_log(np.r_[who, who], names, days, 55), ["A", "B"], count="attempts", within="10d", times=["5d"]
        )
        found.append(read(curve.table, "converted_rate"))
        means.append([each / 86_400 for each in read(curve.summary, "mean_seconds")])
        alone = np.r_[np.arange(len(who)), np.arange(len(who))]
        wait = earliest(who, entered, converts)
        split = jk.conversion_curve(
            to_log(alone, names, np.r_[entered, entered + wait], 55), ["A", "B"], within="10d", times=["5d"]
        )
        naive.append(read(split.table, "converted_rate"))
    assert_covers(found, truth, known=0.02)
    assert_covers(means, mean, known=0.02)
    low, high = np.array(naive)[:, 1:].T
    assert ((low <= truth) & (truth <= high)).mean() < 0.85


def test_tests_of_no_difference_keep_their_level():
    rng = np.random.default_rng(15)
    rejected = {"logrank": 0, "gray": 0, "logrank_robust": 0, "gray_robust": 0, "difference": 0}
    for _ in range(LOGS):
        who, entered, converts = many_entries(rng, 80)
        group = np.where(who % 2, "x", "y").astype(object)
        names = np.repeat(np.array(["A", "B", "X"], dtype=object), len(who))
        days = np.r_[entered, entered + converts, entered + rng.exponential(20, len(who))]
        log = to_log(np.tile(who, 3), names, days, 55, group=np.tile(group, 3))
        for count in ("customers", "attempts"):
            for competing in (None, {"lost": "X"}):
                curve = jk.conversion_curve(log, ["A", "B"], by="group", count=count, competing=competing, within="10d")
                test = curve.overall_test.iloc[0]
                rejected[test["test"]] += test["p_value"] < 0.05
        rejected["difference"] += curve.comparison["p_value"].item() < 0.05
    for name, times in rejected.items():
        assert abs(times / LOGS - 0.05) < CHANCE + 0.01, (name, times)


WITHIN = 14


@cache
def true_weeks() -> tuple[float, float]:
    """Conversion within 14 days of a week's first and of its last clock, long after the log began."""
    log = weeks(np.random.default_rng(2), 60_000, n_weeks=14, end=7 * 14 + WITHIN + 1)
    rates = []
    for clock in ("first", "last"):
        table = jk.funnel_trend(log, ["A", "B"], within=f"{WITHIN}d", clock=clock).table.iloc[5:14]
        rates.append(table["converted"].sum() / table["customers"].sum())
    return float(rates[0]), float(rates[1])


def test_finished_weeks_and_estimates_of_unfinished_ones_cover_the_truth():
    rng = np.random.default_rng(16)
    first, last = true_weeks()
    finished, changes, so_far = [], [], []
    estimates, steps = {-1: [], -2: []}, {-1: [], -2: []}
    for _ in range(LOGS):
        log = weeks(rng, 400)
        trend = jk.funnel_trend(log, ["A", "B"], within=f"{WITHIN}d")
        table = trend.table
        done = table[table["status"] == "finished"]
        finished.append(read(done.iloc[[-2]], "conversion_rate"))
        changes.append(read(trend.comparison.iloc[[-1]], "difference_rate"))
        so_far.append(table["so_far_rate"].iloc[-1])
        early = jk.funnel_trend(log, ["A", "B"], within=f"{WITHIN}d", clock="first")
        for place in estimates:
            assert early.table["method"].iloc[place] == "estimate"
            estimates[place].append(read(early.table.iloc[[place]], "conversion_rate"))
            steps[place].append(read(early.comparison.iloc[[place]], "difference_rate"))
    assert_covers(finished, last)
    assert_covers(changes, 0)
    assert np.mean(so_far) < last - 0.08  # what has converted so far is no rate
    for place in estimates:
        assert_covers(estimates[place], first, known=0.015)
        assert_covers(steps[place], 0, known=0.015)
