"""What the results of this room share: whose activity, looked up again in the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.lifecycle.activity import Activity, Seen
from journeykit.log import InteractionLog
from journeykit.results.base import Result
from journeykit.schema import check_one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class ActivityResult(Result):
    """A result about who is active when."""

    activity: Activity | None = field(default=None)

    topic: ClassVar[str] = "lifecycle"

    def _asked(self) -> Activity:
        assert self.activity is not None
        return self.activity

    def _list(self, who: Callable[..., pd.DataFrame], *, segment: str | None, log: Any, **asked: Any) -> pd.Index:
        """List the customers that a tally finds, of one segment or all; a `period` is said by its name."""
        source, activity = self._log(log), self._asked()
        if "period" in asked:
            shown = [str(label) for label in activity.labels(source)]
            period = str(asked.pop("period"))
            check_one_of("period", period, shown)
            asked["place"] = shown.index(period)
        if segment is not None:
            check_one_of("segment", segment, self.table["segment"].unique() if "segment" in self.table else [])
        found: pd.Index = source.tally(who, activity=activity, segment=segment, **asked).index.sort_values()
        return found


def segments_of(table: pd.DataFrame) -> Any:
    """Return the segment of each row; one for all where nothing is split."""
    return table["segment"] if "segment" in table else pd.Series("", index=table.index)


def listed(log: InteractionLog, seen: Seen, found: NDArray[np.bool_], segment: str | None) -> pd.DataFrame:
    """Lay out the customers found, for a tally: those of one segment, or all."""
    if segment is not None:
        found = found & (seen.groups == (seen.names.index(segment) if segment in seen.names else -2))
    return pd.DataFrame({"customers": 1}, index=log.customers[found].rename("customer"))
