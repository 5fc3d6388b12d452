"""Draw what is read off a survival curve: the rate of leaving, the chance to stay from now on, other silences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, percent_axis
from journeykit.plots.churn import DASHES, MOST_LINES, ages, axis_of_age, name_lines, reach_of, rows_of, segments_of
from journeykit.plots.churn_threshold import MARKERS
from journeykit.text import format_value, label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENOUGH = 25
"""Customers that must be watched for a rate of leaving to be drawn."""


def plot_hazard(result: Any, periods: pd.DataFrame, smooth: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the rate of leaving per period of age with its interval, and the smooth curve through it; return the axes.

    `periods` is what `hazard` gives, `smooth` what `smoothed_hazard` does.
    """
    ax = bare(new_axes(ax, size=(8.0, 4.4)), grid="y")
    segments = segments_of(result)
    alone, names = len(segments) == 1, []
    top = 0.0
    for i, segment in enumerate(segments):
        rows = rows_of(periods, segment=segment)
        reach = min(reach_of(result), _well_watched(result, segment))
        begin, end = (rows[f"{side}_{result.unit}"].to_numpy(dtype=float) for side in ("from", "to"))
        rows = rows[(begin < reach) & (rows[f"at_risk_{result.unit}"] > 0).to_numpy()]
        begin, end = begin[: len(rows)], end[: len(rows)]
        middle = (begin + end) / 2 + (i - (len(segments) - 1) / 2) * 0.06 * (end - begin)
        rate = rows["hazard"].to_numpy(dtype=float)
        spread = [rate - rows["hazard_low"].to_numpy(), rows["hazard_high"].to_numpy() - rate]
        ax.errorbar(
            middle, rate, yerr=np.clip(spread, 0, None), fmt=MARKERS[i], color=COLOURS[i], markersize=5.5,
            linewidth=1.2, zorder=3,
        )  # fmt: skip
        curve = rows_of(smooth, segment=segment)
        curve = curve[ages(curve) <= reach]
        ax.plot(ages(curve), curve["hazard"], color=COLOURS[i], linestyle=DASHES[i], linewidth=1.6)
        known = rate[np.isfinite(rate)]
        highs = rows["hazard_high"].to_numpy(dtype=float)[: max(1, len(rows) - 1)]
        top = max([top, *(1.3 * known[:-1]), *known[-1:], *np.minimum(highs, 2.5 * max(known, default=1.0))])
        last = curve["hazard"].dropna()
        names.append((word(segment), COLOURS[i], float(last.iloc[-1]) if len(last) else float(known[-1])))
    axis_of_age(result, ax, reach_of(result))
    ax.set_ylim(0, top * 1.05 if top else 1)
    percent_axis(ax.yaxis)
    ax.set_ylabel(say(f"churn.axis_hazard_{result.unit}"))
    if not alone:
        name_lines(ax, names)
    return ax


def plot_given(result: Any, curves: list[tuple[Any, pd.DataFrame]], ax: Axes | None = None) -> Axes:
    """Draw who stays how much longer, of those still there at an age: a line for each age; return the axes."""
    ax = bare(new_axes(ax, size=(8.0, 4.4)), grid="y")
    names = []
    for i, (age, rows) in enumerate(curves[:MOST_LINES]):
        rows = rows[(rows["survival"].notna() & (ages(rows) <= _well_watched(result, ""))).to_numpy()]
        if rows.empty:
            continue
        further = ages(rows).to_numpy(dtype=float) - age
        if len(curves) <= 4:
            ax.fill_between(further, rows["survival_low"], rows["survival_high"], step="post", color=COLOURS[i],
                            alpha=0.13, linewidth=0)  # fmt: skip
        ax.plot(further, rows["survival"], drawstyle="steps-post", color=COLOURS[i], linestyle=DASHES[i], linewidth=1.9)
        shown = say("churn.there_at", age=format_value(result.unit, age))
        names.append((shown, COLOURS[i], float(rows["survival"].iloc[-1])))
    ax.set_ylim(0, 1.02)
    ax.set_xlim(left=0)
    percent_axis(ax.yaxis)
    ax.set_xlabel(say(f"churn.axis_further_{result.unit}"))
    ax.set_ylabel(say("churn.axis_survival"))
    name_lines(ax, names)
    return ax


def plot_sensitivity(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share still there at the horizon, and the share who came back, by the silence; return the axes."""
    ax = bare(new_axes(ax, size=(8.0, 4.4)), grid="y")
    table = result.sensitivity
    segments = segments_of(result)
    names = []
    for i, segment in enumerate(segments):
        rows = rows_of(table, segment=segment)
        shift = (i - (len(segments) - 1) / 2) * 0.012 * float(table["limit_days"].max())
        for k, name in enumerate(("survival", "comeback_rate")):
            rate = rows[name].to_numpy(dtype=float)
            spread = [rate - rows[f"{name}_low"].to_numpy(), rows[f"{name}_high"].to_numpy() - rate]
            ax.errorbar(
                rows["limit_days"] + shift, rate, yerr=np.clip(spread, 0, None), marker=MARKERS[i],
                color=COLOURS[i if len(segments) > 1 else k], linewidth=1.4, markersize=6,
                markerfacecolor="white" if k else None, linestyle="-" if k == 0 else ":",
            )  # fmt: skip
            what = word(segment) if len(segments) > 1 else label("came_back") if k else say("churn.still_there")
            if len(segments) == 1 or k == 0:
                known = rate[np.isfinite(rate)]
                names.append((what, COLOURS[i if len(segments) > 1 else k], float(known[-1]) if len(known) else 0.0))
    ax.axvline(result.params["limit_days"], color=MUTED, linewidth=1, linestyle=":")
    ax.set_xticks(sorted(table["limit_days"].unique()))
    ax.set_ylim(0, 1.02)
    percent_axis(ax.yaxis)
    ax.set_xlabel(say("churn.axis_silence"))
    ax.set_ylabel(say("churn.axis_sensitivity", horizon_days=result.params["horizon_days"]))
    if len(segments) > 1:
        ax.set_title(say("churn.sensitivity_title"), fontsize=9.5, color=INK, loc="left")
    name_lines(ax, names)
    return ax


def _well_watched(result: Any, segment: str) -> float:
    """Age until which enough customers of a segment are watched for a rate to mean something."""
    rows = rows_of(result.table, segment=segment)
    enough = rows["at_risk"] >= min(ENOUGH, rows["at_risk"].max())
    return float(ages(rows)[enough].max())
