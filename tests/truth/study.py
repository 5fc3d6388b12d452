"""Many logs, each analysed as a user would and by the shortcuts, beside what is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import journeykit as jk
from journeykit.analyses.churn import SurvivalCurve
from tests.truth import naive, shop

CUSTOMERS = 2000
OURS = "journeykit"
COLUMNS = ["seed", "quantity", "segment", "cell", "route", "estimate", "low", "high", "n", "truth"]
NONE = (np.nan, np.nan, CUSTOMERS, np.nan)
"""No interval, and nothing that would be true: for what only describes a log."""
PIECE = 25
"""Logs that are kept at once."""
Row = tuple[Any, ...]


def funnel_study(seed: int, customers: int = CUSTOMERS) -> Iterator[Row]:
    log = shop.funnel_log(customers, seed)
    yield ("immature_share", shop.ALL, "", OURS, shop.immature_share(log), *NONE)
    yield ("reentering_share", shop.ALL, "", OURS, shop.share_who_reenter(log), *NONE)
    yield from _conversion(log)
    for entry, within, prefix in (("any", shop.WITHIN, ""), ("first", shop.FIRST_WITHIN, "first_")):
        true = shop.true_funnel(entry)
        by_segment = jk.stage_funnel(log, within=within, entry=entry, by="segment").table
        whole = jk.stage_funnel(log, within=within, entry=entry).table.assign(segment=shop.ALL)
        for segment, table in pd.concat([by_segment, whole]).groupby("segment", sort=False):
            mature = table["customers_mature"].to_numpy()
            for place, row in enumerate(table.to_dict("records")):
                for rate, n in (("reach_rate", mature[0]), ("step_rate", mature[place - 1])):
                    if place:
                        found = [row[f"{rate}{side}"] for side in ("", "_low", "_high")]
                        truth = true.loc[(segment, row["stage"]), rate]
                        yield (prefix + rate, segment, row["stage"], OURS, *found, n, truth)
            for route, stage, found in naive.funnel_routes(table):
                yield (f"{prefix}reach_rate", segment, stage, route, *found, true.loc[(segment, stage), "reach_rate"])
                if entry == "first":  # the same question: within the window of the first entry
                    yield ("curve_rate", segment, stage, route, *found, true.loc[(segment, stage), "reach_rate"])
    whole = shop.followed_log(customers, seed)
    seen = whole.between(whole.starts_at, shop.SEEN_UNTIL)
    yield from _followed(seen, whole)
    yield from _trend(seen)


def _followed(seen: jk.InteractionLog, whole: jk.InteractionLog) -> Iterator[Row]:
    """Compare mature rates with those of the same entries in a log that goes on for a month; here that is the truth."""
    mature_until = seen.ends_at - pd.Timedelta(shop.WITHIN)
    for by in (None, "segment"):
        options = {"within": shop.WITHIN, "by": by}
        ours = jk.stage_funnel(seen, **options).table
        full = jk.stage_funnel(whole, **options, between=(None, mature_until), maturity="all").table
        for row, truth in zip(ours.to_dict("records"), full.to_dict("records"), strict=True):
            found = [row[f"reach_rate{side}"] for side in ("", "_low", "_high")]
            assert (row.get("segment"), row["stage"]) == (truth.get("segment"), truth["stage"])
            where = (row.get("segment", shop.ALL), row["stage"])
            yield ("followed_rate", *where, OURS, *found, row["customers_mature"], truth["reach_rate"])


def _conversion(log: jk.InteractionLog) -> Iterator[Row]:
    """Read conversion curves at the end of the window: every entry counts for as long as it was watched."""
    true = shop.true_funnel("first")
    for place, stage in enumerate(shop.STAGES[1:4], start=1):
        steps = [jk.Step(stage=each) for each in shop.STAGES[: place + 1]]
        by_segment = jk.conversion_curve(log, steps, within=shop.FIRST_WITHIN, by="segment").summary
        whole = jk.conversion_curve(log, steps, within=shop.FIRST_WITHIN).summary.assign(segment=shop.ALL)
        for row in pd.concat([by_segment, whole]).itertuples():
            found = (row.conversion_rate, row.conversion_rate_low, row.conversion_rate_high, row.customers)
            yield ("curve_rate", row.segment, stage, OURS, *found, true.loc[(row.segment, stage), "reach_rate"])


def _trend(log: jk.InteractionLog) -> Iterator[Row]:
    """Read the rates of two finished months and the estimate of one that is not; beside it, its share so far."""
    true, table = shop.true_trend(), shop.monthly(log).table
    for row in table.itertuples():
        found = (row.conversion_rate, row.conversion_rate_low, row.conversion_rate_high, row.customers)
        month = str(row.period)
        yield ("trend_rate", shop.ALL, month, OURS, *found, true[month])
        if row.status == "unfinished":
            so_far = naive.share(int(row.converted), int(row.customers))
            yield ("trend_rate", shop.ALL, month, "immature as lost", *so_far, true[month])


def retention_study(seed: int, customers: int = CUSTOMERS) -> Iterator[Row]:
    log = shop.retention_log(customers, seed)
    whole = jk.retention(log, start="order", back=shop.BACK)
    by_segment = jk.retention(log, start="order", back=shop.BACK, by="segment")
    cells = shop.true_cells()
    cells = cells[(cells["segment"] == shop.ALL) & (cells["age"] > 0)].set_index(["cohort", "age"])["back_rate"]
    found = whole.table[whole.table["status"] == "finished"].set_index(["cohort", "age"])
    for (cohort, age), truth in cells.items():
        row = found.loc[(cohort, age)]
        rates = row[["back_rate", "back_rate_low", "back_rate_high"]]
        yield ("cell", shop.ALL, f"{cohort} + {age}", OURS, *rates, row["base"], truth)
    overall = shop.true_overall().set_index(["segment", "age"])["back_rate"]
    summaries = pd.concat([by_segment.summary, whole.summary.assign(segment=shop.ALL)])
    for row in summaries[summaries["age"].isin(shop.AGES)].itertuples():
        rates = (row.back_rate, row.back_rate_low, row.back_rate_high)
        yield ("overall", row.segment, row.age, OURS, *rates, row.base, overall[(row.segment, row.age)])
    tables = pd.concat([by_segment.table, whole.table.assign(segment=shop.ALL)])
    for segment, table in tables.groupby("segment", sort=False):
        for route, age, estimate in naive.retention_routes(table):
            yield ("overall", segment, age, route, *estimate, overall[(segment, age)])


def churn_study(seed: int, customers: int = CUSTOMERS) -> Iterator[Row]:
    log = shop.churn_log(customers, seed)
    true = shop.true_survival("inactivity")
    yield from _read_curve("inactivity", shop.inactivity(log), true, shop.SILENT_AGES)
    for segment, seen in naive.last_seen(log).groupby("segment"):
        for route, age, estimate in naive.inactivity_routes(seen, shop.SILENT_AGES):
            yield ("inactivity survival", segment, age, route, *estimate, true.loc[age, segment])

    true = shop.true_survival("cancel")
    yield from _read_curve("cancel", shop.cancellation(log), true, shop.CANCEL_AGES)
    rule = jk.Cancel("subscription_cancelled")
    tenures = jk.tenures(log, churn=rule, start="subscription_started", by="segment").table
    for segment, rows in tenures.groupby("segment", observed=True):
        for route, age, estimate in naive.cancel_routes(rows, shop.CANCEL_AGES):
            yield ("cancel survival", segment, age, route, *estimate, true.loc[age, segment])


def _read_curve(rule: str, curve: SurvivalCurve, true: pd.DataFrame, ages: tuple[int, ...]) -> Iterator[Row]:
    """Read a curve at the ages, and each group's mean and median."""
    summary = curve.summary.set_index("segment")
    for row in curve.at(*ages).itertuples():
        found = (row.survival, row.survival_low, row.survival_high, summary.loc[row.segment, "customers"])
        yield (f"{rule} survival", row.segment, row.time_days, OURS, *found, true.loc[row.time_days, row.segment])
    for row in summary.itertuples():
        mean, median = shop.true_mean(true[row.Index]), shop.true_median(true[row.Index])
        found = (row.mean_days, row.mean_days_low, row.mean_days_high, row.customers)
        yield (f"{rule} mean_days", row.Index, shop.HORIZON, OURS, *found, mean)
        found = (row.median_days, row.median_days_low, row.median_days_high, row.customers)
        yield (f"{rule} median_days", row.Index, "", OURS, *found, median)


