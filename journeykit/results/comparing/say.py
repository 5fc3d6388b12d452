"""What a comparison says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.text import current_language, format_value, say, word
from journeykit.text.catalogue import Words
from journeykit.text.decimals import bracketed
from journeykit.text.names import isolated_number
from journeykit.text.numbers import kind_of

if TYPE_CHECKING:
    from journeykit.results.comparing.result import CompareResult

SAID = {
    "disjoint customers": "disjoint",
    "shared customers": "shared",
    "shared customers, not scored": "unscored",
    "customers not known": "plain",
}
"""The sentence about each method."""


def row_words(result: CompareResult, row: dict[Any, Any], *, measure: bool = True) -> str:
    """Name a row: its keys, and what is measured."""
    name: str = word(str(row["measure"])) if measure else ""
    for key in reversed(result.keys):
        value = row.get(key, "")
        if value == "":  # all of them together
            continue
        said = word(value) if isinstance(value, str) and not value.isdigit() else _numbered(key, value)
        name = say("core.list_name", name=said, text=name) if name else said
    return name


def _numbered(key: str, value: Any) -> str:
    return say("compare.key", key=word(key), value=_isolated(format_value(key, value, unit=False)))


def difference_words(row: dict[Any, Any]) -> str:
    """Show a difference and its interval in the unit of what is measured."""
    name, ends = str(row["measure"]), [row["difference_low"], row["difference_high"]]
    found = _isolated(_signed(name, row["difference"], unit=True))
    if np.isnan(ends).any():
        return found
    low, high = (_signed(name, end, unit=False) for end in ends)
    return say("compare.with_interval", estimate=found, bounds=_isolated(bracketed(low, high, current_language())))


def _signed(measure: str, value: float, *, unit: bool) -> str:
    kind = kind_of(measure)
    if kind not in ("days", "seconds"):
        return format_value("rate_difference" if kind == "percent" else "difference", value, unit=unit)
    shown = format_value(measure, -abs(value), unit=unit)  # durations have no plus of their own
    return shown.replace("-", "+", 1) if value > 0 else shown


def _isolated(shown: str) -> str:
    """Keep a number's direction in a sentence, which would take plain text for a name."""
    return Words(isolated_number(shown, current_language()))


def described(result: CompareResult) -> str:
    """Say what differs, of how many, and how that is known."""
    summary = result.summary.iloc[0]
    sentences = _differences(result)
    if summary["comparisons"] > 1:
        counts: dict[str, Any] = {"n": int(summary["comparisons"]), "differing": int(summary["differing"])}
        sentences.append(say("compare.family", **counts, confidence=result.params["confidence"]))
    shared = summary["customers_shared"]
    customers: dict[str, Any] = {} if pd.isna(shared) else {"customers": int(shared)}
    sentences.append(say(f"compare.{SAID[summary['method']]}", **customers))
    sentences += _split(result)
    sentences += _sample_ratio(result)
    return " ".join(sentences)


def main_row(result: CompareResult) -> Any:
    """Position of the row that a reader asks for first, if it has a difference; else the first that has one."""
    known = result.table.index[result.table["difference"].notna()]
    if not len(known):
        return None
    return result.main if result.main in known else known[0]


def _differences(result: CompareResult) -> list[str]:
    """The main difference; and the surest, where that is another one which holds."""
    main = main_row(result)
    if main is None:
        return [say("compare.nothing")]
    sentences = _one(result, main)
    holm = result.table["p_value_holm"]
    if holm.notna().any():
        surest: Any = result.table["p_value"].idxmin()
        if surest != main and holm[surest] < 1 - result.params["confidence"]:
            sentences += [say("compare.surest"), *_one(result, surest)]
    return sentences


def _one(result: CompareResult, place: Any) -> list[str]:
    row = result.table.loc[place].to_dict()
    a, b = result.params["names"]
    shown = {f"value_{side}": _isolated(format_value(str(row["measure"]), row[f"estimate_{side}"])) for side in "ab"}
    values: dict[str, Any] = {"what": row_words(result, row), "a": a, "b": b, **shown}
    said = say("compare.difference", **values, shown_difference=difference_words(row))
    if np.isnan(row["p_value_holm"]):
        return [said]
    return [said, say("compare.p_value", p_value=row["p_value_holm"])]


def _split(result: CompareResult) -> list[str]:
    """What the mix did to the main rate, or else to the first that is split."""
    if result.split.empty:
        return []
    row: Any = result.main_split().iloc[-1]
    a, b = result.params["names"]
    what = row_words(result, {**row.to_dict(), "segment": ""})
    return [say("compare.split", what=what, a=a, b=b, **{str(name): value for name, value in row.items()})]


def _sample_ratio(result: CompareResult) -> list[str]:
    summary = result.summary.iloc[0]
    if "sample_ratio_off" not in result.summary:
        return []
    key = "ratio_off" if summary["sample_ratio_off"] else "ratio_holds"
    a, b = result.params["names"]
    numbers: dict[str, Any] = {name: int(summary[name]) for name in ("arm_a", "arm_b")}
    numbers |= {name: round(float(summary[name])) for name in ("expected_a", "expected_b")}
    said = [say(f"compare.{key}", a=a, b=b, **numbers, p_value=summary["sample_ratio_p_value"])]
    shared = summary["customers_shared"]
    if not pd.isna(shared) and shared:  # an arm's customers should be in no other
        said.append(say("compare.in_both_arms", customers=int(shared)))
    return said
