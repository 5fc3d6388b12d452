"""Run contestants in turn, check that they agree, and report medians and ratios."""

from __future__ import annotations

import gc
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("journeykit", "numpy", "pandas", "numba", "pyarrow", "duckdb", "chdb", "polars", "lifelines")


@dataclass(frozen=True)
class Race:
    """What a race showed.

    Attributes
    ----------
    name : str
        What was computed.
    seconds : mapping of str to list of float
        Contestant → wall time of each round; the first contestant is ours.
    aim : str
        What was aimed at, to be read beside the ratios.
    note : str
        What a reader must know to judge it.
    """

    name: str
    seconds: Mapping[str, list[float]]
    aim: str = ""
    note: str = ""

    def markdown(self) -> str:
        """Lay out medians, spread, and how many times as long as ours each took."""
        ours = statistics.median(next(iter(self.seconds.values())))
        lines = [f"### {self.name}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += ["| | median s | min–max s | × ours |", "|---|---|---|---|"]
        for contestant, times in self.seconds.items():
            median = statistics.median(times)
            spread = f"{min(times):.3f}–{max(times):.3f}"
            lines.append(f"| {contestant} | {median:.3f} | {spread} | {median / ours:.2f} |")
        if self.aim:
            lines += ["", f"Aim: {self.aim}."]
        return "\n".join([*lines, ""])


def race(
    name: str,
    contestants: Mapping[str, Callable[[], Any]],
    *,
    agree: Callable[[Any, Any], None] | None,
    rounds: int = 5,
    aim: str = "",
    note: str = "",
) -> Race:
    """Time contestants in turn, so that a slow moment of the machine hits all of them.

    Parameters
    ----------
    name : str
        What is computed.
    contestants : mapping of str to callable
        Name → what to run; ours first. One more round, first, is not timed:
        its answers are compared.
    agree : callable, optional
        `agree(ours, theirs)` raises AssertionError if two answers differ.
    rounds : int
        How often each is timed.
    aim, note : str
        For the report.
    """
    answers = {contestant: run() for contestant, run in contestants.items()}
    if agree is not None:
        ours, *others = answers.values()
        for other in others:
            agree(ours, other)
    del answers
    seconds: dict[str, list[float]] = {contestant: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant, run in contestants.items():
            gc.collect()
            begin = time.perf_counter()
            answer = run()
            seconds[contestant].append(time.perf_counter() - begin)
            del answer
    result = Race(name, seconds, aim, note)
    print(result.markdown(), flush=True)
    return result


def machine() -> str:
    """Name the machine and the versions, as a line of Markdown each."""
    import os

    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} absent")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return "\n".join(
        [
            f"- {platform.machine()}, {_processor()}, {processors} processors, {memory:.0f} GiB, {platform.system()}",
            f"- Python {platform.python_version()}; {', '.join(versions)}",
        ]
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
