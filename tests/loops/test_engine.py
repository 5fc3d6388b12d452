"""Loops: split over threads, cached where the package can't be written, fit for read-only arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from journeykit.loops import engine, over_customers


def test_ranges_of_customers_cover_all_once_and_in_order(monkeypatch):
    monkeypatch.setattr(engine, "MIN_EVENTS_PER_THREAD", 10)
    monkeypatch.setattr(engine, "n_threads", lambda: 4)
    offsets = np.concatenate([[0], np.cumsum([1, 90, 1, 1, 1, 1, 5, 20])])
    ranges = over_customers(lambda first, last: (first, last), offsets)
    assert len(ranges) == 4
    assert [code for first, last in ranges for code in range(first, last)] == list(range(8))


def test_a_small_log_is_one_range():
    assert over_customers(lambda first, last: (first, last), np.array([0, 3, 9])) == [(0, 2)]
    assert over_customers(lambda first, last: (first, last), np.array([0])) == [(0, 0)]


def test_an_error_in_a_thread_is_raised(monkeypatch):
    monkeypatch.setattr(engine, "MIN_EVENTS_PER_THREAD", 1)

    def fail(first, last):
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        over_customers(fail, np.array([0, 5, 10]))


SCRIPT = """
import numpy as np
from journeykit.log.build import group_rows
order, offsets = group_rows(np.array([1, 0, 1], np.int32), 2)
print(order.tolist(), offsets.tolist())
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_loops_run_where_neither_the_package_nor_the_home_can_be_written(tmp_path):
    import shutil

    package = tmp_path / "site" / "journeykit"
    shutil.copytree(
        Path(engine.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__", "datasets", "reports")
    )
    home = tmp_path / "home"
    home.mkdir()
    # A file where a folder should be cannot be written into, not even by root.
    (package / "loops" / "__pycache__").write_text("")
    (home / ".cache").write_text("")
    environment = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(tmp_path / "site"),
        "TMPDIR": str(tmp_path),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.stdout.split() == "[1, 0, 2] [0, 1, 3]".split(), done.stderr
    assert list(tmp_path.glob("journeykit-loops-*/**/*.nbc")), "nothing was cached"


def test_reading_an_extra_thread_never_forks_openmp():
    # A child forked after a loop has run must live: parallel=True would kill it.
    script = (
        SCRIPT + "import os, sys\npid = os.fork()\nif pid == 0:\n    exec(compile(" + repr(SCRIPT) + ", 'c', 'exec'))\n"
    )
    script += "    sys.stdout.flush(); os._exit(0)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("0"), done.stderr


def test_a_loop_is_compiled_anew_when_its_parts_in_another_file_change(tmp_path):
    script = "import total; import numpy as np; print(total.total(np.array([1, 2, 3])))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    (tmp_path / "total.py").write_text(
        "from journeykit.loops.engine import loop\nfrom pieces import piece\n\n\n@loop('i8')\ndef total(values):\n"
        "    found = 0\n    for value in values:\n        found += piece(value)\n    return found\n"
    )
    for factor, expected in ((1, "6"), (10, "60")):
        (tmp_path / "pieces.py").write_text(
            f"from journeykit.loops.engine import part\n\n\n@part\ndef piece(value):\n    return {factor} * value\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout.strip() == expected
