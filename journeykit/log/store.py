"""Write a log to Parquet and read it back as it was."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import LogError
from journeykit.log.build import offsets_of
from journeykit.log.encode import encode_customers
from journeykit.log.events import Segment
from journeykit.log.interactions import InteractionLog
from journeykit.log.properties import text_type

_KEY = b"journeykit.log"
_VERSION = 1


def write_log(log: InteractionLog, path: str | Path) -> None:
    """Write events in the log's order, with its context in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if log.rekeyed is not None:
        raise LogError(f"a log keyed by {log.unit!r} is not written: write the log that it was made from")
    frame = pd.DataFrame({"customer": log.column("customer"), "time": log.times.astype("M8[us]")})
    frame["touchpoint"] = log.column("touchpoint")
    for name in ("channel", "stage", "value"):
        if name in log.columns:
            frame[name] = log.column(name)
    nested = [name for name, column in log.properties.items() if _is_nested(column)]
    for name, column in log.properties.items():
        frame[f"property.{name}"] = _as_json(column) if name in nested else column
    for name, found in log.segments.items():  # the same on all of a customer's events, and so next to nothing
        labels = pd.Categorical.from_codes(found.codes, categories=found.labels)
        frame[f"segment.{name}"] = labels.take(log.customer_codes)
        frame[f"known.{name}"] = found.known_at[log.customer_codes]
    context = {
        "version": _VERSION,
        "start": log.start,
        "observed_until": log.observed_until,
        "timezone": log.timezone,
        "rows_read": log.rows_read,
        "duplicates_merged": log.duplicates_merged,
        "touchpoints": log.touchpoints.tolist(),
        "channels": None if log.channels is None else log.channels.tolist(),
        "stages": None if log.stage_model is None else log.stage_model.to_dict(),
        "personal": sorted(log.personal),
        "texts": [name for name, column in log.properties.items() if isinstance(column.dtype, pd.StringDtype)],
        "nested": nested,
        "quality": json.loads(log.quality.to_json(orient="split")),
        "quarantine": None,
    }
    if len(log.quarantine):
        context["quarantine"] = json.loads(log.quarantine.astype("string").to_json(orient="split"))
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise LogError(f"the log holds what Parquet has no type for: {error}") from error
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(context).encode()})
    pq.write_table(table, path, compression="zstd")


def read_stored(path: str | Path) -> InteractionLog | None:
    """Read a log that `write_log` wrote; None if the file is not one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return None  # not Parquet at all: the door says so
    if _KEY not in metadata:
        return None
    context = json.loads(metadata[_KEY])
    frame = pq.read_table(path).to_pandas()
    codes, customers = encode_customers(frame["customer"])
    channels = context["channels"]
    log = InteractionLog(
        customers=customers,
        offsets=offsets_of(codes, len(customers)),
        times=frame["time"].to_numpy().astype("M8[us]").astype(np.int64),
        touchpoint_codes=_recode(frame["touchpoint"], context["touchpoints"]).astype(np.int32),
        touchpoints=pd.Index(context["touchpoints"], dtype=object),
        start=context["start"],
        observed_until=context["observed_until"],
        timezone=context["timezone"],
        channel_codes=_recode(frame["channel"], channels).astype(np.int32) if channels is not None else None,
        channels=pd.Index(channels, dtype=object) if channels is not None else None,
        values=frame["value"].to_numpy(np.float64, copy=True) if "value" in frame else None,
        properties=_properties(frame, context.get("texts", ()), context.get("nested", ())),
        quality=_table(context["quality"]),
        quarantine=_quarantine(context["quarantine"]),
        rows_read=context["rows_read"],
        duplicates_merged=context["duplicates_merged"],
        personal=frozenset(context.get("personal", ())),
    )
    log = replace(log, segments=_segments(frame, log.offsets[:-1]))
    if context["stages"] is None:
        return log
    from journeykit.journey.stages import StageModel

    model = StageModel.from_dict(context["stages"])
    # The stages as they were given: a narrowed log may no longer show what decided them.
    return replace(log, stage_model=model, stage_codes=_recode(frame["stage"], list(model.stages)).astype(np.int16))


def _is_nested(column: pd.Series) -> bool:
    """Whether a column holds lists or dicts: Arrow would give all of its dicts the keys of any."""
    return column.dtype == object and any(isinstance(each, list | dict) for each in column)


def _as_json(column: pd.Series) -> pd.Series:
    def write(value: Any) -> str | None:
        if not isinstance(value, list | dict) and pd.isna(value):
            return None
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = ""
        if not text or json.loads(text) != value:  # a tuple, a date, a key that is a number …
            raise LogError(f"property {column.name!r} holds {value!r}, which can't be written without loss")
        return text

    return column.map(write)


def _properties(frame: pd.DataFrame, texts: Collection[str], nested: Collection[str]) -> dict[str, pd.Series]:
    found = {}
    for column in frame.columns:
        if column.startswith("property."):
            name = column.removeprefix("property.")
            # Pandas reads texts back as objects, whatever they were.
            kept = frame[column].astype(text_type()) if name in texts else frame[column]
            kept = kept.map(json.loads, na_action="ignore") if name in nested else kept
            found[name] = kept.rename(name)
    return found


def _quarantine(split: dict[str, Any] | None) -> pd.DataFrame:
    table = _table(split)
    return table.astype({"row": np.int64}) if "row" in table else table


def _segments(frame: pd.DataFrame, firsts: Any) -> dict[str, Segment]:
    found = {}
    for column in frame.columns:
        if column.startswith("segment."):
            name = column.removeprefix("segment.")
            labels = frame[column].astype("category").cat
            codes = labels.codes.to_numpy()[firsts].astype(np.int32)
            found[name] = Segment(pd.Index(labels.categories), codes, frame[f"known.{name}"].to_numpy()[firsts])
    return found


def _recode(column: pd.Series, names: list[str]) -> Any:
    return pd.Index(names, dtype=object).get_indexer(pd.Index(column.astype(object).where(column.notna(), None)))


def _table(split: dict[str, Any] | None) -> pd.DataFrame:
    return pd.DataFrame() if split is None else pd.DataFrame(**split)
