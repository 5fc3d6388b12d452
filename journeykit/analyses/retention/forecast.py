"""The analysis `retention_forecast`: how a cohort's curve goes on, where customers renew or leave for good."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.retention.analysis import retention
from journeykit.analyses.retention.forecast_result import ForecastResult
from journeykit.analyses.retention.result import RetentionResult
from journeykit.errors import ParameterError
from journeykit.estimators.differences import comparison, newcombe
from journeykit.estimators.proportions import divide, z_value
from journeykit.estimators.sbg import Floats, Sbg, fit_sbg, lost_share, residual_mean, survival
from journeykit.log import InteractionLog
from journeykit.results.base import left_out_table
from journeykit.schema import PERIODS, check_confidence, check_one_of

MOST_PERIODS = 10_000
"""A median that isn't reached in so many periods is not told."""


def retention_forecast(
    data: InteractionLog | RetentionResult | pd.DataFrame | Sequence[int],
    *,
    ahead: int = 12,
    start: Any = None,
    back: Any = None,
    period: str = "month",
    by: str | None = None,
    confidence: float = 0.95,
) -> ForecastResult:
    """Forecast how cohorts go on that can only shrink: contracts that are renewed each period, or end.

    The shifted-beta-geometric model: each customer leaves with the same
    probability at every renewal, and these probabilities differ between
    customers as a beta distribution. So the share that renews rises with age,
    as those who leave easily are gone. It is fitted by maximum likelihood to
    all finished cells; a customer who is still there counts as censored.

    Parameters
    ----------
    data : InteractionLog, RetentionResult, DataFrame or sequence of int
        A log; or what `retention` returns (with `mode="on"`); or the customers
        still there: of one cohort at age 0, 1, 2 …, or of one cohort a row,
        missing where it isn't known.
    ahead : int
        Periods to forecast after each cohort's last finished age.
    start, back, period, by
        For a log only: as in `retention`. `back` is what happens in every
        period while a contract runs, such as a renewal or a payment.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    ForecastResult
        Cohorts in `.table`, the model's curve in `.curve`, its parameters in
        `.summary`.

    Raises
    ------
    ParameterError
        If more customers of a cohort are there at one age than at the age
        before: who can come back after a silence has no contract, and this
        model doesn't hold.

    Notes
    -----
    Intervals of parameters, of the curve and of the time that customers stay
    are profile-likelihood intervals: the range of the quantity over all
    parameters whose log-likelihood is within half the chi-squared quantile
    (one degree of freedom) of the maximum. Those of a cohort's forecast are
    prediction intervals: they add the chance of its own customers, of whom
    each stays with probability S(age) / S(last finished age). Segments are
    compared by the likelihood ratio of separate models to a common one.

    A first cohort that was "seen at start" counts as if its contracts began
    then; `retention(..., washout=...)` leaves it out.

    The mean time that a customer stays is (α + β − 1) / (α − 1) periods; for
    α ≤ 1 it is infinite, and missing here. `mean_within` is always finite.

    References
    ----------
    Fader & Hardie (2007), How to project customer retention, Journal of
    Interactive Marketing 21(1), 76–90.

    Examples
    --------
    The High End customers of that article, of whom seven years are known:

    >>> forecast = jk.retention_forecast([1000, 869, 743, 653, 593, 551, 517, 491], ahead=5, period="year")
    >>> forecast.summary[["alpha", "beta"]].round(3)
       alpha   beta
    0  0.668  3.806
    >>> forecast.table.tail(5)[["age", "back_rate"]].round(3)
        age  back_rate
    8     8      0.462
    9     9      0.438
    10   10      0.416
    11   11      0.397
    12   12      0.380
    """
    check_confidence(confidence)
    check_one_of("period", period, PERIODS)
    if isinstance(ahead, bool) or int(ahead) != ahead or ahead < 1:
        raise ParameterError(f"ahead == {ahead!r}, must be a whole number of periods from 1 on")
    if not _is_log(data) and (start is not None or back is not None or by is not None):
        raise ParameterError("start, back and by are for a log: counts of customers have theirs")
    found: Any = data
    if _is_log(data):
        found = retention(found, start=start, back=back, period=period, by=by)
    if isinstance(found, RetentionResult):
        _check_kind(found)
        period = found.params["period"]
    cells = _cells(found)
    _check_shrinks(cells)
    names = list(dict.fromkeys(cells["segment"]))
    counts = {name: _by_age(cells[cells["segment"] == name]) for name in names}
    fits = _fit(counts, confidence)
    left_out = _left_out(found, cells, fits)
    names = list(fits)
    tables = [_cohorts(cells[cells["segment"] == name], fits[name], ahead, confidence) for name in names]
    curves = [_curve(name, counts[name], fits[name], ahead) for name in names]
    summary = pd.concat([_summary(name, counts[name], fits[name], ahead) for name in names], ignore_index=True)
    parts = [pd.concat(each, ignore_index=True) for each in (tables, curves)] + [summary]
    if "" in names:  # no segments
        parts = [part.drop(columns="segment") for part in parts]
    source = found.params if isinstance(found, RetentionResult) else {}
    return ForecastResult(
        table=parts[0],
        curve=parts[1],
        summary=parts[2],
        comparison=_comparison(names, counts, fits, confidence),
        left_out=left_out_table(left_out),
        params={
            **source,
            "period": period,
            "ahead": int(ahead),
            "confidence": confidence,
            "definition": " ".join(["retention_forecast/1", *source.get("definition", "").split(" ")[1:]]),
        },
        retention=found if isinstance(found, RetentionResult) else None,
        log=found.log if isinstance(found, RetentionResult) else None,
    )


