"""One run: execute, make the page and the records, and put them in place together."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from journeykit.errors import ReportError
from journeykit.reports.comparing import compare_run
from journeykit.reports.execute import Executed, Limits, execute
from journeykit.reports.folders import RunFolder, keep_failed, latest_run, publish_run, write_json, write_whole
from journeykit.reports.metrics import collect_metrics, metrics_document
from journeykit.reports.page import Page, read_page
from journeykit.reports.pdf import print_page
from journeykit.reports.plan import LOG, Plan
from journeykit.reports.provenance import git_state, project_root, versions
from journeykit.reports.render import render_page
from journeykit.reports.sources import file_hash
from journeykit.reports.thresholds import Breach, Threshold, judge
from journeykit.text import language

SCHEMA_VERSION: Final = 1
HEADLINE_NUMBERS: Final = 3


@dataclass(frozen=True)
class Job:
    """All that one run needs.

    Attributes
    ----------
    plan : Plan
        The notebook and its values.
    folder : RunFolder
        Where it works.
    limits : Limits
        How long it may take.
    described : dict or None
        What run.json says of the log; None for a report that takes none.
    prepared : Path
        The log as the kernel gets it.
    thresholds : sequence of Threshold
        What its numbers may be.
    browser : str or None
        What prints the page as PDF, if it is to be printed.
    alone : bool
        Whether no other report runs with it.
    compare : str or None
        What its numbers stand beside.
    """

    plan: Plan
    folder: RunFolder
    limits: Limits
    described: Mapping[str, Any] | None
    prepared: Path
    thresholds: Sequence[Threshold] = ()
    browser: str | None = None
    alone: bool = True
    compare: str | None = None


@dataclass(frozen=True)
class Ran:
    """A run that has ended, in its final folder."""

    folder: Path
    outcome: str
    reason: str | None
    metrics: list[dict[str, Any]]
    history: dict[str, Any]
    seconds: float
    breaches: Sequence[Breach] = ()


def run_one(job: Job, say: Callable[[str], None]) -> Ran:
    """Execute a report in its folder, publish it if it is good, keep it apart if not."""
    plan, folder, described = job.plan, job.folder, job.described
    log = RunLog(folder.partial / "run.log", say)
    record = _begin(plan, folder, described)
    clock = _Clock()
    values = dict(plan.values)
    if described is not None:
        values[LOG] = str(job.prepared)
    target = folder.partial / "run.ipynb"
    done: Executed | None = None
    page: Page | None = None
    metrics: list[dict[str, Any]] = []
    breaches: list[Breach] = []
    try:
        root = project_root(plan.source.path.parent if _is_own(plan) else Path.cwd())
        log(f"running {plan.source.path.name} in {root}")
        done = execute(plan.source.notebook, target, values, folder=root, limits=job.limits, log=log)
        clock.lap("executing")
        _hide(target, str(job.prepared), _log_name(described))
        _log_errors(done.notebook, log)
        reason = done.failure
        if reason is None:
            metrics = collect_metrics(done.notebook)
            page = read_page(done.notebook, plan.source.name)
            last = last_document(folder.base)
            before = last["records"] if last else None
            breaches = judge(job.thresholds, plan.source.name, metrics, before, alone=job.alone)
            comparison = compare_run(page, done.notebook, metrics, last) if job.compare else None
            record |= {"metrics": len(metrics), "breaches": [asdict(breach) for breach in breaches]}
            _write_page(page, metrics, breaches, comparison, job, record)
    except (ReportError, OSError) as error:
        reason = (
            str(error) if isinstance(error, ReportError) else f"cannot write {folder.base}: {error.strerror or error}"
        )
    except Exception as error:  # a fault of ours must fail the run too, and leave its trace in the log
        import traceback

        log(traceback.format_exc().rstrip())
        reason = f"the page could not be made: {type(error).__name__}: {error}"
    clock.lap("publishing")
    record |= {"seconds": clock.laps, "cells": done.cells if done else 0}
    return _end(job, Draft(record, reason, page, metrics, breaches), clock, log)


def last_document(base: Path) -> dict[str, Any] | None:
    """Return metrics.json of the last good run; None if there is none."""
    run = latest_run(base)
    try:
        document: dict[str, Any] = json.loads((base / str(run) / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if {"records", "period", "run"} <= set(document) else None


def record_failure(folder: RunFolder, reason: str) -> Ran:
    """Keep a run that could not end by itself, and say why."""
    path = folder.partial / "run.json"
    record: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "report": folder.base.name, "run": folder.run}
    with contextlib.suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
    record |= {"outcome": "failed", "reason": reason, "ended_at": _now()}
    with contextlib.suppress(OSError):
        write_json(path, record)
    return Ran(keep_failed(folder), "failed", reason, [], _history(record, None, []), 0.0)


class RunLog:
    """run.log: a line per step, with the time; each line also goes to whoever listens."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self.say = say

    def __call__(self, text: str) -> None:
        """Write a line."""
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(f"{dt.datetime.now(dt.UTC):%H:%M:%S}  {text}\n")
        self.say(text)


