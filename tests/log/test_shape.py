"""Shaping a log: other names, fewer events, what is known of customers and since when."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.errors import LogError, ParameterError
from journeykit.journey import StageModel, Step
from journeykit.log import label_codes, read_log
from tests.helpers import ORIGIN, event_rows, make_log


def touchpoints(log):
    return log.frame()["touchpoint"].tolist()


def finding(log, rule):
    return log.quality.set_index("rule").loc[rule]


# -- names -----------------------------------------------------------------------------------

PAGES = make_log([("a", name, i) for i, name in enumerate(["/", "/p/1?x=[2]", "/p/2", "/help", "order"])])


def test_urls_become_pages_by_the_first_pattern_that_fits_the_whole_name():
    log = PAGES.with_touchpoints({"/p/2": "special", "/p/*": "product", "/?elp": "help"})
    assert touchpoints(log) == ["/", "product", "special", "help", "order"]
    assert log.touchpoints.tolist() == ["/", "help", "order", "product", "special"]


def test_brackets_in_a_pattern_stand_for_themselves():
    assert touchpoints(PAGES.with_touchpoints({"/p/*[2]": "found"}))[1] == "found"


def test_a_regular_expression_can_use_its_groups():
    log = PAGES.with_touchpoints({re.compile(r"/(\w+)/.*"): r"page \1"})
    assert touchpoints(log) == ["/", "page p", "page p", "/help", "order"]


def test_all_others_can_share_a_name_and_the_old_names_can_be_kept():
    log = PAGES.with_touchpoints({"order": "buy"}, others="page", original="url")
    assert touchpoints(log) == ["page", "page", "page", "page", "buy"]
    assert log.frame()["url"].tolist() == touchpoints(PAGES)
    assert log.where(touchpoint="page").n_events == 4


def test_names_that_fit_nothing_or_become_blank_are_refused():
    with pytest.raises(ParameterError, match=r"no touchpoint fits any of the 1 patterns: did you mean 'order'"):
        PAGES.with_touchpoints({"ordre": "buy"})
    with pytest.raises(ParameterError, match="'order' would become blank"):
        PAGES.with_touchpoints({"order": " "})
    with pytest.raises(ParameterError, match="has a column 'touchpoint' already"):
        PAGES.with_touchpoints({"order": "buy"}, original="touchpoint")


def test_stages_that_were_given_stay_when_names_change():
    log = PAGES.with_stages(StageModel.of({"look": "/*", "buy": "order"})).with_touchpoints({"*": "something"})
    assert log.frame()["stage"].tolist() == ["look"] * 4 + ["buy"]


# -- runs ------------------------------------------------------------------------------------


def test_runs_are_collapsed_to_one_event_that_holds_their_value():
    rows = [("a", "pay", 0, 5.0), ("a", "pay", 1, None), ("a", "pay", 3, 2.0), ("a", "visit", 4, None)]
    log = make_log([*rows, ("a", "pay", 5, 1.0), ("b", "pay", 6, None)], columns=["value"])
    last = log.collapse_runs()
    assert last.frame(["customer", "touchpoint"]).to_numpy().tolist() == [
        ["a", "pay"],
        ["a", "visit"],
        ["a", "pay"],
        ["b", "pay"],
    ]
    assert last.days.tolist() == (log.days[0] + np.array([3, 4, 5, 6])).tolist()
    assert last.values.tolist()[::2] == [7.0, 1.0]
    assert np.isnan(last.values[[1, 3]]).all()
    assert log.collapse_runs(keep="first").days[0] == log.days[0]
    assert (finding(last, "collapsed_runs")["rows"], finding(last, "collapsed_runs")["share"]) == (2, 2 / 6)


def test_a_silence_or_a_missing_value_splits_a_run():
    rows = [("a", "x", 0, "web"), ("a", "x", 1, "web"), ("a", "x", 3, None), ("a", "x", 4, None)]
    log = make_log(rows, columns=["channel"])
    assert log.collapse_runs("channel").n_events == 3
    assert log.collapse_runs(gap="2d").n_events == 2
    assert log.collapse_runs(gap="36h").n_events == 2
    assert log.collapse_runs(gap="1d").n_events == 4  # a day or more


@given(rows=event_rows(touchpoints="AB"))
def test_collapsed_runs_agree_with_groupby_and_no_value_is_lost(rows):
    log = make_log([(*row, float(i)) for i, row in enumerate(rows)], columns=["value"])
    slow = []
    for customer, touchpoint, value in zip(*(log.frame()[c] for c in ("customer", "touchpoint", "value")), strict=True):
        if slow and slow[-1][:2] == [customer, touchpoint]:
            slow[-1][2] += value
        else:
            slow.append([customer, touchpoint, value])
    frame = log.collapse_runs().frame()
    assert frame[["customer", "touchpoint", "value"]].to_numpy().tolist() == slow


# -- attributes ------------------------------------------------------------------------------

LOG = make_log([("ann", "visit", 0), ("ann", "order", 5), ("bob", "visit", 1), ("cem", "visit", 2)], observed_until=40)


def test_attributes_are_joined_by_id_whatever_the_order_and_missing_ones_are_counted():
    people = pd.DataFrame({"id": ["zoe", "bob", "ann"], "age": [70, 40, 30], "plan": ["x", None, "gold"]})
    log = LOG.with_customers(people, customer="id")
    assert log.frame()["age"].tolist() == [30, 30, 40, pd.NA]
    assert log.frame()["plan"].tolist()[:2] == ["gold", "gold"]
    assert log.frame()["plan"].isna().tolist() == [False, False, True, True]
    assert finding(log, "customers_without_attributes")["rows"] == 1
    assert finding(log, "attributes_without_customers")["share"] == 1 / 3
    assert log.quality["personal"].any()  # the examples name customers


def test_numbers_and_texts_are_the_same_id():
    log = make_log([(7, "visit", 0), (12, "visit", 1)])
    joined = log.with_customers(pd.DataFrame({"customer": ["12", "7"], "plan": ["b", "a"]}))
    assert joined.frame()["plan"].tolist() == ["a", "b"]


def test_a_table_of_customers_with_faults_is_refused():
    twice = pd.DataFrame({"customer": ["ann", "ann"], "plan": ["a", "b"]})
    with pytest.raises(LogError, match=r"one row a customer is needed.*'ann'"):
        LOG.with_customers(twice)
    with pytest.raises(LogError, match="1 rows have no 'customer', for example row 0"):
        LOG.with_customers(twice.assign(customer=[None, "ann"]))
    with pytest.raises(LogError, match=r"no column 'plam'.*did you mean 'plan'"):
        LOG.with_customers(twice, columns=["plam"])
    with pytest.raises(ParameterError, match="has a column 'touchpoint' already"):
        LOG.with_customers(pd.DataFrame({"customer": ["ann"], "touchpoint": ["x"]}))
    with pytest.raises(LogError, match="'since' must hold times, got 'soon'"):
        LOG.with_customers(twice.head(1).assign(since="soon"), known_at="since")


def test_what_became_known_later_is_missing_before():
    people = pd.DataFrame({"customer": ["ann", "bob"], "plan": ["gold", "tin"], "since": ["2024-01-03", None]})
    log = LOG.with_customers(people, known_at="since")
    assert events(log, "plan") == ["-", "gold", "-", "-"]
    table = log.segment("plan")
    assert labels(log, "plan") == ["gold", "-", "-"]
    assert table["known_at"].tolist()[0] == pd.Timestamp("2024-01-03", tz="UTC")
    assert table["known_at"].isna().tolist() == [False, True, True]


# -- segments --------------------------------------------------------------------------------


def labels(log, name):
    return log.segment(name)[name].astype(object).fillna("-").tolist()


def events(log, name):
    return log.frame()[name].astype(object).fillna("-").tolist()


def test_a_segment_by_first_value_begins_with_that_event():
    log = make_log([("a", "x", 0, None), ("a", "x", 1, "web"), ("a", "x", 2, "shop"), ("b", "x", 0, None)],
                   columns=["channel"]).with_segment("first_channel", first="channel")  # fmt: skip
    assert labels(log, "first_channel") == ["web", "-"]
    assert events(log, "first_channel") == ["-", "web", "web", "-"]


def test_a_segment_by_rule_asks_the_first_event_and_the_first_rule_that_fits():
    log = LOG.with_segment("began", rule={"late": Step("visit", first="ever"), "visited": "visit"})
    assert labels(log, "began") == ["late"] * 3
    other = LOG.with_segment("began", rule={"bought": "order"})
    assert labels(other, "began") == ["-", "-", "-"]


def test_behaviour_in_a_window_is_known_when_the_window_is_over():
    log = LOG.with_segment("quick", did="order", within="5d")  # exactly 5 days counts
    assert labels(log, "quick") == ["yes", "no", "no"]
    assert events(log, "quick") == ["-", "yes", "-", "-"]
    assert LOG.with_segment("quick", did="order", within="4d").segment("quick")["quick"].tolist() == ["no"] * 3
    known = log.segment("quick")["known_at"].dt.tz_localize(None)
    assert known.tolist() == [ORIGIN + pd.Timedelta(day, unit="D") for day in (5, 6, 7)]


def test_a_window_that_is_not_over_gives_no_label():
    log = LOG.with_segment("quick", did="order", within="39d")
    assert labels(log, "quick") == ["yes", "-", "-"]  # ann's ends at 39, bob's at 40 = observed_until


def test_behaviour_without_a_window_is_known_only_of_those_who_did_it():
    log = LOG.with_segment("buyer", did="order")
    assert labels(log, "buyer") == ["yes", "-", "-"]
    assert events(log, "buyer") == ["-", "yes", "-", "-"]


def test_quantiles_are_of_the_window_and_equal_sums_share_a_group():
    rows = [("a", "x", 0, 1.0), ("a", "x", 9, 99.0), ("b", "x", 0, 2.0), ("c", "x", 0, 3.0), ("d", "x", 0, 4.0)]
    log = make_log(rows, columns=["value"], observed_until=30).with_segment("spend", quantiles=2, within="7d")
    assert labels(log, "spend") == ["Q1", "Q1", "Q2", "Q2"]
    same = make_log([(name, "x", 0, 5.0) for name in "abcd"], columns=["value"], observed_until=30)
    assert labels(same.with_segment("spend", quantiles=4, within="7d"), "spend") == ["Q1"] * 4
    busy = log.with_segment("busy", quantiles=2, of="events", within="9d")
    assert labels(busy, "busy") == ["Q2", "Q1", "Q1", "Q1"]


def test_a_segment_must_say_how():
    with pytest.raises(ParameterError, match="say exactly one of"):
        LOG.with_segment("s")
    with pytest.raises(ParameterError, match=r"say exactly one of .* got \['first', 'did'\]"):
        LOG.with_segment("s", first="touchpoint", did="order")
    with pytest.raises(ParameterError, match="quantiles need within"):
        LOG.with_segment("s", quantiles=4, of="events")
    with pytest.raises(ParameterError, match="quantiles == 1, must be 2 or more"):
        LOG.with_segment("s", quantiles=1, of="events", within="1d")
    with pytest.raises(LogError, match="not one of numbers"):
        LOG.with_segment("s", quantiles=2, of="touchpoint", within="1d")
    with pytest.raises(ParameterError, match="has a column 'stage' already"):
        LOG.with_segment("stage", did="order")
    with pytest.raises(ParameterError, match="there is no segment 'buyr': did you mean 'buyer'"):
        LOG.with_segment("buyer", did="order").segment("buyr")


@settings(max_examples=40)
@given(rows=event_rows(), within=st.integers(1, 20), cut=st.integers(1, 40))
def test_no_label_that_is_shown_on_an_event_depends_on_what_came_after_it(rows, within, cut):
    until = ORIGIN + pd.Timedelta(cut, unit="D")
    log = make_log(rows, observed_until=41)
    early = [row for row in rows if row[2] < cut]
    if not early:
        return
    for how in ({"did": Step("B"), "within": f"{within}d"}, {"did": Step("B")}, {"first": "touchpoint"}):
        whole = log.with_segment("s", **how)
        seen = make_log(early, observed_until=cut).with_segment("s", **how)
        before = whole.frame()[whole.times < log.between(None, until).observed_until]
        assert events(seen, "s") == before["s"].astype(object).fillna("-").tolist()


def test_segments_follow_when_the_log_is_narrowed_rekeyed_or_stored(tmp_path):
    log = LOG.with_segment("quick", did="order", within="5d")
    visits = log.where(touchpoint="visit")  # of ann, only the event before it was known
    assert (events(visits, "quick"), labels(visits, "quick")) == (["-", "-", "-"], ["yes", "no", "no"])
    assert labels(log.customers_where(["bob", "ann"]), "quick") == ["yes", "no"]
    assert labels(log.rekey("session"), "quick") == ["yes", "yes", "no", "no"]
    log.with_personal("customer").to_parquet(tmp_path / "log.parquet")
    back = read_log(tmp_path / "log.parquet")
    pd.testing.assert_frame_equal(back.segment("quick"), log.segment("quick"))
    assert events(back, "quick") == events(log, "quick")
    assert back.personal == {"customer"}
    with pytest.raises(LogError, match="write the log that it was made from"):
        log.rekey("session").to_parquet(tmp_path / "sessions.parquet")


# -- personal columns ------------------------------------------------------------------------


def test_a_personal_column_can_be_filtered_by_but_not_split_by_or_named():
    log = make_log([("a", "x", 0, "a@b.c"), ("b", "x", 1, "d@e.f")], columns=["email"]).with_personal("email")
    assert log.where(email="a@b.c").n_events == 1
    assert log.frame()["email"].tolist() == ["a@b.c", "d@e.f"]
    for refused in (
        lambda: label_codes(log, "email"),
        lambda: log.require("email"),
        lambda: Step("x", where={"email": "a@b.c"}).mask(log),
        lambda: Step("x", contains={"email": "@"}).mask(log),
        lambda: log.with_segment("s", first="email"),
    ):
        with pytest.raises(LogError, match="'email' is marked personal"):
            refused()
    assert log.where(touchpoint="x").personal == {"email"}
    with pytest.raises(LogError, match="the log has no 'mail': did you mean 'email'"):
        log.with_personal("mail")


# -- samples and consent ---------------------------------------------------------------------


def test_a_sample_is_of_about_that_share_and_a_smaller_one_is_a_part_of_it():
    log = make_log([(f"c{i}", "x", 0) for i in range(4000)])
    tenth, half = log.sample(0.1), log.sample(0.5)
    assert abs(tenth.n_customers - 400) < 5 * np.sqrt(4000 * 0.1 * 0.9)
    assert tenth.customers.isin(half.customers).all()
    both = half.sample(0.5, seed=1).n_customers  # another seed draws independently
    assert abs(both - half.n_customers / 2) < 5 * np.sqrt(half.n_customers / 4)
    assert log.sample(1).n_customers == 4000
    with pytest.raises(ParameterError, match="share == 0, must be above 0"):
        log.sample(0)


def test_a_sample_draws_the_same_customers_whoever_else_is_there_and_in_every_bucket():
    log = make_log([(i, "x", i % 7) for i in range(300)])
    drawn = set(log.sample(0.3, seed=5).customers)
    assert set(log.customers_where(range(100)).sample(0.3, seed=5).customers) == {i for i in drawn if i < 100}
    assert set(log.rekey("session").sample(0.3, seed=5).owners) == drawn
    per_bucket = [len(set(piece.customers) & drawn) / piece.n_customers for piece in log.in_buckets(3)._pieces]
    assert all(0.1 < share < 0.5 for share in per_bucket)  # drawn anew, not by the hash that cuts buckets


def test_who_does_not_consent_is_left_out_whole_and_counted():
    rows = [
        *[("ann", "yes", 0), ("ann", "visit", 1)],
        *[("bob", "yes", 0), ("bob", "no", 2), ("bob", "visit", 3)],
        *[("cem", "no", 0), ("cem", "yes", 5)],
        ("dan", "visit", 0),
    ]
    log = make_log(rows, observed_until=9)
    kept = log.with_consent("yes", withdrawn="no")
    assert kept.customers.tolist() == ["ann", "cem"]
    assert (finding(kept, "without_consent")["rows"], finding(kept, "without_consent")["share"]) == (4, 4 / 8)
    assert finding(kept, "without_consent")["example"] == "2 customers, for example bob"
    assert log.with_consent("yes").customers.tolist() == ["ann", "bob", "cem"]
    with pytest.raises(ParameterError, match="must be different events, but both match a 'yes'"):
        log.with_consent("yes", withdrawn={"yes", "no"})


def test_consent_can_be_a_column_of_the_events():
    rows = [("ann", "x", 0, True), ("ann", "x", 1, False), ("bob", "x", 0, False), ("bob", "x", 1, True)]
    log = make_log(rows, columns=["consent"])
    yes, no = Step(where={"consent": True}), Step(where={"consent": False})
    assert log.with_consent(yes, withdrawn=no).customers.tolist() == ["bob"]
