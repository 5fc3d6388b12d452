"""Spans as tallies: one row a customer, or counts of equal spans, which add up over any sets of customers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.rules import OVERALL
from journeykit.analyses.churn.spans import KEPT, REASONS, Query, Spans, Starts, group_labels, measure
from journeykit.log.interactions import InteractionLog

COUNTED = ["what", "limit", "group", "enters_days", "duration_days", "end"]
"""Key of `count_spans`."""


def list_spans(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """List one row a customer, by (customer, group), those without a span with their reason."""
    starts, spans = measure(log, query)
    (each,) = spans
    codes, labels = _groups(log, query, starts)
    everybody = np.arange(log.n_customers)
    levels: list[Any] = [log.customers, labels]
    places: list[Any] = [everybody, codes]
    key = pd.MultiIndex(levels, places, names=["customer", "group"], verify_integrity=False)
    return pd.DataFrame(
        {
            "start_day": each.start_day,
            "enters_days": each.enters,
            "duration_days": each.duration,
            "ends": each.ends.astype(np.int64),
            "back_wait": each.back_wait,
            "came_back": each.came_back.astype(np.int64),
            "seen_at_start": starts.seen_at_start.astype(np.int64),
            "reason": each.reason.astype(np.int64),
        },
        index=key,
    )


def count_spans(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """Count equal spans, for every silence of the query.

    `what` says what a row counts: `span` (enters_days, duration_days, end: a
    code, 0 censored), `back` (duration_days from the exit, end 1 if the
    customer came back), `old` (those who may be older than the log), `left_out` (end: a code of REASONS).
    """
    starts, spans = measure(log, query)
    codes, labels = _groups(log, query, starts)
    parts = [_count(each, starts, codes) for each in spans]
    counts = pd.concat(parts, ignore_index=True)
    counts["group"] = labels.to_numpy()[counts["group"].to_numpy()]
    return counts.set_index(COUNTED)


def _groups(log: InteractionLog, query: Query, starts: Starts) -> tuple[npt.NDArray[np.int32], pd.Index]:
    if query.by is None:
        return np.zeros(log.n_customers, np.int32), pd.Index([OVERALL], dtype=object)
    return group_labels(log, query, starts)


def _count(spans: Spans, starts: Starts, group: npt.NDArray[np.int32]) -> pd.DataFrame:
    kept = spans.reason == KEPT
    ended = kept & (spans.ends > 0)
    old = kept & starts.seen_at_start
    nothing = np.zeros(len(kept), np.int32)
    parts = {
        "span": (kept, spans.enters, spans.duration, spans.ends),
        "back": (ended, nothing, spans.back_wait, spans.came_back),
        "old": (old, nothing, nothing, nothing),
        "left_out": (~kept, nothing, nothing, spans.reason),
    }
    frames = []
    for what, (rows, enters, duration, end) in parts.items():
        counts = count_rows({"group": group, "enters_days": enters, "duration_days": duration, "end": end}, rows)
        counts.insert(0, "limit", spans.limit)
        counts.insert(0, "what", what)
        frames.append(counts)
    return pd.concat(frames, ignore_index=True)


def count_rows(columns: dict[str, npt.NDArray[Any]], rows: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Count equal rows of small whole numbers: as `groupby.size`, in one pass over a packed key."""
    chosen = {name: values[rows].astype(np.int64) for name, values in columns.items()}
    n = int(rows.sum())
    if n == 0:
        return pd.DataFrame({name: np.zeros(0, np.int64) for name in [*columns, "customers"]})
    lows = {name: int(values.min()) for name, values in chosen.items()}
    widths = {name: int(values.max()) - lows[name] + 1 for name, values in chosen.items()}
    size = 1
    for width in widths.values():  # Python's integers: a product that is too large is seen, not wrapped
        size *= width
    if size > 2**62:
        counted = pd.DataFrame(chosen).groupby(list(chosen)).size()
        return counted.rename("customers").reset_index()
    key = np.zeros(n, np.int64)
    for name, values in chosen.items():
        key = key * widths[name] + (values - lows[name])
    if size <= 4 * n + 65_536:
        counts = np.bincount(key, minlength=size)
        key = np.flatnonzero(counts)
        counts = counts[key]
    else:
        key, counts = np.unique(key, return_counts=True)
    unpacked = {}
    for name in reversed(list(chosen)):
        key, place = np.divmod(key, widths[name])
        unpacked[name] = place + lows[name]
    return pd.DataFrame({name: unpacked[name] for name in chosen} | {"customers": counts.astype(np.int64)})


def left_out_reasons(codes: npt.NDArray[np.int64], customers: npt.NDArray[np.int64]) -> dict[str, int]:
    """Add up the customers of each reason."""
    totals = np.bincount(codes, weights=customers, minlength=len(REASONS)).astype(np.int64)
    return {REASONS[code]: int(total) for code, total in enumerate(totals) if code != KEPT}
