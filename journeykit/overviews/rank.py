"""From sums to a ranked list: what is lost where, against what, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.estimators.differences import holm, newcombe, two_rate_test
from journeykit.estimators.odds import CELLS, pooled_difference
from journeykit.estimators.proportions import divide, wilson
from journeykit.overviews.losses import EVERYBODY, Question, quantities

COLUMNS = (
    "rank", "kind", "step", "next_step", "cause", "by", "segment", "customers", "rate", "target", "target_rate",
    "lost_customers", "lost_customers_low", "lost_customers_high", "lost_conversions", "lost_conversions_low",
    "lost_conversions_high", "lost_value", "lost_value_low", "lost_value_high", "p_value", "p_value_holm",
)  # fmt: skip

Sums = NDArray[np.float64]
"""One entry for the first half, one for the second, one for each of its replicates."""


@dataclass(frozen=True)
class Group:
    """Sums of a segment: `reached[k]` customers at step k + 1, `value[k]` what they brought from then on."""

    reached: Sums
    value: Sums

    def rate(self, k: int) -> Sums:
        """Share that goes from step k (from 1) to the next."""
        return divide(self.reached[k], self.reached[k - 1])

    def converting(self, k: int) -> Sums:
        """Share that converts, of those at step k."""
        return divide(self.reached[-1], self.reached[k - 1])

    def worth(self, k: int) -> Sums:
        """Mean value from step k on, of those at it."""
        return divide(self.value[k - 1], self.reached[k - 1])

    @property
    def sizes(self) -> Sums:
        """Customers at each step, in each half."""
        return self.reached[:, :2]


def read_groups(sums: pd.DataFrame, question: Question) -> dict[str, dict[str, Group]]:
    """Read the sums of leaks: column → segment → group."""
    n, names = question.n_steps, quantities(question.n_steps)
    groups: dict[str, dict[str, Group]] = {}
    leaks = sums[sums.index.get_level_values("part") == "leak"].droplevel("part")
    for (column, segment), rows in leaks.groupby(level=["of", "group"], sort=True):
        values = rows.droplevel(["of", "group"]).reindex(names).to_numpy(dtype=float)
        value = np.vstack([np.zeros((1, values.shape[1])), values[n:]])
        groups.setdefault(str(column), {})[str(segment)] = Group(values[:n], value)
    return groups


def leak_rows(
    groups: dict[str, dict[str, Group]],
    names: tuple[str, ...],
    target: Mapping[str, float],
    min_n: int,
    confidence: float,
) -> list[dict[str, Any]]:
    """List each segment's shortfall at each step against the target, or against its column's best segment."""
    rows = []
    for column, segments in groups.items():
        everybody = groups[EVERYBODY][EVERYBODY]
        for k in range(1, len(names)):
            next_step = names[k]
            large = {name: each for name, each in segments.items() if (each.sizes[k - 1] >= min_n).all()}
            if next_step in target:
                goal: Sums = np.full(everybody.reached.shape[1], float(target[next_step]))
                against = "target"
            elif column != EVERYBODY and len(large) > 1:
                against = max(sorted(large), key=lambda name: large[name].rate(k)[0])
                goal = large[against].rate(k)
            else:
                continue
            for name, each in large.items():
                if name == against and next_step not in target:
                    continue
                known = (each.sizes[k] >= min_n).all()
                row: dict[str, Any] = {"kind": "leak", "step": names[k - 1], "next_step": next_step, "cause": None}
                row |= {"by": column or None, "segment": name or None, "target": against}
                row["customers"] = int(each.sizes[k - 1].sum())
                row["losses"] = _losses(row["customers"], goal - each.rate(k), each if known else everybody, k + 1)
                row |= {"rate": each.rate(k)[1], "target_rate": goal[1]}
                row["gap"] = _gap(each, None if against == "target" else large[against], k, goal[1], confidence)
                rows.append(row)
    return rows


def _gap(
    group: Group, best: Group | None, k: int, goal: float, confidence: float
) -> tuple[tuple[float, float, float], float]:
    """Difference to the goal with Newcombe's interval and p-value: for where no replicate differs from another."""

    def rate(each: Group) -> tuple[float, float, float]:
        on, n = each.reached[k][1], each.reached[k - 1][1]
        return (on / n, *wilson(on, n, confidence)) if n else (np.nan, np.nan, np.nan)

    own = rate(group)
    n = group.reached[k - 1][1]
    other, m = ((goal, goal, goal), np.inf) if best is None else (rate(best), best.reached[k - 1][1])
    p_value = float(two_rate_test(goal, min(m, 1e12), own[0], n))
    return newcombe(other, own), p_value


