"""Tallies: what an analysis counts over any set of whole customers, and how counts of several sets are merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Tally = Callable[..., pd.DataFrame]


def merge_tallies(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Merge the tallies of disjoint sets of customers, by adding what stands under the same key.

    Parameters
    ----------
    parts : iterable of DataFrame
        Frames with the same index names and columns; columns hold integers
        or sums.

    Returns
    -------
    DataFrame
        One row per key that occurs in any part, sorted by key.
    """
    frames = list(parts)
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    together = pd.concat(filled)
    levels = list(range(together.index.nlevels))
    return together.groupby(level=levels, sort=True, observed=True, dropna=False).sum()


def bucket_of(customers: pd.Index, n: int) -> NDArray[np.int64]:
    """Assign customers to one of n buckets by a hash of their id: the same everywhere and in every part of a log."""
    ids = customers.to_numpy()
    hashed = pd.util.hash_array(ids, categorize=False)
    return (hashed % np.uint64(n)).astype(np.int64)


class Buckets:
    """A log in several pieces, each of whole customers, that tallies like one.

    Everything but `tally` is answered by the whole log's context.

    Parameters
    ----------
    context : InteractionLog
        The log that the pieces come from, for its dates, dictionaries and stages.
    pieces : sequence of InteractionLog
        Disjoint sets of whole customers, each with the whole log's context.
    """

    def __init__(self, context: Any, pieces: Sequence[Any]) -> None:
        self._context = context
        self._pieces = list(pieces)

    def __getattr__(self, name: str) -> Any:
        """Answer from the whole log."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._context, name)

    def tally(self, count: Tally, **params: Any) -> pd.DataFrame:
        """Count each piece and merge."""
        return merge_tallies(count(piece, **params) for piece in self._pieces)

    def rekey(self, unit: str, **how: Any) -> Buckets:
        """Re-key every piece: sessions and journeys lie inside a customer, and so inside a piece.

        Units of a column can hold several customers: they are gathered from
        the whole log and cut anew, by the customer they belong to.
        """
        whole = self._context.rekey(unit, **how)
        if unit in ("customer", "session", "journey"):
            return Buckets(whole, [piece.rekey(unit, **how) for piece in self._pieces])
        buckets: Buckets = whole.in_buckets(len(self._pieces))
        return buckets
