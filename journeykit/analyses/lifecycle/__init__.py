"""Activity over time: lifecycle states, stickiness, active customers."""

from journeykit.analyses.lifecycle.active import ActiveResult, active_customers
from journeykit.analyses.lifecycle.flow import LifecycleResult, lifecycle
from journeykit.analyses.lifecycle.sticky import StickinessResult, stickiness

__all__ = ["ActiveResult", "LifecycleResult", "StickinessResult", "active_customers", "lifecycle", "stickiness"]
