"""The comparison: `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.estimators.allocation import expected_sizes, sample_ratio_test
from journeykit.estimators.differences import holm, newcombe, two_rate_test
from journeykit.estimators.shared import implied_p_value, joint_scores, scored_difference, separate_ratio
from journeykit.results.base import Result
from journeykit.results.comparable import Comparable, Lookup, scores_of_parts
from journeykit.results.comparing.agree import check_agreement
from journeykit.results.comparing.result import CompareResult
from journeykit.results.comparing.split import split_rows
from journeykit.text.numbers import kind_of

VERSION = "compare/1"
SAMPLE_RATIO_LIMIT = 0.001
"""Below this p-value a sample ratio is customarily said to be off."""
DISJOINT, SHARED = "disjoint customers", "shared customers"
UNSCORED, UNKNOWN = "shared customers, not scored", "customers not known"
AT_ONCE = 8
"""Rows whose scores are held at a time: each has a number for every customer."""


@dataclass(frozen=True)
class Sharing:
    """Customers behind each of two results, and behind both; None where that cannot be known."""

    customers_a: int | None
    customers_b: int | None
    shared: int | None
    scored: bool = True

    @property
    def method(self) -> str:
        """How differences are estimated: the customers differ, are shared, or nobody knows."""
        if self.shared is None:
            return UNKNOWN
        if not self.shared:
            return DISJOINT
        return SHARED if self.scored else UNSCORED


def compare(
    a: Result,
    b: Result,
    *,
    split_by: str | None = None,
    expected_ratio: Sequence[float] | None = None,
    names: tuple[str, str] = ("a", "b"),
    logs: tuple[Any, Any] = (None, None),
) -> CompareResult:
    """Compare two results of one kind: segments, periods, before and after, experiment arms.

    Every estimate of `b` less the same of `a`. Whether the two share customers
    is looked up, never assumed. Where they share none, the interval of a
    difference is made of the two intervals; where they share some, of the
    differences of customers' scores; where that cannot be known, because a
    result was stored without its log, the difference is plain, without an
    interval.

    Parameters
    ----------
    a, b : Result
        Two results of one analysis, asked with the same options; who and when
        may differ (the log, `by`, `between`).
    split_by : str, optional
        A column by which changes of rates are split into mix (other shares of
        its groups) and own effects (other rates in them); in `.split`. Not
        needed where both were asked with the same `by`.
    expected_ratio : sequence of two numbers, optional
        For the arms of an experiment: how many customers `a` and `b` should
        have, as `(1, 1)`. Whether they do is tested; below p = 0.001 the
        result says that the ratio is off.
    names : tuple of two str
        What the two are called in sentences and pictures.
    logs : tuple of two logs, optional
        The logs of results that were stored without them.

    Returns
    -------
    CompareResult
        Differences in `.table`, who is behind them in `.summary`, mix and own
        effects in `.split`.

    Raises
    ------
    ParameterError
        If the two are of different kinds, or an option differs, which it
        names.

    Notes
    -----
    Disjoint customers: Newcombe (1998), with the score test; ratios by Donner
    & Zou (2012). Shared: V = C/(C − 1) Σ(uᵢᵇ − uᵢᵃ)² over the C customers in
    either, uᵢ the linearised score, ± t √V; ratios the same on the logarithm.
    The family of Holm's p-values is the table. Mix and own effects: Kitagawa
    (1955), customer bootstrap. Sample ratio: exact binomial test up to 1,000
    customers, chi-squared beyond.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> web, shop = (jk.stickiness(log.where(channel=channel), period="month") for channel in ("web", "store"))
    >>> found = jk.compare(web, shop, names=("web", "store"))
    >>> found.table.columns[:4].tolist(), found.summary["method"].item()
    (['active_periods', 'measure', 'estimate_a', 'estimate_b'], 'shared customers')
    """
    check_agreement(a, b)
    if len(set(names)) != 2:
        raise ParameterError(f"names must be two different words, got {names!r}")
    a, b = (_with_log(result, log) for result, log in zip((a, b), logs, strict=True))
    same_by = a.params.get("by") == b.params.get("by")
    shown = (a, b) if same_by else (_unsplit(a), _unsplit(b))
    rows_a, rows_b = shown[0].comparable(shown[1]), shown[1].comparable(shown[0])
    sharing = find_sharing(rows_a, rows_b)
    confidence = float(a.params.get("confidence", 0.95))
    table = difference_table(rows_a, rows_b, sharing, confidence)
    return CompareResult(
        table=table,
        summary=_summary(a, b, table, sharing, expected_ratio, confidence),
        comparison=pd.DataFrame(),
        left_out=_left_out(a, b),
        params=_params(a, b, names, split_by, expected_ratio, confidence),
        split=split_rows(a, b, split_by, confidence),
        keys=rows_a.keys,
        main=_place_of(table, rows_a),
        a=a,
        b=b,
    )


def _place_of(table: pd.DataFrame, rows: Comparable) -> int:
    """Position in the table of the row that a reader asks for first."""
    wanted = rows.rows.iloc[rows.main] if len(rows.rows) else None
    same = np.ones(len(table), dtype=bool)
    for name in (*rows.keys, "measure"):
        same &= (table[name] == (None if wanted is None else wanted[name])).to_numpy()
    return int(np.argmax(same)) if same.any() else 0


def _with_log(result: Result, log: Any) -> Result:
    from dataclasses import replace

    return result if log is None else replace(result, log=log)


def _unsplit(result: Result) -> Result:
    return result if result.params.get("by") is None else result.split_by(None)


def find_sharing(a: Comparable, b: Comparable) -> Sharing:
    """Look up how many customers are behind each result, and behind both."""
    ids = [None if each.customers is None else each.customers() for each in (a, b)]
    n_a, n_b = (None if each is None else len(each) for each in ids)
    if ids[0] is None or ids[1] is None:
        return Sharing(n_a, n_b, None)
    scored = _lookup(a) is not None and _lookup(b) is not None
    return Sharing(n_a, n_b, int((ids[0].get_indexer(ids[1]) >= 0).sum()), scored)


def difference_table(a: Comparable, b: Comparable, sharing: Sharing, confidence: float) -> pd.DataFrame:
    """Lay out one row an estimate: both of them, and their difference."""
    keys = [*a.keys, "measure"]
    if set(a.keys) != set(b.keys):
        raise ParameterError(f"the rows of the two are named differently: by {list(a.keys)} and by {list(b.keys)}")
    one, other = (each.rows.assign(place=np.arange(len(each.rows))) for each in (a, b))
    both = one.merge(other, on=keys, how="outer", suffixes=("_a", "_b"), sort=False)
    # In the order of a, then what only b has.
    order = np.lexsort([both["place_b"].fillna(np.inf), both["place_a"].fillna(np.inf)])
    both = both.iloc[order].reset_index(drop=True)
    both = both[both["estimate_a"].notna() | both["estimate_b"].notna()].reset_index(drop=True)
    found = _separate(both, confidence)
    if sharing.method == SHARED:
        found = _shared(both, a, b, confidence)
    elif sharing.method != DISJOINT:
        found[[name for name in map(str, found) if name not in ("difference", "ratio")]] = np.nan
    no_ratio = both[["estimate_a", "estimate_b"]].lt(0).any(axis=1)
    found.loc[no_ratio, ["ratio", "ratio_low", "ratio_high"]] = np.nan
    table = pd.concat([both[[*keys, "estimate_a", "estimate_b"]], found], axis=1)
    return table.assign(p_value_holm=holm(table["p_value"]), n_a=both["n_a"], n_b=both["n_b"])


def _separate(both: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Differences of estimates that share no customer, from the interval of each."""
    ends: dict[str, Any] = {
        side: tuple(both[f"{end}_{side}"].to_numpy(dtype=float) for end in ("estimate", "low", "high")) for side in "ab"
    }
    difference, low, high = newcombe(ends["b"], ends["a"])
    p_value = implied_p_value(difference, low, high, confidence)
    rates = np.array([kind_of(str(name)) == "percent" for name in both["measure"]], dtype=bool)
    n_a, n_b = both["n_a"].to_numpy(dtype=float), both["n_b"].to_numpy(dtype=float)
    tested = rates & ~np.isnan(n_a) & ~np.isnan(n_b) & ~np.isnan(low)
    p_value[tested] = two_rate_test(ends["b"][0][tested], n_b[tested], ends["a"][0][tested], n_a[tested])
    ratio, ratio_low, ratio_high = separate_ratio(ends["a"], ends["b"])
    return pd.DataFrame(
        {
            "difference": difference,
            "difference_low": low,
            "difference_high": high,
            "ratio": ratio,
            "ratio_low": ratio_low,
            "ratio_high": ratio_high,
            "p_value": p_value,
        }
    )


