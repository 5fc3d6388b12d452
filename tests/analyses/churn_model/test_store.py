"""Models in files: they predict the same, hold no customer, and what is not whole is refused."""

import json

import numpy as np
import pandas as pd
import pytest

import journeykit as jk
from journeykit.analyses.churn.model import ChurnModel, churn_model
from journeykit.errors import ParameterError
from tests.analyses.churn_model.test_predictions import LOG, TENURES, subscriptions
from tests.estimators.test_logrank import RELAPSED, WEEKS

SUBSCRIPTIONS = subscriptions(2000, other=True)


def models():
    cancel = jk.tenures(SUBSCRIPTIONS, churn=jk.Cancel("cancelled", other="moved"), start="started", covariates="mood")
    arms = jk.Tenures.from_durations(WEEKS, RELAPSED, covariates={"arm": ["6-MP"] * 21 + ["placebo"] * 21})
    return {
        "inactivity": (churn_model(TENURES), LOG, 60),
        "cancel": (churn_model(cancel), SUBSCRIPTIONS, 30),
        "strata": (churn_model(cancel, covariates=[], strata="mood"), SUBSCRIPTIONS, 30),
        "weibull": (churn_model(cancel, method="weibull_aft"), SUBSCRIPTIONS, 30),
        "durations": (churn_model(arms), arms, 10),
        "lognormal": (churn_model(arms, method="lognormal_aft"), arms, 10),
    }


@pytest.mark.parametrize("name", models())
def test_a_model_read_again_predicts_the_same(tmp_path, name):
    model, source, horizon = models()[name]
    said = model.predict(source, horizon=horizon)
    model.save(tmp_path / "model.json")
    again = ChurnModel.load(tmp_path / "model.json")
    pd.testing.assert_frame_equal(again.predict(source, horizon=horizon).table, said.table)
    pd.testing.assert_frame_equal(again.table, model.table)
    assert again.describe() == model.describe()
    assert again.params["trained_on"]["customers"] == model.summary["customers"].iloc[0]
    # Written again, it is the same file but for what wrote it.
    again.save(tmp_path / "again.json")
    first, second = (json.loads((tmp_path / each).read_text()) for each in ("model.json", "again.json"))
    assert first["model"]["hazard"] == second["model"]["hazard"]
    assert first["trained_on"] == second["trained_on"]


def test_without_the_log_kept_horizons_can_be_predicted(tmp_path):
    model = churn_model(TENURES)
    model.save(tmp_path / "model.json", horizons=["30d"])
    again = ChurnModel.load(tmp_path / "model.json")
    expected = model.predict(LOG, horizon="30d").table
    pd.testing.assert_frame_equal(again.predict(LOG, horizon="30d").table, expected)
    with pytest.raises(ParameterError, match=r"horizons of \[30\] days, got 45"):
        again.predict(LOG, horizon="45d")
    with pytest.raises(ParameterError, match="without customers"):
        again.predict()


def test_a_file_holds_no_customer_and_says_what_it_was_trained_on(tmp_path):
    named = jk.read_log(
        LOG.frame().assign(customer=lambda rows: "person-" + rows["customer"].astype(str)),
        observed_until=LOG.ends_at, duplicates="keep", value="value",
    )  # fmt: skip
    model = churn_model(jk.tenures(named, churn=jk.Inactivity("60d"), covariates="kind"))
    model.predict(horizon="60d")
    model.save(tmp_path / "model.json")
    text = (tmp_path / "model.json").read_text()
    assert "person-" not in text
    whole = json.loads(text)
    assert whole["trained_on"]["covariates"]["kind"]["lasting"] > whole["trained_on"]["covariates"]["kind"]["brief"]
    assert "numpy" in whole["written_by"]


def changed(path, change):
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda whole: whole.update(format="other"), "no model that journeykit wrote"),
        (lambda whole: whole.update(version=99), "has form 99"),
        (lambda whole: whole["trained_on"].update(customers=7), "checksum differs"),
        (lambda whole: whole["model"].clear(), "checksum differs"),
    ],
)
def test_what_was_changed_is_refused(tmp_path, change, says):
    path = tmp_path / "model.json"
    churn_model(jk.Tenures.from_durations(WEEKS, RELAPSED)).save(path)
    changed(path, change)
    with pytest.raises(ParameterError, match=says):
        ChurnModel.load(path)


def test_what_predicts_otherwise_here_is_refused(tmp_path):
    from journeykit.analyses.churn.model.store import _hash

    path = tmp_path / "model.json"
    churn_model(jk.Tenures.from_durations(WEEKS, RELAPSED)).save(path)

    def bend(whole):
        whole["predictions"][0]["values"][0] += 0.1
        whole["sha256"] = _hash(whole)

    changed(path, bend)
    with pytest.raises(ParameterError, match="does not predict here"):
        ChurnModel.load(path)


@pytest.mark.parametrize("text", ["", "[1]", "not json", '{"$": "os.system"}'])
def test_what_is_no_model_is_refused(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ParameterError, match="no model"):
        ChurnModel.load(tmp_path / "model.json")
    with pytest.raises(ParameterError, match="no model can be read"):
        ChurnModel.load(tmp_path / "nowhere.json")


def test_sign_up_dates_of_customers_stay_out(tmp_path):
    started = {customer: "2024-01-01" for customer in LOG.customers[:50]}
    tenures = jk.tenures(LOG, churn=jk.Inactivity("60d"), signed_up=started)
    model = churn_model(tenures)
    model.save(tmp_path / "model.json", horizons=[]) if False else None
    from journeykit.analyses.churn.model.store import write_model

    write_model(model, tmp_path / "model.json")
    assert json.loads((tmp_path / "model.json").read_text())["model"]["query"] is None


def test_values_survive_the_way_through_json():
    from journeykit.analyses.churn.model.store import pack, unpack

    stamp = pd.Timestamp("2024-03-01", tz="Europe/Istanbul")
    values = [1, 1.5, np.inf, None, True, "x", (1, 2), [stamp], {"a": (1,)}, frozenset({"b"}), pd.Timedelta("90D")]
    again = unpack(json.loads(json.dumps(pack(values), allow_nan=False)))
    assert again == values
    assert np.isnan(unpack(json.loads(json.dumps(pack(np.nan), allow_nan=False))))
    array = np.array([[1.0, np.nan], [3.0, np.inf]])
    np.testing.assert_array_equal(unpack(json.loads(json.dumps(pack(array), allow_nan=False))), array)
    with pytest.raises(ParameterError, match="can't be written"):
        pack(object())
