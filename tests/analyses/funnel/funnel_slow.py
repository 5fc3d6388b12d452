"""A whole funnel said slowly: units, groups, held values, clusters, and the numbers of the table, in loops.

The matching is `funnel_reference`'s; nothing is shared with the package but the
formulas of clustered intervals, which have tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.proportions import clustered_rate, customer_sums, wilson
from tests.analyses.funnel.funnel_reference import Event, Rules, best_attempt, counted_attempts

DAY = 86_400
MISSING = "(missing)"


@dataclass(frozen=True)
class Row:
    """One row of the log; time in days."""

    customer: str
    touchpoint: str
    time: float
    values: dict[str, Any]


@dataclass(frozen=True)
class Counted:
    """One attempt: whose, in which group, how far (below 0: spoilt), by which events."""

    owner: str
    unit: Any
    group: str | None
    level: int
    filled: dict[int, Event]


@dataclass(frozen=True)
class Asked:
    """A funnel's options, as the slow version takes them."""

    steps: list[set[str]]
    rules: Rules
    spoilers: tuple[str, ...] = ()
    count: str = "best"
    unit: str = "customer"
    hold: tuple[str, ...] = ()
    by: str | None = None
    by_value: str = "step 1"
    maturity: str = "mature"
    until: float = 0.0

    @property
    def base(self) -> str:
        if self.maturity == "all":
            return "all"
        return "so_far" if self.rules.within == float("inf") else "mature"


def units_of(rows: list[Row], unit: str) -> dict[Any, tuple[str, list[Row]]]:
    """Unit → (its customer, its rows in order); rows without one are left out."""
    ordered = sorted(enumerate(rows), key=lambda each: (each[1].time, each[1].customer, each[0]))
    units: dict[Any, tuple[str, list[Row]]] = {}
    for _, row in ordered:
        # Times are whole days: a session of 30 minutes is what one customer does at one instant.
        key = {"customer": row.customer, "journey": row.customer, "session": (row.customer, row.time)}.get(unit, "?")
        if key == "?":
            key = row.values[unit]
        if key is None:
            continue
        units.setdefault(key, (row.customer, []))[1].append(row)
    return units


def events_of(rows: list[Row], asked: Asked) -> list[Event]:
    return [
        Event(
            number,
            row.time,
            frozenset(k for k, step in enumerate(asked.steps, start=1) if row.touchpoint in step),
            frozenset(x for x, name in enumerate(asked.spoilers) if row.touchpoint == name),
            row,
        )
        for number, row in enumerate(rows)
    ]


def matched(rows: list[Row], asked: Asked, *, mature: bool) -> list[Counted]:
    """Every attempt that is counted, those spoilt included."""
    until = asked.rules.opens_until
    rules = replace(asked.rules, opens_until=min(until, asked.until - asked.rules.within) if mature else until)
    found = []
    for unit, (owner, own) in units_of(rows, asked.unit).items():
        for group, events in groups_of(events_of(own, asked), asked):
            for level, filled in runs(events, asked, rules):
                label = group if asked.by_value == "all" or asked.by is None else segment(filled, level, asked)
                found.append(Counted(owner, unit, label, level, filled))
    return found


def groups_of(events: list[Event], asked: Asked) -> Iterable[tuple[str | None, list[Event]]]:
    """With by_value="all", the events of each value."""
    if asked.by is None or asked.by_value != "all":
        yield None, events
        return
    for value in sorted({named(event, asked.by) for event in events}):
        yield value, [event for event in events if named(event, asked.by) == value]


def named(event: Event, column: str) -> str:
    value = event.value.values[column]
    return MISSING if value is None else str(value)


def runs(events: list[Event], asked: Asked, rules: Rules) -> list[tuple[int, dict[int, Event]]]:
    """The attempts of one unit (and group): of all held values, or the best of them."""
    match = counted_attempts if asked.count == "attempts" else lambda *given: [best_attempt(*given)]
    if not asked.hold:
        return [each for each in match(events, rules) if each[0] != 0]
    begins = [event for event in events if (event.steps if rules.order == "any" else 1 in event.steps)]
    if rules.entry == "first" and begins:
        rules = replace(rules, entry="any", only_at=begins[0])
    held = {tuple(event.value.values[column] for column in asked.hold) for event in events}
    found = []
    for values in sorted(each for each in held if None not in each):
        own = [event for event in events if tuple(event.value.values[column] for column in asked.hold) == values]
        found += [each for each in match(own, rules) if each[0] != 0]
    if asked.count == "attempts" or not found:
        return found
    furthest = max(abs(level) for level, _ in found)
    equals = [each for each in found if abs(each[0]) == furthest]
    clean = [each for each in equals if each[0] > 0]
    return [min(clean, key=lambda each: each[1][max(each[1])].time)] if clean else equals[:1]


def segment(filled: dict[int, Event], level: int, asked: Asked) -> str | None:
    """The group of an attempt; None where the step that decides was not filled."""
    assert asked.by is not None
    if level < 0:
        return None
    if asked.by_value.startswith("step "):
        event = filled.get(int(asked.by_value.removeprefix("step ")))
        return None if event is None else named(event, asked.by)
    known = [named(filled[k], asked.by) for k in sorted(filled) if named(filled[k], asked.by) != MISSING]
    if not known:
        return MISSING
    return known[0] if asked.by_value == "first" else known[-1]


