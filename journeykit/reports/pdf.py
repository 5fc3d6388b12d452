"""A page as PDF, printed by the Chromium that is on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from journeykit.errors import ParameterError, ReportError

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_SECONDS: Final = 120


def find_browser() -> str:
    """Return the browser's command.

    Raises
    ------
    ParameterError
        If there is none: PDF is an extra.
    """
    named = os.environ.get("JOURNEYKIT_BROWSER")
    found = next((path for name in ([named] if named else NAMES) if (path := shutil.which(name))), None)
    if found is None:
        asked = f"JOURNEYKIT_BROWSER={named}" if named else f"one of {', '.join(NAMES)}"
        raise ParameterError(f"a PDF needs a Chromium on this machine: {asked} was not found")
    return found


def print_page(page: Path, target: Path, browser: str) -> None:
    """Print a page into a PDF.

    Raises
    ------
    ReportError
        If the browser fails, or leaves nothing.
    """
    with tempfile.TemporaryDirectory(prefix="jk-pdf-", ignore_cleanup_errors=True) as profile:
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--no-pdf-header-footer",
            f"--user-data-dir={profile}",
            f"--print-to-pdf={target}",
            page.resolve().as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # Chromium refuses its sandbox to root; the page has no script
            command.insert(1, "--no-sandbox")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReportError(f"the browser could not print the page: {error}") from error
    if done.returncode or not target.is_file() or not target.stat().st_size:
        raise ReportError(f"the browser could not print the page: {done.stderr.strip().splitlines()[-1:]}")
