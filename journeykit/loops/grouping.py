"""Put the rows of each customer together: a counting sort, in as many parts as there are threads."""

from __future__ import annotations

from journeykit.loops.engine import loop


@loop("i4", "out i8 2d", "int", "int", "int")
def count_codes(codes, counts, part, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count each code among the rows `[first, last)`, into a row of counts."""
    for row in range(first, last):
        counts[part, codes[row]] += 1


@loop("out i8 2d", "out i8")
def counts_to_places(counts, offsets):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Turn the counts of each part into the place of its first row of each code; write where each code begins."""
    place = 0
    for code in range(counts.shape[1]):
        offsets[code] = place
        for part in range(counts.shape[0]):
            count = counts[part, code]
            counts[part, code] = place
            place += count
    offsets[counts.shape[1]] = place


@loop("i4", "out i8 2d", "out i8", "int", "int", "int")
def place_rows(codes, places, order, part, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the rows `[first, last)` to their places, in their own order within a code."""
    for row in range(first, last):
        code = codes[row]
        order[places[part, code]] = row
        places[part, code] += 1
