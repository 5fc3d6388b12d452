"""Where ClickHouse's windowFunnel means the same, the answers are the same on a million random events.

`windowFunnel(window)(time, step 1, step 2, …)` is `funnel(order="ordered", ties="any", maturity="all")` with a window
and steps that share no event: its level is the length of the furthest chain inside the window, and events of one
instant stand in the order of their steps. Its other modes have no equal here: "strict_order" breaks only at events of
the listed steps, and "strict_deduplication" at repeated ones, where `order="strict"` breaks at any event.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from journeykit.analyses.funnel import funnel
from journeykit.log import InteractionLog

chdb = pytest.importorskip("chdb", reason="chdb (ClickHouse) is not installed: extra `bench`")

N = 1_000_000
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def log() -> InteractionLog:
    """A million events of 60,000 customers on whole hours, so that ties are common."""
    rng = np.random.default_rng(20)
    customer = np.sort(rng.integers(0, 60_000, N))
    hours = rng.integers(0, 24 * 60, N)
    order = np.lexsort((hours, customer))
    counts = np.bincount(customer, minlength=60_000)
    return InteractionLog(
        customers=pd.Index(np.flatnonzero(counts)),
        offsets=np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.int64),
        times=(hours[order] * (DAY // 24)).astype(np.int64),
        touchpoint_codes=rng.integers(0, 8, N).astype(np.int32),
        touchpoints=pd.Index(list("abcdefgh"), dtype=object),
        start=0,
        observed_until=60 * DAY,
    )


@pytest.mark.oracle
@pytest.mark.parametrize(("steps", "window"), [("abcd", 2), ("ab", 1), ("dcba", 14), ("abcdefgh", 30)])
def test_window_funnel_gives_the_same_levels(log, steps, window):
    frame = pd.DataFrame(  # noqa: F841  # the query reads it
        {
            "customer": log.customer_codes.astype(np.int64),
            "time": log.times.astype(np.uint64),
            "touchpoint": log.touchpoint_codes.astype(np.int64),
        }
    )
    conditions = ", ".join(f"touchpoint = {'abcdefgh'.index(step)}" for step in steps)
    query = f"""
        SELECT level, count() AS customers FROM (
            SELECT customer, windowFunnel({window * DAY})(time, {conditions}) AS level
            FROM Python(frame) GROUP BY customer
        ) GROUP BY level ORDER BY level
    """
    levels = chdb.query(query, "DataFrame").set_index("level")["customers"]
    table = funnel(log, list(steps), within=f"{window}d", maturity="all").table
    reached = [int(levels[levels.index >= k].sum()) for k in range(1, len(steps) + 1)]
    assert table["customers"].tolist() == reached
