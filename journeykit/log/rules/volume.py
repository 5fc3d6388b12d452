"""Rules about how much was recorded when."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.calendar import as_timestamp, instant_us
from journeykit.log.calendar import period_edges as edges_between
from journeykit.log.quality import Finding
from journeykit.log.rules.seen import Seen
from journeykit.log.times import are_dates
from journeykit.schema import DAY

NEIGHBOURS = 4
"""Same weekdays before and after a day that it is compared with."""

PROFILE_WEEKS = 8
"""Weeks before the last day that say what an hour of the week usually brings."""


def days_without_events(seen: Seen, *, days: int = 1) -> list[Finding]:
    """Find gaps in collection: local days of the observation without any event.

    Formula: days in runs of at least `days` neighbouring days with no event.
    Default: 1, each such day: a rare one is worth a look and a shop that
    closes on Sundays knows it. `rows` counts days, `share` is of the days
    observed.
    """
    runs = _runs(seen.per_day == 0)
    runs = runs[np.diff(runs)[:, 0] >= days]
    silent = int(np.diff(runs).sum())
    if not silent:
        return []
    longest = runs[np.argmax(np.diff(runs)[:, 0])]
    example = seen.day(int(runs[0][0]))
    if longest[1] - longest[0] > 1:
        example += f"; longest: {seen.day(int(longest[0]))} to {seen.day(int(longest[1] - 1))}"
    return [Finding("days_without_events", silent, "counted in days", example, of=len(seen.per_day))]


def _runs(marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Begin and end (exclusive) of each run of marked entries, one a row."""
    steps = np.diff(np.concatenate([[0], marked.astype(np.int8), [0]]))
    return np.column_stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)])


def stray_times(seen: Seen, *, share: float = 0.5, rows: float = 0.01) -> list[Finding]:
    """Find a few rows far from all others: a clock set wrong, a date in the future.

    Formula: the longest run of local days without any event takes at least
    `share` of the days observed up to the last event, and at most `rows` of the
    events lie on one side of it. Defaults: 0.5 and 0.01, ours. Such a row sets
    the log's start or its end, and with it what counts as observed.

    Rows: those on that side. Kept; stating `observed_until` sets those of the
    future aside.
    """
    counts = seen.per_day
    last = int(np.flatnonzero(counts)[-1])
    runs = _runs(counts[: last + 1] == 0)
    if not runs.size:
        return []
    begin, end = runs[np.argmax(np.diff(runs)[:, 0])]
    before, after = int(counts[:begin].sum()), int(counts[end:].sum())
    if end - begin < share * (last + 1) or min(before, after) > rows * (before + after):
        return []
    far = seen.day(0) if before < after else seen.day(last)
    return [Finding("stray_times", min(before, after), "kept", f"{far}; none from {seen.day(int(begin))}")]


def volume_jumps(seen: Seen, *, ratio: float = 3.0, z: float = 5.0) -> list[Finding]:
    """Find days with far more or far fewer events than their weekday usually has.

    Formula: with n the day's events and m the median of the same weekday in the
    four weeks before and after (four of them at least), n > `ratio` · m or
    n < m / `ratio`, and |n - m| > `z` · √max(m, 1). The second part keeps
    quiet where so few events are usual that chance alone (Poisson) makes such
    ratios. Days without any event are `days_without_events`; the first and the
    last day may be partial and are left out.

    Defaults: 3 and 5; a Poisson count is that far off in fewer than one day in
    a million.

    Rows: those of such days. Kept.
    """
    if not ratio > 1:
        raise ParameterError(f"ratio of volume_jumps == {ratio!r}, must be above 1")
    counts = seen.per_day.astype(np.float64)
    counts[[0, -1]] = np.nan
    if len(counts) < 7 * NEIGHBOURS + 2:
        return []
    around = [_shifted(counts, 7 * week) for week in (*range(-NEIGHBOURS, 0), *range(1, NEIGHBOURS + 1))]
    usual = pd.DataFrame(around).median().to_numpy()
    enough = np.isfinite(around).sum(axis=0) >= NEIGHBOURS
    with np.errstate(invalid="ignore"):
        far = (counts > ratio * usual) | (counts < usual / ratio)
        far &= np.abs(counts - usual) > z * np.sqrt(np.maximum(usual, 1))
    jumps = np.flatnonzero(far & enough & (counts > 0))
    if not jumps.size:
        return []
    apart = np.abs(np.log(counts[jumps] / np.maximum(usual[jumps], 0.5)))
    worst = int(jumps[np.argmax(apart)])
    example = f"{seen.day(worst)}: {int(counts[worst])} events, usually {usual[worst]:.0f}; such days: {jumps.size}"
    return [Finding("volume_jumps", int(counts[jumps].sum()), "kept", example)]


