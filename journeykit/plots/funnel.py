"""Pictures of a funnel: bars with what is lost between them, groups side by side, one small funnel a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from journeykit.text import direction, format_value, label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.analyses.funnel import FunnelResult

BAR = COLOURS[0]
HATCHED: dict[str, Any] = {"facecolor": "#cfe0ee", "edgecolor": BAR, "hatch": "////"}
MARKERS = "osD^vPXp"
MOST_GROUPS = 8
MOST_FUNNELS = 12
THICK = 0.52
"""Height of a bar; between two of them stands what is lost."""


def plot_funnel(result: FunnelResult, ax: Axes | None = None) -> Axes:
    """Draw a funnel; return the axes.

    Without groups each step is a bar as long as its customers; a hatched
    part are those whose window is still running (all, where rates are so far).
    Between two bars stands who went no further, and the time. With groups, the
    share that came to each step is a marker a group.
    """
    table = result.table
    groups = list(table["segment"].unique()) if "segment" in table else []
    if len(groups) > 1:
        return _plot_groups(result, ax)
    n_steps = len(table)
    ax = new_axes(ax, size=(7.5, 1.0 + 0.85 * max(2, n_steps)))
    draw_bars(result, table.reset_index(drop=True), ax)
    ax.set_xlabel(axis_words(result), color=INK)
    explain(result, ax)
    return ax


def axis_words(result: FunnelResult) -> str:
    """Say what the bars count, and whether their windows are over."""
    key, counted = f"funnel.axis_{result.params['rates_over']}", _counted(result)
    return say(key) if counted == "customers" else say(f"{key}_of", things=label(counted))


def group_words(result: FunnelResult, group: object, n: Any) -> str:
    """Say a group's name and how many it has."""
    return say("funnel.segment_title", segment=word(str(group)), things=say(f"funnel.things_{_counted(result)}", n=n))


def _counted(result: FunnelResult) -> str:
    """Return the column of the plain count: customers, or what is counted in their place."""
    return result.base_column.removesuffix("_mature")


def funnel_figure(result: FunnelResult) -> Figure:
    """Draw the funnel, or with groups their comparison and under it a small funnel each; return the figure."""
    table = result.table
    groups = list(table["segment"].unique()) if "segment" in table else []
    n_steps = table[result.step_column].nunique()
    if len(groups) <= 1:
        figure = new_figure((7.5, 1.0 + 0.85 * max(2, n_steps)))
        plot_funnel(result, figure.add_subplot())
        return figure
    shown = _largest(result, groups, MOST_FUNNELS)
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure((3.6 * columns + 1, 1.2 + (0.5 + 0.62 * n_steps) * (rows + 1)))
    above, below = np.ravel(figure.subfigures(2, 1, height_ratios=[1.25, rows]))  # type: ignore[arg-type]
    _plot_groups(result, above.add_subplot())
    axes = below.subplots(rows, columns, sharex=True, squeeze=False)
    if right_to_left():
        axes = axes[:, ::-1]
    for i, (ax, group) in enumerate(zip(axes.flat, shown, strict=False)):
        part = table[table["segment"] == group].reset_index(drop=True)
        draw_bars(result, part, ax, as_rate=True)
        if i % columns:
            ax.set_yticklabels([])
        n = int(part[result.base_column].iloc[0])
        ax.set_title(group_words(result, group, n), color=INK, fontsize=9)
    for ax in axes.flat[len(shown) :]:
        ax.set_visible(False)
    return figure