STUDIES: dict[str, Callable[[int], Iterator[Row]]] = {
    "funnel": funnel_study,
    "retention": retention_study,
    "churn": churn_study,
}
FIRST_SEED = {"funnel": 100_000, "retention": 200_000, "churn": 300_000}


def run(study: str, logs: int, *, processes: int = 1, keep: Path | None = None) -> pd.DataFrame:
    """Simulate and analyse so many logs, the seeds from `FIRST_SEED` on; one row an estimate.

    With a folder to `keep` them in, what was found so far is there when it is
    stopped and begun again; a folder is for one state of the code.
    """
    first = FIRST_SEED[study]
    pieces = [range(first, first + logs)[i : i + PIECE] for i in range(0, logs, PIECE)]
    if processes == 1:
        parts = [_piece(study, seeds, map, keep) for seeds in pieces]
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            parts = [_piece(study, seeds, pool.map, keep) for seeds in pieces]
    frame = pd.concat(parts, ignore_index=True)
    # A median, or a bound of it, that is not reached lies beyond all that is. Other estimates without one say nothing.
    median = frame["quantity"].str.endswith("median_days")
    low, high = (frame[side].mask(frame[side].isna() & median, np.inf) for side in ("low", "high"))
    known = low.notna() & high.notna() & frame["truth"].notna()
    return frame.assign(covers=((low <= frame["truth"]) & (frame["truth"] <= high)).where(known))


