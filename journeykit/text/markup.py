"""Tables and results as HTML: escaped, without scripts, readable in light and dark."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from html import escape
from typing import TYPE_CHECKING, Any, Final

from journeykit.schema import MISSING, UNMAPPED
from journeykit.text.catalogue import Words
from journeykit.text.decimals import bracketed
from journeykit.text.languages import check_language, direction
from journeykit.text.messages import say, word
from journeykit.text.names import isolated_number, settled, shortened, visible
from journeykit.text.numbers import column, format_value, interval_cells
from journeykit.text.tables import Column, columns_of, rows_shown

if TYPE_CHECKING:
    import pandas as pd

WIDEST: Final = 60
LONGEST_TITLE: Final = 1000

# Columns whose cells may be words of ours (or keys of messages) rather than names from the data.
WORD_COLUMNS: Final = frozenset(
    {
        "status",
        "reason",
        "stage",
        "next_stage",
        "previous_stage",
        "end",
        "kind",
        "definition",
        "method",
        "rule",
        "done",
        "action",
        "unit",
    }
)

# Colours are the page's own, so that light and dark both work; figures keep their columns in either direction.
_STYLES: Final = {
    "text": "text-align:start",
    "number": "text-align:right;font-variant-numeric:tabular-nums",
    "interval": "text-align:start;font-variant-numeric:tabular-nums;opacity:.75",
}


class Html(str):
    """HTML made here: everything in it that came from data has been escaped."""

    __slots__ = ()


def html_table(
    df: pd.DataFrame,
    *,
    caption: str | None = None,
    max_rows: int | None = 50,
    language: str | None = None,
    words: Collection[str] | None = None,
) -> Html:
    """Lay out a table as HTML, its headings in words.

    Parameters
    ----------
    df : DataFrame
        The table. An index that is more than row numbers leads.
    caption : str, optional
        What stands above it, as plain text.
    max_rows : int, optional
        Rows to show; None for all. What is left is counted below.
    language : str, optional
        Code of the language; the one spoken now unless given.
    words : collection of str, optional
        Columns whose cells are looked up as messages or labels; the usual
        ones (status, reason, stage, …) unless given.

    Returns
    -------
    Html
        One `<table>` element.

    Examples
    --------
    >>> import pandas as pd
    >>> "&lt;script&gt;" in html_table(pd.DataFrame({"touchpoint": ["<script>"]}))
    True
    """
    spoken = check_language(language)
    columns = columns_of(df, max_rows)
    own = WORD_COLUMNS if words is None else frozenset(words)
    cells = [_cells(one, spoken, own) for one in columns]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    parts = [
        f'<table class="jk-table" lang="{spoken}" dir="{direction(spoken)}">',
        f'<caption style="text-align:start">{_said(caption)}</caption>' if caption else "",
        f"<thead><tr>{''.join(_heads(columns, spoken))}</tr></thead>",
        f"<tbody>{body}</tbody>",
        _foot(df, max_rows, len(columns), spoken),
        "</table>",
    ]
    return Html("".join(parts))


def html_result(
    title: str,
    sentences: Iterable[str] = (),
    tables: Iterable[Html] = (),
    notes: Iterable[str] = (),
    *,
    language: str | None = None,
) -> Html:
    """Put a result together for a notebook: heading, sentences, tables, notes.

    Parameters
    ----------
    title : str
        The headline, as plain text.
    sentences : iterable of str
        What the numbers say, as plain text from `say`.
    tables : iterable of Html
        What `html_table` returned.
    notes : iterable of str
        Who was left out, which definition was used; shown small.
    language : str, optional
        Code of the language; the one spoken now unless given.

    Returns
    -------
    Html
        One `<section>` element.

    Raises
    ------
    TypeError
        If a table is a plain str, which nobody has escaped.

    Examples
    --------
    >>> html_result("Reach", ["Half of them <3 it."])
    '<section class="jk-result" lang="en" dir="ltr"><h3>Reach</h3><p>Half of them &lt;3 it.</p></section>'
    """
    spoken = check_language(language)
    parts = [f'<section class="jk-result" lang="{spoken}" dir="{direction(spoken)}"><h3>{_said(title)}</h3>']
    parts += [f"<p>{_said(sentence)}</p>" for sentence in _several(sentences)]
    for table in _several(tables):
        if not isinstance(table, Html):
            raise TypeError(f"tables must come from html_table, got {type(table).__name__}")
        parts.append(table)
    parts += [f'<p class="jk-note"><small>{_said(note)}</small></p>' for note in _several(notes)]
    return Html("".join([*parts, "</section>"]))


def _said(sentence: str) -> str:
    return escape(settled(sentence))


def _several(given: Iterable[Any]) -> list[Any]:
    """Take one text for a list of one, rather than for its letters."""
    return [given] if isinstance(given, str) else list(given)


def _heads(columns: list[Column], language: str) -> list[str]:
    heads = []
    for place, shown in enumerate(columns):
        if shown.kind == "interval":
            continue  # under its estimate's heading
        has_interval = place + 1 < len(columns) and columns[place + 1].kind == "interval"
        span = ' colspan="2"' if has_interval else ""
        kind = "text" if has_interval else shown.kind
        heads.append(
            f'<th scope="col"{span} class="jk-{kind}" style="{_STYLES[kind]}">{_head(shown.name, language)}</th>'
        )
    return heads


def _head(name: Any, language: str) -> str:
    if name is None:
        return ""
    if isinstance(name, tuple):
        return " / ".join(_head(part, language) for part in name if part != "")
    if not isinstance(name, str):
        return escape(format_value("", name, language=language))
    return _text(word(name, language=language))


def _cells(shown: Column, language: str, own: frozenset[str]) -> list[str]:
    name = shown.name if isinstance(shown.name, str) else ""
    # Names may wrap, numbers and dates may not.
    wrap = "" if any(isinstance(cell, str) for cell in shown.cells) else ";white-space:nowrap"
    opening = f'<td class="jk-{shown.kind}" style="{_STYLES[shown.kind]}{wrap}">'
    if shown.kind == "interval":
        pairs = interval_cells(name, shown.cells, shown.highs, language=language)
        inside = [f'<bdi dir="ltr">{escape(bracketed(*pair, language))}</bdi>' if pair else "" for pair in pairs]
    else:
        cells = column(name, shown.cells, language=language)
        inside = [_inside(raw, cell, name in own, language) for raw, cell in zip(shown.cells, cells, strict=True)]
    return [f"{opening}{text}</td>" for text in inside]


def _inside(raw: Any, cell: str, ours: bool, language: str) -> str:
    if not isinstance(raw, str):
        return escape(cell) if isolated_number(cell, language) == cell else f'<bdi dir="ltr">{escape(cell)}</bdi>'
    if isinstance(raw, Words):
        return escape(raw)
    if ours or raw in (MISSING, UNMAPPED):
        return _text(word(raw, language=language))
    return _text(cell)


def _text(text: str) -> str:
    """Escape a name and keep its direction to itself; a long one is cut, with all of it in the tooltip."""
    if isinstance(text, Words):
        return escape(text)
    text = visible(text)
    short = shortened(text, WIDEST)
    title = "" if short == text else f' title="{escape(shortened(text, LONGEST_TITLE))}"'
    return f"<bdi{title}>{escape(short)}</bdi>"


def _foot(df: pd.DataFrame, max_rows: int | None, columns: int, language: str) -> str:
    hidden = len(df) - rows_shown(df, max_rows)
    if len(df) and not hidden:
        return ""
    text = (
        say("core.more_rows", rows=hidden, language=language)
        if hidden
        else say("core.empty", rows=0, language=language)
    )
    return f'<tfoot><tr><td colspan="{max(columns, 1)}" style="{_STYLES["text"]}">{escape(text)}</td></tr></tfoot>'
