"""Every rule of DEFINITIONS.md, "Funnels", worked by hand: each test fails when its rule is broken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.analyses.funnel import Exclude, funnel
from journeykit.errors import ParameterError
from journeykit.estimators.proportions import wilson
from tests.helpers import make_log

DAY = 86_400


def counts(rows, steps, *, until=1000, base="customers_mature", **options):
    """Customers of the log's rows at each step, mature ones where there is a window."""
    log = make_log(rows, observed_until=until)
    steps = [jk.Step(step) if isinstance(step, str) else step for step in steps]
    options.setdefault("within", "100d")
    return funnel(log, steps, **options).table[base].tolist()


def entry_seconds(rows, steps, **options):
    log = make_log(rows, observed_until=1000)
    options.setdefault("within", "100d")
    return (funnel(log, list(steps), **options).table["entry_median_seconds"] / DAY).tolist()


def of_one(text, start=0):
    """Events of one customer from letters in a row, one a day; a dot is a day without one."""
    return [("ann", letter, start + i) for i, letter in enumerate(text) if letter != "."]


# -- ordered -------------------------------------------------------------------------------------


def test_steps_count_only_in_order():
    log = make_log([("a", "visit", 0), ("a", "buy", 2), ("b", "buy", 0), ("b", "visit", 1)], observed_until=9)
    assert funnel(log, ["visit", "buy"], within="5d").table["reach_rate"].tolist() == [1, 1 / 2]


def test_other_events_may_lie_between():
    assert counts(of_one("AxxB"), "AB") == [1, 1]


def test_the_latest_step_1_before_a_step_2_is_the_one_it_belongs_to():
    # A at 0, A at 9, B at 10: timed from the second A, so within 1 day.
    rows = [("ann", "A", 0), ("ann", "A", 9), ("ann", "B", 10)]
    assert counts(rows, "AB", within="1d") == [1, 1]
    assert entry_seconds(rows, "AB")[1] == 1


def test_for_later_steps_the_first_event_after_the_previous_counts():
    # B at 1 and again at 5: the attempt is at step 2 since 1, so C at 6 comes 5 days after it.
    log = make_log([("ann", "A", 0), ("ann", "B", 1), ("ann", "B", 5), ("ann", "C", 6)], observed_until=1000)
    assert (funnel(log, list("ABC"), within="100d").table["median_seconds"] / DAY).tolist()[1:] == [1, 5]


def test_a_later_step_1_does_not_take_over_an_attempt_that_is_past_it():
    # A0 B1 A2 C3: the attempt of the first A is the one at step 2.
    assert entry_seconds(of_one("ABAC"), "ABC")[1:] == [1, 3]


def test_a_second_run_through_is_no_better_than_the_first():
    # A B A B: both attempts convert; the first to get there counts, B one day after A, entering at 0.
    log = make_log(of_one("ABAB"), observed_until=1000)
    result = funnel(log, list("AB"), within="100d")
    assert result.table["customers"].tolist() == [1, 1]
    assert result.attempts()["A"].iloc[0] == pd.Timestamp("2024-01-01", tz="UTC")


def test_one_event_never_fills_two_steps():
    assert counts(of_one("A"), "AA") == [1, 0]
    assert counts(of_one("AA"), "AA") == [1, 1]
    assert counts(of_one("AA"), "AAA") == [1, 1, 0]


def test_one_event_that_matches_two_steps_moves_on_and_opens():
    either = {"A", "B"}
    log = make_log([("ann", "A", 0), ("ann", "B", 1), ("ann", "B", 2)], observed_until=100)
    assert funnel(log, [either, either, either], within="9d").table["customers"].tolist() == [1, 1, 1]


def test_the_window_counts_from_step_1_and_is_inclusive():
    rows = [("ann", "A", 0), ("ann", "B", 3), ("ann", "C", 5)]
    assert counts(rows, "ABC", within="5d") == [1, 1, 1]
    assert counts(rows, "ABC", within=pd.Timedelta("5d") - pd.Timedelta("1us")) == [1, 1, 0]


def test_the_furthest_attempt_counts_and_of_equals_the_first():
    # The first attempt stops at A, the second gets to B.
    rows = [("ann", "A", 0), ("ann", "A", 50), ("ann", "B", 51), ("ann", "A", 90)]
    log = make_log(rows, observed_until=1000)
    attempt = funnel(log, list("AB"), within="2d").attempts().iloc[0]
    assert attempt["A"] == pd.Timestamp("2024-02-20", tz="UTC")  # day 50
    rows = [("ann", "A", 0), ("ann", "A", 50)]
    attempt = funnel(make_log(rows, observed_until=1000), [jk.Step("A"), jk.Step("B")], within="2d").attempts().iloc[0]
    assert attempt["A"] == pd.Timestamp("2024-01-01", tz="UTC")


