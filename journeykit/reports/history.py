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
    line = _line(record)
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


def failed_lines(out: Path, failed: Mapping[str, str | None]) -> bytes:
    """Return the history's lines, those of some runs (id → reason) turned into failures."""
    records = [
        {**record, "outcome": "failed", "reason": failed[record["run"]]} if record["run"] in failed else record
        for record in read_history(out)
    ]
    return b"".join(_line(record) for record in records)


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def merge_history(out: Path, ours: bytes) -> None:
    """Add those of our lines that the history in `out` has not; another run may have written meanwhile."""
    path = out / FILE
    there = path.read_bytes() if path.is_file() else b""
    known = set(there.splitlines())
    fresh = [line for line in ours.splitlines() if line.strip() and line not in known]
    text = b"\n".join([*there.splitlines(), *fresh])
    path.write_bytes(text + b"\n" if text else b"")


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
