"""Truth recovered in 500 simulated logs: a third of the entries are immature, a third of the customers re-enter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from journeykit.analyses.funnel import funnel
from journeykit.log import InteractionLog

DAY = 86_400_000_000
WITHIN, UNTIL, FUTURE = 14, 45, 400
STEPS = ["visit", "cart", "order"]


def simulate(n: int, rng: np.random.Generator, until: int = UNTIL) -> InteractionLog:
    """Customers who visit up to three times, and each time may go on to a cart and an order, days later."""
    first = rng.uniform(0, UNTIL, n)
    visits = np.column_stack([first, first + rng.exponential(12, n), first + 12 + rng.exponential(12, n)])
    number = rng.choice([1, 2, 3], n, p=[0.4, 0.35, 0.25])
    visits[np.arange(3) >= number[:, None]] = np.inf
    eager = rng.beta(2, 2, n)[:, None]  # customers differ, so attempts of one are alike
    carts = np.where(rng.random((n, 3)) < eager, visits + rng.exponential(3, (n, 3)), np.inf)
    orders = np.where(rng.random((n, 3)) < 0.2 + 0.5 * eager, carts + rng.exponential(4, (n, 3)), np.inf)
    times = np.concatenate([visits, carts, orders], axis=1)
    codes = np.repeat([2, 0, 1], 3)  # of cart, order, visit
    order = np.argsort(times, axis=1, kind="stable")
    times, codes = np.take_along_axis(times, order, axis=1), codes[order]
    seen = times < until
    counts = seen.sum(axis=1)
    return InteractionLog(
        customers=pd.Index(np.flatnonzero(counts)),
        offsets=np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.int64),
        times=(times[seen] * DAY).astype(np.int64),
        touchpoint_codes=codes[seen].astype(np.int32),
        touchpoints=pd.Index(["cart", "order", "visit"], dtype=object),
        start=0,
        observed_until=until * DAY,
    )


def rates(table: pd.DataFrame) -> np.ndarray:
    return table["reach_rate"].to_numpy()[1:]


def test_mature_rates_are_those_of_the_same_entries_with_their_whole_future():
    cut, whole = simulate(2000, np.random.default_rng(5)), simulate(2000, np.random.default_rng(5), FUTURE)
    known = funnel(cut, STEPS, within=f"{WITHIN}d").table
    later = funnel(
        whole, STEPS, within=f"{WITHIN}d", between=(None, pd.Timestamp((UNTIL - WITHIN) * DAY, unit="us"))
    ).table
    assert known["customers_mature"].tolist() == later["customers_mature"].tolist()
    assert known["median_seconds"].tolist()[1:] == later["median_seconds"].tolist()[1:]


def test_the_simulation_is_as_hard_as_it_says():
    log = simulate(20_000, np.random.default_rng(1))
    entries = log.times[log.touchpoint_codes == 2]
    assert (entries >= (UNTIL - WITHIN) * DAY).mean() >= 0.3
    customers = log.customer_codes[log.touchpoint_codes == 2]
    assert (np.bincount(customers) > 1).mean() >= 0.3


@pytest.mark.slow
def test_mature_rates_are_unbiased_and_their_intervals_cover():
    many = (simulate(1_000_000, np.random.default_rng(900 + i)) for i in range(4))
    truth = np.mean([rates(funnel(log, STEPS, within=f"{WITHIN}d").table) for log in many], axis=0)
    found, covered, naive = [], [], []
    for seed in range(500):
        log = simulate(2000, np.random.default_rng(seed))
        table = funnel(log, STEPS, within=f"{WITHIN}d").table
        found.append(rates(table))
        low, high = (table[f"reach_rate_{end}"].to_numpy()[1:] for end in ("low", "high"))
        covered.append((low <= truth) & (truth <= high))
        naive.append(rates(funnel(log, STEPS, within=f"{WITHIN}d", maturity="all").table))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    bias = np.mean(found, axis=0) - truth
    print(
        "truth",
        truth,
        "bias",
        bias,
        "error",
        error,
        "covered",
        np.mean(covered, axis=0),
        "naive",
        np.mean(naive, axis=0),
    )
    assert (np.abs(bias) < 2 * error).all()
    assert (np.mean(covered, axis=0) >= 0.93).all()
    assert (np.mean(covered, axis=0) <= 0.97).all()
    assert (np.mean(naive, axis=0) < truth - 10 * error).all()  # counting who is still on the way as lost