def _is_log(data: Any) -> bool:
    return not isinstance(data, RetentionResult | pd.DataFrame) and hasattr(data, "tally")


def _check_kind(result: RetentionResult) -> None:
    needed = {"mode": "on", "base": "cohort", "columns": None, "cohorts_by": None, "windows": "calendar"}
    for option, value in needed.items():
        if result.params[option] != value:
            raise ParameterError(
                f"{option} must be {value!r} in the retention to forecast, got {result.params[option]!r}"
            )
    if result.params["cohort"] == "every":
        raise ParameterError(
            'cohort must be "first" or "first_ever" in the retention to forecast: a contract starts once'
        )


def _cells(data: Any) -> pd.DataFrame:
    """Customers still there by segment, cohort and age, as far as it is known."""
    if isinstance(data, RetentionResult):
        known = data.table[(data.table["status"] == "finished") & (data.table["customers"] > 0)]
        cells = known[["cohort", "age", "customers", "back"]].astype({"back": np.int64}).reset_index(drop=True)
        cells.insert(0, "segment", known["segment"].to_numpy() if "segment" in known else "")
        return cells
    try:
        wide = data if isinstance(data, pd.DataFrame) else pd.DataFrame([list(data)])
        counts = wide.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"data must be a log, a retention result, or counts of customers, got {data!r}") from error
    known = ~np.isnan(counts)
    if (counts[known] < 0).any() or (counts[known] % 1 != 0).any():
        raise ParameterError("customers still there must be whole numbers (counts, not shares)")
    if known.size and (~known[:, :1].all() or (known[:, 1:] & ~known[:, :-1]).any()):
        raise ParameterError("customers still there must be known from age 0 on without a gap")
    row, age = np.nonzero(known)
    customers = counts[:, :1].ravel()[row].astype(np.int64)
    back = counts[row, age].astype(np.int64)
    return pd.DataFrame(
        {"segment": "", "cohort": wide.index.take(row), "age": age, "customers": customers, "back": back}
    )


def _check_shrinks(cells: pd.DataFrame) -> None:
    before = cells.groupby(["segment", "cohort"], sort=False)["back"].shift(1)
    rises = cells[cells["back"] > before]
    if len(rises):
        row = rises.iloc[0]
        raise ParameterError(
            f"cohort {row['cohort']} has {row['back']} customers at age {row['age']} but {before[rises.index[0]]:.0f} "
            f"at the age before ({len(rises)} such cells): without a contract they come and go, and this model does "
            "not hold"
        )


