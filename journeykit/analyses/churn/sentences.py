"""What a survival curve says in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from journeykit.text import say

_RANGE = ("segment", "survival", "survival_low", "survival_high")


def headline(row: dict[Any, Any], unit: str) -> str:
    """Say when half are gone, and how many are there at the horizon."""
    kind = "" if unit == "days" else f"_{unit}"
    median = "median" if np.isfinite(row[f"median_{unit}"]) else "no_median"
    there = "there" if np.isfinite(row["survival"]) else "not_followed"
    base = {"customers": row.get("spells", row["customers"])}
    noun = "spells_" if base["customers"] > row["customers"] else ""
    said = {
        "half_gone": say(f"churn.{noun}{median}{kind}", **row | base),
        "still_there": say(f"churn.{there}{kind}", **row),
    }
    return say("churn.of_segment", segment=row["segment"], **said) if "segment" in row else say("churn.of_all", **said)


def most_and_fewest(rows: list[dict[str, Any]], unit: str) -> str:
    """Say which of many segments keeps the most and which the fewest."""
    known = [row for row in rows if np.isfinite(row["survival"])] or rows
    most, fewest = (pick(known, key=lambda row: row["survival"]) for pick in (max, min))
    values = {f"{end}_{name}": row[name] for end, row in (("most", most), ("fewest", fewest)) for name in _RANGE}
    horizon = {f"horizon_{unit}": most[f"horizon_{unit}"]}
    return say(f"churn.segment_range{'' if unit == 'days' else '_terms'}", segments=len(rows), **values | horizon)
