"""Funnels: how far customers come through steps, and where they stop."""

from journeykit.analyses.funnel.plan import Exclude
from journeykit.analyses.funnel.result import FunnelResult
from journeykit.analyses.funnel.stages import StageFunnelResult, stage_funnel
from journeykit.analyses.funnel.steps import funnel

__all__ = ["Exclude", "FunnelResult", "StageFunnelResult", "funnel", "stage_funnel"]
