"""Spans as tallies: one row a customer, or counts of equal spans, which add up over any sets of customers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.changing import split
from journeykit.analyses.churn.covariates import count_in_window, read_at_start
from journeykit.analyses.churn.known import group_labels
from journeykit.analyses.churn.question import COVARIATE, KEPT, REASONS, Days, Flags, Query, Spans, Starts
from journeykit.analyses.churn.rules import Inactivity
from journeykit.analyses.churn.spans import measure
from journeykit.log.interactions import InteractionLog
from journeykit.loops.tenures import count_equal, extents

COUNTED = ["what", "limit", "group", "enters_days", "duration_days", "end"]
"""Key of `count_spans`."""


def list_spans(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """List spans, those left out with their reason: a row a customer, or a spell, or a part of one without changes.

    The key is (customer, [spell], [part], group, columns as covariates): values are keys, since only numbers of
    events can be added. `last` marks the row that ends a span.
    """
    starts, spans = measure(log, query)
    (each,) = spans
    codes, labels = group_labels(log, query.by, starts.row, starts.customer)
    keys: dict[str, tuple[Any, Any]] = {"customer": (log.customers, starts.customer)}
    if query.spells:
        keys["spell"] = (pd.RangeIndex(int(starts.spell.max(initial=0)) + 1), starts.spell)
    keys["group"] = (labels, codes)
    counts = {
        "start_day": each.start_day,
        "enters_days": each.enters,
        "duration_days": each.duration,
        "ends": each.ends,
        "back_wait": each.back_wait,
        "came_back": each.came_back.view(np.int8),
        "seen_at_start": starts.seen_at_start.view(np.int8),
        "reason": each.reason,
    }
    for name, what in query.covariates.items():
        if isinstance(what, str):
            place, level = pd.factorize(read_at_start(log, what, starts.row, starts.customer))
            keys[f"{COVARIATE}{name}"] = level, place
        else:
            assert query.window_days is not None
            counts[f"{COVARIATE}{name}"] = count_in_window(log, what, starts, query.window_days)
    if query.changing:
        keys, counts = _in_rows(log, query, starts, each, keys, counts)
    levels, places = zip(*keys.values(), strict=True)
    index = pd.MultiIndex(list(levels), list(places), names=list(keys), verify_integrity=False)
    return pd.DataFrame(counts, index=index, copy=False)


def _in_rows(
    log: InteractionLog, query: Query, starts: Starts, spans: Spans, keys: dict[str, Any], counts: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Repeat what is known of each span in the rows that it is cut into; those left out have one."""
    rows = split(log, query, starts, spans)
    out = np.flatnonzero(spans.reason != KEPT)
    span = np.append(rows.span, out)
    order = np.argsort(span, kind="stable")
    nothing = np.zeros(len(out), np.int64)

    def laid(values: Any, of_out: Any) -> Any:
        return np.append(values, of_out)[order]

    span, last = span[order], laid(rows.last, nothing > 0)
    keys = {name: (level, np.asarray(place)[span]) for name, (level, place) in keys.items()}
    part = laid(rows.part, nothing)
    keys["part"] = (pd.RangeIndex(int(part.max(initial=0)) + 1), part)
    counts = {name: np.asarray(values)[span] for name, values in counts.items()}
    counts |= {"enters_days": laid(rows.enters, nothing), "duration_days": laid(rows.duration, nothing)}
    for name in ("ends", "back_wait", "came_back", "seen_at_start"):
        counts[name] = np.where(last, counts[name], 0)
    counts["last"] = last.astype(np.int64)
    for name, values in rows.values.items():
        if query.changing[name][0] == "last":
            place, level = pd.factorize(laid(values, values[:1].repeat(len(out)) if len(values) else nothing))
            keys[f"{COVARIATE}{name}"] = pd.Index(level), place
        else:
            counts[f"{COVARIATE}{name}"] = laid(values, nothing)
    return keys, counts


def count_spans(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """Count equal spans, for every silence of the query.

    `what` says what a row counts: `span` (enters_days, duration_days, end: a
    code, 0 censored), `back` (duration_days from the exit, end 1 if the
    customer came back); and for the main silence alone `old` (those who may be
    older than the log), `left_out` (end: a code of REASONS).
    """
    starts, spans = measure(log, query)
    codes, labels = group_labels(log, query.by, starts.row, starts.customer)
    main = query.churn.days if isinstance(query.churn, Inactivity) else 0
    parts = [_count(query, each, starts, codes, each.limit == main) for each in spans]
    counts = pd.concat(parts, ignore_index=True)
    counts["group"] = labels.to_numpy()[counts["group"].to_numpy()]
    return counts.set_index(COUNTED)


def list_repeats(log: InteractionLog, *, query: Query) -> pd.DataFrame:
    """List the spans of customers who have several, by (customer, spell, group)."""
    starts, spans = measure(log, query)
    each = next(spans)
    kept = each.reason == KEPT
    several = np.bincount(starts.customer[kept], minlength=log.n_customers) > 1
    rows = np.flatnonzero(kept & several[starts.customer])
    codes, labels = group_labels(log, query.by, starts.row, starts.customer)
    keys: list[Any] = [log.customers.take(starts.customer[rows]), starts.spell[rows], labels.take(codes[rows])]
    columns = {
        "enters_days": each.enters[rows],
        "duration_days": each.duration[rows],
        "end": each.ends[rows].astype(np.int64),
        "back_wait": each.back_wait[rows],
        "came_back": each.came_back[rows].astype(np.int64),
    }
    return pd.DataFrame(columns, index=pd.MultiIndex.from_arrays(keys, names=["customer", "spell", "group"]))


def _count(query: Query, spans: Spans, starts: Starts, group: Days, main: bool) -> pd.DataFrame:
    kept = spans.reason == KEPT
    nothing = np.zeros(len(kept), np.int32)
    parts = {
        "span": (kept, spans.enters, spans.duration, spans.ends),
        "back": (kept & (spans.ends > 0), nothing, spans.back_wait, spans.came_back.astype(np.int8)),
    }
    if not query.back_is_seen:
        del parts["back"]
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
