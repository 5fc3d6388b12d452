"""history.jsonl: a line per run, good or failed, for the index and for whoever wants to know."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FILE: Final = "history.jsonl"


def append_history(out: Path, record: Mapping[str, Any]) -> None:
    """Add a run's line in one write; ask only while holding the lock of `out`.

    A line that a full disk cut short is closed first, so that it spoils only
    itself.
    """
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    path = out / FILE
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)


def read_history(out: Path) -> list[dict[str, Any]]:
    """Read every run's line, oldest first; a line that cannot be read is passed over."""
    path = out / FILE
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and "run" in record:
            records.append(record)
    return records