def first_shown(asked: Asked) -> int:
    return int(asked.by_value.removeprefix("step ")) if asked.by and asked.by_value.startswith("step ") else 1


def slow_table(rows: list[Row], asked: Asked) -> dict[tuple[str | None, int], dict[str, float]]:
    """(segment, step) → the numbers of its row."""
    every = matched(rows, asked, mature=False)
    mature = [] if asked.rules.within == float("inf") else matched(rows, asked, mature=True)
    over = mature if asked.base == "mature" else every
    groups = sorted({each.group for each in (*every, *mature) if each.level > 0 and each.group}) if asked.by else [None]
    table = {}
    for group in groups:
        for k in range(first_shown(asked), asked.rules.n_steps + 1):
            table[group, k] = slow_row(k, *(_in_group(each, group, asked) for each in (every, mature, over)), asked)
    return table


def _in_group(found: list[Counted], group: str | None, asked: Asked) -> list[Counted]:
    return [each for each in found if each.level > 0 and (asked.by is None or each.group == group)]


def slow_row(
    k: int, every: list[Counted], mature: list[Counted], over: list[Counted], asked: Asked
) -> dict[str, float]:
    rules = asked.rules
    base, first = rules.base(k), first_shown(asked)
    row: dict[str, float] = {
        "counted": sum(k in each.filled for each in every),
        "counted_mature": sum(k in each.filled for each in mature),
        "customers": len({each.owner for each in every if k in each.filled}),
        "customers_mature": len({each.owner for each in mature if k in each.filled}),
    }
    running = [each for each in every if each.filled[1].time + rules.within >= asked.until]
    short = [each for each in running if each.level == k < rules.last_required]
    row["open"] = len(short)
    gone = over if asked.base == "mature" else [each for each in every if each not in running]
    row["dropped"] = sum(each.level == k for each in gone) if k < rules.last_required else 0
    for name, start in (("step", base if base >= first else 0), ("reach", first)):
        rate = clustered(over, k, start, asked) if start else (np.nan,) * 3
        if name == "reach" and k == first:
            rate = (rate[0], np.nan, np.nan)
        row |= dict(zip((f"{name}_rate", f"{name}_rate_low", f"{name}_rate_high"), rate, strict=True))
    for prefix, start in (("", base), ("entry_", 1)):
        times = [each.filled[k].time - each.filled[start].time for each in over if k in each.filled and k > 1 and start]
        row[f"{prefix}mean_seconds"] = np.mean(times) * DAY if times else np.nan
        row[f"{prefix}median_seconds"] = np.median(times) * DAY if times else np.nan
        row[f"{prefix}p90_seconds"] = np.quantile(times, 0.9) * DAY if times else np.nan
    return row


def clustered(over: list[Counted], k: int, start: int, asked: Asked) -> tuple[float, float, float]:
    """The rate and its interval."""
    n = sum(start in each.filled for each in over)
    x = sum(k in each.filled for each in over)
    if not n:
        return np.nan, np.nan, np.nan
    if asked.count == "best" and asked.unit == "customer":
        low, high = wilson(x, n)
        return x / n, low, high
    owners = sorted({each.owner for each in over if start in each.filled})
    xs = [sum(k in each.filled for each in over if each.owner == owner) for owner in owners]
    ns = [sum(start in each.filled for each in over if each.owner == owner) for owner in owners]
    sums = customer_sums(xs, ns)
    return tuple(float(each[0]) for each in clustered_rate(**sums))  # type: ignore[return-value]


def slow_left_out(rows: list[Row], asked: Asked) -> dict[str, int]:
    """Reason → customers whom no rate is over."""
    owners = {row.customer for row in rows}
    units = units_of(rows, asked.unit)
    every = matched(rows, asked, mature=False)
    base = matched(rows, asked, mature=True) if asked.base == "mature" else every
    reasons = {}
    for owner in owners:
        own = [each for each in base if each.owner == owner]
        if any(each.level > 0 and (asked.by is None or each.group is not None) for each in own):
            continue
        if all(of != owner for of, _ in units.values()):
            reasons[owner] = "funnel.no_unit"
        elif any(each.level > 0 for each in own):
            reasons[owner] = "funnel.no_group"
        elif own:
            reasons[owner] = "funnel.spoilt"
        elif any(each.owner == owner for each in every):
            reasons[owner] = "funnel.immature"
        elif asked.hold and _began_without_value([each for of, each in units.values() if of == owner], asked):
            reasons[owner] = "funnel.no_held_value"
        else:
            reasons[owner] = "funnel.not_entered"
    return pd.Series(reasons, dtype=object).value_counts().to_dict()


def _began_without_value(units: list[list[Row]], asked: Asked) -> bool:
    """Whether some unit has events that could begin an attempt in the range, none of which has the held values."""
    for rows in units:
        begins = [
            event
            for event in events_of(rows, asked)
            if (event.steps if asked.rules.order == "any" else 1 in event.steps)
            and asked.rules.opens_from <= event.time < asked.rules.opens_until
        ]
        if begins and all(any(event.value.values[column] is None for column in asked.hold) for event in begins):
            return True
    return False
