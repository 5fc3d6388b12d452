"""Calendar periods: where local hours, days, weeks, months, quarters and years begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError, ParameterError
from journeykit.schema import PERIODS, WEEK_STARTS, check_one_of

_LAST_YEAR = 9_000
_FREQUENCY = {"day": "D", "month": "MS", "quarter": "QS", "year": "YS"}
_WEEK = {"monday": "W-MON", "sunday": "W-SUN"}


def check_timezone(timezone: str) -> str:
    """Return the zone's name, or say that there is none such."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise ParameterError(f'timezone must be an IANA name such as "Europe/Istanbul", got {timezone!r}') from error
    return timezone


def as_timestamp(microseconds: int, timezone: str) -> pd.Timestamp:
    """Show an instant in a zone."""
    return pd.Timestamp(microseconds, unit="us", tz="UTC").tz_convert(timezone)


def instant_us(value: object, timezone: str, *, name: str = "time") -> int:
    """Read an instant as microseconds since 1970, UTC; without an offset it is local time, as in `read_instant`."""
    stamp = read_instant(value, timezone, name=name)
    # Not .value, which is nanoseconds whatever the unit.
    return int(stamp.tz_convert("UTC").tz_localize(None).to_datetime64().astype("M8[us]").astype(np.int64))


def read_instant(value: object, timezone: Any, *, name: str = "time") -> pd.Timestamp:
    """Read an instant; without an offset it is local time, of no zone if there is none.

    Local midnight that daylight saving skips is the first instant after the
    gap; a time that occurs twice is the earlier one.
    """
    try:
        stamp = pd.Timestamp(value)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise ParameterError(f'{name} must be a date or time such as "2024-03-31", got {value!r}') from error
    if pd.isna(stamp):
        raise ParameterError(f"{name} must be a date or time, got {value!r}")
    if stamp.tzinfo is None and timezone is not None:
        stamp = stamp.tz_localize(timezone, ambiguous=True, nonexistent="shift_forward")
    return stamp


def range_us(between: Any, timezone: str) -> tuple[int | None, int | None]:
    """Read `between=(start, end)` as microseconds since 1970, UTC; an end left out, or both, is None."""
    if between is None:
        return None, None
    if isinstance(between, str) or not isinstance(between, Iterable) or len(between := tuple(between)) != 2:
        raise ParameterError(f'between must be (start, end), such as ("2024-01-01", "2024-04-01"), got {between!r}')
    start, end = (
        None if each is None else instant_us(each, timezone, name=name)
        for each, name in zip(between, ("between[0]", "between[1]"), strict=True)
    )
    if start is not None and end is not None and start >= end:
        raise ParameterError(f"between must start before it ends, got {between[0]} and {between[1]}")
    return start, end


def range_shown(between: tuple[int | None, int | None], timezone: str) -> tuple[pd.Timestamp | None, ...] | None:
    """Show a range that `range_us` has read, for a result's `params`: None where none was asked for."""
    if between == (None, None):
        return None
    return tuple(None if each is None else as_timestamp(each, timezone) for each in between)


def period_edges(start: int, end: int, *, period: str, timezone: str, week_start: str = "monday") -> NDArray[np.int64]:
    """Begin of each local period from the one that holds `start` to the first at or after `end`.

    Parameters
    ----------
    start, end : int
        Instants in microseconds since 1970, UTC; half-open.
    period : {"hour", "day", "week", "month", "quarter", "year"}
        The calendar period.
    timezone : str
        IANA name of the zone in which periods begin.
    week_start : {"monday", "sunday"}
        First day of a week.

    Returns
    -------
    array of int64
        Instants in microseconds; period i is `[edges[i], edges[i + 1])`. With
        n periods there are n + 1 edges.
    """
    check_one_of("period", period, PERIODS)
    check_one_of("week_start", week_start, WEEK_STARTS)
    first, last = as_timestamp(start, timezone), as_timestamp(max(start, end - 1), timezone)
    if last.year > _LAST_YEAR:
        raise LogError(f"the times run to the year {last.year}: no calendar goes that far")
    if period == "hour":  # elapsed time, so that a repeated local hour stays two; half hours as Lord Howe shifts by one
        into = pd.Timedelta(minutes=first.minute, seconds=first.second, microseconds=first.microsecond)
        halves = pd.date_range(
            (first - into).tz_convert("UTC"), last.tz_convert("UTC") + pd.Timedelta("3h"), freq="30min"
        )
        edges = halves[halves.tz_convert(timezone).minute == 0].as_unit("us").asi8.astype(np.int64)
        return _until(edges, start, end)
    if period == "week":
        weekday = first.dayofweek if week_start == "monday" else (first.dayofweek + 1) % 7
        begin_day = first.tz_localize(None).normalize() - pd.Timedelta(days=weekday)
        frequency = _WEEK[week_start]
    else:
        begin_day = first.tz_localize(None).normalize().to_period(_PERIOD[period]).start_time
        frequency = _FREQUENCY[period]
    end_day = last.tz_localize(None).normalize() + pd.DateOffset(years=1, days=7)
    days = pd.date_range(begin_day, end_day, freq=frequency)
    begins = days.tz_localize(timezone, ambiguous=np.ones(len(days), dtype=bool), nonexistent="shift_forward")
    edges = begins.as_unit("us").asi8.astype(np.int64)
    # A date that a zone left out (Apia, December 30, 2011) begins when the next one does: it is empty.
    for place in np.flatnonzero(begins.tz_localize(None).normalize() != days)[::-1].tolist():
        edges[place] = edges[min(place + 1, len(edges) - 1)]
    return _until(edges, start, end)


def _until(edges: NDArray[np.int64], start: int, end: int) -> NDArray[np.int64]:
    """Cut edges after the first at or after the end; one period at least."""
    beyond = int(np.searchsorted(edges, end, side="left")) if end > start else 1
    return edges[: beyond + 1]


_PERIOD = {"day": "D", "month": "M", "quarter": "Q", "year": "Y"}
