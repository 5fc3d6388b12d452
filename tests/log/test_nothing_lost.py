"""Nothing lost on the way: findings stay, ties keep their order, digits survive the disk, skipped midnights too."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.errors import LogError, ParameterError
from journeykit.journey import StageModel, Step
from journeykit.log import read_log
from tests.helpers import make_log

LOG = make_log([("ann", "visit", 0), ("ann", "order", 3), ("bob", "visit", 1), ("cem", "order", 2)], observed_until=10)


# -- what was done stays said ----------------------------------------------------------------


def test_a_second_table_of_customers_does_not_hide_whom_the_first_lacked():
    log = LOG.with_customers(pd.DataFrame({"customer": ["ann"], "plan": ["gold"]}))
    log = log.with_customers(pd.DataFrame({"customer": ["ann", "bob", "cem"], "age": [30, 40, 50]}))
    found = log.quality.set_index("rule")
    assert found.loc["customers_without_attributes", "rows"] == 2  # bob's and cem's


def test_consent_asked_twice_counts_both_times():
    log = make_log([("a", "mail", 0), ("a", "phone", 1), ("b", "mail", 0), ("c", "visit", 0)], observed_until=9)
    log = log.with_consent("mail").with_consent("phone")
    found = log.quality[log.quality["rule"] == "without_consent"]
    assert found["rows"].tolist() == [1, 1]  # c, then b
    assert found["share"].tolist() == [1 / 4, 1 / 3]


def test_stages_given_again_after_stitching_are_no_longer_stale():
    model = StageModel.digital()
    log = make_log([("cookie", "order", 0), ("ann", "visit", 1)], observed_until=9).with_stages(model)
    stitched = log.with_identity({"cookie": "ann"})
    assert "stages_before_identity" in set(stitched.quality["rule"])
    again = stitched.with_stages(model)
    assert "stages_before_identity" not in set(again.quality["rule"])
    assert again.frame()["stage"].tolist() == ["purchase", "retention"]


# -- ties ------------------------------------------------------------------------------------

TIED = make_log(
    [("ann", "second", 0, 2, "x"), ("zoe", "first", 0, 1, "x"), ("ann", "before", -1, 9, "x")],
    columns=["sequence", "account"],
    observed_until=9,
)


def test_ties_of_two_ids_that_become_one_customer_follow_the_sequence():
    log = TIED.with_identity({"ann": "eve", "zoe": "eve"})
    assert log.frame()["touchpoint"].tolist() == ["before", "first", "second"]


def test_ties_of_two_customers_in_one_unit_follow_the_sequence():
    log = TIED.rekey("account")
    assert log.frame()["touchpoint"].tolist() == ["before", "first", "second"]
    later = TIED.between("2024-01-01").rekey("account")
    assert later.owners.tolist() == ["zoe"]  # whose event is the first


def test_a_large_sequence_keeps_its_last_digits_beside_a_missing_one():
    raw = pd.DataFrame({"customer": "a", "time": "2024-01-01", "touchpoint": ["second", "first", "last"]})
    log = read_log(raw.assign(sequence=pd.Series([2**60 + 2, 2**60 + 1, None], dtype=object)))
    assert log.frame()["touchpoint"].tolist() == ["first", "second", "last"]


# -- nobody changes a log --------------------------------------------------------------------


def test_a_column_is_a_copy_and_an_unpickled_log_cannot_be_written():
    log = make_log([("a", "x", 0, 1), ("b", "x", 1, 2)], columns=["n"])
    log.column("n").to_numpy()[:] = 9
    assert log.column("n").tolist() == [1, 2]
    back = pickle.loads(pickle.dumps(log))
    with pytest.raises(ValueError, match="read-only"):
        back.times[0] = 0


# -- narrowing -------------------------------------------------------------------------------


def test_a_column_called_log_can_be_filtered_by():
    log = make_log([("a", "x", 0, "web"), ("b", "x", 1, "app")], columns=["log"])
    assert log.where(log="app").customers.tolist() == ["b"]


def test_yes_and_no_by_customer_may_come_in_any_order():
    chosen = pd.Series({"cem": True, "bob": False, "ann": False})
    assert LOG.customers_where(chosen).customers.tolist() == ["cem"]
    assert LOG.customers_where(chosen.astype("boolean")).customers.tolist() == ["cem"]
    with pytest.raises(ParameterError, match="1 are missing"):
        LOG.customers_where(pd.Series([True, None, False], dtype="boolean"))


def test_a_time_is_wanted_in_the_zone_of_the_log():
    log = make_log([("a", "x", 0), ("b", "x", 1)], timezone="Europe/Istanbul")
    assert log.where(time="2024-01-02").customers.tolist() == ["b"]
    assert log.where(time=pd.Timestamp("2024-01-01 21:00", tz="UTC")).customers.tolist() == ["b"]


def test_a_time_wanted_that_is_none_or_that_the_clock_skips_is_said_or_read():
    log = read_log(
        pd.DataFrame({"customer": ["a", "b"], "time": ["2024-03-10 03:00", "2024-11-03 01:30"], "touchpoint": "x"}),
        timezone="America/New_York",
    )
    assert log.where(time="2024-03-10 02:30").customers.tolist() == ["a"]  # skipped: the first instant after the gap
    assert log.where(time="2024-11-03 01:30").customers.tolist() == ["b"]  # twice: the first, as it was read
    with pytest.raises(ParameterError, match=r"time must be a date or time such as .* got 'yesterdayish'"):
        log.where(time="yesterdayish")


@pytest.mark.parametrize("between", [5, pd.Timestamp("2024-01-01"), "2024", ("2024-01-01",), ("2024", "2025", "2026")])
def test_a_range_that_is_none_is_refused(between):
    with pytest.raises(ParameterError, match=r"between must be \(start, end\)"):
        jk.retention(LOG, between=between)


def test_what_a_log_is_made_of_cannot_be_hidden_and_ids_that_are_personal_are_not_shown():
    with pytest.raises(ParameterError, match="no log can be shown without its 'touchpoint'"):
        LOG.with_personal("touchpoint")
    hidden = LOG.with_personal("customer")
    for units in (hidden.sessions(), hidden.journeys("order")):
        assert "ann" not in repr(units)
        assert "ann" not in units._repr_html_()
        assert "ann" in units.table["customer"].tolist()


# -- stages ----------------------------------------------------------------------------------


def test_brackets_in_a_stages_pattern_stand_for_themselves():
    log = make_log([("a", "list[page=2]", 0), ("a", "listp", 1)])
    assert log.with_stages(StageModel.of({"browse": "list[page=*]"})).unmapped["touchpoint"].tolist() == ["listp"]


# -- times -----------------------------------------------------------------------------------


def test_twelve_digits_are_a_date_and_a_clock_time_not_milliseconds_in_1976():
    raw = pd.DataFrame({"customer": ["a", "b"], "time": ["202401312359", "202402011200"], "touchpoint": "x"})
    for source in (raw, raw.astype({"time": np.int64})):
        log = read_log(source, timezone="Asia/Jakarta")
        assert log.frame()["time"].astype(str).tolist() == ["2024-01-31 23:59:00+07:00", "2024-02-01 12:00:00+07:00"]
        assert log.quality.set_index("rule").loc["digits_as_date", "rows"] == 2


@pytest.mark.parametrize(
    ("zone", "changed"),
    [
        ("America/Sao_Paulo", "2018-11-04"),  # midnight does not exist
        ("Africa/Cairo", "2024-04-26"),
        ("America/Santiago", "2024-09-08"),
        ("Asia/Beirut", "2024-03-31"),
        ("America/Havana", "2024-11-03"),  # midnight is there twice
    ],
)
def test_dates_stay_dates_where_midnight_is_skipped_or_repeated(zone, changed):
    dates = pd.date_range(pd.Timestamp(changed) - pd.Timedelta(days=2), periods=5).strftime("%Y-%m-%d").tolist()
    log = read_log(pd.DataFrame({"customer": "a", "time": dates, "touchpoint": "x"}), timezone=zone)
    assert log.days.astype("M8[D]").astype(str).tolist() == dates
    assert str(log.ends_at.date()) == str(
        (pd.Timestamp(dates[-1]) + pd.Timedelta(days=1)).date()
    )  # a day, not a minute


def test_a_range_of_days_may_begin_where_midnight_is_skipped():
    rows = pd.DataFrame({"customer": ["a", "b"], "time": ["2018-10-01", "2018-11-05"], "touchpoint": "x"})
    log = read_log(rows, timezone="America/Sao_Paulo", observed_until="2019-02-01")
    tenures = jk.tenures(log, churn=jk.Inactivity("30d"), between=("2018-11-04", "2018-12-01"))
    assert tenures.table["customer"].tolist() == ["b"]


def test_hours_begin_on_the_hour_where_clocks_move_by_half_of_one():
    rows = [("a", "x", 20), ("a", "x", 36.2)]
    log = make_log(rows, unit="h", timezone="Australia/Lord_Howe")
    moved = read_log(log.frame().assign(time=["2024-04-06 20:00", "2024-04-07 12:10"]), timezone="Australia/Lord_Howe")
    edges = pd.DatetimeIndex(moved.period_edges("hour").view("M8[us]"), tz="UTC").tz_convert(moved.timezone)
    assert set(edges.minute) == {0}
    assert edges[-1].hour == 13
    assert np.diff(edges.asi8).max() == 90 * 60_000_000  # the hour that half of is repeated


def test_numbers_with_an_exponent_are_times_like_others(tmp_path):
    # As pandas writes nanoseconds of a column in which one is missing: 1.704067200123e+18.
    moments = pd.Series([1_704_067_200_123_000_000, np.nan, 1_704_153_600_000_000_000])
    raw = pd.DataFrame({"customer": list("abc"), "time": moments, "touchpoint": "x"})
    raw.to_csv(tmp_path / "log.csv", index=False)
    assert "e+18" in (tmp_path / "log.csv").read_text()
    log = read_log(tmp_path / "log.csv")
    assert log.frame()["time"].dt.strftime("%F %T").tolist() == ["2024-01-01 00:00:00", "2024-01-02 00:00:00"]
    assert log.quarantine["reason"].tolist() == ["missing_time"]


# -- on disk ---------------------------------------------------------------------------------

DAYS = pd.date_range("2024-01-01", periods=4)
KINDS = {
    "large whole numbers beside a missing one": pd.Series([2**60 + 1, None, 3, 4], dtype=object),
    "numbers larger than any type": pd.Series([2**70, 1, 2, 3], dtype=object),
    "truths beside a missing one": pd.Series([True, None, False, True], dtype=object),
    "of everything": pd.Series([1, "a", None, True], dtype=object),
    "nullable whole numbers": pd.array([2**62 + 1, None, 3, 4], dtype="Int64"),
    "nullable unsigned": pd.array([2**64 - 1, None, 3, 4], dtype="UInt64"),
    "nullable truths": pd.array([True, None, False, True], dtype="boolean"),
    "texts": pd.array(["a", None, "", "d"], dtype="string"),
    "categories, some unused": pd.Categorical(list("abca"), categories=list("zcbay")),
    "categories in order": pd.Categorical(list("abca"), categories=list("cba"), ordered=True),
    "categories of numbers": pd.Categorical([1, 2, None, 1], categories=[9, 2, 1]),
    "categories of truths": pd.Categorical([True, False, True, True]),
    "categories of times": pd.Categorical(DAYS.tz_localize("Asia/Jerusalem")),
    "intervals": pd.cut([1, 2, 3, 4], 3),
    "seconds": DAYS.as_unit("s"),
    "seconds in a zone": DAYS.tz_localize("Asia/Jerusalem").as_unit("s"),
    "a fixed offset": DAYS.tz_localize("+03:00"),
    "durations": pd.to_timedelta(range(4), unit="h"),
}


@pytest.mark.parametrize("keep", ["all", "one", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_property_of_any_kind_is_read_back_as_it_was(tmp_path, kind, keep):
    raw = pd.DataFrame({"customer": list("abca"), "time": DAYS, "touchpoint": list("wxyz"), "p": KINDS[kind]})
    log = read_log(raw, observed_until="2024-02-01")
    log = {"all": log, "one": log.where(touchpoint="x"), "none": log.where(touchpoint="nothing")}[keep]
    log.to_parquet(tmp_path / "log.parquet")
    back = read_log(tmp_path / "log.parquet")
    pd.testing.assert_series_equal(back.column("p"), log.column("p"), check_exact=True)
    assert list(map(type, back.column("p").dropna())) == list(map(type, log.column("p").dropna()))


def test_categories_that_no_file_can_hold_are_refused(tmp_path):
    odd = pd.Categorical([1, "a", 1])
    log = read_log(pd.DataFrame({"customer": list("abc"), "time": "2024-01-01", "touchpoint": "x", "p": odd}))
    with pytest.raises(LogError, match="categories that Parquet has no type for"):
        log.to_parquet(tmp_path / "log.parquet")


def test_segments_and_findings_are_read_back_to_the_last_digit(tmp_path):
    raw = pd.DataFrame({"customer": ["a", "b", None], "time": "2024-01-01", "touchpoint": "x", "n": [1, 2, 3]})
    log = read_log(raw, observed_until="2024-02-01").with_segment("first_n", first="n")
    log = log.with_segment("rule", rule={"never": Step("y"), "start": "x"}).with_personal("n")
    log.to_parquet(tmp_path / "log.parquet")
    back = read_log(tmp_path / "log.parquet")
    assert back.quality["share"].tolist() == log.quality["share"].tolist()  # 1/3, not 0.3333333333
    assert back.personal == log.personal
    for name, found in log.segments.items():
        pd.testing.assert_index_equal(back.segments[name].labels, found.labels)
        np.testing.assert_array_equal(back.segments[name].codes, found.codes)
        pd.testing.assert_series_equal(back.column(name), log.column(name))


# -- several sources -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ([1], [1.5], [1.0, 1.5, None]),
        ([2**60 + 1], [1.5], [2**60 + 1, 1.5, None]),
        ([2**60 + 1], [3], [2**60 + 1, 3, None]),
        ([True], ["x"], [True, "x", None]),
        ([True], [False], [True, False, None]),
        (np.array([2**64 - 1], np.uint64), np.array([1], np.uint64), [2**64 - 1, 1, None]),
    ],
)
def test_sources_may_hold_a_property_in_different_kinds_or_not_at_all(first, second, joined):
    logs = [
        read_log(pd.DataFrame({"customer": [who], "time": ["2024-01-02"], "touchpoint": "x", **more}))
        for who, more in zip("abc", [{"p": first}, {"p": second}, {}], strict=True)
    ]
    column = jk.concat_logs(logs).column("p").astype(object)
    assert column.where(column.notna(), None).tolist() == joined
