"""Segments learnt from by themselves and compared; and what purchases are worth, without being asked for."""

import pickle

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from journeykit.analyses.buying import BuyingModel, buying_model
from journeykit.datasets import load_sample
from journeykit.errors import ParameterError
from journeykit.log import read_log
from journeykit.text import language
from tests.analyses.buying.test_buying_model import simulated_log
from tests.helpers import make_log


def kinds(times=2.0, n=1200, seed=5):
    """Every other customer is "quick", and buys `times` as often as the others."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        quick = i % 2 == 0
        born = float(rng.integers(0, 100)) + 0.5
        rate = rng.gamma(1.2, 1 / 40) * (times if quick else 1.0)
        leaves = rng.beta(1, 4)
        time, price = born, rng.gamma(8, 1 / 8)
        while time < 300:
            rows.append((f"c{i:05}", "order", time, "quick" if quick else "slow", 20 * price * rng.gamma(5, 1 / 5)))
            time += rng.exponential(1 / rate)
            if rng.random() < leaves:
                break
    return make_log(rows, columns=["kind", "value"], value="value", observed_until=300)


LOG = kinds()
FOUND = buying_model(LOG, "mbg_nbd", by="kind", holdout="60d")


@pytest.mark.parametrize("kind", ["quick", "slow"])
def test_a_segment_is_learnt_as_if_there_were_no_others(kind):
    mine = [customer for customer in LOG.customers if (int(customer[1:]) % 2 == 0) == (kind == "quick")]
    alone = buying_model(LOG.customers_where(mine), "mbg_nbd", holdout="60d")
    for name in ("table", "summary", "tracking", "frequency", "holdout", "checks"):
        whole = getattr(FOUND, name)
        own = whole[whole["segment"] == kind].drop(columns="segment").reset_index(drop=True)
        assert_frame_equal(own, getattr(alone, name), check_dtype=False)
    each = FOUND.predict().query("segment == @kind").drop(columns="segment").reset_index(drop=True)
    assert_frame_equal(each, alone.predict())
    assert FOUND.customers(kind).tolist() == mine


def test_ratios_by_hand():
    summary = FOUND.summary.set_index("segment")
    row = FOUND.comparison[FOUND.comparison["measure"] == "purchases_each"].iloc[0]
    assert (row["a"], row["b"]) == ("quick", "slow")
    each = summary["expected_purchases"] / summary["customers"]
    assert row["ratio"] == pytest.approx(each["slow"] / each["quick"])
    widths = np.log(summary["expected_purchases_high"] / summary["expected_purchases_low"]) / 2
    assert row["ratio_high"] == pytest.approx(row["ratio"] * np.exp(np.hypot(*widths)))
    alive = FOUND.comparison[FOUND.comparison["measure"] == "alive_share"].iloc[0]
    shares = summary["alive"] / summary["customers"]
    assert alive["ratio"] == pytest.approx(shares["slow"] / shares["quick"])
    assert alive["ratio_low"] < alive["ratio"] < alive["ratio_high"]


def test_one_model_for_all_is_tested_by_likelihoods():
    test = FOUND.comparison.iloc[-1]
    alike = buying_model(LOG, "mbg_nbd", holdout="60d").summary["log_likelihood"].item()
    assert test["statistic"] == pytest.approx(2 * (FOUND.summary["log_likelihood"].sum() - alike))
    assert test["degrees_of_freedom"] == 4
    assert test["p_value"] < 1e-4
    assert "one model for all would not do" in FOUND.describe()
    pace = FOUND.comparison[FOUND.comparison["measure"] == "pace"].iloc[0]
    assert pace["ratio_low"] < 1 / 2 < pace["ratio_high"]  # the truth


def test_segments_that_are_alike_are_said_to_be():
    found = buying_model(kinds(times=1.0), "mbg_nbd", by="kind")
    assert found.comparison.iloc[-1]["p_value"] > 0.01
    assert "Nothing shows that the segments" in found.describe()


def test_it_is_kept_drawn_and_counted_like_any_other(tmp_path):
    again = BuyingModel.from_json(FOUND.to_json())
    assert_frame_equal(again.predict(log=LOG), FOUND.predict())
    assert_frame_equal(again.comparison, FOUND.comparison)
    assert again.describe() == FOUND.describe()
    stored = pickle.loads(pickle.dumps(FOUND))
    assert_frame_equal(stored.predict(log=LOG), FOUND.predict())
    metrics = FOUND.metrics()
    assert not metrics.duplicated(["name", "segment", "period", "definition"]).any()
    assert set(metrics["segment"]) == {"quick", "slow"}
    each = FOUND.predict()
    assert not each["customer"].duplicated().any()
    assert len(each) == FOUND.summary["customers"].sum() == LOG.n_customers
    first = FOUND.frequency.iloc[0]
    assert len(FOUND.customers(0)) == first["customers"]
    top = FOUND.figure().axes[0]
    assert [label.get_text() for label in top.get_yticklabels()] == ["quick", "slow"]
    for code in ("he", "tr", "id"):
        with language(code):
            assert "quick" in FOUND.describe()
    assert "quick" in FOUND._repr_html_()
    with pytest.raises(ParameterError, match="row must be one of"):
        FOUND.customers("brisk")


def test_in_buckets_it_is_the_same():
    piecewise = buying_model(LOG.in_buckets(7), "mbg_nbd", by="kind", holdout="60d")
    assert_frame_equal(piecewise.summary, FOUND.summary, rtol=1e-7)
    assert_frame_equal(piecewise.comparison, FOUND.comparison, rtol=1e-5)


def test_segments_that_tell_nothing_are_counted():
    log = LOG.with_customers(pd.DataFrame({"customer": LOG.customers, "size": ["tiny"] * 3 + ["usual"] * 1197}))
    found = buying_model(log, "mbg_nbd", by="size")
    assert list(found.segments) == ["usual"]
    assert "buying.not_learnt" in found.left_out["reason"].tolist()
    assert found.left_out.set_index("reason")["customers"]["buying.not_learnt"] == 3
    assert list(found.params["not_learnt"]) == ["tiny"]
    once = make_log([("a", "o", 0, "x"), ("b", "o", 1, "y")], columns=["kind"], observed_until=9)
    with pytest.raises(ParameterError, match="no segment of 'kind' can be learnt from: 'x': nobody"):
        buying_model(once, by="kind")


def test_what_came_later_sorts_nobody():
    known = {"customer": LOG.customers[:200], "club": "loyal", "since": pd.Timestamp("2024-06-01")}
    log = LOG.with_customers(pd.DataFrame(known), known_at="since")
    with pytest.raises(ParameterError, match="only after their first purchase"):
        buying_model(log, by="club")


# -- what purchases are worth -----------------------------------------------------------------


def test_value_is_learnt_where_the_log_has_any():
    shop = simulated_log(n=600)
    found = buying_model(shop, "mbg_nbd")
    assert found.params["spend"] == "gamma_gamma"
    assert_frame_equal(found.table, buying_model(shop, "mbg_nbd", "gamma_gamma").table)
    assert "expected_value" in found.predict()
    assert "expected_value" not in buying_model(shop, "mbg_nbd", None).predict()


def test_amounts_that_tell_nothing_are_no_error_unless_asked_for():
    frame = LOG.frame(["customer", "time", "touchpoint"]).assign(value=5.0)
    log = read_log(frame, value="value", observed_until=LOG.ends_at, duplicates="keep")
    found = buying_model(log, "mbg_nbd")
    assert found.params["spend"] is None
    assert "spend" in found.params["spend_refused"]
    assert "could not be learnt from the amounts" in found.describe()
    with pytest.raises(ParameterError, match="spend=None"):
        buying_model(log, "mbg_nbd", "gamma_gamma")


def test_each_segment_is_as_likely_by_its_own_model_as_by_that_of_all():
    log = load_sample("guitar_shop")
    asked = {"purchase": "order", "holdout": "90d", "spend": None}
    apart, alike = (buying_model(log, "mbg_nbd", by=by, **asked) for by in ("channel", None))
    gained = apart.summary["log_likelihood"].sum() - alike.summary["log_likelihood"].item()
    assert gained > 0  # from another start the way up ends 8 lower for the app, with three times as many customers
    assert apart.comparison["statistic"].dropna().item() == pytest.approx(2 * gained)
