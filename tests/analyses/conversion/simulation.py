"""Customers whose conversion is known: how long they take, how often they come, what competes."""

from __future__ import annotations

import numpy as np
import pandas as pd

import journeykit as jk

ORIGIN = pd.Timestamp("2024-01-01")


def to_log(customer: np.ndarray, touchpoint: np.ndarray, day: np.ndarray, end: float, **columns: np.ndarray):
    """A log of events up to a day."""
    seen = day < end
    frame = pd.DataFrame({"customer": customer[seen], "touchpoint": touchpoint[seen], "day": day[seen]})
    for name, values in columns.items():
        frame[name] = values[seen]
    frame["time"] = ORIGIN + pd.to_timedelta((frame.pop("day") * 86_400e6).round().astype(np.int64), unit="us")
    return jk.read_log(frame, observed_until=ORIGIN + pd.Timedelta(days=end), duplicates="keep", on_bad="raise")


def one_entry(
    rng: np.random.Generator, n: int, *, end: float = 40, ever: float = 0.6, mean: float = 8, lost: float = 0
):
    """Customers who enter once, evenly over 40 days; a share ever converts, after exponential times; some give up.

    P(converted by t) = ever · (1 − exp(−t/mean)) without others (`lost` is the daily rate of giving up).
    """
    entered = rng.uniform(0, 40, n)
    converts = np.where(rng.random(n) < ever, rng.exponential(mean, n), np.inf)
    gives_up = rng.exponential(1 / lost, n) if lost else np.full(n, np.inf)
    who = np.arange(n)
    touchpoints = np.repeat(np.array(["A", "B", "X"], dtype=object), n)
    days = np.concatenate([entered, entered + converts, entered + gives_up])
    return to_log(np.tile(who, 3), touchpoints, days, end)


def many_entries(rng: np.random.Generator, n: int, *, end: float = 60):
    """Customers who differ: some come often and convert often, others neither; each entry converts by itself.

    The B of an entry names it, so that an entry is converted by its own alone. Returns the log, and for each
    customer how often they enter a day and how likely an entry converts within 10 days.
    """
    eager = rng.random(n) < 0.3
    number = rng.poisson(np.where(eager, 6, 1.5)) + 1
    who = np.repeat(np.arange(n), number)
    entered = rng.uniform(0, 50, len(who))
    chance = np.where(eager[who], 0.7, 0.2)
    converts = np.where(rng.random(len(who)) < chance, rng.exponential(3, len(who)), np.inf)
    return who, entered, converts


def weeks(rng: np.random.Generator, n: int, *, n_weeks: int = 16, end: float | None = None, slow: float = 5.0):
    """Customers who come in some weeks, once or twice; each visit converts by itself, if at all after days."""
    eager = rng.random(n) < 0.5
    comes = rng.random((n, n_weeks)) < np.where(eager, 0.5, 0.2)[:, None]
    who, week = np.nonzero(comes)
    again = rng.random(len(who)) < 0.35
    who, week = np.r_[who, who[again]], np.r_[week, week[again]]
    day = 7 * week + rng.uniform(0, 7, len(who))
    converts = np.where(
        rng.random(len(who)) < np.where(eager[who], 0.35, 0.15), rng.exponential(slow, len(who)), np.inf
    )
    touchpoints = np.repeat(np.array(["A", "B"], dtype=object), len(who))
    last = 7.0 * n_weeks if end is None else end
    return to_log(np.r_[who, who], touchpoints, np.r_[day, day + converts], last)
