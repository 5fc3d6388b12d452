"""How the counts of each analysis add up: who knows the others must not be able to work out a small one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import Any, Final

import pandas as pd

from journeykit.reports.ledger import Ledger
from journeykit.reports.pseudonyms import lists_customers
from journeykit.reports.structure_parts import ending, group_rows, same_cell, whole_rows
from journeykit.reports.structures_churn import evaluation, model, survival
from journeykit.reports.structures_conversion import conversion, drivers, friction, opportunities, trend

_OF_FUNNEL: Final = (
    "customers",
    "customers_mature",
    "dropped",
    "open",
    "reached",
    "skipped",
    "came_back",
    "next_customers",
    "stayed",
    "nothing",
)
_FLOW: Final = ("new", "returning", "resurrecting")


def structure_of(result: Any, everybody: int | None) -> Ledger:
    """Write down the counts of a result and how they add up.

    Parameters
    ----------
    result : Result
        What an analysis returned.
    everybody : int or None
        How many customers there are, where the page says so: those in the
        table and those left out add up to it.

    Returns
    -------
    Ledger
        Of an analysis that is not known here, rows with a small count are
        left out whole.
    """
    frames = {name: value for name, value in vars(result).items() if isinstance(value, pd.DataFrame)}
    ledger = Ledger(frames)
    known = _KNOWN.get(type(result).__name__)
    if lists_customers(result.table):  # not made of counts, and shown only if asked for
        whole_rows(ledger, "summary")
    elif known is None:
        for name in frames:
            whole_rows(ledger, name)
    else:
        known(ledger, result)
    _left_out(ledger, everybody)
    return ledger


def is_known(result: Any) -> bool:
    """Whether it is known here how the counts of a result add up."""
    return type(result).__name__ in _KNOWN


def _funnel(ledger: Ledger, result: Any) -> None:
    """Customers of a step are those of the next and those who dropped; those who dropped did one thing or another."""
    table, base, step = ledger.frames["table"], result.base_column, result.step_column
    for rows in group_rows(table):
        cells = [
            {name: ledger.cell("table", row, name, (table[step].iloc[row],)) for name in _OF_FUNNEL} for row in rows
        ]
        for place, (row, at) in enumerate(zip(rows, cells, strict=True)):
            after = cells[place + 1] if place + 1 < len(cells) else {}
            before = cells[place - 1] if place else at
            ledger.relate(at[base], [after.get(base), at["dropped"]])
            ledger.relate(at["customers"], [at["customers_mature"]])
            ledger.relate(at["reached"], [at["customers"]])
            ledger.relate(at["dropped"], [at["next_customers"], at["stayed"], at["nothing"]])
            ledger.rest("table", row, ["reach_rate"], [at[base], cells[0][base]])
            ledger.rest("table", row, ["step_rate"], [at[base], before[base]])
            ledger.rest("table", row, ["next_rate"], [at["next_customers"], at["dropped"]])
            ledger.rest("table", row, ending(table, "seconds"), [at[base]])
    _summary_of_funnel(ledger, result)
    _differences(ledger, step, {"step_rate": "step_rate", "reach_rate": "reach_rate"})


def _summary_of_funnel(ledger: Ledger, result: Any) -> None:
    """The summary says numbers of the table once more: each is the same cell."""
    table, summary, base = ledger.frames["table"], ledger.frames["summary"], result.base_column
    for row, rows in zip(range(len(summary)), group_rows(table), strict=True):
        first, last = rows[0], rows[-1]
        at = {
            name: same_cell(ledger, "summary", row, name, ("table", of, column))
            for name, of, column in (
                ("customers", first, "customers"),
                ("customers_mature", first, "customers_mature"),
                ("converted", last, base),
            )
        }
        leaks = [place for place in rows if table[result.step_column].iloc[place] == summary["leak_step"].iloc[row]]
        leak = same_cell(ledger, "summary", row, "leak_customers", ("table", leaks[0], "dropped")) if leaks else None
        reached = ledger.places.get(("table", leaks[0], base)) if leaks else None
        ledger.rest("summary", row, ["conversion_rate"], [at["converted"], ledger.places.get(("table", first, base))])
        ledger.rest("summary", row, ["median_seconds"], [at["converted"]])
        ledger.rest("summary", row, ["leak_rate"], [leak, reached])


def _retention(ledger: Ledger, result: Any) -> None:
    """Who came back and who did not make the base; cohorts make the overall row; groups are shown by theirs alone."""
    grouped = "segment" in ledger.frames["table"]
    overall: dict[tuple[Hashable, str], list[int | None]] = {}
    if not grouped:
        for row, at in enumerate(ledger.frames["table"].itertuples()):
            cells = _base_and_back(ledger, "table", row, (at.cohort, at.age))
            size = ledger.cell("table", row, "customers", (at.cohort, at.age))
            ledger.relate(size, [cells["base"]])
            ledger.relate(cells["back_so_far"], [cells["back"]])
            if at.status == "finished":
                for name in ("base", "back"):
                    overall.setdefault((at.age, name), []).append(cells[name])
    for row, age in enumerate(ledger.frames["summary"]["age"]):
        cells = _base_and_back(ledger, "summary", row, (age,))
        for name in ("base", "back"):
            ledger.relate(cells[name], overall.get((age, name), []))
    _differences(ledger, "age", {"age": "back_rate"}, kind="kind", frame="summary")


def _base_and_back(ledger: Ledger, frame: str, row: int, key: tuple[Hashable, ...]) -> dict[str, int | None]:
    names = ("base", "back", "back_so_far")
    cells = {name: ledger.cell(frame, row, name, key) for name in names}
    ledger.relate(cells["base"], [cells["back"]])
    ledger.rest(frame, row, ["back_rate", "sum_value", "so_far_value", "mean_value"], [cells["base"], cells["back"]])
    return cells


def _lifecycle(ledger: Ledger, result: Any) -> None:
    """Active customers are new, returning or resurrecting; who was active before returned or is dormant."""
    table = ledger.frames["table"]
    for row, period in enumerate(table["period"]):
        cells = {name: ledger.cell("table", row, name, (period,)) for name in ("active", *_FLOW, "dormant", "base")}
        ledger.relate(cells["active"], [cells[name] for name in _FLOW])
        ledger.relate(cells["base"], [cells["returning"], cells["dormant"]])
        ledger.rest("table", row, ["returning_rate"], [cells["returning"], cells["base"]])
        ledger.rest("table", row, ["change"], cells.values())
    for rows in group_rows(table):
        for before, row in pairwise(rows):  # the active of a period are the base of the next
            ledger.relate(ledger.places.get(("table", before, "active")), [ledger.places.get(("table", row, "base"))])
    summary = ledger.frames["summary"]
    for row in range(len(summary)):
        cells = {name: ledger.cell("summary", row, name) for name in ("base", "returning", "new")}
        ledger.relate(cells["base"], [cells["returning"]])
        ledger.rest("summary", row, ["returning_rate"], [cells["base"], cells["returning"]])


def _stickiness(ledger: Ledger, result: Any) -> None:
    """At least k periods is exactly k, or at least the next number that there is."""
    table = ledger.frames["table"]
    for rows in group_rows(table):
        keys = [(table["active_periods"].iloc[row],) for row in rows]
        names = ("customers", "at_least")
        cells = [
            {name: ledger.cell("table", row, name, key) for name in names} for row, key in zip(rows, keys, strict=True)
        ]
        for place, (row, at) in enumerate(zip(rows, cells, strict=True)):
            after = cells[place + 1]["at_least"] if place + 1 < len(cells) else None
            ledger.relate(at["at_least"], [at["customers"], after])
            ledger.rest("table", row, ["exactly_rate"], [at["customers"], cells[0]["at_least"]])
            ledger.rest("table", row, ["at_least_rate"], [at["at_least"], cells[0]["at_least"]])
    summary = ledger.frames["summary"]
    for row, rows in zip(range(len(summary)), group_rows(table), strict=False):
        n = same_cell(ledger, "summary", row, "customers", ("table", rows[0], "at_least"))
        ledger.rest("summary", row, ["mean_periods", "median_periods", "stickiness_rate"], [n])


def _left_out(ledger: Ledger, everybody: int | None) -> None:
    """Those left out and those in the table are everybody."""
    if "left_out" not in ledger.frames:
        return
    cells = [
        ledger.cell("left_out", row, "customers", (reason,))
        for row, reason in enumerate(ledger.frames["left_out"]["reason"])
    ]
    ledger.counts.cheap.update(cell for cell in cells if cell is not None)
    if everybody is None:
        return
    summary = ledger.frames.get("summary", pd.DataFrame())
    inside = [ledger.places.get(("summary", row, "customers")) for row in range(len(summary))]
    ledger.relate(ledger.counts.add(everybody, fixed=True), [*cells, *inside])


def _differences(ledger: Ledger, key: str, rates: dict[str, str], *, kind: str = "rate", frame: str = "table") -> None:
    """A difference of two groups' rates rests on the counts that these rest on."""
    pairs, table = ledger.frames["comparison"], ledger.frames[frame]
    if not len(pairs) or "segment" not in table:
        return
    on: dict[tuple[Hashable, Hashable, str], list[int]] = {}
    for where, row, columns, cells in ledger.rests:
        if where == frame and columns:
            on[(table["segment"].iloc[row], table[key].iloc[row], columns[0])] = cells
    names = [str(name) for name in pairs if pairs[name].dtype.kind == "f"]
    for row, pair in enumerate(pairs.to_dict("records")):
        rate = rates.get(pair[kind], next(iter(rates.values())))
        cells = [cell for side in ("a", "b") for cell in on.get((pair[side], pair[key], rate), [])]
        ledger.rest("comparison", row, names, cells)


_KNOWN: Final[dict[str, Callable[[Ledger, Any], None]]] = {
    "FunnelResult": _funnel,
    "StageFunnelResult": _funnel,
    "RetentionResult": _retention,
    "LifecycleResult": _lifecycle,
    "StickinessResult": _stickiness,
    "SurvivalCurve": survival,
    "FunnelTrend": trend,
    "ConversionCurve": conversion,
    "DriversResult": drivers,
    "FrictionResult": friction,
    "OpportunitiesResult": opportunities,
    "ChurnModel": model,
    "ChurnEvaluation": evaluation,
}
