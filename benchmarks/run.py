"""Run the benchmarks: `make bench`, or `python -m benchmarks.run --events 1000000 --only first_analyses`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import (
    buying,
    churn,
    churn_model,
    conversion,
    door,
    effects,
    first_analyses,
    funnel,
    reports,
    retention,
    startup,
)
from benchmarks.race import Race, machine

Part = Callable[[argparse.Namespace], list[Race]]


def on_events(run: Callable[[Path, int, int], list[Race]]) -> Part:
    """Run a part on the events, rounds and folder asked for."""
    return lambda asked: run(asked.folder, asked.events, asked.rounds)


PARTS: dict[str, Part] = {
    "startup": lambda asked: startup.run(),
    "door": on_events(door.run),
    "first_analyses": on_events(first_analyses.run),
    "funnel": on_events(funnel.run),
    "retention": on_events(retention.run),
    "conversion": on_events(conversion.run),
    "effects": on_events(effects.run),
    "churn": on_events(churn.run),
    "churn_model": lambda asked: churn_model.run(asked.events // 10, asked.rounds),
    "buying": lambda asked: buying.run(asked.events, asked.rounds),
    "reports": on_events(reports.run),
}


def main() -> None:
    """Run what is asked for and print it; with --write, also keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="events in the log (10,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each contestant (5)")
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=list(PARTS), help="some parts instead of all")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "journeykit-bench")
    parser.add_argument("--write", type=Path, help="write the result to this Markdown file")
    asked = parser.parse_args()
    races = [race for part in asked.only for race in PARTS[part](asked)]
    if asked.write:
        text = "\n".join(each.markdown() for each in races)
        asked.write.write_text(f"Seen on {date.today()}:\n\n{machine()}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
