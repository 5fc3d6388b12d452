"""Slow, obvious versions, written from the definitions alone."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pandas as pd


def furthest(events, steps, within, end):
    """How many steps one customer completes, of mature entries; 0 without one (DEFINITIONS, "Funnels").

    `events` are (time, name) in order, `steps` sets of names. Every step 1 whose window ends before `end` opens an
    attempt; an event of step k moves on the attempt that last reached step k − 1, if in its window.
    """
    entry = [None] * len(steps)  # step 1 of the attempt that last reached each step
    for at, name in events:
        for k in reversed(range(1, len(steps))):  # later steps first: one event never fills two
            if name in steps[k] and entry[k - 1] is not None and at - entry[k - 1] <= within:
                entry[k] = entry[k - 1]
                break
        if name in steps[0] and at + within < end:
            entry[0] = at
    return sum(each is not None for each in entry)


def funnel_counts(frame, steps, within, end, entry="any", name="touchpoint"):
    """Customers with a mature entry who completed at least 1, 2, … steps."""
    wanted = frame[frame[name].isin(set().union(*steps))].sort_values(["customer", "time"], kind="stable")
    # Plain seconds and lists: a Timestamp an event would take minutes.
    rows = zip(wanted["customer"].tolist(), wanted["time"].map(pd.Timestamp.timestamp), wanted[name], strict=True)
    done = [0] * len(steps)
    for _, group in groupby(rows, key=lambda row: row[0]):
        events = [(at, what) for _, at, what in group]
        if entry == "first":  # no step 1 but the first in the whole log
            first = next((i for i, (_, what) in enumerate(events) if what in steps[0]), len(events))
            events = [(at, what) for i, (at, what) in enumerate(events) if i <= first or what not in steps[0]]
        for k in range(furthest(events, steps, within.total_seconds(), end.timestamp())):
            done[k] += 1
    return done


def first_silence(days, silence, last):
    """Day of the first crossing and True, or the last observed day and False (DEFINITIONS, "Inactivity")."""
    days = sorted(set(days))
    for i, day in enumerate(days):
        gap = days[i + 1] - day if i + 1 < len(days) else float("inf")
        if gap > silence and day + silence <= last:
            return day + silence, True
    return last, False


def kaplan_meier(durations, events, horizon):
    """Survival past each day 0 … horizon."""
    durations, events = np.asarray(durations), np.asarray(events, dtype=bool)
    survival, curve = 1.0, []
    for day in range(horizon + 1):
        risk = (durations >= day).sum()
        died = ((durations == day) & events).sum()
        survival *= 1 - died / risk if risk else 1.0
        curve.append(survival)
    return curve
