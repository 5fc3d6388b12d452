"""A report's numbers beside those of the period before: computed again from the same log, or as last published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.errors import JourneykitError
from journeykit.reports.metrics import collect_comparison
from journeykit.reports.page import Page, Section, table_piece
from journeykit.text import format_value, html_table, label, language, say, word

if TYPE_CHECKING:
    from journeykit.log import InteractionLog
    from journeykit.results import Result
    from journeykit.results.comparing import CompareResult

RECOMPUTED, STORED = "recomputed", "stored"
_SAME = ("name", "segment", "definition")
_NUMBERS = ("difference", "low", "high", "p_value", "p_value_holm")


@dataclass(frozen=True)
class Before:
    """The period before a report's own.

    Attributes
    ----------
    log : InteractionLog
        The log as it was known at that period's end.
    between : tuple
        Its start, for analyses that judge those who start in it.
    start, end : Timestamp
        Its first instant, and the one after its last.
    """

    log: InteractionLog
    between: tuple[Any, Any]
    start: pd.Timestamp
    end: pd.Timestamp


def period_before(start: pd.Timestamp, end: pd.Timestamp) -> pd.Timestamp:
    """Return when the period before begins: as many months if both ends begin one, else as many days.

    Examples
    --------
    >>> period_before(pd.Timestamp("2024-03-01"), pd.Timestamp("2024-04-01"))
    Timestamp('2024-02-01 00:00:00')
    >>> period_before(pd.Timestamp("2024-03-04"), pd.Timestamp("2024-03-11"))
    Timestamp('2024-02-26 00:00:00')
    """
    zone = start.tz
    first, last = start.tz_localize(None), end.tz_localize(None)  # calendar days: summer time makes none longer
    months = (last.year - first.year) * 12 + last.month - first.month
    whole = all(day == day.normalize() and day.day == 1 for day in (first, last))
    before = first - pd.DateOffset(months=months) if whole else first - (last - first)
    return before.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")


def find_before(whole: InteractionLog, start: str | None, end: pd.Timestamp) -> Before | str:
    """Find the period before in a log, or say why it isn't there: the name of a message.

    Parameters
    ----------
    whole : InteractionLog
        The log, also after the report's period.
    start : str or None
        The report's first day.
    end : Timestamp
        The instant after its last.
    """
    if start is None:
        return "reports.before_no_start"
    begins = pd.Timestamp(start)
    if begins.tz is None:
        begins = begins.tz_localize(whole.timezone, ambiguous=True, nonexistent="shift_forward")
    earlier = period_before(begins, end.tz_convert(begins.tz))
    if earlier.tz_localize(None) < whole.starts_at.tz_localize(None).normalize():
        return "reports.before_too_short"
    return Before(whole.between(None, begins), (earlier, None), earlier, begins)


def differences(now: Result, before: Result, masks: Sequence[Result]) -> CompareResult | None:
    """Compare two results and keep what both have; None where they can't be compared.

    Parameters
    ----------
    now, before : Result
        As computed.
    masks : sequence of two Results
        The same as a page may show them: a row that one of them hides is left
        out.
    """
    from journeykit.results.comparing import compare

    names = (say("reports.before"), say("reports.now"))
    try:
        found = compare(before, now, names=names)
        table = found.table[found.table["difference"].notna()]
        for side, shown, other in (("a", masks[1], before), ("b", masks[0], now)):
            if shown is not other:
                table = _seen(table, shown, masks, found.keys, side)
    except (JourneykitError, TypeError, ValueError, NotImplementedError):
        return None
    return replace(found, table=table.reset_index(drop=True), main=0) if len(table) else None


def _seen(table: pd.DataFrame, shown: Result, masks: Sequence[Result], keys: Sequence[str], side: str) -> pd.DataFrame:
    """Rows whose estimate the page shows."""
    other = masks[0] if shown is masks[1] else masks[1]
    rows = shown.comparable(other).rows
    rows = rows[rows["estimate"].notna()][[*keys, "measure"]]
    return table.merge(rows.drop_duplicates(), on=[*keys, "measure"], how="inner")


def comparison_records(found: CompareResult) -> list[dict[str, Any]]:
    """Lay out a comparison for metrics.json."""
    records = []
    for row in found.table.to_dict("records"):
        where = [str(row[key]) for key in found.keys if key != "segment" and row[key] != ""]
        numbers = {"value": row["estimate_b"], "previous": row["estimate_a"], "difference": row["difference"]}
        numbers |= {"low": row["difference_low"], "high": row["difference_high"]}
        numbers |= {name: row[name] for name in ("p_value", "p_value_holm")}
        records.append(
            {
                "name": ".".join([*where, str(row["measure"])]),
                **{name: _plain(value) for name, value in numbers.items()},
                "segment": str(row.get("segment", "")),
                "definition": found.definition,
                "method": str(found.summary["method"].iloc[0]),
            }
        )
    return records


def stored_records(now: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Compare a run's numbers with those of another: plain differences, since nobody knows who is behind both.

    Examples
    --------
    >>> run = {"name": "reach_rate", "value": 0.5, "segment": "", "period": "", "definition": "reach/1"}
    >>> stored_records([run], [{**run, "value": 0.25}])[0]["difference"]
    0.25
    """
    last: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for record in before:
        last.setdefault(tuple(record[name] for name in _SAME), []).append(record)
    records = []
    for record in now:
        same = last.get(tuple(record[name] for name in _SAME), [])
        same = [each for each in same if each["period"] == record["period"]] or (same if len(same) == 1 else [])
        if not same or record["value"] is None or same[0]["value"] is None:
            continue
        numbers = {"value": record["value"], "previous": same[0]["value"]}
        numbers |= dict.fromkeys(_NUMBERS) | {"difference": record["value"] - same[0]["value"]}
        records.append({**{name: record[name] for name in _SAME}, **numbers, "method": STORED})
    return records


