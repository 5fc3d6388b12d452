"""What all drawings share: axes, colours that everybody can tell apart, and words that run the right way."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008), ordered so that neighbours differ in lightness too: readable in greyscale.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
INK = "#333333"
MUTED = "#8a8a8a"
FAINT = "#d9d9d9"


def new_axes(ax: Axes | None = None, *, size: tuple[float, float] = (7.0, 4.0)) -> Axes:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, made = plt.subplots(figsize=size, layout="constrained")
    return made


def new_figure(size: tuple[float, float] = (8.0, 5.0)) -> Figure:
    """Return a figure that no window and no notebook shows by itself."""
    import matplotlib
    from matplotlib.figure import Figure

    # A notebook can display figures once its backend is loaded, which Matplotlib leaves to the first pyplot figure.
    backend = matplotlib.get_backend(auto_select=False) or ""
    if backend.endswith("backend_inline"):
        import_module(backend.removeprefix("module://"))
    return Figure(figsize=size, layout="constrained")


def bare(ax: Axes, *, grid: str | None = None) -> Axes:
    """Take away the frame that says nothing; keep a faint grid along one axis if asked ("x" or "y")."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
    ax.tick_params(colors=INK, length=0)
    if grid is not None:
        ax.grid(axis=grid, color=FAINT, linewidth=0.8)  # type: ignore[arg-type]
        ax.set_axisbelow(True)
    return ax


def table_under(ax: Axes, above: Axes, rows: list[str], title: str, *, pad: float = 20) -> Axes:
    """Make axes a place for numbers under a curve's axes: the same horizontal scale, a row a line, no frame."""
    ax.set_xlim(above.get_xlim())
    ax.set_ylim(len(rows) - 0.4, -0.6)
    for side in ("top", "right", "bottom", "left"):
        ax.spines[side].set_visible(False)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0, pad=pad)
    ax.set_title(title, loc="left", fontsize=9.5, color=MUTED)
    ax.set_yticks(range(len(rows)), rows, parse_math=False)
    return ax


def read_from_right(ax: Axes) -> None:
    """Mirror horizontal reading where the language runs from right to left: the vertical axis moves to the right."""
    from journeykit.text import direction

    if direction() == "rtl":
        ax.yaxis.tick_right()
        ax.yaxis.set_label_position("right")


def percent_axis(axis: Any) -> None:
    """Label an axis of rates (0 to 1) in percent, in the language of the moment."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda rate, _position=None: short_percent(round(rate, 6))))


def short_percent(rate: float) -> str:
    """Write a rate in percent, a whole one without decimals, in the language of the moment."""
    from journeykit.text import format_value

    return re.sub(r"[.,]0(?!\d)", "", format_value("axis_rate", rate))
