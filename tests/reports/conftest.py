"""Small notebooks to run: without heavy imports, so that a kernel is up in a second."""

import json

import pytest

from journeykit.reports.request import Request
from journeykit.reports.run import run_reports


@pytest.fixture
def write_notebook(tmp_path):
    """Return a function that writes a notebook: the first cell is its parameters, `md:` begins a markdown cell."""

    def write(*cells, name="small", tags=("parameters",), kernel="python3"):
        made = []
        for number, text in enumerate(cells):
            if text.startswith("md:"):
                made.append({"cell_type": "markdown", "id": f"c{number}", "metadata": {}, "source": text[3:]})
                continue
            made.append(
                {
                    "cell_type": "code",
                    "id": f"c{number}",
                    "metadata": {},
                    "source": text,
                    "outputs": [],
                    "execution_count": None,
                }
            )
        first = next(cell for cell in made if cell["cell_type"] == "code")
        first["metadata"]["tags"] = list(tags)
        path = tmp_path / f"{name}.ipynb"
        spec = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        path.write_text(json.dumps({"cells": made, "metadata": spec, "nbformat": 4, "nbformat_minor": 5}))
        return path

    return write


@pytest.fixture
def run(tmp_path):
    """Return a function that runs notebooks into tmp_path/out and gives back the one result, or all."""

    def run_them(*notebooks, **options):
        options.setdefault("out", tmp_path / "out")
        results = run_reports(Request(names=notebooks, **options))
        return results[0] if len(notebooks) == 1 else results

    return run_them
