"""What a conversion curve counts over any set of whole customers, as additive frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.conversion.entries import (
    CONVERTED,
    RUNNING,
    Entries,
    Longs,
    count_equal_keys,
    find_entries,
    n_distinct,
)
from journeykit.analyses.conversion.plan import Plan
from journeykit.estimators.clustered_tests import Scores
from journeykit.estimators.influence import CENSORED as STILL
from journeykit.estimators.influence import CHANGES, ENDED, OTHER, Influence, cluster_changes
from journeykit.journey.packing import Packing
from journeykit.log.interactions import InteractionLog


@dataclass(frozen=True)
class Key:
    """Number (group, kind), the place of a duration in a tally.

    Kinds are the ends, RUNNING among them; then `shadow`, for how long those
    who ended otherwise could have been watched; and `people`, customers.
    """

    n_groups: int
    n_ends: int
    longest: int

    @property
    def shadow(self) -> int:
        """Kind of the potential durations of those who ended otherwise."""
        return self.n_ends + 1

    @property
    def people(self) -> int:
        """Kind under which distinct customers are counted; group 0, duration 1: in the whole."""
        return self.n_ends + 2

    def index(self, groups: Longs, kinds: Any, durations: Longs) -> pd.Index:
        """Return the frame's index."""
        places = groups * (self.n_ends + 3) + kinds
        return self._packing.index(places, durations)

    def unpack(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Lay out `group`, `kind`, `duration`, `n`."""
        places, durations = self._packing.split(frame.index)
        width = self.n_ends + 3
        columns = {"group": places // width, "kind": places % width, "duration": durations}
        return pd.DataFrame({**columns, "n": frame["n"].to_numpy()})

    @property
    def _packing(self) -> Packing:
        return Packing(self.n_groups * (self.n_ends + 3), self.longest)


def key_of(log: Any, plan: Plan) -> Key:
    """Return the key of a log's counts: the same for the whole and each bucket."""
    return Key(len(plan.labels), len(plan.ends), max(log.observed_until - log.start, 2))


def count_entries(log: InteractionLog, plan: Plan) -> pd.DataFrame:
    """Tally: entries by group, end and duration, and the customers who entered."""
    key, found = key_of(log, plan), find_entries(log, plan)
    otherwise = found.ends > CONVERTED
    groups_of, everybody = _people(plan, found)
    parts = [
        (found.groups, found.ends, found.durations),
        (found.groups[otherwise], np.full(otherwise.sum(), key.shadow), found.limits[otherwise]),
        (groups_of, np.full(len(groups_of), key.people), np.zeros(len(groups_of), np.int64)),
        (np.zeros(everybody, np.int64), np.full(everybody, key.people), np.ones(everybody, np.int64)),
    ]
    groups, kinds, durations = (np.concatenate(each) for each in zip(*parts, strict=True))
    index = key.index(groups, kinds, durations)
    if isinstance(index, pd.MultiIndex):
        return pd.DataFrame({"n": np.ones(len(index), np.int64)}, index=index).groupby(level=[0, 1]).sum()
    packed, n = count_equal_keys(index.to_numpy())
    return pd.DataFrame({"n": n}, index=pd.Index(packed, name="key"))


def _people(plan: Plan, found: Entries) -> tuple[Longs, int]:
    """Return the group of each distinct customer and group, and the number of distinct customers."""
    everybody = n_distinct(found.customers)
    if plan.entries == "first":
        return found.groups, everybody
    pairs, _ = count_equal_keys(found.customers.astype(np.int64) * len(plan.labels) + found.groups)
    return pairs % len(plan.labels), everybody


@dataclass(frozen=True)
class Request:
    """What to sum within customers, now that the curves are known.

    Attributes
    ----------
    curves : mapping of (group, end) to Influence
        Each curve; its variance at every time.
    values : sequence of mapping of group to array, shape (3, times)
        What rows add to a value that is read off each group's curve: products
        of all pairs of groups.
    overall : Scores, optional
        Of the test of all groups.
    pairs : mapping of (group, group) to Scores
        Of the test of two.
    groups : sequence of int
        The groups of `overall`, in order.
    """

    curves: dict[tuple[int, int], Influence]
    values: Sequence[dict[int, Any]]
    groups: tuple[int, ...] = ()
    overall: Scores | None = None
    pairs: dict[tuple[int, int], Scores] | None = None


CURVE, VALUE, OVERALL, PAIR = range(4)
"""What a row of `sum_clusters` is of."""

SUMMED = ["what", "a", "b", "place"]


def sum_clusters(log: InteractionLog, plan: Plan, request: Request) -> pd.DataFrame:
    """Tally: sums over owners of what their entries add together; products stand in the column `mm`."""
    found = find_entries(log, plan)
    owners = log.owner_codes[found.customers] if len(found.customers) else np.zeros(0, np.int32)
    parts = []
    for (group, end), influence in request.curves.items():
        own = found.groups == group
        changes = cluster_changes(
            owners[own], influence.places(found.durations[own]), ways(found.ends[own], end), influence
        )
        parts.append(_labelled(changes.reset_index(), CURVE, group, end))
    n_owners = len(log.owners)
    for number, values in enumerate(request.values):
        sums = {}
        for group, value in values.items():
            own = found.groups == group
            place = request.curves[group, CONVERTED].places(found.durations[own])
            rows = value[ways(found.ends[own], CONVERTED), place]
            sums[group] = np.bincount(owners[own], rows, minlength=n_owners)
        parts.append(_products(sums, VALUE, number))
    if request.overall is not None:
        parts.append(_products(_score_sums(found, request.groups, request.overall, owners, n_owners), OVERALL, 0))
    for (a, b), scores in (request.pairs or {}).items():
        sums = _score_sums(found, (a, b), scores, owners, n_owners)
        square = pd.DataFrame({"place": [0], "mm": [float(sums[a] @ sums[a])]})
        parts.append(_labelled(square, PAIR, a, b))
    summed = pd.concat(parts, ignore_index=True).reindex(columns=[*SUMMED, *CHANGES]).fillna(0.0)
    return summed.astype(dict.fromkeys(SUMMED, np.int64)).set_index(SUMMED)


def ways(ends: Longs, end: int) -> Longs:
    """Say how rows end as a curve of one end sees it."""
    return np.where(ends == RUNNING, STILL, np.where(ends == end, ENDED, OTHER)).astype(np.int64)


def watched_for_test(found: Entries) -> Longs:
    """Durations for a test of converting: who ended otherwise never does, and is kept as long as could be watched."""
    return np.where(found.ends > CONVERTED, found.limits, found.durations)


def _score_sums(found: Entries, groups: Sequence[int], scores: Scores, owners: Any, n_owners: int) -> dict[int, Any]:
    among = np.isin(found.groups, groups)
    durations, ended, of = watched_for_test(found)[among], found.ends[among] == CONVERTED, found.groups[among]
    return {
        group: np.bincount(owners[among], scores.of_rows(i, of == group, durations, ended), minlength=n_owners)
        for i, group in enumerate(groups)
    }


def _products(sums: dict[int, Any], what: int, number: int) -> pd.DataFrame:
    rows = [
        {"what": what, "a": a, "b": b, "place": number, "mm": float(x @ y)}
        for a, x in sums.items()
        for b, y in sums.items()
    ]
    return pd.DataFrame(rows, columns=["what", "a", "b", "place", "mm"])


def _labelled(frame: pd.DataFrame, what: int, a: int, b: int) -> pd.DataFrame:
    return frame.assign(what=what, a=a, b=b)


def list_customers(log: InteractionLog, plan: Plan, group: int, who: str) -> pd.DataFrame:
    """Tally: the customers with an entry of a kind, one row each."""
    found = find_entries(log, plan)
    whole = found.durations == (-1 if plan.within is None else plan.within)
    chosen = {
        "entered": np.ones(len(found.ends), dtype=bool),
        "censored": (found.ends == RUNNING) & ~whole,
        "unconverted": (found.ends == RUNNING) & whole,
        **{name: found.ends == kind for kind, name in enumerate(plan.ends, start=CONVERTED)},
    }[who]
    if group >= 0:
        chosen &= found.groups == group
    ids = log.customers[np.sort(pd.unique(found.customers[chosen]))]
    return pd.DataFrame({"n": np.ones(len(ids), np.int64)}, index=ids.rename("customer"))
