"""Text files before they are parsed: their lines counted, their encoding found or refused, made plain UTF-8."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from journeykit.errors import LogError, ParameterError

_CHUNK = 1 << 22
_FIRST = 1 << 16
"""Bytes that are cut into lines at first: most who ask want the header only."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SUGGESTED = ("cp1254", "cp1255", "cp1252")
"""Encodings of Turkish, Hebrew and Western files made on Windows."""


@dataclass(frozen=True)
class Survey:
    """What a text file looks like before anything is parsed.

    Attributes
    ----------
    lines : int
        Physical lines; a last one without a line end counts.
    quotes : bool
        Whether a double quote occurs anywhere.
    feeds, returns, pairs : int
        Line feeds, carriage returns, and those of them directly before a line feed.
    bom : str or None
        Encoding that its first bytes name.
    bad_bytes : bool
        Whether it is not UTF-8.
    """

    lines: int
    quotes: bool
    feeds: int
    returns: int
    pairs: int
    bom: str | None
    bad_bytes: bool

    @property
    def line_end(self) -> str:
        """How lines end, written as in Python, or "mixed"."""
        if not self.pairs:
            return "\\n" if self.feeds or not self.returns else "\\r"
        return "\\r\\n" if self.pairs == self.feeds else "mixed"


@contextmanager
def open_bytes(path: str | Path) -> Iterator[Any]:
    """Open a file for reading, unpacked if its name ends in .gz or .zst."""
    import pyarrow as pa

    name = str(path)
    kind = {".gz": "gzip", ".zst": "zstd"}.get(Path(name.lower()).suffix)
    try:
        with pa.input_stream(name, compression=kind) as stream:
            yield stream
    except OSError as error:
        raise LogError(f"cannot read {name!r}: {error}") from error


def survey(path: str | Path, most: int | None = None) -> Survey:
    """Go through a file once, without parsing it; or through its beginning, `most` bytes at most."""
    feeds = returns = pairs = 0
    quotes = bad = False
    last, bom = b"\n", None
    decode = codecs.getincrementaldecoder("utf-8")()
    plain = True  # nothing but ASCII so far in this character
    with open_bytes(path) as stream:
        first = True
        while chunk := stream.read(most or _CHUNK):
            if first:
                bom = next((name for mark, name in _BOMS if chunk.startswith(mark)), None)
                first = False
            feeds += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == ord("\n")))
            some = chunk.count(b"\r")
            if some or last == b"\r":
                returns += some
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            quotes = quotes or b'"' in chunk
            if not bad and not (plain and chunk.isascii()):
                try:
                    decode.decode(chunk)
                    plain = decode.getstate()[0] == b""
                except UnicodeDecodeError:
                    bad = True
            last = chunk[-1:]
            if most:
                break
    ends = feeds or returns
    if not plain and not bad and not most:
        bad = True  # the file ends inside a character
    unfinished = last not in (b"\n", b"\r")
    return Survey(ends + unfinished, quotes, feeds, returns, pairs, bom, bad)


def blank_lines(path: str | Path) -> int:
    """Count lines with nothing in them."""
    blank, tail = 0, b"\n"
    with open_bytes(path) as stream:
        while chunk := stream.read(_CHUNK):
            data = np.frombuffer(tail + chunk.replace(b"\r", b""), np.uint8) == ord("\n")
            blank += int((data[1:] & data[:-1]).sum())
            tail = (tail + chunk.replace(b"\r", b""))[-1:]
    return blank


def check_encoding(encoding: str) -> str:
    """Return the encoding's usual name, or say that there is none such."""
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise ParameterError(
            f'there is no encoding {encoding!r}; usual ones are "utf-8", "cp1254", "cp1252"'
        ) from error


def refuse_bytes(path: str | Path) -> LogError:
    """Say where a file is not UTF-8, and what that line reads in the encodings it may have."""
    with open_bytes(path) as stream:
        for number, line in enumerate(_lines(stream), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                begin = max(0, error.start - 20)
                shown = {}
                for name in SUGGESTED:
                    shown[name] = line[begin : error.end + 20].decode(name, "replace").strip()
                said = "; ".join(f'encoding="{name}" reads it as {text!r}' for name, text in shown.items())
                return LogError(
                    f"{str(path)!r} is not UTF-8: line {number} has the byte 0x{line[error.start]:02x}. "
                    f'Say which encoding it has: {said}; encoding="utf-8" sets such lines aside'
                )
    return LogError(f"{str(path)!r} is not UTF-8: say encoding=…")


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Physical lines, with their ends."""
    rest, size = b"", _FIRST
    while chunk := stream.read(size):
        size = _CHUNK
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def decoded_lines(path: str | Path) -> Iterator[tuple[str, bool]]:
    """Physical lines of a UTF-8 file, each with whether it could be decoded; what could not is shown in hexadecimal."""
    with open_bytes(path) as stream:
        for number, line in enumerate(_lines(stream)):
            if number == 0:
                line = line.removeprefix(codecs.BOM_UTF8)
            try:
                yield line.decode("utf-8"), True
            except UnicodeDecodeError:
                yield line.decode("utf-8", "backslashreplace"), False


@contextmanager
def plain_file(path: str, encoding: str | None, seen: Survey) -> Iterator[tuple[str, Survey, str]]:
    """Give the file itself if it is UTF-8 with one kind of line end, else a copy that is; and its encoding.

    Yields
    ------
    path : str
        What to parse.
    survey : Survey
        Of that.
    encoding : str
        Of the original.
    """
    stated = check_encoding(encoding) if encoding is not None else None
    actual = seen.bom if seen.bom is not None and stated in (None, "utf-8", "utf-8-sig") else stated or "utf-8"
    utf8 = actual in ("utf-8", "utf-8-sig")
    if utf8 and seen.bad_bytes and stated is None:
        raise refuse_bytes(path)
    if utf8 and seen.line_end not in ("mixed", "\\r"):
        yield path, seen, actual
        return
    with tempfile.TemporaryDirectory(prefix="journeykit-") as folder:
        copy = Path(folder) / "plain.csv"
        with open_bytes(path) as stream, copy.open("wb") as out:
            decoder = codecs.getincrementaldecoder(actual)("strict" if not utf8 else "surrogateescape")
            last = ""
            try:
                for chunk in _chunks(stream):
                    text = last + decoder.decode(chunk or b"", final=chunk is None)
                    last = "\r" if text.endswith("\r") and chunk is not None else ""
                    text = text.removesuffix(last) if last else text
                    text = text.replace("\r\n", "\n")
                    text = text.replace("\r", "\n") if seen.line_end == "\\r" and utf8 else text
                    out.write(text.encode("utf-8", "surrogateescape" if utf8 else "strict"))
            except UnicodeError as error:
                raise LogError(f"{path!r} is not {actual}: {error}") from error
        yield str(copy), survey(copy), actual


def _chunks(stream: IO[bytes]) -> Iterator[bytes | None]:
    while chunk := stream.read(_CHUNK):
        yield chunk
    yield None
