"""The threshold: its definition worked by hand, a slow reference, and intervals that know customers are alike."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.analyses.churn import ChurnThreshold, Inactivity, churn_threshold
from journeykit.analyses.churn import silences as silences_module
from journeykit.analyses.churn.silences import Activity, count_silences
from journeykit.errors import ParameterError
from journeykit.estimators.conditional import conditional_survival
from journeykit.estimators.proportions import wilson
from journeykit.estimators.risk import risk_table
from journeykit.text import has_label, language
from tests.analyses.churn.simulation import cut, simulate
from tests.helpers import ORIGIN, event_rows, make_log

ROWS = event_rows(max_time=40, max_size=60, min_size=5)


@pytest.fixture
def few_are_enough(monkeypatch):
    """Let small logs have a threshold."""
    monkeypatch.setattr(silences_module, "ENOUGH", 2)


def copies(kinds, until):
    """Customers by what their active days are: {days: how many}."""
    rows = [(f"{days}-{i:03d}", "visit", day) for days, n in kinds.items() for i in range(n) for day in days]
    return make_log(rows, observed_until=until)


def silences_of(rows, last):
    """(customer, rank, days, broken) of every silence, straight from the definition."""
    found = []
    for customer in sorted({row[0] for row in rows}):
        days = sorted({int(day) for who, _, day in rows if who == customer and day <= last})
        for rank, day in enumerate(days):
            following = days[rank + 1] if rank + 1 < len(days) else None
            found.append((customer, rank, (last if following is None else following) - day, following is not None))
    return [each for each in found if each[2] > 0]


def curve(silences):
    """Kaplan–Meier of silences as a function, by the product of 1 − d/n."""
    lengths, broken = np.array([each[2] for each in silences]), np.array([each[3] for each in silences])

    def at(day):
        times = np.unique(lengths[broken & (lengths <= day)])
        return float(np.prod([1 - (broken & (lengths == t)).sum() / (lengths >= t).sum() for t in times]))

    return at


# -- by hand ---------------------------------------------------------------------------------


def test_the_share_who_come_back_is_the_curve_after_the_limit():
    # 100 customers are active on days 0 and 10, 60 on 0 and 30, 140 on 0 alone; the last day is 100. Silences: 100 of
    # 10 days and 60 of 30, broken; 100 of 90 days, 60 of 70 and 140 of 100, lasting.
    # S(10) = 360/460, S(30) = 300/460.
    found = churn_threshold(copies({(0, 10): 100, (0, 30): 60, (0,): 140}, 101), horizon="25d", max_comeback=0.1)
    rate = found.table.set_index("limit_days")["comeback_rate"]
    assert rate[1] == pytest.approx(100 / 460)
    assert rate[5] == pytest.approx(160 / 460)  # both within (5, 30]
    assert rate[10] == pytest.approx(60 / 360)
    assert rate[29] == pytest.approx(60 / 360)
    assert rate[30] == 0
    # Silences that last 75 days and more: 240; 76 + 25 days nobody is watched.
    assert found.table["limit_days"].max() == 75
    assert found.summary["limit_days"].tolist() == [30]
    assert found.rule == Inactivity("30d")
    row = found.table[found.table["limit_days"] == 30].iloc[0]
    assert row[["silences", "customers", "at_risk"]].tolist() == [300, 300, 300]  # at risk at 55


def test_silences_after_the_first_active_day_have_a_curve_of_their_own():
    # As before: 300 first silences, 100 of 10 days and 60 of 30, broken, 140 of 100; and 160 second ones that last.
    found = churn_threshold(copies({(0, 10): 100, (0, 30): 60, (0,): 140}, 101), horizon="25d", max_comeback=0.1)
    curves = {rank: rows.set_index("limit_days") for rank, rows in found.rank_curves.groupby("active_day")}
    first, second = curves["1"], curves["2"]
    assert list(curves) == ["1", "2"]
    assert (first.index.min(), first.index.max()) == (1, 75)  # 140 are watched for 100 days
    assert second.index.max() <= 65  # 100 for 90 days, the other 60 for 70
    for limit, share in {1: 100 / 300, 5: 160 / 300, 9: 160 / 300, 11: 60 / 200, 29: 60 / 200, 30: 0, 31: 0}.items():
        assert first["comeback_rate"].get(limit, share) == pytest.approx(share)
    assert (second["comeback_rate"] == 0).all()
    assert first.loc[30, ["silences", "customers", "at_risk"]].tolist() == [140, 140, 140]
    assert second.loc[30, ["silences", "customers", "at_risk"]].tolist() == [160, 160, 160]
    # One silence a customer: Wilson's interval with Greenwood's variance, which without censoring is the binomial's.
    low, high = wilson(100, 300)
    assert first.loc[1, ["comeback_rate_low", "comeback_rate_high"]].tolist() == pytest.approx([low, high])
    assert found.by_rank[["active_day", "limit_days"]].values.tolist() == [["1", 30], ["2", 30]]


def test_a_low_share_before_a_higher_one_is_no_threshold():
    # Nobody comes back within 5 days of a silence of 1 to 44, but many within 5 days of one of 45 to 49.
    log = copies({(0, 50): 150, (0,): 150}, 101)
    found = churn_threshold(log, horizon="5d", max_comeback=0.1)
    assert found.table.set_index("limit_days")["comeback_rate"][20] == 0
    assert found.summary["limit_days"].tolist() == [50]


def test_without_a_threshold_it_says_so():
    log = copies({(0, 50): 150, (0,): 150}, 54)  # the last silence that is watched for 5 days more is of 48
    found = churn_threshold(log, horizon="5d", max_comeback=0.1)
    assert found.rule is None
    assert found.summary["longest_days"].tolist() == [48]
    assert found.table["comeback_rate"].iloc[-1] == pytest.approx(0.5)
    short = churn_threshold(copies({(0,): 150}, 30), horizon="60d")
    assert short.table.empty
    assert short.summary["longest_days"].tolist() == [0]
    assert short.describe() == "The log is too short: fewer than 100 silences are watched for 60 days and a day."
    assert short.figure()


def test_no_silence_will_do_where_many_always_come_back():
    log = copies({tuple(range(0, 200, 20)): 120}, 200)
    found = churn_threshold(log, horizon="15d", max_comeback=0.05)
    assert found.rule is None
    assert found.describe().startswith("No silence will do: up to")


def test_only_silences_from_the_start_on_count():
    # 120 visit for long before they order on day 50, come back on day 60, and then never; 300 visitors never order.
    visits = [(f"b{i}", "visit", day) for i in range(120) for day in (0, 40, 60)]
    rows = visits + [(f"b{i}", "order", 50) for i in range(120)] + [(f"v{i}", "visit", 0) for i in range(300)]
    log = make_log(rows, observed_until=161)
    found = churn_threshold(log, start="order", horizon="40d")
    assert found.rule == Inactivity("10d")
    assert found.table.set_index("limit_days").loc[1, ["silences", "comeback_rate"]].tolist() == [240, 0.5]
    assert dict(found.left_out.to_numpy()) == {"churn.no_start": 300}
    assert found.params["start"] == "order"
    assert sorted(found.customers(len(found.table) - 1)) == sorted(f"b{i}" for i in range(120))
    # The start counts as activity whatever else does.
    assert churn_threshold(log, start="order", activity="visit", horizon="40d").rule == Inactivity("10d")
    assert churn_threshold(log, horizon="40d").rule == Inactivity("40d")


def test_customers_without_a_silence_are_counted_with_the_reason():
    rows = [("a", "visit", 0), ("b", "visit", 20), ("c", "order", 3), ("d", "visit", 20.5)]
    found = churn_threshold(make_log(rows, observed_until=20.9), activity="visit")
    assert dict(found.left_out.to_numpy()) == {"churn.no_activity": 1, "churn.started_after": 2}
    found = churn_threshold(make_log(rows[:3], observed_until=21), activity="visit")
    assert dict(found.left_out.to_numpy()) == {"churn.no_activity": 1, "churn.no_time_at_risk": 1}


# -- against slow versions -------------------------------------------------------------------


def from_the_start(rows, start, activity):
    """Each customer's first start, whatever counts as activity, and the activity stored after it."""
    found = []
    for who in {row[0] for row in rows}:
        mine = sorted((row for row in rows if row[0] == who), key=lambda row: row[2])  # stable, as stored
        begin = next((i for i, row in enumerate(mine) if start is None or row[1] in start), len(mine))
        if start is None:
            found += [row for row in mine if activity is None or row[1] in activity]
        else:
            found += mine[begin : begin + 1]
            found += [row for row in mine[begin + 1 :] if activity is None or row[1] in activity]
    return found


