"""Funnels against ClickHouse's windowFunnel and retentioneering's, and what each option costs beside the plain one.

ClickHouse asks its own table of the same events, sorted by customer and time and built before, or the file itself; its
answer is the bare counts, ours rates with intervals, times, who is still on the way and who was left out, from two
matchings. Retentioneering runs in a process of its own, of the Python that RETENTIONEERING_PYTHON names (an environment
with `retentioneering` and `mcp<2`), or else of this one; where neither has it, it is left out with that reason.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

import journeykit as jk
from benchmarks.events import event_file
from benchmarks.first_analyses import END, STEPS, WINDOW_DAYS, Peers, equal
from benchmarks.race import Race, race
from benchmarks.retention import log_bytes

OPTIONS: dict[str, dict[str, Any]] = {
    "by channel": {"by": "channel"},
    "an exclusion": {"exclude": [jk.Exclude("return", after=1, before=4)]},
    "an optional step": {"optional": [2]},
    "strict": {"order": "strict"},
    "any order": {"order": "any"},
    "attempts": {"count": "attempts"},
    "channel held": {"hold": "channel"},
    "once per channel": {"by": "channel", "by_value": "all"},
}
"""What is asked beside the plain funnel."""

MEMORY_OF: dict[str, dict[str, Any]] = {"plain": {}} | {
    name: OPTIONS[name] for name in ("by channel", "an exclusion", "an optional step")
}
"""Of which the memory is measured."""


class Retentioneering:
    """Retentioneering's stream of the same events, in its own process; `missing` says why there is none."""

    def __init__(self, path: Path) -> None:
        python = os.environ.get("RETENTIONEERING_PYTHON", sys.executable)
        child = Path(__file__).with_name("retentioneering_child.py")
        self.process = subprocess.Popen(
            [python, str(child), str(path), *STEPS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        self.missing = "" if said == "ready" else said or "its process ended"

    def funnel(self) -> list[int]:
        """Ask for the paths in which the steps occur in this order."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(number) for number in json.loads(self.process.stdout.readline())]

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def run(folder: Path, n_events: int, rounds: int = 5) -> list[Race]:
    """Race the plain funnel on tables, from the file and without a window; then ours with each option."""
    path = event_file(folder, n_events)
    peers = Peers(path)
    peers.build_chdb()
    log = jk.read_log(path, observed_until=END, duplicates="keep")
    stages = log.with_stages(jk.StageModel.of(dict(zip("abcd", STEPS, strict=True))))

    def ask(of: Any = log, **options: Any) -> list[int]:
        table = jk.funnel(of, list(STEPS), **{"within": f"{WINDOW_DAYS}d", **options}).table
        return [int(number) for number in table["customers"]]

    def ask_stages() -> list[int]:
        return jk.stage_funnel(stages, within=f"{WINDOW_DAYS}d").table["customers"].tolist()

    races = [
        race(
            f"Funnel: {' → '.join(STEPS)} within {WINDOW_DAYS} days of the entry, against windowFunnel",
            {"journeykit": ask, "ClickHouse windowFunnel": peers.funnel_chdb},
            agree=equal,
            rounds=rounds,
            aim="5 times as fast, better 10 times",
            note=memory(path),
        ),
        race(
            "Funnel: the same from the Parquet file to the answer",
            {
                "journeykit": lambda: ask(jk.read_log(path, observed_until=END, duplicates="keep")),
                "ClickHouse windowFunnel": lambda: peers.funnel_chdb(peers.file_chdb),
            },
            agree=equal,
            rounds=rounds,
            aim="no slower than ClickHouse",
            note="Ours also checks every row and builds the log, which later questions have for nothing.",
        ),
    ]
    peers.close()
    races.append(_without_window(path, lambda: ask(within=None, ties="stored"), rounds))
    contestants = {"plain": ask} | {name: lambda options=options: ask(**options) for name, options in OPTIONS.items()}
    races.append(
        race(
            "Funnel: what an option costs beside the plain one",
            {**contestants, "stages": ask_stages},
            agree=None,  # they ask different things
            rounds=rounds,
            aim="groups, exclusions, optional steps, any order and stages at most 3 times the plain one",
        )
    )
    return races


def _without_window(path: Path, ask: Callable[[], list[int]], rounds: int) -> Race:
    peer = Retentioneering(path)
    contestants = {"journeykit": ask} | ({} if peer.missing else {"retentioneering": peer.funnel})
    found = race(
        f"Funnel: {' → '.join(STEPS)} without a window",
        contestants,
        agree=equal,
        rounds=rounds,
        aim="faster than retentioneering",
        note=f"Retentioneering is left out: {peer.missing}." if peer.missing else "",
    )
    peer.close()
    return found


def memory(path: Path) -> str:
    """Say how much memory funnels take beside the log, each measured in one process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.funnel", str(path)], check=True, capture_output=True, text=True
    )
    measured = json.loads(done.stdout)
    size = measured.pop("log")
    said = ", ".join(f"{name} {1 + more / size:.2f}" for name, more in measured.items())
    return f"Memory at the peak, times the log's {size / 2**20:.0f} MiB (aim: at most 1.5): {said}."


def _measure(path: Path) -> dict[str, int]:
    """Return the log's bytes, and by how much this process grows at the peak of each funnel (on Linux)."""
    log = jk.read_log(path, observed_until=END, duplicates="keep")
    measured = {"log": log_bytes(log)}
    small = jk.read_log(event_file(path.parent, 100_000), observed_until=END, duplicates="keep")
    for name, options in MEMORY_OF.items():
        jk.funnel(small, list(STEPS), within=f"{WINDOW_DAYS}d", **options)  # imports, compiled loops
        pa.default_memory_pool().release_unused()  # what was freed would be taken again, and not seen
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        before = _status("VmRSS")
        jk.funnel(log, list(STEPS), within=f"{WINDOW_DAYS}d", **options)
        measured[name] = _status("VmHWM") - before
    return measured


def _status(name: str) -> int:
    """Bytes of an entry in this process's status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]))))
