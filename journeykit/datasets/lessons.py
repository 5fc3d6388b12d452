"""Lessons: a trial, a subscription, lessons, cancelling, and sometimes taking them up again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from journeykit.datasets.attempts import Codes, People
from journeykit.datasets.clock import DAY, MINUTE, Clock, draw_minutes
from journeykit.datasets.delays import Delay, geometric, pick, pick_by_row
from journeykit.datasets.events import ISSUES, PLANS, Events
from journeykit.datasets.parameters import ShopParameters
from journeykit.datasets.voices import add_ticket_lives, score_weights

PRICES = (14.9, 149.0)  # of the plans, a month and a year
EARLY_UNTIL = 60  # days


@dataclass(frozen=True)
class Trials:
    """Trials of the lessons, one entry each; `buyer` marks those of customers who ordered before."""

    customer: Codes
    time: Codes
    buyer: NDArray[np.bool_]


def add_lessons(
    parameters: ShopParameters,
    clock: Clock,
    people: People,
    trials: Trials,
    first_ticket: int,
    events: Events,
    rng: np.random.Generator,
) -> None:
    """Add trials and what follows; `first_ticket` is the next free number of a ticket."""
    customer, tried_at, n = trials.customer, trials.time, len(trials.customer)
    place = people.channel[customer]
    events.add("trial_started", customer, tried_at, place)
    paid = rng.random(n) < np.array([each.paid for each in parameters.segments])[people.segment[customer]]
    # A trial ends in a subscription, is given up on some day before its end, or runs out in silence.
    gives_up = ~paid & (rng.random(n) < 0.55)
    day = clock.day_of(tried_at)
    given_up = clock.at(day + rng.integers(2, parameters.trial_days - 1, n), draw_minutes(rng, n) * MINUTE)
    events.add("trial_cancelled", customer[gives_up], given_up[gives_up], place[gives_up])
    for first_minute in (20, 1460):  # on the first day, on the second
        some = rng.random(n) < 0.6
        at = tried_at + MINUTE * rng.integers(first_minute, first_minute + 1420, n)
        events.add("lesson", customer[some], at[some], place[some])
    started = (tried_at + DAY * parameters.trial_days)[paid]
    who = customer[paid]
    ends = _spells(parameters, clock, people, who, started, ~trials.buyer[paid], events, rng)
    # Some take lessons up again, weeks after cancelling.
    again = (rng.random(len(who)) < parameters.back_to_lessons) & (ends < clock.end)
    restart = ends + MINUTE * (20 * 1440 + Delay(0, (0, 0), 30, 90).draw(rng, len(who)))
    again &= restart < clock.end
    _spells(parameters, clock, people, who[again], restart[again], np.zeros(int(again.sum()), bool), events, rng)
    _add_billing_tickets(events, rng, customer[paid], started, first_ticket)


def _spells(
    parameters: ShopParameters,
    clock: Clock,
    people: People,
    who: Codes,
    started: Codes,
    may_speak: NDArray[np.bool_],
    events: Events,
    rng: np.random.Generator,
) -> Codes:
    """Add subscriptions; return when each is cancelled (or would be).

    `may_speak` marks those who may review or refer because of the lessons:
    whoever ordered has a voice of their own.
    """
    n = len(who)
    segment, place = people.segment[who], people.channel[who]
    yearly = np.array([each.yearly for each in parameters.segments])[segment]
    plan = (rng.random(n) < yearly).astype(np.int64)
    price = np.array(PRICES)[plan]
    events.add("subscription_started", who, started, place, value=price, plan=plan)
    day = clock.day_of(started)
    ends = draw_tenures(parameters, segment, plan, rng)
    ends_at = clock.at(day + ends, draw_minutes(rng, n) * MINUTE)
    events.add("subscription_cancelled", who, ends_at, place, plan=plan)

    lesson_at = started + MINUTE * parameters.first_lesson.draw(rng, n)
    events.add("lesson", who, lesson_at, place)
    last = np.minimum(day + ends, clock.n_days)
    rows, today = np.arange(n), clock.day_of(lesson_at)
    while len(rows):
        today = today + geometric(rng, parameters.lesson_a_day, len(rows))
        going = today < last[rows]
        rows, today = rows[going], today[going]
        at = clock.at(today, draw_minutes(rng, len(rows)) * MINUTE + 1_000_000 * rng.integers(0, 60, len(rows)))
        events.add("lesson", who[rows], at, place[rows])
    term = np.where(plan == PLANS.index("yearly"), 365, 30)
    for payment in range(1, int(clock.n_days // 30) + 1):
        due = payment * term
        pays = (due < ends) & (day + due < clock.n_days)
        at = started + DAY * due
        events.add("subscription_payment", who[pays], at[pays], "email", value=price[pays], plan=plan[pays])
    asked = (rng.random(n) < 0.3) & (ends > 60)
    score = pick_by_row(rng, score_weights(8.2, 1.8, 0, 10)[None, :], np.zeros(n, np.int64))
    asked_at = started + MINUTE * (45 * 1440 + rng.integers(0, 14 * 1440, n))
    events.add("survey_nps", who[asked], asked_at[asked], "email", score=score[asked], plan=plan[asked])
    speaks = may_speak & (rng.random(n) < parameters.lesson_advocate)
    at = started + MINUTE * parameters.lesson_advocate_after.draw(rng, n)
    kind = pick(rng, np.array([0.5, 0.5]), n)
    events.add(("review_written", "referral"), who[speaks], at[speaks], place[speaks], kind=kind[speaks])
    return ends_at


def draw_tenures(
    parameters: ShopParameters, segment: Codes, plan: Codes, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the day, counted from the start, on which a subscription is cancelled."""
    n = len(segment)
    leaving = np.array([each.leaving for each in parameters.segments])[segment]
    early = parameters.cooling_days + geometric(rng, parameters.cancel_early * leaving, n)
    late = EARLY_UNTIL + geometric(rng, parameters.cancel_late * leaving, n)
    monthly = np.where(early <= EARLY_UNTIL, early, late)
    yearly = 365 * geometric(rng, parameters.cancel_yearly, n)
    return np.where(plan == PLANS.index("yearly"), yearly, monthly)


def _add_billing_tickets(
    events: Events, rng: np.random.Generator, who: Codes, started: Codes, first_ticket: int
) -> None:
    some = rng.random(len(who)) < 0.12
    opened = (started + MINUTE * (31 * 1440 + Delay(0, (0, 0), 20, 60).draw(rng, len(who))))[some]
    number = first_ticket + np.arange(int(some.sum()))
    issue = np.full(len(number), ISSUES.index("billing"))
    add_ticket_lives(events, rng, who[some], opened, issue, number)
