"""Who is behind a cell: looked up in the log again, so that a result holds no customer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.retention.counting import find_starts, mask_of, start_mask
from journeykit.analyses.retention.design import Design, Grid, make_grid
from journeykit.journey.groups import labels_at
from journeykit.log import InteractionLog


def list_customers(
    log: InteractionLog, *, design: Design, segment: str | None, cohort: Any, column: int, back: bool
) -> pd.DataFrame:
    """Customers of a cohort (its position, or the row's name) who came back in a column so far, or did not."""
    grid = make_grid(log, design)
    counted = _in_groups(log, design, grid, segment, cohort)
    entries = list_entries(log, design, grid, counted)
    if design.cohorts_by is None:
        entries = entries[entries["period"] == grid.first_period + cohort]
    columns = columns_back(log, design, grid, entries)
    if design.or_after:
        latest = columns.groupby("customer")["column"].max()
        found = latest.index[latest >= column]
    else:
        found = pd.Index(columns.loc[columns["column"] == column, "customer"].unique())
    everybody = pd.Index(entries["customer"].unique())
    chosen = everybody if column == 0 else found
    chosen = chosen if back else everybody.difference(chosen)
    return pd.DataFrame({"customers": 1}, index=log.customers[np.sort(chosen.to_numpy())].rename("customer"))


def _in_groups(log: InteractionLog, design: Design, grid: Grid, segment: str | None, cohort: Any) -> Any:
    starts = find_starts(log, design, grid)
    counted = starts.counted
    wanted = [(design.by, segment), (design.cohorts_by, cohort if design.cohorts_by else None)]
    for column, name in wanted:
        if column is not None and name is not None:
            who = np.flatnonzero(counted)
            codes, names = labels_at(log, column, starts.rows[who], log.offsets[:-1][who])
            counted[who] = np.array(names, dtype=object)[codes] == name
    return counted


def list_entries(log: InteractionLog, design: Design, grid: Grid, counted: Any) -> pd.DataFrame:
    """One row per customer and cohort: the row of the start event, when the clock started, and the period."""
    if design.cohort != "every":
        rows = find_starts(log, design, grid).rows[counted]
        entries = pd.DataFrame({"customer": np.flatnonzero(counted), "row": rows, "started": log.times[rows]})
    else:
        begins = start_mask(log, design)
        inside = counted[log.customer_codes] & (log.times >= grid.starts_from) & (log.times < grid.starts_until)
        rows = np.flatnonzero(inside if begins.size == 0 else inside & begins)
        who = log.customer_codes[rows].astype(np.int64)
        entries = pd.DataFrame({"customer": who, "row": rows, "started": log.times[rows]})
    entries["period"] = np.searchsorted(grid.edges, entries["started"], side="right") - 1
    return entries.drop_duplicates(["customer", "period"])


def columns_back(log: InteractionLog, design: Design, grid: Grid, entries: pd.DataFrame) -> pd.DataFrame:
    """Columns after column 0 in which each entry's customer came back."""
    marked = mask_of(log, design.back)
    rows = np.flatnonzero(marked) if marked.size else np.arange(log.n_events)
    begins = np.full(log.n_customers, -1, dtype=np.int64)
    begins[entries["customer"]] = entries["row"]
    rows = rows[begins[log.customer_codes[rows]] >= 0]
    who = log.customer_codes[rows].astype(np.int64)
    if design.length:
        place = (log.times[rows] - log.times[begins[who]]) // design.length
    else:
        place = log.positions(grid.edges)[rows].astype(np.int64)
    # Events are sorted by customer and time, so those of a period or unit follow one another.
    new = np.flatnonzero(np.append(True, (who[1:] != who[:-1]) | (place[1:] != place[:-1])))[: len(who)]
    counts = {"customer": who[new], "unit": place[new], "events": np.diff(np.append(new, len(who)))}
    units = pd.DataFrame(counts).merge(entries, on="customer")
    if not design.length:
        units["unit"] -= units["period"]
    units = units[(units["events"] >= design.min_events) & (units["unit"] > 0)]
    beyond = grid.n_columns - 1 if design.or_after and design.horizon is None else -1
    places = np.append(grid.column_of, beyond)
    column = places[np.minimum(units["unit"].to_numpy(dtype=np.int64), len(places) - 1)]
    found: pd.DataFrame = units.assign(column=column)[column > 0]
    return found