class _Clock:
    def __init__(self) -> None:
        self.began = self.last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self.last, 3)
        self.last = now

    @property
    def total(self) -> float:
        return round(time.monotonic() - self.began, 3)


def _begin(plan: Plan, folder: RunFolder, described: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write run.json before anything else: a run that is killed still says what it was."""
    parameters = {
        name: {
            "value": (described or {}).get("path") if name == LOG and described else plan.values[name],
            "default": None if parameter.required else parameter.default,
            "given": name in plan.given or (name == LOG and described is not None and not described["sample"]),
        }
        for name, parameter in plan.source.parameters.items()
    }
    record = {
        "schema_version": SCHEMA_VERSION,
        "report": plan.source.name,
        "run": folder.run,
        "outcome": "running",
        "reason": None,
        "started_at": _now(),
        "ended_at": None,
        "seconds": {},
        "as_of": plan.as_of.isoformat() if plan.as_of else None,
        "parameters": parameters,
        "seed": plan.values.get("seed"),
        "log": dict(described) if described else None,
        "code": {
            "notebook": str(plan.source.path),
            "notebook_sha256": file_hash(plan.source.path),
            **git_state(plan.source.path.parent),
        },
        "versions": versions(),
    }
    with contextlib.suppress(OSError):  # a full disk is told by what comes next
        write_json(folder.partial / "run.json", record)
    return record


@dataclass(frozen=True)
class Draft:
    """What a run has come to, before it is put in place."""

    record: dict[str, Any]
    reason: str | None
    page: Page | None
    metrics: list[dict[str, Any]]
    breaches: list[Breach]


def _end(job: Job, draft: Draft, clock: _Clock, log: RunLog) -> Ran:
    """Put a good run in its place, or a failed one aside."""
    folder, record, reason = job.folder, draft.record, draft.reason
    outcome = "ok" if reason is None else "failed"
    log(f"{outcome}{'' if reason is None else ': ' + reason}, {clock.total:.1f} s")
    record |= {"outcome": outcome, "reason": reason, "ended_at": _now()}
    record["seconds"] = {**record["seconds"], "total": clock.total}
    if reason is None:
        history = _history(record, draft.page, draft.metrics)
        write_json(folder.partial / "run.json", record)
        publish_run(folder)
        return Ran(folder.final, outcome, reason, draft.metrics, history, clock.total, draft.breaches)
    with contextlib.suppress(OSError):
        write_json(folder.partial / "run.json", record)
    for name in ("report.html", "report.pdf", "metrics.json"):  # a failed run must have nothing that looks published
        (folder.partial / name).unlink(missing_ok=True)
    return Ran(keep_failed(folder), outcome, reason, [], _history(record, draft.page, []), clock.total)


def _write_page(
    page: Page,
    metrics: list[dict[str, Any]],
    breaches: Sequence[Breach],
    comparison: Mapping[str, Any] | None,
    job: Job,
    record: Mapping[str, Any],
) -> None:
    plan, folder = job.plan, job.folder
    log = record["log"] or {}
    headline = page.headline["sentence"] if page.headline else None
    period = page.cover.get("period", {})
    document = metrics_document(plan.source.name, folder.run, period, headline, metrics, comparison)
    write_json(folder.partial / "metrics.json", document)
    with language(page.cover["language"]):
        sentences = [breach.sentence() for breach in breaches]
    made = {
        "source": log.get("name"),
        "sample": log.get("sample", False),
        "breaches": sentences,
        "parameters": {name: _shown(name, value, log) for name, value in plan.values.items()},
        "facts": _facts(record, log),
    }
    write_whole(folder.partial / "report.html", render_page(page, made))
    if job.browser is not None:
        print_page(folder.partial / "report.html", folder.partial / "report.pdf", job.browser)


def _facts(record: Mapping[str, Any], log: Mapping[str, Any]) -> dict[str, str]:
    """What a reader needs to find the code and the data again, small at the end of the page."""
    code = record["code"]
    commit = f"{code['commit'][:12]}{' + changes' if code['dirty'] else ''}" if code["commit"] else None
    facts = {
        "run": record["run"],
        "notebook": Path(code["notebook"]).name,
        "notebook SHA-256": code["notebook_sha256"][:16],
        "commit": commit,
        "data SHA-256": (log.get("sha256") or "")[:16] or None,
        "observed until": log.get("observed_until"),
        **record["versions"],
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _shown(name: str, value: Any, log: Mapping[str, Any]) -> str:
    if name == LOG and log:
        return str(log["name"])
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)


def _history(record: Mapping[str, Any], page: Page | None, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """Lay out the line of a run in the history: enough for the index, no more."""
    overall = {each["name"]: each for each in reversed(metrics) if not each["segment"]}
    wanted = (page.headline or {}).get("metrics", []) if page else []
    chosen = [overall[name] for name in wanted if name in overall] or list(reversed(overall.values()))
    kept = ("name", "value", "low", "high", "n", "unit", "segment", "definition")
    numbers = [{name: each[name] for name in kept} for each in chosen[:HEADLINE_NUMBERS]]
    return {
        "report": record["report"],
        "run": record["run"],
        "outcome": record["outcome"],
        "reason": record.get("reason"),
        "started_at": record.get("started_at") or record.get("ended_at"),
        "seconds": record.get("seconds", {}).get("total"),
        "title": page.title if page else None,
        "headline": page.headline["sentence"] if page and page.headline else None,
        "period_line": page.cover.get("period_line") if page else None,
        "source": (record.get("log") or {}).get("name"),
        "numbers": numbers,
        "breaches": len(record.get("breaches", [])),
    }


def _log_errors(notebook: Mapping[str, Any], log: RunLog) -> None:
    """Put what the cells wrote to stderr into the log: the page does not show it."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream" and output["name"] == "stderr" and output["text"].strip():
                log("stderr: " + output["text"].strip())


def _hide(target: Path, prepared: str, name: str | None) -> None:
    """Put the source's name where run.ipynb has the prepared file's path, which is gone after the run."""
    if name is None or not target.exists():
        return
    text = target.read_text(encoding="utf-8")
    escaped = json.dumps(prepared)[1:-1]
    write_whole(target, text.replace(escaped, json.dumps(name)[1:-1]))


def _log_name(described: Mapping[str, Any] | None) -> str | None:
    return None if described is None else str(described["path"] or described["name"])


def _is_own(plan: Plan) -> bool:
    """Whether the notebook is the user's: a standard report runs in the caller's project, not inside the package."""
    from journeykit.datasets.locate import shared_folder

    try:
        return plan.source.path.parent != shared_folder("notebooks").resolve()
    except FileNotFoundError:
        return True


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
