"""Bootstrap sums of many cells, of which each customer touches a few."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from journeykit.estimators.bootstrap import Keys, poisson_weights

_BLOCK = 8192  # customers whose weights in all replicates are held at once


def bootstrap_cells(
    customer: Any, cell: Any, value: Any, n_cells: int, keys: Keys, *, seed: int, replicates: int
) -> npt.NDArray[np.float64]:
    """Add up what customers contribute to cells, in the data and in every replicate.

    Parameters
    ----------
    customer, cell, value : array
        One entry a contribution: the customer's position in `keys`, the cell's
        number, and what is added to it.
    n_cells : int
        How many cells there are.
    keys : ndarray of uint64
        Of `customer_keys`.
    seed : int
        Names the whole bootstrap.
    replicates : int
        How many; 0 gives the data alone.

    Returns
    -------
    ndarray, shape (n_cells, replicates + 1)
        Column 0 is the data as they are, column r replicate r, in which each
        customer counts `poisson_weights(seed, r, …)` times. Over disjoint sets
        of whole customers these add up.

    Examples
    --------
    >>> from journeykit.estimators.bootstrap import customer_keys
    >>> keys = customer_keys(["ann", "bob"])
    >>> bootstrap_cells([0, 0, 1], [0, 1, 1], [1.0, 5.0, 7.0], 2, keys, seed=1, replicates=0).tolist()
    [[1.0], [12.0]]
    """
    from scipy.sparse import csr_matrix

    values = (np.asarray(value, dtype=float), (np.asarray(customer), np.asarray(cell)))
    touched = csr_matrix(values, shape=(len(keys), n_cells))
    total = np.zeros((n_cells, replicates + 1))
    for start in range(0, len(keys), _BLOCK):
        some = keys[start : start + _BLOCK]
        weights = np.ones((len(some), replicates + 1))
        for replicate in range(1, replicates + 1):
            weights[:, replicate] = poisson_weights(seed, replicate, some)
        total += touched[start : start + _BLOCK].T @ weights
    return total
