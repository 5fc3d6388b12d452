"""Curves against printed ones, closed forms, lifelines and slow obvious versions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis.strategies import booleans, integers, lists, tuples

from journeykit.errors import ParameterError
from journeykit.estimators.conditional import conditional_survival
from journeykit.estimators.proportions import wilson
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import (
    curve_at,
    kaplan_meier,
    median_time,
    restricted_mean,
    survival_quantile,
)

# Freireich et al. (1963), weeks in remission.
MP_WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
MP_RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO_WEEKS = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
MP = risk_table(MP_WEEKS, MP_RELAPSED)
PLACEBO = risk_table(PLACEBO_WEEKS, [1] * 21)

# Entry, time observed, whether it ended.
tenures = lists(tuples(integers(0, 8), integers(1, 12), booleans()), min_size=1, max_size=30)
complete = lists(integers(1, 12), min_size=1, max_size=30)


def columns(rows):
    enters, lasts, event = (np.array(column) for column in zip(*rows, strict=True))
    return enters, enters + lasts, event


def slow_survival(enters, duration, event, t):
    """Kaplan–Meier and Greenwood's sum by their definitions."""
    survival, greenwood = 1.0, 0.0
    for time in sorted(set(duration[event & (duration <= t)])):
        n = sum((enters < time) & (time <= duration))
        d = sum((duration == time) & event)
        survival *= 1 - d / n
        greenwood += d / (n * (n - d)) if n > d else 0
    return survival, greenwood


