"""One clock a customer and entrance period, and what periods add up to.

The events of a customer are read backward, as in `conversions`: whoever stands
at step k - 1 has the same way on, whichever entry led there.
"""

from __future__ import annotations

import numpy as np

from journeykit.loops.conversions import NOT_REACHED, put_one, put_tied
from journeykit.loops.engine import loop, part

N_SUMS, N_POOLED = 12, 6
"""Rows of `counts` and `pool` in `sum_clocks`."""


@loop("i4", "u1 2d", "i8", "i8", "i8", "int", "int", "out i8", "int", "int")
def count_clocks(codes, has_step, times, offsets, edges, opens_from, opens_until, counts, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count the periods in which each customer has a step 1 in `[opens_from, opens_until)`.

    Period p lasts from `edges[p]` to `edges[p + 1]`; together they hold the range.
    """
    a_microsecond = (edges.size - 1) / (edges[-1] - edges[0])
    for customer in range(first, last):
        n = 0
        counted_until = opens_from
        for i in range(offsets[customer], offsets[customer + 1]):
            t = times[i]
            if has_step[codes[i], 1] and counted_until <= t < opens_until:
                n += 1
                counted_until = edges[period_at(t, edges, a_microsecond) + 1]
        counts[customer] = n


@loop(
    "i4", "u1 2d", "i8", "i8", "i8", "int", "int", "int", "int", "bool", "bool", "i8",
    "out i4", "out i8", "out i4", "out i2", "out i8", "int", "int",
)  # fmt: skip
def match_clocks(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, has_step, times, offsets, edges, opens_from, opens_until, within, observed_until, keep_first,
    any_order_in_ties, clocks_from, customers, entry_rows, periods, reached, durations, first, last,
):  # fmt: skip
    """Write each clock: customer, event of the entry, period, the furthest step, and for how long it ran.

    Customer i has the rows from `clocks_from[i]` on. A clock stops at the last
    step, or after the window or where observation ends. With `keep_first` it is
    that of the period's first step 1; else of the one that converted first, of
    several the latest, and if none did, of the last.
    """
    n_steps = has_step.shape[1] - 1
    a_microsecond = (edges.size - 1) / (edges[-1] - edges[0])
    longest = 1
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
    ahead = np.empty((n_steps + 2, n_steps + 2), np.int64)  # see conversions.match_entries
    before = np.empty((n_steps + 2, n_steps + 2), np.int64)
    filler = np.empty(n_steps + 2, np.int64)
    fills = np.empty(longest, np.int64)
    tried = np.empty(longest, np.int64)
    queue = np.empty(n_steps + 2, np.int64)
    for customer in range(first, last):
        place = clocks_from[customer + 1]
        if place == clocks_from[customer]:
            continue
        ahead[:, :] = NOT_REACHED
        begins = NOT_REACHED  # of the period whose clock is at `place`
        converted_at = NOT_REACHED  # that clock
        i = offsets[customer + 1] - 1
        while i >= offsets[customer]:
            t = times[i]
            start = i
            if any_order_in_ties:
                while start > offsets[customer] and times[start - 1] == t:
                    start -= 1
            if start == i:
                put_one(codes[i], t, has_step, ahead)
            else:
                put_tied(start, i + 1, t, codes, has_step, ahead, before, filler, fills, tried, queue)
            row = start if opens_from <= t < opens_until else i + 1
            while row <= i and not has_step[codes[row], 1]:
                row += 1
            if row <= i:  # of several at one instant the first stored; all have the same way on
                level, at = 1, t
                while level < n_steps:
                    at = ahead[1, level + 1]
                    if at == NOT_REACHED or at - t > within:
                        break
                    level += 1
                new = t < begins
                if new:
                    place -= 1
                    period = period_at(t, edges, a_microsecond)
                    begins = edges[period]
                    converted_at = NOT_REACHED
                    customers[place] = customer
                    periods[place] = period
                    reached[place] = 0
                sooner = level == n_steps and at < converted_at
                if new or keep_first or sooner:
                    entry_rows[place] = row
                    if level == n_steps:
                        converted_at = at
                        durations[place] = at - t
                    else:
                        durations[place] = min(observed_until - 1 - t, within)
                if keep_first or level > reached[place]:
                    reached[place] = level
            i = start - 1


@part
def period_at(t, edges, a_microsecond):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Return the period of an instant: periods are nearly as long as each other, so it is near the one guessed."""
    period = min(int((t - edges[0]) * a_microsecond), edges.size - 2)
    while t < edges[period]:
        period -= 1
    while t >= edges[period + 1]:
        period += 1
    return period


@loop("i4", "i4", "i4", "i2", "b1", "int", "int", "out i8 2d", "out i8 2d", "int", "int")
def sum_clocks(  # type: ignore[no-untyped-def]  # pragma: no cover
    owners, groups, periods, reached, finished, from_step, to_step, counts, pool, first, last
):
    """Add up clocks that are sorted by group, owner and period.

    Column of `counts`: group × periods + period. Rows: 0 clocks; of those that
    came to `from_step`: 1 owners, 2 n, 3 x (of them to `to_step`), over owners
    4 nn, 5 xn, 6 xx; owners who did in the period before as well: 7 how many,
    8 … 11 products of that period's x, x, n, n with this one's x, n, x, n.
    Column of `pool`: group. Rows: over finished periods 0 owners, over owners
    1 x, 2 n, 3 xx, 4 xn, 5 nn. `groups` may be empty: all are 0.
    """
    n_periods = finished.size
    group = owner = -1
    period = -2
    n = x = n_before = x_before = n_pool = x_pool = 0
    for i in range(first, last + 1):
        if i < last:
            its_group = groups[i] if groups.size > 0 else 0
            its_period = periods[i]
            counts[0, its_group * n_periods + its_period] += 1
            if reached[i] < from_step:
                continue
            same_owner = its_group == group and owners[i] == owner
            if same_owner and its_period == period:
                n += 1
                x += reached[i] >= to_step
                continue
        else:
            same_owner = False
            its_group, its_period = -1, -2
        if n > 0:
            place = group * n_periods + period
            counts[1, place] += 1
            counts[2, place] += n
            counts[3, place] += x
            counts[4, place] += n * n
            counts[5, place] += x * n
            counts[6, place] += x * x
            if n_before > 0:
                counts[7, place] += 1
                counts[8, place] += x_before * x
                counts[9, place] += x_before * n
                counts[10, place] += n_before * x
                counts[11, place] += n_before * n
            if finished[period]:
                n_pool += n
                x_pool += x
            follows = same_owner and its_period == period + 1
            n_before, x_before = (n, x) if follows else (0, 0)
            if not same_owner:
                if n_pool > 0:
                    pool[0, group] += 1
                    pool[1, group] += x_pool
                    pool[2, group] += n_pool
                    pool[3, group] += x_pool * x_pool
                    pool[4, group] += x_pool * n_pool
                    pool[5, group] += n_pool * n_pool
                n_pool = x_pool = 0
        if i < last:
            group, owner, period = its_group, owners[i], its_period
            n, x = 1, 1 if reached[i] >= to_step else 0
