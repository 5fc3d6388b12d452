"""After the first order: who comes back, and how they go on, day by day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from journeykit.datasets.attempts import Codes, People, expit
from journeykit.datasets.clock import MINUTE, Clock, draw_minutes
from journeykit.datasets.delays import geometric, pick, pick_by_row
from journeykit.datasets.events import CHANNELS, Events
from journeykit.datasets.orders import Orders
from journeykit.datasets.parameters import ShopParameters

# What else happens on a visit after the first order: touchpoint, channel ("" is where they are), share of visits.
_ON_A_VISIT = (
    ("site_search", "", 0.25), ("category_page", "", 0.25), ("community", "", 0.10), ("wishlist", "", 0.05),
    ("feature_used", "", 0.08), ("support_question", "chat", 0.02), ("chatbot", "chat", 0.03), ("reward", "", 0.01),
)  # fmt: skip


def draw_come_backs(
    parameters: ShopParameters, people: People, orders: Orders, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Codes]:
    """Draw who comes back after a first order, and when they do (or would)."""
    segment = people.segment[orders.customer]
    odds = np.array([each.come_back for each in parameters.segments])[segment]
    odds = odds + np.array([each.come_back for each in parameters.punctuality])[orders.band]
    back = rng.random(len(odds)) < expit(odds)
    return back, orders.delivered_at + MINUTE * parameters.come_back_after.draw(rng, len(odds))


def draw_visits(
    parameters: ShopParameters,
    clock: Clock,
    people: People,
    orders: Orders,
    back: NDArray[np.bool_],
    back_at: Codes,
    events: Events,
    rng: np.random.Generator,
) -> tuple[Codes, Codes, Codes]:
    """Draw the visits from the come-back on, add their events; return customer, time, channel of the orders in them."""
    back = back & (back_at < clock.end)
    customer, band, at = orders.customer[back], orders.band[back], back_at[back]
    habits = parameters.habits
    events.add("product_page", customer, at, people.channel[customer])

    habit = pick_by_row(rng, np.array([each.regulars for each in parameters.segments]), people.segment[customer])
    end = np.array([each.end for each in habits])[habit] * np.array([b.end for b in parameters.punctuality])[band]
    visit = np.array([each.visit for each in habits])[habit]
    today = clock.day_of(at)
    last = today + geometric(rng, end, len(today)) - 1  # on the day after, silence begins
    rows = np.arange(len(customer))
    visited_rows, visited_days = [], []
    while len(rows):
        today = today + geometric(rng, visit[rows], len(rows))
        going = (today <= last[rows]) & (today < clock.n_days)
        rows, today = rows[going], today[going]
        visited_rows.append(rows)
        visited_days.append(today)
    row = np.concatenate([*visited_rows, np.zeros(0, np.int64)])
    day = np.concatenate([*visited_days, np.zeros(0, np.int64)])
    who = customer[row]
    seconds = people.first_seen[who] // 1_000_000 % 60
    start = clock.at(day, draw_minutes(rng, len(day)) * MINUTE + seconds * 1_000_000)
    place = people.channel[who]
    _add_visits(events, rng, who, start, place)

    # Who first bought in the store also orders there, or by phone: they never had a cart.
    online = orders.channel[back][row] != CHANNELS.index("store")
    bought = rng.random(len(who)) < np.array([each.order for each in habits])[habit[row]]
    carts = online & ~bought & (rng.random(len(who)) < 0.05)
    filled = carts | (online & bought)
    events.add("cart", who[filled], (start + 4 * MINUTE)[filled], place[filled])
    events.add("checkout", who[online & bought], (start + 6 * MINUTE)[online & bought], place[online & bought])
    order_at = start + MINUTE * 7 + 1_000_000 * rng.integers(0, 240, len(start))
    offline = np.array([CHANNELS.index("store"), CHANNELS.index("phone")])
    order_place = np.where(online, place, offline[(rng.random(len(who)) < 0.3).astype(np.int64)])
    return who[bought], order_at[bought], order_place[bought]


def _add_visits(events: Events, rng: np.random.Generator, who: Codes, start: Codes, place: Codes) -> None:
    events.add("product_page", who, start, place)
    lured = rng.random(len(who)) < 0.10
    before = MINUTE * rng.integers(2, 20, int(lured.sum()))
    newsletter = np.full(int(lured.sum()), events.labels["campaign"].index("newsletter"))
    events.add("email_campaign", who[lured], start[lured] - before, "email", campaign=newsletter)
    for touchpoint, channel, share in _ON_A_VISIT:
        some = rng.random(len(who)) < share
        where: str | Codes = channel or place[some]
        events.add(touchpoint, who[some], start[some] + 1_000_000 * rng.integers(20, 240, int(some.sum())), where)


def repeat_products(rng: np.random.Generator, n: int) -> Codes:
    """Draw what is bought again: mostly small things."""
    return pick(rng, np.array([0.01, 0.05, 0.07, 0.03, 0.10, 0.20, 0.38, 0.16]), n)