def draw_bars(result: FunnelResult, rows: pd.DataFrame, ax: Axes, *, as_rate: bool = False) -> None:
    """Draw one funnel as bars: customers, or the share of those at the first step."""
    over = result.params["rates_over"]
    base = rows[result.base_column].to_numpy(dtype=float)
    first = base[0] if len(base) else 0.0
    scale = first if as_rate and first else 1.0
    lengths = base / scale
    y = np.arange(len(rows))
    look: dict[str, Any] = dict(HATCHED) if over == "so_far" else {"facecolor": BAR}
    ax.barh(y, lengths, height=THICK, linewidth=0.8, **look)
    running = np.zeros(len(rows))
    if over == "mature" and not as_rate:
        running = np.maximum(rows[_counted(result)].to_numpy(dtype=float) - base, 0)
        ax.barh(y, running, left=lengths, height=THICK, linewidth=0.8, **HATCHED)
    _draw_intervals(rows, first / scale if scale else 0.0, y, ax)
    longest = max([1e-9, *(lengths + running)[~np.isnan(lengths + running)]])  # a report may leave numbers out
    _write_rates(rows, base, y, lengths, running, longest, ax, numbers=not as_rate)
    _write_losses(result, rows, base, longest, ax)
    ax.set_yticks(y, [word(str(name)) for name in rows[result.step_column]])
    ax.set_ylim(max(1, len(rows)) - 0.5, -0.5)
    ax.set_xlim(0, longest * (1.62 if not as_rate else 1.85))
    bare(ax)
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks([])
    turn(ax)


def _draw_intervals(rows: pd.DataFrame, first: float, y: Any, ax: Axes) -> None:
    """Mark the interval of each share that came this far, at the end of its bar."""
    low, high = (rows[f"reach_rate_{end}"].to_numpy(dtype=float) * first for end in ("low", "high"))
    known = ~np.isnan(low)
    ax.hlines(y[known], low[known], high[known], color=INK, linewidth=1.4, zorder=3)
    for bound in (low, high):
        ax.vlines(bound[known], y[known] - 0.09, y[known] + 0.09, color=INK, linewidth=1.4, zorder=3)


def _write_rates(
    rows: pd.DataFrame, base: Any, y: Any, lengths: Any, running: Any, longest: float, ax: Axes, *, numbers: bool
) -> None:
    """Say at the end of each bar how many came this far, and their share with its interval."""
    ends = np.fmax(
        lengths + running, rows["reach_rate_high"].to_numpy(dtype=float) * (lengths[0] if len(lengths) else 0)
    )
    for i, row in enumerate(rows.to_dict("records")):
        share = format_value("reach_rate", row["reach_rate"])
        if not np.isnan(row["reach_rate_low"]):
            share = say("funnel.share_with_interval", **{str(name): value for name, value in row.items()})
        text = say("funnel.bar", n=_whole(base[i]), share=share) if numbers else share
        ax.annotate(
            text, (np.nan_to_num(ends[i]), y[i]), xytext=(-6 if right_to_left() else 6, 0), va="center",
            textcoords="offset points",
            ha="right" if right_to_left() else "left", color=INK, fontsize=9 if numbers else 8,
        )  # fmt: skip


def _whole(number: float) -> Any:
    return number if np.isnan(number) else int(number)


def _write_losses(result: FunnelResult, rows: pd.DataFrame, base: Any, longest: float, ax: Axes) -> None:
    """Say between two bars who went no further, and how long the others took."""
    assert result.plan is not None
    names = list(rows[result.step_column])
    key = "funnel.waiting" if result.params["rates_over"] == "so_far" else "funnel.lost"
    for i, name in enumerate(names):
        before = result.plan.base_steps[result.plan.names.index(name) + 1]
        if i == 0 or not before or result.plan.names[before - 1] not in names:
            continue
        was = base[names.index(result.plan.names[before - 1])]
        if not was or np.isnan(was - base[i]):
            continue
        lost = int(was - base[i])
        parts = [say(key, lost=lost, lost_difference=-lost, loss_rate=lost / was)]
        if not np.isnan(rows["median_seconds"].iloc[i]):
            parts.append(say("funnel.time_between", median_seconds=rows["median_seconds"].iloc[i]))
        ax.annotate(
            "   ".join(parts), (0, i - 0.5), xytext=(-4 if right_to_left() else 4, 0), textcoords="offset points",
            va="center", ha="right" if right_to_left() else "left", color=MUTED, fontsize=8,
        )  # fmt: skip


