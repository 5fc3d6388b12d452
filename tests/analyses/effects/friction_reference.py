"""Frictions by a loop over customers, straight from the definition."""

from collections import Counter

from tests.analyses.effects.drivers_reference import earliest

CLASSES = (0, 1, 2, 3, 4, 5, 6, 10)


def slow_friction(log, steps, cause, *, times=1, others=(), ignored=(), within, gap):
    """Return ((stage, page, visits, channel) -> [a, b, c, d], customers who met it) of plain touchpoints."""
    cells, met_by = {}, Counter()
    for customer in range(log.n_customers):
        events = list(range(log.offsets[customer], log.offsets[customer + 1]))
        names = [str(log.touchpoints[log.touchpoint_codes[i]]) for i in events]
        at = [int(log.times[i]) for i in events]
        channels = log.column("channel").iloc[events].tolist()
        entries = [i for i, name in enumerate(names) if name == steps[0]]
        if not entries or at[entries[0]] + within >= log.observed_until:
            continue
        entry = entries[0]
        reached = [at[entry]]
        for k in range(1, len(steps)):
            time = earliest(names, at, entry, steps[1 : k + 1])
            reached.append(time if time is not None and time <= at[entry] + within else None)
        converts = reached[-1] is not None
        last = reached[-1] - 1 if converts else at[entry] + within
        if converts and reached[-1] == at[entry]:
            continue  # no time to meet anything
        visits = sum(at[i] - at[i - 1] >= gap for i in range(1, entry + 1))
        own = [i for i in range(entry, len(events)) if i == entry or at[i] <= last]
        own = [i for i in own if i == entry or names[i] in steps or names[i] not in {*others, *ignored}]
        so_far, pages, stage = 0, -1, 0
        for place, i in enumerate(own):
            if i != entry and names[i] == cause:
                so_far += 1
                if so_far == times:
                    met_by[str(log.customers[customer])] += 1
                    break
            now = sum(time is not None and time <= at[i] for time in reached)
            pages, stage = (0, now) if now > stage else (pages + 1, stage)
            if so_far == times - 1:
                meets = place + 1 < len(own) and names[own[place + 1]] == cause
                channel = channels[entry] if isinstance(channels[entry], str) else "(missing)"
                key = (stage, max(c for c in CLASSES if c <= pages), ("0", "1", "2+")[min(visits, 2)], channel)
                cells.setdefault(key, [0, 0, 0, 0])[(0 if meets else 2) + (0 if converts else 1)] += 1
    return cells, met_by
