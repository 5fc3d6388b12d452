"""What the door looks for in a sorted log: one pass each."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop


@loop("i8", "i8", "out i8")
def count_in_periods(times, edges, counts):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count the times in each period `[edges[i], edges[i + 1])`; times outside all of them are passed over.

    The times may come in any order; the more in order, the quicker.
    """
    period, n_edges = 0, edges.size
    for time in times:
        if time < edges[0] or time >= edges[n_edges - 1]:
            continue
        if time < edges[period] or time >= edges[period + 1]:
            low, high = 0, n_edges
            while low < high:
                middle = (low + high) // 2
                if edges[middle] <= time:
                    low = middle + 1
                else:
                    high = middle
            period = low - 1
        counts[period] += 1


@loop("i8", "i8", "i4", "int", "int", "int", "int")
def count_repeats(times, offsets, touchpoints, n_touchpoints, within, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count events that follow one of the same customer and touchpoint at the same instant, and within a time after it.

    Returns the two counts, each with the row of the first such event (-1 if there is none).
    """
    latest = np.zeros(n_touchpoints, np.int64)
    of_customer = np.full(n_touchpoints, -1, np.int64)
    same, near, same_row, near_row = 0, 0, -1, -1
    for customer in range(first, last):
        for i in range(offsets[customer], offsets[customer + 1]):
            touchpoint = touchpoints[i]
            if of_customer[touchpoint] == customer:
                gap = times[i] - latest[touchpoint]
                if gap == 0:
                    same += 1
                    if same_row < 0:
                        same_row = i
                elif gap <= within:
                    near += 1
                    if near_row < 0:
                        near_row = i
            latest[touchpoint] = times[i]
            of_customer[touchpoint] = customer
    return same, same_row, near, near_row


@loop("i8", "i8", "int", "out i4", "int", "int")
def busiest_window(times, offsets, length, out, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the most events that each customer has in any window `[t, t + length)`."""
    for customer in range(first, last):
        begin, most = offsets[customer], 0
        for i in range(offsets[customer], offsets[customer + 1]):
            while times[i] - times[begin] >= length:
                begin += 1
            if i - begin + 1 > most:
                most = i - begin + 1
        out[customer] = most
