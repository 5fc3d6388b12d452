"""The door: what gets in, what does not, and what is said about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeykit.errors import LogError, ParameterError
from journeykit.log import read_log
from tests.helpers import event_rows, make_log, shuffle

RAW = pd.DataFrame(
    {
        "user": ["ann", "bob", "ann"],
        "ts": ["2024-03-01 09:00", "2024-03-02 10:00", "2024-03-03 11:00"],
        "event": ["visit", "visit", "order"],
        "amount": ["", "3.5", "20"],
        "device": ["phone", "desk", "desk"],
    }
)
ROLES = {"customer": "user", "time": "ts", "touchpoint": "event"}


def finding(log, rule):
    rows = log.quality[log.quality["rule"] == rule]
    assert len(rows) == 1, f"{rule} not among {log.quality['rule'].tolist()}"
    return rows.iloc[0]


def test_events_are_sorted_by_customer_and_time_with_offsets():
    log = make_log([("b", "x", 2), ("a", "y", 5), ("b", "z", 1), ("a", "x", 3)])
    assert log.customers.tolist() == ["a", "b"]
    assert log.offsets.tolist() == [0, 2, 4]
    assert log.frame()["touchpoint"].tolist() == ["x", "y", "z", "x"]


def test_tied_events_keep_their_stored_order():
    log = make_log([("a", "second", 1), ("a", "first", 0), ("a", "third", 1)])
    assert log.frame()["touchpoint"].tolist() == ["first", "second", "third"]


def test_tied_events_follow_the_sequence_column_where_there_is_one():
    rows = [("a", "third", 1, 30), ("a", "first", 0, 99), ("a", "second", 1, 7)]
    log = make_log(rows, columns=["sequence"])
    assert log.frame()["touchpoint"].tolist() == ["first", "second", "third"]
    assert log.frame()["sequence"].tolist() == [99, 7, 30]


def test_values_and_properties_stay_with_their_event():
    log = read_log(RAW.iloc[::-1], value="amount", **ROLES)
    frame = log.frame(["customer", "touchpoint", "value", "device"])
    assert frame["device"].tolist() == ["phone", "desk", "desk"]
    assert frame["value"].tolist()[1:] == [20.0, 3.5]
    assert np.isnan(frame["value"].iloc[0])


def test_rows_without_customer_time_or_touchpoint_are_quarantined_whole_with_the_first_reason():
    raw = pd.concat([RAW, RAW.assign(user=[None, "", "  "]), RAW.assign(ts=["", "soon", None])], ignore_index=True)
    raw = pd.concat([raw, RAW.iloc[:2].assign(event=[None, " "])], ignore_index=True)
    raw.loc[5, "ts"] = "soon"  # a missing customer, too: the first reason counts
    log = read_log(raw, observed_until="2024-04-01", **ROLES)
    assert log.n_events == 3
    assert log.quarantine[["row", "reason"]].values.tolist() == [
        [3, "missing_customer"],
        [4, "missing_customer"],
        [5, "missing_customer"],
        [6, "missing_time"],
        [7, "unparseable_time"],
        [8, "missing_time"],
        [9, "missing_touchpoint"],
        [10, "missing_touchpoint"],
    ]
    assert log.quarantine.loc[4, ["user", "ts", "device"]].tolist() == ["bob", "soon", "desk"]
    assert finding(log, "missing_customer")["rows"] == 3
    assert finding(log, "missing_customer")["share"] == pytest.approx(3 / 11)


def test_bad_rows_can_be_refused_with_counts_and_an_example():
    with pytest.raises(LogError, match=r"1 bad rows among 4.*unparseable_time: 1 rows, for example row 3.*'soon'"):
        read_log(pd.concat([RAW, RAW.iloc[:1].assign(ts="soon")], ignore_index=True), on_bad="raise", **ROLES)


def test_an_unreadable_value_is_quarantined_and_a_missing_one_is_not():
    log = read_log(RAW.assign(amount=["", "much", "20"]), value="amount", observed_until="2025-01-01", **ROLES)
    assert log.quarantine[["row", "reason"]].values.tolist() == [[1, "unparseable_value"]]


def test_rows_at_or_after_the_end_of_observation_are_quarantined():
    log = read_log(RAW, observed_until="2024-03-03 11:00", **ROLES)
    assert log.quarantine[["row", "reason"]].values.tolist() == [[2, "after_observed_until"]]
    assert str(log.ends_at) == "2024-03-03 11:00:00+00:00"


def test_exact_duplicates_are_merged_and_counted_unless_kept():
    raw = pd.concat([RAW, RAW], ignore_index=True)
    merged = read_log(raw, **ROLES)
    assert (merged.n_events, merged.duplicates_merged, finding(merged, "exact_duplicates")["rows"]) == (3, 3, 3)
    kept = read_log(raw, duplicates="keep", **ROLES)
    assert (kept.n_events, kept.duplicates_merged, finding(kept, "exact_duplicates")["action"]) == (6, 0, "kept")


def test_rows_that_differ_only_in_a_property_are_no_duplicates():
    log = read_log(pd.concat([RAW, RAW.assign(device="tv")], ignore_index=True), **ROLES)
    assert log.n_events == 6


def test_duplicates_are_found_among_properties_that_cannot_be_hashed():
    tags = pd.Series([["x"], ["y"], ["z"], ["x"], ["other"], ["z"]])
    log = read_log(pd.concat([RAW, RAW], ignore_index=True).assign(tags=tags), **ROLES)
    assert log.n_events == 4


@given(
    rows=event_rows(max_size=25),
    bad=st.lists(st.sampled_from(["customer", "time", "touchpoint"]), max_size=4),
    copies=st.integers(0, 3),
)
def test_no_row_is_ever_lost(rows, bad, copies):
    raw = pd.DataFrame(rows, columns=["customer", "touchpoint", "time"])
    raw["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(raw["time"], unit="D")
    raw = pd.concat([raw, *[raw] * copies, *[raw.iloc[:1]] * len(bad)], ignore_index=True)
    for row, column in enumerate(bad, start=len(raw) - len(bad)):
        raw.loc[row, column] = None
    log = read_log(raw)
    assert len(raw) == log.rows_read == log.n_events + len(log.quarantine) + log.duplicates_merged


@given(rows=event_rows(), seed=st.integers(0, 99))
def test_any_order_of_rows_gives_the_same_log_ties_aside(rows, seed):
    rows = list({(customer, time): (customer, touchpoint, time) for customer, touchpoint, time in rows}.values())
    log, shuffled = make_log(rows), make_log(shuffle(rows, seed))
    pd.testing.assert_frame_equal(log.frame(), shuffled.frame())
    assert log.offsets.tolist() == shuffled.offsets.tolist()


@given(rows=event_rows(), seed=st.integers(0, 99))
def test_any_order_of_rows_gives_the_same_log_with_a_sequence(rows, seed):
    rows = [(*row, number) for number, row in enumerate(rows)]
    log = make_log(rows, columns=["sequence"])
    shuffled = make_log(shuffle(rows, seed), columns=["sequence"])
    pd.testing.assert_frame_equal(log.frame(), shuffled.frame())


@given(rows=event_rows(max_time=200, max_size=200, min_size=80, customers="ab"), seed=st.integers(0, 99))
def test_sorting_agrees_with_pandas_for_customers_with_many_events(rows, seed):
    rows = [(*row, number) for number, row in enumerate(shuffle(rows, seed))]
    log = make_log(rows, columns=["number"])
    expected = pd.DataFrame(rows, columns=["customer", "touchpoint", "time", "number"])
    expected = expected.sort_values(["customer", "time"], kind="stable")
    assert log.frame()["number"].tolist() == expected["number"].tolist()


def test_without_an_end_observation_ends_one_step_after_the_last_time_and_that_is_a_finding():
    seconds = read_log(RAW.assign(ts=["2024-03-01 09:00:01", "2024-03-02", "2024-03-03 11:00"]), **ROLES)
    assert str(seconds.ends_at) == "2024-03-03 11:00:01+00:00"
    assert finding(seconds, "observed_until_guessed")["rows"] == 3
    dates = read_log(RAW.assign(ts=["2024-03-01", "2024-03-02", "2024-03-03"]), timezone="Asia/Jakarta", **ROLES)
    assert str(dates.ends_at) == "2024-03-04 00:00:00+07:00"


def test_customer_ids_keep_their_kind():
    def ids(column):
        return read_log(RAW.assign(user=pd.Series(column)), **ROLES).customers.tolist()

    assert ids([7, 12, 7]) == [7, 12]
    assert ids([7.0, 12.0, np.nan]) == [7, 12]
    assert ids(["007", "12", "7"]) == ["007", "12", "7"]
    assert ids([2**62, -5, 2**62]) == [-5, 2**62]
    assert ids(pd.Categorical(["b", "a", "b"])) == ["a", "b"]
    assert ids([7, "x", 7.0]) == ["7", "x"]


def test_touchpoints_may_be_numbers_or_hold_any_text():
    odd = ["<script>", 'a "quoted" -> name\n', "🎸 \u200fעברית"]
    assert sorted(read_log(RAW.assign(event=odd), **ROLES).touchpoints) == sorted(odd)
    assert read_log(RAW.assign(event=[1, 2, 10]), **ROLES).touchpoints.tolist() == ["1", "10", "2"]


def test_columns_named_like_ours_do_not_collide():
    raw = RAW.assign(customer="x", time="y", index=1, level_0=2, stage="z")
    log = read_log(raw, **ROLES)
    assert {"customer_property", "time_property", "stage_property", "index", "level_0"} <= set(log.columns)
    assert log.frame()["customer"].tolist() == ["ann", "ann", "bob"]
    assert (log.quality["rule"] == "renamed_property").sum() == 3


def test_a_column_that_is_not_there_is_named_with_its_nearest():
    with pytest.raises(LogError, match=r"no column 'usr' for the customer .*did you mean 'user'"):
        read_log(RAW, customer="usr", time="ts", touchpoint="event")


def test_two_columns_of_one_name_are_refused():
    raw = pd.concat([RAW, RAW[["device"]]], axis=1)
    with pytest.raises(LogError, match=r"\['device'\] occur twice"):
        read_log(raw, **ROLES)


@pytest.mark.parametrize("empty", [RAW.iloc[:0], RAW.assign(user=None)])
def test_a_source_without_a_usable_row_is_refused(empty):
    with pytest.raises(LogError, match="no usable row"):
        read_log(empty, **ROLES)


def test_an_unknown_zone_is_refused():
    with pytest.raises(ParameterError, match="IANA name"):
        read_log(RAW, timezone="Istanbul", **ROLES)


def test_similar_touchpoints_are_found_but_kept_apart():
    log = read_log(RAW.assign(event=["ADD_to cart", "add to  cart", "order"]), **ROLES)
    assert finding(log, "similar_touchpoints")["rows"] == 1
    assert len(log.touchpoints) == 3
    turkish = read_log(RAW.assign(event=["Sipariş", "SİPARİŞ", "sıparış"]), **ROLES)
    assert finding(turkish, "similar_touchpoints")["rows"] == 2


def test_days_without_events_are_counted_in_the_zone():
    late = ["2024-03-01 21:30", "2024-03-02 22:30", "2024-03-04 12:00"]  # in UTC
    assert finding(read_log(RAW.assign(ts=late), **ROLES), "days_without_events")["rows"] == 1
    stamped = [f"{time}+00:00" for time in late]  # in Istanbul 2 March, 3 March and 4 March
    log = read_log(RAW.assign(ts=stamped), timezone="Europe/Istanbul", **ROLES)
    assert "days_without_events" not in log.quality["rule"].tolist()


def test_the_source_is_left_alone():
    raw = RAW.copy(deep=True)
    read_log(raw, value="amount", **ROLES)
    pd.testing.assert_frame_equal(raw, RAW)


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "parquet"])
def test_files_give_the_same_log_as_the_frame(tmp_path, ending):
    path = tmp_path / f"log.{ending}"
    if ending == "parquet":
        RAW.to_parquet(path)
    else:
        RAW.to_csv(path, index=False, sep="\t" if "tsv" in ending else ",")
    log, expected = read_log(str(path), value="amount", **ROLES), read_log(RAW, value="amount", **ROLES)
    assert log.frame().astype(object).values.tolist()[1:] == expected.frame().astype(object).values.tolist()[1:]
    assert log.frame().iloc[0].drop("value").tolist() == expected.frame().iloc[0].drop("value").tolist()


def test_a_glob_of_files_is_one_log_and_an_empty_one_an_error(tmp_path):
    for i in range(3):
        RAW.iloc[i : i + 1].to_csv(tmp_path / f"part{i}.csv", index=False)
    assert read_log(str(tmp_path / "*.csv"), **ROLES).n_events == 3
    with pytest.raises(LogError, match="no file matches"):
        read_log(str(tmp_path / "*.parquet"), **ROLES)


def test_text_that_only_looks_like_a_number_stays_text_in_a_csv(tmp_path):
    RAW.assign(user=["007", "08", "007"], device=["NA", "null", "1e5"]).to_csv(tmp_path / "log.csv", index=False)
    log = read_log(tmp_path / "log.csv", **ROLES)
    assert log.customers.tolist() == ["007", "08"]
    assert sorted(log.frame()["device"]) == ["1e5", "NA", "null"]


@pytest.mark.parametrize(("name", "content"), [("broken.parquet", b"PAR1 no"), ("log.xyz", b""), ("none.csv", None)])
def test_files_that_cannot_be_read_are_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LogError, match=name):
        read_log(tmp_path / name, **ROLES)


@pytest.mark.parametrize("n_names", [127, 128])  # as many as codes of a byte can tell apart, and one more
def test_a_log_of_many_rows_holds_each_as_it_came(n_names):
    rng, n = np.random.default_rng(1), 220_000
    names = np.array([*(f"t{i:03}" for i in range(n_names)), None], dtype=object)
    raw = pd.DataFrame(
        {
            "customer": rng.integers(0, 5_000, n),
            "time": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 10_000, n), unit="s"),
            "touchpoint": names[rng.integers(0, n_names, n)],
            "channel": names[rng.integers(0, n_names + 1, n)],
        }
    )
    raw = pd.concat([raw, raw.iloc[:1_000]], ignore_index=True)
    expected = raw.drop_duplicates().sort_values(["customer", "time"], kind="stable")
    log = read_log(raw, observed_until="2024-01-02")
    assert log.duplicates_merged == len(raw) - len(expected)
    for name in raw.columns:
        got = log.column(name)
        assert got.isna().tolist() == expected[name].isna().tolist(), name
        assert (got.dropna().to_numpy() == expected[name].dropna().to_numpy()).all(), name
