"""Settle the customers whom nothing moves past step 1, before the slower loop looks at the others."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import part
from journeykit.loops.funnel_plain import FOREVER, NEVER, NO_ROW, OPENS_NOTHING


@part
def settle_quiet(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, kind_of, times, offsets, has_step, excludes, within, opens_from, mature_until, opens_until,
    any_order_in_ties, first_only, mature_levels, mature_rows, levels, rows, late, first, last,
):  # fmt: skip
    """Write the best attempts of those after whose step 1 no other step and no exclusion comes in time; mark them.

    The first entry is all that they have. Most customers are such, and their
    events are looked at without a jump that a processor would have to guess.
    """
    n_steps = has_step.shape[1] - 1
    # By an event's code: the window that it opens; by how much it comes too late for any other step, an age if it is
    # none; and what hides its position unless it is a step 1.
    table = np.zeros(4 * kind_of.size, np.int64)
    for i in range(kind_of.size):
        kind = kind_of[i]
        matters = excludes.size > 0 and excludes[kind] != 0
        for k in range(2, n_steps + 1):
            matters = matters or has_step[kind, k] != 0
        starts = has_step[kind, 1] != 0
        table[4 * i] = within if starts else OPENS_NOTHING
        table[4 * i + 1] = 0 if matters else FOREVER
        table[4 * i + 2] = 0 if starts else -1
    n_mature, n_rows = mature_rows.shape[0], rows.shape[0]
    quiet = np.zeros(last - first, np.bool_)
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        row = start
        while not first_only and row < stop and times[row] < opens_from:
            row += 1
        until = np.int64(OPENS_NOTHING)
        entry = NO_ROW
        met = np.int64(0)
        earlier = np.int64(NEVER)
        while row < stop:
            t = times[np.uintp(row)]
            code = np.uintp(4 * np.uint32(codes[np.uintp(row)]))
            met |= np.int64(t + table[code + np.uintp(1)] <= until)
            met |= np.int64(t == earlier) & np.int64(any_order_in_ties)
            until = max(until, t + table[code])
            entry = min(entry, np.uint64(row | table[code + np.uintp(2)]))
            earlier = t
            row += 1
        if met != 0:
            continue
        quiet[customer - first] = True
        at = np.int64(entry) if entry != NO_ROW else stop
        t = times[at] if at < stop else np.int64(FOREVER)
        mature_levels[customer] = opens_from <= t < mature_until
        levels[customer] = opens_from <= t < opens_until
        late[customer] = levels[customer] > 0 and t >= mature_until
        for k in range(n_steps if n_mature > 0 else 0):
            mature_rows[customer, k] = at - start if k < mature_levels[customer] else -1
        for k in range(n_steps if n_rows > 0 else 0):
            rows[customer, k] = at - start if k < levels[customer] else -1
    return quiet
