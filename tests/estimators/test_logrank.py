"""Comparisons of curves against printed tests, lifelines, and the sums written out."""

from math import erfc

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples

from journeykit.errors import ParameterError
from journeykit.estimators.differences import holm
from journeykit.estimators.logrank import (
    WEIGHTS,
    logrank,
    pairwise_logrank,
    restricted_mean_differences,
    survival_differences,
)
from journeykit.estimators.proportions import wilson
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import restricted_mean

# Freireich et al. (1963), weeks in remission.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
WEEKS += [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0] + [1] * 21
ARM = pd.Series(["6-MP"] * 21 + ["placebo"] * 21, name="arm")
REMISSIONS = risk_table(WEEKS, RELAPSED, by=ARM)

# What lifelines calls the weights after "logrank".
PEERS = ["wilcoxon", "tarone-ware", "peto", "fleming-harrington"]

# Entry, time observed, whether it ended, group, stratum.
tenures = lists(
    tuples(integers(0, 6), integers(1, 9), booleans(), sampled_from("abc"), sampled_from("xy")), min_size=4, max_size=40
)


def columns(rows):
    enters, lasts, event, group, stratum = (np.array(column) for column in zip(*rows, strict=True))
    assume(len(set(group)) >= 2)
    return enters, enters + lasts, event, group, stratum


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ({"weights": "logrank"}, 16.79),
        ({"weights": "gehan"}, 13.46),
        ({"weights": "tarone-ware"}, 15.12),
        ({"weights": "peto"}, 14.08),
    ],
)
def test_remissions_give_the_printed_statistics(options, printed):
    # Kleinbaum & Klein, Survival Analysis, ch. 2.
    assert logrank(REMISSIONS, **options).statistic == pytest.approx(printed, abs=5e-3)


def test_observed_and_expected_relapses_are_the_printed_ones():
    # Kleinbaum & Klein, ch. 2: 9 and 21 observed, 19.26 and 10.74 expected (19.25 without rounding on the way).
    groups = logrank(REMISSIONS).groups
    assert groups["arm"].tolist() == ["6-MP", "placebo"]
    assert groups["observed"].tolist() == [9, 21]
    assert groups["expected"].tolist() == pytest.approx([19.26, 10.74], abs=0.02)


def slow_logrank(enters, duration, event, group, stratum):
    """Mantel's test of two groups, person by person, with late entry and strata."""
    score = variance = 0.0
    for s in set(stratum):
        for time in set(duration[event & (stratum == s)]):
            watched = (enters < time) & (time <= duration) & (stratum == s)
            ends = watched & (duration == time) & event
            n, d, own = watched.sum(), ends.sum(), (watched & (group == "a")).sum()
            score += (ends & (group == "a")).sum() - d * own / n
            variance += d * (own / n) * (1 - own / n) * (n - d) / (n - 1) if n > 1 else 0
    return score**2 / variance if variance else np.nan


@given(tenures)
def test_the_test_of_two_groups_is_mantels_with_late_entry_and_strata(rows):
    enters, duration, event, group, stratum = columns(
        [(*row[:3], "b" if row[3] == "c" else row[3], row[4]) for row in rows]
    )
    by = pd.DataFrame({"group": group, "stratum": stratum})
    found = logrank(risk_table(duration, event, enters=enters, by=by), group="group", strata=["stratum"])
    expected = slow_logrank(enters, duration, event, group, stratum)
    assert found.statistic == pytest.approx(expected, nan_ok=True)
    plain = logrank(risk_table(duration, event, enters=enters, by=group))
    assert plain.statistic == pytest.approx(
        slow_logrank(enters, duration, event, group, np.zeros(len(rows))), nan_ok=True
    )


@pytest.mark.parametrize(("weights", "theirs"), [("logrank", None), *zip(WEIGHTS[1:], PEERS, strict=True)])
@given(rows=tenures)
@settings(deadline=None, max_examples=15)
def test_several_groups_are_lifelines(weights, theirs, rows):
    from lifelines.statistics import multivariate_logrank_test

    enters, duration, event, group, _ = columns(rows)
    lasts = duration - enters
    found = logrank(risk_table(lasts, event, by=group), weights=weights, rho=0.5, gamma=2)
    assume(found.degrees_of_freedom == len(set(group)) - 1)  # else lifelines inverts a singular matrix
    peer = multivariate_logrank_test(lasts, group, event, weightings=theirs, p=0.5, q=2)
    assert found.statistic == pytest.approx(peer.test_statistic, rel=1e-6, abs=1e-8)
    assert found.p_value == pytest.approx(peer.p_value, rel=1e-6)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_copies_of_one_group_are_no_different(weights):
    duration, event = [1, 2, 2, 3, 5, 8], [1, 1, 0, 1, 0, 1]
    table = risk_table(duration * 3, event * 3, by=np.repeat(["a", "b", "c"], 6))
    test = logrank(table, weights=weights)
    assert test.statistic == pytest.approx(0, abs=1e-12)
    assert test.p_value == pytest.approx(1)
    assert test.degrees_of_freedom == 2


def test_where_nothing_ended_there_is_nothing_to_compare():
    test = logrank(risk_table([1, 2], [0, 0], by=["a", "b"]))
    assert np.isnan(test.statistic)
    assert np.isnan(test.p_value)


