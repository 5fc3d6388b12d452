"""Orders: promised, delivered, asked about, sent back."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from journeykit.datasets.attempts import Codes
from journeykit.datasets.clock import MINUTE
from journeykit.datasets.delays import Delay, pick
from journeykit.datasets.events import CHANNELS, ISSUES, Events
from journeykit.datasets.parameters import ShopParameters

# Minutes from the order until its tracking is looked at; and a delivery comes in the last hours of its day.
TRACKED_AFTER = (120, 1200)
DELIVERED_WITHIN = (-180, -1)
_ASKED_AFTER = (60, 600)  # minutes after the promise


@dataclass(frozen=True)
class Orders:
    """Orders and what becomes of them, one entry an order in each array."""

    customer: Codes
    time: Codes
    channel: Codes
    product: Codes
    value: NDArray[np.float64]
    first: NDArray[np.bool_]  # the customer's first
    promised_at: Codes
    delivered_at: Codes
    band: Codes  # position in the parameters' punctuality
    number: Codes  # the order's id

    def take(self, rows: Codes | NDArray[np.bool_]) -> Orders:
        """Choose orders."""
        return Orders(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def draw_orders(
    parameters: ShopParameters,
    rng: np.random.Generator,
    customer: Codes,
    time: Codes,
    channel: Codes,
    product: Codes,
    value: NDArray[np.float64],
    *,
    first: bool,
) -> Orders:
    """Draw the promise and the delivery of orders."""
    n = len(customer)
    option = pick(rng, np.array([share for _, _, share in parameters.options]), n)
    promised = np.array([days for _, days, _ in parameters.options])[option]
    shifts = [(code, day, share) for code, band in enumerate(parameters.punctuality) for day, share in band.days]
    shift = pick(rng, np.array([share for _, _, share in shifts]), n)
    days = promised + np.array([day for _, day, _ in shifts])[shift]
    within = rng.integers(DELIVERED_WITHIN[0], DELIVERED_WITHIN[1] + 1, n)
    return Orders(
        customer, time, channel, product, value,
        first=np.full(n, first),
        promised_at=time + MINUTE * 1440 * promised,
        delivered_at=time + MINUTE * (1440 * days + within),
        band=np.array([code for code, _, _ in shifts])[shift],
        number=np.zeros(n, np.int64),
    )  # fmt: skip


def join_orders(parts: list[Orders]) -> Orders:
    """Put orders together in order of time and number them."""
    joined = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Orders)}
    order = np.lexsort((joined["customer"], joined["time"]))
    joined = {name: column[order] for name, column in joined.items()}
    joined["number"] = np.arange(1, len(order) + 1)
    return Orders(**joined)


def add_orders(parameters: ShopParameters, orders: Orders, events: Events, rng: np.random.Generator) -> None:
    """Add the events of orders: from the order to the parcel, questions about it, and what is sent back."""
    n = len(orders.customer)
    about = {"order_id": orders.number, "product": orders.product}
    events.add(
        "order", orders.customer, orders.time, orders.channel,
        value=orders.value, promised_at=orders.promised_at, **about,
    )  # fmt: skip
    order_id = {"order_id": orders.number}
    events.add("order_confirmation", orders.customer, orders.time + MINUTE, "email", **order_id)
    consents = orders.first & (rng.random(n) < 0.6)
    events.add(
        "consent_given", orders.customer[consents], (orders.time + 2 * MINUTE)[consents], orders.channel[consents]
    )
    withdrawn = consents & (rng.random(n) < 0.07)
    later = orders.time + MINUTE * Delay(0, (0, 0), 60, 200).draw(rng, n)
    events.add("consent_withdrawn", orders.customer[withdrawn], later[withdrawn], "email")
    shipped = orders.time + MINUTE * rng.integers(60, 119, n)
    events.add("shipping", orders.customer, shipped, "email", promised_at=orders.promised_at, **order_id)
    _add_questions(parameters, orders, events, rng)
    events.add("delivery", orders.customer, orders.delivered_at, "courier", promised_at=orders.promised_at, **order_id)
    thanked = orders.first & (rng.random(n) < 0.5)
    events.add("thank_you_note", orders.customer[thanked], (orders.delivered_at + 30 * MINUTE)[thanked], "email")
    reminded = orders.first & (rng.random(n) < 0.4)  # a new set of strings is due
    events.add("reminder", orders.customer[reminded], (orders.delivered_at + 120 * 1440 * MINUTE)[reminded], "email")
    _add_returns(parameters, orders, events, rng)


def _add_questions(parameters: ShopParameters, orders: Orders, events: Events, rng: np.random.Generator) -> None:
    """Tracking, and where-is-my-order contacts: only about late parcels, by those who looked at the tracking."""
    n = len(orders.customer)
    tracked = rng.random(n) < parameters.tracked
    at = orders.time + MINUTE * rng.integers(TRACKED_AFTER[0], TRACKED_AFTER[1] + 1, n)
    number = orders.number
    events.add("tracking", orders.customer[tracked], at[tracked], orders.channel[tracked], order_id=number[tracked])
    late = orders.delivered_at > orders.promised_at
    asks = tracked & late & (rng.random(n) < parameters.late_contact)
    asked_at = orders.promised_at + MINUTE * rng.integers(_ASKED_AFTER[0], _ASKED_AFTER[1] + 1, n)
    ways = np.array([CHANNELS.index(name) for name in ("phone", "chat", "email")])
    way = ways[pick(rng, np.array([0.5, 0.3, 0.2]), n)]
    for again in (False, True):  # some ask twice, before the parcel comes
        some = asks & (rng.random(n) < 0.3) if again else asks
        time = (asked_at + orders.delivered_at) // 2 if again else asked_at
        events.add("where_is_my_order", orders.customer[some], time[some], way[some], order_id=number[some])


def _add_returns(parameters: ShopParameters, orders: Orders, events: Events, rng: np.random.Generator) -> None:
    n = len(orders.customer)
    returned = rng.random(n) < np.array([each.returned for each in parameters.punctuality])[orders.band]
    swapped = returned & (rng.random(n) < 0.25)
    returned &= ~swapped
    reasons = np.array([ISSUES.index(name) for name in ("damaged", "wrong item", "not as expected")])
    reason = reasons[pick(rng, np.array([0.3, 0.2, 0.5]), n)]
    at = orders.delivered_at + MINUTE * Delay(0, (0, 0), 7, 28).draw(rng, n)
    refunded_at = at + MINUTE * Delay(0, (0, 0), 3, 9).draw(rng, n)
    for touchpoint, some in (("return", returned), ("exchange", swapped)):
        events.add(
            touchpoint, orders.customer[some], at[some], "courier",
            order_id=orders.number[some], product=orders.product[some], issue=reason[some],
        )  # fmt: skip
    events.add(
        "refund", orders.customer[returned], refunded_at[returned], "email",
        value=-orders.value[returned], order_id=orders.number[returned],
    )  # fmt: skip
