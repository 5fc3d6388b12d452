"""Where a tenure begins: at the first event that counts as a start, or at a known sign-up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.question import CODE, KEPT, Days, Query, Starts
from journeykit.analyses.churn.rules import Contract
from journeykit.errors import ParameterError
from journeykit.journey.observed import Observed
from journeykit.journey.steps import Step
from journeykit.log.interactions import InteractionLog
from journeykit.loops import over_customers
from journeykit.loops.tenures import NEVER, first_rows_from, no_marks


def first_starts(log: InteractionLog, query: Query, observed: Observed) -> Starts:
    """Find where each customer's first tenure begins."""
    first_seen = log.days[log.offsets[:-1]]
    if query.signed_up is None:
        starts = _starts_in_log(log, query, first_seen)
    else:
        starts = _starts_by_sign_up(log, query, observed)
    reason = starts.reason.copy()
    if query.washout_days is not None:
        early = first_seen < observed.begins + query.washout_days
        reason[(reason == KEPT) & early] = CODE["churn.in_washout"]
    reason[(reason == KEPT) & (starts.day > observed.last_full)] = CODE["churn.started_after"]
    active_from = np.where(reason == KEPT, starts.active_from, np.int32(NEVER))
    may_be_old = np.zeros(log.n_customers, bool)
    if query.signed_up is None and query.seen_within:
        # Who was there before the log, and had not left, must show within so many days of its beginning.
        may_be_old = first_seen < observed.begins + query.seen_within
    return replace(starts, reason=reason, active_from=active_from, seen_at_start=may_be_old)


def outside(between: tuple[int | None, int | None], day: Days) -> npt.NDArray[np.bool_]:
    """Tell which days lie outside a range."""
    first, end = between
    out = np.zeros(len(day), bool)
    if first is not None:
        out |= day < first
    if end is not None:
        out |= day >= end
    return out


def _starts_in_log(log: InteractionLog, query: Query, first_seen: Days) -> Starts:
    """Begin at the first event that counts as a start."""
    step, n = query.start or query.activity, log.n_customers
    if step is None:
        return _one_each(first_seen, log.offsets[:-1], first_seen, np.zeros(n, bool), np.zeros(n, np.int8))
    row = first_rows(log, step, np.full(n, -NEVER, np.int32))
    found = row >= 0
    missing = CODE["churn.no_start" if query.start is not None else "churn.no_activity"]
    day = np.where(found, log.days[np.maximum(row, 0)], 0).astype(np.int32)
    reason = np.where(found, KEPT, missing).astype(np.int8)
    return _one_each(day, row, day, np.zeros(n, bool), reason)


def _starts_by_sign_up(log: InteractionLog, query: Query, observed: Observed) -> Starts:
    """Begin at a known day, which may lie before the log: then the customer is watched from when it is seen."""
    given = _sign_up_days(log, query.signed_up)
    known = np.isfinite(given)
    day = np.where(known, given, 0).astype(np.int32)
    reason = np.where(known, KEPT, CODE["churn.no_sign_up"]).astype(np.int8)
    late = known & (day < observed.first_full)
    if not query.late_entry:
        reason[late] = CODE["churn.started_before"]
        late &= False
    # Of a contract, only a renewal shows that it is running.
    shown = query.again if isinstance(query.churn, Contract) else query.activity
    seen_row = first_rows(log, shown, np.where(late, observed.first_full, NEVER).astype(np.int32))
    seen = seen_row >= 0
    reason[late & ~seen & (reason == KEPT)] = CODE["churn.not_seen_at_entry"]
    seen_day = np.where(seen, log.days[np.maximum(seen_row, 0)], NEVER)
    # A group is known at the start if the customer did something on that very day.
    start_row = first_rows(log, None, day)
    on_the_day = (start_row >= 0) & (log.days[np.maximum(start_row, 0)] == day)
    row = np.where(late, seen_row, np.where(on_the_day, start_row, -1))
    return _one_each(day, row, np.where(late, seen_day, day).astype(np.int32), late, reason)


def _one_each(
    day: Days, row: npt.NDArray[np.int64], active_from: Days, late: npt.NDArray[np.bool_], reason: Any
) -> Starts:
    n = len(day)
    return Starts(np.arange(n), np.ones(n, np.int32), day, row, active_from, late, reason, np.zeros(n, bool))


def _sign_up_days(log: InteractionLog, signed_up: Any) -> npt.NDArray[np.float64]:
    """Day of each customer's sign-up since 1970; NaN if unknown."""
    if isinstance(signed_up, str):
        at_first = log.column(signed_up).iloc[log.offsets[:-1]]
        return days_since_1970(at_first, log.timezone, name=f"column {signed_up!r}")
    return np.asarray(signed_up.reindex(log.customers).to_numpy(dtype=float))


def days_since_1970(dates: Any, timezone: str, *, name: str) -> npt.NDArray[np.float64]:
    """Read dates, or times (local unless they say otherwise), as days since 1970; NaN if missing."""
    series = pd.Series(dates).reset_index(drop=True)
    try:
        if series.dtype == object:
            series = pd.Series(pd.DatetimeIndex([_local(pd.Timestamp(each), timezone) for each in series]))
        zone = series.dt.tz
        series = series if zone is None else series.dt.tz_convert(timezone).dt.tz_localize(None)
    except (ValueError, TypeError, AttributeError) as error:
        raise ParameterError(f"{name} must hold dates, such as 2024-03-31, got {series.head(1).tolist()}") from error
    days = series.to_numpy().astype("M8[D]")
    return np.where(np.isnat(days), np.nan, days.astype(np.int64))


def _local(stamp: pd.Timestamp, timezone: str) -> pd.Timestamp:
    """Take a stamp's zone away, once it shows what the log's clocks showed."""
    return stamp.tz_convert(timezone).tz_localize(None) if stamp.tzinfo is not None else stamp


def first_rows(log: InteractionLog, step: Step | None, from_day: Days) -> npt.NDArray[np.int64]:
    """Find each customer's first event of a step (or any) on a day or later; -1 if there is none."""
    out = np.empty(log.n_customers, np.int64)
    marks = no_marks() if step is None else step.mask(log)
    every, days, offsets = step is None, log.days, log.offsets
    over_customers(lambda a, b: first_rows_from(days, marks, every, offsets, from_day, out, a, b), offsets)
    return out
