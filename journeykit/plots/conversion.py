"""Pictures of conversion curves: who has converted after how long, with how many were still watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, FAINT, INK, MUTED, bare, new_axes, new_figure, percent_axis, table_under
from journeykit.text import format_value, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.analyses.conversion.curve import ConversionCurve

MOST_LINES = len(COLOURS) - 1  # without the yellow, which is faint on white
MOST_BANDS = 4
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


def plot_conversion(result: ConversionCurve, ax: Axes | None = None) -> Axes:
    """Draw the share that has converted by the time since the entry; return the axes.

    A line a segment, named at its end, with its interval where they are few;
    with competing ends and one group, a line an end.

    Parameters
    ----------
    result : ConversionCurve
        What to draw.
    ax : Axes, optional
        Where; new axes by default.
    """
    ax = new_axes(ax, size=(7.5, 4.4))
    bare(ax, grid="y")
    lines = _lines(result)
    names = {"first": word(result.params["steps"][0]), "last": word(result.params["steps"][-1])}
    ax.set_xlabel(say("conversion.axis_time", **names), color=INK)
    several_ends = len(lines) > 1 and lines[0][2] == "incidence"
    ax.set_ylabel(say("conversion.axis_ends" if several_ends else "conversion.axis_rate", **names), color=INK)
    percent_axis(ax.yaxis)
    if not lines:
        ax.text(0.5, 0.5, say("conversion.nobody", **names), ha="center", color=MUTED, transform=ax.transAxes)
        return ax
    _time_axis(ax, result)
    for i, (_, rows, column) in enumerate(lines):
        _draw(ax, rows, column, i, band=len(lines) <= MOST_BANDS)
    _fit_height(ax, lines)
    if len(lines) > 1:
        _name_lines(ax, lines)
    else:
        _mark_half(ax, result)
    if len(lines) <= MOST_BANDS:
        _explain_band(ax, result)
    return ax


def conversion_figure(result: ConversionCurve) -> Figure:
    """Draw the curves, and under them how many were still on the way and watched."""
    groups = _segments(result)
    figure = new_figure((8.4, 4.6 + 0.26 * max(len(groups), 1)))
    if result.table.empty:
        plot_conversion(result, figure.subplots())
        return figure
    height = 0.26 * len(groups) + 0.3
    above, below = figure.subplots(2, 1, height_ratios=[4.2, height])
    plot_conversion(result, above)
    _risk_table(result, below, groups, above)
    return figure


def _lines(result: ConversionCurve) -> list[tuple[str, pd.DataFrame, str]]:
    """Name, rows and column of each line."""
    if result.table.empty:
        return []
    if "segment" not in result.table and len(result.incidence):
        ends = list(dict.fromkeys(result.incidence["end"]))[:MOST_LINES]
        return [(word(end), result.incidence[result.incidence["end"] == end], "incidence") for end in ends]
    if "segment" not in result.table:
        return [("", result.table, "converted_rate")]
    return [(word(name), result.table[result.table["segment"] == name], "converted_rate") for name in _segments(result)]


def _segments(result: ConversionCurve) -> list[Any]:
    """Segments to draw: the largest, if there are too many; one without a name, if none."""
    summary = result.summary
    if "segment" not in summary:
        return [None]
    largest = set(summary.nlargest(MOST_LINES, "customers")["segment"])
    return [segment for segment in summary["segment"] if segment in largest]


def _draw(ax: Axes, rows: pd.DataFrame, column: str, i: int, *, band: bool) -> None:
    time = rows["time_seconds"].to_numpy(dtype=float)
    value, low, high = (rows[f"{column}{side}"].to_numpy(dtype=float) for side in ("", "_low", "_high"))
    if band:
        ax.fill_between(time, low, high, step="post", color=COLOURS[i], alpha=0.17, linewidth=0)
    ax.plot(time, value, drawstyle="steps-post", color=COLOURS[i], linestyle=DASHES[i], linewidth=2)


def _explain_band(ax: Axes, result: ConversionCurve) -> None:
    from matplotlib.patches import Patch

    words = say("conversion.interval", confidence=result.params["confidence"])
    ax.legend(handles=[Patch(color=MUTED, alpha=0.3, linewidth=0, label=words)], frameon=False, loc="lower right")


def _time_axis(ax: Axes, result: ConversionCurve) -> None:
    last = float(result.table["time_seconds"].max())
    ticks = result.watched["time_seconds"].drop_duplicates().to_numpy(dtype=float)
    ax.set_xlim(0, max(last, 1e-6))
    ticks = ticks[ticks <= last * (1 + 1e-9)]
    ax.set_xticks(ticks, [format_value("age_seconds", tick) if tick else "0" for tick in ticks])


def _fit_height(ax: Axes, lines: list[tuple[str, pd.DataFrame, str]]) -> None:
    """Use the height: an axis to 100% would flatten a curve that ends at 5%."""
    top = 0.0
    for _, rows, column in lines:
        watched = rows[rows["at_risk"] >= 5]
        top = max(top, watched[f"{column}_high"].max() if len(watched) else 0.0, rows[column].max())
    ax.set_ylim(0, min(1.02, max(0.02, 1.08 * top)) if np.isfinite(top) else 1.02)


def _mark_half(ax: Axes, result: ConversionCurve) -> None:
    row = result.summary.iloc[0]
    median = row["median_seconds"]
    if np.isfinite(median) and median <= ax.get_xlim()[1]:
        ax.plot([0, median, median], [0.5, 0.5, 0], color=MUTED, linewidth=1, linestyle=":")
        text = say("conversion.half_mark", median_seconds=median)
        ax.annotate(text, (median, 0.5), xytext=(6, -12), textcoords="offset points", color=INK, fontsize=9.5)
    elif np.isfinite(row["conversion_rate"]):
        text = say("conversion.horizon", **{str(name): value for name, value in row.items()})
        at = (min(row["horizon_seconds"], ax.get_xlim()[1]), row["conversion_rate"])
        ax.annotate(
            text, at, xytext=(-6, 7), textcoords="offset points", ha="right", color=INK, fontsize=9.5,
            annotation_clip=False, path_effects=_halo(),
        )  # fmt: skip


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def _name_lines(ax: Axes, lines: list[tuple[str, pd.DataFrame, str]]) -> None:
    """Write each line's name at its end with a stroke of its kind, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    ends = [(_last(rows, column), i, name) for i, (name, rows, column) in enumerate(lines)]
    gap = 0.062 * (high - low)
    placed = low - gap
    heights = []
    for value, i, name in sorted(ends):
        placed = max(value, placed + gap)
        heights.append((placed, i, name))
    over = max(0.0, heights[-1][0] - high)
    for height, i, name in heights:
        ax.annotate(
            name, (1, height - over), xycoords=("axes fraction", "data"), xytext=(26, 0), textcoords="offset points",
            va="center", color=INK, fontsize=10, annotation_clip=False, parse_math=False,
        )  # fmt: skip
        ax.annotate(
            "", (1, height - over), xycoords=("axes fraction", "data"), xytext=(23, 0), textcoords="offset points",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": COLOURS[i], "linestyle": DASHES[i], "linewidth": 2, "shrinkA": 0},
        )  # fmt: skip


def _last(rows: pd.DataFrame, column: str) -> float:
    known = rows[column].dropna()
    return float(known.iloc[-1]) if len(known) else 0.0


def _risk_table(result: ConversionCurve, ax: Axes, groups: list[Any], above: Axes) -> None:
    """Write how many were still on the way and watched at each tick."""
    rows = ["" if group is None else word(group) for group in groups]
    table_under(ax, above, rows, say("conversion.watched"), pad=22)
    for text in ax.get_yticklabels():
        text.set_color(INK)
    for i, group in enumerate(groups):
        own = result.watched if group is None else result.watched[result.watched["segment"] == group]
        for time, n in own[["time_seconds", "at_risk"]].to_numpy().tolist():
            if time <= above.get_xlim()[1] * (1 + 1e-9):
                ax.text(time, i, format_value("customers", int(n)), ha="center", va="center", fontsize=9, color=INK)
    if len(result.summary) > len(groups):
        more = say("conversion.more_groups", groups=len(result.summary) - len(groups))
        ax.set_xlabel(more, loc="left", fontsize=9, color=MUTED)
    ax.axhline(-0.55, color=FAINT, linewidth=0.8)
