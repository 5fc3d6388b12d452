"""Groups of customers, by what is known of them at one of their events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.schema import MISSING, UNMAPPED

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

FIRST_OF = {"first_touchpoint": "touchpoint", "first_channel": "channel"}
"""Names to split by that look at the customer's first event in the log, whatever starts them."""


def require_group(log: InteractionLog, *columns: str | None) -> None:
    """Raise LogError unless the log has these columns to split by."""
    for column in columns:
        if column is not None:
            log.require(FIRST_OF.get(column, column) if column not in log.columns else column)


def labels_at(
    log: InteractionLog, column: str | None, rows: NDArray[np.int64], first_events: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[str]]:
    """Codes and names of a column's values at given events; missing has a name of its own, no column the name ""."""
    if column is None:
        return np.zeros(len(rows), dtype=np.int64), [""]
    if column not in log.columns and column in FIRST_OF:
        column, rows = FIRST_OF[column], first_events
    codes, known = _codes_at(log, column, rows)
    names = [*map(str, known), UNMAPPED if column == "stage" else MISSING]
    one_each, unique = pd.factorize(np.array(names, dtype=object))  # 1 and "1" read the same
    # A missing value has the code -1, and its name stands last.
    return one_each.astype(np.int64, copy=False)[codes], list(unique)


def _codes_at(log: InteractionLog, column: str, rows: NDArray[np.int64]) -> tuple[NDArray[Any], Iterable[Any]]:
    """Codes of a column's values at given events (-1: missing), and what they stand for."""
    own = {"channel": (log.channel_codes, log.channels), "touchpoint": (log.touchpoint_codes, log.touchpoints)}
    codes, known = own.get(column, (None, None))
    if codes is not None and known is not None:  # without a column as long as the log
        log.require(column)
        return codes[rows], known
    values = log.column(column).iloc[rows]
    if not isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype("category")
    return values.cat.codes.to_numpy(), values.cat.categories


def in_order(names: Iterable[str], stages: tuple[str, ...] = ()) -> list[str]:
    """Sort names as a reader expects: stages in their order, numbers by size, what is missing at the end."""
    known = list(names)
    last = [name for name in (UNMAPPED, MISSING) if name in known]
    others = [name for name in known if name not in last]
    if stages and set(others) <= set(stages):
        return [*sorted(others, key=stages.index), *last]
    try:
        return [*sorted(others, key=float), *last]
    except ValueError:
        return [*sorted(others), *last]
