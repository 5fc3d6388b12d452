"""The distribution of one attempt and of what follows the first order, from the parameters alone.

All masses are on the lattice of minutes; outcomes and delays are independent given the segment, so that each is a
product of probabilities times a convolution of delays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from journeykit.datasets.lattice import Mass, add, convolve, earliest, later_than
from journeykit.datasets.orders import DELIVERED_WITHIN
from journeykit.datasets.parameters import Punctuality, Segment, ShopParameters

BRANCHES = {
    "web": ("product_page", "cart", "checkout", "order", "delivery"),
    "store": ("product_page", "store_visit", "order", "delivery"),
    "lessons": ("product_page", "trial_started", "subscription_started"),
}
"""The ways through an attempt, with their touchpoints in order."""


@dataclass(frozen=True)
class Reach:
    """One touchpoint or stage of an attempt.

    Attributes
    ----------
    mass : array
        Minutes from the *last* awareness touch of the attempt, given that a
        product is looked at.
    may_return : float
        Probability that it is reached and the attempt still fails, so that
        there can be another; given that a product is looked at.
    """

    mass: Mass
    may_return: float

    @property
    def total(self) -> float:
        """Probability that it is reached, whenever."""
        return float(self.mass.sum())


def consider_rate(parameters: ShopParameters, segment: Segment, *, first: bool) -> float:
    """Probability that a product is looked at in a first, or a later, attempt."""
    shares = np.array([each.first if first else each.later for each in parameters.sources])
    pull = np.array([each.pull for each in parameters.sources])
    return float(shares @ _expit(segment.consider + pull))


def step_rate(parameters: ShopParameters, segment: Segment, step: str, *, without: str = "", given: str = "") -> float:
    """Probability of the cart after the product page, or the order after the checkout, on the web.

    Averaged over the frictions, each met independently. `without` leaves one
    out (no one meets it); `given` takes one as met by everyone.
    """
    base = segment.cart if step == "cart" else segment.order
    met = [each for each in parameters.frictions if each.step == step]
    total = 0.0
    for pattern in product((False, True), repeat=len(met)):
        weight, odds = 1.0, base
        for friction, there in zip(met, pattern, strict=True):
            chance = {without: 0.0, given: 1.0}.get(friction.touchpoint, friction.prevalence)
            weight *= chance if there else 1 - chance
            odds += friction.effect * there
        total += weight * float(_expit(np.array(odds)))
    return total


def delivery_mass(parameters: ShopParameters, band: Punctuality) -> Mass:
    """Minutes from the order to the delivery, with the band's share as its total."""
    low, high = DELIVERED_WITHIN
    days = [
        (promised + late, share * chance) for _, promised, share in parameters.options for late, chance in band.days
    ]
    mass = np.zeros(1440 * max(day for day, _ in days) + high + 1)
    for day, chance in days:
        mass[1440 * day + low : 1440 * day + high + 1] += chance / (high - low + 1)
    return mass


def come_back_mass(parameters: ShopParameters, segment: Segment, band: Punctuality) -> Mass:
    """Minutes from the delivery of the first order to the come-back, if ever."""
    chance = float(_expit(np.array(segment.come_back + band.come_back)))
    return chance * parameters.come_back_after.pmf()


@lru_cache(maxsize=32)
def branches(parameters: ShopParameters, segment: Segment) -> dict[str, dict[str, Reach]]:
    """Touchpoints of each way through an attempt, given that a product is looked at."""
    seen = parameters.decide.pmf()
    decided = convolve(seen, segment.choose.pmf())
    web, store, lessons = 1 - segment.lessons - segment.store, segment.store, segment.lessons
    cart, pays = step_rate(parameters, segment, "cart"), step_rate(parameters, segment, "order")
    checkout = convolve(decided, parameters.checkout.pmf())
    delivered = add(*(delivery_mass(parameters, band) for band in parameters.punctuality))

    web_cart = web * cart
    web_checkout = web_cart * segment.checkout
    web_order = web_checkout * pays * convolve(checkout, parameters.pay.pmf())
    store_order = store * segment.store_order * convolve(decided, parameters.store_order.pmf())
    trial = lessons * segment.trial
    paid = np.concatenate([np.zeros(1440 * parameters.trial_days), trial * segment.paid * decided])
    ends = {"web": web_checkout * pays, "store": store * segment.store_order, "lessons": trial}
    return {
        "web": {
            "product_page": Reach(web * seen, web - ends["web"]),
            "cart": Reach(web_cart * decided, web_cart - ends["web"]),
            "checkout": Reach(web_checkout * checkout, web_checkout - ends["web"]),
            "order": Reach(web_order, 0.0),
            "delivery": Reach(convolve(web_order, delivered), 0.0),
        },
        "store": {
            "product_page": Reach(store * seen, store - ends["store"]),
            "store_visit": Reach(store * decided, store - ends["store"]),
            "order": Reach(store_order, 0.0),
            "delivery": Reach(convolve(store_order, delivered), 0.0),
        },
        "lessons": {
            "product_page": Reach(lessons * seen, lessons - ends["lessons"]),
            "trial_started": Reach(trial * decided, 0.0),
            "subscription_started": Reach(paid, 0.0),
        },
    }


@lru_cache(maxsize=32)
def stages(parameters: ShopParameters, segment: Segment) -> dict[str, Reach]:
    """Reach the digital stages after awareness, in order, given that a product is looked at."""
    ways = branches(parameters, segment)
    order = add(ways["web"]["order"].mass, ways["store"]["order"].mass)
    paid = ways["lessons"]["subscription_started"].mass
    back, speaks = _after_order(parameters, segment)
    lesson = parameters.first_lesson.pmf()
    lesson_speaks = later_than(parameters.lesson_advocate * parameters.lesson_advocate_after.pmf(), lesson)
    return {
        "consideration": joined([way["product_page"] for way in ways.values()]),
        "purchase": Reach(add(order, paid), 0.0),
        "retention": Reach(add(convolve(order, back), convolve(paid, lesson)), 0.0),
        "advocacy": Reach(add(convolve(order, speaks), convolve(paid, lesson_speaks)), 0.0),
    }


def joined(reaches: list[Reach]) -> Reach:
    """Reach one of several that exclude each other."""
    return Reach(add(*(each.mass for each in reaches)), sum(each.may_return for each in reaches))


def orders_of(parameters: ShopParameters, segment: Segment) -> Reach:
    """Reach a first order, on the web or in the store."""
    ways = branches(parameters, segment)
    return joined([ways["web"]["order"], ways["store"]["order"]])


def _after_order(parameters: ShopParameters, segment: Segment) -> tuple[Mass, Mass]:
    """From a first order to the first come-back, answer or ticket; and to speaking for the shop after that."""
    back, speaks = [], []
    for band in parameters.punctuality:
        first = earliest(
            come_back_mass(parameters, segment, band),
            parameters.csat_response * parameters.csat_after.pmf(),
            parameters.nps_response * parameters.nps_after.pmf(),
            band.ticket * parameters.ticket_after.pmf(),
        )
        voice = segment.advocate * band.advocate * parameters.advocate_after.pmf()
        delivered = delivery_mass(parameters, band)
        back.append(convolve(delivered, first))
        speaks.append(convolve(delivered, later_than(voice, first)))
    return add(*back), add(*speaks)


def _expit(log_odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.asarray(log_odds, dtype=float))))
