"""From one attempt to a customer: several touches, several attempts, and what the log's end lets be seen."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from journeykit.datasets.clock import Clock, minute_weights
from journeykit.datasets.lattice import Mass, add, convolve, cumulated, until
from journeykit.datasets.parameters import Segment, ShopParameters
from journeykit.datasets.spine import Reach, branches, consider_rate, orders_of

_STRIDE = 10  # minutes: later attempts begin weeks apart, so this lattice is fine enough for them


def failing(parameters: ShopParameters, segment: Segment, reach: Reach, *, first: bool) -> float:
    """Probability that an attempt fails, and without reaching this."""
    looks = consider_rate(parameters, segment, first=first)
    return 1 - looks + looks * (_returns(parameters, segment) - reach.may_return)


def _returns(parameters: ShopParameters, segment: Segment) -> float:
    """Probability that an attempt fails after a look at a product."""
    return sum(way["product_page"].may_return for way in branches(parameters, segment).values())


def touches(parameters: ShopParameters) -> list[Mass]:
    """Minutes from an attempt's first awareness touch to its first, second, third …."""
    gap = parameters.touch_gap.pmf()
    masses = [np.ones(1)]
    for _ in parameters.more_touches[1:]:
        masses.append(convolve(masses[-1], gap))
    return masses


def from_first_touch(parameters: ShopParameters, segment: Segment, reach: Reach) -> Mass:
    """Minutes from a customer's very first touch until this is first reached, in whichever attempt."""
    to_last = add(*(share * mass for share, mass in zip(parameters.more_touches, touches(parameters), strict=True)))
    attempt = convolve(to_last, reach.mass)
    wait = np.concatenate([np.zeros(1440 * parameters.again_from_day), parameters.again_after.pmf()])
    total = consider_rate(parameters, segment, first=True) * attempt
    begin = parameters.again * failing(parameters, segment, reach, first=True) * wait
    for _ in range(1, parameters.max_attempts):
        if not begin.any():
            break
        total = add(total, consider_rate(parameters, segment, first=False) * convolve(begin, attempt))
        begin = parameters.again * failing(parameters, segment, reach, first=False) * convolve(begin, wait)
    return total


@lru_cache(maxsize=32)
def until_first_order(parameters: ShopParameters, segment: Segment) -> Mass:
    """Minutes from a customer's very first touch until the first order."""
    return from_first_touch(parameters, segment, orders_of(parameters, segment))


def best_of_mature(
    parameters: ShopParameters, segment: Segment, reach: Reach, clock: Clock, within: int
) -> tuple[float, float]:
    """Probability that a customer has a mature entry; and that one of them gets this far within the window.

    Every awareness touch opens an attempt, and what follows belongs to the
    latest touch that is mature: whose window (in minutes) ends before the log.
    """
    budget = _budgets(clock, within)  # mass of the minutes left for a touch to be mature, over all arrivals
    length = -(-len(budget) // _STRIDE)
    wait = np.concatenate([np.zeros(1440 * parameters.again_from_day), parameters.again_after.pmf()])
    coarse_wait = np.add.reduceat(wait, np.arange(0, len(wait), _STRIDE))
    share = _reached(parameters, reach, within)
    # Given that it gets this far in time, the attempt fails all the same with this probability.
    fails_too = reach.may_return / reach.total if reach.total else 0.0

    def attempt(looks: float, in_time: Mass, later: Mass) -> Mass:
        """Success in this attempt or a later one."""
        now = looks * in_time * reach.total
        fails = 1 - looks + looks * _returns(parameters, segment) - now * fails_too
        return np.asarray(now + parameters.again * fails * later)

    success = np.zeros(length)
    looks = consider_rate(parameters, segment, first=False)
    for _ in range(1, parameters.max_attempts):
        success = attempt(looks, _at(share, _STRIDE * np.arange(length)), convolve(coarse_wait, success)[:length])
    minutes = np.arange(len(budget))
    later = np.interp(minutes, _STRIDE * np.arange(length), convolve(coarse_wait, success)[:length])
    success = attempt(consider_rate(parameters, segment, first=True), _at(share, minutes), later)
    return float(budget[1:].sum()), float(budget[1:] @ success[1:])


def _budgets(clock: Clock, within: int) -> Mass:
    """Mass of the minutes from a first touch until the last minute whose entries are mature; place 0 is none."""
    minutes = (np.asarray(clock.edges) - clock.start) // 60_000_000
    last = int(minutes[-1]) - within
    mass = np.zeros(max(1, last + 1))
    of_day = minute_weights()
    for begin, weight in zip(minutes[:-1], clock.day_weights, strict=True):
        left = last - (int(begin) + np.arange(1440))
        mature = left > 0
        np.add.at(mass, left[mature], weight * of_day[mature])
    return mass


def _reached(parameters: ShopParameters, reach: Reach, within: int) -> Mass:
    """Share of an attempt's reaches that come in time, for an attempt with 0, 1, … minutes left for mature touches.

    With `budget` minutes left, touches before it are mature. The step belongs
    to the last of them: if that is touch j of m, the gaps after it count as
    well.
    """
    gap, starts = parameters.touch_gap.pmf(), touches(parameters)
    length = max(len(mass) for mass in starts) + 1
    own = reach.mass / reach.total if reach.total else reach.mass
    shares = np.zeros(length)
    for more, share in enumerate(parameters.more_touches):
        all_mature = np.concatenate([[0.0], cumulated(starts[more], length - 1)])
        shares += share * all_mature * until(own, within)
        beyond = own  # minutes from touch j + 1, then from touch j + 2 back …
        for j in reversed(range(more)):
            in_time = cumulated(beyond, within + 1)
            reachable = np.array([in_time[within - x] if x <= within else 0.0 for x in range(len(gap))])
            tail = np.concatenate([np.cumsum((gap * reachable)[::-1])[::-1], [0.0]])  # next gap at least u
            tail[0] = 0.0  # touch j itself must be mature: at least one minute left
            shares += share * np.pad(convolve(starts[j], tail), (0, length))[:length]
            beyond = convolve(gap, beyond)
    return shares


def _at(shares: Mass, minutes: NDArray[np.int64]) -> Mass:
    """Shares at these minutes; constant after the last."""
    return np.asarray(shares[np.minimum(minutes, len(shares) - 1)])
