"""Hazards against a printed table, chi-squared quantiles, and hazards known in advance."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, floats, integers, lists, tuples

from journeykit.errors import ParameterError
from journeykit.estimators.hazards import boundary_kernel, nelson_aalen, period_hazard, smoothed_hazard
from journeykit.estimators.risk import risk_table

tenures = lists(tuples(integers(0, 8), integers(1, 12), booleans()), min_size=1, max_size=30)


def columns(rows):
    enters, lasts, event = (np.array(column) for column in zip(*rows, strict=True))
    return enters, enters + lasts, event


def test_the_cumulative_hazard_of_remissions_is_the_printed_one():
    # Freireich et al. (1963), 6-MP arm; Klein & Moeschberger (2003), table 4.2.
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    curve = nelson_aalen(risk_table(weeks, relapsed))
    at_relapse = curve[curve["events"] > 0]
    hazard = [0.1428, 0.2017, 0.2683, 0.3517, 0.4426, 0.5854, 0.7521]
    assert at_relapse["cumulative_hazard"].tolist() == pytest.approx(hazard, abs=1.1e-4)  # printed, some cut off
    variance = [0.0068, 0.0103, 0.0147, 0.0217, 0.0299, 0.0503, 0.0781]
    assert (at_relapse["cumulative_hazard_se"] ** 2).tolist() == pytest.approx(variance, abs=1.1e-4)


@given(tenures)
def test_the_cumulative_hazard_is_its_definition(rows):
    enters, duration, event = columns(rows)
    curve = nelson_aalen(risk_table(duration, event, enters=enters))
    for row in curve.to_dict("records"):
        total, variance = 0.0, 0.0
        for time in sorted(set(duration[event & (duration <= row["time"])])):
            n, d = sum((enters < time) & (time <= duration)), sum((duration == time) & event)
            total, variance = total + d / n, variance + d / n**2
        assert row["cumulative_hazard"] == pytest.approx(total)
        assert row["cumulative_hazard_se"] == pytest.approx(np.sqrt(variance))
        if total:
            factor = np.exp(1.959963984540054 * np.sqrt(variance) / total)
            bounds = row["cumulative_hazard_low"], row["cumulative_hazard_high"]
            assert bounds == pytest.approx((total / factor, total * factor))


@given(tenures, lists(integers(-2, 25), min_size=2, max_size=6, unique=True))
def test_time_at_risk_is_counted_person_by_person(rows, edges):
    enters, duration, event = columns(rows)
    edges = sorted(edges)
    table = period_hazard(risk_table(duration, event, enters=enters), edges)
    for row, start, stop in zip(table.to_dict("records"), edges[:-1], edges[1:], strict=True):
        spent = np.maximum(np.minimum(duration, stop) - np.maximum(enters, start), 0).sum()
        events = (event & (start < duration) & (duration <= stop)).sum()
        assert (row["period_start"], row["period_end"]) == (start, stop)
        assert (row["person_time"], row["events"]) == (spent, events)
        assert row["hazard"] == pytest.approx(events / spent if spent else np.nan, nan_ok=True)


def test_a_rate_has_the_exact_poisson_interval():
    from scipy.stats import chi2

    row = period_hazard(risk_table([1, 2, 2, 5], [1, 1, 1, 0]), [0, 5], confidence=0.9).iloc[0]
    assert row["person_time"] == 10
    assert row["hazard_low"] == pytest.approx(chi2.ppf(0.05, 6) / 2 / 10)
    assert row["hazard_high"] == pytest.approx(chi2.ppf(0.95, 8) / 2 / 10)
    none = period_hazard(risk_table([4, 4], [0, 0]), [0, 4]).iloc[0]
    assert (none["hazard"], none["hazard_low"]) == (0, 0)
    assert none["hazard_high"] == pytest.approx(-np.log(0.025) / 8)


def test_edges_must_rise():
    with pytest.raises(ParameterError, match="rising"):
        period_hazard(risk_table([1], [1]), [0, 5, 5])


@given(floats(0, 1))
def test_the_kernel_has_area_1_and_no_lean_however_much_of_it_is_cut_off(q):
    x = np.linspace(-1, q, 4001)
    weights = boundary_kernel(x, np.full_like(x, q))
    assert np.trapezoid(weights, x) == pytest.approx(1, abs=1e-5)
    assert np.trapezoid(weights * x, x) == pytest.approx(0, abs=1e-5)


def test_inside_the_follow_up_it_is_the_plain_kernel():
    x = np.linspace(-1.5, 1.5, 31)
    plain = np.where(np.abs(x) <= 1, 0.75 * (1 - x**2), 0)
    assert boundary_kernel(x, np.ones_like(x)).tolist() == pytest.approx(plain.tolist())


def test_a_smoothed_hazard_finds_a_rising_one_up_to_its_edges():
    # 200,000 customers whose daily risk rises from 0.2% to 2%: the hazard of each day is known.
    rng = np.random.default_rng(2)
    daily = np.linspace(0.002, 0.02, 100)
    at_risk, events = 200_000, []
    for risk in daily:
        events.append(rng.binomial(at_risk, risk))
        at_risk -= events[-1]
    table = risk_table([*range(1, 101), 100], [*[1] * 100, 0], weight=np.array([*events, at_risk]))
    found = smoothed_hazard(table, bandwidth=15, times=[1, 10, 50, 90, 100]).set_index("time")["hazard"]
    known = pd.Series(daily, index=range(1, 101))[found.index]
    assert found.tolist() == pytest.approx(known.tolist(), rel=0.12)
    assert found[[10, 50, 90]].tolist() == pytest.approx(known[[10, 50, 90]].tolist(), rel=0.04)


def test_where_nobody_was_watched_there_is_no_hazard():
    table = risk_table([5, 6, 7, 8], [1, 1, 1, 0])
    assert smoothed_hazard(table, bandwidth=2, times=[-1, 9])["hazard"].isna().all()
    with pytest.raises(ParameterError, match="bandwidth"):
        smoothed_hazard(table, bandwidth=0)
    assert smoothed_hazard(table)["time"].tolist() == pytest.approx(np.linspace(0, 8, 101).tolist())
