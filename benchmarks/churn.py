"""Survival at day grain against lifelines: curves, incidence of several ends, tests; and from a log to tenures.

lifelines is given arrays of durations, as ours are; its answer is the bare curve with its interval. Of ours there are
two: the curve with its interval, and the whole result (curve, hazard, median, mean, comparison) from arrays.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import journeykit as jk
from benchmarks.events import event_file
from benchmarks.first_analyses import END
from benchmarks.race import Race, race
from journeykit.estimators.competing import aalen_johansen
from journeykit.estimators.logrank import logrank
from journeykit.estimators.risk import risk_table
from journeykit.estimators.survival import kaplan_meier

ENDS = np.array(["cancelled", "moved"], dtype=object)
FUNNEL = ["visit", "product_page", "cart", "checkout"]
COMPETING = 20_000
"""Customers of the race of several ends: lifelines moves every tie apart, and its time grows with their number."""


def some_tenures(n: int, *, seed: int = 1) -> pd.DataFrame:
    """Durations in whole days with entry at 0, half of them over, in two groups that differ a little."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 2, n)
    lives = np.ceil(rng.exponential(np.where(group == 1, 220, 200)))
    watched = rng.integers(1, 365, n)
    event = lives <= watched
    end = pd.Series(ENDS[rng.integers(0, 2, n)]).where(event)
    return pd.DataFrame({"group": group, "days": np.minimum(lives, watched).astype(int), "event": event, "end": end})


def bare_curve(rows: pd.DataFrame) -> pd.Series:
    """Ours: the curve with its interval."""
    return kaplan_meier(risk_table(rows["days"], rows["event"])).set_index("time")["survival"]


def curve(rows: pd.DataFrame) -> pd.Series:
    """Ours, from arrays to the whole result."""
    table = jk.survival_curve(jk.Tenures.from_durations(rows["days"], rows["event"])).table
    return table.set_index("time_days")["survival"]


def curve_lifelines(rows: pd.DataFrame) -> pd.Series:
    """The same curve of lifelines, with its interval."""
    from lifelines import KaplanMeierFitter

    found: pd.Series = KaplanMeierFitter().fit(rows["days"], rows["event"]).survival_function_["KM_estimate"]
    return found


def incidence(rows: pd.DataFrame) -> pd.Series:
    """The share that cancelled, with its exact variance."""
    found = aalen_johansen(risk_table(rows["days"], rows["end"]))
    return found[found["end"] == "cancelled"].set_index("time")["incidence"]


def incidence_lifelines(rows: pd.DataFrame) -> pd.Series:
    """The same of lifelines, which moves ties apart at random."""
    from lifelines import AalenJohansenFitter

    codes = rows["end"].map({"cancelled": 1, "moved": 2}).fillna(0).astype(int)
    fitter = AalenJohansenFitter(calculate_variance=True, seed=1).fit(rows["days"], codes, event_of_interest=1)
    found: pd.Series = fitter.cumulative_density_.iloc[:, 0]
    return found


def log_rank(rows: pd.DataFrame) -> float:
    """The statistic of the test."""
    return logrank(risk_table(rows["days"], rows["event"], by=rows["group"])).statistic


def log_rank_lifelines(rows: pd.DataFrame) -> float:
    """The statistic alone."""
    from lifelines.statistics import logrank_test

    a, b = (rows[rows["group"] == each] for each in (0, 1))
    test = logrank_test(a["days"], b["days"], a["event"], b["event"])
    return float(test.test_statistic)


def same_curve(ours: pd.Series, theirs: pd.Series, *, within: float = 1e-9) -> None:
    """Equal at every day that both know."""
    both = ours.index.intersection(theirs.index.astype(int))
    assert len(both) > 100
    days = np.asarray(theirs.index, dtype=float)
    at = np.searchsorted(days, both.to_numpy() + 0.5) - 1  # the last of a day, where ties are moved apart
    np.testing.assert_allclose(ours[both], theirs.to_numpy()[at], atol=within)


def same_number(ours: float, theirs: float) -> None:
    """Equal but for rounding."""
    assert abs(ours - theirs) < 1e-6 * abs(theirs)


def as_many(ours: Any, theirs: Any) -> None:
    """Two questions of one log, each answered: nothing to compare but that there is an answer."""
    assert ours is not None
    assert theirs is not None


def run(folder: Path, n_events: int, rounds: int = 5) -> list[Race]:
    """Race curves and tests of a tenth as many customers as events; and the log's tenures with its funnel."""
    customers = max(1000, n_events // 10)
    rows, few = some_tenures(customers), some_tenures(min(customers, COMPETING))
    log = jk.read_log(event_file(folder, n_events), observed_until=END, duplicates="keep")
    rule = jk.Inactivity("30d")
    races = [
        race(
            f"Survival: Kaplan–Meier of {customers:,} customers",
            {
                "journeykit": partial(bare_curve, rows),
                "journeykit, whole result": partial(curve, rows),
                "lifelines": partial(curve_lifelines, rows),
            },
            agree=same_curve, rounds=rounds, aim="5 times as fast as lifelines",
        ),
        race(
            f"Survival: two ends (Aalen–Johansen with variance) of {len(few):,} customers",
            {"journeykit": partial(incidence, few), "lifelines": partial(incidence_lifelines, few)},
            agree=partial(same_curve, within=0.01), rounds=min(rounds, 3), aim="10 times as fast as lifelines",
            note="lifelines moves ties apart at random, so it differs a little; ours is exact.",
        ),
        race(
            f"Survival: log-rank test of {customers:,} customers in two groups",
            {"journeykit": partial(log_rank, rows), "lifelines": partial(log_rank_lifelines, rows)},
            agree=same_number, rounds=rounds, aim="5 times as fast as lifelines",
        ),
        race(
            f"Churn: from {n_events:,} events to a survival curve, beside a funnel of four steps",
            {
                "survival curve": lambda: jk.survival_curve(log, churn=rule).summary,
                "tenures": lambda: len(jk.tenures(log, churn=rule).table),
                "tenures, and the curve of them": lambda: jk.survival_curve(jk.tenures(log, churn=rule)).summary,
                "funnel": lambda: jk.funnel(log, FUNNEL, within="7d").table,
            },
            agree=as_many, rounds=rounds, aim="tenures no slower than the funnel",
        ),
    ]  # fmt: skip
    return races
