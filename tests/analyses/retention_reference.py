"""Retention the slow way: one customer after the other, straight from the definitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

LENGTH = {"hour": "1h", "day": "1d", "week": "7d", "month": "30d", "quarter": "90d", "year": "365d"}


@dataclass
class Asked:
    """What is asked, in the words of `retention`; `starts` and `comes_back` judge one event."""

    timezone: str
    observed_from: pd.Timestamp
    observed_until: pd.Timestamp
    period: str = "month"
    cohort: str = "first"
    mode: str = "on"
    horizon: int | None = None
    columns: list[int] | None = None
    windows: str = "calendar"
    min_events: int = 1
    base: str = "cohort"
    washout: Any = field(default_factory=lambda: pd.Timedelta(0))
    between: tuple[pd.Timestamp | None, pd.Timestamp | None] = (None, None)
    week_start: str = "monday"
    starts: Any = lambda event: True
    named: Any = lambda event: True  # the start's name fits, whatever its conditions
    comes_back: Any = lambda event: True
    segment: Any = lambda first, start: ""
    row: Any = None
    left_out: dict[str, int] = field(default_factory=dict)


def period_number(time: pd.Timestamp, asked: Asked) -> int:
    """Count calendar periods; two instants have the same number if they lie in the same local period."""
    local = time.tz_convert(asked.timezone)
    day = local.tz_localize(None).normalize().toordinal()
    if asked.period == "hour":  # elapsed hours that begin with the local ones
        return int((time.timestamp() + local.utcoffset().total_seconds() % 3600) // 3600)
    if asked.period == "week":
        return (day - 1 if asked.week_start == "monday" else day) // 7
    return {
        "day": day,
        "month": local.year * 12 + local.month,
        "quarter": local.year * 4 + local.quarter,
        "year": local.year,
    }[asked.period]


def reference(events: list[dict[str, Any]], asked: Asked) -> dict[tuple[Any, Any, int], dict[str, Any]]:
    """Return (segment, row, column) -> customers, base, back, so_far, status."""
    until = asked.observed_until
    opens = max(asked.observed_from + asked.washout, asked.between[0] or asked.observed_from)
    closes = min(until, asked.between[1] or until)
    number = lambda time: period_number(time, asked)  # noqa: E731
    first_cohort, last_cohort = number(opens), number(closes - pd.Timedelta("1us"))
    length = pd.Timedelta(LENGTH[asked.period])
    rolling = asked.windows == "rolling"
    running = number(until)  # the first period that has not elapsed

    if asked.columns:
        spans, low = [(0, 0)], 1
        for width in asked.columns:
            spans.append((low, low + width - 1))
            low += width
    elif asked.horizon:
        spans = [(age, age) for age in range(asked.horizon + 1)]
    elif rolling:
        spans = []
        while opens + len(spans) * length < until:
            spans.append((len(spans), len(spans)))
    else:
        n = number(until - pd.Timedelta("1us")) - first_cohort + 1
        spans = [(age, age) for age in range(n)]

    entries = []
    by_customer: dict[Any, list[dict[str, Any]]] = {}
    for event in events:
        by_customer.setdefault(event["customer"], []).append(event)
    for customer, theirs in by_customer.items():
        theirs = sorted(theirs, key=lambda event: event["time"])
        found = start_events(theirs, asked)
        reason = None
        if not found:
            has_name = asked.cohort == "first_ever" and any(asked.named(event) for event in theirs)
            reason = "first_fails" if has_name else "no_start"
        elif theirs[0]["time"] < asked.observed_from + asked.washout:
            reason = "washout"
        else:
            candidates = found if asked.cohort == "every" else found[:1]
            found = [event for event in candidates if opens <= event["time"] < closes]
            reason = None if found else "outside"
        if reason:
            asked.left_out[reason] = asked.left_out.get(reason, 0) + 1
            continue
        segment = asked.segment(theirs[0], found[0])
        for cohort in sorted({number(event["time"]) for event in found}):
            start = next(event["time"] for event in found if number(event["time"]) == cohort)
            units: dict[int, int] = {}
            for event in theirs:
                if asked.comes_back(event):
                    unit = (event["time"] - start) // length if rolling else number(event["time"]) - cohort
                    units[unit] = units.get(unit, 0) + 1
            active = {unit for unit, count in units.items() if unit > 0 and count >= asked.min_events}
            if rolling:
                elapsed = [start + (high + 1) * length <= until for _, high in spans]
                begun = [start + low * length < until for low, _ in spans]
            else:
                elapsed = [cohort + high < running for _, high in spans]
                begun = [cohort + low <= number(until - pd.Timedelta("1us")) for low, _ in spans]
            entries.append(
                {
                    "segment": segment,
                    "row": cohort if asked.row is None else asked.row(theirs[0], found[0]),
                    "cohort": cohort,
                    "customer": customer,
                    "in": columns_back(active, spans, asked),
                    "elapsed": elapsed,
                    "begun": begun,
                }
            )
    cells = {}
    for segment in sorted({entry["segment"] for entry in entries}):
        of_segment = [entry for entry in entries if entry["segment"] == segment]
        rows = range(first_cohort, last_cohort + 1) if asked.row is None else sorted({e["row"] for e in of_segment})
        for row in rows:
            members = [entry for entry in of_segment if entry["row"] == row]
            for column in range(len(spans)):
                cells[segment, row, column] = cell(members, row, column, spans, asked, running, opens, closes)
    return cells


def start_events(theirs: list[dict[str, Any]], asked: Asked) -> list[dict[str, Any]]:
    """Events that start this customer, in order."""
    if asked.cohort == "first_ever":
        named = [event for event in theirs if asked.named(event)]
        return named[:1] if named and asked.starts(named[0]) else []
    return [event for event in theirs if asked.starts(event)]


def columns_back(active: set[int], spans: list[tuple[int, int]], asked: Asked) -> set[int]:
    """Columns in which somebody active in these units counts."""
    on = {column for column, (low, high) in enumerate(spans) if any(low <= unit <= high for unit in active)}
    if asked.mode == "on":
        return on | {0}
    if asked.horizon is None and any(unit > spans[-1][1] for unit in active):
        return set(range(len(spans)))
    return set(range(max(on, default=0) + 1))


def cell(members, row, column, spans, asked, running, opens, closes):  # type: ignore[no-untyped-def]
    low = spans[column][0]
    rolling, or_after = asked.windows == "rolling", asked.mode == "on_or_after"
    so_far_only = or_after and asked.horizon is None
    judged = len(spans) - 1 if or_after and not so_far_only else column
    in_base = [m for m in members if (m["begun"][column] if so_far_only else m["elapsed"][judged])]
    back = [m for m in in_base if column in m["in"]]
    if asked.base == "previous" and column > 0:
        in_base = [m for m in in_base if column - 1 in m["in"]]
        if so_far_only:
            in_base = [m for m in members if column - 1 in m["in"]]
    customers = len(members)
    if asked.row is not None:
        elapsed = [m for m in members if m["elapsed"][judged]]
        status = "finished" if elapsed else "unfinished" if any(m["begun"][column] for m in members) else "future"
    elif not rolling:
        status = "finished" if row + spans[judged][1] < running else "unfinished"
        if row + low > period_number(asked.observed_until - pd.Timedelta("1us"), asked):
            status = "future"
    elif members:
        over = row < running or (asked.between[1] is not None and asked.between[1] <= asked.observed_until)
        complete = all(m["elapsed"][judged] for m in members)
        status = "finished" if over and complete else "unfinished"
        if not any(m["begun"][column] for m in members):
            status = "future"
    else:
        status = None  # nobody's clock runs: not compared
    if so_far_only and status not in (None, "future"):
        status = "so far"
    return {
        "customers": customers,
        "base": len(in_base),
        "back": len(back),
        "so_far": sum(column in m["in"] for m in members),
        "status": status,
    }
