"""Each rule of DEFINITIONS, "Churn as survival", on cases small enough to work out by hand."""

import pickle

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.analyses.churn import Cancel, Inactivity, Tenures, tenures
from journeykit.errors import LogError, ParameterError
from journeykit.text import has_label, language, word
from tests.helpers import ORIGIN, make_log

MONTH = Inactivity("30d")


def visits(*days, customer="a"):
    return [(customer, "visit", day) for day in days]


def span(found, customer="a"):
    """(enters, duration, event) of a customer."""
    row = found.table[found.table["customer"] == customer].iloc[0]
    return row["enters_days"], row["duration_days"], bool(row["event"])


def reasons(found):
    return dict(zip(found.left_out["reason"], found.left_out["customers"], strict=True))


# -- inactivity: the first crossing ----------------------------------------------------------


def test_a_silence_of_exactly_d_days_is_no_end_and_one_day_more_is():
    until = dict(observed_until=61)  # the last full day is 60
    assert span(tenures(make_log(visits(0, 30), **until), churn=MONTH)) == (0, 60, True)  # 0, 30, then silent: 30 + 30
    assert span(tenures(make_log(visits(0, 31), **until), churn=MONTH)) == (0, 30, True)  # silent after 0 already


def test_the_last_silence_is_an_end_once_its_last_day_is_observed_whole():
    assert span(tenures(make_log(visits(0, 10), observed_until=41), churn=MONTH)) == (0, 40, True)
    assert span(tenures(make_log(visits(0, 10), observed_until=40), churn=MONTH)) == (0, 39, False)


def test_a_day_that_is_observed_in_part_decides_nothing():
    assert span(tenures(make_log(visits(0, 10), observed_until=40.9), churn=MONTH)) == (0, 39, False)
    came_late = make_log(visits(0, 10, 40.5), observed_until=40.9)  # what happens on it is not seen either
    assert span(tenures(came_late, churn=MONTH)) == (0, 39, False)


def test_who_is_inside_the_window_at_the_end_is_watched_until_the_end_not_until_the_last_activity():
    assert span(tenures(make_log(visits(0, 20, 40), observed_until=61), churn=MONTH)) == (0, 60, False)


def test_the_first_crossing_counts_also_for_those_who_come_back():
    found = tenures(make_log(visits(0, 5, 100, 101), observed_until=131), churn=MONTH)
    assert span(found) == (0, 35, True)
    assert found.table[["came_back", "comeback_days"]].to_numpy().tolist() == [[True, 65]]  # known on 35, back on 100


def test_who_does_not_come_back_was_looked_for_until_the_end():
    found = tenures(make_log(visits(0), observed_until=131), churn=MONTH)
    assert found.table[["came_back", "comeback_days"]].to_numpy().tolist() == [[False, 100]]  # from day 30 to day 130


def test_several_events_of_a_day_are_one_and_days_are_local():
    rows = [("a", "visit", 0), ("a", "visit", 5), ("a", "visit", 21), ("a", "order", 21.5)]
    log = make_log(rows, unit="h", observed_until=24 * 40, timezone="Asia/Tokyo")
    assert span(tenures(log, churn=MONTH)) == (0, 30, True)
    # 20:00 and 22:00 UTC are one day there, and two days in Istanbul, three hours ahead.
    raw = pd.DataFrame({"customer": "a", "time": ["2024-01-01 20:00Z", "2024-01-01 22:00Z"], "touchpoint": "visit"})
    for zone, lasts in (("UTC", 30), ("Europe/Istanbul", 31)):
        log = jk.read_log(raw, timezone=zone, observed_until="2024-03-01")
        assert span(tenures(log, churn=MONTH)) == (0, lasts, True)


def test_who_starts_on_the_last_day_can_not_be_watched_and_is_counted():
    found = tenures(make_log(visits(0, 60) + visits(60, customer="b"), observed_until=61), churn=MONTH)
    assert found.table["customer"].tolist() == ["a"]
    assert reasons(found) == {"churn.no_time_at_risk": 1}


def test_who_is_first_seen_on_a_day_observed_in_part_starts_after_observation():
    found = tenures(make_log(visits(0) + visits(60.5, customer="b"), observed_until=60.9), churn=MONTH)
    assert reasons(found) == {"churn.started_after": 1}


def test_dated_at_the_last_activity_the_curve_is_the_same_d_days_earlier():
    rows = visits(0, 10) + visits(3, customer="once") + visits(50, customer="new") + visits(30, 55, customer="there")
    log = make_log(rows, observed_until=61)
    found = tenures(log, churn=MONTH, dated="last_activity")
    # a: last seen on day 10 of its tenure; once: on day 0, which counts because it enters before it; there: watched
    # until 30 days before day 60, its first day. new is younger than 30 days: nothing can be known of it.
    assert span(found) == (-1, 10, True)
    assert span(found, "once") == (-1, 0, True)
    assert span(found, "there") == (-1, 0, False)
    assert reasons(found) == {"churn.no_time_at_risk": 1}


