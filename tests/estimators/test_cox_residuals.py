"""Residuals, robust variance and the test of proportional hazards, each against a slow way to the same number."""

import lifelines
import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_rossi
from scipy.special import chdtrc

from journeykit.errors import ParameterError
from journeykit.estimators.cox import cox_fit, walk
from journeykit.estimators.cox_residuals import (
    CLOCKS,
    proportional_hazards_test,
    robust_covariance,
    schoenfeld_residuals,
    score_residuals,
)
from journeykit.estimators.risk_sets import risk_sets

ROSSI = load_rossi()
X = ROSSI[["age", "prio", "mar"]]


def fitted(ties="efron", **options):
    risk = risk_sets(ROSSI["week"], ROSSI["arrest"], X, **options)
    return risk, cox_fit(risk, ties=ties)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("late", [False, True])
def test_score_residuals_are_how_the_fit_moves_with_a_weight(ties, late):
    # dβ/dw of one row, by fitting again with a slightly greater weight; row 0 and 5 leave, 430 does not.
    enters = np.minimum(np.arange(len(ROSSI)) % 9, ROSSI["week"] - 1) if late else None
    risk, fit = fitted(ties, enters=enters)
    moves = score_residuals(risk, fit) @ fit.covariance
    assert np.abs(moves.sum(axis=0)).max() < 1e-9
    for row in (0, 5, 20, 430):
        weight = np.ones(len(ROSSI))
        weight[row] += 1e-5
        again = fitted(ties, enters=enters, weight=weight)[1]
        np.testing.assert_allclose((again.coefficients - fit.coefficients) / 1e-5, moves[row], atol=2e-6)


def test_robust_variance_of_copies_is_that_of_one():
    # Everybody twice, clustered: the same coefficients and, unlike the plain variance, the same robust one.
    twice = pd.concat([ROSSI, ROSSI], ignore_index=True)
    who = np.tile(np.arange(len(ROSSI)), 2)
    risk = risk_sets(twice["week"], twice["arrest"], twice[X.columns])
    copied = robust_covariance(risk, cox_fit(risk, ties="breslow"), who)
    once = robust_covariance(*fitted("breslow"))
    np.testing.assert_allclose(copied, once, rtol=1e-8)
    assert not np.allclose(robust_covariance(risk, cox_fit(risk, ties="breslow")), once, rtol=0.1)


