"""The picture of a stage funnel: the funnel, who was in a stage at all, and what those did who stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, FAINT, INK, MUTED, bare, new_figure, percent_axis
from journeykit.plots.funnel import axis_words, draw_bars, explain, funnel_figure, group_words, right_to_left, turn
from journeykit.text import label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.analyses.funnel import StageFunnelResult

MOST_NEXT = 4
"""Touchpoints that are named among what came next; the others are one."""
QUIET = {"funnel.stayed": "#b8b8b8", "funnel.nothing": FAINT}


def stage_figure(result: StageFunnelResult) -> Figure:
    """Draw the funnel of stages with what a line hides and what those did who stopped; with groups, as any funnel."""
    if "segment" in result.table and len(result.table["segment"].unique()) > 1:
        return funnel_figure(result)
    table = result.table.reset_index(drop=True)
    n = len(table)
    figure = new_figure((11.0, 1.6 + 1.35 * max(2, n)))
    grid = figure.add_gridspec(
        2, 2, width_ratios=[1.0, 1.7] if right_to_left() else [1.7, 1.0], height_ratios=[1.0, 0.62]
    )
    left, right = (1, 0) if right_to_left() else (0, 1)
    bars = figure.add_subplot(grid[0, left])
    draw_bars(result, table, bars)
    bars.set_xlabel(axis_words(result), color=INK)
    explain(result, bars)
    draw_hidden(result, table, figure.add_subplot(grid[0, right]))
    draw_next(result, figure.add_subplot(grid[1, :]))
    return figure


def draw_hidden(result: StageFunnelResult, table: pd.DataFrame, ax: Axes) -> None:
    """Mark for each stage who was there at all, who in order, who skipped it and who came back, in customers."""
    y = np.arange(len(table))
    # What is there at all is counted in customers, or in units where there are some: attempts have no place here.
    counted = "customers" if "attempts" in table else result.base_column.removesuffix("_mature")
    marks = (
        ("reached", "panel_reached", "o", "white", COLOURS[0], 0.0),
        (counted, "panel_order", "o", COLOURS[0], COLOURS[0], 0.0),
        ("skipped", "panel_skipped", "X", COLOURS[5], COLOURS[5], -0.2),
        ("came_back", "panel_came_back", "<", COLOURS[2], COLOURS[2], 0.2),
    )
    ax.hlines(y, table[counted], table["reached"], color=COLOURS[0], linewidth=1.2, zorder=1)
    for column, key, marker, face, edge, lower in marks:
        ax.plot(
            table[column], y + lower, marker, markerfacecolor=face, markeredgecolor=edge, markersize=7,
            label=say(f"funnel.{key}"),
        )  # fmt: skip
    ax.set_yticks(y, [""] * len(table))  # the rows are those of the funnel beside it
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(left=-0.03 * max(1, table["reached"].max()))
    ax.set_title(say("funnel.panel_title"), color=INK, fontsize=10)
    ax.set_xlabel(label(counted), color=INK)
    bare(ax, grid="x")
    for edge_line in y[:-1] + 0.5:
        ax.axhline(edge_line, color=FAINT, linewidth=0.6)
    turn(ax)
    ax.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def draw_next(result: StageFunnelResult, ax: Axes) -> None:
    """Draw what those who stopped did next as one bar a stage, cut in shares."""
    actions = result.next_actions
    stages = [stage for stage in result.table["stage"] if stage in set(actions["stage"])]
    so_far = result.params["rates_over"] == "so_far"
    ax.set_title(say("funnel.instead_title_so_far" if so_far else "funnel.instead_title"), color=INK, fontsize=10)
    if not stages:
        ax.text(0.5, 0.5, say("core.none"), ha="center", va="center", color=MUTED, transform=ax.transAxes)
        ax.set_axis_off()
        return
    real = actions[~actions["next_touchpoint"].isin(QUIET)]
    counted = result.base_column.removesuffix("_mature")
    named = list(real.groupby("next_touchpoint")[counted].sum().sort_values(ascending=False).index[:MOST_NEXT])
    colours = {name: COLOURS[(i + 1) % len(COLOURS)] for i, name in enumerate(named)}
    colours |= {"funnel.other_touchpoints": "#6f6f6f", **QUIET}
    kinds = actions["next_touchpoint"].where(
        actions["next_touchpoint"].isin([*named, *QUIET]), "funnel.other_touchpoints"
    )
    shares = actions.assign(kind=kinds).pivot_table(counted, "stage", "kind", aggfunc="sum", fill_value=0)
    shares = shares.reindex(index=stages, columns=[k for k in colours if k in shares.columns])
    shares = shares.div(shares.sum(axis=1), axis=0)
    y, left = np.arange(len(stages)), np.zeros(len(stages))
    for kind in shares.columns:
        width = shares[kind].to_numpy()
        ax.barh(y, width, left=left, height=0.62, color=colours[kind], edgecolor="white", label=word(str(kind)))
        for i in np.flatnonzero(width > 0.045):
            dark = kind in QUIET or colours[kind] in ("#E69F00", "#56B4E9")
            percent = f"{100 * width[i]:.0f}"
            ax.text(
                left[i] + width[i] / 2,
                y[i],
                percent,
                ha="center",
                va="center",
                color=INK if dark else "white",
                fontsize=8,
            )
        left = left + width
    counts = actions.groupby("stage")["stopped"].first()
    names = [group_words(result, stage, int(counts[stage])) for stage in stages]
    ax.set_yticks(y, names)
    ax.set_ylim(len(stages) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    percent_axis(ax.xaxis)
    bare(ax)
    turn(ax)
    ax.legend(
        frameon=False, fontsize=8, loc="center right" if right_to_left() else "center left",
        bbox_to_anchor=(-0.01, 0.5) if right_to_left() else (1.01, 0.5),
    )  # fmt: skip
