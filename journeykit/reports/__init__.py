"""Running notebooks as reports, and publishing what they show."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journeykit.reports.headlines import journey_headline as journey_headline
    from journeykit.reports.listing import list_reports as list_reports
    from journeykit.reports.questions import Absent as Absent
    from journeykit.reports.report import Report as Report
    from journeykit.reports.request import RunFailedError as RunFailedError
    from journeykit.reports.request import RunResult as RunResult
    from journeykit.reports.run import run_report as run_report

# What a notebook needs must not wait for what runs it: papermill and its kin take seconds to import.
_HOME = {
    "Absent": "questions",
    "Report": "report",
    "RunFailedError": "request",
    "RunResult": "request",
    "journey_headline": "headlines",
    "list_reports": "listing",
    "run_report": "run",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'journeykit.reports' has no attribute {name!r}")
    return getattr(import_module(f"journeykit.reports.{_HOME[name]}"), name)
