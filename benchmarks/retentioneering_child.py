"""Retentioneering's funnel, asked over a pipe by `benchmarks.funnel`: its environment need not have journeykit.

Arguments: the file of events, and the steps. It prints "ready" when it has built its stream, or why it can't; then, for
every line that it reads, the customers at each step.
"""

from __future__ import annotations

import json
import os
import sys


def main(path: str, *steps: str) -> None:
    """Answer until nobody asks any more."""
    os.environ["RETENTIONEERING_NO_TRACK"] = "1"
    try:
        import pandas as pd
        import retentioneering
    except ImportError as error:
        print(error)
        return
    frame = pd.read_parquet(path, columns=["customer", "touchpoint", "time"])
    frame.columns = ["user_id", "event", "timestamp"]
    stream = retentioneering.Eventstream(frame)
    print("ready", flush=True)
    for _ in sys.stdin:
        found = stream.funnel_data(steps=list(steps))
        print(json.dumps([int(step["unique_paths"]) for step in found["steps"]]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
