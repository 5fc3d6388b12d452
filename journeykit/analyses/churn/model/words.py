"""What a model says, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from journeykit.analyses.churn.shared import records, rule_sentences
from journeykit.text import format_value, say, word

if TYPE_CHECKING:
    from journeykit.analyses.churn.model.result import ChurnModel

MOST = 3


def model_sentences(model: ChurnModel) -> list[str]:
    """Say the strongest effects, how well the order is explained, and what does not stay."""
    summary = records(model.summary)[0]
    found = [say("churn_model.learned", **summary)]
    ratio = "hazard_ratio" if model.params["method"] == "cox" else "time_ratio"
    rows = [row for row in records(model.table) if row["p_value_holm"] < 1 - model.params["confidence"]]
    rows.sort(key=lambda row: row["p_value"])
    found += [effect_sentence(row, ratio, model.params["confidence"]) for row in rows[:MOST]]
    if not rows and len(model.table):
        found.append(say("churn_model.nothing_clear"))
    if len(model.table):
        found.append(say("churn_model.order", **summary))
    changing = [row for row in records(model.checks) if row.get("advice")] if ratio == "hazard_ratio" else []
    for row in changing[:2]:
        found.append(say("churn_model.changes", name=effect_name(row), **row, advice_text=word(row["advice"])))
    if ratio == "time_ratio" and len(model.checks):
        best = max(records(model.checks), key=lambda row: row["log_likelihood"])
        if best["method"] != model.params["method"]:
            found.append(say("churn_model.better_distribution", name=word(f"churn_model.{best['method']}")))
    if model.params["joined"]:
        found.append(say("churn_model.joined_note", covariates=sorted(model.params["joined"])))
    return [*found, *rule_sentences(model.params, 0)]


def effect_name(row: dict[str, Any]) -> Any:
    """Name an effect: the level of a category, or the covariate."""
    if row.get("level"):
        return say("churn_model.level", covariate=word(row["covariate"]), level=word(row["level"]))
    return word(row["covariate"])


def effect_sentence(row: dict[str, Any], ratio: str, confidence: float) -> str:
    """Say an effect as a manager would: who leaves how many times as fast."""
    values = {"times": ratio_text(row[ratio]), "times_low": ratio_text(row[f"{ratio}_low"]),
              "times_high": ratio_text(row[f"{ratio}_high"])}  # fmt: skip
    kind = "level" if row["level"] else "number"
    step = format_value("step", row["for_each"] if row["for_each"] % 1 else int(row["for_each"]))
    reference = word(row["reference"]) if row["reference"] else ""
    key = f"churn_model.{ratio}_{kind}"
    sure = format_value("confidence", confidence).replace(".0%", "%")
    values |= {"covariate": word(row["covariate"]), "step_text": step, "reference": reference, "sure": sure}
    return say(key, name=effect_name(row), **values)


def ratio_text(value: float) -> str:
    """Show a ratio with two decimals, or as few as tell it."""
    if not np.isfinite(value):
        return format_value("ratio", np.nan)
    return format_value("ratio", float(f"{value:.3g}"))
