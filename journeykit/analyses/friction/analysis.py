"""The analysis: `friction`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from journeykit.analyses.friction.causes import passive_touchpoints, read_causes
from journeykit.analyses.friction.counts import Asked, count_cells, count_influence, count_met, count_steps
from journeykit.analyses.friction.estimate import (
    cause_table,
    inflations,
    influence_frames,
    page_table,
    place_table,
    step_table,
    summary_table,
)
from journeykit.analyses.friction.result import FrictionResult
from journeykit.errors import ParameterError
from journeykit.journey.first_attempts import read_attempts
from journeykit.journey.steps import Step
from journeykit.log.calendar import range_shown
from journeykit.log.interactions import InteractionLog
from journeykit.results.base import left_out_table
from journeykit.schema import check_confidence, duration_us

VERSION = "friction/1"
USUAL_STEPS = ("product_page", "cart", "checkout", "order")


def friction(
    log: InteractionLog,
    steps: Sequence[Any] | None = None,
    *,
    within: Any = "30d",
    causes: Mapping[str, Any] | None = None,
    adjust: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    visit_gap: Any = "30min",
    between: tuple[Any, Any] | None = None,
    confidence: float = 0.95,
) -> FrictionResult:
    """Look at what stands in customers' way: how often it is met, for how long, and what goes with it.

    Each customer's first attempt is followed page by page (a page is what the
    customer does: an interaction that is no cause). From each page on, those
    who meet the cause before their next one are compared with those at the
    same page who do not: the same steps reached, as many pages since the last
    of them, as many visits before the attempt, the same channel at its entry.
    So whoever stays longer, and therefore meets
    more, is compared with others who stayed as long; and a cause counts only
    before the conversion and inside the window. What happens later to those
    compared, meeting the cause included, is part of their outcome, so an
    effect is rather understated. Whether there are too many steps, and how long
    each takes, stands in `pages` and `steps`.

    Parameters
    ----------
    log : InteractionLog
        The log.
    steps : list, optional
        The way from the entry to the conversion, as for `jk.funnel`; of
        product_page, cart, checkout, order those that the log holds by
        default. `["cart", "order"]` looks at carts alone. A customer enters
        once, with the first step 1 (inside `between`).
    within : str or Timedelta
        Longest time from the entry to the conversion, inclusive. Only attempts
        whose whole window was observed count.
    causes : mapping, optional
        Name → what it is: a touchpoint, a collection of them, a `jk.Step`, or
        a pair of one of these and a number, `("call", 2)`: from the second
        call of an attempt on. By default those of the shipped vocabulary:
        payment_error, payment_missing (the preferred way to pay), slow_page,
        error_page, shipping_cost, out_of_stock, forced_account,
        search_without_result, and repeated_contacts. A cause comes of what
        customers do, at a page; what comes by the clock, like a newsletter, is
        for `jk.conversion_drivers`. Causes without an event in the log are
        listed in `params["not_in_log"]`, and are not zeros; those of the
        vocabulary that belong to a step, as to a stage, in `params["in_steps"]`.
    adjust : list of str, optional
        Columns whose value at the entry keeps strata apart besides the pages
        and the visits; the channel by default, where the log has one.
    ignore : list of str, optional
        Touchpoints that are no pages, because they come to customers by
        themselves. By default those that the shipped vocabulary calls passive
        (advertisement, email_campaign, delivery …); steps are always pages.
    visit_gap : str or Timedelta
        The silence that ends a visit: for the visits before the attempt, and
        for who left where the cause was met.
    between : tuple of (start, end), optional
        Only entries in `[start, end)`; what follows is observed further.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    FrictionResult
        With `table`, one row a cause, most customers lost first; `by_step`,
        `steps` and `pages`.

    Raises
    ------
    ParameterError
        If the log holds no steps to look at, or a cause is a step of the way.

    Notes
    -----
    Odds ratio and difference of rates pooled over strata: Mantel & Haenszel
    (1959), with the variances of Robins, Breslow & Greenland (1986) and Sato
    (1989), times a design effect for customers who stand in several strata
    (Kish 1965; linearised sums by customer). Strata with only one kind say
    nothing and are counted. Following exposure as it happens against those
    still unexposed is risk-set (sequential) matching: Li, Propert & Rosenbaum
    (2001), JASA 96:870. Times are Kaplan–Meier's, who never moved on being
    censored at the end of the window. P-values are adjusted over the causes by
    Benjamini & Hochberg (1995).

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> found = jk.friction(log, ["checkout", "order"], within="14d")
    >>> row = found.table.iloc[0]  # in truth its odds ratio is 0.27
    >>> row["cause"], int(row["customers"]), round(float(row["odds_ratio"]), 2)
    ('payment_error', 96, 0.21)
    """
    check_confidence(confidence)
    attempts = read_attempts(log, usual_steps(log) if steps is None else steps, within, between)
    adjusted = usual_adjustment(log) if adjust is None else tuple(adjust)
    log.require(*adjusted)
    found, out, causes_asked = read_causes(log, causes, attempts.steps)
    gap, no_page = duration_us(visit_gap, name="visit_gap"), passive_touchpoints() if ignore is None else list(ignore)
    asked = Asked(attempts, tuple(found), gap, adjusted, Step(no_page))
    steps_counted = log.tally(count_steps, asked=asked).sort_index()
    total = steps_counted.loc["total"].droplevel("stage")["customers"]
    by_step, pages = step_table(steps_counted, attempts, confidence), page_table(steps_counted, attempts, confidence)
    summary = summary_table(by_step, total, confidence)
    if found:
        cells = log.tally(count_cells, asked=asked)
        wider = inflations(log.tally(count_influence, asked=asked, influence=influence_frames(cells, asked)))
        met = log.tally(count_met, asked=asked)
        table = cause_table(cells, met, asked, wider, int(total[2]), confidence)
        places = place_table(met, by_step, asked, confidence)
    else:
        table, places = cause_table(None, None, asked, {}, int(total[2]), confidence), pd.DataFrame()
    reasons = {"funnel.not_entered": log.n_customers - int(total[0]), "funnel.immature": int(total[1])}
    return FrictionResult(
        table=table,
        summary=summary,
        comparison=pd.DataFrame(),
        left_out=left_out_table(reasons),
        params=_params(log, asked, confidence) | {"causes": causes_asked} | out,
        log=log,
        by_step=places,
        steps=by_step,
        pages=pages,
        asked=asked,
    )


def usual_steps(log: InteractionLog) -> list[str]:
    """Return the steps of a web shop that the log holds."""
    found = [step for step in USUAL_STEPS if step in log.touchpoints]
    if len(found) < 2:
        raise ParameterError(f"say steps=: of {list(USUAL_STEPS)} the log holds only {found}")
    return found


def usual_adjustment(log: InteractionLog) -> tuple[str, ...]:
    """Return the columns that keep strata apart by default: the channel, where there is one that may be split by."""
    return ("channel",) if log.channels is not None and "channel" not in log.personal else ()


def _params(log: InteractionLog, asked: Asked, confidence: float) -> dict[str, Any]:
    attempts = asked.attempts
    return {
        "steps": list(attempts.names),
        "within": pd.Timedelta(attempts.within, unit="us"),
        "adjust": list(asked.adjust),
        "ignore": list(asked.no_page.touchpoint or ()),
        "visit_gap": pd.Timedelta(asked.gap, unit="us"),
        "between": range_shown(attempts.between, log.timezone),
        "confidence": confidence,
        "observed_until": log.ends_at,
        "timezone": log.timezone,
        "definition": VERSION,
    }
