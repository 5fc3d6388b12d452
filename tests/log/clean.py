"""A clean raw log with the rhythm of days and weeks, and faults to put into it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

TOUCHPOINTS = (
    *("visit", "search", "product page", "comparison", "cart", "checkout", "payment", "order"),
    *("delivery", "review written", "support question", "newsletter"),
)
CHANNELS = ("web", "app", "email", "store")
START = pd.Timestamp("2024-01-01")
END = "2024-07-01"
_DAYS = 182
_WEEK = np.array([1.0, 1.0, 1.05, 1.1, 1.3, 1.5, 1.2])
_HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 13, 12, 11, 11, 12, 14, 16, 18, 19, 16, 10, 5], float)

Fault = Callable[[pd.DataFrame, float, np.random.Generator], tuple[pd.DataFrame, int]]


def clean_log(n_rows: int, seed: int = 1) -> pd.DataFrame:
    """Rows of sessions of five events, half a minute and more apart; no two of a customer at one time."""
    rng = np.random.default_rng(seed)
    n_sessions = n_rows // 5
    days = np.arange(_DAYS)
    weight = _WEEK[days % 7] * (1 + 0.3 * days / _DAYS)
    day = rng.choice(_DAYS, n_sessions, p=weight / weight.sum())
    hour = rng.choice(24, n_sessions, p=_HOURS / _HOURS.sum())
    begin = day * 86_400 + hour * 3600 + rng.integers(0, 3600, n_sessions)
    seconds = (begin[:, None] + np.cumsum(rng.integers(31, 240, (n_sessions, 5)), axis=1)).ravel()
    customer = np.repeat(rng.integers(0, max(1, n_rows // 10), n_sessions), 5)
    frame = pd.DataFrame(
        {
            "customer": np.char.add("c", customer.astype(str)),
            "time": START + pd.to_timedelta(seconds, unit="s"),
            "touchpoint": np.array(TOUCHPOINTS)[rng.integers(0, len(TOUCHPOINTS), 5 * n_sessions)],
            "channel": np.array(CHANNELS)[rng.integers(0, len(CHANNELS), 5 * n_sessions)],
            "value": np.round(rng.exponential(40, 5 * n_sessions), 2),
        }
    )
    frame = frame[frame["time"] < END].drop_duplicates(["customer", "time"])
    return frame.sort_values("time", ignore_index=True)


def some_rows(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> np.ndarray:
    """So many different rows."""
    return rng.choice(len(frame), round(share * len(frame)), replace=False)


def blank(column: str) -> Fault:
    """Empty cells of a column."""

    def put(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
        rows = some_rows(frame, share, rng)
        frame = frame.astype({column: object})
        frame.loc[rows, column] = None
        return frame, len(rows)

    return put


def write(column: str, text: object) -> Fault:
    """Cells of a column that hold something else."""

    def put(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
        rows = some_rows(frame, share, rng)
        frame = frame.astype({column: object})
        frame.loc[rows, column] = text
        return frame, len(rows)

    return put


def repeat(seconds: float) -> Fault:
    """Rows that come once more, so many seconds later."""

    def put(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
        rows = some_rows(frame, share, rng)
        again = frame.loc[rows].assign(time=lambda each: each["time"] + pd.Timedelta(seconds, unit="s"))
        return pd.concat([frame, again], ignore_index=True), len(rows)

    return put


def robots(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """One customer with so many of the rows, one every two seconds."""
    n = max(600, round(share * len(frame)))
    times = START + pd.Timedelta("40D") + pd.to_timedelta(2 * np.arange(n), unit="s")
    touchpoints = np.array(TOUCHPOINTS)[np.arange(n) % len(TOUCHPOINTS)]
    bot = pd.DataFrame({"customer": "bot", "time": times, "touchpoint": touchpoints, "channel": "web", "value": 1.0})
    return pd.concat([frame, bot], ignore_index=True), n


def silence(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """A run of days without a row; the count is of days."""
    days = max(1, round(share * _DAYS))
    begin = START + pd.Timedelta("60D")
    inside = (frame["time"] >= begin) & (frame["time"] < begin + pd.Timedelta(days, unit="D"))
    return frame[~inside].reset_index(drop=True), days


def stray(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """A few rows, more the stronger, in a year to come."""
    rows = some_rows(frame, share / 25, rng)
    frame = frame.copy()
    frame.loc[rows, "time"] += pd.Timedelta("2557D")
    return frame, len(rows)


def burst(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """A day with many times its rows, from new customers."""
    day = START + pd.Timedelta("75D")
    usual = frame[frame["time"].dt.normalize() == day]
    times = round(4 + 100 * share)
    parts = [usual.assign(customer=usual["customer"] + f"-{i}") for i in range(times)]
    return pd.concat([frame, *parts], ignore_index=True), (times + 1) * len(usual)


def break_off(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """The last hours cut off; the count is of the last day's rows."""
    end = pd.Timestamp(END) - pd.Timedelta(round(6 + 60 * share), unit="h")
    frame = frame[frame["time"] < end].reset_index(drop=True)
    return frame, int((frame["time"] >= frame["time"].max().normalize()).sum())


def late_clock(seconds: float) -> Fault:
    """Orders that the store records too, its clock being late."""

    def put(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
        web = frame.assign(channel="web")
        rows = some_rows(frame, share, rng)
        late = pd.to_timedelta(seconds + rng.normal(0, 5, len(rows)), unit="s").round("s")
        store = web.loc[rows].assign(channel="store", time=lambda each: each["time"] + late)
        return pd.concat([web, store], ignore_index=True), len(rows)

    return put


def many_names(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Addresses with an id in them instead of a page's name."""
    rows = some_rows(frame, share, rng)
    frame = frame.copy()
    frame.loc[rows, "touchpoint"] = [f"/product/{i}" for i in range(len(rows))]
    return frame, len(rows)
