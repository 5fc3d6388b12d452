"""Settle the options of an analysis of churn, once, before anything is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.changing import settle_changing
from journeykit.analyses.churn.covariates import settle_covariates
from journeykit.analyses.churn.known import segments_by_activity
from journeykit.analyses.churn.question import CODE, COVARIATE, KEPT, Query
from journeykit.analyses.churn.rules import OVERALL, Cancel, Contract, Inactivity, whole_days
from journeykit.analyses.churn.shared import require_segment
from journeykit.analyses.churn.starts import days_since_1970, outside
from journeykit.analyses.churn.terms import term_ends
from journeykit.errors import ParameterError
from journeykit.journey.observed import observed_days
from journeykit.journey.steps import Step, as_step
from journeykit.log.calendar import as_timestamp, instant_us, range_us
from journeykit.schema import MISSING, UNMAPPED, check_one_of

DATED = ("known", "last_activity")


def settle(
    log: Any,
    *,
    churn: Inactivity | Cancel | Contract | None = None,
    start: Any = None,
    activity: Any = None,
    dated: str = "known",
    signed_up: Any = None,
    late_entry: bool | None = None,
    washout: Any = None,
    between: tuple[Any, Any] | None = None,
    by: str | None = None,
    covariates: Any = None,
    covariate_window: Any = None,
    changing: Any = None,
) -> Query:
    """Check what was asked, and put it in the form that tallies read."""
    churn = Inactivity() if churn is None else churn
    if not isinstance(churn, Inactivity | Cancel | Contract):
        raise ParameterError(f'churn must be jk.Inactivity("90d"), jk.Cancel("…") or jk.Contract(…), got {churn!r}')
    check_one_of("dated", dated, DATED)
    if not isinstance(churn, Inactivity):
        _check_start(type(churn).__name__, start, signed_up, dated)
    if isinstance(churn, Contract) and churn.renewal is None and start is None:
        raise ParameterError("with signed_up, Contract needs to know what renews it, as in renewal='payment'")
    if isinstance(churn, Contract) and (activity is not None or covariate_window is not None):
        given = "activity" if activity is not None else "covariate_window"
        raise ParameterError(f"{given} is not for Contract, which counts terms: renewals alone say who is there")
    if isinstance(churn, Contract) and churn.column is not None:
        _check_period_column(log, churn.column, late_entry)
    if signed_up is not None and start is not None:
        raise ParameterError("the clock starts at signed_up or at the start event: give one of the two")
    if signed_up is not None and washout is not None:
        raise ParameterError("washout is for logs without sign-up dates: with signed_up, starts are known")
    if late_entry is not None and signed_up is None:
        raise ParameterError("late_entry needs signed_up: who started before the log can't be known otherwise")
    require_segment(log, by)
    named, window_days = settle_covariates(log, covariates, covariate_window)
    steps = {"start": start, "activity": activity}
    begin, active = (None if step is None else as_step(step, log) for step in steps.values())
    again = _again(log, churn, begin)
    return Query(
        churn=churn,
        ends=churn.steps(log) if isinstance(churn, Cancel) else {},
        start=begin,
        again=again,
        activity=active,
        dated=dated,
        signed_up=_sign_ups(log, signed_up),
        late_entry=_enters_late(churn) if late_entry is None else late_entry,
        washout_days=None if washout is None else whole_days(washout, name="washout"),
        between_days=range_of_days(log, between),
        by=by,
        limits=(churn.days,) if isinstance(churn, Inactivity) else (),
        covariates=named,
        window_days=window_days,
        changing=settle_changing(log, changing, churn, named),
        known_by_activity=segments_by_activity(log, {each for each in (by, *named.values()) if isinstance(each, str)}),
        seen_within=_seen_within(churn, begin, again),
    )


def _again(log: Any, churn: Any, start: Step | None) -> Step | None:
    """Tell what starts a customer again, or renews a contract."""
    if isinstance(churn, Cancel):
        return None if churn.again is None else as_step(churn.again, log)
    if isinstance(churn, Contract):
        return start if churn.renewal is None else as_step(churn.renewal, log)
    return None


def _check_period_column(log: Any, column: str, late_entry: bool | None) -> None:
    """Raise unless lengths of terms can be read in a column."""
    if column in log.segments:
        raise ParameterError(
            f"period {column!r} is a segment of customers: it must be a column of what starts or renews"
        )
    log.require(column)
    if late_entry:
        raise ParameterError(
            f"late_entry needs terms of one length: where {column!r} says how long each is, those before the log can't "
            "be counted"
        )


def _enters_late(churn: Any) -> bool:
    """Tell whether those from before the log are watched from when they are seen, where nothing else is said."""
    return isinstance(churn, Cancel) or (isinstance(churn, Contract) and churn.column is None)


def _seen_within(churn: Any, start: Step | None, again: Step | None) -> int:
    """Days after a log's begin within which those show who were there before: their start is taken to be then."""
    if isinstance(churn, Inactivity):
        return churn.days
    return churn.longest_days() if isinstance(churn, Contract) and start == again else 0


