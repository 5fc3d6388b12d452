"""Cox's model against equations solved by hand, printed fits, lifelines, and the likelihood written out."""

import lifelines
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_rossi, load_stanford_heart_transplants
from scipy.optimize import brentq

from journeykit.errors import ParameterError
from journeykit.estimators.cox import cox_fit, walk
from journeykit.estimators.cox_prediction import baseline, leaving_interval, predicted_hazard
from journeykit.estimators.risk_sets import risk_sets
from tests.estimators.test_logrank import RELAPSED, WEEKS

# Therneau & Grambsch (2000), appendix E: two small data sets whose likelihoods can be written out by hand.
ONE = {"duration": [1, 1, 6, 6, 8, 9], "event": [1, 0, 1, 1, 0, 1], "x": [1, 1, 1, 0, 0, 0]}
TWO = {
    "enters": [1, 2, 5, 2, 1, 7, 3, 4, 8, 8],
    "duration": [2, 3, 6, 7, 8, 9, 9, 9, 14, 17],
    "event": [1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "x": [1, 0, 0, 1, 0, 1, 1, 1, 0, 0],
}


TIGHT = {"precision": 1e-10, "r_precision": 1e-12}  # lifelines stops sooner where there are strata


def test_first_small_data_by_hand_breslow():
    # At 1 six are at risk, three with x = 1: one of these leaves. At 6 one with x = 1 and three without: two leave,
    # one of each. At 9 the last is alone. l = 2β − log(3r + 3) − 2 log(r + 3); its slope is 0 where r² − 3r − 6 = 0.
    r = (3 + np.sqrt(33)) / 2
    fit = cox_fit(risk_sets(**ONE), ties="breslow")
    assert fit.coefficients[0] == pytest.approx(np.log(r), abs=1e-10)
    assert fit.log_likelihood == pytest.approx(2 * np.log(r) - np.log(3 * r + 3) - 2 * np.log(r + 3))
    assert fit.null_log_likelihood == pytest.approx(-np.log(6) - 2 * np.log(4))
    information = r / (r + 1) ** 2 + 2 * 3 * r / (r + 3) ** 2  # p(1 − p) of each term
    assert fit.covariance[0, 0] == pytest.approx(1 / information)
    # At β = 0: slope 2 − 1/2 − 2/4 = 1, curvature 1/4 + 2 · 3/16.
    assert fit.score_statistic == pytest.approx(1 / (1 / 4 + 6 / 16))


def test_first_small_data_by_hand_efron():
    # At 6 the second of the two meets half of each of them less: r + 3, then (r + 5)/2.
    # The slope 2 − r/(r + 1) − r/(r + 3) − r/(r + 5) is 0 where r³ − 23r − 30 = 0.
    r = max(root.real for root in np.roots([1, 0, -23, -30]))
    fit = cox_fit(risk_sets(**ONE))
    assert fit.coefficients[0] == pytest.approx(np.log(r), abs=1e-10)
    likelihood = 2 * np.log(r) - np.log(3 * r + 3) - np.log(r + 3) - np.log((r + 5) / 2)
    assert fit.log_likelihood == pytest.approx(likelihood)
    information = r / (r + 1) ** 2 + 3 * r / (r + 3) ** 2 + 5 * r / (r + 5) ** 2
    assert fit.covariance[0, 0] == pytest.approx(1 / information)


@pytest.mark.parametrize(("ties", "last"), [("breslow", (3, 2)), ("efron", (2, 2))])
def test_second_small_data_with_late_entry_by_hand(ties, last):
    # At risk, with x = 1 and 0 — at 2: 1, 1; at 3: 1, 2; at 6: 3, 2; at 7: 3, 1; at 8: 3, 1; at 9: 3, 2 and, the second
    # of two under Efron, one with x = 1 less: 2, 2. Those with x = 1 leave at 2, 7, 9 and 9.
    sets = [(1, 1), (1, 2), (3, 2), (3, 1), (3, 1), (3, 2), last]

    def slope(beta):
        r = np.exp(beta)
        return 4 - sum(a * r / (a * r + b) for a, b in sets)

    beta = brentq(slope, -3, 3, xtol=1e-14)
    fit = cox_fit(risk_sets(**TWO), ties=ties)
    assert fit.coefficients[0] == pytest.approx(beta, abs=1e-10)
    r = np.exp(beta)
    assert fit.log_likelihood == pytest.approx(4 * beta - sum(np.log(a * r + b) for a, b in sets))
    assert fit.covariance[0, 0] == pytest.approx(1 / sum(a * b * r / (a * r + b) ** 2 for a, b in sets))


def test_remissions_as_printed():
    # Freireich's data: Kleinbaum & Klein, Survival Analysis, chapter 3, model 1 (Breslow): 1.509, SE 0.410.
    x = pd.DataFrame({"placebo": [0] * 21 + [1] * 21})
    fit = cox_fit(risk_sets(WEEKS, RELAPSED, x), ties="breslow")
    assert fit.coefficients[0] == pytest.approx(1.509, abs=5e-4)
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(0.410, abs=5e-4)


def test_recidivism_as_printed():
    # Rossi, Berk & Lenihan (1980), as printed in lifelines' documentation ("Survival regression").
    rossi = load_rossi()
    fit = cox_fit(risk_sets(rossi["week"], rossi["arrest"], rossi.drop(columns=["week", "arrest"])))
    printed = {"fin": (-0.38, 0.19), "age": (-0.06, 0.02), "race": (0.31, 0.31), "wexp": (-0.15, 0.21)}
    printed |= {"mar": (-0.43, 0.38), "paro": (-0.08, 0.20), "prio": (0.09, 0.03)}
    for name, value, se in zip(fit.names, fit.coefficients, np.sqrt(np.diag(fit.covariance)), strict=True):
        assert (round(value, 2), round(se, 2)) == printed[name]
    assert fit.log_likelihood == pytest.approx(-658.75, abs=5e-3)
    assert fit.likelihood_ratio == pytest.approx(33.27, abs=5e-3)


def test_start_stop_hearts_equal_lifelines():
    # Crowley & Hu (1977): a transplant changes the covariate of the same patient.
    hearts = load_stanford_heart_transplants()
    theirs = lifelines.CoxTimeVaryingFitter().fit(
        hearts, id_col="id", event_col="event", start_col="start", stop_col="stop"
    )
    names = list(theirs.params_.index)
    ours = cox_fit(risk_sets(hearts["stop"], hearts["event"], hearts[names], enters=hearts["start"]))
    np.testing.assert_allclose(ours.coefficients, theirs.params_, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance)), theirs.standard_errors_, atol=1e-5)
    # Lifelines' documentation prints, for this model: age 0.03, year −0.15, surgery −0.64, transplant −0.01.
    printed = {"age": 0.03, "year": -0.15, "surgery": -0.64, "transplant": -0.01}
    assert dict(zip(names, ours.coefficients.round(2).tolist(), strict=True)) == printed


