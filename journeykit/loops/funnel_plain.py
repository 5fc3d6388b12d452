"""Match each customer's events with the steps of a plain funnel: in order, one step an event, a window for the whole.

This is `match_best` of `journeykit.loops.funnel` for the funnel that is asked
most, several times as fast. Of each step it keeps *until* when an event can
fill it: the end of the window of the attempt that has come to the step before.
Most events are swept over without a jump that a processor would have to guess;
which of them filled the steps is looked up when it is known who came how far.
"""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop, part

NEVER = -(2**62)
"""Until when a step can be filled if no attempt has come to the one before."""
FOREVER = 2**62
OPENS_NOTHING = -3 * 2**61
"""The window of an event that is not step 1: it ends before `NEVER`."""
NO_ROW = np.uint64(2**64 - 1)
BATCH = 64
"""Customers who are swept over at once: so few that their events are still near when more is asked of some."""

_EVENTS = ("i4", "i4", "i8", "i4", "i8")
_RULES = ("int", "int", "int", "int", "int", "bool", "bool")
_OUT = (*("out i2", "out i4 2d") * 2, "out u1")


@loop(*_EVENTS, *_RULES, *_OUT, "int", "i8", "i8", "int", "int")
def match_plain(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, step_of, times, tie_keys, offsets, n_steps, within, opens_from, mature_until, opens_until, any_order_in_ties,
    first_only, mature_levels, mature_rows, levels, rows, late, spans_of, base_keys, entry_keys, first, last,
):  # fmt: skip
    """Write each customer's best attempt twice: among mature entries, and among all.

    `step_of` is the step of each code, `n_steps + 2` for none. The rest is as
    in `match_best`. Returned are the times between steps, packed and sorted as
    by `packed_spans`, of mature attempts (`spans_of` 1), of all (2), or none (0).
    """
    longest = 1
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
    table = event_table(step_of, within, first_only)
    until = np.full(n_steps + 3, NEVER, np.int64)
    kept = np.full((BATCH, n_steps + 8), NEVER, np.int64)
    filled = np.zeros(n_steps + 1, np.int64)  # the events of the best attempt
    before = np.empty(longest, np.int64)  # for an event, the event that filled the step before in the same attempt
    event_at, since = np.zeros(n_steps + 3, np.int64), np.empty(n_steps + 3, np.int64)
    n_mature, n_rows = mature_rows.shape[0], rows.shape[0]
    came_to = np.empty(1024 if spans_of > 0 else 0, np.int16)  # of attempts beyond step 1: how far, and when
    came_at = np.empty((came_to.size, n_steps), np.int64)
    n_found = 0
    none_mature = mature_until <= opens_from
    pause = opens_until if none_mature else mature_until  # up to here both matchings are the same, or there is one
    keep_all = none_mature or first_only or n_mature > 0 or n_rows > 0
    n_kept = i = 0
    following = first
    while True:
        if i == n_kept:
            if following == last:
                break
            begin_of_batch, following = following, min(following + BATCH, last)
            n_kept = sweep(
                begin_of_batch, following, codes, table, times, offsets, n_steps, within, opens_from, pause,
                opens_until, first_only, keep_all, until, kept, mature_levels, levels, late,
            )  # fmt: skip
            i = 0
            continue
        state = kept[i]
        i += 1
        customer, begin, row, level = state[0], state[1], state[2], state[3]
        start, stop = offsets[customer], offsets[customer + 1]
        whole = row == stop or level == n_steps
        immature = none_mature or (first_only and level > 0 and times[begin] >= mature_until)
        if immature:
            mature_levels[customer] = 0
            for k in range(n_steps if n_mature > 0 else 0):
                mature_rows[customer, k] = -1
        n_times = 1 if whole or immature else 2
        alive = False  # whether an attempt can still be moved
        for k in range(2, n_steps + 1 if n_times == 2 else 0):
            alive |= times[row] <= state[5 + k]
        for again in range(n_times):  # for the mature ones, then for all
            of_mature, of_all = again == 0 and not immature, again == n_times - 1
            counted_until = opens_until if of_all else mature_until
            level, end_row, end, tied = state[3], state[4], state[5], state[6]
            if not whole and (of_all or alive):
                for k in range(2, n_steps + 1):
                    until[k] = state[5 + k]
                level, end_row, end, tied = walk(
                    row, stop, NEVER if first_only else counted_until, level, end_row, end, tied, codes, step_of, times,
                    n_steps, within, until,
                )  # fmt: skip
            if tied != 0 and any_order_in_ties:
                level = match_tied(
                    start, stop, counted_until, codes, step_of, times, tie_keys, n_steps, within, opens_from,
                    any_order_in_ties, first_only, before, since, event_at, filled,
                )  # fmt: skip
            elif level > 0 and (n_mature > 0 or n_rows > 0 or (level > 1 and (spans_of > 0 or level > state[3]))):
                trace(
                    begin, end_row, level, end - within, counted_until, first_only, codes, step_of, times, filled,
                )  # fmt: skip
            if of_mature:
                mature_levels[customer] = level
                for k in range(n_steps if n_mature > 0 else 0):
                    mature_rows[customer, k] = filled[k + 1] - start if k < level else -1
            if of_all:
                levels[customer] = level
                further = level > state[3] or (tied != 0 and any_order_in_ties)
                late[customer] = level > 0 and (
                    immature or (further and (state[3] == 0 or times[filled[1]] >= mature_until))
                )
                for k in range(n_steps if n_rows > 0 else 0):
                    rows[customer, k] = filled[k + 1] - start if k < level else -1
            if level > 1 and ((spans_of == 1 and of_mature) or (spans_of == 2 and of_all)):
                if n_found == came_to.size:
                    came_to = np.concatenate((came_to, np.empty_like(came_to)))
                    came_at = np.concatenate((came_at, np.empty_like(came_at)))
                came_to[n_found] = level
                for k in range(level):
                    came_at[n_found, k] = times[filled[k + 1]]
                n_found += 1
        for k in range(2, n_steps + 1 if not whole else 0):
            until[k] = NEVER
    return spans_between(came_to[:n_found], came_at, base_keys, entry_keys)


