"""What tenures and curves of them have in common: groups, their order, and what leaving means in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd

from journeykit.analyses.churn.rules import OVERALL, whole_days
from journeykit.errors import ParameterError
from journeykit.journey.groups import require_group
from journeykit.results.base import Result
from journeykit.text import say, word


@dataclass(frozen=True, eq=False, repr=False)
class ChurnResult(Result):
    """A result whose `events` are ends of tenures, not interactions."""

    topic: ClassVar[str] = "churn"


NOT_INTERACTIONS: Final = {"events": "ended", "event": "ended"}
"""What survival analysis calls events is shown under another name."""


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Take a frame apart into rows by name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def segment(row: Mapping[Any, Any]) -> str:
    """Name a segment in metric records: nothing where nothing splits."""
    return str(row.get("segment", ""))


def by_segment(frame: pd.DataFrame, by: Any) -> pd.DataFrame:
    """Name the groups of a frame for its reader: `segment` where something splits them, nothing where not."""
    if "group" not in frame:
        return frame
    return frame.rename(columns={"group": "segment"}) if by else frame.drop(columns="group")


def unit_of(params: Mapping[str, Any]) -> str:
    """Tell what ages are counted in: days, or the terms of a contract."""
    return "terms" if params.get("churn") == "contract" else "days"


def age(value: Any, unit: str) -> Any:
    """Read an age: a duration of whole days, or a number in the durations' own unit."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        if not 0 <= value < np.inf:
            raise ParameterError(f"an age must be 0 or more, got {value!r}")
        return value
    if unit == "terms":
        raise ParameterError(f"ages of a contract are counted in terms, say a number of them, got {value!r}")
    return whole_days(value, name="age")


IN_DAYS = ("comeback_days", "limit_days", "at_risk_days")
"""What is counted in days whatever the unit of ages."""


def in_unit(frame: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Name the columns of ages by their unit."""
    if unit == "days":
        return frame
    names = {
        name: re.sub(r"_days(?=$|_low$|_high$)", f"_{unit}", name)
        for name in map(str, frame.columns)
        if not name.startswith(IN_DAYS)
    }
    return frame.rename(columns=names)


def groups_of(table: pd.DataFrame) -> pd.Series:
    """Tell the group of each row as a categorical: one for all where nothing splits them."""
    if "segment" in table:
        return table["segment"]
    codes = np.zeros(len(table), np.int8)
    return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index([OVERALL]), ordered=True), table.index)


def require_segment(log: Any, by: Any) -> None:
    """Raise unless `by` is None or a column that the log can be split by."""
    if not isinstance(by, str | None):
        raise ParameterError(f"by must be one column of the log, got {by!r}")
    require_group(log, by)


def nobody(left_out: pd.DataFrame, what: str) -> ParameterError:
    """Say that nobody is left, and why."""
    reasons = [f"{n:,} {word(reason, language='en')}" for reason, n in left_out[["reason", "customers"]].to_numpy()]
    return ParameterError(f"there is nobody {what}: {'; '.join(reasons) or 'the log has no customers'}")


def rule_sentences(params: Mapping[str, Any], seen_at_start: int) -> list[str]:
    """Say what leaving means, who is counted, and whose clock may start too late."""
    sentences = []
    if params["limit_days"]:
        sentences.append(say(f"churn.rule_{params['dated']}", limit_days=params["limit_days"]))
    elif params.get("churn") == "contract":
        kind = "rule_contract" if params["grace_days"] else "rule_contract_strict"
        sentences.append(say(f"churn.{kind}", grace_days=params["grace_days"]))
    first, end = params.get("between") or (None, None)
    if first or end:
        kind = "range_note" if first and end else "range_from_note" if first else "range_before_note"
        dates: dict[str, Any] = {name: pd.Timestamp(day) for name, day in (("first", first), ("end", end)) if day}
        sentences.append(say(f"churn.{kind}", **dates))
    if params.get("covariate_window_days"):
        sentences.append(say("churn.window_note", window_days=params["covariate_window_days"]))
    if seen_at_start:
        within = params.get("seen_within_days") or params["limit_days"]
        sentences.append(say("churn.seen_at_start_note", customers=seen_at_start, limit_days=within))
    return sentences
