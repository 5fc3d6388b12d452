"""Drivers of conversion from a landmark on, against the same question in SQL and in Polars.

A peer's answer is the bare counts per touchpoint; ours has odds ratios, intervals, exact p-values, and who was left
out. Frictions and opportunities have no peer: they are timed alone.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

import journeykit as jk
from benchmarks.events import event_file
from benchmarks.first_analyses import END, Peers
from benchmarks.race import Race, race

STEPS = ["visit", "order"]
WITHIN, LANDMARK = 30, 2  # days

Counts = dict[str, tuple[int, int]]


def ours(log: Any) -> pd.DataFrame:
    """All of what `conversion_drivers` makes."""
    return jk.conversion_drivers(log, STEPS, within=f"{WITHIN}d", landmark=f"{LANDMARK}d", min_n=1).table


def duckdb(peers: Peers) -> pd.DataFrame:
    """First visits, the first order at or after each, and what lay between the visit and the landmark."""
    return peers.duck.execute(f"""
        WITH entry AS (
            SELECT customer, min(time) AS entered FROM events WHERE touchpoint = 'visit' GROUP BY customer
            HAVING min(time) + INTERVAL {WITHIN} DAY < TIMESTAMP '{END}'),
        goal AS (
            SELECT customer, any_value(entered) AS entered, min(e.time) FILTER (touchpoint = 'order') AS ordered
            FROM entry JOIN events e USING (customer) WHERE e.time >= entered GROUP BY customer),
        base AS (
            SELECT customer, entered, coalesce(ordered <= entered + INTERVAL {WITHIN} DAY, false) AS converted FROM goal
            WHERE ordered IS NULL OR ordered > entered + INTERVAL {LANDMARK} DAY)
        SELECT driver, count(*) AS customers, count(*) FILTER (converted) AS converted FROM (
            SELECT DISTINCT b.customer, b.converted, e.touchpoint AS driver FROM base b JOIN events e USING (customer)
            WHERE e.time > entered AND e.time <= entered + INTERVAL {LANDMARK} DAY AND e.touchpoint <> 'order')
        GROUP BY driver""").df()


def polars(peers: Peers) -> pd.DataFrame:
    """The same, with windows over customers."""
    import polars as pl

    time, touchpoint = pl.col("time"), pl.col("touchpoint").cast(pl.String)
    events = (
        peers.polars.lazy()
        .with_columns(driver=touchpoint, entered=pl.when(touchpoint == "visit").then(time).min().over("customer"))
        .filter(time >= pl.col("entered"), pl.col("entered") + pl.duration(days=WITHIN) < pd.Timestamp(END))
        .with_columns(ordered=pl.when(pl.col("driver") == "order").then(time).min().over("customer"))
        .filter(pl.col("ordered").is_null() | (pl.col("ordered") > pl.col("entered") + pl.duration(days=LANDMARK)))
        .with_columns(
            converted=(pl.col("ordered") <= pl.col("entered") + pl.duration(days=WITHIN)).fill_null(value=False)
        )
        .filter(time > pl.col("entered"), time <= pl.col("entered") + pl.duration(days=LANDMARK))
        .filter(pl.col("driver") != "order")
        .unique(["customer", "driver"])
        .group_by("driver")
        .agg(customers=pl.len(), converted=pl.col("converted").sum())
        .collect()
    )
    return pd.DataFrame({name: events[name].to_list() for name in events.columns})


def counts(answer: pd.DataFrame) -> Counts:
    """Lay an answer out as driver -> (customers, converted)."""
    rows = answer[["driver", "customers", "converted"]].itertuples(index=False)
    return {str(driver): (int(customers), int(converted)) for driver, customers, converted in rows}


def agree(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Every driver has the same customers, of whom as many converted."""
    assert counts(ours) == counts(theirs)


def run(folder: Path, n_events: int, rounds: int = 5) -> list[Race]:
    """Race the drivers; time frictions and opportunities."""
    path = event_file(folder, n_events)
    log = jk.read_log(path, observed_until=END, duplicates="keep")
    peers = Peers(path)
    peers.build_duckdb()
    peers.build_polars()
    contestants = {
        "journeykit": partial(ours, log),
        "DuckDB SQL": partial(duckdb, peers),
        "Polars": partial(polars, peers),
    }
    races = [race(f"Conversion drivers, {n_events:,} events", contestants, agree=agree, rounds=rounds)]
    peers.close()
    causes = {"return": "return", "advertisement": "advertisement"}
    alone = {
        "Frictions, two causes": partial(jk.friction, log, ["visit", "cart", "order"], within="30d", causes=causes),
        "Opportunities, 200 replicates": partial(
            jk.opportunities, log, ["visit", "cart", "order"], within="30d", causes=causes, replicates=200
        ),
    }
    for name, question in alone.items():
        races.append(race(f"{name}, {n_events:,} events", {"journeykit": question}, agree=None, rounds=min(rounds, 2)))
    return races
