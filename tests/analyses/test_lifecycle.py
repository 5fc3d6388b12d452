"""Lifecycle, stickiness and active customers: by hand, against slow counts, and against retention."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from journeykit.analyses.lifecycle import active_customers, lifecycle, stickiness
from journeykit.analyses.retention import retention
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.proportions import wilson
from journeykit.journey import Step
from journeykit.log import read_log
from journeykit.text import has_label, language
from tests.helpers import make_log

# Days after 1 January 2024.
JAN, FEB, MAR, APR, MAY = 0, 31, 60, 91, 121


def orders(*rows, until=MAY, **options):
    return make_log([(customer, "order", day) for customer, day in rows], observed_until=until, **options)


FOUR = orders(
    *(("ann", JAN), ("ann", FEB), ("ann", APR)),
    *(("bob", JAN), ("bob", MAR), ("bob", MAR + 5), ("bob", APR)),
    ("cid", FEB),
    ("dan", APR),
)


def states(result):
    return result.table[["active", "new", "returning", "resurrecting", "dormant"]].to_numpy(dtype=float).T.tolist()


# -- lifecycle ---------------------------------------------------------------------------------


def test_each_active_customer_is_new_returning_or_resurrecting_and_the_dormant_are_counted_once():
    active, new, returning, resurrecting, dormant = states(lifecycle(FOUR))
    assert active == [2, 2, 1, 3]
    assert new == [2, 1, 0, 1]
    assert returning == [0, 1, 0, 1]  # ann in February, bob in April
    assert resurrecting == [0, 0, 1, 1]  # bob in March, ann in April
    assert dormant == [0, 1, 2, 0]  # bob in February; ann and cid in March, cid no more in April


def test_the_change_of_active_customers_is_new_and_resurrecting_less_dormant():
    table = lifecycle(FOUR).table
    assert table["change"].tolist()[1:] == table["active"].diff().tolist()[1:]


def test_the_returning_rate_is_over_those_active_before():
    row = lifecycle(FOUR).table.iloc[1]
    assert (row["base"], row["returning_rate"]) == (2, 0.5)
    assert (row["returning_rate_low"], row["returning_rate_high"]) == wilson(1, 2)
    assert lifecycle(FOUR).table["returning_rate"].isna().tolist() == [True, False, False, False]


def test_an_unfinished_period_has_no_dormant_customers_and_no_rate_yet():
    row = lifecycle(orders(("ann", JAN), ("bob", JAN), ("ann", FEB), until=FEB + 3)).table.iloc[1]
    assert (row["active"], row["returning"], row["status"]) == (1, 1, "unfinished")
    assert pd.isna(row["dormant"])
    assert np.isnan(row["returning_rate"])


def test_the_pooled_returning_rate_is_over_finished_periods():
    row = lifecycle(FOUR).summary.iloc[0]
    # Followed by a finished period: ann in January, February; bob in January, March; cid in February.
    assert (row["base"], row["returning"], row["returning_rate"]) == (5, 2, 2 / 5)
    assert row["mean_active"] == 2
    assert (row["new"], row["resurrecting"], row["dormant"]) == (2, 2, 3)


def with_created(created):
    rows = [("ann", "order", FEB, created), ("ann", "order", MAR, created), ("bob", "order", JAN, "2024-01-01")]
    return make_log(rows, columns=["created"], observed_until=APR)


def test_whoever_was_created_before_the_log_is_resurrecting_when_first_seen():
    assert states(lifecycle(with_created("2023-06-01"), created="created"))[1:4] == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    # Created inside the log but earlier than active: still new when first active, and not before.
    assert states(lifecycle(with_created("2024-01-15"), created="created"))[1] == [1, 1, 0]


def test_new_by_creation_counts_those_active_in_the_period_they_were_created_in():
    late = lifecycle(with_created("2024-01-15"), created="created", new="created")
    assert states(late)[1:4] == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    same = lifecycle(with_created("2024-02-01"), created="created", new="created")
    assert states(same)[1] == [1, 1, 0]
    assert same.definition == "lifecycle/1 created=created new=created"


def test_a_missing_creation_date_changes_nothing():
    assert states(lifecycle(with_created(None), created="created")) == states(lifecycle(with_created(None)))
    assert states(lifecycle(with_created(None), created="created", new="created"))[1] == [1, 1, 0]


def test_only_the_activity_asked_for_counts_and_who_has_none_is_left_out():
    log = make_log([("ann", "visit", JAN), ("bob", "order", FEB)], observed_until=MAR)
    result = lifecycle(log, of="order")
    assert states(result)[0] == [0, 1]
    assert result.left_out.to_numpy().tolist() == [["lifecycle.inactive", 1]]


def test_the_log_that_begins_inside_a_period_marks_it():
    log = orders(("ann", JAN + 3), ("ann", FEB), until=MAR)
    assert lifecycle(log).table["note"].tolist() == ["partial", ""]


def test_who_is_new_when_the_log_begins_may_be_an_old_customer():
    rows = [("ann", "order", 0, "2023-05-01"), ("ann", "order", FEB, "2023-05-01")]
    log = make_log(rows, columns=["signed_up"], observed_until=MAR)
    assert lifecycle(log).table["note"].tolist() == ["seen at start", ""]
    assert lifecycle(log, created="signed_up").table["note"].tolist() == ["", ""]  # known since when


@pytest.mark.parametrize(
    ("zone", "states"),
    [
        # 30 March 22:30 and 31 March 21:30 UTC. London springs forward on the 31st: 22:30 on each day.
        ("Europe/London", [[1, 0], [0, 1]]),
        # Istanbul, all year three hours ahead: 01:30 on the 31st, 00:30 on 1 April.
        ("Europe/Istanbul", [[1, 0], [0, 1]]),
        # New York, four hours behind by then: 18:30 on the 30th, 17:30 on the 31st.
        ("America/New_York", [[1, 0], [0, 1]]),
    ],
)
def test_days_of_23_hours_are_days(zone, states):
    raw = pd.DataFrame(
        {"customer": ["ann", "ann"], "touchpoint": "x", "time": ["2024-03-30 22:30Z", "2024-03-31 21:30Z"]}
    )
    log = read_log(raw, timezone=zone, observed_until="2024-04-03")
    table = lifecycle(log, period="day").table
    assert table[["new", "returning"]].iloc[:2].T.to_numpy().tolist() == states
    assert stickiness(log).table["longest_streak"].tolist()[1] == 1  # two days in a row


def test_hours_that_the_clock_shows_twice_are_two():
    # 3 November 2024, New York: 01:30 in summer time, and 01:30 again an hour later.
    raw = pd.DataFrame({"customer": "ann", "touchpoint": "x", "time": ["2024-11-03 05:30Z", "2024-11-03 06:30Z"]})
    log = read_log(raw, timezone="America/New_York", observed_until="2024-11-03 12:00")
    assert lifecycle(log, period="hour").table["returning"].tolist()[:2] == [0, 1]
    assert active_customers(log, within="week").table["active"].tolist() == [1]


def test_streaks_end_with_a_silent_week_and_weeks_begin_on_the_day_asked_for():
    # Saturday 6, Sunday 7, Monday 8 and Monday 22 January.
    log = orders(("ann", 5), ("ann", 6), ("ann", 7), ("ann", 21), until=28)
    assert stickiness(log, period="week").table["active_periods"].max() == 4
    monday = stickiness(log, period="week")
    assert monday.summary["mean_periods"].item() == 3  # to the 7th, the 8th to 14th, from the 22nd
    assert monday.table["longest_streak"].tolist() == [0, 1, 0, 0]
    sunday = stickiness(log, period="week", week_start="sunday")
    assert sunday.summary["mean_periods"].item() == 3  # to the 6th, the 7th to 13th, from the 21st
    assert sunday.table["longest_streak"].tolist()[1] == 1


def test_the_customers_behind_a_state_are_those_counted():
    result = pickle.loads(pickle.dumps(lifecycle(FOUR)))
    with pytest.raises(LogError, match="log="):
        result.customers("2024-03")
    for row in result.table.itertuples():
        for state in ("new", "returning", "resurrecting", "dormant"):
            assert len(result.customers(row.period, state, log=FOUR)) == getattr(row, state)
    assert result.customers("2024-03", "dormant", log=FOUR).tolist() == ["ann", "cid"]


def test_segments_differ_by_newcombes_interval_of_clustered_rates():
    rows = [(f"a{i}", "order", day, "web") for i in range(30) for day in ([JAN, FEB, MAR] if i % 3 else [JAN])]
    rows += [(f"b{i}", "order", day, "app") for i in range(30) for day in ([JAN, FEB, MAR] if i % 2 else [JAN])]
    result = lifecycle(make_log(rows, columns=["channel"], channel="channel", observed_until=APR), by="channel")
    row = result.comparison.iloc[0]
    assert (row["a"], row["b"]) == ("app", "web")
    # web: 20 of 30 return, then 20 of 20; app: 15 of 30, then 15 of 15.
    assert row["difference_rate"] == pytest.approx(40 / 50 - 30 / 45)
    assert row["p_value_holm"] == row["p_value"]


# -- stickiness --------------------------------------------------------------------------------


def test_stickiness_counts_customers_by_distinct_active_periods():
    log = orders(("ann", 0), ("ann", 0.5), ("ann", 1), ("ann", 3), ("bob", 1), until=4)
    table = stickiness(log).table
    assert table["customers"].tolist() == [1, 0, 1, 0]
    assert table["at_least"].tolist() == [2, 1, 1, 0]
    assert table["longest_streak"].tolist() == [1, 1, 0, 0]  # ann on the first two days
    assert table["exactly_rate"].tolist() == [0.5, 0, 0.5, 0]
    assert (table.loc[0, "exactly_rate_low"], table.loc[0, "exactly_rate_high"]) == wilson(1, 2)


def test_stickiness_is_the_mean_share_of_periods():
    row = stickiness(orders(("ann", 0), ("ann", 1), ("ann", 3), ("bob", 1), until=4)).summary.iloc[0]
    assert (row["customers"], row["periods"], row["mean_periods"], row["median_periods"]) == (2, 4, 2, 2)
    assert row["stickiness_rate"] == 2 / 4


def test_a_window_counts_the_periods_that_begin_in_it():
    log = orders(("ann", 0), ("ann", 1), ("bob", 5), until=8)
    result = stickiness(log, between=("2024-01-02", "2024-01-06"))
    assert result.table["customers"].tolist() == [1, 0, 0, 0]
    assert result.customers(1).tolist() == ["ann"]
    assert result.customers(1, at_least=True).tolist() == ["ann"]


def test_stickiness_of_segments_is_compared():
    rows = [("a1", 0, "x"), ("a1", 1, "x"), ("a2", 0, "x"), ("b1", 0, "y"), ("b2", 1, "y")]
    log = make_log([(c, "order", d, g) for c, d, g in rows], columns=["plan"], observed_until=2)
    result = stickiness(log, by="plan")
    row = result.comparison.iloc[0]
    assert (row["a"], row["b"], row["difference_rate"]) == ("x", "y", 0.5 - 0.75)


# -- active customers --------------------------------------------------------------------------


def test_active_customers_counts_distinct_customers_by_period_and_window():
    log = orders(("ann", 0), ("ann", 0.5), ("ann", 1), ("bob", 1), ("bob", 7), until=14)  # a Monday
    result = active_customers(log, within="week")
    assert result.table["active"].tolist() == [1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert result.summary["customers"].tolist() == [2, 1]
    assert result.summary["mean_active"].tolist() == [3 / 7, 1 / 7]
    assert result.summary["stickiness_rate"].tolist() == pytest.approx([3 / 7 / 2, 1 / 7])


def test_a_windows_stickiness_has_students_interval_over_its_customers():
    days = {"a": [0, 1, 2], "b": [0], "c": [2, 5]}
    log = orders(*((c, day) for c, own in days.items() for day in own), until=7)
    row = active_customers(log, within="week").summary.iloc[0]
    from scipy.stats import t

    x = np.array([3, 1, 2])
    half = t.ppf(0.975, 2) * x.std(ddof=1) / np.sqrt(3)
    assert row["stickiness_rate"] == pytest.approx(2 / 7)
    assert row["stickiness_rate_low"] == max(0, (2 - half) / 7)
    assert row["stickiness_rate_high"] == pytest.approx((2 + half) / 7)


def test_trailing_windows_count_each_customer_once():
    log = orders(("ann", 0), ("ann", 1), ("bob", 2), ("ann", 5), until=8)
    table = active_customers(log, rolling=3, within="week").table
    assert table["trailing"].isna().tolist() == [True, True] + [False] * 6
    assert table["trailing"].dropna().tolist() == [2, 2, 1, 1, 1, 1]
    row = table.iloc[5]
    assert row["trailing_rate"] == 1.0
    assert (table.loc[3, "trailing_rate"], table.loc[3, "trailing_rate_high"]) == (0.0, wilson(0, 2)[1])


def test_an_unfinished_window_has_no_ratio():
    result = active_customers(orders(("ann", 0), ("ann", 8), until=10), within="week")
    assert result.summary["status"].tolist() == ["finished", "unfinished"]
    assert result.summary["stickiness_rate"].isna().tolist() == [False, True]


# -- against slow counts, for all options ------------------------------------------------------


@st.composite
def questions(draw):
    """Draw a log around daylight saving, and a way to look at it."""
    zone = draw(st.sampled_from(["America/New_York", "Europe/London", "Asia/Kolkata"]))
    period = draw(st.sampled_from(["day", "week", "month"]))
    begin = pd.Timestamp(draw(st.sampled_from(["2024-03-09 21:30", "2024-10-26 20:15"])), tz="UTC")
    span = {"day": 15, "week": 70, "month": 300}[period]
    event = st.tuples(st.sampled_from("abcde"), st.sampled_from("AB"), st.integers(0, span * 24), st.sampled_from("xy"))
    rows = draw(st.lists(event, min_size=1, max_size=30))
    frame = pd.DataFrame(rows, columns=["customer", "touchpoint", "hour", "plan"])
    frame["time"] = begin + pd.to_timedelta(frame.pop("hour"), unit="h")
    log = read_log(
        frame,
        timezone=zone,
        observed_until=frame["time"].max() + pd.Timedelta(draw(st.integers(1, 50)), "h"),
        duplicates="keep",
    )
    options = {
        "period": period,
        "of": draw(st.sampled_from([None, Step("A")])),
        "by": draw(st.sampled_from([None, "plan"])),
        "week_start": draw(st.sampled_from(["monday", "sunday"])),
    }
    return log, options


def slowly(log, options):
    """Active periods of each customer, as (segment, set of period numbers), from local dates."""
    frame = log.frame()
    local = frame["time"].dt.tz_localize(None)
    frequency = {"day": "D", "month": "M", "week": "W-SUN" if options["week_start"] == "monday" else "W-SAT"}
    number = local.dt.to_period(frequency[options["period"]]).map(lambda each: each.ordinal)
    first = log.starts_at.tz_localize(None).to_period(frequency[options["period"]]).ordinal
    found = {}
    for customer, rows in frame.assign(number=number - first).groupby("customer", observed=True):
        rows = rows if options["of"] is None else rows[rows["touchpoint"] == "A"]
        if len(rows):
            found[customer] = (rows["plan"].iloc[0] if options["by"] else "", set(rows["number"]))
    return found


@settings(max_examples=40, deadline=None)
@given(question=questions())
def test_every_period_equals_the_slow_count(question):
    log, options = question
    customers = slowly(log, options)
    result = lifecycle(log, **options)
    segments = sorted({segment for segment, _ in customers.values()})
    table = result.table if options["by"] else result.table.assign(segment="")
    for segment in segments:
        own = [periods for name, periods in customers.values() if name == segment]
        for p, row in enumerate(table[table["segment"] == segment].itertuples()):
            assert row.active == sum(p in periods for periods in own)
            assert row.new == sum(min(periods) == p for periods in own)
            assert row.returning == sum({p - 1, p} <= periods for periods in own)
            assert row.resurrecting == sum(
                p in periods and p - 1 not in periods and min(periods) < p for periods in own
            )
            if row.status == "finished":
                assert row.dormant == sum(p - 1 in periods and p not in periods for periods in own)
            assert row.active == row.new + row.returning + row.resurrecting


@settings(max_examples=40, deadline=None)
@given(question=questions())
def test_stickiness_and_active_customers_equal_the_slow_count(question):
    log, options = question
    customers = slowly(log, options)
    sticky = stickiness(log, **options)
    active = active_customers(log, within="year", rolling=3, **options)
    for segment in sorted({segment for segment, _ in customers.values()}):
        own = [periods for name, periods in customers.values() if name == segment]
        rows = sticky.table if not options["by"] else sticky.table[sticky.table["segment"] == segment]
        assert rows["customers"].sum() == len(own)  # it sums to active customers
        for row in rows.itertuples():
            assert row.customers == sum(len(periods) == row.active_periods for periods in own)
            assert row.at_least == sum(len(periods) >= row.active_periods for periods in own)
            assert row.longest_streak == sum(longest(periods) == row.active_periods for periods in own)
        rows = active.table if not options["by"] else active.table[active.table["segment"] == segment]
        for p, row in enumerate(rows.itertuples()):
            assert row.active == sum(p in periods for periods in own)
            if not pd.isna(row.trailing):
                assert row.trailing == sum(bool(periods & {p, p - 1, p - 2}) for periods in own)


def longest(periods):
    best = 0
    for p in periods:
        run = 0
        while p + run in periods:
            run += 1
        best = max(best, run)
    return best


@settings(max_examples=20, deadline=None)
@given(question=questions())
def test_in_one_piece_as_in_seven_buckets(question):
    log, options = question
    pieces = log.in_buckets(7)
    for analysis, more in ((lifecycle, {}), (stickiness, {}), (active_customers, {"within": "year", "rolling": 2})):
        whole, parts = analysis(log, **options, **more), analysis(pieces, **options, **more)
        for name in ("table", "summary", "comparison", "left_out"):
            assert_frame_equal(getattr(whole, name), getattr(parts, name))
        assert whole.params == parts.params


@settings(max_examples=40, deadline=None)
@given(question=questions())
def test_retentions_diagonals_add_up_to_lifecycles_active_customers(question):
    log, options = question
    options = {**options, "by": None}
    active = lifecycle(log, **options).table["active"].tolist()
    start = options.pop("of")
    cube = retention(log, start=start, back=start, **{k: v for k, v in options.items() if k != "by"})
    cells = cube.matrix("back_so_far").astype(float).to_numpy()
    n = len(cells)
    assert [sum(cells[r, p - r] for r in range(p + 1)) for p in range(n)] == active
    # Back in every cohort's first column are the new ones.
    assert cells[:, 0].tolist() == lifecycle(log, of=start, **options).table["new"].tolist()


# -- the results -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["en", "he"])
@pytest.mark.parametrize("analysis", [lifecycle, stickiness, active_customers])
def test_every_column_has_a_word_and_every_result_speaks(analysis, code):
    log = make_log(
        [(c, "order", d, g) for c, d, g in [("a", 0, "x"), ("a", 31, "x"), ("b", 1, "y"), ("b", 62, "y")]],
        columns=["plan"],
        observed_until=121,
    )
    with language(code):
        for options in ({}, {"by": "plan"}):
            result = analysis(log, **options)
            assert all(has_label(name) for frame in (result.table, result.summary) for name in frame.columns)
            assert len(result.describe()) > 40
            assert "<table" in result._repr_html_()
            assert len(result.metrics()) > 0
            assert pickle.loads(pickle.dumps(result)).table.equals(result.table)


def test_nobody_active_is_said():
    log = make_log([("a", "visit", 0)], observed_until=1)
    assert "Nobody" in stickiness(log, of=Step("order")).describe()
    assert lifecycle(log, of=Step("order")).table["active"].sum() == 0
    assert "No period has finished" in lifecycle(log).describe()


@pytest.mark.parametrize(
    ("analysis", "options", "says"),
    [
        (lifecycle, {"period": "decade"}, "period must be one of"),
        (lifecycle, {"new": "born"}, "new must be one of"),
        (lifecycle, {"new": "created"}, "needs the column"),
        (stickiness, {"between": "2024"}, "start, end"),
        (stickiness, {"between": ("2030-01-01", None)}, "no period"),
        (active_customers, {"within": "day"}, "longer than"),
        (active_customers, {"rolling": 1}, "rolling == 1"),
    ],
)
def test_what_cannot_be_is_refused_and_says_why(analysis, options, says):
    with pytest.raises(ParameterError, match=says):
        analysis(FOUR, **options)


def test_a_creation_date_must_be_a_date():
    with pytest.raises(LogError, match="must hold dates"):
        lifecycle(make_log([("a", "x", 0, "soon")], columns=["created"], observed_until=1), created="created")
