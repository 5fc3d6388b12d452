"""Whether a model of repeat buying holds: what it expected beside what was seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.buying.fitted import Fitted
from journeykit.analyses.buying.query import Query
from journeykit.estimators.maximum import Floats
from journeykit.estimators.proportions import clustered_mean, z_value

MOST = 7
"""So many repeat purchases and more are one class."""

CLASSES = (*map(str, range(MOST)), f"{MOST}+")

FEWEST = 5
"""Cells in which fewer customers are expected are put together for the chi-squared statistic."""


def tracking(fitted: Fitted, query: Query, days: pd.DataFrame) -> pd.DataFrame:
    """Repeat purchases by period, as they came and as expected of new customers, without looking at what they did."""
    edges = _edges(query, fitted.period_days)
    births = np.flatnonzero(days["new"].to_numpy())
    new = days["new"].to_numpy()[births]
    day = days.index.to_numpy()[births]
    ages = np.arange(query.last - query.begins + 1)
    weights = np.zeros((len(edges), len(ages)))
    for row, edge in enumerate(edges):
        there = day <= edge
        np.add.at(weights[row], edge - day[there], new[there])
    cumulative = fitted.since_start(ages.astype(float), weights[1:])
    each = fitted.since_start(ages.astype(float), np.diff(weights, axis=0))
    seen = np.concatenate([[0], np.cumsum(days["repeats"].to_numpy())])
    seen_at = seen[edges - query.begins + 1]
    new_at = np.concatenate([[0], np.cumsum(days["new"].to_numpy())])[edges - query.begins + 1]
    dates = edges.astype("M8[D]")
    table = {
        "starts_at": pd.DatetimeIndex(dates[:-1] + 1),
        "ends_at": pd.DatetimeIndex(dates[1:] + 1),
        "days": np.diff(edges),
        "part": np.where(edges[1:] <= query.split, "training", "holdout"),
        "new_customers": np.diff(new_at),
        "actual": np.diff(seen_at),
    }
    for name, triple in (("expected", each), ("cumulative_expected", cumulative)):
        if name == "cumulative_expected":
            table["cumulative_actual"] = seen_at[1:]
        table |= _named(name, triple)
    return pd.DataFrame(table)


def _edges(query: Query, length: int) -> Any:
    """Last days of periods, counted from the end of training, so that none crosses it; the outer ones may be short."""
    before = np.arange(query.split, query.begins - 1, -length)[::-1]
    after = np.arange(query.split + length, query.last + 1, length)
    ends = [query.begins - 1, *before, *after, *([query.last] if query.last > query.split else [])]
    return np.unique(np.array(ends, dtype=np.int64))


def frequency(fitted: Fitted, state: pd.DataFrame) -> pd.DataFrame:
    """Customers by number of repeat purchases, as they were and as expected given how long each was observed."""
    by_age = state.groupby("age_days")["customers"].sum()
    ages = by_age.index.to_numpy(dtype=float) / fitted.period_days
    shares = fitted.model.count_shares(fitted.buying.values, ages, MOST - 1)
    expected = by_age.to_numpy() @ shares
    of_class = (
        state.groupby(np.minimum(state["repeats"], MOST))["customers"].sum().reindex(range(MOST + 1), fill_value=0)
    )
    rest = float(by_age.sum() - expected.sum())
    return pd.DataFrame(
        {"repeats": CLASSES, "customers": of_class.to_numpy(), "expected": np.append(expected, max(rest, 0.0))}
    )


def chi_squared(table: pd.DataFrame, parameters: int) -> tuple[float, int, float]:
    """Pearson's statistic of a frequency table, its degrees of freedom and p-value; cells are pooled from the end."""
    from scipy.special import chdtrc

    seen, expected = list(table["customers"].astype(float)), list(table["expected"])
    while len(expected) > 1 and expected[-1] < FEWEST:
        last, more = seen.pop(), expected.pop()
        seen[-1], expected[-1] = seen[-1] + last, expected[-1] + more
    freedom = len(expected) - 1 - parameters
    statistic = sum((a - b) ** 2 / b for a, b in zip(seen, expected, strict=True))
    return statistic, freedom, float(chdtrc(freedom, statistic)) if freedom > 0 else np.nan


