"""Days said relative to another day: last-month, -7d."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from journeykit.errors import ParameterError

_PERIOD: Final = re.compile(r"(this|last)-(week|month|quarter|year)")
_OFFSET: Final = re.compile(r"([+-])(\d+)(d|w)")
WORDS: Final = "today, yesterday, this-month, last-week, last-month, last-quarter, last-year, -7d, -4w"


def is_relative(text: str) -> bool:
    """Whether a text names a day relative to another.

    Examples
    --------
    >>> is_relative("last-month"), is_relative("2024-01-31")
    (True, False)
    """
    text = text.strip().lower()
    return text in ("today", "yesterday") or bool(_PERIOD.fullmatch(text) or _OFFSET.fullmatch(text))


def resolve_day(text: str, as_of: dt.date | None, *, name: str = "date", end: bool = False) -> dt.date:
    """Turn a relative day into a date.

    A period gives its first day, or, for `end`, the day after its last, so
    that `start="last-month", end="last-month"` is the whole of last month.

    Parameters
    ----------
    text : str
        `today`, `yesterday`, `this-` or `last-` with week, month, quarter or
        year, or a number of days or weeks such as `-7d`.
    as_of : date or None
        The day to count from. Nothing asks the clock: a report that is run
        again must give the same answer.
    name : str
        The parameter, for the error.
    end : bool
        Whether the exclusive end of the period is meant.

    Raises
    ------
    ParameterError
        If there is no day to count from, or the text cannot be read.

    Examples
    --------
    >>> resolve_day("last-month", dt.date(2024, 3, 15))
    datetime.date(2024, 2, 1)
    >>> resolve_day("last-month", dt.date(2024, 3, 15), end=True)
    datetime.date(2024, 3, 1)
    >>> resolve_day("-7d", dt.date(2024, 3, 15))
    datetime.date(2024, 3, 8)
    """
    if as_of is None:
        raise ParameterError(
            f"{name}={text!r} is relative: say to which day, as of 2024-01-31 or as of today (--as-of)"
        )
    word = text.strip().lower()
    if word in ("today", "yesterday"):
        day = as_of - dt.timedelta(days=word == "yesterday")
        return day + dt.timedelta(days=end)
    offset, period = _OFFSET.fullmatch(word), _PERIOD.fullmatch(word)
    if offset:
        days = int(offset[2]) * (7 if offset[3] == "w" else 1)
        return as_of + dt.timedelta(days=days if offset[1] == "+" else -days)
    if period:
        back = (period[1] == "last") - end
        return _begins(as_of, period[2], back)
    raise ParameterError(f"{name} must be a date or one of {WORDS}, got {text!r}")


def _begins(day: dt.date, period: str, back: int) -> dt.date:
    """The first day of the period that lies `back` periods before the one of `day`."""
    if period == "week":
        return day - dt.timedelta(days=day.weekday() + 7 * back)
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    index = (day.year * 12 + day.month - 1) // months * months - back * months
    return dt.date(index // 12, index % 12 + 1, 1)
