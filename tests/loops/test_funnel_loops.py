"""The matching loops equal a slow reference, an attempt at a time, for all options, with many ties."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.loops.funnel import match_attempts, match_best
from journeykit.loops.funnel_any import match_any_attempts, match_any_order
from journeykit.loops.funnel_plain import match_plain
from tests.analyses.funnel.funnel_reference import Event, Rules, best_attempt, counted_attempts

FOREVER = 2**61
NO_END = float("inf")


def kinds_table(patterns: list[tuple[frozenset, frozenset]], n_steps: int, n_exclusions: int) -> dict[str, np.ndarray]:
    """Arrays of the loops for (steps, exclusions) of each kind; kind 0 comes first."""
    has_step = np.zeros((len(patterns), n_steps + 1), np.uint8)
    spoils = np.zeros((len(patterns), n_exclusions), np.uint8)
    for kind, (steps, exclusions) in enumerate(patterns):
        has_step[kind, list(steps)] = 1
        spoils[kind, list(exclusions)] = 1
    return {
        "steps_from": np.concatenate([[0], np.cumsum(has_step.sum(axis=1))]).astype(np.int32),
        "steps_of": np.concatenate([np.flatnonzero(row)[::-1] for row in has_step]).astype(np.int32),
        "has_step": has_step,
        "spoils": spoils,
        "excludes": spoils.any(axis=1).astype(np.uint8) if n_exclusions else np.zeros(0, np.uint8),
    }


def is_plain(customers: list[list[Event]], rules: Rules) -> bool:
    """Whether the quick loop serves these rules."""
    one_step = all(len(event.steps) < 2 for events in customers for event in events)
    return rules.order == "ordered" and one_step and not (rules.exclude or rules.optional or rules.step_within)


def arrays(customers: list[list[Event]], rules: Rules) -> tuple:
    """Codes, patterns of kinds and their table, times and offsets of events."""
    patterns = [(frozenset(), frozenset())]
    codes = []
    for event in (event for events in customers for event in events):
        pattern = (event.steps, event.exclusions)
        if pattern not in patterns:
            patterns.append(pattern)
        codes.append(patterns.index(pattern))
    table = kinds_table(patterns, rules.n_steps, len(rules.exclude))
    times = np.array([int(event.time) for events in customers for event in events], np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(events) for events in customers])]).astype(np.int64)
    return codes, patterns, table, times, offsets


def run_attempts(customers: list[list[Event]], rules: Rules, until: float) -> list:
    """Each customer's attempts by the loop."""
    codes, patterns, table, times, offsets = arrays(customers, rules)
    within = FOREVER if rules.within == NO_END else int(rules.within)
    n, k = len(customers), rules.n_steps
    kinds = np.arange(len(patterns), dtype=np.int32)
    events = (np.array(codes, np.int32), kinds, times, np.zeros(0, np.int32), offsets)
    opens = (whole(rules.opens_from), whole(min(until, rules.opens_until)))
    first_only = rules.entry == "first"
    if rules.order == "any":
        found = match_any_attempts(*events, table["steps_from"], table["has_step"], within, *opens, first_only, 0, n)
    else:
        flags = (rules.order == "strict", rules.ties == "any", first_only, rules.exclude_effect == "drop")
        found = match_attempts(
            *events, *in_order(rules, table, within), rules.last_required, within, *opens, *flags, 0, n
        )
    answers: list[list] = [[] for _ in customers]
    for unit, level, rows in zip(*(each.tolist() for each in found), strict=True):
        at = [int(times[offsets[unit] + row]) if row >= 0 else None for row in rows[: abs(level)]]
        assert rows[abs(level) :] == [-1] * (k - abs(level))
        answers[unit].append((level, at))
    return answers


def in_order(rules: Rules, table: dict, within: int) -> tuple:
    """Arrays of the rules for steps in order."""
    k = rules.n_steps
    optional = np.array([x in rules.optional for x in range(k + 1)], np.uint8)
    step_within = np.array([min(rules.step_within.get(x, within), FOREVER) for x in range(k + 1)], np.int64)
    base = np.array([0, *(rules.base(x) for x in range(1, k + 1))], np.int32)
    after, before = (np.array([each[i] for each in rules.exclude], np.int32) for i in (0, 1))
    steps = (table["steps_from"], table["steps_of"], table["has_step"], base, optional, step_within)
    return (*steps, table["excludes"], table["spoils"], after, before)


def run_loop(
    customers: list[list[Event]], rules: Rules, mature_until: float, *, plain: bool = False
) -> tuple[list, list]:
    """Levels and times of the steps by the loop: of the mature matching and of all."""
    codes, patterns, table, times, offsets = arrays(customers, rules)
    n, k = len(customers), rules.n_steps
    out = [np.empty(n, np.int16), np.empty((n, k), np.int32), np.empty(n, np.int16), np.empty((n, k), np.int32)]
    late = np.empty(n, np.uint8)
    within = FOREVER if rules.within == NO_END else int(rules.within)
    opens = [whole(rules.opens_from), whole(min(mature_until, rules.opens_until)), whole(rules.opens_until)]
    events = (
        np.array(codes, np.int32),
        np.arange(len(patterns), dtype=np.int32),
        times,
        np.zeros(0, np.int32),
        offsets,
    )
    steps = (table["steps_from"], table["steps_of"], table["has_step"])
    if plain:
        step_of = np.array([max(steps, default=k + 2) for steps, _ in patterns], np.int32)
        flags = (rules.ties == "any", rules.entry == "first")
        no_keys = np.zeros(0, np.int64)
        match_plain(events[0], step_of, *events[2:], k, within, *opens, *flags, *out, late, 0, no_keys, no_keys, 0, n)

    elif rules.order == "any":
        match_any_order(*events, *steps, within, *opens, rules.entry == "first", *out, late, 0, n)
    else:
        flags = (rules.order == "strict", rules.ties == "any", rules.entry == "first", rules.exclude_effect == "drop")
        match_best(*events, *in_order(rules, table, within), within, *opens, *flags, *out, late, 0, n)
    assert late.tolist() == [
        int(level > 0 and times[offsets[i] + out[3][i, 0]] >= opens[1]) for i, level in enumerate(out[2].tolist())
    ]
    answers = []
    for levels, rows in ((out[0], out[1]), (out[2], out[3])):
        answers.append(
            [
                (
                    int(levels[i]),
                    [int(times[offsets[i] + row]) if row >= 0 else None for row in rows[i, : max(0, levels[i])]],
                )
                for i in range(n)
            ]
        )
    return answers[0], answers[1]


