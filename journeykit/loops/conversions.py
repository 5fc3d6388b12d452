"""When each step comes after an entry, at the earliest: one backward pass over each customer's events.

Whoever stands at step k - 1 has the same way on, whichever entry led there. So
a customer's events are read from the last to the first, keeping for each step k
the times at which steps k, k + 1, … come at the earliest from here on
(`ahead[k, k]`, `ahead[k, k + 1]`, …). An event that matches step k puts its own
time before what lies ahead of step k + 1.
"""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop, part

NOT_REACHED = np.iinfo(np.int64).max
"""The time of a step that does not come in the log: later than all others."""

_EVENTS = ("i4", "u1 2d", "i8", "i8", "int", "int", "bool", "bool")


@loop("i4", "u1 2d", "i8", "i8", "int", "int", "bool", "out i8", "int", "int")
def count_entries(codes, has_step, times, offsets, opens_from, opens_until, every, counts, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count each customer's step 1s in `[opens_from, opens_until)`; at most one if not every."""
    for customer in range(first, last):
        counts[customer] = 0
        for i in range(offsets[customer], offsets[customer + 1]):
            if has_step[codes[i], 1] and opens_from <= times[i] < opens_until:
                counts[customer] += 1
                if not every:
                    break


@loop(*_EVENTS, "i8", "out i4", "out i8", "out i8 2d", "int", "int")
def match_entries(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, has_step, times, offsets, opens_from, opens_until, every, any_order_in_ties, entries_from, customers,
    entry_rows, reached, first, last,
):  # fmt: skip
    """Write each entry (customer, event) and when steps 2, 3, … come after it, each by a later event than the last.

    Customer i has the rows from `entries_from[i]` on. `has_step[code, k]` says
    whether events of a code match step k, from 1; column 0 whether any step.
    With `any_order_in_ties`, events of one instant may match in ascending order
    of the steps however stored. Without, the events themselves are written in
    the place of their times.
    """
    n_steps = has_step.shape[1] - 1
    longest = 1
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
    ahead = np.empty((n_steps + 2, n_steps + 2), np.int64)
    before = np.empty((n_steps + 2, n_steps + 2), np.int64)  # the same, before a group of one instant changes it
    filler = np.empty(n_steps + 2, np.int64)  # the event of the group that fills each step
    fills = np.empty(longest, np.int64)  # the step that each event of the group fills
    tried = np.empty(longest, np.int64)
    queue = np.empty(n_steps + 2, np.int64)
    for customer in range(first, last):
        place = entries_from[customer + 1]
        if place == entries_from[customer]:
            continue
        ahead[:, :] = NOT_REACHED
        i = offsets[customer + 1] - 1
        while i >= offsets[customer]:
            t = times[i]
            start = i
            if any_order_in_ties:
                while start > offsets[customer] and times[start - 1] == t:
                    start -= 1
            if start == i:
                put_one(codes[i], t if any_order_in_ties else i, has_step, ahead)
            else:
                put_tied(start, i + 1, t, codes, has_step, ahead, before, filler, fills, tried, queue)
            if opens_from <= t < opens_until:
                for row in range(i, start - 1, -1):
                    if not has_step[codes[row], 1]:
                        continue
                    if every:
                        place -= 1
                    else:  # an earlier one writes over it
                        place = entries_from[customer]
                    customers[place] = customer
                    entry_rows[place] = row
                    for k in range(2, n_steps + 1):
                        reached[place, k - 2] = ahead[1, k]
                    if every and start < i:  # the others of its instant may follow, but it is step 1 itself
                        top = fill(2, start, i + 1, row - start, codes, has_step, filler, fills, tried, queue)
                        for k in range(2, n_steps + 1):
                            reached[place, k - 2] = t if k <= top else before[top + 1, k]
            i = start - 1


@part
def put_one(code, at, has_step, ahead):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put an event before what lies ahead: it fills one step."""
    if not has_step[code, 0]:
        return
    n_steps = has_step.shape[1] - 1
    for k in range(1, n_steps + 1):  # ascending: what lies ahead of k + 1 is not yet changed
        if has_step[code, k]:
            ahead[k, k] = at
            for x in range(k + 1, n_steps + 1):
                ahead[k, x] = ahead[k + 1, x]


@part
def put_tied(start, stop, t, codes, has_step, ahead, before, filler, fills, tried, queue):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put the events of one instant before what lies ahead; keep in `before` what did."""
    n_steps = has_step.shape[1] - 1
    before[:, :] = ahead
    for k in range(1, n_steps + 1):
        top = fill(k, start, stop, -1, codes, has_step, filler, fills, tried, queue)
        if top >= k:
            for x in range(k, n_steps + 1):
                ahead[k, x] = t if x <= top else before[top + 1, x]


@part
def fill(k, start, stop, taken, codes, has_step, filler, fills, tried, queue):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Return the last of steps k, k + 1, … that different events of one instant, but `taken`, fill; k - 1 if none."""
    n_steps = has_step.shape[1] - 1
    fills[: stop - start] = 0
    for step in range(k, n_steps + 1):
        filler[step] = -1
        if not augment(step, start, stop, taken, codes, has_step, filler, fills, tried, queue):
            return step - 1
    return n_steps


@part
def augment(step, start, stop, taken, codes, has_step, filler, fills, tried, queue):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Fill one more step, letting filled ones change to another event if need be; tell whether that can be."""
    tried[: stop - start] = 0
    queue[0] = step
    head, tail = 0, 1
    while head < tail:
        wanted = queue[head]
        head += 1
        for g in range(stop - start):
            if g == taken or tried[g] != 0 or not has_step[codes[start + g], wanted]:
                continue
            tried[g] = wanted
            if fills[g] != 0:
                queue[tail] = fills[g]
                tail += 1
                continue
            while True:  # hand events on along the way that led here
                given = tried[g]
                other = filler[given]
                filler[given] = g
                fills[g] = given
                if given == step:
                    return True
                g = other
    return False
