"""Covariates as the numbers of a model: levels against the largest, and what is missing told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import Floats
from journeykit.schema import MISSING

JOINED = "(other)"
FEWEST_IN_LEVEL = 10
"""Levels with fewer events than this are joined into one: alone they say nothing."""

FEWEST_EVENTS = 5
"""Events that each coefficient needs (Vittinghoff & McCulloch 2007)."""

ROUND = (1.0, 2.0, 5.0)
MOST_LEVELS = 100


@dataclass(frozen=True)
class Term:
    """One covariate, as a model sees it.

    Attributes
    ----------
    name : str
        Of the column.
    levels : tuple of str
        Of a categorical covariate: those with a coefficient, after the
        `reference`; empty for a number.
    reference : str
        The largest level.
    joined : tuple of str
        Levels that stand together as "(other)".
    usual : float or str
        What is put where a number is missing: the median; of a category the
        most frequent level.
    has_missing : bool
        Whether numbers were missing: then "is missing" has a coefficient.
    step : float
        For how much of a number the effect is shown.
    """

    name: str
    levels: tuple[str, ...] = ()
    reference: str = ""
    joined: tuple[str, ...] = ()
    usual: Any = 0.0
    has_missing: bool = False
    step: float = 1.0

    @property
    def is_number(self) -> bool:
        """Whether it is a number; else it has levels."""
        return not self.reference

    @property
    def columns(self) -> list[str]:
        """Names of its columns in a design."""
        if not self.is_number:
            return [f"{self.name} = {level}" for level in self.levels]
        return [self.name, *([f"{self.name} = {MISSING}"] if self.has_missing else [])]

    def design(self, values: pd.Series) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Lay the values out as columns; mark rows whose level was never seen, which count as the reference."""
        if self.is_number:
            numbers = as_numbers(values, self.name)
            missing = np.isnan(numbers)
            if missing.any() and not self.has_missing:
                # Nothing is known of those for whom it is missing: they count as usual.
                return np.where(missing, self.usual, numbers)[:, np.newaxis], missing
            filled = np.where(missing, self.usual, numbers)
            columns = [filled, missing.astype(float)] if self.has_missing else [filled]
            return np.column_stack(columns), np.zeros(len(numbers), bool)
        codes, there = coded(values)
        known = (self.reference, *self.levels, *self.joined)
        other = self.levels.index(JOINED) if JOINED in self.levels else -1
        place = np.array(
            [
                self.levels.index(name)
                if name in self.levels
                else other
                if name in self.joined or name not in known
                else -1
                for name in there
            ],
            dtype=np.int64,
        )
        unseen = np.array([name not in known for name in there], dtype=bool)
        found = np.zeros((len(codes), len(self.levels)))
        at = place[codes]
        rows = np.flatnonzero(at >= 0)
        found[rows, at[rows]] = 1.0
        return found, unseen[codes]


def as_numbers(values: Any, name: str) -> Floats:
    """Read numbers, with NaN where missing."""
    series = pd.Series(values)
    if not pd.api.types.is_numeric_dtype(series.dtype) or isinstance(series.dtype, pd.CategoricalDtype):
        raise ParameterError(f"covariate {name!r} was a number when the model was fitted, got {series.dtype}")
    numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(numbers).any():
        raise ParameterError(f"covariate {name!r} is infinite for some customers")
    return numbers


def as_names(values: Any) -> npt.NDArray[Any]:
    """Read names, with one for missing."""
    codes, names = coded(values)
    return names[codes]


