"""Take in a source batch by batch: columns become codes and numbers, rows that look wrong are kept whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.amounts import AmountReader, ReadAmounts
from journeykit.log.encode import Codes, CustomerCoder, NameCoder, combine
from journeykit.log.pieces import Batch, as_series, column_of, n_rows, rows_of
from journeykit.log.properties import PropertyReader
from journeykit.log.quality import Finding
from journeykit.log.roles import Roles
from journeykit.log.rules.rows import out_of_range_time
from journeykit.log.sources.raw import Lost, Raw
from journeykit.log.time_pieces import ReadTimes
from journeykit.log.times import TimeReader
from journeykit.loops.engine import n_threads

OWN_NAMES = ("customer", "time", "touchpoint", "channel", "stage", "value")

_ABOUT = {
    "unparseable_time": "time",
    "out_of_range_time": "time",
    "after_observed_until": "time",
    "unparseable_value": "value",
}
_BROKEN = ("unclosed_quote", "broken_line", "undecodable_line", "invalid_json")


@dataclass(frozen=True)
class Asked:
    """What the caller said about the cells.

    Attributes
    ----------
    timezone : str
        Zone of times without an offset.
    end : int or None
        `observed_until`, if given.
    time_format, decimal : str or None
        How times and decimals are written.
    time_range : mapping or None
        Thresholds of `out_of_range_time`; None if that rule is off.
    """

    timezone: str
    end: int | None
    time_format: str | None
    decimal: str | None
    time_range: Any


@dataclass(frozen=True)
class Taken:
    """A source as taken in; one entry a row that could be cut into cells, in the source's order.

    Attributes
    ----------
    customers, touchpoints, channels : tuple of codes and names
        Code -1 is missing.
    times, amounts : ReadTimes, ReadAmounts
        Numbers, and which could not be read.
    sequence : Series or None
        The order of ties.
    properties : dict of str to Series
        Further columns.
    reasons : dict of str to array of bool
        Why rows can't get in; a row has the first reason that fits.
    quarantine : DataFrame
        Those rows and the lost ones, whole, with `row` and `reason`.
    findings : list of Finding
        What was found in reading, and about the rows.
    rows_read : int
        Rows taken in and lost.
    """

    customers: Codes
    touchpoints: Codes
    channels: Codes | None
    times: ReadTimes
    amounts: ReadAmounts | None
    sequence: pd.Series | None
    properties: dict[str, pd.Series]
    reasons: dict[str, NDArray[np.bool_]]
    quarantine: pd.DataFrame
    findings: list[Finding]
    rows_read: int


class Intake:
    """Takes in batches; `finish` decides what only the whole column can tell."""

    def __init__(self, raw: Raw, roles: Roles, asked: Asked) -> None:
        self.raw = raw
        self.roles = roles
        self.asked = asked
        self.rows = 0
        self._customers = [CustomerCoder(raw.untyped) for _ in roles.customer]
        self._touchpoints = NameCoder()
        self._channels = NameCoder() if "channel" in roles else None
        self._times = TimeReader(asked.timezone, asked.time_format)
        self._amounts = AmountReader(asked.decimal) if "value" in roles else None
        self._sequence: list[pd.Series] = []
        self._names, self._renamed = _property_names(raw.columns, roles)
        self._properties = {final: PropertyReader() for final in self._names.values()}
        self._suspects: list[tuple[NDArray[np.int64], pd.DataFrame]] = []

    def add(self, batch: Batch) -> None:
        """Take in some rows."""
        suspect = np.zeros(n_rows(batch), dtype=bool)
        for coder, column in zip(self._customers, self.roles.customer, strict=True):
            suspect |= coder.add(column_of(batch, column))
        suspect |= self._touchpoints.add(column_of(batch, self.roles["touchpoint"]))
        if self._channels is not None:
            self._channels.add(column_of(batch, self.roles["channel"]))
        times = self._times.add(column_of(batch, self.roles["time"]))
        suspect |= times.missing | times.bad
        for marked in self._out_of_time(times).values():
            suspect |= marked
        if self._amounts is not None:
            suspect |= self._amounts.add(column_of(batch, self.roles["value"]))
        if "sequence" in self.roles:
            self._sequence.append(as_series(column_of(batch, self.roles["sequence"])))
        for column, final in self._names.items():
            self._properties[final].add(column_of(batch, column))
        rows = np.flatnonzero(suspect)
        if rows.size:
            self._suspects.append((rows + self.rows, rows_of(batch, rows)))
        self.rows += len(suspect)

    def _out_of_time(self, times: ReadTimes) -> dict[str, NDArray[np.bool_]]:
        known = ~(times.missing | times.bad)
        found = {}
        if self.asked.time_range is not None:
            found["out_of_range_time"] = known & out_of_range_time(times.microseconds, **self.asked.time_range)
        if self.asked.end is not None:
            found["after_observed_until"] = known & (times.microseconds >= self.asked.end)
        return found

    def finish(self) -> Taken:
        """Return the whole source."""
        # A thread a column: numpy and Arrow let go of the interpreter for most of it.
        with ThreadPoolExecutor(n_threads()) as pool:
            coming = [pool.submit(coder.finish) for coder in self._customers]
            times_coming = pool.submit(self._times.finish)
            touchpoints_coming = pool.submit(self._touchpoints.finish)
            channels = None if self._channels is None else pool.submit(self._channels.finish).result()
            amounts = None if self._amounts is None else pool.submit(self._amounts.finish).result()
            parts = [each.result() for each in coming]
            times, touchpoints = times_coming.result(), touchpoints_coming.result()
        customers = parts[0] if len(parts) == 1 else combine(parts)
        tests: dict[str, NDArray[np.bool_]] = {}
        if self._suspects:  # where no row looked wrong by itself, none has to be looked at again
            tests = {
                "missing_customer": customers[0] < 0,
                "missing_time": times.missing,
                "unparseable_time": times.bad,
                "missing_touchpoint": touchpoints[0] < 0,
                **({} if amounts is None else {"unparseable_value": amounts.bad}),
                **self._out_of_time(times),
            }
        reasons = _first_reasons(tests, self.rows)
        quarantine = self._quarantine(reasons)
        rows_read = self.rows + len(self.raw.lost)
        return Taken(
            customers=customers,
            touchpoints=touchpoints,
            channels=channels,
            times=times,
            amounts=amounts,
            sequence=_sequence(self._sequence) if self._sequence else None,
            properties={final: reader.finish() for final, reader in self._properties.items()},
            reasons=reasons,
            quarantine=quarantine,
            findings=[
                *(replace(found, rows=rows_read) for found in self.roles.findings),
                *self.raw.findings,
                *self._about_lost(),
                *self._about_rows(reasons, quarantine, times),
                *(Finding(what, rows, _TIME_ACTIONS.get(what, "read so")) for what, rows in times.notes.items()),
                *([Finding("decimal_comma", amounts.commas, "read so")] if amounts is not None else []),
                *(replace(found, rows=rows_read) for found in self._renamed),
            ],
            rows_read=rows_read,
        )

    def _quarantine(self, reasons: dict[str, NDArray[np.bool_]]) -> pd.DataFrame:
        """Rows that can't get in, by their place in the source: those cut into cells, and the lost ones."""
        names = np.array([*reasons, ""], dtype=object)
        kind = np.full(self.rows, len(reasons), np.int8)
        for i, marked in enumerate(reasons.values()):
            kind[marked] = i
        columns = [f"{name}_property" if name in ("row", "reason", "line") else name for name in self.raw.columns]
        parts = []
        for rows, frame in self._suspects:
            bad = kind[rows] < len(reasons)
            part = frame[bad]
            if list(part.columns) != self.raw.columns:  # this file lacks some, or has them in another order
                part = part.reindex(columns=self.raw.columns)
            part = part.set_axis(pd.Index(columns, dtype=object), axis=1).reset_index(drop=True)
            part.insert(0, "row", self._places(rows[bad]))
            part.insert(1, "reason", names[kind[rows[bad]]])
            if len(part):
                parts.append(part)
        if self.raw.lost:
            lost = pd.DataFrame([(each.row, each.reason, each.text) for each in self.raw.lost])
            parts.append(lost.set_axis(["row", "reason", "line"], axis=1))
        if not parts:
            return pd.DataFrame(
                {
                    "row": pd.Series(dtype=np.int64),
                    "reason": pd.Series(dtype=object),
                    **dict.fromkeys(columns, pd.Series(dtype=object)),
                }
            )
        together = (
            parts[0] if len(parts) == 1 else pd.concat([part.astype(object) for part in parts], ignore_index=True)
        )
        return together.astype({"row": np.int64}).sort_values("row", kind="stable", ignore_index=True)

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the source of rows that were cut into cells: lost rows stand between them."""
        lost = np.sort(np.array([each.row for each in self.raw.lost], dtype=np.int64))
        return rows + np.searchsorted(lost - np.arange(len(lost)), rows, side="right")

    def _about_lost(self) -> list[Finding]:
        findings = []
        for reason in _BROKEN:
            some = [each for each in self.raw.lost if each.reason == reason]
            if some:
                example = _swallowed(some) if reason == "unclosed_quote" else f"row {some[0].row}: {some[0].text[:80]}"
                findings.append(Finding(reason, len(some), "quarantined", example, personal=True))
        return findings

    def _about_rows(
        self, reasons: dict[str, NDArray[np.bool_]], quarantine: pd.DataFrame, times: ReadTimes
    ) -> list[Finding]:
        findings = []
        for reason, rows in reasons.items():
            first = quarantine[quarantine["reason"] == reason].iloc[0]
            example = f"row {first['row']}"
            if reason in _ABOUT:
                example += f": {first[_shown(self.roles[_ABOUT[reason]])]!s}"
            if reason == "unparseable_time" and times.ambiguous:
                example += f"; {times.ambiguous} could be two dates: say time_format"
            findings.append(Finding(reason, int(rows.sum()), "quarantined", example))
        return findings


_TIME_ACTIONS = {
    "finer_than_microseconds": "cut to microseconds",
    "repeated_local_time": "read as the earlier",
    "skipped_local_time": "moved past the gap",
}


def _shown(column: Any) -> Any:
    """Name of a source's column in the quarantine."""
    return f"{column}_property" if column in ("row", "reason", "line") else column


