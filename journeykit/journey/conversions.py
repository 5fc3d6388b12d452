"""Entries and when the following steps came, without a window: what conversion is estimated from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.journey.kinds import step_kinds
from journeykit.journey.steps import Step
from journeykit.loops import over_customers
from journeykit.loops.conversions import NOT_REACHED, count_entries, match_entries
from journeykit.schema import check_one_of

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

__all__ = ["NOT_REACHED", "conversions"]

EVER = (-(2**62), 2**62)
"""A range that holds every instant."""


def conversions(
    log: InteractionLog,
    steps: Sequence[Step],
    *,
    between: tuple[int | None, int | None] | None = None,
    entries: str = "first",
    ties: str = "any",
) -> pd.DataFrame:
    """Find entries and the earliest time of each following step.

    An entry is an event that matches step 1. From it, each step is the first
    later event that matches it after the step before was reached; one event
    fills one step. The clock is never restarted and no window is applied:
    compare the times with it.

    Parameters
    ----------
    log : InteractionLog
        Whole customers.
    steps : sequence of Step
        Two or more (`as_step` reads what a user says).
    between : tuple of int, optional
        `(from, until)` in microseconds, half-open: only step 1s inside are
        entries, later steps may come after it. None leaves an end open.
    entries : {"first", "all"}
        Each customer's first step 1 in range, or every step 1 in range with a
        clock of its own.
    ties : {"any", "stored"}
        Events of one customer at one instant may match in ascending order of
        the steps however stored, or only in the stored order.

    Returns
    -------
    DataFrame
        One row an entry, by customer and stored order: `customer_code`
        (int32), `entry_event` (int64, the event's position in the log; of
        several first step 1s at one instant the first stored), `entered_at`,
        `reached_2_at` … `reached_k_at` (int64, microseconds since 1970;
        `NOT_REACHED` where the step does not come in the log), `converted_at`
        (the last of them). With `ties="stored"` also `converted_event`, that
        event's position (or `NOT_REACHED`).

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann"] * 3,
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-10", "2024-01-11"]),
    ...     "touchpoint": ["visit", "visit", "order"],
    ... }), observed_until="2024-02-01")
    >>> found = conversions(log, [jk.Step("visit"), jk.Step("order")], entries="all")
    >>> pd.to_timedelta(found["converted_at"] - found["entered_at"], unit="us").dt.days.tolist()
    [10, 1]
    """
    check_one_of("entries", entries, ("first", "all"))
    check_one_of("ties", ties, ("any", "stored"))
    if len(steps) < 2:
        raise ParameterError(f"steps must be two or more, got {len(steps)}")
    codes, has_step = step_kinds(log, steps)
    start, end = between or (None, None)
    opens = (EVER[0] if start is None else start, EVER[1] if end is None else end)
    every, offsets = entries == "all", log.offsets
    counts = np.empty(log.n_customers, np.int64)
    over_customers(
        lambda a, b: count_entries(codes, has_step, log.times, offsets, *opens, every, counts, a, b), offsets
    )
    entries_from = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    n = int(entries_from[-1])
    customers, rows = np.empty(n, np.int32), np.empty(n, np.int64)
    reached = np.empty((n, len(steps) - 1), np.int64)
    events = (codes, has_step, log.times, offsets, *opens, every, ties == "any")
    over_customers(lambda a, b: match_entries(*events, entries_from, customers, rows, reached, a, b), offsets)
    found = {"customer_code": customers, "entry_event": rows, "entered_at": log.times[rows]}
    last: dict[str, NDArray[np.int64]] = {}
    if ties == "stored":  # events, not times
        last = {"converted_event": reached[:, -1].copy()}
        there = reached != NOT_REACHED
        reached[there] = log.times[reached[there]]
    times = {f"reached_{k}_at": reached[:, k - 2] for k in range(2, len(steps) + 1)}
    return pd.DataFrame({**found, **times, "converted_at": reached[:, -1], **last})
