"""Draw models of leaving: effects, calibration, the list's gain, chances and single covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, FAINT, INK, MUTED, bare, new_axes, new_figure, percent_axis
from journeykit.plots.forest import draw_forest
from journeykit.text import current_language, format_value, label, say, word
from journeykit.text.decimals import bracketed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_EFFECTS = 20
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (7, 2, 1.5, 2)), (0, (3, 1.2)), (0, (9, 3)))


# -- effects ---------------------------------------------------------------------------------


def plot_effects(result: Any, ax: Axes | None = None) -> Axes:
    """Draw each effect as a ratio with its interval; return the axes."""
    rows = _effects(result)
    ax = new_axes(ax, size=(8.4, 1.5 + 0.36 * max(len(rows), 2)))
    if rows.empty:
        ax.text(0.5, 0.5, say("churn_model.no_effects"), ha="center", va="center", transform=ax.transAxes)
        return bare(ax)
    ratio = _ratio(result)
    faster = (say("churn_model.side_slower"), say("churn_model.side_faster"))
    draw_forest(
        ax,
        [_effect_name(row) for row in rows.to_dict("records")],
        rows[ratio],
        rows[f"{ratio}_low"],
        rows[f"{ratio}_high"],
        marked=rows["p_value_holm"] < 1 - result.params["confidence"],
        texts=[_interval_text(row, ratio) for row in rows.to_dict("records")],
        sides=faster if ratio == "hazard_ratio" else faster[::-1],
        xlabel=say(f"churn_model.axis_{ratio}"),
    )
    more = len(result.table) - len(rows)
    notes = [say("churn_model.filled"), *([say("churn_model.more_effects", effects=more)] if more else [])]
    ax.annotate("  ".join(notes), (0, 0), xycoords="axes fraction", xytext=(0, -42), textcoords="offset points",
                fontsize=8.5, color=INK, va="top", annotation_clip=False)  # fmt: skip
    return ax


def effects_figure(result: Any) -> Figure:
    """Draw the effects on a figure of its own."""
    figure = new_figure((8.4, 1.5 + 0.36 * max(len(_effects(result)), 2)))
    plot_effects(result, figure.subplots())
    return figure


def _ratio(result: Any) -> str:
    return "hazard_ratio" if "hazard_ratio" in result.table else "time_ratio"


def _effects(result: Any) -> pd.DataFrame:
    """Choose the effects to draw, in the table's order: the clearest, if there are too many."""
    clearest = result.table.nsmallest(MOST_EFFECTS, "p_value").index
    rows: pd.DataFrame = result.table[result.table.index.isin(clearest)]
    return rows


def _effect_name(row: dict[Any, Any]) -> str:
    name = word(row["covariate"])
    if row["level"]:
        level = say("churn_model.level", covariate=name, level=word(row["level"]))
        return f"{level}\n{say('churn_model.against', reference=word(row['reference']))}" if row["reference"] else level
    if row["for_each"] == 1:
        return name
    return f"{name}\n{say('churn_model.per_step', step_text=format_value('step', _plain(row['for_each'])))}"


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _interval_text(row: dict[Any, Any], ratio: str) -> str:
    low, high = (format_value("ratio", row[f"{ratio}_{side}"]) for side in ("low", "high"))
    return f"{format_value('ratio', row[ratio])}  {bracketed(low, high, current_language())}"


# -- how good --------------------------------------------------------------------------------


def plot_calibration(result: Any, ax: Axes | None = None) -> Axes:
    """Draw the share that left against the share expected, by tenths of the customers; return the axes."""
    ax = bare(new_axes(ax, size=(5.4, 5.0)), grid="y")
    table, curve = result.table, result.curve
    top = float(np.nanmax([table["predicted_rate"].max(), table["observed_rate_high"].max(), 0.02])) * 1.04
    top = min(max(top, 0.05), 1.0)
    ax.plot([0, top], [0, top], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1,
            label=say("churn_model.as_expected"))  # fmt: skip
    inside = curve[(curve["predicted_rate"] <= top) & (curve["observed_rate"] <= top)]
    if len(inside) > 1:
        ax.plot(inside["predicted_rate"], inside["observed_rate"], color=COLOURS[0], linewidth=1.6, alpha=0.7,
                label=say("churn_model.smooth"))  # fmt: skip
    low = table["observed_rate"] - table["observed_rate_low"]
    high = table["observed_rate_high"] - table["observed_rate"]
    ax.errorbar(table["predicted_rate"], table["observed_rate"], [low, high], fmt="o", color=COLOURS[0], markersize=6,
                capsize=2.5, linewidth=1.3, label=say("churn_model.a_tenth"))  # fmt: skip
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    percent_axis(ax.xaxis)
    percent_axis(ax.yaxis)
    ax.set_xlabel(say("churn_model.axis_predicted"))
    ax.set_ylabel(say("churn_model.axis_observed"))
    ax.legend(frameon=False, loc="upper left")
    return ax


def plot_gain(result: Any, ax: Axes | None = None) -> Axes:
    """Draw which share of those who left is on a list of rising length; return the axes."""
    ax = bare(new_axes(ax, size=(5.4, 5.0)), grid="y")
    rows = result.gain
    _draw_gain(ax, rows, "found_at")
    ax.set_ylabel(say("churn_model.axis_found"))
    return ax


