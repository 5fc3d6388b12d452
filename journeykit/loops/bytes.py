"""What a piece of a text file holds, in one pass over its bytes."""

from __future__ import annotations

from journeykit.loops.engine import loop


@loop("u1", "int", "int")
def scan_bytes(data, line_feed, quote):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count line feeds; count quotes; and combine all bytes by or: from 128 on, some byte is not ASCII."""
    feeds, quotes, seen = 0, 0, 0
    for i in range(data.size):
        byte = data[i]
        feeds += byte == line_feed
        quotes += byte == quote
        seen |= byte
    return feeds, quotes, seen
