"""Calibration, and the regression and splines under it."""

import numpy as np
import pytest

from journeykit.errors import ParameterError
from journeykit.estimators.calibration import calibration_curve, calibration_table
from journeykit.estimators.cloglog import cloglog_fit
from journeykit.estimators.cox import cox_fit
from journeykit.estimators.proportions import wilson
from journeykit.estimators.risk_sets import risk_sets
from journeykit.estimators.splines import spline_basis, spline_knots


def simulated(n=50_000, seed=0, wrong=1.0):
    """Customers whose chance to leave within 1 is known, and what was predicted of it."""
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(-1.5, 1, n))
    left = rng.exponential(1 / rate)
    return 1 - np.exp(-(rate**wrong)), left, rng


def test_groups_by_hand():
    chance = [0.1, 0.2, 0.3, 0.8, 0.8, 0.8]
    found = calibration_table(chance, [9, 1, 9, 2, 2, 9], [0, 1, 0, 1, 1, 0], 5, bins=2)
    assert found["n"].tolist() == [3, 3]
    assert found["predicted_rate"].tolist() == pytest.approx([0.2, 0.8])
    assert found["observed_rate"].tolist() == pytest.approx([1 / 3, 2 / 3])


def test_who_was_lost_does_not_make_a_share_surer():
    lost = 90  # before the horizon, so that 10 are known to have stayed
    found = calibration_table(np.full(100, 0.2), [9] * 10 + [2] * lost, np.zeros(100), 5).iloc[0]
    assert found["n"] == 100
    assert (found["observed_rate_low"], found["observed_rate_high"]) == wilson(0, 10)


def test_equal_predictions_stay_together():
    found = calibration_table([0.2] * 9 + [0.5], [9] * 9 + [1], [0] * 9 + [1], 5)
    assert found["n"].tolist() == [9, 1]


def test_true_predictions_are_found_to_be_true_with_losses():
    chance, left, rng = simulated()
    lost = rng.uniform(0.3, 3, len(left))
    ends, event = np.minimum(left, lost), left <= lost
    table = calibration_table(chance, ends, event, 1)
    assert (np.abs(table["predicted_rate"] - table["observed_rate"]) < 0.02).all()
    assert table["observed_rate_low"].lt(table["predicted_rate"]).sum() >= 8
    found = calibration_curve(chance, ends, event, 1)
    assert found.index < 0.01
    assert found.median_distance <= found.distance_90


def test_wrong_predictions_are_as_far_off_as_they_are():
    chance, left, _ = simulated(wrong=2.0)
    truth, *_ = simulated()
    found = calibration_curve(chance, left, np.ones(len(left)), 1)
    assert found.index == pytest.approx(np.abs(truth - chance).mean(), abs=0.004)
    curve = found.curve  # 1 − exp(−r²) was said where 1 − exp(−r) is true
    expected = 1 - np.exp(-np.sqrt(-np.log1p(-curve["predicted_rate"])))
    assert np.abs(curve["observed_rate"] - expected).max() < 0.03


def test_who_can_not_leave_yet_is_taken_by_itself():
    chance, left, _ = simulated(2000)
    chance[:500] = 0
    left[:500] = 9
    found = calibration_curve(chance, left, np.ones(2000), 1)
    alone = calibration_curve(chance[500:], left[500:], np.ones(1500), 1)
    assert found.index == pytest.approx(alone.index * 0.75)


def test_chances_must_be_chances():
    with pytest.raises(ParameterError, match="between 0 and 1"):
        calibration_table([1.2], [1], [1], 5)
    with pytest.raises(ParameterError, match="bins"):
        calibration_table([0.2], [1], [1], 5, bins=0)


# -- the regression --------------------------------------------------------------------------


def test_two_groups_by_hand():
    # Shares 1/4 and 1/2: log(−log(1 − share)) is the level of each.
    x = np.array([[1, 0]] * 4 + [[1, 1]] * 4)
    fit = cloglog_fit(x, [1, 0, 0, 0, 1, 1, 0, 0])
    levels = np.log(-np.log(1 - np.array([1 / 4, 1 / 2])))
    np.testing.assert_allclose(fit.coefficients, [levels[0], levels[1] - levels[0]], atol=1e-8)
    # Variance of one group's level: that of a share p of n over the curve's squared slope, p/((1 − p) n log²(1 − p)).
    expected = (1 / 4) / ((3 / 4) * 4 * np.log(3 / 4) ** 2)
    assert fit.covariance[0, 0] == pytest.approx(expected)


def test_it_is_the_cox_model_at_one_time():
    # Everybody who leaves does so at time 1: in continuous time the same model, and Breslow's ties are near where rare.
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40_000, 2))
    left = rng.random(40_000) < 1 - np.exp(-0.01 * np.exp(x @ [0.5, -0.3]))
    ours = cloglog_fit(np.column_stack([np.ones(len(x)), x]), left)
    cox = cox_fit(risk_sets(np.where(left, 1, 2), left, x), ties="breslow")
    np.testing.assert_allclose(ours.coefficients[1:], cox.coefficients, atol=0.01)


def test_copies_in_clusters_count_once():
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(300), rng.normal(size=300)])
    y = rng.random(300) < 0.3
    once = cloglog_fit(x, y)
    twice = cloglog_fit(np.repeat(x, 2, axis=0), np.repeat(y, 2), clusters=np.repeat(np.arange(300), 2))
    np.testing.assert_allclose(twice.coefficients, once.coefficients, atol=1e-8)
    np.testing.assert_allclose(twice.covariance, once.covariance, rtol=1e-6)
    weighed = cloglog_fit(x, y, weight=np.full(300, 2.0))
    np.testing.assert_allclose(weighed.coefficients, once.coefficients, atol=1e-8)


def test_what_can_not_be_explained_is_refused():
    ones = np.ones((4, 1))
    with pytest.raises(ParameterError, match="nobody, or to everybody"):
        cloglog_fit(ones, [0, 0, 0, 0])
    with pytest.raises(ParameterError, match="made of one another"):
        cloglog_fit(np.ones((4, 2)), [0, 1, 0, 0])
    split = np.column_stack([np.ones(8), [0, 0, 0, 0, 1, 1, 1, 1]])
    with pytest.raises(ParameterError):
        cloglog_fit(split, [0, 0, 0, 0, 1, 1, 1, 1])
    assert np.isfinite(cloglog_fit(split, [0, 0, 0, 0, 1, 1, 1, 1], penalty=0.1).coefficients).all()


# -- splines ---------------------------------------------------------------------------------


def test_splines_are_smooth_inside_and_straight_outside():
    knots = np.array([1.0, 2.0, 4.0, 7.0])
    x = np.linspace(-3, 12, 3001)
    basis = spline_basis(x, knots)
    assert basis.shape == (3001, 3)
    bend = np.diff(basis[:, 1:], n=2, axis=0) / np.diff(x)[0] ** 2
    outside = (x[1:-1] < 0.9) | (x[1:-1] > 7.1)
    assert np.abs(bend[outside]).max() < 1e-5
    assert np.abs(np.diff(bend, axis=0)).max() < 0.02  # no jumps in the second derivative
    assert np.abs(bend).max() > 0.01


def test_knots_that_coincide_are_one():
    assert spline_knots([0] * 90 + [5] * 10).tolist() == [0.0, 5.0]
    assert spline_basis([1, 2], [0.0, 5.0]).tolist() == [[1.0], [2.0]]
    with pytest.raises(ParameterError, match="count"):
        spline_knots([1, 2], 9)
