"""Who is next: what must be so whatever the data, what can be worked out by hand, and what nobody may know."""

from dataclasses import replace
from functools import cache
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.analyses.churn.model import churn_model
from journeykit.analyses.churn.model.ahead import parts_of
from journeykit.errors import ParameterError
from tests.analyses.churn_model.population import day, population
from tests.helpers import ORIGIN

LOG = population(4000, seed=1)
TENURES = jk.tenures(LOG, churn=jk.Inactivity("60d"), covariates="kind")
MODEL = churn_model(TENURES)


def test_nobody_can_leave_before_the_silence_has_lasted():
    table = MODEL.predict(horizon="20d").table
    early = table["recency_days"] + 20 < 60
    assert early.any()
    assert (~early).any()
    assert (table.loc[early, ["leave_probability", "leave_probability_low", "leave_probability_high"]] == 0).all(
        axis=None
    )
    assert (table.loc[early, "expected_active_days"] == 20).all()
    assert (table.loc[~early, "leave_probability"] > 0).all()


def test_everybody_who_is_there_is_listed_once():
    table = MODEL.predict(horizon="60d").table
    last = pd.Series(LOG.days).groupby(LOG.customer_codes).max().to_numpy()
    there = LOG.customers[last > last.max() - 60]
    assert sorted(table["customer"]) == sorted(there)
    assert table["leave_probability"].is_monotonic_decreasing
    assert (table["leave_probability_low"] <= table["leave_probability"]).all()
    assert (table["leave_probability"] <= table["leave_probability_high"]).all()


def test_expected_days_follow_from_when_the_silence_would_be_too_long():
    # Whoever leaves within 60 days does so 60 − r days from now, so p of the customers lose r days.
    table = MODEL.predict(horizon="60d").table
    expected = 60 - table["leave_probability"] * table["recency_days"]
    np.testing.assert_allclose(table["expected_active_days"], expected)


def test_longer_horizons_only_add():
    chances = {}
    for horizon in (30, 60, 90, 150):
        table = MODEL.predict(horizon=horizon).table.set_index("customer").sort_index()
        chances[horizon] = table["leave_probability"]
        assert (table["expected_active_days"] <= horizon).all()
    # Models of different horizons are different fits, so that the order holds but for their error.
    assert ((chances[60] - chances[30]) > -0.1).mean() > 0.99
    assert ((chances[150] - chances[90]) > -0.1).mean() > 0.99
    assert parts_of(60, 150) == [60, 120, 150]
    assert parts_of(60, 60) == [60]


def test_what_is_said_does_not_depend_on_what_was_asked_before():
    fresh = churn_model(TENURES).predict(horizon="60d").table
    asked = churn_model(TENURES)
    asked.predict(horizon="150d")
    pd.testing.assert_frame_equal(asked.predict(horizon="60d").table, fresh)


def test_reasons_add_up_to_the_score():
    from journeykit.analyses.churn.model.ahead import usual_row
    from journeykit.analyses.churn.model.foresight import landmarks_for
    from journeykit.analyses.churn.model.landmark import rhythm_of
    from journeykit.analyses.churn.model.standing import standing_now

    rows, _ = standing_now(TENURES, ["kind"])
    rows["rhythm_days"] = rhythm_of(rows, 60)
    landmark = landmarks_for(MODEL, 60)[-1]
    usual = usual_row(rows, landmark.terms)
    reasons = landmark.contributions(rows, usual)
    score, _ = landmark.predict(rows)
    # The usual customer's rhythm is given, not made of its age and number of days: the shares start from it.
    differences = score - reasons.sum(axis=1)
    np.testing.assert_allclose(differences, differences.iloc[0], atol=1e-8)
    assert set(reasons) >= {"recency_days", "rhythm_days", "active_days", "age_days", "kind"}


