"""Logs and questions at the edge: every answer is said in words, in both languages, or refused with a reason."""

import pickle

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.analyses.churn import Cancel, Inactivity, Tenures, churn_threshold, survival_curve, tenures
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.proportions import wilson
from journeykit.text import language
from tests.helpers import make_log

approx = pytest.approx
MONTH = Inactivity("30d")

LOGS = {
    "one customer who left": make_log([("a", "visit", 0)], observed_until=200),
    "one customer still there": make_log([("a", "visit", 0)], observed_until=20),
    "all on one day": make_log([("a", "visit", 0), ("b", "visit", 0)], observed_until=100),
    "observed until inside a day": make_log([("a", "visit", 0), ("b", "visit", 9.2)], observed_until=9.5),
    "all on the last day": make_log([("a", "visit", 9), ("b", "visit", 9)], observed_until=10),
}
QUESTIONS = {
    "curve": lambda log: survival_curve(log, churn=MONTH),
    "by": lambda log: survival_curve(log, churn=MONTH, by="touchpoint"),
    "tenures": lambda log: tenures(log, churn=MONTH),
    "threshold": lambda log: churn_threshold(log, horizon="10d"),
    "cancel": lambda log: survival_curve(log, churn=Cancel(jk.Step("bye"), other=[jk.Step("moved")]), start="visit"),
}


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_small_logs_are_answered_in_words_or_refused_with_a_reason(log, question):
    if log == "all on the last day" and question in ("curve", "by", "threshold"):
        with pytest.raises(ParameterError, match=r"nobody .*: 2 ended, or observation did, before any day"):
            QUESTIONS[question](LOGS[log])
        return
    found = QUESTIONS[question](LOGS[log])
    for code in ("en", "he"):
        with language(code):
            said = found.describe() + found._repr_html_()
            assert "nan" not in said
            assert "overall" not in said
    found.figure().canvas.draw()
    found.metrics()
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(found)).table, found.table)


def test_no_interval_is_of_no_width_before_the_first_end():
    # Nobody of two came back in 69 days: Wilson's interval for 0 of 2. At first it was read off the row of the entry.
    found = survival_curve(LOGS["all on one day"], churn=MONTH)
    rate = found.summary[["comeback_rate", "comeback_rate_low", "comeback_rate_high"]].to_numpy()[0]
    assert rate == approx([0, 0, wilson(0, 2)[1]])
    early = found.at("29d")
    assert early[["survival", "survival_low", "survival_high"]].to_numpy()[0] == approx([1, wilson(2, 2)[0], 1])
    # Ages 0 < t ≤ 5 are watched in four, later ones in three.
    curve = survival_curve(Tenures.from_durations([5, 9, 10, 11], [0, 0, 1, 1])).at(3, 7, 9, 9.5)
    assert curve["survival_low"].to_numpy() == approx([wilson(n, n)[0] for n in (4, 3, 3, 2)])


def test_one_customer_is_not_half_of_one():
    assert (
        survival_curve(LOGS["one customer who left"], churn=MONTH)
        .describe()
        .startswith("The one customer is gone after 30 days")
    )
    assert (
        "p-value" not in survival_curve(Tenures.from_durations([1, 1], [1, 1], segments=["x", "y"])).describe()
    )  # where there is none


def test_a_log_without_customers_has_tenures_but_no_curve():
    empty = LOGS["all on one day"].customers_where(np.zeros(2, bool))
    assert tenures(empty, churn=MONTH).table.empty
    assert tenures(empty, churn=MONTH, by="touchpoint").describe().startswith("0 customers")
    for question in (survival_curve, churn_threshold):
        with pytest.raises(ParameterError, match="the log has no customers"):
            question(empty)


