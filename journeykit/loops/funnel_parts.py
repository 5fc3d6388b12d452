"""What an attempt does at one event or one instant: the parts that the funnel's loops are made of.

Their words are those of `journeykit.loops.funnel`.
"""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import part


@part
def in_time(level, t, times, base_step, optional, step_within, filled):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Tell whether the next required step of an attempt can still be filled."""
    for k in range(level + 1, base_step.size):
        if not optional[k]:
            return t - times[filled[level, base_step[k]]] <= step_within[k]
    return True


@part
def gather(row, stop, codes, kind_of, times, tie_keys, group):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Collect the events of one instant that mean anything; return their number (1 if none) and the next event."""
    t = times[row]
    size = 0
    i = row
    while i < stop and times[i] == t:
        if kind_of[codes[i]] != 0:
            group[size] = i
            size += 1
        i += 1
    if size == 0:  # none does: together they are one event that only breaks
        group[0] = row
        return 1, i
    if size > 1 and tie_keys.size > 0:  # the stored order must have no say
        keys = np.empty(size, np.int64)
        for g in range(size):
            keys[g] = (np.int64(kind_of[codes[group[g]]]) << 32) + tie_keys[group[g]]  # two int32 fit
        group[:size] = group[:size][np.argsort(keys, kind="mergesort")]
    return size, i


@part
def next_level(  # type: ignore[no-untyped-def]  # pragma: no cover
    kind, t, j, within, times, has_step, base_step, optional, step_within, since, filled
):
    """Return the level to which one event moves the attempt at level j: a required step, an optional one, or 0."""
    if t - since[j] > within:
        return 0
    lowest = 0
    for k in range(j + 1, has_step.shape[1]):
        if has_step[kind, k] and t - times[filled[j, base_step[k]]] <= step_within[k]:
            if not optional[k]:
                return k
            if lowest == 0:
                lowest = k
        if not optional[k]:
            break
    return lowest


@part
def move(j, k, row, held, since, filled):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Move the attempt at level j to level k by an event; those between have an earlier step 1 and have lost."""
    for x in range(1, j + 1):
        filled[k, x] = filled[j, x]
    for x in range(j + 1, k):
        filled[k, x] = -1
    filled[k, k] = row
    since[k] = since[j]
    for x in range(j, k):
        held[x] = False
    held[k] = True


@part
def move_in_tie(  # type: ignore[no-untyped-def]  # pragma: no cover
    size, t, opens, strict, within, codes, kind_of, times, has_step, base_step, optional, step_within,
    held, since, filled, group, step_at, tried, event_at, queue,
):  # fmt: skip
    """Move every attempt as far as different events of one instant carry it; return the highest level reached now."""
    arrived = 0
    for j in range(has_step.shape[1] - 2, -1, -1):  # a later step 1 writes over an earlier one
        if j == 0 and not opens:
            continue
        if j > 0 and (not held[j] or t - since[j] > within):
            held[j] = held[j] and not strict
            continue
        k = fill(
            j, t, size, codes, kind_of, times, has_step, base_step, optional, step_within, filled, group, step_at,
            tried, event_at, queue,
        )  # fmt: skip
        if k > j:
            since[0] = t
            move(j, k, event_at[k], held, since, filled)
            held[0] = False
            for x in range(j + 1, k):
                filled[k, x] = event_at[x]
            arrived = max(arrived, k)
        elif strict and j > 0:
            held[j] = False
    return arrived


@part
def fill(  # type: ignore[no-untyped-def]  # pragma: no cover
    j, t, size, codes, kind_of, times, has_step, base_step, optional, step_within, filled, group, step_at, tried,
    event_at, queue,
):  # fmt: skip
    """Return the level that the attempt at level j reaches by different events of one instant, put in `event_at`."""
    step_at[:size] = 0
    event_at[:] = -1
    required = j  # the last required step that is filled: those go first
    top = j
    for wanted in range(2):
        for k in range(j + 1, has_step.shape[1]):
            if wanted == 1 and not optional[k] and k > required:
                break
            if optional[k] != wanted:
                continue
            base = base_step[k]
            in_time = base == 0 or base > j or t - times[filled[j, base]] <= step_within[k]
            if in_time and augment(k, size, codes, kind_of, has_step, group, step_at, tried, event_at, queue):
                top = max(top, k)
                if wanted == 0:
                    required = k
            elif wanted == 0:
                break
    return top


@part
def augment(  # type: ignore[no-untyped-def]  # pragma: no cover
    k, size, codes, kind_of, has_step, group, step_at, tried, event_at, queue
):
    """Fill step k by an event of the group, giving filled steps another one if need be; tell whether that can be."""
    tried[:size] = 0
    queue[0] = k
    head, tail = 0, 1
    while head < tail:
        step = queue[head]
        head += 1
        for g in range(size):
            if tried[g] != 0 or has_step[kind_of[codes[group[g]]], step] == 0:
                continue
            tried[g] = step
            if step_at[g] != 0:
                queue[tail] = step_at[g]
                tail += 1
                continue
            free = g  # hand events on along the way that led here
            while True:
                given = tried[free]
                taken = event_at[given]
                event_at[given] = group[free]
                step_at[free] = given
                if given == k:
                    return True
                for h in range(size):
                    if group[h] == taken:
                        free = h
                        break
    return False


@part
def spoilt(  # type: ignore[no-untyped-def]  # pragma: no cover
    attempt, level, t, size, any_order_in_ties, within, codes, kind_of, times, has_step, base_step, optional,
    step_within, spoils, after, before, filled, group,
):  # fmt: skip
    """Tell whether an event of this instant spoils an attempt (a row of `filled`) at this level."""
    if t - times[filled[attempt, 1]] > within:
        return False
    for k in range(level + 1, base_step.size):
        if not optional[k]:
            if t - times[filled[attempt, base_step[k]]] > step_within[k]:
                return False  # it can't go on any more: it is over
            break
    for g in range(size):
        row = group[g]
        kind = kind_of[codes[row]]
        own = False
        for k in range(1, level + 1):
            if filled[attempt, k] >= 0:
                same = filled[attempt, k] == row
                tied = any_order_in_ties and times[filled[attempt, k]] == t and has_step[kind, k] != 0
                own = own or same or tied
        if own:
            continue
        for x in range(after.size):
            if spoils[kind, x] and after[x] <= level < before[x]:
                begun = filled[attempt, after[x]]
                if times[begun] < t or (not any_order_in_ties and begun < row):
                    return True
    return False
