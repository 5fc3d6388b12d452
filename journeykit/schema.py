"""Words, column roles and units: each written once."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any, Final, Literal, get_args

from journeykit.errors import ParameterError

Role = Literal["customer", "time", "touchpoint", "channel", "value", "session", "sequence"]
"""What a column of a raw log can mean to an analysis; every other column is a property."""

ROLES: Final = get_args(Role)
REQUIRED_ROLES: Final = ("customer", "time", "touchpoint")

Period = Literal["hour", "day", "week", "month", "quarter", "year"]
"""A calendar period; where it begins is decided by the log's timezone."""

PERIODS: Final = get_args(Period)
WEEK_STARTS: Final = ("monday", "sunday")

SECOND: Final = 1_000_000
"""Microseconds in a second: times inside a log are whole microseconds since 1970, UTC."""

DAY: Final = 86_400 * SECOND

UNMAPPED: Final = "(unmapped)"
MISSING: Final = "(missing)"


def duration_us(value: object, *, name: str = "duration") -> int:
    """Read a duration as microseconds.

    Parameters
    ----------
    value : str, Timedelta or timedelta
        `"30d"`, `"1h30min"`, `"45s"`: what pandas.Timedelta reads. A bare
        number and `"1m"` (minute or month?) are refused.
    name : str
        The argument's name, for the error.

    Returns
    -------
    int
        The duration in microseconds, above zero.

    Raises
    ------
    ParameterError
        If the value cannot be read, is ambiguous, or is not positive.

    Examples
    --------
    >>> duration_us("2d") == 2 * DAY
    True
    >>> duration_us("1m")
    Traceback (most recent call last):
    journeykit.errors.ParameterError: duration "1m" could be a minute or a month: say "1min" or "30d"
    """
    import re

    import pandas as pd

    if isinstance(value, str) and re.search(r"(?<![a-zA-Z])[mM](?![a-zA-Z])", re.sub(r"\d", "", value)):
        raise ParameterError(f'{name} "{value}" could be a minute or a month: say "1min" or "30d"')
    if isinstance(value, int | float) or _is_number(value):
        raise ParameterError(f'{name} needs a unit, as in "30d" or "45min", got {value!r}')
    try:
        delta = pd.Timedelta(value)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise ParameterError(f'{name} must be a duration such as "30d" or "45min", got {value!r}') from error
    if not delta > pd.Timedelta(0):  # not a time at all, too
        raise ParameterError(f"{name} must be longer than zero, got {value!r}")
    return int(delta.to_timedelta64().astype("m8[us]").astype("int64"))


def whole_days(value: object, *, name: str, counted: str) -> int:
    """Read a duration that must be whole days.

    Parameters
    ----------
    value : str, Timedelta or timedelta
        As for `duration_us`.
    name : str
        The argument's name, for the error.
    counted : str
        What is counted by day, for the error: "purchases are".
    """
    microseconds = duration_us(value, name=name)
    if microseconds % DAY:
        raise ParameterError(f'{name} must be whole days, as in "90d", because {counted} counted by day; got {value!r}')
    return microseconds // DAY


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def check_one_of(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """Refuse a value that is not among those allowed, naming both."""
    options = list(allowed)
    if value not in options:
        raise ParameterError(f"{name} must be one of {options}, got {value!r}")


def check_penalizer(penalizer: float) -> None:
    """Raise ParameterError unless it is a number, 0 or more."""
    if isinstance(penalizer, bool) or not isinstance(penalizer, Real) or not 0 <= penalizer < float("inf"):
        raise ParameterError(f"penalizer == {penalizer!r}, must be a number, 0 or more")


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is not strictly between 0 and 1."""
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence == {confidence!r}, must be above 0 and below 1")


def did_you_mean(given: object, known: Iterable[object]) -> str:
    """Name the nearest known words, as the end of an error message."""
    from difflib import get_close_matches

    words = [str(word) for word in known]
    near = get_close_matches(str(given), words, n=3, cutoff=0.6)
    if near:
        return f"did you mean {', '.join(repr(word) for word in near)}?"
    shown = ", ".join(repr(word) for word in words[:12])
    return f"known are {shown}" + (f" and {len(words) - 12} more" if len(words) > 12 else "")
