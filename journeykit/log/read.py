"""The door: from any raw log to a trusted InteractionLog, with everything found on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError
from journeykit.log.build import Columns, offsets_of, order_rows, repeated_rows
from journeykit.log.calendar import as_timestamp, check_timezone, instant_us
from journeykit.log.encode import encode_customers, encode_names
from journeykit.log.interactions import _OWN_COLUMNS, InteractionLog, Staging
from journeykit.log.quality import Finding, early_times, findings_table, silent_days, similar_names
from journeykit.log.sources import read_source
from journeykit.log.times import ReadTimes, read_times, resolution_us
from journeykit.schema import DAY, check_one_of, did_you_mean


def read_log(
    source: Any,
    *,
    customer: str = "customer",
    time: str = "time",
    touchpoint: str = "touchpoint",
    channel: str | None = None,
    value: str | None = None,
    session: str | None = None,
    sequence: str | None = None,
    timezone: str = "UTC",
    observed_until: object = None,
    stages: Staging | None = None,
    duplicates: str = "merge",
    on_bad: str = "quarantine",
) -> InteractionLog:
    """Read a raw interaction log: one row is one interaction of a customer at a touchpoint.

    Nothing is lost and nothing is mended silently: a row without a customer,
    a time or a touchpoint goes to `log.quarantine` with the reason, and every
    finding stands in `log.quality`. Rows read = rows kept + rows in quarantine
    + duplicates merged.

    Parameters
    ----------
    source : DataFrame, str, Path or list of paths
        A frame; a CSV or TSV (also .gz, .zst) or Parquet file; a glob; or what
        `log.to_parquet` wrote, which comes back as it was.
    customer, time, touchpoint : str
        Columns that say who, when and what.
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

    Returns
    -------
    InteractionLog
        Sorted and coded, with `quality` and `quarantine`.

    Raises
    ------
    LogError
        If a column is missing, no row is usable, or `on_bad="raise"` and a row
        is bad.

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
    if isinstance(source, str | Path) and (stored := _stored(source)) is not None:
        return stored if stages is None else stored.with_stages(stages)
    raw = read_source(source)
    names = {"customer": customer, "time": time, "touchpoint": touchpoint}
    optional = {"channel": channel, "value": value, "session": session, "sequence": sequence}
    roles = _find_roles(raw, names, optional)
    end = None if observed_until is None else instant_us(observed_until, timezone, name="observed_until")

    customers = encode_customers(raw[roles["customer"]])
    touchpoints = encode_names(raw[roles["touchpoint"]])
    times = read_times(raw[roles["time"]], timezone)
    values, bad_values = _read_values(raw[roles["value"]]) if "value" in roles else (None, None)
    reasons = _reasons(customers[0], touchpoints[0], times, bad_values, end)
    good = _set_aside(raw, reasons, on_bad)
    properties, renamed = _properties(raw, roles)
    columns = Columns(
        customers=customers,
        times=times.microseconds,
        touchpoints=touchpoints,
        channels=encode_names(raw[roles["channel"]]) if "channel" in roles else None,
        values=values,
        sequence=_sequence(raw[roles["sequence"]]) if "sequence" in roles else None,
        properties=properties,
    )
    if not good.all():
        columns = columns.take(np.flatnonzero(good))
    order = order_rows(columns)
    repeated = repeated_rows(columns, order)
    duplicates_found = _duplicates_found(columns, order[repeated], duplicates, timezone)
    ordered = columns.take(np.delete(order, repeated) if duplicates == "merge" else order)
    log, bounds = _assemble(ordered, end, timezone)
    findings = [
        *_bad_row_findings(raw, reasons, roles),
        duplicates_found,
        *(Finding(f"time: {what}", rows, _TIME_ACTIONS.get(what, "read so")) for what, rows in times.notes.items()),
        *renamed,
        *bounds,
        *_findings_of(log, columns.times),
    ]
    object.__setattr__(log, "quality", findings_table(findings, len(raw)))
    object.__setattr__(log, "quarantine", _quarantine(raw, reasons))
    object.__setattr__(log, "rows_read", len(raw))
    object.__setattr__(log, "duplicates_merged", int(repeated.size) if duplicates == "merge" else 0)
    return log if stages is None else log.with_stages(stages)


