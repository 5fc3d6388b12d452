"""Pictures of activity: the flow of customers, stickiness, active customers over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, new_figure, percent_axis, read_from_right
from journeykit.text import direction, format_value, label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.analyses.lifecycle import ActiveResult, LifecycleResult, StickinessResult

# From dark to light, so that the parts of a bar are told apart in greyscale too.
_FLOW = (("returning", "#08519c"), ("resurrecting", "#56B4E9"), ("new", "#E69F00"))
_DORMANT = "#9a9a9a"
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 2, 2, 2)))
_MOST_SEGMENTS = 6


def as_figure(plot: Callable[[Axes], Axes], size: tuple[float, float] = (8.0, 4.4)) -> Figure:
    """Draw one picture as a figure that no window shows."""
    figure = new_figure(size)
    plot(figure.subplots())
    return figure


# -- flow --------------------------------------------------------------------------------------


def plot_flow(result: LifecycleResult, ax: Axes | None = None, *, segment: str | None = None) -> Axes:
    """Draw returning, resurrecting and new customers above zero, dormant ones below; return the axes.

    An unfinished period is hatched; who will be dormant in it is not known
    yet. The line is the change of the number of active customers.

    Parameters
    ----------
    result : LifecycleResult
        What to draw.
    ax : Axes, optional
        Where; new axes by default.
    segment : str, optional
        Only this segment; all together by default.
    """
    ax = new_axes(ax, size=(8.0, 4.4))
    rows = _rows(result.table, segment)
    places = np.arange(len(rows))
    running = (rows["status"] == "unfinished").to_numpy()
    bottom = np.zeros(len(rows))
    for state, colour in _FLOW:
        heights = rows[state].to_numpy(dtype=float)
        bars = ax.bar(places, heights, bottom=bottom, color=colour, width=0.85, label=label(state), linewidth=0)
        _hatch(bars, running)
        bottom += heights
    dormant = rows["dormant"].to_numpy(dtype=float, na_value=0.0)
    ax.bar(places, -dormant, color=_DORMANT, width=0.85, label=label("dormant"), linewidth=0)
    change = rows["change"].to_numpy(dtype=float, na_value=np.nan)
    change[0] = np.nan  # nothing came before
    ax.plot(places, change, color="white", marker="o", markersize=5, linewidth=3.2)  # an outline, for dark bars
    ax.plot(places, change, color="black", marker="o", markersize=3, linewidth=1.4, label=say("lifecycle.change"))
    ax.axhline(0, color=INK, linewidth=0.8)
    if running.any():
        ax.bar([places[0]], [0], color="white", edgecolor=MUTED, hatch="////", linewidth=0, label=label("unfinished"))
    _periods_below(ax, result.params["period"], rows["period"])
    ax.set_ylabel(say("lifecycle.above_below"), color=INK)
    _counts_axis(ax)
    bare(ax, grid="y")
    read_from_right(ax)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return ax


def _rows(table: pd.DataFrame, segment: str | None) -> pd.DataFrame:
    """Return the rows of a segment, or the sum over all of them."""
    if "segment" not in table:
        return table
    if segment is not None:
        return table[table["segment"] == segment]
    counts = [name for name in ("active", "new", "returning", "resurrecting", "dormant", "change") if name in table]
    summed = table.groupby("period", sort=False)[counts].sum(min_count=1)
    first = table.drop_duplicates("period").set_index("period")[["status", "note"]]
    return summed.join(first).reset_index()


def _hatch(bars: Any, running: Any) -> None:
    for bar, unfinished in zip(bars, running, strict=True):
        if unfinished:
            bar.set_hatch("////")
            bar.set_edgecolor("white")
            bar.set_alpha(0.75)


def flow_figure(result: LifecycleResult) -> Figure:
    """Draw the flow; small pictures side by side where there are segments."""
    if "segment" not in result.table:
        return as_figure(result.plot, (9.0, 4.8))
    sizes = result.table.groupby("segment", sort=False)["active"].sum()
    largest = set(sizes.nlargest(_MOST_SEGMENTS).index)
    names = [name for name in sizes.index if name in largest]
    down = -(-len(names) // 2)
    figure = new_figure((13.0 if len(names) > 1 else 8.0, 4.2 * max(down, 1)))
    axes = np.atleast_1d(figure.subplots(max(down, 1), min(2, max(len(names), 1)))).ravel()
    for ax, name in zip(axes, names, strict=False):
        plot_flow(result, ax=ax, segment=name)
        own = ax.get_legend()
        if own is not None:
            own.remove()
        ax.set_title(word(str(name)), color=INK, fontsize=11, loc="right" if direction() == "rtl" else "left")
    handles, words = axes[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=6, frameon=False, labelcolor=INK)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    return figure


# -- stickiness --------------------------------------------------------------------------------


def plot_stickiness(result: StickinessResult, ax: Axes | None = None) -> Axes:
    """Draw the share of customers by number of active periods, with intervals; return the axes."""
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(ax, size=(8.0, 4.2))
    table = result.table
    if "segment" not in table:
        places, rate = table["active_periods"].to_numpy(), table["exactly_rate"].to_numpy(dtype=float)
        ax.bar(places, rate, width=0.85, color=COLOURS[0], linewidth=0)
        if (table["customers"] > 0).sum() <= 40:
            below = (rate - table["exactly_rate_low"]).to_numpy(dtype=float)
            above = (table["exactly_rate_high"] - rate).to_numpy(dtype=float)
            known = ~np.isnan(rate)
            ax.errorbar(places[known], rate[known], [below[known], above[known]], fmt="none", ecolor=INK, elinewidth=1)
    else:
        _draw_lines(ax, table, "active_periods", "exactly_rate")
    mean = result.summary["mean_periods"]
    if len(mean) == 1 and mean.notna().all():
        ax.axvline(mean.iloc[0], color="black", linestyle="--", linewidth=1.2)
        words = f"{say('lifecycle.mean_line')}: {format_value('count', mean.iloc[0])}"
        ax.annotate(words, (mean.iloc[0], 0.97), xycoords=("data", "axes fraction"), xytext=(5, 0), va="top",
                    textcoords="offset points", fontsize=9, color=INK)  # fmt: skip
    # Numbers that nobody reaches are in the table; here they would only squeeze the others.
    last = int(table.loc[table["customers"] > 0, "active_periods"].max()) if (table["customers"] > 0).any() else 1
    ax.set_xlim(0.3, last + 0.7)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    percent_axis(ax.yaxis)
    ax.set_xlabel(say(f"lifecycle.axis_{result.params['period']}"), color=INK)
    ax.set_ylabel(say("lifecycle.share_of_active"), color=INK)
    bare(ax, grid="y")
    read_from_right(ax)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    return ax


def _draw_lines(ax: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    groups = list(table.groupby("segment", sort=False))[: len(COLOURS)]
    for i, (name, rows) in enumerate(groups):
        places = rows[x].to_numpy() if x != "place" else np.arange(len(rows))
        values = rows[y].to_numpy(dtype=float, na_value=np.nan)
        ax.plot(places, values, color=COLOURS[i], linestyle=_DASHES[i], linewidth=1.8, label=word(str(name)))
        if f"{y}_low" in rows:
            low, high = rows[f"{y}_low"].to_numpy(dtype=float), rows[f"{y}_high"].to_numpy(dtype=float)
            ax.fill_between(places, low, high, color=COLOURS[i], alpha=0.15, linewidth=0)


# -- active customers --------------------------------------------------------------------------


def plot_active(result: ActiveResult, ax: Axes | None = None) -> Axes:
    """Draw active customers by period, dotted while unfinished, with the trailing ones above; return the axes."""
    ax = new_axes(ax, size=(8.5, 4.0))
    table = result.table
    if "segment" in table:
        _draw_lines(ax, table, "place", "active")
        rows = _rows(table, None)
    else:
        rows = table
        values = rows["active"].to_numpy(dtype=float)
        running = (rows["status"] == "unfinished").to_numpy() | (rows["note"] == "partial").to_numpy()
        places = np.arange(len(rows))
        ax.plot(places, np.where(running, np.nan, values), color=COLOURS[0], linewidth=1.1, label=label("active"))
        style: dict[str, Any] = {
            "marker": "o",
            "linestyle": "none",
            "markerfacecolor": "white",
            "markeredgecolor": COLOURS[0],
        }
        if running.any():
            ax.plot(places[running], values[running], markersize=4, label=label("partial"), **style)
        if rows["trend"].notna().any():
            ax.plot(places, rows["trend"], color="black", linewidth=1.6, label=label("trend"))
        if "trailing" in rows:
            trailing = rows["trailing"].to_numpy(dtype=float, na_value=np.nan)
            span = say(f"lifecycle.count_{result.params['period']}", n=result.params["rolling"])
            words = say("lifecycle.trailing", span=span)
            ax.plot(places, trailing, color=COLOURS[5], linestyle="--", linewidth=1.8, label=words)
    _periods_below(ax, result.params["period"], rows["period"])
    ax.set_ylim(bottom=0)
    ax.set_ylabel(label("customers"), color=INK)
    _counts_axis(ax)
    bare(ax, grid="y")
    read_from_right(ax)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    return ax


def active_figure(result: ActiveResult) -> Figure:
    """Draw active customers above the stickiness of each finished window."""
    figure = new_figure((9.0, 6.6))
    above, below = figure.subplots(2, 1, height_ratios=[3, 2])
    plot_active(result, ax=above)
    summary = result.summary
    windows = summary["window"].drop_duplicates()
    groups = [("", summary)] if "segment" not in summary else list(summary.groupby("segment", sort=False))
    for i, (name, rows) in enumerate(groups[: len(COLOURS)]):
        rate = rows["stickiness_rate"].to_numpy(dtype=float)
        arms = [rate - rows["stickiness_rate_low"], rows["stickiness_rate_high"] - rate]
        known = ~np.isnan(rate)
        shift = 0.0 if len(groups) == 1 else (i - len(groups) / 2) * 0.08
        below.errorbar(
            np.arange(len(rows))[known] + shift,
            rate[known],
            [np.nan_to_num(np.asarray(arm, dtype=float)[known]) for arm in arms],
            marker="o",
            linestyle=_DASHES[i],
            color=COLOURS[i],
            capsize=3,
            markersize=5,
            label=word(str(name)) if name else None,
        )
    _periods_below(below, result.params["within"], windows)
    below.set_xlim(-0.5, len(windows) - 0.5)
    below.set_ylim(bottom=0)
    percent_axis(below.yaxis)
    below.set_ylabel(label("stickiness_rate"), color=INK)
    bare(below, grid="y")
    read_from_right(below)
    return figure


def _periods_below(ax: Axes, unit: str, periods: pd.Series) -> None:
    """Name some of the periods below the axis, as many as fit."""
    names = [
        format_value("date", each.start_time) if unit == "week" else format_value("period", each) for each in periods
    ]
    step = max(1, -(-len(names) // 9))
    ax.set_xticks(np.arange(len(names))[::step], names[::step], fontsize=9)
    ax.set_xlim(-0.7, len(names) - 0.3)


def _counts_axis(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda number, _place: format_value("customers", abs(round(number)))))
