"""Influence of rows on incidence: known variances, derivatives, customers with several clocks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.influence import (
    cluster_changes,
    clustered_curve_se,
    incidence_influence,
    independent_variance,
)
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import kaplan_meier, restricted_mean


def some_rows(seed: int, n: int = 60) -> pd.DataFrame:
    """Rows of 20 customers with many equal times, ending in two ways or not yet."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer": rng.integers(0, 20, n),
            "time": rng.integers(0, 12, n),
            "end": rng.choice(["", "paid", "gone"], n, p=[0.3, 0.5, 0.2]),
        }
    )


def table_of(rows: pd.DataFrame, weight: np.ndarray | None = None) -> pd.DataFrame:
    return risk_table(rows["time"], rows["end"], enters=-1, weight=weight)


def ways(rows: pd.DataFrame) -> np.ndarray:
    return rows["end"].map({"": 0, "paid": 1, "gone": 2}).to_numpy()


@pytest.mark.parametrize("seed", range(5))
def test_independent_rows_have_the_variance_of_aalen_johansen(seed):
    rows = some_rows(seed)
    table = table_of(rows)
    curve = aalen_johansen(table)
    paid = curve[curve["end"] == "paid"]
    influence = incidence_influence(table, "events_paid")
    assert influence.incidence == pytest.approx(paid["incidence"].to_numpy())
    found = [np.sqrt(independent_variance(table, "events_paid", influence.at(t))) for t in paid["time"]]
    assert found == pytest.approx(paid["incidence_se"].to_numpy())


def test_with_one_end_it_is_greenwood_and_the_area_is_the_restricted_mean():
    rows = some_rows(3)
    table = risk_table(rows["time"], rows["end"] == "paid", enters=-1)
    curve, influence = kaplan_meier(table), incidence_influence(table)
    found = [np.sqrt(independent_variance(table, "events", influence.at(t))) for t in curve["time"]]
    assert found == pytest.approx(curve["survival_se"].to_numpy())
    mean = restricted_mean(table, 9)["mean_se"].item()
    assert np.sqrt(independent_variance(table, "events", influence.area(9))) == pytest.approx(mean)


@pytest.mark.parametrize("time", [2, 5, 7.5, 11])
def test_influence_is_the_derivative_by_a_rows_weight(time):
    rows, small = some_rows(1), 1e-6
    influence = incidence_influence(table_of(rows), "events_paid")
    claimed = influence.at(time)[ways(rows), influence.places(rows["time"])]
    area = influence.area(time)[ways(rows), influence.places(rows["time"])]

    def values(weight: np.ndarray) -> tuple[float, float]:
        curve = aalen_johansen(table_of(rows, weight))
        paid = curve[curve["end"] == "paid"]
        at, f = paid["time"].to_numpy(), paid["incidence"].to_numpy()
        edges = np.append(np.clip(at, 0, time), time)
        return f[np.searchsorted(at, time, side="right") - 1], (f * np.diff(edges)).sum()

    for row in range(0, len(rows), 7):
        more, less = (np.ones(len(rows)) + step * (np.arange(len(rows)) == row) for step in (small, -small))
        slope = (np.array(values(more)) - np.array(values(less))) / (2 * small)
        assert [claimed[row], area[row]] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_customers_rows_are_summed_before_they_are_squared(seed):
    rows = some_rows(seed)
    table = table_of(rows)
    influence = incidence_influence(table, "events_paid")
    place = influence.places(rows["time"])
    se, running = clustered_curve_se(cluster_changes(rows["customer"], place, ways(rows), influence), influence)
    n = rows["customer"].nunique()
    for j, time in enumerate(influence.time):
        own = pd.Series(influence.at(time)[ways(rows), place]).groupby(rows["customer"]).sum()
        assert se[j] ** 2 == pytest.approx((own**2).sum() * n / (n - 1))
        if j:
            assert running[j] == rows.loc[rows["time"] >= time, "customer"].nunique()


def test_changes_add_up_over_sets_of_whole_customers():
    rows = some_rows(8)
    influence = incidence_influence(table_of(rows), "events_paid")
    parts = [rows[rows["customer"] % 3 == k] for k in range(3)]
    changes = [
        cluster_changes(part["customer"], influence.places(part["time"]), ways(part), influence) for part in parts
    ]
    together = pd.concat(changes).groupby(level=0).sum()
    whole = cluster_changes(rows["customer"], influence.places(rows["time"]), ways(rows), influence)
    assert clustered_curve_se(together, influence)[0] == pytest.approx(clustered_curve_se(whole, influence)[0])
