"""What a page is made of, and that nothing from data can be more than text."""

import io
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import journeykit as jk
from journeykit.errors import ReportError
from journeykit.reports.blocks import BLOCK, encode_figure, figure_block, metric_records
from journeykit.reports.page import read_page
from journeykit.reports.render import policy, render_page, style
from journeykit.reports.sanitize import harmless
from tests.helpers import make_log

ATTACKS = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "javascript:alert(1)",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }}",
    "=cmd|' /C calc'!A0",
    "]]><!--",
    "</title></style></noscript>",
]
MADE = {"source": None, "sample": False, "parameters": {}, "facts": {}}


def output(block=None, metadata=None, **data):
    media = {name.replace("__", "/").replace("_plus_", "+"): value for name, value in data.items()}
    if block is not None:
        media[BLOCK] = block
    return {"output_type": "display_data", "data": media, "metadata": metadata or {}}


def notebook(*outputs, markdown=(), source="x = 1"):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": text} for text in markdown]
    cells.append({"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)})
    return {"cells": cells}


def cover(title="Visits", language="en"):
    return {
        "kind": "cover",
        "title": title,
        "language": language,
        "direction": "rtl" if language == "he" else "ltr",
        "period": {"start": "2024-01-01T00:00:00+00:00", "end": "2024-02-01T00:00:00+00:00", "timezone": "UTC"},
        "period_line": "Jan 1, 2024 to Jan 31, 2024 (UTC)",
        "size_line": "2 customers",
        "quality_line": "all used",
    }


FIGURE = {"kind": "figure", "alt": "bars", "caption": "Reach", "width": 10, "height": 5}


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


def page_of(*outputs, **options):
    return read_page(notebook(*outputs, **options), "my_report")


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_comes_from_data_is_only_ever_text(attack):
    picture = {**FIGURE, "alt": attack, "caption": attack}
    html = render_page(
        page_of(
            output(cover(attack)),
            output({"kind": "headline", "sentence": attack, "figure": picture}, image__png="AAAA"),
            output({"kind": "section", "title": attack}),
            output({"kind": "text", "paragraphs": [attack]}),
            output({"kind": "note", "paragraphs": [attack]}),
            output(picture, image__png="AAAA"),
            output({"kind": "table", "html": f"<table><tr><td>{attack}</td></tr></table>", "caption": attack}),
            output(text__html=f"<p>{attack}</p>"),
            output(text__markdown=f"text {attack}"),
            output(text__latex=attack),
            output(text__plain=attack),
            {"output_type": "stream", "name": "stdout", "text": attack},
            markdown=[f"## {attack}\n\n{attack} [link]({attack})"],
            source=attack,
        ),
        {"source": attack, "sample": True, "parameters": {"x": attack}, "facts": {"run": attack}},
    )
    tags = Tags(html)
    assert not tags.of("script")
    assert not tags.of("svg")
    assert len(tags.of("style")) == len(tags.of("title")) == 1
    assert all(image["src"].startswith("data:image/png;base64,") for image in tags.of("img"))
    assert all(link.get("href", "#").startswith("#") for link in tags.of("a"))
    assert not [attrs for _, attrs in tags.found if any(name.startswith("on") or name == "style" for name in attrs)]
    assert "49" not in re.sub(r"sha256-\S+", "", html) or "7 * 7" in html


def test_the_page_says_its_language_and_direction_and_has_one_h1():
    html = render_page(page_of(output(cover("ביקורים", "he")), output({"kind": "section", "title": "א"})), MADE)
    tags = Tags(html)
    assert tags.of("html") == [{"lang": "he", "dir": "rtl"}]
    assert len(tags.of("h1")) == 1
    assert "תקופה" in html  # "Period", in the page's language
    assert "Period" not in html


def test_headings_go_down_one_step_at_a_time_and_contents_lead_to_them():
    html = render_page(
        page_of(
            output(cover()),
            output({"kind": "section", "title": "One"}),
            output({"kind": "section", "title": "Two"}),
            markdown=["# A title\n\n## Zero\n\n### below\n\n# Again"],
        ),
        MADE,
    )
    tags = Tags(html)
    levels = [int(tag[1]) for tag, _ in tags.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    anchors = {attrs["id"] for _, attrs in tags.found if "id" in attrs}
    links = [link["href"][1:] for link in tags.of("a")]
    assert len(links) == 4
    assert set(links) <= anchors


def test_a_notebook_without_our_blocks_becomes_a_page_too():
    page = page_of(
        output(text__html="<table><tr><td>a</td></tr></table><style>x{}</style>"),
        output(application__javascript="alert(1)", text__plain="<js>"),
        {"output_type": "stream", "name": "stderr", "text": "a warning"},
        {"output_type": "execute_result", "data": {"text/plain": "42"}, "metadata": {}, "execution_count": 1},
        markdown=["# My title\n\nFirst words.", "## Part\n\n```python\n# not a heading\n```"],
    )
    assert page.title == "My title"
    assert [section.title for section in page.sections] == ["", "Part"]
    html = render_page(page, MADE)
    assert "<td>a</td>" in html
    assert "x{}" not in html
    assert "alert(1)" not in html
    assert "a warning" not in html
    assert '<pre tabindex="0">42</pre>' in html


@pytest.mark.parametrize("missing", ["alt", "caption"])
def test_a_picture_needs_alternative_text_and_a_caption(missing):
    said = {"alt": "bars", "caption": "Reach", missing: " "}
    with pytest.raises(ReportError, match=f"code cell 1 shows a picture without {missing}"):
        page_of(output(image__png="AAAA", metadata={"image/png": said}))
    with pytest.raises(ReportError, match="a figure needs"):
        figure_block(None, **said)
    page = page_of(output(image__svg_plus_xml="<svg onload='x'/>", metadata={"alt": "bars", "caption": "Reach"}))
    source = page.sections[0].pieces[0]["source"]
    assert source.startswith("data:image/svg+xml;base64,")  # as a picture: nothing in it runs


def test_the_policy_allows_this_style_and_nothing_else():
    html = render_page(page_of(output(cover())), MADE)
    assert f"<style>{style()}</style>" in html
    assert "script" not in policy()
    assert "default-src 'none'" in policy()
    assert "http" not in re.sub(r'http-equiv="', "", html)


def test_links_to_the_web_stay_and_other_protocols_go():
    assert (
        harmless('<a href="https://example.org/x?a=1&b=2">x</a>') == '<a href="https://example.org/x?a=1&amp;b=2">x</a>'
    )
    for protocol in ("javascript:x", "data:text/html,x", "vbscript:x", "java\nscript:x", "file:///etc"):
        assert harmless(f'<a href="{protocol}">x</a>') == "<a>x</a>"


def test_the_same_figure_gives_the_same_small_picture():
    from matplotlib.figure import Figure

    def draw():
        figure = Figure(figsize=(8, 4))
        axes = figure.subplots()
        axes.fill_between(range(500), range(500), range(10, 510), alpha=0.3)
        return encode_figure(figure)

    picture, width, height = draw()
    assert draw()[0] == picture
    assert len(picture) < 40_000
    assert 600 < width <= 800
    assert 300 < height <= 400
    assert picture.startswith(b"\x89PNG")


def test_metric_records_hold_no_nan_and_no_numpy():
    import numpy as np
    import pandas as pd

    records = metric_records(pd.DataFrame({"name": ["a"], "value": [np.nan], "n": [np.int64(3)], "low": [np.inf]}))
    assert records == [{"name": "a", "value": None, "n": 3, "low": None}]
    assert type(records[0]["n"]) is int


def test_a_small_picture_keeps_the_shade_of_what_is_not_known_yet():
    from PIL import Image

    rows = [(f"c{i}", "A", day) for i in range(20) for day in (i, i + 3 * (i % 5))]
    curve = jk.survival_curve(make_log(rows, observed_until=90), churn=jk.Inactivity("30d"))
    picture, _, _ = encode_figure(curve.figure())
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
    grey = (np.ptp(pixels, axis=1) <= 8) & (pixels.max(axis=1) < 244) & (pixels.min(axis=1) > 220)
    assert grey.mean() > 0.1
