"""The events that every benchmark runs on: made once, written as Parquet, the same for us and for every peer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

TOUCHPOINTS = ("advertisement", "visit", "product_page", "cart", "checkout", "order", "return", "review_written")
SHARES = (0.18, 0.34, 0.24, 0.10, 0.06, 0.05, 0.01, 0.02)
DAYS = 365
START = pd.Timestamp("2024-01-01")


def event_frame(n_events: int, *, seed: int = 20240101) -> pd.DataFrame:
    """Events in the order of time, as a web log has them; ten a customer on average, heavy users among them.

    Columns: `customer` (int64), `time` (whole seconds, no zone), `touchpoint`, `channel`.
    """
    rng = np.random.default_rng(seed)
    n_customers = max(1, n_events // 10)
    # A Pareto-like spread: some customers come all the time, most seldom.
    weight = rng.pareto(1.5, n_customers) + 0.3
    customer = rng.choice(n_customers, n_events, p=weight / weight.sum())
    seconds = np.sort(rng.integers(0, DAYS * 86_400, n_events))
    return pd.DataFrame(
        {
            "customer": customer.astype(np.int64) + 1_000_000,
            "time": START.to_datetime64().astype("M8[us]") + seconds.astype("m8[s]").astype("m8[us]"),
            "touchpoint": pd.Categorical.from_codes(
                rng.choice(len(TOUCHPOINTS), n_events, p=SHARES), categories=list(TOUCHPOINTS)
            ),
            "channel": pd.Categorical.from_codes(rng.integers(0, 4, n_events), ["app", "email", "store", "web"]),
        }
    )


def event_file(folder: Path, n_events: int) -> Path:
    """Return a Parquet file of the events, made if it is not there yet; texts are plain strings in it."""
    path = folder / f"events_{n_events}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        frame = event_frame(n_events)
        frame = frame.astype({"touchpoint": "string[pyarrow]", "channel": "string[pyarrow]"})
        partial = path.with_suffix(".partial")
        frame.to_parquet(partial, index=False)
        partial.replace(path)
    return path
