"""Time between the steps of matched attempts."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop


@loop("i2", "i4 2d", "i8", "i8", "i4", "i4", "int", "int")
def step_spans(levels, rows, offsets, times, base_step, segments, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Return for every later step that an attempt filled: segment, step, time from the base step and from entry.

    Sorted by step; `segments` may be empty (all are 0), and -1 is left out.
    """
    n_steps = rows.shape[1]
    number = np.zeros(n_steps + 2, np.int64)
    for i in range(first, last):
        if segments.size > 0 and segments[i] < 0:
            continue
        for k in range(2, levels[i] + 1):
            if rows[i, k - 1] >= 0:
                number[k + 1] += 1
    for k in range(n_steps + 1):
        number[k + 1] += number[k]
    size = number[n_steps + 1]
    segment, step = np.zeros(size, np.int32), np.empty(size, np.int32)
    from_base, from_entry = np.empty(size, np.int64), np.empty(size, np.int64)
    for i in range(first, last):
        if levels[i] < 2 or (segments.size > 0 and segments[i] < 0):
            continue
        start = offsets[i]
        entry = times[start + rows[i, 0]]
        for k in range(2, levels[i] + 1):
            row = rows[i, k - 1]
            if row < 0:
                continue
            place = number[k]
            number[k] += 1
            time = times[start + row]
            from_entry[place] = time - entry
            from_base[place] = time - times[start + rows[i, base_step[k] - 1]]
            step[place] = k
            if segments.size > 0:
                segment[place] = segments[i]
    return segment, step, from_base, from_entry
