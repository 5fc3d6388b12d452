"""Ask pip and uv what they would install for the project, with no constraints; fail if they differ.

    python tools/compare_installers.py [EXTRA ...]

Users install without constraints.txt, some with pip, some with uv. Where bounds are too loose, one of them settles on
versions that don't work together, and only its users see it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def by_pip(extras: list[str]) -> dict[str, str]:
    """Name -> version, as pip resolves it from PyPI alone."""
    # Extra indexes of this machine would be pip's only: uv doesn't read its settings.
    settings = {key: value for key, value in os.environ.items() if key not in {"PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"}}
    project = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        dry_run = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run(
            [*dry_run, "--report", str(report), project],
            check=True,
            env=settings | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
        entries = json.loads(report.read_text(encoding="utf-8"))["install"]
    versions = {normal(entry["metadata"]["name"]): entry["metadata"]["version"] for entry in entries}
    return {name: version for name, version in versions.items() if name != "journeykit"}


def by_uv(extras: list[str]) -> dict[str, str]:
    """Name -> version, as uv resolves it for this interpreter."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"]
    chosen = [word for extra in extras for word in ("--extra", extra)]
    done = subprocess.run(
        [*command, "--python", sys.executable, *chosen, str(ROOT / "pyproject.toml")],
        check=True,
        capture_output=True,
        text=True,
    )
    pins = (line.partition("==") for line in done.stdout.splitlines() if "==" in line)
    return {normal(name): version.partition(";")[0].strip() for name, _, version in pins}


def normal(name: str) -> str:
    """A package's name as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def main() -> int:
    """Print what differs; 0 if nothing does."""
    extras = sys.argv[1:]
    if find_spec("uv") is None:
        sys.exit("uv is not installed here: pip install uv, or use the extra `dev`")
    pip, uv = by_pip(extras), by_uv(extras)
    differing = [name for name in sorted(pip.keys() | uv.keys()) if pip.get(name) != uv.get(name)]
    for name in differing:
        print(f"{name}: pip {pip.get(name, '–')}, uv {uv.get(name, '–')}")
    print(f"pip and uv agree on {len(pip.keys() & uv.keys()) - len(set(differing) & pip.keys() & uv.keys())} packages")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
