"""Pictures of cohort retention: the triangle, and the triangle with the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.plots.canvas import INK, MUTED, new_axes, new_figure, percent_axis, read_from_right, short_percent
from journeykit.plots.retention_curves import age_names, meaning, plot_curves
from journeykit.text import direction, format_value, label, say, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.analyses.retention import RetentionResult

MOST_LABELS = 37
ZERO, NOBODY, HIDDEN = "#f6ead2", "#dedede", "#e3d6e8"
WHOLE = 0.5
"""Gap between the overall row and the cohorts, in rows."""


def plot_triangle(
    result: RetentionResult,
    ax: Axes | None = None,
    *,
    column: str | None = None,
    segment: str | None = None,
    top: float | None = None,
    bar: bool = True,
) -> Axes:
    """Draw one column of the table as cohorts × ages; return the axes.

    The darker, the more. Zero is a ring, unfinished is hatched, the future is
    empty, a cohort that nobody started is a dash, and what a report leaves
    out because it is of too few customers is a cross.

    Parameters
    ----------
    result : RetentionResult
        What to draw.
    ax : Axes, optional
        Where; new axes by default.
    column : str, optional
        A number of the table: `"back"` …; by default what was measured.
    segment : str, optional
        Which segment, where there are several.
    top : float, optional
        Value of the darkest colour, so that several pictures compare.
    bar : bool
        Whether to explain the colours beside the axes.
    """
    column = result.main if column is None else column
    values = result.matrix(column, segment=segment).iloc[:, 1:].astype(float)
    status = _states(result, segment)
    sizes = result.matrix("customers", segment=segment).iloc[:, 0].to_numpy()
    n_rows, n_columns = values.shape
    ax = new_axes(ax, size=_triangle_size(n_rows, n_columns))
    if n_columns == 0 or n_rows == 0:
        ax.text(0.5, 0.5, label("unfinished"), ha="center", va="center", color=MUTED, transform=ax.transAxes)
        ax.set_axis_off()
        return ax
    overall = _overall(result, segment, column)
    cells = np.vstack([overall, values.to_numpy()]) if overall is not None else values.to_numpy()
    states = status if overall is None else np.vstack([np.where(np.isnan(overall), "future", "finished"), status])
    gap = 0.0 if overall is None else WHOLE
    middles = np.arange(len(cells)) + np.where(np.arange(len(cells)) > 0, gap, 0)
    top = colour_top(result, column) if top is None else top
    mesh = _shade(ax, cells, states, middles, top)
    _mark(ax, cells, states, middles)
    _write_numbers(ax, cells, middles, mesh, percent=column.endswith("_rate"))
    _write_sizes(ax, sizes if overall is None else np.concatenate([[sizes.sum()], sizes]), middles, n_columns)
    _name_rows(ax, result, values.index, middles, overall is not None)
    _name_columns(ax, result, n_rows)
    if bar:
        colours = ax.figure.colorbar(mesh, ax=ax, shrink=0.7, aspect=18, pad=0.02)
        colours.outline.set_visible(False)
        colours.ax.tick_params(colors=INK, length=0)
        colours.set_label(meaning(result, column), color=INK)
        if column.endswith("_rate"):
            percent_axis(colours.ax.yaxis)
    _explain(ax, cells, states)
    return ax


def colour_top(result: RetentionResult, column: str) -> float:
    """Value of the darkest colour: the largest, without the accidents of tiny cohorts."""
    table = result.table[(result.table["age"] > 0) & result.table[column].notna()]
    solid = table[table["base"] >= 20]
    values = (solid if len(solid) else table)[column].astype(float)
    return max(float(values.max()), 1e-9) if len(values) else 1.0


def _triangle_size(n_rows: int, n_columns: int) -> tuple[float, float]:
    return float(np.clip(3.4 + 0.52 * n_columns, 6, 13)), float(np.clip(1.9 + 0.3 * n_rows, 3, 11))


def _states(result: RetentionResult, segment: str | None) -> Any:
    """Status of each cell after column 0; `hidden` where a report has left its count out."""
    status, base, back = (
        result.matrix(name, segment=segment).iloc[:, 1:].to_numpy() for name in ("status", "base", "back")
    )
    return np.where((status == "finished") & (pd.isna(base) | pd.isna(back)), "hidden", status)


def _overall(result: RetentionResult, segment: str | None, column: str) -> Any:
    """Return the overall row above the cohorts, where it means the same as the cells."""
    if column not in ("back_rate", "mean_value") or not (result.summary["cohorts"] > 0).any():
        return None
    summary = result.summary if segment is None else result.summary[result.summary["segment"] == segment]
    return summary[column].to_numpy(dtype=float)[np.newaxis, 1:]


def _shade(ax: Axes, cells: Any, states: Any, middles: Any, top: float) -> Any:
    from matplotlib import colormaps
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import ListedColormap, Normalize

    # From a pale blue that white is told apart from, to nearly black: also in greyscale.
    blues = ListedColormap(colormaps["Blues"](np.linspace(0.1, 1.0, 256)))
    rows, columns = np.nonzero(~np.isnan(cells) & (cells != 0))
    mesh = PolyCollection(_squares(rows, columns, middles), cmap=blues, norm=Normalize(0, top), linewidths=0, zorder=2)
    mesh.set_array(cells[rows, columns])
    ax.add_collection(mesh)
    hatched = np.isin(states, ("unfinished", "so far"))
    known = hatched & ~np.isnan(cells)
    # A cell with a number is hatched along its lower edge only, so that the number stays readable.
    for which, top_edge, face, line in (
        (hatched & ~known, -0.48, "#f3f3f3", "#b5b5b5"),
        (known, 0.3, "#ffffff", MUTED),
    ):
        rows, columns = np.nonzero(which)
        squares = _squares(rows, columns, middles, top_edge)
        patches = PolyCollection(squares, facecolors=face, edgecolors=line, linewidths=0)
        patches.set_hatch("/////")
        ax.add_collection(patches)
    ax.set_xlim(0.5 - _sizes_width(cells.shape[1]), cells.shape[1] + 0.5)
    ax.set_ylim(middles[-1] + 0.5, -0.5)
    return mesh


def _squares(rows: Any, columns: Any, middles: Any, top_edge: float = -0.48) -> Any:
    """Corners of the cells: column i stands at x = i + 1, so that x is the position of the age."""
    corners = np.array([(-0.48, top_edge), (0.48, top_edge), (0.48, 0.48), (-0.48, 0.48)])
    return np.stack([columns + 1, middles[rows]], axis=-1)[:, np.newaxis, :] + corners


def _sizes_width(n_columns: int) -> float:
    """Room for the sizes of the cohorts, in columns."""
    return max(1.0, 0.06 * n_columns)


def _mark(ax: Axes, cells: Any, states: Any, middles: Any) -> None:
    """Mark true zeros, cells of nobody and hidden ones; in a large triangle, by colour."""
    from matplotlib.collections import PolyCollection

    for marked, marker, colour, _ in _marks(cells, states):
        rows, columns = np.nonzero(marked)
        if not len(rows):
            continue
        if _is_large(cells):
            squares = _squares(rows, columns, middles)
            ax.add_collection(PolyCollection(squares, facecolors=colour, edgecolors=colour, linewidths=0.3))
        else:
            style: Any = {"facecolors": "none", "edgecolors": MUTED} if marker == "o" else {"color": MUTED}
            ax.scatter(columns + 1, middles[rows], s=22, linewidths=0.9, zorder=3, marker=marker, **style)


def _marks(cells: Any, states: Any) -> tuple[tuple[Any, str, str, str], ...]:
    """Which cells have a mark for a number, the mark, its colour in a large triangle, and the message about it."""
    nobody = np.isnan(cells) & (states == "finished")
    return (
        (cells == 0, "o", ZERO, "retention.zero"),
        (nobody, "_", NOBODY, "retention.nobody_started"),
        (states == "hidden", "x", HIDDEN, "core.suppressed"),
    )


def _is_large(cells: Any) -> bool:
    return bool(max(cells.shape) > 60)


def _write_numbers(ax: Axes, cells: Any, middles: Any, mesh: Any, *, percent: bool) -> None:
    n_rows, n_columns = cells.shape
    if n_columns > 18 or n_rows > 40:
        return  # colours say it; numbers would be dust
    size = 8 if n_columns <= 13 else 7
    for row, column in np.argwhere(~np.isnan(cells) & (cells != 0)):
        value = cells[row, column]
        ax.text(
            column + 1,
            middles[row],
            _short(value, percent),
            ha="center",
            va="center",
            fontsize=size,
            color=_ink_on(mesh.to_rgba(value)),
        )


def _ink_on(colour: Any) -> str:
    """Choose white or dark ink, whichever has more contrast (relative luminance as WCAG 2 has it)."""
    channels = np.asarray(colour[:3])
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "white" if float(linear @ [0.2126, 0.7152, 0.0722]) < 0.24 else "#111111"


def _short(value: float, percent: bool) -> str:
    """Whole percents, so that a triangle can be read; what rounds to 0 is not 0."""
    if not percent:
        return format_value("customers", round(value) if value >= 10 else value)
    return short_percent(round(value, 2)) if value >= 0.005 else "<1%"


def _write_sizes(ax: Axes, sizes: Any, middles: Any, n_columns: int) -> None:
    if len(sizes) > 40:
        return
    place = 0.5 - _sizes_width(n_columns) / 2
    for size, middle in zip(sizes, middles, strict=True):
        shown = format_value("customers", size if np.isnan(size) else int(size))  # a report may leave numbers out
        ax.text(place, middle, shown, ha="center", va="center", fontsize=8, color=INK)


def _name_rows(ax: Axes, result: RetentionResult, cohorts: Any, middles: Any, has_overall: bool) -> None:
    names = [say("retention.all_cohorts")] if has_overall else []
    names += [cohort_name(result, cohort) for cohort in cohorts]
    step = max(1, -(-len(names) // MOST_LABELS))
    ax.set_yticks(middles[::step], names[::step], fontsize=8 if len(names) > 14 else 9)
    read_from_right(ax)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(colors=INK, length=0)


def cohort_name(result: RetentionResult, cohort: Any) -> str:
    """Name a cohort on an axis: a week by its first day."""
    if isinstance(cohort, pd.Period) and result.params["period"] == "week":
        return format_value("date", cohort.start_time)
    return word(cohort) if isinstance(cohort, str) else format_value("period", cohort)


def _name_columns(ax: Axes, result: RetentionResult, n_rows: int) -> None:
    names = age_names(result)[1:]
    step = max(1, -(-len(names) // MOST_LABELS))
    places = np.arange(1, len(names) + 1)[::step]
    first = [0.5 - _sizes_width(len(names)) / 2] if n_rows < 40 else []  # where the sizes are written
    ax.set_xticks(
        [*first, *places], [*(label("customers") for _ in first), *names[::step]], fontsize=8 if len(names) > 14 else 9
    )
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel(say(f"retention.axis_{result.params['period']}"), color=INK)
    ax.tick_params(colors=INK, length=0)
    if direction() == "rtl":
        ax.invert_xaxis()


def _explain(ax: Axes, cells: Any, states: Any) -> None:
    """Say below the axes what the marks mean, of those that occur."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for state in ("unfinished", "so far"):
        if (states == state).any():
            patch = Patch(facecolor="#f3f3f3", edgecolor="#a0a0a0", hatch="/////", linewidth=0, label=label(state))
            handles.append(patch)
    for marked, marker, colour, key in _marks(cells, states):
        if not marked.any():
            continue
        if _is_large(cells):
            handles.append(Patch(facecolor=colour, linewidth=0, label=say(key)))
        else:
            style = {"marker": marker, "markerfacecolor": "none", "markeredgecolor": MUTED}
            handles.append(Line2D([], [], linestyle="none", label=say(key), **style))  # type: ignore[arg-type]
    if handles:
        ax.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.01),
            ncols=len(handles),
            frameon=False,
            fontsize=8,
            labelcolor=INK,
        )