@pytest.mark.parametrize(
    ("entry", "weights", "strata"), [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)], ids=str
)
def test_fits_equal_lifelines(entry, weights, strata):
    rossi = load_rossi()
    rng = np.random.default_rng(3)
    rossi["enter"] = np.minimum(rng.integers(0, 10, len(rossi)), rossi["week"] - 1)
    rossi["copies"] = rng.integers(1, 4, len(rossi))
    columns = ["age", "prio", "mar"]
    options = {"entry_col": "enter"} if entry else {}
    options |= {"weights_col": "copies"} if weights else {}
    options |= {"strata": ["wexp"]} if strata else {}
    kept = ["week", "arrest", *columns, *(["enter"] if entry else []), *(["copies"] if weights else [])]
    theirs = lifelines.CoxPHFitter().fit(
        rossi[[*kept, *(["wexp"] if strata else [])]], "week", "arrest", fit_options=TIGHT, **options
    )
    ours = cox_fit(
        risk_sets(
            rossi["week"],
            rossi["arrest"],
            rossi[columns],
            enters=rossi["enter"] if entry else None,
            weight=rossi["copies"] if weights else None,
            strata=rossi["wexp"] if strata else None,
        )
    )
    np.testing.assert_allclose(ours.coefficients, theirs.params_[columns], atol=1e-6)
    np.testing.assert_allclose(ours.covariance, theirs.variance_matrix_.loc[columns, columns], atol=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood_)


