"""Models of repeat buying, from a log to parameters, against lifetimes.

The log holds one row a purchase. Ours counts it, fits, checks the fit in four ways and adds up what is expected of all
customers; lifetimes summarises its own frame of the same purchases, and fits.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

import journeykit as jk
from benchmarks.race import Race, race
from journeykit.estimators.buyers import buyers
from journeykit.estimators.repeat_buying import MODELS

DAYS = 730
START, END = np.datetime64("2023-01-01"), "2024-12-31"
FITTERS = {"bg_nbd": "BetaGeoFitter", "mbg_nbd": "ModifiedBetaGeoFitter", "pareto_nbd": "ParetoNBDFitter"}
RACED = 50_000
"""Customers for both: lifetimes takes a minute for Pareto/NBD."""


def purchases(n: int, seed: int = 0) -> pd.DataFrame:
    """Simulate n customers of a Pareto/NBD world over two years, a row a purchase."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(0.55, 1 / 75, n), rng.gamma(0.6, 1 / 80, n)
    born = rng.integers(0, DAYS - 30, n)
    life = np.minimum(rng.exponential(1 / np.maximum(leave, 1e-12)), DAYS - born)
    count = rng.poisson(rate * life)
    who = np.concatenate([np.arange(n), np.repeat(np.arange(n), count)])
    day = np.concatenate(
        [born, (np.repeat(born, count) + rng.random(count.sum()) * np.repeat(life, count)).astype(int)]
    )
    time = (START + np.minimum(day, DAYS - 1).astype("m8[D]")).astype("M8[s]")
    return pd.DataFrame({"customer": who, "time": time, "touchpoint": "order"})


def ours(log: Any, method: str) -> Any:
    """All of what `buying_model` makes."""
    return jk.buying_model(log, method, period="day")


def lifetimes(frame: pd.DataFrame, method: str) -> Any:
    """Summarise and fit."""
    import lifetimes as package
    from lifetimes.utils import summary_data_from_transaction_data

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        last = np.datetime64(END) - np.timedelta64(1, "D")  # the last day that ours observes
        data = summary_data_from_transaction_data(frame, "customer", "time", observation_period_end=last)
        fitter = getattr(package, FITTERS[method])()
        fitter.fit(data["frequency"], data["recency"], data["T"])
    fitter.summary_frame = data
    return fitter


def agree(method: str, found: Any, other: Any) -> None:
    """Both counted the same, both likelihoods are one, and ours is not lower."""
    data = other.summary_frame
    who = buyers(data["frequency"], data["recency"], data["T"])
    assert found.summary["repeat_purchases"].item() == data["frequency"].sum()
    ours_at = MODELS[method].log_likelihood(found.table["estimate"].to_numpy(), who)
    theirs_at = MODELS[method].log_likelihood(other.params_.to_numpy(), who)
    assert abs(found.summary["log_likelihood"].item() - ours_at) < 1e-6 * abs(ours_at)
    assert ours_at >= theirs_at - 1e-6 * abs(ours_at)
    assert abs(ours_at - theirs_at) < 1e-4 * abs(ours_at)


def run(n_events: int, rounds: int = 5) -> list[Race]:
    """Race each method on at most 50,000 customers; then two of them, and ours alone, on a tenth as many as events."""
    races = []
    n = min(RACED, max(1_000, n_events // 10))
    frame = purchases(n)
    log = jk.read_log(frame, observed_until=END, duplicates="keep")
    for method in FITTERS:
        contestants = {"journeykit": partial(ours, log, method), "lifetimes": partial(lifetimes, frame, method)}
        races.append(
            race(
                f"Repeat buying: {method}, {n:,} customers, {len(frame):,} purchases",
                contestants,
                agree=partial(agree, method),
                rounds=min(rounds, 3),
            )
        )
    many = max(n, n_events // 10)
    if many > n:
        frame = purchases(many)
        log = jk.read_log(frame, observed_until=END, duplicates="keep")
        for method in ("bg_nbd", "mbg_nbd"):  # of Pareto/NBD lifetimes would take hours
            races.append(
                race(
                    f"Repeat buying: {method}, {many:,} customers, {len(frame):,} purchases",
                    {"journeykit": partial(ours, log, method), "lifetimes": partial(lifetimes, frame, method)},
                    agree=partial(agree, method),
                    rounds=1,
                )
            )
        contestants = {f"journeykit, {method}": partial(ours, log, method) for method in FITTERS}
        name = f"Repeat buying: {many:,} customers, {log.n_events:,} purchases"
        races.append(race(name, contestants, agree=None, rounds=min(rounds, 3), aim="seconds"))
    return races
