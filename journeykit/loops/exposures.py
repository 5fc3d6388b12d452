"""What happened to customers inside a span of theirs: marked, or counted once a customer."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop


@loop("i4", "i8", "i8", "i8", "i8", "i1", "int", "int", "int")
def count_exposed(codes, times, offsets, after, until, converted, n_codes, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Return per code the customers who have an event of it in `(after, until]`: converted (column 1) or not (0).

    Events with code -1 count for nothing, nor do customers with `converted` below 0.
    """
    counts = np.zeros((n_codes, 2), np.int64)
    seen = np.full(n_codes, -1, np.int64)
    for customer in range(first, last):
        if converted[customer] < 0:
            continue
        for i in range(offsets[customer], offsets[customer + 1]):
            code = codes[i]
            if code >= 0 and after[customer] < times[i] <= until[customer] and seen[code] != customer:
                seen[code] = customer
                counts[code, converted[customer]] += 1
    return counts


@loop("i4", "i8", "i8", "i8", "i8", "int", "out u1", "int", "int")
def mark_exposed(codes, times, offsets, after, until, wanted, marks, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Mark with 1 the customers who have an event of one code in `(after, until]`, the others with 0."""
    for customer in range(first, last):
        marks[customer] = 0
        for i in range(offsets[customer], offsets[customer + 1]):
            if codes[i] == wanted and after[customer] < times[i] <= until[customer]:
                marks[customer] = 1
                break
