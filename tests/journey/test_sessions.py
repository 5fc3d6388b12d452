"""Sessions: split by a silence or named by a column, and the log re-keyed by them."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.errors import LogError, ParameterError
from journeykit.journey import StageModel, Step
from tests.helpers import event_rows, make_log

ROWS = [
    ("ann", "visit", 0),
    ("ann", "cart", 29),
    ("ann", "visit", 59),  # 30 minutes after the cart: a new session
    ("ann", "order", 60),
    ("bob", "visit", 100),
]
LOG = make_log(ROWS, unit="min", observed_until=120)


def test_a_silence_of_exactly_the_gap_splits():
    table = LOG.sessions().table
    assert table["customer"].tolist() == ["ann", "ann", "bob"]
    assert table["session"].tolist() == [1, 2, 1]
    assert table["events"].tolist() == [2, 2, 1]
    assert table["duration_seconds"].tolist() == [29 * 60, 60, 0]
    assert table["first_touchpoint"].tolist() == ["visit", "visit", "visit"]
    assert table["last_touchpoint"].tolist() == ["cart", "order", "visit"]
    assert LOG.sessions("29min").table["events"].tolist() == [1, 1, 2, 1]
    assert LOG.sessions("31min").table["events"].tolist() == [4, 1]


def test_a_session_is_open_while_its_next_event_could_still_belong_to_it():
    # bob's last event is at 100: one at 129 would go on, one at 130 would not.
    assert LOG.sessions().table["open"].tolist() == [False, False, True]
    assert not make_log(ROWS, unit="min", observed_until=130).sessions().table["open"].any()
    assert make_log(ROWS, unit="min", observed_until=129).sessions().table["open"].iloc[2]


def test_each_event_knows_its_session():
    found = LOG.sessions()
    assert found.codes.tolist() == [0, 0, 1, 1, 2]
    assert found.numbers.tolist() == [1, 1, 2, 2, 1]
    assert len(found) == 3


def slow_sessions(rows, gap):
    """By the definition, one customer and one event at a time."""
    sessions = []
    for customer in sorted({row[0] for row in rows}):
        times = sorted(time for who, _, time in rows if who == customer)
        for i, time in enumerate(times):
            if i == 0 or time - times[i - 1] >= gap:
                sessions.append([customer, time, time, 0])
            sessions[-1][2] = time
            sessions[-1][3] += 1
    return sessions


@given(rows=event_rows(max_time=300), gap=st.integers(1, 60))
def test_sessions_agree_with_going_through_the_events_one_by_one(rows, gap):
    log = make_log(rows, unit="min", observed_until=400)
    table = log.sessions(f"{gap}min").table
    minutes = [
        (table[name].dt.tz_localize(None) - pd.Timestamp("2024-01-01")).dt.total_seconds() / 60
        for name in ("start", "end")
    ]
    found = zip(table["customer"], minutes[0], minutes[1], table["events"], strict=True)
    assert [list(each) for each in found] == slow_sessions(rows, gap)


def test_a_column_names_sessions_also_when_they_overlap_and_missing_ones_are_none():
    rows = [("a", "x", 0, "s1"), ("a", "x", 1, "s2"), ("a", "x", 2, "s1"), ("a", "x", 3, None), ("b", "x", 4, "s1")]
    log = make_log(rows, unit="h", columns=["visit"], observed_until=10)
    found = log.sessions(column="visit")
    assert found.codes.tolist() == [0, 1, 0, -1, 2]  # s1 of a and s1 of b are two sessions
    assert found.numbers.tolist() == [1, 2, 1, 0, 1]
    assert found.table["events"].tolist() == [2, 1, 1]
    assert found.table["duration_seconds"].tolist() == [7200, 0, 0]


def test_a_log_with_a_session_column_uses_it_unless_a_gap_is_asked_for():
    rows = [("a", "x", 0, "s1"), ("a", "x", 300, "s1"), ("a", "x", 301, "s2")]
    log = make_log(rows, unit="min", columns=["session"])
    assert log.sessions().table["events"].tolist() == [2, 1]
    assert log.sessions("30min").table["events"].tolist() == [1, 2]
    assert log.sessions().params == {"gap": "30min", "column": "session"}


def test_an_empty_log_has_no_sessions():
    nothing = LOG.where(touchpoint="never")
    assert len(nothing.sessions()) == 0
    assert nothing.sessions().table["session"].tolist() == []
    assert nothing.rekey("session").n_customers == 0


def test_a_gap_must_be_a_duration():
    with pytest.raises(ParameterError, match="gap"):
        LOG.sessions("soon")
    with pytest.raises(LogError, match="'visit_id'"):
        LOG.sessions(column="visit_id")


# -- the log re-keyed ------------------------------------------------------------------------


def test_sessions_take_the_place_of_customers():
    log = LOG.rekey("session", gap="30min")
    assert log.unit == "session"
    assert log.customers.tolist() == ["ann#1", "ann#2", "bob#1"]
    assert log.offsets.tolist() == [0, 2, 4, 5]
    assert log.owners.tolist() == ["ann", "bob"]
    assert log.owner_codes.tolist() == [0, 0, 1]
    assert (log.start, log.observed_until) == (LOG.start, LOG.observed_until)
    assert log.frame(["touchpoint"]).equals(LOG.frame(["touchpoint"]))


def test_rekeying_by_a_column_sorts_joins_customers_and_counts_what_it_leaves_out():
    rows = [
        ("ann", "visit", 0, "B"),
        ("ann", "order", 5, "A"),
        ("ann", "visit", 6, None),
        ("bob", "visit", 1, "A"),
        ("cem", "visit", 2, None),
    ]
    log = make_log(rows, columns=["account"], observed_until=10)
    by_account = log.rekey("account")
    frame = by_account.frame(["customer", "touchpoint"])
    assert frame.to_numpy().tolist() == [["A", "visit"], ["A", "order"], ["B", "visit"]]
    assert by_account.owners.tolist() == ["ann", "bob"]
    assert by_account.owner_codes.tolist() == [1, 0]  # account A began with bob
    finding = by_account.quality.set_index("rule").loc["without_unit"]
    assert finding["rows"] == 2 == log.n_events - by_account.n_events
    assert finding["share"] == 2 / 5


def test_stages_stay_as_they_were_decided():
    log = make_log([("a", "visit", 0), ("a", "order", 1), ("a", "visit", 2)]).with_stages(StageModel.digital())
    assert log.rekey("session").frame()["stage"].tolist() == ["awareness", "purchase", "retention"]


def test_rekeying_twice_is_refused_and_by_customer_changes_nothing():
    assert LOG.rekey("customer") is LOG
    with pytest.raises(ParameterError, match="keyed by 'session' already"):
        LOG.rekey("session").rekey("journey")
    with pytest.raises(LogError, match="'account'"):
        LOG.rekey("account")
    with pytest.raises(ParameterError, match="options are for units session and journey"):
        LOG.rekey("touchpoint", gap="1d")


def test_narrowing_a_rekeyed_log_keeps_whose_units_they_are():
    log = LOG.rekey("session", gap="30min").where(touchpoint=["order", "visit"]).customers_where(["ann#2", "bob#1"])
    assert log.customers.tolist() == ["ann#2", "bob#1"]
    assert [log.owners[code] for code in log.owner_codes] == ["ann", "bob"]
    only_bob = log.customers_where(["bob#1"])
    assert (only_bob.owners.tolist(), only_bob.owner_codes.tolist()) == (["bob"], [0])


@settings(max_examples=30)
@given(rows=event_rows(customers="abcdefghij", max_time=500), n=st.integers(1, 8))
def test_sessions_are_the_same_in_buckets(rows, n):
    log = make_log([(*row, row[2] % 7 or None) for row in rows], unit="min", columns=["account"], observed_until=600)
    for unit, how in (("session", {"gap": "20min"}), ("journey", {"end": Step("A"), "gap": "1h"}), ("account", {})):
        whole = log.rekey(unit, **how).tally(events_of_units).sort_index()
        pieces = log.in_buckets(n).rekey(unit, **how)
        pd.testing.assert_frame_equal(pieces.tally(events_of_units), whole, check_index_type=False)
        owners = [set(piece.owners) for piece in pieces._pieces]
        assert sum(map(len, owners)) == len(set().union(*owners))  # a customer's units are in one piece


def events_of_units(log):
    """Events of each unit, by its name and its customer's."""
    frame = pd.DataFrame(
        {"unit": log.column("customer"), "owner": log.owners.take(log.owner_codes[log.customer_codes])}
    )
    return frame.groupby(["unit", "owner"]).size().rename("events").to_frame()
