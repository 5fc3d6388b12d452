"""Silences of a log, counted; and how far the share who come back may be off, customer by customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.known import group_labels, refuse_late_segments
from journeykit.analyses.churn.question import REASONS, Days
from journeykit.analyses.churn.starts import first_rows, outside
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier
from journeykit.journey.observed import observed_days
from journeykit.journey.steps import Step
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers
from journeykit.loops.gaps import count_gaps, squared_influence
from journeykit.loops.tenures import NEVER, no_marks

RANKS = 4
"""Silences after the first, second and third active day are told apart, later ones are together."""

ENOUGH = 100
"""Silences that must be watched until limit + horizon for a share of them to count."""


@dataclass(frozen=True)
class Activity:
    """What is counted as activity, how customers are grouped, and the event from which on they are customers."""

    step: Step | None = None
    by: str | None = None
    start: Step | None = None
    between_days: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class Marked:
    """A log's events, as the loops read them."""

    days: Days
    marks: npt.NDArray[np.bool_]
    every: bool
    group: Days
    labels: pd.Index
    start: npt.NDArray[np.int64]
    last: int
    longest: int
    not_between: int


@dataclass(frozen=True)
class Silences:
    """The silences of one group: the risk table of their days, and its Kaplan–Meier curve."""

    risk: pd.DataFrame
    curve: pd.DataFrame

    @classmethod
    def of(cls, counted: pd.DataFrame) -> Silences:
        """Make the curve from counts by days and whether they were broken."""
        table = risk_table(counted["days"], counted["broken"], weight=counted["silences"])
        return cls(table, kaplan_meier(table))

    def at_risk(self, days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Count the silences that last until a day, or are broken on it."""
        known = np.append(self.risk["at_risk"].to_numpy(), 0)
        return np.asarray(known[np.searchsorted(self.risk["time"].to_numpy(), days)], dtype=np.int64)

    def limits(self, horizon: int) -> npt.NDArray[np.int64]:
        """List every limit after which enough silences are watched for the whole horizon."""
        days = np.arange(1, int(self.risk["time"].max()) + 1)
        return days[self.enough(days + horizon)]

    def enough(self, days: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell until which days enough silences are watched."""
        return self.at_risk(days) >= ENOUGH

    def comebacks(self, limits: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.float64]:
        """Estimate R(d, H) at each limit."""
        if not len(limits):
            return np.zeros(0)
        s = curve_at(self.curve, np.concatenate([limits, limits + horizon]))["survival"].to_numpy()
        return np.asarray(1 - s[len(limits) :] / s[: len(limits)] + 0.0, dtype=float)

    def threshold(self, horizon: int, max_comeback: float) -> float:
        """Find the smallest limit from which on no share is above the accepted one; NaN if there is none."""
        limits = self.limits(horizon)
        too_many = self.comebacks(limits, horizon) > max_comeback + 1e-12
        if not len(limits) or too_many[-1]:
            return np.nan
        return float(limits[np.flatnonzero(too_many)[-1] + 1] if too_many.any() else limits[0])


def count_silences(log: InteractionLog, *, activity: Activity) -> pd.DataFrame:
    """Count silences by group, rank, days, and whether they were broken.

    `what` is `silence`, or `left_out` for customers who have none: `days` is
    then the place of the reason in `REASONS`.
    """
    marked = _marked(log, activity)
    n_groups = len(marked.labels)
    parts = over_customers(
        lambda a, b: count_gaps(
            marked.days, marked.marks, marked.every, log.offsets, marked.start, marked.group, n_groups, RANKS,
            marked.last, marked.longest, a, b,
        ),
        log.offsets,
    )  # fmt: skip
    found = sum(parts[1:], parts[0])
    none = "no_activity" if activity.start is None else "no_start"
    out = {none: int((marked.start < 0).sum()) - marked.not_between, "not_between": marked.not_between}
    out["started_after"] = int((log.days[np.maximum(marked.start, 0)][marked.start >= 0] > marked.last).sum())
    out["no_time_at_risk"] = int(found[:, 0, 0, 0].sum())  # a first silence of no day yet: seen on the last day alone
    found[:, :, :, 0] = 0  # nor can other silences of no day be watched
    group, rank, broken, days = np.nonzero(found)
    rows = pd.DataFrame(
        {
            "what": "silence",
            "group": marked.labels.to_numpy()[group],
            "rank": rank,
            "broken": broken,
            "days": days,
            "silences": found[group, rank, broken, days],
        }
    )
    reasons = [REASONS.index(f"churn.{reason}") for reason in out]
    lacking = pd.DataFrame({"what": "left_out", "group": "", "rank": 0, "broken": 0, "days": reasons})
    rows = pd.concat([rows, lacking.assign(silences=list(out.values()))], ignore_index=True)
    return rows.set_index(["what", "group", "rank", "broken", "days"])


def spread(
    log: InteractionLog, *, activity: Activity, limits: list[int], horizon: int, ranks: int, steps: dict[Any, Any]
) -> pd.DataFrame:
    """Add up squared influences on the share who come back, by (group, rank, limit).

    `steps` holds for each (group, rank) the at-risk and broken silences by
    day, over the whole log.
    """
    marked = _marked(log, activity)
    keys = [(str(label), rank) for label in marked.labels for rank in range(ranks)]
    own, passed = np.zeros((len(keys), marked.longest + 1)), np.zeros((len(keys), marked.longest + 1))
    for row, key in enumerate(keys):
        if key in steps:
            days, at_risk, broken = steps[key]
            left = np.where(at_risk > broken, at_risk * (at_risk - broken), np.inf)
            adds = broken / left
            passed[row, days] = adds
            own[row, days] = adds + 1 / np.maximum(at_risk, 1)
    passed = np.cumsum(passed, axis=1)
    parts = over_customers(
        lambda a, b: squared_influence(
            marked.days, marked.marks, marked.every, log.offsets, marked.start, marked.group,
            np.array(limits, np.int32), horizon, ranks, marked.last, own, passed, a, b,
        ),
        log.offsets,
    )  # fmt: skip
    index = pd.MultiIndex.from_tuples(
        [(*key, limit) for key in keys for limit in limits], names=["group", "rank", "limit"]
    )
    squares = sum(part[0] for part in parts)
    customers = sum(part[1] for part in parts)
    return pd.DataFrame({"squares": np.ravel(squares), "customers": np.ravel(customers)}, index=index)


def list_silent(log: InteractionLog, *, activity: Activity, group: str, longer: int) -> pd.DataFrame:
    """List the customers of a group who were ever silent for longer, with their longest silence."""
    marked = _marked(log, activity)
    begins = marked.start[log.customer_codes]
    row = np.arange(log.n_events)
    chosen = (row == begins) | ((begins >= 0) & (row > begins) & (True if marked.every else marked.marks))
    chosen &= marked.days <= marked.last
    codes, days = log.customer_codes[chosen], marked.days[chosen]
    same = np.append(codes[1:] == codes[:-1], False)
    gap = np.where(same, np.append(days[1:], 0), marked.last) - days
    longest = np.zeros(log.n_customers, np.int64)
    np.maximum.at(longest, codes, gap)
    found = (longest > longer) & (marked.labels.to_numpy()[marked.group] == group)
    return pd.DataFrame({"days": longest[found]}, index=log.customers[found])


def _marked(log: InteractionLog, activity: Activity) -> Marked:
    observed = observed_days(log)
    step = activity.step
    start = first_rows(log, activity.start or step, np.full(log.n_customers, -NEVER, np.int32))
    began = outside(activity.between_days, log.days[np.maximum(start, 0)]) & (start >= 0)
    start = np.where(began, -1, start)
    refuse_late_segments(log, activity.by, start)
    group, labels = group_labels(log, activity.by, start, np.arange(log.n_customers))
    return Marked(
        days=log.days,
        marks=no_marks() if step is None else step.mask(log),
        every=step is None,
        group=group,
        labels=labels,
        start=start,
        last=observed.last_full,
        longest=max(0, observed.last_full - observed.begins),
        not_between=int(began.sum()),
    )
