"""What a change from one cohort to another is made of: other customers, or the same kind coming back less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.retention.counting import Floats
from journeykit.estimators.proportions import divide

REPLICATES = 2000


def split_table(names: list[str], counts_a: Any, counts_b: Any, confidence: float) -> pd.DataFrame:
    """Split the difference of two overall rates by segment.

    Parameters
    ----------
    names : list of str
        Segments.
    counts_a, counts_b : array of int, shape (2, segments)
        Base and those back, in each cohort.
    confidence : float
        Coverage of the intervals.
    """
    (base_a, back_a), (base_b, back_b) = (np.asarray(each, dtype=np.int64) for each in (counts_a, counts_b))
    found = _effects(base_a, back_a, base_b, back_b)
    # A Poisson(1) weight for each customer: the weight of those back, and of the others, are Poisson numbers.
    rng = np.random.default_rng(19550)
    drawn = [rng.poisson(each, (REPLICATES, len(names))) for each in (back_a, base_a - back_a, back_b, base_b - back_b)]
    replicates = _effects(drawn[0] + drawn[1], drawn[0], drawn[2] + drawn[3], drawn[2])
    tail = (1 - confidence) / 2
    table = pd.DataFrame({"segment": [*names, "overall"]})
    for end, base, back in (("a", base_a, back_a), ("b", base_b, back_b)):
        table[f"base_{end}"] = np.append(base, base.sum())
        table[f"{end}_share"] = divide(table[f"base_{end}"], base.sum())
        table[f"{end}_rate"] = divide(np.append(back, back.sum()), table[f"base_{end}"])
    for i, name in enumerate(("mix_rate_difference", "own_rate_difference", "rate_difference")):
        table[name] = found[i]
        with np.errstate(invalid="ignore"):
            low, high = np.nanquantile(replicates[i], [tail, 1 - tail], axis=0)
        table[f"{name}_low"], table[f"{name}_high"] = low, high
    return table


def _effects(base_a: Any, back_a: Any, base_b: Any, back_b: Any) -> tuple[Floats, Floats, Floats]:
    """Mix, own and total effect of each segment and, last, of all; segments along the last axis."""

    def parts(base: Any, back: Any) -> tuple[Floats, Floats]:
        return divide(base, base.sum(axis=-1, keepdims=True)), divide(back, base)

    (share_a, rate_a), (share_b, rate_b) = parts(base_a, back_a), parts(base_b, back_b)
    # Who is in one cohort only has a rate there only: all of their effect is the mix.
    rate_a, rate_b = np.where(np.isnan(rate_a), rate_b, rate_a), np.where(np.isnan(rate_b), rate_a, rate_b)
    rate_a, rate_b = np.nan_to_num(rate_a), np.nan_to_num(rate_b)
    middle = (rate_a + rate_b) / 2
    overall = ((share_a + share_b) / 2 * middle).sum(axis=-1, keepdims=True)
    mix = (share_b - share_a) * (middle - overall)
    own = (share_a + share_b) / 2 * (rate_b - rate_a)

    def with_sum(effect: Floats) -> Floats:
        return np.concatenate([effect, effect.sum(axis=-1, keepdims=True)], axis=-1)

    return with_sum(mix), with_sum(own), with_sum(mix + own)
