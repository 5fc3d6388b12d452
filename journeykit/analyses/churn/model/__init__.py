"""Who leaves, why, and who is next: models of the hazard of leaving, their judges, and lists of customers."""

from journeykit.analyses.churn.model.fit import churn_model
from journeykit.analyses.churn.model.result import ChurnModel

__all__ = ["ChurnModel", "churn_model"]
