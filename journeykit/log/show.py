"""How a log looks when it is printed or stands at the end of a notebook cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from journeykit.schema import UNMAPPED
from journeykit.text import html_result, html_table, label, say, text_table

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog

_BAR = 16
"""Letters that the longest bar takes."""


def touchpoint_table(log: InteractionLog, top: int = 15) -> pd.DataFrame:
    """Most frequent touchpoints, by stage if the stages are known.

    Returns
    -------
    DataFrame
        `stage` (the stages in their order), `touchpoint`, `events`,
        `customers`, `share` of events. A touchpoint that belongs to several
        stages by context has a row in each.
    """
    n = len(log.touchpoints)
    staged = log.stage_codes is not None
    n_stages = len(log.stages) + 1
    codes = log.touchpoint_codes.astype(np.int64)
    if log.stage_codes is not None:  # unmapped ones come last
        codes += n * np.where(log.stage_codes < 0, n_stages - 1, log.stage_codes).astype(np.int64)
    size = n * (n_stages if staged else 1)
    events = np.bincount(codes, minlength=size)
    pairs = pd.unique(log.customer_codes.astype(np.int64) * max(1, size) + codes)
    customers = np.bincount(pairs % max(1, size), minlength=size)
    chosen = np.argsort(-events, kind="stable")[:top]
    chosen = chosen[events[chosen] > 0]
    if staged:
        chosen = chosen[np.lexsort((-events[chosen], chosen // max(1, n)))]
    table = pd.DataFrame(
        {
            "touchpoint": log.touchpoints[chosen % max(1, n)],
            "events": events[chosen],
            "customers": customers[chosen],
            "share": events[chosen] / max(1, log.n_events),
        }
    )
    if staged:
        names = np.array([*log.stages, UNMAPPED], dtype=object)
        table.insert(0, "stage", names[chosen // max(1, n)])
    return table


def _with_bars(table: pd.DataFrame) -> pd.DataFrame:
    """Add a small bar beside each share, as long as the largest allows; each stage is named once."""
    longest = max(table["share"].max(), 1e-9) if len(table) else 1.0
    # Whole blocks only: parts of one would lie at the wrong end where a language runs from right to left.
    lengths = np.maximum(1, np.round(table["share"] / longest * _BAR)).astype(int)
    table = table.assign(**{"": ["▆" * length for length in lengths]})
    if "stage" in table:
        table["stage"] = table["stage"].where(table["stage"] != table["stage"].shift(), "")
    return table


def summary_sentence(log: InteractionLog) -> str:
    """Say size and period in one sentence."""
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
        parts.append(text_table(_shown_findings(log)))
    return "\n\n".join(parts)


def log_html(log: InteractionLog) -> str:
    """Show a log in a notebook: size, period, touchpoints by stage with small bars, findings."""
    tables = [html_table(_with_bars(touchpoint_table(log)), caption=label("touchpoints"))]
    if len(log.quality):
        tables.append(html_table(_shown_findings(log), caption=label("log_findings")))
    return str(html_result(label("interaction_log"), [summary_sentence(log)], tables))


def _shown_findings(log: InteractionLog) -> pd.DataFrame:
    """Findings as others may see them: an example that names a customer stays in `log.quality`."""
    table = log.quality
    if "personal" not in table:
        return table
    hidden = table["personal"].fillna(False).astype(bool)
    return table.assign(example=table["example"].where(~hidden, "")).drop(columns="personal")