def coded(values: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Read names as places in a sorted list of those that occur."""
    codes, levels = pd.factorize(pd.Series(values))
    there = [str(level) for level in levels]
    if (codes < 0).any():
        codes = np.where(codes < 0, len(there), codes)
        there.append(MISSING)
    # 1 and "1" read the same, and so does a level that is called as the missing are.
    names, place = np.unique(np.array(there, dtype=str), return_inverse=True)
    return place[codes], names


def most_frequent(values: Any) -> str:
    """Name that most have; the first in order of several."""
    codes, names = coded(values)
    return str(names[np.argmax(np.bincount(codes))])


def settle_terms(table: pd.DataFrame, names: Sequence[str], event: npt.NDArray[np.bool_]) -> tuple[Term, ...]:
    """Decide how each covariate enters a model, from the rows that it is fitted to."""
    return tuple(_settle(table[name], str(name), event) for name in names)


def _settle(values: pd.Series, name: str, event: npt.NDArray[np.bool_]) -> Term:
    number = pd.api.types.is_numeric_dtype(values.dtype) and not isinstance(values.dtype, pd.CategoricalDtype)
    if number:
        numbers = as_numbers(values, name)
        there = numbers[~np.isnan(numbers)]
        if len(there) == 0 or there.min() == there.max():
            what = "never known" if len(there) == 0 else f"{there[0]:g} for everybody"
            raise ParameterError(f"covariate {name!r} explains nothing: it is {what}; leave it out")
        return Term(name, usual=float(np.median(there)), has_missing=len(there) < len(numbers), step=_step(there))
    codes, levels = coded(values)
    counts = np.bincount(codes)
    if len(levels) == 1:
        raise ParameterError(
            f"covariate {name!r} explains nothing: it is {str(levels[0])!r} for everybody; leave it out"
        )
    if len(levels) > MOST_LEVELS:
        raise ParameterError(
            f"covariate {name!r} has {len(levels):,} levels, at most {MOST_LEVELS} can be told apart: group them first"
        )
    events = np.bincount(codes, event, len(levels))
    largest = int(np.argmax(counts))
    rare = [i for i in range(len(levels)) if i != largest and events[i] < FEWEST_IN_LEVEL]
    order = sorted((i for i in range(len(levels)) if i != largest and i not in rare), key=lambda i: -counts[i])
    kept = [str(levels[i]) for i in order]
    if len(rare) == 1:
        kept, rare = [*kept, str(levels[rare[0]])], []
    if rare:
        kept.append(JOINED)
    reference = str(levels[largest])
    joined = tuple(str(levels[i]) for i in rare)
    if kept == [JOINED] and events[largest] < FEWEST_IN_LEVEL:
        raise ParameterError(f"covariate {name!r} has no level with {FEWEST_IN_LEVEL} who left; leave it out")
    return Term(name, tuple(kept), reference, joined, usual=reference)


def _step(numbers: Floats) -> float:
    """Choose for how much to show an effect: 1 where that is a usual difference, else a round number near one."""
    spread = float(numbers.std())
    if 0.3 <= spread <= 3 or set(np.unique(numbers[:1000]).tolist()) <= {0.0, 1.0}:
        return 1.0
    power = 10.0 ** np.floor(np.log10(spread))
    return float(max(each * power for each in ROUND if each * power <= spread * 1.0000001))


def design_of(terms: Sequence[Term], table: pd.DataFrame) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Lay out all covariates as numbers; mark rows with a level, or a missing number, that was never seen."""
    absent = [term.name for term in terms if term.name not in table]
    if absent:
        raise ParameterError(f"covariates of the model are not there: {absent}")
    parts, unseen = [], np.zeros(len(table), bool)
    names: list[str] = []
    for term in terms:
        columns, odd = term.design(table[term.name])
        parts.append(columns)
        names += term.columns
        unseen |= odd
    values = np.column_stack(parts) if parts else np.zeros((len(table), 0))
    return pd.DataFrame(values, columns=names), unseen


def refuse_too_few(events: int, columns: int, penalized: bool) -> None:
    """Raise where there are too few events for so many coefficients."""
    if events < FEWEST_EVENTS * columns and not penalized:
        raise ParameterError(
            f"{events} who left are too few for {columns} coefficients, {FEWEST_EVENTS} each are needed: "
            "ask for fewer covariates, or give a penalizer"
        )


def contributions(
    terms: Sequence[Term], design: pd.DataFrame, coefficients: Floats, usual: Mapping[str, float]
) -> pd.DataFrame:
    """Add up what each covariate contributes to the logarithm of the hazard, against a usual customer."""
    values = design.to_numpy() - np.array([usual[name] for name in design.columns])
    parts = values * coefficients
    found, place = {}, 0
    for term in terms:
        found[term.name] = parts[:, place : place + len(term.columns)].sum(axis=1)
        place += len(term.columns)
    return pd.DataFrame(found)


def usual_of(terms: Sequence[Term], table: pd.DataFrame) -> dict[str, float]:
    """Describe the usual customer: the median of each number, the most frequent level of each category."""
    usual: dict[str, float] = {}
    for term in terms:
        if term.is_number:
            numbers = as_numbers(table[term.name], term.name)
            there = numbers[~np.isnan(numbers)]
            value: Any = float(np.median(there)) if len(there) else term.usual
        else:
            value = most_frequent(table[term.name]) if len(table) else term.usual
        row, _ = term.design(pd.Series([value]))
        usual |= dict(zip(term.columns, row[0].tolist(), strict=True))
    return usual


def stratum_names(table: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[Any]:
    """Join the names of the columns that make a stratum."""
    parts = [as_names(table[name]).astype(object) for name in names]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined + " · " + part
    return np.asarray(joined.astype(str))
