"""The usual mistakes: each is off where the truth is known, ours is not, and the API has no way to make it.

The truth of a rule is what it says of customers who are watched until nobody is active any more. Naive routes are
written out here, as one would with a table of first and last activities.
"""

import numpy as np
import pandas as pd
import pytest

from journeykit.analyses.churn import Cancel, Inactivity, Tenures, survival_curve, tenures
from journeykit.errors import ParameterError
from tests.analyses.churn.simulation import LONG, cut, simulate
from tests.helpers import ORIGIN, make_log

SILENCE = Inactivity("60d")
READ_ON = 340
AGE = 150
FAR, NEAR = 0.06, 0.035
"""A bias that matters, and what chance explains with 2,000 customers (a standard error of 0.011)."""


@pytest.fixture(scope="module")
def whole():
    """2,000 customers who start over 300 days, watched until all are silent."""
    return simulate(2000, seed=1, life=200, gap=12)


@pytest.fixture(scope="module")
def log(whole):
    """The same, read on day 340: the last starters are watched for 40 days only."""
    return cut(whole, READ_ON)


@pytest.fixture(scope="module")
def seen(log):
    """What one might take from the log: the day each left (by the right rule), and first and last activity."""
    table = tenures(log, churn=SILENCE).table
    first, last = (
        pd.Series(last_days(log, which), index=log.customers)[table["customer"]].to_numpy() for which in (0, 1)
    )
    return pd.DataFrame({"gone": table["event"], "lasted": table["duration_days"], "first": first, "last": last})


def last_days(log, last=1):
    """Day of each customer's last activity, or the first with 0."""
    days = log.days - (ORIGIN - pd.Timestamp("1970-01-01")).days
    return days[log.offsets[1:] - 1] if last else days[log.offsets[:-1]]


def share_there(lifetimes, age=AGE):
    return float((lifetimes > age).mean())


def survival(durations, events, age=AGE):
    """Kaplan–Meier by hand: the product of 1 − d/n over the ages with an event."""
    durations, events = np.asarray(durations), np.asarray(events, bool)
    left = 1.0
    for at in np.unique(durations[events & (durations <= age)]):
        left *= 1 - (events & (durations == at)).sum() / (durations >= at).sum()
    return left


def ours(log, age=AGE, **options):
    return float(survival_curve(log, churn=SILENCE, **options).at(age)["survival"].iloc[0])


@pytest.fixture(scope="module")
def truth(whole):
    """Share still there at an age, dated as known, and dated at the last activity."""
    durations = tenures(whole, churn=SILENCE).table["duration_days"]
    return {"known": share_there(durations), "last_activity": share_there(durations - 60)}


def test_ours_is_the_truth(log, truth):
    assert ours(log) == pytest.approx(truth["known"], abs=NEAR)
    assert ours(log, dated="last_activity") == pytest.approx(truth["last_activity"], abs=NEAR)


def test_an_end_at_the_last_activity_with_censoring_at_the_end_is_off(seen, truth):
    naive = survival(seen["lasted"] - 60 * seen["gone"], seen["gone"])
    assert naive - truth["last_activity"] > FAR  # who is there today is watched for longer than an end could be seen
    # tenures dated at the last activity stop watching 60 days earlier: the two can't be mixed.


def test_censoring_at_the_last_activity_is_off():
    """Days on which they were watched, and did not leave, are taken away; the more, the rarer they are active."""
    whole = simulate(2000, seed=2, life=150, gap=20, starts_within=120)
    log, late = cut(whole, 160), 140
    truth = share_there(tenures(whole, churn=SILENCE).table["duration_days"], late)
    found = tenures(log, churn=SILENCE).table
    first, last = (pd.Series(last_days(log, k), index=log.customers)[found["customer"]].to_numpy() for k in (0, 1))
    naive = survival(np.where(found["event"], found["duration_days"], last - first), found["event"], late)
    assert truth - naive > FAR
    assert ours(log, late) == pytest.approx(truth, abs=NEAR)


def test_taking_everyone_for_gone_is_off(seen, truth):
    naive = share_there(np.where(seen["gone"], seen["lasted"] - 60, seen["last"] - seen["first"]))
    assert truth["last_activity"] - naive > FAR


