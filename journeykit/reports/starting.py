"""Start a report of one's own from the one in the template folder."""

from __future__ import annotations

import re
from pathlib import Path

from journeykit.errors import ParameterError
from journeykit.reports.render import TEMPLATE


def new_report(name: str, folder: Path) -> Path:
    """Write the notebook of a new report; return where.

    Parameters
    ----------
    name : str
        Its name: letters, digits, - and _.
    folder : Path
        Where it goes.

    Raises
    ------
    ParameterError
        If the name can't be one, or there is such a notebook already.
    """
    name = name.removesuffix(".ipynb")
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise ParameterError(f"a report's name has letters, digits, - and _, got {name!r}")
    path = folder / f"{name}.ipynb"
    if path.exists():
        raise ParameterError(f"{path} is there already")
    text = (TEMPLATE / "new.ipynb").read_text(encoding="utf-8")
    path.write_text(text.replace("REPORT_NAME", name.replace("_", " ").capitalize()), encoding="utf-8")
    return path
