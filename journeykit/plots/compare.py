"""Two results beside each other: how they differ, and what the mix did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare, new_axes, new_figure, read_from_right
from journeykit.text import label, say, word
from journeykit.text.numbers import kind_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.results.comparing import CompareResult

MOST_ROWS = 24
"""Rows that can be read one below the other; numbered ones, such as ages, stand along an axis instead."""
SURE, UNSURE = COLOURS[0], MUTED
MIX, OWN = COLOURS[1], COLOURS[0]


def plot_compare(result: CompareResult, ax: Axes | None = None) -> Axes:
    """Draw every difference with its interval against zero, of the measure that most rows are about."""
    from matplotlib.ticker import MaxNLocator

    rows = _drawn(result)
    along = _along(result, rows)
    ax = new_axes(ax, size=(7.5, 4.2) if along else (7.5, 1.6 + 0.32 * min(len(rows), MOST_ROWS)))
    scale = 100.0 if _is_rate(rows) else 1.0
    places = rows[along].astype(float).to_numpy() if along else np.arange(len(rows), dtype=float)[::-1]
    _draw(ax, rows, places, scale, bool(along), 1 - result.params["confidence"])
    a, b = result.params["names"]
    amount = say("compare.axis_rate" if scale > 1 else "compare.axis_number", a=a, b=b)
    if along:
        ax.axhline(0, color=INK, linewidth=1)
        ax.set(xlabel=word(along), ylabel=amount)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        ax.axvline(0, color=INK, linewidth=1)
        ax.set_yticks(places, [_row_name(result, row) for row in rows.to_dict("records")], parse_math=False)
        ax.set_ylim(-0.7, len(rows) - 0.3)
        ax.set_xlabel(amount)
    if len(set(rows["measure"])) == 1:
        ax.set_title(word(str(rows["measure"].iloc[0])), loc="left", fontsize=10, color=INK)
    bare(ax, grid="y" if along else "x")
    read_from_right(ax)
    if ax.get_legend_handles_labels()[0]:
        _legend_below(ax)
    return ax


def _legend_below(ax: Axes) -> None:
    """Put the legend under the axis label, at the same distance however tall the axes are."""
    place: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "borderaxespad": 4.5}
    ax.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=3, **place)


def _drawn(result: CompareResult) -> pd.DataFrame:
    """Rows in one unit that have a difference: rates if there are any; not more than can be read."""
    rows = result.table[result.table["difference"].notna()]
    if rows.empty:
        return rows
    rates = rows["measure"].map(lambda name: kind_of(str(name)) == "percent")
    rows = rows[rates] if rates.any() else rows[rows["measure"] == rows["measure"].iloc[0]]
    if len(rows) > MOST_ROWS:
        most = rows[rows["measure"] == rows["measure"].mode().iloc[0]]
        return most if _along(result, most) else rows.head(MOST_ROWS)
    return rows


def _along(result: CompareResult, rows: pd.DataFrame) -> str:
    """Name the numbered key that rows can stand along, where they are many and differ in nothing else."""
    numbered = [key for key in result.keys if key in rows and pd.api.types.is_numeric_dtype(rows[key])]
    if len(numbered) != 1 or len(rows) <= MOST_ROWS or rows[numbered[0]].duplicated().any():
        return ""
    return str(numbered[0])


def _is_rate(rows: pd.DataFrame) -> bool:
    return len(rows) > 0 and kind_of(str(rows["measure"].iloc[0])) == "percent"


def _draw(ax: Axes, rows: pd.DataFrame, places: Any, scale: float, along: bool, level: float) -> None:
    """Draw a mark a row: filled where it holds after Holm, hollow where it may be chance, a cross without interval."""
    value, low, high = (rows[f"difference{end}"].to_numpy(dtype=float) * scale for end in ("", "_low", "_high"))
    holds = (rows["p_value_holm"] < level).to_numpy()
    bare_number = np.isnan(low)
    kinds: Any = (
        (holds & ~bare_number, "compare.sure", {"color": SURE, "marker": "o"}),
        (~holds & ~bare_number, "compare.unsure", {"color": UNSURE, "marker": "o", "markerfacecolor": "white"}),
        (bare_number, "compare.no_interval", {"color": INK, "marker": "x"}),
    )
    for which, name, style in kinds:
        if not which.any():
            continue
        ends = np.nan_to_num(np.stack([value - low, high - value])[:, which])
        x, y = (places[which], value[which]) if along else (value[which], places[which])
        errors: Any = {"yerr": ends} if along else {"xerr": ends}
        ax.errorbar(x, y, **errors, linestyle="none", markersize=6, capsize=0, linewidth=1.8, label=say(name), **style)


def _row_name(result: CompareResult, row: dict[Any, Any]) -> str:
    """Name a row of the picture; what all rows share stands above it."""
    from journeykit.results.comparing.say import row_words

    measures = {str(name) for name in _drawn(result)["measure"]}
    name = row_words(result, row)
    if len(measures) > 1:
        return name
    short: str = row_words(result, row, measure=False)
    return short or label("overall")


def plot_split(result: CompareResult, ax: Axes | None = None) -> Axes:
    """Draw what the mix of groups and what their own rates did to the main rate, group by group and together."""
    rows = result.main_split()
    ax = new_axes(ax, size=(7.5, 1.8 + 0.42 * len(rows)))
    places = np.arange(len(rows), dtype=float)[::-1]
    for name, colour, hatch, shift in (("mix", MIX, "///", 0.2), ("own", OWN, "", -0.2)):
        value, low, high = (
            100 * rows[f"{name}_rate_difference{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high")
        )
        ax.barh(
            places + shift,
            value,
            height=0.36,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=say(f"compare.{name}"),
        )
        ends = np.nan_to_num(np.stack([value - low, high - value]))
        ax.errorbar(value, places + shift, xerr=np.maximum(ends, 0), linestyle="none", color=INK, linewidth=1)
    whole = 100 * rows["rate_difference"].to_numpy(dtype=float)
    ax.plot(whole, places, "D", color=INK, markersize=5, linestyle="none", label=say("compare.whole"))
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(places, [word(str(name)) for name in rows["segment"]], parse_math=False)
    a, b = result.params["names"]
    ax.set_xlabel(say("compare.axis_rate", a=a, b=b))
    bare(ax, grid="x")
    read_from_right(ax)
    _legend_below(ax)
    return ax


def compare_figure(result: CompareResult) -> Figure:
    """Draw the differences, and beside them what the mix did."""
    rows = _drawn(result)
    tall = 4.6 if _along(result, rows) else max(3.6, min(1.8 + 0.34 * len(rows), 9.5))
    if result.split.empty:
        figure = new_figure((8.0, tall))
        plot_compare(result, figure.subplots())
        return figure
    tall = max(tall, 1.8 + 0.42 * len(result.main_split()))
    figure = new_figure((13.0, tall))
    left, right = figure.subplots(1, 2)
    plot_compare(result, left)
    plot_split(result, right)
    right.set_title(say("compare.split_title"), loc="left", fontsize=10, color=INK)
    return figure
