"""Who is at risk when, against counting row by row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, floats, integers, lists, sampled_from, tuples

from journeykit.errors import ParameterError
from journeykit.estimators.risk import (
    add_risk_tables,
    at_risk_rows,
    number_at_risk,
    risk_table,
    risk_table_from,
)

# Entry, time observed, end, group, weight.
tenures = lists(
    tuples(integers(-1, 6), integers(1, 9), sampled_from(["left", "paid", None]), sampled_from("ab"), integers(0, 3)),
    min_size=1,
    max_size=25,
)


def columns(rows):
    enters, lasts, ends, groups, weights = (list(column) for column in zip(*rows, strict=True))
    return np.array(enters), np.array(enters) + np.array(lasts), np.array(ends, dtype=object), groups, np.array(weights)


@given(tenures)
def test_every_time_counts_who_entered_before_and_is_still_there(rows):
    enters, duration, ends, _, weight = columns(rows)
    table = risk_table(duration, ends, enters=enters, weight=weight)
    for row in table.to_dict("records"):
        t, ending = row["time"], duration == row["time"]
        assert row["at_risk"] == weight[(enters < t) & (t <= duration)].sum()
        assert row["entered"] == weight[enters == t].sum()
        assert row["censored"] == weight[ending & pd.isna(ends)].sum()
        assert row["events"] == weight[ending & ~pd.isna(ends)].sum()
        for name in set(ends) - {None}:
            assert row[f"events_{name}"] == weight[ending & (ends == name)].sum()
    counted = [*enters[weight > 0], *duration[weight > 0]]
    assert table["time"].tolist() == sorted(set(counted))


@given(tenures, integers(2, 7))
def test_tables_of_buckets_add_up_to_the_table_of_all(rows, buckets):
    enters, duration, ends, groups, weight = columns(rows)
    bucket = np.arange(len(rows)) % buckets
    ends = pd.Categorical(ends, categories=["left", "paid"])

    def make(some):
        by = pd.Series(groups, name="plan")[some]
        return risk_table(duration[some], ends[some], enters=enters[some], weight=weight[some], by=by)

    parts = [make(bucket == i) for i in range(buckets) if (bucket == i).any()]
    pd.testing.assert_frame_equal(add_risk_tables(parts), make(bucket >= 0))


@given(tenures)
def test_groups_are_as_if_counted_alone(rows):
    enters, duration, ends, groups, weight = columns(rows)
    table = risk_table(duration, ends, enters=enters, weight=weight, by=groups)
    for name in set(groups):
        own = np.array(groups) == name
        alone = risk_table(duration[own], ends[own], enters=enters[own], weight=weight[own])
        found = table[table["group"] == name].drop(columns="group").reset_index(drop=True)
        pd.testing.assert_frame_equal(found[alone.columns], alone)


@given(lists(tuples(integers(0, 50), integers(1, 10**10), booleans()), min_size=1, max_size=20))
def test_long_and_fractional_times_are_counted_alike(rows):
    # Far apart, times are found by sorting instead of by place; the counts are the same.
    enters, lasts, event = (np.array(column) for column in zip(*rows, strict=True))
    whole = risk_table(enters + lasts, event, enters=enters)
    fractional = risk_table((enters + lasts) / 8, event, enters=enters / 8)
    assert (fractional["time"] * 8).tolist() == whole["time"].tolist()
    pd.testing.assert_frame_equal(fractional.drop(columns="time"), whole.drop(columns="time"))


def test_rows_that_end_at_or_before_their_entry_are_refused_and_can_be_told():
    with pytest.raises(ParameterError, match="2 rows are never at risk, such as row 1: enters 3, ends 3"):
        risk_table([5, 3, 2], [1, 1, 1], enters=[0, 3, 4])
    assert at_risk_rows([5, 3, 2], enters=[0, 3, 4]).tolist() == [True, False, False]


def test_an_end_at_time_0_counts_if_one_enters_before_it():
    table = risk_table([0, 0, 4], [True, False, True], enters=-1)
    assert table[["time", "at_risk", "events", "censored"]].to_numpy().tolist() == [
        [-1, 0, 0, 0],
        [0, 3, 1, 1],
        [4, 1, 1, 0],
    ]


def test_missing_empty_and_censored_all_mean_not_ended():
    table = risk_table([1, 2, 3, 4], [None, "", "censored", "left"])
    assert table.columns.tolist() == ["time", "at_risk", "events", "events_left", "censored", "entered"]
    assert table["censored"].tolist() == [0, 1, 1, 1, 0]


def test_a_missing_group_is_a_group():
    table = risk_table([1, 2], [1, 1], by=pd.Series([None, "web"], name="channel"))
    assert table["channel"].isna().tolist() == [False, False, True, True]


def test_groups_can_be_several_columns_and_keep_the_order_of_their_categories():
    size = pd.Categorical(["small", "big", "big"], categories=["small", "big"], ordered=True)
    table = risk_table([1, 1, 1], [1, 1, 0], by=pd.DataFrame({"size": size, "plan": ["x", "y", "x"]}))
    names = table.loc[table["time"] == 1, ["size", "plan", "events"]].to_numpy().tolist()
    assert names == [["small", "x", 1], ["big", "x", 0], ["big", "y", 1]]


def test_a_frame_of_tenures_and_its_counts_give_one_table():
    tenures = pd.DataFrame(
        {
            "plan": ["x", "x", "y", "x"],
            "enters_days": [0, 0, 1, 0],
            "duration_days": pd.array([3, 3, 4, 5], dtype="Int64"),
            "end": ["left", "left", None, None],
        }
    )
    keys = list(tenures.columns)
    counts = tenures.groupby(keys, dropna=False).size().rename("customers").to_frame()
    table = risk_table_from(counts, by=["plan"])
    pd.testing.assert_frame_equal(risk_table_from(tenures, by=["plan"]), table)
    assert table["plan"].tolist() == ["x"] * 3 + ["y"] * 2
    with pytest.raises(ParameterError, match="must have"):
        risk_table_from(tenures.drop(columns="duration_days"))


def test_the_numbers_under_a_curve_are_those_at_risk_just_before():
    table = risk_table([2, 4, 4, 9], [1, 1, 0, 0], enters=[0, 0, 3, 0])
    assert number_at_risk(table, [0, 2, 3, 4, 5, 9, 10])["at_risk"].tolist() == [3, 3, 2, 3, 1, 1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, np.nan], [1, 1]), "none missing"),
        (([1, 2], [1, 2]), "several ends need names"),
        (([1, 2], [1]), "same length"),
        ((["1", "2"], [1, 1]), "must be numbers"),
    ],
)
def test_what_cannot_be_counted_is_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        risk_table(*arguments)
    with pytest.raises(ParameterError, match="0 or more"):
        risk_table([1], [1], weight=[-1])


@given(lists(tuples(integers(1, 5), floats(0.1, 3)), min_size=2, max_size=20))
def test_fractional_weights_never_leave_more_ends_than_people(rows):
    duration, weight = (np.array(column) for column in zip(*rows, strict=True))
    table = risk_table(duration, np.ones(len(rows)), weight=weight, by=duration % 2)
    assert (table["at_risk"] >= table["events"]).all()
