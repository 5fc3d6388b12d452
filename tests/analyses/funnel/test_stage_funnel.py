"""The stage funnel: the engine on stages, and what a line hides, against hand-worked cases and a slow reference."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import journeykit as jk
from journeykit.analyses.funnel import funnel, stage_funnel
from journeykit.errors import LogError, ParameterError
from journeykit.text import has_label
from tests.analyses.funnel.test_funnel_slow import cases, check
from tests.helpers import event_rows, make_log, shuffle

MODEL = jk.StageModel.of({"look": ["a", "A"], "weigh": ["b", "B"], "buy": ["c", "C"]})
STAGE_OF = {letter: stage for letters, stage in (("aA", 0), ("bB", 1), ("cC", 2)) for letter in letters}


def stages(rows, *, until=100, **options):
    log = make_log(rows, observed_until=until, stages=MODEL, columns=options.pop("columns", ()))
    options.setdefault("within", "30d")
    return stage_funnel(log, **options)


def of_one(text, customer="ann"):
    return [(customer, letter, i) for i, letter in enumerate(text) if letter != "."]


def column(result, name):
    return result.table[name].tolist()


def test_the_numbers_are_those_of_the_funnel_of_these_stages():
    rows = [*of_one("ab.c"), *of_one("a..b", "bob"), *of_one("cab", "cyd")]
    log = make_log(rows, observed_until=100, stages=MODEL)
    same = [
        "customers",
        "customers_mature",
        "step_rate",
        "reach_rate",
        "median_seconds",
        "entry_p90_seconds",
        "dropped",
    ]
    one, other = stage_funnel(log, within="30d").table, funnel(log, ["look", "weigh", "buy"], within="30d").table
    assert_frame_equal(one[same], other[same])
    assert one["stage"].tolist() == ["look", "weigh", "buy"]
    assert one["customers"].tolist() == [3, 3, 1]


def test_reached_is_at_all_and_in_any_order():
    assert column(stages([*of_one("cba"), *of_one("a", "bob")]), "reached") == [2, 1, 1]


@pytest.mark.parametrize(
    ("text", "skipped"),
    [
        ("abc", [0, 0, 0]),
        ("ac", [0, 1, 0]),  # straight to buy
        ("acb", [0, 1, 0]),  # weighing afterwards doesn't undo it
        ("bc", [1, 0, 0]),
        ("c", [1, 1, 0]),
        ("ba", [1, 0, 0]),
        ("aab", [0, 0, 0]),
    ],
)
def test_skipped_means_in_a_later_stage_without_having_been_here(text, skipped):
    assert column(stages(of_one(text)), "skipped") == skipped


@pytest.mark.parametrize(
    ("text", "came_back"),
    [
        ("aba", [1, 0, 0]),
        ("ab", [0, 0, 0]),
        ("ba", [0, 0, 0]),  # was not here before
        ("aab", [0, 0, 0]),
        ("acbab", [1, 0, 0]),  # a c a; but b a b visits no later stage
        ("bcb", [0, 1, 0]),
        ("axa", [0, 0, 0]),  # x has no stage
    ],
)
def test_came_back_means_here_then_later_then_here_again(text, came_back):
    assert column(stages(of_one(text)), "came_back") == came_back


def test_tied_events_have_no_before():
    tied = [("ann", "b", 0), ("ann", "a", 0)]
    assert column(stages(tied), "skipped") == [0, 0, 0]
    assert column(stages(tied, ties="stored"), "skipped") == [1, 0, 0]
    back = [("ann", "a", 0), ("ann", "b", 1), ("ann", "a", 1)]
    assert column(stages(back), "came_back") == [0, 0, 0]
    assert column(stages(back, ties="stored"), "came_back") == [1, 0, 0]


def test_an_exclusion_is_named_by_its_stages():
    rows = [*of_one("abxc"), *of_one("axbc", "bob"), *of_one("abc", "cyd")]
    spoilt = jk.Exclude("x", after="weigh", before="buy")
    result = stages(rows, exclude=[spoilt])
    assert column(result, "customers") == [2, 2, 2]
    assert result.left_out["reason"].tolist() == ["funnel.spoilt"]
    assert result.params["exclude"] == [{"step": "x", "after": 2, "before": 3}]
    assert_frame_equal(result.table, stages(rows, exclude=[jk.Exclude("x", after=2, before=3)]).table)
    dropped = stages(rows, exclude=[spoilt], exclude_effect="drop")
    assert column(dropped, "customers") == [3, 3, 2]
    assert column(dropped, "next_touchpoint") == [None, "x", None]
    assert column(dropped, "reached") == [3, 3, 3]  # at all: whatever spoils


def test_a_bucket_without_customers_has_no_exclusions_either():
    log = make_log(of_one("abc"), observed_until=100, stages=MODEL)
    options = {"within": "30d", "exclude": [jk.Exclude(jk.Step("x"), after="look", before="weigh")]}
    assert_frame_equal(stage_funnel(log, **options).table, stage_funnel(log.in_buckets(7), **options).table)


def test_an_optional_stage_may_be_skipped():
    rows = [*of_one("ac"), *of_one("abc", "bob"), *of_one("a", "cyd"), *of_one("ab", "dan")]
    assert column(stages(rows), "customers") == [4, 2, 1]
    result = stages(rows, optional=["weigh"])
    assert column(result, "customers") == [4, 2, 2]
    assert column(result, "step_rate")[1:] == [2 / 4, 2 / 4]
    assert column(result, "skipped") == [0, 1, 0]
    assert column(result, "dropped") == [1, 1, 0]
    assert_frame_equal(result.table, stages(rows, optional="weigh").table)


def test_a_stage_can_have_a_window_of_its_own():
    rows = [*of_one("ab..c"), *of_one("a...bc", "bob")]
    assert column(stages(rows), "customers") == [2, 2, 2]
    assert column(stages(rows, step_within={"weigh": "3d"}), "customers") == [2, 1, 1]
    assert column(stages(rows, step_within={"buy": "2d"}), "customers") == [2, 2, 1]


def test_a_stage_is_worth_the_values_on_the_events_that_filled_it():
    rows = [("p", "a", 0, 1.0), ("p", "b", 1, None), ("p", "c", 2, 40.0), ("p", "c", 3, 500.0), ("q", "a", 0, 3.0)]
    table = stages(rows, columns=["price"], value="price").table
    assert table["total_value"].tolist() == [4, 0, 40]
    assert table["valued"].tolist() == [2, 0, 1]
    assert table["entry_value"].tolist() == [2, 0, 20]


def test_a_property_held_constant_is_the_same_in_all_stages():
    rows = [("p", "a", 0, "x"), ("p", "b", 1, "y"), ("p", "c", 2, "x"), ("q", "a", 0, "x"), ("q", "b", 1, "x")]
    result = stages(rows, columns=["item"], hold="item")
    assert column(result, "customers") == [2, 1, 0]
    for name in ("reached", "skipped", "came_back"):  # of all that a customer did
        assert column(result, name) == column(stages(rows, columns=["item"]), name)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"optional": ["look"]}, "optional must be step numbers from 2"),
        ({"optional": ["x"]}, "optional must be one of"),
        ({"step_within": {2: "1d"}}, "step_within must be one of"),
        ({"exclude": [jk.Exclude("x", after="buy", before="look")]}, "lies between two required steps"),
        ({"exclude": [jk.Exclude("x", after="by", before="buy")]}, "after must be one of"),
    ],
)
def test_mistakes_are_told(options, says):
    with pytest.raises(ParameterError, match=says):
        stages(of_one("abxc"), **options)
    with pytest.raises(ParameterError, match="lies between two required steps"):
        funnel(make_log(of_one("abc"), observed_until=9), ["a", "b"], exclude=[jk.Exclude("c", after="a", before="b")])


def test_what_those_who_stopped_did_next():
    rows = [
        ("p", "a", 0), ("p", "x", 1),  # stopped at look, then x
        ("q", "a", 0), ("q", "A", 1), ("q", "x", 2),  # more of the same stage first: still x
        ("r", "a", 0), ("r", "c", 1),  # skipped on to buy
        ("s", "a", 0), ("s", "A", 1),  # only more of the same
        ("t", "a", 0),  # nothing
        ("u", "a", 0), ("u", "x", 31),  # nothing inside the window
        ("v", "a", 0), ("v", "b", 1), ("v", "a", 2),  # stopped at weigh, went back
        ("w", "a", 90),  # still inside the window at the end
    ]  # fmt: skip
    result = stages(rows)
    row = result.table.iloc[0]
    assert (row["dropped"], row["open"], row["next_touchpoint"], row["next_customers"]) == (6, 1, "x", 2)
    assert (row["stayed"], row["nothing"]) == (1, 2)
    actions = result.next_actions[result.next_actions["stage"] == "look"]
    assert dict(zip(actions["next_touchpoint"], actions["customers"], strict=True)) == {
        "x": 2, "funnel.nothing": 2, "c": 1, "funnel.stayed": 1,
    }  # fmt: skip
    assert actions["next_rate"].sum() == pytest.approx(1)
    assert result.table["next_touchpoint"].tolist()[1:] == ["a", None]


def test_without_a_window_all_is_so_far():
    result = stages([*of_one("ax"), *of_one("ab", "bob")], within=None)
    assert column(result, "dropped") == [0, 0, 0]
    assert column(result, "open") == [1, 1, 0]
    assert result.table["next_touchpoint"].tolist() == ["x", None, None]
    assert "so far" in result.describe()


def test_groups_hold_everybody_also_who_never_entered():
    rows = [("p", "a", 0, "red"), ("q", "c", 0, "red"), ("r", "c", 0, None), ("r", "c", 1, "blue"), ("s", "c", 1, None)]
    result = stages(rows, by="colour", columns=["colour"])
    reached = result.table.set_index(["segment", "stage"])["reached"]
    assert reached["red"].tolist() == [1, 0, 1]
    assert reached["blue"].tolist() == [0, 0, 1]
    assert reached["(missing)"].tolist() == [0, 0, 1]
    assert result.table["reached"].sum() == stages(rows, columns=["colour"]).table["reached"].sum()


def test_chosen_stages_in_a_chosen_order():
    result = stages(of_one("ac"), stages=["look", "buy"])
    assert column(result, "customers") == [1, 1]
    assert column(result, "skipped") == [0, 0]
    with pytest.raises(ParameterError, match="stages must be one of"):
        stages(of_one("ac"), stages=["look", "by"])
    with pytest.raises(ParameterError, match="stages must differ"):
        stages(of_one("ac"), stages=["look", "look"])


def test_a_log_without_stages_is_refused_with_the_way_out():
    with pytest.raises(LogError, match=r"log\.with_stages\(jk\.StageModel\.digital\(\)\)"):
        stage_funnel(make_log(of_one("abc"), observed_until=100))


def test_the_description_says_what_they_did_instead():
    rows = [("p", "a", 0), ("p", "x", 1), ("q", "a", 0), ("r", "a", 0), ("r", "b", 1), ("r", "c", 2), ("s", "c", 0)]
    assert stages(rows).describe() == (
        "33.3% [6.1%, 79.2%] of 3 customers who came to look reached buy within 30 d. Half of them took 2 d or less. "
        "The biggest loss lies between look and weigh: 2 customers went no further, 66.7% [20.8%, 93.9%] of those who "
        "came that far. What those who stopped at look did next: most often x (50.0% of 2 customers); 0.0% only "
        "more of that stage, 50.0% nothing more. 1 customer reached a later stage without having been in look."
    )


# -- slow reference ------------------------------------------------------------------------------


def reference(rows, ties):
    """(reached, skipped, came back) per stage, straight from the docstring, over all pairs of events."""
    counts = {name: [0, 0, 0] for name in ("reached", "skipped", "came_back")}
    for customer in {row[0] for row in rows}:
        mine = sorted((row for row in rows if row[0] == customer), key=lambda row: row[2])
        events = [(i if ties == "stored" else time, STAGE_OF.get(name)) for i, (_, name, time) in enumerate(mine)]
        for stage in range(3):
            here = [when for when, at in events if at == stage]
            later = [when for when, at in events if at is not None and at > stage]
            counts["reached"][stage] += bool(here)
            counts["skipped"][stage] += bool(later) and not any(when <= min(later) for when in here)
            counts["came_back"][stage] += any(x < y < z for x in here for y in later for z in here)
    return counts


@settings(max_examples=60, deadline=None)
@given(rows=event_rows(touchpoints="aAbBcx", max_time=15), ties=st.sampled_from(["any", "stored"]))
def test_moves_equal_the_reference(rows, ties):
    table = stages(rows, ties=ties).table
    for name, expected in reference(rows, ties).items():
        assert table[name].tolist() == expected


NAMES = ("one", "two", "three")


def by_name(options):
    """The options of a funnel of three steps as those of a funnel of three stages."""
    named = {name: each for name, each in options.items() if name != "order"}
    named["optional"] = [NAMES[k - 1] for k in options["optional"]]
    named["step_within"] = {NAMES[k - 1]: window for k, window in (options["step_within"] or {}).items()}
    named["exclude"] = [
        jk.Exclude(rule.touchpoint, NAMES[rule.after - 1], NAMES[rule.before - 1]) for rule in options["exclude"]
    ]
    return named


def run_stages(log, options):
    staged = log.with_stages(jk.StageModel.of({"one": "A", "two": "B", "three": "C"}))
    return stage_funnel(staged, **by_name(options))


ordered = cases().filter(lambda case: case[1]["order"] == "ordered" and case[1]["by_value"] != "step 2")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(ordered)
def test_every_number_equals_the_slow_funnel_with_every_option(case):
    check(case, run_stages, [["A"], ["B"], ["C"]])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(ordered)
def test_one_piece_equals_buckets_with_every_option(case):
    rows, options = case
    log = make_log(rows, observed_until=22, columns=["colour", "order", "size"])
    log = log.with_stages(jk.StageModel.of({"one": "A", "two": "B", "three": "C"}))
    named = by_name(options)
    whole, merged = stage_funnel(log, **named), stage_funnel(log.in_buckets(7), **named)
    for name in ("table", "summary", "comparison", "left_out", "next_actions"):
        assert_frame_equal(getattr(whole, name), getattr(merged, name))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(ordered)
def test_what_a_line_hides_is_of_all_events_whatever_is_held_excluded_or_optional(case):
    rows, options = case
    log = make_log(rows, observed_until=22, columns=["colour", "order", "size"])
    log = log.with_stages(jk.StageModel.of({"one": "A", "two": "B", "three": "C"}))
    named = by_name(options) | {"by": None, "by_value": "step 1"}
    plain = {name: named[name] for name in ("unit", "ties", "between")}
    for name in ("reached", "skipped", "came_back"):
        assert column(stage_funnel(log, **named), name) == column(stage_funnel(log, **plain), name)


def reference_next(log, result, ties):
    """What each customer in `dropped` did next, by looking at their events one after another."""
    frame = log.frame()
    attempts = result.attempts().set_index("customer")
    found = {}
    for stage in ("look", "weigh"):
        for customer in result.dropped(stage):
            at = attempts.loc[customer, stage]
            end = attempts.loc[customer, "look"] + pd.Timedelta("30d")
            after = frame[(frame["customer"] == customer) & (frame["time"] > at) & (frame["time"] <= end)]
            other = after[after["stage"] != stage]
            if len(other):
                first = other[other["time"] == other["time"].min()]
                outcome = min(first["touchpoint"])
            else:
                outcome = "funnel.stayed" if len(after) else "funnel.nothing"
            found[(stage, outcome)] = found.get((stage, outcome), 0) + 1
    return found


@settings(max_examples=40, deadline=None)
@given(
    rows=event_rows(touchpoints="aAbBcx", max_time=60, customers="abcdefgh"),
    options=st.sampled_from(
        [
            {},
            {"optional": ["weigh"]},
            {"step_within": {"weigh": "3d"}},
            {"exclude": [jk.Exclude(jk.Step("x"), "look", "weigh")], "exclude_effect": "drop"},
        ]
    ),
)
def test_next_actions_equal_the_reference(rows, options):
    log = make_log(rows, observed_until=80, stages=MODEL)
    result = stage_funnel(log, within="30d", **options)
    actions = result.next_actions
    found = dict(zip(zip(actions["stage"], actions["next_touchpoint"], strict=True), actions["customers"], strict=True))
    assert found == reference_next(log, result, "any")


@settings(max_examples=25, deadline=None)
@given(
    rows=event_rows(touchpoints="aAbBcx", max_time=60, customers="abcdefgh"),
    within=st.sampled_from([None, "30d"]),
    by=st.sampled_from([None, "touchpoint"]),
    ties=st.sampled_from(["any", "stored"]),
    between=st.sampled_from([None, ("2024-01-10", "2024-02-10")]),
    seed=st.integers(0, 9),
)
def test_one_piece_equals_buckets_and_any_order_of_rows(rows, within, by, ties, between, seed):
    log = make_log(rows, observed_until=80, stages=MODEL)
    options = {"within": within, "by": by, "ties": ties, "between": between}
    whole, merged = stage_funnel(log, **options), stage_funnel(log.in_buckets(7), **options)
    others = [merged]
    if ties == "any":
        others.append(stage_funnel(make_log(shuffle(rows, seed), observed_until=80, stages=MODEL), **options))
    for other in others:
        for name in ("table", "summary", "comparison", "left_out", "next_actions"):
            assert_frame_equal(getattr(whole, name), getattr(other, name))


@pytest.mark.parametrize("code", ["en", "he"])
def test_every_column_has_a_word(code):
    result = stages([("p", "a", 0, "r"), ("q", "a", 0, "s"), ("q", "b", 1, "s")], by="colour", columns=["colour"])
    for frame in (result.table, result.summary, result.comparison, result.next_actions):
        assert not [name for name in frame if not has_label(name, language=code)]
    with jk.language(code):
        assert "funnel." not in result._repr_html_()


def test_a_result_pickles_without_its_log():
    result = pickle.loads(pickle.dumps(stages(of_one("ab"))))
    assert result.log is None
    assert result.describe()
    result.figure()