def explain(result: FunnelResult, ax: Axes) -> None:
    """Say what the hatching means, where there is any."""
    from matplotlib.patches import Patch

    over = result.params["rates_over"]
    counted = _counted(result)
    running = (result.table[counted] > result.table[f"{counted}_mature"]).any()
    if over == "so_far" or (over == "mature" and running):
        text = say("funnel.legend_so_far" if over == "so_far" else "funnel.legend_open")
        patch = Patch(label=text, **HATCHED)
        side: Any = "lower left" if right_to_left() else "lower right"
        ax.legend(
            handles=[patch],
            loc=side,
            bbox_to_anchor=(0.0 if right_to_left() else 1.0, 1.0),
            frameon=False,
            fontsize=8,
        )


def _plot_groups(result: FunnelResult, ax: Axes | None) -> Axes:
    """Draw the share of each group that came to each step, with its interval."""
    table = result.table
    steps = list(dict.fromkeys(table[result.step_column]))[1:]
    groups = list(table["segment"].unique())
    named = _largest(result, groups, MOST_GROUPS if len(groups) <= MOST_GROUPS else MOST_GROUPS - 1)
    ax = new_axes(ax, size=(7.5, 1.4 + (0.35 + 0.16 * len(named)) * max(1, len(steps))))
    for group in groups:
        if group in named:
            continue
        rows = table[table["segment"] == group].set_index(result.step_column).reindex(steps)
        ax.plot(rows["reach_rate"], np.arange(len(steps)), "|", color=MUTED, markersize=9, zorder=1)
    gap = 0.8 / max(1, len(named))
    so_far = result.params["rates_over"] == "so_far"
    for i, group in enumerate(named):
        rows = table[table["segment"] == group].set_index(result.step_column).reindex(steps)
        y = np.arange(len(steps)) - 0.4 + (i + 0.5) * gap
        colour = COLOURS[i % len(COLOURS)]
        ax.hlines(y, rows["reach_rate_low"], rows["reach_rate_high"], color=colour, linewidth=1.6)
        n = table.loc[table["segment"] == group, result.base_column].iloc[0]  # missing where a report doesn't say it
        ax.plot(
            rows["reach_rate"], y, MARKERS[i % len(MARKERS)], color=colour, markersize=6,
            markerfacecolor="white" if so_far else colour,
            label=group_words(result, group, n),
        )  # fmt: skip
    if len(named) < len(groups):
        ax.plot([], [], "|", color=MUTED, markersize=9, label=say("funnel.other_groups", n=len(groups) - len(named)))
    ax.set_yticks(np.arange(len(steps)), [word(str(step)) for step in steps])
    ax.set_ylim(len(steps) - 0.5, -0.5)
    for edge in np.arange(len(steps) - 1) + 0.5:
        ax.axhline(edge, color=FAINT, linewidth=0.8)
    high = np.nanmax([0.01, *table.loc[table[result.step_column].isin(steps), "reach_rate_high"]])
    ax.set_xlim(0, min(1.0, 1.05 * high))
    percent_axis(ax.xaxis)
    bare(ax, grid="x")
    ax.set_xlabel(say("funnel.axis_rate_so_far" if so_far else "funnel.axis_rate"), color=INK)
    turn(ax)
    ax.legend(frameon=False, fontsize=8, loc="center left" if not right_to_left() else "center right",
              bbox_to_anchor=(1.01, 0.5) if not right_to_left() else (-0.01, 0.5))  # fmt: skip
    return ax


def _largest(result: FunnelResult, groups: list[Any], most: int) -> list[Any]:
    """Return the groups with most customers, in the order of the table."""
    size = result.table.groupby("segment", sort=False)[_counted(result)].max()
    kept = set(size.sort_values(ascending=False, kind="stable").index[:most])
    return [group for group in groups if group in kept]


def turn(ax: Axes) -> None:
    """Let bars grow from the side where reading begins."""
    if right_to_left():
        ax.invert_xaxis()
        ax.spines["left"].set_visible(False)
        ax.spines["right"].set_visible(True)
        ax.spines["right"].set_color(FAINT)
    read_from_right(ax)


def right_to_left() -> bool:
    """Tell whether reading begins on the right."""
    return direction() == "rtl"
