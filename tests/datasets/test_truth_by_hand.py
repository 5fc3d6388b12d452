"""The truth's formulas against slow, independent simulations and against arithmetic."""

import random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from slow_definitions import first_silence, furthest

from journeykit.datasets import Delay, ShopParameters
from journeykit.datasets.clock import make_clock
from journeykit.datasets.delays import exactly
from journeykit.datasets.entries import best_of_mature, from_first_touch
from journeykit.datasets.lattice import by_day, convolve, earliest, later_than
from journeykit.datasets.silences import first_crossing, monthly_survival
from journeykit.datasets.spine import Reach, step_rate
from journeykit.datasets.truth import Truth
from journeykit.datasets.voices import score_weights


def test_delay_has_the_mean_of_its_definition():
    delay = Delay(soon=0.25, soon_minutes=(10, 20), mean_days=2, max_days=2, wobble=(-5, 5))
    # In the same sitting 15 minutes; else 1 or 2 days with weights 1 and 1/2.
    assert delay.pmf() @ np.arange(len(delay.pmf())) == pytest.approx(0.25 * 15 + 0.75 * (1440 * (2 / 3 + 2 * 1 / 3)))
    assert delay.pmf().sum() == pytest.approx(1)
    drawn = delay.draw(np.random.default_rng(1), 40_000)
    counts = np.bincount(drawn, minlength=len(delay.pmf())) / 40_000
    assert np.abs(np.cumsum(counts) - np.cumsum(delay.pmf())).max() < 0.01  # Kolmogorov: 1.95/√n is p = 0.001


def test_sum_of_delays_is_counted_out():
    # 1 or 2 minutes, then 1 or 2 minutes, of which the second never comes in half of the cases.
    assert convolve(np.array([0, 0.5, 0.5]), np.array([0, 0.25, 0.25])).tolist() == pytest.approx(
        [0, 0, 1 / 8, 1 / 4, 1 / 8]
    )


def test_earliest_of_two_events_by_enumeration():
    one, other = np.array([0, 0.5, 0.2]), np.array([0, 0.0, 0.0, 0.4])
    assert earliest(one, other).tolist() == pytest.approx([0, 0.5, 0.2, 0.3 * 0.4])
    assert later_than(other, one).tolist() == pytest.approx([0, 0, 0, 0.4 * 0.7])


def test_difference_of_dates_depends_on_the_hour():
    evening = np.zeros(1440)
    evening[[600, 1380]] = 0.5  # 10:00 and 23:00
    two_hours = np.zeros(121)
    two_hours[120] = 1
    assert by_day(two_hours, evening).tolist() == pytest.approx([0.5, 0.5])
    a_day_and_two_hours = np.concatenate([np.zeros(1440), two_hours])
    assert by_day(a_day_and_two_hours, evening).tolist() == pytest.approx([0, 0.5, 0.5])


@pytest.mark.parametrize("order", [None, 0.4])
def test_first_crossing_agrees_with_a_day_by_day_simulation(order):
    rng, silence, horizon, n = random.Random(3), 12, 80, 20_000
    waiting = np.array([0, 0, 0.1, 0, 0.2, 0, 0, 0, 0, 0.1, 0, 0, 0.2, 0.1, 0.05])  # a quarter never comes back
    visit, end = 0.15, 0.02
    crossed = np.zeros(horizon + 1)
    for _ in range(n):
        back = rng.choices([*range(len(waiting)), None], [*waiting, 1 - waiting.sum()])[0]
        days = [0]
        if back is not None:
            if order is None:
                days.append(back)
            day = back
            while day <= horizon and rng.random() >= end:
                day += 1
                if rng.random() < visit and (order is None or rng.random() < order):
                    days.append(day)
            # The loop leaves the day on which silence for ever begins uncounted.
        at, event = first_silence(days, silence, last=horizon + silence + 1)
        if event and at <= horizon:
            crossed[at] += 1
    survival = 1 - np.cumsum(crossed) / n
    truth = first_crossing(waiting, visit, end, order, silence, horizon)
    assert truth[:silence].tolist() == [1] * silence
    assert np.abs(survival - truth).max() < 1.95 / np.sqrt(n)  # Kolmogorov, p = 0.001


