"""Copies of customers, shifts of time: what must not change, and what must, under each rule."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.analyses.churn import Cancel, Contract, Inactivity, Tenures, survival_curve, tenures
from tests.helpers import ORIGIN, make_log

RULES = {
    "inactivity": {"churn": Inactivity("12d")},
    "last_activity": {"churn": Inactivity("12d"), "dated": "last_activity"},
    "cancel": {"churn": Cancel("leave", other={"moved": "move"}), "start": "join"},
    "contract": {"churn": Contract(period="30d", renewal="pay", grace="9d"), "start": "join"},
}


def some_rows(seed, n=150):
    """Customers who join, pay, leave and come back, at random."""
    rng = np.random.default_rng(seed)
    names = np.array(["join", "pay", "pay", "pay", "leave", "move"])
    rows = []
    for i in range(n):
        days = np.sort(rng.integers(0, 120, rng.integers(1, 9)))
        events = ["join", *names[rng.integers(0, len(names), len(days) - 1)]]
        rows += [(f"c{i:03}", name, int(day)) for name, day in zip(events, days, strict=True)]
    return rows


@pytest.mark.parametrize("rule", RULES)
def test_copies_of_every_customer_leave_the_curve_and_narrow_its_interval(rule):
    rows = some_rows(1)
    copies = [(f"{who}-{k}", name, day) for who, name, day in rows for k in range(4)]
    one, four = (survival_curve(make_log(each, observed_until=120), **RULES[rule]) for each in (rows, copies))
    assert four.table["at_risk"].tolist() == (4 * one.table["at_risk"]).tolist()
    np.testing.assert_allclose(four.table["survival"], one.table["survival"])
    inside = (one.table["survival"] < 0.95) & (one.table["survival"] > 0.15)
    widths = [(each.table["survival_high"] - each.table["survival_low"])[inside] for each in (one, four)]
    assert (widths[0] / widths[1]).tolist() == pytest.approx([2.0] * int(inside.sum()), rel=0.15)
    assert inside.any()


def test_copies_under_one_name_are_no_new_customers():
    """Spells of one customer, four times the same: the interval is nearly that of one."""
    rows = some_rows(2)
    one = tenures(make_log(rows, observed_until=120), **RULES["cancel"])
    rows_of = one.table

    def curve(copies, cluster):
        table = pd.concat([rows_of] * copies, ignore_index=True)
        spell = np.repeat(np.arange(copies), len(rows_of)) * 100 + table["spell"]
        ids = table["customer"] if cluster else table["customer"] + "-" + (spell // 100).astype(str)
        made = Tenures.from_durations(
            table["duration_days"], table["event"], table["enters_days"], customers=ids, spells=spell
        )
        found = survival_curve(made, horizon=60).at(60).iloc[0]
        return found["survival_high"] - found["survival_low"]

    assert curve(4, cluster=True) == pytest.approx(curve(1, cluster=True), rel=0.05)
    assert curve(4, cluster=False) < 0.6 * curve(1, cluster=True)


@settings(max_examples=10)
@given(seed=st.integers(0, 99), shift=st.integers(1, 3000), rule=st.sampled_from(sorted(RULES)))
def test_shifting_all_times_by_days_changes_nothing(seed, shift, rule):
    rows = some_rows(seed, n=12)
    rows += [("z", name, day) for day, name in enumerate(["join", "pay", "leave", "join", "move"])]
    moved = [(who, name, day + shift) for who, name, day in rows]
    first, second = (
        tenures(make_log(each, observed_until=until), **RULES[rule])
        for each, until in ((rows, 120), (moved, 120 + shift))
    )
    pd.testing.assert_frame_equal(first.table.drop(columns="started_at"), second.table.drop(columns="started_at"))
    assert (second.table["started_at"] - first.table["started_at"] == pd.Timedelta(shift, "D")).all()
    assert (first.table["started_at"] >= ORIGIN).all()