@part
def spans_between(came_to, came_at, base_keys, entry_keys):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Pack the times from each step to the next, and those from entry, sorted by step."""
    n_steps = came_at.shape[1]
    place = np.zeros(n_steps + 2, np.int64)
    for level in came_to:
        for k in range(2, level + 1):
            place[k + 1] += 1
    place = np.cumsum(place)
    n_spans = place[n_steps + 1]
    found = np.empty(2 * n_spans, np.int64)
    for i in range(came_to.size):
        for k in range(2, came_to[i] + 1):
            found[place[k]] = base_keys[k] + came_at[i, k - 1] - came_at[i, k - 2]
            found[n_spans + place[k]] = entry_keys[k] + came_at[i, k - 1] - came_at[i, 0]
            place[k] += 1
    return found


@part
def event_table(step_of, within, opens_nothing):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Lay out what an event does, four numbers a code.

    The window that it opens; by how much it comes too late for step 2, which is
    an age if it is another step; its step; nothing.
    """
    table = np.zeros(4 * step_of.size, np.int64)
    for code in range(step_of.size):
        table[4 * code] = within if step_of[code] == 1 and not opens_nothing else OPENS_NOTHING
        table[4 * code + 1] = 0 if step_of[code] == 2 else FOREVER
        table[4 * code + 2] = step_of[code]
    return table


