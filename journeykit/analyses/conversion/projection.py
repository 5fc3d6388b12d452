"""What unfinished periods will come to: Kaplan–Meier as far as they were watched, then as finished periods went on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.clocks import find_clocks
from journeykit.analyses.conversion.trend_counts import Part, TrendCounts
from journeykit.analyses.conversion.trend_plan import TrendPlan
from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.influence import Influence, incidence_influence, independent_variance
from journeykit.estimators.proportions import wilson_rate
from journeykit.estimators.risk import risk_table
from journeykit.log.interactions import InteractionLog


@dataclass(frozen=True)
class Projection:
    """An unfinished period of a group.

    Attributes
    ----------
    until : int
        The largest age u at which anybody was watched.
    so_far : (float, float, float)
        F(u), with its interval.
    later : (float, float, float)
        P(convert in (u, w] | not by u) in finished periods, likewise.
    n_later : int
        Entries of finished periods not converted by u.
    between : float
        Variance of that share between periods, beyond chance.
    """

    group: int
    period: int
    until: int
    influence: Influence
    so_far: tuple[float, float, float]
    so_far_variance: float
    later: tuple[float, float, float]
    n_later: int
    between: float

    @property
    def rate(self) -> float:
        """F(u) + (1 − F(u)) · P(later)."""
        return self.so_far[0] + (1 - self.so_far[0]) * self.later[0]

    @property
    def slopes(self) -> tuple[float, float]:
        """How the rate moves with F(u) and with P(later)."""
        return 1 - self.later[0], 1 - self.so_far[0]

    @property
    def later_variance(self) -> float:
        """Variance of P(later), for a period that is not among the finished ones."""
        return self.later[0] * (1 - self.later[0]) / self.n_later + self.between

    def interval(self, covariance: float = 0.0) -> tuple[float, float]:
        """Join the two intervals, each side by its own width (Zou & Donner 2008), given how the parts vary together."""
        both = np.sqrt(self.so_far_variance * self.later_variance)
        correlation = float(np.clip(covariance / both, -1, 1)) if both > 0 else 0.0
        sides = []
        for side in (1, 2):
            a, b = (
                slope * abs(part[side] - part[0])
                for slope, part in zip(self.slopes, (self.so_far, self.later), strict=True)
            )
            sides.append(np.sqrt(max(a * a + b * b + 2 * correlation * a * b, 0.0)))
        return max(0.0, self.rate - sides[0]), min(1.0, self.rate + sides[1])


def project(counts: TrendCounts, plan: TrendPlan) -> list[Projection]:
    """Estimate every unfinished period in which anybody entered, of groups with a finished one."""
    if plan.clock != "first" or plan.from_step != 1:
        return []
    n = counts.numbers(Part.N)
    finished = plan.finished
    waiting = np.array(plan.status) == "unfinished"
    found = []
    for group in range(len(plan.labels)):
        old = finished & (n[group] > 0)
        if not old.any():
            continue
        ended, watched = (counts.values(part, group) for part in (Part.CONVERTED, Part.WATCHED))
        history = ended[old[ended["period"].to_numpy()]]
        for period in np.flatnonzero(waiting & (n[group] > 0)):
            own = [rows[rows["period"] == period] for rows in (ended, watched)]
            projection = _project(plan, group, int(period), own, history, n[group] * old)
            if projection is not None:
                found.append(projection)
    return found


def _project(
    plan: TrendPlan, group: int, period: int, own: list[pd.DataFrame], history: pd.DataFrame, n: Any
) -> Projection | None:
    durations = np.concatenate([rows["value"].to_numpy() for rows in own])
    converted = np.repeat([True, False], [len(rows) for rows in own])
    weights = np.concatenate([rows["n"].to_numpy() for rows in own])
    table = risk_table(durations, converted, enters=-1, weight=weights)
    until = int(table["time"].iloc[-1])
    share, n_later, between = _later(history, n, until, plan.n_periods)
    if n_later == 0:
        return None
    influence = incidence_influence(table)
    last = aalen_johansen(table, plan.confidence).iloc[-1]
    so_far = (float(last["incidence"]), float(last["incidence_low"]), float(last["incidence_high"]))
    variance = independent_variance(table, "events", influence.at(until))
    spread = share * (1 - share) / n_later + between
    effective = share * (1 - share) / spread if spread > 0 else float(n_later)
    low, high = wilson_rate(share, effective, plan.confidence)
    return Projection(
        group, period, until, influence, so_far, variance, (share, float(low), float(high)), n_later, between
    )


def _later(history: pd.DataFrame, n: Any, until: int, n_periods: int) -> tuple[float, int, float]:
    """Share of finished periods' entries not converted by an age who did later; their number; variance between periods.

    The variance is that of the periods' own shares less what chance among
    their entries explains, by moments.
    """
    by_then = history[history["value"] <= until]
    x_early = np.bincount(by_then["period"], by_then["n"], minlength=n_periods)
    x_all = np.bincount(history["period"], history["n"], minlength=n_periods)
    left, x = n - x_early, x_all - x_early
    total = left.sum()
    if total <= 0:
        return np.nan, 0, 0.0
    share = float(x.sum() / total)
    some = left > 0
    excess = (left[some] * (x[some] / left[some] - share) ** 2).sum() - (some.sum() - 1) * share * (1 - share)
    room = total - (left[some] ** 2).sum() / total
    return share, int(total), float(max(0.0, excess / room)) if room > 0 else 0.0


PARTS, CHANGE = 0, 1
"""Products of what the two parts of one projection add together; squares of the change from the period before."""


def sum_projections(
    log: InteractionLog, plan: TrendPlan, projections: list[Projection], n: Any, x: Any
) -> pd.DataFrame:
    """Tally: sums over owners of products of what their entries add.

    `what` PARTS: to F(u) and to P(later) of a period; CHANGE: to its rate less
    that of the period before, squared. `owners`: how many add anything. `n` and
    `x` are the entries and conversions of each group and period.
    """
    found = find_clocks(log, plan)
    owners = log.owner_codes[found.customers] if len(found.customers) else np.zeros(0, np.int32)
    finished = plan.finished

    def summed(chosen: Any, rows: Any) -> Any:
        return np.bincount(owners[chosen], rows, minlength=len(log.owners))

    rows = []
    rates: dict[tuple[int, int], Any] = {}
    for each in projections:
        own = (found.groups == each.group) & (found.periods == each.period)
        place = each.influence.places(found.durations[own])
        so_far = summed(own, each.influence.at(each.until)[found.converted[own].astype(np.int64), place])
        old = (found.groups == each.group) & finished[found.periods]
        late = ~found.converted[old] | (found.durations[old] > each.until)
        later = summed(old, late * (found.converted[old] - each.later[0]) / each.n_later)
        rate = each.slopes[0] * so_far + each.slopes[1] * later
        rows.append((PARTS, each.group, each.period, float(so_far @ later), 0))
        key = (each.group, each.period - 1)
        if each.period > 0 and finished[key[1]] and n[key] > 0:
            earlier = (found.groups == each.group) & (found.periods == key[1])
            rates[key] = summed(earlier, (found.converted[earlier] - x[key] / n[key]) / n[key])
        if key in rates:
            change = rate - rates[key]
            rows.append((CHANGE, each.group, each.period, float(change @ change), int(np.count_nonzero(change))))
        rates = {(each.group, each.period): rate}  # only that of the period before is asked for
    frame = pd.DataFrame(rows, columns=["what", "group", "period", "product", "owners"])
    return frame.astype({"product": float, "owners": np.int64}).set_index(["what", "group", "period"])
