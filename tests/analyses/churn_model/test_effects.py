"""Effects and their checks: against lifelines, by hand, and in words."""

import lifelines
import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_rossi, load_stanford_heart_transplants

import journeykit as jk
from journeykit.analyses.churn.model import churn_model
from journeykit.errors import ParameterError
from tests.estimators.test_logrank import RELAPSED, WEEKS
from tests.helpers import make_log

ROSSI = load_rossi()
NUMBERS = ["age", "prio", "mar"]
TENURES = jk.Tenures.from_durations(ROSSI["week"], ROSSI["arrest"], covariates=ROSSI[NUMBERS])


def test_effects_equal_lifelines():
    theirs = lifelines.CoxPHFitter().fit(ROSSI[["week", "arrest", *NUMBERS]], "week", "arrest")
    table = churn_model(TENURES).table.set_index("covariate")
    np.testing.assert_allclose(table["coefficient"], theirs.params_[NUMBERS], atol=1e-6)
    np.testing.assert_allclose(table["se"], theirs.standard_errors_[NUMBERS], atol=1e-6)
    assert table.loc["mar", "hazard_ratio"] == pytest.approx(theirs.hazard_ratios_["mar"], rel=1e-6)
    bounds = np.exp(theirs.confidence_intervals_.loc["mar"])
    assert table.loc["mar", ["hazard_ratio_low", "hazard_ratio_high"]].tolist() == pytest.approx(bounds.tolist())
    np.testing.assert_allclose(table["p_value"], theirs.summary.loc[NUMBERS, "p"], atol=1e-6)


def test_penalizer_is_that_of_lifelines():
    theirs = lifelines.CoxPHFitter(penalizer=0.1).fit(ROSSI[["week", "arrest", *NUMBERS]], "week", "arrest")
    ours = churn_model(TENURES, penalizer=0.1).table
    np.testing.assert_allclose(ours["coefficient"], theirs.params_[NUMBERS], rtol=2e-3)  # n against n − 1


def test_an_effect_is_for_a_round_step():
    table = churn_model(TENURES).table.set_index("covariate")
    # Standard deviations 6.1, 2.9 and 0.33: 5 years, one conviction, married or not.
    assert table["for_each"].tolist() == [5, 1, 1]
    assert table.loc["age", "hazard_ratio"] == pytest.approx(np.exp(5 * table.loc["age", "coefficient"]))


def test_start_stop_rows_are_clustered_and_equal_lifelines():
    hearts = load_stanford_heart_transplants()
    names = ["age", "surgery", "transplant"]
    tenures = jk.Tenures.from_durations(
        hearts["stop"], hearts["event"], hearts["start"], customers=hearts["id"], covariates=hearts[names]
    )
    theirs = lifelines.CoxTimeVaryingFitter().fit(
        hearts[["id", "start", "stop", "event", *names]],
        id_col="id",
        event_col="event",
        start_col="start",
        stop_col="stop",
    )
    model = churn_model(tenures)
    np.testing.assert_allclose(model.table["coefficient"], theirs.params_[names], atol=1e-6)
    assert model.params["robust"]
    assert model.summary["customers"].iloc[0] == 103


def test_categories_are_compared_with_their_largest_level():
    arm = ["6-MP"] * 21 + ["placebo"] * 21 + ["6-MP"]
    model = churn_model(jk.Tenures.from_durations([*WEEKS, 35], [*RELAPSED, 0], covariates={"arm": arm}))
    row = model.table.iloc[0]
    assert (row["covariate"], row["level"], row["reference"]) == ("arm", "placebo", "6-MP")
    assert (row["customers"], row["events"]) == (21, 21)
    plain = churn_model(
        jk.Tenures.from_durations([*WEEKS, 35], [*RELAPSED, 0], covariates={"placebo": [0] * 21 + [1] * 21 + [0]})
    )
    assert row["hazard_ratio"] == pytest.approx(plain.table["hazard_ratio"].iloc[0])
    assert "arm: placebo" in model.describe()


def test_rare_levels_stand_together_and_are_said():
    rng = np.random.default_rng(1)
    city = np.array(["a"] * 150 + ["b"] * 100 + ["c"] * 6 + ["d"] * 7 + ["e"] * 8)
    tenures = jk.Tenures.from_durations(rng.exponential(9, 271), np.ones(271), covariates={"city": city})
    model = churn_model(tenures)
    assert model.table["level"].tolist() == ["b", "(other)"]
    assert model.table["customers"].tolist() == [100, 21]
    assert model.params["joined"] == {"city": ["c", "d", "e"]}
    assert "(other)" in model.describe()
    assert len(model.customers(1)) == 21


