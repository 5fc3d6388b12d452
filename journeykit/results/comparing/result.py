"""What `compare` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from journeykit.errors import LogError
from journeykit.results.base import Result, metric_table
from journeykit.results.comparing.say import described, difference_words, main_row, row_words
from journeykit.schema import check_one_of
from journeykit.text import format_value, html_result, html_table, say, word
from journeykit.text.numbers import kind_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class CompareResult(Result):
    """Two results of one kind, and how they differ.

    Attributes
    ----------
    table : DataFrame
        One row an estimate that either has: the columns that name it (`step`,
        `age`, `segment` …), `measure` (the estimate's column, by whose ending
        it is shown), `estimate_a`, `estimate_b`, `difference` (b − a) with
        `difference_low` and `difference_high` (unadjusted), `ratio` (b/a) with
        its interval, `p_value`, `p_value_holm` (the family is this table),
        `n_a`, `n_b` (effectively behind each; missing where only the interval
        is known). Plain counts have no interval, nor has a row that only one
        of the two has.
    summary : DataFrame
        One row: `customers_a`, `customers_b`, `customers_shared` (behind both;
        missing where a log is), `comparisons` (rows with a p-value),
        `differing` (of them, after Holm), `method` ("disjoint customers",
        "shared customers"; "shared customers, not scored": this kind can't say
        who did what; "customers not known": a log is missing). With `expected_ratio`: `arm_a`,
        `arm_b` (customers seen in each arm), `expected_a`, `expected_b`,
        `sample_ratio_p_value`, `sample_ratio_off` (p < 0.001).
    split : DataFrame
        Where changes are split by a column: for each rate over customers, one
        row a `segment` and, last, `"overall"`: `base_a`, `a_share`, `a_rate`,
        the same of b, `mix_rate_difference`, `own_rate_difference` and their
        sum `rate_difference`, each with interval.
    comparison : DataFrame
        Empty: the table is the comparison.
    left_out : DataFrame
        `result` ("a" or "b"), `reason`, `customers`.
    """

    split: pd.DataFrame = field(default_factory=pd.DataFrame)
    keys: tuple[str, ...] = ()
    main: int = 0
    a: Result | None = None
    b: Result | None = None

    topic: ClassVar[str] = "compare"

    def customers(self, of: str = "shared", log: Any = None) -> pd.Index:
        """List the customers behind both results, or behind one.

        Parameters
        ----------
        of : {"shared", "a", "b"}
            Whom.
        log : tuple of two logs, optional
            Where the results were stored without them.
        """
        from dataclasses import replace

        check_one_of("of", of, ("shared", "a", "b"))
        assert self.a is not None
        assert self.b is not None
        logs = (None, None) if log is None else log
        a, b = (
            each if own is None else replace(each, log=own) for each, own in zip((self.a, self.b), logs, strict=True)
        )
        found = [one.comparable(other).customers for one, other in ((a, b), (b, a))]
        if found[0] is None or found[1] is None:
            raise LogError("the results were stored without their logs: give them, as in log=(log_a, log_b)")
        ids: dict[str, Any] = {"a": found[0], "b": found[1]}
        chosen: pd.Index = found[0]().intersection(found[1]()) if of == "shared" else ids[of]()
        return chosen.sort_values()

    def main_split(self) -> pd.DataFrame:
        """Return the split of the main rate, or else of the first that is split: its groups and `"overall"`."""
        if self.split.empty:
            return self.split
        named = [name for name in (*self.keys, "measure") if name != "segment"]
        main = main_row(self)
        same = np.ones(len(self.split), dtype=bool)
        for name in named:
            same &= (self.split[name] == (None if main is None else self.table.loc[main, name])).to_numpy()
        if same.any():
            return self.split[same]
        first = int(np.argmax((self.split["segment"] == "overall").to_numpy()))
        return self.split.iloc[: first + 1]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw every difference with its interval against zero; return the axes."""
        from journeykit.plots.compare import plot_compare

        return plot_compare(self, ax=ax)

    def plot_split(self, ax: Axes | None = None) -> Axes:
        """Draw what the mix and what their own rates did to each rate; return the axes."""
        from journeykit.plots.compare import plot_split

        return plot_split(self, ax=ax)

    def figure(self) -> Figure:
        """Draw the differences and, where they are split, the effects beside them."""
        from journeykit.plots.compare import compare_figure

        return compare_figure(self)

    def describe(self) -> str:
        """Say what differs most surely, of how many, how that is known, and whether the sample ratio is off."""
        return described(self)

    def metrics(self) -> pd.DataFrame:
        """The difference of every row that has one, and the p-value of the sample ratio."""
        records = []
        for row in self.table[self.table["difference"].notna()].to_dict("records"):
            where = [str(row[key]) for key in self.keys if key != "segment" and row[key] != ""]
            records.append(
                {
                    "name": ".".join([*where, str(row["measure"]), "difference"]),
                    "value": row["difference"],
                    "low": row["difference_low"],
                    "high": row["difference_high"],
                    "n": row["n_b"],
                    "unit": kind_of(str(row["measure"])),
                    "segment": row.get("segment", ""),
                }
            )
        if "sample_ratio_p_value" in self.summary:
            found = self.summary.iloc[0]
            n = found["arm_a"] + found["arm_b"]
            p_value = found["sample_ratio_p_value"]
            records.append({"name": "sample_ratio_p_value", "value": p_value, "n": n, "unit": "p"})
        return metric_table(records, self.definition)

    def shown(self) -> pd.DataFrame:
        """Return the differences in words, each in the unit of its measure."""
        names = self.params["names"]
        columns: dict[Any, list[Any]] = {"compared": [row_words(self, row) for row in self.table.to_dict("records")]}
        for name, side in zip(names, "ab", strict=True):
            columns[word(name)] = [
                format_value(measure, value)
                for measure, value in zip(self.table["measure"], self.table[f"estimate_{side}"], strict=True)
            ]
        columns["difference"] = [difference_words(row) for row in self.table.to_dict("records")]
        columns["p_value_holm"] = self.table["p_value_holm"].tolist()
        return pd.DataFrame(columns)

    def _repr_html_(self) -> str:
        sentences = [self.describe(), *self.left_out_sentences()]
        tables = [html_table(self.shown())]
        if len(self.split):
            tables.append(html_table(self.split, caption=say("compare.split_title")))
        return str(html_result(word("compare.title"), sentences, tables))

    def left_out_sentences(self) -> list[str]:
        """Say who is not counted on either side, and why."""
        sentences = []
        for name, side in zip(self.params["names"], "ab", strict=True):
            own = self.left_out[self.left_out["result"] == side]
            for reason, customers in zip(own["reason"], own["customers"], strict=True):
                if customers:
                    text = say("core.left_out", customers=customers, reason=word(str(reason)))
                    sentences.append(say("core.list_name", name=name, text=text))
        return sentences
