"""Conversion curves and trends said slowly, a customer at a time, straight from DEFINITIONS.md.

Nothing here is shared with the package. Rows are (customer, touchpoint, day);
steps are sets of touchpoints that do not overlap, or are all the same, so that
events of one day may be taken in the order of the steps, unless their stored
order is trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

Row = tuple[str, str, int]


def by_customer(
    rows: Sequence[Row], steps: Sequence[str], ties: str = "any"
) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Each customer's events in order of time, those of one day in the order of the steps, or as stored."""

    def place(row: Row) -> tuple[str, int, int]:
        number = next((k for k, step in enumerate(steps) if row[1] in step), len(steps))
        return row[0], row[2], number if ties == "any" else 0

    for customer, own in groupby(sorted(rows, key=place), key=lambda row: row[0]):
        yield customer, [(touchpoint, day) for _, touchpoint, day in own]


def slow_entries(
    rows: Sequence[Row],
    steps: Sequence[str],
    end: float,
    *,
    within: float = float("inf"),
    span: tuple[float, float] = (float("-inf"), float("inf")),
    others: dict[str, str] | None = None,
    every: bool = False,
    ties: str = "any",
) -> list[tuple[str, int, str, float]]:
    """(customer, day of entry, how it ends, after how many days) of each clock; "" is censored."""
    found = []
    for customer, events in by_customer(rows, steps, ties):
        starts = [
            i for i, (touchpoint, day) in enumerate(events) if touchpoint in steps[0] and span[0] <= day < span[1]
        ]
        for start in starts if every else starts[:1]:
            entered = events[start][1]
            limit = min(within, end - entered - 1e-9)  # observation ends just before its end
            if ties == "stored":
                found.append((customer, entered, *_as_stored(events[start:], steps, limit, others or {})))
                continue
            wanted, ending, after = 1, "", limit
            same_day = [event for event in events[:start] if event[1] == entered]  # may as well have come after it
            for touchpoint, day in [*same_day, *events[start + 1 :]]:
                if wanted < len(steps) and touchpoint in steps[wanted]:
                    wanted += 1
                    if wanted == len(steps):
                        if day - entered <= limit:
                            ending, after = "converted", day - entered
                        break
            for name, touchpoints in (others or {}).items():
                days = [day for touchpoint, day in events if touchpoint in touchpoints and day > entered]
                took = min(days, default=float("inf")) - entered
                if took < after or (took == after and not ending):  # on the same day conversion counts
                    ending, after = name, took
            found.append((customer, entered, ending, after))
    return found


def _as_stored(
    events: list[tuple[str, int]], steps: Sequence[str], limit: float, others: dict[str, str]
) -> tuple[str, float]:
    """How the clock of the first event ends, and after how many days: whichever end is stored first."""
    wanted, entered = 1, events[0][1]
    for touchpoint, day in events[1:]:
        if day - entered > limit:
            break
        wanted += touchpoint in steps[wanted]
        if wanted == len(steps):
            return "converted", day - entered
        for name, touchpoints in others.items():
            if touchpoint in touchpoints:
                return name, day - entered
    return "", limit


def slow_incidence(clocks: list[tuple[float, str]], end: str, time: float) -> float:
    """Aalen and Johansen's share that came to an end by a time, one day after the other."""
    left, share = 1.0, 0.0
    for moment in sorted({after for after, ending in clocks if ending and after <= time}):
        at_risk = sum(after >= moment for after, _ in clocks)
        share += left * sum(after == moment and ending == end for after, ending in clocks) / at_risk
        left *= 1 - sum(after == moment and bool(ending) for after, ending in clocks) / at_risk
    return share


def slow_periods(
    rows: Sequence[Row],
    steps: Sequence[str],
    within: float,
    length: int,
    clock: str,
    span: tuple[float, float],
    ties: str = "any",
) -> list[dict[str, Any]]:
    """One record a customer and period: the day of its entry, the furthest step, the day of conversion or None."""
    found = []
    for customer, events in by_customer(rows, steps, ties):
        days = [day for touchpoint, day in events if touchpoint in steps[0] and span[0] <= day < span[1]]
        for period in sorted({day // length for day in days}):
            attempts: list[list[int]] = []  # [day of step 1, level]
            entered, converted = None, None
            for touchpoint, day in events:
                for attempt in attempts:
                    if attempt[1] < len(steps) and touchpoint in steps[attempt[1]] and day - attempt[0] <= within:
                        attempt[1] += 1
                arrived = [attempt[0] for attempt in attempts if attempt[1] == len(steps)]
                if arrived:
                    entered, converted = max(arrived), day
                    break  # a converted period is closed
                opens = touchpoint in steps[0] and span[0] <= day < span[1] and day // length == period
                if opens and (clock == "last" or not attempts):
                    attempts.append([day, 1])
                    entered = day
            level = max(attempt[1] for attempt in attempts)
            found.append(
                {"customer": customer, "period": period, "entered": entered, "level": level, "converted": converted}
            )
    return found