def _piece(study: str, seeds: range, apply: Callable[..., Any], keep: Path | None) -> pd.DataFrame:
    path = None if keep is None else keep / f"{study}-{seeds[0]}-{seeds[-1]}.pickle"
    if path is not None and path.exists():
        return pd.read_pickle(path)
    found = pd.DataFrame([row for rows in apply(partial(one_log, study), seeds) for row in rows], columns=COLUMNS)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        found.to_pickle(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)  # whole or not there
    return found


def one_log(study: str, seed: int) -> list[Row]:
    """One row an estimate of one log."""
    return [(seed, *row) for row in STUDIES[study](seed)]


def by_cell(rows: pd.DataFrame) -> pd.DataFrame:
    """Bias and coverage of each cell and route, with the errors that so many logs leave.

    Returns
    -------
    DataFrame
        `quantity`, `segment`, `cell`, `route`; `logs` (with an estimate), `n`
        (customers, on average), `truth`, `bias` and `bias_error`, `coverage`
        and `coverage_error`.
    """
    key = ["quantity", "segment", "cell", "route"]
    rows = rows.assign(off=rows["estimate"] - rows["truth"], covers=rows["covers"].astype(float))
    groups = rows.groupby(key, sort=False)
    found = groups.agg(
        logs=("covers", "count"), n=("n", "mean"), truth=("truth", "first"), bias=("off", "mean"),
        bias_error=("off", "sem"), coverage=("covers", "mean"),
    ).reset_index()  # fmt: skip
    error = np.sqrt(found["coverage"] * (1 - found["coverage"]) / found["logs"])
    return found.assign(coverage_error=error)


def pooled(rows: pd.DataFrame) -> tuple[float, float]:
    """Coverage over all cells, and its error: logs are independent, the cells of one are not."""
    share = rows.groupby("seed")["covers"].apply(lambda covers: covers.astype(float).mean())
    return float(share.mean()), float(share.std() / np.sqrt(len(share)))
