"""Survival curves: published numbers, lifelines, and the promises of a result."""

import pickle

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter, NelsonAalenFitter
from lifelines.statistics import logrank_test

import journeykit as jk
from journeykit.analyses.churn import Cancel, Inactivity, Tenures, survival_curve, tenures
from journeykit.errors import LogError, ParameterError
from journeykit.text import has_label, language
from tests.helpers import make_log

approx = pytest.approx

# Freireich et al. (1963), weeks of remission of acute leukemia, as printed in Kleinbaum & Klein, Survival Analysis
# (2012), table 1.1: 21 patients with 6-MP, 21 with placebo.
TREATED = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
RELAPSED = [1] * 9 + [0] * 12
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
REMISSIONS = Tenures.from_durations(
    TREATED + PLACEBO, RELAPSED + [1] * 21, segments=["treated"] * 21 + ["placebo"] * 21
)


def of_group(frame, group):
    return frame[frame["segment"] == group]


def test_curve_matches_published_remissions():
    # Curves as printed in Kleinbaum & Klein (2012), ch. 2, section V.
    curve = survival_curve(REMISSIONS).table
    ends = curve[curve["events"] > 0]
    treated, placebo = of_group(ends, "treated"), of_group(ends, "placebo")
    assert treated["survival"].tolist() == approx([0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=5e-5)
    assert treated[["time_days", "at_risk", "events"]].to_numpy().tolist() == [
        [6, 21, 3], [7, 17, 1], [10, 15, 1], [13, 12, 1], [16, 11, 1], [22, 7, 1], [23, 6, 1],
    ]  # fmt: skip
    printed = [0.90, 0.81, 0.76, 0.67, 0.57, 0.38, 0.29, 0.19, 0.14, 0.10, 0.05, 0.00]
    assert placebo["survival"].tolist() == approx(printed, abs=0.006)


def test_medians_and_log_rank_match_published_remissions():
    # Kleinbaum & Klein (2012), ch. 2: medians 23 and 8 weeks; log-rank 16.79, expected 10.75 and 19.25.
    found = survival_curve(REMISSIONS)
    assert found.summary.set_index("segment")["median_days"].to_dict() == {"placebo": 8, "treated": 23}
    assert found.overall_test["statistic"].tolist() == approx([16.79], abs=5e-3)
    assert found.comparison["logrank"].tolist() == approx([16.79], abs=5e-3)
    # Wilcoxon (Gehan): 13.46 as printed there.
    assert found.logrank("gehan")["statistic"].tolist() == approx([13.46], abs=5e-3)


def test_the_mean_up_to_a_horizon_is_the_area_under_the_curve():
    found = survival_curve(Tenures.from_durations([1, 2, 3, 4], [1, 1, 0, 1]), horizon=4)
    # 1 on (0,1], 3/4 on (1,2], 1/2 on (2,4]
    assert found.summary["mean_days"].tolist() == approx([1 + 3 / 4 + 2 / 2])
    assert found.summary["survival"].tolist() == [0]
    assert found.params["horizon_days"] == 4


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(4)
    group = rng.choice(["x", "y", "z"], 400)
    life = np.ceil(rng.exponential(np.where(group == "x", 40, 70)))
    end = np.ceil(rng.uniform(1, 120, 400))
    enter = np.where(rng.random(400) < 0.3, np.minimum(rng.integers(0, 20, 400), np.minimum(life, end) - 1), 0)
    return pd.DataFrame({"duration": np.minimum(life, end), "event": life <= end, "enter": enter, "segment": group})


def test_curves_are_those_of_lifelines(many):
    found = survival_curve(Tenures.from_durations(many["duration"], many["event"], many["enter"], many["segment"]))
    for group, rows in many.groupby("segment"):
        curve = of_group(found.table, group).set_index("time_days")
        fit = KaplanMeierFitter().fit(rows["duration"], rows["event"], entry=rows["enter"])
        expected = fit.survival_function_at_times(curve.index).to_numpy()
        assert curve["survival"].to_numpy() == approx(expected)
        bounds = fit.confidence_interval_survival_function_.reindex(curve.index, method="ffill")
        started = (curve["survival"] < 1) & (curve["survival"] > 0)
        assert curve.loc[started, ["survival_low", "survival_high"]].to_numpy() == approx(bounds[started].to_numpy())
        hazard = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(
            rows["duration"], rows["event"], entry=rows["enter"]
        )
        assert curve["cumulative_hazard"].to_numpy() == approx(
            hazard.cumulative_hazard_at_times(curve.index).to_numpy()
        )


def test_log_rank_is_that_of_lifelines(many):
    rows = many[many["segment"] != "z"]
    found = survival_curve(Tenures.from_durations(rows["duration"], rows["event"], segments=rows["segment"]))
    x, y = rows[rows["segment"] == "x"], rows[rows["segment"] == "y"]
    test = logrank_test(x["duration"], y["duration"], x["event"], y["event"])
    assert found.comparison["logrank"].tolist() == approx([test.test_statistic])
    assert found.comparison["logrank_p_value"].tolist() == approx([test.p_value])


def test_every_pair_of_groups_is_compared_and_corrected(many):
    found = survival_curve(
        Tenures.from_durations(many["duration"], many["event"], segments=many["segment"]), horizon=60
    )
    table = found.comparison
    assert table[["a", "b"]].to_numpy().tolist() == [["x", "y"], ["x", "z"], ["y", "z"]]
    means = found.summary.set_index("segment")["mean_days"]
    assert table["difference_days"].to_numpy() == approx([means[b] - means[a] for a, b in table[["a", "b"]].to_numpy()])
    for name in ("p_value", "logrank_p_value"):
        ordered = sorted(table[name])
        assert table[f"{name}_holm"].min() == approx(min(1, 3 * ordered[0]))
        assert (table[f"{name}_holm"] >= table[name]).all()


def test_several_ends_have_incidences_that_add_up_with_those_still_there():
    # Worked by hand: at risk 5, 4, 3, 1.
    found = survival_curve(Tenures.from_durations([1, 2, 3, 3, 4], ["left", "moved", "left", None, None]))
    at = found.incidence.pivot_table(index="time_days", columns="end", values="incidence")
    assert at["left"].tolist() == approx([0, 1 / 5, 1 / 5, 1 / 5 + 3 / 5 / 3, 2 / 5])
    assert at["moved"].tolist() == approx([0, 0, 1 / 5, 1 / 5, 1 / 5])
    survival = found.table.set_index("time_days")["survival"]
    assert (at.sum(axis=1) + survival).to_numpy() == approx(np.ones(5))


@pytest.mark.parametrize("options", [{"churn": Cancel("stop"), "start": "join"},
                                     {"churn": Inactivity("30d"), "dated": "last_activity"}])  # fmt: skip
def test_rates_of_leaving_count_those_who_left_on_the_first_day(options):
    rows = [(f"c{i}", "join", 0) for i in range(4)] + [("c0", "stop", 0), ("c1", "stop", 0), ("c2", "stop", 9)]
    rates = survival_curve(make_log(rows, observed_until=50), **options).hazard("10d")
    events = 3 if "start" in options else 4  # after a silence, c3 has left too
    assert rates["events"].sum() == events
    # A day each of those who left on day 0, ten of who left on day 9; c3 is watched for 11 days of the first period.
    assert rates.loc[0, ["from_days", "to_days"]].tolist() == [0, 10]
    assert rates.loc[0, "at_risk_days"] == 1 + 1 + 10 + (11 if "start" in options else 1)


def test_curves_are_compared_at_the_same_ages_though_in_one_nobody_left():
    none, some = (survival_curve(Tenures.from_durations([10, 20, 60, 60], ends)) for ends in ([0] * 4, [1, 1, 0, 1]))
    there = jk.compare(none, some).table.set_index(["measure", "time_days"]).loc["survival"]
    assert there.index.tolist() == [14, 30, 60]
    assert there["estimate_a"].tolist() == [1, 1, 1]
    assert there["estimate_b"].tolist() == [3 / 4, 1 / 2, 1 / 4]


def test_curve_is_read_at_ages_and_given_an_age():
    found = survival_curve(Tenures.from_durations([30, 60, 90, 120], [1, 1, 0, 0]))
    assert found.at("29d", 30, "120d", "121d")["survival"].tolist()[:3] == [1, 0.75, 0.5]
    assert np.isnan(found.at("121d")["survival"].iloc[0])  # nobody was watched so long
    assert found.given("30d", "60d", "90d")["survival"].tolist() == approx([2 / 3, 2 / 3])
    assert found.at_risk([0, 30, 31, 61])["at_risk"].tolist() == [4, 4, 3, 2]
    rates = found.hazard("60d")
    assert rates[["events", "at_risk_days"]].to_numpy().tolist() == [[2, 30 + 60 * 3], [0, 30 + 60]]
    assert rates["hazard"].tolist() == approx([2 / 210, 0])
    assert len(found.smoothed_hazard("20d")) == 101
    with pytest.raises(ParameterError, match="whole days"):
        found.at("36h")
    with pytest.raises(ParameterError, match="0 or more"):
        found.at(-1)


def test_groups_known_at_the_start_split_the_curve():
    rows = [(f"w{i}", "visit", 0, "web") for i in range(3)] + [
        (f"s{i}", "visit", 7 * k, "shop") for i in range(2) for k in range(9)
    ]
    log = make_log(rows, columns=["channel"], channel="channel", observed_until=60)
    found = survival_curve(log, churn=Inactivity("20d"), by="channel")
    assert found.summary[["segment", "customers", "events"]].to_numpy().tolist() == [["shop", 2, 0], ["web", 3, 3]]


def test_the_share_who_came_back_is_estimated_from_the_end_on():
    # Gone on day 10: a, back on 15, and b, never (looked for 30 days more). c starts on 25: gone on 35, 5 days more.
    rows = [("a", "visit", 0), ("a", "visit", 15), ("b", "visit", 0), ("c", "visit", 25)]
    found = survival_curve(make_log(rows, observed_until=41), churn=Inactivity("10d"), horizon="20d")
    curve = found.comeback.set_index("time_days")
    assert curve.loc[5, ["at_risk", "events", "censored"]].tolist() == [3, 1, 1]
    assert curve["comeback_rate"].tolist() == approx([1 / 3, 1 / 3])  # at 5 and 30
    assert found.summary[["comeback_days", "comeback_rate"]].to_numpy().tolist() == [[10, approx(1 / 3)]]


def test_sensitivity_repeats_the_analysis_with_other_silences():
    rng = np.random.default_rng(0)
    rows = [(f"c{i}", "visit", int(day)) for i in range(60) for day in rng.integers(0, 200, 8)]
    log = make_log(rows, observed_until=200)
    found = survival_curve(log, churn=Inactivity("20d"), horizon=100)
    assert found.sensitivity["limit_days"].tolist() == [10, 15, 20, 30, 40]
    for row in found.sensitivity.to_dict("records"):
        alone = survival_curve(log, churn=Inactivity(f"{row['limit_days']}d"), horizon=100).summary.iloc[0]
        for name in ("customers", "events", "median_days", "survival", "survival_low"):
            assert row[name] == approx(alone[name], nan_ok=True)
    main = found.sensitivity[found.sensitivity["limit_days"] == 20].iloc[0]
    assert main["comeback_rate"] == found.summary["comeback_rate"].iloc[0]


def test_the_horizon_is_the_longest_familiar_age_that_is_well_watched():
    long = Tenures.from_durations([400] * 25 + [80] * 5, [0] * 30)
    assert survival_curve(long).params["horizon_days"] == 365
    few = Tenures.from_durations([400] * 5, [0] * 5)
    assert survival_curve(few).params["horizon_days"] == 400
    assert survival_curve(long, horizon="90d").params["horizon_days"] == 90


def test_duplicating_customers_keeps_the_curve_and_narrows_its_interval(many):
    once = survival_curve(Tenures.from_durations(many["duration"], many["event"])).table
    four = pd.concat([many] * 4)
    times4 = survival_curve(Tenures.from_durations(four["duration"], four["event"])).table
    assert times4["survival"].to_numpy() == approx(once["survival"].to_numpy())
    middle = once["survival"].between(0.3, 0.7)
    width = [(t["survival_high"] - t["survival_low"])[middle].to_numpy() for t in (once, times4)]
    assert width[1] / width[0] == approx(np.full(middle.sum(), 0.5), abs=0.03)  # a square root of four


def test_the_curve_is_a_result():
    rows = [(f"c{i}", "visit", day) for i in range(40) for day in range(i, i + 30, 5)] + [("z", "order", 0)]
    log = make_log(rows, observed_until=150)
    found = survival_curve(log, churn=Inactivity("20d"), start="visit", washout="5d")
    assert found.definition == "survival_inactivity_20d/1"
    assert found.params["observed_until"] == pd.Timestamp("2024-05-30", tz="UTC")
    assert found.params["washout_days"] == 5
    assert dict(found.left_out.to_numpy()) == {"churn.no_start": 1, "churn.in_washout": 5}
    assert "5 customers left out: first seen within the washout" in repr(found)
    assert found.describe().startswith("Half of 35 customers are gone after 45 days [45, 45].")
    metrics = found.metrics()
    assert not metrics.duplicated(["name", "segment", "period", "definition"]).any()
    assert metrics.set_index("name").loc["median_days", "value"] == 45
    ended = found.table.index[found.table["events"] > 0][0]
    assert len(found.customers(int(ended))) == 35
    stored = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(stored.table, found.table)
    with pytest.raises(LogError, match="without its log"):
        stored.customers(0)
    assert len(stored.customers(int(ended), log=log)) == 35
    assert "<table" in found._repr_html_()


def test_a_curve_of_tenures_finds_its_customers_in_them():
    made = Tenures.from_durations([5, 5, 9], [1, 0, 1], customers=["a", "b", "c"])
    found = survival_curve(made)
    row = int(found.table.index[found.table["time_days"] == 5][0])
    assert found.customers(row).tolist() == ["a"]
    assert found.definition == "survival_curve/1"


def test_a_result_holds_no_customer():
    log = make_log([("secret-id", "visit", 3)], observed_until=61)
    found = survival_curve(tenures(log, signed_up={"secret-id": "2024-01-04"}))
    assert b"secret-id" not in pickle.dumps(found)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"churn": Inactivity("9d")}, "churn must be said to jk.tenures"),
        ({"by": "channel"}, "by must be said to jk.tenures"),
        ({"confidence": 1}, "confidence"),
        ({"horizon": "soon"}, "must be a duration"),
    ],
)
def test_what_can_not_be_is_refused(options, says):
    with pytest.raises(ParameterError, match=says):
        survival_curve(REMISSIONS, **options)