_TIME_ACTIONS = {
    "finer than a microsecond": "cut to whole microseconds",
    "repeated local time": "read as the earlier of the two",
    "skipped local time": "moved to the end of the gap",
}


def _duplicates_found(columns: Columns, rows: NDArray[np.int64], duplicates: str, timezone: str) -> Finding:
    example = ""
    if rows.size:
        name = columns.touchpoints[1][columns.touchpoints[0][rows[0]]]
        example = f"{name} at {as_timestamp(int(columns.times[rows[0]]), timezone)}"
    return Finding("exact_duplicates", int(rows.size), "merged" if duplicates == "merge" else "kept", example)


def _stored(path: str | Path) -> InteractionLog | None:
    """Return the log that `to_parquet` wrote, or None if the file is anything else."""
    if not str(path).lower().endswith((".parquet", ".pq")) or not Path(path).is_file():
        return None
    from journeykit.log.store import read_stored

    return read_stored(path)


def _find_roles(raw: pd.DataFrame, names: dict[str, str], optional: dict[str, str | None]) -> dict[str, str]:
    """Find the column of each role; a role's own name is used if nothing else is said."""
    if not raw.columns.is_unique:
        twice = raw.columns[raw.columns.duplicated()].tolist()
        raise LogError(f"column names must differ, but {twice} occur twice")
    roles = dict(names)
    taken = {*names.values(), *(name for name in optional.values() if name)}
    for role, name in optional.items():
        if name is not None:
            roles[role] = name
        elif role in raw.columns and role not in taken:
            roles[role] = role
    missing = {role: name for role, name in roles.items() if name not in raw.columns}
    if missing:
        said = "; ".join(
            f'no column {name!r} for the {role} (say {role}="…"; {did_you_mean(name, raw.columns)})'
            for role, name in missing.items()
        )
        raise LogError(f"the source lacks columns: {said}")
    return roles


def _reasons(
    customers: NDArray[np.int32],
    touchpoints: NDArray[np.int32],
    times: ReadTimes,
    bad_values: NDArray[np.bool_] | None,
    end: int | None,
) -> dict[str, NDArray[np.bool_]]:
    """Mark the rows that can't get in, by reason; a row has the first reason that fits."""
    tests = {
        "missing_customer": customers < 0,
        "missing_time": times.missing,
        "unparseable_time": times.bad,
        "missing_touchpoint": touchpoints < 0,
    }
    if bad_values is not None:
        tests["unparseable_value"] = bad_values
    if end is not None:
        tests["after_observed_until"] = ~times.missing & ~times.bad & (times.microseconds >= end)
    taken = np.zeros(len(customers), dtype=bool)
    reasons = {}
    for reason, rows in tests.items():
        new = rows & ~taken
        if new.any():
            reasons[reason] = new
            taken |= new
    return reasons


def _set_aside(raw: pd.DataFrame, reasons: dict[str, NDArray[np.bool_]], on_bad: str) -> NDArray[np.bool_]:
    """Return the rows that get in, or raise with counts and an example for each reason."""
    bad = np.zeros(len(raw), dtype=bool)
    for rows in reasons.values():
        bad |= rows
    if bad.all() or (bad.any() and on_bad == "raise"):
        first = {reason: int(np.argmax(rows)) for reason, rows in reasons.items()}
        said = "; ".join(
            f"{reason}: {int(rows.sum())} rows, for example row {first[reason]}: {raw.iloc[first[reason]].to_dict()}"
            for reason, rows in reasons.items()
        )
        heading = f"no usable row among {len(raw)}" if bad.all() else f"{int(bad.sum())} bad rows among {len(raw)}"
        raise LogError(f"{heading}: {said}" if said else heading)
    return ~bad


