"""Put the events of several logs into one: dictionaries merged, missing columns missing, repeats found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.calendar import as_timestamp
from journeykit.log.encode import encode_customers
from journeykit.log.events import keep_events, regroup
from journeykit.log.interactions import InteractionLog, Staging
from journeykit.log.quality import Finding

SOURCE = "\0source"
"""While logs are joined, the column with each event's source: a name that no column of theirs has."""


@dataclass(frozen=True)
class Sources:
    """The logs that are to become one, with what they are called."""

    names: list[str]
    logs: list[InteractionLog]

    @property
    def named(self) -> Iterable[tuple[str, InteractionLog]]:
        """Name and log of each."""
        return zip(self.names, self.logs, strict=True)

    @property
    def of_event(self) -> NDArray[np.int32]:
        """Each event's log, in the order of the logs."""
        return np.repeat(np.arange(len(self.logs), dtype=np.int32), [log.n_events for log in self.logs])


def join_events(sources: Sources, *, restage: bool) -> InteractionLog:
    """Put the events of all logs into one, each with its source in a column of its own."""
    logs = sources.logs
    codes, ids = encode_customers(pd.concat([pd.Series(log.customers) for log in logs], ignore_index=True))
    shift = np.cumsum([0, *(log.n_customers for log in logs)])
    customers = [codes[begin + log.customer_codes] for begin, log in zip(shift[:-1], logs, strict=True)]
    touchpoint_codes, touchpoints = _merge_names([(log.touchpoint_codes, log.touchpoints) for log in logs])
    has_channel = any(log.channel_codes is not None for log in logs)
    channel_codes, channels = _merge_names(
        [
            (np.full(log.n_events, -1, np.int32), pd.Index([], dtype=object))
            if log.channel_codes is None or log.channels is None
            else (log.channel_codes, log.channels)
            for log in logs
        ]
    )
    model = None if restage else _common_model(sources)
    names = list(dict.fromkeys(name for log in logs for name in log.properties))
    properties = {name: merge_columns(name, logs) for name in names}
    properties[SOURCE] = pd.Series(pd.Categorical.from_codes(sources.of_event, categories=pd.Index(sources.names)))
    loose = InteractionLog(
        customers=ids,
        offsets=np.zeros(1, np.int64),  # not yet sorted: regroup gives them
        times=np.concatenate([log.times for log in logs]),
        touchpoint_codes=touchpoint_codes,
        touchpoints=touchpoints,
        start=logs[0].start,
        observed_until=logs[0].observed_until,
        channel_codes=channel_codes if has_channel else None,
        channels=channels if has_channel else None,
        stage_codes=None if model is None else np.concatenate([_stage_codes(log) for log in logs]),
        stage_model=model,
        values=_merge_values(logs),
        properties=properties,
        personal=frozenset().union(*(log.personal for log in logs)),
    )
    return regroup(loose, np.concatenate(customers), ids)


def _common_model(sources: Sources) -> Staging | None:
    first = sources.logs[0].stage_model
    for name, log in sources.named:
        if log.stage_model != first:
            raise ParameterError(
                f"the stage model of source {name!r} is not that of {sources.names[0]!r}: say stages= for all of them"
            )
    return first


def _stage_codes(log: InteractionLog) -> NDArray[np.int16]:
    assert log.stage_codes is not None
    return log.stage_codes


def _merge_names(parts: Sequence[tuple[NDArray[np.int32], pd.Index]]) -> tuple[NDArray[np.int32], pd.Index]:
    """Merge dictionaries into one, sorted, and translate the codes; -1 stays."""
    names = sorted({name for _, each in parts for name in each})
    merged: pd.Index = pd.Index(names, dtype=object)
    translated = [np.append(merged.get_indexer(each), -1).astype(np.int32)[codes] for codes, each in parts]
    return np.concatenate(translated), merged


def _merge_values(logs: Sequence[InteractionLog]) -> NDArray[np.float64] | None:
    if all(log.values is None for log in logs):
        return None
    return np.concatenate([np.full(log.n_events, np.nan) if log.values is None else log.values for log in logs])


