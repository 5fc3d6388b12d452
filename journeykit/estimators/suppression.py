"""Which counts of a table must stay unsaid, so that small ones can't be worked out from the others.

Leaving out the counts under a limit is not enough: totals, and differences
between neighbours, give them away. So further counts are left out until the
published ones allow a range of values for each that is not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

Relation = tuple[int, tuple[int, ...]]
"""A whole, and the parts that add up to it: places of cells."""

_ROUNDS: Final = 4
_FAR: Final = 1e6
_CLOSE: Final = 1e-6
"""Of whole numbers that come out of floating-point programmes."""


@dataclass
class Counts:
    """The counts of a table, and how they add up.

    Attributes
    ----------
    values : list of int
        One a cell, none below zero.
    relations : list of (int, tuple of int)
        Places of a whole and of its parts, which add up to it.
    hidden : set of int
        Cells that nobody prints, but that can be worked out: they are left
        alone, but protected if they are small.
    fixed : set of int
        Cells that are known anyway, such as the number of all customers.
    cheap : set of int
        Cells that a reader misses least: left out before others.
    """

    values: list[int] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    fixed: set[int] = field(default_factory=set)
    cheap: set[int] = field(default_factory=set)

    def add(self, value: int, *, hidden: bool = False, fixed: bool = False) -> int:
        """Add a cell; return its place."""
        place = len(self.values)
        self.values.append(int(value))
        if hidden:
            self.hidden.add(place)
        if fixed:
            self.fixed.add(place)
        return place

    def relate(self, whole: int, parts: Iterable[int]) -> None:
        """Say that parts add up to a whole. What is missing to it is a part that nobody prints."""
        known = tuple(parts)
        rest = self.values[whole] - sum(self.values[part] for part in known)
        if rest < 0:
            return  # they count different things: nothing follows from one for the other
        self.relations.append((whole, (*known, self.add(rest, hidden=True)) if rest else known))


def suppressed(counts: Counts, min_n: int) -> set[int]:
    """Choose the cells that are not to be published.

    First every count above zero and under `min_n`. Then, as long as a cell
    that isn't published could be narrowed down to fewer than `min_n` + 1
    values, the smallest published count that it adds up with.

    Parameters
    ----------
    counts : Counts
        The cells and how they add up.
    min_n : int
        The smallest count that may be said; below 2 everything may.

    Returns
    -------
    set of int
        Places of cells, hidden and fixed ones excluded.

    Notes
    -----
    What somebody can work out is taken as the range of a cell over all
    non-negative values that fit the published cells (two linear programmes a
    cell), as in auditing of complementary suppression: Willenborg & de Waal
    (2001), Elements of Statistical Disclosure Control, ch. 7.

    Examples
    --------
    Two of 30 bought in the shop: with the total and the others known, hiding
    that number alone would not help.

    >>> table = Counts()
    >>> web, shop, app, total = (table.add(n) for n in (20, 2, 8, 30))
    >>> table.relate(total, [web, shop, app])
    >>> sorted(suppressed(table, min_n=5)) == [shop, app]
    True
    """
    small = {place for place, value in enumerate(counts.values) if 0 < value < min_n}
    unsaid = small - counts.hidden - counts.fixed
    if min_n < 2 or not small:
        return unsaid
    of_cell = _relations_of(counts)
    _hide_companions(small - counts.fixed, counts, of_cell, unsaid, min_n)
    waiting = sorted(small - counts.fixed, reverse=True)
    settled: set[int] = set()
    while waiting:
        cell = waiting.pop()
        if cell in settled:
            continue
        group = _component(cell, counts, of_cell, unsaid)
        exposed = _exposed([each for each in group if each in unsaid | small], group, counts, of_cell, min_n)
        more = _next_cell(exposed, group, counts, of_cell, unsaid) if exposed else None
        if more is None:
            settled |= set(group)
        else:
            unsaid.add(more)
            waiting.append(more)
    return unsaid


def _hide_companions(
    small: set[int], counts: Counts, of_cell: Sequence[Sequence[int]], unsaid: set[int], min_n: int
) -> None:
    """Leave no relation with one unknown cell alone, or with unknown parts of a small sum: needed, not yet enough."""
    waiting = sorted({number for cell in small for number in of_cell[cell]}, reverse=True)
    while waiting:
        number = waiting.pop()
        whole, parts = counts.relations[number]
        unknown = [cell for cell in (whole, *parts) if cell in unsaid or cell in counts.hidden]
        lonely = len(unknown) == 1
        few = unknown and whole not in unknown and sum(counts.values[cell] for cell in unknown) < min_n
        if not (lonely or few) or not (unsaid | small).intersection(unknown):
            continue
        more = _next_cell(unknown, unknown, counts, {cell: [number] for cell in unknown}, unsaid)
        if more is not None:
            unsaid.add(more)
            waiting += of_cell[more]


def _relations_of(counts: Counts) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in counts.values]
    for number, (whole, parts) in enumerate(counts.relations):
        for cell in (whole, *parts):
            found[cell].append(number)
    return found


def _component(cell: int, counts: Counts, of_cell: Sequence[Sequence[int]], unsaid: set[int]) -> list[int]:
    """The unknown cells that hang together with one, by relations between unknown cells."""
    unknown = unsaid | counts.hidden
    seen, waiting = {cell}, [cell]
    while waiting:
        for number in of_cell[waiting.pop()]:
            whole, parts = counts.relations[number]
            for other in (whole, *parts):
                if other in unknown and other not in seen:
                    seen.add(other)
                    waiting.append(other)
    return sorted(seen)


def _exposed(
    cells: Sequence[int], group: Sequence[int], counts: Counts, of_cell: Sequence[Sequence[int]], min_n: int
) -> list[int]:
    """Those cells of a group to which what is published leaves no more than `min_n` values.

    A few programmes for many cells at once show most of them to be free; only
    the others need one of their own.
    """
    numbers = sorted({number for each in group for number in of_cell[each]})
    if not numbers:
        return []
    place = {each: i for i, each in enumerate(group)}
    matrix, known = _equations(numbers, place, counts)
    at = np.array([place[cell] for cell in cells])
    low = high = np.array([counts.values[each] for each in group], float)  # what is true is possible
    signs = np.random.default_rng(0)
    for _ in range(_ROUNDS):
        narrow = at[(high - low)[at] < min_n]
        if not len(narrow):
            return []
        aim = np.zeros(len(group))
        aim[narrow] = signs.choice([-1.0, 1.0], len(narrow))
        for found in (_extreme(aim, matrix, known), _extreme(-aim, matrix, known)):
            low, high = np.minimum(low, found), np.maximum(high, found)
    left = [cell for cell in cells if high[place[cell]] - low[place[cell]] < min_n]
    return [cell for cell in left if not _is_free(place[cell], matrix, known, min_n)]


def _is_free(at: int, matrix: csr_matrix, known: NDArray[np.float64], min_n: int) -> bool:
    aim = np.zeros(matrix.shape[1])
    aim[at] = 1
    low, high = (_extreme(sign * aim, matrix, known)[at] for sign in (1, -1))
    return bool(high - low >= min_n - _CLOSE)


def _extreme(aim: NDArray[np.float64], matrix: csr_matrix, known: NDArray[np.float64]) -> NDArray[np.float64]:
    """The possible values that make `aim` least; far beyond any need where there is no end."""
    equations: Any = matrix  # stubs, where there are any, know no sparse matrix here
    found = linprog(aim, A_eq=equations, b_eq=known, bounds=(0, _FAR + float(np.abs(known).max())), method="highs")
    return np.asarray(found.x, float)


def _equations(numbers: Sequence[int], place: dict[int, int], counts: Counts) -> tuple[csr_matrix, NDArray[np.float64]]:
    """The relations among unknown cells, parts minus whole, with the known cells on the right."""
    rows, columns, signs = [], [], []
    known = np.zeros(len(numbers))
    for row, number in enumerate(numbers):
        whole, parts = counts.relations[number]
        for cell, sign in [(whole, -1.0), *((part, 1.0) for part in parts)]:
            if cell in place:
                rows.append(row)
                columns.append(place[cell])
                signs.append(sign)
            else:
                known[row] -= sign * counts.values[cell]
    return csr_matrix((signs, (rows, columns)), shape=(len(numbers), len(place))), known


def _next_cell(
    exposed: Sequence[int],
    group: Sequence[int],
    counts: Counts,
    of_cell: Sequence[Sequence[int]] | Mapping[int, Sequence[int]],
    unsaid: set[int],
) -> int | None:
    """A cheap published count above zero, or else the smallest, that adds up with an exposed cell or with its group."""
    barred = unsaid | counts.hidden | counts.fixed
    for cells in (exposed, group):
        near = {
            other
            for cell in cells
            for number in of_cell[cell]
            for other in (counts.relations[number][0], *counts.relations[number][1])
        } - barred
        if near:
            return min(
                near, key=lambda each: (counts.values[each] == 0, each not in counts.cheap, counts.values[each], each)
            )
    return None
