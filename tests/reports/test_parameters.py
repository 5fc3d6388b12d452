import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from journeykit.errors import ParameterError
from journeykit.reports.annotations import Kind, fit, read_annotation
from journeykit.reports.parameters import read_parameters, resolve_parameters
from journeykit.reports.refusal import NotebookError


def read(source, tags=("parameters",), more=()):
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source}
    return read_parameters({"cells": [cell, *more]})


def fitted(annotation, value, as_of=None, name="x"):
    import ast

    return fit(value, read_annotation(ast.parse(annotation, mode="eval").body, name), name, as_of)


def test_parameters_are_read_with_kind_default_and_help():
    known = read(
        "from typing import Literal\n"
        "from datetime import date\n"
        "log: str | None = None  # what to report on\n"
        'grain: Literal["week", "month"] = "month"\n'
        'start: "date | None" = None\n'
        "top = 5  # rows\n"
        "tags: list[str] = ['a']\n"
        "must: int  # no default\n"
    )
    assert {name: str(each.kind) for name, each in known.items()} == {
        "log": "str or None",
        "grain": "one of 'week', 'month'",
        "start": "date or None",
        "top": "int",
        "tags": "list of str",
        "must": "int",
    }
    assert known["log"].help == "what to report on"
    assert known["top"].default == 5
    assert known["must"].required
    assert not known["log"].required


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1 + y", "must be a literal"),
        ("import pandas as pd", "only assignments of literals"),
        ("x = 1\nx = 2", "assigned twice"),
        ("x: Foo = 1", "not one a report can check"),
        ("x: int = 'a'", "default does not fit"),
        ("x: int = None", "default does not fit"),
        ("%matplotlib inline", "cannot read the cell"),
        ("a, b = 1, 2", "only assignments of literals"),
        ("x = {'a': 1}", "not one a report can check"),
        ("api_key: str = ''", "looks like a secret"),
        ("db_password = ''", "looks like a secret"),
    ],
)
def test_a_parameters_cell_holds_literals_only(source, said):
    with pytest.raises(NotebookError, match=said):
        read(source)


def test_an_innocent_name_is_not_a_secret():
    assert list(read("tokens_per_visit = 3\npasswordless = True")) == ["tokens_per_visit", "passwordless"]


def test_a_notebook_without_the_tag_or_with_two_is_refused():
    with pytest.raises(NotebookError, match="no cell tagged"):
        read("x = 1", tags=())
    again = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "y = 1"}
    with pytest.raises(NotebookError, match="2 cells tagged"):
        read("x = 1", more=[again])


@pytest.mark.parametrize(
    ("annotation", "given", "expected"),
    [
        ("str", "00123", "00123"),
        ("str", Path("a/b"), "a/b"),
        ("int", "7", 7),
        ("int", np.int64(7), 7),
        ("float", "0.5", 0.5),
        ("float", np.float32(0.5), 0.5),
        ("float", 3, 3.0),
        ("bool", "true", True),
        ("bool", "no", False),
        ("bool", np.bool_(True), True),
        ("date", "2024-01-31", "2024-01-31"),
        ("date", dt.date(2024, 1, 31), "2024-01-31"),
        ("date", pd.Timestamp("2024-01-31"), "2024-01-31"),
        ("date", np.datetime64("2024-01-31"), "2024-01-31"),
        ("datetime", pd.Timestamp("2024-01-31 09:30", tz="UTC"), "2024-01-31T09:30:00+00:00"),
        ("date | None", "", None),
        ("date | None", pd.NaT, None),
        ("Literal['day', 7]", "7", 7),
        ("Optional[int]", None, None),
        ("list[int]", "1, 7,30", [1, 7, 30]),
        ("list[int]", np.array([1, 7]), [1, 7]),
        ("list[str]", '["a,b", "c"]', ["a,b", "c"]),
        ("list[date]", ["2024-01-01", dt.date(2024, 2, 1)], ["2024-01-01", "2024-02-01"]),
    ],
)
def test_values_are_made_to_fit_their_annotation(annotation, given, expected):
    value = fitted(annotation, given)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "given", "said"),
    [
        ("int", "abc", "must be int, got 'abc'"),
        ("int", True, "must be int"),
        ("int", 2.5, "must be int"),
        ("float", "nan", "must be float"),
        ("bool", "maybe", "must be bool"),
        ("bool", 2, "must be bool"),
        ("str", 5, "must be str, got 5"),
        ("str", None, "must be str, got None"),
        ("date", "31.1.2024", "must be a date such as"),
        ("date", pd.Timestamp("2024-01-31 09:30"), "must be a day"),
        ("date", "last-month", "say to which day"),
        ("Literal['week', 'month']", "weak", "did you mean 'week'"),
        ("list[int]", "1,x", "must be int, got 'x'"),
        ("list[int]", 5, "must be a list"),
    ],
)
def test_what_does_not_fit_is_refused_saying_what_would(annotation, given, said):
    with pytest.raises(ParameterError, match=said):
        fitted(annotation, given)


AS_OF = dt.date(2024, 3, 15)  # a Friday


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("last-month", "2024-02-01", "2024-03-01"),
        ("this-month", "2024-03-01", "2024-04-01"),
        ("last-week", "2024-03-04", "2024-03-11"),
        ("last-quarter", "2023-10-01", "2024-01-01"),
        ("last-year", "2023-01-01", "2024-01-01"),
        ("yesterday", "2024-03-14", "2024-03-15"),
        ("today", "2024-03-15", "2024-03-16"),
        ("-7d", "2024-03-08", "2024-03-08"),
        ("-2w", "2024-03-01", "2024-03-01"),
    ],
)
def test_relative_days_count_from_the_day_given(text, start, end):
    assert fitted("date", text, AS_OF, name="start") == start
    assert fitted("date", text, AS_OF, name="end") == end


def test_the_month_before_january_is_december():
    assert fitted("date", "last-month", dt.date(2024, 1, 31)) == "2023-12-01"
    assert fitted("date", "this-month", dt.date(2023, 12, 31), name="end") == "2024-01-01"


def test_a_relative_default_is_resolved_when_the_report_runs():
    known = read("start: 'date' = 'last-month'")
    assert resolve_parameters(known, {}, as_of=AS_OF) == {"start": "2024-02-01"}
    with pytest.raises(ParameterError, match="say to which day"):
        resolve_parameters(known, {})


def test_every_problem_is_named_at_once():
    known = read("within: str = '30d'\ntop: int = 5\nmust: int")
    with pytest.raises(ParameterError) as caught:
        resolve_parameters(known, {"whitin": "7d", "top": "many"})
    said = str(caught.value)
    assert "did you mean 'within'" in said
    assert "known: within, top, must" in said
    assert "top must be int, got 'many'" in said
    assert "must must be given: int" in said


def test_a_kind_says_what_it_is():
    assert str(Kind("literal", True, ("a", 1))) == "one of 'a', 1 or None"
