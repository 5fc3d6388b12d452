"""Cohort retention: of those who started in a period, who came back in the periods after it."""

from journeykit.analyses.retention.analysis import retention
from journeykit.analyses.retention.result import RetentionResult

__all__ = ["RetentionResult", "retention"]
