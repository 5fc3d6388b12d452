"""To and from process-mining tools: an event log in the columns that they expect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from journeykit.log.events import keep_events, with_finding

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog

CASE, ACTIVITY, TIME = "case:concept:name", "concept:name", "time:timestamp"
LIFECYCLE = "lifecycle:transition"


def to_event_log(log: InteractionLog, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the log as pm4py and other XES tools expect it.

    A case is a customer, or a unit of a re-keyed log: `log.rekey("session")`
    gives sessions as cases. What such a table can't hold is lost: the end of
    observation and the zone (`from_event_log` takes both), and that a case may
    not be over.

    Parameters
    ----------
    columns : iterable of str, optional
        Further columns to take along; all but those marked personal by
        default.

    Returns
    -------
    DataFrame
        One row an event, by case and time: `case:concept:name` (text),
        `concept:name` (text), `time:timestamp` (UTC), then the columns.

    References
    ----------
    IEEE 1849-2023, eXtensible Event Stream (XES): the concept and time
    extensions.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop_small")
    >>> events = log.to_event_log(columns=["channel"])
    >>> events.columns.tolist()
    ['case:concept:name', 'concept:name', 'time:timestamp', 'channel']
    """
    own = ("customer", "time", "touchpoint")
    names = [name for name in log.columns if name not in own and name not in log.personal]
    names = names if columns is None else list(columns)
    frame = pd.DataFrame(
        {
            CASE: log.column("customer").astype(str).astype(object),
            ACTIVITY: log.column("touchpoint").astype(object),
            TIME: pd.DatetimeIndex(log.times.view("M8[us]"), tz="UTC").as_unit("ns"),
        }
    )
    for name in names:
        frame[name] = log.column(name)
    return frame


def from_event_log(frame: pd.DataFrame, *, lifecycle: str = "complete", **options: Any) -> InteractionLog:
    """Read an event log as pm4py and other XES tools write it.

    Parameters
    ----------
    frame : DataFrame
        With `case:concept:name` (the customers), `concept:name` (the
        touchpoints) and `time:timestamp`.
    lifecycle : str
        If there is a column `lifecycle:transition`, one activity may stand in
        several rows (start, complete …): only those of this transition, and
        those without any, are kept; the others are counted in `quality` under
        `other_lifecycle`.
    **options
        What `read_log` takes: `observed_until`, `timezone`, `channel` …

    Examples
    --------
    >>> events = jk.load_sample("guitar_shop_small").to_event_log()
    >>> log = jk.InteractionLog.from_event_log(events, observed_until="2024-07-01")
    >>> log.n_events == len(events)
    True
    """
    from journeykit.log.read import read_log

    log = read_log(frame, **{"customer": CASE, "touchpoint": ACTIVITY, "time": TIME, **options})
    if LIFECYCLE not in log.columns:
        return log
    transition = log.column(LIFECYCLE)
    other = (transition.notna() & (transition.astype(str).str.lower() != lifecycle.lower())).to_numpy(dtype=bool)
    kept = keep_events(log, ~other)
    example = str(transition[other].iloc[0]) if other.any() else ""
    return with_finding(kept, "other_lifecycle", int(other.sum()), "left out", example, of=log.n_events)
