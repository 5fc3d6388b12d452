"""What of a result can be compared with another of its kind: rows of estimates, and who is behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.shared import ratio_scores

if TYPE_CHECKING:
    from journeykit.results.base import Result

ESTIMATE = ("estimate", "low", "high", "n")
"""Columns of `Comparable.rows` beside the keys and `measure`."""

Lookup = Callable[[Sequence[int]], pd.DataFrame]
"""Row positions → one row per customer (index: their ids, each once), in columns named by the positions."""


@dataclass(frozen=True)
class Comparable:
    """Rows of a result that stand against those of another.

    Attributes
    ----------
    rows : DataFrame
        The columns of `keys`, which name a row (`segment` first, where a
        result is split), `measure` (the name of what is estimated, by whose
        ending it is shown), `estimate`, `low`, `high` (NaN where it is a plain
        number) and `n` (how many are behind it, effectively; NaN where only
        the interval is known).
    keys : tuple of str
        Which columns name a row.
    scores : callable, optional
        Positions of rows → each customer's score in them (`estimators.shared`);
        NaN where a customer has no part. None where nobody can be looked up:
        customers that two results share then leave a plain difference.
    parts : callable, optional
        Positions of rows → each customer's x and n, columns (position, "x") and
        (position, "n"), where the estimate is Σx/Σn of whole numbers: what a
        change of the mix is told by. Rows that are no such ratio have none.
    customers : callable, optional
        → ids of the customers behind the rows.
    main : int
        Position of the row that a reader asks for first.
    """

    rows: pd.DataFrame
    keys: tuple[str, ...]
    scores: Lookup | None = None
    parts: Lookup | None = None
    customers: Callable[[], pd.Index] | None = None
    main: int = 0


def scores_of_parts(parts: Lookup) -> Lookup:
    """Make scores of rows that are Σx/Σn."""

    def scores(rows: Sequence[int]) -> pd.DataFrame:
        found = parts(rows)
        columns = {
            row: ratio_scores(found[row, "x"].to_numpy(dtype=float), found[row, "n"].to_numpy(dtype=float))
            for row in rows
        }
        return pd.DataFrame(columns, index=found.index)

    return scores


def by_owner(log: Any, found: pd.DataFrame) -> pd.DataFrame:
    """Sum what stands by unit within the customer behind it, where a log was re-keyed: units are not independent."""
    if not hasattr(log, "owners") or log.unit == "customer":  # tenures are customers', too
        return found
    owners = log.owners.take(log.owner_codes[log.customers.get_indexer(found.index)])
    return found.groupby(owners).sum(min_count=1).rename_axis("customer")


def from_table(result: Result) -> Comparable:
    """Make rows of every estimate in a result's table that has an interval.

    The row is named by the columns that hold words or dates; `n` is not known.
    Who shares customers is told by the logs.
    """
    table = result.table
    estimates = [name for name in map(str, table) if {f"{name}_low", f"{name}_high"} <= set(table)]
    if not estimates:
        raise ParameterError(f"a {type(result).__name__} has no estimate with an interval to compare")
    keys = [name for name in map(str, table) if _names_rows(name, table[name])]
    words = table[keys].select_dtypes(["object", "string"]).fillna("")  # as elsewhere: "" is all of them together
    rows = rows_of(table.assign(**{str(name): words[name] for name in words}), keys, estimates)
    if rows.duplicated([*keys, "measure"]).any():
        raise ParameterError(f"the rows of a {type(result).__name__} are not named by {keys}: they can't be matched")
    customers = (lambda: pd.Index(result.log.owners)) if hasattr(result.log, "owners") else None
    return Comparable(rows, tuple(keys), customers=customers)


def _names_rows(name: str, values: pd.Series) -> bool:
    if name in ("status", "note", "method", "definition", "example"):
        return False
    return name in ("segment", "age") or not pd.api.types.is_numeric_dtype(values.dtype)


def rows_of(table: pd.DataFrame, keys: Sequence[str], measures: Sequence[str], n: str | None = None) -> pd.DataFrame:
    """Lay out one row for each row of a table and each of its measures, measure by measure.

    Parameters
    ----------
    table : DataFrame
        With the keys, and each measure; its `_low` and `_high` where it has an
        interval.
    keys, measures : sequence of str
        Columns.
    n : str, optional
        The column with the number behind.
    """
    if table.empty:  # nobody came, and a table may then lack its columns
        return pd.DataFrame(columns=[*keys, "measure", *ESTIMATE]).astype(dict.fromkeys(ESTIMATE, float))
    empty = pd.Series(np.nan, index=table.index)
    parts = []
    for measure in measures:
        part = table[list(keys)].assign(measure=measure)
        ends = (table[measure], table.get(f"{measure}_low", empty), table.get(f"{measure}_high", empty))
        for column, values in zip(ESTIMATE, (*ends, empty if n is None else table[n]), strict=True):
            part[column] = values.to_numpy(dtype=float, na_value=np.nan)
        parts.append(part)
    return stack_rows(parts)


def stack_rows(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put rows one below the other."""
    some = [part for part in parts if len(part)]
    return pd.concat(some or parts[:1], ignore_index=True)
