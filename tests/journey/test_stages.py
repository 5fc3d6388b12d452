"""Stages: rules in order, context, and nothing lost."""

from __future__ import annotations

import pytest

from journeykit.errors import ParameterError
from journeykit.journey import StageModel
from journeykit.text import has_label
from journeykit.text.languages import languages
from tests.helpers import make_log


def staged(rows, model, **options):
    return make_log(rows, **options).with_stages(model)


def test_the_first_rule_that_fits_decides():
    model = StageModel.from_dict(
        {
            "stages": [{"name": "look"}, {"name": "buy"}],
            "rules": [{"stage": "buy", "touchpoints": ["cart*"]}, {"stage": "look", "touchpoints": ["*"]}],
        }
    )
    log = staged([("a", "cart_view", 0), ("a", "visit", 1)], model)
    assert log.frame()["stage"].tolist() == ["buy", "look"]


def test_rules_can_ask_for_channel_and_property_together():
    model = StageModel.from_dict(
        {
            "stages": [{"name": "shop"}, {"name": "web"}],
            "rules": [
                {"stage": "shop", "touchpoints": ["visit"], "channels": ["store"], "where": {"staff": [True]}},
                {"stage": "web", "touchpoints": ["visit"]},
            ],
        }
    )
    rows = [("a", "visit", 0, "store", True), ("a", "visit", 1, "store", False), ("a", "visit", 2, None, True)]
    log = staged(rows, model, columns=["channel", "staff"])
    assert log.frame()["stage"].tolist() == ["shop", "web", "web"]


def test_a_visit_is_awareness_before_the_first_order_and_retention_after_it():
    rows = [("a", "visit", 0), ("a", "order", 1), ("a", "visit", 2), ("b", "visit", 3)]
    log = staged(rows, StageModel.digital())
    assert log.frame()["stage"].tolist() == ["awareness", "purchase", "retention", "awareness"]


def test_a_second_order_is_coming_back_and_not_a_second_first_purchase():
    log = staged([("a", "order", 0), ("a", "order", 5)], StageModel.digital())
    assert log.frame()["stage"].tolist() == ["purchase", "retention"]


def test_at_the_instant_of_the_first_order_the_stored_order_decides():
    before = staged([("a", "visit", 1), ("a", "order", 1)], StageModel.digital())
    assert before.frame()["stage"].tolist() == ["awareness", "purchase"]
    after = staged([("a", "order", 1), ("a", "visit", 1)], StageModel.digital())
    assert after.frame()["stage"].tolist() == ["purchase", "retention"]


def test_one_customers_order_does_not_change_anothers_stages():
    rows = [("a", "order", 0), ("b", "visit", 5)]
    assert staged(rows, StageModel.digital()).frame()["stage"].tolist() == ["purchase", "awareness"]


def test_unmapped_touchpoints_are_listed_with_counts_and_stay_in_the_log():
    log = staged([("a", "visit", 0), ("a", "yoga", 1), ("b", "yoga", 2), ("b", "golf", 3)], StageModel.digital())
    assert log.n_events == 4
    assert log.unmapped.values.tolist() == [["yoga", 2], ["golf", 1]]
    found = log.quality.set_index("rule").loc["unmapped_touchpoints"]
    assert (found["rows"], found["share"], found["example"]) == (3, 0.75, "yoga, golf")


def test_staging_twice_leaves_one_finding():
    log = staged([("a", "yoga", 0)], StageModel.digital()).with_stages(StageModel.ecommerce())
    assert (log.quality["rule"] == "unmapped_touchpoints").sum() == 1


# The shipped vocabulary must have at least these (DEFINITIONS, "Stages and vocabulary").
VOCABULARY = """advertisement social_post influencer_post sponsored_article recommendation word_of_mouth shop_window
organic_search paid_search email_campaign third_party_review comparison product_page site_search search_without_result
support_question chatbot cart checkout payment payment_method payment_error shipping_option order order_confirmation
slow_page error_page store_visit call delivery tracking where_is_my_order thank_you_note download community return
exchange refund reminder follow_up survey_nps survey_ces survey_csat survey_comment ticket_opened ticket_answered
ticket_resolved ticket_reopened callback subscription_started subscription_cancelled trial_started trial_cancelled
loyalty_points reward review_written referral repeat_order consent_given consent_withdrawn""".split()


@pytest.mark.parametrize("model", [StageModel.digital(), StageModel.ecommerce()], ids=lambda model: model.name)
def test_shipped_models_map_the_whole_vocabulary_before_and_after_a_purchase(model):
    assert set(VOCABULARY) <= set(model.vocabulary)
    assert set(model.vocabulary) == set(model.attributes)
    rows = [("a", name, i) for i, name in enumerate(VOCABULARY)]
    later = [("b", "order", 0), *(("b", name, i + 1) for i, name in enumerate(VOCABULARY))]
    assert staged([*rows, *later], model).unmapped.empty


@pytest.mark.parametrize("model", [StageModel.digital(), StageModel.ecommerce()], ids=lambda model: model.name)
def test_shipped_models_use_every_stage_and_sub_stage(model):
    for stage in model.stage_list:
        used = {rule.sub_stage for rule in model.rules if rule.stage == stage.name}
        assert used == set(stage.sub_stages)


