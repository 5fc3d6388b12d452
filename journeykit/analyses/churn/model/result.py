"""A fitted model of leaving: what explains it, and what it says of those who are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.listing import Tenures, customers_of
from journeykit.analyses.churn.model.covariates import Term
from journeykit.analyses.churn.model.evaluation import ChurnEvaluation
from journeykit.analyses.churn.model.foresight import (
    by_standing,
    horizon_of,
    landmarks_for,
    look_ahead,
    names_of,
    tenures_for,
    unit_of_model,
)
from journeykit.analyses.churn.model.hazard import Hazard
from journeykit.analyses.churn.model.landmark import Landmark
from journeykit.analyses.churn.model.partial import PartialEffects, partial_effects
from journeykit.analyses.churn.model.prediction import ChurnPrediction, list_customers, values_per_day
from journeykit.analyses.churn.model.standing import standing_now
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.shared import NOT_INTERACTIONS, ChurnResult, records
from journeykit.errors import ParameterError
from journeykit.results.base import left_out_table, metric_table
from journeykit.text import html_result, html_table, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class ChurnModel(ChurnResult):
    """What explains who leaves when.

    Attributes
    ----------
    table : DataFrame
        One row an effect: `covariate`; `level` of a category and the `reference`
        it is compared with, its largest; `for_each`, for how much of a number the
        effect is; `customers` and `events` with it; `hazard_ratio` (how many
        times as fast they leave; `time_ratio` of an accelerated model: how many
        times as long they stay) with interval; `coefficient` and `se`, for one
        unit, on the logarithmic scale; `p_value`, `p_value_holm`.
    summary : DataFrame
        One row: `customers`, `events`, `coefficients`, `concordance` within
        the data learned from with interval, `log_likelihood`, `p_value` that
        nothing explains anything (Cox's).
    checks : DataFrame
        Of Cox's: whether each effect stays as customers age: `covariate`,
        `level`, `early_ratio` and `late_ratio` (one quarter of those who leave
        away from the middle), `statistic`, `degrees_of_freedom`, `p_value`,
        `p_value_holm`, `advice`. Of an accelerated model: `method`,
        `log_likelihood` and how far it is `behind` the best.
    tests : DataFrame
        That all effects are none: `test`, `statistic`, `degrees_of_freedom`,
        `p_value`.
    left_out : DataFrame
        `reason`, `customers`, of the tenures.
    """

    terms: tuple[Term, ...] = ()
    hazard: Hazard | None = None
    others: Hazard | None = None
    checks: pd.DataFrame = field(default_factory=pd.DataFrame)
    tests: pd.DataFrame = field(default_factory=pd.DataFrame)
    usual: Mapping[str, float] = field(default_factory=dict)
    query: Query | None = None
    tenures: Tenures | None = None
    landmarks: dict[int, list[Landmark]] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the log, the tenures and the question: they know customers."""
        return {**super().__getstate__(), "tenures": None, "query": None}

    # -- who is next -------------------------------------------------------------------------

    def predict(self, source: Any = None, *, horizon: Any = "90d") -> ChurnPrediction:
        """Say for each customer who is there how likely it leaves within a horizon.

        Under `Inactivity` of d days nobody silent for r days can leave before
        d − r days have passed. So the chance is 0 where r + horizon < d, and
        else learned from how customers stood at earlier dates (silence,
        rhythm, number of active days, age, and the covariates, all read up to
        the date) and whether they left within the horizon after it. Otherwise
        it follows from the hazard at the ages that lie ahead.

        Parameters
        ----------
        source : InteractionLog or Tenures, optional
            Whose customers; those learned from if not given.
        horizon : str, timedelta or number
            How far ahead: `"90d"`, or a number of the durations' unit (of a
            contract, of terms).

        Returns
        -------
        ChurnPrediction
            One row a customer who is there at the end of observation.
        """
        tenures = tenures_for(self, source)
        ahead_of = horizon_of(self, horizon)
        rows, unknown = standing_now(tenures, names_of(self))
        ahead = look_ahead(self, rows, ahead_of)
        table = list_customers(rows, ahead, ahead_of, values_per_day(tenures.log, rows))
        active = f"expected_active_{unit_of_model(self)}"
        summary: dict[str, Any] = {
            "customers": len(table),
            "expected_leavers": float(np.nansum(table["leave_probability"])),
            "leave_probability": float(table["leave_probability"].mean()),
            active: float(table[active].mean()),
        }
        if "value_at_stake" in table:
            summary["value_at_stake"] = float(table["value_at_stake"].sum())
        params = dict(self.params) | {
            "horizon": ahead_of,
            "unit": unit_of_model(self),
            "observed_until": tenures.params["observed_until"],
            "unseen": int(ahead.unseen.sum()),
            "definition": f"churn_prediction_{self.params['definition']}",
        }
        out = left_out_table({"churn_model.not_known_yet": unknown})
        return ChurnPrediction(table, pd.DataFrame([summary]), pd.DataFrame(), out, params, tenures.log)

    def at_risk(self, n: int = 20, *, horizon: Any = "90d", by: str = "probability") -> pd.DataFrame:
        """List the customers to look after first; see `ChurnPrediction.at_risk`."""
        return self.predict(horizon=horizon).at_risk(n, by=by)

    # -- how well ----------------------------------------------------------------------------

    def evaluate(
        self, *, split: Any = None, tenures_test: Tenures | None = None, horizon: Any = "90d", bins: int = 10
    ) -> ChurnEvaluation:
        """Learn before a date, predict at it, and judge by what happened afterwards.

        The tenures are measured again from the log as it was at the end of
        `split`, and the model is fitted to them; its predictions for who is
        there then are compared with what the whole log tells of the next
        `horizon`. Where that was watched to its end no weights are needed; else
        those of whom it was not known in time are stood for by the others
        (inverse probability of censoring). Beside it stand what the
        Kaplan–Meier curve of all customers says, and a rule that knows but
        whether a customer was silent for longer than a number of days; both
        learned before the date, too.

        Parameters
        ----------
        split : date
            The last day that is learned from.
        tenures_test : Tenures, optional
            Instead of a split: other customers' tenures, judged from their
            entry on, with the model as it is.
        horizon : str, timedelta or number
            How far ahead.
        bins : int
            Groups of the calibration table.

        Returns
        -------
        ChurnEvaluation
            Calibration, scores, and differences with their standard errors.
        """
        from journeykit.analyses.churn.model.judging import judge_others, judge_split

        if (split is None) == (tenures_test is None):
            raise ParameterError("give split=, the last day to learn from, or tenures_test=")
        if tenures_test is not None:
            return judge_others(self, tenures_test, horizon_of(self, horizon), bins)
        return judge_split(self, split, horizon_of(self, horizon), bins)

    # -- what one covariate does -------------------------------------------------------------

    def partial_effects(self, covariate: str, values: Sequence[Any] | None = None) -> PartialEffects:
        """Say what one covariate does, the others being usual: the ratio and the curve at each value.

        Parameters
        ----------
        covariate : str
            One of the model's.
        values : sequence, optional
            Levels, or numbers; all levels, or low, middle and high if not given.
        """
        assert self.hazard is not None
        table = None if self.tenures is None else self.tenures.table
        return partial_effects(self.hazard, self.terms, dict(self.usual), covariate, values, self.params, table)

    # -- kept and read again -----------------------------------------------------------------

    def save(self, path: str | Path, *, horizons: Sequence[Any] = ()) -> None:
        """Write the model to a file: JSON that holds numbers and words, and nothing that runs.

        Parameters
        ----------
        path : str or Path
            The file.
        horizons : sequence of str
            Under `Inactivity`: horizons to be able to predict without the log
            that was learned from; those predicted so far are kept in any case,
            and the length of the silence where there is none.
        """
        from journeykit.analyses.churn.model.store import write_model

        if by_standing(self):
            asked = [horizon_of(self, each) for each in horizons]
            for each in asked or ([] if self.landmarks else [self.params["limit_days"]]):
                landmarks_for(self, int(each))
        write_model(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> ChurnModel:
        """Read a model that `save` wrote; it predicts the same.

        Raises
        ------
        ParameterError
            If the file is no model, was changed, is of a later form, or does
            not predict here what it predicted when it was written.
        """
        from journeykit.analyses.churn.model.store import read_model

        return read_model(Path(path))

    # -- the same for all results ------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each effect with its interval; return the axes."""
        from journeykit.plots.churn_model import plot_effects

        return plot_effects(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the effects on a figure of its own."""
        from journeykit.plots.churn_model import effects_figure

        return effects_figure(self)

    def customers(self, row: int | str, log: Any = None) -> pd.Index:
        """Return the customers that a row's effect is of: those of the level, or whose number is known.

        Parameters
        ----------
        row : int or str
            Position in `table`, or the name of a segment.
        log : Tenures, optional
            What the model was fitted to, if it came from a file.
        """
        found = self.tenures if log is None else log
        if not isinstance(found, Tenures):
            raise ParameterError(
                "this model was stored without its tenures: give them, as in model.customers(0, log=…)"
            )
        if isinstance(row, str):
            return customers_of(found, row)
        if not 0 <= row < len(self.table):
            raise ParameterError(f"row == {row}, must be from 0 to {len(self.table) - 1}")
        wanted = self.table.iloc[row]
        term = next(each for each in self.terms if each.name == wanted["covariate"])
        columns, _ = term.design(found.table[term.name])
        if wanted["level"] == "":
            mask = np.ones(len(found.table), bool) if not term.has_missing else columns[:, 1] == 0
        else:
            mask = columns[:, term.columns.index(f"{term.name} = {wanted['level']}")] == 1
        ids: pd.Index = pd.Index(found.table.loc[mask, "customer"].unique())
        return ids

    def metrics(self) -> pd.DataFrame:
        """Flat records: each effect, and how well the order of leaving is explained."""
        row = records(self.summary)[0]
        found: list[dict[str, Any]] = [
            {"name": "concordance", "value": row["concordance"], "low": row["concordance_low"],
             "high": row["concordance_high"], "n": row["customers"], "unit": "share"}
        ]  # fmt: skip
        for each in records(self.table):
            name = f"{each['covariate']} = {each['level']}" if each["level"] else each["covariate"]
            value = {
                end: each[f"{self._ratio}{side}"] for end, side in (("value", ""), ("low", "_low"), ("high", "_high"))
            }
            found.append({"name": self._ratio, "unit": "ratio", "n": each["customers"], "segment": name, **value})
        return metric_table(found, self.definition)

    def describe(self) -> str:
        """Say what matters most, how well the model tells who leaves first, and which effects do not stay."""
        from journeykit.analyses.churn.model.words import model_sentences

        return " ".join(model_sentences(self))

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        names = ["covariate", "level", "reference", "for_each", "customers", "events"]
        shown = self.table[[*names, self._ratio, f"{self._ratio}_low", f"{self._ratio}_high", "p_value"]]
        return shown.rename(columns=NOT_INTERACTIONS)

    def _repr_html_(self) -> str:
        tables = [html_table(self.shown())]
        if len(self.checks):
            tables.append(html_table(self.checks, words=("advice", "method"), caption=word("churn_model.checks_title")))
        return str(html_result(word("churn_model.title"), [self.describe(), *self.left_out_sentences()], tables))

    # -- inside ------------------------------------------------------------------------------

    @property
    def _ratio(self) -> str:
        return "hazard_ratio" if self.params["method"] == "cox" else "time_ratio"
