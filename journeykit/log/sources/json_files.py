"""JSON lines: one object a line; a column for each key that any of them has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from journeykit.errors import LogError
from journeykit.log.pieces import Batch
from journeykit.log.quality import Finding
from journeykit.log.sources.engine import engine, file_literal, literal, name, stream
from journeykit.log.sources.raw import Lost, Raw, Reading, ahead
from journeykit.log.sources.text import Survey, plain_file, survey

# No line of JSON can hold this character: inside its texts, control characters are written \u001f.
_NOWHERE = "\x1f"
_TYPES = {"BIGINT": "BIGINT", "UBIGINT": "BIGINT", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN"}


class JsonFile:
    """A file of JSON lines whose keys are known.

    A key whose values are all whole numbers, all numbers, or all true and false
    makes a column of that type; texts stay texts, objects and lists stay JSON.
    """

    def __init__(self, path: str, reading: Reading) -> None:
        import duckdb

        self.path = path
        self.reading = reading
        self.survey = survey(path)
        self._types: dict[str, str] = {}
        try:
            with self._plain() as (plain, _, _encoding), engine() as connection:
                found = connection.execute(
                    f"SELECT each.key, each.type FROM {_lines(plain)}, json_each({_OBJECT}) AS each "
                    "GROUP BY ALL ORDER BY min(each.id), each.key"
                ).fetchall()
        except duckdb.Error as error:
            raise LogError(f"cannot read {path!r} as JSON lines: {error}") from error
        kinds: dict[str, set[str]] = {}
        for key, kind in found:
            kinds.setdefault(key, set()).add(kind)
        self._types = {key: _common(some - {"NULL"}) for key, some in kinds.items()}

    def _plain(self) -> AbstractContextManager[tuple[str, Survey, str]]:
        return plain_file(self.path, self.reading.encoding, self.survey)

    @property
    def columns(self) -> list[str]:
        """The keys, in the order in which they come."""
        return list(self._types)

    def batches(self, raw: Raw, rows_before: int) -> Iterator[Batch]:
        """Read it; lines that are no JSON object go to `raw`."""
        import pyarrow.compute as pc

        cells = [_cell(key, kind) for key, kind in self._types.items()]
        broken = f"CASE WHEN {_IS_OBJECT} THEN NULL ELSE line END AS {name(_NOWHERE)}"
        row = parsed = 0
        with self._plain() as (plain, seen, _), engine() as connection:
            for batch in ahead(stream(connection.sql(f"SELECT {', '.join([*cells, broken])} FROM {_lines(plain)}"))):
                last = batch.num_columns - 1
                lines = batch.column(last)
                batch = batch.select(list(range(last)))
                if lines.null_count < len(lines):
                    bad = pc.indices_nonzero(lines.is_valid()).to_pylist()
                    raw.lost += [Lost(rows_before + row + i, "invalid_json", lines[i].as_py()) for i in bad]
                    batch = batch.filter(lines.is_null())
                row += len(lines)
                parsed += batch.num_rows
                yield batch
            rejected = connection.execute("SELECT count(*) FROM reject_errors").fetchone()
        blank = seen.lines - row
        if blank < 0 or (rejected and rejected[0]):
            raise LogError(f"{self.path!r} has lines that cannot be read, longer than 16 MB or not UTF-8")
        raw.findings.append(Finding("read_as", row, "read so", f"JSON lines, {len(self._types)} keys"))


# What is no JSON must never reach json_type, which would stop at it.
_IS_OBJECT = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
_OBJECT = f"CASE WHEN {_IS_OBJECT} THEN line ELSE '{{}}' END"


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
    return f"{text if kind == 'VARCHAR' else f'TRY_CAST({text} AS {kind})'} AS {name(key)}"