@pytest.mark.parametrize("rich", [False, True])
def test_reasons_are_the_mean_over_all_orders_in_which_they_could_be_told(rich, monkeypatch):
    from journeykit.analyses.churn.model import landmark as module
    from journeykit.analyses.churn.model.covariates import design_of, settle_terms
    from journeykit.analyses.churn.model.foresight import past_of

    if rich:
        monkeypatch.setattr(module, "ENOUGH", 50)
        monkeypatch.setattr(module, "ENOUGH_A_COLUMN", 1)
    past = past_of(MODEL, 60).assign(size=lambda rows: rows["customer"] % 7)
    terms = settle_terms(past, ["size", "kind"], past["event"].to_numpy())
    landmark = module.fit_landmark(past, terms, 60, 60)
    assert landmark.crossed == (("recency", "active") if rich else ())
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 5)
    rows, usual = past.iloc[7:400:57], past.iloc[[3]].assign(kind="lasting", size=3)
    usual = usual.assign(rhythm_days=module.rhythm_of(usual, 60))
    reasons = landmark.contributions(rows, usual)

    @cache
    def score(own, i):
        mine, other = (module.habits_of(each, 60) for each in (rows.iloc[[i]], usual))
        habits = {name: mine[name] if name in own else other[name] for name in mine}
        known = {name: (rows.iloc[[i]] if name in own else usual)[name].to_numpy() for name in ("size", "kind")}
        x = design_of(landmark.terms, pd.DataFrame(known))[0].to_numpy()
        scales = landmark.bends.scales(habits)
        columns = [landmark.bends.columns(habits), x, *(x * scales[name] for name in landmark.crossed)]
        return (np.column_stack(columns) @ landmark.fit.coefficients[1:]).item()

    names = ["recency_days", "rhythm_days", "active_days", "age_days", "size", "kind"]
    for i in range(len(rows)):
        slow = dict.fromkeys(names, 0.0)
        for order in permutations(names):
            for k, name in enumerate(order):
                slow[name] += (score(frozenset(order[: k + 1]), i) - score(frozenset(order[:k]), i)) / 720
        assert reasons[names].iloc[i].tolist() == pytest.approx(list(slow.values()), abs=1e-9)


def test_for_finer_curves_an_age_that_nobody_had_reached_counts_as_the_highest():
    from journeykit.analyses.churn.model.foresight import landmarks_for

    plain = landmarks_for(MODEL, 60)[-1].bends
    bends = replace(plain, rich=True)
    oldest = float(np.expm1(bends.ranges["age"][1]))
    ages = np.array([oldest - 1, oldest, oldest + 1, 10 * oldest])
    same = {"recency_days": 30.0, "rhythm_days": 12.0, "active_days": 4.0, "comebacks": 0.0}
    columns = bends.columns({name: np.full(4, value) for name, value in same.items()} | {"age_days": ages})
    assert (columns[0] != columns[1]).any()
    assert columns[2].tolist() == columns[3].tolist() == pytest.approx(columns[1].tolist())
    assert (
        plain.scales({"age_days": ages} | {name: np.full(4, value) for name, value in same.items()})["age"][3]
        > (plain.ranges["age"][1])
    )


def test_customers_at_several_dates_do_not_make_finer_curves(monkeypatch):
    from journeykit.analyses.churn.model import landmark as module
    from journeykit.analyses.churn.model.foresight import past_of

    past = past_of(MODEL, 60)
    left = (past["event"] & (past["duration_days"] <= 60)).to_numpy()
    rows, customers = (min(f(left), f(~left)) for f in (np.sum, lambda mask: past.loc[mask, "customer"].nunique()))
    assert customers < rows
    for enough, rich in ((customers, True), (customers + 1, False)):
        monkeypatch.setattr(module, "ENOUGH", enough)
        assert module.fit_landmark(past, (), 60, 60).bends.rich == rich


def test_the_brief_kind_leaves_sooner_and_that_is_a_reason():
    row = MODEL.table.iloc[0]
    assert row["level"] == "brief"
    assert row["hazard_ratio"] > 1.3
    table = MODEL.predict(horizon="60d").table
    named = table[table["reason_1"].eq("kind") | table["reason_2"].eq("kind") | table["reason_3"].eq("kind")]
    assert len(named)
    ratios = {
        value: named.loc[named["reason_2_value"].eq(value), "reason_2_ratio"].mean() for value in ("brief", "lasting")
    }
    assert not ratios["brief"] < 1


