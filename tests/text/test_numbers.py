"""Each ending of a name, by values a reader can check."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from babel import Locale
from babel.numbers import format_decimal, format_percent
from hypothesis import given
from hypothesis.strategies import floats, integers, sampled_from

from journeykit.text import format_value, languages
from journeykit.text.decimals import decimal, percent
from journeykit.text.numbers import ENDINGS, kind_of


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("reach_rate", 0.342, "34.2%"),
        ("reach_rate", 1, "100.0%"),
        ("reach_rate", 0.0, "0.0%"),
        ("reach_rate", 0.0004, "0.04%"),
        ("reach_rate", 0.000_04, "0.004%"),
        ("reach_rate", 1e-8, "<0.001%"),
        ("reach_rate", 0.9996, "99.96%"),
        ("reach_rate", 1 - 1e-8, ">99.999%"),
        ("reach_rate", 1 - 1e-16, "100.0%"),
        ("reach_rate", -0.0, "0.0%"),
        ("base_rate", 1.25, "125.0%"),
        ("reach_rate_low", 0.095, "9.5%"),
        ("share", np.float32(0.5), "50.0%"),
        ("survival", 0.8571, "85.7%"),
        ("confidence", 0.95, "95%"),
        ("confidence", 0.999, "99.9%"),
        ("rate_difference", 0.032, "+3.2 pp"),
        ("rate_difference", -0.032, "-3.2 pp"),
        ("rate_difference", 0, "0.0 pp"),
        ("rate_difference", 0.000_1, "0.0 pp"),
        ("days_difference", 1.5, "+1.50"),
        ("median_days", 34, "34 days"),
        ("median_days", 1, "1 day"),
        ("median_days", 34.52, "34.5 days"),
        ("median_days", 400.52, "401 days"),
        ("median_seconds", 45, "45 s"),
        ("median_seconds", 0, "0 s"),
        ("median_seconds", 0.25, "0.250 s"),
        ("median_seconds", 192, "3.2 min"),
        ("median_seconds", 59.97, "1 min"),
        ("median_seconds", 3598.2, "1 h"),
        ("median_seconds", 5.1 * 3600, "5.1 h"),
        ("median_seconds", 86_399, "1 d"),
        ("median_seconds", 12.4 * 86_400, "12.4 d"),
        ("median_seconds", 400 * 86_400, "400 d"),
        ("early_seconds", -192, "-3.2 min"),
        ("order_value", 1234.5, "1,234.50"),
        ("order_value", 1234.0, "1,234"),
        ("p_value", 0.0001, "<0.001"),
        ("p_holm", 0.04, "0.0400"),
        ("nps_score", 12.345, "12.3"),
        ("customers", 1234, "1,234"),
        ("customers", np.int64(1_234_567), "1,234,567"),
        ("customers", 1234.0, "1,234"),
        ("customers", Decimal(1234), "1,234"),
        ("customer", 10234, "10234"),
        ("user_id", 10234.0, "10234"),
        ("year", 2024, "2024"),
        ("odds_ratio", 1.4972, "1.50"),
        ("hazard", 0.001_234, "0.00123"),
        ("hazard", 1.2e-9, "1.2E-9"),
        ("mean", 123_456.7, "123,457"),
        ("customers", 10**17, "100,000,000,000,000,000"),
        ("customers", 12 * 10**30, "1.2E31"),
        ("customers", 10**400, "1E400"),
        ("reach_rate", -1e25, "-1E25"),
        ("mean", float("inf"), "∞"),
        ("seen", True, "yes"),
        ("seen", np.bool_(False), "no"),
        ("touchpoint", "cart", "cart"),
        ("touchpoint", "a\nb\x1b[31m\u202e\ud800", "a↵b\\x1b[31m\\u202e\\ud800"),
        ("seen_at", datetime(2024, 1, 2), "Jan 2, 2024"),
        ("seen_at", date(2024, 1, 2), "Jan 2, 2024"),
        ("seen_at", pd.Timestamp("2024-01-02 09:30"), "Jan 2, 2024, 09:30"),
        ("seen_at", np.datetime64("2024-01-02T09:30:05"), "Jan 2, 2024, 09:30:05"),
        ("gap", timedelta(minutes=3, seconds=12), "3.2 min"),
        ("gap", np.timedelta64(45, "s"), "45 s"),
        ("cohort", pd.Period("2024-01-02", "D"), "Jan 2, 2024"),
        ("cohort", pd.Period("2024-01-01", "W"), "week of Jan 1, 2024"),
        ("cohort", pd.Period("2024-01", "M"), "Jan 2024"),
        ("cohort", pd.Period("2024Q1", "Q"), "Q1 2024"),
        ("cohort", pd.Period("2024", "Y"), "2024"),
        ("age_days", pd.Interval(0, 10, closed="left"), "[0, 10)"),
        ("steps", ["visit", "cart", "buy"], "visit, cart, and buy"),
    ],
)
def test_a_value_is_shown_by_its_name_and_type(name, value, said):
    assert format_value(name, value) == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("reach_rate", 0.342, "34.2%"),
        ("customers", 1_234_567, "1,234,567"),
        ("median_days", 1, "יום אחד"),
        ("median_days", 2, "יומיים"),
        ("median_days", 34, "34 ימים"),
        ("median_days", 0.5, "0.5 יום"),
        ("median_seconds", 45, "45 שנ׳"),
        ("median_seconds", 192, "3.2 דק׳"),
        ("median_seconds", 18_360, "5.1 שע׳"),
        ("median_seconds", 1_071_360, "12.4 ימים"),
        ("seen_at", datetime(2024, 1, 2, 9, 30), "2 בינו׳ 2024, 9:30"),  # as CLDR has it
        ("seen", True, "כן"),
        ("steps", ["ביקור", "סל"], "ביקור וסל"),
        ("steps", ["visit", "cart"], "visit ו-cart"),
    ],
)
def test_a_value_is_shown_in_hebrew(name, value, said):
    assert format_value(name, value, language="he") == said


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), Decimal("NaN")])
@pytest.mark.parametrize("name", ["reach_rate", "median_days", "seen_at", "touchpoint", "customers", "median_seconds"])
def test_what_is_missing_is_a_dash(name, missing):
    assert format_value(name, missing) == "–"


def test_a_date_stays_in_its_own_time_zone():
    seen = pd.Timestamp("2024-01-01 21:00", tz="UTC")
    assert format_value("seen_at", seen) == "Jan 1, 2024, 21:00"
    assert format_value("seen_at", seen.tz_convert("Europe/Istanbul")) == "Jan 2, 2024"


def test_the_longest_ending_decides():
    assert kind_of("p_value") == "p"
    assert kind_of("order_value") == "money"
    assert kind_of("operate") == "number"  # `rate` is not a word of it
    assert kind_of("customers") == "number"
    assert kind_of("customer") == "name"
    assert kind_of("reach_rate_difference_low") == "points"
    assert all(kind_of(f"any_{ending}") == kind for ending, kind in ENDINGS.items())


@given(value=integers(-(10**12), 10**12), code=sampled_from(languages()))
def test_whole_numbers_are_written_as_babel_writes_them(value, code):
    assert decimal(value, code) == format_decimal(value, locale=code)


@given(value=floats(0.0006, 0.9994), code=sampled_from(languages()))
def test_percentages_are_written_as_babel_writes_them(value, code):
    said = percent(value, code)
    speech = Locale.parse(code)
    places = len(said.strip("%").partition(speech.number_symbols["latn"]["decimal"])[2])
    pattern = speech.percent_formats[None].pattern.replace("##0", "##0." + "0" * places)
    assert said == format_percent(value, pattern, locale=code)
    assert said.replace(",", ".").strip("%") not in ("0.0", "100.0")


@given(
    value=floats(allow_nan=True, allow_infinity=True),
    name=sampled_from(["a_rate", "days", "seconds", "value", "p", "score", "x", "id"]),
)
def test_any_float_can_be_shown(value, name):
    for code in languages():
        assert format_value(name, value, language=code)
