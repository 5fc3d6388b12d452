"""Run the benchmarks: `make bench`, or `python -m benchmarks.run --events 1000000 --only first_analyses`."""

from __future__ import annotations

import argparse
import tempfile
from datetime import date
from pathlib import Path

from benchmarks import first_analyses, retention, startup
from benchmarks.race import Race, machine


def main() -> None:
    """Run what is asked for and print it; with --write, also keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="events in the log (10,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each contestant (5)")
    parser.add_argument("--only", choices=["startup", "first_analyses", "retention"], help="one part instead of all")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "journeykit-bench")
    parser.add_argument("--write", type=Path, help="write the result to this Markdown file")
    asked = parser.parse_args()
    races: list[Race] = []
    if asked.only in (None, "startup"):
        races += startup.run()
    if asked.only in (None, "first_analyses"):
        races += first_analyses.run(asked.folder, asked.events, asked.rounds)
    if asked.only in (None, "retention"):
        races += retention.run(asked.folder, asked.events, asked.rounds)
    if asked.write:
        text = "\n".join(each.markdown() for each in races)
        asked.write.write_text(f"Seen on {date.today()}:\n\n{machine()}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
