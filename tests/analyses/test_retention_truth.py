"""Retention of a simulated shop recovers what its parameters say."""

from __future__ import annotations

import numpy as np
import pytest

import journeykit as jk


@pytest.mark.slow
@pytest.mark.parametrize("period", ["month", "week"])
def test_the_cells_of_a_simulated_shop_are_the_true_ones(period):
    inside, differences, weights = [], [], []
    for seed in range(4):
        log, truth = jk.simulate_journeys(n_customers=40_000, rng=seed)
        expected = truth.retention(period=period, back="product_page")
        found = jk.retention(log, start="order", back="product_page", period=period).table
        found = found[(found["status"] == "finished") & (found["age"] > 0) & (found["base"] >= 30)]
        both = found.merge(expected, on=["cohort", "age"], suffixes=("", "_true"))
        assert len(both) == len(found)
        covered = (both["back_rate_low"] <= both["back_rate_true"]) & (both["back_rate_true"] <= both["back_rate_high"])
        inside.append(covered.mean())
        differences.append(both["back_rate"] - both["back_rate_true"])
        weights.append(both["base"])
    # Cells share customers, so their misses come together: the bands are wider than those of as many single cells.
    assert 0.91 <= np.mean(inside) <= 0.98
    assert np.average(np.concatenate(differences), weights=np.concatenate(weights)) == pytest.approx(0, abs=0.005)
