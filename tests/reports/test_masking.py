"""What a page shows of a result when small counts must not be known."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import journeykit as jk
from journeykit.reports.masking import Mask, whole_numbers
from tests.helpers import make_log

STEPS = ["A", "B", "C"]
MIN_N = 4


def small(values):
    """Which of the numbers are counts above zero and under the limit."""
    values = np.asarray(values, float)
    return values[(values > 0.5) & (values < MIN_N - 0.5)].tolist()


def grouped_log(seed):
    """A log of few customers in three groups, of sizes that leave small counts somewhere."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    rows = [
        (f"c{rng.integers(n)}", str(rng.choice([*STEPS, "D"], p=rng.dirichlet([2, 1, 1, 1]))), int(rng.integers(40)))
        for _ in range(n * 3)
    ]
    rows += [("c0", step, 50) for step in STEPS]
    return make_log([(*row, "xxyz"[int(row[0][1:]) % 4]) for row in rows], columns=["colour"], observed_until=60)


logs = st.integers(0, 10_000).map(grouped_log)


@given(log=logs)
@settings(max_examples=25)
def test_no_small_count_stands_in_a_funnel_or_between_two_of_its_steps(log):
    mask = Mask(MIN_N, log.n_customers)
    whole = mask.over(jk.funnel(log, STEPS, within="20d"))
    groups = mask.over(jk.funnel(log, STEPS, within="20d", by="colour"))
    for result in (whole, groups):
        for column in ("customers", "customers_mature", "dropped"):
            assert small(result.table[column]) == []
        assert small(result.summary["leak_customers"]) == []
        for _, rows in result.table.groupby(result.table.get("segment", pd.Series("", result.table.index))):
            steps = rows["customers_mature"].to_numpy(float)
            assert small(steps[:-1] - steps[1:]) == []
            given_away = rows["reach_rate"].to_numpy(float) * steps[0]
            assert small(given_away) == []
        for record in mask.records(result):
            if record["unit"] == "customers" and record["value"] is not None:
                assert small([record["value"]]) == []
            if record["unit"] == "share" and record["value"] is not None:
                assert small([record["value"] * record["n"], record["n"] * (1 - record["value"])]) == []
    for step, rows in groups.table.groupby("step", sort=False):  # what the groups say and what everybody's says
        total = whole.table.set_index("step").loc[step, "customers_mature"]
        missing = rows["customers_mature"].isna()
        if missing.any() and not np.isnan(total):
            assert missing.sum() > 1 or not small([total - rows["customers_mature"].sum()])


@given(log=logs)
@settings(max_examples=25)
def test_no_small_count_stands_in_a_triangle_or_its_margins(log):
    mask = Mask(MIN_N, log.n_customers)
    result = mask.over(jk.retention(log, period="week"))
    for frame in (result.table, result.summary):
        base, back = frame["base"].to_numpy(float), frame["back"].astype("Float64").to_numpy(float, na_value=np.nan)
        rate = frame["back_rate"].to_numpy(float)
        for counts in (base, back, base - back, rate * base, (1 - rate) * base):
            assert small(counts) == []
    finished = result.table[result.table["status"] == "finished"]
    for age, rows in finished.groupby("age"):
        total = float(result.summary.set_index("age")["back"].get(age, np.nan))
        missing = rows["back"].isna() & (rows["customers"] != 0)
        if missing.any() and not np.isnan(total):
            assert not small([total - rows["back"].astype(float).sum()])


def test_no_count_of_a_groups_cohorts_is_known_or_drawn():
    days = [(i, day) for i in range(30) for day in (i % 14, i % 14 + 7 * (i % 3))]
    rows = [(f"{kind}{i}", "A", day, kind) for kind in "xy" for i, day in days]
    rows += [("z1", "A", 0, "z"), ("z2", "A", 0, "z")]  # whose own size isn't known either
    log = make_log(rows, columns=["kind"], observed_until=60)
    result = Mask(MIN_N).over(jk.retention(log, period="week", by="kind"))
    assert result.table[["base", "back", "back_rate"]].isna().all(axis=None)
    assert result.summary["back_rate"].notna().any()
    assert len(result.figure().axes) == 1  # the curves, no triangle for each group


@given(log=logs)
@settings(max_examples=15)
def test_no_small_count_stands_among_active_customers(log):
    mask = Mask(MIN_N, log.n_customers)
    flow = mask.over(jk.lifecycle(log, period="week"))
    for column in ("active", "new", "returning", "resurrecting", "dormant", "base"):
        assert small(flow.table[column].astype("Float64").to_numpy(float, na_value=np.nan)) == []
    sticky = mask.over(jk.stickiness(log, period="week")).table
    for column in ("customers", "at_least"):
        assert small(sticky[column]) == []
    at_least = sticky["at_least"].to_numpy(float)
    assert small(at_least[:-1] - at_least[1:]) == []


@given(log=logs)
@settings(max_examples=15)
def test_words_and_alternative_text_say_no_small_count(log):
    mask = Mask(MIN_N, log.n_customers)
    result = mask.over(jk.funnel(log, STEPS, within="20d"))
    for words in (lambda each: each.describe(), lambda each: each.alt_text()):
        said = mask.words(result, words)
        assert not re.search(rf"\b[1-{MIN_N - 1}] customers?\b|\b1 customer\b", said), said


def rows_of(group, n, converted):
    made = [(f"{group}{i}", "A", 0, group) for i in range(n)]
    return made + [(f"{group}{i}", "B", 1, group) for i in range(converted)]


