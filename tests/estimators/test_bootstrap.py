"""Bootstrap weights: Poisson, the same in any bucket and on any machine; intervals against known ones."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, text

from journeykit.errors import ParameterError
from journeykit.estimators.bootstrap import bootstrap_interval, bootstrap_sums, customer_keys, poisson_weights
from journeykit.estimators.proportions import clustered_mean, customer_sums

NAMES = ["ann", "bob", "cem", "dee", "eli", "fay", "gil", "hoa"]
GOLDEN_KEY = 15203920426015911114
GOLDEN_WEIGHTS = [1, 3, 1, 0, 2, 2, 2, 0]


def slow_mix(x):
    """SplitMix64's next output from state x, in whole numbers: Steele, Lea & Flood (2014)."""
    z = (x + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def slow_weight(seed, replicate, key):
    """The smallest k with u < P(Poisson(1) ≤ k), u from the hash, in fractions."""
    u = Fraction(slow_mix(key ^ slow_mix((slow_mix(seed) + replicate) % 2**64)), 2**64)
    e = sum(Fraction(1, math.factorial(k)) for k in range(30))
    k, below = 0, 1 / e
    while u >= below:
        k += 1
        below += 1 / e / math.factorial(k)
    return k


def test_the_mix_is_splitmix64():
    # First output for seed 1234567, as printed with the reference implementation.
    assert slow_mix(1234567) == 6457827717110365317


@given(integers(0, 2**63), integers(1, 10**6), lists(text(max_size=5), min_size=1, max_size=5))
def test_weights_are_the_slow_ones(seed, replicate, ids):
    expected = [slow_weight(seed, replicate, int(key)) for key in customer_keys(ids)]
    assert poisson_weights(seed, replicate, ids).tolist() == expected


def test_weights_are_the_same_on_every_machine_and_day():
    # pandas' hash of "ann", and the weights: recomputed by slow_weight above; printed once, never to change.
    assert int(customer_keys(["ann"])[0]) == GOLDEN_KEY
    assert poisson_weights(2024, 1, NAMES).tolist() == GOLDEN_WEIGHTS
    assert [slow_weight(2024, 1, int(key)) for key in customer_keys(NAMES)] == GOLDEN_WEIGHTS


@given(lists(integers(0, 10**9), min_size=1, unique=True), integers(1, 9))
def test_a_customers_weight_is_the_same_in_any_bucket(ids, buckets):
    whole = pd.Series(poisson_weights(3, 5, ids), index=ids)
    for i in range(buckets):
        part = [each for each in ids if each % buckets == i]
        assert poisson_weights(3, 5, part).tolist() == whole[part].tolist()


@pytest.mark.parametrize("kind", ["string", "category", object, "string[pyarrow]"])
def test_a_customers_key_does_not_depend_on_how_ids_are_stored(kind):
    assert customer_keys(pd.Series(NAMES, dtype=kind)).tolist() == customer_keys(NAMES).tolist()
    assert customer_keys(pd.Index([7, 8], dtype="int32")).tolist() == customer_keys([7, 8]).tolist()


def test_weights_have_mean_1_variance_1_and_are_independent():
    # A million customers: the mean has error 0.001, the variance √3/1000, a correlation 0.001.
    keys = customer_keys(np.arange(1_000_000))
    first, second, other = (poisson_weights(*pair, keys) for pair in ((1, 1), (1, 2), (2, 1)))
    for weights in (first, second, other):
        assert weights.mean() == pytest.approx(1, abs=0.004)
        assert weights.var() == pytest.approx(1, abs=0.007)
        shares = np.bincount(weights, minlength=9)[:5] / 1e6
        assert shares.tolist() == pytest.approx([math.exp(-1) / math.factorial(k) for k in range(5)], abs=0.002)
    assert abs(np.corrcoef([first, second, other])[np.triu_indices(3, 1)]).max() < 0.004
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.004


def test_sums_of_buckets_add_up_and_replicate_0_is_the_data():
    rng = np.random.default_rng(0)
    sums = pd.DataFrame({"orders": rng.integers(0, 5, 200), "visits": rng.integers(1, 9, 200)})
    ids = np.arange(200) * 7919
    whole = bootstrap_sums(sums, ids, seed=4, replicates=30)
    parts = [bootstrap_sums(sums[ids % 3 == i], ids[ids % 3 == i], seed=4, replicates=30) for i in range(3)]
    pd.testing.assert_frame_equal(parts[0] + parts[1] + parts[2], whole)
    assert whole.loc[0].tolist() == sums.sum().tolist()


def test_the_interval_of_a_ratio_is_near_the_clustered_one():
    rng = np.random.default_rng(1)
    orders, visits = rng.poisson(2, 3000), rng.poisson(5, 3000) + 1
    replicated = bootstrap_sums(pd.DataFrame({"x": orders, "n": visits}), range(3000), seed=9, replicates=2000)
    mean, low, high = (float(value[0]) for value in clustered_mean(**customer_sums(orders, visits)))
    for method in ("percentile", "basic"):
        found = bootstrap_interval(replicated, lambda sums: sums["x"] / sums["n"], method=method)
        assert found[0] == pytest.approx(mean)
        # The error of a 2.5% quantile of 2,000 draws is 0.06 standard errors: 3% of the half width.
        assert found[1:] == pytest.approx((low, high), abs=0.12 * (high - low) / 2)


def test_basic_bounds_are_the_percentiles_mirrored_at_the_estimate():
    replicated = pd.DataFrame({"x": [10.0, *range(101)]})
    low, high = bootstrap_interval(replicated, lambda sums: sums["x"], confidence=0.9)[1:]
    assert (low, high) == pytest.approx((5, 95))
    assert bootstrap_interval(replicated, lambda sums: sums["x"], 0.9, "basic")[1:] == pytest.approx((-75, 15))


def test_a_statistic_that_is_often_undefined_has_no_interval():
    replicated = pd.DataFrame({"x": [1.0, *[1.0] * 9], "n": [2.0, *[0.0] * 1, *[2.0] * 8]})
    estimate, low, high = bootstrap_interval(replicated, lambda sums: sums["x"] / sums["n"].where(sums["n"] > 0))
    assert estimate == 0.5
    assert np.isnan([low, high]).all()


def test_what_cannot_be_resampled_is_refused():
    with pytest.raises(ParameterError, match="one row a customer"):
        bootstrap_sums(pd.DataFrame({"x": [1, 2]}), ["ann"], seed=1)
    with pytest.raises(ParameterError, match="replicates"):
        bootstrap_sums(pd.DataFrame({"x": [1]}), ["ann"], seed=1, replicates=0)
    with pytest.raises(ParameterError, match="missing"):
        customer_keys(["ann", None])
