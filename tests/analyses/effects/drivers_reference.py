"""Drivers by a loop over customers, straight from the definition."""

from collections import Counter


def slow_drivers(log, first, rest, *, within, landmark, of, whole=False):
    """Return (counts of the base, driver -> [lost, converted]) of plain touchpoint steps, all times in microseconds."""
    base, drivers = Counter(), {}
    for customer in range(log.n_customers):
        events = range(log.offsets[customer], log.offsets[customer + 1])
        names = [str(log.touchpoints[log.touchpoint_codes[i]]) for i in events]
        times = [int(log.times[i]) for i in events]
        values = log.column(of).iloc[list(events)].tolist()
        entries = [i for i, name in enumerate(names) if name == first]
        if not entries:
            continue
        base["entered"] += 1
        entered = times[entries[0]]
        if entered + within >= log.observed_until:
            base["immature"] += 1
            continue
        converted_at = earliest(names, times, entries[0], rest)
        converts = converted_at is not None and converted_at - entered <= within
        until = entered + landmark
        if whole:
            until = converted_at - 1 if converts else entered + within
        elif converts and converted_at <= until:
            base["early"] += 1
            continue
        base["converted" if converts else "lost"] += 1
        had = {
            str(value)
            for name, time, value in zip(names, times, values, strict=True)
            if entered < time <= until and name not in rest and isinstance(value, str)
        }
        for driver in had:
            drivers.setdefault(driver, [0, 0])[int(converts)] += 1
    return base, drivers


def earliest(names, times, entry, rest):
    """The earliest time of the last step, each by another event, ties in any order; None if there is none."""
    at, used = times[entry], {entry}
    for step in rest:
        later = [(times[i], i) for i, name in enumerate(names) if name == step and times[i] >= at and i not in used]
        if not later:
            return None
        at, event = min(later)
        used.add(event)
    return at
