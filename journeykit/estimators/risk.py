"""Who is at risk when: exact, additive tables that every survival estimate starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError

Array = npt.NDArray[Any]

CENSORED = ("", "censored")
"""Names of an end that mean: not ended yet. Missing means the same."""


def at_risk_rows(duration: Any, enters: Any = None) -> npt.NDArray[np.bool_]:
    """Say which rows are ever at risk: those that enter before they end.

    Parameters
    ----------
    duration : array
        Time at which each row ends or is censored.
    enters : array, optional
        Time from which it is observed; 0 if not given.

    Returns
    -------
    ndarray of bool
        False where `risk_table` would refuse the row: leave it out and count it.

    Examples
    --------
    >>> at_risk_rows([5, 0, 3], enters=[0, 0, 4]).tolist()
    [True, False, False]
    """
    exits = np.asarray(duration)
    return np.broadcast_to(np.asarray(0 if enters is None else enters) < exits, exits.shape)


def risk_table(duration: Any, event: Any, *, enters: Any = None, weight: Any = None, by: Any = None) -> pd.DataFrame:
    """Count who is at risk, ends and is censored at every distinct time.

    A row is at risk at t if `enters < t <= duration`. Everything but `at_risk`
    is a plain sum over rows, so tables of disjoint customers add up
    (`add_risk_tables`).

    Parameters
    ----------
    duration : array of numbers
        Time at which each row ends or is censored. Whole numbers (days) are
        fastest and exact.
    event : array
        Whether it ended: booleans or 0/1; or the name of its end, where
        missing, `""` and `"censored"` mean that it did not.
    enters : array, optional
        Time from which the row is observed (late entry), 0 if not given. -1
        lets whole-numbered events at time 0 count.
    weight : array, optional
        How many rows each stands for.
    by : Series, array or DataFrame, optional
        Groups, one table each; a missing group is a group of its own.

    Returns
    -------
    DataFrame
        Group columns (named as `by`, or `group`), then `time`, `at_risk`,
        `events`, `events_{end}` for each named end, `censored`, `entered`:
        one row per group and distinct time of any entry or exit, in order.
        Every column before `time` names the group, here and in what is made
        of the table.

    Raises
    ------
    ParameterError
        If a row ends at or before its entry, or a time is missing.

    Examples
    --------
    >>> risk_table([2, 3, 3, 5], [True, True, False, True], enters=[0, 0, 0, 2])
       time  at_risk  events  censored  entered
    0     0        0       0         0        3
    1     2        3       1         0        1
    2     3        3       1         1        0
    3     5        1       1         0        0
    """
    exits, entries = _checked_times(duration, enters)
    weights = _checked_weights(weight, len(exits))
    codes, ends = _end_codes(event, len(exits))
    groups, keys = _group_codes(by, len(exits))
    entering = weights
    if by is None and len(entries) and entries.strides == (0,):  # all enter at once: one entry for everybody
        entries, entering = entries[:1], np.array([len(exits) if weights is None else weights.sum()], dtype=float)
    moments, entry_at, exit_at = _moments(entries, exits)
    span = len(moments) if isinstance(moments, np.ndarray) else moments[1]
    rows, entry_row, exit_row = _rows(groups * span + entry_at, groups * span + exit_at, max(len(keys), 1) * span)

    width = len(ends) + 1
    entered = np.bincount(entry_row, entering, minlength=len(rows))
    left = np.bincount(exit_row * width + codes, weights, minlength=len(rows) * width).reshape(-1, width)
    used = (entered > 0) | (left > 0).any(axis=1)
    if weights is None or np.issubdtype(np.asarray(weight).dtype, np.integer):
        entered, left = entered.astype(np.int64), left.astype(np.int64)
    rows, entered, left = rows[used], entered[used], left[used]

    at = rows % span
    columns = {"time": moments[at] if isinstance(moments, np.ndarray) else at + moments[0]}
    table = pd.DataFrame(columns | _counts(entered, left, ends))
    return pd.concat([keys.iloc[rows // span].reset_index(drop=True), table], axis=1) if len(keys.columns) else table


def risk_table_from(frame: pd.DataFrame, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Make the risk table of a frame of tenures, or of counts of them.

    Parameters
    ----------
    frame : DataFrame
        Columns or index levels `duration_days`, `end` (or `event`), and where
        there are any, `enters_days` and `customers` (how many the row stands for).
    by : sequence of str
        Columns or index levels that split it.

    Returns
    -------
    DataFrame
        As `risk_table` gives it.

    Examples
    --------
    >>> counts = pd.DataFrame({"duration_days": [2, 3], "event": [True, False], "customers": [4, 6]})
    >>> risk_table_from(counts)
       time  at_risk  events  censored  entered
    0     0        0       0         0       10
    1     2       10       4         0        0
    2     3        6       0         6        0
    """
    rows = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    what = "end" if "end" in rows else "event"
    missing = {"duration_days", what, *by} - set(rows.columns)
    if missing:
        raise ParameterError(f"the frame must have {sorted(missing)}, it has {list(rows.columns)}")
    return risk_table(
        rows["duration_days"],
        rows[what],
        enters=rows.get("enters_days"),
        weight=rows.get("customers"),
        by=rows[list(by)] if by else None,
    )


