"""What conversion curves and trends say: sentences from their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.text import say, word

if TYPE_CHECKING:
    from journeykit.analyses.conversion.curve import ConversionCurve
    from journeykit.analyses.conversion.trend import FunnelTrend

SIDES = ("", "_low", "_high")


def describe_curve(result: ConversionCurve) -> str:
    """Say how many converted by the horizon and by when half had; with groups, who most and least, and the test."""
    summary, first = result.summary, word(result.params["steps"][0])
    if summary.empty:
        return say("conversion.nobody", first=first)
    rows = [_row(row) for row in summary.to_dict("records")]
    return " ".join(_groups(result, rows) if len(rows) > 1 else _whole(result, rows[0]))


def _whole(result: ConversionCurve, row: dict[str, Any]) -> list[str]:
    names = {"first": word(result.params["steps"][0]), "last": word(result.params["steps"][-1])}
    if np.isnan(row["conversion_rate"]):
        sentences = [say("conversion.not_watched", **row, **names)]
    else:
        key = "by_horizon_entries" if "entries" in row else "by_horizon"
        sentences = [say(f"conversion.{key}", n=row.get("entries", row["customers"]), **row, **names)]
    key = "half" if np.isfinite(row["median_seconds"]) else "not_half"
    sentences.append(say(f"conversion.{key}", **row))
    if row.get("ended_otherwise"):
        ends = [word(name) for name in result.params["competing"]]
        sentences.append(say("conversion.ended_otherwise", ended_otherwise=row["ended_otherwise"], ends=ends))
    return sentences


def _groups(result: ConversionCurve, rows: list[dict[str, Any]]) -> list[str]:
    names = {"first": word(result.params["steps"][0]), "last": word(result.params["steps"][-1])}
    known = [row for row in rows if np.isfinite(row["conversion_rate"])]
    horizon = rows[0]["horizon_seconds"]
    if known:
        ordered = sorted(known, key=lambda row: row["conversion_rate"])
        ends = {"best": ordered[-1], "worst": ordered[0]}
        values = {f"{end}_{name}": value for end, row in ends.items() for name, value in row.items()}
        sentences = [say("conversion.groups", horizon_seconds=horizon, **values, **names)]
    else:
        sentences = [say("conversion.groups_not_watched", horizon_seconds=horizon)]
    test = result.overall_test.iloc[0]
    if np.isfinite(test["p_value"]):
        sentences.append(say(f"conversion.test_{test['test']}", p_value=test["p_value"]))
    return sentences


def describe_trend(result: FunnelTrend) -> str:
    """Say the latest finished period and its change, all finished ones together, and which are unfinished."""
    sentences = []
    rows = [_row(row) for row in result.summary.to_dict("records")]
    for row in rows[:4]:
        first, *more = _latest(result, row)
        if "segment" in row:
            first = say("core.list_name", name=word(row["segment"]), text=first)
        sentences += [first, *more]
    table = result.table.drop_duplicates("period")
    waiting = table["status"] == "unfinished"
    if len(rows) > 4:
        sentences.append(say("funnel_trend.more_groups", groups=len(rows) - 4))
    if waiting.any():
        estimated = (result.table["method"] == "estimate").any()
        key = "unfinished_estimate" if estimated else "unfinished"
        sentences.append(say(f"funnel_trend.{key}", periods=int(waiting.sum())))
    return " ".join(sentences)


def _latest(result: FunnelTrend, row: dict[str, Any]) -> list[str]:
    params = result.params
    names = {
        "first": word(params["steps"][params["from_step"] - 1]),
        "last": word(params["steps"][params["to_step"] - 1]),
        "within_seconds": params["within_seconds"],
    }
    if row["latest_period"] is None:
        waited = (result.table["started"].fillna(0) > 0).any() and not row["periods"]
        return [say("funnel_trend.none_finished" if waited else "funnel_trend.nobody", **names)]
    table = result.table[result.table["period"] == row["latest_period"]]
    if "segment" in row:
        table = table[table["segment"] == row["segment"]]
    latest = _row(table.iloc[0].to_dict())
    sentences = [say("funnel_trend.latest", **latest, **names)]
    if np.isfinite(row["change_difference_rate"]) and np.isfinite(row["change_p_value"]):
        change = {f"rate_difference{side}": row[f"change_difference_rate{side}"] for side in SIDES}
        before = _before(result, row)
        sentences.append(say("funnel_trend.change", previous_period=before, p_value=row["change_p_value"], **change))
    if row["periods"] > 1:
        sentences.append(say("funnel_trend.pooled", **row))
    return sentences


def _before(result: FunnelTrend, row: dict[str, Any]) -> Any:
    found: pd.DataFrame = result.comparison[result.comparison["b"] == row["latest_period"]]
    return found["a"].iloc[0]


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}
