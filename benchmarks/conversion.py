"""A conversion curve and a trend by week, against the same questions in SQL and with lifelines.

Each peer asks its own table of the same events, sorted by customer and time and built before. Their answers are bare:
the share converted at each time, the customers and conversions of each week. Ours hold intervals, medians, changes
from week to week and who was left out as well.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import journeykit as jk
from benchmarks.events import event_file
from benchmarks.first_analyses import END, Peers
from benchmarks.race import Race, race

WITHIN_DAYS = 14
WINDOW = WITHIN_DAYS * 86_400

ENTRIES = """
    entries AS (SELECT customer, min(time) AS entered FROM {events} WHERE touchpoint = 'visit' GROUP BY customer),
    joined AS (SELECT n.customer, n.entered, min(e.time) AS converted FROM entries n LEFT JOIN
               (SELECT customer, time FROM {events} WHERE touchpoint = 'order') e
               ON e.customer = n.customer {later} GROUP BY n.customer, n.entered)"""


def ours_curve(log: Any) -> pd.DataFrame:
    """All of what `conversion_curve` makes, read at the end of each day."""
    days = [f"{day}d" for day in range(1, WITHIN_DAYS + 1)]
    table = jk.conversion_curve(log, ["visit", "order"], within=f"{WITHIN_DAYS}d", times=days).table
    return table[["time_seconds", "converted_rate"]]


def duckdb_curve(peers: Peers) -> pd.DataFrame:
    """First entries joined with later orders; Kaplan–Meier by window functions."""
    end = pd.Timestamp(END)
    found: pd.DataFrame = peers.duck.execute(f"""
        WITH {ENTRIES.format(events="events", later="AND e.time >= n.entered")},
        ends AS (SELECT epoch(converted) - epoch(entered) AS took,
                 least({WINDOW}, epoch(TIMESTAMP '{end}') - epoch(entered) - 1) AS watched FROM joined),
        spans AS (SELECT least(coalesce(took, watched), watched) AS t,
                  (took IS NOT NULL AND took <= watched)::INT AS d FROM ends),
        times AS (SELECT t, sum(d) AS d, count(*) AS n FROM spans GROUP BY t),
        risk AS (SELECT t, d, sum(n) OVER (ORDER BY t DESC) AS r FROM times)
        SELECT t, 1 - exp(sum(ln(1 - d / r)) OVER (ORDER BY t)) AS rate FROM risk WHERE d > 0 ORDER BY t""").df()
    return by_day(found["t"].to_numpy(), found["rate"].to_numpy())


def lifelines_curve(peers: Peers) -> pd.DataFrame:
    """Durations by pandas, the curve by lifelines: how it is done in a notebook."""
    from lifelines import KaplanMeierFitter

    frame = peers.frame
    entered = frame[frame["touchpoint"] == "visit"].groupby("customer")["time"].min().rename("entered")
    orders = frame[frame["touchpoint"] == "order"].merge(entered, on="customer")
    orders = orders[orders["time"] >= orders["entered"]]
    converted = orders.groupby("customer")["time"].min().reindex(entered.index)
    took = (converted - entered).dt.total_seconds()
    watched = np.minimum((pd.Timestamp(END) - entered).dt.total_seconds() - 1, WINDOW)
    ended = took <= watched
    fitted = KaplanMeierFitter().fit(took.where(ended, watched), ended)
    curve = 1 - fitted.survival_function_["KM_estimate"]
    return by_day(curve.index.to_numpy(), curve.to_numpy())


def by_day(times: Any, rates: Any) -> pd.DataFrame:
    """Read a curve at the end of each day."""
    days = np.arange(1, WITHIN_DAYS + 1) * 86_400.0
    place = np.searchsorted(times, days, side="right") - 1
    return pd.DataFrame({"time_seconds": days, "converted_rate": np.where(place >= 0, rates[place], 0.0)})


def agree_curves(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """The same share at the end of each day."""
    np.testing.assert_allclose(ours["converted_rate"], theirs["converted_rate"], rtol=1e-7)


def ours_trend(log: Any) -> pd.DataFrame:
    """All of what `funnel_trend` makes."""
    table = jk.funnel_trend(log, ["visit", "order"], within=f"{WITHIN_DAYS}d").table
    return table[["customers", "converted"]].astype(int)


def duckdb_trend(peers: Peers) -> pd.DataFrame:
    """The next order within the window of each visit, then the best visit of each customer and week."""
    found: pd.DataFrame = peers.duck.execute(f"""
        WITH next AS (SELECT customer, time, touchpoint, min(CASE WHEN touchpoint = 'order' THEN time END) OVER (
            PARTITION BY customer ORDER BY time RANGE BETWEEN CURRENT ROW AND INTERVAL {WITHIN_DAYS} DAY FOLLOWING
            ) AS bought FROM events WHERE touchpoint IN ('visit', 'order')),
        weeks AS (SELECT customer, date_trunc('week', time) AS week, max((bought IS NOT NULL)::INT) AS converted
                  FROM next WHERE touchpoint = 'visit' GROUP BY customer, week)
        SELECT count(*) AS customers, sum(converted) AS converted FROM weeks GROUP BY week ORDER BY week""").df()
    return found.astype(int)


def chdb_trend(peers: Peers) -> pd.DataFrame:
    """The same in ClickHouse, on seconds."""
    click: Any = peers.click
    text = click.query(
        "SELECT count() AS customers, sum(converted) AS converted FROM (SELECT customer, toMonday(time) AS week, "
        "max(bought > 0) AS converted FROM (SELECT customer, time, touchpoint, "
        "min(if(touchpoint = 'order', s, NULL)) OVER (PARTITION BY customer ORDER BY s RANGE BETWEEN CURRENT ROW AND "
        f"{WINDOW} FOLLOWING) AS bought FROM (SELECT customer, time, touchpoint, toInt64(toUnixTimestamp(time)) AS s "
        "FROM bench.events WHERE touchpoint IN ('visit', 'order'))) WHERE touchpoint = 'visit' "
        "GROUP BY customer, week) GROUP BY week ORDER BY week",
        "CSV",
    )
    rows = [line.split(",") for line in str(text).split()]
    return pd.DataFrame(rows, columns=["customers", "converted"]).replace("\\N", 0).astype(int)


def agree_trends(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """The same customers and conversions in every week."""
    np.testing.assert_array_equal(ours.to_numpy(), theirs.to_numpy())


def run(folder: Path, n_events: int, rounds: int = 5) -> list[Race]:
    """Race a curve and a trend."""
    path = event_file(folder, n_events)
    log = jk.read_log(path, observed_until=END, duplicates="keep")
    peers = Peers(path)
    peers.build_duckdb()
    peers.build_chdb()
    peers.build_pandas()
    aim = "faster than each of them, with intervals"
    races = [
        race(
            f"Conversion curve: visit to order within {WITHIN_DAYS} days, {n_events:,} events",
            {
                "journeykit": partial(ours_curve, log),
                "DuckDB SQL": partial(duckdb_curve, peers),
                "pandas and lifelines": partial(lifelines_curve, peers),
            },
            agree=agree_curves, rounds=rounds, aim=aim,
        ),
        race(
            f"Funnel trend: visit to order within {WITHIN_DAYS} days by week, {n_events:,} events",
            {
                "journeykit": partial(ours_trend, log),
                "DuckDB SQL": partial(duckdb_trend, peers),
                "ClickHouse": partial(chdb_trend, peers),
            },
            agree=agree_trends, rounds=rounds, aim=aim,
        ),
    ]  # fmt: skip
    peers.close()
    return races
