"""Models of repeat buying and of spend, against printed results, quadrature, simulation and another package."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln, hyp2f1, roots_genlaguerre, roots_sh_jacobi
from scipy.stats import gamma as gamma_law

from journeykit.errors import ParameterError
from journeykit.estimators.buyers import buyers, negative_binomial
from journeykit.estimators.gamma_gamma import expected_spend, fit_gamma_gamma, likelihood_of
from journeykit.estimators.maximum import Maximum, maximise, with_interval
from journeykit.estimators.repeat_buying import MODELS, expected_purchases, fit_repeat_buying
from journeykit.loops.buying import gauss_fraction

# Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2), table 2: a tenth of
# CDNOW's customers, 39 weeks. MBG/NBD: Batislam, Denizel & Filiztekin (2007), table 4. The tests of lifetimes, of the R
# packages BTYD and CLVTools print the same.
PUBLISHED = {
    "pareto_nbd": ([0.553, 10.578, 0.606, 11.669], -9595.0),
    "bg_nbd": ([0.243, 4.414, 0.793, 2.426], -9582.4),
    "mbg_nbd": ([0.525, 6.183, 0.891, 1.614], None),
}
THETA = {name: np.array(values) for name, (values, _) in PUBLISHED.items()}


@pytest.fixture(scope="module")
def cdnow() -> pd.DataFrame:
    """The summary of 2,357 customers that comes with lifetimes (MIT licence): x, tₓ and T in weeks, mean spend."""
    datasets = pytest.importorskip("lifetimes.datasets")
    return datasets.load_cdnow_summary_data_with_monetary_value()


def laid_out(data):
    return buyers(data["frequency"], data["recency"], data["T"])


# -- printed results -------------------------------------------------------------------------


@pytest.mark.parametrize("method", MODELS)
def test_parameters_are_those_printed_for_cdnow(cdnow, method):
    fit = fit_repeat_buying(laid_out(cdnow), method)
    parameters, likelihood = PUBLISHED[method]
    assert fit.values == pytest.approx(parameters, abs=2e-3)  # they print three digits, and stop a little earlier
    if likelihood is not None:
        assert fit.log_likelihood == pytest.approx(likelihood, abs=0.05)


def test_spend_is_that_printed_for_cdnow(cdnow):
    again = cdnow[cdnow["frequency"] > 0]
    assert len(again) == 946
    fit = fit_gamma_gamma(again["frequency"], again["frequency"] * again["monetary_value"])
    # Fader & Hardie (2013), The Gamma-Gamma model of monetary value: p, q, gamma; LL as in the tests of CLVTools.
    assert fit.values == pytest.approx([6.25, 3.74, 15.44], abs=0.01)
    assert fit.log_likelihood == pytest.approx(-4055.92, abs=0.01)


def test_expected_spend_is_that_of_the_note():
    # brucehardie.com/notes/025, as the tests of lifetimes have it: a customer of whom nothing is known, 35.17.
    theta = np.array([6.25, 3.74, 15.44])
    assert expected_spend(theta, np.zeros(1), np.zeros(1))[0] == pytest.approx(35.22, abs=0.05)
    # The formula by hand: 2 purchases, 44.68 in all.
    expected = 6.25 * (15.44 + 44.68) / (6.25 * 2 + 3.74 - 1)
    assert expected_spend(theta, np.array([2.0]), np.array([44.68]))[0] == pytest.approx(expected)


def test_expectations_are_those_of_the_walkthrough():
    # Dziurzynski, Wadsworth & McCarthy, BTYD walkthrough: customer 1516, x = 26, t.x = 30.86, T = 31.
    theta, model = np.array([0.5533971, 10.5801985, 0.6060625, 11.6562237]), MODELS["pareto_nbd"]
    one = buyers([26], [30.86], [31])
    assert expected_purchases(model, theta, one, 52.0)[0] == pytest.approx(25.46, abs=0.005)
    assert model.alive(theta, one)[0] == pytest.approx(0.997874, abs=1e-4)
    assert model.since_start(theta, np.array([52.0]))[0] == pytest.approx(1.473, abs=5e-4)


def test_expectations_are_those_of_the_spreadsheet(cdnow):
    # Hardie's spreadsheet of the BG/NBD, as the tests of lifetimes and the manual of BTYD have it.
    theta, model = THETA["bg_nbd"], MODELS["bg_nbd"]
    assert expected_purchases(model, theta, buyers([2], [30.43], [38.86]), 39.0)[0] == pytest.approx(1.226, abs=5e-4)
    ages = np.array([0.1429, 1.0, 3.0, 31.8571, 32.0, 78.0])
    printed = [0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576]
    fitted = fit_repeat_buying(laid_out(cdnow), "bg_nbd").values
    assert model.since_start(fitted, ages) == pytest.approx(printed, abs=4e-4)
    shares = model.count_shares(theta, np.array([2.0, 39.0]), 10)
    assert shares[0, 10] == pytest.approx(1.07869e-07, rel=1e-3)
    assert shares[1, 0] == pytest.approx(0.5737864, abs=1e-5)


# -- the formulas, by quadrature --------------------------------------------------------------

positive = st.floats(-3, 4).map(lambda power: float(np.exp(power)))
histories = st.tuples(st.integers(0, 40), st.floats(0, 1), st.floats(0.01, 500)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)


def pareto_by_quadrature(theta, x, last, age):
    """Sum over the time of leaving: after T, or at τ in (tₓ, T]; the rates are integrated out by hand for each."""
    r, alpha, s, beta = theta
    log_there = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)

    def density(tau):
        return np.exp(np.log(s) - (r + x) * np.log(alpha + tau) - (s + 1) * np.log(beta + tau) - log_there)

    middle = [last + (age - last) * share for share in (1e-4, 1e-2, 0.1)]
    left = quad(density, last, age, points=middle, limit=100, epsabs=0, epsrel=1e-9)[0] if age > last else 0.0
    constant = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    return constant + log_there + np.log1p(left), 1 / (1 + left)


@settings(max_examples=40, deadline=None)
@given(st.tuples(positive, positive, positive, positive), histories)
def test_pareto_likelihood_is_the_sum_over_times_of_leaving(theta, history):
    one = buyers(*([value] for value in history))
    likelihood, alive = pareto_by_quadrature(np.array(theta), *history)
    model = MODELS["pareto_nbd"]
    assert model.log_likelihood(np.array(theta), one) == pytest.approx(likelihood, rel=1e-7, abs=1e-7)
    assert model.alive(np.array(theta), one)[0] == pytest.approx(alive, rel=1e-6, abs=1e-12)


def beta_geometric_by_quadrature(theta, x, last, age, first):
    """Mean over both distributions of the likelihood of somebody still there, and of somebody who left at tₓ."""
    r, alpha, a, b = theta

    def rate_part(time):  # the mean of λ^x exp(−λ time)
        points, weights = roots_genlaguerre(60, r + x - 1)
        scale = 1 / (alpha + time)
        return (weights.sum() * scale ** (r + x)) * alpha**r / np.exp(gammaln(r)) + 0 * points[0]

    def chance_part(function):
        points, weights = roots_sh_jacobi(80, a + b - 1, a)
        return (weights @ function(points)) / weights.sum()

    n = x + first
    there = chance_part(lambda p: (1 - p) ** n) * rate_part(age)
    gone = chance_part(lambda p: p * (1 - p) ** (n - 1)) * rate_part(last) if n else 0.0
    return np.log(there + gone), there / (there + gone)


medium = st.floats(-1.5, 2).map(lambda power: float(np.exp(power)))


@settings(max_examples=40, deadline=None)
@given(st.tuples(medium, medium, medium, medium), st.integers(0, 12), st.floats(0, 1), st.floats(0.1, 60))
@pytest.mark.parametrize("first", [0, 1])
def test_beta_geometric_likelihood_is_the_mean_over_rates_and_chances(first, theta, x, share, age):
    theta, last = np.array(theta), share * age if x else 0.0
    model = MODELS["mbg_nbd" if first else "bg_nbd"]
    one = buyers([x], [last], [age])
    likelihood, alive = beta_geometric_by_quadrature(theta, x, last, age, first)
    assert model.log_likelihood(theta, one) == pytest.approx(likelihood, rel=1e-6, abs=1e-6)
    assert model.alive(theta, one)[0] == pytest.approx(alive, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.tuples(medium, medium, medium, medium), st.integers(0, 12), st.floats(0.1, 60), st.floats(0.5, 30))
@pytest.mark.parametrize("method", MODELS)
def test_future_purchases_are_the_mean_over_those_still_there(method, theta, x, age, horizon):
    r, alpha, third, fourth = theta = np.array(theta)
    found = MODELS[method].future(theta, np.array([float(x)]), np.array([age]), horizon)[0]
    if method == "pareto_nbd":  # who is there after T has rates Gamma(r + x, α + T) and Gamma(s, β + T)
        expected = quad(lambda tau: ((fourth + age) / (fourth + age + tau)) ** third, 0, horizon)[0]
        expected *= (r + x) / (alpha + age)
    else:  # … and a chance to leave of Beta(a, b + n); buying goes on at λ exp(−λ p τ)
        n = x + (method == "mbg_nbd")
        points, weights = roots_sh_jacobi(100, third + fourth + n - 1, third)
        each = (1 - (1 + points * horizon / (alpha + age)) ** -(r + x)) / points
        expected = (weights @ each) / weights.sum()
    assert found == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("method", MODELS)
def test_future_purchases_pass_smoothly_where_the_formula_is_nothing_by_nothing(method):
    x, age = np.array([3.0]), np.array([20.0])
    at = [MODELS[method].future(np.array([0.5, 6.0, 1 + step, 3.0]), x, age, 30.0)[0] for step in (-1e-4, 0, 1e-4)]
    assert at[1] == pytest.approx((at[0] + at[2]) / 2, rel=1e-6)


@pytest.mark.parametrize("method", MODELS)
def test_numbers_of_purchases_are_a_distribution_with_the_expected_mean(method):
    model, ages = MODELS[method], np.array([0.0, 1.0, 8.0, 40.0])
    shares = model.count_shares(THETA[method], ages, 600)
    assert shares.sum(axis=1) == pytest.approx(np.ones(4), abs=1e-6)
    assert shares @ np.arange(601) == pytest.approx(model.since_start(THETA[method], ages), rel=1e-4, abs=1e-12)
    nobody = 1.614 / (0.891 + 1.614) if method == "mbg_nbd" else 1.0
    assert shares[0, 0] == pytest.approx(1.0)
    assert model.alive(THETA[method], buyers([0], [0], [0]))[0] == pytest.approx(nobody)


def test_expectations_of_all_customers_are_those_of_new_ones_later():
    # E[X(T + t)] = E[X(T)] + E[E[Y(t) | what was seen by T]]: simulated histories, the same expectation.
    rng = np.random.default_rng(4)
    for method, theta in THETA.items():
        x, last, age = simulated(method, theta, 60_000, rng, age=20.0)
        model, who = MODELS[method], buyers(x, last, age)
        later = model.since_start(theta, np.array([20.0, 50.0]))
        each = expected_purchases(model, theta, who, 30.0)
        assert each.mean() == pytest.approx(later[1] - later[0], abs=5 * each.std() / np.sqrt(len(x)))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 30), st.floats(0.01, 20), st.floats(0, 0.9))
def test_the_fraction_is_the_hypergeometric_function(b, more, z):
    out = np.empty(1)
    gauss_fraction(np.array([b]), np.array([b + more]), np.array([z]), out)
    assert out[0] == pytest.approx(float(hyp2f1(1, b, b + more, z)), rel=1e-10)


def test_the_fraction_holds_where_scipy_gives_infinity():
    # Checked once with mpmath 1.4.1 at 40 digits; scipy 1.17 says inf and nan here.
    b, c = np.array([171.12729602871732, 200.06284508865485]), np.array([172.6801698437653, 201.40650061101908])
    z, out = np.array([0.9999998981136888, 0.9999999831626333]), np.empty(2)
    gauss_fraction(b, c, z, out)
    assert out == pytest.approx([309.0973623695866, 572.6320875546025], rel=1e-9)


# -- fitting -------------------------------------------------------------------------------


def simulated(method, theta, n, rng, age=None):
    """Histories as the model tells the story: a rate, a time or a chance of leaving, purchases one by one."""
    r, alpha, third, fourth = theta
    rate = rng.gamma(r, 1 / alpha, n)
    ages = rng.uniform(10, 60, n) if age is None else np.full(n, age)
    x, last = np.zeros(n), np.zeros(n)
    if method == "pareto_nbd":
        leaves, chance = rng.exponential(1 / rng.gamma(third, 1 / fourth, n)), np.zeros(n)
        there = np.ones(n, bool)
    else:
        leaves, chance = np.full(n, np.inf), rng.beta(third, fourth, n)
        there = rng.random(n) >= chance if method == "mbg_nbd" else np.ones(n, bool)
    time = np.zeros(n)
    while there.any():
        time = time + rng.exponential(1 / np.maximum(rate, 1e-300))
        there &= time <= np.minimum(leaves, ages)
        x, last = x + there, np.where(there, time, last)
        there &= rng.random(n) >= chance
    return x, last, ages


@pytest.mark.parametrize("method", MODELS)
def test_parameters_of_simulated_customers_are_found(method):
    x, last, age = simulated(method, THETA[method], 20_000, np.random.default_rng(1))
    fit = fit_repeat_buying(buyers(x, last, age), method)
    off = (fit.logs - np.log(THETA[method])) / np.sqrt(np.diag(fit.covariance))
    assert np.abs(off).max() < 4


@pytest.mark.slow
@pytest.mark.parametrize("method", MODELS)
def test_intervals_cover_the_truth(method):
    truth, model, rng = THETA[method], MODELS[method], np.random.default_rng(2)
    inside, logs = [], 150
    for _ in range(logs):
        x, last, age = simulated(method, truth, 2_000, rng)
        who = buyers(x, last, age)
        fit = fit_repeat_buying(who, method)
        low, high = fit.interval(0.95)
        totals = with_interval(lambda t, w=who: np.array([expected_purchases(model, t, w, 26.0).sum()]), [fit], 0.95)
        true_total = expected_purchases(model, truth, who, 26.0).sum()
        inside.append([*((low <= truth) & (truth <= high)), totals[1][0] <= true_total <= totals[2][0]])
    cover = np.mean(inside, axis=0)
    assert (np.abs(cover - 0.95) < 0.06).all(), cover  # four Monte Carlo standard errors


@pytest.mark.slow
def test_intervals_of_spend_cover_the_truth():
    p, q, gamma = truth = np.array([6.25, 3.74, 15.44])
    rng, inside = np.random.default_rng(3), []
    for _ in range(200):
        n = 1 + rng.poisson(2, 1_500)
        total = rng.gamma(p * n, 1 / rng.gamma(q, 1 / gamma, 1_500))
        low, high = fit_gamma_gamma(n, total).interval(0.95)
        inside.append((low <= truth) & (truth <= high))
    assert (np.abs(np.mean(inside, axis=0) - 0.95) < 0.06).all()


def test_spend_of_simulated_customers_is_found():
    p, q, gamma = truth = np.array([6.25, 3.74, 15.44])
    rng = np.random.default_rng(5)
    n = 1 + rng.poisson(2, 8_000)
    total = rng.gamma(p * n, 1 / rng.gamma(q, 1 / gamma, 8_000))
    fit = fit_gamma_gamma(n, total)
    assert np.abs((fit.logs - np.log(truth)) / np.sqrt(np.diag(fit.covariance))).max() < 4


def test_likelihood_of_spend_is_the_mean_over_customers():
    p, q, gamma = theta = np.array([2.0, 3.0, 10.0])
    n, total = 3, 24.0
    # The mean z of n purchases is Gamma(pn, nν); ν is Gamma(q, γ).
    density = quad(
        lambda nu: gamma_law.pdf(total / n, p * n, scale=1 / (n * nu)) * gamma_law.pdf(nu, q, scale=1 / gamma), 0, 10
    )[0]
    found = likelihood_of(np.array([float(n)]), np.array([total]), np.ones(1))(theta)
    assert found == pytest.approx(np.log(density), rel=1e-8)


@pytest.mark.parametrize("method", MODELS)
def test_four_of_everybody_halve_the_interval_and_days_for_weeks_change_only_the_unit(method):
    x, last, age = simulated(method, THETA[method], 1_000, np.random.default_rng(6))
    one = fit_repeat_buying(buyers(x, last, age), method)
    four = fit_repeat_buying(buyers(x, last, age, np.full(len(x), 4)), method)
    assert four.logs == pytest.approx(one.logs, abs=2e-3)
    assert np.sqrt(np.diag(four.covariance)) == pytest.approx(np.sqrt(np.diag(one.covariance)) / 2, rel=0.01)
    days = fit_repeat_buying(buyers(x, last * 7, age * 7), method)
    unit = [1, 7, 1, 7 if method == "pareto_nbd" else 1]
    assert days.values == pytest.approx(one.values * unit, rel=5e-3)


def test_many_combinations_are_fitted_by_way_of_rounded_times():
    x, last, age = simulated("pareto_nbd", THETA["pareto_nbd"], 6_000, np.random.default_rng(7))
    who = buyers(x, last, age)
    assert len(who.x) > 3_000
    assert who.coarse(50).weight.sum() == 6_000
    fit = fit_repeat_buying(who)
    model = MODELS["pareto_nbd"]
    for i in range(4):  # nowhere near is it higher
        for step in (-0.01, 0.01):
            near = fit.logs.copy()
            near[i] += step
            assert model.log_likelihood(np.exp(near), who) < fit.log_likelihood


def test_what_cannot_be_fitted_is_an_error_that_says_why():
    with pytest.raises(ParameterError, match="nobody of 30 customers bought again"):
        fit_repeat_buying(buyers(np.zeros(30), np.zeros(30), np.full(30, 10.0)))
    with pytest.raises(ParameterError, match="nobody seems to leave"):
        fit_repeat_buying(buyers(np.full(50, 5), np.full(50, 10), np.full(50, 10.0)), "bg_nbd")  # all alike
    with pytest.raises(ParameterError, match="no maximum that could be found"):
        maximise(lambda theta: float(theta[0]), [np.array([1.0])], ["without_end"])
    with pytest.raises(ParameterError, match="10 customers"):
        fit_gamma_gamma([1, 2], [5, 6])
    with pytest.raises(ParameterError, match="all of 20 customers spend 5 a purchase"):
        fit_gamma_gamma(np.arange(1, 21), 5.0 * np.arange(1, 21))
    with pytest.raises(ParameterError, match="0 <= last <= age"):
        buyers([1], [5], [4])
    with pytest.raises(ParameterError, match="last being 0 without any"):
        buyers([0], [2], [4])


def test_spend_without_a_bound_of_its_mean_is_an_error():
    rng = np.random.default_rng(8)
    n = 1 + rng.poisson(3, 3_000)
    total = rng.gamma(4.0 * n, 1 / rng.gamma(0.6, 1 / 10.0, 3_000))
    with pytest.raises(
        ParameterError, match=r"q = 0\.\d+: by this model the mean spend over all customers has no bound"
    ):
        fit_gamma_gamma(n, total)


def test_a_penalty_holds_back_parameters_that_run_away():
    # Everybody buys at the same rate, so r and α go to infinity together.
    rng = np.random.default_rng(9)
    x, last, age = simulated("pareto_nbd", [1e6, 4e6, 1.0, 20.0], 500, rng)
    free = fit_repeat_buying(buyers(x, last, age))
    assert free.interval(0.95)[1][:2].tolist() == [np.inf, np.inf]  # as good as flat, and told so
    assert free.values[0] / free.values[1] == pytest.approx(0.25, rel=0.1)
    held = fit_repeat_buying(buyers(x, last, age), penalizer=1e-5).values
    assert held.max() < 300
    assert held[0] / held[1] == pytest.approx(0.25, rel=0.1)


def test_a_maximum_is_found_and_kept_as_plain_data():
    # Exponential durations: the maximum is n / Σt, and the logarithm's standard error 1/√n.
    times = np.array([1.0, 2.0, 3.0, 6.0])
    fit = maximise(lambda t: float(len(times) * np.log(t[0]) - t[0] * times.sum()), [np.array([1.0])], ["rate"])
    assert fit.values[0] == pytest.approx(4 / 12, rel=1e-6)
    assert np.sqrt(fit.covariance[0, 0]) == pytest.approx(1 / 2, rel=1e-4)
    low, high = fit.interval(0.95)
    assert (low[0], high[0]) == pytest.approx((np.exp(np.log(1 / 3) - 0.98), np.exp(np.log(1 / 3) + 0.98)), rel=1e-3)
    mean = with_interval(lambda t: 1 / t, [fit], 0.95)
    assert [float(each[0]) for each in mean] == pytest.approx([3, 1 / high[0], 1 / low[0]], rel=1e-4)
    again = Maximum.from_dict(fit.to_dict())
    assert again.to_dict() == fit.to_dict()


def test_what_is_certain_has_no_interval_around_it():
    fit = Maximum(("a",), np.zeros(1), np.eye(1), 0.0)
    share = with_interval(lambda t: np.array([1.0, 0.0, 0.5 * t[0]]), [fit], 0.95, share=True)
    assert (share[1][0], share[2][0], share[1][1], share[2][1]) == (1, 1, 0, 0)
    assert share[1][2] < 0.5 < share[2][2] < 1


def test_negative_binomial_counts_add_up():
    counts = negative_binomial(np.arange(400), 0.7, 3.0, 10.0)
    assert counts.sum() == pytest.approx(1)
    assert counts @ np.arange(400) == pytest.approx(0.7 * 10 / 3)


# -- another package -------------------------------------------------------------------------

ORACLES = {"pareto_nbd": "ParetoNBDFitter", "bg_nbd": "BetaGeoFitter", "mbg_nbd": "ModifiedBetaGeoFitter"}


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", MODELS)
def test_lifetimes_expects_the_same(cdnow, method):
    lifetimes = pytest.importorskip("lifetimes")
    theirs = getattr(lifetimes, ORACLES[method])()
    names = {"pareto_nbd": ["r", "alpha", "s", "beta"]}.get(method, ["r", "alpha", "a", "b"])
    theirs.params_ = pd.Series(THETA[method], index=names)
    some = cdnow.iloc[::40]
    who, model, theta = laid_out(some), MODELS[method], THETA[method]
    columns = [some[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    alive = theirs.conditional_probability_alive(*columns)
    assert model.alive(theta, who) == pytest.approx(np.asarray(alive).ravel(), rel=1e-6)
    later = theirs.conditional_expected_number_of_purchases_up_to_time(26, *columns)
    assert expected_purchases(model, theta, who, 26.0) == pytest.approx(np.asarray(later).ravel(), rel=1e-6)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_lifetimes_is_held_back_as_we_are(cdnow):
    lifetimes = pytest.importorskip("lifetimes")
    theirs = lifetimes.BetaGeoFitter(penalizer_coef=0.01)
    theirs.fit(cdnow["frequency"], cdnow["recency"], cdnow["T"])
    # It takes the penalty of times that it has rescaled by itself, to 1 at most: rescale ours alike.
    scale = 1 / cdnow["T"].max()
    who = buyers(cdnow["frequency"], cdnow["recency"] * scale, cdnow["T"] * scale)
    ours = fit_repeat_buying(who, "bg_nbd", penalizer=0.01).values / [1, scale, 1, 1]
    assert ours == pytest.approx(theirs.params_[["r", "alpha", "a", "b"]].to_numpy(), rel=5e-3)


def test_rounded_amounts_only_show_the_way(monkeypatch):
    from journeykit.estimators import gamma_gamma as module

    rng = np.random.default_rng(3)
    n = rng.geometric(0.4, 8_000)
    total = rng.gamma(6.25 * n) / rng.gamma(3.74, 1 / 15.44, len(n))
    rounded = module.fit_gamma_gamma(n, total)
    monkeypatch.setattr(module, "COARSE_ABOVE", 10**9)
    exact = module.fit_gamma_gamma(n, total)
    assert rounded.values == pytest.approx(exact.values, rel=1e-4)
    assert rounded.log_likelihood == pytest.approx(exact.log_likelihood, abs=1e-6)
    assert np.diag(rounded.covariance) == pytest.approx(np.diag(exact.covariance), rel=1e-3)
