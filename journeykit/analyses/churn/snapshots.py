"""Snapshots: who is there at the end of a day, what is known of them by then, and how long they stay afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.covariates import TAKEN, by_day, each_once, named, read_at_start, refuse_without_times
from journeykit.analyses.churn.query import range_of_days, settle
from journeykit.analyses.churn.question import COVARIATE, KEPT, Codes, Query, Starts
from journeykit.analyses.churn.rules import Contract, Inactivity, whole_days
from journeykit.analyses.churn.spans import measure
from journeykit.errors import ParameterError
from journeykit.journey.groups import in_order, require_group
from journeykit.journey.observed import observed_days
from journeykit.journey.steps import Step, as_step
from journeykit.log.interactions import InteractionLog
from journeykit.schema import MISSING, UNMAPPED, check_one_of

KINDS = ("count", "ever", "since", "sum", "last", "first")
OWN = (*TAKEN, "at", "age_days", "recency_days", "active_days", "comebacks")
"""Names that a snapshot's own columns have."""


@dataclass(frozen=True)
class Past:
    """A covariate of snapshots: how it is read (KINDS), of what, and in how many days up to the snapshot."""

    kind: str
    what: str | Step
    days: int | None = None


def snapshots(
    log: Any,
    at: Any,
    *,
    churn: Any = None,
    start: Any = None,
    activity: Any = None,
    signed_up: Any = None,
    covariates: Any = None,
) -> pd.DataFrame:
    """Take snapshots of who is there at the end of one or several days.

    Everything about a customer is read up to the end of that day, and nothing
    later; what happens afterwards is the outcome. Those who left before and
    came back are there again.

    Parameters
    ----------
    log : InteractionLog
        The interactions.
    at : date or sequence of dates
        Local days that the log observes whole.
    churn, start, activity, signed_up
        As for `tenures`; not for `Contract`.
    covariates : mapping or names, optional
        Name → an event (counted since the start) or a column (its last value);
        or a way to read it: `("count", event, "30d")`, the number in the 30
        days up to the snapshot (since the start, without a number of days);
        `("ever", event)`, 0 or 1, likewise; `("since", event)`, days since the
        last (NaN: none); `("sum", column, "30d")`; `("last", column)`;
        `("first", column)`, at the start.

    Returns
    -------
    DataFrame
        One row per day and customer who is there (under `Inactivity` of d days:
        silent for less than d): `customer`, `at`, `started_at` (of the spell,
        under `Cancel`), `age_days`, `recency_days` (since the last activity),
        `active_days` so far, `comebacks`, the covariates; and the outcome:
        `duration_days` from the snapshot until the end, or until the last
        full day, `event`, `end`.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-20", "2024-01-05"]),
    ...     "touchpoint": "visit",
    ... }), observed_until="2024-03-11")
    >>> there = snapshots(log, "2024-01-25", churn=jk.Inactivity("30d"), covariates={"visits": "visit"})
    >>> there[["customer", "recency_days", "visits", "duration_days", "event"]]
      customer  recency_days  visits  duration_days  event
    0      ann             5       2             25   True
    1      bob            20       1             10   True
    """
    query = settle(log, churn=churn, start=start, activity=activity, signed_up=signed_up)
    return snapshots_of(log, at, query, covariates)


def snapshots_of(log: Any, at: Any, query: Query, covariates: Any = None) -> pd.DataFrame:
    """Take snapshots by a settled query; see `snapshots`."""
    if isinstance(query.churn, Contract):
        raise ParameterError("a contract is decided once a term: there is nobody to watch between two decisions")
    days = _days(log, at)
    past = _settled(log, covariates)
    listed = log.tally(list_snapshots, query=query, at=days, covariates=past)
    listed = listed.sort_index(level=["at", "customer"], sort_remaining=False)
    keys = {str(name): listed.index.get_level_values(name) for name in listed.index.names}
    stamps = {name: np.asarray(values).astype("M8[D]").astype("M8[s]")
              for name, values in (("at", keys["at"]), ("started_at", listed["start_day"]))}  # fmt: skip
    table = pd.DataFrame({"customer": keys["customer"], "at": stamps["at"], "started_at": stamps["started_at"]})
    own = ["age_days", "recency_days", "active_days", "comebacks"]
    table[own] = listed[own].to_numpy()
    for name in past:
        key = f"{COVARIATE}{name}"
        table[name] = listed[key].to_numpy() if key in listed else _named(keys[key])
    ended = listed["ends"].to_numpy()
    table["duration_days"] = listed["duration_days"].to_numpy()
    table["event"] = ended > 0
    table["end"] = pd.Categorical.from_codes(ended - 1, categories=pd.Index(query.end_names))
    return table


