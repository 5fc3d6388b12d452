import json
import os
import subprocess
import sys

import pytest

from journeykit.errors import ReportError
from journeykit.reports import folders


def finish(folder, content="good"):
    (folder.partial / "run.json").write_text("{}")
    (folder.partial / "report.html").write_text(content)


def test_a_run_appears_in_one_step_and_latest_points_at_it(tmp_path):
    first, second = folders.begin_run(tmp_path / "small"), folders.begin_run(tmp_path / "small")
    assert first.run != second.run
    assert not first.final.exists()
    finish(first, "one")
    finish(second, "two")
    folders.publish_run(first)
    folders.publish_run(second)
    assert (tmp_path / "small" / "latest" / "report.html").read_text() == "two"
    assert folders.latest_run(tmp_path / "small") == second.run
    assert not first.partial.exists()


def test_where_no_link_can_be_made_latest_is_a_file_with_the_name(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    folder = folders.begin_run(tmp_path / "small")
    finish(folder)
    folders.publish_run(folder)
    assert (tmp_path / "small" / "latest").is_file()
    assert folders.latest_run(tmp_path / "small") == folder.run


def test_a_second_run_of_a_report_is_refused_while_the_first_holds_it(tmp_path):
    base = tmp_path / "small"
    with folders.only_run(base):
        with pytest.raises(ReportError, match=f"already running.*process {os.getpid()}"), folders.only_run(base):
            pass
        with folders.only_run(tmp_path / "other"):
            pass
    with folders.only_run(base):
        pass


def test_a_killed_process_holds_no_lock(tmp_path):
    base = tmp_path / "small"
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom journeykit.reports.folders import only_run\n"
        "with only_run(Path(sys.argv[1])):\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(base)], check=False)
    assert done.returncode == -9
    with folders.only_run(base):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReportError, match=r"cannot write to .*file/small: Not a directory"):
        folders.begin_run(tmp_path / "file" / "small")
    with (
        pytest.raises(ReportError, match=r"cannot write to .*file/small: Not a directory"),
        folders.only_run(tmp_path / "file" / "small"),
    ):
        pass


def test_pruning_keeps_the_newest_of_each_kind_and_always_the_latest_good_one(tmp_path):
    base = tmp_path / "small"
    made = []
    for name in ("1", "2", "3", "4"):
        folder = folders.RunFolder(base, name)
        folder.partial.mkdir(parents=True)
        finish(folder)
        if name in "34":
            folders.keep_failed(folder)
        else:
            folders.publish_run(folder)
        made.append(folder)
    folders.point_latest(base, "1")
    assert sorted(folders.prune(base, 1)) == ["3.failed"]
    assert {path.name for path in base.iterdir()} == {"1", "2", "4.failed", "latest"}


def test_writing_whole_never_leaves_a_part(tmp_path, monkeypatch):
    path = tmp_path / "index.html"
    folders.write_whole(path, "old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        folders.write_whole(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["index.html"]


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        folders.write_json(tmp_path / "x.json", {"a": float("nan")})
    folders.write_json(tmp_path / "x.json", {"name": "müşteri"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"name": "müşteri"}
    assert "müşteri" in (tmp_path / "x.json").read_text(encoding="utf-8")


def test_a_prepared_log_is_private_and_a_killed_runs_one_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (tmp_path / f"jk-log-{int(done.stdout)}-abc").mkdir()
    (tmp_path / f"jk-log-{os.getpid()}-abc").mkdir()
    with folders.private_folder() as private:
        assert private.stat().st_mode & 0o077 == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"jk-log-{os.getpid()}-abc", private.name])
    assert not private.exists()
