"""Which code and which versions made a run."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT_MARKS: Final = ("journeykit.toml", "pyproject.toml", ".git")

PACKAGES: Final = (
    "journeykit",
    "numpy",
    "pandas",
    "scipy",
    "pyarrow",
    "duckdb",
    "numba",
    "matplotlib",
    "seaborn",
    "lifelines",
    "papermill",
    "nbclient",
    "nbconvert",
    "ipykernel",
    "babel",
)


def project_root(start: Path) -> Path:
    """Return the project around a folder: the nearest one with a mark of a project, else the folder itself.

    A report runs here wherever it was called from, so that relative paths
    inside a notebook mean the same every night.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if any((folder / mark).exists() for mark in ROOT_MARKS):
            return folder
    return start


def git_state(folder: Path) -> dict[str, str | bool | None]:
    """Return the commit that is checked out, and whether anything differs from it; None where there is no git.

    Examples
    --------
    >>> git_state(Path("/"))
    {'commit': None, 'dirty': None}
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {"commit": None, "dirty": None}
    changes = _git(folder, "status", "--porcelain")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def versions() -> dict[str, str]:
    """Return the versions of Python and of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if "journeykit" not in found:  # a checkout that nobody installed
        import journeykit

        found["journeykit"] = journeykit.__version__
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
