"""Retention, worked by hand from each rule of its definition."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from journeykit.analyses.retention import retention
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.proportions import wilson
from journeykit.journey import Step
from journeykit.log import read_log
from journeykit.text import has_label, language
from tests.helpers import make_log

# Days after 1 January 2024: 31 is 1 February, 60 is 1 March, 91 is 1 April.
JAN, FEB, MAR, APR = 0, 31, 60, 91


def orders(*rows, until=APR, **options):
    """A log of orders (customer, day)."""
    return make_log([(customer, "order", day) for customer, day in rows], observed_until=until, **options)


FIVE = orders(
    *(("ann", JAN + 4), ("ann", FEB), ("ann", MAR + 8)),
    *(("bob", JAN + 19), ("bob", MAR + 1)),
    *(("cid", FEB + 9), ("cid", FEB + 20), ("cid", MAR)),
    *(("dan", FEB + 2),),
    *(("eve", MAR + 3),),
)


def cells(result, column="back"):
    """A column of the table as lists, missing as None."""
    return [[None if pd.isna(cell) else cell for cell in row] for row in result.matrix(column).to_numpy().tolist()]


# -- cells -------------------------------------------------------------------------------------


def test_a_cell_counts_the_cohorts_customers_who_came_back_in_exactly_that_period():
    assert cells(retention(FIVE)) == [[2, 1, 2], [2, 1, None], [1, None, None]]
    assert retention(FIVE).matrix("customers").iloc[:, 0].tolist() == [2, 2, 1]


def test_column_0_is_the_cohort_itself_without_doubt():
    table = retention(FIVE).table
    first = table[table["age"] == 0]
    assert first["back"].tolist() == first["customers"].tolist()
    assert first[["back_rate", "back_rate_low", "back_rate_high"]].to_numpy().tolist() == [[1.0, 1.0, 1.0]] * 3


def test_rates_are_over_the_cohort_with_wilsons_interval():
    row = retention(FIVE).table.query("age == 1").iloc[0]
    assert (row["back"], row["base"], row["back_rate"]) == (1, 2, 0.5)
    assert (row["back_rate_low"], row["back_rate_high"]) == wilson(1, 2)


def test_zero_unfinished_and_future_are_three_things():
    log = orders(("ann", JAN), ("bob", FEB), ("cid", MAR), until=MAR + 10)
    result = retention(log)
    assert cells(result, "status") == [
        ["finished", "finished", "unfinished"],
        ["finished", "unfinished", "future"],
        ["unfinished", "future", "future"],
    ]
    assert cells(result) == [[1, 0, None], [1, None, None], [None, None, None]]
    assert cells(result, "back_so_far") == [[1, 0, 0], [1, 0, None], [1, None, None]]
    assert cells(result, "back_rate")[0][1] == 0.0


def test_a_cell_is_finished_when_its_period_has_fully_elapsed():
    rows = [("ann", JAN), ("ann", FEB)]
    assert cells(retention(orders(*rows, until=MAR)), "status")[0] == ["finished", "finished"]
    just_before = make_log([(c, "order", d) for c, d in rows], observed_until="2024-02-29 23:59:59.999999")
    assert cells(retention(just_before), "status")[0] == ["finished", "unfinished"]


def test_elapsed_periods_with_nobody_keep_their_row_and_column():
    log = orders(("ann", JAN), ("bob", MAR), ("bob", APR + 1), until=APR + 30)
    result = retention(log)
    assert [str(cohort) for cohort in result.matrix().index] == ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert cells(result)[:2] == [[1, 0, 0, 0], [0, 0, 0, None]]
    assert cells(result, "status")[1] == ["finished", "finished", "finished", "future"]
    assert np.isnan(result.matrix("back_rate").iloc[1, 1])  # 0 of 0


def test_a_log_shorter_than_a_period_has_one_unfinished_cell():
    result = retention(orders(("ann", 2), ("ann", 3), until=5))
    assert cells(result, "status") == [["unfinished"]]
    assert result.summary["cohorts"].tolist() == [0]
    assert "no rate" in result.describe()


def test_one_customer_is_a_cohort():
    result = retention(orders(("ann", JAN), ("ann", FEB), until=MAR))
    assert result.summary[["cohorts", "base", "back", "back_rate"]].to_numpy().tolist() == [[1, 1, 1, 1], [1, 1, 1, 1]]


def test_periods_begin_in_the_logs_time_zone():
    # 31 January 23:30 in London is 1 February in Istanbul.
    raw = pd.DataFrame(
        {"customer": ["ann", "ann"], "touchpoint": "order", "time": ["2024-01-31T23:30Z", "2024-02-10T12:00Z"]}
    )
    in_london = read_log(raw, timezone="Europe/London", observed_until="2024-03-01")
    in_istanbul = read_log(raw, timezone="Europe/Istanbul", observed_until="2024-03-01")
    assert cells(retention(in_london)) == [[1, 1], [0, None]]
    assert cells(retention(in_istanbul)) == [[1]]


def test_the_day_that_springs_forward_has_23_hours():
    # 31 March 2024 in London: 23:30 on the 30th and 00:30 on 1 April are two days and 24 elapsed hours apart.
    raw = pd.DataFrame(
        {"customer": ["ann", "ann"], "touchpoint": "x", "time": ["2024-03-30 23:30", "2024-04-01 00:30"]}
    )
    log = read_log(raw, timezone="Europe/London", observed_until="2024-04-03")
    assert cells(retention(log, period="day"))[0] == [1, 0, 1, 0]
    assert cells(retention(log, period="day", windows="rolling"))[0] == [1, 1, None]


@pytest.mark.parametrize(
    ("zone", "cohort", "ages"),
    [
        # 10 March 04:30 and 11 March 03:30 UTC, around the night in which New York springs forward.
        ("America/New_York", "2024-03-09", [1, 1, 0]),  # the 9th 23:30, the 10th 23:30
        ("Europe/London", "2024-03-10", [1, 1]),  # the 10th 04:30, the 11th 03:30
        ("Pacific/Auckland", "2024-03-10", [1, 1]),  # the 10th 17:30, the 11th 16:30
    ],
)
def test_the_same_instants_are_days_of_each_zone(zone, cohort, ages):
    raw = pd.DataFrame({"customer": "ann", "touchpoint": "x", "time": ["2024-03-10 04:30Z", "2024-03-11 03:30Z"]})
    log = read_log(raw, timezone=zone, observed_until="2024-03-12")
    result = retention(log, period="day")
    assert str(result.table["cohort"].iloc[0]) == cohort
    assert cells(result)[0] == ages
    assert result.customers(cohort, 1).tolist() == ["ann"]


def test_weeks_begin_on_the_day_asked_for():
    log = orders(("ann", 5), ("ann", 6), until=14)  # Saturday 6 and Sunday 7 January
    assert cells(retention(log, period="week"))[0] == [1, 0]
    assert cells(retention(log, period="week", week_start="sunday"))[0] == [1, 1, None]


# -- who starts --------------------------------------------------------------------------------

MIXED = make_log(
    [
        *(("ann", "visit", JAN, "web"), ("ann", "order", FEB, "shop"), ("ann", "order", MAR, "web")),
        *(("bob", "order", JAN, "web"), ("bob", "visit", MAR, "web")),
        *(("cid", "visit", JAN, "web"),),
    ],
    columns=["channel"],
    channel="channel",
    observed_until=APR,
)


def test_the_first_start_event_decides_the_cohort():
    result = retention(MIXED, start="order")
    assert result.matrix("customers").iloc[:, 0].tolist() == [1, 1, 0]
    assert cells(result, "back_so_far")[:2] == [[1, 0, 1], [1, 1, None]]


def test_start_and_back_can_differ():
    assert cells(retention(MIXED, start="order", back="visit"))[:2] == [[1, 0, 1], [1, 0, None]]


def test_who_never_starts_is_left_out_and_counted():
    left_out = retention(MIXED, start="order").left_out
    assert left_out.to_numpy().tolist() == [["retention.no_start", 1]]


def test_first_takes_the_first_event_that_passes_and_first_ever_only_the_first_of_that_name():
    on_web = Step("order", where={"channel": "web"})
    first = retention(MIXED, start=on_web)
    assert first.matrix("customers").iloc[:, 0].tolist() == [1, 0, 1]  # ann's order on the web was in March
    ever = retention(MIXED, start=on_web, cohort="first_ever")
    assert ever.matrix("customers").iloc[:, 0].tolist() == [1, 0, 0]  # ann's first order was in the shop
    assert ever.left_out.to_numpy().tolist() == [["retention.no_start", 1], ["retention.first_fails", 1]]


def test_every_period_with_a_start_event_is_a_cohort():
    assert cells(retention(FIVE, cohort="every")) == [[2, 1, 2], [3, 2, None], [4, None, None]]


def test_washout_leaves_out_who_was_there_at_the_beginning():
    result = retention(FIVE, washout="10d")  # ann was first seen on 5 January, the log's first day
    assert result.left_out.to_numpy().tolist() == [["retention.washout", 1]]
    assert result.matrix("customers").iloc[:, 0].tolist() == [1, 2, 1]
    assert set(result.table["note"]) == {"partial", ""}


def test_without_washout_the_first_cohort_is_marked():
    result = retention(FIVE)
    assert result.matrix("note").iloc[:, 0].tolist() == ["seen at start", "", ""]
    assert "may have been there before" in result.describe()


def test_cohorts_that_washout_takes_whole_are_no_rows():
    result = retention(FIVE, washout="27d")  # 5 January and 27 days: 1 February
    assert [str(cohort) for cohort in result.matrix().index] == ["2024-02", "2024-03"]
    assert result.matrix("note").iloc[:, 0].tolist() == ["", ""]


def test_between_keeps_who_starts_inside_and_follows_them_on():
    result = retention(FIVE, between=("2024-02-01", "2024-03-01"))
    assert cells(result) == [[2, 1]]
    assert result.left_out.to_numpy().tolist() == [["retention.outside", 3]]


def test_first_is_the_first_of_the_whole_log_also_with_between():
    log = orders(("ann", JAN), ("ann", FEB), ("bob", FEB), until=MAR)
    assert retention(log, between=("2024-02-01", None)).matrix("customers").iloc[0, 0] == 1


# -- columns -----------------------------------------------------------------------------------


def test_on_or_after_without_a_horizon_is_so_far_and_enters_no_average():
    result = retention(FIVE, mode="on_or_after")
    assert cells(result, "back_so_far") == [[2, 2, 2], [2, 1, None], [1, None, None]]
    assert set(result.table["status"]) == {"so far", "future"}
    assert result.table.query("age > 0")["back_rate_low"].isna().all()
    assert result.summary["cohorts"].tolist() == [0, 0, 0]
    assert "so far" in result.describe()


def test_on_or_after_with_a_horizon_is_over_cohorts_whose_horizon_has_elapsed():
    result = retention(FIVE, mode="on_or_after", horizon=1)
    assert cells(result) == [[2, 1], [2, 1], [None, None]]
    result = retention(FIVE, mode="on_or_after", horizon=2)
    assert cells(result) == [[2, 2, 2], [None, None, None], [None, None, None]]
    assert cells(result, "status")[1] == ["unfinished", "unfinished", "future"]


def test_columns_are_widths_after_column_0():
    log = orders(*(("ann", 0), ("ann", 2), ("ann", 8)), *(("bob", 0), ("bob", 9)), until=10)
    result = retention(log, period="day", columns=[1, 7, 30])
    assert list(result.matrix().columns) == [0, 1, 2, 9]
    assert result.table["age_last"].unique().tolist() == [0, 1, 8, 38]
    assert cells(result, "back_so_far")[0] == [2, 0, 1, 1]  # day 2 and day 8 are one column, and ann is one customer
    assert cells(result, "status")[0] == ["finished", "finished", "finished", "unfinished"]


def test_rolling_windows_run_one_clock_a_customer():
    log = orders(*(("ann", 0), ("ann", 29.9), ("ann", 30)), *(("bob", 20), ("bob", 79)), until=80)
    result = retention(log, windows="rolling")
    # ann: 80 days seen, columns 0 and 1 elapsed; bob: 60 days seen, columns 0 and 1 elapsed just now.
    assert cells(result)[0] == [2, 2, None]
    assert cells(result, "base")[0] == [2, 2, 0]
    assert cells(result, "status")[0] == ["finished", "finished", "unfinished"]


def test_a_rolling_cell_is_unfinished_while_its_base_is_less_than_the_cohort():
    log = orders(*(("ann", 0), ("ann", 30)), *(("bob", 20), ("bob", 79)), until=79.5)
    result = retention(log, windows="rolling")
    row = result.table.query("age == 1").iloc[0]
    assert (row["customers"], row["base"], row["back"], row["back_so_far"]) == (2, 1, 1, 2)
    assert (row["status"], row["back_rate"]) == ("unfinished", 1.0)
    assert result.summary.query("age == 1")["cohorts"].item() == 0


def test_min_events_are_needed_in_each_period_but_not_at_the_start():
    assert cells(retention(FIVE, min_events=2)) == [[2, 0, 0], [2, 0, None], [1, None, None]]
    log = orders(("ann", JAN), ("ann", FEB), ("ann", FEB + 1), ("bob", JAN), ("bob", FEB), until=MAR)
    assert cells(retention(log, min_events=2))[0] == [2, 1]


def test_base_previous_is_a_ratio_that_may_exceed_1():
    result = retention(FIVE, base="previous")
    row = result.table.query("age == 2").iloc[0]
    assert (row["base"], row["back"], row["back_rate"]) == (1, 2, 2.0)


def test_the_bootstrap_of_a_ratio_is_that_of_its_customers():
    # 300 in both columns, 100 only in the first, 50 only in the second.
    sizes = {"both": 300, "first": 100, "second": 50, "none": 400}
    rows = []
    for kind, size in sizes.items():
        for i in range(size):
            rows += [(f"{kind}{i}", JAN)]
            rows += [(f"{kind}{i}", FEB)] * (kind in ("both", "first")) + [(f"{kind}{i}", MAR)] * (
                kind in ("both", "second")
            )
    row = retention(orders(*rows), base="previous").table.query("age == 2").iloc[0]
    assert row["back_rate"] == 350 / 400
    rng = np.random.default_rng(1)
    weights = rng.poisson(1, (4000, 450))
    second = weights[:, :300].sum(axis=1) + weights[:, 400:].sum(axis=1)
    low, high = np.quantile(second / weights[:, :400].sum(axis=1), [0.025, 0.975])
    assert row["back_rate_low"] == pytest.approx(low, abs=0.006)
    assert row["back_rate_high"] == pytest.approx(high, abs=0.006)


# -- the overall row ---------------------------------------------------------------------------


def test_the_overall_row_pools_finished_cells_of_cohorts_with_somebody():
    log = orders(
        *((f"a{i}", JAN) for i in range(8)),
        *((f"a{i}", FEB) for i in range(2)),
        *((f"m{i}", MAR) for i in range(2)),
        *((f"m{i}", APR) for i in range(2)),
        *((f"z{i}", APR) for i in range(5)),
        until=APR + 30,
    )
    summary = retention(log).summary
    assert summary["cohorts"].tolist() == [3, 2, 1, 1]  # February has nobody
    assert summary["base"].tolist() == [15, 10, 8, 8]
    assert summary["back"].tolist() == [15, 4, 0, 0]
    assert summary["back_rate"].tolist() == [1, 0.4, 0, 0]
    low, high = wilson(4, 10)
    assert summary.loc[1, ["back_rate_low", "back_rate_high"]].tolist() == [low, high]
    simple = retention(log, mean="simple").summary
    assert simple.loc[1, "back_rate"] == pytest.approx((2 / 8 + 2 / 2) / 2)
    assert simple["method"].unique().tolist() == ["simple"]


def test_the_simple_means_interval_combines_those_of_the_cohorts():
    # Zou & Donner (2008), eq. 5, with coefficients 1/2.
    log = orders(*((f"a{i}", JAN) for i in range(8)), *((f"a{i}", FEB) for i in range(2)), ("m", FEB), ("m", MAR))
    row = retention(log, mean="simple").summary.loc[1]
    (l1, u1), (l2, u2) = wilson(2, 8), wilson(1, 1)
    assert row["back_rate_low"] == pytest.approx(0.625 - np.hypot(0.25 - l1, 1 - l2) / 2)
    assert row["back_rate_high"] == pytest.approx(0.625 + np.hypot(u1 - 0.25, u2 - 1) / 2)


def test_customers_in_several_cohorts_do_not_count_as_several():
    # Ten customers who come every month: nine pairs of months each, but ten customers.
    first_days = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274]  # of January to October 2024
    faithful = [(f"f{i}", day) for i in range(10) for day in first_days]
    gone = [(f"g{i}", day) for i in range(10) for day in first_days[::2]]
    row = retention(orders(*faithful, *gone, until=305), cohort="every").summary.loc[1]
    rate = 90 / 140
    assert row["back_rate"] == pytest.approx(rate)
    # V by hand: x, n are 9, 9 for the faithful and 0, 5 for the others.
    variance = 20 / 19 * (10 * (9 - rate * 9) ** 2 + 10 * (rate * 5) ** 2) / 140**2
    n_eff = rate * (1 - rate) / variance
    z = 1.959963985
    centre, half = rate + z**2 / (2 * n_eff), z * np.sqrt(rate * (1 - rate) / n_eff + z**2 / (4 * n_eff**2))
    assert row["back_rate_low"] == pytest.approx((centre - half) / (1 + z**2 / n_eff))
    assert row["back_rate_high"] == pytest.approx((centre + half) / (1 + z**2 / n_eff))


def test_diagonals_add_up_to_active_customers():
    active = FIVE.frame().groupby(FIVE.frame()["time"].dt.tz_localize(None).dt.to_period("M"))["customer"].nunique()
    cube = retention(FIVE).matrix("back_so_far").astype(float).to_numpy()
    assert [cube[::-1].diagonal(shift).sum() for shift in range(-2, 1)] == active.tolist()


# -- segments ----------------------------------------------------------------------------------


def test_by_is_the_value_at_the_start_event():
    result = retention(MIXED, start="order", by="channel")
    assert result.table.query("age == 0").set_index(["segment", "cohort"])["customers"].tolist() == [0, 1, 0, 1, 0, 0]
    assert retention(MIXED, start="order", by="first_touchpoint").summary["segment"].unique().tolist() == [
        "order",
        "visit",
    ]


def test_every_segment_is_compared_with_the_first_at_each_age_and_as_a_curve():
    rows = [("web", f"w{i}", [JAN, FEB] if i < 30 else [JAN]) for i in range(50)]
    rows += [("app", f"p{i}", [JAN, FEB, MAR] if i < 15 else [JAN]) for i in range(60)]
    log = make_log(
        [(customer, "order", day, channel) for channel, customer, days in rows for day in days],
        columns=["channel"],
        channel="channel",
        observed_until=APR,
    )
    result = retention(log, by="channel")
    one = result.comparison.iloc[0]
    assert (one["kind"], one["age"], one["a"], one["b"]) == ("age", 1, "app", "web")
    assert one["difference_rate"] == pytest.approx(30 / 50 - 15 / 60)
    # Newcombe (1998), method 10.
    (l1, u1), (l2, u2) = wilson(30, 50), wilson(15, 60)
    assert one["difference_rate_low"] == pytest.approx(0.35 - np.hypot(0.6 - l1, u2 - 0.25))
    assert one["difference_rate_high"] == pytest.approx(0.35 + np.hypot(u1 - 0.6, 0.25 - l2))
    curve = result.comparison.iloc[-1]
    assert (curve["kind"], curve["age"]) == ("curve", 2)
    assert curve["difference_rate"] == pytest.approx(0.6 / 2 - (0.25 + 0.25) / 2)
    assert (result.comparison["p_value_holm"] >= result.comparison["p_value"]).all()


def test_a_curves_interval_knows_that_its_ages_share_customers():
    # One segment comes back in both months or in none, as a whole: its curve is no surer than one month of it.
    rows = [("a", f"a{i}", [JAN, FEB, MAR] if i < 40 else [JAN]) for i in range(100)]
    rows += [("b", f"b{i}", [JAN, FEB, MAR] if i < 40 else [JAN]) for i in range(100)]
    log = make_log(
        [(customer, "order", day, channel) for channel, customer, days in rows for day in days],
        columns=["channel"],
        channel="channel",
        observed_until=APR,
    )
    comparison = retention(log, by="channel").comparison.set_index("kind")
    by_age, curve = comparison.loc["age"].iloc[0], comparison.loc["curve"]
    # n_eff = p(1 - p) / V has the factor (C - 1) / C = 0.99 of a sample variance.
    width = by_age["difference_rate_high"] - by_age["difference_rate_low"]
    assert curve["difference_rate_high"] - curve["difference_rate_low"] == pytest.approx(width, rel=0.01)


def test_rows_by_a_property_pool_the_finished_cells_of_their_customers():
    result = retention(FIVE, cohorts_by="touchpoint")
    table = result.table.set_index("age")
    assert table["customers"].tolist() == [5, 5, 5]
    assert table["base"].tolist() == [5, 4, 2]  # eve started in March, nobody's April is over
    assert table["back"].tolist() == [5, 2, 2]
    assert table["status"].tolist() == ["finished"] * 3
    assert result.summary["back_rate"].tolist() == [1, 0.5, 1]


# -- the result --------------------------------------------------------------------------------


def test_a_result_pickles_without_its_log_and_says_who_is_behind_a_cell():
    result = pickle.loads(pickle.dumps(retention(FIVE)))
    with pytest.raises(LogError, match="log="):
        result.customers("2024-01", 1)
    assert result.customers("2024-01", 1, log=FIVE).tolist() == ["ann"]
    assert result.customers("2024-01", 1, back=False, log=FIVE).tolist() == ["bob"]
    assert result.customers("2024-02", log=FIVE).tolist() == ["cid", "dan"]


def test_a_text_view_shows_zero_unfinished_and_future_differently():
    log = orders(("ann", JAN), ("bob", FEB), until=MAR + 3)
    assert repr(retention(log)).splitlines()[:3] == [
        "cohort   customers  0       1     2",
        "overall          2  100.0%  0.0%",
        "2024-01          1  100.0%  0.0%  …",
    ]


def test_metrics_are_the_overall_rates_at_the_usual_ages():
    metrics = retention(FIVE).metrics()
    assert metrics["name"].tolist() == ["retention_month_1_rate", "retention_month_2_rate"]
    assert metrics["value"].tolist() == [0.5, 1.0]
    assert metrics["n"].tolist() == [4, 2]
    assert metrics["definition"].unique().tolist() == ["retention/1"]
    other = retention(FIVE, cohort="every").metrics()
    assert other["definition"].unique().tolist() == ["retention/1 cohort=every"]


@pytest.mark.parametrize("code", ["en", "he"])
def test_every_column_has_a_word_and_the_description_numbers(code):
    results = [retention(FIVE), retention(MIXED, by="channel"), retention(FIVE, period="day", columns=[1, 7])]
    for result in results:
        with language(code):
            for frame in (result.table, result.summary, result.comparison):
                assert all(has_label(column) for column in frame.columns)
            assert "%" in result.describe()
            assert "<table" in result._repr_html_()


def test_nothing_of_a_customer_is_in_the_stored_result():
    assert b"cid" not in pickle.dumps(retention(FIVE))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"period": "fortnight"}, "period must be one of"),
        ({"cohort": "last"}, "cohort must be one of"),
        ({"mode": "after"}, "mode must be one of"),
        ({"windows": "sliding"}, "windows must be one of"),
        ({"base": "next"}, "base must be one of"),
        ({"mean": "median"}, "mean must be one of"),
        ({"week_start": "friday"}, "week_start must be one of"),
        ({"min_events": 0}, "min_events == 0"),
        ({"horizon": 0}, "horizon == 0"),
        ({"horizon": 2, "columns": [1]}, "give one of them"),
        ({"columns": []}, "widths in whole periods"),
        ({"columns": [1, 0]}, "widths in whole periods"),
        ({"windows": "rolling", "cohort": "every"}, "one clock a customer"),
        ({"between": "2024-01-01"}, "start, end"),
        ({"between": ("2025-01-01", None)}, "no start can count"),
        ({"washout": "400d"}, "no start can count"),
        ({"washout": "1m"}, "minute or a month"),
        ({"start": "oder"}, "'order'"),
        ({"confidence": 95}, "confidence == 95"),
        ({"period": "hour", "horizon": 9999}, "more than"),
    ],
)
def test_what_cannot_be_is_refused_and_says_why(options, says):
    with pytest.raises(ParameterError, match=says):
        retention(FIVE, **options)


def test_a_column_that_the_log_has_not_is_refused():
    with pytest.raises(LogError, match="no 'channel'"):
        retention(FIVE, by="channel")
    with pytest.raises(LogError, match="no 'channel'"):
        retention(FIVE, by="first_channel")


@pytest.mark.parametrize("options", [{"by": "channel"}, {"cohorts_by": "channel"}, {"by": "first_channel"}])
def test_a_personal_column_is_not_split_by(options):
    log = make_log([("ann", "order", 0, "web")], observed_until=40, columns=["channel"], channel="channel")
    with pytest.raises(LogError, match="personal"):
        retention(log.with_personal("channel"), **options)


def test_a_log_that_nothing_is_left_of_has_its_empty_periods():
    log = orders(("ann", JAN), ("bob", FEB)).customers_where([])
    result = retention(log)
    assert result.matrix("customers").iloc[:, 0].tolist() == [0, 0, 0]
    assert result.summary["back_rate"].isna().all()
    assert "No cohort has a finished" in result.describe()


def test_the_log_is_left_as_it_was():
    before = FIVE.frame()
    retention(FIVE, cohort="every")
    pd.testing.assert_frame_equal(FIVE.frame(), before)
