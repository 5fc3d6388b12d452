"""The simulator: a log of a believable shop, whose true answers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from journeykit.datasets.attempts import draw_attempts, draw_people, price_of
from journeykit.datasets.clock import MINUTE, make_clock
from journeykit.datasets.delays import Delay
from journeykit.datasets.events import CAMPAIGN_OF_BURST, DEVICES, Events
from journeykit.datasets.habits import draw_come_backs, draw_visits, repeat_products
from journeykit.datasets.lessons import Trials, add_lessons
from journeykit.datasets.orders import add_orders, draw_orders, join_orders
from journeykit.datasets.parameters import ShopParameters
from journeykit.datasets.voices import add_advocates, add_surveys, add_tickets
from journeykit.errors import ParameterError

if TYPE_CHECKING:
    from journeykit.datasets.truth import Truth
    from journeykit.log import InteractionLog


def simulate_journeys(
    n_customers: int = 5000,
    *,
    months: int = 18,
    parameters: ShopParameters | None = None,
    rng: int | np.random.Generator = 0,
) -> tuple[InteractionLog, Truth]:
    """Simulate the journeys of a guitar shop's customers, and say what is true of them.

    Every customer is first seen within the log. The truth is computed from the
    parameters, never from the drawn events, in the columns that the analyses
    return.

    Parameters
    ----------
    n_customers : int
        Customers, each with at least one event.
    months : int
        Length of the log from `parameters.start`, in whole months.
    parameters : ShopParameters, optional
        The shop; by default the one of the sample data.
    rng : int or numpy.random.Generator
        Seed or generator: the same seed gives the same log.

    Returns
    -------
    log : InteractionLog
        With `channel` and `value` (orders and payments above zero, refunds
        below) and the properties `segment` and `device` (known from the first
        event on), `campaign`, `product`, `order_id`, `promised_at`, `score`,
        `comment`, `ticket_id`, `issue` and `plan`. Without stages.
    truth : Truth
        The true answers.

    Examples
    --------
    >>> log, truth = jk.simulate_journeys(300, months=6, rng=7)
    >>> log.n_customers
    300
    >>> truth.stage_funnel(within="30d").round(3)
             stage  reach_rate  step_rate
    0    awareness       1.000      1.000
    1  consideration     ...
    """
    from journeykit.datasets.truth import Truth
    from journeykit.log import read_log

    parameters = parameters or ShopParameters()
    frame, end = simulate_events(n_customers, months=months, parameters=parameters, rng=rng)
    log = read_log(frame, channel="channel", value="value", timezone=parameters.timezone, observed_until=end)
    return log, Truth(parameters, months=months)


def simulate_events(
    n_customers: int = 5000,
    *,
    months: int = 18,
    parameters: ShopParameters | None = None,
    rng: int | np.random.Generator = 0,
) -> tuple[pd.DataFrame, pd.Timestamp]:
    """Simulate the events as a plain frame, in no order, with the instant at which observation ends.

    Takes what `simulate_journeys` takes.
    """
    if n_customers < 1 or months < 1:
        raise ParameterError(f"n_customers and months must be at least 1, got {n_customers} and {months}")
    parameters = parameters or ShopParameters()
    rng = np.random.default_rng(rng)
    clock = make_clock(parameters, months)
    campaigns = sorted(
        {each.campaign for each in parameters.sources if each.campaign} | {CAMPAIGN_OF_BURST, "newsletter"}
    )
    events = Events(clock.end, tuple(campaigns))
    people = draw_people(parameters, clock, n_customers, rng)
    _add_noise(parameters, people.first_seen, people.channel, events, rng)
    outcome = draw_attempts(parameters, clock, people, events, rng)

    buyer, bought_at = np.concatenate(outcome.buyers), np.concatenate(outcome.ordered_at)
    place, product = np.concatenate(outcome.order_channel), np.concatenate(outcome.product)
    first = draw_orders(parameters, rng, buyer, bought_at, place, product, price_of(product), first=True)
    back, back_at = draw_come_backs(parameters, people, first, rng)
    again, again_at, place = draw_visits(parameters, clock, people, first, back, back_at, events, rng)
    product = repeat_products(rng, len(again))
    repeat = draw_orders(parameters, rng, again, again_at, place, product, price_of(product), first=False)
    orders = join_orders([first, repeat])
    add_orders(parameters, orders, events, rng)
    points = ~orders.first & (rng.random(len(orders.customer)) < 0.5)
    events.add("loyalty_points", orders.customer[points], (orders.time + 3 * MINUTE)[points], orders.channel[points])

    returned = np.full(n_customers, np.iinfo(np.int64).max)  # when a customer first comes back, answers or asks
    returned[first.customer[back]] = back_at[back]
    for at in (
        add_surveys(parameters, orders, events, rng),
        add_tickets(parameters, orders, people, events, rng),
    ):
        np.minimum.at(returned, orders.customer[orders.first], at[orders.first])
    add_advocates(parameters, orders, returned[orders.customer], people, events, rng)

    crossing = back & (rng.random(len(back)) < parameters.cross_trial)
    trier = np.concatenate([*outcome.triers, first.customer[crossing]])
    tried_at = np.concatenate([*outcome.tried_at, back_at[crossing] + 5 * MINUTE])
    buys = np.arange(len(trier)) >= len(trier) - int(crossing.sum())
    seen = tried_at < clock.end
    trials = Trials(trier[seen], tried_at[seen], buys[seen])
    add_lessons(parameters, clock, people, trials, len(orders.customer) + 1, events, rng)

    width = max(5, len(str(n_customers)))
    ids = pd.Index([f"c{number:0{width}d}" for number in range(1, n_customers + 1)])
    known = {
        "segment": (people.segment.astype(np.int8), tuple(each.name for each in parameters.segments)),
        "device": (people.device.astype(np.int8), DEVICES),
    }
    end = pd.Timestamp(clock.end, unit="us", tz="UTC").tz_convert(parameters.timezone)
    return events.frame(ids, known), end


def _add_noise(
    parameters: ShopParameters,
    first_seen: np.ndarray,
    channel: np.ndarray,
    events: Events,
    rng: np.random.Generator,
) -> None:
    """Add the touchpoint that does nothing, whatever the customer does."""
    touchpoint, share = parameters.noise
    some = rng.random(len(first_seen)) < share
    after = Delay(0.5, (2, 600), 4.0, 20).draw(rng, len(first_seen))
    events.add(touchpoint, np.flatnonzero(some), (first_seen + MINUTE * after)[some], channel[some])