def _shifted(counts: NDArray[np.float64], days: int) -> NDArray[np.float64]:
    """What stands so many days later (earlier, if negative); NaN beyond the ends."""
    return pd.Series(counts).shift(-days).to_numpy()


def unfinished_last_period(seen: Seen, *, events: float = 20.0) -> list[Finding]:
    """Find a log that breaks off before its observation ends.

    Formula: the events that should have followed the last one until
    `observed_until` — or, if that was not given, until the end of the last
    event's day — are at least `events`. What an hour of the week should bring
    is its mean over the eight weeks before the last day (an hour of the day, if
    there are fewer than two).

    Default: 20. That none of 20 expected events comes has a chance of e⁻²⁰,
    two in a thousand million, where events come by chance; enough is left for
    those that do not.

    Rows: those of the last day. Kept. Logs of dates alone are not judged: a day
    that is too thin there is among `volume_jumps`.
    """
    log = seen.log
    last = int(seen.times.max())
    today = as_timestamp(last, log.timezone).tz_localize(None).normalize()
    day_begins, day_ends = (instant_us(today + pd.Timedelta(days=days), log.timezone) for days in (0, 1))
    end = log.observed_until if seen.end_given else day_ends
    expected = _expected(seen, today, last, end)
    if expected < events or are_dates(log.times, log.timezone):
        return []
    rows = int((seen.times >= day_begins).sum())
    until = as_timestamp(end, log.timezone)
    example = (
        f"last event at {as_timestamp(last, log.timezone)}; until {until}, {expected:.0f} more were to be expected"
    )
    return [Finding("unfinished_last_period", rows, "kept", example)]


def _expected(seen: Seen, today: pd.Timestamp, last: int, end: int) -> float:
    """Events that usually come in `[last, end)`."""
    log = seen.log
    begin = max(log.start, instant_us(today - pd.Timedelta(weeks=PROFILE_WEEKS), log.timezone))
    until = instant_us(today, log.timezone)
    if until - begin < DAY or end <= last:
        return 0.0
    edges = edges_between(begin, until, period="hour", timezone=log.timezone)
    edges = edges[(edges >= begin) & (edges <= until)]
    weekly = until - begin >= 14 * DAY
    usual = pd.Series(seen.count(edges)).groupby(_hours(edges[:-1], log.timezone, weekly)).mean()
    # A silence of years is plain after a fortnight: no need to add up every hour of it.
    ahead = edges_between(last, min(end, last + 14 * DAY), period="hour", timezone=log.timezone)
    parts = np.clip(np.diff(np.clip(ahead, last, end)) / np.diff(ahead), 0, 1)
    return float((usual.reindex(_hours(ahead[:-1], log.timezone, weekly)).fillna(0).to_numpy() * parts).sum())


def _hours(edges: NDArray[np.int64], timezone: str, weekly: bool) -> NDArray[np.int64]:
    """Hour of the week (or of the day) that begins at each edge."""
    local = pd.DatetimeIndex(edges.view("M8[us]"), tz="UTC").tz_convert(timezone)
    hours: NDArray[np.int64] = local.hour.to_numpy().astype(np.int64)
    return hours + 24 * local.dayofweek.to_numpy() if weekly else hours
