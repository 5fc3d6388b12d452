"""Numbers and words to text and HTML: the only place where sentences are made."""

from journeykit.text.catalogue import MessageError, has_label, label
from journeykit.text.languages import current_language, direction, language, languages
from journeykit.text.markup import Html, html_result, html_table
from journeykit.text.messages import say, word
from journeykit.text.numbers import format_value
from journeykit.text.tables import text_table

__all__ = [
    "Html",
    "MessageError",
    "current_language",
    "direction",
    "format_value",
    "has_label",
    "html_result",
    "html_table",
    "label",
    "language",
    "languages",
    "say",
    "text_table",
    "word",
]
