"""The pictures of funnels draw the table, tell what is still running apart, and turn for Hebrew."""

from __future__ import annotations

import numpy as np
import pytest

import journeykit as jk
from journeykit.analyses.funnel import funnel, stage_funnel
from tests.helpers import make_log

STAGES = jk.StageModel.of({"look": "A", "weigh": "B", "buy": "C"})


def log(n_groups=2, until=100):
    rows = []
    for i in range(60):
        group = f"g{i % n_groups}"
        for day, touchpoint in enumerate("ABC"[: 1 + i % 3]):
            rows.append((f"c{i}", touchpoint, day + i % 7, group))
        rows.append((f"c{i}", "other", 20, group))
    return make_log(rows, observed_until=until, columns=["group"], stages=STAGES)


def bars(ax):
    """(width, hatched) of each bar, from the first step on."""
    return [(patch.get_width(), patch.get_hatch() is not None) for patch in ax.patches]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_bars_are_as_long_as_their_customers():
    result = funnel(log(), list("ABC"), within="30d")
    widths = [width for width, hatched in bars(result.plot()) if not hatched]
    assert widths == result.table["customers_mature"].tolist() == [60, 40, 20]


def test_who_is_still_inside_the_window_is_hatched_behind_the_bar():
    result = funnel(log(until=34), list("ABC"), within="30d")  # entries on days 0 to 3 are mature
    ax = result.plot()
    table = result.table
    assert [width for width, hatched in bars(ax) if not hatched] == table["customers_mature"].tolist()
    running = (table["customers"] - table["customers_mature"]).tolist()
    assert [width for width, hatched in bars(ax) if hatched] == running
    assert min(running) > 0
    assert ax.get_legend().get_texts()[0].get_text() == "still inside the window"


def test_rates_so_far_are_hatched_all_over_and_say_so():
    ax = funnel(log(), list("ABC")).plot()
    assert all(hatched for _, hatched in bars(ax))
    assert ax.get_xlabel() == "customers so far"


def test_the_numbers_written_are_those_of_the_table():
    ax = funnel(log(), list("ABC"), within="30d").plot()
    assert "60  ·  100.0%" in texts(ax)
    assert any(text.startswith("40  ·  66.7% [") for text in texts(ax))
    assert "-20 (33.3%)   half within 1 d" in texts(ax)


def test_intervals_are_drawn_at_the_rates_of_the_table():
    result = funnel(log(), list("ABC"), within="30d")
    lines = result.plot().collections[0].get_segments()
    expected = result.table[["reach_rate_low", "reach_rate_high"]].iloc[1:].to_numpy() * 60
    assert np.allclose([[x for x, _ in line] for line in lines], expected)


def test_groups_are_markers_at_their_rates():
    result = funnel(log(3), list("ABC"), within="30d", by="group")
    ax = result.plot()
    drawn = {line.get_label(): line.get_xdata() for line in ax.lines if not line.get_label().startswith("_")}
    assert len(drawn) == 3
    for segment, rows in result.table.groupby("segment"):
        assert np.allclose(drawn[f"{segment}: 20 customers"], rows["reach_rate"].iloc[1:])


def test_many_groups_keep_the_largest_apart():
    result = funnel(log(20), list("ABC"), within="30d", by="group")
    labels = [text.get_text() for text in result.plot().get_legend().get_texts()]
    assert len(labels) == 8
    assert labels[-1] == "13 smaller groups"
    shown = [ax for ax in result.figure().axes if ax.get_visible()]
    assert len(shown) == 1 + 12


@pytest.mark.parametrize("code", ["en", "he"])
@pytest.mark.parametrize("within", [None, "30d"])
@pytest.mark.parametrize("by", [None, "group"])
def test_every_picture_can_be_drawn(code, within, by):
    with jk.language(code):
        for result in (funnel(log(), list("ABC"), within=within, by=by), stage_funnel(log(), within=within, by=by)):
            result.figure().canvas.draw()
            result.plot().figure.canvas.draw()


def test_bars_grow_from_the_right_in_hebrew():
    with jk.language("he"):
        ax = funnel(log(), list("ABC"), within="30d").plot()
    assert ax.xaxis_inverted()
    assert ax.yaxis.get_ticks_position() == "right"


def test_the_figure_of_stages_says_what_who_stopped_did_next():
    result = stage_funnel(log(), within="30d")
    *_, hidden, following = result.figure().axes
    drawn = {line.get_label(): list(line.get_xdata()) for line in hidden.lines}
    assert drawn["in the stage at all"] == result.table["reached"].tolist()
    assert drawn["in order"] == result.table["customers"].tolist()
    names = [text.get_text() for text in following.get_yticklabels()]
    assert names == ["look: 20 customers", "weigh: 20 customers"]
    assert [patch.get_width() for patch in following.patches] == [1, 1]  # all went to "other"


def test_nothing_to_draw_is_drawn_without_a_complaint():
    empty = log().where(touchpoint="none of them")
    for result in (funnel(empty, [jk.Step("A"), jk.Step("B")], within="9d"), stage_funnel(empty, within="9d")):
        result.plot()
        result.figure().canvas.draw()