@given(
    rows=ROWS,
    until=st.sampled_from([41, 41.5, 50]),
    activity=st.sampled_from([None, ("A", "B")]),
    start=st.sampled_from([None, ("C",), ("A", "D")]),
)
def test_silences_are_counted_as_the_definition_says(rows, until, activity, start):
    from journeykit.journey import Step

    log = make_log(rows, observed_until=until)
    mine = from_the_start(rows, start, activity)
    expected = pd.Series(
        [(min(rank, 3), days, int(broken)) for _, rank, days, broken in silences_of(mine, int(until) - 1)]
    )
    asked = Activity(Step(activity) if activity else None, start=Step(start) if start else None)
    counted = log.tally(count_silences, activity=asked).reset_index()
    counted = counted[counted["what"] == "silence"]
    got = {(row.rank, row.days, row.broken): row.silences for row in counted.itertuples()}
    assert got == expected.value_counts().to_dict()


@settings(max_examples=25)
@given(rows=ROWS, horizon=st.integers(1, 15), accepted=st.sampled_from([0.1, 0.3, 0.6]))
def test_threshold_and_shares_are_the_slow_loop_of_the_definition(rows, horizon, accepted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silences_module, "ENOUGH", 2)
        log = make_log(rows, observed_until=45)
        found = churn_threshold(log, horizon=f"{horizon}d", max_comeback=accepted)
    silences = silences_of(rows, 44)
    s = curve(silences)
    limits = [d for d in range(1, 60) if sum(each[2] >= d + horizon for each in silences) >= 2]
    rates = {d: 1 - s(d + horizon) / s(d) for d in limits if s(d) > 0}
    fine = [d for d in limits if all(rates[later] <= accepted + 1e-12 for later in limits if later >= d)]
    expected = min(fine) if fine else np.nan
    assert found.summary["limit_days"].iloc[0] == pytest.approx(expected, nan_ok=True)
    for row in found.table.itertuples():
        assert row.comeback_rate == pytest.approx(rates[row.limit_days])
        longer = [each for each in silences if each[2] > row.limit_days]
        assert (row.silences, row.customers) == (len(longer), len({each[0] for each in longer}))
    for row in found.rank_curves.itertuples():
        mine = [each for each in silences if min(each[1], 3) == "1 2 3 4+".split().index(row.active_day)]
        s, longer = curve(mine), [each for each in mine if each[2] > row.limit_days]
        watched = sum(each[2] >= row.limit_days + horizon for each in mine)
        assert row.comeback_rate == pytest.approx(1 - s(row.limit_days + horizon) / s(row.limit_days))
        assert (row.silences, row.customers) == (len(longer), len({each[0] for each in longer}))
        assert row.at_risk == watched >= 1
    assert set(found.by_rank.get("limit_days", [])) <= {expected, max(limits, default=0)}


