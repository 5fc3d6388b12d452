"""Time between the steps of matched attempts, and their segments."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop, part


@loop("i2", "i4 2d", "i8", "i8", "i4", "i4", "i8", "i8", "int", "int", "int")
def packed_spans(  # type: ignore[no-untyped-def]  # pragma: no cover
    levels, rows, offsets, times, base_step, segments, base_keys, entry_keys, segment_key, first, last,
):  # fmt: skip
    """Return for every later step that an attempt filled the time from the base step, and that from entry.

    Each is packed with what it belongs to: `base_keys[k]` or `entry_keys[k]`,
    and the segment (`segments` may be empty: all are 0; -1 is left out).
    Sorted by step.
    """
    n_steps = rows.shape[1]
    number = places_of_steps(levels, rows, segments, first, last)
    from_base, from_entry = np.empty(number[n_steps + 1], np.int64), np.empty(number[n_steps + 1], np.int64)
    for i in range(first, last):
        if levels[i] < 2 or (segments.size > 0 and segments[i] < 0):
            continue
        start = offsets[i]
        entry = times[start + rows[i, 0]]
        own = segment_key * segments[i] if segments.size > 0 else 0
        for k in range(2, levels[i] + 1):
            row = rows[i, k - 1]
            if row < 0:
                continue
            time = times[start + row]
            from_entry[number[k]] = entry_keys[k] + own + time - entry
            from_base[number[k]] = base_keys[k] + own + time - times[start + rows[i, base_step[k] - 1]]
            number[k] += 1
    return from_base, from_entry


@loop("i2", "i4 2d", "i8", "i4", "int", "out i4", "int", "int")
def segments_at(levels, rows, starts, codes, step, segments, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the code of the event that filled a step of each attempt, or -1."""
    for i in range(first, last):
        row = rows[i, step - 1] if levels[i] > 0 else -1
        segments[i] = codes[starts[i] + row] if row >= 0 else -1


@loop("i2", "i4", "b1", "int", "int", "int", "int")
def count_steps(steps, groups, mask, n_groups, n_places, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count how many of a group are at each step, of those in the mask that have a group."""
    numbers = np.zeros(n_groups * n_places, np.int64)
    for i in range(first, last):
        if mask[i] and groups[i] >= 0:
            numbers[groups[i] * n_places + steps[i]] += 1
    return numbers


@part
def places_of_steps(levels, rows, segments, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count the steps that attempts filled; return where the entries of each begin, and how many there are."""
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
    return number