def _by_age(cells: pd.DataFrame) -> pd.DataFrame:
    """Customers at risk and lost by age, over all cohorts."""
    before = cells.groupby("cohort", sort=False)["back"].shift(1)
    steps = cells.assign(at_risk=before, lost=before - cells["back"])[cells["age"] > 0]
    return steps.groupby("age")[["at_risk", "lost"]].sum().astype(np.int64)


def _fit(counts: dict[str, pd.DataFrame], confidence: float) -> dict[str, Sbg]:
    """Fit each segment that tells enough."""
    fits = {}
    problem = ParameterError("no cohort has a finished age: there is nothing to go on")
    for name, each in counts.items():
        try:
            fits[name] = fit_sbg(each["at_risk"], each["lost"], confidence)
        except ParameterError as error:
            problem = error
    if not fits:
        raise problem
    return fits


def _left_out(found: Any, cells: pd.DataFrame, fits: dict[str, Sbg]) -> dict[str, int]:
    """Count who is in no forecast: those whose own period runs still, and those of segments that tell too little."""
    counts: dict[str, int] = {}
    if isinstance(found, RetentionResult):
        counts = dict(found.left_out.to_numpy().tolist())
        begun = found.table[(found.table["age"] == 0) & (found.table["status"] != "finished")]
        counts["retention_forecast.running"] = int(begun["customers"].sum())
    others = cells[(cells["age"] == 0) & ~cells["segment"].isin(list(fits))]
    return counts | {"retention_forecast.too_little": int(others["customers"].sum())}


def _cohorts(cells: pd.DataFrame, fit: Sbg, ahead: int, confidence: float) -> pd.DataFrame:
    """Each cohort: what is known, then what is expected of those still there, with prediction intervals."""
    z = z_value(confidence)
    parts = []
    for _, rows in cells.groupby("cohort", sort=False):
        last = rows.iloc[-1]
        here, ages = int(last["age"]), np.arange(int(last["age"]), int(last["age"]) + ahead + 1, dtype=float)

        def stays(a: Floats, k: Floats, ages: Floats = ages) -> Floats:
            stay = 1 - lost_share(a, k, np.maximum(ages, 1.0))
            stay[:, 0] = 1.0
            return np.asarray(np.cumprod(stay, axis=1))

        share, low, high = (each[1:] for each in fit.interval(stays))
        still = int(last["back"])
        chance = z**2 * share * (1 - share) * still
        below = np.sqrt((still * (share - low)) ** 2 + chance)
        above = np.sqrt((still * (high - share)) ** 2 + chance)
        future = pd.DataFrame(
            {
                "segment": last["segment"],
                "cohort": [last["cohort"]] * ahead,
                "age": here + np.arange(1, ahead + 1),
                "customers": last["customers"],
                "back": still * share,
                "back_low": np.maximum(still * share - below, 0),
                "back_high": np.minimum(still * share + above, still),
                "status": "forecast",
            }
        )
        parts.append(pd.concat([rows.assign(back_low=np.nan, back_high=np.nan, status="finished"), future]))
    table = pd.concat(parts, ignore_index=True).astype({"back": float})
    for end in ("", "_low", "_high"):
        table[f"back_rate{end}"] = divide(table[f"back{end}"], table["customers"])
    names = ["segment", "cohort", "age", "customers", "back", "back_low", "back_high"]
    return table[[*names, "back_rate", "back_rate_low", "back_rate_high", "status"]]


