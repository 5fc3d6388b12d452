"""The project as it is handed over: nothing of the machine it was made on, no outputs, samples and reports inside."""

import json
import re
import subprocess
import tomllib

import pytest

# Homes and work folders of whoever wrote a file; a reader has others.
MACHINE_PATH = re.compile(r"(?<![\w.:/$})-])/(?:home|root|Users|tmp|work|opt|mnt|private)/[\w.]", re.IGNORECASE)
TEXT = {".py", ".toml", ".yml", ".yaml", ".md", ".txt", ".ipynb", ".sh", ".cfg", ".css", ".j2", ".html", ""}


@pytest.fixture(scope="module")
def files(project_root):
    """Every file that belongs to the project: git's list."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=project_root, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listed.split("\0") if name and (path := project_root / name).is_file()]


def test_no_file_names_a_path_of_somebodys_machine(files, project_root):
    found = [
        f"{path.relative_to(project_root)}: {line.strip()[:100]}"
        for path in files
        if path.suffix in TEXT and path.name != "LICENSE"
        for line in path.read_text(encoding="utf-8").splitlines()
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("line", ["cd /{}/ann/journeykit", 'open("/{}/log.csv")', "PYTHON=/{}/.venv/bin/python"])
@pytest.mark.parametrize("folder", ["home", "tmp", "Users"])
def test_a_machine_path_would_be_found(line, folder):
    assert MACHINE_PATH.search(line.format(folder))


@pytest.mark.parametrize(
    "line", ["https://example.com/home/page", "$(ROOT)/home/x", "data/home/x", "#!/usr/bin/env sh"]
)
def test_other_paths_are_fine(line):
    assert not MACHINE_PATH.search(line)


def test_notebooks_are_committed_without_outputs(files, project_root):
    with_outputs = []
    for path in files:
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            if any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
                with_outputs.append(str(path.relative_to(project_root)))
    assert with_outputs == []


def test_modules_stay_short(project_root):
    # A file past about 400 lines has two ideas in it.
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in project_root.glob("journeykit/**/*.py")
    }
    assert {str(path.relative_to(project_root)): n for path, n in lengths.items() if n > 420} == {}


def test_the_wheel_takes_reports_and_samples_along(project_root):
    wheel = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    for folder in wheel["sources"]:
        assert (project_root / folder).is_dir(), f"{folder} is gone: the wheel would lack it"
        assert any(pattern.startswith(f"/{folder}/") for pattern in wheel["include"])


def test_the_makefile_says_what_it_can_make(project_root):
    text = (project_root / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"\.PHONY: (.*)", text)[1].split())
    explained = set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))
    assert {"report", "test", "test-all", "lab", "bench", "lock"} <= explained
    assert phony == explained
