"""Build the sample pages in reports/sample, or check that the code still gives their numbers.

python tools/sample_reports.py            write the pages and their metrics
python tools/sample_reports.py --check    run the reports again; exit 1 if a metric differs
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

from journeykit.reports.request import Request, RunResult
from journeykit.reports.run import run_reports

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "reports" / "sample"
METRICS = ROOT / "tests" / "reports" / "sample_metrics"
NAMES = ("journey_overview", "stage_funnel", "cohort_retention", "churn_survival")
CLOSE = 1e-6
"""Relative: another processor or library may round the last digits differently."""
LARGEST = 300_000


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        results = run_reports(Request(names=NAMES, out=Path(folder), jobs=2))
        problems = [f"{result.report}: {result.reason}" for result in results if not result.ok]
        for result in results:
            if result.ok:
                problems += _check(result) if "--check" in arguments else _write(result)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _write(result: RunResult) -> list[str]:
    assert result.page is not None
    page = result.page.read_text(encoding="utf-8").replace(result.run, "sample")
    for folder in (PAGES, METRICS):
        folder.mkdir(parents=True, exist_ok=True)
    (PAGES / f"{result.report}.html").write_text(page, encoding="utf-8")
    lines = ",\n".join(json.dumps(record, ensure_ascii=False, sort_keys=True) for record in result.metrics)
    (METRICS / f"{result.report}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{result.report}.html: {len(page.encode()):,} bytes, {len(result.metrics)} metrics")
    return [] if len(page.encode()) < LARGEST else [f"{result.report}.html is larger than {LARGEST:,} bytes"]


def _check(result: RunResult) -> list[str]:
    stored = json.loads((METRICS / f"{result.report}.json").read_text(encoding="utf-8"))
    before, now = ({_key(record): record for record in records} for records in (stored, result.metrics))
    problems = [f"{result.report}: {' '.join(key)} is gone" for key in before.keys() - now.keys()]
    problems += [f"{result.report}: {' '.join(key)} is new" for key in now.keys() - before.keys()]
    for key in before.keys() & now.keys():
        problems += [
            f"{result.report}: {' '.join(key)}: {name} was {before[key][name]}, is {now[key][name]}"
            for name in ("value", "low", "high", "n")
            if not _same(before[key][name], now[key][name])
        ]
    return sorted(problems)


def _key(record: dict[str, Any]) -> tuple[str, ...]:
    return tuple(record[name] for name in ("name", "segment", "period", "definition"))


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-9)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
