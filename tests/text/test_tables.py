"""Tables in plain text, for people who go on to write code."""

import pandas as pd
from hypothesis import given
from hypothesis.strategies import characters, lists, text

from journeykit.text import language, text_table
from journeykit.text.names import width

REACH = pd.DataFrame(
    {
        "channel": ["web", "shop"],
        "customers": [2, 1],
        "reach_rate": [1.0, 0.5],
        "reach_rate_low": [0.342, 0.095],
        "reach_rate_high": [1.0, 0.905],
    }
)

EXPECTED = """\
channel  customers  reach_rate
web              2      100.0%  [34.2%, 100.0%]
shop             1       50.0%   [9.5%, 90.5%]"""


def test_a_table_is_aligned_with_bounds_in_brackets():
    assert text_table(REACH) == EXPECTED


def test_a_table_in_text_is_the_same_in_every_language():
    with language("he"):
        assert text_table(REACH) == EXPECTED


def test_a_table_is_left_as_it_was():
    before = REACH.copy()
    text_table(REACH, max_rows=1)
    pd.testing.assert_frame_equal(REACH, before)


def test_rows_beyond_the_limit_are_counted():
    assert text_table(REACH[["customers"]], max_rows=1) == "customers\n        2\n… 1 more row"
    assert text_table(REACH[["customers"]], max_rows=0) == "customers\n… 2 more rows"


def test_an_empty_table_says_so():
    assert text_table(REACH.iloc[:0]) == "channel  customers  reach_rate\n(no rows)"
    assert text_table(pd.DataFrame()) == "(no rows)"


def test_a_named_index_leads_and_row_numbers_do_not():
    shown = text_table(REACH.set_index("channel")[["customers"]])
    assert shown.splitlines()[1] == "web              2"
    assert text_table(REACH.iloc[[1]]).splitlines()[0].startswith("channel")
    assert text_table(REACH.set_index(["channel", "customers"])).splitlines() == EXPECTED.splitlines()


def test_bounds_without_an_estimate_are_columns():
    assert (
        text_table(pd.DataFrame({"low": [1], "x_low": [2], "x_high": [3]})) == "low  x_low  x_high\n  1      2       3"
    )


def test_dates_periods_and_missing_cells_are_as_code_writes_them():
    table = pd.DataFrame(
        {
            "seen_at": [pd.Timestamp("2024-01-02", tz="Asia/Jerusalem"), pd.NaT],
            "cohort": pd.period_range("2024-01", periods=2, freq="M"),
            "wait_days": [1, 2.5],
            "spent_value": [None, 3],
        }
    )
    assert text_table(table) == (
        "seen_at     cohort   wait_days  spent_value\n"
        "2024-01-02  2024-01        1.0            –\n"
        "–           2024-02        2.5            3"
    )


def test_numbers_may_be_columns_names():
    assert text_table(pd.DataFrame({0: [1], 7: [2]})) == "0  7\n1  2"
    assert text_table(pd.DataFrame({("a", "b"): [1]})) == "a / b\n    1"
    assert text_table(pd.DataFrame([[1, 2]], columns=["a", "a"])) == "a  a\n1  2"


def test_an_estimate_without_interval_has_no_brackets():
    table = pd.DataFrame({"a_rate": [None, 0.5], "a_rate_low": [None, 0.25], "a_rate_high": [None, 0.75]})
    assert text_table(table.astype(float)) == "a_rate\n     –\n 50.0%  [25.0%, 75.0%]"


def test_hebrew_names_are_fenced_in():
    first, second = text_table(pd.DataFrame({"touchpoint": ["עגלה", "cart"], "customers": [5, 7]})).splitlines()[1:]
    assert first == "\u200eעגלה\u200e                5"
    assert second == "cart                7"


def test_wide_letters_take_two_columns():
    assert text_table(pd.DataFrame({"t": ["日本", "a"], "n": [1, 2]})) == "t     n\n日本  1\na     2"


@given(names=lists(text(characters()), min_size=1, max_size=5))
def test_any_names_leave_the_columns_aligned(names):
    shown = text_table(pd.DataFrame({"touchpoint": names, "customers": range(len(names))}))
    lines = shown.split("\n")
    assert len(lines) == len(names) + 1
    assert len({width(line) for line in lines}) == 1
    shown.encode("utf-8")
