"""How the counts of analyses of converting add up."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from journeykit.reports.ledger import Ledger
from journeykit.reports.structure_parts import all_or_nothing, ending, group_rows, part_of_share


def trend(ledger: Ledger, result: Any) -> None:
    """Of those who entered in a period some converted; the periods make the whole."""
    table, summary = ledger.frames["table"], ledger.frames["summary"]
    for row, rows in zip(range(len(summary)), group_rows(table), strict=False):
        whole = {name: ledger.cell("summary", row, name) for name in ("customers", "converted")}
        ledger.relate(whole["customers"], [whole["converted"]])
        periods: dict[str, list[int | None]] = {"customers": [], "converted": []}
        for at in rows:
            key = (table["period"].iloc[at],)
            cells = {name: ledger.cell("table", at, name, key) for name in ("started", "customers", "converted")}
            ledger.relate(cells["started"], [cells["customers"]])
            ledger.relate(cells["customers"], [cells["converted"]])
            ledger.rest("table", at, ["conversion_rate", "so_far_rate"], [cells["customers"], cells["converted"]])
            ledger.rest("table", at, ["median_seconds"], [cells["converted"]])
            for name, known in periods.items():
                known.append(cells[name])
        for name, known in periods.items():
            ledger.relate(whole[name], known)
        ledger.rest("summary", row, ["conversion_rate"], whole.values())
        every = [cell for known in periods.values() for cell in known]
        ledger.rest(
            "summary", row, ["latest_conversion_rate", "latest_median_seconds", "change_difference_rate"], every
        )
        ledger.rest("summary", row, ["change_p_value"], every)
    all_or_nothing(ledger, "comparison")


def conversion(ledger: Ledger, result: Any) -> None:
    """Customers have converted, or can't any more, or are still watched."""
    summary = ledger.frames["summary"]
    for row in range(len(summary)):
        cells = {
            name: ledger.cell("summary", row, name) for name in ("customers", "converted", "unconverted", "censored")
        }
        ledger.relate(cells["customers"], [cells[name] for name in ("converted", "unconverted", "censored")])
        estimates = ["conversion_rate", *ending(summary, "_seconds")]
        ledger.rest("summary", row, estimates, [cells["customers"], cells["converted"]])
    all_or_nothing(ledger, "comparison")


def drivers(ledger: Ledger, result: Any) -> None:
    """Those with a driver and those without are everybody; each has some who converted."""
    table = ledger.frames["table"]
    names = ("customers", "customers_mature", "converted_before", "base", "converted")
    whole = {name: ledger.cell("summary", 0, name) for name in names}
    ledger.relate(whole["customers"], [whole["customers_mature"]])
    ledger.relate(whole["customers_mature"], [whole["base"], whole["converted_before"]])
    ledger.relate(whole["base"], [whole["converted"]])
    ledger.rest("summary", 0, ["conversion_rate"], [whole["base"], whole["converted"]])
    for row in range(len(table)):
        cells = {name: ledger.cell("table", row, name) for name in ("customers", "converted", "without")}
        ledger.relate(whole["base"], [cells["customers"], cells["without"]])
        ledger.relate(cells["customers"], [cells["converted"]])
        others = part_of_share(ledger, cells["without"], table, row, "without_rate")
        ledger.relate(whole["converted"], [cells["converted"], others])
        ledger.rest("table", row, ["with_rate"], [cells["customers"], cells["converted"]])
        ledger.rest("table", row, ["without_rate"], [cells["without"], others])
        rest = ["difference_rate", "odds_ratio", "p_value", "p_value_bh"]
        ledger.rest("table", row, rest, [*cells.values(), others])


def friction(ledger: Ledger, result: Any) -> None:
    """Of those at a step or page some moved on; of those who met a cause, at one step each, some converted, some left.

    A customer may meet several causes, so what the causes have together is no count of customers.
    """
    whole = {name: ledger.cell("summary", 0, name) for name in ("customers", "customers_mature", "converted")}
    ledger.relate(whole["customers"], [whole["customers_mature"]])
    ledger.relate(whole["customers_mature"], [whole["converted"]])
    ledger.rest("summary", 0, ["conversion_rate"], [whole["customers_mature"], whole["converted"]])
    for frame in ("steps", "pages"):
        table = ledger.frames[frame]
        for row in range(len(table)):
            at = {name: ledger.cell(frame, row, name) for name in ("customers", "moved_on", "abandoned")}
            ledger.relate(at["customers"], [at["moved_on"]])
            if frame == "steps":
                ledger.relate(at["customers"], [at["abandoned"], whole["converted"]])
            ledger.rest(frame, row, ["moved_on_rate"], [at["customers"], at["moved_on"]])
            ledger.rest(frame, row, ["abandoned_rate"], [at["customers"], at["abandoned"]])
            ledger.rest(frame, row, ["median_seconds", "median_pages"], [at["moved_on"]])
    met: dict[Hashable, dict[str, int | None]] = {}
    for row, cause in enumerate(ledger.frames["table"]["cause"]):
        names = ("customers", "converted", "exits", "watched", "not_compared")
        at = met[cause] = {name: ledger.cell("table", row, name) for name in names}
        ledger.relate(whole["customers_mature"], [at["customers"]])
        for part in ("converted", "watched", "not_compared"):
            ledger.relate(at["customers"], [at[part]])
        ledger.relate(at["watched"], [at["exits"]])
        ledger.rest("table", row, ["met_rate", "median_seconds"], [at["customers"]])
        ledger.rest("table", row, ["with_rate"], [at["customers"], at["converted"]])
        ledger.rest("table", row, ["exit_rate"], [at["exits"], at["watched"]])
        effects = ["difference_rate", "odds_ratio", "p_value", "p_value_bh", "p_homogeneous", "lost_conversions"]
        ledger.rest("table", row, effects, [at["customers"], at["converted"]])
    places = ledger.frames["by_step"]
    for cause, rows in (places.groupby("cause", sort=False).indices if len(places) else {}).items():
        cells = [{name: ledger.cell("by_step", int(row), name) for name in ("customers", "converted")} for row in rows]
        for row, at in zip(rows, cells, strict=True):
            ledger.relate(at["customers"], [at["converted"]])
            ledger.rest("by_step", int(row), ["met_rate"], [at["customers"]])
            ledger.rest("by_step", int(row), ["with_rate"], [at["customers"], at["converted"]])
        for name in ("customers", "converted"):
            ledger.relate(met[cause][name], [at[name] for at in cells])


def opportunities(ledger: Ledger, result: Any) -> None:
    """Of the customers at a leak some went on; what is lost there rests on both."""
    table = ledger.frames["table"]
    customers, mature = (ledger.cell("summary", 0, name) for name in ("customers", "customers_mature"))
    ledger.relate(customers, [mature])
    for row in range(len(table)):
        cell = ledger.cell("table", row, "customers")
        cells = [cell, part_of_share(ledger, cell, table, row, "rate")]
        lost = [
            str(name) for name in table if str(name).startswith("lost_") and not str(name).endswith(("_low", "_high"))
        ]
        ledger.rest("table", row, ["rate", "target_rate", "p_value", "p_value_holm", *lost], cells)
