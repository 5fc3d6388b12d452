"""What to fix first: sums by hand, a slow reference, pieces, and ten identical segments that promise nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import journeykit as jk
from journeykit.estimators.bootstrap import bootstrap_sums, customer_keys, poisson_weights
from journeykit.estimators.bootstrap_cells import bootstrap_cells
from journeykit.overviews import opportunities
from journeykit.overviews.losses import in_first_half
from tests.helpers import event_rows, make_log
from tests.result_methods import stored_and_shown

NO_CAUSE = {"nothing": jk.Step("nothing that occurs")}


def halves(log):
    first = in_first_half(customer_keys(log.customers))
    return {str(customer): bool(half) for customer, half in zip(log.customers, first, strict=True)}


def shop(rates, customers=100, value=10.0, columns=("segment", "value")):
    """A log in which a share of each segment goes from V to B, the same in both halves, and spends."""
    rows, customer = [], 0
    for segment, rate in rates.items():
        left = {True: customers, False: customers}
        while any(left.values()):
            customer += 1
            half = bool(in_first_half(customer_keys([f"c{customer}"]))[0])
            if left[half]:
                left[half] -= 1
                rows.append((f"c{customer}", "V", 0, segment, np.nan))
                if left[half] < rate * customers:
                    rows.append((f"c{customer}", "B", 1, segment, value))
    return make_log(rows, columns=list(columns), value="value", observed_until=60)


# -- by hand -------------------------------------------------------------------------------------------


def test_a_segment_loses_what_the_best_keeps_and_what_those_who_stay_are_worth():
    # 100 customers of each segment in each half; 60 of 100 and 40 of 100 buy, for 10 each.
    found = opportunities(shop({"good": 0.6, "poor": 0.4}), ["V", "B"], within="10d", by="segment", causes=NO_CAUSE)
    (row,) = found.table.itertuples()
    assert (row.kind, row.by, row.segment, row.target) == ("leak", "segment", "poor", "good")
    assert (row.customers, row.rate, row.target_rate) == (200, 0.4, 0.6)
    assert (row.lost_customers, row.lost_conversions, row.lost_value) == pytest.approx((40, 40, 400))
    # Binomial: the standard error of a difference of two rates over 100 each, times 200 customers.
    error = 200 * np.sqrt(0.6 * 0.4 / 100 + 0.4 * 0.6 / 100)
    assert row.lost_customers_high - row.lost_customers_low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_a_stated_target_is_compared_with_everybody_and_each_segment():
    log = shop({"good": 0.6, "poor": 0.4})
    found = opportunities(log, ["V", "B"], within="10d", by="segment", target={"B": 0.7}, causes=NO_CAUSE)
    lost = found.table.set_index(found.table["segment"].fillna("all"))["lost_customers"]
    assert lost.to_dict() == pytest.approx({"all": 80, "poor": 60, "good": 20})
    assert found.table["target"].unique().tolist() == ["target"]
    assert opportunities(log, ["V", "B"], within="10d", by=[], target={"B": 0.7}, causes=NO_CAUSE).table[
        "lost_customers"
    ].tolist() == pytest.approx([80])


def test_a_leak_costs_what_those_who_came_further_brought():
    # All who come to C are worth 10 × ½: half of them buy.
    rows = []
    for i in range(400):
        segment = "good" if i % 2 else "poor"
        rows.append((f"c{i}", "V", 0, segment, np.nan))
        if i % 4 != 0:
            rows.append((f"c{i}", "C", 1, segment, np.nan))
            if i % 8 in (1, 2, 5):
                rows.append((f"c{i}", "B", 2, segment, 10.0))
    log = make_log(rows, columns=["segment", "value"], value="value", observed_until=60)
    found = opportunities(log, ["V", "C", "B"], within="10d", by="segment", causes=NO_CAUSE)
    row = found.table.set_index(["segment", "next_step"]).loc[("poor", "C")]
    half = halves(log)
    second = [i for i in range(400) if not half[f"c{i}"]]
    came = [i for i in second if i % 4 == 2]  # of the poor
    buys = [i for i in came if i % 8 == 2]
    gap = 1 - len(came) / len([i for i in second if i % 2 == 0])
    assert row["lost_customers"] == pytest.approx(200 * gap)
    assert row["lost_conversions"] == pytest.approx(200 * gap * len(buys) / len(came))
    assert row["lost_value"] == pytest.approx(200 * gap * 10 * len(buys) / len(came))


def test_value_counts_from_the_step_to_the_end_of_the_window():
    rows = [("a", "V", 0, 100.0), ("a", "B", 2, 10.0), ("a", "X", 10, 5.0), ("a", "X", 11, 1000.0), ("a", "X", 1, 7.0)]
    from journeykit.analyses.friction.counts import find_base
    from journeykit.journey.first_attempts import read_attempts
    from journeykit.overviews.losses import customer_sums

    log = make_log(rows, columns=["value"], value="value", observed_until=60)
    base = find_base(log, read_attempts(log, ["V", "B"], "10d", None))
    assert customer_sums(log, base, np.array([0]), 2).tolist() == [[1, 1, 15.0]]


def test_without_values_conversions_are_ranked():
    rows = [(f"c{i}", "V", 0, "ab"[i % 2]) for i in range(200)] + [
        (f"c{i}", "B", 1, "ab"[i % 2]) for i in range(1, 200, 2)
    ]
    found = opportunities(
        make_log(rows, columns=["segment"], observed_until=60), ["V", "B"], within="10d", by="segment", causes=NO_CAUSE
    )
    assert found.measure == "lost_conversions"
    assert np.isnan(found.table["lost_value"]).all()
    assert "conversions" in found.describe()
    assert found.customers(0).tolist() == sorted(f"c{i}" for i in range(0, 200, 2))
    # All of one and none of the other: no replicate differs, and the interval is Newcombe's all the same.
    (row,) = found.table.itertuples()
    assert row.lost_customers == row.lost_customers_high == 100
    assert 85 < row.lost_customers_low < 100
    assert row.p_value < 1e-6


def test_small_segments_are_neither_listed_nor_the_best():
    rows = [(f"c{i}", "V", 0, "large") for i in range(200)] + [(f"s{i}", "V", 0, "small") for i in range(10)]
    rows += [(f"s{i}", "B", 1, "small") for i in range(10)] + [(f"c{i}", "B", 1, "large") for i in range(50)]
    log = make_log(rows, columns=["segment"], observed_until=60)
    assert opportunities(log, ["V", "B"], within="10d", by="segment", causes=NO_CAUSE).table.empty
    found = opportunities(log, ["V", "B"], within="10d", by="segment", causes=NO_CAUSE, min_n=1)
    assert found.table["segment"].tolist() == ["large"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"target": {"V": 0.5}}, "must name steps"),
        ({"target": {"B": 2}}, "from 0 to 1"),
        ({"min_n": 0}, "from 1 on"),
        ({"replicates": 5}, "from 20 on"),
        ({"by": "colour"}, "no 'colour'"),
        ({}, "nothing to compare with"),
    ],
)
def test_what_cannot_be_asked_is_said(options, says):
    log = make_log([("a", "V", 0), ("a", "B", 1)], observed_until=60)
    with pytest.raises(ValueError, match=says):
        opportunities(log, ["V", "B"], within="10d", causes=NO_CAUSE, **options)


def test_nobody_mature():
    log = make_log([("a", "V", 0, "x"), ("a", "B", 1, "x")], columns=["segment"], observed_until=5)
    found = opportunities(log, ["V", "B"], within="10d", by="segment")
    assert found.table.empty
    assert "Nobody" in found.describe()
    assert repr(found) is not None
    assert found.plot()


# -- bootstraps, a slow version, and pieces ------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(-3, 9)), min_size=1, max_size=30))
def test_cells_are_bootstrapped_as_sums_are(contributions):
    customer, cell, value = (np.array(each) for each in zip(*contributions, strict=True))
    ids = [f"c{i}" for i in range(6)]
    wide = np.zeros((6, 4))
    np.add.at(wide, (customer, cell), value)
    expected = bootstrap_sums(pd.DataFrame(wide), ids, seed=3, replicates=5).to_numpy().T
    found = bootstrap_cells(customer, cell, value, 4, customer_keys(ids), seed=3, replicates=5)
    assert found == pytest.approx(expected)


@given(rows=event_rows(customers="abcdefghijkl", touchpoints=("V", "C", "B", "X"), max_time=30, max_size=80))
def test_the_sums_are_those_of_a_loop_over_customers(rows):
    named = [(*row, "xy"[ord(row[0]) % 2], float(i % 7)) for i, row in enumerate(rows)]
    named += [("z", "V", 0, "x", 0.0), ("z", "C", 1, "x", 0.0), ("z", "B", 2, "x", 5.0)]
    log = make_log(named, columns=["segment", "value"], value="value", observed_until=40)
    found = opportunities(
        log, ["V", "C", "B"], within="10d", by="segment", causes=NO_CAUSE, min_n=1, replicates=20, target={"C": 1.0}
    )
    frame, half = log.frame(), halves(log)
    for row in found.table[found.table["next_step"] == "C"].itertuples():
        counts = {True: [0, 0], False: [0, 0]}
        for customer, events in frame.groupby("customer", sort=False):
            names, days = events["touchpoint"].tolist(), (events["time"] - log.starts_at).dt.days.tolist()
            if "V" not in names:
                continue
            entry = names.index("V")
            if isinstance(row.segment, str) and events["segment"].iloc[entry] != row.segment:
                continue
            start = days[entry]
            if events["time"].iloc[entry] + pd.Timedelta("10d") >= log.ends_at:
                continue
            counts[half[str(customer)]][0] += 1
            counts[half[str(customer)]][1] += any(
                name == "C" and start <= day <= start + 10 for name, day in zip(names, days, strict=True)
            )
        (n, on), (m, _) = counts[False], counts[True]
        assert row.customers == n + m
        assert row.rate == pytest.approx(on / n)
        assert row.lost_customers == pytest.approx((n + m) * (1 - on / n))


@settings(max_examples=12)
@given(rows=event_rows(customers="abcdefghijkl", touchpoints=("V", "C", "B", "E"), max_time=30, max_size=90))
def test_seven_buckets_are_one_piece(rows):
    named = [(*row, "xyz"[i % 3], float(i % 7)) for i, row in enumerate(rows)]
    named += [("z", "V", 0, "x", 0.0), ("z", "E", 1, "x", 0.0), ("z", "C", 1, "x", 0.0), ("z", "B", 2, "x", 5.0)]
    log = make_log(named, columns=["channel", "value"], channel="channel", value="value", observed_until=40)
    options = {"within": "10d", "causes": {"error": "E"}, "min_n": 1, "replicates": 20}
    whole, pieces = (opportunities(each, ["V", "C", "B"], **options) for each in (log, log.in_buckets(7)))
    for name in ("table", "summary", "left_out"):
        assert_frame_equal(getattr(whole, name), getattr(pieces, name))
    assert whole.params == pieces.params
    for row in range(len(whole.table)):
        assert whole.customers(row).tolist() == pieces.customers(row).tolist()


def test_halves_are_even_and_independent_of_the_weights():
    keys = customer_keys(np.arange(100_000))
    first = in_first_half(keys)
    assert first.mean() == pytest.approx(0.5, abs=0.006)
    weights = poisson_weights(0, 1, keys)
    assert weights[first].mean() == pytest.approx(weights[~first].mean(), abs=0.03)


# -- truth ----------------------------------------------------------------------------------------------------


def identical(rng, customers=2000):
    """Ten channels that are all the same: 30% go on, whatever the channel."""
    channel = rng.integers(0, 10, customers).astype(str)
    ids = rng.integers(0, 2**40, customers)
    buys = np.flatnonzero(rng.random(customers) < 0.3)
    frames = [
        pd.DataFrame({"customer": ids, "time": 0, "touchpoint": "V", "channel": channel}),
        pd.DataFrame({"customer": ids[buys], "time": 1, "touchpoint": "B", "channel": channel[buys]}),
    ]
    raw = pd.concat(frames)
    raw["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(raw["time"], unit="D")
    return jk.read_log(raw, channel="channel", observed_until="2024-03-01")


def share_who_buy(touchpoints):
    return (touchpoints == "B").sum() / (touchpoints == "V").sum()


def promised(logs):
    """Of each log: the first row's loss and bounds, what one half alone would have promised, and clear rows."""
    rows = []
    for log in logs:
        found = opportunities(log, ["V", "B"], within="10d", causes=NO_CAUSE, replicates=200)
        first = found.table.iloc[0]
        frame = log.frame(["customer", "channel", "touchpoint"])
        rate = frame.groupby("channel", observed=True)["touchpoint"].agg(
            lambda each: (each == "B").sum() / (each == "V").sum()
        )
        naive = (rate.max() - rate.min()) * (frame["touchpoint"] == "V").sum() / 10
        rows.append((first["lost_customers"], first["lost_customers_low"], first["lost_customers_high"], naive,
                     found.summary["clear"].iloc[0] > 0))  # fmt: skip
    return np.array(rows, dtype=float).T


