"""What is drawn of a model is what stands in its tables, in words of the reader's language."""

import numpy as np
import pytest

import journeykit as jk
from journeykit.text import has_label, label, say
from tests.analyses.churn_model.test_evaluation import FOUND
from tests.analyses.churn_model.test_predictions import MODEL, TENURES
from tests.estimators.test_logrank import RELAPSED, WEEKS
from tests.plots.test_churn_plots import words

ARMS = jk.Tenures.from_durations(
    WEEKS,
    RELAPSED,
    covariates={"arm": ["6-MP"] * 21 + ["placebo"] * 21, "dose": np.random.default_rng(0).normal(size=42)},
)
SMALL = jk.churn_model(ARMS)
PREDICTION = MODEL.predict(horizon="60d")
RESULTS = {
    "model": SMALL,
    "aft": jk.churn_model(ARMS, method="weibull_aft"),
    "prediction": PREDICTION,
    "evaluation": FOUND,
    "partial": SMALL.partial_effects("arm"),
}


def points(ax):
    return [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "o"]


def test_the_forest_is_the_table():
    ax = SMALL.plot()
    assert points(ax) == pytest.approx(SMALL.table["hazard_ratio"].tolist())
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert "arm: placebo\nagainst 6-MP" in names
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == say("churn_model.axis_hazard_ratio")
    # Clear of chance is filled, the other hollow.
    filled = [line.get_markerfacecolor() != "white" for line in ax.lines if line.get_marker() == "o"]
    assert filled == (SMALL.table["p_value_holm"] < 0.05).tolist()


def test_where_a_comma_stands_in_numbers_a_semicolon_parts_bounds_and_whole_percents_have_no_decimals():
    with jk.language("tr"):
        assert {";" in text for text in words(RESULTS["model"].plot()) if "[" in text} == {True}
        ax = FOUND.plot()
        ax.figure.canvas.draw()
        assert next(text.get_text() for text in ax.get_yticklabels()) == "%0"


def test_the_forest_says_for_how_much_of_a_number_an_effect_is():
    ages = {"age": np.arange(42) % 30}  # a standard deviation of 8.6: shown for 5
    ax = jk.churn_model(jk.Tenures.from_durations(WEEKS, RELAPSED, covariates=ages)).plot()
    assert "age\neach 5 more" in [text.get_text() for text in ax.get_yticklabels()]


def test_an_accelerated_forest_is_of_times():
    ax = RESULTS["aft"].plot()
    assert points(ax) == pytest.approx(RESULTS["aft"].table["time_ratio"].tolist())
    assert ax.get_xlabel() == say("churn_model.axis_time_ratio")


def test_a_model_without_covariates_says_so():
    ax = jk.churn_model(jk.Tenures.from_durations(WEEKS, RELAPSED)).plot()
    assert say("churn_model.no_effects") in words(ax)


def test_calibration_and_gain_are_the_tables():
    ax = FOUND.plot()
    (container,) = ax.containers
    data = container.lines[0]
    assert data.get_xdata().tolist() == FOUND.table["predicted_rate"].tolist()
    assert data.get_ydata().tolist() == FOUND.table["observed_rate"].tolist()
    assert say("churn_model.as_expected") in [text.get_text() for text in ax.get_legend().get_texts()]
    assert not ax.texts  # no words among the intervals
    gain = FOUND.plot_gain()
    assert gain.lines[0].get_ydata().tolist()[1:] == FOUND.gain["found_rate"].tolist()
    assert len(FOUND.figure().axes) == 2


def test_chances_are_counted():
    ax = PREDICTION.plot()
    assert sum(bar.get_height() for bar in ax.patches) == len(PREDICTION.table)
    assert len(PREDICTION.figure().axes) == 2


def test_partial_curves_are_the_table():
    found = RESULTS["partial"]
    ax = found.plot()
    for line, value in zip(ax.lines, found.summary["value"], strict=True):
        assert line.get_ydata().tolist() == found.table.loc[found.table["value"] == value, "survival"].tolist()
    assert len({line.get_linestyle() for line in ax.lines}) == len(found.summary)


@pytest.mark.parametrize("code", ["en", "he"])
@pytest.mark.parametrize("name", RESULTS)
def test_every_word_is_in_the_readers_language(name, code):
    result = RESULTS[name]
    with jk.language(code):
        frames = [result.table, result.summary, result.comparison, result.left_out]
        frames += [getattr(result, each) for each in ("checks", "tests", "gain", "curve") if hasattr(result, each)]
        missing = {column for frame in frames for column in frame if not has_label(column)}
        assert missing <= {"kind", "arm", "dose"}
        text = f"{result.describe()} {result._repr_html_()}"
        assert "churn_model." not in text
        assert "{" not in result.describe()
        figure = result.figure()
        assert all("churn_model." not in each for each in words(figure))
        if code == "he":
            assert any("\u0590" <= letter <= "\u05ff" for letter in "".join(words(figure)))
    figure.canvas.draw()
    assert label("covariate") == "covariate"


def test_the_list_names_its_reasons_in_words():
    html = PREDICTION._repr_html_()
    assert "silent for (days)" in html
    assert "recency_days" not in html
    assert len(PREDICTION.shown()) == 20
    assert TENURES.params["limit_days"] == 60
