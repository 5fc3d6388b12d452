"""The changes of rates, split into what the mix of groups and what their own rates did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.decomposition import PATTERN, split_change
from journeykit.results.base import Result
from journeykit.results.comparable import Comparable
from journeykit.text.numbers import kind_of

AT_ONCE = 4
"""Rates whose customers are held at a time, each for every group."""


def split_rows(a: Result, b: Result, by: str | None, confidence: float) -> pd.DataFrame:
    """Split every rate that both results have, and that is one over customers; empty where nothing can be split.

    Parameters
    ----------
    a, b : Result
        As they were asked.
    by : str, optional
        The column to split by; None takes the one that both were asked with.
    """
    wanted = by if by is not None else a.params.get("by")
    if wanted is None or (by is None and b.params.get("by") != wanted):
        return pd.DataFrame()
    said = by is not None
    if not said and (a.log is None or b.log is None):
        return pd.DataFrame()  # the table stands; nobody asked for more
    sides = [each if each.params.get("by") == wanted else each.split_by(wanted) for each in (a, b)]
    found = [one.comparable(other) for one, other in (sides, sides[::-1])]
    if found[0].parts is None or found[1].parts is None:
        if said:
            raise ParameterError(f"a {type(a).__name__} has no rate over customers whose change could be split")
        return pd.DataFrame()
    keys = [*(key for key in found[0].keys if key != "segment"), "measure"]
    rows = [
        named
        for named, several in found[0].rows.groupby(keys, sort=False, dropna=False)
        if kind_of(str(named[-1])) == "percent" and several["low"].notna().any()
    ]
    names = list(dict.fromkeys([*found[0].rows["segment"], *found[1].rows["segment"]]))
    tables = []
    for part in (rows[i : i + AT_ONCE] for i in range(0, len(rows), AT_ONCE)):
        asked: list[dict[str, Any]] = [dict(zip(map(str, keys), named, strict=True)) for named in part]
        one, other = (_by_customer(each, asked, names) for each in found)
        for named, in_a, in_b in zip(asked, one, other, strict=True):
            if in_a is not None and in_b is not None:
                table = split_change(names, _patterns(in_a, in_b), confidence)
                for place, (name, value) in enumerate(named.items()):
                    table.insert(place, name, value)
                tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _patterns(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Count customers by their part in both rates."""
    together = one.join(other, how="outer", lsuffix="_a", rsuffix="_b")
    filled = together.fillna({name: -1 if str(name).startswith("group") else 0 for name in together}).astype(np.int64)
    return filled.groupby(list(PATTERN)).size().rename("customers").reset_index()


def _by_customer(side: Comparable, asked: list[dict[str, Any]], names: list[str]) -> list[pd.DataFrame | None]:
    """Group, successes and units of each customer with a part in each row.

    None where the row is no rate of customers, or where somebody is in several
    groups: a change of shares is then no change of the mix.
    """
    assert side.parts is not None
    places = []
    for row in asked:
        chosen = np.ones(len(side.rows), dtype=bool)
        for name, value in row.items():
            chosen &= (side.rows[name] == value).to_numpy()
        places.append(np.flatnonzero(chosen).tolist())
    found = side.parts([place for several in places for place in several])
    return [_of_row(side, found, several, names) for several in places]


def _of_row(side: Comparable, found: pd.DataFrame, places: list[int], names: list[str]) -> pd.DataFrame | None:
    if not places or not all((place, "n") in found for place in places):
        return None
    x, n = (np.column_stack([found[place, what].to_numpy(dtype=float) for place in places]) for what in "xn")
    if ((n > 0).sum(axis=1) > 1).any() or (x != np.round(x)).any():
        return None
    group = np.array([names.index(side.rows["segment"].iloc[place]) for place in places])
    inside = np.flatnonzero(n.any(axis=1))
    columns = {"group": group[n.argmax(axis=1)], "x": x.sum(axis=1), "n": n.sum(axis=1)}
    return pd.DataFrame(columns, index=found.index).iloc[inside]
