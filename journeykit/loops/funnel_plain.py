"""Match each customer's events with the steps of a plain funnel: in order, one step an event, a window for the whole.

This is `match_best` of `journeykit.loops.funnel` for the funnel that is asked
most, several times as fast: no event has a branch for steps 1 and 2, and which
events filled the steps is looked up when it is known who came how far.
"""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop, part

NEVER = -(2**62)
"""A step 1 so long ago that no window holds it."""
FOREVER = 2**62

_EVENTS = ("i4", "i4", "i8", "i4", "i8")
_RULES = ("int", "int", "int", "int", "int", "bool", "bool")


@loop(*_EVENTS, *_RULES, *("out i2", "out i4 2d") * 2, "out u1", "int", "int")
def match_plain(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, step_of, times, tie_keys, offsets, n_steps, within, opens_from, mature_until, opens_until, any_order_in_ties,
    first_only, mature_levels, mature_rows, levels, rows, late, first, last,
):  # fmt: skip
    """Write each customer's best attempt twice: among mature entries, and among all.

    `step_of` is the step of each code, `n_steps + 2` for none. The rest is as
    in `match_best`.
    """
    longest = 1
    for customer in range(first, last):
        longest = max(longest, offsets[customer + 1] - offsets[customer])
    since = np.empty(n_steps + 3, np.int64)  # of the attempt that last reached each step: when its step 1 was
    kept = np.empty(n_steps + 3, np.int64)
    filled = np.zeros(n_steps + 1, np.int64)  # the events of the best attempt
    before = np.empty(longest, np.int64)  # for an event, the event that filled the step before in the same attempt
    event_at = np.zeros(n_steps + 3, np.int64)
    n_mature, n_rows = mature_rows.shape[0], rows.shape[0]
    only = np.int64(first_only)
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        for k in range(3, n_steps + 1):
            since[k] = NEVER
        at_first = at_second = np.int64(NEVER)  # the same of steps 1 and 2
        level = np.int64(0)  # of the best attempt; the event by which it came there, and when it began
        end_row, begun = start, np.int64(NEVER)
        n_entries = np.int64(0)
        tied = np.int64(0)
        earlier = NEVER
        row = start
        # Up to the first entry that is not mature both matchings are the same: 0. Then 1: of mature ones, 2: of all.
        phase = 0
        pause, counted_until = mature_until, min(mature_until, opens_until)
        while True:
            # Steps 1 and 2, which most events are, have no jump that a processor would have to guess:
            # a ^= (a ^ b) & yes puts b in the place of a where yes is -1, and leaves it where it is 0.
            # Indices without a sign spare the question whether they count from the end.
            while row < stop:
                t = times[np.uintp(row)]
                if t >= pause:
                    break
                k = step_of[np.uint32(codes[np.uintp(row)])]
                enters = np.int64(k == 1)
                may = np.int64(opens_from <= t) & np.int64(t < counted_until) & (1 - (only & np.int64(n_entries > 0)))
                opens = -(enters & may)
                moves = -(np.int64(k == 2) & np.int64(t - at_first <= within))
                at_second ^= (at_second ^ at_first) & moves
                further = (opens & -np.int64(level < 1)) | (moves & -np.int64(level < 2))
                begun ^= (begun ^ at_first ^ ((at_first ^ t) & opens)) & further
                at_first ^= (at_first ^ t) & opens
                at_first ^= (at_first ^ NEVER) & moves
                level ^= (level ^ k) & further
                end_row ^= (end_row ^ row) & further
                n_entries += enters
                tied |= np.int64(t == earlier)
                earlier = t
                row += 1
                if 2 < k <= n_steps:
                    its_begin = at_second if k == 3 else since[np.uintp(k - 1)]
                    if t - its_begin <= within:
                        since[np.uintp(k)] = its_begin
                        if k == 3:
                            at_second = np.int64(NEVER)
                        else:
                            since[np.uintp(k - 1)] = NEVER
                        if k > level:
                            level, end_row, begun = np.int64(k), row - 1, its_begin
                if level == n_steps:
                    tied |= np.int64(row < stop and times[np.uintp(row)] == t)
                    break
            if phase == 0 and row < stop and level < n_steps:
                for k in range(3, n_steps + 1):
                    kept[k] = since[k]
                resume, so_far = row, (at_first, at_second, level, end_row, begun, n_entries, tied, earlier)
                phase, pause = 1, FOREVER
                continue
            if tied != 0 and any_order_in_ties:
                level = match_tied(
                    start, stop, counted_until, codes, step_of, times, tie_keys, n_steps, within, opens_from,
                    any_order_in_ties, first_only, before, since, event_at, filled,
                )  # fmt: skip
            elif level > 1:
                trace(start, end_row, level, begun, first_only, codes, step_of, times, filled)
            else:
                filled[1] = end_row
            of_all = phase != 1 or n_entries == so_far[5]
            if phase < 2:
                mature_levels[customer] = level
                if n_mature > 0:
                    for k in range(n_steps):
                        mature_rows[customer, k] = filled[k + 1] - start if k < level else -1
            if of_all:
                levels[customer] = level
                late[customer] = level > 0 and times[filled[1]] >= mature_until
                if n_rows > 0:
                    for k in range(n_steps):
                        rows[customer, k] = filled[k + 1] - start if k < level else -1
                break
            for k in range(3, n_steps + 1):
                since[k] = kept[k]
            row = resume
            at_first, at_second, level, end_row, begun, n_entries, tied, earlier = so_far
            phase, counted_until = 2, opens_until


@part
def trace(start, end_row, level, begun, first_only, codes, step_of, times, filled):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Find the events of an attempt that came to its level: its step 1, then the first of each next step."""
    row = end_row
    while step_of[codes[row]] != 1 or times[row] != begun:
        row -= 1
    filled[1] = row
    while first_only and row > start and times[row - 1] == begun:  # of several at one instant the first opened
        row -= 1
        filled[1] = row if step_of[codes[row]] == 1 else filled[1]
    row = filled[1]
    for k in range(2, level + 1):
        row += 1
        while step_of[codes[row]] != k:
            row += 1
        filled[k] = row


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
