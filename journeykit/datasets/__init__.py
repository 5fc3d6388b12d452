"""Samples, and a simulator whose true answers are known."""

from journeykit.datasets.delays import Delay
from journeykit.datasets.parameters import Friction, Habit, Punctuality, Segment, ShopParameters, Source
from journeykit.datasets.samples import SAMPLES, load_sample
from journeykit.datasets.simulate import simulate_events, simulate_journeys

__all__ = [
    "SAMPLES", "Delay", "Friction", "Habit", "Punctuality", "Segment", "ShopParameters", "Source", "load_sample",
    "simulate_events", "simulate_journeys",
]  # fmt: skip
