"""Text that comes from data: made harmless and visible before anyone reads it."""

from __future__ import annotations

import re
import unicodedata

from journeykit.text.languages import direction

LTR_ISOLATE, ISOLATE, END_ISOLATE, LTR_MARK = "\u2066", "\u2068", "\u2069", "\u200e"

_ISOLATES = frozenset({LTR_ISOLATE, ISOLATE, END_ISOLATE})
_LINE_ENDS = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
# Control characters (terminals obey them), marks that turn the direction of all that follows, lone surrogates (no file
# can hold them) and characters without width (two names would look the same).
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\u200b\u2060\u00ad]")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
# What a right-to-left sentence lays out correctly by itself.
_PLAIN_NUMBER = re.compile(r"\d[\d.,:]*%?|–")


def visible(text: str) -> str:
    r"""Show what would be unseen: line ends as ↵, control and direction characters as escapes.

    Examples
    --------
    >>> print(visible("cart\npage\u202e"))
    cart↵page\u202e
    """
    text = _LINE_ENDS.sub("↵", text)
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape", "backslashreplace").decode("ascii"), text)


def settled(text: str) -> str:
    """Make a finished sentence safe to write, leaving its own isolates in place."""
    return _UNSEEN.sub(lambda found: found.group() if found.group() in _ISOLATES else visible(found.group()), text)


def shortened(text: str, width: int) -> str:
    """Cut a long name, ending it in an ellipsis."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def has_right_to_left(text: str) -> bool:
    """Tell whether any character runs right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def isolated_name(text: str, language: str) -> str:
    """Keep a name from turning the sentence around it; plain names in a left-to-right sentence stay bare."""
    text = visible(text)
    if direction(language) == "ltr":
        return f"{ISOLATE}{text}{END_ISOLATE}" if has_right_to_left(text) else text
    return text if _only_letters(text) else f"{ISOLATE}{text}{END_ISOLATE}"


def _only_letters(text: str) -> bool:
    return (
        all(unicodedata.bidirectional(character) in ("R", "NSM") for character in text.replace(" ", ""))
        and text == text.strip()
    )


def isolated_number(text: str, language: str) -> str:
    """Keep signs, brackets and percents on their side of the number in a right-to-left sentence."""
    if direction(language) == "ltr" or _PLAIN_NUMBER.fullmatch(text) or has_right_to_left(text):
        return text
    return f"{LTR_ISOLATE}{text}{END_ISOLATE}"


def width(text: str) -> int:
    """Count the columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
