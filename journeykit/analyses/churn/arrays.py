"""Durations and ends that were measured elsewhere, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.churn.covariates import TAKEN
from journeykit.analyses.churn.rules import OVERALL
from journeykit.errors import ParameterError
from journeykit.estimators.risk import at_risk_rows
from journeykit.journey.groups import in_order
from journeykit.schema import MISSING

Read = tuple[pd.DataFrame, dict[str, Any], int, npt.NDArray[np.bool_]]


def from_arrays(
    durations: Any, events: Any, enters: Any, segments: Any, customers: Any, spells: Any, covariates: Any
) -> Read:
    """Lay out tenures measured elsewhere: the table, its params, how many rows are left out, which rows end a spell."""
    duration = read_numbers(durations, "durations")
    enter = np.broadcast_to(read_numbers(0 if enters is None else enters, "enters"), duration.shape)
    end = read_ends(events, len(duration))
    ids = pd.RangeIndex(len(duration)) if customers is None else pd.Index(customers)
    group = _read_segments(segments, len(duration))
    columns: dict[str, Any] = {"customer": ids}
    if segments is not None:
        columns["segment"] = group
    if spells is not None:
        columns["spell"] = read_numbers(spells, "spells")
    columns |= {"enters_days": enter, "duration_days": duration, "event": end.notna().to_numpy(), "end": end.array}
    known = _read_covariates(covariates, len(duration))
    for name, each in (("customers", ids), ("segments", group), ("spells", columns.get("spell", duration))):
        if len(each) != len(duration):
            raise ParameterError(f"durations and {name} must have the same length, got {len(duration)}, {len(each)}")
    table, watched = pd.DataFrame(columns | known, copy=False), at_risk_rows(duration, enter)
    table = table if watched.all() else table[watched].reset_index(drop=True)
    table, last = _in_order(table) if ids.has_duplicates else (table, np.ones(len(table), bool))
    params: dict[str, Any] = {
        "definition": "tenures/1",
        "by": None if segments is None else "segment",
        "observed_until": None,
        "churn": None,
        "limit_days": 0,
        "dated": None,
    }
    given = dict.fromkeys(known, "given")
    several = not last.all()
    params |= {"covariates": {} if several else given, "changing": given if several else {}}
    return table, params, len(duration) - len(table), last


def _read_segments(segments: Any, rows: int) -> Any:
    """Read segments as an ordered categorical, missing ones by name; one for all where there are none."""
    if segments is None:
        return pd.Categorical.from_codes(np.zeros(rows, np.int8), categories=pd.Index([OVERALL]), ordered=True)
    codes, values = pd.factorize(np.asarray(segments))
    names = np.array([*map(str, values), MISSING], dtype=object)
    order = in_order(names[np.unique(codes)].tolist() if len(codes) else [])
    place = np.array([order.index(name) if name in order else -1 for name in names.tolist()], dtype=np.int32)
    return pd.Categorical.from_codes(place[codes], categories=pd.Index(order, dtype=object), ordered=True)


def _in_order(table: pd.DataFrame) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Put the rows of a spell behind each other, and check that they can be those of one."""
    keys = ["customer", *(["spell"] if "spell" in table else [])]
    first_seen = table.groupby(keys[:1], sort=False).ngroup()
    order = table.assign(_who=first_seen).sort_values(["_who", *keys[1:], "enters_days", "duration_days"]).index
    table = table.loc[order].reset_index(drop=True)
    same = np.append((table[keys].iloc[1:].to_numpy() == table[keys].iloc[:-1].to_numpy()).all(axis=1), False)
    enters, duration = table["enters_days"].to_numpy(), table["duration_days"].to_numpy()
    overlap = same & (np.append(enters[1:], 0) < duration)
    ends = same & table["event"].to_numpy()
    if overlap.any() or ends.any():
        row = int((overlap | ends).argmax())
        what = "overlap" if overlap[row] else "follow an end"
        raise ParameterError(
            f"two rows of customer {table['customer'][row]!r} {what}: if it started again with a new clock, say so "
            "with spells="
        )
    return table, ~same


def _read_covariates(covariates: Any, rows: int) -> dict[str, Any]:
    """Read covariates: numbers as they are, else names, with one for what is missing."""
    if covariates is None:
        return {}
    if not hasattr(covariates, "items"):
        raise ParameterError(f"covariates must be a DataFrame or a mapping of arrays, got {type(covariates).__name__}")
    found: dict[str, Any] = {}
    for name, values in covariates.items():
        if name in TAKEN:
            raise ParameterError(f"a covariate can't be called {name!r}: give it another name")
        column = pd.Series(np.asarray(values) if not isinstance(values, pd.Series) else values).reset_index(drop=True)
        if len(column) != rows:
            raise ParameterError(
                f"durations and covariate {name!r} must have the same length, got {rows}, {len(column)}"
            )
        if pd.api.types.is_bool_dtype(column.dtype):
            found[str(name)] = column.astype(np.int64).to_numpy()
        elif pd.api.types.is_numeric_dtype(column.dtype):
            found[str(name)] = column.to_numpy()
        else:
            names = column.where(column.notna(), MISSING).astype(str)
            found[str(name)] = pd.Categorical(names, in_order(names.unique()))
    return found


def read_numbers(values: Any, name: str) -> npt.NDArray[Any]:
    """Read an array of numbers, none missing."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise ParameterError(f"{name} must be numbers, none missing, got {array.dtype}")
    if array.size and name == "durations" and array.min() < 0:
        raise ParameterError(f"durations must be 0 or more, got {array.min()}")
    return array


def read_ends(events: Any, rows: int) -> pd.Series:
    """Read how each tenure ended as a categorical; missing where it did not."""
    given = pd.Series(events).reset_index(drop=True)
    if len(given) != rows:
        raise ParameterError(f"durations and events must have the same length, got {rows} and {len(given)}")
    if given.dtype.kind in "biuf":
        values = given.to_numpy()
        if values.dtype.kind != "b" and not ((values == 0) | (values == 1)).all():
            raise ParameterError("events must be true/false, 0/1 or the names of ends, none of them missing")
        codes = values.astype(np.int8) - np.int8(1)
        return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(["event"])))
    ends = given.where(given.notna() & ~given.isin(["", "censored"]))
    return ends.astype(str).where(ends.notna()).astype("category")
