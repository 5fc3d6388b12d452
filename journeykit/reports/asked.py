"""The log as a report asks for it: in its zone, with its stages, of one segment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from journeykit.errors import LogError, ParameterError, ReportError
from journeykit.schema import did_you_mean

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


def log_as_asked(log: InteractionLog, *, timezone: str | None = None, segment: str | None = None) -> InteractionLog:
    """Return the log in another zone, and only with the customers of a segment.

    Parameters
    ----------
    log : InteractionLog
    timezone : str, optional
        The zone in which days begin, such as `Europe/Istanbul`.
    segment : str, optional
        `column=value`: customers whose first known value in the column it is.

    Raises
    ------
    ParameterError
        If there is no such zone, or the segment is no `column=value`.
    LogError
        If the log has no such column, or nobody in the segment.
    """
    if timezone is not None:
        try:
            ZoneInfo(timezone)
        except (ValueError, KeyError, OSError) as error:  # KeyError: not found
            raise ParameterError(f"timezone must be a zone such as Europe/Istanbul, got {timezone!r}") from error
        log = replace(log, timezone=timezone)
    return log if segment is None else _only(log, segment)


def _only(log: InteractionLog, segment: str) -> InteractionLog:
    column, sign, wanted = segment.partition("=")
    if not sign:
        raise ParameterError(f"segment must be column=value, such as channel=email, got {segment!r}")
    log.require(column)
    values = log.column(column)
    there = values.notna().to_numpy()
    customers, first = np.unique(log.customer_codes[there], return_index=True)
    labels = values[there].astype(str).to_numpy(dtype=object)[first]
    if wanted not in set(labels):
        raise LogError(f"nobody's first {column} is {wanted!r}: {did_you_mean(wanted, sorted(set(labels)))}")
    inside = np.zeros(log.n_customers, dtype=bool)
    inside[customers[labels == wanted]] = True
    return log.customers_where(inside)


def with_stages(log: InteractionLog, stages: str | None) -> InteractionLog:
    """Give a log its stages: those that it has, or a shipped model, or those of a TOML file."""
    from journeykit.journey import StageModel

    if stages is None and log.stage_model is not None:
        return log
    if stages in (None, "digital"):
        return log.with_stages(StageModel.digital())
    if stages == "ecommerce":
        return log.with_stages(StageModel.ecommerce())
    if not Path(str(stages)).is_file():
        raise ReportError(f"stages must be 'digital', 'ecommerce' or a TOML file, got {stages!r}")
    return log.with_stages(StageModel.from_toml(str(stages)))
