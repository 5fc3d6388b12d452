"""Customers whose chance to leave is known: each with a rhythm and a life of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from journeykit.log import InteractionLog, read_log
from tests.helpers import ORIGIN


def day(number: float) -> pd.Timestamp:
    """The date of a day of these logs."""
    return ORIGIN + pd.Timedelta(number, "D")


def population(n: int, *, seed: int, until: int = 900, starts: int = 700, regular: bool = False) -> InteractionLog:
    """Customers who come every so many days (some often, some seldom), until they silently leave.

    A third is of a kind that lives half as long. With `regular` the gaps of a
    customer are alike.
    """
    rng = np.random.default_rng(seed)
    start = rng.integers(0, starts, n)
    kind = rng.random(n) < 1 / 3
    gap = np.exp(rng.normal(np.log(12), 0.8, n))
    life = rng.exponential(np.exp(rng.normal(np.log(250), 0.8, n)) * np.where(kind, 0.5, 1))
    at = start.astype(float)
    alive = np.arange(n)
    days = [(alive, start)]
    while len(alive):
        at[alive] += (rng.gamma(3, gap[alive] / 3) if regular else rng.exponential(gap[alive])) + 1
        alive = alive[(at[alive] <= start[alive] + life[alive]) & (at[alive] < until)]
        days.append((alive, np.floor(at[alive]).astype(int)))
    customer = np.concatenate([who for who, _ in days])
    when = np.concatenate([which for _, which in days])
    frame = pd.DataFrame(
        {"customer": customer, "touchpoint": "visit", "time": ORIGIN + pd.to_timedelta(when, unit="D")}
    )
    frame["kind"] = np.where(kind[customer], "brief", "lasting")
    frame["value"] = 10.0
    return read_log(frame, value="value", observed_until=day(until), duplicates="keep")
