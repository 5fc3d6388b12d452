"""One clock a customer and entrance period: which entry it belongs to, how far it came and after how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from journeykit.analyses.conversion.entries import Longs, entry_groups
from journeykit.analyses.conversion.trend_plan import TrendPlan
from journeykit.journey.conversions import NOT_REACHED, conversions
from journeykit.log.interactions import InteractionLog


@dataclass(frozen=True)
class Clocks:
    """Clocks, one entry each, by customer and period.

    Attributes
    ----------
    customers : array of int32
        Codes of the customers.
    periods, groups : array of int64
        The entrance period, and the place of the group among the plan's labels.
    reached : array of int64
        The furthest step reached within the window.
    durations : array of int64
        Microseconds from the entry to `to_step`, or for as long as it was
        watched: until the window's end, or until observation ends.
    converted : array of bool
        Whether `to_step` was reached in that time.
    """

    customers: NDArray[np.int32]
    periods: Longs
    groups: Longs
    reached: Longs
    durations: Longs
    converted: NDArray[np.bool_]


def find_clocks(log: InteractionLog, plan: TrendPlan) -> Clocks:
    """Find each customer's clock of each period.

    Whether an attempt from a step 1 reaches a step within its window does not
    depend on other attempts, so with `clock="last"` a period came as far as the
    furthest of its step 1s. It is timed from the one that converted first, of
    several the latest; if none did, from the last.
    """
    found = conversions(log, plan.steps, between=plan.opens, entries="all")
    customers, entered = found["customer_code"].to_numpy(), found["entered_at"].to_numpy()
    rows, converted_at = found["entry_event"].to_numpy(), found["converted_at"].to_numpy()
    periods = np.searchsorted(plan.edges, entered, side="right") - 1
    starts = np.flatnonzero(np.r_[True, (np.diff(customers) != 0) | (np.diff(periods) != 0)]) if len(rows) else rows
    reached = np.ones(len(rows), np.int64)
    for k in range(2, plan.to_step + 1):
        at = found[f"reached_{k}_at"].to_numpy()
        reached += (at != NOT_REACHED) & (at - entered <= plan.within)
    if plan.clock == "first":
        chosen, furthest = starts, reached[starts]
    else:
        furthest = np.maximum.reduceat(reached, starts) if len(rows) else reached
        chosen = _chosen(starts, np.where(reached == plan.to_step, converted_at, NOT_REACHED))
    converted = furthest == plan.to_step
    limits = np.minimum(log.observed_until - 1 - entered[chosen], plan.within)
    return Clocks(
        customers=customers[chosen],
        periods=periods[chosen],
        groups=entry_groups(
            log, plan.by, plan.labels, plan.steps[0], rows[chosen], customers[chosen], one_each=plan.clock == "first"
        ),
        reached=furthest,
        durations=np.where(converted, converted_at[chosen] - entered[chosen], limits),
        converted=converted,
    )


def _chosen(starts: Longs, converted_at: Longs) -> Longs:
    """Of each run of entries: the latest of those that convert first, or the last."""
    if not len(starts):
        return starts
    sizes = np.diff(np.r_[starts, len(converted_at)])
    first = np.repeat(np.minimum.reduceat(converted_at, starts), sizes)
    here = np.where(converted_at == first, np.arange(len(converted_at)), -1)
    chosen: Longs = np.maximum.reduceat(here, starts)
    return chosen
