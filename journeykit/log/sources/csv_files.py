"""CSV files: the dialect found once by DuckDB and then fixed, every cell text, every line accounted for."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from journeykit.errors import LogError
from journeykit.log.pieces import Batch
from journeykit.log.quality import Finding
from journeykit.log.sources.careful import read_carefully
from journeykit.log.sources.engine import engine, file_literal, literal, stream
from journeykit.log.sources.plain import NotUtf8Error, read_plainly
from journeykit.log.sources.raw import LinesLostError, Lost, Raw, Reading, ahead
from journeykit.log.sources.text import Survey, blank_lines, decoded_lines, plain_file, refuse_bytes, survey

_GLANCE = 1 << 20
_SNIFFED = 1 << 22
"""Bytes that DuckDB reads at once when it looks at a file's beginning: above the longest line that it takes, 2 MB."""
_SEPARATOR = re.compile(r"sep=(?P<delimiter>[^\w\s\"]|\t)\r?\n?", re.IGNORECASE)
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written.

    Attributes
    ----------
    delimiter, quote, escape : str
        Between cells; around a cell (empty: never); before a quote inside one.
    skip : int
        Lines before the header.
    """

    delimiter: str
    quote: str
    escape: str
    skip: int = 0

    def __str__(self) -> str:
        """Say it as a finding shows it."""
        said = f"delimiter {self.delimiter!r}, quote {self.quote!r}, escape {self.escape!r}"
        return said + (f", {self.skip} lines before the header" if self.skip else "")

    @property
    def python(self) -> dict[str, Any]:
        """The same for Python's csv module."""
        doubled = self.escape == self.quote
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote or None,
            "quoting": csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            "doublequote": doubled,
            "escapechar": None if doubled or not self.escape else self.escape,
            "strict": True,
        }