def friction_rows(
    sums: pd.DataFrame, groups: dict[str, dict[str, Group]], causes: list[str], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """List what each cause goes with, at the same pages, against those who do not meet it."""
    rows = []
    everybody = groups[EVERYBODY][EVERYBODY]
    for cause in causes:
        mine = (sums.index.get_level_values("part") == "friction") & (sums.index.get_level_values("of") == cause)
        cells = sums[mine].droplevel(["part", "of"])
        if cells.empty:
            continue
        wide = [cells[cells.index.get_level_values("what") == name].droplevel("what") for name in CELLS]
        strata = cells.index.get_level_values("group").unique()
        stacked = np.stack([each.reindex(strata, fill_value=0.0).to_numpy(dtype=float) for each in wide], axis=-1)
        met = stacked[:, :2, :2].sum()
        difference = pooled_difference(stacked.transpose(1, 0, 2))
        exposed = divide(stacked[..., 0].sum(axis=0), stacked[..., :2].sum(axis=(0, 2)))
        row: dict[str, Any] = {"kind": "friction", "step": names[0], "next_step": names[-1], "cause": cause, "by": None}
        row |= {"segment": None, "target": "same page", "customers": int(met)}
        row["losses"] = _losses(met, 0.0 - difference, everybody, len(names))
        row |= {"rate": exposed[1], "target_rate": exposed[1] - difference[1]}
        rows.append(row)
    return rows


def _losses(customers: float, gap: Sums, downstream: Group, k: int) -> dict[str, Sums]:
    """Turn a gap into customers, conversions and value: what those who come to step k are worth."""
    lost = customers * gap
    return {
        "lost_customers": lost,
        "lost_conversions": lost * downstream.converting(k),
        "lost_value": lost * downstream.worth(k),
    }


def ranked(rows: list[dict[str, Any]], *, valued: bool, confidence: float) -> pd.DataFrame:
    """Order rows by what the first half says, and estimate them by the second."""
    measure = "lost_value" if valued else "lost_conversions"
    listed = [row for row in rows if row["losses"][measure][0] > 0]
    listed.sort(key=lambda row: (-row["losses"][measure][0], str(row["segment"]), str(row["cause"]), row["step"]))
    table = []
    for place, row in enumerate(listed, start=1):
        line = {name: value for name, value in row.items() if name not in ("losses", "gap")} | {"rank": place}
        for name, values in row["losses"].items():
            estimate = _interval(values, confidence)
            if _spread(values) == 0 and "gap" in row and row["gap"][0][0]:
                estimate = values[1] * np.array(row["gap"][0]) / row["gap"][0][0]
            if name == "lost_value" and not valued:
                estimate = np.full(3, np.nan)
            line |= dict(zip((name, f"{name}_low", f"{name}_high"), estimate, strict=True))
        line["p_value"] = _p_value(row["losses"][measure])
        if np.isnan(line["p_value"]) and "gap" in row:
            line["p_value"] = row["gap"][1]
        table.append(line)
    frame = pd.DataFrame(table, columns=list(COLUMNS))
    frame["p_value_holm"] = holm(frame["p_value"].astype(float))
    return frame.astype({"rank": np.int64, "customers": np.int64}) if len(frame) else frame


def _interval(values: Sums, confidence: float) -> NDArray[np.float64]:
    """Estimate of the second half, with the quantiles of its replicates."""
    drawn = values[2:][np.isfinite(values[2:])]
    if len(drawn) < 0.95 * len(values[2:]) or not np.isfinite(values[1]):
        return np.array([values[1], np.nan, np.nan])
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return np.array([values[1], low, high])


def _p_value(values: Sums) -> float:
    """Two-sided p-value of no loss: the second half's estimate against the spread of its replicates."""
    from scipy.special import ndtr

    spread = _spread(values)
    return float(2 * ndtr(-abs(values[1]) / spread)) if spread > 0 and np.isfinite(values[1]) else np.nan


def _spread(values: Sums) -> float:
    drawn = values[2:][np.isfinite(values[2:])]
    spread = float(drawn.std(ddof=1)) if len(drawn) > 1 else 0.0
    return spread if spread > 1e-9 * abs(values[1]) else 0.0
