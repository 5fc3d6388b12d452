"""Draw how many come back after how long a silence, and where the threshold lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, new_figure, percent_axis
from journeykit.plots.churn import DASHES, MOST_LINES, _step_of, name_lines, rows_of
from journeykit.text import say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_threshold(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share who come back by days of silence, a line a segment, with the thresholds; return the axes."""
    ax = bare(new_axes(ax, size=(8.0, 4.4)), grid="y")
    segments = _segments(result.summary)
    alone = len(segments) == 1
    names = []
    for i, segment in enumerate(segments):
        rows = rows_of(result.table, segment=segment)
        if rows.empty:
            continue
        if len(segments) <= 3:
            ax.fill_between(
                rows["limit_days"], rows["comeback_rate_low"], rows["comeback_rate_high"],
                color=COLOURS[i], alpha=0.16, linewidth=0,
            )  # fmt: skip
        ax.plot(rows["limit_days"], rows["comeback_rate"], color=COLOURS[i], linestyle=DASHES[i], linewidth=1.9)
        names.append((word(segment), COLOURS[i], float(rows["comeback_rate"].iloc[-1])))
        _mark(result, ax, segment, COLOURS[i], alone=alone)
    _frame(result, ax)
    if not alone:
        name_lines(ax, names)
    return ax


def threshold_figure(result: Any) -> Figure:
    """Draw the curve, and beside it by the active day that the silence follows: curves; of segments, thresholds."""
    segments = _segments(result.by_rank)
    figure = new_figure((9.6 if segments else 8.0, 4.4))
    if not segments:
        plot_threshold(result, figure.subplots())
        return figure
    alone = len(segments) == 1
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.3 if alone else 2.2, 1]}, sharey=alone)
    plot_threshold(result, left)
    if alone:
        plot_ranks(result, right, segments[0])
        right.tick_params(labelleft=False)
        right.set_ylabel("")
    else:
        _draw_ranks(result, right, segments)
    return figure


def plot_ranks(result: Any, ax: Axes | None = None, segment: str = "") -> Axes:
    """Draw the share who come back, a line for each active day that the silence follows; return the axes."""
    ax = bare(new_axes(ax, size=(8.0, 4.4)), grid="y")
    rows = rows_of(result.rank_curves, segment=segment)
    ranks = list(dict.fromkeys(rows["active_day"])) if len(rows) else []
    for i, rank in enumerate(ranks):
        line = rows[rows["active_day"] == rank]
        ax.fill_between(
            line["limit_days"], line["comeback_rate_low"], line["comeback_rate_high"],
            color=COLOURS[i], alpha=0.12, linewidth=0,
        )  # fmt: skip
        ax.plot(
            line["limit_days"], line["comeback_rate"], color=COLOURS[i], linestyle=DASHES[i], linewidth=1.7,
            marker=MARKERS[i], markersize=4, markevery=max(1, len(line) // 6), label=rank,
        )  # fmt: skip
    _frame(result, ax)
    if ranks:
        ax.set_ylim(0, max(ax.get_ylim()[1], min(1.02, 1.08 * float(rows["comeback_rate_high"].max()))))
    limit = rows_of(result.summary, segment=segment)["limit_days"].iloc[0]
    if np.isfinite(limit):
        ax.axvline(limit, color=MUTED, linewidth=1, linestyle=":")
    if ranks:
        ax.legend(frameon=False, fontsize=9, title=say("churn.axis_active_day"), title_fontsize=9, ncols=2, loc="best")
    return ax


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


def _mark(result: Any, ax: Axes, segment: str, colour: str, *, alone: bool) -> None:
    """Mark where the threshold lies."""
    row = rows_of(result.summary, segment=segment).iloc[0]
    if not np.isfinite(row["limit_days"]):
        return
    ax.plot([row["limit_days"]] * 2, [0, row["comeback_rate"]], color=colour, linewidth=1, linestyle=":")
    ax.plot([row["limit_days"]], [row["comeback_rate"]], marker="o", markersize=7, color=colour)
    if alone:
        text = say("churn.gone_after", limit_days=int(row["limit_days"]))
        ax.annotate(text, (row["limit_days"], row["comeback_rate"]), xytext=(8, 14), textcoords="offset points",
                    color=INK, fontsize=10)  # fmt: skip


def _draw_ranks(result: Any, ax: Axes, segments: list[str]) -> None:
    bare(ax, grid="y")
    ranks = list(dict.fromkeys(result.by_rank["active_day"]))
    for i, segment in enumerate(segments):
        rows = rows_of(result.by_rank, segment=segment)
        at = np.array([ranks.index(rank) for rank in rows["active_day"]]) + (i - (len(segments) - 1) / 2) * 0.14
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


def _segments(frame: pd.DataFrame) -> list[str]:
    """Segments to draw; one without a name where nothing splits, none where there is nothing."""
    if "segment" not in frame:
        return [""] if len(frame) else []
    return frame["segment"].unique().tolist()[:MOST_LINES]
