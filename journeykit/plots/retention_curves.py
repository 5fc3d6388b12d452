"""Curves of cohort retention: each cohort's, the overall one, and one for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, INK, bare, new_axes, percent_axis, read_from_right
from journeykit.text import label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from journeykit.analyses.retention import RetentionResult

DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 2, 2, 2)))


def plot_curves(result: RetentionResult, ax: Axes | None = None, *, segment: str | None = None) -> Axes:
    """Draw the overall curve with its interval, over a thin line for each cohort; with segments, a curve for each.

    Parameters
    ----------
    result : RetentionResult
        What to draw.
    ax : Axes, optional
        Where; new axes by default.
    segment : str, optional
        Only this segment, with its cohorts.
    """
    ax = new_axes(ax, size=(7.5, 4.2))
    if "segment" in result.table and segment is None:
        _draw_segments(ax, result)
    else:
        _draw_cohorts(ax, result, segment)
    names = age_names(result)[1:]
    step = max(1, -(-len(names) // 18))
    ax.set_xticks(np.arange(1, len(names) + 1)[::step], names[::step])
    ax.set_xlim(0.7, max(len(names), 1) + 0.3)
    if result.main == "back_rate":
        ax.set_ylim(bottom=0)
        percent_axis(ax.yaxis)
    ax.set_xlabel(say(f"retention.axis_{result.params['period']}"), color=INK)
    ax.set_ylabel(meaning(result, result.main), color=INK)
    bare(ax, grid="y")
    read_from_right(ax)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=9, labelcolor=INK, loc="best")
    return ax


def _draw_cohorts(ax: Axes, result: RetentionResult, segment: str | None) -> None:
    from matplotlib import colormaps

    rates = result.matrix(segment=segment).iloc[:, 1:].to_numpy(dtype=float)
    status = result.matrix("status", segment=segment).iloc[:, 1:].to_numpy()
    rates = np.where(status == "unfinished", np.nan, rates)
    shades = colormaps["Blues"](np.linspace(0.25, 0.8, max(len(rates), 2)))
    places = np.arange(1, rates.shape[1] + 1)
    alone = np.isfinite(rates).sum(axis=1) == 1
    sizes = result.matrix("customers", segment=segment).iloc[:, 0].to_numpy()
    faint = np.where(sizes < 0.1 * max(1.0, float(np.median(sizes))), 0.35, 1.0)  # a handful of customers says little
    for i, line in enumerate(rates):
        if np.isfinite(line).any():
            marker = "." if alone[i] else ""
            name = say("retention.each_cohort") if i == len(rates) // 2 else None
            ax.plot(
                places,
                line,
                color=shades[i],
                linewidth=0.9,
                marker=marker,
                markersize=3,
                alpha=faint[i],
                label=name,
                zorder=1,
            )
    summary = result.summary if segment is None else result.summary[result.summary["segment"] == segment]
    if result.main != "sum_value":  # a sum over fewer and fewer cohorts would seem to fall
        name = say("retention.all_with_interval", confidence=result.params["confidence"])
        _draw_overall(ax, summary, result.main, name, "black", "-")


def _draw_segments(ax: Axes, result: RetentionResult) -> None:
    groups = list(result.summary.groupby("segment", sort=False))
    largest = sorted(groups, key=lambda group: -np.nan_to_num(group[1]["base"].iloc[0]))[: len(COLOURS)]
    kept = {name for name, _ in largest}
    shown = [(name, rows) for name, rows in groups if name in kept]
    for i, (name, rows) in enumerate(shown):
        _draw_overall(ax, rows, result.main, word(str(name)), COLOURS[i], DASHES[i])
    if len(shown) < len(groups):
        ax.plot([], [], " ", label=say("core.more_rows", rows=len(groups) - len(shown)))


def _draw_overall(ax: Axes, summary: pd.DataFrame, column: str, name: str, colour: str, dashes: Any) -> None:
    rows = summary.iloc[1:]
    places = np.arange(1, len(rows) + 1)
    rate = rows[column].to_numpy(dtype=float)
    low, high = (rows.get(f"{column}_{end}", rows[column]).to_numpy(dtype=float) for end in ("low", "high"))
    apart = _in_short_runs(np.isfinite(rate))
    ax.fill_between(places, low, high, where=~apart, color=colour, alpha=0.18, linewidth=0, zorder=2)
    ax.plot(places, rate, color=colour, linestyle=dashes, linewidth=2.2, label=name, zorder=4)
    # One or two columns between gaps make no band, and a line at zero lies on the axis: points and bars show them.
    for place in np.flatnonzero(apart):
        ax.errorbar(
            places[place],
            rate[place],
            [[rate[place] - low[place]], [high[place] - rate[place]]],
            fmt="o",
            color=colour,
            markersize=4,
            capsize=3,
            clip_on=False,
        )


def _in_short_runs(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which known columns have at most one known neighbour, in a row of no more than two."""
    runs = np.cumsum(np.diff(known, prepend=False))
    short: NDArray[np.bool_] = known & (np.bincount(runs)[runs] <= 2)
    return short


def age_names(result: RetentionResult) -> list[str]:
    """Name the columns: their age, or the ages that they span."""
    ages = result.summary.drop_duplicates("age")
    lasts = ages["age_last"] if "age_last" in ages else ages["age"]
    return [str(a) if a == b else f"{a}–{b}" for a, b in zip(ages["age"], lasts, strict=True)]


def meaning(result: RetentionResult, column: str) -> str:
    """Say what the numbers of a column are."""
    if column != "back_rate":
        return label(column)
    if result.params["base"] == "previous":
        return say("retention.previous")
    return say(f"retention.{result.params['mode']}")
