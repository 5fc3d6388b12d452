"""Estimate survival curves, of a log or of tenures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journeykit.analyses.churn.counts import counts_of_log, counts_of_tenures
from journeykit.analyses.churn.curve import SurvivalCurve
from journeykit.analyses.churn.estimate import estimate
from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.query import definition_of, described, settle
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.rules import Cancel, Contract, Inactivity
from journeykit.analyses.churn.shared import age, by_segment, in_unit
from journeykit.errors import ParameterError
from journeykit.log.calendar import as_timestamp
from journeykit.schema import check_confidence

if TYPE_CHECKING:
    from journeykit.log import InteractionLog


def survival_curve(
    source: InteractionLog | Tenures,
    *,
    churn: Inactivity | Cancel | Contract | None = None,
    start: Any = None,
    activity: Any = None,
    dated: str | None = None,
    washout: Any = None,
    between: tuple[Any, Any] | None = None,
    by: str | None = None,
    horizon: Any = None,
    confidence: float = 0.95,
) -> SurvivalCurve:
    """Estimate how many customers are still there after how long.

    Kaplan–Meier over the tenures: customers still there at the end of
    observation are censored, never dropped and never counted as gone. Where
    tenures can end in several ways, the share of each is its cumulative
    incidence (Aalen–Johansen), and `survival` is the share that ended in none.

    Parameters
    ----------
    source : InteractionLog or Tenures
        A log, whose spans are counted without listing customers; or tenures,
        where sign-up dates, late entry, or durations from elsewhere matter.
    churn, start, activity, dated, washout, between
        As for `tenures`, when the source is a log.
    by : str, optional
        Column that splits customers, as known at the start. Tenures are
        split already.
    horizon : str, timedelta or number, optional
        Age at which survival and the restricted mean are read. If not given:
        the longest of 1 week, 2 weeks, 30, 60, 90, 180 days, 1, 2 and 3 years
        (of a contract: of 1, 2, 3, 6, 12, 24 and 36 terms)
        at which every segment has 25 customers watched, or else the longest age
        that all segments reach.
    confidence : float
        Coverage of each interval.

    Returns
    -------
    SurvivalCurve
        Curve, medians, comparison of segments, come-backs and sensitivity.

    Notes
    -----
    Kaplan & Meier (1958) with log(−log) intervals; medians by Brookmeyer &
    Crowley (1982); segments by log-rank (Mantel 1966) and restricted means
    (Royston & Parmar 2013). Where a customer has several spells, what their
    influences have in common is added to each variance: the infinitesimal
    jackknife, summed within customers (Lin & Wei 1989, for the test). The
    share who came back is 1 − Kaplan–Meier of the time from the end until the
    next activity.

    Examples
    --------
    >>> weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    >>> relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    >>> curve = jk.survival_curve(jk.Tenures.from_durations(weeks, relapsed))
    >>> curve.table.loc[curve.table["events"] > 0, "survival"].round(4).tolist()
    [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    """
    check_confidence(confidence)
    if not hasattr(source, "tally") and not isinstance(source, Tenures):
        raise ParameterError(f"source must be a log or jk.Tenures, got {type(source).__name__}")
    given = {"churn": churn, "start": start, "activity": activity, "dated": dated, "washout": washout,
             "between": between, "by": by}  # fmt: skip
    asked: Query | None = None
    if isinstance(source, Tenures):
        asked_before = source.params if source.query is None else {**source.params, "churn": source.query.churn}
        said = [name for name, value in given.items() if value is not None and value != asked_before.get(name)]
        if said:
            raise ParameterError(f"{', '.join(said)} must be said to jk.tenures: these tenures are measured already")
        counts, params, left_out = counts_of_tenures(source), dict(source.params), source.left_out
        known = source.query
    else:
        known = asked = settle(source, **given | {"dated": dated or "known"})
        counts, left_out = counts_of_log(source, asked)
        params = described(asked) | {"observed_until": as_timestamp(source.observed_until, source.timezone)}
    found = estimate(counts, None if horizon is None else age(horizon, counts.unit), confidence)
    definition = "survival_curve/1" if known is None else definition_of(known, "survival")
    params |= {f"horizon_{counts.unit}": found.horizon, "confidence": confidence, "definition": definition}
    # The query of tenures may know customers' sign-ups, and a result holds no customer.
    frames = (found.table, found.summary, found.comparison, found.incidence)
    table, summary, comparison, incidence = (in_unit(by_segment(frame, params["by"]), counts.unit) for frame in frames)
    return SurvivalCurve(
        table, summary, comparison, left_out, params, source, found.overall_test, incidence,
        by_segment(found.comeback, params["by"]), found.risk, counts.repeated(), asked,
    )  # fmt: skip
