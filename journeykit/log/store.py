"""Write a log to Parquet and read it back as it was."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
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
    nested = [name for name, column in log.properties.items() if _is_loose(column)]
    categories = {}
    for name, column in log.properties.items():
        if isinstance(column.dtype, pd.CategoricalDtype) and not _kept_by_parquet(column):
            categories[name] = _packed(column.cat.categories, bool(column.cat.ordered))
            column = column.cat.codes.astype(np.int32)
        frame[f"property.{name}"] = _as_json(column) if name in nested else column
    for name, found in log.segments.items():  # the same on all of a customer's events, and so next to nothing
        frame[f"segment.{name}"] = found.codes[log.customer_codes]
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
        "texts": {name: _text_kind(each) for name, each in log.properties.items() if _is_texts(each)},
        "types": {name: str(each.dtype) for name, each in log.properties.items() if not _is_names(each)},
        "nested": nested,
        "categories": categories,
        "segments": {name: _packed(found.labels, False) for name, found in log.segments.items()},
        "quality": _plain(log.quality),
        "quarantine": None,
    }
    if len(log.quarantine):
        context["quarantine"] = json.loads(log.quarantine.astype("string").to_json(orient="split"))
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
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
        properties=_properties(frame, context),
        quality=_table(context["quality"]),
        quarantine=_quarantine(context["quarantine"]),
        rows_read=context["rows_read"],
        duplicates_merged=context["duplicates_merged"],
        personal=frozenset(context.get("personal", ())),
    )
    log = replace(log, segments=_segments(frame, context, log.offsets[:-1]))
    if context["stages"] is None:
        return log
    from journeykit.journey.stages import StageModel

    model = StageModel.from_dict(context["stages"])
    # The stages as they were given: a narrowed log may no longer show what decided them.
    return replace(log, stage_model=model, stage_codes=_recode(frame["stage"], list(model.stages)).astype(np.int16))


def _is_names(column: pd.Series) -> bool:
    """Whether a column's type does not say by itself how its cells are to be read back."""
    return column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype)


def _is_texts(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.StringDtype)


def _text_kind(column: pd.Series) -> list[Any]:
    """How texts are stored, and whether a missing one is NaN: pandas has several kinds."""
    kind: Any = column.dtype
    return [kind.storage, kind.na_value is not pd.NA]


def _is_loose(column: pd.Series) -> bool:
    """Whether cells are Python's own of which Arrow would make others: lists, dicts, numbers beside missing ones."""
    kinds = ("integer", "floating", "boolean", "mixed", "mixed-integer", "mixed-integer-float")
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in kinds


def _kept_by_parquet(column: pd.Series) -> bool:
    """Whether Parquet's dictionary gives the categories back: texts, of a column that has rows."""
    names = column.cat.categories
    return bool(len(column)) and len(names) > 0 and pd.api.types.infer_dtype(names, skipna=False) == "string"


def _packed(names: pd.Index, ordered: bool) -> dict[str, Any]:
    """Pack categories of any type for the metadata: as an Arrow stream, in letters."""
    import pyarrow as pa

    try:
        table = pa.Table.from_pandas(pd.DataFrame({"names": names}), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        raise LogError(f"the log holds categories that Parquet has no type for: {error}") from error
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return {"names": b64encode(sink.getvalue().to_pybytes()).decode(), "type": str(names.dtype), "ordered": ordered}


def _unpacked(packed: dict[str, Any]) -> pd.Index:
    import pyarrow as pa

    with pa.ipc.open_stream(b64decode(packed["names"])) as stream:
        names = stream.read_all().to_pandas()["names"]
    unpacked: pd.Index = pd.Index(names if str(names.dtype) == packed["type"] else names.astype(packed["type"]))
    return unpacked.rename(None)


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    """Lay a table out as plain data: unlike pandas' own JSON, with every digit of its numbers."""
    split: dict[str, Any] = json.loads(table.to_json(orient="split"))
    shares = table.columns.get_indexer(pd.Index(["share"]))[0]
    for row, share in zip(split["data"], table.get("share", ()), strict=False):
        row[shares] = None if pd.isna(share) else float(share)
    return split


def _as_json(column: pd.Series) -> pd.Series:
    def write(value: Any) -> str | None:
        if not isinstance(value, list | dict) and pd.isna(value):
            return None
        value = value.item() if isinstance(value, np.generic) else value
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = ""
        if not text or json.loads(text) != value:  # a tuple, a date, a key that is a number …
            raise LogError(f"property {column.name!r} holds {value!r}, which can't be written without loss")
        return text

    return column.map(write)


def _properties(frame: pd.DataFrame, context: dict[str, Any]) -> dict[str, pd.Series]:
    """Read the properties; pandas reads some types back as others, whatever they were."""
    return {
        name: _property(frame[column], name, context).rename(name)
        for column in frame.columns
        if column.startswith("property.") and (name := column.removeprefix("property."))
    }


def _property(column: pd.Series, name: str, context: dict[str, Any]) -> pd.Series:
    texts, types = context.get("texts", {}), context.get("types", {})
    if name in context.get("categories", {}):
        packed = context["categories"][name]
        kind = pd.CategoricalDtype(_unpacked(packed), ordered=packed["ordered"])
        return pd.Series(pd.Categorical.from_codes(column.to_numpy(), dtype=kind))
    if name in context.get("nested", ()):
        cells = np.empty(len(column), dtype=object)
        cells[:] = [None if each is None else json.loads(each) for each in column]
        return pd.Series(cells)
    if name in texts:
        return column.astype(_text_type(texts[name]) if isinstance(texts, dict) else text_type())
    return column.astype(types[name]) if str(column.dtype) != types.get(name, str(column.dtype)) else column


def _text_type(kind: list[Any]) -> Any:
    storage, nan = kind
    return (
        text_type()
        if nan and storage == "pyarrow"
        else pd.StringDtype(storage, **({"na_value": np.nan} if nan else {}))
    )


def _quarantine(split: dict[str, Any] | None) -> pd.DataFrame:
    table = _table(split)
    return table.astype({"row": np.int64}) if "row" in table else table


def _segments(frame: pd.DataFrame, context: dict[str, Any], firsts: Any) -> dict[str, Segment]:
    found = {}
    for name, packed in context.get("segments", {}).items():
        codes, known = frame[f"segment.{name}"].to_numpy()[firsts], frame[f"known.{name}"].to_numpy()[firsts]
        found[name] = Segment(_unpacked(packed), codes.astype(np.int32), known)
    return found


def _recode(column: pd.Series, names: list[str]) -> Any:
    return pd.Index(names, dtype=object).get_indexer(pd.Index(column.astype(object).where(column.notna(), None)))


def _table(split: dict[str, Any] | None) -> pd.DataFrame:
    return pd.DataFrame() if split is None else pd.DataFrame(**split)
