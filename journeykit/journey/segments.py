"""Segments of customers: what each is, and since when that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError, ParameterError
from journeykit.journey.steps import as_step, first_of_customer
from journeykit.log.events import Segment
from journeykit.schema import duration_us

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

_NO_YES: pd.Index = pd.Index(["no", "yes"], dtype=object)
_NEVER = np.iinfo(np.int64).max


def find_segment(
    log: InteractionLog,
    *,
    first: str | None,
    rule: Mapping[str, Any] | None,
    did: Any,
    quantiles: int | None,
    of: str,
    within: str | None,
) -> Segment:
    """Find a segment: see `InteractionLog.with_segment`."""
    ways = {"first": first, "rule": rule, "did": did, "quantiles": quantiles}
    given = [way for way, said in ways.items() if said is not None]
    if len(given) != 1:
        raise ParameterError(f"say exactly one of {list(ways)}, got {given}")
    if within is not None and given[0] in ("first", "rule"):
        raise ParameterError(f"within is for did and quantiles, not for {given[0]}")
    if first is not None:
        return _first_value(log, first)
    if rule is not None:
        return _first_event(log, rule)
    if quantiles is None:
        return _behaviour(log, did, within)
    if within is None:
        raise ParameterError('quantiles need within, as in within="30d": sums over the whole log are known at its end')
    return _quantiles(log, quantiles, of, duration_us(within, name="within"))


def _first_value(log: InteractionLog, column: str) -> Segment:
    log.require(column)
    values = log.column(column).astype("category")
    labels, codes = pd.Index(values.cat.categories), values.cat.codes.to_numpy().astype(np.int32)
    return _at_first(log, labels, codes)


def _first_event(log: InteractionLog, rule: Mapping[str, Any]) -> Segment:
    if not rule:
        raise ParameterError("a rule needs at least one label, got none")
    labels: pd.Index = pd.Index([str(label) for label in rule], dtype=object)
    codes = np.full(log.n_events, -1, np.int32)
    for i, step in reversed(list(enumerate(rule.values()))):  # the first that fits wins: let it write last
        codes[as_step(step, log).mask(log)] = i
    firsts = log.offsets[:-1]
    return Segment(labels, codes[firsts], log.times[firsts])


def _at_first(log: InteractionLog, labels: pd.Index, codes: NDArray[np.int32]) -> Segment:
    """Give each customer the label of their first event that has one."""
    rows = np.flatnonzero(first_of_customer(codes >= 0, log))
    customers = log.customer_codes[rows]
    label = np.full(log.n_customers, -1, np.int32)
    known_at = np.full(log.n_customers, _NEVER)
    label[customers], known_at[customers] = codes[rows], log.times[rows]
    return Segment(labels, label, known_at)


def _behaviour(log: InteractionLog, did: Any, within: str | None) -> Segment:
    matches = as_step(did, log).mask(log)
    if within is None:
        return _at_first(log, _NO_YES, np.where(matches, np.int32(1), np.int32(-1)))
    window = duration_us(within, name="within")
    inside, ends, over = _windows(log, window)
    n_events = np.bincount(log.customer_codes[inside & matches], minlength=log.n_customers)
    return Segment(_NO_YES, np.where(over, n_events > 0, -1).astype(np.int32), np.where(over, ends, _NEVER))


def _quantiles(log: InteractionLog, n: int, of: str, window: int) -> Segment:
    if n != int(n) or n < 2:
        raise ParameterError(f"quantiles == {n!r}, must be 2 or more")
    inside, ends, over = _windows(log, window)
    amounts = _amounts(log, of)
    sums = np.bincount(log.customer_codes[inside], weights=amounts[inside], minlength=log.n_customers)
    codes = np.full(log.n_customers, -1, np.int32)
    if over.any():
        cuts = np.quantile(sums[over], np.arange(1, n) / n)
        codes[over] = np.searchsorted(cuts, sums[over], side="left")  # equal sums are in one group
    labels: pd.Index = pd.Index([f"Q{i}" for i in range(1, n + 1)], dtype=object)
    return Segment(labels, codes, np.where(over, ends, _NEVER))


def _amounts(log: InteractionLog, of: str) -> NDArray[np.float64]:
    """What an event adds to its customer's sum; a missing number adds nothing."""
    if of == "events":
        return np.ones(log.n_events)
    log.require(of)
    column = log.column(of)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise LogError(f"quantiles are of a column of numbers or of 'events', but {of!r} is not one of numbers")
    amounts: NDArray[np.float64] = np.nan_to_num(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return amounts


def _windows(log: InteractionLog, window: int) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Which events lie in their customer's window, when it ends, and whether it ended before observation did."""
    ends = log.times[log.offsets[:-1]] + window
    inside = log.times <= ends[log.customer_codes]
    return inside, ends, ends < log.observed_until
