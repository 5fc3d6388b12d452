"""The log itself: the same for a seed, consistent, believable, and in the words of the shipped vocabulary."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import journeykit as jk
from journeykit.datasets import ShopParameters, simulate_events

# DEFINITIONS.md, "Stages and vocabulary": what a shop like this one has.
EXPECTED = """
    advertisement social_post influencer_post sponsored_article recommendation word_of_mouth shop_window organic_search
    paid_search email_campaign third_party_review comparison product_page site_search search_without_result
    support_question chatbot cart checkout payment_method payment_error shipping_option order order_confirmation
    slow_page error_page store_visit call delivery tracking where_is_my_order thank_you_note download community
    return exchange refund reminder follow_up survey_nps survey_csat survey_ces ticket_opened ticket_answered
    ticket_resolved
    ticket_reopened callback trial_started trial_cancelled subscription_started subscription_payment
    subscription_cancelled loyalty_points reward review_written referral consent_given consent_withdrawn lesson
""".split()


def test_same_seed_same_log():
    one, _ = simulate_events(300, months=6, rng=4)
    same, _ = simulate_events(300, months=6, rng=np.random.default_rng(4))
    other, _ = simulate_events(300, months=6, rng=5)
    assert_frame_equal(one, same)
    assert not one.equals(other)


def test_every_customer_is_in_the_log_and_every_time_in_the_period():
    log, _ = jk.simulate_journeys(1500, months=4, rng=2)
    assert log.n_customers == 1500
    assert log.ends_at == pd.Timestamp("2023-05-01", tz="Europe/Istanbul")
    assert log.starts_at >= pd.Timestamp("2023-01-01", tz="Europe/Istanbul")
    assert log.times.max() < log.observed_until
    assert len(log.quarantine) == 0
    assert log.duplicates_merged == 0


@pytest.mark.parametrize("model", [jk.StageModel.digital(), jk.StageModel.ecommerce()], ids=["digital", "ecommerce"])
def test_touchpoints_are_those_of_the_shipped_vocabulary(shop, model):
    log, truth, _ = shop
    noise = truth.parameters.noise[0]
    assert set(EXPECTED) <= set(log.touchpoints)
    assert set(log.touchpoints) - set(model.vocabulary) == {noise}
    assert log.with_stages(model).unmapped["touchpoint"].tolist() == [noise]


def test_sources_are_awareness(shop):
    _, truth, frame = shop
    firsts = frame.drop_duplicates("customer")
    assert set(firsts["stage"]) == {"awareness"}
    assert set(firsts["touchpoint"]) <= {source.touchpoint for source in truth.parameters.sources}


def _gaps(frame, earlier, later, key):
    """Time from an event to the later one with the same key; missing if either is missing."""
    first = frame[frame["touchpoint"] == earlier].groupby(key, observed=True)["time"].min()
    second = frame[frame["touchpoint"] == later].groupby(key, observed=True)["time"].min()
    return second - first.reindex(second.index)


@pytest.mark.parametrize(
    ("earlier", "later", "key"),
    [
        ("order", "order_confirmation", "order_id"),
        ("order", "shipping", "order_id"),
        ("order", "tracking", "order_id"),
        ("order", "where_is_my_order", "order_id"),
        ("order", "delivery", "order_id"),
        ("delivery", "survey_csat", "order_id"),
        ("delivery", "survey_nps", "order_id"),
        ("delivery", "return", "order_id"),
        ("return", "refund", "order_id"),
        ("delivery", "review_written", "order_id"),
        ("ticket_opened", "ticket_answered", "ticket_id"),
        ("ticket_answered", "ticket_resolved", "ticket_id"),
        ("ticket_answered", "callback", "ticket_id"),
        ("ticket_resolved", "ticket_reopened", "ticket_id"),
        ("ticket_resolved", "survey_ces", "ticket_id"),
        ("trial_started", "subscription_started", "customer"),
        ("subscription_started", "subscription_cancelled", "customer"),
        ("subscription_started", "subscription_payment", "customer"),
    ],
)
def test_what_follows_has_what_it_follows(shop, earlier, later, key):
    _, _, frame = shop
    gaps = _gaps(frame, earlier, later, key)
    assert len(gaps)
    assert (gaps > pd.Timedelta(0)).all()  # a missing earlier event would be NaT, which is not above 0


def test_orders_and_tickets_are_opened_once(shop):
    _, _, frame = shop
    for touchpoint, key in (("order", "order_id"), ("delivery", "order_id"), ("ticket_opened", "ticket_id")):
        assert frame.loc[frame["touchpoint"] == touchpoint, key].is_unique


def test_only_late_parcels_are_asked_about(shop):
    _, _, frame = shop
    promised = frame[frame["touchpoint"] == "order"].set_index("order_id")["promised_at"]
    asks = frame[frame["touchpoint"] == "where_is_my_order"]
    assert (asks["time"] > promised.reindex(asks["order_id"]).to_numpy()).all()


def test_values_are_revenue(shop):
    _, _, frame = shop
    has = frame.dropna(subset="value")
    assert set(has["touchpoint"]) == {"order", "refund", "subscription_started", "subscription_payment"}
    assert ((has["value"] < 0) == (has["touchpoint"] == "refund")).all()


def test_segment_and_device_are_known_from_the_start(shop):
    _, _, frame = shop
    for name in ("segment", "device"):
        assert frame[name].notna().all()
        assert not frame[["customer", name]].drop_duplicates()["customer"].duplicated().any()


def test_arrivals_follow_season_weekday_and_burst():
    frame, _ = simulate_events(40_000, months=12, rng=9)
    first = frame.groupby("customer", observed=True)["time"].min().dt.tz_convert("Europe/Istanbul")
    per_day = first.dt.tz_localize(None).dt.normalize().value_counts().sort_index()
    assert per_day["2023-05-15":"2023-05-24"].mean() > 1.6 * per_day["2023-05-25":"2023-06-03"].mean()
    assert (first.dt.month == 12).mean() > 1.4 * (first.dt.month == 7).mean()
    weekend = first.dt.dayofweek >= 5
    assert weekend.mean() > 2 / 7 + 0.02
    assert first.dt.hour.between(7, 22).all()


def test_tickets_repeat_and_some_stay_open(shop):
    _, _, frame = shop
    opened = set(frame.loc[frame["touchpoint"] == "ticket_opened", "ticket_id"])
    resolved = set(frame.loc[frame["touchpoint"] == "ticket_resolved", "ticket_id"])
    assert resolved < opened
    contacts = frame[frame["touchpoint"] == "where_is_my_order"].groupby("order_id").size()
    assert contacts.max() == 2


def test_activity_has_a_heavy_tail(shop):
    log, _, _ = shop
    events = np.sort(np.diff(log.offsets))[::-1]
    assert events[: len(events) // 10].sum() > 0.35 * events.sum()  # a tenth of the customers, over a third of events


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="n_customers and months must be at least 1, got 0 and 18"):
        jk.simulate_journeys(0)
    with pytest.raises(ValueError, match="options must add up to 1"):
        ShopParameters(options=(("express", 2, 0.5),))
    with pytest.raises(ValueError, match=r"an attempt takes up to 30\.4 days"):
        ShopParameters(again_from_day=30)
    _, truth = jk.simulate_journeys(10, months=2)
    with pytest.raises(ValueError, match='say entry="first"'):
        truth.stage_funnel(within="60d")
    with pytest.raises(ValueError, match='steps must be "awareness"'):
        truth.funnel(["order"])


def test_other_zones_and_starts():
    parameters = ShopParameters(start="2024-02-01", timezone="America/New_York")
    log, _ = jk.simulate_journeys(400, months=3, parameters=parameters, rng=1)
    assert log.timezone == "America/New_York"
    assert log.ends_at == pd.Timestamp("2024-05-01", tz="America/New_York")
    firsts = log.frame(["customer", "time"]).drop_duplicates("customer")["time"]
    assert firsts.dt.hour.between(7, 22).all()
