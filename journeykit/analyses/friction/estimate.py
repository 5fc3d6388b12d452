"""From counts of frictions to tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.friction.counts import Asked
from journeykit.estimators.differences import benjamini_hochberg
from journeykit.estimators.odds import CELLS, cluster_inflation, influences, mantel_haenszel
from journeykit.estimators.proportions import with_rate
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import kaplan_meier, median_time
from journeykit.journey.first_attempts import Attempts
from journeykit.schema import SECOND

_ENDS = ("", "_low", "_high")
CAUSE_COLUMNS = (
    "cause", "customers", "base", "met_rate", "met_rate_low", "met_rate_high", "converted", "with_rate",
    "with_rate_low", "with_rate_high", "exits", "watched", "exit_rate", "exit_rate_low", "exit_rate_high",
    "median_seconds", "median_seconds_low", "median_seconds_high", "odds_ratio", "odds_ratio_low", "odds_ratio_high",
    "difference_rate", "difference_rate_low", "difference_rate_high", "p_value", "p_value_bh", "p_homogeneous",
    "strata", "strata_dropped", "not_compared", "lost_conversions", "lost_conversions_low", "lost_conversions_high",
)  # fmt: skip


def influence_frames(cells: pd.DataFrame, asked: Asked) -> dict[str, pd.DataFrame]:
    """Give the influence of one more row in each cell on each cause's two estimates, by stratum."""
    frames = {}
    for cause in asked.causes:
        rows = _of(cells, cause.name)
        both = np.concatenate(influences(rows.to_numpy()), axis=1) if len(rows) else np.zeros((0, 2 * len(CELLS)))
        frames[cause.name] = pd.DataFrame(both, index=rows.index)
    return frames


