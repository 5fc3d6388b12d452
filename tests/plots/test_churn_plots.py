"""What is drawn is what stands in the table."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import journeykit as jk
from journeykit.analyses.churn import Inactivity, Tenures, survival_curve, tenures
from journeykit.plots.churn import MOST_LINES, _apart
from tests.helpers import make_log

ROWS = [
    (f"c{i:02d}", "visit", day, "web" if i % 3 else "shop") for i in range(60) for day in range(i, i + 4 * (i % 25), 4)
]
LOG = make_log(ROWS, columns=["channel"], channel="channel", observed_until=150)
ENDS = Tenures.from_durations([3, 5, 5, 8, 9, 12] * 6, ["left", "moved", None, "left", "left", None] * 6)


def lines(ax, n_points=3):
    """Curves: lines with more than a few points, and no markers alone."""
    return [line for line in ax.lines if len(line.get_xdata()) > n_points and line.get_linestyle() != "None"]


def words(figure_or_axes):
    axes = figure_or_axes.axes if isinstance(figure_or_axes, Figure) else [figure_or_axes]
    return [
        text.get_text() for ax in axes for text in [*ax.texts, ax.xaxis.label, ax.yaxis.label, *ax.get_yticklabels()]
    ]


def test_the_curve_is_the_table():
    found = survival_curve(LOG, churn=Inactivity("20d"))
    (line,) = lines(found.plot())
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xdata()[1:].tolist() == found.table["time_days"].tolist()
    assert line.get_ydata()[1:].tolist() == found.table["survival"].tolist()
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (0, 1)


def test_the_median_is_written_where_it_is_reached():
    found = survival_curve(LOG, churn=Inactivity("20d"))
    median = found.summary["median_days"].iloc[0]
    assert f"half gone: {median:.0f} days" in words(found.plot())
    assert "leaving is known after 20 days" in words(found.plot())
    shifted = survival_curve(LOG, churn=Inactivity("20d"), dated="last_activity")
    assert not any("known after" in word for word in words(shifted.plot()))
    never = survival_curve(Tenures.from_durations([5, 9, 9, 9], [1, 0, 0, 0]))
    assert not any("half gone" in word for word in words(never.plot()))


def test_no_line_crosses_the_words_on_when_leaving_is_known():
    for days in ("20d", "120d"):
        ax = survival_curve(LOG, churn=Inactivity(days)).plot()
        ax.figure.canvas.draw()
        (note,) = (text for text in ax.texts if "known after" in text.get_text())
        box = note.get_window_extent()
        drawn = [line.get_transform().transform_path(line.get_path()) for line in ax.lines]
        assert not any(path.intersects_bbox(box, filled=False) for path in drawn)
        assert ax.bbox.x0 <= box.x0
        assert box.x1 <= ax.bbox.x1


def test_groups_have_a_curve_each_told_apart_without_colour():
    found = survival_curve(LOG, churn=Inactivity("20d"), by="channel")
    ax = found.plot()
    drawn = lines(ax)
    assert len(drawn) == 2
    assert len({(line.get_color()) for line in drawn}) == 2
    assert len({line.is_dashed() for line in drawn}) == 2
    assert {"web", "shop"} <= set(words(ax))


def test_the_numbers_under_the_curve_are_those_at_risk():
    found = survival_curve(LOG, churn=Inactivity("20d"), by="channel")
    figure = found.figure()
    above, below = figure.axes
    ticks = [tick for tick in above.get_xticks() if tick <= above.get_xlim()[1]]
    expected = found.at_risk(ticks)["at_risk"].map("{:,}".format).tolist()
    assert [text.get_text() for text in below.texts] == expected
    assert [label.get_text() for label in below.get_yticklabels()] == ["shop", "web"]


def test_too_many_groups_are_the_largest_and_it_is_said():
    sizes = np.arange(10, 19)
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    found = survival_curve(Tenures.from_durations(np.arange(1, len(groups) + 1), [1] * len(groups), segments=groups))
    figure = found.figure()
    assert len(lines(figure.axes[0])) == MOST_LINES
    assert "3 more groups stand in the table." in words(figure)
    assert "g0" not in words(figure)


def test_several_ends_are_drawn_as_incidences():
    found = survival_curve(ENDS)
    drawn = lines(found.plot())
    for line, end in zip(drawn, ["left", "moved"], strict=True):
        rows = found.incidence[found.incidence["end"] == end]
        assert line.get_ydata()[1:].tolist() == rows["incidence"].tolist()
        assert line.get_ydata()[0] == 0
    grouped = Tenures.from_durations(
        *ENDS.table[["duration_days", "end"]].to_numpy().T.tolist(), segments=["x", "y"] * 18
    )
    figure = survival_curve(grouped).figure()
    assert len(figure.axes) == 3  # an axes an end, and the numbers at risk
    assert "ended so far: moved" in words(figure)


def test_tenures_are_drawn_as_those_who_left_on_those_still_there():
    found = tenures(LOG, churn=Inactivity("20d"))
    ax = found.plot()
    left, there = (sum(bar.get_height() for bar in container) for container in ax.containers)
    assert [left, there] == found.summary[["events", "censored"]].iloc[0].tolist()
    assert found.figure().axes[0].get_xlabel() == "duration (days)"


def test_a_plot_draws_on_the_axes_given_and_opens_no_window():
    import matplotlib.pyplot as plt

    found = survival_curve(LOG, churn=Inactivity("20d"))
    _, ax = plt.subplots()
    assert found.plot(ax) is ax
    before = plt.get_fignums()
    found.figure()
    assert plt.get_fignums() == before


def test_pictures_speak_hebrew():
    with jk.language("he"):
        figure = survival_curve(LOG, churn=Inactivity("20d"), by="channel").figure()
        assert "ימים מאז ההתחלה" in words(figure)
        figure.canvas.draw()


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([0.1, 0.5], [0.1, 0.5]),  # far enough apart: they stay
        ([0.5, 0.5], [0.45, 0.55]),  # moved apart evenly
        ([0.5, 0.5, 0.5], [0.4, 0.5, 0.6]),
        ([0.98, 1.0], [0.9, 1.0]),  # not beyond the axes
        ([0, 0], [0, 0.1]),
        ([], []),
    ],
)
def test_names_of_lines_are_moved_apart(heights, expected):
    assert _apart(heights, 0.1, 0, 1) == pytest.approx(expected)


def test_names_stand_beside_their_lines_where_the_axis_is_not_a_whole():
    rows = np.arange(1, 401)
    ends = np.where(rows % 20 == 0, "returned", np.where(rows % 29 == 0, "reviewed", None))
    found = survival_curve(Tenures.from_durations(np.where(pd.isna(ends), 400, rows), ends))
    ax = found.plot()
    last = found.incidence.groupby("end")["incidence"].last()
    named = {text.get_text(): text.xy[1] for text in ax.texts}
    assert named == pytest.approx(last.to_dict())
