"""A room imports only from rooms above its own, analyses never from each other, plots never what they draw.

Only what runs on import counts: an import inside a function is made when it is called, and one under
`if TYPE_CHECKING:` never runs.
"""

import ast
from pathlib import Path

import pytest

# From the top down. Two rooms in one row may not import each other either.
ROWS = (
    {"errors", "schema"},
    {"text"},
    {"loops"},
    {"estimators"},
    {"log"},
    {"journey"},
    {"results"},
    {"analyses"},
    {"overviews"},
    {"plots"},
    {"datasets"},
    {"scale"},
    {"reports"},
    {"cli"},
    {"__main__"},
)
ROW_OF = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
# Drawing gets a finished result; it never estimates.
NOT_IN_PLOTS = {"estimators", "analyses", "overviews"}
# schema.py may say what is wrong in errors.py's words.
WITHIN_A_ROW = {("schema", "errors")}


def broken_rules(package: Path) -> list[str]:
    """Say which imports of a package's files break the rules above, one sentence each."""
    return [
        f"{file.relative_to(package)}:{line} {problem}"
        for file in sorted(package.rglob("*.py"))
        for line, target in imports_on_import(file, package)
        if (problem := what_is_wrong(module_of(file, package), target))
    ]


def module_of(file: Path, package: Path) -> tuple[str, ...]:
    """The dotted name below the package: churn/units.py of analyses is ("analyses", "churn", "units")."""
    parts = file.relative_to(package).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports_on_import(file: Path, package: Path) -> list[tuple[int, tuple[str, ...]]]:
    """(line, module below the package) of every import of the package that runs when the file is imported."""
    here = module_of(file, package)
    folder = here if file.name == "__init__.py" else here[:-1]
    found = []
    for node in statements_run(ast.parse(file.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif node.level:
            above = (package.name, *folder)[: len(folder) + 2 - node.level]
            base = above + tuple((node.module or "").split(".") if node.module else ())
            names = [(*base, alias.name) for alias in node.names]
        else:
            base = tuple((node.module or "").split("."))
            names = [(*base, alias.name) for alias in node.names]
        found += [(node.lineno, name[1:]) for name in names if name[0] == package.name]
    return found


def statements_run(body: list[ast.stmt]) -> list[ast.Import | ast.ImportFrom]:
    """Imports at module level: also inside if, try, with and classes; not in functions, not for type checkers."""
    found: list[ast.Import | ast.ImportFrom] = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found += statements_run(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                found += statements_run(getattr(node, field, []))
            for handler in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
                found += statements_run(handler.body)
    return found


def what_is_wrong(module: tuple[str, ...], target: tuple[str, ...]) -> str | None:
    """What is wrong with this module's importing that one; None if nothing is."""
    if not module:
        return "the package itself loads its names lazily: it imports nothing of itself"
    if target in {(), ("__version__",)}:  # the package itself costs nothing and imports nothing
        return None
    if target[0] not in ROW_OF:
        return f"imports {'.'.join(('journeykit', *target))}: name the module that defines it"
    if module[0] not in ROW_OF:
        return f"{module[0]} is no room of the design: give it a row"
    room, other = module[0], target[0]
    if room == other:
        if room == "analyses" and module[1:2] != target[1:2] and len(module) > 1:
            return f"an analysis imports another, {'.'.join(target[:2])}: what two need is an estimator"
        return None
    if room == "plots" and other in NOT_IN_PLOTS:
        return f"a plot imports {other}: it draws a result, it never estimates"
    if ROW_OF[other] >= ROW_OF[room] and (room, other) not in WITHIN_A_ROW:
        return f"{room} imports {other}, which is not above it"
    return None


def test_every_room_imports_only_from_above(project_root):
    assert broken_rules(project_root / "journeykit") == []


@pytest.mark.parametrize(
    ("file", "code", "says"),
    [
        ("log/read.py", "from journeykit.analyses.funnel import funnel", "log imports analyses"),
        ("log/read.py", "import journeykit.reports.run", "log imports reports"),
        ("log/read.py", "from ..results import Result", "log imports results"),
        ("log/read.py", "try:\n    from journeykit.cli import main\nexcept ImportError:\n    pass", "log imports cli"),
        ("errors.py", "from journeykit.schema import PERIODS", "errors imports schema"),
        ("analyses/funnel.py", "from journeykit.analyses.retention import retention", "an analysis imports another"),
        ("analyses/churn/units.py", "from journeykit.analyses import funnel", "an analysis imports another"),
        ("analyses/funnel.py", "from . import retention", "an analysis imports another"),
        ("analyses/funnel.py", "from journeykit import read_log", "name the module that defines it"),
        ("plots/funnel.py", "from journeykit.estimators.proportions import wilson", "a plot imports estimators"),
        ("plots/funnel.py", "from journeykit.analyses.funnel import FunnelResult", "a plot imports analyses"),
        ("helpers/dates.py", "from journeykit.log import read_log", "no room of the design"),
        ("__init__.py", "from journeykit.log import read_log", "loads its names lazily"),
    ],
)
def test_an_import_from_below_is_found(tmp_path, file, code, says):
    write(tmp_path / "journeykit" / file, code)
    (problem,) = broken_rules(tmp_path / "journeykit")
    assert problem.startswith(f"{file}:")
    assert says in problem


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("schema.py", "from journeykit.errors import ParameterError"),
        ("analyses/funnel.py", "from journeykit.log import InteractionLog\nimport numpy as np"),
        ("analyses/churn/curve.py", "from journeykit.analyses.churn.units import Tenures"),
        ("analyses/churn/curve.py", "from .units import Tenures"),
        ("analyses/funnel.py", "def plot():\n    from journeykit.plots.funnel import plot_funnel"),
        ("plots/funnel.py", "if TYPE_CHECKING:\n    from journeykit.analyses.funnel import FunnelResult"),
        ("text/say.py", "from journeykit.errors import ParameterError"),
        ("reports/run.py", "import journeykit\nfrom journeykit import __version__"),
        ("__main__.py", "from journeykit.cli import main"),
    ],
)
def test_an_import_from_above_is_fine(tmp_path, file, code):
    write(tmp_path / "journeykit" / file, code)
    assert broken_rules(tmp_path / "journeykit") == []


def write(file: Path, code: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code, encoding="utf-8")
