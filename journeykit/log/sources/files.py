"""Which files are meant, of which kind, and their rows one file after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from journeykit.errors import LogError, ParameterError
from journeykit.log.pieces import Batch, is_arrow, n_rows
from journeykit.log.quality import Finding
from journeykit.log.sources.columnar import ArrowFile, ParquetFile
from journeykit.log.sources.csv_files import CsvFile
from journeykit.log.sources.json_files import json_file
from journeykit.log.sources.raw import OneFile, Raw, Reading
from journeykit.log.sources.tables import Workbook

_PACKED = (".gz", ".zst")
KINDS: dict[str, tuple[Callable[[str, Reading], OneFile], tuple[str, ...]]] = {
    "CSV": (CsvFile, (".csv", ".tsv", ".txt")),
    "JSON": (json_file, (".jsonl", ".ndjson", ".json")),
    "Parquet": (ParquetFile, (".parquet", ".pq")),
    "Arrow": (ArrowFile, (".arrow", ".feather", ".ipc")),
    "workbook": (Workbook, (".xlsx", ".xls", ".xlsb", ".ods")),
}
"""Kind of file → its reader and its endings; CSV and JSON may be packed as .gz or .zst."""

DATABASES = (".sqlite", ".sqlite3", ".db", ".duckdb")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def kind_of(path: str) -> str | None:
    """The kind of a file by its ending; None if it is unknown."""
    name = path.lower()
    for packed in _PACKED:
        if name.endswith(packed):
            name = name.removesuffix(packed)
            return next((kind for kind in ("CSV", "JSON") if name.endswith(KINDS[kind][1])), None)
    return next((kind for kind, (_, endings) in KINDS.items() if name.endswith(endings)), None)


def read_files(sources: list[str], reading: Reading) -> Raw:
    """Read files of one kind; a column that some lack is missing there, `key=value` folders are columns.

    Parameters
    ----------
    sources : list of str
        Files, folders, patterns, or addresses that fsspec knows.
    reading : Reading
        What is stated about them.
    """
    closing = ExitStack()
    try:
        paths = [path for source in sources for path in _expand(source, closing)]
        kinds = {path: kind_of(path) for path in paths}
        for path, kind in kinds.items():
            if kind is None:
                raise LogError(f"cannot read {path!r}: {_known_endings(path)}")
        if len(set(kinds.values())) > 1:
            raise LogError(f"the files are of different kinds, {sorted(set(map(str, kinds.values())))}: read one kind")
        kind = next(iter(kinds.values()))
        assert kind is not None
        if reading.columns is not None and kind != "CSV":
            raise ParameterError(f"columns names those of a CSV file without a header, and {paths[0]!r} is none")
        files = [KINDS[kind][0](path, reading) for path in paths]
        folders = [_partitions(path) for path in paths]
        names = [name for file, folder in zip(files, folders, strict=True) for name in (*file.columns, *folder)]
    except BaseException:
        closing.close()
        raise
    raw = Raw(list(dict.fromkeys(names)), iter(()), untyped=kind == "CSV", closing=closing)
    sizes = [file.expected for file in files]
    raw.expected = None if None in sizes else sum(size or 0 for size in sizes)
    raw.batches = _chain(files, folders, raw)
    return raw


def _known_endings(path: str) -> str:
    if path.lower().endswith(DATABASES):
        return 'a database needs a query: read_log("SELECT …", connection="that file")'
    return (
        "known endings are " + ", ".join(ending for _, endings in KINDS.values() for ending in endings) + ", .gz, .zst"
    )


def _chain(files: list[OneFile], folders: list[dict[str, str | None]], raw: Raw) -> Iterator[Batch]:
    rows = 0
    for file, folder in zip(files, folders, strict=True):
        lost = len(raw.lost)
        constant = {name: value for name, value in folder.items() if name not in file.columns}
        for batch in file.batches(raw, rows + lost):
            rows += n_rows(batch)
            yield _with_constants(batch, constant) if constant else batch
    raw.findings[:] = _merged(raw.findings)


def _with_constants(batch: Batch, constant: dict[str, str | None]) -> Batch:
    if not is_arrow(batch):
        return batch.assign(**constant)
    import pyarrow as pa

    for name, value in constant.items():
        column = pa.repeat(pa.scalar(value, pa.string()), batch.num_rows)
        batch = pa.record_batch([*batch.columns, column], names=[*batch.schema.names, name])
    return batch


def _merged(findings: list[Finding]) -> list[Finding]:
    """Add up what several files have in common."""
    rows: dict[tuple[str, str, str], int] = {}
    for each in findings:
        key = (each.rule, each.action, each.example)
        rows[key] = rows.get(key, 0) + each.rows
    return [Finding(rule, n, action, example) for (rule, action, example), n in rows.items()]


# -- which files ---------------------------------------------------------------------------------


def _expand(source: str, closing: ExitStack) -> list[str]:
    if "://" in source:
        return _fetch(source, closing)
    if Path(source).is_dir():
        return _of_folder(Path(source))
    if Path(source).exists():
        return [source]
    if has_magic(source):
        paths = sorted(path for path in glob(source, recursive=True) if Path(path).is_file())
        if not paths:
            raise LogError(f"no file matches {source!r}")
        return paths
    raise LogError(f"there is no file {source!r}")


def _of_folder(folder: Path) -> list[str]:
    """Files of a folder and its folders, but for hidden ones and notes such as _SUCCESS."""
    paths = [
        str(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        and kind_of(str(path)) is not None
    ]
    if not paths:
        raise LogError(f"the folder {str(folder)!r} holds no file that can be read")
    return paths


def _fetch(address: str, closing: ExitStack) -> list[str]:
    """Copy files from another file system, folders of partitions kept."""
    import fsspec

    target = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="journeykit-")))
    try:
        system, path = fsspec.core.url_to_fs(address)
        if has_magic(path):
            found = sorted(system.glob(path))
        elif system.isdir(path):
            found = sorted(each for each in system.find(path) if not PurePosixPath(each).name.startswith((".", "_")))
        else:
            found = [path]
        copies = []
        for each in found:
            copy = target / PurePosixPath(each).relative_to(PurePosixPath(each).anchor)
            copy.parent.mkdir(parents=True, exist_ok=True)
            system.get_file(each, str(copy))
            copies.append(str(copy))
    except FileNotFoundError as error:
        raise LogError(f"there is no file {address!r}") from error
    except (OSError, ValueError, ImportError) as error:
        raise LogError(f"cannot read {address!r}: {error}") from error
    if not copies:
        raise LogError(f"no file matches {address!r}")
    return copies


def _partitions(path: str) -> dict[str, str | None]:
    """Columns that the folders of a path name, as in country=TR/year=2024/part.parquet."""
    found: dict[str, Any] = {}
    for part in Path(path).parent.parts:
        key, sign, value = part.partition("=")
        if sign and key:
            found[unquote(key)] = None if value == _NO_VALUE else unquote(value)
    return found
