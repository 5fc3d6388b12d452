"""The loops of retention and activity: the same on any number of threads, and safe at the edges of their arrays."""

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from journeykit.analyses.lifecycle import active_customers, lifecycle, stickiness
from journeykit.analyses.retention import retention
from journeykit.loops import engine
from journeykit.loops.retention import first_marked
from tests.helpers import make_log

RNG = np.random.default_rng(8)
ROWS = [(f"c{who}", "AB"[kind], int(day)) for who, kind, day in RNG.integers(0, [80, 2, 200], (600, 3))]
LOG = make_log(ROWS, observed_until=200)


def test_the_first_marked_event_of_each_customer_is_found():
    offsets = np.array([0, 3, 5, 6])
    marked = np.array([False, True, True, False, False, True])
    out = np.empty(3, np.int64)
    first_marked(offsets, marked, out, 0, 3)
    assert out.tolist() == [1, -1, 5]


@pytest.mark.parametrize(
    ("analysis", "options"),
    [
        (retention, {}),
        (retention, {"cohort": "every", "mean": "simple"}),
        (retention, {"mode": "on_or_after", "horizon": 3, "start": "A", "back": "B"}),
        (retention, {"windows": "rolling", "by": "touchpoint"}),
        (lifecycle, {"period": "week"}),
        (stickiness, {}),
        (active_customers, {"rolling": 5}),
    ],
)
def test_one_thread_and_several_give_the_same(monkeypatch, analysis, options):
    alone = analysis(LOG, **options)
    monkeypatch.setattr(engine, "MIN_EVENTS_PER_THREAD", 10)
    monkeypatch.setattr(engine, "n_threads", lambda: 5)
    together = analysis(LOG, **options)
    assert_frame_equal(alone.table, together.table)
    assert_frame_equal(alone.summary, together.summary, rtol=1e-12)
    assert_frame_equal(alone.comparison, together.comparison, rtol=1e-12)


@pytest.mark.parametrize("rolling", [2, 199, 200, 201, 10_000])
def test_trailing_windows_longer_than_the_log_stay_inside_it(rolling):
    table = active_customers(LOG, rolling=rolling).table
    assert table["trailing"].notna().sum() == max(0, 200 - rolling + 1)
    if rolling == 200:
        assert table["trailing"].iloc[-1] == LOG.n_customers


@pytest.mark.parametrize("timezone", ["America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"])
@pytest.mark.parametrize("period", ["hour", "day", "week", "year"])
def test_periods_of_unusual_length_are_found(timezone, period):
    # Apia had no 30 December 2011; Lord Howe moves its clocks by half an hour; Kathmandu is 5:45 ahead.
    from journeykit.log import InteractionLog, read_log

    rng = np.random.default_rng(3)
    raw = make_log([(c, t, d) for c, t, d in ROWS[:200]], observed_until=200).frame()
    raw["time"] = np.datetime64("2011-12-25") + rng.integers(0, 30 * 24 * 60, len(raw)).astype("m8[m]")
    log: InteractionLog = read_log(raw, timezone=timezone, observed_until="2012-01-26", duplicates="keep")
    result = retention(log, period=period, horizon=3)
    edges = log.period_edges(period)
    start = np.searchsorted(edges, log.times[log.offsets[:-1]], side="right") - 1
    sizes = np.bincount(start, minlength=len(edges) - 1)
    assert result.matrix("customers").iloc[:, 0].tolist() == sizes.tolist()
