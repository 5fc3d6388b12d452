"""What a parameter may hold, read from its annotation, and values made to fit it."""

from __future__ import annotations

import ast
import datetime as dt
import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from journeykit.errors import ParameterError
from journeykit.reports.periods import is_relative, resolve_day
from journeykit.reports.refusal import NotebookError
from journeykit.schema import did_you_mean

SCALARS: Final = ("str", "int", "float", "bool", "date", "datetime")
SUPPORTED: Final = "str, int, float, bool, date, datetime, Literal[...], list[...] and any of them | None"

_TRUE: Final = {"true", "yes", "on", "1"}
_FALSE: Final = {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Kind:
    """What a parameter may hold.

    Attributes
    ----------
    name : str
        One of str, int, float, bool, date, datetime, literal, list.
    optional : bool
        Whether None is allowed.
    choices : tuple
        The values of a Literal.
    items : tuple of Kind
        The kind of a list's items: none or one.
    """

    name: str
    optional: bool = False
    choices: tuple[Any, ...] = ()
    items: tuple[Kind, ...] = ()

    def __str__(self) -> str:
        shown = {
            "literal": "one of " + ", ".join(repr(choice) for choice in self.choices),
            "list": f"list of {self.items[0]}" if self.items else "list",
        }.get(self.name, self.name)
        return f"{shown} or None" if self.optional else shown


def read_annotation(node: ast.expr, where: str) -> Kind:
    """Turn the annotation of a parameter into its kind.

    Parameters
    ----------
    node : ast.expr
        The annotation as parsed; a string annotation is parsed again.
    where : str
        The parameter and its line, for the error.

    Raises
    ------
    NotebookError
        If the annotation is not one of those a report can check.

    Examples
    --------
    >>> str(read_annotation(ast.parse("Literal['day', 'week'] | None", mode="eval").body, "grain"))
    "one of 'day', 'week' or None"
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return read_annotation(_parse(node.value, where), where)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [side for side in (node.left, node.right) if not _is_none(side)]
        if len(sides) == 1:
            return _optional(read_annotation(sides[0], where))
    name = _name(node)
    if name in SCALARS:
        return Kind(name)
    if name == "list":
        return Kind("list", items=(Kind("str"),))
    if isinstance(node, ast.Subscript):
        return _read_subscript(node, where)
    raise NotebookError(f"{where}: the annotation {ast.unparse(node)!r} is not one a report can check ({SUPPORTED})")


def _parse(text: str, where: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise NotebookError(f"{where}: cannot read the annotation {text!r}") from error


def _read_subscript(node: ast.Subscript, where: str) -> Kind:
    name = _name(node.value)
    if name == "Literal":
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not all(isinstance(item, ast.Constant) for item in inner):
            raise NotebookError(f"{where}: a Literal takes plain values, got {ast.unparse(node)!r}")
        values = tuple(ast.literal_eval(item) for item in inner)
        return Kind("literal", optional=None in values, choices=tuple(value for value in values if value is not None))
    if name == "Optional":
        return _optional(read_annotation(node.slice, where))
    if name in ("list", "List"):
        return Kind("list", items=(read_annotation(node.slice, where),))
    raise NotebookError(f"{where}: the annotation {ast.unparse(node)!r} is not one a report can check ({SUPPORTED})")


def kind_of_default(value: object) -> Kind:
    """Guess the kind of a parameter without annotation from its default."""
    if value is None:
        return Kind("str", optional=True)
    if isinstance(value, list):
        return Kind("list", items=(kind_of_default(value[0]) if value else Kind("str"),))
    if type(value).__name__ in SCALARS:
        return Kind(type(value).__name__)
    raise NotebookError(f"a default of type {type(value).__name__} is not one a report can check ({SUPPORTED})")


def fit(value: object, kind: Kind, name: str, as_of: dt.date | None = None) -> Any:
    """Make a value fit its kind, or say why it does not.

    Text from a command line is read by the kind (`00123` stays text where
    text is asked for); dates, timestamps, paths and numpy scalars become
    the plain values that a notebook's cell can hold.

    Parameters
    ----------
    value : object
        What was given.
    kind : Kind
        What the parameter holds.
    name : str
        The parameter, for the error; one named `end` or `..._end` takes the
        end of a relative period, any other its beginning.
    as_of : date, optional
        The day that relative dates count from.

    Raises
    ------
    ParameterError
        If the value does not fit.

    Examples
    --------
    >>> fit("00123", Kind("str"), "customer_prefix"), fit("3", Kind("int"), "top")
    ('00123', 3)
    >>> fit("last-month", Kind("date"), "end", as_of=dt.date(2024, 3, 15))
    '2024-03-01'
    """
    value = _plain(value)
    if value is None or (kind.optional and value == ""):
        if kind.optional:
            return None
        raise ParameterError(f"{name} must be {kind}, got {value!r}")
    if kind.name == "list":
        return [fit(item, kind.items[0], name, as_of) for item in _items(value, name)]
    if kind.name == "literal":
        return _fit_choice(value, kind, name)
    if kind.name in ("date", "datetime"):
        return _fit_time(value, kind, name, as_of)
    fitted = _FITTERS[kind.name](value)
    if fitted is None:
        raise ParameterError(f"{name} must be {kind}, got {value!r}")
    return fitted


def _plain(value: object) -> object:
    """Numpy scalars, paths, timestamps: as plain Python values."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is not None and not isinstance(value, str) and str(value) == "NaT":
        return None
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        return dt.datetime.fromisoformat(str(value)) if kind == "M" else value.item()
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    return value


def _items(value: object, name: str) -> Iterable[object]:
    if isinstance(value, str):
        if not value.strip().startswith("["):
            return [item.strip() for item in value.split(",") if item.strip()]
        try:
            return list(json.loads(value))
        except json.JSONDecodeError as error:
            raise ParameterError(f"{name} must be a list such as a,b,c or a JSON list, got {value!r}") from error
    if isinstance(value, Iterable) and not isinstance(value, dict):
        return list(value)
    raise ParameterError(f"{name} must be a list, got {value!r}")


def _fit_choice(value: object, kind: Kind, name: str) -> Any:
    for choice in kind.choices:
        if type(choice) is type(value) and choice == value:
            return choice
    for choice in kind.choices:
        if isinstance(value, str) and value == str(choice):
            return choice
    raise ParameterError(f"{name} must be {kind}, got {value!r}: {did_you_mean(value, kind.choices)}")


def _fit_time(value: object, kind: Kind, name: str, as_of: dt.date | None) -> str:
    if isinstance(value, str) and is_relative(value):
        return resolve_day(value, as_of, name=name, end=name == "end" or name.endswith("_end")).isoformat()
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ParameterError(
                f"{name} must be a date such as 2024-01-31, last-month or -7d, got {value!r}"
            ) from error
    if isinstance(value, dt.datetime):
        if kind.name == "datetime":
            return value.isoformat()
        if value.time() != dt.time(0):
            raise ParameterError(f"{name} must be a day, got the moment {value.isoformat()}")
        return value.date().isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    raise ParameterError(f"{name} must be {kind}, got {value!r}")


def _fit_text(value: object) -> str | None:
    if isinstance(value, dt.date):
        return value.isoformat()
    return value if isinstance(value, str) else None


def _fit_int(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value.strip()):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _fit_float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fit_bool(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE | _FALSE:
        return word in _TRUE
    return None


_FITTERS: Final = {"str": _fit_text, "int": _fit_int, "float": _fit_float, "bool": _fit_bool}


def _optional(kind: Kind) -> Kind:
    return Kind(kind.name, True, kind.choices, kind.items)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