def test_steps_have_their_own_windows_beside_the_whole():
    rows = [("ann", "A", 0), ("ann", "B", 3), ("ann", "C", 5)]
    assert counts(rows, "ABC", step_within={2: "3d", 3: "2d"}) == [1, 1, 1]
    assert counts(rows, "ABC", step_within={2: "2d"}) == [1, 0, 0]
    assert counts(rows, "ABC", step_within={3: "1d"}) == [1, 1, 0]
    assert counts(rows, "ABC", within="4d", step_within={3: "2d"}) == [1, 1, 0]


# -- entry ---------------------------------------------------------------------------------------


def test_entry_first_allows_only_the_first_step_1_in_the_whole_log():
    rows = [("ann", "A", 0), ("ann", "A", 50), ("ann", "B", 51)]
    assert counts(rows, "AB", within="5d") == [1, 1]
    assert counts(rows, "AB", within="5d", entry="first") == [1, 0]


@pytest.mark.parametrize("ties", ["any", "stored"])
def test_with_entry_first_a_later_step_1_opens_nothing_where_it_would_not_be_mature_either(ties):
    rows = [("ann", "A", 0), ("ann", "A", 6), ("ann", "B", 7)]
    for base in ("customers", "customers_mature"):
        assert counts(rows, "AB", within="3d", entry="first", until=8, base=base, ties=ties) == [1, 0]


def test_with_entry_first_that_first_step_1_must_lie_in_the_range():
    rows = [("ann", "A", 0), ("ann", "A", 50), ("ann", "B", 51), ("bob", "A", 40), ("bob", "B", 41)]
    between = ("2024-01-31", None)  # from day 30
    assert counts(rows, "AB", within="5d", between=between) == [2, 2]
    assert counts(rows, "AB", within="5d", between=between, entry="first") == [1, 1]


def test_a_range_bounds_entries_while_the_window_runs_on():
    rows = [("ann", "A", 9), ("ann", "B", 12), ("bob", "A", 10), ("bob", "B", 11)]
    between = ("2024-01-01", "2024-01-11")  # days 0 to 9: half-open
    assert counts(rows, "AB", within="5d", between=between) == [1, 1]


# -- strict --------------------------------------------------------------------------------------


def test_strict_is_over_all_events_of_the_customer():
    assert counts(of_one("AB"), "AB", order="strict") == [1, 1]
    assert counts(of_one("AxB"), "AB", order="strict") == [1, 0]
    assert counts(of_one("AxAB"), "AB", order="strict") == [1, 1]


def test_strict_step_1_directly_before_step_2_is_a_new_attempt():
    rows = [("ann", "A", 0), ("ann", "A", 9), ("ann", "B", 10)]
    assert counts(rows, "AB", order="strict", within="1d") == [1, 1]


def test_strict_attempts_run_side_by_side():
    # A B A B A C: the first A's attempt breaks at the second B, that of the second A goes on to C.
    assert counts(of_one("ABABAC"), "ABAC", order="strict") == [1, 1, 1, 1]


# -- any order -----------------------------------------------------------------------------------


def test_any_order_counts_the_fullest_window_not_the_first():
    rows = [("ann", "A", 0), ("ann", "B", 8), ("ann", "A", 9), ("ann", "C", 12)]
    assert counts(rows, "ABC", order="any", within="10d") == [1, 1, 1]
    # B at 8 opens it, as the earliest of the windows with all three.
    assert entry_seconds(rows, "ABC", order="any", within="10d")[1:] == [1, 4]


def test_any_order_needs_different_events():
    assert counts(of_one("A"), "AA", order="any") == [1, 0]
    assert counts(of_one("BA"), "AB", order="any") == [1, 1]
    # Either of two steps by one event each: a B can't be both.
    log = make_log(of_one("B"), observed_until=100)
    steps = [jk.Step(["A", "B"]), jk.Step("B")]
    assert funnel(log, steps, order="any", within="9d").table["customers"].tolist() == [1, 0]
    log = make_log(of_one("BA"), observed_until=100)
    assert funnel(log, steps, order="any", within="9d").table["customers"].tolist() == [1, 1]


