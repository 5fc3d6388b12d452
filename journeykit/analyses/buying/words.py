"""What models of repeat buying of several segments say, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.text import say, word

_FAR = 100.0
"""A parameter whose bounds are so many times apart is hardly told by the data."""

MOST = 6
"""Segments that are spoken of, the largest first."""


def segment_sentences(result: Any) -> list[str]:
    """Say of each segment what is expected, and whether they differ."""
    rows = result.summary.sort_values("customers", ascending=False, kind="stable").head(MOST)
    sentences = [
        say(
            "buying.of_segment", **{str(name): value for name, value in row.items()} | {"segment": word(row["segment"])}
        )
        for row in rows.to_dict("records")
    ]
    if len(result.segments) > MOST:
        sentences.append(say("buying.more_segments", segments=len(result.segments) - MOST))
    test = result.comparison[result.comparison["measure"] == "one_for_all"]
    if len(test):
        differ = test["p_value"].item() < 1 - result.params["confidence"]
        sentences.append(say(f"buying.{'differ' if differ else 'alike'}", p_value=test["p_value"].item()))
    for name, model in result.segments.items():
        sentences += [
            say("buying.about_segment", segment=word(name), sentence=told) for told in untold_sentences(model.table)
        ]
    return [*sentences, say("buying.assumes")]


def untold_sentences(table: pd.DataFrame) -> list[str]:
    """Name the parameters that the data do not tell, or hardly."""
    sentences = []
    low, high = table["estimate_low"], table["estimate_high"]
    flat = (low == 0) | np.isinf(high)
    for kind, which in (("flat", flat), ("loose", ~flat & (high > _FAR * low))):
        if which.any():
            sentences.append(say(f"buying.{kind}", parameters=table.loc[which, "parameter"].tolist()))
    return sentences
