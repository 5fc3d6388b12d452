"""The fast pass equals a slow loop written straight from the definition, and keeps the promises made about it."""

import math
from dataclasses import dataclass

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from journeykit.analyses.churn import Cancel, Inactivity, survival_curve, tenures
from journeykit.analyses.churn.question import REASONS
from journeykit.journey import Step
from tests.helpers import ORIGIN, event_rows, make_log, shuffle

ROWS = event_rows(touchpoints=("A", "B", "C", "D"), max_time=60)


@dataclass(frozen=True)
class Case:
    """Days that a log observes: the day of its begin, the first and the last whole one."""

    begins: int
    first: int
    last: int


def case_of(log, rows):
    day = (log.starts_at.tz_localize(None) - ORIGIN) / pd.Timedelta("1d")
    end = (log.ends_at.tz_localize(None) - ORIGIN) / pd.Timedelta("1d")
    return Case(math.floor(day), math.ceil(day), math.floor(end) - 1)


def first_crossing(active, d, last):
    """k* = first k with a_{k+1} − a_k > d (last gap infinite) and a_k + d ≤ τ."""
    for k, day in enumerate(active):
        following = active[k + 1] if k + 1 < len(active) else math.inf
        if following - day > d and day + d <= last:
            return day + d, True, following
    return last, False, None


def slow_inactivity(mine, case, d, start, activity, dated, washout, signed_up, late_entry):
    """One customer: (enters, duration, event, came back, wait), or the reason why not."""
    days = [(day, name) for day, name in mine if activity is None or name in activity]
    enters = 0
    if signed_up is not None:
        t0 = signed_up
        if t0 < case.first and not late_entry:
            return "started_before"
        if t0 < case.first:
            seen = [day for day, _ in days if day >= case.first]
            if not seen or min(seen) > case.first + d:
                return "not_seen_at_entry"
            enters = case.first + d - t0
            active = sorted({day for day in seen if day <= case.last})
        else:
            active = sorted({t0} | {day for day, _ in days if t0 < day <= case.last})
    else:
        starts = [day for day, name in mine if name in start] if start else [day for day, _ in days]
        if not starts:
            return "no_start" if start else "no_activity"
        t0 = min(starts)
        if washout is not None and mine[0][0] < case.begins + washout:
            return "in_washout"
        active = sorted({t0} | {day for day, _ in days if t0 < day <= case.last})
    if t0 > case.last:
        return "started_after"
    out, event, following = first_crossing(active, d, case.last)
    duration = out - t0
    if dated == "last_activity":
        enters, duration = max(enters - d, -1), duration - d
    if duration <= enters:
        return "no_time_at_risk"
    back = event and following < math.inf
    wait = (following if back else case.last) - out if event else None
    return enters, duration, event, back, wait


