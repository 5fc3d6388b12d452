"""Counts of spans: from a log, bucket by bucket, or from tenures that are measured already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from journeykit.analyses.churn.estimate import Counts
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.rules import Inactivity
from journeykit.analyses.churn.shared import groups_of, nobody
from journeykit.analyses.churn.tally import count_spans, left_out_reasons
from journeykit.analyses.churn.tenures import Tenures
from journeykit.journey.groups import in_order
from journeykit.results.base import left_out_table


def counts_of_tenures(source: Tenures) -> Counts:
    """Take tenures as counts of 1, with what is known of come-backs and other silences."""
    source = source.whole()
    table = source.table
    if table.empty:
        raise nobody(source.left_out, "to draw a curve of")
    group = groups_of(table)
    groups = group.cat.categories.tolist()
    spans = pd.DataFrame(
        {"enters_days": source.enters, "duration_days": source.duration, "end": table["end"], "group": group,
         "customers": 1, "limit": source.params["limit_days"]}
    )  # fmt: skip
    back = None
    if "comeback_days" in table:
        ended = table[table["event"]]
        back = pd.DataFrame(
            {"limit": source.params["limit_days"], "group": group[table["event"]], "customers": 1,
             "duration_days": ended["comeback_days"], "event": ended["came_back"]}
        )  # fmt: skip
    old = source.summary["seen_at_start"].set_axis(pd.Index(groups))
    ends = [str(end) for end in table["end"].cat.categories]
    whole = _sensitivity_counts(source)
    return Counts(spans, back, old, groups, ends, source.params["limit_days"], whole)


def _sensitivity_counts(source: Tenures) -> Counts | None:
    """Count again with other silences, where the log is at hand."""
    known = source.query is not None and not isinstance(source.query.signed_up, pd.Series)
    if source.log is None or not known or not isinstance(source.query.churn, Inactivity):  # type: ignore[union-attr]
        return None
    return counts_of_log(source.log, source.query)[0]  # type: ignore[arg-type]


def counts_of_log(log: Any, query: Query) -> tuple[Counts, pd.DataFrame]:
    """Count a log's spans, with other silences beside the one asked for; and who was left out."""
    main = query.limits[0] if query.limits else 0
    counted = log.tally(count_spans, query=_with_other_silences(query)).reset_index()
    own = counted[counted["limit"] == main]
    out = own[own["what"] == "left_out"]
    left_out = left_out_table(left_out_reasons(out["end"].to_numpy(), out["customers"].to_numpy()))
    spans = counted[counted["what"] == "span"]
    if not (spans["limit"] == main).any():
        raise nobody(left_out, "to draw a curve of")
    groups = in_order(spans["group"].unique(), log.stages)
    codes = spans["end"].to_numpy() - 1
    spans = spans.assign(
        group=pd.Categorical(spans["group"], groups, ordered=True),
        end=pd.Categorical.from_codes(codes, categories=pd.Index(query.end_names)),
    )
    back = counted[counted["what"] == "back"]
    back = back.assign(group=pd.Categorical(back["group"], groups, ordered=True), event=back["end"] > 0)
    old = own[own["what"] == "old"].groupby("group")["customers"].sum()
    return Counts(spans, back, old, groups, query.end_names, main), left_out


def _with_other_silences(query: Query) -> Query:
    """Ask for half, three quarters, one and a half, and twice the silence beside it."""
    if not query.limits:
        return query
    days = query.limits[0]
    around = {max(1, round(days * share)) for share in (0.5, 0.75, 1.5, 2)}
    return replace(query, limits=tuple(sorted({days, *around})))
