"""What a funnel of stages hides: who was there at all, skipped a stage, came back, or did something else."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop

NOTHING, STAYED, NOT_ASKED = -1, -2, -3


@loop("i4", "i4", "i8", "i8", "int", "int", "bool", "out u1 2d", "out u1 2d", "out u1 2d", "int", "int")
def stage_moves(  # type: ignore[no-untyped-def]  # pragma: no cover
    codes, step_of, times, offsets, n_steps, begins, any_order_in_ties, reached, skipped, came_back, first, last
):
    """Mark, for each customer and stage, whether they were there, skipped it, and came back to it.

    Skipped: in a later stage, and not in this one before. Came back: here, then
    in a later stage, then here again. What is tied in time is not before.
    """
    here = np.empty(n_steps + 1, np.int64)  # when first in each stage
    later = np.empty(n_steps + 1, np.int64)  # when first in any later stage
    left = np.empty(n_steps + 1, np.int64)  # when first in a later stage after having been here
    for customer in range(first, last):
        here[:] = -1
        later[:] = -1
        left[:] = -1
        for k in range(n_steps):
            reached[customer, k] = 0
            skipped[customer, k] = 0
            came_back[customer, k] = 0
        moment = 0  # numbers what has an order
        for i in range(offsets[customer], offsets[customer + 1]):
            if i > offsets[customer] and not (any_order_in_ties and times[i] == times[i - 1]):
                moment += 1
            k = step_of[codes[i]]
            if k == 0 or times[i] < begins:
                continue
            if here[k] < 0:
                here[k] = moment
                reached[customer, k - 1] = 1
            elif left[k] >= 0 and left[k] < moment:
                came_back[customer, k - 1] = 1
            for before in range(1, k):
                if later[before] < 0:
                    later[before] = moment
                if left[before] < 0 and here[before] >= 0 and here[before] < moment:
                    left[before] = moment
        for k in range(1, n_steps + 1):
            if later[k] >= 0 and (here[k] < 0 or here[k] > later[k]):
                skipped[customer, k - 1] = 1


@loop("u1", "i2", "i4 2d", "i8", "i8", "i4", "i4", "u1 2d", "i4", "i8", "int", "bool", "out i4", "int", "int")
def next_touchpoints(  # type: ignore[no-untyped-def]  # pragma: no cover
    asked, levels, rows, starts, stops, codes, kind_of, has_step, touchpoints, times, within, any_order_in_ties, found,
    first, last,
):  # fmt: skip
    """Write what came next after the last step of each attempt, inside its window and not of that step.

    The code of the touchpoint (of several at one instant the first by name), or
    STAYED (of that step only) or NOTHING.
    """
    for attempt in range(first, last):
        found[attempt] = NOT_ASKED
        if asked[attempt] == 0:
            continue
        start, stop = starts[attempt], stops[attempt]
        step = levels[attempt]
        row = start + rows[attempt, step - 1]
        deadline = times[start + rows[attempt, 0]] + within
        found[attempt] = NOTHING
        for i in range(row + 1, stop):
            if times[i] > deadline:
                break
            if any_order_in_ties and times[i] == times[row]:
                continue
            if has_step[kind_of[codes[i]], step]:
                found[attempt] = STAYED
                continue
            found[attempt] = touchpoints[i]
            if any_order_in_ties:
                t = times[i]
                i += 1
                while i < stop and times[i] == t:
                    if not has_step[kind_of[codes[i]], step] and touchpoints[i] < found[attempt]:
                        found[attempt] = touchpoints[i]
                    i += 1
            break


@loop("u1", "i4", "i8", "i4", "i8", "int", "bool", "out i4 2d", "int", "int")
def previous_touchpoints(  # type: ignore[no-untyped-def]  # pragma: no cover
    asked, rows, starts, touchpoints, times, within, any_order_in_ties, found, first, last
):
    """Write the touchpoints before an event of each attempt, the nearest first; NOTHING where there is none.

    Not further back than `within`. Of several at one instant the last by name
    is the nearest; what is tied with the event itself is not before it.
    """
    n = found.shape[1]
    for attempt in range(first, last):
        for back in range(n):
            found[attempt, back] = NOT_ASKED
        if asked[attempt] == 0:
            continue
        start = starts[attempt]
        row = start + rows[attempt]
        i = row - 1
        while any_order_in_ties and i >= start and times[i] == times[row]:
            i -= 1
        back = 0
        while back < n:
            if i < start or times[row] - times[i] > within:
                found[attempt, back] = NOTHING
                back += 1
                continue
            low = i
            while any_order_in_ties and low > start and times[low - 1] == times[i]:
                low -= 1
            tied = np.sort(touchpoints[low : i + 1])
            for g in range(tied.size - 1, -1, -1):
                if back < n:
                    found[attempt, back] = tied[g]
                    back += 1
            i = low - 1
