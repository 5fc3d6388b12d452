"""Covariates that change: each tenure in rows, within which nothing changes, and nothing is known before its day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.covariates import TAKEN, each_once, named, refuse_without_times
from journeykit.analyses.churn.question import KEPT, Changing, Codes, Query, Spans, Starts
from journeykit.analyses.churn.rules import Contract
from journeykit.errors import ParameterError
from journeykit.journey.steps import Step, as_step
from journeykit.log.interactions import InteractionLog
from journeykit.schema import MISSING, UNMAPPED, check_one_of

KINDS = ("count", "ever", "last")


def settle_changing(log: Any, changing: Any, churn: Any, fixed: Iterable[str]) -> dict[str, Changing]:
    """Check what changes: name → how, and the step or the column that changes it."""
    found = {name: _as_changing(log, name, what) for name, what in named(changing, "changing").items()}
    for name in found:
        if name in TAKEN or name in set(fixed):
            raise ParameterError(
                f"a covariate that changes can't be called {name!r}: give it another name, as in {{'my_{name}': …}}"
            )
    if found and isinstance(churn, Contract):
        raise ParameterError(
            "changing is for ages in days: a contract is decided once a term, and what was done within one can't be "
            "told from what was done because of the decision"
        )
    return found


def _as_changing(log: Any, name: str, what: Any) -> Changing:
    kind = None
    if isinstance(what, tuple | list):
        if len(what) != 2:
            raise ParameterError(f"changing {name!r} must be an event, a column, or (how, what), got {what!r}")
        kind, what = what
        check_one_of(f"how {name!r} changes", kind, KINDS)
    if isinstance(what, pd.Series | pd.DataFrame | np.ndarray) or callable(what):
        raise refuse_without_times(f"covariate {name!r}")
    derived = log.stage_model.derived if log.stage_model else ()
    column = isinstance(what, str) and (what in log.columns or what in derived)
    if kind == "last" or (kind is None and column):
        if what in ("customer", "time"):
            raise ParameterError(f"{what!r} tells every customer from every other: it is no covariate")
        if isinstance(what, str) and what in log.segments:
            raise ParameterError(f"segment {what!r} becomes known once: name it in covariates")
        log.require(what)
        return "last", what
    return kind or "count", as_step(what, log)


@dataclass(frozen=True)
class Rows:
    """Tenures in rows: `span` is the entry that each comes from; they follow each other, the last ends it."""

    span: Codes
    part: Codes
    enters: Codes
    duration: Codes
    last: npt.NDArray[np.bool_]
    values: Mapping[str, Any]


def split(log: InteractionLog, query: Query, starts: Starts, spans: Spans) -> Rows:
    """Cut each span wherever a covariate of it changes.

    What happens on a local day is in force from the day after; on a clock
    that knows a silence of d days when it has lasted, d days later still:
    before that, who was active can't have left.
    """
    kept = np.flatnonzero(spans.reason == KEPT)
    wait = query.wait(spans.limit)
    changes = {name: _changes(log, how, starts, spans, kept, wait) for name, how in query.changing.items()}
    # Ages at which anything changes while the span is watched, each once.
    keys = [_key(each.span, each.age) for each in changes.values()]
    key = each_once(np.concatenate([np.zeros(0, np.int64), *keys]))
    span, age = key >> 32, (key & (2**32 - 1)) - 2**31
    inside = (age > spans.enters[span]) & (age < spans.duration[span])
    first = _key(kept, spans.enters[kept].astype(np.int64))
    key = np.sort(np.concatenate([first, key[inside]]))
    span, enters = key >> 32, (key & (2**32 - 1)) - 2**31
    last = np.append(span[1:] != span[:-1], True)[: len(span)]
    duration = np.where(last, spans.duration[span], np.append(enters[1:], 0)[: len(span)])
    begins = np.flatnonzero(np.append(True, last[:-1])[: len(span)])
    part = np.arange(len(span)) - np.repeat(begins, np.diff(np.append(begins, len(span))))
    values = {name: each.at(span, enters) for name, each in changes.items()}
    return Rows(span, part, enters, duration, last, values)


@dataclass(frozen=True)
class _Changes:
    """When a covariate changes, by span and age; a count grows by 1, others have their value from then on."""

    kind: str
    span: Codes
    age: Codes
    values: Any = None
    missing: Any = None

    def at(self, span: Codes, age: Codes) -> Any:
        """Read the covariate at ages: what changed at that age, or before, is in it."""
        key = _key(self.span, self.age)
        until = np.searchsorted(key, _key(span, age), side="right")
        begin = np.searchsorted(self.span, span)
        count = until - begin
        if self.kind != "last":
            return count
        if not len(key):
            return np.full(len(span), self.missing, dtype=None if isinstance(self.missing, float) else object)
        return np.where(count > 0, self.values[np.maximum(until - 1, 0)], self.missing)


def _changes(log: InteractionLog, how: Changing, starts: Starts, spans: Spans, kept: Codes, wait: int) -> _Changes:
    kind, what = how
    values, missing = None, None
    if isinstance(what, Step):
        at = np.flatnonzero(what.mask(log))
    else:
        values, missing = _values(log, what)
        at = np.flatnonzero(pd.notna(values))
    span = _span_of(log, starts, kept, at)
    at, span = at[span >= 0], span[span >= 0]
    day = log.days[at].astype(np.int64)
    began = at <= starts.row[span]  # the start event itself is known when it starts
    age = np.where(began, -1, day - starts.day[span] + wait)
    current = began | (day >= starts.day[span])
    at, span, age = at[current], span[current], age[current]
    if kind == "ever":
        new = np.append(True, span[1:] != span[:-1])[: len(span)]
        return _Changes(kind, span[new], age[new])
    if kind == "count":
        return _Changes(kind, span, age)
    assert values is not None
    end_of_day = np.append((span[1:] != span[:-1]) | (age[1:] != age[:-1]), True)[: len(span)]
    span, age, held = span[end_of_day], age[end_of_day], values[at[end_of_day]]
    new = np.append(True, (span[1:] != span[:-1]) | (held[1:] != held[:-1]))[: len(span)]
    return _Changes(kind, span[new], age[new], held[new], np.nan if missing is None else missing)


def _values(log: InteractionLog, column: str) -> tuple[Any, str | None]:
    """Take a column: numbers as they are, names with one for what is missing (which is no value)."""
    values = log.column(column)
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan), None
    names = values.astype(object).where(values.notna(), None)
    named = np.array([None if each is None else str(each) for each in names], dtype=object)
    return named, UNMAPPED if column == "stage" else MISSING


def _span_of(log: InteractionLog, starts: Starts, kept: Codes, at: Codes) -> Codes:
    """Find the span that each event may change, -1 for none: the customer's last that begins at or before it."""
    from_row = np.maximum(starts.row, log.offsets[starts.customer])[kept]
    place = np.searchsorted(from_row, at, side="right") - 1
    found = kept[np.maximum(place, 0)] if len(kept) else np.full(len(at), -1)
    same = (place >= 0) & (starts.customer[found] == log.customer_codes[at])
    return np.where(same, found, -1)


def _key(span: Codes, age: Codes) -> Codes:
    return (np.asarray(span, np.int64) << 32) + np.asarray(age, np.int64) + 2**31
