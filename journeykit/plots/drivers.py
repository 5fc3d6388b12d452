"""Draw what goes with converting: odds ratios below each other, and the rates behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, new_figure, percent_axis
from journeykit.plots.forest import draw_forest
from journeykit.text import say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 18


def plot_drivers(result: Any, ax: Axes | None = None) -> Axes:
    """Draw odds ratios with intervals, the clear ones filled; return the axes."""
    rows = _rows(result)
    ax = new_axes(ax, size=(8.0, 1.6 + 0.3 * max(len(rows), 3)))
    _forest(result, rows, ax, texts=True)
    return ax


def drivers_figure(result: Any) -> Figure:
    """Draw the odds ratios and beside them the rates with and without each driver."""
    rows = _rows(result)
    figure = new_figure((11.0, 1.8 + 0.3 * max(len(rows), 3)))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    _forest(result, rows, left, texts=False)
    bare(right, grid="x")
    at = np.arange(len(rows))
    for place, name, key, marker, colour in (
        (-0.13, "with_rate", "drivers.legend_with", "o", COLOURS[0]),
        (0.13, "without_rate", "drivers.legend_without", "s", MUTED),
    ):
        errors = [rows[name] - rows[f"{name}_low"], rows[f"{name}_high"] - rows[name]]
        right.errorbar(rows[name], at + place, xerr=np.clip(errors, 0, None), fmt=marker, color=colour, markersize=5,
                       linewidth=1.4, label=say(key))  # fmt: skip
    right.set_yticks(at, [""] * len(rows))
    right.set_ylim(left.get_ylim())
    percent_axis(right.xaxis)
    right.set_xlabel(say("drivers.axis_rates", last=word(result.params["steps"][-1])))
    if len(rows):
        right.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _rows(result: Any) -> pd.DataFrame:
    """The rows that are least likely by chance, where there are too many, in the order of the table."""
    table: pd.DataFrame = result.table.assign(clear=result.clear)
    if len(table) > MOST_ROWS:
        table = table.loc[np.sort(table["p_value"].argsort(kind="stable").to_numpy()[:MOST_ROWS])]
    return table


def _forest(result: Any, rows: pd.DataFrame, ax: Axes, *, texts: bool) -> None:
    values: list[Any] = rows.to_dict("records")
    draw_forest(
        ax,
        [word(name) for name in rows["driver"]],
        rows["odds_ratio"],
        rows["odds_ratio_low"],
        rows["odds_ratio_high"],
        marked=rows["clear"],
        texts=[say("drivers.rates", **row) for row in values] if texts else [],
        sides=(say("drivers.side_less"), say("drivers.side_more")),
        xlabel=say("drivers.axis_whole" if result.params["method"] == "whole_attempt" else "drivers.axis"),
    )
    more = len(result.table) - len(rows)
    note = [say("drivers.filled")] if len(rows) else [say("drivers.too_few", min_n=result.summary["min_n"].iloc[0])]
    if more:
        note.append(say("drivers.more", drivers=more))
    ax.annotate("  ".join(note), (0, 0), xycoords="axes fraction", xytext=(0, -42), textcoords="offset points",
                fontsize=8.5, color=INK, va="top", annotation_clip=False)  # fmt: skip
