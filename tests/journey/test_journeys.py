"""Journeys: converted, dropped or open, never guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.errors import ParameterError
from journeykit.journey import StageModel, Step
from tests.helpers import ORIGIN, event_rows, make_log


def outcomes(log, end=None, **options):
    table = log.journeys(end, **options).table
    return list(zip(table["customer"], table["journey"], table["events"], table["outcome"], strict=True))


def test_a_journey_ends_with_its_goal_and_the_next_begins_after_it():
    log = make_log([("a", "visit", 0), ("a", "order", 1), ("a", "order", 2), ("a", "visit", 9)], observed_until=10)
    assert outcomes(log, "order") == [("a", 1, 2, "converted"), ("a", 2, 1, "converted"), ("a", 3, 1, "open")]


def test_a_silence_of_exactly_the_gap_ends_a_journey_and_one_not_yet_over_leaves_it_open():
    log = make_log([("a", "visit", 0), ("a", "visit", 5), ("b", "visit", 4), ("c", "visit", 6)], observed_until=10)
    assert outcomes(log, gap="5d") == [
        ("a", 1, 1, "dropped"),
        ("a", 2, 1, "dropped"),  # days 5 to 10 have all been seen
        ("b", 1, 1, "dropped"),
        ("c", 1, 1, "open"),  # it may come back on day 10
    ]


def test_without_goal_and_gap_a_customer_is_one_open_journey():
    log = make_log([("a", "visit", 0), ("a", "order", 99)], observed_until=500)
    assert outcomes(log) == [("a", 1, 2, "open")]


def test_a_journey_knows_when_its_outcome_was_known():
    log = make_log([("a", "order", 3), ("b", "visit", 0), ("c", "visit", 8)], observed_until=10)
    decided = log.journeys("order", gap="5d").table["decided_at"].dt.tz_localize(None)
    assert decided.tolist()[:2] == [ORIGIN + pd.Timedelta("3d"), ORIGIN + pd.Timedelta("5d")]
    assert pd.isna(decided[2])


def test_the_value_of_a_journey_is_the_sum_of_its_values_and_missing_without_any():
    rows = [("a", "order", 0, 5.0), ("a", "visit", 1, None), ("a", "fee", 2, 0.0), ("a", "order", 3, 2.5)]
    table = make_log([*rows, ("b", "visit", 0, None)], columns=["value"]).journeys("order").table
    assert table["value"].tolist()[:2] == [5.0, 2.5]
    assert np.isnan(table["value"].tolist()[2])
    assert "value" not in make_log([("a", "x", 0)]).journeys().table


def test_a_goal_can_be_a_stage_or_a_step_with_conditions():
    rows = [("a", "visit", 0, "web"), ("a", "order", 1, "web"), ("a", "order", 2, "shop")]
    log = make_log(rows, columns=["channel"]).with_stages(StageModel.of({"look": "visit", "buy": "order"}))
    assert [row[3] for row in outcomes(log, "buy")] == ["converted", "converted"]
    assert outcomes(log, Step("order", where={"channel": "shop"})) == [("a", 1, 3, "converted")]
    with pytest.raises(ParameterError, match="did you mean 'order'"):
        log.journeys("ordr")


def slow_journeys(rows, end, gap, observed_until):
    """By the definition: cut at goals and silences, then ask each journey how it ended."""
    found = []
    for customer in sorted({row[0] for row in rows}):
        events = [(time, touchpoint) for who, touchpoint, time in rows if who == customer]
        events.sort(key=lambda event: event[0])  # stable: tied events in the stored order
        journeys = [[]]
        for time, touchpoint in events:
            last = journeys[-1]
            over = last and ((end and last[-1][1] == end) or (gap and time - last[-1][0] >= gap))
            if over:
                journeys.append([])
            journeys[-1].append((time, touchpoint))
        for number, journey in enumerate(journeys, start=1):
            time, touchpoint = journey[-1]
            seen_silence = gap and time + gap <= observed_until
            outcome = "converted" if end and touchpoint == end else "dropped" if seen_silence else "open"
            found.append((customer, number, len(journey), outcome))
    return found


@given(
    rows=event_rows(),
    end=st.sampled_from([None, "A", "B"]),
    gap=st.sampled_from([None, 1, 3, 10]),
    until=st.integers(31, 45),
)
def test_journeys_agree_with_the_definition_taken_literally(rows, end, gap, until):
    log = make_log(rows, observed_until=until)
    goal = None if end is None else Step(end)
    assert outcomes(log, goal, gap=gap and f"{gap}d") == slow_journeys(rows, end, gap, until)


@settings(max_examples=30)
@given(rows=event_rows(customers="abcdefghijkl"))
def test_journeys_are_the_same_in_seven_buckets(rows):
    log = make_log(rows, observed_until=40)
    whole = log.tally(count_outcomes)
    pd.testing.assert_frame_equal(log.in_buckets(7).tally(count_outcomes), whole, check_index_type=False)


def count_outcomes(log):
    table = log.journeys(Step("A"), gap="5d").table.astype({"outcome": str})
    return table.groupby(["outcome", "journey"])[["events"]].sum()


@given(rows=event_rows(), cut=st.integers(1, 30))
def test_cutting_the_log_changes_nothing_that_was_decided_before_the_cut(rows, cut):
    whole = make_log(rows, observed_until=40)
    start = whole.start
    log = whole.between(None, ORIGIN + pd.Timedelta(cut, unit="D")) if whole.start < day(cut) else None
    if log is None:
        return
    assert log.start == start
    before = log.journeys(Step("A"), gap="5d").table
    decided = before[before["outcome"] != "open"]
    later = whole.journeys(Step("A"), gap="5d").table
    merged = decided.merge(later, on=["customer", "journey"], suffixes=("", "_later"))
    assert len(merged) == len(decided)
    assert (merged["outcome"].astype(str) == merged["outcome_later"].astype(str)).all()
    assert (merged["decided_at"] == merged["decided_at_later"]).all()
    assert (merged["events"] == merged["events_later"]).all()


def day(number):
    return int((ORIGIN + pd.Timedelta(number, unit="D")).value // 1000)


def test_a_log_keyed_by_journey_holds_one_attempt_each():
    log = make_log([("a", "visit", 0), ("a", "order", 1), ("a", "visit", 2)], observed_until=10)
    by_journey = log.rekey("journey", end="order")
    assert by_journey.customers.tolist() == ["a#1", "a#2"]
    assert by_journey.offsets.tolist() == [0, 2, 3]


def test_looks_show_the_table():
    found = make_log([("<b>a</b>", "visit", 0)], observed_until=10).journeys(gap="3d")
    assert "dropped" in repr(found)
    assert "<b>" not in found._repr_html_()
