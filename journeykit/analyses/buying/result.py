"""What `buying_model` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.analyses.buying.checks import CLASSES, MOST
from journeykit.analyses.buying.fitted import Fitted
from journeykit.analyses.buying.query import Asked, days_of, settle_query
from journeykit.analyses.buying.stored import frame_to_plain, plain_to_frame, read_text, to_text
from journeykit.analyses.buying.tally import STATE, list_buyers
from journeykit.analyses.buying.words import segment_sentences, untold_sentences
from journeykit.errors import ParameterError
from journeykit.results.base import Result, find_row, metric_table
from journeykit.schema import check_one_of
from journeykit.text import html_result, html_table, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog

FRAMES = ("table", "summary", "left_out", "tracking", "frequency", "holdout", "checks")

_RELATED = 0.1
"""A correlation of frequency and spend above this is worth a sentence."""


@dataclass(frozen=True, eq=False, repr=False)
class BuyingModel(Result):
    """A model of how often customers buy again, and of what they spend, with its checks.

    Attributes
    ----------
    table : DataFrame
        One row a parameter: `model` (the method, or "gamma_gamma"),
        `parameter`, `estimate` with interval. Times are in the `period` of
        `params`: `r` and `alpha` are of the purchases of those who still are
        customers; `s` and `beta` (Pareto/NBD), or `a` and `b`, of leaving; `p`,
        `q` and `gamma` of the spend.
    summary : DataFrame
        One row, as of the end of observation: `customers`; `alive`, how many of
        them are expected to be customers still, with interval (of the
        expectation, as all here); `within_days`, and `expected_purchases` in
        them; with a model of spend `expected_value` of these purchases, and
        `mean_value` of a purchase; `pace`, purchases a period of who is still
        a customer; `trained` (customers learnt from), `repeat_purchases`
        (theirs), `seen_at_start` (of them those who first bought in the
        log's first period, and may be older), `log_likelihood`.
    tracking : DataFrame
        One row a period, counted from the end of training so that none
        crosses it: `starts_at`, `ends_at`, `days`, `part` ("training" or
        "holdout"), `new_customers`, `actual` repeat purchases and those
        `expected` with interval, and both summed up, `cumulative_actual` and
        `cumulative_expected`. Expected of new customers by their age alone.
    frequency : DataFrame
        One row a number of repeat purchases in training (`repeats`: "0" … "6",
        "7+"): `customers`, and how many are `expected`.
    holdout : DataFrame
        The same classes, and "all": `customers`, their `purchases` in the part
        held back, `actual_mean` of them with interval, and `expected_mean`
        given what each did before, with interval. Empty without a holdout.
    checks : DataFrame
        One row a check: `check`, `n` customers, what was `actual` (with
        interval where it is an estimate) and `expected`, `p_value`. Of
        "repeat_classes" it is Pearson's chi-squared of `frequency` and its
        degrees of freedom; of "spend_correlation" the correlation of
        customers' frequency and mean spend, which the value takes to be 0.
    comparison : DataFrame
        With `by` each pair of segments: `measure` ("alive_share" of the
        customers, "purchases_each" within the horizon, "mean_value", "pace"),
        `a`, `b`, their `ratio` (b over a) with interval, `p_value`,
        `p_value_holm`; and the likelihood-ratio test that one model does for
        all of them ("one_for_all": `statistic`, `degrees_of_freedom`, `p_value`).
    segments : mapping of str to BuyingModel
        With `by`: the model of each. All tables then have a column `segment`.
    """

    tracking: pd.DataFrame = field(default_factory=pd.DataFrame)
    frequency: pd.DataFrame = field(default_factory=pd.DataFrame)
    holdout: pd.DataFrame = field(default_factory=pd.DataFrame)
    checks: pd.DataFrame = field(default_factory=pd.DataFrame)
    fitted: Fitted | None = None
    asked: Asked | None = None
    segments: Mapping[str, BuyingModel] = field(default_factory=dict)

    topic: ClassVar[str] = "buying"

    # -- what is expected of each customer -----------------------------------------------------

    def predict(self, horizon: Any = None, *, log: InteractionLog | None = None) -> pd.DataFrame:
        """Expect of each customer whether they still are one, what they buy and what it is worth.

        As of the end of observation of the log, so that all purchases count
        that are known, those of a holdout too; the parameters are those learnt.

        Parameters
        ----------
        horizon : str or timedelta, optional
            How far ahead, in whole days; that of the model if not given.
        log : InteractionLog, optional
            Another log of such customers, a newer one perhaps; or the log, if
            the model was stored without it. `log.between(None, "2024-07-01")`
            predicts from an earlier day.

        Returns
        -------
        DataFrame
            One row a customer: `customer`, `segment` (with `by`; who is of one
            that was not learnt from is not listed), `repeats` (days with a repeat
            purchase), `last_days` (days from the first to the last purchase),
            `age_days` (from the first one until now); `alive_probability`,
            `expected_purchases`, and with a model of spend `expected_value`,
            each with interval (of the expectation; what a single customer
            does varies far more).

        Notes
        -----
        BG/NBD takes everybody who bought once for a customer still:
        `alive_probability` is 1 for them, however long ago it was.

        Examples
        --------
        >>> log = jk.load_sample("guitar_shop")
        >>> model = jk.buying_model(log, "mbg_nbd", "gamma_gamma", purchase="order")
        >>> best = model.predict("180d").nlargest(10, "expected_value")
        >>> bool((best["expected_value"] > 0).all())
        True
        """
        assert self.asked is not None
        source = self._log(log)
        if self.segments:
            parts = [model.predict(horizon, log=source).assign(segment=name) for name, model in self.segments.items()]
            whole = pd.concat(parts, ignore_index=True).sort_values("customer", ignore_index=True, kind="stable")
            return whole[["customer", "segment", *(each for each in whole if each not in ("customer", "segment"))]]
        assert self.fitted is not None
        days = self.params["horizon_days"] if horizon is None else days_of(horizon, name="horizon")
        query = settle_query(source, self.asked, segment=self.params.get("segment"))
        listed = source.tally(list_buyers, query=query, until=query.last)
        equal = listed[STATE[:3]]
        unique = equal.drop_duplicates()
        at = pd.MultiIndex.from_frame(unique).get_indexer(pd.MultiIndex.from_frame(equal))
        who = self.fitted.buyers(unique)
        found: pd.DataFrame = listed[STATE[:3]].reset_index()
        triples = {"alive_probability": self.fitted.alive(who), "expected_purchases": self.fitted.purchases(who, days)}
        for name, triple in triples.items():
            for end, values in zip(("", "_low", "_high"), triple, strict=True):
                found[f"{name}{end}"] = values[at]
        if self.fitted.spending is not None:
            triple = self.fitted.value(self.fitted.buyers(listed), listed, days)
            for end, values in zip(("", "_low", "_high"), triple, strict=True):
                found[f"expected_value{end}"] = values
        return found

    def customers(self, row: Any, log: InteractionLog | None = None) -> pd.Index:
        """List the customers behind a row of `frequency`: those with so many repeat purchases in training.

        Parameters
        ----------
        row : str or int
            Its `repeats`, as "0" or "7+", or its position; with `by` its
            position, or the name of a segment, for all customers of it.
        log : InteractionLog, optional
            The log, if the model was stored without it.
        """
        assert self.asked is not None
        if self.segments:
            if not isinstance(row, str):
                place = find_row(self.frequency.assign(place=np.arange(len(self.frequency))), row, "place")
                found = self.frequency.iloc[place]
                return self.segments[found["segment"]].customers(found["repeats"], self._log(log))
            check_one_of("row", row, list(self.segments))
            query = settle_query(self._log(log), self.asked, segment=row)
            ids: pd.Index = self._log(log).tally(list_buyers, query=query, until=query.split).index
            return ids
        wanted = CLASSES.index(find_row(self.frequency, row, "repeats"))
        source = self._log(log)
        held = self.params["holdout_days"]
        query = settle_query(source, self.asked, f"{held}d" if held else None, self.params.get("segment"))
        listed = source.tally(list_buyers, query=query, until=query.split)
        ids = listed.index[np.minimum(listed["repeats"], MOST) == wanted]
        return ids

    # -- pictures and words --------------------------------------------------------------------

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the repeat purchases of each period and those expected, in training and after; return the axes.

        With `by`: what is expected of a customer of each segment.
        """
        from journeykit.plots.buying import plot_segments, plot_tracking

        return plot_segments(self, ax=ax) if self.segments else plot_tracking(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the tracking, also summed up, the classes of repeat purchases, and the holdout by them.

        With `by`: what is expected of each segment, and how each went over time.
        """
        from journeykit.plots.buying import buying_figure, segments_figure

        return segments_figure(self) if self.segments else buying_figure(self)

    def describe(self) -> str:
        """Say how many still are customers and what they will buy, how that was tested, and where not to trust it."""
        if self.segments:
            return " ".join(segment_sentences(self))
        row = {str(name): value for name, value in self.summary.iloc[0].items()}
        sentences = [say("buying.headline", **row)]
        if self.params["spend"]:
            sentences.append(say("buying.worth", **row))
        if self.params.get("spend_refused"):
            sentences.append(say("buying.no_spend"))
        sentences.append(self._tested())
        sentences += self._cautions(row)
        return " ".join(sentences)

    def _tested(self) -> str:
        if not len(self.holdout):
            return say("buying.untested")
        row = self.holdout.iloc[-1]
        values = {
            "holdout_days": self.params["holdout_days"],
            "purchases": int(row["purchases"]),
            **{
                f"expected_purchases{end}": row[f"expected_mean{end}"] * row["customers"]
                for end in ("", "_low", "_high")
            },
        }
        return say("buying.tested", **values)

    def _cautions(self, row: dict[str, Any]) -> list[str]:
        sentences = []
        if self.params["method"] == "bg_nbd":
            sentences.append(say("buying.one_timers"))
        sentences += untold_sentences(self.table)
        if self.params["penalizer"]:
            sentences.append(say("buying.penalised", penalizer=self.params["penalizer"]))
        related = self.checks[self.checks["check"] == "spend_correlation"]
        for _, found in related.iterrows():
            apart_from_0 = found["actual_low"] > 0 or found["actual_high"] < 0
            if apart_from_0 and abs(found["actual"]) >= _RELATED:
                ends = {f"correlation{end}": found[f"actual{end}"] for end in ("", "_low", "_high")}
                sentences.append(say("buying.related", **ends))
        if row["seen_at_start"]:
            first = say(f"buying.first_{self.params['period']}")
            sentences.append(say("buying.old", customers=int(row["seen_at_start"]), first=first))
        sentences.append(say("buying.assumes"))
        return sentences

    def metrics(self) -> pd.DataFrame:
        """Flat records: who still is a customer, what is expected within the horizon, and how the holdout went."""
        if self.segments:
            parts = [model.metrics().assign(segment=name) for name, model in self.segments.items()]
            return pd.concat(parts, ignore_index=True)
        row = self.summary.iloc[0]
        within = f"{self.params['horizon_days']} days"
        n = int(row["customers"])
        shown = [("alive", "customers", ""), ("expected_purchases", "purchases", within)]
        if self.params["spend"]:
            shown += [("expected_value", "value", within), ("mean_value", "value", "")]
        records = [
            {"name": name, "value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"], "n": n,
             "unit": unit, "segment": "", "period": period}
            for name, unit, period in shown
        ]  # fmt: skip
        if len(self.holdout):
            held = self.holdout.iloc[-1]
            for name in ("actual_mean", "expected_mean"):
                ends = {"value": held[name], "low": held[f"{name}_low"], "high": held[f"{name}_high"]}
                record = {"name": f"holdout_{name}", "n": int(held["customers"]), "unit": "purchases", "segment": ""}
                records.append(record | ends | {"period": f"{self.params['holdout_days']} days"})
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the columns that a reader wants to see first."""
        names = ["customers", *_ends("alive"), "within_days", *_ends("expected_purchases")]
        if self.segments:
            names = ["segment", *names]
        if self.params["spend"]:
            names += _ends("expected_value")
        return self.summary[names]

    def _repr_html_(self) -> str:
        words = ("check", "model", "part")
        tables = [html_table(self.shown()), html_table(self.table, words=words), html_table(self.checks, words=words)]
        if len(self.comparison):
            tables.insert(1, html_table(self.comparison, words=("measure",)))
        sentences = [self.describe(), *self.left_out_sentences()]
        return str(html_result(word("buying.title"), sentences, tables))

    # -- files ---------------------------------------------------------------------------------

    def to_json(self, path: str | Path | None = None) -> str:
        """Write the model as JSON: parameters, options, checks and totals, but no customer.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it.

        Returns
        -------
        str
            The JSON.

        Examples
        --------
        >>> log = jk.load_sample("guitar_shop")
        >>> model = jk.buying_model(log, "mbg_nbd", purchase="order")
        >>> again = type(model).from_json(model.to_json())
        >>> again.predict(log=log).equals(model.predict())
        True
        """
        return to_text(self._plain(), path)

    def _plain(self) -> dict[str, Any]:
        assert self.asked is not None
        return {
            "params": {
                name: value for name, value in self.params.items() if name not in ("observed_until", "trained_until")
            },
            "observed_until": self.params["observed_until"].isoformat(),
            "trained_until": self.params["trained_until"].isoformat(),
            "timezone": str(self.params["observed_until"].tz),
            "fitted": None if self.fitted is None else self.fitted.to_dict(),
            "asked": self.asked.to_dict(),
            "frames": {name: frame_to_plain(getattr(self, name)) for name in (*FRAMES, "comparison")},
            "segments": {name: model._plain() for name, model in self.segments.items()},
        }

    @classmethod
    def from_json(cls, source: str | Path) -> BuyingModel:
        """Read a model that `to_json` wrote; give `predict` a log then.

        Parameters
        ----------
        source : str or Path
            The JSON, or the path of a file that holds it.
        """
        plain = read_text(source)
        if not str(plain.get("params", {}).get("definition", "")).startswith("buying_model_"):
            raise ParameterError("this is no model of repeat buying: to_json of jk.buying_model's result writes one")
        return cls._of_plain(plain)

    @classmethod
    def _of_plain(cls, plain: dict[str, Any]) -> BuyingModel:
        frames = {name: plain_to_frame(each) for name, each in plain["frames"].items()}
        until = {
            name: pd.Timestamp(plain[name]).tz_convert(plain["timezone"])
            for name in ("observed_until", "trained_until")
        }
        params = plain["params"] | until
        fitted = None if plain["fitted"] is None else Fitted.from_dict(plain["fitted"])
        segments = {name: cls._of_plain(each) for name, each in plain["segments"].items()}
        asked = Asked.from_dict(plain["asked"])
        return cls(params=params, fitted=fitted, asked=asked, segments=segments, **frames)


def _ends(name: str) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"]
