"""Give events other names, or fewer of them: these functions are methods of InteractionLog."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.events import keep_events, with_finding
from journeykit.log.match import glob_regex
from journeykit.schema import check_one_of, did_you_mean, duration_us

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog


def with_touchpoints(
    log: InteractionLog,
    names: Mapping[str | re.Pattern[str], str],
    *,
    others: str | None = None,
    original: str | None = None,
) -> InteractionLog:
    r"""Rename touchpoints, or group many under one name: URLs to pages, spellings to one.

    Patterns are tried in order and the first that fits the whole name decides.
    Stages that were given before stay as they are.

    Parameters
    ----------
    names : mapping
        Old name → new name. The old name may be a pattern with `*` and `?`,
        or a compiled regular expression, whose groups the new name may use
        (`r"\1"`).
    others : str, optional
        The name of all that no pattern fits; they keep their own by default.
    original : str, optional
        A new column that keeps the old names.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": "ann",
    ...     "time": pd.date_range("2024-01-01", periods=4, freq="h"),
    ...     "touchpoint": ["/", "/p/17?from=mail", "/p/4", "/checkout/step-2"],
    ... }))
    >>> pages = log.with_touchpoints({"/": "home", "/p/*": "product", "/checkout/*": "checkout"}, original="url")
    >>> pages.frame()["touchpoint"].tolist()
    ['home', 'product', 'product', 'checkout']
    >>> pages.touchpoints.tolist()
    ['checkout', 'home', 'product']
    """
    if original is not None:
        check_new_column(log, original)
    rules = [(re.compile(glob_regex(old)) if isinstance(old, str) else old, new) for old, new in names.items()]
    renamed = [_rename(str(name), rules, others) for name in log.touchpoints]
    blank = [old for old, new in zip(log.touchpoints, renamed, strict=True) if not new.strip()]
    if blank:
        raise ParameterError(f"a touchpoint needs a name, but {blank[0]!r} would become blank")
    if log.n_events and not any(rule.fullmatch(str(name)) for rule, _ in rules for name in log.touchpoints):
        first = next(iter(names), "")
        raise ParameterError(
            f"no touchpoint fits any of the {len(names)} patterns: {did_you_mean(first, log.touchpoints)}"
        )
    final = sorted(set(renamed))
    position = {name: i for i, name in enumerate(final)}
    lookup = np.array([position[name] for name in renamed], dtype=np.int32)
    properties = dict(log.properties)
    if original is not None:
        properties[original] = log.column("touchpoint").rename(original)
    codes = lookup[log.touchpoint_codes] if len(lookup) else log.touchpoint_codes
    return replace(log, touchpoints=pd.Index(final, dtype=object), touchpoint_codes=codes, properties=properties)


def _rename(name: str, rules: list[tuple[re.Pattern[str], str]], others: str | None) -> str:
    for rule, new in rules:
        found = rule.fullmatch(name)
        if found:
            return found.expand(new) if rule.groups else new
    return name if others is None else others


def collapse_runs(
    log: InteractionLog, of: str = "touchpoint", *, keep: str = "last", gap: str | None = None
) -> InteractionLog:
    """Collapse runs: of events in a row that are the same, keep one.

    A run is events of one customer, one directly after another, with the same
    value in `of`; an event without a value is in no run. The kept event's
    `value` becomes the sum over its run, so that no revenue is lost. What was
    collapsed is counted in `quality` under the rule `collapsed_runs`.

    Parameters
    ----------
    of : str
        The column that must be the same: touchpoint, channel, stage …
    keep : {"last", "first"}
        Which event of the run stays.
    gap : str, optional
        A silence of this or more between two events splits the run.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": "ann",
    ...     "time": pd.date_range("2024-01-01", periods=4, freq="h"),
    ...     "touchpoint": ["visit", "visit", "order", "visit"],
    ... }))
    >>> log.collapse_runs().frame()["touchpoint"].tolist()
    ['visit', 'order', 'visit']
    """
    check_one_of("keep", keep, ("last", "first"))
    starts = _run_starts(log, of, 0 if gap is None else duration_us(gap, name="gap"))
    runs = np.cumsum(starts) - 1
    stays = starts if keep == "first" else np.append(starts[1:], True)[: log.n_events]
    if stays.all():
        return log
    row = int(np.argmin(stays))
    kept = keep_events(log, stays)
    if log.values is not None:
        kept = replace(kept, values=_sums_of_runs(log.values, runs))
    example = f"{log.column(of).iloc[row]} at {log.column('time').iloc[row]}"
    collapsed = log.n_events - kept.n_events
    return with_finding(kept, "collapsed_runs", collapsed, "collapsed to one", example, of=log.n_events)


def _run_starts(log: InteractionLog, of: str, gap: int) -> NDArray[np.bool_]:
    codes, _ = pd.factorize(log.column(of))
    starts = np.ones(log.n_events, dtype=bool)
    starts[1:] = (codes[1:] != codes[:-1]) | (codes[1:] < 0)
    if gap:
        starts[1:] |= np.diff(log.times) >= gap
    starts[log.offsets[:-1]] = True
    return starts


def _sums_of_runs(values: NDArray[np.float64], runs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of each run's values; NaN where it has none."""
    n_runs = int(runs[-1]) + 1
    has = ~np.isnan(values)
    sums = np.bincount(runs[has], weights=values[has], minlength=n_runs)
    return np.where(np.bincount(runs[has], minlength=n_runs) > 0, sums, np.nan)


def check_new_column(log: InteractionLog, name: Any) -> None:
    """Refuse a name for a new column that the log, or its stage model, uses already."""
    taken = ("customer", "time", "touchpoint", "channel", "stage", "value", *log.columns)
    derived = log.stage_model.derived if log.stage_model else ()
    if not isinstance(name, str) or not name:
        raise ParameterError(f"a column needs a name, got {name!r}")
    if name in (*taken, *derived):
        raise ParameterError(f"the log has a column {name!r} already: choose another name")
