"""Who is there, and how they stand: the rows that predictions are made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.measured import tenures_of
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.rules import Contract, Inactivity
from journeykit.analyses.churn.snapshots import snapshots_of
from journeykit.errors import ParameterError
from journeykit.journey.observed import observed_days

MOST_DATES = 6
"""Earlier dates that are learned from."""


def has_snapshots(tenures: Tenures) -> bool:
    """Whether a log tells how customers stood at any date."""
    return tenures.log is not None and tenures.query is not None and not isinstance(tenures.query.churn, Contract)


def standing_at(tenures: Tenures, days: Any, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take snapshots with the covariates of a model; and of whom not all was known by then.

    Columns of the first: as of `snapshots`, and the covariates `names`.
    """
    query = tenures.query
    assert query is not None
    past = {name: (kind, what) for name, (kind, what) in query.changing.items() if name in names}
    found = snapshots_of(tenures.log, days, query, past)
    fixed = [name for name in names if name not in past]
    whole = tenures.whole().table if tenures.changing else tenures.table
    # Under inactivity each began once, and one key is found sooner than two.
    key = ["customer"] if isinstance(query.churn, Inactivity) else ["customer", "started_at"]
    known = whole[[*key, "enters_days", *fixed]].drop_duplicates(key)
    found = found.merge(known, on=key, how="left", suffixes=("", " at entry"))
    # What is fixed is known once a tenure is watched: after its window, or when its segment became known.
    there = (found["age_days"] >= found["enters_days"]).to_numpy()
    found = found.drop(columns="enters_days")
    return found[there].reset_index(drop=True), found[~there].reset_index(drop=True)


def standing_now(tenures: Tenures, names: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Say who is there at the end of observation, and how many are whose covariates are not known.

    Of durations without a log: those who had not ended, at the age until
    which they were watched.
    """
    if has_snapshots(tenures):
        found, unknown = standing_at(tenures, [last_day(tenures.log)], names)
        # Who signed up and was never active has tenures, but no events to stand on.
        there = tenures.table.loc[~tenures.table["event"], "customer"]
        listed = pd.Index(found["customer"]).union(pd.Index(unknown["customer"]))
        whole = tenures.table.loc[tenures.table["event"], "customer"]
        absent = pd.Index(there.unique()).difference(listed).difference(pd.Index(whole))
        return found.drop(columns=["duration_days", "event", "end"]), len(unknown) + len(absent)
    table = tenures.table
    last = ~table.duplicated([name for name in ("customer", "spell") if name in table], keep="last")
    rows = table[last & ~table["event"]]
    found = rows[["customer", *(name for name in ("spell", "started_at") if name in rows), *names]].copy()
    found.insert(1, f"age_{tenures.unit}", rows[f"duration_{tenures.unit}"])
    return found.reset_index(drop=True), 0


def earlier_days(log: Any, query: Query, horizon: int) -> list[pd.Timestamp]:
    """Choose dates whose next `horizon` days were watched, from the last one back; and when customers had a past."""
    observed = observed_days(log)
    limit = query.limits[0] if query.limits else 0
    last, first = observed.last_full - horizon, observed.first_full + max(limit, horizon // 2, 1)
    if last < first:
        raise ParameterError(
            f"the log is too short: to learn who leaves within {horizon} days, it must be longer than "
            f"{horizon + max(limit, horizon // 2, 1)}; it observes {observed.last_full - observed.first_full + 1} days"
        )
    step = max(horizon // 2, 7)
    return [_date(day) for day in range(last, first - 1, -step)][:MOST_DATES]


def last_day(log: Any) -> pd.Timestamp:
    """Find the last day that a log observes whole."""
    return _date(observed_days(log).last_full)


def _date(day: int) -> pd.Timestamp:
    return pd.Timestamp(np.datetime64(day, "D"))


def rebuilt(tenures: Tenures, log: Any) -> Tenures:
    """Ask another log, or the same one cut, the same question."""
    if tenures.query is None:
        raise ParameterError("durations from elsewhere can't be measured again: give tenures")
    return tenures_of(log, tenures.query)
