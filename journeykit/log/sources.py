"""Where a raw log comes from: files and frames, as a DataFrame of the source's own columns."""

from __future__ import annotations

from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import pandas as pd

from journeykit.errors import LogError, ParameterError

_CSV = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")
_PARQUET = (".parquet", ".pq")


def read_source(source: Any) -> pd.DataFrame:
    """Read a file, several files or a frame; nothing is interpreted yet, and a CSV's cells stay text.

    Parameters
    ----------
    source : DataFrame, str, Path, or list of them
        A frame; or a CSV, TSV (also .gz, .zst) or Parquet file, or a glob of
        them.
    """
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, str | Path):
        return read_files(_expand(str(source)))
    if isinstance(source, list | tuple) and source and all(isinstance(each, str | Path) for each in source):
        return read_files([path for each in source for path in _expand(str(each))])
    raise ParameterError(
        f"a log is read from a DataFrame, a CSV or Parquet file, or a glob of them, got {type(source).__name__}"
    )


def _expand(path: str) -> list[str]:
    if has_magic(path):
        paths = sorted(glob(path, recursive=True))
        if not paths:
            raise LogError(f"no file matches {path!r}")
        return paths
    if not Path(path).exists():
        raise LogError(f"there is no file {path!r}")
    return [path]


def read_files(paths: Iterable[str]) -> pd.DataFrame:
    """Read files of one kind; columns missing in some are empty there."""
    paths = list(paths)
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        raise LogError(f"the files are of different kinds: {sorted(kinds)}; read them one kind at a time")
    return _read_parquet(paths) if kinds == {"parquet"} else _read_csv(paths)


def _kind(path: str) -> str:
    name = path.lower()
    if name.endswith(_PARQUET):
        return "parquet"
    if name.endswith(_CSV):
        return "csv"
    raise LogError(f"cannot read {path!r}: known endings are {', '.join((*_CSV, *_PARQUET))}")


def _read_parquet(paths: list[str]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Texts as dictionaries: a touchpoint name is kept once, not once an event.
        texts = [field.name for field in pq.read_schema(paths[0]) if _is_text(field.type)]
        tables = [pq.read_table(path, read_dictionary=texts) for path in paths]
        table = pa.concat_tables(tables, promote_options="permissive") if len(tables) > 1 else tables[0]
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise LogError(f"cannot read {paths[0]!r} as Parquet: {error}") from error
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _read_csv(paths: list[str]) -> pd.DataFrame:
    import duckdb

    engine = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    try:
        # Every cell as text: what is a time or a number is decided at the door, with a reason for what is not.
        # No cell is taken as missing unless it is empty.
        rows = engine.execute("SELECT * FROM read_csv(?, all_varchar=true, union_by_name=true)", [paths])
        return rows.df()
    except duckdb.Error as error:
        raise LogError(f"cannot read {paths[0]!r} as CSV: {error}") from error
    finally:
        engine.close()
