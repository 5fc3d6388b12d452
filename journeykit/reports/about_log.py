"""What a page says of the log that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeykit.text import say

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


def size_line(log: InteractionLog, segment: str | None) -> str:
    """Say how many customers and events a page is about."""
    size = say("reports.size_line", customers=log.n_customers, events=log.n_events)
    return size if segment is None else say("reports.size_of_segment", segment=segment, size=size)


def quality_sentence(log: InteractionLog) -> str:
    """Say in one line how much of the data could be used, and how much was found."""
    found = len(log.quality)
    if not log.rows_read:
        return say("reports.quality_unknown", findings=found)
    used = log.rows_read - len(log.quarantine) - log.duplicates_merged
    return say(
        "reports.quality_line",
        used_share=used / log.rows_read,
        rows=log.rows_read,
        quarantined=len(log.quarantine),
        findings=found,
    )
