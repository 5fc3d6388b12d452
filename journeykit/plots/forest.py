"""A forest: estimates under each other with their intervals, against a line of no effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from journeykit.plots.canvas import COLOURS, INK, MUTED, bare
from journeykit.text import format_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DECADES = 30.0  # bounds further than this factor beyond the estimates are cut, with an arrow


def draw_forest(
    ax: Axes,
    names: Sequence[str],
    estimate: Any,
    low: Any,
    high: Any,
    *,
    reference: float = 1.0,
    log: bool = True,
    marked: Any = None,
    texts: Sequence[str] = (),
    sides: tuple[str, str] | None = None,
    xlabel: str = "",
) -> Axes:
    """Draw one estimate with its interval a row, the first on top; return the axes.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    names : sequence of str
        What stands before each row.
    estimate, low, high : array
        One entry a row; rows without an estimate stay empty, bounds that are
        missing are not drawn.
    reference : float
        No effect: 1 for ratios, 0 for differences.
    log : bool
        Whether the axis is logarithmic (ratios).
    marked : array of bool, optional
        Rows drawn filled, the others hollow; all filled by default.
    texts : sequence of str
        What stands behind each row, for example the estimate in words.
    sides : tuple of two str, optional
        What left and right of the reference mean.
    xlabel : str
        Label of the axis.
    """
    centre, left, right = (np.asarray(values, dtype=float) for values in (estimate, low, high))
    filled = np.ones(len(centre), dtype=bool) if marked is None else np.asarray(marked, dtype=bool)
    rows = np.arange(len(centre))
    bare(ax, grid="x")
    if log:
        ax.set_xscale("log")
    ax.set_xlim(*_limits(centre, left, right, reference, log=log))
    ax.axvline(reference, color=MUTED, linewidth=1.2, zorder=1)
    floor, ceiling = ax.get_xlim()
    for row in rows[np.isfinite(centre)]:
        colour = COLOURS[0] if filled[row] else MUTED
        if np.isfinite(left[row]) and np.isfinite(right[row]):
            ax.plot([max(left[row], floor), min(right[row], ceiling)], [row, row], color=colour, linewidth=1.8)
            for bound, beyond, arrow in ((floor, left[row] < floor, "<"), (ceiling, right[row] > ceiling, ">")):
                if beyond:
                    ax.plot([bound], [row], marker=arrow, color=colour, markersize=6, clip_on=False)
        ax.plot([centre[row]], [row], marker="o", markersize=6.5, color=colour, linestyle="none",
                markerfacecolor=colour if filled[row] else "white", markeredgewidth=1.5)  # fmt: skip
    ax.set_yticks(rows, list(names), parse_math=False)
    ax.set_ylim(len(centre) - 0.4, -0.6)
    for row, text in enumerate(texts):
        ax.annotate(text, (1, row), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
                    va="center", ha="left", fontsize=9, color=INK, annotation_clip=False, parse_math=False)  # fmt: skip
    _label(ax, xlabel, sides, reference, log=log)
    return ax


def _limits(centre: Any, low: Any, high: Any, reference: float, *, log: bool) -> tuple[float, float]:
    """Wide enough for every estimate and most bounds; no bound alone makes the others unreadable."""
    known = centre[np.isfinite(centre)]
    ends = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)], known, [reference]])
    if not log:
        span = max(np.ptp(ends), 1e-9)
        return float(ends.min() - 0.06 * span), float(ends.max() + 0.06 * span)
    known, ends = known[known > 0], ends[ends > 0]
    inner = np.append(known, reference)
    smallest = max(float(ends.min()), float(inner.min()) / _DECADES, 1e-6)
    largest = min(float(ends.max()), float(inner.max()) * _DECADES)
    smallest, largest = min(smallest, reference / 1.5), max(largest, reference * 1.5)
    room = (largest / smallest) ** 0.05
    return smallest / room, largest * room


def _label(ax: Axes, xlabel: str, sides: tuple[str, str] | None, reference: float, *, log: bool) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    if log:
        ax.xaxis.set_major_locator(FixedLocator(_ticks(*ax.get_xlim())))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(_show))
    ax.set_xlabel(xlabel)
    if sides is not None:
        for text, offset, side in ((sides[0], -6, "right"), (sides[1], 6, "left")):
            ax.annotate(text, (reference, 1), xycoords=("data", "axes fraction"), xytext=(offset, 4),
                        textcoords="offset points", ha=side, va="bottom", fontsize=9, color=INK,
                        annotation_clip=False)  # fmt: skip


def _show(value: float, _position: int | None = None) -> str:
    """A round number without the zeros behind it that a table would keep."""
    text = format_value("odds_ratio", round(value, 9))
    return text.rstrip("0") if value < 1 else text


def _ticks(low: float, high: float) -> list[float]:
    """Round values inside the limits, about six."""
    candidates = [base * 10.0**power for power in range(-6, 7) for base in (1, 2, 5)]
    inside = [value for value in candidates if low <= value <= high]
    if len(inside) > 7:
        inside = [10.0**power for power in range(-6, 7) if low <= 10.0**power <= high]
    return inside if len(inside) > 1 else sorted({*inside, *(v for v in (0.5, 0.75, 1, 1.25, 1.5) if low <= v <= high)})
