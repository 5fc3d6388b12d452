"""Conversion curves: by hand, against a slow reference, lifelines, and in seven buckets."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journeykit as jk
from journeykit.analyses.conversion import conversion_curve
from journeykit.errors import LogError, ParameterError
from tests.analyses.conversion.conversion_reference import slow_entries, slow_incidence
from tests.helpers import event_rows, make_log, shuffle

DAY = 86_400.0


def rates(result, days: list[float], **where: str) -> list[float]:
    """The table's rates at some days."""
    table = result.table
    for column, value in where.items():
        table = table[table[column] == value]
    return table.set_index("time_seconds")["converted_rate"].reindex([day * DAY for day in days]).tolist()


def test_a_clock_starts_at_the_first_step_1_and_is_never_restarted():
    log = make_log([("a", "A", 0), ("a", "A", 9), ("a", "B", 10)], observed_until=20)
    curve = conversion_curve(log, ["A", "B"])
    assert curve.table.loc[curve.table["events"] > 0, "time_seconds"].tolist() == [10 * DAY]  # not 1
    attempts = conversion_curve(log, ["A", "B"], count="attempts")
    assert attempts.table.loc[attempts.table["events"] > 0, "time_seconds"].tolist() == [1 * DAY, 10 * DAY]


def test_who_is_still_on_the_way_is_neither_lost_nor_won():
    # Of three entries one converts after 2 days, one after 6; one was watched for 4 days only.
    rows = [("a", "A", 0), ("a", "B", 2), ("b", "A", 1), ("b", "B", 7), ("c", "A", 6)]
    log = make_log(rows, observed_until=10)
    assert rates(conversion_curve(log, ["A", "B"]), [2, 6]) == pytest.approx([1 / 3, 1])
    summary = conversion_curve(log, ["A", "B"], within="5d").summary.iloc[0]
    assert summary[["customers", "converted", "unconverted", "censored"]].tolist() == [3, 1, 1, 1]


@pytest.mark.parametrize(("end", "unconverted"), [(5, 0), (5.0001, 1)])
def test_a_window_is_whole_when_it_ended_before_observation_did(end, unconverted):
    log = make_log([("a", "A", 0)], observed_until=end)
    curve = conversion_curve(log, ["A", jk.Step("B")], within="5d")
    assert curve.summary["unconverted"].item() == unconverted


@pytest.mark.parametrize(("day", "converted"), [(5, 1), (5.0001, 0)])
def test_exactly_the_window_counts(day, converted):
    log = make_log([("a", "A", 0), ("a", "B", day)], observed_until=9)
    assert conversion_curve(log, ["A", "B"], within="5d").summary["converted"].item() == converted


def test_another_end_competes_and_is_not_taken_for_censoring():
    # Four enter: two convert on day 1 and 3, one gives up on day 2, one is watched for 9 days.
    rows = [(c, "A", 0) for c in "abcd"] + [("a", "B", 1), ("b", "X", 2), ("b", "B", 5), ("c", "B", 3)]
    curve = conversion_curve(make_log(rows, observed_until=10), ["A", "B"], competing={"gave up": "X"})
    assert rates(curve, [1, 3]) == [0.25, 0.5]  # one minus Kaplan–Meier would say 0.625
    ends = curve.incidence[curve.incidence["end"] == "gave up"].set_index("time_seconds")["incidence"]
    assert ends[2 * DAY] == 0.25
    assert curve.summary["ended_otherwise"].item() == 1
    assert curve.customers("gave up").tolist() == ["b"]


def test_at_one_instant_conversion_counts_and_an_end_at_the_entry_does_not():
    rows = [("a", "A", 0), ("a", "X", 0), ("a", "B", 2), ("a", "X", 2)]
    curve = conversion_curve(make_log(rows, observed_until=9), ["A", "B"], competing={"gone": "X"})
    assert curve.summary[["converted", "ended_otherwise"]].iloc[0].tolist() == [1, 0]


