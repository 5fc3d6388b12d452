"""What is asked of reports, and what comes of a run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journeykit.errors import ParameterError, ReportError
from journeykit.reports.execute import Limits
from journeykit.reports.plan import COMPARE, LOG, PREVIOUS
from journeykit.reports.provenance import project_root
from journeykit.reports.sources import LogSource
from journeykit.reports.thresholds import Threshold


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
    out : Path or str
        The folder of all reports, here or on another file system (a URL that
        fsspec knows).
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
    compare : {"previous"}, optional
        Show each number beside that of the period before.
    jobs : int
        How many reports run side by side.
    """

    names: Sequence[str | Path]
    source: LogSource = field(default_factory=LogSource)
    parameters: Mapping[str, object] = field(default_factory=dict)
    out: Path | str = Path("reports")
    as_of: dt.date | None = None
    limits: Limits = field(default_factory=Limits)
    keep: int | None = None
    thresholds: Sequence[Threshold] = ()
    browser: str | None = None
    compare: str | None = None
    jobs: int = 1


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


def named_parameters(parameters: Mapping[str, object], **named: object) -> dict[str, object]:
    """Put the arguments that are parameters of the notebook together with the others; none may be said twice."""
    given = {name: value for name, value in named.items() if value is not None}
    twice = sorted(set(given) & set(parameters))
    if twice:
        raise ParameterError(f"{', '.join(twice)} given twice: as an argument and among the parameters")
    for name in (LOG, COMPARE):
        if name in parameters:
            raise ParameterError(f"give the {name} as the argument `{name}`, not among the parameters")
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


def read_out(out: str | Path | None) -> Path | str:
    """Read where reports go: an absolute folder, or the address of one elsewhere.

    Examples
    --------
    >>> read_out("s3://bucket/reports")
    's3://bucket/reports'
    """
    if out is None:
        return default_out()
    return str(out) if "://" in str(out) else Path(out).absolute()


def read_compare(compare: str | None) -> str | None:
    """Check what a run is to be compared with."""
    if compare not in (None, PREVIOUS):
        raise ParameterError(f"compare must be {PREVIOUS!r}, got {compare!r}")
    return compare
