"""Run reports: check, read the log once, execute, publish; a failure is kept and looks failed."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journeykit.errors import ParameterError, ReportError
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
from journeykit.reports.plan import LOG, Plan, find_reports, make_plans
from journeykit.reports.provenance import project_root
from journeykit.reports.publish import Job, Ran, record_failure, run_one
from journeykit.reports.sources import LogSource, check_period, describe_log
from journeykit.reports.thresholds import Threshold

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is asked of a number of reports.

    Attributes
    ----------
    names : sequence of str or Path
        Standard reports, notebooks, or `all`.
    source : LogSource
        The log.
    parameters : mapping
        Name → value, as given.
    out : Path
        The folder of all reports.
    as_of : date, optional
        The day that relative dates count from.
    limits : Limits
        How long each report may take.
    keep : int, optional
        How many good and how many failed runs stay.
    thresholds : sequence of Threshold
        What the numbers may be.
    browser : str, optional
        The Chromium that prints each page as PDF; none is made without it.
    """

    names: Sequence[str | Path]
    source: LogSource = field(default_factory=LogSource)
    parameters: Mapping[str, object] = field(default_factory=dict)
    out: Path = Path("reports")
    as_of: dt.date | None = None
    limits: Limits = field(default_factory=Limits)
    keep: int | None = None
    thresholds: Sequence[Threshold] = ()
    browser: str | None = None


@dataclass(frozen=True)
class RunResult:
    """What came of one run.

    Attributes
    ----------
    report, run : str
        The report's name and the run's id.
    outcome : {"ok", "failed"}
    reason : str or None
        Why it failed.
    folder : Path
        Everything the run left.
    page, notebook, metrics_path : Path or None
        report.html, run.ipynb and metrics.json; None where a failed run has none.
    headline : str or None
        The page's headline.
    metrics : list of dict
        The records of metrics.json.
    seconds : float
        How long it took, kernel and page included.
    breaches : list of str
        Which numbers lie outside their thresholds, in words.
    """

    report: str
    run: str
    outcome: str
    reason: str | None
    folder: Path
    page: Path | None
    notebook: Path | None
    metrics_path: Path | None
    headline: str | None
    metrics: list[dict[str, Any]]
    seconds: float
    breaches: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether it was published."""
        return self.outcome == "ok"


class RunFailedError(ReportError):
    """A report failed; `result` says where what it left is kept."""

    def __init__(self, result: RunResult) -> None:
        super().__init__(f"{result.report} failed: {result.reason} (kept in {result.folder})")
        self.result = result


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
        directory unless given.
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
        source=LogSource(log, columns),
        parameters=named_parameters(parameters or {}, start=start, end=end, language=language),
        out=default_out() if out is None else Path(out).absolute(),
        as_of=read_as_of(as_of),
        limits=Limits(total=deadline),
        keep=keep,
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
        One a report, good or failed, in the order they ran.
    """
    plans = make_plans(find_reports(request.names), request.parameters, request.as_of)
    if not plans:
        raise ParameterError("name a report, a notebook, or all")
    if request.source.given is not None and not any(plan.takes_log for plan in plans):
        raise ParameterError(f"{plans[0].source.name} has no parameter `{LOG}`: it takes no log")
    with _stoppable(), private_folder() as private:
        prepared = private / "log.parquet"
        described = _prepare(request, plans, prepared, say)
        return [_run_or_refuse(plan, request, described, prepared, say) for plan in plans]


def _prepare(request: Request, plans: Sequence[Plan], prepared: Path, say: Say) -> dict[str, Any] | None:
    """Read the log, look whether it has anything in each report's period, and write it for the kernels."""
    if not any(plan.takes_log for plan in plans):
        return None
    began = time.monotonic()
    log = request.source.read()
    for plan in plans:
        check_period(log, plan.values.get("start"), plan.values.get("end"))
    log.to_parquet(prepared)
    described = {**describe_log(log, request.source), "seconds": round(time.monotonic() - began, 3)}
    say(f"read {request.source.name}: {log.n_events:,} interactions of {log.n_customers:,} customers")
    return described


def _run_or_refuse(
    plan: Plan, request: Request, described: dict[str, Any] | None, prepared: Path, say: Say
) -> RunResult:
    """Run one report; that it is running already, or has no place to write, must not stop the others."""
    try:
        return _run(plan, request, described, prepared, say)
    except ReportError as error:
        say(f"{plan.source.name} failed: {error}")
        base = request.out / plan.source.name
        return RunResult(plan.source.name, "", "failed", str(error), base, None, None, None, None, [], 0.0)


def _run(plan: Plan, request: Request, described: dict[str, Any] | None, prepared: Path, say: Say) -> RunResult:
    """Run one report while holding its lock, and tell the index about it, however it ended."""
    base = request.out / plan.source.name
    with only_run(base):
        for left in unfinished(base):  # nobody else runs this report: its runner was killed
            _tell(record_failure(left, "the run ended without a word: killed, or the machine went down"), request)
        folder = begin_run(base)
        try:
            given = described if plan.takes_log else None
            ran = run_one(Job(plan, folder, request.limits, given, prepared, request.thresholds, request.browser), say)
        except (Stopped, KeyboardInterrupt) as error:
            if folder.partial.is_dir():  # else it was published already
                reason = "stopped before it was done" + (" (SIGTERM)" if isinstance(error, Stopped) else "")
                _tell(record_failure(folder, reason), request)
            raise
        _tell(ran, request)
        if request.keep is not None:
            prune(base, request.keep)
    return _result(ran, folder)


def _tell(ran: Ran, request: Request) -> None:
    """Add the run to the history and to the index."""
    from journeykit.reports.history import append_history
    from journeykit.reports.index import write_index

    try:
        with shared_files(request.out):
            append_history(request.out, ran.history)
            write_index(request.out)
    except OSError as error:
        raise cannot_write(request.out, error) from error


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


def named_parameters(parameters: Mapping[str, object], **named: object) -> dict[str, object]:
    """Put the arguments that are parameters of the notebook together with the others; none may be said twice."""
    given = {name: value for name, value in named.items() if value is not None}
    twice = sorted(set(given) & set(parameters))
    if twice:
        raise ParameterError(f"{', '.join(twice)} given twice: as an argument and among the parameters")
    if LOG in parameters:
        raise ParameterError(f"give the log as the argument `{LOG}`, not among the parameters")
    return {**parameters, **given}


def read_as_of(as_of: object) -> dt.date | None:
    """Read the day that relative dates count from: a date, its ISO text, or today.

    Examples
    --------
    >>> read_as_of("2024-03-15")
    datetime.date(2024, 3, 15)
    """
    if as_of is None or (isinstance(as_of, dt.date) and not isinstance(as_of, dt.datetime)):
        return as_of
    if isinstance(as_of, dt.datetime):
        return as_of.date()
    text = str(as_of).strip()
    if text == "today":
        return dt.date.today()
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(f"as of must be a date such as 2024-01-31, or today, got {as_of!r}") from error


def default_out() -> Path:
    """Return the folder of reports in the project around the working directory."""
    return project_root(Path.cwd()) / "reports"


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGTERM into an orderly end; a second one changes nothing any more."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals arrive in the main thread only
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
