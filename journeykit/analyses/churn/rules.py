"""What counts as leaving: a silence, or an event that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from journeykit.errors import ParameterError
from journeykit.journey.steps import Step, as_step
from journeykit.schema import check_one_of
from journeykit.schema import whole_days as read_whole_days

INACTIVITY = "inactivity"
"""Name of the end that a silence makes."""

NOT_RENEWED = "not_renewed"
"""Name of the end of a contract."""

SPELLS = ("every", "first")

OVERALL = "overall"
"""The group of everybody, where nothing splits them."""


def whole_days(value: Any, *, name: str) -> int:
    """Read a duration that must be whole days: churn is counted by day."""
    return read_whole_days(value, name=name, counted="churn is")


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
    Starting again afterwards is coming back, and opens a new spell with a
    clock of its own; intervals and tests take the spells of one customer
    together (`cluster`).

    Parameters
    ----------
    event : str, collection of str or Step
        The event that means leaving.
    other : mapping or collection, optional
        Other events that end the tenure: names, or a mapping of your word for
        the end → the step that makes it.
    again : str, collection of str or Step, optional
        The event that starts a customer again who had left: the start event,
        if not given. With sign-up dates and without it nobody is seen to come
        back.
    spells : {"every", "first"}
        Whether later spells count, or only each customer's first.

    Examples
    --------
    >>> rule = jk.Cancel("subscription_cancelled", other={"upgraded": "plan_changed"})
    >>> rule.other
    {'upgraded': 'plan_changed'}
    """

    event: Any
    other: Any = ()
    again: Any = None
    spells: str = "every"

    def __post_init__(self) -> None:
        """Check the options at the door."""
        check_one_of("spells", self.spells, SPELLS)

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


CALENDAR = {"month": 1, "quarter": 3, "year": 12}
"""Months of terms that follow the calendar."""


@dataclass(frozen=True)
class Contract:
    """A customer is gone when a term ends and is not renewed: subscriptions, memberships, passes.

    The first term begins with the start event (or the sign-up). Term k ends,
    and is decided, k periods after that day: on the same day of the month, or
    the month's last where there is none. It is renewed if a renewal comes
    until then, or within the grace period after it. A renewal counts for the
    earliest term that has none yet, so that paying ahead is possible; several
    of one day are one, and those of the first day belong to the start.

    Time is counted in terms, not in days: nobody can leave between two
    decisions. A decision is complete when its grace period has been observed
    whole, whether or not it was made before: else those who renew early would
    be counted sooner than those who do not renew. Customers are censored at
    their last complete decision. Who renews after all, or starts again, comes
    back, and opens a new spell.

    Where plans of several lengths are in one log, each event that starts or
    renews says how long the term is that it pays for, in a column. Term k then
    ends after the sum of the first k lengths. A renewal without a value is for
    as long as the term before. With a value whose length isn't given nothing
    can be said of what follows: it is the last decision that counts, and
    contracts that start so are left out, and counted. Terms are counted, however
    long: split by the column to tell plans apart.

    Parameters
    ----------
    period : {"month", "quarter", "year"}, str, timedelta or mapping
        Length of a term: of the calendar, or a number of whole days, as in
        `"7d"`; or a column and the length for each of its values, as in
        `{"plan": {"monthly": "month", "yearly": "year"}}`.
    renewal : str, collection of str or Step, optional
        The event that renews, such as a payment; the start event, repeated,
        if not given.
    grace : str or timedelta, optional
        How long after the end of a term it can still be renewed, in whole
        days; not at all, if not given.
    spells : {"every", "first"}
        Whether later spells count, or only each customer's first.

    Examples
    --------
    >>> rule = jk.Contract(period="month", renewal="payment", grace="5d")
    >>> rule.months, rule.days, rule.grace_days
    (1, 0, 5)
    >>> jk.Contract(period="week").days
    7
    >>> jk.Contract(period={"plan": {"monthly": "month", "trial": "14d"}}).longest_days()
    31
    """

    period: str | timedelta | Mapping[str, Any] = "month"
    renewal: Any = None
    grace: str | timedelta | None = None
    spells: str = "every"

    def __post_init__(self) -> None:
        """Check the options at the door."""
        check_one_of("spells", self.spells, SPELLS)
        if isinstance(self.period, Mapping) and (
            len(self.period) != 1 or not all(isinstance(each, Mapping) and each for each in self.period.values())
        ):
            raise ParameterError(
                "period must be a length, or a column with the length for each of its values, as in "
                f"{{'plan': {{'monthly': 'month', 'yearly': 'year'}}}}, got {self.period!r}"
            )
        for period in self.lengths.values():
            if self.grace_days >= (_days(period) or 28 * _months(period)):
                raise ParameterError(f"grace must be shorter than the period, got {self.grace!r} and {period!r}")

    @property
    def column(self) -> str | None:
        """The column that says how long terms are; None if all are alike."""
        return next(iter(self.period)) if isinstance(self.period, Mapping) else None

    @property
    def lengths(self) -> dict[Any, Any]:
        """Length of a term for each value of the column, or the one length."""
        return dict(next(iter(self.period.values()))) if isinstance(self.period, Mapping) else {None: self.period}

    @property
    def months(self) -> int:
        """Months of a term that follows the calendar, where all are alike; else 0."""
        return 0 if self.column else _months(self.period)

    @property
    def days(self) -> int:
        """Days of a term of fixed length, where all are alike; else 0."""
        return 0 if self.column else _days(self.period)

    @property
    def months_and_days(self) -> tuple[list[int], list[int]]:
        """Months and days of each of `lengths`."""
        return [_months(each) for each in self.lengths.values()], [_days(each) for each in self.lengths.values()]

    @property
    def grace_days(self) -> int:
        """Days after the end of a term within which it can still be renewed."""
        return 0 if self.grace is None else whole_days(self.grace, name="grace")

    def longest_days(self) -> int:
        """The longest that a term and its grace can last."""
        longest = {0: 0, 1: 31, 3: 92, 12: 366}
        return max(_days(each) or longest[_months(each)] for each in self.lengths.values()) + self.grace_days

    def named(self) -> str:
        """Name the period, every length of it."""
        if self.column is None:
            return str(self.period)
        return "_".join([self.column, *(f"{value}_{period}" for value, period in self.lengths.items())])


def _months(period: Any) -> int:
    return CALENDAR.get(str(period), 0)


def _days(period: Any) -> int:
    if _months(period):
        return 0
    return 7 if period == "week" else whole_days(period, name="period")


def _name(step: Any) -> str:
    if isinstance(step, str):
        return step
    return step.name if isinstance(step, Step) else " | ".join(sorted(step))