def test_any_order_refuses_what_needs_an_order():
    log = make_log(of_one("AB"), observed_until=100)
    for options in ({"exclude": [Exclude("B")]}, {"optional": [2]}, {"step_within": {2: "1d"}}):
        with pytest.raises(ParameterError, match="order must be"):
            funnel(log, ["A", "B"], order="any", **options)


# -- ties ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", ["AB", "BA"])
def test_events_of_one_instant_match_in_either_stored_order(stored):
    rows = [("ann", letter, 0) for letter in stored]
    assert counts(rows, "AB") == [1, 1]
    assert counts(rows, "AB", ties="stored") == ([1, 1] if stored == "AB" else [1, 0])


def test_tied_events_are_still_different_events():
    assert counts([("ann", "A", 0)], "AA") == [1, 0]
    assert counts([("ann", "A", 0), ("ann", "A", 0)], "AA") == [1, 1]


@pytest.mark.parametrize("stored", ["Bx", "xB"])
def test_strictness_is_not_applied_among_tied_events(stored):
    rows = [("ann", "A", 0), *(("ann", letter, 1) for letter in stored)]
    assert counts(rows, "AB", order="strict") == [1, 1]
    # Tied events none of which is the next step do break.
    assert counts([("ann", "A", 0), ("ann", "x", 1), ("ann", "y", 1), ("ann", "B", 2)], "AB", order="strict") == [1, 0]


@pytest.mark.parametrize("stored", ["BX", "XB"])
def test_exclusions_are_not_applied_among_tied_events(stored):
    rows = [("ann", "A", 0), *(("ann", letter, 1) for letter in stored)]
    assert counts(rows, "AB", exclude=[Exclude("X")]) == [1, 1]
    # Between steps 1 and 3 the tied X lies for certain.
    three = [*rows, ("ann", "C", 2)]
    assert counts(three, "ABC", exclude=[Exclude("X", after=1, before=3)]) == [0, 0, 0]


def test_a_step_1_stored_last_at_its_instant_takes_nothing_from_the_attempt_it_did_not_begin():
    rows = [("ann", "A", 0), ("ann", "B", 0), ("ann", "A", 0), ("ann", "C", 1), ("bob", "B", 3), ("bob", "C", 4)]
    log = make_log(rows, observed_until=100)
    first, second = log.times[0], log.times[3]
    found = funnel(log, ["A", "B", "C"], within="9d", ties="stored").attempts()
    assert found[["A", "B", "C"]].to_numpy().tolist() == [
        [pd.Timestamp(t, unit="us", tz="UTC") for t in (first, first, second)]
    ]


def test_zero_second_gaps_are_included():
    log = make_log([("a", "A", 0), ("a", "B", 0), ("b", "A", 0), ("b", "B", 2)], observed_until=100)
    assert funnel(log, ["A", "B"], within="9d").table["median_seconds"].iloc[1] == DAY  # of 0 and 2 days


# -- exclusions ----------------------------------------------------------------------------------


def test_an_exclusion_between_two_steps_removes_or_drops():
    rows = of_one("AXB")
    assert counts(rows, "AB", exclude=[Exclude("X")]) == [0, 0]
    assert counts(rows, "AB", exclude=[Exclude("X")], exclude_effect="drop") == [1, 0]


def test_a_removed_customer_is_counted_as_left_out():
    result = funnel(make_log(of_one("AXB"), observed_until=100), ["A", "B"], within="9d", exclude=[Exclude("X")])
    assert result.left_out.to_dict("records") == [{"reason": "funnel.spoilt", "customers": 1}]


def test_a_later_clean_attempt_that_comes_as_far_rescues():
    assert counts(of_one("AXAB"), "AB", exclude=[Exclude("X")]) == [1, 1]
    # Spoilt at step 2, and the later attempt is clean but only at step 1: not as far.
    assert counts(of_one("ABXA"), "ABC", exclude=[Exclude("X", 2, 3)]) == [0, 0, 0]
    assert counts(of_one("ABXAB"), "ABC", exclude=[Exclude("X", 2, 3)]) == [1, 1, 0]


def test_an_exclusion_spoils_only_between_its_steps():
    assert counts(of_one("ABXC"), "ABC", exclude=[Exclude("X", 1, 2)]) == [1, 1, 1]
    assert counts(of_one("AXBC"), "ABC", exclude=[Exclude("X", 2, 3)]) == [1, 1, 1]
    assert counts(of_one("ABXC"), "ABC", exclude=[Exclude("X", 1, 3)], exclude_effect="drop") == [1, 1, 0]


