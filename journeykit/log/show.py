"""How a log looks when it is printed or stands at the end of a notebook cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from journeykit.text import html_result, html_table, label, say, text_table

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog


def touchpoint_table(log: InteractionLog, top: int = 15) -> pd.DataFrame:
    """Most frequent touchpoints: `stage` (if known), `touchpoint`, `events`, `customers`, `share` of events."""
    n = len(log.touchpoints)
    events = np.bincount(log.touchpoint_codes, minlength=n)
    pair = np.unique(log.customer_codes.astype(np.int64) * n + log.touchpoint_codes)
    customers = np.bincount(pair % n, minlength=n) if n else events
    table = pd.DataFrame({"touchpoint": log.touchpoints, "events": events, "customers": customers})
    table["share"] = table["events"] / max(1, log.n_events)
    if log.stage_codes is not None:
        # A touchpoint can belong to several stages by context: show the most frequent.
        stage = pd.crosstab(log.touchpoint_codes, log.stage_codes).idxmax(axis=1)
        names = np.array([*log.stages, None], dtype=object)
        table.insert(0, "stage", names[stage.reindex(range(n), fill_value=-1).to_numpy()])
    table = table[table["events"] > 0]
    return table.sort_values("events", ascending=False, kind="stable", ignore_index=True).head(top)


def summary_sentence(log: InteractionLog) -> str:
    """Size and period in one sentence."""
    return say(
        "core.log_summary",
        events=log.n_events,
        customers=log.n_customers,
        starts_at=log.starts_at,
        ends_at=log.ends_at,
    )


def log_text(log: InteractionLog) -> str:
    """Show a log as text: size, period, touchpoints, findings."""
    parts = [summary_sentence(log), text_table(touchpoint_table(log))]
    if len(log.quality):
        parts.append(text_table(log.quality))
    return "\n\n".join(parts)


def log_html(log: InteractionLog) -> str:
    """Show a log in a notebook: size, period, touchpoints by stage, findings."""
    tables = [html_table(touchpoint_table(log), caption=label("touchpoints"))]
    if len(log.quality):
        tables.append(html_table(log.quality, caption=label("quality")))
    return str(html_result(label("interaction_log"), [summary_sentence(log)], tables))
