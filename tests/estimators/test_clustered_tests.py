"""The log-rank score row by row."""

from __future__ import annotations

import numpy as np
import pytest

from journeykit.estimators.clustered_tests import logrank_scores
from journeykit.estimators.logrank import logrank, score_test
from journeykit.estimators.risk import risk_table


def some_rows(seed: int, n: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 9, n), rng.random(n) < 0.6, rng.choice(["a", "b", "c"], n)


@pytest.mark.parametrize("seed", range(4))
def test_contributions_add_up_to_observed_minus_expected(seed):
    duration, ended, group = some_rows(seed)
    table = risk_table(duration, ended, enters=-1, by=group)
    names = ["a", "b", "c"]
    scores, test = logrank_scores(table, names), logrank(table)
    assert scores.score == pytest.approx((test.groups["observed"] - test.groups["expected"]).to_numpy())
    for i, name in enumerate(names):
        rows = scores.of_rows(i, group == name, duration, ended)
        assert rows.sum() == pytest.approx(scores.score[i])


def test_with_one_row_a_customer_the_robust_test_is_near_the_usual_one():
    duration, ended, group = some_rows(7, 3000)
    table = risk_table(duration, ended, enters=-1, by=group)
    scores = logrank_scores(table, ["a", "b", "c"])
    rows = np.array([scores.of_rows(i, group == name, duration, ended) for i, name in enumerate("abc")])
    statistic, degrees, p_value = score_test(scores.score, rows @ rows.T)
    usual = logrank(table)
    assert degrees == usual.degrees_of_freedom
    # Events at one time are independent here, and hypergeometric (a little less spread) in the usual test.
    assert statistic == pytest.approx(usual.statistic, rel=0.2)
    assert p_value == pytest.approx(usual.p_value, abs=0.1)
