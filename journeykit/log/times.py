"""Read a column of times, however it is written, as microseconds since 1970, UTC."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.formats import rewrite_dates
from journeykit.log.pieces import Piece, as_series, is_arrow, join
from journeykit.log.time_pieces import ReadTimes, add_notes, as_texts, from_texts, read_by_format, read_piece
from journeykit.schema import DAY, SECOND


def read_times(column: Piece, timezone: str, time_format: str | None = None) -> ReadTimes:
    """Read times; those without an offset are local to `timezone`.

    Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970,
    recognised by their size, or digits of a date (20240131), or the days that
    spreadsheets count. A local time that daylight saving repeats is read as the
    earlier of the two, one that it skips as the first instant after the gap.
    All of that is noted.
    """
    reader = TimeReader(timezone, time_format)
    reader.add(column)
    return reader.finish()


class TimeReader:
    """Reads a column of times piece by piece; what only the whole column can decide waits for `finish`.

    Parameters
    ----------
    timezone : str
        Zone of times without an offset.
    time_format : str, optional
        The one way in which texts are written, in the words of
        `datetime.strptime`.
    """

    def __init__(self, timezone: str, time_format: str | None = None) -> None:
        self.timezone = timezone
        self.time_format = time_format
        self._micros: list[NDArray[np.int64]] = []
        self._missing: list[NDArray[np.bool_]] = []
        self._bad: list[NDArray[np.bool_]] = []
        self._notes: list[dict[str, int]] = []
        self._waiting: list[pd.Series] = []  # texts that were not understood, by their row in the whole column
        self._rows = 0

    def add(self, column: Piece) -> ReadTimes:
        """Read one piece; texts that are marked bad may still be read in the end."""
        if self.time_format is not None:
            read = read_by_format(as_series(column), self.timezone, self.time_format)
        else:
            read = read_piece(column, self.timezone)
            if read.bad.any():
                rows = np.flatnonzero(read.bad)
                texts = column.take(rows) if is_arrow(column) else as_series(column).iloc[rows]
                if is_arrow(texts) or not pd.api.types.is_numeric_dtype(texts.dtype):
                    self._waiting.append(as_texts(texts).to_pandas().set_axis(rows + self._rows))
        self._micros.append(read.microseconds)
        self._missing.append(read.missing)
        self._bad.append(read.bad)
        self._notes.append(read.notes)
        self._rows += len(read.missing)
        return read

    def finish(self) -> ReadTimes:
        """Return the whole column."""
        micros, missing, bad, notes = join(self._micros), join(self._missing), join(self._bad), add_notes(self._notes)
        if not self._waiting:
            return ReadTimes(micros, missing, bad, notes)
        waiting = pd.concat(self._waiting)
        rewritten = rewrite_dates(waiting)
        known = rewritten.texts.notna().to_numpy()
        rows = waiting.index.to_numpy()[known]
        if rows.size:
            some = from_texts(as_texts(rewritten.texts[known]), np.zeros(rows.size, bool), self.timezone)
            micros[rows] = some.microseconds
            bad[rows] = some.bad
            kinds = pd.Series(rewritten.kinds[known][~some.bad]).value_counts().to_dict()
            notes = add_notes([notes, some.notes, {str(kind): int(n) for kind, n in kinds.items()}])
        return ReadTimes(micros, missing, bad, notes, rewritten.ambiguous)


def resolution_us(times: NDArray[np.int64], timezone: str) -> int:
    """Find the step in which times are written: a day, a minute, a second, a millisecond or a microsecond.

    A day only if every time is a local midnight.
    """
    for step in (60 * SECOND, SECOND, 1_000):
        if not ((times[:10_000] % step).any() or (times % step).any()):
            break
    else:
        return 1
    return DAY if step == 60 * SECOND and are_dates(times, timezone) else step


def are_dates(times: NDArray[np.int64], timezone: str) -> bool:
    """Whether every time is a local midnight."""
    quarter = 15 * 60 * SECOND  # zones are offset by quarters of an hour
    if (times[:10_000] % quarter).any() or (times % quarter).any():
        return False
    local = pd.DatetimeIndex(pd.unique(times).astype("M8[us]"), tz="UTC").tz_convert(timezone)
    days = local.tz_localize(None).normalize()  # a midnight that is skipped is the first instant after the gap
    midnights = days.tz_localize(timezone, ambiguous=np.ones(len(days), bool), nonexistent="shift_forward")
    return bool((midnights == local).all())
