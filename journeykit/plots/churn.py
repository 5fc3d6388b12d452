"""Draw who is still there after how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, FAINT, INK, MUTED, bare, new_axes, new_figure, percent_axis, table_under
from journeykit.text import format_value, label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LINES = 6
"""More curves than this can't be told apart; the segments with the most customers are drawn."""

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (7, 2, 1.5, 2)), (0, (3, 1.2)), (0, (9, 3)))
STEPS = (1, 2, 3, 5, 7, 10, 14, 30, 60, 90, 180, 365, 730)


def plot_survival(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share still there by age, or of several ends the share of each; return the axes."""
    ax = new_axes(ax, size=(8.0, 4.6))
    if len(result.incidence):
        _draw_ends(result, ax)
    else:
        _draw_curves(result, ax)
    return ax


def survival_figure(result: Any) -> Figure:
    """Draw the curves, and under them how many customers are watched at each age."""
    segments = segments_of(result)
    ends = _ends(result) if len(result.incidence) and len(segments) > 1 else [None]
    rows = 0.45 + 0.24 * len(segments)
    figure = new_figure((8.4, 3.9 * len(ends) + rows))
    axes = figure.subplots(len(ends) + 1, 1, gridspec_kw={"height_ratios": [3.9] * len(ends) + [rows]})
    for ax, end in zip(axes[:-1], ends, strict=True):
        if end is None:
            plot_survival(result, ax)
        else:
            _draw_end(result, ax, end)
    for ax in axes[:-2]:
        ax.set_xlabel("")
    _number_at_risk(result, axes[-1], segments, axes[-2])
    return figure


def plot_tenures(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how many customers stayed how long, those who left apart from those still there; return the axes."""
    ax = bare(new_axes(ax), grid="y")
    result = result.whole()
    table = result.table
    if len(table):
        duration = result.duration
        edges = np.histogram_bin_edges(duration, bins=min(40, max(1, len(np.unique(duration)))))
        left, there = (np.histogram(duration[table["event"].to_numpy() == ended], edges)[0] for ended in (True, False))
        width = np.diff(edges)
        ax.bar(edges[:-1], left, width, align="edge", color=COLOURS[0], edgecolor="white", linewidth=0.4,
               label=say("churn.left"))  # fmt: skip
        ax.bar(edges[:-1], there, width, bottom=left, align="edge", color=FAINT, edgecolor=MUTED, linewidth=0.4,
               hatch="///", label=say("churn.still_there"))  # fmt: skip
        ax.legend(frameon=False)
    ax.set_xlabel(label(f"duration_{result.unit}"))
    ax.set_ylabel(say("churn.axis_customers"))
    return ax


def tenures_figure(result: Any) -> Figure:
    """Draw `plot_tenures` on a figure of its own."""
    figure = new_figure((8.0, 4.2))
    plot_tenures(result, figure.subplots())
    return figure


# -- curves ----------------------------------------------------------------------------------


def _draw_curves(result: Any, ax: Axes) -> None:
    segments = segments_of(result)
    _frame(result, ax, say("churn.axis_survival"))
    ends = []
    for i, segment in enumerate(segments):
        rows = rows_of(result.table, segment=segment)
        _step(ax, rows, "survival", COLOURS[i], DASHES[i % len(DASHES)], band=len(segments) <= 4, start=1.0)
        _censor_marks(ax, rows, COLOURS[i], reach_of(result))
        ends.append((word(segment), COLOURS[i], _last(rows, "survival", reach_of(result))))
    if len(segments) == 1:
        _mark_median(result, ax)
    else:
        name_lines(ax, ends)
    _shade_unknown(result, ax)


def _draw_ends(result: Any, ax: Axes) -> None:
    if len(segments_of(result)) > 1:
        _draw_end(result, ax, _ends(result)[0])
        return
    _frame(result, ax, say("churn.axis_incidence"))
    ends = []
    for i, end in enumerate(_ends(result)[:MOST_LINES]):
        rows = rows_of(result.incidence, end=end)
        _step(ax, rows, "incidence", COLOURS[i], DASHES[i], band=True, start=0.0)
        ends.append((word(end), COLOURS[i], _last(rows, "incidence", reach_of(result))))
    _fit_height(ax, result.incidence)  # before names are placed: how far apart they are is measured in its units
    name_lines(ax, ends)


def _draw_end(result: Any, ax: Axes, end: str) -> None:
    """Draw one end's share, a line a segment."""
    _frame(result, ax, say("churn.axis_incidence_of", end=word(end)))
    segments, ends = segments_of(result), []
    for i, segment in enumerate(segments):
        rows = rows_of(result.incidence, segment=segment, end=end)
        _step(ax, rows, "incidence", COLOURS[i], DASHES[i], band=len(segments) <= 4, start=0.0)
        ends.append((word(segment), COLOURS[i], _last(rows, "incidence", reach_of(result))))
    _fit_height(ax, result.incidence)  # before names are placed: how far apart they are is measured in its units
    name_lines(ax, ends)


def _frame(result: Any, ax: Axes, ylabel: str) -> None:
    bare(ax, grid="y")
    axis_of_age(result, ax, reach_of(result))
    ax.set_ylim(0, 1.02)
    percent_axis(ax.yaxis)
    ax.set_ylabel(ylabel)


def axis_of_age(result: Any, ax: Axes, reach: float) -> None:
    """Lay the axis of ages out, in days or terms."""
    ax.set_xlim(0, reach)
    ax.set_xticks(np.arange(0, reach + 1e-9, _step_of(reach)))
    ax.set_xlabel(say("churn.axis_time" if result.unit == "days" else "churn.axis_time_terms"))


def _fit_height(ax: Axes, incidence: pd.DataFrame) -> None:
    """Use the height: an axis to 100% would flatten ends that few come to."""
    most = float(incidence["incidence_high"].where(incidence["at_risk"] >= 5).max())
    if np.isfinite(most):
        ax.set_ylim(0, min(1.02, max(0.05, 1.1 * most)))


def _step(ax: Axes, rows: pd.DataFrame, name: str, colour: str, dashes: Any, *, band: bool, start: float) -> None:
    time = np.append(0.0, ages(rows).to_numpy(dtype=float).clip(0))
    value, low, high = (np.append(start, rows[f"{name}{side}"].to_numpy(dtype=float)) for side in ("", "_low", "_high"))
    if band:
        ax.fill_between(time, low, high, step="post", color=colour, alpha=0.16, linewidth=0)
    ax.plot(time, value, drawstyle="steps-post", color=colour, linestyle=dashes, linewidth=1.9)


def _censor_marks(ax: Axes, rows: pd.DataFrame, colour: str, reach: float) -> None:
    """Tick where customers stop being watched: all of them if they are few, else a dozen along the way."""
    rows = rows[(rows["censored"] > 0) & (ages(rows) <= reach)]
    if len(rows) > 30:
        passed = rows["censored"].cumsum() / rows["censored"].sum()
        rows = rows.iloc[np.unique(np.searchsorted(passed, np.linspace(0.04, 0.96, 12)).clip(0, len(rows) - 1))]
    ax.plot(ages(rows), rows["survival"], linestyle="", marker="|", markersize=7, color=colour, alpha=0.8)


def _mark_median(result: Any, ax: Axes) -> None:
    median = result.summary[f"median_{result.unit}"].iloc[0]
    if np.isfinite(median) and median <= ax.get_xlim()[1]:
        ax.plot([0, median, median], [0.5, 0.5, 0], color=MUTED, linewidth=1, linestyle=":")
        kind = "" if result.unit == "days" else "_terms"
        text = say(f"churn.half_gone{kind}", **{f"median_{result.unit}": median})
        ax.annotate(text, (median, 0.5), xytext=(6, 5), textcoords="offset points", color=INK, fontsize=9.5)


def _shade_unknown(result: Any, ax: Axes) -> None:
    """Say why the curve begins flat: a silence is known only when it has lasted."""
    limit = result.params.get("limit_days") or 0
    if not limit or result.params["dated"] != "known":
        return
    ax.axvspan(0, limit, color=FAINT, alpha=0.55, linewidth=0, zorder=0)
    ax.set_ylim(0, 1.1)  # room above every curve, where no line crosses the words
    text = say("churn.not_known_yet", limit_days=limit)
    side, away = ("left", 4) if limit < ax.get_xlim()[1] / 2 else ("right", -4)
    ax.annotate(text, (limit, 1.1), xytext=(away, -2), textcoords="offset points", ha=side, va="top", color=MUTED,
                fontsize=8.5)  # fmt: skip


def name_lines(ax: Axes, lines: list[tuple[str, str, float]]) -> None:
    """Write each line's name at its end, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    ordered = sorted(lines, key=lambda line: line[2])
    heights = _apart([height for _, _, height in ordered], 0.058 * (high - low), low, high)
    for (name, colour, _), height in zip(ordered, heights, strict=True):
        ax.annotate(
            name, (1, height), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", color=colour, fontsize=10, annotation_clip=False,
        )  # fmt: skip


def _apart(heights: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move rising heights apart by at least a gap, each as little as can be; blocks that touch move together."""
    blocks: list[tuple[float, int]] = []  # mean of the heights less their share of gaps, and how many
    for i, height in enumerate(heights):
        mean, size = height - i * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    spread = [mean for mean, size in blocks for _ in range(size)]
    placed = [each + i * gap for i, each in enumerate(spread)]
    shift = min(0.0, high - placed[-1]) if placed else 0.0
    return [max(each + shift, low + i * gap) for i, each in enumerate(placed)]


def _number_at_risk(result: Any, ax: Axes, segments: list[str], above: Axes) -> None:
    """Write under the curves how many customers are watched at each tick."""
    rows = [word(segment) if len(segments) > 1 else "" for segment in segments]
    table_under(ax, above, rows, say("churn.watched"))
    counts = result.at_risk([tick for tick in above.get_xticks() if tick <= ax.get_xlim()[1]])
    if len(result.summary) > len(segments):
        more = say("churn.more_segments", segments=len(result.summary) - len(segments))
        ax.set_xlabel(more, loc="left", fontsize=9, color=MUTED)
    for i, segment in enumerate(segments):
        colour = COLOURS[i] if len(segments) > 1 else INK
        ax.get_yticklabels()[i].set_color(colour)
        for age, n in rows_of(counts, segment=segment)[[f"time_{result.unit}", "at_risk"]].to_numpy().tolist():
            ax.text(
                age,
                i,
                format_value("customers", int(n)),
                ha="center",
                va="center",
                fontsize=9,
                color=INK,
                clip_on=False,
            )


# -- what is drawn ---------------------------------------------------------------------------


def segments_of(result: Any) -> list[str]:
    """Segments to draw, in the table's order: the largest, if there are too many; one without a name, if none."""
    summary = result.summary
    if "segment" not in summary:
        return [""]
    largest = summary.nlargest(MOST_LINES, "customers")["segment"]
    return [segment for segment in summary["segment"] if segment in set(largest)]


def _ends(result: Any) -> list[str]:
    return list(dict.fromkeys(result.params.get("ends") or result.incidence["end"]))


def rows_of(table: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Take the rows of a segment or an end; all, where it has no name."""
    for column, value in where.items():
        if value:
            table = table[table[column] == value]
    return table


def reach_of(result: Any) -> float:
    """Age up to which to draw: while enough customers are watched for the curve to mean something."""
    table = result.table
    enough = min(10, max(1, int(result.summary["customers"].max() * 0.02)))
    return float(max(ages(table)[table["at_risk"] >= enough].max(), result.params[f"horizon_{result.unit}"], 1))


def ages(rows: pd.DataFrame) -> pd.Series:
    """The ages of a table, in days or terms."""
    return rows["time_days"] if "time_days" in rows else rows["time_terms"]


def _last(rows: pd.DataFrame, name: str, reach: float) -> float:
    return float(rows.loc[ages(rows) <= reach, name].iloc[-1])


def _step_of(reach: float) -> float:
    """Distance of ticks: familiar numbers of days, about six of them."""
    return next((step for step in STEPS if reach / step <= 8), 10 ** int(np.log10(reach)))
