"""What is to be run: found, read and checked before anything starts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from journeykit.errors import ParameterError
from journeykit.reports.parameters import Parameter, read_parameters, resolve_parameters
from journeykit.reports.refusal import NotebookError
from journeykit.schema import did_you_mean

ALL: Final = "all"
LOG: Final = "log"
"""The parameter that takes the log."""
STAGES: Final = "stages"
"""The parameter that takes a stage model: a word, or a file."""
COMPARE: Final = "compare"
"""The parameter that says what each number stands beside."""
PREVIOUS: Final = "previous"
FOR_ALL: Final = ("start", "end", "timezone", "segment", "language", "min_n")
"""Parameters that every report of a run must know."""


@dataclass(frozen=True)
class Source:
    """A report's notebook, read.

    Attributes
    ----------
    name : str
        The report's name: the notebook's, without its ending.
    path : Path
        Where the notebook lies, absolute.
    notebook : dict
        The notebook as JSON, format 4.
    parameters : dict
        Name → Parameter.
    """

    name: str
    path: Path
    notebook: dict[str, Any]
    parameters: dict[str, Parameter]

    @property
    def title(self) -> str:
        """What it is about: the first line of its first markdown cell, without #."""
        for cell in self.notebook["cells"]:
            if cell["cell_type"] == "markdown" and cell["source"].strip():
                return str(cell["source"].strip().splitlines()[0].lstrip("# "))
        return ""


@dataclass(frozen=True)
class Plan:
    """A report with the values it will run with.

    Attributes
    ----------
    source : Source
    values : dict
        Every parameter of the notebook.
    given : frozenset of str
        Those that somebody gave, rather than their default.
    as_of : date or None
        The day that relative dates were counted from.
    """

    source: Source
    values: dict[str, Any]
    given: frozenset[str] = field(default_factory=frozenset)
    as_of: dt.date | None = None

    @property
    def takes_log(self) -> bool:
        """Whether the notebook has a parameter for the log."""
        return LOG in self.source.parameters


def standard_reports() -> dict[str, Path]:
    """Name → notebook of the reports that come with journeykit."""
    from journeykit.datasets.locate import shared_folder

    return {path.stem: path for path in sorted(shared_folder("notebooks").glob("*.ipynb"))}


def find_reports(names: Iterable[str | Path]) -> list[Source]:
    """Find and read reports by name, by path, or all of them.

    Raises
    ------
    ParameterError
        If there is no such report; the error names those that exist.
    NotebookError
        If a notebook cannot be read or has no `parameters` cell.
    """
    standard = standard_reports()
    paths: dict[Path, None] = {}
    for name in names:
        if str(name) == ALL:
            paths |= dict.fromkeys(standard.values())
        elif str(name) in standard:
            paths[standard[str(name)]] = None
        elif str(name).endswith(".ipynb") and Path(name).is_file():
            paths[Path(name).resolve()] = None
        elif str(name).endswith(".ipynb"):
            raise ParameterError(f"there is no notebook {name}")
        else:
            raise ParameterError(f"there is no report {str(name)!r}: {did_you_mean(name, standard)}")
    sources = [read_source(path) for path in paths]
    twice = {source.name for source in sources if [other.name for other in sources].count(source.name) > 1}
    if twice:
        raise ParameterError(f"two notebooks have the same name, so their runs would mix: {', '.join(sorted(twice))}")
    return sources


def read_source(path: Path) -> Source:
    """Read a notebook and its parameters; it must be for Python."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])  # text, or a list of lines
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NotebookError(f"cannot read {path} as a notebook: {type(error).__name__}: {error}") from error
    if notebook.get("nbformat") != 4:
        raise NotebookError(
            f"{path.name} is a notebook of format {notebook.get('nbformat')}: save it again as format 4"
        )
    metadata = notebook["metadata"]
    spoken = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name", "python")
    if spoken != "python":
        raise NotebookError(f"{path.name} is written in {spoken}: reports run in Python")
    return Source(path.stem, path, notebook, read_parameters(notebook, path.name))


def make_plans(sources: Iterable[Source], given: Mapping[str, object], as_of: dt.date | None) -> list[Plan]:
    """Check what was given against what the notebooks know.

    Of several reports each takes the parameters that it knows; one that no
    report knows is refused, and so are a period and a language that not all
    know, for a page must never show another period than the one asked for.

    Raises
    ------
    ParameterError
        Naming everything that does not fit, and the report.
    """
    sources = list(sources)
    known = {name for source in sources for name in source.parameters}
    plans = []
    for source in sources:
        own = {
            name: _place(name, value)
            for name, value in given.items()
            if name in source.parameters or name in FOR_ALL or name not in known
        }
        try:
            values = resolve_parameters(source.parameters, own, as_of=as_of)
        except ParameterError as error:
            raise ParameterError(f"{source.name}: {error}") from error
        plans.append(Plan(source, values, frozenset(own), as_of))
    return plans


def _place(name: str, value: object) -> object:
    """Make the path of a stage model absolute: a kernel's working folder is not the caller's."""
    if name == STAGES and isinstance(value, str | Path) and Path(value).is_file():
        return Path(value).resolve()
    return value
