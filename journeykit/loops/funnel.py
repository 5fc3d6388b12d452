"""Match each customer's events with the steps of a funnel: the best attempt.

Steps count from 1; an attempt's *level* is the last step that it has filled.
Events are given by *kind*: which steps they match (`has_step[kind, k]`) and
which exclusions they trigger (`spoils[kind, x]`). Kind 0 does neither.

`held[j]` says whether an attempt stands at level j: the one that last reached
it, which is the one with the latest step 1. `since[j]` is the time of that step
1, `filled[j, k]` the event at its step k (-1 for a step skipped). Row 0 of
`filled` is the best attempt so far.
"""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop
from journeykit.loops.funnel_parts import fill, gather, in_time, move, move_in_tie, next_level, spoilt
from journeykit.loops.funnel_quiet import settle_quiet

_EVENTS = ("i4", "i4", "i8", "i4", "i8")
_STEPS = ("i4", "i4", "u1 2d", "i4", "u1", "i8")
_EXCLUSIONS = ("u1", "u1 2d", "i4", "i4")
_RULES = ("int", "int", "int", "int", "bool", "bool", "bool", "bool")


@loop(*_EVENTS, *_STEPS, *_EXCLUSIONS, *_RULES, *("out i2", "out i4 2d") * 2, "out u1", "int", "int")
def match_best(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, kind_of, times, tie_keys, offsets, steps_from, steps_of, has_step, base_step, optional, step_within,
    excludes, spoils, after, before, within, opens_from, mature_until, opens_until, strict, any_order_in_ties,
    first_only, keep_spoilt, mature_levels, mature_rows, levels, rows, late, first, last,
):  # fmt: skip
    """Write each customer's best attempt twice: among mature entries, and among all.

    A level is 0 without an entry, and below 0 where every attempt that came
    that far is spoilt. `rows[customer, k - 1]` is the event that filled step k,
    counted from the customer's first, or -1. No rows are written where the
    array for them is empty. `late` marks attempts that are not mature.
    """
    n_steps = has_step.shape[1] - 1
    longest = 1
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
    held = np.zeros(n_steps + 1, np.bool_)
    since = np.zeros(n_steps + 1, np.int64)
    filled = np.full((n_steps + 1, n_steps + 1), -1, np.int64)
    group = np.empty(longest, np.int64)  # events of one instant
    step_at = np.empty(longest, np.int64)  # the step that each of them fills
    tried = np.empty(longest, np.int64)  # the step from which each was tried
    event_at = np.empty(n_steps + 1, np.int64)  # the event that fills each step
    queue = np.empty(n_steps + 1, np.int64)
    kept_held, kept_since, kept_filled = held.copy(), since.copy(), filled.copy()
    n_mature, n_rows = mature_rows.shape[0], rows.shape[0]
    settled = settle_quiet(
        codes, kind_of, times, offsets, has_step, excludes, within, opens_from, mature_until, opens_until,
        any_order_in_ties, first_only, mature_levels, mature_rows, levels, rows, late, first, last,
    )  # fmt: skip
    for customer in range(first, last):
        if settled[customer - first]:
            continue
        start, stop = offsets[customer], offsets[customer + 1]
        counted_until = mature_until
        level = 0
        clean = True  # no exclusion has spoilt the best attempt
        running = False  # one still can
        entered = False  # a step 1 was seen
        ignored = False  # one opened nothing, not being mature
        for j in range(n_steps + 1):
            held[j] = False
        i = start
        for again in range(2):
            while i < stop:
                kind = kind_of[codes[i]]
                if kind == 0 and not strict:
                    i += 1
                    continue
                t = times[i]
                begun = row = i
                size = 1
                i += 1
                if any_order_in_ties and i < stop and times[i] == t:
                    size, i = gather(row, stop, codes, kind_of, times, tie_keys, group)
                    if size > 0:
                        row = group[0]
                        kind = kind_of[codes[row]]

                opens = False
                starts = has_step[kind, 1] != 0
                for g in range(1, size):
                    starts = starts or has_step[kind_of[codes[group[g]]], 1] != 0
                if starts:
                    if opens_from <= t < opens_until and not (first_only and entered):
                        opens = t < counted_until
                        if not opens and not ignored:  # from here on the matching of all entries is another one
                            ignored = True
                            resume, so_far = begun, (level, clean, running, entered)
                            kept_held[:], kept_since[:], kept_filled[:] = held, since, filled
                    entered = True

                arrived = 0  # the highest level reached at this instant
                if size > 1:
                    arrived = move_in_tie(
                        size, t, opens, strict, within, codes, kind_of, times, has_step, base_step, optional,
                        step_within, held, since, filled, group, step_at, tried, event_at, queue,
                    )  # fmt: skip
                elif strict:
                    for j in range(n_steps - 1, 0, -1):
                        if held[j]:
                            held[j] = False
                            k = next_level(
                                kind, t, j, within, times, has_step, base_step, optional, step_within, since, filled
                            )
                            if k > 0:
                                move(j, k, row, held, since, filled)
                                arrived = max(arrived, k)
                else:
                    for s in range(steps_from[kind], steps_from[kind + 1]):
                        k = steps_of[s]  # the highest first: one event never fills two steps of an attempt
                        for j in range(max(1, base_step[k]), k):  # the latest step 1 first
                            if held[j] and t - since[j] <= within:
                                if t - times[filled[j, base_step[k]]] > step_within[k]:
                                    continue
                                if j < k - 1 and next_level(
                                    kind, t, j, within, times, has_step, base_step, optional, step_within, since, filled
                                ) != k:  # fmt: skip
                                    continue
                                for x in range(1, j + 1):
                                    filled[k, x] = filled[j, x]
                                for x in range(j + 1, k):
                                    filled[k, x] = -1
                                filled[k, k] = row
                                since[k] = since[j]
                                for x in range(j, k):  # those between have an earlier step 1 and have lost
                                    held[x] = False
                                held[k] = True
                                arrived = max(arrived, k)
                                break
                if opens and size == 1:
                    held[1] = True
                    since[1] = t
                    filled[1, 1] = row
                    arrived = max(arrived, 1)

                # The furthest attempt is the best, among equals the first to get there that is not spoilt.
                excluding = False
                if excludes.size > 0:
                    excluding = excludes[kind] != 0
                    for g in range(1, size):
                        excluding = excluding or excludes[kind_of[codes[group[g]]]] != 0
                    if size == 1:
                        group[0] = row
                    if excluding and not keep_spoilt and arrived <= level and clean and running:
                        clean = not spoilt(
                            0, level, t, size, any_order_in_ties, within, codes, kind_of, times, has_step, base_step,
                            optional, step_within, spoils, after, before, filled, group,
                        )  # fmt: skip
                    if strict:
                        running = False
                if arrived > level or (arrived > 0 and arrived == level and not clean):
                    level = arrived
                    for x in range(1, level + 1):
                        filled[0, x] = filled[level, x]
                    running = True
                    clean = True
                    if excluding and not keep_spoilt:
                        clean = not spoilt(
                            0, level, t, size, any_order_in_ties, within, codes, kind_of, times, has_step, base_step,
                            optional, step_within, spoils, after, before, filled, group,
                        )  # fmt: skip
                    if level == n_steps:
                        break
                if excluding:
                    for j in range(1, n_steps):
                        if held[j]:
                            held[j] = not spoilt(
                                j, j, t, size, any_order_in_ties, within, codes, kind_of, times, has_step, base_step,
                                optional, step_within, spoils, after, before, filled, group,
                            )  # fmt: skip

            signed = level if clean else -level
            if again == 0:
                mature_levels[customer] = signed
                if n_mature > 0:
                    for k in range(n_steps):
                        mature_rows[customer, k] = (
                            filled[0, k + 1] - start if k < level and filled[0, k + 1] >= 0 else -1
                        )
            if again == 1 or not ignored:
                levels[customer] = signed
                late[customer] = signed > 0 and times[filled[0, 1]] >= mature_until
                if n_rows > 0:
                    for k in range(n_steps):
                        rows[customer, k] = filled[0, k + 1] - start if k < level and filled[0, k + 1] >= 0 else -1
                break
            counted_until = opens_until  # go on from there, now with the entries that are not mature
            i, (level, clean, running, entered) = resume, so_far
            held[:], since[:], filled[:] = kept_held, kept_since, kept_filled


