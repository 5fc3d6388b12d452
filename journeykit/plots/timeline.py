"""Draw one customer: what happened when, and until when anybody watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from journeykit.plots.canvas import COLOURS, FAINT, INK, MUTED, bare, new_axes, new_figure, read_from_right
from journeykit.text import direction, format_value, label, say, word
from journeykit.text.names import shortened, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.journey.one_customer import Timeline

MOST_LANES = 18
"""More touchpoints than this share the last row."""

LONGEST_NAME = 32
MOST_LINKED = 60
"""With more events than this, lines from one to the next hide more than they show."""

MOST_VALUES = 12
"""Values that are written beside their events: the largest."""


def timeline_figure(timeline: Timeline) -> Figure:
    """Draw a timeline in a figure as high as it has touchpoints."""
    n_lanes = min(timeline.table["touchpoint"].nunique(), MOST_LANES)
    figure = new_figure((9.5, 1.5 + 0.28 * n_lanes))
    plot_timeline(timeline, figure.add_subplot())
    return figure


def plot_timeline(timeline: Timeline, ax: Axes | None = None) -> Axes:
    """Draw a row for each touchpoint, a dot for each event, and the silence up to the end of observation."""
    ax = new_axes(ax, size=(9.5, 4.5))
    table = timeline.table
    lanes = _lanes(table, timeline.stages)
    times = pd.DatetimeIndex(table["time"]).tz_localize(None)  # as on the wall: axes of dates know no zone
    places = {name: row for row, name in enumerate(lanes)}
    rows = np.array([places.get(str(name), len(lanes) - 1) for name in table["touchpoint"]], dtype=float)
    if len(table) <= MOST_LINKED:
        ax.plot(times, rows, color=FAINT, linewidth=1.0, zorder=1)  # the way from one to the next
    _draw_events(timeline, ax, times, rows)
    right = _draw_observation(timeline, ax, times)
    _write_values(table, ax, times, rows, right)
    ax.set_yticks(np.arange(len(lanes)), [_named(name) for name in lanes], parse_math=False)
    ax.set_ylim(len(lanes) - 0.4, -0.8)
    bare(ax, grid="y")
    _date_axis(ax)
    read_from_right(ax)
    ax.set_title(timeline.title, loc="right" if _rtl() else "left", color=INK, fontsize=11, parse_math=False)
    return ax


def _rtl() -> bool:
    return direction() == "rtl"


def _lanes(table: pd.DataFrame, stages: tuple[str, ...]) -> list[str]:
    """Touchpoints from the top down, by stage, then as they first occur; of too many, the rarest share the last row."""
    seen = table.drop_duplicates("touchpoint")
    if "stage" in table:
        order = {stage: i for i, stage in enumerate(stages)}
        seen = seen.assign(place=[order.get(stage, len(order)) for stage in seen["stage"].astype(object)])
        seen = seen.sort_values("place", kind="stable")
    names = seen["touchpoint"].astype(str).tolist()
    if len(names) <= MOST_LANES:
        return names
    frequent = set(table["touchpoint"].astype(str).value_counts().index[: MOST_LANES - 1])
    return [*(name for name in names if name in frequent), "\0other"]


def _named(lane: str) -> str:
    return label("other") if lane == "\0other" else shortened(visible(lane), LONGEST_NAME)


def _draw_events(timeline: Timeline, ax: Axes, times: pd.DatetimeIndex, rows: np.ndarray) -> None:
    table = timeline.table
    if "stage" not in table:
        ax.plot(times, rows, "o", color=COLOURS[0], markersize=6, zorder=3)
        return
    stage = table["stage"].astype(object)
    for i, name in enumerate(timeline.stages):
        there = (stage == name).to_numpy(dtype=bool)
        if there.any():
            colour = COLOURS[i % len(COLOURS)]
            ax.plot(times[there], rows[there], "o", color=colour, markersize=6, alpha=0.85, zorder=3, label=word(name))
    none = stage.isna().to_numpy(dtype=bool)
    if none.any():
        ax.plot(times[none], rows[none], "o", color=MUTED, markersize=6, zorder=3, label=word("(unmapped)"))
    n = len(ax.get_legend_handles_labels()[0])
    corner = (0.0, 1.0) if _rtl() else (1.0, 1.0)
    where: Literal["lower left", "lower right"] = "lower left" if _rtl() else "lower right"
    ax.legend(
        frameon=False, fontsize=8, ncols=n, loc=where, bbox_to_anchor=corner, handletextpad=0.1, borderaxespad=0.2
    )


def _write_values(
    table: pd.DataFrame, ax: Axes, times: pd.DatetimeIndex, rows: np.ndarray, right: pd.Timestamp
) -> None:
    """Write the largest values over their dots, where no larger one stands in the way."""
    if "value" not in table:
        return
    largest = table["value"].abs().nlargest(MOST_VALUES)
    written: list[tuple[pd.Timestamp, float]] = []
    for i in largest[largest > 0].index:
        if any(row == rows[i] and abs(times[i] - at) < 0.05 * (right - times[0]) for at, row in written):
            continue
        written.append((times[i], rows[i]))
        text = format_value("value", float(table["value"].iloc[i]))
        place = (_number(times[i]), rows[i])
        ax.annotate(text, place, xytext=(0, 5), textcoords="offset points", ha="center", fontsize=7, color=INK)


def _draw_observation(timeline: Timeline, ax: Axes, times: pd.DatetimeIndex) -> pd.Timestamp:
    """Shade the silence after the last event up to the end of observation, or a part of it if that is far away."""
    end = timeline.ends_at.tz_localize(None)
    first, last = times[0], times[-1]
    span = max(last - first, pd.Timedelta("1h"))
    far = end - last > 0.6 * span
    right = last + 0.35 * span if far else end
    margin = 0.03 * (right - first)
    ax.axvspan(_number(last), _number(right + margin if far else end), color=FAINT, alpha=0.4, linewidth=0, zorder=0)
    if not far:
        ax.axvline(_number(end), color=MUTED, linewidth=1.2, zorder=2)
    ax.set_xlim(_number(first - margin), _number(right + margin))
    said = say("journey.axis_silence", silent_seconds=(end - last).total_seconds(), observed_until=timeline.ends_at)
    ax.set_xlabel(said, loc="left" if _rtl() else "right", fontsize=8, color=MUTED)
    return right


def _number(at: Any) -> float:
    from matplotlib.dates import date2num

    return float(date2num(at))  # type: ignore[no-untyped-call]


def _date_axis(ax: Axes) -> None:
    """Write times in the language of the moment: clock times on a short axis, dates on a longer one."""
    import matplotlib.dates
    from matplotlib.ticker import FixedFormatter, FixedLocator

    dates: Any = matplotlib.dates  # it has no types
    low, high = ax.get_xlim()
    ticks = dates.AutoDateLocator().tick_values(dates.num2date(low), dates.num2date(high))
    ticks = [tick for tick in ticks if low <= tick <= high]
    ticks = ticks[:: 1 + len(ticks) // 7]  # words take room
    # Words now, not when the figure is drawn: by then another language may be spoken.
    texts = [_moment(pd.Timestamp(dates.num2date(tick)).tz_localize(None), short=high - low < 2) for tick in ticks]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FixedFormatter(texts))


def _moment(at: pd.Timestamp, *, short: bool) -> str:
    return format_value("axis_at", at.round("s") if short else at.date())
