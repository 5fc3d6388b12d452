"""Dates, periods and durations in words."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

from journeykit.text.catalogue import message, pieces
from journeykit.text.decimals import decimal, infinite, significant
from journeykit.text.languages import locale
from journeykit.text.names import isolated_number

if TYPE_CHECKING:
    import pandas as pd
    from babel.dates import DateTimePattern

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0

_PERIODS: Final = {"A": "y", "Y": "y", "Q": "yQQQ", "M": "yMMM"}


def moment(value: date, language: str) -> str:
    """Write a date, with its time of day unless that is midnight, in its own time zone.

    Examples
    --------
    >>> moment(datetime(2024, 1, 2, 9, 30), "en"), moment(date(2024, 1, 2), "en")
    ('Jan 2, 2024, 09:30', 'Jan 2, 2024')
    """
    speech = locale(language)
    day = str(speech.date_formats["medium"].apply(value, speech))
    if not isinstance(value, datetime) or _is_midnight(value):
        return day
    clock = _clock("Hms" if value.second else "Hm", language).apply(value, speech)
    return str(speech.datetime_formats["medium"]).replace("{1}", day).replace("{0}", clock)


def iso(value: date) -> str:
    """Write a date as 2024-01-02, with its time of day unless that is midnight."""
    if not isinstance(value, datetime) or _is_midnight(value):
        return value.strftime("%Y-%m-%d")
    return value.strftime("%Y-%m-%d %H:%M:%S" if value.second else "%Y-%m-%d %H:%M")


def _is_midnight(value: datetime) -> bool:
    return not (value.hour or value.minute or value.second or value.microsecond)


@cache
def _clock(skeleton: str, language: str) -> DateTimePattern:
    from babel.dates import parse_pattern

    return parse_pattern(locale(language).datetime_skeletons[skeleton])


def period(value: pd.Period, language: str) -> str:
    """Write a calendar period: "Q1 2024", "Jan 2024", "week of Jan 1, 2024"."""
    from babel.dates import format_skeleton

    unit = str(value.freqstr).partition("-")[0].rstrip("E")
    start = value.start_time
    if unit == "W":
        return fill("core.week_of", {"starts_at": moment(start, language)}, language)
    if unit in _PERIODS:
        return str(format_skeleton(_PERIODS[unit], start, locale=locale(language)))
    return moment(start, language)


def duration(seconds: float, language: str) -> str:
    """Write a duration in the unit that suits it.

    Examples
    --------
    >>> [duration(s, "en") for s in (45, 192, 18_360, 1_071_360)]
    ['45 s', '3.2 min', '5.1 h', '12.4 d']
    """
    if not math.isfinite(seconds):
        return infinite(seconds)
    size = abs(seconds)
    # Chosen by what is shown, so that 59.97 minutes is not "60 min".
    if round(size, 1) < MINUTE:
        number = significant(seconds, language) if size < 10 else _short(seconds, language)
        return _with_unit("core.in_seconds", number, language)
    if round(size / MINUTE, 1) < 60:
        return _with_unit("core.in_minutes", _short(seconds / MINUTE, language), language)
    if round(size / HOUR, 1) < 24:
        return _with_unit("core.in_hours", _short(seconds / HOUR, language), language)
    return _with_unit("core.in_days", _short(seconds / DAY, language), language)


def _with_unit(key: str, number: str, language: str) -> str:
    return fill(key, {"number": isolated_number(number, language)}, language)


def short_number(value: float) -> Decimal:
    """Round to one decimal below 100, to none from there on, and leave whole numbers whole."""
    number = Decimal(str(round(value, 1) if abs(value) < 100 else round(value)))
    return Decimal(int(value)) if float(value).is_integer() else number


def _short(value: float, language: str) -> str:
    number = short_number(value)
    decimals = 0 if number == number.to_integral_value() else 1
    return decimal(float(number), language, decimals)


def fill(key: str, values: dict[str, str], language: str) -> str:
    """Fill a plain message of this room with text that is ready."""
    template = message(key, language)
    if not isinstance(template, str):
        raise TypeError(f"message {key!r} has plural forms")
    return "".join(text + (values[name] if name else "") for text, name, _ in pieces(template, key))