def test_pairs_are_tested_alone_and_corrected_together():
    by = pd.Series([*ARM, *["half"] * 10], name="arm")
    table = risk_table(WEEKS + WEEKS[16:26], RELAPSED + RELAPSED[16:26], by=by)
    found = pairwise_logrank(table)
    assert found[["a", "b"]].to_numpy().tolist() == [["6-MP", "half"], ["6-MP", "placebo"], ["half", "placebo"]]
    assert found["statistic"][1] == pytest.approx(16.79, abs=5e-3)
    assert found["p_value_holm"].tolist() == holm(found["p_value"]).tolist()


def test_a_missing_group_is_compared_like_any_other():
    by = pd.Series([None, None, "web", "web"], name="channel")
    found = logrank(risk_table([1, 2, 3, 4], [1, 1, 1, 1], by=by))
    named = logrank(risk_table([1, 2, 3, 4], [1, 1, 1, 1], by=by.fillna("none")))
    assert found.statistic == pytest.approx(named.statistic)
    assert len(pairwise_logrank(risk_table([1, 2, 3, 4], [1, 1, 1, 1], by=by))) == 1


def test_what_is_compared_must_be_said_where_it_could_be_either():
    table = risk_table([1, 2, 3], [1, 1, 1], by=pd.DataFrame({"plan": list("aab"), "device": list("xyx")}))
    with pytest.raises(ParameterError, match="group must be one of"):
        logrank(table)
    with pytest.raises(ParameterError, match="neither compared nor strata"):
        logrank(table, group="plan")
    with pytest.raises(ParameterError, match="must be among"):
        logrank(table, group="colour")
    with pytest.raises(ParameterError, match="two groups or more"):
        logrank(risk_table([1, 2], [1, 1], by=["a", "a"]))


def test_a_difference_at_a_time_compares_log_minus_log():
    # At 10 weeks: 0.7529 with error 0.0963 (Klein & Moeschberger 2003, table 4.1A), and 8 of 21.
    found = survival_differences(REMISSIONS, 10).iloc[0]
    s, se = np.array([0.7529, 8 / 21]), np.array([0.0963, np.sqrt(8 / 21 * 13 / 21 / 21)])
    scale, error = np.log(-np.log(s)), se / (s * np.log(s))
    z = abs(scale[1] - scale[0]) / np.hypot(*error)
    assert found["p_value"] == pytest.approx(erfc(z / np.sqrt(2)), rel=5e-3)
    assert found["difference_rate"] == pytest.approx(s[1] - s[0], abs=5e-5)
    assert found["difference_rate_low"] < found["difference_rate"] < found["difference_rate_high"] < 0


def test_a_difference_at_a_time_with_events_in_both_groups_is_lifelines():
    # At other times lifelines interpolates the variance between events, which is a step.
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import survival_difference_at_fixed_point_in_time_test

    weeks, relapsed = np.array(WEEKS), np.array(RELAPSED)
    groups = [(arm == ARM).to_numpy() for arm in ("6-MP", "placebo")]
    fits = [KaplanMeierFitter().fit(weeks[own], relapsed[own]) for own in groups]
    peer = survival_difference_at_fixed_point_in_time_test(22, *fits)
    assert survival_differences(REMISSIONS, 22)["p_value"][0] == pytest.approx(peer.p_value)


def test_a_difference_before_anybody_ended_is_not_sure():
    table = risk_table([9] * 10 + [9] * 20, [1] * 30, by=["a"] * 10 + ["b"] * 20)
    found = survival_differences(table, 5).iloc[0]
    low = [wilson(n, n)[0] for n in (10, 20)]  # none of 10, and of 20, had ended
    expected = [0, -(1 - low[1]), 1 - low[0]]
    assert found[[f"difference_rate{side}" for side in ("", "_low", "_high")]].tolist() == pytest.approx(expected)


def test_a_difference_of_restricted_means_adds_the_variances():
    found = restricted_mean_differences(REMISSIONS, 20).iloc[0]
    means = restricted_mean(REMISSIONS, 20)
    assert found["difference"] == pytest.approx(means["mean"][1] - means["mean"][0])
    half = 1.959963984540054 * np.hypot(*means["mean_se"])
    assert found["difference_high"] - found["difference"] == pytest.approx(half)
    assert found["p_value"] < 0.001


def test_where_a_group_was_not_watched_so_long_there_is_no_difference():
    table = risk_table([5, 9, 3, 3], [1, 0, 1, 0], by=list("aabb"))
    assert survival_differences(table, 8)["difference_rate"].isna().all()
    assert restricted_mean_differences(table, 8)["difference"].isna().all()


@pytest.mark.slow
def test_under_no_difference_one_test_in_twenty_finds_one():
    # 2,000 samples of 2 × 60 with late entry and censoring; Monte Carlo error of 5%: 0.49 points.
    rng = np.random.default_rng(8)
    runs, found = 2000, np.zeros(3)
    for _ in range(runs):
        ended, limit = rng.geometric(0.04, 120), rng.integers(15, 70, 120)
        entry = np.where(rng.random(120) < 0.3, rng.integers(0, 8, 120), 0)
        seen = np.minimum(ended, limit) > entry
        by = np.repeat(["a", "b"], 60)[seen]
        table = risk_table(np.minimum(ended, limit)[seen], (ended <= limit)[seen], enters=entry[seen], by=by)
        tests = [logrank(table).p_value, logrank(table, weights="gehan").p_value]
        found += np.array([*tests, restricted_mean_differences(table, 15)["p_value"][0]]) < 0.05
    assert (found / runs).tolist() == pytest.approx([0.05] * 3, abs=3 * 0.0049)
