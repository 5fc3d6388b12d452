"""Accelerated failure times against lifelines, closed forms and derivatives taken numerically."""

import lifelines
import numpy as np
import pytest
from lifelines.datasets import load_rossi

from journeykit.errors import ParameterError
from journeykit.estimators.aft import DISTRIBUTIONS, _log_density, _log_survival, aft_fit

ROSSI = load_rossi()
COLUMNS = ["age", "prio", "mar"]
THEIRS = {
    "weibull": (lifelines.WeibullAFTFitter, "lambda_"),
    "lognormal": (lifelines.LogNormalAFTFitter, "mu_"),
    "loglogistic": (lifelines.LogLogisticAFTFitter, "alpha_"),
}


@pytest.mark.parametrize("distribution", ["weibull", "lognormal"])
@pytest.mark.parametrize("late", [False, True])
def test_fits_equal_lifelines(distribution, late):
    data = ROSSI[["week", "arrest", *COLUMNS]].assign(enter=(ROSSI["week"] * 0.4).astype(int))
    fitter, parameter = THEIRS[distribution]
    theirs = fitter().fit(
        data if late else data.drop(columns="enter"), "week", "arrest", entry_col="enter" if late else None
    )
    ours = aft_fit(
        data["week"], data["arrest"], data[COLUMNS], distribution=distribution, enters=data["enter"] if late else None
    )
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood_, abs=1e-5)
    np.testing.assert_allclose(ours.coefficients, theirs.params_[parameter][COLUMNS], rtol=2e-3, atol=2e-4)
    se = np.sqrt(np.diag(ours.covariance))[1:-1]
    np.testing.assert_allclose(se, theirs.standard_errors_[parameter][COLUMNS], rtol=2e-3)
    who = data[COLUMNS].iloc[:4]
    survival = theirs.predict_survival_function(who, times=[10, 40]).to_numpy()
    hazard, _ = ours.hazard(who, 10, 40)
    np.testing.assert_allclose(np.exp(-hazard), survival[1] / survival[0], atol=1e-4)


@pytest.mark.parametrize("late", [False, True])
def test_loglogistic_is_at_least_as_likely_as_lifelines(late):
    # Its optimiser stops short of the maximum; ours must not be below, and nearby where it comes close.
    data = ROSSI[["week", "arrest", *COLUMNS]].assign(enter=(ROSSI["week"] * 0.4).astype(int))
    theirs = lifelines.LogLogisticAFTFitter().fit(
        data if late else data.drop(columns="enter"), "week", "arrest", entry_col="enter" if late else None
    )
    enters = data["enter"] if late else None
    ours = aft_fit(data["week"], data["arrest"], data[COLUMNS], distribution="loglogistic", enters=enters)
    assert ours.log_likelihood >= theirs.log_likelihood_
    if not late:
        np.testing.assert_allclose(ours.coefficients, theirs.params_["alpha_"][COLUMNS], atol=0.005)


def test_weibull_with_scale_1_by_hand():
    # Exponential times: were the scale 1, the ratio of times would be that of days watched per event, (5/1)/(6/3).
    rng = np.random.default_rng(4)
    n = 200_000
    x = rng.integers(0, 2, n)
    time = rng.exponential(np.where(x, 5.0, 2.0))
    fit = aft_fit(np.minimum(time, 6), time <= 6, x)
    assert np.exp(fit.coefficients[0]) == pytest.approx(2.5, rel=0.02)
    assert np.exp(fit.log_scale) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_derivatives_are_those_of_the_functions(distribution):
    z, h = np.linspace(-4, 3, 15), 1e-5
    for function in (_log_survival, _log_density):
        value, first, second = function(distribution, z)
        above, below = function(distribution, z + h)[0], function(distribution, z - h)[0]
        np.testing.assert_allclose(first, (above - below) / (2 * h), atol=1e-6)
        np.testing.assert_allclose(second, (above - 2 * value + below) / h**2, atol=2e-4)
    # Density is less the slope of survival.
    survival = np.exp(_log_survival(distribution, z)[0])
    slope = _log_survival(distribution, z)[1] * survival
    np.testing.assert_allclose(np.exp(_log_density(distribution, z)[0]), -slope, atol=1e-12)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_late_entry_leaves_the_truth_where_it_is(distribution):
    rng = np.random.default_rng(6)
    n = 60_000
    x = rng.normal(size=n)
    noise = {"weibull": np.log(rng.exponential(size=n)), "lognormal": rng.normal(size=n)}
    noise["loglogistic"] = rng.logistic(size=n)
    time = np.exp(1 + 0.5 * x + 0.7 * noise[distribution])
    since = rng.uniform(0, 3, n) * (rng.random(n) < 0.7)
    seen = time > since
    end = np.minimum(time, 8)[seen & (since < 8)]
    rows = seen & (since < 8)
    fit = aft_fit(end, (time <= 8)[rows], x[rows], distribution=distribution, enters=since[rows])
    se = np.sqrt(np.diag(fit.covariance))
    assert abs(fit.coefficients[0] - 0.5) < 4 * se[1]
    assert abs(fit.intercept - 1) < 4 * se[0]
    assert abs(fit.log_scale - np.log(0.7)) < 4 * se[2]


def test_error_of_the_hazard_by_the_delta_method():
    fit = aft_fit(ROSSI["week"], ROSSI["arrest"], ROSSI[COLUMNS])
    who = np.array([[20.0, 3.0, 0.0]])
    _, se = fit.hazard(who, 10, 40)

    def hazard(at):
        # Weibull: (t e^{-centre})^{1/scale}.
        return np.diff((np.array([10, 40]) * np.exp(-at[0] - who[0] @ at[1:4])) ** np.exp(-at[4]))[0]

    at = np.concatenate([[fit.intercept], fit.coefficients, [fit.log_scale]])
    slope = [(hazard(at + h) - hazard(at - h)) / 2e-6 for h in np.eye(5) * 1e-6]
    assert se[0] == pytest.approx(np.sqrt(slope @ fit.covariance @ slope), rel=1e-5)


def test_copies_in_clusters_count_once():
    data = ROSSI.loc[ROSSI.index.repeat(2)]
    who = np.repeat(np.arange(len(ROSSI)), 2)
    once = aft_fit(ROSSI["week"], ROSSI["arrest"], ROSSI[COLUMNS], clusters=np.arange(len(ROSSI)))
    twice = aft_fit(data["week"], data["arrest"], data[COLUMNS], clusters=who)
    np.testing.assert_allclose(twice.covariance, once.covariance, rtol=1e-6)


def test_what_has_no_answer_is_refused():
    with pytest.raises(ParameterError, match="above 0"):
        aft_fit([0, 1], [1, 1], [[1], [2]])
    with pytest.raises(ParameterError, match="same for everybody"):
        aft_fit([1, 2], [1, 1], [[1], [1]])
    with pytest.raises(ParameterError, match="nobody leaves"):
        aft_fit([1, 2], [0, 0], [[1], [2]])
    with pytest.raises(ParameterError, match="no bound"):
        aft_fit([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], [[1], [1], [1], [0], [0], [0]])
