"""Two results compared: by hand, against a slow reference, in buckets; what is refused, and what is said."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import journeykit as jk
from journeykit.analyses.churn.comparing import curve_scores
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.differences import clustered_difference, holm, joint_sums
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier, restricted_mean
from journeykit.results.base import Result
from journeykit.results.comparing.say import difference_words
from journeykit.text import has_label, language
from tests.helpers import event_rows, make_log

FEB, MAR, APR = 31, 60, 91


def arm(name, customers, orders):
    """Visitors of whom some order the day after."""
    rows = [(f"{name}{i}", "visit", 1.0) for i in range(customers)]
    return rows + [(f"{name}{i}", "order", 2.0) for i in range(orders)]


def funnel_of(rows, **options):
    return jk.funnel(make_log(rows, observed_until=30), ["visit", "order"], within="7d", **options)


OLD, NEW = funnel_of(arm("a", 80, 48)), funnel_of(arm("b", 70, 56))


# -- by hand -----------------------------------------------------------------------------------


def test_arms_without_a_common_customer_have_newcombes_interval():
    # Newcombe (1998), table II, example a: 56/70 and 48/80, method 10: 0.0524 to 0.3339.
    found = jk.compare(OLD, NEW)
    row = found.table.iloc[0]
    assert (row["step"], row["measure"], row["estimate_a"], row["estimate_b"]) == ("order", "step_rate", 0.6, 0.8)
    bounds = row[["difference", "difference_low", "difference_high"]].tolist()
    assert bounds == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)
    # The "N - 1" chi-squared test: (150 - 1)/150 of Pearson's 7.0262; its upper tail is 0.0083.
    assert row["p_value"] == row["p_value_holm"] == pytest.approx(0.0083, abs=5e-5)
    assert row["ratio"] == pytest.approx(4 / 3)
    assert found.summary[["customers_a", "customers_b", "customers_shared"]].iloc[0].tolist() == [80, 70, 0]
    assert found.summary["method"].item() == "disjoint customers"


def test_the_same_customers_before_and_after_are_paired():
    # Ten customers visit in both months; four order in January, of whom three do in March, and three more.
    january, march = {0, 1, 2, 3}, {1, 2, 3, 4, 5, 6}
    rows = [(f"c{i}", "visit", day) for i in range(10) for day in (1.0, MAR + 1.0)]
    rows += [(f"c{i}", "order", 2.0) for i in january] + [(f"c{i}", "order", MAR + 2.0) for i in march]
    log = make_log(rows, observed_until=APR)
    first, then = (
        jk.funnel(log, ["visit", "order"], within="7d", between=between)
        for between in (("2024-01-01", "2024-02-01"), ("2024-03-01", "2024-04-01"))
    )
    found = jk.compare(first, then)
    # d = 0.2; the ten differences are -1 once, +1 three times, 0 else: s² = (4 - 10 · 0.04)/9 = 0.4.
    half = 2.262 * np.sqrt(0.4 / 10)
    bounds = found.table[["difference", "difference_low", "difference_high"]].iloc[0].tolist()
    assert bounds == pytest.approx([0.2, 0.2 - half, 0.2 + half], abs=1e-3)
    assert found.summary["method"].item() == "shared customers"
    assert found.summary["customers_shared"].item() == 10
    assert found.customers().tolist() == [f"c{i}" for i in range(10)]


def test_the_family_is_every_difference_of_the_result():
    rng = np.random.default_rng(1)
    rows = [(f"{side}{i}", "visit", d) for side in "ab" for i in range(60) for d in rng.choice(APR, 4)]
    log = make_log(rows, observed_until=APR)
    results = [jk.retention(log.customers_where([c for c in log.customers if c[0] == side])) for side in "ab"]
    table = jk.compare(*results).table
    assert table["measure"].tolist() == ["back_rate", "back_rate", "curve_rate"]
    assert table["p_value_holm"].tolist() == pytest.approx(holm(table["p_value"].to_numpy()).tolist())


def test_curves_of_retention_are_compared_over_the_ages_that_both_have():
    short = make_log([("a", "visit", 1), ("a", "visit", FEB), ("b", "visit", 2)], observed_until=MAR)
    rows = [(name, "visit", day) for name in "xyz" for day in (1.0, FEB + 1.0, MAR + 1.0)]
    long = make_log(rows, observed_until=APR)
    table = jk.compare(jk.retention(short), jk.retention(long)).table
    assert table["age"].tolist() == [1]  # a month later; the second only one of them has
    assert (table["estimate_a"].item(), table["estimate_b"].item()) == (0.5, 1.0)


def test_counts_are_compared_without_an_interval():
    a, b = (
        jk.active_customers(make_log([(f"c{i}", "visit", 1.0) for i in range(n)], observed_until=FEB)) for n in (4, 6)
    )
    row = jk.compare(a, b).table.set_index("measure").loc["mean_active"]
    assert (row["estimate_a"], row["estimate_b"]) == pytest.approx((4 / 30, 6 / 30))  # the log begins on the second
    assert row["ratio"] == pytest.approx(1.5)
    assert row[["difference_low", "ratio_low", "p_value"]].isna().all()


def test_values_of_sums_are_compared_without_an_interval():
    logs = [
        make_log(
            [(name, "order", day, 5.0) for day in (1.0, FEB)], observed_until=MAR, columns=["value"], value="value"
        )
        for name in "ab"
    ]
    row = jk.compare(*(jk.retention(log, measure="sum") for log in logs)).table.iloc[0]
    assert (row["measure"], row["difference"]) == ("sum_value", 0)
    assert np.isnan(row["difference_low"])


@pytest.mark.parametrize("b", ["strangers", "the same"])
def test_there_is_no_ratio_of_a_gain_and_a_loss(b):
    def spent(name, values):
        rows = [(f"{name}{i}", "order", day, v) for i, own in enumerate(values) for day, v in ((1.0, 1.0), (FEB, own))]
        log = make_log(rows, observed_until=MAR, columns=["value"], value="value")
        return jk.retention(log, measure="mean", horizon=1)

    gains, losses = spent("a", [4.0, 5.0, 6.0]), spent("a" if b == "the same" else "b", [-2.0, -3.0, -5.0])
    row = jk.compare(gains, losses).table.iloc[0]
    assert row["difference"] == pytest.approx(-10 / 3 - 5)
    assert row[["ratio", "ratio_low", "ratio_high"]].isna().all()


# -- who may differ ----------------------------------------------------------------------------


def test_segments_of_both_are_compared_one_by_one_and_who_is_on_one_side_stays():
    rows = [(f"{s}{i}", "visit", 1.0, s) for s in ("app", "web") for i in range(8)]
    rows += [(f"{s}{i}", "order", 2.0, s) for s in ("app", "web") for i in range(4)]
    other = [(f"{s}{i}", "visit", 1.0, s) for s in ("app", "tv") for i in range(10, 18)]
    options = {"columns": ["channel"], "channel": "channel", "observed_until": 30}
    steps = ["visit", jk.Step("order")]
    a, b = (jk.funnel(make_log(r, **options), steps, within="7d", by="channel") for r in (rows, other))
    table = jk.compare(a, b).table.set_index("segment")
    assert set(table.index) >= {"app", "web", "tv"}
    assert table.loc["app", "difference"] == pytest.approx(-0.5)
    assert table.loc[["web", "tv"], ["difference", "p_value"]].isna().all().all()


def test_where_the_split_differs_the_whole_is_compared():
    options = {"columns": ["channel"], "channel": "channel", "observed_until": 30}
    rows = [(*row, "app") for row in arm("a", 20, 10)]
    a = jk.funnel(make_log(rows, **options), ["visit", "order"], within="7d", by="channel")
    b = jk.funnel(make_log([(*row, "web") for row in arm("b", 20, 5)], **options), ["visit", "order"], within="7d")
    table = jk.compare(a, b).table
    assert "segment" not in table
    assert table["difference"].item() == pytest.approx(-0.25)


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        (OLD, jk.stickiness(make_log([("x", "visit", 1)], observed_until=9)), "FunnelResult and StickinessResult"),
        (OLD, "no result", "b must be a result"),
        (OLD, funnel_of(arm("c", 9, 3), order="strict"), "order='ordered' and order='strict'"),
        (
            OLD,
            jk.funnel(make_log(arm("c", 9, 3), observed_until=30), ["visit", "order"], within="14d"),
            r"within=Timedelta\('7 days 00:00:00'\) and within=Timedelta\('14 days 00:00:00'\)",
        ),
        (
            OLD,
            jk.funnel(make_log(arm("c", 9, 3), observed_until=30), ["order", "visit"], within="7d"),
            r"steps=\['visit', 'order'\] and steps=\['order', 'visit'\]",
        ),
        (OLD, funnel_of(arm("c", 9, 3), confidence=0.9), "confidence=0.95 and confidence=0.9"),
    ],
)
def test_what_was_asked_differently_is_refused_and_named(a, b, says):
    with pytest.raises(ParameterError, match=says):
        jk.compare(a, b)


def test_odd_arguments_are_refused():
    with pytest.raises(ParameterError, match="two different words"):
        jk.compare(OLD, NEW, names=("x", "x"))
    with pytest.raises(ParameterError, match="2 numbers above 0"):
        jk.compare(OLD, NEW, expected_ratio=(1, -1))
    with pytest.raises(LogError):
        jk.compare(OLD, NEW, split_by="channel")


# -- stored results ----------------------------------------------------------------------------


def test_a_result_without_its_log_leaves_plain_differences_and_says_why():
    stored = pickle.loads(pickle.dumps(OLD))
    found = jk.compare(stored, NEW)
    assert found.table["difference"].item() == pytest.approx(0.2)
    assert found.table[["difference_low", "p_value", "ratio_low"]].isna().all().all()
    assert found.summary["method"].item() == "customers not known"
    assert "nobody knows which customers are behind both" in found.describe()
    assert_frame_equal(jk.compare(stored, NEW, logs=(OLD.log, None)).table, jk.compare(OLD, NEW).table)
    with pytest.raises(ParameterError, match="logs="):
        jk.compare(stored, NEW, expected_ratio=(1, 1))


def test_nothing_of_a_customer_is_in_the_stored_comparison():
    found = pickle.loads(pickle.dumps(jk.compare(OLD, NEW)))
    assert b"a17" not in pickle.dumps(found)
    assert found.describe()
    with pytest.raises(LogError, match="without their logs"):
        found.customers()
    assert len(found.customers("b", log=(OLD.log, NEW.log))) == 70


def test_kinds_that_cannot_say_who_did_what_are_compared_by_their_intervals():
    @dataclass(frozen=True, eq=False, repr=False)
    class Plain(Result):
        topic: ClassVar[str] = "core"

    def plain(log):
        table = pd.DataFrame({"channel": ["app"], "n": [9], "use_rate": 0.5, "use_rate_low": 0.3, "use_rate_high": 0.7})
        nothing = pd.DataFrame({"reason": [], "customers": []})
        return Plain(table, table, table, nothing, {"definition": "plain/1", "confidence": 0.95}, log)

    found = jk.compare(plain(OLD.log), plain(NEW.log))
    assert found.table["difference_high"].item() == pytest.approx(np.sqrt(0.08))
    shared = jk.compare(plain(OLD.log), plain(OLD.log))
    assert shared.summary["method"].item() == "shared customers, not scored"
    assert shared.table["difference_low"].isna().all()


def met_errors(name, errors, causes=None):
    rows = [(f"{name}{i}", "cart", 0.0) for i in range(40)] + [(f"{name}{i}", "slow_page", 1.0) for i in range(9)]
    rows += [(f"{name}{i}", "payment_error", 2.0) for i in range(errors)]
    return jk.friction(make_log([*rows, (f"{name}39", "order", 3.0)], observed_until=60), causes=causes)


def test_an_error_that_nobody_meets_any_more_may_be_compared_with_what_it_was():
    found = jk.compare(met_errors("a", 10), met_errors("b", 0)).table
    rows = found[found["measure"] == "met_rate"].set_index("cause")["difference"]
    assert rows["slow_page"] == 0
    assert np.isnan(rows["payment_error"])  # not in the second log, which is no zero
    named = [{"slow": jk.Step("slow_page"), "error": jk.Step(name)} for name in ("payment_error", "error_page")]
    with pytest.raises(ParameterError, match="causes="):
        jk.compare(met_errors("a", 10, named[0]), met_errors("b", 0, named[1]))


def test_what_does_not_apply_is_no_part_of_a_rows_name():
    log = jk.load_sample("guitar_shop_small")
    asked = {"within": "14d", "target": {"order": 1.0}, "by": [], "causes": {"error": "payment_error"}}
    found = jk.compare(*(jk.opportunities(log, ["cart", "order"], replicates=20, **asked) for _ in "ab"))
    assert "leak.cart.order.target.lost_customers.difference" in found.metrics()["name"].tolist()
    assert not found.shown()["compared"].str.contains("–").any()


# -- arms of an experiment -----------------------------------------------------------------------


def test_a_sample_ratio_that_is_off_is_said():
    off = jk.compare(funnel_of(arm("a", 300, 30)), funnel_of(arm("b", 200, 30)), expected_ratio=(1, 1))
    row = off.summary.iloc[0]
    assert (row["arm_a"], row["arm_b"], row["expected_a"]) == (300, 200, 250)
    assert row["sample_ratio_p_value"] < 0.001
    assert row["sample_ratio_off"]
    assert "The sample ratio is off: 300" in off.describe()
    assert off.metrics()["name"].iloc[-1] == "sample_ratio_p_value"
    fine = jk.compare(OLD, NEW, expected_ratio=(8, 7))
    assert fine.summary["sample_ratio_p_value"].item() == pytest.approx(1)
    assert not fine.summary["sample_ratio_off"].item()
    assert "as expected" in fine.describe()


def test_arms_are_made_of_customers_and_not_of_their_sessions():
    def visits(name, days):
        log = make_log([(f"{name}{i}", "visit", float(d)) for i in range(40) for d in range(days)], observed_until=30)
        return jk.stickiness(log.rekey("session", gap="2h"))

    row = jk.compare(visits("a", 2), visits("b", 5), expected_ratio=(1, 1)).summary.iloc[0]
    assert (row["arm_a"], row["arm_b"]) == (40, 40)
    assert not row["sample_ratio_off"]


def test_customers_in_both_arms_are_said():
    both = jk.compare(OLD, funnel_of([*arm("b", 70, 56), ("a3", "visit", 1.0)]), expected_ratio=(1, 1))
    assert "should have nobody, are 1 customer." in both.describe()


# -- mix and own rates -------------------------------------------------------------------------


def test_a_change_between_periods_is_split_as_by_hand():
    # app: 80 visitors of whom 40 order, then 40 and 20; web: 20 and 2, then 60 and 12.
    def month(begin, groups):
        rows = []
        for channel, customers, orders in groups:
            for i in range(customers):
                rows.append((f"{begin}{channel}{i}", "visit", begin + 1.0, channel))
                if i < orders:
                    rows.append((f"{begin}{channel}{i}", "order", begin + 2.0, channel))
        return rows

    rows = month(0, [("app", 80, 40), ("web", 20, 2)]) + month(FEB, [("app", 40, 20), ("web", 60, 12)])
    log = make_log(rows, observed_until=MAR, columns=["channel"], channel="channel")
    results = [
        jk.funnel(log, ["visit", "order"], within="7d", between=between)
        for between in (("2024-01-01", "2024-02-01"), ("2024-02-01", "2024-03-01"))
    ]
    found = jk.compare(*results, split_by="channel")
    rows = found.split.set_index("segment")
    # Rates 0.5 and 0.1, then 0.5 and 0.2; shares 0.8 and 0.2, then 0.4 and 0.6.
    assert rows.loc["overall", "rate_difference"] == pytest.approx(0.32 - 0.42)
    assert rows.loc["web", "own_rate_difference"] == pytest.approx(0.4 * 0.1)
    assert rows.loc["overall", "mix_rate_difference"] == pytest.approx(-0.4 * 0.5 + 0.4 * 0.15)
    assert "segment" not in found.table
    assert "the mix of groups" in found.describe()
    same = [result.split_by("channel") for result in results]
    assert_frame_equal(jk.compare(*same).split, found.split)  # asked with the same by: split anyway


def test_a_cohorts_change_is_the_same_by_compare_and_by_split_change():
    rng = np.random.default_rng(2)
    rows = []
    for i in range(120):
        month, channel = (0, FEB)[i % 2], rng.choice(["app", "web"])
        rows.append((f"c{i}", "visit", month + 1.0, channel))
        if rng.random() < 0.5:
            rows.append((f"c{i}", "visit", (FEB, MAR)[i % 2] + 2.0, channel))
    log = make_log(rows, observed_until=APR, columns=["channel"], channel="channel")
    one, other = (
        jk.retention(log, between=between, horizon=1)
        for between in (("2024-01-01", "2024-02-01"), ("2024-02-01", "2024-03-01"))
    )
    split = jk.compare(one, other, split_by="channel").split.drop(columns=["age", "measure"])
    assert_frame_equal(split, jk.retention(log, by="channel").split_change("2024-01", "2024-02"))


def test_what_is_no_rate_of_customers_is_not_split():
    curves = [jk.survival_curve(log, churn=jk.Inactivity("5d")) for log in (OLD.log, NEW.log)]
    assert jk.compare(*curves).split.empty
    with pytest.raises(ParameterError, match="can't be asked again"):
        jk.compare(*curves, split_by="channel")


# -- a slow reference --------------------------------------------------------------------------

ASKED = {
    "retention": lambda log: jk.retention(log, period="week"),
    "every": lambda log: jk.retention(log, period="week", cohort="every"),
    "or after": lambda log: jk.retention(log, period="week", mode="on_or_after", horizon=2),
    "rolling": lambda log: jk.retention(log, period="week", windows="rolling", horizon=2, start=jk.Step("A")),
    "previous": lambda log: jk.retention(log, period="week", base="previous", back=jk.Step("B")),
    "lifecycle": lambda log: jk.lifecycle(log, period="week"),
    "stickiness": lambda log: jk.stickiness(log, of=jk.Step(("A", "B"))),
    "active": lambda log: jk.active_customers(log, within="week"),
    "funnel": lambda log: jk.funnel(log, [jk.Step("A"), jk.Step("B")], within="5d"),
    "trend": lambda log: jk.funnel_trend(log, [jk.Step("A"), jk.Step("B")], within="2d", period="week"),
    "attempts": lambda log: jk.funnel(log, [jk.Step("A"), jk.Step("B")], within="2d", count="attempts"),
    "sessions": lambda log: jk.stickiness(log.rekey("session", gap="2d")),  # several units of one customer
}


def parts_of(kind, result):
    """What one customer has in each row: read from the result of a log of nobody else."""
    if kind in ("retention", "every", "or after", "rolling", "previous"):
        rows = result.summary[(result.summary["age"] > 0) & (result.summary["cohorts"] > 0)]
        return {row["age"]: (row["back"], row["base"]) for row in rows.to_dict("records")}
    if kind == "lifecycle":
        row = result.summary.iloc[0]
        parts = {"": (row["returning"], row["base"])}
        finished = result.table[result.table["status"] == "finished"]
        return parts | {str(row["period"]): (row["returning"], row["base"]) for row in finished.to_dict("records")}
    if kind in ("stickiness", "sessions"):
        row = result.summary.iloc[0]
        active = round(row["mean_periods"] * row["customers"]) if row["customers"] else 0
        parts = {"": (active, row["periods"] * row["customers"])}
        at_least = zip(result.table["active_periods"], result.table["at_least"], strict=True)
        return parts | {str(k): (n, row["customers"]) for k, n in at_least if k > 1}
    if kind == "active":
        rows = result.summary[result.summary["status"] == "finished"].to_dict("records")
        each = {
            str(row["window"]): (row["mean_active"] * row["periods"], row["customers"] * row["periods"]) for row in rows
        }
        return each | {"": tuple(np.sum(list(each.values()), axis=0)) if each else (0, 0)}
    if kind == "trend":
        row, rows = result.summary.iloc[0], result.table[result.table["method"] == "observed"]
        each = {str(row["period"]): (row["converted"], row["customers"]) for row in rows.to_dict("records")}
        return each | {"": (row["converted"], row["customers"])}
    mature = result.table["attempts_mature" if kind == "attempts" else "customers_mature"].tolist()
    return {"B": (mature[1], mature[0])}


@pytest.mark.parametrize("kind", list(ASKED))
@settings(max_examples=6, deadline=None)
@given(rows=event_rows(customers="abcdefg", min_size=6, max_time=40), cut=st.integers(8, 30))
def test_shared_customers_have_the_variance_of_their_score_differences(kind, rows, cut):
    if kind == "rolling" and not any(touchpoint == "A" for _, touchpoint, _ in rows):
        return
    log = make_log(rows, observed_until=43)
    end = log.starts_at.normalize() + pd.Timedelta(f"{cut}D")
    if not log.starts_at < end < log.ends_at:
        return
    halves = [log.between(None, end), log.between(end, None)]
    if not all(half.n_customers for half in halves):
        return
    results = [ASKED[kind](half) for half in halves]
    found = jk.compare(*results)
    pieces = jk.compare(*(ASKED[kind](half.in_buckets(7)) for half in halves))
    assert_frame_equal(found.table, pieces.table)
    assert_frame_equal(found.summary, pieces.summary)
    if found.summary["method"].item() != "shared customers":
        return
    alone = []
    for half in halves:  # everybody alone, with what the whole log observes
        alone.append({c: parts_of(kind, ASKED[kind](half.customers_where([c]))) for c in half.customers})
    for row in found.table.to_dict("records"):
        if row["measure"] in ("curve_rate", "mean_active") or np.isnan(row["difference_low"]):
            continue
        key = row[found.keys[-1]]
        ids = sorted(set(alone[0]) | set(alone[1]))
        counts = [[side.get(c, {}).get(key, (0, 0)) for c in ids] for side in alone]
        some = [i for i in range(len(ids)) if any(any(side[i]) for side in counts)]
        (x_a, n_a), (x_b, n_b) = ((np.array(side)[some]).T for side in counts)
        slow = clustered_difference(joint_sums(x_b, n_b, x_a, n_a)).iloc[0]
        for name in ("difference", "difference_low", "difference_high", "p_value"):
            assert row[name] == pytest.approx(slow[name], abs=1e-9), (kind, key, name)


def test_simple_means_of_cohorts_have_scores_too():
    rng = np.random.default_rng(4)
    rows = [(f"c{i}", "visit", d) for i in range(80) for d in rng.choice(APR, 5)]
    log = make_log(rows, observed_until=APR)
    result = jk.retention(log, mean="simple")
    rows = result.comparable(result)
    scores = rows.scores([0])[0].to_numpy()
    cohorts = result.table[
        (result.table["age"] == 1) & (result.table["status"] == "finished") & (result.table["base"] > 0)
    ]
    expected = (
        sum(p * (1 - p) / n for p, n in zip(cohorts["back_rate"], cohorts["base"], strict=True)) / len(cohorts) ** 2
    )
    assert np.nansum(scores**2) == pytest.approx(expected)


def test_means_of_values_are_paired_by_customer():
    rng = np.random.default_rng(6)
    spent = rng.exponential(20, (30, 2)).round(2)
    rows = [(f"c{i:02}", "order", day, value) for i in range(30) for day, value in ((1.0, 1.0), (MAR + 1.0, 1.0))]
    rows += [(f"c{i:02}", "order", day, spent[i, k]) for i in range(30) for k, day in enumerate((FEB + 1.0, APR + 1.0))]
    log = make_log(rows, observed_until=APR + 30, columns=["value"], value="value")
    a, b = (
        jk.retention(each, measure="mean", horizon=1, between=between)
        for each, between in (
            (log.between(None, "2024-03-01"), ("2024-01-01", "2024-02-01")),
            (log.between("2024-03-01", None), ("2024-03-01", "2024-04-01")),
        )
    )
    stats = pytest.importorskip("scipy.stats")
    row = jk.compare(a, b).table.iloc[0]
    assert row["p_value"] == pytest.approx(stats.ttest_rel(spent[:, 1], spent[:, 0]).pvalue)


# -- survival ----------------------------------------------------------------------------------

tenure = st.tuples(st.integers(0, 5), st.integers(1, 12), st.booleans())


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(tenure, min_size=2, max_size=15), age=st.integers(1, 12))
def test_scores_of_a_curve_are_its_derivatives_by_each_customers_weight(rows, age):
    table = pd.DataFrame(rows, columns=["enters_days", "length", "event"]).astype({"enters_days": float})
    table["duration_days"] = table["enters_days"] + table["length"]

    def estimates(weights):
        risk = risk_table(table["duration_days"], table["event"], enters=table["enters_days"], weight=weights)
        found = curve_at(kaplan_meier(risk), [age])["survival"].iloc[0], restricted_mean(risk, age)["mean"].iloc[0]
        return risk, np.array(found, dtype=float)

    risk, whole = estimates(np.ones(len(rows)))
    at_once = risk["events"] >= risk["at_risk"]
    if at_once[risk["at_risk"] > 0].any() or np.isnan(whole).any():
        return  # a curve that falls to 0, or is not watched so far, has no derivative there
    for place, measure in enumerate(("survival", "mean_days")):
        scores = curve_scores(risk, table, measure, age)
        for i in range(len(rows)):
            slopes = []
            for step in (1e-5, -1e-5):
                weights = np.ones(len(rows))
                weights[i] += step
                slopes.append((estimates(weights)[1][place] - whole[place]) / step)
            assert scores[i] == pytest.approx(np.mean(slopes), abs=1e-5)


def test_curves_are_read_at_the_nearer_horizon():
    rng = np.random.default_rng(8)
    tenures = [
        jk.Tenures.from_durations(rng.exponential(scale, 300).clip(1, end).round(), rng.random(300) < 0.7)
        for scale, end in ((100, 400), (160, 200))
    ]
    a, b = (jk.survival_curve(each, horizon=horizon) for each, horizon in zip(tenures, (365, 180), strict=True))
    table = jk.compare(a, b).table
    assert table["time_days"].max() == 180
    assert table["measure"].tolist() == ["mean_days"] + ["survival"] * (len(table) - 1)


def test_a_curve_of_the_same_customers_is_no_comparison_of_strangers():
    log = jk.load_sample("guitar_shop")
    a = jk.survival_curve(log, churn=jk.Inactivity("60d"), horizon="180d")
    b = jk.survival_curve(log.where(channel=["web", "app"]), churn=jk.Inactivity("60d"), horizon="180d")
    found = jk.compare(a, b)
    assert found.summary["method"].item() == "shared customers"
    paired = found.table.iloc[0]
    strangers = np.hypot(*(np.diff(each.summary[["mean_days_low", "mean_days_high"]].iloc[0]) for each in (a, b)))[0]
    assert 0 < paired["difference_high"] - paired["difference_low"] < strangers


@pytest.mark.parametrize("count", ["customers", "attempts"])
def test_scores_of_a_conversion_curve_have_the_variance_of_its_interval(count):
    log = jk.load_sample("guitar_shop")
    result = jk.conversion_curve(log, ["product_page", "cart", "order_confirmation"], within="14d", count=count)
    rows = result.comparable(result)
    place = int(np.flatnonzero(rows.rows["measure"] == "mean_seconds")[0])
    scores = rows.scores([place])[place].dropna()
    c = len(scores)
    variance = (scores**2).sum() * (c / (c - 1) if count == "attempts" else 1)
    low, high = result.summary[["mean_seconds_low", "mean_seconds_high"]].iloc[0]
    assert 1.959964 * np.sqrt(variance) == pytest.approx((high - low) / 2, rel=1e-6)


# -- words and pictures ------------------------------------------------------------------------


def several():
    rng = np.random.default_rng(3)
    rows = [(f"{s}{i}", t, d, c) for s in "ab" for i in range(40) for t, d, c in [
        (rng.choice(["visit", "order"]), float(day), rng.choice(["app", "web"])) for day in rng.choice(APR, 4)
    ]]  # fmt: skip
    log = make_log(rows, observed_until=APR, columns=["channel"], channel="channel")
    return log.between(None, "2024-02-15"), log.between("2024-02-15", None)


KINDS = {
    "funnel": lambda log: jk.funnel(log, ["visit", "order"], within="7d"),
    "retention": lambda log: jk.retention(log, period="week"),
    "days": lambda log: jk.retention(log, period="day"),
    "lifecycle": lambda log: jk.lifecycle(log, period="week"),
    "stickiness": lambda log: jk.stickiness(log, by="channel"),
    "active": lambda log: jk.active_customers(log, within="week"),
    "survival": lambda log: jk.survival_curve(log, churn=jk.Inactivity("7d")),
    "conversion": lambda log: jk.conversion_curve(log, ["visit", "order"], by="channel"),
    "trend": lambda log: jk.funnel_trend(log, ["visit", "order"], within="7d", period="week"),
}


@pytest.mark.parametrize(
    ("measure", "ends", "said"),
    [
        ("mean_days", (-7.6, -8.3, -6.9), "\u2066-7.6\u2069 ימים \u2066[-8.3, -6.9]\u2069"),
        ("mean_days", (7.6, -0.4, 15.0), "\u2066+7.6\u2069 ימים \u2066[-0.4, +15]\u2069"),
        ("survival", (-0.44, -0.48, -0.41), "\u2066-44.0\u2069 נק׳ אחוז \u2066[-48.0, -41.0]\u2069"),
        ("survival", (0.044, np.nan, np.nan), "\u2066+4.4\u2069 נק׳ אחוז"),
    ],
)
def test_signs_and_intervals_keep_their_side_in_hebrew(measure, ends, said):
    names = ("difference", "difference_low", "difference_high")
    with language("he"):
        words = difference_words({"measure": measure, **dict(zip(names, ends, strict=True))})
    # Two marks around each number, and none of them shown as a name's control character would be.
    assert words == said


@pytest.mark.parametrize("code", ["en", "he"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_comparison_speaks_and_is_drawn_in_every_language(kind, code):
    split = {"split_by": "channel"} if kind in ("funnel", "lifecycle") else {}
    found = jk.compare(*(KINDS[kind](log) for log in several()), names=("before", "after"), **split)
    with language(code):
        columns = [*found.table, *found.summary, *found.split, *found.left_out, *found.shown()]
        assert [name for name in columns if name not in ("before", "after") and not has_label(name)] == []
        assert found.describe()
        assert found._repr_html_()
        found.figure().canvas.draw()
    assert "before" in repr(found)
    assert found.metrics()["definition"].iloc[0].startswith("compare/1")


def test_the_picture_draws_the_table():
    found = jk.compare(OLD, NEW)
    (marks,) = found.plot().containers
    assert marks.lines[0].get_xdata().tolist() == pytest.approx([20])
    assert "compare/1 funnel/1" in found.definition


# -- coverage ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["retention", "stickiness", "funnel"])
def test_intervals_cover_the_true_difference(kind, shared):
    rng = np.random.default_rng(19)
    runs, n, hits = 300, 120, 0
    for _ in range(runs):
        ids = [[f"c{i}" for i in range(n)], [f"c{i}" if i < shared * n else f"d{i}" for i in range(n)]]
        habit = dict(zip(dict.fromkeys(ids[0] + ids[1]), rng.normal(0, 1, 2 * n), strict=False))
        rows = []
        for month, begin in enumerate((0.0, 60.0)):
            for who in ids[month]:
                rows.append((who, "visit", begin))
                # Who is inclined to come back is so both times: 40%, then 55%.
                leaning = 0.7 * habit[who] + np.sqrt(0.51) * rng.normal()
                if leaning < (-0.2533, 0.1257)[month]:
                    rows.append((who, "order", begin + 7.0))
        log = make_log(rows, observed_until=120)
        halves = log.between(None, "2024-03-01"), log.between("2024-03-01", None)
        if kind == "retention":
            results = [jk.retention(half, windows="rolling", period="week", horizon=1) for half in halves]
        elif kind == "stickiness":
            results = [jk.stickiness(half, period="week") for half in halves]
        else:
            results = [jk.funnel(half, ["visit", "order"], within="7d") for half in halves]
        found = jk.compare(*results)
        row = found.table.iloc[0]
        truth = 0.15
        if kind == "stickiness":
            periods = [result.summary["periods"].item() for result in results]
            truth = 1.55 / periods[1] - 1.4 / periods[0]
        hits += row["difference_low"] <= truth <= row["difference_high"]
        assert found.summary["customers_shared"].item() == int(shared * n)
    assert 0.92 <= hits / runs <= 0.98


def test_a_result_given_another_log_is_compared_by_it():
    other = replace(OLD, log=NEW.log)
    assert other.comparable(NEW).customers().tolist() == NEW.comparable(OLD).customers().tolist()
