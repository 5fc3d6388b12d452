"""What is asked of a funnel: checked once, picklable, the same for every bucket of customers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from journeykit.errors import ParameterError
from journeykit.journey import Step, as_step
from journeykit.journey.steps import distinct
from journeykit.log.calendar import as_timestamp, range_us
from journeykit.log.interactions import InteractionLog, label_codes
from journeykit.schema import SECOND, check_confidence, check_one_of, duration_us

FOREVER = 2**61
"""Microseconds that no log lasts: 73,000 years."""


@dataclass(frozen=True)
class Exclude:
    """An event that spoils an attempt when it lies between two of its steps.

    Parameters
    ----------
    touchpoint : str, collection of str, Step or None
        What must not happen; a name is a touchpoint or a stage of the log,
        None is any touchpoint (with `where`).
    after, before : int or str
        Numbers of two required steps, from 1; in a stage funnel, the names of
        two stages do as well.
    where : mapping, optional
        Column → the value, or a collection of values, that it must have.

    Examples
    --------
    >>> jk.Exclude("refund", after=1, before=3)
    Exclude(touchpoint='refund', after=1, before=3, where={})
    """

    touchpoint: Any = None
    after: int | str = 1
    before: int | str = 2
    where: Mapping[str, Any] = field(default_factory=dict)

    def step(self, log: InteractionLog) -> Step:
        """Return the events that it means, as a step."""
        if self.touchpoint is None:
            return Step(where=self.where)
        named = as_step(self.touchpoint, log)
        return Step(named.touchpoint, named.stage, {**named.where, **self.where}, named.contains, named.first)


@dataclass(frozen=True)
class Plan:
    """Every option of a funnel, resolved against a log; durations and instants in microseconds.

    Steps count from 1 everywhere but in the tuples.
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    within: int | None
    order: str
    entry: str
    ties: str
    maturity: str
    between: tuple[int | None, int | None]
    exclude: tuple[tuple[Step, int, int], ...] = ()
    exclude_effect: str = "remove"
    optional: tuple[int, ...] = ()
    step_within: tuple[tuple[int, int], ...] = ()
    by: str | None = None
    by_value: str = "first"
    labels: tuple[str, ...] = ()
    confidence: float = 0.95
    count: str = "best"
    unit: str = "customer"
    hold: tuple[str, ...] = ()
    value: str | None = None

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.steps)

    @property
    def base_steps(self) -> list[int]:
        """For each step from 1 (position 0 is unused): the required step before it, 0 for the first."""
        base, last = [0, 0], 1
        for k in range(2, self.n_steps + 1):
            base.append(last)
            if k not in self.optional:
                last = k
        return base

    @property
    def last_required(self) -> int:
        """The step that converts."""
        return max(k for k in range(1, self.n_steps + 1) if k not in self.optional)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but order and one window is asked."""
        return self.order == "ordered" and not (self.exclude or self.optional or self.step_within)

    @property
    def counted(self) -> str:
        """What is counted: the name of a column."""
        if self.count == "attempts":
            return "attempts"
        return {"customer": "customers", "session": "sessions", "journey": "journeys"}.get(self.unit, "units")

    @property
    def repeats(self) -> bool:
        """Whether a customer can be counted more than once in a group, so that intervals are clustered."""
        return self.counted != "customers"

    @property
    def all_values(self) -> bool:
        """Whether the funnel is run once per value of `by`."""
        return self.by is not None and self.by_value == "all"

    @property
    def base_counted(self) -> str:
        """The column that rates are over."""
        return f"{self.counted}_mature" if self.base == "mature" else self.counted

    @property
    def base(self) -> str:
        """Whom rates are over: "mature" entries, "all", or all "so_far"."""
        if self.maturity == "all":
            return "all"
        return "so_far" if self.within is None else "mature"

    @property
    def first_shown(self) -> int:
        """The first step in the table: groups by the value at a step begin there."""
        return 1 if self.by is None else by_step(self.by_value) or 1

    @property
    def compared(self) -> list[tuple[int, int, str]]:
        """The rates that stand beside another's: step, the step that it is over, name; the reach of the last step."""
        shown = [k for k in range(self.first_shown + 1, self.n_steps + 1) if self.base_steps[k] >= self.first_shown]
        asked = [(k, self.base_steps[k], "step_rate") for k in shown]
        if self.last_required in shown and self.base_steps[self.last_required] != self.first_shown:
            asked.append((self.last_required, self.first_shown, "reach_rate"))
        return asked

    def opens(self, log: InteractionLog) -> tuple[int, int, int]:
        """Return when entries count: from, until where mature, until."""
        start, end = self.between
        opens_until = FOREVER if end is None else end
        mature_until = -FOREVER if self.within is None else min(opens_until, log.observed_until - self.within)
        return (-FOREVER if start is None else start), mature_until, opens_until


