"""Draw what is lost where, in the order in which to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, new_figure
from journeykit.text import format_value, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 12


def plot_opportunities(result: Any, ax: Axes | None = None) -> Axes:
    """Draw a bar a row with its interval: filled where the loss is clear, hollow where not; return the axes."""
    ax = new_axes(ax, size=(8.8, 2.0 + 0.4 * max(2, min(len(result.table), MOST_ROWS))))
    _bars(result, ax, result.measure, named=True)
    _notes(result, ax)
    return ax


def opportunities_figure(result: Any) -> Figure:
    """Draw what is lost in value (or conversions), and beside it in customers at the step."""
    figure = new_figure((11.5, 2.2 + 0.4 * max(2, min(len(result.table), MOST_ROWS))))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1]})
    _bars(result, left, result.measure, named=True)
    _bars(result, right, "lost_customers", named=False)
    _notes(result, left)
    return figure


def _bars(result: Any, ax: Axes, measure: str, *, named: bool) -> None:
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    table, clear = result.table.head(MOST_ROWS), result.clear.to_numpy()[:MOST_ROWS]
    bare(ax, grid="x")
    at = np.arange(len(table))
    values, low, high = (table[f"{measure}{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high"))
    for place in at:
        fill = COLOURS[0] if clear[place] else "white"
        ax.barh(place, values[place], height=0.6, color=fill, edgecolor=COLOURS[0] if clear[place] else MUTED)
    errors = np.clip(np.vstack([values - low, high - values]), 0, None)
    ax.errorbar(values, at, xerr=errors, fmt="none", ecolor=INK, elinewidth=1.3, capsize=2.5)
    ax.axvline(0, color=MUTED, linewidth=1.2)
    ax.set_yticks(at, result.where()[:MOST_ROWS] if named else [""] * len(at), parse_math=False)
    ax.set_ylim(max(len(table), 1) - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _position=None: format_value("customers", round(value))))
    key = {"lost_value": "axis_value", "lost_conversions": "axis_conversions"}.get(measure, "axis_customers")
    ax.set_xlabel(say(f"opportunities.{key}"))
    if named and len(table):
        handles = [
            Patch(facecolor=COLOURS[0], edgecolor=COLOURS[0], label=say("opportunities.legend_clear")),
            Patch(facecolor="white", edgecolor=MUTED, label=say("opportunities.legend_unclear")),
        ]
        ax.legend(handles=handles, frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)


def _notes(result: Any, ax: Axes) -> None:
    more = len(result.table) - MOST_ROWS
    notes = [say("opportunities.note") if len(result.table) else say("opportunities.none", rows=0)]
    if more > 0:
        notes.append(say("opportunities.more", rows=more))
    for i, note in enumerate(notes):
        ax.annotate(note, (0, 0), xycoords="axes fraction", xytext=(0, -42 - 14 * i), textcoords="offset points",
                    fontsize=8.5, color=INK, va="top", annotation_clip=False)  # fmt: skip
