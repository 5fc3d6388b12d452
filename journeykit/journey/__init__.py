"""From interactions to journeys: stages, steps, sessions, journeys, one customer."""

from journeykit.journey.one_customer import Timeline, timeline
from journeykit.journey.stages import Stage, StageModel, StageRule
from journeykit.journey.steps import Step, as_step, first_of_customer
from journeykit.journey.units import Units

__all__ = [
    "Stage",
    "StageModel",
    "StageRule",
    "Step",
    "Timeline",
    "Units",
    "as_step",
    "first_of_customer",
    "timeline",
]
