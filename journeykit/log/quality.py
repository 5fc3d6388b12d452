"""What a log was found to be: one finding per rule, with rows, share, what was done and an example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.schema import did_you_mean

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog

COLUMNS = ["rule", "rows", "share", "action", "example", "personal"]

ACTIONS: Final = frozenset(
    [
        *("quarantined", "merged", "kept", "kept apart", "kept, without a stage", "kept, missing there"),
        *("kept with their id", "kept as decided: give the stages again", "left out", "collapsed to one"),
        *("read so", "read as the earlier", "moved past the gap", "cut to microseconds", "numbers read as text"),
        *("renamed", "guessed", "just after the last time", "given to their customer", "taken as linked to each other"),
        *("counted in days", "counted in customers", "counted in links"),
    ]
)
"""What can stand in the column `action`: each has words in every language (labels of the topic `log`)."""


@dataclass(frozen=True)
class Finding:
    """One thing found at the door.

    Attributes
    ----------
    rule : str
        Which rule, for example `"missing_customer"`.
    rows : int
        Rows it concerns (days, for a rule about days).
    action : str
        What was done: quarantined, merged, kept …
    example : str
        One case, to look it up in the source.
    personal : bool
        Whether the example shows who: a customer's id, or a raw row. Reports
        leave such examples out.
    of : int, optional
        What `rows` is a share of, if not of the rows read.
    """

    rule: str
    rows: int
    action: str
    example: str = ""
    personal: bool = False
    of: int | None = None

    def __post_init__(self) -> None:
        """Refuse an action that no language has words for."""
        if self.action not in ACTIONS:
            raise ParameterError(f"action == {self.action!r}: {did_you_mean(self.action, sorted(ACTIONS))}")


def findings_table(findings: Iterable[Finding], rows_read: int) -> pd.DataFrame:
    """Lay out findings as `log.quality`; those that concern nothing are left out."""
    rows = [
        (found.rule, found.rows, _share(found.rows, found.of or rows_read), found.action, found.example, found.personal)
        for found in findings
        if found.rows
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"rows": np.int64, "share": np.float64, "personal": bool})


def _share(rows: int, of: int) -> float:
    return rows / of if of else np.nan


def check_log(
    log: InteractionLog, *, limit: float = 0.05, limits: Mapping[str, float | None] | None = None
) -> pd.DataFrame:
    """Compare what the door found with what may be found.

    Parameters
    ----------
    log : InteractionLog
        A log from `read_log`.
    limit : float
        Share of the rows read, 0 to 1, that may be set aside altogether.
    limits : mapping of str to float, optional
        Rule → the share at which it is broken: `{"near_duplicates": 0.01}`.
        A rule with limit 0 may find nothing. Rules that are not named here have
        no limit of their own.

    Returns
    -------
    DataFrame
        One row per finding, and first `set_aside` for all rows in quarantine
        together: `rule`, `rows`, `share`, `limit` (NaN if it has none),
        `broken`, `action`, `example`, `personal`.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "bob", None, "eve"], "touchpoint": "visit",
    ...     "time": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04"]),
    ... }), observed_until="2024-03-05")
    >>> check_log(log, limit=0.5)[["rule", "share", "limit", "broken"]].head(1)
            rule  share  limit  broken
    0  set_aside   0.25    0.5   False
    """
    limits = {"set_aside": limit, **(limits or {})}
    _check_limits(limits, log)
    aside = len(log.quarantine)
    first = findings_table([Finding("set_aside", aside, "quarantined")], log.rows_read)
    table = pd.concat([first, log.quality], ignore_index=True) if aside else log.quality.reset_index(drop=True)
    if not len(table):
        table = findings_table([], 0)
    table.insert(3, "limit", table["rule"].map(limits).astype(np.float64))
    table.insert(4, "broken", table["share"] > table["limit"])
    return table.assign(personal=table["personal"].eq(True) if "personal" in table else False)


def _check_limits(limits: Mapping[str, float | None], log: InteractionLog) -> None:
    from journeykit.log.rules import every_rule

    known = ("set_aside", *every_rule(), *log.quality.get("rule", ()))
    for rule, share in limits.items():
        if rule not in known:
            raise ParameterError(f"there is no rule {rule!r}: {did_you_mean(rule, known)}")
        if share is not None and not 0 <= share <= 1:
            raise ParameterError(f"limit of {rule} == {share!r}, must be a share from 0 to 1")