def test_missing_is_counted_and_nobody_dropped():
    rng = np.random.default_rng(2)
    age = rng.normal(40, 10, 400)
    age[:60] = np.nan
    tenures = jk.Tenures.from_durations(rng.exponential(9, 400), np.ones(400), covariates={"age": age})
    model = churn_model(tenures)
    assert model.table["level"].tolist() == ["", "(missing)"]
    assert model.table["customers"].tolist() == [340, 60]
    assert model.summary["customers"].iloc[0] == 400
    # Whoever has an age: the same effect as among them alone, but for what the baseline shares.
    alone = churn_model(jk.Tenures.from_durations(tenures.duration[60:], np.ones(340), covariates={"age": age[60:]}))
    assert model.table["coefficient"].iloc[0] == pytest.approx(alone.table["coefficient"].iloc[0], abs=0.003)


def test_strata_have_no_effect_of_their_own():
    tenures = jk.Tenures.from_durations(ROSSI["week"], ROSSI["arrest"], covariates=ROSSI[[*NUMBERS, "wexp"]])
    model = churn_model(tenures, strata="wexp")
    theirs = lifelines.CoxPHFitter().fit(
        ROSSI[["week", "arrest", *NUMBERS, "wexp"]], "week", "arrest", strata=["wexp"],
        fit_options={"precision": 1e-10, "r_precision": 1e-12},
    )  # fmt: skip
    np.testing.assert_allclose(model.table["coefficient"], theirs.params_[NUMBERS], atol=1e-6)
    assert model.predict(horizon=10).table["leave_probability"].notna().all()


def test_segments_are_a_covariate_unless_others_are_named():
    tenures = jk.Tenures.from_durations(
        ROSSI["week"], ROSSI["arrest"], segments=ROSSI["mar"].map({0: "alone", 1: "married"}), covariates=ROSSI[["age"]]
    )
    assert churn_model(tenures).table["covariate"].tolist() == ["age", "segment"]
    assert churn_model(tenures, covariates="age").table["covariate"].tolist() == ["age"]


# -- checks ----------------------------------------------------------------------------------


def crossing(n=4000):
    rng = np.random.default_rng(5)
    x = rng.integers(0, 2, n)
    early = rng.exponential(1, n) / np.where(x, 3, 1)
    time = np.where(early < 0.5, early, 0.5 + rng.exponential(1, n) / np.where(x, 0.5, 1))
    names = pd.Series(x).map({0: "plain", 1: "crossing"})
    return jk.Tenures.from_durations(time, np.ones(n), covariates={"kind": names, "noise": rng.normal(size=n)})


def test_effects_that_change_are_found_and_something_is_advised():
    model = churn_model(crossing())
    checks = model.checks.set_index("covariate")
    assert checks.loc["kind", "p_value_holm"] < 1e-6
    assert checks.loc["kind", "advice"] == "churn_model.advice_stratify"
    assert checks.loc["noise", "advice"] == ""
    assert checks.loc["all", "degrees_of_freedom"] == 2
    reference = model.table["reference"].iloc[0]
    ratios = checks.loc["kind", ["early_ratio", "late_ratio"]].to_numpy(dtype=float)
    falls = ratios[0] > ratios[1]
    assert falls == (reference == "plain")  # the crossing kind leaves faster early, and slower late
    assert "strata=" in model.describe()


def test_distributions_are_compared():
    rng = np.random.default_rng(3)
    x = rng.normal(size=2000)
    time = np.exp(1 + 0.5 * x + 0.6 * rng.normal(size=2000))
    tenures = jk.Tenures.from_durations(time, np.ones(2000), covariates={"x": x})
    model = churn_model(tenures, method="weibull_aft")
    assert model.checks.set_index("method").loc["lognormal_aft", "behind"] == 0
    assert "log-normal" in model.describe()
    best = churn_model(tenures, method="lognormal_aft")
    assert best.table["time_ratio"].iloc[0] == pytest.approx(np.exp(0.5), rel=0.05)
    assert "stay" in best.describe()
    assert best.summary["concordance"].iloc[0] > 0.65


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covariates", "options", "says"),
    [
        ({"x": [1] * 42}, {}, "1 for everybody"),
        ({"x": ["a"] * 42}, {}, "'a' for everybody"),
        ({"x": [np.nan] * 42}, {}, "never known"),
        ({"x": range(42)}, {"covariates": "y"}, "must be among the tenures' covariates"),
        ({f"x{i}": np.random.default_rng(i).normal(size=42) for i in range(9)}, {}, "too few for 9 coefficients"),
        ({"x": range(42), "y": range(42)}, {}, "made of one another"),
        ({"x": RELAPSED}, {}, "no bound"),
        ({"x": range(42)}, {"method": "best"}, "method must be one of"),
        ({"x": range(42)}, {"ties": "exact"}, "ties must be one of"),
        ({"x": range(42)}, {"penalizer": -1}, "penalizer"),
        ({"x": range(42)}, {"confidence": 95}, "confidence"),
        ({"x": range(42)}, {"strata": "x", "method": "weibull_aft"}, "strata are for Cox"),
        ({"x": [f"customer {i}" for i in range(42)] * 1}, {}, "coefficients|no level|no bound|made of"),
    ],
)
def test_what_can_not_be_explained_is_refused(covariates, options, says):
    tenures = jk.Tenures.from_durations(WEEKS, RELAPSED, covariates=covariates)
    with pytest.raises(ParameterError, match=says):
        churn_model(tenures, **options)


