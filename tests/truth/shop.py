"""The shops of the studies: what is simulated, what is asked of each log, and how the log is cut."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pandas as pd

import journeykit as jk
from journeykit.analyses.churn import SurvivalCurve
from journeykit.analyses.conversion import FunnelTrend
from journeykit.datasets import Delay, ShopParameters
from journeykit.datasets.truth import Truth

ALL = "all"
SEGMENTS = ("beginner", "player", "professional")
STAGES = ("awareness", "consideration", "purchase", "retention", "advocacy")

# Funnel: three months, and customers who try again soon: a third of all entries come too late for their window, and
# 43% of the customers begin anew (`immature_share` and `share_who_reenter` count them).
WITHIN = "22d"
FIRST_WITHIN = "30d"
FUNNEL_MONTHS = 3
SEEN_UNTIL = "2023-04-01"
TREND_LOGS = 20  # of 100,000 customers each: their rates are exact to half a tenth of a point
TREND_MONTHS = ("2023-01", "2023-02", "2023-03")
TRY_AGAIN = replace(ShopParameters(), again=0.9, again_from_day=31, again_after=Delay(0.0, (0, 0), 3.0, 10))

# Retention: a year, read in the middle of its last month.
RETENTION_MONTHS = 12
READ_ON = "2023-12-16"
BACK = "product_page"
AGES = (1, 2, 3, 4, 5, 6)

# Churn: 18 months; segments of more equal size, and more lessons, so that each has subscriptions to speak of.
CHURN_MONTHS = 18
SILENCE_DAYS = 45
SILENT_AGES = (60, 90, 120, 180)
CANCEL_AGES = (30, 60, 120, 180)
HORIZON = 180
LESSONS = replace(
    ShopParameters(),
    segments=tuple(
        replace(segment, share=share, lessons=0.3, trial=0.7, paid=0.7)
        for segment, share in zip(ShopParameters().segments, (0.4, 0.35, 0.25), strict=True)
    ),
)


def funnel_log(customers: int, seed: int) -> jk.InteractionLog:
    log, _ = jk.simulate_journeys(customers, months=FUNNEL_MONTHS, parameters=TRY_AGAIN, rng=seed)
    return log.with_stages(jk.StageModel.digital())


def followed_log(customers: int, seed: int) -> jk.InteractionLog:
    """As many customers of four months: seen until SEEN_UNTIL, the last month's windows are to come."""
    log, _ = jk.simulate_journeys(customers * 4 // 3, months=FUNNEL_MONTHS + 1, parameters=TRY_AGAIN, rng=seed)
    return log.with_stages(jk.StageModel.digital())


def monthly(log: jk.InteractionLog) -> FunnelTrend:
    """Who bought within the window of a month's first touch."""
    steps = [jk.Step(stage=stage) for stage in STAGES[:3]]
    return jk.funnel_trend(log, steps, within=WITHIN, period="month", clock="first")


def retention_log(customers: int, seed: int) -> jk.InteractionLog:
    log, _ = jk.simulate_journeys(customers, months=RETENTION_MONTHS, rng=seed)
    return log.between(log.starts_at, READ_ON)


def churn_log(customers: int, seed: int) -> jk.InteractionLog:
    return jk.simulate_journeys(customers, months=CHURN_MONTHS, parameters=LESSONS, rng=seed)[0]


def inactivity(log: jk.InteractionLog) -> SurvivalCurve:
    """From the first order to the first 45 days without a product page."""
    return jk.survival_curve(
        log, churn=jk.Inactivity(f"{SILENCE_DAYS}d"), start="order", activity=BACK, by="segment", horizon=HORIZON
    )


def cancellation(log: jk.InteractionLog) -> SurvivalCurve:
    """From the start of a subscription to its end."""
    return jk.survival_curve(
        log,
        churn=jk.Cancel("subscription_cancelled"),
        start="subscription_started",
        by="segment",
        horizon=HORIZON,
    )


# -- what is true ------------------------------------------------------------------------------


@cache
def true_funnel(entry: str = "any") -> pd.DataFrame:
    """`reach_rate` and `step_rate` by `segment` and `stage`."""
    within = WITHIN if entry == "any" else FIRST_WITHIN
    found = Truth(TRY_AGAIN, FUNNEL_MONTHS).stage_funnel(within=within, entry=entry, by="segment")
    return found.set_index(["segment", "stage"])


@cache
def true_trend() -> pd.Series:
    """The rate of each month, followed to the end of its windows: of many customers, since no formula has it."""
    found = []
    for seed in range(TREND_LOGS):
        log, _ = jk.simulate_journeys(100_000, months=FUNNEL_MONTHS + 1, parameters=TRY_AGAIN, rng=900_000 + seed)
        table = monthly(log.with_stages(jk.StageModel.digital())).table
        found.append(table.assign(period=table["period"].astype(str)).set_index("period")[["converted", "customers"]])
    sums = pd.concat(found).astype(int).groupby(level=0).sum()
    return sums["converted"] / sums["customers"]


@cache
def true_cells() -> pd.DataFrame:
    """True retention by `segment`, `cohort` and `age`, of the cells that are finished when the log is read."""
    found = Truth(ShopParameters(), RETENTION_MONTHS).retention(back=BACK, by="segment")
    period = pd.PeriodIndex(found["cohort"])
    months = pd.Series((period.year - 2023) * 12 + period.month - 1, index=found.index)
    running = RETENTION_MONTHS - 1
    return found[months + found["age"] < running]


def true_overall() -> pd.DataFrame:
    """True overall row by `segment` and `age`: cohorts mixed as they are expected to be."""
    cells = true_cells().assign(back=lambda each: each["cohort_rate"] * each["back_rate"])
    sums = cells.groupby(["segment", "age"])[["cohort_rate", "back"]].sum()
    return (sums["back"] / sums["cohort_rate"]).rename("back_rate").reset_index()


@cache
def true_survival(churn: str) -> pd.DataFrame:
    """One column a segment: survival past each day 0, 1, …; `"inactivity"` or `"cancel"`."""
    silence = {"silence": f"{SILENCE_DAYS}d", "activity": BACK} if churn == "inactivity" else {}
    found = Truth(LESSONS, CHURN_MONTHS).survival_curve(churn=churn, horizon=400, **silence)
    return found[found["segment"] != ALL].pivot_table(index="time_days", columns="segment", values="survival")


def true_mean(survival: pd.Series) -> float:
    """Mean days up to the horizon: a customer there past day t spends the day from t to t + 1."""
    return float(survival.iloc[:HORIZON].sum())


def true_median(survival: pd.Series) -> float:
    """First day past which at most half are there; NaN if that is later than any log could show."""
    below = survival.index[survival <= 0.5]
    return float(below[0]) if len(below) else float("nan")


# -- how demanding the funnel's logs are --------------------------------------------------------


def entries(log: jk.InteractionLog) -> pd.DataFrame:
    """Every entry (an awareness touch): `customer`, `time`."""
    frame = log.frame(["customer", "time", "stage"])
    return frame.loc[frame["stage"] == "awareness", ["customer", "time"]]


def immature_share(log: jk.InteractionLog) -> float:
    """Share of entries whose window is not over when the log ends."""
    return float((entries(log)["time"] + pd.Timedelta(WITHIN) >= log.ends_at).mean())


def share_who_reenter(log: jk.InteractionLog) -> float:
    """Share of customers who begin another attempt: the touches of the first are all within nine days."""
    touches = entries(log)
    since_first = touches["time"] - touches.groupby("customer", observed=True)["time"].transform("min")
    return touches.loc[since_first > pd.Timedelta("9d"), "customer"].nunique() / log.n_customers
