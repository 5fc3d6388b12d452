"""What large samples show is what the truth says, within Monte Carlo error."""

import numpy as np
import pandas as pd
import pytest
from slow_definitions import first_silence, funnel_counts, kaplan_meier

import journeykit as jk

STAGES = ["awareness", "consideration", "purchase", "retention", "advocacy"]


def _assert_rates(counts, base, truth, limit=3.9):
    """Each rate within 3.9 standard errors: p = 0.0001 each, and the seeds are fixed."""
    truth = np.asarray(truth)
    errors = np.sqrt(truth * (1 - truth) / base)
    assert np.all(np.abs(np.asarray(counts) / base - truth) <= limit * errors + 1e-9)


@pytest.mark.parametrize("entry", ["any", "first"])
def test_stage_funnel(shop, entry):
    log, truth, frame = shop
    counts = funnel_counts(frame, [{stage} for stage in STAGES], pd.Timedelta("30d"), log.ends_at, entry, "stage")
    _assert_rates(counts, counts[0], truth.stage_funnel(within="30d", entry=entry)["reach_rate"])


def test_touchpoint_funnel(shop):
    log, truth, frame = shop
    steps = ["product_page", "cart", "checkout", "order", "delivery"]
    awareness = set(frame.loc[frame["stage"] == "awareness", "touchpoint"])
    counts = funnel_counts(frame, [awareness, *({step} for step in steps)], pd.Timedelta("20d"), log.ends_at)
    _assert_rates(counts, counts[0], truth.funnel(["awareness", *steps], within="20d")["reach_rate"])


def test_conversion_curve(shop):
    log, truth, frame = shop
    entry = frame[frame["stage"] == "awareness"].groupby("customer", observed=True)["time"].min()
    order = frame[frame["touchpoint"] == "order"].groupby("customer", observed=True)["time"].min()
    for days in (1, 10, 90, 200):
        window = pd.Timedelta(days=days)
        mature = entry[entry + window < log.ends_at]
        converted = (order.reindex(mature.index) - mature <= window).sum()
        _assert_rates(converted, len(mature), truth.conversion_curve(days=[days])["converted_rate"])


def _tenures(frame, log, activity, silence):
    """Duration and event of each buyer, from the local days of what counts as activity."""
    days = frame["time"].dt.tz_localize(None).dt.normalize()
    last = (log.ends_at - pd.Timedelta(days=1)).tz_localize(None).normalize()
    day = (days - pd.Timestamp("2000-01-01")).dt.days
    order = day[frame["touchpoint"] == "order"].groupby(frame["customer"], observed=True).min()
    counted = frame["touchpoint"].isin(activity) & (day >= frame["customer"].map(order).astype(float))
    active = day[counted].groupby(frame.loc[counted, "customer"], observed=True).agg(list)
    until = (last - pd.Timestamp("2000-01-01")).days
    rows = [
        (customer, *first_silence([0, *(each - order[customer] for each in listed)], silence, until - order[customer]))
        for customer, listed in active.items()
    ]
    return pd.DataFrame(rows, columns=["customer", "duration", "event"])


@pytest.mark.parametrize(("activity", "silence"), [("order", 60), ("product_page", 45)])
def test_inactivity_survival(shop, activity, silence):
    log, truth, frame = shop
    tenures = _tenures(frame, log, {"order", activity}, silence)
    tenures["segment"] = tenures["customer"].map(frame.groupby("customer", observed=True)["segment"].first())
    expected = truth.survival_curve(activity=activity, silence=f"{silence}d", horizon=300)
    for segment, each in tenures.groupby("segment", observed=True):
        curve = kaplan_meier(each["duration"], each["event"], 300)
        true = expected.loc[expected["segment"] == segment, "survival"].to_numpy()
        assert np.abs(np.array(curve) - true).max() < 1.95 / np.sqrt(len(each))


def test_cancel_survival(shop):
    log, truth, frame = shop
    pairs = frame[frame["touchpoint"].isin(["subscription_started", "subscription_cancelled"])]
    days = pairs["time"].dt.tz_localize(None).dt.normalize()
    last = (log.ends_at - pd.Timedelta(days=1)).tz_localize(None).normalize()
    rows = []
    for _, each in pairs.assign(day=days).groupby("customer", observed=True):
        names, when = each["touchpoint"].tolist(), each["day"].tolist()
        for i, name in enumerate(names):
            if name == "subscription_started":
                ended = i + 1 < len(names)
                rows.append((each["segment"].iloc[0], ((when[i + 1] if ended else last) - when[i]).days, ended))
    tenures = pd.DataFrame(rows, columns=["segment", "duration", "event"])
    expected = truth.survival_curve(churn="cancel", horizon=400)
    for segment, each in tenures.groupby("segment", observed=True):
        curve = kaplan_meier(each["duration"], each["event"], 400)
        true = expected.loc[expected["segment"] == segment, "survival"].to_numpy()
        assert np.abs(np.array(curve) - true)[:300].max() < 1.95 / np.sqrt(len(each))


