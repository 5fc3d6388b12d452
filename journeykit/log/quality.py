"""What a log was found to be: one finding per rule, with rows, share, what was done and an example."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.calendar import as_timestamp

EARLIEST = 946_684_800_000_000
"""2000-01-01 UTC in microseconds: earlier times are suspicious."""

_COLUMNS = ["rule", "rows", "share", "action", "example"]


@dataclass(frozen=True)
class Finding:
    """One thing found at the door.

    Attributes
    ----------
    rule : str
        Which rule, for example `"missing_customer"`.
    rows : int
        Rows it concerns.
    action : str
        What was done: quarantined, merged, kept …
    example : str
        One case, to look it up in the source.
    """

    rule: str
    rows: int
    action: str
    example: str = ""


def findings_table(findings: Iterable[Finding], rows_read: int) -> pd.DataFrame:
    """Lay out findings as `log.quality`."""
    rows = [
        (found.rule, found.rows, found.rows / rows_read if rows_read else np.nan, found.action, found.example)
        for found in findings
        if found.rows
    ]
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"rows": np.int64, "share": np.float64})


def early_times(times: NDArray[np.int64], timezone: str) -> Finding:
    """Times before the year 2000, often a default such as 1970-01-01."""
    early = times < EARLIEST
    example = str(as_timestamp(int(times[early].min()), timezone)) if early.any() else ""
    return Finding("before_2000", int(early.sum()), "kept", example)


def similar_names(names: pd.Index, counts: NDArray[np.int64]) -> Finding:
    """Touchpoints that differ only by case, spaces or Unicode form; rows are those of the rarer spellings.

    Compared after NFKC, case folding, and with Turkish dotted and dotless i
    taken as one letter.
    """
    spellings: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        spellings.setdefault(_bare(name), []).append(i)
    groups = [group for group in spellings.values() if sum(counts[i] > 0 for i in group) > 1]
    rows = sum(int(counts[group].sum() - counts[group].max()) for group in groups)
    example = " | ".join(repr(str(names[i])) for i in groups[0]) if groups else ""
    return Finding("similar_touchpoints", rows, "kept apart", example)


def _bare(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    decomposed = unicodedata.normalize("NFKD", folded.replace("ı", "i")).replace("i\u0307", "i")
    return " ".join(unicodedata.normalize("NFC", decomposed).replace("_", " ").replace("-", " ").split())


def silent_days(times: NDArray[np.int64], edges: NDArray[np.int64], timezone: str) -> tuple[int, str]:
    """Count the days of the observation without any event; name the first.

    Parameters
    ----------
    times : array of int64
        Microseconds since 1970, UTC, in any order.
    edges : array of int64
        Where the local days of the observation begin.
    timezone : str
        The zone they are local to.
    """
    from journeykit.loops.sorting import mark_periods

    seen = np.zeros(len(edges) - 1, dtype=bool)
    mark_periods(times, edges, seen)
    silent = np.flatnonzero(~seen)
    example = str(as_timestamp(int(edges[silent[0]]), timezone).date()) if silent.size else ""
    return int(silent.size), example
