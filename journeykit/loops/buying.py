"""Repeat purchases of customers, and the continued fraction that their likelihood needs."""

from __future__ import annotations

from journeykit.loops.engine import loop

NEVER = 2**31 - 1
"""A day that does not come."""


@loop("i4", "b1", "bool", "f8", "bool", "i8", "int", "int", "out i8 2d", "out f8", "int", "int")
def purchases(days, counts, every, values, valued, offsets, split, last_day, out, spend, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write each customer's purchase days, several purchases of a day being one.

    Columns of `out`: row of the first purchase (-1: none), its day, days with
    a repeat purchase up to `split`, the last of all purchase days up to it,
    days with a repeat purchase after it and up to `last_day`, and those up to
    `split` on which any purchase has a value; `spend` is the sum of these.
    """
    for customer in range(first, last):
        row, begun, day, repeats, latest, later, valued_days, total = -1, 0, -NEVER, 0, 0, 0, 0, 0.0
        any_value = False
        for i in range(offsets[customer], offsets[customer + 1]):
            if not (every or counts[i]):
                continue
            if days[i] > last_day:
                break
            if row < 0:
                row, begun, latest = i, days[i], days[i]
            elif days[i] > day:
                any_value = False
                if days[i] <= split:
                    repeats += 1
                    latest = days[i]
                else:
                    later += 1
            day = days[i]
            if valued and day > begun and day <= split and values[i] == values[i]:
                total += values[i]
                if not any_value:
                    valued_days += 1
                    any_value = True
        out[customer, 0], out[customer, 1], out[customer, 2] = row, begun, repeats
        out[customer, 3], out[customer, 4], out[customer, 5] = latest, later, valued_days
        spend[customer] = total


@loop("i4", "b1", "bool", "i8", "b1", "int", "int", "out i8", "int", "int")
def purchases_by_day(days, counts, every, offsets, kept, origin, last_day, out, first, last):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Count the kept customers' repeat purchases on each day from `origin` on."""
    for customer in range(first, last):
        if not kept[customer]:
            continue
        day, begun = -NEVER, False
        for i in range(offsets[customer], offsets[customer + 1]):
            if not (every or counts[i]):
                continue
            if days[i] > last_day:
                break
            if begun and days[i] > day:
                out[days[i] - origin] += 1
            begun, day = True, days[i]


@loop("f8", "f8", "f8", "out f8")
def gauss_fraction(b, c, z, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write ₂F₁(1, b; c; z) for 0 < b < c and 0 ≤ z < 1, as Gauss's continued fraction.

    1/(1 − k₁z/(1 − k₂z/(1 − …))), with k₂ₘ = m(c − b + m − 1)/((c + 2m − 2)(c + 2m − 1)) and
    k₂ₘ₊₁ = (b + m)(c + m − 1)/((c + 2m − 1)(c + 2m)): all between 0 and 1, so nothing cancels however large b and c
    are. Evaluated forward, by Lentz's method as modified by Thompson and Barnett.
    """
    tiny = 1e-300
    for i in range(z.size):
        value, up, down = 1.0, 1.0, 0.0
        for n in range(1, 1_000_000):
            m = n // 2
            if n % 2:
                k = (b[i] + m) * (c[i] + m - 1) / ((c[i] + 2 * m - 1) * (c[i] + 2 * m)) if n > 1 else b[i] / c[i]
            else:
                k = m * (c[i] - b[i] + m - 1) / ((c[i] + 2 * m - 2) * (c[i] + 2 * m - 1))
            down = 1 - k * z[i] * down
            down = 1 / (down if abs(down) > tiny else tiny)
            up = 1 - k * z[i] / up
            up = up if abs(up) > tiny else tiny
            change = up * down
            value *= change
            if abs(change - 1) < 1e-15 or k * z[i] == 0:
                break
        out[i] = 1 / value
