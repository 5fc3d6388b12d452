"""The renewal rate of each term of a contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from journeykit.estimators.proportions import Floats, with_rate
from journeykit.estimators.repeats import Repeats
from journeykit.estimators.risk import groups_of


def renewal_rates(risk: pd.DataFrame, repeats: Repeats | None, confidence: float) -> pd.DataFrame:
    """Of those whose term was decided, the share who renewed; spells of one customer are taken together."""
    parts = []
    for name, rows in groups_of(risk):
        time, at_risk, events = (rows[each].to_numpy() for each in ("time", "at_risk", "events"))
        term = np.arange(1, time[-1] + 1)
        at = np.searchsorted(time, term)  # a term after which all go on has no row of its own
        table = pd.DataFrame({"term": term, "decided": at_risk[at]})
        table["renewed"] = at_risk[at] - np.where(time[at] == term, events[at], 0)
        table = table[table["decided"] > 0]
        table.insert(0, "group", str(name.iloc[0, -1]))
        parts.append(table.assign(effective=_effective(table, repeats)))
    found = pd.concat(parts, ignore_index=True)
    effective = found.pop("effective").to_numpy(dtype=float)
    return with_rate(found, "renewal", count="renewed", base="decided", effective=effective, confidence=confidence)


def _effective(table: pd.DataFrame, repeats: Repeats | None) -> Floats:
    """How many independent decisions tell as much: p(1 − p)/V, or all where each customer has one."""
    n = table["decided"].to_numpy(dtype=float)
    if repeats is None:
        return n
    own = repeats.rows[repeats.rows["group"] == table["group"].iloc[0]] if len(table) else repeats.rows
    found = n.copy()
    for k, row in enumerate(table.to_dict("records")):
        here: Any = own[(own["enters"] < row["term"]) & (own["duration"] >= row["term"])]
        here = here[here["cluster"].duplicated(keep=False)]
        rate = row["renewed"] / row["decided"]
        if here.empty or rate in (0, 1):
            continue
        gone = (here["duration"] == row["term"]) & here["end"].notna()
        off = (~gone).to_numpy(dtype=float) - rate
        together = pd.Series(off).groupby(here["cluster"].to_numpy()).sum()
        extra = float((together**2).sum() - (off**2).sum()) / n[k] ** 2
        plain = rate * (1 - rate) / n[k]
        found[k] = n[k] * plain / max(plain + extra, plain / 2)
    return found
