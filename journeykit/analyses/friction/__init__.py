"""What stands in customers' way: how often, how long, and what goes with it."""

from journeykit.analyses.friction.analysis import friction
from journeykit.analyses.friction.result import FrictionResult

__all__ = ["FrictionResult", "friction"]