def make_plan(
    log: InteractionLog,
    steps: Any,
    *,
    within: Any,
    order: str,
    entry: str,
    ties: str,
    maturity: str,
    between: tuple[Any, Any] | None,
    by: str | None,
    by_value: str,
    confidence: float,
    exclude: Iterable[Any] = (),
    exclude_effect: str = "remove",
    optional: Iterable[int] = (),
    step_within: Mapping[int, Any] | None = None,
    count: str = "best",
    hold: str | Iterable[str] = (),
    value: str | bool | None = None,
) -> Plan:
    """Check all options against the log, keyed by the unit that is asked for, and each other."""
    check_one_of("count", count, ("best", "attempts"))
    check_one_of("order", order, ("ordered", "strict", "any"))
    check_one_of("entry", entry, ("any", "first"))
    check_one_of("ties", ties, ("any", "stored"))
    check_one_of("maturity", maturity, ("mature", "all"))
    check_one_of("exclude_effect", exclude_effect, ("remove", "drop"))
    check_confidence(confidence)
    if isinstance(steps, str) or not isinstance(steps, Sequence) or not steps:
        raise ParameterError(f'steps must be a list such as ["visit", "order"], got {steps!r}')
    read = tuple(as_step(each, log) for each in steps)
    for step in read:
        _check_columns(step, log)
    skippable = tuple(sorted(set(optional)))
    if not set(skippable) <= set(range(2, len(read) + 1)):
        raise ParameterError(f"optional must be step numbers from 2 to {len(read)}, got {list(skippable)}")
    spoilers = tuple(_exclusion(each, log, len(read), skippable) for each in exclude)
    windows = (
        {} if step_within is None else {k: duration_us(w, name=f"step_within[{k}]") for k, w in step_within.items()}
    )
    if not set(windows) <= set(range(2, len(read) + 1)):
        raise ParameterError(f"step_within must name steps from 2 to {len(read)}, got {list(windows)}")
    if order == "any" and (spoilers or skippable or windows):
        raise ParameterError(
            'exclude, optional and step_within need steps in order: order must be "ordered" or "strict"'
        )
    if by is not None:
        log.require(by)
    held = (hold,) if isinstance(hold, str) else tuple(hold)
    log.require(*held)
    _check_by_value(by_value, by, [k for k in range(1, len(read) + 1) if k not in skippable])
    return Plan(
        steps=read,
        names=distinct(step.name for step in read),
        within=None if within is None else duration_us(within, name="within"),
        order=order,
        entry=entry,
        ties=ties,
        maturity=maturity,
        between=range_us(between, log.timezone),
        exclude=spoilers,
        exclude_effect=exclude_effect,
        optional=skippable,
        step_within=tuple(sorted(windows.items())),
        by=by,
        by_value=by_value,
        labels=() if by is None else tuple(label_codes(log, by)[1]),
        confidence=confidence,
        count=count,
        unit=log.unit,
        hold=held,
        value=_value_column(value, log),
    )


def by_unit(log: InteractionLog, unit: str) -> InteractionLog:
    """Key a log by the unit that is counted, if it is not yet."""
    if unit == log.unit:
        return log
    if unit not in ("customer", "session", "journey"):
        log.require(unit)
    return log.rekey(unit)


def by_step(by_value: str) -> int | None:
    """Return k of "step k", or None."""
    word, _, number = by_value.partition(" ")
    return int(number) if word == "step" and number.isdigit() else None


def _check_by_value(by_value: str, by: str | None, required: list[int]) -> None:
    if by_value not in ("first", "last", "all") and by_step(by_value) not in required:
        raise ParameterError(
            f'by_value must be "first", "last", "all" or "step k" with k a required step among {required}, '
            f"got {by_value!r}"
        )


def _value_column(value: str | bool | None, log: InteractionLog) -> str | None:
    if value is None or value is False:
        return None
    column = "value" if value is True else value
    log.require(column)
    if not pd.api.types.is_numeric_dtype(log.column(column).dtype):
        raise ParameterError(f"value must name a column of numbers, got {column!r}")
    return column


def _check_columns(step: Step, log: InteractionLog) -> None:
    log.require(*step.where, *step.contains)


def _exclusion(given: Any, log: InteractionLog, n_steps: int, optional: tuple[int, ...]) -> tuple[Step, int, int]:
    rule = given if isinstance(given, Exclude) else Exclude(given)
    required = [k for k in range(1, n_steps + 1) if k not in optional]
    after, before = rule.after, rule.before
    numbers = isinstance(after, int) and isinstance(before, int) and after < before
    if not numbers or after not in required or before not in required:
        raise ParameterError(
            f"an exclusion lies between two required steps among {required}, got after={after!r}, before={before!r}"
        )
    step = rule.step(log)
    _check_columns(step, log)
    return step, int(after), int(before)


def plan_params(plan: Plan, log: InteractionLog, definition: str) -> dict[str, Any]:
    """Return every option as used, for a result's `params`."""
    start, end = plan.between
    return {
        "steps": list(plan.names),
        "within": None if plan.within is None else pd.Timedelta(plan.within, unit="us"),
        "within_seconds": None if plan.within is None else plan.within / SECOND,
        "order": plan.order,
        "entry": plan.entry,
        "count": plan.count,
        "unit": plan.unit,
        "ties": plan.ties,
        "maturity": plan.maturity,
        "rates_over": plan.base,
        "between": None
        if (start, end) == (None, None)
        else tuple(None if each is None else as_timestamp(each, log.timezone) for each in (start, end)),
        "exclude": [{"step": step.name, "after": after, "before": before} for step, after, before in plan.exclude],
        "exclude_effect": plan.exclude_effect,
        "optional": list(plan.optional),
        "step_within": {k: pd.Timedelta(window, unit="us") for k, window in plan.step_within},
        "hold": list(plan.hold),
        "value": plan.value,
        "by": plan.by,
        "by_value": plan.by_value,
        "confidence": plan.confidence,
        "observed_until": as_timestamp(log.observed_until, log.timezone),
        "definition": definition,
    }
