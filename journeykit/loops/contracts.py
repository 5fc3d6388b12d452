"""Terms of contracts: which are renewed, and the first that is not."""

from __future__ import annotations

from journeykit.loops.engine import loop, part
from journeykit.loops.tenures import NEVER


@part
def due(start, term, month_of, month_first, base, months, length):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Find the day on which a term ends: the same day of the month, or the month's last."""
    if months == 0:
        return start + term * length
    month = month_of[start - base]
    of_month = start - month_first[month]
    target = month + term * months
    if target + 1 >= month_first.size:
        return NEVER
    return month_first[target] + min(of_month, month_first[target + 1] - month_first[target] - 1)


@loop("i4", "i1", "i8", "i8", "i4", "i4", "i4", "i4", "int", "int", "int", "int", "int", "bool", "i8",
      "out i8", "out i4", "out i4", "out i4", "out i4", "out i1", "out i4", "int", "int")  # fmt: skip
def find_contracts(  # type: ignore[no-untyped-def]  # pragma: no cover
    days, kinds, offsets, start_row, start_day, from_day, month_of, month_first, base, months, length, grace, last_day,
    every, place, row, begins, exits, enters, terms, ends, back, first, last,
):  # fmt: skip
    """Find each customer's contracts: terms until the first that is not renewed, and again.

    Kind 1 starts, kind 2 renews (and starts, once a contract has ended). A
    renewal counts for the earliest term without one; those of one day are
    one. A term that ends on day D is decided on D + grace: the contract ends
    there (`exits`) if that is `last_day` or before and no renewal came until
    then. `terms` is the term that was not renewed, or else how many were
    decided until `last_day`. A `from_day` after the start is that of the first
    renewal seen: what it renewed is not watched (`enters`).
    """
    for customer in range(first, last):
        if from_day[customer] == NEVER:
            continue
        k = place[customer]
        start, renewed, paid_on = start_day[customer], 0, from_day[customer]
        row[k], begins[k], enters[k], back[k] = start_row[customer], start, 0, NEVER
        if from_day[customer] > start:
            renewed = 1
            while due(start, renewed, month_of, month_first, base, months, length) + grace < from_day[customer]:
                renewed += 1
            enters[k] = renewed
        deadline = due(start, renewed + 1, month_of, month_first, base, months, length) + grace
        running = True
        for i in range(max(offsets[customer], start_row[customer] + 1), offsets[customer + 1]):
            if days[i] > last_day:
                break
            if kinds[i] == 0 or days[i] < from_day[customer]:
                continue
            if running and days[i] > deadline:
                exits[k], terms[k], ends[k], running = deadline, renewed + 1, 1, False
            if running:
                if kinds[i] == 2 and days[i] > paid_on:
                    renewed, paid_on = renewed + 1, days[i]
                    deadline = due(start, renewed + 1, month_of, month_first, base, months, length) + grace
            else:
                back[k] = days[i]
                if not every:
                    break
                k += 1
                start, renewed, paid_on, running = days[i], 0, days[i], True
                row[k], begins[k], enters[k], back[k] = i, start, 0, NEVER
                deadline = due(start, 1, month_of, month_first, base, months, length) + grace
        if running and deadline <= last_day:
            exits[k], terms[k], ends[k] = deadline, renewed + 1, 1
        elif running:
            decided = renewed  # paying ahead decides nothing before its day
            while decided > 0 and due(start, decided, month_of, month_first, base, months, length) + grace > last_day:
                decided -= 1
            exits[k], terms[k], ends[k] = last_day, decided, 0
