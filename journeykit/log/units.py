"""Sessions, journeys, and the log re-keyed by them: these functions are methods of InteractionLog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.encode import encode_customers
from journeykit.log.events import Rekeyed, ranks_of_ties, regroup, with_finding

if TYPE_CHECKING:
    from journeykit.journey.units import Units
    from journeykit.log.interactions import InteractionLog


def sessions(log: InteractionLog, gap: str | None = None, *, column: str | None = None) -> Units:
    """Find the sessions: a customer's events without a long silence between them, or with one value in a column.

    A silence of `gap` or more between two events in a row ends a session. By
    column, a session is the events of one customer that share a value, also
    when others lie between; events without a value belong to none.

    Parameters
    ----------
    gap : str, optional
        The silence that splits, `"30min"` unless given.
    column : str, optional
        A column that names the session. A log that was read with a `session`
        uses that one if neither is given.

    Returns
    -------
    Units
        With `codes`, the row of the table for each event, and `table`:
        `customer`, `session` (number within the customer, from 1), `start`,
        `end` (of the last event), `duration_seconds`, `events`,
        `first_touchpoint`, `last_touchpoint`, and `open`: the last event lies
        less than `gap` before the end of observation, so that the session may
        go on (by column, too: a column does not say when a session is over).

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "ann"],
    ...     "time": pd.to_datetime(["2024-01-01 09:00", "2024-01-01 09:29", "2024-01-01 09:59"]),
    ...     "touchpoint": ["visit", "cart", "visit"],
    ... }), observed_until="2024-01-02")
    >>> log.sessions().table[["session", "events", "last_touchpoint", "open"]]
       session  events last_touchpoint   open
    0        1       2            cart  False
    1        2       1           visit  False
    """
    from journeykit.journey.sessions import find_sessions

    return find_sessions(log, gap, column)


def journeys(log: InteractionLog, end: Any = None, *, gap: str | None = None) -> Units:
    """Find the journeys: each from a first interaction to a goal or to a silence.

    A journey begins with the customer's first event, or the first after the
    previous journey's end. It ends with the first event that matches `end`, or
    before a silence of `gap` or more; with neither, it is all that a customer
    does. The definition is "Journey" under "Time, order, observation".

    Parameters
    ----------
    end : step, optional
        The goal: a touchpoint, a stage or a `jk.Step`.
    gap : str, optional
        The silence after which a journey is over, for example `"90d"`.

    Returns
    -------
    Units
        With `codes`, the row of the table for each event, and `table`:
        `customer`, `journey` (number within the customer, from 1), `start`,
        `end` (of the last event), `duration_seconds`, `events`,
        `first_touchpoint`, `last_touchpoint`, `outcome`, `decided_at` and, if
        the log has values, `value` (their sum, NaN if there is none).
        `outcome` is converted (by the goal), dropped (a whole `gap` without an
        event was observed) or open: neither had happened when observation
        ended, so nobody knows. `decided_at` is when the outcome was known: the
        goal, or the end of the silence.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "ann", "bob"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-05", "2024-05-01", "2024-01-02"]),
    ...     "touchpoint": ["visit", "order", "visit", "visit"],
    ... }), observed_until="2024-06-01")
    >>> log.journeys("order", gap="90d").table[["customer", "journey", "events", "outcome"]]
      customer  journey  events    outcome
    0      ann        1       2  converted
    1      ann        2       1       open
    2      bob        1       1    dropped
    """
    from journeykit.journey.journeys import find_journeys

    return find_journeys(log, end, gap)


def rekey(log: InteractionLog, unit: str, **how: Any) -> InteractionLog:
    """Put another unit in the place of customers: what `unit=` of an analysis stands for.

    In the new log each session (journey, order, account …) is what a customer
    was: `customers` are the units, and "whole customers" are whole units.
    Events without the unit are left out; their number is the difference of
    `n_events`, and stands in `quality` under the rule `without_unit`. Stages
    stay as they were decided.

    Units of one customer are not independent. `log.owners` are the customers
    behind them and `log.owner_codes` says whose each is; a unit that several
    customers share belongs to the one of its first event.

    Parameters
    ----------
    unit : str
        `"session"`, `"journey"`, or a column whose values name the units
        (events of several customers can share one); `"customer"` changes
        nothing.
    **how
        What `log.sessions` or `log.journeys` takes.

    Returns
    -------
    InteractionLog
        Sessions and journeys are called `customer#number`, in the order of
        customer and time; units of a column by its values, sorted.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-05", "2024-01-02"]),
    ...     "touchpoint": ["visit", "order", "visit"],
    ... }), observed_until="2024-06-01")
    >>> by_session = log.rekey("session", gap="30min")
    >>> by_session.customers.tolist(), by_session.owners.tolist(), by_session.owner_codes.tolist()
    (['ann#1', 'ann#2', 'bob#1'], ['ann', 'bob'], [0, 0, 1])
    """
    if unit == "customer" and not how:
        return log
    if log.rekeyed is not None:
        raise ParameterError(f"the log is keyed by {log.unit!r} already: re-key the log that it was made from")
    ties = None
    if unit in ("session", "journey"):
        found = sessions(log, **how) if unit == "session" else journeys(log, **how)
        codes, ids = found.codes, _names_of(found)
    elif how or unit == "customer":
        raise ParameterError(f"options are for units session and journey, got {sorted(how)} for {unit!r}")
    else:
        codes, ids = encode_customers(log.column(unit))
        ties = ranks_of_ties(log)  # events of several customers may meet in one unit
    first = _first_events(log, codes, len(ids), ties)
    by_owner = log.customer_codes[first]
    segments = {name: each.take(by_owner) for name, each in log.segments.items()}
    grouped = regroup(log, codes, ids, ties=ties, rekeyed=_owners(log, by_owner, unit), segments=segments)
    left_out = codes < 0
    example = "" if not left_out.any() else f"{unit} of {log.customers[log.customer_codes[int(np.argmax(left_out))]]}"
    n_left_out = int(left_out.sum())
    return with_finding(grouped, "without_unit", n_left_out, "left out", example, of=log.n_events, personal=True)


def _names_of(found: Units) -> pd.Index:
    """Name units `customer#number`; with Arrow, as millions of them are common."""
    import pyarrow as pa
    import pyarrow.compute as pc

    customers = pa.array(found.table["customer"].to_numpy()).cast(pa.string())
    numbers = pa.array(found.table[found.unit].to_numpy()).cast(pa.string())
    names = pc.binary_join_element_wise(customers, numbers, "#")
    ids: pd.Index = pd.Index(names.to_numpy(zero_copy_only=False), dtype=object)
    return ids


def _first_events(
    log: InteractionLog, codes: NDArray[np.int32], n_units: int, ties: NDArray[np.float64] | None
) -> NDArray[np.int64]:
    """Position of each unit's first event; of events at one instant, the first by `ties`, or that is stored."""
    rows = np.flatnonzero(codes >= 0)
    own = codes[rows]
    times = log.times[rows]
    in_order = (own[1:] > own[:-1]) | ((own[1:] == own[:-1]) & (times[1:] >= times[:-1]))
    if ties is not None or not bool(in_order.all()):  # a unit may be of several customers
        if ties is not None:
            rows = rows[np.argsort(ties[rows], kind="stable")]
        rows = rows[np.argsort(log.times[rows], kind="stable")]
        own = codes[rows]
    first = np.empty(n_units, np.int64)
    first[own[::-1]] = rows[::-1]  # where several are written, the last one stands
    return first


def _owners(log: InteractionLog, codes: NDArray[np.int32], unit: str) -> Rekeyed:
    return Rekeyed(unit, log.customers, codes).take(np.ones(len(codes), dtype=bool))
