"""Stages of a journey, and the rules that give each event its stage."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import ParameterError
from journeykit.log.match import glob_regex

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

_SHIPPED = files("journeykit.journey") / "vocabulary"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes
    ----------
    name : str
        The stage's name, for example `"purchase"`.
    phase : str
        What it belongs to, for example `"post_sale"`; may be empty.
    sub_stages : tuple of str
        Finer parts, in order; may be none.
    counterparts : tuple of str
        Stages of another model that it overlaps: for those of `ecommerce()`,
        the ones of `digital()`.
    """

    name: str
    phase: str = ""
    sub_stages: tuple[str, ...] = ()
    counterparts: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageRule:
    """Which events belong to a stage; all conditions given must hold.

    Attributes
    ----------
    stage : str
        The stage that it gives.
    sub_stage : str
        The part of the stage; may be empty.
    touchpoints : tuple of str
        Names, or patterns with `*` and `?`; none means any touchpoint.
    channels : tuple of str
        Likewise for channels.
    where : mapping of str to tuple
        Property → the values that it may have.
    after : tuple of str
        Touchpoints, names or patterns: the rule holds only after the
        customer's first event at one of them. So a visit can be awareness
        before the first order and retention later.
    """

    stage: str
    sub_stage: str = ""
    touchpoints: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    where: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    after: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class StageModel:
    """Ordered stages and the rules that map events to them.

    Rules are tried in order and the first that fits decides; rules with
    `after` are tried before all others, for the events that lie after the
    customer's first event at one of those touchpoints (an event at the same
    instant as it, stored later, lies after it). An event that no rule fits is *unmapped*: it
    stays in the log, without a stage, and is listed in `log.unmapped`.

    Attributes
    ----------
    name : str
        For example `"digital"`.
    stage_list : tuple of Stage
        The stages in order.
    rules : tuple of StageRule
        What gives them.
    attributes : mapping
        Touchpoint → what else is known of it: `initiative` ("active" or
        "passive" for the customer), `media` ("paid", "owned", "earned"),
        `service` ("self_service", "human"), `presence` ("online", "offline").

    Examples
    --------
    >>> model = jk.StageModel.of({"browse": ["visit", "search*"], "buy": ["order"]})
    >>> model.stages
    ('browse', 'buy')
    >>> model = jk.StageModel.digital()
    >>> model.stages
    ('awareness', 'consideration', 'purchase', 'retention', 'advocacy')
    """

    name: str
    stage_list: tuple[Stage, ...]
    rules: tuple[StageRule, ...]
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse stages that repeat and rules for stages that are not there."""
        names = self.stages
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"a stage model needs stages with different names, got {list(names)}")
        for rule in self.rules:
            if rule.stage not in names:
                raise ParameterError(f"rules must name stages among {list(names)}, got {rule.stage!r}")
            known_parts = next(stage.sub_stages for stage in self.stage_list if stage.name == rule.stage)
            if rule.sub_stage and rule.sub_stage not in known_parts:
                raise ParameterError(
                    f"stage {rule.stage!r} has the sub-stages {list(known_parts)}, got {rule.sub_stage!r}"
                )

    # -- making one ------------------------------------------------------------------------

    @classmethod
    def of(cls, stages: Mapping[str, str | Iterable[str]], *, name: str = "own") -> StageModel:
        """Make a model from stage → touchpoints (names or patterns), in order."""
        rules = tuple(
            StageRule(stage, touchpoints=(touchpoints,) if isinstance(touchpoints, str) else tuple(touchpoints))
            for stage, touchpoints in stages.items()
        )
        return cls(name, tuple(Stage(stage) for stage in stages), rules)

    @classmethod
    def digital(cls) -> StageModel:
        """Return the five digital stages: awareness, consideration, purchase, retention, advocacy."""
        return cls._shipped("digital")

    @classmethod
    def ecommerce(cls) -> StageModel:
        """Return the e-commerce stages: pre_purchase, purchase, post_purchase, ongoing_relationship."""
        return cls._shipped("ecommerce")

    @classmethod
    def _shipped(cls, name: str) -> StageModel:
        known = tomllib.loads((_SHIPPED / "touchpoints.toml").read_text(encoding="utf-8"))
        return replace(cls.from_toml(_SHIPPED / f"{name}.toml"), attributes=known)

    @classmethod
    def from_toml(cls, source: Any) -> StageModel:
        """Read a model from a TOML file.

        Parameters
        ----------
        source : str or Path
            A file such as the two that ship in `journeykit/journey/vocabulary`:
            `name`, `[[stages]]` (name, phase, sub_stages) and `[[rules]]`
            (stage, sub_stage, touchpoints, channels, where, after).
        """
        path = Path(source) if isinstance(source, str) else source
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ParameterError(f"there is no stage model {str(source)!r}") from error
        except tomllib.TOMLDecodeError as error:
            raise ParameterError(f"{str(source)!r} is not valid TOML: {error}") from error
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StageModel:
        """Make a model from what `to_dict` returns or a TOML file holds."""
        _check_keys("a stage model", data, ("name", "stages", "rules", "attributes"))
        for each in data.get("stages", ()):
            _check_keys("a stage", each, ("name", "phase", "sub_stages", "counterparts"))
        for each in data.get("rules", ()):
            _check_keys("a rule", each, ("stage", "sub_stage", "touchpoints", "channels", "where", "after"))
        return cls(
            name=data.get("name", "own"),
            stage_list=tuple(
                Stage(
                    each["name"],
                    each.get("phase", ""),
                    _tuple(each.get("sub_stages", ())),
                    _tuple(each.get("counterparts", ())),
                )
                for each in data.get("stages", ())
            ),
            rules=tuple(
                StageRule(
                    stage=each["stage"],
                    sub_stage=each.get("sub_stage", ""),
                    touchpoints=_tuple(each.get("touchpoints", ())),
                    channels=_tuple(each.get("channels", ())),
                    where={column: _tuple(values) for column, values in each.get("where", {}).items()},
                    after=_tuple(each.get("after", ())),
                )
                for each in data.get("rules", ())
            ),
            attributes=data.get("attributes", {}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain data: what `from_dict` reads."""
        rules = [
            {
                "stage": rule.stage,
                "sub_stage": rule.sub_stage,
                "touchpoints": list(rule.touchpoints),
                "channels": list(rule.channels),
                "where": {column: list(values) for column, values in rule.where.items()},
                "after": list(rule.after),
            }
            for rule in self.rules
        ]
        stages = [
            {
                "name": stage.name,
                "phase": stage.phase,
                "sub_stages": list(stage.sub_stages),
                "counterparts": list(stage.counterparts),
            }
            for stage in self.stage_list
        ]
        return {
            "name": self.name,
            "stages": stages,
            "rules": [{key: value for key, value in rule.items() if value} for rule in rules],
            "attributes": {name: dict(known) for name, known in self.attributes.items()},
        }

    # -- using it --------------------------------------------------------------------------

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(stage.name for stage in self.stage_list)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Touchpoint names (not patterns) that the rules know, sorted."""
        names = {name for rule in self.rules for name in rule.touchpoints if not _is_pattern(name)}
        return tuple(sorted(names))

    def codes(self, log: InteractionLog) -> NDArray[np.int16]:
        """Position of each event's stage in `stages`; -1 where no rule fits."""
        positions = np.array([*(self.stages.index(rule.stage) for rule in self.rules), -1], dtype=np.int16)
        return positions[self.rule_codes(log)]

    @cached_property
    def derived(self) -> tuple[str, ...]:
        """Columns that the model adds to a log: see `derive`."""
        return ("phase", "sub_stage", *dict.fromkeys(key for known in self.attributes.values() for key in known))

    def derive(self, column: str, log: InteractionLog) -> pd.Series:
        """One entry an event, categorical, missing where unknown.

        Parameters
        ----------
        column : str
            `"phase"` and `"sub_stage"` follow the event's stage; any other
            is an attribute of its touchpoint, such as `"media"`.
        log : InteractionLog
            The events.
        """
        if column == "sub_stage":
            order = list(dict.fromkeys(part for stage in self.stage_list for part in stage.sub_stages))
            names = [*(rule.sub_stage or None for rule in self.rules), None]
            values = np.array(names, dtype=object)[self._rules_as_staged(log)]
        elif column == "phase":
            order = list(dict.fromkeys(stage.phase for stage in self.stage_list if stage.phase))
            names = [*(stage.phase or None for stage in self.stage_list), None]
            codes = self.codes(log) if log.stage_codes is None else log.stage_codes
            values = np.array(names, dtype=object)[codes]
        else:
            order = sorted({known[column] for known in self.attributes.values() if column in known})
            names = [self.attributes.get(name, {}).get(column) for name in log.touchpoints]
            values = np.array(names, dtype=object)[log.touchpoint_codes]
        return pd.Series(pd.Categorical(values, order), name=column)

    def rule_codes(self, log: InteractionLog) -> NDArray[np.int16]:
        """Position in `rules` of the rule that decides each event; -1 where none fits."""
        plain = [i for i, rule in enumerate(self.rules) if not rule.after]
        decided = np.full(log.n_events, -1, dtype=np.int16)
        for i in reversed(plain):  # the first rule wins: let it write last
            decided[_fits(self.rules[i], log)] = i
        for i in reversed([i for i, rule in enumerate(self.rules) if rule.after]):
            rule = self.rules[i]
            anchor = _named(log.touchpoints, rule.after)[log.touchpoint_codes]
            decided[_fits(rule, log) & _after_first(anchor, log)] = i
        return decided

    def _rules_as_staged(self, log: InteractionLog) -> NDArray[np.int16]:
        """Find the rules behind the stages that the events have, also where the past that decided them is cut off."""
        decided = self.rule_codes(log)
        if log.stage_codes is None:
            return decided
        stage_of = np.array([*(self.stages.index(rule.stage) for rule in self.rules), -1], dtype=np.int16)
        other = stage_of[decided] != log.stage_codes
        if not other.any():
            return decided
        decided[other] = -1
        by_priority = sorted(
            range(len(self.rules)), key=lambda i: not self.rules[i].after
        )  # what came before is missing
        for i in reversed(by_priority):
            decided[other & (log.stage_codes == stage_of[i]) & _fits(self.rules[i], log)] = i
        return decided

    def __repr__(self) -> str:
        """Name and stages."""
        return f"StageModel({self.name!r}: {' → '.join(self.stages)}; {len(self.rules)} rules)"


