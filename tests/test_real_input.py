"""The whole path on real logs, each number against SQL or lifelines on the raw rows."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

import journeykit as jk
from tests.real_logs import cdnow_log, retail_invoices, retail_log


def sql(query: str, rows: pd.DataFrame) -> list[tuple]:
    """Ask DuckDB about a frame of raw rows."""
    with duckdb.connect() as engine:
        engine.register("raw", rows)
        return engine.execute(query).fetchall()


@pytest.fixture(scope="module")
def invoices() -> pd.DataFrame:
    return retail_invoices()


@pytest.fixture(scope="module")
def log() -> jk.InteractionLog:
    return retail_log()


def test_every_invoice_is_kept_or_quarantined_with_its_reason(invoices, log):
    [(rows, without, customers)] = sql(
        "SELECT count(*), count(*) FILTER (CustomerID IS NULL), count(DISTINCT CustomerID) FROM raw", invoices
    )
    assert log.rows_read == rows == log.n_events + len(log.quarantine) + log.duplicates_merged
    assert log.quarantine["reason"].value_counts().to_dict() == {"missing_customer": without}
    assert log.n_customers == customers
    assert log.unmapped.empty


def test_repeat_orders_within_90_days_are_what_sql_counts(invoices, log):
    [(customers, mature, back, mature_back)] = sql(
        """
        WITH orders AS (SELECT CustomerID AS c, InvoiceDate AS t, row_number() OVER (
                          PARTITION BY CustomerID ORDER BY InvoiceDate) AS k
                        FROM raw WHERE what = 'order' AND CustomerID IS NOT NULL),
        firsts AS (SELECT a.c, a.t, b.t AS second FROM orders a
                   LEFT JOIN orders b ON b.c = a.c AND b.k = 2 WHERE a.k = 1),
        judged AS (SELECT *, second - t <= INTERVAL 90 DAY AS back,
                   t + INTERVAL 90 DAY < TIMESTAMP '2011-12-10' AS mature FROM firsts)
        SELECT count(*), count(*) FILTER (mature), count(*) FILTER (back), count(*) FILTER (mature AND back) FROM judged
        """,
        invoices,
    )
    table = jk.stage_funnel(log, stages=["first_order", "repeat_order"], within="90d").table.set_index("stage")
    assert table["customers"].tolist() == [customers, back]
    assert table["customers_mature"].tolist() == [mature, mature_back]
    assert table.loc["repeat_order", "step_rate"] == pytest.approx(mature_back / mature)


def monthly_cohorts(raw: pd.DataFrame, customer: str, time: str) -> dict[tuple[int, int], int]:
    rows = sql(
        f"""
        WITH active AS (SELECT DISTINCT {customer} AS c, year({time}) * 12 + month({time}) AS month FROM raw
                        WHERE {customer} IS NOT NULL),
        firsts AS (SELECT c, min(month) AS first FROM active GROUP BY c)
        SELECT first, month - first, count(*) FROM active JOIN firsts USING (c) GROUP BY ALL
        """,
        raw,
    )
    start = min(first for first, _, _ in rows)
    return {(first - start, age): customers for first, age, customers in rows}


def our_cohorts(log: jk.InteractionLog) -> dict[tuple[int, int], int]:
    table = jk.retention(log, period="month").table
    seen = table[table["status"].isin(["finished", "unfinished"])]
    cohorts = {cohort: i for i, cohort in enumerate(sorted(table["cohort"].unique()))}
    counts = {
        (cohorts[cohort], int(age)): int(back)
        for cohort, age, back in zip(seen["cohort"], seen["age"], seen["back_so_far"], strict=True)
    }
    return {key: back for key, back in counts.items() if back}


def test_monthly_retention_is_what_sql_counts(invoices, log):
    assert our_cohorts(log) == monthly_cohorts(invoices, "CustomerID", "InvoiceDate")


def silences(raw: pd.DataFrame, customer: str, time: str, until: str, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Duration and event of each customer's first silence of more than `days`, by the definition, in SQL."""
    rows = sql(
        f"""
        WITH days AS (SELECT DISTINCT {customer} AS c, {time}::DATE - DATE '1970-01-01' AS day FROM raw
                      WHERE {customer} IS NOT NULL),
        gaps AS (SELECT c, day, coalesce(lead(day) OVER (PARTITION BY c ORDER BY day), 1000000) - day AS gap FROM days),
        crossed AS (SELECT c, min(day) AS first, any_value(last) AS last,
                           min(CASE WHEN gap > {days} AND day + {days} <= last THEN day END) AS silent
                    FROM gaps, (SELECT DATE '{until}' - DATE '1970-01-01' - 1 AS last) GROUP BY c)
        SELECT coalesce(silent + {days}, last) - first, silent IS NOT NULL FROM crossed
        """,
        raw,
    )
    duration, event = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    keep = duration > 0  # who first appears on the last day was never at risk
    return duration[keep], event[keep]


@pytest.mark.parametrize("days", [60, 90, 180])
def test_survival_until_silence_is_what_sql_and_lifelines_give(invoices, log, days):
    duration, event = silences(invoices, "CustomerID", "InvoiceDate", "2011-12-10", days)
    expected = KaplanMeierFitter().fit(duration, event).survival_function_["KM_estimate"]
    table = jk.survival_curve(log, churn=jk.Inactivity(f"{days}d")).table
    ours = table.set_index("time_days")["survival"]
    assert ours.to_numpy() == pytest.approx(expected.reindex(ours.index).to_numpy())
    assert int(table["events"].sum()) == int(event.sum())


def test_the_path_runs_on_cdnow():
    log = cdnow_log()
    raw = log.frame(["customer", "time"])
    raw["time"] = raw["time"].dt.tz_localize(None)
    assert (log.n_customers, log.n_events) == (23_570, 69_659)  # as Fader & Hardie (2001) describe the data
    assert our_cohorts(log) == monthly_cohorts(raw, "customer", "time")
    duration, event = silences(raw, "customer", "time", str(log.ends_at.date()), 120)
    expected = KaplanMeierFitter().fit(duration, event).survival_function_["KM_estimate"]
    ours = jk.survival_curve(log, churn=jk.Inactivity("120d")).table.set_index("time_days")["survival"]
    assert ours.to_numpy() == pytest.approx(expected.reindex(ours.index).to_numpy())