class CsvFile:
    """A CSV whose dialect, encoding and header are known.

    Parameters
    ----------
    path : str
        The file; .gz and .zst are unpacked.
    reading : Reading
        What is stated of encoding, delimiter and quote.
    """

    def __init__(self, path: str, reading: Reading) -> None:
        self.path = path
        self.reading = reading
        self.survey = survey(path, _GLANCE)
        self.care = max(reading.care, int(self.survey.quotes or reading.quote is not None))
        if self.care:
            self.survey = survey(path)
        with self._plain() as (plain, seen, encoding):
            self.dialect = _sniff(plain, reading, path) if seen.lines else Dialect(",", '"', '"')
            self.columns = _column_names(plain, self.dialect, reading.columns, path)
            self.encoding = encoding
        self.first_line = self.dialect.skip + (reading.columns is None)  # the first with a row, from 0

    @property
    def expected(self) -> int | None:
        """About how many rows it has, by the lines in its beginning; None if it is packed."""
        if self.care:
            return self.survey.lines
        if self.path.lower().endswith((".gz", ".zst")):
            return None
        return max(self.survey.lines, self.survey.lines * Path(self.path).stat().st_size // _GLANCE)

    def _plain(self) -> AbstractContextManager[tuple[str, Survey, str]]:
        return plain_file(self.path, self.reading.encoding, self.survey)

    def batches(self, raw: Raw, rows_before: int) -> Iterator[Batch]:
        """Parse it; what is found and lost on the way goes to `raw`."""
        if not self.columns:
            return
        parsed, lost_before = 0, len(raw.lost)
        with self._plain() as (plain, seen, _):
            for batch in _PARSERS[self.care](self, plain, seen, raw, rows_before):
                parsed += batch.num_rows
                yield batch
        how = f"{self.dialect}, encoding {self.encoding}, line end {self.survey.line_end}"
        raw.findings.append(Finding("read_as", parsed + len(raw.lost) - lost_before, "read so", how))


def _sniff(plain: str, reading: Reading, path: str) -> Dialect:
    """Find how a file is written, from its beginning; what is stated is taken as it is."""
    import duckdb

    if (told := _told(plain, reading)) is not None:
        return told
    stated = {"delim": reading.delimiter, "quote": reading.quote}
    said = "".join(f", {name}={literal(value)}" for name, value in stated.items() if value is not None)
    header = "" if reading.columns is None else ", header=false"
    with engine() as connection:
        try:
            found = connection.execute(
                "SELECT Delimiter, Quote, Escape, SkipRows FROM sniff_csv("
                f"{file_literal(plain)}, all_varchar=true, ignore_errors=true, comment='', "
                f"buffer_size={_SNIFFED}{said}{header})"
            ).fetchone()
        except duckdb.Error as error:
            if "sniff" not in str(error).lower():
                raise LogError(f"cannot read {path!r} as CSV: {error}") from error
            found = None
    delimiter, quote, escape, skip = found if found is not None else (None, None, None, 0)
    quote = reading.quote if reading.quote is not None else _character(quote) or '"'
    escape = _character(escape) or quote
    delimiter = reading.delimiter or _character(delimiter)
    if not reading.delimiter:
        delimiter = _check_delimiter(plain, delimiter, quote, int(skip))
    return Dialect(delimiter, quote, escape if quote else "", int(skip))


def _told(plain: str, reading: Reading) -> Dialect | None:
    """Return what a first line such as `sep=;` says, by which spreadsheets know the delimiter; None without one."""
    told = _SEPARATOR.fullmatch(next(decoded_lines(plain))[0])
    if told is None or reading.delimiter not in (None, told["delimiter"]):
        return None
    quote = '"' if reading.quote is None else reading.quote
    return Dialect(told["delimiter"], quote, quote, skip=1)


def _character(found: str | None) -> str:
    return "" if found is None or found == "(empty)" else found


def _check_delimiter(plain: str, found: str, quote: str, skip: int) -> str:
    """Return the delimiter; where the one found leaves the header in one piece, the one that cuts it most."""

    def cells(delimiter: str) -> int:
        return len(_header(plain, Dialect(delimiter, quote, quote, skip), plain))

    if found and cells(found) > 1:
        return found
    return max(DELIMITERS, key=cells)


def _column_names(plain: str, dialect: Dialect, given: tuple[str, ...] | None, path: str) -> list[str]:
    """Return the names in the file's header, or those that were given for a file without one."""
    if given is None:
        return _header(plain, dialect, path)
    first = _first_cells(plain, dialect, path)
    if first and len(first) != len(given):
        raise LogError(f"columns names {len(given)} columns, but the first line of {path!r} has {len(first)}: {first}")
    return list(given)


def _first_cells(plain: str, dialect: Dialect, path: str) -> list[str]:
    lines = (line for line, _ in decoded_lines(plain))
    rows = csv.reader(islice(lines, dialect.skip, None), **dialect.python)
    try:
        return next((row for row in rows if row), [])
    except csv.Error as error:
        raise LogError(f"the header of {path!r} cannot be read: {error}") from error


def _header(plain: str, dialect: Dialect, path: str) -> list[str]:
    names = _first_cells(plain, dialect, path)
    header = [name.strip() or f"column{i}" for i, name in enumerate(names)]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise LogError(f"column names must differ, but {twice} occur twice in {path!r}")
    return header


# -- without quotes ------------------------------------------------------------------------------


def _plainly(file: CsvFile, plain: str, seen: Survey, raw: Raw, rows_before: int) -> Iterator[Any]:
    """Parse in pieces with Arrow, which is as fast as this machine has processors."""
    dialect = file.dialect
    try:
        for rows in read_plainly(plain, dialect.delimiter, file.columns, file.first_line):
            raw.lost += [Lost(rows_before + each.row, each.reason, each.text) for each in rows.lost]
            rows_before += rows.n_rows
            yield from rows.batches
    except NotUtf8Error as error:
        if file.reading.encoding is None:
            raise refuse_bytes(plain) from error
        raise LinesLostError("not UTF-8") from error


# -- with quotes ---------------------------------------------------------------------------------


def _with_quotes(file: CsvFile, plain: str, seen: Survey, raw: Raw, rows_before: int) -> Iterator[Any]:
    """Parse with DuckDB; raise LinesLostError unless every line of the file is accounted for."""
    import duckdb

    dialect, header = file.dialect, "true" if file.reading.columns is None else "false"
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(file.columns)))
    query = (
        f"SELECT * FROM read_csv({file_literal(plain)}, auto_detect=false, header={header}, skip={dialect.skip}, "
        f"delim={literal(dialect.delimiter)}, quote={literal(dialect.quote)}, escape={literal(dialect.escape)}, "
        f"comment='', columns={{{columns}}}, store_rejects=true)"
    )
    parsed = inside = 0
    with engine() as connection:
        try:
            for batch in ahead(stream(connection.sql(query))):
                batch = batch.rename_columns(file.columns)
                parsed += batch.num_rows
                if seen.quotes:  # only a quoted cell can hold a line end
                    inside += _line_ends(batch)
                yield batch
            rejects = connection.execute(
                "SELECT line, error_type, csv_line FROM reject_errors ORDER BY line_byte_position"
            ).fetchall()
        except duckdb.Error as error:
            raise LinesLostError(str(error)) from error
    lines = {line: (kind, text) for line, kind, text in reversed(rejects)}  # the first error of a line
    swallowed = sum(text.rstrip("\n").count("\n") for _, text in lines.values())
    missing = seen.lines - (file.first_line + parsed + inside + len(lines) + swallowed)
    # Rejected lines are placed by their line number, which blank lines and cells of several lines would shift.
    if missing and (lines or missing != blank_lines(plain)):
        raise LinesLostError(f"{missing} lines are not accounted for")
    if lines and (inside or swallowed):
        raise LinesLostError("rows of several lines among broken ones")
    if any(kind == "INVALID ENCODING" for kind, _ in lines.values()):
        raise LinesLostError("not UTF-8: only a careful reader shows the bytes")
    for line, (_, text) in sorted(lines.items()):
        raw.lost.append(Lost(rows_before + line - 1 - file.first_line, "broken_line", text.rstrip("\r\n")))
    if inside:
        raw.findings.append(Finding("cells_of_several_lines", inside, "kept", f"{inside} more lines inside quotes"))


def _line_ends(batch: Any) -> int:
    import pyarrow.compute as pc

    total = 0
    for column in batch.columns:
        with_ends = column.filter(pc.match_substring(column, "\n"))
        total += pc.sum(pc.count_substring(with_ends, "\n")).as_py() or 0
    return total


# -- line by line --------------------------------------------------------------------------------


def _carefully(file: CsvFile, plain: str, seen: Survey, raw: Raw, rows_before: int) -> Iterator[Any]:
    """Parse line by line: a broken record takes its physical lines with it, and nothing else."""
    import pyarrow as pa

    several = 0
    for batch in read_carefully(decoded_lines(plain), file.dialect.python, len(file.columns), file.first_line):
        raw.lost += [Lost(rows_before + each.row, each.reason, each.text) for each in batch.lost]
        several += batch.lines_inside
        columns = [pa.array(column, pa.string()) for column in batch.columns]
        yield pa.record_batch(columns, names=file.columns)
    if several:
        raw.findings.append(Finding("cells_of_several_lines", several, "kept", f"{several} more lines inside quotes"))


_PARSERS = (_plainly, _with_quotes, _carefully)
