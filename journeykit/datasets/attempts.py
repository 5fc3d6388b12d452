"""Attempts: from the first touch to an order, a trial, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from journeykit.datasets.clock import MINUTE, Clock, draw_minutes
from journeykit.datasets.delays import pick, pick_by_row
from journeykit.datasets.events import CAMPAIGN_OF_BURST, CHANNELS, DEVICES, PRODUCTS, Events
from journeykit.datasets.parameters import ShopParameters

Codes = NDArray[np.int64]

WEB, STORE, LESSONS = 0, 1, 2
# What people look at before they decide: touchpoint, channel ("" is where they are), share who do.
_LOOKS = (
    ("third_party_review", "", 0.30), ("comparison", "", 0.26), ("site_search", "", 0.34), ("category_page", "", 0.40),
    ("wishlist", "", 0.10), ("chatbot", "chat", 0.08), ("support_question", "chat", 0.05), ("call", "phone", 0.05),
    ("download", "", 0.06), ("product_page", "", 0.35),
)  # fmt: skip


@dataclass
class People:
    """Who the customers are: one entry a customer in each array."""

    segment: Codes
    device: Codes
    channel: Codes  # where they are when online: the web, or half of the mobiles in the app
    first_seen: Codes  # microseconds


@dataclass
class Outcome:
    """First orders and trials that came out of attempts."""

    buyers: list[Codes] = field(default_factory=list)
    ordered_at: list[Codes] = field(default_factory=list)
    order_channel: list[Codes] = field(default_factory=list)
    product: list[Codes] = field(default_factory=list)
    triers: list[Codes] = field(default_factory=list)
    tried_at: list[Codes] = field(default_factory=list)


def draw_people(parameters: ShopParameters, clock: Clock, n: int, rng: np.random.Generator) -> People:
    """Draw customers and when they are first seen; all of them within the log."""
    day = pick(rng, clock.day_weights, n)
    # Seconds stay the same along an attempt, so that its delays are whole minutes.
    first_seen = clock.at(day, draw_minutes(rng, n) * MINUTE + rng.integers(0, 60, n) * (MINUTE // 60))
    segment = pick(rng, np.array([each.share for each in parameters.segments]), n)
    device = pick(rng, np.array([0.58, 0.34, 0.08]), n)
    in_app = (device == DEVICES.index("mobile")) & (rng.random(n) < 0.5)
    channel = np.where(in_app, CHANNELS.index("app"), CHANNELS.index("web"))
    return People(segment, device, channel, first_seen)


def draw_attempts(
    parameters: ShopParameters, clock: Clock, people: People, events: Events, rng: np.random.Generator
) -> Outcome:
    """Draw all attempts of all customers, add their events, and return who ordered or tried lessons."""
    outcome = Outcome()
    who, begins = np.arange(len(people.segment)), people.first_seen
    for attempt in range(parameters.max_attempts):
        if not len(who):
            break
        done = _one_attempt(parameters, clock, people, events, rng, who, begins, attempt, outcome)
        again = ~done & (rng.random(len(who)) < parameters.again)
        wait = 1440 * parameters.again_from_day + parameters.again_after.draw(rng, len(who))
        begins = begins + MINUTE * wait
        again &= begins < clock.end
        who, begins = who[again], begins[again]
    return outcome


def _one_attempt(
    parameters: ShopParameters,
    clock: Clock,
    people: People,
    events: Events,
    rng: np.random.Generator,
    who: Codes,
    begins: Codes,
    attempt: int,
    outcome: Outcome,
) -> NDArray[np.bool_]:
    segments = parameters.segments
    pull, touched_at = _touches(parameters, clock, events, rng, who, begins, attempt)
    # Outcomes are decided first and delays drawn for all, so that neither depends on the other.
    consider = np.array([each.consider for each in segments])[people.segment[who]] + pull
    looks = rng.random(len(who)) < expit(consider)
    lookers, place = who[looks], people.channel[who[looks]]
    seen_at = (touched_at + MINUTE * parameters.decide.draw(rng, len(who)))[looks]
    kind = people.segment[lookers]
    wait = np.zeros(len(lookers), np.int64)
    for code, segment in enumerate(segments):
        chosen = kind == code
        wait[chosen] = segment.choose.draw(rng, int(chosen.sum()))
    ways = np.array([[1 - each.lessons - each.store, each.store, each.lessons] for each in segments])
    way = pick_by_row(rng, ways, kind)
    product = _first_products(rng, len(lookers), way)
    events.add("product_page", lookers, seen_at, place, product=product)
    for touchpoint, channel, share in _LOOKS:
        some = rng.random(len(lookers)) < share
        where: str | Codes = channel or place[some]
        events.add(touchpoint, lookers[some], _between(rng, seen_at, wait, some), where)

    next_at = seen_at + MINUTE * wait
    ordered = np.zeros(len(lookers), bool)
    order_at, order_place = next_at.copy(), place.copy()
    web = np.flatnonzero(way == WEB)
    ordered[web], order_at[web] = _web(
        parameters, events, rng, lookers[web], kind[web], seen_at[web], wait[web], place[web], product[web]
    )
    store = np.flatnonzero(way == STORE)
    events.add("store_visit", lookers[store], next_at[store], "store", product=product[store])
    order_at[store] += MINUTE * parameters.store_order.draw(rng, len(store))
    ordered[store] = rng.random(len(store)) < np.array([each.store_order for each in segments])[kind[store]]
    order_place[store] = CHANNELS.index("store")
    lessons = np.flatnonzero(way == LESSONS)
    tried = np.zeros(len(lookers), bool)
    tried[lessons] = rng.random(len(lessons)) < np.array([each.trial for each in segments])[kind[lessons]]

    outcome.buyers.append(lookers[ordered])
    outcome.ordered_at.append(order_at[ordered])
    outcome.order_channel.append(order_place[ordered])
    outcome.product.append(product[ordered])
    outcome.triers.append(lookers[tried])
    outcome.tried_at.append(next_at[tried])
    done = np.zeros(len(who), bool)
    done[np.flatnonzero(looks)[ordered | tried]] = True
    return done


def _touches(
    parameters: ShopParameters,
    clock: Clock,
    events: Events,
    rng: np.random.Generator,
    who: Codes,
    begins: Codes,
    attempt: int,
) -> tuple[NDArray[np.float64], Codes]:
    """Add the awareness touches of an attempt; return the pull of the first and the time of the last."""
    sources = parameters.sources
    shares = np.array([each.first if attempt == 0 else each.later for each in sources])
    extra = pick(rng, np.array(parameters.more_touches), len(who))
    at, pull = begins, np.zeros(len(who))
    for touch in range(int(extra.max(initial=0)) + 1):
        met = np.flatnonzero(extra >= touch)
        if touch:
            later = at.copy()
            later[met] += MINUTE * parameters.touch_gap.draw(rng, len(met))
            at = later
        source = pick(rng, shares, len(met))
        if touch == 0:
            pull = np.array([each.pull for each in sources])[source]
        channel = np.array([CHANNELS.index(each.channel) for each in sources])[source]
        campaign = np.array([_campaign(events, each.campaign) for each in sources])[source]
        day = clock.day_of(at[met])
        in_burst = (day >= clock.burst[0]) & (day < clock.burst[1]) & (campaign >= 0)
        campaign = np.where(in_burst, _campaign(events, CAMPAIGN_OF_BURST), campaign)
        names = tuple(each.touchpoint for each in sources)
        events.add(names, who[met], at[met], channel, kind=source, campaign=campaign)
    return pull, at


def _campaign(events: Events, name: str) -> int:
    return events.labels["campaign"].index(name) if name else -1


def _web(
    parameters: ShopParameters,
    events: Events,
    rng: np.random.Generator,
    who: Codes,
    kind: Codes,
    seen_at: Codes,
    wait: Codes,
    place: Codes,
    product: Codes,
) -> tuple[NDArray[np.bool_], Codes]:
    """Cart, checkout and order with their frictions; return who orders and when (they would)."""
    segments = parameters.segments
    everyone = np.ones(len(who), bool)
    odds = np.array([each.cart for each in segments])[kind]
    odds = odds + _frictions(parameters, "cart", events, rng, who, seen_at, wait, place, everyone)
    cart = rng.random(len(who)) < expit(odds)
    cart_at = seen_at + MINUTE * wait
    events.add("cart", who[cart], cart_at[cart], place[cart], product=product[cart])
    checkout = cart & (rng.random(len(who)) < np.array([each.checkout for each in segments])[kind])
    checkout_at = cart_at + MINUTE * parameters.checkout.draw(rng, len(who))
    events.add("checkout", who[checkout], checkout_at[checkout], place[checkout])
    pay = parameters.pay.draw(rng, len(who))
    chooses = checkout & (rng.random(len(who)) < 0.8)
    events.add("shipping_option", who[chooses], _between(rng, checkout_at, pay, chooses, 0.05, 0.3), place[chooses])
    events.add("payment_method", who[chooses], _between(rng, checkout_at, pay, chooses, 0.3, 0.5), place[chooses])
    odds = np.array([each.order for each in segments])[kind]
    odds = odds + _frictions(parameters, "order", events, rng, who, checkout_at, pay, place, checkout)
    ordered = checkout & (rng.random(len(who)) < expit(odds))
    return ordered, checkout_at + MINUTE * pay


def _frictions(
    parameters: ShopParameters,
    step: str,
    events: Events,
    rng: np.random.Generator,
    who: Codes,
    since: Codes,
    wait: Codes,
    place: Codes,
    there: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Add what stands in the way of a step, before the step would be; return what it adds to the log odds."""
    effect = np.zeros(len(who))
    for friction in parameters.frictions:
        if friction.step == step:
            met = there & (rng.random(len(who)) < friction.prevalence)
            effect += friction.effect * met
            events.add(friction.touchpoint, who[met], _between(rng, since, wait, met, 0.5, 0.95), place[met])
    return effect


def _between(
    rng: np.random.Generator,
    since: Codes,
    wait: Codes,
    some: NDArray[np.bool_],
    low: float = 0.1,
    high: float = 0.95,
) -> Codes:
    """Draw a time within the wait: between these shares of it, and so never after it."""
    share = low + (high - low) * rng.random(int(some.sum()))
    return np.asarray(since[some] + (share * (MINUTE * wait[some])).astype(np.int64) // 1_000_000 * 1_000_000)


def _first_products(rng: np.random.Generator, n: int, way: Codes) -> Codes:
    product = pick(rng, np.array([0.24, 0.26, 0.24, 0.08, 0.10, 0.05, 0.01, 0.02]), n)
    return np.where(way == LESSONS, -1, product)


def expit(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn log odds into a probability."""
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def price_of(product: Codes) -> NDArray[np.float64]:
    """List price of each product."""
    return np.array([price for _, price in PRODUCTS])[product]
