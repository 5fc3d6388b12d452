"""Pictures of retention draw the table, and tell zero, unfinished and future apart."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure

from journeykit.analyses.retention import retention
from journeykit.plots.retention import plot_triangle
from journeykit.plots.retention_curves import _draw_overall, plot_curves
from journeykit.reports.masking import Mask
from journeykit.text import language, say
from tests.helpers import ORIGIN, make_log

ROWS = [
    *((f"a{i}", "order", 0, "web") for i in range(4)),
    *((f"a{i}", "order", 31, "web") for i in range(3)),
    *((f"b{i}", "order", 31, "app") for i in range(2)),
    ("c", "order", 91, "app"),
]
LOG = make_log(ROWS, columns=["channel"], channel="channel", observed_until=100)  # February, March and April follow


def squares(ax, hatched):
    """Lower left corners of the cells drawn, as (age, row)."""
    found = [each for each in ax.collections if isinstance(each, PolyCollection) and bool(each.get_hatch()) == hatched]
    corners = [path.vertices[0] for each in found for path in each.get_paths()]
    return {(round(x + 0.48), y + 0.48) for x, y in corners}


def test_the_triangle_shades_numbers_rings_zeros_hatches_unfinished_and_leaves_the_future_empty():
    ax = plot_triangle(retention(LOG))
    # The overall row stands at 0, the cohorts below a gap of half a row.
    assert squares(ax, hatched=False) == {(1, 0.0), (1, 1.5)}  # January: 3 of 4 in month 1
    assert squares(ax, hatched=True) == {(3, 1.5), (2, 2.5), (1, 3.5)}
    (rings,) = (each for each in ax.collections if isinstance(each, PathCollection))
    assert {tuple(place) for place in rings.get_offsets()} == {(2, 0.0), (2, 1.5), (1, 2.5)}
    assert "75%" in {text.get_text() for text in ax.texts}


def test_a_cohort_of_nobody_is_a_dash_and_not_a_zero():
    log = make_log([("a", "order", 0), ("b", "order", 91)], observed_until=121)
    ax = plot_triangle(retention(log))
    dashes = [each for each in ax.collections if isinstance(each, PathCollection)][1]
    assert {tuple(place) for place in dashes.get_offsets()} == {(1, 2.5), (2, 2.5), (1, 3.5)}


def test_what_a_report_leaves_out_is_not_called_a_cohort_of_nobody():
    rows = [(f"c{i}", "order", 0) for i in range(20)] + [(f"c{i}", "order", 31) for i in range(2)]
    ax = plot_triangle(Mask(5).over(retention(make_log(rows, observed_until=60))))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [say("core.suppressed")]


def test_what_rounds_to_nothing_is_not_shown_as_zero():
    rows = [(f"c{i}", "order", 0) for i in range(300)] + [("c0", "order", 31)]
    ax = plot_triangle(retention(make_log(rows, observed_until=60)))
    assert "<1%" in {text.get_text() for text in ax.texts}


def test_counts_are_drawn_without_an_overall_row():
    ax = plot_triangle(retention(LOG), column="back")
    assert squares(ax, hatched=False) == {(1, 0.0)}
    assert "3" in {text.get_text() for text in ax.texts}


def test_curves_draw_the_overall_rates():
    result = retention(LOG)
    (overall,) = (line for line in plot_curves(result).lines if "interval" in str(line.get_label()))
    assert overall.get_ydata()[:2].tolist() == result.summary["back_rate"].tolist()[1:3]


def test_segments_are_told_apart_without_colour():
    ax = plot_curves(retention(LOG, by="channel"))
    assert len({line.get_linestyle() for line in ax.lines if line.get_label() in ("app", "web")}) == 2


def test_columns_alone_between_gaps_are_points_with_a_bar():
    known = [0.5, 0.4, 0.3, np.nan, 0.0, 0.0, np.nan, 0.1]
    rates = {"back_rate": known, "back_rate_low": known, "back_rate_high": np.add(known, 0.3)}
    ax = Figure().subplots()
    _draw_overall(ax, pd.DataFrame(rates).reindex([-1, *range(8)]), "back_rate", "", "black", "-")
    assert [bar.lines[0].get_xydata().tolist() for bar in ax.containers] == [[[5, 0]], [[6, 0]], [[8, 0.1]]]
    (band,) = (each for each in ax.collections if isinstance(each, PolyCollection))
    assert {float(x) for path in band.get_paths() for x in path.vertices[:, 0]} == {1, 2, 3}


def test_small_triangles_share_one_scale():
    figure = retention(LOG, by="channel").figure()
    tops = {
        each.norm.vmax
        for ax in figure.axes
        for each in ax.collections
        if isinstance(each, PolyCollection) and each.get_array() is not None
    }
    assert len(tops) == 1


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("he", {}),
        ("he", {"by": "channel"}),
        ("en", {"cohorts_by": "channel"}),
        ("en", {"mode": "on_or_after"}),
        ("he", {"windows": "rolling", "columns": [1, 2]}),
        ("en", {"period": "day"}),
        ("en", {"period": "hour", "horizon": 3}),
        ("en", {"period": "year"}),
        ("en", {"base": "previous"}),
    ],
)
def test_every_way_of_asking_can_be_drawn_in_every_language(code, options, tmp_path):
    with language(code):
        result = retention(LOG, **options)
        result.figure().savefig(tmp_path / "figure.png", dpi=30)
        assert result.plot() is not None
        assert result.alt_text()


def test_drawing_on_given_axes_returns_them():
    ax = Figure().subplots()
    assert retention(LOG).plot(ax=ax) is ax
    other = Figure().subplots()
    assert retention(LOG).plot_curves(ax=other) is other


def test_the_future_is_empty_even_in_a_large_triangle():
    rng = np.random.default_rng(0)
    rows = [(f"c{i}", "order", int(day)) for i, day in enumerate(rng.integers(0, 80, 200))]
    ax = plot_triangle(retention(make_log(rows, observed_until=80), period="day"))
    assert max(age + row for age, row in squares(ax, hatched=False) if row > 0) <= 80 + 0.5


def test_36_cohorts_by_36_ages_can_be_read():
    months = pd.date_range("2021-01-01", periods=36, freq="MS")
    events = [(f"c{i}", "order", (begin - ORIGIN).days + 2) for i, begin in enumerate(months)]
    ax = retention(make_log(events, observed_until="2024-01-01")).plot()
    ax.figure.canvas.draw()
    for labels in (ax.get_yticklabels(), ax.get_xticklabels()[1:]):
        boxes = [each.get_window_extent() for each in labels]
        assert len(boxes) >= 35
        assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))
