"""Pictures of what is read off a survival curve draw what its tables say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from journeykit.analyses.churn import Inactivity, Tenures, survival_curve
from journeykit.errors import ParameterError
from journeykit.text import language
from tests.analyses.churn.simulation import simulate


@pytest.fixture(scope="module")
def curves():
    plan = np.array(["basic", "plus"])[np.arange(300) % 2]
    log = simulate(300, seed=1, life=np.where(plan == "basic", 60.0, 200.0), until=400, columns={"plan": plan})
    return {by: survival_curve(log, churn=Inactivity("30d"), by=by) for by in (None, "plan")}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("by", [None, "plan"])
@pytest.mark.parametrize("code", ["en", "he"])
def test_every_picture_is_drawn_in_either_language(curves, by, code):
    with language(code):
        axes = [curves[by].plot_hazard(), curves[by].plot_sensitivity()]
        if by is None:
            axes.append(curves[by].plot_given(0, "60d"))
        for ax in axes:
            assert ax.get_xlabel()
            assert ax.get_ylabel()
            ax.figure.canvas.draw()


def test_the_picture_of_the_hazard_draws_the_rates_of_the_periods(curves):
    ax = curves[None].plot_hazard("60d")
    rates = curves[None].hazard("60d")
    drawn = ax.containers[0].lines[0].get_ydata()
    assert drawn.tolist() == pytest.approx(rates["hazard"].tolist()[: len(drawn)])


def test_the_picture_of_those_still_there_counts_from_then_on(curves):
    ax = curves[None].plot_given("60d")
    given = curves[None].given("60d", "90d")
    line = ax.get_lines()[0]
    at = np.searchsorted(line.get_xdata(), 30, side="right") - 1
    assert line.get_ydata()[at] == pytest.approx(given["survival"].iloc[0])


def test_the_picture_of_other_silences_draws_the_sensitivity(curves):
    ax = curves[None].plot_sensitivity()
    table = curves[None].sensitivity
    assert ax.containers[0].lines[0].get_ydata().tolist() == table["survival"].tolist()
    assert ax.containers[1].lines[0].get_ydata().tolist() == table["comeback_rate"].tolist()


def test_what_can_not_be_drawn_is_refused(curves):
    with pytest.raises(ParameterError, match="no other silences"):
        survival_curve(Tenures.from_durations([1, 2], [1, 0])).plot_sensitivity()
    with pytest.raises(ParameterError, match="choose a segment"):
        curves["plan"].plot_given("60d")
