"""Pictures of a model of repeat buying: what was bought, beside what it expected."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from journeykit.plots.canvas import COLOURS, FAINT, INK, MUTED, bare, new_axes, new_figure, read_from_right
from journeykit.text import format_value, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTUAL, EXPECTED = INK, COLOURS[1]

MOST_COURSES = 4
"""Segments whose course over time is drawn."""

_POINTS = 80
"""Above so many periods what was bought is a line without points."""


def plot_tracking(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the repeat purchases of each period and those expected; return the axes.

    Periods that are shorter than the others would fall out of line, and are not drawn.
    """
    ax = new_axes(ax, size=(8.0, 4.2))
    table = result.tracking
    whole = table[table["days"] == table["days"].max()]
    _course(ax, result, whole, "starts_at", "actual", "expected")
    ax.set_ylabel(say(f"buying.axis_purchases_{result.params['period']}"), color=INK)
    ax.set_xlabel(say("buying.axis_period"), color=INK)
    return ax


def buying_figure(result: Any) -> Figure:
    """Draw the course over time, also summed up, the classes of repeat purchases, and the holdout by them."""
    held = len(result.holdout) > 0
    figure = new_figure((12.0, 7.6))
    axes = figure.subplots(2, 2)
    _titled(plot_tracking(result, axes[0, 0]), "tracking")
    cumulative = axes[0, 1]
    _course(cumulative, result, result.tracking, "ends_at", "cumulative_actual", "cumulative_expected")
    cumulative.set_ylabel(say("buying.axis_cumulative"), color=INK)
    cumulative.set_xlabel(say("buying.axis_date"), color=INK)
    _titled(cumulative, "cumulative")
    _titled(_frequency(axes[1, 0], result), "frequency")
    if held:
        _titled(_holdout(axes[1, 1], result), "holdout")
    else:
        axes[1, 1].axis("off")
        axes[1, 1].text(0.5, 0.5, say("buying.untested"), ha="center", va="center", wrap=True, color=INK, fontsize=9)
    return figure


def plot_segments(result: Any, ax: Axes | None = None) -> Axes:
    """Draw what a customer of each segment is expected to buy within the horizon; return the axes."""
    table = result.summary
    ax = new_axes(ax, size=(7.0, 1.2 + 0.45 * len(table)))
    each, low, high = (
        (table[f"expected_purchases{end}"] / table["customers"]).to_numpy(dtype=float) for end in ("", "_low", "_high")
    )
    place = np.arange(len(table))[::-1]
    ax.errorbar(each, place, xerr=[each - low, high - each], fmt="o", color=EXPECTED, capsize=3, markersize=6)
    ax.set_yticks(place, [word(name) for name in table["segment"]])
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.set_xlim(left=0)
    ax.set_xlabel(say("buying.axis_each", horizon_days=result.params["horizon_days"]), color=INK)
    bare(ax, grid="x")
    read_from_right(ax)
    return ax


