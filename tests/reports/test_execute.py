"""How a notebook can end badly while papermill calls it good: each is made to happen here."""

import json
from pathlib import Path

import pytest

from journeykit.reports.execute import Limits, _Watch, execute, verdict
from journeykit.reports.kernel import kernel_environment


def code_cell(source, count=None, outputs=()):
    return {"cell_type": "code", "source": source, "execution_count": count, "outputs": list(outputs), "metadata": {}}


def error(name, value=""):
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": []}


@pytest.fixture
def run_cells(write_notebook, tmp_path):
    def run(*cells, limits=None, parameters=None, **notebook):
        from journeykit.reports.plan import read_source

        source = read_source(write_notebook("x = 1", *cells, **notebook))
        folder = tmp_path / "a {folder} with braces"
        folder.mkdir()
        lines = []
        done = execute(
            source.notebook,
            folder / "run.ipynb",
            parameters or {},
            folder=tmp_path,
            limits=limits or Limits(),
            log=lines.append,
        )
        return done, lines

    return run


def test_a_cell_that_never_ran_is_a_failure_and_an_empty_one_is_not():
    assert verdict({"cells": [code_cell("1", 1), code_cell("  \n")]}) is None
    assert verdict({"cells": [code_cell("1", 1), code_cell("2")]}) == "code cell 2 did not run"


def test_an_error_output_is_a_failure_even_if_execution_went_on():
    cells = [code_cell("1", 1, [error("SystemExit", "0")]), code_cell("2", 2)]
    assert verdict({"cells": cells}) == "code cell 1 raised SystemExit: 0"
    assert verdict({"cells": [code_cell("1", 1, [error("KeyError")])]}) == "code cell 1 raised KeyError"


@pytest.mark.parametrize(
    ("cell", "failure"),
    [
        ("import sys; sys.exit(0)", "code cell 2 raised SystemExit: 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel died in code cell 2"),
        ("1 / 0", "code cell 2 raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_kernel_that_leaves_dies_or_raises_fails_the_run(run_cells, cell, failure):
    done, lines = run_cells(cell, "y = 2")
    assert done.failure is not None
    assert done.failure.startswith(failure)
    assert done.notebook["cells"][-1]["execution_count"] is None
    assert lines[0].startswith("cell 1 of 3  ok")


def test_a_cell_that_takes_too_long_is_stopped(run_cells):
    done, _ = run_cells("import time; time.sleep(30)", limits=Limits(cell=1))
    assert done.failure == "code cell 2 was stopped: it took longer than 1 s"


def test_the_whole_has_a_time_limit_that_later_cells_have_less_of(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    watch = _Watch(Limits(cell=60, total=90), print, 3)
    assert watch.seconds_left(None) == 60
    now[0] += 70
    assert watch.seconds_left(None) == 20
    now[0] += 70
    assert watch.seconds_left(None) == 1  # 0 would mean endless


def test_the_kernel_is_this_python_whatever_the_machine_says(run_cells, tmp_path, monkeypatch):
    """No spec of that name, a `python3` that is something else, a start-up file that breaks everything."""
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "no", "language": "python"}))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit('a user's start-up file ran')")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    done, _ = run_cells(
        "import sys, os, journeykit; print([sys.executable, os.getcwd(), journeykit.__file__, x])",
        parameters={"x": 'tricky "text" \\ {brace}\nline ş'},
        kernel="no-such-kernel",
    )
    import sys

    import journeykit

    assert done.failure is None
    assert done.cells == 3
    shown = done.notebook["cells"][-1]["outputs"][0]["text"]
    assert shown.strip() == str(
        [sys.executable, str(tmp_path), journeykit.__file__, 'tricky "text" \\ {brace}\nline ş']
    )
    assert not list((tmp_path / "ipython").rglob("history.sqlite"))


def test_a_checkout_comes_first_in_the_kernels_path():
    environment = kernel_environment({"PYTHONPATH": "/elsewhere"}, Path("own"))
    assert environment["IPYTHONDIR"] == "own/ipython"
    assert environment["PYTHONPATH"].split(":")[-1] == "/elsewhere"
