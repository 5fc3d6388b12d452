"""Counts under a limit can't be worked out from those that are published."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from journeykit.estimators.suppression import Counts, suppressed


def table_of(rows):
    """A table with both margins and the grand total."""
    counts = Counts()
    cells = [[counts.add(value) for value in row] for row in rows]
    by_row = [counts.add(sum(row)) for row in rows]
    by_column = [counts.add(sum(column)) for column in zip(*rows, strict=True)]
    total = counts.add(sum(map(sum, rows)), fixed=True)
    for whole, parts in zip(by_row, cells, strict=True):
        counts.relate(whole, parts)
    for whole, parts in zip(by_column, zip(*cells, strict=True), strict=True):
        counts.relate(whole, parts)
    counts.relate(total, by_row)
    counts.relate(total, by_column)
    return counts, cells


def funnel_of(drops, last):
    """Customers per step: each is the next one and those who dropped before it."""
    counts = Counts()
    sizes = [last + sum(drops[place:]) for place in range(len(drops) + 1)]
    steps = [counts.add(size, fixed=place == 0) for place, size in enumerate(sizes)]
    dropped = [counts.add(drop) for drop in drops]
    for place, drop in enumerate(dropped):
        counts.relate(steps[place], [steps[place + 1], drop])
    return counts


def possible(counts, cell, unsaid):
    """The least and largest whole number that a cell can be for somebody who knows all published ones."""
    unknown = sorted(unsaid | counts.hidden)
    at = {each: place for place, each in enumerate(unknown)}
    matrix, known = np.zeros((len(counts.relations), len(unknown))), np.zeros(len(counts.relations))
    for row, (whole, parts) in enumerate(counts.relations):
        for each, sign in [(whole, -1), *((part, 1) for part in parts)]:
            if each in at:
                matrix[row, at[each]] += sign
            else:
                known[row] -= sign * counts.values[each]
    ends = []
    for sign in (1, -1):
        aim = np.zeros(len(unknown))
        aim[at[cell]] = sign
        found = milp(
            aim,
            constraints=LinearConstraint(matrix, known, known),
            bounds=Bounds(0, 10_000),
            integrality=np.ones(len(unknown)),
        )
        assert found.success
        ends.append(round(sign * found.fun))
    return ends


def check(counts, min_n):
    unsaid = suppressed(counts, min_n)
    small = {place for place, value in enumerate(counts.values) if 0 < value < min_n} - counts.fixed
    assert small - counts.hidden <= unsaid
    assert not unsaid & (counts.hidden | counts.fixed)
    rest = {place for place in range(len(counts.values))} - unsaid - counts.hidden - counts.fixed
    for cell in sorted(unsaid | (small & counts.hidden)):
        low, high = possible(counts, cell, unsaid)
        # Either many values are left, or everything that could be left unsaid is: the table itself is too small.
        assert high - low >= min_n or not connected(counts, cell, unsaid, rest), (cell, low, high)
    return unsaid


def connected(counts, cell, unsaid, rest):
    """Published cells that still add up with the cell, directly or by way of others that are not published."""
    seen, grown = {cell}, True
    while grown:
        touching = {each for whole, parts in counts.relations if seen & {whole, *parts} for each in (whole, *parts)}
        fresh = (touching & (unsaid | counts.hidden)) - seen
        seen, grown = seen | fresh, bool(fresh)
    return touching & rest


@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(st.integers(0, 12), min_size=width, max_size=width), min_size=1, max_size=4)
    ),
    min_n=st.sampled_from([2, 3, 5]),
)
def test_no_small_count_can_be_worked_out_from_a_table_and_its_margins(rows, min_n):
    check(table_of(rows)[0], min_n)


@given(
    drops=st.lists(st.integers(0, 15), min_size=1, max_size=6), last=st.integers(0, 15), min_n=st.sampled_from([2, 5])
)
def test_no_small_count_can_be_worked_out_from_the_steps_of_a_funnel(drops, last, min_n):
    check(funnel_of(drops, last), min_n)


def test_a_total_does_not_give_a_small_count_away():
    counts, cells = table_of([[40, 3, 60], [50, 30, 70], [20, 10, 80]])
    unsaid = check(counts, 5)
    assert cells[0][1] in unsaid
    assert any(cells[row][1] in unsaid for row in (1, 2))  # another in its column …
    assert any(cells[0][column] in unsaid for column in (0, 2))  # … and in its row


def test_two_small_counts_whose_sum_is_small_take_a_third_along():
    counts = Counts()
    one, two, ten, total = (counts.add(value) for value in (1, 2, 10, 13))
    counts.relate(total, [one, two, ten])
    assert suppressed(counts, 5) == {one, two, ten}


def test_who_is_small_only_as_a_difference_is_protected_too():
    counts = Counts()
    base, back = counts.add(20), counts.add(18)
    counts.relate(base, [back])  # the 2 who did not come back are printed nowhere
    assert suppressed(counts, 5) & {base, back}


@pytest.mark.parametrize("min_n", [0, 1])
def test_without_a_limit_everything_is_said(min_n):
    assert suppressed(table_of([[1, 2], [3, 4]])[0], min_n) == set()


def test_zeros_and_large_counts_are_said():
    counts, _ = table_of([[0, 40], [50, 0]])
    assert suppressed(counts, 5) == set()


def test_counts_that_do_not_add_up_say_nothing_of_each_other():
    counts = Counts()
    small, other = counts.add(3), counts.add(2)
    counts.relate(other, [small])
    assert counts.relations == []
    assert list(itertools.chain(suppressed(counts, 5))) == [small, other]
