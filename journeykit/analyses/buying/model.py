"""The analysis `buying_model`: who still is a customer where nobody says good-bye, and what they will buy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.buying.checks import check_table, frequency, holdout, tracking
from journeykit.analyses.buying.fitted import Fitted
from journeykit.analyses.buying.query import Query, days_of, period_days, settle_options, settle_query
from journeykit.analyses.buying.result import BuyingModel
from journeykit.analyses.buying.segments import compare_segments, join_segments
from journeykit.analyses.buying.tally import (
    NO_AMOUNT,
    count_buyers,
    count_days,
    count_left_out,
    count_segments,
    count_spend,
)
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.buyers import Buyers
from journeykit.estimators.gamma_gamma import fit_gamma_gamma
from journeykit.estimators.maximum import Maximum
from journeykit.estimators.repeat_buying import MODELS, fit_repeat_buying
from journeykit.journey.groups import in_order
from journeykit.log.calendar import as_timestamp
from journeykit.results.base import left_out_table
from journeykit.schema import check_confidence, check_one_of, check_penalizer
from journeykit.text import word

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


def buying_model(
    log: InteractionLog,
    method: str = "pareto_nbd",
    spend: str | None = "auto",
    *,
    purchase: Any = None,
    value: str = "value",
    by: str | None = None,
    period: str = "week",
    between: Any = None,
    washout: Any = None,
    holdout: Any = None,
    horizon: Any = "180d",
    penalizer: float = 0.0,
    confidence: float = 0.95,
) -> BuyingModel:
    """Learn how often customers buy again, and who has left unseen, where there is no contract.

    Purchases are counted by day: several of a customer on one day are one.
    A customer begins with the first purchase in the log; x further days with
    a purchase, the last of them tₓ days after the first, and the age T, from
    the first to the last day observed whole, are all that a model looks at.
    While they are customers they buy at random, at a rate of their own; when
    they leave nobody says so. Whoever has not bought for long has probably left, the
    sooner so the more often they bought.

    Parameters
    ----------
    log : InteractionLog
        The interactions.
    method : {"pareto_nbd", "mbg_nbd", "bg_nbd"}
        `"pareto_nbd"`: customers leave at any time, at rates of their own.
        `"mbg_nbd"`: they leave after a purchase, the first included, with
        probabilities of their own. `"bg_nbd"`: likewise, but never after the
        first, so that everybody who bought once is a customer for ever.
    spend : {"auto", "gamma_gamma"}, optional
        Also learn what they spend, and so the value of what they will buy:
        where the log has amounts that tell it (`"auto"`), always (an error
        says why it can't be), or never (None).
    purchase : str, collection of str or Step, optional
        What a purchase is; must be said unless the log has one touchpoint only.
    value : str
        Column of amounts, for `spend`; those of a day are added.
    by : str, optional
        A property, channel, stage or segment as it is at the first purchase:
        the customers of each are learnt from by themselves, and compared.
        Those of a segment that can't be learnt from are left out and counted.
    period : {"week", "day", "month"}
        Unit of time of the parameters and of `tracking`; a month is 30 days.
    between : (start, end), optional
        Learn only from customers who first bought in `[start, end)`.
    washout : str or timedelta, optional
        Leave out those who first bought so soon after the log's begin: they
        may be older customers, and T is then too short.
    holdout : str or timedelta, optional
        Hold back so many days at the end of the log: they are not learnt
        from, and show whether the forecast is right.
    horizon : str or timedelta
        How far ahead `summary` and `predict` look, in whole days.
    penalizer : float
        Times the sum of the squared parameters, this is taken off the mean
        logarithm of the likelihood: it holds parameters back that a small log
        hardly tells, and biases all of them.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    BuyingModel
        Parameters, expectations in total and, by `predict`, of each customer,
        and checks: the course over time, repeat purchases, holdout, spend.

    Raises
    ------
    ParameterError
        If nobody bought again, or the likelihood has no maximum: it is never
        a wrong fit without a word.

    Notes
    -----
    Maximum likelihood over the combinations of (x, tₓ, T) that occur;
    intervals of parameters by the curvature of the likelihood of their logarithms,
    those of expectations by the delta method. They tell how well the
    expectation is known, not how much customers vary around it.

    References
    ----------
    Schmittlein, Morrison & Colombo (1987), Counting your customers; Fader,
    Hardie & Lee (2005), "Counting your customers" the easy way; Batislam,
    Denizel & Filiztekin (2007), Empirical validation and comparison of models
    for customer base analysis; Fader & Hardie (2013), The Gamma–Gamma model of
    monetary value.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> model = jk.buying_model(log, "mbg_nbd", purchase="order", holdout="90d")
    >>> model.table["parameter"].tolist()
    ['r', 'alpha', 'a', 'b', 'p', 'q', 'gamma']
    >>> model.checks["check"].tolist()
    ['training_purchases', 'repeat_classes', 'holdout_purchases', 'spend_correlation', 'mean_spend']
    """
    check_one_of("method", method, MODELS)
    check_one_of("spend", spend, ("auto", "gamma_gamma", None))
    check_confidence(confidence)
    check_penalizer(penalizer)
    named = spend == "gamma_gamma" or value != "value"
    if spend is not None and named and value not in log.columns:
        raise LogError(f"spend needs amounts, and the log has no column {value!r}: say value=, or give spend=None")
    amounts = value if spend is not None and value in log.columns else None
    asked = settle_options(log, purchase, amounts, between, washout, by)
    query = settle_query(log, asked, holdout)
    ahead = days_of(horizon, name="horizon")
    plan = Plan(method, spend, period, period_days(period), ahead, penalizer, confidence)
    params = {
        "method": method,
        "spend": None,  # what was learnt of it is said by each model
        "purchase": None if asked.purchase is None else asked.purchase.name,
        "value": asked.value,
        "by": by,
        "period": period,
        "between": None if between is None else [None if each is None else str(each) for each in between],
        "washout_days": asked.washout_days,
        "holdout_days": query.last - query.split,
        "horizon_days": ahead,
        "penalizer": penalizer,
        "confidence": confidence,
        "trained_until": pd.Timestamp(np.datetime64(query.split + 1, "D")).tz_localize(
            log.timezone, ambiguous=True, nonexistent="shift_forward"
        ),
        "observed_until": as_timestamp(log.observed_until, log.timezone),
        "definition": f"buying_model_{method}/1",
    }
    if by is None:
        return _learn(log, query, plan, params)
    return _learn_each(log, query, plan, params)


@dataclass(frozen=True)
class Plan:
    """How models are fitted: the options that are no question to the log."""

    method: str
    spend: str | None
    period: str
    unit: int
    ahead: int
    penalizer: float
    confidence: float


def _learn(log: InteractionLog, query: Query, plan: Plan, params: dict[str, Any]) -> BuyingModel:
    """Learn from all customers, or from those of one segment."""
    counts = log.tally(count_left_out, query=query)["customers"]
    left = {str(reason): int(customers) for reason, customers in counts.items()}
    state = log.tally(count_buyers, query=query, until=query.split).reset_index()
    if not len(state):
        raise _nobody(left)
    spent = log.tally(count_spend, query=query).reset_index() if query.asked.value else None
    fitted, refused = _fit(plan, state, spent)
    days = log.tally(count_days, query=query)
    tracked, counted = tracking(fitted, query, days), frequency(fitted, state)
    held = _holdout(fitted, query, state)
    now = state if query.last == query.split else log.tally(count_buyers, query=query, until=query.last).reset_index()
    spend = {"spend": None if fitted.spending is None else "gamma_gamma", "spend_refused": refused}
    return BuyingModel(
        table=_parameters(fitted),
        summary=_summary(fitted, state, now, days, plan.ahead),
        comparison=pd.DataFrame(),
        left_out=left_out_table(left),
        params=params | spend,
        log=log,
        tracking=tracked,
        frequency=counted,
        holdout=held,
        checks=check_table(fitted, tracked, counted, held, spent),
        fitted=fitted,
        asked=query.asked,
    )


def _learn_each(log: InteractionLog, query: Query, plan: Plan, params: dict[str, Any]) -> BuyingModel:
    """Learn from the customers of each segment by themselves, and compare."""
    segments = log.tally(count_segments, query=query)
    if segments["late"].sum():
        raise ParameterError(
            f"segment {query.asked.by!r} is known of {int(segments['late'].sum()):,} customers only after their first "
            "purchase: they would be sorted by what came later"
        )
    names = in_order(segments.index[segments["customers"] > 0], log.stages if query.asked.by == "stage" else ())
    models: dict[str, BuyingModel] = {}
    refused: dict[str, str] = {}
    for name in names:
        try:
            models[name] = _learn(log, replace(query, segment=name), plan, params | {"segment": name})
        except ParameterError as error:
            refused[name] = str(error)
    if not models:
        told = "; ".join(f"{name!r}: {why}" for name, why in refused.items()) or "nobody bought"
        raise ParameterError(f"no segment of {query.asked.by!r} can be learnt from: {told}")
    left = log.tally(count_left_out, query=query)["customers"]
    reasons = {str(reason): int(customers) for reason, customers in left.items() if reason != NO_AMOUNT}
    reasons[NO_AMOUNT] = sum(int(model.left_out.set_index("reason")["customers"].get(NO_AMOUNT, 0))
                             for model in models.values())  # fmt: skip
    reasons["buying.not_learnt"] = int(segments.loc[list(refused), "customers"].sum())
    try:
        alike: Any = fit_repeat_buying(
            _laid_out(plan, log.tally(count_buyers, query=query, until=query.split).reset_index()),
            plan.method, plan.penalizer,
        )  # fmt: skip
    except ParameterError:
        alike = None
    spend = "gamma_gamma" if any(model.params["spend"] for model in models.values()) else None
    return join_segments(
        models,
        compare_segments(models, None if refused else alike, plan.confidence),
        left_out_table(reasons),
        params | {"spend": spend, "not_learnt": refused},
        log,
        query.asked,
    )


_holdout = holdout  # the option of this name stands before it


def _nobody(left: dict[str, int]) -> ParameterError:
    reasons = [f"{n:,} {word(reason, language='en')}" for reason, n in left.items() if n and reason != NO_AMOUNT]
    return ParameterError(f"there is nobody to learn from: {'; '.join(reasons) or 'the log has no customers'}")


def _laid_out(plan: Plan, state: pd.DataFrame) -> Buyers:
    nothing = Maximum((), np.zeros(0), np.zeros((0, 0)), 0.0)
    return Fitted(plan.method, plan.unit, nothing, None, plan.confidence).buyers(state)


def _fit(plan: Plan, state: pd.DataFrame, spent: pd.DataFrame | None) -> tuple[Fitted, str | None]:
    """Fit both models; and say why the spend could not be learnt, where that was not asked for by name."""
    buying = fit_repeat_buying(_laid_out(plan, state), plan.method, plan.penalizer)
    spending, refused = None, None
    if spent is not None:
        try:
            spending = fit_gamma_gamma(spent["valued"], spent["spend"], spent["customers"], plan.penalizer)
        except ParameterError as error:
            if plan.spend == "gamma_gamma":
                raise
            refused = str(error)
    return Fitted(plan.method, plan.unit, buying, spending, plan.confidence), refused


def _parameters(fitted: Fitted) -> pd.DataFrame:
    parts = []
    for name, fit in ((fitted.method, fitted.buying), ("gamma_gamma", fitted.spending)):
        if fit is not None:
            low, high = fit.interval(fitted.confidence)
            parts.append(
                pd.DataFrame(
                    {
                        "model": name,
                        "parameter": fit.names,
                        "estimate": fit.values,
                        "estimate_low": low,
                        "estimate_high": high,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _summary(fitted: Fitted, state: pd.DataFrame, now: pd.DataFrame, days: pd.DataFrame, ahead: int) -> pd.DataFrame:
    who = fitted.buyers(now)
    row: dict[str, Any] = {"customers": int(now["customers"].sum())}
    triples = {"alive": fitted.alive(who, total=True), "expected_purchases": fitted.purchases(who, ahead, total=True)}
    if fitted.spending is not None:
        triples["expected_value"] = fitted.value(who, now, ahead, total=True)
        triples["mean_value"] = fitted.mean_spend()
    triples["pace"] = fitted.pace()
    for name, triple in triples.items():
        for end, values in zip(("", "_low", "_high"), triple, strict=True):
            row[f"{name}{end}"] = float(values[0])
        if name == "alive":
            row["within_days"] = ahead
    row |= {
        "trained": int(state["customers"].sum()),
        "repeat_purchases": int((state["customers"] * state["repeats"]).sum()),
        "seen_at_start": int(days["new"].iloc[: fitted.period_days].sum()),
        "log_likelihood": fitted.buying.log_likelihood,
    }
    return pd.DataFrame([row])
