"""The analysis of repeat buying: what it counts, by hand and customer by customer; what it says; where it refuses."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from journeykit.analyses.buying import BuyingModel, buying_model
from journeykit.analyses.buying.checks import chi_squared, correlation
from journeykit.analyses.buying.fitted import Fitted
from journeykit.analyses.buying.query import settle_options, settle_query
from journeykit.analyses.buying.tally import (
    REASONS,
    STATE,
    count_buyers,
    count_days,
    count_left_out,
    count_spend,
    list_buyers,
)
from journeykit.datasets import load_sample
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.maximum import Maximum
from journeykit.log import read_log
from journeykit.text import has_label, language
from tests.estimators.test_repeat_buying import PUBLISHED, THETA
from tests.helpers import event_rows, make_log, shuffle
from tests.real_logs import cdnow_log, retail_log

DAY_0 = 19723  # 2024-01-01, in days since 1970


def simulated_log(method="mbg_nbd", n=1_500, days=300, seed=0, **options):
    """A log of customers whose truth is known: they begin in the first third, amounts are Gamma–Gamma."""
    rng = np.random.default_rng(seed)
    born = rng.integers(0, days // 3, n)
    rows = []
    r, alpha, third, fourth = THETA[method]
    rate = rng.gamma(r, 1 / alpha, n) / 7 * 2
    price = rng.gamma(3.74, 1 / 15.44, n)
    for i in range(n):
        time, there = float(born[i]) + 0.5, True
        leaves = rng.exponential(7 / rng.gamma(third, 1 / fourth)) if method == "pareto_nbd" else np.inf
        chance = 0.0 if method == "pareto_nbd" else rng.beta(third, fourth)
        while there and time < days:
            rows.append((f"c{i:05}", "order", time, rng.gamma(6.25, 1 / price[i])))
            time += rng.exponential(1 / rate[i])
            there = time - born[i] < leaves and rng.random() >= chance
    return make_log(rows, columns=["value"], value="value", observed_until=days, **options)


@pytest.fixture(scope="module")
def shop():
    return simulated_log()


@pytest.fixture(scope="module")
def model(shop):
    return buying_model(shop, "mbg_nbd", "gamma_gamma", holdout="90d", horizon="90d")


# -- counting ---------------------------------------------------------------------------------


def test_purchases_are_counted_by_day_from_the_first():
    log = make_log(
        [
            ("ann", "visit", 0, 0.0),
            ("ann", "order", 1.2, 5.0),  # the first
            ("ann", "order", 1.9, 9.0),  # the same day: one purchase
            ("ann", "order", 4.1, 10.0),
            ("ann", "order", 4.8, 2.5),  # again the same day, amounts are added
            ("ann", "order", 8.0, 1.0),
            ("bob", "order", 3.0, 7.0),
            ("cem", "visit", 2.0, 0.0),
            ("dan", "order", 9.5, 4.0),  # after the day up to which is counted
        ],
        columns=["value"],
        value="value",
        observed_until=11,
    )
    query = settle_query(log, settle_options(log, "order", "value", None, None), "2d")
    assert (query.begins - DAY_0, query.split - DAY_0, query.last - DAY_0) == (0, 8, 10)
    listed = list_buyers(log, query=query, until=query.split)
    assert listed.index.tolist() == ["ann", "bob"]
    # ann: bought on days 1, 4 and 8; the end is day 8. Amounts of the repeat days: 12.5 and 1.
    assert listed.loc["ann"].tolist() == [2, 7, 7, 2, 13.5]
    assert listed.loc["bob"].tolist() == [0, 0, 5, 0, 0]
    out = count_left_out(log, query=query)["customers"].to_dict()
    assert {reason: n for reason, n in out.items() if n} == {"buying.no_purchase": 1, "buying.bought_after": 1}
    days = count_days(log, query=query)
    assert (days.index[0], days.index[-1]) == (DAY_0, DAY_0 + 10)
    assert days["new"].tolist() == [0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert days["repeats"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    assert count_spend(log, query=query).reset_index().to_numpy().tolist() == [[2, 13.5, 1]]


def test_amounts_that_are_missing_are_no_purchase_of_nothing():
    rows = [("ann", "order", 0, 5.0), ("ann", "order", 2, np.nan), ("ann", "order", 4, 6.0)]
    rows += [("bob", "order", 0, 5.0), ("bob", "order", 2, -8.0), ("bob", "order", 3, 8.0)]
    log = make_log(rows, columns=["value"], value="value", observed_until=9)
    query = settle_query(log, settle_options(log, None, "value", None, None))
    listed = list_buyers(log, query=query, until=query.split)
    assert listed[["repeats", "valued", "spend"]].to_numpy().tolist() == [[2, 1, 6.0], [2, 0, 0.0]]
    assert count_left_out(log, query=query)["customers"]["buying.no_amount"] == 1  # bob's come to nothing


def test_a_day_observed_in_part_does_not_count():
    rows = [("ann", "order", 0.5), ("ann", "order", 3.1), ("ann", "order", 6.2), ("bob", "order", 6.1)]
    log = make_log(rows, observed_until=6.5)
    query = settle_query(log, settle_options(log, None, None, None, None))
    listed = list_buyers(log, query=query, until=query.split)
    assert listed[STATE].to_numpy().tolist() == [[1, 3, 5, 0]]  # day 6 is not over


def test_customers_are_chosen_by_their_first_purchase_in_the_whole_log():
    rows = [("ann", "order", 1), ("ann", "order", 20), ("bob", "order", 15), ("bob", "order", 16), ("cem", "order", 40)]
    log = make_log(rows, observed_until=60)
    query = settle_query(log, settle_options(log, None, None, ("2024-01-11", "2024-02-01"), None))
    assert list_buyers(log, query=query, until=query.split).index.tolist() == ["bob"]
    assert count_left_out(log, query=query)["customers"]["buying.other_start"] == 2
    query = settle_query(log, settle_options(log, None, None, None, "10d"))
    assert list_buyers(log, query=query, until=query.split).index.tolist() == ["bob", "cem"]
    assert count_left_out(log, query=query)["customers"]["buying.in_washout"] == 1


def slowly(rows, end, held, washout, amounts):
    """Count customer by customer, straight from the definition."""
    split, listed, reasons = end - 1 - held, {}, Counter()
    for customer in sorted({row[0] for row in rows}):
        days = sorted({int(row[2]) for row in rows if row[0] == customer and row[1] == "A" and row[2] < end})
        if not days:
            reasons["buying.no_purchase"] += 1
        elif days[0] < washout:
            reasons["buying.in_washout"] += 1
        elif days[0] > split:
            reasons["buying.bought_after"] += 1
        else:
            again = [day for day in days[1:] if day <= split]
            spend = {
                day: [v for (c, t, d), v in zip(rows, amounts, strict=True) if (c, t, int(d)) == (customer, "A", day)]
                for day in again
            }
            known = {day: [v for v in each if not np.isnan(v)] for day, each in spend.items()}
            valued, total = sum(map(bool, known.values())), sum(map(sum, known.values()))
            if not total > 0:
                valued, total = 0, 0.0
            last = again[-1] if again else days[0]
            later = len([day for day in days if day > split])
            listed[customer] = [len(again), last - days[0], split - days[0], valued, total, later]
    return listed, reasons


@settings(max_examples=25, deadline=None)
@given(event_rows(max_time=12), st.integers(0, 3), st.integers(0, 3), st.integers(0, 99))
def test_counting_is_that_of_the_slow_definition_in_one_piece_and_in_buckets(rows, held, washout, seed):
    rows = [("z", "B", 0), ("y", "A", 12), *rows]  # the log begins on day 0, and has purchases
    amounts = np.random.default_rng(seed).choice([np.nan, -2.0, 1.0, 3.0], len(rows)).tolist()
    with_values = [(*row, value) for row, value in zip(rows, amounts, strict=True)]
    log = make_log(shuffle(with_values, seed), columns=["value"], value="value", observed_until=13)
    query = settle_query(
        log,
        settle_options(log, ["A"], "value", None, f"{washout}d" if washout else None),
        f"{held}d" if held else None,
    )
    expected, reasons = slowly(rows, 13, held, washout, amounts)
    listed = list_buyers(log, query=query, until=query.split)
    assert {c: row for c, row in zip(listed.index, listed.to_numpy().tolist(), strict=True)} == {
        c: row[:5] for c, row in expected.items()
    }
    out = count_left_out(log, query=query)["customers"]
    assert {name: out[name] for name in REASONS[1:] if out[name]} == dict(reasons)
    counted = count_buyers(log, query=query, until=query.split)
    assert counted["customers"].sum() == len(expected)
    assert counted["later"].sum() == sum(row[5] for row in expected.values())
    assert counted["later_squared"].sum() == sum(row[5] ** 2 for row in expected.values())
    in_buckets = log.in_buckets(3)
    for count, options in (
        (count_buyers, {"until": query.split}), (count_spend, {}), (count_days, {}), (count_left_out, {}),
        (list_buyers, {"until": query.last}),
    ):  # fmt: skip
        whole = log.tally(count, query=query, **options).sort_index()
        assert_frame_equal(in_buckets.tally(count, query=query, **options).sort_index(), whole, check_index_type=False)


# -- the result ---------------------------------------------------------------------------------


def test_cdnow_is_as_printed_from_its_raw_log():
    # A tenth of CDNOW's customers, the first 39 weeks: Fader, Hardie & Lee (2005), tables 2 and 3, and figure 5.
    lifetimes = pytest.importorskip("lifetimes")
    path = f"{lifetimes.__path__[0]}/datasets/CDNOW_sample.txt"
    raw = pd.read_csv(path, sep=r"\s+", names=["old", "customer", "time", "quantity", "value"], dtype={"customer": str})
    raw["time"] = pd.to_datetime(raw["time"].astype(str))
    log = read_log(raw.assign(touchpoint="order"), value="value", duplicates="keep", observed_until="1998-07-01")
    expected = {"bg_nbd": (4.82, 0.19, 0.23), "pareto_nbd": (11.99, 0.007, 0.14)}
    for method, (chi, p, zero) in expected.items():
        found = buying_model(log, method, "gamma_gamma", holdout="273d")  # 39 weeks: 1 October 1997 to 30 June 1998
        values = found.table.set_index("parameter")["estimate"]
        parameters, likelihood = PUBLISHED[method]
        assert values.iloc[:4].tolist() == pytest.approx(parameters, abs=2e-3)
        assert found.summary["log_likelihood"].item() == pytest.approx(likelihood, abs=0.05)
        assert values[["p", "q", "gamma"]].tolist() == pytest.approx([6.25, 3.74, 15.44], abs=0.02)
        check = found.checks.set_index("check").loc["repeat_classes"]
        assert (check["actual"], check["expected"]) == (pytest.approx(chi, abs=0.02), 3)
        assert check["p_value"] == pytest.approx(p, abs=0.005)
        first = found.holdout.iloc[0]
        assert (first["customers"], first["purchases"]) == (1411, 334)
        assert first["expected_mean"] == pytest.approx(zero, abs=0.005)
        weeks = found.tracking
        assert len(weeks) == 78
        assert (weeks["part"] == "training").sum() == 39
        # 2 to 4 percent below the purchases of all 78 weeks, says the article.
        short = 1 - weeks["cumulative_expected"].iloc[-1] / weeks["cumulative_actual"].iloc[-1]
        assert short == pytest.approx({"bg_nbd": 0.04, "pareto_nbd": 0.02}[method], abs=0.006)


def test_all_of_cdnow_is_no_other_story():
    found = buying_model(cdnow_log(), "pareto_nbd", holdout="273d")
    assert found.summary["customers"].item() == 23_570
    values = found.table["estimate"].tolist()
    assert values[:3] == pytest.approx(PUBLISHED["pareto_nbd"][0][:3], rel=0.15)


def test_a_year_of_a_gift_shop_tells_nothing_of_leaving_and_we_say_so():
    # Half of its customers are older than the log, and sales rise towards Christmas.
    with pytest.raises(ParameterError, match=r"nobody seems to leave.*sales may be rising"):
        buying_model(retail_log(), "mbg_nbd", purchase="order")


def test_tables_hold_together(model):
    row = model.summary.iloc[0]
    each = model.predict()
    assert len(each) == row["customers"] == 1_500
    assert each["alive_probability"].sum() == pytest.approx(row["alive"])
    assert each["expected_purchases"].sum() == pytest.approx(row["expected_purchases"])
    assert each["expected_value"].sum() == pytest.approx(row["expected_value"])
    assert model.frequency["customers"].sum() == row["trained"]
    assert model.frequency["expected"].sum() == pytest.approx(row["trained"])
    training = model.tracking[model.tracking["part"] == "training"]
    assert training["actual"].sum() == row["repeat_purchases"]
    assert model.tracking["days"].sum() == 300
    assert model.tracking.groupby("part")["days"].sum().to_dict() == {"holdout": 90, "training": 210}
    assert model.tracking["expected"].sum() == pytest.approx(model.tracking["cumulative_expected"].iloc[-1])
    held = model.holdout.iloc[-1]
    assert held["repeats"] == "all"
    assert held["purchases"] == model.tracking.loc[model.tracking["part"] == "holdout", "actual"].sum()
    assert model.holdout["purchases"].iloc[:-1].sum() == held["purchases"]
    assert (model.holdout["customers"] * model.holdout["expected_mean"]).iloc[:-1].sum() == pytest.approx(
        held["expected_mean"] * held["customers"]
    )


def test_intervals_hold_their_estimates(model):
    for frame in (model.table, model.summary, model.tracking, model.holdout, model.predict()):
        for name in frame:
            if f"{name}_low" in frame:
                inside = (frame[f"{name}_low"] <= frame[name] + 1e-9) & (frame[name] <= frame[f"{name}_high"] + 1e-9)
                assert inside.all(), name


def test_the_truth_of_simulated_customers_is_expected(model):
    truth = THETA["mbg_nbd"]
    found = model.table.set_index("parameter").loc[["r", "a", "b"]]
    assert (found["estimate_low"] < truth[[0, 2, 3]] * 1.35).all()
    assert (found["estimate_high"] > truth[[0, 2, 3]] / 1.35).all()
    held = model.holdout.iloc[-1]
    assert held["expected_mean"] == pytest.approx(held["actual_mean"], rel=0.15)
    assert model.summary["mean_value"].item() == pytest.approx(6.25 * 15.44 / 2.74, rel=0.1)


def test_no_more_are_alive_than_there_are():
    state = pd.DataFrame({"repeats": [5, 3, 6], "last_days": [290, 280, 295], "age_days": [300, 300, 300]})
    # Leaving is rare, and its rate hardly known.
    buying = Maximum(("r", "alpha", "s", "beta"), np.log([2, 100, 0.5, 2000]), np.diag([0.1, 0.1, 4, 9]), 0.0)
    fitted = Fitted("pareto_nbd", 1, buying, None, 0.95)
    (alive,), (low,), (high,) = fitted.alive(fitted.buyers(state), total=True)
    assert 2.5 < alive < high <= 3
    assert alive == pytest.approx(fitted.alive(fitted.buyers(state))[0].sum())
    odds = np.log([each / (3 - each) for each in (low, alive, high)])
    assert odds[1] - odds[0] == pytest.approx(odds[2] - odds[1])


def test_predictions_know_what_was_held_back_and_can_be_made_from_an_earlier_day(shop, model):
    each = model.predict("30d")
    days = shop.days - DAY_0
    last = pd.Series(days).groupby(shop.customer_codes).agg(["min", "max", "nunique"])
    assert each["repeats"].tolist() == (last["nunique"] - 1).tolist()
    assert each["last_days"].tolist() == (last["max"] - last["min"]).tolist()
    assert each["age_days"].tolist() == (299 - last["min"]).tolist()
    earlier = model.predict("90d", log=shop.between(None, "2024-07-29"))  # 210 days in
    held = model.holdout.iloc[-1]
    assert earlier["expected_purchases"].sum() == pytest.approx(held["expected_mean"] * held["customers"])
    assert (model.predict("10d")["expected_purchases"] <= model.predict("20d")["expected_purchases"]).all()


def test_bg_nbd_never_lets_one_time_buyers_go_and_says_so(shop):
    found = buying_model(shop, "bg_nbd", None)
    each = found.predict()
    once = each[each["repeats"] == 0]
    assert (once[["alive_probability", "alive_probability_low", "alive_probability_high"]] == 1).all(axis=None)
    assert "everybody who bought once counts as a customer still" in found.describe()
    assert "expected_value" not in each


def test_customers_behind_a_class(shop, model):
    held_out = {"holdout": "90d"}
    query = settle_query(shop, settle_options(shop, None, None, None, None), held_out["holdout"])
    listed = list_buyers(shop, query=query, until=query.split)
    for name, number in (("0", 0), ("2", 2)):
        assert model.customers(name).tolist() == listed.index[listed["repeats"] == number].tolist()
    assert model.customers(7).tolist() == listed.index[listed["repeats"] >= 7].tolist()
    assert [len(model.customers(i)) for i in range(8)] == model.frequency["customers"].tolist()
    with pytest.raises(ParameterError, match="'9'"):
        model.customers("9")


def test_a_log_in_buckets_gives_the_same(shop, model):
    found = buying_model(shop.in_buckets(7), "mbg_nbd", "gamma_gamma", holdout="90d", horizon="90d")
    for name in ("table", "summary", "tracking", "frequency", "holdout", "checks", "left_out"):
        assert_frame_equal(getattr(found, name), getattr(model, name), rtol=1e-7)
    assert_frame_equal(found.predict(), model.predict(), rtol=1e-7)


def test_results_go_through_pickle_and_json(shop, model, tmp_path):
    kept = pickle.loads(pickle.dumps(model))
    assert kept.log is None
    with pytest.raises(LogError, match="without its log"):
        kept.predict()
    path = tmp_path / "model.json"
    text = model.to_json(path)
    assert "c00001" not in text
    for again in (BuyingModel.from_json(path), BuyingModel.from_json(text)):
        for name in ("table", "summary", "tracking", "frequency", "holdout", "checks", "left_out"):
            assert_frame_equal(getattr(again, name), getattr(model, name), check_dtype=False)
        assert again.params == model.params
        assert again.describe() == model.describe()
        assert_frame_equal(again.predict(log=shop), model.predict())
    with pytest.raises(ParameterError, match="no model of repeat buying"):
        BuyingModel.from_json(json.dumps({"params": {}}))
    with pytest.raises(ParameterError, match="no JSON"):
        BuyingModel.from_json('{"params":')


def test_a_model_learnt_from_a_step_goes_through_json():
    log = load_sample("guitar_shop")
    found = buying_model(
        log, "mbg_nbd", purchase=["order", "course_booked"] if "course_booked" in log.touchpoints else ["order"]
    )
    again = BuyingModel.from_json(found.to_json())
    assert_frame_equal(again.predict("30d", log=log), found.predict("30d"))


def test_metrics_words_and_labels(model):
    metrics = model.metrics()
    assert set(metrics["name"]) == {
        "alive", "expected_purchases", "expected_value", "mean_value", "holdout_actual_mean", "holdout_expected_mean",
    }  # fmt: skip
    assert (metrics["definition"] == "buying_model_mbg_nbd/1").all()
    for code in ("en", "he"):
        with language(code):
            for frame in (model.table, model.summary, model.tracking, model.frequency, model.holdout, model.checks):
                assert [name for name in frame if not has_label(name)] == []
            for names in (model.table["model"], model.checks["check"], model.tracking["part"]):
                assert all(has_label(name) for name in set(names))
            assert model.describe()
            assert "<table" in model._repr_html_()
    assert "were made; the model expected" in model.describe()
    assert "1,500" in repr(model)


def test_what_is_not_sound_is_said(shop):
    plain = buying_model(shop, "mbg_nbd", None)
    assert "has not been tested" in plain.describe()
    assert plain.holdout.empty
    bounds = {"estimate_low": [1.0, 0.0, 0.01, 1.0], "estimate_high": [2.0, 2.0, 2.0, np.inf]}
    flat = replace(plain, table=plain.table.assign(**bounds)).describe()
    assert "flat in alpha and b" in flat
    assert "hardly tell a:" in flat
    held_back = buying_model(shop, "mbg_nbd", penalizer=0.001)
    assert "held back by a penalty" in held_back.describe()
    first = int((shop.days[shop.offsets[:-1]] < DAY_0 + 7).sum())
    assert plain.summary["seen_at_start"].item() == first
    assert f"{first} customers first bought in the log's first week" in plain.describe()
    washed = buying_model(shop, "mbg_nbd", None, washout="7d")
    assert washed.summary["seen_at_start"].item() == 0
    assert washed.left_out.to_numpy().tolist() == [["buying.in_washout", first]]


def test_pictures_draw_the_tables(model, shop):
    figure = model.figure()
    tracking, cumulative, frequency, held = figure.axes
    whole = model.tracking[model.tracking["days"] == 7]
    drawn = {line.get_label(): line.get_ydata() for line in tracking.lines}
    assert list(drawn["as bought"]) == whole["actual"].tolist()
    assert list(drawn["expected by the model"]) == whole["expected"].tolist()
    assert list(cumulative.lines[1].get_ydata()) == model.tracking["cumulative_actual"].tolist()
    heights = [bar.get_height() for bar in frequency.patches]
    assert heights == [*model.frequency["customers"], *model.frequency["expected"]]
    assert list(held.lines[-1].get_ydata()) == model.holdout["expected_mean"].iloc[:-1].tolist()
    assert buying_model(shop, "mbg_nbd").plot().lines


# -- refusals, and checks by hand ---------------------------------------------------------------


def test_what_cannot_be_asked_is_refused(shop):
    visits = make_log([("a", "visit", 0), ("a", "order", 1), ("b", "order", 2)], observed_until=9)
    with pytest.raises(ParameterError, match="say which event is a purchase"):
        buying_model(visits)
    with pytest.raises(LogError, match="spend needs amounts"):
        buying_model(visits, spend="gamma_gamma", purchase="order")
    with pytest.raises(ParameterError, match="nobody of 2 customers bought again"):
        buying_model(visits, purchase="order")
    for method in PUBLISHED:
        with pytest.raises(ParameterError, match="nobody seems to leave"):
            buying_model(load_sample("guitar_shop").between(None, "2023-04-01"), method, purchase="order")
    with pytest.raises(ParameterError, match="holdout leaves nothing"):
        buying_model(shop, holdout="300d")
    with pytest.raises(ParameterError, match="whole days"):
        buying_model(shop, holdout="36h")
    with pytest.raises(ParameterError, match="nobody to learn from: 1,500 first bought outside"):
        buying_model(shop, between=("2025-01-01", None))
    with pytest.raises(ParameterError, match="penalizer"):
        buying_model(shop, penalizer=-1)
    with pytest.raises(ParameterError, match="method must be one of"):
        buying_model(shop, "bgnbd")
    with pytest.raises(ParameterError, match="column of numbers"):
        buying_model(shop, spend="gamma_gamma", value="touchpoint")
    hidden = make_log([("a", "o", 0, 5.0)], columns=["paid"], observed_until=9).with_personal("paid")
    with pytest.raises(LogError, match="personal"):
        buying_model(hidden, spend="gamma_gamma", value="paid")


def test_cells_of_few_are_pooled_for_chi_squared():
    table = pd.DataFrame({"customers": [50, 30, 10, 6, 3, 1], "expected": [48.0, 32.0, 11.0, 5.5, 2.5, 1.0]})
    statistic, freedom, _ = chi_squared(table, 1)
    # The last two come to 3.5, fewer than 5, and join 5.5: 10 customers against 9.
    by_hand = 4 / 48 + 4 / 32 + 1 / 11 + 1 / 9
    assert (statistic, freedom) == (pytest.approx(by_hand), 2)


def test_correlation_is_that_of_customers():
    n, spend = np.array([1, 2, 3, 4, 2]), np.array([5.0, 9.0, 8.0, 12.0, 9.0])
    counts = pd.DataFrame({"valued": n[:4], "spend": (n * spend)[:4], "customers": [1, 2, 1, 1]})
    r, low, high, _, customers = correlation(counts, 0.95)
    assert customers == 5
    assert r == pytest.approx(np.corrcoef(n, spend)[0, 1])
    assert (low, high) == pytest.approx(np.tanh(np.arctanh(r) + np.array([-1, 1]) * 1.959964 / np.sqrt(2)), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", PUBLISHED)
def test_a_forecast_of_simulated_customers_covers_what_comes(method):
    inside = []
    for seed in range(40):
        found = buying_model(simulated_log(method, n=1_000, seed=seed), method, holdout="90d")
        held = found.holdout.iloc[-1]
        # What comes varies too: two means, each with its interval, as if independent.
        spread = np.hypot(
            held["actual_mean_high"] - held["actual_mean"], held["expected_mean_high"] - held["expected_mean"]
        )
        inside.append(abs(held["actual_mean"] - held["expected_mean"]) <= spread)
    assert np.mean(inside) >= 0.8
