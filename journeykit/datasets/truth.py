"""The true answers, computed from the parameters and never from the drawn events."""
from __future__ import annotations
from dataclasses import dataclass
from journeykit.datasets.parameters import ShopParameters

@dataclass(frozen=True)
class Truth:
    """True answers."""
    parameters: ShopParameters
    months: int = 18
