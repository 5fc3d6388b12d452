"""One customer, event by event."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from journeykit.errors import ParameterError
from journeykit.log.attributes import match_ids
from journeykit.schema import did_you_mean
from journeykit.text import Html, html_result, html_table, say, text_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog


@dataclass(frozen=True, eq=False, repr=False)
class Timeline:
    """What one customer did, and until when anybody was watching.

    Attributes
    ----------
    customer : object
        The id; None if the log marks ids as personal.
    table : DataFrame
        One row an event: `session` (its number), `time`, `touchpoint`, and if
        the log has them `stage`, `channel`, `value`.
    starts_at, ends_at : Timestamp
        What the log observes: `[starts_at, ends_at)`.
    stages : tuple of str
        The stages of the log's model, in order.
    """

    customer: Any
    table: pd.DataFrame
    starts_at: pd.Timestamp
    ends_at: pd.Timestamp
    stages: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Whose timeline it is, in the language of the moment."""
        if self.customer is None:
            return say("journey.timeline_unnamed")
        return say("journey.timeline_title", customer=self.customer)

    def describe(self) -> str:
        """How much was seen of the customer, from when to when, and how long nothing since."""
        table = self.table
        said = say(
            "journey.timeline_size",
            events=len(table),
            touchpoints=int(table["touchpoint"].nunique()),
            sessions=int(table["session"].nunique()),
            first_at=table["time"].iloc[0].date(),
            last_at=table["time"].iloc[-1].date(),
        )
        silent = (self.ends_at - table["time"].iloc[-1]).total_seconds()
        quiet = say("journey.timeline_silence", silent_seconds=silent, observed_until=self.ends_at)
        parts = [said, quiet]
        if "value" in table and table["value"].notna().any():
            parts.insert(1, say("journey.timeline_value", total_value=float(table["value"].sum())))
        return " ".join(parts)

    def alt_text(self) -> str:
        """What the picture shows, for who can't see it."""
        return self.describe()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the events on `ax` (or new axes), a row for each touchpoint; return the axes."""
        from journeykit.plots.timeline import plot_timeline

        return plot_timeline(self, ax)

    def figure(self) -> Figure:
        """Draw the events in a figure of its own, that no window shows."""
        from journeykit.plots.timeline import timeline_figure

        return timeline_figure(self)

    def __repr__(self) -> str:
        """The events as text."""
        return text_table(self.table, max_rows=40)

    def _repr_html_(self) -> str:
        source = f"data:image/png;base64,{self._png()}"
        picture = Html(f'<p><img style="max-width:100%" alt="{escape(self.alt_text())}" src="{source}"></p>')
        events = html_table(self.table, max_rows=30)
        return str(html_result(self.title, [self.describe()], [picture, events]))

    def _png(self) -> str:
        from base64 import b64encode
        from io import BytesIO

        buffer = BytesIO()
        self.figure().savefig(buffer, format="png", dpi=110)
        return b64encode(buffer.getvalue()).decode("ascii")


def timeline(log: InteractionLog, customer: Any) -> Timeline:
    """Show one customer: every event in order, drawn and as a table.

    At the end of a notebook cell it draws itself; `.figure()` and `.plot(ax)`
    give the picture, `.table` the events. The time between the last event and
    the end of observation is part of both: it is silence that was observed,
    and after it nobody watched.

    Parameters
    ----------
    log : InteractionLog
        The log.
    customer : object
        The customer's id (the unit's name, of a re-keyed log).

    Returns
    -------
    Timeline
        With `table`: `session` (number, by `log.sessions()`), `time`,
        `touchpoint`, `stage`, `channel`, `value`. Columns marked personal are
        not in it, and the id is not named if it is personal.

    Raises
    ------
    ParameterError
        If the customer is not in the log.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob"],
    ...     "time": ["2024-01-01 09:00", "2024-01-01 09:20", "2024-01-02"],
    ...     "touchpoint": ["visit", "order", "visit"],
    ... }), observed_until="2024-02-01")
    >>> jk.timeline(log, "ann")
    session  time              touchpoint
          1  2024-01-01 09:00  visit
          1  2024-01-01 09:20  order
    """
    wanted = pd.Index([customer]) if isinstance(customer, int | np.integer) else pd.Index([str(customer)], dtype=object)
    (place,) = match_ids(log.customers, wanted)
    if place < 0:
        raise ParameterError(
            f"customer {customer!r} is not in the log: {did_you_mean(customer, log.customers[:10_000])}"
        )
    here = log.customers_where(np.arange(log.n_customers) == place)
    columns = ["time", "touchpoint", *(name for name in ("stage", "channel", "value") if name in log.columns)]
    table = here.frame([name for name in columns if name not in log.personal])
    table.insert(0, "session", here.sessions().numbers)
    return Timeline(
        customer=None if "customer" in log.personal else log.customers[place],
        table=table,
        starts_at=log.starts_at,
        ends_at=log.ends_at,
        stages=log.stages,
    )
