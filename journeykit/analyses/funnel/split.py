"""A log's events laid out once per value: what `hold` and `by_value="all"` match separately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.funnel.kinds import Kinds
from journeykit.analyses.funnel.plan import Plan
from journeykit.log.build import group_rows
from journeykit.log.interactions import InteractionLog, label_codes

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Events of each unit put together by value; a unit with one value is a *piece*.

    Attributes
    ----------
    rows : array of int64
        The position in the log of each event, a piece after another, in order
        inside each.
    offsets : array of int64, shape (pieces + 1,)
        Where each piece begins.
    units : array of int32, shape (pieces,)
        Whose it is.
    groups : array of int32, shape (pieces,), or None
        Its group, with `by_value="all"`.
    no_value : array of bool, shape (units,)
        Units with events that could begin an attempt, of which none has a value
        that is held.
    """

    rows: Longs
    offsets: Longs
    units: Ints
    groups: Ints | None
    no_value: npt.NDArray[np.bool_]

    def owner_of_choice(self, n_groups: int) -> Longs:
        """Number each piece's unit, and group if groups are matched separately: of these one piece is chosen."""
        if self.groups is None:
            return self.units.astype(np.int64)
        return self.units.astype(np.int64) * n_groups + self.groups


def split_units(log: InteractionLog, plan: Plan, kinds: Kinds, codes: Ints | None) -> Split | None:
    """Lay the events out by held values and, if each value is a funnel of its own, by group; None without either."""
    if not plan.hold and not plan.all_values:
        return None
    value, n_values = np.zeros(log.n_events, np.int64), 1
    keep = np.ones(log.n_events, dtype=bool)
    if plan.all_values:
        assert codes is not None
        value, n_values = codes.astype(np.int64), len(plan.labels)
    for column in plan.hold:
        own, labels = label_codes(log, column)
        keep &= own != len(labels) - 1  # an event without a value has it in common with no other
        value, n_values = _compact(value * len(labels) + own, n_values * len(labels))
    begins = _may_begin(plan, kinds)[kinds.kind_of[kinds.codes]]
    lacking = np.zeros(log.n_customers, dtype=bool)
    if plan.hold:
        opens_from, _, opens_until = plan.opens(log)
        inside = begins & (log.times >= opens_from) & (log.times < opens_until)
        lacking[log.customer_codes[inside & ~keep]] = True
        lacking[log.customer_codes[inside & keep]] = False
    if plan.order != "strict":  # there every event counts
        keep &= kinds.kind_of[kinds.codes] != 0
    rows = _by_unit_and_value(log, np.flatnonzero(keep), value, n_values)
    units, values = log.customer_codes[rows], value[rows]
    first = np.flatnonzero(
        np.concatenate([[True], (units[1:] != units[:-1]) | (values[1:] != values[:-1])])[: len(rows)]
    )
    offsets = np.append(first, len(rows)).astype(np.int64)
    groups = codes[rows[first]] if plan.all_values and codes is not None else None
    split = Split(rows, offsets, units[first], groups, lacking)
    return _with_first_entries(log, plan, split, begins, codes) if plan.hold and plan.entry == "first" else split


def _may_begin(plan: Plan, kinds: Kinds) -> npt.NDArray[np.bool_]:
    """Which kinds begin an attempt: a step 1, or any step where order has no say."""
    if plan.order == "any":
        return np.asarray(kinds.has_step.any(axis=1))
    return np.asarray(kinds.has_step[:, 1] > 0)


def _compact(value: Longs, n_values: int) -> tuple[Longs, int]:
    """Renumber the values, in their order, where they are far apart."""
    if n_values <= 1_000_000:
        return value, n_values
    codes, found = pd.factorize(value, sort=True)
    return codes.astype(np.int64), len(found)


def _by_unit_and_value(log: InteractionLog, rows: Longs, value: Longs, n_values: int) -> Longs:
    """Sort events by unit, then value, then as they were: two counting sorts."""
    order, _ = group_rows(value[rows].astype(np.int32), n_values)
    rows = rows[order]
    order, _ = group_rows(log.customer_codes[rows], log.n_customers)
    found: Longs = rows[order]
    return found


def _with_first_entries(
    log: InteractionLog, plan: Plan, split: Split, begins: npt.NDArray[np.bool_], codes: Ints | None
) -> Split:
    """Keep the pieces that hold the unit's first entry, whatever its value: with `entry="first"` no other counts."""
    n_groups = max(1, len(plan.labels))
    rows = np.flatnonzero(begins)
    whose = log.customer_codes[rows].astype(np.int64)
    if split.groups is not None and codes is not None:
        whose = whose * n_groups + codes[rows]
    owners, at = np.unique(whose, return_index=True)
    first_row = rows[at]
    pieces = np.repeat(np.arange(len(split.units)), np.diff(split.offsets))
    here = np.flatnonzero(begins[split.rows])
    piece, at = np.unique(pieces[here], return_index=True)
    own_first = split.rows[here[at]]
    wanted = first_row[np.searchsorted(owners, split.owner_of_choice(n_groups)[piece])]
    same = own_first == wanted if plan.ties == "stored" else log.times[own_first] == log.times[wanted]
    stays = np.zeros(len(split.units), dtype=bool)
    stays[piece[same]] = True
    sizes = np.diff(split.offsets)[stays]
    return Split(
        split.rows[stays[pieces]],
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        split.units[stays],
        None if split.groups is None else split.groups[stays],
        split.no_value,
    )