@pytest.mark.parametrize("back", ["product_page", "order"])
def test_retention(shop, back):
    log, truth, frame = shop
    month = frame["time"].dt.tz_localize(None).dt.to_period("M")
    first = month[frame["touchpoint"] == "order"].groupby(frame["customer"], observed=True).min()
    did = pd.DataFrame({"customer": frame["customer"], "month": month})[frame["touchpoint"] == back].drop_duplicates()
    did = did[did["customer"].isin(first.index)]
    did["cohort"] = did["customer"].map(first)
    age = (did["month"].dt.year - did["cohort"].dt.year) * 12 + did["month"].dt.month - did["cohort"].dt.month
    came = did[age > 0].groupby(["cohort", age[age > 0]]).size()
    sizes = first.value_counts()
    expected = truth.retention(back=back)
    assert (expected.loc[expected["age"] == 0, "back_rate"] == 1).all()
    cohorts = expected[expected["age"] == 0].set_index("cohort")["cohort_rate"]
    _assert_rates(sizes.reindex(cohorts.index), log.n_customers, cohorts)
    later = expected[expected["age"] > 0].set_index(["cohort", "age"])["back_rate"]
    counts = came.reindex(later.index, fill_value=0)
    bases = sizes.reindex(later.index.get_level_values("cohort")).to_numpy()
    # Cells are small: the sum of squared errors over all of them is near their number.
    squares = ((counts - bases * later) ** 2 / (bases * later * (1 - later))).to_numpy()
    assert squares.mean() == pytest.approx(1, abs=0.5)
    for age, cells in pd.DataFrame({"o": counts, "e": bases * later}).groupby(level="age"):
        assert abs(cells["o"].sum() - cells["e"].sum()) <= 3.9 * np.sqrt(cells["e"].sum()), age


def test_satisfaction_by_delay(shop):
    _, truth, frame = shop
    delivered = frame[frame["touchpoint"] == "delivery"].set_index("order_id")
    late = (delivered["time"] - delivered["promised_at"]).dt.total_seconds() / 86400
    for band in truth.satisfaction().itertuples():
        # Deliveries come in the last three hours of their day.
        inside = (late > band.days_late_low - 0.2) & (late <= band.days_late_high)
        orders = set(late.index[inside])
        _assert_rates(len(orders), len(late), band.delivery_rate)
        answers = frame[frame["order_id"].isin(orders)]
        nps = answers.loc[answers["touchpoint"] == "survey_nps", "score"]
        csat = answers.loc[answers["touchpoint"] == "survey_csat", "score"]
        _assert_rates((nps >= 9).sum(), len(nps), band.promoter_rate)
        _assert_rates((nps <= 6).sum(), len(nps), band.detractor_rate)
        _assert_rates((csat >= 4).sum(), len(csat), band.csat_rate)
        assert band.nps == pytest.approx(100 * (band.promoter_rate - band.detractor_rate))


def test_trials_convert_as_said(shop):
    log, truth, frame = shop
    trial = frame[frame["touchpoint"] == "trial_started"].groupby("customer", observed=True)["time"].min()
    trial = trial[trial + pd.Timedelta("14d") < log.ends_at]
    paid = frame[frame["touchpoint"] == "subscription_started"].groupby("customer", observed=True)["time"].min()
    segment = frame.groupby("customer", observed=True)["segment"].first().reindex(trial.index)
    converted = paid.reindex(trial.index) - trial == pd.Timedelta("14d")
    for row in truth.trial_conversion().itertuples():
        _assert_rates(converted[segment == row.segment].sum(), (segment == row.segment).sum(), row.converted_rate)


def _first_attempts(frame, step):
    """First attempts of customers on the web at a checkout (or a product page), with what they met until the step."""
    attempt = frame["time"] - frame.groupby("customer", observed=True)["time"].transform("min") < pd.Timedelta("40d")
    return frame[attempt & ~frame["touchpoint"].isin(["lesson"])]


@pytest.mark.parametrize("touchpoint", ["payment_error", "error_page"])
def test_frictions_at_the_checkout(shop, touchpoint):
    _, truth, frame = shop
    row = truth.friction().set_index("touchpoint").loc[touchpoint]
    early = _first_attempts(frame, "order")
    who = early.loc[early["touchpoint"] == "checkout", "customer"].unique()
    early = early[early["customer"].isin(who)]
    met = set(early.loc[early["touchpoint"] == touchpoint, "customer"])
    ordered = set(early.loc[early["touchpoint"] == "order", "customer"])
    _assert_rates(len(met), len(who), row["prevalence_rate"])
    # The mix of segments differs by chance between the two groups; each rate is near its own.
    _assert_rates(len(met & ordered), len(met), row["step_with_rate"])
    free = set(who) - met
    _assert_rates(len(free & ordered), len(free), row["step_without_rate"])


def test_noise_does_nothing(shop):
    _, truth, frame = shop
    ordered = set(frame.loc[frame["touchpoint"] == "order", "customer"])
    met = set(frame.loc[frame["touchpoint"] == "cookie_banner", "customer"])
    rest = set(frame["customer"]) - met
    one, other = len(met & ordered) / len(met), len(rest & ordered) / len(rest)
    assert abs(one - other) <= 3.9 * np.sqrt(0.25 / len(met) + 0.25 / len(rest))
    assert truth.friction().set_index("touchpoint").loc["cookie_banner", "odds_ratio"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("days", [7, 14, 30, 60])
def test_first_entries_of_a_large_log(large, days):
    log, truth, reached = large
    within = days * 86_400 * 10**6
    mature = reached[0] + within < log.observed_until
    counts = [((time - reached[0] <= within) & mature).sum() for time in reached]
    _assert_rates(counts, mature.sum(), truth.stage_funnel(within=f"{days}d", entry="first")["reach_rate"])


@pytest.fixture(scope="module")
def large():
    """Each customer's time of awareness, then the first consideration after it, and so on; far away if never."""
    log, truth = jk.simulate_journeys(300_000, rng=12)
    log = log.with_stages(jk.StageModel.digital())
    never = np.int64(2**62)
    since, reached = np.full(log.n_customers, -never), []
    for stage in range(len(STAGES)):
        fits = (log.stage_codes == stage) & (log.times >= since[log.customer_codes])
        since = np.full(log.n_customers, never)
        np.minimum.at(since, log.customer_codes[fits], log.times[fits])
        reached.append(since)
    return log, truth, reached