def test_value_at_stake_is_what_the_lost_days_would_bring():
    prediction = MODEL.predict(horizon="60d")
    row = prediction.table.iloc[5]
    visits = int((LOG.customer_codes == LOG.customers.get_loc(row["customer"])).sum())
    per_day = 10 * visits / (row["age_days"] + 1)
    assert row["value_per_day"] == pytest.approx(per_day)
    assert row["value_at_stake"] == pytest.approx(per_day * (60 - row["expected_active_days"]))
    most = prediction.at_risk(3, by="value")
    assert most["value_at_stake"].tolist() == sorted(prediction.table["value_at_stake"], reverse=True)[:3]
    assert prediction.at_risk(3)["customer"].tolist() == prediction.table["customer"].tolist()[:3]
    assert MODEL.at_risk(2, horizon="60d")["customer"].tolist() == prediction.table["customer"].tolist()[:2]
    assert prediction.summary["value_at_stake"].iloc[0] == pytest.approx(prediction.table["value_at_stake"].sum())


def test_value_per_day_is_of_the_days_watched_since_a_customer_last_began():
    rng = np.random.default_rng(0)
    rows = [
        (f"c{i}", d, what, 0.0) for i in range(200) for d, what in ((i, "start"), (i + rng.integers(20, 300), "end"))
    ]
    rows += [("back", 0, "start", 0.0), ("back", 1, "pay", 5000.0), ("back", 50, "end", 0.0)]
    rows += [("back", 355, "start", 0.0), ("back", 356, "pay", 20.0), ("old", 3, "pay", 730.0)]
    frame = pd.DataFrame([row for row in rows if row[1] < 365], columns=["customer", "day", "touchpoint", "value"])
    frame["time"] = ORIGIN + pd.to_timedelta(frame.pop("day"), unit="D")
    log = jk.read_log(frame, value="value", observed_until=day(365))
    signed_up = (
        frame.groupby("customer")["time"].min().where(lambda at: at.index != "old", ORIGIN - pd.Timedelta("1000D"))
    )
    for options in ({"start": "start"}, {"signed_up": signed_up}):
        model = churn_model(jk.tenures(log, churn=jk.Cancel("end"), **options))
        table = model.predict(horizon="30d").table.set_index("customer")
        if "start" in options:  # here for days 355 to 364, and 20 paid in them
            assert table.loc["back", "value_per_day"] == pytest.approx(20 / 10)
        else:  # here for 1,365 days, of which the log watched 365
            assert table.loc["old", "value_per_day"] == pytest.approx(730 / 365)


def test_shifting_all_times_by_days_changes_nothing():
    frame = LOG.frame()
    frame["time"] += pd.Timedelta(100, "D")
    moved = jk.read_log(
        frame, customer="customer", time="time", touchpoint="touchpoint", value="value",
        observed_until=day(1000), duplicates="keep",
    )  # fmt: skip
    again = churn_model(jk.tenures(moved, churn=jk.Inactivity("60d"), covariates="kind"))
    pd.testing.assert_frame_equal(again.table, MODEL.table)
    pd.testing.assert_frame_equal(again.predict(horizon="60d").table, MODEL.predict(horizon="60d").table)


def test_in_buckets_it_is_the_same():
    pieces = jk.tenures(LOG.in_buckets(7), churn=jk.Inactivity("60d"), covariates="kind")
    model = churn_model(pieces)
    np.testing.assert_allclose(model.table["coefficient"], MODEL.table["coefficient"], atol=1e-9)
    ours = model.predict(horizon="60d").table.set_index("customer")["leave_probability"].sort_index()
    whole = MODEL.predict(horizon="60d").table.set_index("customer")["leave_probability"].sort_index()
    np.testing.assert_allclose(ours, whole, atol=1e-7)


def test_what_can_not_be_predicted_is_refused():
    with pytest.raises(ParameterError, match="too short"):
        MODEL.predict(horizon="880d")
    with pytest.raises(ParameterError, match="whole days"):
        MODEL.predict(horizon="36h")
    with pytest.raises(ParameterError, match="limit_days"):
        MODEL.predict(jk.tenures(LOG, churn=jk.Inactivity("30d"), covariates="kind"))
    with pytest.raises(ParameterError, match="n == 0"):
        MODEL.at_risk(0, horizon="60d")


# -- by the hazard at an age -----------------------------------------------------------------


