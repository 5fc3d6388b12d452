"""The worked examples in docs/ run, and their numbers are real."""

from __future__ import annotations

import doctest
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE


def run(page: Path) -> None:
    with pd.option_context("display.width", 160, "display.max_columns", 20, "display.max_colwidth", 60):
        failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert tried > 5
    assert not failed


@pytest.mark.slow
def test_online_retail(project_root, monkeypatch):
    data = project_root.parent / "shared" / "data"
    if not (data / "online_retail.parquet").exists():
        pytest.skip("the Online Retail data is not here (UCI Machine Learning Repository)")
    monkeypatch.chdir(data)
    run(project_root / "docs" / "door-online-retail.md")


def test_cdnow(project_root, monkeypatch):
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        pytest.skip("the CDNOW data comes with the package lifetimes (extra oracles)")
    monkeypatch.chdir(Path(spec.origin).parent / "datasets")
    run(project_root / "docs" / "door-cdnow.md")