def _swallowed(lost: list[Lost]) -> str:
    """Say where a quote opens that does not close as it should, and how many lines went with it."""
    runs = [0]
    for i in range(1, len(lost)):
        if lost[i].row != lost[i - 1].row + 1:
            runs.append(i)
    longest = max(zip(runs, [*runs[1:], len(lost)], strict=True), key=lambda run: run[1] - run[0])
    first = lost[longest[0]]
    return f"row {first.row}: {first.text[:80]} (swallowed {longest[1] - longest[0]} lines)"


def _first_reasons(tests: dict[str, NDArray[np.bool_]], rows: int) -> dict[str, NDArray[np.bool_]]:
    taken = np.zeros(rows, dtype=bool)
    reasons = {}
    for reason, marked in tests.items():
        new = marked & ~taken
        if new.any():
            reasons[reason] = new
            taken |= new
    return reasons


def _sequence(pieces: list[pd.Series]) -> pd.Series:
    """Put the order of ties together."""
    column = pieces[0] if len(pieces) == 1 else pd.concat(pieces, ignore_index=True)
    return column.reset_index(drop=True)


def _property_names(columns: list[Any], roles: Roles) -> tuple[dict[Any, str], list[Finding]]:
    """Name the further columns; one that bears a name of ours is renamed, and that is a finding.

    The parts of a customer of several columns stay: a shop or a country among
    them is worth splitting by.
    """
    by_role = {roles[role]: role for role in ("session", "sequence") if role in roles}
    used = {name for role, name in roles.columns.items() if role not in ("session", "sequence", "customer")}
    used |= set(roles.customer) if len(roles.customer) == 1 else set()
    kept: dict[Any, str] = {}
    renamed = []
    for name in columns:
        if name in used:
            continue
        final = by_role.get(name) or str(name)
        while final in kept.values() or (name not in by_role and final in (*OWN_NAMES, *by_role.values())):
            final = f"{final}_property"
        if name not in by_role and final != str(name):
            renamed.append(Finding("renamed_property", 1, "renamed", f"{name!s} is kept as {final}"))
        kept[name] = final
    return kept, renamed
