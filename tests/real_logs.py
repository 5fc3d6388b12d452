"""Real data for tests, where it is present: a UK gift shop's invoices, and CDNOW."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from journeykit.errors import JourneykitError
from journeykit.journey import StageModel
from journeykit.log import InteractionLog, read_log

RETAIL = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "online_retail.parquet"

RETAIL_STAGES = StageModel.from_dict(
    {
        "name": "gift_shop",
        "stages": [{"name": "first_order"}, {"name": "repeat_order"}, {"name": "cancellation"}],
        "rules": [
            {"stage": "repeat_order", "touchpoints": ["order"], "after": ["order"]},
            {"stage": "first_order", "touchpoints": ["order"]},
            {"stage": "cancellation", "touchpoints": ["cancellation"]},
        ],
    }
)


def retail_invoices() -> pd.DataFrame:
    """One row an invoice of the gift shop (Chen, Sain & Guo 2012): lines summed; skips where the file is absent."""
    if not RETAIL.exists():
        pytest.skip(f"the Online Retail data is not there: {RETAIL.name} beside the project, in shared/data")
    lines = pd.read_parquet(RETAIL)
    lines["amount"] = lines["Quantity"] * lines["UnitPrice"]
    grouped = lines.groupby("InvoiceNo", sort=False)
    invoices = grouped.agg(
        CustomerID=("CustomerID", "first"),
        InvoiceDate=("InvoiceDate", "min"),
        Country=("Country", "first"),
        amount=("amount", "sum"),
    ).reset_index()
    invoices["what"] = invoices["InvoiceNo"].str.startswith("C").map({True: "cancellation", False: "order"})
    return invoices


def retail_log() -> InteractionLog:
    """Read the gift shop's invoices, with a stage model of its own."""
    return read_log(
        retail_invoices(),
        customer="CustomerID",
        time="InvoiceDate",
        touchpoint="what",
        channel="Country",
        value="amount",
        timezone="Europe/London",
        observed_until="2011-12-10",
        stages=RETAIL_STAGES,
    )


def cdnow_log() -> InteractionLog:
    """Read CDNOW's purchases; skips where the package that holds them is absent."""
    from journeykit.datasets import load_sample

    try:
        return load_sample("cdnow")
    except JourneykitError as error:
        pytest.skip(str(error))
