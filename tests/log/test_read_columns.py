"""Columns and cells: guesses that are shown, customers of several columns, amounts, dates in other orders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeykit.errors import LogError, ParameterError
from journeykit.log import read_log
from journeykit.log.amounts import read_amounts
from journeykit.log.encode import combine, encode_names
from journeykit.log.formats import rewrite_dates
from journeykit.log.times import read_times
from journeykit.schema import SECOND

ROWS = pd.DataFrame(
    {
        "who": ["ann", "bob", "ann"],
        "when": ["2024-03-01", "2024-03-02", "2024-03-03"],
        "what": ["visit", "visit", "order"],
    }
)


# -- guesses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("user_id", "event_time", "event"),
        ("visitorId", "timestamp", "action"),
        ("Customer ID", "InvoiceDate", "Activity"),
        ("customer-id", "ts", "event_name"),
        ("case:concept:name", "time:timestamp", "concept:name"),
        ("client_id", "created_at", "eventType"),
    ],
)
def test_usual_names_are_used_and_shown(names):
    log = read_log(ROWS.set_axis(list(names), axis=1))
    shown = log.quality.loc[log.quality["rule"] == "guessed_column", "example"].tolist()
    assert shown == [f"{role}: {name!r}" for role, name in zip(("customer", "time", "touchpoint"), names, strict=True)]
    with pytest.raises(LogError, match="no column 'customer' for the customer"):
        read_log(ROWS.set_axis(list(names), axis=1), guess=False)


def test_a_column_of_the_roles_own_name_is_no_guess():
    raw = ROWS.set_axis(["customer", "time", "touchpoint"], axis=1).assign(user_id=7, event="x")
    log = read_log(raw)
    assert "guessed_column" not in log.quality["rule"].tolist()
    assert {"user_id", "event"} <= set(log.columns)


def test_the_likelier_of_two_is_guessed_and_the_other_named():
    raw = ROWS.set_axis(["visitor_id", "ts", "event"], axis=1).assign(user_id=["1", "2", "1"])
    log = read_log(raw)
    assert log.customers.tolist() == ["1", "2"]
    assert "customer: 'user_id' (also possible: 'visitor_id')" in log.quality["example"].tolist()


def test_a_column_that_plays_another_role_is_not_guessed():
    raw = ROWS.set_axis(["user_id", "date", "event"], axis=1)
    with pytest.raises(LogError, match="no column 'time'"):
        read_log(raw, session="date")


# -- customers of several columns --------------------------------------------------------------


def test_several_columns_make_a_customer_and_stay_as_properties():
    raw = ROWS.assign(shop=["ankara", "ankara", "izmir"], number=[17, 18, 17])
    log = read_log(raw, customer=["shop", "number"], time="when", touchpoint="what")
    assert log.customers.tolist() == ["ankara/17", "ankara/18", "izmir/17"]
    assert log.column("shop").tolist() == ["ankara", "ankara", "izmir"]


def test_a_customer_with_a_part_missing_is_missing(tmp_path):
    raw = ROWS.assign(shop=["ankara", None, "izmir"])
    raw.to_csv(tmp_path / "log.csv", index=False)
    for source in (raw, tmp_path / "log.csv"):
        log = read_log(source, customer=["shop", "who"], time="when", touchpoint="what")
        assert log.customers.tolist() == ["ankara/ann", "izmir/ann"]
        assert log.quarantine[["row", "reason"]].values.tolist() == [[1, "missing_customer"]]


PART = st.text(st.sampled_from("ab/\\1 "), min_size=1, max_size=4).filter(str.strip)


@given(st.lists(st.tuples(PART, PART, PART), min_size=1, max_size=20))
def test_two_customers_never_become_one(rows):
    codes, names = combine([encode_names(pd.Series(part)) for part in zip(*rows, strict=True)])
    assert len(names) == len(set(rows)) == len(set(names))
    assert [rows[i] == rows[0] for i in range(len(rows))] == (codes == codes[0]).tolist()
    assert names.tolist() == sorted(names)


def test_a_column_cannot_be_named_twice():
    with pytest.raises(ParameterError, match="twice"):
        read_log(ROWS, customer=["who", "who"], time="when", touchpoint="what")


# -- amounts -----------------------------------------------------------------------------------


def numbers(*written, **options):
    read = read_amounts(pd.Series(written, dtype=object), **options)
    return [
        "bad" if bad else None if np.isnan(number) else number
        for number, bad in zip(read.numbers, read.bad, strict=True)
    ]


def test_amounts_with_a_point():
    assert numbers("1", "2.50", " -3 ", "+4e2", ".5", "", None) == [1, 2.5, -3, 400, 0.5, None, None]
    assert numbers("inf", "nan", "0x10", "1_000", "€5", "1,5.2", "--1") == ["bad"] * 7


def test_a_decimal_comma_is_taken_where_nothing_else_is_possible():
    assert numbers("12,50", "1.234,5", "7", "") == [12.5, 1234.5, 7, None]
    # 1,234 may be a thousand and more; nothing in the column says.
    assert numbers("1,234", "7") == ["bad", 7]
    # A point somewhere else contradicts the comma.
    assert numbers("12,50", "3.5") == ["bad", 3.5]


def test_a_stated_decimal_is_the_only_one():
    assert numbers("1,234", "1.234", "12,50", "1.5", decimal=",") == [1.234, 1234, 12.5, "bad"]
    assert numbers("12,50", "12.50", decimal=".") == ["bad", 12.5]
    with pytest.raises(ParameterError, match="decimal must be one of"):
        read_amounts(pd.Series(["1"]), decimal=";")


def test_the_whole_column_decides_about_commas_however_it_is_cut(tmp_path):
    raw = ROWS.assign(value=["12,50", "7", "3.5"])
    for i in range(3):
        raw.iloc[[i]].to_csv(tmp_path / f"{i}.csv", index=False)
    log = read_log(str(tmp_path / "*.csv"), customer="who", time="when", touchpoint="what")
    assert log.quarantine["reason"].tolist() == ["unparseable_value"]
    assert sorted(log.values.tolist()) == [3.5, 7.0]


# -- dates in other orders ---------------------------------------------------------------------


def instants(*written, timezone="UTC", **options):
    read = read_times(pd.Series(written, dtype=object), timezone, **options)
    return [
        "bad" if bad else None if missing else str(pd.Timestamp(time, unit="us"))
        for time, bad, missing in zip(read.microseconds.tolist(), read.bad, read.missing, strict=True)
    ]


def test_the_column_itself_says_whether_the_day_stands_first():
    assert instants("31/01/2024", "03/04/2024 10:30") == ["2024-01-31 00:00:00", "2024-04-03 10:30:00"]
    assert instants("01/31/2024", "03/04/2024") == ["2024-01-31 00:00:00", "2024-03-04 00:00:00"]
    assert instants("31.01.2024 7:05:09", "3.4.2024") == ["2024-01-31 07:05:09", "2024-04-03 00:00:00"]


def test_dates_that_could_be_two_or_contradict_each_other_are_not_read():
    assert instants("03/04/2024", "05/06/2024") == ["bad", "bad"]
    assert instants("31/01/2024", "01/31/2024") == ["bad", "bad"]
    assert read_times(pd.Series(["03/04/2024"]), "UTC").ambiguous == 1


@pytest.mark.parametrize(
    "written",
    [
        *("31 Jan 2024 13:05", "January 31, 2024 1:05 PM", "31-Jan-2024 13:05:00", "Wed, 31 Jan 2024 13:05:00 GMT"),
        *("31/Jan/2024:13:05:00 +0000", "Jan 31st 2024 13:05", "2024/01/31 13:05", "2024.1.31 1:05 pm"),
        *("20240131T1305", "2024-01-31 13:05:00 UTC", "2024-01-31 16:05+03", "2024-01-31T13:05:00.000000Z"),
        *(
            "2024-1-31 13:05",
            "45322.545138888889",
            "20240131130500",
            "1706706300",
            "1706706300.0",
            "1706706300000000000",
        ),
    ],
)
def test_one_instant_in_words_and_digits(written):
    assert instants(written) == ["2024-01-31 13:05:00"]


@pytest.mark.parametrize(
    "written",
    [
        "2024",
        "2024-02-30",
        "31 Foo 2024",
        "13:05 PM",
        "31 Jan 2024 13:05 PM",
        "12/2024",
        "7",
        "-1",
        "1e400",
        "31/01/24",
        "True",
    ],
)
def test_what_is_no_date_is_not_read(written):
    assert instants(written) == ["bad"]


def test_midnight_and_noon_of_twelve_hours():
    assert instants("31/01/2024 12:00 AM", "31/01/2024 12:00 PM") == ["2024-01-31 00:00:00", "2024-01-31 12:00:00"]


def test_wall_times_are_local_and_epochs_are_not():
    istanbul = {"timezone": "Europe/Istanbul"}
    assert instants("31/01/2024 13:05", **istanbul) == ["2024-01-31 10:05:00"]
    assert instants("20240131130500", **istanbul) == ["2024-01-31 10:05:00"]
    assert instants("45322.545138888889", **istanbul) == ["2024-01-31 10:05:00"]
    assert instants("1706706300", **istanbul) == ["2024-01-31 13:05:00"]
    assert instants("31/Jan/2024:13:05:00 +0000", **istanbul) == ["2024-01-31 13:05:00"]


def test_a_stated_format_is_the_only_one():
    assert instants("03/04/2024", "2024-04-03", "", time_format="%d/%m/%Y") == ["2024-04-03 00:00:00", "bad", None]
    assert instants("3.4.24 10.30", time_format="%d.%m.%y %H.%M", timezone="Asia/Jakarta") == ["2024-04-03 03:30:00"]
    assert instants("03/04/2024 +0300", time_format="%d/%m/%Y %z", timezone="Asia/Jakarta") == ["2024-04-02 21:00:00"]
    digits = read_times(pd.Series([20240403, 20240431]), "UTC", "%Y%m%d")
    assert digits.bad.tolist() == [False, True]


def test_times_that_exist_are_taken_as_they_are_whatever_the_format():
    stamps = pd.Series(pd.to_datetime(["2024-04-03"]))
    assert read_times(stamps, "UTC", "%d/%m/%Y").microseconds.tolist() == [1_712_102_400 * SECOND]


@given(st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2090-01-01")), st.sampled_from("./-"))
def test_dates_rewritten_agree_with_the_calendar(moment, sign):
    moment = moment.replace(microsecond=0)
    texts = pd.Series([f"{moment:%d{sign}%m{sign}%Y %H:%M:%S}", f"31{sign}12{sign}2024 00:00"])
    assert rewrite_dates(texts).texts[0] == moment.isoformat(sep=" ")
    assert rewrite_dates(pd.Series([f"{moment:%d %B %Y, %I:%M:%S %p}"])).texts[0] == moment.isoformat(sep=" ")


def test_what_only_the_whole_column_decides_waits_for_its_last_piece(tmp_path):
    for i, when in enumerate(["03/04/2024", "04/04/2024", "23/04/2024"]):
        ROWS.iloc[[i]].assign(when=when).to_csv(tmp_path / f"{i}.csv", index=False)
    log = read_log(str(tmp_path / "*.csv"), customer="who", time="when", touchpoint="what")
    assert log.frame()["time"].dt.strftime("%F").tolist() == ["2024-04-03", "2024-04-23", "2024-04-04"]
    assert log.quality.set_index("rule").loc["day_before_month", "rows"] == 3
    assert log.quarantine.empty


@given(
    st.lists(st.datetimes(pd.Timestamp("2000-01-01"), pd.Timestamp("2090-01-01")), min_size=1, max_size=8),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_texts_are_read_as_pandas_reads_times(moments, timezone):
    stamps = pd.Series(moments)
    texts = stamps.map(lambda each: each.isoformat(sep=" "))
    by_text, by_time = read_times(texts, timezone), read_times(stamps, timezone)
    assert by_text.microseconds.tolist() == by_time.microseconds.tolist()
    assert by_text.notes == {key: n for key, n in by_time.notes.items() if key != "finer_than_microseconds"}


@pytest.mark.parametrize("as_arrow", [False, True])
def test_categories_that_no_row_has_are_no_customers_or_touchpoints(as_arrow):
    frame = pd.DataFrame({
        "customer": pd.Categorical(["ann", "bob", "ann"], categories=["ann", "zoe", "bob"]),
        "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-01"]),
        "touchpoint": pd.Categorical(["visit", "visit", "visit"], categories=["order", "visit"]),
    })  # fmt: skip
    log = read_log(pa.Table.from_pandas(frame) if as_arrow else frame)
    assert (log.customers.tolist(), log.touchpoints.tolist()) == (["ann", "bob"], ["visit"])
    assert (log.n_customers, log.offsets.tolist(), log.duplicates_merged) == (2, [0, 1, 2], 1)
