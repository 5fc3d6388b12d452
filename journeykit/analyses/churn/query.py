"""Settle the options of an analysis of churn, once, before anything is counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.covariates import settle_covariates
from journeykit.analyses.churn.known import segments_by_activity
from journeykit.analyses.churn.rules import OVERALL, Cancel, Inactivity, whole_days
from journeykit.analyses.churn.shared import require_segment
from journeykit.analyses.churn.spans import COVARIATE, KEPT, REASONS, Query, days_since_1970
from journeykit.errors import ParameterError
from journeykit.journey.observed import observed_days
from journeykit.journey.steps import Step, as_step
from journeykit.schema import MISSING, UNMAPPED, check_one_of

DATED = ("known", "last_activity")


def settle(
    log: Any,
    *,
    churn: Inactivity | Cancel | None = None,
    start: Any = None,
    activity: Any = None,
    dated: str = "known",
    signed_up: Any = None,
    late_entry: bool | None = None,
    washout: Any = None,
    by: str | None = None,
    covariates: Any = None,
    covariate_window: Any = None,
) -> Query:
    """Check what was asked, and put it in the form that tallies read."""
    churn = Inactivity() if churn is None else churn
    if not isinstance(churn, Inactivity | Cancel):
        raise ParameterError(f'churn must be jk.Inactivity("90d") or jk.Cancel("…"), got {churn!r}')
    check_one_of("dated", dated, DATED)
    if isinstance(churn, Cancel):
        _check_cancel(start, signed_up, dated)
    if signed_up is not None and start is not None:
        raise ParameterError("the clock starts at signed_up or at the start event: give one of the two")
    if signed_up is not None and washout is not None:
        raise ParameterError("washout is for logs without sign-up dates: with signed_up, starts are known")
    if late_entry is not None and signed_up is None:
        raise ParameterError("late_entry needs signed_up: who started before the log can't be known otherwise")
    require_segment(log, by)
    named, window_days = settle_covariates(log, covariates, covariate_window)
    return Query(
        churn=churn,
        ends=churn.steps(log) if isinstance(churn, Cancel) else {},
        start=None if start is None else as_step(start, log),
        activity=None if activity is None else as_step(activity, log),
        dated=dated,
        signed_up=_sign_ups(log, signed_up),
        late_entry=isinstance(churn, Cancel) if late_entry is None else late_entry,
        washout_days=None if washout is None else whole_days(washout, name="washout"),
        by=by,
        limits=(churn.days,) if isinstance(churn, Inactivity) else (),
        covariates=named,
        window_days=window_days,
        known_by_activity=segments_by_activity(log, {each for each in (by, *named.values()) if isinstance(each, str)}),
    )


def _check_cancel(start: Any, signed_up: Any, dated: str) -> None:
    if start is None and signed_up is None:
        raise ParameterError(
            "Cancel needs to know when a tenure starts: give start=, the event that starts it, or signed_up=. "
            "A clock that runs from the first event in the log would be off for everybody who started otherwise"
        )
    if dated != "known":
        raise ParameterError('dated="last_activity" is for Inactivity: a cancellation has a day of its own')


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
    limit = query.limits[0] if query.limits else None
    ended = np.zeros(len(absent), bool) if limit is None else start + limit <= last
    exits = np.full(len(absent), last) if limit is None else np.where(ended, start + limit, last)
    shift = limit if limit is not None and query.dated == "last_activity" else 0
    window = -1 if query.window_days is None else query.window_days
    first = -1 if limit is None or shift else 0
    enters = np.full(len(absent), max(first, window))
    duration = exits - start - shift
    reason = np.select(
        [late & (not query.late_entry), late, start > last, duration <= first, duration <= enters],
        [
            REASONS.index(f"churn.{name}")
            for name in ("started_before", "not_seen_at_entry", "started_after", "no_time_at_risk", "ended_in_window")
        ],
        REASONS.index("churn.segment_not_known") if {query.by, *columns} & set(log.segments) else KEPT,
    )
    missing = UNMAPPED if query.by == "stage" else MISSING
    group = OVERALL if query.by is None else missing
    spans = {
        "start_day": start,
        "enters_days": enters,
        "duration_days": duration,
        "ends": ended.astype(np.int64),
        "back_wait": last - exits,
        "came_back": 0,
        "seen_at_start": 0,
        "reason": reason,
    }
    spans |= {f"{COVARIATE}{name}": 0 for name, what in query.covariates.items() if isinstance(what, Step)}
    keys: dict[str, Any] = {"customer": absent.index, "group": group}
    for name, what in query.covariates.items():
        if isinstance(what, str):
            number = pd.api.types.is_numeric_dtype(listed.index.get_level_values(f"{COVARIATE}{name}").dtype)
            keys[f"{COVARIATE}{name}"] = np.nan if number else UNMAPPED if what == "stage" else MISSING
    index = pd.MultiIndex.from_frame(pd.DataFrame(keys, index=absent.index))
    return pd.DataFrame(spans, index=index)[list(listed.columns)]


def definition_of(query: Query, analysis: str) -> str:
    """Name the definition used, so that numbers by different rules are never taken for one."""
    window = "" if query.window_days is None else f"_from_{query.window_days}d"
    if isinstance(query.churn, Cancel):
        return f"{analysis}_cancel{window}/1"
    dated = "" if query.dated == "known" else f"_{query.dated}"
    return f"{analysis}_inactivity_{query.churn.days}d{dated}{window}/1"


def described(query: Query) -> dict[str, Any]:
    """Say every option as used, in plain words and numbers."""
    signed_up = query.signed_up
    return {
        "churn": "inactivity" if isinstance(query.churn, Inactivity) else "cancel",
        "limit_days": query.churn.days if isinstance(query.churn, Inactivity) else 0,
        "ends": {name: step.name for name, step in query.ends.items()},
        "start": _named(query.start),
        "activity": _named(query.activity),
        "dated": query.dated,
        "signed_up": f"{len(signed_up)} dates" if isinstance(signed_up, pd.Series) else signed_up,
        "late_entry": query.late_entry if signed_up is not None else None,
        "washout_days": query.washout_days,
        "by": query.by,
        "covariates": {name: _what(each) for name, each in query.covariates.items()},
        "covariate_window_days": query.window_days,
    }


def _what(covariate: str | Step) -> str:
    return covariate if isinstance(covariate, str) else covariate.name


def _named(step: Step | None) -> str | None:
    return None if step is None else step.name