def segments_figure(result: Any) -> Figure:
    """Draw what is expected of each segment, and the course of the largest over time."""
    sizes = result.summary.set_index("segment")["customers"].sort_values(ascending=False, kind="stable")
    largest = [str(name) for name in sizes.index[:MOST_COURSES]]
    rows = 1 + -(-len(largest) // 2)
    figure = new_figure((12.0, 3.6 * rows))
    grid = figure.add_gridspec(rows, 2)
    _titled(plot_segments(result, figure.add_subplot(grid[0, :])), "segments")
    for i, name in enumerate(largest):
        ax = plot_tracking(result.segments[name], figure.add_subplot(grid[1 + i // 2, i % 2]))
        ax.set_title(word(name), fontsize=10, color=INK)
    return figure


def _course(ax: Axes, result: Any, table: Any, date: str, actual: str, expected: str) -> None:
    dates: Any = import_module("matplotlib.dates")
    when = table[date].to_numpy()
    bounds = [table[f"{expected}_{side}"].to_numpy(dtype=float) for side in ("low", "high")]
    ax.fill_between(when, bounds[0], bounds[1], color=EXPECTED, alpha=0.3, linewidth=0)
    ax.plot(when, table[expected], color=EXPECTED, linewidth=2, linestyle="--", label=say("buying.expected_label"))
    marker = "o" if len(table) <= _POINTS and actual == "actual" else ""
    ax.plot(
        when,
        table[actual],
        color=ACTUAL,
        linewidth=1.2,
        marker=marker,
        markersize=3.5,
        label=say("buying.actual_label"),
    )
    ax.set_ylim(0, 1.06 * float(np.nanmax([table[actual].max(), table[expected].max(), 1])))
    held = table["part"] == "holdout"
    if held.any():
        split = result.tracking.loc[result.tracking["part"] == "holdout", "starts_at"].iloc[0]
        ax.axvspan(split, when[-1], color=FAINT, alpha=0.55, linewidth=0, zorder=0)
        ax.axvline(split, color=MUTED, linewidth=1, linestyle=":")
        ax.annotate(
            say("buying.held_back"), (split, 1.0), xycoords=("data", "axes fraction"), xytext=(5, -4),
            textcoords="offset points", va="top", fontsize=9, color=INK,
        )  # fmt: skip
    ax.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=6))
    _dates(ax)
    _whole_numbers(ax)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK, loc="lower right")
    bare(ax, grid="y")
    read_from_right(ax)


def _whole_numbers(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter

    def show(number: float, _position: int | None = None) -> str:
        return format_value("purchases", int(number)) if number == int(number) else ""

    ax.yaxis.set_major_formatter(FuncFormatter(show))


def _dates(ax: Axes) -> None:
    dates: Any = import_module("matplotlib.dates")
    from matplotlib.ticker import FuncFormatter

    def show(number: float, _position: int | None = None) -> str:
        return format_value("date", dates.num2date(number).date())

    ax.xaxis.set_major_formatter(FuncFormatter(show))
    ax.tick_params(axis="x", labelsize=8)


def _frequency(ax: Axes, result: Any) -> Axes:
    table = result.frequency
    place = np.arange(len(table))
    ax.bar(place - 0.2, table["customers"], 0.4, color=ACTUAL, label=say("buying.actual_label"))
    ax.bar(place + 0.2, table["expected"], 0.4, color=EXPECTED, hatch="///", edgecolor="white", linewidth=0,
           label=say("buying.expected_label"))  # fmt: skip
    ax.set_xlabel(say("buying.axis_classes"), color=INK)
    ax.set_ylabel(say("buying.axis_customers"), color=INK)
    _whole_numbers(ax)
    _classes(ax, place, table["repeats"])
    return ax


def _holdout(ax: Axes, result: Any) -> Axes:
    table = result.holdout[result.holdout["repeats"] != "all"]
    place = np.arange(len(table))
    mean = table["actual_mean"].to_numpy()
    low, high = (table[f"actual_mean_{side}"].fillna(table["actual_mean"]).to_numpy() for side in ("low", "high"))
    ax.errorbar(place, mean, [mean - np.maximum(low, 0), high - mean], fmt="o-", color=ACTUAL, linewidth=1.2,
                markersize=5, capsize=3, label=say("buying.actual_label"))  # fmt: skip
    ax.plot(place, table["expected_mean"], color=EXPECTED, linestyle="--", marker="s", markersize=5, linewidth=2,
            label=say("buying.expected_label"))  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.set_xlabel(say("buying.axis_before"), color=INK)
    ax.set_ylabel(say("buying.axis_mean", holdout_days=result.params["holdout_days"]), color=INK)
    _classes(ax, place, table["repeats"])
    return ax


def _classes(ax: Axes, place: Any, names: Any) -> None:
    ax.set_xticks(place, list(names))
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    bare(ax, grid="y")
    read_from_right(ax)


def _titled(ax: Axes, name: str) -> None:
    ax.set_title(say(f"buying.title_{name}"), fontsize=10, color=INK)
