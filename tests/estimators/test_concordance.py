"""Concordance against every pair compared, and against scikit-survival."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.errors import ParameterError
from journeykit.estimators.concordance import concordance


def slow_pairs(duration, event, risk, enters, weight):
    """Compare every one who leaves with everyone watched then who stays longer."""
    n = len(duration)
    right, pairs = np.zeros(n), np.zeros(n)
    for i in range(n):
        for j in range(n):
            stays = duration[j] > duration[i] or (duration[j] == duration[i] and not event[j])
            if event[i] and i != j and enters[j] < duration[i] and stays:
                worth = 1 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0
                for k in (i, j):
                    right[k] += worth * weight[i]
                    pairs[k] += weight[i]
    return right, pairs


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=2, max_size=20
    )
)
def test_the_tree_counts_every_pair(rows):
    stays, since, event, risk = (np.array(each) for each in zip(*rows, strict=True))
    duration = since + stays
    right, pairs = slow_pairs(duration, event, risk, since, np.ones(len(rows)))
    found = concordance(duration, event, risk, enters=since)
    if pairs.sum() == 0:
        assert np.isnan(found.concordance)
        return
    value = right.sum() / pairs.sum()
    assert found.concordance == pytest.approx(value)
    assert found.pairs == pairs.sum() / 2
    np.testing.assert_allclose(found.influence, (right - value * pairs) / found.pairs, atol=1e-12)


def censored_data(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    left, lost = rng.exponential(np.exp(-x)), rng.exponential(1.5, n)
    return np.minimum(left, lost), left <= lost, np.round(x, 1)


@pytest.mark.oracle
def test_harrell_and_uno_equal_scikit_survival():
    metrics = pytest.importorskip("sksurv.metrics")
    surv = pytest.importorskip("sksurv.util").Surv
    duration, event, risk = censored_data()
    theirs = metrics.concordance_index_censored(event, duration, risk)[0]
    assert concordance(duration, event, risk).concordance == pytest.approx(theirs)
    known = surv.from_arrays(event, duration)
    until = np.quantile(duration, 0.8)
    theirs = metrics.concordance_index_ipcw(known, known, risk, until)[0]
    assert concordance(duration, event, risk, method="uno", until=until).concordance == pytest.approx(theirs)


def test_uno_weighs_by_hand():
    # Censored at 2 with 3 left of 4: whoever leaves later is seen with chance 2/3, so that pair counts 9/4.
    # Who leaves at 1 (risk 5) against 3 others: right; who leaves at 3 (risk 1) against the one at 4 (risk 2): wrong.
    found = concordance([1, 2, 3, 4], [1, 0, 1, 0], [5, 3, 1, 2], method="uno")
    assert found.concordance == pytest.approx(3 / (3 + 9 / 4))
    assert concordance([1, 2, 3, 4], [1, 0, 1, 0], [5, 3, 1, 2]).concordance == 3 / 4
    assert concordance([1, 2, 3, 4], [1, 0, 1, 0], [5, 3, 1, 2], until=3).concordance == 1


def test_harrells_drifts_with_censoring_and_unos_does_not():
    # Discrimination gets worse with time here; short follow-up hides that from Harrell's.
    rng = np.random.default_rng(7)
    n = 20_000
    x = rng.normal(size=n)
    left = rng.weibull(2, n) * np.exp(-x * np.where(rng.random(n) < 0.5, 1, 0.2))
    whole = concordance(left, np.ones(n), x, until=1.0)
    lost = rng.uniform(0.2, 1.6, n)
    ends, event = np.minimum(left, lost), left <= lost
    harrell, uno = (concordance(ends, event, x, method=method, until=1.0) for method in ("harrell", "uno"))
    assert abs(uno.concordance - whole.concordance) < 3 * uno.se
    assert abs(uno.concordance - whole.concordance) < abs(harrell.concordance - whole.concordance) + 2 * uno.se


def test_interval_covers_and_copies_count_once():
    duration, event, risk = censored_data(seed=3)
    one = concordance(duration, event, risk)
    assert one.low < one.concordance < one.high
    twice = [np.tile(each, 2) for each in (duration, event, risk)]
    clustered = concordance(*twice, clusters=np.tile(np.arange(400), 2))
    # A pair and its three copies; two copies of one customer are compared, too, where neither or one left.
    assert clustered.se == pytest.approx(one.se, rel=0.02)
    assert concordance(*twice).se < 0.8 * one.se


@pytest.mark.slow
def test_interval_of_the_concordance_covers():
    truth = concordance(*censored_data(200_000, seed=1)).concordance
    covered = 0
    for seed in range(400):
        found = concordance(*censored_data(250, seed=seed + 10))
        covered += found.low <= truth <= found.high
    assert covered / 400 > 0.915


def test_what_can_not_be_compared_is_refused():
    with pytest.raises(ParameterError, match="one clock"):
        concordance([1, 2], [1, 0], [1, 2], enters=[0, 0], method="uno")
    with pytest.raises(ParameterError, match="not missing"):
        concordance([1, 2], [1, 0], [1, np.nan])
    with pytest.raises(ParameterError, match="method"):
        concordance([1, 2], [1, 0], [1, 2], method="other")