def whole(number: float) -> int:
    return int(max(-FOREVER, min(FOREVER, number)))


def run_reference(customers: list[list[Event]], rules: Rules, until: float) -> list:
    limited = Rules(**{**rules.__dict__, "opens_until": min(rules.opens_until, until)})
    answers = []
    for events in customers:
        level, filled = best_attempt(events, limited)
        answers.append((level, [int(filled[k].time) if k in filled else None for k in range(1, level + 1)]))
    return answers


def run_slow_attempts(customers: list[list[Event]], rules: Rules, until: float) -> list:
    limited = replace(rules, opens_until=min(rules.opens_until, until))
    return [
        [
            (level, [int(filled[k].time) if k in filled else None for k in range(1, abs(level) + 1)])
            for level, filled in counted_attempts(events, limited)
        ]
        for events in customers
    ]


@st.composite
def funnels(draw: st.DrawFn, order: str = "ordered") -> tuple[list[list[Event]], Rules, float]:
    """Customers with few instants, so that ties abound, and rules with any mixture of options."""
    n_steps = draw(st.integers(1, 4))
    plain = order == "plain"
    order = "ordered" if plain else order
    simple = plain or draw(st.booleans())  # one step an event
    exclude, optional, step_within = (), (), {}
    if order != "any" and not plain and draw(st.booleans()) and n_steps > 1:
        optional = tuple(k for k in range(2, n_steps + 1) if draw(st.integers(0, 3)) == 0)
        required = [k for k in range(1, n_steps + 1) if k not in optional]
        pairs = [(a, b) for a in required for b in required if a < b]
        if pairs:
            exclude = tuple(draw(st.lists(st.sampled_from(pairs), max_size=2)))
        if draw(st.booleans()):
            step_within = {k: draw(st.integers(1, 4)) for k in range(2, n_steps + 1) if draw(st.booleans())}
    steps = st.frozensets(st.integers(1, n_steps), max_size=1 if simple else 2)
    exclusions = st.frozensets(st.integers(0, max(0, len(exclude) - 1)), max_size=len(exclude))
    last = draw(st.sampled_from([3, 8, 20]))
    customers = []
    for _ in range(draw(st.integers(1, 3))):
        raw = draw(st.lists(st.tuples(st.integers(0, last), steps, exclusions), min_size=1, max_size=9))
        raw.sort(key=lambda each: each[0])
        customers.append([Event(i, *each) for i, each in enumerate(raw)])
    rules = Rules(
        n_steps=n_steps,
        within=draw(st.sampled_from([NO_END, 1, 3, 6, 12])),
        order=order,
        entry=draw(st.sampled_from(["any", "first"])),
        ties=draw(st.sampled_from(["any", "stored"])) if order != "any" else "any",
        exclude=exclude,
        exclude_effect=draw(st.sampled_from(["remove", "drop"])),
        optional=optional,
        step_within=step_within,
        opens_from=draw(st.sampled_from([float("-inf"), 0, 2, 5])),
        opens_until=draw(st.sampled_from([NO_END, NO_END, 6, 15])),
    )
    return customers, rules, draw(st.sampled_from([0, 2, 5, 10, NO_END]))


@pytest.mark.parametrize("order", ["ordered", "strict", "any"])
def test_the_loop_equals_the_reference(order):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(funnels(order))
    def check(case):
        customers, rules, mature_until = case
        mature, every = run_loop(customers, rules, mature_until)
        assert mature == run_reference(customers, rules, mature_until)
        assert every == run_reference(customers, rules, NO_END)
        if is_plain(customers, rules):
            assert (mature, every) == run_loop(customers, rules, mature_until, plain=True)

    check()


@pytest.mark.parametrize("ties", ["any", "stored"])
def test_the_quick_loop_equals_the_reference(ties):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(funnels("plain"))
    def check(case):
        customers, rules, mature_until = case
        rules = replace(rules, ties=ties)
        mature, every = run_loop(customers, rules, mature_until, plain=True)
        assert mature == run_reference(customers, rules, mature_until)
        assert every == run_reference(customers, rules, NO_END)

    check()


@pytest.mark.parametrize("order", ["ordered", "strict", "any"])
def test_all_attempts_equal_the_reference(order):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(funnels(order))
    def check(case):
        customers, rules, until = case
        assert run_attempts(customers, rules, until) == run_slow_attempts(customers, rules, until)

    check()


EXAMPLES = 250


@pytest.mark.slow
@pytest.mark.parametrize("order", ["ordered", "strict", "any"])
def test_the_loop_equals_the_reference_in_thousands_of_logs(order, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "EXAMPLES", 10_000)
    test_the_loop_equals_the_reference(order)
    test_all_attempts_equal_the_reference(order)
    if order == "ordered":
        test_the_quick_loop_equals_the_reference("any")
        test_the_quick_loop_equals_the_reference("stored")
