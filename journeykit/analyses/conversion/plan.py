"""What is asked of a conversion curve: checked once, picklable, the same for every bucket of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from journeykit.errors import ParameterError
from journeykit.journey import Step, as_step
from journeykit.journey.groups import FIRST_OF, in_order, require_group
from journeykit.log.calendar import range_us
from journeykit.log.interactions import label_codes
from journeykit.schema import check_confidence, check_one_of, duration_us

CONVERTED = "converted"
COUNTS = ("customers", "attempts")
TIES = ("any", "stored")
RESERVED = ("", "entered", CONVERTED, "unconverted", "censored")
"""Names that other ends may not have."""


@dataclass(frozen=True)
class Plan:
    """Every option of a conversion curve, resolved against a log; durations and instants in microseconds.

    `clustered` tells that a customer may have several clocks.
    """

    steps: tuple[Step, ...]
    within: int | None
    between: tuple[int | None, int | None]
    count: str
    clustered: bool
    others: tuple[tuple[str, Step], ...] = ()
    by: str | None = None
    labels: tuple[str, ...] = ("",)
    confidence: float = 0.95
    ties: str = "any"

    @property
    def ends(self) -> tuple[str, ...]:
        """The names of all ends; converted first."""
        return (CONVERTED, *(name for name, _ in self.others))

    @property
    def entries(self) -> str:
        """Which step 1s start a clock."""
        return "first" if self.count == "customers" else "all"


def read_steps(log: Any, steps: Any) -> tuple[Step, ...]:
    """Read steps as a user says them: two or more."""
    if isinstance(steps, str) or not isinstance(steps, Sequence) or len(steps) < 2:
        raise ParameterError(f'steps must be a list of two or more, such as ["visit", "order"], got {steps!r}')
    read = tuple(as_step(each, log) for each in steps)
    for step in read:
        log.require(*step.where, *step.contains)
    return read


def read_labels(log: Any, by: str | None) -> tuple[str, ...]:
    """Name the groups of a column, as the whole log knows them; one without a name if nothing splits."""
    if by is None:
        return ("",)
    if not isinstance(by, str):
        raise ParameterError(f"by must be one column of the log, got {by!r}")
    require_group(log, by)
    column = by if by in log.columns else FIRST_OF.get(by, by)
    return tuple(in_order(dict.fromkeys(label_codes(log, column)[1]), log.stages))


def make_plan(
    log: Any,
    steps: Any,
    *,
    within: Any,
    competing: Any,
    count: str,
    ties: str,
    by: str | None,
    between: Any,
    confidence: float,
) -> Plan:
    """Check all options against the log and each other."""
    check_one_of("count", count, COUNTS)
    check_one_of("ties", ties, TIES)
    check_confidence(confidence)
    return Plan(
        steps=read_steps(log, steps),
        within=None if within is None else duration_us(within, name="within"),
        between=range_us(between, log.timezone),
        count=count,
        clustered=count == "attempts" or log.unit != "customer",
        others=_others(log, competing),
        by=by,
        labels=read_labels(log, by),
        confidence=confidence,
        ties=ties,
    )


def _others(log: Any, competing: Any) -> tuple[tuple[str, Step], ...]:
    if competing is None:
        return ()
    if not isinstance(competing, Mapping) or not competing:
        raise ParameterError(f'competing must be a mapping such as {{"gave up": "cancel"}}, got {competing!r}')
    found = []
    for name, given in competing.items():
        if not isinstance(name, str) or name in RESERVED:
            raise ParameterError(f"a competing end needs a name of its own, other than {list(RESERVED)}, got {name!r}")
        step = as_step(given, log)
        log.require(*step.where, *step.contains)
        found.append((name, step))
    return tuple(found)
