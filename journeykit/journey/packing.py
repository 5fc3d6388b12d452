"""Two numbers in one: the index of a tally of millions of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Packing:
    """Pack a place (what is counted, of which group, …) and a value into one number, where they fit.

    With a MultiIndex, merging a tally would take longer than counting it; where
    place and value do not fit into 63 bits, there is one all the same.

    Parameters
    ----------
    n_places : int
        How many places there may be, from 0.
    largest : int
        The largest value.

    Examples
    --------
    >>> packing = Packing(n_places=6, largest=100)
    >>> index = packing.index(np.array([0, 5]), np.array([100, 7]))
    >>> [numbers.tolist() for numbers in packing.split(index)]
    [[0, 5], [100, 7]]
    """

    n_places: int
    largest: int

    @property
    def bits(self) -> int:
        """Bits for the value."""
        return self.largest.bit_length()

    @property
    def fits(self) -> bool:
        """Whether place and value fit into 63 bits."""
        return self.n_places.bit_length() + self.bits <= 63

    def index(self, places: Longs, values: Longs) -> pd.Index:
        """Return the index of a frame of counts."""
        if self.fits:
            packed: pd.Index = pd.Index((places << self.bits) | values, name="key")
            return packed
        return pd.MultiIndex.from_arrays([places, values], names=["place", "value"])

    def split(self, index: pd.Index) -> tuple[Longs, Longs]:
        """Return places and values of such an index."""
        if isinstance(index, pd.MultiIndex):
            return index.get_level_values(0).to_numpy(), index.get_level_values(1).to_numpy()
        return self.split_keys(index.to_numpy())

    def split_keys(self, keys: Longs) -> tuple[Longs, Longs]:
        """Return places and values of packed numbers."""
        return keys >> self.bits, keys & ((1 << self.bits) - 1)