def test_the_best_of_ten_identical_segments_promises_nothing():
    rng = np.random.default_rng(8)
    lost, low, high, naive, clear = promised(identical(rng) for _ in range(40))
    assert abs(lost.mean()) < 3 * lost.std(ddof=1) / np.sqrt(len(lost))
    assert naive.min() > 10  # what is promised if the same customers choose and estimate
    assert ((low <= 0) & (high >= 0)).mean() >= 0.85
    assert clear.mean() <= 0.15


@pytest.mark.slow
def test_and_its_interval_covers_nothing_as_often_as_it_says():
    rng = np.random.default_rng(9)
    lost, low, high, _, clear = promised(identical(rng) for _ in range(400))
    assert abs(lost.mean()) < 3 * lost.std(ddof=1) / np.sqrt(len(lost))
    assert 0.92 <= ((low <= 0) & (high >= 0)).mean() <= 0.98
    assert clear.mean() <= 0.07


@pytest.mark.slow
def test_a_real_loss_is_covered():
    rng = np.random.default_rng(10)
    inside = []
    for _ in range(300):
        poor = rng.random(1200) < 0.5
        ids = rng.integers(0, 2**40, 1200)
        buys = np.flatnonzero(rng.random(1200) < np.where(poor, 0.25, 0.40))
        raw = pd.concat(
            [
                pd.DataFrame({"customer": ids, "time": 0, "touchpoint": "V", "channel": np.where(poor, "p", "g")}),
                pd.DataFrame({"customer": ids[buys], "time": 1, "touchpoint": "B", "channel": "x"}),
            ]
        )
        raw["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(raw["time"], unit="D")
        log = jk.read_log(raw, channel="channel", observed_until="2024-03-01")
        row = opportunities(log, ["V", "B"], within="10d", causes=NO_CAUSE, replicates=300).table.iloc[0]
        inside.append(row["lost_customers_low"] <= 0.15 * poor.sum() <= row["lost_customers_high"])
    assert 0.92 <= np.mean(inside) <= 0.98


# -- the result --------------------------------------------------------------------------------------------------


def test_the_result_has_every_method_in_both_languages():
    log = jk.load_sample("guitar_shop")
    found = opportunities(log, by=["channel", "segment"], replicates=60)
    assert "if the whole difference were causal" in found.describe()
    assert found.table["rank"].tolist() == list(range(1, len(found.table) + 1))
    assert found.metrics()["definition"].unique().tolist() == ["opportunities/1"]
    for _ in stored_and_shown(found, log):
        shown = found.table["lost_value"].head(12).tolist()
        assert [bar.get_width() for bar in found.plot().patches] == pytest.approx(shown)
        assert len(found.figure().axes) == 2


def test_steps_may_be_stages():
    log = jk.load_sample("guitar_shop").with_stages(jk.StageModel.digital())
    found = opportunities(log, ["awareness", "consideration", "purchase"], by="segment", replicates=60)
    first = found.table.iloc[0]
    assert (first["kind"], first["segment"], first["target"]) == ("leak", "beginner", "professional")
    funnel = jk.funnel(log, ["awareness", "consideration", "purchase"], within="30d", entry="first", by="segment")
    reached = funnel.table.set_index(["segment", "step"])["customers_mature"]
    assert first["customers"] == reached[first["segment"], first["step"]]


def test_customers_of_a_friction_are_those_who_met_it_and_did_not_convert():
    log = jk.load_sample("guitar_shop")
    found = opportunities(log, ["checkout", "order"], within="14d", by="device", replicates=60)
    place = int(np.flatnonzero(found.table["cause"] == "payment_error")[0])
    frictions = jk.friction(log, ["checkout", "order"], within="14d")
    assert found.customers(place).tolist() == frictions.customers("payment_error", converted=False).tolist()
    assert found.table["customers"].iloc[place] == len(frictions.customers("payment_error"))
