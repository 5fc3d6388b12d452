"""Cumulative incidence against closed forms, a numerical delta method, exact fractions and scikit-survival."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, sampled_from, tuples

from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier, survival_quantile

# Entry, time observed, end.
tenures = lists(tuples(integers(0, 6), integers(1, 9), sampled_from(["left", "paid", None])), min_size=1, max_size=25)


def columns(rows):
    enters, lasts, ends = (list(column) for column in zip(*rows, strict=True))
    return np.array(enters), np.array(enters) + np.array(lasts), np.array(ends, dtype=object)


def ends_at(table):
    """At risk and events of each end at every time with an event, as lists."""
    rows = table[table["events"] > 0]
    return rows["time"].tolist(), rows["at_risk"].tolist(), rows["events_left"].tolist(), rows["events_paid"].tolist()


def test_three_customers_by_hand():
    # 4 at risk: one pays at 1 (1/4); 3 at risk: one leaves and one pays at 2 (3/4 · 1/3 each); one stays.
    curves = aalen_johansen(risk_table([1, 2, 2, 3], ["paid", "left", "paid", None]))
    last = curves[curves["time"] == 3].set_index("end")
    assert last["incidence"].to_dict() == pytest.approx({"left": 1 / 4, "paid": 1 / 2})
    assert last["survival"].tolist() == pytest.approx([1 / 4, 1 / 4])
    # Nobody was censored before the end: binomial errors.
    assert last["incidence_se"].to_dict() == pytest.approx({"left": np.sqrt(3 / 64), "paid": np.sqrt(1 / 16)})


@given(tenures)
def test_the_shares_of_all_ends_and_of_those_who_stay_add_up_to_1(rows):
    enters, duration, ends = columns(rows)
    curves = aalen_johansen(risk_table(duration, ends, enters=enters))
    total = curves.groupby("time")["incidence"].sum() + curves.groupby("time")["survival"].first()
    assert total.tolist() == pytest.approx([1] * len(total))


@given(tenures)
def test_incidence_is_its_definition_in_exact_fractions(rows):
    enters, duration, ends = columns(rows)
    table = risk_table(duration, pd.Categorical(ends, ["left", "paid"]), enters=enters)
    survival, incidence = Fraction(1), Fraction(0)
    for n, left, paid in zip(*ends_at(table)[1:], strict=True):
        incidence += survival * Fraction(left, n)
        survival *= 1 - Fraction(left + paid, n)
    curves = aalen_johansen(table)
    assert curves.loc[curves["end"] == "left", "incidence"].iloc[-1] == pytest.approx(float(incidence))


@given(tenures)
def test_the_variance_is_the_delta_method_done_numerically(rows):
    enters, duration, ends = columns(rows)
    table = risk_table(duration, pd.Categorical(ends, ["left", "paid"]), enters=enters)
    _, n, left, paid = (np.array(values, dtype=float) for values in ends_at(table))
    shares = np.array([left / n, paid / n]) if len(n) else np.zeros((2, 0))

    def incidence(p):
        survival = np.append(1, np.cumprod(1 - p.sum(axis=0)))[:-1]
        return (survival * p[0]).sum()

    variance = 0.0
    for i in range(len(n)):
        slope = np.zeros(2)
        for k in range(2):  # incidence is linear in each share, so any step is exact
            step = np.zeros_like(shares)
            step[k, i] = 0.25
            slope[k] = (incidence(shares + step) - incidence(shares - step)) / 0.5
        p = shares[:, i]
        variance += slope @ (np.diag(p) - np.outer(p, p)) @ slope / n[i]
    found = aalen_johansen(table).query("end == 'left'")["incidence_se"].iloc[-1]
    assert found**2 == pytest.approx(variance, abs=1e-12)


@given(tenures)
def test_with_one_end_it_is_kaplan_meier_and_greenwood(rows):
    enters, duration, ends = columns(rows)
    table = risk_table(duration, ~pd.isna(ends), enters=enters)
    one, curve = aalen_johansen(table), kaplan_meier(table)
    assert set(one["end"]) == {"event"}
    assert one["incidence"].tolist() == pytest.approx((1 - curve["survival"]).tolist())
    assert one["incidence_se"].tolist() == pytest.approx(curve["survival_se"].tolist(), abs=1e-8)
    assert one["incidence_low"].tolist() == pytest.approx((1 - curve["survival_high"]).tolist(), abs=1e-6)
    assert one["incidence_high"].tolist() == pytest.approx((1 - curve["survival_low"]).tolist(), abs=1e-6)


@given(lists(tuples(integers(1, 9), sampled_from(["left", "paid"])), min_size=1, max_size=30))
def test_when_everybody_ended_it_is_the_plain_share_with_its_binomial_error(rows):
    duration, ends = (np.array(column) for column in zip(*rows, strict=True))
    curves = aalen_johansen(risk_table(duration, ends))
    for row in curves.to_dict("records"):
        share = np.mean((duration <= row["time"]) & (ends == row["end"]))
        assert row["incidence"] == pytest.approx(share)
        assert row["incidence_se"] == pytest.approx(np.sqrt(share * (1 - share) / len(rows)), abs=1e-8)


@given(tenures)
def test_bounds_hold_the_incidence_between_0_and_1(rows):
    enters, duration, ends = columns(rows)
    curves = aalen_johansen(risk_table(duration, ends, enters=enters))
    low, value, high = (curves[f"incidence{ending}"] for ending in ("_low", "", "_high"))
    assert ((low >= 0) & (low <= value + 1e-12) & (value <= high + 1e-12) & (high <= 1)).all()


def test_one_minus_kaplan_meier_of_each_end_promises_more_than_everybody():
    # Half leave and half pay, at the same times: 50% each; the naive curves promise 1 each.
    duration, ends = np.repeat(np.arange(1, 11), 2), np.tile(["left", "paid"], 10)
    right = aalen_johansen(risk_table(duration, ends)).query("time == 10")["incidence"]
    naive = [1 - kaplan_meier(risk_table(duration, ends == end))["survival"].iloc[-1] for end in ("left", "paid")]
    assert right.tolist() == pytest.approx([0.5, 0.5])
    assert sum(naive) > 1.4


def test_curves_are_read_per_group_and_end():
    plan = pd.Series(["a", "a", "b", "b"], name="plan")
    curves = aalen_johansen(risk_table([1, 4, 2, 3], ["paid", "left", "paid", None], by=plan))
    read = curve_at(curves, [2, 9])
    assert read[["plan", "end", "time"]].to_numpy().tolist() == [
        [plan, end, time] for plan in "ab" for end in ("left", "paid") for time in (2, 9)
    ]
    # In b one was still there at 3: nothing is known of 9.
    expected = [0, 0.5, 0.5, 0.5, 0, np.nan, 0.5, np.nan]
    assert read["incidence"].tolist() == pytest.approx(expected, nan_ok=True)
    reached = survival_quantile(curves, 0.5)
    assert reached["time"].tolist() == pytest.approx([4, 1, np.nan, 2], nan_ok=True)


@pytest.mark.oracle
def test_the_transplant_data_agree_with_scikit_survival():
    # 35 patients, relapse against death, many ties: Scrucca, Santucci & Aversa (2007), as scikit-survival ships them.
    nonparametric = pytest.importorskip("sksurv.nonparametric")
    from sksurv.datasets import load_bmt

    _, y = load_bmt()
    status, time = y["status"].astype(int), y["ftime"].astype(int)
    times, expected, bounds = nonparametric.cumulative_incidence_competing_risks(
        status, time, conf_type="log-log", var_type="Dinse_Approx"
    )
    ends = np.array([None, "transplant", "relapse"], dtype=object)[status]
    curves = aalen_johansen(risk_table(time, ends, enters=-1))
    for k, end in ((1, "transplant"), (2, "relapse")):
        ours = curve_at(curves[curves["end"] == end], times)
        assert ours["incidence"].tolist() == pytest.approx(expected[k].tolist())
        # Its bounds are on the scale log(−log F); from them follows its standard error.
        f = expected[k]
        error = (np.log(-np.log(bounds[k][0])) - np.log(-np.log(f))) / 1.959963984540054 * -f * np.log(f)
        assert ours["incidence_se"].tolist() == pytest.approx(error.tolist())


@pytest.mark.slow
def test_the_intervals_of_an_incidence_cover_what_they_promise():
    # 2,000 samples of 150; two ends with daily risks 3% and 2%, censored uniformly in 10 to 60 days.
    # Monte Carlo error of a coverage of 95%: 0.49 points.
    rng = np.random.default_rng(3)
    runs, size, hits = 2000, 150, 0
    truth = 0.03 / 0.05 * (1 - 0.95**20)
    for _ in range(runs):
        ended = rng.geometric(0.05, size)
        limit = rng.integers(10, 60, size)
        which = np.where(rng.random(size) < 0.6, "left", "paid").astype(object)
        which[ended > limit] = None
        curves = aalen_johansen(risk_table(np.minimum(ended, limit), which))
        at = curve_at(curves[curves["end"] == "left"], 20).iloc[0]
        hits += at["incidence_low"] <= truth <= at["incidence_high"]
    assert hits / runs == pytest.approx(0.95, abs=4 * 0.0049)
