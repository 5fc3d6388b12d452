"""index.html: every run, newest first, with headline numbers and where they have been going."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from journeykit.reports.folders import FAILED, write_whole
from journeykit.reports.history import read_history
from journeykit.reports.render import TEMPLATE, policy, style
from journeykit.text import current_language, direction, format_value, label, say, word

_TREND: Final = 30
"""Runs that a trend line shows."""


@dataclass(frozen=True)
class Card:
    """A report at its newest good run.

    Attributes
    ----------
    title, report : str
    headline : str
    numbers : list of tuple
        Label, value in words, and the points of its trend line.
    link : str or None
        The page, if its folder is still there.
    failed_since : int
        Runs that failed after it.
    """

    title: str
    report: str
    headline: str
    numbers: list[tuple[str, str, str]]
    link: str | None
    failed_since: int


def write_index(out: Path, exists: Callable[[str], bool] | None = None) -> Path:
    """Write index.html from the history; ask only while holding the lock of `out`.

    Parameters
    ----------
    out : Path
        The folder of all reports.
    exists : callable, optional
        Whether a path in it is there; looked up here unless given.
    """
    records = list(reversed(read_history(out)))
    there = exists or (lambda path: (out / path).is_file())
    rows = [{**record, "link": _link(record, there)} for record in records]
    html = _template().render(
        cards=_cards(rows),
        rows=rows,
        say=say,
        language=current_language(),
        direction=direction(),
        policy=policy(),
        style=style(),
    )
    path = out / "index.html"
    write_whole(path, html)
    return path


def _cards(rows: Sequence[Mapping[str, Any]]) -> list[Card]:
    cards = []
    for report in sorted({str(row["report"]) for row in rows}):
        runs = [row for row in rows if row["report"] == report]
        good = [row for row in runs if row["outcome"] == "ok"]
        if not good:
            cards.append(Card(report, report, say("reports.never_ok"), [], None, len(runs)))
            continue
        newest = good[0]
        numbers = [_number(number, good) for number in newest.get("numbers", [])]
        cards.append(
            Card(
                newest.get("title") or report,
                report,
                newest.get("headline") or "",
                numbers,
                newest["link"],
                runs.index(newest),
            )
        )
    return cards


def _number(number: Mapping[str, Any], good: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Label, value with its interval, and the trend over the last runs."""
    same = [_find(number, row) for row in good[:_TREND]]
    values = [other["value"] for other in reversed(same) if other is not None and other["value"] is not None]
    shown = format_value(number["name"], _nan(number["value"]))
    if number["low"] is not None and number["high"] is not None:
        ends = (format_value(number["name"], number[end], unit=False) for end in ("low", "high"))
        shown += f" [{', '.join(ends)}]"
    step, _, measured = number["name"].rpartition(".")
    name = f"{label(measured)}: {word(step)}" if step else label(measured)
    return (f"{name} ({number['segment']})" if number["segment"] else name), shown, spark_points(values)


def _find(number: Mapping[str, Any], row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    key = ("name", "segment", "definition")
    return next((other for other in row.get("numbers", []) if all(other[k] == number[k] for k in key)), None)


def spark_points(values: Sequence[float], width: int = 96, height: int = 24) -> str:
    """Lay out a trend line as points of an SVG polyline; nothing to see with fewer than two values.

    Examples
    --------
    >>> spark_points([1, 2, 3], width=100, height=20)
    '2.0,18.0 50.0,10.0 98.0,2.0'
    """
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = high - low or 1.0
    step = (width - 4) / (len(values) - 1)
    middle = high == low
    return " ".join(
        f"{2 + i * step:.1f},{height / 2 if middle else height - 2 - (value - low) / span * (height - 4):.1f}"
        for i, value in enumerate(values)
    )


def _link(record: Mapping[str, Any], exists: Callable[[str], bool]) -> str | None:
    """The page of a good run, the log of a failed one; None when its folder has gone."""
    good = record["outcome"] == "ok"
    name = f"{record['run']}/report.html" if good else f"{record['run']}{FAILED}/run.log"
    path = f"{record['report']}/{name}"
    return path if exists(path) else None


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATE)),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("runs.html.j2")
