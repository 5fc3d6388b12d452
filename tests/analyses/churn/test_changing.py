"""Covariates that change: rows within which they are constant, and that know nothing before its day."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import journeykit as jk
from journeykit.analyses.churn import Cancel, Contract, Inactivity, Tenures, survival_curve, tenures
from journeykit.errors import LogError, ParameterError
from journeykit.journey import Step
from tests.helpers import ORIGIN, event_rows, make_log

ROWS = [
    ("a", "join", 0, "basic"), ("a", "help", 3, None), ("a", "help", 3.5, "plus"), ("a", "help", 7, None),
    ("a", "leave", 10, None), ("b", "join", 2, None), ("b", "help", 60, "basic"),
]  # fmt: skip
LOG = make_log(ROWS, columns=["plan"], observed_until=31)
LEAVE = Cancel("leave")
AGES = ["customer", "enters_days", "duration_days", "event"]


def test_a_change_is_in_force_from_the_day_after():
    found = tenures(LOG, churn=LEAVE, start="join", changing={"asked": "help", "ever": ("ever", "help"), "now": "plan"})
    assert found.table[[*AGES, "asked", "ever", "now"]].values.tolist() == [
        ["a", -1, 3, False, 0, 0, "basic"],  # both calls of day 3, and the plan, are known from day 4 on
        ["a", 3, 7, False, 2, 1, "plus"],
        ["a", 7, 10, True, 3, 1, "plus"],
        ["b", -1, 28, False, 0, 0, "(missing)"],
    ]
    assert found.changing
    assert found.covariates == ("asked", "ever", "now")
    assert found.summary[["customers", "events", "censored"]].values.tolist() == [[2, 1, 1]]
    whole = found.whole()
    assert whole.table[AGES].values.tolist() == [["a", -1, 10, True], ["b", -1, 28, False]]
    assert whole.table["came_back"].tolist() == [False, False]


def test_an_end_is_not_told_by_what_came_with_it():
    rows = [("a", "join", 0), ("a", "help", 10), ("a", "leave", 10)]
    found = tenures(make_log(rows, observed_until=31), churn=LEAVE, start="join", changing="help")
    assert found.table[[*AGES, "help"]].values.tolist() == [["a", -1, 10, True, 0]]


def test_under_inactivity_a_change_waits_as_long_as_the_silence():
    log = make_log([("a", "visit", 0), ("a", "order", 4), ("a", "visit", 9), ("b", "visit", 0)], observed_until=31)
    known = tenures(log, churn=Inactivity("5d"), changing="order").table
    assert known[[*AGES, "order"]].values.tolist() == [
        ["a", 0, 9, False, 0], ["a", 9, 14, True, 1], ["b", 0, 5, True, 0]
    ]  # fmt: skip
    back = tenures(log, churn=Inactivity("5d"), changing="order", dated="last_activity").table
    assert back[[*AGES, "order"]].values.tolist() == [
        ["a", -1, 4, False, 0], ["a", 4, 9, True, 1], ["b", -1, 0, True, 0]
    ]  # fmt: skip


@given(
    rows=event_rows(max_time=40),
    rule=st.sampled_from(["cancel", "inactivity"]),
    dated=st.sampled_from(["known", "last_activity"]),
)
def test_rows_are_those_of_a_slow_count_day_by_day(rows, rule, dated):
    rows = [(*row, (None, "x", "y")[i % 3]) for i, row in enumerate(rows)]
    log = make_log(rows, columns=["p"], observed_until=45)
    churn = Cancel(Step("B")) if rule == "cancel" else Inactivity("6d")
    dated = "known" if rule == "cancel" else dated
    found = tenures(
        log, churn=churn, start=Step("A"), dated=dated,
        changing={"n": Step("C"), "ever": ("ever", Step("D")), "p": ("last", "p")},
    )  # fmt: skip
    plain = tenures(log, churn=churn, start=Step("A"), dated=dated)
    pd.testing.assert_frame_equal(found.whole().table[plain.table.columns], plain.table)
    pd.testing.assert_frame_equal(found.left_out, plain.left_out)
    wait = 6 if rule == "inactivity" and dated == "known" else 0
    for row in found.table.to_dict("records"):
        begin = (row["started_at"] - ORIGIN).days
        mine = [each for each in sorted(rows, key=lambda each: each[2]) if each[0] == row["customer"]]
        at = next(i for i, each in enumerate(mine) if each[1] == "A" and each[2] == begin)
        if rule == "cancel" and row["spell"] > 1:  # a start on the day of the end before it is not the spell's
            ended = [i for i, each in enumerate(mine) if each[1] == "B" and each[2] <= begin]
            at = next(i for i, each in enumerate(mine) if each[1] == "A" and each[2] == begin and i > min(ended))
            if sum(each[1] == "A" and each[2] == begin for each in mine) > 1:
                continue
        for age in range(row["enters_days"] + 1, row["duration_days"] + 1):
            past = [mine[at], *(each for each in mine[at + 1 :] if each[2] - begin + wait < age)]
            assert row["n"] == sum(each[1] == "C" for each in past)
            assert row["ever"] == any(each[1] == "D" for each in past)
            assert row["p"] == next((each[3] for each in reversed(past) if each[3]), "(missing)")
    same = found.table["customer"].eq(found.table["customer"].shift())
    gone = found.table["event"].shift(fill_value=False)
    follows = same & ~gone
    assert (found.table["enters_days"] == found.table["duration_days"].shift())[follows].all()
    values = found.table[["n", "ever", "p"]].astype(str)
    assert not (values.eq(values.shift()).all(axis=1) & follows).any()  # no row without a change


@given(rows=event_rows(max_time=40), cut=st.integers(5, 44))
def test_no_row_knows_what_comes_after_it(rows, cut):
    """Cutting the log leaves every row that was over as it is."""
    if cut <= min(row[2] for row in rows):
        return
    options = {"churn": Cancel(Step("B")), "start": Step("A"), "changing": {"n": Step("C")}}
    log = make_log(rows, observed_until=45)
    whole = tenures(log, **options).table
    early = tenures(log.between(None, ORIGIN + pd.Timedelta(cut, "D")), **options).table
    columns = ["customer", "spell", "enters_days", "n"]
    key = early[columns].apply(tuple, axis=1).tolist()
    assert set(key) <= set(whole[columns].apply(tuple, axis=1))


def test_changing_goes_with_what_is_fixed_and_with_a_window():
    found = tenures(
        LOG, churn=LEAVE, start="join", covariates={"plan": "plan", "early": jk.Step("help")}, covariate_window="5d",
        changing={"asked": "help"},
    )  # fmt: skip
    columns = [*AGES, "plan", "early", "asked"]
    assert found.table[columns].values.tolist() == [
        ["a", 5, 7, False, "basic", 2, 2], ["a", 7, 10, True, "basic", 2, 3], ["b", 5, 28, False, "(missing)", 0, 0]
    ]  # fmt: skip


def test_who_started_before_the_log_has_no_history_but_has_a_last_value():
    log = make_log([("a", "visit", 9, "x"), ("a", "leave", 20, "y")], columns=["p"], observed_until=31)
    dates = {"a": "2023-12-01"}
    counted = tenures(log, churn=LEAVE, signed_up=dates, changing="visit")
    assert dict(counted.left_out.values) == {"churn.history_not_observed": 1}
    last = tenures(log, churn=LEAVE, signed_up=dates, changing="p").table
    assert last[[*AGES, "p"]].values.tolist() == [["a", 40, 51, True, "x"]]


def test_a_curve_of_rows_is_the_curve_of_tenures():
    rng = np.random.default_rng(3)
    days = {"join": (0, 40), "help": (0, 90), "leave": (30, 150)}
    rows = [(f"c{i}", name, int(rng.integers(*among))) for i in range(60) for name, among in days.items()]
    log = make_log(rows, observed_until=120)
    plain = survival_curve(tenures(log, churn=LEAVE, start="join"))
    cut = survival_curve(tenures(log, churn=LEAVE, start="join", changing="help"))
    pd.testing.assert_frame_equal(plain.table, cut.table)
    pd.testing.assert_frame_equal(plain.summary, cut.summary)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"changing": pd.Series([1], index=["a"])}, "without times"),
        ({"changing": {"x": pd.Series([1], index=["a"])}}, "without times"),
        ({"changing": {"x": lambda log: 1}}, "without times"),
        ({"changing": {"x": ("mean", "help")}}, "must be one of"),
        ({"changing": {"x": ("count", "help", 3)}}, "or \\(how, what\\)"),
        ({"changing": {"event": "help"}}, "can't be called 'event'"),
        ({"changing": {"plan": "plan"}, "covariates": ["plan"]}, "can't be called 'plan'"),
        ({"changing": ["help", "help"]}, "same name"),
        ({"changing": ["customer"]}, "no covariate"),
        ({"changing": 7}, "names of columns and events"),
        ({"changing": ["helf"]}, "helf"),
        ({"changing": "help", "churn": Contract(renewal="help")}, "ages in days"),
    ],
)
def test_what_can_not_be_known_is_refused(options, says):
    with pytest.raises(ParameterError, match=says):
        tenures(LOG, **{"churn": LEAVE, "start": "join"} | options)


# -- from elsewhere --------------------------------------------------------------------------


def test_rows_from_elsewhere_are_put_in_order_and_checked():
    made = Tenures.from_durations(
        [30, 10, 5], [True, False, False], [10, 0, 0], customers=["a", "a", "b"],
        covariates={"n": [1, 0, 0], "kind": ["x", None, "y"], "yes": [True, False, True]},
    )  # fmt: skip
    assert made.table[["customer", "enters_days", "duration_days", "event", "n", "kind", "yes"]].values.tolist() == [
        ["a", 0, 10, False, 0, "(missing)", 0], ["a", 10, 30, True, 1, "x", 1], ["b", 0, 5, False, 0, "y", 1]
    ]  # fmt: skip
    assert made.changing
    assert made.summary["customers"].tolist() == [2]
    spells = Tenures.from_durations([9, 8], [1, 0], customers=["a", "a"], spells=[1, 2])
    assert not spells.changing


@pytest.mark.parametrize(
    ("arrays", "more", "says"),
    [
        (([10, 30], [0, 1], [0, 9]), {}, "rows of customer 'a' overlap"),
        (([10, 30], [1, 1], [0, 10]), {}, "rows of customer 'a' follow an end"),
        (([10, 30], [0, 1], [0, 10]), {"covariates": {"n": [1]}}, "same length"),
        (([10, 30], [0, 1], [0, 10]), {"covariates": {"event": [1, 2]}}, "can't be called"),
        (([10, 30], [0, 1], [0, 10]), {"covariates": [1, 2]}, "DataFrame or a mapping"),
    ],
)
def test_rows_that_can_not_be_are_refused(arrays, more, says):
    with pytest.raises(ParameterError, match=says):
        Tenures.from_durations(*arrays, customers=["a", "a"], **more)


def test_personal_columns_do_not_change_rows():
    with pytest.raises(LogError, match="personal"):
        tenures(LOG.with_personal("plan"), churn=LEAVE, start="join", changing="plan")
