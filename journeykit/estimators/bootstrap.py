"""Resampling customers by weights that depend on nothing but the customer.

A customer's weight in a replicate is hashed from (seed, replicate, id), so it
is the same in one piece and in any bucket, today and tomorrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.proportions import z_value
from journeykit.schema import check_one_of

Keys = npt.NDArray[np.uint64]

GOLDEN = 0x9E3779B97F4A7C15
BLOCK = 1 << 20


def customer_keys(ids: Any) -> Keys:
    """Hash customer ids, once, to what `poisson_weights` mixes.

    Parameters
    ----------
    ids : array, Series or Index
        Numbers or strings, of any storage: the key is that of the value.

    Returns
    -------
    ndarray of uint64
        `pandas.util.hash_array` of the ids as int64, else as strings.

    Examples
    --------
    >>> customer_keys(["ann", "bob"]).tolist() == customer_keys(pd.Index(["ann", "bob"]).astype("string")).tolist()
    True
    """
    values = pd.Series(ids)
    if values.isna().any():
        raise ParameterError("customer ids must not be missing")
    if isinstance(values.dtype, pd.CategoricalDtype):
        return customer_keys(values.cat.categories)[values.cat.codes.to_numpy()]
    if pd.api.types.is_integer_dtype(values.dtype):
        return pd.util.hash_array(values.to_numpy(dtype=np.int64))
    return pd.util.hash_array(values.astype(str).to_numpy(dtype=object))


def poisson_weights(seed: int, replicate: int, ids: Any) -> npt.NDArray[np.int64]:
    """Weigh customers for one bootstrap replicate: how often each is drawn.

    Parameters
    ----------
    seed : int
        Names the whole bootstrap.
    replicate : int
        1, 2, …
    ids : array
        Customer ids, or their `customer_keys`.

    Returns
    -------
    ndarray of int64
        Poisson(1) weights, one per id: 0 with probability 1/e.

    Notes
    -----
    Drawing C of C customers with replacement gives each a Binomial(C, 1/C)
    weight, which is near Poisson(1); independent weights need no C: Chamandy
    et al. (2012), Estimating uncertainty for massive data streams. The bits
    are SplitMix64's (Steele, Lea & Flood 2014); the weight is the smallest k
    with u < P(Poisson(1) ≤ k).

    Examples
    --------
    >>> whole = poisson_weights(7, 1, ["ann", "bob", "cem", "dee"])
    >>> whole.tolist() == [*poisson_weights(7, 1, ["ann", "bob"]), *poisson_weights(7, 1, ["cem", "dee"])]
    True
    """
    keys = ids if isinstance(ids, np.ndarray) and ids.dtype == np.uint64 else customer_keys(ids)
    stream = _mix(_mix(np.array([seed % 2**64], dtype=np.uint64)) + np.uint64(replicate))
    bits = _mix(keys ^ stream[0])
    return np.searchsorted(_limits(), bits, side="right")


def bootstrap_sums(sums: pd.DataFrame, ids: Any, *, seed: int, replicates: int = 1000) -> pd.DataFrame:
    """Add up per-customer sums in every replicate.

    Parameters
    ----------
    sums : DataFrame
        One row per customer, columns of numbers.
    ids : array
        The customers, row by row.
    seed : int
        Names the whole bootstrap.
    replicates : int
        How many; 1 or more.

    Returns
    -------
    DataFrame
        Index `replicate` from 0 to `replicates`, the columns of `sums`.
        Replicate 0 is the data as they are. Over disjoint sets of whole
        customers these frames add up.

    Examples
    --------
    >>> sums = pd.DataFrame({"orders": [3, 1], "visits": [4, 4]})
    >>> table = bootstrap_sums(sums, ["ann", "bob"], seed=1, replicates=99)
    >>> table.shape, table.loc[0].tolist()
    ((100, 2), [4.0, 8.0])
    """
    if replicates < 1:
        raise ParameterError(f"replicates == {replicates!r}, must be 1 or more")
    values, keys = sums.to_numpy(dtype=float), customer_keys(ids)
    if len(keys) != len(values):
        raise ParameterError(f"sums and ids must have one row a customer, got {len(values)} and {len(keys)}")
    total = np.zeros((replicates + 1, values.shape[1]))
    total[0] = values.sum(axis=0)
    for start in range(0, len(keys), BLOCK):  # blocks that stay in the cache, whatever the log's size
        some, block = keys[start : start + BLOCK], values[start : start + BLOCK]
        for replicate in range(1, replicates + 1):
            total[replicate] += poisson_weights(seed, replicate, some) @ block
    return pd.DataFrame(total, columns=sums.columns, index=pd.RangeIndex(replicates + 1, name="replicate"))


def bootstrap_interval(
    replicated: pd.DataFrame,
    statistic: Callable[[pd.DataFrame], Any],
    confidence: float = 0.95,
    method: Literal["percentile", "basic"] = "percentile",
) -> tuple[float, float, float]:
    """Give a statistic of sums with its bootstrap interval.

    Parameters
    ----------
    replicated : DataFrame
        Of `bootstrap_sums`, added up over the buckets.
    statistic : function
        From the frame of sums to one value per row.
    confidence : float
        Coverage of the interval.
    method : {"percentile", "basic"}
        Percentile: quantiles of the replicates. Basic: these mirrored at the
        estimate.

    Returns
    -------
    estimate, low, high : float
        NaN bounds where more than one replicate in twenty has no value
        (0/0): an interval of the others would be too narrow.

    Notes
    -----
    Davison & Hinkley (1997), eq. 5.6 (basic) and 5.18 (percentile).

    Examples
    --------
    >>> sums = pd.DataFrame({"orders": [3, 1, 0, 2] * 50, "visits": [4, 4, 2, 6] * 50})
    >>> table = bootstrap_sums(sums, range(200), seed=1, replicates=500)
    >>> [round(x, 2) for x in bootstrap_interval(table, lambda row: row["orders"] / row["visits"])]
    [0.38, 0.35, 0.41]
    """
    check_one_of("method", method, ("percentile", "basic"))
    alpha = 1 - confidence if z_value(confidence) else 0.0
    values = np.asarray(statistic(replicated), dtype=float)
    estimate, drawn = float(values[0]), values[1:]
    known = drawn[np.isfinite(drawn)]
    if len(known) < 0.95 * len(drawn):
        return estimate, math.nan, math.nan
    low, high = (float(bound) for bound in np.quantile(known, [alpha / 2, 1 - alpha / 2]))
    return (estimate, low, high) if method == "percentile" else (estimate, 2 * estimate - high, 2 * estimate - low)


def _mix(values: Keys) -> Keys:
    """SplitMix64: every bit of the input moves every bit of the output."""
    z = values + np.uint64(GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@cache
def _limits() -> Keys:
    """P(Poisson(1) ≤ k) for k = 0, 1, … in units of 2^-64: whole numbers, so the same on every machine."""
    e = sum(Fraction(1, math.factorial(k)) for k in range(30))
    terms = [sum(Fraction(1, math.factorial(j)) for j in range(k + 1)) / e for k in range(20)]
    return np.array([int(term * 2**64) for term in terms], dtype=np.uint64)
