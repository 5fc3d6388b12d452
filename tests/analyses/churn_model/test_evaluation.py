"""Judged by time: nothing after the split is learned from, weights where some were lost, and against simple means."""

import pickle
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.analyses.churn.model import churn_model
from journeykit.analyses.churn.model.evaluation import (
    MODEL,
    NULL,
    RULE,
    gain_table,
    learn_recency_rule,
    staying_alike,
)
from journeykit.errors import ParameterError
from journeykit.journey.observed import observed_days
from tests.analyses.churn_model.population import day, population
from tests.analyses.churn_model.test_predictions import subscriptions
from tests.real_logs import cdnow_log, retail_log

LOG = population(5000, seed=4)
SPLIT = "2025-10-27"  # day 665 of these logs


def fitted(log):
    return churn_model(jk.tenures(log, churn=jk.Inactivity("60d"), covariates="kind"))


FOUND = fitted(LOG).evaluate(split=SPLIT, horizon="60d")


def test_the_model_beats_simple_means():
    brier = FOUND.summary.set_index("method")["brier"]
    assert brier[MODEL] < brier[RULE] < brier[NULL]
    compared = FOUND.comparison[FOUND.comparison["measure"] == "brier"].set_index("against")
    assert (compared["difference"] < -2 * compared["difference_se"]).all()
    assert compared.loc[NULL, "difference"] == pytest.approx(brier[MODEL] - brier[NULL])
    assert FOUND.summary["concordance"].iloc[0] > 0.75
    assert FOUND.summary["concordance"].iloc[1] == 0.5
    assert "better than" in FOUND.describe()


def test_scores_by_hand():
    # All were followed to the end, so the score is the plain mean square of what was said at the split.
    known = LOG.between(None, pd.Timestamp(SPLIT) + pd.Timedelta(1, "D"))
    said = fitted(known).predict(horizon="60d").table.set_index("customer")["leave_probability"]
    at = pd.Timestamp(SPLIT)
    days = pd.Series(LOG.days).groupby(LOG.customer_codes).apply(list)
    epoch = int(at.to_numpy().astype("M8[D]").astype(int))
    left = {}
    for customer in said.index:
        own = np.array(days[LOG.customers.get_loc(customer)])
        active = np.unique(own)
        gaps = np.diff(np.append(active, 10**6))
        crossings = active[gaps > 60] + 60
        crossings = crossings[(crossings > epoch) & (active[gaps > 60] >= active[active <= epoch].max())]
        left[customer] = len(crossings) > 0 and crossings[0] <= epoch + 60
    outcome = pd.Series(left)[said.index]
    assert FOUND.summary["customers"].iloc[0] == len(said)
    assert FOUND.summary["leavers"].iloc[0] == outcome.sum()
    assert FOUND.summary["brier"].iloc[0] == pytest.approx(((said - outcome) ** 2).mean())


def test_what_comes_after_the_split_changes_no_prediction():
    # The same past with nobody active afterwards: everybody leaves, but what was said of them is the same.
    after = pd.Timestamp(SPLIT) + pd.Timedelta(1, "D")
    frame = LOG.frame()
    silent = jk.read_log(
        frame[frame["time"] < after.tz_localize("UTC")], customer="customer", time="time", touchpoint="touchpoint",
        observed_until=day(900), duplicates="keep",
    )  # fmt: skip
    other = fitted(silent).evaluate(split=SPLIT, horizon="60d")
    np.testing.assert_allclose(other.table["predicted_rate"], FOUND.table["predicted_rate"], rtol=1e-12)
    assert other.table["n"].tolist() == FOUND.table["n"].tolist()
    assert other.summary["observed_rate"].iloc[0] == 1
    assert other.summary["predicted_rate"].tolist() == pytest.approx(FOUND.summary["predicted_rate"].tolist())


def test_calibration_and_gain_are_of_the_same_customers():
    n = FOUND.summary["customers"].iloc[0]
    assert FOUND.table["n"].sum() == n
    total = (FOUND.table["n"] * FOUND.table["observed_rate"]).sum()
    assert total == pytest.approx(FOUND.summary["leavers"].iloc[0])
    gain = FOUND.gain
    assert gain["found_rate"].iloc[-1] == 1
    assert gain["found_rate"].is_monotonic_increasing
    assert gain["left_rate"].iloc[-1] == pytest.approx(FOUND.summary["observed_rate"].iloc[0])
    assert (gain["lift"].iloc[:5] > 1.5).all()


def test_customers_behind_a_group_are_known_until_it_is_stored():
    rows = FOUND.predictions
    assert rows["customer"].is_unique
    for i in (0, len(FOUND.table) - 1):
        behind = rows[rows["customer"].isin(FOUND.customers(i))]
        assert len(behind) == FOUND.table["n"].iloc[i]
        assert behind["leave_probability"].mean() == pytest.approx(FOUND.table["predicted_rate"].iloc[i])
        left = behind["event"] & (behind["duration_days"] <= 60)
        assert left.mean() == pytest.approx(FOUND.table["observed_rate"].iloc[i])
    stored = pickle.loads(pickle.dumps(FOUND))
    assert stored.predictions.empty
    assert stored.describe() == FOUND.describe()
    with pytest.raises(ParameterError, match="evaluate again"):
        stored.customers(0)
    assert stored.customers(0, log=FOUND).equals(FOUND.customers(0))


