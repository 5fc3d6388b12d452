"""conda users get what pip users get: environment.yml says what pyproject.toml says."""

import re
import tomllib
from itertools import chain

import pytest

rattler = pytest.importorskip("rattler", reason="py-rattler (extra dev) reads conda's specs")
yaml = pytest.importorskip("yaml", reason="pyyaml (extra dev) reads environment.yml")
requirements = pytest.importorskip("packaging.requirements")

# Where conda-forge calls a package otherwise. The -base and -core ones leave out what we don't use (Qt, pandoc).
CONDA_NAMES = {
    "build": "python-build",
    "duckdb": "python-duckdb",
    "matplotlib": "matplotlib-base",
    "nbconvert": "nbconvert-core",
    "seaborn": "seaborn-base",
    "tzdata": "python-tzdata",
}
INSTALLED_EDITABLE = "-e .[lab,dev]"


@pytest.fixture(scope="module")
def project(project_root):
    return tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def conda(project_root):
    return yaml.safe_load((project_root / "environment.yml").read_text(encoding="utf-8"))["dependencies"]


def bounds(spec: str) -> set[str]:
    """The bounds of a version spec, in no order: ">=2.2,<3" is {">=2.2", "<3"}."""
    return {bound.strip() for bound in spec.split(",") if bound.strip()}


def wanted_by_pip(project: dict) -> dict[str, set[str]]:
    extras = project["optional-dependencies"]
    wanted = [requirements.Requirement(text) for text in (*project["dependencies"], *extras["lab"], *extras["dev"])]
    return {CONDA_NAMES.get(one.name, one.name): bounds(str(one.specifier)) for one in wanted}


def wanted_by_conda(conda: list) -> dict[str, set[str]]:
    specs = [rattler.MatchSpec(text, strict=True) for text in conda if isinstance(text, str)]
    return {spec.name.normalized: bounds(str(spec.version or "")) for spec in specs}


def test_conda_and_pip_want_the_same(project, conda):
    by_conda = wanted_by_conda(conda)
    assert by_conda.pop("pip") == set()
    assert by_conda.pop("python") == bounds(project["requires-python"])
    assert by_conda == wanted_by_pip(project)


def test_conda_installs_the_project_editable(conda):
    (pip,) = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    assert pip == [INSTALLED_EDITABLE]


def test_every_dependency_says_why_it_is_there(project_root):
    lines = (project_root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    specs = [line for line in lines if re.match(r'^ {4}"[a-z][\w\[\]-]*>=', line)]
    assert len(specs) > 20  # the pattern finds them
    assert [line for line in specs if "#" not in line] == []


def test_constraints_pin_every_dependency_within_its_bounds(project, project_root):
    pins = {}
    for line in (project_root / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = requirements.Requirement(line)
            assert re.fullmatch(r"==[\w.+!]+", str(pin.specifier)), f"not a pin: {line}"
            assert pin.url is None
            assert not pin.extras, f"pip takes no extras in constraints: {line}"
            pins.setdefault(pin.name, []).append(str(pin.specifier).removeprefix("=="))
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        wanted = requirements.Requirement(text)
        assert pins.get(wanted.name), f"{wanted.name} is not in constraints.txt: make lock"
        assert all(wanted.specifier.contains(version) for version in pins[wanted.name]), f"{text}: {pins[wanted.name]}"
