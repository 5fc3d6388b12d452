"""Draw how many come back after how long a silence, and where the threshold lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, new_figure, percent_axis
from journeykit.plots.churn import DASHES, MOST_LINES, _apart, _step_of
from journeykit.text import say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_threshold(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share who come back by days of silence, a line a group, with the thresholds; return the axes."""
    ax = bare(new_axes(ax, size=(8.0, 4.4)), grid="y")
    groups = result.summary["group"].tolist()[:MOST_LINES]
    alone = len(groups) == 1
    names = []
    for i, group in enumerate(groups):
        rows = result.table[result.table["group"] == group]
        if rows.empty:
            continue
        if len(groups) <= 3:
            ax.fill_between(
                rows["limit_days"], rows["comeback_rate_low"], rows["comeback_rate_high"],
                color=COLOURS[i], alpha=0.16, linewidth=0,
            )  # fmt: skip
        ax.plot(rows["limit_days"], rows["comeback_rate"], color=COLOURS[i], linestyle=DASHES[i], linewidth=1.9)
        names.append((word(group), COLOURS[i], float(rows["comeback_rate"].iloc[-1])))
        _mark(result, ax, group, COLOURS[i], alone=alone)
    _frame(result, ax)
    if not alone:
        _name_at_end(ax, names)
    return ax


def threshold_figure(result: Any) -> Figure:
    """Draw the curve, and beside it the share at the threshold by the active day that the silence follows."""
    groups = result.by_rank["group"].unique().tolist()[:MOST_LINES] if len(result.by_rank) else []
    figure = new_figure((9.6 if groups else 8.0, 4.4))
    if not groups:
        plot_threshold(result, figure.subplots())
        return figure
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [2.2, 1]})
    plot_threshold(result, left)
    _draw_ranks(result, right, groups)
    return figure


def _frame(result: Any, ax: Axes) -> None:
    reach = float(result.table["limit_days"].max()) if len(result.table) else 1.0
    ax.set_xlim(0, max(reach, 1))
    ax.set_xticks(np.arange(0, reach + 1e-9, _step_of(max(reach, 1))))
    most = float(result.table["comeback_rate_high"].max()) if len(result.table) else 1.0
    ax.set_ylim(0, min(1.02, max(1.08 * most, 2 * result.params["max_comeback_rate"])))
    percent_axis(ax.yaxis)
    ax.set_xlabel(say("churn.axis_silence"))
    ax.set_ylabel(say("churn.axis_comeback", horizon_days=result.params["horizon_days"]))
    limit = result.params["max_comeback_rate"]
    ax.axhline(limit, color=MUTED, linewidth=1, linestyle=":")
    ax.annotate(
        say("churn.at_most", rate=limit), (1, limit), xycoords=("axes fraction", "data"),
        xytext=(-2, 3), textcoords="offset points", ha="right", color=MUTED, fontsize=8.5,
    )  # fmt: skip


def _mark(result: Any, ax: Axes, group: str, colour: str, *, alone: bool) -> None:
    """Mark where the threshold lies."""
    row = result.summary[result.summary["group"] == group].iloc[0]
    if not np.isfinite(row["limit_days"]):
        return
    ax.plot([row["limit_days"]] * 2, [0, row["comeback_rate"]], color=colour, linewidth=1, linestyle=":")
    ax.plot([row["limit_days"]], [row["comeback_rate"]], marker="o", markersize=7, color=colour)
    if alone:
        text = say("churn.gone_after", limit_days=int(row["limit_days"]))
        ax.annotate(text, (row["limit_days"], row["comeback_rate"]), xytext=(8, 14), textcoords="offset points",
                    color=INK, fontsize=10)  # fmt: skip


def _name_at_end(ax: Axes, names: list[tuple[str, str, float]]) -> None:
    low, high = ax.get_ylim()
    ordered = sorted(names, key=lambda each: each[2])
    heights = _apart([height for _, _, height in ordered], 0.058 * (high - low), low, high)
    for (name, colour, _), height in zip(ordered, heights, strict=True):
        ax.annotate(name, (1, height), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                    va="center", color=colour, fontsize=10, annotation_clip=False)  # fmt: skip


def _draw_ranks(result: Any, ax: Axes, groups: list[str]) -> None:
    bare(ax, grid="y")
    ranks = list(dict.fromkeys(result.by_rank["active_day"]))
    for i, group in enumerate(groups):
        rows = result.by_rank[result.by_rank["group"] == group]
        at = np.array([ranks.index(rank) for rank in rows["active_day"]]) + (i - (len(groups) - 1) / 2) * 0.14
        errors = [rows["comeback_rate"] - rows["comeback_rate_low"], rows["comeback_rate_high"] - rows["comeback_rate"]]
        ax.errorbar(
            at, rows["comeback_rate"], yerr=np.clip(errors, 0, None), fmt=MARKERS[i], color=COLOURS[i],
            markersize=6, linewidth=1.4,
        )  # fmt: skip
    ax.set_xticks(range(len(ranks)), ranks)
    ax.set_xlim(-0.6, len(ranks) - 0.4)
    ax.set_ylim(0, max(float(result.by_rank["comeback_rate_high"].max()) * 1.1, 2 * result.params["max_comeback_rate"]))
    percent_axis(ax.yaxis)
    ax.axhline(result.params["max_comeback_rate"], color=MUTED, linewidth=1, linestyle=":")
    ax.set_xlabel(say("churn.axis_active_day"))
    limits = result.by_rank["limit_days"].unique()
    same = say("churn.after_silence", limit_days=int(limits[0])) if len(limits) == 1 else say("churn.after_thresholds")
    ax.set_title(same, fontsize=10, color=INK, loc="left")
