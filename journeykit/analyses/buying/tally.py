"""Purchases as tallies: counts of equal customers, which add up over any sets of customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.buying.query import Query
from journeykit.journey.groups import labels_at
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers
from journeykit.loops.buying import purchases, purchases_by_day
from journeykit.loops.tenures import no_marks

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

STATE = ["repeats", "last_days", "age_days", "valued"]
"""Key of `count_buyers`: repeat purchase days, days from the first to the last of all, from the first to the end, and
repeat purchase days with an amount."""

# Why a customer is not counted; the place in this list is the code. They are keys of messages.
KEPT = 0
REASONS = ("", "buying.no_purchase", "buying.bought_after", "buying.other_start", "buying.in_washout")
ELSEWHERE = len(REASONS)
"""Of another segment, where one is looked at: counted there."""

NO_AMOUNT = "buying.no_amount"


@dataclass(frozen=True)
class Measured:
    """Each customer's purchases up to a day.

    Attributes
    ----------
    reason : array
        KEPT, or why the customer does not count.
    row : array of int
        Event of the first purchase; 0 where there is none.
    first_day, repeats, last_day, later, valued : array of int
        Day of the first purchase, days with a repeat purchase, day of the
        last purchase, purchase days after the day up to which is counted, and
        repeat purchase days with an amount.
    spend : array
        Sum of these amounts.
    amiss : array of bool
        Whether they did not come to more than nothing: they are then not used.
    """

    reason: npt.NDArray[np.int8]
    row: Counts
    first_day: Counts
    repeats: Counts
    last_day: Counts
    later: Counts
    valued: Counts
    spend: npt.NDArray[np.float64]
    amiss: Flags


def measure(log: InteractionLog, query: Query, until: int) -> Measured:
    """Measure every customer's purchases up to and with a day."""
    asked, n = query.asked, log.n_customers
    out, spend = np.zeros((n, 6), np.int64), np.zeros(n)
    every = asked.purchase is None
    marks = no_marks() if asked.purchase is None else asked.purchase.mask(log)
    amounts = np.zeros(0) if asked.value is None else log.column(asked.value).to_numpy(dtype=float, na_value=np.nan)
    days, offsets, valued = log.days, log.offsets, asked.value is not None
    over_customers(
        lambda a, b: purchases(days, marks, every, amounts, valued, offsets, until, query.last, out, spend, a, b),
        offsets,
    )
    row, first_day, repeats, last_day, later, with_amount = out.T
    bought_at = log.times[np.maximum(row, 0)]
    start, end = asked.acquired
    outside = np.zeros(n, bool)
    if start is not None:
        outside |= bought_at < start
    if end is not None:
        outside |= bought_at >= end
    early = first_day < query.begins + asked.washout_days
    conditions = [row < 0, outside, early, first_day > until]
    reason = np.select(conditions, [1, 3, 4, 2], KEPT).astype(np.int8)
    if query.segment is not None:
        codes, names = segments_at(log, query, np.maximum(row, 0))
        place = names.index(query.segment) if query.segment in names else -1
        reason[(reason == KEPT) & (codes != place)] = ELSEWHERE
    amiss = (with_amount > 0) & ~(spend > 0)
    with_amount, spend = np.where(amiss, 0, with_amount), np.where(amiss, 0.0, spend)
    return Measured(reason, np.maximum(row, 0), first_day, repeats, last_day, later, with_amount, spend, amiss)


def segments_at(log: InteractionLog, query: Query, rows: Counts) -> tuple[Counts, list[str]]:
    """Segment of each customer, as it is at the first purchase: codes and names."""
    return labels_at(log, query.asked.by, rows, log.offsets[:-1])


def count_segments(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """Count the customers of each segment, and those whose segment became known only after the first purchase."""
    found = measure(log, query, query.split)
    kept = found.reason == KEPT
    codes, names = segments_at(log, query, found.row)
    late = np.zeros(log.n_customers, bool)
    if query.asked.by is not None and query.asked.by in log.segments:
        late = log.segments[query.asked.by].known_at > log.times[found.row]
    counts = {"customers": np.bincount(codes[kept], minlength=len(names)),
              "late": np.bincount(codes[kept & late], minlength=len(names))}  # fmt: skip
    return pd.DataFrame(counts, index=pd.Index(names, name="segment"))


def count_buyers(log: InteractionLog, *, query: Query, until: int) -> pd.DataFrame:
    """Count equal customers as they stand on a day.

    Beside `customers`: `spend` (sum of the amounts of their repeat purchases),
    `later` and `later_squared` (sums of the purchase days after that day, and
    of their squares).
    """
    found = measure(log, query, until)
    kept = found.reason == KEPT
    rows = pd.DataFrame(_state(found, kept, until))
    later = found.later[kept]
    values = rows.assign(customers=1, spend=found.spend[kept], later=later, later_squared=later * later)
    return values.groupby(STATE, sort=True).sum()


def count_spend(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """Count customers by `valued` (repeat purchase days with an amount) and `spend` (what these came to)."""
    found = measure(log, query, query.split)
    kept = (found.reason == KEPT) & (found.valued > 0)
    rows = pd.DataFrame({"valued": found.valued[kept], "spend": found.spend[kept]})
    return rows.groupby(["valued", "spend"], sort=True).size().rename("customers").to_frame()


def count_days(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """Count first (`new`) and repeat purchases of those learnt from, by day."""
    found = measure(log, query, query.split)
    kept = found.reason == KEPT
    new = np.bincount(found.first_day[kept] - query.begins, minlength=query.last - query.begins + 1)
    step = query.asked.purchase
    marks = no_marks() if step is None else step.mask(log)
    days, offsets = log.days, log.offsets

    def count(first: int, last: int) -> Counts:
        out = np.zeros(query.last - query.begins + 1, np.int64)
        purchases_by_day(days, marks, step is None, offsets, kept, query.begins, query.last, out, first, last)
        return out

    repeats = np.sum(over_customers(count, offsets), axis=0)
    index = pd.RangeIndex(query.begins, query.last + 1, name="day")
    return pd.DataFrame({"new": new, "repeats": repeats}, index=index)


def count_left_out(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """Count customers by why they are not counted, and those whose amounts are not used."""
    found = measure(log, query, query.split)
    counts = {reason: int((found.reason == code).sum()) for code, reason in enumerate(REASONS) if code != KEPT}
    counts[NO_AMOUNT] = int((found.amiss & (found.reason == KEPT)).sum())
    return pd.DataFrame({"customers": list(counts.values())}, index=pd.Index(list(counts), name="reason"))


def list_buyers(log: InteractionLog, *, query: Query, until: int) -> pd.DataFrame:
    """List one row a customer, as they stand on a day."""
    found = measure(log, query, until)
    kept = found.reason == KEPT
    state = _state(found, kept, until) | {"spend": found.spend[kept]}
    return pd.DataFrame(state, index=pd.Index(log.customers[kept], name="customer"))


def _state(found: Measured, kept: Flags, until: int) -> dict[str, Counts]:
    return {
        "repeats": found.repeats[kept],
        "last_days": (found.last_day - found.first_day)[kept],
        "age_days": until - found.first_day[kept],
        "valued": found.valued[kept],
    }