def test_first_crossing_of_a_customer_who_never_comes_back():
    assert first_crossing(np.zeros(1), 0.5, 0.1, None, 3, 5).tolist() == pytest.approx([1, 1, 1, 0, 0, 0])


def test_coming_back_on_the_last_day_is_no_crossing():
    # Active on day 0 and day 3, and never again: crosses on day 6. Back on day 4: crosses on day 3.
    assert first_crossing(np.eye(5)[3], 0.0, 0.0, None, 3, 7).tolist() == pytest.approx([1, 1, 1, 1, 1, 1, 0, 0])
    assert first_crossing(np.eye(5)[4], 0.0, 0.0, None, 3, 7).tolist() == pytest.approx([1, 1, 1, 0, 0, 0, 0, 0])


def test_monthly_plan_survival_is_the_product_of_daily_risks():
    parameters = ShopParameters(cooling_days=7, cancel_early=0.01, cancel_late=0.005)
    segment = replace(parameters.segments[0], leaving=1.0)
    curve = monthly_survival(parameters, segment, 62)
    assert curve[7] == 1
    assert curve[8] == pytest.approx(0.99)
    assert curve[60] == pytest.approx(0.99**53)
    assert curve[62] == pytest.approx(0.99**53 * 0.995**2)


def test_step_rate_averages_over_frictions():
    parameters = ShopParameters()
    one = replace(parameters, frictions=(replace(parameters.frictions[0], prevalence=0.25, effect=-1.0),))
    segment = replace(one.segments[0], cart=0.0)
    assert step_rate(one, segment, "cart") == pytest.approx(0.75 * 0.5 + 0.25 / (1 + np.e))
    assert step_rate(one, segment, "cart", without="slow_page") == pytest.approx(0.5)
    assert step_rate(one, segment, "cart", given="slow_page") == pytest.approx(1 / (1 + np.e))


def test_scores_are_a_rounded_normal():
    from scipy.integrate import quad
    from scipy.stats import norm

    weights = score_weights(8.0, 2.0, 0, 10)
    assert weights[7] == pytest.approx(quad(lambda x: norm.pdf(x, 8, 2), 6.5, 7.5)[0])
    assert weights[10] == pytest.approx(quad(lambda x: norm.pdf(x, 8, 2), 9.5, 40)[0])
    assert weights.sum() == pytest.approx(1)


SHORT = replace(
    ShopParameters(),
    touch_gap=Delay(0.0, (0, 0), 2.0, 4, (-60, 60)),
    more_touches=(0.4, 0.35, 0.25),
    decide=Delay(0.3, (5, 60), 3.0, 7),
    again=0.7,
    again_after=Delay(0.0, (0, 0), 6.0, 20),
    max_attempts=3,
)


def _one_customer(rng, parameters, looks, reaches, fails):
    """Touches and step of one customer, drawn as the docstring of ShopParameters says: (minute, name) in order."""

    def delay(which):
        if rng.random() < which.soon:
            return rng.randint(*which.soon_minutes)
        weights = [(1 - 1 / which.mean_days) ** k for k in range(which.max_days)]
        return 1440 * rng.choices(range(1, which.max_days + 1), weights)[0] + rng.randint(*which.wobble)

    events, begin = [], 0
    for attempt in range(parameters.max_attempts):
        at = begin
        events.append((at, "touch"))
        for _ in range(rng.choices(range(3), parameters.more_touches)[0]):
            at += delay(parameters.touch_gap)
            events.append((at, "touch"))
        failed = True
        if rng.random() < looks[attempt > 0] and rng.random() < reaches:
            events.append((at + delay(parameters.decide), "step"))
            failed = rng.random() < fails
        if not failed or rng.random() >= parameters.again:
            break
        begin += 1440 * parameters.again_from_day + delay(parameters.again_after)
    return events


