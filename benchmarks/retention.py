"""Retention triangles by month, week and day, against the same question in SQL and in Polars.

Each peer asks its own table of the same events, sorted by customer and time and built before; its answer is the bare
counts, ours all cells with their status and interval, the overall row and who was left out.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

import journeykit as jk
from benchmarks.events import event_file
from benchmarks.first_analyses import END, Peers
from benchmarks.race import Race, race

PERIODS = {
    # period: (DuckDB, ClickHouse, aim)
    "month": ("year(time) * 12 + month(time)", "toRelativeMonthNum(time)", "5 times, better 10 times"),
    "week": ("(time::DATE - DATE '1970-01-05') // 7", "toRelativeWeekNum(time)", "5 times, better 10 times"),
    "day": ("time::DATE - DATE '1970-01-01'", "toRelativeDayNum(time)", "2 times"),
}
MONDAY = 4  # days from 1970-01-01 to the first Monday

Cells = dict[tuple[int, int], int]


def ours(log: Any, period: str) -> pd.DataFrame:
    """All of what `retention` makes."""
    return jk.retention(log, period=period).table


def duckdb(peers: Peers, period: str) -> pd.DataFrame:
    """Distinct customer-periods, joined with the first of each customer."""
    return peers.duck.execute(f"""
        WITH active AS (SELECT DISTINCT customer, {PERIODS[period][0]} AS p FROM events),
        first AS (SELECT customer, min(p) AS cohort FROM active GROUP BY customer)
        SELECT cohort, p - cohort AS age, count(*) AS customers FROM active JOIN first USING (customer)
        GROUP BY cohort, age ORDER BY cohort, age""").df()


def chdb(peers: Peers, period: str) -> pd.DataFrame:
    """An array of periods per customer instead of a join."""
    query = (
        "SELECT arrayReduce('min', ps) AS cohort, p - cohort AS age, count() AS customers FROM (SELECT customer, "
        f"groupUniqArray({PERIODS[period][1]}) AS ps FROM bench.events GROUP BY customer) ARRAY JOIN ps AS p "
        "GROUP BY cohort, age ORDER BY cohort, age"
    )
    click: Any = peers.click
    rows = [line.split(",") for line in str(click.query(query, "CSV")).split()]
    return pd.DataFrame(rows, columns=["cohort", "age", "customers"]).astype(int)


def polars(peers: Peers, period: str) -> pd.DataFrame:
    """Unique customer-periods, the first one over each customer, counted."""
    import polars as pl

    day = pl.col("time").dt.epoch("d")
    number = {
        "month": pl.col("time").dt.year() * 12 + pl.col("time").dt.month(),
        "week": (day - MONDAY) // 7,
        "day": day,
    }[period]
    counted = (
        peers.polars.lazy()
        .select("customer", p=number)
        .unique()
        .with_columns(cohort=pl.col("p").min().over("customer"))
        .group_by("cohort", age=pl.col("p") - pl.col("cohort"))
        .agg(customers=pl.len())
        .sort("cohort", "age")
        .collect()
    )
    return pd.DataFrame({name: counted[name].to_numpy() for name in counted.columns})


def cells(answer: pd.DataFrame) -> Cells:
    """Lay an answer out as (number of the cohort, age) -> customers, without zeros."""
    counts = answer["back_so_far"].fillna(0) if "back_so_far" in answer else answer["customers"]
    if "back_so_far" in answer:
        cohort = pd.factorize(answer["cohort"])[0]
    else:
        cohort = (answer["cohort"] - answer["cohort"].min()).to_numpy()
    keys = zip(cohort.tolist(), answer["age"].tolist(), counts.tolist(), strict=True)
    return {(int(row), int(age)): int(n) for row, age, n in keys if n}


def agree(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Every cell is the same number."""
    assert cells(ours) == cells(theirs)


def log_bytes(log: Any) -> int:
    """Size of the log's arrays."""
    arrays = [log.offsets, log.times, log.touchpoint_codes, log.channel_codes, log.values, log.stage_codes]
    return int(sum(each.nbytes for each in arrays if each is not None) + log.customers.nbytes)


def peak_increase(run: Callable[[], Any]) -> int:
    """Bytes that a run allocated at its peak, by Python and NumPy (the loops allocate nothing)."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def run(folder: Path, n_events: int, rounds: int = 5) -> list[Race]:
    """Race each period; print the memory that ours needs."""
    path = event_file(folder, n_events)
    log = jk.read_log(path, observed_until=END, duplicates="keep")
    size = log_bytes(log)
    peers = Peers(path)
    peers.build_duckdb()
    peers.build_chdb()
    peers.build_polars()
    races = []
    for period, (_, _, aim) in PERIODS.items():
        ours(log, period)  # what a log remembers once asked is there now, as in the races
        needed = peak_increase(partial(ours, log, period))
        jk.retention(log, period=period, by="channel")
        split = peak_increase(partial(jk.retention, log, period=period, by="channel"))
        contestants = {
            "journeykit": partial(ours, log, period),
            "DuckDB SQL": partial(duckdb, peers, period),
            "ClickHouse": partial(chdb, peers, period),
            "Polars": partial(polars, peers, period),
        }
        note = (
            f"Memory: the log's {size / 2**20:.0f} MiB, and {needed / 2**20:.0f} MiB more at the peak of ours "
            f"({1 + needed / size:.2f} times the log; split by channel, {1 + split / size:.2f} times)."
        )
        name = f"Retention: triangle by {period}, {n_events:,} events"
        races.append(
            race(name, contestants, agree=agree, rounds=rounds, aim=f"{aim} as fast as the fastest of them", note=note)
        )
    peers.close()
    return races
