"""Contracts whose terms differ in length: a column of what starts or renews says how long each is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.analyses.churn import Contract, churn_model, survival_curve, tenures
from journeykit.errors import ParameterError
from journeykit.journey import Step
from tests.helpers import ORIGIN, make_log

PLANS = {"weekly": "7d", "monthly": "month", "yearly": "year"}
RULE = Contract(period={"plan": PLANS}, renewal="pay")
COLUMNS = ["customer", "spell", "duration_terms", "event"]


def logged(rows, until):
    return make_log(rows, columns=["plan"], observed_until=until)


def of(rows, until, churn=RULE, **options):
    found = tenures(logged(rows, until), churn=churn, **{"start": "join"} | options)
    return found.table[COLUMNS].values.tolist(), dict(found.left_out.values)


def stamp(day):
    return ORIGIN + pd.Timedelta(day, "D")


def test_each_plan_has_terms_of_its_own_length():
    # The log begins on January 1, 2024: a month ends on day 31, a year on day 366.
    rows = [("w", "join", 0, "weekly"), ("w", "pay", 7, "weekly"), ("m", "join", 0, "monthly"),
            ("m", "pay", 31, "monthly"), ("y", "join", 0, "yearly")]  # fmt: skip
    assert of(rows, 61)[0] == [["m", 1, 2, True], ["w", 1, 2, True]]  # February ends on day 60
    assert of(rows, 60)[0] == [["m", 1, 1, False], ["w", 1, 2, True]]
    assert of(rows, 60)[1] == {"churn.no_decision_yet": 1}
    assert of(rows, 367)[0][2] == ["y", 1, 1, True]


def test_a_renewal_says_how_long_the_term_is_that_it_pays_for():
    # A week, a week, and then, paid on day 14, a month: from January 15 to February 15, day 45.
    rows = [("a", "join", 0, "weekly"), ("a", "pay", 7, "weekly"), ("a", "pay", 14, "monthly")]
    assert of(rows, 45)[0] == [["a", 1, 2, False]]
    assert of(rows, 46)[0] == [["a", 1, 3, True]]
    # Paid ahead, the month still begins when the term before it is over.
    ahead = [("a", "join", 0, "weekly"), ("a", "pay", 1, "monthly"), ("a", "pay", 38, "weekly")]
    assert of(ahead, 45)[0] == [["a", 1, 2, False]]  # a week, a month (day 31 + 7), a week: day 45
    assert of(ahead, 46)[0] == [["a", 1, 3, True]]


def test_months_that_follow_each_other_keep_the_day_of_the_start():
    # From January 31 to February 29 and, a month later still, March 31: days 30, 59 and 90.
    rows = [("a", "join", 30, "monthly"), ("a", "pay", 59, None), ("a", "pay", 90, "monthly")]
    assert of(rows, 120)[0] == [["a", 1, 2, False]]
    assert of(rows, 121)[0] == [["a", 1, 3, True]]  # April 30


def test_a_renewal_without_a_value_is_for_as_long_as_the_term_before():
    rows = [("a", "join", 0, "weekly"), ("a", "pay", 7, None), ("a", "pay", 14, None)]
    assert of(rows, 30)[0] == [["a", 1, 3, True]]


def test_nothing_is_said_of_what_a_value_without_a_length_pays_for():
    rows = [("a", "join", 0, "weekly"), ("a", "pay", 5, "lifetime"), ("b", "join", 0, "lifetime")]
    rows += [
        ("c", "join", 0, None),
        ("d", "join", 0, "weekly"),
        ("d", "join", 20, "lifetime"),
        ("d", "pay", 27, "weekly"),
    ]
    # a renewed the first term, and the decision counts once its day has come; d left, and came back for who knows.
    assert of(rows, 30) == ([["a", 1, 1, False], ["d", 1, 1, True]], {"churn.unknown_period": 3})
    assert of(rows, 7)[0] == []
    found = tenures(logged(rows, 30), churn=RULE, start="join").table
    assert found["came_back"].tolist() == [False, True]


def test_with_sign_ups_the_length_stands_on_the_first_day():
    rows = [("a", "join", 3, "weekly"), ("a", "pay", 10, "weekly"), ("b", "pay", 12, "weekly")]
    dates = {"a": stamp(3), "b": stamp(5), "z": stamp(4)}  # b did nothing on its first day, z never
    table, out = of(rows, 40, start=None, signed_up=dates)
    assert table == [["a", 1, 2, True]]
    assert out == {"churn.unknown_period": 2}
    before = {"a": stamp(-30), "b": stamp(5)}
    assert of(rows, 40, start=None, signed_up=before)[1] == {"churn.started_before": 1, "churn.unknown_period": 1}
    with pytest.raises(ParameterError, match="those before the log can't be counted"):
        of(rows, 40, start=None, signed_up=before, late_entry=True)


LENGTHS = {"p": (0, 5), "q": (1, 0), "r": (0, 12)}


def slow(mine, last, grace, every):
    """Terms of one customer: (first day, terms, ended, came back) of each contract, decision by decision."""
    begin = next((i for i, (name, _, _) in enumerate(mine) if name == "A"), None)
    if begin is None or mine[begin][1] > last:
        return []
    found = []
    while begin is not None:
        _, start, plan = mine[begin]
        if plan not in LENGTHS:
            return found
        pays = {}
        for name, day, which in mine[begin + 1 :]:
            if name == "B" and start < day <= last:
                pays.setdefault(day, which)
        pays, term, months, days = sorted(pays.items()), 0, 0, 0
        while True:
            months, days = months + LENGTHS[plan][0], days + LENGTHS[plan][1]
            end = stamp(start) + pd.DateOffset(months=months) + pd.Timedelta(days + grace, "D")
            decided = (end - ORIGIN).days
            if decided > last:
                return [*found, (start, term, False, False)]
            if term < len(pays) and pays[term][0] <= decided:
                plan = plan if pays[term][1] is None else pays[term][1]
                term += 1
                if plan not in LENGTHS:
                    return [*found, (start, term, False, False)]
                continue
            later = [i for i, (name, day, _) in enumerate(mine) if name in "AB" and decided < day <= last and i > begin]
            found.append((start, term + 1, True, bool(later)))
            begin = later[0] if later and every else None
            break
    return found


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from("ABBC"), st.integers(0, 90), st.sampled_from(["p", "q", "r", None, "x"])
    ),
    min_size=1,
    max_size=40,
)
MIXED = {"plan": {"p": "5d", "q": "month", "r": "12d"}}


def rule(grace, spells="every"):
    return Contract(period=MIXED, renewal=Step("B"), grace=f"{grace}d" if grace else None, spells=spells)


@settings(max_examples=200)
@given(rows=EVENTS, grace=st.integers(0, 3), until=st.sampled_from([60, 91, 140]),
       spells=st.sampled_from(["every", "first"]))  # fmt: skip
def test_contracts_are_those_of_a_slow_walk_from_decision_to_decision(rows, grace, until, spells):
    rows = [*[row for row in rows if row[2] < until], ("z", "A", 0, "p")]
    found = tenures(logged(rows, until), churn=rule(grace, spells), start=Step("A"))
    expected = []
    for customer in sorted({row[0] for row in rows}):
        mine = [row[1:] for row in sorted(rows, key=lambda row: row[2]) if row[0] == customer]
        for begin, terms, ended, back in slow(mine, until - 1, grace, spells == "every"):
            if terms:
                expected.append((customer, stamp(begin), terms, ended, back))
    columns = ["customer", "started_at", "duration_terms", "event", "came_back"]
    assert list(found.table[columns].itertuples(index=False, name=None)) == expected


@settings(max_examples=60)
@given(rows=EVENTS, cut=st.integers(1, 130), grace=st.integers(0, 2))
def test_cutting_the_log_changes_no_decision_made_before(rows, cut, grace):
    rows = [*rows, ("z", "A", 0, "p")]
    log = logged(rows, 140)
    whole, early = (
        tenures(each, churn=rule(grace), start=Step("A")).table for each in (log, log.between(None, stamp(cut)))
    )
    both = whole.merge(early, on=["customer", "spell"], how="right", suffixes=("", "_early"), validate="1:1")
    assert both["duration_terms"].notna().all()
    gone = both["event_early"]
    assert both.loc[gone, "event"].all()
    assert (both.loc[gone, "duration_terms"] == both.loc[gone, "duration_terms_early"]).all()
    # Who was still there had not yet decided, or renewed, whatever comes after the cut.
    there = both[~gone]
    assert (there["duration_terms_early"] <= there["duration_terms"]).all()
    assert (there["duration_terms_early"] < there["duration_terms"])[there["event"].astype(bool)].all()
    # And who left before the cut left in the shorter log too.
    ends = {
        (customer, begin): (terms, day)
        for customer in "abcz"
        for begin, terms, day in ends_of(
            [row[1:] for row in sorted(rows, key=lambda r: r[2]) if row[0] == customer], grace
        )
    }
    decided = [
        ends[row.customer, (row.started_at - ORIGIN.tz_localize(None)).days][1] < cut
        for row in whole[whole["event"]].itertuples()
    ]
    over = whole[whole["event"]][decided]
    assert early.loc[early["event"], COLUMNS].values.tolist() == over[COLUMNS].values.tolist()


def ends_of(mine, grace):
    """(first day, terms, day of the decision) of each contract that ended, by asking on every day."""
    found = {}
    for last in range(140):
        for begin, terms, ended, _ in slow(mine, last, grace, True):
            if ended:
                found.setdefault((begin, terms), last)
    return [(begin, terms, day) for (begin, terms), day in found.items()]


@settings(max_examples=8)
@given(rows=EVENTS)
def test_in_one_piece_is_in_seven_buckets(rows):
    log = logged([*rows, ("z", "A", 0, "p"), ("y", "A", 1, "q")], 140)
    options = {"churn": rule(1), "start": Step("A")}
    whole, merged = (tenures(each, **options) for each in (log, log.in_buckets(7)))
    pd.testing.assert_frame_equal(whole.table, merged.table)
    pd.testing.assert_frame_equal(whole.left_out, merged.left_out)
    one, seven = (survival_curve(each, by="plan", **options) for each in (log, log.in_buckets(7)))
    pd.testing.assert_frame_equal(one.table, seven.table)


def two_plans(n=3000):
    """Monthly contracts of which a fifth is not renewed, and yearly ones of which a half is not."""
    rng, rows = np.random.default_rng(4), []
    for i in range(n):
        plan, days, leave = ("monthly", 30, 0.2) if i % 2 else ("yearly", 360, 0.5)
        start = int(rng.integers(0, 100))
        rows.append((f"c{i:04d}", "join", start, plan))
        for term in range(1, 1 + 700 // days):
            if rng.random() < leave:
                break
            rows.append((f"c{i:04d}", "pay", start + term * days, plan))
    return logged(rows, 700)


def test_the_table_of_terms_tells_the_plans_apart():
    churn = Contract(period={"plan": {"monthly": "30d", "yearly": "360d"}}, renewal="pay")
    log = two_plans()
    curve = survival_curve(log, churn=churn, start="join", by="plan")
    renewals = curve.renewals().set_index(["segment", "term"])
    for plan, days, stay in (("monthly", "30d", 0.8), ("yearly", "360d", 0.5)):
        alone = log.customers_where(log.column("plan").groupby(log.customer_codes).first().to_numpy() == plan)
        expected = survival_curve(alone, churn=Contract(period=days, renewal="pay"), start="join").renewals()
        mine = renewals.loc[plan]
        np.testing.assert_array_equal(mine["decided"], expected["decided"])
        np.testing.assert_array_equal(mine["renewed"], expected["renewed"])
        assert mine["renewal_rate"].iloc[0] == pytest.approx(stay, abs=0.04)
    assert curve.params["period"] == "plan_monthly_30d_yearly_360d"
    assert curve.describe()


def test_a_model_of_plans_is_kept_and_read_again(tmp_path):
    from journeykit.analyses.churn import ChurnModel

    churn = Contract(period={"plan": {"monthly": "30d", "yearly": "360d"}}, renewal="pay")
    model = churn_model(tenures(two_plans(600), churn=churn, start="join", covariates=["plan"]))
    model.save(tmp_path / "model.json")
    again = ChurnModel.load(tmp_path / "model.json")
    assert again.query.churn == churn
    pd.testing.assert_frame_equal(again.table, model.table)


@pytest.mark.parametrize(
    "period",
    [{}, {"plan": "month"}, {"plan": {}}, {"plan": {"m": "month"}, "kind": {"m": "month"}}, {"plan": {"m": "36h"}}],
)
def test_lengths_are_those_of_one_column(period):
    with pytest.raises(ParameterError):
        Contract(period=period)


def test_grace_is_shorter_than_every_length():
    with pytest.raises(ParameterError, match="grace must be shorter than the period"):
        Contract(period={"plan": {"monthly": "month", "weekly": "week"}}, grace="7d")


def test_the_column_must_be_one_of_what_happens():
    log = logged([("a", "join", 0, "weekly"), ("a", "help", 3, None)], 30)
    with pytest.raises(ParameterError, match="is a segment of customers"):
        tenures(log.with_segment("helped", did="help", within="4d"), churn=Contract({"helped": PLANS}), start="join")
    with pytest.raises(ValueError, match="kind"):
        tenures(log, churn=Contract({"kind": PLANS}), start="join")
