"""Terms of contracts: which are renewed, and the first that is not."""

from __future__ import annotations

from journeykit.loops.engine import loop, part
from journeykit.loops.tenures import NEVER

AS_BEFORE = -1
"""What an event says of the length of a term where it says nothing."""

UNKNOWN = -2
"""What it says where nobody knows how long that is."""


@part
def due(start, months, days, month_of, month_first, base):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Find the day after so many months (on the same day of the month, or the month's last) and days."""
    if months == 0:
        return start + days
    month = month_of[start - base]
    of_month = start - month_first[month]
    target = month + months
    if target + 1 >= month_first.size:
        return NEVER
    return month_first[target] + min(of_month, month_first[target + 1] - month_first[target] - 1) + days


@loop("i4", "i1", "i4", "i8", "i8", "i4", "i4", "i4", "i4", "int", "i4", "i4", "int", "int", "bool", "i8",
      "out i8", "out i4", "out i4", "out i4", "out i4", "out i1", "out i4", "int", "int")  # fmt: skip
def find_contracts(  # type: ignore[no-untyped-def]  # pragma: no cover
    days, kinds, lengths, offsets, start_row, start_day, from_day, month_of, month_first, base, months, length, grace,
    last_day, every, place, row, begins, exits, enters, terms, ends, back, first, last,
):  # fmt: skip
    """Find each customer's contracts: terms until the first that is not renewed, and again.

    Kind 1 starts, kind 2 renews (and starts, once a contract has ended). What
    starts or renews says how long the next term is: `lengths` of the event is
    the place in `months` and `length` (days); without `lengths` all terms are
    alike. A renewal counts for the earliest term without one; those of one day
    are one. A term that ends on day D is decided on D + grace: the contract
    ends there (`exits`) if that is `last_day` or before and no renewal came
    until then. `terms` is the term that was not renewed, or else how many were
    decided until `last_day`. A `from_day` after the start is that of the first
    renewal seen: what it renewed is not watched (`enters`). A start of UNKNOWN
    length is written without a term, and no spell follows it; of what a
    renewal of UNKNOWN length pays for nothing is decided.
    """
    alike = lengths.size == 0
    for customer in range(first, last):
        if from_day[customer] == NEVER:
            continue
        k = place[customer]
        start, renewed, decided, paid_on = start_day[customer], 0, 0, from_day[customer]
        row[k], begins[k], enters[k], back[k] = start_row[customer], start, 0, NEVER
        now = 0 if alike else lengths[start_row[customer]]
        paid_months, paid_days = months[now], length[now]  # from the start to the end of what is paid for
        if from_day[customer] > start:  # then all terms are alike
            renewed = 1
            while due(start, paid_months, paid_days, month_of, month_first, base) + grace < from_day[customer]:
                renewed += 1
                paid_months, paid_days = paid_months + months[now], paid_days + length[now]
            enters[k] = decided = renewed
            paid_months, paid_days = paid_months + months[now], paid_days + length[now]
        deadline = due(start, paid_months, paid_days, month_of, month_first, base) + grace
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
                    if deadline <= last_day:  # paying ahead decides nothing before its day
                        decided = renewed
                    if not alike and lengths[i] != AS_BEFORE:
                        now = lengths[i]
                    if now == UNKNOWN:
                        deadline = NEVER
                        break
                    paid_months, paid_days = paid_months + months[now], paid_days + length[now]
                    deadline = due(start, paid_months, paid_days, month_of, month_first, base) + grace
            else:
                back[k] = days[i]
                if not every:
                    break
                k += 1
                start, renewed, decided, paid_on, running = days[i], 0, 0, days[i], True
                row[k], begins[k], enters[k], back[k] = i, start, 0, NEVER
                now = 0 if alike else lengths[i]
                if now < 0:
                    deadline = NEVER
                    break
                paid_months, paid_days = months[now], length[now]
                deadline = due(start, paid_months, paid_days, month_of, month_first, base) + grace
        if running and deadline <= last_day:
            exits[k], terms[k], ends[k] = deadline, renewed + 1, 1
        elif running:
            exits[k], terms[k], ends[k] = last_day, decided, 0
