"""One log of each study: the analyses find what is true, within what chance may do.

Each test allows what chance does to any of its numbers once in a thousand such tests; seeds are fixed.
"""

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from tests.truth import shop
from tests.truth.chance import binomial_chance, family_z, mean_error, survival_error

CUSTOMERS = 8000
RARE = 0.001


def assert_binomial(successes, n, p):
    """Each count is one that a binomial with the true probability gives."""
    chance = binomial_chance(np.asarray(successes, float), np.asarray(n, float), np.asarray(p, float))
    assert len(chance)
    assert (chance > RARE / len(chance)).all(), chance.min()


# -- funnel --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def funnel_log():
    return shop.funnel_log(CUSTOMERS, seed=1)


def test_a_third_of_the_entries_is_immature_and_many_customers_enter_again(funnel_log):
    assert shop.immature_share(funnel_log) >= 0.3
    assert shop.share_who_reenter(funnel_log) >= 0.3


@pytest.mark.parametrize(("entry", "within"), [("any", shop.WITHIN), ("first", shop.FIRST_WITHIN)])
def test_mature_rates_of_the_stage_funnel_are_the_true_ones(funnel_log, entry, within):
    true = shop.true_funnel(entry)
    by_segment = jk.stage_funnel(funnel_log, within=within, entry=entry, by="segment").table
    whole = jk.stage_funnel(funnel_log, within=within, entry=entry).table.assign(segment=shop.ALL)
    table = pd.concat([by_segment, whole], ignore_index=True).set_index(["segment", "stage"])
    assert sorted(table.index) == sorted(true.index)
    count = table["customers_mature"]
    before = count.groupby(level="segment").shift()
    entered = count.groupby(level="segment").transform("first")
    later = before.notna()
    assert_binomial(count[later], entered[later], true["reach_rate"].reindex(count.index)[later])
    assert_binomial(count[later], before[later], true["step_rate"].reindex(count.index)[later])
    pd.testing.assert_series_equal(table["reach_rate"], count / entered, check_names=False)
    pd.testing.assert_series_equal(table["step_rate"][later], (count / before)[later], check_names=False)


# -- retention -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retention_log():
    return shop.retention_log(CUSTOMERS, seed=2)


def test_finished_cells_of_retention_are_the_true_ones(retention_log):
    true = shop.true_cells()
    true = true[true["segment"] == shop.ALL].set_index(["cohort", "age"])
    table = jk.retention(retention_log, start="order", back=shop.BACK).table
    finished = table[table["status"] == "finished"].set_index(["cohort", "age"])
    assert sorted(finished.index) == sorted(true.index)
    true = true.reindex(finished.index)
    starts = finished.index.get_level_values("age") == 0
    assert_binomial(finished.loc[starts, "customers"], CUSTOMERS, true.loc[starts, "cohort_rate"])
    cells = finished[~starts]
    assert_binomial(cells["back"], cells["base"], true.loc[~starts, "back_rate"])


def test_overall_rows_of_retention_are_the_true_ones(retention_log):
    true = shop.true_overall().set_index(["segment", "age"])["back_rate"]
    by_segment = jk.retention(retention_log, start="order", back=shop.BACK, by="segment").summary
    whole = jk.retention(retention_log, start="order", back=shop.BACK).summary.assign(segment=shop.ALL)
    rows = pd.concat([by_segment, whole])
    rows = rows[rows["age"].isin(shop.AGES)].set_index(["segment", "age"])
    assert len(rows) == 4 * len(shop.AGES)
    assert_binomial(rows["back"], rows["base"], true.reindex(rows.index))
    assert rows["back_rate"].to_numpy(float) == pytest.approx((rows["back"] / rows["base"]).to_numpy(float))


# -- churn ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def churn_log():
    return shop.churn_log(CUSTOMERS, seed=3)


@pytest.mark.parametrize(("rule", "analyse"), [("inactivity", shop.inactivity), ("cancel", shop.cancellation)])
def test_survival_mean_and_median_of_each_segment_are_the_true_ones(churn_log, rule, analyse):
    curve, true = analyse(churn_log), shop.true_survival(rule)
    ages = [45, 60, 90, 120, 180, 240]
    z = family_z(len(shop.SEGMENTS) * (len(ages) + 3), RARE)
    days = np.arange(len(true))
    assert sorted(curve.summary["segment"]) == sorted(shop.SEGMENTS)
    at, watched = curve.at(*ages), curve.at_risk(days)
    for row in curve.summary.itertuples():
        survival = true[row.segment].to_numpy()
        at_risk = watched.loc[watched["segment"] == row.segment, "at_risk"].to_numpy()
        found = at.loc[at["segment"] == row.segment, "survival"].to_numpy()
        errors = np.array([survival_error(survival, at_risk, age) for age in ages])
        assert (np.abs(found - survival[ages]) <= z * errors).all(), (row.segment, found, survival[ages], errors)
        error = mean_error(survival, at_risk, shop.HORIZON)
        assert abs(row.mean_days - shop.true_mean(true[row.segment])) <= z * error
        if np.isfinite(row.median_days) and row.median_days < len(survival):
            day = int(row.median_days)  # the true curve passes one half near that day, give or take its error
            assert survival[day] <= 0.5 + z * survival_error(survival, at_risk, day)
            assert survival[day - 1] >= 0.5 - z * survival_error(survival, at_risk, day - 1)