# -- both --------------------------------------------------------------------------------------


def retention_figure(result: RetentionResult) -> Figure:
    """Draw the triangle above the curves; with segments, the curves above a small triangle for each."""
    if "segment" in result.table:
        return _segments_figure(result)
    n_rows = result.table["cohort"].nunique()
    n_columns = result.summary["age"].nunique()
    width, height = _triangle_size(n_rows, n_columns)
    figure = new_figure((max(width, 7.5), height + 3.6))
    axes = figure.subplots(2, 1, height_ratios=[height, 3.4])
    plot_triangle(result, ax=axes[0])
    plot_curves(result, ax=axes[1])
    return figure


def _segments_figure(result: RetentionResult) -> Figure:
    if result.table[result.main].isna().all():  # a report leaves numbers of few customers out
        figure = new_figure((7.5, 4.2))
        plot_curves(result, ax=figure.subplots())
        return figure
    sizes = result.table[result.table["age"] == 0].groupby("segment", sort=False)["customers"].sum()
    largest = set(sizes.nlargest(6).index)
    shown = [name for name in sizes.index if name in largest]
    n_rows, n_columns = result.table["cohort"].nunique(), result.summary["age"].nunique()
    width, height = _triangle_size(n_rows, n_columns)
    across = 1 if n_columns > 14 or len(shown) == 1 else 2
    down = -(-len(shown) // across)
    figure = new_figure((min(width * across, 15), 3.6 + down * (height + 0.4)))
    parts: Any = figure.subfigures(2, 1, height_ratios=[3.6, down * (height + 0.4)])
    above, below = parts
    plot_curves(result, ax=above.subplots())
    top = colour_top(result, result.main)
    axes = np.atleast_1d(below.subplots(down, across)).ravel()
    for ax, name in zip(axes, shown, strict=False):
        plot_triangle(result, ax=ax, segment=name, top=top, bar=False)
        ax.set_title(word(name), color=INK, fontsize=11, loc="right" if direction() == "rtl" else "left")
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    return figure
