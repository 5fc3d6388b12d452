"""A funnel equals a slow reference, is the same in buckets and in any order of rows, and its parts agree."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_index_equal

import journeykit as jk
from journeykit.analyses.funnel import Exclude, funnel
from journeykit.text import has_label, html_table
from tests.analyses.funnel.funnel_reference import Event, Rules, best_attempt
from tests.helpers import event_rows, make_log, shuffle

DAY = 86_400
STEPS = ({"A"}, {"A", "B"}, {"C"})
OPTIONS = st.fixed_dictionaries(
    {
        "within": st.sampled_from([None, "2d", "5d", "12d"]),
        "order": st.sampled_from(["ordered", "strict", "any"]),
        "entry": st.sampled_from(["any", "first"]),
        "maturity": st.sampled_from(["mature", "all"]),
        "between": st.sampled_from([None, ("2024-01-05", "2024-01-20"), (None, "2024-01-10")]),
    }
)
IN_ORDER = st.fixed_dictionaries(
    {
        "exclude": st.sampled_from(
            [(), (Exclude(jk.Step("D")),), (Exclude(jk.Step("D"), 1, 3), Exclude(jk.Step("B"), 1, 3))]
        ),
        "exclude_effect": st.sampled_from(["remove", "drop"]),
        "optional": st.sampled_from([(), (3,)]),
        "step_within": st.sampled_from([None, {2: "1d"}, {3: "3d"}]),
    }
)
UNTIL = 26


def steps():
    return [jk.Step(sorted(step)) for step in STEPS]


def with_more(options, more):
    """Exclusions lie between required steps; a window in any order takes none of these options."""
    if options["order"] == "any":
        return dict(options)
    if more["optional"]:
        more = {**more, "exclude": tuple(each for each in more["exclude"] if each.before < 3)}
    return {**options, **more}


def reference_attempts(rows, options, ties, *, mature):
    """(level, event at each step) of each customer by the reference."""
    events: dict[str, list[Event]] = {}
    rules_of = options.get("exclude", ())
    for customer, touchpoint, time in sorted(rows, key=lambda row: row[2]):
        matches = frozenset(k for k, step in enumerate(STEPS, start=1) if touchpoint in step)
        spoils = frozenset(i for i, rule in enumerate(rules_of) if rule.touchpoint.touchpoint == touchpoint)
        mine = events.setdefault(customer, [])
        mine.append(Event(len(mine), time, matches, spoils))
    start, end = options["between"] or (None, None)
    opens_until = float("inf") if end is None else days(end)
    within = float("inf") if options["within"] is None else pd.Timedelta(options["within"]).days
    rules = Rules(
        n_steps=3,
        within=within,
        order=options["order"],
        entry=options["entry"],
        ties=ties,
        exclude=tuple((rule.after, rule.before) for rule in rules_of),
        exclude_effect=options.get("exclude_effect", "remove"),
        optional=tuple(options.get("optional", ())),
        step_within={k: pd.Timedelta(window).days for k, window in (options.get("step_within") or {}).items()},
        opens_from=float("-inf") if start is None else days(start),
        opens_until=min(opens_until, UNTIL - within) if mature else opens_until,
    )
    return {customer: best_attempt(mine, rules) for customer, mine in events.items()}


def days(date):
    return (pd.Timestamp(date) - pd.Timestamp("2024-01-01")).days


@settings(max_examples=120, deadline=None)
@given(rows=event_rows(max_time=24), options=OPTIONS, more=IN_ORDER, ties=st.sampled_from(["any", "stored"]))
def test_the_table_equals_the_reference(rows, options, more, ties):
    options = with_more(options, more)
    table = funnel(make_log(rows, observed_until=UNTIL), steps(), ties=ties, **options).table
    every = reference_attempts(rows, options, ties, mature=False)
    mature = {} if options["within"] is None else reference_attempts(rows, options, ties, mature=True)
    optional = options.get("optional", ())
    last = 2 if optional else 3
    over = every if options["maturity"] == "all" or options["within"] is None else mature
    within = None if options["within"] is None else pd.Timedelta(options["within"]).days
    for k, row in zip((1, 2, 3), table.to_dict("records"), strict=True):
        assert row["customers"] == came_to(every, k)
        assert row["customers_mature"] == came_to(mature, k)
        base = {1: None, 2: 1, 3: 2}[k]
        times = [
            filled[k].time - filled[base].time for level, filled in over.values() if level > 0 and k in filled and base
        ]
        assert row["mean_seconds"] == pytest.approx(np.mean(times) * DAY if times else np.nan, nan_ok=True)
        assert row["median_seconds"] == pytest.approx(np.median(times) * DAY if times else np.nan, nan_ok=True)
        times = [
            filled[k].time - filled[1].time for level, filled in over.values() if level > 0 and k in filled and k > 1
        ]
        assert row["entry_p90_seconds"] == pytest.approx(
            np.quantile(times, 0.9) * DAY if times else np.nan, nan_ok=True
        )
        running = {
            customer
            for customer, (level, filled) in every.items()
            if 0 < level < last and (within is None or filled[1].time + within >= UNTIL)
        }
        assert row["open"] == sum(every[customer][0] == k for customer in running)
        gone = (
            over if over is mature else {customer: each for customer, each in every.items() if customer not in running}
        )
        assert row["dropped"] == (sum(level == k for level, _ in gone.values()) if k < last else 0)
        if base:
            assert row["step_rate"] == pytest.approx(ratio(came_to(over, k), came_to(over, base)), nan_ok=True)
        assert row["reach_rate"] == pytest.approx(ratio(came_to(over, k), came_to(over, 1)), nan_ok=True)


def came_to(attempts, k):
    return sum(level > 0 and k in filled for level, filled in attempts.values())


def ratio(count, n):
    return count / n if n else np.nan


BY_OPTIONS = st.fixed_dictionaries(
    {"by": st.sampled_from([None, "colour"]), "by_value": st.sampled_from(["first", "last", "step 1", "step 2"])}
)


def coloured(rows, seed):
    rng = np.random.default_rng(seed)
    return [(*row, rng.choice(["red", "blue", None], p=[0.4, 0.3, 0.3])) for row in rows]


def parts(result):
    return [result.table, result.summary, result.comparison, result.left_out, result.attempts(), result.metrics()]


@settings(max_examples=35, deadline=None)
@given(
    rows=event_rows(customers="abcdefghijk", max_time=24),
    options=OPTIONS,
    more=IN_ORDER,
    by=BY_OPTIONS,
    seed=st.integers(0, 9),
)
def test_one_piece_equals_buckets(rows, options, more, by, seed):
    log = make_log(coloured(rows, seed), observed_until=UNTIL + 10, columns=["colour"])
    options = {**with_more(options, more), **by}
    whole, merged = funnel(log, steps(), **options), funnel(log.in_buckets(7), steps(), **options)
    for one, other in zip(parts(whole), parts(merged), strict=True):
        assert_frame_equal(one, other)
    for counted in ("customers", "mature", "dropped", "open"):
        for step in range(3):
            assert_index_equal(whole.customers(step, counted=counted), merged.customers(step, counted=counted))


@settings(max_examples=35, deadline=None)
@given(rows=event_rows(max_time=8), options=OPTIONS, more=IN_ORDER, by=BY_OPTIONS, seed=st.integers(0, 9))
def test_the_order_of_rows_has_no_say(rows, options, more, by, seed):
    rows = coloured(rows, seed)
    options = {**with_more(options, more), **by}
    one, other = (
        funnel(make_log(each, observed_until=UNTIL, columns=["colour"]), steps(), ties="any", **options)
        for each in (rows, shuffle(rows, seed))
    )
    for a, b in zip(parts(one), parts(other), strict=True):
        assert_frame_equal(a, b)


@settings(max_examples=25, deadline=None)
@given(rows=event_rows(max_time=24), options=OPTIONS, more=IN_ORDER, by=BY_OPTIONS, seed=st.integers(0, 9))
def test_the_lists_of_customers_are_as_long_as_the_numbers(rows, options, more, by, seed):
    result = funnel(
        make_log(coloured(rows, seed), observed_until=UNTIL, columns=["colour"]),
        steps(),
        **with_more(options, more),
        **by,
    )
    for row in result.table.to_dict("records"):
        segment = row.get("segment")
        for counted, column in (("customers",) * 2, ("mature", "customers_mature"), ("dropped",) * 2, ("open",) * 2):
            assert len(result.customers(row["step"], segment=segment, counted=counted)) == row[column]


@settings(max_examples=25, deadline=None)
@given(rows=event_rows(max_time=24), options=OPTIONS, more=IN_ORDER)
def test_everybody_is_counted_or_left_out(rows, options, more):
    log = make_log(rows, observed_until=UNTIL)
    result = funnel(log, steps(), **with_more(options, more))
    base = "customers_mature" if result.params["rates_over"] == "mature" else "customers"
    assert result.table[base].iloc[0] + result.left_out["customers"].sum() == log.n_customers


@settings(max_examples=20, deadline=None)
@given(rows=event_rows(max_time=24), options=OPTIONS, more=IN_ORDER)
def test_copying_every_customer_changes_no_rate_and_no_time(rows, options, more):
    options = with_more(options, more)
    twice = rows + [(f"{customer}2", *rest) for customer, *rest in rows]
    one, two = (funnel(make_log(each, observed_until=UNTIL), steps(), **options).table for each in (rows, twice))
    same = ["step", "step_rate", "reach_rate", "mean_seconds", "entry_mean_seconds"]
    assert_frame_equal(one[same], two[same])
    assert (2 * one[["customers", "dropped", "open"]]).equals(two[["customers", "dropped", "open"]])


def test_a_result_pickles_without_its_log():
    log = make_log([("a", "A", 0), ("a", "B", 1)], observed_until=100)
    result = pickle.loads(pickle.dumps(funnel(log, ["A", "B"], within="9d")))
    assert result.log is None
    assert result.customers("B", log=log).tolist() == ["a"]
    assert result.describe().startswith("100.0%")
    result.plot()


def test_a_segment_dictionary_of_its_own_in_each_bucket_changes_nothing():
    rows = [(f"c{i}", letter, day, i % 11) for i in range(60) for day, letter in enumerate("AB")]
    log = make_log(rows, observed_until=100, columns=["number"])
    whole, merged = (funnel(each, ["A", "B"], within="9d", by="number") for each in (log, log.in_buckets(7)))
    assert_frame_equal(whole.table, merged.table)


def test_keys_that_do_not_fit_into_one_number_are_two():
    from journeykit.analyses.funnel.counts import count, key_of
    from journeykit.analyses.funnel.keys import Counts, Key, Part
    from journeykit.analyses.funnel.plan import make_plan

    log = make_log([("a", "A", 0), ("a", "B", 1), ("b", "A", 3)], observed_until=100)
    plan = make_plan(
        log, ["A", "B"], within=None, order="ordered", entry="any", ties="any", maturity="mature", between=None,
        by=None, by_value="first", confidence=0.95,
    )  # fmt: skip
    fits = key_of(log, plan)
    wide = Key(fits.n_groups, fits.n_steps, 2**62)
    assert fits.packing.fits
    assert not wide.packing.fits
    frame = count(log, plan)
    places, values = fits.packing.split(frame.index)
    counted = Counts(pd.DataFrame({"n": frame["n"].to_numpy()}, index=wide.packing.index(places, values)), wide)
    assert counted.number(Part.STOPPED, 2) == 1
    assert counted.values(Part.FROM_ENTRY, 2)[0].tolist() == [DAY * 1_000_000]


def test_times_are_the_same_where_key_and_time_do_not_fit_into_one_number():
    from journeykit.analyses.funnel.counts import key_of

    rows = [
        (f"c{i}", letter, 3 * day + i % 5 * (letter == "C"), i % 70)
        for i in range(200)
        for day, letter in enumerate(("ABC", "AC", "AB", "A")[i % 4])
    ]
    long, short = (make_log(rows, observed_until=until, columns=["number"]) for until in (20_000, 50))
    asked, other = (funnel(log, list("ABC"), by="number", optional=[2]) for log in (long, short))
    assert not key_of(long, asked.plan).packing.fits
    assert key_of(short, other.plan).packing.fits
    assert other.table["p90_seconds"].notna().sum() > 70
    assert_frame_equal(asked.table, other.table)
    assert_frame_equal(asked.times(), other.times())
    assert_frame_equal(asked.table, funnel(long.in_buckets(7), list("ABC"), by="number", optional=[2]).table)


@pytest.mark.parametrize("code", ["en", "he"])
def test_every_column_has_a_word(code):
    log = make_log([("a", "A", 0, "x"), ("a", "B", 1, "x"), ("b", "A", 1, "y")], observed_until=100, columns=["colour"])
    result = funnel(log, ["A", "B"], within="9d", by="colour")
    for frame in (result.table, result.summary, result.comparison, result.left_out, result.metrics()):
        missing = [name for name in frame if not has_label(name, language=code)]
        assert not missing
    with jk.language(code):
        assert "funnel." not in result._repr_html_()
        html_table(result.comparison)
