"""The parameters of the guitar shop: everything that the simulator draws from and the truth is computed from."""

# ruff: noqa: RUF009  a Delay is frozen, so one default for all does no harm

from __future__ import annotations

from dataclasses import dataclass

from journeykit.datasets.delays import Delay
from journeykit.errors import ParameterError


@dataclass(frozen=True)
class Source:
    """Where an attempt begins: an awareness touchpoint.

    Attributes
    ----------
    touchpoint, channel : str
        What is seen, and where.
    first, later : float
        Share among first and among later attempts.
    pull : float
        Added to the log odds of looking at a product.
    campaign : str
        Name of the campaign that it belongs to, or empty.
    """

    touchpoint: str
    channel: str
    first: float
    later: float
    pull: float = 0.0
    campaign: str = ""


@dataclass(frozen=True)
class Segment:
    """A kind of customer, known from the first interaction on.

    Attributes
    ----------
    name : str
        The value of the property `segment`.
    share : float
        Of all customers.
    consider : float
        Log odds of looking at a product, per attempt.
    lessons, store : float
        Then the share that goes for lessons, or to the store; the rest goes on
        in the web shop.
    cart, order : float
        Web: log odds of a cart, and of an order after the checkout, without
        any friction.
    checkout : float
        Web: probability of a checkout after a cart.
    store_order : float
        Probability of an order after a visit to the store.
    trial, paid : float
        Lessons: probability of a trial, and of a subscription after the trial.
    choose : Delay
        Time from the product page to the cart, the store or the trial.
    regulars : tuple of float
        Share of each `Habit` among those who come back after their order.
    come_back : float
        Log odds of ever coming back after a first order delivered on time.
    advocate : float
        Probability of a review or referral after a first order delivered on time.
    yearly : float
        Share of subscriptions with the yearly plan.
    leaving : float
        Factor on the daily risk that a monthly subscription is cancelled.
    """

    name: str
    share: float
    consider: float
    lessons: float
    store: float
    cart: float
    order: float
    checkout: float
    store_order: float
    trial: float
    paid: float
    choose: Delay
    regulars: tuple[float, ...]
    come_back: float
    advocate: float
    yearly: float
    leaving: float


@dataclass(frozen=True)
class Habit:
    """How those who came back go on: each day a visit by chance, until a last day by chance.

    Attributes
    ----------
    name : str
        For people; it is not in the log.
    visit : float
        Probability of a visit on a day.
    order : float
        Probability that a visit ends in an order.
    end : float
        Probability that a day is the first of the silence for ever.
    """

    name: str
    visit: float
    order: float
    end: float


@dataclass(frozen=True)
class Friction:
    """Something in the way on the web: it happens by chance and lowers the odds of the next step.

    Attributes
    ----------
    touchpoint : str
        What stands in the log.
    step : str
        The step that it makes less likely: `"cart"` (met after the product
        page) or `"order"` (met after the checkout).
    prevalence : float
        Probability of meeting it.
    effect : float
        Added to the log odds of the step: below 0 is harm.
    """

    touchpoint: str
    step: str
    prevalence: float
    effect: float


@dataclass(frozen=True)
class Punctuality:
    """A band of delivery delays, and what it does to the customer.

    Attributes
    ----------
    name : str
        `"early"`, `"on_time"`, `"late"`, `"very_late"`.
    days : tuple of (int, float)
        Days after the promise (below 0: before it) with their probability.
    come_back : float
        Added to the log odds of coming back.
    end : float
        Factor on the daily risk of silence for ever.
    advocate : float
        Factor on the probability of a review or referral.
    ticket : float
        Probability of a support ticket after the delivery.
    returned : float
        Probability that the goods come back.
    nps, csat : float
        Mean of the normal feeling behind the answer on 0–10 and on 1–5.
    """

    name: str
    days: tuple[tuple[int, float], ...]
    come_back: float
    end: float
    advocate: float
    ticket: float
    returned: float
    nps: float
    csat: float


_SEGMENTS = (
    Segment(
        name="beginner", share=0.5, consider=0.35, lessons=0.30, store=0.12, cart=0.05, order=1.35, checkout=0.72,
        store_order=0.42, trial=0.55, paid=0.46, choose=Delay(0.35, (2, 45), 3.5, 12), regulars=(0.72, 0.22, 0.06),
        come_back=0.1, advocate=0.16, yearly=0.18, leaving=1.35,
    ),
    Segment(
        name="player", share=0.36, consider=0.75, lessons=0.14, store=0.20, cart=0.45, order=1.75, checkout=0.8,
        store_order=0.5, trial=0.5, paid=0.52, choose=Delay(0.5, (2, 45), 2.5, 10), regulars=(0.45, 0.40, 0.15),
        come_back=0.9, advocate=0.22, yearly=0.30, leaving=1.0,
    ),
    Segment(
        name="professional", share=0.14, consider=1.15, lessons=0.04, store=0.30, cart=0.85, order=2.2, checkout=0.86,
        store_order=0.62, trial=0.4, paid=0.6, choose=Delay(0.6, (1, 30), 2.0, 8), regulars=(0.25, 0.45, 0.30),
        come_back=1.5, advocate=0.30, yearly=0.55, leaving=0.6,
    ),
)  # fmt: skip

