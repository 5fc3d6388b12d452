"""Reports on another file system: made here, and uploaded once when everything is done."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from journeykit.errors import ParameterError, ReportError
from journeykit.reports.folders import FAILED
from journeykit.reports.history import FILE as HISTORY
from journeykit.reports.history import failed_lines, merge_history
from journeykit.reports.index import write_index
from journeykit.reports.request import RunResult

LAST: Final = ("run.json",)
"""Uploaded after the other files of a run: a folder without it is not a run."""


class Place(Protocol):
    """Where reports are made."""

    @property
    def folder(self) -> Path:
        """Where the runs put themselves."""

    def publish(self, results: list[RunResult], keep: int | None) -> None:
        """Bring what was made to where it belongs; a result that could not be brought there turns into a failure."""


@dataclass(frozen=True)
class Here:
    """A folder of this machine: each run has put itself in its place."""

    folder: Path

    def publish(self, results: list[RunResult], keep: int | None) -> None:
        """Nothing is left to do."""


@dataclass
class Elsewhere:
    """An address that fsspec knows; `folder` is its stand-in here.

    An object store can't move a folder in one step. So the files of a run go
    first, each under its final name, and what leads to them - `latest`, the
    history, the index - goes last: until then nobody is sent there. If
    anything fails, what this upload put there is removed again.
    """

    address: str
    system: Any
    root: str
    folder: Path
    kept: bool = field(default=False, init=False)

    def fetch(self, reports: Sequence[str]) -> None:
        """Bring what the new runs have to know: the history, and the last good numbers of each report."""
        self._get(HISTORY)
        for report in reports:
            if self._get(f"{report}/latest"):
                run = (self.folder / report / "latest").read_text(encoding="utf-8").strip()
                self._get(f"{report}/{run}/metrics.json")

    def publish(self, results: list[RunResult], keep: int | None) -> None:
        """Upload the runs, then what leads to them."""
        for number, result in enumerate(results):
            if not result.run:
                continue
            try:
                self._upload_run(result)
            except Exception as error:  # whatever a store raises: the report is not where it was asked for
                results[number] = self._failed(result, error)
        try:
            for result in results:
                if keep is not None:
                    self._prune(result.report, keep)
            self._lead_there({result.run: result.reason for result in results if not result.ok})
        except Exception as error:
            for number, result in enumerate(results):
                if result.ok:
                    results[number] = self._failed(result, error)

    def _upload_run(self, result: RunResult) -> None:
        there = f"{self.root}/{result.report}/{result.folder.name}"
        files = sorted(result.folder.iterdir(), key=lambda path: (path.name in LAST, path.name))
        try:
            for path in files:
                self._put(path, f"{there}/{path.name}")
            if result.ok:
                self._put(result.folder.parent / "latest", f"{self.root}/{result.report}/latest")
        except BaseException:
            with contextlib.suppress(Exception):
                self.system.rm(there, recursive=True)
            raise

    def _lead_there(self, failed: Mapping[str, str | None]) -> None:
        """Add the new lines to the history as it is there now, and write the index of what is there."""
        ours = failed_lines(self.folder, failed)
        self._get(HISTORY)
        merge_history(self.folder, ours)
        write_index(self.folder, exists=lambda path: bool(self.system.exists(f"{self.root}/{path}")))
        self._put(self.folder / HISTORY, f"{self.root}/{HISTORY}")
        self._put(self.folder / "index.html", f"{self.root}/index.html")

    def _prune(self, report: str, keep: int) -> None:
        """Remove all but the newest runs there; the latest good one always stays."""
        base = f"{self.root}/{report}"
        names = sorted(
            (str(path).rstrip("/").rpartition("/")[2] for path in self.system.ls(base, detail=False)), reverse=True
        )
        runs = [name for name in names if self.system.exists(f"{base}/{name}/run.json")]
        stays = (
            (self.folder / report / "latest").read_text(encoding="utf-8").strip()
            if (self.folder / report / "latest").is_file()
            else ""
        )
        good = [name for name in runs if not name.endswith(FAILED)]
        bad = [name for name in runs if name.endswith(FAILED)]
        for name in [*good[keep:], *bad[keep:]]:
            if name != stays:
                self.system.rm(f"{base}/{name}", recursive=True)

    def _get(self, name: str) -> bool:
        """Bring a file here; False where there is none."""
        if not self.system.exists(f"{self.root}/{name}"):
            return False
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(self.system.cat_file(f"{self.root}/{name}"))
        return True

    def _put(self, path: Path, there: str) -> None:
        """Upload a file in one write; a link goes as a file with the name it leads to."""
        content = path.readlink().name.encode() + b"\n" if path.is_symlink() else path.read_bytes()
        with contextlib.suppress(NotImplementedError):
            self.system.makedirs(there.rpartition("/")[0], exist_ok=True)
        self.system.pipe_file(there, content)

    def _failed(self, result: RunResult, error: Exception) -> RunResult:
        self.kept = True
        said = str(error).strip().splitlines()
        reason = f"could not be uploaded to {self.address}: {': '.join([type(error).__name__, *said[:1]])}"
        if not result.ok:
            reason = f"{result.reason}; {reason}"
        return replace(result, outcome="failed", reason=reason)


@contextlib.contextmanager
def elsewhere(out: Path | str, reports: Sequence[str]) -> Iterator[Place]:
    """Give the folder to work in: `out` itself, or a stand-in for an address, gone when all was uploaded.

    Raises
    ------
    ParameterError
        If fsspec doesn't know the address, or lacks a package for it.
    ReportError
        If it can't be reached: before anything starts.
    """
    if isinstance(out, Path) or "://" not in out:
        yield Here(Path(out))
        return
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(out)
    except (ValueError, ImportError) as error:
        raise ParameterError(f"cannot write to {out}: {error}") from error
    place = Elsewhere(out, system, str(root).rstrip("/"), Path(tempfile.mkdtemp(prefix="jk-out-")))
    try:
        try:
            place.fetch(reports)
        except Exception as error:
            raise ReportError(f"cannot reach {out}: {type(error).__name__}: {error}") from error
        yield place
    finally:
        if not place.kept:
            shutil.rmtree(place.folder, ignore_errors=True)
