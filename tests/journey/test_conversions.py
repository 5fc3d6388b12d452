"""Entries and their following steps: by hand, and against every order in which events of one instant can be put."""

from __future__ import annotations

from itertools import groupby, permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.errors import ParameterError
from journeykit.journey import Step
from journeykit.journey.conversions import NOT_REACHED, conversions
from journeykit.schema import DAY
from tests.helpers import event_rows, make_log

STEP_SETS = [
    (Step("A"), Step("B")),
    (Step("A"), Step("A")),
    (Step("A"), Step("B"), Step("C")),
    (Step(("A", "B")), Step(("B", "C")), Step("A")),
    (Step(("A", "B")), Step(("A", "B")), Step(("A", "B", "C")), Step("A")),
]
ORIGIN = pd.Timestamp("2024-01-01").value // 1000


def days(found: pd.DataFrame) -> list[list[float]]:
    """Entry and following steps of each row, in days; NaN where a step does not come."""
    times = found.filter(regex="entered_at|reached_").to_numpy()
    return np.where(times == NOT_REACHED, np.nan, (times - ORIGIN) / DAY).tolist()


def test_the_clock_starts_at_the_first_step_1_and_is_never_restarted():
    log = make_log([("a", "A", 0), ("a", "A", 9), ("a", "B", 10)], observed_until=20)
    assert days(conversions(log, STEP_SETS[0])) == [[0, 10]]
    assert days(conversions(log, STEP_SETS[0], entries="all")) == [[0, 10], [9, 10]]


def test_one_event_fills_one_step():
    log = make_log([("a", "A", 0), ("a", "A", 3), ("a", "A", 4)], observed_until=20)
    assert days(conversions(log, (Step("A"), Step("A"), Step("A")))) == [[0, 3, 4]]


def test_events_of_one_instant_match_in_the_order_of_the_steps():
    log = make_log([("a", "C", 1), ("a", "B", 1), ("a", "A", 1)], observed_until=20)
    assert days(conversions(log, STEP_SETS[2])) == [[1, 1, 1]]
    (stored,) = days(conversions(log, STEP_SETS[2], ties="stored"))
    assert np.isnan(stored[1:]).all()


def test_entries_lie_in_the_range_and_later_steps_may_come_after_it():
    log = make_log([("a", "A", 0), ("a", "A", 5), ("a", "B", 30), ("b", "A", 10)], observed_until=40)
    inside = (ORIGIN + 5 * DAY, ORIGIN + 10 * DAY)
    assert days(conversions(log, STEP_SETS[0], between=inside, entries="all")) == [[5, 30]]


def test_columns_name_customer_and_event():
    log = make_log([("a", "B", 0), ("b", "A", 1), ("b", "B", 2)], observed_until=20)
    found = conversions(log, STEP_SETS[2])
    assert found[["customer_code", "entry_event"]].to_numpy().tolist() == [[1, 1]]
    assert found["converted_at"].tolist() == [NOT_REACHED]


def test_one_step_is_refused():
    with pytest.raises(ParameterError, match="two or more"):
        conversions(make_log([("a", "A", 0)], observed_until=9), [Step("A")])


def orders(events: list[tuple[int, str, int]]) -> list[list[tuple[int, str, int]]]:
    """Every order that events (number, touchpoint, time) can have had."""
    groups = [list(permutations(list(group))) for _, group in groupby(events, key=lambda event: event[2])]
    return [[event for group in choice for event in group] for choice in product(*groups)]


def follow(events: list, place: int, steps: tuple[Step, ...]) -> list[float]:
    """Times of the steps from the entry at a place on, one event after the other."""
    times, wanted = [float(events[place][2])], 1
    for _, touchpoint, time in events[place + 1 :]:
        if wanted < len(steps) and touchpoint in steps[wanted].touchpoint:
            times.append(float(time))
            wanted += 1
    return times + [np.inf] * (len(steps) - len(times))


def slow_conversions(rows: list, steps: tuple[Step, ...], span: tuple[int, int], every: bool, ties: str) -> list:
    """Straight from the definition, trying all orders of events of one instant."""
    found = []
    for customer in sorted({row[0] for row in rows}):
        own = sorted((row for row in rows if row[0] == customer), key=lambda row: row[2])
        events = [(number, touchpoint, time) for number, (_, touchpoint, time) in enumerate(own)]
        entries = [e for e in events if e[1] in steps[0].touchpoint and span[0] <= e[2] < span[1]]
        possible = orders(events) if ties == "any" else [events]
        if every:
            groups = [[entry] for entry in entries]
        else:  # the first; of several at one instant, whichever leads furthest
            groups = [[e for e in entries if e[2] == entries[0][2]]] if entries else []
            groups = [group[:1] if ties == "stored" else group for group in groups]
        for group in groups:
            ways = [follow(order, order.index(entry), steps) for order in possible for entry in group]
            found.append([min(times) for times in zip(*ways, strict=True)])
    return np.where(np.isinf(found), np.nan, found).tolist() if found else []


@settings(max_examples=250)
@given(
    rows=event_rows(customers="ab", touchpoints="ABC", max_time=5, max_size=9),
    steps=st.sampled_from(STEP_SETS),
    span=st.sampled_from([(-9, 99), (1, 4)]),
    every=st.booleans(),
    ties=st.sampled_from(["any", "stored"]),
)
def test_conversions_equal_the_slow_definition(rows, steps, span, every, ties):
    log = make_log(rows, observed_until=99)
    between = tuple(ORIGIN + day * DAY for day in span)
    found = conversions(log, steps, between=between, entries="all" if every else "first", ties=ties)
    np.testing.assert_array_equal(
        np.array(days(found)).reshape(-1, len(steps)),
        np.array(slow_conversions(rows, steps, span, every, ties)).reshape(-1, len(steps)),
    )


@settings(max_examples=50)
@given(rows=event_rows(max_time=8))
def test_steps_with_conditions_and_stages_give_the_same_as_touchpoints(rows):
    log = make_log([(*row, row[1]) for row in rows], columns=["kind"], observed_until=99)
    by_name = conversions(log, (Step("A"), Step(("B", "C"))), entries="all")
    by_condition = conversions(log, (Step(where={"kind": "A"}), Step(where={"kind": ("B", "C")})), entries="all")
    pd.testing.assert_frame_equal(by_name, by_condition)
