"""Run reports: check, read the log once, execute, publish; a failure is kept and looks failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from journeykit.errors import ParameterError, ReportError
from journeykit.reports.asked import log_as_asked
from journeykit.reports.execute import Limits, Stopped
from journeykit.reports.folders import (
    RunFolder,
    begin_run,
    cannot_write,
    only_run,
    private_folder,
    prune,
    shared_files,
    unfinished,
)
from journeykit.reports.jobs import side_by_side, stoppable
from journeykit.reports.plan import COMPARE, LOG, Plan, find_reports, make_plans
from journeykit.reports.pseudonyms import check_key
from journeykit.reports.publish import Job, Ran, record_failure, run_one
from journeykit.reports.remote import elsewhere
from journeykit.reports.request import (
    Request,
    RunFailedError,
    RunResult,
    named_parameters,
    read_as_of,
    read_compare,
    read_out,
)
from journeykit.reports.sources import LogSource, check_period, describe_log
from journeykit.reports.thresholds import check_reports, never_found

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ready:
    """What all reports of a request share: the folder they go to, the log as read, and who listens."""

    request: Request
    out: Path
    described: dict[str, Any] | None
    prepared: Path
    say: Say


def run_report(
    name: str | Path,
    *,
    log: Any = None,
    start: object = None,
    end: object = None,
    out: str | Path | None = None,
    parameters: Mapping[str, object] | None = None,
    language: str | None = None,
    as_of: object = None,
    deadline: float | None = None,
    keep: int | None = None,
    compare: str | None = None,
    **columns: Any,
) -> RunResult:
    """Run a report and publish its page.

    The notebook runs in a kernel of its own. What it leaves appears in
    `out/<report>/<run>/` in one step when all went well; a failed run is kept
    beside it as `<run>.failed/` and touches nothing else.

    Parameters
    ----------
    name : str or Path
        A standard report (see `list_reports`), or a notebook of your own.
    log : str, Path or InteractionLog, optional
        What to report on; the sample data unless given.
    start, end : date or str, optional
        The first day, and the day after the last. Relative days such as
        `last-month` count from `as_of`.
    out : str or Path, optional
        Folder of all reports; `reports` in the project around the working
        directory unless given. Or an address that fsspec knows, such as
        `s3://bucket/reports`: what the run leaves is uploaded at its end.
    parameters : mapping, optional
        Further parameters of the notebook, name → value.
    language : str, optional
        Language of the page.
    as_of : date or str, optional
        The day that relative dates count from, or "today": the only way to
        let the clock in. It is recorded.
    deadline : float, optional
        Seconds that the notebook may take in all. A single cell may always
        take half an hour.
    keep : int, optional
        Remove all but so many good and so many failed runs of this report.
    compare : {"previous"}, optional
        Show each number beside that of the period before: computed again
        from the same log where it reaches back so far, else from the last
        good run.
    **columns
        Further arguments of `read_log`, where `log` is a file: `customer`,
        `time`, `touchpoint`, `channel`, `value`, `timezone`, `observed_until`.

    Returns
    -------
    RunResult
        Its page, notebook, metrics and folder.

    Raises
    ------
    ParameterError
        If there is no such report or parameter, or a value does not fit:
        before a kernel starts.
    LogError
        If the log can't be used, or holds nothing in the period.
    ReportError
        If the report fails (`RunFailedError`, with the result), is running
        already, or the folder can't be written.

    Examples
    --------
    >>> result = jk.run_report("journey_overview", end="2025-06-01")  # doctest: +SKIP
    >>> result.page  # doctest: +SKIP
    PosixPath('reports/journey_overview/20250701T021500123Z-4f2a/report.html')
    """
    request = Request(
        names=[name],
        source=LogSource.of(log, columns),
        parameters=named_parameters(parameters or {}, start=start, end=end, language=language),
        out=read_out(out),
        as_of=read_as_of(as_of),
        limits=Limits(total=deadline),
        keep=keep,
        compare=read_compare(compare),
    )
    result = run_reports(request)[0]
    if not result.ok:
        raise RunFailedError(result)
    return result


def run_reports(request: Request, say: Say = lambda line: None) -> list[RunResult]:
    """Run several reports: everything is checked first, and the log is read once for all of them.

    Parameters
    ----------
    request : Request
        What to run, on what, where.
    say : callable
        Gets a line about each step.

    Returns
    -------
    list of RunResult
        One a report, good or failed, in the order they were named.
    """
    plans = [
        _compared(plan, request) for plan in make_plans(find_reports(request.names), request.parameters, request.as_of)
    ]
    if not plans:
        raise ParameterError("name a report, a notebook, or all")
    if request.source.given is not None and not any(plan.takes_log for plan in plans):
        raise ParameterError(f"{plans[0].source.name} has no parameter `{LOG}`: it takes no log")
    if any(plan.values.get("customers") == "pseudonyms" for plan in plans):
        check_key()
    names = [plan.source.name for plan in plans]
    check_reports(request.thresholds, names)
    with stoppable(), elsewhere(request.out, names) as place, private_folder() as private:
        prepared = private / "log.parquet"
        described = _prepare(request, plans, prepared, say)
        ready = Ready(request, place.folder, described, prepared, say)
        results = side_by_side([partial(_run_or_refuse, plan, ready) for plan in plans], request.jobs)
        place.publish(results, request.keep)
    return _with_unknown(results, request)


def _compared(plan: Plan, request: Request) -> Plan:
    """Ask a notebook that knows how to compare itself with the period before."""
    if request.compare is None or COMPARE not in plan.source.parameters:
        return plan
    return replace(plan, values={**plan.values, COMPARE: request.compare}, given=plan.given | {COMPARE})


def _with_unknown(results: list[RunResult], request: Request) -> list[RunResult]:
    """Tell of limits that fit no metric of any report: a misspelt one must not pass for kept."""
    missing = never_found(request.thresholds, [result.metrics for result in results if result.ok])
    if not missing or not all(result.ok for result in results):
        return results
    last = results[-1]
    return [*results[:-1], replace(last, breaches=[*last.breaches, *missing])]


def _prepare(request: Request, plans: Sequence[Plan], prepared: Path, say: Say) -> dict[str, Any] | None:
    """Read the log, look whether it has anything in each report's period, and write it for the kernels."""
    if not any(plan.takes_log for plan in plans):
        return None
    began = time.monotonic()
    log = request.source.read()
    for plan in plans:
        asked = log_as_asked(log, timezone=plan.values.get("timezone"), segment=plan.values.get("segment"))
        check_period(asked, plan.values.get("start"), plan.values.get("end"))
    log.to_parquet(prepared)
    described = {**describe_log(log, request.source), "seconds": round(time.monotonic() - began, 3)}
    say(f"read {request.source.name}: {log.n_events:,} interactions of {log.n_customers:,} customers")
    return described


