"""What every analysis returns: a table, what was left out, how it was asked, and ways to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.errors import LogError, ParameterError
from journeykit.schema import did_you_mean
from journeykit.text import html_result, html_table, say, text_table, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparable import Comparable

METRIC_COLUMNS = ("name", "value", "low", "high", "n", "unit", "segment", "period", "definition")


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Base of all results; each analysis has its own, with the columns of its table documented.

    Attributes
    ----------
    table : DataFrame
        One row per thing counted.
    summary : DataFrame
        One row a group: the headline numbers.
    comparison : DataFrame
        Differences between groups with intervals; empty with one group.
    left_out : DataFrame
        `reason`, `customers`: who is not in the table, and why.
    params : mapping
        Every option as used, `observed_until`, and the definition with its
        version.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    comparison: pd.DataFrame
    left_out: pd.DataFrame
    params: Mapping[str, Any]
    log: Any = field(default=None)

    topic: ClassVar[str] = "core"
    """Which messages speak of it: `<topic>.title`, …"""

    # -- what each analysis says for itself --------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the main picture of the table on `ax` (or new axes); return the axes."""
        raise NotImplementedError

    def figure(self) -> Figure:
        """Draw the full picture, with what belongs beside it; return a figure that no window shows."""
        raise NotImplementedError

    def describe(self) -> str:
        """Two or three sentences with the numbers, to paste into a mail."""
        raise NotImplementedError

    def metrics(self) -> pd.DataFrame:
        """Flat records: name, value, low, high, n, unit, segment, period, definition."""
        raise NotImplementedError

    def alt_text(self) -> str:
        """What the picture shows, for who can't see it: the description, unless an analysis knows better."""
        return self.describe()

    def shown(self) -> pd.DataFrame:
        """The columns of the table that a reader wants to see first."""
        return self.table

    # -- beside another of its kind: see `compare` ----------------------------------------------

    may_differ: ClassVar[tuple[str, ...]] = ()
    """Options, beside the usual ones, in which two results that are compared need not agree."""

    def comparable(self, other: Result) -> Comparable:
        """Lay out what can be compared with another result of this kind: the table's estimates by their own interval.

        An analysis that can say which customers are behind its rows overrides this.
        """
        from journeykit.results.comparable import from_table

        return from_table(self)

    def split_by(self, by: str | None, log: Any = None) -> Result:
        """Ask the same again of the same log, split by another column (None: not split)."""
        raise ParameterError(f"a {type(self).__name__} can't be asked again with by={by!r}: ask both with the same by=")

    # -- the same for all --------------------------------------------------------------------

    @property
    def definition(self) -> str:
        """The definition used, with its version, for example `"retention/1"`."""
        return str(self.params["definition"])

    def _log(self, log: Any = None) -> Any:
        """Return the log that this was computed from: who is behind a row is looked up there, not kept here."""
        found = self.log if log is None else log
        if found is None:
            raise LogError("this result was stored without its log: give it, as in result.customers(row, log=log)")
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the log: a result is small and holds no customer."""
        return {**self.__dict__, "log": None}

    def __repr__(self) -> str:
        """Title, table, and who was left out, as text."""
        return "\n".join([text_table(self.shown()), *self.left_out_sentences()])

    def _repr_html_(self) -> str:
        sentences = [self.describe(), *self.left_out_sentences()]
        return str(html_result(word(f"{self.topic}.title"), sentences, [html_table(self.shown())]))

    def left_out_sentences(self) -> list[str]:
        """Say who is not counted, and why: a sentence for each reason."""
        return [
            say("core.left_out", customers=customers, reason=word(str(reason)))
            for reason, customers in zip(self.left_out["reason"], self.left_out["customers"], strict=True)
            if customers
        ]


def left_out_table(reasons: Mapping[str, int]) -> pd.DataFrame:
    """Lay out who was left out: reason (a message's name) → customers; reasons that fit nobody are dropped."""
    kept = {reason: int(customers) for reason, customers in reasons.items() if customers}
    return pd.DataFrame({"reason": list(kept), "customers": list(kept.values())}).astype({"customers": np.int64})


def metric_table(records: list[dict[str, Any]], definition: str) -> pd.DataFrame:
    """Lay out metric records; (name, segment, period, definition) must be unique."""
    table = pd.DataFrame(records, columns=list(METRIC_COLUMNS))
    table["definition"] = definition
    table[["segment", "period", "unit"]] = table[["segment", "period", "unit"]].fillna("")
    key = ["name", "segment", "period", "definition"]
    if table.duplicated(key).any():
        twice = table.loc[table.duplicated(key), key].iloc[0].to_dict()
        raise ParameterError(f"two metrics have the same key: {twice}")
    return table


def find_row(table: pd.DataFrame, row: Any, column: str) -> Any:
    """Return what stands in `column` at a row said by position or by the value itself."""
    if isinstance(row, int | np.integer) and not isinstance(row, bool) and row not in set(table[column]):
        if not 0 <= row < len(table):
            raise ParameterError(f"row == {row}, must be from 0 to {len(table) - 1}")
        return table[column].iloc[row]
    if row not in set(table[column]):
        raise ParameterError(f"{row!r} is not in {column!r}: {did_you_mean(row, table[column].unique())}")
    return row
