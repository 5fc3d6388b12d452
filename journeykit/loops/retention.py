"""Who came back in which column after the start: one pass over each customer's events."""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop

FOLLOW = (
    *("i8", "i8", "i8", "i4", "b1", "i8", "int", "int", "int", "int", "int", "i4", "i4", "i4", "int", "bool", "int"),
    *("f8 2d", "f8 2d"),
    *("out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out f8"),
    *("int", "int"),
)
EVERY = (
    *("i8", "i8", "b1", "i4", "b1", "i8", "int", "int", "int", "i4", "i4", "i4", "int", "bool", "int", "bool"),
    *("f8 2d", "f8 2d"),
    *("out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out i8 2d", "out f8 2d"),
    *("int", "int"),
)


@loop("i8", "b1", "out i8", "int", "int")
def first_marked(offsets, marked, out, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the row of each customer's first marked event; -1 if there is none."""
    for customer in range(first, last):
        out[customer] = -1
        for i in range(offsets[customer], offsets[customer + 1]):
            if marked[i]:
                out[customer] = i
                break


@loop(
    *("i8", "i8", "i8", "i4", "b1", "int", "int", "i8", "i4", "i4", "int", "int", "i4", "out i8", "out i8 2d"),
    *("int", "int"),
)
def count_back(  # type: ignore[no-untyped-def]  # pragma: no cover
    times,
    offsets,
    starts,  # row of each customer's start event
    groups,  # group of each customer; -1 leaves out
    backs,  # which events count as coming back; empty: all
    origin,  # when the first period begins
    shift,  # time is cut into slices of 2 ** shift microseconds, none longer than a period
    changes,  # when the next period begins, by slice
    before,  # period at the begin of each slice
    after,  # period from `changes` on
    first_period,  # period of the first row
    n_rows,  # cohorts of a group: row = group * n_rows + period - first_period
    column_of,  # column of each period after the start, and last, of those beyond: the last column, which nobody reads
    sizes,
    so_far,
    first,
    last,
):
    """Count the customers of each row, and those back in each column: the usual question, in one short pass.

    Nothing in the loop over events is guessed at by the processor: what a
    branch would decide is computed. Indices are unsigned, since one that
    can't be negative needs no test.
    """
    furthest, all_back, width = column_of.size - 1, backs.size == 0, so_far.shape[1]
    counts = so_far.reshape(so_far.size)
    for customer in range(first, last):
        if groups[customer] < 0:
            continue
        started = times[starts[customer]]
        slice_ = (started - origin) >> shift
        period = after[slice_] if started >= changes[slice_] else before[slice_]
        row = groups[customer] * n_rows + period - first_period
        sizes[row] += 1
        begin, latest = row * width, 0
        for i in range(starts[customer] + 1, offsets[customer + 1]):
            if all_back or backs[i]:
                place = np.uint64((times[i] - origin) >> shift)
                now = after[place] if times[i] >= changes[place] else before[place]
                column = column_of[np.uint64(min(now - period, furthest))]
                counts[np.uint64(begin + column)] += column != latest  # a column of several periods counts once
                latest = column


@loop(*FOLLOW)
def follow_first(  # type: ignore[no-untyped-def]  # pragma: no cover
    times,
    offsets,
    starts,  # row of each customer's start event
    groups,  # group of each customer; -1 leaves out
    backs,  # which events count as coming back; empty: all
    edges,  # where periods begin
    first_period,  # period of the first row
    n_rows,  # cohorts of a group: row = group * n_rows + period - first_period
    length,  # of a rolling unit; 0: units are calendar periods
    observed_until,
    n_finished,  # periods that have fully elapsed
    column_of,  # column of each unit after the start; -1 beyond the last column
    columns_elapsed,  # columns that lie wholly in the first u units
    columns_begun,  # columns that begin in the first u units
    min_events,
    or_after,  # a customer counts in every column up to the last one of coming back
    beyond,  # column of units after the last column; -1: they do not count
    weight,  # of (row, column) in a customer's score; empty: no scores
    expected,  # score that a customer of a row with so many columns elapsed is expected to have
    so_far,
    back,
    again,
    previous,
    elapsed,
    begun,
    squares,
    first,
    last,
):
    """Follow each customer from the one start event.

    For on: `so_far[row, c]` came back in column c; `back` those of them whose column has fully elapsed; `again` those
    of them who were back in column c - 1 too; `previous` those back in column c - 1 whose column c has elapsed.
    For on or after: `so_far[row, c]` had column c as their last; `back` those of them with every column elapsed.
    `elapsed[row, m]` and `begun[row, m]` count customers by columns elapsed and begun; `squares[group]` sums squared
    scores.
    """
    n_edges, n_columns, n_units = edges.size, so_far.shape[1], column_of.size
    all_back, scored = backs.size == 0, weight.size > 0
    per_period = (n_edges - 1.5) / (edges[n_edges - 1] - edges[0])
    for customer in range(first, last):
        if groups[customer] < 0:
            continue
        row, stop = starts[customer], offsets[customer + 1]
        started = times[row]
        period = int((started - edges[0]) * per_period)
        while edges[period] > started:
            period -= 1
        while edges[period + 1] <= started:
            period += 1
        cell = groups[customer] * n_rows + period - first_period
        if length > 0:
            units_elapsed = (observed_until - started) // length
            units_begun = (observed_until - started + length - 1) // length
            unit_ends = started + length
        else:
            units_elapsed = max(0, n_finished - period)
            units_begun = n_edges - 1 - period
            unit_ends = edges[period + 1]
        known = columns_elapsed[min(units_elapsed, n_units)]
        elapsed[cell, known] += 1
        begun[cell, columns_begun[min(units_begun, n_units)]] += 1
        if known > 1 and not or_after:
            previous[cell, 1] += 1
        score = -expected[cell, known] if scored and (known == n_columns or not or_after) else 0.0

        unit, events, latest = 0, 0, 0
        for i in range(row, stop + 1):
            if i < stop:
                if not (all_back or backs[i]):
                    continue
                if times[i] < unit_ends:
                    events += 1
                    continue
            # A unit is over: it counts if it had enough events, a column counts once.
            column = column_of[unit] if unit < n_units else beyond
            if events >= min_events and column > latest:
                if not or_after:
                    so_far[cell, column] += 1
                    if column < known:
                        back[cell, column] += 1
                        if scored:
                            score += weight[cell, column]
                        if latest == column - 1:
                            again[cell, column] += 1
                    if column + 1 < known:
                        previous[cell, column + 1] += 1
                latest = column
            if i == stop:
                break
            time = times[i]
            events = 1
            if length > 0:
                unit = (time - started) // length
                unit_ends = started + (unit + 1) * length
                continue
            now = int((time - edges[0]) * per_period)  # periods are nearly equal: walk the rest
            while edges[now] > time:
                now -= 1
            while edges[now + 1] <= time:
                now += 1
            unit = now - period
            unit_ends = edges[now + 1]
        if or_after:
            so_far[cell, latest] += 1
            if known == n_columns:
                back[cell, latest] += 1
                if scored:
                    for column in range(1, latest + 1):
                        score += weight[cell, column]
        if scored:
            squares[groups[customer]] += score * score


@loop(*EVERY)
def follow_every(  # type: ignore[no-untyped-def]  # pragma: no cover
    times,
    offsets,
    begins,  # which events are start events; empty: all
    groups,
    backs,
    edges,
    first_period,
    n_rows,
    n_finished,
    column_of,
    columns_elapsed,
    columns_begun,
    min_events,
    or_after,
    beyond,
    of_previous,  # a column's rate is over those back in the previous one
    weight,
    expected,
    so_far,
    back,
    again,
    previous,
    elapsed,
    begun,
    sums,
    squares,
    first,
    last,
):
    """Follow each customer from every calendar period with a start event; a customer may stand in many cohorts.

    The counts are those of `follow_first`. `sums[group * 6 + s, c]` holds the sums over customers of a column's pooled
    rate (customers, x, n, xx, xn, nn: x times back, n times in the base, in cohorts whose column has elapsed), and
    `squares[group, c]` the squared scores of a column; its last entry, those of all columns together.
    """
    n_periods, n_columns, n_units = edges.size - 1, so_far.shape[1], column_of.size
    all_begin, all_back, scored = begins.size == 0, backs.size == 0, weight.size > 0
    per_period = (n_periods - 0.5) / (edges[n_periods] - edges[0])  # periods are nearly equal: guess, then walk
    entries = np.empty(n_periods, np.int64)
    active = np.empty(n_periods, np.int64)
    times_back = np.zeros(n_columns, np.int64)
    times_in = np.zeros(n_columns, np.int64)
    scores = np.zeros(n_columns + 1, np.float64)
    for customer in range(first, last):
        group = groups[customer]
        if group < 0:
            continue
        n_entries, n_active, events, period = 0, 0, 0, -1
        entered = False
        for i in range(offsets[customer], offsets[customer + 1]):
            if period < 0 or edges[period + 1] <= times[i]:
                if events >= min_events:
                    active[n_active] = period
                    n_active += 1
                period = int((times[i] - edges[0]) * per_period)
                while edges[period] > times[i]:
                    period -= 1
                while edges[period + 1] <= times[i]:
                    period += 1
                events, entered = 0, False
            if all_back or backs[i]:
                events += 1
            if not entered and (all_begin or begins[i]):
                entries[n_entries] = period
                n_entries += 1
                entered = True
        if events >= min_events:
            active[n_active] = period
            n_active += 1

        most_known, later = 0, 0
        for e in range(n_entries):
            start = entries[e]
            cell = group * n_rows + start - first_period
            known = columns_elapsed[min(max(0, n_finished - start), n_units)]
            elapsed[cell, known] += 1
            begun[cell, columns_begun[min(n_periods - start, n_units)]] += 1
            counted = known if not or_after or known == n_columns else 0
            most_known = max(most_known, counted)
            for column in range(min(counted, 2) if of_previous else counted):
                times_in[column] += 1
                if scored:
                    scores[column] -= expected[cell, column]
            if known > 1 and not or_after:
                previous[cell, 1] += 1
            while later < n_active and active[later] <= start:
                later += 1
            latest = 0
            for a in range(later, n_active):
                unit = active[a] - start
                column = column_of[unit] if unit < n_units else beyond
                if column <= latest:
                    continue
                if not or_after:
                    so_far[cell, column] += 1
                    if column < known:
                        back[cell, column] += 1
                        times_back[column] += 1
                        if scored:
                            scores[column] += weight[cell, column]
                        if latest == column - 1:
                            again[cell, column] += 1
                    if column + 1 < known:
                        previous[cell, column + 1] += 1
                        if of_previous:
                            times_in[column + 1] += 1
                            if scored:
                                scores[column + 1] -= expected[cell, column + 1]
                latest = column
            if or_after:
                so_far[cell, latest] += 1
                if known == n_columns:
                    back[cell, latest] += 1
                    for column in range(1, latest + 1):
                        times_back[column] += 1
                        if of_previous and column + 1 < n_columns:
                            times_in[column + 1] += 1
                            if scored:
                                scores[column + 1] -= expected[cell, column + 1]
                        if scored:
                            scores[column] += weight[cell, column]
        for column in range(1, most_known):
            x, n = times_back[column], times_in[column]
            if x == 0 and n == 0:
                continue
            sums[group * 6, column] += 1
            sums[group * 6 + 1, column] += x
            sums[group * 6 + 2, column] += n
            sums[group * 6 + 3, column] += x * x
            sums[group * 6 + 4, column] += x * n
            sums[group * 6 + 5, column] += n * n
            if scored:
                squares[group, column] += scores[column] ** 2
                scores[n_columns] += scores[column]
        if scored:
            squares[group, n_columns] += scores[n_columns] ** 2
        times_back[:most_known] = 0
        times_in[:most_known] = 0
        scores[:] = 0.0
