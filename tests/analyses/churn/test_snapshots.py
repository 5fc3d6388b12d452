"""Snapshots: read up to the end of a day, judged by what comes afterwards; checked by cutting the log there."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.analyses.churn import Cancel, Contract, Inactivity, tenures
from journeykit.analyses.churn.covariates import each_once
from journeykit.analyses.churn.snapshots import snapshots
from journeykit.errors import ParameterError
from journeykit.journey import Step
from tests.helpers import ORIGIN, event_rows, make_log


def stamp(day):
    return ORIGIN + pd.Timedelta(day, "D")


PAST = {"n": Step("C"), "recent": ("count", Step("C"), "7d"), "ever": ("ever", Step("D"), "5d"),
        "since": ("since", Step("B")), "spent": ("sum", "v"), "v": ("last", "v"), "p": "p",
        "first": ("first", "p")}  # fmt: skip


def slow(mine, d, at, last):
    """One customer at one day, straight from the definition; None if it is not there."""
    so_far = [row for row in mine if row[2] <= at]
    if not so_far:
        return None
    days = sorted({row[2] for row in so_far})
    if at - days[-1] >= d:
        return None
    later = [days[-1], *sorted({row[2] for row in mine if at < row[2] <= last})]
    out = (last - at, False)
    for day, following in zip(later, [*later[1:], math.inf], strict=True):
        if following - day > d and day + d <= last:
            out = (day + d - at, True)
            break
    b = [row[2] for row in so_far if row[1] == "B"]
    v = [row[3] for row in so_far if row[3] is not None]
    p = [row[4] for row in so_far if row[4]]
    return {
        "age_days": at - days[0], "recency_days": at - days[-1], "active_days": len(days),
        "comebacks": sum(b - a > d for a, b in pairwise(days)),
        "n": sum(row[1] == "C" for row in so_far), "recent": sum(row[1] == "C" and row[2] > at - 7 for row in so_far),
        "ever": int(any(row[1] == "D" and row[2] > at - 5 for row in so_far)),
        "since": at - b[-1] if b else None, "spent": sum(v), "v": v[-1] if v else None,
        "p": p[-1] if p else "(missing)", "first": so_far[0][4] or "(missing)",
        "duration_days": out[0], "event": out[1],
    }  # fmt: skip


@given(rows=event_rows(max_time=60), d=st.integers(2, 25), at=st.lists(st.integers(0, 69), min_size=1, max_size=3))
def test_a_snapshot_is_a_slow_look_at_each_customer(rows, d, at):
    rows = [(*row, (None, 2.0, 0.5)[i % 3], (None, "x", "y", "")[i % 4] or None) for i, row in enumerate(rows)]
    rows.append(("z", "A", 0, 1.0, "x"))
    log = make_log(rows, columns=["v", "p"], observed_until=70)
    found = snapshots(log, [stamp(day) for day in at], churn=Inactivity(f"{d}d"), covariates=PAST)
    expected = []
    for day in sorted(set(at)):
        for who in sorted({row[0] for row in rows}):
            mine = [row for row in sorted(rows, key=lambda row: row[2]) if row[0] == who]
            seen = slow(mine, d, day, 69)
            if seen:
                expected.append({"customer": who, "at": stamp(day)} | seen)
    got = found.drop(columns=["started_at", "end"]).to_dict("records")
    assert [{name: None if pd.isna(cell) else cell for name, cell in row.items()} for row in got] == expected


@settings(max_examples=20)
@given(rows=event_rows(max_time=50), at=st.integers(1, 49))
def test_nothing_after_the_day_is_read(rows, at):
    """The same columns come out of a log that ends with the day."""
    rows = [("z", "A", 0), *rows]
    whole, early = (make_log(rows, observed_until=60), make_log(rows, observed_until=60).between(None, stamp(at + 1)))
    past = {"n": Step("C"), "since": ("since", Step("B")), "t": ("last", "touchpoint")}
    for churn, start in ((Inactivity("9d"), None), (Cancel(Step("B")), Step("A"))):
        first, second = (snapshots(log, stamp(at), churn=churn, start=start, covariates=past) for log in (whole, early))
        outcome = ["duration_days", "event", "end"]
        pd.testing.assert_frame_equal(
            first.drop(columns=outcome), second.drop(columns=outcome), check_categorical=False
        )
        assert (second["duration_days"] == 0).all()


@settings(max_examples=15)
@given(rows=event_rows(max_time=50), at=st.integers(1, 49))
def test_under_cancel_those_in_an_open_spell_are_there(rows, at):
    rows = [("z", "A", 0), *rows]
    log = make_log(rows, observed_until=60)
    churn = Cancel(Step("B"), other={"moved": Step("C")})
    found = snapshots(log, stamp(at), churn=churn, start=Step("A"))
    spells = tenures(log, churn=churn, start=Step("A")).table
    exits = spells["started_at"] + pd.to_timedelta(spells["duration_days"], unit="D")
    open_then = spells[(spells["started_at"] <= stamp(at)) & ((exits > stamp(at)) | ~spells["event"])]
    assert found["customer"].tolist() == open_then["customer"].tolist()
    assert found["started_at"].tolist() == open_then["started_at"].tolist()
    assert found["comebacks"].tolist() == (open_then["spell"] - 1).tolist()
    assert found["duration_days"].tolist() == (exits[open_then.index] - stamp(at)).dt.days.tolist()
    assert found["end"].astype(object).fillna("").tolist() == open_then["end"].astype(object).fillna("").tolist()


@settings(max_examples=10)
@given(rows=event_rows(max_time=50))
def test_in_one_piece_is_in_seven_buckets(rows):
    rows = [(*row, "xy"[i % 2]) for i, row in enumerate([("z", "A", 0), *rows])]
    log = make_log(rows, columns=["p"], observed_until=60)
    for churn, start in ((Inactivity("9d"), None), (Cancel(Step("B")), Step("A"))):
        options = {"churn": churn, "start": start, "covariates": {"n": Step("C"), "p": "p"}}
        one, seven = (snapshots(each, [stamp(20), stamp(40)], **options) for each in (log, log.in_buckets(7)))
        pd.testing.assert_frame_equal(one, seven)


@pytest.mark.parametrize(
    ("at", "options", "says"),
    [
        ("2023-12-31", {}, "observed whole"),
        ("2024-02-20", {}, "observed whole"),
        ("2024-01-05", {"churn": Contract(), "start": "visit"}, "a contract is decided once a term"),
        ("2024-01-05", {"covariates": {"age_days": "visit"}}, "can't be called"),
        ("2024-01-05", {"covariates": {"x": pd.Series([1])}}, "without times"),
        ("2024-01-05", {"covariates": {"x": ("mean", "visit")}}, "must be one of"),
        ("2024-01-05", {"covariates": {"x": ("sum", "touchpoint")}}, "no numbers"),
        ("2024-01-05", {"covariates": {"x": ("since", "visit", "3d")}}, "no window"),
    ],
)
def test_what_can_not_be_known_is_refused(at, options, says):
    log = make_log([("a", "visit", 0), ("a", "visit", 9)], observed_until=40)
    with pytest.raises(ParameterError, match=says):
        snapshots(log, at, **options)


def test_a_snapshot_of_the_last_day_has_no_outcome_yet():
    log = make_log([("a", "visit", 0), ("b", "visit", 30)], observed_until=40)
    found = snapshots(log, stamp(39), churn=Inactivity("20d"))
    assert found[["customer", "recency_days", "duration_days", "event"]].values.tolist() == [["b", 9, 0, False]]
    assert np.issubdtype(found["age_days"].dtype, np.integer)


def test_keys_are_kept_once_in_order():
    keys = np.random.default_rng(0).integers(0, 40, 300) * 2**32 + np.random.default_rng(1).integers(-9, 9, 300)
    assert each_once(keys).tolist() == sorted(set(keys.tolist()))
    assert each_once(keys[:0]).tolist() == []