def range_of_days(log: Any, between: Any) -> tuple[int | None, int | None]:
    """Read a range of dates as days since 1970, the first and the one after the last; None is open."""
    first, end = (None if each is None else _day(each, log.timezone) for each in range_us(between, log.timezone))
    return first, end


def _day(instant: int, timezone: str) -> int:
    local = as_timestamp(instant, timezone).tz_localize(None)
    if instant != instant_us(local.normalize(), timezone):  # the first instant of a day whose midnight is skipped, too
        raise ParameterError(f"between must be dates, because churn is counted by day, got {local}")
    return int(local.to_datetime64().astype("M8[D]").astype(np.int64))


def _check_start(rule: str, start: Any, signed_up: Any, dated: str) -> None:
    if start is None and signed_up is None:
        raise ParameterError(
            f"{rule} needs to know when a tenure starts: give start=, the event that starts it, or signed_up=. "
            "A clock that runs from the first event in the log would be off for everybody who started otherwise"
        )
    if dated != "known":
        end = {"Cancel": "cancellation", "Contract": "term"}[rule]
        raise ParameterError(f'dated="last_activity" is for Inactivity: a {end} has a day of its own')


def _sign_ups(log: Any, signed_up: Any) -> Any:
    if signed_up is None:
        return None
    if isinstance(signed_up, str):
        log.require(signed_up)
        return signed_up
    if not isinstance(signed_up, pd.Series | Mapping):
        raise ParameterError(
            f"signed_up must be a column of the log or a mapping of customer → date, got {type(signed_up).__name__}"
        )
    dates = signed_up if isinstance(signed_up, pd.Series) else pd.Series(dict(signed_up))
    if not dates.index.is_unique:
        twice = dates.index[dates.index.duplicated()][0]
        raise ParameterError(f"signed_up must have one date a customer, {twice!r} has two")
    return pd.Series(days_since_1970(dates, log.timezone, name="signed_up"), index=dates.index)


def sign_ups_without_events(log: Any, query: Query, listed: pd.DataFrame) -> pd.DataFrame:
    """Span those of a mapping of sign-ups who never appear in the log: they signed up and did nothing."""
    if not isinstance(query.signed_up, pd.Series):
        return listed.iloc[:0]
    known = listed.index.get_level_values("customer")
    if len(listed) and not query.signed_up.index.isin(known).any():
        raise ParameterError(
            f"none of the customers of signed_up is in the log: {query.signed_up.index[0]!r} against {known[0]!r}"
        )
    columns = [each for each in query.covariates.values() if isinstance(each, str)]
    absent = query.signed_up[~query.signed_up.index.isin(known) & query.signed_up.notna()].astype(np.int64)
    observed = observed_days(log)
    last, start = observed.last_full, absent.to_numpy()
    late = start < observed.first_full
    first, duration, ended, exits = _silent(query, start, last)
    enters = np.full(len(absent), max(first, -1 if query.window_days is None else query.window_days))
    history = late & query.late_entry & query.needs_history
    cases = {
        "started_before": late & (not query.late_entry),
        "not_seen_at_entry": late,
        "started_after": start > last,
        "not_between": outside(query.between_days, start.astype(np.int32)),
        "history_not_observed": history,
        "unknown_period": np.full(len(start), getattr(query.churn, "column", None) is not None),
        "no_decision_yet": (duration <= first) & isinstance(query.churn, Contract),
        "no_time_at_risk": duration <= first,
        "ended_in_window": duration <= enters,
    }
    unknown = CODE["churn.segment_not_known"] if {query.by, *columns} & set(log.segments) else KEPT
    reason = np.select(list(cases.values()), [CODE[f"churn.{name}"] for name in cases], unknown)
    missing = UNMAPPED if query.by == "stage" else MISSING
    spans = {
        "start_day": start,
        "enters_days": enters,
        "duration_days": duration,
        "ends": ended.astype(np.int64),
        "back_wait": last - exits,
        "came_back": 0,
        "seen_at_start": 0,
        "reason": reason,
        "last": 1,
    }
    group = OVERALL if query.by is None else missing
    keys: dict[str, Any] = {"customer": absent.index, "spell": 1, "part": 0, "group": group}
    for name, what in {**query.covariates, **{name: what for name, (_, what) in query.changing.items()}}.items():
        key = f"{COVARIATE}{name}"
        if key in listed:
            spans[key] = 0
        else:
            number = pd.api.types.is_numeric_dtype(listed.index.get_level_values(key).dtype)
            keys[key] = np.nan if number else UNMAPPED if what == "stage" else MISSING
    index = pd.MultiIndex.from_frame(pd.DataFrame(keys, index=absent.index)[list(listed.index.names)])
    return pd.DataFrame(spans, index=index)[list(listed.columns)]


