"""What counts as activity, in which periods, of which customers: shared by the analyses of this room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.journey import Step
from journeykit.journey.groups import in_order, labels_at, require_group
from journeykit.journey.periods import n_finished, period_labels
from journeykit.journey.steps import as_step
from journeykit.log import InteractionLog
from journeykit.schema import PERIODS, WEEK_STARTS, check_confidence, check_one_of
from journeykit.text import say

Ints = NDArray[np.int64]
_ALL = np.zeros(0, dtype=bool)


@dataclass(frozen=True)
class Activity:
    """Which events are activity, and the calendar they are counted in; it pickles."""

    of: Step | None
    period: str
    week_start: str
    by: str | None

    def edges(self, log: Any) -> Ints:
        """Return where the periods begin."""
        found: Ints = log.period_edges(self.period, week_start=self.week_start)
        return found

    def labels(self, log: Any) -> pd.Index:
        """Name the periods."""
        return period_labels(log, self.edges(log), self.period, self.week_start)

    def finished(self, log: Any) -> int:
        """How many periods have fully elapsed."""
        return n_finished(self.edges(log), log.observed_until)

    def status(self, log: Any) -> list[str]:
        """Say of each period whether it has fully elapsed."""
        known = self.finished(log)
        return ["finished" if i < known else "unfinished" for i in range(len(self.edges(log)) - 1)]

    def notes(self, log: Any) -> list[str]:
        """Mark the first period where the log begins inside it."""
        edges = self.edges(log)
        return ["partial" if i == 0 and edges[0] < log.start else "" for i in range(len(edges) - 1)]

    def params(self, log: Any) -> dict[str, Any]:
        """Every option as used."""
        return {
            "of": "any" if self.of is None else self.of.name,
            "period": self.period,
            "by": self.by,
            "week_start": self.week_start,
            "observed_until": log.ends_at,
            "timezone": log.timezone,
        }

    def definition(self, name: str, **variants: Any) -> str:
        """Name the definition; another variant is another number, and its name says so."""
        step = {} if self.of is None else {"of": self.of.name}
        week = {"week_start": self.week_start} if self.period == "week" and self.week_start != "monday" else {}
        said = {key: value for key, value in {**step, **week, **variants}.items() if value is not None}
        return " ".join([name, *(f"{key}={value}" for key, value in said.items())])


def read_activity(
    log: InteractionLog, of: Any, period: str, by: str | None, week_start: str, confidence: float
) -> Activity:
    """Check the options that all analyses of activity share."""
    check_one_of("period", period, PERIODS)
    check_one_of("week_start", week_start, WEEK_STARTS)
    check_confidence(confidence)
    require_group(log, by)
    return Activity(None if of is None else as_step(of, log), period, week_start, by)


@dataclass(frozen=True)
class Seen:
    """A log as activity: each event's period, which events count (empty: all), each customer's group and its name."""

    periods: NDArray[np.int32]
    marked: NDArray[np.bool_]
    groups: NDArray[np.int32]
    names: list[str]
    first_rows: Ints

    def rows(self, *counts: Ints) -> pd.DataFrame:
        """Lay counts of shape (groups, places) out by segment and place, for a tally."""
        places = counts[0].shape[1]
        index = pd.MultiIndex.from_product([self.names, range(places)], names=["segment", "place"])
        return pd.DataFrame({i: each.ravel() for i, each in enumerate(counts)}, index=index)


def see(log: InteractionLog, activity: Activity) -> Seen:
    """Find each customer's activity; who has none has no group."""
    marked = _ALL if activity.of is None else np.ascontiguousarray(activity.of.mask(log))
    first_rows = _first_rows(log, marked)
    groups = np.full(log.n_customers, -1, dtype=np.int32)
    who = np.flatnonzero(first_rows >= 0)
    codes, names = labels_at(log, activity.by, first_rows[who], log.offsets[:-1][who])
    present, place = np.unique(codes, return_inverse=True)
    groups[who] = place
    shown = [names[code] for code in present] or ([] if activity.by else [""])
    return Seen(log.positions(activity.edges(log)), marked, groups, shown, first_rows)


def _first_rows(log: InteractionLog, marked: NDArray[np.bool_]) -> Ints:
    if not marked.size:
        return log.offsets[:-1]
    rows = np.append(np.flatnonzero(marked), log.n_events)
    first = rows[np.searchsorted(rows, log.offsets[:-1])]
    return np.where(first < log.offsets[1:], first, -1)


def count_inactive(log: InteractionLog, *, activity: Activity) -> pd.DataFrame:
    """Customers without any activity."""
    groups = see(log, activity).groups if activity.of is not None else np.zeros(0)
    return pd.DataFrame({"customers": {"lifecycle.inactive": int((groups < 0).sum())}})


def left_out(log: Any, activity: Activity) -> dict[str, int]:
    """Count who is left out: whoever never does what counts as activity."""
    return {str(key): int(n) for key, n in log.tally(count_inactive, activity=activity)["customers"].items()}


def unstack(tally: pd.DataFrame, activity: Activity, places: int, stages: tuple[str, ...]) -> tuple[list[str], Ints]:
    """Turn a tally by segment and place into names and an array of shape (counts, segments, places)."""
    names = in_order(tally.index.unique("segment"), stages) if activity.by else [""]
    full = tally.reindex(pd.MultiIndex.from_product([names, range(places)], names=["segment", "place"]), fill_value=0)
    return names, full.to_numpy(dtype=np.int64).T.reshape(tally.shape[1], len(names), places)


def segment_column(activity: Activity, names: list[str], times: int) -> dict[str, Any]:
    """First column of a table where there are segments."""
    return {} if activity.by is None else {"segment": np.repeat(np.array(names, dtype=object), times)}


def span_words(period: str, n: int) -> str:
    """Say so many periods: "31 days"."""
    return say(f"lifecycle.count_{period}", n=int(n))
