"""Which language is spoken now, and in which direction it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from journeykit.errors import ParameterError

if TYPE_CHECKING:
    from babel import Locale

MESSAGES: Final = Path(__file__).parent / "messages"

_CURRENT: ContextVar[str] = ContextVar("journeykit_language", default="en")


@cache
def languages() -> tuple[str, ...]:
    """Name the languages there are messages for, by code."""
    return tuple(sorted(folder.name for folder in MESSAGES.iterdir() if (folder / "core.toml").is_file()))


def language(code: str) -> AbstractContextManager[str]:
    """Speak another language inside a `with` block.

    Tables in HTML, sentences, plot labels and reports made inside the block
    are in that language. Blocks nest, and each thread has its own language
    (a new thread starts with English). `repr` stays English: it is for
    people who go on to write code.

    Parameters
    ----------
    code : str
        Two-letter code: `"en"` (English, the default), `"tr"` (Turkish),
        `"id"` (Indonesian) or `"he"` (Hebrew, written right to left).

    Returns
    -------
    context manager
        Enter it with `with`; it gives back the code.

    Raises
    ------
    ParameterError
        If there are no messages in that language.

    Examples
    --------
    >>> from journeykit.text import label, language
    >>> label("customers")
    'customers'
    >>> with language("he"):
    ...     label("customers")
    'לקוחות'
    >>> language("tlh")
    Traceback (most recent call last):
    journeykit.errors.ParameterError: unknown language 'tlh', available are 'en', 'he', 'id', 'tr'
    """
    return _speaking(check_language(code))


@contextmanager
def _speaking(code: str) -> Iterator[str]:
    token = _CURRENT.set(code)
    try:
        yield code
    finally:
        _CURRENT.reset(token)


def current_language() -> str:
    """Name the language spoken now, by its code.

    Examples
    --------
    >>> current_language()
    'en'
    """
    return _CURRENT.get()


def check_language(code: str | None) -> str:
    """Refuse an unknown language; None means the one spoken now."""
    if code is None:
        return _CURRENT.get()
    if code not in languages():
        raise ParameterError(f"unknown language {code!r}, available are {', '.join(map(repr, languages()))}")
    return code


def direction(code: str | None = None) -> Literal["ltr", "rtl"]:
    """Tell whether a language runs left to right or right to left.

    Examples
    --------
    >>> direction("he")
    'rtl'
    """
    return "rtl" if locale(check_language(code)).text_direction == "rtl" else "ltr"


@cache
def locale(code: str) -> Locale:
    """Find Babel's knowledge of a language (imported here: most sessions print before they need it)."""
    from babel import Locale

    return Locale.parse(code)
