"""True retention: cohorts of first orders, and who comes back in each later period."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.datasets.clock import Clock, minute_weights
from journeykit.datasets.entries import from_first_touch, until_first_order
from journeykit.datasets.lattice import Mass, add, convolve, cumulated
from journeykit.datasets.parameters import Segment, ShopParameters
from journeykit.datasets.silences import come_back_days, kinds
from journeykit.datasets.spine import branches, come_back_mass, delivery_mass
from journeykit.log.calendar import period_edges

_FREQUENCY = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


def days_reached(from_first: Mass, clock: Clock) -> Mass:
    """Share of customers who reach something on each day of the log, from its delay after their first touch."""
    minutes = (np.asarray(clock.edges) - clock.start) // 60_000_000
    arrivals = np.zeros(int(minutes[-1]))
    of_day = minute_weights()
    for begin, weight in zip(minutes[:-1], clock.day_weights, strict=True):
        piece = arrivals[int(begin) : int(begin) + 1440]
        piece += weight * of_day[: len(piece)]
    until_day = cumulated(convolve(arrivals, from_first), int(minutes[-1]))
    return np.diff(np.concatenate([[0.0], until_day[minutes[1:] - 1]]))


def first_order_days(parameters: ShopParameters, segment: Segment, clock: Clock) -> Mass:
    """Share of a segment's customers whose first order falls on each day of the log."""
    return days_reached(until_first_order(parameters, segment), clock)


def subscriptions(parameters: ShopParameters, segment: Segment, clock: Clock) -> float:
    """Share of a segment's customers who start a subscription in the log, after an attempt or after a come-back."""
    attempt = branches(parameters, segment)["lessons"]["subscription_started"]
    back = add(
        *(
            convolve(delivery_mass(parameters, band), come_back_mass(parameters, segment, band))
            for band in parameters.punctuality
        )
    )
    trial = np.zeros(5 + 1440 * parameters.trial_days + 1)
    trial[-1] = parameters.cross_trial * segment.paid
    ordered = until_first_order(parameters, segment)
    started = add(from_first_touch(parameters, segment, attempt), convolve(ordered, back, trial))
    return float(days_reached(started, clock).sum())


def back_rates(
    parameters: ShopParameters, segment: Segment, *, activity: str, horizon: int, lengths: set[int]
) -> dict[int, Mass]:
    """Probability of activity within `length` days from day 1, 2, … `horizon` after the first order.

    Returns
    -------
    dict
        Length → array; place u is the probability of activity in days
        u … u + length − 1 after the order (place 0 is unused).
    """
    back = [come_back_days(parameters, segment, band=code) for code in range(len(parameters.punctuality))]
    days = np.arange(horizon + 1)
    rates = {length: np.zeros(horizon + 1) for length in lengths}
    for share, band, habit, end in kinds(parameters, segment):
        came = np.zeros(2 * horizon + 400)
        came[: len(back[band])] = back[band]
        order = habit.order if activity == "order" else 1.0
        counts_itself = activity != "order"  # the come-back is a visit and no order
        active = (1 - end) * habit.visit * order  # on a day, if alive on the day before
        quiet = 1 - end - active
        for length in lengths:
            # Quiet for n days, alive on the day before the first: ended on one of them, or neither ended nor active.
            spans = np.arange(length + 1)
            silence = end * np.where(spans > 0, (1 - quiet**spans) / (1 - quiet), 0.0) + quiet**spans
            # Came back before the span and alive on the day before it …
            earlier = convolve(came, np.asarray((1 - end) ** days, dtype=np.float64))[: horizon + 1]
            total = np.concatenate([[0.0], earlier[:-1]]) * (1 - silence[length])
            # … or comes back within it, and is then (or on the days left) active.
            for offset in range(length):
                first = came[days + offset]
                total += first * (1.0 if counts_itself else 1 - silence[length - 1 - offset])
            rates[length] += share * total
    return rates


def retention_table(
    parameters: ShopParameters, clock: Clock, *, period: str, back: str, segments: tuple[Segment, ...]
) -> pd.DataFrame:
    """Expected retention of cohorts by the period of the first order; finished cells only."""
    edges = period_edges(clock.start, clock.end, period=period, timezone=parameters.timezone)
    edges = edges[edges <= clock.end]  # a period that the log's end cuts is never finished
    firsts: NDArray[np.int64] = np.searchsorted(clock.edges, edges)  # first day of each period
    n_periods = len(edges) - 1
    lengths = {int(length) for length in np.diff(firsts)}
    weight = np.zeros(n_periods)
    came = np.zeros((n_periods, n_periods))
    for segment in segments:
        days = segment.share * first_order_days(parameters, segment, clock)
        rates = back_rates(parameters, segment, activity=back, horizon=clock.n_days, lengths=lengths)
        for cohort in range(n_periods):
            ordered = np.arange(firsts[cohort], firsts[cohort + 1])
            weight[cohort] += days[ordered].sum()
            came[cohort, cohort] += days[ordered].sum()
            for later in range(cohort + 1, n_periods):
                length = int(firsts[later + 1] - firsts[later])
                came[cohort, later] += days[ordered] @ rates[length][firsts[later] - ordered]
    names = pd.period_range(pd.Timestamp(parameters.start), periods=n_periods, freq=_FREQUENCY[period])
    share_of_all = sum(segment.share for segment in segments)
    rows = [
        (names[cohort], later - cohort, weight[cohort] / share_of_all, came[cohort, later] / weight[cohort])
        for cohort in range(n_periods)
        if weight[cohort] > 0
        for later in range(cohort, n_periods)
    ]
    return pd.DataFrame(rows, columns=["cohort", "age", "cohort_rate", "back_rate"])
