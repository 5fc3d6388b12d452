"""What rates need beside counts where a customer is counted more than once, or in several groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from journeykit.analyses.funnel.keys import Counts, Ints, Key, Longs, Part, Piece
from journeykit.analyses.funnel.matching import Attempts, Matched
from journeykit.analyses.funnel.plan import Plan
from journeykit.estimators.differences import JOINT_SUMS
from journeykit.log.interactions import InteractionLog


def count_people(
    log: InteractionLog, key: Key, plan: Plan, found: Matched, groups: Ints | None, groups_mature: Ints | None
) -> list[Piece]:
    """Count the customers behind attempts or units, and the sums that clustered intervals are made of."""
    if not plan.repeats and not plan.all_values:
        return []
    pieces = []
    for attempts, own, part in (
        (found.every, groups, Part.PEOPLE),
        (found.mature, groups_mature, Part.PEOPLE_MATURE),
    ):
        owner, group, numbers = per_customer(log, plan, attempts, own)
        for k in range(1, plan.n_steps + 1):
            people = np.bincount(group[numbers[:, k] > 0], minlength=key.n_groups)
            pieces.append((key.place(np.arange(key.n_groups), part, k), np.zeros(key.n_groups, np.int64), people))
        if attempts is found.of(plan.base) and (part is Part.PEOPLE) == (plan.base != "mature"):
            pieces += _products(key, plan, owner, group, numbers)
    return pieces


def per_customer(
    log: InteractionLog, plan: Plan, attempts: Attempts, groups: Ints | None
) -> tuple[Longs, Longs, Longs]:
    """Return customer and group of each pair that occurs, and how many of its attempts came to each step (from 1)."""
    if groups is None:  # one group: every customer has a row
        owners = attempts.owners(log)
        numbers = np.zeros((len(log.owners), plan.n_steps + 1), np.int64)
        for k in range(1, plan.n_steps + 1):
            numbers[:, k] = np.bincount(owners[came_to(plan, attempts, k)], minlength=len(log.owners))
        return np.arange(len(log.owners)), np.zeros(len(log.owners), np.int64), numbers
    some = np.flatnonzero((attempts.levels > 0) & (groups >= 0))
    n_groups = len(plan.labels)
    group = groups[some].astype(np.int64)
    pair = attempts.owners(log)[some].astype(np.int64) * n_groups + group
    pairs, place = np.unique(pair, return_inverse=True)
    numbers = np.zeros((len(pairs), plan.n_steps + 1), np.int64)
    for k in range(1, plan.n_steps + 1):
        numbers[:, k] = np.bincount(place.ravel()[came_to(plan, attempts, k)[some]], minlength=len(pairs))
    return pairs // n_groups, pairs % n_groups, numbers


def came_to(plan: Plan, attempts: Attempts, k: int) -> npt.NDArray[np.bool_]:
    """Mark the attempts that are counted at step k."""
    reached = attempts.levels >= k
    return reached & (attempts.rows[:, k - 1] >= 0) if k in plan.optional else reached


def _products(key: Key, plan: Plan, owner: Longs, group: Longs, numbers: Longs) -> list[Piece]:
    """Sum, over customers, products of their numbers in two groups (or twice the same)."""
    if key.n_groups == 1:
        return _own_products(key, plan, numbers)
    from scipy.sparse import csr_matrix

    shape = (int(owner.max()) + 1 if len(owner) else 0, key.n_groups)

    def matrix(of: Longs) -> Any:
        return csr_matrix((of, (owner, group)), shape=shape, dtype=np.int64)

    at = [matrix(numbers[:, k]) for k in range(plan.n_steps + 1)]
    pieces = []
    for k in range(1, plan.n_steps + 1):
        there = matrix((numbers[:, k] > 0).astype(np.int64))
        products = {
            Part.BOTH: there.T @ there,
            Part.SAME: at[k].T @ at[k],
            Part.CROSS_FIRST: at[k].T @ at[plan.first_shown],
        }
        if plan.base_steps[k]:
            products[Part.CROSS_BASE] = at[k].T @ at[plan.base_steps[k]]
        for part, product in products.items():
            each = product.tocoo()
            pieces.append((key.place(each.row, part, k), each.col.astype(np.int64), each.data.astype(np.int64)))
    return pieces


def _own_products(key: Key, plan: Plan, numbers: Longs) -> list[Piece]:
    """Sum the same products where there is one group."""
    pieces = []
    zero = np.zeros(1, np.int64)
    for k in range(1, plan.n_steps + 1):
        here = numbers[:, k]
        products = {Part.BOTH: np.count_nonzero(here), Part.SAME: here @ here}
        products[Part.CROSS_FIRST] = here @ numbers[:, plan.first_shown]
        if plan.base_steps[k]:
            products[Part.CROSS_BASE] = here @ numbers[:, plan.base_steps[k]]
        for part, product in products.items():
            pieces.append((np.array([key.place(0, part, k)]), zero, np.array([product], dtype=np.int64)))
    return pieces


def own_sums(counts: Counts, k: int, base: int, cross: Part, x: int, n: int, group: int) -> dict[str, int]:
    """Return the sums over customers behind a rate: x of n came from step `base` to step k."""
    return {
        "customers": counts.at(Part.BOTH, base, group, group),
        "x": x,
        "n": n,
        "xx": counts.at(Part.SAME, k, group, group),
        "xn": counts.at(cross, k, group, group),
        "nn": counts.at(Part.SAME, base, group, group),
    }


def joint_of(
    counts: Counts, k: int, base: int, cross: Part, a: dict[str, int], b: dict[str, int], groups: tuple[int, int]
) -> pd.DataFrame:
    """Return the sums over customers of two groups, of `own_sums` of each, as `clustered_difference` takes them."""
    first, second = groups
    both = counts.at(Part.BOTH, base, first, second)
    sums: dict[str, Any] = {"customers": a["customers"] + b["customers"] - both}
    sums |= {f"{name}_a": value for name, value in a.items()} | {f"{name}_b": value for name, value in b.items()}
    sums["xa_xb"] = counts.at(Part.SAME, k, first, second)
    sums["xa_nb"] = counts.at(cross, k, first, second)
    sums["na_xb"] = counts.at(cross, k, second, first)
    sums["na_nb"] = counts.at(Part.SAME, base, first, second)
    return pd.DataFrame({name: [sums[name]] for name in JOINT_SUMS})


def shares_by_customer(owner: Ints, place: Longs, value: Longs) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum how often each value occurs in each place, and the sums over customers behind its share.

    Returns
    -------
    by_value : DataFrame
        Index `place`, `value`; `x` (times), `xx`, `xn`.
    by_place : DataFrame
        Index `place`; `customers`, `n`, `nn`.
    """
    rows = pd.DataFrame({"place": place, "owner": owner, "value": value})
    here = rows.groupby(["place", "owner"]).size().rename("n")
    squares = here.to_frame().assign(customers=1, nn=here * here)
    by_place = squares.groupby("place")[["customers", "n", "nn"]].sum()
    each = rows.groupby(["place", "value", "owner"]).size().rename("x").reset_index()
    n = here.reindex(pd.MultiIndex.from_frame(each[["place", "owner"]])).to_numpy()
    each = each.assign(xx=each["x"] ** 2, xn=each["x"] * n)
    return each.groupby(["place", "value"])[["x", "xx", "xn"]].sum(), by_place
