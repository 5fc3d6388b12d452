"""What goes with converting more, or less, often."""

from journeykit.analyses.drivers.analysis import conversion_drivers
from journeykit.analyses.drivers.result import DriversResult

__all__ = ["DriversResult", "conversion_drivers"]