def test_gain_by_hand():
    # Four customers, the two most likely alike: each stands for half of what the two have.
    table = gain_table(np.array([0.9, 0.9, 0.2, 0.1]), np.array([1.0, 0, 1, 0]), np.ones(4)).set_index("listed_rate")
    assert table.loc[0.25 if 0.25 in table.index else 0.2, "found_rate"] == pytest.approx(0.25)
    assert table.loc[0.5, "found_rate"] == 0.5
    assert table.loc[1.0, "lift"] == 1


def test_recency_rule_finds_the_cut_that_tells_best():
    past = pd.DataFrame({"recency_days": np.arange(100)})
    past["event"] = past["recency_days"] > 69
    past["duration_days"] = np.where(past["event"], 5, 30)
    rule = learn_recency_rule(past, np.array([10.0, 20.0]))
    assert rule.cut_days == pytest.approx(69, abs=1)
    chance, staying = rule.predict(np.array([5.0, 95.0]))
    assert chance.tolist() == pytest.approx([0, 1], abs=0.05)
    assert staying.shape == (2, 2)


def test_the_curve_of_all_is_kaplan_meiers():
    assert staying_alike([1, 2, 3, 4], [1, 0, 1, 0], np.array([1.0, 3.0, 9.0])).tolist() == [0.75, 0.375, 0.375]


def test_cancellations_are_judged_from_their_age():
    log = subscriptions(8000, seed=3)
    tenures = jk.tenures(log, churn=jk.Cancel("cancelled"), start="started", covariates="mood")
    found = churn_model(tenures).evaluate(split="2024-03-31", horizon="30d")
    compared = found.comparison[found.comparison["measure"] == "brier"].set_index("against")
    assert (compared["difference_high"] < 0).all()
    error = np.sqrt(found.table["predicted_rate"] * (1 - found.table["predicted_rate"]) / found.table["n"])
    assert ((found.table["predicted_rate"] - found.table["observed_rate"]).abs() < 4 * error).all()
    aft = churn_model(tenures, method="weibull_aft").evaluate(split="2024-03-31", horizon="30d")
    assert aft.summary["brier"].iloc[0] == pytest.approx(found.summary["brier"].iloc[0], abs=0.002)


def test_who_ended_otherwise_has_not_left_and_that_is_known():
    log = subscriptions(9000, seed=6, other=True)
    tenures = jk.tenures(log, churn=jk.Cancel("cancelled", other="moved"), start="started", covariates="mood")
    found = churn_model(tenures).evaluate(split="2024-03-31", horizon="30d")
    table = found.table
    error = np.sqrt(table["predicted_rate"] * (1 - table["predicted_rate"]) / table["n"])
    assert ((table["predicted_rate"] - table["observed_rate"]).abs() < 4 * error).all()
    # Nobody is lost before the horizon, so that the shares are plain ones, of all who were there.
    rows = found.predictions
    assert found.summary["observed_rate"].iloc[0] == pytest.approx(
        (rows["event"] & (rows["duration_days"] <= 30)).mean()
    )
    null = found.summary.set_index("method").loc[NULL]
    assert null["predicted_rate"] == pytest.approx(null["observed_rate"], abs=0.03)
    with pytest.raises(ParameterError, match="several ways"):
        churn_model(tenures).evaluate(tenures_test=tenures, horizon=30)


def test_other_customers_with_losses_are_weighed():
    rng = np.random.default_rng(5)

    def tenures(n):
        x = rng.normal(size=n)
        left, lost = rng.exponential(40 / np.exp(x)), rng.uniform(10, 120, n)
        ends = np.minimum(left, lost)
        return jk.Tenures.from_durations(ends, left <= lost, covariates={"x": x}), left, x

    train, *_ = tenures(4000)
    test, left, x = tenures(4000)
    found = churn_model(train).evaluate(tenures_test=test, horizon=50)
    truth = 1 - np.exp(-50 / 40 * np.exp(x))
    ideal = ((truth - (left <= 50)) ** 2).mean()  # had nobody been lost
    row = found.summary.iloc[0]
    assert row["brier"] == pytest.approx(ideal, abs=3 * row["brier_se"])
    assert row["observed_rate"] == pytest.approx((left <= 50).mean(), abs=0.03)
    assert found.summary["method"].tolist() == [MODEL, NULL]
    assert row["calibration_index"] < 0.03


def test_who_left_after_the_horizon_is_no_pair_even_by_a_part_of_a_day():
    x = np.arange(100) / 50
    tenures = jk.Tenures.from_durations(np.exp(-x) * (1 + np.arange(100) % 7), [1] * 100, covariates={"x": x})
    found = churn_model(tenures).evaluate(tenures_test=tenures, horizon=0.3)
    ends, chance = (found.predictions[name].to_numpy() for name in ("duration_days", "leave_probability"))
    pairs = [
        np.sign(chance[i] - chance[j]) for i in range(100) for j in range(100) if ends[i] <= 0.3 and ends[i] < ends[j]
    ]
    assert found.summary["harrell"].iloc[0] == pytest.approx((1 + np.mean(pairs)) / 2)


