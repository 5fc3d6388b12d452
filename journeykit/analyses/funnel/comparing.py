"""A funnel beside a funnel: the rates of its steps, and who is behind them."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.funnel.behind import NEVER, find_attempts
from journeykit.analyses.funnel.plan import Exclude, by_unit
from journeykit.results.comparable import Comparable, rows_of, scores_of_parts, stack_rows

if TYPE_CHECKING:
    from journeykit.analyses.funnel.result import FunnelResult


def comparable(result: FunnelResult) -> Comparable:
    """Lay out each step's rate, and the reach of the last step; of those that rates are over."""
    plan, column = result.plan, result.step_column
    assert plan is not None
    keys = [*(["segment"] if "segment" in result.table else []), column]
    of_row = result.table[keys].itertuples(index=False, name=None)
    sizes = dict(zip(of_row, result.table[result.base_column], strict=True))
    parts, places = [], []
    for k, base, rate in plan.compared:
        rows = result.table[result.table[column] == plan.names[k - 1]]
        n = [sizes[(*key[:-1], plan.names[base - 1])] for key in rows[keys].itertuples(index=False, name=None)]
        parts.append(rows_of(rows.assign(n=n), keys, [rate], "n"))
        places += [(k, base)] * len(rows)
    if not parts:
        return Comparable(rows_of(result.table.iloc[:0], keys, ["step_rate"]), tuple(keys))
    rows = stack_rows(parts)
    if plan.repeats:
        rows["n"] = np.nan  # customers repeat: the interval says how sure a rate is
    main = len(rows) - len(parts[-1])
    if result.log is None:
        return Comparable(rows, tuple(keys), main=main)
    look = _Lookup(result, rows, places)
    return Comparable(rows, tuple(keys), scores_of_parts(look.parts), look.parts, look.customers, main)


class _Lookup:
    """The customers behind the rows, by the attempts that rates are over."""

    def __init__(self, result: FunnelResult, rows: pd.DataFrame, places: list[tuple[int, int]]) -> None:
        self._result, self._places = result, places
        self._segments = rows["segment"].tolist() if "segment" in rows else None

    def _attempts(self) -> pd.DataFrame:
        """One row an attempt: whose it is, how far it came, and when it was at each step."""
        plan = self._result.plan
        assert plan is not None
        found: pd.DataFrame = by_unit(self._result.log, plan.unit).tally(find_attempts, plan=plan)
        return found

    def customers(self) -> pd.Index:
        ids: pd.Index = self._attempts().index.get_level_values("customer").unique()
        return ids

    def parts(self, rows: Sequence[int]) -> pd.DataFrame:
        """How often each customer came to the step of a row, and to the step that its rate is over."""
        plan, attempts = self._result.plan, self._attempts()
        assert plan is not None
        steps, groups = attempts["steps"].to_numpy(), attempts["segment"].to_numpy()
        columns: dict[Any, Any] = {}
        for row in rows:
            k, base = self._places[row]
            there = np.ones(len(attempts), dtype=bool)
            if self._segments is not None:
                there = groups == plan.labels.index(self._segments[row])
            n = there & (steps >= base)
            x = n & (steps >= k)
            if k in plan.optional:  # passed over, perhaps
                x &= attempts[f"time_{k}"].to_numpy() > NEVER
            columns |= {(row, "x"): x.astype(np.int64), (row, "n"): n.astype(np.int64)}
        together = pd.DataFrame(columns, index=attempts.index.get_level_values("customer"))
        return together.groupby(level="customer").sum()


def asked_again(result: FunnelResult, by: str | None, log: Any) -> FunnelResult:
    """Ask the same of the same log, split by another column (None: not split)."""
    from journeykit.analyses.funnel.stages import stage_funnel
    from journeykit.analyses.funnel.steps import funnel

    plan = result.plan
    assert plan is not None
    ask: Any = stage_funnel if result.step_column == "stage" else funnel
    options = {name: result.params[name] for name in signature(ask).parameters if name in result.params}
    exact = {
        "steps": list(plan.steps),
        "exclude": [Exclude(step, after, before) for step, after, before in plan.exclude],
        "step_within": {k: pd.Timedelta(window, unit="us") for k, window in plan.step_within} or None,
        "optional": plan.optional,
        "by": by,
    }
    options |= {name: value for name, value in exact.items() if name in signature(ask).parameters}
    found: FunnelResult = ask(log, **options)
    return found
