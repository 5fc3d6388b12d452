"""The parameters of a notebook: read from its tagged cell, checked before a kernel starts."""

from __future__ import annotations

import ast
import datetime as dt
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from journeykit.errors import ParameterError
from journeykit.reports.annotations import Kind, fit, kind_of_default, read_annotation
from journeykit.reports.refusal import NotebookError
from journeykit.schema import did_you_mean

TAG: Final = "parameters"
_IMPORTABLE: Final = ("datetime", "typing", "__future__")
_SECRET: Final = re.compile(
    r"(^|_)(password|passwd|passphrase|pwd|secrets?|token|apikey|api_key|access_key|private_key|secret_key|credentials?)(_|$)"
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a report.

    Attributes
    ----------
    name : str
    kind : Kind
        What it may hold.
    default : object
        Its value where none is given; without meaning if `required`.
    help : str
        The comment behind it in the notebook.
    required : bool
        Whether the notebook names no default.
    """

    name: str
    kind: Kind
    default: Any = None
    help: str = ""
    required: bool = False


def read_parameters(notebook: Mapping[str, Any], where: str = "the notebook") -> dict[str, Parameter]:
    """Read the parameters of a notebook without running it.

    The cell tagged `parameters` holds assignments of literals, annotated or
    not, each with a comment that becomes its help; imports from `typing` and
    `datetime` may stand above. What is derived from parameters belongs in
    the next cell, or a value given from outside would come too late for it.

    Parameters
    ----------
    notebook : mapping
        A notebook in format 4, as `nbformat` reads it.
    where : str
        Its name, for the errors.

    Returns
    -------
    dict
        Name → Parameter, in the order of the cell.

    Raises
    ------
    NotebookError
        If there is not exactly one such cell, or it holds anything else.

    Examples
    --------
    >>> cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]},
    ...         "source": "top: int = 5  # how many rows to show"}
    >>> read_parameters({"cells": [cell]})["top"].help
    'how many rows to show'
    """
    cells = [cell for cell in notebook["cells"] if TAG in cell.get("metadata", {}).get("tags", [])]
    if len(cells) != 1:
        found = "no cell" if not cells else f"{len(cells)} cells"
        raise NotebookError(
            f"{where} has {found} tagged `{TAG}`: tag exactly one, or values given from outside are lost"
        )
    if cells[0]["cell_type"] != "code":
        raise NotebookError(f"{where}: the cell tagged `{TAG}` must be code")
    source = cells[0]["source"]
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise NotebookError(
            f"{where}: cannot read the cell tagged `{TAG}`, line {error.lineno}: {error.msg}"
        ) from error
    comments = _comments(source)
    parameters: dict[str, Parameter] = {}
    for statement in tree.body:
        if _is_harmless(statement):
            continue
        parameter = _read_assignment(statement, comments, where)
        if parameter.name in parameters:
            raise NotebookError(f"{where}: the parameter {parameter.name} is assigned twice")
        _refuse_secret(parameter.name)
        parameters[parameter.name] = parameter
    return parameters


def resolve_parameters(
    known: Mapping[str, Parameter], given: Mapping[str, object], *, as_of: dt.date | None = None
) -> dict[str, Any]:
    """Check what was given against what the notebook knows.

    Parameters
    ----------
    known : mapping
        From `read_parameters`.
    given : mapping
        Name → value, as text or as Python objects.
    as_of : date, optional
        The day that relative dates count from.

    Returns
    -------
    dict
        Every parameter of the notebook with the value it will have.

    Raises
    ------
    ParameterError
        Naming every unknown, missing or unfitting parameter at once.

    Examples
    --------
    >>> resolve_parameters({"top": Parameter("top", Kind("int"), 5)}, {"topp": 3})
    Traceback (most recent call last):
    journeykit.errors.ParameterError: unknown parameter 'topp': did you mean 'top'? (known: top)
    """
    problems = []
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            problems.append(f"unknown parameter {name!r}: {did_you_mean(name, known)} (known: {listed})")
    values = {}
    for name, parameter in known.items():
        if name not in given and parameter.required:
            problems.append(f"{name} must be given: {parameter.kind}")
            continue
        try:
            values[name] = fit(given.get(name, parameter.default), parameter.kind, name, as_of)
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError("\n".join(problems))
    return values


def _read_assignment(statement: ast.stmt, comments: Mapping[int, str], where: str) -> Parameter:
    place = f"{where}, `{TAG}` cell, line {statement.lineno}"
    target: ast.expr | None = None
    if isinstance(statement, ast.AnnAssign):
        target = statement.target
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    if not isinstance(target, ast.Name) or not isinstance(statement, ast.AnnAssign | ast.Assign):
        raise NotebookError(f"{place}: only assignments of literals belong here, the rest into the next cell")
    comment = comments.get(statement.end_lineno or statement.lineno, "")
    annotation = statement.annotation if isinstance(statement, ast.AnnAssign) else None
    if statement.value is None:
        assert annotation is not None
        return Parameter(target.id, read_annotation(annotation, f"{place}, {target.id}"), help=comment, required=True)
    try:
        default = ast.literal_eval(statement.value)
    except ValueError as error:
        raise NotebookError(
            f"{place}: {target.id} must be a literal; derive values from parameters in the next cell"
        ) from error
    kind = read_annotation(annotation, f"{place}, {target.id}") if annotation else kind_of_default(default)
    try:  # any day will do here: a relative default is resolved when the report runs
        fit(default, kind, target.id, as_of=dt.date(2000, 1, 1))
    except ParameterError as error:
        raise NotebookError(f"{place}: the default does not fit its annotation: {error}") from error
    return Parameter(target.id, kind, default, comment)


def _is_harmless(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.ImportFrom):
        return statement.module in _IMPORTABLE
    return isinstance(statement, ast.Import) and all(alias.name in _IMPORTABLE for alias in statement.names)


def _comments(source: str) -> dict[int, str]:
    """Line → the text of the comment on it."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ").strip() for token in tokens if token.type == tokenize.COMMENT}


def _refuse_secret(name: str) -> None:
    if _SECRET.search(name.lower()):
        raise NotebookError(
            f"the parameter {name!r} looks like a secret: values of parameters are written into the run; "
            "read it from the environment inside the notebook"
        )
