"""True survival: until a subscription is cancelled, and until the first silence of d days."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from journeykit.datasets.clock import minute_weights
from journeykit.datasets.entries import until_first_order
from journeykit.datasets.lattice import Mass, by_day, convolve, time_of_day_after
from journeykit.datasets.lessons import EARLY_UNTIL
from journeykit.datasets.parameters import Habit, Segment, ShopParameters
from journeykit.datasets.spine import come_back_mass, delivery_mass


def first_crossing(waiting: Mass, visit: float, end: float, order: float | None, silence: int, horizon: int) -> Mass:
    """Survival past each day until the first silence, by a chain over the days since the last activity.

    Parameters
    ----------
    waiting : array
        Mass of the days from the start (day 0, active) to the come-back, if
        ever.
    visit, end : float
        From the day after the come-back on, each day is the first of the
        silence for ever with probability `end`, else a visit with `visit`.
    order : float or None
        If visits count as activity, None. If orders do, the probability that a
        visit is one; the come-back itself is none.
    silence : int
        Days without activity after which the customer has churned: on day
        `last active day + silence`.
    horizon : int
        The last day of the curve.

    Returns
    -------
    array of horizon + 1
        Probability of no crossing on or before day 0, 1, …
    """
    active = (1 - end) * visit * (1.0 if order is None else order)
    alive, silent = np.zeros(silence + 1), np.zeros(silence + 1)  # by days since the last activity
    still = 1.0  # waiting for the come-back; their last activity is day 0
    survival = np.ones(horizon + 1)
    for day in range(1, horizon + 1):
        stay = alive.sum()
        silent[1:] = silent[:-1] + end * alive[:-1]
        alive[1:] = (1 - end - active) * alive[:-1]
        silent[0], alive[0] = 0.0, active * stay
        back = float(waiting[day]) if day < len(waiting) else 0.0
        still -= back
        if order is None:
            alive[0] += back if day <= silence else 0.0
        elif day <= silence:
            alive[day] += back
        crossed = alive[silence] + silent[silence] + (still if day == silence else 0.0)
        alive[silence] = silent[silence] = 0.0
        survival[day] = survival[day - 1] - crossed
    return survival


@lru_cache(maxsize=64)
def come_back_days(parameters: ShopParameters, segment: Segment, *, band: int) -> Mass:
    """Days from the first order to the come-back, if ever, for deliveries in a band."""
    punctuality = parameters.punctuality[band]
    delivered = delivery_mass(parameters, punctuality)
    minutes = convolve(delivered / delivered.sum(), come_back_mass(parameters, segment, punctuality))
    ordered = until_first_order(parameters, segment)
    return by_day(minutes, time_of_day_after(ordered, minute_weights()))


def kinds(parameters: ShopParameters, segment: Segment) -> list[tuple[float, int, Habit, float]]:
    """Share, band, habit and daily end of each kind of buyer of a segment."""
    return [
        (sum(chance for _, chance in band.days) * share, code, habit, habit.end * band.end)
        for code, band in enumerate(parameters.punctuality)
        for share, habit in zip(segment.regulars, parameters.habits, strict=True)
    ]


def inactivity_survival(
    parameters: ShopParameters, segment: Segment, *, activity: str, silence: int, horizon: int
) -> Mass:
    """Survival of a segment's buyers from their first order until `silence` days without activity."""
    back = [come_back_days(parameters, segment, band=code) for code in range(len(parameters.punctuality))]
    total = np.zeros(horizon + 1)
    for share, band, habit, end in kinds(parameters, segment):
        order = habit.order if activity == "order" else None
        total += share * first_crossing(back[band], habit.visit, end, order, silence, horizon)
    return total


def cancel_survival(parameters: ShopParameters, segment: Segment, horizon: int) -> Mass:
    """Survival of a segment's subscriptions past each day, both plans together."""
    return (1 - segment.yearly) * monthly_survival(parameters, segment, horizon) + segment.yearly * yearly_survival(
        parameters, horizon
    )


def monthly_survival(parameters: ShopParameters, segment: Segment, horizon: int) -> Mass:
    """Survival of a monthly subscription: no risk, an early risk, a late risk."""
    day = np.arange(horizon + 1)
    early = np.clip(day - parameters.cooling_days, 0, EARLY_UNTIL - parameters.cooling_days)
    late = np.clip(day - EARLY_UNTIL, 0, None)
    risk = np.array([parameters.cancel_early, parameters.cancel_late]) * segment.leaving
    return np.asarray((1 - risk[0]) ** early * (1 - risk[1]) ** late)


def yearly_survival(parameters: ShopParameters, horizon: int) -> Mass:
    """Survival of a yearly subscription: cancelled only on day 365, day 730, and so on."""
    return np.asarray((1 - parameters.cancel_yearly) ** (np.arange(horizon + 1) // 365))
