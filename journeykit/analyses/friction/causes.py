"""What may stand in the way: the causes that ship, and those that a user names."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.journey.steps import Step, as_step
from journeykit.log.interactions import InteractionLog

_SHIPPED = files("journeykit.journey") / "vocabulary" / "frictions.toml"


@dataclass(frozen=True)
class Cause:
    """Something that may stand in the way.

    Attributes
    ----------
    name : str
        What it is called.
    step : Step
        Its events.
    times : int
        It is met with the event of this number in an attempt.
    """

    name: str
    step: Step
    times: int = 1

    def __str__(self) -> str:
        """Say what it is, for a result's `params`."""
        return f"{self.step.name} ×{self.times}"


def shipped_causes() -> list[Cause]:
    """Return the causes of the shipped vocabulary."""
    known = tomllib.loads(_SHIPPED.read_text(encoding="utf-8"))
    return [Cause(name, Step(each["touchpoints"]), each.get("times", 1)) for name, each in known.items()]


def read_causes(
    log: InteractionLog, causes: Any, steps: tuple[Step, ...]
) -> tuple[list[Cause], dict[str, list[str]], dict[str, str]]:
    """Return the causes to look at, the names of the others by why they are not, and what each cause is."""
    if causes is None:
        asked = shipped_causes()
    elif isinstance(causes, Mapping):
        if not causes:
            raise ParameterError("causes must name at least one, got an empty mapping")
        asked = [_read(str(name), given, log) for name, given in causes.items()]
    else:
        raise ParameterError(f'causes must be a mapping such as {{"error": "payment_error"}}, got {causes!r}')
    found = log.tally(count_events, causes=asked, steps=steps)
    found = found.loc[[each.name for each in asked]]
    both, absent = found["steps"] > 0, found["events"] == 0
    if both.any() and causes is not None:
        raise ParameterError(f"a cause must not be a step of the way itself, but {both.idxmax()!r} is")
    out = {"not_in_log": found.index[absent].tolist(), "in_steps": found.index[both].tolist()}
    looked_at = [each for each in asked if not (absent | both)[each.name]]
    return looked_at, out, {each.name: str(each) for each in asked}


def passive_touchpoints() -> list[str]:
    """Return the touchpoints that come to customers by themselves, as the shipped vocabulary says."""
    text = (files("journeykit.journey") / "vocabulary" / "touchpoints.toml").read_text(encoding="utf-8")
    return [name for name, known in tomllib.loads(text).items() if known["initiative"] == "passive"]


def count_events(log: InteractionLog, causes: list[Cause], steps: tuple[Step, ...]) -> pd.DataFrame:
    """Tally: events of each cause, and how many of them are a step as well."""
    way = np.zeros(log.n_events, dtype=bool)
    for step in steps:
        way |= step.mask(log)
    masks = [each.step.mask(log) for each in causes]
    index = pd.Index([each.name for each in causes], name="cause", dtype=object)
    numbers = {"events": [int(mask.sum()) for mask in masks], "steps": [int((mask & way).sum()) for mask in masks]}
    return pd.DataFrame(numbers, index=index)


def _read(name: str, given: Any, log: InteractionLog) -> Cause:
    """Read one cause: a step, or a pair of a step and the number from which on it counts."""
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], int) and not isinstance(given[1], bool):
        if given[1] < 1:
            raise ParameterError(f"the number of {name!r} must be from 1 on, got {given[1]}")
        return Cause(name, as_step(given[0], log), given[1])
    return Cause(name, as_step(given, log))