def _shared(both: pd.DataFrame, a: Comparable, b: Comparable, confidence: float) -> pd.DataFrame:
    """Differences of estimates that share customers, from the scores of each."""
    values = {side: both[f"estimate_{side}"].to_numpy(dtype=float) for side in "ab"}
    sums = pd.DataFrame(np.nan, index=both.index, columns=["customers", "shared", "aa", "bb", "ab"])
    estimated = both["low_a"].notna() & both["low_b"].notna()
    known = np.flatnonzero(both["place_a"].notna() & both["place_b"].notna() & estimated)
    for part in (known[i : i + AT_ONCE] for i in range(0, len(known), AT_ONCE)):
        # In the order of the ids, so that sums are the same however the log is cut.
        scores = [_scores(each, both[f"place_{side}"].iloc[part]) for each, side in ((a, "a"), (b, "b"))]
        sums.iloc[part] = joint_scores(*scores).to_numpy()
    return scored_difference(values["a"], values["b"], sums, confidence)


def _scores(comparable: Comparable, places: pd.Series) -> pd.DataFrame:
    look = _lookup(comparable)
    assert look is not None
    return look(places.astype(int).tolist()).sort_index()


def _lookup(comparable: Comparable) -> Lookup | None:
    if comparable.scores is not None:
        return comparable.scores
    return None if comparable.parts is None else scores_of_parts(comparable.parts)


