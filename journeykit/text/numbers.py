"""How a value is shown: one table, by the ending of its name.

`reach_rate` is a percentage because its name ends in `rate`. An interval's `_low` and `_high` follow their estimate.
Dates, periods and durations are known by their type, whatever their name.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from journeykit.text.catalogue import counted, label
from journeykit.text.decimals import MISSING, TOO_LONG, decimal, infinite, percent, percent_fixed, signed, significant
from journeykit.text.languages import check_language, current_language
from journeykit.text.moments import duration, fill, moment, period, short_number
from journeykit.text.names import isolated_number, visible

# The longest ending that fits a name decides; an ending may be the whole name.
ENDINGS: Final = MappingProxyType(
    {
        "rate": "percent",
        "difference_rate": "points",  # a difference of rates is one of percentage points
        "share": "percent",
        "survival": "percent",
        "incidence": "percent",
        "probability": "percent",
        "confidence": "level",
        "days": "days",
        "terms": "terms",
        "seconds": "seconds",
        "value": "money",
        "values": "money",
        "revenue": "money",
        "p": "p",
        "p_value": "p",
        "p_value_holm": "p",
        "p_value_bh": "p",
        "score": "score",
        # Whole numbers that name something are not quantities: no "10,234" for a customer.
        "customer": "name",
        "id": "name",
        "session": "name",
        "sequence": "name",
        "year": "name",
        "group": "name",
        "segment": "name",
        "cohort": "name",
        "seed": "name",
    }
)


@cache
def kind_of(name: str) -> str:
    """Find how a name's numbers are shown.

    Examples
    --------
    >>> kind_of("reach_rate"), kind_of("reach_rate_low"), kind_of("reach_rate_difference"), kind_of("customers")
    ('percent', 'percent', 'points', 'number')
    """
    words = name.split("_")
    if len(words) > 1 and words[-1] in ("low", "high"):
        words.pop()
    if len(words) > 1 and words[-1] == "difference":
        return "points" if kind_of("_".join(words[:-1])) == "percent" else "signed"
    for start in range(len(words)):
        kind = ENDINGS.get("_".join(words[start:]))
        if kind:
            return kind
    return "signed" if words == ["difference"] else "number"


def format_value(name: str, value: Any, *, language: str | None = None, unit: bool = True) -> str:
    """Show a value in words, by the ending of its name or by its type.

    Parameters
    ----------
    name : str
        Name of the column or quantity, `reach_rate`, `median_days`, …
    value : object
        A number, text, date, period, interval, duration, truth value, a
        list of them, or something missing.
    language : str, optional
        Code of the language; the one spoken now unless given.
    unit : bool
        Whether days and percentage points say their unit (in a sentence)
        or not (in a column whose heading does).

    Returns
    -------
    str
        Plain text. Text from data has its unseen characters made visible.

    Examples
    --------
    >>> format_value("reach_rate", 0.342), format_value("customers", 1234), format_value("median_days", 34)
    ('34.2%', '1,234', '34 days')
    >>> format_value("median_seconds", 192), format_value("median_seconds", float("nan"))
    ('3.2 min', '–')
    """
    spoken = current_language() if language is None else check_language(language)
    return shown(kind_of(name), value, spoken, unit)


def shown(kind: str, value: Any, language: str, unit: bool) -> str:
    """Show a value of a kind; the type goes first."""
    if isinstance(value, str):
        return visible(value)
    if type(value) in (int, float):  # nearly every cell of a table
        return _number(kind, value, language, unit)
    if is_missing(value):
        return MISSING
    if isinstance(value, timedelta):
        return duration(value.total_seconds(), language)
    if type(value).__name__ in ("bool", "bool_"):
        return label("yes" if value else "no", language=language)
    if isinstance(value, numbers.Real | Decimal) and type(value).__name__ != "timedelta64":  # NumPy's is an integer
        plain = int(value) if isinstance(value, numbers.Integral) else float(value)
        return _number(kind, plain, language, unit)
    return _of_type(kind, value, language, unit)


def _number(kind: str, value: float, language: str, unit: bool) -> str:
    if type(value) is float and not math.isfinite(value):
        return infinite(value)
    if abs(value) >= TOO_LONG:
        return significant(value, language)
    return _KINDS[kind](value, language, unit)


def is_missing(value: object) -> bool:
    """Tell whether a cell is empty: None, NaN, NaT or NA."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float) and math.isnan(value))
    )


