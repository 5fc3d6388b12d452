"""Cohort retention: of those who started in a period, who came back in the periods after it."""

from journeykit.analyses.retention.analysis import retention
from journeykit.analyses.retention.forecast import retention_forecast
from journeykit.analyses.retention.forecast_result import ForecastResult
from journeykit.analyses.retention.result import RetentionResult

__all__ = ["ForecastResult", "RetentionResult", "retention", "retention_forecast"]
