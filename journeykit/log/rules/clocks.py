"""Rules about clocks: times that cannot be, and sources whose clocks disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.calendar import as_timestamp
from journeykit.log.quality import Finding
from journeykit.log.rules.seen import Seen
from journeykit.schema import SECOND

YEAR_2000 = 946_684_800 * SECOND
"""2000-01-01 UTC."""

SAMPLED_EVENTS = 200_000
"""Events that are enough to compare two clocks by."""


def before_2000(seen: Seen) -> list[Finding]:
    """Find times before 2000-01-01, UTC: older than most logs, often a default date.

    Kept: some logs are that old (CDNOW is). Those nearest to 1970 are
    `out_of_range_time`.
    """
    early = seen.times < YEAR_2000
    example = str(as_timestamp(int(seen.times[early].min()), seen.log.timezone)) if early.any() else ""
    return [Finding("before_2000", int(early.sum()), "kept", example)]


def clock_skew(
    seen: Seen, *, by: str | None = None, seconds: float = 60.0, pairs: int = 20, share: float = 0.5
) -> list[Finding]:
    """Find two sources whose clocks disagree, by the events that both recorded.

    Formula: for each two values a, b of the column `by`, δ are the differences
    of time (b's minus a's) between neighbouring events of one customer at one
    touchpoint, one from a and one from b. The clocks disagree if there are at
    least `pairs` of them, at least `share` lie within `seconds` of their
    median, and the median is further than `seconds` from zero.

    Defaults: `by` is the channel, if there is one; one minute, the step in
    which tills and call centres write; 20 pairs and one half, ours.

    Rows: those of the rarer source. Kept. Up to 200,000 events are looked at,
    of customers evenly chosen.
    """
    log = seen.log
    column = by if by is not None else "channel"
    if by is None and log.channel_codes is None:
        return []
    log.require(column)
    rows = _sample(log.offsets)
    sources = pd.Categorical(log.column(column).iloc[rows])
    codes = sources.codes.astype(np.int64)
    if len(sources.categories) < 2:
        return []
    keys = np.searchsorted(log.offsets, rows, side="right") * len(log.touchpoints) + log.touchpoint_codes[rows]
    order = np.argsort(keys, kind="stable")  # rows of a customer are in order of time already
    keys, codes, times = keys[order], codes[order], log.times[rows][order]
    beside = (keys[1:] == keys[:-1]) & (codes[1:] != codes[:-1]) & (codes[1:] >= 0) & (codes[:-1] >= 0)
    left, right = codes[:-1][beside], codes[1:][beside]
    gaps = np.diff(times)[beside] * np.where(left < right, 1, -1)
    frame = pd.DataFrame({"a": np.minimum(left, right), "b": np.maximum(left, right), "gap": gaps})
    findings = []
    for pair, some in frame.groupby(["a", "b"])["gap"]:
        middle = float(some.median())
        agree = float(((some - middle).abs() <= seconds * SECOND).mean())
        if len(some) < pairs or agree < share or abs(middle) <= seconds * SECOND:
            continue
        a, b = sources.categories[np.array(pair)]
        rows_of_source = min(int((log.column(column) == each).sum()) for each in (a, b))
        gap = pd.Timedelta(abs(middle), unit="us").round("ms")
        example = f"{b} {'after' if middle > 0 else 'before'} {a} by {gap}, in {len(some)} pairs"
        findings.append(Finding("clock_skew", rows_of_source, "kept", example))
    return findings


def _sample(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of whole customers, evenly chosen, about as many as are needed."""
    n_customers, n_events = len(offsets) - 1, int(offsets[-1])
    step = max(1, n_events // SAMPLED_EVENTS)
    if step == 1:
        return np.arange(n_events)
    begins = offsets[:-1][::step]
    lengths = np.minimum(offsets[1:][::step] - begins, SAMPLED_EVENTS)
    ends = np.cumsum(lengths)
    return np.repeat(begins - (ends - lengths), lengths) + np.arange(int(ends[-1])) if n_customers else begins
