"""The usage interval, the trend of active customers, and what a change of retention is made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from journeykit.analyses.lifecycle import active_customers, stickiness
from journeykit.analyses.retention import retention
from journeykit.errors import ParameterError
from journeykit.estimators.decomposition import effects, separate_patterns, split_change
from journeykit.estimators.proportions import clustered_n, customer_sums, wilson_rate
from journeykit.text import has_label, language
from tests.helpers import event_rows, make_log


def visits(days, until):
    return make_log([(who, "visit", day) for who, theirs in days.items() for day in theirs], observed_until=until)


# -- usage interval ----------------------------------------------------------------------------


def test_the_usage_interval_is_the_median_gap_between_active_days():
    # Gaps: ann 3, 4 (two visits on a day are one active day), bob 10; cid has none.
    log = visits({"ann": [0, 0.5, 3, 7], "bob": [1, 11], "cid": [5]}, until=40)
    row = stickiness(log).usage_interval().iloc[0]
    assert row[["gaps", "customers", "usage_days", "usage_period"]].tolist() == [3, 2, 4, "week"]


def test_days_are_local_ones():
    rows = [("ann", "visit", 23.0), ("ann", "visit", 25.0)]  # 23:00 and 01:00 local
    assert make_log(rows, unit="h", observed_until=99, timezone="Asia/Kolkata").days.tolist() == [19723, 19724]
    log = make_log(rows, unit="h", observed_until=99, timezone="Asia/Kolkata")
    assert stickiness(log).usage_interval()["usage_days"].tolist() == [1]


def test_only_gaps_inside_the_window_and_of_the_activity_count():
    log = make_log(
        [("ann", "visit", 0), ("ann", "mail", 2), ("ann", "visit", 5), ("ann", "visit", 30)], observed_until=60
    )
    assert stickiness(log, of="visit").usage_interval()["usage_days"].tolist() == [5]
    assert stickiness(log, of="visit", between=("2024-01-03", None)).usage_interval()["usage_days"].tolist() == [25]


def test_nobody_who_came_back_has_no_interval():
    assert stickiness(visits({"ann": [0], "bob": [3]}, until=9)).usage_interval().empty


@settings(max_examples=40, deadline=None)
@given(rows=event_rows(min_size=2))
def test_usage_equals_the_slow_count_and_is_the_same_in_buckets(rows):
    log = make_log(rows, observed_until=31)
    result = stickiness(log)
    gaps = {}
    for who in {row[0] for row in rows}:
        days = sorted({row[2] for row in rows if row[0] == who})
        if len(days) > 1:
            gaps[who] = np.diff(days)
    table = result.usage_interval()
    if not gaps:
        assert table.empty
        return
    every = np.sort(np.concatenate(list(gaps.values())))
    median = every[int(np.ceil(len(every) / 2)) - 1]
    row = table.iloc[0]
    assert (row["gaps"], row["customers"], row["usage_days"]) == (len(every), len(gaps), median)
    if len(gaps) > 1:
        sums = customer_sums([(each <= median).sum() for each in gaps.values()], [len(each) for each in gaps.values()])
        bounds = wilson_rate(0.5, clustered_n(**sums)[0], 0.95)
        expected = [every[min(max(int(np.ceil(b * len(every) - 1e-9)) - 1, 0), len(every) - 1)] for b in bounds]
        assert row[["usage_days_low", "usage_days_high"]].tolist() == expected
    assert_frame_equal(stickiness(log.in_buckets(7)).usage_interval(), table)


@pytest.mark.slow
def test_the_usage_interval_covers_the_median_of_many_customers():
    rng = np.random.default_rng(5)

    def sample(n):
        means = rng.gamma(3, 4, n)  # some come often, some seldom: their gaps are alike
        return {f"c{i}": np.cumsum(1 + rng.geometric(1 / mean, 6)) for i, mean in enumerate(np.maximum(means, 1.01))}

    truth = np.median(np.concatenate([np.diff(days) for days in sample(40_000).values()]))
    hits = 0
    for _ in range(150):
        row = stickiness(visits(sample(80), until=2000), period="year").usage_interval().iloc[0]
        hits += row["usage_days_low"] <= truth <= row["usage_days_high"]
    assert hits / 150 >= 0.92  # whole days: no less than asked for


# -- trend -------------------------------------------------------------------------------------


def test_the_trend_is_the_centred_mean_of_a_whole_week():
    log = visits({f"c{i}": [i] for i in range(14)} | {"x": [6]}, until=14)
    table = active_customers(log, within="month").table
    assert table["active"].tolist() == [1] * 6 + [2] + [1] * 7
    assert table["trend"].iloc[3:11].tolist() == pytest.approx([8 / 7] * 7 + [1.0])
    assert table["trend"].isna().tolist() == [True] * 3 + [False] * 8 + [True] * 3


def test_an_even_number_of_periods_has_half_weights_at_both_ends():
    log = visits({f"c{i}": [7 * week for week in range(6 - i)] for i in range(6)}, until=42)
    table = active_customers(log, period="week", within="year").table
    assert table["active"].tolist() == [6, 5, 4, 3, 2, 1]
    assert table["trend"].iloc[2] == pytest.approx((6 / 2 + 5 + 4 + 3 + 2 / 2 + 0) / 4)


def test_unfinished_and_partial_periods_are_in_no_trend():
    log = visits({"ann": [0.5, 40, 70, 100, 130]}, until=135)  # January begins before the log, May runs on
    table = active_customers(log, period="month", within="year").table
    assert table["note"].iloc[0] == "partial"
    assert table["trend"].isna().tolist() == [True, True, False, True, True]


# -- mix and rate ------------------------------------------------------------------------------

FEB, MAR = 31, 60


def two_cohorts(january, february):
    """Cohorts of (channel, customers, back in the next month)."""
    rows = []
    for month, groups in ((0, january), (FEB, february)):
        for channel, customers, back in groups:
            for i in range(customers):
                rows.append((f"{month}{channel}{i}", "order", month + 1, channel))
                if i < back:
                    rows.append((f"{month}{channel}{i}", "order", (FEB if month == 0 else MAR) + 2, channel))
    return make_log(rows, observed_until=91, columns=["channel"], channel="channel")


def test_a_change_is_mix_and_own_rates_together():
    # app: 80 of 100 at 50%, then 40 of 100 at 50%; web: 20 at 10%, then 60 at 20%.
    log = two_cohorts([("app", 80, 40), ("web", 20, 2)], [("app", 40, 20), ("web", 60, 12)])
    table = retention(log, by="channel").split_change("2024-01", "2024-02").set_index("segment")
    overall = table.loc["overall"]
    assert overall["rate_difference"] == pytest.approx(0.32 - 0.42)
    # Kitagawa: own = mean share × change of rate; mix = change of share × (mean rate − overall).
    assert table.loc["app", "own_rate_difference"] == 0
    assert table.loc["web", "own_rate_difference"] == pytest.approx(0.4 * 0.1)
    assert overall["mix_rate_difference"] == pytest.approx(-0.4 * 0.5 + 0.4 * 0.15)
    assert table.loc[["app", "web"], "mix_rate_difference"].sum() == pytest.approx(overall["mix_rate_difference"])
    for name in ("mix", "own"):
        assert overall[f"{name}_rate_difference_low"] < overall[f"{name}_rate_difference"]
        assert overall[f"{name}_rate_difference"] < overall[f"{name}_rate_difference_high"]


def test_a_segment_of_one_cohort_only_is_all_mix():
    log = two_cohorts([("app", 50, 25)], [("app", 50, 25), ("web", 50, 0)])
    table = retention(log, by="channel").split_change("2024-01", "2024-02").set_index("segment")
    assert table.loc["overall", "own_rate_difference"] == 0
    assert table.loc["overall", "mix_rate_difference"] == pytest.approx(-0.25)


groups = st.tuples(st.integers(0, 30), st.floats(0, 1)).map(lambda pair: (pair[0], int(pair[0] * pair[1])))


@settings(max_examples=20, deadline=None)
@given(data=st.lists(st.tuples(groups, groups), min_size=1, max_size=3))
def test_the_effects_always_add_up_to_the_whole_change(data):
    a, b = np.array([pair[0] for pair in data]).T, np.array([pair[1] for pair in data]).T
    if not (a[0].sum() and b[0].sum()):
        return
    table = split_change([str(i) for i in range(len(data))], separate_patterns(a, b), 0.95)
    assert table["rate_difference"].iloc[-1] == pytest.approx(b[1].sum() / b[0].sum() - a[1].sum() / a[0].sum())
    with language("he"):
        assert [name for name in table.columns if not has_label(name)] == []


def test_a_change_that_cannot_be_split_is_refused():
    log = two_cohorts([("app", 8, 4)], [("app", 4, 2)])
    with pytest.raises(ParameterError, match="ask retention with by="):
        retention(log).split_change("2024-01", "2024-02")
    with pytest.raises(ParameterError, match="'2024-03' has no finished age 1"):
        retention(log, by="channel").split_change("2024-01", "2024-03")
    with pytest.raises(ParameterError, match="share no customer"):
        retention(log, by="channel", cohort="every").split_change("2024-01", "2024-02")


@pytest.mark.slow
def test_the_effects_intervals_cover_the_truth():
    rng = np.random.default_rng(8)
    share = np.array([[0.7, 0.3], [0.5, 0.5]])
    rate = np.array([[0.5, 0.2], [0.4, 0.2]])
    big = 10**9
    truth = effects(share[0] * big, share[0] * rate[0] * big, share[1] * big, share[1] * rate[1] * big)
    hits = np.zeros(2)
    for _ in range(200):
        base = [rng.multinomial(400, each) for each in share]
        back = [rng.binomial(n, p) for n, p in zip(base, rate, strict=True)]
        patterns = separate_patterns((base[0], back[0]), (base[1], back[1]))
        row = split_change(["app", "web"], patterns, 0.95).iloc[-1]
        for i, name in enumerate(("mix", "own")):
            hits[i] += row[f"{name}_rate_difference_low"] <= truth[i][-1] <= row[f"{name}_rate_difference_high"]
    assert (hits / 200 > 0.91).all()
    assert (hits / 200 < 0.985).all()


def test_the_words_are_there():
    frame = pd.DataFrame(columns=["gaps", "usage_days", "usage_period", "trend"])
    for code in ("en", "he"):
        with language(code):
            assert [name for name in frame.columns if not has_label(name)] == []
