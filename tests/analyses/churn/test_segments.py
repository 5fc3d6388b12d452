"""Segments that become known after the start: nobody is watched as one of them before, and nobody is lost unsaid."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journeykit as jk
from journeykit.analyses.churn import Cancel, Inactivity, churn_threshold, survival_curve, tenures
from journeykit.errors import ParameterError
from tests.helpers import event_rows, make_log

MONTH = Inactivity("30d")


def listed(found):
    columns = ["customer", "segment", "enters_days", "duration_days", "event"]
    return [tuple(row) for row in found.table[columns].to_numpy().tolist()]


def test_a_segment_known_after_a_window_is_late_entry():
    # "help" in the first 14 days: known on day 14. c is seen for 14 days or less; nobody can cross 30 days before that.
    rows = [("a", "visit", 0), ("a", "help", 3), ("b", "visit", 2), ("c", "visit", 90)]
    log = make_log(rows, observed_until=101).with_segment("asked", did="help", within="14d")
    found = tenures(log, churn=MONTH, by="asked")
    assert listed(found) == [("a", "yes", 14, 33, True), ("b", "no", 14, 30, True)]
    assert dict(found.left_out.to_numpy()) == {"churn.segment_not_known": 1}  # c's fortnight is not over
    # Dated back, a was last active on day 3 and b on day 0: what was read until day 14 knows that already.
    assert listed(tenures(log, churn=MONTH, by="asked", dated="last_activity")) == []


def test_an_activity_on_the_very_day_of_a_window_s_end_does_not_postpone_the_entry():
    rows = [("a", "visit", 0), ("a", "help", 14), ("b", "visit", 0)]
    log = make_log(rows, observed_until=101).with_segment("asked", did="help", within="14d")
    assert listed(tenures(log, churn=MONTH, by="asked")) == [("a", "yes", 14, 44, True), ("b", "no", 14, 30, True)]


def test_who_left_before_the_segment_was_known_is_left_out_and_counted():
    rows = [("a", "visit", 0), ("b", "visit", 0), ("b", "visit", 8)]
    log = make_log(rows, observed_until=101).with_segment("asked", did="visit", within="14d")
    found = tenures(log, churn=Inactivity("9d"), by="asked")  # a is gone on day 9, b on day 17
    assert listed(found) == [("b", "yes", 14, 17, True)]
    assert dict(found.left_out.to_numpy()) == {"churn.segment_not_known": 1}
    assert "before the segment was known" in repr(found)


def test_after_an_activity_that_made_a_segment_known_nobody_can_leave_for_d_days():
    rows = [("a", "visit", 0), ("a", "help", 20), ("b", "visit", 0)]
    log = make_log(rows, observed_until=101).with_segment("asked", did="help")
    found = tenures(log, churn=MONTH, by="asked")
    # a would enter on day 20, and could not be gone before day 50: who enters then has nothing to add. b may ask yet.
    assert listed(found) == []
    assert dict(found.left_out.to_numpy()) == {"churn.segment_not_known": 2}
    longer = make_log([*rows, ("a", "visit", 45)], observed_until=101).with_segment("asked", did="help")
    assert listed(tenures(longer, churn=MONTH, by="asked")) == [("a", "yes", 50, 75, True)]


def test_the_day_on_which_a_segment_is_known_is_local_and_may_lie_before_the_start():
    rows = [("a", "visit", 0), ("b", "visit", 0), ("c", "visit", 0)]
    people = pd.DataFrame(
        {
            "customer": ["a", "b", "c"],
            "plan": ["gold"] * 3,
            "since": ["2023-06-01", "2024-01-01 23:00", "2024-01-02 01:00"],
        }
    )
    log = make_log(rows, observed_until=101, timezone="Europe/Istanbul").with_customers(people, known_at="since")
    found = tenures(log, churn=MONTH, by="plan")
    assert [row[2] for row in listed(found)] == [0, 0, 1]


def test_what_is_known_on_the_first_day_may_come_after_a_cancellation():
    rows = [("a", "join", 0.0), ("a", "leave", 0.2), ("b", "join", 0.0), ("b", "leave", 9)]
    people = pd.DataFrame({"customer": ["a", "b"], "plan": ["gold"] * 2, "since": ["2024-01-01 12:00"] * 2})
    log = make_log(rows, observed_until=101).with_customers(people, known_at="since")
    found = tenures(log, churn=Cancel("leave"), start="join", by="plan")
    assert listed(found) == [("b", "gold", 0, 9, True)]


def test_who_signed_up_and_never_came_has_no_segment_that_is_known():
    log = make_log([("a", "visit", 0)], observed_until=101).with_segment("first", first="touchpoint")
    found = tenures(log, churn=MONTH, signed_up={"a": "2024-01-01", "b": "2024-01-01"}, by="first")
    assert [row[:2] for row in listed(found)] == [("a", "visit")]
    assert dict(found.left_out.to_numpy()) == {"churn.segment_not_known": 1}


def test_a_threshold_refuses_segments_that_are_known_later():
    log = make_log([("a", "visit", 0), ("a", "help", 3)], observed_until=101)
    with pytest.raises(ParameterError, match="not known when customers are first active"):
        churn_threshold(log.with_segment("asked", did="help", within="14d"), by="asked")


def test_behaviour_in_a_window_that_means_nothing_shows_no_difference():
    # Half ask for help on their second day, and chat now and then, both by chance. Those who asked live as long as the
    # others, watched from when it is known. Sorted by who ever chatted, who lives longer would seem to chat for that.
    rng = np.random.default_rng(3)
    rows = []
    for i in range(1500):
        begin, last, asked = rng.integers(0, 200), rng.exponential(120), rng.random() < 0.5
        later = np.cumsum(rng.integers(1, 14, 80)) + 1
        rows += [(f"c{i}", "visit", int(begin)), (f"c{i}", "help" if asked else "visit", int(begin) + 1)]
        rows += [(f"c{i}", "chat" if rng.random() < 0.08 else "visit", int(begin + day)) for day in later[later < last]]
    log = make_log(rows, observed_until=500)
    honest = survival_curve(log.with_segment("asked", did="help", within="14d"), churn=MONTH, by="asked")
    assert honest.table["time_days"].min() == 14
    assert honest.comparison["logrank_p_value"].iloc[0] > 0.05
    ever = {customer: "yes" for customer, name, _ in rows if name == "chat"}
    people = pd.DataFrame({"customer": log.customers, "ever": [ever.get(each, "no") for each in log.customers]})
    naive = survival_curve(log.with_customers(people), churn=MONTH, by="ever")
    assert naive.comparison["logrank_p_value"].iloc[0] < 1e-6


SEGMENTS = {
    "early": lambda log: log.with_segment("s", did="B", within="6d"),
    "ever": lambda log: log.with_segment("s", did="B"),
    "sums": lambda log: log.with_segment("s", quantiles=2, of="events", within="4d"),
}


@settings(max_examples=6)
@given(
    rows=event_rows(max_time=60),
    made=st.sampled_from(sorted(SEGMENTS)),
    dated=st.sampled_from(["known", "last_activity"]),
    activity=st.sampled_from([None, "A"]),
    until=st.sampled_from([90, 90.4]),
)
def test_late_segments_are_the_same_in_seven_buckets_and_from_a_list(rows, made, dated, activity, until):
    always = [("z", "BACA"[i % 4], 20 + 3 * i) for i in range(16)]
    log = SEGMENTS[made](make_log(rows + always, observed_until=until))
    options = {"churn": Inactivity("5d"), "dated": dated, "activity": activity, "by": "s"}
    found, merged = tenures(log, **options), tenures(log.in_buckets(7), **options)
    pd.testing.assert_frame_equal(found.table, merged.table)
    pd.testing.assert_frame_equal(found.left_out, merged.left_out)
    assert found.left_out["customers"].sum() + len(found.table) == log.n_customers
    known = log.segment("s").set_index("customer").loc[found.table["customer"]]
    assert (found.table["segment"].astype(str).to_numpy() == known["s"].astype(str).to_numpy()).all()
    if dated == "known":
        entered = (found.table["started_at"] + pd.to_timedelta(found.table["enters_days"], unit="D")).to_numpy()
        day = known["known_at"].dt.tz_localize(None).dt.normalize().to_numpy().astype("M8[s]")
        assert ((entered >= day) | (day <= found.table["started_at"].to_numpy())).all()
    if len(found.table):
        curve, counted = survival_curve(log, **options), survival_curve(log.in_buckets(7), **options)
        for name in ("table", "summary", "left_out", "comeback", "sensitivity"):
            pd.testing.assert_frame_equal(getattr(curve, name), getattr(counted, name))
            pd.testing.assert_frame_equal(getattr(curve, name), getattr(survival_curve(found), name))


@settings(max_examples=10)
@given(
    rows=event_rows(max_time=60),
    signed_up=st.dictionaries(st.sampled_from("abcdez"), st.integers(-30, 70), min_size=6),
    late_entry=st.booleans(),
    rule=st.sampled_from(["silence", "cancel"]),
    columns=st.booleans(),
)
def test_sign_ups_are_the_same_in_seven_buckets(rows, signed_up, late_entry, rule, columns):
    dates = {who: pd.Timestamp("2024-01-01") + pd.Timedelta(day, "D") for who, day in signed_up.items()}
    log = make_log([(*row, dates[row[0]]) for row in rows], columns=["joined"], observed_until=90)
    churn = Inactivity("5d") if rule == "silence" else Cancel(jk.Step("B"), other=[jk.Step("C")])
    options = {
        "churn": churn,
        "signed_up": "joined" if columns else dates,
        "late_entry": late_entry,
        "by": "touchpoint",
    }
    found, merged = tenures(log, **options), tenures(log.in_buckets(7), **options)
    pd.testing.assert_frame_equal(found.table, merged.table)
    pd.testing.assert_frame_equal(found.left_out, merged.left_out)
