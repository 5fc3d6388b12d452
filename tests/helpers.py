"""Small logs for tests, written as rows a reader can check by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from journeykit.log import InteractionLog, read_log

ORIGIN = pd.Timestamp("2024-01-01")


def make_log(
    rows: Sequence[tuple[Any, ...]],
    *,
    observed_until: float | str | None = None,
    unit: str = "D",
    timezone: str = "UTC",
    columns: Sequence[str] = (),
    **options: Any,
) -> InteractionLog:
    """Make a log from rows (customer, touchpoint, time, further columns …).

    Times are numbers in `unit` after 2024-01-01, local to `timezone`, as is
    `observed_until` unless it is a date.
    """
    raw = pd.DataFrame(rows, columns=["customer", "touchpoint", "time", *columns])
    raw["time"] = ORIGIN + pd.to_timedelta(raw["time"], unit=unit)
    end = observed_until
    if isinstance(end, int | float):
        end = ORIGIN + pd.Timedelta(end, unit=unit)
    options.setdefault("duplicates", "keep")
    return read_log(raw, observed_until=end, timezone=timezone, **options)


def event_rows(
    *,
    customers: str = "abcde",
    touchpoints: Sequence[str] = ("A", "B", "C", "D"),
    max_time: int = 30,
    max_size: int = 40,
    min_size: int = 1,
) -> st.SearchStrategy[list[tuple[str, str, int]]]:
    """Random rows for `make_log`: few customers, whole times, so that ties are common."""
    row = st.tuples(st.sampled_from(customers), st.sampled_from(touchpoints), st.integers(0, max_time))
    return st.lists(row, min_size=min_size, max_size=max_size)


def shuffle(rows: Sequence[Any], seed: int) -> list[Any]:
    """Return the same rows in another order."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[i] for i in order]
