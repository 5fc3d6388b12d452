"""Each group's curves, by counts and by sums over customers, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.entries import CONVERTED, RUNNING
from journeykit.analyses.conversion.plan import Plan
from journeykit.estimators.influence import Influence, clustered_curve_se, incidence_influence
from journeykit.estimators.proportions import Floats, wilson_rate, z_value
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import log_log_interval, survival_quantile

SIDES = ("", "_low", "_high")


@dataclass(frozen=True)
class Curve:
    """The share of one group that has come to one end, by the time since the entry.

    Attributes
    ----------
    rows : DataFrame
        The group's risk table; its first row, before time 0, is the start.
    column : str
        The column of `rows` that counts this end.
    watched : array
        Independent customers at risk at each time.
    share, low, high, se : array
        The incidence at each time, its interval and standard error.
    """

    group: int
    end: int
    rows: pd.DataFrame
    column: str
    influence: Influence
    watched: Floats
    share: Floats
    low: Floats
    high: Floats
    se: Floats
    confidence: float

    @property
    def until(self) -> float:
        """The time up to which it is known: for ever once nobody can be left."""
        left = self.rows["at_risk"].iloc[-1] - self.rows["events"].iloc[-1] - self.rows["censored"].iloc[-1]
        ended = left <= 0 and self.rows["censored"].iloc[-1] == 0
        return np.inf if ended else float(self.rows["time"].iloc[-1])

    def read(self, times: Any) -> pd.DataFrame:
        """Read the curve: `time`, `at_risk`, and the share with interval and error; NaN where nobody was watched."""
        asked = np.asarray(times, dtype=float)
        time = self.rows["time"].to_numpy(dtype=float)
        row = np.searchsorted(time, asked, side="right") - 1
        after = np.searchsorted(time, asked)
        at_risk = np.append(self.rows["at_risk"].to_numpy(), 0)[after]
        watched = np.append(self.watched, 0.0)[after]
        share, low, high, se = (each[row] for each in (self.share, self.low, self.high, self.se))
        # Between two times, with nobody there yet: so many were watched up to here.
        none_yet = (share <= 0) & (watched > 0)
        high = np.where(none_yet, wilson_rate(0.0, np.maximum(watched, 1), self.confidence)[1], high)
        known = asked <= self.until
        found = {"rate": share, "rate_low": low, "rate_high": high, "rate_se": se}
        frame = pd.DataFrame({name: np.where(known, value, np.nan) for name, value in found.items()})
        frame.insert(0, "time", times)
        frame.insert(1, "at_risk", at_risk)
        return frame

    def passed(self, times: Any, column: str) -> Any:
        """Count what a column of the risk table counts, up to each time."""
        place = np.searchsorted(self.rows["time"].to_numpy(dtype=float), np.asarray(times, dtype=float), side="right")
        return np.append(0, np.cumsum(self.rows[column].to_numpy()))[place]

    def quantile(self, share: float) -> list[float]:
        """Return the time by which a share of all had come to this end, with its bounds; NaN where not reached."""
        frame = pd.DataFrame(
            {"time": self.rows["time"], "at_risk": self.rows["at_risk"], "events": self.rows[self.column]}
        )
        frame = frame.assign(incidence=self.share, incidence_low=self.low, incidence_high=self.high)
        found = survival_quantile(frame, share)
        return [float(found[f"time{side}"].iloc[0]) for side in SIDES]


def tables(counts: pd.DataFrame, plan: Plan) -> dict[int, pd.DataFrame]:
    """Make each group's risk table of the entries counted, with a column for each end."""
    rows = counts[counts["kind"] <= len(plan.ends)]
    return _by_group(rows, rows["kind"].to_numpy(), len(plan.ends))


def pooled_table(counts: pd.DataFrame, plan: Plan, shadow: int) -> pd.DataFrame:
    """Make the risk table, by group, for comparing who converts: other ends stay as long as they could be watched."""
    rows = counts[counts["kind"].isin((RUNNING, CONVERTED, shadow))]
    return risk_table(
        rows["duration"].to_numpy(), rows["kind"].to_numpy() == CONVERTED, enters=-1, weight=rows["n"].to_numpy(),
        by=rows["group"].rename("group"),
    )  # fmt: skip


def _by_group(rows: pd.DataFrame, kinds: Any, n_ends: int) -> dict[int, pd.DataFrame]:
    names: pd.Index = pd.Index([str(end) for end in range(1, n_ends + 1)], dtype=object)
    groups = rows["group"].to_numpy()
    found = {}
    for group in np.unique(groups).tolist():
        own = rows[groups == group]
        ends = pd.Categorical.from_codes(kinds[groups == group] - 1, categories=names)
        found[int(group)] = risk_table(own["duration"].to_numpy(), ends, enters=-1, weight=own["n"].to_numpy())
    return found


def make_curve(
    group: int,
    end: int,
    rows: pd.DataFrame,
    confidence: float,
    *,
    independent: pd.DataFrame | None = None,
    changes: pd.DataFrame | None = None,
) -> Curve:
    """Estimate one curve, from `aalen_johansen` of independent entries or from the `cluster_changes` of others."""
    column = f"events_{end}"
    influence = incidence_influence(rows, column)
    if independent is not None:
        own = independent[independent["end"] == str(end)]
        share, low, high, se = (own[f"incidence{name}"].to_numpy() for name in (*SIDES, "_se"))
        return Curve(
            group, end, rows, column, influence, rows["at_risk"].to_numpy(dtype=float), share, low, high, se, confidence
        )
    assert changes is not None
    se, watched = clustered_curve_se(changes, influence)
    other = 1 - influence.incidence
    not_low, not_high = log_log_interval(
        np.where(other > 1e-12, other, 0.0), se, watched, z_value(confidence), confidence
    )
    return Curve(
        group, end, rows, column, influence, watched, influence.incidence, 1 - not_high, 1 - not_low, se, confidence
    )
