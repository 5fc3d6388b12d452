"""The log itself: immutable, narrowed without losing its context, the same in one piece and in buckets."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeykit.errors import LogError, ParameterError
from journeykit.journey import StageModel
from journeykit.log import label_codes, merge_tallies, read_log
from journeykit.log.show import touchpoint_table
from journeykit.log.tally import bucket_of
from tests.helpers import event_rows, make_log

ROWS = [("ann", "visit", 0), ("ann", "order", 3), ("bob", "visit", 1), ("cem", "order", 2)]
LOG = make_log(ROWS, observed_until=10)


def test_arrays_cannot_be_written():
    for array in (LOG.times, LOG.offsets, LOG.touchpoint_codes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_frame_is_the_callers_to_change():
    log = make_log([("a", "x", 0, "red")], columns=["colour"])
    frame = log.frame()
    frame.loc[0, "colour"] = "blue"
    assert log.frame()["colour"].tolist() == ["red"]


def test_where_keeps_matching_events_and_drops_customers_left_without_any():
    orders = LOG.where(touchpoint="order")
    assert orders.customers.tolist() == ["ann", "cem"]
    assert orders.frame()["touchpoint"].tolist() == ["order", "order"]
    assert orders.touchpoints.tolist() == ["order", "visit"]  # the whole log's dictionary
    assert LOG.where(touchpoint=["order", "visit"]).n_events == 4


def test_where_can_leave_nothing():
    nothing = LOG.where(touchpoint="never")
    assert (nothing.n_customers, nothing.n_events, nothing.offsets.tolist()) == (0, 0, [0])
    assert nothing.frame().empty
    assert nothing.days.size == 0
    assert "0" in repr(nothing)


def test_between_is_half_open_and_moves_both_ends_of_observation():
    log = LOG.between("2024-01-02", "2024-01-04")
    assert log.frame()["customer"].tolist() == ["bob", "cem"]
    assert (str(log.starts_at.date()), str(log.ends_at.date())) == ("2024-01-02", "2024-01-04")
    longer = LOG.between("2023-01-01", "2030-01-01")
    assert (longer.start, longer.observed_until) == (LOG.start, LOG.observed_until)


def test_between_reads_dates_in_the_zone_of_the_log():
    log = make_log([("a", "x", 0.5)], timezone="Asia/Tokyo", observed_until=10)
    assert log.between("2024-01-01", "2024-01-02").n_events == 1
    with pytest.raises(ParameterError, match="nothing is observed"):
        log.between("2024-03-01")


def test_customers_can_be_chosen_by_id_by_mask_or_by_rule():
    for chosen in (["ann"], {"ann"}, np.array([True, False, False]), lambda log: log.customers == "ann"):
        assert LOG.customers_where(chosen).frame()["touchpoint"].tolist() == ["visit", "order"]
    with pytest.raises(ParameterError, match="1 customers are not in the log, for example 'zoe'"):
        LOG.customers_where(["zoe"])


def test_a_missing_column_is_named_with_what_there_is():
    with pytest.raises(LogError, match=r"the log has no 'channel': known are 'customer', 'time', 'touchpoint'"):
        LOG.require("channel")


def test_days_are_local_dates():
    log = make_log([("a", "x", 0.0), ("a", "x", 0.999), ("b", "x", 2.5)], timezone="Pacific/Auckland")
    dates = [str(np.datetime64(int(day), "D")) for day in log.days]
    assert dates == ["2024-01-01", "2024-01-01", "2024-01-03"]


@given(rows=event_rows(max_time=400), timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo"]))
def test_days_agree_with_pandas(rows, timezone):
    log = make_log(rows, unit="h", timezone=timezone)
    local = log.frame()["time"].dt.tz_localize(None).to_numpy().astype("M8[D]").astype(int)
    assert log.days.tolist() == local.tolist()


def count_pairs(log):
    """Events and distinct customers per touchpoint: a tally of counts."""
    frame = log.frame(["customer", "touchpoint"])
    grouped = frame.groupby("touchpoint", observed=True)["customer"]
    return pd.DataFrame({"events": grouped.size(), "customers": grouped.nunique()})


@given(rows=event_rows(customers="abcdefghijklmnop"), n=st.integers(1, 9))
def test_tallies_of_buckets_add_up_to_that_of_the_whole(rows, n):
    log = make_log(rows)
    whole = log.tally(count_pairs)
    merged = log.in_buckets(n).tally(count_pairs)
    pd.testing.assert_frame_equal(merged, whole, check_index_type=False, check_categorical=False)


def test_buckets_keep_the_context_of_the_whole_log():
    log = LOG.with_stages(StageModel.of({"look": "visit", "buy": "order"}))
    pieces = log.in_buckets(3)
    assert (pieces.start, pieces.observed_until, pieces.stages) == (log.start, log.observed_until, log.stages)
    assert pieces.n_customers == 3
    contexts = {(p.start, p.observed_until, tuple(p.touchpoints), p.stages) for p in pieces._pieces}
    assert len(contexts) == 1


def test_a_customers_bucket_does_not_depend_on_who_else_is_there():
    alone = bucket_of(pd.Index(["ann"]), 7)[0]
    among = bucket_of(pd.Index(["abe", "ann", "zoe"]), 7)[1]
    assert alone == among


def test_merging_adds_what_stands_under_one_key_and_keeps_integers():
    parts = [pd.DataFrame({"n": [1, 2]}, index=["a", "b"]), pd.DataFrame({"n": [5]}, index=["b"])]
    merged = merge_tallies(parts)
    assert merged["n"].to_dict() == {"a": 1, "b": 7}
    assert merged["n"].dtype == np.int64


def test_labels_to_split_by_hold_missing_as_their_own():
    log = make_log([("a", "x", 0, "web"), ("a", "x", 1, None)], columns=["channel"])
    codes, labels = label_codes(log, "channel")
    assert [labels[code] for code in codes] == ["web", "(missing)"]


@given(rows=event_rows())
def test_a_log_written_and_read_back_is_the_same(tmp_path_factory, rows):
    rows = [(*row, "web" if i % 3 else None, i / 7 if i % 2 else None, f"p{i % 4}") for i, row in enumerate(rows)]
    log = make_log(rows, columns=["channel", "value", "plan"], observed_until=99, timezone="Asia/Jakarta")
    log = log.with_stages(StageModel.of({"look": ["A", "B"], "buy": "C"}))
    path = tmp_path_factory.mktemp("store") / "log.parquet"
    log.to_parquet(path)
    back = read_log(path)
    pd.testing.assert_frame_equal(back.frame(), log.frame())
    pd.testing.assert_frame_equal(back.quality, log.quality)
    for name in ("start", "observed_until", "timezone", "stages", "rows_read", "duplicates_merged"):
        assert getattr(back, name) == getattr(log, name), name
    assert back.touchpoints.tolist() == log.touchpoints.tolist()
    assert back.stage_model == log.stage_model


def test_a_narrowed_log_keeps_the_stages_that_its_past_decided(tmp_path):
    log = make_log([("a", "visit", 0), ("a", "order", 1), ("a", "visit", 2)]).with_stages(StageModel.digital())
    later = log.between("2024-01-03")
    assert later.frame()["stage"].tolist() == ["retention"]
    later.to_parquet(tmp_path / "later.parquet")
    assert read_log(tmp_path / "later.parquet").frame()["stage"].tolist() == ["retention"]


def test_a_log_pickles():
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(LOG)).frame(), LOG.frame())


def test_the_looks_name_size_and_findings_and_escape_what_is_data():
    log = make_log([("a", "<script>alert(1)</script>", 0), (None, "x", 1)])
    assert "1 interaction" in repr(log)
    assert "missing_customer" in repr(log)
    html = log._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_touchpoints_are_shown_by_stage_with_bars_and_examples_that_name_a_customer_are_not():
    rows = [("a", "order", 0), ("a", "visit", 1), ("a", "visit", 2), ("b", "visit", 0), ("b", "odd", 1)]
    log = make_log(rows, observed_until=9).with_stages(StageModel.of({"look": "visit", "buy": "order"}))
    table = touchpoint_table(log)
    assert table["stage"].tolist() == ["look", "buy", "(unmapped)"]
    assert table["events"].tolist() == [3, 1, 1]
    assert table["customers"].tolist() == [2, 1, 1]
    assert table["share"].tolist() == [3 / 5, 1 / 5, 1 / 5]
    html = log.with_consent("order")._repr_html_()
    assert "▆" * 16 in html
    assert "for example b" not in html
    assert "for example b" not in repr(log.with_consent("order"))


def test_a_touchpoint_that_changes_its_stage_is_shown_in_both():
    log = make_log([("a", "visit", 0), ("a", "order", 1), ("a", "visit", 2)]).with_stages(StageModel.digital())
    assert touchpoint_table(log)["touchpoint"].tolist() == ["visit", "order", "visit"]
    assert touchpoint_table(log, top=0).empty


def test_lists_and_dicts_are_written_and_read_without_loss(tmp_path):
    items = [{"a": 1}, {"b": [2, None]}, None, ["x", {"y": "ş"}]]
    raw = pd.DataFrame({"customer": range(4), "time": "2024-01-01", "touchpoint": "x"})
    log = read_log(raw.assign(items=pd.Series(items, dtype=object)), observed_until="2024-02-01")
    log.to_parquet(tmp_path / "log.parquet")
    assert read_log(tmp_path / "log.parquet").frame()["items"].tolist() == items


@pytest.mark.parametrize(
    ("items", "says"),
    [([[(1, 2)], None], "property 'items' holds"), ([{1: 2}, None], "property 'items' holds"), ([1 + 2j, 3], "items")],
)
def test_what_parquet_cannot_hold_is_refused(tmp_path, items, says):
    raw = pd.DataFrame({"customer": range(2), "time": "2024-01-01", "touchpoint": "x"})
    log = read_log(raw.assign(items=items), observed_until="2024-02-01")
    with pytest.raises(LogError, match=says):
        log.to_parquet(tmp_path / "log.parquet")
