"""The funnel of a log's stages, with what a line of steps hides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.funnel.counts import count as count_funnel
from journeykit.analyses.funnel.counts import key_of
from journeykit.analyses.funnel.keys import Counts, Part
from journeykit.analyses.funnel.moves import WORDS
from journeykit.analyses.funnel.plan import Exclude, Plan, by_unit, make_plan, plan_params
from journeykit.analyses.funnel.result import FunnelResult
from journeykit.analyses.funnel.steps import rows_without_unit, without_unit
from journeykit.analyses.funnel.table import comparison_table, left_out, step_table, summary_table
from journeykit.analyses.funnel.values import value_sums, with_values
from journeykit.errors import LogError, ParameterError
from journeykit.estimators.proportions import clustered_n, with_rate
from journeykit.journey import Step
from journeykit.log.interactions import InteractionLog
from journeykit.schema import check_one_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFINITION = "stage_funnel/1"


@dataclass(frozen=True, eq=False, repr=False)
class StageFunnelResult(FunnelResult):
    """How far customers came through the stages, and what a line of stages hides.

    Attributes
    ----------
    table : DataFrame
        One row per stage, in order (and per group, `segment`, with `by`), with the columns
        of `FunnelResult.table` (`stage` in place of `step`) and:

        - `reached`: customers who were in the stage at all, in any order, at
          any time from the start of `between` on.
        - `skipped`: customers who were in a later stage without having been in
          this one before: no event of it before (with `ties="any"`: nor at the
          same instant as) their first event in any later stage.
        - `came_back`: customers who were here, then in a later stage, then here
          again.
        - `next_touchpoint`: of those who stopped here, what most did next: the
          first touchpoint after the event that filled this stage, inside the
          window, that is of another stage or of none; of equals the first by
          name. Missing if nobody did anything of the kind.
        - `next_customers`, `next_rate`, `next_rate_low`, `next_rate_high`: how
          many, and their share of those who stopped.
        - `stayed`: stopped, with further events of this stage only.
        - `nothing`: stopped, without any further event inside the window.

        Who *stopped* is the column `dropped`; without `within`, where nobody is
        known to have dropped, it is `open`, and what they did is so far.
    next_actions : DataFrame
        All that those who stopped did next: `segment` (with `by`), `stage`,
        `next_touchpoint` (`funnel.stayed` and `funnel.nothing` are outcomes of
        their own), `customers`, `next_rate` with `_low` and `_high`; most
        frequent first.
    summary, comparison, left_out
        As in `FunnelResult`, with `stage` in place of `step`.
    """

    next_actions: pd.DataFrame = field(default_factory=pd.DataFrame)

    step_column: ClassVar[str] = "stage"

    def describe(self) -> str:
        """Say how many got to the last stage, where most were lost and what they did instead, and who skipped."""
        from journeykit.analyses.funnel.words import describe_stages

        return describe_stages(self)

    def figure(self) -> Figure:
        """Draw the funnel, and beside it who was in each stage at all, skipped it, or came back."""
        from journeykit.plots.funnel_stages import stage_figure

        return stage_figure(self)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        shown = super().shown()
        more = ["reached", "skipped", "came_back", "next_touchpoint", "next_rate", "next_rate_low", "next_rate_high"]
        return pd.concat([shown, self.table[more]], axis=1)


def stage_funnel(
    log: InteractionLog,
    *,
    stages: Sequence[str] | None = None,
    within: Any = None,
    entry: str = "any",
    count: str = "best",
    unit: str = "customer",
    ties: str = "any",
    exclude: Iterable[Any] = (),
    exclude_effect: str = "remove",
    optional: Iterable[str] = (),
    step_within: Mapping[str, Any] | None = None,
    hold: str | Iterable[str] = (),
    by: str | None = None,
    by_value: str = "step 1",
    between: tuple[Any, Any] | None = None,
    maturity: str = "mature",
    value: str | bool | None = None,
    confidence: float = 0.95,
) -> StageFunnelResult:
    """Count how far customers come through the stages in order, and who skips, comes back or does something else.

    The stages are the steps of a funnel, as in `funnel` with `order="ordered"`:
    a customer counts once, with the attempt that came furthest. Beside it stand
    those who were in a stage at all, who skipped it, who came back to it, and
    what those did next who went no further.

    Parameters
    ----------
    log : InteractionLog
        A log with stages: `log.with_stages(jk.StageModel.digital())`.
    stages : list of str, optional
        Stages in the order in which they are to be reached; all of the model by
        default.
    within : str or Timedelta, optional
        Longest time from the first stage to any other, for example `"90d"`.
        Without it nobody is known to have dropped: rates are so far.
    entry, count, unit, ties, hold, between, maturity, value, confidence
        As in `funnel`.
    exclude : list of Exclude
        Events that spoil an attempt between two of its stages, named by the
        stages: `jk.Exclude("refund", after="purchase", before="retention")`.
    exclude_effect : {"remove", "drop"}
        As in `funnel`.
    optional : list of str
        Stages that may be skipped, not the first. The rate of the next one is
        then over those of the stage before.
    step_within : mapping of str to str, optional
        Stage → longest time since the required stage before it, beside `within`.
    by : str, optional
        A column to split by. Customers who never entered the first stage, who
        can still be in a stage, skip it or come back, belong to the group of
        their first event with a value.
    by_value : {"step 1", "first", "last", "all"}
        Which value of the chosen attempt, or a run of its own for each, as in
        `funnel`.

    Returns
    -------
    StageFunnelResult
        With `table`, `summary`, `comparison`, `next_actions`.

    Raises
    ------
    LogError
        If the log has no stages.
    ParameterError
        If a stage is unknown or an option is not possible.

    Notes
    -----
    What a line of stages hides (`reached`, `skipped`, `came_back`) is counted
    in customers, or in units where there are some, over all events from the
    start of `between` on: no window, exclusion or held value has a part in it.

    `funnel` has two options more. Its other orders do not suit stages: a strict
    one would end at every event that repeats a stage or has none, and one
    without an order has no stages to skip or come back to. And groups by the
    value at a later step would begin at that stage: ask for `stages` from there.

    Before the log began a customer may have been in a stage that seems to be
    skipped here; `between` leaves the first time of a log out.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "ann", "bob", "cyd"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-01", "2024-01-02"]),
    ...     "touchpoint": ["ad", "search", "order", "ad", "order"],
    ... }), observed_until="2024-02-01")
    >>> log = log.with_stages(jk.StageModel.of({"look": "ad", "weigh": "search", "buy": "order"}))
    >>> result = jk.stage_funnel(log, within="7d")
    >>> result.table[["stage", "customers", "reached", "skipped", "dropped", "nothing"]]
       stage  customers  reached  skipped  dropped  nothing
    0   look          2        2        1        1        1
    1  weigh          1        1        1        0        0
    2    buy          1        2        0        0        0
    """
    if not log.stages:
        raise LogError("stage_funnel needs a log with stages, as log.with_stages(jk.StageModel.digital()) gives")
    chosen = list(log.stages) if stages is None else list(stages)
    for stage in chosen:
        check_one_of("stages", stage, log.stages)
    if len(set(chosen)) < len(chosen):
        raise ParameterError(f"stages must differ, got {chosen}")
    check_one_of("by_value", by_value, ("step 1", "first", "last", "all"))
    if isinstance(optional, str):
        optional = [optional]
    units = by_unit(log, unit)
    plan = make_plan(
        units,
        [Step(stage=stage) for stage in chosen],
        within=within,
        order="ordered",
        entry=entry,
        ties=ties,
        maturity=maturity,
        between=between,
        by=by,
        by_value=by_value,
        confidence=confidence,
        count=count,
        exclude=[_by_number(each, chosen) for each in exclude],
        exclude_effect=exclude_effect,
        optional=[_number(stage, "optional", chosen) for stage in optional],
        step_within={_number(stage, "step_within", chosen): each for stage, each in (step_within or {}).items()},
        hold=hold,
        value=value,
    )
    counts = Counts(units.tally(count_funnel, plan=plan, stages=True), key_of(units, plan))
    steps = step_table(counts, plan)
    actions = next_actions(counts, plan, steps, list(log.touchpoints))
    params = plan_params(plan, units, DEFINITION) | rows_without_unit(log, units)
    valued = steps if plan.value is None else with_values(steps, units.tally(value_sums, plan=plan), plan)
    return StageFunnelResult(
        table=_with_stage_columns(valued, actions, counts, plan).rename(columns={"step": "stage"}),
        summary=summary_table(counts, steps, plan),
        comparison=comparison_table(counts, steps, plan).rename(columns={"step": "stage"}),
        left_out=left_out(counts, plan, no_unit=without_unit(log, units)),
        params={"stages": params.pop("steps"), **params},
        log=log,
        plan=plan,
        next_actions=actions,
    )


def _number(stage: Any, name: str, chosen: list[str]) -> int:
    """Number of a stage that is named."""
    check_one_of(name, stage, chosen)
    return chosen.index(stage) + 1


def _by_number(given: Any, chosen: list[str]) -> Exclude:
    """Put numbers in the place of the stages that an exclusion names."""
    rule = given if isinstance(given, Exclude) else Exclude(given)
    after, before = (
        _number(end, name, chosen) if isinstance(end, str) else end
        for name, end in (("after", rule.after), ("before", rule.before))
    )
    return replace(rule, after=after, before=before)


def next_actions(counts: Counts, plan: Plan, table: pd.DataFrame, touchpoints: list[str]) -> pd.DataFrame:
    """Lay out what those who stopped at each stage did next, most frequent first."""
    rows = []
    labels = plan.labels if plan.by is not None else ("",)
    words = [*WORDS, *touchpoints]
    for row in table.itertuples():
        group = labels.index(row.segment) if plan.by is not None else 0
        step = plan.names.index(row.step) + 1
        values, numbers = counts.values(Part.NEXT, step, group)
        found = np.bincount(values, numbers, minlength=len(words)).astype(np.int64)
        order = np.lexsort((np.arange(len(words)), -found))
        segment = {"segment": row.segment} if plan.by is not None else {}
        base = int(found.sum())
        for i in order[: np.count_nonzero(found)].tolist():
            effective = float(base)
            if plan.repeats:
                effective = clustered_n(
                    customers=counts.number(Part.STOPPERS, step, group),
                    x=int(found[i]),
                    n=base,
                    xx=counts.at(Part.NEXT_SQUARES, step, group, i),
                    xn=counts.at(Part.NEXT_CROSS, step, group, i),
                    nn=counts.number(Part.STOPPED_SQUARES, step, group),
                )
            rows.append(
                {**segment, "stage": row.step, "next_touchpoint": words[i], plan.counted: int(found[i]),
                 "stopped": base, "effective": effective}
            )  # fmt: skip
    columns = [*(["segment"] if plan.by is not None else []), "stage", "next_touchpoint", plan.counted, "stopped"]
    frame = pd.DataFrame(rows, columns=[*columns, "effective"])
    frame = frame.astype({plan.counted: np.int64, "stopped": np.int64, "effective": np.float64})
    rated = with_rate(
        frame, "next", count=plan.counted, base="stopped", effective="effective", confidence=plan.confidence
    )
    return rated.drop(columns="effective")


def _with_stage_columns(steps: pd.DataFrame, actions: pd.DataFrame, counts: Counts, plan: Plan) -> pd.DataFrame:
    labels = plan.labels if plan.by is not None else ("",)
    groups = [labels.index(each) for each in steps["segment"]] if plan.by is not None else [0] * len(steps)
    places = [plan.names.index(name) + 1 for name in steps["step"]]
    columns: dict[str, Any] = {
        name: [counts.number(part, k, group) for k, group in zip(places, groups, strict=True)]
        for name, part in (("reached", Part.REACHED), ("skipped", Part.SKIPPED), ("came_back", Part.CAME_BACK))
    }
    on = ["segment", "stage"] if plan.by is not None else ["stage"]
    key = steps.rename(columns={"step": "stage"})[on]
    real = actions[~actions["next_touchpoint"].isin(WORDS)].drop_duplicates(on)
    best = key.merge(real, on=on, how="left")
    columns["next_touchpoint"] = best["next_touchpoint"].astype(object).where(best["next_touchpoint"].notna(), None)
    columns[f"next_{plan.counted}"] = best[plan.counted].fillna(0).astype(np.int64)
    columns |= {name: best[name] for name in ("next_rate", "next_rate_low", "next_rate_high")}
    for name, message in zip(("stayed", "nothing"), WORDS, strict=True):
        some = key.merge(actions[actions["next_touchpoint"] == message], on=on, how="left")
        columns[name] = some[plan.counted].fillna(0).astype(np.int64)
    return steps.assign(**columns)
