"""Comparing two results of one kind: segments, periods, experiment arms."""

from journeykit.results.comparing.compare import compare
from journeykit.results.comparing.result import CompareResult

__all__ = ["CompareResult", "compare"]