def add_risk_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Add up the risk tables of disjoint sets of customers.

    Parameters
    ----------
    tables : sequence of DataFrame
        As `risk_table` makes them, with the same group columns.

    Returns
    -------
    DataFrame
        Exactly the table of all customers at once.

    Examples
    --------
    >>> parts = [risk_table([2, 5], [True, False]), risk_table([3], [True])]
    >>> add_risk_tables(parts).equals(risk_table([2, 5, 3], [True, False, True]))
    True
    """
    if not tables:
        raise ParameterError("there must be at least one risk table to add")
    keys = [*group_columns(tables[0]), "time"]
    found = [end_columns(table) for table in tables]
    ends = found[0] if all(each == found[0] for each in found) else sorted({name for each in found for name in each})
    flows = [*ends, "events", "censored", "entered"]
    rows = pd.concat([table.reindex(columns=keys + flows) for table in tables], ignore_index=True)
    rows[flows] = rows[flows].fillna(0)
    summed = rows.groupby(keys, observed=True, dropna=False, sort=True)[flows].sum().reset_index()
    left = summed[["censored", *(ends or ["events"])]].to_numpy()
    if all(table["entered"].dtype.kind == "i" for table in tables):
        left, summed["entered"] = left.astype(np.int64), summed["entered"].astype(np.int64)
    counts = _counts(summed["entered"].to_numpy(), left, [name.removeprefix("events_") for name in ends] or [None])
    return pd.concat([summed[keys], pd.DataFrame(counts)], axis=1)


def number_at_risk(table: pd.DataFrame, times: Any) -> pd.DataFrame:
    """Count those at risk at chosen times, for the numbers under a curve.

    Parameters
    ----------
    table : DataFrame
        As `risk_table` makes it.
    times : array
        Times asked for.

    Returns
    -------
    DataFrame
        Group columns, `time`, `at_risk`: entered before and still there at
        `time`. At the very first time those who enter there are counted.

    Examples
    --------
    >>> number_at_risk(risk_table([2, 3, 5], [1, 1, 0]), [0, 2, 4, 6])["at_risk"].tolist()
    [3, 3, 1, 0]
    """
    asked = np.asarray(times)

    def count(rows: pd.DataFrame) -> pd.DataFrame:
        time = rows["time"].to_numpy()
        known = np.append(rows["at_risk"].to_numpy(), 0)
        at_risk = known[np.searchsorted(time, asked)]
        return pd.DataFrame({"time": asked, "at_risk": np.where(asked == time[0], rows["entered"].iloc[0], at_risk)})

    return over_groups(table, count)


def group_columns(table: pd.DataFrame) -> list[str]:
    """Name the columns that say which group a row belongs to: those before `time`."""
    return list(table.columns[: table.columns.get_loc("time")])


def end_columns(table: pd.DataFrame) -> list[str]:
    """Name the columns that count the events of one end."""
    return [column for column in table.columns if column.startswith("events_")]


def groups_of(table: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Go through the groups of a table: a one-row frame that names it, and its rows."""
    columns = group_columns(table)
    if not columns:
        yield table.iloc[:1][columns], table
        return
    changes = np.zeros(max(len(table) - 1, 0), bool)
    for column in columns:
        codes = pd.factorize(table[column])[0]
        changes |= codes[1:] != codes[:-1]
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(table)]
    for start, stop in pairwise(edges):
        rows = table.iloc[start:stop] if len(edges) > 2 else table
        yield rows.iloc[:1][columns], rows


def over_groups(table: pd.DataFrame, estimate: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """Estimate in each group, and put the group's name before what comes out."""
    if table.empty:
        raise ParameterError("the risk table is empty: nobody was ever at risk")
    parts = []
    for name, rows in groups_of(table):
        result = estimate(rows).reset_index(drop=True)
        for place, column in enumerate(name.columns):
            result.insert(place, column, name[column].array.take(np.zeros(len(result), dtype=int)))
        parts.append(result)
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def _counts(entered: Array, left: Array, ends: Sequence[Any]) -> dict[str, Array]:
    """Lay out the counts; `left` holds the censored first, then each end."""
    # Everybody leaves who entered, so the running sum starts every group at 0.
    inside = np.cumsum(entered - left.sum(axis=1))
    at_risk = np.append(0, inside)[:-1].astype(inside.dtype)
    if at_risk.dtype.kind == "f":  # fractional weights leave rounding errors in the running sum
        at_risk = np.maximum(at_risk, left.sum(axis=1))
    named = {f"events_{end}": left[:, i + 1] for i, end in enumerate(ends) if end is not None}
    events = left[:, 1:].sum(axis=1)
    return {"at_risk": at_risk, "events": events} | named | {"censored": left[:, 0], "entered": entered}


def _checked_times(duration: Any, enters: Any) -> tuple[Array, Array]:
    exits = _numbers(duration)
    entries = np.broadcast_to(_numbers(0 if enters is None else enters), exits.shape)
    for name, values in (("duration", exits), ("enters", entries)):
        known = values.dtype.kind in "iu" or (values.dtype.kind == "f" and np.isfinite(values).all())
        if not known or values.ndim != 1:
            raise ParameterError(f"{name} must be numbers, one a row and none missing, got {values.dtype}")
    never = ~at_risk_rows(exits, entries)
    if never.any():
        first = int(never.argmax())
        raise ParameterError(
            f"{int(never.sum())} rows are never at risk, such as row {first}: enters {entries[first]}, "
            f"ends {exits[first]}; leave them out with at_risk_rows, and count them"
        )
    whole = exits.dtype.kind in "iu" and entries.dtype.kind in "iu"
    kind = np.int64 if whole else np.float64
    return exits.astype(kind, copy=False), entries.astype(kind, copy=False)


def _numbers(values: Any) -> Array:
    """Give a plain numpy array, also of pandas' nullable integers."""
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.Int64Dtype) and not values.hasnans:
        return values.to_numpy(dtype=np.int64)
    return np.asarray(values)


