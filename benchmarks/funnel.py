"""Funnels against ClickHouse's windowFunnel, and what each option costs beside the plain one.

ClickHouse asks its own table of the same events, sorted by customer and time and built before; its answer is the bare
counts, ours rates with intervals, times, who is still on the way and who was left out, from two matchings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import journeykit as jk
from benchmarks.events import event_file
from benchmarks.first_analyses import END, STEPS, WINDOW_DAYS, Peers, equal
from benchmarks.race import Race, race

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


def run(folder: Path, n_events: int, rounds: int = 5) -> list[Race]:
    """Ask a plain funnel of ClickHouse and of us, then ours with each option; return the races."""
    path = event_file(folder, n_events)
    peers = Peers(path)
    peers.build_chdb()
    log = jk.read_log(path, observed_until=END, duplicates="keep")
    stages = log.with_stages(jk.StageModel.of(dict(zip("abcd", STEPS, strict=True))))

    def ask(**options: Any) -> list[int]:
        table = jk.funnel(log, list(STEPS), within=f"{WINDOW_DAYS}d", **options).table
        return [int(number) for number in table["customers"]]

    def ask_stages() -> list[int]:
        return jk.stage_funnel(stages, within=f"{WINDOW_DAYS}d").table["customers"].tolist()

    plain = race(
        f"Funnel: {' → '.join(STEPS)} within {WINDOW_DAYS} days of the entry, against windowFunnel",
        {"journeykit": ask, "ClickHouse windowFunnel": peers.funnel_chdb},
        agree=equal,
        rounds=rounds,
        aim="5 times as fast, better 10 times",
    )
    peers.close()
    contestants = {"plain": ask} | {name: lambda options=options: ask(**options) for name, options in OPTIONS.items()}
    costs = race(
        "Funnel: what an option costs beside the plain one",
        {**contestants, "stages": ask_stages},
        agree=None,  # they ask different things
        rounds=rounds,
        aim="groups, exclusions, optional steps, any order and stages at most 3 times the plain one",
    )
    return [plain, costs]
