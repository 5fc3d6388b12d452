import json

from journeykit.reports.history import append_history, read_history
from journeykit.reports.index import spark_points, write_index


def record(run, value=0.5, outcome="ok", **more):
    number = {"name": "reach_rate", "value": value, "low": 0.4, "high": 0.6, "n": 10, "unit": "rate", "segment": "",
              "definition": "reach/1"}  # fmt: skip
    return {
        "report": "visits",
        "run": run,
        "outcome": outcome,
        "reason": None if outcome == "ok" else "<img src=x onerror=alert(1)>",
        "started_at": f"2024-01-0{run}T01:02:03+00:00",
        "seconds": 1.0,
        "title": "Visits <script>",
        "headline": "Half <b> come",
        "period_line": None,
        "source": "<script>.csv",
        "numbers": [number] if outcome == "ok" else [],
        **more,
    }


def test_a_line_cut_short_by_a_full_disk_spoils_only_itself(tmp_path):
    append_history(tmp_path, record("1"))
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"report": "visits", "ru')
    append_history(tmp_path, record("2"))
    assert [each["run"] for each in read_history(tmp_path)] == ["1", "2"]
    assert json.loads((tmp_path / "history.jsonl").read_text().splitlines()[2])["run"] == "2"


def test_the_index_shows_all_runs_newest_first_and_failures_as_such(tmp_path):
    for run, value in (("1", 0.5), ("2", 0.25), ("3", 0.75)):
        append_history(tmp_path, record(run, value))
    append_history(tmp_path, record("4", outcome="failed"))
    (tmp_path / "visits" / "3").mkdir(parents=True)
    (tmp_path / "visits" / "3" / "report.html").write_text("x")
    html = write_index(tmp_path).read_text()
    assert "<script" not in html.replace("&lt;script", "")
    assert "<img" not in html
    assert "The last run failed; this is the newest good one." in html
    assert 'href="visits/3/report.html"' in html
    assert "visits/2" not in html  # its folder has gone
    assert html.index("2024-01-04") < html.index("2024-01-03") < html.index("2024-01-01")
    assert "75.0% [40.0%, 60.0%]" in html
    assert spark_points([0.5, 0.25, 0.75]) in html


def test_a_report_that_never_ended_well_says_so(tmp_path):
    append_history(tmp_path, record("1", outcome="failed"))
    assert "No run has ended well yet." in write_index(tmp_path).read_text()


def test_a_trend_needs_two_values_and_a_flat_one_lies_in_the_middle():
    assert spark_points([]) == spark_points([1.0]) == ""
    assert spark_points([2, 2], width=100, height=20) == "2.0,10.0 98.0,10.0"
