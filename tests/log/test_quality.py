"""What the door finds: each fault at three strengths, no false alarm in a clean log, thresholds, limits."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from journeykit.errors import LogError, ParameterError
from journeykit.log import check_log, read_log
from journeykit.log.quality import ACTIONS, Finding
from journeykit.log.rules import LOG_RULES, ROW_RULES, every_rule
from tests.helpers import make_log
from tests.log import clean

CLEAN = clean.clean_log(60_000)
STRENGTHS = (0.002, 0.02, 0.2)


def finding(log, rule):
    rows = log.quality[log.quality["rule"] == rule]
    assert len(rows) == 1, f"{rule} not among {log.quality['rule'].tolist()}"
    return rows.iloc[0]


def rules_of(log):
    return set(log.quality["rule"])


def test_a_clean_log_has_no_finding():
    assert rules_of(read_log(CLEAN, observed_until=clean.END)) == set()


# Fault → the rule, and whether exactly so many rows are meant (else: so many among others).
FAULTS = {
    "missing_customer": clean.blank("customer"),
    "missing_time": clean.blank("time"),
    "missing_touchpoint": clean.blank("touchpoint"),
    "unparseable_time": clean.write("time", "soon"),
    "unparseable_value": clean.write("value", "a lot"),
    "out_of_range_time": clean.write("time", pd.Timestamp("1970-01-01")),
    "before_2000": clean.write("time", pd.Timestamp("1999-12-31 23:59:59")),
    "after_observed_until": clean.write("time", pd.Timestamp("2024-08-01")),
    "exact_duplicates": clean.repeat(0),
    "near_duplicates": clean.repeat(1),
    "absurd_rates": clean.robots,
    "days_without_events": clean.silence,
    "stray_times": clean.stray,
    "volume_jumps": clean.burst,
    "unfinished_last_period": clean.break_off,
    "clock_skew": clean.late_clock(3600),
    "many_touchpoints": clean.many_names,
    "similar_touchpoints": clean.write("touchpoint", "Product  Page"),
    "placeholder_customers": clean.write("customer", "null"),
    "placeholder_touchpoints": clean.write("touchpoint", "Undefined"),
}


@pytest.mark.parametrize("share", STRENGTHS)
@pytest.mark.parametrize("rule", FAULTS)
def test_a_fault_is_found_and_counted(rule, share):
    raw, expected = FAULTS[rule](CLEAN, share, np.random.default_rng(7))
    if rule == "many_touchpoints" and expected <= 488:
        pytest.skip("fewer than 500 names")
    log = read_log(raw, observed_until=None if rule == "stray_times" else clean.END)
    found = finding(log, rule)
    if rule == "before_2000":  # some became equal to another row
        expected -= log.duplicates_merged
    if rule == "clock_skew":  # some came after the end
        expected -= len(log.quarantine)
    if rule == "similar_touchpoints":  # the rarer spelling
        expected = min(expected, int((raw["touchpoint"] == "product page").sum()))
    if rule == "many_touchpoints":  # the 500 most frequent names are no finding; twelve of them are real
        expected -= 488
    assert found["rows"] == expected
    assert len(raw) == log.rows_read == log.n_events + len(log.quarantine) + log.duplicates_merged
    of = 182 if rule == "days_without_events" else len(raw)
    assert found["share"] == pytest.approx(expected / of)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_clean_log_of_a_million_rows_gives_no_false_alarm(seed):
    log = read_log(clean.clean_log(1_000_000, seed), observed_until=clean.END)
    assert log.n_events > 990_000
    assert rules_of(log) == set()


@pytest.mark.parametrize("hours", [2 / 60, 1, 24])
def test_clocks_that_disagree_are_found_by_how_much(hours):
    raw, rows = clean.late_clock(hours * 3600)(CLEAN, 0.05, np.random.default_rng(3))
    found = finding(read_log(raw, observed_until="2024-08-01"), "clock_skew")
    assert found["rows"] == rows
    direction, _, gap = found["example"].partition(" by ")
    assert direction == "web before store"
    assert pd.Timedelta(gap.split(",")[0]) / pd.Timedelta("1h") == pytest.approx(hours, rel=0.05)


def test_clocks_are_compared_by_the_column_named():
    raw = CLEAN.assign(till=np.where(np.arange(len(CLEAN)) % 2, "a", "b"))
    log = read_log(raw, observed_until=clean.END, rules={"clock_skew": {"by": "till"}})
    assert "clock_skew" not in rules_of(log)


def test_double_fires_within_the_seconds_asked_for():
    rows = [("a", "visit", 0.0), ("a", "order", 1.5), ("a", "visit", 2.0), ("b", "visit", 2.5)]
    assert "near_duplicates" not in rules_of(make_log(rows, unit="s"))
    wider = make_log(rows, unit="s", rules={"near_duplicates": {"seconds": 2}})
    assert finding(wider, "near_duplicates")["rows"] == 1  # the order between the two visits changes nothing


def test_rows_at_one_instant_that_differ_elsewhere_are_no_double_fires():
    log = make_log(
        [("a", "order", 0, "strings"), ("a", "order", 0, "picks"), ("a", "order", 9, "amp")], columns=["item"]
    )
    assert finding(log, "same_instant")["rows"] == 1
    assert "near_duplicates" not in rules_of(log)


def test_a_customer_with_many_events_over_a_long_time_is_no_robot():
    daily = [("a", "visit", i) for i in range(3000)]
    assert "absurd_rates" not in rules_of(make_log(daily, unit="h"))
    found = finding(make_log(daily, unit="s"), "absurd_rates")
    assert found["rows"] == 3000
    assert found["personal"]  # its example names the customer


@pytest.mark.parametrize(("cut", "found"), [("12:00", True), ("23:40", False)])
def test_a_last_day_that_breaks_off_is_found_whether_or_not_the_end_is_given(cut, found):
    raw = CLEAN[CLEAN["time"] < f"2024-06-30 {cut}"]
    for end in (None, "2024-07-01"):
        assert ("unfinished_last_period" in rules_of(read_log(raw, observed_until=end))) == found
    # Whoever says that observation ends there says that nothing is missing.
    assert "unfinished_last_period" not in rules_of(read_log(raw, observed_until=f"2024-06-30 {cut}"))


def test_a_shop_that_rests_on_sundays_does_not_break_off_on_saturday():
    open_days = CLEAN[CLEAN["time"].dt.dayofweek < 6]
    log = read_log(open_days[open_days["time"] < "2024-06-30"], observed_until="2024-07-01")
    assert "unfinished_last_period" not in rules_of(log)
    assert finding(log, "days_without_events")["rows"] == 26
    weeks = read_log(open_days, observed_until=clean.END, rules={"days_without_events": {"days": 2}})
    assert "days_without_events" not in rules_of(weeks)


def test_dates_alone_do_not_look_like_a_day_that_breaks_off():
    raw = CLEAN.assign(time=CLEAN["time"].dt.normalize())
    assert "unfinished_last_period" not in rules_of(read_log(raw, observed_until=clean.END))


def test_a_log_with_a_long_pause_has_no_stray_rows():
    halves = CLEAN[(CLEAN["time"] < "2024-02-01") | (CLEAN["time"] >= "2024-06-01")]
    assert "stray_times" not in rules_of(read_log(halves, observed_until=clean.END))
    first = CLEAN.head(20).assign(time=pd.Timestamp("2022-05-05"), customer="x")
    found = finding(read_log(pd.concat([first, CLEAN]), duplicates="keep", observed_until=clean.END), "stray_times")
    assert (found["rows"], found["example"]) == (20, "2022-05-05; none from 2022-05-06")


def test_the_rules_page_lists_every_rule_and_threshold(project_root):
    page = (project_root / "docs" / "door.md").read_text(encoding="utf-8")
    for name, rule in {**LOG_RULES, **ROW_RULES}.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        for threshold, each in inspect.signature(rule).parameters.items():
            if each.kind is each.KEYWORD_ONLY:
                default = "channel" if threshold == "by" else each.default  # None is the channel, if there is one
                shown = f'"{default}"' if isinstance(default, str) else f"{default:g}"
                assert f"`{threshold}={shown}`" in line, (name, threshold)


def test_a_day_is_compared_with_its_own_weekday():
    weekly = CLEAN[(CLEAN["time"].dt.dayofweek != 2) | (np.arange(len(CLEAN)) % 10 == 0)]  # quiet Wednesdays
    assert "volume_jumps" not in rules_of(read_log(weekly, observed_until=clean.END))


def test_zero_is_a_placeholder_only_where_it_is_everywhere():
    ids = np.arange(2000) % 500
    raw = pd.DataFrame(
        {"customer": ids, "time": pd.date_range("2024-01-01", periods=2000, freq="h"), "touchpoint": "x"}
    )
    assert "placeholder_customers" not in rules_of(read_log(raw))
    raw.loc[:200, "customer"] = 0
    assert finding(read_log(raw), "placeholder_customers")["example"] == "0"


def test_invisible_marks_make_no_difference_to_a_reader():
    log = make_log([("a", "הזמנה", 0), ("a", "\u200fהזמנה", 1), ("a", "caf\u00e9", 2), ("a", "cafe\u0301", 3)])
    assert finding(log, "similar_touchpoints")["rows"] == 2


def test_one_touchpoint_may_not_drown_the_others_unasked():
    rows = [("a", "ping", i) for i in range(99)] + [("a", "order", 99)]
    assert finding(make_log(rows), "dominant_touchpoint")["rows"] == 99
    assert "dominant_touchpoint" not in rules_of(make_log(rows, rules={"dominant_touchpoint": {"share": 0.99}}))


def test_times_out_of_range_are_set_aside_and_the_range_can_be_moved():
    times = ["2024-01-01 10:00:00", "1969-12-31 23:59:59", "9999-12-31 00:00:00"]
    raw = pd.DataFrame({"customer": "a", "time": times, "touchpoint": "visit"})
    log = read_log(raw)
    assert log.quarantine["reason"].tolist() == ["out_of_range_time"] * 2
    assert str(log.ends_at) == "2024-01-01 10:01:00+00:00"  # not the year 9999
    assert read_log(raw[:2], rules={"out_of_range_time": {"earliest": "1900-01-01"}}).n_events == 2
    assert read_log(raw[:2], rules={"out_of_range_time": False}).n_events == 2
    with pytest.raises(LogError, match="run to the year 9999"):
        read_log(raw, rules={"out_of_range_time": False})


@pytest.mark.parametrize("rule", ["days_without_events", "before_2000", "near_duplicates"])
def test_a_rule_can_be_switched_off(rule):
    rows = [("a", "visit", 0), ("a", "visit", 1 / 86_400), ("a", "visit", -9000)]
    assert rule in rules_of(make_log(rows))
    assert rule not in rules_of(make_log(rows, rules={rule: False}))


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"near_duplicate": {}}, "did you mean 'near_duplicates'"),
        ({"near_duplicates": {"second": 2}}, "near_duplicates has no threshold 'second': did you mean 'seconds'"),
        ({"near_duplicates": 2}, "must be a dict of thresholds, or False"),
        ({"near_duplicates": {"seconds": 0}}, "must be above 0"),
        ({"volume_jumps": {"ratio": 1}}, "must be above 1"),
        ({"absurd_rates": {"within": "1m"}}, "minute or a month"),
        ({"out_of_range_time": {"earliest": "2200-01-01"}}, "must be before latest"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(rules, says):
    with pytest.raises(ParameterError, match=says):
        make_log([("a", "visit", 0)], rules=rules)


def test_every_rule_says_its_formula_default_and_what_is_done():
    for name, rule in LOG_RULES.items():
        text = rule.__doc__ or ""
        assert "Kept" in text or "Rows" in text or "rows" in text, name
        if name not in ("before_2000", "similar_touchpoints", "placeholder_names"):
            assert "Formula" in text, name
            assert "Default" in text, name


def test_every_rule_and_action_has_words_in_each_language():
    from journeykit.text import has_label
    from journeykit.text.languages import languages

    for language in languages():
        for word in (*every_rule(), *ACTIONS, "limit", "broken", "action"):
            assert has_label(word, language=language), (language, word)


def test_an_action_without_words_is_refused():
    with pytest.raises(ParameterError, match=r"keept.*kept"):
        Finding("near_duplicates", 1, "keept")


def test_what_shaping_and_joining_find_has_a_limit_too():
    log = make_log([("a", "visit", 0), ("a", "visit", 1), ("a", "order", 2), ("b", "visit", 3)]).collapse_runs()
    checked = check_log(log, limits={"collapsed_runs": 0, "identity_shared": 0.1, "outside_observation": None})
    assert checked.loc[checked["rule"] == "collapsed_runs", ["share", "broken"]].values.tolist() == [[1 / 4, True]]


# -- limits --------------------------------------------------------------------------------------


def test_a_limit_is_broken_by_a_larger_share():
    raw, _ = clean.blank("customer")(CLEAN, 0.06, np.random.default_rng(1))
    log = read_log(raw, observed_until=clean.END)
    assert check_log(log)["broken"].tolist() == [
        True,
        False,
    ]  # all that was set aside; the rule has no limit of its own
    assert not check_log(log, limit=0.07)["broken"].any()
    table = check_log(log, limit=0.07, limits={"missing_customer": 0.05}).set_index("rule")
    assert table["broken"].to_dict() == {"set_aside": False, "missing_customer": True}


def test_a_rule_with_limit_zero_may_find_nothing():
    log = make_log([("a", "visit", 0), ("a", "visit", 1 / 86_400)])
    assert check_log(log, limits={"near_duplicates": 0}).set_index("rule").loc["near_duplicates", "broken"]


def test_a_log_without_findings_breaks_nothing():
    assert check_log(read_log(CLEAN, observed_until=clean.END)).empty


@pytest.mark.parametrize("limits", [{"nonsense": 0.1}, {"near_duplicates": 2}])
def test_limits_of_rules_that_are_none_are_refused(limits):
    with pytest.raises(ParameterError, match=r"no rule 'nonsense'|share from 0 to 1"):
        check_log(make_log([("a", "visit", 0)]), limits=limits)
