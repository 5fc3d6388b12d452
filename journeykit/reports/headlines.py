"""The one sentence on top of a standard report: which numbers it takes, from results that may be absent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from journeykit.text import label, language, say, word

if TYPE_CHECKING:
    from journeykit.reports.questions import Absent
    from journeykit.reports.report import Report
    from journeykit.results import Result

BOUGHT: Final = "purchase"
"""The stage whose reach is the headline, where a log's stages have it; else the last one."""


@dataclass(frozen=True)
class Headline:
    """What stands on top of a page.

    Attributes
    ----------
    sentence : str
        At most 25 words, with the number and its interval.
    picture : Result or None
        Whose main picture stands beside it.
    metrics : sequence of str
        Names of the metrics that the index follows from run to run.
    draw : str
        Which of its pictures: the name of a method that takes axes.
    """

    sentence: str
    picture: Any = None
    metrics: Sequence[str] = ()
    draw: str = "plot"


def journey_headline(
    report: Report,
    *,
    funnel: Result | Absent | None = None,
    retention: Result | Absent | None = None,
    churn: Result | Absent | None = None,
) -> Headline:
    """Say how many customers come to a purchase, and how long they stay; or else what the log allows.

    Parameters
    ----------
    report : Report
        For its log and language.
    funnel, retention, churn : Result or Absent, optional
        From `stage_funnel`, `retention` and `survival_curve`: what the
        report has.

    Returns
    -------
    Headline
    """
    with language(report.language):
        reached, stays, back = _reached(funnel), _stays(churn), _back(retention)
        if reached and stays:
            sentence = say("reports.headline_reach_and_stay", **{**stays, **reached})
        elif reached:
            sentence = say("reports.headline_reach", **reached)
        elif back:
            sentence = say("reports.headline_back", **back)
        elif stays:
            sentence = say("reports.headline_stay", **stays)
        else:
            sentence = say("reports.headline_size", customers=report.log.n_customers, events=report.log.n_events)
    names = [str(found["metric"]) for found in (reached, back, stays) if found]
    if reached:
        return Headline(sentence, funnel, names)
    if back:  # a triangle has too many numbers to be read in ten seconds
        return Headline(sentence, retention, names, draw="plot_curves")
    return Headline(sentence, churn if stays else None, names)


def _reached(funnel: Any) -> Mapping[str, Any]:
    """How many came from the first stage to a purchase in time; empty if that is not known."""
    if not funnel or not len(funnel.table) or funnel.params["within_seconds"] is None:
        return {}
    table = funnel.table.set_index("stage")
    stage = BOUGHT if BOUGHT in table.index[1:] else table.index[-1]
    if not math.isfinite(table.loc[stage, "reach_rate"]) or not math.isfinite(table[funnel.base_column].iloc[0]):
        return {}
    numbers = {name: table.loc[stage, name] for name in ("reach_rate", "reach_rate_low", "reach_rate_high")}
    words = {"first": word(table.index[0]), "stage": word(stage), "metric": f"{stage}.reach_rate"}
    return {**numbers, **words, "n": int(table[funnel.base_column].iloc[0]), "within": _within(funnel)}


def _within(funnel: Any) -> str:
    """The window in words; whole days as days, which read better in a large sentence than their sign."""
    days, rest = divmod(funnel.params["within_seconds"], 86_400)
    if rest:
        return say("reports.within", within_seconds=funnel.params["within_seconds"])
    return say("reports.within_days", within_days=days)


def _stays(churn: Any) -> Mapping[str, Any]:
    """After how long half of the customers are gone; empty if that is not reached."""
    if not churn or not len(churn.summary) or not math.isfinite(churn.summary["median_days"].iloc[0]):
        return {}
    row = churn.summary.iloc[0]
    numbers = {name: row[name] for name in ("median_days", "median_days_low", "median_days_high")}
    return {**numbers, "n": row["customers"], "metric": "median_days"}


def _back(retention: Any) -> Mapping[str, Any]:
    """How many came back in the first period after they started; empty if none has finished."""
    if not retention:
        return {}
    rows = retention.summary
    rows = rows[(rows["age"] == 1) & rows["back_rate"].notna() & rows["base"].notna()]
    if not len(rows):
        return {}
    numbers = {name: rows[name].iloc[0] for name in ("base", "back_rate", "back_rate_low", "back_rate_high")}
    period = retention.params["period"]
    return {**numbers, "n": int(numbers["base"]), "metric": f"retention_{period}_1_rate", "period": label(period)}