def test_robust_variance_of_pieces_is_that_of_the_row():
    cut = np.maximum(ROSSI["week"] // 2, 1).clip(upper=ROSSI["week"] - 1)
    short = ROSSI["week"] > 1
    rows = pd.concat([ROSSI[short].assign(week=cut[short], arrest=0), ROSSI], ignore_index=True)
    enters = np.concatenate([np.zeros(short.sum()), np.where(short, cut, 0)])
    who = np.concatenate([np.flatnonzero(short), np.arange(len(ROSSI))])
    risk = risk_sets(rows["week"], rows["arrest"], rows[X.columns], enters=enters)
    np.testing.assert_allclose(robust_covariance(risk, cox_fit(risk), who), robust_covariance(*fitted()), rtol=1e-7)


def test_clusters_must_fit_the_rows():
    with pytest.raises(ParameterError, match="one a row"):
        robust_covariance(*fitted(), [1, 2])


def test_schoenfeld_residuals_equal_lifelines():
    theirs = lifelines.CoxPHFitter().fit(ROSSI[["week", "arrest", *X.columns]], "week", "arrest")
    risk, fit = fitted()
    frame = ROSSI[["week", "arrest", *X.columns]]
    for scaled in (False, True):
        kind = "scaled_schoenfeld" if scaled else "schoenfeld"
        expected = theirs.compute_residuals(frame, kind)
        if scaled:  # lifelines leaves the coefficient out
            expected = expected + theirs.params_
        ours = schoenfeld_residuals(risk, fit, scaled=scaled).set_index("row")[list(X.columns)]
        np.testing.assert_allclose(ours.loc[expected.index], expected, atol=2e-5)


def test_schoenfeld_residuals_sum_to_nothing():
    found = schoenfeld_residuals(*fitted(strata=ROSSI["wexp"]))
    assert np.abs(found[list(X.columns)].sum()).max() < 1e-9
    assert set(found["stratum"]) == {0, 1}
    assert found["time"].is_monotonic_increasing
    assert len(found) == ROSSI["arrest"].sum()


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_proportional_hazards_test_is_raos_test_of_a_time_varying_covariate(clock, ties):
    # Every row cut at every event time, with x · g(t) beside x: Rao's test that its coefficient is 0, by the walk.
    risk, fit = fitted(ties)
    times = risk.times
    events = np.array([((ROSSI["week"] == t) & (ROSSI["arrest"] == 1)).sum() for t in times])
    at_risk = np.array([(ROSSI["week"] >= t).sum() for t in times])
    survival = np.cumprod(1 - events / at_risk)
    g = {
        "identity": times,
        "log": np.log(times),
        "rank": np.cumsum(events) - events / 2,
        "km": 1 - np.append(1, survival[:-1]),
    }[clock]
    g = g - np.average(g, weights=events)
    pieces = []
    for number, time in enumerate(times):
        there = ROSSI[ROSSI["week"] >= time]
        gone = (there["week"] == time) & (there["arrest"] == 1)
        moving = there[X.columns].add_suffix("_t") * g[number]
        pieces.append(pd.concat([there[X.columns], moving], axis=1).assign(a=number, b=number + 1, e=gone))
    rows = pd.concat(pieces)
    names = [*X.columns, *(f"{name}_t" for name in X.columns)]
    cut = risk_sets(rows["b"], rows["e"], rows[names], enters=rows["a"])
    at = np.append(fit.coefficients, np.zeros(3)) * cut.scales
    sums, _ = walk(cut, at, ties)
    score, information = sums.gradient * cut.scales, sums.information * np.outer(cut.scales, cut.scales)
    found = proportional_hazards_test(risk, fit, clock)
    for j, row in enumerate(found.itertuples()):
        own = [3 + j] if j < 3 else [3, 4, 5]
        keep = [0, 1, 2, *own]
        inverse = np.linalg.inv(information[np.ix_(keep, keep)])
        statistic = score[keep] @ inverse @ score[keep]
        assert row.statistic == pytest.approx(statistic, rel=1e-6)
        assert row.p_value == pytest.approx(chdtrc(len(own), statistic), rel=1e-6)
    assert found["covariate"].tolist() == [*X.columns, "all"]


def test_hazards_that_cross_are_found():
    rng = np.random.default_rng(5)
    x = rng.integers(0, 2, 4000)
    early = rng.exponential(1, 4000) / np.where(x, 3, 1)
    time = np.where(early < 0.5, early, 0.5 + rng.exponential(1, 4000) / np.where(x, 0.5, 1))
    risk = risk_sets(time, np.ones(4000), pd.DataFrame({"crossing": x, "noise": rng.normal(size=4000)}))
    found = proportional_hazards_test(risk, cox_fit(risk)).set_index("covariate")
    assert found.loc["crossing", "p_value"] < 1e-6
    assert found.loc["crossing", "slope"] < 0
    assert found.loc["noise", "p_value"] > 0.01


@pytest.mark.slow
def test_proportional_hazards_are_rejected_as_often_as_said():
    rejected = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(200, 2))
        time = np.ceil(4 * rng.exponential(1, 200) / np.exp(x @ [0.5, -0.5]))
        event = time <= 8
        risk = risk_sets(np.minimum(time, 8), event, x)
        rejected += proportional_hazards_test(risk, cox_fit(risk))["p_value"].iloc[-1] < 0.05
    assert 0.025 < rejected / 400 < 0.085  # ± 3 standard errors about 5%
