"""DuckDB as the reader of files: it never loads or downloads anything by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "1GB",
}
"""Nothing is downloaded; the memory is the file engine's budget, beyond what the log itself takes."""

BATCH_ROWS = 122_880


@contextmanager
def engine(path: str | None = None) -> Iterator[Any]:
    """Open DuckDB in memory, or one of its files to read from."""
    import duckdb

    connection = duckdb.connect(path, read_only=True, config=CONFIG) if path else duckdb.connect(config=CONFIG)
    try:
        yield connection
    finally:
        connection.close()


def stream(relation: Any) -> Iterator[Any]:
    """Arrow record batches of a DuckDB relation, without holding all of it."""
    reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    yield from reader(BATCH_ROWS)


def literal(text: str) -> str:
    """Write a text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """Write a name in SQL."""
    return '"' + text.replace('"', '""') + '"'


def file_literal(path: str | Path) -> str:
    """Write a file's name in SQL; DuckDB would take *, ? and [ in it for a pattern."""
    return literal("".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path)))
