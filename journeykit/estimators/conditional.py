"""The chance to stay, given that one stayed so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import z_value
from journeykit.estimators.risk import group_columns, over_groups
from journeykit.estimators.survival import curve_at, curve_of

if TYPE_CHECKING:
    from journeykit.estimators.repeats import Repeats


def conditional_survival(
    table: pd.DataFrame, given: float, times: Any, confidence: float = 0.95, *, repeats: Repeats | None = None
) -> pd.DataFrame:
    """Estimate who is still there at a time, among those still there at an earlier one.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it.
    given : float
        Time at which everybody considered is known to be still there.
    times : number or array
        Later times, counted from the same origin as `given`.
    confidence : float
        Coverage of the interval.
    repeats : Repeats, optional
        The rows of customers who have several, as for `kaplan_meier`.

    Returns
    -------
    DataFrame
        One row per group and time: `given`, `time`, `survival`,
        `survival_low`, `survival_high`, `survival_se`; NaN after the last
        time observed and where nobody was observed at `given`.

    Notes
    -----
    S(t)/S(given) is Kaplan–Meier over the times after `given`, with its
    interval: those at risk then are as if they had entered late.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> table = risk_table([1, 2, 3, 4], [True] * 4)
    >>> conditional_survival(table, given=2, times=[3, 4])["survival"].tolist()
    [0.5, 0.0]
    """
    z = z_value(confidence)
    asked = np.atleast_1d(np.asarray(times))
    if repeats is not None:
        later = table[table["time"] > given]
        table = table.assign(extra=0.0)
        if len(later):
            table.loc[later.index, "extra"] = repeats.after(given).curve(later)
    if (asked < given).any():
        raise ParameterError(f"times must not lie before given == {given}, got {asked.min()}")

    def condition(rows: pd.DataFrame) -> pd.DataFrame:
        later = rows[rows["time"] > given]
        if later.empty or later["at_risk"].iloc[0] == 0:
            unknown = dict.fromkeys(("survival", "survival_low", "survival_high", "survival_se"), np.nan)
            return pd.DataFrame({"given": given, "time": asked, **unknown})
        # At `given` itself nobody was watched yet, as at the first row of any table.
        origin = later.iloc[:1].assign(time=given, at_risk=0, events=0, extra=0.0)
        alone = pd.concat([origin[later.columns], later]).drop(columns=group_columns(later))
        read = curve_at(curve_of(alone, z, confidence), asked, confidence)
        read.insert(0, "given", given)
        return read

    return over_groups(table, condition)