def subscriptions(n=6000, seed=0, *, other=False):
    """Subscriptions that are cancelled at 1% a day (2% by the hasty), from day 0 to 100, watched until 160."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 100, n)
    hasty = rng.random(n) < 0.4
    lasts = 1 + np.floor(rng.exponential(1 / np.where(hasty, 0.02, 0.01)))
    moves = 1 + np.floor(rng.exponential(1 / 0.01, n)) if other else np.full(n, 10_000.0)
    ends = np.minimum(lasts, moves)
    rows = pd.DataFrame({"customer": np.arange(n), "touchpoint": "started", "day": start.astype(float)})
    gone = pd.DataFrame(
        {"customer": np.arange(n), "touchpoint": np.where(moves < lasts, "moved", "cancelled"), "day": start + ends}
    )
    frame = pd.concat([rows, gone[gone["day"] < 160]])
    frame["time"] = ORIGIN + pd.to_timedelta(frame.pop("day"), unit="D")
    frame["mood"] = np.where(hasty[frame["customer"]], "hasty", "calm")
    return jk.read_log(frame, observed_until=day(160), duplicates="keep")


def test_constant_hazards_give_the_chance_of_the_exponential():
    log = subscriptions()
    model = churn_model(jk.tenures(log, churn=jk.Cancel("cancelled"), start="started", covariates="mood"))
    row = model.table.iloc[0]
    assert row["hazard_ratio"] == pytest.approx(2, rel=0.08)
    table = model.predict(horizon="30d").table
    mood = log.frame().drop_duplicates("customer").set_index("customer")["mood"]
    for kind, rate in (("hasty", 0.02), ("calm", 0.01)):
        chance = table.loc[(mood[table["customer"]] == kind).to_numpy(), "leave_probability"]
        assert chance.median() == pytest.approx(1 - np.exp(-30 * rate), abs=0.025)
    days = table["expected_active_days"].to_numpy()
    hasty = (mood[table["customer"]] == "hasty").to_numpy()
    assert np.median(days[hasty]) == pytest.approx((1 - np.exp(-0.6)) / 0.02, abs=0.6)


@pytest.mark.slow
def test_intervals_of_the_chance_cover():
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=400)
        left, lost = rng.exponential(50 / np.exp(0.5 * x)), rng.uniform(10, 120, 400)
        tenures = jk.Tenures.from_durations(np.minimum(left, lost), left <= lost, covariates={"x": x})
        for method in ("cox", "weibull_aft"):
            table = churn_model(tenures, method=method).predict(horizon=20).table
            some = table[~table["beyond"] & (table["age_days"] < 60)].iloc[::40]
            truth = 1 - np.exp(-20 / 50 * np.exp(0.5 * x[some["customer"].to_numpy()]))
            inside = (some["leave_probability_low"] <= truth) & (truth <= some["leave_probability_high"])
            covered.append((method, inside.mean()))
    rates = pd.DataFrame(covered, columns=["method", "rate"]).groupby("method")["rate"].mean()
    assert rates.between(0.93, 0.97).all(), rates


def test_other_ends_compete():
    # Moving away at 1% a day: of the calm, cancelling within 30 days is 1/2 · (1 − e^−0.6), not 1 − e^−0.3.
    log = subscriptions(other=True)
    tenures = jk.tenures(log, churn=jk.Cancel("cancelled", other="moved"), start="started", covariates="mood")
    model = churn_model(tenures)
    assert model.params["end"] == "cancelled"
    assert (
        model.table["events"].sum()
        == ((tenures.table["end"] == "cancelled") & (log_mood(log, tenures) == "hasty")).sum()
    )
    table = model.predict(horizon="30d").table
    mood = log.frame().drop_duplicates("customer").set_index("customer")["mood"]
    calm = (mood[table["customer"]] == "calm").to_numpy()
    assert table.loc[calm, "leave_probability"].median() == pytest.approx(0.5 * (1 - np.exp(-0.6)), abs=0.025)
    hasty = table.loc[~calm, "leave_probability"].median()
    assert hasty == pytest.approx(2 / 3 * (1 - np.exp(-0.9)), abs=0.035)


def log_mood(log, tenures):
    mood = log.frame().drop_duplicates("customer").set_index("customer")["mood"]
    return mood[tenures.table["customer"]].to_numpy()


def test_beyond_what_was_watched_the_last_rate_goes_on_and_is_said():
    log = subscriptions()
    model = churn_model(jk.tenures(log, churn=jk.Cancel("cancelled"), start="started", covariates="mood"))
    prediction = model.predict(horizon="120d")
    assert prediction.table["beyond"].any()
    assert prediction.table["leave_probability"].notna().all()
    assert "beyond what was watched" in prediction.describe()
    calm = prediction.table["leave_probability"].median()
    assert calm == pytest.approx(1 - np.exp(-1.2), abs=0.06)


def test_durations_from_elsewhere_are_predicted_at_their_age():
    rng = np.random.default_rng(8)
    left, lost = rng.exponential(50, 3000), rng.uniform(0, 100, 3000)
    tenures = jk.Tenures.from_durations(np.minimum(left, lost), left <= lost, customers=np.arange(3000))
    table = churn_model(tenures).predict(horizon=20).table
    assert len(table) == (left > lost).sum()
    assert table["leave_probability"].median() == pytest.approx(1 - np.exp(-20 / 50), abs=0.04)
    aft = churn_model(tenures, method="weibull_aft").predict(horizon=20).table
    assert aft["leave_probability"].median() == pytest.approx(1 - np.exp(-20 / 50), abs=0.03)


def test_inactivity_needs_a_log():
    model = churn_model(TENURES)
    stored = jk.Tenures(
        TENURES.table, TENURES.summary, TENURES.comparison, TENURES.left_out, TENURES.params, None, TENURES.query
    )
    with pytest.raises(ParameterError, match="need a log"):
        model.predict(stored)


def test_a_covariate_window_must_be_over():
    counted = {"visits": "visit"}
    log = population(3000, seed=6, starts=890)
    tenures = jk.tenures(log, churn=jk.Inactivity("60d"), covariates=counted, covariate_window="30d")
    prediction = churn_model(tenures).predict(horizon="60d")
    assert (prediction.table["age_days"] >= 30).all()
    assert prediction.left_out["reason"].tolist() == ["churn_model.not_known_yet"]


# -- contracts, and covariates that change ---------------------------------------------------


def contracts(n=3000, seed=2):
    """Monthly contracts, renewed with 9 chances in 10 (7 in 10 by the fickle), watched for a year."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 150, n)
    fickle = rng.random(n) < 0.4
    terms = rng.geometric(np.where(fickle, 0.3, 0.1))
    rows = [
        (who, "paid", start[who] + 30 * term, "fickle" if fickle[who] else "firm")
        for who in range(n)
        for term in range(int(terms[who]))
        if start[who] + 30 * term < 365
    ]
    frame = pd.DataFrame(rows, columns=["customer", "touchpoint", "day", "kind"])
    frame["time"] = ORIGIN + pd.to_timedelta(frame.pop("day"), unit="D")
    return jk.read_log(frame, observed_until=day(365), duplicates="keep")


