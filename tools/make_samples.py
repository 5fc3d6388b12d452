"""Make data/samples anew: `python tools/make_samples.py [folder]`.

Everything is drawn with fixed seeds, so that the same versions of numpy and pandas write the same tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import journeykit as jk
from journeykit.datasets import ShopParameters

SEED = 2023
SMALL_SEED = 24
MESSY_SEED = 5
# What a click costs, and what is spent each month whatever comes: channel -> (a click, a month).
PRICES = {
    "display": (0.9, 150.0),
    "influencer": (0.6, 400.0),
    "paid_search": (1.4, 0.0),
    "social": (0.3, 120.0),
    "email": (0.05, 60.0),
    "referral": (0.0, 80.0),
}


def guitar_shop() -> jk.InteractionLog:
    log, _ = jk.simulate_journeys(5000, months=18, rng=SEED)
    return log


def guitar_shop_small() -> pd.DataFrame:
    log, _ = jk.simulate_journeys(200, months=18, rng=SMALL_SEED)
    frame = log.frame()
    for name in ("time", "promised_at"):
        frame[name] = frame[name].dt.tz_convert(log.timezone).dt.strftime("%Y-%m-%dT%H:%M:%S%z")
    return frame


def spend(log: jk.InteractionLog) -> pd.DataFrame:
    """What was spent a month and channel: so much a click, plus a monthly sum, rounded to tens."""
    touches = log.where(channel=list(PRICES)).frame(["time", "touchpoint", "channel"])
    parameters = ShopParameters()
    touches = touches[touches["touchpoint"].isin([source.touchpoint for source in parameters.sources])]
    month = touches["time"].dt.tz_localize(None).dt.to_period("M")
    clicks = touches.groupby([month, touches["channel"].astype(str)]).size()
    months = pd.period_range(parameters.start, periods=18, freq="M")
    clicks = clicks.reindex(
        pd.MultiIndex.from_product([months, list(PRICES)], names=["month", "channel"]), fill_value=0
    )
    table = clicks.rename("clicks").reset_index()
    each = table["channel"].map(lambda name: PRICES[name][0])
    fixed = table["channel"].map(lambda name: PRICES[name][1])
    # Of ten people who click, one becomes a customer of this log.
    table["spend"] = ((10 * table["clicks"] * each + fixed) / 10).round() * 10
    table["month"] = table["month"].dt.strftime("%Y-%m-01")
    return table[["month", "channel", "spend"]]


def messy(frame: pd.DataFrame) -> pd.DataFrame:
    """A piece of the small sample with faults put in; README.md lists them."""
    rng = np.random.default_rng(MESSY_SEED)
    few = frame[["customer", "time", "touchpoint", "channel", "value", "device", "comment"]].head(160)
    few = few.astype("string").fillna("").reset_index(drop=True)
    rows = iter(rng.permutation(len(few)).tolist())

    def put(column: str, texts: list[str]) -> None:
        for text in texts:
            few.loc[next(rows), column] = text

    put("customer", ["", "", " "])
    put("time", ["", "yesterday", "2023-02-30T10:00:00+0300", "1970-01-01T00:00:00+0000", "2031-05-01T12:00:00+0300"])
    put("time", ["03/04/2023 10:15", "1680505200"])
    put(
        "touchpoint",
        ["", "Product_Page", "product_page ", "PRODUCT_PAGE", "<script>alert(1)</script>", "Sipariş", "a->b"],
    )
    put("value", ["12,50", "free", "-"])
    put("comment", ['He said "great"', "two\nlines", "=1+1", "תודה רבה", '=HYPERLINK("http://example.org")'])
    twice = few.loc[[next(rows) for _ in range(6)]]
    return pd.concat([few, twice], ignore_index=True)


def write_all(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    log = guitar_shop()
    log.to_parquet(folder / "guitar_shop.parquet")
    small = guitar_shop_small()
    csv = {"index": False, "lineterminator": "\n"}
    small.to_csv(folder / "guitar_shop.csv", **csv)
    spend(log).to_csv(folder / "guitar_shop_spend.csv", **csv)
    messy(small).to_csv(folder / "guitar_shop_messy.csv", **csv)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "data" / "samples"
    write_all(target)
    for path in sorted(target.iterdir()):
        print(f"{path.stat().st_size:>9,} {path.name}")
