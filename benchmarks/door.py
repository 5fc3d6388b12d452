"""The door against DuckDB's own `CREATE TABLE … ORDER BY customer, time`: the same file, the same rows in order.

Each reading runs in a process of its own, so that its peak memory can be told; the contenders take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.events import event_file
from benchmarks.race import Race

FOLDER = Path(__file__).with_name("data")
ENGINE_BUDGET_MB = 1_000
"""What the engine that reads a file may take beside the log: DuckDB's `memory_limit` at the door."""
_OURS, _DUCKDB = "journeykit.read_log", "DuckDB CREATE TABLE ORDER BY"


def csv_file(folder: Path, n_events: int) -> Path:
    """Return a CSV of the benchmark's events, made if it is not there yet."""
    import duckdb

    path = folder / f"events_{n_events}.csv"
    if not path.exists():
        partial = path.with_suffix(".partial")
        source = event_file(folder, n_events)
        duckdb.sql(f"COPY (SELECT * FROM '{source}') TO '{partial}' (HEADER true, DELIMITER ',')")
        partial.replace(path)
    return path


def run(folder: Path = FOLDER, n_events: int = 10_000_000, rounds: int = 3) -> list[Race]:
    """Race for a CSV and a Parquet file, answers first; peak memory stands in the note."""
    csv_file(folder, 100_000)  # what each process warms up with
    races = []
    for path in (csv_file(folder, n_events), event_file(folder, n_events)):
        measured: dict[str, list[dict[str, float]]] = {_OURS: [], _DUCKDB: []}
        for _ in range(rounds):
            for contender, seen in measured.items():
                seen.append(_in_a_process(contender, path))
        answers = {one["answer"] for seen in measured.values() for one in seen}
        if len(answers) != 1:
            raise AssertionError(f"different answers from {path.name}: {answers}")
        peak, log = (max(one[name] for one in measured[_OURS]) for name in ("peak_mb", "log_mb"))
        theirs = max(one["peak_mb"] for one in measured[_DUCKDB])
        most = 2 * log + ENGINE_BUDGET_MB
        note = (
            f"Peak memory: {peak:,.0f} MB for a log of {log:,.0f} MB, at most {most:,.0f} are allowed "
            f"({'kept' if peak <= most else 'NOT kept'}); DuckDB {theirs:,.0f} MB."
        )
        seconds = {contender: [one["seconds"] for one in seen] for contender, seen in measured.items()}
        name = f"The door: {path.suffix[1:].replace('csv', 'CSV').replace('parquet', 'Parquet')}, {n_events:,} rows"
        races.append(Race(name, seconds, "at most 0.7 of DuckDB's time, peak memory as said above", note))
        print(races[-1].markdown(), flush=True)
    return races


def _in_a_process(contender: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", contender, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _one(contender: str, path: Path) -> dict[str, float]:
    """Read once in this process; return seconds, memory and a fingerprint of the rows in their order."""
    import resource
    import time

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000  # kilobytes on Linux

    if contender == _OURS:
        from journeykit.log import read_log

        for small in (csv_file(path.parent, 100_000), event_file(path.parent, 100_000)):
            read_log(small)  # imports, compiled loops
        before, begin = peak(), time.perf_counter()
        log = read_log(path, observed_until="2025-01-01", duplicates="keep")
        seconds, after = time.perf_counter() - begin, peak()
        arrays = (log.offsets, log.times, log.touchpoint_codes, log.channel_codes, log.customers.to_numpy())
        size = sum(each.nbytes for each in arrays if each is not None) / 1e6
        answer = _fingerprint(log.column("customer").to_numpy(), log.times)
    else:
        import duckdb

        connection = duckdb.connect()
        before, begin = peak(), time.perf_counter()
        connection.execute(f"CREATE TABLE log AS SELECT * FROM '{path}' ORDER BY customer, time")
        seconds, after = time.perf_counter() - begin, peak()
        size = 0.0
        columns = connection.sql("SELECT customer, epoch_us(time) AS time FROM log").fetchnumpy()
        answer = _fingerprint(columns["customer"], columns["time"])
    return {"seconds": seconds, "peak_mb": after - before, "log_mb": size, "answer": answer}


def _fingerprint(customers: np.ndarray, times: np.ndarray) -> float:
    """Mix customers and times with their places: rows in another order give another number."""
    places = np.arange(1, len(times) + 1, dtype=np.uint64)
    mixed = (customers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ times.astype(np.uint64)
    return float(int((mixed * places).sum(dtype=np.uint64)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(_one(sys.argv[2], Path(sys.argv[3]))))
    else:
        run()
