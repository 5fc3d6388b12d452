"""HTML: every letter from data escaped, nothing that runs, headings in words."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis.strategies import characters, lists, text

from journeykit.text import Html, html_result, html_table, language, say
from journeykit.text.names import visible

TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "bdi", "section", "h3", "p", "small"}
ATTRIBUTES = {"class", "style", "dir", "lang", "scope", "colspan", "title"}
NASTY = [
    "<script>alert(1)</script>",
    '"onmouseover="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "]]><!--",
    "👩‍👩‍👧 🛒",
    "\u202etxt.exe",
    "\u2069\u2069עגלה\u2066",
    "a\r\nb\tc\x00",
    "\ud800",
    "</table></section>",
    "{customers}",
]


class Page(HTMLParser):
    """What a browser would see."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.cells, self.open = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def check_harmless(html):
    page = Page(html)
    assert set(page.tags) <= TAGS
    assert {name for _, name, _ in page.attributes} <= ATTRIBUTES
    assert not [value for _, name, value in page.attributes if name == "style" and ("url" in value or "(" in value)]
    assert page.open == []
    html.encode("utf-8")
    return page


def test_a_table_is_semantic_and_speaks_its_language():
    table = pd.DataFrame(
        {"stage": ["purchase"], "reach_rate": [0.5], "reach_rate_low": [0.4], "reach_rate_high": [0.6]}
    )
    with language("he"):
        html = html_table(table, caption="כותרת")
    page = check_harmless(html)
    assert isinstance(html, Html)
    assert page.tags[:3] == ["table", "caption", "thead"]
    assert ("table", "lang", "he") in page.attributes
    assert ("table", "dir", "rtl") in page.attributes
    assert [value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")] == ["col", "col"]
    assert page.cells == ["שלב", "שיעור ההגעה", "רכישה", "50.0%", "[40.0%, 60.0%]"]
    assert '<bdi dir="ltr">[40.0%, 60.0%]</bdi>' in html


def test_headings_are_labels_and_properties_stay_as_they_are():
    page = Page(html_table(pd.DataFrame({"reach_rate": [0.5], "utm_medium": ["x"], 7: [1]})))
    assert page.cells[:3] == ["reach rate", "utm_medium", "7"]


def test_words_of_ours_are_translated_and_names_from_data_are_not():
    table = pd.DataFrame({"status": ["unfinished", "core.suppressed"], "touchpoint": ["unfinished", "(missing)"]})
    page = Page(html_table(table, language="he"))
    assert page.cells[2:] == ["טרם הסתיים", "unfinished", "מעט מכדי להציג", "(חסר)"]
    assert Page(html_table(table, language="he", words=())).cells[2] == "unfinished"
    assert Page(html_table(pd.DataFrame({"action": ["kept"]}), language="he")).cells[1] == "נשמרו"  # of `log.quality`


def test_numbers_stand_right_and_keep_their_sign_in_hebrew():
    html = html_table(pd.DataFrame({"rate_difference": [-0.032], "change": [-5], "customers": [7]}), language="he")
    page = check_harmless(html)
    assert html.count("text-align:right") == 6
    assert '<bdi dir="ltr">-5</bdi>' in html  # no marks inside: it can be copied into a sheet
    assert page.cells[-1] == "7"


def test_rows_beyond_the_limit_are_counted():
    page = Page(html_table(pd.DataFrame({"customers": range(60)})))
    assert page.cells[-1] == "… 10 more rows"
    assert Page(html_table(pd.DataFrame({"customers": []}))).cells[-1] == "no rows"
    assert len(Page(html_table(pd.DataFrame({"customers": range(60)}), max_rows=None)).cells) == 61


def test_a_long_name_is_cut_and_stands_whole_in_its_tooltip():
    name = "x" * 200 + '"'
    page = check_harmless(html_table(pd.DataFrame({"touchpoint": [name]})))
    assert page.cells[1] == "x" * 59 + "…"
    assert ("bdi", "title", name) in page.attributes


@pytest.mark.parametrize("name", NASTY)
def test_attacks_stand_as_text_everywhere(name):
    table = pd.DataFrame(
        {name: [name], "stage": [name], "n": pd.Categorical([name])}, index=pd.Index([name], name=name + " ")
    )
    page = check_harmless(html_table(table, caption=name))
    assert page.cells[-3:] == [visible(name)] * 3
    check_harmless(html_result(name, [name, say("core.list_name", name=name, text=name)], [html_table(table)], [name]))


@given(names=lists(text(characters()), min_size=1, max_size=4))
@example(NASTY)
def test_any_name_is_harmless(names):
    for code in ("en", "he"):
        html = html_table(pd.DataFrame({"touchpoint": names, "customers": np.arange(len(names))}), language=code)
        page = check_harmless(html)
        assert len(page.cells) == 2 + 2 * len(names)
        assert not set(html) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_a_result_refuses_a_table_that_nobody_escaped():
    with pytest.raises(TypeError, match="html_table"):
        html_result("title", tables=["<table></table>"])


def test_a_result_puts_its_parts_in_order():
    table = html_table(pd.DataFrame({"customers": [1]}))
    html = html_result("Title", ["One.", "Two."], [table], ["Note."], language="he")
    assert check_harmless(html).tags[:4] == ["section", "h3", "p", "p"]
    assert html.index("One.") < html.index("Two.") < html.index("<table") < html.index("Note.")
    assert html.startswith('<section class="jk-result" lang="he" dir="rtl"><h3>Title</h3>')
    assert html_result("T", "One sentence.").count("<p>") == 1
