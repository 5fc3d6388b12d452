"""The log-rank test where customers have several rows: its score, summed within customers before it is squared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.logrank import aligned
from journeykit.estimators.proportions import Floats
from journeykit.estimators.risk import group_columns


@dataclass(frozen=True)
class Scores:
    """What a row adds to the log-rank score of each group.

    Attributes
    ----------
    time : array
        The times with events, of all groups together.
    share : array, shape (groups, times)
        Part of those at risk who are of a group.
    hazard, expected : array
        Events per row at risk up to each time, and the part of it expected in
        each group.
    score : array
        Observed minus expected events of each group.
    """

    time: Floats
    share: Floats
    hazard: Floats
    expected: Floats
    score: Floats

    def of_rows(self, group: int, own: Any, duration: Any, ended: Any) -> Floats:
        """Contributions to one group's score of rows: whether they are `own` rows of the group, and how they end."""
        past = np.searchsorted(self.time, np.asarray(duration), side="right")  # times up to the row's end
        mine = np.asarray(own, dtype=float)
        hazard, expected = (np.append(0.0, each)[past] for each in (self.hazard, self.expected[group]))
        share = np.append(0.0, self.share[group])[past]  # at the end itself, if it is an event
        value: Floats = np.asarray(ended, dtype=float) * (mine - share) - (mine * hazard - expected)
        return value


def logrank_scores(table: pd.DataFrame, groups: list[Any]) -> Scores:
    """Find the log-rank score of groups, and what each row adds to it.

    Parameters
    ----------
    table : DataFrame
        The risk table of the groups; its one group column holds their names.
    groups : list
        The groups compared, in order.

    Returns
    -------
    Scores
        The contributions add up to the score. Their squares, summed over
        customers, estimate its variance when there is no difference: Lin &
        Wei (1989), Journal of the American Statistical Association 84:1074.

    Examples
    --------
    >>> from journeykit.estimators.risk import risk_table
    >>> duration, group = [3, 5, 7, 2, 1, 2], ["a", "a", "a", "b", "b", "b"]
    >>> scores = logrank_scores(risk_table(duration, [1, 1, 0, 1, 1, 1], by=group), ["a", "b"])
    >>> scores.score.round(2).tolist()
    [-1.7, 1.7]
    """
    (column,) = group_columns(table)
    times, n, d = aligned(table, column, {name: i for i, name in enumerate(groups)})
    share = n / n.sum(axis=0)
    rate = d.sum(axis=0) / n.sum(axis=0)
    return Scores(
        times, share, np.cumsum(rate), np.cumsum(share * rate, axis=1), (d - share * d.sum(axis=0)).sum(axis=1)
    )
