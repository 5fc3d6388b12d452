"""Steps: which events count."""

from __future__ import annotations

import pytest

from journeykit.errors import LogError, ParameterError
from journeykit.journey import StageModel, Step, as_step
from journeykit.journey.steps import distinct
from tests.helpers import make_log

ROWS = [
    ("a", "order", 0, "web", "red guitar"),
    ("a", "order", 1, "shop", "red strings"),
    ("b", "visit", 2, "web", None),
    ("b", "order", 3, "web", "blue guitar"),
]
LOG = make_log(ROWS, columns=["channel", "item"])


def marked(step, log=LOG):
    return as_step(step, log).mask(log).tolist()


def test_a_step_is_a_touchpoint_a_set_or_a_stage():
    assert marked("visit") == [False, False, True, False]
    assert marked({"visit", "order"}) == [True] * 4
    log = LOG.with_stages(StageModel.of({"see": "visit", "buy": "order"}))
    assert marked("buy", log) == [True, True, False, True]
    assert marked(Step(stage=["see", "buy"]), log) == [True] * 4


def test_a_name_that_is_both_is_the_touchpoint_and_the_stage_can_be_asked_for():
    log = LOG.with_stages(StageModel.of({"visit": "order", "order": "visit"}))
    assert marked("visit", log) == [False, False, True, False]
    assert marked(Step(stage="visit"), log) == [True, True, False, True]


def test_conditions_must_all_hold():
    assert marked(Step("order", where={"channel": "web"}, contains={"item": "guitar"})) == [True, False, False, True]
    assert marked(Step(where={"channel": ["shop", "web"]}, contains={"item": "red"})) == [True, True, False, False]


def test_the_first_ever_must_itself_meet_the_conditions_and_the_first_matching_need_not_be_the_first():
    assert marked(Step("order", where={"channel": "shop"}, first="ever")) == [False] * 4
    assert marked(Step("order", where={"channel": "shop"}, first="matching")) == [False, True, False, False]
    assert marked(Step("order", first="ever")) == [True, False, False, True]


def test_a_misspelt_name_is_an_error_but_a_step_may_be_absent():
    with pytest.raises(ParameterError, match=r"'ordr' is neither a touchpoint nor a stage.*did you mean 'order'"):
        as_step("ordr", LOG)
    with pytest.raises(ParameterError, match="'nope' is not a touchpoint"):
        as_step(["order", "nope"], LOG)
    assert marked(Step("never")) == [False] * 4


def test_a_name_that_the_stage_model_knows_may_be_absent():
    log = LOG.with_stages(StageModel.digital())
    assert marked("referral", log) == [False] * 4


def test_stages_need_a_stage_model():
    with pytest.raises(LogError, match="'stage'"):
        Step(stage="purchase").mask(LOG)


def test_none_stands_for_a_missing_entry():
    assert marked(Step(where={"item": None})) == [False, False, True, False]
    assert marked(Step(where={"item": [None, "red guitar"]})) == [True, False, True, False]
    log = make_log([("a", "yoga", 0), ("a", "reminder", 1), ("a", "visit", 2)]).with_stages(StageModel.digital())
    assert marked(Step(where={"initiative": ["active", None]}), log) == [True, False, True]
    assert LOG.where(item=None).n_events == 1
    assert Step(where={"item": ["x", None]}).name == "item=x | (missing)"


def test_steps_say_their_name():
    assert Step("order", where={"channel": "web"}).name == "order, channel=web"
    assert Step(["b", "a"]).name == "a | b"
    assert Step().name == "any"


def test_names_that_repeat_are_numbered_past_those_that_are_taken():
    assert distinct(["order", "visit", "order", "order"]) == ("order", "visit", "order (2)", "order (3)")
    assert distinct(["order", "order (2)", "order"]) == ("order", "order (2)", "order (3)")
    assert distinct(["order", "order", "order (2)"]) == ("order", "order (2)", "order (2) (2)")
