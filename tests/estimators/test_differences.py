"""Differences against Newcombe's printed table, closed testing, scipy and the formulas written out."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists, tuples

from journeykit.errors import ParameterError
from journeykit.estimators.differences import (
    benjamini_hochberg,
    clustered_difference,
    holm,
    joint_sums,
    newcombe,
    rate_differences,
    two_rate_test,
)
from journeykit.estimators.proportions import wilson, with_rate

p_lists = lists(floats(0, 1), min_size=1, max_size=7)
joint_rows = lists(tuples(*[integers(0, 5)] * 4), min_size=2, max_size=25)


@pytest.mark.parametrize(
    ("a", "n", "b", "m", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0000),
        (10, 10, 0, 10, 0.6075, 1.0000),
    ],
)
def test_newcombe_gives_the_printed_intervals(a, n, b, m, low, high):
    # Newcombe (1998), Interval estimation for the difference between independent proportions, table II, method 10.
    assert newcombe((a / n, *wilson(a, n)), (b / m, *wilson(b, m)))[1:] == pytest.approx((low, high), abs=5e-5)


def test_the_test_of_two_rates_is_pearsons_with_n_minus_1():
    from scipy.stats import chi2, chi2_contingency

    statistic = chi2_contingency([[56, 14], [48, 32]], correction=False).statistic
    assert two_rate_test(56 / 70, 70, 48 / 80, 80) == pytest.approx(chi2.sf(statistic * 149 / 150, 1))


def test_equal_rates_have_no_evidence_and_empty_groups_no_p_value():
    assert two_rate_test([0, 1, 0.5], [5, 5, 5], [0, 1, 0.5], [9, 9, 9]).tolist() == [1, 1, 1]
    assert np.isnan(two_rate_test(np.nan, 0, 0.5, 4))


def test_every_group_is_compared_with_the_first_or_all_with_all():
    counts = pd.DataFrame({"plan": ["a", "b", "c"], "customers": [48, 56, 30], "base": [80, 70, 60]})
    rates = with_rate(counts, "stay", base="base")
    first = rate_differences(rates, "stay_rate", group="plan", n="base")
    pairs = rate_differences(rates, "stay_rate", group="plan", n="base", against="pairs")
    assert first[["a", "b"]].to_numpy().tolist() == [["a", "b"], ["a", "c"]]
    assert pairs[["a", "b"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert first["difference_rate"].tolist() == pytest.approx([0.2, -0.1])
    assert first.loc[0, ["difference_rate_low", "difference_rate_high"]].tolist() == pytest.approx(
        [0.0524, 0.3339], abs=5e-5
    )
    assert pairs["p_value_holm"].tolist() == pytest.approx(holm(pairs["p_value"]).tolist())


@given(joint_rows)
def test_the_variance_of_a_shared_difference_is_that_of_the_customers_scores(rows):
    xa, na, xb, nb = np.array(rows, dtype=float).T
    found = clustered_difference(joint_sums(xa, na, xb, nb)).iloc[0]
    if na.sum() == 0 or nb.sum() == 0:
        assert np.isnan(found["difference"])
        return
    p, q = xa.sum() / na.sum(), xb.sum() / nb.sum()
    scores = (xa - p * na) / na.sum() - (xb - q * nb) / nb.sum()
    c = len(rows)
    variance = c / (c - 1) * (scores**2).sum()
    assert found["difference"] == pytest.approx(p - q)
    if variance > 1e-9:
        from scipy.stats import t

        assert found["difference_high"] - found["difference"] == pytest.approx(t.ppf(0.975, c - 1) * np.sqrt(variance))
        assert found["p_value"] == pytest.approx(2 * t.sf(abs(p - q) / np.sqrt(variance), c - 1), abs=1e-12)


def test_with_everybody_once_in_both_groups_it_is_the_paired_t_test():
    from scipy.stats import ttest_rel

    before, after = np.array([0, 0, 1, 0, 1, 0, 0, 1]), np.array([1, 0, 1, 1, 1, 0, 1, 0])
    expected = ttest_rel(after, before)
    found = clustered_difference(joint_sums(after, 1, before, 1)).iloc[0]
    interval = expected.confidence_interval(0.95)
    assert found.tolist() == pytest.approx([0.25, interval.low, interval.high, expected.pvalue])


def test_groups_without_spread_have_a_difference_and_no_interval():
    found = clustered_difference(joint_sums([0, 0], 1, [0, 0], 1)).iloc[0]
    assert found["difference"] == 0
    assert found[["difference_low", "difference_high", "p_value"]].isna().all()


@given(joint_rows, integers(0, 25))
def test_joint_sums_add_up_over_buckets(rows, cut):
    columns = np.array(rows).T
    parts = joint_sums(*columns[:, :cut]) + joint_sums(*columns[:, cut:])
    assert parts.equals(joint_sums(*columns))


@given(p_lists)
def test_holm_is_the_closed_test_with_bonferroni(p):
    sets = [some for size in range(1, len(p) + 1) for some in combinations(range(len(p)), size)]
    closed = [max(min(1, len(some) * min(p[j] for j in some)) for some in sets if i in some) for i in range(len(p))]
    assert holm(p).tolist() == pytest.approx(closed)


@given(p_lists)
def test_benjamini_hochberg_is_scipys(p):
    from scipy.stats import false_discovery_control

    assert benjamini_hochberg(p).tolist() == pytest.approx(false_discovery_control(p).tolist())


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_a_missing_p_value_stays_missing_and_counts_for_nothing(adjust):
    adjusted = adjust([0.01, np.nan, 0.04])
    assert np.isnan(adjusted[1])
    assert adjusted[[0, 2]].tolist() == adjust([0.01, 0.04]).tolist()
    assert adjust([]).tolist() == []


def test_p_values_beyond_1_are_refused():
    with pytest.raises(ParameterError, match="from 0 to 1"):
        holm([0.5, 1.5])


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "p"), [(12, 20, 0.3), (60, 40, 0.1), (200, 200, 0.5)])
def test_the_test_of_two_rates_keeps_its_level(n, m, p):
    # Exact, over all pairs of counts: no Monte Carlo error. Tests on counts are bumpy; 6.5% is the most seen here.
    from scipy.stats import binom

    i, j = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    chance = binom.pmf(i, n, p) * binom.pmf(j, m, p)
    assert 0.025 < chance[two_rate_test(i / n, n, j / m, m) <= 0.05].sum() < 0.065