def test_the_curve_of_remissions_is_the_printed_one():
    # Kleinbaum & Klein, Survival Analysis, ch. 2; standard errors: Klein & Moeschberger (2003), table 4.1A.
    curve = kaplan_meier(MP)
    at_relapse = curve[curve["events"] > 0]
    assert at_relapse["time"].tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert at_relapse["at_risk"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    printed = [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert at_relapse["survival"].tolist() == pytest.approx(printed, abs=5e-5)
    errors = [0.076, 0.087, 0.096, 0.107, 0.114, 0.128, 0.135]
    assert at_relapse["survival_se"].tolist() == pytest.approx(errors, abs=5e-4)


def test_the_medians_of_remissions_are_the_printed_ones():
    # Kleinbaum & Klein, ch. 2: 23 and 8 weeks.
    assert median_time(kaplan_meier(MP))["time"].tolist() == [23]
    assert median_time(kaplan_meier(PLACEBO))["time"].tolist() == [8]
    assert np.isnan(median_time(kaplan_meier(MP))["time_high"][0])  # the upper limit never gets to half


@given(tenures)
def test_the_curve_is_its_definition_with_late_entry_and_ties(rows):
    enters, duration, event = columns(rows)
    curve = kaplan_meier(risk_table(duration, event, enters=enters))
    for row in curve.to_dict("records"):
        survival, greenwood = slow_survival(enters, duration, event, row["time"])
        assert row["survival"] == pytest.approx(survival)
        assert row["survival_se"] == pytest.approx(survival * np.sqrt(greenwood))


@given(complete)
def test_when_everybody_ended_it_is_the_plain_share_with_its_binomial_error(duration):
    curve = kaplan_meier(risk_table(duration, np.ones(len(duration), dtype=bool)))
    share = [np.mean(np.array(duration) > t) for t in curve["time"]]
    assert curve["survival"].tolist() == pytest.approx(share)
    error = [np.sqrt(s * (1 - s) / len(duration)) for s in share]
    assert curve["survival_se"].tolist() == pytest.approx(error)


@given(tenures)
@settings(deadline=None, max_examples=40)
def test_the_curve_and_its_interval_are_lifelines(rows):
    from lifelines import KaplanMeierFitter
    from lifelines.exceptions import StatError

    enters, duration, event = columns(rows)
    # lifelines counts who enters at the time of an event as at risk; half a day earlier there is no tie.
    entries = enters - 0.5
    curve = kaplan_meier(risk_table(duration, event, enters=entries))
    inside = curve[(curve["survival"] > 0) & (curve["survival"] < 1)]
    try:
        peer = KaplanMeierFitter().fit(duration, event, entry=entries)
    except StatError:  # lifelines gives up where for a while nobody is at risk
        reject()
    assert inside["survival"].tolist() == pytest.approx(peer.survival_function_at_times(inside["time"]).tolist())
    bounds = peer.confidence_interval_.reindex(inside["time"]).to_numpy()
    assert inside[["survival_low", "survival_high"]].to_numpy() == pytest.approx(bounds)


@given(tenures)
@settings(deadline=None, max_examples=40)
def test_the_median_is_lifelines_with_its_interval(rows):
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times

    enters, duration, event = columns(rows)
    curve = kaplan_meier(risk_table(duration - enters, event))
    assume((curve["survival"] > 0).all())  # at 0 lifelines ends the interval, we keep its bound
    assume((abs(curve["survival"] - 0.5) > 1e-9).all())  # a half reached exactly, its rounding may miss
    peer = KaplanMeierFitter().fit(duration - enters, event)
    bounds = median_survival_times(peer.confidence_interval_).to_numpy()[0]
    expected = [peer.median_survival_time_, *bounds]
    found = median_time(curve)[["time", "time_low", "time_high"]].to_numpy()[0]
    assert np.nan_to_num(found, nan=np.inf).tolist() == expected


def test_the_interval_has_a_width_where_the_formula_has_none():
    curve = kaplan_meier(risk_table([1, 2, 3, 4], [0, 1, 1, 1])).set_index("time")
    bounds = curve[["survival_low", "survival_high"]]
    assert bounds.loc[0].tolist() == [1, 1]  # at the start by definition
    assert bounds.loc[1].tolist() == pytest.approx([wilson(4, 4)[0], 1])  # no event among 4
    assert bounds.loc[4].tolist() == [0, bounds.loc[3, "survival_high"]]  # nobody left
    at_once = kaplan_meier(risk_table([5, 5, 5], [1, 1, 1]))
    assert at_once["survival_high"].tolist() == pytest.approx([1, wilson(0, 3)[1]])


@given(tenures)
def test_bounds_hold_the_curve_between_0_and_1(rows):
    enters, duration, event = columns(rows)
    curve = kaplan_meier(risk_table(duration, event, enters=enters))
    low, value, high = (curve[f"survival{ending}"] for ending in ("_low", "", "_high"))
    assert ((low >= 0) & (low <= value) & (value <= high) & (high <= 1)).all()


@given(tenures, integers(2, 4))
def test_copying_every_customer_keeps_the_curve_and_narrows_it(rows, copies):
    enters, duration, event = columns(rows)
    once = kaplan_meier(risk_table(duration, event, enters=enters))
    more = kaplan_meier(risk_table(duration, event, enters=enters, weight=np.full(len(rows), copies)))
    assert more["survival"].tolist() == pytest.approx(once["survival"].tolist())
    assert more["survival_se"].tolist() == pytest.approx((once["survival_se"] / np.sqrt(copies)).tolist())


def test_a_curve_that_an_early_few_took_to_0_stays_there_and_a_later_start_is_the_way_out():
    # One is watched from the start and ends at 2; a hundred enter later, half of them end at 8.
    table = risk_table([2, *[8] * 50, *[9] * 50], [1, *[1] * 50, *[0] * 50], enters=[0, *[5] * 100])
    assert kaplan_meier(table)["survival"].tolist() == [1, 0, 0, 0, 0]
    assert conditional_survival(table, given=5, times=8)["survival"].tolist() == [0.5]


def test_a_curve_is_not_known_after_its_last_time_unless_nobody_is_left():
    open_ended = kaplan_meier(risk_table([2, 5], [1, 0]))
    ended = kaplan_meier(risk_table([2, 5], [1, 1]))
    assert curve_at(open_ended, [1, 2, 5, 6])["survival"].tolist() == pytest.approx([1, 0.5, 0.5, np.nan], nan_ok=True)
    assert curve_at(ended, [6])["survival"].tolist() == [0]
    assert curve_at(open_ended, -1)[["survival", "survival_low", "survival_high"]].to_numpy().tolist() == [[1, 1, 1]]


def test_groups_are_read_apart():
    curve = kaplan_meier(risk_table([1, 2, 3, 9], [1, 1, 1, 0], by=pd.Series(list("aabb"), name="plan")))
    read = curve_at(curve, [2, 4])
    assert read["plan"].tolist() == ["a", "a", "b", "b"]
    assert read["survival"].tolist() == [0, 0, 1, 0.5]
    assert survival_quantile(curve, 0.5)["time"].tolist() == [1, 3]


def test_a_quantile_reached_exactly_is_the_time_it_is_reached():
    # 1 − 1/10 nine times over is a product of fractions that rounding lifts above 0.1.
    curve = kaplan_meier(risk_table(range(1, 11), [True] * 10))
    times = [survival_quantile(curve, k / 10)["time"][0] for k in range(1, 10)]
    assert times == list(range(1, 10))


def test_a_share_outside_0_to_1_is_refused():
    with pytest.raises(ParameterError, match="share == 1"):
        survival_quantile(kaplan_meier(MP), 1)


@given(complete, integers(1, 12))
def test_when_everybody_ended_the_restricted_mean_is_the_mean_of_cut_times(duration, horizon):
    cut = np.minimum(duration, horizon)
    found = restricted_mean(risk_table(duration, np.ones(len(duration))), horizon).iloc[0]
    assert found["mean"] == pytest.approx(cut.mean())
    assert found["mean_se"] == pytest.approx(cut.std() / np.sqrt(len(cut)), abs=1e-9)


@given(tenures, integers(1, 15))
def test_the_restricted_mean_is_the_area_under_the_curve(rows, horizon):
    enters, duration, event = columns(rows)
    table = risk_table(duration, event, enters=enters)
    curve = kaplan_meier(table)
    found = restricted_mean(table, horizon)["mean"][0]
    if horizon > duration.max() and curve["survival"].iloc[-1] > 0:
        assert np.isnan(found)
    else:
        days = [slow_survival(enters, duration, event, day)[0] for day in range(horizon)]
        assert found == pytest.approx(sum(days))


@given(tenures, integers(0, 8), integers(0, 8))
def test_the_chance_to_stay_on_is_a_ratio_of_two_points_of_the_curve(rows, given_, more):
    enters, duration, event = columns(rows)
    table = risk_table(duration - enters, event)
    curve = kaplan_meier(table)
    both = curve_at(curve, [given_, given_ + more])["survival"].to_numpy()
    found = conditional_survival(table, given_, given_ + more).iloc[0]
    if both[0] > 0 and (duration - enters > given_).any():
        assert found["survival"] == pytest.approx(both[1] / both[0], nan_ok=True)
    else:
        assert np.isnan(found["survival"])


def test_a_chance_to_stay_on_is_not_sure_because_nobody_has_left_yet():
    table = risk_table([10, 20, *[60] * 18], [1, 1, *[0] * 18])
    found = conditional_survival(table, 30, [30, 45, 60])
    assert found["survival"].tolist() == [1, 1, 1]
    # 18 were watched until 60, and none of them left; at 30 itself they are known to be there.
    assert found["survival_low"].tolist() == pytest.approx([1, *[wilson(18, 18)[0]] * 2])


def test_times_before_the_condition_are_refused():
    with pytest.raises(ParameterError, match="before given"):
        conditional_survival(MP, given=10, times=[9])


@pytest.mark.slow
def test_the_intervals_of_curve_median_and_mean_cover_what_they_promise():
    # 2,000 samples of 100, exponential with mean 20 days (whole days, rounded up), entering up to
    # 10 days late, censored uniformly in 10 to 60. Monte Carlo error of a coverage of 95%: 0.49 points.
    rng = np.random.default_rng(11)
    runs, size = 2000, 100
    hits = np.zeros(4)
    true_at_10, median = np.exp(-10 / 20), np.ceil(20 * np.log(2))
    true_mean = sum(np.exp(-day / 20) for day in range(30))
    for _ in range(runs):
        exact = np.ceil(rng.exponential(20, size))
        entry = np.where(rng.random(size) < 0.3, rng.integers(0, 10, size), 0)
        limit = rng.integers(10, 60, size)
        seen = exact > entry
        table = risk_table(np.minimum(exact, limit)[seen], (exact <= limit)[seen], enters=entry[seen])
        curve = kaplan_meier(table)
        at = curve_at(curve, 10).iloc[0]
        middle, mean = median_time(curve).iloc[0], restricted_mean(table, 30).iloc[0]
        later = conditional_survival(table, 10, 20).iloc[0]
        hits += [
            at["survival_low"] <= true_at_10 <= at["survival_high"],
            middle["time_low"] <= median <= np.nan_to_num(middle["time_high"], nan=np.inf),
            mean["mean_low"] <= true_mean <= mean["mean_high"],
            later["survival_low"] <= true_at_10 <= later["survival_high"],
        ]
    curve_coverage, median_coverage, mean_coverage, later_coverage = hits / runs
    assert curve_coverage == pytest.approx(0.95, abs=4 * 0.0049)
    assert mean_coverage == pytest.approx(0.95, abs=4 * 0.0049)
    assert later_coverage == pytest.approx(0.95, abs=4 * 0.0049)
    assert 0.94 < median_coverage < 0.98  # whole days make it cover more


@pytest.mark.slow
def test_intervals_of_restricted_means_cover_the_truth_with_ten_ends():
    """40 customers of whom about ten end before the horizon: 95% covered, as often missed above as below."""
    rng = np.random.default_rng(1)
    runs, horizon, misses = 1500, 30, np.zeros(2)
    true = 100 * (1 - np.exp(-horizon / 100))
    for _ in range(runs):
        life, watched = rng.exponential(100, 40), rng.uniform(0, 60, 40)
        row = restricted_mean(risk_table(np.minimum(life, watched), life <= watched), horizon).iloc[0]
        misses += (true < row["mean_low"], true > row["mean_high"])
    share = misses / runs
    assert share.sum() == pytest.approx(0.05, abs=0.02)
    assert share.max() < 0.045


def test_without_an_end_a_restricted_mean_is_still_not_sure():
    found = restricted_mean(risk_table([40] * 10, [False] * 10), 30).iloc[0]
    assert (found["mean"], found["mean_high"]) == (30, 30)
    assert found["mean_low"] == pytest.approx(30 * wilson(10, 10)[0])
    at_once = restricted_mean(risk_table([5] * 10, [True] * 10), 30).iloc[0]
    assert at_once["mean_low"] < at_once["mean"] == 5 < at_once["mean_high"]
