"""What is asked of a model of repeat buying, settled once, before anything is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from journeykit.errors import ParameterError
from journeykit.journey.groups import require_group
from journeykit.journey.observed import observed_days
from journeykit.journey.steps import Step, as_step
from journeykit.log.calendar import range_us
from journeykit.schema import check_one_of, whole_days

PERIOD_DAYS = {"day": 1, "week": 7, "month": 30}
"""Unit of time of the parameters → days."""


@dataclass(frozen=True)
class Asked:
    """Options that are the same for any log.

    Attributes
    ----------
    purchase : Step, optional
        What counts as a purchase; every event if not given.
    value : str, optional
        Column of amounts; none are read if not given.
    acquired : tuple of int, optional ends
        Instants between which the first purchase must lie, microseconds.
    washout_days : int
        Days at the log's begin in which it may not.
    by : str, optional
        What splits customers, as it is at the first purchase.
    """

    purchase: Step | None
    value: str | None
    acquired: tuple[int | None, int | None]
    washout_days: int
    by: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Lay the options out as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Asked:
        """Read what `to_dict` laid out, also after it was JSON."""
        purchase = None if data["purchase"] is None else Step(**data["purchase"])
        start, end = data["acquired"]
        return cls(purchase, data["value"], (start, end), int(data["washout_days"]), data.get("by"))


@dataclass(frozen=True)
class Query:
    """How a log is to be counted.

    Attributes
    ----------
    asked : Asked
        The options.
    begins : int
        The log's first day, since 1970.
    split : int
        The last day from which purchases are learnt.
    last : int
        The last day that the log observes whole.
    segment : str, optional
        Only customers of this one are counted, if customers are split.
    """

    asked: Asked
    begins: int
    split: int
    last: int
    segment: str | None = None


def settle_options(
    log: Any, purchase: Any, value: str | None, between: Any, washout: Any, by: str | None = None
) -> Asked:
    """Check the options that do not depend on how long the log is."""
    if purchase is None and len(log.touchpoints) > 1:
        names = ", ".join(repr(name) for name in log.touchpoints[:12])
        raise ParameterError(f'say which event is a purchase, as in purchase="order": the log has {names}')
    step = None if purchase is None else as_step(purchase, log)
    if value is not None:
        log.require(value)
        if not np.issubdtype(np.asarray(log.column(value)).dtype, np.number):
            raise ParameterError(f"value must name a column of numbers, and {value!r} is not")
    days = 0 if washout is None else days_of(washout, name="washout")
    require_group(log, by)
    return Asked(step, value, range_us(between, log.timezone), days, by)


def settle_query(log: Any, asked: Asked, holdout: Any = None, segment: str | None = None) -> Query:
    """Find the days of a log that are learnt from, and those held back."""
    observed = observed_days(log)
    held = 0 if holdout is None else days_of(holdout, name="holdout")
    split = observed.last_full - held
    if split <= observed.begins:
        raise ParameterError(
            f"holdout leaves nothing to learn from: the log has {observed.last_full - observed.begins + 1} whole days, "
            f"and {held} were to be held back"
        )
    return Query(asked, observed.begins, split, observed.last_full, segment)


def days_of(value: Any, *, name: str) -> int:
    """Read a duration in whole days."""
    return whole_days(value, name=name, counted="purchases are")


def period_days(period: str) -> int:
    """Days of the unit of time."""
    check_one_of("period", period, PERIOD_DAYS)
    return PERIOD_DAYS[period]
