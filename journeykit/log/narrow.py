"""Narrow a log to some of its events or customers: these functions are methods of InteractionLog."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.bootstrap import customer_keys
from journeykit.log.calendar import instant_us
from journeykit.log.events import keep_events, with_finding
from journeykit.log.match import matches

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog


def where(log: InteractionLog, /, **conditions: Any) -> InteractionLog:
    """Keep the events that meet all conditions; customers left without an event drop out.

    Parameters
    ----------
    **conditions
        Column → value, or a collection of values, to keep; None stands for a
        missing entry.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> set(log.where(touchpoint=["cart", "order"]).frame()["touchpoint"].unique()) == {"cart", "order"}
    True
    """
    keep = np.ones(log.n_events, dtype=bool)
    for name, wanted in conditions.items():
        keep &= matches(log.column(name), wanted)
    return keep_events(log, keep)


def between(log: InteractionLog, start: object = None, end: object = None) -> InteractionLog:
    """Keep what happened in `[start, end)`, and observe only that.

    Parameters
    ----------
    start, end : str or Timestamp, optional
        Dates or times; local to the log's zone unless they carry one. The
        log's start becomes the later of the two starts, its `observed_until`
        the earlier of the two ends.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop").between("2024-01-01", "2024-04-01")
    >>> str(log.starts_at.date()), str(log.ends_at.date())
    ('2024-01-01', '2024-04-01')
    """
    begin = log.start if start is None else max(log.start, instant_us(start, log.timezone, name="start"))
    stop = log.observed_until if end is None else min(log.observed_until, instant_us(end, log.timezone, name="end"))
    if begin >= stop:
        raise ParameterError(
            f"nothing is observed between {start} and {end}: the log runs from {log.starts_at} to {log.ends_at}"
        )
    kept = keep_events(log, (log.times >= begin) & (log.times < stop))
    return replace(kept, start=begin, observed_until=stop)


def customers_where(log: InteractionLog, customers: Any) -> InteractionLog:
    """Keep whole customers.

    Parameters
    ----------
    customers : collection of ids, array of bool or callable
        The ids to keep, one bool a customer in the order of `customers` (a
        Series with the ids as its index may have any order), or a function of
        the log that returns either.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> busy = log.customers_where(lambda log: np.diff(log.offsets) >= 50)
    >>> bool((np.diff(busy.offsets) >= 50).all())
    True
    """
    chosen = customers(log) if callable(customers) else customers
    if isinstance(chosen, pd.Series) and pd.api.types.is_bool_dtype(chosen.dtype):
        chosen = _in_order(log, chosen)
    array = np.asarray(list(chosen) if isinstance(chosen, set | frozenset) else chosen)
    if array.dtype != bool:
        unknown = [each for each in array.tolist() if each not in log.customers]
        if unknown:
            raise ParameterError(f"{len(unknown)} customers are not in the log, for example {unknown[0]!r}")
        array = log.customers.isin(array)
    elif len(array) != log.n_customers:
        raise ParameterError(f"one bool a customer is needed: {log.n_customers}, got {len(array)}")
    return keep_events(log, np.repeat(array, np.diff(log.offsets)))


def _in_order(log: InteractionLog, chosen: pd.Series) -> Any:
    """Return a Series of bool in the order of the customers: by its index, if that is of their ids."""
    if chosen.isna().any():
        raise ParameterError(f"one bool a customer is needed, but {int(chosen.isna().sum())} are missing")
    if len(chosen) == log.n_customers and chosen.index.is_unique and chosen.index.isin(log.customers).all():
        chosen = chosen.reindex(log.customers)
    return chosen.to_numpy(dtype=bool)


def sample(log: InteractionLog, share: float, *, seed: int = 0) -> InteractionLog:
    """Keep a share of the customers, whole: drawn by a hash of their id, so always the same ones.

    A customer is in or out whatever else is in the log: in today's log and in
    tomorrow's, in one bucket and in all. A smaller share with the same seed is
    a part of a larger one. Sessions and journeys follow their customer. (The
    number 7 and the text "7" are different ids.)

    Parameters
    ----------
    share : float
        Part of the customers to keep, above 0, at most 1; about this many.
    seed : int
        Another seed draws other customers.

    Notes
    -----
    The id's hash (`journeykit.estimators.bootstrap.customer_keys`) and the
    seed's are mixed by `pandas.util.hash_array`; the top 53 bits are a number
    in [0, 1), and the customer is kept if it is below `share`.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> tenth = log.sample(0.1, seed=7)
    >>> tenth.customers.isin(log.sample(0.2, seed=7).customers).all()
    np.True_
    """
    if not 0 < share <= 1:
        raise ParameterError(f"share == {share!r}, must be above 0 and at most 1")
    salt = pd.util.hash_array(np.array([seed], dtype=np.int64))
    mixed = pd.util.hash_array(customer_keys(log.owners) ^ salt)
    drawn = (mixed >> np.uint64(11)) * 2.0**-53 < share
    return customers_where(log, drawn[log.owner_codes])


def with_consent(log: InteractionLog, consent: Any, *, withdrawn: Any = None) -> InteractionLog:
    """Keep the customers who consent; those who do not are left out, whole, and counted.

    A customer's events that match `consent` or `withdrawn` are gone through in
    order, and the last one decides. Someone without any has not consented.
    The count stands in `log.quality` under the rule `without_consent`.

    Parameters
    ----------
    consent : step
        Events by which consent is given: a touchpoint such as
        `"consent_given"`, or a `jk.Step` with conditions on a column.
    withdrawn : step, optional
        Events by which it is withdrawn. One event can't be both.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob", "bob", "cem"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-03", "2024-01-01"]),
    ...     "touchpoint": ["agreed", "visit", "agreed", "withdrew", "visit"],
    ... }), observed_until="2024-02-01")
    >>> kept = log.with_consent("agreed", withdrawn="withdrew")
    >>> kept.customers.tolist()
    ['ann']
    >>> kept.quality.set_index("rule").loc["without_consent", "example"]
    '2 customers, for example bob'
    """
    from journeykit.journey.steps import as_step

    gives = as_step(consent, log).mask(log)
    takes = np.zeros(log.n_events, dtype=bool) if withdrawn is None else as_step(withdrawn, log).mask(log)
    if (gives & takes).any():
        both = log.touchpoints[log.touchpoint_codes[int(np.argmax(gives & takes))]]
        raise ParameterError(f"consent and withdrawn must be different events, but both match a {both!r}")
    owner = log.owner_codes[log.customer_codes]
    rows = np.flatnonzero(gives | takes)
    rows = rows[np.argsort(log.times[rows], kind="stable")]  # a customer's sessions may overlap
    agreed = np.zeros(len(log.owners), dtype=bool)
    agreed[owner[rows]] = gives[rows]  # the last one written stands
    kept = keep_events(log, agreed[owner])
    if agreed.all():
        return kept
    first = log.owners[int(np.argmin(agreed))]
    example = f"{int((~agreed).sum())} customers, for example {first}"
    left_out = log.n_events - kept.n_events
    return with_finding(kept, "without_consent", left_out, "left out", example, of=log.n_events, personal=True)
