"""Building a log, and a funnel, a retention triangle and a survival curve on it, against what users would pick instead.

Each peer gets the same Parquet file, and for the analyses its own table sorted by customer and time, built before.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import journeykit as jk
from benchmarks.events import event_file
from benchmarks.race import Race, race

END = "2025-01-01"
STEPS = ("visit", "product_page", "cart", "order")
WINDOW_DAYS = 14
CHURN_DAYS = 60


class Peers:
    """Tables of the same events in DuckDB, ClickHouse (chdb), Polars and pandas."""

    def __init__(self, path: Path) -> None:
        import duckdb
        from chdb import session

        self.path = path
        self.folder = tempfile.mkdtemp()
        self.duck = duckdb.connect()
        self.click = session.Session(self.folder)
        self.click.query("CREATE DATABASE IF NOT EXISTS bench")
        self.frame: pd.DataFrame = pd.DataFrame()
        self.polars: Any = None

    def close(self) -> None:
        """Drop the tables."""
        self.duck.close()
        self.click.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def build_duckdb(self) -> int:
        """Build DuckDB's table, sorted."""
        self.duck.execute(f"CREATE OR REPLACE TABLE events AS FROM '{self.path}' ORDER BY customer, time")
        return int(self.duck.execute("SELECT count(*) FROM events").fetchone()[0])

    def build_chdb(self) -> int:
        """Build ClickHouse's table, sorted by its key."""
        self.click.query("DROP TABLE IF EXISTS bench.events SYNC")
        self.click.query(
            "CREATE TABLE bench.events (customer Int64, time DateTime('UTC'), touchpoint LowCardinality(String), "
            "channel LowCardinality(String)) ENGINE = MergeTree ORDER BY (customer, time)"
        )
        self.click.query(
            f"INSERT INTO bench.events SELECT assumeNotNull(customer), assumeNotNull(time), assumeNotNull(touchpoint), "
            f"assumeNotNull(channel) FROM file('{self.path}', Parquet)"
        )
        return int(str(self.click.query("SELECT count() FROM bench.events")).strip())

    def build_pandas(self) -> int:
        """Build a sorted frame."""
        frame = pd.read_parquet(self.path)
        frame["touchpoint"] = frame["touchpoint"].astype("category")
        frame["channel"] = frame["channel"].astype("category")
        self.frame = frame.sort_values(["customer", "time"], kind="stable", ignore_index=True)
        return len(self.frame)

    def build_polars(self) -> int:
        """Build a sorted Polars frame."""
        import polars as pl

        frame = pl.read_parquet(self.path).with_columns(pl.col("touchpoint", "channel").cast(pl.Categorical))
        self.polars = frame.sort("customer", "time")
        return self.polars.height

    # -- funnel: customers that reached each step in order within the window of their entry ----------------

    @property
    def file_chdb(self) -> str:
        """The file itself, as ClickHouse asks it."""
        return f"(SELECT customer, toDateTime(time) AS time, touchpoint FROM file('{self.path}', Parquet))"

    def funnel_chdb(self, table: str = "bench.events") -> list[int]:
        """Ask ClickHouse's windowFunnel."""
        conditions = ", ".join(f"touchpoint = '{step}'" for step in STEPS)
        rows = self.click.query(
            f"SELECT level, count() FROM (SELECT customer, windowFunnel({WINDOW_DAYS * 86_400})(time, {conditions}) "
            f"AS level FROM {table} GROUP BY customer) GROUP BY level ORDER BY level",
            "CSV",
        )
        levels = dict(tuple(map(int, line.split(","))) for line in str(rows).split())
        return [sum(n for level, n in levels.items() if level >= k) for k in range(1, len(STEPS) + 1)]

    def funnel_duckdb(self) -> list[int]:
        """Join each step to the latest chain before it, which began with the latest entry: what windowFunnel does."""
        query = f"WITH r1 AS (SELECT customer, time, time AS entry FROM events WHERE touchpoint = '{STEPS[0]}')"
        for k, step in enumerate(STEPS[1:], start=2):
            query += (
                f", r{k} AS (SELECT e.customer, e.time, r.entry FROM (FROM events WHERE touchpoint = '{step}') e "
                f"ASOF JOIN r{k - 1} r ON e.customer = r.customer AND e.time >= r.time "
                f"WHERE e.time - r.entry <= INTERVAL {WINDOW_DAYS} DAY)"
            )
        counts = ", ".join(f"(SELECT count(DISTINCT customer) FROM r{k})" for k in range(1, len(STEPS) + 1))
        return list(self.duck.execute(f"{query} SELECT {counts}").fetchone())

    def funnel_pandas(self) -> list[int]:
        """The same with cumulative maxima per customer and instant."""
        frame = self.frame[self.frame["touchpoint"].isin(STEPS)]
        seconds = frame["time"].to_numpy().astype("M8[s]").astype(np.int64)
        customer = frame["customer"].to_numpy()
        touchpoint = frame["touchpoint"].astype(str).to_numpy()
        instant = np.concatenate([[True], (customer[1:] != customer[:-1]) | (seconds[1:] != seconds[:-1])]).cumsum()
        reached = pd.Series(np.where(touchpoint == STEPS[0], seconds, -1))
        counts = [len(np.unique(customer[reached >= 0]))]
        for step in STEPS[1:]:
            latest = reached.groupby(customer, sort=False).cummax().groupby(instant).transform("max").to_numpy()
            fits = (touchpoint == step) & (latest >= 0) & (seconds - latest <= WINDOW_DAYS * 86_400)
            reached = pd.Series(np.where(fits, latest, -1))
            counts.append(len(np.unique(customer[fits])))
        return counts

    # -- retention: customers of each first month that were back in each month -----------------------------

    _RETENTION = """
        WITH active AS (SELECT DISTINCT customer, {month} AS month FROM {table}),
        first AS (SELECT customer, min(month) AS cohort FROM active GROUP BY customer)
        SELECT cohort, month - cohort AS age, count(*) AS customers FROM active JOIN first USING (customer)
        GROUP BY cohort, age ORDER BY cohort, age"""

    def retention_duckdb(self) -> list[int]:
        """A join of each customer's months with the first of them."""
        query = self._RETENTION.format(month="year(time) * 12 + month(time)", table="events")
        return [row[2] for row in self.duck.execute(query).fetchall()]

    def retention_chdb(self) -> list[int]:
        """The same question in ClickHouse, with an array of months per customer instead of a join."""
        rows = self.click.query(
            "SELECT arrayReduce('min', months) AS cohort, month - cohort AS age, count() FROM (SELECT customer, "
            "groupUniqArray(toYear(time) * 12 + toMonth(time)) AS months FROM bench.events GROUP BY customer) "
            "ARRAY JOIN months AS month GROUP BY cohort, age ORDER BY cohort, age",
            "CSV",
        )
        return [int(line.rsplit(",", 1)[1]) for line in str(rows).split()]

    def retention_polars(self) -> list[int]:
        """Unique customer-months, the first one over each customer, counted."""
        import polars as pl

        active = self.polars.lazy().select("customer", month=pl.col("time").dt.year() * 12 + pl.col("time").dt.month())
        counted = (
            active.unique()
            .with_columns(cohort=pl.col("month").min().over("customer"))
            .group_by("cohort", age=pl.col("month") - pl.col("cohort"))
            .len()
            .sort("cohort", "age")
            .collect()
        )
        return counted["len"].to_list()

    def retention_pandas(self) -> list[int]:
        """Unique customer-months and a transform."""
        month = self.frame["time"].dt.year * 12 + self.frame["time"].dt.month
        active = pd.DataFrame({"customer": self.frame["customer"], "month": month}).drop_duplicates()
        active["cohort"] = active.groupby("customer")["month"].transform("min")
        return active.groupby(["cohort", active["month"] - active["cohort"]]).size().tolist()

    # -- survival: days until a customer's first silence of more than CHURN_DAYS ---------------------------

    _DURATIONS = """
        WITH days AS (SELECT DISTINCT customer, time::DATE - DATE '1970-01-01' AS day FROM events),
        gaps AS (SELECT customer, day, min(day) OVER (PARTITION BY customer) AS first,
                 coalesce(lead(day) OVER (PARTITION BY customer ORDER BY day), 2147483647) - day AS gap FROM days),
        crossed AS (SELECT customer, min(first) AS first,
                    min(CASE WHEN gap > {d} AND day + {d} <= {last} THEN day END) AS silent
                    FROM gaps GROUP BY customer),
        durations AS (SELECT coalesce(silent + {d}, {last}) - first AS duration, (silent IS NOT NULL)::INT AS event
                      FROM crossed)
        SELECT duration, count(*) AS n, sum(event) AS events FROM durations WHERE duration > 0
        GROUP BY duration ORDER BY duration"""

    def survival_duckdb(self) -> pd.Series:
        """Durations in SQL, the product in numpy."""
        last = int((pd.Timestamp(END) - pd.Timestamp("1970-01-01")).days) - 1
        counted = self.duck.execute(self._DURATIONS.format(d=CHURN_DAYS, last=last)).df()
        at_risk = counted["n"][::-1].cumsum()[::-1]
        return (1 - counted["events"] / at_risk).cumprod().set_axis(counted["duration"])

    def survival_pandas_lifelines(self) -> pd.Series:
        """Durations in pandas, the curve by lifelines."""
        from lifelines import KaplanMeierFitter

        last = int((pd.Timestamp(END) - pd.Timestamp("1970-01-01")).days) - 1
        day = self.frame["time"].to_numpy().astype("M8[D]").astype(np.int64)
        days = pd.DataFrame({"customer": self.frame["customer"], "day": day}).drop_duplicates()
        days["gap"] = days.groupby("customer")["day"].shift(-1).fillna(2**31) - days["day"]
        silent = (
            days[(days["gap"] > CHURN_DAYS) & (days["day"] + CHURN_DAYS <= last)].groupby("customer")["day"].first()
        )
        first = days.groupby("customer")["day"].first()
        silent = silent.reindex(first.index)
        event = silent.notna()
        duration = (silent + CHURN_DAYS).fillna(last) - first
        keep = duration > 0
        fitted = KaplanMeierFitter().fit(duration[keep], event[keep])
        return fitted.survival_function_["KM_estimate"].iloc[1:]