def influence_by_nudging(silences, d, horizon):
    """Sum of squared derivatives of log S(d + H)/S(d) by the weight of each customer, numerically."""
    customers = sorted({each[0] for each in silences})
    who = np.array([customers.index(each[0]) for each in silences])
    lengths, broken = np.array([each[2] for each in silences]), np.array([each[3] for each in silences])

    def log_ratio(weight):
        each = weight[who]
        times = np.unique(lengths[broken & (lengths > d) & (lengths <= d + horizon)])
        return sum(np.log1p(-each[broken & (lengths == t)].sum() / each[lengths >= t].sum()) for t in times)

    step = 1e-5
    nudges = np.eye(len(customers)) * step
    ones = np.ones(len(customers))
    return sum(((log_ratio(ones + nudge) - log_ratio(ones - nudge)) / (2 * step)) ** 2 for nudge in nudges)


def test_variance_is_the_sum_of_squared_influences():
    rng = np.random.default_rng(3)
    rows = [
        (f"c{i}", "visit", int(day)) for i in range(25) for day in np.cumsum(rng.geometric(1 / rng.integers(3, 15), 9))
    ]
    rows = [row for row in rows if row[2] < 80]
    log = make_log(rows, observed_until=80)
    silences = silences_of(rows, 79)
    spreads = log.tally(
        silences_module.spread, activity=Activity(), limits=[4, 9, 17], horizon=12, ranks=1,
        steps={("overall", 0): step_arrays(silences)},
    )  # fmt: skip
    for d in (4, 9, 17):
        assert spreads.loc[("overall", 0, d), "squares"] == pytest.approx(
            influence_by_nudging(silences, d, 12), rel=1e-6
        )
    ranked = {rank: [each for each in silences if min(each[1], 3) == rank] for rank in range(4)}
    spreads = log.tally(
        silences_module.spread, activity=Activity(), limits=[4, 9], horizon=12, ranks=4,
        steps={("overall", rank): step_arrays(each) for rank, each in ranked.items()},
    )  # fmt: skip
    for rank, each in ranked.items():
        for d in (4, 9):
            expected = influence_by_nudging(each, d, 12)
            assert spreads.loc[("overall", rank, d), "squares"] == pytest.approx(expected, rel=1e-6)