def _summary(
    a: Result,
    b: Result,
    table: pd.DataFrame,
    sharing: Sharing,
    ratio: Sequence[float] | None,
    confidence: float,
) -> pd.DataFrame:
    tested = table["p_value_holm"].notna()
    row: dict[str, Any] = {
        "customers_a": sharing.customers_a,
        "customers_b": sharing.customers_b,
        "customers_shared": sharing.shared,
        "comparisons": int(tested.sum()),
        "differing": int((table["p_value_holm"] < 1 - confidence).sum()),
        "method": sharing.method,
    }
    if ratio is not None:
        sizes = [_size(result, known) for result, known in ((a, sharing.customers_a), (b, sharing.customers_b))]
        expected = expected_sizes(sizes, ratio)
        p_value = sample_ratio_test(sizes, ratio)
        row |= {
            "arm_a": sizes[0],
            "arm_b": sizes[1],
            "expected_a": float(expected[0]),
            "expected_b": float(expected[1]),
        }
        row |= {"sample_ratio_p_value": p_value, "sample_ratio_off": bool(p_value < SAMPLE_RATIO_LIMIT)}
    frame = pd.DataFrame([row])
    counts = ["customers_a", "customers_b", "customers_shared"]
    frame[counts] = frame[counts].astype("Int64")
    return frame


def _size(result: Result, behind: int | None) -> int:
    """Customers of an arm: all who were seen in it, whatever they did."""
    if hasattr(result.log, "owners"):  # of sessions and other units, too, it is customers who were divided
        return len(result.log.owners)
    if hasattr(result.log, "n_customers"):
        return int(result.log.n_customers)
    if behind is None:
        raise ParameterError("whether the sample ratio holds is told by the logs: say logs=(log_a, log_b)")
    return behind


def _left_out(a: Result, b: Result) -> pd.DataFrame:
    parts = [result.left_out.assign(result=name) for name, result in (("a", a), ("b", b))]
    return pd.concat(parts, ignore_index=True)[["result", "reason", "customers"]]


def _params(
    a: Result,
    b: Result,
    names: tuple[str, str],
    split_by: str | None,
    expected_ratio: Sequence[float] | None,
    confidence: float,
) -> dict[str, Any]:
    return {
        "a": dict(a.params),
        "b": dict(b.params),
        "names": tuple(names),
        "split_by": split_by,
        "expected_ratio": None if expected_ratio is None else tuple(expected_ratio),
        "confidence": confidence,
        "observed_until": b.params.get("observed_until"),
        "definition": " ".join([VERSION, a.definition.split(" ")[0]]),
    }
