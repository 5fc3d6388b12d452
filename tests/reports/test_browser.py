"""Pages in a real browser: no request, no complaint, readable by everybody."""

import importlib.util
import itertools
from pathlib import Path

import pytest

from journeykit.reports.blocks import BLOCK, figure_block
from journeykit.reports.history import append_history
from journeykit.reports.index import write_index
from journeykit.reports.page import read_page
from journeykit.reports.render import render_page

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("jk_browser", HERE / "browser.py")
tools = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tools)

COMMAND = tools.find_chromium()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(COMMAND is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]

ATTACK = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"

# Text too faint for its ground (WCAG 2, level AA).
FAINT = """
(() => {
  const channel = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const colour = text => text.match(/[\\d.]+/g).map(Number);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const [r, g, b, a = 1] = colour(getComputedStyle(node).backgroundColor);
      if (a > .99) return [r, g, b];
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  for (let node; node = walker.nextNode();) {
    const box = node.parentElement;
    if (!node.data.trim() || !box.getClientRects().length) continue;
    const style = getComputedStyle(box), size = parseFloat(style.fontSize);
    const [a, b] = [luminance(colour(style.color)), luminance(ground(box))].sort((x, y) => y - x);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if ((a + .05) / (b + .05) < (large ? 3 : 4.5)) faint.push(node.data.trim() + ' ' + style.color);
  }
  return faint;
})()
"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser():
    with tools.chromium(COMMAND) as opened:
        yield opened


def output(block, **media):
    return {"output_type": "display_data", "data": {BLOCK: block, **media}, "metadata": {}}


def write_page(path, language):
    """Write a page with everything on it, and an attack wherever data can stand."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4))
    figure.subplots().barh(["awareness", "consideration", "purchase"], [5, 3, 1])
    block, png = figure_block(figure, alt=ATTACK, caption=ATTACK)
    cover = {
        "kind": "cover",
        "title": f"Visits {ATTACK}",
        "language": language,
        "direction": {"en": "ltr", "he": "rtl"}[language],
        "period": {},
        "period_line": "Jan 1, 2024 to Jan 31, 2024 (UTC)",
        "size_line": "5 customers",
        "quality_line": "all used",
    }
    row = "<td>" + "".join("&lt;wide&gt; " * 30) + "</td>"
    outputs = [
        output(cover),
        output({"kind": "headline", "sentence": "Of 5, 20% [4%, 62%] buy.", "figure": block}, **{"image/png": png}),
        output({"kind": "section", "title": "Part"}),
        output({"kind": "text", "paragraphs": [ATTACK]}),
        output({"kind": "note", "paragraphs": ["left out"]}),
        output(block, **{"image/png": png}),
        output({"kind": "section", "title": ATTACK}),
        output(
            {
                "kind": "table",
                "html": f"<table><tr><th scope='col'>{ATTACK}</th></tr><tr>{row}</tr></table>",
                "caption": ATTACK,
            }
        ),
        {"output_type": "stream", "name": "stdout", "text": ATTACK + "long " * 100},
    ]
    cells = [{"cell_type": "code", "metadata": {}, "source": f"# {ATTACK}", "outputs": outputs}]
    made = {"source": ATTACK, "sample": True, "parameters": {"x": ATTACK}, "facts": {"run": "20240101"}}
    path.write_text(render_page(read_page({"cells": cells}, "visits"), made), encoding="utf-8")
    return path


def write_runs(out):
    number = {
        "name": ATTACK,
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "n": 9,
        "unit": "rate",
        "segment": ATTACK,
        "definition": "a/1",
    }
    for run in ("1", "2", "3"):
        append_history(
            out,
            {
                "report": f"visits{ATTACK}",
                "run": run,
                "outcome": "failed" if run == "3" else "ok",
                "reason": ATTACK,
                "started_at": "2024-01-01T01:02:03",
                "title": ATTACK,
                "headline": ATTACK,
                "period_line": ATTACK,
                "source": ATTACK,
                "numbers": [number],
            },
        )
    return write_index(out)


@pytest.fixture(scope="module", params=["en", "he"])
def page(request, tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("page") / "report.html", request.param)


SAMPLES = sorted((HERE.parents[1] / "reports" / "sample").glob("*.html"))


@pytest.fixture(scope="module", params=["en", "he", "index", *SAMPLES], ids=lambda page: getattr(page, "stem", page))
def any_page(request, tmp_path_factory):
    if isinstance(request.param, Path):
        return request.param
    out = tmp_path_factory.mktemp("any")
    return write_runs(out) if request.param == "index" else write_page(out / "report.html", request.param)


def open_anywhere(browser, path):
    """Every way in which a page is looked at."""
    for options in ({}, {"dark": True}, {"width": 390, "height": 844, "phone": True}, {"print_media": True}):
        browser.open(path, **options)
        yield options


def test_it_asks_for_nothing_complains_of_nothing_and_runs_nothing(browser, any_page):
    for options in open_anywhere(browser, any_page):
        assert browser.requests == [], options
        assert browser.complaints == [], options
        assert browser.evaluate("document.scripts.length") == 0
        assert browser.evaluate("document.title") != "broken"


def test_it_is_readable_in_light_and_dark_on_a_phone_and_on_paper(browser, any_page):
    for options in open_anywhere(browser, any_page):
        browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.evaluate(FAINT) == [], options
        assert browser.evaluate(WIDER) <= 0, options


def test_pictures_have_words_and_contents_lead_somewhere(browser, page):
    browser.open(page)
    assert browser.evaluate("[...document.images].every(each => each.alt && each.naturalWidth > 0)")
    links = browser.evaluate("[...document.querySelectorAll('nav a')].map(each => each.hash)")
    assert len(links) == 2
    for link in links:
        assert browser.evaluate(f"document.querySelector({link!r}).querySelector('h2') !== null")
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda page: page.stem)
def test_a_sample_page_says_its_point_above_the_fold_in_25_words(browser, sample):
    browser.open(sample, width=1280, height=800)
    for what in ("h1", ".lines", ".headline .sentence", ".headline img"):
        assert browser.evaluate(f"document.querySelector({what!r}).getBoundingClientRect().bottom") <= 800, what
    said = browser.evaluate("document.querySelector('.headline .sentence').textContent")
    assert len(said.split()) <= 25
    assert "[" in said
    assert "]" in said
    assert sample.stat().st_size < 300_000
    assert browser.evaluate("[...document.images].every(each => each.alt && each.naturalWidth > 0)")
    links = browser.evaluate("[...document.querySelectorAll('nav a')].map(each => each.hash)")
    assert links
    for link in links:
        assert browser.evaluate(f"document.querySelector({link!r}).querySelector('h2') !== null")
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(each => +each.tagName[1])")
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_point_stands_above_the_fold(browser, page):
    browser.open(page, width=1280, height=800)
    for what in ("h1", ".lines", ".headline .sentence", ".headline img"):
        assert browser.evaluate(f"document.querySelector({what!r}).getBoundingClientRect().bottom") <= 800, what


def test_a_right_to_left_page_begins_on_the_right(browser, page):
    browser.open(page)
    direction = browser.evaluate("document.documentElement.dir")
    heading = browser.evaluate(
        "(r => [r.left, innerWidth - r.right])(document.querySelector('.lines div').getBoundingClientRect())"
    )
    assert (heading[0] < heading[1]) == (direction == "ltr")