def _run_or_refuse(plan: Plan, ready: Ready) -> RunResult:
    """Run one report; that it is running already, or has no place to write, must not stop the others."""
    try:
        return _run(plan, ready)
    except ReportError as error:
        ready.say(f"{plan.source.name} failed: {error}")
        base = ready.out / plan.source.name
        return RunResult(plan.source.name, "", "failed", str(error), base, None, None, None, None, [], 0.0)


def _run(plan: Plan, ready: Ready) -> RunResult:
    """Run one report while holding its lock, and tell the index about it, however it ended."""
    base, request = ready.out / plan.source.name, ready.request
    with only_run(base):
        for left in unfinished(base):  # nobody else runs this report: its runner was killed
            _tell(record_failure(left, "the run ended without a word: killed, or the machine went down"), ready)
        folder = begin_run(base)
        job = Job(
            plan=plan,
            folder=folder,
            limits=request.limits,
            described=ready.described if plan.takes_log else None,
            prepared=ready.prepared,
            thresholds=request.thresholds,
            browser=request.browser,
            alone=len(request.names) == 1,
            compare=request.compare,
        )
        say = ready.say if request.jobs == 1 else lambda line: ready.say(f"{plan.source.name}: {line}")
        try:
            ran = run_one(job, say)
        except (Stopped, KeyboardInterrupt) as error:
            if folder.partial.is_dir():  # else it was published already
                reason = "stopped before it was done" + (" (SIGTERM)" if isinstance(error, Stopped) else "")
                _tell(record_failure(folder, reason), ready)
            raise
        _tell(ran, ready)
        if request.keep is not None:
            prune(base, request.keep)
    return _result(ran, folder)


def _tell(ran: Ran, ready: Ready) -> None:
    """Add the run to the history and to the index."""
    from journeykit.reports.history import append_history
    from journeykit.reports.index import write_index

    try:
        with shared_files(ready.out):
            append_history(ready.out, ran.history)
            write_index(ready.out)
    except OSError as error:
        raise cannot_write(ready.out, error) from error


def _result(ran: Ran, folder: RunFolder) -> RunResult:
    def file(name: str) -> Path | None:
        path = ran.folder / name
        return path if path.is_file() else None

    return RunResult(
        report=folder.base.name,
        run=folder.run,
        outcome=ran.outcome,
        reason=ran.reason,
        folder=ran.folder,
        page=file("report.html"),
        notebook=file("run.ipynb"),
        metrics_path=file("metrics.json"),
        headline=ran.history.get("headline"),
        metrics=ran.metrics,
        seconds=ran.seconds,
        breaches=[breach.sentence() for breach in ran.breaches],
    )