def test_what_can_not_be_judged_is_refused():
    model = fitted(LOG)
    with pytest.raises(ParameterError, match="not observed"):
        model.evaluate(split="2026-06-10", horizon="60d")
    with pytest.raises(ParameterError, match="inside the log"):
        model.evaluate(split="2031-01-01", horizon="60d")
    with pytest.raises(ParameterError, match="give split="):
        model.evaluate(horizon="60d")
    with pytest.raises(ParameterError, match="judged by dates"):
        model.evaluate(tenures_test=model.tenures)
    durations = churn_model(jk.Tenures.from_durations([1, 2, 3, 4, 5, 6], [1] * 6))
    with pytest.raises(ParameterError, match="needs the log"):
        durations.evaluate(split="2024-01-01")


# -- with many customers, and on real ones ---------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("silence", "horizon"), [("90d", "90d"), ("60d", "30d"), ("60d", "90d")])
@pytest.mark.parametrize("regular", [False, True])
def test_every_tenth_of_100000_customers_is_within_2_points(silence, horizon, regular):
    log = population(290_000, seed=11, regular=regular)
    model = churn_model(jk.tenures(log, churn=jk.Inactivity(silence), covariates="kind"))
    found = model.evaluate(split="2025-11-01", horizon=horizon)
    assert found.summary["customers"].iloc[0] >= 100_000
    assert (found.table["predicted_rate"] - found.table["observed_rate"]).abs().max() < 0.02
    compared = found.comparison[found.comparison["measure"] == "brier"]
    assert (compared["difference"] < -2 * compared["difference_se"]).all()


REAL = [
    # log, silence, horizon, split, and what counts
    ("cdnow", "90d", "90d", "1998-03-31", {}),
    ("cdnow", "180d", "90d", "1998-03-31", {}),
    ("retail", "90d", "60d", "2011-10-09", {"start": "order", "activity": "order"}),
    ("retail", "90d", "90d", "2011-09-08", {"start": "order", "activity": "order"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "silence", "horizon", "split", "counts"), REAL)
def test_real_customers_are_foreseen_better_than_by_simple_means(name, silence, horizon, split, counts):
    log = cdnow_log() if name == "cdnow" else retail_log()
    found = churn_model(jk.tenures(log, churn=jk.Inactivity(silence), **counts)).evaluate(split=split, horizon=horizon)
    compared = found.comparison[found.comparison["measure"] != "concordance"]
    assert (compared["difference"] < -2 * compared["difference_se"]).all()
    # Seen: mean distances of 1.0 to 3.2 points; no tenth is farther off than its interval and 5 points.
    assert found.summary["calibration_index"].iloc[0] < 0.04
    low, high = (found.table[f"observed_rate_{side}"] for side in ("low", "high"))
    assert found.table["predicted_rate"].between(low - 0.05, high + 0.05).all()


@lru_cache(1)
def shop(customers, seed):
    log, _ = jk.simulate_journeys(customers, months=18, rng=seed)
    return log


SHOPS = [
    # customers, seed, silence, horizon, split
    (330_000, 3, "90d", "90d", "2024-03-31"),
    (430_000, 5, "60d", "60d", "2024-03-31"),
    (430_000, 5, "60d", "30d", "2024-03-31"),
    (430_000, 5, "90d", "60d", "2024-02-29"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("customers", "seed", "silence", "horizon", "split"), SHOPS)
def test_every_tenth_of_the_simulated_shop_is_within_2_points(customers, seed, silence, horizon, split):
    covariates = {"kind": "segment", "device": "device"}
    tenures = jk.tenures(shop(customers, seed), churn=jk.Inactivity(silence), covariates=covariates)
    found = churn_model(tenures).evaluate(split=split, horizon=horizon)
    table = found.table
    assert table["n"].sum() >= 100_000
    # Where many can't leave yet they are one group, and what is left of the next may be small: then its own error too.
    error = np.where(table["n"] < 5000, 2 * np.sqrt(table["observed_rate"] / table["n"]), 0.0)
    assert ((table["predicted_rate"] - table["observed_rate"]).abs() < 0.02 + error).all()
    assert found.summary["calibration_index"].iloc[0] < 0.006
    compared = found.comparison[found.comparison["measure"] == "brier"]
    assert set(compared["against"]) == {NULL, RULE}
    assert (compared["difference"] < -2 * compared["difference_se"]).all()


def test_who_is_watched_to_the_last_day_of_the_horizon_and_not_longer_has_stayed():
    last = observed_days(LOG).last_full
    for days_left in (60, 61):
        split = pd.Timestamp(np.datetime64(last - days_left, "D"))
        found = fitted(LOG).evaluate(split=split, horizon="60d")
        total = (found.table["n"] * found.table["observed_rate"]).sum()
        assert 0 < total == pytest.approx(found.summary["leavers"].iloc[0])
        assert total < found.summary["customers"].iloc[0]