# -- where the clock starts ------------------------------------------------------------------


def test_a_start_event_starts_the_clock_and_what_was_before_is_ignored():
    rows = [("a", "visit", 0), ("a", "order", 20), ("a", "visit", 40), ("b", "visit", 0)]
    found = tenures(make_log(rows, observed_until=91), churn=MONTH, start="order")
    assert span(found) == (0, 50, True)  # ordered on 20, seen on 40, known gone on 70
    assert found.table["started_at"].tolist() == [ORIGIN + pd.Timedelta("20d")]
    assert reasons(found) == {"churn.no_start": 1}


def test_only_the_activity_asked_for_counts_besides_the_start():
    rows = [("a", "visit", 0), ("a", "order", 5), ("a", "visit", 30), ("a", "order", 40), ("b", "visit", 0)]
    log = make_log(rows, observed_until=101)
    found = tenures(log, churn=MONTH, activity="order")
    assert span(found) == (0, 30, True)  # starts with the order of day 5; the next is 35 days later
    assert reasons(found) == {"churn.no_activity": 1}
    assert span(tenures(log, churn=MONTH, start="visit", activity="order")) == (0, 35, True)  # active on 0, 5, 40


def test_sign_ups_start_the_clock_and_those_never_seen_count():
    rows = visits(8, 20) + visits(1, customer="b")
    signed_up = {"a": "2024-01-03", "b": ORIGIN + pd.Timedelta("4d"), "c": "2024-01-06", "z": "2024-02-29"}
    found = tenures(make_log(rows, observed_until=61), churn=MONTH, signed_up=signed_up)
    assert span(found) == (0, 20 - 2 + 30, True)
    assert span(found, "b") == (0, 30, True)  # what b did before signing up is ignored: silent since day 4
    assert span(found, "c") == (0, 30, True)  # never seen
    assert span(found, "z") == (0, 1, False)  # signed up on day 59
    known_for_some = tenures(make_log(rows, observed_until=61), churn=MONTH, signed_up=pd.Series({"a": "2024-01-03"}))
    assert reasons(known_for_some) == {"churn.no_sign_up": 1}


def test_sign_ups_can_be_a_column_of_the_log():
    rows = [("a", "visit", 8, "2024-01-03"), ("a", "visit", 20, None), ("b", "visit", 2, None)]
    log = make_log(rows, columns=["created"], observed_until=61)
    found = tenures(log, churn=MONTH, signed_up="created")
    assert span(found) == (0, 48, True)
    assert reasons(found) == {"churn.no_sign_up": 1}


def test_who_signed_up_before_the_log_is_left_out_or_enters_once_known_to_be_there():
    rows = visits(100, 150) + visits(130, customer="edge") + visits(131, customer="late") + visits(100, customer="gone")
    log = make_log(rows, observed_until=201).between(ORIGIN + pd.Timedelta("100d"))  # first full day 100, last 200
    signed_up = dict.fromkeys(["a", "edge", "late", "gone"], ORIGIN + pd.Timedelta("40d"))
    assert reasons(tenures(log, churn=Inactivity("50d"), signed_up=signed_up)) == {"churn.started_before": 4}
    found = tenures(log, churn=MONTH, signed_up=signed_up | {"x": ORIGIN}, late_entry=True)
    # Watched from day 100 + 30, at age 90. "edge" is seen just in time; "late" is not, nor is x, who never shows.
    # a is silent after day 100 for more than 30 days, known on day 130: not watched by then, like "gone".
    assert span(found, "edge") == (90, 120, True)
    assert found.table["customer"].tolist() == ["edge"]
    assert reasons(found) == {"churn.not_seen_at_entry": 2, "churn.no_time_at_risk": 2}


def test_a_washout_leaves_out_those_who_may_be_older_than_the_log():
    rows = visits(0, 40) + visits(29, customer="b") + visits(30, customer="c")
    log = make_log(rows, observed_until=101)
    found = tenures(log, churn=MONTH, washout="30d")
    assert found.table["customer"].tolist() == ["c"]
    assert reasons(found) == {"churn.in_washout": 2}
    assert tenures(log, churn=MONTH).summary["seen_at_start"].tolist() == [2]  # without it they are counted
    assert found.summary["seen_at_start"].tolist() == [0]


