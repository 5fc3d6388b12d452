"""metrics.json: what a run found, for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

from journeykit.errors import ReportError
from journeykit.reports.blocks import BLOCK

SCHEMA_VERSION: Final = 1
KEY: Final = ("name", "segment", "period", "definition")


def collect_metrics(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gather the records that a notebook's cells showed, in their order.

    Raises
    ------
    ReportError
        If two records have the same name, segment, period and definition
        but differ.
    """
    records: dict[tuple[str, ...], dict[str, Any]] = {}
    for block in blocks_of(notebook):
        for record in block["records"] if block["kind"] == "metrics" else []:
            key = tuple(str(record[part]) for part in KEY)
            if records.setdefault(key, record) != record:
                raise ReportError(f"two different values for the metric {dict(zip(KEY, key, strict=True))}")
    return list(records.values())


def blocks_of(notebook: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield the blocks that a notebook's outputs carry, in order."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            block = output.get("data", {}).get(BLOCK)
            if block is not None:
                yield block


def collect_comparison(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gather the differences to the period before that a notebook's cells showed."""
    return [record for block in blocks_of(notebook) if block["kind"] == "comparison" for record in block["records"]]


def metrics_document(
    report: str,
    run: str,
    period: Mapping[str, Any],
    headline: str | None,
    records: Iterable[Mapping[str, Any]],
    comparison: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Lay out metrics.json.

    Parameters
    ----------
    report, run : str
        The report's name and the run's id.
    period : mapping
        `start`, `end` and `timezone` of what was looked at.
    headline : str or None
        The page's headline.
    records : iterable of mapping
        The results' metrics.
    comparison : mapping, optional
        With what they were compared, and the differences.

    Returns
    -------
    dict
        As metrics.schema.json says; numbers that do not exist are null.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "report": report,
        "run": run,
        "period": {name: period.get(name) for name in ("start", "end", "timezone")},
        "headline": headline,
        "records": [{name: _plain(value) for name, value in record.items()} for record in records],
        "comparison": None if comparison is None else dict(comparison),
    }


@cache
def metrics_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of metrics.json.

    Examples
    --------
    >>> metrics_schema()["title"]
    'metrics.json of a journeykit report'
    """
    text = resources.files("journeykit.reports").joinpath("metrics.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
