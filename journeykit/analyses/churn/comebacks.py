"""The share who come back after a silence, at many limits: of all silences, and by the active day that they follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.silences import RANKS, Activity, Silences, spread
from journeykit.estimators.proportions import wilson_rate

MOST_ROWS = 120
"""Limits in the table, about: more could not be told apart in a picture."""

MOST_OF_RANK = 60
"""Limits by active day, about."""


def comeback_rates(
    log: Any, asked: Activity, groups: dict[str, Silences], chosen: dict[str, float], horizon: int, confidence: float
) -> pd.DataFrame:
    """Estimate R(d, H) of each group at a selection of limits."""
    shown = {name: _selection(each.limits(horizon), chosen[name], MOST_ROWS) for name, each in groups.items()}
    every = sorted({int(limit) for limits in shown.values() for limit in limits})
    spreads = _spreads(log, asked, every, horizon, 1, {(name, 0): each for name, each in groups.items()})
    parts = []
    for name, each in groups.items():
        rows = _rates(each, shown[name], horizon, spreads.loc[[(name, 0, limit) for limit in shown[name]]], confidence)
        rows.insert(0, "group", name)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def comebacks_by_rank(
    log: Any,
    asked: Activity,
    counted: pd.DataFrame,
    groups: dict[str, Silences],
    chosen: dict[str, float],
    horizon: int,
    confidence: float,
) -> pd.DataFrame:
    """Estimate the same of the silences after the first active day, the second, and so on.

    A rank has the limits after which enough of its silences are watched for
    the horizon; and the group's threshold, if any of them is.
    """
    shown = {name: _selection(each.limits(horizon), chosen[name], MOST_OF_RANK) for name, each in groups.items()}
    parts, limits = {}, {}
    for name, at in shown.items():
        rows = counted[counted["group"] == name]
        threshold = chosen[name] if np.isfinite(chosen[name]) else at.max(initial=0)
        for rank in sorted(rows["rank"].unique().tolist()):
            silences = Silences.of(rows[rows["rank"] == rank])
            watched = silences.at_risk(at + horizon) > 0
            fit = at[silences.enough(at + horizon) | ((at == threshold) & watched)]
            if len(fit):
                parts[name, rank], limits[name, rank] = silences, fit
    if not parts:
        return pd.DataFrame()
    every = sorted({int(limit) for at in limits.values() for limit in at})
    spreads = _spreads(log, asked, every, horizon, RANKS, parts)
    found = []
    for (name, rank), silences in parts.items():
        at = limits[name, rank]
        rows = _rates(silences, at, horizon, spreads.loc[[(name, rank, limit) for limit in at]], confidence)
        rows.insert(0, "active_day", f"{rank + 1}+" if rank == RANKS - 1 else str(rank + 1))
        rows.insert(0, "group", name)
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def _selection(limits: npt.NDArray[np.int64], chosen: float, most: int) -> npt.NDArray[np.int64]:
    """Choose evenly among the limits, the first, the last and the chosen among them."""
    step = max(1, int(np.ceil(len(limits) / most)))
    shown = {*limits[::step].tolist(), *limits[-1:].tolist(), *([int(chosen)] if np.isfinite(chosen) else [])}
    return np.array(sorted(shown), dtype=np.int64)


def _spreads(
    log: Any, asked: Activity, limits: list[int], horizon: int, ranks: int, silences: dict[Any, Silences]
) -> pd.DataFrame:
    """Pass over the log once more, with the whole log's curves known."""
    steps = {
        key: tuple(each.risk[name].to_numpy() for name in ("time", "at_risk", "events"))
        for key, each in silences.items()
    }
    return log.tally(spread, activity=asked, limits=limits, horizon=horizon, ranks=ranks, steps=steps)  # type: ignore[no-any-return]


def _rates(
    silences: Silences, limits: npt.NDArray[np.int64], horizon: int, spreads: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Estimate the shares who come back at limits, with intervals clustered by customer."""
    rate = silences.comebacks(limits, horizon)
    watched = silences.at_risk(limits + horizon)
    variance = (1 - rate) ** 2 * spreads["squares"].to_numpy()
    inside = (rate > 0) & (rate < 1) & (variance > 0)
    n = np.where(inside, rate * (1 - rate) / np.where(inside, variance, 1), watched)
    low, high = wilson_rate(rate, n, confidence) if len(rate) else (rate, rate)
    return pd.DataFrame(
        {
            "limit_days": limits,
            "silences": silences.at_risk(limits + 1),
            "customers": spreads["customers"].to_numpy(),
            "at_risk": watched,
            "comeback_rate": rate,
            "comeback_rate_low": low,
            "comeback_rate_high": high,
        }
    )
