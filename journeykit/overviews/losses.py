"""What is counted for opportunities over any set of whole customers.

Customers are cut into two halves by a hash of their id. The first half chooses
(what to compare with, and what to list in which order); the second estimates,
with bootstrap replicates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.friction.counts import (
    Asked,
    Base,
    cell_of,
    find_base,
    find_kinds,
    small_unique,
    strata_at_entry,
    stratum_keys,
    walk,
)
from journeykit.estimators.bootstrap import Keys, customer_keys
from journeykit.estimators.bootstrap_cells import bootstrap_cells
from journeykit.estimators.odds import CELLS
from journeykit.log.interactions import InteractionLog, label_codes
from journeykit.loops.frictions import NEVER

FIRST = "first"
"""The column of sums over the half that chooses; the others are replicates of the half that estimates."""

_SALT = np.uint64(0x6A09E667F3BCC908)
EVERYBODY = ""
"""In the place of a column and a segment: all customers."""


@dataclass(frozen=True)
class Question:
    """What is asked: attempts and causes, the columns that split customers, and the bootstrap."""

    frictions: Asked
    by: tuple[str, ...]
    seed: int
    replicates: int

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.frictions.attempts.steps)


def keys_of(log: InteractionLog) -> Keys:
    """Each unit's owner as a key, for halves and weights."""
    return customer_keys(log.owners)[log.owner_codes]


def in_first_half(keys: Keys) -> NDArray[np.bool_]:
    """Tell who belongs to the half that chooses: the same in any log and any bucket."""
    mixed: Keys = pd.util.hash_array(keys ^ _SALT)
    return np.asarray((mixed >> np.uint64(63)) == 0)


def quantities(n_steps: int) -> list[str]:
    """Names of what is summed over customers: how many reached step k, and what they brought from then on."""
    return [*(f"customers_{k}" for k in range(1, n_steps + 1)), *(f"value_{k}" for k in range(2, n_steps + 1))]


def count_losses(log: InteractionLog, question: Question) -> pd.DataFrame:
    """Tally: sums over the first half, and over the second in every replicate.

    Index: `part` ("leak", "friction"), `of` (a column, or a cause), `group` (a
    segment, or a stratum), `what` (of `quantities`, or a cell).
    """
    asked = question.frictions
    base = find_base(log, asked.attempts)
    who = np.flatnonzero(base.entry_event >= 0)
    sums = customer_sums(log, base, who, question.n_steps)
    contributions: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    keys: list[tuple[str, str, str, str]] = []
    for column in (EVERYBODY, *question.by):
        codes, names = segments_at_entry(log, base, who, column)
        groups, place = small_unique(codes)
        for i, name in enumerate(quantities(question.n_steps)):
            some = np.flatnonzero(sums[:, i])
            contributions.append((who[some].astype(np.int32), _cells(len(keys), place[some]), sums[some, i]))
            keys += [("leak", column, str(names[group]), name) for group in groups]
    kinds, strata = find_kinds(log, asked), strata_at_entry(log, base, asked)
    for cause in asked.causes:
        pages = walk(log, base, kinds, cause)
        used, place = small_unique(cell_of(pages, strata, base.converted, question.n_steps))
        contributions.append((pages.who, _cells(len(keys), place), np.ones(len(place))))
        said = stratum_keys(used // len(CELLS), strata, question.n_steps)
        keys += [
            ("friction", cause.name, str(key), CELLS[cell])
            for key, cell in zip(said, (used % len(CELLS)).tolist(), strict=True)
        ]
    customers, cells, values = (np.concatenate(each) for each in zip(*contributions, strict=True))
    all_keys = keys_of(log)
    first = in_first_half(all_keys)
    chooses = first[customers]
    table = np.bincount(cells[chooses], weights=values[chooses], minlength=len(keys))[:, None]
    rows = np.flatnonzero(~first)
    position = np.cumsum(~first) - 1
    estimates = bootstrap_cells(
        position[customers[~chooses]], cells[~chooses], values[~chooses], len(keys), all_keys[rows],
        seed=question.seed, replicates=question.replicates,
    )  # fmt: skip
    index = pd.MultiIndex.from_tuples(keys, names=["part", "of", "group", "what"])
    return pd.DataFrame(np.hstack([table, estimates]), index=index, columns=[FIRST, *range(question.replicates + 1)])


def _cells(first: int, place: NDArray[np.int64]) -> NDArray[np.int32]:
    return (first + place).astype(np.int32)


def customer_sums(log: InteractionLog, base: Base, who: NDArray[np.int64], n_steps: int) -> NDArray[np.float64]:
    """One row a mature attempt: of each of `quantities`, whether the step was reached, and the value from then on."""
    entered = log.times[base.entry_event[who]]
    times = np.column_stack([entered, base.reached[who]])
    sums = np.zeros((len(who), 2 * n_steps - 1))
    sums[:, :n_steps] = times != NEVER
    if log.values is None:
        return sums
    valued = np.flatnonzero(~np.isnan(log.values))
    row = np.full(log.n_customers, -1, np.int64)
    row[who] = np.arange(len(who))
    rows = row[log.customer_codes[valued]]
    valued, rows = valued[rows >= 0], rows[rows >= 0]
    inside = log.times[valued] <= base.ends[who][rows]
    valued, rows = valued[inside], rows[inside]
    for k in range(1, n_steps):
        after = log.times[valued] >= times[rows, k]
        sums[:, n_steps + k - 1] = np.bincount(rows[after], weights=log.values[valued[after]], minlength=len(who))
    return sums


def segments_at_entry(
    log: InteractionLog, base: Base, who: NDArray[np.int64], column: str
) -> tuple[NDArray[np.int64], pd.Index]:
    """Code of each attempt's value of a column at its entry, and what the codes mean."""
    if column == EVERYBODY:
        return np.zeros(len(who), np.int64), pd.Index([EVERYBODY], dtype=object)
    codes, names = label_codes(log, column)
    return codes[base.entry_event[who]].astype(np.int64), names


def list_leak(log: InteractionLog, question: Question, column: str, segment: str, step: int) -> pd.DataFrame:
    """Tally: customers of a segment who reached a step (from 1) and not the next, by id."""
    base = find_base(log, question.frictions.attempts)
    who = np.flatnonzero(base.entry_event >= 0)
    codes, names = segments_at_entry(log, base, who, column)
    times = np.column_stack([log.times[base.entry_event[who]], base.reached[who]])
    stopped = (times[:, step - 1] != NEVER) & (times[:, step] == NEVER)
    mine = np.array([str(name) == segment for name in names])[codes]
    return pd.DataFrame({"n": 1}, index=log.customers[who[stopped & mine]])
