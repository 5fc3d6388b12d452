"""Several logs become one: web events, tills, tickets, surveys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.calendar import as_timestamp, check_timezone, instant_us
from journeykit.log.events import keep_events
from journeykit.log.interactions import InteractionLog, Staging
from journeykit.log.join import SOURCE, Sources, join_events, merge_repeats
from journeykit.log.quality import Finding, findings_table
from journeykit.schema import DAY, check_one_of


def concat_logs(
    logs: Iterable[InteractionLog] | Mapping[str, InteractionLog],
    *,
    observed: str | tuple[object, object] = "all",
    timezone: str | None = None,
    duplicates: str = "merge",
    stages: Staging | None = None,
) -> InteractionLog:
    """Make one log of several sources.

    Each source observes a time of its own, and where one is silent because it
    was not watching, a customer looks as if nothing had happened. So by
    default the new log observes only what *all* sources do: it starts with the
    last to start and ends with the first to end, and the events before and
    after are left out and counted. (A log that was read starts with its first
    event: a source with few events may have watched for longer. Say so with
    `observed=(start, end)`.)

    Parameters
    ----------
    logs : list of InteractionLog, or mapping
        The sources. With a mapping of name → log, the name of an event's
        source is the new column `source`. Ids are matched as they are; a
        number and its text are the same id.
    observed : {"all", "any"} or (start, end)
        `"any"`: from the first start to the last end, as for one source in
        several periods; times that fewer sources observe than at most are a
        finding. Or the period that all sources are known to observe.
    timezone : str, optional
        Zone of the new log; needed if those of the logs differ.
    duplicates : {"merge", "keep"}
        What to do with an event that equals, in every column, one of an
        earlier source. Repeats within a source were decided when it was read.
    stages : StageModel, optional
        Stages to give the events of all sources together, so that what one
        source saw decides a stage in another. Without it, stages stay as they
        were decided, and all logs must have the same model or none.

    Returns
    -------
    InteractionLog
        Events of a customer by time, at one instant in the order of the
        sources. Columns that a source lacks are missing on its events.
        `quality` and `quarantine` are those of all, with the `source`;
        `rows_read` is that of all: rows kept, in quarantine, merged, and
        outside of the observation (rule `outside_observation`).

    Raises
    ------
    ParameterError
        If the sources are never all observed at once, their zones or stage
        models differ, or one is re-keyed or has segments.

    Examples
    --------
    >>> web = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "bob"], "time": ["2024-01-01", "2024-01-20"], "touchpoint": ["visit", "visit"],
    ... }), observed_until="2024-03-01")
    >>> till = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann"], "time": ["2024-01-02", "2024-01-05"], "touchpoint": ["order", "return"],
    ... }), observed_until="2024-02-01")
    >>> log = jk.concat_logs({"web": web, "till": till}, observed=("2024-01-01", "2024-02-01"))
    >>> log.frame()[["customer", "touchpoint", "source"]]
      customer touchpoint source
    0      ann      visit    web
    1      ann      order   till
    2      ann     return   till
    3      bob      visit    web
    """
    check_one_of("duplicates", duplicates, ("merge", "keep"))
    sources = _read_sources(logs)
    zone = _common_timezone(sources, timezone)
    start, end = _observation(sources, observed, zone)
    joined = replace(join_events(sources, restage=stages is not None), start=start, observed_until=end, timezone=zone)
    inside = (joined.times >= start) & (joined.times < end)
    findings = [_outside(sources, joined, inside), *_ids(sources, joined)]
    if observed == "any":
        findings += _partly_observed(sources, joined.times, start, end, zone)
    joined, repeated = merge_repeats(keep_events(joined, inside), duplicates)
    findings += [repeated, *_clocks_and_names(joined)]
    properties = {name: column for name, column in joined.properties.items() if name != SOURCE}
    if isinstance(logs, Mapping):
        properties["source"] = joined.properties[SOURCE].rename("source")
    read = sum(log.rows_read for log in sources.logs)
    merged = sum(log.duplicates_merged for log in sources.logs)
    joined = replace(
        joined,
        properties=properties,
        quality=_tables([log.quality for log in sources.logs], sources.names, findings_table(findings, read)),
        quarantine=_tables([log.quarantine for log in sources.logs], sources.names),
        rows_read=read,
        duplicates_merged=merged + (repeated.rows if duplicates == "merge" else 0),
    )
    return joined if stages is None else joined.with_stages(stages)


# -- what they must have in common -----------------------------------------------------------


def _read_sources(logs: Iterable[InteractionLog] | Mapping[str, InteractionLog]) -> Sources:
    given = dict(logs) if isinstance(logs, Mapping) else {str(i): log for i, log in enumerate(logs, start=1)}
    if not given:
        raise ParameterError("one log at least is needed, got none")
    for name, log in given.items():
        if not isinstance(log, InteractionLog):
            raise ParameterError(f"source {name!r} must be an InteractionLog, got {type(log).__name__}")
        if log.rekeyed is not None:
            raise ParameterError(f"source {name!r} is keyed by {log.unit!r}: concatenate first, then re-key")
        if log.segments:
            raise ParameterError(f"source {name!r} has segments {list(log.segments)}: concatenate first")
        if isinstance(logs, Mapping) and "source" in log.columns:
            raise ParameterError(f"source {name!r} has a column 'source' already: give a list instead of a mapping")
    return Sources([str(name) for name in given], list(given.values()))


def _common_timezone(sources: Sources, timezone: str | None) -> str:
    if timezone is not None:
        return check_timezone(timezone)
    zones = sorted({log.timezone for log in sources.logs})
    if len(zones) > 1:
        raise ParameterError(f'the logs have the timezones {zones}: say which to use, as in timezone="{zones[0]}"')
    return zones[0]


def _observation(sources: Sources, observed: str | tuple[object, object], zone: str) -> tuple[int, int]:
    starts, ends = [log.start for log in sources.logs], [log.observed_until for log in sources.logs]
    if not isinstance(observed, str):
        start, end = (instant_us(limit, zone, name="observed") for limit in observed)
        if start >= end:
            raise ParameterError(f"observed must end after it starts, got {observed}")
        return start, end
    check_one_of("observed", observed, ("all", "any"))
    if observed == "any":
        return min(starts), max(ends)
    if max(starts) >= min(ends):
        said = ", ".join(f"{name}: {_period(log.start, log.observed_until, zone)}" for name, log in sources.named)
        raise ParameterError(
            f'no time is observed by all logs ({said}); one source in several periods is joined by observed="any"'
        )
    return max(starts), min(ends)


def _period(start: int, end: int, zone: str) -> str:
    return f"{as_timestamp(start, zone):%Y-%m-%d %H:%M} to {as_timestamp(end, zone):%Y-%m-%d %H:%M}"


# -- findings --------------------------------------------------------------------------------


def _outside(sources: Sources, joined: InteractionLog, inside: NDArray[np.bool_]) -> Finding:
    """Count what some source saw while others were not watching, or while nobody said that they were."""
    left_out = np.bincount(joined.properties[SOURCE].cat.codes[~inside], minlength=len(sources.names))
    said = ", ".join(f"{name}: {count}" for name, count in zip(sources.names, left_out, strict=True) if count)
    return Finding("outside_observation", int(left_out.sum()), "left out", said)


def _ids(sources: Sources, joined: InteractionLog) -> list[Finding]:
    """Look whether the sources call customers alike."""
    numbers = [pd.api.types.is_integer_dtype(log.customers.dtype) for log in sources.logs]
    findings = []
    if any(numbers) and not all(numbers):
        rows = sum(log.n_events for log, number in zip(sources.logs, numbers, strict=True) if number)
        names = ", ".join(name for name, number in zip(sources.names, numbers, strict=True) if number)
        findings.append(Finding("customer_ids_as_text", rows, "numbers read as text", names))
    if len(sources.logs) > 1 and joined.n_customers == sum(log.n_customers for log in sources.logs):
        examples = [f"{log.customers[0]} in {name}" for name, log in sources.named if log.n_customers]
        findings.append(Finding("no_shared_customers", joined.n_events, "kept", ", ".join(examples[:3]), personal=True))
    return findings


def _partly_observed(sources: Sources, times: NDArray[np.int64], start: int, end: int, zone: str) -> list[Finding]:
    """Say at which times fewer sources observe than at most, and at which none does."""
    limits = sorted(
        {start, end, *(min(max(t, start), end) for log in sources.logs for t in (log.start, log.observed_until))}
    )
    watching = [sum(log.start <= begin < log.observed_until for log in sources.logs) for begin in limits[:-1]]
    findings = []
    place = np.searchsorted(np.array(limits[1:-1], dtype=np.int64), times, side="right")
    fewer = [i for i, count in enumerate(watching) if 0 < count < max(watching)]
    if fewer:
        begin, stop = limits[fewer[0]], limits[fewer[0] + 1]
        who = [name for name, log in sources.named if log.start <= begin < log.observed_until]
        rows = int(np.isin(place, fewer).sum())
        said = f"{', '.join(who)} alone: {_period(begin, stop, zone)}"
        findings.append(Finding("partly_observed", rows, "kept", said))
    nobody = [i for i, count in enumerate(watching) if count == 0]
    if nobody:
        lengths = [limits[i + 1] - limits[i] for i in nobody]
        said = _period(limits[nobody[0]], limits[nobody[0] + 1], zone)
        days = -(-sum(lengths) // DAY)
        findings.append(Finding("not_observed", days, "counted in days", said, of=-(-(end - start) // DAY)))
    return findings


def _clocks_and_names(joined: InteractionLog) -> list[Finding]:
    """Look at the sources together: whether their clocks agree, and touchpoints are spelt alike."""
    from journeykit.log.rules.clocks import clock_skew
    from journeykit.log.rules.names import similar_touchpoints
    from journeykit.log.rules.seen import Seen

    if not joined.n_events:
        return []
    seen = Seen(joined, joined.times, end_given=True)
    return [*clock_skew(seen, by=SOURCE), *similar_touchpoints(seen)]


def _tables(tables: list[pd.DataFrame], names: list[str], ours: pd.DataFrame | None = None) -> pd.DataFrame:
    """Put findings, or rows in quarantine, of all sources below each other, each with its source."""
    parts = []
    for table, name in zip(tables, names, strict=True):
        if not len(table):
            continue
        if "source" in table.columns:  # of a log that was itself made of several
            inner = table["source"].fillna("").astype(str)
            parts.append(table.assign(source=[f"{name}/{each}" if each else name for each in inner]))
        else:
            parts.append(table.assign(source=name))
    if ours is not None and (len(ours) or not parts):  # a table without rows has its columns
        parts.append(ours.assign(source=""))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
