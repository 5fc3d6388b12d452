"""Several reports side by side: each as if it ran alone."""

import signal
import subprocess
import sys
import time

from journeykit.reports.history import read_history
from journeykit.reports.jobs import side_by_side
from tests.reports.running import alive, wait_until


def test_results_come_in_the_order_of_the_tasks():
    tasks = [lambda wait=wait: time.sleep(wait) or wait for wait in (0.2, 0.0, 0.1)]
    assert side_by_side(tasks, 3) == [0.2, 0.0, 0.1]


def test_reports_run_at_the_same_time_and_one_that_fails_harms_no_other(write_notebook, run, tmp_path):
    meet = """
import pathlib, time
pathlib.Path(mine).touch()
end = time.monotonic() + 20
while not pathlib.Path(other).exists():
    assert time.monotonic() < end, "nobody else is running"
    time.sleep(0.05)
"""
    ends = [tmp_path / "a", tmp_path / "b"]
    one = write_notebook(f"mine = {str(ends[0])!r}\nother = {str(ends[1])!r}", meet, name="one")
    two = write_notebook(f"mine = {str(ends[1])!r}\nother = {str(ends[0])!r}", meet, "1 / 0", name="two")
    said = []
    from journeykit.reports.request import Request
    from journeykit.reports.run import run_reports

    good, bad = run_reports(Request(names=[one, two], out=tmp_path / "out", jobs=2), said.append)
    assert good.ok, good.reason
    assert bad.reason == "code cell 4 raised ZeroDivisionError: division by zero"
    assert "cell 3 of 3" in (good.folder / "run.log").read_text()  # the other report's cells are not in it
    assert "ZeroDivisionError" not in (good.folder / "run.log").read_text()
    assert {line.partition(":")[0] for line in said} == {"one", "two"}
    assert {row["report"]: row["outcome"] for row in read_history(tmp_path / "out")} == {"one": "ok", "two": "failed"}


def test_a_sigterm_ends_all_of_them_and_publishes_nothing(write_notebook, tmp_path):
    marks = [tmp_path / "one.pid", tmp_path / "two.pid"]
    wait = "import os, time\nopen(mark, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    books = [write_notebook(f"mark = {str(mark)!r}", wait, name=mark.stem) for mark in marks]
    words = [sys.executable, "-m", "journeykit", "report", "run", *map(str, books), "--jobs", "2"]
    runner = subprocess.Popen([*words, "--out", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: all(mark.exists() and mark.read_text() for mark in marks))
    kernels = [int(mark.read_text()) for mark in marks]
    runner.send_signal(signal.SIGTERM)
    _, said = runner.communicate(timeout=30)
    assert runner.returncode == 1, said
    assert "Stopped" in said
    wait_until(lambda: not any(map(alive, kernels)))
    told = read_history(tmp_path / "out")
    assert [row["reason"] for row in told] == ["stopped before it was done (SIGTERM)"] * 2
    for mark in marks:
        left = sorted(path.name for path in (tmp_path / "out" / mark.stem).iterdir() if path.is_dir())
        assert len(left) == 1
        assert left[0].endswith(".failed")
