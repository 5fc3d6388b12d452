"""The analysis: `conversion_drivers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.drivers.counts import WHOLE, Question, count, count_times
from journeykit.analyses.drivers.result import DriversResult
from journeykit.errors import ParameterError
from journeykit.estimators.differences import benjamini_hochberg, newcombe
from journeykit.estimators.odds import fisher_exact, smoothed_odds_ratio
from journeykit.estimators.proportions import wilson, with_rate
from journeykit.journey.first_attempts import Attempts, read_attempts
from journeykit.log.calendar import range_shown
from journeykit.log.interactions import InteractionLog
from journeykit.results.base import left_out_table
from journeykit.schema import SECOND, check_confidence, check_one_of, duration_us

VERSION = "conversion_drivers/1"
MIN_N, MIN_SHARE = 25, 0.02


def conversion_drivers(
    log: InteractionLog,
    steps: Sequence[Any],
    *,
    within: Any,
    landmark: Any = None,
    of: str = "touchpoint",
    min_n: int | None = None,
    between: tuple[Any, Any] | None = None,
    method: str = "landmark",
    confidence: float = 0.95,
) -> DriversResult:
    """Find what goes with converting more, or less, often.

    Everyone is looked at from one moment on, the landmark: of the customers
    whose window was observed whole and who had not converted by then, those
    with an event between their entry and the landmark are compared with those
    without, by who converts after it. Who converts earlier is left out and
    counted: the quick have no time to meet anything, so an event that does
    nothing would look as if it kept people from converting.

    Parameters
    ----------
    log : InteractionLog
        The log.
    steps : list
        From the entry to the conversion, two or more, as for `jk.funnel`. A
        customer enters once, with the first step 1 (inside `between`).
    within : str or Timedelta
        Longest time from the entry to the conversion, inclusive.
    landmark : str or Timedelta, optional
        How long after the entry; the median time to convert of those who
        converted inside their window by default.
    of : str
        What may be a driver: `"touchpoint"`, `"channel"`, `"stage"` or a
        column. A customer has it with one event of it, exactly at the
        landmark at the latest. Events that match a later step are the way
        itself and no drivers; missing values are none either.
    min_n : int, optional
        Fewest customers who must have a driver for it to be tested; the larger
        of 25 and 2% of those compared by default.
    between : tuple of (start, end), optional
        Only entries in `[start, end)`; what follows is observed further.
    method : {"landmark", "whole_attempt"}
        `"whole_attempt"` is the usual form: events at any time between the
        entry and the conversion (or the end of the window), for everybody. It
        is biased, and says so.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    DriversResult
        With `table`, one row a driver, and `summary`.

    Raises
    ------
    ParameterError
        If the landmark is not before the end of the window, or an option is
        not possible.

    Notes
    -----
    Landmark analysis: Anderson, Cain & Gelber (1983), Journal of Clinical
    Oncology 1:710. Odds ratio (S + 1)(F_tot − F + 1) / ((S_tot − S + 1)(F + 1))
    with Gart's interval; Fisher's exact p-value; p-values adjusted over all
    drivers tested by Benjamini & Hochberg (1995). Rates have Wilson's
    intervals, their difference Newcombe's. An association: who meets a
    touchpoint may differ in other ways.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop").with_stages(jk.StageModel.digital())
    >>> found = jk.conversion_drivers(log, ["awareness", "order"], within="30d")
    >>> row = found.table.set_index("driver").loc["cookie_banner"]  # it does nothing to anyone
    >>> bool(row["odds_ratio_low"] < 1 < row["odds_ratio_high"])
    True
    """
    check_confidence(confidence)
    check_one_of("method", method, ("landmark", "whole_attempt"))
    log.require(of)
    attempts = read_attempts(log, steps, within, between)
    if min_n is not None and (isinstance(min_n, bool) or int(min_n) != min_n or min_n < 1):
        raise ParameterError(f"min_n == {min_n!r}, must be a whole number from 1 on")
    question = Question(attempts, of, _landmark(log, attempts, landmark, method))
    counts = log.tally(count, question=question)
    base = counts.loc["base"]["converted"]
    drivers = counts.loc[["driver"]].droplevel("part") if "driver" in counts.index else counts.iloc[:0]
    n, converted = int(base["lost"] + base["converted"]), int(base["converted"])
    least = max(MIN_N, int(np.ceil(MIN_SHARE * n))) if min_n is None else int(min_n)
    enough = drivers.sum(axis=1) >= least
    table = _table(drivers[enough], n, converted, confidence)
    summary = pd.DataFrame(
        {
            "customers": [int(base["entered"])],
            "customers_mature": [int(base["entered"] - base["immature"])],
            "converted_before": [int(base["early"])],
            "base": [n],
            "converted": [converted],
            "landmark_seconds": [question.landmark / SECOND if question.landmark != WHOLE else np.nan],
            "drivers": [len(table)],
            "too_rare": [int((~enough).sum())],
            "min_n": [least],
        }
    )
    reasons = {
        "funnel.not_entered": log.n_customers - int(base["entered"]),
        "funnel.immature": int(base["immature"]),
        "drivers.converted_before": int(base["early"]),
    }
    return DriversResult(
        table=table,
        summary=with_rate(summary, "conversion", count="converted", base="base", confidence=confidence),
        comparison=pd.DataFrame(),
        left_out=left_out_table(reasons),
        params=_params(log, question, min_n, method, confidence),
        log=log,
        question=question,
    )


def _landmark(log: InteractionLog, attempts: Attempts, landmark: Any, method: str) -> int:
    if method == "whole_attempt":
        if landmark is not None:
            raise ParameterError('a landmark is for method="landmark", not for "whole_attempt"')
        return WHOLE
    if landmark is not None:
        found = duration_us(landmark, name="landmark")
    else:
        times = log.tally(count_times, attempts=attempts)["customers"].sort_index()
        if times.empty:
            return attempts.within // 2  # nobody converted, so no moment is better than another
        found = int(times.index[int(np.searchsorted(times.cumsum(), times.sum() / 2))])
        found = min(found, attempts.within - 1)  # most may convert at the very end, and nobody after it
    if found >= attempts.within:
        raise ParameterError(
            f"landmark must be before the end of the window, {pd.Timedelta(attempts.within, unit='us')} "
            f"after the entry, got {pd.Timedelta(found, unit='us')}"
        )
    return max(found, 1)


def _table(drivers: pd.DataFrame, n: int, converted: int, confidence: float) -> pd.DataFrame:
    """Compare those with each driver against those without."""
    success = drivers["converted"].to_numpy()
    size = drivers.sum(axis=1).to_numpy()
    others, other_success = n - size, converted - success
    rates = {}
    for name, x, of in (("with", success, size), ("without", other_success, others)):
        rates[name] = (np.divide(x, of, out=np.full(len(of), np.nan), where=of > 0), *wilson(x, of, confidence))
    difference = newcombe(rates["with"], rates["without"])
    odds = smoothed_odds_ratio(success, size, other_success, others, confidence)
    table = pd.DataFrame({"driver": drivers.index.astype(object), "customers": size, "converted": success})
    table = table.assign(
        **_triple("with_rate", rates["with"]), without=others, **_triple("without_rate", rates["without"])
    )
    table = table.assign(**_triple("difference_rate", difference), **_triple("odds_ratio", odds))
    table["p_value"] = fisher_exact(success, size, other_success, others)
    table["p_value_bh"] = benjamini_hochberg(table["p_value"])
    return table.sort_values(["odds_ratio", "driver"], ascending=[False, True], ignore_index=True)


def _triple(name: str, values: tuple[Any, Any, Any]) -> dict[str, Any]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _params(
    log: InteractionLog, question: Question, min_n: int | None, method: str, confidence: float
) -> dict[str, Any]:
    attempts = question.attempts
    return {
        "steps": list(attempts.names),
        "within": pd.Timedelta(attempts.within, unit="us"),
        "landmark": None if question.landmark == WHOLE else pd.Timedelta(question.landmark, unit="us"),
        "of": question.of,
        "min_n": min_n,
        "between": range_shown(attempts.between, log.timezone),
        "method": method,
        "confidence": confidence,
        "observed_until": log.ends_at,
        "timezone": log.timezone,
        "definition": VERSION if method == "landmark" else f"{VERSION} method={method}",
    }
