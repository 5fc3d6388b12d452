"""Customers whose true churn is known, for tests: active at random while they live, silent afterwards."""

from __future__ import annotations

import numpy as np
import pandas as pd

from journeykit.log import InteractionLog, read_log
from tests.helpers import ORIGIN

LONG = 4000
"""Days after which nobody simulated here is active any more."""


def simulate(n, *, seed, life=120.0, gap=6.0, starts_within=300, until=LONG, columns=None) -> InteractionLog:
    """Customers who start on any of the first days, live for an exponential time, and are active every few days.

    Parameters
    ----------
    life : float or array
        Mean days from the start to the last activity, about; one for all or one a customer.
    columns : dict of str to array, optional
        Properties of customers, on each of their events.
    """
    rng = np.random.default_rng(seed)
    start = rng.integers(0, starts_within, n)
    lasts = rng.exponential(life, n)
    most = int(lasts.max() / gap * 3) + 30
    later = np.cumsum(rng.geometric(1 / gap, (n, most)), axis=1)
    days = np.concatenate([np.zeros((n, 1), int), later], axis=1)
    alive = days <= lasts[:, None]
    customer, _ = np.nonzero(alive)
    frame = pd.DataFrame({"customer": customer, "touchpoint": "visit", "day": days[alive] + start[customer]})
    for name, values in (columns or {}).items():
        frame[name] = np.asarray(values)[customer]
    frame = frame[frame["day"] < until]
    frame["time"] = ORIGIN + pd.to_timedelta(frame.pop("day"), unit="D")
    return read_log(frame, observed_until=ORIGIN + pd.Timedelta(until, "D"))


def cut(log: InteractionLog, day: float) -> InteractionLog:
    """The same log, had it been read on a day."""
    return log.between(None, ORIGIN + pd.Timedelta(day, "D"))
