"""What a step is worth: the values on the events that filled it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.funnel.matching import match, segments_of
from journeykit.analyses.funnel.moves import rows_of
from journeykit.analyses.funnel.plan import Plan
from journeykit.estimators.proportions import SUMS, clustered_mean, customer_sums
from journeykit.log.interactions import InteractionLog

WITH_VALUE, ENTERED = 0, 1
"""What a mean is over: the events with a value, or all who came to the first step shown."""


def value_sums(log: InteractionLog, plan: Plan) -> pd.DataFrame:
    """Tally: sums over customers of the values at each step, per group, step and what they are divided by."""
    assert plan.value is not None
    found = match(log, plan, mature_rows=True, every_rows=True)
    attempts = found.of(plan.base)
    groups = np.zeros(len(attempts.levels), np.int64)
    if found.codes is not None:
        groups = segments_of(log, plan, attempts, found.codes).astype(np.int64)
    some = np.flatnonzero((attempts.levels > 0) & (groups >= 0))
    pairs = attempts.owners(log)[some].astype(np.int64) * max(1, len(plan.labels)) + groups[some]
    pairs, place = np.unique(pairs, return_inverse=True)
    group = pairs % max(1, len(plan.labels))
    amounts = log.column(plan.value).to_numpy(dtype=np.float64, na_value=np.nan)

    def per_pair(of: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.bincount(place.ravel(), weights=of, minlength=len(pairs)).astype(np.float64)

    entered = per_pair((rows_of(attempts, log, plan.first_shown)[some] >= 0).astype(np.float64))
    frames = []
    for k in range(plan.first_shown, plan.n_steps + 1):
        rows = rows_of(attempts, log, k)[some]
        value = np.where(rows >= 0, amounts[rows], np.nan)  # -1 reads the last one, and is not used
        known = ~np.isnan(value)
        x, n = per_pair(np.where(known, value, 0.0)), per_pair(known.astype(np.float64))
        for over, units in ((WITH_VALUE, n), (ENTERED, entered)):
            has = units > 0
            sums = customer_sums(x[has], units[has], by=pd.Series(group[has], name="group")).reset_index()
            frames.append(sums.assign(step=k, over=over))
    empty = pd.DataFrame(columns=["group", "step", "over", *SUMS]).astype(dict.fromkeys(SUMS, np.float64))
    together = pd.concat([each for each in frames if len(each)] or [empty], ignore_index=True)
    together[["group", "step", "over"]] = together[["group", "step", "over"]].astype(np.int64)
    return together.set_index(["group", "step", "over"])[list(SUMS)].astype(np.float64)


def with_values(table: pd.DataFrame, sums: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Add what each step is worth to a table of steps."""
    groups = [0] * len(table) if plan.by is None else [plan.labels.index(each) for each in table["segment"]]
    steps = [plan.names.index(step) + 1 for step in table["step"]]
    columns: dict[str, Any] = {}
    for over in (WITH_VALUE, ENTERED):
        own = sums.reindex(pd.MultiIndex.from_arrays([groups, steps, [over] * len(table)], names=sums.index.names))
        own = own.fillna(0.0)
        given: dict[str, Any] = {name: own[name].to_numpy() for name in SUMS}
        mean, low, high = clustered_mean(**given, confidence=plan.confidence)
        if over == WITH_VALUE:
            columns["valued"] = own["n"].to_numpy().astype(np.int64)
            columns["total_value"] = own["x"].to_numpy()
        name = "mean_value" if over == WITH_VALUE else "entry_value"
        columns |= {name: mean, f"{name}_low": low, f"{name}_high": high}
    return table.assign(**columns)
