"""The silence after which hardly anybody comes back: a threshold for inactivity, chosen from the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.comebacks import comeback_rates, comebacks_by_rank
from journeykit.analyses.churn.query import range_of_days
from journeykit.analyses.churn.rules import OVERALL, Inactivity, whole_days
from journeykit.analyses.churn.shared import ChurnResult, by_segment, nobody, records, require_segment, segment
from journeykit.analyses.churn.silences import Activity, Silences, count_silences, list_silent
from journeykit.analyses.churn.tally import left_out_reasons
from journeykit.errors import ParameterError
from journeykit.journey.groups import in_order
from journeykit.journey.steps import as_step
from journeykit.log.calendar import as_timestamp
from journeykit.results.base import left_out_table, metric_table
from journeykit.schema import check_confidence
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog

_SIDES = ("", "_low", "_high")


@dataclass(frozen=True, eq=False, repr=False)
class ChurnThreshold(ChurnResult):
    """After how long a silence hardly anybody comes back.

    Attributes
    ----------
    table : DataFrame
        One row per limit (and `segment`, with `by`), a selection of days up to the longest
        that is watched well enough: `limit_days`; `silences` longer than the limit; `customers` who have
        any; `at_risk`, those silences watched until the horizon after it or
        broken no sooner; `comeback_rate`, the share broken within the horizon
        after the limit, with interval (clustered by customer).
    summary : DataFrame
        One row a segment, or one: `limit_days`, the threshold (missing: no silence
        meets the limit); `comeback_rate` there, with interval; `silences`,
        `customers` likewise; `longest_days`, the longest limit that is
        watched well enough (0: none).
    rank_curves : DataFrame
        The table by the active day (the number of purchases so far, where
        these are the activity) that the silence follows: `segment`, `active_day`
        ("1", "2", "3", "4+"), and the columns of `table`, at limits up to the
        longest that is watched well enough for it.
    by_rank : DataFrame
        Of these, what stands at the threshold (or the longest limit, where
        there is none). Where they differ, one threshold does not fit all.
    sensitivity : DataFrame
        The threshold for half, the same and twice the horizon, and the same
        for the accepted share: `segment`, `horizon_days`, `max_comeback_rate`,
        `limit_days`.
    """

    rank_curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    sensitivity: pd.DataFrame = field(default_factory=pd.DataFrame)
    activity: Activity = field(default_factory=Activity)

    @property
    def rule(self) -> Inactivity | None:
        """The threshold as a rule for `tenures` and `survival_curve`; None if there is none.

        Examples
        --------
        >>> log = jk.read_log(pd.DataFrame({
        ...     "customer": [f"c{i}" for i in range(300) for _ in range(10)],
        ...     "time": [pd.Timestamp("2024-01-01") + pd.Timedelta(days=3 * k + i % 7)
        ...              for i in range(300) for k in range(10)],
        ...     "touchpoint": "visit",
        ... }), observed_until="2024-06-01")
        >>> jk.churn_threshold(log, horizon="30d").rule  # nobody comes back after three days
        Inactivity(after='3d')
        """
        days = self.summary["limit_days"].iloc[0]
        return Inactivity(f"{int(days)}d") if len(self.summary) == 1 and np.isfinite(days) else None

    @property
    def by_rank(self) -> pd.DataFrame:
        """The curves by active day at the threshold, or the longest limit, where there is none."""
        curves, summary = self.rank_curves, self.summary
        if curves.empty:
            return curves
        limit = summary["limit_days"].fillna(summary["longest_days"])
        if "segment" in summary:
            limits = dict(zip(summary["segment"], limit, strict=True))
            at = curves["limit_days"] == curves["segment"].map(limits)
        else:
            at = curves["limit_days"] == limit.iloc[0]
        return curves[at].reset_index(drop=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share who come back by how long they were silent, and the threshold; return the axes."""
        from journeykit.plots.churn_threshold import plot_threshold

        return plot_threshold(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the same, and beside it by the active day before the silence: curves; of segments, thresholds."""
        from journeykit.plots.churn_threshold import threshold_figure

        return threshold_figure(self)

    def plot_ranks(self, ax: Axes | None = None, *, segment: str | None = None) -> Axes:
        """Draw the share who come back, a line for each active day that the silence follows; return the axes.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        segment : str, optional
            Which segment, where there are several.
        """
        from journeykit.plots.churn_threshold import plot_ranks

        names = self.summary["segment"].tolist() if "segment" in self.summary else [None]
        if segment not in names and not (segment is None and len(names) == 1):
            raise ParameterError(f"segment must be one of {names}, got {segment!r}")
        return plot_ranks(self, ax=ax, segment=segment or names[0] or "")

    def customers(self, row: int, log: Any = None) -> pd.Index:
        """Return the customers who were ever silent for longer than a row's limit.

        Parameters
        ----------
        row : int
            Position in `table`.
        log : InteractionLog, optional
            The log, if the result came from a file.
        """
        if not 0 <= row < len(self.table):
            raise ParameterError(f"row == {row}, must be from 0 to {len(self.table) - 1}")
        wanted = self.table.iloc[row]
        source = self._log(log)
        found = source.tally(
            list_silent, activity=self.activity, group=wanted.get("segment", OVERALL), longer=int(wanted["limit_days"])
        )
        ids: pd.Index = found.index
        return ids

    def metrics(self) -> pd.DataFrame:
        """Flat records of each segment: the threshold, and the share who come back after it."""
        found = []
        for row in records(self.summary):
            common = {"n": row["silences"], "segment": segment(row)}
            found.append({"name": "limit_days", "value": row["limit_days"], "unit": "days"} | common)
            rate = {"name": "comeback_rate", "value": row["comeback_rate"], "unit": "share"}
            found.append(rate | {"low": row["comeback_rate_low"], "high": row["comeback_rate_high"]} | common)
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say which silence it is, or that none will do, and how many come back after it."""
        asked = {"horizon_days": self.params["horizon_days"], "max_comeback_rate": self.params["max_comeback_rate"]}
        sentences = []
        for row in records(self.summary):
            kind = (
                "threshold"
                if np.isfinite(row["limit_days"])
                else "no_threshold"
                if row["longest_days"]
                else "too_short"
            )
            sentence = say(f"churn.{kind}", **row | asked | self._last(row))
            named = "segment" in row
            sentences.append(say("churn.named", segment=row["segment"], sentence=sentence) if named else sentence)
        return " ".join(sentences)

    def _last(self, row: dict[str, Any]) -> dict[str, Any]:
        """Say what the longest limit that is watched well enough has."""
        rows = self.table[self.table["segment"] == row["segment"]] if "segment" in row else self.table
        names = [f"comeback_rate{side}" for side in _SIDES]
        values = rows[names].iloc[-1] if len(rows) else pd.Series(np.nan, names)
        return {name.replace("comeback", "last"): values[name] for name in names}

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        return self.summary


def churn_threshold(
    log: InteractionLog,
    *,
    horizon: Any = "90d",
    max_comeback: float = 0.05,
    start: Any = None,
    activity: Any = None,
    between: tuple[Any, Any] | None = None,
    by: str | None = None,
    confidence: float = 0.95,
) -> ChurnThreshold:
    """Choose the silence after which a customer may be called gone.

    It is the shortest for which hardly anybody comes back within the horizon
    after it, and after no longer silence either. Silences that still last are
    censored, not taken for ends nor left out: quantiles of completed silences
    would grow with the log.

    Parameters
    ----------
    log : InteractionLog
        The interactions.
    horizon : str or timedelta
        How long after the silence coming back is looked for, in whole days.
    max_comeback : float
        The share of the silent who may come back within the horizon.
    start : str, collection of str or Step, optional
        The event from which on somebody is a customer: earlier silences, and
        those who never had it, do not count. As for `tenures`.
    activity : str, collection of str or Step, optional
        What counts as activity; every event if not given.
    between : tuple of two dates, optional
        Only customers whose start, or first activity in the whole log, lies
        on the first date or later and before the second; their silences are
        watched to the end of the log.
    by : str, optional
        Column that splits customers, as known at the start, or the first activity; segments
        known later are refused.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    ChurnThreshold
        The threshold as `rule`, for `jk.tenures(log, churn=found.rule)`; None
        if no silence within the log meets the limit, and then it says so.

    Notes
    -----
    With S the Kaplan–Meier curve of the days between active days, the last
    silence of each customer censored on the last full day, the share who come
    back within H of a silence of d is R(d, H) = 1 − S(d + H)/S(d). The
    threshold is the smallest d with 100 silences at risk at d + H or more,
    and R(d′, H) ≤ `max_comeback` for every such d′ ≥ d.

    Silences of one customer are alike, so the variance of log S(d + H)/S(d)
    is the sum of each customer's squared influence on it (the infinitesimal
    jackknife: with one silence a customer it is Greenwood's), and the
    interval is Wilson's with the number of silences that has this variance.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> found = jk.churn_threshold(log, horizon="90d", max_comeback=0.1)
    >>> curve = jk.survival_curve(log, churn=found.rule or jk.Inactivity("90d"))
    """
    check_confidence(confidence)
    ahead = whole_days(horizon, name="horizon")
    if not 0 < max_comeback < 1:
        raise ParameterError(f"max_comeback == {max_comeback!r}, must be above 0 and below 1")
    require_segment(log, by)
    steps = [None if each is None else as_step(each, log) for each in (activity, start)]
    asked = Activity(steps[0], by, steps[1], range_of_days(log, between))
    counted = log.tally(count_silences, activity=asked).reset_index()
    out = counted[counted["what"] == "left_out"]
    silences = counted[counted["what"] == "silence"]
    left_out = left_out_table(left_out_reasons(out["days"].to_numpy(), out["silences"].to_numpy()))
    if silences.empty:
        raise nobody(left_out, "with a silence")
    order = in_order(silences["group"].unique(), log.stages)
    groups = {name: Silences.of(silences[silences["group"] == name]) for name in order}
    chosen = {name: each.threshold(ahead, max_comeback) for name, each in groups.items()}
    table = comeback_rates(log, asked, groups, chosen, ahead, confidence)
    curves = comebacks_by_rank(log, asked, silences, groups, chosen, ahead, confidence)
    params = {
        "horizon_days": ahead,
        "max_comeback_rate": max_comeback,
        "start": None if asked.start is None else asked.start.name,
        "activity": None if asked.step is None else asked.step.name,
        "between": tuple(None if day is None else str(np.datetime64(day, "D")) for day in asked.between_days),
        "by": by,
        "confidence": confidence,
        "observed_until": as_timestamp(log.observed_until, log.timezone),
        "definition": f"churn_threshold_{ahead}d/1",
    }
    frames = (table, _summary(table, groups, chosen, ahead), curves, _sensitivity(groups, ahead, max_comeback))
    table, summary, curves, sensitivity = (by_segment(frame, by) for frame in frames)
    return ChurnThreshold(table, summary, pd.DataFrame(), left_out, params, log, curves, sensitivity, asked)


def _summary(table: pd.DataFrame, groups: dict[str, Silences], chosen: dict[str, float], horizon: int) -> pd.DataFrame:
    parts = []
    for name, each in groups.items():
        limits = each.limits(horizon)
        found = table[(table["group"] == name) & (table["limit_days"] == chosen[name])]
        row = found.drop(columns="at_risk").to_dict("records") or [{"group": name}]
        parts.append(row[0] | {"limit_days": chosen[name], "longest_days": int(limits[-1]) if len(limits) else 0})
    columns = [
        "group",
        "limit_days",
        *(f"comeback_rate{side}" for side in _SIDES),
        "silences",
        "customers",
        "longest_days",
    ]
    summary = pd.DataFrame(parts).reindex(columns=columns)
    return summary.fillna({"silences": 0, "customers": 0}).astype({"silences": np.int64, "customers": np.int64})


def _sensitivity(groups: dict[str, Silences], horizon: int, max_comeback: float) -> pd.DataFrame:
    rows = [
        {
            "group": name,
            "horizon_days": ahead,
            "max_comeback_rate": share,
            "limit_days": each.threshold(ahead, share),
        }
        for name, each in groups.items()
        for ahead in sorted({max(1, horizon // 2), horizon, horizon * 2})
        for share in sorted({max_comeback / 2, max_comeback, min(max_comeback * 2, 0.99)})
    ]
    return pd.DataFrame(rows)