def _fits(rule: StageRule, log: InteractionLog) -> NDArray[np.bool_]:
    fits = np.ones(log.n_events, dtype=bool)
    if rule.touchpoints:
        fits &= _named(log.touchpoints, rule.touchpoints)[log.touchpoint_codes]
    if rule.channels:
        if log.channel_codes is None or log.channels is None:
            return np.zeros(log.n_events, dtype=bool)
        fits &= np.append(_named(log.channels, rule.channels), False)[log.channel_codes]
    for column, values in rule.where.items():
        if column not in log.columns:
            return np.zeros(log.n_events, dtype=bool)
        fits &= log.column(column).isin(values).to_numpy()
    return fits


def _named(names: pd.Index, patterns: tuple[str, ...]) -> NDArray[np.bool_]:
    """Mark the names that equal one of the words or match one of the patterns."""
    words = {pattern for pattern in patterns if not _is_pattern(pattern)}
    globs = [re.compile(glob_regex(pattern)) for pattern in patterns if _is_pattern(pattern)]
    return np.array([name in words or any(glob.fullmatch(name) for glob in globs) for name in names], dtype=bool)


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _after_first(anchor: NDArray[np.bool_], log: InteractionLog) -> NDArray[np.bool_]:
    """Mark the events that follow their customer's first marked event."""
    before: NDArray[np.int64] = np.cumsum(anchor) - anchor  # marked events before this one, in the whole log
    marked: NDArray[np.bool_] = before > np.repeat(before[log.offsets[:-1]], np.diff(log.offsets))
    return marked


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _check_keys(what: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = [key for key in data if key not in known]
    if unknown:
        raise ParameterError(f"{what} has the keys {list(known)}, got {unknown}")
