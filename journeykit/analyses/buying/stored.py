"""Frames as JSON and back: numbers, texts and dates, without pickle, which would run what a file says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from journeykit.errors import ParameterError


def frame_to_plain(frame: pd.DataFrame) -> dict[str, Any]:
    """Lay a frame out as columns of plain values; dates as ISO text, what is missing as null."""
    columns = {}
    for name, column in frame.items():
        dates = pd.api.types.is_datetime64_any_dtype(column.dtype)
        values = column.dt.strftime("%Y-%m-%d").tolist() if dates else column.tolist()
        kind = "date" if dates else "text" if column.dtype == object else str(column.dtype)
        columns[str(name)] = {"kind": kind, "values": [_plain(value) for value in values]}
    return columns


def plain_to_frame(plain: dict[str, Any]) -> pd.DataFrame:
    """Make the frame again."""
    kinds: dict[str, Any] = {"date": "datetime64[s]", "text": object}
    return pd.DataFrame(
        {
            name: pd.Series(column["values"], dtype=kinds.get(column["kind"], column["kind"]))
            for name, column in plain.items()
        }
    )


def to_text(plain: dict[str, Any], path: str | Path | None) -> str:
    """Write as JSON, to a file if there is a path; return the text."""
    text = json.dumps(plain, indent=1, allow_nan=False)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def read_text(source: str | Path) -> dict[str, Any]:
    """Read JSON, from a file unless the source is the JSON itself."""
    text = source if isinstance(source, str) and source.lstrip().startswith("{") else None
    try:
        plain = json.loads(Path(source).read_text(encoding="utf-8") if text is None else text)
    except json.JSONDecodeError as error:
        raise ParameterError(f"this is no JSON: {error}") from error
    if not isinstance(plain, dict):
        raise ParameterError("this is no model: a JSON object is needed")
    return plain


def _plain(value: Any) -> Any:
    """Say a number that JSON has not: what is missing as null, what is infinite as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
