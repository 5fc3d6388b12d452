"""Trends of conversion: by hand, against a slow reference and the funnel, in any zone, and in seven buckets."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journeykit as jk
from journeykit.analyses.conversion import funnel_trend
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.differences import clustered_difference, joint_sums
from journeykit.estimators.proportions import wilson
from journeykit.journey.packing import Packing
from tests.analyses.conversion.conversion_reference import slow_periods
from tests.helpers import event_rows, make_log, shuffle

# 2024-01-01 is a Monday.


def numbers(trend, *columns: str) -> list:
    return trend.table[list(columns)].to_numpy().tolist()


def test_a_customer_counts_once_in_each_period_of_entry():
    rows = [("a", "A", 0), ("a", "A", 2), ("a", "B", 3), ("a", "A", 8), ("b", "A", 1)]
    trend = funnel_trend(make_log(rows, observed_until=28), ["A", "B"], within="7d")
    assert numbers(trend, "customers", "converted") == [[2, 1], [1, 0], [0, 0], [0, 0]]
    assert trend.table["conversion_rate"].tolist()[:2] == [0.5, 0]
    assert trend.table["period"].astype(str).tolist()[0] == "2024-01-01/2024-01-07"
    assert "Over all finished periods it was 33.3%" in trend.describe()
    assert "of 3 entries" in trend.describe()  # customer a entered in two periods


def test_a_second_step_1_restarts_the_clock_of_an_unconverted_period_or_the_first_keeps_it():
    # Within 3 days: too late from day 0, in time from day 4.
    log = make_log([("a", "A", 0), ("a", "A", 4), ("a", "B", 6)], observed_until=28)
    assert numbers(funnel_trend(log, ["A", "B"], within="3d"), "converted")[0] == [1]
    assert numbers(funnel_trend(log, ["A", "B"], within="3d", clock="first"), "converted")[0] == [0]


def test_a_converted_period_is_closed():
    # Converted on day 1; the second order after another visit changes nothing, the time neither.
    log = make_log([("a", "A", 0), ("a", "B", 1), ("a", "A", 2), ("a", "B", 6)], observed_until=28)
    trend = funnel_trend(log, ["A", "B"], within="5d")
    assert numbers(trend, "customers", "converted", "median_seconds")[0] == [1, 1, 86_400]


def test_the_time_is_that_of_the_latest_step_1_before():
    log = make_log([("a", "A", 0), ("a", "A", 3), ("a", "B", 4)], observed_until=28)
    assert numbers(funnel_trend(log, ["A", "B"], within="7d"), "median_seconds")[0] == [86_400]
    assert numbers(funnel_trend(log, ["A", "B"], within="7d", clock="first"), "median_seconds")[0] == [4 * 86_400]


def test_an_attempt_past_step_1_runs_on_when_the_clock_restarts():
    log = make_log([("a", "A", 0), ("a", "B", 1), ("a", "A", 2), ("a", "C", 3)], observed_until=28)
    trend = funnel_trend(log, ["A", "B", "C"], within="7d")
    assert numbers(trend, "converted")[0] == [1]
    assert jk.funnel(log, ["A", "B", "C"], within="7d").table["customers"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(("ties", "converted"), [("any", 2), ("stored", 1)])
def test_events_of_one_instant_follow_the_steps_or_the_stored_order(ties, converted):
    log = make_log([("a", "B", 1), ("a", "A", 1), ("b", "A", 1), ("b", "B", 1)], observed_until=28)
    for clock in ("last", "first"):
        trend = funnel_trend(log, ["A", "B"], within="3d", clock=clock, ties=ties)
        assert numbers(trend, "customers", "converted")[0] == [2, converted]
        assert trend.params["ties"] == ties


def test_rates_between_two_steps():
    rows = [("a", "A", 0), ("a", "B", 1), ("a", "C", 2), ("b", "A", 0), ("b", "B", 1), ("c", "A", 0)]
    log = make_log(rows, observed_until=28)
    trend = funnel_trend(log, ["A", "B", "C"], within="7d", from_step=2)
    assert numbers(trend, "started", "customers", "converted")[0] == [3, 2, 1]
    early = funnel_trend(log, ["A", "B", "C"], within="7d", to_step=2)
    assert numbers(early, "customers", "converted")[0] == [3, 2]


def test_a_period_is_finished_when_its_last_window_is_over():
    rows = [("a", "A", 6.9)]
    for end, status in [(14, "finished"), (13.99, "unfinished")]:
        trend = funnel_trend(make_log(rows, observed_until=end), ["A", jk.Step("B")], within="7d")
        assert trend.table["status"].iloc[0] == status
        assert np.isnan(trend.table["conversion_rate"].iloc[0]) == (status == "unfinished")


def test_unfinished_periods_have_no_rate_however_many_have_converted():
    rows = [("a", "A", 0), ("a", "B", 0.5), ("b", "A", 7), ("b", "B", 7.5), ("c", "A", 8)]
    trend = funnel_trend(make_log(rows, observed_until=9), ["A", "B"], within="2d")
    assert trend.table["status"].tolist() == ["finished", "unfinished"]
    assert trend.table["method"].tolist() == ["observed", ""]
    assert trend.table["so_far_rate"].tolist()[1] == 0.5
    assert trend.left_out[["reason", "customers"]].to_numpy().tolist() == [["funnel_trend.only_unfinished", 2]]


def test_empty_periods_are_there_and_what_has_not_begun_is_not_0():
    log = make_log([("a", "A", 0), ("a", "A", 15)], observed_until=21)
    trend = funnel_trend(log, ["A", jk.Step("B")], within="1d", between=("2024-01-01", "2024-02-05"))
    assert trend.table["status"].tolist() == ["finished", "finished", "unfinished", "future", "future"]
    assert trend.table["customers"].tolist()[:3] == [1, 0, 1]
    assert trend.table["customers"].isna().tolist()[3:] == [True, True]
    assert np.isnan(trend.table["conversion_rate"].iloc[1])


def test_a_range_that_lies_ahead_has_periods_and_no_numbers():
    log = make_log([("a", "A", 0), ("a", "B", 1)], observed_until=21)
    trend = funnel_trend(log, ["A", "B"], within="1d", between=("2024-03-04", "2024-03-18"), clock="first")
    assert trend.table["status"].tolist() == ["future", "future"]
    assert trend.table["started"].isna().all()
    assert trend.metrics().empty
    assert trend.describe() == "Nobody came to A in a period that is finished."
    assert trend.left_out["customers"].tolist() == [1]


def test_the_estimate_is_what_is_seen_and_how_finished_periods_went_on():
    # Finished week: of ten, three convert on day 1, two on day 5. Running week: four entered on its Monday,
    # watched for 3 days; one converted on day 1. P(later) = 2/7, F = 1/4.
    rows = [(f"a{i}", "A", 0) for i in range(10)] + [(f"a{i}", "B", 1 if i < 3 else 5) for i in range(5)]
    rows += [(f"b{i}", "A", 14) for i in range(4)] + [("b0", "B", 15)]
    log = make_log(rows, observed_until=17.5)
    trend = funnel_trend(log, ["A", "B"], within="7d", clock="first")
    assert trend.table["method"].tolist() == ["observed", "", "estimate"]
    last = trend.table.iloc[-1]
    assert last["conversion_rate"] == pytest.approx(1 / 4 + 3 / 4 * 2 / 7)
    assert 0 < last["conversion_rate_low"] < last["conversion_rate"] < last["conversion_rate_high"] < 1
    assert np.isnan(last["median_seconds"])


def test_without_a_finished_period_there_is_no_estimate():
    log = make_log([("a", "A", 0), ("b", "A", 1), ("b", "B", 2)], observed_until=5)
    trend = funnel_trend(log, ["A", "B"], within="7d", clock="first")
    assert trend.table["method"].tolist() == [""]
    assert trend.describe()


def test_intervals_are_wilsons():
    rows = [(f"c{i}", "A", i % 5) for i in range(20)] + [(f"c{i}", "B", 6) for i in range(6)]
    row = funnel_trend(make_log(rows, observed_until=28), ["A", "B"], within="7d").table.iloc[0]
    assert [row["conversion_rate_low"], row["conversion_rate_high"]] == pytest.approx(wilson(6, 20))


def test_periods_share_customers_and_their_change_has_the_interval_of_scores():
    rng = np.random.default_rng(3)
    rows, x, n = [], np.zeros((40, 2)), np.zeros((40, 2))
    for i in range(40):
        eager = rng.random() < 0.5
        for week in range(2):
            if rng.random() < 0.8:
                rows.append((f"c{i}", "A", 7 * week))
                n[i, week] = 1
                if rng.random() < (0.8 if eager else 0.2):
                    rows.append((f"c{i}", "B", 7 * week + 1))
                    x[i, week] = 1
    trend = funnel_trend(make_log(rows, observed_until=28), ["A", "B"], within="3d")
    either = n.any(axis=1)
    expected = clustered_difference(joint_sums(x[either, 1], n[either, 1], x[either, 0], n[either, 0])).iloc[0]
    change = trend.comparison.iloc[0]
    assert change["difference_rate"] == pytest.approx(expected["difference"])
    assert change["difference_rate_low"] == pytest.approx(expected["difference_low"])
    assert change["p_value"] == pytest.approx(expected["p_value"])
    assert trend.summary["change_difference_rate"].item() == change["difference_rate"]


def test_groups_are_those_of_the_step_1_that_the_clock_belongs_to():
    rows = [("a", "A", 0, "ad"), ("a", "A", 2, "mail"), ("a", "B", 3, ""), ("b", "A", 0, "ad"), ("b", "A", 1, "mail")]
    log = make_log(rows, columns=["source"], observed_until=28)
    last = funnel_trend(log, ["A", "B"], within="7d", by="source").table
    assert last.groupby("segment")["customers"].sum().to_dict() == {"mail": 2}
    first = funnel_trend(log, ["A", "B"], within="7d", by="source", clock="first").table
    assert first.groupby("segment")["converted"].sum().to_dict() == {"ad": 1}


@pytest.mark.parametrize(
    ("zone", "week_start", "periods"),
    [
        ("UTC", "monday", ["2024-03-25/2024-03-31", "2024-04-01/2024-04-07"]),
        ("UTC", "sunday", ["2024-03-31/2024-04-06", "2024-03-31/2024-04-06"]),
        ("Asia/Tokyo", "monday", ["2024-04-01/2024-04-07", "2024-04-01/2024-04-07"]),
        ("America/Los_Angeles", "monday", ["2024-03-25/2024-03-31", "2024-03-25/2024-03-31"]),
    ],
)
def test_periods_begin_where_the_zone_and_the_week_do(zone, week_start, periods):
    rows = pd.DataFrame({
        "customer": ["a", "b"], "touchpoint": "A",
        "time": pd.to_datetime(["2024-03-31 20:00", "2024-04-01 02:00"]).tz_localize("UTC"),
    })  # fmt: skip
    log = jk.read_log(rows, timezone=zone, observed_until="2024-05-01")
    trend = funnel_trend(log, ["A", jk.Step("B")], within="1d", week_start=week_start)
    for customer, period in zip("ab", periods, strict=True):
        assert customer in trend.customers(period)


def test_a_window_is_real_time_whatever_the_clocks_do():
    # Berlin puts its clocks forward in the night to 31 March 2024: 24 hours end an hour later by the clock.
    times = pd.to_datetime(["2024-03-30 12:00", "2024-03-31 13:00", "2024-03-30 12:00", "2024-03-31 13:01"])
    rows = pd.DataFrame({"customer": list("aabb"), "touchpoint": list("ABAB"), "time": times})
    log = jk.read_log(rows, timezone="Europe/Berlin", observed_until="2024-05-01")
    trend = funnel_trend(log, ["A", "B"], within="24h", period="day")
    assert trend.customers("2024-03-30", counted="converted").tolist() == ["a"]
    assert len(funnel_trend(log, ["A", "B"], within="24h", period="hour").table) > 700


def test_the_first_period_is_marked_where_the_log_begins_inside_it():
    trend = funnel_trend(make_log([("a", "A", 2), ("a", "A", 9)], observed_until=28), ["A", jk.Step("B")], within="1d")
    assert trend.table["note"].tolist() == ["partial", "", "", ""]


@settings(max_examples=60, deadline=None)
@given(
    rows=event_rows(customers="abcd", max_time=24, touchpoints="ABC", max_size=50),
    steps=st.sampled_from([["A", "B"], ["A", "B", "C"], ["A", "A"]]),
    within=st.sampled_from([1, 4, 9]),
    clock=st.sampled_from(["last", "first"]),
    span=st.sampled_from([(0, 30), (4, 17)]),
    from_step=st.sampled_from([1, 2]),
    ties=st.sampled_from(["any", "stored"]),
)
def test_trends_equal_the_slow_definition(rows, steps, within, clock, span, from_step, ties):
    from_step = min(from_step, len(steps) - 1)
    log = make_log([("z", "Z", 0), *rows], observed_until=30)
    trend = funnel_trend(
        log, [jk.Step(step) for step in steps], within=f"{within}d", clock=clock, from_step=from_step, ties=ties,
        between=None if span == (0, 30) else ("2024-01-05", "2024-01-18"),
    )  # fmt: skip
    slow = slow_periods(rows, steps, within, 7, clock, span, ties)
    first = 0 if span[0] < 7 else span[0] // 7
    for i, row in trend.table.iterrows():
        own = [each for each in slow if each["period"] == first + i]
        came = [each for each in own if each["level"] >= from_step]
        done = [each for each in own if each["level"] == len(steps)]
        assert row[["started", "customers", "converted"]].tolist() == [len(own), len(came), len(done)]
        until = min(7 * (first + i + 1), span[1])
        assert row["status"] == ("finished" if until + within <= 30 else "unfinished")
        if row["status"] == "finished" and came:
            assert row["conversion_rate"] == len(done) / len(came)
        if row["status"] == "finished" and done and steps != ["A", "A"]:  # there, the funnel decides: see below
            times = sorted(each["converted"] - each["entered"] for each in done)
            assert row["median_seconds"] == 86_400 * times[(len(times) - 1) // 2]
            assert row["p90_seconds"] == 86_400 * times[-(-9 * len(times) // 10) - 1]
        for counted, group in (("started", own), ("customers", came), ("converted", done)) if i == 1 else ():
            listed = trend.customers(row["period"], counted=counted)
            assert listed.tolist() == sorted(each["customer"] for each in group)


@settings(max_examples=25, deadline=None)
@given(
    rows=event_rows(customers="abcd", max_time=24, touchpoints="ABC", max_size=50),
    within=st.sampled_from(["1d", "4d"]),
    steps=st.sampled_from([["A", "B"], ["A", "B", "C"], ["A", "A"]]),
    ties=st.sampled_from(["any", "stored"]),
)
def test_with_the_last_clock_each_finished_period_is_the_funnel_of_its_entries(rows, within, steps, ties):
    log = make_log([("z", "Z", 0), *rows], observed_until=40)
    steps = [jk.Step(step) for step in steps]
    trend = funnel_trend(log, steps, within=within, ties=ties)
    for _, row in trend.table[trend.table["status"] == "finished"].iterrows():
        span = (row["period"].start_time, row["period"].end_time.ceil("D"))
        table = jk.funnel(log, steps, within=within, between=span, ties=ties).table
        assert row[["customers", "converted"]].tolist() == table["customers"].iloc[[0, -1]].tolist()
        assert row["conversion_rate"] == pytest.approx(table["reach_rate"].iloc[-1], nan_ok=True)
        assert row["median_seconds"] == pytest.approx(table["entry_median_seconds"].iloc[-1], nan_ok=True) or (
            row["converted"] % 2 == 0  # of an even number the funnel takes the middle of the two
        )


@pytest.mark.parametrize("clock", ["last", "first"])
@pytest.mark.parametrize("step", [1, -1])
def test_of_several_step_1s_at_one_instant_the_stored_order_has_no_say(clock, step):
    rows = [("a", "A", 0, "x"), ("a", "A", 0, "y"), ("a", "B", 1, "x")][::step]
    trend = funnel_trend(make_log(rows, columns=["source"], observed_until=9), ["A", "B"], within="1d", by="source",
                         clock=clock)  # fmt: skip
    assert trend.table.groupby("segment")["converted"].sum().to_dict() == {"x": 1}  # the first by name
    rows = [("a", "A", 0), ("a", "B", 0)][::step]  # B may be both: A, then B
    steps = [jk.Step(["A", "B"]), jk.Step(["B", "C"])]
    trend = funnel_trend(make_log(rows, observed_until=9), steps, within="1d", clock=clock)
    assert numbers(trend, "customers", "converted")[0] == [1, 1]


@settings(max_examples=40, deadline=None)
@given(
    rows=event_rows(max_time=9, touchpoints="ABC", max_size=60),
    steps=st.sampled_from(["A B", "AB BC", "AB C ABC"]),
    clock=st.sampled_from(["last", "first"]),
    by=st.sampled_from([None, "source"]),
    seed=st.integers(0, 9),
)
def test_the_same_in_seven_buckets_and_in_any_order(rows, steps, clock, by, seed):
    wide = [(*row, "xy"[i % 2]) for i, row in enumerate(rows)]
    steps, options = [jk.Step(list(step)) for step in steps.split()], {"within": "5d", "clock": clock, "by": by}
    log = make_log(wide, columns=["source"], observed_until=26)
    one = funnel_trend(log, steps, **options)
    for other in (
        funnel_trend(log.in_buckets(7), steps, **options),
        funnel_trend(make_log(shuffle(wide, seed), columns=["source"], observed_until=26), steps, **options),
    ):
        for name in ("table", "summary", "comparison", "left_out"):
            pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("clock", ["last", "first"])
def test_the_same_where_keys_do_not_fit_into_one_number(clock, monkeypatch):
    rng = np.random.default_rng(4)
    rows = [(f"c{rng.integers(9)}", "AB"[rng.integers(2)], t, "xy"[t % 2]) for t in rng.integers(0, 24, 90)]
    log = make_log(rows, columns=["source"], observed_until=26)
    options = {"within": "5d", "clock": clock, "by": "source"}
    fits = funnel_trend(log, ["A", "B"], **options)
    monkeypatch.setattr(Packing, "fits", property(lambda packing: False))
    for each in (log, log.in_buckets(3)):
        apart = funnel_trend(each, ["A", "B"], **options)
        for name in ("table", "summary", "comparison", "left_out"):
            pd.testing.assert_frame_equal(getattr(fits, name), getattr(apart, name))


def test_sessions_are_clustered_by_their_customer():
    rng = np.random.default_rng(1)
    rows = []
    for i in range(60):
        eager = i % 2
        for day in rng.choice(28, 6, replace=False):
            rows.append((f"c{i}", "A", day))
            if rng.random() < (0.9 if eager else 0.1):
                rows.append((f"c{i}", "B", day + 0.01))
    log = make_log(rows, observed_until=40).rekey("session", gap="2h")
    trend = funnel_trend(log, ["A", "B"], within="1d", period="month")
    row = trend.table.iloc[0]
    assert row["customers"] == 360
    width = row["conversion_rate_high"] - row["conversion_rate_low"]
    low, high = wilson(int(row["converted"]), 360)
    assert width > 1.8 * (high - low)  # six sessions a customer, all alike: nearly √6
    pd.testing.assert_frame_equal(
        trend.table, funnel_trend(log.in_buckets(7), ["A", "B"], within="1d", period="month").table
    )


def test_the_change_is_over_the_customers_of_its_two_periods():
    weeks = {0: "abcdef", 1: "abc", 2: "ab"}  # 5 in the second and third
    rows = [(name, "A", 7 * week, "ad") for week, names in weeks.items() for name in names]
    rows += [("z", "A", 7 * week, "mail") for week in weeks] + [("a", "B", 15, "ad"), ("z", "B", 1, "mail")]
    log = make_log(rows, columns=["source"], observed_until=28)
    metrics = funnel_trend(log, ["A", "B"], within="3d", by="source").metrics()
    changes = metrics[metrics["name"] == "conversion_rate_change"].set_index("segment")
    assert changes["n"].to_dict() == {"ad": 5, "mail": 2}


def test_a_result_pickles_without_its_log_and_has_unique_metrics():
    log = make_log([("a", "A", 0), ("a", "B", 1), ("b", "A", 8), ("c", "A", 15)], observed_until=20)
    trend = funnel_trend(log, ["A", "B"], within="3d", clock="first")
    again = pickle.loads(pickle.dumps(trend))
    assert again.log is None
    assert again.customers("2024-01-01/2024-01-07", log=log).tolist() == ["a"]
    metrics = trend.metrics()
    assert set(metrics["name"]) == {"conversion_rate", "conversion_rate_estimate", "median_seconds",
                                    "conversion_rate_change"}  # fmt: skip
    assert set(metrics["definition"]) == {"funnel_trend_first/1"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": ["A"]}, "two or more"),
        ({"clock": "middle"}, "clock must be one of"),
        ({"period": "decade"}, "period must be one of"),
        ({"from_step": 2}, "before to_step"),
        ({"from_step": 0}, "from_step must be"),
        ({"to_step": 3}, "to_step must be"),
        ({"within": "1m"}, "minute or a month"),
        ({"between": ("2023-01-01", "2023-02-01")}, "before the log begins"),
        ({"week_start": "tuesday"}, "week_start must be one of"),
    ],
)
def test_mistakes_are_told(options, says):
    log = make_log([("a", "A", 0), ("a", "B", 1)], observed_until=9)
    with pytest.raises(ParameterError, match=says):
        funnel_trend(log, **{"steps": ["A", "B"], "within": "2d", **options})


def test_personal_columns_are_refused():
    log = make_log([("a", "A", 0, "x"), ("a", "B", 1, "x")], columns=["mail"], observed_until=9).with_personal("mail")
    with pytest.raises(LogError, match="personal"):
        funnel_trend(log, ["A", "B"], within="2d", by="mail")


def test_nobody_entered():
    log = make_log([("a", "B", 0)], observed_until=20)
    for by in (None, "touchpoint"):
        trend = funnel_trend(log, [jk.Step("A"), "B"], within="2d", by=by, clock="first")
        assert trend.left_out["customers"].tolist() == [1]
        assert trend.describe() or by
        assert trend.metrics().empty
        assert repr(trend)
