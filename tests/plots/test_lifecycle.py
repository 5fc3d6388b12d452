"""Pictures of activity draw their tables."""

import numpy as np
import pytest

from journeykit.analyses.lifecycle import active_customers, lifecycle, stickiness
from journeykit.plots.lifecycle import plot_active, plot_flow, plot_stickiness
from journeykit.text import label, language
from tests.helpers import make_log

ROWS = [("a", 0, "x"), ("a", 31, "x"), ("b", 1, "y"), ("b", 62, "y"), ("c", 62, "y"), ("c", 93, "y")]
LOG = make_log([(c, "order", d, g) for c, d, g in ROWS], columns=["plan"], observed_until=100)


def heights(ax, state):
    (bars,) = [each for each in ax.containers if each.get_label() == label(state)]
    return [bar.get_height() for bar in bars]


def test_the_flow_draws_every_state_and_the_dormant_below_zero():
    result = lifecycle(LOG)
    ax = plot_flow(result)
    for state in ("new", "returning", "resurrecting"):
        assert heights(ax, state) == result.table[state].tolist()
    assert heights(ax, "dormant") == [0, -1, -1, 0]  # April is unfinished: who stays away is not known


def test_an_unfinished_period_looks_different():
    ax = plot_flow(lifecycle(LOG))
    hatches = [bar.get_hatch() for bar in ax.containers[0]]
    assert hatches[:-1] == [None, None, None]
    assert hatches[-1]


def test_stickiness_draws_shares():
    result = stickiness(LOG, period="month")
    ax = plot_stickiness(result)
    assert [bar.get_height() for bar in ax.patches] == result.table["exactly_rate"].tolist()


def test_active_customers_draws_the_finished_periods_as_a_line():
    result = active_customers(LOG, period="month", within="year")
    drawn = plot_active(result).lines[0].get_ydata()
    assert np.isnan(drawn[-1])
    assert drawn[:-1].tolist() == result.table["active"].tolist()[:-1]


@pytest.mark.parametrize("code", ["en", "he"])
@pytest.mark.parametrize("options", [{}, {"by": "plan"}])
def test_every_figure_is_drawn_in_every_language(code, options, tmp_path):
    with language(code):
        for result in (
            lifecycle(LOG, **options),
            stickiness(LOG, period="week", **options),
            active_customers(LOG, rolling=7, **options),
        ):
            result.figure().savefig(tmp_path / "figure.png", dpi=30)
            assert result.plot().get_ylabel()


@pytest.mark.filterwarnings("error")
def test_a_log_shorter_than_a_period_has_one_bar():
    log = make_log([("ann", "visit", 0)], observed_until=1)
    assert [bar.get_height() for bar in stickiness(log, period="year").plot().patches] == [1.0]
