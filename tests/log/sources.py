"""One frame of texts, written as every kind of source."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest


def _csv(frame: pd.DataFrame, path: Path, **options: Any) -> str:
    frame.to_csv(path, index=False, **options)
    return str(path)


def _lines(frame: pd.DataFrame) -> str:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _packed(text: str, path: Path) -> str:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        file.write(text)
    return str(path)


def _zst(text: str, path: Path) -> str:
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(text.encode())
    return str(path)


def _duckdb(frame: pd.DataFrame, folder: Path) -> Any:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.register("events", _table(frame))
    return connection.sql("SELECT * FROM events")


def _polars(frame: pd.DataFrame, folder: Path) -> Any:
    polars = pytest.importorskip("polars", reason="polars comes with the extra bench")
    return polars.from_arrow(_table(frame))


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame.astype("string"), preserve_index=False).replace_schema_metadata(None)


def _feather(frame: pd.DataFrame, folder: Path) -> str:
    import pyarrow.feather as feather

    feather.write_feather(_table(frame), str(folder / "log.feather"))
    return str(folder / "log.feather")


def _parquet(frame: pd.DataFrame, folder: Path) -> str:
    import pyarrow.parquet as pq

    pq.write_table(_table(frame), folder / "log.parquet", row_group_size=7)
    return str(folder / "log.parquet")


def _arrow_stream(frame: pd.DataFrame, folder: Path) -> str:
    with pa.ipc.new_stream(str(folder / "log.arrow"), _table(frame).schema) as writer:
        writer.write_table(_table(frame), max_chunksize=5)
    return str(folder / "log.arrow")


def _workbook(frame: pd.DataFrame, folder: Path) -> str:
    pytest.importorskip("python_calamine", reason="python-calamine comes with the extra excel")
    from tests.log.workbook import write_workbook

    return write_workbook(folder / "log.xlsx", {"Sheet1": [list(frame.columns), *frame.astype(object).values.tolist()]})


def _sqlite(frame: pd.DataFrame, folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "log.sqlite")
    frame.to_sql("events", connection, index=False)
    return connection


# Name → what read_log gets, and its further arguments.
SOURCES: dict[str, Callable[[pd.DataFrame, Path], tuple[Any, dict[str, Any]]]] = {
    "frame": lambda frame, folder: (frame, {}),
    "frame of Arrow types": lambda frame, folder: (frame.astype("string[pyarrow]"), {}),
    "csv": lambda frame, folder: (_csv(frame, folder / "log.csv"), {}),
    "csv with quotes": lambda frame, folder: (_csv(frame, folder / "log.csv", quoting=1), {}),
    "tsv": lambda frame, folder: (_csv(frame, folder / "log.tsv", sep="\t"), {}),
    "csv, semicolons, Windows": lambda frame, folder: (
        _csv(frame, folder / "log.csv", sep=";", encoding="cp1254", lineterminator="\r\n"),
        {"encoding": "cp1254"},
    ),
    "csv.gz": lambda frame, folder: (_packed(frame.to_csv(index=False), folder / "log.csv.gz"), {}),
    "csv.zst": lambda frame, folder: (_zst(frame.to_csv(index=False), folder / "log.csv.zst"), {}),
    "jsonl": lambda frame, folder: (_write(_lines(frame), folder / "log.jsonl"), {}),
    "jsonl.gz": lambda frame, folder: (_packed(_lines(frame), folder / "log.jsonl.gz"), {}),
    "parquet": lambda frame, folder: (_parquet(frame, folder), {}),
    "feather": lambda frame, folder: (_feather(frame, folder), {}),
    "arrow stream": lambda frame, folder: (_arrow_stream(frame, folder), {}),
    "workbook": lambda frame, folder: (_workbook(frame, folder), {}),
    "pyarrow": lambda frame, folder: (_table(frame), {}),
    "polars": lambda frame, folder: (_polars(frame, folder), {}),
    "duckdb": lambda frame, folder: (_duckdb(frame, folder), {}),
    "query": lambda frame, folder: ("SELECT * FROM events", {"connection": _sqlite(frame, folder)}),
}


def _write(text: str, path: Path) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)
