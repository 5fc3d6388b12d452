"""How far a long reading is: a bar in a terminal or a notebook, nothing elsewhere."""

from __future__ import annotations

import os
import sys
from typing import Any

from journeykit.text import label

SWITCH = "JOURNEYKIT_PROGRESS"
"""Environment variable that switches bars off where it is "off", as in the kernels of scheduled reports."""

_AFTER_SECONDS = 2.0


def progress_bar(rows: int | None) -> Any:
    """Return a bar of rows, to be updated and closed; it stays hidden for two seconds, and where nobody looks.

    Parameters
    ----------
    rows : int or None
        Rows that are expected; None if nobody knows: they are then only
        counted.
    """
    from tqdm.std import tqdm

    return tqdm(
        total=rows,
        desc=label("reading"),
        unit=f" {label('rows')}",
        unit_scale=True,
        delay=_AFTER_SECONDS,
        leave=False,
        disable=not watched(),
    )


def watched() -> bool:
    """Whether somebody looks: standard error is a terminal, or we run in a notebook that is not a scheduled one."""
    if os.environ.get(SWITCH) == "off":
        return False
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
