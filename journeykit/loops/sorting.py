"""Sort events by customer and time: the only sort that anyone pays for."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop


@loop("out i8", "i8", "i8", "int", "int")
def sort_inside_customers(order, times, offsets, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Sort `order` by `times[order]` inside each customer, in place; rows of equal time keep their order."""
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        in_order = True
        for i in range(start + 1, stop):
            if times[order[i]] < times[order[i - 1]]:
                in_order = False
                break
        if in_order:
            continue
        if stop - start > 64:
            rows = order[start:stop].copy()
            order[start:stop] = rows[np.argsort(times[rows], kind="mergesort")]
            continue
        for i in range(start + 1, stop):
            row = order[i]
            time = times[row]
            j = i - 1
            while j >= start and times[order[j]] > time:
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = row


@loop("i8", "i8", "i8", "out i4", "int", "int")
def locate_in_edges(times, edges, offsets, out, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write for each event the last edge at or before it; times rise inside a customer, so the edge only moves on."""
    n_edges = edges.size
    widest = 1
    for edge in range(1, n_edges):
        widest = max(widest, edges[edge] - edges[edge - 1])
    for customer in range(first, last):
        start, stop = offsets[customer], offsets[customer + 1]
        if start == stop:
            continue
        low, high = 0, n_edges  # binary search for the first event only
        while low < high:
            middle = (low + high) // 2
            if edges[middle] <= times[start]:
                low = middle + 1
            else:
                high = middle
        edge = low - 1
        for i in range(start, stop):
            if edge >= 0:  # after a long silence: no farther than if every period were the widest
                edge = min(edge + (times[i] - edges[edge]) // widest, n_edges - 1)
            while edge + 1 < n_edges and edges[edge + 1] <= times[i]:
                edge += 1
            out[i] = edge