def merge_columns(name: str, logs: Sequence[InteractionLog]) -> pd.Series:
    """Join a property of several logs; it is missing where a log does not have it."""
    there = [log.properties[name] for log in logs if name in log.properties]
    if all(isinstance(column.dtype, pd.CategoricalDtype) for column in there):
        words = list(dict.fromkeys(word for column in there for word in column.cat.categories))
        there = [column.cat.set_categories(words) for column in there]
    whole = _below_each_other(there)
    if len(there) < len(logs):
        has = np.concatenate([np.full(log.n_events, name in log.properties) for log in logs])
        places = np.where(has, np.cumsum(has) - 1, -1)  # nothing stands at -1
        whole = _nullable(whole).reindex(places).reset_index(drop=True)
    return whole.rename(name)


def _below_each_other(columns: Sequence[pd.Series]) -> pd.Series:
    """Join columns; whole numbers that floats cannot hold stay as they are beside floats."""
    filled = [column for column in columns if len(column)] or list(columns[:1])
    whole = pd.concat(filled, ignore_index=True)
    if pd.api.types.is_float_dtype(whole.dtype) and any(map(_is_too_large, filled)):
        whole = pd.concat([column.astype(object) for column in filled], ignore_index=True)
    return whole


def _is_too_large(column: pd.Series) -> bool:
    """Whether a column holds whole numbers of which floats lose digits."""
    if not pd.api.types.is_integer_dtype(column.dtype) or not column.notna().any():
        return False
    return max(abs(int(column.min())), abs(int(column.max()))) > 2**53


def _nullable(column: pd.Series) -> pd.Series:
    """Whole numbers and yes/no stay so beside missing ones."""
    if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "biu":
        return column
    kinds: dict[str, Any] = {"b": pd.BooleanDtype(), "i": pd.Int64Dtype(), "u": pd.UInt64Dtype()}
    nullable: pd.Series = column.astype(kinds[column.dtype.kind])
    return nullable


def merge_repeats(log: InteractionLog, duplicates: str) -> tuple[InteractionLog, Finding]:
    """Find events that equal one of an earlier source in every column, and merge them into it if asked to."""
    repeats = _repeats(log)
    example = ""
    if repeats.any():
        row = int(np.argmax(repeats))
        name, again = log.touchpoints[log.touchpoint_codes[row]], log.properties[SOURCE].iloc[row]
        example = f"{name} at {as_timestamp(int(log.times[row]), log.timezone)}, again in {again}"
    found = Finding(
        "duplicates_across_sources", int(repeats.sum()), "merged" if duplicates == "merge" else "kept", example
    )
    return (keep_events(log, ~repeats) if duplicates == "merge" else log), found


def _repeats(log: InteractionLog) -> NDArray[np.bool_]:
    repeats = np.zeros(log.n_events, dtype=bool)
    # Only events that share customer and instant with a neighbour can be repeats.
    same = np.flatnonzero((np.diff(log.times) == 0) & (np.diff(log.customer_codes) == 0))
    if not same.size:
        return repeats
    rows = np.union1d(same, same + 1)
    keys = {"customer": log.customer_codes[rows], "time": log.times[rows], "touchpoint": log.touchpoint_codes[rows]}
    if log.channel_codes is not None:
        keys["channel"] = log.channel_codes[rows]
    if log.values is not None:
        keys["value"] = pd.factorize(log.values[rows])[0]
    properties = {name: column for name, column in log.properties.items() if name != SOURCE}
    for i, column in enumerate(properties.values()):
        keys[f"property {i}"] = _comparable(column.iloc[rows])
    frame = pd.DataFrame(keys)
    source = log.properties[SOURCE].iloc[rows].cat.codes.to_numpy()
    earliest = pd.Series(source).groupby([frame[name] for name in frame], sort=False).transform("min")
    repeats[rows] = source > earliest.to_numpy()
    return repeats


def _comparable(column: pd.Series) -> NDArray[np.int64]:
    """Code a column so that equal entries have equal codes, lists and dicts too."""
    try:
        return pd.factorize(column)[0]
    except TypeError:
        return pd.factorize(column.map(repr))[0]
