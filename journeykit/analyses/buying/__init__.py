"""Repeat buying without a contract: who still is a customer, what they will buy, and what it is worth."""

from journeykit.analyses.buying.model import buying_model
from journeykit.analyses.buying.result import BuyingModel

__all__ = ["BuyingModel", "buying_model"]