def _checked_weights(weight: Any, rows: int) -> Array | None:
    if weight is None:
        return None
    weights = np.broadcast_to(np.asarray(weight, dtype=float), rows)
    if (weights < 0).any() or np.isnan(weights).any():
        raise ParameterError("weights must be 0 or more, and none missing")
    return weights


def _end_codes(event: Any, rows: int) -> tuple[Array, list[Any]]:
    """Code each row's end: 0 for censored, then the ends in order; [None] is one unnamed end."""
    values = pd.Series(np.asarray(event) if not isinstance(event, pd.Series | pd.Categorical) else event)
    if len(values) != rows:
        raise ParameterError(f"duration and event must have the same length, got {rows} and {len(values)}")
    if values.dtype.kind in "biuf":
        numbers = values.to_numpy()
        if numbers.dtype.kind != "b" and not ((numbers == 0) | (numbers == 1)).all():
            raise ParameterError("event must be true/false, 0/1 or the names of ends; several ends need names")
        return numbers.astype(np.int64), [None]
    ends = values.astype("category").cat
    kept = [name for name in ends.categories if name not in CENSORED]
    # One place more, at the end, for missing (code -1).
    place = [kept.index(name) + 1 if name in kept else 0 for name in ends.categories] + [0]
    return np.asarray(place, dtype=np.int64)[ends.codes.to_numpy()], kept


def _group_codes(by: Any, rows: int) -> tuple[Any, pd.DataFrame]:
    """Give each row the number of its group, in order, and a frame of their names."""
    if by is None:
        return 0, pd.DataFrame(index=[0])
    if isinstance(by, pd.DataFrame):
        frame = by.reset_index(drop=True)
    else:
        name = by.name if isinstance(by, pd.Series) and by.name is not None else "group"
        frame = pd.DataFrame({name: by.array if isinstance(by, pd.Series) else by})
    if len(frame) != rows:
        raise ParameterError(f"duration and by must have the same length, got {rows} and {len(frame)}")
    codes = _places_in_order(frame)
    first = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    first[codes[::-1]] = np.arange(rows)[::-1]  # the last written of each is its first row
    return codes, frame.iloc[first].reset_index(drop=True)


def _places_in_order(frame: pd.DataFrame) -> Array:
    """Number the groups that occur, in order; quickly where one categorical names them."""
    if len(frame.columns) == 1 and isinstance(frame.dtypes.iloc[0], pd.CategoricalDtype):
        named = frame.iloc[:, 0].cat.codes.to_numpy()
        if len(named) and named.min() >= 0:
            there = np.bincount(named) > 0
            return (np.cumsum(there) - 1)[named]
    grouped = frame.groupby(list(frame.columns), observed=True, dropna=False, sort=True)
    return grouped.ngroup().to_numpy().astype(np.int64)


def _moments(entries: Array, exits: Array) -> tuple[Array | tuple[int, int], Array, Array]:
    """Place every time on one scale: whole numbers by (origin, span), others by their rank."""
    if not len(exits):
        return (0, 1), entries.astype(np.int64), exits.astype(np.int64)
    if exits.dtype.kind == "i":
        origin = int(entries.min())
        return (origin, int(exits.max()) - origin + 1), entries - origin, exits - origin
    moments, ranks = np.unique(np.concatenate([entries, exits]), return_inverse=True)
    return moments, ranks[: len(entries)], ranks[len(entries) :]


def _rows(entry_keys: Array, exit_keys: Array, size: int) -> tuple[Array, Array, Array]:
    """Give each (group, time) a row: all of them where they are few, else those that occur."""
    if size <= 4 * len(exit_keys) + 65_536:
        return np.arange(size), entry_keys, exit_keys
    rows, inverse = np.unique(np.concatenate([entry_keys, exit_keys]), return_inverse=True)
    return rows, inverse[: len(entry_keys)], inverse[len(entry_keys) :]
