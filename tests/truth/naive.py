"""The usual shortcuts, written out as one would write them: each ignores that a log ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

import journeykit as jk
from tests.truth.chance import kaplan_meier, wilson
from tests.truth.shop import AGES, BACK, SILENCE_DAYS

Estimate = tuple[float, float, float, float]
"""Estimate, its 95% interval, and the number of customers it is over."""


def share(count: float, n: float) -> Estimate:
    """A share with Wilson's interval, as if each customer had been watched for long enough."""
    low, high = wilson(count, n)
    return (count / n if n else np.nan), float(low), float(high), n


def funnel_routes(table: pd.DataFrame) -> Iterator[tuple[str, str, Estimate]]:
    """(route, stage, estimate) from the plain counts of one group, in order of stages.

    "immature as lost": all who came this far, over all who entered.
    "late converters kept": those still on their way are left out, those who
    were quick are not.
    """
    count, still_open = table["customers"].to_numpy(), table["open"].to_numpy()
    for place, stage in enumerate(table["stage"]):
        if place:
            yield "immature as lost", stage, share(count[place], count[0])
            yield "late converters kept", stage, share(count[place], count[0] - still_open[:place].sum())


def retention_routes(table: pd.DataFrame) -> Iterator[tuple[str, int, Estimate]]:
    """(route, age, estimate) from the cells of one group.

    "running month counted": what came back so far, over the cohorts whose
    month has begun. "everyone in the base": over all who ever started.
    """
    started = table.loc[table["age"] == 0, "customers"].sum()
    begun = table[table["status"] != "future"]
    for age in AGES:
        cells = begun[begun["age"] == age]
        back = float(cells["back_so_far"].sum())
        yield "running month counted", age, share(back, cells["customers"].sum())
        yield "everyone in the base", age, share(back, started)


def last_seen(log: jk.InteractionLog) -> pd.DataFrame:
    """One row a buyer: `segment`, `lasted` (days from the first order to the last activity), `silent` (days since)."""
    names = log.touchpoints[log.touchpoint_codes]
    frame = pd.DataFrame({"customer": log.customer_codes, "day": log.days, "name": names})
    first = frame[frame["name"] == "order"].groupby("customer")["day"].min()
    since = frame["customer"].map(first)
    active = (frame["day"] == since) | (frame["name"] == BACK) & (frame["day"] > since)
    last = frame[active].groupby("customer")["day"].max()
    segment = np.asarray(log.column("segment"), dtype=object)[log.offsets[:-1]]
    final = int(frame["day"].max())  # every log of the studies has events on its last day
    return pd.DataFrame(
        {"segment": segment[first.index], "lasted": (last - first).to_numpy(), "silent": (final - last).to_numpy()},
        index=first.index,
    )


def inactivity_routes(seen: pd.DataFrame, ages: tuple[int, ...]) -> Iterator[tuple[str, int, Estimate]]:
    """(route, age, estimate) of one group; curves dated at the last activity are read that much earlier.

    "no censoring": silent at the end is gone, everybody else stays for ever.
    "gone at last activity": everybody's life is what was seen of it. "dropping
    those still there": only those silent at the end. "event at last activity":
    Kaplan–Meier, with the others censored at the end of the log.
    """
    gone = (seen["silent"] > SILENCE_DAYS).to_numpy()
    lasted = seen["lasted"].to_numpy()
    followed = np.where(gone, lasted, lasted + seen["silent"].to_numpy())
    n = len(seen)
    for age in ages:
        short = lasted <= age - SILENCE_DAYS
        yield "no censoring", age, share(n - (gone & short).sum(), n)
        yield "gone at last activity", age, share((~short).sum(), n)
        yield "dropping those still there", age, share((gone & ~short).sum(), gone.sum())
        yield "event at last activity", age, (*kaplan_meier(followed, gone, age - SILENCE_DAYS), n)


def cancel_routes(tenures: pd.DataFrame, ages: tuple[int, ...]) -> Iterator[tuple[str, int, Estimate]]:
    """(route, age, estimate) from the tenures of one group.

    "no censoring": 1 − cancelled by then / subscriptions. "dropping those
    still there": only what is cancelled has a tenure.
    """
    gone, days = tenures["event"].to_numpy(bool), tenures["duration_days"].to_numpy()
    for age in ages:
        yield "no censoring", age, share(len(days) - (gone & (days <= age)).sum(), len(days))
        yield "dropping those still there", age, share((gone & (days > age)).sum(), gone.sum())
