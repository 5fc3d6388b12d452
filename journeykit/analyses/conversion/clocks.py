"""One clock a customer and entrance period: which entry it belongs to, how far it came and after how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from journeykit.analyses.conversion.entries import Longs, entry_groups
from journeykit.analyses.conversion.trend_plan import TrendPlan
from journeykit.journey.kinds import step_kinds
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers


@dataclass(frozen=True)
class Clocks:
    """Clocks, one entry each, by customer and period.

    Attributes
    ----------
    begin : array of int64, shape (n_customers + 1,)
        Where the clocks of each customer begin.
    customers, periods : array of int32
        Codes of the customers; the entrance periods.
    groups : array of int64
        The place of the group among the plan's labels.
    reached : array of int16
        The furthest step reached within the window.
    durations : array of int64
        Microseconds from the entry to `to_step`, or for as long as it was
        watched: until the window's end, or until observation ends.
    converted : array of bool
        Whether `to_step` was reached in that time.
    """

    begin: Longs
    customers: NDArray[np.int32]
    periods: NDArray[np.int32]
    groups: Longs
    reached: NDArray[np.int16]
    durations: Longs
    converted: NDArray[np.bool_]


def find_clocks(log: InteractionLog, plan: TrendPlan) -> Clocks:
    """Find each customer's clock of each period.

    Whether an attempt from a step 1 reaches a step within its window does not
    depend on other attempts, so with `clock="last"` a period came as far as the
    furthest of its step 1s. It is timed from the one that converted first, of
    several the latest; if none did, from the last.
    """
    from journeykit.loops.clocks import count_clocks, match_clocks

    codes, has_step = step_kinds(log, plan.steps)
    events = (codes, has_step, log.times, log.offsets, plan.edges, *plan.opens)
    number = np.empty(log.n_customers, np.int64)
    over_customers(lambda a, b: count_clocks(*events, number, a, b), log.offsets)
    begin = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    n = int(begin[-1])
    customers, periods = np.empty(n, np.int32), np.empty(n, np.int32)
    rows, durations, reached = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int16)
    keep_first, any_order = plan.clock == "first", plan.ties == "any"
    rules = (plan.within, log.observed_until, keep_first, any_order)
    out = (customers, rows, periods, reached, durations)
    over_customers(lambda a, b: match_clocks(*events, *rules, begin, *out, a, b), log.offsets)
    groups = entry_groups(log, plan.by, plan.labels, plan.steps[0], rows, customers, tied=any_order)
    return Clocks(begin, customers, periods, groups, reached, durations, reached == plan.to_step)
