"""Pictures of conversion curves and trends draw their tables, and tell what is unfinished apart."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

import journeykit as jk
from journeykit.analyses.conversion import conversion_curve, funnel_trend
from tests.helpers import make_log


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(4)
    rows = []
    for i in range(300):
        day, group = rng.uniform(0, 40), f"g{i % 9}"
        rows.append((f"c{i}", "A", day, group))
        if rng.random() < 0.5:
            rows.append((f"c{i}", "B", day + rng.exponential(4), group))
        elif rng.random() < 0.3:
            rows.append((f"c{i}", "X", day + rng.exponential(4), group))
    return make_log([row for row in rows if row[2] < 42], columns=["group"], observed_until=42)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_curve_draws_the_table(log):
    curve = conversion_curve(log, ["A", "B"], within="10d")
    (line,) = [line for line in curve.plot().lines if line.get_drawstyle() == "steps-post"]
    assert line.get_xdata().tolist() == curve.table["time_seconds"].tolist()
    assert line.get_ydata().tolist() == pytest.approx(curve.table["converted_rate"].tolist())


def test_groups_are_told_apart_without_colour(log):
    curve = conversion_curve(log, ["A", "B"], within="10d", by="group")
    ax = curve.plot()
    lines = [line for line in ax.lines if line.get_drawstyle() == "steps-post"]
    assert len(lines) == 7  # the largest
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 7
    names = [text for text in texts(ax) if text]
    assert len(names) == 7
    assert "2 more groups stand in the table." in curve.figure().axes[1].get_xlabel()


def test_competing_ends_are_lines_of_their_own(log):
    curve = conversion_curve(log, ["A", "B"], within="10d", competing={"gave up": "X"})
    assert {"converted", "gave up"} <= set(texts(curve.plot()))


def test_the_numbers_under_a_curve_are_those_at_risk(log):
    curve = conversion_curve(log, ["A", "B"], within="10d")
    shown = texts(curve.figure().axes[1])
    assert shown[0] == "300"
    assert shown == [f"{n:,}" for n in curve.watched["at_risk"]]


def test_finished_periods_are_a_line_and_estimates_open_marks(log):
    trend = funnel_trend(log, ["A", "B"], within="10d", clock="first")
    ax = trend.plot()
    by_marker = {line.get_marker(): line for line in ax.lines if line.get_marker() in ("o", "D")}
    finished = trend.table["status"] == "finished"
    drawn = by_marker["o"].get_ydata()
    assert drawn[finished].tolist() == pytest.approx(trend.table.loc[finished, "conversion_rate"].tolist())
    assert np.isnan(drawn[~finished]).all()
    estimates = trend.table[trend.table["method"] == "estimate"]
    assert by_marker["D"].get_ydata().tolist() == pytest.approx(estimates["conversion_rate"].tolist())
    assert by_marker["D"].get_markerfacecolor() == "white"
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "finished, with 95% interval", "estimate of an unfinished period"
    }  # fmt: skip


def test_without_an_estimate_unfinished_periods_stand_apart_as_so_far(log):
    trend = funnel_trend(log, ["A", "B"], within="10d")
    (mark,) = [line for line in trend.plot().lines if line.get_marker() == "^"]
    so_far = trend.table.loc[trend.table["status"] == "unfinished", "so_far_rate"]
    assert mark.get_ydata().tolist() == so_far.tolist()
    hatched = [bar for bar in trend.figure().axes[1].patches if bar.get_hatch()]
    assert [bar.get_height() for bar in hatched] == trend.table.loc[so_far.index, "converted"].tolist()


def test_segments_have_panels_on_one_scale(log):
    figure = funnel_trend(log, ["A", "B"], within="10d", by="group").figure()
    panels = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert len(panels) == 8
    assert len({ax.get_ylim() for ax in panels}) == 1


@pytest.mark.parametrize("language", ["en", "he"])
def test_pictures_are_drawn_in_any_language_also_of_nothing(log, language):
    nothing = make_log([("a", "Z", 0)], observed_until=9)
    steps = [jk.Step("A"), jk.Step("B")]
    with jk.language(language), mpl.rc_context({"figure.max_open_warning": 0}):
        for source in (log, nothing):
            for by in (None, "touchpoint"):
                conversion_curve(source, steps, within="3d", by=by).figure().canvas.draw()
                funnel_trend(source, steps, within="3d", by=by, clock="first").figure().canvas.draw()
            assert conversion_curve(source, steps, competing={"gone": jk.Step("X")}).plot() is not None
