"""What a model needs to look ahead: whose customers, how far, and what is learned from earlier dates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.measured import tenures_of
from journeykit.analyses.churn.model.ahead import Ahead, ahead_by_age, ahead_by_standing, parts_of
from journeykit.analyses.churn.model.covariates import Term, settle_terms, stratum_names
from journeykit.analyses.churn.model.landmark import Landmark, fit_landmark, rhythm_of
from journeykit.analyses.churn.model.standing import earlier_days, has_snapshots, standing_at
from journeykit.analyses.churn.rules import whole_days
from journeykit.errors import ParameterError

if TYPE_CHECKING:
    from journeykit.analyses.churn.model.result import ChurnModel


def unit_of_model(model: ChurnModel) -> str:
    """Name what ages are counted in."""
    return "terms" if model.params.get("churn") == "contract" else "days"


def names_of(model: ChurnModel) -> list[str]:
    """List the columns that a model reads."""
    return list(dict.fromkeys([*model.params["model_covariates"], *model.params["strata"]]))


def by_standing(model: ChurnModel) -> bool:
    """Say whether predictions come from how customers stand: under inactivity."""
    return bool(model.params["churn"] == "inactivity")


def horizon_of(model: ChurnModel, horizon: Any) -> float:
    """Read how far ahead to look, in the model's unit."""
    if isinstance(horizon, int | float | np.number) and not isinstance(horizon, bool):
        if not 0 < horizon < np.inf:
            raise ParameterError(f"horizon must be above 0, got {horizon!r}")
        if by_standing(model) and float(horizon) != int(horizon):
            raise ParameterError(f"horizon must be whole days, got {horizon!r}")
        return float(horizon)
    if unit_of_model(model) == "terms":
        raise ParameterError(f"horizon of a contract is a number of terms, as in horizon=3, got {horizon!r}")
    return float(whole_days(horizon, name="horizon"))


def tenures_for(model: ChurnModel, source: Any) -> Tenures:
    """Find whose customers to predict for, measured as those learned from."""
    if source is None:
        if model.tenures is None:
            raise ParameterError("this model was stored without customers: give a log or tenures to predict for")
        return model.tenures
    if isinstance(source, Tenures):
        for name in ("churn", "limit_days", "covariate_window_days"):
            if source.params.get(name) != model.params.get(name):
                raise ParameterError(
                    f"the tenures must be measured as those learned from: {name} is {source.params.get(name)!r}, "
                    f"was {model.params.get(name)!r}"
                )
        return source
    if not hasattr(source, "tally"):
        raise ParameterError(f"source must be a log or jk.Tenures, got {type(source).__name__}")
    if model.query is None:
        raise ParameterError("how tenures were measured is not kept here: give jk.tenures(log, …)")
    return tenures_of(source, model.query)


def look_ahead(model: ChurnModel, rows: pd.DataFrame, horizon: float) -> Ahead:
    """Say what lies ahead of customers as they stand."""
    confidence = model.params["confidence"]
    if by_standing(model):
        if "recency_days" not in rows:
            raise ParameterError("under inactivity predictions need a log, which tells who was silent since when")
        if rows.empty:
            raise ParameterError("nobody is there at the end of observation whose covariates are known")
        rows["rhythm_days"] = rhythm_of(rows, model.params["limit_days"])
        return ahead_by_standing(landmarks_for(model, int(horizon)), rows, confidence)
    assert model.hazard is not None
    if rows.empty:
        raise ParameterError("nobody is there at the end of observation")
    strata = model.params["strata"]
    stratum = stratum_names(rows, strata) if strata else None
    age = rows[f"age_{unit_of_model(model)}"].to_numpy(dtype=np.float64)
    return ahead_by_age(model.hazard, model.others, model.terms, rows, age, stratum, horizon, confidence)


def landmarks_for(model: ChurnModel, horizon: int) -> list[Landmark]:
    """Learn from earlier dates, once a horizon; strata are covariates here."""
    if horizon in model.landmarks:
        return model.landmarks[horizon]
    if model.tenures is None or not has_snapshots(model.tenures):
        kept = sorted(model.landmarks)
        raise ParameterError(
            f"this model can predict for horizons of {kept} days, got {horizon}: others need the log learned from"
            if kept
            else "under inactivity predictions are learned from a log: fit the model to jk.tenures(log, …)"
        )
    past = past_of(model, horizon)
    terms = _standing_terms(model, past)
    # Kept by the horizon asked for: what is said must not depend on what was asked before.
    limit = model.params["limit_days"]
    model.landmarks[horizon] = [fit_landmark(past, terms, limit, part) for part in parts_of(limit, horizon)]
    return model.landmarks[horizon]


def past_of(model: ChurnModel, horizon: int) -> pd.DataFrame:
    """How customers stood at earlier dates, and what became of them."""
    assert model.tenures is not None
    assert model.query is not None
    days = earlier_days(model.tenures.log, model.query, horizon)
    found, _ = standing_at(model.tenures, days, names_of(model))
    return found


def _standing_terms(model: ChurnModel, past: pd.DataFrame) -> tuple[Term, ...]:
    """Take the model's terms, and the strata as covariates; what says nothing among those who are there goes."""
    event = past["event"].to_numpy()
    strata = settle_terms(past, model.params["strata"], event) if model.params["strata"] else ()
    kept = []
    for term in (*model.terms, *strata):
        values, _ = term.design(past[term.name])
        if (values.std(axis=0) > 0).all():
            kept.append(term)
        elif term.is_number and term.has_missing and values[:, 0].std() > 0:
            kept.append(replace(term, has_missing=False))
    return tuple(kept)