def test_the_stored_order_of_one_instant_decides_if_it_is_trusted():
    rows = [("a", "X", 0), ("a", "A", 0), ("a", "X", 2), ("a", "B", 2)]  # X before the entry, and before the order
    rows += [("b", "B", 0), ("b", "A", 0), ("c", "A", 0), ("c", "X", 0), ("d", "A", 0), ("d", "B", 3), ("d", "X", 3)]
    log = make_log(rows, observed_until=9)
    ends = {"ties": ("any", "stored"), "converted": ([0, 2, 3], [3]), "gone": ([], [0, 2])}
    for i, ties in enumerate(ends["ties"]):
        curve = conversion_curve(log, ["A", "B"], competing={"gone": "X"}, ties=ties)
        happened = curve.incidence[curve.incidence["events"] > 0]
        for end in ("converted", "gone"):
            days = happened.loc[happened["end"] == end, "time_seconds"] / DAY
            assert days.tolist() == ends[end][i], (ties, end)
        assert curve.params["ties"] == ties
    assert conversion_curve(log, ["A", "B"], ties="stored").customers("converted").tolist() == ["a", "d"]


def test_of_two_step_1s_at_one_instant_the_first_stored_gives_the_group():
    log = make_log([("a", "A", 0, "y"), ("a", "A", 0, "x")], columns=["source"], observed_until=9)
    for ties, group in (("any", "x"), ("stored", "y")):
        curve = conversion_curve(log, ["A", jk.Step("B")], by="source", ties=ties)
        assert curve.summary["segment"].tolist() == [group]


def test_only_step_1s_in_the_range_start_a_clock():
    rows = [("a", "A", 0), ("a", "A", 5), ("a", "B", 30), ("b", "A", 10)]
    log = make_log(rows, observed_until=40)
    curve = conversion_curve(log, ["A", "B"], between=("2024-01-04", "2024-01-09"))
    assert curve.customers("entered").tolist() == ["a"]
    assert rates(curve, [25]) == [1]
    assert curve.left_out[["reason", "customers"]].to_numpy().tolist() == [["conversion.not_entered", 1]]


def test_groups_are_those_of_the_entry_event():
    rows = [("a", "A", 0, "ad"), ("a", "A", 1, "mail"), ("a", "B", 2, "mail"), ("b", "A", 0, "mail")]
    log = make_log(rows, columns=["source"], observed_until=9)
    summary = conversion_curve(log, ["A", "B"], by="source").summary.set_index("segment")
    assert summary["converted"].to_dict() == {"ad": 1, "mail": 0}
    attempts = conversion_curve(log, ["A", "B"], by="source", count="attempts").summary.set_index("segment")
    assert attempts[["customers", "entries", "converted"]].loc["mail"].tolist() == [2, 2, 1]


def test_a_segment_known_only_after_the_entry_is_missing():
    rows = [("a", "A", 0), ("a", "B", 5), ("a", "A", 6), ("b", "A", 0)]
    log = make_log(rows, observed_until=9).with_segment("buyer", did="B")
    summary = conversion_curve(log, ["A", "B"], by="buyer", count="attempts").summary
    assert summary[["segment", "entries"]].to_numpy().tolist() == [["yes", 1], ["(missing)", 2]]


def test_of_values_at_one_instant_the_first_by_name_is_taken_however_stored():
    rows = [("a", "A", 0, "web"), ("a", "A", 0, "app"), ("b", "A", 0, "app"), ("b", "A", 0, "web")]
    for each in (rows, rows[::-1]):
        log = make_log(each, columns=["source"], observed_until=9)
        curve = conversion_curve(log, ["A", jk.Step("B")], by="source")
        assert curve.summary["segment"].tolist() == ["app"]


def test_what_was_not_watched_is_not_known():
    log = make_log([("a", "A", 0), ("a", "B", 1), ("b", "A", 2)], observed_until=6)
    curve = conversion_curve(log, ["A", "B"], within="10d", times=["1d", "8d"])
    assert np.isnan(rates(curve, [8])[0])
    assert np.isnan(curve.summary["conversion_rate"].item())
    assert np.isnan(curve.summary["p90_seconds"].item())
    assert "watched" in curve.describe()


