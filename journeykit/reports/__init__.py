"""Running notebooks as reports, and publishing what they show."""

from journeykit.reports.listing import list_reports
from journeykit.reports.report import Absent, Report
from journeykit.reports.run import RunFailedError, RunResult, run_report

__all__ = ["Absent", "Report", "RunFailedError", "RunResult", "list_reports", "run_report"]
