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


@loop("u1", "i2", "i4 2d", "i4", "i4", "i4", "i8", "i8", "int", "bool", "out i4", "int", "int")
def next_touchpoints(  # type: ignore[no-untyped-def]  # pragma: no cover
    asked, levels, rows, codes, step_of, touchpoints, times, offsets, within, any_order_in_ties, found, first, last
):
    """Write what each customer did next after the last step of their attempt, inside its window and outside that stage.

    The code of the touchpoint (of several at one instant the first by name), or
    STAYED (in that stage only) or NOTHING.
    """
    for customer in range(first, last):
        found[customer] = NOT_ASKED
        if asked[customer] == 0:
            continue
        start = offsets[customer]
        step = levels[customer]
        row = start + rows[customer, step - 1]
        deadline = times[start + rows[customer, 0]] + within
        found[customer] = NOTHING
        for i in range(row + 1, offsets[customer + 1]):
            if times[i] > deadline:
                break
            if any_order_in_ties and times[i] == times[row]:
                continue
            if step_of[codes[i]] == step:
                found[customer] = STAYED
                continue
            found[customer] = touchpoints[i]
            if any_order_in_ties:
                t = times[i]
                i += 1
                while i < offsets[customer + 1] and times[i] == t:
                    if step_of[codes[i]] != step and touchpoints[i] < found[customer]:
                        found[customer] = touchpoints[i]
                    i += 1
            break
