"""Customers with several rows: variances are those of a slow derivative by each row's weight, summed by customer."""

import numpy as np
import pandas as pd
import pytest

from journeykit.errors import ParameterError
from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.conditional import conditional_survival
from journeykit.estimators.logrank import logrank, pairwise_logrank, restricted_mean_differences
from journeykit.estimators.repeats import Repeats
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import curve_at, kaplan_meier, restricted_mean

STEP = 1e-6


def some_rows(seed, n=40, customers=14, late=True):
    rng = np.random.default_rng(seed)
    enters = rng.integers(-1, 6, n) if late else np.full(n, -1)
    return pd.DataFrame(
        {
            "cluster": rng.integers(0, customers, n),
            "group": rng.choice(["x", "y"], n),
            "enters": enters,
            "duration": enters + 1 + rng.integers(0, 9, n),
            "end": rng.choice([None, "gone", "moved"], n, p=[0.4, 0.4, 0.2]),
        }
    )


def table_of(rows, weight=None, by=None, named=False):
    event = rows["end"] if named else rows["end"].notna()
    return risk_table(
        rows["duration"], event, enters=rows["enters"], weight=weight, by=None if by is None else rows[by]
    )


def slow_curves(rows, weight):
    """S, and the incidence of each end, at the times 0 to 20, straight from the definition."""
    enters, duration, end = (rows[name].to_numpy() for name in ("enters", "duration", "end"))
    left, curves = 1.0, {"survival": [], "gone": [0.0], "moved": [0.0]}
    for t in range(21):
        at_risk = weight[(enters < t) & (duration >= t)].sum()
        shares = {
            name: weight[(duration == t) & (end == name)].sum() / max(at_risk, 1e-300) for name in ("gone", "moved")
        }
        for name, share in shares.items():
            curves[name].append(curves[name][-1] + left * share)
        left *= 1 - sum(shares.values())
        curves["survival"].append(left)
    return {name: np.array(values[-21:]) for name, values in curves.items()}


def slow_mean(rows, weight, horizon):
    return np.array([slow_curves(rows, weight)["survival"][:horizon].sum()])


def slow_extra(rows, estimate):
    """What customers' derivatives have more than rows': by each row's weight, added up or not, squared and summed."""
    moves = []
    for i in range(len(rows)):
        more, less = np.ones(len(rows)), np.ones(len(rows))
        more[i], less[i] = 1 + STEP, 1 - STEP
        moves.append((estimate(more) - estimate(less)) / (2 * STEP))
    alone = pd.DataFrame(moves)
    sums = alone.groupby(rows["cluster"].to_numpy()).sum()
    return (sums.to_numpy() ** 2).sum(axis=0) - (alone.to_numpy() ** 2).sum(axis=0)


def repeated(rows):
    """Only those with several rows need be known."""
    return Repeats(rows[rows["cluster"].duplicated(keep=False)])


def at_times(curve, name):
    """Read a curve at the times 0 to 20."""
    time = curve["time"].to_numpy()
    return curve[name].to_numpy()[np.maximum(np.searchsorted(time, np.arange(21), side="right") - 1, 0)]


