"""Overviews, made of analyses."""

from journeykit.overviews.opportunities import OpportunitiesResult, opportunities

__all__ = ["OpportunitiesResult", "opportunities"]