def _read_values(column: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read money as numbers; a missing one is NaN, an unreadable one is bad."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    blank = column.isna().to_numpy(dtype=bool)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        blank |= (column.astype("string").str.strip() == "").fillna(True).to_numpy(dtype=bool)
    return numbers, (np.isnan(numbers) & ~blank) | np.isinf(numbers)


def _sequence(column: pd.Series) -> pd.Series:
    """Read the order of ties: numbers if they all are, else as they are."""
    numbers = pd.to_numeric(column, errors="coerce")
    return (numbers if bool((numbers.notna() | column.isna()).all()) else column).reset_index(drop=True)


def _properties(raw: pd.DataFrame, roles: dict[str, str]) -> tuple[dict[str, pd.Series], list[Finding]]:
    """Keep all further columns; one that bears a name of ours is renamed, and that is a finding."""
    used = {name for role, name in roles.items() if role not in ("session", "sequence")}
    kept: dict[str, pd.Series] = {}
    renamed = []
    own_names = {"session": roles.get("session"), "sequence": roles.get("sequence")}
    for name in raw.columns:
        if name in used:
            continue
        role = next((role for role, column in own_names.items() if column == name), None)
        final = role or str(name)
        while final in kept or (role is None and final in (*_OWN_COLUMNS, *(r for r, c in own_names.items() if c))):
            final = f"{final}_property"
        if role is None and final != str(name):
            renamed.append(Finding("renamed_property", len(raw), f"kept as {final!r}", str(name)))
        kept[final] = raw[name].reset_index(drop=True)
    return kept, renamed


def _assemble(columns: Columns, end: int | None, timezone: str) -> tuple[InteractionLog, list[Finding]]:
    times = columns.times
    start, last = int(times.min()), int(times.max())
    findings = []
    if end is None:
        step = resolution_us(times, timezone)
        end = _end_of_day(last, timezone) if step == DAY else last + step
        shown = str(as_timestamp(end, timezone))
        findings.append(Finding("observed_until_guessed", len(times), "just after the last time", shown))
    log = InteractionLog(
        customers=columns.customers[1],
        offsets=offsets_of(columns.customers[0], len(columns.customers[1])),
        times=times,
        touchpoint_codes=columns.touchpoints[0],
        touchpoints=columns.touchpoints[1],
        start=start,
        observed_until=end,
        timezone=timezone,
        channel_codes=None if columns.channels is None else columns.channels[0],
        channels=None if columns.channels is None else columns.channels[1],
        values=columns.values,
        properties=columns.properties,
    )
    return log, findings


def _end_of_day(moment: int, timezone: str) -> int:
    day = as_timestamp(moment, timezone).tz_localize(None).normalize() + pd.Timedelta(days=1)
    return instant_us(day, timezone)


def _findings_of(log: InteractionLog, times: NDArray[np.int64]) -> list[Finding]:
    """Look at the whole log; `times` are its times as they came: mostly in order, and so quicker to go through."""
    counts = np.bincount(log.touchpoint_codes, minlength=len(log.touchpoints))
    silent, first = silent_days(times, log.period_edges("day"), log.timezone)
    return [
        early_times(times, log.timezone),
        similar_names(log.touchpoints, counts),
        Finding("days_without_events", silent, "counted in days", first),
    ]


def _bad_row_findings(raw: pd.DataFrame, reasons: dict[str, NDArray[np.bool_]], roles: dict[str, str]) -> list[Finding]:
    about = {"unparseable_time": "time", "after_observed_until": "time", "unparseable_value": "value"}
    findings = []
    for reason, rows in reasons.items():
        row = int(np.argmax(rows))
        example = f"row {row}"
        if reason in about:
            example += f": {raw[roles[about[reason]]].iloc[row]!s}"
        findings.append(Finding(reason, int(rows.sum()), "quarantined", example))
    return findings


def _quarantine(raw: pd.DataFrame, reasons: dict[str, NDArray[np.bool_]]) -> pd.DataFrame:
    parts = [pd.DataFrame({"row": np.flatnonzero(rows), "reason": name}) for name, rows in reasons.items()]
    ours = pd.concat([pd.DataFrame({"row": pd.Series(dtype=np.int64), "reason": pd.Series(dtype=object)}), *parts])
    ours = ours.sort_values("row", ignore_index=True)
    rows = ours["row"].to_numpy(np.int64)
    theirs = raw.iloc[rows].reset_index(drop=True)
    theirs.columns = pd.Index([f"{name}_property" if name in ("row", "reason") else name for name in theirs.columns])
    return pd.concat([ours, theirs], axis=1)
