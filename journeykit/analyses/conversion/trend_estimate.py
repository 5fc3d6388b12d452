"""From counts to the tables of a trend."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.projection import CHANGE, PARTS, Projection, project, sum_projections
from journeykit.analyses.conversion.trend_counts import Part, TrendCounts, count_trend, key_of
from journeykit.analyses.conversion.trend_plan import TrendPlan
from journeykit.estimators.differences import clustered_difference, holm
from journeykit.estimators.proportions import clustered_n, clustered_rate, divide, t_value, wilson_rate
from journeykit.schema import SECOND

SIDES = ("", "_low", "_high")


class Trend:
    """Everything that a trend shows, estimated once.

    Parameters
    ----------
    log : InteractionLog
        Whose tallies are asked for.
    plan : TrendPlan
        What is asked.
    """

    def __init__(self, log: Any, plan: TrendPlan) -> None:
        self.plan = plan
        self.counts = TrendCounts(log.tally(count_trend, plan=plan), key_of(plan))
        self.n, self.x = self.counts.numbers(Part.N), self.counts.numbers(Part.X)
        self.projections = project(self.counts, plan)
        self._sums = None
        if self.projections:
            self._sums = log.tally(sum_projections, plan=plan, projections=self.projections, n=self.n, x=self.x)
        self.names = plan.period_names(log)
        started = self.counts.numbers(Part.ENTERED).sum(axis=1) > 0
        self.groups = np.flatnonzero(started) if plan.by is not None else np.zeros(1, np.int64)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Lay out one row a period (and group)."""
        parts = [self._of_group(int(group)) for group in self.groups]
        return pd.concat(parts, ignore_index=True) if parts else self._of_group(0).iloc[:0]

    def _of_group(self, group: int) -> pd.DataFrame:
        plan, future = self.plan, np.array(self.plan.status) == "future"
        started = self.counts.numbers(Part.ENTERED)[group]
        frame = pd.DataFrame(
            {"period": self.names, "started": started, "customers": self.n[group], "converted": self.x[group]}
        )
        sums = {name: self.counts.numbers(part)[group] for name, part in _SUMS.items()}
        once = sums["nn"] == sums["n"]  # each owner counts once
        frame["effective"] = np.where(once, sums["n"], clustered_n(**sums))
        rates = _rates(frame, plan)
        unfinished = (np.array(plan.status) == "unfinished") & (self.n[group] > 0)
        rates["so_far_rate"] = np.where(unfinished, divide(self.x[group], self.n[group]), np.nan)
        rates["method"] = np.where(plan.finished & (self.n[group] > 0), "observed", "")
        for each in self.projections:
            if each.group == group:
                low, high = each.interval(self._product(PARTS, each))
                rates.loc[each.period, [f"conversion_rate{side}" for side in SIDES]] = [each.rate, low, high]
                rates.loc[each.period, "method"] = "estimate"
        for name, quantiles in self._quantiles(group, {"median": 0.5, "p90": 0.9}).items():
            for i, side in enumerate(SIDES):
                rates[f"{name}_seconds{side}"] = quantiles[:, i]
        for name in ("started", "customers", "converted"):  # what has not begun is not 0
            rates[name] = pd.arrays.IntegerArray(rates[name].to_numpy(np.int64), future.copy())
        rates["status"], rates["note"] = plan.status, plan.notes
        if plan.by is not None:
            rates.insert(0, "segment", plan.labels[group])
        return rates.drop(columns="effective")

    def _product(self, what: int, each: Projection) -> float:
        assert self._sums is not None
        return float(self._sums["product"].get((what, each.group, each.period), 0.0))

    def _quantiles(self, group: int, shares: dict[str, float]) -> dict[str, Any]:
        """Times by which shares of those who converted had, in finished periods, with their bounds."""
        found = {name: np.full((self.plan.n_periods, 3), np.nan) for name in shares}
        rows = self.counts.values(Part.CONVERTED, group)
        periods, values, numbers = (rows[name].to_numpy() for name in ("period", "value", "n"))
        order = np.lexsort((values, periods))
        cuts = np.searchsorted(periods[order], np.arange(self.plan.n_periods + 1))
        for period in np.flatnonzero(self.plan.finished & (np.diff(cuts) > 0)):
            own = order[cuts[period] : cuts[period + 1]]
            for name, share in shares.items():
                found[name][period] = _quantile(values[own], numbers[own], share, self.plan.confidence)
        return found

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """Compare each period with the one before: both finished, or estimated."""
        parts = []
        for group in map(int, self.groups):
            observed, estimated = self._observed_changes(group), self._estimated_changes(group)
            found = pd.concat([observed, estimated], ignore_index=True) if len(estimated) else observed
            if self.plan.by is not None:
                found.insert(0, "segment", self.plan.labels[group])
            parts.append(found)
        if not parts:
            return pd.DataFrame()
        frame = pd.concat(parts, ignore_index=True)
        return frame.assign(p_value_holm=holm(frame["p_value"]))

    def _observed_changes(self, group: int) -> pd.DataFrame:
        plan, n = self.plan, self.n[group]
        both = np.flatnonzero(plan.finished[1:] & plan.finished[:-1] & (n[1:] > 0) & (n[:-1] > 0)) + 1
        sums = {"customers": self._owners(group)[both]}
        for side, rows in (("a", both), ("b", both - 1)):
            sums |= {
                f"{name}_{side}": self.counts.numbers(part)[group, rows] for name, part in _SUMS.items() if part > 1
            }
        # The tally has the earlier period first.
        for name, part in {"xa_xb": Part.XA_XB, "xa_nb": Part.NA_XB, "na_xb": Part.XA_NB, "na_nb": Part.NA_NB}.items():
            sums[name] = self.counts.numbers(part)[group, both]
        found = clustered_difference(pd.DataFrame(sums), plan.confidence)
        found.columns = pd.Index([str(name).replace("difference", "difference_rate") for name in found])
        found.insert(0, "a", self.names[both - 1])
        found.insert(1, "b", self.names[both])
        return found.assign(method="observed")

    def _owners(self, group: int) -> Any:
        """Owners in each period or the one before."""
        owners = self.counts.numbers(Part.CUSTOMERS)[group]
        return owners + np.r_[0, owners[:-1]] - self.counts.numbers(Part.BOTH)[group]

    def _estimated_changes(self, group: int) -> pd.DataFrame:
        from scipy.special import stdtr

        rows = []
        known = {(each.group, each.period): each for each in self.projections}
        for (of, period), each in known.items():
            before = known.get((of, period - 1))
            if of != group or self._sums is None or (CHANGE, of, period) not in self._sums.index:
                continue
            rate = before.rate if before is not None else self.x[of, period - 1] / self.n[of, period - 1]
            sums = self._sums.loc[(CHANGE, of, period)]
            c = float(sums["owners"])
            variance = float(sums["product"]) * float(divide(c, c - 1))
            for one in (each, before):  # each period's own way on, which finished periods differ in too
                variance += 0.0 if one is None else one.slopes[1] ** 2 * one.between
            difference, se = each.rate - rate, np.sqrt(variance) if variance > 0 else np.nan
            half = float(t_value(c, self.plan.confidence)) * se
            p_value = 2 * stdtr(max(c - 1, 1), -abs(difference) / se)
            ends = (self.names[period - 1], self.names[period])
            rows.append((*ends, difference, difference - half, difference + half, p_value, "estimate"))
        return pd.DataFrame(rows, columns=[*_DIFFERENCE, "method"])

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Lay out one row a group: all finished periods together, and the latest with its change."""
        rows = []
        table, changes = self.table, self.comparison
        for group in map(int, self.groups):
            own, change = (_of(frame, self.plan, group) for frame in (table, changes))
            finished = own[(own["status"] == "finished") & (own["customers"].fillna(0) > 0)]
            pool = self.counts.values(Part.POOL, group).set_index("value")["n"]
            sums = [float(pool.get(value, 0)) for value in range(6)]
            c, x, n, xx, xn, nn = sums
            rate = clustered_rate(c, x, n, xx, xn, nn, self.plan.confidence)
            row: dict[str, Any] = {} if self.plan.by is None else {"segment": self.plan.labels[group]}
            row |= {"periods": int(self.plan.finished.sum()), "customers": int(sums[2]), "converted": int(sums[1])}
            row |= {f"conversion_rate{side}": float(value) for side, value in zip(SIDES, rate, strict=True)}
            last = finished.iloc[-1] if len(finished) else None
            row["latest_period"] = None if last is None else last["period"]
            for name in ("conversion_rate", "median_seconds"):
                for side in SIDES:
                    row[f"latest_{name}{side}"] = np.nan if last is None else last[f"{name}{side}"]
            since = change[change["b"] == row["latest_period"]] if len(change) else change
            for side in SIDES:
                row[f"change_difference_rate{side}"] = since[f"difference_rate{side}"].iloc[0] if len(since) else np.nan
            row["change_p_value"] = since["p_value"].iloc[0] if len(since) else np.nan
            rows.append(row)
        return pd.DataFrame(rows)


_SUMS = {
    "customers": Part.CUSTOMERS, "x": Part.X, "n": Part.N, "xx": Part.XX, "xn": Part.XN, "nn": Part.NN
}  # fmt: skip
_DIFFERENCE = ["a", "b", *(f"difference_rate{side}" for side in SIDES), "p_value"]


def _rates(frame: pd.DataFrame, plan: TrendPlan) -> pd.DataFrame:
    """Add the rate of finished periods, with an interval clustered by owner."""
    known = plan.finished & (frame["customers"].to_numpy() > 0)
    rate = np.where(known, divide(frame["converted"], frame["customers"]), np.nan)
    low, high = wilson_rate(rate, np.where(known, frame["effective"], np.nan), plan.confidence)
    return frame.assign(conversion_rate=rate, conversion_rate_low=low, conversion_rate_high=high)


def _quantile(times: Any, numbers: Any, share: float, confidence: float) -> list[float]:
    """Time by which a share had converted, in seconds, and those at which Wilson's bounds of the share by then do."""
    passed = np.cumsum(numbers)
    by_then = passed / passed[-1]
    low, high = wilson_rate(by_then, np.full(len(by_then), float(passed[-1])), confidence)
    return [_first(times, values, share) / SECOND for values in (by_then, high, low)]


def _first(times: Any, shares: Any, share: float) -> float:
    there = np.asarray(shares) >= share - 1e-12
    return float(times[there.argmax()]) if there.any() else np.nan


def _of(frame: pd.DataFrame, plan: TrendPlan, group: int) -> pd.DataFrame:
    return frame if plan.by is None or frame.empty else frame[frame["segment"] == plan.labels[group]]
