"""The messages on disk: templates, plural forms, counted nouns and labels.

Each topic is one TOML file per language, `messages/<language>/<topic>.toml`. Its keys are messages (`topic.key`); a
table is a message with plural forms. `[labels]` holds words for columns and axes, `[nouns.<name>]` what can be counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from string import Formatter
from types import MappingProxyType
from typing import Final

from journeykit.errors import JourneykitError
from journeykit.text.languages import MESSAGES, check_language, locale

Forms = Mapping[str, str]
SHARED: Final = "labels.toml"

_PLACEHOLDER = re.compile(r"[a-z][a-z0-9_]*")


class MessageError(JourneykitError, LookupError):
    """A message, one of its placeholders or one of its forms is missing."""


class Words(str):
    """Text made here, with its direction settled: another sentence may take it in as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Catalogue:
    """Everything that is said in one language."""

    messages: Mapping[str, str | Forms]
    nouns: Mapping[str, Forms]
    labels: Mapping[str, str]


@cache
def catalogue(language: str) -> Catalogue:
    """Read all messages of a language, once."""
    import tomllib

    messages: dict[str, str | Forms] = {}
    nouns: dict[str, Forms] = {}
    labels: dict[str, str] = {}
    for path in sorted((MESSAGES / language).glob("*.toml"), key=lambda path: (path.name != SHARED, path.name)):
        topic = tomllib.loads(path.read_text(encoding="utf-8"))
        # Topics may repeat a shared word, as a test sees to, but not give it another meaning.
        labels = topic.pop("labels", {}) | labels
        nouns = topic.pop("nouns", {}) | nouns
        messages |= {f"{path.stem}.{key}": message for key, message in topic.items()}
    return Catalogue(MappingProxyType(messages), MappingProxyType(nouns), MappingProxyType(labels))


def message(key: str, language: str) -> str | Forms:
    """Find a message by its key, `topic.name`."""
    try:
        return catalogue(language).messages[key]
    except KeyError:
        topic = key.partition(".")[0]
        raise MessageError(f"no message {key!r} in messages/{language}/{topic}.toml") from None


@lru_cache(maxsize=4096)
def pieces(template: str, key: str) -> tuple[tuple[str, str | None, str], ...]:
    """Split a template into (text before, placeholder or None, noun or "")."""
    try:
        parsed = [(text, name, spec or "", conversion) for text, name, spec, conversion in Formatter().parse(template)]
    except ValueError as error:
        raise MessageError(f"message {key!r} has a stray brace: {template!r}") from error
    for _, name, spec, conversion in parsed:
        if name is not None and (conversion or not _PLACEHOLDER.fullmatch(name) or "{" in spec):
            raise MessageError(f"message {key!r} has a placeholder that is not a plain name: {template!r}")
    return tuple((text, name, spec) for text, name, spec, _ in parsed)


def choose(forms: Forms, number: Decimal, language: str, key: str) -> str:
    """Choose the plural form for a number as it is shown: 1 and 1.0 may differ."""
    exact = f"={number.normalize():f}"
    if exact in forms and number == number.to_integral_value():
        return forms[exact]
    form = locale(language).plural_form(abs(number)) if number.is_finite() else "other"
    try:
        return forms[form]
    except KeyError:
        raise MessageError(f"message {key!r} in {language!r} lacks the plural form {form!r}") from None


def counted(noun: str, number: Decimal, shown: str, language: str) -> str:
    """Say a number of things: "1 customer", "2 customers"."""
    try:
        forms = catalogue(language).nouns[noun]
    except KeyError:
        raise MessageError(f"no noun {noun!r} in messages/{language}/*.toml") from None
    return choose(forms, number, language, f"nouns.{noun}").replace("{number}", shown)


def has_label(name: str, *, language: str | None = None) -> bool:
    """Tell whether a column has a word; `x_low` and `x_high` stand under the word of `x`.

    Examples
    --------
    >>> has_label("reach_rate_low"), has_label("utm_medium")
    (True, False)
    """
    labels = catalogue(check_language(language)).labels
    return name in labels or re.sub(r"_(low|high)$", "", name) in labels


def label(name: str, *, language: str | None = None) -> str:
    """Word a column for an axis or a legend.

    Parameters
    ----------
    name : str
        A column's name.
    language : str, optional
        Code of the language; the one spoken now unless given.

    Returns
    -------
    str
        Its label; a name without one, with spaces for underscores.

    Examples
    --------
    >>> label("reach_rate")
    'reach rate'
    >>> label("reach_rate", language="he")
    'שיעור ההגעה'
    """
    known = catalogue(check_language(language)).labels.get(name)
    return Words(known) if known is not None else name.replace("_", " ")
