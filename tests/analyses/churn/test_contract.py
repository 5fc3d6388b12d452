"""Contracts: terms that are renewed or not, counted in terms; each decision complete once its grace is over."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.analyses.churn import Contract, survival_curve, tenures
from journeykit.analyses.churn.terms import Calendar, term_ends
from journeykit.errors import ParameterError
from journeykit.estimators.proportions import wilson
from journeykit.journey import Step
from journeykit.loops.contracts import due
from journeykit.text import has_label, language
from tests.helpers import ORIGIN, event_rows, make_log

WEEK = Contract(period="7d", renewal="pay")
COLUMNS = ["customer", "spell", "enters_terms", "duration_terms", "event"]


def of(rows, until, churn=WEEK, **options):
    found = tenures(make_log(rows, observed_until=until), churn=churn, start="join", **options)
    return found.table[COLUMNS].values.tolist()


def stamp(day):
    return ORIGIN + pd.Timedelta(day, "D")


def test_a_term_that_is_not_renewed_is_the_end_and_each_renewal_a_decision():
    rows = [("a", "join", 0), ("a", "pay", 7), ("a", "pay", 12), ("b", "join", 0), ("b", "pay", 8)]
    # a renews on the day itself, then ahead; the third term ends on day 21. b pays a day late and is gone on day 7;
    # its payment begins a spell, that ends on day 15.
    assert of(rows, 30) == [["a", 1, 0, 3, True], ["b", 1, 0, 1, True], ["b", 2, 0, 1, True]]


def test_grace_lets_late_renewals_count_and_delays_every_decision():
    rows = [("a", "join", 0), ("a", "pay", 9), ("b", "join", 0)]
    churn = Contract(period="7d", renewal="pay", grace="2d")
    assert of(rows, 30, churn) == [["a", 1, 0, 2, True], ["b", 1, 0, 1, True]]
    assert of(rows, 10, churn) == [["a", 1, 0, 1, False], ["b", 1, 0, 1, True]]  # day 9 is observed whole
    # On day 8 nothing is decided yet, though a might have paid: else those who pay early would be counted sooner.
    early = tenures(make_log([*rows, ("a", "pay", 5)], observed_until=9), churn=churn, start="join")
    assert early.table.empty
    assert dict(early.left_out.values) == {"churn.no_decision_yet": 2}


def test_who_paid_ahead_is_censored_at_the_last_decision_that_is_complete():
    rows = [("a", "join", 0), ("a", "pay", 1), ("a", "pay", 2), ("a", "pay", 3)]
    assert of(rows, 16) == [["a", 1, 0, 2, False]]
    assert of(rows, 40) == [["a", 1, 0, 4, True]]


def test_payments_of_one_day_are_one_and_those_of_the_first_day_belong_to_the_start():
    rows = [("a", "join", 0), ("a", "pay", 0), ("a", "pay", 5), ("a", "pay", 5.5)]
    assert of(rows, 40) == [["a", 1, 0, 2, True]]


def test_terms_of_the_calendar_end_on_the_same_day_or_the_months_last():
    rows = [("a", "join", 30), ("a", "pay", 59), ("a", "pay", 90)]  # January 31, then February 29 and March 31
    churn = Contract(period="month", renewal="pay")
    assert of(rows, 121, churn) == [["a", 1, 0, 3, True]]  # not on April 30, day 120
    assert of(rows, 120, churn) == [["a", 1, 0, 2, False]]
    late = [("a", "join", 30), ("a", "pay", 60)]  # March 1 is a day late
    assert of(late, 100, churn)[0] == ["a", 1, 0, 1, True]
    years = [("a", "join", 59), ("a", "pay", 59 + 365)]  # February 29, 2024; then February 28
    assert of(years, 59 + 380, Contract(period="year", renewal="pay")) == [["a", 1, 0, 1, False]]


def test_without_a_renewal_event_the_start_repeated_renews():
    rows = [("a", "join", 20), ("a", "join", 27), ("b", "join", 20)]
    found = tenures(make_log(rows, observed_until=40), churn=Contract(period="7d"), start="join")
    assert found.table[COLUMNS].values.tolist() == [["a", 1, 0, 2, True], ["b", 1, 0, 1, True]]
    # The first one seen may be a renewal of an older contract, if it comes within a term of the log's begin.
    assert found.summary["seen_at_start"].tolist() == [2]
    assert "may be older" in found.describe()


def test_contracts_from_before_the_log_enter_at_the_first_renewal_seen():
    rows = [("a", "visit", 100), ("a", "pay", 104), ("a", "pay", 111), ("b", "pay", 103), ("c", "visit", 101)]
    log = make_log(rows, observed_until=130).between(stamp(100))
    dates = dict.fromkeys("abc", stamp(83))  # terms end on 90, 97, 104, 111, 118, …
    found = tenures(log, churn=WEEK, signed_up=dates)
    # a's first renewal seen is that of the third term: it is watched from the fourth, and leaves at the fifth.
    assert found.table[COLUMNS].values.tolist() == [["a", 1, 3, 5, True], ["b", 1, 3, 4, True]]
    assert dict(found.left_out.values) == {"churn.not_seen_at_entry": 1}
    assert tenures(log, churn=WEEK, signed_up=dates, late_entry=False).table.empty


def test_who_signed_up_and_never_paid_is_gone_after_one_term():
    log = make_log([("a", "pay", 7)], observed_until=30).between(None)
    dates = {"a": stamp(7), "z": stamp(10), "y": stamp(28)}
    found = tenures(log, churn=WEEK, signed_up=dates)
    assert found.table[COLUMNS].values.tolist() == [["a", 1, 0, 1, True], ["z", 1, 0, 1, True]]
    assert dict(found.left_out.values) == {"churn.no_decision_yet": 1}


def slow(mine, last, length, grace, every):
    """Terms of one customer: (first day, terms, ended, day back) of each contract, decision by decision."""
    begin = next((i for i, (name, _) in enumerate(mine) if name == "A"), None)
    found = []
    while begin is not None and mine[begin][1] <= last:
        start = mine[begin][1]
        paid = sorted({day for name, day in mine[begin + 1 :] if name == "B" and start < day <= last})
        k = 0
        while True:
            decided = start + (k + 1) * length + grace
            if decided > last:
                found.append((start, k, False, None))
                return found
            if k < len(paid) and paid[k] <= decided:
                k += 1
                continue
            later = [i for i, (name, day) in enumerate(mine) if name in "AB" and decided < day <= last and i > begin]
            found.append((start, k + 1, True, mine[later[0]][1] if later else None))
            begin = later[0] if later and every else None
            break
    return found


@given(rows=event_rows(touchpoints=("A", "B", "C"), max_time=60), length=st.integers(2, 12), grace=st.integers(0, 1),
       until=st.sampled_from([61, 70]), spells=st.sampled_from(["every", "first"]))  # fmt: skip
def test_contracts_are_those_of_a_slow_walk_from_decision_to_decision(rows, length, grace, until, spells):
    log = make_log(rows, observed_until=until)
    churn = Contract(period=f"{length}d", renewal=Step("B"), grace=f"{grace}d" if grace else None, spells=spells)
    found = tenures(log, churn=churn, start=Step("A"))
    expected = []
    for customer in sorted({row[0] for row in rows}):
        mine = [(name, day) for who, name, day in sorted(rows, key=lambda row: row[2]) if who == customer]
        for begin, terms, ended, back in slow(mine, until - 1, length, grace, spells == "every"):
            if terms:
                expected.append((customer, stamp(begin), terms, ended, back is not None))
    columns = ["customer", "started_at", "duration_terms", "event", "came_back"]
    assert list(found.table[columns].itertuples(index=False, name=None)) == expected


@settings(max_examples=20)
@given(rows=event_rows(touchpoints=("A", "B"), max_time=60), cut=st.integers(1, 80), grace=st.integers(0, 2))
def test_cutting_the_log_changes_no_decision_made_before(rows, cut, grace):
    if cut <= min(row[2] for row in rows):
        return
    churn = Contract(period="5d", renewal=Step("B"), grace=f"{grace}d" if grace else None)
    log = make_log(rows, observed_until=90)
    whole, early = (tenures(each, churn=churn, start=Step("A")).table for each in (log, log.between(None, stamp(cut))))
    decided = whole["started_at"] + pd.to_timedelta(5 * whole["duration_terms"] + grace, unit="D")
    over = whole[whole["event"] & (decided < stamp(cut))]
    keys = ["customer", "spell"]
    gone = early[early["event"]]
    assert gone[COLUMNS].values.tolist() == over[COLUMNS].values.tolist()
    watched = early[~early["event"]].merge(whole, on=keys)
    assert (watched["duration_terms_x"] <= watched["duration_terms_y"]).all()


@settings(max_examples=10)
@given(rows=event_rows(touchpoints=("A", "B"), max_time=60), shift=st.integers(0, 900))
def test_shifting_by_days_and_cutting_into_buckets_change_nothing(rows, shift):
    rows = [("z", "A", 0), ("z", "B", 5), *rows]
    options = {"churn": Contract(period="5d", renewal="B"), "start": "A"}
    plain = make_log(rows, observed_until=90)
    moved = make_log([(who, name, day + shift) for who, name, day in rows], observed_until=90 + shift)
    first, second, third = (tenures(log, **options) for log in (plain, moved, plain.in_buckets(7)))
    pd.testing.assert_frame_equal(first.table[COLUMNS], second.table[COLUMNS])
    pd.testing.assert_frame_equal(first.table, third.table)
    one, seven = survival_curve(plain, **options), survival_curve(plain.in_buckets(7), **options)
    pd.testing.assert_frame_equal(one.table, seven.table)
    pd.testing.assert_frame_equal(one.summary, seven.summary)


def test_the_curve_says_the_renewal_rate_of_each_term():
    rng = np.random.default_rng(1)
    rows = []
    for i in range(3000):
        start = int(rng.integers(0, 60))
        rows.append((f"c{i}", "join", start))
        for term in range(1, 10):
            if rng.random() < (0.3 if term == 1 else 0.1):
                break
            rows.append((f"c{i}", "pay", start + 7 * term))
    log = make_log(rows, observed_until=90)
    curve = survival_curve(log, churn=WEEK, start="join")
    rates = (curve.table["events"] / curve.table["at_risk"].where(curve.table["at_risk"] > 0)).to_numpy()
    assert curve.unit == "terms"
    assert curve.table["time_terms"].tolist()[1:4] == [1, 2, 3]
    assert rates[1] == pytest.approx(0.3, abs=0.03)
    assert rates[2] == pytest.approx(0.1, abs=0.03)
    assert curve.at(1)["survival"].iloc[0] == pytest.approx(0.7, abs=0.03)
    renewals = curve.renewals()
    assert renewals["term"].tolist() == curve.table["time_terms"].tolist()[1:]
    assert renewals["renewal_rate"].tolist() == pytest.approx((1 - rates[1:]).tolist())
    low, high = wilson(renewals["renewed"], renewals["decided"])
    once = survival_curve(log, churn=replace(WEEK, spells="first"), start="join").renewals()
    assert once["renewal_rate_low"].tolist() == pytest.approx(low.tolist())
    assert once["renewal_rate_high"].tolist() == pytest.approx(high.tolist())
    hazard = curve.hazard(1)
    assert hazard["hazard"].tolist()[:2] == pytest.approx(rates[1:3].tolist())
    assert curve.customers(2).size == curve.table["events"].iloc[2]


@pytest.mark.parametrize("code", ["en", "he"])
def test_a_contract_speaks_of_terms(code):
    rows = [(f"c{i}", "join", i % 20, "xy"[i % 2]) for i in range(40)]
    rows += [(f"c{i}", "pay", i % 20 + 7 * k, "xy"[i % 2]) for i in range(40) for k in range(1, 1 + i % 4)]
    log = make_log(rows, columns=["p"], observed_until=60)
    for by in (None, "p"):
        found = survival_curve(log, churn=WEEK, start="join", by=by)
        with language(code):
            assert "term" in found.describe() or code == "he"
            assert found.describe()
            assert "<table" in found._repr_html_()
            found.figure()
        for frame in (
            found.table,
            found.summary,
            found.comparison,
            found.given(1, 2),
            found.hazard(1),
            found.renewals(),
        ):
            assert [name for name in frame if not has_label(name, language=code)] == []
        assert set(found.metrics()["unit"]) >= {"terms"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dated": "last_activity"}, "a term has a day of its own"),
        ({"activity": "pay"}, "activity is not for Contract"),
        ({"covariates": ["pay"], "covariate_window": "3d"}, "covariate_window is not for Contract"),
        ({"start": None}, "needs to know when a tenure starts"),
        ({"start": None, "signed_up": {"a": "2024-01-01"}, "churn": Contract()}, "needs to know what renews"),
    ],
)
def test_what_contradicts_itself_is_refused(options, says):
    log = make_log([("a", "join", 0), ("a", "pay", 3)], observed_until=30)
    with pytest.raises(ParameterError, match=says):
        tenures(log, **{"churn": WEEK, "start": "join"} | options)


@pytest.mark.parametrize("options", [{"period": "36h"}, {"period": "fortnight"}, {"period": "7d", "grace": "7d"}])
def test_terms_must_be_days_and_longer_than_their_grace(options):
    with pytest.raises(ParameterError):
        Contract(**options)


def test_a_segment_that_becomes_known_within_a_term_can_not_split_it():
    rows = [("a", "join", 0), ("a", "help", 3), ("b", "join", 0)]
    log = make_log(rows, observed_until=30).with_segment("helped", did="help", within="4d")
    with pytest.raises(ParameterError, match="known within one"):
        tenures(log, churn=Contract(period="7d"), start="join", by="helped")


def test_a_term_that_all_renew_has_its_row():
    rows = [(f"c{i}", what, day) for i in range(10) for what, day in [("join", 0), ("pay", 7), ("pay", 14)]]
    rows += [(f"c{i}", "pay", 21) for i in range(6)] + [(f"c{i}", "pay", 28) for i in range(6)]
    renewals = survival_curve(make_log(rows, observed_until=90), churn=WEEK, start="join").renewals()
    assert renewals["term"].tolist() == [1, 2, 3, 4, 5]
    assert renewals["decided"].tolist() == [10, 10, 10, 6, 6]
    assert renewals["renewed"].tolist() == [10, 10, 6, 6, 0]


def test_a_covariate_of_a_contract_keeps_its_name():
    log = make_log(
        [("a", "join", 0, 14), ("b", "join", 0, 30), ("b", "pay", 7, 30)], columns=["trial_days"], observed_until=40
    )
    found = tenures(log, churn=WEEK, start="join", covariates=["trial_days"])
    assert found.table[list(found.covariates)].values.tolist() == [[14], [30]]


def test_days_are_not_taken_for_terms():
    log = make_log([("a", "join", 0), ("a", "pay", 7), ("b", "join", 0)], observed_until=40)
    curve = survival_curve(log, churn=WEEK, start="join")
    for ask in (lambda: curve.at("7d"), lambda: curve.given(1, "14d"), lambda: curve.hazard("7d")):
        with pytest.raises(ParameterError, match="counted in terms"):
            ask()
    with pytest.raises(ParameterError, match="counted in terms"):
        survival_curve(log, churn=WEEK, start="join", horizon="30d")
    assert curve.at(1)["survival"].tolist() == [0.5]


def test_renewals_of_one_customer_are_taken_together():
    rows = []
    for i in range(40):  # each customer either always renews the first term of its spells, or never does
        for spell in range(4):
            rows.append((f"c{i:02}", "join", 30 * spell))
            if i % 2:
                rows.append((f"c{i:02}", "pay", 30 * spell + 7))
    every = survival_curve(make_log(rows, observed_until=140), churn=WEEK, start="join").renewals().iloc[0]
    low, high = wilson(20, 40)  # as good as 40 decisions, though there are 160
    assert (every["decided"], every["renewed"]) == (160, 80)
    assert (every["renewal_rate_low"], every["renewal_rate_high"]) == pytest.approx((low, high), abs=1e-6)


def test_renewals_are_those_of_a_contract():
    with pytest.raises(ParameterError, match="those of a Contract"):
        survival_curve(make_log([("a", "visit", 0), ("b", "visit", 3)], observed_until=200)).renewals()


@settings(max_examples=40)
@given(start=st.integers(15_000, 20_000), term=st.integers(1, 40), period=st.sampled_from(["month", "quarter", "year"]))
def test_terms_of_the_calendar_are_those_of_pandas(start, term, period):
    rule = Contract(period=period)
    calendar = Calendar.over(rule, 15_000, 36_000)
    expected = pd.Timestamp(start, unit="D") + pd.DateOffset(months=term * rule.months)
    day = (expected - pd.Timestamp(0)).days
    if day <= 36_000:
        found = due(start, term * rule.months, 0, calendar.month_of, calendar.month_first, calendar.base)
        assert found == day
    assert term_ends(rule, np.array([start]), term).tolist() == [day]
