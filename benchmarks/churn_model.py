"""Cox's model at a million customers against lifelines, and start-stop rows against its time-varying fitter.

Durations are whole days, so that many leave on one day, as in a log. Coefficients must be equal to a millionth before
anything is timed. Start-stop rows are three a customer.
"""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.race import Race, race
from journeykit.estimators.cox import cox_fit
from journeykit.estimators.risk_sets import risk_sets

EFFECTS = np.array([0.3, -0.2, 0.1, 0.0, 0.5])
NAMES = [f"x{i + 1}" for i in range(len(EFFECTS))]
START_STOP_MOST = 100_000
"""Customers of the start-stop race: lifelines' fitter takes minutes beyond."""


def customers(n: int, *, seed: int = 1) -> pd.DataFrame:
    """One row a customer: covariates, days watched, and whether it left."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(EFFECTS)))
    left = np.ceil(rng.exponential(300 * np.exp(-x @ EFFECTS)))
    lost = rng.integers(30, 366, n)
    frame = pd.DataFrame(x, columns=NAMES)
    return frame.assign(days=np.minimum(left, lost), left=left <= lost)


def start_stop(n: int, *, seed: int = 2) -> pd.DataFrame:
    """Three rows a customer, whose first covariate changes from one to the next."""
    rng = np.random.default_rng(seed)
    frame = customers(n, seed=seed)
    frame = frame[frame["days"] >= 3].reset_index(names="customer")
    cuts = np.sort(rng.random((len(frame), 2)), axis=1)
    inner = 1 + np.floor(cuts * (frame["days"].to_numpy()[:, np.newaxis] - 2)).astype(int)
    inner[:, 1] = np.maximum(inner[:, 1], inner[:, 0] + 1)
    edges = np.column_stack([np.zeros(len(frame)), inner, frame["days"]])
    parts = []
    for i in range(3):
        part = frame.assign(start=edges[:, i], stop=edges[:, i + 1], left=frame["left"] & (i == 2))
        part["x1"] = part["x1"] + i * 0.2 * rng.normal(size=len(part))
        parts.append(part)
    return pd.concat(parts).sort_values(["customer", "start"], ignore_index=True).drop(columns="days")


def ours(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Sort out who is at risk when, and fit."""
    return cox_fit(risk_sets(frame["days"], frame["left"], frame[NAMES])).coefficients


def ours_start_stop(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Fit rows with an entry of their own."""
    return cox_fit(risk_sets(frame["stop"], frame["left"], frame[NAMES], enters=frame["start"])).coefficients


def lifelines_cox(frame: pd.DataFrame, **options: Any) -> npt.NDArray[np.float64]:
    """Fit as its documentation does."""
    from lifelines import CoxPHFitter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = CoxPHFitter().fit(frame, "days", "left", **options)
    return np.asarray(fitted.params_[NAMES])


def lifelines_time_varying(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Fit start-stop rows as its documentation does."""
    from lifelines import CoxTimeVaryingFitter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = CoxTimeVaryingFitter().fit(
            frame, id_col="customer", event_col="left", start_col="start", stop_col="stop"
        )
    return np.asarray(fitted.params_[NAMES])


def agree(ours: Any, theirs: Any) -> None:
    """Coefficients are equal to a millionth."""
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def peak_bytes(frame: pd.DataFrame, fit: Any) -> int:
    """Bytes that a fit allocated at its peak."""
    tracemalloc.start()
    fit(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def run(n_customers: int = 1_000_000, rounds: int = 3) -> list[Race]:
    """Race both fits; print the memory that ours needs."""
    frame = customers(n_customers)
    ours(frame.head(1000))  # the loop is compiled, or read from the cache, when first called
    needed = peak_bytes(frame, ours)
    contestants = {
        "journeykit": lambda: ours(frame),
        "lifelines": lambda: lifelines_cox(frame),
        "lifelines, batch_mode=True": lambda: lifelines_cox(frame, batch_mode=True),
    }
    races = [
        race(
            f"Cox: {n_customers:,} customers, {len(NAMES)} covariates, day grain",
            contestants,
            agree=agree,
            rounds=rounds,
            aim="5 times as fast as lifelines' default, equal to 1e-6, at most 2 GiB",
            note=f"Memory: {needed / 2**20:.0f} MiB at the peak of ours.",
        )
    ]
    rows = start_stop(min(n_customers, START_STOP_MOST))
    contestants = {
        "journeykit": lambda: ours_start_stop(rows),
        "lifelines CoxTimeVaryingFitter": lambda: lifelines_time_varying(rows),
    }
    name = f"Cox, start-stop: {rows['customer'].nunique():,} customers, {len(rows):,} rows"
    races.append(race(name, contestants, agree=agree, rounds=rounds, aim="exact; 15 to 25 times as fast was seen"))
    return races