@loop(*_EVENTS, *_STEPS, *_EXCLUSIONS, "int", "int", "int", "int", *("bool",) * 4, "int", "int")
def match_attempts(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, kind_of, times, tie_keys, offsets, steps_from, steps_of, has_step, base_step, optional, step_within,
    excludes, spoils, after, before, last_required, within, opens_from, opens_until, strict, any_order_in_ties,
    first_only, keep_spoilt, first, last,
):  # fmt: skip
    """Return every attempt, one after another: whose, how far (below 0: spoilt), and the events that filled its steps.

    A customer has one attempt at a time. A step 1 opens the next one, unless
    the present one is past step 1, has not converted, and can still go on.
    """
    n_steps = has_step.shape[1] - 1
    longest, most = 1, 0
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
        for i in range(offsets[customer], offsets[customer + 1]):
            most += has_step[kind_of[codes[i]], 1] != 0
    units = np.empty(most, np.int32)
    levels = np.empty(most, np.int16)
    rows = np.full((most, n_steps), -1, np.int32)
    held = np.zeros(n_steps + 1, np.bool_)
    since = np.zeros(n_steps + 1, np.int64)
    filled = np.full((n_steps + 1, n_steps + 1), -1, np.int64)
    group, step_at, tried = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    event_at, queue = np.empty(n_steps + 1, np.int64), np.empty(n_steps + 1, np.int64)
    n_found = 0
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        level = 0  # of the present attempt, which is the last one found; 0 if there is none
        entered = False
        i = start
        while i < stop:
            kind = kind_of[codes[i]]
            if kind == 0 and not strict:
                i += 1
                continue
            t = times[i]
            row = i
            size = 1
            i += 1
            if any_order_in_ties and i < stop and times[i] == t:
                size, i = gather(row, stop, codes, kind_of, times, tie_keys, group)
                if size > 0:
                    row = group[0]
                    kind = kind_of[codes[row]]
            if size == 1:
                group[0] = row
            starts = False
            excluding = False
            for g in range(size):
                kind_there = kind_of[codes[group[g]]]
                starts = starts or has_step[kind_there, 1] != 0
                excluding = excluding or (excludes.size > 0 and excludes[kind_there] != 0)
            opens = starts and opens_from <= t < opens_until and not (first_only and entered)
            entered = entered or starts
            if level > 0 and t - since[level] > within:
                level = 0

            # How far could the present attempt come now, and how far a new one?
            newly = 0
            if opens:
                newly = 1
                if size > 1:
                    newly = fill(
                        0, t, size, codes, kind_of, times, has_step, base_step, optional, step_within, filled, group,
                        step_at, tried, event_at, queue,
                    )  # fmt: skip
            further = 0
            if level > 0:
                if size > 1:
                    further = fill(
                        level, t, size, codes, kind_of, times, has_step, base_step, optional, step_within, filled,
                        group, step_at, tried, event_at, queue,
                    )  # fmt: skip
                    further = further if further > level else 0
                else:
                    further = next_level(
                        kind, t, level, within, times, has_step, base_step, optional, step_within, since, filled
                    )
            on_the_way = 1 < level < last_required and in_time(
                level, t, times, base_step, optional, step_within, filled
            )
            moves = further > 0 and (on_the_way or further > newly)
            if moves:
                old = level
                level = further
                move(old, level, event_at[level] if size > 1 else row, held, since, filled)
                for k in range(old + 1, level):
                    if size > 1:
                        filled[level, k] = event_at[k]
                for k in range(old + 1, level + 1):
                    rows[n_found - 1, k - 1] = filled[level, k] - start if filled[level, k] >= 0 else -1
                levels[n_found - 1] = level
            if level == n_steps:
                level = 0
            if level > 0 and excluding and spoilt(
                level, level, t, size, any_order_in_ties, within, codes, kind_of, times, has_step, base_step, optional,
                step_within, spoils, after, before, filled, group,
            ):  # fmt: skip
                if not keep_spoilt:
                    levels[n_found - 1] = -level
                level = 0
                on_the_way = False
            if strict and not moves:
                level = 0
                on_the_way = False
            if opens and not moves and not on_the_way:
                level = 1
                filled[1, 1] = row
                if size > 1:
                    level = fill(
                        0, t, size, codes, kind_of, times, has_step, base_step, optional, step_within, filled, group,
                        step_at, tried, event_at, queue,
                    )  # fmt: skip
                    filled[level, 1 : level + 1] = event_at[1 : level + 1]
                since[level] = t
                units[n_found] = customer
                levels[n_found] = level
                for k in range(1, level + 1):
                    rows[n_found, k - 1] = filled[level, k] - start if filled[level, k] >= 0 else -1
                n_found += 1
                if level == n_steps:
                    level = 0
    return units[:n_found].copy(), levels[:n_found].copy(), rows[:n_found].copy()
