"""Sentences: numbers in place, names untouched, Hebrew laid out right."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis.strategies import characters, text

from journeykit.text import MessageError, catalogue, format_value, label, language, say, word
from journeykit.text.names import END_ISOLATE, ISOLATE, LTR_ISOLATE, has_right_to_left

NAN = float("nan")


@pytest.fixture
def topic(monkeypatch):
    """Say messages of a test, in either language."""

    def add(**messages):
        known = {code: catalogue.catalogue(code) for code in ("en", "he")}
        extra = {f"test.{key}": said for key, said in messages.items()}
        made = {
            code: catalogue.Catalogue({**old.messages, **extra}, old.nouns, old.labels) for code, old in known.items()
        }
        monkeypatch.setattr(catalogue, "catalogue", made.__getitem__)

    return add


def visual_order(sentence):
    """Lay a line out as a screen does, by libraqm (in Matplotlib): the letters from left to right."""
    layout = pytest.importorskip("matplotlib._text_helpers").layout
    from matplotlib.font_manager import findfont, get_font

    items = sorted(layout(sentence, get_font([findfont("DejaVu Sans")])), key=lambda item: item.x)
    return "".join(item.char for item in items if unicodedata.category(item.char) != "Cf")


def test_a_sentence_counts_its_nouns():
    said = say("core.log_summary", events=12_345, customers=1, starts_at=None, ends_at=None)
    assert said == "12,345 interactions of 1 customer, – to –"


def test_a_sentence_takes_the_form_of_its_number():
    forms = {count: say("core.more_rows", rows=count, language="he") for count in (1, 2, 3, 1200)}
    assert forms == {1: "… ועוד שורה אחת", 2: "… ועוד שתי שורות", 3: "… ועוד 3 שורות", 1200: "… ועוד 1,200 שורות"}


def test_an_interval_stands_in_brackets_after_its_estimate(topic):
    topic(
        rate="{reach_rate_with_interval} reached it", bounds="{reach_rate_interval}", days="{wait_days_with_interval}"
    )
    rate = {"reach_rate": 0.342, "reach_rate_low": 0.301, "reach_rate_high": 0.385}
    assert say("test.rate", **rate) == "34.2% [30.1%, 38.5%] reached it"
    assert say("test.bounds", **rate) == "[30.1%, 38.5%]"
    assert say("test.days", wait_days=34, wait_days_low=30, wait_days_high=NAN) == "34 days [30, –]"
    assert say("test.rate", reach_rate=NAN, reach_rate_low=NAN, reach_rate_high=NAN) == "– reached it"


def test_a_missing_message_or_number_is_named(topic):
    with pytest.raises(MessageError, match=r"no message 'core\.nope'"):
        say("core.nope")
    with pytest.raises(MessageError, match=r"message 'core.left_out' needs reason=, got \['customers'\]"):
        say("core.left_out", customers=3)
    topic(headless={"one": "a", "other": "b"})
    with pytest.raises(MessageError, match="naming their number"):
        say("test.headless", n=1)


def test_names_from_data_are_never_read_as_templates():
    said = say("core.list_name", name="{text} {0} {name.__class__}", text="%s $x")
    assert said == "{text} {0} {name.__class__}: %s $x"


def test_a_hebrew_sentence_keeps_names_and_numbers_apart():
    said = say("core.list_name", name="cart (2)", text="עגלה", language="he")
    assert said == f"{ISOLATE}cart (2){END_ISOLATE}: עגלה"


def test_an_english_sentence_stays_bare_unless_a_name_runs_right_to_left():
    assert say("core.list_name", name="cart", text="a–b") == "cart: a–b"
    assert say("core.list_name", name="עגלה", text="cart") == f"{ISOLATE}עגלה{END_ISOLATE}: cart"


def test_said_words_may_be_said_again():
    with language("he"):
        said = say("core.list_name", name=label("stage"), text=say("core.list_name", name="a b", text="c"))
    assert said == f"שלב: {ISOLATE}a b{END_ISOLATE}: {ISOLATE}c{END_ISOLATE}"


def test_hebrew_intervals_read_low_to_high(topic):
    topic(rate="אב {reach_rate_with_interval} גד")
    said = say("test.rate", reach_rate=0.342, reach_rate_low=0.301, reach_rate_high=0.385, language="he")
    assert said == f"אב 34.2% {LTR_ISOLATE}[30.1%, 38.5%]{END_ISOLATE} גד"
    assert visual_order(said) == "דג [30.1%, 38.5%] 34.2% בא"
    bare = said.replace(LTR_ISOLATE, "").replace(END_ISOLATE, "")
    assert "[30.1%, 38.5%]" not in visual_order(bare)  # what the isolates are for


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("change", -1234.5, "-1,234"),
        ("share_difference", 0.032, "זוחא ׳קנ +3.2"),
        ("difference", 3.2, "+3.20"),
        ("early_seconds", -192, "׳קד -3.2"),
        ("early_days", -34, "םימי -34"),
        ("reach_rate", 1e-9, "<0.001%"),
        ("hazard", 1.2e-9, "1.2E-9"),
        ("customers", 1234, "1,234"),
    ],
)
def test_signs_stay_before_hebrew_numbers(topic, name, value, shown):
    topic(number=f"אב {{{name}}} גד")
    said = visual_order(say("test.number", language="he", **{name: value}))
    assert said == f"דג {shown} בא"


def test_a_hebrew_name_in_english_does_not_swap_the_numbers(topic):
    topic(two="{touchpoint}, {customers} of {base}")
    said = visual_order(say("test.two", touchpoint="אב", customers=5, base=7))
    assert said == "בא, 5 of 7"


def test_copied_hebrew_numbers_are_plain_inside_their_isolates(topic):
    topic(number="אב {change} גד")
    said = say("test.number", change=-5, language="he")
    inside = said[said.index(LTR_ISOLATE) + 1 : said.index(END_ISOLATE)]
    assert float(inside) == -5


def test_lists_join_names_as_the_language_does(topic):
    topic(names="{steps}")
    assert say("test.names", steps=["visit", "cart", "buy"]) == "visit, cart, and buy"
    assert say("test.names", steps=["סל", "רכישה"], language="he") == "סל ורכישה"
    assert say("test.names", steps=["סל", "buy now"], language="he") == f"סל ו-{ISOLATE}buy now{END_ISOLATE}"


def test_a_word_is_ours_or_stays_as_it_is():
    assert word("core.suppressed", language="he") == "מעט מכדי להציג"
    assert word("stage", language="he") == "שלב"
    assert word("utm_medium") == "utm_medium"
    assert word("core.left_out") == "core.left_out"  # needs numbers: a name that happens to look like a key


@given(name=text(characters()))
@example("\u2069\u202eevil\u2066")
@example("a\ud800b\x1b[2J")
@example("{__import__('os')}")
def test_no_name_can_turn_or_break_a_sentence(name):
    for code in ("en", "he"):
        said = say("core.list_name", name=name, text="end", language=code)
        said.encode("utf-8")
        assert "\n" not in said
        depth = 0
        for letter in said:
            assert letter not in "\u202a\u202b\u202c\u202d\u202e\u2067\x1b"
            depth += (letter in (ISOLATE, LTR_ISOLATE)) - (letter == END_ISOLATE)
            assert 0 <= depth <= 1
        assert depth == 0
        if code == "en" and not has_right_to_left(name):
            assert said == f"{format_value('name', name)}: end"