def test_days_of_a_zone_with_summer_time_are_dates():
    # Berlin: 2024-03-31 has 23 hours, 2024-10-27 has 25. Half past midnight and half past eleven are the same date.
    for begin in ("2024-03-20", "2024-10-20"):
        days = pd.date_range(begin, periods=20)
        stamps = [*(days + pd.Timedelta("30min")), *(days + pd.Timedelta("23h30min"))]
        raw = pd.DataFrame({"customer": "a", "time": stamps, "touchpoint": "visit"})
        until = days[-1] + pd.Timedelta("60d")
        log = jk.read_log(raw, timezone="Europe/Berlin", observed_until=until)
        found = tenures(log, churn=Inactivity("1d")).table
        assert found[["duration_days", "event"]].to_numpy().tolist() == [[20, True]]
        found = tenures(log, churn=Inactivity("41d")).table
        assert found[["duration_days", "event"]].to_numpy().tolist() == [[19 + 41, True]]
        found = tenures(log, churn=Inactivity("60d")).table  # the last day watched is the 59th after the last activity
        assert found[["duration_days", "event"]].to_numpy().tolist() == [[19 + 59, False]]


@pytest.mark.parametrize(
    ("timezone", "left_out"),
    [("Pacific/Apia", "2011-12-30"), ("Pacific/Kwajalein", "1993-08-21"), ("Pacific/Kiritimati", "1994-12-31")],
)
def test_a_date_that_a_zone_left_out_is_a_day_without_anybody(timezone, left_out):
    begin = pd.Timestamp(left_out) - pd.Timedelta("3d")
    local = [begin + pd.Timedelta(hours) for hours in ("12h", "2d 0h", "2d 23h", "4d 0h", "4d 0h30min", "4d 23h", "6d")]
    raw = pd.DataFrame({"customer": list("abcdefg"), "time": local, "touchpoint": "visit"})
    log = jk.read_log(raw, timezone=timezone, observed_until=begin + pd.Timedelta("10d"))
    dates = {stamp.normalize() for stamp in local}
    assert set(log.days.astype("M8[D]")) == {date.to_datetime64().astype("M8[D]") for date in dates}
    found = tenures(log, churn=Inactivity("30d")).table  # watched until the ninth day after the begin, by the calendar
    assert found["duration_days"].tolist() == [9, 7, 7, 5, 5, 5, 3]


def test_personal_columns_split_nothing():
    log = make_log([("a", "visit", 0, "x", "w")], columns=["mail", "channel"], channel="channel", observed_until=90)
    log = log.with_personal("mail", "channel", "customer")
    for analysis in (survival_curve, tenures, churn_threshold):
        for column in ("mail", "channel", "first_channel", "customer"):
            with pytest.raises(LogError, match="personal"):
                analysis(log, by=column)
    with pytest.raises(LogError, match="personal"):
        tenures(log, signed_up="mail")
    with pytest.raises(LogError, match="personal"):
        tenures(log, activity=jk.Step("visit", where={"mail": "x"}))


def test_questions_without_sense_are_refused():
    log = LOGS["all on one day"]
    curve = survival_curve(log, churn=MONTH)
    for age in (float("nan"), float("inf"), -1):
        with pytest.raises(ParameterError, match="0 or more"):
            curve.at(age)
        with pytest.raises(ParameterError, match="0 or more"):
            survival_curve(log, horizon=age)
    for analysis in (survival_curve, tenures, churn_threshold):
        with pytest.raises(ParameterError, match="one column"):
            analysis(log, by=["touchpoint"])
    with pytest.raises(ParameterError, match="a log or"):
        survival_curve([3, 4])
    with pytest.raises(ParameterError, match="0 or more"):
        Tenures.from_durations([-3, 5], [1, 0], enters=[-5, 0])


def test_tenures_may_be_told_again_what_they_are():
    found = tenures(LOGS["all on one day"], churn=MONTH)
    pd.testing.assert_frame_equal(survival_curve(found, churn=Inactivity("30d")).table, survival_curve(found).table)
    with pytest.raises(ParameterError, match="measured already"):
        survival_curve(found, churn=Inactivity("31d"))
