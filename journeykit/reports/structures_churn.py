"""How the counts of analyses of leaving add up."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise
from typing import Any

import pandas as pd

from journeykit.reports.ledger import Ledger
from journeykit.reports.structure_parts import group_rows, part_of_share


def survival(ledger: Ledger, result: Any) -> None:
    """Customers have ended or are censored."""
    for row in range(len(ledger.frames["summary"])):
        _ends(ledger, "summary", row, ())
    _small_groups(ledger)


def _ends(ledger: Ledger, frame: str, row: int, key: tuple[Hashable, ...]) -> dict[str, int | None]:
    table = ledger.frames[frame]
    cells = {name: ledger.cell(frame, row, name, key) for name in ("customers", "events", "censored")}
    ledger.relate(cells["customers"], [cells["events"], cells["censored"]])
    ledger.rest(frame, row, ["median_days", "survival", "mean_days"], [cells["customers"], cells["events"]])
    again = part_of_share(ledger, cells["events"], table, row, "comeback_rate") if "comeback_rate" in table else None
    ledger.rest(frame, row, ["comeback_rate"], [cells["events"], again])
    ledger.cell(frame, row, "seen_at_start", key)
    return cells


def sensitivity_of(table: pd.DataFrame, whole: Ledger, unsaid: set[int]) -> Ledger:
    """Write down the counts of a table of shorter and longer silences: a longer one ends fewer.

    Parameters
    ----------
    table : DataFrame
        `SurvivalCurve.sensitivity`.
    whole : Ledger
        Of the result itself, whose summary has one of the silences.
    unsaid : set of int
        Cells of it that were not published.
    """
    ledger = Ledger({"sensitivity": table})
    ends = []
    for rows in group_rows(table):
        for row in rows:
            cells = _ends(ledger, "sensitivity", row, (table["limit_days"].iloc[row],))
            ends.append(cells["events"])
        for more, fewer in pairwise(ends[-len(rows) :]):
            ledger.relate(more, [fewer])
    ledger.is_part_of(whole, unsaid)
    for (frame, _, column), cell in whole.places.items():  # what both tables say is one number
        same = [at for (_, _, name), at in ledger.places.items() if name == column]
        if frame == "summary" and cell in unsaid:
            ledger.counts.hidden.update(at for at in same if ledger.counts.values[at] == whole.counts.values[cell])
    return ledger


def _small_groups(ledger: Ledger) -> None:
    """A comparison rests on both groups' customers."""
    summary, pairs = ledger.frames["summary"], ledger.frames["comparison"]
    if "segment" not in summary:
        return
    row_of = {segment: row for row, segment in enumerate(summary["segment"])}
    names = [str(name) for name in pairs if pairs[name].dtype.kind == "f"]
    for row, (a, b) in enumerate(pairs[["a", "b"]].itertuples(index=False) if len(pairs) else ()):
        cells = [
            ledger.places.get(("summary", row_of[each], name)) for each in (a, b) for name in ("customers", "events")
        ]
        ledger.rest("comparison", row, names, cells)


def model(ledger: Ledger, result: Any) -> None:
    """Of those whom an effect is about some left."""
    for frame in ("table", "summary"):
        table = ledger.frames[frame]
        for row in range(len(table)):
            cells = {name: ledger.cell(frame, row, name) for name in ("customers", "events")}
            ledger.relate(cells["customers"], [cells["events"]])
            ledger.rest(frame, row, ["hazard_ratio", "coefficient", "se", "p_value", "p_value_holm"], cells.values())


def evaluation(ledger: Ledger, result: Any) -> None:
    """Of those with like chances some left."""
    table, summary = ledger.frames["table"], ledger.frames["summary"]
    for row in range(len(table)):
        n = ledger.cell("table", row, "n")
        ledger.rest("table", row, ["observed_rate"], [n, part_of_share(ledger, n, table, row, "observed_rate")])
    for row in range(len(summary)):
        cells = {name: ledger.cell("summary", row, name) for name in ("customers", "leavers")}
        ledger.relate(cells["customers"], [cells["leavers"]])
        ledger.rest("summary", row, ["observed_rate"], cells.values())
