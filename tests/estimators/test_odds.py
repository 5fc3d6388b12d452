"""Odds ratios against statsmodels and scipy, the formulas written out, and the tables that have no answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, tuples

from journeykit.errors import ParameterError
from journeykit.estimators.odds import (
    cluster_inflation,
    fisher_exact,
    influences,
    mantel_haenszel,
    pooled_difference,
    smoothed_odds_ratio,
)

tables = lists(tuples(*[integers(0, 12)] * 4), min_size=1, max_size=6)


def test_one_is_added_to_each_number():
    # 30 of 100 with it, 20 of 100 without: (31 · 81) / (71 · 21).
    ratio, low, high = smoothed_odds_ratio(30, 100, 20, 100)
    assert ratio == pytest.approx(31 * 81 / (71 * 21))
    # Gart: with a half added to each.
    log = np.log(30.5 * 80.5 / (70.5 * 20.5))
    half = 1.959964 * np.sqrt(1 / 30.5 + 1 / 70.5 + 1 / 20.5 + 1 / 80.5)
    assert (low, high) == pytest.approx((np.exp(log - half), np.exp(log + half)))


@given(tuples(*[integers(0, 200)] * 4))
def test_the_interval_holds_the_smoothed_ratio(cells):
    a, b, c, d = cells
    ratio, low, high = smoothed_odds_ratio(a, a + b, c, c + d, confidence=0.8)
    if a + b == 0 or c + d == 0:
        assert np.isnan([ratio, low, high]).all()
    else:
        assert low < ratio < high


def test_the_interval_covers_what_it_says_over_all_tables():
    # Every outcome of 40 against 60 customers, weighed by its probability: no simulation.
    from scipy.stats import binom

    a, c = np.meshgrid(np.arange(41), np.arange(61), indexing="ij")
    _, low, high = smoothed_odds_ratio(a, 40, c, 60)
    for p, q in [(0.1, 0.1), (0.3, 0.1), (0.5, 0.5), (0.2, 0.6), (0.05, 0.3), (0.9, 0.8)]:
        truth = p * (1 - q) / (q * (1 - p))
        weight = binom.pmf(a, 40, p) * binom.pmf(c, 60, q)
        assert 0.945 < weight[(low <= truth) & (truth <= high)].sum() < 0.995


@given(lists(tuples(*[integers(0, 30)] * 4), min_size=1, max_size=5))
def test_fishers_p_value_is_scipys(some):
    from scipy.stats import fisher_exact as oracle

    a, b, c, d = np.array(some).T
    expected = [oracle([[w, x], [y, z]]).pvalue for w, x, y, z in some]
    assert fisher_exact(a, a + b, c, c + d).tolist() == pytest.approx(expected, rel=1e-9)


def test_fishers_p_value_of_a_million_customers():
    from scipy.stats import fisher_exact as oracle

    for a, b, c, d in [(300, 9700, 27_000, 970_000), (120, 880, 90_000, 900_000)]:
        assert fisher_exact(a, a + b, c, c + d) == pytest.approx(oracle([[a, b], [c, d]]).pvalue, rel=1e-6)
    assert fisher_exact(9000, 10_000, 1000, 900_000) == 0  # below the smallest float, and no error


def test_pooling_is_that_of_statsmodels():
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    rng = np.random.default_rng(4)
    for strata in (1, 2, 7):
        cells = rng.integers(1, 30, (strata, 4)).astype(float)
        oracle = contingency.StratifiedTable([table.reshape(2, 2) for table in cells])
        found = mantel_haenszel(cells)
        assert found.odds_ratio == pytest.approx(oracle.oddsratio_pooled)
        assert (found.odds_ratio_low, found.odds_ratio_high) == pytest.approx(oracle.oddsratio_pooled_confint())
        assert found.p_value == pytest.approx(oracle.test_null_odds(correction=False).pvalue)
        if strata > 1:
            assert found.p_homogeneous == pytest.approx(oracle.test_equal_odds(adjust=True).pvalue)


def test_the_pooled_difference_and_satos_variance_by_hand():
    # Strata of 10 and 10, and of 50 and 50.
    found = mantel_haenszel([[8, 2, 5, 5], [20, 30, 10, 40]])
    assert found.difference == pytest.approx(((8 * 10 - 5 * 10) / 20 + (20 * 50 - 10 * 50) / 100) / (100 / 20 + 25))
    p = (100 * 5 - 100 * 8) / 400 + (2500 * 10 - 2500 * 20) / 10_000  # equal groups: the last term is 0
    q = (8 * 5 + 2 * 5) / 40 + (20 * 40 + 30 * 10) / 200
    half = 1.959964 * np.sqrt(found.difference * p + q) / 30
    assert found.difference_high - found.difference == pytest.approx(half)


@given(tables)
def test_the_formulas_written_out(some):
    found = mantel_haenszel(some)
    both = [(a, b, c, d) for a, b, c, d in some if a + b and c + d]
    assert found.strata == len(both)
    assert found.strata_dropped == sum(1 for row in some if sum(row)) - len(both)
    assert found.dropped == sum(a + b for a, b, c, d in some if not c + d)
    r = sum(a * d / (a + b + c + d) for a, b, c, d in both)
    s = sum(b * c / (a + b + c + d) for a, b, c, d in both)
    weight = sum((a + b) * (c + d) / (a + b + c + d) for a, b, c, d in both)
    if not both:
        assert np.isnan([found.odds_ratio, found.difference, found.p_value]).all()
        return
    assert found.difference == pytest.approx((r - s) / weight)
    assert pooled_difference([some])[0] == pytest.approx(found.difference)
    assert found.odds_ratio == pytest.approx(r / s) if s else not np.isfinite(found.odds_ratio)
    assert 0 <= found.p_value <= 1
    if r and s:
        assert found.odds_ratio_low < found.odds_ratio < found.odds_ratio_high


def test_strata_with_one_group_say_nothing():
    alone = mantel_haenszel([[8, 2, 5, 5]])
    with_others = mantel_haenszel([[8, 2, 5, 5], [9, 1, 0, 0], [0, 0, 3, 3], [0, 0, 0, 0]])
    assert (with_others.odds_ratio, with_others.difference) == (alone.odds_ratio, alone.difference)
    assert (with_others.strata, with_others.strata_dropped, with_others.dropped) == (1, 2, 10)


def test_where_nobody_converts_there_is_no_interval():
    found = mantel_haenszel([[0, 5, 0, 9]])
    assert found.difference == 0
    assert np.isnan([found.odds_ratio, found.difference_low, found.odds_ratio_low]).all()
    assert found.p_value == 1


def test_influences_are_derivatives():
    cells = np.array([[8.0, 2, 5, 5], [20, 30, 10, 40], [3, 3, 0, 0]])
    found = mantel_haenszel(cells)

    def of_ratio(x):
        a, b, c, d = x[:2].T
        return ((a * d - found.odds_ratio * b * c) / (a + b + c + d)).sum()

    def of_difference(x):
        a, b, c, d = x[:2].T
        return ((a * d - b * c - found.difference * (a + b) * (c + d)) / (a + b + c + d)).sum()

    for function, values in zip((of_ratio, of_difference), influences(cells), strict=True):
        for stratum in range(2):
            for cell in range(4):
                step = np.zeros_like(cells)
                step[stratum, cell] = 1e-5
                slope = (function(cells + step) - function(cells - step)) / 2e-5
                assert values[stratum, cell] == pytest.approx(slope, abs=1e-6)
        assert values[2].tolist() == [0, 0, 0, 0]


def test_customers_in_several_strata_widen_the_interval():
    # Everybody stands in two strata with the same outcome: twice the variance.
    assert cluster_inflation(own=10.0, by_customer=20.0) == 2
    assert cluster_inflation(own=10.0, by_customer=7.0) == 1
    assert cluster_inflation(own=0.0, by_customer=0.0) == 1
    once, twice = (mantel_haenszel([[8, 2, 5, 5]], inflation=(i, i)) for i in (1, 4))
    assert twice.difference_high - twice.difference == pytest.approx(2 * (once.difference_high - once.difference))


def test_more_successes_than_customers_are_refused():
    with pytest.raises(ParameterError, match="between 0 and n"):
        smoothed_odds_ratio(3, 2, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("strata", "size"), [(3, 120), (60, 6)])
def test_pooled_intervals_cover_few_large_and_many_small_strata(strata, size):
    rng = np.random.default_rng(strata)
    base = rng.uniform(0.2, 0.6, strata)
    odds = 2 * base / (1 - base)
    inside = np.zeros(2)
    for _ in range(2000):
        exposed = rng.binomial(size, 0.4, strata)
        a = rng.binomial(exposed, odds / (1 + odds))
        c = rng.binomial(size - exposed, base)
        found = mantel_haenszel(np.stack([a, exposed - a, c, size - exposed - c], axis=1), homogeneity=False)
        inside[0] += found.odds_ratio_low <= 2 <= found.odds_ratio_high
        shifted = rng.binomial(exposed, base + 0.15)
        found = mantel_haenszel(np.stack([shifted, exposed - shifted, c, size - exposed - c], axis=1))
        inside[1] += found.difference_low <= 0.15 <= found.difference_high
    assert (inside / 2000 > 0.935).all()
    assert (inside / 2000 < 0.965).all()