def test_penalty_equals_lifelines():
    rossi = load_rossi()[["week", "arrest", "age", "prio"]]
    theirs = lifelines.CoxPHFitter(penalizer=0.1).fit(rossi, "week", "arrest", fit_options=TIGHT)
    x = rossi[["age", "prio"]]
    # Theirs takes penalizer/2 · (β · standard deviation)² off the mean of the log-likelihood.
    penalty = 0.1 * len(x) * x.std().to_numpy() ** 2
    ours = cox_fit(risk_sets(rossi["week"], rossi["arrest"], x), penalty=penalty)
    np.testing.assert_allclose(ours.coefficients, theirs.params_, atol=2e-6)


# -- the likelihood written out --------------------------------------------------------------


def slow_likelihood(beta, rows, ties):
    """Time by time, and within a time event by event."""
    total = 0.0
    for stratum in {row["stratum"] for row in rows}:
        inside = [row for row in rows if row["stratum"] == stratum]
        for time in {row["duration"] for row in inside if row["event"]}:
            at_risk = [row for row in inside if row["enters"] < time <= row["duration"]]
            dead = [row for row in inside if row["event"] and row["duration"] == time]
            mean = sum(row["weight"] for row in dead) / len(dead)
            risk = {id(row): row["weight"] * np.exp(row["x"] @ beta + row["offset"]) for row in at_risk}
            for k, row in enumerate(dead):
                share = k / len(dead) if ties == "efron" else 0
                c = sum(risk.values()) - share * sum(risk[id(each)] for each in dead)
                total += row["weight"] * (row["x"] @ beta + row["offset"]) - mean * np.log(c)
    return total


@st.composite
def rows_of_data(draw):
    one = st.tuples(
        st.integers(0, 4), st.integers(1, 4), st.booleans(), st.integers(0, 1), st.integers(1, 3),
        st.lists(st.integers(-2, 2), min_size=2, max_size=2), st.sampled_from([0.0, 0.5]),
    )  # fmt: skip
    return [
        {"enters": a, "duration": a + b, "event": e, "stratum": s, "weight": float(w), "x": np.array(x, float),
         "offset": o}
        for a, b, e, s, w, x, o in draw(st.lists(one, min_size=4, max_size=12))
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(rows=rows_of_data(), ties=st.sampled_from(["efron", "breslow"]), seed=st.integers(0, 99))
def test_the_walk_is_the_likelihood_written_out(rows, ties, seed):
    x = np.array([row["x"] for row in rows])
    assume((x.std(axis=0) > 0).all() and any(row["event"] for row in rows))
    column = {
        name: [row[name] for row in rows] for name in ("duration", "event", "enters", "stratum", "weight", "offset")
    }
    risk = risk_sets(
        column["duration"], column["event"], x, enters=column["enters"], strata=column["stratum"],
        weight=column["weight"], offset=column["offset"],
    )  # fmt: skip
    beta = np.random.default_rng(seed).normal(size=2) * 0.5

    def slow(at):
        return slow_likelihood(at, rows, ties)

    found, _ = walk(risk, beta * risk.scales, ties)
    # The average covariates taken off leave the likelihood as it is, but for the score of those who leave.
    assert found.likelihood == pytest.approx(slow(beta), abs=1e-9)
    steps = np.eye(2) * 1e-4
    slope = np.array([(slow(beta + h) - slow(beta - h)) / 2e-4 for h in steps])
    np.testing.assert_allclose(found.gradient * risk.scales, slope, atol=1e-5)
    bend = [[_mixed(slow, beta, a, b) for b in steps] for a in steps]
    np.testing.assert_allclose(found.information * np.outer(risk.scales, risk.scales), -np.array(bend), atol=1e-4)


def _mixed(f, at, a, b):
    return (f(at + a + b) - f(at + a - b) - f(at - a + b) + f(at - a - b)) / 4e-8


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rows_cut_in_pieces_are_one_row(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 2))
    duration, event = rng.integers(2, 9, 30), rng.random(30) < 0.7
    cut = rng.integers(1, duration)
    whole = cox_fit(risk_sets(duration, event, x))
    pieces = cox_fit(
        risk_sets(
            np.append(cut, duration),
            np.append(np.zeros(30, bool), event),
            np.vstack([x, x]),
            enters=np.append(np.zeros(30), cut),
        )
    )
    np.testing.assert_allclose(pieces.coefficients, whole.coefficients, atol=1e-8)
    np.testing.assert_allclose(pieces.covariance, whole.covariance, rtol=1e-8)


