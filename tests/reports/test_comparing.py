"""Numbers beside those of the period before."""

import json

import jsonschema
import pandas as pd
import pytest

import journeykit as jk
from journeykit.reports import Report
from journeykit.reports.comparing import Before, find_before, period_before, stored_records
from journeykit.reports.metrics import metrics_schema
from journeykit.reports.sources import LogSource
from tests.helpers import make_log


@pytest.mark.parametrize(
    ("start", "end", "before"),
    [
        ("2024-03-01", "2024-04-01", "2024-02-01"),  # a month is a month, however long
        ("2024-01-01", "2024-04-01", "2023-10-01"),
        ("2024-01-01", "2025-01-01", "2023-01-01"),
        ("2024-03-04", "2024-03-11", "2024-02-26"),
        ("2024-03-01", "2024-03-15", "2024-02-16"),
    ],
)
def test_the_period_before_is_as_long(start, end, before):
    found = period_before(pd.Timestamp(start, tz="Europe/Berlin"), pd.Timestamp(end, tz="Europe/Berlin"))
    assert found == pd.Timestamp(before, tz="Europe/Berlin")  # also across the change to summer time


def test_a_log_that_begins_later_or_a_report_without_a_start_has_no_period_before():
    log = make_log([("a", "visit", 0), ("a", "visit", 80)], observed_until=91)
    end = pd.Timestamp("2024-04-01", tz="UTC")
    found = find_before(log, "2024-03-01", end)
    assert isinstance(found, Before)
    assert found.log.ends_at == pd.Timestamp("2024-03-01", tz="UTC")
    assert find_before(log, "2024-02-01", end) == "reports.before_too_short"
    assert find_before(log, None, end) == "reports.before_no_start"


def test_what_a_report_computes_has_a_twin_in_the_period_before(monkeypatch):
    shown = []
    monkeypatch.setattr("journeykit.reports.report.show_block", lambda block, **media: shown.append(block))
    rows = [(f"old{i}", "A", 0) for i in range(40)] + [(f"old{i}", "B", 2) for i in range(10)]
    rows += [(f"new{i}", "A", 32) for i in range(40)] + [(f"new{i}", "B", 33) for i in range(30)]
    log = make_log(rows, observed_until=60)  # January and February
    report = Report("Test", log=log, start="2024-02-01", end="2024-03-01", compare="previous")
    result = report.compute(jk.funnel, report.log, ["A", "B"], within="5d", between=report.between)
    report.show(result)
    assert shown[0]["comparison"]["start"].startswith("2024-01-01")
    (record,) = [
        record
        for block in shown
        if block["kind"] == "comparison"
        for record in block["records"]
        if record["name"] == "B.step_rate"
    ]
    assert (record["previous"], record["value"], record["difference"]) == (10 / 40, 30 / 40, 0.5)
    assert 0 < record["low"] < 0.5 < record["high"] < 1
    assert record["method"] == "disjoint customers"


def test_a_run_is_compared_in_metrics_json_and_on_its_page(run, tmp_path):
    notebook = "stage_funnel"
    asked = {"start": "2024-01-01", "end": "2024-05-01", "within": "30d"}
    result = run(notebook, source=LogSource("guitar_shop"), parameters=asked, compare="previous")
    assert result.ok, result.reason
    document = json.loads(result.metrics_path.read_text())
    jsonschema.validate(document, metrics_schema())
    found = document["comparison"]
    assert found["kind"] == "recomputed"
    assert found["start"].startswith("2023-09-01")
    rate = next(record for record in found["records"] if record["name"] == "purchase.step_rate")
    now = next(record for record in document["records"] if record["name"] == "purchase.step_rate")
    assert rate["value"] == now["value"]
    assert rate["difference"] == pytest.approx(rate["value"] - rate["previous"])
    assert rate["low"] < rate["difference"] < rate["high"]
    page = result.page.read_text()
    assert "compared with Sep 1, 2023 to Dec 31, 2023" in page
    assert "against the period before" in page


SHOW = """
from journeykit.reports.blocks import show_block
show_block({"kind": "metrics", "records": [{"name": "share_rate", "value": top / 10, "low": None, "high": None, "n": 9,
    "unit": "rate", "segment": "", "period": "", "definition": "share/1"}]})
"""


def test_a_notebook_of_ones_own_is_compared_with_its_last_run_plainly(write_notebook, run):
    notebook = write_notebook("top: int = 3", SHOW)
    first = run(notebook, compare="previous")
    none = json.loads(first.metrics_path.read_text())["comparison"]
    assert (none["kind"], none["records"]) == ("none", [])
    assert "nothing to compare with" in first.page.read_text()
    second = run(notebook, parameters={"top": 5}, compare="previous")
    document = json.loads(second.metrics_path.read_text())
    jsonschema.validate(document, metrics_schema())
    found = document["comparison"]
    assert (found["kind"], found["run"]) == ("stored", first.run)
    assert "does not compute the period before" in found["reason"]
    (record,) = found["records"]
    assert (record["previous"], record["value"], record["low"], record["p_value"]) == (0.3, 0.5, None, None)
    page = second.page.read_text()
    assert "+20.0 pp" in page
    assert "without interval" in page


def test_stored_numbers_of_another_definition_are_not_compared():
    record = {"name": "a_rate", "value": 0.5, "segment": "", "period": "", "definition": "a/1"}
    assert stored_records([record], [{**record, "definition": "a/2"}]) == []
    assert stored_records([record], [{**record, "value": None}]) == []
    other = [{**record, "period": "2024-01"}, {**record, "period": "2024-02"}]
    assert stored_records([{**record, "period": "2024-03"}], other) == []  # which of the two?
    assert len(stored_records([{**record, "period": "2024-03"}], other[:1])) == 1