def test_dropping_those_still_there_is_off(seen, truth):
    assert truth["known"] - share_there(seen["lasted"][seen["gone"]]) > FAR


def test_judging_by_the_last_silence_alone_changes_what_was_decided(whole):
    """By the final gap, who came back never left: the same customers, read later, are another past."""

    def left_before(day, read_on):
        table = tenures(cut(whole, read_on), churn=SILENCE).table
        known_on = (table["started_at"] - ORIGIN).dt.days + table["duration_days"]
        return int((table["event"] & (known_on < day)).sum())

    def silent_before(day, read_on):
        log = cut(whole, read_on)
        return int((last_days(log) + 60 < day).sum())

    assert left_before(300, 300) == left_before(300, 400) == left_before(300, LONG)
    assert silent_before(300, 300) > silent_before(300, 400)


def test_ignoring_late_entry_is_off():
    """Of subscriptions that began before the log, only the lasting are seen: as if watched since their start."""
    rng = np.random.default_rng(5)
    n = 4000
    start = rng.integers(-600, 300, n)
    ends = start + np.ceil(rng.exponential(150, n)).astype(int)
    shown = [(i, "cancel" if day == end else "visit", day)
             for i, (begin, end) in enumerate(zip(start, ends, strict=True))
             for day in {max(begin, 0), end} if 0 <= day < 400 and end >= 0]  # fmt: skip
    log = make_log(shown, observed_until=400).between(ORIGIN)
    signed_up = {i: ORIGIN + pd.Timedelta(int(day), "D") for i, day in enumerate(start)}
    found = tenures(log, churn=Cancel("cancel"), signed_up=signed_up)
    truth = np.exp(-AGE / 150)
    right = float(survival_curve(found).at(AGE)["survival"].iloc[0])
    ignored = survival_curve(Tenures.from_durations(found.table["duration_days"], found.table["event"]))
    assert right == pytest.approx(truth, abs=NEAR)
    assert float(ignored.at(AGE)["survival"].iloc[0]) - truth > FAR


def test_a_clock_from_the_first_logged_event_is_off():
    """Customers who signed up long before the log look new: the old ones' low risk is put at the young ones' age."""
    rng = np.random.default_rng(6)
    n = 3000
    start = rng.integers(-900, 300, n)
    # Half leave fast, half hardly: those seen from before the log are the second half.
    ends = start + np.ceil(rng.exponential(np.where(rng.random(n) < 0.5, 30, 600), n)).astype(int)
    shown = [(i, "cancel" if day == end else "visit", day)
             for i, (begin, end) in enumerate(zip(start, ends, strict=True))
             for day in {max(begin, 0), end} if 0 <= day < 400 and end >= 0]  # fmt: skip
    log = make_log(shown, observed_until=400).between(ORIGIN)
    signed_up = {i: ORIGIN + pd.Timedelta(int(day), "D") for i, day in enumerate(start)}
    truth = 0.5 * np.exp(-60 / 30) + 0.5 * np.exp(-60 / 600)
    right = survival_curve(tenures(log, churn=Cancel("cancel"), signed_up=signed_up)).at(60)
    first_seen = survival_curve(log, churn=Cancel("cancel"), start="visit").at(60)
    assert float(right["survival"].iloc[0]) == pytest.approx(truth, abs=NEAR)
    assert float(first_seen["survival"].iloc[0]) - truth > FAR
    with pytest.raises(ParameterError, match="needs to know when a tenure starts"):
        survival_curve(log, churn=Cancel("cancel"))  # nor does a clock start at any first event


def test_one_minus_kaplan_meier_with_two_ends_is_off():
    rng = np.random.default_rng(7)
    cancels, moves, censored = (np.ceil(rng.exponential(mean, 3000)) for mean in (200, 150, 400))
    first = np.minimum(np.minimum(cancels, moves), censored)
    ends = np.where(first == cancels, "cancelled", np.where(first == moves, "moved", None))
    truth = (1 / 200) / (1 / 200 + 1 / 150) * (1 - np.exp(-AGE * (1 / 200 + 1 / 150)))
    found = survival_curve(Tenures.from_durations(first.astype(int), ends)).incidence
    rows = found[(found["end"] == "cancelled") & (found["time_days"] <= AGE)]
    assert rows["incidence"].iloc[-1] == pytest.approx(truth, abs=NEAR)
    assert 1 - survival(first, first == cancels) - truth > FAR


