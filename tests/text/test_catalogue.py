"""Every language says the same things, with the same numbers and all the forms it needs."""

import tomllib
from decimal import Decimal

import pytest
from babel import Locale

from journeykit.text import MessageError, has_label, label
from journeykit.text.catalogue import catalogue, choose, counted, message, pieces
from journeykit.text.languages import MESSAGES, languages

OTHERS = [code for code in languages() if code != "en"]


def placeholders(template, key):
    return {(name, noun) for _, name, noun in pieces(template, key) if name is not None}


def forms_of(message):
    return (
        {"": message}
        if isinstance(message, str)
        else {form: text for form, text in message.items() if form != "plural"}
    )


def plural_tables(code):
    known = catalogue(code)
    yield from ((key, forms) for key, forms in known.messages.items() if not isinstance(forms, str))
    yield from ((f"nouns.{noun}", forms) for noun, forms in known.nouns.items())


def test_the_four_languages_are_there():
    assert {"en", "he", "id", "tr"} <= set(languages())


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_the_files_of_english(code):
    assert {path.name for path in (MESSAGES / code).iterdir()} == {path.name for path in (MESSAGES / "en").iterdir()}


@pytest.mark.parametrize("code", OTHERS)
def test_every_language_has_the_keys_of_english_and_no_more(code):
    english, other = catalogue("en"), catalogue(code)
    assert set(other.messages) == set(english.messages)
    assert set(other.nouns) == set(english.nouns)
    assert set(other.labels) == set(english.labels)


@pytest.mark.parametrize("code", OTHERS)
def test_every_topic_has_the_keys_of_english(code):
    for path in (MESSAGES / "en").glob("*.toml"):
        english, other = (tomllib.loads((MESSAGES / c / path.name).read_text(encoding="utf-8")) for c in ("en", code))
        for table in ("labels", "nouns"):
            assert set(other.get(table, {})) == set(english.get(table, {})), path.name
        assert set(other) == set(english), path.name


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_has_the_placeholders_of_english(code):
    for key, english in catalogue("en").messages.items():
        other = message(key, code)
        assert isinstance(other, str) == isinstance(english, str), key
        if not isinstance(english, str):
            assert other["plural"] == english["plural"], key
        said = set().union(*(placeholders(text, key) for text in forms_of(other).values()))
        assert said == set().union(*(placeholders(text, key) for text in forms_of(english).values())), key


@pytest.mark.parametrize("code", languages())
def test_every_plural_has_the_forms_its_language_needs(code):
    needed = {*Locale.parse(code).plural_form.rules, "other"}
    for key, forms in plural_tables(code):
        named = {form for form in forms if form != "plural" and not form.startswith("=")}
        assert named == needed, key
        assert all(form[1:].isdigit() for form in forms if form.startswith("=")), key


@pytest.mark.parametrize("code", languages())
def test_a_form_that_serves_several_numbers_says_which(code):
    # Hebrew's "two" is 2 only, English's and Turkish's "one" 1 only; Hebrew's "one" is also 0.5.
    single = {"en": {"one"}, "he": {"two"}, "tr": {"one"}}.get(code, set())
    for key, forms in plural_tables(code):
        by = forms.get("plural", "number")
        for form, text in forms.items():
            if form != "plural" and not form.startswith("=") and form not in single:
                assert by in {name for name, _ in placeholders(text, key)}, (key, form)


@pytest.mark.parametrize("code", languages())
def test_no_topic_gives_a_shared_word_another_meaning(code):
    known = catalogue(code)
    for path in (MESSAGES / code).glob("*.toml"):
        topic = tomllib.loads(path.read_text(encoding="utf-8"))
        assert topic.get("labels", {}).items() <= known.labels.items(), path.name
        assert topic.get("nouns", {}).items() <= known.nouns.items(), path.name


@pytest.mark.parametrize("code", languages())
def test_every_noun_in_a_message_is_known(code):
    known = catalogue(code)
    for key, said in known.messages.items():
        for text in forms_of(said).values():
            assert {noun for _, noun in placeholders(text, key) if noun} <= set(known.nouns), key


@pytest.mark.parametrize("code", languages())
def test_no_message_is_empty_or_carries_direction_marks(code):
    known = catalogue(code)
    texts = [text for said in known.messages.values() for text in forms_of(said).values()]
    texts += [text for forms in known.nouns.values() for text in forms.values()] + list(known.labels.values())
    assert all(text and text == text.strip() for text in texts)
    assert not [text for text in texts if any(mark in text for mark in "\u200e\u200f\u2066\u2067\u2068\u2069<>")]


def test_hebrew_is_written_in_hebrew():
    silent = {"n"}  # a symbol, the same everywhere
    for key, text in catalogue("he").labels.items():
        assert key in silent or any("א" <= letter <= "ת" for letter in text), key


def test_plural_forms_follow_the_number_as_shown():
    forms = {"one": "one", "two": "two", "other": "other", "=1": "exactly one"}
    said = {
        number: choose(forms, Decimal(number), "he", "key") for number in ("1", "2", "3", "10", "20", "0.5", "1.5", "0")
    }
    assert said == {
        "1": "exactly one",
        "2": "two",
        "3": "other",
        "10": "other",
        "20": "other",
        "0.5": "one",  # CLDR 42 and later: integer part 0 with decimals
        "1.5": "other",
        "0": "other",
    }
    assert counted("days", Decimal("1.0"), "1.0", "en") == "1.0 days"
    assert counted("days", Decimal(1), "1", "en") == "1 day"


def test_missing_messages_nouns_and_forms_are_named():
    with pytest.raises(MessageError, match=r"no message 'funnel.nope' in messages/en/funnel.toml"):
        message("funnel.nope", "en")
    with pytest.raises(MessageError, match="no noun 'unicorns'"):
        counted("unicorns", Decimal(1), "1", "en")
    with pytest.raises(MessageError, match=r"'k' in 'en' lacks the plural form 'one'"):
        choose({"other": "x"}, Decimal(1), "en", "k")


@pytest.mark.parametrize("template", ["{a.__class__}", "{a[0]}", "{a!r}", "{}", "{0}", "{a:{b}}", "{", "a}", "{A}"])
def test_a_placeholder_is_a_plain_name(template):
    with pytest.raises(MessageError, match="message 'k' has"):
        pieces(template, "k")


def test_labels_are_translated_or_made_readable():
    assert label("reach_rate") == "reach rate"
    assert label("favourite_colour") == "favourite colour"
    assert label("customers", language="he") == "לקוחות"
    assert has_label("reach_rate_low")
    assert not has_label("favourite_colour")
