"""Put a model to the test: learned until a date, or as it is on other customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.model.evaluation import (
    MODEL,
    NULL,
    RULE,
    ChurnEvaluation,
    judge,
    learn_recency_rule,
    staying_alike,
)
from journeykit.analyses.churn.model.foresight import by_standing, look_ahead, names_of, past_of
from journeykit.analyses.churn.model.standing import has_snapshots, rebuilt, standing_at, standing_now
from journeykit.analyses.churn.query import range_of_days
from journeykit.errors import ParameterError
from journeykit.estimators.calibration import calibration_bins
from journeykit.journey.observed import observed_days
from journeykit.results.base import left_out_table

if TYPE_CHECKING:
    from journeykit.analyses.churn.model.result import ChurnModel


def judge_split(model: ChurnModel, split: Any, horizon: float, bins: int) -> ChurnEvaluation:
    """Fit the model to what was known at the end of a day, and judge it by the days after."""
    tenures = model.tenures
    if tenures is None or tenures.log is None or tenures.query is None:
        raise ParameterError("a split needs the log that was learned from; give tenures_test= for durations")
    day = range_of_days(tenures.log, (split, None))[0]
    observed = observed_days(tenures.log)
    if day is None or not observed.first_full < day < observed.last_full:
        raise ParameterError(f"split must be a day inside the log, got {split!r}")
    at = pd.Timestamp(np.datetime64(day, "D"))
    after = (at + pd.Timedelta(1, "D")).tz_localize(tenures.log.timezone)
    known = rebuilt(tenures, tenures.log.between(None, after))
    if not has_snapshots(tenures):
        return _judge_terms(model, known, at, horizon, bins)
    if day + horizon > observed.last_full:
        left = observed.last_full - day
        raise ParameterError(
            f"{horizon:g} days after {split} are not observed, only {left}: split earlier, or use a shorter horizon"
        )
    learned = _again(model, known)
    rows, unknown = standing_at(known, [at], names_of(model))
    outcome, _ = standing_at(tenures, [at], [])
    key = ["customer", "started_at"]
    rows = rows.drop(columns=["duration_days", "event", "end"]).merge(
        outcome[[*key, "duration_days", "event", "end"]], on=key, how="inner", validate="one_to_one"
    )
    if rows.empty:
        raise ParameterError(f"nobody was there at the end of {split}")
    ahead = look_ahead(learned, rows, horizon)
    past = _of_end(past_of(learned, int(horizon)), model.params["end"], horizon)
    rows = _of_end(rows, model.params["end"], horizon)
    event, duration = rows["event"].to_numpy(), rows["duration_days"].to_numpy(dtype=np.float64)
    alike = staying_alike(np.maximum(past["duration_days"], 0.5), past["event"], ahead.times)
    rule = learn_recency_rule(past, ahead.times)
    predictions = {
        MODEL: (ahead.probability, ahead.staying),
        NULL: (np.full(len(rows), 1 - alike[-1]), np.tile(alike, (len(rows), 1))),
        RULE: rule.predict(rows["recency_days"].to_numpy(dtype=np.float64)),
    }
    used = {"split": at, "horizon": horizon, "unit": "days", "bins": bins, "recency_cut_days": rule.cut_days}
    reasons = {"churn_model.not_known_yet": len(unknown)}
    return _evaluation(model, predictions, ahead.times, duration, event, rows["customer"], horizon, bins, used, reasons)


def _of_end(rows: pd.DataFrame, end: str | None, horizon: float) -> pd.DataFrame:
    """Take those who ended otherwise as not having left, which is known of them for all time."""
    if end is None:
        return rows
    other = rows["event"] & (rows["end"] != end)
    return rows.assign(event=rows["event"] & ~other, duration_days=rows["duration_days"].where(~other, horizon + 1))


def _judge_terms(model: ChurnModel, known: Tenures, at: pd.Timestamp, horizon: float, bins: int) -> ChurnEvaluation:
    """Judge a model of contracts: who was under contract at the split, by the terms decided since."""
    assert model.tenures is not None
    learned = _again(model, known)
    rows, _ = standing_now(known, names_of(model))
    now = model.tenures.whole()
    key = ["customer", "spell"]
    since = now.table[[*key, "event"]].assign(until=now.duration)
    rows = rows.merge(since, on=key, how="inner", validate="one_to_one")
    if rows.empty:
        raise ParameterError(f"nobody was under contract at {at:%Y-%m-%d}")
    ahead = look_ahead(learned, rows, horizon)
    age = rows["age_terms"].to_numpy(dtype=np.float64)
    duration = np.maximum(rows["until"].to_numpy(dtype=np.float64) - age, 1e-9)
    staying = _alike_from(known.whole(), known.table["event"].to_numpy(), age, ahead.times)
    predictions = {MODEL: (ahead.probability, ahead.staying), NULL: (1 - staying[:, -1], staying)}
    used = {"split": at, "horizon": horizon, "unit": "terms", "bins": bins, "recency_cut_days": np.nan}
    event = rows["event"].to_numpy()
    return _evaluation(model, predictions, ahead.times, duration, event, rows["customer"], horizon, bins, used, {})


def _alike_from(tenures: Tenures, event: Any, ages: Any, times: Any) -> Any:
    """Read the Kaplan–Meier curve of all, given that each customer was there at its age."""
    staying = np.ones((len(ages), len(times)))
    for age in np.unique(ages).tolist():
        curve = staying_alike(tenures.duration, event, np.concatenate([[age], age + times]), tenures.enters)
        staying[ages == age] = curve[1:] / curve[0] if curve[0] > 0 else 0.0
    return staying


def _again(model: ChurnModel, tenures: Tenures) -> ChurnModel:
    from journeykit.analyses.churn.model.fit import churn_model

    return churn_model(
        tenures,
        method=model.params["method"],
        covariates=model.params["model_covariates"],
        strata=model.params["strata"] or None,
        ties=model.params["ties"] or "efron",
        penalizer=model.params["penalizer"],
        confidence=model.params["confidence"],
    )


def judge_others(model: ChurnModel, tenures: Tenures, horizon: float, bins: int) -> ChurnEvaluation:
    """Judge a model as it is by other customers, from their entry on."""
    if by_standing(model):
        raise ParameterError("under inactivity a model is judged by dates: give split=")
    if model.params["end"] is not None:
        raise ParameterError("where tenures end in several ways a model is judged by dates: give split=")
    whole = tenures.whole()
    table = whole.table
    enters = np.maximum(whole.enters.astype(np.float64), 0.0)
    rows = table.rename(columns={f"enters_{tenures.unit}": f"age_{tenures.unit}"})
    rows[f"age_{tenures.unit}"] = enters
    ahead = look_ahead(model, rows, horizon)
    event = table["event"].to_numpy()
    duration = np.maximum(whole.duration.astype(np.float64) - enters, 1e-9)
    learned = model.tenures
    if learned is None:
        raise ParameterError("this model was stored without its tenures, which the Kaplan–Meier curve is of: fit again")
    base = learned.whole()
    own = base.table["event"].to_numpy()
    staying = _alike_from(base, own, enters, ahead.times)
    predictions = {MODEL: (ahead.probability, ahead.staying), NULL: (1 - staying[:, -1], staying)}
    used = {"split": None, "horizon": horizon, "unit": tenures.unit, "bins": bins, "recency_cut_days": np.nan}
    return _evaluation(model, predictions, ahead.times, duration, event, table["customer"], horizon, bins, used, {})


def _evaluation(
    model: ChurnModel,
    predictions: dict[str, Any],
    times: Any,
    duration: Any,
    event: Any,
    customer: pd.Series,
    horizon: float,
    bins: int,
    used: dict[str, Any],
    reasons: dict[str, int],
) -> ChurnEvaluation:
    known = np.isfinite(predictions[MODEL][0])
    kept = {name: (chance[known], staying[known]) for name, (chance, staying) in predictions.items()}
    who = customer.to_numpy()[known]
    clusters = who if pd.Series(who).duplicated().any() else None
    # Who was watched to the very end of the horizon, and not longer, is known to have stayed.
    followed = np.where(~event & (duration == horizon), np.nextafter(horizon, np.inf), duration)
    found = judge(kept, times, followed[known], event[known], horizon, clusters, model.params["confidence"], bins)
    params = dict(model.params) | used | {"definition": f"churn_evaluation_{model.params['definition']}"}
    out = left_out_table(reasons | {"churn_model.not_known_yet": reasons.get("churn_model.not_known_yet", 0)
                                    + int((~known).sum())})  # fmt: skip
    table, summary, comparison, gain, curve = found
    customers = pd.DataFrame(
        {
            "customer": who,
            "leave_probability": kept[MODEL][0],
            "bin": calibration_bins(kept[MODEL][0], bins) + 1,
            f"duration_{used['unit']}": duration[known],
            "event": event[known],
        }
    )
    return ChurnEvaluation(table, summary, comparison, out, params, None, gain, curve, customers)
