"""What `import journeykit` costs beside `import pandas`, each in a new process."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.race import Race, race


def run(rounds: int = 9) -> list[Race]:
    """Time three new interpreters in turn."""

    def importing(statement: str) -> None:
        subprocess.run([sys.executable, "-c", statement], check=True)

    return [
        race(
            "Start: a new process that imports",
            {
                "journeykit": lambda: importing("import journeykit"),
                "journeykit, and the log's door": lambda: importing("import journeykit as jk; jk.read_log"),
                "pandas": lambda: importing("import pandas"),
                "nothing": lambda: importing("pass"),
            },
            agree=None,
            rounds=rounds,
            aim="journeykit at most 1.15 times pandas",
            note="Public names load when they are first used.",
        )
    ]
