"""A funnel said slowly, an attempt at a time, straight from DEFINITIONS.md, "Funnels".

Nothing here is shared with the package. An attempt is an object that remembers
which event filled which step; all attempts of a customer are kept to the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event: its number in the stored order, its time, the steps it matches, the exclusions it triggers."""

    number: int
    time: float
    steps: frozenset[int]
    exclusions: frozenset[int] = frozenset()
    value: Any = None


@dataclass(eq=False)
class Attempt:
    """Which event filled which step, the moment at which it came to its level, and what became of it."""

    filled: dict[int, Event]
    reached_at: int
    broken: bool = False
    spoilt: bool = False

    @property
    def level(self) -> int:
        return max(self.filled)

    @property
    def start(self) -> float:
        return self.filled[1].time


@dataclass(frozen=True)
class Rules:
    """All options; steps count from 1, times are numbers."""

    n_steps: int
    within: float = float("inf")
    order: str = "ordered"
    entry: str = "any"
    ties: str = "any"
    exclude: tuple[tuple[int, int], ...] = ()  # (after, before)
    exclude_effect: str = "remove"
    optional: tuple[int, ...] = ()
    step_within: dict[int, float] = field(default_factory=dict)
    opens_from: float = float("-inf")
    opens_until: float = float("inf")
    only_at: Event | None = None  # with entry="first" and a property held: the first entry of all values

    @property
    def last_required(self) -> int:
        """The step that converts."""
        return max(k for k in range(1, self.n_steps + 1) if k not in self.optional)

    def may_open(self, group: list[Event], *, seen: bool) -> bool:
        """Whether an attempt can begin with one of these events; `seen`: there was such an event before."""
        time = group[0].time
        if not self.opens_from <= time < self.opens_until or (self.entry == "first" and seen):
            return False
        if self.only_at is None:
            return True
        return time == self.only_at.time if self.ties == "any" else group[0].number == self.only_at.number

    def base(self, k: int) -> int:
        """The required step before k, 0 for the first."""
        return max((x for x in range(1, k) if x not in self.optional), default=0)


def best_attempt(events: list[Event], rules: Rules) -> tuple[int, dict[int, Event]]:
    """(level, event at each step) of one customer; level 0 without an entry, below 0 if removed."""
    if rules.order == "any":
        return fullest_window(events, rules)
    attempts = all_attempts(events, rules)
    if not attempts:
        return 0, {}
    furthest = max(attempt.level for attempt in attempts)
    equals = sorted((each for each in attempts if each.level == furthest), key=lambda each: each.reached_at)
    if rules.exclude_effect == "remove":
        clean = [attempt for attempt in equals if not attempt.spoilt]
        if not clean:
            return -furthest, equals[0].filled
        equals = clean
    return furthest, equals[0].filled


def counted_attempts(events: list[Event], rules: Rules) -> list[tuple[int, dict[int, Event]]]:
    """(level, event at each step) of every attempt that count="attempts" counts; below 0 if removed.

    There is one attempt at a time, the present one.
    """
    if rules.order == "any":
        return counted_windows(events, rules)
    attempts: list[Attempt] = []
    present: Attempt | None = None
    entry_seen = False
    for moment, group in enumerate(moments(events, rules.ties)):
        time = group[0].time
        entry = any(1 in event.steps for event in group)
        new = carried({}, group, rules, time) if entry and rules.may_open(group, seen=entry_seen) else {}
        entry_seen = entry_seen or entry
        if present is not None and time - present.start > rules.within:
            present = None
        more = {} if present is None else carried(present.filled, group, rules, time)
        past = present is not None and 1 < present.level < rules.last_required and can_go_on(present, rules, time)
        moves = bool(more) and (past or max(more) > max(new, default=0))
        if present is not None and moves:
            present.filled = {**present.filled, **more}
            if present.level == rules.n_steps:
                present = None
        if present is not None and is_spoilt(present, group, rules, time):
            present.spoilt = rules.exclude_effect == "remove"
            present, past = None, False
        if rules.order == "strict" and not moves:
            present, past = None, False
        if new and not moves and not past:
            present = Attempt(new, moment)
            attempts.append(present)
            if present.level == rules.n_steps:
                present = None
    return [(-each.level if each.spoilt else each.level, each.filled) for each in attempts]


