"""HTML from a notebook's outputs, reduced to what cannot do anything."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

TAGS: Final = frozenset(
    "a abbr b bdi bdo blockquote br caption code col colgroup dd del details div dl dt em figcaption figure"
    " h3 h4 h5 h6 hr i ins kbd li ol p pre q s samp section small span strong sub summary sup"
    " table tbody td tfoot th thead tr u ul var".split()
)
_ABROAD: Final = re.compile(r"(https?://|mailto:)", re.I)

ATTRIBUTES: Final[dict[str, Any]] = {
    "*": ["class", "dir", "lang", "title"],
    "a": lambda tag, name, value: name == "href" and _ABROAD.match(value) is not None,
    "ol": ["start"],
    "td": ["colspan", "rowspan", "headers"],
    "th": ["colspan", "rowspan", "scope"],
}
PROTOCOLS: Final = frozenset({"http", "https", "mailto"})

# bleach takes tags away but leaves what stood between them, which for these is not text.
_NOT_TEXT: Final = re.compile(r"<(style|script|title|template|svg|math|iframe|object)\b.*?</\1\s*>", re.I | re.S)


def harmless(html: str) -> str:
    """Reduce HTML to structure and text: no script, style, form, frame, picture or event handler.

    What stands in data has been escaped where the HTML was made; this makes
    sure that nothing depends on it. The page's policy forbids scripts and
    requests once more.

    Parameters
    ----------
    html : str
        From a notebook's output or a markdown cell.

    Returns
    -------
    str
        Balanced HTML; links lead to the web or to mail.

    Examples
    --------
    >>> harmless("<b onclick='x()'>bold</b><script>alert(1)</script><img src=x>")
    '<b>bold</b>'
    >>> harmless("<a href='javascript:alert(1)'>link</a>")
    '<a>link</a>'
    """
    return str(_cleaner().clean(_NOT_TEXT.sub("", html)))


@cache
def _cleaner() -> Any:
    from bleach.sanitizer import Cleaner

    return Cleaner(tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True, strip_comments=True)
