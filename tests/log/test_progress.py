"""A bar while a long file is read: where somebody looks, and nowhere else."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from journeykit.log import progress, read_log
from journeykit.reports.kernel import kernel_environment
from journeykit.text import language
from tests.log import clean

ROWS = clean.clean_log(5000)


class Screen(io.StringIO):
    """Standard error that says whether it is a terminal."""

    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def screen(monkeypatch):
    def put(is_terminal):
        shown = Screen(is_terminal)
        monkeypatch.setattr(sys, "stderr", shown)
        return shown

    monkeypatch.setattr(progress, "_AFTER_SECONDS", 0)
    monkeypatch.delenv(progress.SWITCH, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", None)
    return put


def test_a_terminal_shows_how_many_rows_are_read(screen, tmp_path):
    path = tmp_path / "log.csv"
    ROWS.to_csv(path, index=False)
    shown = screen(True)
    with language("he"):
        log = read_log(path)
    assert log.n_events == len(ROWS)
    assert "קריאה" in shown.getvalue()
    assert shown.getvalue().endswith("\r")  # the line is wiped in the end


def test_elsewhere_nothing_is_written(screen):
    shown = screen(False)
    read_log(ROWS)
    assert shown.getvalue() == ""


def test_a_notebook_shows_it_but_not_one_that_runs_by_itself(screen, monkeypatch, tmp_path):
    class ZMQInteractiveShell:
        """What a kernel runs its cells in."""

    screen(False)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    assert progress.watched()
    monkeypatch.setenv(progress.SWITCH, kernel_environment({}, tmp_path)[progress.SWITCH])
    assert not progress.watched()


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "csv.gz"])
def test_about_how_many_rows_come_is_known_before(tmp_path, ending):
    from journeykit.log.sources import Reading, read_source

    path = tmp_path / f"log.{ending}"
    if ending == "parquet":
        ROWS.to_parquet(path)
    elif ending == "jsonl":
        ROWS.to_json(path, orient="records", lines=True)
    else:
        ROWS.to_csv(path, index=False)
    expected = read_source(path, Reading()).expected
    if ending == "csv.gz":
        assert expected is None  # that would take unpacking it
    else:
        assert expected == pytest.approx(len(ROWS), rel=0.2)