@pytest.fixture(scope="module")
def drawn():
    """The step: reached with probability 0.6 by those who look, after which the attempt fails in half of the cases."""
    from journeykit.datasets.spine import consider_rate

    rng, segment = random.Random(8), SHORT.segments[1]
    looks = [consider_rate(SHORT, segment, first=True), consider_rate(SHORT, segment, first=False)]
    customers = [_one_customer(rng, SHORT, looks, 0.6, 0.5) for _ in range(8_000)]
    return segment, customers


# What stands for the rest of the attempt: those who look and do not reach the step can always return.
def _reach(monkeypatch):
    import journeykit.datasets.entries as entries

    monkeypatch.setattr(entries, "branches", lambda *_: {"only": {"product_page": Reach(np.ones(1), 0.4 + 0.3)}})
    return Reach(0.6 * SHORT.decide.pmf(), 0.3)


def test_time_from_the_first_touch_agrees_with_a_scalar_simulation(drawn, monkeypatch):
    segment, customers = drawn
    mass = from_first_touch(SHORT, segment, _reach(monkeypatch))
    times = [next((at for at, name in events if name == "step"), None) for events in customers]
    for days in (2, 7, 30, 60, 100, 200):
        share = sum(time is not None and time <= 1440 * days for time in times) / len(times)
        assert share == pytest.approx(mass[: 1440 * days + 1].sum(), abs=3.5 * 0.5 / np.sqrt(len(times)))


@pytest.mark.parametrize(("days", "months"), [(3, 6), (9, 4)])
def test_best_mature_attempt_agrees_with_a_scalar_simulation(drawn, monkeypatch, days, months):
    segment, customers = drawn
    clock, rng, within = make_clock(SHORT, months), np.random.default_rng(2), 1440 * days
    base, reached = best_of_mature(SHORT, segment, _reach(monkeypatch), clock, within)
    end = (clock.end - clock.start) // 60_000_000
    day = rng.choice(clock.n_days, len(customers), p=clock.day_weights)
    from journeykit.datasets.clock import draw_minutes

    begins = 1440 * day + draw_minutes(rng, len(customers))
    done = [
        furthest([(begin + at, name) for at, name in events if begin + at < end], [{"touch"}, {"step"}], within, end)
        for begin, events in zip(begins.tolist(), customers, strict=True)
    ]
    mature = sum(each >= 1 for each in done)
    assert mature / len(done) == pytest.approx(base, abs=3.5 * 0.5 / np.sqrt(len(done)))
    assert sum(each >= 2 for each in done) / mature == pytest.approx(reached / base, abs=3.5 * 0.5 / np.sqrt(mature))


def test_best_and_first_agree_where_there_is_one_touch_and_one_attempt():
    truth = Truth(replace(ShopParameters(), again=0.0, more_touches=(1.0,)), months=12)
    one, other = truth.stage_funnel(within="20d"), truth.stage_funnel(within="20d", entry="first")
    pd.testing.assert_frame_equal(one, other, atol=1e-9)


def test_funnel_of_a_shop_without_chance():
    sure = ShopParameters()
    segment = replace(
        sure.segments[0], share=1.0, consider=50.0, lessons=0.0, store=0.0, cart=50.0, order=50.0, checkout=0.5,
        choose=exactly(60),
    )  # fmt: skip
    sure = replace(
        sure, segments=(segment,), frictions=(), again=0.0, more_touches=(1.0,), decide=exactly(30),
        checkout=exactly(5), pay=exactly(4),
    )  # fmt: skip
    truth = Truth(sure, months=3)
    steps = ["awareness", "product_page", "cart", "checkout", "order"]
    assert truth.funnel(steps, within="99min")["reach_rate"].tolist() == pytest.approx([1, 1, 1, 0.5, 0.5])
    assert truth.funnel(steps, within="98min")["reach_rate"].tolist() == pytest.approx([1, 1, 1, 0.5, 0])
    assert truth.time_to_convert()["median_days"].tolist() == pytest.approx([99 / 1440])