def test_a_group_known_only_later_makes_its_members_immortal_and_can_not_be_asked_for():
    """Whoever ever uses a feature lived long enough to: users seem loyal though the feature does nothing."""
    whole = simulate(2000, seed=8, gap=12)
    log = cut(whole, READ_ON)
    rng = np.random.default_rng(9)
    uses = rng.random(log.n_events) < 0.04  # of any visit, whatever comes after
    frame = log.frame().assign(feature=np.where(uses, "used", None))
    days = (frame["time"].dt.tz_localize(None) - ORIGIN).dt.days
    rows = list(zip(frame["customer"], frame["touchpoint"], days, frame["feature"], strict=True))
    log = make_log(rows, columns=["feature"], observed_until=READ_ON)
    found = tenures(log, churn=SILENCE, by="feature")
    ever = frame.loc[uses, "customer"].unique()
    naive = survival_curve(
        Tenures.from_durations(
            found.table["duration_days"], found.table["event"], segments=found.table["customer"].isin(ever).map(str)
        ),
        horizon=AGE,
    )
    at_start = survival_curve(found, horizon=AGE)
    assert naive.comparison["difference_days"].abs().iloc[0] > 20
    assert naive.comparison["logrank_p_value"].iloc[0] < 1e-6
    assert abs(at_start.comparison["difference_days"].iloc[0]) < 12
    assert at_start.comparison["logrank_p_value"].iloc[0] > 0.01


def test_nothing_that_happens_after_the_start_can_leak_into_groups():
    """The last value of a property knows who stayed; the value at the start does not change with what comes later."""
    rows = [("a", "visit", 0, "x"), ("a", "visit", 10, "y"), ("b", "visit", 0, "x")]
    known = [
        tenures(make_log(rows[:n], columns=["p"], observed_until=61), by="p", churn=SILENCE).table for n in (1, 2, 3)
    ]
    assert [table["segment"].iloc[0] for table in known] == ["x", "x", "x"]


def test_old_customers_at_the_beginning_of_a_log_are_counted_and_a_washout_mends_it(whole):
    began = ORIGIN + pd.Timedelta("150d")
    log = cut(whole, 600).between(began)  # customers of the first 150 days look as if they had just started
    found = survival_curve(log, churn=SILENCE)
    truth = share_there(tenures(whole, churn=SILENCE).table["duration_days"], AGE)
    clean = survival_curve(log, churn=SILENCE, washout="60d")
    assert int(found.summary["seen_at_start"].iloc[0]) > 300
    assert int(clean.summary["seen_at_start"].iloc[0]) == 0
    assert float(clean.at(AGE)["survival"].iloc[0]) == pytest.approx(truth, abs=2 * NEAR)
    assert "may be older than the clock says" in found.describe()


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """Pointwise intervals at three ages, of the median and of the mean to a horizon: 95% within simulation error."""
    whole = tenures(simulate(100_000, seed=10), churn=SILENCE).table["duration_days"]
    ages = [90, 150, 240]
    true = [share_there(whole, age) for age in ages]
    true_mean = float(np.minimum(whole, 240).mean())
    true_median = float(np.median(whole))
    runs, hits = 400, np.zeros(5)
    for seed in range(runs):
        found = survival_curve(simulate(150, seed=1000 + seed, until=READ_ON), churn=SILENCE, horizon=240)
        at = found.at(*ages)
        hits[:3] += (at["survival_low"] <= true) & (true <= at["survival_high"])
        row = found.summary.iloc[0]
        hits[3] += row["mean_days_low"] <= true_mean <= row["mean_days_high"]
        hits[4] += row["median_days_low"] <= true_median <= row["median_days_high"]
    share = hits / runs
    assert (np.abs(share - 0.95) < 0.033).all(), share  # three standard errors of 400 runs


def rate_ratio(durations, events, enters, exposed):
    """Ends a day of those exposed, over that of the others."""
    time, ends = np.asarray(durations) - np.maximum(np.asarray(enters), 0), np.asarray(events, bool)
    here = np.asarray(exposed, bool)
    return float(ends[here].sum() / time[here].sum() / (ends[~here].sum() / time[~here].sum()))


