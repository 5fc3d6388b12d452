"""From an executed notebook to a page that stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from journeykit.errors import ReportError
from journeykit.reports.blocks import BLOCK
from journeykit.reports.sanitize import harmless

LONG: Final = 12
"""Rows from which on a table is folded: the picture above it has said the same."""

_HEADING: Final = re.compile(r"^(#{1,2}) +(.+?) *#*$")
_FENCE: Final = re.compile(r"^ {0,3}(```|~~~)")
_IMAGES: Final = ("image/png", "image/jpeg", "image/svg+xml")


@dataclass
class Section:
    """A part of the page: an anchor, a title (empty for what stands before the first), and its pieces."""

    anchor: str
    title: str
    pieces: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Page:
    """What the template lays out.

    Attributes
    ----------
    title : str
    cover : dict
        Language, direction, and the lines about period, size and quality.
    headline : dict or None
        The sentence, and the picture beside it.
    sections : list of Section
    code : list of str
        The notebook's code, for the curious.
    """

    title: str
    cover: dict[str, Any]
    headline: dict[str, Any] | None
    sections: list[Section]
    code: list[str]


def read_page(notebook: Mapping[str, Any], name: str) -> Page:
    """Read a page from an executed notebook.

    Parameters
    ----------
    notebook : mapping
        With its outputs.
    name : str
        Its name: the title where the notebook says none.

    Returns
    -------
    Page

    Raises
    ------
    ReportError
        If a figure has no alternative text or no caption.
    """
    page = Page(name.replace("_", " "), {"language": "en", "direction": "ltr"}, None, [Section("top", "")], [])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and "about" not in cell["metadata"].get("tags", []):
            _read_markdown(cell["source"], page)
        elif cell["cell_type"] == "code":
            if cell["source"].strip() and "injected-parameters" not in cell["metadata"].get("tags", []):
                page.code.append(cell["source"])
            _read_outputs(cell, len(page.code), page)
    page.sections = [section for section in page.sections if section.title or section.pieces]
    return page


def _read_outputs(cell: Mapping[str, Any], number: int, page: Page) -> None:
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if BLOCK in data:
            _place_block(data[BLOCK], data, page)
        elif output["output_type"] == "stream":
            if output["name"] == "stdout" and output["text"].strip():
                _add(page, {"kind": "pre", "text": output["text"].rstrip()})
        elif output["output_type"] in ("display_data", "execute_result"):
            _add(page, _plain_output(data, output.get("metadata", {}), cell, number))


def _place_block(block: Mapping[str, Any], data: Mapping[str, Any], page: Page) -> None:
    kind = block["kind"]
    if kind == "cover":
        page.cover, page.title = dict(block), block["title"]
    elif kind == "headline":
        page.headline = {"sentence": block["sentence"], "figure": None, "metrics": block.get("metrics", [])}
        if block["figure"] is not None:
            page.headline["figure"] = _figure(block["figure"], "image/png", data["image/png"])
    elif kind == "section":
        _begin_section(page, block["title"])
    elif kind == "figure":
        _add(page, _figure(block, "image/png", data["image/png"]))
    elif kind == "table":
        _add(page, table_piece(block, page.sections[-1].pieces))
    elif kind in ("text", "note"):
        _add(page, dict(block))


def table_piece(block: Mapping[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    """A table; its caption isn't said again right below a picture that has the same."""
    said = bool(before) and before[-1]["kind"] == "figure" and before[-1]["caption"] == block["caption"]
    long = block.get("rows", 0) > LONG
    return {"kind": "table", "html": harmless(block["html"]), "caption": block["caption"], "long": long, "said": said}


def _plain_output(
    data: Mapping[str, Any], metadata: Mapping[str, Any], cell: Mapping[str, Any], number: int
) -> dict[str, Any]:
    """Lay out what a notebook shows without our help; a picture must still say what it shows."""
    for media in _IMAGES:
        if media in data:
            said = {**cell["metadata"], **metadata, **metadata.get(media, {})}
            for word in ("alt", "caption"):
                if not str(said.get(word, "")).strip():
                    raise ReportError(
                        f"code cell {number} shows a picture without {word}: use "
                        "report.figure(figure, alt=…, caption=…), or give the cell's metadata `alt` and `caption`"
                    )
            return _figure({"alt": said["alt"], "caption": said["caption"]}, media, data[media])
    if "text/html" in data and "application/vnd.jupyter.widget-view+json" not in data:
        return {"kind": "html", "html": harmless(data["text/html"])}
    if "text/markdown" in data:
        return {"kind": "markdown", "source": data["text/markdown"]}
    if "application/javascript" in data or "application/vnd.jupyter.widget-view+json" in data:
        return {"kind": "not_shown"}
    if "text/latex" in data:
        return {"kind": "markdown", "source": data["text/latex"]}
    return {"kind": "pre", "text": str(data.get("text/plain", ""))}


def _figure(block: Mapping[str, Any], media: str, picture: str) -> dict[str, Any]:
    import base64

    encoded = picture if media != "image/svg+xml" else base64.b64encode(picture.encode()).decode("ascii")
    return {
        "kind": "figure",
        "source": f"data:{media};base64,{''.join(encoded.split())}",
        "alt": block["alt"],
        "caption": block["caption"],
        "width": block.get("width"),
        "height": block.get("height"),
    }


def _read_markdown(source: str, page: Page) -> None:
    """Cut a markdown cell at its headings: the first # is the page's title, ## begin sections."""
    for heading, text in _parts(source):
        if heading is not None and heading[0] == 1 and len(page.sections) == 1 and "title" not in page.cover:
            page.title = heading[1]
            page.cover["title"] = heading[1]
        elif heading is not None:
            _begin_section(page, heading[1])
        if text.strip():
            _add(page, {"kind": "markdown", "source": text})


def _parts(source: str) -> Iterator[tuple[tuple[int, str] | None, str]]:
    heading: tuple[int, str] | None = None
    lines: list[str] = []
    fenced = False
    for line in source.splitlines():
        fenced ^= bool(_FENCE.match(line))
        found = None if fenced else _HEADING.match(line)
        if found:
            yield heading, "\n".join(lines)
            heading, lines = (len(found[1]), found[2]), []
        else:
            lines.append(line)
    yield heading, "\n".join(lines)


def _begin_section(page: Page, title: str) -> None:
    page.sections.append(Section(f"part-{len(page.sections)}", title))


def _add(page: Page, piece: dict[str, Any]) -> None:
    page.sections[-1].pieces.append(piece)
