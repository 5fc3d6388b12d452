"""Pictures of a retention forecast: what was seen, and how it is expected to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from journeykit.plots.canvas import (
    COLOURS,
    FAINT,
    INK,
    MUTED,
    bare,
    new_axes,
    new_figure,
    percent_axis,
    read_from_right,
)
from journeykit.text import say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.analyses.retention.forecast_result import ForecastResult

_MARKERS = "osD^vP"
_MOST_COHORTS = 12


def plot_forecast(result: ForecastResult, ax: Axes | None = None) -> Axes:
    """Draw what was seen as points and the model as a line, dashed where it is a forecast, with its interval."""
    ax = new_axes(ax, size=(7.5, 4.4))
    curve = result.curve
    groups = [("", curve)] if "segment" not in curve else list(curve.groupby("segment", sort=False))
    for i, (name, rows) in enumerate(groups[: len(_MARKERS)]):
        _draw(ax, rows, COLOURS[i], _MARKERS[i], str(name))
    if len(groups) > len(_MARKERS):
        ax.plot([], [], " ", label=say("core.more_rows", rows=len(groups) - len(_MARKERS)))
    lasts = {int(rows.loc[rows["status"] == "finished", "age"].max()) for _, rows in groups}
    if len(lasts) == 1:
        ax.axvline(lasts.pop() + 0.5, color=MUTED, linewidth=1, linestyle=":")
    _finish(ax, result)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    return ax


def _draw(ax: Axes, rows: pd.DataFrame, colour: str, marker: str, name: str) -> None:
    age, rate = rows["age"].to_numpy(), rows["survival_rate"].to_numpy(dtype=float)
    known = (rows["status"] == "finished").to_numpy()
    ax.fill_between(age, rows["survival_rate_low"], rows["survival_rate_high"], color=colour, alpha=0.18, linewidth=0)
    ahead = ~known | np.append(~known[1:], False)  # from the last finished age on
    ax.plot(age[known], rate[known], color=colour, linewidth=1.6)
    called = (word(name), "") if name else (say("retention_forecast.seen"), say("retention_forecast.expected"))
    ax.plot(age[ahead], rate[ahead], color=colour, linewidth=1.6, linestyle="--", label=called[1] or None)
    seen = rows["seen_rate"].to_numpy(dtype=float)[known]
    ax.plot(age[known], seen, marker, color=colour, markersize=5, label=called[0], zorder=3)


def _finish(ax: Axes, result: ForecastResult) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_ylim(0, 1.02)
    ax.set_xlim(left=-0.2)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    percent_axis(ax.yaxis)
    ax.set_xlabel(say(f"retention.axis_{result.params['period']}"), color=INK)
    ax.set_ylabel(say("retention_forecast.still_there"), color=INK)
    bare(ax, grid="y")
    read_from_right(ax)


def forecast_figure(result: ForecastResult) -> Figure:
    """Draw the curve on the left; on the right the newest cohorts, each on into its own future."""
    from matplotlib import colormaps

    figure = new_figure((11.0, 4.6))
    left, right = figure.subplots(1, 2)
    plot_forecast(result, ax=left)
    keys = ["segment", "cohort"] if "segment" in result.table else ["cohort"]
    cohorts = list(result.table.groupby(keys, sort=False))[-_MOST_COHORTS:]
    shades = colormaps["Blues"](np.linspace(0.35, 0.95, max(len(cohorts), 2)))
    for i, (_, rows) in enumerate(cohorts):
        newest = i == len(cohorts) - 1
        known = (rows["status"] == "finished").to_numpy()
        age, rate = rows["age"].to_numpy(), rows["back_rate"].to_numpy(dtype=float)
        ahead = ~known | np.append(~known[1:], False)
        colour = shades[i] if len(cohorts) > 1 else COLOURS[0]
        if newest:
            bounds = (rows["back_rate_low"].fillna(rows["back_rate"]), rows["back_rate_high"].fillna(rows["back_rate"]))
            right.fill_between(age[ahead], *(b.to_numpy(dtype=float)[ahead] for b in bounds), color=FAINT, linewidth=0)
        right.plot(age[known], rate[known], color=colour, marker=".", linewidth=1.6 if newest else 1)
        right.plot(age[ahead], rate[ahead], color=colour, linestyle="--", linewidth=1.6 if newest else 1)
    title = "retention_forecast.each_cohort" if len(cohorts) > 1 else "retention_forecast.one_cohort"
    right.set_title(say(title, cohorts=len(cohorts)), fontsize=10, color=INK)
    _finish(right, result)
    return figure
