"""Who starts again has another spell, with a clock of its own; intervals and tests take such spells together."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.analyses.churn import Cancel, survival_curve, tenures
from journeykit.journey import Step
from tests.helpers import ORIGIN, event_rows, make_log

ROWS = event_rows(touchpoints=("A", "B", "C", "D"), max_time=60)
COLUMNS = ["customer", "spell", "enters_days", "duration_days", "event"]


def slow_spells(mine, last, again):
    """Every spell of a customer: (first day, last day, end, day of coming back), by one walk along the events."""
    spells, running = [], False
    for touchpoint, day in mine:
        if day > last:
            break
        if running and touchpoint in "BC":
            spells[-1][1:3] = [day, touchpoint]
            running = False
        elif not running and touchpoint == ("A" if not spells else again):
            if spells:
                spells[-1][3] = day
            spells.append([day, last, None, None])
            running = True
    return spells


@given(rows=ROWS, until=st.sampled_from([61, 61.5, 75]), again=st.sampled_from("AD"))
def test_spells_are_those_of_a_slow_walk_along_the_events(rows, until, again):
    log = make_log(rows, observed_until=until)
    churn = Cancel(Step("B"), other={"moved": Step("C")}, again=None if again == "A" else Step("D"))
    found = tenures(log, churn=churn, start=Step("A"))
    last = int(until) - 1
    expected, out = [], 0
    for customer in sorted({row[0] for row in rows}):
        mine = [(name, day) for who, name, day in sorted(rows, key=lambda row: row[2]) if who == customer]
        spells = slow_spells(mine, last, again)
        for number, (begin, end, how, back) in enumerate(spells, start=1):
            ended = how is not None
            expected.append(
                (customer, number, ORIGIN + pd.Timedelta(begin, "D"), end - begin, {"B": "B", "C": "moved"}.get(how),
                 back is not None, (last if back is None else back) - end if ended else None)
            )  # fmt: skip
        out += not spells
    table = found.table
    columns = ["customer", "spell", "started_at", "duration_days", "end", "came_back", "comeback_days"]
    got = [tuple(None if pd.isna(cell) else cell for cell in row) for row in table[columns].itertuples(index=False)]
    assert got == expected
    assert int(found.left_out["customers"].sum()) == out


@settings(max_examples=20)
@given(rows=ROWS, cut=st.integers(1, 60))
def test_cutting_the_log_changes_no_spell_that_was_over(rows, cut):
    if cut <= min(row[2] for row in rows):
        return
    log = make_log(rows, observed_until=90)
    options = {"churn": Cancel(Step("B"), other={"moved": Step("C")}), "start": Step("A")}
    whole = tenures(log, **options).table
    early = tenures(log.between(None, ORIGIN + pd.Timedelta(cut, "D")), **options).table
    last = ORIGIN + pd.Timedelta(cut - 1, "D")
    over = whole["event"] & (whole["started_at"] + pd.to_timedelta(whole["duration_days"], unit="D") <= last)
    columns = [*COLUMNS, "started_at"]
    pd.testing.assert_frame_equal(
        early.loc[early["event"], columns].reset_index(drop=True), whole.loc[over, columns].reset_index(drop=True)
    )
    begun = whole[whole["started_at"] <= last]
    assert early[["customer", "spell"]].values.tolist() == begun[["customer", "spell"]].values.tolist()


@settings(max_examples=12)
@given(rows=ROWS)
def test_spells_in_seven_buckets_are_those_of_one_piece(rows):
    rows = [*rows, *(("z", name, day) for day, name in enumerate("ABACA", start=20))]
    log = make_log([(*row, "xy"[i % 2]) for i, row in enumerate(rows)], columns=["p"], observed_until=90)
    options = {"churn": Cancel("B", other=["C"]), "start": "A", "by": "p", "covariates": ["p"],
               "changing": {"n": "D", "q": "p"} if "D" in {row[1] for row in rows} else {"q": "p"}}  # fmt: skip
    one, seven = tenures(log, **options), tenures(log.in_buckets(7), **options)
    pd.testing.assert_frame_equal(one.table, seven.table)
    pd.testing.assert_frame_equal(one.summary, seven.summary)
    pd.testing.assert_frame_equal(one.left_out, seven.left_out)


def test_with_sign_up_dates_coming_back_needs_an_event():
    rows = [("a", "visit", 0), ("a", "cancel", 9), ("a", "rejoin", 30), ("a", "cancel", 40)]
    log = make_log(rows, observed_until=61)
    dates = {"a": ORIGIN}
    alone = tenures(log, churn=Cancel("cancel"), signed_up=dates).table
    assert alone[COLUMNS].values.tolist() == [["a", 1, -1, 9, True]]
    assert "came_back" not in alone  # nothing tells who comes back, so nothing is said of it
    again = tenures(log, churn=Cancel("cancel", again="rejoin"), signed_up=dates).table
    assert again[COLUMNS].values.tolist() == [["a", 1, -1, 9, True], ["a", 2, -1, 10, True]]
    assert again["comeback_days"].tolist() == [21, 20]


def test_the_summary_counts_customers_and_spells():
    rows = [("a", "join", 0), ("a", "leave", 5), ("a", "join", 9), ("b", "join", 2)]
    found = tenures(make_log(rows, observed_until=20), churn=Cancel("leave"), start="join")
    assert found.summary[["customers", "spells", "events", "censored"]].values.tolist() == [[2, 3, 1, 2]]


def test_spells_must_be_every_or_first():
    with pytest.raises(ValueError, match="spells must be one of"):
        Cancel("leave", spells="all")


def test_a_comparison_takes_the_spells_of_one_customer_together_as_the_summary_does():
    rows = [(f"c{i}", what, 40 * k + (i if what == "stop" else 0))
            for i in range(1, 31) for k in range(4) for what in ("join", "stop")]  # fmt: skip
    curve = survival_curve(make_log(rows, observed_until=200), churn=Cancel("stop"), start="join", horizon=20)
    mean = curve.comparable(curve).rows.set_index("measure").loc["mean_days"]
    expected = curve.summary[["mean_days", "mean_days_low", "mean_days_high"]].iloc[0].tolist()
    assert mean[["estimate", "low", "high"]].tolist() == pytest.approx(expected)
