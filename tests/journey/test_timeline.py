"""One customer: every event drawn, the silence at the end too, in any language, harmless."""

from __future__ import annotations

import re
import xml.dom.minidom as minidom

import pandas as pd
import pytest

import journeykit as jk
from journeykit.errors import ParameterError
from journeykit.journey import StageModel
from journeykit.plots import timeline as drawing
from tests.helpers import make_log

ROWS = [
    ("ann", "visit", 0, None),
    ("ann", "cart", 2, None),
    ("ann", "order", 24, 9.5),
    ("ann", "visit", 48, None),
    ("bob", "visit", 1, None),
]
LOG = make_log(ROWS, unit="h", columns=["value"], observed_until=60)
LOG = LOG.with_stages(StageModel.of({"look": ["visit", "cart"], "buy": "order"}))


def test_the_table_is_the_customers_events_with_their_session():
    table = jk.timeline(LOG, "ann").table
    assert table.columns.tolist() == ["session", "time", "touchpoint", "stage", "value"]
    assert table["touchpoint"].tolist() == ["visit", "cart", "order", "visit"]
    assert table["session"].tolist() == [1, 2, 3, 4]


def test_it_says_how_much_was_seen_and_how_long_nothing_since():
    assert jk.timeline(LOG, "ann").describe() == (
        "4 interactions at 3 touchpoints in 4 sessions, Jan 1, 2024 to Jan 3, 2024. Their values add up to 9.50. "
        "Nothing was seen in the 12 h since then; observation ended on Jan 3, 2024, 12:00."
    )
    assert "value" not in jk.timeline(LOG, "bob").describe()


def test_every_event_is_a_dot_in_the_row_of_its_touchpoint():
    ax = jk.timeline(LOG, "ann").plot()
    rows = [tick.get_text() for tick in ax.get_yticklabels()]
    assert rows == ["visit", "cart", "order"]
    dots = sorted(
        (x, y) for line in ax.lines if line.get_marker() == "o" for x, y in zip(*line.get_data(), strict=True)
    )
    assert [rows[int(y)] for _, y in dots] == ["visit", "cart", "order", "visit"]
    assert [text.get_text() for text in ax.texts] == ["9.50"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["look", "buy"]
    assert ax.get_xlabel() == "nothing seen for 12 h, until Jan 3, 2024, 12:00"


def test_of_too_many_touchpoints_the_rarest_share_a_row():
    n = drawing.MOST_LANES + 5
    rows = [("a", f"t{i:02}", i) for i in range(n)] + [("a", f"t{i:02}", 50 + i) for i in range(10, n)]
    ax = jk.timeline(make_log(rows, observed_until=200), "a").plot()
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert len(names) == drawing.MOST_LANES
    assert names[-1] == "other"
    assert {f"t{i:02}" for i in range(10, n)} >= set(names[:-1]) - {f"t{i:02}" for i in range(10)}
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(dots.get_xdata()) == len(rows)


def test_the_end_of_observation_is_a_line_unless_it_is_far_away():
    near, far = jk.timeline(LOG, "ann").plot(), jk.timeline(make_log(ROWS[:3], unit="h", columns=["value"],
                                                                     observed_until=5000), "ann").plot()  # fmt: skip
    assert [len([line for line in ax.lines if len(line.get_xdata()) == 2]) for ax in (near, far)] == [1, 0]


def test_times_are_those_on_the_wall_of_the_logs_zone():
    log = make_log([("a", "x", 0), ("a", "x", 9)], unit="h", timezone="Asia/Tokyo", observed_until=12)
    texts = [tick.get_text() for tick in jk.timeline(log, "a").plot().get_xticklabels()]
    assert all(text.startswith("Jan 1, 2024") for text in texts)


def test_names_from_data_are_harmless_in_html_and_in_the_picture():
    log = make_log([("<b>$x_1$</b>", "<script>$\\frac", 0), ("<b>$x_1$</b>", "שלום", 1)], observed_until=9)
    found = jk.timeline(log, "<b>$x_1$</b>")
    html = found._repr_html_()
    assert "<script>" not in html
    assert "<b>$" not in html
    assert 'src="data:image/png;base64,' in html
    minidom.parseString(re.sub(r"(<img[^>]*)>", r"\1/>", html))  # balanced
    found.figure().canvas.draw()  # a dollar sign is no formula


def test_it_speaks_hebrew_from_right_to_left():
    with jk.language("he"):
        found = jk.timeline(LOG, "ann")
        assert "4 אינטראקציות" in found.describe()
        ax = found.plot()
        assert ax.yaxis.get_label_position() == "right"
        assert ax.get_xlabel().startswith("לא נראה דבר")
        assert 'dir="rtl"' in found._repr_html_()


def test_personal_columns_are_left_out_and_a_personal_id_is_not_named():
    log = LOG.with_personal("customer", "value")
    found = jk.timeline(log, "ann")
    assert found.customer is None
    assert "value" not in found.table
    assert "ann" not in found._repr_html_().split("base64")[0]
    assert found.title == "Timeline of one customer"


def test_a_customer_must_be_in_the_log():
    with pytest.raises(ParameterError, match="customer 'anne' is not in the log: did you mean 'ann'"):
        jk.timeline(LOG, "anne")
    numbers = make_log([(7, "x", 0)])
    assert jk.timeline(numbers, 7).customer == jk.timeline(numbers, "7").customer == 7


def test_a_session_has_a_timeline_too():
    found = jk.timeline(LOG.rekey("session", gap="3h"), "ann#1")
    assert found.table["touchpoint"].tolist() == ["visit", "cart"]
    assert isinstance(found.ends_at, pd.Timestamp)
