"""To and from the columns that process-mining tools expect."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings

import journeykit as jk
from journeykit.errors import LogError
from journeykit.log.exchange import ACTIVITY, CASE, TIME
from tests.helpers import event_rows, make_log


def test_cases_are_customers_and_names_are_those_of_the_standard():
    log = make_log([(7, "visit", 0, "web", "x@y.z")], columns=["channel", "email"]).with_personal("email")
    frame = log.to_event_log()
    assert frame.columns.tolist() == ["case:concept:name", "concept:name", "time:timestamp", "channel"]
    assert frame.iloc[0].tolist() == ["7", "visit", pd.Timestamp("2024-01-01", tz="UTC"), "web"]
    assert str(frame["time:timestamp"].dtype) == "datetime64[ns, UTC]"
    assert log.to_event_log(columns=["email"]).columns.tolist()[3:] == ["email"]


def test_sessions_can_be_cases():
    log = make_log([("a", "x", 0), ("a", "x", 2)])
    assert log.rekey("session").to_event_log()[CASE].tolist() == ["a#1", "a#2"]


@settings(max_examples=40)
@given(rows=event_rows())
def test_there_and_back_is_the_same_log(rows):
    log = make_log(
        [(*row, i) for i, row in enumerate(rows)], columns=["number"], timezone="Asia/Jakarta", observed_until=50
    )
    back = jk.InteractionLog.from_event_log(
        log.to_event_log(), observed_until="2024-02-20", timezone="Asia/Jakarta", duplicates="keep"
    )
    pd.testing.assert_frame_equal(back.frame(), log.frame(), check_dtype=False, check_categorical=False)
    assert back.observed_until == log.observed_until


def test_of_several_transitions_one_is_kept_and_the_others_are_counted():
    frame = pd.DataFrame({
        CASE: ["a", "a", "a"],
        ACTIVITY: ["pack", "pack", "send"],
        TIME: pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"], utc=True),
        "lifecycle:transition": ["start", "COMPLETE", None],
    })  # fmt: skip
    log = jk.InteractionLog.from_event_log(frame, observed_until="2024-02-01")
    assert log.frame()["touchpoint"].tolist() == ["pack", "send"]
    assert log.quality.set_index("rule").loc["other_lifecycle", "rows"] == 1
    started = jk.InteractionLog.from_event_log(frame, lifecycle="start", observed_until="2024-02-01")
    assert started.frame()["touchpoint"].tolist() == ["pack", "send"]


def test_a_table_of_another_kind_is_refused_with_what_is_missing():
    with pytest.raises(LogError, match="case:concept:name"):
        jk.InteractionLog.from_event_log(pd.DataFrame({"case": ["a"]}))


@pytest.mark.oracle
def test_pm4py_reads_it():
    pm4py = pytest.importorskip("pm4py")
    log = make_log([("a", "x", 0), ("a", "y", 1), ("b", "x", 0)])
    graph, starts, ends = pm4py.discover_dfg(log.to_event_log())
    assert (dict(graph), dict(starts), dict(ends)) == ({("x", "y"): 1}, {"x": 2}, {"x": 1, "y": 1})
