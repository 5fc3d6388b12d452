"""The table of tenures, a row a customer, a spell, or a part of one; measured from a log, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.arrays import from_arrays
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.shared import (
    NOT_INTERACTIONS,
    ChurnResult,
    by_segment,
    groups_of,
    in_unit,
    records,
    rule_sentences,
    segment,
    unit_of,
)
from journeykit.errors import ParameterError
from journeykit.results.base import left_out_table, metric_table
from journeykit.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Tenures(ChurnResult):
    """One row a customer: how long it stayed, since when it was watched, and how it ended.

    Several where a customer starts again (`spell`), or where covariates
    change: then rows follow each other, and only the last of a spell ends it.

    Attributes
    ----------
    table : DataFrame
        `customer`; `segment`, with `by`; `spell`, 1 for the first, under
        `Cancel` and `Contract`; `started_at`, the first
        day; `enters_days`, the age since which the customer is watched: at
        risk at t means enters < t ≤ duration, so -1 lets an end on day 0
        count; `duration_days`; `event`, whether the tenure ended;
        `end`, how (missing where it did not); `came_back`, whether the
        customer was there again after the end; `comeback_days`, after how
        many days, or for how many days it was looked for (NaN without an end);
        then the covariates. Under `Contract` ages are counted in terms:
        `enters_terms`, `duration_terms`.
    summary : DataFrame
        One row a segment, or one: `customers`, `spells`, `events`, `censored`, `followed_days`
        (the longest duration), `seen_at_start`: customers whose clock may
        start too late, because they are first seen where customers from
        before the log show first (`washout` leaves them out).
    left_out : DataFrame
        `reason`, `customers`.
    params : mapping
        Every option as used, `observed_until`, `definition`.

    Examples
    --------
    >>> remissions = jk.Tenures.from_durations([6, 6, 6, 6, 7], [True, True, True, False, True])
    >>> remissions.table[["duration_days", "event"]].values.tolist()[-1]
    [7, True]
    """

    query: Query | None = None

    @classmethod
    def from_durations(
        cls,
        durations: Any,
        events: Any,
        enters: Any = None,
        segments: Any = None,
        *,
        customers: Any = None,
        spells: Any = None,
        covariates: Any = None,
    ) -> Tenures:
        """Take durations that were measured elsewhere.

        Parameters
        ----------
        durations : array of numbers
            How long each customer stayed, or has stayed so far. Days, or any
            unit that is used throughout.
        events : array
            Whether the tenure ended: booleans or 0/1; or the name of its
            end, missing where it did not.
        enters : array, optional
            Age since which each was watched; 0 if not given.
        segments : array, optional
            Segments to compare, known at the start.
        customers : array, optional
            Ids; row numbers if not given. A customer with several rows is
            watched in several stretches, within which its covariates do not
            change: they may not overlap, and only the last may end.
        spells : array, optional
            Number of the tenure, where customers start again with a new
            clock: rows of different spells may overlap.
        covariates : DataFrame or mapping of arrays, optional
            What is known of each row, from its entry on.

        Returns
        -------
        Tenures
            Rows that end at or before their entry are left out, and counted.

        Examples
        --------
        >>> jk.Tenures.from_durations([5, 2, 0], ["cancelled", None, "moved"]).left_out["customers"].tolist()
        [1]
        >>> start_stop = jk.Tenures.from_durations(
        ...     [10, 30], [False, True], [0, 10], customers=["ann", "ann"], covariates={"orders": [0, 1]})
        >>> start_stop.changing, len(start_stop.whole().table)
        (True, 1)
        """
        table, params, left_out, last = from_arrays(durations, events, enters, segments, customers, spells, covariates)
        return laid_out(cls, table, {"churn.no_time_at_risk": left_out}, params, last=last)

    # -- read as arrays ----------------------------------------------------------------------

    @property
    def unit(self) -> str:
        """What ages are counted in: `"days"`, or the `"terms"` of a contract."""
        return unit_of(self.params)

    @property
    def enters(self) -> npt.NDArray[Any]:
        """Age since which each row is watched."""
        return self.table[f"enters_{self.unit}"].to_numpy()

    @property
    def duration(self) -> npt.NDArray[Any]:
        """Age until which each row is watched."""
        return self.table[f"duration_{self.unit}"].to_numpy()

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the columns of covariates."""
        return (*self.params["covariates"], *self.params["changing"])

    @property
    def changing(self) -> bool:
        """Whether spells are cut into rows, within which no covariate changes."""
        return self.several and bool(self.table.duplicated(self._spell).any())

    @cached_property
    def several(self) -> bool:
        """Whether any customer has several rows."""
        return has_several(self.table["customer"])

    @property
    def _spell(self) -> list[str]:
        return ["customer", *(["spell"] if "spell" in self.table else [])]

    def whole(self) -> Tenures:
        """Return the same with rows that follow each other in one; covariates are those of the first."""
        if not self.changing:
            return self
        same = ~(self.table[self._spell].ne(self.table[self._spell].shift())).any(axis=1).to_numpy()
        follows = same & (self.enters == np.append(-1, self.duration[:-1]))
        last = np.append(~follows[1:], True)
        table = self.table[~follows].reset_index(drop=True)
        for column in (f"duration_{self.unit}", "event", "end", "came_back", "comeback_days"):
            if column in table:
                table[column] = self.table.loc[last, column].array
        params = {**self.params, "changing": {}, "covariates": dict.fromkeys(self.covariates, "at the start")}
        query = None if self.query is None else replace(self.query, changing={})
        return Tenures(table, self.summary, self.comparison, self.left_out, params, self.log, query)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how many customers stayed how long, those who left apart from those still there; return the axes."""
        from journeykit.plots.churn import plot_tenures

        return plot_tenures(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the same on a figure of its own."""
        from journeykit.plots.churn import tenures_figure

        return tenures_figure(self)

    def customers(self, row: int | str, log: Any = None) -> pd.Index:
        """Return the customer of a row, or all of a segment.

        Parameters
        ----------
        row : int or str
            Position in `table`, or a segment's name.
        log : InteractionLog, optional
            Not needed: tenures know their customers.
        """
        return customers_of(self, row)

    def metrics(self) -> pd.DataFrame:
        """Flat records: customers and events of each segment."""
        found = [
            {
                "name": name,
                "value": row[name],
                "n": row["customers"],
                "unit": "customers",
                "segment": segment(row),
            }
            for row in records(self.summary)
            for name in ("customers", "events")
        ]
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say how many there are, how many left, and what leaving means."""
        totals: dict[str, Any] = {name: int(self.summary[name].sum()) for name in ("customers", "events", "censored")}
        counts = say("churn.tenures_headline", **totals)
        return " ".join([counts, *rule_sentences(self.params, int(self.summary["seen_at_start"].sum()))])

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        return self.table.rename(columns=NOT_INTERACTIONS)


def has_several(customer: pd.Series) -> bool:
    """Whether any customer has several rows; quick where ids rise, as those of a log do."""
    values = customer.to_numpy()
    if values.dtype.kind in "iu" and len(values) and (values[1:] > values[:-1]).all():
        return False
    return bool(customer.duplicated().any())


def laid_out(
    kind: type[Tenures],
    table: pd.DataFrame,
    reasons: Mapping[str, int],
    params: Mapping[str, Any],
    seen_at_start: Any = None,
    *,
    last: Any = None,
    **more: Any,
) -> Tenures:
    """Count customers and ends of each group.

    `last` marks the rows that end a spell, where several rows make one.
    """
    group = groups_of(table)
    groups = group.cat.categories
    codes, event = group.cat.codes.to_numpy(), table["event"].to_numpy()
    duration = table[f"duration_{unit_of(params)}"]

    def count(of: Any = None) -> npt.NDArray[np.int64]:
        if len(groups) == 1:
            return np.array([len(codes) if of is None else np.count_nonzero(of)], dtype=np.int64)
        return np.bincount(codes if of is None else codes[of], minlength=len(groups)).astype(np.int64)

    if len(groups) == 1:
        longest = np.array([duration.max()])
    else:
        longest = duration.groupby(group, observed=False).max().to_numpy()
    several = has_several(table["customer"])
    people = table["customer"].groupby(group, observed=False).nunique().to_numpy() if several else count(last)
    columns: dict[str, Any] = {"group": groups, "customers": people}
    if "spell" in table:
        columns["spells"] = count(last)
    columns |= {"events": count(event), "censored": count(~event if last is None else last & ~event)}
    old = np.zeros(len(table), bool) if seen_at_start is None else seen_at_start > 0
    columns |= {"followed_days": longest, "seen_at_start": count(old)}
    summary = in_unit(by_segment(pd.DataFrame(columns), params["by"]), unit_of(params))
    return kind(table, summary, pd.DataFrame(), left_out_table(reasons), params, **more)


def customers_of(found: Tenures, row: int | str) -> pd.Index:
    """Return the ids of one row, or of a whole segment."""
    if isinstance(row, str):
        segments = found.summary["segment"].tolist() if "segment" in found.summary else []
        if row not in segments:
            among = f" or one of the segments {segments}" if segments else ": nothing splits these"
            raise ParameterError(f"row must be a position{among}, got {row!r}")
        chosen = found.table[found.table["segment"] == row]
    elif not 0 <= row < len(found.table):
        raise ParameterError(f"row == {row}, must be from 0 to {len(found.table) - 1}")
    else:
        chosen = found.table.iloc[[row]]
    ids: pd.Index = pd.Index(chosen["customer"])
    return ids
