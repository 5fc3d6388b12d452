"""What is counted for drivers over any set of whole customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.journey.first_attempts import Attempts
from journeykit.journey.kinds import step_kinds
from journeykit.log.interactions import InteractionLog, label_codes
from journeykit.loops import over_customers
from journeykit.loops.exposures import count_exposed, mark_exposed
from journeykit.schema import MISSING, UNMAPPED

WHOLE = -1
"""In the place of a landmark: the usual, biased, form that looks at the whole attempt."""


@dataclass(frozen=True)
class Question:
    """What is asked: the attempts, what may drive them, and until when it is looked for.

    `landmark` is in microseconds after the entry, or `WHOLE`.
    """

    attempts: Attempts
    of: str
    landmark: int


@dataclass(frozen=True)
class Watched:
    """One entry a customer: where exposure counts, `(after, until]`, and what came of it (-1: not in the base)."""

    after: NDArray[np.int64]
    until: NDArray[np.int64]
    converted: NDArray[np.int8]


def count_times(log: InteractionLog, attempts: Attempts) -> pd.DataFrame:
    """Tally: customers who converted, by microseconds from the entry, of mature entries."""
    found = attempts.find(log)
    inside = found[found["mature"] & (found["steps"] == len(attempts.steps))]
    taken = (inside["converted_at"] - inside["entered_at"]).rename("microseconds")
    return taken.groupby(taken).size().rename("customers").to_frame()


def watched(log: InteractionLog, question: Question) -> tuple[Watched, dict[str, int]]:
    """Find who is in the base and for how long; and count those who are not."""
    attempts, n = question.attempts, log.n_customers
    found = attempts.find(log)
    mature = found["mature"].to_numpy()
    entered, converted_at = found["entered_at"].to_numpy(), found["converted_at"].to_numpy()
    converts = found["steps"].to_numpy() == len(attempts.steps)
    if question.landmark == WHOLE:
        early = np.zeros(len(found), dtype=bool)
        # The conversion itself, and what comes at the same instant, is not before it.
        until = np.where(converts, converted_at - 1, entered + attempts.within)
    else:
        until = entered + question.landmark
        early = mature & converts & (converted_at <= until)
    base = mature & ~early
    result = Watched(np.zeros(n, np.int64), np.zeros(n, np.int64), np.full(n, -1, np.int8))
    who = found["customer_code"].to_numpy()[base]
    result.after[who], result.until[who], result.converted[who] = entered[base], until[base], converts[base]
    counted = {
        "entered": len(found),
        "immature": int((~mature).sum()),
        "early": int(early.sum()),
        "lost": int((base & ~converts).sum()),
        "converted": int((base & converts).sum()),
    }
    return result, counted


def count(log: InteractionLog, question: Question) -> pd.DataFrame:
    """Tally: customers of each kind (part "base"), and of those with each driver (part "driver") who converted."""
    spans, counted = watched(log, question)
    codes, names = driver_codes(log, question)
    parts = over_customers(
        lambda a, b: count_exposed(
            codes, log.times, log.offsets, spans.after, spans.until, spans.converted, len(names), a, b
        ),
        log.offsets,
    )
    exposed = np.sum(parts, axis=0)
    some = np.flatnonzero(exposed.sum(axis=1))
    keys = [*(("base", name) for name in counted), *(("driver", str(name)) for name in names[some])]
    numbers = np.vstack([[[0, number] for number in counted.values()], exposed[some]])
    index = pd.MultiIndex.from_tuples(keys, names=["part", "name"])
    return pd.DataFrame(numbers, index=index, columns=["lost", "converted"])


def driver_codes(log: InteractionLog, question: Question) -> tuple[NDArray[np.int32], pd.Index]:
    """Code of each event's possible driver; -1 where it has none or is a later step of the way itself."""
    codes, names = label_codes(log, question.of)
    nothing = names.isin([MISSING, UNMAPPED])
    kinds, has_step = step_kinds(log, question.attempts.steps[1:])
    own = nothing[codes] | (has_step[:, 0] > 0)[kinds]
    return np.where(own, np.int32(-1), codes).astype(np.int32), names


def list_customers(log: InteractionLog, question: Question, driver: str | None, outcome: bool | None) -> pd.DataFrame:
    """Tally: the customers of the base with a driver (None: all of it), by id."""
    spans, _ = watched(log, question)
    marks = np.ones(log.n_customers, np.uint8)
    if driver is not None:
        codes, names = driver_codes(log, question)
        wanted = int(names.get_indexer(pd.Index([driver], dtype=object))[0])
        if wanted < 0:  # nobody of a bucket: -1 would be the code of events that are no driver
            wanted = len(names)
        over_customers(
            lambda a, b: mark_exposed(codes, log.times, log.offsets, spans.after, spans.until, wanted, marks, a, b),
            log.offsets,
        )
    chosen = (marks > 0) & (spans.converted >= 0 if outcome is None else spans.converted == int(outcome))
    return pd.DataFrame({"n": 1}, index=log.customers[chosen])