def test_groups_are_those_known_at_the_start():
    rows = [("a", "visit", 0, "web"), ("a", "visit", 9, "shop"), ("b", "visit", 3, None), ("b", "visit", 4, "web")]
    log = make_log(rows, columns=["channel"], channel="channel", observed_until=61)
    found = tenures(log, churn=MONTH, by="channel")
    assert found.table["segment"].tolist() == ["web", "(missing)"]
    assert found.summary["segment"].tolist() == ["web", "(missing)"]
    signed_up = {"a": "2024-01-10", "b": "2024-01-03"}  # a does something on the day; b only two days later
    assert tenures(log, churn=MONTH, by="channel", signed_up=signed_up).table["segment"].tolist() == [
        "shop",
        "(missing)",
    ]


def test_stages_group_in_their_own_order():
    stages = jk.StageModel.of({"zeal": "buy", "awe": "visit"})
    log = make_log([("a", "visit", 0), ("b", "buy", 0), ("c", "chat", 0)], observed_until=61).with_stages(stages)
    assert tenures(log, churn=MONTH, by="stage").summary["segment"].tolist() == ["zeal", "awe", "(unmapped)"]


# -- cancelling ------------------------------------------------------------------------------


def subscriptions(*rows, until=100):
    return make_log([(customer, touchpoint, day) for customer, touchpoint, day in rows], observed_until=until)


def test_a_tenure_runs_from_the_start_event_to_the_first_that_ends_it():
    log = subscriptions(
        ("a", "cancel", 1), ("a", "subscribe", 10), ("a", "subscribe", 20), ("a", "cancel", 50), ("a", "cancel", 60),
        ("b", "subscribe", 40), ("b", "visit", 41), ("c", "visit", 3), ("c", "cancel", 4),
    )  # fmt: skip
    found = tenures(log, churn=Cancel("cancel"), start="subscribe")
    assert span(found) == (-1, 40, True)  # the cancel of day 1 lies before any start, a second start changes nothing
    assert span(found, "b") == (-1, 59, False)
    assert reasons(found) == {"churn.no_start": 1}
    assert found.table["end"].tolist()[0] == "cancel"
    assert found.table["end"].isna().tolist() == [False, True]


def test_who_cancels_on_the_day_of_the_start_counts():
    found = tenures(
        subscriptions(("a", "subscribe", 10), ("a", "cancel", 10.5)), churn=Cancel("cancel"), start="subscribe"
    )
    assert span(found) == (-1, 0, True)


def test_other_ends_compete_and_keep_their_names():
    log = subscriptions(
        ("a", "subscribe", 0), ("a", "upgrade", 9), ("a", "cancel", 20), ("b", "subscribe", 0), ("b", "cancel", 5)
    )
    found = tenures(log, churn=Cancel("cancel", other={"moved up": "upgrade"}), start="subscribe")
    assert found.table[["duration_days", "end"]].to_numpy().tolist() == [[9, "moved up"], [5, "cancel"]]
    as_set = tenures(log, churn=Cancel("cancel", other={"upgrade"}), start="subscribe")
    assert as_set.table["end"].tolist() == ["upgrade", "cancel"]


def test_starting_again_is_coming_back():
    log = subscriptions(
        ("a", "subscribe", 0), ("a", "cancel", 9), ("a", "subscribe", 30), ("b", "subscribe", 0), ("b", "cancel", 90)
    )
    found = tenures(log, churn=Cancel("cancel", spells="first"), start="subscribe")
    assert found.table[["came_back", "comeback_days"]].to_numpy().tolist() == [[True, 21], [False, 9]]
    every = tenures(log, churn=Cancel("cancel"), start="subscribe").table
    columns = ["customer", "spell", "duration_days", "event"]
    assert every[columns].to_numpy().tolist() == [["a", 1, 9, True], ["a", 2, 69, False], ["b", 1, 90, True]]


def test_under_cancel_who_signed_up_before_the_log_enters_at_the_first_activity():
    rows = [("a", "visit", 110), ("a", "cancel", 130), ("b", "cancel", 120), ("c", "visit", 105)]
    log = make_log(rows, observed_until=201).between(ORIGIN + pd.Timedelta("100d"))
    signed_up = dict.fromkeys("abcd", ORIGIN)
    found = tenures(log, churn=Cancel("cancel"), signed_up=signed_up)
    assert span(found) == (110, 130, True)
    assert span(found, "c") == (105, 200, False)
    # b is first seen when it cancels: it was never watched. d is never seen.
    assert reasons(found) == {"churn.not_seen_at_entry": 1, "churn.no_time_at_risk": 1}
    in_log_only = tenures(log, churn=Cancel("cancel"), signed_up=signed_up, late_entry=False)
    assert reasons(in_log_only) == {"churn.started_before": 4}


