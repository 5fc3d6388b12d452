"""Who is active in which period: new, returning, resurrecting, dormant; in how many; within trailing windows.

`periods` holds the period of each event (rising inside a customer), `marked` which events count as activity (empty:
all), `groups` each customer's group (-1 leaves out).
"""

from __future__ import annotations

from journeykit.loops.engine import loop


@loop(
    *("i4", "i8", "b1", "i4", "i4", "bool", "int", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d"),
    *("int", "int"),
)
def count_flow(  # type: ignore[no-untyped-def]  # pragma: no cover
    periods,
    offsets,
    marked,
    groups,
    created,  # period in which each customer was created; -1: before the log
    new_when_created,
    n_finished,
    new,
    returning,
    resurrecting,
    dormant,
    sums,
    first,
    last,
):
    """Count each customer's active periods as new, returning or resurrecting, and the first silent ones as dormant.

    New is the first active period of who was not created before the log, or (`new_when_created`) an active period in
    which the customer was created. `sums[group]` holds what the pooled returning rate is made of, over finished
    periods: customers, x, n, xx, xn, nn (x periods returned in of n that followed an active one).
    """
    n_periods = new.shape[1]
    for customer in range(first, last):
        group = groups[customer]
        if group < 0:
            continue
        previous, x, n = -1, 0, 0
        for i in range(offsets[customer], offsets[customer + 1]):
            if marked.size > 0 and not marked[i]:
                continue
            period = periods[i]
            if period == previous:
                continue
            if period + 1 < n_finished:
                n += 1
            if previous >= 0 and previous + 1 == period and period < n_finished:
                x += 1
            if previous >= 0 and previous + 1 < period:
                dormant[group, previous + 1] += 1
            in_its_period = created[customer] == period
            first_seen = previous < 0 and created[customer] != -1  # -1: before the log
            if in_its_period if new_when_created else first_seen:
                new[group, period] += 1
            elif previous >= 0 and previous + 1 == period:
                returning[group, period] += 1
            else:
                resurrecting[group, period] += 1
            previous = period
        if previous >= 0 and previous + 1 < n_periods:
            dormant[group, previous + 1] += 1
        if n > 0:
            sums[group, 0] += 1
            sums[group, 1] += x
            sums[group, 2] += n
            sums[group, 3] += x * x
            sums[group, 4] += x * n
            sums[group, 5] += n * n


@loop("i4", "i8", "b1", "i4", "int", "int", "out i8 2d", "out i8 2d", "int", "int")
def count_active_periods(  # type: ignore[no-untyped-def]  # pragma: no cover
    periods, offsets, marked, groups, first_period, end_period, times_active, longest, first, last
):
    """Count customers by the number of distinct active periods in [first_period, end_period), and by longest streak."""
    for customer in range(first, last):
        group = groups[customer]
        if group < 0:
            continue
        active, streak, best, previous = 0, 0, 0, -2
        for i in range(offsets[customer], offsets[customer + 1]):
            period = periods[i]
            if period < first_period or period >= end_period or period == previous:
                continue
            if marked.size > 0 and not marked[i]:
                continue
            active += 1
            streak = streak + 1 if period == previous + 1 else 1
            best = max(best, streak)
            previous = period
        times_active[group, active] += 1
        longest[group, best] += 1


@loop("i4", "i8", "b1", "i4", "i4", "int", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "int", "int")
def count_active(  # type: ignore[no-untyped-def]  # pragma: no cover
    periods, offsets, marked, groups, window_of, rolling, active, trailing, in_window, squares, first, last
):
    """Count active customers by period, in the `rolling` periods up to each, and in calendar windows.

    `in_window[group, w]` counts customers active in window w, `squares[group, w]` their squared numbers of active
    periods in it: with the sum of `active` over the window, what the mean share of active periods and its variance
    need.
    """
    after_last = active.shape[1] - 1  # the last place is no period: what ends with the log ends there
    for customer in range(first, last):
        group = groups[customer]
        if group < 0:
            continue
        previous, covered, window, inside = -1, 0, -1, 0
        for i in range(offsets[customer], offsets[customer + 1]):
            period = periods[i]
            if period == previous:
                continue
            if marked.size > 0 and not marked[i]:
                continue
            active[group, period] += 1
            # Seen in the trailing windows that end in [period, period + rolling): count those not counted yet.
            begins, ends = max(period, covered), min(period + rolling, after_last)
            if begins < ends:
                trailing[group, begins] += 1
                trailing[group, ends] -= 1
                covered = ends
            if window_of[period] != window:
                if window >= 0:
                    in_window[group, window] += 1
                    squares[group, window] += inside * inside
                window, inside = window_of[period], 0
            inside += 1
            previous = period
        if window >= 0:
            in_window[group, window] += 1
            squares[group, window] += inside * inside