def test_contracts_are_foreseen_in_terms():
    tenures = jk.tenures(contracts(), churn=jk.Contract(period="30d"), start="paid", covariates="kind")
    model = churn_model(tenures)
    prediction = model.predict(horizon=3)
    table = prediction.table
    assert "age_terms" in table
    assert "within 3 terms" in prediction.describe()
    units = prediction.metrics().set_index("name")["unit"]
    assert units["expected_active_terms"] == "terms"
    assert "expected_active_days" not in prediction.summary
    kinds = tenures.table.drop_duplicates("customer", keep="last").set_index("customer")["kind"]
    for kind, kept in (("fickle", 0.7), ("firm", 0.9)):
        chance = table.loc[(kinds[table["customer"]] == kind).to_numpy(), "leave_probability"]
        assert chance.median() == pytest.approx(1 - kept**3, abs=0.05)
    found = model.evaluate(split="2024-07-31", horizon=3)
    assert found.params["unit"] == "terms"
    assert found.comparison.set_index("measure").loc["brier", "difference_high"] < 0
    assert found.table["observed_rate"].notna().all()
    with pytest.raises(ParameterError, match="number of terms"):
        model.predict(horizon="90d")


def test_covariates_that_change_are_read_as_they_stand():
    changing = {"visits": "visit", "seen": ("ever", "visit")}
    log = LOG.customers_where(LOG.customers[:2500])
    tenures = jk.tenures(log, churn=jk.Inactivity("60d"), covariates="kind", changing={"visits": changing["visits"]})
    model = churn_model(tenures)
    assert model.params["robust"]
    assert model.table.set_index("covariate").loc["visits", "hazard_ratio"] < 1
    table = model.predict(horizon="60d").table
    who = table["customer"].iloc[0]
    named = [i for i in (1, 2, 3) if table[f"reason_{i}"].iloc[0] == "visits"]
    visits = int((log.customer_codes == log.customers.get_loc(who)).sum())
    for i in named:
        assert table[f"reason_{i}_value"].iloc[0] == visits
    found = model.evaluate(split="2025-10-27", horizon="60d")
    assert found.comparison.set_index(["against", "measure"])["difference"].xs("brier", level="measure").max() < 0


