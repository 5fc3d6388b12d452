"""Lay a page out as HTML with the template of this folder."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from journeykit.reports.formulas import with_formulas
from journeykit.reports.page import Page
from journeykit.reports.sanitize import harmless
from journeykit.text import language, say

_INTERVAL: Final = re.compile(r"\[[^\[\]<>]{1,40}\]")
TEMPLATE: Final = Path(__file__).parent / "template"


def render_page(page: Page, made: Mapping[str, Any]) -> str:
    """Render a page.

    Parameters
    ----------
    page : Page
        From `read_page`.
    made : mapping
        How it was made, shown small at the end: `source` (what the data line
        says), `sample`, `parameters` (name → value), `facts` (name → value).

    Returns
    -------
    str
        HTML that needs nothing else: no script, no font, no request.
    """
    with language(page.cover["language"]):
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
        html, _ = _exporter().from_notebook_node(
            _node(notebook), resources={"page": page, "made": made, "say": say, "policy": policy()}
        )
    return str(html)


def policy() -> str:
    """Return the page's content-security policy: its own style, pictures inside the page, nothing else.

    Examples
    --------
    >>> policy().split("; ")[0]
    "default-src 'none'"
    """
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode("ascii")
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def style() -> str:
    """Return the style sheet, as it stands in a page."""
    return (TEMPLATE / "page.css").read_text(encoding="utf-8")


def paragraphs(source: str) -> str:
    """Markdown as harmless HTML, its formulas as MathML."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    return with_formulas(source, lambda text: harmless(MarkdownWithMath(renderer=renderer).render(text)))


def together(text: str) -> str:
    """Escape a text, and keep each interval in brackets on one line.

    Examples
    --------
    >>> together("<b> 5% [4%, 6%]")
    '&lt;b&gt; 5% <span class="together">[4%, 6%]</span>'
    """
    return _INTERVAL.sub(r'<span class="together">\g<0></span>', escape(text))


@cache
def _exporter() -> Any:
    """Our template in nbconvert: found beside this file, whatever templates the machine has."""
    from jinja2 import FileSystemLoader
    from nbconvert.exporters.html import HTMLExporter

    exporter = HTMLExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        extra_loaders=[FileSystemLoader(str(TEMPLATE))],
    )
    exporter.register_filter("paragraphs", paragraphs)
    exporter.register_filter("together", together)
    exporter.environment.globals["style"] = style
    return exporter


def _node(notebook: Mapping[str, Any]) -> Any:
    from nbformat import from_dict

    return from_dict(notebook)
