"""Limits for the numbers of a report: what lies outside is marked on the page and told to whoever waits for it."""

from __future__ import annotations

import json
import shlex
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from journeykit.errors import ParameterError
from journeykit.schema import did_you_mean
from journeykit.text import format_value, label, say


@dataclass(frozen=True)
class Threshold:
    """What one metric of a report may be.

    Attributes
    ----------
    metric, segment, period : str
        Which record of metrics.json; segment and period empty for the whole.
    report : str, optional
        In which report; in every one that has the metric if not said.
    min, max : float, optional
        The value must not lie below, or above.
    max_fall, max_rise : float, optional
        By what share of its last good value it may have fallen or risen:
        0.1 is a tenth.
    min_n : int
        With fewer than so many behind it, a value is not judged.
    """

    metric: str
    segment: str = ""
    period: str = ""
    report: str | None = None
    min: float | None = None
    max: float | None = None
    max_fall: float | None = None
    max_rise: float | None = None
    min_n: int = 0


@dataclass(frozen=True)
class Breach:
    """A threshold that was breached: which, how, and in words."""

    metric: str
    segment: str
    period: str
    value: float | None
    n: int | None
    limit: float | None
    kind: str

    def sentence(self) -> str:
        """Say it in the language of the moment."""
        name = label(self.metric)
        shown = {"name": f"{name} ({self.segment})" if self.segment else name}
        if self.limit is None or self.value is None:
            return say(f"reports.breach_{self.kind}", **shown)
        shown["value"] = format_value(self.metric, self.value)
        shown["limit"] = format_value("share" if self.kind in ("fall", "rise") else self.metric, self.limit)
        return say(f"reports.breach_{self.kind}", **shown)


def read_thresholds(path: Path) -> list[Threshold]:
    """Read thresholds from a TOML file: an array of tables `[[threshold]]`.

    Raises
    ------
    ParameterError
        If it can't be read, or a table says something that is not understood:
        a misspelt limit would never be breached.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"cannot read {path}: {error}") from error
    tables = read.get("threshold", [])
    if set(read) != {"threshold"} or not isinstance(tables, list):
        raise ParameterError(f"{path} must hold tables [[threshold]] and nothing else, got {sorted(read)}")
    return [_read(table, f"{path}, threshold {number}") for number, table in enumerate(tables, start=1)]


def check_reports(thresholds: Iterable[Threshold], running: Iterable[str]) -> None:
    """Refuse a limit for a report that there isn't; one that doesn't run this time is not judged.

    Raises
    ------
    ParameterError
    """
    from journeykit.reports.plan import standard_reports

    known = sorted({*standard_reports(), *running})
    for threshold in thresholds:
        if threshold.report is not None and threshold.report not in known:
            raise ParameterError(
                f"a limit for {threshold.metric} names the report {threshold.report!r}: "
                f"{did_you_mean(threshold.report, known)}"
            )


def never_found(thresholds: Iterable[Threshold], runs: Sequence[list[dict[str, Any]]]) -> list[str]:
    """Say which limits for any report fit no metric of several: a misspelt one must not pass for kept.

    Parameters
    ----------
    thresholds : iterable of Threshold
    runs : sequence of list of dict
        The metrics of each report. With one only, `judge` has told already.
    """
    if len(runs) < 2:
        return []
    records = [record for run in runs for record in run]
    return [
        _breach(each, None, None, "missing").sentence() + _nearest(each, records)
        for each in thresholds
        if each.report is None and _find(each, records) is None
    ]


def _nearest(threshold: Threshold, records: Sequence[Mapping[str, Any]]) -> str:
    """Name the metric that may have been meant."""
    names = sorted({record["name"] for record in records})
    if threshold.metric in names:
        found = {(record["segment"], record["period"]) for record in records if record["name"] == threshold.metric}
        listed = ", ".join(f"segment {segment!r} period {period!r}" for segment, period in sorted(found)[:3])
        return f" ({threshold.metric} has {listed})"
    return f" ({did_you_mean(threshold.metric, names)})" if names else ""


def judge(
    thresholds: Iterable[Threshold],
    report: str,
    records: list[dict[str, Any]],
    before: list[dict[str, Any]] | None,
    *,
    alone: bool = False,
) -> list[Breach]:
    """Compare a run's metrics with their limits.

    Parameters
    ----------
    thresholds : iterable of Threshold
    report : str
        The report's name.
    records : list of dict
        The run's metrics.
    before : list of dict or None
        Those of the last good run; None if there is none, then nothing has
        fallen or risen.
    alone : bool
        Whether no other report runs: then a limit for any report must find
        its metric here.

    Returns
    -------
    list of Breach
        A metric that a threshold names but that isn't there is a breach, too:
        a limit must not fall silent.

    Examples
    --------
    >>> record = {"name": "reach_rate", "segment": "", "period": "", "value": 0.2, "n": 500}
    >>> judge([Threshold("reach_rate", min=0.25)], "overview", [record], None)[0].sentence()
    'reach rate is 20.0%, below its limit of 25.0%'
    """
    breaches = []
    for threshold in thresholds:
        if threshold.report not in (None, report):
            continue
        found = _find(threshold, records)
        if found is None:
            if threshold.report == report or alone:
                breaches.append(_breach(threshold, None, None, "missing"))
            continue
        if (found["n"] if found["n"] is not None else threshold.min_n) < threshold.min_n:
            continue
        breaches += _judge_one(threshold, found, _find(threshold, before or []))
    return breaches


def tell(command: str, breaches: Mapping[str, Any]) -> int:
    """Run a command with what happened as JSON on its standard input; return its exit code."""
    text = json.dumps(breaches, ensure_ascii=False)
    return subprocess.run(shlex.split(command), input=text, text=True, check=False).returncode


def _judge_one(threshold: Threshold, found: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[Breach]:
    value = found["value"]
    if value is None:
        return [_breach(threshold, found, None, "no_value")]
    last = None if before is None else before["value"]
    fall, rise = threshold.max_fall, threshold.max_rise
    tests = {
        "below": (threshold.min, threshold.min is not None and value < threshold.min),
        "above": (threshold.max, threshold.max is not None and value > threshold.max),
        "fall": (fall, fall is not None and last is not None and value < last - fall * abs(last)),
        "rise": (rise, rise is not None and last is not None and value > last + rise * abs(last)),
    }
    return [_breach(threshold, found, limit, kind) for kind, (limit, broken) in tests.items() if broken]


def _breach(threshold: Threshold, found: Mapping[str, Any] | None, limit: float | None, kind: str) -> Breach:
    value, n = (None, None) if found is None else (found["value"], found["n"])
    return Breach(threshold.metric, threshold.segment, threshold.period, value, n, limit, kind)


def _find(threshold: Threshold, records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    key = (threshold.metric, threshold.segment, threshold.period)
    return next((each for each in records if (each["name"], each["segment"], each["period"]) == key), None)


def _read(table: Any, where: str) -> Threshold:
    known = [each.name for each in fields(Threshold)]
    for name, value in dict(table).items():
        if name not in known:
            raise ParameterError(f"{where} has {name!r}: {did_you_mean(name, known)}")
        number = name not in ("metric", "segment", "period", "report")
        if isinstance(value, bool) or not isinstance(value, int | float if number else str):
            raise ParameterError(f"{where}: {name} must be {'a number' if number else 'text'}, got {value!r}")
    if "metric" not in table:
        raise ParameterError(f"{where} must name its metric")
    if not any(name in table for name in ("min", "max", "max_fall", "max_rise")):
        raise ParameterError(f"{where} must set one of min, max, max_fall, max_rise")
    return Threshold(**table)
