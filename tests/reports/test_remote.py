"""Reports on another file system: whole or not there, whatever the store does."""

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from journeykit.errors import ParameterError
from journeykit.reports.history import merge_history
from journeykit.reports.request import Request
from journeykit.reports.run import run_reports

OUT = "memory://bucket/reports"


@pytest.fixture
def store():
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def files(store):
    return sorted(path.removeprefix("/bucket/reports/") for path in store.find("/bucket/reports"))


def run(*notebooks, **options):
    return run_reports(Request(names=notebooks, out=OUT, **options))


def test_a_run_is_uploaded_whole_and_the_next_one_knows_of_it(write_notebook, store):
    (first,) = run(write_notebook("x = 1", "print('one')"))
    assert first.ok, first.reason
    made = ["metrics.json", "report.html", "run.ipynb", "run.json", "run.log"]
    expected = ["history.jsonl", "index.html", "small/latest", *(f"small/{first.run}/{name}" for name in made)]
    assert files(store) == sorted(expected)
    (second,) = run(write_notebook("x = 1", "print('two')"))
    assert store.cat("/bucket/reports/small/latest").decode().strip() == second.run
    index = store.cat("/bucket/reports/index.html").decode()
    assert f'href="small/{first.run}/report.html"' in index
    assert f'href="small/{second.run}/report.html"' in index
    assert not first.folder.exists()  # the stand-in here is gone


def test_a_failed_run_is_uploaded_as_such_and_leaves_the_last_good_one(write_notebook, store):
    (good,) = run(write_notebook("x = 1"))
    (bad,) = run(write_notebook("x = 1", "1 / 0"))
    assert not bad.ok
    assert f"small/{bad.run}.failed/run.log" in files(store)
    assert not [name for name in files(store) if name.startswith(f"small/{bad.run}/")]
    assert store.cat("/bucket/reports/small/latest").decode().strip() == good.run


@pytest.mark.parametrize("breaks", ["report.html", "run.json", "latest", "index.html"])
def test_an_upload_that_breaks_off_leads_nobody_to_half_a_run(write_notebook, store, monkeypatch, breaks):
    (good,) = run(write_notebook("x = 1"))
    before = {name: store.cat(f"/bucket/reports/{name}") for name in ("small/latest", "index.html", "history.jsonl")}
    put = MemoryFileSystem.pipe_file

    def fail(self, path, value, **options):
        if path.endswith(breaks):
            raise OSError("the line is cut")
        return put(self, path, value, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", fail)
    (bad,) = run(write_notebook("x = 1", "print('new')"))
    assert not bad.ok
    assert "could not be uploaded to memory://bucket/reports: OSError: the line is cut" in bad.reason
    assert (bad.folder / "report.html").is_file()  # kept here: nothing is lost
    if breaks == "index.html":  # the run is there whole; only the index is the old one
        assert store.cat("/bucket/reports/index.html") == before["index.html"]
        return
    assert not [name for name in files(store) if bad.run in name]
    assert store.cat("/bucket/reports/small/latest") == before["small/latest"]
    index = store.cat("/bucket/reports/index.html").decode()
    assert f'href="small/{good.run}/report.html"' in index
    assert "the line is cut" in index  # a failure looks failed there, too


def test_old_runs_are_removed_there(write_notebook, store):
    runs = [run(write_notebook("x = 1"), keep=2)[0].run for _ in range(3)]
    there = {name.split("/")[1] for name in files(store) if name.startswith("small/")}
    assert there == {"latest", *runs[1:]}


def test_an_address_that_nobody_knows_is_refused_before_anything_starts(write_notebook):
    with pytest.raises(ParameterError, match="cannot write to nowhere://x"):
        run_reports(Request(names=[write_notebook("x = 1")], out="nowhere://x"))


def test_a_folder_may_be_said_as_an_address(write_notebook, tmp_path):
    (done,) = run_reports(Request(names=[write_notebook("x = 1")], out=f"file://{tmp_path}/out"))
    assert done.ok, done.reason
    assert (tmp_path / "out" / "small" / done.run / "report.html").is_file()
    assert (tmp_path / "out" / "small" / "latest").read_text().strip() == done.run


def test_two_who_wrote_the_history_at_once_both_stay_in_it(tmp_path):
    (tmp_path / "history.jsonl").write_bytes(b'{"run": "a"}\n{"run": "b"}\n')
    merge_history(tmp_path, b'{"run": "a"}\n{"run": "c"}\n')
    assert (tmp_path / "history.jsonl").read_text() == '{"run": "a"}\n{"run": "b"}\n{"run": "c"}\n'