@pytest.fixture(scope="module")
def helped():
    """Subscribers who ask for help at random, which changes nothing about when they leave."""
    rng = np.random.default_rng(11)
    n = 3000
    lives, rows = np.ceil(rng.exponential(100, n)).astype(int), []
    for i, (start, lasts) in enumerate(zip(rng.integers(0, 200, n), lives, strict=True)):
        asks = np.cumsum(rng.geometric(1 / 60, 40))
        rows.append((i, "join", start))
        rows += [(i, "help", start + int(day)) for day in asks[asks < lasts]]
        rows.append((i, "leave", start + int(lasts)))
    return make_log([row for row in rows if row[2] < 400], observed_until=400)


def test_behaviour_of_a_whole_tenure_knows_how_long_it_was(helped):
    """Whoever ever asks for help was there long enough to: a ratio far below 1 where the truth is 1."""
    rule = {"churn": Cancel("leave"), "start": "join"}
    plain = tenures(helped, **rule).table
    asked = helped.frame().query("touchpoint == 'help'")["customer"].unique()
    naive = rate_ratio(plain["duration_days"], plain["event"], 0, plain["customer"].isin(asked))
    by_day = tenures(helped, **rule, changing={"asked": ("ever", "help")})
    rows = by_day.table
    right = rate_ratio(by_day.duration, rows["event"], by_day.enters, rows["asked"] == 1)
    early = tenures(helped, **rule, covariates={"asked": "help"}, covariate_window="30d")
    windowed = rate_ratio(early.duration, early.table["event"], early.enters, early.table["asked"] > 0)
    assert naive < 0.6
    assert right == pytest.approx(1, abs=0.12)
    assert windowed == pytest.approx(1, abs=0.15)
    # Mantel & Byar's test: those who have asked against those who have not yet, each from when it is known.
    test = survival_curve(
        Tenures.from_durations(
            by_day.duration, rows["event"], by_day.enters, rows["asked"].map({0: "not yet", 1: "asked"})
        )
    ).overall_test  # fmt: skip
    assert test["p_value"].iloc[0] > 0.01
    assert (by_day.table.groupby("customer")["event"].sum() <= 1).all()
    for covariates in ({"asked": pd.Series(1, index=asked)}, ["help"]):
        with pytest.raises(ParameterError, match=r"without times|say until when it counts"):
            tenures(helped, **rule, covariates=covariates)
    with pytest.raises(ParameterError, match="nobody is followed for longer"):
        tenures(helped, **rule, covariates=["help"], covariate_window="400d")


def test_what_comes_with_the_end_predicts_it_and_is_not_read(helped):
    """A closing call on the day of leaving: read on that day it tells who leaves; it is in force the day after."""
    frame = helped.frame(["customer", "touchpoint", "time"])
    calls = frame[frame["touchpoint"] == "leave"].assign(touchpoint="call")
    together = pd.concat([frame, calls])
    days = (together["time"].dt.tz_localize(None) - ORIGIN).dt.days
    log = make_log(list(zip(together["customer"], together["touchpoint"], days, strict=True)), observed_until=400)
    plain = tenures(log, churn=Cancel("leave"), start="join").table
    called = log.frame().query("touchpoint == 'call'")["customer"].unique()
    assert plain["event"][plain["customer"].isin(called)].mean() > 0.99  # the call "predicts" perfectly
    found = tenures(log, churn=Cancel("leave"), start="join", changing="call").table
    assert (found["call"] == 0).all()  # nobody is watched after it


def test_the_report_of_a_range_watches_on_and_its_starts_are_those_of_the_whole_log(whole):
    """Reading a log from a date on makes old customers new ones; a range of starts does not."""
    log = cut(whole, 600)
    first, end = ORIGIN + pd.Timedelta("150d"), ORIGIN + pd.Timedelta("250d")
    table = tenures(whole, churn=SILENCE, between=(first, end)).table
    assert table["started_at"].between(first, end, inclusive="left").all()
    truth = share_there(table["duration_days"])
    assert ours(log, between=(first, end)) == pytest.approx(truth, abs=NEAR)
    naive = tenures(log.between(first, end), churn=SILENCE)
    assert len(naive.table) > 1.5 * len(table)  # customers of before, as if they had started then
    assert not naive.table["event"].mean() > 0.5 * table["event"].mean()  # and nobody is watched after the range