def step_arrays(silences):
    table = risk_table([each[2] for each in silences], [each[3] for each in silences])
    return tuple(table[name].to_numpy() for name in ("time", "at_risk", "events"))


def test_with_one_silence_a_customer_the_variance_is_greenwoods(few_are_enough):
    # Only the last silence is open, so one a customer means active once: none is broken. A second activity on the
    # last day leaves one silence of that length, and one of no day.
    rng = np.random.default_rng(1)
    rows = [
        row
        for i in range(80)
        for row in [(f"c{i:02d}", "visit", 60 - int(rng.integers(1, 60))), (f"c{i:02d}", "visit", 60)]
    ]
    rows += [(f"d{i:02d}", "visit", int(rng.integers(0, 60))) for i in range(60)]
    found = churn_threshold(make_log(rows, observed_until=61), horizon="20d").table
    silences = silences_of(rows, 60)
    table = risk_table([each[2] for each in silences], [each[3] for each in silences])
    for row in found.iloc[::7].itertuples():
        expected = conditional_survival(table, row.limit_days, [row.limit_days + 20])["survival_se"].iloc[0]
        rate = row.comeback_rate
        if not 0 < rate < 1:
            continue
        z = 1.959963984540054  # Wilson's interval solved for n: the width at a rate of p with n
        n = rate * (1 - rate) / expected**2
        low = (rate + z**2 / (2 * n) - z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)
        assert row.comeback_rate_low == pytest.approx(low)


@settings(max_examples=10)
@given(rows=ROWS, by=st.sampled_from([None, "channel"]), start=st.sampled_from([None, "A"]))
def test_in_one_piece_is_in_seven_buckets(rows, by, start):
    rows = [(*row, ["x", "y", None][i % 3]) for i, row in enumerate([*rows, ("z", "A", 3), ("z", "B", 9)])]
    log = make_log(rows, columns=["channel"], channel="channel", observed_until=45)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silences_module, "ENOUGH", 2)
        whole, merged = (churn_threshold(each, horizon="6d", by=by, start=start) for each in (log, log.in_buckets(7)))
    for name in ("table", "summary", "rank_curves", "by_rank", "sensitivity", "left_out"):
        pd.testing.assert_frame_equal(getattr(whole, name), getattr(merged, name))