def holdout(fitted: Fitted, query: Query, state: pd.DataFrame) -> pd.DataFrame:
    """Purchases in the part held back, a customer, by repeat purchases before it: the mean seen and that expected."""
    if query.last == query.split:
        return pd.DataFrame()
    ahead = query.last - query.split
    classes = np.minimum(state["repeats"].to_numpy(), MOST)
    rows = []
    for number, name in [(None, "all"), *enumerate(CLASSES)]:
        some = state if number is None else state[classes == number]
        n = float(some["customers"].sum())
        if not n:
            continue
        x, xx = float(some["later"].sum()), float(some["later_squared"].sum())
        mean = clustered_mean(n, x, n, xx, x, n, fitted.confidence)
        who = fitted.buyers(some)
        expected = fitted.purchases(who, ahead, total=True)
        row: dict[str, Any] = {"repeats": name, "customers": int(n), "purchases": int(x)}
        row |= dict(zip(("actual_mean", "actual_mean_low", "actual_mean_high"), map(float, mean), strict=True))
        row |= {key: float(value[0]) / n for key, value in _named("expected_mean", expected).items()}
        rows.append(row)
    table = pd.DataFrame(rows)
    return pd.concat([table.iloc[1:], table.iloc[:1]], ignore_index=True)


def correlation(counts: pd.DataFrame, confidence: float) -> tuple[float, float, float, float, int]:
    """Correlation of frequency and mean spend over customers: estimate, bounds by Fisher's z, p-value, n."""
    from scipy.special import ndtr

    n, weight = counts["valued"].to_numpy(dtype=float), counts["customers"].to_numpy(dtype=float)
    spend = counts["spend"].to_numpy(dtype=float) / n
    customers = int(weight.sum())
    mean_n, mean_spend = (np.average(each, weights=weight) for each in (n, spend))
    spread = np.sqrt((weight @ (n - mean_n) ** 2) * (weight @ (spend - mean_spend) ** 2))
    if customers < 4 or spread == 0:
        return np.nan, np.nan, np.nan, np.nan, customers
    r = float(np.clip(weight @ ((n - mean_n) * (spend - mean_spend)) / spread, -1, 1))
    with np.errstate(divide="ignore"):
        z, half = np.arctanh(r), z_value(confidence) / np.sqrt(customers - 3)
    p = 2 * float(ndtr(-abs(z) * np.sqrt(customers - 3)))
    return r, float(np.tanh(z - half)), float(np.tanh(z + half)), p, customers


def check_table(
    fitted: Fitted, tracked: pd.DataFrame, counted: pd.DataFrame, held: pd.DataFrame, spent: pd.DataFrame | None
) -> pd.DataFrame:
    """One row a check: what was seen, what was expected, and the chance of being as far off."""
    train = tracked[tracked["part"] == "training"]
    end = train.iloc[-1]
    rows: list[dict[str, Any]] = [
        {
            "check": "training_purchases",
            "n": int(counted["customers"].sum()),
            "actual": float(end["cumulative_actual"]),
            "expected": float(end["cumulative_expected"]),
        }
    ]
    statistic, freedom, p = chi_squared(counted, len(fitted.buying.names))
    n = int(counted["customers"].sum())
    rows.append({"check": "repeat_classes", "n": n, "actual": statistic, "expected": float(freedom), "p_value": p})
    if len(held):
        row = held.iloc[-1]
        n = int(row["customers"])
        bounds = {f"actual{end}": float(row[f"actual_mean{end}"]) * n for end in ("", "_low", "_high")}
        rows.append({"check": "holdout_purchases", "n": n, "expected": float(row["expected_mean"]) * n} | bounds)
    if spent is not None and fitted.spending is not None:
        r, low, high, p, n = correlation(spent, fitted.confidence)
        rows.append(
            {
                "check": "spend_correlation",
                "n": n,
                "actual": r,
                "actual_low": low,
                "actual_high": high,
                "expected": 0.0,
                "p_value": p,
            }
        )
        weight = spent["customers"].to_numpy(dtype=float)
        means = spent["spend"].to_numpy(dtype=float) / spent["valued"].to_numpy(dtype=float)
        sums = float(weight @ means), float(weight @ means**2)
        mean = clustered_mean(n, sums[0], n, sums[1], sums[0], n, fitted.confidence)
        bounds = dict(zip(("actual", "actual_low", "actual_high"), map(float, mean), strict=True))
        rows.append({"check": "mean_spend", "n": n, "expected": float(fitted.mean_spend()[0][0])} | bounds)
    columns = ["check", "n", "actual", "actual_low", "actual_high", "expected", "p_value"]
    return pd.DataFrame(rows).reindex(columns=columns)


def _named(name: str, triple: tuple[Floats, Floats, Floats]) -> dict[str, Floats]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), triple, strict=True))
