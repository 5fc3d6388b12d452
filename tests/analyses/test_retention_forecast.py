"""The forecast of contracts, against what its article prints and against simulated customers."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from journeykit.analyses.retention import retention, retention_forecast
from journeykit.errors import ParameterError
from journeykit.estimators.sbg import fit_sbg, log_likelihood, survival
from journeykit.text import has_label, language
from tests.helpers import make_log

# Fader & Hardie (2007), How to project customer retention, Journal of Interactive Marketing 21(1), table 1: customers
# of 1000 still there after 1 … 12 years (Berry & Linoff's data). Fitted there to the first seven.
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]


@pytest.mark.parametrize(("counts", "alpha", "beta"), [(HIGH_END, 0.668, 3.806), (REGULAR, 0.704, 1.182)])
def test_the_parameters_are_those_of_the_article(counts, alpha, beta):
    row = retention_forecast(counts[:8], period="year").summary.iloc[0]
    assert (round(row["alpha"], 3), round(row["beta"], 3)) == (alpha, beta)


def test_the_likelihood_is_that_of_the_article():
    # High End: LL = -2115.5 where alpha = beta = 1 (figure 5 there), -1611.2 at its maximum.
    still = np.array(HIGH_END[:8])
    counts = (still[:-1], -np.diff(still))
    assert float(log_likelihood(2.0, 1.0, *counts)) == pytest.approx(-2115.5, abs=0.05)  # a = 2, k = 1
    assert fit_sbg(*counts).log_likelihood == pytest.approx(-1611.2, abs=0.05)


def test_the_curve_is_the_one_that_another_implementation_prints():
    # jdmaturen/shifted_beta_geometric_py, High End: predicted survival in years 8 to 12.
    curve = retention_forecast(HIGH_END[:8], ahead=5, period="year").curve
    assert curve["survival_rate"].iloc[8:].tolist() == pytest.approx([0.460, 0.436, 0.414, 0.395, 0.378], abs=6e-4)


def test_the_curve_is_the_product_of_renewals_that_rise_with_age():
    alpha, beta = 0.668, 3.806
    renewed = [(beta + t - 1) / (alpha + beta + t - 1) for t in range(1, 6)]  # equation 8
    found = survival(np.array([(alpha + beta) / alpha]), np.array([1 / alpha]), np.arange(6.0))
    assert found.tolist() == pytest.approx([1.0, *np.cumprod(renewed)])


@pytest.mark.parametrize("counts", [HIGH_END, REGULAR])
def test_the_years_that_were_held_back_lie_near_the_forecast(counts):
    table = retention_forecast(counts[:8], ahead=5, period="year").table.tail(5)
    assert (table["back"] - counts[8:]).abs().max() < 20  # of 1000
    inside = table["back_low"].le(counts[8:]) & table["back_high"].ge(counts[8:])
    assert inside.all()


def test_cohorts_of_different_age_are_one_likelihood():
    # Fader & Hardie, Fitting the sBG model to multi-cohort data: alpha = 3.80, beta = 15.19.
    cohorts = pd.DataFrame(
        [
            [10000, 8000, 6480, 5307, 4391],
            [10000, 8000, 6480, 5307, None],
            [10000, 8000, 6480, None, None],
            [10000, 8000, None, None, None],
        ],
        index=["2001", "2002", "2003", "2004"],
    )
    forecast = retention_forecast(cohorts, ahead=2, period="year")
    row = forecast.summary.iloc[0]
    assert (round(row["alpha"], 2), round(row["beta"], 2)) == (3.80, 15.19)
    assert forecast.table.groupby("cohort")["age"].max().tolist() == [6, 5, 4, 3]
    # Each goes on from where it is: 8000 × S(2)/S(1) with S(2)/S(1) = (beta + 1)/(alpha + beta + 1).
    expected = 8000 * (row["beta"] + 1) / (row["alpha"] + row["beta"] + 1)
    assert forecast.table.query("cohort == '2004' and age == 2")["back"].item() == pytest.approx(expected)
    # The mean is (alpha + beta - 1)/(alpha - 1); after seven periods alpha + beta + 6 stand in its place.
    assert row["mean_periods"] == pytest.approx((row["alpha"] + row["beta"] - 1) / (row["alpha"] - 1))
    residual = forecast.curve.query("age == 4")["residual_periods"].item()
    assert residual == pytest.approx((row["alpha"] + row["beta"] + 3) / (row["alpha"] - 1))


def test_a_mean_without_bound_is_missing_and_said():
    forecast = retention_forecast(HIGH_END[:8], ahead=5, period="year")
    row = forecast.summary.iloc[0]
    assert np.isnan(row["mean_periods"])  # alpha < 1
    assert row["mean_within"] == pytest.approx(forecast.curve["survival_rate"].sum())
    assert "no bound" in forecast.describe()


def test_customers_who_are_all_alike_make_a_geometric_curve():
    forecast = retention_forecast([1000, 800, 640, 512], ahead=1)
    row = forecast.summary.iloc[0]
    assert row["churn_rate"] == pytest.approx(0.2)
    assert row["mean_periods"] == pytest.approx(5, rel=0.01)
    assert forecast.curve["survival_rate"].iloc[-1] == pytest.approx(0.8**4, abs=1e-3)
    assert "taken to be alike" in forecast.describe()


def test_profile_intervals_hold_the_likelihood_at_the_chi_squared_distance():
    # Wilks: alpha's bounds are where the best likelihood over beta is 1.92 below the maximum; found here on a grid.
    still = np.array(HIGH_END[:8])
    counts = (still[:-1], -np.diff(still))
    row = retention_forecast(HIGH_END[:8], period="year").summary.iloc[0]
    best = fit_sbg(*counts).log_likelihood
    betas = np.linspace(1, 12, 40_001)
    for bound in (row["alpha_low"], row["alpha_high"]):
        profile = log_likelihood((bound + betas) / bound, np.full(len(betas), 1 / bound), *counts).max()
        assert best - profile == pytest.approx(1.9207, abs=0.01)


def monthly(customers, alive, until):
    rows = [(f"{i:03}", "pay", month * 30.4375 + 2) for i in range(customers) for month in range(alive[i])]
    return make_log(rows, observed_until=until)


ALIVE = [1] * 8 + [2] * 4 + [3] * 3 + [4] * 2 + [6] * 9


def test_a_log_is_counted_first_and_its_customers_can_be_listed():
    log = monthly(len(ALIVE), ALIVE, "2024-07-01")
    forecast = retention_forecast(log, back="pay", ahead=3)
    counted = forecast.table[forecast.table["status"] == "finished"]
    assert counted["back"].tolist() == [26, 18, 14, 11, 9, 9]
    assert len(forecast.customers("2024-01", 3)) == 11
    same = retention_forecast(retention(log, back="pay"), ahead=3)
    pd.testing.assert_frame_equal(same.table, forecast.table)
    pieces = retention_forecast(log.in_buckets(7), back="pay", ahead=3)
    pd.testing.assert_frame_equal(pieces.table, forecast.table)
    loaded = pickle.loads(pickle.dumps(forecast))
    assert loaded.log is None
    assert loaded.retention.log is None
    assert len(loaded.customers("2024-01", 3, log=log)) == 11


def test_segments_have_models_of_their_own_and_are_compared():
    rows = []
    for i, months in enumerate(ALIVE * 6):
        rows += [(f"a{i}", "pay", month * 30.4375 + 2, "app") for month in range(months)]
        rows += [(f"w{i}", "pay", month * 30.4375 + 2, "web") for month in range(min(6, months + 1))]
    log = make_log(rows, observed_until="2024-07-01", columns=["channel"], channel="channel")
    forecast = retention_forecast(log, by="channel", ahead=2)
    assert forecast.summary["segment"].tolist() == ["app", "web"]
    comparison = forecast.comparison
    assert comparison[["a", "age"]].to_numpy().tolist() == [["app", 5]]
    ends = [
        forecast.curve.query(f"segment == '{name}' and age == 5")["survival_rate"].item() for name in ("app", "web")
    ]
    assert comparison["difference_rate"].item() == pytest.approx(ends[1] - ends[0])
    # Twice the logarithm of the likelihood ratio, of four parameters against two: chi-squared with two degrees.
    common = retention_forecast(log, ahead=2).summary["log_likelihood"].item()
    apart = forecast.summary["log_likelihood"].sum()
    assert comparison["p_value"].item() == pytest.approx(np.exp(common - apart))


def test_a_segment_that_tells_too_little_is_left_out_and_counted():
    rows = [(f"{i:03}", "pay", month * 30.4375 + 2, "app") for i, n in enumerate(ALIVE) for month in range(n)]
    rows += [(f"new{i}", "pay", 160.0, "web") for i in range(3)] + [("old", "pay", 3.0, "web")]
    rows.append(("july", "pay", 183.0, "app"))
    log = make_log(rows, observed_until="2024-07-04", columns=["channel"], channel="channel")
    forecast = retention_forecast(log, by="channel")
    assert forecast.summary["segment"].tolist() == ["app"]
    # The web's one customer with a finished age 1 is lost at once; its three new ones have only just begun.
    reasons = [["retention_forecast.running", 1], ["retention_forecast.too_little", 4]]
    assert forecast.left_out.to_numpy().tolist() == reasons
    assert "whose own period has not finished" in repr(forecast)


def test_curves_that_rise_are_no_contracts():
    log = make_log(
        [("ann", "visit", 0), ("bob", "visit", 1), ("ann", "visit", 65), ("bob", "visit", 66)], observed_until=95
    )
    with pytest.raises(ParameterError, match="cohort 2024-01 has 2 customers at age 2 but 0 at the age before"):
        retention_forecast(log)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([100, 120], "at age 1 but 100 at the age before"),
        ([100], "two ages or more"),
        ([100, 90], "two ages or more"),
        ([100, 100, 100], "some but not all"),
        ([1.0, 0.8, 0.6], "counts, not shares"),
        ("nonsense", "data must be"),
        (pd.DataFrame([[10, None, 8]]), "without a gap"),
    ],
)
def test_what_cannot_be_forecast_is_refused_and_says_why(data, says):
    with pytest.raises(ParameterError, match=says):
        retention_forecast(data)


@pytest.mark.parametrize(
    "options",
    [{"mode": "on_or_after"}, {"base": "previous"}, {"windows": "rolling"}, {"cohort": "every"}, {"columns": [1, 2]}],
)
def test_only_retention_that_counts_who_is_there_is_taken(options):
    result = retention(monthly(len(ALIVE), ALIVE, "2024-07-01"), **options)
    with pytest.raises(ParameterError, match="in the retention to forecast"):
        retention_forecast(result)


@pytest.mark.parametrize("code", ["en", "he"])
def test_every_column_has_a_word_and_the_forecast_speaks(code):
    forecast = retention_forecast(HIGH_END[:8], period="year")
    with language(code):
        for table in (forecast.table, forecast.curve, forecast.summary):
            assert [name for name in table.columns if not has_label(name)] == []
        assert len(forecast.describe()) > 100
        assert "49" in forecast._repr_html_()
    assert forecast.metrics()["name"].tolist() == [
        "forecast_churn_rate",
        "forecast_year_19_rate",
        "forecast_mean_within_19",
    ]


def test_the_picture_draws_the_curve():
    forecast = retention_forecast(HIGH_END[:8], ahead=5, period="year")
    ax = forecast.plot()
    drawn = np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 8])
    assert forecast.curve["seen_rate"].iloc[:8].tolist() == pytest.approx(drawn[-8:].tolist())
    assert len(forecast.figure().axes) == 2


@pytest.mark.slow
def test_intervals_cover_the_truth():
    rng = np.random.default_rng(2007)
    alpha, beta, n, runs = 1.2, 4.0, 300, 300
    truth = survival(np.array([(alpha + beta) / alpha]), np.array([1 / alpha]), np.arange(13.0))[12]
    curve_hit = own_hit = 0
    for _ in range(runs):
        shares = rng.beta(alpha, beta, n)
        tenure = rng.geometric(shares)
        counts = [int((tenure > age).sum()) for age in range(13)]
        forecast = retention_forecast(counts[:7], ahead=6)
        end, own = forecast.curve.iloc[-1], forecast.table.iloc[-1]
        curve_hit += end["survival_rate_low"] <= truth <= end["survival_rate_high"]
        own_hit += own["back_low"] <= counts[12] <= own["back_high"]
    # Two standard errors of 95% over 300 runs are 2.5 points.
    assert 0.925 <= curve_hit / runs <= 0.98
    assert 0.925 <= own_hit / runs <= 0.99
