"""Results as a page may show them: no count under a limit, and none that gives such a one away."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd

from journeykit.reports.ledger import Ledger, disturbed, without
from journeykit.reports.structures import is_known, structure_of
from journeykit.reports.structures_churn import sensitivity_of

_SENTENCES: Final = re.compile(r"(?<=[.!?]) +")
_MISSING: Final = (TypeError, ValueError, ArithmeticError, IndexError, KeyError)
"""What code says that needs a number which is missing."""

T = TypeVar("T")

OTHER = "funnel.other_touchpoints"


@dataclass(frozen=True)
class _Hidden:
    """A result as shown, how much it hides, the one it was made from, and one with other numbers in the gaps.

    All are kept: the id of one that is gone could be another's one day.
    """

    shown: Any
    cells: int
    original: Any
    otherwise: Any


@dataclass
class Mask:
    """What a page has shown, so that its parts can't be set against each other.

    Attributes
    ----------
    min_n : int
        The smallest count that may be said; below 2 everything may.
    everybody : int or None
        How many customers the page says that there are.
    """

    min_n: int
    everybody: int | None = None
    _wholes: dict[Hashable, tuple[Ledger, set[int]]] = field(default_factory=dict)
    _ledgers: dict[int, tuple[Ledger, set[int]]] = field(default_factory=dict)
    _hidden: dict[int, _Hidden] = field(default_factory=dict)

    def over(self, result: Any) -> Any:
        """Return the result without small counts and what gives them away; the same one if nothing has to go.

        Counts turn into missing numbers, and so do the estimates that rest on
        them: pictures, sentences and metrics of what is returned know no more
        than its tables.
        """
        if self.min_n < 2 or id(result) in self._hidden:
            return result
        ledger = structure_of(result, self.everybody)
        kind = (type(result).__name__, result.params.get("definition"))
        grouped = "segment" in result.table
        if grouped and kind in self._wholes:
            ledger.is_part_of(*self._wholes[kind])
        unsaid = ledger.suppressed(self.min_n)
        if not grouped:
            self._wholes.setdefault(kind, (ledger, unsaid))
        frames = ledger.masked(unsaid, without)
        frames |= _curves(frames, self.min_n) | _next_actions(frames, self.min_n) | _group_triangles(frames)
        changed = {name: frame for name, frame in frames.items() if frame is not getattr(result, name)}
        made = replace(result, **changed) if changed else result
        otherwise = replace(result, **ledger.masked(unsaid, disturbed)) if unsaid else result
        self._ledgers[id(made)] = ledger, unsaid
        self._hidden[id(made)] = _Hidden(made, len(unsaid), result, otherwise)
        return made

    def sensitivity(self, result: Any) -> pd.DataFrame:
        """Return the sensitivity table of a survival curve that `over` gave, without what must not be known."""
        table: pd.DataFrame = self.original(result).sensitivity
        if self.min_n < 2 or table.empty:
            return table
        whole, unsaid = self._ledgers[id(result)]
        ledger = sensitivity_of(table, whole, unsaid)
        gone = ledger.suppressed(self.min_n) | ledger.counts.hidden
        return ledger.masked(gone, without)["sensitivity"]

    def hides(self, result: Any) -> int:
        """How many counts of a result are not shown."""
        return self._hidden[id(result)].cells if id(result) in self._hidden else 0

    def original(self, result: Any) -> Any:
        """The result that `over` was given: for what must be computed from everything, never for the page."""
        return self._hidden[id(result)].original if id(result) in self._hidden else result

    def words(self, result: Any, words: Callable[[Any], str]) -> str:
        """Say what can be said without the numbers that are not shown.

        Parameters
        ----------
        result : Result
            From `over`.
        words : callable
            What a result says, such as `Result.describe`.

        Returns
        -------
        str
            Sentences that stay the same whatever the numbers are that are not
            shown. A gap in their place would be misread: no median can also
            mean that it was not reached.
        """
        if not self.hides(result):
            return words(result)
        said = self._hidden[id(result)]
        try:
            known = set(_SENTENCES.split(words(said.otherwise)))
        except _MISSING:
            return ""
        return " ".join(sentence for sentence in _SENTENCES.split(words(said.original)) if sentence in known)

    def try_to(self, result: Any, draw: Callable[[], T]) -> T | None:
        """Do what may not be possible with numbers missing; then None."""
        try:
            return draw()
        except _MISSING:
            if not self.hides(result):
                raise
            return None

    def records(self, result: Any) -> list[dict[str, Any]]:
        """Return the metric records of a result that `over` gave."""
        from journeykit.reports.blocks import metric_records

        found = self.try_to(result, lambda: metric_records(result.metrics())) or []
        return [_record(record, self.min_n, strict=not is_known(result)) for record in found]


def _record(record: dict[str, Any], min_n: int, *, strict: bool) -> dict[str, Any]:
    """A record without numbers that rest on too few; of an unknown analysis, also where a share gives a few away."""
    n, value = record.get("n"), record.get("value")
    few = min_n > 1 and n is not None and 0 < n < min_n
    if strict and not few and min_n > 1 and value is not None:
        if record.get("unit") == "customers":
            few = 0 < abs(value) < min_n
        elif record.get("unit") in ("rate", "share") and n:
            part = value * n
            few = 0.5 <= part < min_n - 0.5 or 0.5 <= n - part < min_n - 0.5
    return {**record, "value": None, "low": None, "high": None, "n": None} if few else record


def _curves(frames: dict[str, pd.DataFrame], min_n: int) -> dict[str, pd.DataFrame]:
    """End curves where fewer than `min_n` are watched, and round the numbers under them down to multiples of it."""
    made = {}
    for name in ("table", "incidence", "comeback"):
        table = frames.get(name)
        if table is not None and "at_risk" in table and {"time_days", "time_seconds"} & set(table):
            few = table["at_risk"].between(1, min_n - 1)
            if few.any():
                made[name] = table[~few]
    for name in ("risk", "watched"):
        risk = frames.get(name)
        if risk is not None and "at_risk" in risk:
            made[name] = risk.assign(at_risk=risk["at_risk"] // min_n * min_n)
    return made


def _group_triangles(frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Leave out the cells of each group's cohorts: nearly all are small, and too many to go through one by one."""
    table = frames["table"]
    if not {"segment", "cohort", "age", "base"} <= set(table):
        return {}
    for name in table.columns[list(table.columns).index("base") :]:
        if pd.api.types.is_numeric_dtype(table[name].dtype):
            table = without(table, str(name), list(range(len(table))))
    return {"table": table}


