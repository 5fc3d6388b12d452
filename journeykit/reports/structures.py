"""How the counts of each analysis add up: who knows the others must not be able to work out a small one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from journeykit.reports.ledger import Ledger
from journeykit.reports.pseudonyms import lists_customers

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
_NOT_COUNTS: Final = (
    "days",
    "seconds",
    "age",
    "age_last",
    "periods",
    "cohorts",
    "step",
    "year",
    "longest_streak",
    "rank",
    "page",
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
        _rows(ledger, "summary")
    elif known is None:
        for name in frames:
            _rows(ledger, name)
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
    for rows in _groups(table):
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
            ledger.rest("table", row, _ending(table, "seconds"), [at[base]])
    _summary_of_funnel(ledger, result)
    _differences(ledger, step, {"step_rate": "step_rate", "reach_rate": "reach_rate"})


def _summary_of_funnel(ledger: Ledger, result: Any) -> None:
    """The summary says numbers of the table once more: each is the same cell."""
    table, summary, base = ledger.frames["table"], ledger.frames["summary"], result.base_column
    for row, rows in zip(range(len(summary)), _groups(table), strict=True):
        first, last = rows[0], rows[-1]
        at = {
            name: _same(ledger, "summary", row, name, ("table", of, column))
            for name, of, column in (
                ("customers", first, "customers"),
                ("customers_mature", first, "customers_mature"),
                ("converted", last, base),
            )
        }
        leaks = [place for place in rows if table[result.step_column].iloc[place] == summary["leak_step"].iloc[row]]
        leak = _same(ledger, "summary", row, "leak_customers", ("table", leaks[0], "dropped")) if leaks else None
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
    for rows in _groups(table):
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
    for rows in _groups(table):
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
    for row, rows in zip(range(len(summary)), _groups(table), strict=False):
        n = _same(ledger, "summary", row, "customers", ("table", rows[0], "at_least"))
        ledger.rest("summary", row, ["mean_periods", "median_periods", "stickiness_rate"], [n])


def _survival(ledger: Ledger, result: Any) -> None:
    """Customers have ended or are censored."""
    for row in range(len(ledger.frames["summary"])):
        _ends(ledger, "summary", row, ())
    _small_groups(ledger)


def _ends(ledger: Ledger, frame: str, row: int, key: tuple[Hashable, ...]) -> dict[str, int | None]:
    table = ledger.frames[frame]
    cells = {name: ledger.cell(frame, row, name, key) for name in ("customers", "events", "censored")}
    ledger.relate(cells["customers"], [cells["events"], cells["censored"]])
    ledger.rest(frame, row, ["median_days", "survival", "mean_days"], [cells["customers"], cells["events"]])
    again = _part(ledger, cells["events"], table, row, "comeback_rate") if "comeback_rate" in table else None
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
    for rows in _groups(table):
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


def _part(ledger: Ledger, whole: int | None, table: pd.DataFrame, row: int, name: str) -> int | None:
    """About how many a share stands for: with a published whole it is as good as printed."""
    share = float(table[name].iloc[row])
    if whole is None or np.isnan(share):
        return None
    part = ledger.counts.add(round(share * ledger.counts.values[whole]))
    ledger.relate(whole, [part])
    return part


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


def _trend(ledger: Ledger, result: Any) -> None:
    """Of those who entered in a period some converted; the periods make the whole."""
    table, summary = ledger.frames["table"], ledger.frames["summary"]
    for row, rows in zip(range(len(summary)), _groups(table), strict=False):
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
    _all_or_nothing(ledger, "comparison")


def _conversion(ledger: Ledger, result: Any) -> None:
    """Customers have converted, or can't any more, or are still watched."""
    summary = ledger.frames["summary"]
    for row in range(len(summary)):
        cells = {
            name: ledger.cell("summary", row, name) for name in ("customers", "converted", "unconverted", "censored")
        }
        ledger.relate(cells["customers"], [cells[name] for name in ("converted", "unconverted", "censored")])
        estimates = ["conversion_rate", *_ending(summary, "_seconds")]
        ledger.rest("summary", row, estimates, [cells["customers"], cells["converted"]])
    _all_or_nothing(ledger, "comparison")


def _drivers(ledger: Ledger, result: Any) -> None:
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
        others = _part(ledger, cells["without"], table, row, "without_rate")
        ledger.relate(whole["converted"], [cells["converted"], others])
        ledger.rest("table", row, ["with_rate"], [cells["customers"], cells["converted"]])
        ledger.rest("table", row, ["without_rate"], [cells["without"], others])
        rest = ["difference_rate", "odds_ratio", "p_value", "p_value_bh"]
        ledger.rest("table", row, rest, [*cells.values(), others])


def _friction(ledger: Ledger, result: Any) -> None:
    """Of those at a step or page some moved on; what is met there is told row by row."""
    whole = {name: ledger.cell("summary", 0, name) for name in ("customers", "customers_mature", "converted")}
    ledger.relate(whole["customers"], [whole["customers_mature"]])
    ledger.relate(whole["customers_mature"], [whole["converted"]])
    ledger.rest("summary", 0, ["conversion_rate"], [whole["customers_mature"], whole["converted"]])
    for frame in ("steps", "pages"):
        table = ledger.frames[frame]
        for row in range(len(table)):
            cells = {name: ledger.cell(frame, row, name) for name in ("customers", "moved_on", "abandoned")}
            ledger.relate(cells["customers"], [cells["moved_on"], cells["abandoned"]])
            ledger.rest(frame, row, ["next_rate", "abandoned_rate", *_ending(table, "_seconds")], cells.values())
    for frame in ("table", "by_step"):
        _rows(ledger, frame)


