"""Pairs of rows that end in the order of their risks: counted with a tree of partial sums, never pair by pair."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop, part


@part
def add_to(tree, rank, amount):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to a rank of a tree of partial sums (Fenwick 1994)."""
    at = rank + 1
    while at < tree.size:
        tree[at] += amount
        at += at & -at


@part
def sum_below(tree, rank):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sum the ranks below this one."""
    total, at = 0.0, rank
    while at > 0:
        total += tree[at]
        at -= at & -at
    return total


@loop("i8", "f8", "i8", "i8", "b1", "i8", "i8", "int", "out f8", "out f8")
def count_pairs(rank, weight, enters, ends, event, by_end, by_enter, n_ranks, right, pairs):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write for each row the weight of its comparable pairs, and of those in the right order (half where risks tie).

    Row i, with an event at ends[i], is compared with every row watched then
    that stays longer: enters < ends[i] < ends, or ends at ends[i] without an
    event. The pair has the weight of i, and is right if the rank of i is the
    higher. `by_end` and `by_enter` order the rows by rising ends and enters.
    """
    n = rank.size
    # As the one who leaves: from the last time back, with those who stay longer in the tree.
    tree, inside = np.zeros(n_ranks + 1), 0
    i, gone = n - 1, n - 1
    while i >= 0:
        now, first = ends[by_end[i]], i
        while first >= 0 and ends[by_end[first]] == now:
            row = by_end[first]
            if not event[row]:
                add_to(tree, rank[row], 1.0)
                inside += 1
            first -= 1
        while gone >= 0 and enters[by_enter[gone]] >= now:
            row = by_enter[gone]
            if ends[row] > now or not event[row]:
                add_to(tree, rank[row], -1.0)
                inside -= 1
            gone -= 1
        for k in range(first + 1, i + 1):
            row = by_end[k]
            if event[row] and weight[row] > 0:
                below, upto = sum_below(tree, rank[row]), sum_below(tree, rank[row] + 1)
                pairs[row] += weight[row] * inside
                right[row] += weight[row] * 0.5 * (below + upto)
        for k in range(first + 1, i + 1):
            row = by_end[k]
            if event[row]:
                add_to(tree, rank[row], 1.0)
                inside += 1
        i = first
    # As the one who stays: events until its end, less events until it entered.
    tree[:] = 0.0
    total, i, entering = 0.0, 0, 0
    while i < n:
        now, end = ends[by_end[i]], i
        while end < n and ends[by_end[end]] == now:
            end += 1
        # Who enters before this time has seen no event yet that is in the tree.
        while entering < n and enters[by_enter[entering]] < now:
            row = by_enter[entering]
            above = total - 0.5 * (sum_below(tree, rank[row]) + sum_below(tree, rank[row] + 1))
            pairs[row] -= total
            right[row] -= above
            entering += 1
        for k in range(i, end):
            row = by_end[k]
            if event[row]:  # leaves at this time: events at it are no partners
                pairs[row] += total
                right[row] += total - 0.5 * (sum_below(tree, rank[row]) + sum_below(tree, rank[row] + 1))
        for k in range(i, end):
            row = by_end[k]
            if event[row] and weight[row] > 0:
                add_to(tree, rank[row], weight[row])
                total += weight[row]
        for k in range(i, end):
            row = by_end[k]
            if not event[row]:
                pairs[row] += total
                right[row] += total - 0.5 * (sum_below(tree, rank[row]) + sum_below(tree, rank[row] + 1))
        i = end
