"""The usage interval: how many days lie between the active days of a customer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.lifecycle.activity import Activity, see
from journeykit.estimators.proportions import SUMS, clustered_n, customer_sums, wilson_rate
from journeykit.journey.groups import in_order
from journeykit.log import InteractionLog

LENGTHS = (("day", 1), ("week", 7), ("month", 31), ("quarter", 92), ("year", 366))
"""The longest that a calendar period can be, in days."""


def usage_table(log: Any, activity: Activity, within: tuple[int, int], confidence: float) -> pd.DataFrame:
    """One row a segment: gaps, customers who have one, the median gap with its interval, and the period that fits."""
    gaps = log.tally(count_gaps, activity=activity, within=within)["gaps"]
    names = in_order(gaps.index.unique("segment"), log.stages)
    medians = {name: _quantile(gaps.loc[name], np.array([0.5]))[0] for name in names}
    sums = log.tally(cluster_gaps, activity=activity, within=within, medians=medians)
    rows = []
    for name in names:
        own = sums.loc[name]
        share = float(own["x"] / own["n"])
        # Woodruff (1952): bounds for the share of gaps up to the median, read off as quantiles. A customer's gaps are
        # alike, so the shares are clustered by customer.
        effective = float(np.atleast_1d(clustered_n(*own[list(SUMS)]))[0])
        low, high = (share - 0.5, share - 0.5) if np.isnan(effective) else wilson_rate(0.5, effective, confidence)
        ends = _quantile(gaps.loc[name], np.array([low, high]))
        rows.append({"segment": name, "gaps": int(own["n"]), "customers": int(own["customers"])})
        bounds = {"usage_days": medians[name], "usage_days_low": ends[0], "usage_days_high": ends[1]}
        fits = [period for period, length in LENGTHS if length >= medians[name]]
        rows[-1] |= bounds | {"usage_period": fits[0] if fits else "year"}
    columns = ["segment", "gaps", "customers", "usage_days", "usage_days_low", "usage_days_high", "usage_period"]
    table = pd.DataFrame(rows, columns=columns)
    return table if activity.by is not None else table.drop(columns="segment")


def _quantile(counts: pd.Series, shares: NDArray[np.float64]) -> list[float]:
    """Smallest value up to which a share of the counts lies; counts are indexed by value, ascending."""
    sorted_ = counts.sort_index()
    reached = np.cumsum(sorted_.to_numpy())
    places = np.searchsorted(reached, np.clip(shares, 0, 1) * reached[-1] - 1e-9)
    return [float(value) for value in sorted_.index.to_numpy()[np.minimum(places, len(reached) - 1)]]


def _gaps(
    log: InteractionLog, activity: Activity, within: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.object_]]:
    """Customer, days and segment of every gap between two consecutive active days of a customer."""
    seen = see(log, activity)
    counted = (log.times >= within[0]) & (log.times < within[1])
    if seen.marked.size:
        counted &= seen.marked
    who, days = log.customer_codes[counted], log.days[counted]
    new = np.flatnonzero((who[1:] == who[:-1]) & (days[1:] != days[:-1])) + 1
    # The event before one that opens a new day lies on the customer's active day before.
    names = np.array(seen.names, dtype=object)
    return who[new].astype(np.int64), (days[new] - days[new - 1]).astype(np.int64), names[seen.groups[who[new]]]


def count_gaps(log: InteractionLog, *, activity: Activity, within: tuple[int, int]) -> pd.DataFrame:
    """Gaps by segment and length in days."""
    _, days, names = _gaps(log, activity, within)
    table = pd.DataFrame({"segment": names, "days": days, "gaps": np.ones(len(days), dtype=np.int64)})
    return table.groupby(["segment", "days"]).sum()


def cluster_gaps(
    log: InteractionLog, *, activity: Activity, within: tuple[int, int], medians: dict[str, float]
) -> pd.DataFrame:
    """Sums over customers behind the share of gaps that are at most the median."""
    who, days, names = _gaps(log, activity, within)
    short = days <= np.array([medians[name] for name in names], dtype=float)
    by_customer = pd.DataFrame({"segment": names, "who": who, "x": short, "n": 1}).groupby(["segment", "who"]).sum()
    return customer_sums(by_customer["x"], by_customer["n"], by=by_customer.index.get_level_values("segment"))
