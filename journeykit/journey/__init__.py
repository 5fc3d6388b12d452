"""From interactions to journeys: stages and steps."""

from journeykit.journey.stages import Stage, StageModel, StageRule
from journeykit.journey.steps import Step, as_step, first_of_customer

__all__ = ["Stage", "StageModel", "StageRule", "Step", "as_step", "first_of_customer"]