def test_nobody_entered():
    curve = conversion_curve(
        make_log([("a", "B", 0)], observed_until=9), [jk.Step("A"), "B"], within="1d", by="touchpoint"
    )
    assert curve.table.empty
    assert curve.left_out["customers"].tolist() == [1]
    assert curve.describe()
    assert curve.metrics().empty
    assert repr(curve)


SPANS = [(float("-inf"), float("inf")), (3, 12)]


@settings(max_examples=120, deadline=None)
@given(
    rows=event_rows(max_time=14, touchpoints="ABCX"),
    steps=st.sampled_from([["A", "B"], ["A", "B", "C"], ["A", "A"], ["AC", "B"]]),
    within=st.sampled_from([None, 3, 6]),
    span=st.sampled_from(SPANS),
    compete=st.booleans(),
    every=st.booleans(),
    ties=st.sampled_from(["any", "stored"]),
)
def test_curves_equal_the_slow_definition(rows, steps, within, span, compete, every, ties):
    log = make_log(rows, observed_until=18)
    others = {"gone": "X"} if compete else {}
    curve = conversion_curve(
        log, [jk.Step(tuple(step)) for step in steps], within=None if within is None else f"{within}d",
        competing={"gone": jk.Step("X")} if compete else None, count="attempts" if every else "customers", ties=ties,
        between=None if span == SPANS[0] else ("2024-01-04", "2024-01-13"), times=[f"{day}d" for day in range(1, 19)],
    )  # fmt: skip
    slow = slow_entries(rows, steps, 18, within=within or np.inf, span=span, others=others, every=every, ties=ties)
    assert len(slow) == (0 if curve.summary.empty else curve.summary.get("entries", curve.summary["customers"]).item())
    if not slow:
        return
    summary = curve.summary.iloc[0]
    assert summary["customers"] == len({each[0] for each in slow})
    assert summary["converted"] == sum(ending == "converted" for _, _, ending, _ in slow)
    whole = sum(not ending and after == within for _, _, ending, after in slow)
    assert summary["unconverted"] == whole
    assert summary["censored"] == sum(not ending for _, _, ending, _ in slow) - whole
    clocks = [(after, ending) for _, _, ending, after in slow]
    last = max(after for after, _ in clocks)
    for day, rate in zip(range(1, 19), rates(curve, list(range(1, 19))), strict=True):
        if not np.isnan(rate):
            assert rate == pytest.approx(slow_incidence(clocks, "converted", day))
        else:
            assert day > last
    for other, touchpoints in others.items():
        table = curve.incidence[curve.incidence["end"] == other].set_index("time_seconds")["incidence"].dropna()
        for time, rate in table.items():
            assert rate == pytest.approx(slow_incidence(clocks, other, time / DAY))
        assert touchpoints == "X"


