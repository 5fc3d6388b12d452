"""A step: which events count, said as a touchpoint, a set of them, a stage, or with conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.match import matches
from journeykit.schema import MISSING, check_one_of, did_you_mean

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


@dataclass(frozen=True)
class Step:
    """Events that count as one step, start, or come-back.

    All conditions given must hold. Wherever journeykit takes a step, a plain
    name is short for one: a touchpoint of the log or else a stage. A plain
    name that is neither is an error, so that a typing mistake can't become a
    0; a `Step` may name a touchpoint that never occurs.

    Parameters
    ----------
    touchpoint : str or collection of str, optional
        Touchpoints; any by default.
    stage : str or collection of str, optional
        Stages; the log needs a stage model.
    where : mapping, optional
        Column → the value, or a collection of values, that it must have; None
        stands for a missing entry.
    contains : mapping, optional
        Column → a text that it must contain (case counts).
    first : {"ever", "matching"}, optional
        Only a customer's first such event: `"ever"`, the first event of that
        touchpoint or stage must itself meet the conditions; `"matching"`, the
        first that meets them.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> web_orders = jk.Step("order", where={"channel": "web"})
    >>> int(web_orders.mask(log).sum()) <= int(jk.Step("order").mask(log).sum())
    True
    """

    touchpoint: str | Iterable[str] | None = None
    stage: str | Iterable[str] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    contains: Mapping[str, str] = field(default_factory=dict)
    first: str | None = None

    def __post_init__(self) -> None:
        """Hold collections as sorted tuples, so that steps compare and print the same."""
        for name in ("touchpoint", "stage"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, str):
                object.__setattr__(self, name, tuple(sorted(given)))
        if self.first is not None:
            check_one_of("first", self.first, ("ever", "matching"))

    @property
    def name(self) -> str:
        """How the step is called in tables."""
        parts = [_names(self.touchpoint), _names(self.stage)]
        parts += [f"{column}={_names(value)}" for column, value in self.where.items()]
        parts += [f"{column}~{text}" for column, text in self.contains.items()]
        parts += [f"first {self.first}"] if self.first else []
        return ", ".join(part for part in parts if part) or "any"

    def mask(self, log: InteractionLog) -> NDArray[np.bool_]:
        """Mark the events of a log that count as this step, one bool an event."""
        log.require(*self.where, *self.contains)
        named = self._named(log)
        meets = named.copy()
        for column, wanted in self.where.items():
            meets &= matches(log.column(column), wanted)
        for column, text in self.contains.items():
            texts = log.column(column).astype("string")
            meets &= texts.str.contains(text, regex=False, na=False).to_numpy(dtype=bool)
        if self.first == "matching":
            return first_of_customer(meets, log)
        if self.first == "ever":
            return meets & first_of_customer(named, log)
        return meets

    def _named(self, log: InteractionLog) -> NDArray[np.bool_]:
        named = np.ones(log.n_events, dtype=bool)
        if self.touchpoint is not None:
            names = {self.touchpoint} if isinstance(self.touchpoint, str) else set(self.touchpoint)
            named &= log.touchpoints.isin(names)[log.touchpoint_codes]
        if self.stage is not None:
            log.require("stage")
            assert log.stage_codes is not None
            named &= np.isin(log.stage_codes, stage_numbers(self, log))
        return named


def as_step(given: Any, log: InteractionLog) -> Step:
    """Read what a user says as a step: a Step, a name, or a collection of touchpoint names.

    Raises
    ------
    ParameterError
        If a name is neither a touchpoint nor a stage of the log.
    """
    if isinstance(given, Step):
        return given
    if isinstance(given, str):
        if given in log.touchpoints:
            return Step(given)
        if given in log.stages:  # before a touchpoint that the model knows and this log has not
            return Step(stage=given)
        if given in _known_names(log):
            return Step(given)
        raise ParameterError(
            f"{given!r} is neither a touchpoint nor a stage of the log: "
            f"{did_you_mean(given, [*log.touchpoints, *log.stages])} "
            f"(a touchpoint that may be absent: jk.Step({given!r}))"
        )
    if isinstance(given, Iterable):
        names = sorted(given)
        if not names:
            raise ParameterError("a step needs at least one touchpoint, got an empty collection")
        known = _known_names(log)
        for name in names:
            if name not in log.touchpoints and name not in known:
                raise ParameterError(f"{name!r} is not a touchpoint of the log: {did_you_mean(name, log.touchpoints)}")
        return Step(tuple(names))
    raise ParameterError(f"a step is a name, a collection of names or a jk.Step, got {type(given).__name__}")


def stage_numbers(step: Step, log: InteractionLog) -> list[int]:
    """Find the stages that a step names among the log's; one that the log has not is a mistake."""
    assert step.stage is not None
    wanted = (step.stage,) if isinstance(step.stage, str) else tuple(step.stage)
    for stage in wanted:
        check_one_of("stage", stage, log.stages)
    return [log.stages.index(stage) for stage in wanted]


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Number the names that repeat: order, order (2)."""
    found: list[str] = []
    for name in names:
        numbered, n = name, 1
        while numbered in found:
            n += 1
            numbered = f"{name} ({n})"
        found.append(numbered)
    return tuple(found)


def _known_names(log: InteractionLog) -> tuple[str, ...]:
    """Touchpoints that the stage model knows: they may be absent from this log."""
    return tuple(getattr(log.stage_model, "vocabulary", ()))


def first_of_customer(marked: NDArray[np.bool_], log: InteractionLog) -> NDArray[np.bool_]:
    """Keep only each customer's first marked event."""
    rows = np.flatnonzero(marked)
    firsts = np.zeros(log.n_events, dtype=bool)
    if rows.size:
        codes = log.customer_codes[rows]
        firsts[rows[np.concatenate([[True], codes[1:] != codes[:-1]])]] = True
    return firsts


def _names(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return " | ".join(MISSING if each is None else str(each) for each in value)