# -- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", ["36h", "1h", "90min", 90, "90", "-3d", "0d", "soon", "3m"])
def test_a_silence_must_be_whole_days(silence):
    with pytest.raises(ParameterError):
        Inactivity(silence)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"churn": "90d"}, "churn must be"),
        ({"dated": "today"}, "dated must be one of"),
        ({"churn": Cancel("order")}, "needs to know when a tenure starts"),
        ({"churn": Cancel("order"), "start": "visit", "dated": "last_activity"}, "a cancellation has a day of its own"),
        ({"churn": Cancel("order"), "start": "order"}, "can't be two of start and ends"),
        ({"churn": Cancel("order", other=["order"]), "start": "visit"}, "two ends have the same name"),
        ({"churn": Cancel("order", other=3), "start": "visit"}, "other must be"),
        ({"churn": Cancel("ordre"), "start": "visit"}, "did you mean 'order'"),
        ({"start": "visit", "signed_up": {"a": "2024-01-01"}}, "one of the two"),
        ({"washout": "30d", "signed_up": {"a": "2024-01-01"}}, "washout is for logs without"),
        ({"washout": "36h"}, "whole days"),
        ({"late_entry": True}, "late_entry needs signed_up"),
        ({"signed_up": {"zoe": "2024-01-01"}}, "none of the customers of signed_up"),
        ({"signed_up": pd.Series(["2024-01-01"] * 2, index=["a", "a"])}, "one date a customer"),
        ({"signed_up": {"a": "yesterday"}}, "must hold dates"),
        ({"signed_up": 7}, "signed_up must be"),
    ],
)
def test_what_contradicts_itself_is_refused(options, says):
    log = make_log([("a", "visit", 0), ("a", "order", 3)], observed_until=9)
    with pytest.raises(ParameterError, match=says):
        tenures(log, **options)


def test_an_unknown_column_is_refused():
    with pytest.raises(LogError, match="no 'colour'"):
        tenures(make_log(visits(0)), by="colour")


# -- durations from elsewhere ----------------------------------------------------------------


def test_durations_from_elsewhere_keep_entries_groups_and_ends():
    made = Tenures.from_durations([5, 2, 9], ["left", None, ""], [0, 2, 4], ["x", None, "y"], customers=["a", "b", "c"])
    assert made.table["customer"].tolist() == ["a", "c"]
    assert made.table[["enters_days", "duration_days", "event"]].to_numpy().tolist() == [[0, 5, True], [4, 9, False]]
    assert made.table["segment"].tolist() == ["x", "y"]
    assert made.table["end"].tolist()[0] == "left"
    assert made.table["end"].isna().tolist() == [False, True]
    assert reasons(made) == {"churn.no_time_at_risk": 1}  # b ends when it enters


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (([1, np.nan], [1, 1]), "durations must be numbers"),
        ((["x"], [1]), "durations must be numbers"),
        (([1, 2], [1]), "same length"),
        (([1, 2], [1, 2]), "true/false, 0/1 or the names"),
        (([1, 2], [1, np.nan]), "true/false, 0/1 or the names"),
    ],
)
def test_durations_that_can_not_be_are_refused(arrays, says):
    with pytest.raises(ParameterError, match=says):
        Tenures.from_durations(*arrays)


# -- as a result -----------------------------------------------------------------------------


def test_tenures_are_a_result():
    log = make_log(visits(0, 5) + visits(40, customer="b") + visits(60, customer="c"), observed_until=61)
    found = tenures(log, churn=MONTH)
    assert found.summary[["customers", "events", "censored"]].to_numpy().tolist() == [[2, 1, 1]]
    assert found.customers(1).tolist() == ["b"]
    with pytest.raises(ParameterError, match="nothing splits"):
        found.customers("overall")
    assert found.describe().startswith("2 customers: 1 left, 1 still there at the end of observation. Gone means: no")
    assert found.metrics()["value"].tolist() == [2, 1]
    assert "1 customer left out" in repr(found)
    assert "<table" in found._repr_html_()
    back = pickle.loads(pickle.dumps(found))
    assert back.log is None
    pd.testing.assert_frame_equal(back.table, found.table)
    with pytest.raises(ParameterError, match="row == 7"):
        found.customers(7)
    with pytest.raises(ParameterError, match="must be a position"):
        found.customers("shop")


def test_the_input_is_left_alone():
    signed_up = pd.Series(["2024-01-03"], index=["a"])
    tenures(make_log(visits(8), observed_until=61), signed_up=signed_up)
    assert signed_up.tolist() == ["2024-01-03"]


@pytest.mark.parametrize("code", ["en", "he"])
def test_every_column_and_reason_has_words(code):
    from journeykit.analyses.churn.question import REASONS

    found = tenures(make_log(visits(0) + visits(60, customer="b"), observed_until=61), churn=MONTH)
    for frame in (found.table, found.summary):
        assert [name for name in frame if not has_label(name, language=code)] == []
    with language(code):
        assert all(word(reason) != reason for reason in REASONS[1:])
        assert found.describe()
