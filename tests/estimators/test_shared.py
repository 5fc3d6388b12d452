"""Differences of estimates that share customers; ratios; the sample ratio; what a change is made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.errors import ParameterError
from journeykit.estimators.allocation import expected_sizes, sample_ratio_test
from journeykit.estimators.decomposition import PATTERN, separate_patterns, split_change
from journeykit.estimators.differences import clustered_difference, joint_sums, newcombe
from journeykit.estimators.proportions import wilson
from journeykit.estimators.shared import (
    implied_p_value,
    joint_scores,
    ratio_scores,
    scored_difference,
    separate_ratio,
)


def frame(values, ids):
    return pd.DataFrame({0: values}, index=list(ids))


def test_everybody_once_in_both_is_the_paired_t_test():
    stats = pytest.importorskip("scipy.stats")
    before = np.array([0, 0, 1, 0, 1, 0, 1, 1, 0, 0])
    after = np.array([1, 0, 1, 1, 1, 0, 1, 0, 1, 0])
    ids = [f"c{i}" for i in range(10)]
    sums = joint_scores(frame(ratio_scores(before, [1] * 10), ids), frame(ratio_scores(after, [1] * 10), ids))
    found = scored_difference([before.mean()], [after.mean()], sums).iloc[0]
    paired = stats.ttest_rel(after, before)
    low, high = paired.confidence_interval(0.95)
    assert found["p_value"] == pytest.approx(paired.pvalue)
    assert (found["difference_low"], found["difference_high"]) == pytest.approx((low, high))
    assert sums["shared"].item() == 10


counts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=2)


@settings(max_examples=100, deadline=None)
@given(rows=counts)
def test_scores_give_the_clustered_difference_of_ratios(rows):
    x_a, n_a, x_b, n_b = (np.array(column) for column in zip(*rows, strict=True))
    x_a, x_b = np.minimum(x_a, n_a), np.minimum(x_b, n_b)
    if not n_a.sum() or not n_b.sum():
        return
    ids = np.array([f"c{i:03}" for i in range(len(rows))])
    in_a, in_b = n_a > 0, n_b > 0  # a result knows only its own customers
    sums = joint_scores(
        frame(ratio_scores(x_a[in_a], n_a[in_a]), ids[in_a]), frame(ratio_scores(x_b[in_b], n_b[in_b]), ids[in_b])
    )
    a, b = x_a.sum() / n_a.sum(), x_b.sum() / n_b.sum()
    found = scored_difference([a], [b], sums).iloc[0]
    some = in_a | in_b
    slow = clustered_difference(joint_sums(x_b[some], n_b[some], x_a[some], n_a[some])).iloc[0]
    for name in ("difference", "difference_low", "difference_high", "p_value"):
        assert found[name] == pytest.approx(slow[name], nan_ok=True, abs=1e-9)


def test_one_customer_and_customers_without_any_spread_have_no_interval():
    same = frame(ratio_scores([0, 0], [1, 1]), "ab")
    found = scored_difference([0.0], [0.0], joint_scores(same, same)).iloc[0]
    assert found[["difference_low", "difference_high", "p_value"]].isna().all()
    thirds = frame(
        ratio_scores([0.1, 0.2, 0.3], [0.3, 0.6, 0.9]), "abc"
    )  # everybody at the same ratio, but for rounding
    found = scored_difference([1 / 3], [1 / 3], joint_scores(thirds, thirds.set_axis(list("cde")))).iloc[0]
    assert np.isnan(found["difference_low"])
    alone = frame(ratio_scores([1], [1]), "a")
    found = scored_difference([1.0], [1.0], joint_scores(alone, alone)).iloc[0]
    assert np.isnan(found["difference_low"])


def test_a_ratios_interval_holds_the_ratios_that_a_difference_does_not_refute():
    # The bounds are where the combined interval of b - r a, MOVER's, ends at 0: found here by bisection.
    a, b = (0.30, *wilson(30, 100)), (0.45, *wilson(36, 80))
    _, low, high = separate_ratio(a, b)

    def combined(r, side):
        return newcombe(b, tuple(r * each for each in a))[1 if side == "low" else 2]

    for bound, side in ((low, "low"), (high, "high")):
        left, right = 0.01, 10.0
        for _ in range(100):
            middle = (left + right) / 2
            left, right = (middle, right) if combined(middle, side) > 0 else (left, middle)
        assert float(bound) == pytest.approx(left, rel=1e-6)
    ratio, low, high = separate_ratio((0.0, 0.0, 0.1), (0.2, 0.1, 0.3))
    assert np.isnan([ratio, low, high]).all()


def test_the_implied_p_value_is_the_level_at_which_the_interval_touches_zero():
    assert float(implied_p_value(0.2, 0.0, 0.4, 0.9)) == pytest.approx(0.1)
    assert float(implied_p_value(-0.2, -0.9, 0.0, 0.95)) == pytest.approx(0.05)  # its side towards 0


# -- the sample ratio --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "ratio"), [((60, 40), (1, 1)), ((7, 3), (1, 1)), ((90, 30), (2, 1)), ((0, 9), (1, 3))]
)
def test_small_arms_have_the_exact_binomial_test(sizes, ratio):
    stats = pytest.importorskip("scipy.stats")
    exact = stats.binomtest(sizes[0], sum(sizes), ratio[0] / sum(ratio)).pvalue
    assert sample_ratio_test(sizes, ratio) == pytest.approx(exact)


def test_seven_and_three_by_hand():
    # P(7 or more of 10) = (120 + 45 + 10 + 1)/1024, and as much on the other side.
    assert sample_ratio_test((7, 3), (1, 1)) == pytest.approx(2 * 176 / 1024)


@pytest.mark.parametrize(
    ("sizes", "ratio"), [((5100, 4900), (1, 1)), ((9200, 800), (9, 1)), ((400, 500, 600), (1, 1, 1))]
)
def test_large_arms_have_the_chi_squared_test(sizes, ratio):
    stats = pytest.importorskip("scipy.stats")
    expected = np.array(ratio) / sum(ratio) * sum(sizes)
    assert sample_ratio_test(sizes, ratio) == pytest.approx(stats.chisquare(sizes, expected).pvalue)
    # (5100 - 5000)²/5000 twice is 4, and the upper tail of chi-squared with 1 degree there is 0.0455.
    if sizes == (5100, 4900):
        assert sample_ratio_test(sizes, ratio) == pytest.approx(0.0455, abs=5e-5)


def test_a_ratio_that_is_none_is_refused():
    with pytest.raises(ParameterError, match="2 numbers above 0"):
        expected_sizes([5, 5], (1, 0))
    with pytest.raises(ParameterError, match="2 numbers above 0"):
        expected_sizes([5, 5], (1, 1, 1))
    assert np.isnan(sample_ratio_test([0, 0], (1, 1)))


# -- mix and own rates -------------------------------------------------------------------------


def slow_split(customers, groups):
    """Kitagawa's effects from one customer after the other: (group, x, n) in a and in b."""
    effects = []
    sums = {side: {g: [0, 0] for g in range(groups)} for side in "ab"}
    for one in customers:
        for side, (group, x, n) in zip("ab", one, strict=True):
            if group >= 0:
                sums[side][group][0] += x
                sums[side][group][1] += n
    total = {side: sum(n for _, n in sums[side].values()) for side in "ab"}
    share = {side: [sums[side][g][1] / total[side] for g in range(groups)] for side in "ab"}
    rate = {}
    for side, other in ("ab", "ba"):
        rate[side] = [
            sums[side][g][0] / sums[side][g][1]
            if sums[side][g][1]
            else (sums[other][g][0] / sums[other][g][1] if sums[other][g][1] else 0)
            for g in range(groups)
        ]
    middle = [(rate["a"][g] + rate["b"][g]) / 2 for g in range(groups)]
    overall = sum((share["a"][g] + share["b"][g]) / 2 * middle[g] for g in range(groups))
    for g in range(groups):
        mix = (share["b"][g] - share["a"][g]) * (middle[g] - overall)
        own = (share["a"][g] + share["b"][g]) / 2 * (rate["b"][g] - rate["a"][g])
        effects.append((mix, own))
    return effects


