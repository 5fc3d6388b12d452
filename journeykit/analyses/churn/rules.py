"""What counts as leaving: a silence, or an event that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from journeykit import schema
from journeykit.errors import ParameterError
from journeykit.journey.steps import Step, as_step

INACTIVITY = "inactivity"
"""Name of the end that a silence makes."""

OVERALL = "overall"
"""The group of everybody, where nothing splits them."""


def whole_days(value: Any, *, name: str) -> int:
    """Read a duration that must be whole days: churn is counted by day."""
    return schema.whole_days(value, name=name, counted="churn is")


@dataclass(frozen=True)
class Inactivity:
    """A customer is gone after a silence of more than `after`.

    With active days a₁ < a₂ < …, the first aₖ that is followed by more than d
    days without activity ends the tenure, on day aₖ + d: only then is it
    known. Someone whose last activity lies d days or less before the end of
    observation has not left, and is censored there. Coming back later does
    not undo it; how many do stands in every result (`comeback_rate`).

    Parameters
    ----------
    after : str or timedelta
        The longest silence of a customer who stays, in whole days.

    Raises
    ------
    ParameterError
        If it is not whole days: activity is counted by day.

    Examples
    --------
    >>> jk.Inactivity("90d").days
    90
    >>> jk.Inactivity("36h")
    Traceback (most recent call last):
    journeykit.errors.ParameterError: after must be whole days, as in "90d", because churn is counted by day; got '36h'
    """

    after: str | timedelta = "90d"

    def __post_init__(self) -> None:
        """Check the silence at the door."""
        whole_days(self.after, name="after")

    @property
    def days(self) -> int:
        """The silence in days."""
        return whole_days(self.after, name="after")


@dataclass(frozen=True)
class Cancel:
    """A customer is gone when an event says so: a subscription cancelled, an account closed.

    The tenure runs from the start event (or the sign-up) to the first event
    stored after it that ends it, on the day of that event. What ends it
    otherwise competes: such customers did not cancel, and could no longer.
    Starting again afterwards is coming back; only the first tenure of a
    customer counts.

    Parameters
    ----------
    event : str, collection of str or Step
        The event that means leaving.
    other : mapping or collection, optional
        Other events that end the tenure: names, or a mapping of your word for
        the end → the step that makes it.

    Examples
    --------
    >>> rule = jk.Cancel("subscription_cancelled", other={"upgraded": "plan_changed"})
    >>> rule.other
    {'upgraded': 'plan_changed'}
    """

    event: Any
    other: Any = ()

    def steps(self, log: Any) -> dict[str, Step]:
        """Return each end's name and what makes it; the cancelling event leads."""
        found = {_name(self.event): as_step(self.event, log)}
        others = self.other
        if isinstance(others, str | Step):
            others = [others]
        if not isinstance(others, Mapping | Iterable):
            raise ParameterError(f"other must be names of events or a mapping of ends, got {others!r}")
        if not isinstance(others, Mapping):
            # A set has no order of its own; a result must.
            others = {_name(each): each for each in (sorted(others) if isinstance(others, set | frozenset) else others)}
        for name, step in others.items():
            if name in found:
                raise ParameterError(f"two ends have the same name, {name!r}")
            found[str(name)] = as_step(step, log)
        return found


def _name(step: Any) -> str:
    if isinstance(step, str):
        return step
    return step.name if isinstance(step, Step) else " | ".join(sorted(step))
