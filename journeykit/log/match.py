"""Whether a column has a wanted value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def matches(column: pd.Series, wanted: Any) -> NDArray[np.bool_]:
    """Mark the entries that equal the value, or one of a collection of values; None stands for a missing entry."""
    one = isinstance(wanted, str) or not isinstance(wanted, Iterable)
    values = [wanted] if one else list(wanted)
    marked: NDArray[np.bool_] = column.isin([value for value in values if value is not None]).to_numpy()
    return marked | column.isna().to_numpy() if any(value is None for value in values) else marked
