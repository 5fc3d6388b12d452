"""JSON: one object a line, or one array of objects; a column for each key that any of them has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from journeykit.errors import LogError
from journeykit.log.pieces import Batch
from journeykit.log.quality import Finding
from journeykit.log.sources.engine import engine, file_literal, literal, name, stream
from journeykit.log.sources.raw import Lost, Raw, Reading, ahead
from journeykit.log.sources.text import Survey, open_bytes, plain_file, survey

# No line of JSON can hold this character: inside its texts, control characters are written \\u001f.
_NOWHERE = "\x1f"
_TYPES = {"BIGINT": "BIGINT", "UBIGINT": "BIGINT", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN"}
# What is no JSON must never reach json_type, which would stop at it.
_IS_OBJECT = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
_OBJECT = f"CASE WHEN {_IS_OBJECT} THEN line ELSE '{{}}' END"


class JsonFile:
    """A file of JSON lines whose keys are known.

    A key whose values are all whole numbers, all numbers, or all true and false
    makes a column of that type; texts stay texts, objects and lists stay JSON.
    """

    def __init__(self, path: str, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.survey = survey(path)
        with self._plain() as (plain, _, _encoding):
            found = self._ask(
                f"SELECT json_structure({_OBJECT}) AS s FROM {_lines(plain)} GROUP BY s ORDER BY count(*) DESC, s"
            )
        kinds: dict[str, set[str]] = {}
        for (structure,) in found:
            form = json.loads(structure)
            for key, kind in form.items() if isinstance(form, dict) else ():  # an empty object has no form
                kinds.setdefault(key, set()).add(kind if isinstance(kind, str) else "JSON")
        self._types = {key: _common(some - {"NULL"}) for key, some in kinds.items()}

    @property
    def expected(self) -> int:
        """Lines that it has."""
        return self.survey.lines

    def _plain(self) -> AbstractContextManager[tuple[str, Survey, str]]:
        return plain_file(self.path, self.reading.encoding, self.survey)

    def _ask(self, query: str) -> list[Any]:
        import duckdb

        try:
            with engine() as connection:
                return list(connection.execute(query).fetchall())
        except duckdb.Error as error:
            raise LogError(f"cannot read {self.path!r} as JSON lines: {error}") from error

    @property
    def columns(self) -> list[str]:
        """The keys, those of the most frequent form of line first."""
        return list(self._types)

    def batches(self, raw: Raw, rows_before: int) -> Iterator[Batch]:
        """Read it; lines that are no JSON object go to `raw`."""
        import pyarrow.compute as pc

        if not self._types:
            return
        row = 0
        with self._plain() as (plain, seen, _), engine() as connection:
            for batch in ahead(stream(connection.sql(self._query(plain)))):
                lines = batch.column(batch.num_columns - 1)
                batch = batch.select(list(range(batch.num_columns - 1))).rename_columns(self.columns)
                if lines.null_count < len(lines):
                    bad = pc.indices_nonzero(lines.is_valid()).to_pylist()
                    raw.lost += [Lost(rows_before + row + i, "invalid_json", lines[i].as_py()) for i in bad]
                    batch = batch.filter(lines.is_null())
                row += len(lines)
                yield batch
            rejected = connection.execute("SELECT count(*) FROM reject_errors").fetchone()
        if seen.lines < row or (rejected and rejected[0]):
            raise LogError(f"{self.path!r} has lines that cannot be read: longer than 16 MB, or not UTF-8")
        raw.findings.append(Finding("read_as", row, "read so", f"JSON lines, {len(self._types)} keys"))

    def _query(self, plain: str) -> str:
        # In a struct, names that differ by case alone are one, and none is empty: such keys are looked up one by one.
        folded = Counter(map(str.casefold, self._types))
        apart = {key for key in self._types if not key or folded[key.casefold()] > 1}
        types = {key: kind for key, kind in self._types.items() if key not in apart}
        cells = [f"c{i}" if key in apart else f"cells.{name(key)} AS c{i}" for i, key in enumerate(self._types)]
        inner = [f"{_cell(key, kind)} AS c{i}" for i, (key, kind) in enumerate(self._types.items()) if key in apart]
        if types:
            inner.append(f"json_transform({_OBJECT}, {literal(json.dumps(types, ensure_ascii=False))}) AS cells")
        inner.append(f"CASE WHEN {_IS_OBJECT} THEN NULL ELSE line END AS broken")
        return f"SELECT {', '.join(cells)}, broken FROM (SELECT {', '.join(inner)} FROM {_lines(plain)})"


class JsonArray(JsonFile):
    """A file that holds one array: its elements are written as lines, and read as such.

    It is parsed in memory; a large log is better written as lines.
    """

    def __init__(self, path: str, reading: Reading) -> None:
        with open_bytes(path) as file:
            content = file.read()
        try:
            elements = json.loads(content.decode(reading.encoding or json.detect_encoding(content)))
        except (ValueError, LookupError) as error:
            raise LogError(f"cannot read {path!r} as JSON: {error}") from error
        self._folder = TemporaryDirectory()  # goes when this does
        lines = Path(self._folder.name) / "lines.jsonl"
        # Half of a surrogate pair stays the escape that it was.
        with lines.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(json.dumps(element, ensure_ascii=False) + "\n" for element in elements)
        super().__init__(str(lines), Reading())


def json_file(path: str, reading: Reading) -> JsonFile:
    """Look at a JSON file: one that begins with a bracket holds an array, any other lines."""
    with open_bytes(path) as file:
        begin = file.read(1 << 10)
    text = begin.decode(json.detect_encoding(begin), "replace").lstrip()
    return JsonArray(path, reading) if text.startswith("[") else JsonFile(path, reading)


def _lines(plain: str) -> str:
    return (
        f"(SELECT line FROM read_csv({file_literal(plain)}, auto_detect=false, header=false, "
        f"delim={literal(_NOWHERE)}, "
        "quote='', escape='', comment='', columns={'line': 'VARCHAR'}, max_line_size=16777216, store_rejects=true) "
        "WHERE trim(line) <> '')"
    )


def _common(kinds: set[str]) -> str:
    types = {_TYPES.get(kind, "VARCHAR") for kind in kinds}
    if types == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return types.pop() if len(types) == 1 else "VARCHAR"


def _cell(key: str, kind: str) -> str:
    # A JSON pointer, since a path would take dots and quotes in the key for its own.
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    text = f"json_extract_string({_OBJECT}, {literal(pointer)})"
    return text if kind == "VARCHAR" else f"TRY_CAST({text} AS {kind})"
