"""What reports cost: the standard ones on the sample data, and one on many events, beside what can't be saved."""

from __future__ import annotations

import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.events import event_file
from benchmarks.race import Race, race
from journeykit.reports.execute import Limits, execute
from journeykit.reports.request import Request, RunResult
from journeykit.reports.run import run_reports
from journeykit.reports.sources import LogSource

NAMES = ("journey_overview", "stage_funnel", "cohort_retention", "churn_survival")
NEEDED = (
    "import numba, pandas, scipy.optimize, scipy.stats, scipy.sparse, babel, PIL.Image, matplotlib.pyplot\n"
    "import journeykit as jk\n"
    "from journeykit.reports import Report, journey_headline\n"
    "jk.read_log, jk.stage_funnel, jk.retention, jk.survival_curve, jk.opportunities"
)
"""What a report's kernel imports before it has counted anything."""


def run(folder: Path, n_events: int, rounds: int) -> list[Race]:
    """Time four reports on the sample and one on the events asked for."""
    path = event_file(folder, n_events)
    columns = {"customer": "customer", "time": "time", "touchpoint": "touchpoint", "channel": "channel"}
    few = max(1, rounds // 3)

    def read_and_start() -> None:
        LogSource(path, columns).read()
        start_kernel()

    sample = race(
        "Reports: the four on the sample data",
        {
            "four reports, one after the other": lambda: reports(NAMES, LogSource()),
            "four reports, two at a time": lambda: reports(NAMES, LogSource(), jobs=2),
            "four kernels that import what they need": start_kernels,
        },
        agree=None,
        rounds=few,
        aim="at most 3 times the kernels",
        note="Each report ends with its page, its metrics and the index.",
    )
    many = race(
        f"Reports: the overview on {n_events:,} events",
        {
            "overview": lambda: reports(NAMES[:1], LogSource(path, columns)),
            "reading that log, and a kernel": read_and_start,
        },
        agree=None,
        rounds=few,
        aim="at most 5 times the reading and the kernel, within 4 GiB",
    )
    return [sample, replace(many, note=f"The largest kernel held {largest_child():.1f} GiB.")]


def reports(names: tuple[str, ...], source: LogSource, *, jobs: int = 1) -> list[RunResult]:
    """Run reports into a folder that is thrown away; a failure is no time."""
    with tempfile.TemporaryDirectory() as out:
        results = run_reports(Request(names=names, source=source, out=Path(out), jobs=jobs))
    for result in results:
        assert result.ok, result.reason
    return results


def start_kernels() -> None:
    """Start as many kernels as there are reports."""
    for _ in NAMES:
        start_kernel()


def start_kernel() -> None:
    """Start a kernel as a report does, and import what a report needs."""
    cell: dict[str, Any] = {"cell_type": "code", "id": "a", "metadata": {}, "source": NEEDED, "outputs": []}
    notebook = {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "run.ipynb"
        done = execute(notebook, target, {}, folder=Path(folder), limits=Limits(), log=lambda line: None)
    assert done.failure is None, done.failure


def largest_child() -> float:
    """GiB of memory that the largest process started here has held."""
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return most / 2**30 if sys.platform == "darwin" else most / 2**20