def equal(ours: Any, theirs: Any) -> None:
    """Two answers are the same numbers."""
    np.testing.assert_allclose(np.asarray(theirs, float), np.asarray(ours, float), rtol=1e-9)


def same_curve(ours: pd.Series, theirs: pd.Series) -> None:
    """Two curves have the same heights on every day that the other one has, and fall on no day more."""
    equal(ours.reindex(theirs.index), theirs)
    falls = ours[ours.diff() < 0].index
    assert falls.isin(theirs.index).all(), "ours falls where theirs does not"


def run(folder: Path, n_events: int, rounds: int = 5) -> list[Race]:
    """Build and analyse n events; return a race for each."""
    path = event_file(folder, n_events)
    peers = Peers(path)
    kept: dict[str, Any] = {}

    def build() -> int:
        kept["log"] = jk.read_log(path, observed_until=END, duplicates="keep")
        return kept["log"].n_events

    def funnel() -> list[int]:
        return jk.funnel(kept["log"], list(STEPS), within=f"{WINDOW_DAYS}d").table["customers"].tolist()

    def retention() -> list[int]:
        table = jk.retention(kept["log"], period="month").table
        return table.loc[table["status"] == "finished", "back"].astype(int).tolist()

    def survival() -> pd.Series:
        return jk.survival_curve(kept["log"], churn=jk.Inactivity(f"{CHURN_DAYS}d")).table.set_index("time_days")[
            "survival"
        ]

    races = [
        race(
            f"Build: {n_events:,} events from Parquet to a table sorted by customer and time",
            {
                "journeykit": build,
                "DuckDB": peers.build_duckdb,
                "ClickHouse (chdb)": peers.build_chdb,
                "Polars": peers.build_polars,
                "pandas": peers.build_pandas,
            },
            agree=equal,
            rounds=max(2, rounds - 2),
            aim="no slower than the fastest of them",
            note="Ours also checks every row, finds exact duplicates, and looks for findings.",
        ),
        race(
            f"Funnel: {' → '.join(STEPS)} within {WINDOW_DAYS} days of the entry",
            {
                "journeykit": funnel,
                "ClickHouse windowFunnel": peers.funnel_chdb,
                "DuckDB SQL": peers.funnel_duckdb,
                "pandas": peers.funnel_pandas,
            },
            agree=equal,
            rounds=rounds,
            aim="5 times as fast as the fastest of them",
            note="Ours matches twice, all entries and the mature ones, and gives intervals and times to convert.",
        ),
        race(
            "Retention: monthly triangle",
            {
                "journeykit": retention,
                "DuckDB SQL": peers.retention_duckdb,
                "ClickHouse": peers.retention_chdb,
                "Polars": peers.retention_polars,
                "pandas": peers.retention_pandas,
            },
            agree=equal,
            rounds=rounds,
            aim="5 times as fast as the fastest of them",
        ),
        race(
            f"Survival: days until the first silence of more than {CHURN_DAYS} days, Kaplan–Meier",
            {
                "journeykit": survival,
                "DuckDB SQL": peers.survival_duckdb,
                "pandas + lifelines": peers.survival_pandas_lifelines,
            },
            agree=same_curve,
            rounds=rounds,
            aim="5 times as fast as the fastest of them",
            note="Ours also gives intervals, the share that came back, and the curve for five silences instead of one. "
            "ClickHouse and Polars are left out: their query would be DuckDB's with other words.",
        ),
    ]
    peers.close()
    return races