def can_go_on(attempt: Attempt, rules: Rules, time: float) -> bool:
    """Whether the next required step can still be filled in its own window."""
    required = [k for k in range(attempt.level + 1, rules.n_steps + 1) if k not in rules.optional]
    if not required:
        return True
    waited = time - attempt.filled[rules.base(required[0])].time
    return waited <= rules.step_within.get(required[0], float("inf"))


def counted_windows(events: list[Event], rules: Rules) -> list[tuple[int, dict[int, Event]]]:
    """count="attempts" with order="any": one window at a time."""
    matching = [event for event in events if event.steps]
    windows: list[dict[int, Event]] = []
    inside: list[Event] = []  # events of the present window; none: there is none
    for group in moments(matching, "any"):
        time = group[0].time
        if inside and (time - inside[0].time > rules.within or len(windows[-1]) == rules.n_steps):
            inside = []
        opens = rules.may_open(group, seen=time != matching[0].time)
        further = filled_in_turn([*inside, *group], rules.n_steps) if inside else {}
        done = len(windows[-1]) if inside else 0
        new = filled_in_turn(group, rules.n_steps) if opens else {}
        if inside and len(further) > done and (done > 1 or len(further) > len(new)):
            windows[-1] = further
            inside += group
        elif opens and done < 2:
            windows.append(new)
            inside = list(group)
        elif inside:
            inside += group
    return [(len(done), done) for done in windows]


def filled_in_turn(events: list[Event], n_steps: int) -> dict[int, Event]:
    """The event by which 1, 2, … steps are filled."""
    done: dict[int, Event] = {}
    for i, event in enumerate(events):
        if most_filled(events[: i + 1], n_steps) > len(done):
            done[len(done) + 1] = event
    return done


def moments(events: list[Event], ties: str) -> list[list[Event]]:
    """What happens together: each event alone in the stored order, or all of one instant."""
    if ties == "stored":
        return [[event] for event in events]
    return [[event for event in events if event.time == time] for time in sorted({event.time for event in events})]


def all_attempts(events: list[Event], rules: Rules) -> list[Attempt]:
    """Every attempt that one customer opened, as it ended."""
    attempts: list[Attempt] = []
    last_to_reach: dict[int, Attempt] = {}  # level → the attempt that last reached it and still stands there
    first_entry_seen = False
    for moment, group in enumerate(moments(events, rules.ties)):
        time = group[0].time
        running = [a for a in attempts if not a.broken and not a.spoilt and a.level < rules.n_steps]

        opened = None
        if any(1 in event.steps for event in group):
            may_open = rules.may_open(group, seen=first_entry_seen)
            first_entry_seen = True
            if may_open:
                opened = Attempt(carried({}, group, rules, time), moment)

        # The earliest step 1 first, so that a later one takes its place.
        advanced = []
        for attempt in sorted(last_to_reach.values(), key=lambda each: each.start):
            if attempt in running and time - attempt.start <= rules.within:
                more = carried(attempt.filled, group, rules, time)
                if more:
                    advanced.append((attempt, more))
        for attempt, _ in advanced:
            del last_to_reach[attempt.level]
        arrived: dict[int, tuple[Attempt, dict[int, Event]]] = {
            max(more): (attempt, more) for attempt, more in advanced
        }
        for attempt, more in arrived.values():
            if opened is None or opened.level != max(more):
                for level in range(attempt.level, max(more)):
                    last_to_reach.pop(level, None)
                attempt.filled = {**attempt.filled, **more}
                attempt.reached_at = moment
                last_to_reach[attempt.level] = attempt
        if opened is not None:
            attempts.append(opened)
            last_to_reach[opened.level] = opened

        for attempt in running:
            if is_spoilt(attempt, group, rules, time):
                attempt.spoilt = True
        if opened is not None and opened.level < rules.n_steps and is_spoilt(opened, group, rules, time):
            opened.spoilt = True
        if rules.order == "strict":
            for attempt in running:
                attempt.broken = attempt.broken or attempt.reached_at != moment
        last_to_reach = {level: a for level, a in last_to_reach.items() if not a.broken and not a.spoilt}
    return attempts