def inflations(squares: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Give the design effect of each cause's two variances."""
    return {
        str(cause): (
            cluster_inflation(row["ratio_own"], row["ratio_customers"]),
            cluster_inflation(row["difference_own"], row["difference_customers"]),
        )
        for cause, row in squares.iterrows()
    }


def cause_table(
    cells: pd.DataFrame | None,
    met: pd.DataFrame | None,
    asked: Asked,
    wider: dict[str, tuple[float, float]],
    mature: int,
    confidence: float,
) -> pd.DataFrame:
    """Lay out one row a cause, most customers lost first."""
    if cells is None or met is None:
        return pd.DataFrame(columns=list(CAUSE_COLUMNS))
    rows = []
    for cause in asked.causes:
        own = met[met.index.get_level_values("cause") == cause.name]
        pooled = mantel_haenszel(_of(cells, cause.name), confidence=confidence, inflation=wider[cause.name])
        customers = int(own["customers"].sum())
        compared = customers - pooled.dropped
        row = {"cause": cause.name, "customers": customers, "base": mature}
        row |= {name: int(own[name].sum()) for name in ("converted", "exits", "watched")}
        row |= _median(own, confidence)
        row |= {f"odds_ratio{end}": getattr(pooled, f"odds_ratio{end}") for end in _ENDS}
        row |= {f"difference_rate{end}": getattr(pooled, f"difference{end}") for end in _ENDS}
        row |= {name: getattr(pooled, name) for name in ("p_value", "p_homogeneous", "strata", "strata_dropped")}
        row["not_compared"] = pooled.dropped
        ends = {"": "", "_low": "_high", "_high": "_low"}  # what the rate gains is lost
        row |= {f"lost_conversions{end}": -getattr(pooled, f"difference{ends[end]}") * compared for end in ends}
        rows.append(row)
    table = pd.DataFrame(rows)
    table["p_value_bh"] = benjamini_hochberg(table["p_value"])
    table = with_rate(table, "met", base="base", confidence=confidence)
    table = with_rate(table, "with", count="converted", base="customers", confidence=confidence)
    table = with_rate(table, "exit", count="exits", base="watched", confidence=confidence)
    table = table.sort_values(["lost_conversions", "cause"], ascending=[False, True], ignore_index=True)
    return table[list(CAUSE_COLUMNS)]


def _of(cells: pd.DataFrame, cause: str) -> pd.DataFrame:
    rows = cells[cells.index.get_level_values("cause") == cause]
    return rows.droplevel("cause")


def _median(met: pd.DataFrame, confidence: float) -> dict[str, float]:
    """Median time from meeting it to the next step, who never moved on being censored."""
    names = [f"median_seconds{end}" for end in _ENDS]
    if met.empty:
        return dict.fromkeys(names, np.nan)
    seconds = met.index.get_level_values("microseconds").to_numpy() / SECOND
    moved = met.index.get_level_values("moved_on").to_numpy(dtype=bool)
    # enters=-1: whoever moves on at once has moved on.
    table = risk_table(seconds, moved, enters=-1, weight=met["customers"].to_numpy())
    found = median_time(kaplan_meier(table, confidence)).iloc[0]
    return dict(zip(names, found[["time", "time_low", "time_high"]].astype(float), strict=True))


def step_table(counted: pd.DataFrame, attempts: Attempts, confidence: float) -> pd.DataFrame:
    """Lay out what lies between each step and the next: how many go on, how fast, over how many pages."""
    rows = []
    for k, (step, following) in enumerate(zip(attempts.names[:-1], attempts.names[1:], strict=True), start=1):
        here = _part(counted, "step", k)
        row: dict[str, Any] = {"step": step, "next_step": following, "customers": int(here["customers"].sum())}
        row["moved_on"] = int(here["moved_on"].sum())
        for part, name, unit in (("seconds", "median_seconds", SECOND), ("pages", "median_pages", 1)):
            row[name] = _median_of(_part(counted, part, k)) / unit
        rows.append(row)
    table = pd.DataFrame(rows)
    table["abandoned"] = table["customers"] - table["moved_on"].iloc[-1]
    table = with_rate(table, "moved_on", count="moved_on", base="customers", confidence=confidence)
    return with_rate(table, "abandoned", count="abandoned", base="customers", confidence=confidence)


def page_table(counted: pd.DataFrame, attempts: Attempts, confidence: float) -> pd.DataFrame:
    """Lay out, by pages since a step, how many came so far without the next step, and how many took it after that."""
    parts = []
    for k, step in enumerate(attempts.names[:-1], start=1):
        rows = _part(counted, "page", k).rename_axis("page").reset_index().sort_values("page")
        rows.insert(0, "step", step)
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    return with_rate(table, "moved_on", count="moved_on", base="customers", confidence=confidence)


def place_table(met: pd.DataFrame, steps: pd.DataFrame, asked: Asked, confidence: float) -> pd.DataFrame:
    """Lay out at which step each cause is met, of the customers who reached that step."""
    rows = []
    for cause in asked.causes:
        own = met[met.index.get_level_values("cause") == cause.name].groupby(level="stage").sum()
        for k, step in enumerate(asked.attempts.names[:-1], start=1):
            here = own.loc[k].to_dict() if k in own.index else {"customers": 0, "converted": 0}
            row = {"cause": cause.name, "step": step, "base": int(steps["customers"].iloc[k - 1])}
            rows.append(row | {name: int(here[name]) for name in ("customers", "converted")})
    table = with_rate(pd.DataFrame(rows), "met", base="base", confidence=confidence)
    return with_rate(table, "with", count="converted", base="customers", confidence=confidence)


def summary_table(steps: pd.DataFrame, total: Any, confidence: float) -> pd.DataFrame:
    """Lay out one row: who entered, who is mature, who converted."""
    row = {"customers": int(total[0]), "customers_mature": int(total[2]), "converted": int(steps["moved_on"].iloc[-1])}
    return with_rate(
        pd.DataFrame([row]), "conversion", count="converted", base="customers_mature", confidence=confidence
    )


def _part(counted: pd.DataFrame, part: str, stage: int) -> pd.DataFrame:
    levels = counted.index
    rows = counted[(levels.get_level_values("part") == part) & (levels.get_level_values("stage") == stage)]
    return rows.droplevel(["part", "stage"])


def _median_of(rows: pd.DataFrame) -> float:
    """Median of numbers counted in the index."""
    if rows.empty:
        return float("nan")
    rows = rows.sort_index()
    values, reached = rows.index.to_numpy(dtype=float), rows["customers"].cumsum().to_numpy()
    half = reached[-1] / 2
    low, high = values[np.searchsorted(reached, half)], values[np.searchsorted(reached, half, side="right")]
    return float((low + high) / 2)