@part
def sweep(  # type: ignore[no-untyped-def]  # pragma: no cover
    first, last, codes, table, times, offsets, n_steps, within, opens_from, pause, opens_until, first_only, keep_all,
    until, kept, mature_levels, levels, late,
):  # fmt: skip
    """Take a few customers up to an instant; keep how those stand there of whom more is asked; return how many.

    Kept are: customer; the first event that may open an attempt; the next event;
    of the best attempt the level, from 2 the event by which it came there, and from
    3 when its window ends; whether events were tied; until when steps 2, 3, …
    can be filled.
    """
    n_kept = 0
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        begin = row = start
        until_2, until_3 = np.int64(OPENS_NOTHING), np.int64(NEVER)
        level, end_row, end = np.int64(0), start, np.int64(NEVER)
        tied, earlier = np.int64(0), np.int64(NEVER)
        first_2 = NO_ROW  # the event that first filled step 2
        if first_only:
            while begin < stop and table[4 * codes[begin] + 2] != 1:
                begin += 1
            row = stop
            if begin < stop and opens_from <= times[begin] < opens_until:  # no other opens one
                until_2 = times[begin] + within
                tied = np.int64(begin > start and times[begin - 1] == times[begin])
                earlier = times[begin]
                row = begin + 1
        elif times[start] < opens_from:
            while begin < stop and times[begin] < opens_from:
                begin += 1
            row = begin
        while row < stop:
            # Maxima and masks, since a processor would guess jumps: a ^= (a ^ b) & -1 puts b in the place of a, & 0
            # leaves it. Indices without a sign spare the question whether they count from the end.
            t = times[np.uintp(row)]
            if t >= pause:
                break
            code = np.uintp(4 * np.uint32(codes[np.uintp(row)]))
            until_2 = max(until_2, t + table[code])
            moves = np.int64(t + table[code + np.uintp(1)] <= until_2)
            until_3 ^= (until_3 ^ until_2) & -moves
            until_2 -= moves << 62
            first_2 = min(first_2, np.uint64(row | (moves - 1)))
            tied |= np.int64(t == earlier)
            earlier = t
            row += 1
            until[np.uintp(3)] = until_3
            k = table[code + np.uintp(2)]
            if t <= until[np.uintp(k)]:
                if k > level:
                    level, end_row, end = k, row - 1, until[np.uintp(k)]
                    if level == n_steps:
                        tied |= np.int64(row < stop and times[row] == t)
                        break
                until[np.uintp(k + 1)] = until[np.uintp(k)]
                until[np.uintp(k)] = NEVER
                until_3 = until[np.uintp(3)]
        if level < 3 and first_2 != NO_ROW:
            level, end_row = np.int64(2), np.int64(first_2)
        elif level < 3:
            level = np.int64(until_2 > NEVER + NEVER // 4)
        mature_levels[customer] = levels[customer] = level
        late[customer] = 0
        if level > 1 or row < stop or tied != 0 or keep_all:
            kept[n_kept, 0] = customer
            kept[n_kept, 1] = begin
            kept[n_kept, 2] = row
            kept[n_kept, 3] = level
            kept[n_kept, 4] = end_row
            kept[n_kept, 5] = end
            kept[n_kept, 6] = tied
            kept[n_kept, 7] = until_2
            kept[n_kept, 8] = until_3
            for k in range(4, n_steps + 1):
                kept[n_kept, 5 + k] = until[k]
                until[k] = NEVER
            n_kept += 1
    return n_kept


@part
def walk(  # type: ignore[no-untyped-def]  # pragma: no cover
    row, stop, opens_until, level, end_row, end, tied, codes, step_of, times, n_steps, within, until
):  # fmt: skip
    """Go on from an event, in the plain way; return level, event and end of window of the best attempt, and ties."""
    earlier = np.int64(NEVER)
    while row < stop and level < n_steps:
        k = step_of[codes[row]]
        t = times[row]
        if k == 1 and t < opens_until:
            until[2] = t + within
            level = max(level, 1)
        elif 1 < k <= n_steps and t <= until[k]:
            if k > level:
                level, end_row, end = np.int64(k), row, until[k]
            until[k + 1] = until[k]
            until[k] = NEVER
        tied |= np.int64(t == earlier)
        earlier = t
        row += 1
    if row < stop:
        tied |= np.int64(times[row] == earlier)
    return level, end_row, end, tied


@part
def trace(  # type: ignore[no-untyped-def]  # pragma: no cover
    begin, end_row, level, begun, opens_until, first_only, codes, step_of, times, filled
):  # fmt: skip
    """Find the events of the best attempt: its step 1, then the first of each next step.

    From level 2 it is known by which event it came there, from 3 when it began.
    """
    if level == 1 or first_only:
        row = begin
        while step_of[codes[row]] != 1:
            row += 1
    else:
        row = end_row - 1
        while step_of[codes[row]] != 1 or (times[row] >= opens_until if level == 2 else times[row] != begun):
            row -= 1
    while True:
        filled[1] = row
        k, i = 1, row
        while k < level and i < end_row:
            i += 1
            if step_of[codes[i]] == k + 1:
                k += 1
                filled[k] = i
        if k == level:
            return
        row -= 1  # of several at one instant it was an earlier one
        while step_of[codes[row]] != 1:
            row -= 1


@part
def match_tied(  # type: ignore[no-untyped-def]  # pragma: no cover
    start, stop, opens_until, codes, step_of, times, tie_keys, n_steps, within, opens_from, any_order_in_ties,
    first_only, before, since, event_at, filled,
):  # fmt: skip
    """Do the same for one customer who has events of one instant."""
    for k in range(n_steps + 3):
        since[k] = NEVER
    level, end_row = 0, start
    entered = False
    i = start
    while i < stop and level < n_steps:
        t = times[i]
        end = i + 1
        while any_order_in_ties and end < stop and times[end] == t:
            end += 1
        opens = opens_from <= t < opens_until and not (first_only and entered)
        since[0] = t if opens else NEVER
        for k in range(1, n_steps + 1):  # events of one instant count in the order of their steps
            row = -1  # of those that match one step only the first, by key, can move an attempt
            for other in range(i, end):
                if step_of[codes[other]] != k:
                    continue
                if row < 0 or (tie_keys.size > 0 and tie_keys[other] < tie_keys[row]):
                    row = other
            if row < 0:
                continue
            entered = entered or k == 1
            if t - since[k - 1] <= within:
                before[row - start] = event_at[k - 1]
                since[k] = since[k - 1]
                event_at[k] = row
                if k > 1:
                    since[k - 1] = NEVER
                if k > level:
                    level = k
                    end_row = row
        i = end
    for k in range(level, 0, -1):
        filled[k] = end_row
        end_row = before[end_row - start]
    return level
