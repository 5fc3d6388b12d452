"""After a delivery: surveys, support tickets, and speaking for the shop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from journeykit.datasets.attempts import Codes, People
from journeykit.datasets.clock import MINUTE
from journeykit.datasets.delays import Delay, pick, pick_by_row
from journeykit.datasets.events import CHANNELS, COMMENTS, ISSUES, Events
from journeykit.datasets.orders import Orders
from journeykit.datasets.parameters import ShopParameters

_NEVER = np.iinfo(np.int64).max
_HOURS = Delay(0.7, (5, 600), 1.5, 4)
_DAYS = Delay(0.35, (20, 900), 2.5, 14)


def score_weights(mean: float, spread: float, lowest: int, highest: int) -> NDArray[np.float64]:
    """Probability of each answer: a normal feeling, rounded and held within the scale."""
    from scipy.stats import norm

    below = norm.cdf((np.arange(lowest, highest) + 0.5 - mean) / spread)
    return np.diff(np.concatenate([[0.0], below, [1.0]]))


def add_surveys(parameters: ShopParameters, orders: Orders, events: Events, rng: np.random.Generator) -> Codes:
    """Add answers to the surveys after deliveries; return the time of each order's first answer (or never)."""
    csat = np.array([score_weights(each.csat, parameters.csat_sd, 1, 5) for each in parameters.punctuality])
    nps = np.array([score_weights(each.nps, parameters.nps_sd, 0, 10) for each in parameters.punctuality])
    first = np.full(len(orders.customer), _NEVER)
    for touchpoint, weights, low, response, after in (
        ("survey_csat", csat, 1, parameters.csat_response, parameters.csat_after),
        ("survey_nps", nps, 0, parameters.nps_response, parameters.nps_after),
    ):
        some = rng.random(len(first)) < response
        at = (orders.delivered_at + MINUTE * after.draw(rng, len(first)))[some]
        score = low + pick_by_row(rng, weights, orders.band[some])
        who = orders.customer[some]
        comment = _comments(rng, score / weights.shape[1] if low else score / 10)
        events.add(touchpoint, who, at, "email", score=score, comment=comment, order_id=orders.number[some])
        first[some] = np.minimum(first[some], at)
        if touchpoint == "survey_nps":
            _add_follow_ups(parameters, events, rng, who, at, score)
    return first


def _comments(rng: np.random.Generator, mood: NDArray[np.float64]) -> Codes:
    """Draw comments that fit the score; most leave none."""
    group = np.where(mood < 0.65, 0, np.where(mood < 0.88, 1, 2))
    sizes = np.array([len(texts) for texts in COMMENTS])
    first = np.cumsum(sizes) - sizes
    drawn = first[group] + (rng.random(len(group)) * sizes[group]).astype(np.int64)
    return np.where(rng.random(len(group)) < 0.35, drawn, -1)


def _add_follow_ups(
    parameters: ShopParameters, events: Events, rng: np.random.Generator, who: Codes, at: Codes, score: Codes
) -> None:
    """Add calls to detractors, mostly within two days, and what some of them answer next time."""
    unhappy = score <= 6
    called = unhappy & (rng.random(len(who)) < 0.55)
    called_at = at + MINUTE * Delay(0.45, (60, 1200), 1.8, 6).draw(rng, len(who))
    events.add("follow_up", who[called], called_at[called], "phone")
    again = unhappy & (rng.random(len(who)) < np.where(called, 0.35, 0.22))
    weights = np.array([score_weights(mean, parameters.nps_sd, 0, 10) for mean in (5.6, 6.9)])
    answer = pick_by_row(rng, weights, called.astype(np.int64))
    again_at = at + MINUTE * (30 * 1440 + Delay(0, (0, 0), 10, 30).draw(rng, len(who)))
    events.add("survey_nps", who[again], again_at[again], "email", score=answer[again])