def test_an_exclusion_after_completion_or_after_the_window_does_nothing():
    assert counts(of_one("ABX"), "AB", exclude=[Exclude("X")]) == [1, 1]
    assert counts([("ann", "A", 0), ("ann", "X", 5)], "AB", within="5d", exclude=[Exclude("X")]) == [0, 0]
    assert counts([("ann", "A", 0), ("ann", "X", 6)], "AB", within="5d", exclude=[Exclude("X")]) == [1, 0]


def test_an_attempt_that_another_has_overtaken_is_spoilt_too():
    # A0 A1 X2: both attempts are inside their windows when X comes.
    assert counts(of_one("AAX"), "AB", exclude=[Exclude("X")]) == [0, 0]


def test_an_event_that_fills_a_step_does_not_spoil_its_attempt():
    assert counts(of_one("ABC"), "ABC", exclude=[Exclude("B", 1, 3)]) == [1, 1, 1]
    assert counts(of_one("ABBC"), "ABC", exclude=[Exclude("B", 1, 3)]) == [0, 0, 0]


def test_an_exclusion_can_have_conditions():
    rows = [
        ("a", "A", 0, "x"),
        ("a", "E", 1, "bad"),
        ("a", "B", 2, "x"),
        ("b", "A", 0, "x"),
        ("b", "E", 1, "ok"),
        ("b", "B", 2, "x"),
    ]
    log = make_log(rows, observed_until=100, columns=["kind"])
    table = funnel(log, ["A", "B"], within="9d", exclude=[Exclude("E", where={"kind": "bad"})]).table
    assert table["customers"].tolist() == [1, 1]


# -- optional steps ------------------------------------------------------------------------------


def test_an_optional_step_may_be_skipped():
    rows = [*of_one("AOB"), ("bob", "A", 0), ("bob", "B", 4)]
    log = make_log(rows, observed_until=1000)
    table = funnel(log, list("AOB"), within="100d", optional=[2]).table
    assert table["customers"].tolist() == [2, 1, 2]
    assert table["step_rate"].tolist()[1:] == [1 / 2, 1]  # over the required step before
    assert (table["median_seconds"] / DAY).tolist()[1:] == [1, 3]  # B after A: 2 and 4 days
    assert table["dropped"].tolist() == [0, 0, 0]


def test_an_optional_step_at_the_end_is_not_the_conversion():
    log = make_log([*of_one("ABO"), ("bob", "A", 0), ("bob", "B", 1), ("cyd", "A", 0)], observed_until=1000)
    result = funnel(log, list("ABO"), within="100d", optional=[3])
    assert result.table["customers"].tolist() == [3, 2, 1]
    assert result.table["dropped"].tolist() == [1, 0, 0]
    assert result.summary["converted"].tolist() == [2]


def test_the_first_step_is_never_optional():
    with pytest.raises(ParameterError, match="optional must be step numbers from 2 to 2, got \\[1\\]"):
        funnel(make_log(of_one("AB")), ["A", "B"], optional=[1])


# -- maturity ------------------------------------------------------------------------------------


def test_an_entry_is_mature_if_its_window_ends_before_observation_does():
    # Within 10 of the end (exclusive) at 20: day 9 is mature, day 10 is not.
    rows = [("a", "A", 9), ("b", "A", 10), ("b", "B", 11)]
    assert counts(rows, "AB", until=20, within="10d") == [1, 0]
    assert counts(rows, "AB", until=20, within="10d", base="customers") == [2, 1]


def test_converting_does_not_make_an_entry_mature():
    result = funnel(make_log([("b", "A", 10), ("b", "B", 11)], observed_until=20), ["A", "B"], within="10d")
    assert result.table["customers_mature"].tolist() == [0, 0]
    assert result.table["reach_rate"].isna().all()
    assert result.left_out.to_dict("records") == [{"reason": "funnel.immature", "customers": 1}]


def test_an_immature_step_1_does_not_absorb_what_a_mature_one_would_have():
    # Within 10, observed until 20: A at 9 is mature, A at 10 is not; B at 11 belongs to A at 9 in the mature matching.
    rows = [("a", "A", 9), ("a", "A", 10), ("a", "B", 11)]
    log = make_log(rows, observed_until=20)
    table = funnel(log, ["A", "B"], within="10d").table
    assert table["customers_mature"].tolist() == [1, 1]
    assert table["median_seconds"].iloc[1] == 2 * DAY
    assert funnel(log, ["A", "B"], within="10d", maturity="all").table["median_seconds"].iloc[1] == DAY


