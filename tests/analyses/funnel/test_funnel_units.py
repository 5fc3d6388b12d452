"""What is counted, per what, and with what held constant: every rule worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.analyses.funnel import Exclude, funnel, stage_funnel
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.differences import clustered_difference, joint_sums, newcombe
from journeykit.estimators.proportions import clustered_mean, clustered_rate, customer_sums
from journeykit.text import has_label
from tests.analyses.funnel.test_funnel_definitions import of_one
from tests.helpers import make_log

DAY = 86_400


def attempts(rows, steps, *, until=1000, **options):
    """Attempts at each step."""
    log = make_log(rows, observed_until=until)
    options.setdefault("within", "100d")
    return funnel(log, [jk.Step(step) for step in steps], count="attempts", **options).table["attempts"].tolist()


# -- count="attempts" ----------------------------------------------------------------------------


def test_a_step_1_while_an_attempt_is_past_it_opens_nothing():
    assert attempts(of_one("ABABC"), "ABC") == [1, 1, 1]


def test_a_step_1_while_an_attempt_is_at_it_opens_the_next():
    assert attempts(of_one("AAB"), "AB") == [2, 1]


def test_after_conversion_a_new_attempt_opens():
    assert attempts(of_one("ABAB"), "AB") == [2, 2]


def test_after_the_window_a_new_attempt_opens():
    rows = [("ann", "A", 0), ("ann", "B", 1), ("ann", "A", 5), ("ann", "A", 6), ("ann", "B", 7)]
    assert attempts(rows, "ABC", within="5d") == [2, 2, 0]  # A at 5 lies exactly inside the window of A at 0


def test_after_the_window_of_the_next_step_a_new_attempt_opens():
    rows = [("ann", "A", 0), ("ann", "B", 1), ("ann", "A", 4), ("ann", "B", 5), ("ann", "C", 6)]
    assert attempts(rows, "ABC") == [1, 1, 1]
    assert attempts(rows, "ABC", step_within={3: "2d"}) == [2, 2, 1]


def test_the_event_that_moves_an_attempt_on_opens_none():
    assert attempts(of_one("AAAA"), "AA") == [2, 2]
    assert attempts(of_one("ABABA"), "ABA") == [2, 1, 1]  # the third event converts; the fifth begins anew


def test_conversion_is_the_last_required_step():
    rows = of_one("ABAOB")
    table = funnel(make_log(rows, observed_until=1000), list("ABO"), within="9d", count="attempts", optional=[3]).table
    # A B converts, so A opens the second, whose O would need a B; B converts it.
    assert table["attempts"].tolist() == [2, 2, 0]
    assert attempts(of_one("ABO"), "ABO", optional=[3]) == [1, 1, 1]


def test_strict_attempts_end_where_they_break():
    assert attempts(of_one("ABxAB"), "ABC", order="strict") == [2, 2, 0]
    assert attempts(of_one("ABABC"), "ABC", order="strict") == [2, 2, 1]  # the second A breaks, and begins


def test_a_spoilt_attempt_is_over_and_left_out():
    rows = of_one("AXAB")
    assert attempts(rows, "AB", exclude=[Exclude("X")]) == [1, 1]
    assert attempts(rows, "AB", exclude=[Exclude("X")], exclude_effect="drop") == [2, 1]
    log = make_log(rows, observed_until=1000)
    left_out = funnel(log, list("AB"), within="9d", count="attempts", exclude=[Exclude("X")]).left_out
    assert left_out.to_dict("records") == [{"reason": "funnel.spoilt", "customers": 0, "attempts": 1}]


@pytest.mark.parametrize("stored", ["AB", "BA"])
def test_at_one_instant_the_later_step_1_wins_if_it_comes_as_far(stored):
    rows = [("ann", "A", 0), *((("ann", letter, 1)) for letter in stored)]
    assert attempts(rows, "AB") == [2, 1]  # A at 0 stops; A at 1 goes on at once
    assert attempts(rows, "AB", ties="stored") == [2, 1]  # stored B, A: A at 0 goes on, A at 1 begins
    past = [("ann", "A", 0), ("ann", "B", 1), *((("ann", letter, 2)) for letter in "CA")]
    assert attempts(past, "ABC") == [1, 1, 1]  # it converts, and what is tied with that opens nothing


def test_at_one_instant_one_attempt_opens():
    rows = [("ann", "A", 0), ("ann", "A", 0)]
    assert attempts(rows, "AB") == [1, 0]
    assert attempts(rows, "AB", ties="stored") == [2, 0]


def test_in_any_order_a_window_is_an_attempt():
    assert attempts(of_one("BAABC"), "AB", order="any") == [2, 2]
    # C at 1 fills the second step, so A at 2 is absorbed; after the window B begins the next.
    rows = [("ann", "A", 0), ("ann", "C", 1), ("ann", "A", 2), ("ann", "B", 12)]
    assert attempts(rows, "ABC", order="any", within="10d") == [2, 1, 0]
    assert attempts(of_one("AAB"), "AB", order="any") == [2, 1]


def test_entry_first_has_one_attempt_a_customer():
    assert attempts(of_one("ABAB"), "AB", entry="first") == [1, 1]


def test_immature_step_1s_neither_open_nor_end_an_attempt():
    # Within 10, observed until 20: A at 9 is mature, A at 10 is not, and B at 11 is of A at 9 without it.
    log = make_log([("a", "A", 9), ("a", "A", 10), ("a", "B", 11)], observed_until=20)
    table = funnel(log, ["A", "B"], within="10d", count="attempts").table
    assert table["attempts"].tolist() == [2, 1]
    assert table["attempts_mature"].tolist() == [1, 1]
    assert table["median_seconds"].iloc[1] == 2 * DAY


def test_a_range_bounds_the_attempts_that_open():
    rows = [("a", "A", 0), ("a", "B", 1), ("a", "A", 5), ("a", "B", 6)]
    assert attempts(rows, "AB", between=("2024-01-04", None)) == [1, 1]


def test_the_columns_say_what_is_counted_and_intervals_are_clustered():
    # ann: three attempts, two convert; bob: one, none; cyd: two, one.
    rows = [*of_one("ABABA"), ("bob", "A", 0), ("cyd", "A", 0), ("cyd", "B", 1), ("cyd", "A", 2)]
    result = funnel(make_log(rows, observed_until=1000), list("AB"), within="9d", count="attempts")
    table = result.table
    assert table[["customers", "attempts"]].to_numpy().tolist() == [[3, 6], [2, 3]]
    rate, low, high = clustered_rate(**customer_sums(x=[2, 0, 1], n=[3, 1, 2]))
    found = table[["step_rate", "step_rate_low", "step_rate_high"]].iloc[1].tolist()
    assert found == pytest.approx([rate[0], low[0], high[0]])
    assert result.summary["leak_attempts"].tolist() == [3]
    assert result.customers("B").tolist() == ["ann", "cyd"]
    listed = result.attempts()
    assert listed["attempt"].tolist() == [1, 2, 3, 1, 1, 2]
    assert listed["B"].notna().tolist() == [True, True, False, False, True, False]
    assert "6 attempts that began with A, by 3 customers" in result.describe()


def test_attempts_keep_what_is_theirs_where_steps_have_the_names_of_their_columns():
    steps = ["customer", "segment", "attempt", "steps"]
    rows = [("ann", step, day, "web") for day, step in enumerate(steps)]
    log = make_log(rows, observed_until=1000, columns=["channel"])
    listed = funnel(log, [jk.Step(step) for step in steps], within="9d", count="attempts", by="channel").attempts()
    own, times = listed.iloc[0, :4], listed.iloc[0, 4:]
    assert own.to_dict() == {"customer": "ann", "attempt": 1, "segment": "web", "steps": 4}
    names = ["customer (2)", "segment (2)", "attempt (2)", "steps (2)"]
    assert times.to_dict() == {name: log.starts_at + pd.Timedelta(days=day) for day, name in enumerate(names)}


def test_attempts_keep_the_unit_where_its_column_is_called_attempt():
    rows = [("ann", "A", 0, 7), ("ann", "B", 1, 7)]
    log = make_log(rows, observed_until=1000, columns=["attempt"])
    listed = funnel(log, list("AB"), within="9d", unit="attempt").attempts()
    assert list(listed.columns) == ["customer", "attempt", "steps", "A", "B"]


# -- unit ----------------------------------------------------------------------------------------


def test_a_session_is_matched_by_itself():
    rows = [("ann", "A", 0), ("ann", "B", 10), ("ann", "A", 60), ("bob", "A", 0), ("bob", "B", 60)]
    log = make_log(rows, unit="min", observed_until="2024-03-01")
    result = funnel(log, ["A", "B"], within="1d", unit="session")
    assert result.table[["customers", "sessions"]].to_numpy().tolist() == [[2, 3], [1, 1]]
    assert result.customers("A").tolist() == ["ann", "bob"]
    assert result.units("A")["session"].tolist() == ["ann#1", "ann#2", "bob#1"]
    longer = funnel(log.rekey("session", gap="2h"), ["A", "B"], within="1d")
    assert longer.table["sessions"].tolist() == [2, 2]
    assert longer.params["unit"] == "session"


def test_a_column_can_be_the_unit_and_rows_without_it_are_counted():
    rows = [("ann", "A", 0, "o1"), ("ann", "B", 1, "o2"), ("ann", "A", 2, "o2"), ("ann", "B", 3, "o2"),
            ("bob", "A", 0, None)]  # fmt: skip
    log = make_log(rows, observed_until=1000, columns=["order"])
    result = funnel(log, ["A", "B"], within="9d", unit="order")
    assert result.table["units"].tolist() == [2, 1]
    assert result.left_out.to_dict("records") == [{"reason": "funnel.no_unit", "customers": 1, "units": 0}]
    assert result.params["rows_without_unit"] == 1
    assert "Left out, as they belong to no unit: 1 interaction" in result.describe()
    assert result.units("B").to_dict("records") == [{"customer": "ann", "order": "o2"}]


def test_a_unit_of_several_customers_belongs_to_that_of_its_first_event():
    rows = [("ann", "A", 0, "o1"), ("ann", "B", 1, "o2"), ("bob", "A", 0, "o2")]
    log = make_log(rows, observed_until=1000, columns=["order"])
    result = funnel(log, ["A", "B"], within="9d", unit="order")
    assert result.table[["customers", "units"]].to_numpy().tolist() == [[2, 2], [1, 1]]
    assert result.customers("B").tolist() == ["bob"]


def test_a_personal_column_is_no_unit_and_not_shown():
    log = make_log([("ann", "A", 0, "o1")], observed_until=9, columns=["order"]).with_personal("order")
    with pytest.raises(LogError, match="personal"):
        funnel(log, ["A"], unit="order")


# -- hold ----------------------------------------------------------------------------------------


def test_a_property_held_constant_is_the_same_at_all_steps():
    rows = [
        ("ann", "A", 0, "x"),
        ("ann", "B", 1, "y"),
        ("ann", "A", 2, "y"),
        ("ann", "C", 3, "x"),
        ("ann", "B", 4, "y"),
    ]
    log = make_log(rows, observed_until=1000, columns=["item"])
    assert funnel(log, list("ABC"), within="9d").table["customers"].tolist() == [1, 1, 1]
    held = funnel(log, list("ABC"), within="9d", hold="item")
    assert held.table["customers"].tolist() == [1, 1, 0]  # y: A at 2, B at 4; x: A only
    assert (held.table["entry_median_seconds"] / DAY).tolist()[1] == 2


def test_several_properties_are_held_together():
    rows = [("ann", "A", 0, "x", 1), ("ann", "B", 1, "x", 2), ("ann", "B", 2, "y", 1)]
    log = make_log(rows, observed_until=1000, columns=["item", "shop"])
    for hold, reached in (("item", 1), ("shop", 1), (["item", "shop"], 0)):
        assert funnel(log, list("AB"), within="9d", hold=hold).table["customers"].tolist() == [1, reached]


def test_of_equals_the_value_that_gets_there_first_is_kept():
    rows = [("ann", "A", 0, "x"), ("ann", "A", 1, "y"), ("ann", "B", 2, "y"), ("ann", "B", 3, "x")]
    log = make_log(rows, observed_until=1000, columns=["item"])
    assert funnel(log, list("AB"), within="9d", hold="item").table["median_seconds"].iloc[1] == DAY


def test_an_event_without_the_value_belongs_to_no_attempt():
    rows = [("ann", "A", 0, None), ("ann", "B", 1, None), ("bob", "A", 0, "x"), ("bob", "B", 1, None)]
    log = make_log(rows, observed_until=1000, columns=["item"])
    result = funnel(log, list("AB"), within="9d", hold="item")
    assert result.table["customers"].tolist() == [1, 0]
    assert result.left_out.to_dict("records") == [{"reason": "funnel.no_held_value", "customers": 1}]


def test_entry_first_is_the_first_step_1_of_all_values():
    rows = [("ann", "A", 0, "x"), ("ann", "A", 1, "y"), ("ann", "B", 2, "y")]
    log = make_log(rows, observed_until=1000, columns=["item"])
    assert funnel(log, list("AB"), within="9d", hold="item", entry="first").table["customers"].tolist() == [1, 0]


def test_a_spoilt_value_is_rescued_by_a_clean_one_that_comes_as_far():
    rows = [("ann", "A", 0, "x"), ("ann", "X", 1, "x"), ("ann", "A", 2, "y")]
    log = make_log(rows, observed_until=1000, columns=["item"])
    options = {"within": "9d", "hold": "item", "exclude": [Exclude("X")]}
    assert funnel(log, ["A", jk.Step("B")], **options).table["customers"].tolist() == [1, 0]
    further = make_log([*rows, ("ann", "C", 0, "x"), ("ann", "B", 1, "x")], observed_until=1000, columns=["item"])
    options["exclude"] = [Exclude("X", 2, 3)]
    # x came to B and was spoilt there: y came less far.
    assert funnel(further, ["A", "B", jk.Step("D")], ties="stored", **options).table["customers"].tolist() == [1, 1, 0]


def test_every_value_has_its_attempts():
    rows = [("ann", "A", 0, "x"), ("ann", "A", 1, "y"), ("ann", "B", 2, "x"), ("ann", "B", 3, "y")]
    log = make_log(rows, observed_until=1000, columns=["item"])
    table = funnel(log, list("AB"), within="9d", hold="item", count="attempts").table
    assert table["attempts"].tolist() == [2, 2]
    assert table["customers"].tolist() == [1, 1]


# -- by_value="all" ------------------------------------------------------------------------------

ALL = [
    ("ann", "A", 0, "red"), ("ann", "A", 1, "blue"), ("ann", "B", 2, "blue"),
    ("bob", "A", 0, "red"), ("bob", "B", 1, "red"), ("bob", "A", 2, None),
    ("cyd", "A", 0, "blue"), ("cyd", "B", 1, "red"),
]  # fmt: skip


def test_the_funnel_is_run_once_per_value_on_the_events_with_it():
    log = make_log(ALL, observed_until=100, columns=["colour"])
    result = funnel(log, list("AB"), within="9d", by="colour", by_value="all")
    found = {segment: rows["customers"].tolist() for segment, rows in result.table.groupby("segment")}
    assert found == {"blue": [2, 1], "red": [2, 1], "(missing)": [1, 0]}
    assert not len(result.left_out)


def test_groups_that_share_customers_are_compared_by_each_customers_part():
    log = make_log(ALL, observed_until=100, columns=["colour"])
    result = funnel(log, list("AB"), within="9d", by="colour", by_value="all")
    row = result.comparison.iloc[0]
    assert (row["a"], row["b"]) == ("blue", "red")
    # ann, bob, cyd; red: ann 0 of 1, bob 1 of 1; blue: ann 1 of 1, cyd 0 of 1.
    sums = joint_sums(x_a=[0, 1, 0], n_a=[1, 1, 0], x_b=[1, 0, 0], n_b=[1, 0, 1])
    expected = clustered_difference(sums).iloc[0].tolist()
    assert row[["difference_rate", "difference_rate_low", "difference_rate_high", "p_value"]].tolist() == (
        pytest.approx(expected)
    )
    # Nobody is both blue and missing: Newcombe.
    other = result.comparison.iloc[1]
    rates = result.table[result.table["step"] == "B"].set_index("segment")
    triple = [
        tuple(rates.loc[name, [f"step_rate{end}" for end in ("", "_low", "_high")]]) for name in ("(missing)", "blue")
    ]
    assert other[["difference_rate", "difference_rate_low", "difference_rate_high"]].tolist() == (
        pytest.approx(list(newcombe(*triple)))
    )


def test_attempts_of_one_customer_in_two_groups_are_compared_by_their_customer():
    rows = []
    for i in range(30):
        rows += [(f"c{i}", "A", 0, "red"), (f"c{i}", "A", 10, "blue")] + [(f"c{i}", "B", 1, "red")] * (i % 2)
        rows += [(f"c{i}", "B", 11, "blue")] * (i % 3 == 0)
    log = make_log(rows, observed_until=100, columns=["colour"])
    row = funnel(log, list("AB"), within="5d", by="colour", count="attempts").comparison.iloc[0]
    red, blue = [i % 2 for i in range(30)], [i % 3 == 0 for i in range(30)]
    expected = clustered_difference(joint_sums(red, [1] * 30, np.array(blue, int), [1] * 30)).iloc[0]
    assert row["difference_rate"] == pytest.approx(expected["difference"])
    assert row["p_value"] == pytest.approx(expected["p_value"])


# -- value, and what came before and instead -----------------------------------------------------


def test_a_step_is_worth_the_values_on_the_events_that_filled_it():
    rows = [("a", "A", 0, 1.0), ("a", "B", 1, 10.0), ("b", "A", 0, 2.0), ("b", "B", 1, None), ("c", "A", 0, None),
            ("d", "A", 0, 3.0), ("d", "B", 1, 30.0)]  # fmt: skip
    log = make_log(rows, observed_until=100, value="worth", columns=["worth"])
    table = funnel(log, list("AB"), within="9d", value=True).table
    assert table["valued"].tolist() == [3, 2]
    assert table["total_value"].tolist() == [6, 40]
    mean = clustered_mean(**customer_sums([10.0, 30.0]))
    entry = clustered_mean(**customer_sums([10.0, 0.0, 0.0, 30.0]))
    assert table.iloc[1][["mean_value", "mean_value_low", "mean_value_high"]].tolist() == pytest.approx(
        [m[0] for m in mean]
    )
    assert table.iloc[1][["entry_value", "entry_value_low", "entry_value_high"]].tolist() == (
        pytest.approx([m[0] for m in entry])
    )
    twice = [*rows, ("a", "A", 20, 1.0), ("a", "B", 21, 50.0)]
    log = make_log(twice, observed_until=100, value="worth", columns=["worth"])
    row = funnel(log, list("AB"), within="9d", value=True, count="attempts").table.iloc[1]
    mean = clustered_mean(**customer_sums([60.0, 30.0], [2, 1]))
    assert row[["mean_value", "mean_value_low", "mean_value_high"]].tolist() == pytest.approx([m[0] for m in mean])


def test_only_numbers_have_a_value():
    log = make_log([("a", "A", 0, "x")], observed_until=9, columns=["colour"])
    with pytest.raises(ParameterError, match="value must name a column of numbers"):
        funnel(log, ["A"], value="colour")
    with pytest.raises(LogError, match="'value'"):
        funnel(log, ["A"], value=True)


def test_before_reads_the_funnel_backwards():
    rows = [*of_one("xAyzB"), ("bob", "A", 0), ("bob", "B", 1), ("cyd", "A", 0)]
    result = funnel(make_log(rows, observed_until=100), list("AB"), within="9d")
    found = result.before("B", n=3)
    assert found[["steps_back", "previous_touchpoint", "customers"]].to_numpy().tolist() == [
        [1, "A", 1], [1, "z", 1], [2, "funnel.nothing_before", 1], [2, "y", 1],
        [3, "funnel.nothing_before", 1], [3, "A", 1],
    ]  # fmt: skip
    near = result.before("B", n=2, within="1d")
    assert near.loc[near["steps_back"] == 2, "previous_touchpoint"].tolist() == ["funnel.nothing_before"]


def test_what_is_tied_with_a_step_is_not_before_it():
    rows = [("ann", "A", 0), ("ann", "x", 1), ("ann", "B", 1)]
    log = make_log(rows, observed_until=100)
    assert funnel(log, list("AB"), within="9d").before("B")["previous_touchpoint"].tolist() == ["A"]
    stored = funnel(log, list("AB"), within="9d", ties="stored").before("B")
    assert stored["previous_touchpoint"].tolist() == ["x"]


def test_instead_is_what_those_did_who_stopped():
    rows = [*of_one("AAxB"), *(("bob", letter, day) for day, letter in enumerate("AAy")), ("cyd", "A", 0),
            ("dan", "A", 0), ("dan", "A", 1), ("eve", "A", 0), ("eve", "y", 20)]  # fmt: skip
    result = funnel(make_log(rows, observed_until=100), list("AB"), within="9d")
    found = result.instead("A").set_index("next_touchpoint")["customers"].to_dict()
    assert found == {"y": 1, "funnel.stayed": 1, "funnel.nothing": 2}  # eve's y came after the window


def test_what_came_next_is_clustered_by_customer():
    rows = [*of_one("AxAxAx"), ("bob", "A", 0), ("bob", "y", 1)]
    result = funnel(make_log(rows, observed_until=100), ["A", jk.Step("B")], within="1d", count="attempts")
    row = result.instead("A").set_index("next_touchpoint").loc["x"]
    rate, low, high = clustered_rate(**customer_sums(x=[3, 0], n=[3, 1]))
    assert row[["next_rate", "next_rate_low", "next_rate_high"]].tolist() == pytest.approx([rate[0], low[0], high[0]])


def test_percentiles_of_times():
    rows = [(name, "A", 0) for name in "abcd"] + [("a", "B", 1), ("b", "B", 2), ("c", "B", 4)]
    result = funnel(make_log(rows, observed_until=1000), list("AB"), within="100d")
    times = result.times([0, 0.25, 1])
    assert (times["seconds"] / DAY).tolist() == pytest.approx(np.quantile([1, 2, 4], [0, 0.25, 1]).tolist())
    with pytest.raises(ParameterError, match=r"shares must lie between 0 and 1, got 1\.5"):
        result.times([1.5])


# -- stages, words, edges ------------------------------------------------------------------------


def test_stages_are_counted_in_attempts_and_sessions_too():
    model = jk.StageModel.of({"look": "A", "weigh": "B", "buy": "C"})
    rows = [("ann", letter, day) for day, letter in enumerate("ABABCAB")]
    log = make_log(rows, observed_until=1000, stages=model)
    table = stage_funnel(log, within="30d", count="attempts").table
    assert table[["attempts", "customers", "reached"]].to_numpy().tolist() == [[2, 1, 1], [2, 1, 1], [1, 1, 1]]
    assert table["next_attempts"].tolist() == [0, 0, 0]
    sessions = stage_funnel(log, within="30d", unit="session").table
    assert sessions["sessions"].tolist() == [3, 0, 0]
    assert sessions["reached"].tolist() == [3, 3, 1]


def test_stages_run_once_per_value():
    model = jk.StageModel.of({"look": "A", "weigh": "B"})
    log = make_log(ALL, observed_until=100, columns=["colour"], stages=model)
    table = stage_funnel(log, within="9d", by="colour", by_value="all").table
    found = {segment: rows[["customers", "reached"]].to_numpy().tolist() for segment, rows in table.groupby("segment")}
    assert found == {"blue": [[2, 2], [1, 1]], "red": [[2, 2], [1, 2]], "(missing)": [[1, 1], [0, 0]]}


@pytest.mark.parametrize("code", ["en", "he"])
@pytest.mark.parametrize(
    "options", [{"count": "attempts"}, {"unit": "session"}, {"unit": "journey"}, {"unit": "colour"}, {"value": "worth"}]
)
def test_every_column_has_a_word_whatever_is_counted(code, options):
    rows = [("a", "A", 0, "x", 1.0), ("a", "B", 1, "x", 2.0), ("b", "A", 1, "y", 1.0), ("c", "A", 95, "y", 1.0)]
    log = make_log(rows, observed_until=100, columns=["colour", "worth"])
    for within in (None, "9d"):
        result = funnel(log, ["A", "B"], within=within, **options)
        for frame in (
            result.table,
            result.summary,
            result.left_out,
            result.before("B"),
            result.instead("A"),
            result.times(),
        ):
            assert not [name for name in frame if not has_label(name, language=code)]
        with jk.language(code):
            assert "funnel." not in result._repr_html_()
            result.figure().canvas.draw()
    result = funnel(log, ["A", "B"], within="300d", **options)
    with jk.language(code):
        assert "funnel." not in result.describe()


def test_an_empty_log_and_a_single_customer_with_every_option():
    log = make_log(of_one("AB"), observed_until=100, columns=())
    empty = log.where(touchpoint="none of them")
    for options in (
        {"count": "attempts"}, {"unit": "session"}, {"unit": "journey"}, {"hold": "touchpoint"},
        {"by": "touchpoint", "by_value": "all"}, {"order": "any", "count": "attempts"},
        {"by": "touchpoint", "by_value": "all", "count": "attempts", "order": "strict"},
    ):  # fmt: skip
        result = funnel(empty, [jk.Step("A"), jk.Step("B")], within="9d", **options)
        assert (result.table[result.base_column] == 0).all()
        result.describe()
        result.plot()
        assert not len(result.attempts())
        assert not len(result.before(0))
        one = funnel(log, ["A", "B"], within="9d", **options)
        assert one.table["customers"].iloc[0] == 1
        one.describe()


def test_first_conditions_of_a_step():
    # The first order ever is not green; the first green one is the second.
    rows = [("ann", "A", 0, "x"), ("ann", "B", 1, "red"), ("ann", "B", 2, "green"), ("ann", "B", 3, "light green")]
    log = make_log(rows, observed_until=100, columns=["colour"])

    def days(step):
        return funnel(log, ["A", step], within="9d").table["median_seconds"].iloc[1] / DAY

    assert days(jk.Step("B", where={"colour": "green"})) == 2
    assert days(jk.Step("B", where={"colour": "green"}, first="matching")) == 2
    assert days(jk.Step("B", where={"colour": "light green"}, first="matching")) == 3
    assert days(jk.Step("B", contains={"colour": "green"})) == 2
    assert np.isnan(days(jk.Step("B", where={"colour": "green"}, first="ever")))


def test_an_exclusion_can_be_any_event_with_a_condition():
    rows = [
        ("ann", "A", 0, "ok"),
        ("ann", "x", 1, "bad"),
        ("ann", "B", 2, "ok"),
        ("bob", "A", 0, "ok"),
        ("bob", "B", 2, "ok"),
    ]
    log = make_log(rows, observed_until=100, columns=["state"])
    table = funnel(log, ["A", "B"], within="9d", exclude=[Exclude(where={"state": "bad"})]).table
    assert table["customers"].tolist() == [1, 1]


def test_the_metrics_of_attempts_have_their_own_names():
    log = make_log([*of_one("ABA"), ("bob", "A", 0)], observed_until=100)
    metrics = funnel(log, ["A", "B"], within="9d", count="attempts").metrics().set_index("name")["value"]
    assert metrics["A.attempts"] == 3
    assert metrics["A.customers"] == 2
    assert isinstance(metrics, pd.Series)
