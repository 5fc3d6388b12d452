"""Models of repeat buying of several segments: put together, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.buying.query import Asked
from journeykit.analyses.buying.result import FRAMES, BuyingModel
from journeykit.estimators.differences import holm, pairs_of
from journeykit.estimators.maximum import Maximum
from journeykit.estimators.proportions import z_value

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

MEASURES = ("alive_share", "purchases_each", "mean_value", "pace")
ENDS = ("", "_low", "_high")


def join_segments(
    models: Mapping[str, BuyingModel],
    comparison: pd.DataFrame,
    left_out: pd.DataFrame,
    params: Mapping[str, Any],
    log: InteractionLog,
    asked: Asked,
) -> BuyingModel:
    """Put the tables of segments under each other, with the name of each in front."""
    frames: dict[str, Any] = {}
    for name in FRAMES:
        if name != "left_out":
            parts = [getattr(model, name).assign(segment=segment) for segment, model in models.items()]
            whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
            frames[name] = whole[["segment", *(column for column in whole if column != "segment")]]
    return BuyingModel(
        **frames, comparison=comparison, left_out=left_out, params=params, log=log, asked=asked, segments=dict(models)
    )


def compare_segments(models: Mapping[str, BuyingModel], alike: Maximum | None, confidence: float) -> pd.DataFrame:
    """Compare each two segments by ratios, and ask whether one model would do for all.

    Segments have no customer in common, so the variances of logarithms add up.
    """
    from scipy.special import chdtrc, ndtr

    names, z = list(models), z_value(confidence)
    rows: list[dict[str, Any]] = []
    for measure in MEASURES:
        logs = [_logarithm(model, measure, z) for model in models.values()]
        for a, b in zip(*pairs_of(len(names), "pairs"), strict=True):
            difference, se = logs[b][0] - logs[a][0], float(np.hypot(logs[a][1], logs[b][1]))
            if not np.isfinite(difference):
                continue
            low, high = np.exp(difference - z * se), np.exp(difference + z * se)
            row = {"measure": measure, "a": names[a], "b": names[b], "ratio": np.exp(difference)}
            row |= {"ratio_low": low, "ratio_high": high, "p_value": 2 * float(ndtr(-abs(difference) / se))}
            rows.append(row)
    columns = ["measure", "a", "b", "ratio", "ratio_low", "ratio_high", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_value_holm"] = holm(table["p_value"]) if len(table) else []
    if alike is not None and len(models) > 1:
        apart = sum(float(model.summary["log_likelihood"].item()) for model in models.values())
        statistic = max(2 * (apart - alike.log_likelihood), 0.0)
        freedom = len(alike.names) * (len(models) - 1)
        test = {"measure": "one_for_all", "a": "", "b": "", "statistic": statistic, "degrees_of_freedom": freedom}
        table = pd.concat([table, pd.DataFrame([test | {"p_value": float(chdtrc(freedom, statistic))}])])
    return table.reset_index(drop=True)


def _logarithm(model: BuyingModel, measure: str, z: float) -> tuple[float, float]:
    """Logarithm of a measure of one segment, and its standard error; NaN where it has none."""
    row = model.summary.iloc[0]
    if measure == "alive_share":
        share, low, high = (np.clip(row[f"alive{end}"] / row["customers"], 1e-12, 1 - 1e-12) for end in ENDS)
        return float(np.log(share)), float((_logit(high) - _logit(low)) / (2 * z) * (1 - share))
    name = "expected_purchases" if measure == "purchases_each" else measure
    if name not in row or not row[name] > 0:
        return np.nan, np.nan
    value, low, high = (float(row[f"{name}{end}"]) for end in ENDS)
    each = row["customers"] if measure == "purchases_each" else 1
    return float(np.log(value / each)), float(np.log(high / low) / (2 * z)) if low > 0 else np.inf


def _logit(share: float) -> float:
    return float(np.log(share) - np.log1p(-share))
