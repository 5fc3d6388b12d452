"""Bad and odd inputs: every kind of source × every fault, and what each gives. None gives a silent wrong number."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

from journeykit.errors import LogError
from journeykit.log import read_log
from tests.log.sources import SOURCES

ROLES = {"customer": "user", "time": "ts", "touchpoint": "event", "value": "amount"}
GOOD = pd.DataFrame(
    {
        "user": ["ann", "bob", "ann", "eve", "bob", "ann"],
        "ts": [f"2024-03-0{i} 10:00:0{i}" for i in (1, 2, 3, 4, 5, 6)],
        "event": ["visit", "visit", "sepet", "visit", "ödeme", "order"],
        "amount": ["1", "", "2.5", "3", "4", "20"],
        "device": ["phone", "desk", "desk", "phone", "phone", "desk"],
    }
).replace("", None)


def cell(column, text, row=2):
    """The good rows with one cell that holds something else."""
    frame = GOOD.copy()
    frame.loc[row, column] = text
    return frame


def more(**cells):
    """The good rows and one more."""
    row = {**GOOD.iloc[-1].to_dict(), **cells}
    return pd.concat([GOOD, pd.DataFrame([row])], ignore_index=True)


# Fault → the rows, the rule that finds it, in how many rows, and how many rows get in.
TABLE = {
    "nothing wrong": (GOOD, None, 0, 6),
    "no customer": (cell("user", None), "missing_customer", 1, 5),
    "customer of spaces": (cell("user", "  "), "missing_customer", 1, 5),
    "customer null": (cell("user", "null"), "placeholder_customers", 1, 6),
    "no time": (cell("ts", None), "missing_time", 1, 5),
    "no time at all": (cell("ts", "never"), "unparseable_time", 1, 5),
    "31 June": (cell("ts", "2024-06-31 10:00:00"), "unparseable_time", 1, 5),
    "1970": (cell("ts", "1970-01-01 00:00:00"), "out_of_range_time", 1, 5),
    "epoch 0": (cell("ts", "0"), "unparseable_time", 1, 5),
    "9999": (cell("ts", "9999-12-31 00:00:00"), "out_of_range_time", 1, 5),
    "1999": (cell("ts", "1999-12-31 00:00:00"), "before_2000", 1, 6),
    "epoch among dates": (cell("ts", "1709460183"), "epoch_seconds", 1, 6),
    "float epoch": (cell("ts", "1709460183.5"), "epoch_seconds", 1, 6),
    "epoch in milliseconds": (cell("ts", "1709460183000"), "epoch_milliseconds", 1, 6),
    "month by name": (cell("ts", "3 Mar 2024 10:00:03"), "month_by_name", 1, 6),
    "day or month first": (cell("ts", "03/04/2024 10:00"), "unparseable_time", 1, 5),
    "day first": (cell("ts", "23/03/2024 10:00"), "day_before_month", 1, 6),
    "an offset": (cell("ts", "2024-03-03T13:00:03+03:00"), None, 0, 6),
    "no touchpoint": (cell("event", None), "missing_touchpoint", 1, 5),
    "touchpoint undefined": (cell("event", "undefined"), "placeholder_touchpoints", 1, 6),
    "touchpoint in capitals": (cell("event", "VISIT", row=5), "similar_touchpoints", 1, 6),
    "no amount": (cell("amount", None), None, 0, 6),
    "amount of words": (cell("amount", "a lot"), "unparseable_value", 1, 5),
    "infinite amount": (cell("amount", "inf"), "unparseable_value", 1, 5),
    "amount nan": (cell("amount", "nan"), "unparseable_value", 1, 5),
    "one decimal comma": (cell("amount", "2,5", row=0), "unparseable_value", 1, 5),  # beside a 2.5
    "a row twice": (more(), "exact_duplicates", 1, 6),
    "a row twice, a second apart": (more(ts="2024-03-06 10:00:07"), "near_duplicates", 1, 7),
    "two rows at one instant": (more(device="tv"), "same_instant", 1, 7),
    "a gap": (cell("ts", "2024-03-20 10:00:00", row=5), "days_without_events", 14, 6),
    "after the end": (cell("ts", "2024-05-01 10:00:00"), "after_observed_until", 1, 5),
    "odd names": (cell("event", 'a -> "b", <script>; 🎸'), None, 0, 6),
    "right-to-left marks": (cell("event", "\u200fvisit"), "similar_touchpoints", 1, 6),
}
RELATED = ("frame of Arrow types", "tsv", "csv.zst", "jsonl.gz", "arrow stream", "pyarrow")  # near to another
UNTIL = {"after the end": "2024-04-01"}
UNWRITABLE = {"csv, semicolons, Windows": ("odd names", "right-to-left marks")}  # cp1254 has no such letters


@cache
def of_frame(fault):
    return read_log(TABLE[fault][0], **ROLES, observed_until=UNTIL.get(fault))


def counts(log):
    return log.quality.set_index("rule")["rows"].to_dict()


def cells(frame):
    frame = frame.astype(object)
    return frame.where(frame.notna(), None).values.tolist()


@pytest.mark.parametrize("fault", TABLE)
def test_a_fault_is_found(fault):
    raw, rule, rows, kept = TABLE[fault]
    log = of_frame(fault)
    assert len(raw) == log.rows_read == log.n_events + len(log.quarantine) + log.duplicates_merged
    assert log.n_events == kept
    always = {"observed_until_guessed", "days_without_events"} - {rule}
    assert {name: n for name, n in counts(log).items() if name not in always} == ({rule: rows} if rule else {})


@pytest.mark.parametrize("fault", TABLE)
@pytest.mark.parametrize(
    "source",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in RELATED)) for name in SOURCES if name != "frame"],
)
def test_every_kind_of_source_gives_the_same_log_findings_and_quarantine(source, fault, tmp_path):
    if fault in UNWRITABLE.get(source, ()):
        pytest.skip("cannot be written in this encoding")
    raw, expected = TABLE[fault][0], of_frame(fault)
    given, options = SOURCES[source](raw, tmp_path)
    log = read_log(given, **ROLES, **options, observed_until=UNTIL.get(fault))
    assert cells(log.frame()) == cells(expected.frame())
    assert cells(log.quarantine[["row", "reason", *raw.columns]]) == cells(expected.quarantine)
    assert {rule: n for rule, n in counts(log).items() if rule != "read_as"} == counts(expected)
    assert (log.start, log.observed_until, log.rows_read) == (
        expected.start,
        expected.observed_until,
        expected.rows_read,
    )


@pytest.mark.parametrize("source", SOURCES)
def test_what_cannot_be_read_at_all_is_an_error_that_names_the_column_and_shows_a_row(source, tmp_path):
    given, options = SOURCES[source](GOOD.assign(ts="soon"), tmp_path)
    with pytest.raises(
        LogError, match=r"no usable row among 6: unparseable_time: 6 rows, for example row 0: .*'ts': 'soon'"
    ):
        read_log(given, **ROLES, **options)


@pytest.mark.parametrize("source", SOURCES)
def test_a_missing_column_is_named_in_every_kind_of_source(source, tmp_path):
    given, options = SOURCES[source](GOOD.rename(columns={"user": "usr"}), tmp_path)
    with pytest.raises(LogError, match=r"no column 'user' for the customer .*did you mean 'usr'"):
        read_log(given, **ROLES, **options)


@pytest.mark.parametrize("source", [name for name in SOURCES if name not in ("workbook", "jsonl", "jsonl.gz")])
def test_a_source_without_rows_is_refused(source, tmp_path):
    given, options = SOURCES[source](GOOD.iloc[:0], tmp_path)
    with pytest.raises(LogError, match="no usable row among 0"):
        read_log(given, **ROLES, **options)


@pytest.mark.parametrize("source", SOURCES)
def test_columns_named_like_ours_are_kept_beside_ours(source, tmp_path):
    given, options = SOURCES[source](GOOD.assign(customer="x", index="1", level_0="2", row="3"), tmp_path)
    log = read_log(given, **ROLES, **options)
    assert {"customer_property", "index", "level_0", "row"} <= set(log.columns)
    assert log.frame()["customer"].tolist()[0] == "ann"
    assert log.frame()["row"].astype(str).unique().tolist() == ["3"]