part = st.tuples(st.integers(-1, 2), st.integers(0, 3), st.integers(1, 3)).map(
    lambda p: (p[0], min(p[1], p[2]), p[2]) if p[0] >= 0 else (-1, 0, 0)
)


@settings(max_examples=50, deadline=None)
@given(customers=st.lists(st.tuples(part, part), min_size=1, max_size=30))
def test_a_split_equals_the_slow_one_and_leaves_nothing_over(customers):
    a = [one[0] for one in customers if one[0][0] >= 0]
    b = [one[1] for one in customers if one[1][0] >= 0]
    if not a or not b:
        return
    rows = pd.DataFrame(
        [(*one[0], *one[1]) for one in customers], columns=["group_a", "x_a", "n_a", "group_b", "x_b", "n_b"]
    )
    patterns = rows.groupby(list(PATTERN)).size().rename("customers").reset_index()
    table = split_change(["p", "q", "r"], patterns, 0.95)
    slow = slow_split(customers, 3)
    assert table["mix_rate_difference"].iloc[:3].tolist() == pytest.approx([mix for mix, _ in slow])
    assert table["own_rate_difference"].iloc[:3].tolist() == pytest.approx([own for _, own in slow])
    whole = sum(x for _, x, _ in b) / sum(n for *_, n in b) - sum(x for _, x, _ in a) / sum(n for *_, n in a)
    assert table["rate_difference"].iloc[-1] == pytest.approx(whole)


