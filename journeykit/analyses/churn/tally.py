"""Spans as tallies: one row a customer, or counts of equal spans, which add up over any sets of customers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.covariates import count_in_window, read_at_start
from journeykit.analyses.churn.known import group_labels
from journeykit.analyses.churn.rules import Inactivity
from journeykit.analyses.churn.spans import COVARIATE, KEPT, REASONS, Days, Flags, Query, Spans, Starts, measure
from journeykit.log.interactions import InteractionLog
from journeykit.loops.tenures import count_equal, extents

COUNTED = ["what", "limit", "group", "enters_days", "duration_days", "end"]
"""Key of `count_spans`."""


def list_spans(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """List one row a customer, by (customer, group, columns as covariates), those without a span with their reason."""
    starts, spans = measure(log, query)
    (each,) = spans
    codes, labels = group_labels(log, query.by, starts.row)
    everybody = np.arange(log.n_customers)
    levels: list[Any] = [log.customers, labels]
    places: list[Any] = [everybody, codes]
    names, counts = ["customer", "group"], {}
    for name, what in query.covariates.items():
        if isinstance(what, str):  # values are keys, since only numbers of events can be added
            place, level = pd.factorize(read_at_start(log, what, starts.row))
            levels.append(level)
            places.append(place)
            names.append(f"{COVARIATE}{name}")
        else:
            assert query.window_days is not None
            window = (starts.day, starts.row, query.window_days)
            counts[f"{COVARIATE}{name}"] = count_in_window(log, what, *window)
    key = pd.MultiIndex(levels, places, names=names, verify_integrity=False)
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
        }
        | counts,
        index=key,
    )


def count_spans(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """Count equal spans, for every silence of the query.

    `what` says what a row counts: `span` (enters_days, duration_days, end: a
    code, 0 censored), `back` (duration_days from the exit, end 1 if the
    customer came back); and for the main silence alone `old` (those who may be
    older than the log), `left_out` (end: a code of REASONS).
    """
    starts, spans = measure(log, query)
    codes, labels = group_labels(log, query.by, starts.row)
    main = query.churn.days if isinstance(query.churn, Inactivity) else 0
    parts = [_count(each, starts, codes, each.limit == main) for each in spans]
    counts = pd.concat(parts, ignore_index=True)
    counts["group"] = labels.to_numpy()[counts["group"].to_numpy()]
    return counts.set_index(COUNTED)


def _count(spans: Spans, starts: Starts, group: Days, main: bool) -> pd.DataFrame:
    kept = spans.reason == KEPT
    nothing = np.zeros(len(kept), np.int32)
    parts = {
        "span": (kept, spans.enters, spans.duration, spans.ends),
        "back": (kept & (spans.ends > 0), nothing, spans.back_wait, spans.came_back.astype(np.int8)),
    }
    if main:
        parts["old"] = (kept & starts.seen_at_start, nothing, nothing, np.zeros(len(kept), np.int8))
        parts["left_out"] = (~kept, nothing, nothing, spans.reason)
    frames = []
    for what, (rows, enters, duration, ends) in parts.items():
        counts = count_rows(group, enters, duration, ends, rows)
        counts.insert(0, "limit", spans.limit)
        counts.insert(0, "what", what)
        frames.append(counts)
    return pd.concat(frames, ignore_index=True)


def count_rows(group: Days, enters: Days, duration: Days, ends: npt.NDArray[np.int8], kept: Flags) -> pd.DataFrame:
    """Count equal entries: as `groupby.size`, but in one pass where the combinations that could be are few enough."""
    names = COUNTED[2:]
    arrays = [np.ascontiguousarray(each) for each in (group, enters, duration, ends)]
    between = np.zeros((4, 2), np.int64)
    n = extents(*arrays, kept, between)
    widths = between[:, 1] - between[:, 0] + 1
    size = math.prod(widths.tolist())  # Python's integers: a product that is too large is seen, not wrapped
    if n == 0 or size > 4 * n + 1_000_000:
        rows = pd.DataFrame({name: each[kept].astype(np.int64) for name, each in zip(names, arrays, strict=True)})
        return rows.groupby(names, sort=True).size().rename("customers").reset_index()
    counts = np.zeros(size, np.int64)
    count_equal(*arrays, kept, between, counts)
    found = np.flatnonzero(counts)
    places = np.unravel_index(found, widths)
    columns = {name: place + low for name, place, low in zip(names, places, between[:, 0], strict=True)}
    return pd.DataFrame(columns | {"customers": counts[found]})


def left_out_reasons(codes: npt.NDArray[np.int64], customers: npt.NDArray[np.int64]) -> dict[str, int]:
    """Add up the customers of each reason."""
    totals = np.bincount(codes, weights=customers, minlength=len(REASONS)).astype(np.int64)
    return {REASONS[code]: int(total) for code, total in enumerate(totals) if code != KEPT}
