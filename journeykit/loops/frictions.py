"""Where customers could have met something that stands in the way, and whether they did."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop

NEVER = np.iinfo(np.int64).max


PAGE, CAUSE, IGNORED = 0, 1, 2
"""What an event can be to a walk."""


@loop(
    "i4", "u1", "i8", "i8", "i8", "i8", "i8 2d", "int", "out i4", "out i2", "out i4", "out u1", "out i8", "int", "int"
)
def walk_pages(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, kind_of, times, offsets, entry_event, until, reached, needed, who, stage, page, met, met_event, first, last,
):  # fmt: skip
    """Walk each attempt page by page until it meets the cause, converts or its window ends.

    `kind_of` says what events of a code are. A page is one of kind `PAGE`, from the entry on; ignored ones are
    passed over. Into the row of its event go: the customer (`who`, -1 where
    the event is no page from which the cause can be met), how many steps were
    reached by then (`stage`, from 1), how many pages came since the last step
    (`page`), and whether the cause comes before the next page (`met`).
    `met_event` is the customer's event that met it, -1 if none. A cause is met
    with its `needed`-th event of the attempt: those before it are pages, and
    it can be met from the last of them on.
    """
    for customer in range(first, last):
        met_event[customer] = -1
        end = offsets[customer + 1]
        for i in range(offsets[customer], end):
            who[i] = -1
        here = entry_event[customer]
        if here < 0:
            continue
        steps, pages, causes = 1, 0, 0
        while True:
            now = 1
            for k in range(reached.shape[1]):
                if reached[customer, k] <= times[here]:
                    now += 1
            if now > reached.shape[1]:
                break  # converted at the very instant of the entry: there was no time to meet anything
            if now > steps:
                steps, pages = now, 0
            following = here + 1
            while following < end and times[following] <= until[customer] and kind_of[codes[following]] == 2:
                following += 1
            over = following >= end or times[following] > until[customer]
            meets = not over and kind_of[codes[following]] == 1 and causes + 1 == needed
            if causes + 1 == needed:
                who[here], stage[here], page[here], met[here] = customer, steps, pages, meets
            if meets:
                met_event[customer] = following
            if over or meets:
                break
            if kind_of[codes[following]] == 1:
                causes += 1
            pages += 1
            here = following
