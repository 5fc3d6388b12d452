"""What is asked of a trend of conversion: checked once, the same for every bucket of customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.conversion.plan import TIES, read_labels, read_steps
from journeykit.errors import ParameterError
from journeykit.journey import Step
from journeykit.journey.periods import period_labels
from journeykit.log.calendar import period_edges, range_us
from journeykit.schema import PERIODS, WEEK_STARTS, check_confidence, check_one_of, duration_us

CLOCKS = ("last", "first")


@dataclass(frozen=True, eq=False)
class TrendPlan:
    """Every option of a trend, resolved against a log; durations and instants in microseconds.

    Attributes
    ----------
    steps : tuple of Step
        Up to the step that converts.
    edges : array of int64
        Where the periods begin, and where the last one ends.
    opens : (int, int)
        Entries lie in `[from, until)`.
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    from_step: int
    to_step: int
    within: int
    period: str
    week_start: str
    clock: str
    edges: NDArray[np.int64]
    opens: tuple[int, int]
    observed_until: int
    between: tuple[int | None, int | None]
    by: str | None = None
    labels: tuple[str, ...] = ("",)
    confidence: float = 0.95
    ties: str = "any"

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return len(self.edges) - 1

    @property
    def status(self) -> list[str]:
        """Whether each period is finished: every window that can begin in it was observed whole."""
        begins, ends = self.edges[:-1], np.minimum(self.edges[1:], self.opens[1])
        finished = ends + self.within <= self.observed_until
        future = begins >= self.observed_until
        return [str(each) for each in np.select([finished, future], ["finished", "future"], "unfinished")]

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Which periods are."""
        return np.array([status == "finished" for status in self.status], dtype=bool)

    @property
    def notes(self) -> list[str]:
        """Say "partial" of periods that `between`, or the log's begin or end, cuts."""
        begins, ends = self.edges[:-1], self.edges[1:]
        cut = (begins < self.opens[0]) | (ends > min(self.opens[1], self.observed_until)) & (
            begins < self.observed_until
        )
        return ["partial" if each else "" for each in cut]

    def period_names(self, log: Any) -> pd.Index:
        """Name the periods."""
        whole = _edges_of_log(log, self.period, self.week_start, self.opens[1])
        first = int(np.searchsorted(whole, self.edges[0]))
        return period_labels(log, whole, self.period, self.week_start)[first : first + self.n_periods]


def make_trend_plan(
    log: Any,
    steps: Any,
    *,
    within: Any,
    period: str,
    from_step: int,
    to_step: int | None,
    clock: str,
    ties: str,
    by: str | None,
    between: Any,
    week_start: str,
    confidence: float,
) -> TrendPlan:
    """Check all options against the log and each other."""
    check_one_of("period", period, PERIODS)
    check_one_of("week_start", week_start, WEEK_STARTS)
    check_one_of("clock", clock, CLOCKS)
    check_one_of("ties", ties, TIES)
    check_confidence(confidence)
    read = read_steps(log, steps)
    last = len(read) if to_step is None else to_step
    for name, step in (("from_step", from_step), ("to_step", last)):
        if isinstance(step, bool) or step not in range(1, len(read) + 1):
            raise ParameterError(f"{name} must be the number of a step, from 1 to {len(read)}, got {step!r}")
    if from_step >= last:
        raise ParameterError(f"from_step must come before to_step, got {from_step} and {last}")
    start, end = range_us(between, log.timezone)
    opens = (log.start if start is None else max(start, log.start), log.observed_until if end is None else end)
    if opens[0] >= opens[1]:
        raise ParameterError(f"between ends before the log begins, at {log.starts_at}: there is no period to show")
    edges = _edges_of_log(log, period, week_start, opens[1])
    first = int(np.searchsorted(edges, opens[0], side="right")) - 1
    until = int(np.searchsorted(edges, opens[1], side="left"))
    return TrendPlan(
        steps=read[:last],
        names=tuple(step.name for step in read),
        from_step=from_step,
        to_step=last,
        within=duration_us(within, name="within"),
        period=period,
        week_start=week_start,
        clock=clock,
        edges=edges[first : until + 1],
        opens=opens,
        observed_until=log.observed_until,
        between=(start, end),
        by=by,
        labels=read_labels(log, by),
        confidence=confidence,
        ties=ties,
    )


def _edges_of_log(log: Any, period: str, week_start: str, until: int) -> NDArray[np.int64]:
    """Begin of every period from the one in which the log begins, on to an instant that may lie after its end."""
    end = max(until, log.observed_until)
    return period_edges(log.start, end, period=period, timezone=log.timezone, week_start=week_start)