@settings(max_examples=30, deadline=None)
@given(
    rows=event_rows(max_time=14, touchpoints="ABX", max_size=60),
    seed=st.integers(0, 9),
    count=st.sampled_from(["customers", "attempts"]),
    compete=st.booleans(),
    by=st.sampled_from([None, "source"]),
)
def test_the_same_in_seven_buckets_and_in_any_order(rows, seed, count, compete, by):
    wide = [(*row, "xyz"[len(row[1] + row[0]) % 2 + row[2] % 2]) for row in rows]
    options = {"count": count, "by": by, "competing": {"gone": jk.Step("X")} if compete else None, "within": "6d"}
    steps = [jk.Step("A"), jk.Step("B")]
    log = make_log(wide, columns=["source"], observed_until=18)
    one = conversion_curve(log, steps, **options)
    for other in (
        conversion_curve(log.in_buckets(7), steps, **options),
        conversion_curve(make_log(shuffle(wide, seed), columns=["source"], observed_until=18), steps, **options),
    ):
        for name in ("table", "summary", "comparison", "incidence", "overall_test", "left_out"):
            pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def simulated(seed: int, n: int, *, groups: tuple[str, ...] = ("old", "new"), attempts: int = 1) -> jk.InteractionLog:
    """Customers entering over 60 days who convert after exponential times, or give up."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        group, day, patience = groups[i % len(groups)], rng.uniform(0, 60), rng.gamma(2, 0.5)
        for _ in range(rng.integers(1, attempts + 1)):
            rows.append((f"c{i}", "A", day, group))
            if (gone := rng.exponential(15 * patience)) < 20:
                rows.append((f"c{i}", "B", day + gone, group))
            if (lost := rng.exponential(30)) < 20:
                rows.append((f"c{i}", "X", day + lost, group))
            day += rng.exponential(15)
    return make_log([row for row in rows if row[2] < 80], columns=["group"], observed_until=80)


def test_curves_are_those_of_lifelines():
    lifelines = pytest.importorskip("lifelines")
    log = simulated(1, 300)
    curve = conversion_curve(log, ["A", "B"], within="20d", by="group")
    frame = log.frame(["customer", "time", "touchpoint", "group"])
    first = frame[frame["touchpoint"] == "A"].groupby("customer").first()
    bought = frame[frame["touchpoint"] == "B"].groupby("customer")["time"].first().reindex(first.index)
    seconds = (bought - first["time"]).dt.total_seconds()
    limit = np.minimum((log.ends_at - first["time"]).dt.total_seconds() - 1e-6, 20 * DAY)
    ended = seconds <= limit
    results = {}
    for group, rows in first.groupby("group"):
        own = rows.index
        fitted = lifelines.KaplanMeierFitter().fit(seconds[own].where(ended[own], limit[own]), ended[own])
        table = curve.table[(curve.table["segment"] == group) & (curve.table["converted_rate"] > 0)]
        times = table["time_seconds"].to_numpy()
        assert table["converted_rate"].to_numpy() == pytest.approx(1 - fitted.predict(times).to_numpy())
        interval = 1 - fitted.confidence_interval_.iloc[np.searchsorted(fitted.timeline, times + 1e-6) - 1].to_numpy()
        assert table["converted_rate_low"].to_numpy() == pytest.approx(interval[:, 1], abs=1e-6)
        assert table["converted_rate_high"].to_numpy() == pytest.approx(interval[:, 0], abs=1e-6)
        median = fitted.median_survival_time_
        found = curve.summary.set_index("segment").loc[group, "median_seconds"]
        assert found == pytest.approx(median) or (np.isnan(found) and np.isinf(median))
        results[group] = (seconds[own].where(ended[own], limit[own]), ended[own])
    (a, ended_a), (b, ended_b) = results["new"], results["old"]
    test = lifelines.statistics.logrank_test(a, b, ended_a, ended_b)
    assert curve.comparison["statistic"].item() == pytest.approx(test.test_statistic)
    assert curve.comparison["test_p_value"].item() == pytest.approx(test.p_value)


def test_with_one_entry_a_customer_attempts_are_customers():
    log = simulated(5, 200)
    one, each = (conversion_curve(log, ["A", "B"], by="group", count=count) for count in ("customers", "attempts"))
    names = ["converted_rate", "converted_rate_low", "converted_rate_high"]
    watched = one.table["at_risk"] > 20
    assert one.table.loc[watched, names].to_numpy() == pytest.approx(
        each.table.loc[watched, names].to_numpy(), abs=2e-3
    )
    assert one.overall_test["statistic"].item() == pytest.approx(each.overall_test["statistic"].item(), rel=0.1)


def test_copies_of_every_customer_change_no_rate_and_copies_of_every_attempt_no_interval():
    log = simulated(2, 60, attempts=3)
    frame = log.frame(["customer", "time", "touchpoint", "group"])
    doubled = jk.read_log(
        pd.concat([frame, frame.assign(customer=frame["customer"].astype(str) + "'")]),
        observed_until=log.ends_at, duplicates="keep",
    )  # fmt: skip
    one, two = (conversion_curve(each, ["A", "B"], count="attempts", within="10d") for each in (log, doubled))
    assert one.table["converted_rate"].tolist() == pytest.approx(two.table["converted_rate"].tolist())
    width = [each.summary["conversion_rate_high"] - each.summary["conversion_rate_low"] for each in (one, two)]
    assert (width[0] / width[1]).item() == pytest.approx(np.sqrt(2), rel=0.03)


def test_a_result_pickles_without_its_log():
    log = simulated(3, 40)
    curve = conversion_curve(log, ["A", "B"], by="group")
    again = pickle.loads(pickle.dumps(curve))
    assert again.log is None
    pd.testing.assert_frame_equal(again.table, curve.table)
    assert again.customers("converted", log=log, segment="new").equals(curve.customers("converted", segment="new"))
    assert again.params["definition"] == "conversion_curve/1"


def test_customers_are_those_counted():
    curve = conversion_curve(simulated(3, 80), ["A", "B"], by="group", within="10d", competing={"gave up": "X"})
    for _, row in curve.summary.iterrows():
        for name in ("converted", "unconverted", "censored"):
            assert len(curve.customers(name, segment=row["segment"])) == row[name]
        assert len(curve.customers("gave up", segment=row["segment"])) == row["ended_otherwise"]
    with pytest.raises(ParameterError, match="row must be one of"):
        curve.customers("bought")


def test_metrics_have_one_record_a_number():
    curve = conversion_curve(simulated(3, 80), ["A", "B"], by="group", within="10d")
    metrics = curve.metrics()
    assert (
        metrics.groupby("segment")["name"].apply(list).tolist()
        == [["conversion_rate", "median_seconds", "mean_seconds"]] * 2
    )
    rate = metrics[metrics["name"] == "conversion_rate"].set_index("segment")
    assert rate.loc["new", "value"] == curve.summary.set_index("segment").loc["new", "conversion_rate"]


@pytest.mark.parametrize("count", ["customers", "attempts"])
def test_many_groups_are_each_compared_with_the_first(count):
    rows = [(f"c{i}", "AB"[day % 2], day + i % 4, f"g{i % 22:02}") for i in range(132) for day in range(2)]
    log = make_log(rows, columns=["group"], observed_until=20)
    comparison = conversion_curve(log, ["A", "B"], by="group", count=count).comparison
    assert comparison["a"].tolist() == ["g00"] * 21
    assert comparison["b"].tolist() == [f"g{i:02}" for i in range(1, 22)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": ["A"]}, "two or more"),
        ({"steps": "A"}, "two or more"),
        ({"count": "visits"}, "count must be one of"),
        ({"competing": {"converted": "X"}}, "name of its own"),
        ({"competing": ["X"]}, "mapping"),
        ({"times": []}, "durations"),
        ({"times": ["1m"]}, "minute or a month"),
        ({"confidence": 1}, "confidence"),
        ({"by": ["group"]}, "one column"),
        ({"within": "0d"}, "longer than zero"),
    ],
)
def test_mistakes_are_told(options, says):
    with pytest.raises(ParameterError, match=says):
        conversion_curve(simulated(0, 10), **{"steps": ["A", "B"], **options})


def test_personal_columns_are_refused():
    with pytest.raises(LogError, match="personal"):
        conversion_curve(simulated(0, 10).with_personal("group"), ["A", "B"], by="group")


def test_sessions_are_clustered_by_their_customer():
    log = simulated(4, 60, attempts=3).rekey("session", gap="5d")
    curve = conversion_curve(log, ["A", "B"], within="10d")
    assert curve.params["unit"] == "session"
    buckets = conversion_curve(log.in_buckets(7), ["A", "B"], within="10d")
    pd.testing.assert_frame_equal(curve.table, buckets.table)