def test_customers_shared_by_both_sides_narrow_the_interval_of_a_split():
    # The same 200 customers before and after, each doing the same: nothing can vary. As strangers they would.
    same = pd.DataFrame([(g, x, 1, g, x, 1, 50) for g in (0, 1) for x in (0, 1)], columns=[*PATTERN, "customers"])
    paired = split_change(["p", "q"], same, 0.95).iloc[-1]
    apart = split_change(["p", "q"], separate_patterns([[100, 100], [50, 50]], [[100, 100], [50, 50]]), 0.95).iloc[-1]
    assert paired["rate_difference_low"] == paired["rate_difference_high"] == pytest.approx(0)
    assert apart["rate_difference_high"] > 0.08


@pytest.mark.slow
def test_a_split_of_shared_customers_covers_the_truth():
    rng = np.random.default_rng(5)
    hits = np.zeros(3)
    moves, runs = np.array([[0.8, 0.2], [0.3, 0.7]]), 300  # half start in each group; 20% and 30% change it
    rates = np.array([[0.5, 0.2], [0.6, 0.25]])
    share_a, share_b = np.array([0.5, 0.5]), np.array([0.55, 0.45])
    middle = rates.mean(axis=0)
    overall = ((share_a + share_b) / 2 * middle).sum()
    truth = np.array(
        [((share_b - share_a) * (middle - overall)).sum(), ((share_a + share_b) / 2 * (rates[1] - rates[0])).sum(), 0]
    )
    truth[2] = truth[:2].sum()
    for _ in range(runs):
        before = rng.integers(0, 2, 500)
        after = (rng.random(500) > moves[before, 0]).astype(int)
        habit = rng.random(500)  # the same customer is inclined the same way both times
        x_a, x_b = (habit < rates[0][before]).astype(int), (habit < rates[1][after]).astype(int)
        rows = pd.DataFrame({"group_a": before, "x_a": x_a, "n_a": 1, "group_b": after, "x_b": x_b, "n_b": 1})
        patterns = rows.groupby(list(PATTERN)).size().rename("customers").reset_index()
        row = split_change(["p", "q"], patterns, 0.95).iloc[-1]
        for i, name in enumerate(("mix_rate_difference", "own_rate_difference", "rate_difference")):
            hits[i] += row[f"{name}_low"] <= truth[i] <= row[f"{name}_high"]
    assert (hits / runs > 0.915).all()
    assert (hits / runs < 0.985).all()
