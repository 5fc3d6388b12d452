"""Sums and means of values by cohort and age: by hand, against a slow count, in buckets, and their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.special import stdtrit

from journeykit.analyses.retention import retention
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.differences import newcombe
from journeykit.log import read_log
from journeykit.text import has_label, language
from tests.helpers import make_log

from .retention_reference import LENGTH, period_number
from .test_retention_reference import questions

FEB, MAR, APR = 31, 60, 91
ROWS = [
    *(("ann", "order", 3, 10.0), ("ann", "order", 5, 5.0), ("ann", "order", FEB, 20.0), ("ann", "order", MAR, 7.0)),
    *(("bob", "order", 9, 30.0), ("bob", "visit", FEB + 1, None)),
    *(("cid", "order", FEB + 2, 40.0), ("cid", "order", MAR + 1, 2.0)),
]
SHOP = make_log(ROWS, observed_until=MAR + 10, columns=["value"], value="value")


def numbers(frame):
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy().tolist()]


def test_a_sum_adds_the_values_of_the_cohorts_back_events_in_that_period():
    result = retention(SHOP, measure="sum")
    # January: 10 + 5 + 30 in its own month, 20 in February; March is unfinished.
    assert numbers(result.matrix()) == [[45, 20, None], [40, None, None], [None, None, None]]
    assert numbers(result.matrix("so_far_value")) == [[45, 20, 7], [40, 2, None], [0, None, None]]
    assert result.summary["sum_value"].tolist()[:2] == [85, 20]
    assert "mean_value" not in result.table
    assert result.comparison.empty


def test_a_mean_is_per_customer_of_the_cohort_back_or_not_with_students_interval():
    row = retention(SHOP, measure="mean").table.iloc[1]
    assert row["mean_value"] == 10  # ann 20, bob nothing
    # s = 14.14, s / sqrt(2) = 10, and t with one degree of freedom is 12.706.
    assert (row["mean_value_low"], row["mean_value_high"]) == pytest.approx((10 - 127.06, 10 + 127.06), abs=0.01)


def test_the_overall_mean_pools_customers_or_averages_cohorts():
    rows = [("a", "order", 1, 1.0), ("b", "order", 2, 1.0), ("c", "order", FEB, 1.0)]
    rows += [("a", "order", FEB, 6.0), ("c", "order", MAR, 9.0)]
    log = make_log(rows, observed_until=APR, columns=["value"], value="value")
    assert retention(log, measure="mean").summary["mean_value"].iloc[1] == pytest.approx((6 + 9) / 3)
    assert retention(log, measure="mean", mean="simple").summary["mean_value"].iloc[1] == pytest.approx((3 + 9) / 2)


def test_segments_means_differ_by_their_combined_intervals():
    rng = np.random.default_rng(3)
    rows = []
    for i in range(60):
        channel = "app" if i % 2 else "web"
        rows.append((f"c{i}", "order", float(i % 20), 1.0, channel))
        rows.append((f"c{i}", "order", FEB + float(i % 20), float(rng.exponential(50 if i % 2 else 10)), channel))
    log = make_log(rows, observed_until=MAR, columns=["value", "channel"], value="value", channel="channel")
    result = retention(log, measure="mean", by="channel")
    at_1 = result.summary[result.summary["age"] == 1]
    ends = at_1[["mean_value", "mean_value_low", "mean_value_high"]].to_numpy(dtype=float)
    row = result.comparison.iloc[0]
    assert (row["a"], row["b"], row["age"]) == ("app", "web", 1)
    found = row[["difference", "difference_low", "difference_high"]].to_numpy(dtype=float)
    assert found == pytest.approx(np.ravel(newcombe(tuple(ends[1]), tuple(ends[0]))))
    assert row["p_value"] < 0.05


def test_any_column_of_numbers_can_be_the_value():
    log = make_log([("ann", "order", 1, 3), ("ann", "order", FEB, 4)], observed_until=MAR, columns=["items"])
    result = retention(log, measure="sum", value="items")
    assert numbers(result.matrix()) == [[3, 4], [0, None]]
    assert "value=items" in result.definition


def test_on_or_after_adds_what_came_later_up_to_the_horizon():
    result = retention(SHOP, measure="sum", mode="on_or_after", horizon=1)
    # January: 45 in its own month and 20 in the next; February's next month is unfinished.
    assert numbers(result.matrix()) == [[65, 20], [None, None], [None, None]]
    assert numbers(result.matrix("so_far_value")) == [[65, 20], [42, 2], [0, None]]
    assert result.summary["sum_value"].tolist() == [65, 20]
    so_far = retention(SHOP, measure="mean", mode="on_or_after")
    # Without a horizon ann's 27 and nothing of bob's are so far: no interval, and no part in an average.
    assert so_far.matrix().iloc[0, 1] == pytest.approx(27 / 2)
    assert so_far.table["mean_value_low"].iloc[1:].isna().all()
    assert so_far.summary["mean_value"].isna().all()


def test_every_start_of_a_customer_has_what_came_after_it():
    result = retention(SHOP, measure="sum", cohort="every")
    # ann stands in January (15, 20, 7), February (20, 7) and March (7); bob in January and, by his visit, February.
    assert numbers(result.matrix()) == [[45, 20, None], [60, None, None], [None, None, None]]
    assert numbers(result.matrix("so_far_value")) == [[45, 20, 7], [60, 9, None], [9, None, None]]


def test_a_period_short_of_min_events_brings_nothing():
    rows = [
        ("ann", "order", 1, 5.0),
        ("ann", "order", FEB, 1.0),
        ("ann", "order", FEB + 1, 2.0),
        ("ann", "order", MAR, 9.0),
    ]
    log = make_log(rows, observed_until=APR, columns=["value"], value="value")
    assert retention(log, measure="sum", min_events=2).matrix().iloc[0].tolist() == [5, 3, 0]  # the start needs one


def test_customers_in_several_cohorts_do_not_count_as_several_in_a_mean():
    rng = np.random.default_rng(11)
    months, values = (0, FEB, MAR, APR), rng.exponential(20, (50, 4)).round(2)
    here = rng.random((50, 4)) < 0.7
    rows = [(f"c{i:02}", "order", months[m] + 1.0, values[i, m]) for i in range(50) for m in range(4) if here[i, m]]
    log = make_log(rows, observed_until=APR + 30, columns=["value"], value="value")
    for mean in ("pooled", "simple"):
        row = retention(log, measure="mean", cohort="every", mean=mean).summary.iloc[1]
        base, brought = here[:, :3], np.where(here[:, 1:] & here[:, :3], values[:, 1:], 0.0)
        if mean == "pooled":
            expected = brought.sum() / base.sum()
            scores = (brought - expected * base).sum(axis=1) / base.sum()
        else:
            cells = brought.sum(axis=0) / base.sum(axis=0)
            expected = cells.mean()
            scores = ((brought - cells * base) / base.sum(axis=0)).sum(axis=1) / 3
        c = int(base.any(axis=1).sum())
        half = stdtrit(c - 1, 0.975) * np.sqrt(c / (c - 1) * (scores**2).sum())
        found = row[["mean_value", "mean_value_low", "mean_value_high"]].to_numpy(dtype=float)
        assert found == pytest.approx([expected, expected - half, expected + half])


def test_whole_curves_of_means_are_compared():
    rng = np.random.default_rng(12)
    values = rng.exponential(30, (60, 3)).round(2) * (rng.random((60, 3)) < 0.6)
    rows = []
    for i in range(60):
        channel = "app" if i < 25 else "web"
        rows.append((f"c{i:02}", "order", 1.0, 1.0, channel))
        rows += [(f"c{i:02}", "order", when + 1.0, values[i, k], channel) for k, when in enumerate((FEB, MAR, APR))]
    log = make_log(rows, observed_until=APR + 30, columns=["value", "channel"], value="value", channel="channel")
    result = retention(log, measure="mean", by="channel")
    curve = result.comparison[result.comparison["kind"] == "curve"].iloc[0]
    triples = []
    for own in (values[:25], values[25:]):
        each = own.mean(axis=1)  # a customer's mean over the three ages
        half = stdtrit(len(own) - 1, 0.975) * each.std(ddof=1) / np.sqrt(len(own))
        triples.append((each.mean(), each.mean() - half, each.mean() + half))
    assert (curve["a"], curve["b"], curve["age"]) == ("app", "web", 3)
    found = curve[["difference", "difference_low", "difference_high"]].to_numpy(dtype=float)
    assert found == pytest.approx(newcombe(triples[1], triples[0]))
    assert result.comparison["p_value_holm"].notna().all()
    assert (result.comparison["p_value_holm"] >= result.comparison["p_value"]).all()


def slow(events, asked):
    """Sums by segment, row and column over entries whose column has elapsed, one customer after the other."""
    number = lambda time: period_number(time, asked)  # noqa: E731
    length = pd.Timedelta(LENGTH[asked.period])
    rolling, or_after = asked.windows == "rolling", asked.mode == "on_or_after"
    spans, low = [(0, 0)], 1
    for width in asked.columns or [1] * (asked.horizon or 2000):
        spans.append((low, low + width - 1))
        low += width
    found: dict = {}
    for customer in {event["customer"] for event in events}:
        theirs = sorted((event for event in events if event["customer"] == customer), key=lambda event: event["time"])
        begins = [event for event in theirs if asked.starts(event)]
        starts = begins[:1]
        if asked.cohort == "every":
            starts = [e for i, e in enumerate(begins) if i == 0 or number(e["time"]) > number(begins[i - 1]["time"])]
        for start in starts:
            row = asked.row(theirs[0], begins[0]) if asked.row else number(start["time"])
            units: dict = {}
            for event in theirs[theirs.index(start) :]:
                elapsed = (event["time"] - start["time"]) // length
                unit = elapsed if rolling else number(event["time"]) - number(start["time"])
                if asked.comes_back(event):
                    units.setdefault(unit, []).append(event["value"] or 0)
            for unit, values in units.items():
                if unit > 0 and len(values) < asked.min_events:
                    continue
                column = next((i for i, (first, last) in enumerate(spans) if first <= unit <= last), None)
                if column is None and or_after and asked.horizon is None:
                    column = len(spans) - 1
                if column is None:
                    continue
                for place in range(column + 1) if or_after else [column]:
                    last = spans[-1 if or_after else place][1]
                    until = asked.observed_until
                    watched = (until - start["time"]) // length if rolling else number(until) - number(start["time"])
                    known = last < watched
                    if known or (or_after and asked.horizon is None):
                        key = (asked.segment(theirs[0], begins[0]), row, place)
                        found[key] = found.get(key, 0) + sum(values)
    return {key: total for key, total in found.items() if total}


@st.composite
def value_questions(draw):
    events, asked, options = draw(questions())
    for event in events:
        event["value"] = draw(st.sampled_from([None, 1.0, 2.5, -3.0, 100.0]))
    asked.base = "cohort"
    if asked.cohort == "first_ever":
        asked.cohort = options["cohort"] = "first"
    asked.washout, asked.between = pd.Timedelta(0), (None, None)
    dropped = ("base", "washout", "between")
    options = {key: value for key, value in options.items() if key not in dropped}
    return events, asked, options | {"measure": draw(st.sampled_from(["sum", "mean"]))}


def read(events, asked):
    frame = pd.DataFrame(events).astype({"value": float})
    return read_log(
        frame, value="value", timezone=asked.timezone, observed_until=asked.observed_until, duplicates="keep"
    )


@settings(max_examples=80, deadline=None)
@given(question=value_questions())
def test_every_sum_equals_the_slow_one_and_is_the_same_in_buckets(question):
    events, asked, options = question
    log = read(events, asked)
    result = retention(log, **options)
    table = result.table
    ages = sorted(table["age"].unique())
    first = period_number(asked.observed_from, asked)
    cohorts = list(table["cohort"].drop_duplicates())
    found = {}
    for row in table[table["base"] > 0].to_dict("records"):
        name = row["cohort"] if asked.row else first + cohorts.index(row["cohort"])
        if row["sum_value"]:
            found[(row.get("segment", ""), name, ages.index(row["age"]))] = row["sum_value"]
        if options["measure"] == "mean":
            assert row["mean_value"] == pytest.approx(row["sum_value"] / row["base"])
    assert found == pytest.approx(slow(events, asked))
    pieces = retention(log.in_buckets(7), **options)
    assert_frame_equal(pieces.table, table)
    assert_frame_equal(pieces.summary, result.summary)
    assert_frame_equal(pieces.comparison, result.comparison)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"measure": "median"}, "measure must be one of"),
        ({"value": "value"}, "is for measure="),
        ({"measure": "sum", "value": "touchpoint"}, "column of numbers"),
        ({"measure": "mean", "base": "previous"}, "who are not in that base"),
    ],
)
def test_what_cannot_be_measured_is_refused_and_says_why(options, says):
    with pytest.raises(ParameterError, match=says):
        retention(SHOP, **options)


def test_a_personal_column_is_not_summed():
    with pytest.raises(LogError, match="personal"):
        retention(SHOP.with_personal("value"), measure="sum")
    with pytest.raises(LogError, match="no 'value'"):
        retention(make_log([("ann", "order", 1)], observed_until=9), measure="sum")


@pytest.mark.parametrize("code", ["en", "he"])
@pytest.mark.parametrize("measure", ["sum", "mean"])
def test_every_column_has_a_word_and_the_result_speaks(measure, code):
    result = retention(SHOP, measure=measure)
    with language(code):
        assert [name for name in [*result.table, *result.summary] if not has_label(name)] == []
        assert "20" in result.describe() or "10" in result.describe()
        assert result._repr_html_()
        result.figure().canvas.draw()
    assert result.metrics()["name"].tolist() == [f"retention_month_1_{measure}_value"]


@pytest.mark.slow
def test_means_cover_the_truth():
    rng = np.random.default_rng(17)
    hits = 0
    for _ in range(300):
        back = rng.random(80) < 0.4
        amounts = np.where(back, rng.exponential(50, 80), 0.0)
        rows = [(f"c{i}", "order", 1.0 + i / 10, 1.0) for i in range(80)]
        rows += [(f"c{i}", "order", FEB + 1.0, float(amounts[i])) for i in np.flatnonzero(back)]
        log = make_log(rows, observed_until=MAR, columns=["value"], value="value")
        row = retention(log, measure="mean").summary.iloc[1]
        hits += row["mean_value_low"] <= 0.4 * 50 <= row["mean_value_high"]
    assert 0.91 <= hits / 300 <= 0.98  # skewed values: a little below 95% at n = 80 is what t gives
