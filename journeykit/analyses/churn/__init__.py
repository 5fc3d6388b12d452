"""Churn as survival: honest durations out of a log, curves of them, and models of who is next."""

from journeykit.analyses.churn.curve import SurvivalCurve
from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.measured import tenures
from journeykit.analyses.churn.model import ChurnModel, churn_model
from journeykit.analyses.churn.rules import Cancel, Contract, Inactivity
from journeykit.analyses.churn.surviving import survival_curve
from journeykit.analyses.churn.threshold import ChurnThreshold, churn_threshold

__all__ = [
    "Cancel",
    "ChurnModel",
    "ChurnThreshold",
    "Contract",
    "Inactivity",
    "SurvivalCurve",
    "Tenures",
    "churn_model",
    "churn_threshold",
    "survival_curve",
    "tenures",
]
