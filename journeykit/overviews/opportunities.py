"""The overview: `opportunities`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from journeykit.analyses.friction.analysis import usual_adjustment, usual_steps
from journeykit.analyses.friction.causes import passive_touchpoints, read_causes
from journeykit.analyses.friction.counts import Asked, list_met
from journeykit.analyses.friction.result import FrictionResult
from journeykit.errors import ParameterError
from journeykit.journey.first_attempts import read_attempts
from journeykit.journey.sessions import DEFAULT_GAP
from journeykit.journey.steps import Step
from journeykit.log.calendar import range_shown
from journeykit.log.interactions import InteractionLog
from journeykit.overviews.losses import EVERYBODY, Question, count_losses, list_leak
from journeykit.overviews.rank import friction_rows, leak_rows, ranked, read_groups
from journeykit.results.base import Result, left_out_table, metric_table
from journeykit.schema import check_confidence, duration_us
from journeykit.text import say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VERSION = "opportunities/1"
_SHOWN = ("rank", "where", "customers", "rate", "target_rate", "lost_customers", "lost_value")


@dataclass(frozen=True, eq=False, repr=False)
class OpportunitiesResult(Result):
    """What to fix first: leaks and frictions, ranked.

    Attributes
    ----------
    table : DataFrame
        One row a leak or friction, in an order that half of the customers
        decided; the numbers are estimated from the other half, so the first
        rows are not first by luck, and need not be the largest. `rank`; `kind`
        ("leak": a step that a segment goes on from less often; "friction");
        `step`, `next_step`; `cause` (of a friction); `by` (a column) and
        `segment` (missing for everybody); `customers` (at the step, or who met
        the cause; all of them); `rate` (0 to 1: who go on; of frictions, who
        convert) and `target_rate`, from the second half; `target` (the best
        segment's name, "target", or "same page"); `lost_customers` =
        `customers` × (`target_rate` − `rate`), `lost_conversions` (those of
        them who would also have converted) and `lost_value` (what they would
        have brought inside their window; missing in a log without values),
        each with `_low` and `_high` (unadjusted); below 0: no loss in the
        second half. `p_value` (of no loss) and `p_value_holm` (all rows are
        one family).
    summary : DataFrame
        One row: `customers` who entered, `customers_mature`, `first_half` and
        `second_half` (mature customers who chose, and who are estimated from),
        `rows` listed, `clear` (a loss beyond chance, all rows counted).
    comparison : DataFrame
        Empty.
    """

    question: Question | None = field(default=None)

    topic: ClassVar[str] = "opportunities"
    may_differ: ClassVar[tuple[str, ...]] = ("not_in_log", "in_steps")

    def customers(self, row: int, log: Any = None) -> pd.Index:
        """List the customers behind a row: who stopped there, or who met the cause and did not convert.

        Parameters
        ----------
        row : int
            Position in the table, from 0.
        log : InteractionLog, optional
            Needed if the result was stored without its log.

        Returns
        -------
        Index
            Their ids, sorted.
        """
        if not 0 <= row < len(self.table):
            raise ParameterError(f"row == {row}, must be from 0 to {len(self.table) - 1}")
        assert self.question is not None
        wanted, source = self.table.iloc[row], self._log(log)
        if wanted["kind"] == "friction":
            asked = self.question.frictions
            found = source.tally(list_met, asked=asked, cause=wanted["cause"], converted=False)
        else:
            step = self.params["steps"].index(wanted["step"]) + 1
            column, segment = (
                each if isinstance(each, str) else EVERYBODY for each in (wanted["by"], wanted["segment"])
            )
            found = source.tally(list_leak, question=self.question, column=column, segment=segment, step=step)
        ids: pd.Index = found.index.sort_values()
        return ids

    @property
    def measure(self) -> str:
        """What rows are ranked by: `"lost_value"`, or `"lost_conversions"` in a log without values."""
        return str(self.params["ranked_by"])

    @property
    def clear(self) -> pd.Series:
        """Which rows lose something beyond chance, all rows counted."""
        return beyond_chance(self.table, self.measure, self.params["confidence"])

    def where(self) -> list[str]:
        """Say each row's place in words."""
        return [self._where(row) for _, row in self.table.iterrows()]

    def _where(self, row: pd.Series[Any]) -> str:
        if row["kind"] == "friction":
            return say("opportunities.at_friction", cause=FrictionResult.name_of(row["cause"]))
        steps = {"step": word(row["step"]), "next_step": word(row["next_step"])}
        if not isinstance(row["segment"], str):
            return say("opportunities.at_step", **steps)
        return say("opportunities.at_segment", segment=word(row["segment"]), **steps)

    def metrics(self) -> pd.DataFrame:
        """Flat records: each row's customers, conversions and value lost."""
        records = []
        for _, row in self.table.iterrows():
            name = f"friction.{row['cause']}" if row["kind"] == "friction" else f"leak.{row['step']}.{row['next_step']}"
            segment = f"{row['by']}={row['segment']}" if isinstance(row["segment"], str) else ""
            for column, unit in (("lost_customers", "customers"), (self.measure, self.measure.removeprefix("lost_"))):
                key = {"name": f"{name}.{column}", "segment": segment, "unit": unit, "n": row["customers"]}
                bounds = {"value": row[column], "low": row[f"{column}_low"], "high": row[f"{column}_high"]}
                records.append(key | bounds)
        return metric_table(records, self.definition)

    def describe(self) -> str:
        """Say what to fix first, and what the numbers can and can't promise."""
        if not self.summary["customers_mature"].iloc[0]:
            return say("opportunities.nobody", within_seconds=self.params["within"].total_seconds())
        clear = self.table[self.clear] if len(self.table) else self.table
        sentences = []
        for i, (_, row) in enumerate(clear.head(3).iterrows()):
            words = {str(name): value for name, value in row.items()} | {"where": self._where(row)}
            for name in ("lost_customers", "lost_conversions"):
                words |= {f"{name}{end}": round(words[f"{name}{end}"]) for end in ("", "_low", "_high")}
            key = "first" if i == 0 else "then"
            sentences.append(
                say(f"opportunities.{key}" + ("" if self.measure == "lost_value" else "_conversions"), **words)
            )
        if clear.empty:
            sentences.append(say("opportunities.none", rows=len(self.table)))
        else:
            sentences.append(say("opportunities.causal"))
        sentences += [say("opportunities.halves"), *FrictionResult.not_looked_at(self.params)]
        return " ".join(sentences)

    def shown(self) -> pd.DataFrame:
        """The columns that a reader wants to see first."""
        table = self.table.assign(where=self.where())
        columns = [*_SHOWN[:-1], self.measure]
        names = [each for name in columns for each in (name, f"{name}_low", f"{name}_high") if each in table]
        return table[names].round({f"lost_customers{end}": 0 for end in ("", "_low", "_high")})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what is lost where, as a ranked bar with its interval; return the axes."""
        from journeykit.plots.opportunities import plot_opportunities

        return plot_opportunities(self, ax=ax)

    def figure(self) -> Figure:
        """Draw what is lost where, in value and in customers."""
        from journeykit.plots.opportunities import opportunities_figure

        return opportunities_figure(self)


def opportunities(
    log: InteractionLog,
    steps: Sequence[Any] | None = None,
    *,
    within: Any = "30d",
    by: str | Sequence[str] | None = None,
    target: Mapping[str, float] | None = None,
    causes: Mapping[str, Any] | None = None,
    min_n: int = 25,
    between: tuple[Any, Any] | None = None,
    replicates: int = 500,
    rng: int = 0,
    confidence: float = 0.95,
) -> OpportunitiesResult:
    """Rank what is lost, and where: the list that a team starts its week with.

    A leak is a step from which a segment goes on less often than a stated
    target, or than the best segment of its column; a friction is what
    `jk.friction` compares at the same page. Each has the customers lost and
    the value of keeping them: what those who did come further brought, on
    average, inside their window. The best of several segments is the best
    partly by luck; so half of the customers (by a hash of their id) choose the
    best segments and the order, and the loss is estimated from the other half.
    The best of ten identical segments then promises nothing.

    Parameters
    ----------
    log : InteractionLog
        The log.
    steps : list, optional
        The way from the entry to the conversion, as for `jk.funnel`, for
        example touchpoints or `log.stages`; of product_page, cart, checkout,
        order those that the log holds by default. A customer enters once, with
        the first step 1 (inside `between`).
    within : str or Timedelta
        Longest time from the entry to the conversion, inclusive, and how long
        value counts. Only attempts whose whole window was observed count.
    by : str or list of str, optional
        Columns whose values at the entry make segments; the channel by
        default, where the log has one.
    target : mapping, optional
        Step → the rate (0 to 1) of those at the step before that should come
        to it: `{"cart": 0.35}`. Such a step is compared with its target
        instead of the best segment, for everybody and for each segment.
    causes : mapping, optional
        As for `jk.friction`; those of the shipped vocabulary by default.
    min_n : int
        Fewest customers at a step, in each half, for a segment to be listed or
        to be the best.
    between : tuple of (start, end), optional
        Only entries in `[start, end)`; what follows is observed further.
    replicates : int
        Bootstrap replicates behind the intervals.
    rng : int
        Seed of the bootstrap.
    confidence : float
        Coverage of the intervals, between 0 and 1.

    Returns
    -------
    OpportunitiesResult
        With `table`, in the order in which to look.

    Raises
    ------
    ParameterError
        If there is neither a segment nor a target to compare with, or an
        option is not possible.

    Notes
    -----
    Losses are what would be kept if the whole difference were causal. They
    overlap and do not add up: a customer lost at one step can't be lost at the
    next. Intervals: percentiles of a bootstrap of the second half's customers
    with Poisson(1) weights (Chamandy et al. 2012), the numbers of customers
    themselves taken as they are; p-values take the replicates' spread as a
    standard error, adjusted by Holm (1979). Where no replicate differs (all or
    none go on) both are Newcombe's (1998) instead. Splitting the sample before choosing: Cox
    (1975), Biometrika 62:441.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> found = jk.opportunities(log, ["checkout", "order"], by="device", replicates=100)
    >>> found.table[["rank", "kind", "cause", "customers"]].head(1)
       rank      kind          cause  customers
    0     1  friction  payment_error         96
    """
    check_confidence(confidence)
    for name, number, least in (("min_n", min_n, 1), ("replicates", replicates, 20)):
        if isinstance(number, bool) or int(number) != number or number < least:
            raise ParameterError(f"{name} == {number!r}, must be a whole number from {least} on")
    attempts = read_attempts(log, usual_steps(log) if steps is None else steps, within, between)
    columns = _columns(log, by)
    targets = _targets(target, attempts.names)
    found, out, causes_asked = read_causes(log, causes, attempts.steps)
    if not columns and not targets and not found:
        raise ParameterError("there is nothing to compare with: say by= (segments), target= (rates) or causes=")
    gap, no_page = duration_us(DEFAULT_GAP, name="visit_gap"), Step(passive_touchpoints())
    question = Question(
        Asked(attempts, tuple(found), gap, usual_adjustment(log), no_page), columns, int(rng), int(replicates)
    )
    sums = log.tally(count_losses, question=question)
    groups = read_groups(sums, question)
    everybody = groups.get(EVERYBODY, {}).get(EVERYBODY)
    rows: list[dict[str, Any]] = []
    if everybody is not None:
        rows += leak_rows(groups, attempts.names, targets, int(min_n), confidence)
        rows += friction_rows(sums, groups, [each.name for each in found], attempts.names)
    table = ranked(rows, valued=log.values is not None, confidence=confidence)
    entered = log.tally(count_entered, question=question)["customers"]
    halves = [0, 0] if everybody is None else everybody.sizes[0].astype(int).tolist()
    measure = "lost_conversions" if log.values is None else "lost_value"
    summary = {
        "customers": int(entered["entered"]),
        "customers_mature": sum(halves),
        "first_half": halves[0],
        "second_half": halves[1],
        "rows": len(table),
        "clear": int(beyond_chance(table, measure, confidence).sum()),
    }
    reasons = {
        "funnel.not_entered": log.n_customers - int(entered["entered"]),
        "funnel.immature": int(entered["immature"]),
    }
    return OpportunitiesResult(
        table=table,
        summary=pd.DataFrame([summary]),
        comparison=pd.DataFrame(),
        left_out=left_out_table(reasons),
        params={
            "steps": list(attempts.names),
            "within": pd.Timedelta(attempts.within, unit="us"),
            "by": list(columns),
            "target": dict(targets),
            "causes": causes_asked,
            **out,
            "min_n": int(min_n),
            "between": range_shown(attempts.between, log.timezone),
            "replicates": int(replicates),
            "rng": int(rng),
            "ranked_by": measure,
            "confidence": confidence,
            "observed_until": log.ends_at,
            "timezone": log.timezone,
            "definition": VERSION,
        },
        log=log,
        question=question,
    )


def beyond_chance(table: pd.DataFrame, measure: str, confidence: float) -> pd.Series:
    """Mark the rows whose loss is above 0 beyond chance, all rows counted."""
    return (table[measure].astype(float) > 0) & (table["p_value_holm"].astype(float) < 1 - confidence)


def count_entered(log: InteractionLog, question: Question) -> pd.DataFrame:
    """Tally: customers who entered, and those of them whose window is still running."""
    found = question.frictions.attempts.find(log)
    numbers = {"entered": len(found), "immature": int((~found["mature"]).sum())}
    return pd.DataFrame({"customers": list(numbers.values())}, index=pd.Index(list(numbers), name="what"))


def _columns(log: InteractionLog, by: str | Sequence[str] | None) -> tuple[str, ...]:
    if by is None:
        return usual_adjustment(log)
    columns = (by,) if isinstance(by, str) else tuple(by)
    log.require(*columns)
    return columns


def _targets(target: Mapping[str, float] | None, names: tuple[str, ...]) -> dict[str, float]:
    targets = dict(target or {})
    for step, rate in targets.items():
        if step not in names[1:]:
            raise ParameterError(f"target must name steps among {list(names[1:])}, got {step!r}")
        if not 0 <= rate <= 1:
            raise ParameterError(f"target[{step!r}] == {rate!r}, must be a rate from 0 to 1")
    return targets