def _next_actions(frames: dict[str, pd.DataFrame], min_n: int) -> dict[str, pd.DataFrame]:
    """What those did who stopped: what few did is told together; a stage of few is not told."""
    actions, table = frames.get("next_actions"), frames["table"]
    if actions is None or not len(actions) or "dropped" not in table:
        return {}
    known = set(table.loc[table["dropped"].notna(), "stage"])
    parts = [_told_together(rows, min_n) for stage, rows in actions.groupby("stage", sort=False) if stage in known]
    return {"next_actions": pd.concat(parts, ignore_index=True) if parts else actions.iloc[:0]}


def _told_together(actions: pd.DataFrame, min_n: int) -> pd.DataFrame:
    """The rows of a stage with the small ones as one, which takes the next larger along until it is large enough."""
    rows = actions.sort_values("customers", kind="stable")
    small = rows["customers"].lt(min_n)
    before = rows["customers"].cumsum().shift(fill_value=0)
    together = small | before.lt(min_n) if small.any() else small
    one = rows[together].head(1).assign(next_touchpoint=OTHER, customers=rows.loc[together, "customers"].sum())
    numbers = [name for name in one if str(name).startswith("next_rate")]
    for name in numbers:
        one[name] = np.nan
    found: pd.DataFrame = pd.concat([actions.drop(rows.index[together]), one])
    return found


def whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Give columns that had to become floats back their looks: 200, not 200.0, and a gap where one is missing."""
    for name in frame:
        values = frame[name]
        counts = values.dtype.kind == "f" and values.isna().any() and not str(name).endswith(("_rate", "_low", "_high"))
        if counts and values.notna().any() and np.all(values.dropna() % 1 == 0):
            frame = frame.assign(**{str(name): values.astype("Int64")})
    return frame