def _silent(query: Query, start: Any, last: int) -> tuple[int, Any, Any, Any]:
    """Span those who do nothing after the start: the first age watched from, durations, whether ended, and when."""
    if isinstance(query.churn, Contract) and query.churn.column is not None:  # nothing says how long a term is
        return 0, np.zeros(len(start), np.int64), np.zeros(len(start), bool), np.full(len(start), last)
    if isinstance(query.churn, Contract):
        decided = term_ends(query.churn, start, 1) + query.churn.grace_days
        ended = decided <= last
        return 0, ended.astype(np.int64), ended, np.where(ended, decided, last)
    if isinstance(query.churn, Cancel):
        return -1, last - start, np.zeros(len(start), bool), np.full(len(start), last)
    limit = query.churn.days
    ended = start + limit <= last
    exits = np.where(ended, start + limit, last)
    shift = limit if query.dated == "last_activity" else 0
    return -1 if shift else 0, exits - start - shift, ended, exits


def definition_of(query: Query, analysis: str) -> str:
    """Name the definition used, so that numbers by different rules are never taken for one."""
    window = "" if query.window_days is None else f"_from_{query.window_days}d"
    if isinstance(query.churn, Contract):
        return f"{analysis}_contract_{query.churn.named()}{_first(query)}/1"
    if isinstance(query.churn, Cancel):
        return f"{analysis}_cancel{_first(query)}{window}/2"
    dated = "" if query.dated == "known" else f"_{query.dated}"
    return f"{analysis}_inactivity_{query.churn.days}d{dated}{window}/1"


def _first(query: Query) -> str:
    return "" if query.several else "_first"


def described(query: Query) -> dict[str, Any]:
    """Say every option as used, in plain words and numbers."""
    signed_up = query.signed_up
    return {
        "churn": query.rule,
        "limit_days": query.churn.days if isinstance(query.churn, Inactivity) else 0,
        "ends": {name: step.name for name, step in query.ends.items()},
        "spells": getattr(query.churn, "spells", None),
        "start": _named(query.start),
        "again": _named(query.again),
        "activity": _named(query.activity),
        "dated": query.dated,
        "signed_up": f"{len(signed_up)} dates" if isinstance(signed_up, pd.Series) else signed_up,
        "late_entry": query.late_entry if signed_up is not None else None,
        "washout_days": query.washout_days,
        "between": tuple(None if day is None else str(np.datetime64(day, "D")) for day in query.between_days),
        "by": query.by,
        "seen_within_days": query.seen_within,
        "covariates": {name: _what(each) for name, each in query.covariates.items()},
        "covariate_window_days": query.window_days,
        "changing": {name: (kind, _what(each)) for name, (kind, each) in query.changing.items()},
    } | _of_contract(query.churn)


def _what(covariate: str | Step) -> str:
    return covariate if isinstance(covariate, str) else covariate.name


def _named(step: Step | None) -> str | None:
    return None if step is None else step.name


def _of_contract(churn: Any) -> dict[str, Any]:
    if not isinstance(churn, Contract):
        return {}
    return {"period": churn.named(), "grace_days": churn.grace_days}
