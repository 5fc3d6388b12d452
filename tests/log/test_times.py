"""Times, however they are written."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from journeykit.log.calendar import as_timestamp, instant_us, period_edges
from journeykit.log.times import read_times, resolution_us
from journeykit.schema import DAY, SECOND

NOON = 1_709_294_400 * SECOND  # 2024-03-01 12:00:00 UTC


@pytest.mark.parametrize(
    "written",
    [
        "2024-03-01 12:00",
        "2024-03-01T12:00:00Z",
        "2024-03-01T15:00:00+03:00",
        "2024-03-01 07:00:00.000-0500",
        "1709294400",
        1_709_294_400,
        1_709_294_400_000,
        1_709_294_400_000_000,
        1_709_294_400_000_000_000,
        1_709_294_400.0,
        pd.Timestamp("2024-03-01 12:00"),
        pd.Timestamp("2024-03-01 15:00", tz="Europe/Istanbul"),
        datetime(2024, 3, 1, 12),
        np.datetime64("2024-03-01T12:00:00", "s"),
    ],
)
def test_one_instant_written_in_many_ways(written):
    read = read_times(pd.Series([written]), "UTC")
    assert read.microseconds.tolist() == [NOON]
    assert not read.missing.any()
    assert not read.bad.any()


def test_mixed_ways_in_one_column():
    column = pd.Series(["2024-03-01T15:00:00+03:00", "2024-03-01 12:00", "2024-03-01", "soon", "", None, "1709294400"])
    read = read_times(column, "UTC")
    assert read.microseconds.tolist() == [NOON, NOON, NOON - 12 * 3600 * SECOND, 0, 0, 0, NOON]
    assert read.bad.tolist() == [False, False, False, True, False, False, False]
    assert read.missing.tolist() == [False, False, False, False, True, True, False]
    assert read.notes == {"epoch_seconds": 1}


def test_times_without_an_offset_are_local_and_dates_are_local_midnights():
    read = read_times(pd.Series(["2024-03-01 15:00", "2024-03-02"]), "Europe/Istanbul")
    assert read.microseconds.tolist() == [NOON, NOON + 9 * 3600 * SECOND]
    days = read_times(pd.Series([date(2024, 3, 2)]), "Europe/Istanbul")
    assert days.microseconds.tolist() == [NOON + 9 * 3600 * SECOND]


def test_local_times_that_daylight_saving_repeats_or_skips_are_noted():
    # Berlin: 02:30 of 31 March 2024 does not exist, 02:30 of 27 October 2024 exists twice.
    read = read_times(pd.Series(["2024-03-31 02:30", "2024-10-27 02:30", "2024-06-01 02:30"]), "Europe/Berlin")
    shown = [str(as_timestamp(time, "UTC")) for time in read.microseconds.tolist()]
    assert shown == ["2024-03-31 01:00:00+00:00", "2024-10-27 00:30:00+00:00", "2024-06-01 00:30:00+00:00"]
    assert read.notes == {"repeated_local_time": 1, "skipped_local_time": 1}


def test_nanoseconds_are_cut_and_counted():
    read = read_times(pd.Series(pd.DatetimeIndex(["2024-03-01 12:00:00.000000999"])), "UTC")
    assert read.microseconds.tolist() == [NOON]
    assert read.notes == {"finer_than_microseconds": 1}


def test_dates_far_away_do_not_overflow():
    read = read_times(pd.Series(np.array(["9999-12-31", "0001-01-01"], "M8[s]")), "UTC")
    assert [time // SECOND for time in read.microseconds.tolist()] == [253_402_214_400, -62_135_596_800]


def test_a_zone_has_its_first_offset_in_all_the_years_before():
    read = read_times(pd.Series(["0001-01-01 10:00", "1600-05-01", "1700-01-01", None]), "Europe/Istanbul")
    utc = pd.Series(["0001-01-01 10:00", "1600-05-01", "1700-01-01"]).astype("M8[us]").astype(int)
    offset, *others = (utc - read.microseconds[:3]).tolist()
    assert others == [offset, offset]
    assert abs(offset / SECOND - 6952) <= 30  # local mean time, 1:55:52; some libraries say it to the minute
    assert read.missing.tolist() == [False, False, False, True]
    assert read.notes == {}


@pytest.mark.parametrize("bad", ["2024-02-30", "2024-03-01 25:00", "soon"])
@pytest.mark.parametrize("timezone", ["UTC", "Europe/Istanbul"])
def test_a_time_is_read_alike_whatever_stands_beside_it(bad, timezone):
    written = ["9999-12-31", "0001-01-01 10:00", "2024-02-29 10:00:00.5"]
    alone = read_times(pd.Series(written), timezone)
    beside = read_times(pd.Series([*written, bad]), timezone)
    assert not alone.bad.any()
    assert beside.bad.tolist() == [False, False, False, True]
    assert beside.microseconds[:3].tolist() == alone.microseconds.tolist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_pandas_unit_is_the_same_instant(unit):
    stamps = pd.Series(np.array(["2024-03-01T12:00:00"], f"M8[{unit}]"))
    assert read_times(stamps, "UTC").microseconds.tolist() == [NOON]


def test_resolution_is_a_day_only_at_local_midnights():
    midnight = instant_us("2024-03-01", "Asia/Jakarta")
    assert resolution_us(np.array([midnight, midnight + DAY]), "Asia/Jakarta") == DAY
    assert resolution_us(np.array([midnight]), "UTC") == 60 * SECOND
    assert resolution_us(np.array([NOON + SECOND]), "UTC") == SECOND
    assert resolution_us(np.array([NOON + 1_000]), "UTC") == 1_000
    assert resolution_us(np.array([NOON + 1]), "UTC") == 1


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Santiago"])
@pytest.mark.parametrize("period", ["hour", "day", "week", "month", "quarter", "year"])
def test_periods_begin_where_the_calendar_says(timezone, period):
    start, end = instant_us("2023-10-15 13:00", timezone), instant_us("2025-02-03 08:00", timezone)
    if period == "hour":
        end = start + 400 * 3600 * SECOND
    edges = period_edges(start, end, period=period, timezone=timezone)
    assert edges[0] <= start < edges[1]
    assert edges[-2] < end <= edges[-1]
    local = [as_timestamp(edge, timezone) for edge in edges.tolist()]
    begins = {
        "hour": lambda t: t.minute == 0 and t.second == 0,
        # Santiago skips midnight on its spring night: that day begins at 01:00.
        "day": lambda t: t.hour == 0 or (t - pd.Timedelta("1us")).date() < t.date(),
        "week": lambda t: t.dayofweek == 0,
        "month": lambda t: t.day == 1,
        "quarter": lambda t: t.day == 1 and t.month in (1, 4, 7, 10),
        "year": lambda t: (t.day, t.month) == (1, 1),
    }
    assert all(begins[period](t) for t in local)
    if period != "hour":  # no period is left out: each local date between is in order
        frequency = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}[period]
        ordinals = [t.tz_localize(None).to_period(frequency).ordinal for t in local]
        assert np.diff(ordinals).tolist() == [1] * (len(ordinals) - 1)


def test_weeks_can_begin_on_sunday():
    start = instant_us("2024-03-06", "UTC")
    edges = period_edges(start, start + DAY, period="week", timezone="UTC", week_start="sunday")
    assert [str(as_timestamp(edge, "UTC").date()) for edge in edges.tolist()] == ["2024-03-03", "2024-03-10"]


def test_a_day_of_25_hours_is_one_day():
    start = instant_us("2024-10-27", "Europe/Berlin")
    edges = period_edges(start, start + 1, period="day", timezone="Europe/Berlin")
    assert np.diff(edges).tolist() == [25 * 3600 * SECOND]
