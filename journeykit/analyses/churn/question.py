"""What is asked of a log about churn, settled; and the days that a log observes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from journeykit.analyses.churn.known import Known
from journeykit.analyses.churn.rules import INACTIVITY, NOT_RENEWED, Cancel, Contract, Inactivity
from journeykit.journey.steps import Step

Codes = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

COVARIATE = "covariate "
"""Before the names of covariates in tallies: they may be called as a tally's own columns are."""

# Why a customer has no span; the place in this list is the code. They are keys of messages.
KEPT = 0
REASONS = (
    "",
    "churn.no_start",
    "churn.no_activity",
    "churn.no_sign_up",
    "churn.in_washout",
    "churn.started_before",
    "churn.started_after",
    "churn.not_seen_at_entry",
    "churn.no_time_at_risk",
    "churn.segment_not_known",
    "churn.window_not_observed",
    "churn.ended_in_window",
    "churn.not_between",
    "churn.history_not_observed",
    "churn.no_decision_yet",
    "churn.unknown_period",
)
CODE = {reason: code for code, reason in enumerate(REASONS)}

Changing = tuple[str, str | Step]
"""How a covariate changes (`count`, `ever`, `last`), and what changes it."""


@dataclass(frozen=True)
class Query:
    """How spans are to be measured: every option, settled, and able to travel to wherever a bucket is counted."""

    churn: Inactivity | Cancel | Contract
    ends: dict[str, Step]
    start: Step | None = None
    again: Step | None = None
    activity: Step | None = None
    dated: str = "known"
    signed_up: Any = None
    late_entry: bool = False
    washout_days: int | None = None
    between_days: tuple[int | None, int | None] = (None, None)
    by: str | None = None
    limits: tuple[int, ...] = ()
    covariates: Mapping[str, str | Step] = field(default_factory=dict)
    window_days: int | None = None
    changing: Mapping[str, Changing] = field(default_factory=dict)
    known_by_activity: frozenset[str] = frozenset()
    seen_within: int = 0

    @property
    def end_names(self) -> list[str]:
        """Names of the ends; code 1 is the first."""
        if isinstance(self.churn, Cancel):
            return list(self.ends)
        return [INACTIVITY if isinstance(self.churn, Inactivity) else NOT_RENEWED]

    @property
    def rule(self) -> str:
        """What leaving means, in a word."""
        kinds = {Inactivity: "inactivity", Cancel: "cancel", Contract: "contract"}
        return kinds[type(self.churn)]

    @property
    def unit(self) -> str:
        """What ages are counted in."""
        return "terms" if isinstance(self.churn, Contract) else "days"

    @property
    def several(self) -> bool:
        """Whether later spells of a customer count."""
        return not isinstance(self.churn, Inactivity) and self.churn.spells == "every"

    @property
    def spells(self) -> bool:
        """Whether tenures are those of spells, which are numbered."""
        return not isinstance(self.churn, Inactivity)

    @property
    def back_is_seen(self) -> bool:
        """Whether it shows when somebody comes back."""
        return isinstance(self.churn, Inactivity) or self.start is not None or self.again is not None

    @property
    def needs_history(self) -> bool:
        """Whether what a customer did before the log would have to be known."""
        return any(kind != "last" for kind, _ in self.changing.values())

    def wait(self, limit: int) -> int:
        """Days for which an activity rules out that a customer leaves, on the clock of the query."""
        return limit if self.dated == "known" else 0


@dataclass(frozen=True)
class Starts:
    """Where tenures begin: an entry a customer, or a spell.

    Attributes
    ----------
    customer : array
        Code of the customer; entries of one customer follow each other.
    spell : array
        1 for the first.
    day, active_from : array
        First day of the tenure since 1970, and from when on it is seen.
    row : array
        The event at which groups are read, -1 if there is none.
    late : array
        Whether it began before the log.
    """

    customer: Codes
    spell: Days
    day: Days
    row: Codes
    active_from: Days
    late: Flags
    reason: npt.NDArray[np.int8]
    seen_at_start: Flags
    known: tuple[Known, ...] = ()


@dataclass(frozen=True)
class Spans:
    """One entry for each of `Starts`; what is said of those with a `reason` means nothing.

    Attributes
    ----------
    limit : int
        The silence in days, 0 if the rule is none.
    enters, duration : array
        Days since the start (terms, of a contract): watched after `enters`, until `duration`.
    ends : array
        0 censored, else 1 + the place of the end in `Query.end_names`.
    back_wait, came_back : array
        For those who ended: days until they came back, or until the end of
        observation.
    reason : array
        Place in `REASONS`.
    """

    limit: int
    start_day: Days
    enters: Days
    duration: Days
    ends: npt.NDArray[np.int8]
    back_wait: Days
    came_back: Flags
    reason: npt.NDArray[np.int8]
