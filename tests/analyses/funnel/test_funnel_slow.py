"""A funnel equals the slow version for all options together, on random logs with many ties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import journeykit as jk
from journeykit.analyses.funnel import Exclude, funnel
from tests.analyses.funnel.funnel_reference import Rules
from tests.analyses.funnel.funnel_slow import Asked, Row, first_shown, slow_left_out, slow_table
from tests.helpers import make_log

UNTIL = 22
COLUMNS = ["colour", "order", "size"]
STEPS = [["A"], ["A", "B"], ["C"]]
END = float("inf")


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple], dict]:
    """Rows of few customers and instants, and any mixture of options."""
    last = draw(st.sampled_from([5, 12, 20]))
    row = st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["A", "A", "B", "C", "D"]),
        st.integers(0, last),
        st.sampled_from(["red", "blue", None]),
        st.sampled_from(["o1", "o2", "o3", None]),
        st.sampled_from(["s", "l", None]),
    )
    rows = draw(st.lists(row, min_size=1, max_size=28))
    options: dict = {
        "within": draw(st.sampled_from([None, "1d", "3d", "8d"])),
        "order": draw(st.sampled_from(["ordered", "ordered", "strict", "any"])),
        "entry": draw(st.sampled_from(["any", "any", "first"])),
        "count": draw(st.sampled_from(["best", "attempts"])),
        "unit": draw(st.sampled_from(["customer", "customer", "session", "journey", "order"])),
        "maturity": draw(st.sampled_from(["mature", "all"])),
        "between": draw(st.sampled_from([None, None, ("2024-01-03", "2024-01-15"), (None, "2024-01-08")])),
        "hold": draw(st.sampled_from([(), (), ("size",), ("size", "order")])),
        "by": draw(st.sampled_from([None, "colour"])),
        "by_value": draw(st.sampled_from(["step 1", "step 2", "first", "last", "all"])),
    }
    options["ties"] = "any" if options["order"] == "any" else draw(st.sampled_from(["any", "stored"]))
    if options["order"] != "any":
        options["optional"] = draw(st.sampled_from([(), (), (3,), (2,)]))
        options["exclude"] = draw(st.sampled_from([(), (Exclude(jk.Step("D"), 1, 3),), (Exclude(jk.Step("D"), 1, 2),)]))
        options["exclude"] = tuple(
            each for each in options["exclude"] if not {each.after, each.before} & set(options["optional"])
        )
        options["exclude_effect"] = draw(st.sampled_from(["remove", "drop"]))
        options["step_within"] = draw(st.sampled_from([None, {2: "1d"}, {3: "2d"}]))
        if options["by_value"] == "step 2" and 2 in options["optional"]:
            options["by_value"] = "step 1"
    if options["by"] and options["by_value"] != "all":
        # Which of several tied events fills a step is nobody's business: they are all of one colour.
        colour: dict = {}
        rows = [
            (*row[:3], colour.setdefault((row[0] if options["unit"] != "order" else 0, row[2]), row[3]), *row[4:])
            for row in rows
        ]
    return rows, options


def days(date: str | None, other: float) -> float:
    return other if date is None else (pd.Timestamp(date) - pd.Timestamp("2024-01-01")).days


def asked_for(options: dict, steps: list[list[str]] = STEPS) -> Asked:
    start, end = options["between"] or (None, None)
    rules = Rules(
        n_steps=3,
        within=END if options["within"] is None else pd.Timedelta(options["within"]).days,
        order=options["order"],
        entry=options["entry"],
        ties=options["ties"],
        exclude=tuple((rule.after, rule.before) for rule in options.get("exclude", ())),
        exclude_effect=options.get("exclude_effect", "remove"),
        optional=options.get("optional", ()),
        step_within={k: pd.Timedelta(window).days for k, window in (options.get("step_within") or {}).items()},
        opens_from=days(start, -END),
        opens_until=days(end, END),
    )
    same = {name: options[name] for name in ("count", "unit", "hold", "by", "by_value", "maturity")}
    spoilers = tuple(rule.touchpoint.touchpoint for rule in options.get("exclude", ()))
    return Asked([set(step) for step in steps], rules, spoilers, until=UNTIL, **same)


def run(log, options):
    return funnel(log, [jk.Step(step) for step in STEPS], **options)


def check(case, run=run, steps=STEPS):
    rows, options = case
    log = make_log(rows, observed_until=UNTIL, columns=COLUMNS)
    result = run(log, options)
    asked = asked_for(options, steps)
    given_rows = [Row(*row[:3], dict(zip(COLUMNS, row[3:], strict=True))) for row in rows]
    expected = slow_table(given_rows, asked)
    counted = result.plan.counted
    found = result.table.rename(columns={"stage": "step"}).assign(segment=result.table.get("segment"))
    if asked.by is None:
        found["segment"] = None
    elif "reached" in found:  # a stage funnel also has groups in which nobody entered
        entered = found.groupby("segment")[[counted, f"{counted}_mature"]].transform("max").max(axis=1)
        found = found[entered > 0]
    assert list(zip(found["segment"], [result.plan.names.index(step) + 1 for step in found["step"]], strict=True)) == (
        sorted_keys(expected, result) if asked.by else list(expected)
    )
    for row in found.to_dict("records"):
        numbers = expected[row["segment"], result.plan.names.index(row["step"]) + 1]
        for name, number in numbers.items():
            column = name.replace("counted", counted)
            assert row[column] == pytest.approx(number, nan_ok=True, rel=1e-9, abs=1e-12), (column, row)
    left_out = result.left_out[result.left_out["customers"] > 0].set_index("reason")["customers"].to_dict()
    assert left_out == slow_left_out(given_rows, asked)
    over = result.table[result.base_column].iloc[:: 4 - first_shown(asked)].sum()
    assert len(result.attempts().dropna(subset=["segment"] if asked.by else [])) == over


def sorted_keys(expected, result):
    """Segments in the order of their labels."""
    return sorted(expected, key=lambda key: (result.plan.labels.index(key[0]), key[1]))


@settings(max_examples=120, deadline=None)
@given(cases())
def test_every_number_equals_the_slow_version(case):
    check(case)


@pytest.mark.slow
@settings(max_examples=8000, deadline=None)
@given(cases())
def test_every_number_equals_the_slow_version_in_thousands_of_logs(case):
    check(case)


@settings(max_examples=25, deadline=None)
@given(cases())
def test_one_piece_equals_buckets_with_every_option(case):
    rows, options = case
    log = make_log(rows, observed_until=UNTIL, columns=COLUMNS)
    whole, merged = run(log, options), run(log.in_buckets(7), options)
    for name in ("table", "summary", "comparison", "left_out"):
        assert_frame_equal(getattr(whole, name), getattr(merged, name))
    for one, other in (
        (whole.attempts(), merged.attempts()),
        (whole.before(0, n=2), merged.before(0, n=2)),
        (whole.instead(0), merged.instead(0)),
        (whole.times(), merged.times()),
        (whole.units(0), merged.units(0)),
    ):
        assert_frame_equal(one, other)


@settings(max_examples=25, deadline=None)
@given(cases(), st.integers(0, 9))
def test_the_order_of_rows_has_no_say_with_every_option(case, seed):
    rows, options = case
    if options["ties"] == "stored" or options["unit"] == "order":
        return  # a unit that several customers share belongs to the one of its first event, as it is stored
    mixed = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    one, other = (run(make_log(each, observed_until=UNTIL, columns=COLUMNS), options) for each in (rows, mixed))
    for name in ("table", "summary", "comparison", "left_out"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert_frame_equal(one.attempts(), other.attempts())
    assert_frame_equal(one.before(1, n=3), other.before(1, n=3))


@settings(max_examples=25, deadline=None)
@given(cases())
def test_lists_of_customers_are_as_long_as_the_numbers_with_every_option(case):
    rows, options = case
    result = run(make_log(rows, observed_until=UNTIL, columns=COLUMNS), options)
    for row in result.table.to_dict("records"):
        segment = row.get("segment")
        for counted, column in (("customers",) * 2, ("mature", "customers_mature")):
            assert len(result.customers(row["step"], segment=segment, counted=counted)) == row[column]
        if options["count"] == "best":
            for counted, column in (("customers", result.plan.counted), ("dropped",) * 2, ("open",) * 2):
                assert len(result.units(row["step"], segment=segment, counted=counted)) == row[column]
