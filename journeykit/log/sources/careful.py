"""Read a CSV line by line with Python's csv module: for files that are broken, where every line must be told."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from journeykit.log.sources.raw import Lost

_ROWS = 50_000


@dataclass
class Lines:
    """Some rows, by column, and the lines between them that are none.

    Attributes
    ----------
    columns : list of list
        Cells by column; an empty cell is None.
    lost : list of Lost
        Physical lines of broken records.
    lines_inside : int
        Line ends inside the cells.
    """

    columns: list[list[str | None]]
    lost: list[Lost] = field(default_factory=list)
    lines_inside: int = 0


class _Feed:
    """Hands out lines and remembers those that the current record took."""

    def __init__(self, lines: Iterable[tuple[str, bool]]) -> None:
        self._lines = iter(lines)
        self.taken: list[str] = []
        self.decoded = True

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line, decoded = next(self._lines)
        self.taken.append(line)
        self.decoded &= decoded
        return line


def read_carefully(
    lines: Iterable[tuple[str, bool]], dialect: dict[str, Any], width: int, skip: int
) -> Iterator[Lines]:
    """Parse lines; a record that is broken is lost with all the physical lines that it took.

    Parameters
    ----------
    lines : iterable of (str, bool)
        Physical lines, and whether each could be decoded.
    dialect : dict
        Arguments of `csv.reader`.
    width : int
        Cells of a row.
    skip : int
        Lines to pass over: the header and what is before it.
    """
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield from _read(_Feed(lines), dialect, width, skip)
    finally:
        csv.field_size_limit(limit)


def _read(feed: _Feed, dialect: dict[str, Any], width: int, skip: int) -> Iterator[Lines]:
    for _ in range(skip):
        next(feed, None)
    row = 0
    rows: list[list[str]] = []
    some = Lines([])
    reader = csv.reader(feed, **dialect)
    while True:
        feed.taken, feed.decoded = [], True
        try:
            cells = next(reader, None)
            broken = ""
        except csv.Error:
            cells, broken = [], "broken_line"
            reader = csv.reader(feed, **dialect)
        if cells is None and not feed.taken:
            break
        if not broken and cells is not None and len(cells) not in (0, width):
            broken = "broken_line"
        if broken and len(feed.taken) > 1:
            broken = "unclosed_quote"
        if not feed.decoded:
            broken = "undecodable_line"
        if broken:
            some.lost += [Lost(row + i, broken, line.rstrip("\r\n")) for i, line in enumerate(feed.taken)]
            row += len(feed.taken)
        elif cells:
            rows.append(cells)
            some.lines_inside += len(feed.taken) - 1
            row += 1
        if len(rows) == _ROWS:
            yield _by_column(rows, width, some)
            rows, some = [], Lines([])
    yield _by_column(rows, width, some)


def _by_column(rows: list[list[str]], width: int, some: Lines) -> Lines:
    some.columns = [[cell or None for cell in column] for column in zip(*rows, strict=True)] if rows else [[]] * width
    return some
