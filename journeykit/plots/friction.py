"""Draw what goes with each friction, and how often it is met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from journeykit.plots.canvas import COLOURS, INK, bare, new_axes, new_figure, percent_axis
from journeykit.plots.forest import draw_forest
from journeykit.text import format_value, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 10  # customers behind a point of the pages
LINES = ("-", "--", "-.", ":")


def plot_friction(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the difference of the conversion rate that goes with each cause; return the axes."""
    ax = new_axes(ax, size=(8.6, 1.9 + 0.42 * max(len(result.table), 2)))
    _forest(result, ax, texts=True)
    return ax


def friction_figure(result: Any) -> Figure:
    """Draw the differences, and beside them how often each cause is met."""
    figure = new_figure((11.0, 2.0 + 0.42 * max(len(result.table), 2)))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1]})
    _forest(result, left, texts=False)
    bare(right, grid="x")
    table, at = result.table, np.arange(len(result.table))
    errors = [table["met_rate"] - table["met_rate_low"], table["met_rate_high"] - table["met_rate"]]
    right.barh(at, table["met_rate"], height=0.55, color=COLOURS[4])
    right.errorbar(table["met_rate"], at, xerr=np.clip(np.array(errors, dtype=float), 0, None), fmt="none", ecolor=INK,
                   elinewidth=1.2)  # fmt: skip
    right.set_yticks(at, [""] * len(table))
    right.set_ylim(left.get_ylim())
    percent_axis(right.xaxis)
    right.set_xlabel(say("friction.axis_met"))
    return figure


def plot_pages(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share who move on after so many pages since a step, with its interval; return the axes."""
    from matplotlib.ticker import MaxNLocator

    ax = bare(new_axes(ax, size=(8.0, 4.2)), grid="y")
    for i, step in enumerate(result.params["steps"][:-1]):
        rows = result.pages[(result.pages["step"] == step) & (result.pages["customers"] >= FEWEST)]
        if rows.empty:
            continue
        colour, line = COLOURS[i % len(COLOURS)], LINES[i % len(LINES)]
        ax.fill_between(
            rows["page"], rows["moved_on_rate_low"], rows["moved_on_rate_high"], color=colour, alpha=0.16, linewidth=0
        )
        following = result.params["steps"][i + 1]
        name = say("friction.line", step=word(step), next_step=word(following))
        ax.plot(rows["page"], rows["moved_on_rate"], color=colour, linestyle=line, marker="o", markersize=4, label=name)
    ax.set_ylim(0, 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    percent_axis(ax.yaxis)
    ax.set_xlabel(say("friction.axis_pages"))
    ax.set_ylabel(say("friction.axis_next"))
    if ax.lines:
        ax.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return ax


def _forest(result: Any, ax: Axes, *, texts: bool) -> None:
    from matplotlib.ticker import FuncFormatter

    table = result.table
    draw_forest(
        ax,
        [result.name_of(cause) for cause in table["cause"]],
        table["difference_rate"],
        table["difference_rate_low"],
        table["difference_rate_high"],
        reference=0.0,
        log=False,
        marked=result.clear,
        texts=[say("friction.met", **row) for row in _records(table)] if texts else [],
        sides=(say("friction.side_less"), say("friction.side_more")) if len(table) else None,
        xlabel=say("friction.axis_difference"),
    )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _position=None: _points(value)))
    notes = [say("friction.note" if len(table) else "friction.no_cause"), *result.not_looked_at(result.params)]
    for i, note in enumerate(notes):
        ax.annotate(note, (0, 0), xycoords="axes fraction", xytext=(0, -42 - 14 * i), textcoords="offset points",
                    fontsize=8.5, color=INK, va="top", annotation_clip=False)  # fmt: skip


def _records(table: Any) -> list[Any]:
    rows: list[Any] = table.to_dict("records")
    return rows


def _points(difference: float) -> str:
    return format_value("difference_rate", round(difference, 6)).replace(".0", "")
