"""Identity: links followed as they were valid, and nobody merged who may be two."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.errors import LogError, ParameterError
from journeykit.journey import StageModel
from tests.helpers import ORIGIN, make_log


def links(*rows):
    """Rows (id, customer) or (id, customer, from day, until day)."""
    columns = ["id", "customer", "valid_from", "valid_until"]
    table = pd.DataFrame([(*row, None, None)[:4] for row in rows], columns=columns)
    for name in columns[2:]:
        table[name] = [pd.NaT if day is None else ORIGIN + pd.Timedelta(day, unit="D") for day in table[name]]
    return table


def who(log):
    """(time in days, customer) of each event, by time."""
    days = (log.times - ORIGIN.value // 1000) // 86_400_000_000
    return sorted(zip(days.tolist(), log.column("customer"), strict=True))


def finding(log, rule):
    return log.quality.set_index("rule").loc[rule]


def rules(log):
    return [rule for rule in log.quality["rule"] if rule.startswith("identity")] if len(log.quality) else []


def test_events_of_an_id_join_those_of_its_customer_in_order_of_time():
    log = make_log([("c1", "visit", 0), ("ann", "order", 1), ("c1", "visit", 2), ("bob", "visit", 0)])
    stitched = log.with_identity({"c1": "ann"})
    assert stitched.customers.tolist() == ["ann", "bob"]
    assert stitched.frame()["touchpoint"].tolist() == ["visit", "order", "visit", "visit"]
    assert finding(stitched, "identity_stitched")["rows"] == 2
    assert finding(stitched, "identity_stitched")["example"] == "3 customers became 2, for example c1 is ann"


def test_links_are_followed_from_one_to_the_next():
    log = make_log([("c1", "x", 0), ("c2", "x", 1), ("c3", "x", 2)])
    stitched = log.with_identity({"c1": "mail", "c2": "mail", "mail": "ann", "c3": "c2"})
    assert who(stitched) == [(0, "ann"), (1, "ann"), (2, "ann")]


def test_two_ways_to_one_customer_are_no_contradiction():
    stitched = make_log([("c1", "x", 0)]).with_identity(links(("c1", "mail"), ("c1", "ann"), ("mail", "ann")))
    assert who(stitched) == [(0, "ann")]


def test_one_device_of_many_people_stays_a_customer_of_its_own():
    log = make_log([("tablet", "x", 0), ("phone", "x", 1), ("ann", "x", 2), ("bob", "x", 3)])
    stitched = log.with_identity(links(("tablet", "ann"), ("tablet", "bob"), ("phone", "ann")))
    assert who(stitched) == [(0, "tablet"), (1, "ann"), (2, "ann"), (3, "bob")]
    shared = finding(stitched, "identity_shared")
    assert (shared["rows"], shared["example"], shared["personal"]) == (1, "id tablet", True)


def test_validity_is_half_open_and_decides_who_it_was():
    log = make_log([("tablet", "x", day) for day in range(7)])
    stitched = log.with_identity(links(("tablet", "ann", 1, 3), ("tablet", "bob", 3, 5)))
    expected = ["tablet", "ann", "ann", "bob", "bob", "tablet", "tablet"]
    assert [customer for _, customer in who(stitched)] == expected
    assert finding(stitched, "identity_not_valid")["rows"] == 3
    overlapping = log.with_identity(links(("tablet", "ann", None, 4), ("tablet", "bob", 2, None)))
    expected = ["ann", "ann", "tablet", "tablet", "bob", "bob", "bob"]
    assert [customer for _, customer in who(overlapping)] == expected
    assert finding(overlapping, "identity_shared")["rows"] == 2


def test_validity_holds_all_along_the_way():
    log = make_log([("cookie", "x", day) for day in range(4)])
    stitched = log.with_identity(links(("cookie", "tablet"), ("tablet", "ann", None, 1), ("tablet", "bob", 2, 3)))
    assert [customer for _, customer in who(stitched)] == ["ann", "tablet", "bob", "tablet"]


def test_a_circle_is_one_customer_unless_it_leads_on():
    log = make_log([("b", "x", 0), ("c", "x", 1), ("a", "x", 2), ("d", "x", 3)])
    stitched = log.with_identity({"a": "b", "b": "c", "c": "a", "d": "c"})
    assert {customer for _, customer in who(stitched)} == {"a"}
    assert finding(stitched, "identity_cycles")["rows"] == 3
    leads_on = log.with_identity(links(("a", "b"), ("b", "a"), ("b", "ann"), ("d", "d")))
    assert who(leads_on) == [(0, "ann"), (1, "c"), (2, "ann"), (3, "d")]


def test_nothing_is_found_where_nothing_was_done():
    log = make_log([("ann", "x", 0)])
    assert rules(log.with_identity({})) == []
    assert rules(log.with_identity({"ann": "ann"})) == []
    assert rules(log.with_identity({"zoe": "ann"})) == ["identity_unused"]


def test_numbers_and_texts_are_the_same_id():
    log = make_log([(1, "x", 0), (2, "x", 1)])
    assert log.with_identity({1: 2}).customers.tolist() == [2]
    assert log.with_identity({"1": "ann"}).customers.tolist() == ["2", "ann"]


def test_faults_of_the_mapping_are_named_with_an_example():
    log = make_log([("a", "x", 0)])
    with pytest.raises(LogError, match="no column 'customer': did you mean 'custmer'"):
        log.with_identity(pd.DataFrame({"id": ["a"], "custmer": ["b"]}))
    with pytest.raises(LogError, match="1 links lack an id or a customer, for example row 1"):
        log.with_identity(pd.DataFrame({"id": ["a", "b"], "customer": ["b", None]}))
    with pytest.raises(LogError, match=r"1 links end before they begin, for example \{'id': 'a'"):
        log.with_identity(links(("a", "b", 3, 3)))
    with pytest.raises(LogError, match="'valid_from' must hold times, got 'soon'"):
        log.with_identity(links(("a", "b")).assign(valid_from="soon"))
    with pytest.raises(ParameterError, match="stitch identities first"):
        log.with_segment("s", first="touchpoint").with_identity({"a": "b"})
    with pytest.raises(ParameterError, match="stitch identities first"):
        log.rekey("session").with_identity({"a": "b"})


def test_stages_that_depend_on_the_past_are_kept_and_that_is_a_finding():
    log = make_log([("ann", "order", 0), ("cookie", "visit", 1)]).with_stages(StageModel.digital())
    stitched = log.with_identity({"cookie": "ann"})
    assert stitched.frame()["stage"].tolist() == ["purchase", "awareness"]
    assert finding(stitched, "stages_before_identity")["rows"] == 1
    assert stitched.with_stages(StageModel.digital()).frame()["stage"].tolist() == ["purchase", "retention"]


def test_all_columns_move_with_their_events():
    rows = [("c1", "x", 2, "web", 1.0, "p"), ("ann", "y", 1, None, None, "q"), ("ann", "z", 3, "shop", 2.0, None)]
    log = make_log(rows, columns=["channel", "value", "note"])
    frame = log.with_identity({"c1": "ann"}).frame(["touchpoint", "channel", "value", "note"])
    expected = pd.DataFrame(
        {
            "touchpoint": ["y", "x", "z"],
            "channel": [None, "web", "shop"],
            "value": [None, 1, 2],
            "note": ["q", "p", None],
        }
    )
    assert frame.astype(object).where(frame.notna(), None).equals(expected.astype(object).where(expected.notna(), None))


def slow_owner(name, at, rows):
    """By the definition: every end that the links valid at the time lead to."""

    def following(one):
        valid = [r for r in rows if r[0] == one and (r[2] is None or r[2] <= at) and (r[3] is None or at < r[3])]
        return {to for _, to, *_ in valid if to != one}

    reached, left = set(), [name]
    while left:
        one = left.pop()
        if one not in reached:
            reached.add(one)
            left += following(one)

    def circle_of(one):
        seen, left = set(), [one]
        while left:
            each = left.pop()
            if each not in seen:
                seen.add(each)
                left += following(each)
        return seen

    ends = {one for one in reached if not following(one)}
    # A closed circle: everything reached from one of its ids leads back to it.
    for one in reached:
        circle = circle_of(one)
        if following(one) and all(one in circle_of(each) for each in circle):
            ends.add(min(circle))
    return ends.pop() if len(ends) == 1 else name


LIMITS = st.one_of(st.none(), st.integers(0, 9))
NAMES = st.sampled_from("abcdef")


@settings(max_examples=150)
@given(
    rows=st.lists(st.tuples(NAMES, NAMES, LIMITS, LIMITS).filter(lambda r: None in r[2:] or r[2] < r[3]), max_size=9),
    events=st.lists(st.tuples(NAMES, st.just("x"), st.integers(0, 10)), min_size=1, max_size=12),
)
def test_stitching_agrees_with_following_links_event_by_event(rows, events):
    stitched = make_log(events).with_identity(links(*rows))
    slow = sorted((day, slow_owner(name, day, rows)) for name, _, day in events)
    assert who(stitched) == slow
    assert_in_order(stitched)


def assert_in_order(log):
    """The promise of every log: events by customer, then by time."""
    order = pd.DataFrame({"customer": log.customer_codes, "time": log.times})
    assert order.equals(order.sort_values(["customer", "time"], ignore_index=True))
    assert log.customers.is_monotonic_increasing
    assert (np.diff(log.offsets) > 0).all()


def test_a_mapping_of_thousands_is_followed_too():
    n = 20_000
    rng = np.random.default_rng(3)
    log = make_log([(f"c{i}", "x", int(day)) for i, day in enumerate(rng.integers(0, 300, n))])
    table = pd.DataFrame({"id": [f"c{i}" for i in range(n)], "customer": [f"u{i // 4}" for i in range(n)]})
    assert log.with_identity(table).n_customers == n // 4
    timed = table.head(2000).assign(valid_from=ORIGIN, valid_until=ORIGIN + pd.Timedelta("99d"))
    late = int((log.customers_where(table["id"].head(2000).tolist()).days >= log.days.min() + 99).sum())
    stitched = log.with_identity(pd.concat([table.tail(n - 2000), timed]))
    assert finding(stitched, "identity_not_valid")["rows"] == late
