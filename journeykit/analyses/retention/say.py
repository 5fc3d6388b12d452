"""What a retention result says: sentences and metric records from its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from journeykit.text import say

if TYPE_CHECKING:
    from journeykit.analyses.retention.result import RetentionResult

USUAL_AGES = {
    "hour": (1, 6, 12, 24, 48),
    "day": (1, 7, 14, 30, 60, 90),
    "week": (1, 4, 8, 12, 26, 52),
    "month": (1, 2, 3, 6, 12, 24),
    "quarter": (1, 2, 4, 8),
    "year": (1, 2, 3, 5),
}
"""Ages that reports ask for."""

SOLID_COHORTS = 3
"""A later age is told where at least so many cohorts got there."""


def described(result: RetentionResult) -> str:
    """Say how many came back at first, later on, in the newest cohort, and what to keep in mind."""
    ages = result.summary.drop_duplicates("age")
    if len(ages) < 2:
        return say("retention.none_finished", column=column_words(result, 1))
    column = column_words(result, int(ages["age"].iloc[1]))
    if (result.table["status"] == "so far").any():
        return say("retention.so_far")
    overall = whole(result)
    if overall.empty:
        return say("retention.none_finished", column=column)
    sentences = [_headline(result, overall.iloc[0])]
    if "segment" in result.table:
        if result.main == "back_rate":
            sentences += _of_segments(result, overall.iloc[0]["age"], column)
    else:
        sentences += [_later(result, row) for row in later_rows(result, overall)]
        sentences += _newest(result, overall.iloc[0]) if result.main == "back_rate" else []
    if result.params["mean"] == "simple":
        sentences.append(say("retention.simple"))
    started = result.table.loc[result.table["note"] == "seen at start"]
    if len(started) and started["customers"].any():
        sentences.append(say("retention.seen_at_start", cohort=started["cohort"].iloc[0]))
    return " ".join(sentences)


def whole(result: RetentionResult) -> pd.DataFrame:
    """Rows of the summary after age 0 with a finished cell; with segments, of the largest one."""
    summary = result.summary[(result.summary["age"] > 0) & (result.summary["cohorts"] > 0)]
    summary = summary[summary["base"] > 0]
    if "segment" in summary and len(summary):
        largest = summary.groupby("segment")["base"].max().idxmax()
        summary = summary[summary["segment"] == largest]
    return summary


def column_words(result: RetentionResult, age: int) -> str:
    """Name a column: "month 1", or "days 2 to 8" where it has several periods."""
    period = result.params["period"]
    if "age_last" in result.summary:
        last = result.summary.loc[result.summary["age"] == age, "age_last"].iloc[0]
        if last > age:
            return say(f"retention.columns_{period}", age=age, age_last=int(last))
    return say(f"retention.column_{period}", age=age)


def _headline(result: RetentionResult, row: pd.Series) -> str:
    params = result.params
    kind = "previous" if params["base"] == "previous" else params["mode"]
    kind = kind if params["measure"] == "customers" else params["measure"]
    last = column_words(result, int(result.summary["age"].max()))
    said = say(f"retention.headline_{kind}", **_values(result, row), last=last)
    return said if "segment" not in row else say("core.list_name", name=row["segment"], text=said)


def _values(result: RetentionResult, row: pd.Series) -> dict[str, Any]:
    values = {str(name): value for name, value in row.items() if name != "age"}
    return {**values, "column": column_words(result, int(row["age"]))}


def _later(result: RetentionResult, row: pd.Series) -> str:
    key = "later" if result.main == "back_rate" else f"later_{result.params['measure']}"
    return say(f"retention.{key}", **_values(result, row))


def later_rows(result: RetentionResult, overall: pd.DataFrame) -> list[pd.Series]:
    """The latest usual age that enough cohorts reached, if it is not the first."""
    solid = overall[(overall["cohorts"] >= SOLID_COHORTS) & overall["age"].isin(USUAL_AGES[result.params["period"]])]
    if "age_last" in overall:
        solid = overall[overall["cohorts"] >= SOLID_COHORTS]
    return [solid.iloc[-1]] if len(solid) and solid.iloc[-1]["age"] > overall.iloc[0]["age"] else []


def _newest(result: RetentionResult, first: pd.Series) -> list[str]:
    cells = result.table[(result.table["age"] == first["age"]) & (result.table["status"] == "finished")]
    cells = cells[cells["base"] > 0]
    if result.params["cohorts_by"] is not None or len(cells) < 2:
        return []
    newest = cells.iloc[-1]
    return [say("retention.newest", **_values(result, newest.drop(["note", "status"])))]


def _of_segments(result: RetentionResult, age: int, column: str) -> list[str]:
    rows = result.summary[(result.summary["age"] == age) & result.summary["back_rate"].notna()]
    if len(rows) < 2:
        return []
    rates = rows["back_rate"].to_numpy(dtype=float)
    best, worst = rows.iloc[int(rates.argmax())], rows.iloc[int(rates.argmin())]
    sentences = [
        say(
            "retention.segments",
            column=column,
            best=best["segment"],
            best_rate=best["back_rate"],
            worst=worst["segment"],
            worst_rate=worst["back_rate"],
        )
    ]
    differences = result.comparison[(result.comparison["kind"] == "age") & (result.comparison["age"] == age)]
    if len(differences):
        row = differences.iloc[int(differences["difference_rate"].abs().to_numpy().argmax())]
        bounds = {f"rate_difference{end}": row[f"difference_rate{end}"] for end in ("", "_low", "_high")}
        sentences.append(say("retention.difference", a=row["a"], b=row["b"], p_value=row["p_value_holm"], **bounds))
    return sentences


def metric_records(result: RetentionResult) -> list[dict[str, Any]]:
    """One record per usual age and segment: the overall rate."""
    params = result.params
    rows = result.summary[(result.summary["age"] > 0) & (result.summary["cohorts"] > 0)]
    if params["columns"] is None:
        rows = rows[rows["age"].isin(USUAL_AGES[params["period"]])]
    names = result.table["cohort"].drop_duplicates()
    over_time = params["cohorts_by"] is None and len(names)
    period = f"{names.iloc[0]}/{names.iloc[-1]}" if over_time else ""
    kind, unit = ("rate", "rate") if result.main == "back_rate" else (result.main, "value")
    return [
        {
            "name": f"retention_{params['period']}_{_age_name(row)}_{kind}",
            "value": row[result.main],
            "low": row.get(f"{result.main}_low"),
            "high": row.get(f"{result.main}_high"),
            "n": row["base"],
            "unit": unit,
            "segment": row.get("segment", ""),
            "period": period,
        }
        for row in rows.to_dict("records")
    ]


def _age_name(row: dict[Any, Any]) -> str:
    last = row.get("age_last", row["age"])
    return str(row["age"]) if last == row["age"] else f"{row['age']}_to_{last}"
