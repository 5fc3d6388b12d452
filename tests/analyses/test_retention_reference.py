"""Retention equals the slow obvious version, for all options, and is the same in buckets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from journeykit.analyses.retention import retention
from journeykit.journey import Step
from journeykit.log import read_log

from .retention_reference import Asked, reference

ZONES = ("America/New_York", "Europe/London", "Asia/Kolkata")
SPAN_HOURS = {"hour": 40, "day": 24 * 12, "week": 24 * 60, "month": 24 * 260, "quarter": 24 * 800, "year": 24 * 1600}
# New York springs forward on 10 March, London on 31 March, both fall back in autumn: days of 23 and 25 hours inside.
BEGINNINGS = ("2024-03-09 21:30", "2024-03-30 12:00", "2024-10-26 20:15", "2024-11-02 23:45")


@st.composite
def questions(draw):
    """Draw a log and a way to ask it, in the words of both."""
    period = draw(st.sampled_from(list(SPAN_HOURS)))
    zone = draw(st.sampled_from(ZONES))
    span = SPAN_HOURS[period]
    begin = pd.Timestamp(draw(st.sampled_from(BEGINNINGS)), tz="UTC")
    event = st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from("AB"),
        st.integers(0, span * 4),  # quarters of an hour
        st.sampled_from(["web", "shop", None]),
    )
    rows = draw(st.lists(event, min_size=1, max_size=30))
    events = [
        {
            "customer": customer,
            "touchpoint": touchpoint,
            "time": begin + pd.Timedelta(quarter * 15, "min"),
            "channel": channel,
        }
        for customer, touchpoint, quarter, channel in rows
    ]
    last = max(event["time"] for event in events)
    end = last + pd.Timedelta(draw(st.integers(1, span)), "h")
    if draw(st.booleans()):  # exactly where a local day begins
        end = (last.tz_convert(zone).normalize() + pd.DateOffset(days=1)).tz_convert("UTC")
    options = {
        "period": period,
        "mode": draw(st.sampled_from(["on", "on", "on_or_after"])),
        "min_events": draw(st.sampled_from([1, 1, 2])),
        "base": draw(st.sampled_from(["cohort", "cohort", "previous"])),
        "week_start": draw(st.sampled_from(["monday", "sunday"])),
        "cohort": draw(st.sampled_from(["first", "first_ever", "every"])),
    }
    if options["cohort"] != "every":
        options["windows"] = draw(st.sampled_from(["calendar", "rolling"]))
    shape = draw(st.sampled_from(["all", "all", "horizon", "columns"]))
    if shape == "horizon":
        options["horizon"] = draw(st.integers(1, 5))
    if shape == "columns":
        options["columns"] = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    asked = Asked(zone, min(event["time"] for event in events), end, **options)
    if draw(st.booleans()):
        asked.starts = asked.named = lambda event: event["touchpoint"] == "A"
        options["start"] = Step("A")
        if draw(st.booleans()):
            asked.starts = lambda event: event["touchpoint"] == "A" and event["channel"] == "web"
            options["start"] = Step("A", where={"channel": "web"})
    if draw(st.booleans()):
        asked.comes_back = lambda event: event["touchpoint"] == "B"
        options["back"] = Step("B")
    if draw(st.sampled_from([False, False, True])):
        options["washout"] = f"{span // 4}h"
        asked.washout = pd.Timedelta(options["washout"])
    if draw(st.sampled_from([False, False, True])):
        options["between"] = asked.between = (
            asked.observed_from + pd.Timedelta(span // 5, "h"),
            asked.observed_from + pd.Timedelta(span // 2, "h"),
        )
    name = lambda value: "(missing)" if value is None else value  # noqa: E731
    if draw(st.sampled_from([False, False, True])):
        options["by"] = "channel"
        asked.segment = lambda first, start: name(start["channel"])
    if draw(st.sampled_from([False, False, True])):
        options["cohorts_by"] = "first_touchpoint"
        asked.row = lambda first, start: first["touchpoint"]
    return events, asked, options


def read(events, asked):
    return read_log(
        pd.DataFrame(events), timezone=asked.timezone, observed_until=asked.observed_until, duplicates="keep"
    )


def is_empty_question(asked):
    opens = max(asked.observed_from + asked.washout, asked.between[0] or asked.observed_from)
    return opens >= min(asked.observed_until, asked.between[1] or asked.observed_until)


@settings(max_examples=100, deadline=None)
@given(question=questions())
def test_every_cell_equals_the_slow_count(question):
    check_cells(question)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(question=questions())
def test_every_cell_equals_the_slow_count_at_length(question):
    check_cells(question)


def check_cells(question):
    events, asked, options = question
    if is_empty_question(asked):
        return
    result = retention(read(events, asked), **options)
    expected = reference(first_by_time(events), asked)
    table = result.table
    segments = list(table["segment"].unique()) if "segment" in table else [""]
    n_columns = max(1, table["age"].nunique())
    seen = {}
    for segment in segments:
        rows = table if "segment" not in table else table[table["segment"] == segment]
        keys = sorted({row for known, row, _ in expected if known == segment})
        cohorts = list(rows["cohort"].iloc[::n_columns])
        if asked.row is not None:
            cohorts = [cohort for cohort in cohorts if cohort in keys]
            rows = rows[rows["cohort"].isin(cohorts)]
            keys = cohorts
        elif not keys:
            continue
        assert len(cohorts) == len(keys)
        for place, row in enumerate(rows.itertuples()):
            seen[segment, keys[place // n_columns], place % n_columns] = row
    assert set(seen) == set(expected)
    for key, want in expected.items():
        got = seen[key]
        assert got.customers == want["customers"], key
        if want["status"] is not None:
            assert got.status == want["status"], key
        assert got.base == want["base"] or (want["status"] == "future" and got.base == 0), key
        if pd.isna(got.back):
            assert want["status"] in ("future", "unfinished", None), key
            assert np.isnan(got.back_rate), key
        else:
            assert got.back == want["back"], key
            assert got.back_rate == want["back"] / want["base"] if want["base"] else np.isnan(got.back_rate), key
        if not pd.isna(got.back_so_far):
            assert got.back_so_far == want["so_far"], key
    assert {reason.split(".")[1]: n for reason, n in result.left_out.values} == asked.left_out
    check_summary(result, expected, segments)


def check_summary(result, expected, segments):
    """Overall: Σ back / Σ base over finished cells of rows that have somebody."""
    n_columns = result.summary["age"].nunique()
    for place, row in enumerate(result.summary.itertuples()):
        segment, column = segments[place // n_columns], place % n_columns
        cells = [
            cell
            for (name, _, at), cell in expected.items()
            if name == segment and at == column and cell["status"] == "finished" and cell["customers"]
        ]
        assert row.cohorts == len(cells)
        assert row.base == sum(cell["base"] for cell in cells)
        assert row.back == sum(cell["back"] for cell in cells)
        assert row.back_rate == row.back / row.base if row.base else np.isnan(row.back_rate)


def first_by_time(events):
    """The log's order: by time, ties as stored."""
    return sorted(events, key=lambda event: event["time"])


