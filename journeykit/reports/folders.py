"""The folders of runs: unfinished ones apart, good ones put in place in one step, bad ones kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from journeykit.errors import ReportError

PARTIAL: Final = ".partial"
FAILED: Final = ".failed"
PREPARED: Final = "jk-log-"


@dataclass(frozen=True)
class RunFolder:
    """Where one run of a report works and ends up.

    Attributes
    ----------
    base : Path
        The report's folder, `reports/<report>`.
    run : str
        The run's id.
    """

    base: Path
    run: str

    @property
    def partial(self) -> Path:
        """Where it works."""
        return self.base / f"{self.run}{PARTIAL}"

    @property
    def final(self) -> Path:
        """Where a good run is found."""
        return self.base / self.run

    @property
    def failed(self) -> Path:
        """Where a failed run is kept."""
        return self.base / f"{self.run}{FAILED}"


def begin_run(base: Path) -> RunFolder:
    """Make the folder of a new run, under an id that no other has.

    Raises
    ------
    ReportError
        If the folder cannot be written.
    """
    now = dt.datetime.now(dt.UTC)
    folder = RunFolder(base, f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(2)}")
    try:
        folder.partial.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(base, error) from error
    return folder


def publish_run(folder: RunFolder) -> None:
    """Put a finished run in its place, in one step, and point `latest` at it."""
    os.replace(folder.partial, folder.final)
    point_latest(folder.base, folder.run)


def point_latest(base: Path, run: str) -> None:
    """Point `latest` at a run: a link, or a file with its name where links can't be made."""
    fresh = base / f".latest-{secrets.token_hex(4)}"
    try:
        fresh.symlink_to(run, target_is_directory=True)
    except OSError:
        fresh.write_text(run + "\n", encoding="utf-8")
    latest = base / "latest"
    if latest.is_dir() and not latest.is_symlink():
        fresh.unlink()
        raise ReportError(f"{latest} is a folder, not a link: move it away")
    os.replace(fresh, latest)


def latest_run(base: Path) -> str | None:
    """The run that `latest` points at, or None."""
    latest = base / "latest"
    if latest.is_symlink():
        return Path(os.readlink(latest)).name
    return latest.read_text(encoding="utf-8").strip() if latest.is_file() else None


def keep_failed(folder: RunFolder) -> Path:
    """Keep what a failed run left behind; return where."""
    os.replace(folder.partial, folder.failed)
    return folder.failed


def unfinished(base: Path) -> list[RunFolder]:
    """Runs that ended without a word: only their folder tells. Ask only while holding the report's lock."""
    if not base.is_dir():
        return []
    return [RunFolder(base, path.name.removesuffix(PARTIAL)) for path in sorted(base.glob(f"*{PARTIAL}"))]


def prune(base: Path, keep: int) -> list[str]:
    """Remove all but the newest `keep` good and `keep` failed runs; the latest good one always stays."""
    runs = sorted(
        (path for path in base.iterdir() if (path / "run.json").is_file() and not path.is_symlink()), reverse=True
    )
    good = [path for path in runs if not path.name.endswith((FAILED, PARTIAL))]
    bad = [path for path in runs if path.name.endswith(FAILED)]
    stays = latest_run(base)
    old = [path for path in [*good[keep:], *bad[keep:]] if path.name != stays]
    for path in old:
        shutil.rmtree(path)
    return [path.name for path in old]


@contextlib.contextmanager
def only_run(base: Path) -> Iterator[None]:
    """Hold a report's lock; refuse if another run holds it. A killed run holds nothing.

    Raises
    ------
    ReportError
        If the report is running already, or its folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            base.mkdir(parents=True, exist_ok=True)
            free = stack.enter_context(_locked(base / ".lock", wait=False))
        except OSError as error:
            raise cannot_write(base, error) from error
        if not free:
            who = (base / ".lock").read_text(encoding="utf-8").strip()
            raise ReportError(f"{base.name} is already running in {base.parent} ({who}): wait for it, or use --out")
        yield


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for the prepared log that only this user can read, gone when the block ends.

    One that a killed run left behind is removed by the next run: it holds customers.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{PREPARED}*-*"):
        owner = left.name.removeprefix(PREPARED).partition("-")[0]
        if owner.isdecimal() and not _is_running(int(owner)):
            shutil.rmtree(left, ignore_errors=True)  # another user's stays theirs
    with tempfile.TemporaryDirectory(prefix=f"{PREPARED}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _is_running(process: int) -> bool:
    if sys.platform == "win32":  # pragma: no cover  # there a signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def shared_files(out: Path) -> Iterator[None]:
    """Hold the lock of the index and the history, waiting for it: writing them takes a moment."""
    with _locked(out / ".lock", wait=True):
        yield


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[bool]:
    with path.open("a+", encoding="utf-8") as file:
        free = _lock(file, wait=wait)
        if free:
            file.truncate(0)
            file.write(f"process {os.getpid()} since {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC\n")
            file.flush()
        yield free  # closing the file releases the lock, and so does the end of the process


if sys.platform == "win32":  # pragma: no cover

    def _lock(file: Any, *, wait: bool) -> bool:
        import msvcrt

        file.seek(1 << 30)  # beyond the text, which another process may then read
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _lock(file: Any, *, wait: bool) -> bool:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON that reads well, is the same for the same content, and has no NaN."""
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def cannot_write(path: Path, error: OSError) -> ReportError:
    """Say that a folder cannot be written, and why."""
    return ReportError(f"cannot write to {path}: {error.strerror or error}")
