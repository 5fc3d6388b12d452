"""Rules about events that may stand there twice, and about customers that are no people."""

from __future__ import annotations

import numpy as np

from journeykit.errors import ParameterError
from journeykit.log.quality import Finding
from journeykit.log.rules.seen import Seen
from journeykit.loops import over_customers
from journeykit.schema import SECOND, duration_us


def near_duplicates(seen: Seen, *, seconds: float = 1.0) -> list[Finding]:
    """Find a touchpoint that fires twice: same customer and touchpoint, at most so many seconds apart.

    Formula: event i is one if the same customer's latest earlier event at the
    same touchpoint lies Δ before it, 0 < Δ ≤ `seconds`. With Δ = 0 it is a
    finding of its own, `same_instant`: such rows differ in another column (else
    they are exact duplicates), as the lines of one order do, and which of them
    came first is not known.

    Default: 1 second, twice the half-second that Windows takes for a double
    click, since many logs keep whole seconds. COUNTER (Code of Practice 5,
    7.2) takes 30 seconds for double clicks on one item.

    Kept as they are.
    """
    from journeykit.loops.checking import count_repeats

    if not seconds > 0:
        raise ParameterError(f"seconds of near_duplicates == {seconds!r}, must be above 0")
    log, within = seen.log, round(seconds * SECOND)
    parts = over_customers(
        lambda first, last: count_repeats(
            log.times, log.offsets, log.touchpoint_codes, len(log.touchpoints), within, first, last
        ),
        log.offsets,
    )
    findings = []
    for rule, counted, row in (("near_duplicates", 2, 3), ("same_instant", 0, 1)):
        rows = [part[row] for part in parts if part[row] >= 0]
        findings.append(
            Finding(rule, sum(part[counted] for part in parts), "kept", seen.event(rows[0]) if rows else "")
        )
    return findings


def absurd_rates(seen: Seen, *, events: int = 500, within: str = "1h") -> list[Finding]:
    """Find customers who act faster than people do: bots, tests, a till that books everything on one id.

    Formula: the most events that a customer has in any window [t, t + `within`)
    is above `events`. The measure is the "maximum sustained click rate" of
    Stassopoulou & Dikaiakos (2009), Web robot detection: a probabilistic
    reasoning approach, Computer Networks 53(3).

    Default: 500 within an hour, one every seven seconds for a whole hour.

    Rows: all those of such customers. Kept; `log.customers_where` leaves them
    out.
    """
    from journeykit.loops.checking import busiest_window

    log, length = seen.log, duration_us(within, name="within of absurd_rates")
    most = np.zeros(log.n_customers, np.int32)
    over_customers(lambda first, last: busiest_window(log.times, log.offsets, length, most, first, last), log.offsets)
    absurd = np.flatnonzero(most > events)
    if not absurd.size:
        return []
    worst = int(absurd[np.argmax(most[absurd])])
    rows = int(np.diff(log.offsets)[absurd].sum())
    example = f"{log.customers[worst]}: {most[worst]} events within {within}; such customers: {absurd.size}"
    return [Finding("absurd_rates", rows, "kept", example, personal=True)]