def _named(values: pd.Index) -> Any:
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy()
    return pd.Categorical(values, in_order(values.unique()))


def _days(log: Any, at: Any) -> tuple[int, ...]:
    """Read the days, as days since 1970."""
    each = [at] if isinstance(at, str) or not isinstance(at, Iterable) else list(at)
    days = [range_of_days(log, (day, None))[0] for day in each]
    observed = observed_days(log)
    for given, day in zip(each, days, strict=True):
        if day is None or not observed.first_full <= day <= observed.last_full:
            first, last = (np.datetime64(edge, "D") for edge in (observed.first_full, observed.last_full))
            raise ParameterError(f"a snapshot must be of a day that is observed whole, {first} to {last}, got {given}")
    return tuple(sorted({day for day in days if day is not None}))


def _settled(log: Any, covariates: Any) -> dict[str, Past]:
    return {name: _past(log, name, what) for name, what in named(covariates).items()}


def _past(log: Any, name: str, what: Any) -> Past:
    if name in OWN:
        raise ParameterError(f"a covariate can't be called {name!r}: give it another name, as in {{'my_{name}': …}}")
    kind, window = None, None
    if isinstance(what, tuple | list):
        kind, what, window = (*what, None)[:3] if len(what) in (2, 3) else (None, what, None)
        check_one_of(f"how {name!r} is read", kind, KINDS)
    if isinstance(what, pd.Series | pd.DataFrame | np.ndarray) or callable(what):
        raise refuse_without_times(f"covariate {name!r}")
    derived = log.stage_model.derived if log.stage_model else ()
    column = isinstance(what, str) and (what in log.columns or what in derived)
    if kind in ("last", "first", "sum") or (kind is None and column):
        require_group(log, what)
        if window is not None and kind != "sum":
            raise ParameterError(f"{name!r} is a value, which has no window")
        return Past(kind or "last", what, None if window is None else whole_days(window, name=name))
    if kind == "since" and window is not None:
        raise ParameterError(f"{name!r} counts days since an event, which has no window")
    return Past(kind or "count", as_step(what, log), None if window is None else whole_days(window, name=name))


# -- in a tally ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tenancy:
    """Every stretch that somebody may be there in: the tenures, and on which days their customers were active.

    Attributes
    ----------
    starts : Starts
        The tenures.
    kept : array
        Whether each counts.
    active : array
        (customer, active day) in one number, each once, sorted.
    exits, ends : array
        Under a rule of events: the day on which each tenure is over, and how it ended.
    """

    starts: Starts
    kept: npt.NDArray[np.bool_]
    active: Codes
    exits: Codes
    ends: Codes


def list_snapshots(
    log: InteractionLog, *, query: Query, at: tuple[int, ...], covariates: Mapping[str, Past]
) -> pd.DataFrame:
    """List a row per (customer, day) of those who are there; columns' values are keys, as in `list_spans`."""
    there = _tenancy(log, query)
    last = observed_days(log).last_full
    parts = [_at(log, query, there, day, last, covariates) for day in at]
    keys = list(parts[0][0])
    columns = {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}
    codes = np.concatenate([part[0]["customer"] for part in parts])
    levels: list[Any] = [log.customers]
    places: list[Any] = [codes]
    for name in keys[1:]:
        values = [np.asarray(part[0][name]) for part in parts]
        place, level = pd.factorize(np.concatenate(values))
        levels.append(pd.Index(level))
        places.append(place)
    return pd.DataFrame(columns, index=pd.MultiIndex(levels, places, names=keys, verify_integrity=False))


def _tenancy(log: InteractionLog, query: Query) -> _Tenancy:
    starts, spans = measure(log, query)
    each = next(spans)
    # Who was left out for want of time is there all the same; who has no start is not.
    kept = (starts.reason == KEPT) & (each.duration >= np.minimum(each.enters, 0))
    first = starts.active_from.astype(np.int64)
    marks = np.ones(log.n_events, bool) if query.activity is None else query.activity.mask(log)
    one_each = starts.spell == 1
    from_day = np.full(log.n_customers, np.iinfo(np.int32).max, np.int64)
    from_day[starts.customer[one_each & kept]] = first[one_each & kept]
    counts = marks & (log.days > from_day[log.customer_codes])
    began = by_day(starts.customer[kept], first[kept])
    active = each_once(np.concatenate([began, by_day(log.customer_codes[counts], log.days[counts])]))
    exits = starts.day.astype(np.int64) + each.duration
    return _Tenancy(starts, kept, active, exits, each.ends.astype(np.int64))


