"""Several sources make one log, which observes only what all of them do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journeykit as jk
from journeykit.errors import ParameterError
from journeykit.journey import StageModel
from tests.helpers import ORIGIN, event_rows, make_log

WEB = make_log([("ann", "visit", 0, "web"), ("bob", "visit", 6, "app")], columns=["channel"], observed_until=10)
TILL = make_log(
    [("ann", "order", 2, 9.5, 3), ("cem", "order", 5, 1.0, 4), ("ann", "visit", 11, None, 5)],
    columns=["value", "staff"],
    observed_until=20,
)


def finding(log, rule):
    return log.quality.set_index("rule").loc[rule]


def rows_of(log, *columns):
    frame = log.frame(["customer", "touchpoint", *columns]).astype(object)
    return frame.where(frame.notna(), None).to_numpy().tolist()


def test_dictionaries_are_merged_and_what_a_source_lacks_is_missing():
    log = jk.concat_logs({"web": WEB, "till": TILL}, observed=("2024-01-01", "2024-01-11"))
    assert rows_of(log, "channel", "value", "staff", "source") == [
        ["ann", "visit", "web", None, None, "web"],
        ["ann", "order", None, 9.5, 3, "till"],
        ["bob", "visit", "app", None, None, "web"],
        ["cem", "order", None, 1.0, 4, "till"],
    ]
    assert log.touchpoints.tolist() == ["order", "visit"]
    assert log.frame()["staff"].dtype == "Int64"  # whole numbers stay whole


def test_only_what_all_sources_observe_is_observed():
    log = jk.concat_logs({"web": WEB, "till": TILL})
    assert (log.start, log.observed_until) == (TILL.start, WEB.observed_until)
    assert [row[:2] for row in rows_of(log)] == [["ann", "order"], ["bob", "visit"], ["cem", "order"]]
    left_out = finding(log, "outside_observation")
    assert (left_out["rows"], left_out["share"], left_out["example"]) == (2, 2 / 5, "web: 1, till: 1")


def test_rows_are_conserved():
    bad = make_log([(None, "x", 1), ("ann", "visit", 3), ("ann", "visit", 3)], observed_until=9, duplicates="merge")
    log = jk.concat_logs([WEB, TILL, bad])
    outside = finding(log, "outside_observation")["rows"]
    assert log.rows_read == 2 + 3 + 3 == log.n_events + len(log.quarantine) + log.duplicates_merged + outside
    assert log.quarantine[["reason", "source"]].to_numpy().tolist() == [["missing_customer", "3"]]
    assert finding(log, "missing_customer")["source"] == "3"


def test_one_source_in_several_periods_is_joined_by_observing_any():
    whole = make_log([("a", "x", day) for day in range(9)], observed_until=9)
    parts = [whole.between(None, "2024-01-04"), whole.between("2024-01-04", "2024-01-08")]
    with pytest.raises(ParameterError, match=r'no time is observed by all logs .*observed="any"'):
        jk.concat_logs(parts)
    log = jk.concat_logs(parts, observed="any")
    assert log.n_events == 7
    assert (log.start, log.observed_until) == (whole.start, parts[1].observed_until)
    assert not {"partly_observed", "not_observed"} & set(log.quality["rule"])


def test_observing_any_says_where_sources_were_missing():
    web, till = WEB.between("2024-01-01", "2024-01-09"), TILL.between("2024-01-05", "2024-01-21")
    log = jk.concat_logs({"web": web, "till": till}, observed="any")
    # Alone: web on days 0 to 4 (ann's visit), till from day 8 on (ann's of day 11).
    assert finding(log, "partly_observed")["rows"] == 2
    assert finding(log, "partly_observed")["example"] == "web alone: 2024-01-01 00:00 to 2024-01-05 00:00"
    apart = jk.concat_logs([WEB.between(None, "2024-01-03"), TILL.between("2024-01-06")], observed="any")
    assert (finding(apart, "not_observed")["rows"], finding(apart, "not_observed")["share"]) == (3, 3 / 20)


def test_zones_must_agree_or_be_said():
    tokyo = make_log([("a", "x", 1)], timezone="Asia/Tokyo", observed_until=10)
    with pytest.raises(ParameterError, match=r"timezones \['Asia/Tokyo', 'UTC'\]: say which"):
        jk.concat_logs([WEB, tokyo])
    assert jk.concat_logs([WEB, tokyo], timezone="Asia/Tokyo").timezone == "Asia/Tokyo"


def test_ids_are_matched_as_numbers_or_else_as_text():
    numbers = make_log([(7, "x", 0), (12, "x", 1)], observed_until=9)
    assert jk.concat_logs([numbers, numbers]).customers.tolist() == [7, 12]
    texts = make_log([("7", "y", 0), ("12", "y", 1)], observed_until=9)
    log = jk.concat_logs({"web": numbers, "till": texts})
    assert log.customers.tolist() == ["12", "7"]
    assert finding(log, "customer_ids_as_text")["rows"] == 2
    strangers = jk.concat_logs([numbers, make_log([(8, "y", 0)], observed_until=9)], observed="any")
    assert finding(strangers, "no_shared_customers")["personal"]


def test_an_event_that_two_sources_hold_is_one_unless_asked_otherwise():
    twice = make_log([("a", "x", 1), ("a", "x", 1), ("a", "y", 2)], observed_until=9)  # kept apart when it was read
    again = make_log([("a", "x", 1), ("a", "y", 2), ("a", "z", 2)], observed_until=9)
    log = jk.concat_logs({"one": twice, "two": again})
    assert rows_of(log, "source") == [["a", "x", "one"], ["a", "x", "one"], ["a", "y", "one"], ["a", "z", "two"]]
    assert finding(log, "duplicates_across_sources")["rows"] == 2 == log.duplicates_merged
    assert jk.concat_logs([twice, again], duplicates="keep").n_events == 6


def test_an_event_that_differs_in_any_column_is_another():
    rows = [("a", "x", 1, "web", 5.0, "p")]
    options = {"columns": ["channel", "value", "note"], "observed_until": 9}
    log = make_log(rows, **options)
    for other in (("a", "x", 1, "app", 5.0, "p"), ("a", "x", 1, "web", 6.0, "p"), ("a", "x", 1, "web", 5.0, "q")):
        assert jk.concat_logs([log, make_log([other], **options)]).n_events == 2
    assert jk.concat_logs([log, make_log(rows, **options)]).n_events == 1


def test_at_one_instant_the_order_of_the_sources_decides():
    first, second = (make_log([("a", name, 1)], observed_until=9) for name in "xy")
    assert [row[1] for row in rows_of(jk.concat_logs([first, second]))] == ["x", "y"]
    assert [row[1] for row in rows_of(jk.concat_logs([second, first]))] == ["y", "x"]


def test_stages_are_kept_if_all_have_the_same_model_or_decided_together():
    web = make_log([("a", "visit", 2)], observed_until=9)
    till = make_log([("a", "order", 1)], observed_until=9)
    staged = [log.with_stages(StageModel.digital()) for log in (web, till)]
    window = ("2024-01-01", "2024-01-10")
    kept = jk.concat_logs(staged, observed=window)
    assert kept.frame()["stage"].tolist() == ["purchase", "awareness"]
    together = jk.concat_logs(staged, observed=window, stages=StageModel.digital())
    assert together.frame()["stage"].tolist() == ["purchase", "retention"]
    with pytest.raises(ParameterError, match="stage model of source '2' is not that of '1'"):
        jk.concat_logs([staged[0], till], observed=window)


def test_clocks_that_disagree_are_a_finding():
    rng = np.random.default_rng(1)
    rows = [(f"c{i}", "call", int(second)) for i, second in enumerate(rng.integers(0, 30 * 86_400, 60))]
    web = make_log(rows, unit="s", observed_until="2024-03-01")
    centre = make_log([(who, what, when + 10_800) for who, what, when in rows], unit="s", observed_until="2024-03-01")
    log = jk.concat_logs({"web": web, "centre": centre})
    assert "centre after web by 0 days 03:00:00" in finding(log, "clock_skew")["example"]
    agree = jk.concat_logs({"web": web, "centre": make_log(rows, unit="s", observed_until="2024-03-01")})
    assert "clock_skew" not in set(agree.quality["rule"])


def test_spellings_that_differ_between_sources_are_a_finding():
    log = jk.concat_logs(
        [make_log([("a", "Order", 1)], observed_until=9), make_log([("a", "order", 1)], observed_until=9)]
    )
    assert finding(log, "similar_touchpoints")["rows"] == 1


def test_a_log_of_several_sources_can_be_a_source():
    inner = jk.concat_logs({"web": WEB, "till": TILL}, observed="any")
    log = jk.concat_logs([inner, make_log([(None, "x", 1), ("eve", "x", 2)], observed_until=20)], observed="any")
    assert set(log.quality["source"]) >= {"1/till", "2"}
    assert log.frame()["source"].isna().tolist() == (log.frame()["customer"] == "eve").tolist()


def test_personal_columns_of_one_source_are_personal_in_all():
    web = make_log([("a", "x", 0, "a@b.c")], columns=["email"], observed_until=9).with_personal("email")
    assert jk.concat_logs([web, TILL], observed="any").personal == {"email"}


def test_what_cannot_be_joined_is_refused():
    for logs, says in (
        ([], "one log at least"),
        ([WEB, "till.csv"], "source '2' must be an InteractionLog, got str"),
        ([WEB.rekey("session")], "keyed by 'session'"),
        ([WEB.with_segment("s", first="channel")], r"has segments \['s'\]"),
        ({"a": jk.concat_logs({"web": WEB})}, "has a column 'source' already"),
    ):
        with pytest.raises(ParameterError, match=says):
            jk.concat_logs(logs)
    with pytest.raises(ParameterError, match="observed must end after it starts"):
        jk.concat_logs([WEB], observed=("2024-02-01", "2024-01-01"))
    with pytest.raises(ParameterError, match="observed must be one of"):
        jk.concat_logs([WEB], observed="both")


def full_log(rows):
    wide = [(*row, "web" if i % 3 else None, i / 7 if i % 2 else None, i, f"p{i % 4}") for i, row in enumerate(rows)]
    log = make_log(wide, columns=["channel", "value", "number", "note"], observed_until=99)
    return log.with_stages(StageModel.of({"look": ["A", "B"], "buy": "C"}))


def assert_same(log, whole):
    frames = [each.frame().astype({"touchpoint": str}) for each in (log, whole)]
    pd.testing.assert_frame_equal(*frames, check_categorical=False)
    for name in ("start", "observed_until", "timezone", "stages", "rows_read", "n_customers"):
        if name != "rows_read":
            assert getattr(log, name) == getattr(whole, name), name
    assert log.touchpoints.tolist() == whole.touchpoints.tolist()
    assert log.offsets.tolist() == whole.offsets.tolist()


@settings(max_examples=50)
@given(rows=event_rows(), chosen=st.sets(st.sampled_from("abcde")))
def test_split_by_customer_and_joined_a_log_is_the_same(rows, chosen):
    whole = full_log(rows)
    part = whole.customers.isin(list(chosen))
    assert_same(jk.concat_logs([whole.customers_where(part), whole.customers_where(~part)]), whole)


@settings(max_examples=50)
@given(rows=event_rows(max_time=3000).map(lambda rows: [(*row[:2], i) for i, row in enumerate(rows)]), keep=st.data())
def test_split_by_touchpoint_and_joined_a_log_is_the_same(rows, keep):
    whole = full_log(rows)
    some = keep.draw(st.sets(st.sampled_from("ABCD")))
    rest = set("ABCD") - some
    assert_same(jk.concat_logs([whole.where(touchpoint=some), whole.where(touchpoint=rest)]), whole)


@settings(max_examples=50)
@given(rows=event_rows(), cut=st.integers(1, 98))
def test_split_in_time_and_joined_a_log_is_the_same(rows, cut):
    whole = full_log(rows)
    moment = ORIGIN + pd.Timedelta(cut, unit="D")
    if moment.tz_localize("UTC") <= whole.starts_at:
        return
    assert_same(jk.concat_logs([whole.between(None, moment), whole.between(moment)], observed="any"), whole)
