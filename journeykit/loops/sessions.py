"""Where sessions and journeys begin: after a silence, or after the event that ends one."""

from __future__ import annotations

from journeykit.loops.engine import loop


@loop("i8", "b1", "i8", "int", "out b1", "int", "int")
def mark_begins(times, ends, offsets, gap, begins, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Mark the events that begin a unit: a customer's first, one after `gap` or more of silence, one after an end.

    `ends` marks the events that end a unit; empty: none does. A `gap` of 0
    means that silence ends nothing.
    """
    never = ends.size == 0
    for customer in range(first, last):
        over = True
        for i in range(offsets[customer], offsets[customer + 1]):
            begins[i] = over or (gap > 0 and times[i] - times[i - 1] >= gap)
            over = not never and ends[i]