def carried(filled: dict[int, Event], group: list[Event], rules: Rules, time: float) -> dict[int, Event]:
    """The steps that different events of one moment fill for an attempt: required ones first, then optional ones."""
    level = max(filled, default=0)
    wanted: list[int] = []

    def in_time(k: int) -> bool:
        base = rules.base(k)
        return base not in filled or time - filled[base].time <= rules.step_within.get(k, float("inf"))

    required = level
    for k in range(level + 1, rules.n_steps + 1):
        if k in rules.optional:
            continue
        if not (in_time(k) and assigned([*wanted, k], group)):
            break
        wanted.append(k)
        required = k
    for k in range(level + 1, rules.n_steps + 1):
        if k not in rules.optional:
            if k > required:
                break
            continue
        if in_time(k) and assigned([*wanted, k], group):
            wanted.append(k)
    return assigned(wanted, group) or {}


def assigned(steps: list[int], group: Iterable[Event]) -> dict[int, Event] | None:
    """Give each step an event of its own, trying everything; None if that can't be."""
    if not steps:
        return {}
    for event in group:
        if steps[0] in event.steps:
            rest = assigned(steps[1:], [other for other in group if other is not event])
            if rest is not None:
                return {steps[0]: event, **rest}
    return None


def is_spoilt(attempt: Attempt, group: list[Event], rules: Rules, time: float) -> bool:
    """Whether an event of this moment certainly lies between two steps of an attempt that could still go on."""
    level = attempt.level
    if time - attempt.start > rules.within:
        return False
    next_required = min((k for k in range(level + 1, rules.n_steps + 1) if k not in rules.optional), default=None)
    if next_required is not None:
        waited = time - attempt.filled[rules.base(next_required)].time
        if waited > rules.step_within.get(next_required, float("inf")):
            return False
    for event in group:
        if rules.ties == "stored":
            own = any(event is each for each in attempt.filled.values())
        else:
            own = any(each.time == time and k in event.steps for k, each in attempt.filled.items())
        for x in event.exclusions:
            after, before = rules.exclude[x]
            if own or not after <= level < before:
                continue
            begun = attempt.filled[after]
            if begun.time < time or (rules.ties == "stored" and begun.number < event.number):
                return True
    return False


def fullest_window(events: list[Event], rules: Rules) -> tuple[int, dict[int, Event]]:
    """order="any": (the most steps filled inside one window, the event by which k were full)."""
    matching = [event for event in events if event.steps]
    best: dict[int, Event] = {}
    for start in sorted({event.time for event in matching}):
        if not rules.may_open([event for event in matching if event.time == start], seen=start != matching[0].time):
            continue
        window = [event for event in matching if start <= event.time <= start + rules.within]
        done = filled_in_turn(window, rules.n_steps)
        if len(done) > len(best):
            best = done
    return len(best), best


def most_filled(events: list[Event], n_steps: int, step: int = 1) -> int:
    """The largest number of steps, from this one on, with an event of their own; trying everything."""
    if step > n_steps or not events:
        return 0
    without = most_filled(events, n_steps, step + 1)
    with_one = [
        1 + most_filled([other for other in events if other is not event], n_steps, step + 1)
        for event in events
        if step in event.steps
    ]
    return max([without, *with_one])
