"""Pictures of conversion over time: finished periods, and apart from them those whose windows are still running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, new_figure, percent_axis
from journeykit.text import format_value, label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.analyses.conversion.trend import FunnelTrend

MOST_PANELS = 8
MOST_TICKS = 8
BLUE, ORANGE = COLOURS[0], COLOURS[5]


def plot_funnel_trend(
    result: FunnelTrend, ax: Axes | None = None, *, segment: str | None = None, top: float | None = None
) -> Axes:
    """Draw the rate of each period; return the axes.

    Finished periods are filled dots on a line with their interval; an estimate
    of an unfinished one is an open diamond with a dashed interval; where there
    is none, an arrow begins at the share so far, which will only grow.

    Parameters
    ----------
    result : FunnelTrend
        What to draw.
    ax : Axes, optional
        Where; new axes by default.
    segment : str, optional
        Which segment, where there are several; the largest by default.
    top : float, optional
        End of the axis, so that several pictures compare.
    """
    ax = new_axes(ax, size=(8.0, 4.0))
    bare(ax, grid="y")
    rows = _rows(result, segment)
    _draw_finished(ax, rows, result.params["confidence"])
    _draw_estimates(ax, rows)
    _draw_so_far(ax, rows)
    _period_axis(ax, rows)
    percent_axis(ax.yaxis)
    ax.set_ylim(0, top if top is not None else _top(rows))
    params = result.params
    names = {
        "first": word(params["steps"][params["from_step"] - 1]),
        "last": word(params["steps"][params["to_step"] - 1]),
    }
    ax.set_ylabel(say("funnel_trend.axis_rate", **names), color=INK)
    ax.set_xlabel(say("funnel_trend.axis_period"), color=INK)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper left", bbox_to_anchor=(0, 1.14), ncols=3)
    return ax


def funnel_trend_figure(result: FunnelTrend) -> Figure:
    """Draw the rates above the customers who entered; with segments, a panel each on one scale."""
    if "segment" in result.table:
        return _panels(result)
    figure = new_figure((8.6, 5.6))
    above, below = figure.subplots(2, 1, height_ratios=[3.2, 1], sharex=True)
    plot_funnel_trend(result, above)
    above.set_xlabel("")
    _draw_customers(below, _rows(result, None))
    _period_axis(below, _rows(result, None))
    below.set_xlabel(say("funnel_trend.axis_period"), color=INK)
    return figure


def _panels(result: FunnelTrend) -> Figure:
    largest = result.table.groupby("segment", sort=False)["customers"].sum().nlargest(MOST_PANELS).index
    names = [name for name in result.table["segment"].drop_duplicates() if name in set(largest)]
    columns = 1 if len(names) < 2 else 2
    lines = -(-len(names) // columns) if names else 1
    figure = new_figure((4.8 * columns, 2.5 * lines + 0.7))
    panels = np.atleast_1d(figure.subplots(lines, columns, sharey=True, squeeze=False)).ravel()
    top = max([_top(_rows(result, name)) for name in names], default=1.0)
    for panel, name in zip(panels, names, strict=False):
        plot_funnel_trend(result, panel, segment=name, top=top)
        panel.set_title(word(name), fontsize=10.5, color=INK, loc="left", parse_math=False)
        panel.set_ylabel("")
        panel.set_xlabel("")
        if panel.get_legend() is not None:
            panel.get_legend().remove()
        _period_axis(panel, _rows(result, name), most=4)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    _one_legend(figure, panels[: len(names)])
    params = result.params
    steps = {
        "first": word(params["steps"][params["from_step"] - 1]),
        "last": word(params["steps"][params["to_step"] - 1]),
    }
    figure.supylabel(say("funnel_trend.axis_rate", **steps), fontsize=10, color=INK)
    more = result.table["segment"].nunique() - len(names)
    below = say("funnel_trend.more_groups", groups=more) if more else say("funnel_trend.axis_period")
    figure.supxlabel(below, fontsize=10, color=INK)
    return figure


def _one_legend(figure: Figure, panels: Any) -> None:
    found: dict[str, Any] = {}
    for panel in panels:
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(text, handle)
    if found:
        figure.legend(found.values(), found.keys(), loc="outside upper left", frameon=False, fontsize=9, ncols=3)


def _rows(result: FunnelTrend, segment: str | None) -> pd.DataFrame:
    table = result.table
    if "segment" in table and len(table):
        chosen = table.groupby("segment", sort=False)["customers"].sum().idxmax() if segment is None else segment
        table = table[table["segment"] == chosen]
    return table.reset_index(drop=True)


def _draw_finished(ax: Axes, rows: pd.DataFrame, confidence: float) -> None:
    known = (rows["method"] == "observed").to_numpy()
    if not known.any():
        return
    rate, low, high = (
        np.where(known, rows[f"conversion_rate{side}"].to_numpy(dtype=float), np.nan) for side in ("", "_low", "_high")
    )
    places = np.arange(len(rows))
    name = say("funnel_trend.finished", confidence=confidence)
    ax.fill_between(places, low, high, color=BLUE, alpha=0.17, linewidth=0)
    ax.plot(places, rate, color=BLUE, linewidth=1.8, marker="o", markersize=4 if len(rows) < 60 else 2.5, label=name)
    alone = known & ~np.append(known[1:], False) & ~np.append(False, known[:-1])  # a band of one place has no area
    for place in np.flatnonzero(alone):
        ax.plot([place, place], [low[place], high[place]], color=BLUE, linewidth=1.4, alpha=0.6)


def _draw_estimates(ax: Axes, rows: pd.DataFrame) -> None:
    places = np.flatnonzero(rows["method"] == "estimate")
    if not len(places):
        return
    rate, low, high = (rows[f"conversion_rate{side}"].to_numpy(dtype=float)[places] for side in ("", "_low", "_high"))
    ax.vlines(places, low, high, color=ORANGE, linestyle=(0, (3, 2)), linewidth=1.3)
    ax.plot(
        places, rate, linestyle=":", linewidth=1, color=ORANGE, marker="D", markersize=6, markerfacecolor="white",
        markeredgecolor=ORANGE, markeredgewidth=1.5, label=say("funnel_trend.estimate"),
    )  # fmt: skip


def _draw_so_far(ax: Axes, rows: pd.DataFrame) -> None:
    waiting = (rows["status"] == "unfinished") & (rows["method"] != "estimate") & rows["so_far_rate"].notna()
    places = np.flatnonzero(waiting)
    if not len(places):
        return
    rate = rows["so_far_rate"].to_numpy(dtype=float)[places]
    ax.plot(
        places, rate, linestyle="", marker="^", markersize=8, markerfacecolor="white", markeredgecolor=MUTED,
        markeredgewidth=1.5, label=say("funnel_trend.so_far"),
    )  # fmt: skip


def _draw_customers(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw those who entered, and of them those who converted; hatched where that is only so far."""
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    bare(ax, grid="y")
    places = np.arange(len(rows))
    customers, converted = (rows[name].fillna(0).to_numpy(dtype=float) for name in ("customers", "converted"))
    finished = (rows["status"] == "finished").to_numpy()
    ax.bar(places, customers, color="#d7e6f2", width=0.86)
    ax.bar(places[finished], converted[finished], color=BLUE, width=0.86, label=label("converted"))
    ax.bar(
        places[~finished], converted[~finished], facecolor="white", edgecolor=ORANGE, hatch="////", linewidth=0.6,
        width=0.86,
    )  # fmt: skip
    ax.set_ylabel(say("funnel_trend.axis_customers"), color=INK)
    ax.yaxis.set_major_formatter(lambda value, _: format_value("customers", int(value)))
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    shown = [Patch(color="#d7e6f2", label=say("funnel_trend.entered")), Patch(color=BLUE, label=label("converted"))]
    if (~finished & (customers > 0)).any():
        far = say("funnel_trend.converted_so_far")
        shown.append(Patch(facecolor="white", edgecolor=ORANGE, hatch="////", linewidth=0.6, label=far))
    ax.legend(handles=shown, frameon=False, fontsize=8.5, labelcolor=INK, ncols=3, loc="upper left",
              bbox_to_anchor=(0, 1.32))  # fmt: skip


def _period_axis(ax: Axes, rows: pd.DataFrame, most: int = MOST_TICKS) -> None:
    step = max(1, -(-len(rows) // most))
    places = np.arange(0, len(rows), step)
    ax.set_xticks(places, [_short(rows["period"].iloc[place]) for place in places])
    ax.set_xlim(-0.6, max(len(rows) - 0.4, 0.6))


def _short(period: Any) -> str:
    """Name a period on an axis: a week by its first day."""
    if isinstance(period, pd.Period) and period.freqstr.startswith("W"):
        return format_value("begins_at", period.start_time)
    return format_value("period", period)


def _top(rows: pd.DataFrame) -> float:
    """Use the height, without the accidents of periods with a handful of customers."""
    solid = rows[rows["customers"].fillna(0) >= 20]
    rows = solid if len(solid) else rows
    found = [rows[name].astype(float).max() for name in ("conversion_rate_high", "so_far_rate")]
    known = [each for each in found if np.isfinite(each)]
    return float(min(1.02, 1.08 * max(known))) if known and max(known) > 0 else 1.02