def _at(
    log: InteractionLog, query: Query, there: _Tenancy, day: int, last: int, covariates: Mapping[str, Past]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Say who is there at the end of a day: keys and columns."""
    starts, active = there.starts, there.active
    begun = np.flatnonzero(there.kept & (starts.active_from <= day))
    customer = starts.customer[begun]
    place = np.searchsorted(active, by_day(customer, np.full(len(customer), day)), side="right") - 1
    recency = day - _day_of(active[place])
    since = np.searchsorted(active, by_day(customer, starts.active_from[begun].astype(np.int64)))
    if isinstance(query.churn, Inactivity):
        limit = query.churn.days
        silent = np.append((np.diff(active >> 32) != 0) | (np.diff(active) > limit), True)[: len(active)]
        ends_here = silent & (_day_of(active) + limit <= last)
        following = _next_true(ends_here)[place]
        ended = (following < len(active)) & ((active >> 32)[np.minimum(following, len(active) - 1)] == customer)
        leaves = np.where(ended, _day_of(active[np.minimum(following, len(active) - 1)]) + limit, last)
        before = np.append(0, np.cumsum(silent))
        comebacks, ends, is_there = before[place] - before[since], ended.astype(np.int64), recency < limit
    else:
        leaves, ends = there.exits[begun], there.ends[begun]
        comebacks, is_there = starts.spell[begun] - 1, (leaves > day) | (ends == 0)
    chosen, span = np.flatnonzero(is_there), begun[is_there]
    columns: dict[str, Any] = {
        "start_day": starts.day[span].astype(np.int64),
        "age_days": day - starts.day[span].astype(np.int64),
        "recency_days": recency[chosen],
        "active_days": (place - since + 1)[chosen],
        "comebacks": comebacks[chosen],
        "duration_days": leaves[chosen] - day,
        "ends": ends[chosen],
    }
    keys: dict[str, Any] = {"customer": starts.customer[span], "at": np.full(len(span), day)}
    for name, past in covariates.items():
        found = _read(log, past, starts, span, day)
        if past.kind in ("last", "first", "since"):
            keys[f"{COVARIATE}{name}"] = found
        else:
            columns[f"{COVARIATE}{name}"] = found
    return keys, columns


def _read(log: InteractionLog, past: Past, starts: Starts, span: Codes, day: int) -> Any:
    """Read a covariate of tenures, from their start on, up to the end of a day."""
    customer, row = starts.customer[span], starts.row[span]
    if past.kind == "first":
        assert isinstance(past.what, str)
        return read_at_start(log, past.what, row, customer).to_numpy()
    values = None
    if isinstance(past.what, Step):
        at = np.flatnonzero(past.what.mask(log))
    else:
        values = log.column(past.what)
        at = np.flatnonzero(values.notna())
    key = by_day(log.customer_codes[at], log.days[at])
    from_day = starts.day[span].astype(np.int64)
    if past.days is not None:
        from_day = np.maximum(from_day, day - past.days + 1)
    first = np.maximum(np.searchsorted(at, row), np.searchsorted(key, by_day(customer, from_day)))
    end = np.searchsorted(key, by_day(customer, np.full(len(span), day)), side="right")
    count = np.maximum(end - first, 0)
    if past.kind == "count":
        return count
    if past.kind == "ever":
        return (count > 0).astype(np.int64)
    latest = at[np.maximum(end - 1, 0)] if len(at) else np.zeros(len(span), np.int64)
    if past.kind == "since":
        return np.where(count > 0, day - log.days[latest].astype(np.float64), np.nan)
    assert values is not None
    number = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
    if past.kind == "sum":
        if not number:
            raise ParameterError(f"{past.what!r} holds no numbers, so it has no sum")
        running = np.append(0.0, np.cumsum(values.iloc[at].to_numpy(dtype=np.float64)))
        return running[np.maximum(end, first)] - running[first]
    missing: Any = np.nan if number else UNMAPPED if past.what == "stage" else MISSING
    held = values.iloc[latest]
    named = held.to_numpy(dtype=np.float64, na_value=np.nan) if number else held.astype(object).astype(str).to_numpy()
    return np.where(count > 0, named, missing)


def _day_of(key: Codes) -> Codes:
    return (key & (2**32 - 1)).astype(np.int64)


def _next_true(marks: npt.NDArray[np.bool_]) -> Codes:
    """Place of the first mark at or after each place; the length where there is none."""
    place = np.where(marks, np.arange(len(marks)), len(marks))
    return np.minimum.accumulate(place[::-1])[::-1]
