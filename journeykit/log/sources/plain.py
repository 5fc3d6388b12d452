"""The fast way through a CSV without quotes: every line end ends a row, so pieces are parsed side by side."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from journeykit.log.sources.raw import LinesLostError, Lost
from journeykit.log.sources.text import open_bytes
from journeykit.loops.engine import n_threads

_CHUNK = 1 << 23
_FEW = 0.1
"""Share of distinct texts, in the file's first piece, below which a column is kept as a dictionary."""


@dataclass(frozen=True)
class Rows:
    """Rows of a piece of the file.

    Attributes
    ----------
    batches : list of Arrow record batches
        Those that could be cut into cells.
    lost : list of Lost
        Those that could not, placed among the rows of this piece.
    """

    batches: list[Any]
    lost: list[Lost]

    @property
    def n_rows(self) -> int:
        """How many rows there are, lost ones too."""
        return sum(int(batch.num_rows) for batch in self.batches) + len(self.lost)


class NotUtf8Error(Exception):
    """A piece of the file is not UTF-8."""


def read_plainly(path: str, delimiter: str, columns: list[str], skip: int) -> Iterator[Rows]:
    """Parse a file piece by piece; all lines of a piece are accounted for, or LinesLostError is raised.

    Parameters
    ----------
    path : str
        A UTF-8 file; one that holds a quote anywhere is refused with
        LinesLostError.
    delimiter : str
        Between cells.
    columns : list of str
        Names of the columns.
    skip : int
        Lines to pass over: the header and what is before it.
    """
    few: set[str] = set()
    waiting: deque[Future[Rows]] = deque()
    packed = path.lower().endswith((".gz", ".zst"))
    with ThreadPoolExecutor(n_threads()) as pool:
        pieces = _unpacked(path, skip) if packed else _ranges(path, skip)
        first = next(pieces, None)
        if first is None:
            return
        rows = _parse(first, delimiter, columns, few)
        few |= _few_distinct(rows)
        yield rows
        for piece in pieces:
            waiting.append(pool.submit(_parse, piece, delimiter, columns, few))
            if len(waiting) > n_threads():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


Piece = Callable[[], bytes]


def _ranges(path: str, skip: int) -> Iterator[Piece]:
    """Cut a file into ranges of bytes; each thread reads its own, the lines that begin in it."""
    with Path(path).open("rb") as file:
        for _ in range(skip):
            file.readline()
        begin, size = file.tell(), os.fstat(file.fileno()).st_size
    for place in range(begin, size, _CHUNK):
        yield partial(_read_range, path, place, min(place + _CHUNK, size), inside=place > begin)


def _read_range(path: str, begin: int, end: int, inside: bool) -> bytes:
    """Read the lines that begin in `[begin, end)`; `inside`: the byte before decides whether one begins at `begin`."""
    with Path(path).open("rb") as raw:
        if inside:
            raw.seek(begin - 1)
            begin += len(_to_line_end(raw)) - 1
        if begin >= end:
            return b""
        raw.seek(begin)
        lines = raw.read(end - begin)
        return lines if lines.endswith(b"\n") else lines + _to_line_end(raw)


def _to_line_end(raw: IO[bytes]) -> bytes:
    """Read up to the next line end, or the end of the file."""
    read = b""
    while block := raw.read(1 << 12):
        place = block.find(b"\n")
        if place >= 0:
            return read + block[: place + 1]
        read += block
    return read


def _unpacked(path: str, skip: int) -> Iterator[Piece]:
    with open_bytes(path) as stream:
        for piece in _pieces(stream, skip):
            yield partial(bytes, piece)  # bytes of bytes are the same ones


def _pieces(stream: IO[bytes], skip: int) -> Iterator[bytes]:
    """Cut a file at line ends, without its first lines."""
    rest = b""
    while chunk := stream.read(_CHUNK):
        while skip and b"\n" in chunk:
            chunk, rest = chunk[chunk.index(b"\n") + 1 :], b""
            skip -= 1
        cut = 0 if skip else chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            continue
        yield b"".join([rest, memoryview(chunk)[:cut]])
        rest = chunk[cut:]
    if rest and not skip:
        yield rest


def _parse(read: Piece, delimiter: str, columns: list[str], few: set[str]) -> Rows:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    from journeykit.loops.bytes import scan_bytes

    piece = read()
    if not piece:  # a line longer than a piece
        return Rows([], [])
    feeds, quotes, seen = scan_bytes(np.frombuffer(piece, np.uint8), ord("\n"), ord('"'))
    if quotes:
        raise LinesLostError("there are quotes")
    if seen >= 128:  # not ASCII
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotUtf8Error from error
    broken: list[Any] = []

    def note(row: Any) -> str:
        broken.append(row)
        return "skip"

    names = [f"c{i}" for i in range(len(columns))]
    kinds = {
        name: pa.dictionary(pa.int32(), pa.string()) if real in few else pa.string()
        for name, real in zip(names, columns, strict=True)
    }
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(piece),
            pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(piece) + 1),
            pa_csv.ParseOptions(delimiter=delimiter, quote_char=False, invalid_row_handler=note),
            pa_csv.ConvertOptions(column_types=kinds, null_values=[""], strings_can_be_null=True, check_utf8=False),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):  # nothing but blank lines
            return Rows([], [])
        raise LinesLostError(str(error)) from error
    lines = feeds + (not piece.endswith(b"\n"))
    blank = lines - table.num_rows - len(broken)
    if blank and blank != _blank(piece):
        raise LinesLostError(f"{blank} lines are not accounted for")
    lost = [Lost(row.number - 1, "broken_line", row.text) for row in broken]
    return Rows(table.rename_columns(columns).to_batches(), lost)


def _blank(piece: bytes) -> int:
    ends = np.frombuffer(b"\n" + piece.replace(b"\r", b""), np.uint8) == ord("\n")
    return int((ends[1:] & ends[:-1]).sum())


def _few_distinct(rows: Rows) -> set[str]:
    import pyarrow.compute as pc

    return {
        name
        for batch in rows.batches[:1]
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if pc.count_distinct(column).as_py() < _FEW * len(column)
    }
