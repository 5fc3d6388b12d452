"""Silences between a customer's active days: how long they last, and how sure their shares are.

A silence runs from one active day to the next, or unbroken to the last day of observation. Its rank is how many of the
customer's silences came before it; the last of `n_ranks` ranks also holds all later ones.
"""

from __future__ import annotations

import numpy as np

from journeykit.loops.engine import loop


@loop("i4", "b1", "bool", "i8", "i8", "i4", "int", "int", "int", "int", "int", "int")
def count_gaps(days, counts, every, offsets, start, group, n_groups, n_ranks, last_day, longest, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count silences from each customer's row `start` on (-1: none): an array by group, rank, broken or not, and days.

    All days are up to `longest`.
    """
    found = np.zeros((n_groups, n_ranks, 2, longest + 1), np.int64)
    for customer in range(first, last):
        if start[customer] < 0:
            continue
        rank, active, started = 0, 0, False
        for i in range(start[customer], offsets[customer + 1]):
            day = days[i]
            if day > last_day:
                break
            if (started and day == active) or not (every or counts[i] or not started):  # the start counts in any case
                continue
            if started:
                found[group[customer], min(rank, n_ranks - 1), 1, day - active] += 1
                rank += 1
            started, active = True, day
        if started:
            found[group[customer], min(rank, n_ranks - 1), 0, last_day - active] += 1
    return found


@loop("i4", "b1", "bool", "i8", "i8", "i4", "i4", "int", "int", "int", "f8 2d", "f8 2d", "int", "int")
def squared_influence(  # type: ignore[no-untyped-def]  # pragma: no cover
    days, counts, every, offsets, start, group, limits, horizon, n_ranks, last_day, own, passed, first, last
):
    """Add up each customer's squared influence on log S(limit + horizon) / S(limit), for rising limits.

    `passed` (a row per group and rank) sums over days what a silence at risk
    adds, `own` is what one that is broken on a day adds instead. Returns an
    array by group and rank, and limit: the sums, and the customers with a
    silence longer than the limit.
    """
    n_limits = limits.size
    squares, customers = np.zeros((passed.shape[0], n_limits)), np.zeros((passed.shape[0], n_limits), np.int64)
    influence = np.zeros((n_ranks, n_limits))
    reach = np.zeros(n_ranks, np.int64)  # limits below the customer's longest silence of the rank
    end = passed.shape[1] - 1
    for customer in range(first, last):
        if start[customer] < 0:
            continue
        rank, active, started = 0, 0, False
        stop = offsets[customer + 1]
        for i in range(start[customer], stop + 1):
            broken = i < stop and days[i] <= last_day
            if broken and started and (days[i] == active or not (every or counts[i])):
                continue
            day = days[i] if broken else last_day
            if started:
                place = min(rank, n_ranks - 1)
                row = group[customer] * n_ranks + place
                gap = day - active
                j = 0
                while j < n_limits and limits[j] < gap:
                    until = min(limits[j] + horizon, end)
                    influence[place, j] += passed[row, min(gap, until)] - passed[row, limits[j]]
                    if broken and gap <= until:
                        influence[place, j] -= own[row, gap]
                    j += 1
                reach[place] = max(reach[place], j)
                rank += 1
            if not broken:
                break
            started, active = True, day
        for place in range(n_ranks):
            row = group[customer] * n_ranks + place
            for j in range(reach[place]):
                squares[row, j] += influence[place, j] ** 2
                customers[row, j] += 1
                influence[place, j] = 0.0
            reach[place] = 0
    return squares, customers
