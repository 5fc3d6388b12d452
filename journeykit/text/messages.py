"""Sentences: a message with its placeholders filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from journeykit.text.catalogue import MessageError, Words, catalogue, choose, counted, message, pieces
from journeykit.text.decimals import bracketed
from journeykit.text.languages import check_language
from journeykit.text.names import isolated_name, isolated_number, visible
from journeykit.text.numbers import format_value, is_missing, listed


def say(key: str, /, *, language: str | None = None, **values: Any) -> str:
    """Say a message with its numbers.

    Parameters
    ----------
    key : str
        The message, `topic.name`, as in messages/<language>/<topic>.toml.
    language : str, optional
        Code of the language; the one spoken now unless given.
    **values : object
        A value for each placeholder, shown by the ending of its name. Text
        is data: it stands as it is, braces and all. More values than
        placeholders may be given.

    Returns
    -------
    str
        The sentence, as plain text.

    Raises
    ------
    MessageError
        If there is no such message, or a placeholder has no value.

    Examples
    --------
    >>> say("core.left_out", customers=1234, reason="not observed for 30 days")
    '1,234 customers left out: not observed for 30 days'
    >>> say("core.left_out", customers=1, reason="not observed for 30 days")
    '1 customer left out: not observed for 30 days'
    """
    spoken = check_language(language)
    template = message(key, spoken)
    if not isinstance(template, str):
        template = _plural(key, template, values, spoken)
    said = []
    for text, name, noun in pieces(template, key):
        said.append(text)
        if name is not None:
            said.append(_placeholder(key, name, noun, values, spoken))
    return Words("".join(said))


def word(name: str, *, language: str | None = None) -> str:
    """Word what may be ours or the user's: a message key, a label, or else a name, which stays as it is.

    Examples
    --------
    >>> word("core.none"), word("touchpoint", language="he"), word("utm_medium")
    ('none', 'נקודת מגע', 'utm_medium')
    """
    spoken = check_language(language)
    known = catalogue(spoken)
    said = known.messages.get(name, known.labels.get(name))
    return Words(said) if isinstance(said, str) and "{" not in said else visible(name)


def _plural(key: str, forms: Mapping[str, str], values: Mapping[str, Any], language: str) -> str:
    try:
        by = forms["plural"]
    except KeyError:
        raise MessageError(f'message {key!r} has plural forms but no plural = "…" naming their number') from None
    return choose(forms, _as_shown(_given(key, by, values)), language, key)


def _placeholder(key: str, name: str, noun: str, values: Mapping[str, Any], language: str) -> str:
    if noun:
        value = _given(key, name, values)
        return counted(
            noun,
            _as_shown(value),
            isolated_number(format_value(name, value, language=language, unit=False), language),
            language,
        )
    if name not in values and name.endswith("_interval"):
        return _interval(key, name, values, language)
    value = _given(key, name, values)
    if isinstance(value, Words):
        return value
    if isinstance(value, str):
        return isolated_name(value, language)
    if isinstance(value, Iterable) and not is_missing(value):
        return listed([_item(name, item, language) for item in value], language)
    return isolated_number(format_value(name, value, language=language), language)


def _item(name: str, item: object, language: str) -> str:
    if isinstance(item, Words):
        return item
    if isinstance(item, str):
        return isolated_name(item, language)
    return isolated_number(format_value(name, item, language=language, unit=False), language)


def _interval(key: str, name: str, values: Mapping[str, Any], language: str) -> str:
    """Put an estimate's bounds in brackets, after the estimate for `{x_with_interval}`."""
    estimate = name.removesuffix("_interval").removesuffix("_with")
    low, high = (_given(key, f"{estimate}_{end}", values) for end in ("low", "high"))
    bounds = [format_value(estimate, end, language=language, unit=False) for end in (low, high)]
    brackets = isolated_number(bracketed(bounds[0], bounds[1], language), language)
    if not name.endswith("_with_interval"):
        return brackets
    number = isolated_number(format_value(estimate, _given(key, estimate, values), language=language), language)
    return number if is_missing(low) and is_missing(high) else f"{number} {brackets}"


def _given(key: str, name: str, values: Mapping[str, Any]) -> Any:
    try:
        return values[name]
    except KeyError:
        raise MessageError(f"message {key!r} needs {name}=, got {sorted(values)}") from None


def _as_shown(value: Any) -> Decimal:
    """Read a number for its plural form; what is missing or text takes the general form."""
    if is_missing(value) or isinstance(value, str):
        return Decimal("NaN")
    number = Decimal(str(value))
    return number.to_integral_value() if number.is_finite() and number == number.to_integral_value() else number