def compare(log, found, rows, slow, customers):
    """Every customer is in the table as the slow loop has it, or left out for its reason."""
    table = found.table.set_index("customer")
    left_out = dict.fromkeys(REASONS, 0)
    for customer in customers:
        mine = sorted((int(day // 1), name) for who, name, day in rows if who == customer)
        expected = slow(customer, mine)
        if isinstance(expected, str):
            left_out[f"churn.{expected}"] += 1
            assert customer not in table.index
            continue
        row = table.loc[customer]
        wait = None if pd.isna(row["comeback_days"]) else int(row["comeback_days"])
        assert (row["enters_days"], row["duration_days"], row["event"], row["came_back"], wait) == expected
    expected_out = {reason: n for reason, n in left_out.items() if n}
    assert dict(zip(found.left_out["reason"], found.left_out["customers"], strict=True)) == expected_out


@given(
    rows=ROWS,
    d=st.integers(1, 40),
    start=st.sampled_from([None, ("A",), ("B", "C")]),
    activity=st.sampled_from([None, ("A", "B"), ("D",)]),
    dated=st.sampled_from(["known", "last_activity"]),
    washout=st.sampled_from([None, 1, 7, 20]),
    until=st.sampled_from([None, 61, 61.5, 80]),
)
def test_inactivity_is_the_slow_loop_of_the_definition(rows, d, start, activity, dated, washout, until):
    log = make_log(rows, observed_until=until)
    options = {
        "start": Step(start) if start else None,
        "activity": Step(activity) if activity else None,
        "washout": f"{washout}d" if washout else None,
    }
    found = tenures(log, churn=Inactivity(f"{d}d"), dated=dated, **options)
    case = case_of(log, rows)
    compare(
        log,
        found,
        rows,
        lambda _, mine: slow_inactivity(mine, case, d, start, activity, dated, washout, None, False),
        set(log.customers),
    )


@given(
    rows=ROWS,
    d=st.integers(1, 30),
    dated=st.sampled_from(["known", "last_activity"]),
    late_entry=st.booleans(),
    signed_up=st.dictionaries(st.sampled_from("abcdefg"), st.integers(-40, 70), min_size=7),
    starts_on=st.integers(0, 20),
)
def test_sign_ups_and_late_entry_are_the_slow_loop_of_the_definition(rows, d, dated, late_entry, signed_up, starts_on):
    log = make_log(rows, observed_until=62).between(ORIGIN + pd.Timedelta(starts_on, "D"))
    if not log.n_customers:
        return
    dates = {who: ORIGIN + pd.Timedelta(day, "D") for who, day in signed_up.items()}
    found = tenures(log, churn=Inactivity(f"{d}d"), dated=dated, signed_up=dates, late_entry=late_entry)
    seen = [row for row in rows if row[2] >= starts_on]
    first = max(starts_on, min(row[2] for row in rows))
    case = Case(first, first, 61)

    def slow(customer, mine):
        return slow_inactivity(mine, case, d, None, None, dated, None, signed_up[customer], late_entry)

    compare(log, found, seen, slow, set("abcdefg"))


@given(rows=ROWS, until=st.sampled_from([None, 61, 75]))
def test_cancelling_is_the_slow_loop_of_the_definition(rows, until):
    """A starts, B cancels, C is another end; ties keep the stored order."""
    log = make_log(rows, observed_until=until)
    found = tenures(log, churn=Cancel(Step("B"), other={"other": Step("C")}, spells="first"), start=Step("A"))
    case = case_of(log, rows)

    def slow(customer, _):
        mine = sorted((row for row in rows if row[0] == customer), key=lambda row: row[2])  # stable, as stored
        begin = next((i for i, row in enumerate(mine) if row[1] == "A"), None)
        if begin is None:
            return "no_start"
        t0 = mine[begin][2]
        if t0 > case.last:
            return "started_after"
        later = [row for row in mine[begin + 1 :] if row[2] <= case.last]
        stop = next((i for i, row in enumerate(later) if row[1] in "BC"), None)
        if stop is None:
            return -1, case.last - t0, False, False, None
        again = next((row[2] for row in later[stop + 1 :] if row[1] == "A"), None)
        out = later[stop][2]
        return -1, out - t0, True, again is not None, (case.last if again is None else again) - out

    compare(log, found, rows, slow, set(log.customers))


@given(rows=ROWS, d=st.integers(1, 25), cut=st.integers(1, 60), dated=st.sampled_from(["known", "last_activity"]))
def test_cutting_the_log_at_any_day_changes_nothing_decided_before(rows, d, cut, dated):
    log = make_log(rows, observed_until=90)
    if cut <= min(row[2] for row in rows):
        return
    options = {"churn": Inactivity(f"{d}d"), "dated": dated}
    whole = tenures(log, **options).table.set_index("customer")
    early = tenures(log.between(None, ORIGIN + pd.Timedelta(cut, "D")), **options).table.set_index("customer")
    last = ORIGIN + pd.Timedelta(cut - 1, "D")
    shift = d if dated == "last_activity" else 0
    known_on = whole["started_at"] + pd.to_timedelta(whole["duration_days"] + shift, unit="D")
    decided = whole.index[whole["event"] & (known_on <= last)]
    assert set(early.index[early["event"]]) == set(decided)
    columns = ["started_at", "enters_days", "duration_days", "event"]
    pd.testing.assert_frame_equal(early.loc[decided, columns], whole.loc[decided, columns])
    watched = early[~early["event"]]
    assert (watched["started_at"] + pd.to_timedelta(watched["duration_days"] + shift, unit="D") == last).all()


@given(rows=ROWS, shift=st.integers(1, 4000), seed=st.integers(0, 99))
def test_shifting_all_times_by_days_and_shuffling_rows_change_nothing(rows, shift, seed):
    plain = make_log(rows, observed_until=90)
    moved = make_log([(who, name, day + shift) for who, name, day in shuffle(rows, seed)], observed_until=90 + shift)
    first, second = (tenures(log, churn=Inactivity("12d")) for log in (plain, moved))
    pd.testing.assert_frame_equal(first.table.drop(columns="started_at"), second.table.drop(columns="started_at"))
    assert (second.table["started_at"] - first.table["started_at"] == pd.Timedelta(shift, "D")).all()


OPTIONS = st.fixed_dictionaries(
    {
        "churn": st.sampled_from([Inactivity("5d"), Inactivity("12d")]),
        "by": st.sampled_from([None, "channel"]),
        "dated": st.sampled_from(["known", "last_activity"]),
        "washout": st.sampled_from([None, "3d"]),
    }
)
CANCEL = {"churn": Cancel("A", other=["B"]), "start": "C", "by": "channel"}


@settings(max_examples=12)
@given(rows=ROWS, options=OPTIONS | st.just(CANCEL))
def test_in_one_piece_is_in_seven_buckets(rows, options):
    always = [("z", name, day) for day, name in enumerate("CACBACCDA", start=20)]  # each name occurs, somebody is kept
    channels = [*"xy", None]
    rows = [(*row, channels[i % 3]) for i, row in enumerate(rows + always)]
    log = make_log(rows, columns=["channel"], channel="channel", observed_until=90)
    buckets = log.in_buckets(7)
    listed, merged = tenures(log, **options), tenures(buckets, **options)
    pd.testing.assert_frame_equal(listed.table, merged.table)
    pd.testing.assert_frame_equal(listed.left_out, merged.left_out)
    if listed.table.empty:
        return
    curve, counted = survival_curve(log, **options), survival_curve(buckets, **options)
    listed_curve = survival_curve(listed)
    for name in ("table", "summary", "comparison", "left_out", "incidence", "comeback", "sensitivity", "overall_test"):
        pd.testing.assert_frame_equal(getattr(curve, name), getattr(counted, name))
        pd.testing.assert_frame_equal(getattr(curve, name), getattr(listed_curve, name))
    assert curve.params == counted.params == listed_curve.params | {"definition": curve.params["definition"]}
