"""Covariates: read at the start, or counted in a window after which customers are watched; nothing later is read."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journeykit as jk
from journeykit.analyses.churn import Cancel, Inactivity, Tenures, survival_curve, tenures
from journeykit.errors import LogError, ParameterError
from journeykit.text import language
from tests.helpers import event_rows, make_log

MONTH = Inactivity("30d")
ROWS = [
    ("a", "visit", 0, "web", 2.5), ("a", "help", 0, "web", None), ("a", "help", 14, "web", None),
    ("a", "help", 15, "web", None), ("b", "help", 1, None, None), ("b", "visit", 6, "web", 1.0),
]  # fmt: skip
LOG = make_log(ROWS, columns=["channel", "value"], channel="channel", value="value", observed_until=101)


def test_columns_are_read_at_the_start_and_events_counted_until_the_window_ends():
    found = tenures(LOG, churn=MONTH, covariates=["channel", "value", "help"], covariate_window="14d")
    # a: help on days 0 and 14, not 15. b starts with one on day 1.
    assert found.table[["customer", "channel", "help"]].to_numpy().tolist() == [["a", "web", 2], ["b", "(missing)", 1]]
    assert found.table["value"].tolist() == pytest.approx([2.5, np.nan], nan_ok=True)
    assert found.table[["enters_days", "duration_days"]].to_numpy().tolist() == [[14, 45], [14, 35]]
    assert found.params["covariates"] == {"channel": "channel", "value": "value", "help": "help"}
    assert found.definition == "tenures_inactivity_30d_from_14d/1"
    for code in ("en", "he"):
        with language(code):
            assert "14" in found.describe()


def test_only_what_follows_the_start_counts():
    found = tenures(LOG, churn=MONTH, start="visit", covariates={"asked": jk.Step("help")}, covariate_window=(0, "14d"))
    assert found.table[["customer", "asked"]].to_numpy().tolist() == [["a", 2], ["b", 0]]  # b asked before


def test_known_at_the_start_needs_no_window():
    found = tenures(LOG, churn=MONTH, covariates={"where": "channel"}, by="channel")
    assert found.table[["enters_days", "where"]].to_numpy().tolist() == [[0, "web"], [0, "(missing)"]]
    assert "where" not in tenures(LOG, churn=MONTH).table


def test_who_left_within_the_window_is_left_out_and_counted():
    rows = [
        ("a", "join", 0),
        ("a", "leave", 9),
        ("b", "join", 0),
        ("b", "leave", 10),
        ("c", "join", 0),
        ("c", "leave", 11),
    ]
    log = make_log(rows, observed_until=101)
    found = tenures(log, churn=Cancel("leave"), start="join", covariates=[jk.Step("help")], covariate_window="10d")
    assert found.table[["customer", "enters_days", "duration_days"]].to_numpy().tolist() == [["c", 10, 11]]
    assert dict(found.left_out.to_numpy()) == {"churn.ended_in_window": 2}
    assert "within the window" in repr(found)


def test_dated_back_nobody_is_watched_before_what_was_read():
    # The last activity of c lies within the window: reading until day 14 would know that it was not before.
    rows = [("c", "visit", 0), ("c", "visit", 9), ("d", "visit", 0), ("d", "visit", 20)]
    log = make_log(rows, observed_until=101)
    options = {"churn": MONTH, "dated": "last_activity", "covariates": "visit", "covariate_window": "14d"}
    found = tenures(log, **options)
    assert found.table[["customer", "enters_days", "duration_days", "visit"]].to_numpy().tolist() == [["d", 14, 20, 1]]
    assert dict(found.left_out.to_numpy()) == {"churn.ended_in_window": 1}


def test_a_window_before_the_log_was_not_observed():
    log = make_log([("a", "visit", 0), ("b", "visit", 0)], observed_until=101)
    dates = {"a": "2023-12-25", "b": "2024-01-01", "c": "2024-01-02"}
    churn = Cancel(jk.Step("leave"))
    found = tenures(
        log, churn=churn, signed_up=dates, covariates=[jk.Step("visit"), "touchpoint"], covariate_window="5d"
    )
    assert found.table[["customer", "visit", "touchpoint"]].to_numpy().tolist() == [
        ["b", 1, "visit"],
        ["c", 0, "(missing)"],
    ]
    assert dict(found.left_out.to_numpy()) == {"churn.window_not_observed": 1}


def test_a_covariate_that_is_known_later_postpones_the_entry():
    log = LOG.with_segment("asked", did="help", within="14d")
    found = tenures(log, churn=MONTH, covariates="asked")
    assert found.table[["enters_days", "asked"]].to_numpy().tolist() == [[14, "yes"], [14, "yes"]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"covariates": ["help"]}, "'help' is behaviour, so say until when it counts"),
        ({"covariates": pd.Series([3, 1], index=["a", "b"])}, "without times"),
        ({"covariates": {"orders": pd.Series([3, 1], index=["a", "b"])}}, "without times"),
        ({"covariates": {"orders": lambda log: 3}}, "without times"),
        ({"covariates": ["channel"], "covariate_window": "14d"}, "counts? events, and there are none"),
        ({"covariates": ["help"], "covariate_window": "100d"}, "nobody is followed for longer than 100"),
        ({"covariates": ["help"], "covariate_window": ("3d", "14d")}, "must begin at the start"),
        ({"covariates": ["help"], "covariate_window": "36h"}, "whole days"),
        ({"covariates": ["helf"], "covariate_window": "9d"}, "helf"),
        ({"covariates": ["customer"]}, "no covariate"),
        ({"covariates": {"event": "channel"}}, "can't be called 'event'"),
        ({"covariates": ["channel", "channel"]}, "same name"),
        ({"covariates": 3}, "names of columns and events"),
        ({"covariate_window": "9d"}, "there are none"),
    ],
)  # fmt: skip
def test_what_would_bias_or_means_nothing_is_refused(options, says):
    if "counts?" in says:
        says = "count events, and there are none"
    with pytest.raises(ParameterError, match=says):
        tenures(LOG, churn=MONTH, **options)


def test_personal_columns_are_no_covariates():
    with pytest.raises(LogError, match="personal"):
        tenures(LOG.with_personal("channel"), churn=MONTH, covariates=["channel"])


@settings(max_examples=15)
@given(
    rows=event_rows(max_time=60),
    window=st.integers(1, 20),
    dated=st.sampled_from(["known", "last_activity"]),
    signed_up=st.none() | st.dictionaries(st.sampled_from("abcdeyz"), st.integers(-5, 50), min_size=7),
)
def test_covariates_are_a_slow_count_the_same_in_seven_buckets_and_blind_to_what_comes_later(
    rows, window, dated, signed_up
):
    rows = [
        (*row, "xy "[i % 3].strip() or None, i % 5 or None)
        for i, row in enumerate([*rows, ("z", "B", 3), ("z", "A", 40)])
    ]
    dates = signed_up and {who: pd.Timestamp("2024-01-01") + pd.Timedelta(day, "D") for who, day in signed_up.items()}
    options = {
        "churn": Inactivity("12d"), "dated": dated, "signed_up": dates,
        "covariates": {"channel": "channel", "value": "value", "n": jk.Step("B")}, "covariate_window": f"{window}d",
    }  # fmt: skip

    def log_of(rows):
        return make_log(rows, columns=["channel", "value"], channel="channel", value="value", observed_until=90)

    log = log_of(rows)
    found, merged = tenures(log, **options), tenures(log.in_buckets(7), **options)
    pd.testing.assert_frame_equal(found.table, merged.table)
    pd.testing.assert_frame_equal(found.left_out, merged.left_out)
    began = min(row[2] for row in rows)
    for row in found.table.to_dict("records"):
        start = (row["started_at"] - pd.Timestamp("2024-01-01")).days
        mine = [each for each in rows if each[0] == row["customer"]]
        assert row["n"] == sum(name == "B" and start <= day <= start + window for _, name, day, _, _ in mine)
        first = [each for each in sorted(mine, key=lambda each: each[2]) if each[2] == start]
        assert row["channel"] == ((first[0][3] if first else None) or "(missing)")
        assert row["value"] == pytest.approx((first[0][4] if first else None) or np.nan, nan_ok=True)
        assert row["enters_days"] >= window
        assert start >= began
    # Another future: whatever is done after the window changes no covariate of who is still there.
    later = [(who, "B" if day > began + 20 else name, *rest[:0], day, *rest) for who, name, day, *rest in rows]
    ends = {
        row["customer"]: (row["started_at"] - pd.Timestamp("2024-01-01")).days + window
        for row in found.table.to_dict("records")
    }
    later = [(who, "B" if day > ends.get(who, 99) else name, day, *rest) for who, name, day, *rest in rows]
    again = tenures(log_of(later), **options).table
    columns = ["customer", "channel", "value", "n"]
    pd.testing.assert_frame_equal(found.table[columns], again[columns])


def test_a_curve_of_tenures_with_covariates_begins_at_the_window():
    rng = np.random.default_rng(1)
    rows = [(f"c{i}", "visit", int(day)) for i in range(80) for day in rng.integers(0, 200, 9)]
    found = tenures(
        make_log(rows, observed_until=230), churn=Inactivity("20d"), covariates="visit", covariate_window="25d"
    )
    curve = survival_curve(found)
    assert curve.table["time_days"].min() == 25
    assert (curve.sensitivity["customers"] <= len(rows)).all()
    assert curve.summary["customers"].tolist() == [len(found.table)]
    assert isinstance(found, Tenures)