def _curve(name: str, counts: pd.DataFrame, fit: Sbg, ahead: int) -> pd.DataFrame:
    """The model's curve beside what was seen, from age 0 on."""
    last = int(counts.index.max())
    ages = np.arange(last + ahead + 1, dtype=float)
    seen = counts.reindex(np.arange(last + ahead + 1), fill_value=0)
    renewed = 1 - divide(seen["lost"], seen["at_risk"])
    renewed[0] = 1.0
    table = pd.DataFrame({"segment": name, "age": ages.astype(np.int64)})
    table["at_risk"], table["lost"] = seen["at_risk"].to_numpy(), seen["lost"].to_numpy()
    table["seen_rate"] = np.cumprod(renewed)
    quantities = {
        "survival_rate": lambda a, k: survival(a, k, ages),
        "renewal_rate": lambda a, k: np.where(ages == 0, np.nan, 1 - lost_share(a, k, ages)),
        "residual_periods": lambda a, k: residual_mean(a, k, ages),
    }
    for column, quantity in quantities.items():
        for end, values in zip(("", "_low", "_high"), fit.interval(quantity), strict=True):
            table[f"{column}{end}"] = np.where(np.isfinite(values), values, np.nan)
    return table.assign(status=np.where(ages <= last, "finished", "forecast"))


def _summary(name: str, counts: pd.DataFrame, fit: Sbg, ahead: int) -> pd.DataFrame:
    last = int(counts.index.max())
    ages = np.arange(last + ahead + 1, dtype=float)
    row: dict[str, Any] = {
        "segment": name,
        "customers": int(counts["at_risk"].iloc[0]),
        "ages": last,
        "lost": int(counts["lost"].sum()),
    }
    with np.errstate(divide="ignore"):
        quantities = {
            "alpha": lambda a, k: 1 / k,
            "beta": lambda a, k: (a - 1) / k,
            "churn_rate": lambda a, k: 1 / a,
            "mean_periods": lambda a, k: residual_mean(a, k, np.zeros(1)),
            "mean_within": lambda a, k: survival(a, k, ages).sum(axis=1, keepdims=True),
            "median_periods": _median,
        }
        for column, quantity in quantities.items():
            for end, value in zip(("", "_low", "_high"), fit.interval(quantity), strict=True):
                row[f"{column}{end}"] = float(value[0]) if np.isfinite(value[0]) else np.nan
    return pd.DataFrame([row | {"within": last + ahead, "log_likelihood": fit.log_likelihood}])


def _median(a: Floats, k: Floats) -> Floats:
    """First age at which at most half are there; infinite if that takes too long."""
    found = np.full(a.shape, np.inf)
    left = np.ones(a.shape)
    for age in range(1, MOST_PERIODS):
        left = left * (1 - lost_share(a, k, np.array([float(age)])))
        found = np.where(np.isinf(found) & (left <= 0.5), age, found)
        if np.isfinite(found).all():
            break
    return found


def _comparison(
    names: list[str], counts: dict[str, pd.DataFrame], fits: dict[str, Sbg], confidence: float
) -> pd.DataFrame:
    """Every segment against the first: the curves at the last age that both have, and whether they are one curve."""
    last = np.array([min(counts[names[0]].index.max(), counts[name].index.max()) for name in names[1:]])
    triples, p_values = [], []
    for name, age in zip(names[1:], last, strict=True):
        ages = np.arange(age + 1, dtype=float)
        ends = [fits[each].interval(partial(survival, ages=ages)) for each in (name, names[0])]
        triples.append([[values[-1] for values in end] for end in ends])
        together = counts[names[0]].add(counts[name], fill_value=0)
        common = fit_sbg(together["at_risk"], together["lost"], confidence)
        apart = fits[names[0]].log_likelihood + fits[name].log_likelihood
        p_values.append(float(np.exp(-max(apart - common.log_likelihood, 0.0))))  # chi-squared, 2 degrees
    points = np.array(triples).reshape(-1, 2, 3)
    other, first = (tuple(points[:, i, end] for end in range(3)) for i in (0, 1))
    difference, low, high = newcombe(other, first)  # type: ignore[arg-type]
    others = list(range(1, len(names)))
    table = comparison(names, [0] * len(others), others, difference, low, high, np.array(p_values), unit="_rate")
    table.insert(0, "age", last.astype(np.int64))
    return table
