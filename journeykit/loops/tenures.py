"""When customers end: the first silence that lasts too long, or the first event that ends."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop

NEVER = 2**31 - 1
"""A day that does not come."""


@loop("i4", "b1", "bool", "i8", "i4", "out i8", "int", "int")
def first_rows_from(days, counts, every, offsets, from_day, out, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write each customer's first event that counts on `from_day` or later; -1 if there is none."""
    for customer in range(first, last):
        out[customer] = -1
        for i in range(offsets[customer], offsets[customer + 1]):
            if days[i] >= from_day[customer] and (every or counts[i]):
                out[customer] = i
                break


@loop("i4", "b1", "bool", "i8", "i4", "i4", "int", "out i4 2d", "out b1 2d", "out i4 2d", "int", "int")
def first_silences(days, counts, every, offsets, from_day, limits, last_day, exits, ended, back, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Find each customer's first silence of more than `limits[j]` days, for rising limits in one pass.

    The first active day is `from_day` (NEVER leaves the customer out). The
    silence after active day a is known to be one on day a + limit, if that
    is `last_day` or before: this is the exit. Without one the exit is
    `last_day`, and `ended` is False. `back` is the active day that broke the
    silence, or NEVER.
    """
    n_limits = limits.size
    for customer in range(first, last):
        active = from_day[customer]
        if active == NEVER:
            continue
        j = 0  # a silence longer than a limit is longer than those below it: they are decided in order
        for i in range(offsets[customer], offsets[customer + 1]):
            day = days[i]
            if day > last_day or j == n_limits:
                break
            if day <= active or not (every or counts[i]):
                continue
            while j < n_limits and day - active > limits[j]:
                exits[customer, j], ended[customer, j], back[customer, j] = active + limits[j], True, day
                j += 1
            active = day
        while j < n_limits:
            ended[customer, j] = active + limits[j] <= last_day
            exits[customer, j] = active + limits[j] if ended[customer, j] else last_day
            back[customer, j] = NEVER
            j += 1


@loop("i4", "i1", "i8", "i8", "i4", "int", "bool", "i8", "out i8", "out i4", "out i4", "out i1", "out i4", "int", "int")
def find_spells(  # type: ignore[no-untyped-def]  # pragma: no cover
    days, kinds, offsets, after_row, from_day, last_day, every, place, row, begins, exits, ends, back, first, last
):
    """Find each customer's spells: from the start to the first event of a kind that ends (2, 3, …), and again.

    The first begins on `from_day` (NEVER leaves the customer out), and only
    what is stored after `after_row` can end it. After an end the next event
    of kind 1 begins another, if `every` is asked for. Spells are written from
    `place[customer]` on: `begins` and `exits` are days, `ends` the kind, or
    `last_day` and 0; `back` is the day of the first start after the end, or
    NEVER. What is never written keeps its `exits`.
    """
    for customer in range(first, last):
        if from_day[customer] == NEVER:
            continue
        k = place[customer]
        row[k], begins[k], exits[k], ends[k], back[k] = after_row[customer], from_day[customer], last_day, 0, NEVER
        running = True
        for i in range(max(offsets[customer], after_row[customer] + 1), offsets[customer + 1]):
            if days[i] > last_day:
                break
            if running:
                if kinds[i] >= 2 and days[i] >= from_day[customer]:
                    exits[k], ends[k], running = days[i], kinds[i], False
            elif kinds[i] == 1:
                back[k] = days[i]
                if not every:
                    break
                k += 1
                row[k], begins[k], exits[k], ends[k], back[k] = i, days[i], last_day, 0, NEVER
                running = True


@loop("i4", "i4", "i4", "i1", "b1", "out i8 2d")
def extents(group, enters, duration, ends, kept, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the lowest and the highest value of each array over the entries kept; return how many they are."""
    n = 0
    for i in range(kept.size):
        if not kept[i]:
            continue
        row = (np.int64(group[i]), np.int64(enters[i]), np.int64(duration[i]), np.int64(ends[i]))
        for j in range(4):
            if n == 0 or row[j] < out[j, 0]:
                out[j, 0] = row[j]
            if n == 0 or row[j] > out[j, 1]:
                out[j, 1] = row[j]
        n += 1
    return n


@loop("i4", "i4", "i4", "i1", "b1", "i8 2d", "out i8")
def count_equal(group, enters, duration, ends, kept, between, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count the entries kept that are equal, in an array with a place for every combination of their `extents`."""
    wide_enters = between[1, 1] - between[1, 0] + 1
    wide_duration = between[2, 1] - between[2, 0] + 1
    wide_ends = between[3, 1] - between[3, 0] + 1
    for i in range(kept.size):
        if kept[i]:
            place = (group[i] - between[0, 0]) * wide_enters + enters[i] - between[1, 0]
            place = (place * wide_duration + duration[i] - between[2, 0]) * wide_ends + ends[i] - between[3, 0]
            out[place] += 1


def no_marks() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Stand in for marks where every event counts."""
    return np.zeros(0, dtype=np.bool_)
