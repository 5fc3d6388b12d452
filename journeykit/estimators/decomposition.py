"""What the change of a rate is made of: another mix of customers, or other rates among the same kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.proportions import Floats, divide

REPLICATES = 2000
SEED = 19550
PATTERN = ("group_a", "x_a", "n_a", "group_b", "x_b", "n_b")
"""A customer's part in both rates: their group (-1: none), successes and units, in a and in b."""
_AT_ONCE = 2_000_000


def separate_patterns(counts_a: Any, counts_b: Any) -> pd.DataFrame:
    """Patterns of two sets of customers who have nobody in common and count once.

    Parameters
    ----------
    counts_a, counts_b : array of int, shape (2, groups)
        Customers in each group, and how many of them succeeded.

    Returns
    -------
    DataFrame
        The columns of `PATTERN`, and `customers`.
    """
    parts = []
    for side, (base, back) in (("a", np.asarray(counts_a)), ("b", np.asarray(counts_b))):
        other = "b" if side == "a" else "a"
        for x, customers in ((1, back), (0, base - back)):
            own = {f"group_{side}": np.arange(len(base)), f"x_{side}": x, f"n_{side}": 1}
            parts.append(pd.DataFrame(own | {f"group_{other}": -1, f"x_{other}": 0, f"n_{other}": 0}))
            parts[-1]["customers"] = customers
    table = pd.concat(parts, ignore_index=True)
    return table.loc[table["customers"] > 0, [*PATTERN, "customers"]].reset_index(drop=True)


def split_change(names: list[str], patterns: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Split the difference of two overall rates by group into mix and rate effects.

    The overall rate is the sum over groups of share × rate. The *mix* effect
    of a group is what the change of its share adds, at the mean of its two
    rates less the overall one; its *own* effect, what the change of its rate
    adds, at the mean of its two shares. Together they are the whole change:
    nothing is left over.

    Parameters
    ----------
    names : list of str
        Groups, in the order of their numbers.
    patterns : DataFrame
        `customers` by pattern (`PATTERN`): additive over customers.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        One row a group and, last, `"overall"`: `base_a`, `a_share`, `a_rate`,
        the same of b, `mix_rate_difference`, `own_rate_difference` and their
        sum `rate_difference`, each with its interval.

    Notes
    -----
    Kitagawa (1955), Journal of the American Statistical Association 50:1168,
    with the group's rate taken less the overall one, so that a group's mix
    effect does not hang on where rates begin to count. A group that one side
    only has is all mix. Intervals: percentiles of a customer bootstrap. With a
    Poisson(1) weight a customer, the weight of all who share a pattern is a
    Poisson number, and is drawn directly.

    Examples
    --------
    >>> patterns = separate_patterns([[80, 20], [40, 2]], [[40, 60], [20, 12]])
    >>> effects = ["segment", "mix_rate_difference", "own_rate_difference", "rate_difference"]
    >>> split_change(["app", "web"], patterns, 0.95)[effects].round(3)
       segment  mix_rate_difference  own_rate_difference  rate_difference
    0      app               -0.056                 0.00           -0.056
    1      web               -0.084                 0.04           -0.044
    2  overall               -0.140                 0.04           -0.100
    """
    patterns = patterns.groupby(list(PATTERN))[["customers"]].sum().reset_index()  # the order that draws are made in
    (base_a, back_a), (base_b, back_b) = (_sums(patterns, len(names), side) for side in "ab")
    found = effects(base_a, back_a, base_b, back_b)
    replicates = effects(*_draw(patterns, len(names)))
    tail = (1 - confidence) / 2
    table = pd.DataFrame({"segment": [*names, "overall"]})
    for end, base, back in (("a", base_a, back_a), ("b", base_b, back_b)):
        table[f"base_{end}"] = np.append(base, base.sum()).astype(np.int64)
        table[f"{end}_share"] = divide(table[f"base_{end}"], base.sum())
        table[f"{end}_rate"] = divide(np.append(back, back.sum()), table[f"base_{end}"])
    for i, name in enumerate(("mix_rate_difference", "own_rate_difference", "rate_difference")):
        known = ~np.isnan(replicates[i]).all(axis=0)  # in a replicate without a base nothing is known
        bounds = np.full((2, len(table)), np.nan)
        bounds[:, known] = np.nanquantile(replicates[i][:, known], [tail, 1 - tail], axis=0)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = found[i], *bounds
    return table


def _sums(patterns: pd.DataFrame, groups: int, side: str) -> tuple[Floats, Floats]:
    """Units and successes of each group."""
    inside = patterns[patterns[f"group_{side}"] >= 0]
    group, customers = inside[f"group_{side}"].to_numpy(), inside["customers"].to_numpy()
    n, x = (inside[f"{what}_{side}"].to_numpy(dtype=float) * customers for what in "nx")
    return np.bincount(group, n, groups).astype(float), np.bincount(group, x, groups).astype(float)


def _draw(patterns: pd.DataFrame, groups: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Bootstrap replicates of the sums, of shape (replicates, groups)."""
    rng = np.random.default_rng(SEED)
    sums = np.zeros((4, REPLICATES, groups))
    size = max(1, _AT_ONCE // REPLICATES)
    for start in range(0, len(patterns), size):
        part = patterns.iloc[start : start + size]
        drawn = rng.poisson(part["customers"].to_numpy(), (REPLICATES, len(part)))
        for i, (what, side) in enumerate((("n", "a"), ("x", "a"), ("n", "b"), ("x", "b"))):
            group = part[f"group_{side}"].to_numpy()
            amounts = np.zeros((len(part), groups))
            amounts[group >= 0, group[group >= 0]] = part.loc[group >= 0, f"{what}_{side}"]
            sums[i] += drawn @ amounts
    return sums[0], sums[1], sums[2], sums[3]


def effects(base_a: Any, back_a: Any, base_b: Any, back_b: Any) -> tuple[Floats, Floats, Floats]:
    """Mix, own and total effect of each group and, last, of all; groups along the last axis."""

    def parts(base: Any, back: Any) -> tuple[Floats, Floats]:
        total = np.asarray(base).sum(axis=-1, keepdims=True)
        return divide(base, total), divide(back, base)

    (share_a, rate_a), (share_b, rate_b) = parts(base_a, back_a), parts(base_b, back_b)
    # Who is on one side only has a rate there only: all of their effect is the mix.
    rate_a, rate_b = np.where(np.isnan(rate_a), rate_b, rate_a), np.where(np.isnan(rate_b), rate_a, rate_b)
    rate_a, rate_b = np.nan_to_num(rate_a), np.nan_to_num(rate_b)
    middle = (rate_a + rate_b) / 2
    overall = ((share_a + share_b) / 2 * middle).sum(axis=-1, keepdims=True)
    mix = (share_b - share_a) * (middle - overall)
    own = (share_a + share_b) / 2 * (rate_b - rate_a)

    def with_sum(effect: Floats) -> Floats:
        return np.concatenate([effect, effect.sum(axis=-1, keepdims=True)], axis=-1)

    return with_sum(mix), with_sum(own), with_sum(mix + own)