def test_copies_narrow_intervals_as_they_should():
    rossi = load_rossi()
    x = rossi[["age", "prio"]]
    once = cox_fit(risk_sets(rossi["week"], rossi["arrest"], x), ties="breslow")
    twice = pd.concat([rossi, rossi])
    copied = cox_fit(risk_sets(twice["week"], twice["arrest"], twice[["age", "prio"]]), ties="breslow")
    weighed = cox_fit(risk_sets(rossi["week"], rossi["arrest"], x, weight=np.full(len(x), 2)), ties="breslow")
    for fit in (copied, weighed):  # under Breslow, weights are copies
        np.testing.assert_allclose(fit.coefficients, once.coefficients, atol=1e-9)
        np.testing.assert_allclose(fit.covariance, once.covariance / 2, rtol=1e-8)


def test_time_counts_only_by_its_order():
    rossi = load_rossi()
    x = rossi[["age", "prio"]]
    plain = cox_fit(risk_sets(rossi["week"], rossi["arrest"], x))
    bent = cox_fit(risk_sets(rossi["week"] ** 3 + 7, rossi["arrest"], x))
    np.testing.assert_allclose(bent.coefficients, plain.coefficients, atol=1e-12)


def test_far_risks_do_not_spoil_those_who_remain():
    # One row at a risk of e^50 is watched from 1 to 2 only; what is left at 3 and 4 must not be its rounding.
    enters = [0, 0, 0, 0, 0, 1]
    risk = risk_sets([3, 3.5, 4, 5, 6, 2], [1, 1, 1, 1, 0, 1], [[0.0], [1], [0], [1], [0], [25]], enters=enters)
    calm = risk_sets([3, 3.5, 4, 5, 6], [1, 1, 1, 1, 0], [[0.0], [1], [0], [1], [0]])
    beta = 2.0
    with_it, _ = walk(risk, np.array([beta]) * risk.scales, "efron")
    without, _ = walk(calm, np.array([beta]) * calm.scales, "efron")
    alone = 25 * beta - np.log(np.exp(25 * beta) + 3 + 2 * np.exp(beta))
    assert with_it.likelihood - alone == pytest.approx(without.likelihood, abs=1e-4)


# -- what can't be fitted --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "says"),
    [
        ([[1, 0], [1, 1], [1, 0], [1, 1]], "same for everybody"),
        ([[1, 2], [2, 4], [3, 6], [4, 8]], "made of one another"),
        ([[1, 0], [0, 0], [0, 1], [0, 0]], "no bound"),
        ([[1, np.nan], [2, 4], [3, 6], [4, 8]], "none missing"),
    ],
)
def test_what_has_no_answer_is_refused(x, says):
    with pytest.raises(ParameterError, match=says):
        cox_fit(risk_sets([1, 2, 3, 4], [1, 1, 1, 0], pd.DataFrame(x, columns=["a", "b"])))


def test_nobody_who_leaves_is_refused():
    with pytest.raises(ParameterError, match="nobody leaves"):
        cox_fit(risk_sets([1, 2], [0, 0], [[1], [2]]))
    with pytest.raises(ParameterError, match="enter before"):
        risk_sets([1, 2], [1, 1], [[1], [2]], enters=[0, 2])


