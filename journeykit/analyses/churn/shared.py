"""What tenures and curves of them have in common: groups, their order, and what leaving means in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from journeykit.results.base import Result
from journeykit.text import html_result, html_table, say, word


@dataclass(frozen=True, eq=False, repr=False)
class ChurnResult(Result):
    """A result whose `events` are ends of tenures, not interactions."""

    topic: ClassVar[str] = "churn"

    def _repr_html_(self) -> str:
        sentences = [self.describe(), *self._left_out_sentences()]
        shown = self._shown().rename(columns={"events": "ended", "event": "ended"})
        return str(html_result(word("churn.title"), sentences, [html_table(shown)]))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Take a frame apart into rows by name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def segment(result: Result, row: Mapping[Any, Any]) -> str:
    """Name a group in metric records: nothing where there is only one."""
    return str(row["group"]) if result.params["by"] else ""


def rule_sentences(params: Mapping[str, Any], seen_at_start: int) -> list[str]:
    """Say what leaving means, and whose clock may start too late."""
    sentences = []
    if params["limit_days"]:
        sentences.append(say(f"churn.rule_{params['dated']}", limit_days=params["limit_days"]))
    if seen_at_start:
        sentences.append(say("churn.seen_at_start_note", customers=seen_at_start, limit_days=params["limit_days"]))
    return sentences
