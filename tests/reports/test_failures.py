"""Every way in which a run is known to go wrong: the last good page stays, and the reason can be read."""

import json
import os

import pandas as pd
import pytest
from click.testing import CliRunner

from journeykit.cli import main
from journeykit.reports.history import read_history
from journeykit.reports.sources import LogSource

KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def command(tmp_path):
    def run(*arguments):
        done = CliRunner().invoke(main, [*map(str, arguments), "--out", str(tmp_path / "out")])
        return done.exit_code, done.stderr

    return run


def everything(folder):
    """All files of a folder with their content: what a later failure must not touch."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("cell", "options", "reason"),
    [
        (KILLED, [], "the kernel died in code cell"),
        ("import sys; sys.exit(0)", [], "raised SystemExit: 0"),
        ("1 / 0", [], "ZeroDivisionError"),
        ("import time; time.sleep(60)", ["--deadline", "3"], "was stopped: it took longer than"),
        ("import os; os._exit(0)", [], "the kernel died in code cell"),
        ("from IPython.display import display; display({'image/png': 'AAAA'}, raw=True)", [], "without alt"),
    ],
)
def test_a_run_that_goes_wrong_looks_failed_and_the_last_good_one_stays(
    write_notebook, command, tmp_path, cell, options, reason
):
    assert command("report", "run", write_notebook("x = 1", "print('good')"))[0] == 0
    base = tmp_path / "out" / "small"
    good = os.readlink(base / "latest")
    before = everything(base / good)
    code, said = command("report", "run", write_notebook("x = 1", cell, "y = 2"), *options)
    assert code == 1
    assert reason in said
    assert "Traceback" not in said
    assert os.readlink(base / "latest") == good
    assert everything(base / good) == before
    (failed,) = base.glob("*.failed")
    assert {"run.json", "run.log"} <= {path.name for path in failed.iterdir()} <= {"run.json", "run.log", "run.ipynb"}
    assert reason in json.loads((failed / "run.json").read_text())["reason"]
    assert [row["outcome"] for row in read_history(tmp_path / "out")] == ["ok", "failed"]
    assert reason.split("'")[0] in (tmp_path / "out" / "index.html").read_text()
    assert not list(base.glob("*.partial"))


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--param", "topp=3"], 2, "did you mean 'top'"),
        (["--param", "top=many"], 2, "top must be int"),
        (["--log", "corrupt.parquet"], 4, "corrupt.parquet"),
        (["--log", "nowhere.csv"], 2, "there is no file"),
        (["--log", "events.csv", "--start", "2031-01-01"], 4, "the log runs from"),
        (["--log", "events.csv", "--param", "segment=channel"], 2, "segment must be column=value"),
        (["--log", "events.csv", "--param", "segment=channel=fax"], 4, "nobody's first channel is 'fax'"),
        (["--log", "events.csv", "--param", "timezone=Mars"], 2, "timezone must be a zone"),
        (["--log", "log.toml"], 2, "did you mean 'customer'"),
    ],
)
def test_what_can_be_known_before_is_refused_before_anything_starts(
    write_notebook, command, tmp_path, monkeypatch, arguments, code, reason
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corrupt.parquet").write_bytes(b"PAR1 this is none PAR1")
    (tmp_path / "events.csv").write_text("customer,time,touchpoint,channel\nann,2024-01-01,visit,web\n")
    (tmp_path / "log.toml").write_text("log = 'events.csv'\ncustomr = 'customer'\n")
    parameters = "log: str | None = None\nstart: 'date | None' = None\ntop: int = 1\n"
    notebook = write_notebook(parameters + "segment: str | None = None\ntimezone: str | None = None")
    found, said = command("report", "run", notebook, *arguments)
    assert found == code, said
    assert reason in said
    assert not (tmp_path / "out").exists()


def test_a_file_says_how_a_log_is_read(write_notebook, run, tmp_path):
    rows = pd.DataFrame({"who": ["ann"], "at": ["2024-01-01 23:30"], "what": ["visit"]})
    (tmp_path / "data").mkdir()
    rows.to_csv(tmp_path / "data" / "events.csv", index=False)
    (tmp_path / "data" / "log.toml").write_text(
        "log = 'events.csv'\ncustomer = 'who'\ntime = 'at'\ntouchpoint = 'what'\ntimezone = 'Europe/Istanbul'\n"
    )
    source = LogSource.of(tmp_path / "data" / "log.toml")
    assert source.name == "events.csv"
    assert source.read().timezone == "Europe/Istanbul"
    notebook = write_notebook("log: str | None = None", "import journeykit as jk\nprint(jk.read_log(log).timezone)")
    result = run(notebook, source=source)
    assert "Europe/Istanbul" in result.page.read_text()
    assert json.loads((result.folder / "run.json").read_text())["log"]["name"] == "events.csv"


def test_a_report_runs_in_the_root_of_its_project_wherever_it_was_called(write_notebook, run, tmp_path, monkeypatch):
    (tmp_path / "journeykit.toml").write_text("")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    notebook = write_notebook("x = 1", "import os; print(os.getcwd())")
    monkeypatch.chdir(tmp_path / "deep" / "er")
    assert f'<pre tabindex="0">{tmp_path}</pre>' in run(notebook).page.read_text()


def test_two_runs_of_one_report_at_once_end_as_one_page_and_one_refusal(write_notebook, tmp_path):
    import subprocess
    import sys

    from tests.reports.running import wait_until

    mark = tmp_path / "running"
    slow = write_notebook("x = 1", f"open({str(mark)!r}, 'w').close()\nimport time; time.sleep(4)")
    words = [sys.executable, "-m", "journeykit", "report", "run", str(slow), "--out", str(tmp_path / "out")]
    first = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_until(mark.exists)
    second = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert second.returncode == 1
    assert "already running" in second.stderr
    _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert (
        len([path for path in (tmp_path / "out" / "small").iterdir() if path.is_dir() and not path.is_symlink()]) == 1
    )


def test_a_report_that_comes_later_needs_no_change_to_runner_index_or_list(write_notebook, run, tmp_path, monkeypatch):
    """Touchpoints, experience and post-purchase will be notebooks beside the others, and nothing else."""
    import journeykit as jk
    from journeykit.reports import plan

    cells = "import journeykit as jk\nfrom journeykit.reports import Report\nreport = Report('Touchpoints', log=log)"
    path = write_notebook("md:# Touchpoints\n\nWhich ones.", "log: str | None = None", cells, "report.about_data()",
                          name="touchpoints")  # fmt: skip
    standard = plan.standard_reports()
    monkeypatch.setattr(plan, "standard_reports", lambda: {**standard, "touchpoints": path})
    monkeypatch.setattr("journeykit.reports.listing.standard_reports", plan.standard_reports)
    listed = jk.list_reports().set_index("report")
    assert listed.loc["touchpoints", "about"] == "Which ones."
    assert {"journey_overview", "stage_funnel", "cohort_retention", "churn_survival"} <= set(listed.index)
    result = run("touchpoints", source=LogSource("guitar_shop_small"))
    assert result.ok, result.reason
    assert "touchpoints/latest" not in (tmp_path / "out" / "index.html").read_text()
    assert f"touchpoints/{result.run}/report.html" in (tmp_path / "out" / "index.html").read_text()
