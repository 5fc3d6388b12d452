"""Brier scores against arithmetic and scikit-survival."""

import numpy as np
import pytest

from journeykit.errors import ParameterError
from journeykit.estimators.brier import (
    brier_score,
    censoring_curve,
    integrated_brier_score,
    ipcw_weights,
    paired_difference,
)
from tests.estimators.test_concordance import censored_data


def test_weights_by_hand():
    # Lost at 2: of the 3 there, 1, so that later ones stand for 3/2. An event and a loss at one time: the event first.
    duration, event = [1, 2, 2, 5], [1, 0, 1, 1]
    curve = censoring_curve(duration, event)
    assert curve.before([2, 5]).tolist() == [1, 0.5]  # the one who left at 2 could not be lost at 2: 1 of 2 was
    assert ipcw_weights(duration, event, 3, curve).tolist() == [1, 0, 1, 2]


def test_without_losses_it_is_the_mean_square():
    found = brier_score([1, 2, 8, 9], [1, 1, 0, 0], [0.1, 0.6, 0.9, 1.0], 5)
    losses = np.array([0.1**2, 0.6**2, 0.1**2, 0])
    assert found.score == pytest.approx(losses.mean())
    assert found.se == pytest.approx(losses.std(ddof=1) / 2)


def test_losses_are_weighed_on_average_as_if_nobody_were_lost():
    rng = np.random.default_rng(1)
    left = rng.exponential(1, 100_000)
    lost = rng.uniform(0, 2, 100_000)
    whole = brier_score(left, np.ones(100_000), np.full(100_000, 0.5), 0.7)
    seen = brier_score(np.minimum(left, lost), left <= lost, np.full(100_000, 0.5), 0.7)
    assert abs(seen.score - whole.score) < 4 * seen.se


@pytest.mark.oracle
def test_scores_equal_scikit_survival():
    metrics = pytest.importorskip("sksurv.metrics")
    surv = pytest.importorskip("sksurv.util").Surv
    duration, event, x = censored_data()
    known = surv.from_arrays(event, duration)
    times = np.linspace(0.1, 1.2, 9)
    staying = np.exp(-times * np.exp(x)[:, np.newaxis])
    theirs = metrics.brier_score(known, known, staying, times)[1]
    ours = [brier_score(duration, event, staying[:, i], time).score for i, time in enumerate(times)]
    np.testing.assert_allclose(ours, theirs)
    expected = metrics.integrated_brier_score(known, known, staying, times)
    assert integrated_brier_score(duration, event, staying, times).score == pytest.approx(expected)


def test_integrated_is_the_area_by_trapezes():
    duration, event = [1, 2, 8, 9], [1, 1, 0, 0]
    staying = np.array([[0.9, 0.5, 0.4], [0.8, 0.3, 0.2], [1, 1, 0.9], [0.9, 0.9, 0.9]])
    scores = [brier_score(duration, event, staying[:, i], time).score for i, time in enumerate((1, 3, 7))]
    area = (2 * (scores[0] + scores[1]) / 2 + 4 * (scores[1] + scores[2]) / 2) / 6
    assert integrated_brier_score(duration, event, staying, [1, 3, 7]).score == pytest.approx(area)


def test_difference_is_of_the_same_customers():
    rng = np.random.default_rng(2)
    base = rng.normal(size=500)
    mean, se = paired_difference(base + 0.1 + rng.normal(size=500) * 0.01, base)
    assert mean == pytest.approx(0.1, abs=0.002)
    assert se < 0.001
    doubled = paired_difference(np.tile(base, 2), np.zeros(1000), np.tile(np.arange(500), 2))
    assert doubled[1] == pytest.approx(paired_difference(base, np.zeros(500))[1], rel=0.01)


def test_beyond_what_was_watched_is_refused():
    curve = censoring_curve([1, 2, 3], [0, 1, 0])
    with pytest.raises(ParameterError, match="shorter horizon"):
        ipcw_weights([1, 2, 9], [0, 1, 0], 4, curve)
    with pytest.raises(ParameterError, match="rise"):
        integrated_brier_score([1, 2], [1, 0], np.ones((2, 1)), [1])
