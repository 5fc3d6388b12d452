"""Whole runs: what is published, what is kept, what is never touched."""

import json
import signal
import subprocess
import sys

import jsonschema
import pandas as pd
import pytest

import journeykit as jk
from journeykit.errors import LogError, ParameterError
from journeykit.reports.folders import only_run
from journeykit.reports.history import read_history
from journeykit.reports.metrics import metrics_schema
from journeykit.reports.request import RunFailedError
from journeykit.reports.sources import LogSource
from tests.reports.running import alive, wait_until

SHOW = """
from journeykit.reports.blocks import show_block
show_block({"kind": "headline", "sentence": f"{top} of 9", "figure": None, "metrics": ["share_rate"]})
show_block({"kind": "metrics", "records": [{"name": "share_rate", "value": top / 9, "low": None, "high": None, "n": 9,
    "unit": "rate", "segment": "", "period": "", "definition": "share/1"}]})
print("shown <b>")
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_good_run_leaves_everything_and_a_failed_one_touches_nothing(write_notebook, run, tmp_path):
    good = run(write_notebook("top: int = 3", SHOW), parameters={"top": "4"})
    assert good.ok
    assert names(good.folder) == ["metrics.json", "report.html", "run.ipynb", "run.json", "run.log"]
    page = (tmp_path / "out" / "small" / "latest" / "report.html").read_text()
    assert "4 of 9" in page
    assert "shown &lt;b&gt;" in page

    document = json.loads(good.metrics_path.read_text())
    jsonschema.validate(document, metrics_schema())
    assert document["records"] == good.metrics
    assert good.metrics[0]["value"] == 4 / 9

    record = json.loads((good.folder / "run.json").read_text())
    assert record["parameters"] == {"top": {"value": 4, "default": 3, "given": True}}
    assert record["outcome"] == "ok"
    assert record["versions"]["papermill"]
    assert len(record["code"]["notebook_sha256"]) == 64

    bad = run(write_notebook("top: int = 3", "raise ValueError('no <luck>')"))
    assert bad.outcome == "failed"
    assert bad.reason == "code cell 3 raised ValueError: no <luck>"
    assert bad.folder.name == f"{bad.run}.failed"
    assert names(bad.folder) == ["run.ipynb", "run.json", "run.log"]
    assert json.loads((bad.folder / "run.json").read_text())["reason"] == bad.reason
    assert (tmp_path / "out" / "small" / "latest" / "report.html").read_text() == page

    assert [each["outcome"] for each in read_history(tmp_path / "out")] == ["ok", "failed"]
    index = (tmp_path / "out" / "index.html").read_text()
    assert "no &lt;luck&gt;" in index
    assert f'href="small/{good.run}/report.html"' in index
    assert f'href="small/{bad.run}.failed/run.log"' in index
    assert index.index(bad.run) < index.rindex(good.run)  # newest first


def test_the_same_run_again_gives_the_same_bytes_but_for_its_id(write_notebook, run):
    notebook = write_notebook("top: int = 3", SHOW)
    first, second = run(notebook), run(notebook)
    for name in ("metrics.json", "report.html"):
        one, two = ((each.folder / name).read_text().replace(each.run, "RUN") for each in (first, second))
        assert one == two


def test_run_report_raises_where_a_failed_run_could_be_overlooked(write_notebook, tmp_path):
    with pytest.raises(RunFailedError, match="small failed: code cell 3 raised KeyError: 'x'") as caught:
        jk.run_report(write_notebook("top = 3", "{}['x']"), out=tmp_path / "out")
    assert caught.value.result.folder.is_dir()


def test_a_picture_without_words_fails_the_run(write_notebook, run):
    picture = "from IPython.display import display\ndisplay({'image/png': 'iVBORw0KGgo='}, raw=True)"
    result = run(write_notebook("x = 1", picture))
    assert not result.ok
    assert "code cell 2 shows a picture without alt" in result.reason
    assert "metrics.json" not in names(result.folder)


def test_nothing_starts_for_an_unknown_parameter_or_a_notebook_without_the_tag(write_notebook, run, tmp_path):
    with pytest.raises(ParameterError, match="small: unknown parameter 'topp': did you mean 'top'"):
        run(write_notebook("top: int = 3"), parameters={"topp": 1})
    with pytest.raises(ParameterError, match="unknown parameter 'start'"):
        jk.run_report(write_notebook("top: int = 3"), start="2024-01-01", out=tmp_path / "out")
    with pytest.raises(ParameterError, match="takes no log"):
        run(write_notebook("top: int = 3"), source=LogSource("guitar_shop_small"))
    assert not (tmp_path / "out").exists()


def test_a_log_with_nothing_in_the_period_is_refused_before_a_kernel_starts(write_notebook, run, tmp_path):
    notebook = write_notebook("log: str | None = None\nstart: 'date | None' = None")
    with pytest.raises(LogError, match="the log runs from"):
        run(notebook, source=LogSource("guitar_shop_small"), parameters={"start": "2031-01-01"})
    assert not (tmp_path / "out").exists()


def test_a_log_is_handed_over_prepared_and_named_by_its_source(write_notebook, run, tmp_path):
    rows = pd.DataFrame(
        {
            "who": ["ann", "bob", "ann"],
            "at": ["2024-01-01 10:00", "2024-01-02 11:00", "2024-01-03 12:00"],
            "what": ["visit", "visit", "<script>"],
        }
    )
    rows.to_csv(tmp_path / "events.csv", index=False)
    options = {"customer": "who", "time": "at", "touchpoint": "what", "observed_until": "2024-02-01"}
    notebook = write_notebook(
        "log: str | None = None", "import journeykit as jk\nprint(jk.read_log(log).n_events, log.endswith('.parquet'))"
    )
    result = run(notebook, source=LogSource(tmp_path / "events.csv", options))
    assert result.ok, result.reason
    record = json.loads((result.folder / "run.json").read_text())
    described = record["log"]
    assert described["path"] == str(tmp_path / "events.csv")
    assert described["rows_read"] == 3
    assert described["first_event"] == "2024-01-01T10:00:00+00:00"
    assert described["observed_until"] == "2024-02-01T00:00:00+00:00"
    assert described["options"]["customer"] == "who"
    import hashlib

    assert described["sha256"] == hashlib.sha256((tmp_path / "events.csv").read_bytes()).hexdigest()
    ran = result.notebook.read_text()
    assert "3 True" in ran
    assert "jk-log-" not in ran  # the prepared file, which is gone
    assert f'log = \\"{tmp_path / "events.csv"}\\"' in ran


def test_what_a_killed_runner_left_is_told_by_the_next_run(write_notebook, run, tmp_path):
    left = tmp_path / "out" / "small" / "20200101T000000000Z-dead.partial"
    left.mkdir(parents=True)
    run(write_notebook("x = 1"))
    assert not left.exists()
    assert left.with_name("20200101T000000000Z-dead.failed").is_dir()
    told = [each for each in read_history(tmp_path / "out") if each["run"].endswith("dead")]
    assert told[0]["outcome"] == "failed"
    assert "without a word" in told[0]["reason"]


def test_a_report_that_is_running_fails_only_its_own_second_run(write_notebook, run, tmp_path):
    with only_run(tmp_path / "out" / "small"):
        small, other = run(write_notebook("x = 1"), write_notebook("x = 1", name="other"))
    assert "already running" in small.reason
    assert other.ok


def test_an_unwritable_folder_fails_with_its_name(write_notebook, run, tmp_path):
    (tmp_path / "out").write_text("a file in the way")
    result = run(write_notebook("x = 1"))
    assert "cannot write to" in result.reason
    assert "Not a directory" in result.reason


def test_a_full_disk_publishes_nothing(write_notebook, tmp_path):
    """A limit on the size of files, which fails writes as a full disk does."""
    notebook = write_notebook("x = 1", "print('much ' * 40_000)")
    code = (
        "import resource, sys\nfrom journeykit.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\nmain(sys.argv[1:])"
    )
    done = command("report", "run", notebook, "--out", tmp_path / "out", code=code)
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert not list((tmp_path / "out" / "small").glob("*Z-????"))
    assert not (tmp_path / "out" / "small" / "latest").exists()


def command(*arguments, code=None, **options):
    start = ["-m", "journeykit"] if code is None else ["-c", code]
    words = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, **options)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_runner_that_is_stopped_half_way_publishes_nothing(write_notebook, tmp_path, how):
    mark = tmp_path / "running"
    notebook = write_notebook("mark = ''", "import os, time\nopen(mark, 'w').write(str(os.getpid()))", "time.sleep(60)")
    arguments = ["report", "run", notebook, "--param", f"mark={mark}", "--out", tmp_path / "out"]
    runner = subprocess.Popen([sys.executable, "-m", "journeykit", *arguments], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: mark.exists() and mark.read_text())
    kernel = int(mark.read_text())
    runner.send_signal(how)
    _, said = runner.communicate(timeout=30)
    base = tmp_path / "out" / "small"
    wait_until(lambda: not alive(kernel))
    if how == signal.SIGTERM:
        assert runner.returncode == 1
        assert "Stopped" in said
        assert len(list(base.glob("*.failed"))) == 1
        assert "SIGTERM" in read_history(tmp_path / "out")[0]["reason"]
    else:
        assert len(list(base.glob("*.partial"))) == 1
    assert not (base / "latest").exists()
    assert not [path for path in base.iterdir() if path.is_dir() and path.suffix not in (".failed", ".partial")]