def test_the_stages_are_those_of_the_field():
    assert StageModel.digital().stages == ("awareness", "consideration", "purchase", "retention", "advocacy")
    assert StageModel.ecommerce().stages == ("pre_purchase", "purchase", "post_purchase", "ongoing_relationship")


def test_each_ecommerce_stage_names_its_digital_counterparts():
    digital = set(StageModel.digital().stages)
    named = [set(stage.counterparts) for stage in StageModel.ecommerce().stage_list]
    assert all(named)
    assert set.union(*named) == digital


def test_every_touchpoint_has_all_attributes():
    allowed = {
        "initiative": {"active", "passive"},
        "media": {"paid", "owned", "earned"},
        "service": {"self_service", "human"},
        "presence": {"online", "offline"},
    }
    for name, known in StageModel.digital().attributes.items():
        assert set(known) == set(allowed), name
        assert all(value in allowed[key] for key, value in known.items()), name


def test_attributes_phase_and_sub_stage_can_be_split_by():
    rows = [("a", "advertisement", 0), ("a", "call", 1), ("a", "order", 2), ("a", "yoga", 3)]
    log = staged(rows, StageModel.digital())
    assert log.column("media").tolist()[:3] == ["paid", "owned", "owned"]
    assert log.column("presence").tolist()[:3] == ["online", "offline", "online"]
    assert log.column("sub_stage").tolist()[:3] == ["paid_reach", "questions", "sale"]
    assert log.column("phase").tolist()[:3] == ["pre_sale", "pre_sale", "sale"]
    assert log.column("media").isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize("model", [StageModel.digital(), StageModel.ecommerce(), StageModel.of({"a": "x*", "b": "y"})])
def test_a_model_is_the_same_after_going_through_plain_data(model):
    assert StageModel.from_dict(model.to_dict()) == model


def test_a_model_reads_from_a_toml_file(tmp_path):
    path = tmp_path / "stages.toml"
    path.write_text('name = "two"\n[[stages]]\nname = "a"\n[[stages]]\nname = "b"\n[[rules]]\nstage = "b"\n', "utf-8")
    assert StageModel.from_toml(path).stages == ("a", "b")
    assert StageModel.from_toml(str(path)).name == "two"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "not valid TOML"),
        ('[[stages]]\nname = "a"\n[[rules]]\nstage = "z"', r"among \['a'\], got 'z'"),
        ('[[stages]]\nname = "a"\n[[rules]]\nstage = "a"\ntouchpoint = ["x"]', r"got \['touchpoint'\]"),
        ('[[stages]]\nname = "a"\n[[stages]]\nname = "a"', "different names"),
        ('[[stages]]\nname = "a"\n[[rules]]\nstage = "a"\nsub_stage = "q"', "sub-stages"),
        ("", "different names"),
    ],
)
def test_a_wrong_model_is_refused_with_what_is_wrong(tmp_path, text, said):
    path = tmp_path / "stages.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ParameterError, match=said):
        StageModel.from_toml(path)


def test_a_model_file_that_is_not_there_is_named():
    with pytest.raises(ParameterError, match=r"no stage model 'nowhere.toml'"):
        StageModel.from_toml("nowhere.toml")


def test_asking_for_help_with_a_full_cart_is_support_in_real_time():
    rows = [("a", "chatbot", 0), ("a", "cart", 1), ("a", "chatbot", 2), ("a", "order", 3), ("a", "chatbot", 4)]
    log = staged(rows, StageModel.ecommerce())
    assert log.column("sub_stage").tolist() == [
        "support",
        "checkout",
        "real_time_support",
        "order_confirmation",
        "loyalty",
    ]


def test_a_reminder_of_a_cart_is_no_purchase():
    rows = [("a", "cart", 0), ("a", "reminder", 1), ("a", "order", 2), ("a", "reminder", 3)]
    assert staged(rows, StageModel.digital()).frame()["stage"].tolist() == [
        "consideration",
        "consideration",
        "purchase",
        "purchase",
    ]


def test_a_narrowed_log_keeps_the_sub_stages_that_its_past_decided():
    rows = [("a", "visit", 0), ("a", "order", 1), ("a", "visit", 2), ("a", "delivery", 3), ("a", "chatbot", 4)]
    log = staged(rows, StageModel.digital(), observed_until=9)
    later = log.between("2024-01-03")
    assert log.column("sub_stage").tolist() == ["arrival", "sale", "coming_back", "fulfilment", "support"]
    assert later.column("sub_stage").tolist() == ["coming_back", "fulfilment", "support"]
    renamed = log.with_touchpoints({"*": "anything"})
    assert renamed.column("stage").tolist() == log.column("stage").tolist()
    assert renamed.column("sub_stage").isna().all()  # nothing is known of such a touchpoint


@pytest.mark.parametrize("code", languages())
def test_the_shipped_stages_have_words_in_every_language(code):
    shipped = {*StageModel.digital().stages, *StageModel.ecommerce().stages}
    assert [stage for stage in shipped if not has_label(stage, language=code)] == []