def compare_run(
    page: Page, notebook: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], last: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Say with what a run's numbers were compared; with the last run's, if the notebook could not go back itself.

    Parameters
    ----------
    page : Page
        Gets a part for what is only stored.
    notebook : mapping
        As executed.
    metrics : sequence of mapping
        The run's records.
    last : mapping or None
        metrics.json of the last good run.

    Returns
    -------
    dict
        For metrics.json.
    """
    about = page.cover.get("comparison")
    with language(page.cover["language"]):
        if about is not None and about["reason"] is None:
            days = {"start": about["start"], "end": about["end"], "run": None, "reason": None}
            return {"kind": RECOMPUTED, **days, "records": collect_comparison(notebook)}
        reason = about["reason"] if about else say("reports.before_unknown")
        found = {"start": None, "end": None, "run": None, "reason": reason}
        if last is None:
            _add_part(page, [say("reports.no_run_before", reason=reason)], [])
            return {"kind": "none", **found, "records": []}
        records = stored_records(metrics, last["records"])
        _add_part(page, [_of_run(last["period"], reason)], records)
        days = {name: last["period"][name] for name in ("start", "end")}
        return {"kind": STORED, **found, **days, "run": last["run"], "records": records}


def _of_run(period: Mapping[str, Any], reason: str) -> str:
    if period["start"] is None:
        return say("reports.stored_run", reason=reason)
    starts, ends = (pd.Timestamp(period[name]) for name in ("start", "end"))
    last = (ends - pd.Timedelta(1, "us")).date()
    return say("reports.stored", starts_at=starts.date(), ends_at=last, reason=reason)


def _add_part(page: Page, sentences: list[str], records: Sequence[Mapping[str, Any]]) -> None:
    """Add a part before the last one, which is about the data."""
    title = say("reports.against_stored")
    pieces: list[dict[str, Any]] = [{"kind": "note", "paragraphs": sentences}]
    if records:
        block = {"html": stored_table(records), "caption": title, "rows": len(records)}
        pieces.append(table_piece(block, pieces))
    page.sections.insert(max(0, len(page.sections) - 1), Section("part-stored", title, pieces))


def stored_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Lay plain differences out as a table, in the language of the moment."""
    rows = [
        {
            "compared": _name(record),
            word("reports.before"): format_value(record["name"], record["previous"]),
            word("reports.now"): format_value(record["name"], record["value"]),
            "difference": format_value(_of_difference(record["name"]), record["difference"]),
        }
        for record in records
    ]
    return str(html_table(pd.DataFrame(rows), max_rows=None))


def _name(record: Mapping[str, Any]) -> str:
    step, _, measured = record["name"].rpartition(".")
    name = f"{word(step)}: {label(measured)}" if step else label(measured)
    return f"{name} ({record['segment']})" if record["segment"] else name


def _of_difference(name: str) -> str:
    return "rate_difference" if name.endswith(("rate", "share", "survival")) else "difference"


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if value is None or (isinstance(value, float) and not np.isfinite(value)) else value