_SOURCES = (
    Source("advertisement", "display", 0.20, 0.10, -0.25, "always_on"),
    Source("social_post", "social", 0.10, 0.08, -0.10),
    Source("influencer_post", "influencer", 0.14, 0.04, 0.10, "creators"),
    Source("sponsored_article", "display", 0.04, 0.02, 0.0, "magazine"),
    Source("paid_search", "paid_search", 0.16, 0.12, 0.15, "search_brand"),
    Source("organic_search", "organic_search", 0.20, 0.22, 0.20),
    Source("word_of_mouth", "referral", 0.09, 0.06, 0.45),
    Source("recommendation", "referral", 0.03, 0.02, 0.35),
    Source("shop_window", "store", 0.04, 0.02, 0.05),
    Source("email_campaign", "email", 0.0, 0.20, 0.15, "newsletter"),
    Source("visit", "web", 0.0, 0.12, 0.30),
)

_HABITS = (
    Habit("now and then", visit=0.03, order=0.26, end=0.007),
    Habit("regular", visit=0.08, order=0.20, end=0.0035),
    Habit("devoted", visit=0.24, order=0.10, end=0.0015),
)

_FRICTIONS = (
    Friction("slow_page", "cart", 0.20, -0.70),
    Friction("search_without_result", "cart", 0.13, -0.50),
    Friction("out_of_stock", "cart", 0.06, -1.20),
    Friction("payment_error", "order", 0.10, -1.30),
    Friction("error_page", "order", 0.05, -0.80),
)

_PUNCTUALITY = (
    Punctuality("early", ((-1, 0.24),), 0.15, 0.9, 1.15, 0.05, 0.05, 8.9, 4.5),
    Punctuality("on_time", ((0, 0.52),), 0.0, 1.0, 1.0, 0.06, 0.06, 8.3, 4.2),
    Punctuality("late", ((1, 0.09), (2, 0.06)), -0.5, 1.35, 0.7, 0.14, 0.09, 6.9, 3.4),
    Punctuality("very_late", ((3, 0.03), (4, 0.03), (6, 0.02), (9, 0.01)), -1.2, 1.9, 0.35, 0.26, 0.16, 5.0, 2.5),
)