def test_a_penalty_makes_separation_finite():
    fit = cox_fit(risk_sets([1, 2, 3, 4], [1, 1, 1, 0], [[1], [0], [0], [0]]), penalty=0.1)
    assert 0 < fit.coefficients[0] < 5


# -- predictions -----------------------------------------------------------------------------


def test_baseline_by_hand():
    # The first small data at β = 0 would jump by d/n; at r by 1/(3r + 3) and, Breslow, 2/(r + 3), for x = 0.
    risk = risk_sets(**ONE)
    fit = cox_fit(risk, ties="breslow")
    r = (3 + np.sqrt(33)) / 2
    base = baseline(risk, fit, [9])
    hazard, _ = predicted_hazard(base, fit.coefficients, fit.covariance, [[0], [1]], 0, [6, 6])
    expected = 1 / (3 * r + 3) + 2 / (r + 3)
    np.testing.assert_allclose(hazard, [expected, r * expected])
    later, _ = predicted_hazard(base, fit.coefficients, fit.covariance, [[0], [0], [0]], [1, 6, 0], [6, 9, 10])
    np.testing.assert_allclose(later, [2 / (r + 3), 1, np.nan])  # at 9 the last one at risk leaves


def test_baseline_under_efron_by_hand():
    risk = risk_sets(**ONE)
    fit = cox_fit(risk)
    r = np.exp(fit.coefficients[0])
    hazard, _ = predicted_hazard(baseline(risk, fit), fit.coefficients, fit.covariance, [[0]], 1, 6)
    assert hazard[0] == pytest.approx(1 / (r + 3) + 2 / (r + 5))


def test_error_of_the_hazard_by_the_delta_method():
    # Variance of Σ d/c with known β, plus what β's own error does: the slope by β, taken numerically.
    rossi = load_rossi()
    x = rossi[["age", "prio"]].to_numpy(float)
    risk = risk_sets(rossi["week"], rossi["arrest"], x)
    fit = cox_fit(risk, ties="breslow")
    who = np.array([[20.0, 3.0]])
    _, se = predicted_hazard(baseline(risk, fit), fit.coefficients, fit.covariance, who, 10, 40)

    def hazard(beta):
        total = spread = 0.0
        for time in sorted(set(rossi.loc[rossi["arrest"] == 1, "week"])):
            if 10 < time <= 40:
                c = np.exp((x[rossi["week"] >= time] - who) @ beta).sum()
                d = ((rossi["week"] == time) & (rossi["arrest"] == 1)).sum()
                total, spread = total + d / c, spread + d / c**2
        return total, spread

    steps = np.eye(2) * 1e-5
    slope = [(hazard(fit.coefficients + h)[0] - hazard(fit.coefficients - h)[0]) / 2e-5 for h in steps]
    expected = hazard(fit.coefficients)[1] + slope @ fit.covariance @ slope
    assert se[0] == pytest.approx(np.sqrt(expected), rel=1e-6)


def test_strata_have_baselines_of_their_own():
    rossi = load_rossi()
    columns = rossi[["age", "prio"]]
    risk = risk_sets(rossi["week"], rossi["arrest"], columns, strata=rossi["mar"])
    fit = cox_fit(risk)
    base = baseline(risk, fit, [52, 52])
    theirs = lifelines.CoxPHFitter().fit(
        rossi[["week", "arrest", "age", "prio", "mar"]], "week", "arrest", strata=["mar"]
    )
    who = rossi.iloc[[0, 1, 2, 3]]
    hazard, _ = predicted_hazard(base, fit.coefficients, fit.covariance, who[["age", "prio"]], 0, 52, who["mar"])
    survival = theirs.predict_survival_function(who, times=[52]).to_numpy()[0]
    np.testing.assert_allclose(np.exp(-hazard), survival, atol=2e-3)  # theirs shares ties as Breslow


def test_interval_of_leaving_stays_between_0_and_1():
    chance, low, high = leaving_interval(np.array([0.0, 0.1, 3.0]), np.array([0.0, 0.2, 4.0]), 1.96)
    assert (low <= chance).all()
    assert (chance <= high).all()
    assert low.min() >= 0
    assert high.max() <= 1