def test_who_signed_up_and_did_nothing_is_counted():
    first = pd.Series(LOG.days).groupby(LOG.customer_codes).min()
    dates = pd.Series(pd.to_datetime(first.to_numpy(), unit="D"), index=LOG.customers)
    dates = pd.concat([dates, pd.Series([day(880), day(890)], index=[10_001, 10_002])])
    tenures = jk.tenures(LOG, churn=jk.Inactivity("60d"), signed_up=dates)
    assert {10_001, 10_002} <= set(tenures.table["customer"])
    prediction = churn_model(tenures).predict(horizon="60d")
    assert not prediction.table["customer"].isin([10_001, 10_002]).any()
    assert prediction.left_out["customers"].tolist() == [2]


def test_strata_are_read_where_customers_stand():
    model = churn_model(TENURES, strata="kind")
    assert model.table.empty
    assert set(model.predict(horizon="60d").table["reason_1"]) <= {
        "recency_days", "rhythm_days", "active_days", "age_days", "comebacks", "kind",
    }  # fmt: skip


def test_of_a_stratum_that_nobody_left_nothing_is_said():
    rng = np.random.default_rng(0)
    group = np.repeat(["a", "b", "c"], 200)
    days, left = np.ceil(rng.exponential(100, 600)), (rng.random(600) < 0.6) & (group != "c")
    tenures = jk.Tenures.from_durations(days, left, covariates={"group": group})
    found = churn_model(tenures, strata="group").predict(horizon=30)
    nobody_left = found.table["customer"].isin(np.flatnonzero(group == "c") + tenures.table["customer"].iloc[0])
    assert nobody_left.sum() == 200
    assert (found.table["leave_probability"].isna() == nobody_left).all()
    assert found.params["unseen"] == 200


@pytest.mark.parametrize("method", ["cox", "weibull_aft"])
def test_expected_days_are_those_of_the_curve_however_far_ahead(method):
    left = np.ceil(np.random.default_rng(1).exponential(100, 4000))
    model = churn_model(jk.Tenures.from_durations(np.minimum(left, 300), left <= 300), method=method)
    for horizon in (50, 1000, 5000):  # of an exponential with mean 100
        days = model.predict(horizon=horizon).table["expected_active_days"].median()
        assert days == pytest.approx(100 * -np.expm1(-horizon / 100), rel=0.1)


def test_a_list_is_as_long_as_a_whole_number():
    with pytest.raises(ParameterError, match="must be a whole number"):
        MODEL.at_risk(1.5, horizon="60d")


def test_of_very_many_rows_some_customers_are_learned_from(monkeypatch):
    from journeykit.analyses.churn.model import landmark as module
    from journeykit.analyses.churn.model.foresight import past_of

    past = past_of(MODEL, 60)
    assert len(module.some_customers(past)) == len(past)
    monkeypatch.setattr(module, "MOST_ROWS", len(past) // 2)
    some = module.some_customers(past)
    assert len(some) == pytest.approx(len(past) / 2, rel=0.1)
    kept = set(some["customer"])
    assert past["customer"].isin(kept).sum() == len(some)  # whole customers
    shuffled = past.sample(frac=1.0, random_state=0)
    assert set(module.some_customers(shuffled)["customer"]) == kept
    monkeypatch.undo()
    whole, half = (module.fit_landmark(rows, (), 60, 60).predict(past)[0] for rows in (past, some))
    able = np.isfinite(whole)
    assert np.corrcoef(whole[able], half[able])[0, 1] > 0.98
