"""Who a customer is stays with those who have the key."""

import hashlib
import hmac
import re

import pandas as pd
import pytest

from journeykit.errors import ParameterError
from journeykit.reports import Report
from journeykit.reports.pseudonyms import KEY, pseudonyms
from tests.helpers import make_log

ONE, OTHER = "the first long key", "the second long key"


def test_a_name_is_the_same_under_one_key_and_another_under_another():
    names = pseudonyms(["ann", "bob", "ann"], ONE)
    assert names[0] == names[2] != names[1]
    assert pseudonyms(["bob"], ONE) == names[1:2]
    assert not set(pseudonyms(["ann", "bob"], OTHER)) & set(names)
    assert names[0] == "c-" + hmac.new(ONE.encode(), b"ann", hashlib.sha256).hexdigest()[:12]


def test_without_a_key_there_are_no_names(monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(ParameterError, match=KEY):
        pseudonyms(["ann"])
    with pytest.raises(ParameterError, match="at least 16 characters"):
        pseudonyms(["ann"], "short")


def test_a_run_that_will_need_a_key_is_refused_before_a_kernel_starts(write_notebook, run, monkeypatch, tmp_path):
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(ParameterError, match=KEY):
        run(write_notebook("customers = 'no'"), parameters={"customers": "pseudonyms"})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("names", "seen"), [("no", []), ("pseudonyms", pseudonyms(["ann"], ONE)), ("ids", ["ann"])])
def test_a_table_of_customers_names_nobody_unless_asked(monkeypatch, names, seen):
    monkeypatch.setenv(KEY, ONE)
    shown = []
    monkeypatch.setattr("journeykit.reports.report.show_block", lambda block, **media: shown.append((block, media)))
    report = Report("Test", log=make_log([("ann", "visit", 0)], observed_until=9), customers=names)
    for frame in (
        pd.DataFrame({"customer": ["ann"], "days": [3]}),
        pd.DataFrame({"days": [3]}, index=pd.Index(["ann"], name="customer")),
    ):
        report.table(frame, caption="Who")
        text = str(shown[-1])
        assert re.findall(r"ann\b|c-[0-9a-f]{12}", text)[:1] == seen
