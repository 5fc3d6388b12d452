"""A survival curve beside a survival curve: both read at the same ages, and who is behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.measured import tenures_of
from journeykit.analyses.churn.rules import OVERALL
from journeykit.analyses.churn.shared import by_segment, in_unit
from journeykit.estimators.influence import CENSORED, ENDED, incidence_influence
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk import group_columns
from journeykit.estimators.survival import restricted_mean
from journeykit.results.comparable import Comparable, by_owner, rows_of

if TYPE_CHECKING:
    from journeykit.analyses.churn.curve import SurvivalCurve

AGES = (7, 14, 30, 60, 90, 180, 365, 730, 1095)
"""Ages at which curves are read, of those before the horizon; in days, or in the unit of the durations."""


def comparable(result: SurvivalCurve, other: SurvivalCurve) -> Comparable:
    """Lay out the survival at usual ages and at the nearer horizon of the two, and the mean up to it."""
    unit = result.unit
    horizon = min(each.params[f"horizon_{unit}"] for each in (result, other))
    confidence = result.params["confidence"]
    ended = pd.concat([each.risk.loc[each.risk["events"] > 0, "time"] for each in (result, other)])
    ages = [*(age for age in AGES if ended.min() <= age < horizon), horizon]  # before anybody ends, all are there
    keys = [*(["segment"] if "segment" in result.table else []), f"time_{unit}"]
    mean = by_segment(restricted_mean(result.risk, horizon, confidence, repeats=result.repeats), result.params["by"])
    mean = mean.rename(columns={"horizon": "time_days", "mean": "mean_days"})
    mean = in_unit(mean.rename(columns={"mean_low": "mean_days_low", "mean_high": "mean_days_high"}), unit)
    rows = pd.concat(
        [rows_of(mean, keys, [f"mean_{unit}"]), rows_of(result.at(*ages), keys, ["survival"])], ignore_index=True
    )
    if result.log is None:
        return Comparable(rows, tuple(keys))
    look = _Lookup(result, rows)
    return Comparable(rows, tuple(keys), look.scores, customers=look.customers)


class _Lookup:
    """The tenures behind the rows, measured again."""

    def __init__(self, result: SurvivalCurve, rows: pd.DataFrame) -> None:
        self._result, self._rows = result, rows
        self._found: pd.DataFrame | None = None

    def _tenures(self) -> pd.DataFrame:
        if self._found is None:
            source, query = self._result.log, self._result.query
            found = source.whole() if isinstance(source, Tenures) else tenures_of(source, query)  # type: ignore[arg-type]
            in_days = {f"{name}_{found.unit}": f"{name}_days" for name in ("enters", "duration")}
            watched = found.duration > found.enters
            self._found = found.table[watched].rename(columns=in_days)
        return self._found

    def customers(self) -> pd.Index:
        ids = pd.Index(self._tenures()["customer"].unique(), name="customer")
        return by_owner(self._result.log, pd.DataFrame(index=ids)).index

    def scores(self, rows: Sequence[int]) -> pd.DataFrame:
        """Each customer's score in the survival at an age, or in the mean up to one."""
        tenures = self._tenures()
        ids = pd.Index(tenures["customer"].unique(), name="customer")
        columns = {}
        for row in rows:
            asked = self._rows.iloc[row]
            own = tenures
            if "segment" in asked:
                own = tenures[tenures["segment"] == asked["segment"]]
            scores = curve_scores(
                self._risk(asked.get("segment", OVERALL)),
                own,
                str(asked["measure"]),
                asked[f"time_{self._result.unit}"],
            )
            columns[row] = pd.Series(scores).groupby(own["customer"].to_numpy()).sum().reindex(ids).to_numpy()
        return by_owner(self._result.log, pd.DataFrame(columns, index=ids))

    def _risk(self, group: Any) -> pd.DataFrame:
        risk = self._result.risk
        names = group_columns(risk)
        chosen: pd.DataFrame = risk[(risk[names[0]] == group).to_numpy()] if names else risk
        return chosen


def curve_scores(risk: pd.DataFrame, tenures: pd.DataFrame, measure: str, age: float) -> Floats:
    """Scores of tenures in the survival at an age (`"survival"`), or in the mean up to it.

    What a tenure adds from when it is first watched to its end: survival is 1
    less the share that has ended, the mean the area under it.
    """
    influence = incidence_influence(risk)
    value = influence.at(age) if measure == "survival" else influence.area(age)
    way = np.where(tenures["event"].to_numpy(dtype=bool), ENDED, CENSORED)
    at_end = value[way, influence.places(tenures["duration_days"].to_numpy(dtype=float))]
    enters = np.searchsorted(influence.time, tenures["enters_days"].to_numpy(dtype=float), side="right") - 1
    unseen = np.where(enters >= 0, value[CENSORED, np.maximum(enters, 0)], 0.0)
    return np.asarray(unseen - at_end)
