"""Retention of real logs equals what SQL says of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from journeykit.analyses.retention import retention
from journeykit.log import read_log

TRIANGLE = """
with active as (select distinct customer, date_trunc('{period}', time) as now from events),
first as (select customer, min(now) as cohort from active group by customer)
select cohort, date_diff('{period}', cohort, now) as age, count(*) as back
from active join first using (customer) group by all
"""


def check_against_sql(events, observed_until, period):
    """Compare every cell; what SQL has no row for is a zero of ours, or lies in the future."""
    log = read_log(events, observed_until=observed_until)
    ours = retention(log, period=period).table
    theirs = duckdb.sql(TRIANGLE.format(period=period), connection=_with(events)).df()
    counted = ours[ours["back_so_far"].fillna(0) > 0]
    cells = counted[["cohort", "age", "back_so_far"]].to_numpy()
    found = {(cohort.start_time, age): back for cohort, age, back in cells}
    assert found == {(cohort, age): back for cohort, age, back in theirs.itertuples(index=False)}
    return ours


def _with(events):
    connection = duckdb.connect()
    connection.register("events", events)
    return connection


@pytest.mark.oracle
@pytest.mark.parametrize("period", ["week", "month", "quarter"])
def test_cdnow_has_the_triangle_that_sql_counts(period):
    spec = importlib.util.find_spec("lifetimes")
    if spec is None:
        pytest.skip("CDNOW comes with the package lifetimes (extra oracles)")
    file = Path(spec.submodule_search_locations[0]) / "datasets" / "CDNOW_master.txt"
    raw = pd.read_csv(file, sep=r"\s+", names=["customer", "date", "units", "value"], skiprows=1)
    events = pd.DataFrame(
        {"customer": raw["customer"], "time": pd.to_datetime(raw["date"], format="%Y%m%d"), "touchpoint": "order"}
    )
    table = check_against_sql(events, "1998-07-01", period)
    # Fader & Hardie (2001): 23,570 customers bought for the first time in the first quarter of 1997.
    newcomers = table[table["age"] == 0]
    assert newcomers["customers"].sum() == 23_570
    end_of_quarter = pd.Period("1997-03-31", freq=newcomers["cohort"].dtype.freq)
    assert newcomers.loc[newcomers["cohort"] > end_of_quarter, "customers"].sum() == 0


@pytest.mark.parametrize("period", ["day", "month"])
def test_online_retail_has_the_triangle_that_sql_counts(period, project_root):
    file = project_root.parent / "shared" / "data" / "online_retail.parquet"
    if not file.exists():
        pytest.skip(f"{file.name} is not here")
    columns = {"CustomerID": "customer", "InvoiceDate": "time", "InvoiceNo": "touchpoint"}
    lines = pd.read_parquet(file, columns=list(columns)).rename(columns=columns).dropna()
    invoices = lines.drop_duplicates(["customer", "time", "touchpoint"]).assign(touchpoint="invoice")
    check_against_sql(invoices, "2011-12-10", period)
