"""Counts of spans: from a log, bucket by bucket, or from tenures that are measured already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.estimate import Counts
from journeykit.analyses.churn.listing import Tenures
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.rules import Contract, Inactivity
from journeykit.analyses.churn.shared import groups_of, nobody
from journeykit.analyses.churn.tally import count_rows, count_spans, left_out_reasons, list_repeats
from journeykit.journey.groups import in_order
from journeykit.loops.tenures import NEVER
from journeykit.results.base import left_out_table


def counts_of_tenures(source: Tenures) -> Counts:
    """Take tenures as counts of 1, with what is known of come-backs."""
    source = source.whole()
    table = source.table
    if table.empty:
        raise nobody(source.left_out, "to draw a curve of")
    group = groups_of(table)
    limit = source.params["limit_days"]
    spans = _counted(group, source.enters, source.duration, table["end"].cat.codes.to_numpy() + 1)
    spans["end"] = pd.Categorical.from_codes(spans["end"].to_numpy() - 1, categories=table["end"].cat.categories)
    back = None
    if "comeback_days" in table:
        ended = table["event"].to_numpy()
        waits = table["comeback_days"].to_numpy()[ended].astype(np.int64)
        back = _counted(group[ended], np.zeros_like(waits), waits, table["came_back"].to_numpy()[ended])
        back = back.assign(event=back["end"] > 0, limit=limit)
    old = source.summary["seen_at_start"].set_axis(pd.Index(group.cat.categories))
    ends = [str(end) for end in table["end"].cat.categories]
    return Counts(
        spans.assign(limit=limit), back, old, group.cat.categories.tolist(), ends, limit, _repeats_of(source),
        source.unit, _back_within(source.query),
    )  # fmt: skip


def _counted(group: pd.Series, enters: Any, duration: Any, end: Any) -> pd.DataFrame:
    """Count equal rows: a million of them have few kinds; ages that are not whole stay apart."""
    if enters.dtype.kind in "iu" and duration.dtype.kind in "iu" and np.abs(duration).max(initial=0) < NEVER:
        codes = group.cat.codes.to_numpy().astype(np.int32)
        arrays = (codes, enters.astype(np.int32), duration.astype(np.int32), end.astype(np.int8))
        rows = count_rows(*arrays, np.ones(len(codes), bool))
        rows["group"] = pd.Categorical.from_codes(
            rows["group"].to_numpy(), categories=group.cat.categories, ordered=True
        )
        return rows
    return pd.DataFrame(
        {"group": group.array, "enters_days": enters, "duration_days": duration, "end": end, "customers": 1}
    )


def _repeats_of(source: Tenures) -> pd.DataFrame | None:
    """Take the spans of customers who have several; None where they are not numbered, and each customer has one."""
    table = source.table
    if "spell" not in table and not source.several:
        return None
    several = table["customer"].duplicated(keep=False).to_numpy()
    again = {"back_wait": table.get("comeback_days", 0), "came_back": table.get("came_back", False)}
    ages = {"enters_days": source.enters, "duration_days": source.duration, "end": table["end"]}
    rows = pd.DataFrame({"customer": pd.factorize(table["customer"])[0], "group": groups_of(table), **ages, **again})
    return rows[several]


def _back_within(query: Query | None) -> float | None:
    return query.churn.longest_days() if query is not None and isinstance(query.churn, Contract) else None


def counts_of_log(log: Any, query: Query) -> tuple[Counts, pd.DataFrame]:
    """Count a log's spans; and who was left out."""
    main = query.churn.days if isinstance(query.churn, Inactivity) else 0
    counted = log.tally(count_spans, query=query).reset_index()
    out = counted[counted["what"] == "left_out"]
    left_out = left_out_table(left_out_reasons(out["end"].to_numpy(), out["customers"].to_numpy()))
    spans = counted[counted["what"] == "span"]
    if spans.empty:
        raise nobody(left_out, "to draw a curve of")
    groups = in_order(spans["group"].unique(), log.stages)
    spans = _named(spans, query, groups)
    back = None
    if query.back_is_seen:
        back = counted[counted["what"] == "back"]
        back = back.assign(group=pd.Categorical(back["group"], groups, ordered=True), event=back["end"] > 0)
    old = counted[counted["what"] == "old"].groupby("group")["customers"].sum()
    repeats = None
    if query.several:
        listed = log.tally(list_repeats, query=query).reset_index()
        repeats = _named(listed.assign(customer=pd.factorize(listed["customer"])[0]), query, groups)
    within = _back_within(query)
    return Counts(spans, back, old, groups, query.end_names, main, repeats, query.unit, within), left_out


def _named(rows: pd.DataFrame, query: Query, groups: list[str]) -> pd.DataFrame:
    """Give groups and ends their names."""
    ends = pd.Categorical.from_codes(rows["end"].to_numpy() - 1, categories=pd.Index(query.end_names))
    return rows.assign(group=pd.Categorical(rows["group"], groups, ordered=True), end=ends)


def counts_of_silences(log: Any, query: Query) -> Counts:
    """Count again for half, three quarters, once, one and a half, and twice the silence."""
    days = query.limits[0]
    around = {max(1, round(days * share)) for share in (0.5, 0.75, 1, 1.5, 2)}
    return counts_of_log(log, replace(query, limits=tuple(sorted(around))))[0]


def has_silences(log: Any, query: Query | None) -> bool:
    """Tell whether other silences can be looked at: from a log, without sign-ups that are no part of it."""
    if log is None or query is None or isinstance(query.signed_up, pd.Series):
        return False
    return isinstance(query.churn, Inactivity)
