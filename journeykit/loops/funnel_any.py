"""Match each customer's events with the steps of a funnel in any order: the fullest window."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop, part

_EVENTS = ("i4", "i4", "i8", "i4", "i8")
_STEPS = ("i4", "i4", "u1 2d")
_RULES = ("int", "int", "int", "int", "bool")


@loop(*_EVENTS, *_STEPS, *_RULES, *("out i2", "out i4 2d") * 2, "out u1", "int", "int")
def match_any_order(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, kind_of, times, tie_keys, offsets, steps_from, steps_of, has_step, within, opens_from, mature_until,
    opens_until, first_only, mature_levels, mature_rows, levels, rows, late, first, last,
):  # fmt: skip
    """Write the most steps that different events fill inside one window of each customer: mature windows, and all.

    A window begins at any matching event; of equally full ones the earliest
    counts. `rows[customer, k - 1]` is the event by which k steps were full,
    counted from the customer's first. `late` marks windows that are not mature.
    """
    n_steps = has_step.shape[1] - 1
    n_kinds = has_step.shape[0]
    longest = 1
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
    matching = np.empty(longest, np.int64)  # a customer's events that match any step, in canonical order
    number = np.zeros(n_kinds, np.int64)  # of each kind inside the window
    best = np.empty(n_steps, np.int64)
    done = np.empty(n_steps, np.int64)
    kind_at = np.zeros(n_steps + 1, np.int64)  # the kind that fills each step
    tried = np.zeros(n_steps + 1, np.int64)
    queue = np.empty(n_steps + 1, np.int64)
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        size = 0
        for i in range(start, stop):
            if kind_of[codes[i]] != 0:
                matching[size] = i
                size += 1
        if tie_keys.size > 0:
            sort_ties(matching, size, codes, kind_of, times, tie_keys)
        counted_until = mature_until
        level = 0
        number[:] = 0
        bound = 0  # no more steps than this can be filled
        end = 0
        i = 0
        for again in range(2):
            while i < size and level < n_steps:
                row = matching[i]
                t = times[row]
                while end < size and times[matching[end]] - t <= within:
                    kind = kind_of[codes[matching[end]]]
                    number[kind] += 1
                    if number[kind] <= steps_from[kind + 1] - steps_from[kind]:
                        bound += 1
                    end += 1
                if i == 0 or times[matching[i - 1]] != t:
                    if t >= counted_until or (first_only and i > 0):
                        break
                    if t >= opens_from and min(bound, n_steps) > level:
                        full = fill_window(
                            i, end, n_steps, codes, kind_of, has_step, matching, done, kind_at, tried, queue
                        )
                        if full > level:
                            level = full
                            best[:full] = done[:full]
                            if level == n_steps:
                                break
                kind = kind_of[codes[row]]
                number[kind] -= 1
                if number[kind] < steps_from[kind + 1] - steps_from[kind]:
                    bound -= 1
                i += 1
            if again == 0:
                mature_levels[customer] = level
                if mature_rows.shape[0] > 0:
                    for k in range(n_steps):
                        mature_rows[customer, k] = best[k] - start if k < level else -1
                counted_until = opens_until  # go on from there, now with the windows that are not mature
            else:
                levels[customer] = level
                late[customer] = level > 0 and times[best[0]] >= mature_until
                if rows.shape[0] > 0:
                    for k in range(n_steps):
                        rows[customer, k] = best[k] - start if k < level else -1


@loop(*_EVENTS, "i4", "u1 2d", "int", "int", "int", "bool", "int", "int")
def match_any_attempts(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, kind_of, times, tie_keys, offsets, steps_from, has_step, within, opens_from, opens_until, first_only, first,
    last,
):  # fmt: skip
    """Return every attempt, one after another: whose, how many steps it filled, and the events by which.

    A customer has one window at a time. What fills no further step of it
    begins the next one, unless two steps or more, and not all, are filled.
    """
    n_steps = has_step.shape[1] - 1
    longest, most = 1, 0
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
        for i in range(offsets[customer], offsets[customer + 1]):
            most += kind_of[codes[i]] != 0
    units = np.empty(most, np.int32)
    levels = np.empty(most, np.int16)
    rows = np.full((most, n_steps), -1, np.int32)
    matching = np.empty(longest, np.int64)  # a customer's events that match any step, in canonical order
    done, other = np.empty(n_steps, np.int64), np.empty(n_steps, np.int64)
    kind_at = np.zeros(n_steps + 1, np.int64)
    tried = np.zeros(n_steps + 1, np.int64)
    queue = np.empty(n_steps + 1, np.int64)
    n_found = 0
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        size = 0
        for i in range(start, stop):
            if kind_of[codes[i]] != 0:
                matching[size] = i
                size += 1
        if tie_keys.size > 0:
            sort_ties(matching, size, codes, kind_of, times, tie_keys)
        level = 0  # steps that the present window has filled; 0 if there is none
        begun = 0  # its first event in `matching`
        i = 0
        while i < size:
            t = times[matching[i]]
            end = i + 1
            while end < size and times[matching[end]] == t:
                end += 1
            opens = opens_from <= t < opens_until and not (first_only and i > 0)
            if level > 0 and t - times[matching[begun]] > within:
                level = 0
            newly = 0
            if opens:
                newly = fill_window(i, end, n_steps, codes, kind_of, has_step, matching, other, kind_at, tried, queue)
            further = 0
            if level > 0:
                further = fill_window(
                    begun, end, n_steps, codes, kind_of, has_step, matching, done, kind_at, tried, queue
                )
            if further > level and (level > 1 or further > newly):
                for k in range(level, further):
                    rows[n_found - 1, k] = done[k] - start
                level = further
                levels[n_found - 1] = level
            elif opens and level < 2:
                level, begun = newly, i
                units[n_found] = customer
                levels[n_found] = level
                for k in range(level):
                    rows[n_found, k] = other[k] - start
                n_found += 1
            if level == n_steps:
                level = 0
            i = end
    return units[:n_found].copy(), levels[:n_found].copy(), rows[:n_found].copy()


@part
def sort_ties(matching, size, codes, kind_of, times, tie_keys):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sort events of one instant by kind and key, so that their stored order has no say."""
    i = 0
    while i < size:
        end = i + 1
        while end < size and times[matching[end]] == times[matching[i]]:
            end += 1
        if end > i + 1:
            keys = np.empty(end - i, np.int64)
            for g in range(i, end):
                keys[g - i] = (np.int64(kind_of[codes[matching[g]]]) << 32) + tie_keys[matching[g]]
            matching[i:end] = matching[i:end][np.argsort(keys, kind="mergesort")]
        i = end


@part
def fill_window(  # type: ignore[no-untyped-def]  # pragma: no cover
    start, end, n_steps, codes, kind_of, has_step, matching, done, kind_at, tried, queue
):
    """Fill as many steps as the events `matching[start:end]` can; `done[k - 1]` is the one by which k were full."""
    kind_at[:] = 0
    full = 0
    for i in range(start, end):
        # Look for a free step; a filled one may pass its event's kind on to another step that the kind matches.
        kind = kind_of[codes[matching[i]]]
        tried[:] = -1
        head, tail = 0, 0
        for k in range(1, n_steps + 1):
            if has_step[kind, k]:
                tried[k] = 0
                queue[tail] = k
                tail += 1
        while head < tail:
            k = queue[head]
            head += 1
            if kind_at[k] == 0:
                while True:  # move every kind one on
                    source = tried[k]
                    if source == 0:
                        kind_at[k] = kind
                        break
                    kind_at[k] = kind_at[source]
                    k = source
                done[full] = matching[i]
                full += 1
                break
            for other in range(1, n_steps + 1):
                if tried[other] == -1 and has_step[kind_at[k], other]:
                    tried[other] = k
                    queue[tail] = other
                    tail += 1
        if full == n_steps:
            break
    return full