# -- what it promises ------------------------------------------------------------------------


def test_a_longer_log_keeps_the_threshold_where_quantiles_of_completed_silences_drift():
    whole = simulate(3000, seed=2, life=400, gap=20, starts_within=30, until=900)
    short, long = cut(whole, 260), cut(whole, 900)
    thresholds = [churn_threshold(log, horizon="60d").summary["limit_days"].iloc[0] for log in (short, long)]
    assert thresholds[0] == pytest.approx(thresholds[1], abs=6)
    # Of a log of 50 days, only silences that were broken within it are complete: the 95th percentile grows with it.
    quantiles = []
    for until in (50, 900):
        log = cut(whole, until)
        gaps = np.diff(log.days)[np.diff(log.customer_codes) == 0]
        quantiles.append(np.quantile(gaps[gaps > 0], 0.95))
    assert quantiles[1] > 1.3 * quantiles[0]


def test_duplicating_customers_changes_no_share_and_narrows_the_interval():
    log = simulate(800, seed=4, life=150, gap=12, until=330)
    frame = log.frame()
    twice = pd.concat([frame, frame.assign(customer=frame["customer"] + 10_000)])
    days = (twice["time"].dt.tz_localize(None) - pd.Timestamp("2024-01-01")).dt.days
    double = make_log(list(zip(twice["customer"], twice["touchpoint"], days, strict=True)), observed_until=330)
    one, two = (churn_threshold(each, horizon="60d").table.set_index("limit_days") for each in (log, double))
    limits = one.index.intersection(two.index)
    limits = limits[one.loc[limits, "comeback_rate"].between(0.05, 0.9)]
    assert two.loc[limits, "comeback_rate"].to_numpy() == pytest.approx(one.loc[limits, "comeback_rate"].to_numpy())
    width = [t.loc[limits, "comeback_rate_high"] - t.loc[limits, "comeback_rate_low"] for t in (one, two)]
    assert (width[1] / width[0]).to_numpy() == pytest.approx(np.full(len(limits), 1 / np.sqrt(2)), abs=0.03)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"horizon": "36h"}, "whole days"),
        ({"max_comeback": 0}, "max_comeback == 0"),
        ({"max_comeback": 1.2}, "max_comeback"),
        ({"confidence": 0}, "confidence"),
        ({"activity": "vist"}, "did you mean 'visit'"),
    ],
)
def test_what_can_not_be_is_refused(options, says):
    with pytest.raises(ParameterError, match=says):
        churn_threshold(make_log([("a", "visit", 0)], observed_until=9), **options)


def test_a_log_without_a_silence_is_refused_with_the_reasons():
    with pytest.raises(ParameterError, match=r"nobody with a silence: 1 ended, or observation did"):
        churn_threshold(make_log([("a", "visit", 0)], observed_until=1))


@pytest.fixture(scope="module")
def found() -> ChurnThreshold:
    groups = np.random.default_rng(3).choice(["web", "shop"], 1500)
    return churn_threshold(
        cut(simulate(1500, seed=5, life=150, gap=14, columns={"channel_of": groups}), 400), by="channel_of"
    )


def test_the_threshold_is_a_result(found):
    assert found.summary["segment"].tolist() == ["shop", "web"]
    assert found.rule is None  # a threshold a group: which is not for this to say
    metrics = found.metrics()
    assert not metrics.duplicated(["name", "segment", "period", "definition"]).any()
    assert metrics.loc[metrics["name"] == "limit_days", "value"].tolist() == found.summary["limit_days"].tolist()
    stored = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(stored.table, found.table)
    assert len(found.customers(3)) == found.table["customers"].iloc[3]
    assert "<table" in found._repr_html_()
    assert set(found.by_rank["active_day"]) == {"1", "2", "3", "4+"}
    same = (found.sensitivity["horizon_days"] == 90) & (found.sensitivity["max_comeback_rate"] == 0.05)
    assert found.sensitivity.loc[same, "limit_days"].tolist() == found.summary["limit_days"].tolist()


