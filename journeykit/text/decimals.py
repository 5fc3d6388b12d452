"""Numerals of a language: decimals, percents, signs (Babel's patterns, kept ready: a table has thousands of cells)."""

from __future__ import annotations

import copy
import math
from decimal import Context, Decimal
from functools import cache
from typing import TYPE_CHECKING

from journeykit.text.languages import locale

if TYPE_CHECKING:
    from babel.numbers import NumberPattern

TOO_LONG = 10**18
MISSING = "–"
INFINITE = "∞"


def decimal(value: float, language: str, decimals: int = 0) -> str:
    """Write a number with a fixed number of decimals and thousands separators."""
    return _apply(_pattern(language, decimals), value, decimals, language)


def percent(share: float, language: str) -> str:
    """Write a share of one as a percentage with one decimal.

    A share that is not quite none or all gets more decimals rather than
    "0.0%" or "100.0%", which are kept for the real ones.

    Examples
    --------
    >>> percent(0.342, "en"), percent(0.0004, "en"), percent(1e-9, "en"), percent(1.0, "en")
    ('34.2%', '0.04%', '<0.001%', '100.0%')
    """
    from_none, from_all = abs(share) * 100, abs(1 - share) * 100
    # What is left of rounding in sums of floats is not a share.
    near = min(from_none, from_all)
    if near < 1e-10 or near >= 0.05:
        return percent_fixed(share, language, 1)
    if near >= 0.0005:
        return percent_fixed(share, language, 2 if near >= 0.005 else 3)
    if from_none > from_all:
        bound, sign = (0.99999, ">") if share < 1 else (1.00001, "<")
    else:
        bound, sign = (0.00001, "<") if share > 0 else (-0.00001, ">")
    return sign + percent_fixed(bound, language, 3)


def percent_fixed(share: float, language: str, decimals: int) -> str:
    """Write a share of one as a percentage with a fixed number of decimals."""
    return _apply(_pattern(language, decimals, percent=True), share, decimals + 2, language)


def bracketed(low: str, high: str, language: str) -> str:
    """Write an interval; its bounds are parted by a semicolon where a comma stands in numbers.

    Examples
    --------
    >>> bracketed("30.1%", "38.5%", "en")
    '[30.1%, 38.5%]'
    """
    comma = locale(language).number_symbols["latn"]["decimal"] == ","
    return f"[{low}{';' if comma else ','} {high}]"


def signed(text: str, value: float) -> str:
    """Put a plus before a positive number (Babel's comes with a direction mark that spoils a copied number)."""
    shown_as_zero = not any(character in "123456789" for character in text)
    return text if value <= 0 or shown_as_zero else f"+{text}"


def significant(value: float, language: str, digits: int = 3) -> str:
    """Write a number with a few significant digits; whole numbers in full."""
    if type(value) is float and not math.isfinite(value):  # an int may be too long for a float
        return infinite(value)
    if abs(value) < TOO_LONG and value == int(value):
        return decimal(int(value), language)
    size = math.floor(math.log10(abs(value)))
    if size < -5 or abs(value) >= TOO_LONG:
        from babel.numbers import format_scientific

        return format_scientific(Decimal(value).normalize(Context(digits)), "0.##E0", locale(language))
    return decimal(value, language, max(0, digits - 1 - size))


def infinite(value: float) -> str:
    """Write what has no digits: missing or without bound."""
    if math.isnan(value):
        return MISSING
    return INFINITE if value > 0 else f"-{INFINITE}"


def _apply(pattern: NumberPattern, value: float, decimals: int, language: str) -> str:
    number = Decimal(value) if isinstance(value, int) else Decimal(str(float(value)))
    if number.is_signed() and number.is_finite() and round(number, decimals) == 0:
        number = Decimal(0)  # no "-0.0"
    return str(pattern.apply(number, locale(language)))


@cache
def _pattern(language: str, decimals: int, percent: bool = False) -> NumberPattern:
    formats = locale(language).percent_formats if percent else locale(language).decimal_formats
    pattern: NumberPattern = copy.copy(formats[None])
    pattern.frac_prec = (decimals, decimals)
    return pattern
