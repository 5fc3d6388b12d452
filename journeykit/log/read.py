"""The door: from any raw log to a trusted InteractionLog, with everything found on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError, ParameterError
from journeykit.log.build import Columns, order_rows, repeated_rows, take_in_order, without_places
from journeykit.log.calendar import as_timestamp, check_timezone, instant_us
from journeykit.log.intake import Asked, Intake, Taken
from journeykit.log.interactions import InteractionLog, Staging
from journeykit.log.pieces import n_rows
from journeykit.log.progress import progress_bar
from journeykit.log.quality import Finding, findings_table
from journeykit.log.roles import find_roles
from journeykit.log.rules import Options, check_options, run_rules, thresholds
from journeykit.log.rules.seen import Seen
from journeykit.log.sources import LinesLostError, Raw, Reading, read_source
from journeykit.log.times import resolution_us
from journeykit.schema import DAY, check_one_of

_LARGE = 1_000_000
"""Rows above which memory is worth a call to give it back."""


def read_log(
    source: Any,
    *,
    customer: str | Sequence[str] | None = None,
    time: str | None = None,
    touchpoint: str | None = None,
    channel: str | None = None,
    value: str | None = None,
    session: str | None = None,
    sequence: str | None = None,
    timezone: str = "UTC",
    observed_until: object = None,
    stages: Staging | None = None,
    duplicates: str = "merge",
    on_bad: str = "quarantine",
    rules: Options | None = None,
    guess: bool = True,
    time_format: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    columns: Sequence[str] | None = None,
    sheet: str | int | None = None,
    connection: Any = None,
) -> InteractionLog:
    """Read a raw interaction log: one row is one interaction of a customer at a touchpoint.

    Nothing is lost and nothing is mended silently: a row without a customer,
    a time or a touchpoint goes to `log.quarantine` with the reason, and every
    finding stands in `log.quality`. Rows read = rows kept + rows in quarantine
    + duplicates merged; in a text file, rows are counted by its lines.

    Parameters
    ----------
    source : DataFrame, str, Path, list of paths, table or query
        A frame of pandas; a file (CSV, TSV, JSON, these also as .gz or
        .zst; Parquet; Arrow or Feather; a workbook); a folder, a pattern or a
        list of such files, `key=value` folders becoming columns; an address
        that fsspec knows; a table or stream of pyarrow, Polars or DuckDB; with
        `connection`, a query or a table's name. What `log.to_parquet` wrote
        comes back as it was.
    customer, time, touchpoint : str
        Columns that say who, when and what. Several columns may make a customer
        together: `customer=["shop", "user"]` gives ids such as "ankara/17".
        Without them, columns of those names are used, or of other usual names
        ("user_id", "ts", "event"), which is then a finding.
    channel, value, session, sequence : str, optional
        Columns for the channel, the monetary value, the session, and the order
        of events that share a time. A column of the source that bears one of
        the names "channel", "value", "session" or "sequence" is used unless
        another is named. All further columns are kept as properties.
    timezone : str
        IANA zone in which days begin, and of times without an offset.
    observed_until : str or Timestamp, optional
        The (exclusive) end of observation, local to `timezone`. Without it,
        just after the last time, which is then a finding: whoever fell silent
        before a log's end can't be judged when the end is a guess.
    stages : StageModel, optional
        Stages to give the events, as `log.with_stages` does.
    duplicates : {"merge", "keep"}
        What to do with rows that repeat another in every column.
    on_bad : {"quarantine", "raise"}
        Set bad rows aside, or raise LogError that lists them.
    rules : dict, optional
        Thresholds of the rules that make `log.quality`, for example
        `{"near_duplicates": {"seconds": 2}, "clock_skew": False}`; False
        switches a rule off. `journeykit.log.rules` describes them.
    guess : bool
        Whether columns of usual names may be used where none is named.
    time_format : str, optional
        How times are written, in the words of `datetime.strptime`. Without it:
        ISO 8601, epochs, dates with the month's name, and dates such as
        31/01/2024 where the column itself shows whether the day stands first.
    decimal : {".", ","}, optional
        How decimals are written in texts. Without it, a comma is taken only
        where the column leaves no other reading.
    encoding, delimiter, quote : str, optional
        Of text files. Without them: UTF-8 (or what the file's first bytes say),
        and what DuckDB finds in the file's beginning. `quote=""` is for files
        in which a quote is a character like any other.
    columns : list of str, optional
        Names of the columns of a CSV file without a header line, in order.
    sheet : str or int, optional
        Of a workbook with several.
    connection : object, optional
        A DB-API, SQLAlchemy or DuckDB connection, or the path of a SQLite or
        DuckDB file.

    Returns
    -------
    InteractionLog
        Sorted and coded, with `quality` and `quarantine`.

    Raises
    ------
    LogError
        If the source can't be read, a column is missing, no row is usable, or
        `on_bad="raise"` and a row is bad.

    Examples
    --------
    >>> raw = pd.DataFrame({
    ...     "user_id": ["ann", "bob", None, "ann"],
    ...     "ts": ["2024-03-01 09:00", "2024-03-01 10:00", "2024-03-02 11:00", "yesterday"],
    ...     "event": ["visit", "visit", "visit", "order"],
    ... })
    >>> log = jk.read_log(raw, customer="user_id", time="ts", touchpoint="event",
    ...                   timezone="Europe/Istanbul", observed_until="2024-04-01")
    >>> log.n_events
    2
    >>> log.quarantine[["row", "reason"]]
       row            reason
    0    2  missing_customer
    1    3   unparseable_time
    """
    check_one_of("on_bad", on_bad, ("quarantine", "raise"))
    check_one_of("duplicates", duplicates, ("merge", "keep"))
    check_timezone(timezone)
    rules = rules or {}
    check_options(rules)
    required = {"customer": customer, "time": time, "touchpoint": touchpoint}
    optional = {"channel": channel, "value": value, "session": session, "sequence": sequence}
    if isinstance(source, str | Path) and connection is None and (stored := _stored(source)) is not None:
        _refuse_options(source, {**required, **optional, "observed_until": observed_until})
        return stored if stages is None else stored.with_stages(stages)
    asked = Asked(
        timezone=timezone,
        end=None if observed_until is None else instant_us(observed_until, timezone, name="observed_until"),
        time_format=time_format,
        decimal=decimal,
        time_range=thresholds(rules, "out_of_range_time"),
    )
    reading = Reading(encoding, delimiter, quote, _names(columns), sheet, connection)

    def take_in(reading: Reading) -> Taken:
        raw = read_source(source, reading)
        with raw.closing:
            intake = Intake(raw, find_roles(raw.columns, required, optional, guess=guess), asked)
            with progress_bar(raw.expected) as bar:
                for batch in raw.batches:
                    intake.add(batch)
                    bar.update(n_rows(batch))
            if not intake.rows:
                raise LogError(_no_usable(len(raw.lost), _lost_said(raw)))
            taken = intake.finish()
        _give_back_memory(taken.rows_read)
        return taken

    while True:
        try:
            taken = take_in(reading)
            break
        except LinesLostError:
            reading = replace(reading, care=reading.care + 1)
    log = _build(taken, asked, duplicates, on_bad, rules)
    return log if stages is None else log.with_stages(stages)


def _names(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    """Check the names for a file without a header."""
    if columns is None:
        return None
    names = tuple(columns)
    if isinstance(columns, str) or not names or len(set(names)) < len(names) or not all(names):
        raise ParameterError(f"columns must be different names, one a column of the file, got {columns!r}")
    return names


def _build(taken: Taken, asked: Asked, duplicates: str, on_bad: str, rules: Options) -> InteractionLog:
    """Put what was taken in in order, merge what stands there twice, and look at it as a whole."""
    good = _good_rows(taken, on_bad)
    columns = Columns(
        customers=taken.customers,
        times=taken.times.microseconds,
        touchpoints=taken.touchpoints,
        channels=taken.channels,
        values=None if taken.amounts is None else taken.amounts.numbers,
        sequence=taken.sequence,
        properties=taken.properties,
    )
    if good is not None:
        columns = columns.take(good)
    times = columns.times
    order, offsets = order_rows(columns)
    columns = take_in_order(columns, order)
    repeated = repeated_rows(columns, offsets)
    duplicates_found = _duplicates_found(columns, repeated, duplicates, asked.timezone)
    merge = duplicates == "merge" and repeated.size > 0
    if merge:
        columns, offsets = without_places(columns, offsets, repeated)
    log, bounds = _assemble(columns, offsets, asked)
    seen = Seen(log, times, end_given=asked.end is not None)
    findings = [*taken.findings, duplicates_found, *bounds, *run_rules(seen, rules)]
    return replace(
        log,
        quality=findings_table(findings, taken.rows_read),
        quarantine=taken.quarantine,
        rows_read=taken.rows_read,
        duplicates_merged=int(repeated.size) if merge else 0,
    )


def _give_back_memory(rows: int) -> None:
    """Let Arrow return to the system what reading took: it would keep it for the next file."""
    if rows > _LARGE:
        import pyarrow as pa

        pa.default_memory_pool().release_unused()


def _refuse_options(source: Any, given: dict[str, object]) -> None:
    said = [name for name, each in given.items() if each is not None]
    if said:
        raise ParameterError(f"{str(source)!r} is a log that to_parquet wrote and says itself what {said} would say")


def _stored(path: str | Path) -> InteractionLog | None:
    """Return the log that `to_parquet` wrote, or None if the file is anything else."""
    if not str(path).lower().endswith((".parquet", ".pq")) or not Path(path).is_file():
        return None
    from journeykit.log.store import read_stored

    return read_stored(path)


def _good_rows(taken: Taken, on_bad: str) -> NDArray[np.int64] | None:
    """Return the rows that get in, None for all; or raise with counts and an example for each reason."""
    bad = np.zeros(len(taken.customers[0]), dtype=bool)
    for rows in taken.reasons.values():
        bad |= rows
    if bad.all() or (len(taken.quarantine) and on_bad == "raise"):
        said = _reasons_said(taken)
        if bad.all():
            raise LogError(_no_usable(taken.rows_read, said))
        raise LogError(f"{len(taken.quarantine)} bad rows among {taken.rows_read}: {said}")
    return np.flatnonzero(~bad) if bad.any() else None


def _no_usable(rows: int, said: str) -> str:
    return f"no usable row among {rows}" + (f": {said}" if said else "")


def _lost_said(raw: Raw) -> str:
    """Say why no row could even be cut into cells."""
    if not raw.lost:
        return ""
    first = raw.lost[0]
    rows = sum(each.reason == first.reason for each in raw.lost)
    return (
        f"{first.reason}: {rows} rows, for example row {first.row}: {first.text[:200]!r}; the columns are {raw.columns}"
    )


def _reasons_said(taken: Taken) -> str:
    parts = []
    for reason, some in taken.quarantine.groupby("reason", sort=False):
        first = some.iloc[0]
        row = (
            first.drop(["row", "reason"]).dropna()
            if "line" in first and pd.notna(first["line"])
            else first.drop(["row", "reason"])
        )
        parts.append(f"{reason}: {len(some)} rows, for example row {first['row']}: {row.to_dict()}")
    hint = ""
    if taken.times.ambiguous:
        hint = '; 03/04/2024 can be two dates: say time_format, such as "%d/%m/%Y" or "%m/%d/%Y %H:%M"'
    return "; ".join(parts) + hint


def _duplicates_found(columns: Columns, rows: NDArray[np.int64], duplicates: str, timezone: str) -> Finding:
    example = ""
    if rows.size:
        name = columns.touchpoints[1][columns.touchpoints[0][rows[0]]]
        example = f"{name} at {as_timestamp(int(columns.times[rows[0]]), timezone)}"
    return Finding("exact_duplicates", int(rows.size), "merged" if duplicates == "merge" else "kept", example)


def _assemble(columns: Columns, offsets: NDArray[np.int64], asked: Asked) -> tuple[InteractionLog, list[Finding]]:
    times = columns.times
    start, last = int(times.min()), int(times.max())
    end, findings = asked.end, []
    if end is None:
        step = resolution_us(times, asked.timezone)
        end = _end_of_day(last, asked.timezone) if step == DAY else last + step
        shown = str(as_timestamp(end, asked.timezone))
        findings.append(Finding("observed_until_guessed", len(times), "just after the last time", shown))
    log = InteractionLog(
        customers=columns.customers[1],
        offsets=offsets,
        times=times,
        touchpoint_codes=columns.touchpoints[0],
        touchpoints=columns.touchpoints[1],
        start=start,
        observed_until=end,
        timezone=asked.timezone,
        channel_codes=None if columns.channels is None else columns.channels[0],
        channels=None if columns.channels is None else columns.channels[1],
        values=columns.values,
        properties=columns.properties,
    )
    return log, findings


def _end_of_day(moment: int, timezone: str) -> int:
    day = as_timestamp(moment, timezone).tz_localize(None).normalize() + pd.Timedelta(days=1)
    return instant_us(day, timezone)