@dataclass(frozen=True)
class ShopParameters:
    """A shop that sells guitars, and lessons by subscription after a trial.

    **An attempt.** A customer's first attempt begins with their first
    interaction, at a time drawn from the season, the weekday and the hour. An
    awareness touchpoint, perhaps more of them (`more_touches`, `touch_gap`),
    then perhaps a look at a product (`decide` after the last of them), then one
    of three ways: the web shop (cart → checkout → order), the store
    (store_visit → order), or lessons (trial_started → subscription_started).
    Outcomes and delays are independent of each other given the segment. Whoever
    neither ordered nor tried lessons begins anew with probability `again`,
    `again_after` the start of the attempt that failed, at most `max_attempts`
    times.

    **After the first order** it is promised, delivered (`options` plus the days
    of a `Punctuality`), perhaps asked about, and perhaps the customer comes
    back (`come_back_after` the delivery); from that day on they follow a
    `Habit`, day by day. Surveys, tickets, returns, reviews follow deliveries.

    **After a trial** of 14 days comes perhaps a subscription. No one cancels
    within `cooling_days`; then each day has a risk: `cancel_early` until day
    60, `cancel_late` after, times the segment's `leaving`; a yearly plan is
    cancelled only when its year ends, with `cancel_yearly`.

    Attributes
    ----------
    start : str
        First day of the log.
    timezone : str
        Where days begin. The truth at day grain is exact for zones without
        daylight saving in the period, as the default has been since 2016.
    segments, sources, habits, frictions, punctuality : tuple
        See these classes.
    noise : tuple of (str, float)
        A touchpoint that does nothing to anyone, and the share of customers
        who meet it; it has no stage.
    more_touches : tuple of float
        Probability of 0, 1, … more awareness touchpoints in an attempt.
    options : tuple of (str, int, float)
        Shipping options: name, days promised, share.
    tracked : float
        Share of orders whose tracking is looked at.
    late_contact : float
        Share of those, where late, with a where-is-my-order contact.
    csat_response, nps_response : float
        Share of deliveries whose survey is answered.
    nps_sd, csat_sd : float
        Spread of the feelings behind the answers.
    weekdays, months_of_year : tuple of float
        Weights of arrivals, Monday first and January first.
    growth : float
        Arrivals grow by this factor in a year.
    burst : tuple of (str, int, float)
        A campaign: first day, days, factor on arrivals.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from journeykit.datasets import ShopParameters
    >>> calm = replace(ShopParameters(), again=0.0, more_touches=(1.0,))  # one attempt each, one touch each
    >>> sum(segment.share for segment in calm.segments)
    1.0
    """

    start: str = "2023-01-01"
    timezone: str = "Europe/Istanbul"
    segments: tuple[Segment, ...] = _SEGMENTS
    sources: tuple[Source, ...] = _SOURCES
    habits: tuple[Habit, ...] = _HABITS
    frictions: tuple[Friction, ...] = _FRICTIONS
    punctuality: tuple[Punctuality, ...] = _PUNCTUALITY
    noise: tuple[str, float] = ("cookie_banner", 0.4)

    more_touches: tuple[float, ...] = (0.6, 0.27, 0.13)
    touch_gap: Delay = Delay(0.15, (5, 180), 1.8, 4)
    decide: Delay = Delay(0.6, (1, 25), 2.2, 7)
    checkout: Delay = Delay(0.85, (1, 15), 1.3, 3)
    pay: Delay = Delay(1.0, (1, 14))
    store_order: Delay = Delay(1.0, (10, 70))
    trial_days: int = 14
    again: float = 0.38
    again_after: Delay = Delay(0.0, (0, 0), 18.0, 90)
    again_from_day: int = 45
    max_attempts: int = 5

    options: tuple[tuple[str, int, float], ...] = (("express", 2, 0.3), ("standard", 5, 0.7))
    tracked: float = 0.62
    late_contact: float = 0.45
    come_back_after: Delay = Delay(0.0, (0, 0), 9.0, 40)
    csat_after: Delay = Delay(0.2, (60, 400), 2.0, 6)
    nps_after: Delay = Delay(0.0, (0, 0), 3.0, 16)
    ticket_after: Delay = Delay(0.25, (20, 400), 2.5, 10)
    advocate_after: Delay = Delay(0.0, (0, 0), 7.0, 28)
    csat_response: float = 0.28
    nps_response: float = 0.24
    nps_sd: float = 1.9
    csat_sd: float = 1.05

    cross_trial: float = 0.16
    first_lesson: Delay = Delay(0.35, (10, 400), 2.0, 5)
    lesson_advocate: float = 0.14
    lesson_advocate_after: Delay = Delay(0.0, (0, 0), 12.0, 30, (0, 180))
    lesson_a_day: float = 0.16
    cooling_days: int = 7
    cancel_early: float = 0.0050
    cancel_late: float = 0.0022
    cancel_yearly: float = 0.35
    back_to_lessons: float = 0.12

    weekdays: tuple[float, ...] = (1.0, 0.95, 0.97, 1.02, 1.12, 1.30, 1.22)
    months_of_year: tuple[float, ...] = (1.0, 0.9, 0.95, 1.0, 0.95, 0.85, 0.8, 0.85, 1.1, 1.1, 1.3, 1.5)
    growth: float = 1.15
    burst: tuple[str, int, float] = ("2023-05-15", 10, 2.2)

    def __post_init__(self) -> None:
        """Refuse shares that don't add up, and attempts that could overlap."""
        for what, shares in {
            "segments": [each.share for each in self.segments],
            "first shares of sources": [each.first for each in self.sources],
            "later shares of sources": [each.later for each in self.sources],
            "options": [share for _, _, share in self.options],
            "punctuality": [share for band in self.punctuality for _, share in band.days],
            "more_touches": list(self.more_touches),
            **{f"regulars of {each.name}": list(each.regulars) for each in self.segments},
        }.items():
            if abs(sum(shares) - 1) > 1e-9 or min(shares) < 0:
                raise ParameterError(f"{what} must add up to 1, got {shares}")
        if self.max_attempts < 1:
            raise ParameterError(f"max_attempts == {self.max_attempts}, must be at least 1")
        if min(days for _, days, _ in self.options) + min(day for band in self.punctuality for day, _ in band.days) < 1:
            raise ParameterError("options and punctuality must leave at least 1 day until the delivery")
        if self.longest_attempt >= self.again_from_day * 1440 and self.again > 0:
            raise ParameterError(
                f"again_from_day == {self.again_from_day}: an attempt takes up to "
                f"{self.longest_attempt / 1440:.1f} days, and the next must not begin before it ends"
            )

    @property
    def longest_attempt(self) -> int:
        """Minutes from the first touch to the order or the trial, at most."""
        touches = (len(self.more_touches) - 1) * self.touch_gap.max_minutes
        way = self.checkout.max_minutes + max(self.pay.max_minutes, self.store_order.max_minutes)
        return touches + self.decide.max_minutes + max(each.choose.max_minutes for each in self.segments) + way
