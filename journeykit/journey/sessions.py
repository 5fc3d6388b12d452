"""Sessions: visits of a customer, told apart by a silence or by a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.journey.units import Units, cut, outline
from journeykit.schema import duration_us

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

DEFAULT_GAP = "30min"


def find_sessions(log: InteractionLog, gap: str | None, column: str | None) -> Units:
    """Find the sessions of a log: see `InteractionLog.sessions`."""
    if column is None and gap is None and "session" in log.properties:
        column = "session"
    gap = DEFAULT_GAP if gap is None else gap
    silence = duration_us(gap, name="gap")
    codes = cut(log, silence) if column is None else _by_column(log, column)
    table, last = outline(log, codes, "session")
    table["open"] = log.observed_until - log.times[last] < silence
    return Units("session", table, codes, {"gap": gap, "column": column}, "customer" in log.personal)


def _by_column(log: InteractionLog, column: str) -> NDArray[np.int32]:
    """Number the sessions that a column names, each within its customer; -1 where it is missing."""
    named, _ = pd.factorize(log.column(column))
    here = np.flatnonzero(named >= 0)
    pairs = log.customer_codes[here].astype(np.int64) * (named.max(initial=0) + 1) + named[here]
    codes = np.full(log.n_events, -1, np.int32)
    codes[here] = pd.factorize(pairs)[0]  # numbered as they first occur: by customer, then by time
    return codes