def _of_type(kind: str, value: Any, language: str, unit: bool) -> str:
    import numpy as np
    import pandas as pd

    if isinstance(value, np.datetime64 | np.timedelta64):
        return shown(
            kind, pd.Timestamp(value) if isinstance(value, np.datetime64) else pd.Timedelta(value), language, unit
        )
    if isinstance(value, date):
        return moment(value, language)
    if isinstance(value, pd.Period):
        return period(value, language)
    if isinstance(value, pd.Interval):
        opening, closing = "[" if value.closed_left else "(", "]" if value.closed_right else ")"
        low, high = (shown(kind, end, language, False) for end in (value.left, value.right))
        return f"{opening}{low}, {high}{closing}"
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return listed([shown(kind, item, language, False) for item in value], language)
    return visible(str(value))


def listed(items: Sequence[str], language: str) -> str:
    """Join names as a sentence does: "a, b, and c"."""
    from babel.lists import format_list

    from journeykit.text.languages import locale

    names = list(items)
    if language == "he" and len(names) > 1 and not "א" <= names[-1].lstrip("\u2066\u2068")[:1] <= "ת":
        names[-1] = "-" + names[-1]  # the Hebrew "and" is a prefix; before foreign letters and digits it takes a hyphen
    return format_list(names, locale=locale(language))


def column(name: str, values: Iterable[Any], *, language: str, bounds: bool = False) -> list[str]:
    """Show a column: as `format_value`, with the same decimals for all where the kind has a choice.

    Days have their unit in the heading; the bounds of an interval take that of their estimate.
    """
    cells = list(values)
    kind = kind_of(name)
    if kind in ("money", "days", "terms") and any(isinstance(cell, float) and _has_fraction(cell) for cell in cells):
        kind = f"{kind}_with_decimals"
    unit = not bounds and not kind.startswith(("days", "terms"))
    return [shown(kind, cell, language, unit) for cell in cells]


def interval_cells(
    name: str, lows: Iterable[Any], highs: Iterable[Any], *, language: str
) -> list[tuple[str, str] | None]:
    """Show the bounds of a column's intervals; None where an estimate has no interval at all."""
    low_cells, high_cells = (column(name, bounds, language=language, bounds=True) for bounds in (lows, highs))
    pairs = zip(low_cells, high_cells, strict=True)
    return [None if low == high == MISSING else (low, high) for low, high in pairs]


def _has_fraction(value: float) -> bool:
    return math.isfinite(value) and not value.is_integer()


def _days(value: float, language: str, unit: bool, noun: str = "days") -> str:
    number = short_number(value)
    text = decimal(float(number), language, max(0, -int(number.as_tuple().exponent)))
    return counted(noun, number, isolated_number(text, language), language) if unit else text


def _points(value: float, language: str, unit: bool) -> str:
    text = signed(decimal(value * 100, language, 1), value)
    return fill("core.in_points", {"number": isolated_number(text, language)}, language) if unit else text


def _p(value: float, language: str, unit: bool) -> str:
    return "<" + decimal(0.001, language, 3) if 0 <= value < 0.001 else decimal(value, language, 3)


def _level(value: float, language: str, unit: bool) -> str:
    return percent_fixed(value, language, 0 if round(value * 100, 6).is_integer() else 1)


_KINDS: Final[MappingProxyType[str, Callable[[float, str, bool], str]]] = MappingProxyType(
    {
        "percent": lambda value, language, unit: percent(value, language),
        "level": _level,
        "points": _points,
        "signed": lambda value, language, unit: signed(significant(value, language), value),
        "days": _days,
        "terms": lambda value, language, unit: _days(value, language, unit, "terms"),
        "terms_with_decimals": lambda value, language, unit: decimal(value, language, 1),
        "days_with_decimals": lambda value, language, unit: decimal(value, language, 1),
        "seconds": lambda value, language, unit: duration(value, language),
        "money": lambda value, language, unit: decimal(value, language, 0 if float(value).is_integer() else 2),
        "money_with_decimals": lambda value, language, unit: decimal(value, language, 2),
        "p": _p,
        "score": lambda value, language, unit: decimal(value, language, 1),
        "name": lambda value, language, unit: str(int(value)) if float(value).is_integer() else str(value),
        "number": lambda value, language, unit: significant(value, language),
    }
)