def test_nobody_to_draw_a_curve_of_is_said_with_the_reasons():
    log = make_log([("a", "visit", 0)], observed_until=50)
    with pytest.raises(ParameterError, match="nobody to draw a curve of: 1 first seen within the washout"):
        survival_curve(log, washout="30d")
    with pytest.raises(ParameterError, match="nobody to draw a curve of: 1 first seen within the washout"):
        survival_curve(tenures(log, washout="30d"))


def test_what_is_not_reached_is_missing_and_said():
    found = survival_curve(Tenures.from_durations([10, 20, 30], [1, 0, 0]), horizon=90)
    assert np.isnan(found.summary["median_days"].iloc[0])
    assert np.isnan(found.summary["survival"].iloc[0])
    assert "more than half are still there" in found.describe()
    assert "Nobody was watched for 90 days." in found.describe()


def test_of_many_groups_the_ends_of_the_range_are_said():
    found = survival_curve(Tenures.from_durations([9, 1, 9, 1, 9], [0, 1, 0, 1, 0], segments=[*"abcda"]), horizon=5)
    said = "Of 4 groups, a keeps the most customers for 5 days, 100.0%"
    assert found.describe().startswith(said)
    assert "and b the fewest, 0.0%" in found.describe()
    with language("he"):
        assert "מבין 4 קבוצות" in found.describe()


