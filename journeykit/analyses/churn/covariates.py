"""Covariates of tenures: read at the start, or counted in a window that ends before anybody is watched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.rules import whole_days
from journeykit.errors import ParameterError
from journeykit.journey.groups import FIRST_OF, labels_at, require_group
from journeykit.journey.steps import Step, as_step
from journeykit.log.interactions import InteractionLog
from journeykit.schema import MISSING, UNMAPPED

if TYPE_CHECKING:
    from journeykit.analyses.churn.question import Starts

Codes = npt.NDArray[np.int64]

TAKEN = ("customer", "time", "segment", "spell", "started_at", "enters_days", "duration_days", "enters_terms",
         "duration_terms", "event", "end", "came_back", "comeback_days")  # fmt: skip
"""Names that the table of tenures, or nobody's covariate, has."""


def settle_covariates(log: Any, covariates: Any, window: Any) -> tuple[dict[str, str | Step], int | None]:
    """Check covariates: name → a column, read at the start, or a step, counted in the window of so many days."""
    found = {name: _as_covariate(log, name, what) for name, what in named(covariates).items()}
    for name in found:
        if name in TAKEN:
            raise ParameterError(
                f"a covariate can't be called {name!r}: give it another name, as in {{'my_{name}': …}}"
            )
    counted = [name for name, what in found.items() if isinstance(what, Step)]
    if window is None:
        if counted:
            raise ParameterError(
                f'{counted[0]!r} is behaviour, so say until when it counts, as in covariate_window="30d": '
                "over a whole tenure, whoever stays longer has done more. Or name it in changing, followed by day"
            )
        return found, None
    if not counted:
        raise ParameterError("covariate_window is for covariates that count events, and there are none")
    return found, _window_days(log, window)


def named(given: Any, option: str = "covariates") -> dict[str, Any]:
    """Give each covariate of an option a name: that of a mapping, or its own."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(name): what for name, what in given.items()}
    if isinstance(given, pd.Series | pd.DataFrame | np.ndarray):
        raise refuse_without_times(option)
    each = [given] if isinstance(given, str | Step) else given
    if not isinstance(each, Iterable):
        raise ParameterError(f"{option} must be names of columns and events, or a mapping of them, got {given!r}")
    names = [(what.name if isinstance(what, Step) else str(what), what) for what in each]
    twice = {name for name, _ in names if [other for other, _ in names].count(name) > 1}
    if twice:
        raise ParameterError(f"two covariates have the same name, {min(twice)!r}")
    return dict(names)


def _as_covariate(log: Any, name: str, what: Any) -> str | Step:
    if isinstance(what, pd.Series | pd.DataFrame | np.ndarray) or callable(what):
        raise refuse_without_times(f"covariate {name!r}")
    derived = log.stage_model.derived if log.stage_model else ()
    if isinstance(what, str) and (what in log.columns or what in derived or what in FIRST_OF):
        if what in ("customer", "time"):
            raise ParameterError(f"{what!r} tells every customer from every other: it is no covariate")
        require_group(log, what)
        return what
    step: Step = as_step(what, log)
    return step


def refuse_without_times(what: str) -> ParameterError:
    """Say why values without times are refused, and what to do."""
    return ParameterError(
        f"{what} must be columns or events of the log, because values without times may have been read after the "
        "start: whoever stays longer can do more, and would seem to stay because of it. Join what is known of "
        "customers with log.with_customers(…, known_at=…), and name behaviour by its event, with covariate_window, "
        "or in changing"
    )


def _window_days(log: Any, window: Any) -> int:
    """Read the window, as a duration or as (0, duration)."""
    if isinstance(window, tuple | list):
        if len(window) != 2 or window[0] not in (0, "0d"):
            raise ParameterError(f'covariate_window must begin at the start, as in "30d" or (0, "30d"), got {window!r}')
        window = window[1]
    days = whole_days(window, name="covariate_window")
    longest = len(log.period_edges("day")) - 2
    if days >= longest:
        raise ParameterError(
            f"covariate_window is {days} days, but nobody is followed for longer than {longest}: "
            "nothing would be left to watch"
        )
    return days


# -- in a tally ------------------------------------------------------------------------------


def read_at_start(log: InteractionLog, column: str, rows: Codes, customer: Codes) -> pd.Index:
    """Read a column at the events that start tenures: numbers as they are, else names, with one for missing."""
    if column in log.columns and column not in log.segments:
        values = log.column(column)
        if pd.api.types.is_numeric_dtype(values.dtype):
            numbers = values.iloc[np.maximum(rows, 0)].to_numpy(dtype=np.float64, na_value=np.nan)
            return pd.Index(np.where(rows < 0, np.nan, numbers))
    missing = UNMAPPED if column == "stage" else MISSING
    if column in log.segments:
        found = log.segments[column]
        named = np.array([*map(str, found.labels), MISSING], dtype=object)
        values_of: pd.Index = pd.Index(named[found.codes[customer]])
        return values_of
    codes, labels = labels_at(log, column, np.maximum(rows, 0), log.offsets[customer])
    names: pd.Index = pd.Index(np.where(rows < 0, missing, np.array(labels, dtype=object)[codes]))
    return names


def count_in_window(log: InteractionLog, step: Step, starts: Starts, days: int) -> Codes:
    """Count the events of a step in each tenure, from the start event on, until so many days after it."""
    at = np.flatnonzero(step.mask(log))
    key = by_day(log.customer_codes[at], log.days[at])
    first = np.maximum(np.searchsorted(at, starts.row), np.searchsorted(key, by_day(starts.customer, starts.day)))
    end = np.searchsorted(key, by_day(starts.customer, starts.day + np.int64(days)), side="right")
    return np.maximum(end - first, 0)


def by_day(customer: npt.NDArray[Any], day: npt.NDArray[Any]) -> Codes:
    """Put customer and day in one number, in the order of a log's events."""
    key: Codes = customer.astype(np.int64) * 2**32 + day
    return key


def each_once(keys: Codes) -> Codes:
    """Sort, and keep one of equal ones: for millions of packed keys a sort is many times as fast as `np.unique`."""
    rising = np.sort(keys, kind="stable")  # long runs of them mostly rise already
    kept: Codes = rising[np.append(True, rising[1:] != rising[:-1])[: len(rising)]]
    return kept