def _draw_gain(ax: Axes, rows: pd.DataFrame, sentence: str) -> None:
    shares = np.concatenate([[0.0], rows["listed_rate"]])
    found = np.concatenate([[0.0], rows["found_rate"]])
    ax.fill_between(shares, shares, found, color=COLOURS[0], alpha=0.10, linewidth=0)
    ax.plot(shares, found, color=COLOURS[0], linewidth=2)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    ax.annotate(say("churn_model.by_chance"), (0.72, 0.72), xytext=(6, -12), textcoords="offset points", fontsize=9,
                color=MUTED)  # fmt: skip
    at = rows.iloc[int((rows["listed_rate"] - 0.2).abs().argmin())]
    if np.isfinite(at["found_rate"]):
        ax.plot([at["listed_rate"]], [at["found_rate"]], marker="o", color=COLOURS[0], markersize=7)
        text = say(f"churn_model.{sentence}", found_rate=at["found_rate"], listed_rate=at["listed_rate"])
        point = (at["listed_rate"], at["found_rate"])
        line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.8}
        ax.annotate(_wrapped(text), point, xytext=(0.36, 0.10), textcoords="axes fraction", fontsize=9.5, color=INK,
                    arrowprops=line)  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    percent_axis(ax.xaxis)
    percent_axis(ax.yaxis)
    ax.set_xlabel(say("churn_model.axis_listed"))


def _wrapped(text: str, width: int = 34) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def evaluation_figure(result: Any) -> Figure:
    """Draw calibration and gain side by side."""
    figure = new_figure((10.4, 4.8))
    left, right = figure.subplots(1, 2)
    plot_calibration(result, left)
    plot_gain(result, right)
    return figure


# -- who is next -----------------------------------------------------------------------------


def plot_chances(result: Any, ax: Axes | None = None) -> Axes:
    """Draw how many customers have which chance to leave; return the axes."""
    ax = bare(new_axes(ax, size=(7.0, 4.0)), grid="y")
    chance = result.table["leave_probability"].dropna()
    counts, edges = np.histogram(chance, np.linspace(0, 1, 21))
    ax.bar(edges[:-1], counts, np.diff(edges), align="edge", color=COLOURS[0], edgecolor="white", linewidth=0.6)
    mean = result.summary["leave_probability"].iloc[0]
    if np.isfinite(mean):
        ax.axvline(mean, color=INK, linewidth=1.1, linestyle=(0, (4, 3)))
        text = say("churn_model.average_at", leave_probability=mean)
        ax.annotate(text, (mean, 1), xycoords=("data", "axes fraction"), xytext=(5, -2),
                    textcoords="offset points", va="top", fontsize=9.5, color=INK)  # fmt: skip
    ax.set_xlim(0, 1)
    percent_axis(ax.xaxis)
    ax.set_xlabel(say("churn_model.axis_chance", within=_within(result)))
    ax.set_ylabel(say("churn_model.axis_customers"))
    return ax


def _within(result: Any) -> str:
    if result.params["unit"] == "terms":
        return say("churn_model.within_terms", terms=int(result.params["horizon"]))
    return say("churn_model.within_days", horizon_days=result.params["horizon"])


def chances_figure(result: Any) -> Figure:
    """Draw the chances, and how many of those expected to leave a list of rising length holds."""
    figure = new_figure((10.4, 4.6))
    left, right = bare(figure.subplots(1, 2)[0]), figure.axes[1]
    plot_chances(result, left)
    bare(right, grid="y")
    _draw_gain(right, result.concentration(), "expected_at")
    right.set_ylabel(say("churn_model.axis_expected"))
    return figure


# -- one covariate ---------------------------------------------------------------------------


def plot_partial(result: Any, ax: Axes | None = None) -> Axes:
    """Draw who is still there at values of one covariate, the others being usual; return the axes."""
    ax = bare(new_axes(ax, size=(7.6, 4.4)), grid="y")
    values = result.summary["value"].tolist()[: len(COLOURS)]
    time = "time_terms" if "time_terms" in result.table else "time_days"
    for i, value in enumerate(values):
        rows = result.table[result.table["value"] == value]
        if len(values) <= 4:
            ax.fill_between(rows[time], rows["survival_low"], rows["survival_high"], color=COLOURS[i], alpha=0.14,
                            linewidth=0)  # fmt: skip
        shown = word(value) if isinstance(value, str) else format_value("value_of", _plain(value))
        ax.plot(rows[time], rows["survival"], color=COLOURS[i], linestyle=DASHES[i % len(DASHES)], linewidth=1.9,
                label=shown)  # fmt: skip
    ax.legend(frameon=False, title=word(result.params["covariate"]), loc="best")
    ax.set_ylim(0, 1.02)
    ax.set_xlim(left=0)
    percent_axis(ax.yaxis)
    ax.set_xlabel(label("time_terms") if time == "time_terms" else say("churn.axis_time"))
    ax.set_ylabel(say("churn.axis_survival"))
    ax.spines["bottom"].set_color(FAINT)
    return ax


def partial_figure(result: Any) -> Figure:
    """Draw `plot_partial` on a figure of its own."""
    figure = new_figure((7.6, 4.4))
    plot_partial(result, figure.subplots())
    return figure