@settings(max_examples=60, deadline=None)
@given(question=questions(), mean=st.sampled_from(["pooled", "simple"]))
def test_in_one_piece_as_in_seven_buckets(question, mean):
    events, asked, options = question
    if is_empty_question(asked):
        return
    log = read(events, asked)
    whole, pieces = retention(log, mean=mean, **options), retention(log.in_buckets(7), mean=mean, **options)
    assert_frame_equal(whole.table, pieces.table)
    assert_frame_equal(whole.summary, pieces.summary, check_exact=False, rtol=1e-12)
    assert_frame_equal(whole.comparison, pieces.comparison, check_exact=False, rtol=1e-9)
    assert_frame_equal(whole.left_out, pieces.left_out)
    assert whole.params == pieces.params


@settings(max_examples=40, deadline=None)
@given(question=questions(), data=st.data())
def test_the_customers_behind_a_cell_are_those_counted(question, data):
    events, asked, options = question
    if is_empty_question(asked):
        return
    log = read(events, asked)
    result = retention(log, **options)
    for row in result.table.sample(min(6, len(result.table)), random_state=1).itertuples():
        segment = getattr(row, "segment", None)
        there = result.customers(row.cohort, row.age, segment=segment)
        away = result.customers(row.cohort, row.age, segment=segment, back=False)
        if asked.row is not None and asked.cohort == "every":  # a customer is in a row several times
            assert len(there) <= (0 if row.status == "future" else row.back_so_far)
            continue
        assert len(there) + len(away) == row.customers
        assert len(there) == (0 if row.status == "future" else row.back_so_far)
