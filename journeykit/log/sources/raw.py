"""A raw log on its way in: its columns, its rows batch by batch, and what happened to rows that are not in them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pandas as pd

from journeykit.log.pieces import Batch
from journeykit.log.quality import Finding


@dataclass
class Lost:
    """A row that the source could not even be cut into cells; in a text file, one physical line.

    Attributes
    ----------
    row : int
        Its position among all rows of the source, from 0.
    reason : str
        Which rule set it aside.
    text : str
        The line as it stands.
    """

    row: int
    reason: str
    text: str


@dataclass
class Raw:
    """What a source gives.

    Attributes
    ----------
    columns : list of str
        Its column names, in order.
    batches : iterator of DataFrame or Arrow record batch
        Its rows, to be taken once.
    untyped : bool
        Whether all cells are text because the source knows nothing else.
    findings : list of Finding
        What was found while reading; complete when the batches are taken.
    lost : list of Lost
        Rows that are not in the batches; complete when those are taken.
    closing : ExitStack
        What is to be tidied up when the source has been read.
    expected : int, optional
        About how many rows will come, if the source can tell beforehand.
    """

    columns: list[Any]
    batches: Iterator[Batch]
    untyped: bool = False
    findings: list[Finding] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    closing: ExitStack = field(default_factory=ExitStack)
    expected: int | None = None


class OneFile(Protocol):
    """A file that has been looked at, and is to be read."""

    @property
    def columns(self) -> list[Any]:
        """Its column names, in order."""

    @property
    def expected(self) -> int | None:
        """About how many rows it has; None if that takes reading it."""

    def batches(self, raw: Raw, rows_before: int) -> Iterator[Batch]:
        """Its rows; what is found and lost on the way goes to `raw`, rows numbered after those before."""


@dataclass(frozen=True)
class Reading:
    """How a source is to be read, where it does not say so itself.

    Attributes
    ----------
    encoding, delimiter, quote : str, optional
        Of text files.
    columns : tuple of str, optional
        Names of the columns of text files that have no header.
    sheet : str or int, optional
        Of a workbook.
    connection : object, optional
        Where a query or a table's name is answered.
    care : {0, 1, 2}
        How carefully CSV files are read: 0 if they hold no quotes, 1 with all
        that a CSV may have, 2 line by line, exact where a file is broken. A
        reader that can't account for every line says so, and the next is tried.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    columns: tuple[str, ...] | None = None
    sheet: str | int | None = None
    connection: Any = None
    care: int = 0


class LinesLostError(Exception):
    """Some lines of a file are not accounted for: it has to be read more carefully."""


def of_frame(frame: pd.DataFrame) -> Raw:
    """Take a DataFrame as a source; levels of its index that have a name are columns like others."""
    levels = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if levels:
        frame = frame.reset_index(level=levels, drop=False) if frame.index.nlevels > 1 else frame.reset_index()
    return Raw(list(frame.columns), iter([frame]))


Item = TypeVar("Item")


def ahead(items: Iterator[Item], depth: int = 3) -> Iterator[Item]:
    """Fetch the next items in a thread of its own while one is worked on."""
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    stop = threading.Event()

    def put(what: str, value: Any) -> None:
        while not stop.is_set():
            try:
                waiting.put((what, value), timeout=0.1)
            except queue.Full:
                continue
            return

    def fetch() -> None:
        try:
            for item in items:
                put("item", item)
                if stop.is_set():
                    return
            put("end", None)
        except BaseException as error:  # whatever it is, it belongs to who waits for the items
            put("error", error)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    try:
        while True:
            what, value = waiting.get()
            if what == "end":
                return
            if what == "error":
                raise value
            yield value
    finally:
        stop.set()
        thread.join()