def test_without_a_window_nothing_is_mature_and_rates_are_so_far():
    result = funnel(make_log([("a", "A", 0), ("a", "B", 5), ("b", "A", 0)], observed_until=1000), ["A", "B"])
    assert result.params["rates_over"] == "so_far"
    assert result.table["customers_mature"].tolist() == [0, 0]
    assert result.table["reach_rate"].tolist() == [1, 1 / 2]
    assert result.table["open"].tolist() == [1, 0]
    assert result.table["dropped"].tolist() == [0, 0]
    assert "so far" in result.describe()


def test_all_entries_give_plain_rates():
    rows = [("a", "A", 9), ("b", "A", 18), ("c", "A", 18), ("c", "B", 19)]
    table = funnel(make_log(rows, observed_until=20), ["A", "B"], within="10d", maturity="all").table
    assert table["reach_rate"].tolist() == [1, 1 / 3]
    assert table["dropped"].tolist() == [1, 0]
    assert table["open"].tolist() == [1, 0]


# -- groups --------------------------------------------------------------------------------------

BY = [
    ("ann", "A", 0, "red"), ("ann", "B", 1, None), ("ann", "C", 2, "blue"),
    ("bob", "A", 0, None), ("bob", "B", 1, "blue"),
    ("cyd", "A", 0, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("by_value", "expected"),
    [
        ("first", {"red": [1, 1, 1], "blue": [1, 1, 0], "(missing)": [1, 0, 0]}),
        ("last", {"blue": [2, 2, 1], "(missing)": [1, 0, 0]}),
        ("step 1", {"red": [1, 1, 1], "(missing)": [2, 1, 0]}),
        ("step 2", {"blue": [1, 0], "(missing)": [1, 1]}),
        ("step 3", {"blue": [1]}),
    ],
)
def test_a_group_is_a_value_of_the_chosen_attempt(by_value, expected):
    log = make_log(BY, observed_until=100, columns=["colour"])
    result = funnel(log, list("ABC"), within="9d", by="colour", by_value=by_value)
    found = {segment: rows["customers"].tolist() for segment, rows in result.table.groupby("segment")}
    assert found == expected
    first = result.table.groupby("segment", sort=False)["reach_rate"].first()
    assert first.tolist() == [1] * len(first)  # rates start at the first step shown


def test_who_did_not_come_to_the_step_that_decides_the_group_is_counted():
    log = make_log(BY, observed_until=100, columns=["colour"])
    result = funnel(log, list("ABC"), within="9d", by="colour", by_value="step 3")
    assert result.left_out.to_dict("records") == [{"reason": "funnel.no_group", "customers": 2}]


def test_only_events_that_filled_a_step_decide_the_group():
    rows = [("ann", "A", 0, None), ("ann", "x", 1, "red"), ("ann", "B", 2, "blue")]
    log = make_log(rows, observed_until=100, columns=["colour"])
    table = funnel(log, ["A", "B"], within="9d", by="colour", by_value="first").table
    assert table["segment"].unique().tolist() == ["blue"]


def test_the_group_is_by_default_what_is_known_at_the_start():
    # Known only at B, the colour would make a group in which everybody came to B.
    log = make_log([("ann", "A", 0, None), ("ann", "B", 1, "blue")], observed_until=100, columns=["colour"])
    assert funnel(log, ["A", "B"], within="9d", by="colour").table["segment"].unique().tolist() == ["(missing)"]


def test_differences_are_newcombe_and_holm_over_the_whole_family():
    # 56 of 70 against 48 of 80: Newcombe (1998), table II, example (a), method 10: .2000 (.0524, .3339).
    rows = [(f"n{i}", "A", 0, "new") for i in range(70)] + [(f"n{i}", "B", 1, "new") for i in range(56)]
    rows += [(f"o{i}", "A", 0, "a old") for i in range(80)] + [(f"o{i}", "B", 1, "a old") for i in range(48)]
    result = funnel(make_log(rows, observed_until=100, columns=["plan"]), ["A", "B"], within="9d", by="plan")
    (row,) = result.comparison.to_dict("records")
    assert (row["step"], row["rate"], row["a"], row["b"]) == ("B", "step_rate", "a old", "new")
    found = [row[f"difference_rate{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)


# -- times and rates -----------------------------------------------------------------------------


def test_times_and_intervals_of_a_small_funnel():
    # Four customers; B after 1, 2, 4 days (one not); C 10 days after B for one of them.
    rows = [(name, "A", 0) for name in "abcd"] + [("a", "B", 1), ("b", "B", 2), ("c", "B", 4), ("c", "C", 14)]
    table = funnel(make_log(rows, observed_until=1000), list("ABC"), within="100d").table
    assert (table["median_seconds"] / DAY).tolist()[1:] == [2, 10]
    assert (table["mean_seconds"] / DAY).tolist()[1:] == pytest.approx([7 / 3, 10])
    assert (table["p90_seconds"] / DAY).tolist()[1:] == pytest.approx([np.quantile([1, 2, 4], 0.9), 10])
    assert (table["entry_median_seconds"] / DAY).tolist()[1:] == [2, 14]
    assert table["step_rate"].tolist()[1:] == [3 / 4, 1 / 3]
    assert table["reach_rate"].tolist() == [1, 3 / 4, 1 / 4]
    assert table[["reach_rate_low", "reach_rate_high"]].iloc[2].tolist() == pytest.approx(wilson(1, 4))
    assert table[["step_rate_low", "step_rate_high"]].iloc[2].tolist() == pytest.approx(wilson(1, 3))
    assert table["dropped"].tolist() == [1, 2, 0]


# -- edges ---------------------------------------------------------------------------------------


def test_a_step_that_never_occurs_is_zero_not_missing():
    log = make_log(of_one("A"), observed_until=100)
    table = funnel(log, [jk.Step("A"), jk.Step("never"), jk.Step("C")], within="9d").table
    assert table["customers"].tolist() == [1, 0, 0]
    assert table["reach_rate"].tolist() == [1, 0, 0]
    assert np.isnan(table["step_rate"].iloc[2])  # 0 of 0


def test_nobody_entered():
    result = funnel(make_log(of_one("B"), observed_until=100), [jk.Step("A"), jk.Step("B")], within="9d")
    assert result.table["customers"].tolist() == [0, 0]
    assert result.table["reach_rate"].isna().all()
    assert result.left_out.to_dict("records") == [{"reason": "funnel.not_entered", "customers": 1}]
    assert result.describe() == "Nobody came to A."
    assert len(result.attempts()) == 0
    result.plot()


def test_thirty_steps():
    letters = [f"s{i:02d}" for i in range(30)]
    rows = [("ann", letter, i) for i, letter in enumerate(letters)]
    rows += [("bob", letter, i) for i, letter in enumerate(letters[:20])]
    table = funnel(make_log(rows, observed_until=1000), letters, within="40d").table
    assert table["customers"].tolist() == [2] * 20 + [1] * 10


def test_an_empty_log():
    log = make_log(of_one("AB"), observed_until=100).where(touchpoint="none of them")
    result = funnel(log, [jk.Step("A"), jk.Step("B")], within="9d")
    assert result.table["customers"].tolist() == [0, 0]
    assert len(result.left_out) == 0


def test_names_that_repeat_are_numbered():
    table = funnel(make_log(of_one("AA"), observed_until=100), ["A", "A"], within="9d").table
    assert table["step"].tolist() == ["A", "A (2)"]


def test_what_is_not_possible_is_said():
    log = make_log(of_one("AB"), observed_until=100)
    for options, message in (
        ({"steps": "AB"}, 'steps must be a list such as \\["visit", "order"\\]'),
        ({"steps": ["A", "Z"]}, "'Z' is neither a touchpoint nor a stage"),
        ({"within": "1m"}, "could be a minute or a month"),
        ({"order": "random"}, "order must be one of"),
        ({"by_value": "step 3"}, 'by_value must be "first", "last", "all" or "step k" with k a required step among '),
        ({"exclude": [Exclude("A", 2, 2)]}, "an exclusion lies between two required steps"),
        ({"step_within": {1: "1d"}}, "step_within must name steps from 2 to 2"),
        ({"between": ("2024-02-01", "2024-01-01")}, "between must start before it ends"),
        ({"confidence": 1.5}, "confidence == 1.5"),
    ):
        with pytest.raises(ParameterError, match=message):
            funnel(log, **{"steps": ["A", "B"], **options})


def test_a_stage_that_the_log_has_not_is_a_mistake_and_no_0():
    log = make_log(of_one("AB")).with_stages(jk.StageModel.of({"see": "A", "buy": "B"}))
    with pytest.raises(ParameterError, match=r"stage must be one of \['see', 'buy'\], got 'sea'"):
        funnel(log, [jk.Step(stage="sea"), jk.Step(stage="buy")])