def add_tickets(
    parameters: ShopParameters, orders: Orders, people: People, events: Events, rng: np.random.Generator
) -> Codes:
    """Add support tickets about orders; return when each order's ticket is opened (or never)."""
    n = len(orders.customer)
    some = rng.random(n) < np.array([each.ticket for each in parameters.punctuality])[orders.band]
    opened = orders.delivered_at + MINUTE * parameters.ticket_after.draw(rng, n)
    issue = pick(rng, np.array([0.15, 0.3, 0.25, 0.3]), n)
    issue = np.where((orders.band < 2) & (issue == 0), ISSUES.index("how to"), issue)
    number = np.cumsum(some, dtype=np.int64)
    # The seconds are those of the customer, so that the ticket keeps to the lattice of minutes.
    add_ticket_lives(events, rng, orders.customer[some], opened[some], issue[some], number[some])
    return np.where(some, opened, _NEVER)


def add_ticket_lives(
    events: Events, rng: np.random.Generator, who: Codes, opened: Codes, issue: Codes, number: Codes
) -> None:
    """Add what happens to tickets: answered, mostly resolved, some reopened; callbacks; the effort it took."""
    n = len(who)
    ways = np.array([CHANNELS.index(name) for name in ("phone", "email", "chat")])
    way = ways[pick(rng, np.array([0.4, 0.4, 0.2]), n)]
    about = {"ticket_id": number, "issue": issue}

    def add(touchpoint: str, some: NDArray[np.bool_], at: Codes) -> None:
        events.add(touchpoint, who[some], at[some], way[some], **{key: column[some] for key, column in about.items()})

    every = np.ones(n, bool)
    add("ticket_opened", every, opened)
    answered = opened + MINUTE * _HOURS.draw(rng, n)
    add("ticket_answered", every, answered)
    calls_back = (way == CHANNELS.index("phone")) & (rng.random(n) < 0.4)
    add("callback", calls_back, answered + MINUTE * Delay(0.6, (15, 400), 1.2, 3).draw(rng, n))
    resolved = rng.random(n) < 0.94
    resolved_at = answered + MINUTE * _DAYS.draw(rng, n)
    add("ticket_resolved", resolved, resolved_at)
    reopened = resolved & (rng.random(n) < 0.13)
    reopened_at = resolved_at + MINUTE * _DAYS.draw(rng, n)
    add("ticket_reopened", reopened, reopened_at)
    done = reopened & (rng.random(n) < 0.9)
    done_at = reopened_at + MINUTE * _DAYS.draw(rng, n)
    add("ticket_resolved", done, done_at)
    asked = resolved & (rng.random(n) < 0.35)
    weights = np.array([score_weights(5.4, 1.3, 1, 7), score_weights(3.4, 1.4, 1, 7)])
    score = 1 + pick_by_row(rng, weights, (reopened | calls_back).astype(np.int64))
    asked_at = np.where(done, done_at, resolved_at) + MINUTE * rng.integers(5, 90, n)
    events.add(
        "survey_ces", who[asked], asked_at[asked], "email",
        score=score[asked], ticket_id=number[asked], issue=issue[asked],
    )  # fmt: skip


def add_advocates(
    parameters: ShopParameters,
    orders: Orders,
    back_at: Codes,
    people: People,
    events: Events,
    rng: np.random.Generator,
) -> None:
    """Add reviews, referrals and shares.

    `back_at` is, for each order, when its customer first came back, answered or
    asked after a first order. Only customers who came back and *then* spoke for
    the shop review later orders, so that the first order alone decides who
    becomes an advocate after coming back.
    """
    n = len(orders.customer)
    segment = people.segment[orders.customer]
    chance = np.array([each.advocate for each in parameters.segments])[segment]
    chance = chance * np.array([each.advocate for each in parameters.punctuality])[orders.band]
    speaks = orders.first & (rng.random(n) < chance)
    at = orders.delivered_at + MINUTE * parameters.advocate_after.draw(rng, n)
    kinds = ("review_written", "referral", "social_share")
    kind = pick(rng, np.array([0.62, 0.26, 0.12]), n)
    events.add(
        kinds, orders.customer[speaks], at[speaks], people.channel[orders.customer[speaks]],
        kind=kind[speaks], order_id=orders.number[speaks], product=orders.product[speaks],
    )  # fmt: skip
    since = np.full(len(people.segment), _NEVER)
    advocates = speaks & (at >= back_at)
    since[orders.customer[advocates]] = at[advocates]
    again = ~orders.first & (rng.random(n) < 0.35) & (at > since[orders.customer])
    events.add(
        "review_written", orders.customer[again], at[again], people.channel[orders.customer[again]],
        order_id=orders.number[again], product=orders.product[again],
    )  # fmt: skip