@pytest.mark.parametrize("code", ["en", "he"])
def test_every_column_has_words(found, code):
    frames = [found.table, found.summary, found.rank_curves, found.sensitivity]
    assert [name for frame in frames for name in frame if not has_label(name, language=code)] == []
    with language(code):
        assert found.describe()
        found.figure().canvas.draw()


def test_the_picture_is_the_table(found):
    ax = found.plot()
    drawn = [line for line in ax.lines if len(line.get_xdata()) > 2]
    for line, group in zip(drawn, ["shop", "web"], strict=True):
        rows = found.table[found.table["segment"] == group]
        assert line.get_xdata().tolist() == rows["limit_days"].tolist()
        assert line.get_ydata().tolist() == rows["comeback_rate"].tolist()
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert marks == found.summary["limit_days"].tolist()


def test_the_picture_by_active_day_is_the_table_of_one_segment(found):
    ax = found.plot_ranks(segment="web")
    rows = found.rank_curves[found.rank_curves["segment"] == "web"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["1", "2", "3", "4+"]
    for line, rank in zip(ax.lines, ["1", "2", "3", "4+"], strict=False):
        drawn = rows[rows["active_day"] == rank]
        assert line.get_xdata().tolist() == drawn["limit_days"].tolist()
        assert line.get_ydata().tolist() == drawn["comeback_rate"].tolist()
    assert ax.get_ylim()[1] >= rows["comeback_rate_high"].max()  # whatever the curve of all silences reaches
    with pytest.raises(ParameterError, match="segment must be one of"):
        found.plot_ranks()


@pytest.mark.slow
def test_intervals_cover_the_truth_though_silences_of_a_customer_are_alike():
    """Customers differ in how often they are active: a share over silences as if they were independent is too sure."""

    def log_of(n, seed):
        rng = np.random.default_rng(seed)
        often = rng.choice([4.0, 30.0], n)
        days = np.cumsum(rng.geometric(1 / often[:, None], (n, 140)), axis=1)
        alive = days < 200
        customer, _ = np.nonzero(alive)
        return make_log(
            [(int(who), "visit", int(day)) for who, day in zip(customer, days[alive], strict=True)], observed_until=200
        )

    truth = churn_threshold(log_of(20_000, 0), horizon="10d").table.set_index("limit_days")["comeback_rate"]
    runs, hits, limits = 300, np.zeros(3), [1, 5, 15]
    for seed in range(runs):
        table = churn_threshold(log_of(120, 100 + seed), horizon="10d").table.set_index("limit_days")
        rows = table.reindex(limits)
        hits += (
            (rows["comeback_rate_low"] <= truth[limits]) & (truth[limits] <= rows["comeback_rate_high"])
        ).to_numpy()
    share = hits / runs
    assert (np.abs(share - 0.95) < 0.038).all(), share  # three standard errors of 300 runs


def test_a_range_of_starts_chooses_customers_and_watches_them_on():
    rows = [(f"old{i}", "visit", day) for i in range(120) for day in (0, 3, 90)]
    rows += [(f"new{i}", "visit", day) for i in range(120) for day in (20, 25)]
    log = make_log(rows, observed_until=150)
    first, end = ORIGIN + pd.Timedelta("10d"), ORIGIN + pd.Timedelta("30d")
    found = churn_threshold(log, horizon="20d", between=(first, end))
    alone = churn_threshold(make_log(rows[360:], observed_until=150).between(None), horizon="20d")
    assert found.summary["limit_days"].tolist() == alone.summary["limit_days"].tolist() == [5]
    assert dict(found.left_out.values) == {"churn.not_between": 120}
    assert found.customers(0).str.startswith("new").all()
    seven = churn_threshold(log.in_buckets(7), horizon="20d", between=(first, end))
    pd.testing.assert_frame_equal(found.table, seven.table)
    assert found.params["between"] == ("2024-01-11", "2024-01-31")
    with pytest.raises(ParameterError, match="must be dates"):
        churn_threshold(log, between=("2024-01-11 12:00", None))