def test_a_log_is_no_tenures():
    log = make_log([("a", "x", 0)], observed_until=9)
    with pytest.raises(ParameterError, match="is fitted to"):
        churn_model(log)


def test_changing_covariates_need_cox():
    tenures = jk.Tenures.from_durations(
        [10, 30, 40, 50] * 12, [False, True, True, True] * 12, [0, 10, 0, 0] * 12,
        customers=[c for i in range(12) for c in (f"a{i}", f"a{i}", f"b{i}", f"c{i}")],
        covariates={"x": [0, 1, 2, 1.5] * 12},
    )  # fmt: skip
    with pytest.raises(ParameterError, match="stay as they are"):
        churn_model(tenures, method="weibull_aft")


# -- one covariate ---------------------------------------------------------------------------


def test_partial_effects_of_a_level_are_its_curve():
    arm = ["6-MP"] * 21 + ["placebo"] * 21
    model = churn_model(jk.Tenures.from_durations(WEEKS, RELAPSED, covariates={"arm": arm}))
    found = model.partial_effects("arm")
    assert found.summary["value"].tolist() == ["6-MP", "placebo"]
    assert found.summary["hazard_ratio"].tolist() == pytest.approx([1, model.table["hazard_ratio"].iloc[0]])
    curves = found.table.pivot_table(index="time_days", columns="value", values="survival")
    np.testing.assert_allclose(np.log(curves["placebo"]), model.table["hazard_ratio"].iloc[0] * np.log(curves["6-MP"]))
    assert len(found.metrics()) == 2
    with pytest.raises(ParameterError, match="knows of 'arm'"):
        model.partial_effects("arm", ["aspirin"])
    with pytest.raises(ParameterError, match="one of the model's"):
        model.partial_effects("dose")


def test_a_model_without_covariates_is_the_curve():
    model = churn_model(jk.Tenures.from_durations(WEEKS, RELAPSED))
    assert model.table.empty
    assert "Learned from 42 customers" in model.describe()
    hazard, _, _ = model.hazard.between(np.zeros((1, 0)), 0, 10)
    curve = jk.survival_curve(jk.Tenures.from_durations(WEEKS, RELAPSED))
    assert np.exp(-hazard[0]) == pytest.approx(curve.at(10)["survival"].iloc[0], abs=0.01)


def test_without_covariates_customers_may_come_back():
    twice = jk.Tenures.from_durations([3, 5, 7, 9], [1, 1, 1, 0], customers=["a", "a", "b", "c"], spells=[1, 2, 1, 1])
    model = churn_model(twice)
    assert model.table.empty
    hazard, _, _ = model.hazard.between(np.zeros((1, 0)), 0, 5)
    assert hazard[0] == pytest.approx(1 / 4 + 1 / 3)  # Nelson–Aalen


def test_metrics_are_unique_and_definitions_tell_methods_apart():
    cox, aft = churn_model(TENURES), churn_model(TENURES, method="weibull_aft")
    assert not cox.metrics().duplicated(["name", "segment", "period", "definition"]).any()
    assert cox.definition != aft.definition
    assert cox.definition.startswith("churn_model_cox")


@pytest.mark.parametrize("method", ["cox", "weibull_aft", "lognormal_aft", "loglogistic_aft"])
def test_what_is_the_same_twice_is_called_that_by_every_method(method):
    rng = np.random.default_rng(0)
    x, days = rng.normal(size=300), np.ceil(rng.exponential(100, 300))
    for other in (2 * x + 1, -x + 1e-9 * rng.normal(size=300)):
        tenures = jk.Tenures.from_durations(days, rng.random(300) < 0.7, covariates={"x": x, "y": other})
        with pytest.raises(ParameterError, match=r"the same or made of one another: \['x', 'y'\]"):
            churn_model(tenures, method=method)
    with pytest.raises(ParameterError, match="must be a number, 0 or more"):
        churn_model(tenures, method=method, penalizer="1")


@pytest.mark.parametrize("method", ["weibull_aft", "lognormal_aft", "loglogistic_aft"])
def test_when_all_leave_at_once_there_is_no_distribution(method):
    x = np.random.default_rng(0).normal(size=100)
    tenures = jk.Tenures.from_durations(np.full(100, 5), np.arange(100) % 3 > 0, covariates={"x": x})
    with pytest.raises(ParameterError, match="all who leave do so at 5, and nobody was watched longer"):
        churn_model(tenures, method=method)
