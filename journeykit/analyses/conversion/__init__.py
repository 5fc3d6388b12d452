"""Conversion: how long it takes, and how it changes over time."""

from journeykit.analyses.conversion.curve import ConversionCurve, conversion_curve
from journeykit.analyses.conversion.trend import FunnelTrend, funnel_trend

__all__ = ["ConversionCurve", "FunnelTrend", "conversion_curve", "funnel_trend"]