def same(found, extra, plain, known=True):
    """A hundredth of the variance without what rows have in common is the least that is believed."""
    variance = np.maximum(np.asarray(plain) ** 2 + extra, np.asarray(plain) ** 2 / 100)
    kept = np.broadcast_to(known, variance.shape)
    np.testing.assert_allclose(np.asarray(found)[kept], np.sqrt(variance[kept]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_curves_and_means_have_the_slow_variance(seed):
    rows = some_rows(seed, late=seed % 2 == 0)
    table = table_of(rows)
    curve = kaplan_meier(table, repeats=repeated(rows))
    slow = slow_extra(rows, lambda w: slow_curves(rows, w)["survival"])
    known = at_times(curve, "survival") > 1e-9  # where all end, Greenwood's sum has no term
    assert at_times(curve, "survival") == pytest.approx(slow_curves(rows, np.ones(len(rows)))["survival"])
    same(at_times(curve, "survival_se"), slow, at_times(kaplan_meier(table), "survival_se"), known)
    if known[7]:
        found, plain = (restricted_mean(table, 7, repeats=each)["mean_se"] for each in (repeated(rows), None))
        same(found, slow_extra(rows, lambda w: slow_mean(rows, w, 7)), plain)
        found, plain = (
            conditional_survival(table, 3, 7, repeats=each)["survival_se"] for each in (repeated(rows), None)
        )
        by_hand = slow_extra(
            rows, lambda w: slow_curves(rows, w)["survival"][[7]] / slow_curves(rows, w)["survival"][[3]]
        )
        same(found, by_hand, plain)


@pytest.mark.parametrize("seed", range(8))
def test_incidence_has_the_slow_variance(seed):
    rows = some_rows(seed, late=seed % 2 == 0)
    table = table_of(rows, named=True)
    found, plain = aalen_johansen(table, repeats=repeated(rows)), aalen_johansen(table)
    for end in ("gone", "moved"):
        slow = slow_extra(rows, lambda w, end=end: slow_curves(rows, w)[end])
        own, alone = (each[each["end"] == end] for each in (found, plain))
        known = at_times(own, "survival") > 1e-9
        same(at_times(own, "incidence_se"), slow, at_times(alone, "incidence_se"), known)


def slow_score(rows, names):
    """What each row adds to the score of each group: w (own − share)(dN − at risk · d/n), time by time."""
    value = np.zeros((len(rows), len(names)))
    ended = rows["end"].notna().to_numpy()
    enters, duration, group = (rows[name].to_numpy() for name in ("enters", "duration", "group"))
    for t in np.unique(duration[ended]):
        at_risk = (enters < t) & (duration >= t)
        here = ended & (duration == t)
        rate = here.sum() / at_risk.sum()
        for j, name in enumerate(names):
            share = (at_risk & (group == name)).sum() / at_risk.sum()
            value[:, j] += ((group == name) - share) * (here - at_risk * rate)
    return value


@pytest.mark.parametrize("seed", range(4))
def test_the_log_rank_score_has_the_slow_products_within_customers(seed):
    rows = some_rows(seed)
    table = table_of(rows, by="group")
    score = slow_score(rows, ["x", "y"])
    sums = pd.DataFrame(score).groupby(rows["cluster"].to_numpy()).sum().to_numpy()
    expected = sums.T @ sums - score.T @ score
    np.testing.assert_allclose(repeated(rows).score(table, ["x", "y"], "logrank", 0, 0), expected, atol=1e-9)
    u = score.sum(axis=0)
    plain, found = logrank(table), logrank(table, repeats=repeated(rows))
    variance = u[0] ** 2 / plain.statistic + expected[0, 0]
    assert found.statistic == pytest.approx(u[0] ** 2 / variance)
    assert pairwise_logrank(table, repeats=repeated(rows))["statistic"].tolist() == pytest.approx([found.statistic])


@pytest.mark.parametrize("seed", range(3))
def test_differences_of_means_know_that_groups_share_customers(seed):
    rows = some_rows(seed, late=False)
    table = table_of(rows, by="group")
    found = restricted_mean_differences(table, 6, repeats=repeated(rows))
    x = (rows["group"] == "x").to_numpy()
    slow = slow_extra(rows, lambda w: slow_mean(rows, w * ~x, 6) - slow_mean(rows, w * x, 6))
    widths = [
        each["difference_high"] - each["difference_low"] for each in (found, restricted_mean_differences(table, 6))
    ]
    same(widths[0] / 2 / 1.959964, slow, widths[1] / 2 / 1.959964)


def test_one_row_a_customer_changes_nothing_and_twins_halve_what_is_known():
    rows = some_rows(1).assign(cluster=np.arange(40))
    table = table_of(rows)
    alone = kaplan_meier(table)
    pd.testing.assert_frame_equal(kaplan_meier(table, repeats=Repeats(rows)), alone)
    twice = pd.concat([rows, rows], ignore_index=True)
    twins = kaplan_meier(table_of(twice), repeats=Repeats(twice))
    some = (alone["survival"] > 0).to_numpy()
    # Two rows that always do the same tell what one does: Greenwood's variance of half as many, but for 1/(n - d).
    assert twins["survival_se"][some].to_numpy() == pytest.approx(alone["survival_se"][some].to_numpy(), rel=0.05)


def test_strata_and_repeats_do_not_go_together():
    rows = some_rows(1)
    with pytest.raises(ParameterError, match="strata"):
        logrank(table_of(rows, by=["group", "cluster"]), group="group", strata=["cluster"], repeats=repeated(rows))


@pytest.mark.slow
def test_intervals_of_spells_cover_the_truth():
    """Customers who differ, each with up to 6 spells: intervals that take spells apart miss too often, ours do not."""
    rng = np.random.default_rng(4)
    runs, n, hits = 800, 60, np.zeros((2, 3))
    truth_rows = rng.gamma(1.5, 1, 2_000_000)
    t = 20.0
    lives = np.ceil(rng.exponential(30 / truth_rows))
    true, true_mean = float((lives > t).mean()), float(np.minimum(lives, t).mean())
    for _ in range(runs):
        count = rng.integers(1, 7, n)
        cluster = np.repeat(np.arange(n), count)
        speed = rng.gamma(1.5, 1, n)
        life = np.ceil(rng.exponential(30 / speed[cluster]))
        stop = rng.integers(25, 90, len(life))
        rows = pd.DataFrame({"cluster": cluster, "enters": 0, "duration": np.minimum(life, stop).astype(int)})
        rows["end"] = np.where(life <= stop, "gone", None)
        table = risk_table(rows["duration"], rows["end"].notna())
        for k, repeats in enumerate((Repeats(rows), None)):
            at = curve_at(kaplan_meier(table, repeats=repeats), t).iloc[0]
            mean = restricted_mean(table, t, repeats=repeats).iloc[0]
            hits[k] += (
                at["survival_low"] <= true <= at["survival_high"],
                mean["mean_low"] <= true_mean <= mean["mean_high"],
                0,
            )
    share = hits[:, :2] / runs
    assert (np.abs(share[0] - 0.95) < 0.025).all(), share
    assert (share[1] < 0.9).all(), share