@pytest.mark.parametrize("code", ["en", "he"])
def test_every_column_has_words(code, many):
    log = make_log([("a", "visit", 0), ("b", "visit", 1), ("b", "order", 4)], observed_until=61)
    cancelled = survival_curve(log, churn=Cancel("order"), start="visit")
    grouped = survival_curve(Tenures.from_durations(many["duration"], many["event"], segments=many["segment"]))
    silent = survival_curve(log, churn=Inactivity("9d"))
    ends = survival_curve(Tenures.from_durations([1, 2, 3], ["left", "moved", None]))
    frames = [grouped.table, grouped.summary, grouped.comparison, grouped.overall_test, ends.incidence]
    frames += [silent.comeback, silent.sensitivity, grouped.hazard(), grouped.given(3, 9), grouped.smoothed_hazard()]
    missing = {name for frame in frames for name in frame if not has_label(name, language=code)}
    assert missing == set()
    with language(code):
        for found in (cancelled, grouped, silent, ends):
            assert found.describe()
            assert found._repr_html_()


def test_public_names_lead_here():
    assert jk.survival_curve is survival_curve
    assert jk.Inactivity is Inactivity


def test_those_who_left_are_not_called_interactions_where_they_are_shown():
    curve = survival_curve(make_log([("a", "A", 0), ("b", "A", 1)], observed_until=60), churn=Inactivity("30d"))
    assert curve.summary["events"].tolist() == [2]
    assert curve.shown()["ended"].tolist() == [2]
