"""Churn as survival: honest durations out of a log, and curves of them."""

from journeykit.analyses.churn.curve import SurvivalCurve, survival_curve
from journeykit.analyses.churn.rules import Cancel, Inactivity
from journeykit.analyses.churn.tenures import Tenures, tenures

__all__ = ["Cancel", "Inactivity", "SurvivalCurve", "Tenures", "survival_curve", "tenures"]
