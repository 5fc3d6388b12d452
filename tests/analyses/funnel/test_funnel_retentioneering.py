"""Where retentioneering's funnel means the same, the answers are the same on a million random events.

Its funnel is the share of paths in which the steps occur in this order: no window, no other rule. That is
`funnel(steps, ties="stored")` on an order of events that both share. It needs the package's own environment
(retentioneering 5.2 and what journeykit needs), so it runs where somebody has made one.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from journeykit.analyses.funnel import funnel
from journeykit.log import read_log

N = 1_000_000


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A million events of 60,000 customers, no two at one instant: there its order is one of its own."""
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 60_000, N),
            "event": np.array(list("abcdefgh"))[rng.integers(0, 8, N)],
            "timestamp": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(N), unit="s"),
        }
    )


@pytest.mark.oracle
@pytest.mark.parametrize("steps", ["abcd", "ab", "dcba", "aab", "abcdefgh"])
def test_paths_in_which_the_steps_occur_in_order(frame, steps):
    os.environ["RETENTIONEERING_NO_TRACK"] = "1"
    retentioneering = pytest.importorskip("retentioneering", reason="retentioneering is not installed")
    found = retentioneering.Eventstream(frame).funnel_data(steps=list(steps))
    theirs = [int(step["unique_paths"]) for step in found["steps"]]
    log = read_log(frame, customer="user_id", time="timestamp", touchpoint="event", duplicates="keep")
    assert funnel(log, list(steps), ties="stored").table["customers"].tolist() == theirs