def _opportunities(ledger: Ledger, result: Any) -> None:
    """Of the customers at a leak some went on; what is lost there rests on both."""
    table = ledger.frames["table"]
    customers, mature = (ledger.cell("summary", 0, name) for name in ("customers", "customers_mature"))
    ledger.relate(customers, [mature])
    for row in range(len(table)):
        cell = ledger.cell("table", row, "customers")
        cells = [cell, _part(ledger, cell, table, row, "rate")]
        lost = [
            str(name) for name in table if str(name).startswith("lost_") and not str(name).endswith(("_low", "_high"))
        ]
        ledger.rest("table", row, ["rate", "target_rate", "p_value", "p_value_holm", *lost], cells)


def _model(ledger: Ledger, result: Any) -> None:
    """Of those whom an effect is about some left."""
    for frame in ("table", "summary"):
        table = ledger.frames[frame]
        for row in range(len(table)):
            cells = {name: ledger.cell(frame, row, name) for name in ("customers", "events")}
            ledger.relate(cells["customers"], [cells["events"]])
            ledger.rest(frame, row, ["hazard_ratio", "coefficient", "se", "p_value", "p_value_holm"], cells.values())


def _evaluation(ledger: Ledger, result: Any) -> None:
    """Of those with like chances some left."""
    table, summary = ledger.frames["table"], ledger.frames["summary"]
    for row in range(len(table)):
        n = ledger.cell("table", row, "n")
        ledger.rest("table", row, ["observed_rate"], [n, _part(ledger, n, table, row, "observed_rate")])
    for row in range(len(summary)):
        cells = {name: ledger.cell("summary", row, name) for name in ("customers", "leavers")}
        ledger.relate(cells["customers"], [cells["leavers"]])
        ledger.rest("summary", row, ["observed_rate"], cells.values())


def _all_or_nothing(ledger: Ledger, frame: str) -> None:
    """A frame of differences that rests on everything."""
    table = ledger.frames[frame]
    names = [str(name) for name in table if table[name].dtype.kind == "f" and not str(name).endswith(("_low", "_high"))]
    for row in range(len(table)):
        ledger.rest(frame, row, names, ledger.places.values())


def _rows(ledger: Ledger, frame: str) -> None:
    """Of a frame that is not known: a row with a small count goes whole, and never one row alone."""
    table = ledger.frames[frame]
    numbers = [
        str(name)
        for name in table
        if pd.api.types.is_numeric_dtype(table[name].dtype) and table[name].dtype.kind != "b"
    ]
    estimates = {name for name in numbers if f"{name}_low" in table}
    counts = [
        name for name in numbers if table[name].dtype.kind in "iu" and not _is_measure(name) and name not in estimates
    ]
    for rows in _groups(table):
        for name in counts:
            known = [cell for row in rows if (cell := ledger.cell(frame, row, name, (frame, row))) is not None]
            if known:  # their sum is taken as known
                total = ledger.counts.add(sum(ledger.counts.values[cell] for cell in known), fixed=True)
                ledger.relate(total, known)
        for row in rows:
            here = [ledger.places.get((frame, row, name)) for name in counts]
            ledger.rest(frame, row, [name for name in numbers if not _is_measure(name)], here)


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


def _same(ledger: Ledger, frame: str, row: int, column: str, of: tuple[str, int, str]) -> int | None:
    """Say that a place holds the very cell of another place."""
    if column in ledger.frames[frame] and of in ledger.places:
        ledger.places[(frame, row, column)] = ledger.places[of]
        return ledger.places[of]
    return None


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


def _groups(table: pd.DataFrame) -> Iterator[list[int]]:
    """The rows of each group, in the table's order."""
    if "segment" not in table:
        yield list(range(len(table)))
        return
    places = pd.Series(range(len(table)))
    for _, rows in places.groupby(table["segment"].to_numpy(), sort=False):
        yield rows.tolist()


def _ending(table: pd.DataFrame, ending: str) -> list[str]:
    return [str(name) for name in table if str(name).endswith(ending)]


def _is_measure(name: str) -> bool:
    return name.endswith(_NOT_COUNTS)


_KNOWN: Final[dict[str, Callable[[Ledger, Any], None]]] = {
    "FunnelResult": _funnel,
    "StageFunnelResult": _funnel,
    "RetentionResult": _retention,
    "LifecycleResult": _lifecycle,
    "StickinessResult": _stickiness,
    "SurvivalCurve": _survival,
    "FunnelTrend": _trend,
    "ConversionCurve": _conversion,
    "DriversResult": _drivers,
    "FrictionResult": _friction,
    "OpportunitiesResult": _opportunities,
    "ChurnModel": _model,
    "ChurnEvaluation": _evaluation,
}
