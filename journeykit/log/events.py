"""Choose and regroup the events of a log: what all narrowing and re-keying comes down to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.build import group_rows, tie_ranks
from journeykit.log.quality import Finding, findings_table
from journeykit.loops import over_customers

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog


@dataclass(frozen=True, eq=False)
class Rekeyed:
    """Whose units a re-keyed log holds: a session, a journey or an order belongs to a customer.

    Attributes
    ----------
    unit : str
        What stands in the place of a customer.
    owners : Index
        The customers who have units in the log.
    codes : array of int32
        Position of each unit's customer in `owners`.
    """

    unit: str
    owners: pd.Index
    codes: NDArray[np.int32]

    def __post_init__(self) -> None:
        """Make the array read-only: a log never changes."""
        self.codes.flags.writeable = False

    def take(self, stay: NDArray[np.bool_]) -> Rekeyed:
        """Keep some units, and the customers who have any of them."""
        codes = self.codes[stay]
        used = np.zeros(len(self.owners), dtype=bool)
        used[codes] = True
        return Rekeyed(self.unit, self.owners[used], (np.cumsum(used, dtype=np.int32) - np.int32(1))[codes])


@dataclass(frozen=True, eq=False)
class Segment:
    """A label for each customer, and when it became known.

    Attributes
    ----------
    labels : Index of str
        The labels of the whole log.
    codes : array of int32
        Each customer's label as its position in `labels`; -1 if it never
        became known.
    known_at : array of int64
        Microseconds since 1970, UTC, from which on the label is known; before
        that it is missing on the customer's events.
    """

    labels: pd.Index
    codes: NDArray[np.int32]
    known_at: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Make the arrays read-only: a log never changes."""
        self.codes.flags.writeable = False
        self.known_at.flags.writeable = False

    def take(self, customers: NDArray[Any]) -> Segment:
        """Choose customers, by mask or by position."""
        return Segment(self.labels, self.codes[customers], self.known_at[customers])


def event_columns(log: InteractionLog, rows: NDArray[np.int64] | NDArray[np.bool_]) -> dict[str, Any]:
    """Choose events, in this order; return every column that has one entry an event."""
    return {
        "times": log.times[rows],
        "touchpoint_codes": log.touchpoint_codes[rows],
        "channel_codes": None if log.channel_codes is None else log.channel_codes[rows],
        "stage_codes": None if log.stage_codes is None else log.stage_codes[rows],
        "values": None if log.values is None else log.values[rows],
        "properties": {name: each.take(rows).reset_index(drop=True) for name, each in log.properties.items()},
    }


def keep_events(log: InteractionLog, keep: NDArray[np.bool_]) -> InteractionLog:
    """Keep some events, with the whole log's context; customers left without any drop out."""
    rows = np.flatnonzero(keep)
    if len(rows) == log.n_events:
        return log
    counts = np.diff(np.searchsorted(rows, log.offsets))
    stay = counts > 0
    return replace(
        log,
        customers=log.customers[stay],
        offsets=np.concatenate([[0], np.cumsum(counts[stay])]).astype(np.int64),
        rekeyed=None if log.rekeyed is None else log.rekeyed.take(stay),
        segments={name: each.take(stay) for name, each in log.segments.items()},
        **event_columns(log, rows),
    )


def ranks_of_ties(log: InteractionLog) -> NDArray[np.float64] | None:
    """Order of tied events by the `sequence` that the log was read with; None if it was read without."""
    return tie_ranks(log.properties["sequence"]) if "sequence" in log.properties else None


def regroup(
    log: InteractionLog,
    codes: NDArray[np.int32],
    ids: pd.Index,
    *,
    ties: NDArray[np.float64] | None = None,
    **context: Any,
) -> InteractionLog:
    """Group the events anew: by new customers or by units; times stay in order inside each group.

    Parameters
    ----------
    log : InteractionLog
        The events.
    codes : array of int32
        Position of each event's group in `ids`; -1 leaves the event out.
        Groups that keep no event drop out.
    ids : Index
        The groups' ids, in the order that they are to have.
    ties : array of float64, optional
        What orders events of one group at one instant; the order stored by
        default.
    **context
        Further fields of the new log.
    """
    from journeykit.loops.sorting import sort_inside_customers

    rows: NDArray[np.int64] | None = None
    if (codes < 0).any():
        rows = np.flatnonzero(codes >= 0)
        codes = codes[rows]
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    if not used.all():
        codes, ids = (np.cumsum(used, dtype=np.int32) - np.int32(1))[codes], ids[used]
    times = log.times if rows is None else log.times[rows]
    if ties is not None and rows is not None:
        ties = ties[rows]
    later = times[1:] > times[:-1]
    if ties is None:
        later |= times[1:] == times[:-1]
    else:
        later |= (times[1:] == times[:-1]) & (ties[1:] >= ties[:-1])
    in_order = (codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & later)
    if in_order.all():  # nothing moves: units lie inside customers, one after another
        offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))]).astype(np.int64)
    else:
        if ties is None:
            order, offsets = group_rows(np.ascontiguousarray(codes), len(ids))
        else:  # a stable sort by the least important key first
            by_ties = np.argsort(ties, kind="stable")
            order, offsets = group_rows(np.ascontiguousarray(codes[by_ties]), len(ids))
            order = by_ties[order]
        over_customers(lambda first, last: sort_inside_customers(order, times, offsets, first, last), offsets)
        rows = order if rows is None else rows[order]
    columns = {} if rows is None else event_columns(log, rows)
    return replace(log, customers=ids, offsets=offsets, **columns, **context)


def with_finding(
    log: InteractionLog,
    rule: str,
    rows: int,
    action: str,
    example: str = "",
    *,
    of: int | None = None,
    personal: bool = False,
    replaces: bool = False,
) -> InteractionLog:
    """Add a finding to `log.quality`; without rows there is none.

    `of` is the number of rows that its share is of: the log's events by default.
    A finding about what was done stays when more is done; one about how the log
    is (`replaces`) takes the place of the older one of its rule.
    """
    older = log.quality[log.quality["rule"] != rule] if replaces and len(log.quality) else log.quality
    if not rows:
        return log if len(older) == len(log.quality) else replace(log, quality=older.reset_index(drop=True))
    found = findings_table([Finding(rule, rows, action, example, personal)], log.n_events if of is None else of)
    return replace(log, quality=pd.concat([older, found], ignore_index=True) if len(older) else found)