def test_everybody_and_the_groups_together_give_no_group_away():
    log = make_log(
        [*rows_of("x", 40, 20), *rows_of("y", 30, 15), *rows_of("z", 20, 2)], columns=["kind"], observed_until=60
    )
    mask = Mask(MIN_N, log.n_customers)
    whole = mask.over(jk.funnel(log, ["A", "B"], within="20d"))
    assert whole.table["customers"].tolist() == [90, 37]  # nothing small in it
    groups = mask.over(jk.funnel(log, ["A", "B"], within="20d", by="kind")).table.set_index(["segment", "step"])
    gone = groups["customers"].isna()
    assert gone[("z", "B")]
    assert gone.groupby("step").sum()["B"] == 2  # 37 less the others would be the small one
    assert np.isnan(groups.loc[("z", "B"), "reach_rate"])


def test_a_result_without_small_counts_is_shown_as_it_is():
    log = make_log([*rows_of("x", 40, 20), *rows_of("y", 30, 15)], columns=["kind"], observed_until=60)
    result = jk.funnel(log, ["A", "B"], within="20d")
    mask = Mask(MIN_N, log.n_customers)
    assert mask.over(result) is result
    assert mask.words(result, lambda each: each.describe()) == result.describe()
    assert Mask(0).over(jk.funnel(log, ["A", "B"], by="kind")) is not None


def test_one_rare_thing_does_not_hide_what_stands_in_the_way():
    # One customer met contacts where nobody is compared, three a slow page at the checkout: neither is said.
    found = jk.friction(jk.load_sample("guitar_shop"), within="90d")
    shown = Mask(5, found.log.n_customers).over(found)
    assert 0 < found.table["not_compared"].max() < 5
    assert shown.table["not_compared"].isna().tolist() == found.table["not_compared"].gt(0).tolist()
    pd.testing.assert_frame_equal(
        shown.table.drop(columns="not_compared"), found.table.drop(columns="not_compared"), check_dtype=False
    )
    few = found.by_step["customers"].between(1, 4)
    assert few.any()
    assert shown.by_step.loc[few, ["customers", "met_rate"]].isna().all(axis=None)
    for cause, rows in found.by_step[few].groupby("cause"):  # nor is one alone, which the cause's total would tell
        hidden = shown.by_step.loc[shown.by_step["cause"] == cause, "customers"].isna()
        assert hidden.sum() > 1 or shown.table.set_index("cause")["customers"].isna()[cause], len(rows)


@given(log=logs)
@settings(max_examples=25)
def test_no_small_count_stands_where_customers_are_held_up(log):
    found = jk.friction(log, STEPS, within="20d", causes={"D": jk.Step("D"), "again": (jk.Step("D"), 2)})
    shown = Mask(MIN_N, log.n_customers).over(found)
    steps = shown.steps
    for rate, n in (("moved_on_rate", "customers"), ("abandoned_rate", "customers")):
        assert small(steps[rate] * found.steps[n]) == []
    assert small(steps["customers"]) + small(steps["moved_on"]) + small(steps["abandoned"]) == []
    assert small(steps["customers"] - steps["moved_on"]) == []
    for column in ("customers", "converted", "exits", "watched"):
        assert small(shown.table[column]) == []
    assert small(shown.table["met_rate"] * found.table["base"]) == []
    assert small(shown.table["with_rate"] * found.table["customers"]) == []
    assert small(shown.by_step["customers"]) == []


def test_of_an_unknown_analysis_a_row_with_a_small_count_goes_and_never_alone():
    from dataclasses import dataclass

    from journeykit.results import Result
    from journeykit.results.base import metric_table

    @dataclass(frozen=True, eq=False, repr=False)
    class Visits(Result):
        topic = "reports"

        def metrics(self):
            records = self.table.rename(columns={"visit_rate": "value", "channel": "segment"}).to_dict("records")
            return metric_table(
                [{**each, "name": "visit_rate", "n": 50, "unit": "rate"} for each in records], "visits/1"
            )

    table = pd.DataFrame({"channel": ["a", "b", "c"], "customers": [2, 9, 20], "visit_rate": [0.2, 0.06, 0.4]})
    left = pd.DataFrame({"reason": ["x"], "customers": [3]})
    result = Visits(table, pd.DataFrame(), pd.DataFrame(), left, {"definition": "visits/1"})
    mask = Mask(5)
    shown = mask.over(result)
    assert shown.table["customers"].isna().tolist() == [True, True, False]
    assert shown.table["visit_rate"].isna().tolist() == [True, True, False]
    assert shown.left_out["customers"].isna().all()
    assert [record["value"] for record in mask.records(shown)] == [None, None, 0.4]
    few = mask.over(
        Visits(table.assign(customers=[20, 30, 40]), pd.DataFrame(), pd.DataFrame(), left.iloc[:0], result.params)
    )
    assert [record["value"] for record in mask.records(few)] == [0.2, None, 0.4]  # 3 of 50


def test_a_curve_ends_where_few_are_watched():
    rows = [(f"c{i}", "A", 0) for i in range(20)] + [(f"c{i}", "A", 10 * (i + 1)) for i in range(20)]
    log = make_log(rows, observed_until=400)
    result = Mask(MIN_N, 20).over(jk.survival_curve(log, churn=jk.Inactivity("30d")))
    assert small(result.table["at_risk"]) == []
    assert (result.risk["at_risk"] % MIN_N == 0).all()


def test_counts_with_gaps_look_like_counts():
    frame = whole_numbers(pd.DataFrame({"customers": [20.0, np.nan], "a_rate": [1.0, np.nan]}))
    assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "float64"]


@pytest.mark.parametrize("min_n", [0, 1])
def test_without_a_limit_nothing_is_hidden(min_n):
    log = make_log(rows_of("x", 3, 1), columns=["kind"], observed_until=60)
    result = jk.funnel(log, ["A", "B"], within="20d")
    assert Mask(min_n, 3).over(result) is result
    assert list(itertools.chain(result.table["customers"])) == [3, 1]
