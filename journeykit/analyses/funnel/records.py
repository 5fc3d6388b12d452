"""The numbers of a funnel as flat records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from journeykit.analyses.funnel.result import FunnelResult


def funnel_records(result: FunnelResult) -> list[dict[str, Any]]:
    """Record for each step its customers, rates, median time and values, and the conversion of the whole."""
    assert result.plan is not None
    names, base_steps = result.plan.names, result.plan.base_steps
    records = []
    for segment, rows in _by_segment(result):
        n = dict(zip(rows[result.step_column], rows[result.base_column], strict=True))
        for at in rows.to_dict("records"):
            step = at[result.step_column]
            before = base_steps[names.index(step) + 1]
            n_before = n.get(names[before - 1], 0) if before else 0
            for counted in dict.fromkeys(["customers", result.plan.counted]):
                records.append(_record(f"{step}.{counted}", at[counted], unit=counted, segment=segment))
            if n_before:
                records.append(_rate_record(at, "step_rate", step, n_before, segment))
                records.append(_rate_record(at, "reach_rate", step, rows[result.base_column].iloc[0], segment))
            if not np.isnan(at["entry_median_seconds"]):
                seconds, reached = at["entry_median_seconds"], at[result.base_column]
                records.append(
                    _record(f"{step}.entry_median_seconds", seconds, n=reached, unit="seconds", segment=segment)
                )
            for name, n_values in (("mean_value", "valued"), ("entry_value", None)):
                if name in at and not np.isnan(at[name]):
                    size = at[n_values] if n_values else rows[result.base_column].iloc[0]
                    bounds = (at[f"{name}_low"], at[f"{name}_high"])
                    records.append(_record(f"{step}.{name}", at[name], *bounds, size, "value", segment))
    for at in result.summary.to_dict("records"):
        records.append(_rate_record(at, "conversion_rate", "", at[result.base_column], at.get("segment", "")))
    return records


def _by_segment(result: FunnelResult) -> list[tuple[str, pd.DataFrame]]:
    if "segment" not in result.table:
        return [("", result.table)]
    return [(str(segment), rows) for segment, rows in result.table.groupby("segment", sort=False)]


def _rate_record(at: Mapping[Any, Any], rate: str, step: str, n: Any, segment: str) -> dict[str, Any]:
    name = f"{step}.{rate}" if step else rate
    return _record(name, at[rate], at[f"{rate}_low"], at[f"{rate}_high"], n, "share", segment)


def _record(
    name: str,
    value: float,
    low: float = np.nan,
    high: float = np.nan,
    n: Any = np.nan,
    unit: str = "",
    segment: str = "",
) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "unit": unit,
        "segment": segment,
        "period": "",
    }
